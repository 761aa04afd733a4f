"""The canary: messages that a real producer sends and a real consumer reads, over every broker in turn.

It has a topic of its own for each run, one partition led by each broker, and takes it away afterwards. A run that was
killed leaves its topic behind; the name says when, and the next run removes what is older than an hour.
"""

import contextlib
import math
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, PartitionMetadata  # public, not re-exported explicitly

from hikube_kafka.kafka.connection import Connection, client_settings
from hikube_kafka.kafka.errors import Denied, explain
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.probe.observation import Unreadable
from hikube_kafka.spec.contract import Contract
from hikube_kafka.waiting import until

PREFIX = "hikube-kafka-canary-"
"""Of the topic's and the consumer group's name: what a listener with authorization must allow."""

_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(re.escape(PREFIX) + r"(?P<stamp>[0-9]{8}T[0-9]{6}Z)-[0-9a-f]{8}")
_STALE = timedelta(hours=1)

_REPLICAS = 3
"""As many as a topic that must outlive a broker has; fewer where there are fewer brokers."""

_CONFIG = {
    # Whatever the brokers have as defaults for topics, this one keeps each message that it is sent until it is removed.
    "cleanup.policy": "delete",
    "retention.bytes": "-1",
    "retention.ms": "-1",
    # With CreateTime a broker refuses messages by this machine's clock, if it is set to.
    "message.timestamp.type": "LogAppendTime",
    "compression.type": "producer",
    # From here on Kafka's own defaults: a broker may have less than one message needs, or a file for each.
    "max.message.bytes": "1048588",
    "preallocate": "false",
    "segment.bytes": "1073741824",
    "segment.index.bytes": "10485760",
    "segment.ms": "604800000",
    # What was acknowledged and is gone was lost then, and not given up on purpose.
    "unclean.leader.election.enable": "false",
}
"""Entries of the topic. ``min.insync.replicas`` stays the brokers' own: it is what an ordinary topic meets."""


@dataclass(frozen=True, kw_only=True)
class CanaryRun:
    """What the messages went through. Partition ``i`` is meant to be led by the ``i``-th declared broker."""

    topic: str
    leaders: Mapping[int, int | None] | Unreadable
    """Broker that led each partition after the messages; None: nobody did."""
    sent: Mapping[int, int]
    """Number of messages sent to each partition; they are numbered from 0."""
    acknowledged: Mapping[int, Sequence[int]]
    """Numbers acknowledged by all in-sync replicas, by partition."""
    refused: Mapping[str, int]
    """How many messages were not acknowledged, by reason."""
    received: Mapping[int, Sequence[int]]
    """Numbers in the order in which the consumer read them, by partition."""
    latencies_ms: Sequence[float]
    """Milliseconds from handing each message to the producer until the consumer had it, the first ones aside."""
    offsets: Mapping[int, int] | Unreadable
    """Offset that the consumer group has committed, by partition, as Kafka gives it back."""
    removed: Unreadable | None
    """Why the topic could not be removed afterwards; None: it is gone."""
    unfinished: frozenset[int] = frozenset()
    """Partitions that were not read to their end in time: what is missing there may be in the log all the same."""

    def latency_ms(self, percent: float) -> float | None:
        """Give the latency (milliseconds) that so many percent of the messages stayed within (nearest rank)."""
        if not self.latencies_ms:
            return None
        ordered = sorted(self.latencies_ms)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def run_canary(
    contract: Contract, credentials: Credentials, *, messages: int = 100, rate: float = 50.0, timeout: float = 15.0
) -> CanaryRun | Unreadable:
    """Send messages over every broker and read them back.

    Args:
        contract: Where the brokers are.
        credentials: How to be let in by them.
        messages: How many messages each partition gets.
        rate: Messages per second and partition.
        timeout: Seconds that each step may take: making the topic, delivering, reading, removing the topic.
    """
    topic = f"{PREFIX}{datetime.now(UTC).strftime(_STAMP)}-{secrets.token_hex(4)}"
    try:
        connection = Connection(contract.bootstrap_servers, credentials)
    except Denied as problem:
        return Unreadable("canary topic", problem.reason)
    admin = connection.client
    try:
        try:
            _make(admin, contract, topic, timeout)
            _led(admin, topic, len(contract.kafka.brokers), timeout)
        except (KafkaException, TimeoutError) as error:
            return Unreadable("canary topic", connection.explained(error).reason)
        flight = _Flight(
            topic, len(contract.kafka.brokers), client_settings(contract.bootstrap_servers, credentials), timeout
        )
        flight.fly(messages, 1 / rate)
        # Now, not before: a broker that died unnoticed has lost its lead by the time its partition took messages.
        leaders = _leaders(admin, topic, len(contract.kafka.brokers), timeout)
    finally:
        removed = _remove(admin, topic, timeout)
        _remove_stale(admin, timeout)
    return CanaryRun(
        topic=topic,
        leaders=leaders,
        sent=dict(flight.sent),
        acknowledged=flight.acknowledged,
        refused=dict(flight.refused),
        received=flight.received,
        latencies_ms=tuple(flight.latencies_ms),
        offsets=flight.offsets,
        removed=removed,
        unfinished=frozenset(flight.unfinished),
    )


