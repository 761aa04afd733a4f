"""What the gates ask a living ensemble: does ZooKeeper serve, who is registered, who is in sync."""

import json
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
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
    """One partition as one broker shows it."""

    name: str
    """``topic-0``."""
    replicas: frozenset[int]
    in_sync: frozenset[int]


@dataclass(frozen=True)
class View:
    """The metadata of one broker."""

    brokers: frozenset[int]
    topics: frozenset[str]
    partitions: tuple[Partition, ...]


@dataclass(frozen=True)
class Picture:
    """One look at ZooKeeper and at every broker that answers.

    Each broker is asked for its own metadata, and all must agree: a broker that has just started answers before the
    controller has told it of any topic, and would seem to hold nothing that could be out of sync.
    """

    in_zookeeper: frozenset[int]
    """Broker ids with a registration."""
    topics: frozenset[str]
    """As ZooKeeper has them, without those that are being deleted."""
    controller: int | None
    views: Mapping[int, View]

    def is_registered(self, broker: int) -> bool:
        """Whether ZooKeeper has it, it answers, and every broker that answers knows it."""
        return (
            broker in self.in_zookeeper
            and broker in self.views
            and all(broker in view.brokers for view in self.views.values())
        )

    def behind(self, broker: int) -> list[str]:
        """Partitions that the broker holds without being in their in-sync replicas."""
        return self._named(lambda each: broker in each.replicas - each.in_sync)

    def short(self, broker: int) -> list[str]:
        """Partitions that the broker holds and that lack any in-sync replica: it must not stop now."""
        return self._named(lambda each: broker in each.replicas and bool(each.replicas - each.in_sync))

    def _named(self, chosen: Callable[[Partition], bool]) -> list[str]:
        untold = {
            f"{topic} (not known to broker-{broker} yet)"
            for broker, view in self.views.items()
            for topic in self.topics - view.topics
        }
        return sorted(untold | {each.name for view in self.views.values() for each in view.partitions if chosen(each)})


class LivingEnsemble:
    """Looks at an ensemble; the connection to ZooKeeper is opened when first asked and kept until the end.

    Args:
        connect: ``zookeeper.connect``, chroot included.
        addresses: tells, by broker id, the plaintext ``host:port`` where each broker that runs listens now.
    """

    def __init__(self, connect: str, addresses: Callable[[], Mapping[int, str]]) -> None:
        self._connect = connect
        self._addresses = addresses
        self._zookeeper: KazooClient | None = None

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
        """Look at ZooKeeper and the brokers; None when ZooKeeper cannot be asked."""
        registered = self.registered_in_zookeeper()
        topics = self._children("/brokers/topics")
        leaving = self._children("/admin/delete_topics")
        if registered is None or topics is None or leaving is None:
            return None
        controller = self._read("/controller")
        views = {broker: _view(address) for broker, address in self._addresses().items() if broker in registered}
        return Picture(
            in_zookeeper=registered,
            topics=frozenset(topics) - frozenset(leaving),
            controller=int(json.loads(controller)["brokerid"]) if controller else None,
            views={broker: view for broker, view in views.items() if view is not None},
        )

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


def _view(address: str) -> View | None:
    """What the broker at this address knows; None when it does not answer.

    A client of its own each time: a client that lives on asks whichever broker it likes.
    """
    from confluent_kafka import KafkaException  # noqa: PLC0415 - only a call that looks pays for it
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - as above

    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
        # log_level 0: a broker that ends while it is asked is no news here.
        metadata = AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=_ANSWER_SECONDS)
    except (OSError, KafkaException):
        return None
    return View(
        brokers=frozenset(metadata.brokers),
        topics=frozenset(metadata.topics),
        partitions=tuple(
            Partition(f"{topic.topic}-{partition.id}", frozenset(partition.replicas), frozenset(partition.isrs))
            for topic in metadata.topics.values()
            for partition in topic.partitions.values()
        ),
    )
