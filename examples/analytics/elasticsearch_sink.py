"""Rows as they change, from a topic of Debezium's into Elasticsearch: each once, the latest, and none lost.

    python elasticsearch_sink.py --brokers 127.0.0.1:9092 --topic shop.public.orders --index orders \
        --mapping orders_index.json --elasticsearch http://127.0.0.1:9200

What it relies on: the key of a message is the row's primary key, and its value is the row as Debezium's transform
ExtractNewRecordState leaves it, with ``__lsn`` (the position in PostgreSQL's log) and, of a deleted row, ``__deleted``.

- A document's id is the primary key and its version is the position in the log: what is delivered again changes
  nothing, and what is delivered late does not overwrite what is newer.
- Offsets are committed once Elasticsearch has acknowledged the whole batch: whatever dies, nothing is lost.
- While Elasticsearch is away or has too much to do, the program waits, longer each time, and stays in its group.
- What Elasticsearch refuses for good goes to a topic of dead letters, with the reason, before its offset is committed.

It needs confluent-kafka and httpx. Run as many as the topic has partitions. It ends in order on SIGTERM.
"""

import argparse
import json
import logging
import random
import signal
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

LOG = logging.getLogger("elasticsearch_sink")
LINGER_SECONDS = 0.05
"""How long a batch waits for more messages once it has one."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0
TOLD_EVERY_SECONDS = 10.0
LATER = frozenset({429, 502, 503, 504})
"""What Elasticsearch, or a proxy before it, answers where the same request may succeed later."""
CONFLICT, NOT_FOUND = 409, 404


class UnreadableError(ValueError):
    """A message is not a changed row; the text says what it lacks."""


@dataclass(frozen=True)
class Change:
    """What a message asks of the index."""

    id: str
    version: int
    document: Mapping[str, Any] | None
    """The row; None: it was deleted."""

    def lines(self, index: str) -> str:
        """As the bulk interface takes it."""
        # gte and not gt: a batch that is delivered again is no conflict.
        at = {"_index": index, "_id": self.id, "version": self.version, "version_type": "external_gte"}
        if self.document is None:
            return json.dumps({"delete": at}) + "\n"
        return f"{json.dumps({'index': at})}\n{json.dumps(self.document)}\n"


def change(key: bytes | None, value: bytes | None) -> Change | None:
    """Read a message; None: there is nothing to do.

    A tombstone, which lets Kafka compact the key away, follows the message that says ``__deleted``.

    Raises:
        UnreadableError: it is not a changed row.
    """
    if value is None:
        return None
    identity, row = _payload(key, "key"), _payload(value, "value")
    version = row.get("__lsn")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise UnreadableError(f"the value's __lsn is {version!r}, not a position in the log")
    id_ = ":".join(str(part) for part in identity.values())
    if not id_:
        raise UnreadableError("the key has no fields")
    if row.get("__deleted") in {"true", True}:
        return Change(id_, version, None)
    return Change(id_, version, {name: each for name, each in row.items() if not name.startswith("__")})


def _payload(text: bytes | None, of: str) -> dict[str, Any]:
    """The fields of a key or a value, with or without the schema beside them."""
    try:
        found = json.loads(text or b"")
    except ValueError as error:  # of which UnicodeDecodeError is one
        raise UnreadableError(f"the {of} is not JSON: {error}") from None
    if isinstance(found, dict) and found.keys() == {"schema", "payload"}:
        found = found["payload"]
    if not isinstance(found, dict):
        raise UnreadableError(f"the {of} is {type(found).__name__}, not an object")
    return found


@dataclass
class Answer:
    """What became of the changes of a batch, by their place in it."""

    later: list[int] = field(default_factory=list)
    """To be sent again."""
    refused: dict[int, str] = field(default_factory=dict)
    """Refused for good, and why."""
    stale: int = 0
    """A newer version of the document was there."""


def judged(items: Sequence[Mapping[str, Any]]) -> Answer:
    """What an answer of the bulk interface says of each item."""
    answer = Answer()
    for place, item in enumerate(items):
        ((verb, outcome),) = item.items()
        status = outcome["status"]
        if status in LATER:
            answer.later.append(place)
        elif status == CONFLICT:
            answer.stale += 1
        elif status >= 400 and not (verb == "delete" and status == NOT_FOUND):  # noqa: PLR2004 - HTTP's errors
            error = outcome.get("error", {})
            cause = error.get("caused_by", {}).get("reason")
            answer.refused[place] = f"{error.get('type')}: {error.get('reason')}{f': {cause}' if cause else ''}"
    return answer


class Sink:
    """Reads, writes, commits, in that order.

    Args:
        consumer: not subscribed yet, and without automatic commits.
        producer: of dead letters, with ``acks=all``.
        http: to Elasticsearch.
        topic: topic to read.
        index: index to write to.
        mapping: settings and mappings with which the index is created where it is not there.
        dead_letters: topic for what cannot be delivered.
        batch: most messages in one request.
    """

    def __init__(
        self,
        consumer: Consumer,
        producer: Producer,
        http: httpx.Client,
        *,
        topic: str,
        index: str,
        mapping: Mapping[str, Any],
        dead_letters: str,
        batch: int,
    ) -> None:
        self._consumer, self._producer, self._http = consumer, producer, http
        self._index, self._mapping, self._dead_letters, self._batch = index, mapping, dead_letters, batch
        self._waits = False
        self.ends = False
        self.counts: Counter[str] = Counter()
        consumer.subscribe([topic], on_assign=self._assigned)

    def run(self) -> None:
        """Work until :attr:`ends` is set."""
        self._create_index()
        told, before = time.monotonic(), 0
        while not self.ends:
            if messages := self._next():
                self.deliver(messages)
            if (passed := time.monotonic() - told) >= TOLD_EVERY_SECONDS:
                rate = (self.counts["messages"] - before) / passed
                LOG.info("figures %s", json.dumps({**self.counts, "messages_per_s": round(rate, 1)}))
                told, before = time.monotonic(), self.counts["messages"]
        self._consumer.close()

    def _next(self) -> list[Message]:
        """The messages of the next batch: full, or as many as there are within the linger."""
        first = self._consumer.poll(1.0)
        if first is None:
            return []
        messages = [first]
        end = time.monotonic() + LINGER_SECONDS
        while len(messages) < self._batch and (left := end - time.monotonic()) > 0:
            messages += self._consumer.consume(self._batch - len(messages), left)
        return [message for message in messages if not self._is_error(message)]

    @staticmethod
    def _is_error(message: Any) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.fatal():
            raise KafkaException(error)
        LOG.warning("Kafka: %s", error)  # the client tries again by itself
        return True

    def deliver(self, messages: Sequence[Message]) -> None:
        """Write a batch, put aside what is refused, commit."""
        changes: list[tuple[Message, Change]] = []
        for message in messages:
            try:
                found = change(message.key(), message.value())
            except UnreadableError as error:
                self._put_aside(message, str(error))
                continue
            if found is not None:
                changes.append((message, found))
        self._write(changes)
        self._commit(messages)
        self.counts["messages"] += len(messages)

    def _write(self, changes: Sequence[tuple[Message, Change]]) -> None:
        pause = FIRST_PAUSE_SECONDS
        while changes and not self.ends:
            body = "".join(each.lines(self._index) for _, each in changes)
            items = self._bulk(body)
            if items is None:
                self._wait(pause)
            else:
                answer = judged(items)
                for place, reason in answer.refused.items():
                    self._put_aside(changes[place][0], reason)
                self.counts["stale"] += answer.stale
                self.counts["written"] += len(changes) - len(answer.later) - len(answer.refused) - answer.stale
                changes = [changes[place] for place in answer.later]
                if changes:
                    self._wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        if changes:
            raise SystemExit(0)  # asked to end while Elasticsearch is away: nothing is committed, nothing lost

    def _bulk(self, body: str) -> Sequence[Mapping[str, Any]] | None:
        """The items of the answer; None: not now."""
        try:
            answer = self._http.post("/_bulk", content=body.encode(), headers={"Content-Type": "application/x-ndjson"})
        except httpx.TransportError as error:
            LOG.warning("Elasticsearch does not answer: %s", error)
            return None
        if answer.status_code in LATER:
            LOG.warning("Elasticsearch answers %s", answer.status_code)
            return None
        if not answer.is_success:
            raise SystemExit(f"Elasticsearch does not take a batch: {answer.text}")
        items: Sequence[Mapping[str, Any]] = answer.json()["items"]
        return items

    def _create_index(self) -> None:
        """Before the first document: a mapping that Elasticsearch guesses from it cannot be changed."""
        pause = FIRST_PAUSE_SECONDS
        while not self.ends:
            try:
                answer = self._http.head(f"/{self._index}")
                if answer.status_code == NOT_FOUND:
                    answer = self._http.put(f"/{self._index}", json=self._mapping)
                # Another sink of the group may have been faster.
                if answer.is_success or "resource_already_exists" in answer.text:
                    return
                if answer.status_code not in LATER:
                    raise SystemExit(f"Elasticsearch does not take the index {self._index}: {answer.text}")
                LOG.warning("Elasticsearch answers %s", answer.status_code)
            except httpx.TransportError as error:
                LOG.warning("Elasticsearch does not answer: %s", error)
            self._wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _wait(self, seconds: float) -> None:
        """Wait, up to half as long again, and stay a member of the group: whoever does not poll is thrown out."""
        self._waits = True
        self._consumer.pause(self._consumer.assignment())
        end = time.monotonic() + seconds * random.uniform(1, 1.5)  # noqa: S311 - several sinks must not ask at once
        while not self.ends and (left := end - time.monotonic()) > 0:
            message = self._consumer.poll(min(left, 0.5))
            if message is not None and not self._is_error(message):  # of a partition that was not paused yet
                self._consumer.seek(_place(message))
        self._waits = False
        self._consumer.resume(self._consumer.assignment())

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """A partition that comes while the program waits must not be read: its messages would be dropped.

        One that comes back is still paused if it was lost while the program waited.
        """
        consumer.incremental_assign(partitions)
        (consumer.pause if self._waits else consumer.resume)(partitions)

    def _put_aside(self, message: Message, reason: str) -> None:
        place = _place(message)
        LOG.error("%s-%s@%s is put aside: %s", place.topic, place.partition, place.offset, reason)
        headers: dict[str, str | bytes | None] = {
            "error.reason": reason,
            "error.topic": place.topic,
            "error.partition": str(place.partition),
            "error.offset": str(place.offset),
        }
        self._producer.produce(self._dead_letters, message.value(), message.key(), headers=headers)
        self.counts["put_aside"] += 1

    def _commit(self, messages: Iterable[Message]) -> None:
        if self._producer.flush(60):
            raise SystemExit("dead letters could not be written within 60 s: nothing was committed")
        # Of each partition the last one counts.
        last = {(at.topic, at.partition): at for at in (_place(message, 1) for message in messages)}
        try:
            self._consumer.commit(offsets=list(last.values()), asynchronous=False)
        except KafkaException as error:
            # A rebalance has taken the partitions, or brokers are away: whoever reads this again changes nothing.
            if error.args[0].code() == KafkaError._NO_OFFSET:  # noqa: SLF001 - the library's public name of it
                return
            LOG.warning("the offsets were not committed: %s", error)


def _place(message: Message, further: int = 0) -> TopicPartition:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        raise ValueError("this message was not read from a topic")
    return TopicPartition(topic, partition, offset + further)


def main() -> None:
    """Read the arguments, and work until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Rows as they change, from Kafka into Elasticsearch.")
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--index", required=True)
    parser.add_argument("--mapping", type=Path, required=True, help="JSON: settings and mappings of the index")
    parser.add_argument("--elasticsearch", required=True, help="URL")
    parser.add_argument("--group", help="consumer group; else elasticsearch-<index>")
    parser.add_argument("--dead-letters", help="topic; else <group>.dead-letters")
    parser.add_argument("--batch", type=int, default=1000, help="most messages in a request")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request
    group = given.group or f"elasticsearch-{given.index}"
    consumer = Consumer(
        {
            "bootstrap.servers": given.brokers,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            # A member that comes or goes moves few partitions, and the others read on.
            "partition.assignment.strategy": "cooperative-sticky",
            # Kafka's own 45 s would leave the partitions of a killed member unread for as long.
            "session.timeout.ms": 10_000,
            "fetch.wait.max.ms": 100,
        }
    )
    producer = Producer({"bootstrap.servers": given.brokers, "acks": "all", "enable.idempotence": True})
    with httpx.Client(base_url=given.elasticsearch, timeout=30) as http:
        sink = Sink(
            consumer,
            producer,
            http,
            topic=given.topic,
            index=given.index,
            mapping=json.loads(given.mapping.read_text("utf-8")),
            dead_letters=given.dead_letters or f"{group}.dead-letters",
            batch=given.batch,
        )

        def end(*_: object) -> None:
            sink.ends = True

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        sink.run()
    LOG.info("figures %s", json.dumps(sink.counts))


if __name__ == "__main__":
    main()
