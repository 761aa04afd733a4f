"""The contract: everything that must be true of the cluster after the apply.

It is computed from the declaration, travels as a Terraform output, and is what the smoke tests hold the living cluster
to. It holds no secret and no path of a machine.

Version 1 had ``zookeeper`` where version 2 has ``coordinator``; it is still read, and becomes version 2.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from hikube_kafka.spec.model import Frozen, Model
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.spec.security import ClientSecurity

CONTRACT_VERSION: Literal[2] = 2
"""Raised when a reader of the older version could misread the newer one."""


class ReachByAddress(Model):
    """The addresses of the contract can be dialled from where the reader stands."""

    by: Literal["address"] = "address"


class ReachByPortForward(Model):
    """The addresses of the contract are met through port-forwards: a kubeconfig is all that is needed.

    Each broker's forward listener is bound to 127.0.0.1 inside its pod, on ``forward_port`` + ordinal, and advertised
    as exactly that: a port-forward of the same number then leads to the broker, and to no other.
    """

    by: Literal["port-forward"] = "port-forward"
    namespace: str
    """Namespace of the pods."""
    context: str | None = None
    """Context of the kubeconfig; None means its current one."""
    cluster: str | None = None
    """UID of the namespace ``kube-system`` of the cluster that was applied to; None means that it is not known: who
    applied was not allowed to read it, or the contract is older. A reader that sees another UID must not go on."""
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

    kind: Literal["zookeeper"] = "zookeeper"
    servers: tuple[ZooKeeperServerExpected, ...]
    chroot: str = ""
    """Where Kafka lives in the tree: ``""`` or a path such as ``/kafka``."""


CoordinatorExpected = ZooKeeperExpected
"""What must coordinate the brokers: a union, told apart by ``kind``, with ZooKeeper as its one member so far."""


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
    settings: Frozen[str, str] = Field(default_factory=dict)
    """Cluster-wide broker settings that must be in force, by Kafka's own key."""


class TopicExpected(Model):
    """One topic that must be there."""

    name: str
    partitions: int
    replication_factor: int
    config: Frozen[str, str] = Field(default_factory=dict)
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

    images: Frozen[str, str] = Field(default_factory=dict)
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

    coordinator: ServersExpected = ServersExpected()
    """The servers that coordinate the brokers."""
    kafka: ServersExpected = ServersExpected()


class PluginExpected(Model):
    """A class that every worker must have loaded."""

    class_name: str
    """In full: ``io.debezium.connector.postgresql.PostgresConnector``."""
    version: str
    """As it tells it itself."""


class ConnectorExpected(Model):
    """One connector that must be there."""

    name: str
    class_name: str
    state: Literal["running", "paused", "stopped"] = "running"
    """What it and each of its tasks must be."""
    tasks_max: int
    """Tasks that it may have at most."""
    group: str | None = None
    """Of a sink: its consumer group; None means ``connect-<name>``."""
    dead_letters: str | None = None
    """Of a sink: topic of the records that it could not deliver."""
    dead_letters_allowed: int = 0
    """Records that may be in it."""
    most_lag: int | None = None
    """Of a sink: records by which its group may lag behind; None means that nothing is promised."""
    begins: Literal["latest"] | None = None
    """Of a sink: where it begins in a partition of which it has committed nothing, if not at the oldest record."""

    @property
    def consumer_group(self) -> str:
        """The consumer group of a sink."""
        return self.group or f"connect-{self.name}"


class ConnectExpected(Model):
    """One cluster of Kafka Connect that must serve."""

    name: str
    group_id: str
    workers: int
    urls: tuple[str, ...] = ()
    """Where the REST interface of each worker is met, with a reach by address."""
    pods: str | None = None
    """Name of the workers' StatefulSet, with a reach by port-forward: worker ``i`` is pod ``<pods>-<i>``."""
    port: int = 8083
    """Port of the REST interface inside the pod, on 127.0.0.1."""
    plugins: tuple[PluginExpected, ...] = ()
    connectors: tuple[ConnectorExpected, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """What each worker is called, in order: its URL, or the name of its pod."""
        return self.urls if self.pods is None else tuple(f"{self.pods}-{worker}" for worker in range(self.workers))


class Contract(Model):
    """Everything that must be true after the apply."""

    version: Literal[2] = CONTRACT_VERSION
    platform: str
    """Name of the platform."""
    target: str
    """Where it was delivered: ``local``, ``kubernetes`` or ``managed``."""
    reach: Annotated[ReachByAddress | ReachByPortForward, Field(discriminator="by")]
    security: ClientSecurity = ClientSecurity()
    coordinator: CoordinatorExpected
    kafka: KafkaExpected
    topics: tuple[TopicExpected, ...] = ()
    kubernetes: KubernetesExpected | None = None
    """None: nothing is promised. A reader that does not know this field refuses a contract that has it."""
    connect: tuple[ConnectExpected, ...] | None = None
    """None: there is none. A reader that does not know this field refuses a contract that has it."""

    @model_validator(mode="before")
    @classmethod
    def _of_any_version(cls, value: Any) -> Any:
        version = value.get("version", CONTRACT_VERSION) if isinstance(value, dict) else CONTRACT_VERSION
        if version == 1:
            return _upgraded(value)
        if version != CONTRACT_VERSION:
            raise ValueError(
                f"version {version!r} of the contract is not known: this release reads versions 1 and "
                f"{CONTRACT_VERSION}. Read it with the release of hikube-kafka that wrote it, or a newer one."
            )
        return value

    @model_validator(mode="after")
    def _pods_have_names(self) -> Self:
        if self.kubernetes is not None and not isinstance(self.reach, ReachByPortForward):
            raise ValueError(
                f"kubernetes promises pods, and reach.by is {self.reach.by!r}: only a reach by port-forward names them"
            )
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
    def zookeeper(self) -> ZooKeeperExpected:
        """The coordinator, which is ZooKeeper."""
        return self.coordinator

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` of every broker, separated by commas: Kafka's ``bootstrap.servers``."""
        return ",".join(broker.address for broker in self.kafka.brokers)

    @property
    def zookeeper_connect(self) -> str:
        """``host:port`` of every server, separated by commas, and the chroot: Kafka's ``zookeeper.connect``."""
        return ",".join(server.address for server in self.zookeeper.servers) + self.zookeeper.chroot


def _upgraded(contract: dict[str, Any]) -> dict[str, Any]:
    """A contract of version 1 as one of version 2; what neither has is left for the model to refuse."""
    upgraded = {"coordinator" if key == "zookeeper" else key: value for key, value in contract.items()}
    if isinstance(kubernetes := contract.get("kubernetes"), dict):
        upgraded["kubernetes"] = {
            "coordinator" if key == "zookeeper" else key: value for key, value in kubernetes.items()
        }
    return upgraded | {"version": CONTRACT_VERSION}


if __name__ == "__main__":
    import json
    import sys

    json.dump(Contract.model_json_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
