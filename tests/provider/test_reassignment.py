"""A move that Kafka refuses, or that is not waited for to its end. Real moves: test_topics_in_terraform.py."""

import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import count, repeat
from typing import Any, Self

import pytest

from hikube_kafka.kafka.errors import KafkaRefused, Unanswered, Unclear, Unreachable
from hikube_kafka.kafka.security import PLAINTEXT
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.provider import reassignment
from hikube_kafka.provider.moves import Moves, read_moves
from hikube_kafka.provider.reassignment import reassign
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster, Layout
from hikube_kafka.spec.changes.replicas import Move

pytestmark = pytest.mark.timeout(60)  # a wait that does not end where it should

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


def test_a_move_of_which_nobody_says_whether_it_has_begun_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    from kafka.errors import KafkaTimeoutError  # noqa: PLC0415 - slow to load

    def refuse(**_: Any) -> None:
        raise KafkaTimeoutError

    monkeypatch.setattr("kafka.KafkaAdminClient", refuse)
    monkeypatch.setattr(reassignment, "_UNCLEAR_SECONDS", 0.05)
    with pytest.raises(Unclear, match="KafkaTimeoutError"):
        reassign(Lopsided(), "orders", WANTED)


def test_what_nobody_tells_at_this_moment_is_told_from_what_the_client_may_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kafka.errors import ClusterAuthorizationFailedError, KafkaConnectionError  # noqa: PLC0415 - slow to load

    def answering(error: Exception) -> None:
        def refuse(**_: Any) -> None:
            raise error

        monkeypatch.setattr("kafka.KafkaAdminClient", refuse)

    answering(ClusterAuthorizationFailedError())
    assert read_moves("127.0.0.1:9", PLAINTEXT) is None
    for passing in (KafkaConnectionError("broken"), RuntimeError("no controller")):
        answering(passing)
        with pytest.raises(Unanswered, match="do not tell which replicas are being moved"):
            read_moves("127.0.0.1:9", PLAINTEXT)


def test_ctrl_c_ends_the_wait_and_says_how_much_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafka.KafkaAdminClient", Admin(None))
    cluster = Lopsided()
    cluster._stopped.set()
    with pytest.raises(Refusal) as refusal:
        reassign(cluster, "orders", WANTED)
    assert refusal.value.diagnostics[0].summary == "Stopped while replicas of topic orders were being moved"
    assert refusal.value.diagnostics[0].detail.startswith("2 of 2 partitions have not moved yet.")


# ---- a wait in which nothing moves -----------------------------------------------------------------------------------


class Waiting(Lopsided):
    """What is seen of the brokers during a move, told beforehand; the last answer is given again and again."""

    def __init__(self, *answers: Layout | Exception) -> None:
        super().__init__()
        self.answers = list(answers)

    def _read_layout(self) -> Layout:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    layout = KafkaCluster.layout


def seen(in_sync: tuple[int, ...], *, brokers: tuple[int, ...] = (0, 1, 2)) -> Layout:
    return Layout(brokers=frozenset(brokers), replicas={"orders": {0: (0, 1, 2)}}, in_sync={"orders": {0: in_sync}})


