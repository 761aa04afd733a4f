"""The values of the charts ``zookeeper``, ``kafka`` and ``connect``: every effective number of a release, explicit.

The charts' ``values.schema.json`` is generated from these models, and their ``values.yaml`` holds what is computed for
a platform of three and three: see ``scripts/charts/regenerate.py``.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from hikube_kafka.spec.connect import ConnectCluster, Plugin
from hikube_kafka.spec.connect_worker import worker_properties
from hikube_kafka.spec.model import ChartModel, Frozen
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.properties import server_properties
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.spec.resources import Resources
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import (
    CONNECT_GROUP_PORT,
    CONNECT_PORT,
    ClaimRetention,
    ClientPods,
    ExternalAccess,
    Image,
    KubernetesLayout,
    NetworkPolicy,
    Pods,
    kafka_claims,
    zookeeper_claims,
)
from hikube_kafka.spec.targets.kubernetes_syntax import LABEL, LONGEST_DOMAIN, PATH_PART, SUBDOMAIN
from hikube_kafka.spec.zoo_cfg import zookeeper_settings

KAFKA_DATA = "/var/lib/kafka/data"
"""Where a broker's claim is mounted; its log segments are in a folder of it, beside what a file system puts there."""
ZOOKEEPER_DATA = "/data"
"""Where a ZooKeeper server's claim is mounted."""
ZOOKEEPER_LOG = "/datalog"
"""Where the claim of its transaction log is mounted, if there is one."""

_JAVA_SIZE = r"^[1-9][0-9]*[kmg]$"


class Claim(ChartModel):
    """A claim of each pod."""

    size: Quantity
    storage_class: str | None = None
    """Left out, the cluster's default. Empty, none: as in Kubernetes, a volume must then be there that has none
    either."""


class ZooKeeperStorage(ChartModel):
    """The claims of each server."""

    data: Claim
    """Snapshots, the membership, and the transaction log if it has no claim of its own."""
    log: Claim | None = None
    """A claim of its own for the transaction log, which every write waits for."""


class KafkaStorage(ChartModel):
    """The claim of each broker."""

    data: Claim


class ListenerPort(ChartModel):
    """A listener of each broker on the pods' network."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,14}$")
    port: int = Field(ge=1024, le=65535)


class Rack(ChartModel):
    """Where ``<rack>`` in the configuration comes from."""

    names: tuple[str, ...] = ()
    """Rack of each broker in turn, repeated as needed."""
    from_zone: bool = False
    """Take it from the zone label of the broker's node. Whoever installs must be allowed to list nodes; a node that
    came after the last upgrade has no zone yet, and a broker there has no rack. Refused where the chart is rendered
    without a cluster."""


class ConnectPlugin(ChartModel):
    """What a folder of ``plugin.path`` is filled with: from one of ``image``, ``volume`` and ``archive``."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    """Name of the folder."""
    image: str = ""
    """Reference of an image that has it, and the programs sh, cp, mkdir and rm."""
    image_path: str = "/plugins"
    """Folder in the image whose content is the plugin, or a single file."""
    volume: str = ""
    """Claim that holds it, mounted read-only by every worker."""
    archive: str = ""
    """URL of a .tar.gz, a .zip or a .jar, fetched at every start of a pod."""
    checksum: str = ""
    """sha256: or sha512: and the digest of the archive in hexadecimal digits."""


class GroupPolicy(ChartModel):
    """Who may connect over the pods' network: the workers themselves. A port-forward arrives inside the pod."""

    enabled: bool = True
    """Whether there is a policy. Without one, every pod of the cluster may read and change connectors where there are
    several workers."""


