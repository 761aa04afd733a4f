"""What cannot be on Kubernetes, beside what cannot be anywhere."""

from collections.abc import Hashable, Iterator

from hikube_kafka.spec import rules
from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.connect_worker import computed_settings
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.quantities import whole
from hikube_kafka.spec.security import Protocol
from hikube_kafka.spec.targets import kubernetes_objects, kubernetes_syntax
from hikube_kafka.spec.targets.kubernetes import FORWARD, KubernetesLayout, SharedZooKeeper

LISTENER_PROTOCOL = Rule(
    id="kubernetes-listener-protocol",
    severity="error",
    message="protocol {protocol}, but the charts have neither certificates nor users yet.",
    why="The charts would start brokers that find no certificate, and let nobody in.",
    remedy="Declare PLAINTEXT, and let network policies say who may connect.",
)
FORWARD_LISTENER = Rule(
    id="kubernetes-forward-listener",
    severity="error",
    message="the name {name} and the ports {first} to {last} belong to the listener that port-forwards lead to.",
    why="Terraform and the smoke tests reach each broker through that listener.",
    remedy="Give it another name and port, or move forward_port.",
)
FORWARD_PORTS_TWICE = Rule(
    id="kubernetes-forward-ports-twice",
    severity="error",
    message="port-forwards to the brokers listen on {things} of the machine that applies, and so do those of {other}.",
    why="Port-forwards of all platforms of a stack are open on one machine at the same time.",
    remedy="Declare another forward_port for one of the two: KubernetesTarget(forward_port={free}).",
)
NODE_PORTS_TWICE = Rule(
    id="app-node-ports-twice",
    severity="error",
    message="{other} has {things} of the cluster's nodes as well.",
    why="A port of the nodes leads to one service of the whole cluster, and the release would fail halfway.",
    remedy="Declare another first port for one of the two: ExternalAccess(node_port=...).",
)
RELEASE_TWICE = Rule(
    id="app-release-twice",
    severity="error",
    message="{other} has {things} in namespace {namespace} as well.",
    why="The second release would take over the servers and the claims of the first.",
    remedy="Give one of the two another name, another release_prefix, or another namespace. If they are on "
    "two clusters, declare the context of each, or its kubeconfig: KubernetesTarget(context=...).",
)
NAMESPACE_TWICE = Rule(
    id="app-namespace-twice",
    severity="error",
    message="{other} creates {things} as well.",
    why="Only one resource can create a namespace: the apply would fail halfway.",
    remedy="Declare it for one of the two only: KubernetesTarget(create_namespace=False) for the other. If they are on "
    "two clusters, declare the context of each, or its kubeconfig: KubernetesTarget(context=...).",
)
NAMESPACE_THERE = Rule(
    id="kubernetes-namespace-there",
    severity="error",
    message="every cluster has a namespace {namespace}, and this one is to be created.",
    why="A namespace is created once: the apply would fail.",
    remedy='Choose another namespace; or, for this one, declare KubernetesTarget(create_namespace="never").',
)
CHROOT_TWICE = Rule(
    id="app-chroot-twice",
    severity="error",
    message="{other} uses {things} as well.",
    why="Brokers of two platforms in one place of ZooKeeper's tree take each other for their own.",
    remedy='Give one of the two a chroot of its own: ZooKeeper(chroot="/{name}").',
)
EXTERNAL_LISTENER = Rule(
    id="kubernetes-external-listener",
    severity="error",
    message="{listener!r} is not among the declared listeners after the first: {declared}.",
    why="The first listener is what brokers use among themselves; external access needs one of its own.",
    remedy='Declare one, such as Listener("external", port=9094), and name it.',
)
EXTERNAL_HOST = Rule(
    id="kubernetes-external-host",
    severity="error",
    message="{host} is the same for several brokers, or not the name of a load balancer.",
    why="A client must reach each broker by a name of its own.",
    remedy="Declare a name with <ordinal> in it: kafka-<ordinal>.example.com.",
)
RACKS_TWICE = Rule(
    id="kubernetes-racks-twice",
    severity="error",
    message="racks are declared, and rack_from_zone takes them from the nodes.",
    why="A broker has one rack.",
    remedy="Keep one of the two.",
)
SHUTDOWN_GATE = Rule(
    id="kubernetes-shutdown-gate",
    severity="error",
    message="{gate}, but a broker is killed {grace} after it was told to stop (kafka_termination_grace).",
    why="A broker that is killed while it waits hands over no leadership and recovers its log at the next start.",
    remedy="Declare a shorter gate, or a longer grace.",
)
STARTUP = Rule(
    id="kubernetes-startup",
    severity="error",
    message="{startup} is less than a minute.",
    why="A broker that is started anew before it has recovered its log never gets back into sync.",
    remedy="Declare at least 1m; a big disk takes hours.",
)
CONNECT_STARTUP = Rule(
    id="kubernetes-connect-startup",
    severity="error",
    message="{startup} is less than a minute.",
    why="A worker that is started anew before it has loaded its plugins never joins its group.",
    remedy="Declare at least 1m; many plugins take several.",
)
CONNECT_GRACE = Rule(
    id="kubernetes-connect-grace",
    severity="error",
    message="a worker of {cluster} is killed {grace} after it is told to stop, and its tasks may take {tasks} s "
    "to stop (task.shutdown.graceful.timeout.ms).",
    why="A worker that is killed before it has left its group commits no offsets: what its tasks have done since the "
    "last commit is done again, and they run nowhere until the group has missed it.",
    remedy="Declare connect_termination_grace of at least {least}s.",
    remedy_in_general="Declare a longer connect_termination_grace, or a shorter task.shutdown.graceful.timeout.ms.",
)
SHARED_NAMESPACE = Rule(
    id="kubernetes-shared-zookeeper",
    severity="error",
    message="{namespace}, but the ZooKeeper release {release} is in {other}, and lets in the brokers of its own "
    "namespace alone.",
    why="The network policy of the ensemble refuses brokers of another namespace.",
    remedy="Put both into one namespace.",
)
SHARED_CHROOT = Rule(
    id="kubernetes-shared-chroot",
    severity="error",
    message="release {release} serves several platforms, and this one has no chroot of its own.",
    why="Brokers of two platforms in one place of the tree would take each other for their own.",
    remedy='Declare one: ZooKeeper(chroot="/{platform}").',
)
CONNECT = Rule(
    id="kubernetes-connect",
    severity="error",
    message="{connect!r} does not lead to ZooKeeper: {fault}.",
    why="The brokers would not start.",
    remedy="Declare host:port of each server, separated by commas, and the chroot once at the end: "
    "zk-0.zk:2181,zk-1.zk:2181/orders.",
)
SHARED_UNUSED = Rule(
    id="kubernetes-shared-unused",
    severity="warning",
    message="it has no effect: the servers are those of release {release}.",
    why="A platform that shares an ensemble has no ZooKeeper servers of its own.",
    remedy="Leave everything but the chroot out, or declare it for the shared release.",
)


