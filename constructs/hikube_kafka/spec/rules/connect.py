"""What concerns Kafka Connect: workers, plugins, and the connectors that they run."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from hikube_kafka.spec import definitions
from hikube_kafka.spec.connect import WORKER_HEAP, ConnectCluster, Connector
from hikube_kafka.spec.connect_worker import (
    OWNED,
    all_topics,
    computed_settings,
    dead_letter_topic,
    group_id,
    internal_topics,
    is_sink,
    overrides,
)
from hikube_kafka.spec.definitions.connect import is_set
from hikube_kafka.spec.definitions.definition import providers_named
from hikube_kafka.spec.definitions.problems import connector_config_problems, worker_config_problems
from hikube_kafka.spec.mistakes import is_reference
from hikube_kafka.spec.platform import WANTED_REPLICAS, Platform
from hikube_kafka.spec.problem import Problem, Rule, shortened
from hikube_kafka.spec.properties import cluster_settings, text, topic_config
from hikube_kafka.spec.quantities import whole
from hikube_kafka.spec.rules.brokers import there_are
from hikube_kafka.spec.rules.heap import heap_problems
from hikube_kafka.spec.rules.platform import wins
from hikube_kafka.spec.secret_keys import has_password, is_secret_key
from hikube_kafka.spec.topic import ConfigValue
from hikube_kafka.spec.topic_limits import FACTOR_ABOVE_BROKERS

CLUSTER_TWICE = Rule(
    id="connect-cluster-twice",
    severity="error",
    message="it is declared {count} times.",
    why="The name makes the workers' group.id and their internal topics: two clusters would be one, with the "
    "connectors of both.",
    remedy="Give each a name of its own.",
)
FORMER = Rule(
    id="connect-cluster-former",
    severity="error",
    message="it is in connect and in former_connect.",
    why="One says that it runs, and the other that it is taken away.",
    remedy="To take it away, take it out of connect; to keep it, out of former_connect.",
)
FORMER_TWICE = Rule(
    id="connect-former-twice",
    severity="error",
    message="it is in former_connect {count} times.",
    why="One block of the provider leads to its workers, and a second one would have the same name.",
    remedy="Name it once.",
)
SINGLE = Rule(
    id="connect-worker-single",
    severity="warning",
    message="one worker runs every connector, and there are {brokers} brokers.",
    why="While it restarts, or is gone, no connector moves a record.",
    remedy="Declare workers=2 or more outside development.",
)
OWNED_KEY = Rule(
    id="connect-worker-owned",
    severity="error",
    message="{key} is decided by {owner}, and cannot be a configuration entry as well.",
    why="Topics, contract and addresses are made of what was computed; workers would use others.",
    remedy="Leave it out.",
    message_in_general="the entry is decided by another part of the declaration.",
)
LOGIN = Rule(
    id="connect-listener-login",
    severity="error",
    message="listener {listener} has the protocol {protocol}, and workers cannot log in to it, or trust it, yet.",
    why="Their clients are given neither certificates nor users: no worker would start.",
    remedy="Declare a PLAINTEXT listener first, or security.protocol and what belongs to it in the workers' config, "
    "also with the prefixes producer., consumer. and admin.",
)
INTERNAL_TOPIC = Rule(
    id="connect-internal-topic",
    severity="error",
    message="workers of {cluster} need it with {needed}, and it has {has}.",
    why="Workers refuse to start on such a topic: connectors, offsets or their order would be lost.",
    remedy="Declare {needed}, or drop the topic: it is made.",
    message_in_general="an internal topic of a Connect cluster is declared in a way that workers refuse.",
)
PLUGIN_TWICE = Rule(
    id="connect-plugin-twice",
    severity="error",
    message="{cluster} has {count} plugins of this name.",
    why="The name is that of the plugin's folder.",
    remedy="Give each a name of its own, or keep one.",
)
PLUGIN_SOURCE = Rule(
    id="connect-plugin-source",
    severity="error",
    message="it says nowhere where it comes from.",
    why="Nothing could be installed.",
    remedy="Declare maven= or archive= with a checksum, image=, or volume=.",
)
PLUGIN_CHECKSUM = Rule(
    id="connect-plugin-checksum",
    severity="error",
    message="{source} has no checksum.",
    why="Whatever is served under that name would run beside your credentials.",
    remedy='Declare checksum="sha256:..." of the file, or sha512.',
)
PLUGIN_SECRET = Rule(
    id="connect-plugin-secret",
    severity="error",
    message="archive has {secret} in its URL.",
    why="Everyone would read it who reads the stack, the plan, the state, the description of a worker's pod, or the "
    "log of what fetches the archive. A password that is kept elsewhere cannot be used to fetch one.",
    remedy="Serve the archive where it needs none, on an address inside of the network; its checksum guards it. Or "
    "declare image= or volume=, or on this machine a path.",
    message_in_general="a password stands in the URL of an archive.",
)
CONNECTOR_TWICE = Rule(
    id="connect-connector-twice",
    severity="error",
    message="{cluster} has {count} connectors of this name.",
    why="The second would replace the first at every apply, and the first the second.",
    remedy="Give each a name of its own.",
)
SINK_GROUP = Rule(
    id="connect-sink-group",
    severity="error",
    message="sinks of {clusters} would share the consumer group {group}.",
    why="Each would get a part of the records only.",
    remedy="Give each a name of its own, and no consumer.override.group.id of another.",
)
WORKER_GROUP = Rule(
    id="connect-sink-worker-group",
    severity="error",
    message="its consumer group {group} is the group of the workers of {cluster}.",
    why="Connect refuses the connector.",
    remedy="Give it another name, or another consumer.override.group.id.",
)
NO_PLUGIN = Rule(
    id="connect-connector-class",
    severity="error",
    message="no plugin of {cluster} declares the class {name}{hint}.",
    why="Workers would not know the class, and would refuse the connector.",
    remedy="{instead}",
    message_in_general="no plugin of the Connect cluster declares the connector's class.",
    remedy_in_general="Add the class to classes= of the plugin that brings it, or declare that plugin.",
)
SINK_TOPICS = Rule(
    id="connect-sink-topics",
    severity="error",
    message="{name} is a sink, and its config has neither topics nor topics.regex.",
    why="Connect refuses a sink without.",
    remedy='Declare what it reads: config={{"topics": "orders"}}.',
)
TOPICS_UNDECLARED = Rule(
    id="connect-topics-undeclared",
    severity="warning",
    message="it reads {topics}, and no such topic is declared.",
    why="Brokers create no topic by themselves here: the sink waits for ever, without an error.",
    remedy="Declare the topic, or correct its name.",
    message_in_general="a sink reads topics that are not declared.",
)
SOURCE_TOPICS = Rule(
    id="connect-source-topics",
    severity="warning",
    message="it writes to {topics}, and no such topic is declared.",
    why="Brokers create no topic by themselves here: its task fails.",
    remedy="Declare the topic, or topic.creation.default.partitions and topic.creation.default.replication.factor in "
    "its config.",
    message_in_general="a source writes to topics that are not declared, and may not create them.",
)
NO_DEAD_LETTERS = Rule(
    id="connect-dead-letters-off",
    severity="warning",
    message="the first record that it cannot read or transform ends the task.",
    why="dead_letters=False keeps everything behind that record waiting, until somebody looks.",
    remedy="Drop dead_letters=False where the records behind may go on.",
)
DEAD_LETTERS_CONFLICT = Rule(
    id="connect-dead-letters-conflict",
    severity="error",
    message="errors.tolerance = {tolerance} ends the task at the first error, and dead letters are to go to {topic}.",
    why="With it no record ever reaches the topic.",
    remedy="Drop errors.tolerance, or declare dead_letters=False.",
)
DEAD_LETTERS_SOURCE = Rule(
    id="connect-dead-letters-source",
    severity="error",
    message="dead letters are to go to {topic}, and it is a source.",
    why="Connect has them for sinks alone.",
    remedy="Drop dead_letters=, or declare the topics that it reads if it is a sink.",
)
DEAD_LETTERS_LOOP = Rule(
    id="connect-dead-letters-loop",
    severity="error",
    message="its dead letters go to {topic}, which it reads.",
    why="It would fail at each of them again, for ever.",
    remedy="Declare another topic for them, or leave dead_letters out.",
)
DROPPED = Rule(
    id="connect-records-dropped",
    severity="warning",
    message="errors.tolerance = all without dead letters drops every record that fails.",
    why="Nobody can tell afterwards which records are missing.",
    remedy="{instead}.",
    remedy_in_general="Leave errors.tolerance out, or of a sink dead_letters=False.",
)
SECRET = Rule(
    id="connect-secret-literal",
    severity="error",
    message="{key} {fault}.",
    why="Everyone would read it who reads the stack, the plan, the state, or asks a worker for the configuration.",
    remedy="Name the place instead: ${{dir:/secrets/database:password}}, a file of a Secret, or ${{file:path:key}}, "
    "${{env:CONNECT_PASSWORD}}.",
    message_in_general="a password stands in the configuration itself.",
)
PROVIDER = Rule(
    id="connect-provider-missing",
    severity="error",
    message="{key} refers to the config provider {provider}, and workers of {cluster} have {providers}.",
    why="Connect hands such a reference on as it is written, as a password for example.",
    remedy="Refer to one of these, or add it to config.providers in the workers' config, with its class.",
)
EXACTLY_ONCE = Rule(
    id="connect-exactly-once",
    severity="error",
    message="exactly.once.support = required, and {cluster} has exactly.once.source.support = {support}.",
    why="Connect refuses the connector.",
    remedy="Declare exactly.once.source.support = preparing in the workers' config, apply, then enabled.",
)
POSTGRES = Rule(
    id="connect-postgres-setting",
    severity="warning",
    message="{setting}: {reason}.",
    why="Change capture from PostgreSQL holds back the write-ahead log of the whole server until it is read.",
    remedy="{remedy}.",
    message_in_general="a source of change capture from PostgreSQL leaves out a setting whose default does harm.",
    remedy_in_general="Declare the setting that is named.",
)
SLOT_TWICE = Rule(
    id="connect-postgres-slot-twice",
    severity="error",
    message="they read {database} through one replication slot, {slot}.",
    why="PostgreSQL lets one reader in: the others fail, again and again.",
    remedy="Declare slot.name, another one for each.",
)
SCHEMALESS = Rule(
    id="connect-jdbc-schema",
    severity="warning",
    message="it is given records without a schema: value.converter is JsonConverter with schemas.enable = false.",
    why="It needs to know the columns: the first record ends its task.",
    remedy="Declare value.converter and value.converter.schemas.enable = true in its config, and have its topics "
    "written so.",
)

_FILE = "org.apache.kafka.connect.file."
_BROUGHT = ("org.apache.kafka.connect.mirror.", "org.apache.kafka.connect.tools.")
"""Connectors that are on a worker's own class path: MirrorMaker's, and those of Kafka's tests."""
_POSTGRES = "io.debezium.connector.postgresql.PostgresConnector"
_WANTED_OF_POSTGRES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "heartbeat.interval.ms": (
            "while others than the captured tables are written to, the slot holds back the log until the disk is full",
            "Declare heartbeat.interval.ms = 10000, and heartbeat.action.query where the database has other traffic",
        ),
        "plugin.name": (
            "its default, decoderbufs, is no part of PostgreSQL",
            "Declare plugin.name = pgoutput",
        ),
        "publication.name": (
            "two connectors of one database would share, and alter, the publication dbz_publication",
            "Declare publication.name",
        ),
        "publication.autocreate.mode": (
            "every table of the database is published, for which the user must be a superuser",
            "Declare publication.autocreate.mode = filtered with table.include.list, or disabled and make it yourself",
        ),
        "slot.name": (
            "two connectors of one server would fight for the slot debezium",
            "Declare slot.name",
        ),
        "snapshot.mode": (
            "its default, initial, reads every captured table in full, also after a slot or offsets were lost",
            "Declare snapshot.mode: initial, or what is meant",
        ),
    }
)
"""Settings whose defaults do harm, why, and what to do. Source: Debezium 3.1's reference of the connector."""
_JDBC_SINKS = frozenset({"io.debezium.connector.jdbc.JdbcSinkConnector", "io.aiven.connect.jdbc.JdbcSinkConnector"})
_ARCHIVE_SECRETS = (
    ("a user name or a password", re.compile(r"://[^/\s?#]*@")),
    (
        "a password, token or signature",
        re.compile(
            r"[?&;]([\w.-]*(password|passwd|secret|token|signature|credential|api[_-]?key)|sig|key)=", re.IGNORECASE
        ),
    ),
)
"""What lets its holder in, in the URL of an archive; the second is that of stores that sign URLs too."""


