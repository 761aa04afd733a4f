# ruff: noqa: INP001, E501  # run as a module; a table, a case a line
"""What is planned: each case changes the configuration that was applied, and says how it is planned."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from hikube_kafka.spec import Resources, Storage, Topic
from hikube_kafka.spec.kafka import Listener
from hikube_kafka.spec.targets.kubernetes import ClaimRetention, ExternalAccess, Image, Pods
from scripts.golden_plans.configurations import DAY, Configuration, topics

Edit = Callable[[Configuration], None]

Start = Literal["nothing", "platform", "large", "topics", "release", "guarded", "local"]
"""What the state has: nothing; a platform of three brokers and three ZooKeeper servers; the same with four and five;
topics of HCL; releases of HCL; the same with all that guards brokers; a platform on this machine."""

LARGE: Mapping[str, Any] = {
    "target": {"pods": Pods(anti_affinity="preferred")},
    "zookeeper": {"servers": 5},
    "kafka": {"brokers": 4},
}
"""The large platform; its pods may share a node, so that three nodes are enough."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One plan."""

    name: str
    start: Start
    declared: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the platform, in place of those that were applied."""
    edit: Edit | None = None
    """What is changed in the configuration after the synth: above all, what a declaration refuses."""
    arguments: tuple[str, ...] = ()
    """Of ``terraform plan``."""
    outside: tuple[str, ...] = ()
    """Run in broker 0 before the plan: what somebody does outside Terraform."""
    afterwards: tuple[str, ...] = ()
    """Run in broker 0 after it."""
    keeps_stream: bool = True
    """Whether what Terraform said is kept beside the plan."""


# --- What is done to a configuration -------------------------------------------------------------------------------


def both(*edits: Edit) -> Edit:
    """One after the other."""

    def edit(content: Configuration) -> None:
        for each in edits:
            each(content)

    return edit


def entry(topic: str, /, **changed: Any) -> Edit:
    """Entries of a topic's ``config``, with ``__`` for a dot; None takes one away."""

    def edit(content: Configuration) -> None:
        config = content["resource"]["hikube_kafka_topic"][topic].setdefault("config", {})
        for key, value in changed.items():
            config.pop(key.replace("__", "."), None)
            if value is not None:
                config[key.replace("__", ".")] = str(value)

    return edit


def attribute(kind: str, name: str, /, **changed: Any) -> Edit:
    """Attributes of a resource; None takes one away."""

    def edit(content: Configuration) -> None:
        resource = content["resource"][kind][name]
        for key, value in changed.items():
            resource.pop(key, None)
            if value is not None:
                resource[key] = value

    return edit


def topic(name: str, /, **changed: Any) -> Edit:
    """Attributes of a topic."""
    return attribute("hikube_kafka_topic", name, **changed)


def without(*addresses: str) -> Edit:
    """Resources that are no longer declared, and what depends on them no longer does."""

    def edit(content: Configuration) -> None:
        for address in addresses:
            kind, name = address.split(".")
            content["resource"][kind].pop(name)
            if not content["resource"][kind]:
                content["resource"].pop(kind)
        for resources in content["resource"].values():
            for resource in resources.values():
                with suppress(KeyError):
                    resource["depends_on"] = [each for each in resource["depends_on"] if each not in addresses]

    return edit


def block(kind: str, /, **content_of: Any) -> Edit:
    """A ``removed`` or a ``moved`` block."""

    def edit(content: Configuration) -> None:
        content.setdefault(kind, []).append(content_of)

    return edit


def renamed(kind: str, before: str, after: str) -> Edit:
    """A resource at another address."""

    def edit(content: Configuration) -> None:
        resources = content["resource"][kind]
        resources[after] = resources.pop(before)

    return edit


