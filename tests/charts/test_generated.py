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
from hikube_kafka.spec.chart_values import kafka_values, zookeeper_values
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
)


def values_of(chart: str, platform: Platform) -> dict[str, Any]:
    layout = KubernetesLayout(namespace="shop")
    compute = zookeeper_values if chart == "zookeeper" else kafka_values
    return compute(platform, layout).to_chart()


@pytest.mark.parametrize("chart", ["zookeeper", "kafka"])
@pytest.mark.parametrize("file", ["values.yaml", "values.schema.json", "templates/_shared.tpl"])
def test_a_generated_file_is_what_the_models_say(chart: str, file: str) -> None:
    generated = runpy.run_path(str(ROOT / "scripts/charts/regenerate.py"))["generated"]()
    assert (CHARTS / chart / file).read_text("utf-8") == generated[Path(chart, file)], (
        "run python scripts/charts/regenerate.py"
    )


@pytest.mark.parametrize("chart", ["zookeeper", "kafka"])
def test_the_charts_own_values_are_those_of_a_platform_of_three_and_three(chart: str) -> None:
    own = yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    computed = values_of(chart, Platform(name="events"))
    assert own.keys() == computed.keys()
    # The names of the releases, and the platform's own label, are no defaults.
    computed["labels"] = {}
    if chart == "kafka":
        computed["config"]["zookeeper.connect"] = own["config"]["zookeeper.connect"]
    assert own == computed


@pytest.mark.parametrize("chart", ["zookeeper", "kafka"])
@given(platform=PLATFORMS)
def test_the_values_of_any_declaration_fit_the_schema_and_name_every_entry(chart: str, platform: Platform) -> None:
    """Helm merges maps: an entry that a release does not name would come from the chart's own values."""
    values = values_of(chart, platform)
    jsonschema.validate(values, json.loads((CHARTS / chart / "values.schema.json").read_text("utf-8")))
    own = yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    assert own["config"].keys() <= values["config"].keys()
    assert own.keys() <= values.keys()


def test_the_charts_have_one_version_of_the_packages_line_and_name_those_of_their_servers() -> None:
    """One, for a repository of charts is declared with one version for both."""
    abouts = {
        chart: yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text("utf-8")) for chart in ("zookeeper", "kafka")
    }
    assert {chart: about["appVersion"] for chart, about in abouts.items()} == {
        "zookeeper": ZOOKEEPER_VERSION,
        "kafka": KAFKA_VERSION,
    }
    (version,) = {about["version"] for about in abouts.values()}
    assert version.rpartition(".")[0] == hikube_kafka.__version__.rpartition(".")[0]
