"""When ZooKeeper servers begin an ensemble: ``start.sh`` as it runs in the pods, up to where it becomes the server."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.support.kubernetes import CHARTS
from tests.support.waiting import until

FILES = CHARTS / "zookeeper/files"
SERVER = """#!/bin/bash
# In place of ZooKeeper: shows what it was started with, and goes on as it does.
sed -n 's/^dynamicConfigFile=//p' "$2" | xargs cat >"$2.began"
mv "$2.began" "$(dirname "$2")/began"
exec sleep 60
"""
MEMBERS = "server.1=a:2888:3888:participant;2181\nserver.2=b:2888:3888:participant;2181\n"


class Pod(NamedTuple):
    """A server that was started."""

    process: subprocess.Popen[str]
    membership: Path
    log: Path

    def voters(self) -> list[str]:
        """The servers of the membership that it began with; none: it has not begun."""
        began = self.membership / "began"
        return re.findall(r"(?m)^server\.(\d+)=", began.read_text()) if began.exists() else []


Start = Callable[..., Pod]


@pytest.fixture
def told_at() -> Iterator[socket.socket]:
    """Where a server that serves would be asked; the three ports below are free."""
    for first in range(21000 + os.getpid() % 1000 * 4, 32000, 4):
        with contextlib.ExitStack() as held:
            doors = [held.enter_context(socket.socket()) for _ in range(4)]
            try:
                for number, door in enumerate(doors):
                    door.bind(("127.0.0.1", first + number))
            except OSError:
                continue
            for door in doors[:3]:
                door.close()
            yield doors[3]
            return
    pytest.fail("no free ports")


@pytest.fixture
def start(tmp_path: Path, told_at: socket.socket) -> Iterator[Start]:
    """Start the server of that ordinal, of a release of so many, with what is on its claim."""
    for command in ("bash", "perl"):
        if not shutil.which(command):
            pytest.skip(f"no {command} on PATH")
    last, pods = told_at.getsockname()[1], list[Pod]()
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "zkServer.sh").write_text(SERVER)
    (binaries / "zkServer.sh").chmod(0o755)

    def run(ordinal: int, servers: int, *, claim: str = "") -> Pod:
        folder = tmp_path / str(ordinal)
        membership = folder / "data/membership"
        membership.mkdir(parents=True, exist_ok=True)
        if claim:
            (membership / "zoo.cfg.dynamic.100000000").write_text(claim)
        (folder / "zoo.cfg").write_text(f"dataDir={folder}/data\n")
        (folder / "servers").write_text(str(servers))
        (folder / "password").write_text("x")
        shutil.copy(FILES / "empty.pl", folder)
        script = (FILES / "start.sh").read_text()
        for there, here in {
            "/release/": f"{folder}/",
            "/membership-secret/": f"{folder}/",
            # Pods have addresses of their own; here all servers have one.
            'empty.pl "$port"': f'empty.pl "$((port + {ordinal}))"',
            '"$(host "$each")" "$port"': '127.0.0.1 "$((port + each))"',
            "port=2180": f"port={last - 3}",
            "/dev/tcp/$0/2181": f"/dev/tcp/$0/{last}",
        }.items():
            assert there in script
            script = script.replace(there, here)
        (folder / "start.sh").write_text(script)
        log = folder / "log"
        environment = {
            "PATH": f"{binaries}:/usr/local/bin:/usr/bin:/bin",
            "HOSTNAME": f"zookeeper-{ordinal}",
            "SERVICE": "zookeeper-headless",
            "CLIENT_SERVICE": "127.0.0.1",
            "NAMESPACE": "shop",
            "SERVER_JVMFLAGS": "",
        }
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", folder / "start.sh"],
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                env=environment,
            )
        pods.append(Pod(process, membership, log))
        return pods[-1]

    yield run
    for pod in pods:
        end(pod)


def end(pod: Pod) -> None:
    """End everything in the pod."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pod.process.pid, signal.SIGKILL)
    pod.process.wait()
    (pod.membership / "began").unlink(missing_ok=True)


def begins(pod: Pod) -> list[str]:
    return until(pod.voters, pod.log.read_text)


def waits(pod: Pod, *, for_servers: str) -> None:
    """It has asked the others, and waits for these."""
    until(lambda: pod.log.read_text().endswith(f"empty too: {for_servers}\n"), pod.log.read_text)
    assert pod.voters() == []


def test_servers_whose_claims_are_all_empty_begin_one_ensemble(start: Start) -> None:
    first, second = start(0, 3), start(1, 3)
    waits(first, for_servers="3")
    waits(second, for_servers="3")
    third = start(2, 3)
    assert [sorted(begins(pod)) for pod in (first, second, third)] == 3 * [["1", "2", "3"]]


