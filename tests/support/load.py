"""A load that remembers what was acknowledged, and what became of it."""

import contextlib
import threading
from collections import Counter
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.ensemble import await_topic
from tests.support.waiting import until

_READ_SECONDS = 60


class Load:
    """Idempotent acks=all messages from entering to leaving; ``lost`` then tells what a consumer cannot find."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._partitions = partitions
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._produce)
        self.acknowledged: list[bytes] = []
        self.given_up: list[KafkaError] = []
        self.unanswered = 0
        """Messages that were neither acknowledged nor given up within a minute after leaving."""

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.wait_for(100)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.wait_for(100)
        finally:
            self._end()

    def _end(self) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for(self, further: int) -> None:
        """Wait until so many more messages are acknowledged."""
        goal = len(self.acknowledged) + further
        until(lambda: len(self.acknowledged) >= goal, "the brokers acknowledge more messages", every=0.01)

    def _produce(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                # More than one, and a refusal in one partition makes librdkafka renew its epoch and send what another
                # partition may hold already a second time (its issue 4953): a duplicate of the client's.
                "max.in.flight.requests.per.connection": 1,
                "acks": "all",
                "linger.ms": 5,
                "log_level": 0,
                "reconnect.backoff.max.ms": 200,
            }
        )

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.given_up.append(error)
            else:
                self.acknowledged.append(bytes(message.value() or b""))

        number = 0
        while not self._ended.is_set():
            producer.produce(self._topic, str(number).encode(), partition=number % self._partitions, callback=delivered)
            number += 1
            producer.poll(0.002)
        self.unanswered = producer.flush(60)

    def lost_and_duplicated(self) -> tuple[set[bytes], set[bytes]]:
        """Acknowledged messages that are not there, and messages that are there more than once."""
        found = Counter(read_all(self._bootstrap, self._topic, self._partitions))
        return set(self.acknowledged) - found.keys(), {value for value, times in found.items() if times > 1}


def read_partitions(bootstrap: str, topic: str, partitions: int) -> list[list[bytes]]:
    """Every message of each partition, in its order there."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "check", "enable.auto.commit": False, "log_level": 0}
    )
    values: list[list[bytes]] = [[] for _ in range(partitions)]
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_READ_SECONDS)
            for partition in range(partitions)
        ]
        consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in enumerate(ends)])
        held = sum(high - low for low, high in ends)

        def read() -> bool:
            for message in consumer.consume(5000, timeout=1):
                assert message.error() is None
                values[message.partition() or 0].append(bytes(message.value() or b""))
            return sum(map(len, values)) >= held

        until(read, lambda: f"{held} messages are read, of which {sum(map(len, values))} were", _READ_SECONDS, every=0)
        return values
    finally:
        consumer.close()


def read_all(bootstrap: str, topic: str, partitions: int) -> list[bytes]:
    """Every message of the topic."""
    return [value for values in read_partitions(bootstrap, topic, partitions) for value in values]


def new_topic(bootstrap: str, topic: str, *, partitions: int = 6, replication_factor: int = 3) -> None:
    """Create a topic, and wait until every broker knows it."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(topic, partitions, replication_factor)])[topic].result(30)
    await_topic(bootstrap, topic, partitions)


def knows(bootstrap: str, brokers: int) -> bool:
    """Whether the broker that answers knows so many: one that has only just started may not even know itself."""
    with contextlib.suppress(KafkaException):
        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        return len(admin.list_topics(timeout=60).brokers) == brokers
    return False
