"""A topic, in the words of Kafka's own configuration."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, ParamSpec, Self, TypeVar

from pydantic import BaseModel, Field, field_validator

from hikube_kafka.spec.mistakes import Mistake, shown
from hikube_kafka.spec.model import Declared, FieldError, Frozen, Whole
from hikube_kafka.spec.quantities import Duration, Quantity, whole

ConfigValue = str | bool | int | float
"""What a configuration entry may be declared as. Kafka reads text: ``True`` becomes ``true``."""

_CHECKED_EVERY_MS = 300_000
"""How often a broker looks for what is to be deleted: ``log.retention.check.interval.ms``, 5 minutes by default."""
_LONGEST_SEGMENT_MS = 604_800_000
"""Kafka's default of ``segment.ms``, 7 days."""
_FAST_CLOCK_MS = 3_600_000
"""Kafka 4.0's default of ``message.timestamp.after.max.ms``, an hour. Source: KIP-1030; Kafka 3.9 has no limit."""
MESSAGE_BYTES = 1_048_588
"""Kafka's default of ``max.message.bytes``: 1 MiB and the head of a batch."""
_LARGEST_INT = 2_147_483_647
DEAD_LETTER_HEADERS = 1_048_576
"""Bytes that a dead letter may have beyond the message itself: Connect adds where it came from and the whole stack
trace as headers. 1 MiB is far more than any trace: an assumption of this project."""


class _Preset(Declared):
    """What each preset takes."""

    separable: ClassVar = frozenset({"config"})

    name: str
    partitions: Whole = Field(ge=1)
    replication_factor: Annotated[Whole, Field(ge=1)] | None
    config: Frozen[str, ConfigValue] | None
    deletion_protection: bool

    def entries(self) -> dict[str, ConfigValue]:
        """The settings of the preset, by Kafka's own keys."""
        raise NotImplementedError


def _is_a_while(duration: Duration) -> Duration:
    if duration.seconds < 1:
        raise ValueError(f"{duration} is less than a second: declare more")
    return duration


