"""What fewer voters mean to a ZooKeeper ensemble, beyond what the provider refuses. For reviews alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.spec.problem import Problem, Rule

NO_LOSS_BORNE = Rule(
    id="zookeeper-bears-no-loss",
    severity="error",
    message="{before} servers become {after}: the ensemble then survives the loss of {survives}.",
    why="Without a majority of its servers ZooKeeper stops. Brokers then elect no leaders and no controller, topics "
    "cannot be created, and a broker that restarts stays away.",
    remedy="Keep 3 servers or more.",
)
FEWER = Rule(
    id="zookeeper-fewer-servers",
    severity="warning",
    message="{before} servers become {after}: the ensemble then survives the loss of {survives}, and no longer of "
    "{survived}.",
    why="Servers leave the ensemble one at a time, and a majority of those that vote has to stay.",
    remedy="Apply it while every server serves.",
)
LEAST = 3
"""Servers that survive the loss of one."""

DECIDES: tuple[tuple[str, ...], ...] = (("servers",),)
"""What a change of the voters cannot be judged without."""


def consequences(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> Iterator[Problem]:
    """What losses the ensemble survives afterwards.

    It is declared twice, before and after the release; one of them speaks.

    Args:
        prior: As it is; None: it is declared for the first time.
        planned: As it is to be; None: it is no longer declared, and who votes is not touched.
    """
    if planned is None or planned.get("applied") != "before" or "servers" not in planned:
        return
    after = len(planned["servers"])
    before = after if prior is None else max(len(prior["servers"]), len(prior.get("voters") or ()))
    yield from fewer(_where(planned), before, after, path=("servers",))


def fewer(where: str, before: int, after: int, *, path: tuple[str, ...]) -> Iterator[Problem]:
    """That an ensemble survives fewer losses than before."""
    if after >= before:
        return
    facts: dict[str, Any] = {"before": before, "after": after, "survives": _losses(after)}
    if after < LEAST:
        yield NO_LOSS_BORNE(where, path=path, **facts)
    else:
        yield FEWER(where, path=path, survived=_losses(before), **facts)


def _losses(servers: int) -> str:
    return {0: "none"}.get(number := max((servers - 1) // 2, 0), str(number))


def _where(values: Mapping[str, Any]) -> str:
    return f"ZooKeeper {values['stateful_set']}" if "stateful_set" in values else "ZooKeeper"
