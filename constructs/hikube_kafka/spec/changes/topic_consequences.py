"""What a change of a topic does to its messages and its clients, beyond what the provider refuses. For reviews alone.

Source of what Kafka does: the topic configs of its documentation, https://kafka.apache.org/39/documentation.html.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hikube_kafka.spec.changes.topic_entries import canonical
from hikube_kafka.spec.definitions.catalog import topic_definitions
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.quantities import Quantity, whole
from hikube_kafka.spec.rules.brokers import FACTOR_LOW
from hikube_kafka.spec.rules.topics import INTERNAL as INTERNAL_TOPIC
from hikube_kafka.spec.topic_limits import INTERNAL, min_insync_problems

DELETED = Rule(
    id="topic-deleted",
    severity="error",
    message="it is deleted with every message in its {partitions} partition{s}{instead}.",
    why="Kafka has no way back: the messages are lost, and the offsets of its consumer groups with them. Clients that "
    "still use it fail with UNKNOWN_TOPIC_OR_PARTITION.",
    remedy="{keep} If nobody needs its messages any more, waive this finding for this change.",
    message_in_general="it is deleted or replaced, with every message in it.",
    remedy_in_general="Declare it again to keep it. If nobody needs its messages any more, waive this finding for this "
    "change.",
)
FORGOTTEN = Rule(
    id="topic-forgotten",
    severity="notice",
    message="Terraform forgets it; the topic and its messages stay in Kafka.",
    why="From now on no plan shows what changes in it, and no plan protects it.",
    remedy="Nothing, if that is meant. To manage it again, import it by its name.",
)
FORGOTTEN_AND_MADE = Rule(
    id="topic-forgotten-and-made",
    severity="error",
    message="Terraform forgets it, and creates {another}.",
    why="What it forgets stays in Kafka. A topic of the same name then makes the apply fail halfway; one of another "
    "name starts empty.",
    remedy="To keep the topic and its messages, declare it as before.",
)
PROTECTION_REMOVED = Rule(
    id="topic-protection-removed",
    severity="error",
    message="its deletion_protection is removed.",
    why="The next plan may delete or replace the topic, and all its messages with it.",
    remedy="Keep deletion_protection = true. If the topic is to go with the next change, waive this finding.",
)
RETENTION_CUT = Rule(
    id="topic-retention-cut",
    severity="error",
    message="{key} is cut from {before} to {after}.",
    why="Brokers delete messages beyond the new limit within minutes, whether consumers have read them or not: those "
    "that are there now may be lost.",
    remedy="Keep {key} = {value}. If every consumer has read what it needs, waive this finding for this change.",
    message_in_general="retention.ms or retention.bytes is cut.",
    remedy_in_general="Keep the retention. If every consumer has read what it needs, waive this finding for this "
    "change.",
)
LOCAL_RETENTION_CUT = Rule(
    id="topic-local-retention-cut",
    severity="warning",
    message="{key} is cut from {before} to {after}.",
    why="Brokers keep less on their own disks; what they have copied to the remote storage is read from there, more "
    "slowly.",
    remedy="Check that the remote storage can serve consumers that lag behind.",
    message_in_general="local.retention.ms or local.retention.bytes is cut.",
)
REMOTE_STORAGE_OFF = Rule(
    id="topic-remote-storage-off",
    severity="error",
    message="its remote storage is switched off.",
    why="Messages that are in the remote storage alone can no longer be read.",
    remedy="Keep remote.storage.enable = true; to stop copying alone, set remote.log.copy.disable = true.",
)
STARTS_DELETING = Rule(
    id="topic-starts-deleting",
    severity="error",
    message="cleanup.policy changes from {before} to {after}: messages are now deleted by age and size "
    "(retention.ms = {ms}, retention.bytes = {size}).",
    why="So far the last value of each key was kept for good. Brokers now delete values beyond the retention within "
    "minutes, even the last one of a key.",
    remedy="Keep cleanup.policy = {before}. If nobody needs the older values, waive this finding for this change.",
    message_in_general="cleanup.policy changes from compact to one with delete: messages are now deleted by age and "
    "size.",
    remedy_in_general="Keep cleanup.policy = compact. If nobody needs the older values, waive this finding for this "
    "change.",
)
COMPACTED = Rule(
    id="topic-compacted",
    severity="warning",
    message="cleanup.policy changes from {before} to {after}: it is now compacted.",
    why="Brokers keep the last value of each key and remove earlier ones, and they refuse messages without a key.",
    remedy="Check that every producer sends keys, and that no consumer needs the earlier values.",
    message_in_general="cleanup.policy changes to one with compact.",
)
COMPACTION_ENDS = Rule(
    id="topic-compaction-ends",
    severity="warning",
    message="cleanup.policy changes from {before} to {after}: it is no longer compacted.",
    why="Brokers keep every value of each key until the retention ends: the topic takes more disk, and reading it from "
    "the beginning takes longer.",
    remedy="Check that the disks hold all values until the retention ends.",
    message_in_general="cleanup.policy changes from compact,delete to delete.",
)
COMPACTION_SOONER = Rule(
    id="topic-compaction-sooner",
    severity="warning",
    message="{key} is cut from {before} to {after}.",
    why="{effect}",
    remedy="Check that every consumer reads the topic within that time, those that start from the beginning too.",
    message_in_general="delete.retention.ms, min.compaction.lag.ms or max.compaction.lag.ms is cut.",
)
MESSAGE_SIZE = Rule(
    id="topic-message-size",
    severity="warning",
    message="max.message.bytes changes from {before} to {after}.",
    why="{effect}",
    remedy="{check}",
    message_in_general="max.message.bytes changes.",
    remedy_in_general="Check max.request.size of the producers, or the memory and fetch sizes of the consumers.",
)
MIN_INSYNC_LOWERED = Rule(
    id="topic-min-insync-lowered",
    severity="warning",
    message="min.insync.replicas is lowered from {before} to {after}.",
    why="With acks=all, a write counts as done once {after} replica{s} ha{ve} it: {loss}.",
    remedy="Keep min.insync.replicas = {before}.",
    message_in_general="min.insync.replicas is lowered.",
    remedy_in_general="Keep it as it is.",
)
MIN_INSYNC_RAISED = Rule(
    id="topic-min-insync-raised",
    severity="warning",
    message="min.insync.replicas is raised from {before} to {after}.",
    why="Producers with acks=all fail with NOT_ENOUGH_REPLICAS while fewer than {after} of {factor} replicas are in "
    "sync.",
    remedy="Apply it while every partition is in sync.",
    message_in_general="min.insync.replicas is raised.",
)
UNCLEAN = Rule(
    id="topic-unclean-election",
    severity="error",
    message="unclean.leader.election.enable becomes true.",
    why="A replica that is not in sync may then become leader: messages that were acknowledged are lost.",
    remedy="Leave it at false. Set it only while a partition is offline for good, and set it back at once.",
)
COPIES_FEWER = Rule(
    id="topic-copies-fewer",
    severity="warning",
    message="its replication factor is lowered from {before} to {after}.",
    why="Each partition loses {lost}: it then survives the loss of {survives} and no more.",
    remedy="Keep replication_factor = {before} where the messages matter.",
    message_in_general="the replication factor of a topic is lowered.",
    remedy_in_general="Keep it where the messages matter.",
)
COPIES_MORE = Rule(
    id="topic-copies-more",
    severity="notice",
    message="its replication factor is raised from {before} to {after}.",
    why="Brokers copy all its messages to {gained} each partition, which takes disk, network and time.",
    remedy="Check that the disks have room for the copies, and apply while the load is low.",
    message_in_general="the replication factor of a topic is raised.",
)
PARTITIONS_GROW = Rule(
    id="topic-partitions-grow",
    severity="warning",
    message="it grows from {before} to {after} partitions.",
    why="Most keys go to another partition from now on, while their earlier messages stay where they are: the order of "
    "messages of one key is lost at that point, and consumers that keep state for each partition find it elsewhere.",
    remedy="Where the order of a key matters, stop its producers, let the consumers read to the end, then apply. It "
    "cannot be undone.",
    message_in_general="it gets more partitions.",
)
TIMESTAMPS = Rule(
    id="topic-timestamps",
    severity="warning",
    message="{key} changes from {before} to {after}.",
    why="{effect}",
    remedy="Check what the producers set and what the consumers and the retention make of it.",
    message_in_general="message.timestamp.type changes, or the bounds of timestamps become narrower.",
)
OLD_CLIENTS = Rule(
    id="topic-old-clients",
    severity="warning",
    message="{key} changes from {before} to {after}.",
    why="Consumers that are older than Kafka 0.11 may no longer be able to read it.",
    remedy="Check the versions of its consumers.",
    message_in_general="message.format.version or message.downconversion.enable changes.",
)

_SOONER = {
    "delete.retention.ms": "Tombstones, which mark a key as deleted, are removed sooner: a consumer that takes longer "
    "to read from the beginning never learns that those keys are deleted.",
    "min.compaction.lag.ms": "Earlier values of a key may be removed sooner: a consumer that lags further behind does "
    "not see them.",
    "max.compaction.lag.ms": "Earlier values of a key are removed after that time at the latest, read or not.",
}
_TYPES = {
    "LogAppendTime": "Messages carry the broker's time, and no longer the producer's; retention.ms counts from it.",
    "CreateTime": "Messages carry the producer's time, and no longer the broker's; retention.ms counts from it, so "
    "messages with old timestamps are deleted early.",
}
_WANTED_REPLICAS = 3
_DAY, _HOUR, _MINUTE, _SECOND = 86_400_000, 3_600_000, 60_000, 1000
_LONGEST = 2**63 - 1

DECIDES: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("partitions",),
    ("replication_factor",),
    ("deletion_protection",),
    *(
        ("config", key)
        for key in (
            "cleanup.policy",
            "retention.ms",
            "retention.bytes",
            "min.insync.replicas",
            "unclean.leader.election.enable",
            "remote.storage.enable",
        )
    ),
)
"""What a change of a topic cannot be judged without."""
DECIDES_AT_FIRST: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("partitions",),
    ("replication_factor",),
    ("config", "min.insync.replicas"),
    ("config", "unclean.leader.election.enable"),
)
"""What the creation of a topic, which has no messages yet, cannot be judged without."""


class Brokers(NamedTuple):
    """The configuration that a topic falls back to where it has no entry of its own."""

    before: Mapping[str, str] = {}
    after: Mapping[str, str] = {}


def consequences(
    prior: Mapping[str, Any] | None,
    planned: Mapping[str, Any] | None,
    brokers: Brokers | None = None,
    *,
    replaced: bool = False,
) -> Iterator[Problem]:
    """What the change does to messages and clients.

    Args:
        prior: As the topic is; None: it is created.
        planned: As it is to be; None: it is deleted.
        brokers: The configuration of the brokers; what it does not say is as Kafka has it by default.
        replaced: It is deleted and created anew under the same name.
    """
    brokers = brokers or Brokers()
    if prior is not None and (replaced or planned is None or planned.get("name") != prior["name"]):
        if prior.get("deletion_protection") is False:
            yield _deleted(prior, planned)
        return
    if planned is None:
        return
    if planned.get("name") in INTERNAL:
        yield INTERNAL_TOPIC(_where(planned), path=("name",))
    if prior is None:
        yield from _at_first(planned, brokers.after)
        return
    if prior.get("deletion_protection") is not False and planned.get("deletion_protection", True) is False:
        yield PROTECTION_REMOVED(_where(prior), path=("deletion_protection",))
    if "partitions" in planned and planned["partitions"] > prior["partitions"]:
        yield PARTITIONS_GROW(
            _where(prior), path=("partitions",), before=prior["partitions"], after=planned["partitions"]
        )
    yield from _copies(prior, planned)
    entries = _Entries(prior, planned, brokers)
    yield from _messages(entries)
    yield from _writes(entries, prior, planned, brokers)
    yield from _times(entries)


def forgotten(prior: Mapping[str, Any], planned: Mapping[str, Any] | None) -> Iterator[Problem]:
    """What it means that Terraform forgets a topic without touching it.

    Args:
        prior: As it is.
        planned: What is created in its place; None: nothing.
    """
    if planned is None:
        yield FORGOTTEN(_where(prior))
        return
    same = planned.get("name") == prior["name"]
    yield FORGOTTEN_AND_MADE(
        _where(prior), path=("name",), another="it anew" if same else f"topic {planned.get('name', 'of another name')}"
    )


def _where(values: Mapping[str, Any]) -> str:
    return f"topic {values['name']}" if "name" in values else "a topic"


def _deleted(prior: Mapping[str, Any], planned: Mapping[str, Any] | None) -> Problem:
    instead, keep = "", "Declare it again to keep it."
    if planned is not None:
        instead, keep = ", and created again, empty", "Leave out -replace; if it is tainted, use terraform untaint."
        if planned.get("name") != prior["name"]:
            another = f"topic {planned['name']}" if "name" in planned else "a topic of a name known after the apply"
            instead = f", and {another} is created in its place, empty"
            keep = f'Set name = "{prior["name"]}" again to keep it: Kafka cannot rename a topic.'
    count = prior["partitions"]
    return DELETED(
        _where(prior),
        path=() if planned is None else ("name",),
        instead=instead,
        partitions=count,
        s="" if count == 1 else "s",
        keep=keep,
    )


def _at_first(planned: Mapping[str, Any], broker: Mapping[str, str]) -> Iterator[Problem]:
    factor = planned.get("replication_factor")
    if factor is not None and factor < _WANTED_REPLICAS:
        yield _low(planned, factor)
    entries = canonical(planned.get("config"))
    yield from _no_room(planned, entries, broker)
    if entries.get("unclean.leader.election.enable") == "true":
        yield UNCLEAN(_where(planned), path=("config", "unclean.leader.election.enable"))


def _low(planned: Mapping[str, Any], factor: int) -> Problem:
    return FACTOR_LOW(
        _where(planned),
        path=("replication_factor",),
        declared=f"replication factor {factor}: one failure while a broker restarts makes partitions unavailable",
        wanted=f"{_WANTED_REPLICAS} where the messages matter",
    )


def _copies(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[Problem]:
    before, after = prior["replication_factor"], planned.get("replication_factor", prior["replication_factor"])
    path = ("replication_factor",)
    if after < before:
        lost = before - after
        yield COPIES_FEWER(
            _where(prior),
            path=path,
            before=before,
            after=after,
            lost="a copy" if lost == 1 else f"{lost} copies",
            survives="no broker" if after == 1 else f"{after - 1} broker{'s' if after > 2 else ''}",  # noqa: PLR2004
        )
    elif after > before:
        gained = after - before
        yield COPIES_MORE(
            _where(prior),
            path=path,
            before=before,
            after=after,
            gained="one more broker for" if gained == 1 else f"{gained} more brokers for",
        )
        if after < _WANTED_REPLICAS:
            yield _low(prior, after)


class _Entries:
    """The entries in force, before and after: the topic's own, else the brokers', else Kafka's default."""

    def __init__(self, prior: Mapping[str, Any], planned: Mapping[str, Any], brokers: Brokers) -> None:
        self.where = _where(prior)
        self._before, self._after = canonical(prior.get("config")), canonical(planned.get("config"))
        self._brokers = brokers

    def changed(self, key: str) -> bool:
        """Whether the topic itself says something else of it: what the brokers change is said of the brokers."""
        return self._before.get(key) != self._after.get(key)

    def before(self, key: str) -> str:
        return in_force(key, self._before, self._brokers.before)

    def after(self, key: str) -> str:
        return in_force(key, self._after, self._brokers.after)

    def numbers(self, key: str) -> tuple[int, int] | None:
        """Before and after, where the topic changes it; None otherwise, or where it is no number."""
        if not self.changed(key):
            return None
        before, after = whole(self.before(key)), whole(self.after(key))
        return None if before is None or after is None or before == after else (before, after)

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is ever deleted by age or size afterwards, as far as all that decides is known."""
        keys = ("retention.ms", "retention.bytes")
        known = bool(self._brokers.after) or all(key in self._after for key in keys)
        numbers = [whole(self.after(key)) for key in keys]
        return known and all(number is not None and _limit(number) == _LONGEST for number in numbers)

    def follows(self, key: str, *, after: bool) -> str:
        """What is to be said of a value that is not the topic's own."""
        return "" if key in (self._after if after else self._before) else " by the brokers' default"


