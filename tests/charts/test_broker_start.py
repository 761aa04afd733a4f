"""What ``start.sh`` fills in where a broker starts, up to where it becomes the broker."""

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import psutil
import pytest

from tests.support.kubernetes import CHARTS
from tests.support.waiting import until

ADVERTISED = "CLIENT://<host>:9092,OUTSIDE://<node>:<node-port>,FORWARD://127.0.0.1:<forward-port>"


def command(folder: Path, properties: str, node: str = "10.0.0.7") -> tuple[list[str], dict[str, str]]:
    """What starts broker 2 on the node with that address, and its environment; it shows its properties and ends."""
    (folder / "server.properties").write_text(f"{properties}\nlog.dirs={folder}\n")
    script = (CHARTS / "kafka/files/start.sh").read_text()
    for path in ("/tmp/", "/release/"):
        script = script.replace(path, f"{folder}{'' if path == '/release/' else '/filled'}/")
    (folder / "filled").mkdir()
    (folder / "start.sh").write_text(script.replace("exec /opt/kafka/bin/kafka-server-start.sh", "cat"))
    pod = {"HOSTNAME": "kafka-2", "SERVICE": "kafka-headless", "NAMESPACE": "shop", "NODE_NAME": "node-1", "RACKS": ""}
    ports = {"FORWARD_PORT": "19092", "NODE_PORT": "30092"}
    return ["bash", str(folder / "start.sh")], {"PATH": os.environ["PATH"], **pod, **ports, "NODE_ADDRESS": node}


def advertised(folder: Path, node: str) -> str:
    started, environment = command(folder, f"advertised.listeners={ADVERTISED}", node)
    done = subprocess.run(started, env=environment, capture_output=True, text=True, check=True, timeout=20)
    (line,) = (each for each in done.stdout.splitlines() if each.startswith("advertised.listeners="))
    return line.partition("=")[2]


@pytest.mark.parametrize(("node", "told"), [("10.0.0.7", "10.0.0.7"), ("2001:db8::7", "[2001:db8::7]")])
def test_a_nodes_address_is_advertised_with_its_port(node: str, told: str, tmp_path: Path) -> None:
    expected = f"CLIENT://kafka-2.kafka-headless.shop.svc:9092,OUTSIDE://{told}:30094,FORWARD://127.0.0.1:19094"
    assert advertised(tmp_path, node) == expected


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a broker of these ZooKeeper servers."""
    with contextlib.ExitStack() as stack:

        def start(connect: str) -> subprocess.Popen[str]:
            started, environment = command(tmp_path, f"zookeeper.connect={connect}")
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
                    peer.recv(4)
                    self.asked += 1
                    peer.sendall(self.answer.encode())


NOT_SERVING = "This ZooKeeper instance is not currently serving requests\n"
ANSWERS = [
    "Zookeeper version: 3.9.5\nMode: follower\n",
    "srvr is not executed because it is not in the whitelist.\n",
    "",
]


@pytest.mark.parametrize("answer", ANSWERS, ids=["plain", "no words", "encrypted"])
def test_a_broker_waits_in_its_container_until_a_zookeeper_server_serves(
    waiting: Callable[[str], subprocess.Popen[str]], answer: str
) -> None:
    with ZooKeeper(NOT_SERVING) as server:
        broker = waiting(f"not-there.invalid:2181,{server.address}/shop")
        assert broker.stdout is not None
        said = f"broker 2 waits: no ZooKeeper server serves, of not-there.invalid:2181 {server.address}\n"
        assert broker.stdout.readline() == said
        until(lambda: server.asked > 2, "it asks again")
        assert broker.poll() is None
        server.answer = answer
        assert broker.stdout.readline() == "broker 2 goes on: ZooKeeper serves\n"
        assert "zookeeper.connect=" in broker.stdout.read()
        assert broker.wait(20) == 0


BUSYBOX = """#!/bin/bash
# As that of BusyBox, it ends the process that it has started, and none that this one has started.
shift
"$@" &
sleep 1
kill $!
"""


def test_a_server_that_answers_nothing_is_taken_for_one_that_may_serve(
    waiting: Callable[[str], subprocess.Popen[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/timeout").write_text(BUSYBOX)
    (tmp_path / "bin/timeout").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = waiting(f"127.0.0.1:{silent.getsockname()[1]}")
        assert broker.wait(20) == 0


def test_a_broker_that_lets_its_last_session_end_stops_when_it_is_told_to(
    waiting: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "meta.properties").touch()
    with ZooKeeper(ANSWERS[0]) as server:
        broker = waiting(f"{server.address}\nzookeeper.session.timeout.ms=60000")
        assert broker.stdout is not None
        assert "was not stopped cleanly: waiting 60000 ms" in broker.stdout.readline()
        (pause,) = until(lambda: psutil.Process(broker.pid).children(), "it waits")
        until(lambda: pause.name() == "sleep", pause.name)
        broker.terminate()
        try:
            assert broker.wait(20) == 143
        finally:
            pause.kill()  # in a pod it ends with PID 1


def test_a_broker_that_waits_stops_when_it_is_told_to(waiting: Callable[[str], subprocess.Popen[str]]) -> None:
    broker = waiting("127.0.0.1:1")
    assert broker.stdout is not None
    assert "broker 2 waits" in broker.stdout.readline()
    broker.terminate()
    assert broker.wait(20) == 143
