"""What the gates ask a living ensemble: does ZooKeeper serve, who is registered, who is in sync."""

import json
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._metadata import ClusterMetadata
    from kazoo.client import KazooClient

_ANSWER_SECONDS = 1.0
"""Longest wait for one answer on this machine; a wait that is cancelled takes no longer than this."""


def zookeeper_mode(properties: Mapping[str, str]) -> str | None:
    """``leader``, ``follower`` or ``standalone``; None while the server does not serve in a quorum.

    ``imok`` would not do: a server says it while it is still looking for a leader.
    """
    address = (properties.get("clientPortAddress", "127.0.0.1"), int(properties["clientPort"]))
    try:
        with socket.create_connection(address, _ANSWER_SECONDS) as connection:
            connection.sendall(b"srvr")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError:
        return None
    mode = re.search(rb"^Mode: (\w+)", answer, re.MULTILINE)
    return mode[1].decode() if mode else None


def plaintext_listener(properties: Mapping[str, str]) -> str | None:
    """``host:port`` of the first listener that asks for no credentials; the gates use it."""
    protocols = dict(
        each.split(":", 1) for each in properties.get("listener.security.protocol.map", "").split(",") if each
    )
    for listener in properties["listeners"].split(","):
        name, _, address = listener.strip().partition("://")
        if protocols.get(name, name) == "PLAINTEXT":
            return address
    return None


@dataclass(frozen=True)
class Partition:
    """One partition as the metadata shows it."""

    name: str
    """``topic-0``."""
    replicas: frozenset[int]
    in_sync: frozenset[int]


@dataclass(frozen=True)
class Picture:
    """One look at the brokers."""

    cluster_id: str | None
    registered: frozenset[int]
    """Broker ids that both ZooKeeper and the metadata show: either alone may be out of date."""
    controller: int | None
    partitions: tuple[Partition, ...]

    def behind(self, broker: int) -> list[str]:
        """Partitions that the broker holds without being in their in-sync replicas."""
        return [each.name for each in self.partitions if broker in each.replicas - each.in_sync]

    def short(self, broker: int) -> list[str]:
        """Partitions that the broker holds and that lack any in-sync replica: it must not stop now."""
        return [each.name for each in self.partitions if broker in each.replicas and each.replicas - each.in_sync]


class LivingEnsemble:
    """Connections to ZooKeeper and to the brokers, opened when first asked and kept for the whole call.

    Args:
        connect: ``zookeeper.connect``, chroot included.
        bootstrap: ``host:port`` of plaintext listeners.
    """

    def __init__(self, connect: str, bootstrap: Iterable[str]) -> None:
        self._connect = connect
        self._bootstrap = ",".join(bootstrap)
        self._zookeeper: KazooClient | None = None
        self._admin: AdminClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._zookeeper is not None:
            self._zookeeper.stop()
            self._zookeeper.close()

    def is_connected(self) -> bool:
        """Whether ZooKeeper can be asked now; the first call begins to connect."""
        if self._zookeeper is None:
            from kazoo.client import KazooClient  # noqa: PLC0415 - only a call that looks pays for it

            self._zookeeper = KazooClient(hosts=self._connect)
            self._zookeeper.start_async()
        return bool(self._zookeeper.connected)

    def registered_in_zookeeper(self) -> frozenset[int] | None:
        """Broker ids that hold a registration; None when ZooKeeper cannot be asked."""
        found = self._children("/brokers/ids")
        return None if found is None else frozenset(map(int, found))

    def replicas_of(self, broker: int) -> list[str] | None:
        """Partitions assigned to the broker, from ZooKeeper, so also while no broker runs; None: cannot be asked."""
        topics = self._children("/brokers/topics")
        if topics is None:
            return None
        held = []
        for topic in sorted(topics):
            raw = self._read(f"/brokers/topics/{topic}")
            if raw is None:
                return None
            for partition, replicas in json.loads(raw)["partitions"].items():
                if broker in replicas:
                    held.append(f"{topic}-{partition}")
        return held

    def picture(self) -> Picture | None:
        """Look at the brokers; None when nobody can be asked."""
        registered = self.registered_in_zookeeper()
        if not registered:
            return None
        metadata = self._metadata()
        if metadata is None:
            return None
        controller = self._read("/controller")
        return Picture(
            cluster_id=metadata.cluster_id,
            registered=registered & frozenset(metadata.brokers),
            controller=int(json.loads(controller)["brokerid"]) if controller else None,
            partitions=tuple(
                Partition(f"{topic.topic}-{partition.id}", frozenset(partition.replicas), frozenset(partition.isrs))
                for topic in metadata.topics.values()
                for partition in topic.partitions.values()
            ),
        )

    def _metadata(self) -> "ClusterMetadata | None":
        from confluent_kafka import KafkaException  # noqa: PLC0415 - only a call that looks pays for it
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - as above

        if self._admin is None:
            # log_level 0: a broker that is being restarted is no news here.
            self._admin = AdminClient(
                {
                    "bootstrap.servers": self._bootstrap,
                    "log_level": 0,
                    "reconnect.backoff.max.ms": 200,
                    "socket.connection.setup.timeout.ms": 1000,
                }
            )
        try:
            return self._admin.list_topics(timeout=_ANSWER_SECONDS)
        except KafkaException:
            return None

    def _children(self, path: str) -> list[str] | None:
        from kazoo.exceptions import KazooException, NoNodeError  # noqa: PLC0415 - as above
        from kazoo.handlers.threading import KazooTimeoutError  # noqa: PLC0415 - as above

        if not self.is_connected() or self._zookeeper is None:
            return None
        try:
            return list(self._zookeeper.get_children_async(path).get(timeout=_ANSWER_SECONDS))
        except NoNodeError:
            return []
        except (KazooException, KazooTimeoutError):
            return None

    def _read(self, path: str) -> bytes | None:
        from kazoo.exceptions import KazooException  # noqa: PLC0415 - as above
        from kazoo.handlers.threading import KazooTimeoutError  # noqa: PLC0415 - as above

        if not self.is_connected() or self._zookeeper is None:
            return None
        try:
            return bytes(self._zookeeper.get_async(path).get(timeout=_ANSWER_SECONDS)[0])
        except (KazooException, KazooTimeoutError):
            return None
