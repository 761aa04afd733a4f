"""A server hangs if it listens and does not answer: not one that has not come that far, nor one that says no."""

import socket
import threading
from collections.abc import Iterator

import pytest

from hikube_kafka.ensemble.living import is_silent


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def configurations(port: int) -> list[dict[str, str]]:
    return [{"clientPort": str(port), "dataDir": "data"}, {"listeners": f"PLAINTEXT://127.0.0.1:{port}"}]


def test_whoever_listens_and_says_nothing_hangs(listening: socket.socket) -> None:
    for properties in configurations(listening.getsockname()[1]):
        assert is_silent(properties)


def test_whoever_does_not_listen_yet_does_not_hang(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    listening.close()
    for properties in configurations(port):
        assert not is_silent(properties)


def test_a_zookeeper_server_that_answers_without_a_quorum_does_not_hang(listening: socket.socket) -> None:
    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(4)
            connection.sendall(b"This ZooKeeper instance is not currently serving requests\n")

    answering = threading.Thread(target=answer)
    answering.start()
    assert not is_silent(configurations(listening.getsockname()[1])[0])
    answering.join(10)
