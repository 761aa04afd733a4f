"""What a broker's gate makes of the answer to its question."""

import json
import os
import shutil
import socketserver
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PROGRAM = Path(__file__).parents[2] / "constructs/hikube_kafka/charts/kafka/files/metadata.awk"
BROKERS = [1, 2, 300]

Partition = tuple[list[int], list[int]]  # replicas, and those in sync


def text(value: str | None) -> bytes:
    return struct.pack(">h", -1) if value is None else struct.pack(">h", len(value)) + value.encode()


def ids(brokers: list[int]) -> bytes:
    return struct.pack(f">i{len(brokers)}i", len(brokers), *brokers)


def metadata(brokers: list[int], topics: dict[str, list[Partition]]) -> bytes:
    """The answer to a Metadata request of version 1. Source: Kafka's protocol guide."""
    answer = struct.pack(">ii", 0, len(brokers))
    for broker in brokers:
        rack = "zone-a" if broker % 2 else None
        answer += struct.pack(">i", broker) + text(f"kafka-{broker}") + struct.pack(">i", 9092) + text(rack)
    answer += struct.pack(">ii", brokers[0] if brokers else -1, len(topics))
    for name, partitions in topics.items():
        answer += struct.pack(">h", 0) + text(name) + struct.pack(">bi", 0, len(partitions))
        for number, (replicas, in_sync) in enumerate(partitions):
            answer += struct.pack(">hii", 0, number, in_sync[0] if in_sync else -1) + ids(replicas) + ids(in_sync)
    return answer


