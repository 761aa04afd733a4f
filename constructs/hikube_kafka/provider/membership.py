"""Who votes in a ZooKeeper ensemble, changed one server at a time while it serves.

A changed list of servers and a rolling restart can elect two leaders; ZooKeeper's own reconfiguration cannot: the old
quorum agrees to the new one. After each step the servers are asked, and the next step waits until all of them agree.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.log import log
from hikube_kafka.probe.observation import agreed
from hikube_kafka.probe.zookeeper import observe_zookeeper
from hikube_kafka.provider.problems import told
from hikube_kafka.spec.changes.zookeeper_members import Known, taking_out
from hikube_kafka.waiting import Stopped, until

_SETTLE_SECONDS = 120.0
"""For one step: the servers agree within seconds; a new one first copies what the others have."""
_REQUEST_SECONDS = 20.0
_LOOK_SECONDS = 3.0
_POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Membership:
    """What the servers say, each for itself."""

    modes: Mapping[int, str]
    """``leader``, ``follower`` or ``observer`` of each server that serves."""
    views: Mapping[int, frozenset[int]]
    """Whom each server that serves takes for voters."""

    @property
    def voters(self) -> frozenset[int] | None:
        """The voters that all servers agree on; None: they do not, or none serves."""
        return agreed(self.views.values())

    @property
    def leader(self) -> int | None:
        """The one that leads; None: there is none, or more than one."""
        leaders = [server for server, mode in self.modes.items() if mode == "leader"]
        return leaders[0] if len(leaders) == 1 else None

    def is_settled(self, voters: frozenset[int]) -> bool:
        """Whether exactly these vote, all of them serve and agree, and one of them leads."""
        return self.leader in voters and all(self.views.get(server) == voters for server in voters)


class Ensemble:
    """The servers of an ensemble, by the addresses at which they are met from here.

    Args:
        addresses: ``host:port`` of each server, those that are to come included.
        password: That of ZooKeeper's user ``super``, who alone may change the membership. Never logged.
        stopped: Set when the user presses Ctrl-C.
    """

    def __init__(self, addresses: Mapping[int, str], password: str, stopped: threading.Event) -> None:
        self._addresses = dict(addresses)
        self._password = password
        self._stopped = stopped

    def look(self) -> Membership:
        """Ask every server."""
        return look(self._addresses)

    def bring_in(self, members: Mapping[int, str]) -> None:
        """Let further servers vote, one at a time, lowest id first.

        Args:
            members: Each server as ZooKeeper lists it: ``host:2888:3888:participant;2181``. Those that vote stay as
                they are; nobody is taken out.

        Raises:
            Refusal: A server does not serve, ZooKeeper refuses, or Ctrl-C. The next call goes on from there.
        """
        seen = self._await(lambda seen: seen.voters is not None and seen.is_settled(seen.voters), "agree on who votes")
        voters = seen.voters or frozenset()
        for server in sorted(members.keys() - voters):
            self._await(partial(_serves, server), f"see server {server} follow the leader")
            voters |= {server}
            self._change(voters, joining=f"server.{server}={members[server]}")

    def take_out(self, keep: frozenset[int]) -> None:
        """Let servers no longer vote, one at a time: the highest id first, the leader last.

        Args:
            keep: Those that go on voting.

        Raises:
            Refusal: One that stays does not serve, ZooKeeper refuses, or Ctrl-C. The next call goes on from there.
        """
        while True:
            seen = self._await(lambda seen: seen.voters is not None, "agree on who votes")
            voters = seen.voters or frozenset()
            leaving = voters - keep
            if not leaving:
                return
            at_risk = told(taking_out(Known(voters=voters, serving=seen.modes.keys()), keep))
            if at_risk:
                raise Refusal(*at_risk)
            server = max(leaving - {seen.leader}, default=max(leaving))
            self._change(voters - {server}, leaving=str(server))

    def _change(self, voters: frozenset[int], *, joining: str | None = None, leaving: str | None = None) -> None:
        """Make one reconfiguration, and wait until all its voters serve and agree."""
        log("info", "membership changes", voters=_listed(voters), joining=joining or "", leaving=leaving or "")
        reason = "they do not agree yet"

        def settled(seen: Membership) -> bool:
            nonlocal reason
            if seen.is_settled(voters):
                return True
            if seen.voters != voters and seen.leader is not None:
                reason = self._request(seen, voters, joining, leaving) or reason
            return False

        seen, in_time = self._until(settled)
        if not in_time:
            raise Refusal(
                Diagnostic(
                    f"The ZooKeeper servers did not settle on {_listed(voters)} as voters within {_SETTLE_SECONDS:g} s",
                    f"{reason}. {_words(seen)} The next apply continues from here.",
                )
            )

    def _request(self, seen: Membership, voters: frozenset[int], joining: str | None, leaving: str | None) -> str:
        """Ask for the change by a server that stays; answers why it did not come about yet."""
        from kazoo.client import KazooClient
        from kazoo.exceptions import NoAuthError, ReconfigDisabledError

        through = min((voters & seen.modes.keys()) - {seen.leader}, default=seen.leader)
        client = KazooClient(
            hosts=self._addresses[through or 0],
            timeout=_REQUEST_SECONDS,
            auth_data=[("digest", f"super:{self._password}")],
        )
        try:
            client.start(timeout=_REQUEST_SECONDS)
            client.reconfig_async(joining=joining, leaving=leaving, new_members=None, from_config=-1).get(
                timeout=_REQUEST_SECONDS
            )
        except NoAuthError:
            raise Refusal(
                Diagnostic(
                    "ZooKeeper does not let the provider change its membership",
                    "The password is not that of its user super: check password or secret.",
                )
            ) from None
        except ReconfigDisabledError:
            raise Refusal(
                Diagnostic(
                    "The ZooKeeper servers do not allow a change of their membership",
                    "Their configuration needs reconfigEnabled=true and a dynamicConfigFile.",
                )
            ) from None
        except Exception as problem:  # noqa: BLE001 - kazoo's errors have no common base; the membership is looked at
            return str(problem) or type(problem).__name__
        finally:
            client.stop()
            client.close()
        return ""

    def _await(self, holds: Callable[[Membership], bool], what: str) -> Membership:
        seen, in_time = self._until(holds)
        if not in_time:
            raise Refusal(
                Diagnostic(
                    "The ZooKeeper servers are not ready for a change of their membership",
                    f"The provider waited {_SETTLE_SECONDS:g} s to {what}. {_words(seen)}",
                )
            )
        return seen

    def _until(self, holds: Callable[[Membership], bool]) -> tuple[Membership, bool]:
        """Ask all servers until something holds of what they say; answers what was seen last, and whether it holds."""
        seen = Membership(modes={}, views={})

        def look_again() -> bool:
            nonlocal seen
            seen = self.look()
            return holds(seen)

        try:
            in_time = until(look_again, _SETTLE_SECONDS, self._stopped.is_set, every=_POLL_SECONDS)
        except Stopped:
            raise Refusal(
                Diagnostic(
                    "Stopped while the membership of ZooKeeper was being changed",
                    "No step is left half done; the next apply continues from here.",
                )
            ) from None
        return seen, in_time


def look(addresses: Mapping[int, str]) -> Membership:
    """Ask every server for its mode and its view, all at once; nothing is changed.

    Args:
        addresses: ``host:port`` of each server.
    """
    ids = {address: server for server, address in addresses.items()}
    seen = observe_zookeeper(list(ids), timeout=_LOOK_SECONDS)
    return Membership(
        modes={ids[address]: status.mode for address, status in seen.serving.items()},
        views={ids[address]: frozenset(view.voters) for address, view in seen.voting_views.items()},
    )


def _serves(server: int, seen: Membership) -> bool:
    return server in seen.modes


def _listed(servers: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(servers)))


def _words(seen: Membership) -> str:
    modes = ", ".join(f"{server} {mode}" for server, mode in sorted(seen.modes.items())) or "none"
    views = "; ".join(f"{server}: {_listed(view)}" for server, view in sorted(seen.views.items()))
    return f"Servers that serve: {modes}. Voters as each sees them: {views or 'unknown'}."