def _make(admin: AdminClient, contract: Contract, topic: str, timeout: float) -> None:
    """Make the topic."""
    ids = [broker.id for broker in contract.kafka.brokers]
    replicas = min(_REPLICAS, len(ids))
    # The first replica is the preferred leader: partition i is led by the i-th broker.
    assignment = [[ids[(first + step) % len(ids)] for step in range(replicas)] for first in range(len(ids))]
    wanted = NewTopic(topic, num_partitions=len(ids), replica_assignment=assignment, config=_CONFIG)
    for made in admin.create_topics([wanted], operation_timeout=timeout, request_timeout=timeout).values():
        made.result(timeout=timeout + 1)


def _led(admin: AdminClient, topic: str, partitions: int, timeout: float) -> None:
    """Wait until every partition has a leader and all its replicas in sync; what does not come shows in the flight."""

    def is_led() -> bool:
        content = _partitions(admin, topic, timeout)
        return len(content) == partitions and all(
            partition.leader >= 0 and len(partition.isrs) == len(partition.replicas) for partition in content.values()
        )

    until(is_led, timeout, every=0.05)


def _leaders(admin: AdminClient, topic: str, partitions: int, timeout: float) -> Mapping[int, int | None] | Unreadable:
    try:
        content = _partitions(admin, topic, timeout)
    except KafkaException as error:
        return Unreadable(f"leaders of topic {topic}", explain(error))
    return {
        number: content[number].leader if number in content and content[number].leader >= 0 else None
        for number in range(partitions)
    }


def _partitions(admin: AdminClient, topic: str, timeout: float) -> Mapping[int, PartitionMetadata]:
    # All topics: asking for one by name could have the brokers create it.
    seen = admin.list_topics(timeout=timeout).topics.get(topic)
    return seen.partitions if seen is not None else {}


def _remove(admin: AdminClient, topic: str, timeout: float) -> Unreadable | None:
    """Remove this run's topic. The group's offsets go with it."""
    try:
        answers = admin.delete_topics([topic], operation_timeout=timeout, request_timeout=timeout)
        answers[topic].result(timeout=timeout + 1)
    except (KafkaException, TimeoutError) as error:
        return Unreadable(f"removal of topic {topic}", explain(error))
    return None


def _remove_stale(admin: AdminClient, timeout: float) -> None:
    """Remove what killed runs have left; what cannot be removed now is left to the next run."""
    with contextlib.suppress(KafkaException, TimeoutError):
        stale = [name for name in admin.list_topics(timeout=timeout).topics if _is_stale(name)]
        if stale:
            answers = admin.delete_topics(stale, operation_timeout=timeout, request_timeout=timeout)
            for answer in answers.values():
                answer.result(timeout=timeout + 1)


def is_canary(name: str) -> bool:
    """Whether a topic is a run's canary, by its name."""
    return _made(name) is not None


def _is_stale(name: str) -> bool:
    made = _made(name)
    return made is not None and datetime.now(UTC) - made > _STALE