def _each(platform: Platform) -> Iterator[tuple[ConnectCluster, Connector]]:
    return ((cluster, connector) for cluster in platform.connect for connector in cluster.connectors)


def _cluster(cluster: ConnectCluster) -> str:
    return f"Connect cluster {cluster.name}"


def _connector(connector: Connector) -> str:
    return f"connector {connector.name}"


def clusters_differ(platform: Platform) -> Iterator[Problem]:
    """Two clusters of one name, which would be one group with the same internal topics."""
    for name, count in sorted(Counter(cluster.name for cluster in platform.connect).items()):
        if count > 1:
            yield CLUSTER_TWICE(f"Connect cluster {name}", count=count)


def former_clusters_are_gone(platform: Platform) -> Iterator[Problem]:
    """A cluster that is declared and taken away, or taken away twice."""
    declared = {cluster.name for cluster in platform.connect}
    for name, count in sorted(Counter(platform.former_connect).items()):
        yield from ConnectCluster(name).problems("former_connect")
        if name in declared:
            yield FORMER(f"Connect cluster {name}")
        if count > 1:
            yield FORMER_TWICE(f"Connect cluster {name}", count=count)


def workers_are_not_alone(platform: Platform) -> Iterator[Problem]:
    """One worker, where the brokers are meant to survive a failure."""
    for cluster in platform.connect:
        if cluster.workers == 1 and platform.kafka.brokers >= WANTED_REPLICAS:
            yield SINGLE(_cluster(cluster), brokers=platform.kafka.brokers)


