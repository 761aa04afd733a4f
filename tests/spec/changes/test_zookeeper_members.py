"""Voters that come, and those that go while the others serve, raise nothing; each test spoils one thing."""

from typing import Any

import pytest

from hikube_kafka.spec.changes.zookeeper_members import Known, problems
from hikube_kafka.spec.quorum import even_problems


def declared(*servers: int, applied: str = "before") -> dict[str, Any]:
    return {"servers": {str(server): "zk:2888:3888:participant;2181" for server in servers}, "applied": applied}


def known(*serving: int, voters: tuple[int, ...] = (1, 2, 3, 4, 5)) -> Known:
    return Known(voters=frozenset(voters), serving=frozenset(serving))


@pytest.mark.parametrize(
    ("planned", "seen"),
    [
        (declared(1, 2, 3), known(1, 2, 3, 4, 5)),
        # One that goes may be away.
        (declared(1, 2, 3), known(1, 2, 3, 4)),
        (declared(1, 2, 3, 4, 5), known(1, 2, 3, voters=(1, 2, 3))),
        # Nobody goes: who is away is a matter of the smoke tests.
        (declared(1, 2, 3), known(1, voters=(1, 2, 3))),
        (declared(1, 2, 3, applied="after"), known(1)),
        (declared(1, 2, 3), None),
        (None, known(1)),
        ({"applied": "before"}, known(1)),
    ],
)
def test_a_change_that_keeps_the_quorum_raises_nothing(planned: Any, seen: Known | None) -> None:
    assert list(problems(declared(1, 2, 3, 4, 5), planned, seen)) == []


def test_nobody_is_taken_out_while_one_that_stays_is_away() -> None:
    (problem,) = problems(declared(1, 2, 3, 4, 5), declared(1, 2, 3), known(1, 3, 4, 5))
    assert (problem.rule, problem.severity) == ("zookeeper-quorum-at-risk", "error")
    assert (problem.where, problem.path) == ("ZooKeeper servers 4, 5", ("servers",))
    assert problem.message == "they cannot be taken out now: server 2 stays and does not serve."
    (problem,) = problems(None, declared(1, 2, 3, 4), known(1, 4, 5))
    assert problem.message == "it cannot be taken out now: servers 2, 3 stay and do not serve."


def test_one_voter_at_least_stays() -> None:
    (problem,) = problems(declared(1, 2, 3), declared(4, 5, 6), known(1, 2, 3, voters=(1, 2, 3)))
    assert "none of those that stay votes" in problem.message


@pytest.mark.parametrize("servers", [0, 1, 3, 5])
def test_an_odd_number_raises_nothing(servers: int) -> None:
    assert list(even_problems("ZooKeeper", servers)) == []


def test_an_even_number_is_refused() -> None:
    (problem,) = even_problems("ZooKeeper", 4)
    assert (problem.rule, problem.severity) == ("zookeeper-even", "error")
    assert problem.remedy == "Declare 3 or 5."
