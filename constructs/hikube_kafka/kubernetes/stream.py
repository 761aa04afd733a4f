"""A stream of bytes to one port of one pod: one websocket to the node's kubelet, through the API server."""

import asyncio
from typing import TYPE_CHECKING

from hikube_kafka.kubernetes.errors import StreamError, words

if TYPE_CHECKING:
    import httpcore
    import wsproto.events

PROTOCOL = "v4.channel.k8s.io"
"""Kubernetes' protocol for port-forwards over a websocket: the first byte of a message names its channel."""

PING_INTERVAL_SECONDS = 3.0
"""How long a stream may be silent before it is asked for a sign of life, and how long it may take to give it."""

_ERROR = 1
"""The channel on which the node says why it gave up; channel 0 carries the data."""

_READ_BYTES = 256 * 1024


class PodStream:
    """A stream of bytes to one port of one pod: one websocket to the node's kubelet, through the API server."""

    def __init__(self, pod: str, port: int, network: "httpcore.AsyncNetworkStream") -> None:
        from wsproto.connection import Connection, ConnectionType

        self._pod = pod
        self._port = port
        self._network = network
        self._frames = Connection(ConnectionType.CLIENT)
        self._sending = asyncio.Lock()
        self._arrived: list[bytes] = []
        self._ended = False
        self._channel: int | None = None
        self._greeted: set[int] = set()
        self._greeting = False
        self._heard = asyncio.Event()
        self._listening = False

    async def send(self, data: bytes) -> None:
        """Send bytes; waits while the other end takes none."""
        import wsproto.events

        await self._write(wsproto.events.BytesMessage(data=b"\0" + data))

    async def receive(self) -> bytes:
        """Receive some bytes; ``b""`` once the other end has closed.

        Raises:
            StreamError: Nothing in the pod listens on the port, or the connection to the API server broke.
        """
        import httpcore

        while not self._arrived and not self._ended:
            self._listening = True
            try:
                raw = await self._network.read(_READ_BYTES)
            except httpcore.ReadError as error:
                raise self._broken(error) from error
            finally:
                self._listening = False
            self._heard.set()
            await self._digest(raw)
        data, self._arrived = b"".join(self._arrived), []
        return data

    async def stay_answered(self) -> None:
        """Return never while the node answers.

        The node of the pod can vanish without a word, and nothing on the way would ever tell: a ping is answered by
        the kubelet itself, on this very stream. It also keeps balancers in front of the API server from dropping an
        idle stream.

        Raises:
            StreamError: Nothing came for two intervals, although a ping asked for it. Either the node is gone, or the
                ping waits behind data that the pod does not take.
        """
        import wsproto.events

        while True:
            await asyncio.sleep(PING_INTERVAL_SECONDS)
            if self._heard.is_set() or not self._listening:  # our own client may take nothing: that is no silence
                self._heard.clear()
                continue
            try:
                async with asyncio.timeout(PING_INTERVAL_SECONDS):
                    await self._write(wsproto.events.Ping())
                    await self._heard.wait()
            except TimeoutError:
                reason = f"its node has not answered for {2 * PING_INTERVAL_SECONDS:g} s"
                raise StreamError(self._pod, self._port, reason) from None

    async def _digest(self, raw: bytes) -> None:
        import wsproto.events

        self._frames.receive_data(raw or None)
        for event in self._frames.events():
            if isinstance(event, wsproto.events.Ping):
                await self._write(event.response())
            elif isinstance(event, wsproto.events.CloseConnection):
                self._ended = True
            elif isinstance(event, wsproto.events.BytesMessage):
                self._take(bytes(event.data))
                if event.message_finished:
                    self._channel = None

    def _take(self, data: bytes) -> None:
        if self._channel is None:
            if not data:
                return
            self._channel, data = data[0], data[1:]
            self._greeting = self._channel not in self._greeted
            self._greeted.add(self._channel)
        if self._greeting:  # the first message of a channel repeats the port's number
            return
        if self._channel == _ERROR:
            raise StreamError(self._pod, self._port, data.decode(errors="replace").strip())
        if data:
            self._arrived.append(data)

    async def _write(self, event: "wsproto.events.Event") -> None:
        import httpcore
        import wsproto.utilities

        async with self._sending:
            try:
                await self._network.write(self._frames.send(event))
            except (httpcore.WriteError, wsproto.utilities.LocalProtocolError) as error:
                raise self._broken(error) from error

    def _broken(self, error: Exception) -> StreamError:
        return StreamError(self._pod, self._port, f"the connection to the API server broke: {words(error)}")