def in_force(key: str, entries: Mapping[str, str], broker: Mapping[str, str]) -> str:
    """What holds for a topic: its own entry, else the brokers' in the unit of its key, else Kafka's default."""
    definition = topic_definitions()[key]
    if key in entries:
        return entries[key]
    for name, unit in definition.broker_keys.items():
        if name in broker:
            number = whole(str(broker[name]))
            return str(broker[name]) if number is None or number <= 0 else str(number * unit)
    return definition.default or ""


def _messages(entries: _Entries) -> Iterator[Problem]:
    """Messages that are there now."""
    key = "cleanup.policy"
    before, after = _policies(entries.before(key)), _policies(entries.after(key))
    facts: dict[str, Any] = {"before": ",".join(sorted(before)), "after": ",".join(sorted(after))}
    started = entries.changed(key) and "delete" in after and "delete" not in before and not entries.keeps_all
    if started:
        yield STARTS_DELETING(
            entries.where,
            path=("config", key),
            ms=_time(entries.after("retention.ms")),
            size=_size(entries.after("retention.bytes")),
            **facts,
        )
    elif entries.changed(key) and "compact" in before and "compact" not in after:
        yield COMPACTION_ENDS(entries.where, path=("config", key), **facts)
    if entries.changed(key) and "compact" in after and "compact" not in before:
        yield COMPACTED(entries.where, path=("config", key), **facts)
    if "delete" in after and not started:
        yield from _retention(entries)
    yield from _remote(entries)
    if "compact" in before & after:
        for key, effect in _SOONER.items():
            numbers = entries.numbers(key)
            if numbers and numbers[1] < numbers[0]:
                yield COMPACTION_SOONER(
                    entries.where, path=("config", key), key=key, effect=effect, **_facts(entries, key, numbers)
                )