class _Values(ChartModel):
    def to_chart(self) -> dict[str, Any]:
        """The values as the chart reads them: plain data, in camelCase, in the order of the model."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class _ReleaseValues(_Values):
    """What the charts of servers have in common."""

    replicas: int = Field(ge=1)
    image: Image
    image_pull_secrets: tuple[str, ...] = ()
    """Names of the Secrets that open the registry."""
    heap: str = Field(pattern=_JAVA_SIZE)
    """-Xms and -Xmx, as Java writes it."""
    jvm_options: tuple[str, ...] = ()
    """Further options of the JVM."""
    resources: Resources
    """Requested and limited alike."""
    claim_retention: ClaimRetention = ClaimRetention()
    config: Frozen[str, str]
    pods: Pods = Pods()
    network_policy: NetworkPolicy = NetworkPolicy()
    labels: Frozen[str, str] = Field(default_factory=dict)
    """Labels of every object, besides the chart's own."""


class ZooKeeperValues(_ReleaseValues):
    """Values of the chart ``zookeeper``."""

    storage: ZooKeeperStorage
    config: Frozen[str, str]
    """zoo.cfg, apart from the list of servers: that is the membership, which lives on the claims."""
    membership_secret: str = ""
    """Secret with one key, ``password``: that of the ZooKeeper user ``super``, who alone may change the membership.
    Empty means that the chart makes one, ``<release>-membership``, and keeps it; where it is rendered without a
    cluster, as by ``helm template`` or Argo CD, it cannot know the one that is there, and refuses."""
    termination_grace_seconds: int = Field(default=60, ge=1)
    """Seconds for a server to stop."""


class KafkaValues(_ReleaseValues):
    """Values of the chart ``kafka``."""

    storage: KafkaStorage
    config: Frozen[str, str]
    """server.properties of every broker. What differs from pod to pod is filled in where it starts: <ordinal>, <host>,
    <forward-port>, <node>, <node-port> and <rack>."""
    listeners: tuple[ListenerPort, ...] = Field(min_length=1)
    """Ports of the listeners in config; the client service has those of the first."""
    forward_port: int = Field(ge=1024, le=65535)
    """Port of broker 0's forward listener, on 127.0.0.1 of its pod; the next broker has the next."""
    external: ExternalAccess = ExternalAccess()
    rack: Rack = Rack()
    fast_failover: bool = True
    """Whether each broker runs under a parent process that closes its session with ZooKeeper once it has ended, killed
    or crashed: its partitions have new leaders at once, and not after zookeeper.session.timeout.ms. Nobody is left to
    do that where the container is killed whole, or its node lost. Not with zookeeper.ssl.client.enable."""
    startup_seconds: int = Field(default=86400, ge=60)
    """Seconds for a broker to recover its log and get back into sync; after them its container is started anew."""
    shutdown_gate_seconds: int = Field(default=180, ge=0)
    """Seconds that a broker waits, before it stops, for the other replicas of its partitions to be in sync."""
    termination_grace_seconds: int = Field(default=300, ge=1)
    """Seconds for all of a broker's stop: the gate, handing over its leaderships, closing its log."""


class ConnectValues(_Values):
    """Values of the chart ``connect``."""

    replicas: int = Field(ge=1)
    image: Image
    image_pull_secrets: tuple[str, ...] = ()
    """Names of the Secrets that open the registry."""
    heap: str = Field(pattern=_JAVA_SIZE)
    """-Xms and -Xmx, as Java writes it."""
    jvm_options: tuple[str, ...] = ()
    """Further options of the JVM."""
    resources: Resources
    """Requested and limited alike."""
    config: Frozen[str, str]
    """connect-distributed.properties of every worker. What differs from pod to pod is filled in where it starts:
    <ordinal> and <host>."""
    plugins: tuple[ConnectPlugin, ...] = ()
    """Connectors, converters and transforms to install."""
    secrets: tuple[str, ...] = ()
    """Secrets that connectors refer to: each is mounted as /secrets/NAME, a file a key."""
    pods: Pods = Pods()
    network_policy: GroupPolicy = GroupPolicy()
    labels: Frozen[str, str] = Field(default_factory=dict)
    """Labels of every object, besides the chart's own."""
    startup_seconds: int = Field(default=600, ge=60)
    """Seconds for a worker to load its plugins and join its group; after them its container is started anew."""
    termination_grace_seconds: int = Field(default=120, ge=1)
    """Seconds for a worker to stop: its tasks deliver what they hold, and their offsets are committed."""


