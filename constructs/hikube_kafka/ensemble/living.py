"""What the gates ask a living ensemble: does ZooKeeper serve, who is registered, who is in sync.

The clients of ZooKeeper and Kafka are loaded by the first call that looks.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from hikube_kafka.probe.observation import Metadata, Partition, Unreadable
from hikube_kafka.probe.out_of_sync import assigned_again

if TYPE_CHECKING:
    from kazoo.client import KazooClient

    from hikube_kafka.probe.zookeeper import KafkaTree

Answer = TypeVar("Answer")

_ANSWER_SECONDS = 1.0
"""Longest wait for one answer on this machine; a wait that is cancelled takes no longer than this."""


def zookeeper_mode(properties: Mapping[str, str]) -> str | None:
    """``leader``, ``follower`` or ``standalone``; None while the server does not serve in a quorum."""
    from hikube_kafka.probe.zookeeper import read_status

    status = read_status(client_address(properties), timeout=_ANSWER_SECONDS)
    return None if isinstance(status, Unreadable) else status.mode


def client_address(properties: Mapping[str, str]) -> str:
    """``host:port`` at which a ZooKeeper server is asked."""
    from hikube_kafka.kafka.address import join

    return join(properties.get("clientPortAddress", "127.0.0.1"), properties["clientPort"])


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


def is_silent(properties: Mapping[str, str]) -> bool:
    """Whether the server of this configuration listens, and does not answer within a second.

    One that has not come that far with its start, such as a broker that recovers its logs, does not listen yet.
    """
    from hikube_kafka.kafka.address import dial
    from hikube_kafka.probe.kafka import read_metadata
    from hikube_kafka.probe.zookeeper import four_letter_word

    if "clientPort" in properties:
        try:
            four_letter_word(client_address(properties), "srvr", _ANSWER_SECONDS)
        except TimeoutError:
            return True
        except OSError:
            pass  # an answer of its own kind, or nobody listens
        return False
    address = plaintext_listener(properties) if "listeners" in properties else None
    if address is None or not isinstance(read_metadata(address, timeout=_ANSWER_SECONDS), Unreadable):
        return False
    try:
        dial(address, _ANSWER_SECONDS).close()
    except TimeoutError:
        return True
    except OSError:
        return False
    return True


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
    views: Mapping[int, Metadata]
    """What each broker that answers knows, by its id."""

    def is_registered(self, broker: int) -> bool:
        """Whether ZooKeeper has it, it answers, and every broker that answers knows it."""
        return (
            broker in self.in_zookeeper
            and broker in self.views
            and all(broker in view.brokers for view in self.views.values())
        )

    def behind(self, broker: int) -> list[str]:
        """Partitions that the broker holds without being in their in-sync replicas."""
        return self._named(lambda each: broker in each.behind)

    def short(self, broker: int) -> list[str]:
        """Partitions that the broker holds and that lack any in-sync replica: it must not stop now."""
        return self._named(lambda each: broker in each.replicas and bool(each.behind))

    def standstill(self, directory: Path) -> str:
        """What to do where partitions do not get in sync though all of their brokers run; empty: there are none."""
        stuck = {
            (topic, number): partition
            for view in self.views.values()
            for topic, number, partition in view.partitions
            if partition.behind and partition.is_online and self.in_zookeeper.issuperset(partition.replicas)
        }
        if not stuck:
            return ""
        leaders = ", ".join(f"broker-{leader}" for leader in sorted({each.leader or 0 for each in stuck.values()}))
        controller = "there is no controller" if self.controller is None else f"broker-{self.controller}"
        again = assigned_again(
            [(topic, number, partition) for (topic, number), partition in sorted(stuck.items())],
            f"hikube-kafka local kafka -e {shlex.quote(str(directory))} reassign-partitions",
        )
        return (
            f"If nothing changes any more, the leaders ({leaders}) wait in vain for the controller ({controller}), "
            'whose log then says "Failed to update ISR ... bad ZK version". This assigns the replicas that the '
            f"partitions have once more, and moves no data: {again}"
        )

    def _named(self, chosen: Callable[[Partition], bool]) -> list[str]:
        untold = {
            f"{topic} (not known to broker-{broker} yet)"
            for broker, view in self.views.items()
            for topic in self.topics
            if isinstance(view.topics.get(topic), Unreadable | None)
        }
        found = {
            f"{topic}-{number}"
            for view in self.views.values()
            for topic, number, partition in view.partitions
            if chosen(partition)
        }
        return sorted(untold | found)


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
            from kazoo.client import KazooClient

            self._zookeeper = KazooClient(hosts=self._connect)
            self._zookeeper.start_async()
        return bool(self._zookeeper.connected)

    def registered_in_zookeeper(self) -> frozenset[int] | None:
        """Broker ids that hold a registration; None when ZooKeeper cannot be asked."""
        return self._asked(lambda tree: tree.broker_ids())

    def replicas_of(self, broker: int) -> list[str] | None:
        """Partitions assigned to the broker, from ZooKeeper, so also while no broker runs; None: cannot be asked."""

        def held(tree: "KafkaTree") -> list[str]:
            return [
                f"{topic}-{partition}"
                for topic in sorted(tree.topics())
                for partition, replicas in tree.assignment(topic).items()
                if broker in replicas
            ]

        return self._asked(held)

    def picture(self) -> Picture | None:
        """Look at ZooKeeper and the brokers; None when ZooKeeper cannot be asked."""
        from hikube_kafka.probe.kafka import read_metadata

        told = self._asked(lambda tree: (tree.broker_ids(), tree.topics() - tree.leaving_topics(), tree.controller()))
        if told is None:
            return None
        registered, topics, controller = told
        views = {
            broker: read_metadata(address, timeout=_ANSWER_SECONDS)
            for broker, address in self._addresses().items()
            if broker in registered
        }
        return Picture(
            in_zookeeper=registered,
            topics=topics,
            controller=controller,
            views={broker: view for broker, view in views.items() if not isinstance(view, Unreadable)},
        )

    def _asked(self, question: "Callable[[KafkaTree], Answer]") -> "Answer | None":
        """The answer of ZooKeeper; None when it cannot be asked."""
        from kazoo.exceptions import KazooException
        from kazoo.handlers.threading import KazooTimeoutError

        from hikube_kafka.probe.zookeeper import KafkaTree

        if not self.is_connected() or self._zookeeper is None:
            return None
        try:
            return question(KafkaTree(self._zookeeper, timeout=_ANSWER_SECONDS))
        except (KazooException, KazooTimeoutError):
            return None
