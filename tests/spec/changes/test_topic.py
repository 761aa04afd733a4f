"""A healthy change of a topic raises nothing; each test spoils one thing."""

from collections.abc import Mapping
from typing import Any

import pytest

from hikube_kafka.spec.changes.replicas import Move, Reach
from hikube_kafka.spec.changes.topic import Known, problems
from hikube_kafka.spec.problem import Problem

THREE = Known(brokers=frozenset({0, 1, 2}))


def topic(**values: Any) -> dict[str, Any]:
    return {
        "name": "orders",
        "partitions": 6,
        "replication_factor": 3,
        "config": None,
        "deletion_protection": True,
        **values,
    }


def without(name: str) -> dict[str, Any]:
    """As a plan has it while a value is not known."""
    return {each: value for each, value in topic().items() if each != name}


def only(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, *known: Known, **more: Any) -> Problem:
    (problem,) = problems(prior, planned, *known, **more)
    return problem


@pytest.mark.parametrize(
    ("prior", "planned", "known"),
    [
        (None, topic(), THREE),
        (None, topic(), None),
        (topic(), topic(), THREE),
        (topic(), topic(partitions=12, config={"retention.ms": "1000"}), THREE),
        (topic(replication_factor=2), topic(), THREE),
        (topic(), topic(deletion_protection=False), THREE),
        (topic(deletion_protection=False), None, THREE),
        (topic(deletion_protection=False), topic(name="invoices"), THREE),
        (topic(), without("partitions"), THREE),
        (topic(), without("replication_factor"), THREE),
        (None, without("name"), Known(topics={"orders"})),
    ],
)
def test_a_change_that_loses_nothing_raises_nothing(prior: Any, planned: Any, known: Known | None) -> None:
    assert list(problems(prior, planned, known)) == []


def test_a_protected_topic_is_not_deleted() -> None:
    problem = only(topic(), None)
    assert (problem.rule, problem.severity, problem.where) == ("topic-protected", "error", "topic orders")
    assert problem.message == "it is protected from deletion, and the plan would delete it."
    assert only(topic(deletion_protection=None), None).rule == "topic-protected", (
        "unless it is given up in so many words"
    )


def test_nor_is_it_replaced_by_one_of_another_name() -> None:
    problem = only(topic(), topic(name="invoices", partitions=1), THREE)
    assert (problem.rule, problem.path) == ("topic-protected", ("name",))
    assert "make 'invoices' in its place" in problem.message
    assert "a name that only the apply will tell" in only(topic(), without("name"), THREE).message


def test_partitions_do_not_become_fewer() -> None:
    problem = only(topic(), topic(partitions=5), applied=6)
    assert (problem.rule, problem.severity, problem.path) == ("topic-partitions-shrink", "error", ("partitions",))
    assert problem.message == "it cannot shrink from 6 to 5 partitions."
    assert problem.remedy.startswith("Set partitions = 6.")
    assert only(topic(), topic(partitions=5)).rule == "topic-partitions-shrink", "where nobody remembers"


def test_partitions_that_somebody_added_are_told_apart() -> None:
    problem = only(topic(partitions=12), topic(), applied=6)
    assert (problem.rule, problem.path) == ("topic-partitions-grown-elsewhere", ("partitions",))
    assert "set partitions = 12" in problem.message


def test_a_topic_of_somebody_else_is_not_taken_over() -> None:
    problem = only(None, topic(), Known(topics={"orders"}))
    assert (problem.rule, problem.severity, problem.path) == ("topic-exists", "error", ("name",))
    assert "terraform import hikube_kafka_topic.this orders" in problem.remedy
    assert 'id = "orders"\n  }' in problem.remedy


def test_each_copy_needs_a_broker() -> None:
    for prior in (None, topic()):
        problem = only(prior, topic(replication_factor=4), THREE)
        assert problem.rule == "replication-factor-above-brokers"
        assert (problem.severity, problem.path) == ("error", ("replication_factor",))
        assert "needs 4 brokers, but the cluster has 3 live: 0, 1, 2" in problem.message
        assert problem.remedy == "Declare at most 3, or bring in more brokers first."
    # What is as it was is not a fault of this plan, even while a broker is away.
    assert not list(problems(topic(replication_factor=4), topic(replication_factor=4), THREE))


def test_brokers_that_come_with_the_same_plan_count() -> None:
    coming = Known(brokers=frozenset({0, 1, 2}), coming=4)
    assert not list(problems(None, topic(replication_factor=4), coming))
    assert "but the cluster will have 4" in only(None, topic(replication_factor=5), coming).message
    there = Known(brokers=frozenset({0, 1, 2}), coming=3)
    assert "but the cluster has 3 live" in only(None, topic(replication_factor=4), there).message


MOVED = Known(moves={1: Move((0, 1), (0, 2))}, reach=Reach("there:9092"))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"replication_factor": 2}, "Another factor would cancel the reassignment of somebody else."),
        ({"partitions": 12}, "Kafka adds no partitions to a topic during a reassignment."),
    ],
)
def test_what_a_reassignment_stands_in_the_way_of_is_refused_with_what_is_moved_and_how_to_see_and_cancel_it(
    values: dict[str, int], why: str
) -> None:
    problem = only(topic(), topic(**values), MOVED)
    (attribute,) = values
    assert (problem.rule, problem.severity, problem.path) == ("topic-replicas-moving", "error", (attribute,))
    assert problem.why.startswith(why)
    assert "partition 1 from brokers 0+1 to brokers 0+2" in problem.why
    assert "kafka-reassign-partitions.sh --bootstrap-server there:9092 --list" in problem.remedy
    assert '"partitions": [{"topic": "orders", "partition": 1, "replicas": [0, 2]}]' in problem.remedy
    assert "--reassignment-json-file moves.json --cancel" in problem.remedy


def test_a_reassignment_stands_in_the_way_of_nothing_else() -> None:
    assert list(problems(topic(), topic(config={"retention.ms": "1000"}), MOVED)) == []