_LAYOUT = {
    "imagePullSecrets": "image_pull_secrets",
    "claimRetention": "claims",
    "labels": "labels",
}
WORDS: Mapping[Literal["kafka", "zookeeper"], Mapping[str, str]] = {
    "zookeeper": _LAYOUT
    | {
        "replicas": "ZooKeeper(servers=...)",
        "image": "zookeeper_image",
        "heap": "ZooKeeper(heap=...)",
        "jvmOptions": "zookeeper_jvm_options",
        "resources": "ZooKeeper(resources=...)",
        "config": "ZooKeeper(config=...)",
        "pods": "zookeeper_pods",
        "networkPolicy": "network_policy and zookeeper_clients",
        "storage": "ZooKeeper(storage=..., log_storage=...)",
        "membershipSecret": "zookeeper_membership_secret",
        "terminationGraceSeconds": "zookeeper_termination_grace",
    },
    "kafka": _LAYOUT
    | {
        "replicas": "Kafka(brokers=...)",
        "image": "kafka_image",
        "heap": "Kafka(heap=...)",
        "jvmOptions": "kafka_jvm_options",
        "resources": "Kafka(resources=...)",
        "config": "Kafka(config=...)",
        "pods": "kafka_pods",
        "networkPolicy": "network_policy and kafka_clients",
        "storage": "Kafka(storage=...)",
        "listeners": "Kafka(listeners=...)",
        "forwardPort": "forward_port",
        "external": "external",
        "rack": "Kafka(racks=...) or rack_from_zone",
        "fastFailover": "Kafka(fast_failover=...)",
        "startupSeconds": "kafka_startup",
        "shutdownGateSeconds": "kafka_shutdown_gate",
        "terminationGraceSeconds": "kafka_termination_grace",
    },
}
"""Where each value of the charts is declared: a field of the layout, unless a model is named."""


_LABEL_KEY = f"^({SUBDOMAIN}/)?{LABEL}$"
_LABEL_VALUE = f"^({LABEL})?$"
_HOST = r"([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\])(:[0-9]+)?"
_BYTE = "0*(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_NETWORK = (
    rf"^({_BYTE}(\.{_BYTE}){{3}}/0*(3[0-2]|[12]?[0-9])|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+/0*(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$"
)


def _keys(key: str, value: str | None = None) -> dict[str, Any]:
    """A map whose keys, and values, are of these forms; ``propertyNames`` would be refused without a path."""
    form = {"type": "string"} | ({"pattern": value} if value else {})
    return {"patternProperties": {key: form}, "additionalProperties": False}