def test_servers_that_are_started_anew_before_there_was_a_quorum_begin_the_same_ensemble_again(start: Start) -> None:
    pods = [start(each, 3) for each in range(3)]
    assert [sorted(begins(pod)) for pod in pods] == 3 * [["1", "2", "3"]]  # all have, before the first one ends
    for pod in pods:
        # ZooKeeper writes it for what a leader proposes, until a quorum has taken it.
        (pod.membership / "zoo.cfg.dynamic.next").write_text(MEMBERS)
        end(pod)
    # All of a new ensemble's pods are deleted, and one of them cannot run at the moment.
    again = [start(each, 3) for each in (0, 1)]
    assert [sorted(begins(pod)) for pod in again] == 2 * [["1", "2", "3"]]
    assert "server 1 goes on: it has begun an ensemble of 3 that has had no quorum yet" in again[0].log.read_text()


def test_a_server_that_comes_later_is_told_of_the_founding_by_those_that_wait_for_a_quorum(start: Start) -> None:
    first, second, third = (start(each, 3) for each in range(3))
    for pod in (first, second):
        begins(pod)
        (pod.membership / "zoo.cfg.dynamic.next").write_text(MEMBERS)
    begins(third)
    end(third)
    shutil.rmtree(third.membership)  # its claim is lost before it has voted
    assert sorted(begins(start(2, 3))) == ["1", "2", "3"]


def test_what_answers_for_a_server_that_waits_is_started_anew(start: Start) -> None:
    pod = start(0, 3)
    waits(pod, for_servers="2 3")
    listening = [each for each in psutil.Process(pod.process.pid).children(recursive=True) if each.name() == "perl"]
    listening[0].kill()
    second, _ = start(1, 3), start(2, 3)
    assert sorted(begins(second)) == ["1", "2", "3"]


@pytest.mark.parametrize("has_perl", [True, False])
def test_what_answers_for_a_server_ends_once_its_claim_has_a_membership(
    start: Start, tmp_path: Path, *, has_perl: bool
) -> None:
    if not has_perl:
        (tmp_path / "bin/perl").write_text("#!/bin/bash\nexit 127\n")
        (tmp_path / "bin/perl").chmod(0o755)
    pod = start(0, 1)
    begins(pod)

    def answering() -> list[psutil.Process]:
        found = []
        for each in psutil.Process(pod.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                found += [each] if each.status() != psutil.STATUS_ZOMBIE else []
        return found

    assert answering()
    (pod.membership / "zoo.cfg.dynamic.100000000").write_text(MEMBERS)
    until(lambda: not answering(), answering, seconds=30)
    assert pod.process.poll() is None


def test_a_single_server_begins_alone(start: Start) -> None:
    assert begins(start(0, 1)) == ["1"]


def test_beside_a_claim_with_a_membership_nobody_begins_another_ensemble(start: Start) -> None:
    third = start(2, 3, claim=MEMBERS + "server.3=c:2888:3888:participant;2181\n")
    first, second = start(0, 3), start(1, 3)
    assert begins(third) == ["1", "2", "3"]
    waits(first, for_servers="3")
    waits(second, for_servers="3")


def test_one_that_begins_alone_is_not_outvoted_by_those_that_came_while_it_did(start: Start) -> None:
    """A release of one, and then of three before the first server has written down its membership."""
    assert begins(start(0, 1)) == ["1"]
    second, third = start(1, 3), start(2, 3)
    waits(second, for_servers="1")
    waits(third, for_servers="1")


def test_a_server_that_serves_tells_a_new_one_who_votes(start: Start, told_at: socket.socket) -> None:
    told_at.listen()

    def answer() -> None:
        peer, _ = told_at.accept()
        with peer:
            peer.recv(4)
            peer.sendall(b"clientPort=2181\n" + MEMBERS.encode())

    thread = threading.Thread(target=answer)
    thread.start()
    assert sorted(begins(start(2, 3))) == ["1", "2", "3"]
    thread.join()


def test_a_server_beyond_the_release_begins_nothing(start: Start) -> None:
    pod = start(2, 1)
    until(lambda: pod.log.read_text().endswith("no server tells it who votes\n"), pod.log.read_text)
    assert pod.voters() == []


def test_a_server_that_waits_stops_when_it_is_told_to(start: Start) -> None:
    pod = start(0, 3)
    waits(pod, for_servers="2 3")
    pod.process.terminate()
    assert pod.process.wait(30) == 143


def test_a_membership_of_more_servers_than_the_release_has_is_said(start: Start) -> None:
    pod = start(0, 1, claim=MEMBERS)
    assert begins(pod) == ["1", "2"]
    assert "no such servers: 2;" in pod.log.read_text()
