"""Checks of the declared topics."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from hikube_kafka.probe.observation import Observation, Partition, Unreadable
from hikube_kafka.smoke.canary import is_canary
from hikube_kafka.smoke.checks.brokers import name, views
from hikube_kafka.smoke.finding import Outcome, check, listed
from hikube_kafka.spec.contract import BrokerExpected, Contract, TopicExpected
from hikube_kafka.spec.definitions import is_same, topic_definitions
from hikube_kafka.spec.topic_limits import INTERNAL

_SHOWN = 10
"""Topics that a note names."""


@check(
    "topics-exist",
    "Every declared topic exists",
    remedy="Apply the declaration again: it plans the topics that are missing.",
)
def exist(contract: Contract, seen: Observation) -> Outcome:
    """In the view of every broker."""
    wrong: list[str] = []
    gone: list[str] = []
    unread: list[Unreadable] = []
    for broker, view in views(contract, seen):
        if isinstance(view, Unreadable):
            unread.append(view)
            continue
        for topic in contract.topics:
            content = view.topics.get(topic.name)
            if content is None and topic.name in seen.zookeeper.topics:
                unread.append(not_shown(topic.name, broker))
            elif content is None:
                missing = f"{topic.name} is missing in the metadata of {name(broker)}"
                (gone if _is_nowhere(topic.name, seen) else wrong).append(missing)
            elif isinstance(content, Unreadable):
                unread.append(content)
    known = {topic.name for topic in contract.topics} | INTERNAL
    others = sorted({each for view in seen.kafka.views for each in view.topics if each not in known})
    undeclared = [each for each in others if not is_canary(each)]
    return replace(
        _outcome(contract, listed(topic.name for topic in contract.topics), wrong, unread, gone),
        notes=[f"topics that nobody declared: {_some(undeclared)}"] if undeclared and contract.topics else (),
    )


@check(
    "topics-partitions",
    "Every declared topic has its partitions",
    remedy="Apply the declaration again: it adds partitions. One with too many cannot shrink: declare their number.",
)
def partition_counts(contract: Contract, seen: Observation) -> Outcome:
    """The number of partitions, in the view of every broker."""

    def fault(topic: TopicExpected, partitions: Mapping[int, Partition]) -> str:
        return "" if len(partitions) == topic.partitions else f"{len(partitions)} partitions, not {topic.partitions}"

    wrong, lasting, unread = _held_to(contract, seen, fault)
    told = listed(f"{topic.name}: {topic.partitions}" for topic in contract.topics)
    return _outcome(contract, told, wrong, unread, lasting)


@check(
    "topics-replication-factor",
    "Every partition of every declared topic has its replicas",
    remedy="Apply the declaration again: it moves replicas until the factor is reached.",
)
def replication_factors(contract: Contract, seen: Observation) -> Outcome:
    """The number of replicas of each partition, in sync or not, in the view of every broker."""

    def fault(topic: TopicExpected, partitions: Mapping[int, Partition]) -> str:
        odd = {
            number: len(partition.replicas)
            for number, partition in partitions.items()
            if len(partition.replicas) != topic.replication_factor
        }
        told = listed(f"{count} in partition {number}" for number, count in odd.items())
        return f"replication factor {told}, not {topic.replication_factor}" if odd else ""

    wrong, lasting, unread = _held_to(contract, seen, fault)
    told = listed(f"{topic.name}: {topic.replication_factor}" for topic in contract.topics)
    return _outcome(contract, told, wrong, unread, lasting)


@check(
    "topics-configuration",
    "Every declared entry is set on its topic",
    remedy="Somebody has changed it since: apply the declaration again, or declare the change.",
)
def configurations(contract: Contract, seen: Observation) -> Outcome:
    """The entries set on the topic itself: a default of the brokers that happens to be equal may change."""
    wrong: list[str] = []
    unread: list[Unreadable] = []
    for topic in contract.topics:
        if not topic.config:
            continue
        config = seen.kafka.topic_configs.get(topic.name)
        if config is None:
            nowhere = _is_nowhere(topic.name, seen)
            absent = Unreadable(f"configuration of topic {topic.name}", "there is no such topic", lasting=nowhere)
            unread.append(absent)
            continue
        if isinstance(config, Unreadable):
            unread.append(config)
            continue
        for key, value in topic.config.items():
            if key not in config.own:
                wrong.append(
                    f"{topic.name}: {key} is not set on the topic (in force: {config.in_force.get(key)}), not {value}"
                )
            elif config.in_force.get(key) is None:
                unread.append(Unreadable(f"{key} of topic {topic.name}", "the brokers do not report its value"))
            elif not is_same(topic_definitions().get(key), config.in_force[key], value):
                wrong.append(f"{topic.name}: {key} = {config.in_force[key]}, not {value}")
    entries = sum(len(topic.config) for topic in contract.topics)
    return _outcome(contract, f"entries set on topics: {entries}", [], unread, lasting=wrong)


def _some(topics: list[str]) -> str:
    shown = listed(topics[:_SHOWN])
    return f"{shown} and {len(topics) - _SHOWN} more" if len(topics) > _SHOWN else shown


def _is_nowhere(topic: str, seen: Observation) -> bool:
    """Whether no broker and no ZooKeeper server has a topic, of those that answer: nobody is about to make it."""
    registries = seen.zookeeper.registries.values()
    return (
        bool(registries)
        and all(topic not in registry.topics for registry in registries)
        and all(topic not in view.topics for view in seen.kafka.views)
    )


def not_shown(topic: str, broker: BrokerExpected) -> Unreadable:
    """A topic that is there, as ZooKeeper has it, and that a broker leaves out."""
    hidden = "ZooKeeper has it: this client may not Describe it, or the broker does not know it yet"
    return Unreadable(f"topic {topic} in the metadata of {name(broker)}", hidden)


def _held_to(
    contract: Contract, seen: Observation, fault: Callable[[TopicExpected, Mapping[int, Partition]], str]
) -> tuple[list[str], list[str], list[Unreadable]]:
    """What is wrong and may pass, what is wrong and stays, and what is unread.

    What all brokers tell alike of a topic whose replicas are all in sync is no news that is on its way to one of them,
    and no replica that is being moved.
    """
    told: dict[str, set[str]] = defaultdict(set)
    moving: set[str] = set()
    unread: list[Unreadable] = []
    for topic, content in _contents(contract, seen):
        if isinstance(content, Unreadable):
            unread.append(content)
            continue
        told[topic.name].add(fault(topic, content))
        if any(partition.behind or not partition.is_online for partition in content.values()):
            moving.add(topic.name)
    wrong: list[str] = []
    lasting: list[str] = []
    for name_, texts in told.items():
        stays = len(texts) == 1 and name_ not in moving
        (lasting if stays else wrong).extend(f"{name_}: {text}" for text in sorted(texts) if text)
    return wrong, lasting, unread


def _contents(
    contract: Contract, seen: Observation
) -> Iterator[tuple[TopicExpected, Mapping[int, Partition] | Unreadable]]:
    for _, view in views(contract, seen):
        for topic in contract.topics:
            if isinstance(view, Unreadable):
                yield topic, view
            else:
                nowhere = _is_nowhere(topic.name, seen)
                absent = Unreadable(f"topic {topic.name}", "there is no such topic", lasting=nowhere)
                yield topic, view.topics.get(topic.name, absent)


def _outcome(contract: Contract, told: str, wrong: list[str], unread: list[Unreadable], lasting: list[str]) -> Outcome:
    return Outcome(
        expected=told,
        seen=told,
        wrong=wrong,
        lasting=lasting,
        unread=unread,
        untested="" if contract.topics else "the contract declares no topic",
    )
