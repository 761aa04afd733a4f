import asyncio

import pytest

from hikube_kafka.kubernetes.errors import StreamError
from hikube_kafka.kubernetes.stream import PodStream


class Wire:
    """The network under a stream: what the node sends is given, what it is sent is kept."""

    def __init__(self, *arriving: bytes) -> None:
        self.arriving = list(arriving)
        self.sent = b""

    async def read(self, _limit: int) -> bytes:
        if self.arriving:
            return self.arriving.pop(0)
        return await asyncio.Event().wait() and b""  # never

    async def write(self, data: bytes) -> None:
        self.sent += data


def frame(payload: bytes, opcode: int = 2, *, final: bool = True) -> bytes:
    """A websocket frame as a server sends it (RFC 6455, section 5.2)."""
    length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    return bytes([opcode | (0x80 if final else 0)]) + length + payload


GREETING = frame(b"\0\x85\x08") + frame(b"\x01\x85\x08")


def received(*arriving: bytes) -> tuple[bytes, Wire]:
    wire = Wire(*arriving)

    async def all_of_it() -> bytes:
        stream = PodStream("kafka-0", 19092, wire)  # type: ignore[arg-type]
        data = b""
        while more := await stream.receive():
            data += more
        return data

    return asyncio.run(asyncio.wait_for(all_of_it(), 10)), wire


END = frame((1000).to_bytes(2, "big"), opcode=8)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_message_is_the_same_however_the_network_cuts_it(size: int) -> None:
    whole = (
        GREETING
        + frame(b"\0first ")
        + frame(b"\0sec", final=False)
        + frame(b"on", opcode=0, final=False)
        + frame(b"d", opcode=0)
        + END
    )
    data, _ = received(*(whole[start : start + size] for start in range(0, len(whole), size)))
    assert data == b"first second"


def test_a_ping_is_answered() -> None:
    _, wire = received(GREETING + frame(b"?", opcode=9) + END)
    assert wire.sent[0] == 0x8A


def test_what_the_node_says_of_a_failure_is_told() -> None:
    with pytest.raises(StreamError) as caught:
        received(GREETING + frame(b"\x01connection refused "))
    assert (caught.value.pod, caught.value.port, caught.value.reason) == ("kafka-0", 19092, "connection refused")


def test_a_connection_that_breaks_without_a_close_is_an_end() -> None:
    data, _ = received(GREETING + frame(b"\0all there was"), b"")
    assert data == b"all there was"


def test_a_node_that_answers_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hikube_kafka.kubernetes.stream.PING_INTERVAL_SECONDS", 0.05)
    wire = Wire()
    stream = PodStream("kafka-0", 19092, wire)  # type: ignore[arg-type]

    async def listen_for_life() -> None:
        async with asyncio.timeout(10), asyncio.TaskGroup() as both:
            both.create_task(stream.receive())
            both.create_task(stream.stay_answered())

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(listen_for_life())
    assert caught.group_contains(StreamError, match="has not answered")
    assert wire.sent[0] == 0x89, "asked before it gives up"


def test_a_client_that_reads_nothing_is_no_silence_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hikube_kafka.kubernetes.stream.PING_INTERVAL_SECONDS", 0.01)
    wire = Wire()
    stream = PodStream("kafka-0", 19092, wire)  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):  # nobody waits in receive()
        asyncio.run(asyncio.wait_for(stream.stay_answered(), 0.2))
    assert wire.sent == b""