def _policies(value: str) -> set[str]:
    return {each.strip() for each in value.split(",") if each.strip()}


def _retention(entries: _Entries) -> Iterator[Problem]:
    for key in ("retention.ms", "retention.bytes"):
        numbers = entries.numbers(key)
        if numbers and _limit(numbers[1]) < _limit(numbers[0]):
            yield RETENTION_CUT(
                entries.where, path=("config", key), key=key, value=numbers[0], **_facts(entries, key, numbers)
            )


def _remote(entries: _Entries) -> Iterator[Problem]:
    key = "remote.storage.enable"
    if entries.before(key) != "true":
        return
    if entries.after(key) != "true":
        yield REMOTE_STORAGE_OFF(entries.where, path=("config", key))
        return
    for key, total in (("local.retention.ms", "retention.ms"), ("local.retention.bytes", "retention.bytes")):
        before, after = (whole(each) for each in (entries.before(key), entries.after(key)))
        if not entries.changed(key) or before is None or after is None:
            continue
        # -2 means: as long as the whole retention.
        was = whole(entries.before(total)) if before == -2 else before  # noqa: PLR2004
        will = whole(entries.after(total)) if after == -2 else after  # noqa: PLR2004
        if was is not None and will is not None and _limit(will) < _limit(was):
            yield LOCAL_RETENTION_CUT(entries.where, path=("config", key), key=key, **_facts(entries, key, (was, will)))


