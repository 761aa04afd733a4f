"""What ``start.sh`` fills in where a broker starts, up to where it becomes the broker."""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import psutil
import pytest

from tests.support.kubernetes import CHARTS
from tests.support.output import next_line
from tests.support.waiting import until

ADVERTISED = "CLIENT://<host>:9092,OUTSIDE://<node>:<node-port>,FORWARD://127.0.0.1:<forward-port>"


BROKER = """#!/bin/bash
cat "$1"
echo "KAFKA_LOG4J_OPTS=$KAFKA_LOG4J_OPTS"
echo "parent=$(tr '\\0' ' ' </proc/$PPID/cmdline)"
"""
"""In the place of the broker: shows what it is given, and ends."""


def command(
    folder: Path, properties: str, node: str = "10.0.0.7", *, fast: bool = False
) -> tuple[list[str], dict[str, str]]:
    """What starts broker 2 on the node with that address, and its environment."""
    (folder / "server.properties").write_text(f"{properties}\nlog.dirs={folder}\n")
    script = (CHARTS / "kafka/files/start.sh").read_text()
    for path, here in (
        ("/tmp/", "filled/"),
        ("/release/", ""),
        ("/opt/kafka/bin/", ""),
        ("/var/lib/kafka/data/sessions", "sessions"),
    ):
        script = script.replace(path, f"{folder}/{here}")
    (folder / "filled").mkdir()
    (folder / "start.sh").write_text(script)
    (folder / "supervise.sh").write_text((CHARTS / "kafka/files/supervise.sh").read_text())
    (folder / "kafka-server-start.sh").write_text(BROKER)
    (folder / "kafka-server-start.sh").chmod(0o755)
    pod = {"HOSTNAME": "kafka-2", "SERVICE": "kafka-headless", "NAMESPACE": "shop", "NODE_NAME": "node-1", "RACKS": ""}
    ports = {"FORWARD_PORT": "19092", "NODE_PORT": "30092"}
    own = {"KAFKA_LOG4J_OPTS": "-Dsessions=/dev/null", "FAST_FAILOVER": str(fast).lower()}
    return ["bash", str(folder / "start.sh")], {"PATH": os.environ["PATH"], **pod, **ports, **own, "NODE_ADDRESS": node}


def advertised(folder: Path, node: str) -> str:
    started, environment = command(folder, f"advertised.listeners={ADVERTISED}", node)
    done = subprocess.run(started, env=environment, capture_output=True, text=True, check=True, timeout=20)
    (line,) = (each for each in done.stdout.splitlines() if each.startswith("advertised.listeners="))
    return line.partition("=")[2]


@pytest.mark.parametrize(("node", "told"), [("10.0.0.7", "10.0.0.7"), ("2001:db8::7", "[2001:db8::7]")])
def test_a_nodes_address_is_advertised_with_its_port(node: str, told: str, tmp_path: Path) -> None:
    expected = f"CLIENT://kafka-2.kafka-headless.shop.svc:9092,OUTSIDE://{told}:30094,FORWARD://127.0.0.1:19094"
    assert advertised(tmp_path, node) == expected


Waiting = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    """Starts a broker of these ZooKeeper servers."""
    with contextlib.ExitStack() as stack:

        def start(connect: str, *, fast: bool = False) -> subprocess.Popen[str]:
            started, environment = command(tmp_path, f"zookeeper.connect={connect}", fast=fast)
            broker = subprocess.Popen(started, env=environment, stdout=subprocess.PIPE, text=True)
            stack.enter_context(broker)
            stack.callback(broker.kill)
            return broker

        yield start


