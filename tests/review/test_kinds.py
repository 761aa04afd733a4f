"""Which rules are asked about which change of a plan, and about all of them together."""

import json
from typing import Any

import pytest

from hikube_kafka.review import kinds
from hikube_kafka.review.plan import read_plan

TOPIC = {
    "id": "orders",
    "name": "orders",
    "partitions": 6,
    "replication_factor": 3,
    "config": None,
    "deletion_protection": False,
}
CLAIMS = {
    "stateful_set": "kafka",
    "templates": {"data": {"size": "4Gi", "storage_class": None}},
    "claims": {"data-kafka-0": "4Gi"},
}
NAMESPACE = {"metadata": [{"name": "events", "labels": {}}]}
ENSEMBLE = {
    "name": "dev",
    "path": "/data",
    "keep_data": False,
    "zookeeper": [],
    "brokers": [{"id": 0, "properties": {}, "heap": "1g"}],
}


def release(chart: str = "./chart-kafka", **values: Any) -> dict[str, Any]:
    return {"name": "kafka", "namespace": "events", "chart": chart, "values": [json.dumps(values)]}


def ours(replicas: int = 3, **values: Any) -> dict[str, Any]:
    return release("./assets/chart-kafka/1", replicas=replicas, **values)


def of(type_: str, before: Any, after: Any, *actions: str, name: str = "it", **more: Any) -> dict[str, Any]:
    if not actions:
        kept = ("no-op",) if before == after else ("update",)
        actions = ("create",) if before is None else ("delete",) if after is None else kept
    rest: dict[str, Any] = {"deposed": more.pop("deposed")} if "deposed" in more else {}
    return {
        "address": f"{type_}.{name}",
        "mode": "managed",
        "type": type_,
        "name": name,
        "change": {"actions": list(actions), "before": before, "after": after, **more},
        **rest,
    }


def found(*changes: dict[str, Any], **plan: Any) -> set[tuple[str, str]]:
    content = {"format_version": "1.2", "resource_changes": list(changes), **plan}
    read = read_plan(json.dumps(content).encode())
    seen = kinds.seen(read)
    problems = [each for change in read.changes for each in kinds.found(change, seen)]
    problems += [each for _, each in kinds.together(read, seen)]
    return {(each.rule, each.severity) for each in problems}


def topic(**values: Any) -> dict[str, Any]:
    return TOPIC | values


