"""A platform on Kubernetes: names of releases, pods and services, addresses, and the contract that follows.

What all brokers share stands once in their configuration; what differs from pod to pod is a mark in angle brackets,
which the chart's start script fills in: see :data:`MARKS`.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from hikube_kafka.spec.contract import (
    BrokerExpected,
    ClaimExpected,
    Contract,
    KafkaExpected,
    KubernetesExpected,
    ReachByPortForward,
    ServersExpected,
    ZooKeeperExpected,
    ZooKeeperServerExpected,
)
from hikube_kafka.spec.kafka import Listener
from hikube_kafka.spec.model import ChartModel, Model
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.properties import BrokerAddress, ZooKeeperAddress, cluster_settings, zookeeper_connect
from hikube_kafka.spec.security import ClientSecurity, Protocol
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.local import expected_topics
from hikube_kafka.spec.versions import KAFKA_VERSION, ZOOKEEPER_VERSION

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

ZOOKEEPER_CLIENT_PORT = 2181
ZOOKEEPER_PEER_PORT = 2888
ZOOKEEPER_ELECTION_PORT = 3888


class Image(ChartModel):
    """A container image."""

    registry: str = Field(default="", pattern=r"^[^\s/]*$")
    """Host of the registry or of a mirror; empty means the container runtime's own default."""
    repository: str = Field(min_length=1)
    tag: str = Field(min_length=1)
    digest: str = Field(default="", pattern=r"^(sha256:[0-9a-f]{64})?$")
    """``sha256:...``: pulls exactly this content, whatever the tag has become. Empty means by tag."""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"

    @property
    def reference(self) -> str:
        """As it stands in a pod: ``registry.example/apache/kafka:3.9.2@sha256:...``."""
        registry = f"{self.registry}/" if self.registry else ""
        return f"{registry}{self.repository}:{self.tag}{f'@{self.digest}' if self.digest else ''}"


class ClaimRetention(ChartModel):
    """What becomes of the claims, and so of the messages."""

    when_deleted: Literal["Retain", "Delete"] = "Retain"
    """When the release is uninstalled. ``Delete`` loses every message."""
    when_scaled: Literal["Retain", "Delete"] = "Retain"
    """When there are fewer pods. ``Delete`` loses what the last pods held."""


class Toleration(ChartModel):
    """A taint of nodes that the pods put up with."""

    key: str = ""
    """Empty, with ``Exists``, means every taint."""
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    """Empty means every effect."""


class Pods(ChartModel):
    """Where the pods run, and how important they are."""

    anti_affinity: Literal["required", "preferred"] = "required"
    """Whether two pods of a release may share a node: never, or only where there is no other. A shared node takes
    both of them along when it fails."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels that a node must have."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints of nodes that the pods put up with."""
    priority_class_name: str = ""
    """Pods of a higher class push out those of a lower one. Empty means the cluster's default."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations of the pods; a change restarts them, one by one."""


class ClientPods(ChartModel):
    """Pods that may connect."""

    namespace: str = ""
    """Name of their namespace; empty means the release's own, ``*`` means every one."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels that they must have; none means all pods of the namespace."""


class NetworkPolicy(ChartModel):
    """Who may connect over the pods' network. A port-forward needs no entry: it arrives inside the pod."""

    enabled: bool = True
    """Whether there is a policy. Without one, every pod of the cluster may connect."""
    clients: tuple[ClientPods, ...] = ()
    """Who may connect to the listeners, besides the servers themselves; empty means nobody."""


class ExternalAccess(ChartModel):
    """One of the listeners, met from outside the cluster: one service per broker."""

    type: Literal["None", "LoadBalancer", "NodePort"] = "None"
    """Kind of the services."""
    listener: str = ""
    """Name of the declared listener."""
    host: str = "<node>"
    """What brokers advertise: a name per broker such as ``kafka-<ordinal>.example.com``, which must lead to its load
    balancer; or ``<node>``, the address of its node, with NodePort."""
    node_port: int = Field(default=30092, ge=1, le=65535)
    """Port of broker 0 on every node; the next broker has the next. Only with NodePort."""
    sources: tuple[str, ...] = ()
    """Networks that may connect, such as ``203.0.113.0/24``; empty means everyone."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations of the services; ``<ordinal>`` becomes the broker's, for a DNS controller."""


