"""The way into Kafka: one idempotent producer, which keeps the order of each key."""

import logging
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from hikube_kafka.bridge.logs import tell
from hikube_kafka.bridge.routes import Record
from hikube_kafka.kafka.connection import Connection, client_settings
from hikube_kafka.kafka.errors import Denied, Unreachable
from hikube_kafka.kafka.security import Credentials

if TYPE_CHECKING:
    from confluent_kafka import KafkaError
    from confluent_kafka import Message as Delivery

_ANSWER_SECONDS = 5.0
_WATCH_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_POLL_SECONDS = 0.1
_MOST_BYTES = 1_000_000_000
"""librdkafka's own most for ``message.max.bytes``."""
DEFAULT_LIMIT = 1_048_588
"""Kafka's default of ``max.message.bytes``."""


class PipelineError(Exception):
    """Kafka cannot be written to, and a further attempt would not help; the text says what to change."""


def limits(addresses: str, credentials: Credentials, topics: tuple[str, ...], stopped: Event) -> dict[str, int] | None:
    """Wait for Kafka, and read the largest record of each topic; None: it was stopped before.

    Raises:
        PipelineError: A topic is not there, or the bridge is not let in.
    """
    pause = _FIRST_PAUSE
    while not stopped.is_set():
        try:
            connection = Connection(addresses, credentials)
            known = connection.metadata(_ANSWER_SECONDS).topics
            if missing := [topic for topic in topics if topic not in known]:
                raise PipelineError(
                    f"Kafka does not have the topic {' and '.join(missing)}, or does not show it to this client: "
                    "declare it, or allow Describe and Write on it."
                )
            return _limits(connection, topics)
        except Denied as denied:
            if denied.lasting:
                raise PipelineError(f"{denied}.") from None
            tell("kafka_unreachable", level=logging.WARNING, reason=str(denied))
        except Unreachable as unreachable:
            tell("kafka_unreachable", level=logging.WARNING, reason=str(unreachable))
        stopped.wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return None


def _limits(connection: Connection, topics: tuple[str, ...]) -> dict[str, int]:
    from confluent_kafka.admin import ConfigResource, ResourceType

    answers = connection.describe_configs(
        [ConfigResource(ResourceType.TOPIC, topic) for topic in topics], _ANSWER_SECONDS
    )
    found = {}
    for topic in topics:
        entries = answers.get(topic)
        if isinstance(entries, dict):
            found[topic] = int(entries["max.message.bytes"].value or DEFAULT_LIMIT)
        else:  # it may write, and not read the configuration
            found[topic] = DEFAULT_LIMIT
            tell("kafka_limit_unknown", level=logging.WARNING, topic=topic, assumed=DEFAULT_LIMIT, reason=str(entries))
    return found


class Pipeline:
    """Sends records, and says which of them Kafka has.

    No record is given up: while brokers are away librdkafka tries again without end. What Kafka refuses for good ends
    the producer at once (``enable.gapless.guarantee``), so that no later record of a device gets past a lost one.

    Args:
        addresses: of brokers.
        credentials: who the bridge is.
        limits: the largest record of each topic.
        client_id: as brokers log it.
        memory: bytes that may wait.
        fail: called with the reason when Kafka refuses a record for good.
    """

    def __init__(
        self,
        addresses: str,
        credentials: Credentials,
        *,
        limits: Mapping[str, int],
        client_id: str,
        memory: int,
        fail: Callable[[str], None],
    ) -> None:
        from confluent_kafka import Producer

        self._fail = fail
        self._topic = next(iter(limits))
        self._ended = Event()
        self.connected = True
        largest = min(max(limits.values()), _MOST_BYTES)
        settings: dict[str, Any] = {
            **client_settings(addresses, credentials, self._complain),
            "client.id": client_id,
            "enable.idempotence": True,  # with it acks=all, and an order that no repetition changes
            "enable.gapless.guarantee": True,
            "message.timeout.ms": 0,
            "linger.ms": 5,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",  # as Java's clients: a device is in the partition where they look for it
            "message.max.bytes": max(largest, 1000),
            "batch.size": max(min(*limits.values(), 1_000_000), 1),
            "queue.buffering.max.messages": 0,  # the window is the bound
            "queue.buffering.max.kbytes": 2 * (memory + largest) // 1024 + 1024,
        }
        self._producer = Producer(settings)
        self._threads = [
            Thread(target=self._deliver, name="deliveries", daemon=True),
            Thread(target=self._watch, name="kafka", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def send(self, record: Record, delivered: Callable[[], None]) -> None:
        """Send a record; ``delivered`` is called, in a thread of the pipeline, when Kafka has it.

        Raises:
            confluent_kafka.KafkaException: The record cannot be sent at all.
        """

        def report(error: "KafkaError | None", _message: "Delivery") -> None:
            if error is None:
                delivered()
            elif not self._ended.is_set():
                self._fail(f"Kafka refuses a record of topic {record.topic}: {error.str()}")

        self._producer.produce(
            record.topic, value=record.value, key=record.key, headers=list(record.headers), on_delivery=report
        )

    def _complain(self, error: "KafkaError") -> None:
        from confluent_kafka import KafkaError

        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name
            self.connected = False
        if error.fatal():
            self._fail(f"Kafka's client has ended: {error.str()}")
        else:
            tell("kafka_complaint", level=logging.WARNING, reason=error.str())

    def _deliver(self) -> None:
        while not self._ended.is_set():
            self._producer.poll(_POLL_SECONDS)

    def _watch(self) -> None:
        from confluent_kafka import KafkaException

        while not self._ended.wait(_WATCH_SECONDS):
            try:
                self._producer.list_topics(self._topic, timeout=_ANSWER_SECONDS)
                self.connected = True
            except KafkaException:
                self.connected = False

    def end(self) -> None:
        """Drop what was not delivered."""
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * _ANSWER_SECONDS)
        self._producer.purge()
        self._producer.poll(0)