def _limit(number: int) -> int:
    """A negative retention has no end."""
    return _LONGEST if number < 0 else number


def _facts(entries: _Entries, key: str, numbers: tuple[int, int]) -> dict[str, Any]:
    shown = _size if key.endswith("bytes") else _time
    before, after = (shown(str(each)) for each in numbers)
    return {
        "before": before + entries.follows(key, after=False),
        "after": after + entries.follows(key, after=True),
    }


def _writes(
    entries: _Entries, prior: Mapping[str, Any], planned: Mapping[str, Any], brokers: Brokers
) -> Iterator[Problem]:
    """What producers and consumers meet."""
    key = "max.message.bytes"
    numbers = entries.numbers(key)
    if numbers:
        lowered = numbers[1] < numbers[0]
        yield MESSAGE_SIZE(
            entries.where,
            path=("config", key),
            effect="Brokers refuse larger batches with MESSAGE_TOO_LARGE; what is there already stays."
            if lowered
            else "Consumers and replicas need memory for batches of that size.",
            check="Check max.request.size and batch.size of its producers."
            if lowered
            else "Check the memory of its consumers, and raise max.request.size of the producers that need it.",
            **_facts(entries, key, numbers),
        )
    key = "unclean.leader.election.enable"
    if entries.changed(key) and entries.after(key) == "true" != entries.before(key):
        yield UNCLEAN(entries.where, path=("config", key))
    factor = planned.get("replication_factor", prior["replication_factor"])
    key = "min.insync.replicas"
    if entries.changed(key) or factor != prior["replication_factor"]:
        yield from _no_room(planned, canonical(planned.get("config")), brokers.after)
    numbers = entries.numbers(key)
    if numbers:
        before, after = numbers
        one = after == 1
        if after < before:
            yield MIN_INSYNC_LOWERED(
                entries.where,
                path=("config", key),
                before=before,
                after=after,
                s="" if one else "s",
                ve="s" if one else "ve",
                loss="if that broker is lost, so is the message"
                if one
                else f"if {after} brokers are lost, so is the message",
            )
        elif after <= max(factor - 1, 1):
            yield MIN_INSYNC_RAISED(entries.where, path=("config", key), before=before, after=after, factor=factor)


