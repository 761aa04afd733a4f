"""The rules that make a declaration invalid, or worth a second look.

A rule is one small function from a platform to its problems, with a stable id; :func:`check` runs them all, so that a
user sees every problem at once. Errors stop the synth; warnings and notices reach the user and stop nothing.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from hikube_kafka.spec import definitions
from hikube_kafka.spec.platform import WANTED_REPLICAS, Platform
from hikube_kafka.spec.properties import (
    ZOOKEEPER_PLATFORM_KEYS,
    cluster_settings,
    overrides,
    topic_config,
)
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.spec.resources import BROKER_HEAP, ZOOKEEPER_HEAP, HeapRule, Resources
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.topic_limits import (
    INTERNAL,
    LONGEST_NAME,
    is_legal_name,
    leaves_no_room,
    wanted_min_insync,
)

Severity = Literal["error", "warning", "notice"]

MOST_PARTITIONS_PER_BROKER = 4000
"""Partition replicas that one broker should hold in ZooKeeper mode. Source: the Kafka project's own advice since 1.1
(the controller's fail-over grows with them)."""

INTERNAL_PARTITIONS = 100
"""``__consumer_offsets`` and ``__transaction_state``: 50 partitions each, Kafka's defaults."""

MOST_PLATFORM_NAME = 40
"""A release ``kafka-<name>`` and its pods' names must stay DNS labels; Hikube refuses more than 47 characters."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, or worth knowing, about a declaration."""

    rule: str
    """Stable id of the rule: ``zookeeper-even``."""
    severity: Severity
    where: str
    """What was declared: ``topic orders``, ``kafka.config``."""
    message: str
    """Why it cannot be, with the values that clash."""
    remedy: str
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.where}: {self.message} {self.remedy} [{self.rule}]"