_LABELS = _keys(_LABEL_KEY, _LABEL_VALUE)
_CAPITALS_TOO = SUBDOMAIN.replace("a-z", "A-Za-z")
_ANNOTATIONS = _keys(f"^({_CAPITALS_TOO}/)?{LABEL}$")
_ORDINAL = "<ordinal>"
_ANNOTATIONS_OF_EACH = _keys(
    f"^([-A-Za-z0-9.<>]+/)?({_ORDINAL}|[A-Za-z0-9])(({_ORDINAL}|[-A-Za-z0-9_.])*({_ORDINAL}|[A-Za-z0-9]))?$"
)
# A key of a properties file ends at white space, '=' and ':', and a comment begins with '#' or '!'. Java reads such a
# file as ISO 8859-1, and the chart writes it in UTF-8.
_CONFIG = _keys(r'^["$-9;<>-\[\]-~][!-9;<>-\[\]-~]*$', r"^[\x00-~]*$")
# The servers' scripts split them at spaces: one text may hold several options, and no option a space.
_JVM_OPTIONS = {"items": {"type": "string", "pattern": r"^-\S+( -\S+)*$"}}
_NAMES = {"items": {"type": "string", "pattern": f"^{SUBDOMAIN}$", "maxLength": LONGEST_DOMAIN}}
FORMS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("Claim", "storageClass"): {"pattern": f"^({SUBDOMAIN})?$", "maxLength": LONGEST_DOMAIN},
    ("ClientPods", "namespace"): {"pattern": r"^(\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$"},
    ("ClientPods", "labels"): _LABELS,
    ("ConnectPlugin", "archive"): {"pattern": r"^([a-z][a-z0-9+.-]*://\S+)?$"},
    ("ConnectPlugin", "checksum"): {"pattern": "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})?$"},
    ("ConnectPlugin", "image"): {"pattern": r"^\S*$"},
    ("ConnectPlugin", "imagePath"): {"pattern": "^/"},
    ("ConnectPlugin", "volume"): {"pattern": f"^({SUBDOMAIN})?$", "maxLength": LONGEST_DOMAIN},
    ("ConnectValues", "config"): _CONFIG,
    ("ConnectValues", "imagePullSecrets"): _NAMES,
    ("ConnectValues", "jvmOptions"): _JVM_OPTIONS,
    ("ConnectValues", "labels"): _LABELS,
    ("ConnectValues", "secrets"): _NAMES,
    ("ExternalAccess", "annotations"): _ANNOTATIONS_OF_EACH,
    ("ExternalAccess", "sources"): {"items": {"type": "string", "pattern": _NETWORK}},
    ("Image", "registry"): {"pattern": f"^({_HOST})?$"},
    ("Image", "repository"): {"pattern": f"^({_HOST}/)?{PATH_PART}(/{PATH_PART})*$", "maxLength": 255},
    # It is a label too, which takes less than a registry.
    ("Image", "tag"): {"pattern": f"^{LABEL}$"},
    ("KafkaValues", "config"): _CONFIG,
    ("KafkaValues", "imagePullSecrets"): _NAMES,
    ("KafkaValues", "jvmOptions"): _JVM_OPTIONS,
    ("KafkaValues", "labels"): _LABELS,
    ("ListenerPort", "name"): {"pattern": r"^[a-z]([a-z0-9]|-[a-z0-9])*$", "maxLength": 15},
    ("Pods", "annotations"): _ANNOTATIONS,
    ("Pods", "nodeSelector"): _LABELS,
    ("Pods", "priorityClassName"): {"pattern": f"^({SUBDOMAIN})?$", "maxLength": LONGEST_DOMAIN},
    # The start script splits them at spaces; Kubernetes replaces $(NAME) and $$ in a variable.
    ("Rack", "names"): {"items": {"type": "string", "pattern": r"^[!-\[\]-~]+$", "not": {"pattern": r"\$[$(]"}}},
    ("Toleration", "key"): {"pattern": f"^$|{_LABEL_KEY}"},
    ("Toleration", "value"): {"pattern": _LABEL_VALUE},
    ("ZooKeeperValues", "config"): _CONFIG,
    ("ZooKeeperValues", "imagePullSecrets"): _NAMES,
    ("ZooKeeperValues", "jvmOptions"): _JVM_OPTIONS,
    ("ZooKeeperValues", "labels"): _LABELS,
    ("ZooKeeperValues", "membershipSecret"): {"pattern": f"^({SUBDOMAIN})?$", "maxLength": LONGEST_DOMAIN},
    # As a declaration may have: their ids end there.
    ("ZooKeeperValues", "replicas"): {"maximum": 255},
}
"""What Kubernetes and the servers take, in the words of a JSON schema, for whoever installs the charts without a
declaration: by the model and the name of the value. A declaration is held to it by its rules."""


def undeclared(chart: Literal["kafka", "zookeeper"], values: Mapping[str, object]) -> str:
    """Why a release takes no values beside the declaration, and where each of these is declared instead."""
    declared = "; ".join(f"{key}: {WORDS[chart].get(key, 'the chart has no such value')}" for key in values)
    return (
        f"{chart}_values is not taken: it changed the servers and left the contract, the rules and the plan's guards "
        f"as they were. {f'Declare instead: {declared}.' if declared else 'Leave it out.'}"
    )