def heap_fits(platform: Platform) -> Iterator[Problem]:
    """A heap that the memory of a worker cannot hold, or that is too small."""
    for cluster in platform.connect:
        yield from heap_problems(_cluster(cluster), WORKER_HEAP, cluster.heap, cluster.resources)


def worker_config_is_free(platform: Platform) -> Iterator[Problem]:
    """An entry that the rest of the declaration decides."""
    for cluster in platform.connect:
        for key in cluster.config:
            if owner := _owner(key):
                yield OWNED_KEY(_cluster(cluster), key=key, owner=owner)


def _owner(key: str) -> str | None:
    """What decides an entry of a worker; settings of internal topics are those of declared topics."""
    if key in OWNED:
        return OWNED[key]
    kind = re.match(r"(config|offset|status)\.storage\.", key)
    return OWNED[f"{kind[0]}topic"] if kind else None


def worker_config_is_kafkas(platform: Platform) -> Iterator[Problem]:
    """An entry of workers that Connect does not have, or a value that it does not take."""
    for cluster in platform.connect:
        free = {key: value for key, value in cluster.config.items() if not _owner(key)}
        yield from worker_config_problems(_cluster(cluster), free)


def workers_can_log_in(platform: Platform) -> Iterator[Problem]:
    """A listener that asks who is there, or that encrypts."""
    first = platform.kafka.listeners[0]
    for cluster in platform.connect:
        secured = first.protocol.authenticates or first.protocol.encrypts
        if secured and "security.protocol" not in cluster.config:
            yield LOGIN(_cluster(cluster), listener=first.name, protocol=first.protocol)