def _made(name: str) -> datetime | None:
    """When a canary topic was made, by its name; None: it is no canary's, though it may look like one."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
    except ValueError:  # no such date
        return None


class _Flight:
    """One run of messages. One thread does it all: it waits for messages in the pauses between sending them."""

    def __init__(self, topic: str, partitions: int, client: Mapping[str, Any], timeout: float) -> None:
        self.sent: Counter[int] = Counter()
        self.acknowledged: dict[int, list[int]] = {number: [] for number in range(partitions)}
        self.received: dict[int, list[int]] = {number: [] for number in range(partitions)}
        self.refused: Counter[str] = Counter()
        self.latencies_ms: list[float] = []
        self.unfinished: set[int] = set(range(partitions))
        self.offsets: Mapping[int, int] | Unreadable = Unreadable("committed offsets", "nothing was read to commit")
        self._topic = topic
        self._timeout = timeout
        self._sent_at: dict[tuple[int, int], float] = {}
        self._next_offset = dict.fromkeys(range(partitions), 0)
        self._commits: list[KafkaError | None] = []
        self._producer = Producer(
            {
                **client,
                "acks": "all",
                "enable.idempotence": True,
                # With more, a refusal in one partition makes librdkafka renew its epoch, and send a second time what
                # another partition may hold already (its issue 4953): a duplicate must be the brokers' doing.
                "max.in.flight.requests.per.connection": 1,
                "linger.ms": 0,
                "delivery.timeout.ms": int(timeout * 1000),
            }
        )
        self._consumer = Consumer(
            {
                **client,
                "group.id": topic,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "check.crcs": True,
                "on_commit": lambda error, _partitions: self._commits.append(error),
            }
        )

    def fly(self, messages: int, pause: float) -> None:
        """Send, read, commit; every step ends in time, whatever the brokers do."""
        try:
            self._consumer.assign([TopicPartition(self._topic, number, 0) for number in self.received])
            # The first message of each partition pays for every connection: it is sent ahead and not timed.
            self._send(0)
            if self._read_until(lambda: all(self.received.values())):
                for number in range(1, messages):
                    due = self._send(number) + pause
                    while (left := due - time.monotonic()) > 0:
                        self._read(left)
            self._read_until(lambda: len(self._producer) == 0)
            ends = self._ends()
            self._read_until(lambda: all(self._next_offset[number] >= end for number, end in ends.items()))
            self.unfinished -= {number for number, end in ends.items() if self._next_offset[number] >= end}
            if any(self.received.values()):
                self.offsets = self._commit()
        finally:
            self._producer.purge()
            # What is left of it could have brokers that create topics by themselves make this one again.
            del self._producer
            self._consumer.close()

    def _send(self, number: int) -> float:
        now = time.monotonic()
        for partition in self.received:
            self._sent_at[partition, number] = now = time.monotonic()
            self._producer.produce(
                self._topic,
                key=f"{partition}-{number}",
                value=str(number).encode(),
                partition=partition,
                on_delivery=partial(self._delivered, partition, number),
            )
            self.sent[partition] += 1
        return now

    def _delivered(self, partition: int, number: int, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.acknowledged[partition].append(number)
        else:
            self.refused[error.str()] += 1

    def _read_until(self, done: Callable[[], bool]) -> bool:
        def read_on() -> bool:
            self._read(0.05)
            return done()

        return done() or until(read_on, self._timeout, every=0)

    def _read(self, seconds: float) -> None:
        self._producer.poll(0)
        message = self._consumer.poll(min(seconds, 0.01))
        if message is None or message.error() is not None:
            return
        arrived = time.monotonic()
        partition, number = int(message.partition() or 0), int(message.value() or b"-1")
        self._next_offset[partition] = int(message.offset() or 0) + 1
        self.received[partition].append(number)
        if number > 0:
            self.latencies_ms.append((arrived - self._sent_at[partition, number]) * 1000)

    def _ends(self) -> dict[int, int]:
        """Where each partition ends: reading up to there leaves no duplicate unseen."""
        ends = {}
        for number in self.received:
            # A partition that does not tell stays unfinished.
            with contextlib.suppress(KafkaException):
                _, ends[number] = self._consumer.get_watermark_offsets(
                    TopicPartition(self._topic, number), timeout=self._timeout
                )
        return ends

    def _commit(self) -> Mapping[int, int] | Unreadable:
        """Commit as a consumer group does, which needs __consumer_offsets to work, and read it back."""
        what = "committed offsets"
        partitions = [TopicPartition(self._topic, number, offset) for number, offset in self._next_offset.items()]

        def is_committed() -> bool:
            # The first group of a cluster has Kafka make __consumer_offsets: so long it answers "not available".
            self._commits.clear()
            self._consumer.commit(offsets=partitions, asynchronous=True)
            self._read_until(lambda: bool(self._commits))
            # Not "None in": a KafkaError that is compared with None leaves an exception behind, to be raised anywhere.
            return any(error is None for error in self._commits)

        if not until(is_committed, self._timeout, every=0.1):
            nobody = f"no broker has answered within {self._timeout:g} s"
            return Unreadable(what, explain(KafkaException(self._commits[-1])) if self._commits else nobody)
        try:
            committed = self._consumer.committed(partitions, timeout=self._timeout)
        except KafkaException as error:
            return Unreadable(what, explain(error))
        return {partition.partition: partition.offset for partition in committed}
