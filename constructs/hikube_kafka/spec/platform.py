"""A platform as a whole: ZooKeeper servers, brokers and topics."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import model_validator

from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.model import Declared, Several
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper

WANTED_REPLICAS = 3
"""Copies of a partition when there are brokers enough: one may be lost while another is being restarted."""

Coordinator = ZooKeeper
"""What coordinates the brokers: a union, told apart by ``kind``, with ZooKeeper as its one member so far."""


class Platform(Declared):
    """What is declared. It may still break a rule: see :func:`hikube_kafka.spec.rules.check`."""

    separable: ClassVar = frozenset({"topics", "connect", "former_connect"})

    name: str
    """Name of the platform: a DNS label of at most 40 characters."""
    coordinator: Coordinator = ZooKeeper()
    """Declared by its kind: ``Platform(name="events", zookeeper=ZooKeeper(servers=5))``."""
    kafka: Kafka = Kafka()
    topics: tuple[Topic, ...] = ()
    connect: tuple[ConnectCluster, ...] = ()
    """Clusters of Kafka Connect, each with its connectors."""
    former_connect: Several = ()
    """Names of clusters that were in ``connect``, until an apply has taken their connectors and workers away."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str,
            coordinator: Coordinator = ...,
            zookeeper: ZooKeeper = ...,
            kafka: Kafka = ...,
            topics: Iterable[Topic] = ...,
            connect: Iterable[ConnectCluster] = ...,
            former_connect: Iterable[str] = ...,
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _declared_by_its_kind(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "zookeeper" not in value:
            return value
        if "coordinator" in value:
            raise ValueError("coordinator and zookeeper are both declared, and are the same: keep one of them.")
        return cls.spelled_alike(value)

    @classmethod
    def spelled_alike(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The coordinator by its field, and not by its kind."""
        return {"coordinator" if field == "zookeeper" else field: each for field, each in given.items()}

    def inner(self, where: str, name: str) -> str:
        """Its servers by their kind, and its topics by their place: every platform has them."""
        del where
        return {"coordinator": "zookeeper"}.get(name, name)

    @property
    def zookeeper(self) -> ZooKeeper:
        """The coordinator, which is ZooKeeper."""
        return self.coordinator

    @property
    def default_replication_factor(self) -> int:
        """Replication factor of what does not name one: three, or the number of brokers if that is less."""
        return min(WANTED_REPLICAS, self.kafka.brokers)

    def replication_factor(self, topic: Topic) -> int:
        """Replication factor of the topic: declared, or the default."""
        return topic.replication_factor or self.default_replication_factor
