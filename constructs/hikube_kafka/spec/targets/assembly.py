"""The contract that follows from a declaration, wherever it is delivered: a target adds names and addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hikube_kafka.spec.connect import ConnectCluster, Connector
from hikube_kafka.spec.connect_worker import all_topics, dead_letter_topic, group_id, is_sink
from hikube_kafka.spec.contract import (
    BrokerExpected,
    ConnectExpected,
    ConnectorExpected,
    Contract,
    KafkaExpected,
    KubernetesExpected,
    PluginExpected,
    ReachByAddress,
    ReachByPortForward,
    TopicExpected,
    ZooKeeperExpected,
    ZooKeeperServerExpected,
)
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.properties import cluster_settings, text, topic_config
from hikube_kafka.spec.security import ClientSecurity
from hikube_kafka.spec.versions import KAFKA_VERSION
from hikube_kafka.spec.zoo_cfg import ZooKeeperAddress

_GROUP = "consumer.override.group.id"
_RESET = "auto.offset.reset"


@dataclass(frozen=True, kw_only=True)
class WorkersMet:
    """Where the workers of a Connect cluster are met: by their URLs, or in their pods."""

    urls: tuple[str, ...] = ()
    pods: str | None = None
    """Name of their StatefulSet."""
    port: int = 8083
    """Port of the REST interface inside the pod."""


def contract(
    platform: Platform,
    *,
    target: str,
    reach: ReachByAddress | ReachByPortForward,
    zookeeper: Mapping[int, ZooKeeperAddress],
    brokers: Sequence[str],
    kubernetes: KubernetesExpected | None = None,
    workers: Mapping[str, WorkersMet] | None = None,
) -> Contract:
    """What must be true of the cluster after the apply.

    Args:
        platform: the declaration.
        target: name of the target.
        reach: how the addresses are met.
        zookeeper: where each ZooKeeper server is met, by its id.
        brokers: ``host:port`` of each broker's first listener, in the order of their ids.
        kubernetes: what Kubernetes must have; None means that nothing is promised.
        workers: where the workers of each Connect cluster are met, by its name.
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
        connect=tuple(_connect(platform, each, (workers or {})[each.name]) for each in platform.connect) or None,
    )


def _topics(platform: Platform) -> tuple[TopicExpected, ...]:
    return tuple(
        TopicExpected(
            name=topic.name,
            partitions=topic.partitions,
            replication_factor=platform.replication_factor(topic),
            config=topic_config(platform, topic),
        )
        for topic in all_topics(platform)
    )


def _connect(platform: Platform, cluster: ConnectCluster, met: WorkersMet) -> ConnectExpected:
    return ConnectExpected(
        name=cluster.name,
        group_id=group_id(platform, cluster),
        workers=cluster.workers,
        urls=met.urls,
        pods=met.pods,
        port=met.port,
        plugins=tuple(
            PluginExpected(class_name=class_name, version=plugin.version)
            for plugin in cluster.plugins
            for class_name in plugin.classes
        ),
        connectors=tuple(_connector(cluster, each) for each in cluster.connectors),
    )


def _connector(cluster: ConnectCluster, connector: Connector) -> ConnectorExpected:
    sink = is_sink(connector)
    # Source of the default: Worker.baseConsumerConfigs of Kafka 3.9.
    reset = connector.config.get(f"consumer.override.{_RESET}", cluster.config.get(f"consumer.{_RESET}", "earliest"))
    return ConnectorExpected(
        name=connector.name,
        class_name=connector.connector_class,
        state=connector.state.value,
        tasks_max=connector.tasks_max,
        group=text(connector.config[_GROUP]) if sink and _GROUP in connector.config else None,
        dead_letters=dead_letter_topic(connector),
        dead_letters_allowed=connector.dead_letters_allowed,
        most_lag=connector.most_lag if sink else None,
        begins="latest" if sink and reset != "earliest" else None,
    )
