"""What a change of brokers, voters, claims, rollouts and ensembles does, each beside its nearest that does nothing."""

from collections.abc import Iterable
from typing import Any

import pytest

from hikube_kafka.spec.changes import (
    brokers_consequences,
    foreign,
    local_ensemble_consequences,
    namespace,
    rollout_consequences,
    together,
    volume_claims_consequences,
    zookeeper_members_consequences,
)
from hikube_kafka.spec.changes.together import Topic
from hikube_kafka.spec.problem import Problem


def rules(problems: Iterable[Problem]) -> list[str]:
    return [each.rule for each in problems]


@pytest.mark.parametrize(("before", "after", "found"), [(4, 3, ["brokers-fewer"]), (3, 3, []), (3, 4, [])])
def test_fewer_brokers(before: int, after: int, found: list[str]) -> None:
    assert rules(brokers_consequences.consequences({"brokers": before}, {"brokers": after})) == found
    assert rules(brokers_consequences.consequences({"brokers": before}, None)) == []


def members(count: int, applied: str = "before") -> dict[str, Any]:
    return {
        "stateful_set": "zk",
        "applied": applied,
        "servers": {str(each): "" for each in range(1, count + 1)},
        "voters": None,
    }


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (5, 3, ["zookeeper-fewer-servers"]),
        (3, 1, ["zookeeper-bears-no-loss"]),
        (3, 2, ["zookeeper-bears-no-loss"]),
        (3, 3, []),
        (1, 1, []),
        (3, 5, []),
    ],
)
def test_fewer_voters(before: int, after: int, found: list[str]) -> None:
    said = zookeeper_members_consequences.consequences(members(before), members(after))
    assert rules(said) == found
    assert rules(zookeeper_members_consequences.consequences(members(before), members(after, "after"))) == []


def claims(size: str = "4Gi", class_: str | None = "fast", *, there: bool = True) -> dict[str, Any]:
    return {
        "stateful_set": "kafka",
        "templates": {"data": {"size": size, "storage_class": class_}},
        "claims": {"data-kafka-0": size} if there else {},
    }


@pytest.mark.parametrize(
    ("prior", "planned", "grows", "found"),
    [
        (claims(), claims(), {}, []),
        (claims(), claims("4096Mi"), {}, []),
        (claims(), claims("5Gi"), {}, ["claims-growth-unchecked", "stateful-set-recreated"]),
        (claims(), claims("5Gi"), {"fast": True}, ["stateful-set-recreated"]),
        (claims(), claims("5Gi"), {"fast": False}, ["claim-cannot-grow", "stateful-set-recreated"]),
        (claims(there=False), claims("5Gi"), {}, []),
        (claims(), claims(class_="slow"), {}, ["claim-storage-class-changes"]),
        (claims(class_=None), claims(class_="slow"), {}, ["claim-storage-class-changes"]),
        (claims(), claims(class_=None), {}, []),
        (claims(there=False), claims(class_="slow"), {}, []),
        (None, claims(), {}, []),
    ],
)
def test_claims(prior: Any, planned: Any, grows: dict[str, bool], found: list[str]) -> None:
    assert rules(volume_claims_consequences.consequences(prior, planned, grows)) == found


def test_a_rollout_that_nobody_waits_for() -> None:
    prior = {"stateful_set": "kafka"}
    assert rules(rollout_consequences.consequences(prior, None, release_stays=True)) == ["rollout-no-longer-awaited"]
    assert rules(rollout_consequences.consequences(prior, None)) == []
    assert rules(rollout_consequences.consequences(prior, prior, release_stays=True)) == []


def ensemble(*ids: int, **values: Any) -> dict[str, Any]:
    listeners = values.pop("listeners", "PLAINTEXT://127.0.0.1:9092")
    brokers = [{"id": each, "heap": "512m", "properties": {"listeners": listeners}} for each in ids]
    return {"name": "dev", "path": "/data", "keep_data": True, "brokers": brokers, "zookeeper": [], **values}


