"""What a Connect cluster runs with: its group, its topics, the complete configuration of workers and connectors."""

from collections.abc import Iterator

from hikube_kafka.spec.connect import ConnectCluster, Connector
from hikube_kafka.spec.definitions.connect import CONNECTOR_FIELDS
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.properties import Override, cluster_settings, replaced, text
from hikube_kafka.spec.quantities import whole
from hikube_kafka.spec.topic import MESSAGE_BYTES, Topic

_JSON = "org.apache.kafka.connect.json.JsonConverter"
_PROVIDERS = {
    "dir": "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    "file": "org.apache.kafka.common.config.provider.FileConfigProvider",
    "env": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
}


_OVERRIDE_POLICY = "connector.client.config.override.policy"
OWNED: dict[str, str] = {
    "bootstrap.servers": "the brokers of the platform",
    "group.id": "the name of the Connect cluster",
    "listeners": "the target",
    "plugin.path": "plugins=",
    "rest.advertised.host.name": "the target",
    "rest.advertised.listener": "the target",
    "rest.advertised.port": "the target",
    **{
        f"{kind}.storage.{what}": f"the topic whose name ends with .{topic}, which can be declared like any other"
        for kind, topic in (("config", "configs"), ("offset", "offsets"), ("status", "status"))
        for what in ("topic", "replication.factor", "partitions")
        if (kind, what) != ("config", "partitions")  # there is no such key
    },
}
"""Worker entries that cannot be declared, each with what decides it: others rely on what was computed."""


_REFUSED = frozenset({*CONNECTOR_FIELDS, "errors.tolerance"})


def group_id(platform: Platform, cluster: ConnectCluster) -> str:
    """The workers' ``group.id``, and the first part of their internal topics' names."""
    return f"{platform.name}-connect-{cluster.name}"


def internal_topics(platform: Platform, cluster: ConnectCluster) -> tuple[Topic, ...]:
    """Where the workers keep connectors, offsets and states: topics of the platform like all others.

    Numbers of partitions: Connect's own defaults; of the configurations there must be one, for their order.
    """
    group = group_id(platform, cluster)
    return tuple(
        Topic(
            f"{group}.{kind}",
            partitions=partitions,
            config={"cleanup.policy": "compact"},
            deletion_protection=cluster.deletion_protection,
        )
        for kind, partitions in (("configs", 1), ("offsets", 25), ("status", 5))
    )


def is_sink(connector: Connector) -> bool:
    """Whether it reads topics: Connect asks every sink for one of two keys, and few sources have one of them."""
    return bool({"topics", "topics.regex"} & connector.config.keys()) and not _is_source(connector.connector_class)


def _is_source(connector_class: str) -> bool:
    """Whether a class says so: those of MirrorMaker and of Camel have ``topics`` too."""
    name = connector_class.rpartition(".")[2]
    return connector_class.startswith("org.apache.kafka.connect.mirror.") or ("Source" in name and "Sink" not in name)


def dead_letter_topic(connector: Connector) -> str | None:
    """Name of the topic for what a sink cannot deliver; None for a source, and where there is to be none."""
    if not is_sink(connector) or connector.dead_letters is False:
        return None
    return f"{connector.name}.dead-letters" if connector.dead_letters is None else connector.dead_letters


def all_topics(platform: Platform) -> tuple[Topic, ...]:
    """The topics that are declared, and those that Connect clusters need and nobody has declared."""
    declared = {topic.name for topic in platform.topics}
    needed = {topic.name: topic for cluster in platform.connect for topic in _needed(platform, cluster)}
    return (*platform.topics, *(topic for name, topic in needed.items() if name not in declared))


def _needed(platform: Platform, cluster: ConnectCluster) -> Iterator[Topic]:
    yield from internal_topics(platform, cluster)
    for connector in cluster.connectors:
        if name := dead_letter_topic(connector):
            yield _dead_letters(platform, cluster, connector, name)


def _dead_letters(platform: Platform, cluster: ConnectCluster, connector: Connector, name: str) -> Topic:
    """The topic; its messages may be as large as the largest that the connector may meet, and their headers."""
    largest = max(_largest_message(platform, each) for each in (None, *platform.topics))
    of = Topic(connector.name, partitions=1, config={"max.message.bytes": largest})
    return Topic.dead_letters(of=of, name=name, deletion_protection=cluster.deletion_protection)


def _largest_message(platform: Platform, topic: Topic | None) -> int:
    """The most bytes of a message that the topic takes; None is a topic that follows the brokers."""
    brokers = whole(cluster_settings(platform).get("message.max.bytes", "")) or MESSAGE_BYTES
    own = topic.config.get("max.message.bytes") if topic is not None else None
    return whole(str(own)) or brokers


