"""Changes of a topic: ``hikube_kafka_topic``."""

from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from hikube_kafka.spec.changes.replicas import Move, Reach, moves_in_words
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.topic_limits import FACTOR_ABOVE_BROKERS

PROTECTED = Rule(
    id="topic-protected",
    severity="error",
    message_in_general="it is protected from deletion, and the plan would delete or replace it.",
    message="it is protected from deletion, and the plan would delete it{instead}.",
    why="Its messages would be lost; Kafka cannot rename a topic.",
    remedy="{kept} To delete it, set deletion_protection = false, apply, and repeat this change. To remove it from "
    "Terraform alone, use terraform state rm.",
    remedy_in_general="If only its address has changed, add a moved block with the old and the new address. To delete "
    "it, set deletion_protection = false, apply, and repeat this change. To remove it from Terraform alone, use "
    "terraform state rm.",
)
SHRINKS = Rule(
    id="topic-partitions-shrink",
    severity="error",
    message="it cannot shrink from {live} to {wanted} partitions.",
    why="Kafka cannot remove partitions.",
    remedy="Set partitions = {live}. For fewer, make another topic and move the messages there.",
)
GROWN_ELSEWHERE = Rule(
    id="topic-partitions-grown-elsewhere",
    severity="error",
    message="it was grown outside Terraform: set partitions = {live}.",
    why="It has {live} partitions; {wanted} are declared here and were applied. Kafka cannot remove partitions.",
    remedy="With partitions = {live} the declaration matches the topic, and nothing changes.",
)
EXISTS = Rule(
    id="topic-exists",
    severity="error",
    message="it exists already, made by somebody else.",
    why="No topic is taken over silently: its partitions, copies and configuration may differ from the declared ones.",
    remedy="To manage it from here, import it, with the address of this resource in place of "
    "hikube_kafka_topic.this:\n\n"
    "  terraform import hikube_kafka_topic.this {name}\n\n"
    "or in the configuration:\n\n"
    '  import {{\n    to = hikube_kafka_topic.this\n    id = "{name}"\n  }}\n',
    remedy_in_general="Import it (terraform import), or choose another name.",
)
MOVING = Rule(
    id="topic-replicas-moving",
    severity="error",
    message="its {attribute} cannot change while its replicas are being moved.",
    why="{why} It runs now: {moves}. This state does not know it as its own.",
    remedy="Wait until it has ended, and plan again. This shows what is being moved:\n\n{progress}\n\n"
    "To cancel it for this topic instead:\n\n{cancel}\n",
    message_in_general="its replication factor or its number of partitions cannot change while somebody else moves "
    "its replicas.",
    remedy_in_general="Wait until the reassignment has ended, or cancel it with kafka-reassign-partitions.sh --cancel.",
)


class Known(NamedTuple):
    """What is known of the cluster."""

    topics: Container[str] = ()
    """Topics that are there and that no state holds."""
    brokers: frozenset[int] | None = None
    """Live brokers that stay; None: they could not be asked."""
    coming: int = 0
    """How many brokers there will be once the same plan is applied; 0 if it changes none."""
    replaced: bool = False
    """Whether a state holds a protected topic of this name: what is created would take its place."""
    moves: Mapping[int, Move] = {}
    """The partitions of this topic that somebody else moves at this moment."""
    reach: Reach | None = None
    """For commands that a user can copy; there wherever there are moves."""


def problems(
    prior: Mapping[str, Any] | None,
    planned: Mapping[str, Any] | None,
    known: Known | None = None,
    *,
    applied: int | None = None,
) -> Iterator[Problem]:
    """Losses of messages, and what Kafka would refuse.

    Args:
        prior: As the topic is; None: it is created.
        planned: As it is to be; None: it is deleted.
        known: What is known of the cluster.
        applied: The number of partitions that was last applied here; None: nobody remembers.
    """
    if prior is not None and (planned is None or planned.get("name") != prior["name"]):
        yield from _protection(prior, planned)
        return
    if planned is None:
        return
    if prior is not None:
        yield from _shrinking(prior, planned, applied)
    if known is not None:
        if prior is None and planned.get("name") in known.topics:
            yield EXISTS(_where(planned), path=("name",), name=planned["name"])
        if prior is None and known.replaced:
            yield PROTECTED(
                _where(planned),
                instead=" and make it anew, empty",
                kept="Leave out -replace and replace_triggered_by; if the topic is tainted, use terraform untaint.",
            )
        if prior is not None and known.moves and known.reach is not None:
            yield from _moving(prior, planned, known.moves, known.reach)
        yield from _copies(prior, planned, known)


def _where(values: Mapping[str, Any]) -> str:
    return f"topic {values['name']}" if "name" in values else "a topic"


def _protection(prior: Mapping[str, Any], planned: Mapping[str, Any] | None) -> Iterator[Problem]:
    if prior.get("deletion_protection") is False:
        return
    if planned is None:
        yield PROTECTED(
            _where(prior),
            instead="",
            kept="If only its address in the configuration has changed (another for_each key, another name of the "
            "resource), add a moved block with the old and the new address.",
        )
        return
    another = repr(planned["name"]) if "name" in planned else "one of a name that only the apply will tell"
    yield PROTECTED(
        _where(prior),
        path=("name",),
        instead=f" and make {another} in its place, empty",
        kept=f'Set name = "{prior["name"]}" again to keep it.',
    )


def _shrinking(prior: Mapping[str, Any], planned: Mapping[str, Any], applied: int | None) -> Iterator[Problem]:
    live, wanted = prior["partitions"], planned.get("partitions")
    if wanted is not None and wanted < live:
        rule = GROWN_ELSEWHERE if wanted == applied else SHRINKS
        yield rule(_where(planned), path=("partitions",), live=live, wanted=wanted)


def _moving(
    prior: Mapping[str, Any], planned: Mapping[str, Any], moves: Mapping[int, Move], reach: Reach
) -> Iterator[Problem]:
    reasons = {
        "replication_factor": "Another factor would cancel the reassignment of somebody else.",
        "partitions": "Kafka adds no partitions to a topic during a reassignment.",
    }
    for attribute, why in reasons.items():
        if planned.get(attribute) not in (None, prior[attribute]):
            yield MOVING(
                _where(planned),
                path=(attribute,),
                attribute=attribute,
                why=why,
                moves=moves_in_words(moves),
                progress=reach.progress(),
                cancel=reach.cancel(planned["name"], moves),
            )


def _copies(prior: Mapping[str, Any] | None, planned: Mapping[str, Any], known: Known) -> Iterator[Problem]:
    factor = planned.get("replication_factor")
    # What is as it was is not a fault of this plan, even while a broker is away.
    if factor is None or known.brokers is None or (prior is not None and prior["replication_factor"] == factor):
        return
    live = len(known.brokers)
    if factor > max(live, known.coming):
        brokers = f"the cluster will have {known.coming}"
        if live >= known.coming:
            brokers = f"the cluster has {live} live: {', '.join(map(str, sorted(known.brokers))) or 'none'}"
        yield FACTOR_ABOVE_BROKERS(
            _where(planned),
            path=("replication_factor",),
            declared=f"a replication factor of {factor} needs {factor} broker{'s' if factor > 1 else ''}",
            brokers=brokers,
            most=max(live, known.coming),
            instead="bring in more brokers first",
        )
