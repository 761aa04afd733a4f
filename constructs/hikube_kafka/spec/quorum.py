"""What a number of ZooKeeper servers is worth.

No models here: the rules of a declaration ask, and so does the provider, which starts several times in every plan.
"""

from collections.abc import Iterator

from hikube_kafka.spec.problem import Problem, Rule

HIGHEST_SERVER_ID = 255
"""Of a ZooKeeper server. Source: its administrator's guide, "should have a value between 1 and 255"."""

EVEN = Rule(
    id="zookeeper-even",
    severity="error",
    message="{servers} servers need {quorum} for a quorum and survive the loss of {lost}, as {fewer} would.",
    why="An even ensemble needs a larger majority and survives no more losses than the odd one below it.",
    remedy="Declare {fewer} or {more}.",
)


def even_problems(where: str, servers: int) -> Iterator[Problem]:
    """An even number of servers, but for none at all."""
    if servers and servers % 2 == 0:
        yield EVEN(
            where,
            path=("servers",),
            servers=servers,
            quorum=servers // 2 + 1,
            lost=(servers - 1) // 2,
            fewer=servers - 1,
            more=servers + 1,
        )
