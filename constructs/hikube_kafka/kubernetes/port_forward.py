"""Port-forwards: how a complete Kafka and ZooKeeper client works from outside a cluster with nothing but a kubeconfig.

A broker advertises 127.0.0.1 and a port of its own on its forward listener, so the forward must stand on exactly that
port here. A ZooKeeper server advertises nothing; any free port does.
"""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from hikube_kafka.kubernetes.client import Cluster, KubernetesError, PodStream, StreamError
from hikube_kafka.spec.contract import ReachByPortForward

_HOST = "127.0.0.1"
_RETRY_SECONDS = 0.25
_RECHECK_SECONDS = 5.0
_SILENCES_BORNE = 4
"""In a row, by a stream whose pod is still within reach: together longer than Kafka's request.timeout.ms of 30 s."""

_READ_BYTES = 256 * 1024


class LocalPortInUseError(KubernetesError):
    """A port that a broker's forward must stand on is taken on this machine.

    Attributes:
        port: The port on 127.0.0.1.
        broker: Id of the broker that advertises it.
        holder: The process that has it, as ``name (process 123)``; None where the system does not tell.
        waited_seconds: How long it was waited for.
    """

    def __init__(self, port: int, broker: int, holder: str | None, waited_seconds: float) -> None:
        self.port = port
        self.broker = broker
        self.holder = holder
        self.waited_seconds = waited_seconds
        super().__init__(
            f"port {_HOST}:{port} is in use by {holder or 'another process'} (waited {waited_seconds:g} s for it), and "
            f"broker {broker} advertises exactly this port to clients that come through a port-forward. Stop that "
            "process (another run of Terraform or of the smoke gate, a kubectl port-forward), or declare another "
            "forward_port for the platform."
        )


class PodsUnreachableError(KubernetesError):
    """Pods did not come within reach in time.

    Attributes:
        namespace: Where they were looked for.
        pods: Why each of them is out of reach, by its name.
        waited_seconds: How long it was waited for.
    """

    def __init__(self, namespace: str, pods: Mapping[str, str], waited_seconds: float) -> None:
        self.namespace = namespace
        self.pods = dict(pods)
        self.waited_seconds = waited_seconds
        reasons = "; ".join(f"{pod}: {why}" for pod, why in pods.items())
        super().__init__(
            f"out of reach in namespace {namespace} after {waited_seconds:g} s: {reasons}. See "
            f"`kubectl -n {namespace} describe pod {next(iter(pods))}`; a pod that does not exist means that its "
            "release is not installed here or is smaller than declared."
        )


@dataclass(frozen=True, kw_only=True)
class Forwards:
    """Forwards that stand.

    Attributes:
        brokers: ``host:port`` on this machine by broker id; exactly what the broker advertises.
        zookeeper: ``host:port`` on this machine by ZooKeeper server id.
        troubles: Why the last connection to a pod failed, by the pod's name; a connection that opens clears it. It
            tells more than the client's own error, which knows only that its connection was closed.
    """

    brokers: Mapping[int, str]
    zookeeper: Mapping[int, str]
    troubles: Mapping[str, str]