def _no_room(planned: Mapping[str, Any], entries: Mapping[str, str], broker: Mapping[str, str]) -> Iterator[Problem]:
    """The brokers' min ISR, where it does not fit the topic; the topic's own is judged as the provider does."""
    key, factor = "min.insync.replicas", planned.get("replication_factor")
    # Kafka asks for no more in-sync replicas than a topic has, so one replica with a higher min ISR can be written.
    if factor is not None and factor > 1 and key not in entries and key in broker:
        yield from min_insync_problems(_where(planned), str(broker[key]), factor, instead="raise replication_factor")


def brokers_leave_no_room(prior: Mapping[str, Any], planned: Mapping[str, Any], brokers: Brokers) -> Iterator[Problem]:
    """A topic that follows the brokers' ``min.insync.replicas``, which changes to what does not fit it.

    Args:
        prior: The topic as it is.
        planned: As it is to be; it may be the same.
        brokers: Their configuration.
    """
    key = "min.insync.replicas"
    if in_force(key, {}, brokers.before) != in_force(key, {}, brokers.after) and planned.get("name") == prior.get(
        "name"
    ):
        yield from _no_room(planned, canonical(planned.get("config")), brokers.after)


def _times(entries: _Entries) -> Iterator[Problem]:
    key = "message.timestamp.type"
    before, after = entries.before(key), entries.after(key)
    if entries.changed(key) and before != after and after in _TYPES:
        yield TIMESTAMPS(entries.where, path=("config", key), key=key, before=before, after=after, effect=_TYPES[after])
    for key, which in (("message.timestamp.before.max.ms", "older"), ("message.timestamp.after.max.ms", "later")):
        numbers = entries.numbers(key)
        if numbers and numbers[1] < numbers[0]:
            yield TIMESTAMPS(
                entries.where,
                path=("config", key),
                key=key,
                effect=f"Brokers refuse messages whose timestamps are {which} than that with INVALID_TIMESTAMP.",
                **_facts(entries, key, numbers),
            )
    for key in ("message.format.version", "message.downconversion.enable"):
        before, after = entries.before(key), entries.after(key)
        if entries.changed(key) and after not in {before, "true"}:
            yield OLD_CLIENTS(entries.where, path=("config", key), key=key, before=before, after=after)


def _time(text: str) -> str:
    """Milliseconds for people: ``604800000 (7 d)``, ``-1 (without end)``."""
    number = whole(text)
    if number is None:
        return text
    if number < 0 or number == _LONGEST:
        return f"{number} (without end)"
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (_SECOND, "s")):
        if number >= unit and number % unit == 0:
            return f"{number} ms ({number // unit} {name})"
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (_SECOND, "s")):
        if number >= unit:
            return f"{number} ms (about {number / unit:.3g} {name})"
    return f"{number} ms"


def _size(text: str) -> str:
    """Bytes for people: ``1073741824 bytes (1Gi)``."""
    number = whole(text)
    if number is None:
        return text
    if number < 0:
        return f"{number} (without end)"
    short = Quantity.of_bytes(number).text
    return f"{number} bytes" if short == str(number) else f"{number} bytes ({short})"