def internal_topics_are_as_workers_need_them(platform: Platform) -> Iterator[Problem]:
    """An internal topic that is declared, or is that of a sink's dead letters, in a way that workers refuse."""
    there = {topic.name: topic for topic in all_topics(platform)}
    for cluster in platform.connect:
        for needed in internal_topics(platform, cluster):
            topic = there[needed.name]
            where, policy = f"topic {topic.name}", topic_config(platform, topic).get("cleanup.policy")
            if policy != "compact":
                has = "the brokers' cleanup.policy" if policy is None else f"cleanup.policy = {policy}"
                yield INTERNAL_TOPIC(where, cluster=_cluster(cluster), needed="cleanup.policy = compact", has=has)
            if needed.partitions == 1 and topic.partitions != 1:
                has = f"{topic.partitions}"
                yield INTERNAL_TOPIC(where, cluster=_cluster(cluster), needed="partitions = 1", has=has)


def plugins_differ(platform: Platform) -> Iterator[Problem]:
    """Two plugins of one name."""
    for cluster in platform.connect:
        for name, count in sorted(Counter(plugin.name for plugin in cluster.plugins).items()):
            if count > 1:
                yield PLUGIN_TWICE(f"plugin {name}", cluster=_cluster(cluster), count=count)


def plugins_come_from_somewhere(platform: Platform) -> Iterator[Problem]:
    """A plugin without a source, one whose URL lets others in too, or one whose file nobody checks."""
    # The same plugin in two clusters, or twice in one, lacks its source once.
    for plugin in dict.fromkeys(plugin for cluster in platform.connect for plugin in cluster.plugins):
        where = f"plugin {plugin.name}"
        secret = next((name for name, found in _ARCHIVE_SECRETS if found.search(plugin.archive or "")), None)
        if not (plugin.maven or plugin.archive or plugin.image or plugin.volume):
            yield PLUGIN_SOURCE(where)
        elif secret:  # and nothing else is said of it, for that would show the URL
            yield PLUGIN_SECRET(where, secret=secret)
        elif (source := plugin.archive or plugin.maven) and not plugin.checksum:
            # Maven compares what it fetches with the checksum that the repository has, which is better than nothing.
            yield PLUGIN_CHECKSUM(where, severity=None if plugin.archive else "warning", source=source)


