"""A move that Kafka refuses, or that is not waited for to its end. Real moves: test_topics_in_terraform.py."""

import threading
from collections.abc import Mapping
from typing import Any, Self

import pytest

from hikube_kafka.kafka.errors import KafkaRefused
from hikube_kafka.plugin.diagnostics import Refusal
from hikube_kafka.provider import reassignment
from hikube_kafka.provider.moves import Moves
from hikube_kafka.provider.reassignment import reassign
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster, Layout

pytestmark = pytest.mark.filterwarnings(  # kafka-python on Python 3.11
    "ignore:(read|open)_text is deprecated:DeprecationWarning"
)

WANTED = {0: (0, 1), 1: (1, 0)}


class Lopsided(KafkaCluster):
    """The first partition has one replica, the second has two, of which one is behind."""

    def __init__(self) -> None:
        super().__init__(Settings(bootstrap_servers="127.0.0.1:9, [::1]:9"), threading.Event())

    def _read_moves(self) -> Moves | None:
        return {}

    def layout(self, *, fresh: bool = False) -> Layout:  # noqa: ARG002 - the real one's signature
        return Layout(
            brokers=frozenset({0, 1}), replicas={"orders": {0: (0,), 1: (1, 0)}}, in_sync={"orders": {0: (0,), 1: (1,)}}
        )


class Admin:
    """Kafka's answer, as kafka-python gives it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.properties: dict[str, Any] = {}
        self.asked: Mapping[Any, Any] = {}
        self.closed = False

    def __call__(self, **properties: Any) -> Self:
        self.properties = properties
        return self

    def alter_partition_reassignments(self, moves: Mapping[Any, Any], timeout_ms: int) -> Mapping[Any, Any]:
        assert timeout_ms > 0
        self.asked = moves
        return dict.fromkeys(moves, self.answer)

    def close(self) -> None:
        self.closed = True


@pytest.mark.timeout(60)
def test_a_move_that_kafka_refuses_is_an_error_with_its_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    from kafka.errors import InvalidReplicationAssignmentError  # noqa: PLC0415 - slow to load

    admin = Admin(InvalidReplicationAssignmentError)
    monkeypatch.setattr("kafka.KafkaAdminClient", admin)
    with pytest.raises(KafkaRefused, match="INVALID_REPLICATION_ASSIGNMENT") as refusal:
        reassign(Lopsided(), "orders", WANTED)
    assert refusal.value.reason.startswith("partition 0: ")
    assert admin.asked == {("orders", 0): [0, 1]}, "what is where it should be does not move"
    assert admin.properties["bootstrap_servers"] == ["127.0.0.1:9", "[::1]:9"]
    assert admin.closed


def test_a_move_that_cannot_be_asked_for_is_an_error_of_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    from kafka.errors import KafkaTimeoutError  # noqa: PLC0415 - slow to load

    def refuse(**_: Any) -> None:
        raise KafkaTimeoutError

    monkeypatch.setattr("kafka.KafkaAdminClient", refuse)
    monkeypatch.setattr(reassignment, "_UNCLEAR_SECONDS", 0.05)
    with pytest.raises(KafkaRefused, match="KafkaTimeoutError"):
        reassign(Lopsided(), "orders", WANTED)


def test_ctrl_c_ends_the_wait_and_says_how_much_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafka.KafkaAdminClient", Admin(None))
    cluster = Lopsided()
    cluster._stopped.set()
    with pytest.raises(Refusal) as refusal:
        reassign(cluster, "orders", WANTED)
    assert refusal.value.diagnostics[0].summary == "Stopped while replicas of topic orders were being moved"
    assert refusal.value.diagnostics[0].detail.startswith("2 of 2 partitions have not moved yet.")
