"""After an answer that leaves open whether a change was made, the provider looks and asks again, within a bound."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError

from hikube_kafka.kafka.errors import KafkaRefused, Unclear, Unreachable
from hikube_kafka.plugin.diagnostics import Refusal
from hikube_kafka.provider import topics as module
from hikube_kafka.provider.resources.topic import TopicResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster, Layout, NewTopic
from hikube_kafka.provider.unclear import UNCLEAR, Change, is_unclear
from hikube_kafka.waiting import Stopped
from tests.support.ensemble import LivingEnsemble

NAMES = {getattr(KafkaError, each) for each in dir(KafkaError) if isinstance(getattr(KafkaError, each), int)}

# ---- the decision ----------------------------------------------------------------------------------------------------


def test_every_unclear_code_is_one_that_the_client_knows() -> None:
    assert {KafkaError(code).name() for code in NAMES} >= UNCLEAR.keys()


@pytest.mark.parametrize(
    "code",
    [
        "TOPIC_ALREADY_EXISTS",
        "INVALID_PARTITIONS",
        "INVALID_REPLICATION_FACTOR",
        "INVALID_CONFIG",
        "POLICY_VIOLATION",
        "TOPIC_EXCEPTION",
        "UNKNOWN_TOPIC_OR_PART",
        "TOPIC_DELETION_DISABLED",
        "TOPIC_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "REASSIGNMENT_IN_PROGRESS",
        "_AUTHENTICATION",
        "_SSL",
        "_INVALID_ARG",
    ],
)
def test_a_definite_no_is_an_error_at_once_and_nobody_asks_again(code: str) -> None:
    answers = Answers(code)
    with pytest.raises(KafkaRefused, match=code):
        Change(answers).made()
    assert not is_unclear(code)
    assert answers.asked == 1


class Answers:
    """Answers a change with these codes in this order, then with consent."""

    def __init__(self, *codes: str) -> None:
        self.codes = list(codes)
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.codes:
            raise KafkaRefused(self.codes.pop(0), "because")


ALIKE, OTHER, ABSENT = True, False, None


def sees(*seen: bool | None) -> Callable[[], bool | None]:
    """Looks that are told beforehand; the last one is given again and again."""
    looks = list(seen)
    return lambda: looks.pop(0) if len(looks) > 1 else looks[0]


def test_what_an_unclear_answer_has_made_is_seen_and_not_asked_for_again() -> None:
    answers = Answers("_TRANSPORT")
    change = Change(answers, sees(ALIKE))
    assert [change.made(), change.made()] == [False, True]
    assert answers.asked == 1


def test_what_an_unclear_answer_has_not_made_is_asked_for_again() -> None:
    answers = Answers("NOT_CONTROLLER", "REQUEST_TIMED_OUT")
    change = Change(answers, sees(ABSENT))
    assert [change.made(), change.made(), change.made()] == [False, False, True]
    assert answers.asked == 3


def test_what_exists_after_an_unclear_answer_is_ours_once_it_shows_what_was_asked_for() -> None:
    looks = sees(ABSENT, ABSENT, ABSENT, ABSENT, ALIKE)
    answers = Answers("_TRANSPORT", "TOPIC_ALREADY_EXISTS", "TOPIC_ALREADY_EXISTS")
    change = Change(answers, looks, own="TOPIC_ALREADY_EXISTS")
    assert [change.made() for _ in range(4)] == [False, False, False, True]
    assert answers.asked == 3


def test_what_exists_and_is_not_what_was_asked_for_is_somebody_elses() -> None:
    change = Change(Answers("_TRANSPORT", "TOPIC_ALREADY_EXISTS"), sees(OTHER), own="TOPIC_ALREADY_EXISTS")
    assert change.made() is False
    with pytest.raises(KafkaRefused, match="TOPIC_ALREADY_EXISTS"):
        change.made()


def test_what_exists_at_the_first_question_is_somebody_elses_even_if_it_is_alike() -> None:
    with pytest.raises(KafkaRefused, match="TOPIC_ALREADY_EXISTS"):
        Change(Answers("TOPIC_ALREADY_EXISTS"), sees(ALIKE), own="TOPIC_ALREADY_EXISTS").made()


def test_a_look_that_nobody_answers_leaves_the_question_open() -> None:
    def silent() -> bool:
        raise Unreachable("kafka:9092", "connection refused")

    change = Change(Answers("_TRANSPORT"), silent)
    assert [change.made(), change.made()] == [False, False]
    assert isinstance(change.given_up(60), Unclear)
    assert change.given_up(60).reason == "connection refused (asked again for up to 60 s, for all changes)"


# ---- a cluster -------------------------------------------------------------------------------------------------------


def layout(*topics: str, brokers: int = 3) -> Layout:
    replicas = {topic: {0: (0, 1)} for topic in topics}
    return Layout(brokers=frozenset(range(brokers)), replicas=replicas, in_sync=replicas)


class Losing(KafkaCluster):
    """A cluster in memory, whose answers to changes are lost as often as told; what is lost is made, or not."""

    def __init__(self, *, lost: int, made: bool, code: str = "_TRANSPORT") -> None:
        super().__init__(Settings(bootstrap_servers="127.0.0.1:9"), threading.Event())
        self.lost, self.made, self.code = lost, made, code
        self.there: set[str] = set()

    def _read_layout(self) -> Layout:
        return layout(*self.there)

    def _read_configs(self, names: list[str]) -> None:
        self._configs.update({name: {} for name in names})

    def _create(self, topics: Mapping[str, NewTopic]) -> Mapping[str, Future[None]]:
        answers: dict[str, Future[None]] = {name: Future() for name in topics}
        for name, answer in answers.items():
            lost, self.lost = self.lost > 0, self.lost - 1
            if name in self.there:
                answer.set_exception(KafkaRefused("TOPIC_ALREADY_EXISTS", "because"))
                continue
            if self.made or not lost:
                self.there.add(name)
            if lost:
                answer.set_exception(KafkaRefused(self.code, "because"))
            else:
                answer.set_result(None)
        return answers


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_UNCLEAR_SECONDS", 0.3)
    monkeypatch.setattr(module, "_JOIN_SECONDS", 0.2)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.01)


def topics_of(cluster: KafkaCluster) -> TopicResource:
    session = Session()
    session.configure(cluster.settings)
    session._cluster = cluster
    return TopicResource(session)


def state(name: str, **values: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "partitions": 1,
        "replication_factor": 2,
        "config": None,
        "deletion_protection": False,
        **values,
    }


@pytest.mark.parametrize("cluster", [lambda: Losing(lost=8, made=True), lambda: Losing(lost=8, made=False)])
def test_fifty_topics_whose_answers_are_lost_are_all_recorded(cluster: Callable[[], KafkaCluster]) -> None:
    topics = topics_of(cluster())
    wanted = [state(f"topic-{number}") for number in range(50)]
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(lambda each: topics.create(each, b""), wanted)) == wanted


def test_a_topic_that_differs_from_what_was_asked_for_is_not_taken_for_ones_own() -> None:
    cluster = Losing(lost=1, made=True)
    with pytest.raises(Refusal) as refusal:
        topics_of(cluster).create(state("orders", partitions=6), b"")
    assert "exists already" in refusal.value.diagnostics[0].summary


def test_a_cluster_that_never_answers_clearly_costs_its_time_once_and_not_once_per_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Losing(lost=10**6, made=False)
    topics = topics_of(cluster)
    waits: list[float | None] = []
    until = cluster.until

    def noted(condition: Any, seconds: float | None) -> Any:
        waits.append(seconds)
        return until(condition, seconds)

    monkeypatch.setattr(cluster, "until", noted)
    for number in range(5):
        with pytest.raises(Refusal) as refusal:
            topics.create(state(f"topic-{number}"), b"")
        told = refusal.value.diagnostics[0]
        assert told.summary == f"No clear answer from Kafka: the provider cannot create topic topic-{number}"
        assert "Whether the change was made is not known" in told.detail or "as topic topic-0" in told.detail
        assert refusal.value.state is None
    assert sum(each for each in waits if each and each <= module._UNCLEAR_SECONDS) < 2 * module._UNCLEAR_SECONDS


def test_a_broker_that_went_away_during_the_apply_is_waited_for_and_one_that_never_was_is_not() -> None:
    cluster = Losing(lost=3, made=False, code="INVALID_REPLICATION_FACTOR")
    cluster.layout()
    cluster._most_brokers = 3
    assert topics_of(cluster).create(state("orders", replication_factor=3), b"")["name"] == "orders"
    cluster = Losing(lost=1, made=False, code="INVALID_REPLICATION_FACTOR")
    with pytest.raises(Refusal) as refusal:
        topics_of(cluster).create(state("orders", replication_factor=4), b"")
    assert "[replication-factor-above-brokers]" in refusal.value.diagnostics[0].summary


def test_ctrl_c_records_what_shows_to_be_made() -> None:
    cluster = Losing(lost=1, made=True)
    cluster._stopped.set()
    cluster.create("orders", NewTopic(partitions=1, replication_factor=2, config={}))
    cluster = Losing(lost=10**6, made=False)
    cluster._stopped.set()
    with pytest.raises(Stopped):
        cluster.create("orders", NewTopic(partitions=1, replication_factor=2, config={}))


def test_brokers_that_do_not_join_are_waited_for_once_and_not_once_per_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Losing(lost=0, made=True)
    waited: list[float] = []

    def in_vain(_holds: Any, *, seconds: float) -> bool:
        waited.append(seconds)
        return False

    monkeypatch.setattr(cluster, "eventually", in_vain)
    assert [len(cluster.live_brokers(5)) for _ in range(50)] == [3] * 50
    assert len(waited) == 1


def test_a_controller_that_takes_no_connection_is_not_asked() -> None:
    cluster = KafkaCluster(Settings(bootstrap_servers="127.0.0.1:9"), threading.Event())
    cluster._controller, cluster._advertised = 1, {1: "127.0.0.1:9"}
    with pytest.raises(Unreachable, match=r"the controller, broker 1 at 127\.0\.0\.1:9: connection refused"):
        cluster._create({"orders": NewTopic(partitions=1, replication_factor=1, config={})})
    cluster._controller = -1
    with pytest.raises(Unreachable, match="no controller is elected at this moment"):
        cluster._delete({"orders": None})


# ---- a real cluster, whose answers are lost on the way ---------------------------------------------------------------


@pytest.fixture
def lossy(living_ensemble: LivingEnsemble, monkeypatch: pytest.MonkeyPatch) -> tuple[KafkaCluster, str]:
    """Every change is made, and its first answer lost; with a name that is free."""
    monkeypatch.setattr(module, "_UNCLEAR_SECONDS", 30.0)
    cluster = KafkaCluster(Settings(bootstrap_servers=living_ensemble.bootstrap), threading.Event())
    cluster.layout()
    for gathering in (cluster._creations, cluster._growths, cluster._alterations, cluster._deletions):
        sent: Any = gathering._together

        def lose(items: Any, sent: Any = sent, seen: set[str] = set()) -> Any:  # noqa: B006 - one for each gathering
            answers = sent(items)
            for name in answers.keys() - seen:
                answers[name].result()
                seen.add(name)
                answers[name] = Future()
                answers[name].set_exception(KafkaRefused("_TRANSPORT", "lost"))
            return answers

        monkeypatch.setattr(gathering, "_together", lose)
    return cluster, f"lossy-{uuid4().hex[:8]}"


@pytest.mark.ensemble
@pytest.mark.timeout(120)
def test_each_change_whose_answer_is_lost_is_found_to_be_made(lossy: tuple[KafkaCluster, str]) -> None:
    cluster, name = lossy
    cluster.create(name, NewTopic(partitions=2, replication_factor=3, config={"retention.ms": "1000000"}))
    cluster.grow(name, 4)
    cluster.alter_config(name, {"retention.ms": "2000000"})
    assert cluster.eventually(lambda seen: len(seen.replicas[name]) == 4, seconds=10)
    cluster.forget(name)
    live = cluster.topic(name)
    assert live is not None
    assert live.config == {"retention.ms": "2000000"}
    # Deleted already: what a repeated deletion is told, and what a delete of the resource takes for done.
    with pytest.raises(KafkaRefused, match="UNKNOWN_TOPIC_OR_PART"):
        cluster.delete(name)
    assert cluster.disappears(name, seconds=30)
