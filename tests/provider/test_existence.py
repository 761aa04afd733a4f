"""What each answer of brokers and controller means for whether a topic is there; real ones are in tests/e2e/secured."""

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection

from hikube_kafka.kafka.connection import Connection
from hikube_kafka.kafka.errors import Forbidden, Unanswered
from hikube_kafka.probe.observation import Metadata, Partition, Unreadable
from hikube_kafka.provider.existence import asked_for, disagreement

UNKNOWN, REFUSED = KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED


class Client:
    """Brokers and a controller that give each topic these answers; 0 is a topic, or a change that would be made."""

    def __init__(self, by_name: dict[str, int], by_controller: dict[str, int]) -> None:
        self.by_name, self.by_controller = by_name, by_controller

    def describe_topics(self, topics: TopicCollection, **_: Any) -> dict[str, Future[Any]]:
        return {name: self._answer(self.by_name[name]) for name in topics.topic_names}

    def create_partitions(self, wanted: list[Any], *, validate_only: bool, **_: Any) -> dict[str, Future[Any]]:
        assert validate_only
        assert {each.new_total_count for each in wanted} == {1}, "what no topic could take"
        return {each.topic: self._answer(self.by_controller[each.topic]) for each in wanted}

    @staticmethod
    def _answer(code: int) -> Future[Any]:
        answer: Future[Any] = Future()
        if code:
            answer.set_exception(KafkaException(KafkaError(code)))
        else:
            answer.set_result(None)
        return answer


def asked(by_name: int, by_controller: int | None = None) -> Any:
    connection = Connection("127.0.0.1:9")
    controller = {} if by_controller is None else {"orders": by_controller}
    connection.client = Client({"orders": by_name}, controller)  # type: ignore[assignment]
    return asked_for(connection, ["orders"], 1.0)["orders"]


def test_a_topic_that_a_broker_knows_is_there_and_the_controller_is_not_asked() -> None:
    assert asked(0) is True


@pytest.mark.parametrize(
    ("controller", "there"),
    [
        (KafkaError.INVALID_PARTITIONS, True),
        (KafkaError.REASSIGNMENT_IN_PROGRESS, True),
        (UNKNOWN, False),
        (KafkaError.TOPIC_EXCEPTION, False),  # it is queued for deletion
        (REFUSED, None),
    ],
)
def test_of_a_topic_that_no_broker_knows_the_controller_is_asked(controller: int, there: object) -> None:
    assert asked(UNKNOWN, controller) is there


def test_a_refusal_is_a_refusal_and_no_answer_is_none() -> None:
    refusal = asked(REFUSED)
    assert isinstance(refusal, Forbidden)
    assert (refusal.operation, refusal.options, refusal.principal) == ("Describe", "--topic orders", "User:ANONYMOUS")
    for answer in (
        asked(UNKNOWN, KafkaError._TIMED_OUT),
        asked(UNKNOWN, KafkaError.NOT_CONTROLLER),
        asked(KafkaError._TIMED_OUT),
    ):
        assert isinstance(answer, Unanswered)


ORDERS = {0: Partition(leader=0, replicas=(0,), in_sync=(0,))}
VIEW = Metadata(cluster_id="this", controller=1, brokers={0: "b-0:9092", 1: "b-1:9092"}, topics={"orders": ORDERS})


def test_brokers_that_all_know_the_cluster_agree_that_a_topic_is_gone() -> None:
    assert disagreement([VIEW, VIEW], "gone") is None


@pytest.mark.parametrize(
    ("other", "name", "doubt"),
    [
        (VIEW, "orders", "some brokers know it"),
        (Unreadable("metadata of the broker at b-1:9092", "timed out"), "gone", "timed out"),
        (replace(VIEW, controller=0), "gone", "do not agree on a controller"),
        (replace(VIEW, controller=None), "gone", "do not agree on a controller"),
        (replace(VIEW, brokers={1: "b-1:9092"}), "gone", "do not agree on who they are"),
        (replace(VIEW, topics={}), "gone", "show no topic at all"),
    ],
)
def test_brokers_that_do_not_all_know_the_cluster_do_not_agree(
    other: Metadata | Unreadable, name: str, doubt: str
) -> None:
    assert doubt in (disagreement([VIEW, other], name) or "")
