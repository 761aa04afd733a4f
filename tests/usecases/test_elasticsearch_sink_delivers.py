"""When the sink program commits, how long it waits, and what it does with partitions that come meanwhile.

The brokers are those that librdkafka brings for tests, so that the client is the real one; Elasticsearch's answers are
written down here. The chain runs the program with real servers.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, Message, Producer, TopicPartition

from examples.analytics import elasticsearch_sink
from examples.analytics.elasticsearch_sink import Sink
from tests.support.waiting import until

Answers = Callable[[list[int]], httpx.Response]
"""What Elasticsearch answers to a request that has the documents with these ids."""
PARTITIONS = 4
"""As many as these brokers give to a new topic."""


@pytest.fixture(scope="module")
def producer() -> Producer:
    """Of rows and of dead letters; the brokers live in it."""
    return Producer({"bootstrap.servers": "in this process", "test.mock.num.brokers": 1, "log_level": 0})


class Trial:
    """A sink with a topic and a group of its own."""

    def __init__(self, producer: Producer, name: str) -> None:
        self.topic, self.dead_letters = name, f"{name}.dead-letters"
        self._producer = producer
        (broker,) = producer.list_topics(timeout=10).brokers.values()
        self._settings = {"bootstrap.servers": f"{broker.host}:{broker.port}", "log_level": 0}
        self.consumer = self._joined(name)
        self.answers: Answers = accepted
        self.requests: list[list[int]] = []
        self.committed_at_requests: list[int] = []
        self.http = httpx.Client(transport=httpx.MockTransport(self._elasticsearch), base_url="http://elasticsearch")
        self.sink = Sink(
            self.consumer,
            producer,
            self.http,
            topic=self.topic,
            index="orders",
            mapping={},
            dead_letters=self.dead_letters,
            batch=100,
        )

    def _joined(self, group: str) -> Consumer:
        return Consumer(
            {
                **self._settings,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "partition.assignment.strategy": "cooperative-sticky",
            }
        )

    def write(self, *ids: int) -> None:
        for id_ in ids:
            row = {"id": id_, "__lsn": id_, "__deleted": "false"}
            self._producer.produce(self.topic, json.dumps(row), json.dumps({"id": id_}), partition=id_ % PARTITIONS)
        assert self._producer.flush(10) == 0

    def read(self, count: int) -> list[Message]:
        """As the sink reads them, in one batch or in several."""
        messages: list[Message] = []

        def has_all() -> bool:
            messages.extend(self.sink._next())
            return len(messages) >= count

        until(has_all, lambda: f"{count} messages, of which {len(messages)} came", 30)
        return messages

    def committed(self) -> int:
        """Messages that the group need not read again."""
        partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        found = self.consumer.committed(partitions, timeout=10)
        return sum(each.offset for each in found if each.offset != OFFSET_INVALID)

    def put_aside(self) -> list[dict[str, str]]:
        """The headers of the dead letters."""
        reader = self._joined("reader")
        reader.assign([TopicPartition(self.dead_letters, number, 0) for number in range(PARTITIONS)])
        message = reader.poll(10)
        reader.close()
        assert message is not None
        headers: list[tuple[str, bytes]] = list(message.headers() or [])  # type: ignore[arg-type]
        return [{key: value.decode() for key, value in headers}]

    def _elasticsearch(self, request: httpx.Request) -> httpx.Response:
        lines = [json.loads(line) for line in request.content.decode().splitlines()]
        ids = [line["id"] for line in lines if "id" in line]
        self.requests.append(ids)
        self.committed_at_requests.append(self.committed())
        return self.answers(ids)


def accepted(ids: list[int], **others: dict[str, Any]) -> httpx.Response:
    """All of them, but for those with an outcome of their own."""
    items = [{"index": others.get(f"id_{id_}", {"status": 201})} for id_ in ids]
    return httpx.Response(200, json={"items": items})


@pytest.fixture(scope="module")
def trials(producer: Producer) -> Iterator[Trial]:
    """One sink for several tests: to join a group takes seconds."""
    trial = Trial(producer, "rows")
    yield trial
    trial.consumer.close()


@pytest.fixture
def trial(trials: Trial, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr(elasticsearch_sink, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(elasticsearch_sink, "LONGEST_PAUSE_SECONDS", 0.004)
    trials.requests.clear()
    trials.committed_at_requests.clear()
    trials.sink.ends = False
    return trials


def test_offsets_are_committed_once_elasticsearch_has_all_of_a_batch_however_often_it_is_asked(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    wait = trial.sink._wait

    def noted(seconds: float) -> None:
        pauses.append(seconds)
        wait(seconds)

    monkeypatch.setattr(trial.sink, "_wait", noted)
    busy = {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "busy"}}

    def answers(ids: list[int]) -> httpx.Response:
        match len(trial.requests):
            case 1:
                raise httpx.ConnectError("Connection refused")
            case 2 | 3 | 4:
                return httpx.Response(503)
            case 5:
                return accepted(ids, id_2=busy)
            case _:
                return accepted(ids)

    trial.answers = answers
    before = trial.committed()
    trial.write(1, 2, 3, 4)
    trial.sink.deliver(trial.read(4))

    assert [sorted(ids) for ids in trial.requests] == [[1, 2, 3, 4]] * 5 + [[2]]
    assert pauses == [0.001, 0.002, 0.004, 0.004, 0.004]
    assert trial.committed_at_requests == [before] * 6
    assert trial.committed() == before + 4


def test_a_sink_that_is_ended_while_elasticsearch_is_away_has_committed_nothing(trial: Trial) -> None:
    def answers(_: list[int]) -> httpx.Response:
        trial.sink.ends = True
        raise httpx.ConnectError("Connection refused")

    trial.answers = answers
    before = trial.committed()
    trial.write(11)
    with pytest.raises(SystemExit) as ended:
        trial.sink.deliver(trial.read(1))
    assert ended.value.code == 0
    assert trial.committed() == before


def test_what_elasticsearch_refuses_for_good_is_put_aside_and_the_rest_goes_on(trial: Trial) -> None:
    error = {"type": "document_parsing_exception", "reason": "quantity"}
    trial.answers = lambda ids: accepted(ids, id_21={"status": 400, "error": error})
    trial.write(20, 21, 22)
    trial.sink.deliver(trial.read(3))
    (headers,) = trial.put_aside()
    assert headers["error.reason"] == "document_parsing_exception: quantity"
    assert (headers["error.topic"], headers["error.partition"]) == ("rows", "1")
    assert len(trial.requests) == 1


def test_partitions_that_come_while_the_sink_waits_are_read_from_their_first_message_afterwards(
    producer: Producer,
) -> None:
    trial = Trial(producer, "late")
    trial.write(*range(40))
    while not trial.consumer.assignment():
        trial.sink._wait(0.5)
    trial.sink._wait(0.5)
    assert sorted(json.loads(message.value() or b"")["id"] for message in trial.read(40)) == list(range(40))
    trial.consumer.close()


def test_partitions_that_were_lost_while_the_sink_waited_are_read_when_they_come_back(producer: Producer) -> None:
    trial = Trial(producer, "others")
    trial.topic = "lost"
    trial.write(0)
    partitions = [TopicPartition("lost", 0)]
    trial.sink._assigned(trial.consumer, partitions)
    trial.read(1)
    trial.consumer.pause(partitions)  # as the sink does that waits
    trial.consumer.poll(0.2)
    trial.consumer.incremental_unassign(partitions)
    trial.consumer.poll(0.2)
    trial.sink._assigned(trial.consumer, partitions)
    assert len(trial.read(1)) == 1  # it was not committed
    trial.consumer.close()