THREE = {0: (0, 1, 2)}
DONE = seen((0, 1, 2))
DEAD = Unreachable("127.0.0.1:9", "connection refused")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Some waits end at once; the bytes that have arrived are told beforehand, and asked for in each look."""

    def ending(*names: str, sizes: Iterable[int | None]) -> None:
        monkeypatch.setattr("kafka.KafkaAdminClient", Admin(None))
        monkeypatch.setattr("hikube_kafka.provider.topics._POLL_SECONDS", 0.01)
        told = iter(sizes)
        monkeypatch.setattr(reassignment, "_SIZES_SECONDS", 0.0)
        for name in names:
            monkeypatch.setattr(reassignment, name, 0.0)

        def read(*_: object) -> Mapping[tuple[int, int], int] | None:
            size = next(told)
            return None if size is None else {(2, 0): size}

        monkeypatch.setattr(reassignment, "read_sizes", read)

    return ending


def ended(cluster: KafkaCluster) -> Diagnostic:
    with pytest.raises(Refusal) as refusal:
        reassign(cluster, "orders", THREE)
    return refusal.value.diagnostics[0]


def test_a_move_that_waits_for_a_broker_that_is_away_names_it_and_ends(impatient: Callable[..., None]) -> None:
    impatient("_AWAY_SECONDS", sizes=repeat(None))
    told = ended(Waiting(seen((0, 1), brokers=(0, 1))))
    assert told.summary == "Replicas of topic orders cannot move while broker 2 is away"
    assert "1 of 1 partitions have not moved yet: partition 0 waits for broker 2." in told.detail
    assert "Broker 2 has not been registered for 0 s (brokers 0, 1 are)." in told.detail
    assert "Start it: Kafka then continues by itself, and the next apply waits for what is left." in told.detail
    assert '"partition": 0, "replicas": [0, 1, 2]' in told.detail
    assert "--reassignment-json-file moves.json --cancel" in told.detail


def test_a_broker_that_a_replica_is_copied_from_is_named_too(impatient: Callable[..., None]) -> None:
    impatient("_AWAY_SECONDS", sizes=repeat(None))
    assert ended(Waiting(seen((0,), brokers=(1, 2)))).summary.endswith("while broker 0 is away")


def test_a_broker_that_stays_away_ends_a_move_even_while_others_still_get_their_bytes(
    impatient: Callable[..., None],
) -> None:
    impatient("_AWAY_SECONDS", sizes=count())
    assert "broker 2 is away" in ended(Waiting(seen((0, 1)), seen((0, 1), brokers=(0, 1)))).summary


def test_a_broker_that_is_only_restarted_does_not_end_a_move(impatient: Callable[..., None]) -> None:
    impatient("_STANDSTILL_SECONDS", sizes=count())
    gone, there = seen((0, 1), brokers=(0, 1)), seen((0, 1))
    reassign(Waiting(gone, gone, gone, there, gone, gone, there, DONE), "orders", THREE)


@pytest.mark.parametrize(
    ("patience", "sizes", "measured"),
    [
        ("_STANDSTILL_SECONDS", 7, "and no bytes arrived"),
        ("_UNSEEN_SECONDS", None, "(the brokers do not tell how many bytes arrived)"),
    ],
)
def test_a_move_that_stands_still_while_all_brokers_are_there_ends_too(
    impatient: Callable[..., None], patience: str, sizes: int | None, measured: str
) -> None:
    impatient(patience, sizes=repeat(sizes))
    told = ended(Waiting(seen((0, 1))))
    assert told.summary == "Replicas of topic orders have stopped moving"
    assert f"none of them came in sync {measured}, although every broker is registered" in told.detail


def test_a_move_whose_bytes_arrive_is_waited_for_however_slow_it_is(impatient: Callable[..., None]) -> None:
    impatient("_STANDSTILL_SECONDS", "_AWAY_SECONDS", sizes=count())
    slow = seen((0, 1))
    reassign(Waiting(slow, slow, slow, slow, slow, slow, DONE), "orders", THREE)


def test_brokers_that_are_silent_for_a_moment_do_not_end_a_move(impatient: Callable[..., None]) -> None:
    impatient(sizes=repeat(None))
    reassign(Waiting(seen((0, 1)), DEAD, DEAD, seen((0, 1)), DONE), "orders", THREE)


def test_brokers_that_stay_silent_end_it(impatient: Callable[..., None]) -> None:
    impatient("_SILENT_SECONDS", sizes=repeat(None))
    with pytest.raises(Unreachable, match="connection refused"):
        reassign(Waiting(seen((0, 1)), DEAD), "orders", THREE)


@pytest.mark.parametrize("seen_before", [0, 1], ids=["before it begins", "during it"])
def test_a_topic_that_is_deleted_meanwhile_is_not_waited_for(
    seen_before: int, impatient: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(sizes=repeat(None))
    deleted = Layout(brokers=frozenset({0, 1, 2}), replicas={}, in_sync={})
    cluster = Waiting(*[seen((0, 1))] * seen_before, deleted)
    monkeypatch.setattr(cluster, "_ask_by_name", lambda names: dict.fromkeys(names, False))
    with pytest.raises(KafkaRefused, match="the topic has been deleted meanwhile"):
        reassign(cluster, "orders", THREE)


def test_a_move_that_runs_already_and_ends_where_it_should_is_not_asked_for_again(
    impatient: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(sizes=repeat(None))
    admin = Admin(None)
    monkeypatch.setattr("kafka.KafkaAdminClient", admin)
    held = {"orders": {0: (0, 1, 2, 3)}}  # the third comes, the last one goes
    start = Layout(brokers=frozenset(range(4)), replicas=held, in_sync={"orders": {0: (0, 1, 3)}})
    cluster = Waiting(start, DONE)
    monkeypatch.setattr(cluster, "_read_moves", lambda: {"orders": {0: Move((0, 1, 3), (0, 1, 2))}})
    reassign(cluster, "orders", THREE)
    assert admin.asked == {}


def test_a_move_that_gets_no_clear_answer_is_asked_for_again(
    impatient: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kafka.errors import KafkaConnectionError  # noqa: PLC0415 - slow to load

    impatient(sizes=repeat(None))
    admin, failures = Admin(None), [KafkaConnectionError(), RuntimeError("no controller")]

    def open_(**properties: Any) -> Admin:
        if failures:
            raise failures.pop()
        return admin(**properties)

    monkeypatch.setattr("kafka.KafkaAdminClient", open_)
    start = Layout(brokers=frozenset({0, 1, 2}), replicas={"orders": {0: (0,)}}, in_sync={"orders": {0: (0,)}})
    reassign(Waiting(start, DONE), "orders", THREE)
    assert admin.asked == {("orders", 0): [0, 1, 2]}