BITNAMI = release("bitnami/kafka") | {"version": "31.0.0"}
STRIMZI = {"manifest": {"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "Kafka"}}
T = "hikube_kafka_topic"
PROTECTED = topic(deletion_protection=True)
BROKERS = of("hikube_kafka_brokers", {"brokers": 4, "drain": True}, {"brokers": 2, "drain": True})

CREATED = {"image-by-tag": "warning", "listener-plaintext": "warning"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([of(T, TOPIC, TOPIC)], {}),
        ([of(T, None, TOPIC)], {}),
        ([of("aws_s3_bucket", TOPIC, None)], {}),
        ([of("helm_release", release("./grafana"), None)], {}),
        ([of(T, TOPIC, None)], {"topic-deleted": "error"}),
        ([of(T, PROTECTED, None)], {"topic-protected": "error"}),
        ([of(T, PROTECTED, None, "forget")], {"topic-forgotten": "notice"}),
        ([of(T, PROTECTED, PROTECTED, "create", "forget")], {"topic-forgotten-and-made": "error"}),
        ([of("helm_release", ours(), ours(), "forget", "create")], {"forgotten-and-made": "error"} | CREATED),
        ([of("helm_release", BITNAMI, release("./grafana"), "forget", "create")], {"release-not-reviewed": "warning"}),
        ([of("hikube_local_ensemble", ENSEMBLE, ENSEMBLE, "create", "forget")], {"forgotten-and-made": "error"}),
        ([of("hikube_volume_claims", CLAIMS, CLAIMS, "create", "forget")], {"forgotten-and-made": "error"}),
        ([of(T, PROTECTED, PROTECTED, "delete", "create")], {"topic-protected": "error"}),
        ([of(T, TOPIC, TOPIC, "create", "delete")], {"topic-deleted": "error"}),
        ([of(T, TOPIC, topic(partitions=3))], {"topic-partitions-shrink": "error"}),
        ([of(T, TOPIC, topic(partitions="3"))], {"plan-unreadable": "error"}),
        ([of(T, TOPIC, topic(partitions=True))], {"plan-unreadable": "error"}),
        ([of(T, TOPIC, {"name": "orders"})], {"plan-unreadable": "error"}),
        ([of(T, TOPIC, topic(partitions=None), after_unknown={"partitions": True})], {"plan-unreadable": "error"}),
        ([of(T, TOPIC, TOPIC, "polish")], {"plan-action-unknown": "error"}),
        ([of(T, TOPIC, None, deposed="1a2b")], {"plan-deposed": "error"}),
        ([of("hikube_kafka_lake", None, {})], {"plan-kind-unknown": "error"}),
        ([of(T, None, topic(config={"retention.ms": "a week"}))], {"topic-config-type": "error"}),
        ([BROKERS, of(T, TOPIC, TOPIC)], {"brokers-fewer": "error", "topics-need-more-brokers": "error"}),
        ([BROKERS, of(T, topic(replication_factor=2), topic(replication_factor=2))], {"brokers-fewer": "error"}),
        (
            [of("hikube_kafka_brokers", {"brokers": 3}, {"brokers": 3}), of(T, None, topic(replication_factor=4))],
            {"replication-factor-above-brokers": "error"},
        ),
        ([of("hikube_volume_claims", CLAIMS, None)], {"claims-kept": "warning"}),
        ([of("hikube_volume_claims", CLAIMS, None, "forget")], {"claims-forgotten": "notice"}),
        (
            [of("hikube_volume_claims", CLAIMS, CLAIMS | {"templates": {"data": {"size": "2Gi"}}})],
            {"claim-shrinks": "error"},
        ),
        ([of("hikube_local_ensemble", ENSEMBLE, None)], {"local-data-lost": "error"}),
        ([of("helm_release", BITNAMI, None)], {"foreign-release-goes": "error"}),
        (
            [of("helm_release", BITNAMI, BITNAMI | {"version": "32.0.0"})],
            {"release-not-reviewed": "warning"},
        ),
        ([of("helm_release", BITNAMI, None, "forget")], {}),
        ([of("helm_release", ours(), None, "forget")], {"release-forgotten": "notice"}),
        ([of("helm_release", ours(), ours() | {"values": ["{"]})], {"release-values-unreadable": "error"}),
        ([of("kubernetes_namespace", NAMESPACE, None)], {"namespace-goes-unseen": "warning"}),
        (
            [of("kubernetes_namespace_v1", NAMESPACE, None), of("helm_release", ours(), ours())],
            {"namespace-goes": "error"},
        ),
        (
            [of("kubernetes_namespace_v1", NAMESPACE, None, "forget"), of("helm_release", ours(), ours())],
            {"namespace-forgotten": "notice"},
        ),
        (
            [
                of("kubernetes_secret", {"metadata": [{"name": "kafka-tls", "namespace": "events"}]}, None),
                of("helm_release", ours(), ours()),
            ],
            {"platform-object-goes": "error"},
        ),
        (
            [
                of("kubernetes_secret", {"metadata": [{"name": "kafka-tls", "namespace": "other"}]}, None),
                of("helm_release", ours(), ours()),
            ],
            {},
        ),
        ([of("kafka_topic", {"name": "orders"}, None)], {"foreign-topic-goes": "error"}),
        ([of("kafka_topic", {"name": "orders"}, None, "forget")], {}),
        (
            [
                of(
                    "kubernetes_manifest",
                    {"manifest": {"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "Kafka"}},
                    None,
                )
            ],
            {"kafka-manifest-goes": "error"},
        ),
        (
            [
                of(
                    "kubernetes_manifest",
                    None,
                    {"manifest": {"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "Kafka"}},
                )
            ],
            {"kafka-manifest-not-reviewed": "notice"},
        ),
        ([of("kubernetes_manifest", {"manifest": {"apiVersion": "v1", "kind": "Service"}}, None)], {}),
        (
            [of(T, TOPIC, None, name="old"), of(T, None, TOPIC, name="new")],
            {"same-thing-at-another-address": "error"},
        ),
        ([of(T, None, TOPIC, name="a"), of(T, None, TOPIC, name="b")], {"same-thing-declared-twice": "error"}),
        ([of(T, None, TOPIC, name="a"), of(T, None, topic(name="b"), name="b")], {}),
    ],
)
def test_what_is_found(changes: list[dict[str, Any]], expected: dict[str, str]) -> None:
    assert found(*changes) == set(expected.items())


@pytest.mark.parametrize(
    ("name", "is_found"), [("partitions", True), ("replication_factor", True), ("name", True), ("id", False)]
)
def test_what_decides_has_to_be_known(name: str, is_found: bool) -> None:  # noqa: FBT001
    after = {key: value for key, value in PROTECTED.items() if key != name}
    rules = {rule for rule, _ in found(of(T, PROTECTED, after, "update", after_unknown={name: True}))}
    assert ("plan-unknown" in rules) is is_found


@pytest.mark.parametrize(("key", "is_found"), [("retention.ms", True), ("segment.ms", False)])
def test_an_entry_that_decides_has_to_be_known(key: str, is_found: bool) -> None:  # noqa: FBT001
    after = topic(config={})
    said = found(of(T, TOPIC, after, "update", after_unknown={"config": {key: True}}))
    assert (("plan-unknown", "error") in said) is is_found


def test_what_another_plan_has_to_tell_is_told() -> None:
    assert found(complete=False) == {("plan-incomplete", "warning")}
    assert found(complete=False, errored=True) == set()
    deferred = [{"reason": "provider_config_unknown", "resource_change": of(T, None, TOPIC)}]
    assert found(deferred_changes=deferred) == {("plan-deferred", "error")}
    assert found(action_invocations=[{"address": "action.hikube_drain.it"}]) == {("plan-invokes-action", "error")}
    assert found(action_invocations=[{"address": "action.aws_x.it"}]) == {("plan-invokes-action", "notice")}


def test_what_was_changed_outside_and_is_set_back() -> None:
    by_hand = topic(config={"retention.ms": "-1"})
    declared = topic(config={"retention.ms": "604800000"})
    drift = [of(T, declared, by_hand)]
    assert ("drift-overwritten", "warning") in found(of(T, by_hand, declared), resource_drift=drift)
    assert found(of(T, by_hand, by_hand), resource_drift=drift) == set()
    gone = [of(T, TOPIC, None)]
    assert found(of(T, None, TOPIC), resource_drift=gone) == {("deleted-outside", "warning")}
    assert found(resource_drift=gone) == set()


def test_a_release_that_was_deleted_outside_may_have_left_its_claims() -> None:
    def why(type_: str, values: dict[str, Any]) -> str:
        gone = {"format_version": "1.2", "resource_drift": [of(type_, values, None)]}
        read = read_plan(json.dumps(gone | {"resource_changes": [of(type_, None, values)]}).encode())
        return next(each.why for _, each in kinds.together(read, kinds.seen(read)) if each.rule == "deleted-outside")

    assert "take up the claims" in why("helm_release", ours())
    assert "gone already" in why(T, TOPIC)


def test_claims_that_were_made_since_the_last_apply_are_no_drift() -> None:
    drift = [of("hikube_volume_claims", CLAIMS | {"claims": {}}, CLAIMS)]
    assert found(of("hikube_volume_claims", CLAIMS, CLAIMS), resource_drift=drift) == set()
    grown = CLAIMS | {
        "templates": {"data": {"size": "5Gi", "storage_class": None}},
        "claims": {"data-kafka-0": "5Gi"},
    }
    said = found(of("hikube_volume_claims", CLAIMS, grown), resource_drift=drift)
    assert said == {("claims-growth-unchecked", "warning"), ("stateful-set-recreated", "warning")}


def test_clusters_of_different_providers_are_kept_apart() -> None:
    resources = [
        {"address": f"{type_}.{name}", "provider_config_key": f"hikube.{name}"}
        for name in ("a", "b")
        for type_ in (T, "hikube_kafka_brokers")
    ]
    small = {"brokers": 1, "drain": True}
    changes = [
        of("hikube_kafka_brokers", {"brokers": 3, "drain": True}, small, name="a"),
        of("hikube_kafka_brokers", {"brokers": 3}, {"brokers": 3}, name="b"),
        of(T, TOPIC, TOPIC, name="b"),
    ]
    configuration = {"root_module": {"resources": resources}}
    assert found(*changes, configuration=configuration) == {("brokers-fewer", "error")}
    assert ("topics-need-more-brokers", "error") in found(*changes)


@pytest.mark.parametrize(
    ("namespace", "rule"),
    [
        ({"references": ["var.namespace"]}, "namespace-goes"),
        ({"constant_value": "events"}, "namespace-goes"),
        ({"constant_value": "other"}, "namespace-goes-unseen"),
    ],
)
def test_a_namespace_that_may_be_that_of_the_topics_is_not_let_go(namespace: dict[str, Any], rule: str) -> None:
    configuration = {
        "provider_config": {"hikube": {"expressions": {"kubernetes": [{"namespace": namespace}]}}},
        "root_module": {"resources": [{"address": f"{T}.it", "provider_config_key": "hikube"}]},
    }
    said = found(of("kubernetes_namespace", NAMESPACE, None), of(T, TOPIC, TOPIC), configuration=configuration)
    assert rule in {each for each, _ in said}


def test_releases_of_one_name_in_two_clusters_are_two() -> None:
    def plan(*keys: str) -> set[str]:
        releases = [of("helm_release", ours(heap="1g"), ours(heap="2g"), name=name) for name in ("a", "b")]
        resources = [
            {"address": each["address"], "provider_config_key": key} for each, key in zip(releases, keys, strict=False)
        ]
        return {rule for rule, _ in found(*releases, configuration={"root_module": {"resources": resources}})}

    assert "same-thing-in-state-twice" not in plan("helm.a", "helm.b")
    assert "same-thing-in-state-twice" in plan("helm.a", "helm.a")
    assert "same-thing-in-state-twice" in plan("helm.a")
    assert "several-rolling-restarts" in plan("helm.a", "helm.b")


def test_topics_that_need_the_brokers_of_a_release_are_told_at_the_release() -> None:
    read = read_plan(
        json.dumps(
            {
                "format_version": "1.2",
                "resource_changes": [of("helm_release", ours(4), ours(2)), of(T, TOPIC, TOPIC)],
            }
        ).encode()
    )
    where = {each.rule: address for address, each in kinds.together(read, kinds.seen(read))}
    assert where["topics-need-more-brokers"] == "helm_release.it"


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ([], {"brokers-taken"}),
        ([BROKERS], {"brokers-fewer"}),
        ([of("hikube_kafka_brokers", None, {"brokers": 2, "drain": True})], {"brokers-taken"}),
        ([of("hikube_kafka_brokers", {"brokers": 4}, {"brokers": 3})], {"brokers-taken", "brokers-fewer"}),
    ],
)
def test_brokers_that_are_taken_away_are_told_once(changes: list[dict[str, Any]], rules: set[str]) -> None:
    told = {rule for rule, _ in found(of("helm_release", ours(4), ours(2)), *changes)}
    assert told & {"brokers-taken", "brokers-fewer"} == rules


def test_topics_that_stay_while_their_ensemble_goes() -> None:
    kept = ENSEMBLE | {"keep_data": True}
    said = found(of("hikube_local_ensemble", kept, None), of(T, TOPIC, TOPIC))
    assert said == {("local-ensemble-stopped", "warning"), ("platform-goes-topics-stay", "error")}
