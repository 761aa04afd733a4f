"""Checks of the ZooKeeper ensemble."""

from collections.abc import Iterator

from hikube_kafka.probe.observation import (
    Observation,
    ServerStatus,
    Unreadable,
    VotingView,
)
from hikube_kafka.smoke.finding import Outcome, check, listed
from hikube_kafka.spec.contract import Contract, ZooKeeperServerExpected

_START = (
    "Start the servers that do not run. One that answers, and serves reads only or nothing, has found no majority of "
    "its peers: a restart does not help it, the missing peers do; its log names them. One that does not answer in time "
    "hangs: restart it."
)


@check(
    "zookeeper-servers-answer",
    "Every ZooKeeper server answers and serves in a quorum",
    remedy=_START,
    unread_remedy=_START,
)
def servers_answer(contract: Contract, seen: Observation) -> Outcome:
    """A server must tell a mode of serving: ``imok`` would say nothing of the quorum."""
    wrong = [
        f"{_name(server)} serves reads only: it has lost its quorum"
        for server, status in _statuses(contract, seen)
        if isinstance(status, ServerStatus) and status.mode == "read-only"
    ]
    unread = [status for _, status in _statuses(contract, seen) if isinstance(status, Unreadable)]
    return Outcome(
        expected=f"an answer from each of {len(contract.zookeeper.servers)}",
        seen=f"{len(contract.zookeeper.servers)} serve",
        wrong=wrong,
        unread=unread,
    )


@check(
    "zookeeper-one-leader",
    "Exactly one ZooKeeper server leads",
    remedy="With no leader, start the servers that are missing from the majority. With several, two ensembles run "
    "under one name: stop all brokers at once, then compare the server lists.",
)
def one_leader(contract: Contract, seen: Observation) -> Outcome:
    """One leader; a single declared server leads nobody and stands alone."""
    alone = len(contract.zookeeper.servers) == 1
    mode = "standalone" if alone else "leader"
    leaders = [
        _name(server)
        for server, status in _statuses(contract, seen)
        if isinstance(status, ServerStatus) and status.leads and (alone or status.mode == "leader")
    ]
    unread = [status for _, status in _statuses(contract, seen) if isinstance(status, Unreadable)]
    # While a server is out of sight, the leader may be that one: then nothing wrong has been seen yet.
    is_wrong = len(leaders) > 1 or (not leaders and not unread)
    return Outcome(
        expected=f"one {mode}",
        seen=f"{mode}: {listed(leaders)}",
        wrong=[f"leaders: {listed(leaders)}"] if is_wrong else [],
        unread=unread,
    )


@check(
    "zookeeper-others-follow",
    "Every other ZooKeeper server follows",
    remedy="Compare the server lists (zoo.cfg) of the servers named, and read their logs.",
)
def others_follow(contract: Contract, seen: Observation) -> Outcome:
    """All but the leader are followers: an observer has no vote, a standalone server shares nothing."""
    alone = len(contract.zookeeper.servers) == 1
    legal = {"leader", "standalone"} if alone else {"leader", "follower"}
    followers = [
        _name(server)
        for server, status in _statuses(contract, seen)
        if isinstance(status, ServerStatus) and status.mode == "follower"
    ]
    return Outcome(
        expected=f"{len(contract.zookeeper.servers) - 1} followers",
        seen=f"followers: {listed(followers)}",
        wrong=[
            f"{_name(server)} is {status.mode}"
            for server, status in _statuses(contract, seen)
            if isinstance(status, ServerStatus) and status.mode not in legal
        ],
        unread=[status for _, status in _statuses(contract, seen) if isinstance(status, Unreadable)],
    )