class DeclarationError(ValueError):
    """A declaration that breaks rules: all of them, in the order of the rules.

    Attributes:
        problems: the errors; warnings and notices are not among them.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = "one problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(f"The declaration has {count}:\n" + "\n".join(f"- {problem}" for problem in self.problems))


Rule = Callable[[Platform], Iterator[Problem]]
RULES: list[Rule] = []
"""Every rule, in the order in which problems are shown: the platform, its servers, its topics."""


def check(platform: Platform) -> list[Problem]:
    """Every problem of the declaration: errors, warnings and notices."""
    return [problem for rule in RULES for problem in rule(platform)]


def require_valid(platform: Platform) -> list[Problem]:
    """Refuse an invalid declaration; return its warnings and notices.

    Raises:
        DeclarationError: the declaration breaks rules.
    """
    problems = check(platform)
    if errors := [problem for problem in problems if problem.severity == "error"]:
        raise DeclarationError(errors)
    return problems


def _rule(rule: Rule) -> Rule:
    RULES.append(rule)
    return rule


def _error(rule: str, where: str, message: str, remedy: str) -> Problem:
    return Problem(rule=rule, severity="error", where=where, message=message, remedy=remedy)


def _warning(rule: str, where: str, message: str, remedy: str) -> Problem:
    return Problem(rule=rule, severity="warning", where=where, message=message, remedy=remedy)


def _where(topic: Topic) -> str:
    return f"topic {topic.name}"


# --- the platform --------------------------------------------------------------------------------------------------


@_rule
def name_is_a_label(platform: Platform) -> Iterator[Problem]:
    """The name becomes part of releases, pods and folders."""
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", platform.name) or len(platform.name) > MOST_PLATFORM_NAME:
        yield _error(
            "platform-name",
            f"platform {platform.name!r}",
            "the name is no DNS label of at most 40 characters.",
            "Use lower-case letters, digits and '-', starting with a letter and not ending with '-'.",
        )


# --- ZooKeeper -----------------------------------------------------------------------------------------------------


@_rule
def zookeeper_count_is_odd(platform: Platform) -> Iterator[Problem]:
    """An even ensemble needs a larger majority and survives no more losses than the odd one below it."""
    servers = platform.zookeeper.servers
    if servers % 2 == 0:
        yield _error(
            "zookeeper-even",
            "zookeeper.servers",
            f"{servers} servers need {servers // 2 + 1} for a quorum and survive the loss of {(servers - 1) // 2}, "
            f"as {servers - 1} would.",
            f"Declare {servers - 1} or {servers + 1}.",
        )


@_rule
def zookeeper_alone(platform: Platform) -> Iterator[Problem]:
    """One server is for development."""
    if platform.zookeeper.servers == 1:
        yield _warning(
            "zookeeper-single",
            "zookeeper.servers",
            "a single ZooKeeper server is no quorum: while it is away, no leader can be elected.",
            "Declare 3 outside development.",
        )


@_rule
def zookeeper_heap_fits(platform: Platform) -> Iterator[Problem]:
    """The kernel kills a server whose heap and off-heap memory exceed the limit."""
    zookeeper = platform.zookeeper
    yield from _heap("zookeeper", ZOOKEEPER_HEAP, zookeeper.effective_heap, zookeeper.resources)


@_rule
def zookeeper_config_is_free(platform: Platform) -> Iterator[Problem]:
    """What the platform computes from the declaration cannot be declared a second time."""
    for key in sorted(platform.zookeeper.config):
        owner = "zookeeper.servers" if key.startswith("server.") else ZOOKEEPER_PLATFORM_KEYS.get(key)
        if owner:
            yield _error(
                "zookeeper-config-owned",
                "zookeeper.config",
                f"{key} belongs to the platform: it follows from {owner}.",
                f"Drop {key}.",
            )


# --- brokers -------------------------------------------------------------------------------------------------------


@_rule
def broker_alone(platform: Platform) -> Iterator[Problem]:
    """One broker is for development."""
    if platform.kafka.brokers == 1:
        yield _warning(
            "broker-single",
            "kafka.brokers",
            "a single broker holds the only copy of every message.",
            "Declare 3 or more outside development.",
        )


@_rule
def broker_heap_fits(platform: Platform) -> Iterator[Problem]:
    """The kernel kills a broker whose heap and off-heap memory exceed the limit."""
    yield from _heap("kafka", BROKER_HEAP, platform.kafka.effective_heap, platform.kafka.resources)


def _heap(where: str, rule: HeapRule, heap: Quantity, resources: Resources) -> Iterator[Problem]:
    if heap > rule.largest(resources.memory):
        yield _error(
            "heap-exceeds-memory",
            f"{where}.heap",
            f"a heap of {heap} does not fit into {resources.memory}: {rule.off_heap} must stay free for what a JVM "
            "needs besides its heap.",
            f"Declare at most {rule.largest(resources.memory)}, or more memory.",
        )
    elif heap < rule.least:
        needed = max(rule.least.bytes + rule.off_heap.bytes, int(rule.least.bytes / rule.share))
        yield _error(
            "heap-too-small",
            f"{where}.resources",
            f"{resources.memory} of memory leave a heap of {heap}; {rule.least} is the least that works.",
            f"Declare {Quantity.of_bytes(needed)} of memory or more.",
        )


@_rule
def listeners_differ(platform: Platform) -> Iterator[Problem]:
    """Two listeners cannot share a name or a port."""
    for what in ("name", "port"):
        counted = Counter(getattr(listener, what) for listener in platform.kafka.listeners)
        for value, count in sorted(counted.items()):
            if count > 1:
                yield _error(
                    "listener-duplicate",
                    "kafka.listeners",
                    f"{count} listeners have the {what} {value}.",
                    f"Give each a {what} of its own.",
                )


@_rule
def listener_security_is_whole(platform: Platform) -> Iterator[Problem]:
    """A SASL listener without a mechanism lets nobody in; a mechanism without SASL protects nothing."""
    for listener in platform.kafka.listeners:
        if listener.protocol.authenticates != (listener.mechanism is not None):
            wanted = "needs a mechanism" if listener.mechanism is None else "cannot use a mechanism"
            yield _error(
                "listener-mechanism",
                f"listener {listener.name}",
                f"protocol {listener.protocol} {wanted}.",
                "Declare a mechanism with SASL_SSL or SASL_PLAINTEXT, and none with the others.",
            )


@_rule
def listener_encrypts(platform: Platform) -> Iterator[Problem]:
    """What travels in the clear can be read on the way."""
    for listener in platform.kafka.listeners:
        if not listener.protocol.encrypts:
            yield _warning(
                "listener-plaintext",
                f"listener {listener.name}",
                f"protocol {listener.protocol} does not encrypt: messages"
                f"{' and passwords' if listener.protocol.authenticates else ''} can be read on the way.",
                "Declare SSL or SASL_SSL where the network is not yours alone.",
            )


@_rule
def broker_config_is_kafkas(platform: Platform) -> Iterator[Problem]:
    """A misspelt entry is ignored by a broker without a word."""
    for fault in definitions.check_broker_config(platform.kafka.config):
        yield Problem(
            rule=f"broker-config-{fault.rule}",
            severity=fault.severity,
            where="kafka.config",
            message=fault.problem,
            remedy=fault.remedy,
        )


@_rule
def broker_config_holds_no_secret(platform: Platform) -> Iterator[Problem]:
    """What is declared is read by everyone who reads the stack, the plan, the state or the contract."""
    for key, value in platform.kafka.config.items():
        definition = definitions.broker_definition(key)
        if definition and definition.sensitive and not _CONFIG_PROVIDER.search(str(value)):
            yield _error(
                "broker-config-secret",
                "kafka.config",
                f"{key} is a secret, and would stand in the stack, the state and the contract.",
                "Leave the value with the broker and name the place: ${file:/path/to/file:key}, with config.providers.",
            )


_CONFIG_PROVIDER = re.compile(r"\$\{[^}]+:[^}]+\}")
"""A reference that Kafka itself resolves where the broker runs."""

_FACTORS = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
)
_IN_SYNC = {
    "min.insync.replicas": "default.replication.factor",
    "transaction.state.log.min.isr": "transaction.state.log.replication.factor",
}


@_rule
def broker_factors_fit(platform: Platform) -> Iterator[Problem]:
    """An internal topic with more replicas than brokers is never created: consumers hang without an error."""
    settings = cluster_settings(platform)
    for key in _FACTORS:
        if settings[key].isdigit() and int(settings[key]) > platform.kafka.brokers:
            yield _error(
                "replication-factor-above-brokers",
                "kafka.config",
                f"{key} = {settings[key]}, but there are {_brokers(platform.kafka.brokers)}.",
                f"Declare at most {platform.kafka.brokers}, or drop it: it is computed.",
            )


@_rule
def broker_min_insync_leaves_room(platform: Platform) -> Iterator[Problem]:
    """With min ISR = RF, the first broker that restarts stops every write."""
    settings = cluster_settings(platform)
    for key, factor_key in _IN_SYNC.items():
        if settings[factor_key].isdigit() and leaves_no_room(settings[key], factor := int(settings[factor_key])):
            yield _error(
                "min-insync-too-high",
                "kafka.config",
                f"{key} = {settings[key]} with {factor_key} = {factor}: acks=all fails as soon as one broker is away.",
                f"Declare {wanted_min_insync(factor)}, or drop it: it is computed.",
            )


@_rule
def user_config_wins(platform: Platform) -> Iterator[Problem]:
    """A user's own entry replaces a computed one, and is shown to."""
    for override in overrides(platform):
        yield Problem(
            rule="config-override",
            severity="notice",
            where=override.where,
            message=f"{override.key} = {override.declared} replaces {override.computed}, which was computed.",
            remedy="Drop it to return to the computed value.",
        )