def worker_properties(
    platform: Platform,
    cluster: ConnectCluster,
    *,
    bootstrap_servers: str,
    listeners: str,
    advertised: tuple[str, int],
    plugin_path: str,
    secrets: str,
) -> dict[str, str]:
    """The complete ``connect-distributed.properties`` of one worker, or of all with what differs left to fill in.

    Args:
        platform: the declaration.
        cluster: the cluster, one of the platform's.
        bootstrap_servers: the brokers.
        listeners: where the REST interface listens: ``http://127.0.0.1:8083``.
        advertised: host and port at which the other workers meet this one.
        plugin_path: folder of the plugins' folders.
        secrets: folder below which connectors may refer to files.
    """
    own = {
        "bootstrap.servers": bootstrap_servers,
        "listeners": listeners,
        "rest.advertised.host.name": advertised[0],
        "rest.advertised.port": str(advertised[1]),
        "plugin.path": plugin_path,
    }
    declared = {key: text(value) for key, value in cluster.config.items()}
    computed = computed_settings(platform, cluster, secrets=secrets)
    for side in ("key", "value"):
        if declared.get(f"{side}.converter", _JSON) != _JSON:
            del computed[f"{side}.converter.schemas.enable"]  # an entry of that converter
    return dict(sorted((computed | declared | own).items()))


def overrides(platform: Platform) -> list[Override]:
    """Every entry of the user's that replaced a computed one of the workers, or of a connector."""
    found: list[Override] = []
    for cluster in platform.connect:
        computed = computed_settings(platform, cluster, secrets="")
        owned = {key: value for key, value in cluster.config.items() if key not in OWNED}
        found += replaced(f"Connect cluster {cluster.name}", owned, computed)
        for connector in cluster.connectors:
            theirs = _computed_config(platform, connector)
            # What is refused replaces nothing.
            free = {key: value for key, value in connector.config.items() if key not in _REFUSED}
            found += replaced(f"connector {connector.name}", free, theirs)
    return found


def computed_settings(platform: Platform, cluster: ConnectCluster, *, secrets: str) -> dict[str, str]:
    """Worker entries that are the same on every worker, and that a declared one may replace."""
    group, replicas = group_id(platform, cluster), str(platform.default_replication_factor)
    return {
        "group.id": group,
        **{
            key: value
            for kind, what in (("config", "configs"), ("offset", "offsets"), ("status", "status"))
            for key, value in (
                (f"{kind}.storage.topic", f"{group}.{what}"),
                (f"{kind}.storage.replication.factor", replicas),
            )
        },
        "key.converter": _JSON,
        "key.converter.schemas.enable": "false",
        "value.converter": _JSON,
        "value.converter.schemas.enable": "false",
        # A crash repeats what was delivered since the last flush: 10 s, in place of Kafka's 60 s.
        "offset.flush.interval.ms": "10000",
        # For so long the tasks of a worker that has left wait: to its end, also where it is back before, to get them
        # again. 30 s is what the restart of a pod takes; a shorter time moves them twice. Kafka's own is 5 minutes.
        "scheduled.rebalance.max.delay.ms": "30000",
        # So long a task that is to stop may finish what it writes and commit; then it is left behind, and what it wrote
        # is delivered again. Kafka's own 5 s is short for a batch; half of rebalance.timeout.ms leaves time to rejoin.
        "task.shutdown.graceful.timeout.ms": "30000",
        # A sink must not see what a producer has aborted.
        "consumer.isolation.level": "read_committed",
        "config.providers": ",".join(sorted(_PROVIDERS)),
        **{f"config.providers.{name}.class": provider for name, provider in _PROVIDERS.items()},
        **{f"config.providers.{name}.param.allowed.paths": secrets for name in ("dir", "file")},
        # Of the environment, only what is named for connectors: not what the process itself was given.
        "config.providers.env.param.allowlist.pattern": "^CONNECT_.*",
    }


def connector_config(platform: Platform, connector: Connector) -> dict[str, str]:
    """The complete configuration of a connector, as ``PUT /connectors/<name>/config`` takes it."""
    declared = {key: text(value) for key, value in connector.config.items()}
    return dict(sorted((_computed_config(platform, connector) | declared).items()))


def _computed_config(platform: Platform, connector: Connector) -> dict[str, str]:
    computed = {"connector.class": connector.connector_class, "tasks.max": str(connector.tasks_max)}
    if not (topic := dead_letter_topic(connector)):
        return computed
    computed |= {
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": topic,
        "errors.deadletterqueue.topic.replication.factor": str(platform.default_replication_factor),
        # Why it could not be delivered, in the record's headers.
        "errors.deadletterqueue.context.headers.enable": "true",
        "errors.log.enable": "true",
    }
    if all(each.config.get(_OVERRIDE_POLICY, "All") == "All" for each in platform.connect):
        # The producer of dead letters by itself refuses what is above 1 MiB, its headers counted.
        of = next((each for each in all_topics(platform) if each.name == topic), None)
        computed["producer.override.max.request.size"] = str(_largest_message(platform, of))
    return computed