def values(release: str, *path: str, value: Any, document: int = 0) -> Edit:
    """One value inside of a release's values; None takes it away."""

    def edit(content: Configuration) -> None:
        documents = content["resource"]["helm_release"][release]["values"]
        whole = yaml.safe_load(documents[document])
        inner = whole
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner.pop(path[-1], None)
        if value is not None:
            inner[path[-1]] = value
        documents[document] = yaml.safe_dump(whole, sort_keys=False, width=10_000)

    return edit


def put(*path: str, value: Any) -> Edit:
    """Anything else."""

    def edit(content: Configuration) -> None:
        inner = content
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = value

    return edit


_DEFERRED = put("resource", "terraform_data", "later", value={"input": "${timestamp()}"})
LATER = "${terraform_data.later.output}"
"""What only the apply tells."""


def _orders(**changed: Any) -> list[Topic]:
    """The platform's topics, the first of them changed."""
    return [topics()[0].model_copy(update=changed), topics()[1]]


# --- Topics, of HCL ----------------------------------------------------------------------------------------------


def _topics(name: str, edit: Edit | None = None, *arguments: str, **how: Any) -> Case:
    return Case(name=f"topic-{name}", start="topics", edit=edit, arguments=arguments, **how)


TOPICS = [
    _topics("nothing"),
    _topics("deleted", without("hikube_kafka_topic.jobs")),
    _topics("deleted-protected", without("hikube_kafka_topic.payments")),
    _topics("renamed", topic("jobs", name="work")),
    _topics("renamed-protected", topic("payments", name="paid")),
    _topics("tainted", None, "-replace=hikube_kafka_topic.jobs"),
    _topics(
        "forgotten",
        both(
            without("hikube_kafka_topic.payments"),
            block("removed", **{"from": "hikube_kafka_topic.payments", "lifecycle": {"destroy": False}}),
        ),
    ),
    _topics(
        "moved",
        both(
            renamed("hikube_kafka_topic", "payments", "paid"),
            block("moved", **{"from": "hikube_kafka_topic.payments", "to": "hikube_kafka_topic.paid"}),
        ),
    ),
    _topics("address-changed-without-moved", renamed("hikube_kafka_topic", "jobs", "work")),
    _topics("unprotected", topic("payments", deletion_protection=False)),
    _topics("protected", topic("jobs", deletion_protection=True)),
    _topics(
        "created",
        put(
            "resource", "hikube_kafka_topic", "fresh",
            value={"name": "fresh", "partitions": 3, "replication_factor": 3, "config": {"min.insync.replicas": "2"}},
        ),
    ),
    _topics(
        "created-one-copy",
        put("resource", "hikube_kafka_topic", "fresh", value={"name": "fresh", "partitions": 1, "replication_factor": 1}),
    ),
    _topics("partitions-more", topic("payments", partitions=6)),
    _topics("partitions-more-compacted", topic("customers", partitions=4)),
    _topics("partitions-fewer", topic("payments", partitions=2)),
    _topics("partitions-unknown", both(_DEFERRED, topic("payments", partitions="${length(terraform_data.later.output)}"))),
    _topics("retention-cut", entry("payments", retention__ms=DAY)),
    _topics("retention-raised", entry("payments", retention__ms=14 * DAY)),
    _topics("retention-endless", entry("payments", retention__ms=-1)),
    _topics("retention-same-in-hours", entry("payments", retention__ms=f"{7 * DAY}")),
    _topics("retention-left-out", entry("payments", retention__ms=None)),
    _topics("retention-given-first", entry("jobs", retention__ms=DAY)),
    _topics("retention-bytes-set", entry("payments", retention__bytes=1_000_000_000)),
    _topics("retention-bytes-endless", entry("payments", retention__bytes=-1)),
    _topics("retention-unknown", both(_DEFERRED, entry("payments", retention__ms=LATER))),
    _topics("compacted", entry("payments", cleanup__policy="compact")),
    _topics("compacted-and-deleted", entry("payments", cleanup__policy="compact,delete")),
    _topics("no-longer-compacted", entry("customers", cleanup__policy="delete")),
    _topics("compacted-and-deleted-from-compacted", entry("customers", cleanup__policy="delete,compact")),
    _topics("compacted-left-out", entry("customers", cleanup__policy=None)),
    _topics("min-insync-as-factor", entry("payments", min__insync__replicas=3)),
    _topics("min-insync-above-factor", entry("jobs", min__insync__replicas=3)),
    _topics("min-insync-below-factor", entry("payments", min__insync__replicas=1)),
    _topics("factor-above-brokers", topic("payments", replication_factor=4)),
    _topics("factor-two", topic("payments", replication_factor=2)),
    _topics("factor-three", topic("jobs", replication_factor=3)),
    _topics("message-size-raised", entry("payments", max__message__bytes=10_000_000)),
    _topics("message-size-cut", entry("payments", max__message__bytes=100_000)),
    _topics("compaction-ends", entry("audit", cleanup__policy="delete")),
    _topics("tombstones-sooner", entry("customers", delete__retention__ms=3_600_000)),
    _topics("tombstones-later", entry("customers", delete__retention__ms=2 * DAY)),
    _topics("min-insync-raised", both(topic("jobs", replication_factor=3), entry("jobs", min__insync__replicas=2))),
    _topics("timestamps-of-brokers", entry("payments", message__timestamp__type="LogAppendTime")),
    _topics("format-older", entry("payments", message__downconversion__enable="false")),
    _topics("copies-fewer", both(topic("audit", replication_factor=2), entry("audit", min__insync__replicas=1))),
    _topics(
        "forgotten-and-made",
        both(
            renamed("hikube_kafka_topic", "payments", "paid"),
            block("removed", **{"from": "hikube_kafka_topic.payments", "lifecycle": {"destroy": False}}),
        ),
    ),
    _topics("segment-changed", entry("payments", segment__ms=DAY)),
    _topics("unclean-election", entry("payments", unclean__leader__election__enable="true")),
    _topics(
        "drifted",
        outside=(
            "kafka-configs.sh", "--alter", "--entity-type", "topics", "--entity-name", "payments",
            "--add-config", "retention.ms=86400000",
        ),
        afterwards=(
            "kafka-configs.sh", "--alter", "--entity-type", "topics", "--entity-name", "payments",
            "--add-config", f"retention.ms={7 * DAY}",
        ),
    ),
    _topics("drifted-and-forgiven", entry("payments", retention__ms=DAY), outside=(
            "kafka-configs.sh", "--alter", "--entity-type", "topics", "--entity-name", "payments",
            "--add-config", "retention.ms=86400000",
        ),
        afterwards=(
            "kafka-configs.sh", "--alter", "--entity-type", "topics", "--entity-name", "payments",
            "--add-config", f"retention.ms={7 * DAY}",
        ),
    ),
    _topics("destroyed", None, "-destroy"),
    _topics("unprotected-destroyed", None, "-destroy", "-target=hikube_kafka_topic.jobs"),
    _topics("exists", put("resource", "hikube_kafka_topic", "again", value={"name": "orders", "partitions": 3,
                                                                           "replication_factor": 3})),
]  # fmt: skip

