"""Changes of the brokers' configuration: what happens to messages, copies, offsets, and to who a broker is.

Sources of what Kafka does: its documentation of the broker configs and of upgrades,
https://kafka.apache.org/39/documentation.html and https://kafka.apache.org/39/getting-started/upgrade. The latter has
brokers of a new version speak the protocol of the old one (``inter.broker.protocol.version``) until all of them run the
new one, and only then the new protocol: after that there is no way back. The page of 4.0 adds that from there on Kafka
runs without ZooKeeper only.
"""

import math
import re
from collections.abc import Iterator
from posixpath import normpath

from hikube_kafka.spec.changes.release import Release, Version, version
from hikube_kafka.spec.definitions.catalog import broker_definition, topic_definitions
from hikube_kafka.spec.definitions.definition import Mismatch, Parsed
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.rules.brokers import FACTOR_LOW, there_are
from hikube_kafka.spec.topic_limits import (
    FACTOR_ABOVE_BROKERS,
    MIN_INSYNC_TOO_HIGH,
    leaves_no_room,
    wanted_min_insync,
)

RETENTION_CUT = Rule(
    id="broker-retention-cut",
    severity="error",
    message="{key} changes from {before} to {after}, for every topic without a retention of its own.",
    why="Brokers delete messages beyond the new limit within minutes (log.retention.check.interval.ms), whether "
    "consumers have read them or not.",
    remedy="Keep it, or give the topics that may lose messages a retention of their own.",
)
STARTS_DELETING = Rule(
    id="broker-starts-deleting",
    severity="error",
    message="log.cleanup.policy changes from {before} to {after}, for every topic without a policy of its own.",
    why="Compaction keeps the last value of each key for good. From now on brokers delete what is beyond the "
    "retention, last values too: those that are older are lost within minutes.",
    remedy="Keep log.cleanup.policy = {before}, or set cleanup.policy of the topics that are to change.",
)
STARTS_COMPACTING = Rule(
    id="broker-starts-compacting",
    severity="warning",
    message="log.cleanup.policy changes from {before} to {after}, for every topic without a policy of its own.",
    why="Of each key only the last value is kept: earlier ones are removed, read or not, and producers that send a "
    "message without a key are refused.",
    remedy="Keep log.cleanup.policy = {before}, or set cleanup.policy of the topics that are to change.",
)
OFFSETS_CUT = Rule(
    id="offsets-retention-cut",
    severity="warning",
    message="offsets.retention.minutes changes from {before} to {after}.",
    why="The committed offsets of a consumer group that has had no member for that long are deleted: when it comes "
    "back it begins where auto.offset.reset says, and reads messages twice or misses them.",
    remedy="Keep it above the longest time that a consumer group may be away.",
)
UNCLEAN = Rule(
    id="unclean-leader-election",
    severity="error",
    message="unclean.leader.election.enable is switched on.",
    why="When no in-sync replica is left, one that is behind becomes the leader: what it does not have is lost, "
    "although it was acknowledged.",
    remedy="Leave it false, and set unclean.leader.election.enable = true of the topics that may lose messages.",
)
CREATED_BY_CLIENTS = Rule(
    id="topics-created-by-clients",
    severity="warning",
    message="auto.create.topics.enable is switched on.",
    why="Any client that names a topic makes it, with the brokers' defaults: a misspelt name becomes a topic, and one "
    "that Terraform is to create is there already.",
    remedy="Leave it false, and declare topics.",
)
MESSAGE_SIZE = Rule(
    id="broker-message-size",
    severity="warning",
    message="message.max.bytes changes from {before} to {after}.",
    why="{consequence}",
    remedy="Set max.request.size of producers and max.partition.fetch.bytes of consumers to match, and "
    "replica.fetch.max.bytes of the brokers to {after} or more.",
)
MIN_INSYNC_LOWERED = Rule(
    id="min-insync-lowered",
    severity="warning",
    message="{key} changes from {before} to {after}.",
    why="A write with acks=all is acknowledged once {after} in-sync replicas have it: if these fail, it is lost.",
    remedy="Keep {key} = {before}.",
)
KRAFT_ONLY = Rule(
    id="kafka-version-needs-kraft",
    severity="error",
    message="Kafka {after} cannot run with ZooKeeper, and this chart's brokers do.",
    why="Kafka 4.0 removed ZooKeeper mode: the brokers do not start.",
    remedy="Stay with Kafka 3.9, the last line that runs with ZooKeeper.",
)
JUMP = Rule(
    id="kafka-version-jump",
    severity="error",
    message="Kafka is upgraded from {before} to {after}, and uses inter.broker.protocol.version {protocol} at once.",
    why="During the rolling restart brokers of both versions work together, and those of {before} do not know the "
    "protocol of {protocol}: requests between them fail, and replicas fall out of sync.",
    remedy="Set config[inter.broker.protocol.version] to {line} and apply; when all brokers run {after}, remove the "
    "entry and apply again.",
)
PROTOCOL_LOWERED = Rule(
    id="protocol-version-lowered",
    severity="error",
    message="{key} is lowered from {before} to {after}.",
    why="Brokers have written in the newer form already, to disk and to ZooKeeper. Kafka does not support going back.",
    remedy="Keep {before}.",
)
PROTOCOL_RAISED = Rule(
    id="protocol-version-raised",
    severity="warning",
    message="{key} changes from {before} to {after}.",
    why="From then on brokers write in the newer form, and there is no way back to a version before {after}.",
    remedy="Check first that Kafka {after} runs as you expect on all brokers.",
)
IDENTITY = Rule(
    id="broker-identity-changed",
    severity="error",
    message="{key} changes from {before} to {after}: each broker would be another one.",
    why="The replicas on its claim belong to the broker it was. It does not start, or joins empty while its replicas "
    "are missed.",
    remedy="Keep {key} = {before}.",
)
LOGS_MOVED = Rule(
    id="broker-logs-moved",
    severity="error",
    message="log.dirs no longer has {lost}.",
    why="Brokers find none of the replicas that they keep there. They copy all of them from others, which lost theirs "
    "as well: partitions whose replicas have all restarted are empty.",
    remedy="Keep log.dirs = {before}.",
)
OTHER_CLUSTER = Rule(
    id="broker-cluster-changed",
    severity="error",
    message="zookeeper.connect points to another ensemble or path: {what}.",
    why="Which topics there are, and which broker holds what of them, is in ZooKeeper. Brokers that find another "
    "cluster there do not start; those that find none begin an empty one.",
    remedy="Keep zookeeper.connect = {before}.",
)
RACKS_CHANGED = Rule(
    id="broker-racks-changed",
    severity="warning",
    message="the racks of the brokers change: {what}.",
    why="Kafka places replicas by rack when it creates a topic, and moves none afterwards: copies of a partition may "
    "share a rack from now on. Consumers that read from the nearest replica (client.rack) find another one.",
    remedy="Reassign the topics whose copies are to be in different racks: kafka-reassign-partitions.sh.",
)

