"""What is made of the coordinator's answer about a group of workers."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hikube_kafka.probe.observation import GroupSeen, WorkerShare
from hikube_kafka.probe.worker_group import ask_for_group


@dataclass(frozen=True)
class Member:
    client_id: str = "connect-1"
    metadata: bytes = b""
    assignment: bytes = b""


@dataclass(frozen=True)
class Group:
    state: str
    members: Sequence[Member] = field(default_factory=tuple)
    error: None = None


def string(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def tasks(*numbers: int) -> bytes:
    """Tasks of one connector; it is itself the task -1."""
    listed = string("orders") + struct.pack(f">i{len(numbers)}i", len(numbers), *numbers)
    return struct.pack(">i", 1) + listed if numbers else struct.pack(">i", 0)


def assignment(url: str, assigned: bytes, revoked: bytes, delay_ms: int) -> bytes:
    """Version 1 of the protocol: what it is told to take on, and to give up."""
    leader = string("leader") + string(url) + struct.pack(">q", 7)
    return struct.pack(">hh", 1, 0) + leader + assigned + revoked + struct.pack(">i", delay_ms)


def worker(
    url: str,
    *,
    held: Sequence[int] = (),
    assigned: Sequence[int] = (),
    revoked: Sequence[int] = (),
    delay_ms: int = 0,
) -> Member:
    """A member that had tasks when it joined: none, if it has just been started."""
    had = assignment(url, tasks(*held), tasks(), 0) if held else b""
    return Member(
        metadata=struct.pack(">h", 1) + string(url) + struct.pack(">qi", 7, len(had) or -1) + had,
        assignment=assignment(url, tasks(*assigned), tasks(*revoked), delay_ms),
    )


def ask(*groups: Group) -> GroupSeen:
    client = SimpleNamespace(list_groups=lambda _group, **_kw: list(groups))
    return ask_for_group(cast("Any", SimpleNamespace(client=client)), "events-connect-changes", 1.0)


URLS = ("http://127.0.0.1:1/", "http://127.0.0.1:2/")


def test_members_are_told_by_their_urls_and_a_delay_is_no_balance() -> None:
    seen = ask(Group("Stable", [worker(url) for url in reversed(URLS)]))
    assert seen.members == URLS
    assert seen.is_balanced
    assert not ask(Group("Stable", [worker(URLS[0], delay_ms=30_000)])).is_balanced


def test_a_member_has_what_it_had_without_what_is_revoked_and_with_what_it_is_told() -> None:
    """So a worker that comes back gets its share: another gives up tasks, and the next rebalance hands them on."""
    alone = ask(Group("Stable", [worker(URLS[0], assigned=[-1, 0, 1, 2, 3])]))
    assert alone.shares == (WorkerShare(connectors=1, tasks=4),)
    assert alone.is_balanced
    given_up = ask(Group("Stable", [worker(URLS[0], held=[-1, 0, 1, 2, 3], revoked=[2, 3]), worker(URLS[1])]))
    assert given_up.shares == (WorkerShare(connectors=1, tasks=2, revoked=2), WorkerShare(connectors=0, tasks=0))
    assert not given_up.is_balanced
    handed_on = ask(Group("Stable", [worker(URLS[0], held=[-1, 0, 1]), worker(URLS[1], assigned=[2, 3])]))
    assert handed_on.shares == (WorkerShare(connectors=1, tasks=2), WorkerShare(connectors=0, tasks=2))
    assert handed_on.is_balanced


def test_a_member_with_two_tasks_more_than_another_one_is_no_balance() -> None:
    def balanced(first: Sequence[int], second: Sequence[int]) -> bool:
        return ask(Group("Stable", [worker(URLS[0], held=first), worker(URLS[1], held=second)])).is_balanced

    assert balanced([-1, 0, 1], [2])
    assert not balanced([-1, 0, 1], [])


def test_the_eager_protocol_tells_the_whole_assignment_each_time() -> None:
    leader = string("leader") + string(URLS[0]) + struct.pack(">q", 7)
    metadata = struct.pack(">h", 0) + string(URLS[0]) + struct.pack(">q", 7)
    seen = ask(Group("Stable", [Member("c", metadata, struct.pack(">hh", 0, 0) + leader + tasks(-1, 0))]))
    assert seen.shares == (WorkerShare(connectors=1, tasks=1),)


@pytest.mark.parametrize("state", ["PreparingRebalance", "CompletingRebalance"])
def test_a_group_that_rebalances_tells_nothing_of_its_members(state: str) -> None:
    seen = ask(Group(state, [Member("connect-2"), Member("connect-1")]))
    assert seen == GroupSeen(state=state, members=("connect-1", "connect-2"))
    assert seen.is_rebalancing
    assert not seen.is_balanced


def test_a_group_that_nobody_has_joined_is_dead() -> None:
    assert ask() == GroupSeen(state="Dead", members=())


def test_members_of_another_kind_are_told() -> None:
    with pytest.raises(LookupError, match="no Connect workers"):
        ask(Group("Stable", [Member(metadata=b"\0")]))
