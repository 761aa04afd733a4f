"""A platform on Kubernetes: names of releases, pods and services, addresses, and the contract that follows.

What all brokers share stands once in their configuration; what differs from pod to pod is a mark in angle brackets,
which the chart's start script fills in: see :data:`MARKS`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Required, TypedDict, Unpack

from pydantic import AfterValidator, Field

from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.contract import (
    ClaimExpected,
    Contract,
    KubernetesExpected,
    ReachByPortForward,
    ServersExpected,
)
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.model import ChartModel, Declared, Form, Frozen, Model, Several, Texts, Whole
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.properties import BrokerAddress
from hikube_kafka.spec.quantities import Duration
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets import assembly
from hikube_kafka.spec.versions import KAFKA_VERSION, ZOOKEEPER_VERSION
from hikube_kafka.spec.zoo_cfg import ZooKeeperAddress, zookeeper_connect
from hikube_kafka.spec.zookeeper import ZooKeeper

MARKS: Mapping[str, str] = {
    "<ordinal>": "number of the pod, from 0, which is the broker's id",
    "<host>": "name of the pod in the cluster's DNS",
    "<forward-port>": "port of the forward listener",
    "<node>": "address of the pod's node",
    "<node-port>": "port of the broker on every node, with external access of type NodePort",
    "<rack>": "the broker's rack",
}
"""What the start script of a broker fills in, wherever it stands in the configuration."""

FORWARD = "forward"
"""Name of the listener that port-forwards lead to."""

FORWARD_PORT = 19092
"""Port of broker 0's forward listener, unless another is declared."""

SMOKE_LABELS: Mapping[str, str] = {"hikube.kafka/smoke": "true"}
"""What a pod of the smoke tests bears in the platform's namespace: the charts' network policies let it in."""

ZOOKEEPER_CLIENT_PORT = 2181
ZOOKEEPER_PEER_PORT = 2888
ZOOKEEPER_ELECTION_PORT = 3888

CONNECT_PORT = 8083
"""Port of a worker's REST interface on 127.0.0.1 of its pod, for port-forwards: Connect's own default."""
CONNECT_GROUP_PORT = 8084
"""Port of the same on the pod's address, for the other workers of the group alone."""


class Image(Declared, ChartModel):
    """A container image."""

    registry: Annotated[
        str,
        Form(
            pattern=r"^[^\s/]*$",
            what="the host of a registry",
            instead="declare the host, and a port if it needs one: mirror.example.com:5000",
        ),
    ] = ""
    """Host of the registry or of a mirror; empty means the container runtime's own default."""
    repository: str = Field(min_length=1)
    tag: str = Field(min_length=1)
    digest: Annotated[
        str,
        Form(
            pattern=r"^(sha256:[0-9a-f]{64})?$",
            what="a digest",
            instead="write sha256: and its 64 hexadecimal digits, with small letters",
        ),
    ] = ""
    """``sha256:...``: pulls exactly this content, whatever the tag has become. Empty means by tag."""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"

    @property
    def reference(self) -> str:
        """As it stands in a pod: ``registry.example/apache/kafka:3.9.2@sha256:...``."""
        registry = f"{self.registry}/" if self.registry else ""
        return f"{registry}{self.repository}:{self.tag}{f'@{self.digest}' if self.digest else ''}"


class ClaimRetention(Declared, ChartModel):
    """What becomes of the claims, and so of the messages."""

    when_deleted: Literal["Retain", "Delete"] = "Retain"
    """When the release is uninstalled. ``Delete`` loses every message."""
    when_scaled: Literal["Retain", "Delete"] = "Retain"
    """When there are fewer pods. ``Delete`` loses what the last pods held."""


class Toleration(Declared, ChartModel):
    """A taint of nodes that the pods put up with."""

    key: str = ""
    """Empty, with ``Exists``, means every taint."""
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    """Empty means every effect."""


