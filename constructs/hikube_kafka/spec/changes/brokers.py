"""Changes of the number of brokers: ``hikube_kafka_brokers``."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hikube_kafka.spec.changes.replicas import Move, Reach, Replicas, held, in_words, moves_in_words
from hikube_kafka.spec.problem import Problem, Rule

HOLDS_REPLICAS = Rule(
    id="broker-holds-replicas",
    severity="error",
    message="{they} cannot be removed: {they} {hold} replicas.",
    why="Partitions would lose a copy, or all of them: {replicas}.",
    remedy="Set drain = true, and the apply moves them first. To move them by hand:\n\n{commands}",
    message_in_general="it cannot be removed: it holds replicas.",
    remedy_in_general="Set drain = true, and the apply moves them first; or move them with kafka-reassign-partitions.",
)
DRAINED = Rule(
    id="broker-drained",
    severity="warning",
    message="{they} will be drained first.",
    why="Replicas move to the brokers that stay, one topic after another: {replicas}.",
    remedy="Allow for the time that it takes, which depends on the data to copy.",
    message_in_general="it will be drained first.",
)
NO_ROOM = Rule(
    id="topic-copies-above-staying-brokers",
    severity="error",
    message="it has {factor} copies, and {number} live brokers would stay.",
    why="Each copy of a partition stands on a broker of its own, and those that stay are {staying}.",
    remedy="Lower its replication_factor, apply, and repeat this.",
)
COMING = Rule(
    id="broker-is-given-replicas",
    severity="error",
    message="a reassignment that is running gives replicas to {brokers}, which would be removed.",
    why="Somebody else began it: {moves}. Draining would cancel it.",
    remedy="Wait until it has ended, and plan again. This shows what is being moved:\n\n{progress}\n\n"
    "To cancel it for this topic instead:\n\n{cancel}\n",
    message_in_general="a reassignment that is running gives replicas to a broker that would be removed.",
    remedy_in_general="Wait until it has ended, or cancel it with kafka-reassign-partitions.sh --cancel.",
)


class Known(NamedTuple):
    """What is known of the cluster."""

    brokers: frozenset[int]
    """Live brokers."""
    replicas: Replicas
    reach: Reach
    """For commands that a user can copy."""
    moves: Mapping[str, Mapping[int, Move]] = {}
    """Partitions that are being moved at this moment, by topic."""


def problems(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, known: Known | None = None
) -> Iterator[Problem]:
    """What keeps brokers from going; with ``drain``, what will be moved.

    Args:
        prior: As it was applied; None: it is declared for the first time, and brokers beyond it go.
        planned: As it is to be; None: it is no longer declared, and no broker is touched.
        known: What is known of the cluster.
    """
    number = planned.get("brokers") if planned is not None else None
    if planned is None or number is None or known is None or (prior is not None and number >= prior["brokers"]):
        return
    going = held(known.replicas, lambda broker: broker >= number)
    if not going:
        return
    staying = sorted(broker for broker in known.brokers if broker < number)
    topics = sorted({topic for held_topics in going.values() for topic in held_topics})
    for topic in topics:
        moves = known.moves.get(topic, {})
        replicas = known.replicas[topic].items()
        factor = max(len(moves[partition].target if partition in moves else brokers) for partition, brokers in replicas)
        if factor > len(staying):
            yield NO_ROOM(
                f"topic {topic}",
                path=("brokers",),
                factor=factor,
                number=len(staying),
                staying=", ".join(map(str, staying)) or "none",
            )
    yield from _coming(known, number)
    several = len(going) > 1
    where = f"broker{'s' if several else ''} {', '.join(map(str, going))}"
    they = "they" if several else "it"
    if planned.get("drain") is True:
        yield DRAINED(where, path=("drain",), they=they, replicas=in_words(going))
        return
    yield HOLDS_REPLICAS(
        where,
        path=("brokers",),
        they=they,
        hold="hold" if several else "holds",
        replicas=in_words(going),
        commands=_commands(topics, staying, known.reach),
    )


def _coming(known: Known, number: int) -> Iterator[Problem]:
    """Moves of others whose target is a broker that goes; a drain of our own has none."""
    for topic, moves in sorted(known.moves.items()):
        theirs = {partition: move for partition, move in moves.items() if max(move.target) >= number}
        if theirs:
            brokers = sorted({broker for move in theirs.values() for broker in move.target if broker >= number})
            yield COMING(
                f"topic {topic}",
                path=("brokers",),
                brokers=f"broker{'s' if len(brokers) > 1 else ''} {', '.join(map(str, brokers))}",
                moves=moves_in_words(theirs),
                progress=known.reach.progress(),
                cancel=known.reach.cancel(topic, theirs),
            )


def _commands(topics: list[str], staying: list[int], reach: Reach) -> str:
    moved = json.dumps({"version": 1, "topics": [{"topic": topic} for topic in topics]})
    brokers = ",".join(map(str, staying))
    generate = reach.commands(
        f"echo '{moved}' >topics.json",
        reach.tool(f"--topics-to-move-json-file topics.json --broker-list {brokers} --generate"),
    )
    return (
        f"{generate}\n\n"
        "put the proposed assignment into a file moves.json, and then\n\n"
        f"  {reach.tool('--reassignment-json-file moves.json --execute')}\n"
    )
