"""What others write into ``server.properties`` and ``zoo.cfg`` where they run Kafka with ZooKeeper."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hikube_kafka.kafka.security import Credentials

_NEEDED = ("broker.id", "log.dirs", "zookeeper.connect")
"""What no broker of these pods starts without."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Properties of the servers, and what a producer needs to be let in."""

    name: str
    broker: Mapping[str, str] | None = None
    """server.properties as a whole; None means as deployed."""
    zookeeper: Mapping[str, str] = field(default_factory=dict)
    """What stands in zoo.cfg in place of, and beside, what is deployed."""
    fast_failover: bool = True
    """Whether whoever sees a broker end says so to ZooKeeper: the others have no such thing."""
    client: Mapping[str, str] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """What differs in the values of the brokers' chart."""
        config = {} if self.broker is None else {"config": dict(self.broker)}
        return config if self.fast_failover else {**config, "fastFailover": False}


def apache(ours: Mapping[str, str]) -> Configuration:
    """``config/server.properties`` of Apache Kafka 3.9, and ``conf/zoo_sample.cfg`` of Apache ZooKeeper 3.9.

    Args:
        ours: the properties that the chart is deployed with.
    """
    doors = ("listeners", "advertised.listeners", "listener.security.protocol.map", "inter.broker.listener.name")
    return Configuration(
        name="Apache's",
        broker={key: ours[key] for key in (*_NEEDED, *doors)}
        | {
            "num.network.threads": "3",
            "num.io.threads": "8",
            "socket.send.buffer.bytes": "102400",
            "socket.receive.buffer.bytes": "102400",
            "socket.request.max.bytes": "104857600",
            "num.partitions": "1",
            "num.recovery.threads.per.data.dir": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "log.retention.hours": "168",
            "log.retention.check.interval.ms": "300000",
            "zookeeper.connection.timeout.ms": "18000",
            "group.initial.rebalance.delay.ms": "0",
        },
        zookeeper={"tickTime": "2000", "initLimit": "10", "syncLimit": "5", "maxSessionTimeout": "40000"},
        fast_failover=False,
    )


def bitnami(ours: Mapping[str, str]) -> Configuration:
    """What Bitnami's charts kafka 31.5.0, with ZooKeeper, and zookeeper write by default: passwords at both listeners.

    The forward listener is added: without it the startup probe of our pods could not ask.
    """
    password, between_brokers = secrets.token_hex(8), secrets.token_hex(8)
    forward, advertised = (ours[key].split(",")[-1] for key in ("listeners", "advertised.listeners"))
    host = "<host>"
    module = "org.apache.kafka.common.security"
    plain, scram = f"{module}.plain.PlainLoginModule required", f"{module}.scram.ScramLoginModule required"
    brokers = f'username="inter_broker_user" password="{between_brokers}"'
    return Configuration(
        name="Bitnami's",
        broker={key: ours[key] for key in _NEEDED}
        | {
            "listeners": f"CLIENT://:9092,INTERNAL://:9094,{forward}",
            "advertised.listeners": f"CLIENT://{host}:9092,INTERNAL://{host}:9094,{advertised}",
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,INTERNAL:SASL_PLAINTEXT,FORWARD:PLAINTEXT",
            "inter.broker.listener.name": "INTERNAL",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.client.plain.sasl.jaas.config": f'{plain} user_user1="{password}";',
            "listener.name.client.scram-sha-256.sasl.jaas.config": f"{scram};",
            "listener.name.client.scram-sha-512.sasl.jaas.config": f"{scram};",
            "listener.name.internal.plain.sasl.jaas.config": f"{plain} {brokers} "
            f'user_inter_broker_user="{between_brokers}" user_user1="{password}";',
            "listener.name.internal.scram-sha-256.sasl.jaas.config": f"{scram} {brokers};",
            "listener.name.internal.scram-sha-512.sasl.jaas.config": f"{scram} {brokers};",
        },
        zookeeper={
            "tickTime": "2000",
            "initLimit": "10",
            "syncLimit": "5",
            "maxSessionTimeout": "40000",
            "snapCount": "100000",
            "preAllocSize": "65536",
            "autopurge.snapRetainCount": "10",
            "autopurge.purgeInterval": "1",
        },
        fast_failover=False,
        client=Credentials(protocol="SASL_PLAINTEXT", mechanism="PLAIN", username="user1", password=password).java(),
    )


def strimzi(ours: Mapping[str, str]) -> Configuration:
    """What Strimzi 0.45, the last with ZooKeeper, writes for a Kafka resource without ``config``, but for TLS.

    ``ZookeeperConfiguration`` has ZooKeeper's defaults; ``KafkaBrokerConfigurationBuilder`` gives the controller's
    requests a listener of their own, and leaves everything else to Kafka.
    """
    listeners, advertised, protocols = (
        ours[key] for key in ("listeners", "advertised.listeners", "listener.security.protocol.map")
    )
    return Configuration(
        name="Strimzi's",
        broker={key: ours[key] for key in (*_NEEDED, "inter.broker.listener.name")}
        | {
            "listeners": f"CONTROLPLANE-9090://:9090,{listeners}",
            "advertised.listeners": f"CONTROLPLANE-9090://<host>:9090,{advertised}",
            "listener.security.protocol.map": f"CONTROLPLANE-9090:PLAINTEXT,{protocols}",
            "control.plane.listener.name": "CONTROLPLANE-9090",
        },
        zookeeper={
            "tickTime": "2000",
            "initLimit": "5",
            "syncLimit": "2",
            "maxSessionTimeout": "40000",
            "autopurge.purgeInterval": "1",
        },
        fast_failover=False,
    )
