"""A refused declaration is told as a whole, once, and without the calls around it; no synth passes it by."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.platform import App, KafkaPlatform, KubernetesTarget, LocalTarget, cdk
from hikube_kafka.platform.cdk import Construct, IValidation, TerraformStack, implements
from hikube_kafka.spec import Kafka, Storage, Topic, Workload, ZooKeeper

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
}
topic: Any = Topic
kubernetes: Any = KubernetesTarget


@implements(IValidation)
class SomebodyElses:
    def validate(self) -> list[str]:
        return ["somebody else's reason"]


def declare(app: Construct) -> None:
    first, second, third = (TerraformStack(app, name) for name in ("first", "second", "third"))
    KafkaPlatform(
        first,
        "events",
        target=LocalTarget(),
        zookeeper=ZooKeeper(servers=4),
        kafka=Kafka(storage=Storage("10GB")),
        topics=[Topic("orders", partitions=0), Topic("customers", partitions=-1), topic("audit", partitons=3)],
    )
    KafkaPlatform(
        second,
        "logs",
        target=kubernetes(namespace="Logs", forward_prt=1, kafka_startup="1s"),
        zookeeper=ZooKeeper(servers=2),
    )
    third.node.add_validation(SomebodyElses())


TOLD = [
    "[first/events] kafka.storage ({}): size: '10GB' is not a Kubernetes quantity",
    "[first/events] topic orders ({}): partitions = 0 is less than 1.",
    "[first/events] topic customers ({}): partitions = -1 is less than 1.",
    "[first/events] topic audit ({}): Topic has no field partitons. Did you mean partitions?",
    "[first/events] zookeeper.servers: 4 servers need 3 for a quorum",
    "[second/logs] KubernetesTarget ({}): KubernetesTarget has no field forward_prt. Did you mean forward_port?",
    "[second/logs] KubernetesTarget ({}): namespace: 'Logs' is not a valid name",
    "[second/logs] zookeeper.servers: 2 servers need 2 for a quorum",
    "[second/logs] kafka_startup: 1s is less than a minute.",
    "[third] somebody else's reason",
]


def assert_all_told(text: str, place: str) -> None:
    heading, *lines = text.strip().splitlines()
    assert heading == "The declaration is not valid:"
    assert len(lines) == len(TOLD), text
    for line, expected in zip(lines, TOLD, strict=True):
        before, _, after = expected.partition("{}")
        assert line.strip().startswith(before), line
        assert place in line or not after, line
        assert after in line, line


def test_everything_is_told_at_once_whichever_stack_it_is_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = App(outdir=str(tmp_path))
    declare(app)
    with pytest.raises(SystemExit) as ended:
        app.synth()
    assert ended.value.code == 1
    assert_all_told(capsys.readouterr().err, "tests/platform/test_refusal.py:")
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.parametrize("app", ["from cdktf import App", "from hikube_kafka.platform.cdk import App"])
def test_the_cdks_own_app_tells_the_same_without_a_traceback(app: str, tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    program.write_text(
        f"{app}\nfrom tests.platform.test_refusal import declare\n"
        f"app = App(outdir={str(tmp_path / 'out')!r})\ndeclare(app)\napp.synth()\n"
    )
    ended = subprocess.run(
        [sys.executable, "main.py"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert_all_told(ended.stderr, "tests/platform/test_refusal.py:")


@pytest.mark.parametrize("validations", [False, True])
def test_a_refused_platform_is_no_empty_stack_in_a_unit_test(validations: bool) -> None:  # noqa: FBT001 - as the CDK has it
    stack = TerraformStack(cdk.Testing.app(), "stack")
    KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("orders", partitions=0)])
    with pytest.raises(RuntimeError, match=r"\[stack/events\] topic orders .*: partitions = 0 is less than 1"):
        cdk.Testing.synth(stack, validations)


def test_a_stack_is_synthesized_in_a_unit_test_whatever_is_wrong_with_another() -> None:
    app = cdk.Testing.app()
    good, bad = TerraformStack(app, "good"), TerraformStack(app, "bad")
    KafkaPlatform(good, "events", target=LocalTarget())
    KafkaPlatform(bad, "logs", target=LocalTarget(), zookeeper=ZooKeeper(servers=2))
    assert "hikube_local_ensemble" in cdk.Testing.synth(good)


def test_no_word_to_the_cdk_lets_a_refused_platform_pass(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), skip_validation=True)
    KafkaPlatform(TerraformStack(app, "stack"), "events", target=LocalTarget(), zookeeper=ZooKeeper(servers=2))
    with pytest.raises(RuntimeError, match="2 servers need 2"):
        app.synth()


def test_what_two_platforms_share_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = App(outdir=str(tmp_path))
    shared = Kafka(storage=Storage("10GB"))
    for name in ("east", "west"):
        KafkaPlatform(TerraformStack(app, name), "events", name=name, target=LocalTarget(), kafka=shared)
    with pytest.raises(SystemExit):
        app.synth()
    assert capsys.readouterr().err.count("10GB") == 1


def test_of_a_workload_that_is_mistaken_nothing_else_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = App(outdir=str(tmp_path))
    KafkaPlatform(
        TerraformStack(app, "stack"),
        "events",
        target=LocalTarget(),
        workload=Workload(write="25", retention="7d"),
        topics=[Topic("orders", partitions=1, replication_factor=9)],
    )
    with pytest.raises(SystemExit):
        app.synth()
    _, *lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "[stack/events] workload (" in lines[0]
    assert "write: '25' is not a throughput" in lines[0]


def test_items_that_are_no_topics_are_told_beside_the_topics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = App(outdir=str(tmp_path))
    anything: Any = ["orders", None, Topic("a/b", partitions=1)]
    KafkaPlatform(TerraformStack(app, "stack"), "events", target=LocalTarget(), topics=anything)
    with pytest.raises(SystemExit):
        app.synth()
    told = capsys.readouterr().err
    assert "topics[0] = 'orders' is not a Topic. Declare Topic(...)." in told
    assert "topics[1] = None is not a Topic." in told
    assert "topic 'a/b': Kafka does not allow this name" in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Quantity('10GB')", "main.py:4: '10GB' is not a Kubernetes quantity"),
        ("Topic('orders', partitions=0).partitions", "topic orders (main.py:4): partitions = 0 is less than 1."),
        ("Topic.model_validate({'name': 'orders', 'partitions': 0})", "partitions = 0 is less than 1."),
        ("ZooKeeper.model_validate({'servers': 0})", "servers = 0 is less than 1."),
    ],
)
def test_what_ends_the_program_before_the_synth_is_told_without_a_traceback_and_with_the_rest(
    line: str, told: str, tmp_path: Path
) -> None:
    program = tmp_path / "main.py"
    program.write_text(
        "from hikube_kafka.platform import *; from hikube_kafka.platform.cdk import TerraformStack\n"
        "from hikube_kafka.spec import Quantity, Topic, ZooKeeper\n"
        "stack = TerraformStack(App(), 'stack')\n"
        f"KafkaPlatform(stack, 'events', target=LocalTarget(), zookeeper=ZooKeeper(servers=2)); {line}\n"
    )
    ended = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    heading, first, second = ended.stderr.strip().splitlines()
    assert heading == "The declaration is not valid:"
    assert told in first
    assert "[stack/events] zookeeper.servers: 2 servers need 2" in second


def test_a_fault_of_the_program_itself_keeps_its_traceback(tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    program.write_text(
        "from hikube_kafka.platform import App\n"
        "from pydantic import BaseModel\n"
        "class Settings(BaseModel):\n"
        "    brokers: int\n"
        "Settings(brokers='three')\n"
    )
    ended = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert 'main.py", line 5' in ended.stderr
    assert "is not valid" not in ended.stderr
