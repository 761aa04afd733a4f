"""What is generated is what is committed, and a release's values hide none of the chart's own."""

import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import hikube_kafka
from hikube_kafka.spec.chart_values import connect_values, kafka_values, zookeeper_values
from hikube_kafka.spec.connect import ConnectCluster, Plugin
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import KubernetesLayout
from hikube_kafka.spec.versions import KAFKA_VERSION, ZOOKEEPER_VERSION
from hikube_kafka.spec.zookeeper import ZooKeeper

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "constructs/hikube_kafka/charts"

PLATFORMS = st.builds(
    Platform,
    name=st.just("events"),
    zookeeper=st.builds(
        ZooKeeper,
        servers=st.sampled_from([1, 3, 5]),
        log_storage=st.none() | st.just(Storage("1Gi", storage_class="local")),
        chroot=st.sampled_from(["", "/orders"]),
        config=st.just({}) | st.just({"tickTime": 3000, "snapshot.trust.empty": True}),
    ),
    kafka=st.builds(
        Kafka,
        brokers=st.integers(1, 9),
        racks=st.sampled_from([(), ("a",), ("a", "b", "c")]),
        listeners=st.lists(st.integers(9092, 9099), min_size=1, max_size=3, unique=True).map(
            lambda ports: tuple(Listener(f"door-{port}", port=port) for port in ports)
        ),
        config=st.just({}) | st.just({"log.retention.hours": 24, "min.insync.replicas": 1}),
    ),
    connect=st.builds(
        ConnectCluster,
        st.just("changes"),
        workers=st.integers(1, 3),
        plugins=st.sampled_from(
            [
                (),
                (Plugin("a", version="1", image="own/plugins:1", maven="org.example:a:1"),),
                (Plugin("a", version="1", volume="installed"),),
                (
                    Plugin(
                        "a",
                        version="1",
                        archive="https://plugins.example.com/a-1.tar.gz",
                        checksum=f"sha512:{128 * 'a'}",
                    ),
                ),
            ]
        ),
        secrets=st.sampled_from([(), ("database", "search")]),
        config=st.just({}) | st.just({"offset.flush.interval.ms": 5000}),
    ).map(lambda cluster: (cluster,)),
)
OF_THE_GROUP = (
    "bootstrap.servers",
    "config.storage.topic",
    "group.id",
    "offset.storage.topic",
    "status.storage.topic",
)


def values_of(chart: str, platform: Platform) -> dict[str, Any]:
    layout = KubernetesLayout(namespace="shop")
    if chart == "connect":
        (cluster,) = platform.connect
        return connect_values(platform, layout, cluster).to_chart()
    compute = zookeeper_values if chart == "zookeeper" else kafka_values
    return compute(platform, layout).to_chart()


@pytest.mark.parametrize("chart", ["zookeeper", "kafka", "connect"])
@pytest.mark.parametrize("file", ["values.yaml", "values.schema.json", "templates/_shared.tpl"])
def test_a_generated_file_is_what_the_models_say(chart: str, file: str) -> None:
    generated = runpy.run_path(str(ROOT / "scripts/charts/regenerate.py"))["generated"]()
    assert (CHARTS / chart / file).read_text("utf-8") == generated[Path(chart, file)], (
        "run python scripts/charts/regenerate.py"
    )


@pytest.mark.parametrize("chart", ["zookeeper", "kafka", "connect"])
def test_the_charts_own_values_are_those_of_a_platform_of_three_and_three(chart: str) -> None:
    own = yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    computed = values_of(chart, Platform(name="events", connect=(ConnectCluster("connect"),)))
    assert own.keys() == computed.keys()
    # The names of the releases, and the platform's own label, are no defaults.
    computed["labels"] = {}
    if chart == "kafka":
        computed["config"]["zookeeper.connect"] = own["config"]["zookeeper.connect"]
    if chart == "connect":
        computed["config"] |= {key: own["config"][key] for key in OF_THE_GROUP}
    assert own == computed


@pytest.mark.parametrize("chart", ["zookeeper", "kafka", "connect"])
@given(platform=PLATFORMS)
def test_the_values_of_any_declaration_fit_the_schema_and_name_every_entry(chart: str, platform: Platform) -> None:
    """Helm merges maps: an entry that a release does not name would come from the chart's own values."""
    values = values_of(chart, platform)
    jsonschema.validate(values, json.loads((CHARTS / chart / "values.schema.json").read_text("utf-8")))
    own = yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    assert own["config"].keys() <= values["config"].keys()
    assert own.keys() <= values.keys()


def test_the_charts_have_one_version_of_the_packages_line_and_name_those_of_their_servers() -> None:
    """One, for a repository of charts is declared with one version for all."""
    abouts = {
        chart: yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text("utf-8"))
        for chart in ("zookeeper", "kafka", "connect")
    }
    assert {chart: about["appVersion"] for chart, about in abouts.items()} == {
        "zookeeper": ZOOKEEPER_VERSION,
        "kafka": KAFKA_VERSION,
        "connect": KAFKA_VERSION,
    }
    (version,) = {about["version"] for about in abouts.values()}
    assert version.rpartition(".")[0] == hikube_kafka.__version__.rpartition(".")[0]
    shown = (ROOT / "docs/kubernetes.md").read_text("utf-8")
    assert f'charts", version="{version}")' in shown, "who mirrors the charts copies it from there"
