"""What the API server, or a node, would refuse of the objects that the charts make of a declaration."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from hikube_kafka.spec import rules
from hikube_kafka.spec.connect import Plugin
from hikube_kafka.spec.definitions.zookeeper import further_ports
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.properties import text
from hikube_kafka.spec.rules.brokers import rack_fault
from hikube_kafka.spec.targets import kubernetes_syntax as syntax
from hikube_kafka.spec.targets.kubernetes import (
    MARKS,
    ZOOKEEPER_CLIENT_PORT,
    ZOOKEEPER_ELECTION_PORT,
    ZOOKEEPER_PEER_PORT,
    ClientPods,
    Image,
    KubernetesLayout,
    Pods,
    Toleration,
    kafka_claims,
    zookeeper_claims,
)
from hikube_kafka.spec.zoo_cfg import zookeeper_settings

Servers = Literal["kafka", "zookeeper", "connect"]

LONGEST_RELEASE = syntax.LONGEST_LABEL - len("-0123456789")
"""Each pod of a StatefulSet has the label ``controller-revision-hash``: its name, a hyphen and a hash of up to ten
characters. Services, pods and Jobs add less: ``-headless``, ``-removal``, ``-99``."""

CHART_LABELS = frozenset(
    {
        "app.kubernetes.io/instance",
        "app.kubernetes.io/managed-by",
        "app.kubernetes.io/name",
        "app.kubernetes.io/part-of",
        "app.kubernetes.io/version",
        "apps.kubernetes.io/pod-index",
        "controller-revision-hash",
        "helm.sh/chart",
        "kubernetes.io/metadata.name",
        "statefulset.kubernetes.io/pod-name",
    }
)
"""Labels that the charts give their objects, Kubernetes the pods of a StatefulSet, and it gives a namespace."""

_CHART_ANNOTATION = "checksum/configuration"
_LABEL_FORM = "up to 63 letters and digits of ASCII, '-', '_' and '.', beginning and ending with a letter or a digit"

RELEASE_NAME = Rule(
    id="kubernetes-release-name",
    severity="error",
    message="{name!r} is not a valid name of a release: {fault}.",
    why="The release's name is that of its services and StatefulSet, and part of its pods' names and labels: "
    "Kubernetes refuses them, or never creates a pod.",
    remedy="Use lower-case letters, digits and '-', with a letter first{most}.",
    remedy_in_general="Use lower-case letters, digits and '-', with a letter first, and no more than are named.",
)
LABEL_KEY = Rule(
    id="kubernetes-label-key",
    severity="error",
    message="{key!r} is not a valid key of {kind}.",
    why="The API server refuses an object with it.",
    remedy=f"Use {_LABEL_FORM}. A domain and '/' may stand before them: example.com/team.",
)
LABEL_VALUE = Rule(
    id="kubernetes-label-value",
    severity="error",
    message="{value!r} is not a valid value of {key}.",
    why="The API server refuses an object with it.",
    remedy=f"Use {_LABEL_FORM}; or leave it empty.",
)
LABEL_RESERVED = Rule(
    id="kubernetes-label-reserved",
    severity="error",
    message="{key} is set by the charts or by Kubernetes itself.",
    why="The pods would no longer match the selector of their StatefulSet, or the label would change back at once.",
    remedy="Use a key of your own, such as example.com/team.",
)
ANNOTATIONS_TOO_LONG = Rule(
    id="kubernetes-annotations-size",
    severity="error",
    message="keys and values have {size} bytes, and {most} are the most.",
    why="The API server refuses an object with more.",
    remedy="Declare fewer or shorter annotations.",
)
NAME = Rule(
    id="kubernetes-name",
    severity="error",
    message="{name!r} is not a valid name of a {kind}.",
    why="The API server refuses it, or Kubernetes never finds an object of that name.",
    remedy="Use lower-case letters, digits{dots} and '-', beginning and ending with a letter or a digit; at most "
    "{most} characters.",
)
IMAGE = Rule(
    id="kubernetes-image",
    severity="error",
    message="{value!r} is not a valid {part} of an image.",
    why="No node could pull it.",
    remedy="{form}.",
    remedy_in_general="Declare registry, repository, tag and digest apart, each in the form that is named.",
)
IMAGE_TAG = Rule(
    id="kubernetes-image-tag",
    severity="error",
    message="{tag!r} cannot be the value of a label, and the charts label their objects with the tag.",
    why="The API server refuses an object with such a label.",
    remedy=f"Use a tag of {_LABEL_FORM}. With a digest, the digest alone decides what is pulled.",
)
TOLERATION = Rule(
    id="kubernetes-toleration",
    severity="error",
    message="{toleration} {fault}.",
    why="The API server refuses the pods.",
    remedy="{remedy}.",
    message_in_general="operator, key and value of a toleration contradict each other.",
    remedy_in_general="Declare a key and a value with Equal, and no value with Exists.",
)
LISTENER_NAME = Rule(
    id="kubernetes-listener-name",
    severity="error",
    message="the port of a pod cannot have this name.",
    why="The listener's name is that of a port, and the API server refuses it.",
    remedy="Use up to 15 lower-case letters and digits, with single hyphens between them.",
)
RACK = Rule(
    id="kubernetes-rack",
    severity="error",
    message="{rack!r} has {what}, which would reach the brokers as something else.",
    why="The charts pass the racks on in one variable, separated by spaces, and into a file in ISO 8859-1.",
    remedy="Use letters, digits, '-', '_' and '.': {instead}.",
    remedy_in_general="Use letters, digits, '-', '_' and '.': zone-a.",
)
CONFIG_TEXT = Rule(
    id="kubernetes-config-text",
    severity="error",
    message="the value of {key} has characters beyond ASCII, which the servers would read as others.",
    why="The charts write UTF-8, and Java reads these files as ISO 8859-1.",
    remedy="Use characters of ASCII.",
)
FORWARD_RANGE = Rule(
    id="kubernetes-forward-port-range",
    severity="error",
    message="the forward listeners of {brokers} brokers need the ports {first} to {last}, and 65535 is the last one.",
    why="A broker whose port is beyond it does not start.",
    remedy="Declare a forward_port of at most {most}.",
)
NODE_PORT = Rule(
    id="kubernetes-node-port",
    severity="error",
    message="{brokers} brokers need the ports {first} to {last}, and the nodes have {low} to {high} for services.",
    why="The API server refuses a service with another port.",
    remedy="Declare an ExternalAccess(node_port=...) from {low} to {most}. If the API server has another "
    "--service-node-port-range, declare that: KubernetesTarget(node_port_range=(..., ...)).",
)
ZOOKEEPER_PORT = Rule(
    id="kubernetes-zookeeper-port",
    severity="error",
    message="{key} = {port} is the port {what}.",
    why="Of two uses of one port the second does not start.",
    remedy="Declare another port.",
)
SOURCE = Rule(
    id="kubernetes-source",
    severity="error",
    message="{source!r} is not a network.",
    why="The API server refuses the services and the network policy.",
    remedy="Write an address and the length of its mask: 203.0.113.0/24, 203.0.113.7/32, 2001:db8::/64.",
)
SOURCE_SPELLING = Rule(
    id="kubernetes-source-spelling",
    severity="warning",
    message="{source!r} is taken for {network}.",
    why="Kubernetes warns of another spelling, or of bits beyond the mask, and a later release may refuse it.",
    remedy='Write "{network}", or "{address}" if you meant the one address.',
)
PLUGIN_SOURCE = Rule(
    id="kubernetes-plugin-source",
    severity="error",
    message="maven is its only source, and no pod can have that.",
    why="The workers' pods get a plugin from an image, a volume claim, or an archive that they fetch.",
    remedy='Declare one: Plugin(image="mirror.example.com/plugins:1.0"), volume=..., or archive=... with its checksum.',
)
PLUGIN_ARCHIVE = Rule(
    id="kubernetes-plugin-archive",
    severity="error",
    message="{archive!r} is nowhere that a pod can fetch it from.",
    why="A container in each worker's pod fetches the archive over HTTP.",
    remedy="Declare a URL that begins with https:// or http://, or an image or a volume claim.",
)
PLUGIN_IMAGE = Rule(
    id="kubernetes-plugin-image",
    severity="error",
    message="{image!r} is not a valid reference of an image.",
    why="No node could pull it.",
    remedy="Declare registry, repository and tag, or a digest: mirror.example.com/plugins/debezium:3.1.3.",
)
PLUGIN_PATH = Rule(
    id="kubernetes-plugin-path",
    severity="error",
    message="{folder!r} is no path from the root of the image.",
    why="The container that copies the plugin would not find it, and the workers never start.",
    remedy='Declare a path that begins with "/": Plugin(image_path="/plugins").',
)
EXTERNAL_HOST_NAME = Rule(
    id="kubernetes-external-host-name",
    severity="error",
    message="{host!r} is not a host.",
    why="Clients could not connect to what the brokers advertise.",
    remedy="Declare a name or an address, without a scheme and a port, with <ordinal> where the broker's number "
    "belongs: kafka-<ordinal>.example.com.",
)


def check(platform: Platform, layout: KubernetesLayout, *releases: Servers) -> Iterator[Problem]:
    """Every problem of the objects of these releases.

    Args:
        platform: the declaration.
        layout: where it goes.
        releases: those whose objects are made.
    """
    yield from rules.asked(_release_names, platform, layout, *releases)
    yield from rules.asked(_own_labels, platform, layout)
    yield from rules.asked(_pull_secrets, platform, layout)
    for each in releases:
        for judge in _JUDGES[each]:
            yield from rules.asked(judge, platform, layout)
    yield from rules.asked(_pods, platform, layout, *releases)


def _own_labels(_: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    yield from _labels("labels", layout.labels)
    for key in sorted(layout.labels.keys() & CHART_LABELS):
        yield LABEL_RESERVED("labels", key=key)


def _pull_secrets(_: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    for secret in layout.image_pull_secrets:
        yield from _name("image_pull_secrets", secret, "Secret")


def _zookeeper_image(_: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    return _image("zookeeper_image", layout.zookeeper_image)


def _zookeeper_config(platform: Platform, _: KubernetesLayout) -> Iterator[Problem]:
    yield from _config("zookeeper.config", platform.zookeeper.config)
    for key, port in further_ports(zookeeper_settings(platform.zookeeper)).items():
        if port in _ZOOKEEPER_PORTS:
            yield ZOOKEEPER_PORT("zookeeper.config", key=key, port=port, what=_ZOOKEEPER_PORTS[port])


def _zookeeper_storage(platform: Platform, _: KubernetesLayout) -> Iterator[Problem]:
    for claim, storage in zookeeper_claims(platform.zookeeper).items():
        where = "zookeeper.storage" if claim == "data" else "zookeeper.log_storage"
        if storage.storage_class:
            yield from _name(where, storage.storage_class, "storage class")


def _membership_secret(_: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    if layout.zookeeper_membership_secret:
        yield from _name("zookeeper_membership_secret", layout.zookeeper_membership_secret, "Secret")


def _zookeeper_clients(_: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    return _clients("zookeeper_clients", layout.zookeeper_clients)


def _kafka_image(_: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    return _image("kafka_image", layout.kafka_image)


def _kafka_config(platform: Platform, _: KubernetesLayout) -> Iterator[Problem]:
    return _config("kafka.config", platform.kafka.config)


def _kafka_storage(platform: Platform, _: KubernetesLayout) -> Iterator[Problem]:
    for storage in kafka_claims(platform.kafka).values():
        if storage.storage_class:
            yield from _name("kafka.storage", storage.storage_class, "storage class")


def _kafka_clients(_: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    return _clients("kafka_clients", layout.kafka_clients)


def _workers(platform: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    if layout.connect_image is not None:
        yield from _image("connect_image", layout.connect_image)
    for cluster in platform.connect:
        where = f"Connect cluster {cluster.name}"
        release = layout.connect_release(platform, cluster)
        # Another target may have room for it: the rules of a platform's name know of the servers alone.
        if not _is_release(release):
            room = len(cluster.name) + LONGEST_RELEASE - len(release)
            most = f"the cluster's name may have {room} characters" if room > 0 else "declare a shorter release_prefix"
            yield RELEASE_NAME(where, name=release, fault=_release_fault(release), most=f"; {most}")
        yield from _config(f"{where}.config", cluster.config)
        for secret in cluster.secrets:
            yield from _name(f"{where}.secrets", secret, "Secret")
        for plugin in cluster.plugins:
            yield from _plugin(f"{where}.plugin {plugin.name}", plugin)


def _plugin(where: str, plugin: Plugin) -> Iterator[Problem]:
    if plugin.image:
        if not syntax.is_image(plugin.image):
            yield PLUGIN_IMAGE(where, image=plugin.image)
        if not plugin.image_path.startswith("/"):
            yield PLUGIN_PATH(where, folder=plugin.image_path)
    elif plugin.volume:
        yield from _name(where, plugin.volume, "volume claim")
    elif plugin.archive:
        if not plugin.archive.startswith(("https://", "http://")) and not syntax.is_filled_in(plugin.archive):
            yield PLUGIN_ARCHIVE(where, archive=plugin.archive)
    elif (
        plugin.maven
    ):  # of one with no source at all, and of archives without a checksum, the rules for any target tell
        yield PLUGIN_SOURCE(where)


def _listeners(platform: Platform, _: KubernetesLayout) -> Iterator[Problem]:
    for listener in platform.kafka.listeners:
        if not syntax.is_port_name(listener.name):
            yield LISTENER_NAME(f"listener {listener.name}")


def _racks(platform: Platform, _: KubernetesLayout) -> Iterator[Problem]:
    for rack in dict.fromkeys(platform.kafka.racks):
        what = _lost(rack)
        if what:
            yield RACK("kafka.racks", rack=rack, what=what, instead=_plain(rack))


def _forward_ports(platform: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    brokers, ports = platform.kafka.brokers, layout.forward_ports(platform)
    if ports[-1] > _LAST_PORT:
        most = _LAST_PORT - brokers + 1
        yield FORWARD_RANGE("forward_port", brokers=brokers, first=ports[0], last=ports[-1], most=most)


_LAST_PORT = 65_535
_ZOOKEEPER_PORTS = {
    ZOOKEEPER_CLIENT_PORT: "of clients",
    ZOOKEEPER_PEER_PORT: "on which servers meet their leader",
    ZOOKEEPER_ELECTION_PORT: "on which servers vote",
    2180: "on which servers begin an ensemble",
}


def _release_names(platform: Platform, layout: KubernetesLayout, *releases: Servers) -> Iterator[Problem]:
    # A name that follows from the platform's has a rule of its own, and fits.
    names = {"kafka": layout.kafka_release(platform), "zookeeper": layout.zookeeper_release(platform)}
    own = [each for each in releases if each == "kafka" or (each == "zookeeper" and layout.zookeeper is None)]
    if layout.release_prefix is not None:
        room = LONGEST_RELEASE - max((len(each) for each in own), default=0)
        longest = max((names[each] for each in own if not _is_release(names[each])), key=len, default=None)
        if longest:
            yield RELEASE_NAME(
                "release_prefix",
                name=longest,
                fault=_release_fault(longest),
                most=f"; the prefix may have {room} characters",
            )
    if layout.zookeeper is not None and "zookeeper" in releases and not _is_release(layout.zookeeper):
        fault = _release_fault(layout.zookeeper)
        yield RELEASE_NAME(
            "zookeeper", name=layout.zookeeper, fault=fault, most=f"; at most {LONGEST_RELEASE} characters"
        )


def _is_release(name: str) -> bool:
    return syntax.is_filled_in(name) or (syntax.is_service_name(name) and len(name) <= LONGEST_RELEASE)


def _release_fault(name: str) -> str:
    if re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name):
        return f"it has {len(name)} characters, and {LONGEST_RELEASE} are the most"
    return "it is not a DNS label that begins with a letter"


def _labels(where: str, labels: Mapping[str, str], kind: str = "a label") -> Iterator[Problem]:
    for key, value in labels.items():
        if not syntax.is_label_key(key):
            yield LABEL_KEY(where, key=key, kind=kind)
        if not syntax.is_label_value(value):
            yield LABEL_VALUE(where, key=key, value=value)


def _annotations(where: str, annotations: Mapping[str, str]) -> Iterator[Problem]:
    for key in annotations:
        if not syntax.is_annotation_key(key.replace("<ordinal>", "0")):
            yield LABEL_KEY(where, key=key, kind="an annotation")
    size = sum(len(part.encode()) for entry in annotations.items() for part in entry)
    if size > syntax.LONGEST_ANNOTATIONS:
        yield ANNOTATIONS_TOO_LONG(where, size=size, most=syntax.LONGEST_ANNOTATIONS)


def _name(where: str, name: str, kind: str) -> Iterator[Problem]:
    if not syntax.is_subdomain(name):
        yield NAME(where, name=name, kind=kind, dots=", '.'", most=syntax.LONGEST_DOMAIN)


def _pods(_: Platform, layout: KubernetesLayout, *releases: Servers) -> Iterator[Problem]:
    own = {"kafka": layout.kafka_pods, "zookeeper": layout.zookeeper_pods, "connect": layout.connect_pods}
    if any(own[each] is None for each in releases):
        yield from _pod_problems("pods", layout.pods)
    for each in releases:
        pods = own[each]
        if pods is not None:
            yield from _pod_problems(f"{each}_pods", pods)


def _pod_problems(field: str, pods: Pods) -> Iterator[Problem]:
    yield from _labels(f"{field}.node_selector", pods.node_selector)
    for toleration in pods.tolerations:
        yield from _toleration(f"{field}.tolerations", toleration)
    if pods.priority_class_name:
        yield from _name(f"{field}.priority_class_name", pods.priority_class_name, "priority class")
    yield from _annotations(f"{field}.annotations", pods.annotations)
    if _CHART_ANNOTATION in pods.annotations:
        yield LABEL_RESERVED(f"{field}.annotations", key=_CHART_ANNOTATION)


def _toleration(where: str, toleration: Toleration) -> Iterator[Problem]:
    key, value, operator = toleration.key, toleration.value, toleration.operator
    said = f"{operator} of {key!r}" if key else operator
    if key:
        yield from _labels(where, {key: value if operator == "Equal" else ""}, "a taint")
    elif operator == "Equal":
        yield TOLERATION(where, toleration=said, fault="needs a key", remedy="Declare the key of the taint")
    if value and operator == "Exists":
        yield TOLERATION(
            where,
            toleration=said,
            fault=f"takes no value, and has {value!r}",
            remedy='Leave the value out, or declare operator="Equal"',
        )


def _image(field: str, image: Image) -> Iterator[Problem]:
    if image.registry and not syntax.is_registry(image.registry):
        yield IMAGE(
            f"{field}.registry",
            value=image.registry,
            part="registry",
            form="Declare the host, and a port if it needs one: mirror.example.com:5000",
        )
    if not syntax.is_repository(image.repository):
        yield IMAGE(
            f"{field}.repository",
            value=image.repository,
            part="repository",
            form="Declare a path of lower-case letters and digits, with single '.', '_' and '-' within and without a "
            "tag: apache/kafka",
        )
    if not syntax.is_tag(image.tag):
        yield IMAGE(
            f"{field}.tag",
            value=image.tag,
            part="tag",
            form="Declare up to 128 letters, digits, '.', '_' and '-'; a digest has a field of its own",
        )
    elif not syntax.is_label_value(image.tag):
        yield IMAGE_TAG(f"{field}.tag", tag=image.tag)


def _clients(where: str, clients: tuple[ClientPods, ...]) -> Iterator[Problem]:
    for each in clients:
        if each.namespace not in {"", "*"} and not syntax.is_dns_label(each.namespace):
            yield NAME(where, name=each.namespace, kind="namespace", dots="", most=syntax.LONGEST_LABEL)
        yield from _labels(where, each.labels)


def _config(where: str, config: Mapping[str, str | bool | int | float]) -> Iterator[Problem]:
    for key, value in config.items():
        if not text(value).isascii():
            yield CONFIG_TEXT(where, key=key)


def _lost(rack: str) -> str:
    """What of a rack does not get through; empty if it is passed on as it is."""
    if rack_fault(rack):
        return ""  # refused everywhere
    if not rack.isascii():
        return "characters beyond ASCII"
    if " " in rack:
        return "white space"
    if "\\" in rack:
        return "a backslash"
    return "a '$' before '$' or '('" if re.search(r"\$[$(]", rack) else ""


def _plain(rack: str) -> str:
    """The rack in characters that get through: ``zone-a`` for ``zone a``."""
    bare = unicodedata.normalize("NFKD", rack).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.]+", "-", bare).strip("-") or "zone-a"


def is_host(advertised: str) -> bool:
    """Whether brokers can advertise it, once the marks in it are filled in."""
    for mark in MARKS:
        advertised = advertised.replace(mark, "0")
    return syntax.is_host(advertised)


def _external(platform: Platform, layout: KubernetesLayout) -> Iterator[Problem]:
    brokers, external = platform.kafka.brokers, layout.external
    if external.type == "None":
        return
    if not is_host(external.host):
        yield EXTERNAL_HOST_NAME("external.host", host=external.host)
    low, high = layout.node_port_range
    first, last = external.node_port, external.node_port + brokers - 1
    if external.type == "NodePort" and not low <= first <= last <= high:
        most = max(high - brokers + 1, low)
        yield NODE_PORT("external.node_port", brokers=brokers, first=first, last=last, low=low, high=high, most=most)
    for source in external.sources:
        if syntax.is_filled_in(source):
            continue
        network = syntax.network(source)
        if network is None:
            yield SOURCE("external.sources", source=source)
        elif source != str(network):
            address, _, _ = source.partition("/")
            yield SOURCE_SPELLING(
                "external.sources", source=source, network=network, address=f"{address}/{network.max_prefixlen}"
            )
    yield from _annotations("external.annotations", external.annotations)


_JUDGES: Mapping[Servers, tuple[Callable[[Platform, KubernetesLayout], Iterator[Problem]], ...]] = {
    "zookeeper": (_zookeeper_image, _zookeeper_config, _zookeeper_storage, _membership_secret, _zookeeper_clients),
    "kafka": (
        _kafka_image,
        _kafka_config,
        _kafka_storage,
        _kafka_clients,
        _listeners,
        _racks,
        _forward_ports,
        _external,
    ),
    "connect": (_workers,),
}