def connectors_differ(platform: Platform) -> Iterator[Problem]:
    """Two connectors of one name in a cluster, or two sinks of one name anywhere."""
    sinks: defaultdict[str, dict[tuple[str, str], None]] = defaultdict(dict)
    for cluster in platform.connect:
        for name, count in sorted(Counter(connector.name for connector in cluster.connectors).items()):
            if count > 1:
                yield CONNECTOR_TWICE(f"connector {name}", cluster=_cluster(cluster), count=count)
        own = group_id(platform, cluster)
        for connector in cluster.connectors:
            if is_sink(connector):
                group = text(connector.config.get("consumer.override.group.id", f"connect-{connector.name}"))
                sinks[group][cluster.name, connector.name] = None
                if group == own:
                    yield WORKER_GROUP(_connector(connector), group=group, cluster=_cluster(cluster))
    for group, members in sinks.items():
        clusters, names = (list(dict.fromkeys(each[index] for each in members)) for index in (0, 1))
        if len(members) > 1:
            where = f"connector{'s' if len(names) > 1 else ''} {' and '.join(names)}"
            of = f"Connect cluster{'s' if len(clusters) > 1 else ''} {' and '.join(clusters)}"
            yield SINK_GROUP(where, clusters=of, group=group)


def connectors_have_their_plugin(platform: Platform) -> Iterator[Problem]:
    """A connector whose class no plugin declares."""
    for cluster, connector in _each(platform):
        name = connector.connector_class
        if name.startswith(_BROUGHT) or any(name in plugin.classes for plugin in cluster.plugins):
            continue
        hint, instead = "", "Add it to classes= of the plugin that brings it, or declare that plugin."
        if name.startswith(_FILE):
            hint = ": it comes with Kafka, and is not on the path of its workers"
            instead = (
                'Declare Plugin("file", version="3.9.2", maven="org.apache.kafka:connect-file:3.9.2", '
                f'checksum="sha256:...", classes=["{name}"]).'
            )
        yield NO_PLUGIN(_connector(connector), cluster=_cluster(cluster), name=name, hint=hint, instead=instead)


def connector_config_is_connects(platform: Platform) -> Iterator[Problem]:
    """An entry of a connector that is near to one of Connect's, or a value that Connect does not take."""
    for cluster, connector in _each(platform):
        where, sink = _connector(connector), is_sink(connector)
        yield from connector_config_problems(where, connector.config, sink=sink, workers=cluster.config)


def sinks_read_topics(platform: Platform) -> Iterator[Problem]:
    """A sink that reads nothing, or a topic that nobody declares."""
    there = {topic.name for topic in all_topics(platform)}
    # Workers alone, of a Kafka that is there, know none of its topics.
    created = not platform.topics or _creates_topics(platform)
    for _, connector in _each(platform):
        name = connector.connector_class.rpartition(".")[2]
        told = {problem.path[-1] for problem in connector.own_problems("") if problem.path[:1] == ("config",)}
        if told & {"config", *_READ} or all(is_set(connector.config, each) for each in _READ):
            continue  # which is told by itself
        if (is_sink(connector) or "Sink" in name) and not any(is_set(connector.config, each) for each in _READ):
            yield SINK_TOPICS(_connector(connector), name=name)
        elif is_sink(connector) and not created:
            missing = [each for each in _topics(connector) if each not in there]
            if missing:
                yield TOPICS_UNDECLARED(_connector(connector), topics=shortened(missing))
            elif (regex := _regex(connector)) and not any(regex.fullmatch(each) for each in there):
                yield TOPICS_UNDECLARED(_connector(connector), topics=f"topics like {regex.pattern}")


