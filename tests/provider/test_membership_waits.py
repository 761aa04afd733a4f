"""What a change of the membership says when it comes to nothing. Real servers: test_membership.py."""

import threading

import pytest

from hikube_kafka.plugin.diagnostics import Refusal
from hikube_kafka.provider import membership
from hikube_kafka.provider.membership import Ensemble, Membership


class Undecided(Ensemble):
    """Two servers that serve, and never agree on who votes."""

    def look(self) -> Membership:
        return Membership(modes={1: "leader", 2: "follower"}, views={1: frozenset({1}), 2: frozenset({1, 2})})

    def _request(self, *_: object) -> str:
        return "a quorum is not there"


def test_waits_in_vain_say_for_what_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("_SETTLE_SECONDS", 0.1), ("_POLL_SECONDS", 0.01)):
        monkeypatch.setattr(membership, name, seconds)
    servers = Undecided({}, "only-in-this-test", threading.Event())
    with pytest.raises(Refusal) as refusal:
        servers.take_out(frozenset({1}))
    assert (
        "waited 0.1 s to agree on who votes. Servers that serve: 1 leader, 2 follower."
        in refusal.value.diagnostics[0].detail
    )
    with pytest.raises(Refusal) as refusal:
        servers._change(frozenset({1, 2}), joining="2")
    (fault,) = refusal.value.diagnostics
    assert fault.summary == "The ZooKeeper servers did not settle on 1, 2 as voters within 0.1 s"
    assert fault.detail.startswith("a quorum is not there. Servers that serve: 1 leader, 2 follower.")
