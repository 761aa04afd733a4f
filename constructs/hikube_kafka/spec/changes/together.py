"""Rules over a whole plan: what no resource sees of the others. For reviews alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hikube_kafka.spec.problem import Problem, Rule, shortened
from hikube_kafka.spec.rules.topics import INTERNAL_PARTITIONS, MOST_PARTITIONS_PER_BROKER, PARTITIONS

BROKERS_NEEDED = Rule(
    id="topics-need-more-brokers",
    severity="error",
    message="{after} broker{s} stay{stays}, and {topics}.",
    why="Each copy of a partition stands on a broker of its own. The brokers that go cannot be drained, and until "
    "they are back their partitions have copies too few to survive a loss.",
    remedy="Keep {most} brokers; or first lower the replication factor of these topics, and apply that.",
    message_in_general="brokers are removed that the replication factor of a topic needs.",
)
TOPICS_STAY = Rule(
    id="platform-goes-topics-stay",
    severity="error",
    message="{what} {is_} removed, and {topics} on it stay{s} declared.",
    why="No client reaches their messages any more, and every later plan fails to read them.",
    remedy="Keep it. If the platform is to go, destroy its topics with it, or have Terraform forget them with a "
    "removed block.",
    message_in_general="a release, the claims or the namespace of a platform go, and its topics stay declared.",
)
BOTH_RESTART = Rule(
    id="zookeeper-and-brokers-together",
    severity="warning",
    message="its ZooKeeper servers ({zookeeper}) and its brokers ({brokers}) both change in this apply.",
    why="If something goes wrong, it is harder to tell which of the two caused it; a broker that restarts while the "
    "ensemble elects a leader stays away longer.",
    remedy="Change ZooKeeper first, check that it is healthy, then change the brokers.",
    message_in_general="a ZooKeeper ensemble and its brokers change in one apply.",
)
SEVERAL_RESTARTS = Rule(
    id="several-rolling-restarts",
    severity="warning",
    message="{servers} servers of {count} releases restart in this apply: {releases}.",
    why="Releases that do not depend on each other restart at the same time: clients that use more than one of them "
    "meet both.",
    remedy="Apply one release after the other (terraform apply -target=ADDRESS), each once the one before is in sync.",
    message_in_general="several releases restart their servers in one apply.",
)
DRIFT = Rule(
    id="drift-overwritten",
    severity="warning",
    message="it was changed outside Terraform, and this apply sets it back: {changes}.",
    why="Somebody changed it by hand or with another tool, perhaps for a reason that still holds.",
    remedy="If the change is to stay, declare it. If not, apply.",
    message_in_general="what was changed outside Terraform is set back by the apply.",
)
DELETED_OUTSIDE = Rule(
    id="deleted-outside",
    severity="warning",
    message="it was deleted outside Terraform, and this apply creates it again.",
    why="{held}",
    remedy="Find out who deleted it before you apply. If it is meant to be gone, take it out of the configuration.",
)


_HELD = "What it held is gone already: it is empty when it comes back."
_HELD_BY_CLAIMS = "Its servers take up the claims of the earlier ones, if those are still there; else they begin empty."


def deleted_outside(where: str, *, keeps_data: bool) -> Problem:
    """That a thing was deleted outside, and is created again.

    Args:
        where: The thing.
        keeps_data: Its data may have outlived it.
    """
    return DELETED_OUTSIDE(where, held=_HELD_BY_CLAIMS if keeps_data else _HELD)


class Topic(NamedTuple):
    """A topic that is there after the apply."""

    name: str
    partitions: int
    factor: int


def brokers_needed(where: str, before: int, after: int, topics: Sequence[Topic]) -> Iterator[Problem]:
    """Topics whose copies need brokers that are taken away."""
    above = [each for each in topics if each.factor > after]
    if after >= before or not above:
        return
    by_factor: dict[int, list[str]] = {}
    for each in above:
        by_factor.setdefault(each.factor, []).append(each.name)
    listed = "; ".join(
        f"topic{'s' if len(names) > 1 else ''} {shortened(sorted(names))} need{'' if len(names) > 1 else 's'} {factor}"
        for factor, names in sorted(by_factor.items())
    )
    one = after == 1
    yield BROKERS_NEEDED(
        where,
        path=("brokers",),
        after=after,
        s="" if one else "s",
        stays="s" if one else "",
        topics=listed,
        most=max(by_factor),
    )


def too_many_partitions(
    where: str, before: Sequence[Topic], after: Sequence[Topic], brokers: tuple[int, int]
) -> Iterator[Problem]:
    """More replicas of partitions on a broker than it should hold, if this plan makes it so or worse.

    The most is ``MOST_PARTITIONS_PER_BROKER``, the Apache Kafka project's own advice for ZooKeeper mode; what the
    brokers' own topics have, ``INTERNAL_PARTITIONS`` three times, is counted too.

    Args:
        where: The cluster, as a message names it.
        before: Its topics before the apply.
        after: And after it.
        brokers: How many brokers there are before and after.
    """
    counts = [sum(each.partitions * each.factor for each in topics) for topics in (before, after)]
    internal = INTERNAL_PARTITIONS * min(3, max(brokers[1], 1))
    was, each = (-(-(count + internal) // max(number, 1)) for count, number in zip(counts, brokers, strict=True))
    if each > MOST_PARTITIONS_PER_BROKER and each > was:
        yield PARTITIONS(
            where,
            severity="warning",
            replicas=counts[1],
            internal=internal,
            each=each,
            brokers=f"{brokers[1]} broker{'' if brokers[1] == 1 else 's'}",
            enough=-(-(counts[1] + internal) // MOST_PARTITIONS_PER_BROKER),
        )


def topics_stay(where: str, what: Sequence[str], topics: Sequence[str]) -> Iterator[Problem]:
    """What carries a cluster goes, and topics on it stay declared."""
    if what and topics:
        one = len(topics) == 1
        yield TOPICS_STAY(
            where,
            what=" and ".join(what),
            is_="is" if len(what) == 1 else "are",
            topics=f"topic{'' if one else 's'} {shortened(sorted(topics))}",
            s="s" if one else "",
        )


def both_restart(where: str, zookeeper: Sequence[str], brokers: Sequence[str]) -> Iterator[Problem]:
    """An ensemble and its brokers change in one apply."""
    if zookeeper and brokers:
        yield BOTH_RESTART(where, zookeeper=shortened(zookeeper), brokers=shortened(brokers))


def several_restarts(restarts: Mapping[str, int]) -> Iterator[Problem]:
    """Rolling restarts of several releases.

    Args:
        restarts: How many servers restart, by release.
    """
    if len(restarts) > 1:
        yield SEVERAL_RESTARTS(
            "this plan",
            servers=sum(restarts.values()),
            count=len(restarts),
            releases=", ".join(f"{count} of {name}" for name, count in sorted(restarts.items())),
        )


def drift(where: str, changes: Sequence[tuple[str, Any, Any]]) -> Iterator[Problem]:
    """What was changed outside and is set back.

    Args:
        where: The thing.
        changes: Setting, what it is now, what it will be.
    """
    if changes:
        listed = [f"{setting} from {_shown(now)} to {_shown(then)}" for setting, now, then in changes]
        yield DRIFT(where, changes="; ".join(listed[:5]) + (f" and {len(listed) - 5} more" if listed[5:] else ""))


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