@check(
    "zookeeper-followers-synced",
    "The ZooKeeper leader counts every follower as synced, with no sync pending",
    remedy="A follower that stays behind is starting, overloaded or disconnected: check its log and its disk.",
)
def followers_synced(contract: Contract, seen: Observation) -> Outcome:
    """The leader's own count; a figure that it does not report is unread, not zero."""
    servers = contract.zookeeper.servers
    expected = len(servers) - 1
    if expected == 0:
        return Outcome(expected="nothing", seen="", untested="the contract has one server: nobody follows")
    wrong: list[str] = []
    unread: list[Unreadable] = []
    leaders = [
        server
        for server, status in _statuses(contract, seen)
        if isinstance(status, ServerStatus) and status.mode == "leader"
    ]
    if not leaders:
        unread.append(Unreadable("synced followers", "only a leader counts them, and none was seen"))
    for server in leaders:
        followers = seen.zookeeper.server(server.address).followers
        if isinstance(followers, Unreadable):
            unread.append(followers)
            continue
        for figure, value, due in (
            ("synced followers", followers.synced, expected),
            ("pending syncs", followers.pending_syncs, 0),
        ):
            if value is None:
                unread.append(Unreadable(f"{figure} of {_name(server)}", "mntr does not report it"))
            elif value != due:
                wrong.append(f"{_name(server)} counts {value} {figure}, not {due}")
    return Outcome(
        expected=f"{expected} synced followers, 0 pending syncs",
        seen=f"{expected} synced followers, 0 pending syncs",
        wrong=wrong,
        unread=unread,
    )


@check(
    "zookeeper-same-voters",
    "All ZooKeeper servers see the same servers, those that are declared",
    remedy="Servers that disagree on who votes can elect two leaders. Let no broker write before the lists are equal: "
    "correct zoo.cfg, or reconfigure one server at a time.",
)
def same_voters(contract: Contract, seen: Observation) -> Outcome:
    """Ids, addresses and version of the membership agree; and each server is the one declared at its address."""
    declared = [server.id for server in contract.zookeeper.servers]
    wrong: list[str] = []
    unread: list[Unreadable] = []
    views: dict[str, VotingView] = {}
    for server in contract.zookeeper.servers:
        view = seen.zookeeper.server(server.address).voting_view
        if isinstance(view, Unreadable):
            unread.append(view)
            continue
        if view.own_id is None and len(declared) == 1:
            continue  # A standalone server has neither id nor list.
        if view.own_id != server.id:
            wrong.append(f"{_name(server)} calls itself {view.own_id or 'standalone'}")
        if sorted(view.voters) != sorted(declared):
            wrong.append(f"{_name(server)} sees voters {listed(sorted(view.voters))}")
        views[_name(server)] = view
    lists = {(view.version, tuple(sorted(view.voters.items()))) for view in views.values()}
    if len(lists) > 1:
        wrong += [
            f"{name} has membership version {view.version}: "
            + listed(f"{id_}={address}" for id_, address in sorted(view.voters.items()))
            for name, view in views.items()
        ]
    return Outcome(
        expected=f"servers {listed(declared)}, seen alike by all",
        seen=f"servers {listed(declared)}, seen alike by all",
        wrong=wrong,
        unread=unread,
    )


@check(
    "zookeeper-writes-read-everywhere",
    "A write on each ZooKeeper server is read, after a sync, on each other",
    remedy="A server that takes no write is out of the quorum; one that does not give the value back belongs to "
    "another ensemble, or has lost data: stop its clients and compare the servers' logs.",
)
def writes_read_everywhere(contract: Contract, seen: Observation) -> Outcome:
    """Every pair of servers, itself included: an ensemble is one only if a write shows everywhere."""
    outcomes = {(read_back.writer, read_back.reader): read_back for read_back in seen.read_backs}
    wrong: list[str] = []
    unread: list[Unreadable] = []
    for writer in contract.zookeeper.servers:
        for reader in contract.zookeeper.servers:
            outcome = outcomes.get((writer.address, reader.address))
            if outcome is None:
                unread.append(Unreadable(f"write on {_name(writer)}, read on {_name(reader)}", "not tried"))
            elif isinstance(outcome.read, Unreadable):
                unread.append(outcome.read)
            elif outcome.read != outcome.written:
                got = "nothing" if outcome.read is None else "another value"
                wrong.append(f"written on {_name(writer)}, read on {_name(reader)}: {got}")
    pairs = len(contract.zookeeper.servers) ** 2
    return Outcome(
        expected=f"{pairs} pairs of writer and reader agree",
        seen=f"{pairs} pairs agree",
        wrong=wrong,
        unread=unread,
    )


def _name(server: ZooKeeperServerExpected) -> str:
    return f"ZooKeeper server {server.id} ({server.address})"


def _statuses(
    contract: Contract, seen: Observation
) -> Iterator[tuple[ZooKeeperServerExpected, ServerStatus | Unreadable]]:
    for server in contract.zookeeper.servers:
        status = seen.zookeeper.server(server.address).status
        if isinstance(status, Unreadable):
            status = Unreadable(_name(server), status.reason)
        yield server, status