_PATIENT_START = {"zookeeper.connection.timeout.ms": "60000"}
"""A broker that starts before ZooKeeper waits for it: Kafka's own default, the session's 4 s, ends it, and Kubernetes
starts it anew after ever longer pauses."""
_OUT_OF_MEMORY = "-XX:+ExitOnOutOfMemoryError"
"""A server without memory would limp on, and keep what it leads."""
_SHORT_LIVED_ADDRESSES = "-Dsun.net.inetaddr.ttl=3"
"""A pod that comes back has another address: Java remembers the old one for 30 s otherwise, and the pod waits."""


def zookeeper_values(platform: Platform, layout: KubernetesLayout) -> ZooKeeperValues:
    """The values of ZooKeeper's release."""
    zookeeper = platform.zookeeper
    own = {
        "dataDir": ZOOKEEPER_DATA,
        # Every port-forward arrives from 127.0.0.1 and counts as one client: the default limit of 60 would shut it out.
        "maxClientCnxns": "0",
        # The membership is changed one server at a time, by a user with a password: a rolling restart with another
        # list has been seen to elect two leaders.
        "reconfigEnabled": "true",
        "standaloneEnabled": "false",
        # The name of a pod may still lead to its old address while it starts: bind to all.
        "quorumListenOnAllIPs": "true",
    }
    log = {"dataLogDir": ZOOKEEPER_LOG} if zookeeper.log_storage else {}
    return ZooKeeperValues(
        replicas=zookeeper.servers,
        image=layout.zookeeper_image,
        image_pull_secrets=layout.image_pull_secrets,
        heap=zookeeper.effective_heap.java,
        jvm_options=(
            _OUT_OF_MEMORY,
            _SHORT_LIVED_ADDRESSES,
            "-Dsun.net.inetaddr.negative.ttl=0",
            # A server that comes back asks for the leader every 5 s, not every minute.
            "-Dzookeeper.fastleader.maxNotificationInterval=5000",
            *layout.zookeeper_jvm_options,
        ),
        resources=zookeeper.resources,
        storage=ZooKeeperStorage(**{name: _claim(storage) for name, storage in zookeeper_claims(zookeeper).items()}),
        claim_retention=layout.claims,
        config=dict(sorted((own | zookeeper_settings(zookeeper) | log).items())),
        pods=layout.pods_of("zookeeper"),
        network_policy=NetworkPolicy(enabled=layout.network_policy, clients=layout.zookeeper_clients),
        labels=_labels(platform, layout),
        membership_secret=layout.zookeeper_membership_secret,
        termination_grace_seconds=int(layout.zookeeper_termination_grace.seconds),
    )


def kafka_values(platform: Platform, layout: KubernetesLayout, *, connect: str | None = None) -> KafkaValues:
    """The values of the brokers' release.

    Args:
        platform: the declaration.
        layout: where it goes.
        connect: ``zookeeper.connect`` of an ensemble that is there already, chroot included; None means that of the
            platform's own release.
    """
    kafka = platform.kafka
    racked = bool(kafka.racks) or layout.rack_from_zone
    config = server_properties(
        platform,
        broker="<ordinal>",
        rack="<rack>" if racked else None,
        listeners=layout.listeners(platform),
        addresses=layout.broker_addresses(platform),
        coordinator={"zookeeper.connect": connect or layout.zookeeper_connect(platform)},
        data=f"{KAFKA_DATA}/log",
    )
    return KafkaValues(
        replicas=kafka.brokers,
        image=layout.kafka_image,
        image_pull_secrets=layout.image_pull_secrets,
        heap=kafka.effective_heap.java,
        jvm_options=(
            _OUT_OF_MEMORY,
            _SHORT_LIVED_ADDRESSES,
            "-Dsun.net.inetaddr.negative.ttl=1",
            *layout.kafka_jvm_options,
        ),
        resources=kafka.resources,
        storage=KafkaStorage(**{name: _claim(storage) for name, storage in kafka_claims(kafka).items()}),
        claim_retention=layout.claims,
        config=dict(sorted((_PATIENT_START | config).items())),
        listeners=tuple(ListenerPort(name=each.name, port=each.port) for each in kafka.listeners),
        forward_port=layout.forward_port,
        external=layout.external,
        rack=Rack(names=kafka.racks, from_zone=layout.rack_from_zone),
        fast_failover=kafka.fast_failover,
        pods=layout.pods_of("kafka"),
        network_policy=NetworkPolicy(enabled=layout.network_policy, clients=_clients_of_kafka(platform, layout)),
        labels=_labels(platform, layout),
        startup_seconds=int(layout.kafka_startup.seconds),
        shutdown_gate_seconds=int(layout.kafka_shutdown_gate.seconds),
        termination_grace_seconds=int(layout.kafka_termination_grace.seconds),
    )