_READ = ("topics", "topics.regex")


def _topics(connector: Connector) -> list[str]:
    value = connector.config.get("topics", "")
    if not isinstance(value, str) or is_reference(value) or definitions.is_reference(value):
        return []
    return [each.strip() for each in value.split(",") if each.strip()]


def _regex(connector: Connector) -> re.Pattern[str] | None:
    value = connector.config.get("topics.regex")
    if not isinstance(value, str) or is_reference(value) or definitions.is_reference(value):
        return None
    try:
        return re.compile(value)
    except re.error:  # Java may know more
        return None


def _creates_topics(platform: Platform) -> bool:
    """Whether topics come to be that nobody declares."""
    automatic = cluster_settings(platform).get("auto.create.topics.enable", "").lower() == "true"
    return automatic or any(_may_create(connector) for _, connector in _each(platform))


def _may_create(connector: Connector) -> bool:
    return any(key.startswith("topic.creation.default.") for key in connector.config)


def dead_letters_are_whole(platform: Platform) -> Iterator[Problem]:
    """Dead letters that are switched off, contradicted, of a source, or read again."""
    for _, connector in _each(platform):
        where, tolerance = _connector(connector), connector.config.get("errors.tolerance")
        topic = dead_letter_topic(connector)
        if topic is None and isinstance(connector.dead_letters, str):
            yield DEAD_LETTERS_SOURCE(where, topic=connector.dead_letters)
        if tolerance == "all" and topic is None:
            instead = "Drop dead_letters=False" if is_sink(connector) else "Leave errors.tolerance out"
            yield DROPPED(where, instead=instead)
        elif is_sink(connector) and topic is None:
            yield NO_DEAD_LETTERS(where)
        if topic is None:
            continue
        if tolerance == "none":
            yield DEAD_LETTERS_CONFLICT(where, tolerance=tolerance, topic=topic)
        if topic in _topics(connector) or ((regex := _regex(connector)) and regex.fullmatch(topic)):
            yield DEAD_LETTERS_LOOP(where, topic=topic)


def config_holds_no_secret(platform: Platform) -> Iterator[Problem]:
    """A secret in place of a reference to it."""
    for cluster in platform.connect:
        yield from _secrets(_cluster(cluster), cluster.config)
        for connector in cluster.connectors:
            yield from _secrets(_connector(connector), connector.config)


def _secrets(where: str, config: Mapping[str, ConfigValue]) -> Iterator[Problem]:
    for key, value in config.items():
        if isinstance(value, bool) or str(value).strip().lower() in {"", "true", "false"}:
            continue
        in_url = isinstance(value, str) and has_password(value)
        if definitions.is_reference(value) or not (is_secret_key(key) or in_url):
            continue
        if is_reference(value):
            yield SECRET(where, severity="warning", key=key, fault="is a value of Terraform's, and stands in its state")
        elif is_secret_key(key):
            yield SECRET(where, key=key, fault="is a secret, and stands here as itself")
        else:
            yield SECRET(where, key=key, fault="has a password in its URL")


def references_are_resolved(platform: Platform) -> Iterator[Problem]:
    """A reference to a config provider that workers do not have."""
    for cluster in platform.connect:
        settings = computed_settings(platform, cluster, secrets="")
        declared = cluster.config.get("config.providers", settings["config.providers"])
        if is_reference(declared):
            continue
        there = [each.strip() for each in str(declared).split(",") if each.strip()]
        for where, config in (
            (_cluster(cluster), cluster.config),
            *((_connector(connector), connector.config) for connector in cluster.connectors),
        ):
            for key, value in config.items():
                for provider in sorted(providers_named(value) - set(there)):
                    yield PROVIDER(
                        where,
                        key=key,
                        provider=provider,
                        cluster=_cluster(cluster),
                        providers=shortened(sorted(there)) or "none",
                    )


def exactly_once_is_supported(platform: Platform) -> Iterator[Problem]:
    """A source that requires what the workers do not do."""
    for cluster, connector in _each(platform):
        support = text(cluster.config.get("exactly.once.source.support", "disabled"))
        required = text(connector.config.get("exactly.once.support", "")).strip().lower() == "required"
        if is_reference(support) or definitions.is_reference(support):
            continue
        if required and not is_sink(connector) and support.strip().lower() != "enabled":
            yield EXACTLY_ONCE(_connector(connector), cluster=_cluster(cluster), support=support)


