"""What was seen. Plain frozen data: the provider builds it in every plan, and pays for no model.

What follows from what was seen is a property here: who leads, who agrees, what is behind. Whether that is as it should
be is for others to judge, the smoke tests by the contract and the provider by what its user expects.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

from hikube_kafka.connect.seen import ConnectorSeen, PluginSeen
from hikube_kafka.kubernetes.claim import ClaimSeen

Told = TypeVar("Told")


def agreed(told: Iterable[Told | None]) -> Told | None:
    """The one thing that all of them say; None: they differ, one of them says nothing, or nobody was asked."""
    said = set(told)
    return said.pop() if len(said) == 1 else None


@dataclass(frozen=True)
class Unreadable:
    """Something that should have been read and could not be."""

    what: str
    """What was to be read, and where: ``srvr of 127.0.0.1:22181``."""
    reason: str
    """Why it could not be."""
    lasting: bool = field(default=False, compare=False)
    """Whether that stays so until somebody does something about it: a password that is wrong, a right that is
    missing. A server that does not answer may start at any moment."""

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.what}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """A ZooKeeper server's answer to ``srvr``."""

    mode: str
    """``leader``, ``follower``, ``observer``, ``standalone`` or ``read-only``."""
    zxid: int
    """Id of the last transaction that it has processed."""
    version: str
    """Its version, such as ``3.8.4``."""

    @property
    def epoch(self) -> int:
        """Number of the leadership that ``zxid`` belongs to: its upper 32 bits."""
        return self.zxid >> 32

    @property
    def leads(self) -> bool:
        """Whether it decides on its own: it leads others, or stands alone."""
        return self.mode in {"leader", "standalone"}


@dataclass(frozen=True, kw_only=True)
class Followers:
    """What a ZooKeeper server reports of its followers through ``mntr``; only a leader reports anything."""

    synced: int | None
    """``zk_synced_followers``; None: not reported."""
    pending_syncs: int | None
    """``zk_pending_syncs``; None: not reported."""


@dataclass(frozen=True, kw_only=True)
class VotingView:
    """Whom a ZooKeeper server takes for the ensemble, from its answer to ``conf``."""

    own_id: int | None
    """Its ``myid``; None for a standalone server, which has none."""
    voters: Mapping[int, str]
    """Address of each voting server, ``host:peer port:election port``, by id; empty for a standalone server."""
    version: str | None
    """Version of the membership (hexadecimal), raised by each reconfiguration; None for a standalone server."""


@dataclass(frozen=True, kw_only=True)
class BrokerRegistration:
    """A broker as it registered itself under ``/brokers/ids``."""

    rack: str | None
    endpoints: tuple[str, ...]
    """Its advertised listeners: ``PLAINTEXT://host:port``."""


@dataclass(frozen=True, kw_only=True)
class KafkaRegistry:
    """What one ZooKeeper server's tree says of Kafka, read after a sync."""

    brokers: Mapping[int, BrokerRegistration]
    """The registered brokers by id."""
    controller: int | None
    """Broker that holds ``/controller``; None: nobody does."""
    cluster_id: str | None
    """Kafka's cluster id; None: no broker has ever started."""
    topics: frozenset[str] = frozenset()
    """The topics, without those that are being deleted."""


@dataclass(frozen=True, kw_only=True)
class ZooKeeperServerSeen:
    """One ZooKeeper server."""

    address: str
    """``host:port`` as asked for, not as dialled."""
    status: ServerStatus | Unreadable
    followers: Followers | Unreadable
    voting_view: VotingView | Unreadable
    kafka: KafkaRegistry | Unreadable


@dataclass(frozen=True, kw_only=True)
class ReadBack:
    """A value written on one ZooKeeper server, as another one gave it back after a sync."""

    writer: str
    """Address of the server that took the write."""
    reader: str
    """Address of the server that was read."""
    written: str
    read: str | Unreadable | None
    """The value read; None: the node was not there."""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One partition in a broker's metadata."""

    leader: int | None
    """Broker that leads it; None: nobody does."""
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]
    """The replicas that are in sync (ISR)."""

    @property
    def is_online(self) -> bool:
        """Whether it can be read and written."""
        return self.leader is not None

    @property
    def behind(self) -> tuple[int, ...]:
        """The replicas that are not in sync, in ascending order; where there are any, it is under-replicated."""
        return tuple(sorted(set(self.replicas) - set(self.in_sync)))


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The cluster as one broker describes it."""

    cluster_id: str | None
    controller: int | None
    """None: this broker knows of none."""
    brokers: Mapping[int, str]
    """Advertised ``host:port`` of each broker by id."""
    topics: Mapping[str, Mapping[int, Partition] | Unreadable]
    """Partitions by number, of every topic by name, internal ones included."""

    @property
    def partitions(self) -> Iterator[tuple[str, int, Partition]]:
        """Every partition with its topic and number; of a topic that could not be read there are none."""
        for topic, partitions in self.topics.items():
            if not isinstance(partitions, Unreadable):
                for number, partition in partitions.items():
                    yield topic, number, partition


@dataclass(frozen=True, kw_only=True)
class BrokerSeen:
    """One broker."""

    address: str
    """``host:port`` as asked for, not as dialled."""
    id: int | None
    """Its id; None: it did not answer, or no broker in its metadata advertises this address."""
    metadata: Metadata | Unreadable
    settings: Mapping[str, str | None] | Unreadable
    """Every setting in force on it, by Kafka's own key; None: it is not set, or Kafka keeps the value to itself."""
    secrets: frozenset[str] = frozenset()
    """Keys whose value Kafka keeps to itself: secrets, and whatever it does not know."""


