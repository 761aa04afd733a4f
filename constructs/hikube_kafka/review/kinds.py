"""Which rules are asked about which kind of resource."""

from collections.abc import Iterator
from dataclasses import dataclass

from hikube_kafka.review.plan import Change, Plan
from hikube_kafka.spec.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the whole plan tells that a rule about one of its resources needs."""

    plan: Plan


def seen(plan: Plan) -> Seen:
    """What a plan tells, gathered once for all its changes."""
    return Seen(plan=plan)


def found(change: Change, seen: Seen) -> Iterator[Problem]:  # noqa: ARG001
    """Everything that the rules say of one change."""
    return iter(())


def together(plan: Plan, seen: Seen) -> Iterator[tuple[str, Problem]]:  # noqa: ARG001
    """What the rules say of the plan as a whole, each with the address that it is about."""
    return iter(())
