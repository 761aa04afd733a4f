"""Which servers may be removed: ``removal.sh`` of each chart as it runs before an upgrade."""

import contextlib
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.kubernetes import CHARTS, Render

SCRIPT = CHARTS / "zookeeper/hooks/removal.sh"


@contextlib.contextmanager
def answering(voters: frozenset[int]) -> Iterator[int]:
    """A server that takes these for voters; gives its port."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            assert self.request.recv(4) == b"conf"
            lines = [f"server.{each}=zk-{each - 1}:2888:3888:participant;0.0.0.0:2181\n" for each in sorted(voters)]
            self.request.sendall("".join(["clientPort=2181\n", *lines, "version=1"]).encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(views: Mapping[int, set[int]], *, servers: int, there: int | None) -> tuple[int, str]:
    """Ask the servers, each with the voters that it knows, by their ids; the others do not answer.

    Args:
        views: Whom each server that serves takes for voters.
        servers: How many there are to be.
        there: How many there are; None: it is rendered without a cluster, and their names tell.
    """
    if not shutil.which("bash"):
        pytest.skip("no bash on PATH")
    with contextlib.ExitStack() as serving:
        ports = {server: serving.enter_context(answering(frozenset(view))) for server, view in views.items()}
        script = SCRIPT.read_text("utf-8")
        for pods, here in {
            '"/dev/tcp/$0/$PORT"': '"/dev/tcp/127.0.0.1/$0"',
            'echo "$RELEASE-$1.$RELEASE-headless.$NAMESPACE.svc"': 'id=$(($1 + 1)); echo "${PORTS[id]:-1}"',
            'getent hosts "$(host "$each")" >/dev/null': "[[ -n ${PORTS[each + 1]:-} ]]",
        }.items():
            assert pods in script
            script = script.replace(pods, here)
        known = " ".join(f"[{server}]={port}" for server, port in ports.items())
        done = subprocess.run(
            ["bash", "-c", f"PORTS=({known})\n{script}"],
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "RELEASE": "zk",
                "NAMESPACE": "shop",
                "SERVERS": str(servers),
                "THERE": str(there or ""),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


ALL = {1: {1, 2, 3}, 2: {1, 2, 3}, 3: {1, 2, 3}}


@pytest.mark.parametrize("there", [3, None])
def test_servers_that_vote_are_not_removed(there: int | None) -> None:
    refused, said = ask(ALL, servers=1, there=there)
    assert refused == 1
    assert "replicas: 1 in place of 3 is refused" in said
    assert "no quorum: 2, 3." in said
    assert said.endswith("kubectl -n shop exec zk-0 -- bash /release/leave.sh 2 3")


def test_one_of_those_that_stay_is_enough_to_know_who_votes() -> None:
    refused, said = ask({3: {1, 2, 3, 4, 5}, 4: {1}, 5: {1}}, servers=3, there=5)
    assert (refused, said.rpartition("leave.sh ")[2]) == (1, "4 5")


@pytest.mark.parametrize("there", [3, None])
def test_servers_that_no_longer_vote_are_removed(there: int | None) -> None:
    views = {1: {1}, 2: {1, 2, 3}, 3: {1}}
    assert ask(views, servers=1, there=there) == (0, "none of the servers that are removed votes; these do: 1")


def test_where_those_that_stay_say_nothing_no_server_is_removed() -> None:
    refused, said = ask({2: {1, 2, 3}}, servers=1, there=3)
    assert refused == 1
    assert "none of the servers that would stay says who votes" in said


def test_without_a_server_to_remove_nobody_is_asked() -> None:
    assert ask(ALL, servers=3, there=None) == (0, "no server is removed")
    assert ask({}, servers=3, there=None) == (0, "no server is removed")


@pytest.mark.parametrize("chart", ["zookeeper", "kafka"])
def test_rendered_without_a_cluster_the_question_is_a_part_of_every_upgrade(chart: str, render: Render) -> None:
    (job,) = (each for each in render(chart, {}) if each["kind"] == "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["bash", "-c", (CHARTS / chart / "hooks/removal.sh").read_text("utf-8")]


def test_brokers_that_want_a_certificate_or_a_password_are_not_asked(render: Render) -> None:
    secured = {"config": {"listener.security.protocol.map": "CLIENT:SASL_SSL,FORWARD:PLAINTEXT"}}
    assert "Job" not in {each["kind"] for each in render("kafka", secured)}


DESCRIBED = """\
Topic: orders	TopicId: x	PartitionCount: 2	ReplicationFactor: 2	Configs:
	Topic: orders	Partition: 0	Leader: 0	Replicas: 0,1	Isr: 0,1	Elr: 	LastKnownElr:
	Topic: orders	Partition: 1	Leader: 0	Replicas: 0,2	Isr: 0	Elr: 	LastKnownElr:
	Topic: audit	Partition: 0	Leader: 1	Replicas: 1,0	Isr: 1,0	Elr: 	LastKnownElr:
"""


@pytest.mark.parametrize(
    ("servers", "described", "said"),
    [
        (2, DESCRIBED, "removed; broker 2 holds 1. First"),
        (1, DESCRIBED, "removed; broker 1 holds 2, broker 2 holds 1. First"),
        (3, DESCRIBED, "none of the brokers that are removed holds a replica"),
        (2, "", "none of the brokers that are removed holds a replica"),
        (2, None, "none of the brokers that would stay says who holds replicas"),
    ],
)
def test_brokers_that_hold_replicas_are_not_removed(
    servers: int, described: str | None, said: str, tmp_path: Path
) -> None:
    tool = tmp_path / "kafka-topics.sh"
    answer = f"cat <<'END'\n{described}END" if described is not None else "exit 1"
    tool.write_text(f"#!/bin/bash\n{answer}\n")
    tool.chmod(0o755)
    script = (CHARTS / "kafka/hooks/removal.sh").read_text("utf-8").replace("/opt/kafka/bin/", f"{tmp_path}/")
    done = subprocess.run(
        ["bash", "-c", script],
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "RELEASE": "kafka",
            "NAMESPACE": "shop",
            "SERVERS": str(servers),
            "THERE": "4",
            "PORT": "9092",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert said in done.stdout
    assert done.returncode == (0 if "holds a replica" in said else 1)