# --- A platform of the constructs ----------------------------------------------------------------------------------


def _platform(
    name: str, edit: Edit | None = None, /, *arguments: str, start: Start = "platform", **declared: Any
) -> Case:
    return Case(name=name, start=start, edit=edit, arguments=arguments, declared=declared)


def _large(name: str, edit: Edit | None = None, /, *arguments: str, **changed: Any) -> Case:
    declared = {
        key: {**LARGE.get(key, {}), **changed.get(key, {})} if key in LARGE else changed[key]
        for key in {**LARGE, **changed}
    }
    return Case(name=f"large-{name}", start="large", edit=edit, arguments=arguments, declared=declared)


_KAFKA, _ZOOKEEPER = "events_kafka", "events_zookeeper"


def _target(**given: Any) -> Mapping[str, Any]:
    return {"target": given}


def _image(repository: str = "apache/kafka", tag: str = "3.9.2", **given: str) -> Image:
    return Image(repository=repository, tag=tag, **given)


PLATFORM = [
    Case(name="platform-created", start="nothing", declared={"target": {"namespace": "golden-new"}}),
    _platform("platform-nothing"),
    _platform("platform-destroyed", None, "-destroy"),
    _platform("claims-grow", kafka={"storage": Storage("2Gi")}),
    _platform("claims-shrink", kafka={"storage": Storage("512Mi")}),
    _platform("claims-other-class", kafka={"storage": Storage("1Gi", storage_class="fixed-size")}),
    _platform("zookeeper-claims-grow", zookeeper={"storage": Storage("2Gi")}),
    _platform("brokers-more", kafka={"brokers": 4}),
    _platform("brokers-fewer", kafka={"brokers": 2}, topics=_orders(replication_factor=2)),
    _platform("brokers-fewer-drained", kafka={"brokers": 2}, topics=_orders(replication_factor=2), **_target(drain=True)),
    _platform("zookeeper-three-to-five", zookeeper={"servers": 5}),
    _platform("zookeeper-three-to-one", zookeeper={"servers": 1}),
    _platform("zookeeper-three-to-four", values(_ZOOKEEPER, "replicas", value=4)),
    _platform("zookeeper-and-brokers", zookeeper={"resources": Resources(cpu="100m", memory="768Mi")},
              kafka={"resources": Resources(cpu="200m", memory="1536Mi")}),
    _platform("zookeeper-five-and-brokers-four", zookeeper={"servers": 5}, kafka={"brokers": 4}),
    _platform("image-patch-up", **_target(kafka_image=_image(tag="3.9.3"))),
    _platform("image-patch-down", **_target(kafka_image=_image(tag="3.9.1"))),
    _platform("image-minor-down", values(_KAFKA, "image", "tag", value="3.8.1")),
    _platform("image-major-up", values(_KAFKA, "image", "tag", value="4.0.0")),
    _platform("image-unreadable-version", values(_KAFKA, "image", "tag", value="latest")),
    _platform("image-by-digest", **_target(kafka_image=_image(digest="sha256:" + "a1" * 32))),
    _platform("image-mirrored", **_target(kafka_image=_image("platform/kafka", registry="images.example.com"))),
    _platform("zookeeper-image-down", values(_ZOOKEEPER, "image", "tag", value="3.8.4")),
    _platform("zookeeper-image-up", values(_ZOOKEEPER, "image", "tag", value="3.9.6")),
    _platform("memory-more", kafka={"resources": Resources(cpu="200m", memory="2Gi")}),
    _platform("heap-above-half", kafka={"heap": "640m"}),
    _platform("heap-half", kafka={"heap": "512m"}),
    _platform("broker-config", kafka={"config": {"num.io.threads": 16}}),
    _platform("broker-config-retention-cut", kafka={"config": {"log.retention.ms": DAY}}),
    _platform("broker-config-unclean", kafka={"config": {"unclean.leader.election.enable": True}}),
    _platform("labels-changed", **_target(labels={"team": "payments"})),
    _platform("pods-annotated", values(_KAFKA, "pods", "annotations", value={"example.com/restarted": "1"})),
    _platform("claims-deleted-with-release", **_target(claims=ClaimRetention(when_deleted="Delete"))),
    _platform("claims-deleted-when-scaled", **_target(claims=ClaimRetention(when_scaled="Delete"))),
    _platform(
        "external-plaintext",
        kafka={"listeners": (Listener("client", port=9092), Listener("outside", port=9094))},
        **_target(external=ExternalAccess(type="NodePort", listener="outside")),
    ),
    _platform("listener-inside", kafka={"listeners": (Listener("client", port=9092), Listener("batch", port=9095))}),
    _platform("network-policy-off", **_target(network_policy=False)),
    _platform(
        "release-removed",
        without(f"helm_release.{_KAFKA}", "hikube_rollout.events_kafka"),
    ),
    _platform("release-renamed", attribute("helm_release", _KAFKA, name="events-brokers")),
    _platform(
        "release-forgotten",
        both(
            without(f"helm_release.{_KAFKA}", "hikube_rollout.events_kafka"),
            block("removed", **{"from": f"helm_release.{_KAFKA}", "lifecycle": {"destroy": False}}),
        ),
    ),
    _platform("release-tainted", None, f"-replace=helm_release.{_KAFKA}"),
    _platform("namespace-forgotten", **_target(create_namespace=False)),
    _platform("topic-of-platform-deleted", topics=topics()[:1]),
    _platform("topic-of-platform-retention-cut", topics=_orders(config={"retention.ms": DAY})),
    _platform("topic-of-platform-partitions-more", topics=_orders(partitions=12)),
    _platform("platform-renamed-with-moved", id="streams", moved_from="events", name="events"),
    _large("nothing"),
    _large("policy-compacts", values(_KAFKA, "config", "log.cleanup.policy", value="compact")),
    _large("brokers-two", both(
        values(_KAFKA, "replicas", value=2), attribute("hikube_kafka_brokers", "events", brokers=2, drain=True))),
    _large("log-claim-added", values(_ZOOKEEPER, "storage", "log", value={"size": "1Gi"})),
    _large("claims-forgotten", both(
        without("hikube_volume_claims.events_kafka"),
        block("removed", **{"from": "hikube_volume_claims.events_kafka", "lifecycle": {"destroy": False}}))),
    _large("claims-removed", without("hikube_volume_claims.events_kafka")),
    _large("topic-min-insync-as-brokers", topics=_orders(config={"retention.ms": 7 * DAY, "min.insync.replicas": 2})),
    _large("destroyed", None, "-destroy"),
    _large("brokers-four-to-three", kafka={"brokers": 3}),
    _large("brokers-four-to-three-drained", kafka={"brokers": 3}, target={"drain": True}),
    _large("zookeeper-five-to-three", zookeeper={"servers": 3}),
    _large("zookeeper-five-to-one", zookeeper={"servers": 1}),
    _large("zookeeper-five-to-four", values(_ZOOKEEPER, "replicas", value=4)),
]  # fmt: skip

