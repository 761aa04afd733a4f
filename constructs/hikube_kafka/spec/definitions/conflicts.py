"""Entries that are fine one by one and contradict each other: what Kafka checks when a topic or a broker is made.

Sources: ``LogConfig.validate`` for topics; ``KafkaConfig.validateValues``, ``GroupCoordinatorConfig`` and
``ShareGroupConfig`` for brokers, as far as they do not speak of what the platform computes.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hikube_kafka.spec.definitions.catalog import broker_definitions, topic_definitions
from hikube_kafka.spec.definitions.definition import Definition, Mismatch, Parsed, canonical
from hikube_kafka.spec.definitions.fault import Fault

_CLEANER_MINIMUM = 1024 * 1024
_UNLIMITED = -1

_ASCENDING = (
    ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("replica.fetch.wait.max.ms", "replica.socket.timeout.ms"),
    ("replica.fetch.wait.max.ms", "replica.lag.time.max.ms"),
    ("offsets.commit.required.acks", "offsets.topic.replication.factor"),
    ("group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"),
    ("group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"),
    ("group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms"),
    ("group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    ("group.share.min.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"),
    ("group.share.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"),
    ("group.share.min.session.timeout.ms", "group.share.session.timeout.ms"),
    ("group.share.session.timeout.ms", "group.share.max.session.timeout.ms"),
    ("group.share.min.record.lock.duration.ms", "group.share.record.lock.duration.ms"),
    ("group.share.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"),
)
"""Broker keys of which the first must not exceed the second."""

_BOUNDS = {
    "log.roll.ms": (1, math.inf),
    "log.roll.jitter.ms": (0, math.inf),
    "offsets.commit.required.acks": (-1, math.inf),
    "offsets.topic.compression.codec": (0, 4),
}
"""The least and the largest values that Kafka demands outside its definitions."""


@dataclass(frozen=True, slots=True)
class _Entries:
    """The values in force: declared ones first, then those of the brokers, then Kafka's defaults."""

    declared: Mapping[str, object]
    parsed: Mapping[str, Parsed]
    definitions: Mapping[str, Definition]
    broker: Mapping[str, object] | None
    """The brokers' configuration; None: it is not known, and nothing that hangs on it is a fault."""

    def __getitem__(self, key: str) -> Parsed | None:
        if key in self.parsed:
            return self.parsed[key]
        definition = self.definitions[key]
        inherited = _inherited(definition, self.broker or {})
        if inherited is not None:
            return inherited
        return None if definition.default is None else definition.parse(definition.default)

    def number(self, key: str) -> float:
        value = self[key]
        if isinstance(value, str | tuple) or value is None:
            msg = f"{key} is not a number"
            raise TypeError(msg)
        return value

    def said(self, key: str) -> str:
        """The key, its value and who says so."""
        definition = self.definitions[key]
        if key in self.parsed:
            origin = ""
        elif _inherited(definition, self.broker or {}) is None:
            origin = " by default"
        else:
            origin = " in the brokers' configuration"
        return f"'{key}' is {canonical(definition, self[key])}{origin}"

    def conflict(self, keys: tuple[str, ...], rule: str, remedy: str) -> Iterator[Fault]:
        """A fault pinned to the first of the keys that is declared; without one it is not this declaration's fault."""
        if self.broker is None and any(key not in self.parsed and self.definitions[key].broker_keys for key in keys):
            return
        if any(key in self.declared and key not in self.parsed for key in keys):
            return  # its value is a fault of its own, or known to the broker alone
        for key in keys:
            if key in self.parsed:
                yield Fault(
                    key=key,
                    value=self.declared[key],
                    rule="conflict",
                    problem=f"{' while '.join(self.said(key) for key in keys)}; {rule}.",
                    remedy=remedy,
                )
                return


def topic_conflicts(
    declared: Mapping[str, object], parsed: Mapping[str, Parsed], broker: Mapping[str, object] | None
) -> Iterator[Fault]:
    """The contradictions among the entries of one topic, under ZooKeeper; see ``check_topic_config``."""
    entries = _Entries(declared, parsed, topic_definitions(), broker)
    yield from _ascending(entries, "min.compaction.lag.ms", "max.compaction.lag.ms")
    for key in ("remote.log.copy.disable", "remote.log.delete.on.disable"):
        if entries[key]:
            yield from entries.conflict((key,), "Kafka refuses it where brokers use ZooKeeper", "Leave it out.")
    if not entries["remote.storage.enable"]:
        return
    if broker is not None and not _remote_storage(broker):
        yield from entries.conflict(
            ("remote.storage.enable",),
            "the brokers have no remote storage ('remote.log.storage.system.enable' is false)",
            "Leave it out, or give the brokers remote storage.",
        )
    policy = entries["cleanup.policy"]
    if isinstance(policy, tuple) and "compact" in policy:
        yield from entries.conflict(
            ("remote.storage.enable", "cleanup.policy"),
            "Kafka keeps no compacted topic in remote storage",
            "Choose one of the two.",
        )
    yield from _local_retention(entries, "local.retention.bytes", "retention.bytes")
    yield from _local_retention(entries, "local.retention.ms", "retention.ms")