@contextlib.contextmanager
def forwarded(
    reach: ReachByPortForward,
    *,
    brokers: Sequence[int],
    zookeeper: Sequence[int],
    kubeconfig: str | None = None,
    require: Literal["all", "any"] = "all",
    pod_wait_seconds: float = 60.0,
    port_wait_seconds: float = 30.0,
) -> Iterator[Forwards]:
    """Keep port-forwards to brokers and ZooKeeper servers for as long as the context lasts.

    Every connection becomes a stream of its own to the pod that has the name at that moment. A stream that breaks, or
    whose node has gone silent, closes its connection here, so that the client connects again: a pod may be replaced
    while its forward stands. Everything is closed when the context ends, by Ctrl-C too. May be called and used from
    any thread; the forwards live in a thread of their own.

    Args:
        reach: Where the pods are.
        brokers: Ids of the brokers to reach.
        zookeeper: Ids of the ZooKeeper servers to reach.
        kubeconfig: The file, or several joined as in ``KUBECONFIG``; None means ``KUBECONFIG``, then
            ``~/.kube/config``.
        require: ``all`` pods must be within reach to begin; or ``any`` one of them: the others are not waited for, but
            connected to when they come, and until then a client meets what a dead server would show it.
        pod_wait_seconds: How long to wait for pods that do not run yet.
        port_wait_seconds: How long to wait for a broker's port that is in use: mostly by another process of the same
            Terraform run that is about to end.

    Yields:
        The addresses on this machine.

    Raises:
        KubernetesError: One of its kinds, here and in `hikube_kafka.kubernetes.client`.
    """
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - only users of port-forwards pay for it

    standing = _Standing(
        reach=reach,
        brokers=sorted(brokers),
        zookeeper=sorted(zookeeper),
        kubeconfig=kubeconfig,
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

    reach: ReachByPortForward
    brokers: Sequence[int]
    zookeeper: Sequence[int]
    kubeconfig: str | None
    require: Literal["all", "any"]
    pod_wait_seconds: float
    port_wait_seconds: float
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _troubles: dict[str, str] = field(default_factory=dict)

    async def __aenter__(self) -> Forwards:
        async with contextlib.AsyncExitStack() as stack:
            cluster = await stack.enter_async_context(
                Cluster.connected(self.kubeconfig, self.reach.context, self.reach.namespace)
            )
            targets = {self.reach.broker_pod(broker): self.reach.forward_port + broker for broker in self.brokers}
            targets |= {self.reach.zookeeper_pod(server): self.reach.zookeeper_port for server in self.zookeeper}
            await self._within_reach(cluster, targets)
            # In ascending order, so that two processes that open the same forwards never wait for each other.
            local_brokers = {
                broker: await self._listen(stack, cluster, self.reach.broker_pod(broker), port, broker)
                for broker in self.brokers
                for port in [self.reach.forward_port + broker]
            }
            local_zookeeper = {
                server: await self._listen(
                    stack, cluster, self.reach.zookeeper_pod(server), self.reach.zookeeper_port, None
                )
                for server in self.zookeeper
            }
            self._stack = stack.pop_all()
        return Forwards(brokers=local_brokers, zookeeper=local_zookeeper, troubles=self._troubles)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _within_reach(self, cluster: Cluster, targets: Mapping[str, int]) -> None:
        """Wait until a stream opens to every pod: its container runs, its node answers, and we are allowed to."""
        deadline = time.monotonic() + self.pod_wait_seconds
        reached: set[str] = set()

        async def wait_for(pod: str, port: int) -> None:
            while True:
                try:
                    state = await cluster.pod(pod)
                    if state.running:
                        async with cluster.stream(pod, port):
                            self._troubles.pop(pod, None)
                            reached.add(pod)
                            return
                    self._troubles[pod] = state.summary
                except StreamError as error:
                    self._troubles[pod] = error.reason
                if time.monotonic() >= deadline or (self.require == "any" and reached):
                    return
                await asyncio.sleep(_RETRY_SECONDS)

        waits = [asyncio.create_task(wait_for(pod, port)) for pod, port in targets.items()]
        try:
            await asyncio.gather(*waits)
        finally:
            await _cancelled(waits)
        if len(reached) < len(targets) and (self.require == "all" or not reached):
            raise PodsUnreachableError(self.reach.namespace, self._troubles, self.pod_wait_seconds)

    async def _listen(
        self, stack: contextlib.AsyncExitStack, cluster: Cluster, pod: str, pod_port: int, broker: int | None
    ) -> str:
        """Listen for one pod until the stack unwinds; a broker's port is the pod's own, other ports are free ones."""
        listener = await self._bound(pod_port, broker) if broker is not None else socket.create_server((_HOST, 0))
        port = int(listener.getsockname()[1])
        carriers: set[asyncio.Task[None]] = set()
        closed = False

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if closed:  # a connection that the event loop had taken already
                writer.transport.abort()
                return
            carrier = asyncio.create_task(self._carry(cluster, pod, pod_port, reader, writer))
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

    async def _bound(self, port: int, broker: int) -> socket.socket:
        deadline = time.monotonic() + self.port_wait_seconds
        while True:
            try:
                return socket.create_server((_HOST, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            if time.monotonic() >= deadline:
                raise LocalPortInUseError(port, broker, _holder_of(port), self.port_wait_seconds)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _carry(
        self, cluster: Cluster, pod: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry one connection until either end closes it or its stream breaks."""
        try:
            state = await cluster.pod(pod)
            if not state.running:
                raise StreamError(pod, port, state.summary)
            async with cluster.stream(pod, port) as stream:
                self._troubles.pop(pod, None)
                ways = [
                    asyncio.create_task(_to_pod(reader, stream)),
                    asyncio.create_task(_from_pod(stream, writer)),
                    asyncio.create_task(_while_within_reach(cluster, pod, port, state.uid, stream)),
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


async def _while_within_reach(cluster: Cluster, pod: str, port: int, uid: str | None, stream: PodStream) -> None:
    """Return never while this pod is within reach.

    Silence alone proves nothing: a broker takes nothing from a connection whose request waits for its replicas. So the
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
                if (await cluster.pod(pod)).uid != uid:
                    raise error
                async with cluster.stream(pod, port):
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
    import psutil  # noqa: PLC0415 - only an error pays for it

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None