# --- Releases, of HCL ----------------------------------------------------------------------------------------------


def _release(name: str, edit: Edit | None = None, *arguments: str) -> Case:
    return Case(name=f"release-plain-{name}", start="release", edit=edit, arguments=arguments)


def _set(release: str, *entries: Mapping[str, Any], kind: str = "set") -> Edit:
    return attribute("helm_release", release, **{kind: list(entries)})


_HEAP = {"name": "heap", "value": "900m"}
_THREADS = {"name": r"config.num\.io\.threads", "value": "8", "type": "string"}

RELEASES = [
    _release("nothing"),
    _release("set-changed", _set("brokers", _HEAP, {**_THREADS, "value": "16"})),
    _release("set-scales-in", _set("brokers", _HEAP, _THREADS, {"name": "replicas", "value": "1"})),
    _release("set-memory-heap-above-half", _set("brokers", {**_HEAP, "value": "1200m"}, _THREADS)),
    _release("set-list", _set("brokers", {"name": "jvmOptions", "value": ["-XX:+ExitOnOutOfMemoryError"]}, kind="set_list")),
    _release(
        "set-sensitive",
        both(
            put("variable", "jaas", value={"type": "string", "sensitive": True, "default": "planted-jaas-secret-7"}),
            _set("brokers", {"name": r"config.listener\.name\.outside\.sasl\.jaas\.config", "value": "${var.jaas}",
                             "type": "string"}, kind="set_sensitive"),
        ),
    ),
    _release("second-document-memory", values("brokers", "resources", "memory", value="4Gi", document=1)),
    _release("documents-reordered", lambda content: content["resource"]["helm_release"]["brokers"]["values"].reverse()),
    _release("authorizer-removed", values("brokers", "config", "authorizer.class.name", value=None)),
    _release("authorizer-left", values("brokers", "config", "super.users", value="User:admin;User:ops")),
    _release("everyone-allowed", values("brokers", "config", "allow.everyone.if.no.acl.found", value="true")),
    _release(
        "authentication-off",
        values("brokers", "config", "listener.security.protocol.map",
               value="CLIENT:PLAINTEXT,OUTSIDE:SASL_SSL,FORWARD:PLAINTEXT"),
    ),
    _release(
        "external-without-tls",
        values("brokers", "config", "listener.security.protocol.map",
               value="CLIENT:SASL_PLAINTEXT,OUTSIDE:SASL_PLAINTEXT,FORWARD:SASL_PLAINTEXT"),
    ),
    _release(
        "external-without-authentication",
        values("brokers", "config", "listener.security.protocol.map",
               value="CLIENT:SASL_PLAINTEXT,OUTSIDE:SSL,FORWARD:SASL_PLAINTEXT"),
    ),
    _release("external-load-balancer", both(values("brokers", "external", "type", value="LoadBalancer"),
             values("brokers", "external", "host", value="kafka-<ordinal>.example.com"))),
    _release("claim-shrinks", values("brokers", "storage", value={"data": {"size": "5Gi"}})),
    _release("claim-class", values("brokers", "storage", value={"data": {"size": "10Gi", "storageClass": "fixed-size"}})),
    _release("values-unknown", both(_DEFERRED, attribute("helm_release", "brokers", values=[LATER]))),
    _release("set-unknown", both(_DEFERRED, _set("brokers", _HEAP, {**_THREADS, "value": LATER}))),
    _release("values-no-yaml", attribute("helm_release", "brokers", values=["replicas: [3"])),
    _release("other-chart-changed", attribute("helm_release", "other", values=["retention: 1d\n"])),
    _release("other-chart-removed", without("helm_release.other")),
    _release("removed", without("helm_release.brokers")),
    _release("coordinator-removed", without("helm_release.coordinator")),
    _release("coordinator-two", values("coordinator", "replicas", value=2)),
    _release("renamed", attribute("helm_release", "brokers", name="streams")),
    _release("chart-replaced", attribute("helm_release", "brokers", chart="./charts/other")),
    _release("namespace-renamed", put("resource", "kubernetes_namespace_v1", "plain", "metadata", "name",
                                      value="golden-other")),
    _release("namespace-labelled", put("resource", "kubernetes_namespace_v1", "plain", "metadata", "labels",
                                       value={"team": "payments"})),
    _release("destroyed", None, "-destroy"),
    _release("timeout-changed", attribute("helm_release", "brokers", timeout=600)),
]  # fmt: skip