@pytest.mark.parametrize(
    ("prior", "planned", "found"),
    [
        (ensemble(0), ensemble(0), []),
        (ensemble(0), ensemble(0, 1), []),
        (ensemble(0, 1), ensemble(0), ["brokers-fewer"]),
        (ensemble(0), None, ["local-ensemble-stopped"]),
        (ensemble(0, keep_data=False), None, ["local-data-lost"]),
        (ensemble(0), ensemble(0, keep_data=False), ["local-data-no-longer-kept"]),
        (ensemble(0, kafka_home="a"), ensemble(0, kafka_home="b"), ["local-ensemble-restarts"]),
        (ensemble(0), ensemble(0, fast_failover=False), ["local-ensemble-restarts"]),
        (ensemble(0), ensemble(0, fast_failover=True), []),
        (
            ensemble(0),
            ensemble(0, listeners="PLAINTEXT://127.0.0.1:9093"),
            ["local-ensemble-addresses-change", "local-ensemble-restarts"],
        ),
    ],
)
def test_ensembles(prior: Any, planned: Any, found: list[str]) -> None:
    assert rules(local_ensemble_consequences.consequences(prior, planned)) == found


def test_a_namespace_takes_along_what_is_in_it() -> None:
    inside = namespace.Inside(releases=["kafka"], topics=2)
    (problem,) = namespace.consequences("events", inside, replaced=False)
    assert (problem.rule, problem.severity) == ("namespace-goes", "error")
    assert problem.message == "the namespace is deleted, and release kafka and 2 topics are in it."
    (unseen,) = namespace.consequences("events", namespace.Inside(), replaced=True)
    assert (unseen.rule, unseen.severity) == ("namespace-goes-unseen", "warning")


def test_what_belongs_to_a_release_by_its_name() -> None:
    assert namespace.belongs("kubernetes_persistent_volume_claim_v1", "data-kafka-0", "kafka")
    assert not namespace.belongs("kubernetes_persistent_volume_claim_v1", "data-kafka-ui", "kafka")
    assert namespace.belongs("kubernetes_secret", "zk-membership", "zk")
    assert not namespace.belongs("kubernetes_secret", "zkx", "zk")
    for kind in namespace.OBJECTS:
        gone = namespace.object_goes(kind, "it", "events", "kafka", replaced=False)
        assert (gone.rule, gone.severity) == ("platform-object-goes", "error")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, ["acl-open-to-all"]),
        ({"acl_principal": "User:alice"}, []),
        ({"acl_permission_type": "Deny"}, []),
        ({"resource_name": "orders"}, []),
        ({"resource_name": "", "resource_pattern_type_filter": "Prefixed"}, ["acl-open-to-all"]),
        ({"acl_operation": "Describe"}, []),
        ({"acl_operation": "Write"}, ["acl-open-to-all"]),
    ],
)
def test_an_acl_that_opens_all_to_all(values: dict[str, str], found: list[str]) -> None:
    acl = {
        "acl_principal": "User:*",
        "acl_permission_type": "Allow",
        "acl_operation": "All",
        "resource_type": "Topic",
        "resource_name": "*",
        "resource_pattern_type_filter": "Literal",
    }
    assert rules(foreign.acl_problems(acl | values)) == found


def test_brokers_that_topics_need() -> None:
    topics = [Topic("a", 3, 3), Topic("b", 3, 2)]
    (problem,) = together.brokers_needed("Kafka events", 3, 2, topics)
    assert problem.rule == "topics-need-more-brokers"
    assert problem.message == "2 brokers stay, and topic a needs 3."
    assert rules(together.brokers_needed("Kafka events", 4, 3, topics)) == []
    assert rules(together.brokers_needed("Kafka events", 2, 2, topics)) == []


def test_more_partitions_than_a_broker_should_hold() -> None:
    def asked(partitions: int) -> list[str]:
        return rules(together.too_many_partitions("it", [], [Topic("a", partitions, 3)], (3, 3)))

    assert asked(3900) == []
    assert asked(3901) == ["partitions-per-broker"]
    many = [Topic("a", 5000, 3)]
    assert rules(together.too_many_partitions("it", many, many, (3, 3))) == []


def test_what_happens_together() -> None:
    assert rules(together.topics_stay("it", ["release kafka"], ["a"])) == ["platform-goes-topics-stay"]
    assert rules(together.topics_stay("it", ["release kafka"], [])) == []
    assert rules(together.both_restart("it", ["zk"], ["kafka"])) == ["zookeeper-and-brokers-together"]
    assert rules(together.both_restart("it", ["zk"], [])) == []
    assert rules(together.several_restarts({"a": 3, "b": 3})) == ["several-rolling-restarts"]
    assert rules(together.several_restarts({"a": 3})) == []
    (drift,) = together.drift("topic a", [("partitions", 3, 4)])
    assert (drift.rule, drift.message) == (
        "drift-overwritten",
        "it was changed outside Terraform, and this apply sets it back: partitions from 3 to 4.",
    )
    assert rules(together.drift("topic a", [])) == []
