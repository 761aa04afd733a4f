"""How far a sink is behind, from what Kafka has of its group."""

from collections.abc import Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec

from hikube_kafka.kafka.security import PLAINTEXT
from hikube_kafka.probe.connect import _Kafka
from hikube_kafka.spec.contract import ConnectorExpected


def told(value: object) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


class Brokers:
    """Each partition of the topic ``orders`` begins at 100 and ends at 150."""

    def __init__(self, committed: Mapping[int, int], assigned: list[int]) -> None:
        self.committed = [TopicPartition("orders", number, offset) for number, offset in committed.items()]
        self.assigned = [TopicPartition("orders", number) for number in assigned]

    def list_consumer_group_offsets(self, _asked: object, **_options: object) -> dict[str, Future[Any]]:
        return {"group": told(SimpleNamespace(topic_partitions=self.committed))}

    def describe_consumer_groups(self, groups: list[str], **_options: object) -> dict[str, Future[Any]]:
        member = SimpleNamespace(assignment=SimpleNamespace(topic_partitions=self.assigned))
        return {groups[0]: told(SimpleNamespace(members=[member] if self.assigned else []))}

    def list_offsets(
        self, asked: Mapping[TopicPartition, OffsetSpec], **_options: object
    ) -> dict[TopicPartition, Future[Any]]:
        earliest = type(OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        return {
            each: told(SimpleNamespace(offset=100 if isinstance(spec, earliest) else 150))
            for each, spec in asked.items()
        }


@pytest.mark.parametrize(
    ("committed", "assigned", "begins", "lag"),
    [
        ({0: 140, 1: 150}, [0, 1], None, 10),
        ({}, [0, 1], None, 100),
        ({0: 140}, [0, 1], None, 60),
        ({0: 140}, [], None, 10),
        ({0: 140}, [0, 1], "latest", 10),
        ({}, [], None, 0),
    ],
)
def test_a_partition_of_which_nothing_is_committed_is_read_from_its_beginning(
    committed: dict[int, int], assigned: list[int], begins: Any, lag: int
) -> None:
    sink = ConnectorExpected(name="search", class_name="com.example.SearchSink", tasks_max=1, most_lag=1, begins=begins)
    connection = cast("Any", SimpleNamespace(client=Brokers(committed, assigned)))
    assert _Kafka("localhost:1", PLAINTEXT, 1.0)._lag(connection, sink) == lag
