"""Changes of the voters of a ZooKeeper ensemble: ``hikube_zookeeper_members``."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from hikube_kafka.spec.problem import Problem, Rule

QUORUM_LOST = Rule(
    id="zookeeper-quorum-at-risk",
    severity="error",
    message="{they} cannot be taken out now: {reason}.",
    why="The quorum could be lost.",
    remedy="First start every server that stays.",
    message_in_general="it cannot be taken out now: a server that stays does not serve, or none that stays votes.",
)


class Known(NamedTuple):
    """What the servers say."""

    voters: frozenset[int]
    """Whom all of them take for voters."""
    serving: AbstractSet[int]
    """Those that serve."""


def problems(
    prior: Mapping[str, Any] | None,  # noqa: ARG001 - every module of this package is asked alike
    planned: Mapping[str, Any] | None,
    known: Known | None = None,
) -> Iterator[Problem]:
    """What could cost the quorum.

    Args:
        prior: As the membership is; it does not matter, since the servers themselves say who votes.
        planned: As it is to be; None: it is no longer declared, and who votes is not touched.
        known: What the servers say.
    """
    if planned is not None and known is not None and planned.get("applied") == "before" and "servers" in planned:
        yield from taking_out(known, frozenset(map(int, planned["servers"])))


def taking_out(known: Known, staying: frozenset[int]) -> Iterator[Problem]:
    """Whether the other voters can be taken out, one at a time: only while all that stay serve."""
    leaving, missing = known.voters - staying, (known.voters & staying) - known.serving
    if not leaving or not (missing or leaving == known.voters):
        return
    several = len(missing) > 1
    reason = "none of those that stay votes"
    if missing:
        reason = f"{_servers(missing)} {'stay and do' if several else 'stays and does'} not serve"
    yield QUORUM_LOST(
        f"ZooKeeper {_servers(leaving)}",
        path=("servers",),
        they="they" if len(leaving) > 1 else "it",
        reason=reason,
    )


def _servers(ids: Iterable[int]) -> str:
    listed = sorted(ids)
    return f"server{'s' if len(listed) > 1 else ''} {', '.join(map(str, listed))}"
