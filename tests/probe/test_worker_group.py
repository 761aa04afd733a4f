"""What is made of the coordinator's answer about a group of workers."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hikube_kafka.probe.observation import GroupSeen
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


def worker(url: str, *, delay_ms: int) -> Member:
    """Version 1 of the protocol: one connector with a task, nothing revoked."""
    leader = string("leader") + string(url) + struct.pack(">q", 7)
    assigned = struct.pack(">i", 1) + string("orders") + struct.pack(">ii", 1, 0)
    return Member(
        metadata=struct.pack(">h", 1) + string(url) + struct.pack(">q", 7),
        assignment=struct.pack(">hh", 1, 0) + leader + assigned + struct.pack(">ii", 0, delay_ms),
    )


def ask(*groups: Group) -> GroupSeen:
    client = SimpleNamespace(list_groups=lambda _group, **_kw: list(groups))
    return ask_for_group(cast("Any", SimpleNamespace(client=client)), "events-connect-changes", 1.0)


def test_members_are_told_by_their_urls_and_a_delay_is_no_balance() -> None:
    urls = ("http://127.0.0.1:1/", "http://127.0.0.1:2/")
    seen = ask(Group("Stable", [worker(url, delay_ms=0) for url in reversed(urls)]))
    assert seen.members == urls
    assert seen.is_balanced
    assert not ask(Group("Stable", [worker(urls[0], delay_ms=30_000)])).is_balanced


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
