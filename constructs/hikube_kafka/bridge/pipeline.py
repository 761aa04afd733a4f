"""The way into Kafka: one idempotent producer, which keeps the order of each key."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from hikube_kafka.bridge.logs import tell
from hikube_kafka.bridge.routes import Record
from hikube_kafka.kafka.address import one_line
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


def limits(
    addresses: str, credentials: Credentials, topics: tuple[str, ...], keyless: str, stopped: Event
) -> dict[str, int] | None:
    """Wait for Kafka, and read the largest record of each topic; None: it was stopped before.

    Args:
        addresses: of brokers.
        credentials: who the bridge is.
        topics: that it writes to.
        keyless: that of them whose records may have no key.
        stopped: ends the wait.

    Raises:
        PipelineError: A topic is not there or does not take the records, or the bridge is not let in.
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
            _refuse_unwritable(connection, topics)
            return _limits(connection, topics, keyless)
        except Denied as denied:
            if denied.lasting:
                raise PipelineError(_mended_by(denied, credentials)) from None
            tell("kafka_unreachable", level=logging.WARNING, reason=str(denied))
        except Unreachable as unreachable:
            tell("kafka_unreachable", level=logging.WARNING, reason=str(unreachable))
        stopped.wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return None


def _mended_by(denied: Denied, credentials: Credentials) -> str:
    """What Kafka says, and what to do about it."""
    said, cause = f"{str(denied).rstrip('.')}.", denied.reason.lower()
    if "certificate verify failed" in cause:  # librdkafka does not say which of the two it is
        trusted = "those that the system trusts" if credentials.authorities is None else credentials.authorities
        return (
            f"{said} HIKUBE_KAFKA_CA_FILE has to name the authority that signed the certificates of the brokers (now "
            f"it is {trusted}), and they have to be for the names in --bootstrap-servers and in advertised.listeners."
        )
    if "alert" in cause and "certificate" in cause:
        given = "none is given" if credentials.certificate is None else f"now it is {credentials.certificate}"
        return (
            f"{said} HIKUBE_KAFKA_CERTIFICATE_FILE and HIKUBE_KAFKA_KEY_FILE have to name a certificate that the "
            f"brokers trust ({given})."
        )
    if "authentication" in cause:
        return f"{said} Correct HIKUBE_KAFKA_USERNAME, now {credentials.username}, or HIKUBE_KAFKA_PASSWORD."
    return said


def _refuse_unwritable(connection: Connection, topics: tuple[str, ...]) -> None:
    """Before a message is taken: Kafka tells what an authorizer allows this client.

    Raises:
        PipelineError: It does not allow Write on each of the topics.
    """
    from confluent_kafka import KafkaException, TopicCollection
    from confluent_kafka.admin import AclOperation

    unwritable = []
    described = connection.client.describe_topics(
        TopicCollection(list(topics)), include_authorized_operations=True, request_timeout=_ANSWER_SECONDS
    )
    for topic, future in described.items():
        try:
            allowed = future.result(_ANSWER_SECONDS + 1).authorized_operations
        except (KafkaException, TimeoutError):
            continue  # then the first record tells
        if allowed and AclOperation.WRITE not in allowed:
            unwritable.append(topic)
    if unwritable:
        raise PipelineError(
            f"Kafka does not let {connection.principal or 'this client'} write to the topic "
            f"{' and '.join(unwritable)}: allow Write on it, as on each topic of the bridge."
        )


def _limits(connection: Connection, topics: tuple[str, ...], keyless: str) -> dict[str, int]:
    from confluent_kafka.admin import ConfigResource, ResourceType

    answers = connection.describe_configs(
        [ConfigResource(ResourceType.TOPIC, topic) for topic in topics], _ANSWER_SECONDS
    )
    found = {}
    for topic in topics:
        entries = answers.get(topic)
        if isinstance(entries, dict):
            found[topic] = int(entries["max.message.bytes"].value or DEFAULT_LIMIT)
            policy = str(entries["cleanup.policy"].value)
            if topic == keyless and "compact" in policy:
                raise PipelineError(
                    f"the topic of dead letters {topic} has cleanup.policy={policy}: Kafka refuses a record without a "
                    "key there, and a message that names no device has none. Declare it with cleanup.policy=delete."
                )
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
        self._credentials = credentials
        self._addresses = addresses
        self._denied = ""
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
        from confluent_kafka import KafkaError, KafkaException

        def report(error: KafkaError | None, _message: "Delivery") -> None:
            if error is None:
                delivered()
            elif not self._ended.is_set():
                self._fail(
                    f"Kafka refuses a record of topic {record.topic}: {error.str()}.{self._remedy(error)} The message "
                    "is not acknowledged: the MQTT broker sends it again to the next bridge of this client id."
                )

        try:
            self._producer.produce(
                record.topic, value=record.value, key=record.key, headers=list(record.headers), on_delivery=report
            )
        except KafkaException as error:
            if error.args[0].code() != KafkaError._FATAL:  # noqa: SLF001 - its public name
                raise
            # A record before this one was refused: that is told by its report.

    def _remedy(self, error: "KafkaError") -> str:
        from confluent_kafka import KafkaError

        match error.code():
            case KafkaError.TOPIC_AUTHORIZATION_FAILED:
                return f" Allow {self._credentials.principal or 'the bridge'} Write on it."
            case KafkaError.MSG_SIZE_TOO_LARGE:
                return " The next start makes it a dead letter, if the bridge is allowed DescribeConfigs on the topic."
            case KafkaError.UNKNOWN_TOPIC_OR_PART | KafkaError._UNKNOWN_TOPIC | KafkaError._UNKNOWN_PARTITION:  # noqa: SLF001 - public names
                return " Declare it again."
            case _:
                return ""

    def _complain(self, error: "KafkaError") -> None:
        from confluent_kafka import KafkaError

        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name
            self.connected = False
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 - likewise
            self._denied = one_line(error.str())
        tell("kafka_complaint", level=logging.WARNING, reason=error.str())

    def _deliver(self) -> None:
        from confluent_kafka import KafkaException

        fatal = ""
        while not self._ended.is_set():
            try:
                self._producer.poll(_POLL_SECONDS)
            except KafkaException as error:  # confluent-kafka raises what is fatal here, and before it is reported
                fatal = one_line(error.args[0].str())
            else:
                if fatal:
                    self._fail(f"Kafka's client has ended: {fatal}")

    def _watch(self) -> None:
        from confluent_kafka import KafkaException

        while not self._ended.wait(_WATCH_SECONDS):
            try:
                self._producer.list_topics(self._topic, timeout=_ANSWER_SECONDS)
            except KafkaException:
                self.connected = False
                if self._denied:  # no broker lets it in, and it reads no other password until it is started again
                    denied = Denied(self._addresses, self._denied)
                    if denied.lasting:
                        self._fail(_mended_by(denied, self._credentials))
            else:
                self.connected, self._denied = True, ""

    def end(self) -> None:
        """Drop what was not delivered."""
        from confluent_kafka import KafkaException

        self._ended.set()
        for thread in self._threads:
            thread.join(2 * _ANSWER_SECONDS)
        self._producer.purge()
        with suppress(KafkaException):  # what is fatal now has no consequence any more
            self._producer.poll(0)
