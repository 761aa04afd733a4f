"""The contract: everything that must be true of the cluster after the apply.

It is computed from the declaration, travels as a Terraform output, and is what the smoke tests hold the living cluster
to. It holds no secret and no path of a machine.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hikube_kafka.spec.model import Model
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.spec.security import ClientSecurity

CONTRACT_VERSION: Literal[1] = 1
"""Raised when a reader of the older version could misread the newer one."""


class ReachByAddress(Model):
    """The addresses of the contract can be dialled from where the reader stands."""

    by: Literal["address"] = "address"


class ReachByPortForward(Model):
    """The addresses of the contract are met through port-forwards: a kubeconfig is all that is needed.

    Each broker's forward listener is bound to 127.0.0.1 inside its pod, on ``forward_port`` + ordinal, and advertised
    as exactly that; see the design's decision 5.
    """

    by: Literal["port-forward"] = "port-forward"
    namespace: str
    """Namespace of the pods."""
    context: str | None = None
    """Context of the kubeconfig; None means its current one."""
    kafka_pods: str
    """Name of the brokers' StatefulSet: broker ``i`` is pod ``<kafka_pods>-<i>``."""
    zookeeper_pods: str
    """Name of the ZooKeeper servers' StatefulSet: server ``i`` is pod ``<zookeeper_pods>-<i-1>``."""
    forward_port: int = 19092
    """Port of the forward listener of broker 0."""
    zookeeper_port: int = 2181
    """Client port of a ZooKeeper server inside its pod."""

    def broker_address(self, broker: int) -> str:
        """``host:port`` that the broker with that id advertises to clients that come through a port-forward."""
        return f"127.0.0.1:{self.forward_port + broker}"

    def broker_pod(self, broker: int) -> str:
        """Name of the pod of the broker with that id."""
        return f"{self.kafka_pods}-{broker}"

    def zookeeper_pod(self, server: int) -> str:
        """Name of the pod of the ZooKeeper server with that id: its ordinal is one less."""
        return f"{self.zookeeper_pods}-{server - 1}"


class ZooKeeperServerExpected(Model):
    """One ZooKeeper server that must be there."""

    id: int
    """Its ``myid``, from 1."""
    address: str
    """``host:port`` of its client port."""


class ZooKeeperExpected(Model):
    """The ensemble that must serve."""

    servers: tuple[ZooKeeperServerExpected, ...]
    chroot: str = ""
    """Where Kafka lives in the tree: ``""`` or a path such as ``/kafka``."""


class BrokerExpected(Model):
    """One broker that must be there."""

    id: int
    """Its ``broker.id``, from 0."""
    address: str
    """``host:port`` that it advertises on the listener of the contract."""
    rack: str | None = None
    """Its ``broker.rack``; None means that none is promised."""


class KafkaExpected(Model):
    """The brokers that must serve, and what they were told."""

    version: str
    """Kafka's version, such as ``3.9.2``."""
    brokers: tuple[BrokerExpected, ...]
    settings: dict[str, str] = Field(default_factory=dict)
    """Cluster-wide broker settings that must be in force, by Kafka's own key."""


class TopicExpected(Model):
    """One topic that must be there."""

    name: str
    partitions: int
    replication_factor: int
    config: dict[str, str] = Field(default_factory=dict)
    """Entries that must be set on the topic itself, by Kafka's own key, in Kafka's own text."""


class ClaimExpected(Model):
    """The volume claim that each server of a kind must have."""

    name: str
    """Name of the claim template: the claim is ``<name>-<pod>``."""
    size: Quantity
    """Storage that it asks for, and has at least."""
    storage_class: str | None = None
    """Its storage class; None means the cluster's default, whichever that was."""


class ServersExpected(Model):
    """What Kubernetes must have of the servers of one kind. What is left out is not promised."""

    images: dict[str, str] = Field(default_factory=dict)
    """Image of a container in every pod, by the container's name."""
    claims: tuple[ClaimExpected, ...] = ()
    max_unavailable: int | None = None
    """Servers that a disruption budget lets be evicted at the same time."""
    own_nodes: bool = False
    """Whether no two of them share a node."""
    zones: int | None = Field(default=None, ge=1)
    """Number of zones over which they are spread as evenly as it goes."""


class KubernetesExpected(Model):
    """What Kubernetes must have of the platform, aside from servers that answer; the reach names their pods."""

    zookeeper: ServersExpected = ServersExpected()
    kafka: ServersExpected = ServersExpected()


class Contract(Model):
    """Everything that must be true after the apply."""

    version: Literal[1] = CONTRACT_VERSION
    platform: str
    """Name of the platform."""
    target: str
    """Where it was delivered: ``local``, ``kubernetes`` or ``managed``."""
    reach: Annotated[ReachByAddress | ReachByPortForward, Field(discriminator="by")]
    security: ClientSecurity = ClientSecurity()
    zookeeper: ZooKeeperExpected
    kafka: KafkaExpected
    topics: tuple[TopicExpected, ...] = ()
    kubernetes: KubernetesExpected | None = None
    """None: nothing is promised. A reader that does not know this field refuses a contract that has it."""

    @model_validator(mode="after")
    def _pods_have_names(self) -> Self:
        if self.kubernetes is not None and not isinstance(self.reach, ReachByPortForward):
            raise ValueError("kubernetes promises something of pods, and only a reach by port-forward names them")
        return self

    def from_outside(self) -> Self:
        """The same contract with the addresses that brokers advertise to clients outside the Kubernetes cluster."""
        if not isinstance(self.reach, ReachByPortForward):
            return self
        brokers = tuple(
            broker.model_copy(update={"address": self.reach.broker_address(broker.id)}) for broker in self.kafka.brokers
        )
        return self.model_copy(update={"kafka": self.kafka.model_copy(update={"brokers": brokers})})

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` of every broker, separated by commas: Kafka's ``bootstrap.servers``."""
        return ",".join(broker.address for broker in self.kafka.brokers)

    @property
    def zookeeper_connect(self) -> str:
        """``host:port`` of every server, separated by commas, and the chroot: Kafka's ``zookeeper.connect``."""
        return ",".join(server.address for server in self.zookeeper.servers) + self.zookeeper.chroot


if __name__ == "__main__":
    import json
    import sys

    json.dump(Contract.model_json_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
