"""A topic, in the words of Kafka's own configuration."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from hikube_kafka.spec.model import Declared, Frozen, Whole

ConfigValue = str | bool | int | float
"""What a configuration entry may be declared as. Kafka reads text: ``True`` becomes ``true``."""


class Topic(Declared):
    """A topic: ``Topic("orders", partitions=6, config={"retention.ms": 604800000})``."""

    separable: ClassVar = frozenset({"config"})
    is_located: ClassVar = True

    name: str
    """Letters, digits, ``.``, ``_`` and ``-``; at most 249 characters."""
    partitions: Whole = Field(ge=1)
    """Number of partitions. It can grow later, never shrink; growth changes which partition a key belongs to."""
    replication_factor: Annotated[Whole, Field(ge=1)] | None = None
    """Copies of each partition, each on another broker. None means three, or the number of brokers if that is less."""
    config: Frozen[str, ConfigValue] = Field(default_factory=dict)
    """Entries by Kafka's own keys, such as ``cleanup.policy``. What is not named follows the brokers."""
    deletion_protection: bool = True
    """Refuse every plan that would delete the topic or replace it."""

    def __init__(
        self,
        name: str,
        *,
        partitions: int,
        replication_factor: int | None = None,
        config: Mapping[str, ConfigValue] | None = None,
        deletion_protection: bool = True,
    ) -> None:
        BaseModel.__init__(
            self,
            name=name,
            partitions=partitions,
            replication_factor=replication_factor,
            config=config or {},
            deletion_protection=deletion_protection,
        )

    def label(self, where: str) -> str:
        """By its name, unless that is what is mistaken."""
        return f"topic {self.name}" if isinstance(self.__dict__.get("name"), str) else where