NAMESPACES_OF_EVERY_CLUSTER = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
"""Source: Kubernetes' documentation of namespaces, under initial namespaces."""


def namespace_is_new(layout: KubernetesLayout) -> Iterator[Problem]:
    """A namespace that the stack creates is none that every cluster has."""
    if layout.namespace in NAMESPACES_OF_EVERY_CLUSTER:
        yield NAMESPACE_THERE("namespace", namespace=layout.namespace)


def check(platform: Platform, layout: KubernetesLayout, shared: SharedZooKeeper | None = None) -> Iterator[Problem]:
    """Every problem of the declaration on a cluster.

    Args:
        platform: the declaration.
        layout: where it goes.
        shared: the ensemble that the platform shares with others. None means that it has its own.
    """
    yield from rules.check(platform)
    yield from _brokers(platform, layout)
    servers: list[kubernetes_objects.Servers] = ["zookeeper", "kafka"] if shared is None else ["kafka"]
    if platform.connect:
        servers.append("connect")
        yield from rules.asked(_workers_have_time, platform, layout)
    yield from kubernetes_objects.check(platform, layout, *servers)
    if shared is not None:
        yield from rules.asked(_shared_zookeeper_has_room, platform, layout, shared)


def check_connect(platform: Platform, layout: KubernetesLayout, cluster: ConnectCluster) -> Iterator[Problem]:
    """Every problem of the workers of one Connect cluster on a cluster, for a release of theirs alone."""
    alone = platform.model_copy(update={"connect": (cluster,)})
    yield from rules.check(alone, rules.CONNECT)
    yield from rules.asked(_workers_have_time, alone, layout)
    yield from kubernetes_objects.check(alone, layout, "connect")