# --- Releases, of HCL, with all that guards them -----------------------------------------------------------------


def _guarded(name: str, edit: Edit | None = None, *arguments: str, **how: Any) -> Case:
    return Case(name=f"guarded-{name}", start="guarded", edit=edit, arguments=arguments, **how)


def _broker(*path: str, value: Any) -> Edit:
    return values("brokers", *path, value=value)


def _config(key: str, value: str | None) -> Edit:
    return _broker("config", key, value=value)


def _server(*path: str, value: Any) -> Edit:
    return values("coordinator", *path, value=value)


_CLIENTS = [{"namespace": "payments", "labels": {"app": "billing"}}, {"namespace": "batch", "labels": {}}]

GUARDED = [
    _guarded("nothing"),
    _guarded("version-with-protocol-kept", _broker("image", "tag", value="3.9.2")),
    _guarded("version-and-protocol", both(_broker("image", "tag", value="3.9.2"), _config("inter.broker.protocol.version", None))),
    _guarded("protocol-raised", _config("inter.broker.protocol.version", "3.8")),
    _guarded("protocol-lowered", _config("inter.broker.protocol.version", "3.6")),
    _guarded("policy-deletes", _config("log.cleanup.policy", "compact,delete")),
    _guarded("zookeeper-acl-off", _config("zookeeper.set.acl", "false")),
    _guarded("zookeeper-in-the-clear", _config("zookeeper.ssl.client.enable", "false")),
    _guarded("client-certificates-asked-for", _config("ssl.client.auth", "requested")),
    _guarded("sources-more", _broker("external", "sources", value=["203.0.113.0/24", "198.51.100.0/24"])),
    _guarded("sources-all", _broker("external", "sources", value=[])),
    _guarded("sources-fewer", _broker("external", "sources", value=["203.0.113.0/25"])),
    _guarded("clients-more", _broker("networkPolicy", "clients", value=[*_CLIENTS, {"namespace": "", "labels": {}}])),
    _guarded("clients-fewer", _broker("networkPolicy", "clients", value=_CLIENTS[:1])),
    _guarded("clients-reordered", _broker("networkPolicy", "clients", value=_CLIENTS[::-1])),
    _guarded("advertised-elsewhere", _config(
        "advertised.listeners",
        "CLIENT://<host>.example.com:9092,MUTUAL://<node>:<node-port>,FORWARD://127.0.0.1:<forward-port>")),
    _guarded("authorizer-changed", _config("authorizer.class.name", "com.example.Authorizer")),
    _guarded("inter-broker-elsewhere", both(
        _config("listeners", "CLIENT://:9092,MUTUAL://:9095,INSIDE://:9096,FORWARD://127.0.0.1:<forward-port>"),
        _config("listener.security.protocol.map", "CLIENT:SASL_SSL,MUTUAL:SSL,INSIDE:SASL_SSL,FORWARD:SASL_SSL"),
        _config("inter.broker.listener.name", "INSIDE"))),
    _guarded("inter-broker-there-already", _config("inter.broker.listener.name", "MUTUAL")),
    _guarded("identity", _config("broker.id", "1<ordinal>")),
    _guarded("logs-moved", _config("log.dirs", "/var/lib/kafka/data/other")),
    _guarded("logs-one-more", _config("log.dirs", "/var/lib/kafka/data/log,/var/lib/kafka/data/other")),
    _guarded("other-chroot", _config("zookeeper.connect", "zookeeper-0.zookeeper-headless:2181/other")),
    _guarded("fewer-names-of-zookeeper", _config("zookeeper.connect", "zookeeper-0.zookeeper-headless:2181")),
    _guarded("racks", _broker("rack", "names", value=["a", "b", "c"])),
    _guarded("message-size", _config("message.max.bytes", "2097152")),
    _guarded("offsets-cut", _config("offsets.retention.minutes", "1440")),
    _guarded("offsets-longer", _config("offsets.retention.minutes", "20160")),
    _guarded("min-insync-lowered", _config("min.insync.replicas", "1")),
    _guarded("min-insync-as-factor", _config("min.insync.replicas", "3")),
    _guarded("retention-longer", _config("log.retention.ms", "1209600000")),
    _guarded("topics-by-clients", _config("auto.create.topics.enable", "true")),
    _guarded("entry-unreadable", _config("min.insync.replicas", "many")),
    _guarded("heap-in-options", _broker("jvmOptions", value=["-XX:+ExitOnOutOfMemoryError", "-Xmx2g"])),
    _guarded("options-changed", _broker("jvmOptions", value=["-XX:+ExitOnOutOfMemoryError", "-XX:+UseZGC"])),
    _guarded("memory-less", both(_broker("heap", value="512m"), _broker("resources", "memory", value="1Gi"))),
    _guarded("nodes-shared", _broker("pods", "antiAffinity", value="preferred")),
    _guarded("shutdown-gate-off", _broker("shutdownGateSeconds", value=0)),
    _guarded("shutdown-gate-shorter", _broker("shutdownGateSeconds", value=60)),
    _guarded("startup-shorter", _broker("startupSeconds", value=3600)),
    _guarded("startup-longer", _broker("startupSeconds", value=172800)),
    _guarded("pods-recreated", attribute("helm_release", "brokers", recreate_pods=True)),
    _guarded("chart-later", attribute("helm_release", "brokers", chart="./charts/later/kafka")),
    _guarded("declared-twice", lambda content: content["resource"]["helm_release"].update(
        again=dict(content["resource"]["helm_release"]["brokers"]))),
    _guarded("declared-beside", lambda content: content["resource"]["helm_release"].update(
        again={**content["resource"]["helm_release"]["coordinator"], "name": "zookeeper-two"})),
    _guarded("brokers-four", _broker("replicas", value=4)),
    _guarded("brokers-two", _broker("replicas", value=2)),
    _guarded("zookeeper-version-jump", _server("image", "tag", value="3.9.5")),
    _guarded("zookeeper-version-step", _server("image", "tag", value="3.5.10")),
    _guarded("zookeeper-log-claim-removed", both(_server("storage", "log", value=None), _server("config", "dataLogDir", value=None))),
    _guarded("zookeeper-data-moved", _server("config", "dataDir", value="/data/other")),
    _guarded("zookeeper-login-off", _server("config", "sessionRequireClientSASLAuth", value=None)),
    _guarded("zookeeper-commands-more", _server("config", "4lw.commands.whitelist", value="conf,mntr,ruok,srvr,dump")),
    _guarded("zookeeper-commands-fewer", _server("config", "4lw.commands.whitelist", value="mntr,ruok,srvr")),
    _guarded("zookeeper-other-password", _server("membershipSecret", value="zookeeper-another")),
    _guarded("zookeeper-five", _server("replicas", value=5)),
    _guarded("zookeeper-ticks", _server("config", "tickTime", value="3000")),
    _guarded("operator-changed", attribute("helm_release", "operator", values=["retention: 1d\n"])),
    _guarded("operator-removed", without("helm_release.operator")),
    _guarded("empty-namespace-removed", without("kubernetes_namespace_v1.empty")),
    _guarded("password-removed", without("kubernetes_secret_v1.zookeeper-password")),
    _guarded("dashboards-removed", without("kubernetes_secret_v1.dashboards")),
    _guarded("namespace-prevents", both(
        attribute("kubernetes_namespace_v1", "empty", lifecycle={"prevent_destroy": True},
                  metadata={"name": "golden-guarded-other"}))),
    _guarded("refused-unseen", both(
        attribute("kubernetes_namespace_v1", "empty", lifecycle={"prevent_destroy": True},
                  metadata={"name": "golden-guarded-other"})), keeps_stream=False),
]  # fmt: skip

