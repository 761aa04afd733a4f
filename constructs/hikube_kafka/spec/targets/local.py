"""A platform on this machine: which server listens where, and the contract that follows."""

from hikube_kafka.spec.contract import (
    BrokerExpected,
    Contract,
    KafkaExpected,
    ReachByAddress,
    TopicExpected,
    ZooKeeperExpected,
    ZooKeeperServerExpected,
)
from hikube_kafka.spec.ensemble import ServerProcess
from hikube_kafka.spec.model import Model
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.properties import (
    BrokerAddress,
    ZooKeeperAddress,
    cluster_settings,
    server_properties,
    topic_config,
    zoo_cfg,
    zookeeper_connect,
)
from hikube_kafka.spec.security import ClientSecurity
from hikube_kafka.spec.versions import KAFKA_VERSION

_LOOPBACK = "127.0.0.1"
_DATA = "data"


class LocalLayout(Model):
    """Ports on 127.0.0.1. The defaults stand clear of Kafka's and ZooKeeper's own, which others may be using."""

    broker_port: int = 29092
    """Port of broker 0's first listener; broker ``i`` has the ``i``-th after it, a further listener 100 more."""
    zookeeper_port: int = 22181
    """Client port of the first ZooKeeper server; the next server has the next."""
    peer_port: int = 22888
    """Port on which the first server meets its followers."""
    election_port: int = 23888
    """Port on which the first server votes."""

    def zookeeper_addresses(self, platform: Platform) -> dict[int, ZooKeeperAddress]:
        """Where each ZooKeeper server is met, by its id."""
        return {
            server: ZooKeeperAddress(
                host=_LOOPBACK,
                client_port=self.zookeeper_port + server - 1,
                peer_port=self.peer_port + server - 1,
                election_port=self.election_port + server - 1,
            )
            for server in range(1, platform.zookeeper.servers + 1)
        }

    def broker_addresses(self, platform: Platform, broker: int) -> dict[str, BrokerAddress]:
        """Where each listener of the broker is met, by the listener's name."""
        return {
            listener.name: BrokerAddress(bind=address, advertised=address)
            for index, listener in enumerate(platform.kafka.listeners)
            for address in [f"{_LOOPBACK}:{self.broker_port + 100 * index + broker}"]
        }

    def zookeeper_processes(self, platform: Platform) -> tuple[ServerProcess, ...]:
        """The ZooKeeper servers, complete."""
        addresses = self.zookeeper_addresses(platform)
        return tuple(
            ServerProcess(
                kind="zookeeper",
                id=server,
                properties=zoo_cfg(platform, server, addresses=addresses, data=_DATA),
                heap=platform.zookeeper.effective_heap.java,
            )
            for server in addresses
        )

    def broker_processes(self, platform: Platform) -> tuple[ServerProcess, ...]:
        """The brokers, complete."""
        connect = zookeeper_connect(platform, self.zookeeper_addresses(platform))
        return tuple(
            ServerProcess(
                kind="broker",
                id=broker,
                properties=server_properties(
                    platform,
                    broker=str(broker),
                    rack=platform.kafka.rack(broker),
                    listeners=platform.kafka.listeners,
                    addresses=self.broker_addresses(platform, broker),
                    connect=connect,
                    data=_DATA,
                ),
                heap=platform.kafka.effective_heap.java,
            )
            for broker in range(platform.kafka.brokers)
        )

    def contract(self, platform: Platform) -> Contract:
        """What must be true of the local cluster after the apply."""
        first = platform.kafka.listeners[0]
        return Contract(
            platform=platform.name,
            target="local",
            reach=ReachByAddress(),
            security=ClientSecurity(protocol=first.protocol, mechanism=first.mechanism),
            coordinator=ZooKeeperExpected(
                servers=tuple(
                    ZooKeeperServerExpected(id=server, address=address.client)
                    for server, address in self.zookeeper_addresses(platform).items()
                ),
                chroot=platform.zookeeper.chroot,
            ),
            kafka=KafkaExpected(
                version=KAFKA_VERSION,
                brokers=tuple(
                    BrokerExpected(
                        id=broker,
                        address=self.broker_addresses(platform, broker)[first.name].advertised,
                        rack=platform.kafka.rack(broker),
                    )
                    for broker in range(platform.kafka.brokers)
                ),
                settings=cluster_settings(platform),
            ),
            topics=expected_topics(platform),
        )


def expected_topics(platform: Platform) -> tuple[TopicExpected, ...]:
    """The topics that must be there, wherever the platform is delivered."""
    return tuple(
        TopicExpected(
            name=topic.name,
            partitions=topic.partitions,
            replication_factor=platform.replication_factor(topic),
            config=topic_config(platform, topic),
        )
        for topic in platform.topics
    )
