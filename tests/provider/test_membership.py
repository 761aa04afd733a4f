"""The membership of a real ZooKeeper ensemble, changed while somebody writes to it."""

import base64
import hashlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from kazoo.client import KazooClient

from hikube_kafka.ensemble import jars
from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.plugin.diagnostics import Refusal
from hikube_kafka.provider.membership import Ensemble, Membership, look
from hikube_kafka.spec.targets.local import LocalLayout
from tests.support.ensemble import small_ensemble
from tests.support.waiting import until

pytestmark = [pytest.mark.ensemble, pytest.mark.timeout(400)]

PASSWORD = "only-in-this-test"


class Servers:
    """ZooKeeper servers as the chart configures them: the membership is theirs, not the configuration's."""

    def __init__(self, directory: Path, ports: LocalLayout) -> None:
        self._directory = directory
        self._jars = jars.provide(None, Conduct(progress=print))
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self.addresses = {server: f"127.0.0.1:{ports.zookeeper_port + server - 1}" for server in range(1, 6)}
        self.members = {
            server: f"127.0.0.1:{ports.peer_port + server - 1}:{ports.election_port + server - 1}:participant;{client}"
            for server, client in self.addresses.items()
        }

    def start(self, *servers: int, told: tuple[int, ...] = ()) -> None:
        """Start servers: the first of all, or further ones that were told who votes."""
        digest = base64.b64encode(hashlib.sha1(f"super:{PASSWORD}".encode()).digest()).decode()  # noqa: S324 - ZooKeeper's
        for server in servers:
            folder = self._directory / str(server)
            listed = sorted({*(told or servers), server})
            if not folder.exists():
                folder.mkdir()
                (folder / "myid").write_text(str(server))
                (folder / "members").write_text("".join(f"server.{each}={self.members[each]}\n" for each in listed))
                (folder / "zoo.cfg").write_text(
                    f"dataDir={folder}\ntickTime=1000\ninitLimit=20\nsyncLimit=10\nreconfigEnabled=true\n"
                    "standaloneEnabled=false\nadmin.enableServer=false\n4lw.commands.whitelist=srvr,mntr,conf\n"
                    f"dynamicConfigFile={folder}/members\n"
                )
            command = [
                "java",
                "-Xmx96m",
                f"-Dzookeeper.DigestAuthenticationProvider.superDigest=super:{digest}",
                "-cp",
                f"{self._jars}/*",
                "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                str(folder / "zoo.cfg"),
            ]
            with (folder / "console.log").open("ab") as console:
                self._running[server] = subprocess.Popen(command, stdout=console, stderr=console, cwd=folder)

    def kill(self, *servers: int) -> None:
        for server in servers:
            running = self._running.pop(server)
            running.kill()
            running.wait()

    def kill_all(self) -> None:
        self.kill(*self._running)

    def ensemble(self, *servers: int, password: str = PASSWORD) -> Ensemble:
        addresses = {server: self.addresses[server] for server in servers}
        return Ensemble(addresses, password, threading.Event())

    def look(self, *servers: int) -> Membership:
        return look({server: self.addresses[server] for server in servers or self.addresses})

    def wanted(self, *servers: int) -> dict[int, str]:
        return {server: self.members[server] for server in servers}

    def until(self, holds: Callable[[Membership], bool]) -> Membership:
        seen: list[Membership] = []

        def asked() -> Membership | None:
            seen.append(self.look())
            return seen[-1] if holds(seen[-1]) else None

        found = until(asked, lambda: f"the membership is another: {seen[-1]}", 90, every=0.2)
        assert found is not None
        return found


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Three servers that serve; two more may come."""
    servers = Servers(tmp_path, small_ensemble(tmp_path).layout)
    try:
        servers.start(1, 2, 3)
        servers.until(lambda seen: seen.is_settled(frozenset({1, 2, 3})))
        yield servers
    finally:
        servers.kill_all()


class Writer:
    """Writes from entering to leaving, each write acknowledged before the next; ``lost`` tells what is not there."""

    def __init__(self, addresses: str) -> None:
        self._addresses = addresses
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self.acknowledged, "ZooKeeper acknowledges a write")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        client = KazooClient(hosts=self._addresses, timeout=4)
        client.start(timeout=30)
        number = 0
        while not self._ended.is_set():
            number += 1
            try:
                client.create_async(f"/written-{number}", b"").get(timeout=10)
            except Exception:  # noqa: BLE001, S112 - a write that nobody acknowledged may be there or not
                continue
            self.acknowledged.append(f"written-{number}")
        client.stop()
        client.close()

    def lost(self, address: str) -> set[str]:
        client = KazooClient(hosts=address)
        client.start(timeout=30)
        try:
            client.sync("/")
            return set(self.acknowledged) - set(client.get_children("/"))
        finally:
            client.stop()
            client.close()


def test_the_leader_goes_last_and_comers_come_in_order() -> None:
    class Imagined(Ensemble):
        """An ensemble whose changes come about at once."""

        voters = frozenset({1, 2, 3, 4, 5})
        steps: tuple[frozenset[int], ...] = ()

        def look(self) -> Membership:
            every = range(1, 8)
            modes = dict.fromkeys(every, "follower") | {5: "leader"}
            return Membership(modes=modes, views=dict.fromkeys(every, self.voters))

        def _change(self, voters: frozenset[int], *, joining: str | None = None, leaving: str | None = None) -> None:
            assert (joining is None) != (leaving is None)
            self.voters = voters
            self.steps += (voters,)

    shrinking = Imagined({}, PASSWORD, threading.Event())
    shrinking.take_out(frozenset({1, 2, 3}))
    assert shrinking.steps == (frozenset({1, 2, 3, 5}), frozenset({1, 2, 3}))
    growing = Imagined({}, PASSWORD, threading.Event())
    growing.bring_in(dict.fromkeys(range(1, 8), ""))
    assert growing.steps == (frozenset({1, 2, 3, 4, 5, 6}), frozenset({1, 2, 3, 4, 5, 6, 7}))


def test_servers_come_and_go_one_at_a_time_while_every_write_is_kept(servers: Servers) -> None:
    with Writer(",".join(servers.addresses[server] for server in (1, 2, 3))) as writer:
        servers.start(4, 5, told=(1, 2, 3))
        servers.ensemble(1, 2, 3, 4, 5).bring_in(servers.wanted(1, 2, 3, 4, 5))
        grown = servers.look()
        assert grown.is_settled(frozenset({1, 2, 3, 4, 5}))
        # Once more changes nothing.
        servers.ensemble(1, 2, 3, 4, 5).bring_in(servers.wanted(1, 2, 3, 4, 5))
        servers.ensemble(1, 2, 3, 4, 5).take_out(frozenset({1, 2, 3}))
        assert servers.look(1, 2, 3).is_settled(frozenset({1, 2, 3}))
        servers.kill(4, 5)
        servers.ensemble(1, 2, 3).take_out(frozenset({1, 2, 3}))
    assert writer.lost(servers.addresses[1]) == set()


def test_the_leader_itself_can_go(servers: Servers) -> None:
    leader = servers.look().leader
    assert leader is not None
    stay = frozenset({1, 2, 3}) - {leader}
    servers.ensemble(1, 2, 3).take_out(stay)
    assert servers.look(*stay).is_settled(stay)


def test_nobody_is_taken_out_while_one_that_stays_is_away(servers: Servers) -> None:
    servers.start(4, 5, told=(1, 2, 3))
    servers.ensemble(1, 2, 3, 4, 5).bring_in(servers.wanted(1, 2, 3, 4, 5))
    servers.kill(2)
    servers.until(lambda seen: seen.modes.keys() == {1, 3, 4, 5} and seen.leader is not None)
    with pytest.raises(Refusal, match="4, 5: they cannot be taken out now") as refusal:
        servers.ensemble(1, 2, 3, 4, 5).take_out(frozenset({1, 2, 3}))
    assert "server 2 stays and does not serve" in refusal.value.diagnostics[0].summary
    servers.start(2)
    servers.until(lambda seen: seen.is_settled(frozenset({1, 2, 3, 4, 5})))
    servers.ensemble(1, 2, 3, 4, 5).take_out(frozenset({1, 2, 3}))
    assert servers.look(1, 2, 3).is_settled(frozenset({1, 2, 3}))


def test_a_wrong_password_is_told_and_a_ctrl_c_is_heard(servers: Servers) -> None:
    with pytest.raises(Refusal, match="does not let the provider change its membership"):
        servers.ensemble(1, 2, 3, password="wrong").take_out(frozenset({1, 2}))
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Refusal, match="Stopped"):
        Ensemble(servers.addresses, PASSWORD, stopped).bring_in(servers.wanted(1, 2, 3, 4))
    assert servers.look().is_settled(frozenset({1, 2, 3}))