def broker_conflicts(declared: Mapping[str, object], parsed: Mapping[str, Parsed]) -> Iterator[Fault]:
    """The contradictions among the entries of the brokers; see ``check_broker_config``."""
    entries = _Entries(declared, parsed, broker_definitions(), {})
    for low, high in _ASCENDING:
        yield from _ascending(entries, low, high)
    for key, (lowest, largest) in _BOUNDS.items():
        if key in parsed and not lowest <= entries.number(key) <= largest:
            demand = f"at least {lowest}" if largest == math.inf else f"between {lowest} and {largest}"
            yield from entries.conflict((key,), f"Kafka demands {demand}", f"Write a value of {demand}.")
    protocols = entries["group.coordinator.rebalance.protocols"]
    if isinstance(protocols, tuple) and "classic" not in protocols:
        yield from entries.conflict(
            ("group.coordinator.rebalance.protocols",), "Kafka refuses to be without 'classic'", "Add 'classic'."
        )
    retention = _retention_in_force(entries)
    if entries[retention] == 0:
        yield from entries.conflict(
            (retention,), "Kafka demands at least 1", "Write at least 1, or -1 to keep messages for ever."
        )
    yield from _cleaner(entries)
    yield from _connections(entries)
    if _remote_storage(declared):
        yield from _local_retention(entries, "log.local.retention.bytes", "log.retention.bytes")
        yield from _local_retention(entries, "log.local.retention.ms", retention)


def _ascending(entries: _Entries, low: str, high: str) -> Iterator[Fault]:
    if entries.number(low) > entries.number(high):
        yield from entries.conflict(
            (low, high), f"'{low}' must not exceed '{high}'", f"Lower '{low}' or raise '{high}'."
        )


def _local_retention(entries: _Entries, local: str, total: str) -> Iterator[Fault]:
    unit = topic_definitions()["retention.ms"].broker_keys.get(total, 1)
    kept_locally, kept = entries.number(local), entries.number(total) * unit
    if kept <= _UNLIMITED:
        return
    # -2, the same as the retention, is below every number that can be kept.
    if kept_locally == _UNLIMITED or kept_locally > kept:
        yield from entries.conflict(
            (local, total),
            "no more can be kept on the brokers than is kept at all",
            f"Lower '{local}' to at most {kept:.0f}, or to -2 for the same as '{total}'.",
        )


def _retention_in_force(entries: _Entries) -> str:
    """The broker key that decides how long messages are kept: the finest unit that is set."""
    keys = topic_definitions()["retention.ms"].broker_keys
    return next(key for key in keys if entries[key] is not None)


def _cleaner(entries: _Entries) -> Iterator[Fault]:
    threads, size = "log.cleaner.threads", "log.cleaner.dedupe.buffer.size"
    if not entries[threads] or entries.number(size) // entries.number(threads) <= _CLEANER_MINIMUM:
        yield from entries.conflict(
            (size, threads),
            "each thread needs more than 1 MiB of the buffer, and there must be one",
            f"Raise '{size}', or lower '{threads}' to not less than 1.",
        )


def _connections(entries: _Entries) -> Iterator[Fault]:
    queued, request = "queued.max.request.bytes", "socket.request.max.bytes"
    if 0 < entries.number(queued) < entries.number(request):
        yield from entries.conflict(
            (queued, request), "the queue must hold the largest request", f"Raise '{queued}', or write -1 for no limit."
        )
    per_address, overrides = "max.connections.per.ip", "max.connections.per.ip.overrides"
    if entries[per_address] == 0 and not entries[overrides]:
        yield from entries.conflict(
            (per_address,), "nobody could connect", f"Write at least 1, or name who may connect in '{overrides}'."
        )
    delay, idle = "connection.failed.authentication.delay.ms", "connections.max.idle.ms"
    if 0 <= entries.number(idle) <= entries.number(delay):
        yield from entries.conflict(
            (idle, delay),
            "a refusal must be sent before the connection is closed as idle",
            f"Lower '{delay}' or raise '{idle}'.",
        )


def _inherited(definition: Definition, broker: Mapping[str, object]) -> Parsed | None:
    """What the brokers' configuration says for a topic's key, in the unit of that key."""
    for key, unit in definition.broker_keys.items():
        if key in broker:
            try:
                value = broker_definitions()[key].parse(broker[key])
            except Mismatch:
                return None  # a fault of the brokers' configuration, not of the topic's
            # A negative time means for ever, whatever its unit.
            return value * unit if isinstance(value, int) and not isinstance(value, bool) and value > 0 else value
    return None


def _remote_storage(broker: Mapping[str, object]) -> bool:
    definition = broker_definitions()["remote.log.storage.system.enable"]
    try:
        return definition.parse(broker.get(definition.name, definition.default)) is True
    except Mismatch:
        return False