class _Retained(_Preset):
    """Messages that are deleted after a time."""

    retention: Duration

    @field_validator("retention")
    @classmethod
    def _is_a_while(cls, retention: Duration) -> Duration:
        return _is_a_while(retention)

    def entries(self) -> dict[str, ConfigValue]:
        """Deletion after the retention, and segments short enough to keep it."""
        kept = self.retention.milliseconds
        return {
            "cleanup.policy": "delete",
            "retention.ms": kept,
            "segment.ms": min(max(kept // 8, _CHECKED_EVERY_MS), _LONGEST_SEGMENT_MS),
        }


class _Events(_Retained):
    def entries(self) -> dict[str, ConfigValue]:
        """Those of :meth:`Topic.events`."""
        return {**super().entries(), "message.timestamp.after.max.ms": _FAST_CLOCK_MS}


class _WorkQueue(_Retained):
    def entries(self) -> dict[str, ConfigValue]:
        """Those of :meth:`Topic.work_queue`."""
        return {**super().entries(), "message.timestamp.after.max.ms": _FAST_CLOCK_MS, "retention.bytes": -1}


class _Telemetry(_Retained):
    retention_bytes: Quantity | None

    @field_validator("retention_bytes")
    @classmethod
    def _holds_something(cls, size: Quantity | None) -> Quantity | None:
        if size is not None and size.value < 1:
            raise ValueError(f"{size} is less than one byte: m means a thousandth, Mi 1024 x 1024")
        return size

    def entries(self) -> dict[str, ConfigValue]:
        """Those of :meth:`Topic.telemetry`."""
        bound = {} if self.retention_bytes is None else {"retention.bytes": self.retention_bytes.bytes}
        return {**super().entries(), **bound, "message.timestamp.type": "LogAppendTime"}


class _Changelog(_Preset):
    compaction_lag: Duration
    tombstones: Duration

    @field_validator("compaction_lag", "tombstones")
    @classmethod
    def _is_a_while(cls, duration: Duration) -> Duration:
        return _is_a_while(duration)

    def entries(self) -> dict[str, ConfigValue]:
        """Those of :meth:`Topic.changelog`."""
        return {
            "cleanup.policy": "compact",
            "max.compaction.lag.ms": self.compaction_lag.milliseconds,
            "delete.retention.ms": self.tombstones.milliseconds,
        }


class _DeadLetters(_Retained):
    of: Any
    name: str | None  # type: ignore[assignment]  # None means after what they are of

    @field_validator("of")
    @classmethod
    def _is_a_topic_or_its_name(cls, of: object) -> object:
        if isinstance(of, Topic) or (isinstance(of, str) and of):
            return of
        raise ValueError(f'{shown(of)} is neither a topic nor a name: declare one of them, such as "orders"')

    def entries(self) -> dict[str, ConfigValue]:
        """Those of :meth:`Topic.dead_letters`."""
        own = self.of.config.get("max.message.bytes") if isinstance(self.of, Topic) else None
        largest = min(whole(str(own)) or MESSAGE_BYTES, _LARGEST_INT - DEAD_LETTER_HEADERS)
        return {
            **super().entries(),
            "retention.bytes": -1,
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": largest + DEAD_LETTER_HEADERS,
        }


P = ParamSpec("P")
R = TypeVar("R")


def _preset(model: type[_Preset], *, named: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes a function that says what a preset takes one that returns the topic, and never raises.

    Args:
        model: of what the preset takes; the function's signature has the defaults.
        named: whether the first argument is the topic's name.
    """

    def decorated(described: Callable[P, R]) -> Callable[P, R]:
        model.__name__ = f"Topic.{described.__name__}"
        signature = inspect.signature(described).parameters
        defaults = {name: each.default for name, each in signature.items() if each.default is not each.empty}

        @functools.wraps(described)
        def made(cls: Any, *args: Any, **given: Any) -> Any:
            if named and args and "name" not in given:
                given, args = {"name": args[0], **given}, args[1:]
            return _made(cls, model(*args, **{**defaults, **given}))

        return made  # type: ignore[return-value]  # of the same signature, which the call itself need not keep

    return decorated


def _made(topic: "type[Topic]", preset: _Preset) -> "Topic":
    """The plain topic; what is mistaken in the preset is mistaken in the topic."""
    mistakes = (preset.__pydantic_private__ or {})["_mistakes"]
    read: dict[str, Any] = {name: preset.__dict__[name] for name in topic.model_fields if name in preset.__dict__}
    name, config = read.pop("name", None), read.pop("config", None)
    if isinstance(preset, _DeadLetters):
        name, mistakes = _name_after(preset, name), mistakes or _mistakes_of_name(preset)
    with contextlib.suppress(FieldError):  # an entry cannot be computed from what is mistaken
        read["config"] = preset.entries() | dict(config or {})
    if not mistakes:
        return topic(name, **read)
    mistaken: Topic = topic.mistaken(*mistakes)
    mistaken.__dict__.update(read | ({"name": name} if isinstance(name, str) else {}))
    return mistaken


def _name_after(preset: "_DeadLetters", name: str | None) -> str | None:
    of = preset.__dict__.get("of")
    of = of.__dict__.get("name") if isinstance(of, Topic) else of
    return name or (f"{of}.dead-letters" if of else None)


def _mistakes_of_name(preset: "_DeadLetters") -> tuple[Mistake, ...]:
    """Those of the topic that they are of, if it has no name for that."""
    of = preset.of
    return (of.__pydantic_private__ or {})["_mistakes"] if isinstance(of, Topic) and "name" not in of.__dict__ else ()


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

    @classmethod
    @_preset(_Events)
    def events(
        cls,
        name: str,
        *,
        partitions: int = 6,
        retention: Duration | str = "7d",
        replication_factor: int | None = None,
        config: Mapping[str, ConfigValue] | None = None,
        deletion_protection: bool = True,
    ) -> Self:
        """Facts that several services read, each at its own pace: orders, payments.

        ``cleanup.policy=delete``: every event counts, not the last of a key. ``segment.ms`` is an eighth of the
        retention, and not Kafka's 7 days: Kafka deletes a segment as a whole, once the latest message in it is past the
        retention, so a topic with little traffic would keep messages for twice 7 days.
        ``message.timestamp.after.max.ms`` is an hour, Kafka 4.0's default (KIP-1030): one message from a clock that is
        years ahead would keep its segment for years.

        Args:
            name: of the topic.
            partitions: consumers of a group that can work at once. Six is divisible by 2 and 3 brokers and consumers.
            retention: longer than the longest time that a consumer may be away.
            replication_factor: as for any topic.
            config: entries that win over those of the preset.
            deletion_protection: as for any topic.
        """
        raise NotImplementedError

    @classmethod
    @_preset(_Changelog)
    def changelog(
        cls,
        name: str,
        *,
        partitions: int = 6,
        compaction_lag: Duration | str = "1d",
        tombstones: Duration | str = "7d",
        replication_factor: int | None = None,
        config: Mapping[str, ConfigValue] | None = None,
        deletion_protection: bool = True,
    ) -> Self:
        """The latest message of each key, for ever: the rows of a table, the settings of a device.

        ``cleanup.policy=compact`` keeps the last message of a key. ``max.compaction.lag.ms``: Kafka compacts once half
        of the log is superseded, and never the segment being written, so without it what was superseded, or deleted for
        privacy, may stay for as long as there is little traffic. ``delete.retention.ms`` is 7 days and not Kafka's one:
        a reader that was away for longer never learns of a deletion.

        Args:
            name: of the topic.
            partitions: choose them for good: more of them later move keys, and the old messages stay where they were.
            compaction_lag: after this time at the latest a superseded message may be compacted.
            tombstones: how long a deletion stays readable.
            replication_factor: as for any topic.
            config: entries that win over those of the preset.
            deletion_protection: as for any topic.
        """
        raise NotImplementedError

    @classmethod
    @_preset(_Telemetry)
    def telemetry(
        cls,
        name: str,
        *,
        partitions: int = 12,
        retention: Duration | str = "3d",
        retention_bytes: Quantity | str | None = None,
        replication_factor: int | None = None,
        config: Mapping[str, ConfigValue] | None = None,
        deletion_protection: bool = True,
    ) -> Self:
        """Measurements and logs of many devices, most of them read once.

        ``message.timestamp.type=LogAppendTime``: retention follows the time in the message, and clocks of devices are
        wrong. A message from 1970 would be deleted at once, one from 2070 never; the device's own time belongs in the
        message. Segments as for :meth:`events`.

        Args:
            name: of the topic.
            partitions: :class:`~hikube_kafka.spec.Workload` computes them.
            retention: long enough for the longest outage of what reads it.
            retention_bytes: of each partition, whichever limit is met first: a storm of messages then cannot fill the
                disks. None means no limit of the topic's own.
            replication_factor: as for any topic.
            config: entries that win over those of the preset.
            deletion_protection: as for any topic.
        """
        raise NotImplementedError

    @classmethod
    @_preset(_WorkQueue)
    def work_queue(
        cls,
        name: str,
        *,
        partitions: int = 12,
        retention: Duration | str = "14d",
        replication_factor: int | None = None,
        config: Mapping[str, ConfigValue] | None = None,
        deletion_protection: bool = True,
    ) -> Self:
        """Tasks, each for one of many workers.

        Kafka deletes a task when its time is over, done or not, so the retention is long, and ``retention.bytes=-1``
        says that no number of waiting tasks has the oldest deleted, whatever the brokers' default. Segments and clocks
        as for :meth:`events`.

        Args:
            name: of the topic.
            partitions: the most workers that work at once.
            retention: longer than the longest time that all workers may be away.
            replication_factor: as for any topic.
            config: entries that win over those of the preset.
            deletion_protection: as for any topic.
        """
        raise NotImplementedError

    @classmethod
    @_preset(_DeadLetters, named=False)
    def dead_letters(
        cls,
        *,
        of: "str | Topic",
        name: str | None = None,
        partitions: int = 1,
        retention: Duration | str = "14d",
        replication_factor: int | None = None,
        config: Mapping[str, ConfigValue] | None = None,
        deletion_protection: bool = True,
    ) -> Self:
        """Messages that could not be processed, for people to look at.

        ``message.timestamp.type=LogAppendTime``: Connect keeps the time of the message itself, and one that was old
        when it failed would be deleted at once. ``max.message.bytes`` leaves 1 MiB beyond the largest message for the
        headers that tell why it failed; without it the largest ones could not be put aside. ``retention.bytes=-1`` as
        for :meth:`work_queue`.

        Args:
            of: the topic, or the connector, whose messages they are; a topic's own ``max.message.bytes`` counts.
            name: of the topic. None means ``<of>.dead-letters``.
            partitions: one keeps them in their order.
            retention: long enough for somebody to look.
            replication_factor: as for any topic.
            config: entries that win over those of the preset.
            deletion_protection: as for any topic.
        """
        raise NotImplementedError
