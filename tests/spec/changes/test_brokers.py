"""Brokers that come, and those that hold nothing and go, raise nothing; each test spoils one thing."""

from typing import Any

import pytest

from hikube_kafka.spec.changes.brokers import Known, problems
from hikube_kafka.spec.changes.replicas import Move, Reach


def declared(number: int, *, drain: bool | None = None) -> dict[str, Any]:
    return {"brokers": number, "drain": drain}


def known(**topics: tuple[tuple[int, ...], ...]) -> Known:
    replicas = {topic: dict(enumerate(partitions)) for topic, partitions in topics.items()}
    return Known(brokers=frozenset({0, 1, 2, 3}), replicas=replicas, reach=Reach("there:9092"))


@pytest.mark.parametrize(
    ("prior", "planned", "seen"),
    [
        (None, declared(4), known(orders=((0, 3),))),
        (declared(3), declared(4), known(orders=((0, 1),))),
        (declared(4), declared(4), known(orders=((0, 3),))),
        (declared(4), declared(3), known(orders=((0, 1), (1, 2)))),
        (declared(4), None, known(orders=((0, 3),))),
        (declared(4), {"drain": None}, known(orders=((0, 3),))),
        (declared(4), declared(3), None),
        # Fewer brokers than there were live is not a matter of this plan.
        (declared(3), declared(3), known(orders=((0, 1, 2, 3),))),
    ],
)
def test_a_change_that_loses_no_replica_raises_nothing(prior: Any, planned: Any, seen: Known | None) -> None:
    assert list(problems(prior, planned, seen)) == []


def test_a_broker_that_holds_replicas_cannot_go_and_the_command_that_moves_them_is_told() -> None:
    (problem,) = problems(declared(4), declared(3), known(orders=((0, 1), (1, 3), (3, 2)), other=((0, 1),)))
    assert (problem.rule, problem.severity, problem.where) == ("broker-holds-replicas", "error", "broker 3")
    assert problem.message == "it cannot be removed: it holds replicas."
    assert "broker 3 holds 2 (2 of orders)" in problem.why
    assert '{"version": 1, "topics": [{"topic": "orders"}]}' in problem.remedy
    assert "--bootstrap-server there:9092 --topics-to-move-json-file topics.json --broker-list 0,1,2" in problem.remedy
    (problem,) = problems(declared(4), declared(2), known(orders=((2, 3),)))
    assert (problem.where, problem.message) == ("brokers 2, 3", "they cannot be removed: they hold replicas.")


@pytest.mark.parametrize(("topics", "counted"), [(5, ""), (7, " and 2 more")])
def test_five_topics_are_named_and_the_rest_is_counted(topics: int, counted: str) -> None:
    held = known(**{f"t{number}": ((3,),) for number in range(topics)})
    (problem,) = problems(declared(4), declared(3), held)
    assert f"broker 3 holds {topics} (1 of t0, 1 of t1, 1 of t2, 1 of t3, 1 of t4{counted})." in problem.why


def test_a_first_declaration_lets_no_broker_beyond_it_go_either() -> None:
    (problem,) = problems(None, declared(3), known(orders=((3,),)))
    assert problem.rule == "broker-holds-replicas"


def test_a_drain_is_told_before_it_begins() -> None:
    (problem,) = problems(declared(4), declared(3, drain=True), known(orders=((0, 3),)))
    assert (problem.rule, problem.severity, problem.path) == ("broker-drained", "warning", ("drain",))


def test_a_drain_needs_room_for_every_copy() -> None:
    found = list(problems(declared(4), declared(3, drain=True), known(wide=((0,), (0, 1, 2, 3)))))
    assert [problem.rule for problem in found] == ["topic-copies-above-staying-brokers", "broker-drained"]
    assert (found[0].severity, found[0].where) == ("error", "topic wide")
    assert found[0].message == "it has 4 copies, and 3 live brokers would stay."
    assert "those that stay are 0, 1, 2." in found[0].why
    # A broker that is declared to stay and does not live is no room.
    dead = Known(brokers=frozenset({0, 1, 3}), replicas={"t": {0: (0, 1, 3)}}, reach=Reach(""))
    assert [each.severity for each in problems(declared(4), declared(3, drain=True), dead)] == ["error", "warning"]


def moving(seen: Known, topic: str, **moves: tuple[tuple[int, ...], tuple[int, ...]]) -> Known:
    found = {int(partition.removeprefix("p")): Move(before, target) for partition, (before, target) in moves.items()}
    return seen._replace(moves={topic: found})


def test_a_move_of_somebody_else_towards_a_broker_that_goes_is_not_drained_away() -> None:
    seen = moving(known(orders=((0, 3, 1), (0, 1))), "orders", p0=((0, 1), (0, 3)))
    first, drained = problems(declared(4), declared(3, drain=True), seen)
    assert (first.rule, first.severity, first.where) == ("broker-is-given-replicas", "error", "topic orders")
    assert first.message == "a reassignment that is running gives replicas to broker 3, which would be removed."
    assert "partition 0 from brokers 0+1 to brokers 0+3" in first.why
    assert "kafka-reassign-partitions.sh --bootstrap-server there:9092 --list" in first.remedy
    assert '"partition": 0, "replicas": [0, 3]' in first.remedy
    assert drained.rule == "broker-drained"


def test_a_move_that_takes_replicas_away_from_a_broker_that_goes_counts_where_it_ends() -> None:
    seen = moving(known(orders=((0, 1, 2, 3),)), "orders", p0=((0, 1, 3), (0, 1, 2)))
    assert [each.rule for each in problems(declared(4), declared(3, drain=True), seen)] == ["broker-drained"]


def test_commands_begin_with_what_makes_the_brokers_reachable() -> None:
    reach = Reach("127.0.0.1:19092", before="kubectl port-forward demo-0 19092 &", logs_in=True)
    (problem,) = problems(declared(4), declared(3), known(orders=((3,),))._replace(reach=reach))
    commands = [line.strip() for line in problem.remedy.splitlines() if line.startswith("  ")]
    assert commands[0] == "kubectl port-forward demo-0 19092 &"
    assert "--bootstrap-server 127.0.0.1:19092 --command-config client.properties --topics" in commands[2]
