"""The lines on which a stack is declared travel beside it, for the review of its plans."""

import json
import subprocess
import sys

import pytest

from hikube_kafka.spec import Kafka, Storage, Topic, ZooKeeper
from hikube_kafka.spec.declarations import read, written

MAIN = """from hikube_kafka.platform import App, KafkaPlatform, KafkaTopic, HikubeProvider, KubernetesTarget
from hikube_kafka.platform.cdk import TerraformStack
from hikube_kafka.spec import Kafka, Storage, Topic, ZooKeeper

import topics

app = App(outdir="out")
stack = TerraformStack(app, "shop")
platform = KafkaPlatform(
    stack,
    "events",
    target=KubernetesTarget(namespace="events"),
    kafka=Kafka(
        storage=Storage("20Gi"),
    ),
    topics=[topics.ORDERS, *topics.of("audit")],
)
single = KafkaTopic(stack, "single", name="single", partitions=1, replication_factor=1, provider=HikubeProvider(
    stack, "elsewhere", alias="elsewhere", bootstrap_servers="kafka:9092"
))
single.override_logical_id("single")
app.synth()
"""
TOPICS = """from hikube_kafka.spec import Topic

ORDERS = Topic("orders", partitions=3)


def of(name):
    return [Topic(name, partitions=1)]
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """What a synth has written."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "main.py").write_text(MAIN)
    (folder / "declared").mkdir()
    (folder / "declared" / "topics.py").write_text(TOPICS)
    program = "import sys; sys.path.insert(0, 'declared'); import runpy; runpy.run_path('main.py')"
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, capture_output=True)
    return read((folder / "out" / "stacks" / "shop" / "declarations.json").read_bytes())


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("hikube_kafka_topic.events_orders", ("declared/topics.py", 3)),
        ("hikube_kafka_topic.events_audit", ("declared/topics.py", 7)),
        ("helm_release.events_kafka", ("main.py", 13)),
        ("hikube_volume_claims.events_kafka", ("main.py", 13)),
        ("hikube_kafka_brokers.events", ("main.py", 13)),
        ("helm_release.events_zookeeper", ("main.py", 9)),
        ("hikube_zookeeper_members.events_before", ("main.py", 9)),
        ("kubernetes_namespace_v1.events", ("main.py", 9)),
        ("data.hikube_kubernetes_cluster.events", ("main.py", 9)),
        ("hikube_kafka_topic.single", ("main.py", 18)),
    ],
)
def test_each_address_has_its_line(lines: dict[str, tuple[str, int]], address: str, where: tuple[str, int]) -> None:
    assert lines[address] == where


def test_what_is_the_same_stays_the_same_wherever_it_is_declared() -> None:
    here = Topic("orders", partitions=3)
    there = Topic("orders", partitions=3)
    assert here.declared_at != there.declared_at
    assert (here, hash(here), here.model_dump(), repr(here)) == (there, hash(there), there.model_dump(), repr(there))
    assert here.model_copy(update={"partitions": 6}).declared_at == here.declared_at
    assert all(each.declared_at.rpartition(":")[0].endswith("test_declarations.py") for each in (Kafka(), ZooKeeper()))
    assert not Storage("1Gi").declared_at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"version": 2, "declared": {}}',
        '{"version": 1, "declared": {"a": "main.py"}}',
        '{"version": 1, "declared": {"a": 3}}',
        '{"version": 1, "declared": []}',
        "\x00",
        "[" * 100_000,
    ],
)
def test_another_file_is_told_by_what_it_is_not(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)


def test_what_is_written_is_read() -> None:
    assert read(written({"a.b": "stacks/x y.py:12", "a.a": "C:/main.py:1"})) == {
        "a.b": ("stacks/x y.py", 12),
        "a.a": ("C:/main.py", 1),
    }
    assert list(json.loads(written({"b.b": "x:1", "a.a": "x:1"}))["declared"]) == ["a.a", "b.b"]