# --- On this machine -------------------------------------------------------------------------------------------------

LOCAL = [
    Case(name="local-nothing", start="local"),
    Case(name="local-broker-more", start="local", declared={"kafka": {"brokers": 4}}),
    Case(name="local-broker-fewer", start="local", declared={"kafka": {"brokers": 2}, "topics": _orders(replication_factor=2)}),
    Case(name="local-zookeeper-five", start="local", declared={"zookeeper": {"servers": 5}}),
    Case(name="local-config", start="local", declared={"kafka": {"config": {"num.io.threads": 16}}}),
    Case(name="local-topic-deleted", start="local", declared={"topics": topics()[:1]}),
    Case(name="local-topic-partitions-more", start="local", declared={"topics": _orders(partitions=6)}),
    Case(name="local-destroyed", start="local", arguments=("-destroy",)),
    Case(name="local-topic-created", start="local",
         declared={"topics": [*topics(), Topic("fresh", partitions=3, config={"retention.ms": DAY})]}),
    Case(name="local-topic-replaced", start="local", arguments=("-replace=hikube_kafka_topic.events_scratch",)),
    Case(
        name="local-topic-forgotten",
        start="local",
        declared={"topics": topics()[1:]},
        edit=block("removed", **{"from": "hikube_kafka_topic.events_orders", "lifecycle": {"destroy": False}}),
    ),
]  # fmt: skip

CASES = [*TOPICS, *PLATFORM, *RELEASES, *GUARDED, *LOCAL]
