"""What one look at Connect workers, their group and their connectors says; the real ones are in test_workers.py."""

from dataclasses import replace

import pytest

from hikube_kafka.connect.seen import ConnectorSeen
from hikube_kafka.ensemble.living_workers import WorkersPicture
from hikube_kafka.probe.observation import GroupSeen, Unreadable, WorkerShare

FIRST, SECOND = "127.0.0.1:28083", "127.0.0.1:28084"


def share(**facts: int) -> WorkerShare:
    return WorkerShare(**{"connectors": 1, "tasks": 2, **facts})


def group(*shares: WorkerShare, at: tuple[str, ...] = (FIRST, SECOND), state: str = "Stable") -> GroupSeen:
    return GroupSeen(state=state, members=tuple(f"http://{each}/" for each in at), shares=shares)


EVEN = WorkersPicture(
    ids={"worker-0": FIRST, "worker-1": SECOND},
    away=frozenset(),
    answering=frozenset({"worker-0", "worker-1"}),
    group=group(share(), share()),
    connectors={},
)


def connector(state: str, at: str) -> ConnectorSeen:
    tasks = [{"id": 0, "state": state, "worker_id": at}]
    status = {"connector": {"state": "RUNNING", "worker_id": FIRST}, "tasks": tasks}
    return ConnectorSeen.of("lines", {"type": "sink", "config": {}}, status)


def test_workers_of_which_none_has_more_to_run_than_it_must_lack_nothing() -> None:
    assert EVEN.lacking() == []
    odd = replace(EVEN, group=group(share(tasks=3, connectors=0), share()))
    assert odd.lacking() == [], "three tasks and two, of five"
    assert replace(EVEN, group=None).lacking() == [], "a group that cannot be asked"


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param((share(tasks=4), share(tasks=0)), id="a worker has come back to no tasks"),
        pytest.param((share(connectors=2), share(connectors=0)), id="nor connectors"),
        pytest.param((share(revoked=2), share()), id="tasks are given up, and nobody has them yet"),
        pytest.param((share(delay_ms=1500), share()), id="a worker that left is waited for"),
    ],
)
def test_a_group_that_has_another_rebalance_before_it_is_not_balanced(shares: tuple[WorkerShare, ...]) -> None:
    picture = replace(EVEN, group=group(*shares))
    assert picture.lacking() == ["a rebalance is due: tasks wait for a worker that left, or move to another one"]
    assert picture.has_joined("worker-1")


@pytest.mark.parametrize("state", ["PreparingRebalance", "CompletingRebalance"])
def test_who_is_in_a_group_that_rebalances_is_not_told(state: str) -> None:
    """Kafka tells the members of a group without what they say of themselves then."""
    picture = replace(EVEN, group=group(state=state))
    assert picture.lacking() == ["a rebalance is under way"]
    assert picture.has_joined("worker-0")


def test_a_worker_that_is_no_member_or_does_not_answer_has_not_joined() -> None:
    alone = replace(EVEN, group=group(share(), at=(FIRST,)), answering=frozenset({"worker-0"}))
    assert alone.has_joined("worker-0")
    assert not alone.has_joined("worker-1")
    assert alone.lacking() == ["worker-1 does not answer", "worker-1 has not joined the group"]
    empty = replace(EVEN, group=group(at=(), state="Empty"))
    assert not empty.has_joined("worker-0")


def test_a_task_of_a_worker_that_is_away_waits() -> None:
    away = replace(EVEN, away=frozenset({"127.0.0.1:28085"}))
    assert away.lacking() == []
    for seen in (connector("RUNNING", "127.0.0.1:28085"), connector("UNASSIGNED", SECOND)):
        assert replace(away, connectors={"lines": seen}).lacking() == ["task 0 of connector lines waits for a worker"]
    assert replace(away, connectors={"lines": connector("FAILED", SECOND)}).lacking() == []


def test_what_cannot_be_read_is_told() -> None:
    unread = replace(EVEN, group=Unreadable("group g", "timed out"), connectors=None)
    assert unread.lacking() == ["group g: timed out", "the workers do not tell their connectors"]