class Pods(Declared, ChartModel):
    """Where the pods run, and how important they are."""

    anti_affinity: Literal["required", "preferred"] = "required"
    """Whether two pods of a release may share a node: never, or only where there is no other. A shared node takes
    both of them along when it fails."""
    node_selector: Frozen[str, str] = Field(default_factory=dict)
    """Labels that a node must have."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints of nodes that the pods put up with."""
    priority_class_name: str = ""
    """Pods of a higher class push out those of a lower one. Empty means the cluster's default."""
    annotations: Frozen[str, str] = Field(default_factory=dict)
    """Annotations of the pods; a change restarts them, one by one."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            anti_affinity: Literal["required", "preferred"] = ...,
            node_selector: Mapping[str, str] = ...,
            tolerations: Sequence[Toleration] = ...,
            priority_class_name: str = ...,
            annotations: Mapping[str, str] = ...,
        ) -> None: ...


class ClientPods(Declared, ChartModel):
    """Pods that may connect."""

    namespace: str = ""
    """Name of their namespace; empty means the release's own, ``*`` means every one."""
    labels: Frozen[str, str] = Field(default_factory=dict)
    """Labels that they must have; none means all pods of the namespace."""


class NetworkPolicy(ChartModel):
    """Who may connect over the pods' network. A port-forward needs no entry: it arrives inside the pod."""

    enabled: bool = True
    """Whether there is a policy. Without one, every pod of the cluster may connect."""
    clients: tuple[ClientPods, ...] = ()
    """Who may connect to the listeners, besides the servers themselves; empty means nobody."""


