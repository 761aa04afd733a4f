"""Port-forwards: what listens in a pod is met on a port of this machine; a kubeconfig is all they need."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from hikube_kafka.kubernetes.client import ApiServer
from hikube_kafka.kubernetes.errors import KubernetesError, LocalPortInUseError, PodsUnreachableError, StreamError
from hikube_kafka.kubernetes.kubeconfig import kubeconfig
from hikube_kafka.kubernetes.stream import PodStream
from hikube_kafka.waiting import until_async

_HOST = "127.0.0.1"
_RETRY_SECONDS = 0.25
_RECHECK_SECONDS = 5.0
_SILENCES_BORNE = 4
"""In a row, by a stream whose pod can still be reached: together longer than Kafka's request.timeout.ms of 30 s."""

_READ_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class PodPort:
    """A port of a pod that is to be forwarded."""

    pod: str
    port: int
    """The port inside the pod."""
    local_port: int | None = None
    """The port on 127.0.0.1 that the forward must stand on; None: any free one."""


@dataclass(frozen=True, kw_only=True)
class PodForwards:
    """Forwards that stand."""

    addresses: Mapping[PodPort, str]
    """``host:port`` on this machine of each."""
    troubles: Mapping[str, str]
    """Why the last connection to a pod failed, by the pod's name; a connection that opens clears it. It tells more than
    the client's own error, which knows only that its connection was closed."""


@contextlib.contextmanager
def forward(
    ports: Sequence[PodPort],
    *,
    namespace: str,
    kubeconfig: str | None = None,
    context: str | None = None,
    require: Literal["all", "any"] = "all",
    pod_wait_seconds: float = 60.0,
    port_wait_seconds: float = 30.0,
) -> Iterator[PodForwards]:
    """Keep port-forwards for as long as the context lasts.

    Every connection becomes a stream of its own to the pod that has the name at that moment. A stream that breaks, or
    whose node has gone silent, closes its connection here, so that the client connects again: a pod may be replaced
    while its forward stands. Everything is closed when the context ends, by Ctrl-C too. May be called and used from
    any thread; the forwards live in a thread of their own.

    Args:
        ports: What to forward, one port of a pod.
        namespace: Where the pods are.
        kubeconfig: The file, or several joined as in ``KUBECONFIG``; None means what the environment says: see
            `hikube_kafka.kubernetes.kubeconfig.kubeconfig`.
        context: Its context; None means the current one.
        require: ``all`` pods must be reachable to begin; or ``any`` one of them: the others are not waited for, but
            connected to when they come, and until then a client meets what a dead server would show it.
        pod_wait_seconds: How long to wait for pods that do not run yet.
        port_wait_seconds: How long to wait for a local port that is in use: mostly by another process of the same
            Terraform run that is about to end.

    Yields:
        The addresses on this machine.

    Raises:
        KubernetesError: The cluster, a pod or a local port cannot be used; each reason is an error of its own.
    """
    from anyio.from_thread import start_blocking_portal

    standing = _Standing(
        ports=ports,
        namespace=namespace,
        kubeconfig=kubeconfig,
        context=context,
        require=require,
        pod_wait_seconds=pod_wait_seconds,
        port_wait_seconds=port_wait_seconds,
    )
    with start_blocking_portal(name="port-forwards") as portal, portal.wrap_async_context_manager(standing) as forwards:
        yield forwards


