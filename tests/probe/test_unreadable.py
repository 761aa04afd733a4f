"""What cannot be read is told, with its reason and in bounded time."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from hikube_kafka.kafka.security import Credentials
from hikube_kafka.probe.kafka import observe_kafka
from hikube_kafka.probe.observation import Unreadable
from hikube_kafka.probe.zookeeper import exchange_writes, four_letter_word, observe_zookeeper

BOUND = 20.0
"""Seconds that a read with a timeout of 0.3 s may take on a busy machine: far from for ever."""

Listen = Callable[[bytes | None], str]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Listen somewhere, and give each caller this answer; None: never answer, as a frozen server does."""
    with ExitStack() as stack:

        def listen(answer: bytes | None) -> str:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            host, port = server.getsockname()

            def serve() -> None:
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    with connection:
                        connection.recv(64)
                        connection.sendall(answer or b"")

            if answer is not None:
                thread = threading.Thread(target=serve)
                thread.start()
                stack.callback(thread.join)
                stack.callback(server.shutdown, socket.SHUT_RDWR)
            return f"{host}:{port}"

        yield listen


@pytest.fixture
def nobody() -> str:
    """An address on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
    return f"{host}:{port}"


def reasons(*parts: object) -> set[str]:
    assert all(isinstance(part, Unreadable) for part in parts), parts
    return {part.reason for part in parts if isinstance(part, Unreadable)}


def test_a_server_that_is_not_there_is_unreadable_throughout(nobody: str) -> None:
    (server,) = observe_zookeeper([nobody], timeout=5).servers

    assert reasons(server.status, server.followers, server.voting_view, server.kafka) == {"connection refused"}
    assert server.status == Unreadable(f"srvr of {nobody}", "connection refused")


def test_a_frozen_server_is_unreadable_in_bounded_time(listen: Listen) -> None:
    begin = time.monotonic()

    (server,) = observe_zookeeper([listen(None)], timeout=0.3).servers

    assert reasons(server.status, server.kafka) == {"timed out"}
    assert time.monotonic() - begin < BOUND


def test_a_server_out_of_quorum_says_so(listen: Listen) -> None:
    address = listen(b"This ZooKeeper instance is not currently serving requests\n")

    (server,) = observe_zookeeper([address], timeout=5).servers

    assert reasons(server.status) == {"runs, but serves no requests: it is in no quorum"}


def test_a_server_that_refuses_a_word_says_which(listen: Listen) -> None:
    address = listen(b"mntr is not executed because it is not in the whitelist.\n")

    with pytest.raises(OSError, match=r"refuses mntr: its 4lw.commands.whitelist must name it"):
        four_letter_word(address, "mntr", 5)


def test_something_else_on_the_port_is_unreadable(listen: Listen) -> None:
    (server,) = observe_zookeeper([listen(b"HTTP/1.1 400 Bad Request\r\n\r\n")], timeout=5).servers

    assert reasons(server.status) == {"what answers there is not a ZooKeeper server"}


def test_a_connection_closed_without_an_answer_is_unreadable(listen: Listen) -> None:
    (server,) = observe_zookeeper([listen(b"")], timeout=5).servers

    assert reasons(server.status) == {"closed the connection without an answer to srvr"}


def test_no_write_is_exchanged_with_servers_that_do_not_serve(nobody: str, listen: Listen) -> None:
    frozen = listen(None)

    read_backs = exchange_writes([nobody, frozen], timeout=2)

    outcomes = {(each.writer, each.reader): each.read for each in read_backs}
    assert set(outcomes) == {(writer, reader) for writer in (nobody, frozen) for reader in (nobody, frozen)}
    assert reasons(outcomes[nobody, frozen]) == {"connection refused"}
    assert reasons(outcomes[frozen, nobody]) == {"timed out"}


def test_a_broker_that_is_not_there_is_unreadable_with_the_system_s_reason(nobody: str) -> None:
    (broker,) = observe_kafka([nobody], timeout=5).brokers

    assert broker.id is None
    assert reasons(broker.metadata, broker.settings) == {"connection refused"}


def test_a_broker_that_speaks_no_tls_is_unreadable_with_the_client_s_own_complaint(listen: Listen) -> None:
    credentials = Credentials(protocol="SSL")

    (broker,) = observe_kafka([listen(b"no TLS\n")], credentials, timeout=5).brokers

    (reason,) = reasons(broker.metadata, broker.settings)
    assert "SSL_HANDSHAKE" in reason


def test_a_frozen_broker_is_unreadable_in_bounded_time(listen: Listen) -> None:
    begin = time.monotonic()

    (broker,) = observe_kafka([listen(None)], timeout=0.3).brokers

    assert isinstance(broker.metadata, Unreadable)
    assert time.monotonic() - begin < BOUND


def test_librdkafka_prints_nothing(listen: Listen) -> None:
    # In a process of its own: a client that another test of this process left behind prints as well.
    code = "import sys; from hikube_kafka.probe.kafka import observe_kafka; observe_kafka(sys.argv[1:], timeout=1)"

    run = subprocess.run(
        [sys.executable, "-c", code, listen(b"no Kafka\n")], capture_output=True, text=True, timeout=120, check=True
    )

    assert (run.stdout, run.stderr) == ("", "")


@pytest.mark.parametrize("address", ["b", "b:", ":9092", "b:http"])
def test_an_address_without_host_or_port_is_unreadable(address: str) -> None:
    (broker,) = observe_kafka([address], timeout=0.3).brokers

    assert reasons(broker.metadata) == {f"{address!r} is not host:port"}


def test_nothing_asked_for_is_nothing_seen() -> None:
    assert observe_zookeeper([]).servers == ()
    assert exchange_writes([]) == ()
    assert observe_kafka([]).brokers == ()


def test_a_translated_address_keeps_its_own_name(nobody: str) -> None:
    (server,) = observe_zookeeper(["zookeeper-0.svc:2181"], timeout=5, dial={"zookeeper-0.svc:2181": nobody}).servers
    (broker,) = observe_kafka(["kafka-0.svc:9092"], timeout=5, dial={"kafka-0.svc:9092": nobody}).brokers

    assert server.status == Unreadable("srvr of zookeeper-0.svc:2181", "connection refused")
    assert broker.metadata == Unreadable("metadata of the broker at kafka-0.svc:9092", "connection refused")