def created_topics_fit(platform: Platform) -> Iterator[Problem]:
    """A replication factor of topics that a source creates that is larger than the number of brokers."""
    brokers = platform.kafka.brokers
    for _, connector in _each(platform):
        for key, value in connector.config.items():
            factor = whole(str(value)) if re.fullmatch(r"topic\.creation\..+\.replication\.factor", key) else None
            if factor is not None and factor > brokers:
                yield FACTOR_ABOVE_BROKERS(
                    _connector(connector),
                    declared=f"{key} = {value}",
                    brokers=there_are(brokers),
                    most=brokers,
                    instead=f"{factor} brokers",
                )


def change_capture_does_no_harm(platform: Platform) -> Iterator[Problem]:
    """Settings of Debezium's PostgreSQL source whose defaults do harm."""
    slots: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for _, connector in _each(platform):
        config = connector.config
        if connector.connector_class != _POSTGRES:
            continue
        for setting, reason, remedy in _left_out(config):
            yield POSTGRES(_connector(connector), setting=setting, reason=reason, remedy=remedy)
        server = (config.get("database.hostname"), config.get("database.port", 5432), config.get("database.dbname"))
        if all(each is not None and not is_reference(each) and not definitions.is_reference(each) for each in server):
            database = f"{server[2]} of {server[0]}:{server[1]}"
            slots[database, text(config.get("slot.name", "debezium"))].append(connector.name)
    for (database, slot), names in slots.items():
        if len(names) > 1:
            yield SLOT_TWICE(f"connectors {' and '.join(names)}", database=database, slot=slot)


def _left_out(config: Mapping[str, ConfigValue]) -> Iterator[tuple[str, str, str]]:
    """What is left out, why it matters, and what to declare."""
    for setting, (reason, remedy) in _WANTED_OF_POSTGRES.items():
        if setting == "heartbeat.interval.ms" and str(config.get(setting, 0)).strip() == "0":
            yield f"{setting} is not declared", reason, remedy
        elif setting == "publication.autocreate.mode" and text(config.get(setting, "all_tables")) == "all_tables":
            yield f"{setting} is all_tables", reason, remedy
        elif setting not in {"publication.autocreate.mode", *config}:
            yield f"{setting} is not declared", reason, remedy


def sources_have_their_topics(platform: Platform) -> Iterator[Problem]:
    """Topics that Debezium's PostgreSQL source writes to, and that nobody declares or creates."""
    if not platform.topics or cluster_settings(platform).get("auto.create.topics.enable", "").lower() == "true":
        return
    there = {topic.name for topic in all_topics(platform)}
    for _, connector in _each(platform):
        if connector.connector_class != _POSTGRES or _may_create(connector):
            continue
        if missing := [each for each in _written(connector.config) if each not in there]:
            yield SOURCE_TOPICS(_connector(connector), topics=shortened(missing))


def _written(config: Mapping[str, ConfigValue]) -> Iterator[str]:
    prefix = config.get("topic.prefix")
    if not isinstance(prefix, str) or is_reference(prefix) or definitions.is_reference(prefix):
        return
    if str(config.get("heartbeat.interval.ms", 0)).strip() != "0":
        yield f"{text(config.get('topic.heartbeat.prefix', '__debezium-heartbeat'))}.{prefix}"
    # A transform may send them elsewhere, and a regular expression stands for many.
    tables = config.get("table.include.list")
    if isinstance(tables, str) and "transforms" not in config:
        for table in (each.strip() for each in tables.split(",")):
            if re.fullmatch(r"\w+(\\?\.)\w+", table):
                yield f"{prefix}.{table.replace(chr(92), '')}"


def jdbc_sinks_know_the_columns(platform: Platform) -> Iterator[Problem]:
    """A JDBC sink whose records have no schema."""
    json = "org.apache.kafka.connect.json.JsonConverter"
    for cluster, connector in _each(platform):
        if connector.connector_class not in _JDBC_SINKS:
            continue
        own = "value.converter" in connector.config
        config = connector.config if own else {"value.converter": json, **cluster.config}
        with_schema = text(config.get("value.converter.schemas.enable", own)) == "true"
        if config["value.converter"] in {json, "JsonConverter"} and not with_schema:
            yield SCHEMALESS(_connector(connector))


def user_config_wins(platform: Platform) -> Iterator[Problem]:
    """An entry that the user sets and that would have been computed."""
    return wins(overrides(platform))