@dataclass(kw_only=True)
class _Standing:
    """The forwards inside their event loop.

    A class, and not a generator: an exception of the caller must not be thrown into the event loop, where a
    KeyboardInterrupt would break the loop that has to close everything.
    """

    ports: Sequence[PodPort]
    namespace: str
    kubeconfig: str | None
    context: str | None
    require: Literal["all", "any"]
    pod_wait_seconds: float
    port_wait_seconds: float
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _troubles: dict[str, str] = field(default_factory=dict)

    async def __aenter__(self) -> PodForwards:
        async with contextlib.AsyncExitStack() as stack:
            api = await stack.enter_async_context(ApiServer.connected(self.kubeconfig, self.context, self.namespace))
            await self._reached(api)
            # In ascending order, so that two processes that open the same forwards never wait for each other; any free
            # port last, for it may be one that another forward must stand on.
            ordered = sorted(self.ports, key=lambda each: (each.local_port is None, each.local_port or 0))
            addresses = {each: await self._listen(stack, api, each) for each in ordered}
            self._stack = stack.pop_all()
        return PodForwards(addresses=addresses, troubles=self._troubles)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _reached(self, api: ApiServer) -> None:
        """Wait until a stream opens to every pod: its container runs, its node answers, and we are allowed to."""
        reached: set[PodPort] = set()

        async def opens(target: PodPort) -> bool:
            """Whether this one needs no more waiting."""
            try:
                state = await api.pod(target.pod)
                if state.running:
                    async with api.stream(target.pod, target.port):
                        self._troubles.pop(target.pod, None)
                        reached.add(target)
                        return True
                self._troubles[target.pod] = state.summary
            except StreamError as error:
                self._troubles[target.pod] = error.reason
            return self.require == "any" and bool(reached)

        async def wait_for(target: PodPort) -> None:
            await until_async(lambda: opens(target), self.pod_wait_seconds, every=_RETRY_SECONDS)

        waits = [asyncio.create_task(wait_for(target)) for target in self.ports]
        try:
            await asyncio.gather(*waits)
        finally:
            await _cancelled(waits)
        if len(reached) < len(self.ports) and (self.require == "all" or not reached):
            command = kubeconfig(self.kubeconfig, self.context).command("kubectl", self.namespace)
            raise PodsUnreachableError(self.namespace, self._troubles, self.pod_wait_seconds, command)

    async def _listen(self, stack: contextlib.AsyncExitStack, api: ApiServer, target: PodPort) -> str:
        """Listen for one pod until the stack unwinds."""
        listener = await self._bound(target)
        port = int(listener.getsockname()[1])
        carriers: set[asyncio.Task[None]] = set()
        closed = False

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if closed:  # a connection that the event loop had taken already
                writer.transport.abort()
                return
            carrier = asyncio.create_task(self._carry(api, target, reader, writer))
            carriers.add(carrier)
            carrier.add_done_callback(carriers.discard)
            # Whatever is left unsent goes nowhere: the client must notice at once, and the port be free again. Here,
            # for a task that is cancelled before its first step never comes to its own end.
            carrier.add_done_callback(lambda _: writer.transport.abort())

        server = await asyncio.start_server(accept, sock=listener, limit=_READ_BYTES)

        async def close() -> None:
            nonlocal closed
            closed = True
            server.close()
            await _cancelled(carriers)

        stack.push_async_callback(close)
        return f"{_HOST}:{port}"

    async def _bound(self, target: PodPort) -> socket.socket:
        if target.local_port is None:
            return socket.create_server((_HOST, 0))
        port = target.local_port

        async def listening() -> socket.socket | None:
            try:
                return socket.create_server((_HOST, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            return None

        listener = await until_async(listening, self.port_wait_seconds, every=_RETRY_SECONDS)
        if listener is None:
            raise LocalPortInUseError(port, target.pod, _holder_of(port), self.port_wait_seconds)
        return listener

    async def _carry(
        self, api: ApiServer, target: PodPort, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry one connection until either end closes it or its stream breaks."""
        pod, port = target.pod, target.port
        try:
            state = await api.pod(pod)
            if not state.running:
                raise StreamError(pod, port, state.summary)
            async with api.stream(pod, port) as stream:
                self._troubles.pop(pod, None)
                ways = [
                    asyncio.create_task(_to_pod(reader, stream)),
                    asyncio.create_task(_from_pod(stream, writer)),
                    asyncio.create_task(_while_reachable(api, pod, port, state.uid, stream)),
                ]
                try:
                    done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                    for way in done:
                        way.result()
                finally:
                    await _cancelled(ways)
        except KubernetesError as error:
            self._troubles[pod] = error.reason if isinstance(error, StreamError) else str(error)
        except ConnectionError:  # the client has gone
            pass


async def _to_pod(reader: asyncio.StreamReader, stream: PodStream) -> None:
    while data := await reader.read(_READ_BYTES):
        await stream.send(data)


async def _from_pod(stream: PodStream, writer: asyncio.StreamWriter) -> None:
    while data := await stream.receive():
        writer.write(data)
        await writer.drain()
    writer.close()  # the pod's last words still reach the client
    await writer.wait_closed()


async def _while_reachable(api: ApiServer, pod: str, port: int, uid: str | None, stream: PodStream) -> None:
    """Return never while this pod can be reached.

    Silence alone proves nothing: a server takes nothing from a connection whose request waits for other servers. So the
    same pod is asked for a second stream, which a node that is gone cannot give.

    Raises:
        StreamError: The node is gone, or another pod has the name, or the silence lasts.
    """
    for _ in range(_SILENCES_BORNE):
        try:
            await stream.stay_answered()
        except StreamError as silence:
            error = silence
        try:
            async with asyncio.timeout(_RECHECK_SECONDS):
                if (await api.pod(pod)).uid != uid:
                    raise error
                async with api.stream(pod, port):
                    pass
        except (TimeoutError, KubernetesError):
            raise error from None
    raise error


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have closed what they hold."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _holder_of(port: int) -> str | None:
    """The process of this machine that listens on the port, as far as the system lets us see."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None