_SAME_NAMESPACE = (ClientPods(),)


class KubernetesLayout(Model):
    """Where and how a platform is laid out on a cluster: ``KubernetesLayout(namespace="events")``."""

    namespace: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """Namespace of both releases."""
    context: str | None = None
    """Context of the kubeconfig, for whoever reads the contract; None means its current one."""
    release_prefix: str | None = None
    """What the releases' names begin with. None means the platform's name and ``-``: ``events-zookeeper``."""
    zookeeper: str | None = None
    """Release of an ensemble in the same namespace that the platform shares. None means that it has its own."""
    kafka_image: Image = Image(repository="apache/kafka", tag=KAFKA_VERSION)
    zookeeper_image: Image = Image(repository="zookeeper", tag=ZOOKEEPER_VERSION)
    image_pull_secrets: tuple[str, ...] = ()
    """Names of the Secrets that open the registry."""
    claims: ClaimRetention = ClaimRetention()
    pods: Pods = Pods()
    kafka_clients: tuple[ClientPods, ...] = _SAME_NAMESPACE
    """Who may connect to the brokers. Default: every pod of the namespace."""
    zookeeper_clients: tuple[ClientPods, ...] = (ClientPods(labels={"app.kubernetes.io/name": "kafka"}),)
    """Who may connect to ZooKeeper. Default: the brokers of the namespace, and nobody else."""
    network_policy: bool = True
    """Whether network policies are laid down."""
    external: ExternalAccess = ExternalAccess()
    rack_from_zone: bool = False
    """Take each broker's rack from the zone label of its node. Whoever installs must be allowed to list nodes."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels of every object, besides the charts' own."""
    forward_port: int = Field(default=19092, ge=1024, le=65535)
    """Port of broker 0's forward listener; broker ``i`` has the ``i``-th after it. See the design's decision 5."""

    def zookeeper_release(self, platform: Platform) -> str:
        """Name of ZooKeeper's release, its StatefulSet and its client service."""
        return self.zookeeper or f"{self._prefix(platform)}zookeeper"

    def kafka_release(self, platform: Platform) -> str:
        """Name of the brokers' release, their StatefulSet and their client service."""
        return f"{self._prefix(platform)}kafka"

    def _prefix(self, platform: Platform) -> str:
        return f"{platform.name}-" if self.release_prefix is None else self.release_prefix

    def zookeeper_addresses(self, platform: Platform) -> dict[int, ZooKeeperAddress]:
        """Where each ZooKeeper server is met inside the cluster, by its id."""
        release = self.zookeeper_release(platform)
        return {
            server: ZooKeeperAddress(
                host=self._pod(release, server - 1),
                client_port=ZOOKEEPER_CLIENT_PORT,
                peer_port=ZOOKEEPER_PEER_PORT,
                election_port=ZOOKEEPER_ELECTION_PORT,
            )
            for server in range(1, platform.zookeeper.servers + 1)
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
        return f"{self.external.host}:{'<node-port>' if self.external.type == 'NodePort' else listener.port}"

    def contract(self, platform: Platform) -> Contract:
        """What must be true of the cluster after the apply, read through port-forwards."""
        first = platform.kafka.listeners[0]
        brokers = self.kafka_release(platform)
        return Contract(
            platform=platform.name,
            target="kubernetes",
            reach=ReachByPortForward(
                namespace=self.namespace,
                context=self.context,
                kafka_pods=brokers,
                zookeeper_pods=self.zookeeper_release(platform),
                forward_port=self.forward_port,
                zookeeper_port=ZOOKEEPER_CLIENT_PORT,
            ),
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
                        address=f"{self._pod(brokers, broker)}:{first.port}",
                        rack=platform.kafka.rack(broker),
                    )
                    for broker in range(platform.kafka.brokers)
                ),
                settings=cluster_settings(platform),
            ),
            topics=expected_topics(platform),
            kubernetes=KubernetesExpected(
                coordinator=self._servers(
                    platform.zookeeper.servers,
                    images={"zookeeper": self.zookeeper_image.reference},
                    data=platform.zookeeper.storage,
                    log=platform.zookeeper.log_storage,
                ),
                kafka=self._servers(
                    platform.kafka.brokers,
                    images={"kafka": self.kafka_image.reference},
                    data=platform.kafka.storage,
                ),
            ),
        )

    def _servers(self, count: int, *, images: dict[str, str], **claims: Storage | None) -> ServersExpected:
        """What the charts lay down for servers of one kind; the spread over zones is their wish and no promise."""
        return ServersExpected(
            images=images,
            claims=tuple(
                ClaimExpected(name=name, size=storage.size, storage_class=storage.storage_class or None)
                for name, storage in claims.items()
                if storage is not None
            ),
            max_unavailable=1,
            own_nodes=count > 1 and self.pods.anti_affinity == "required",
        )

    def check(self, platform: Platform) -> Iterator[Problem]:
        """Every problem that the declaration has in this layout, beyond those it has everywhere."""
        yield from self._listeners_need_no_secret(platform)
        yield from self._forward_listener_is_free(platform)
        yield from self._external_listener_is_whole(platform)
        yield from self._racks_have_one_source(platform)

    def _listeners_need_no_secret(self, platform: Platform) -> Iterator[Problem]:
        for listener in platform.kafka.listeners:
            if listener.protocol is not Protocol.PLAINTEXT:
                yield Problem(
                    rule="kubernetes-listener-protocol",
                    severity="error",
                    where=f"listener {listener.name}",
                    message=f"protocol {listener.protocol}, but the charts have neither certificates nor users yet.",
                    remedy="Declare PLAINTEXT, and let network policies say who may connect.",
                )

    def _forward_listener_is_free(self, platform: Platform) -> Iterator[Problem]:
        ports = range(self.forward_port, self.forward_port + platform.kafka.brokers)
        for listener in platform.kafka.listeners:
            if listener.name == FORWARD or listener.port in ports:
                yield Problem(
                    rule="kubernetes-forward-listener",
                    severity="error",
                    where=f"listener {listener.name}",
                    message=f"the name {FORWARD} and the ports {ports[0]} to {ports[-1]} belong to the listener that "
                    "port-forwards lead to.",
                    remedy="Give it another name and port, or move forward_port.",
                )

    def _external_listener_is_whole(self, platform: Platform) -> Iterator[Problem]:
        external = self.external
        if external.type == "None":
            return
        names = [listener.name for listener in platform.kafka.listeners[1:]]
        if external.listener not in names:
            yield Problem(
                rule="kubernetes-external-listener",
                severity="error",
                where="external.listener",
                message=f"{external.listener!r} is not among the declared listeners after the first: "
                f"{', '.join(names) or 'there are none'}.",
                remedy='Declare one, such as Listener("external", port=9094), and name it.',
            )
        alike = external.type == "LoadBalancer" and platform.kafka.brokers > 1 and "<ordinal>" not in external.host
        if alike or (external.type == "LoadBalancer" and external.host == "<node>"):
            yield Problem(
                rule="kubernetes-external-host",
                severity="error",
                where="external.host",
                message=f"{external.host} is the same for several brokers, or no load balancer's: a client must reach "
                "each broker by a name of its own.",
                remedy="Declare a name with <ordinal> in it: kafka-<ordinal>.example.com.",
            )

    def _racks_have_one_source(self, platform: Platform) -> Iterator[Problem]:
        if self.rack_from_zone and platform.kafka.racks:
            yield Problem(
                rule="kubernetes-racks-twice",
                severity="error",
                where="kafka.racks",
                message="racks are declared, and rack_from_zone takes them from the nodes.",
                remedy="Keep one of the two.",
            )