Number = int | float
_FACTORS = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
)
_IN_SYNC = {
    "min.insync.replicas": "default.replication.factor",
    "transaction.state.log.min.isr": "transaction.state.log.replication.factor",
}
_WANTED = 3
_FIRST_WITHOUT_ZOOKEEPER = (4, 0)
_FORMAT_FOLLOWS_PROTOCOL = (3, 0)
"""With a protocol of 3.0 or more ``log.message.format.version`` is ignored. Source: its documentation."""


def parsed(release: Release, key: str) -> Parsed | None:
    """An entry as Kafka takes it, or its default; None where there is neither, or where it cannot be judged."""
    definition = broker_definition(key)
    if definition is None:  # a key of a plugin
        return release.entry(key)
    text = release.entry(key)
    if text is None:
        fault = ("config", key) in release.faults
        return None if fault or definition.default is None else definition.parse(definition.default)
    try:
        return definition.parse(text)
    except Mismatch as mismatch:
        release.fault(("config", key), mismatch.demand)
        return None


def whole_number(release: Release, key: str) -> int | None:
    """An entry that is a whole number, or its default."""
    found = parsed(release, key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def is_on(release: Release, key: str) -> bool | None:
    """An entry that is true or false, or its default; None where it cannot be judged."""
    found = parsed(release, key)
    return found if isinstance(found, bool) else None


def consequences(prior: Release | None, planned: Release) -> Iterator[Problem]:
    """What a change of the configuration does to messages and copies, and to who a broker is."""
    yield from _versions(prior, planned)
    yield from _copies(prior, planned)
    yield from _unclean(prior, planned)
    if prior is None:
        return
    yield from _identity(prior, planned)
    yield from _racks(prior, planned)
    yield from _retention(prior, planned)
    yield from _policy(prior, planned)
    yield from _lowered(prior, planned)
    if is_on(prior, "auto.create.topics.enable") is False and is_on(planned, "auto.create.topics.enable"):
        yield CREATED_BY_CLIENTS(planned.where, path=("config", "auto.create.topics.enable"))


def _versions(prior: Release | None, planned: Release) -> Iterator[Problem]:
    is_, was = version(planned), version(prior) if prior else None
    path = ("image", "tag")
    if is_ is not None and is_.line >= _FIRST_WITHOUT_ZOOKEEPER and (was is None or was.line != is_.line):
        yield KRAFT_ONLY(planned.where, path=path, after=is_)
        return
    if prior is None or was is None or is_ is None or is_.line < was.line:
        return
    before, after = _protocol(prior, was), _protocol(planned, is_)
    if before is None or after is None:
        return
    key, together = "inter.broker.protocol.version", planned.number("replicas") != 1
    if is_.line > was.line and after > was.line and together:
        yield JUMP(
            planned.where, path=path, before=was, after=is_, protocol=_line(after), line=_line(min(before, was.line))
        )
    elif before != after:
        rule = PROTOCOL_LOWERED if after < before else PROTOCOL_RAISED
        yield rule(planned.where, path=("config", key), key=key, before=_line(before), after=_line(after))
    if after < _FORMAT_FOLLOWS_PROTOCOL:
        key = "log.message.format.version"
        formats = [_line_of(each, key) or protocol for each, protocol in ((prior, before), (planned, after))]
        if formats[0] != formats[1]:
            rule = PROTOCOL_LOWERED if formats[1] < formats[0] else PROTOCOL_RAISED
            yield rule(planned.where, path=("config", key), key=key, before=_line(formats[0]), after=_line(formats[1]))


def _protocol(release: Release, runs: Version) -> tuple[int, int] | None:
    """What the brokers speak to one another: as it is set, else that of their version."""
    key = "inter.broker.protocol.version"
    return runs.line if release.entry(key) is None else _line_of(release, key)


def _line_of(release: Release, key: str) -> tuple[int, int] | None:
    text = release.entry(key)
    if text is None:
        return None
    found = re.match(r"\s*([0-9]{1,4})\.([0-9]{1,4})", text)
    if found is None:
        release.fault(("config", key), "a version of Kafka, such as 3.9")
        return None
    return int(found[1]), int(found[2])


def _line(line: tuple[int, int]) -> str:
    return f"{line[0]}.{line[1]}"


def _copies(prior: Release | None, planned: Release) -> Iterator[Problem]:
    brokers = planned.number("replicas")
    fewer_or_new = prior is None or prior.number("replicas") != brokers
    for key in _FACTORS:
        factor = whole_number(planned, key)
        changes = prior is None or whole_number(prior, key) != factor
        if factor is None or brokers is None or not (fewer_or_new or changes):
            continue
        path = ("config", key)
        if factor > brokers:
            declared = f"{key} = {factor}{'' if planned.entry(key) is not None else ' by default'}"
            yield FACTOR_ABOVE_BROKERS(
                planned.where,
                path=path,
                declared=declared,
                brokers=there_are(brokers),
                most=brokers,
                instead="more brokers",
            )
        elif factor < min(_WANTED, brokers) and changes:
            yield FACTOR_LOW(
                planned.where,
                path=path,
                declared=f"{key} = {factor}, so a topic that does not say otherwise gets {factor} "
                f"{'copy' if factor == 1 else 'copies'}",
                wanted=_WANTED,
            )
    for key, factor_key in _IN_SYNC.items():
        least, factor = whole_number(planned, key), whole_number(planned, factor_key)
        changes = prior is None or (whole_number(prior, key), whole_number(prior, factor_key)) != (least, factor)
        if least is not None and factor is not None and factor > 0 and changes and leaves_no_room(str(least), factor):
            yield MIN_INSYNC_TOO_HIGH(
                planned.where,
                path=("config", key),
                key=key,
                least=least,
                factor=f"{factor_key} = {factor}",
                wanted=wanted_min_insync(factor),
                instead="more copies, with as many brokers",
            )
        before = whole_number(prior, key) if prior else None
        if before is not None and least is not None and least < before:
            yield MIN_INSYNC_LOWERED(planned.where, path=("config", key), key=key, before=before, after=least)


def _unclean(prior: Release | None, planned: Release) -> Iterator[Problem]:
    key = "unclean.leader.election.enable"
    if is_on(planned, key) and (prior is None or not is_on(prior, key)):
        # In a new cluster nothing is there yet that could be lost.
        yield UNCLEAN(planned.where, path=("config", key), severity="warning" if prior is None else "error")


def _identity(prior: Release, planned: Release) -> Iterator[Problem]:
    for key in ("broker.id", "node.id"):
        before, after = ((each.entry(key) or "").strip() for each in (prior, planned))
        if before != after:
            yield IDENTITY(
                planned.where, path=("config", key), key=key, before=before or "not set", after=after or "not set"
            )
    was, is_ = _folders(prior), _folders(planned)
    if lost := [each for each in was if each not in is_]:
        yield LOGS_MOVED(planned.where, path=("config", "log.dirs"), lost=", ".join(lost), before=",".join(was))
    yield from _ensemble(prior, planned)


def _folders(release: Release) -> list[str]:
    text = release.entry("log.dirs") or release.entry("log.dir") or "/tmp/kafka-logs"  # noqa: S108 - Kafka's default
    return [normpath(each.strip()) for each in text.split(",") if each.strip()]


def _ensemble(prior: Release, planned: Release) -> Iterator[Problem]:
    key = "zookeeper.connect"
    before, after = (each.entry(key) for each in (prior, planned))
    if before == after:
        return
    for each, text in ((prior, before), (planned, after)):
        if text is None or not text.strip() or "${" in text:
            each.fault(("config", key), "the addresses of the ZooKeeper servers")
            return
    was, is_ = (_connect(each, text or "") for each, text in ((prior, before), (planned, after)))
    what = ""
    if was[1] != is_[1]:
        what = f"the chroot changes from {was[1] or '/'} to {is_[1] or '/'}"
    elif not was[0] & is_[0]:
        what = f"none of the servers stays ({before} becomes {after})"
    if what:
        yield OTHER_CLUSTER(planned.where, path=("config", key), what=what, before=before)


def _connect(release: Release, text: str) -> tuple[frozenset[str], str]:
    """The servers, each with its port and without what the cluster's DNS adds, and the chroot."""
    servers, slash, chroot = text.strip().partition("/")
    found = set()
    for address in filter(None, (each.strip() for each in servers.split(","))):
        port = re.search(r":([0-9]+)$", address)
        host = address[: port.start()] if port else address
        # kafka-0.headless.events.svc.cluster.local, kafka-0.headless.events and kafka-0.headless are one.
        bare = re.split(r"[.]svc(?:[.]|$)", host)[0].removesuffix(f".{release.namespace}")
        found.add(f"{bare}:{port[1] if port else 2181}")
    return frozenset(found), f"{slash}{chroot}".rstrip("/")


def _racks(prior: Release, planned: Release) -> Iterator[Problem]:
    was, is_ = (
        (each.texts("rack", "names"), each.truth("rack", "fromZone"), each.entry("broker.rack"))
        for each in (prior, planned)
    )
    if was != is_:
        yield RACKS_CHANGED(planned.where, path=("rack",), what=f"{_rack(*was)} becomes {_rack(*is_)}")


def _rack(names: tuple[str, ...], from_zone: bool | None, entry: str | None) -> str:  # noqa: FBT001
    if from_zone:
        return "the zone of each node"
    return ", ".join(names) or entry or "no rack"


def _retention(prior: Release, planned: Release) -> Iterator[Problem]:
    (_, before), (key, after) = _kept(prior), _kept(planned)
    if before is not None and after is not None and after < before:
        yield RETENTION_CUT(planned.where, path=("config", key), key=key, before=in_time(before), after=in_time(after))
    key = "log.retention.bytes"
    sizes = [_bound(whole_number(each, key)) for each in (prior, planned)]
    if sizes[0] is not None and sizes[1] is not None and sizes[1] < sizes[0]:
        yield RETENTION_CUT(
            planned.where,
            path=("config", key),
            key=key,
            before=in_bytes(sizes[0]),
            after=f"{in_bytes(sizes[1])} a partition",
        )


def _kept(release: Release) -> tuple[str, Number | None]:
    """How many milliseconds messages are kept, and by which entry: of ms, minutes and hours, the finest."""
    units = topic_definitions()["retention.ms"].broker_keys
    for key, unit in units.items():
        number = whole_number(release, key)
        if ("config", key) in release.faults:
            return key, None
        if number is not None:
            bound = _bound(number)
            return key, None if bound is None else bound * unit
    return next(iter(units)), None


def _bound(number: int | None) -> Number | None:
    """A limit; every negative one is none."""
    return math.inf if number is not None and number < 0 else number


def _policy(prior: Release, planned: Release) -> Iterator[Problem]:
    key = "log.cleanup.policy"
    before, after = parsed(prior, key), parsed(planned, key)
    if not isinstance(before, tuple) or not isinstance(after, tuple):
        return
    facts = {"before": ",".join(before), "after": ",".join(after)}
    if "delete" in after and "delete" not in before:
        yield STARTS_DELETING(planned.where, path=("config", key), severity=None, **facts)
    if "compact" in after and "compact" not in before:
        yield STARTS_COMPACTING(planned.where, path=("config", key), severity=None, **facts)


def _lowered(prior: Release, planned: Release) -> Iterator[Problem]:
    key = "offsets.retention.minutes"
    before, after = whole_number(prior, key), whole_number(planned, key)
    if before is not None and after is not None and after < before:
        yield OFFSETS_CUT(
            planned.where, path=("config", key), before=in_time(before * 60_000), after=in_time(after * 60_000)
        )
    key = "message.max.bytes"
    before, after = whole_number(prior, key), whole_number(planned, key)
    if before is not None and after is not None and after != before:
        consequence = "It bounds a batch as it is written, of every topic without a limit of its own. " + (
            "Producers whose batches are larger get RecordTooLargeException, and their messages are not written."
            if after < before
            else "A consumer that fetches less at a time still gets one batch after the other, and needs the memory."
        )
        fetched = whole_number(planned, "replica.fetch.max.bytes")
        if after > before and fetched is not None and fetched < after:
            consequence += f" Followers fetch {in_bytes(fetched)} at a time (replica.fetch.max.bytes), one batch then."
        yield MESSAGE_SIZE(
            planned.where,
            path=("config", key),
            before=in_bytes(before),
            after=in_bytes(after),
            consequence=consequence,
        )


_TIMES = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1))
_SIZES = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024), ("bytes", 1))


def in_time(milliseconds: Number) -> str:
    """``7 d``, ``90 min``, ``for ever``: in the largest unit of which it is a whole number."""
    return "for ever" if milliseconds == math.inf else _in_units(int(milliseconds), _TIMES)


def in_bytes(size: Number) -> str:
    """``1 GiB``, ``1048588 bytes``, ``no limit``: in the largest unit of which it is a whole number."""
    return "no limit" if size == math.inf else _in_units(int(size), _SIZES)


def _in_units(number: int, units: tuple[tuple[str, int], ...]) -> str:
    unit, size = next(each for each in units if number % each[1] == 0 and (number or each[1] == 1))
    return f"{number // size} {unit}"