class ZooKeeper:
    """A server at a port of this machine, that answers what it is told to, for as long as it is entered."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.socket.accept()
                with peer:
                    is_word = peer.recv(4) == b"srvr"
                    self.asked += is_word
                    peer.sendall(self.answer.encode() if is_word else EXPIRED)
                    while not is_word and peer.recv(4096):
                        pass


EXPIRED = struct.pack(">iiiqi16sb", 37, 0, 0, 0, 16, bytes(16), 0)
"""What a server says of a session that has run out."""
NOT_SERVING = "This ZooKeeper instance is not currently serving requests\n"
ANSWERS = [
    "Zookeeper version: 3.9.5\nMode: follower\n",
    "srvr is not executed because it is not in the whitelist.\n",
    "",
]


RECORDED = "Session establishment complete on server a/127.0.0.1:2181, session id = 0x1b, negotiated timeout = 6000\n"


def test_a_broker_has_a_parent_that_knows_where_its_sessions_are_told(waiting: Waiting, tmp_path: Path) -> None:
    with ZooKeeper(ANSWERS[0]) as server:
        said = waiting(f"{server.address},{server.address}/shop", fast=True).communicate(timeout=30)[0].splitlines()
    sessions = tmp_path / "sessions"
    assert f"KAFKA_LOG4J_OPTS=-Dsessions=/dev/null -Dsessions={sessions}" in said
    (parent,) = (line for line in said if line.startswith("parent="))
    assert f"{tmp_path}/supervise.sh run {sessions} {server.address},{server.address}/shop" in parent


@pytest.mark.parametrize(
    ("more", "fast"),
    [
        ("", False),
        ("\nzookeeper.ssl.client.enable=true", True),
        ("\nzookeeper.ssl.client.enable= TRUE", True),
    ],
    ids=["not declared", "TLS", "TLS in another spelling"],
)
def test_a_broker_without_fast_failover_is_the_first_process_and_leaves_nothing_of_an_earlier_one(
    waiting: Waiting, tmp_path: Path, more: str, *, fast: bool
) -> None:
    (tmp_path / "sessions").write_text(RECORDED)
    with ZooKeeper(ANSWERS[0]) as server:
        broker = waiting(server.address + more, fast=fast)
        said = broker.communicate(timeout=30)[0].splitlines()
    assert "KAFKA_LOG4J_OPTS=-Dsessions=/dev/null" in said
    # What started the container is its parent: it has taken the place of the script.
    assert not [line for line in said if line.startswith("parent=") and ".sh" in line]
    assert not (tmp_path / "sessions").exists()
    told = [line for line in said if "runs without fast failover" in line]
    assert told == (["broker 2 runs without fast failover, which needs ZooKeeper in plain text"] if fast else [])


def test_a_broker_whose_last_session_does_not_stand_starts_at_once(waiting: Waiting, tmp_path: Path) -> None:
    (tmp_path / "meta.properties").touch()
    (tmp_path / "sessions").write_text(RECORDED)
    with ZooKeeper(ANSWERS[0]) as server:
        said = waiting(f"{server.address}\nzookeeper.session.timeout.ms=60000", fast=True).communicate(timeout=30)[0]
    assert "waiting" not in said
    assert "parent=" in said


@pytest.mark.parametrize("recorded", ["", RECORDED], ids=["no session recorded", "a process left"])
def test_a_broker_waits_for_its_last_session_where_nothing_says_that_it_does_not_stand(
    waiting: Waiting, tmp_path: Path, recorded: str
) -> None:
    (tmp_path / "meta.properties").touch()
    (tmp_path / "sessions").write_text(recorded)
    with ZooKeeper(ANSWERS[0]) as server, (tmp_path / "sessions").open() as held:
        if recorded:
            fcntl.flock(held, fcntl.LOCK_SH)  # as a broker has it that still runs
        broker = waiting(f"{server.address}\nzookeeper.session.timeout.ms=300", fast=True)
        assert next_line(broker) == "broker 2 was not stopped cleanly: waiting 300 ms for its last session to end"
        fcntl.flock(held, fcntl.LOCK_UN)
        assert "parent=" in broker.communicate(timeout=30)[0]


@pytest.mark.parametrize("answer", ANSWERS, ids=["plain", "no words", "encrypted"])
def test_a_broker_waits_in_its_container_until_a_zookeeper_server_serves(waiting: Waiting, answer: str) -> None:
    with ZooKeeper(NOT_SERVING) as server:
        broker = waiting(f"not-there.invalid:2181,{server.address}/shop")
        said = f"broker 2 waits: no ZooKeeper server serves, of not-there.invalid:2181 {server.address}"
        assert next_line(broker) == said
        until(lambda: server.asked > 2, "it asks again")
        assert broker.poll() is None
        server.answer = answer
        assert next_line(broker) == "broker 2 goes on: ZooKeeper serves"
        assert "zookeeper.connect=" in broker.communicate(timeout=30)[0]
        assert broker.returncode == 0


BUSYBOX = """#!/bin/bash
# As that of BusyBox, it ends the process that it has started, and none that this one has started.
shift
"$@" &
sleep 1
kill $!
"""


def test_a_server_that_answers_nothing_is_taken_for_one_that_may_serve(
    waiting: Waiting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/timeout").write_text(BUSYBOX)
    (tmp_path / "bin/timeout").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = waiting(f"127.0.0.1:{silent.getsockname()[1]}")
        assert broker.wait(20) == 0


def test_a_broker_that_lets_its_last_session_end_stops_when_it_is_told_to(waiting: Waiting, tmp_path: Path) -> None:
    (tmp_path / "meta.properties").touch()
    with ZooKeeper(ANSWERS[0]) as server:
        broker = waiting(f"{server.address}\nzookeeper.session.timeout.ms=60000")
        assert "was not stopped cleanly: waiting 60000 ms" in next_line(broker)
        (pause,) = until(lambda: psutil.Process(broker.pid).children(), "it waits")
        until(lambda: pause.name() == "sleep", pause.name)
        broker.terminate()
        try:
            assert broker.wait(20) == 143
        finally:
            pause.kill()  # in a pod it ends with PID 1


def test_a_broker_that_waits_stops_when_it_is_told_to(waiting: Waiting) -> None:
    broker = waiting("127.0.0.1:1")
    assert "broker 2 waits" in next_line(broker)
    broker.terminate()
    assert broker.wait(20) == 143