# --- topics --------------------------------------------------------------------------------------------------------


@_rule
def topic_name_is_legal(platform: Platform) -> Iterator[Problem]:
    """Kafka would refuse it halfway through the apply."""
    for topic in platform.topics:
        if not is_legal_name(topic.name):
            yield _error(
                "topic-name",
                f"topic {topic.name!r}",
                f"Kafka does not allow this name: it takes 1 to {LONGEST_NAME} of a-z, A-Z, 0-9, '.', '_' and '-', "
                "and neither '.' nor '..'.",
                "Rename it.",
            )


@_rule
def topic_name_is_not_internal(platform: Platform) -> Iterator[Problem]:
    """Kafka makes these itself, in its own way."""
    for topic in platform.topics:
        if topic.name in INTERNAL:
            yield _error(
                "topic-internal",
                _where(topic),
                "the brokers make and own this topic.",
                "Drop it; set offsets.topic.* or transaction.state.log.* in kafka.config instead.",
            )


@_rule
def topics_are_declared_once(platform: Platform) -> Iterator[Problem]:
    """Two declarations of one topic would fight over it at every apply."""
    for name, count in sorted(Counter(topic.name for topic in platform.topics).items()):
        if count > 1:
            yield _error("topic-duplicate", f"topic {name}", f"it is declared {count} times.", "Keep one of them.")


@_rule
def topic_names_do_not_collide(platform: Platform) -> Iterator[Problem]:
    """Metrics write '.' as '_', so Kafka refuses a topic whose name would collide there."""
    same_metric: defaultdict[str, set[str]] = defaultdict(set)
    for topic in platform.topics:
        same_metric[topic.name.replace(".", "_")].add(topic.name)
    for names in same_metric.values():
        if len(names) > 1:
            listed = " and ".join(sorted(names))
            yield _error(
                "topic-collision",
                f"topics {listed}",
                "their metrics would have the same name, '.' being written as '_' there, so Kafka refuses the second.",
                "Rename one: keep to '.' or to '_'.",
            )


@_rule
def topic_factor_fits(platform: Platform) -> Iterator[Problem]:
    """Each replica needs a broker of its own."""
    for topic in platform.topics:
        factor = platform.replication_factor(topic)
        if factor > platform.kafka.brokers:
            yield _error(
                "replication-factor-above-brokers",
                _where(topic),
                f"replication factor {factor}, but there are {_brokers(platform.kafka.brokers)}.",
                f"Declare at most {platform.kafka.brokers}, or {factor} brokers.",
            )