def ask(question: str, answer: bytes, broker: int = 300) -> tuple[int, str]:
    if not shutil.which("awk"):
        pytest.skip("no awk on PATH")
    numbers = " ".join(str(byte) for byte in answer)
    command = ["awk", "-v", f"broker={broker}", "-v", f"question={question}", "-f", str(PROGRAM)]
    done = subprocess.run(command, input=numbers, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize("question", ["startup", "shutdown"])
def test_a_broker_in_sync_with_all_that_it_holds_may_go_on(question: str) -> None:
    topics = {"orders": [([1, 2, 300], [300, 2, 1]), ([1, 2], [1])], "of-others": [([1], [1])]}
    assert ask(question, metadata(BROKERS, topics)) == (0, "all 1 partitions in sync")


def test_a_broker_that_holds_nothing_may_go_on() -> None:
    assert ask("startup", metadata(BROKERS, {})) == (0, "all 0 partitions in sync")


@pytest.mark.parametrize("brokers", [[1, 2], []])
def test_a_broker_that_is_not_registered_waits(brokers: list[int]) -> None:
    assert ask("startup", metadata(brokers, {})) == (1, "broker 300 is not registered")


def test_a_broker_that_is_behind_waits_at_its_start_and_names_what_it_waits_for() -> None:
    topics = {"orders": [([1, 300], [1, 300]), ([1, 300], [1])], "payments": [([1, 300], []), *[([1, 300], [1])] * 3]}
    assert ask("startup", metadata(BROKERS, topics)) == (
        1,
        "5 of 6 partitions not in sync: orders-1 (leader 1) payments-0 (no leader) payments-1 (leader 1) ...",
    )


def test_a_broker_waits_for_others_before_its_stop_and_not_at_its_start() -> None:
    answer = metadata(BROKERS, {"orders": [([1, 2, 300], [1, 300])]})
    assert ask("startup", answer) == (0, "all 1 partitions in sync")
    assert ask("shutdown", answer) == (1, "1 of 1 partitions not in sync: orders-0 (leader 1, not in sync: 2)")


def test_a_broker_that_waits_for_one_that_is_away_says_so() -> None:
    answer = metadata([1, 300], {"orders": [([2, 300, 1], [300]), ([2, 300], [300])]})
    waits = "orders-0 (leader 300, not in sync: 2, 1) orders-1 (leader 300, not in sync: 2); not registered: 2"
    assert ask("shutdown", answer) == (1, f"2 of 2 partitions not in sync: {waits}")


def test_a_broker_does_not_wait_before_its_stop_for_its_own_replicas() -> None:
    own = [([1, 300], [1]), ([1, 2, 300], [1])]
    assert ask("shutdown", metadata(BROKERS, {"orders": [*own, ([2, 300], [2, 300])]})) == (
        0,
        "all 3 partitions in sync, apart from 2 whose replica on this broker is not",
    )
    assert ask("shutdown", metadata(BROKERS, {"orders": [*own, ([2, 300], [300])]})) == (
        1,
        "1 of 3 partitions not in sync: orders-2 (leader 300, not in sync: 2)",
    )


def test_the_last_broker_waits_for_nobody_before_its_stop() -> None:
    answer = metadata([300], {"orders": [([1, 2, 300], [300])]})
    assert ask("shutdown", answer) == (0, "no other broker is registered")
    assert ask("shutdown", metadata([], {"orders": [([1, 300], [300])]})) == (1, "broker 300 is not registered")


def test_what_is_behind_is_told_with_the_replicas_that_it_has() -> None:
    topics = {"orders": [([1, 300, 2], [1, 2]), ([1, 300], [1, 300])], "payments": [([300, 1], [1])]}
    code, told = ask("same", metadata(BROKERS, topics))
    assert (code, json.loads(told)) == (
        0,
        {
            "version": 1,
            "partitions": [
                {"topic": "orders", "partition": 0, "replicas": [1, 300, 2]},
                {"topic": "payments", "partition": 0, "replicas": [300, 1]},
            ],
        },
    )


@pytest.mark.parametrize("kept", [0, 3, 20, -1])
def test_half_an_answer_is_none(kept: int) -> None:
    answer = metadata(BROKERS, {"orders": [([1, 300], [1, 300])]})
    assert ask("startup", answer[:kept]) == (2, "broker 300 does not answer")


class Gate(NamedTuple):
    """The gate of broker 2, whose metadata is told; what it writes into the log of its container."""

    ask: Callable[..., tuple[int, str]]
    answer: list[bytes]
    log: Path


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """The script itself, with the paths of a container led elsewhere."""
    log, answers = tmp_path / "log", [b""]

    class Broker(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.read(18)
            self.wfile.write(struct.pack(">i", len(answers[0])) + answers[0])

    with socketserver.TCPServer(("127.0.0.1", 0), Broker) as broker:
        port = broker.server_address[1]
        moved = {"/tmp/": f"{tmp_path}/", "/release/": f"{PROGRAM.parent}/", "/proc/1/fd/1": str(log)}
        script = (PROGRAM.parent / "gate.sh").read_text("utf-8").replace('>"$log"', '>>"$log"')
        for place, elsewhere in moved.items():
            script = script.replace(place, elsewhere)
        (tmp_path / "server.properties").write_text(
            "advertised.listeners=OUTSIDE://example.com:9094,CLIENT://kafka-2.kafka-headless.shop.svc:9092,"
            f"FORWARD://127.0.0.1:{port}\ninter.broker.listener.name=CLIENT\n"
        )
        environment = {"HOSTNAME": "kafka-2", "NAMESPACE": "shop", "FORWARD_PORT": str(port - 2), "PATH": os.defpath}

        def ask(*words: str) -> tuple[int, str]:
            command = ["bash", "-c", script, "gate.sh", *words]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.stderr == ""
            return done.returncode, done.stdout.strip()

        thread = threading.Thread(target=broker.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Gate(ask, answers, log)
        finally:
            broker.shutdown()
            thread.join()


def test_a_broker_that_does_not_get_in_sync_is_told_once_with_the_command_that_helps(gate: Gate) -> None:
    waiting = 1, "1 of 1 partitions not in sync: orders-0 (leader 1)"
    gate.answer[0] = metadata([0, 1, 2], {"orders": [([1, 0, 2], [1, 0])]})
    assert gate.ask("startup", "60") == waiting
    assert gate.ask("startup", "60") == waiting
    assert not gate.log.exists()
    for _ in range(3):
        assert gate.ask("startup", "0") == waiting
    told = gate.log.read_text()
    assert told.count("nothing has changed for 0 s: 1 of 1 partitions not in sync: orders-0 (leader 1)") == 1
    assert told.endswith(
        """\necho '{"version":1,"partitions":[{"topic":"orders","partition":0,"replicas":[1,0,2]}]}' | """
        "kubectl -n shop exec -i kafka-2 -- env KAFKA_LOG4J_OPTS= KAFKA_HEAP_OPTS=-Xmx64m "
        "/opt/kafka/bin/kafka-reassign-partitions.sh --bootstrap-server kafka-2.kafka-headless.shop.svc:9092 "
        "--reassignment-json-file /dev/stdin --execute\n"
    )


def test_a_broker_that_gets_on_is_told_nothing(gate: Gate) -> None:
    behind = [([1, 2], [1])] * 3
    for left in (3, 2, 1):
        gate.answer[0] = metadata([1, 2], {"orders": behind[:left]})
        assert gate.ask("startup", "0")[0] == 1
    gate.answer[0] = metadata([1, 2], {"orders": [([1, 2], [1, 2])]})
    assert gate.ask("startup", "0") == (0, "all 1 partitions in sync")
    # The next start of the same container begins anew.
    gate.answer[0] = metadata([1, 2], {"orders": behind[:1]})
    assert gate.ask("startup", "0")[0] == 1
    assert not gate.log.exists()


def test_a_stop_that_waits_ends_and_says_for_what_it_has_waited(gate: Gate) -> None:
    gate.answer[0] = metadata([0, 2], {"orders": [([2, 0, 1], [2, 0])]})
    assert gate.ask("shutdown", "1") == (0, "")
    missing = "1 of 1 partitions not in sync: orders-0 (leader 2, not in sync: 1); not registered: 1"
    assert gate.log.read_text().endswith(f"stopping: {missing}: not waiting any longer\n")


def test_a_stop_does_not_wait_for_replicas_of_this_broker(gate: Gate) -> None:
    gate.answer[0] = metadata([0, 1, 2], {"orders": [([1, 0, 2], [1, 0])]})
    assert gate.ask("shutdown", "5") == (0, "")
    assert gate.log.read_text() == (
        "stopping: all 1 partitions in sync, apart from 1 whose replica on this broker is not\n"
    )
