"""The contract that follows from a declaration, wherever it is delivered: a target adds names and addresses."""

from collections.abc import Mapping, Sequence

from hikube_kafka.spec.contract import (
    BrokerExpected,
    Contract,
    KafkaExpected,
    KubernetesExpected,
    ReachByAddress,
    ReachByPortForward,
    TopicExpected,
    ZooKeeperExpected,
    ZooKeeperServerExpected,
)
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.properties import cluster_settings, topic_config
from hikube_kafka.spec.security import ClientSecurity
from hikube_kafka.spec.versions import KAFKA_VERSION
from hikube_kafka.spec.zoo_cfg import ZooKeeperAddress


def contract(
    platform: Platform,
    *,
    target: str,
    reach: ReachByAddress | ReachByPortForward,
    zookeeper: Mapping[int, ZooKeeperAddress],
    brokers: Sequence[str],
    kubernetes: KubernetesExpected | None = None,
) -> Contract:
    """What must be true of the cluster after the apply.

    Args:
        platform: the declaration.
        target: name of the target.
        reach: how the addresses are met.
        zookeeper: where each ZooKeeper server is met, by its id.
        brokers: ``host:port`` of each broker's first listener, in the order of their ids.
        kubernetes: what Kubernetes must have; None means that nothing is promised.
    """
    first = platform.kafka.listeners[0]
    return Contract(
        platform=platform.name,
        target=target,
        reach=reach,
        security=ClientSecurity(protocol=first.protocol, mechanism=first.mechanism),
        coordinator=ZooKeeperExpected(
            servers=tuple(
                ZooKeeperServerExpected(id=server, address=address.client) for server, address in zookeeper.items()
            ),
            chroot=platform.zookeeper.chroot,
        ),
        kafka=KafkaExpected(
            version=KAFKA_VERSION,
            brokers=tuple(
                BrokerExpected(id=broker, address=address, rack=platform.kafka.rack(broker))
                for broker, address in enumerate(brokers)
            ),
            settings=cluster_settings(platform),
        ),
        topics=_topics(platform),
        kubernetes=kubernetes,
    )


def _topics(platform: Platform) -> tuple[TopicExpected, ...]:
    return tuple(
        TopicExpected(
            name=topic.name,
            partitions=topic.partitions,
            replication_factor=platform.replication_factor(topic),
            config=topic_config(platform, topic),
        )
        for topic in platform.topics
    )