@dataclass(frozen=True, kw_only=True)
class TopicConfig:
    """The configuration of a topic."""

    in_force: Mapping[str, str | None]
    """Every entry in force, wherever it was set; None: Kafka keeps the value to itself."""
    own: frozenset[str]
    """Keys that are set on the topic itself."""


@dataclass(frozen=True, kw_only=True)
class ZooKeeperSeen:
    """The ensemble, server by server, in the order in which they were asked for."""

    servers: tuple[ZooKeeperServerSeen, ...] = ()

    @property
    def serving(self) -> dict[str, ServerStatus]:
        """Status of each server that serves, by its address."""
        return {each.address: each.status for each in self.servers if isinstance(each.status, ServerStatus)}

    @property
    def leaders(self) -> tuple[str, ...]:
        """Address of each server that leads, or stands alone."""
        return tuple(address for address, status in self.serving.items() if status.leads)

    @property
    def voting_views(self) -> dict[str, VotingView]:
        """Whom each server that serves takes for the ensemble, by its address."""
        return {each.address: each.voting_view for each in self.servers if isinstance(each.voting_view, VotingView)}

    @property
    def registries(self) -> dict[str, KafkaRegistry]:
        """What each server has of Kafka, by its address."""
        return {each.address: each.kafka for each in self.servers if isinstance(each.kafka, KafkaRegistry)}

    @property
    def topics(self) -> frozenset[str]:
        """Topics that every server has whose tree was read: what a broker shows is what its client may see of them."""
        topics = [registry.topics for registry in self.registries.values()]
        return frozenset.intersection(*topics) if topics else frozenset()

    def server(self, address: str) -> ZooKeeperServerSeen:
        """Give the server asked for under an address; one that was not read is unreadable."""
        for server in self.servers:
            if server.address == address:
                return server
        nobody = Unreadable(f"ZooKeeper server {address}", "not read")
        return ZooKeeperServerSeen(address=address, status=nobody, followers=nobody, voting_view=nobody, kafka=nobody)


@dataclass(frozen=True, kw_only=True)
class KafkaSeen:
    """The brokers, each asked by itself: first those asked for, then those that they named besides."""

    brokers: tuple[BrokerSeen, ...] = ()
    topic_configs: Mapping[str, TopicConfig | Unreadable] = field(default_factory=dict)
    """Of every topic that any broker named, by name."""

    @property
    def views(self) -> tuple[Metadata, ...]:
        """The cluster as each broker that answers describes it."""
        return tuple(broker.metadata for broker in self.brokers if isinstance(broker.metadata, Metadata))

    @property
    def silent(self) -> tuple[Unreadable, ...]:
        """Why each broker that does not answer does not."""
        return tuple(broker.metadata for broker in self.brokers if isinstance(broker.metadata, Unreadable))

    @property
    def controller(self) -> int | None:
        """The controller that all brokers name; None: they name none, or do not agree."""
        return agreed(view.controller for view in self.views)

    @property
    def cluster_id(self) -> str | None:
        """The cluster id of all brokers that name any; None: they name none, or different ones."""
        return agreed(view.cluster_id for view in self.views if view.cluster_id)

    def broker(self, address: str) -> BrokerSeen:
        """Give the broker asked for under an address; one that was not read is unreadable."""
        for broker in self.brokers:
            if broker.address == address:
                return broker
        nobody = Unreadable(f"broker {address}", "not read")
        return BrokerSeen(address=address, id=None, metadata=nobody, settings=nobody)


@dataclass(frozen=True, kw_only=True)
class WorkerSeen:
    """One Connect worker, and what it tells of its group."""

    address: str
    """Its URL as asked for, or the name of its pod; not as dialled."""
    version: str | Unreadable | None
    """Its version of Connect; None: it does not tell."""
    cluster_id: str | Unreadable | None
    """Id of the Kafka cluster that it works for."""
    plugins: tuple[PluginSeen, ...] | Unreadable
    """Every class that it has loaded."""
    connectors: Mapping[str, ConnectorSeen] | Unreadable
    """Those of the group with their tasks, by name."""

    @classmethod
    def unreadable(cls, address: str, why: Unreadable) -> Self:
        """One that does not answer."""
        return cls(address=address, version=why, cluster_id=why, plugins=why, connectors=why)

    @property
    def answers(self) -> bool:
        """Whether it answers at all."""
        return not isinstance(self.version, Unreadable)


