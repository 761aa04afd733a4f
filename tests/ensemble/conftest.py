"""A load that remembers what was acknowledged."""

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

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

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_for(100)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.wait_for(100)
        self._ended.set()
        self._thread.join()

    def wait_for(self, further: int) -> None:
        """Wait until so many more messages are acknowledged."""
        goal = len(self.acknowledged) + further
        deadline = time.monotonic() + 60
        while len(self.acknowledged) < goal:
            assert time.monotonic() < deadline, "the brokers acknowledge nothing"
            time.sleep(0.01)

    def _produce(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "log_level": 0,
                "reconnect.backoff.max.ms": 200,
            }
        )

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                value = message.value()
                assert value is not None
                self.acknowledged.append(bytes(value))

        number = 0
        while not self._ended.is_set():
            producer.produce(self._topic, str(number).encode(), partition=number % self._partitions, callback=delivered)
            number += 1
            producer.poll(0.002)
        producer.flush(60)

    def lost_and_duplicated(self) -> tuple[set[bytes], set[bytes]]:
        """Acknowledged messages that are not there, and messages that are there more than once."""
        found = Counter(read_all(self._bootstrap, self._topic, self._partitions))
        return set(self.acknowledged) - found.keys(), {value for value, times in found.items() if times > 1}


def read_all(bootstrap: str, topic: str, partitions: int) -> list[bytes]:
    """Every message of the topic."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "check", "enable.auto.commit": False, "log_level": 0}
    )
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_READ_SECONDS)
            for partition in range(partitions)
        ]
        consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in enumerate(ends)])
        left = sum(high - low for low, high in ends)
        values: list[bytes] = []
        deadline = time.monotonic() + _READ_SECONDS
        while len(values) < left:
            assert time.monotonic() < deadline, f"{len(values)} of {left} messages could be read"
            for message in consumer.consume(5000, timeout=1):
                assert message.error() is None
                values.append(bytes(message.value() or b""))
        return values
    finally:
        consumer.close()


def new_topic(bootstrap: str, topic: str, *, partitions: int = 6, replication_factor: int = 3) -> None:
    """Create a topic, and wait until it is there."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(topic, partitions, replication_factor)])[topic].result(30)


class Traffic:
    """What a test does to topics."""

    Load = Load
    new_topic = staticmethod(new_topic)
    read_all = staticmethod(read_all)


@pytest.fixture(scope="session")
def traffic() -> type[Traffic]:
    """Topics, a load, and what is left of it."""
    return Traffic