@_rule
def topic_factor_is_safe(platform: Platform) -> Iterator[Problem]:
    """Below three, a failure during a restart loses the partition; a small cluster is warned about once, elsewhere."""
    for topic in platform.topics:
        factor = platform.replication_factor(topic)
        if factor < min(WANTED_REPLICAS, platform.kafka.brokers):
            yield _warning(
                "replication-factor-low",
                _where(topic),
                f"replication factor {factor}: one failure while a broker restarts makes partitions unavailable.",
                f"Declare {platform.default_replication_factor} where the messages matter.",
            )


@_rule
def cluster_is_large_enough_for_three_copies(platform: Platform) -> Iterator[Problem]:
    """Two brokers hold two copies."""
    if 1 < platform.kafka.brokers < WANTED_REPLICAS:
        yield _warning(
            "replication-factor-low",
            "kafka.brokers",
            f"{platform.kafka.brokers} brokers hold at most {platform.kafka.brokers} copies of a message, and accept a "
            "write that reached one of them.",
            "Declare 3 or more outside development.",
        )


@_rule
def topic_min_insync_leaves_room(platform: Platform) -> Iterator[Problem]:
    """With min ISR = RF, the first broker that restarts stops every write to the topic."""
    for topic in platform.topics:
        declared = topic_config(platform, topic).get("min.insync.replicas", "")
        factor = platform.replication_factor(topic)
        if leaves_no_room(declared, factor):
            yield _error(
                "min-insync-too-high",
                _where(topic),
                f"min.insync.replicas = {declared} with replication factor {factor}: acks=all fails as soon as one "
                "broker is away.",
                f"Declare {wanted_min_insync(factor)}, or drop it: it is computed.",
            )


@_rule
def topic_config_is_kafkas(platform: Platform) -> Iterator[Problem]:
    """Kafka refuses an entry that it does not know: here before anything is changed, with the name that was meant."""
    for topic in platform.topics:
        for fault in definitions.check_topic_config(topic.config, broker=cluster_settings(platform)):
            yield Problem(
                rule=f"topic-config-{fault.rule}",
                severity=fault.severity,
                where=_where(topic),
                message=fault.problem,
                remedy=fault.remedy,
            )


@_rule
def retention_fits_the_disks(platform: Platform) -> Iterator[Problem]:
    """retention.bytes bounds a partition, and a full disk stops a broker."""
    needed: dict[str, int] = {}
    for topic in platform.topics:
        retained = topic_config(platform, topic).get("retention.bytes", "")
        if retained.isdigit():
            needed[topic.name] = int(retained) * topic.partitions * platform.replication_factor(topic)
    there = platform.kafka.brokers * platform.kafka.storage.size.bytes
    if sum(needed.values()) > there:
        largest = max(needed, key=lambda name: needed[name])
        yield _error(
            "retention-exceeds-disk",
            f"topic {largest}" if len(needed) == 1 else f"{len(needed)} topics, {largest} the largest",
            f"retention.bytes x partitions x replication factor is {_size(sum(needed.values()))}, and "
            f"{_brokers(platform.kafka.brokers)} with {platform.kafka.storage.size} each hold {_size(there)}.",
            "Declare a smaller retention.bytes, or more storage.",
        )


@_rule
def partitions_per_broker_are_few_enough(platform: Platform) -> Iterator[Problem]:
    """Every partition costs the controller time at each fail-over."""
    replicas = sum(topic.partitions * platform.replication_factor(topic) for topic in platform.topics)
    internal = INTERNAL_PARTITIONS * platform.default_replication_factor
    each = -(-(replicas + internal) // platform.kafka.brokers)
    if each > MOST_PARTITIONS_PER_BROKER:
        yield _error(
            "partitions-per-broker",
            "topics",
            f"{replicas} partition replicas, and {internal} of Kafka's own, are {each} on each of "
            f"{_brokers(platform.kafka.brokers)}; {MOST_PARTITIONS_PER_BROKER} is the most in ZooKeeper mode.",
            f"Declare fewer partitions, or {-(-(replicas + internal) // MOST_PARTITIONS_PER_BROKER)} brokers.",
        )


def _brokers(count: int) -> str:
    return f"{count} broker" if count == 1 else f"{count} brokers"


def _size(count: int) -> str:
    """Bytes for people, in the largest binary unit that leaves a number above one."""
    number, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if number < 1024:  # noqa: PLR2004 - the step between binary units
            break
        number, unit = number / 1024, larger
    return f"{number:.4g} {unit}"
