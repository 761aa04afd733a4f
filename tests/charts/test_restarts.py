"""What restarts servers, by hikube_kafka.spec.changes.rolling, is what Helm renders into their pods."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from hikube_kafka.spec.changes.rolling import reasons, restarts
from hikube_kafka.spec.quantities import Quantity
from tests.charts.test_values import CASES, CONNECT, GONE, at
from tests.support.kubernetes import Helm, rendered
from tests.support.releases import release

ALONE = dict.fromkeys(
    ("default.replication.factor", "offsets.topic.replication.factor", "transaction.state.log.replication.factor"), "1"
)
ONE_FEWER = ["-XX:+ExitOnOutOfMemoryError", "-Dsun.net.inetaddr.ttl=3 -Dsun.net.inetaddr.negative.ttl=1"]
ARCHIVE = {"archive": "file:///plugins/a.tar.gz", "checksum": f"sha256:{'0' * 64}"}
PLUGIN = {"name": "a", **ARCHIVE}


class Case(NamedTuple):
    """One value of a chart that changes."""

    chart: str
    path: str
    value: Any
    others: Mapping[str, Any] = MappingProxyType({})
    """Values that the release has before and after."""


OF_EVERY_VALUE = [
    Case(chart, path, value, others)
    for chart, cases in CASES.items()
    for path, (value, _, others) in {
        **cases,
        **({} if cases is CONNECT else {path: (gone[0], "", {}) for path, gone in GONE.items()}),
    }.items()
]
NEIGHBOURS = [
    Case("kafka", "external.host", "kafka-<ordinal>.example.com"),
    Case("kafka", "replicas", 1),
    Case("kafka", "replicas", 2),
    Case("kafka", "startupSeconds", 86401),
    Case("kafka", "heap", "1g"),
    # Two options in one text render as two texts do.
    Case("kafka", "jvmOptions", ONE_FEWER),
    Case("kafka", "resources.cpu", "2000m"),
    Case("kafka", "resources.memory", "2048Mi"),
    Case("kafka", "resources.memory", "2147483648"),
    Case("kafka", "config", {"num.partitions": "3"}),
    Case("kafka", "config", {"num.partitions": "03"}),
    Case("kafka", "pods.tolerations", [{"operator": "Exists"}], {"pods": {"tolerations": [{}]}}),
    Case("kafka", "pods.tolerations", [{"key": "a"}], {"pods": {"tolerations": [{"key": "b"}]}}),
    Case("kafka", "pods.annotations", {"own": "2"}, {"pods": {"annotations": {"own": "1"}}}),
    Case("kafka", "labels", {}),
    Case("kafka", "pods.antiAffinity", "preferred", {"replicas": 1}),
    Case("kafka", "storage.data.storageClass", ""),
    Case("zookeeper", "replicas", 1),
    Case("zookeeper", "config", {"dataDir": "/data/"}),
    Case("zookeeper", "config", {"tickTime": "2000"}),
    Case("zookeeper", "storage.log", {"size": "1Gi"}, {"config": {"dataLogDir": "/data/log"}}),
    Case("zookeeper", "terminationGraceSeconds", 60),
    Case("connect", "replicas", 1),
    Case("connect", "startupSeconds", 601),
    Case("connect", "plugins", [{"name": "b", **ARCHIVE}], {"plugins": [{"name": "a", **ARCHIVE}]}),
    Case("connect", "plugins", [{"name": "a", **ARCHIVE, "checksum": f"sha256:{'1' * 64}"}], {"plugins": [PLUGIN]}),
    Case("connect", "plugins", [{**PLUGIN, "imagePath": "/elsewhere"}], {"plugins": [PLUGIN]}),
    Case("connect", "secrets", ["b"], {"secrets": ["a"]}),
]

RENDERED: dict[tuple[str, str], Any] = {}
"""The template of the pods, by the chart and its values: most cases begin with the same."""


def pods(helm: Helm, folder: Path, given: dict[str, Any]) -> Any:
    """The template of the pods, with quantities as the API server keeps them: 1024Mi is 1Gi, and no number of bytes."""
    values = dict(given["values"])
    if given["chart"] == "zookeeper":
        # As the chart itself calls it, where it can look for it.
        values["membershipSecret"] = values["membershipSecret"] or f"{given['name']}-membership"
    text = json.dumps(values)
    if (found := RENDERED.get((given["chart"], text))) is not None:
        return found
    file = folder / "values.json"
    file.write_text(text)
    objects = rendered(helm, given["chart"], given["name"], "--values", str(file))
    (template,) = (each["spec"]["template"] for each in objects if each["kind"] == "StatefulSet")
    resources = template["spec"]["containers"][0]["resources"]
    resources["requests"] = resources["limits"] = {
        name: (Quantity(amount).value, amount.endswith("i")) for name, amount in resources["limits"].items()
    }
    return RENDERED.setdefault((given["chart"], text), template)


@pytest.mark.parametrize("case", OF_EVERY_VALUE + NEIGHBOURS, ids=lambda case: f"{case.chart}-{case.path}-{case.value}")
def test_a_restart_is_told_exactly_where_the_pods_differ(case: Case, helm: Helm, tmp_path: Path) -> None:
    alone = {"config": ALONE} if case.chart == "kafka" else {}
    before = release(case.chart, release_values(alone, case.others))
    after = {**before, "values": release_values(before["values"], at(case.path, case.value, {}))}
    differ = pods(helm, tmp_path, before) != pods(helm, tmp_path, after)
    assert bool(reasons(before, after)) is differ
    assert restarts(before, after) == differ * min(before["values"]["replicas"], after["values"]["replicas"])


def release_values(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """These values with those over them, as Helm lays them over one another."""
    return {
        **under,
        **{
            key: release_values(under[key], each)
            if isinstance(each, Mapping) and isinstance(under.get(key), Mapping)
            else each
            for key, each in over.items()
        },
    }
