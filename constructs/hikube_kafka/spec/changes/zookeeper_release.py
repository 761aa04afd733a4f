"""Changes of a release of the chart ``zookeeper``, by its merged values."""

from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.spec.changes import rolling
from hikube_kafka.spec.problem import Problem


def consequences(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, *, replaced: bool = False
) -> Iterator[Problem]:
    """What an apply does to the ZooKeeper servers and what brokers keep in them. Nothing where nothing changes.

    Args:
        prior: The release as it is: ``name``, ``namespace``, ``chart``, ``version`` and the merged ``values``; None: it
            is created.
        planned: As it is to be; None: it is destroyed.
        replaced: The plan uninstalls it and installs it anew, whatever has changed.

    The path of each problem is that of a value: ``("storage", "data", "size")``.
    """
    if replaced:
        return
    yield from rolling.consequences(prior, planned)
