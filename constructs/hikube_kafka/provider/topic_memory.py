"""What the provider keeps with a topic, invisible to the user: what was applied here, and what was begun."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self

from hikube_kafka.plugin.values import UNKNOWN


class TopicMemory(NamedTuple):
    """Written as text: the partitions, the replication factor, and the factors that were begun before."""

    partitions: int | None = None
    """Number of partitions that was last applied here; None: nobody remembers."""
    factor: int | None = None
    """Replication factor that was last applied here, to its end or not."""
    earlier: frozenset[int] = frozenset()
    """Factors of applies before that one which were begun and not seen to end."""

    @classmethod
    def read(cls, private: bytes) -> Self:
        """From the bytes that Terraform kept."""
        partitions, factor = [*map(int, private.split()[:2]), None, None][:2]
        return cls(partitions, factor, frozenset(map(int, private.split()[2:])))

    @classmethod
    def of(cls, planned: Mapping[str, Any], begun: Collection[int]) -> Self:
        """For what is planned, and for what was begun before."""
        partitions, factor = planned["partitions"], planned["replication_factor"]
        if partitions is UNKNOWN:
            return cls()
        return cls(partitions) if factor is UNKNOWN else cls(partitions, factor, frozenset(begun))

    def written(self) -> bytes:
        """As Terraform keeps it."""
        numbers = [self.partitions, self.factor, *sorted(self.earlier)]
        return " ".join(str(number) for number in numbers if number is not None).encode()

    def begun(self, prior: Mapping[str, Any] | None) -> frozenset[int]:
        """Replication factors that an apply of this state has begun to bring about, and has not seen there.

        Args:
            prior: The topic as the state has it; None: it is not there.
        """
        if prior is None or self.factor is None or prior["replication_factor"] in {None, self.factor}:
            return frozenset()
        return self.earlier | {self.factor}