class ExternalAccess(Declared, ChartModel):
    """One of the listeners, met from outside the cluster: one service per broker."""

    type: Literal["None", "LoadBalancer", "NodePort"] = "None"
    """Kind of the services."""
    listener: str = ""
    """Name of the declared listener."""
    host: str = "<node>"
    """What brokers advertise: a name per broker such as ``kafka-<ordinal>.example.com``, which must lead to its load
    balancer; or ``<node>``, the address of its node, with NodePort."""
    node_port: Whole = Field(default=30092, ge=1, le=65535)
    """Port of broker 0 on every node; the next broker has the next. Only with NodePort."""
    sources: Several = ()
    """Networks that may connect, such as ``203.0.113.0/24``; empty means everyone."""
    annotations: Frozen[str, str] = Field(default_factory=dict)
    """Annotations of the services; ``<ordinal>`` becomes the broker's, for a DNS controller."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            type: Literal["None", "LoadBalancer", "NodePort"] = ...,  # noqa: A002 - the field
            listener: str = ...,
            host: str = ...,
            node_port: int = ...,
            sources: Texts = ...,
            annotations: Mapping[str, str] = ...,
        ) -> None: ...


_SAME_NAMESPACE = (ClientPods(),)


def _jvm_options(options: tuple[str, ...]) -> tuple[str, ...]:
    for option in options:
        if not re.fullmatch(r"-\S+", option):
            raise ValueError(f"{option!r} is not an option of the JVM: each begins with '-' and holds no white space")
        if option.startswith(("-Xms", "-Xmx")):
            raise ValueError(
                f"{option!r} is the heap, which has a field of its own: Kafka(heap=...), ZooKeeper(heap=...)"
            )
    return options


def _whole_seconds(duration: Duration) -> Duration:
    if duration.seconds % 1:
        raise ValueError(f"{duration} is not a whole number of seconds")
    return _countable(duration)


def _countable(duration: Duration) -> Duration:
    if duration.seconds > _MOST_SECONDS:
        raise ValueError(f"{duration} is longer than Kubernetes can count: declare a time such as 1d")
    return duration


_MOST_SECONDS = 2**31 - 1
"""The API server takes seconds and tries as whole numbers of 32 bits."""


def _not_zero(duration: Duration) -> Duration:
    if duration.seconds < 1:
        raise ValueError(f"{duration} leaves no time at all: declare at least 1s")
    return duration


JvmOptions = Annotated[Several, AfterValidator(_jvm_options)]
Seconds = Annotated[Duration, AfterValidator(_whole_seconds)]
Patience = Annotated[Duration | str, AfterValidator(_not_zero), AfterValidator(_countable)]
"""How long something is waited for: at least a second."""


class LayoutFields(TypedDict, total=False):
    """What a layout is declared with, on its own or in a target: :class:`KubernetesLayout` says what each is."""

    namespace: Required[str]
    context: str | None
    release_prefix: str | None
    kafka_image: Image
    zookeeper_image: Image
    connect_image: Image | None
    image_pull_secrets: Texts
    claims: ClaimRetention
    pods: Pods
    kafka_pods: Pods | None
    zookeeper_pods: Pods | None
    connect_pods: Pods | None
    kafka_jvm_options: Texts
    zookeeper_jvm_options: Texts
    connect_jvm_options: Texts
    kafka_startup: Duration | str
    kafka_shutdown_gate: Duration | str
    kafka_termination_grace: Duration | str
    zookeeper_termination_grace: Duration | str
    connect_startup: Duration | str
    connect_termination_grace: Duration | str
    zookeeper_membership_secret: str
    kafka_clients: Sequence[ClientPods]
    zookeeper_clients: Sequence[ClientPods]
    network_policy: bool
    external: ExternalAccess
    rack_from_zone: bool
    labels: Mapping[str, str]
    node_port_range: tuple[int, int]
    forward_port: int


class KubernetesLayout(Declared):
    """Where and how a platform is laid out on a cluster: ``KubernetesLayout(namespace="events")``."""

    namespace: Annotated[
        str,
        Form(
            pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
            what="a valid name of a namespace",
            instead="use up to 63 lower-case letters, digits and '-', beginning and ending with a letter or a digit",
        ),
    ]
    """Namespace of both releases."""
    context: str | None = None
    """Context of the kubeconfig, for whoever reads the contract; None means its current one."""
    release_prefix: str | None = None
    """What the releases' names begin with. None means the platform's name and ``-``: ``events-zookeeper``."""
    zookeeper: str | None = None
    """Release of an ensemble in the same namespace that the platform shares. None means that it has its own."""
    kafka_image: Image = Image(repository="apache/kafka", tag=KAFKA_VERSION)
    zookeeper_image: Image = Image(repository="zookeeper", tag=ZOOKEEPER_VERSION)
    connect_image: Image | None = None
    """Image of Connect's workers. None means that of the brokers, which has Connect too."""
    image_pull_secrets: Several = ()
    """Names of the Secrets that open the registry."""
    claims: ClaimRetention = ClaimRetention()
    pods: Pods = Pods()
    """Where the pods of both releases run."""
    kafka_pods: Pods | None = None
    """Where the brokers run. None means as ``pods`` says."""
    zookeeper_pods: Pods | None = None
    """Where the ZooKeeper servers run. None means as ``pods`` says."""
    connect_pods: Pods | None = None
    """Where Connect's workers run. None means as ``pods`` says."""
    kafka_jvm_options: JvmOptions = ()
    """Options of the brokers' JVM after those that are computed: the last of two that contradict each other wins."""
    zookeeper_jvm_options: JvmOptions = ()
    """Options of the ZooKeeper servers' JVM after those that are computed."""
    connect_jvm_options: JvmOptions = ()
    """Options of the workers' JVM after those that are computed."""
    kafka_startup: Seconds = Duration("1d")
    """How long a broker may take to recover its log and get back into sync; after that its container is started anew.
    At least a minute."""
    kafka_shutdown_gate: Seconds = Duration("3m")
    """How long a broker waits, before it stops, for the other replicas of its partitions to be in sync."""
    kafka_termination_grace: Seconds = Duration("5m")
    """How long a broker may take to stop in all: the gate, handing over its leaderships, closing its log."""
    zookeeper_termination_grace: Annotated[Seconds, AfterValidator(_not_zero)] = Duration("1m")
    """How long a ZooKeeper server may take to stop: at least a second."""
    connect_startup: Seconds = Duration("10m")
    """How long a worker may take to load its plugins and join its group; after that its container is started anew. At
    least a minute."""
    connect_termination_grace: Annotated[Seconds, AfterValidator(_not_zero)] = Duration("2m")
    """How long a worker may take to stop: its tasks deliver what they hold, and commit their offsets."""
    zookeeper_membership_secret: str = ""
    """Secret with one key, ``password``: that of ZooKeeper's user ``super``, who alone may change who votes. Empty
    means that the release makes one, ``<release>-membership``, and keeps it. Decided before the first apply."""
    kafka_clients: tuple[ClientPods, ...] = _SAME_NAMESPACE
    """Who may connect to the brokers. Default: every pod of the namespace."""
    zookeeper_clients: tuple[ClientPods, ...] = (ClientPods(labels={"app.kubernetes.io/name": "kafka"}),)
    """Who may connect to ZooKeeper. Default: the brokers of the namespace, and nobody else."""
    network_policy: bool = True
    """Whether network policies are laid down."""
    external: ExternalAccess = ExternalAccess()
    rack_from_zone: bool = False
    """Take each broker's rack from the zone label of its node. Whoever installs must be allowed to list nodes."""
    labels: Frozen[str, str] = Field(default_factory=dict)
    """Labels of every object, besides the charts' own."""
    node_port_range: tuple[Whole, Whole] = (30000, 32767)
    """First and last port that the API server gives to services of type NodePort, its ``--service-node-port-range``.
    Default: Kubernetes' own."""
    forward_port: Whole = Field(default=FORWARD_PORT, ge=1024, le=65535)
    """Port of broker 0's forward listener; broker ``i`` has the ``i``-th after it. A port-forward of the same number
    leads to it."""

    if TYPE_CHECKING:

        def __init__(self, *, zookeeper: str | None = ..., **fields: Unpack[LayoutFields]) -> None: ...

    def zookeeper_release(self, platform: Platform) -> str:
        """Name of ZooKeeper's release, its StatefulSet and its client service."""
        return self.zookeeper or f"{self._prefix(platform)}zookeeper"

    def kafka_release(self, platform: Platform) -> str:
        """Name of the brokers' release, their StatefulSet and their client service."""
        return f"{self._prefix(platform)}kafka"

    def connect_release(self, platform: Platform, cluster: ConnectCluster) -> str:
        """Name of the workers' release, and of their StatefulSet."""
        return f"{self._prefix(platform)}connect-{cluster.name}"

    def bootstrap_service(self, platform: Platform) -> str:
        """``host:port`` of the brokers' client service: whichever of them is ready answers."""
        # Without the cluster's own domain, as a pod's name.
        return f"{self.kafka_release(platform)}.{self.namespace}.svc:{platform.kafka.listeners[0].port}"

    def membership_secret(self, platform: Platform) -> str:
        """Name of the Secret with the password of the user who may change ZooKeeper's membership."""
        return self.zookeeper_membership_secret or f"{self.zookeeper_release(platform)}-membership"

    def pods_of(self, servers: Literal["kafka", "zookeeper", "connect"]) -> Pods:
        """Where the servers of that kind run."""
        own = {"kafka": self.kafka_pods, "zookeeper": self.zookeeper_pods, "connect": self.connect_pods}
        return own[servers] or self.pods

    def _prefix(self, platform: Platform) -> str:
        return f"{platform.name}-" if self.release_prefix is None else self.release_prefix

    def zookeeper_addresses(self, platform: Platform) -> dict[int, ZooKeeperAddress]:
        """Where each ZooKeeper server is met inside the cluster, by its id."""
        return self.addresses_of(self.zookeeper_release(platform), platform.zookeeper.servers)

    def addresses_of(self, release: str, servers: int) -> dict[int, ZooKeeperAddress]:
        """Where each server of a release of the chart ``zookeeper`` is met inside the cluster, by its id."""
        return {
            server: ZooKeeperAddress(
                host=self._pod(release, server - 1),
                client_port=ZOOKEEPER_CLIENT_PORT,
                peer_port=ZOOKEEPER_PEER_PORT,
                election_port=ZOOKEEPER_ELECTION_PORT,
            )
            for server in range(1, servers + 1)
        }

    def zookeeper_connect(self, platform: Platform) -> str:
        """Kafka's ``zookeeper.connect``: the first three servers, or more where all three could go and a quorum stay.

        Of 2f+1 servers a quorum lacks f at most, so one of f+1 always serves. As an ensemble of three grows to five
        and shrinks again this stays as it is: no broker restarts, and none has a session with a server that goes.
        """
        servers = self.zookeeper_addresses(platform)
        named = max(3, len(servers) // 2 + 1)
        return zookeeper_connect(platform, {server: servers[server] for server in servers if server <= named})

    def _pod(self, release: str, ordinal: int) -> str:
        # Without the cluster's own domain, which is not cluster.local everywhere: a pod's resolver adds it.
        return f"{release}-{ordinal}.{release}-headless.{self.namespace}.svc"

    def listeners(self, platform: Platform) -> tuple[Listener, ...]:
        """The declared listeners and the forward listener, which asks the same of a client as the first does."""
        first = platform.kafka.listeners[0]
        forward = Listener(FORWARD, port=self.forward_port, protocol=first.protocol, mechanism=first.mechanism)
        return (*platform.kafka.listeners, forward)

    def forward_ports(self, platform: Platform) -> range:
        """Port of each broker's forward listener, broker by broker."""
        return range(self.forward_port, self.forward_port + platform.kafka.brokers)

    def broker_addresses(self, platform: Platform) -> dict[str, BrokerAddress]:
        """Where each listener of every broker is met, by the listener's name; with marks, see :data:`MARKS`."""
        forward = BrokerAddress(bind="127.0.0.1:<forward-port>", advertised="127.0.0.1:<forward-port>")
        return {
            listener.name: BrokerAddress(bind=f":{listener.port}", advertised=self._advertised(listener))
            for listener in platform.kafka.listeners
        } | {FORWARD: forward}

    def _advertised(self, listener: Listener) -> str:
        if self.external.type == "None" or listener.name != self.external.listener:
            return f"<host>:{listener.port}"
        host = self.external.host
        # An address of IPv6 has colons of its own; those of nodes get their brackets where the broker starts.
        bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"{bracketed}:{'<node-port>' if self.external.type == 'NodePort' else listener.port}"

    def contract(self, platform: Platform, shared: "SharedZooKeeper | None" = None) -> Contract:
        """What must be true of the cluster after the apply, read through port-forwards.

        Args:
            platform: the declaration.
            shared: the ensemble that the platform shares with others. None means that it has its own.
        """
        zookeeper = shared or SharedZooKeeper(
            release=self.zookeeper_release(platform), layout=self, servers=platform.zookeeper
        )
        brokers = self.kafka_release(platform)
        port = platform.kafka.listeners[0].port
        return assembly.contract(
            platform,
            target="kubernetes",
            reach=ReachByPortForward(
                namespace=self.namespace,
                context=self.context,
                kafka_pods=brokers,
                zookeeper_pods=zookeeper.release,
                forward_port=self.forward_port,
                zookeeper_port=ZOOKEEPER_CLIENT_PORT,
            ),
            zookeeper=zookeeper.addresses,
            brokers=[f"{self._pod(brokers, broker)}:{port}" for broker in range(platform.kafka.brokers)],
            workers={
                cluster.name: assembly.WorkersMet(pods=self.connect_release(platform, cluster), port=CONNECT_PORT)
                for cluster in platform.connect
            },
            kubernetes=KubernetesExpected(
                coordinator=_servers(
                    zookeeper.servers.servers,
                    image={"zookeeper": zookeeper.layout.zookeeper_image},
                    pods=zookeeper.layout.pods_of("zookeeper"),
                    claims=zookeeper_claims(zookeeper.servers),
                ),
                kafka=_servers(
                    platform.kafka.brokers,
                    image={"kafka": self.kafka_image},
                    pods=self.pods_of("kafka"),
                    claims=kafka_claims(platform.kafka),
                ),
            ),
        )


class SharedZooKeeper(Model):
    """An ensemble of its own release, which several platforms share."""

    release: str
    """Name of the release."""
    layout: KubernetesLayout
    """Where it is laid out."""
    servers: ZooKeeper

    @property
    def addresses(self) -> dict[int, ZooKeeperAddress]:
        """Where each server is met inside the cluster, by its id."""
        return self.layout.addresses_of(self.release, self.servers.servers)


def kafka_claims(kafka: Kafka) -> dict[str, Storage]:
    """The storage behind each claim of a broker, by the name of the claim's template."""
    return {"data": kafka.storage}


def zookeeper_claims(zookeeper: ZooKeeper) -> dict[str, Storage]:
    """The storage behind each claim of a ZooKeeper server, by the name of the claim's template."""
    return {"data": zookeeper.storage} | ({"log": zookeeper.log_storage} if zookeeper.log_storage else {})


def _servers(count: int, *, image: Mapping[str, Image], pods: Pods, claims: Mapping[str, Storage]) -> ServersExpected:
    """What the charts lay down for servers of one kind; the spread over zones is their wish and no promise."""
    return ServersExpected(
        images={container: each.reference for container, each in image.items()},
        claims=tuple(
            ClaimExpected(name=name, size=storage.size, storage_class=storage.storage_class or None)
            for name, storage in claims.items()
        ),
        max_unavailable=1,
        own_nodes=count > 1 and pods.anti_affinity == "required",
    )
