"""What changes at an address is shown setting by setting, with units and without a secret."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from hikube_kafka.review.differences import differences, with_unit
from hikube_kafka.review.plan import read_plan
from hikube_kafka.review.release import is_release, releases

CHART = {"name": "events", "namespace": "events", "chart": "./assets/chart-kafka/310d1181dff93f43", "version": "0.1.1"}


def shown(
    type_: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    *,
    unknown: Mapping[str, Any] | None = None,
    sensitive: Mapping[str, Any] | None = None,
) -> list[str]:
    """Each difference of one change, as a person reads it."""
    change = {
        "actions": ["create"] if before is None else ["delete"] if after is None else ["update"],
        "before": before,
        "after": after,
        "after_unknown": unknown or {},
        "before_sensitive": sensitive or {},
        "after_sensitive": sensitive or {},
    }
    resource = {"address": f"{type_}.x", "type": type_, "name": "x", "mode": "managed", "change": change}
    content = {
        "format_version": "1.2",
        "resource_changes": [resource | {"provider_name": "example.com/hashicorp/helm"}],
    }
    found = read_plan(json.dumps(content).encode()).changes[0]
    old, new = releases(found) if is_release(found) else (None, None)
    return [str(each) for each in differences(found, before=old, after=new)]


def of_values(before: Any, after: Any, **more: Any) -> list[str]:
    """The differences of two documents of values of our chart."""
    old, new = ({**CHART, "values": [yaml.safe_dump(each)]} for each in (before, after))
    return shown("helm_release", old, new, **more)


def test_a_topic_is_compared_entry_by_entry() -> None:
    before = {"name": "orders", "partitions": 6, "config": {"retention.ms": "604800000", "cleanup.policy": "delete"}}
    after = {"name": "orders", "partitions": 9, "config": {"retention.ms": "3600000", "segment.bytes": "1073741824"}}
    assert shown("hikube_kafka_topic", before, after) == [
        "config[cleanup.policy]: delete → (none)",
        "config[retention.ms]: 604800000 ms (7 d) → 3600000 ms (1 h)",
        "config[segment.bytes]: (none) → 1073741824 bytes (1 GiB)",
        "partitions: 6 → 9",
    ]


def test_the_same_values_written_differently_are_no_difference() -> None:
    old = {**CHART, "values": ["replicas: 3\nheap: 1g\nlabels: {a: b}"]}
    new = {**CHART, "values": ["# a comment\nlabels:\n  a: 'b'\nheap: 1g", "replicas: 3"]}
    assert shown("helm_release", old, new, unknown={"metadata": True, "id": True}) == []


def test_a_release_is_compared_by_its_effective_values() -> None:
    assert of_values({"config": {"num.io.threads": "4"}}, {"replicas": 5, "heap": "1024m"}) == [
        "config[num.io.threads]: 4 → (none)",
        "replicas: 3 → 5",
    ]


def test_a_default_that_is_taken_away_shows() -> None:
    assert of_values({}, {"config": {"min.insync.replicas": None}}) == ["config[min.insync.replicas]: 2 → (none)"]


def test_a_chart_that_changes_alone_shows() -> None:
    old, new = {**CHART, "values": []}, {**CHART, "values": [], "chart": "./assets/chart-kafka/ffff"}
    assert shown("helm_release", old, new) == [f"chart: {CHART['chart']} → ./assets/chart-kafka/ffff"]


def test_of_a_long_list_only_what_it_does_not_share_is_shown() -> None:
    servers = [f"events-zookeeper-{n}.events-zookeeper-headless.events.svc:2181" for n in range(5)]
    before, after = ({"config": {"zookeeper.connect": ",".join(servers[:count])}} for count in (3, 5))
    assert of_values(before, after) == [
        f"config[zookeeper.connect]: 3 → 3 that stay and {servers[3]}, {servers[4]}",
    ]
    assert shown("hikube_kafka_x", {"list": [1, 2, 3]}, {"list": [1, 2, 4]}) == ["list: 1, 2, 3 → 1, 2, 4"]
    options = [f"-Dsome.long.option.of.the.jvm.number={n}" for n in range(4)]
    (line,) = of_values({"jvmOptions": options}, {"jvmOptions": options[::-1]})
    assert "→ in another order: " in line


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("retention.ms", "-1", "-1 (no limit)"),
        ("retention.ms", "90061001", "90061001 ms (≈ 1 d 1 h)"),
        ("retention.ms", "0", "0 ms"),
        ("retention.ms", "${file:x:y}", "${file:x:y}"),
        ("log.retention.hours", "168", "168 h (7 d)"),
        ("offsets.retention.minutes", 10080, "10080 min (7 d)"),
        ("leader.imbalance.check.interval.seconds", "300", "300 s (5 min)"),
        ("flush.ms", "9223372036854775807", "9223372036854775807 ms (no limit)"),
        ("local.retention.bytes", "-2", "-2 (as retention)"),
        ("retention.bytes", "1610612736", "1610612736 bytes (1.5 GiB)"),
        ("max.message.bytes", "1048588", "1048588 bytes (≈ 1 MiB)"),
        ("jute.maxbuffer", "1048575", "1048575 bytes (≈ 1 MiB)"),
        ("remote.log.manager.copy.max.bytes.per.second", "1048576", "1048576 bytes/s (1 MiB/s)"),
        ("startupSeconds", 86400, "86400 s (1 d)"),
        ("tickTime", "2000", "2000 ms (2 s)"),
        ("maxSessionTimeout", "40000", "40000 ms (40 s)"),
        ("num.io.threads", "8", "8"),
        ("storage.data.size", "4Gi", "4Gi"),
    ],
)
def test_a_number_has_its_unit(name: str, value: object, text: str) -> None:
    assert with_unit(name, value) == text


def test_what_only_the_apply_tells_is_said_and_what_is_computed_is_left_out() -> None:
    unknown = {"id": True, "partitions": True, "config": {"retention.ms": True}}
    assert shown("hikube_kafka_topic", {"id": "a", "partitions": 6}, {}, unknown=unknown) == [
        "config[retention.ms]: (none) → (known after apply)",
        "partitions: 6 → (known after apply)",
    ]
    set_ = {**CHART, "set": [{"name": "replicas"}]}
    assert shown("helm_release", CHART, set_, unknown={"set": [{"value": True}]}) == [
        "replicas: 3 → (known after apply)"
    ]
    assert shown("helm_release", {**CHART, "values": ["a: ["]}, CHART) == ["values: (cannot be read) → (as deployed)"]


def test_claims_are_shown_by_their_template() -> None:
    before, after = (
        {"templates": {"data": {"size": size}}, "claims": {f"data-{n}": size for n in range(3)}}
        for size in ("4Gi", "5Gi")
    )
    assert shown("hikube_volume_claims", before, after) == ["templates.data.size: 4Gi → 5Gi"]
    assert len(shown("hikube_volume_claims", {"claims": before["claims"]}, {"claims": after["claims"]})) == 3


def test_a_secret_that_changes_is_said_to_change() -> None:
    assert of_values(
        {"config": {"ssl.key.password": "one"}, "rack": {"names": ["a"]}},
        {"config": {"ssl.key.password": "two"}, "rack": {"names": ["a"]}},
    ) == ["config[ssl.key.password]: (sensitive) → (sensitive, changed)"]
    assert shown("any", {"a": 1}, {"a": 2}, sensitive={"a": True}) == ["a: (sensitive) → (sensitive, changed)"]


def test_a_long_value_is_cut_where_it_differs() -> None:
    (line,) = shown("any", {"text": "x" * 900 + "a"}, {"text": "x" * 900 + "b"})
    assert line.endswith("xa → …" + "x" * 40 + "b")
    assert len(line) < 450
    (line,) = shown("any", {}, {"text": "a\nb\x1b[31m\u202e"})
    assert line == "text: (none) → a ⏎ b [31m "


SECRET = "hunter2-hunter2"
PLACES: tuple[Mapping[str, Any], ...] = (
    {"config": {"ssl.keystore.password": SECRET}},
    {"config": {"listener.name.client.plain.sasl.jaas.config": f'X required username="a" password="{SECRET}";'}},
    {"config": {"zookeeper.connect": f"https://user:{SECRET}@example.com"}},
    {"jvmOptions": ["-Xa", f"-Djavax.net.ssl.trustStorePassword={SECRET}"]},
    {"pods": {"annotations": {"example.com/token": SECRET}}},
    {"pods": {"annotations": {"example.com/properties": f"a=b\nssl.key.password={SECRET}\n"}}},
    {"env": [{"name": "DB_PASSWORD", "value": SECRET}]},
    {"auth": {"passwords": [SECRET, SECRET + "x"]}},
    {"credentials": {"user": SECRET}},
)


def resources(chance: random.Random) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The secret in one place: its type, the resource, and the plan's marks."""
    values = dict(chance.choice(PLACES))
    yield "helm_release", {**CHART, "values": [yaml.safe_dump(values)]}, {}
    yield "helm_release", {**CHART, "values": [yaml.safe_dump({"labels": {"a": SECRET}})]}, {"values": [True]}
    set_ = [{"name": "labels.a", "value": SECRET, "type": chance.choice(["", "auto", "string", None])}]
    yield "helm_release", {**CHART, "set_sensitive": set_}, {"set_sensitive": [{"value": True}]}
    yield (
        "helm_release",
        {**CHART, "set": [{"name": "auth.password", "value": SECRET}], "repository_password": SECRET},
        {},
    )
    yield "helm_release", {**CHART, "set_list": [{"name": "auth.tokens", "value": [SECRET]}]}, {}
    yield "helm_release", {**CHART, "values": [f"password: {SECRET}\nbad: ["]}, {}
    yield "helm_release", {**CHART, "chart": "grafana", "values": [yaml.safe_dump(values)]}, {}
    yield "hikube_kafka_topic", {"config": {"a": SECRET}, "name": SECRET}, {"config": {"a": True}, "name": True}
    yield "kubernetes_secret_v1", {"data": {"a": SECRET}}, {"data": True}
    yield "kubernetes_manifest", {"manifest": {"kind": "Secret", "stringData": {"a": SECRET}}}, {}
    yield "kubernetes_config_map_v1", {"data": {"server.properties": f"ssl.key.password={SECRET}"}}, {}


@pytest.mark.parametrize("seed", range(40))
def test_no_secret_is_shown(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same places each time
    for type_, resource, sensitive in resources(chance):
        plain = {**CHART} if type_ == "helm_release" else {}
        other = json.loads(json.dumps(resource).replace(SECRET, f"{SECRET}-other"))
        for before, after in ((None, resource), (resource, None), (plain, resource), (resource, other)):
            lines = shown(type_, before, after, sensitive=sensitive)
            assert "hunter2" not in "".join(lines), (type_, lines)
            assert lines, (type_, before, after)