@dataclass(frozen=True, kw_only=True)
class WorkerShare:
    """What a worker has to run, as its group has settled it."""

    connectors: int
    """Its connectors themselves; their tasks are counted apart."""
    tasks: int
    revoked: int = 0
    """How many connectors and tasks it has just been told to give up: the next rebalance hands them on."""
    delay_ms: int = 0
    """How long tasks of a worker that is away still wait for it."""


@dataclass(frozen=True, kw_only=True)
class GroupSeen:
    """The group of the workers, as its coordinator among the brokers has it."""

    state: str
    """In Kafka's words: ``Stable``, ``PreparingRebalance``, ``CompletingRebalance``, ``Empty``, ``Dead``."""
    members: tuple[str, ...]
    """URL at which each member is met by the others; while the group rebalances, only the ids of their clients."""
    shares: tuple[WorkerShare, ...] = ()
    """What each member has to run that has an assignment."""

    @property
    def is_rebalancing(self) -> bool:
        """Whether it is just being settled who is in it."""
        return self.state in {"PreparingRebalance", "CompletingRebalance"}

    @property
    def is_balanced(self) -> bool:
        """Whether no rebalance is under way and none is due, and no member has more to run than it must."""
        return (
            self.state == "Stable"
            and len(self.shares) == len(self.members)
            and not any(share.delay_ms or share.revoked for share in self.shares)
            and _is_even([share.connectors for share in self.shares])
            and _is_even([share.tasks for share in self.shares])
        )


def _is_even(counts: Collection[int]) -> bool:
    """Whether the counts differ by one at most: so far does every rebalance of Connect go that waits for nobody."""
    return not counts or max(counts) - min(counts) <= 1


@dataclass(frozen=True, kw_only=True)
class ConnectSeen:
    """One cluster of Kafka Connect."""

    name: str
    workers: tuple[WorkerSeen, ...]
    """In the order in which they were asked for."""
    group: GroupSeen | Unreadable
    lags: Mapping[str, int | Unreadable] = field(default_factory=dict)
    """Records by which each sink lags behind, by its name, over all partitions that it reads or has read."""
    dead_letters: Mapping[str, int | Unreadable] = field(default_factory=dict)
    """Records in each dead-letter topic, by its name."""

    @property
    def connectors(self) -> tuple[Mapping[str, ConnectorSeen], ...]:
        """The connectors as each worker has them that tells."""
        return tuple(each.connectors for each in self.workers if not isinstance(each.connectors, Unreadable))


@dataclass(frozen=True, kw_only=True)
class PodSeen:
    """One pod."""

    state: str
    """In words, with Kubernetes' reasons: ``Running``, ``Pending (kafka waiting: ImagePullBackOff)``."""
    ready: bool
    """Whether its readiness gates have passed."""
    images: Mapping[str, str]
    """Image that each container was asked to run, by the container's name."""
    node: str | None
    """None: not placed yet."""
    stateful_set: str | None
    """The StatefulSet that owns it; None: none does."""


@dataclass(frozen=True, kw_only=True)
class BudgetSeen:
    """A disruption budget that counts a pod."""

    name: str
    max_unavailable: str | None
    """A number or a percentage; None: it says something else."""
    min_available: str | None


@dataclass(frozen=True, kw_only=True)
class KubernetesSeen:
    """What Kubernetes has in the platform's namespace."""

    pods: Mapping[str, PodSeen] | Unreadable = Unreadable("pods", "not read")
    claims: Mapping[str, ClaimSeen] | Unreadable = Unreadable("claims", "not read")
    """By name."""
    budgets: Mapping[str, tuple[BudgetSeen, ...]] | Unreadable = Unreadable("disruption budgets", "not read")
    """By the name of the pod that they count."""
    zones: Mapping[str, str | None] | Unreadable = Unreadable("nodes", "not read")
    """Zone of each node by its name; None: it bears no label of a zone."""
    kept_out: Mapping[str, str] = field(default_factory=dict)
    """Why a pod may not hear the pod that this runs in, by its name: a network policy; empty from outside."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A whole platform at one moment."""

    zookeeper: ZooKeeperSeen = ZooKeeperSeen()
    read_backs: tuple[ReadBack, ...] = ()
    kafka: KafkaSeen = KafkaSeen()
    kubernetes: KubernetesSeen = KubernetesSeen()
    connect: tuple[ConnectSeen, ...] = ()
    """In the order of the contract."""
    kubectl: str = "kubectl"
    """How a user calls it for the platform's cluster and namespace."""

    def connect_cluster(self, name: str) -> ConnectSeen:
        """Give the Connect cluster of a name; one that was not read has no worker, and a group that is unreadable."""
        nobody = Unreadable(f"Connect cluster {name}", "not read")
        found = (each for each in self.connect if each.name == name)
        return next(found, ConnectSeen(name=name, workers=(), group=nobody))

    @property
    def anything_answers(self) -> bool:
        """Whether any ZooKeeper server or any broker answers."""
        return bool(self.zookeeper.serving or self.kafka.views)
