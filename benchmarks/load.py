"""Messages under a fault: when which partition acknowledged, how long it did not, and what a consumer finds."""

import threading
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from types import TracebackType
from typing import NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from hikube_kafka.waiting import until

_BYTES = 200
"""Of each message: its number, and blanks."""
_SECONDS = 60
"""For whatever takes moments."""


class Pauses(NamedTuple):
    """The longest times without an acknowledgement, in seconds."""

    every: float
    """In which no partition acknowledged."""
    worst: float
    """In which one of the partitions did not."""


class Found(NamedTuple):
    """What a consumer finds of the messages, by their numbers."""

    lost: list[int]
    """Acknowledged, and not there."""
    duplicated: list[int]
    """There more than once."""
    read: int


class Load:
    """Idempotent acks=all messages to each partition in turn, from entering to leaving.

    Args:
        bootstrap: addresses of brokers.
        topic: the topic, which nobody else writes to.
        partitions: how many it has.
        rate: messages per second.
        settings: further ones of the producer, by librdkafka's keys.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partitions: int,
        *,
        rate: float = 300,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._partitions = partitions
        self._rate = rate
        self._settings = settings
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._produce)
        self._times = [array("d") for _ in range(partitions)]
        self._all_times = array("d")
        self._numbers = array("q")
        self.sent = 0
        self.given_up: list[KafkaError] = []
        self.unanswered = 0
        """Messages that were neither acknowledged nor given up within a minute after leaving."""

    @property
    def acknowledged(self) -> int:
        """How many messages were acknowledged so far."""
        return len(self._numbers)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.wait_for_all()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for_all(self, seconds: float = _SECONDS) -> None:
        """Wait until each partition has acknowledged one more message.

        Raises:
            TimeoutError: one has not.
        """
        before = list(map(len, self._times))

        def silent() -> list[int]:
            return [number for number, times in enumerate(self._times) if len(times) == before[number]]

        if not until(lambda: not silent(), seconds, every=0.01):
            raise TimeoutError(f"not within {seconds:g} s: partitions {silent()} acknowledge another message")

    def pauses(self, begin: float, end: float) -> Pauses:
        """The longest of those that touch a time, given on the monotonic clock."""
        return Pauses(
            every=_longest(self._all_times, begin, end),
            worst=max(_longest(times, begin, end) for times in self._times),
        )

    def _produce(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                # More than one, and a refusal in one partition makes librdkafka renew its epoch and send what another
                # partition may hold already a second time (its issue 4953): a duplicate of the client's.
                "max.in.flight.requests.per.connection": 1,
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
                **(self._settings or {}),
            }
        )

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.given_up.append(error)
                return
            now = time.monotonic()
            self._times[message.partition() or 0].append(now)
            self._all_times.append(now)
            self._numbers.append(int(message.value() or 0))

        due = time.monotonic()
        for number in count():
            if self._ended.is_set():
                break
            value = str(number).encode().ljust(_BYTES)
            producer.produce(self._topic, value, partition=number % self._partitions, callback=delivered)
            self.sent = number + 1
            due += 1 / self._rate
            producer.poll(max(0, due - time.monotonic()))
        self.unanswered = producer.flush(_SECONDS)

    def read_back(self) -> Found:
        """Read the whole topic, once the load has ended.

        Raises:
            TimeoutError: not all of it could be read.
        """
        found = bytearray(self.sent)
        values = read_topic(self._bootstrap, self._topic, self._partitions)
        for value in values:
            found[int(value)] = min(found[int(value)] + 1, 255)
        return Found(
            lost=sorted({number for number in self._numbers if not found[number]}),
            duplicated=[number for number, times in enumerate(found) if times > 1],
            read=len(values),
        )


def read_topic(bootstrap: str, topic: str, partitions: int, seconds: float = 300) -> list[bytes]:
    """Every message that is committed, partition by partition.

    Raises:
        TimeoutError: not all of them could be read in time.
    """
    settings = {"bootstrap.servers": bootstrap, "group.id": "check", "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer({**settings, "enable.partition.eof": True, "isolation.level": "read_committed"})
    values: list[bytes] = []
    ended: set[int] = set()
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])

        def read() -> bool:
            for message in consumer.consume(5000, timeout=1):
                error = message.error()
                if error is None:
                    values.append(bytes(message.value() or b""))
                    ended.discard(message.partition() or 0)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name in the library's own examples
                    ended.add(message.partition() or 0)
                else:
                    raise KafkaException(error)
            return len(ended) == partitions

        if not until(read, seconds, every=0):
            raise TimeoutError(f"not within {seconds:g} s: all of {topic} is read; {len(values)} messages were")
        return values
    finally:
        consumer.close()


def _longest(times: Sequence[float], begin: float, end: float) -> float:
    first, last = max(0, bisect_right(times, begin) - 1), bisect_left(times, end)
    touched = times[first : last + 1]
    return max((after - before for before, after in pairwise(touched)), default=float("nan"))
