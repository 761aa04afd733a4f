"""What it means that nobody waits for a rollout any more, beyond what the provider refuses. For reviews alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.spec.problem import Problem, Rule

NO_LONGER_AWAITED = Rule(
    id="rollout-no-longer-awaited",
    severity="warning",
    message="no apply waits any more until its pods are ready, and its release stays.",
    why="An apply then ends while pods restart or cannot start, and what comes after it, topics among them, meets "
    "servers that are away.",
    remedy="Keep the hikube_rollout; or set wait = true in its helm_release.",
)

DECIDES: tuple[tuple[str, ...], ...] = (("stateful_set",), ("replicas",))
"""What a change of a rollout cannot be judged without."""


def consequences(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, *, release_stays: bool = False
) -> Iterator[Problem]:
    """What is no longer waited for.

    Args:
        prior: As it is; None: it is declared for the first time.
        planned: As it is to be; None: it is no longer declared, and no pod is touched.
        release_stays: Whether the release behind it is still there after the apply.
    """
    if prior is not None and planned is None and release_stays:
        yield NO_LONGER_AWAITED(f"StatefulSet {prior['stateful_set']}")
