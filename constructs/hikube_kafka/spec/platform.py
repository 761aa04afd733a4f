"""A platform as a whole: ZooKeeper servers, brokers and topics."""

from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.model import Model
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper

WANTED_REPLICAS = 3
"""Copies of a partition when there are brokers enough: one may be lost while another is being restarted."""


class Platform(Model):
    """What is declared. It may still break a rule: see :func:`hikube_kafka.spec.rules.check`."""

    name: str
    """Name of the platform: a DNS label of at most 40 characters."""
    zookeeper: ZooKeeper = ZooKeeper()
    kafka: Kafka = Kafka()
    topics: tuple[Topic, ...] = ()

    @property
    def default_replication_factor(self) -> int:
        """Replication factor of what does not name one: three, or the number of brokers if that is less."""
        return min(WANTED_REPLICAS, self.kafka.brokers)

    def replication_factor(self, topic: Topic) -> int:
        """Replication factor of the topic: declared, or the default."""
        return topic.replication_factor or self.default_replication_factor