CONNECT_PLUGINS = "/plugins"
"""Where a worker finds its plugins' folders."""
CONNECT_SECRETS = "/secrets"
"""Folder below which connectors may refer to files."""


def connect_values(
    platform: Platform, layout: KubernetesLayout, cluster: ConnectCluster, *, bootstrap_servers: str | None = None
) -> ConnectValues:
    """The values of the release of a Connect cluster.

    Args:
        platform: the declaration.
        layout: where it goes.
        cluster: the cluster, one of the platform's.
        bootstrap_servers: the brokers. None means the service of the platform's own release: the same address however
            many there are.
    """
    return ConnectValues(
        replicas=cluster.workers,
        image=layout.connect_image or layout.kafka_image,
        image_pull_secrets=layout.image_pull_secrets,
        heap=cluster.effective_heap.java,
        jvm_options=(
            _OUT_OF_MEMORY,
            _SHORT_LIVED_ADDRESSES,
            "-Dsun.net.inetaddr.negative.ttl=1",
            *layout.connect_jvm_options,
        ),
        resources=cluster.resources,
        config=worker_properties(
            platform,
            cluster,
            bootstrap_servers=bootstrap_servers or layout.bootstrap_service(platform),
            listeners=_rest_listeners(cluster),
            advertised=("<host>", CONNECT_GROUP_PORT) if cluster.workers > 1 else ("127.0.0.1", CONNECT_PORT),
            plugin_path=CONNECT_PLUGINS,
            secrets=CONNECT_SECRETS,
        ),
        plugins=tuple(_plugin(each) for each in cluster.plugins),
        secrets=cluster.secrets,
        pods=layout.pods_of("connect"),
        network_policy=GroupPolicy(enabled=layout.network_policy),
        labels=_labels(platform, layout),
        startup_seconds=int(layout.connect_startup.seconds),
        termination_grace_seconds=int(layout.connect_termination_grace.seconds),
    )


def _rest_listeners(cluster: ConnectCluster) -> str:
    # A port-forward leads to 127.0.0.1. A single worker needs no other, and nobody reaches it over the network.
    own = f"http://127.0.0.1:{CONNECT_PORT}"
    return f"{own},http://:{CONNECT_GROUP_PORT}" if cluster.workers > 1 else own


def _plugin(plugin: Plugin) -> ConnectPlugin:
    """With the first source of those that it names: an image is there without a network, a claim without copying."""
    if plugin.image:
        return ConnectPlugin(name=plugin.name, image=plugin.image, image_path=plugin.image_path)
    if plugin.volume:
        return ConnectPlugin(name=plugin.name, volume=plugin.volume)
    return ConnectPlugin(name=plugin.name, archive=plugin.archive or "", checksum=(plugin.checksum or "").lower())


def _clients_of_kafka(platform: Platform, layout: KubernetesLayout) -> tuple[ClientPods, ...]:
    """Who is declared, and the platform's own workers where they are not among them."""
    own = (
        ClientPods(
            labels={
                "app.kubernetes.io/name": "connect",
                "app.kubernetes.io/instance": layout.connect_release(platform, cluster),
            }
        )
        for cluster in platform.connect
    )
    everyone = any(each.namespace in {"", "*", layout.namespace} and not each.labels for each in layout.kafka_clients)
    return layout.kafka_clients if everyone else (*layout.kafka_clients, *own)


def _labels(platform: Platform, layout: KubernetesLayout) -> dict[str, str]:
    return {"hikube.kafka/platform": platform.name, **layout.labels}


def _claim(storage: Storage) -> Claim:
    return Claim(size=storage.size, storage_class=storage.storage_class or None)
