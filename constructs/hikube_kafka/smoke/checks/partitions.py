"""Checks of every partition of every topic, internal topics included, in the view of every broker."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from hikube_kafka.probe.observation import Observation, Partition, Unreadable
from hikube_kafka.smoke.checks.brokers import views
from hikube_kafka.smoke.checks.topics import not_shown
from hikube_kafka.smoke.finding import Outcome, check, listed
from hikube_kafka.spec.contract import Contract

_UNDER_TEST = tuple[str, int, Partition]


@check(
    "partitions-online",
    "Every partition of every topic has a leader",
    remedy="Nobody can read or write these partitions. Start the brokers that hold their replicas.",
)
def online(contract: Contract, seen: Observation) -> Outcome:
    """No partition is offline."""
    partitions, unread = _partitions(contract, seen)
    wrong = _by_topic(
        partitions,
        lambda _topic, partition: (
            f"no leader; replicas on brokers {listed(sorted(partition.replicas))}" if not partition.is_online else ""
        ),
    )
    return _outcome("all online", partitions, wrong, unread)


@check(
    "partitions-in-sync",
    "Every replica of every partition is in sync",
    remedy="Start the brokers named; if they run, they are catching up or too slow: watch their logs and disks.",
)
def in_sync(contract: Contract, seen: Observation) -> Outcome:
    """No partition is under-replicated."""
    partitions, unread = _partitions(contract, seen)

    def behind(_topic: str, partition: Partition) -> str:
        missing = partition.behind
        return f"not in sync: broker{'s' * (len(missing) > 1)} {listed(missing)}" if missing else ""

    return _outcome("all in sync", partitions, _by_topic(partitions, behind), unread)


@check(
    "partitions-min-isr",
    "Every partition has at least min.insync.replicas in sync",
    remedy="Writes with acks=all to these partitions are refused. Bring the missing replicas back; where the topic has "
    "fewer replicas than its min.insync.replicas, raise the one or lower the other.",
)
def min_isr(contract: Contract, seen: Observation) -> Outcome:
    """No partition is under its topic's ``min.insync.replicas``, wherever that was set."""
    partitions, unread = _partitions(contract, seen)
    least: dict[str, int] = {}
    for topic in dict.fromkeys(topic for topic, _, _ in partitions):
        config = seen.kafka.topic_configs.get(topic, Unreadable(f"configuration of topic {topic}", "not read"))
        if isinstance(config, Unreadable):
            unread.append(config)
        elif (value := config.in_force.get("min.insync.replicas")) is None:
            unread.append(Unreadable(f"min.insync.replicas of topic {topic}", "the brokers do not report it"))
        else:
            least[topic] = int(value)

    def short(topic: str, partition: Partition) -> str:
        due = least.get(topic, 0)
        if len(partition.in_sync) >= due:
            return ""
        return f"{len(partition.in_sync)} of the {due} that must be in sync: {listed(sorted(partition.in_sync))}"

    return _outcome("none below min.insync.replicas", partitions, _by_topic(partitions, short), unread)


def _partitions(contract: Contract, seen: Observation) -> tuple[list[_UNDER_TEST], list[Unreadable]]:
    partitions: list[_UNDER_TEST] = []
    unread: list[Unreadable] = []
    for broker, view in views(contract, seen):
        if isinstance(view, Unreadable):
            unread.append(view)
            continue
        partitions += view.partitions
        unread += [content for content in view.topics.values() if isinstance(content, Unreadable)]
        unread += [not_shown(topic, broker) for topic in sorted(seen.zookeeper.topics - view.topics.keys())]
    return partitions, unread


def _by_topic(partitions: Iterable[_UNDER_TEST], fault: Callable[[str, Partition], str]) -> Iterator[str]:
    """One line for the partitions of a topic that have the same fault: a broker's death touches hundreds."""
    faulty: dict[tuple[str, str], set[int]] = defaultdict(set)
    for topic, number, partition in partitions:
        if text := fault(topic, partition):
            faulty[topic, text].add(number)
    for (topic, text), numbers in sorted(faulty.items()):
        yield f"{topic}, partition{'s' * (len(numbers) > 1)} {listed(sorted(numbers))}: {text}"


def _outcome(
    expected: str, partitions: Iterable[_UNDER_TEST], wrong: Iterable[str], unread: Iterable[Unreadable]
) -> Outcome:
    distinct = {(topic, number) for topic, number, _ in partitions}
    topics = {topic for topic, _ in distinct}
    return Outcome(
        expected=expected,
        seen=f"{len(distinct)} partitions of {len(topics)} topics: {expected}",
        wrong=wrong,
        unread=unread,
    )