def check_zookeeper(platform: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    """Every problem of the ZooKeeper servers of a declaration, for a release of theirs alone."""
    yield from rules.check(platform, rules.ZOOKEEPER)
    yield from kubernetes_objects.check(platform, layout, "zookeeper")


def check_kafka(platform: Platform, layout: KubernetesLayout, connect: str | None = None) -> Iterator[Problem]:
    """Every problem of the brokers of a declaration, for a release of theirs alone.

    Args:
        platform: the declaration.
        layout: where it goes.
        connect: ``zookeeper.connect`` of an ensemble that is there already. None means that of the platform's own.
    """
    if connect is not None and (fault := _connect_fault(connect)):
        yield CONNECT("connect", connect=connect, fault=fault)
    yield from rules.check(platform, rules.BROKERS)
    yield from _brokers(platform, layout)
    yield from kubernetes_objects.check(platform, layout, "kafka")


def _connect_fault(connect: str) -> str:
    if kubernetes_syntax.is_filled_in(connect):
        return ""
    servers, slash, chroot = connect.partition("/")
    for server in servers.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not colon:
            host, port = port, "2181"
        if not host or not kubernetes_syntax.is_host(host):
            return f"{host!r} is not a host"
        number = whole(port)
        if number is None or not 1 <= number <= _LAST_PORT:
            return f"{port!r} is not a port"
    if "," in chroot:
        return "the chroot belongs to the end alone"
    return "a chroot has names between single slashes" if slash and not all(chroot.split("/")) else ""


_LAST_PORT = 65_535


def _brokers(platform: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    yield from rules.asked(_listeners_need_no_secret, platform)
    for judge in (_forward_listener_is_free, _external_listener_is_whole, _racks_have_one_source, _times_fit):
        yield from rules.asked(judge, platform, layout)


def _listeners_need_no_secret(platform: Platform) -> Iterator[Problem]:
    for listener in platform.kafka.listeners:
        if listener.protocol is not Protocol.PLAINTEXT:
            yield LISTENER_PROTOCOL(f"listener {listener.name}", protocol=listener.protocol)


def _forward_listener_is_free(platform: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    ports = layout.forward_ports(platform)
    for listener in platform.kafka.listeners:
        if listener.name == FORWARD or listener.port in ports:
            yield FORWARD_LISTENER(f"listener {listener.name}", name=FORWARD, first=ports[0], last=ports[-1])


def _external_listener_is_whole(platform: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    external = layout.external
    if external.type == "None":
        return
    names = [listener.name for listener in platform.kafka.listeners[1:]]
    if external.listener not in names:
        yield EXTERNAL_LISTENER(
            "external.listener", listener=external.listener, declared=", ".join(names) or "there are none"
        )
    if not kubernetes_objects.is_host(external.host):
        return
    alike = external.type == "LoadBalancer" and platform.kafka.brokers > 1 and "<ordinal>" not in external.host
    if alike or (external.type == "LoadBalancer" and external.host == "<node>"):
        yield EXTERNAL_HOST("external.host", host=external.host)


def _racks_have_one_source(platform: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    if layout.rack_from_zone and platform.kafka.racks:
        yield RACKS_TWICE("kafka.racks")


def _times_fit(_: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    if layout.kafka_shutdown_gate.seconds >= layout.kafka_termination_grace.seconds:
        yield SHUTDOWN_GATE(
            "kafka_shutdown_gate", gate=layout.kafka_shutdown_gate, grace=layout.kafka_termination_grace
        )
    if layout.kafka_startup.seconds < _A_MINUTE:
        yield STARTUP("kafka_startup", startup=layout.kafka_startup)


def _workers_have_time(platform: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    if layout.connect_startup.seconds < _A_MINUTE:
        yield CONNECT_STARTUP("connect_startup", startup=layout.connect_startup)
    for cluster in platform.connect:
        settings = {**computed_settings(platform, cluster, secrets=""), **cluster.config}
        tasks = whole(str(settings["task.shutdown.graceful.timeout.ms"]))
        least = None if tasks is None else -(-tasks // 1000) + _LEAVING
        if least is not None and layout.connect_termination_grace.seconds < least:
            yield CONNECT_GRACE(
                "connect_termination_grace",
                cluster=f"Connect cluster {cluster.name}",
                grace=layout.connect_termination_grace,
                tasks=f"{(tasks or 0) / 1000:g}",
                least=least,
            )


_LEAVING = 5
"""Seconds for what a worker does besides its tasks' end: it closes its REST interface, and leaves its group. This
project's own figure."""
_A_MINUTE = 60


def _shared_zookeeper_has_room(
    platform: Platform, layout: KubernetesLayout, shared: SharedZooKeeper
) -> Iterator[Problem]:
    if shared.layout.namespace != layout.namespace:
        yield SHARED_NAMESPACE(
            "namespace", namespace=layout.namespace, release=shared.release, other=shared.layout.namespace
        )
    if not platform.zookeeper.chroot:
        yield SHARED_CHROOT("zookeeper.chroot", release=shared.release, platform=platform.name)
    for unused in sorted(platform.zookeeper.model_fields_set - {"kind", "chroot"}):
        yield SHARED_UNUSED(f"zookeeper.{unused}", release=shared.release)


def zookeeper_server(address: str, namespace: str, cluster: Hashable) -> Hashable:
    """What tells a ZooKeeper server apart from others, by the address that brokers are given.

    Args:
        address: ``host:port``.
        namespace: that of the brokers.
        cluster: theirs too.
    """
    host, _, port = address.strip().rpartition(":")
    if host.startswith("["):  # an IPv6 address means the same to all
        return None, host, port
    labels = host.split(".")
    if "svc" in labels:
        return cluster, ".".join(labels[: labels.index("svc")]), port
    # Without the domain of a cluster: a service of the namespace, or of another one. Other names mean the same to all.
    if len(labels) == 1:
        return cluster, f"{host}.{namespace}", port
    return (cluster if labels[1:] == [namespace] else None), host, port
