"""What concerns the topics, each by itself and all together."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from hikube_kafka.spec import definitions, topic_limits
from hikube_kafka.spec.connect_worker import all_topics
from hikube_kafka.spec.mistakes import VALUE_UNKNOWN, is_reference, of_config
from hikube_kafka.spec.platform import WANTED_REPLICAS, Platform
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.properties import cluster_settings, topic_config
from hikube_kafka.spec.quantities import whole
from hikube_kafka.spec.rules.brokers import FACTOR_LOW, there_are
from hikube_kafka.spec.topic import Topic

MOST_PARTITIONS_PER_BROKER = 4000
"""Partition replicas that one broker should hold in ZooKeeper mode. Source: the Kafka project's own advice since 1.1
(the controller's fail-over grows with them)."""

INTERNAL_PARTITIONS = 100
"""``__consumer_offsets`` and ``__transaction_state``: 50 partitions each, Kafka's defaults."""

INTERNAL = Rule(
    id="topic-internal",
    severity="error",
    message="the brokers make and own this topic.",
    why="Kafka makes these topics itself, in its own way.",
    remedy="Drop it; set offsets.topic.* or transaction.state.log.* in kafka.config instead.",
)
DUPLICATE = Rule(
    id="topic-duplicate",
    severity="error",
    message="it is declared {count} times.",
    why="Two declarations of one topic would fight over it at every apply.",
    remedy="Keep one of them.",
)
COLLISION = Rule(
    id="topic-collision",
    severity="error",
    message="their metrics would have the same name, '.' being written as '_' there, so Kafka refuses the second.",
    why="Kafka names the metrics of a topic after it, and would count both as one.",
    remedy="Rename one: keep to '.' or to '_'.",
)
RETENTION = Rule(
    id="retention-exceeds-disk",
    severity="error",
    message="retention.bytes x partitions x replication factor is {needed}, and {brokers} with {storage} each hold "
    "{there}.",
    why="retention.bytes bounds a partition, and a full disk stops a broker.",
    remedy="Declare a smaller retention.bytes, or more storage.",
)
PARTITIONS = Rule(
    id="partitions-per-broker",
    severity="error",
    message="{replicas} partition replicas, and {internal} of Kafka's own, are {each} on each of {brokers}; "
    f"{MOST_PARTITIONS_PER_BROKER} is the most in ZooKeeper mode.",
    why="Every partition costs the controller time at each fail-over.",
    remedy="Declare fewer partitions, or {enough} brokers.",
)


def name_is_legal(platform: Platform) -> Iterator[Problem]:
    """A name that Kafka does not take."""
    for index, topic in enumerate(platform.topics):
        if is_reference(topic.name):
            yield VALUE_UNKNOWN(f"topics[{index}]", field="name")
        else:
            yield from topic_limits.name_problems(topic.name)
    for topic in all_topics(platform)[len(platform.topics) :]:
        yield from topic_limits.name_problems(topic.name)


def name_is_not_internal(platform: Platform) -> Iterator[Problem]:
    """A topic that the brokers make themselves."""
    for topic in platform.topics:
        if topic.name in topic_limits.INTERNAL:
            yield INTERNAL(_where(topic))


def declared_once(platform: Platform) -> Iterator[Problem]:
    """A topic that is declared several times."""
    for name, count in sorted(Counter(topic.name for topic in platform.topics).items()):
        if count > 1:
            yield DUPLICATE(f"topic {name}", count=count)


def names_do_not_collide(platform: Platform) -> Iterator[Problem]:
    """Names that differ in '.' and '_' alone."""
    same_metric: defaultdict[str, set[str]] = defaultdict(set)
    for topic in all_topics(platform):
        same_metric[topic.name.replace(".", "_")].add(topic.name)
    for names in same_metric.values():
        if len(names) > 1:
            yield COLLISION(f"topics {' and '.join(sorted(names))}")


def factor_fits(platform: Platform) -> Iterator[Problem]:
    """More copies than there are brokers."""
    brokers = platform.kafka.brokers
    for topic in platform.topics:
        factor = platform.replication_factor(topic)
        if factor > brokers:
            yield topic_limits.FACTOR_ABOVE_BROKERS(
                _where(topic),
                declared=f"replication factor {factor}",
                brokers=there_are(brokers),
                most=brokers,
                instead=f"{factor} brokers",
            )


def factor_is_safe(platform: Platform) -> Iterator[Problem]:
    """Fewer than three copies; a small cluster is warned about once, elsewhere."""
    for topic in platform.topics:
        factor = platform.replication_factor(topic)
        if factor < min(WANTED_REPLICAS, platform.kafka.brokers):
            yield FACTOR_LOW(
                _where(topic),
                declared=f"replication factor {factor}: one failure while a broker restarts makes partitions "
                "unavailable",
                wanted=f"{platform.default_replication_factor} where the messages matter",
            )


def min_insync_leaves_room(platform: Platform) -> Iterator[Problem]:
    """A min ISR as large as the replication factor."""
    for topic in platform.topics:
        least = topic_config(platform, topic).get("min.insync.replicas", "")
        factor = platform.replication_factor(topic)
        yield from topic_limits.min_insync_problems(_where(topic), least, factor, instead="drop it: it is computed")


def config_is_kafkas(platform: Platform) -> Iterator[Problem]:
    """An entry that Kafka does not have, or a value that it does not take."""
    for topic in platform.topics:
        found = definitions.topic_config_problems(_where(topic), topic.config, broker=cluster_settings(platform))
        yield from of_config(_where(topic), topic.config, found)


def retention_fits_the_disks(platform: Platform) -> Iterator[Problem]:
    """More to be kept than the disks hold."""
    needed: dict[str, int] = {}
    for topic in platform.topics:
        retained = whole(topic_config(platform, topic).get("retention.bytes", ""))
        if retained is not None and retained > 0:
            needed[topic.name] = retained * topic.partitions * platform.replication_factor(topic)
    there = platform.kafka.brokers * platform.kafka.storage.size.bytes
    if sum(needed.values()) > there:
        largest = max(needed, key=lambda name: needed[name])
        yield RETENTION(
            f"topic {largest}" if len(needed) == 1 else f"{len(needed)} topics, {largest} the largest",
            needed=_size(sum(needed.values())),
            brokers=_brokers(platform.kafka.brokers),
            storage=platform.kafka.storage.size,
            there=_size(there),
        )


def partitions_per_broker_are_few_enough(platform: Platform) -> Iterator[Problem]:
    """More partitions than a controller can bear."""
    replicas = sum(topic.partitions * platform.replication_factor(topic) for topic in all_topics(platform))
    internal = INTERNAL_PARTITIONS * platform.default_replication_factor
    each = -(-(replicas + internal) // platform.kafka.brokers)
    if each > MOST_PARTITIONS_PER_BROKER:
        yield PARTITIONS(
            "topics",
            replicas=replicas,
            internal=internal,
            each=each,
            brokers=_brokers(platform.kafka.brokers),
            enough=-(-(replicas + internal) // MOST_PARTITIONS_PER_BROKER),
        )


def _where(topic: Topic) -> str:
    return f"topic {topic.name}"


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
