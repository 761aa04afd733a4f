"""What fewer brokers mean, beyond what the provider refuses. For reviews alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.spec.problem import Problem, Rule, shortened

TAKEN = Rule(
    id="brokers-fewer",
    severity="error",
    message="{brokers} {are} removed: {before} brokers become {after}.",
    why="{how} Their share of the load goes to those that stay, and clients that name no others lose their bootstrap "
    "servers.",
    remedy="Check that the brokers that stay have the disk, the memory and the network for it, and that clients name "
    "several bootstrap servers; then waive this finding for this change.",
    message_in_general="brokers are removed.",
)
_DRAINED = "With drain = true the apply first copies their replicas to the brokers that stay, which takes time."
_NOT_DRAINED = "Replicas that are on them when they go are lost: the apply is refused while they hold any."

DECIDES: tuple[tuple[str, ...], ...] = (("brokers",),)
"""What a change of the brokers cannot be judged without."""


def consequences(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> Iterator[Problem]:
    """What becomes of replicas and clients.

    Args:
        prior: As it is; None: it is declared for the first time.
        planned: As it is to be; None: it is no longer declared, and no broker is touched.
    """
    if prior is None or planned is None or "brokers" not in planned:
        return
    before, after = prior["brokers"], planned["brokers"]
    if after < before:
        yield taken(range(after, before), before, after, path=("brokers",), drain=planned.get("drain") is True)


def taken(
    ids: "range | list[int]", before: int, after: int, *, path: tuple[str, ...], drain: bool | None = None
) -> Problem:
    """That brokers are taken away.

    Args:
        ids: Theirs.
        before: How many there are.
        after: How many there will be.
        path: The attribute that says so.
        drain: Whether their replicas are moved first; None: there is nothing that would move them.
    """
    one = len(ids) == 1
    how = "Nothing moves their replicas to the brokers that stay: those that they hold are lost."
    if drain is not None:
        how = _DRAINED if drain else _NOT_DRAINED
    where = f"broker{'' if one else 's'} {shortened([str(each) for each in ids])}"
    return TAKEN(
        where,
        path=path,
        brokers="it" if one else "they",
        are="is" if one else "are",
        before=before,
        after=after,
        how=how,
    )
