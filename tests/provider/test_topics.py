"""Waiting for a cluster, doubting its answers, and what becomes of a change that is refused or interrupted."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException

from hikube_kafka.ensemble import observe
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.kafka.connection import Connection
from hikube_kafka.kafka.errors import Denied, Forbidden, KafkaRefused, Unanswered, Unreachable
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.plugin.diagnostics import Refusal, collected_warnings
from hikube_kafka.plugin.resource import PlanRequest
from hikube_kafka.provider import existence
from hikube_kafka.provider import topics as module
from hikube_kafka.provider.addresses import Addresses
from hikube_kafka.provider.moves import Moves
from hikube_kafka.provider.resources.topic import TopicResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach, Settings
from hikube_kafka.provider.topic_memory import TopicMemory
from hikube_kafka.provider.topics import KafkaCluster, Layout, NewTopic
from hikube_kafka.spec.changes.replicas import Move
from hikube_kafka.waiting import Stopped
from tests.support.ensemble import LivingEnsemble, await_topic, suspend
from tests.support.waiting import until

Answer = Layout | Exception


def layout(*topics: str, brokers: int = 3) -> Layout:
    replicas = {topic: {0: (0,)} for topic in topics}
    return Layout(brokers=frozenset(range(brokers)), replicas=replicas, in_sync=replicas)


DEAD = Unreachable("127.0.0.1:9", "connection refused")
LOCKED = Denied("127.0.0.1:9", "authentication failed")


class Scripted(KafkaCluster):
    """A cluster whose metadata is told beforehand; the last answer is given again and again."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(Settings(bootstrap_servers="127.0.0.1:9"), threading.Event())
        self.answers = list(answers)
        self.asked = 0
        self.named: dict[str, existence.Answer] = {}
        self.asked_by_name: list[list[str]] = []
        self.moved: Moves | None = {}
        self.asked_for_moves = 0

    def _read_layout(self) -> Layout:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _read_configs(self, names: list[str]) -> None:
        self._configs.update({name: {} for name in names})

    def _ask_by_name(self, names: list[str]) -> dict[str, existence.Answer]:
        self.asked_by_name.append(names)
        return {name: self.named.get(name, False) for name in names}

    def _read_moves(self) -> Moves | None:
        self.asked_for_moves += 1
        return self.moved


def connected(client: Any) -> Connection:
    """A connection whose client is told beforehand."""
    connection = Connection("127.0.0.1:9")
    connection.client = client
    return connection


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ARRIVAL_SECONDS", "_RETURN_SECONDS", "_JOIN_SECONDS", "_OTHERS_SECONDS"):
        monkeypatch.setattr(module, name, 0.2)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.01)


def test_an_apply_waits_for_a_cluster_that_is_starting() -> None:
    cluster = Scripted(DEAD, DEAD, layout())
    with pytest.raises(Unreachable):
        cluster.layout()
    assert cluster.await_answer() == layout()


def test_an_apply_waits_for_a_cluster_that_has_answered_and_then_fell_silent() -> None:
    cluster = Scripted(layout("orders"), DEAD, DEAD, layout())
    cluster.layout()
    with pytest.raises(Unreachable):
        cluster.layout(fresh=True)
    assert cluster.await_answer() == layout()


def test_an_apply_waits_once_and_not_once_per_topic() -> None:
    cluster = Scripted(DEAD)
    with pytest.raises(Unreachable):
        cluster.await_answer()
    asked = cluster.asked
    assert asked > 2
    with pytest.raises(Unreachable):
        cluster.await_answer()
    assert cluster.asked == asked + 1


def test_a_dead_cluster_costs_its_seconds_once_and_not_once_per_topic() -> None:
    cluster = Scripted(DEAD)
    topics = topics_of(cluster)
    states = [_state(f"topic-{number}", partitions=1) for number in range(50)]
    assert [topics.read(each, b"") for each in states] == states
    assert cluster.asked == 1


PATIENCE = {name: getattr(module, name) for name in ("_ARRIVAL_SECONDS", "_RETURN_SECONDS")}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The real patience; how long each wait for the cluster would last is noted, and it ends at once."""
    noted: list[float] = []

    def end_at_once(condition: Callable[[], Any], seconds: float, *_: Any, **__: Any) -> Any:
        noted.append(max(seconds, 0))
        return condition()

    for name, seconds in PATIENCE.items():
        monkeypatch.setattr(module, name, seconds)
    monkeypatch.setattr(module, "until", end_at_once)
    return noted


def test_a_deletion_waits_a_moment_for_a_cluster_that_nothing_starts(waits: list[float]) -> None:
    topics = topics_of(Scripted(DEAD))
    refusal = refusal_of(topics.delete, _state("orders"))
    assert "does not answer" in refusal.diagnostics[0].summary
    assert "(connection refused; waited 5 s for it)" in refusal.diagnostics[0].detail
    assert sum(waits) == PATIENCE["_RETURN_SECONDS"]
    refusal_of(topics.delete, _state("invoices"))
    assert sum(waits) == PATIENCE["_RETURN_SECONDS"], "once, and not once per topic"


def test_a_creation_after_a_deletion_still_waits_for_a_cluster_that_is_starting(waits: list[float]) -> None:
    topics = topics_of(Scripted(DEAD))
    refusal_of(topics.delete, _state("orders"))
    refusal_of(topics.create, _state("invoices"))
    assert sum(waits) == PATIENCE["_ARRIVAL_SECONDS"]


def test_a_deletion_waits_for_brokers_that_this_apply_starts(waits: list[float]) -> None:
    topics = topics_of(Scripted(DEAD))
    topics._session.expect(["127.0.0.1:9"])
    refusal_of(topics.delete, _state("orders"))
    assert sum(waits) == PATIENCE["_ARRIVAL_SECONDS"]


def test_brokers_that_answer_without_knowing_the_cluster_are_not_told_as_brokers_that_do_not_answer() -> None:
    topics = topics_of(Scripted(Unanswered("127.0.0.1:9", "who is in the cluster", "no controller yet")))
    told = refusal_of(topics.create, _state("orders")).diagnostics[0]
    assert told.summary == "The cluster does not answer every question"
    assert "no broker" not in told.detail
    assert "(no controller yet; waited 0.2 s for it)" in told.detail


def test_ctrl_c_ends_the_wait_for_a_cluster() -> None:
    cluster = Scripted(DEAD)
    cluster._stopped.set()
    with pytest.raises(Stopped):
        cluster.await_answer()


def test_whoever_starts_the_brokers_is_not_kept_waiting_by_those_who_wait_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_ARRIVAL_SECONDS", 60)
    cluster = Scripted(DEAD)
    with ThreadPoolExecutor(11) as pool:
        waiting = [pool.submit(cluster.await_answer) for _ in range(10)]
        try:
            until(lambda: cluster.asked > 1, "a second look")
            starting = pool.submit(cluster.forget_all)
            starting.result(timeout=20)
        finally:
            cluster.answers = [layout("orders")]
        assert [each.result(timeout=20) for each in waiting] == [layout("orders")] * 10


def test_servers_that_are_changed_while_they_are_waited_for_are_waited_for_anew() -> None:
    cluster = Scripted(DEAD)
    patience: list[float] = []

    def in_vain(condition: Callable[[], Any], seconds: float) -> Any:
        patience.append(seconds)
        if len(patience) == 1:
            cluster.forget_all()
            assert condition() is None
            cluster.answers = [layout()]
            return None
        return condition()

    cluster.until = in_vain  # type: ignore[method-assign,assignment]
    assert cluster.await_answer() == layout()
    assert patience == [module._ARRIVAL_SECONDS] * 2


def test_servers_that_were_changed_are_waited_for_anew() -> None:
    cluster = Scripted(DEAD, layout())
    with pytest.raises(Unreachable):
        cluster.layout()
    cluster.forget_all()
    assert cluster.layout() == layout()


def test_fewer_partitions_than_a_topic_has_had_are_doubted_once() -> None:
    def having(partitions: int) -> Layout:
        replicas = {name: dict.fromkeys(range(partitions), (0,)) for name in ("orders", "invoices")}
        return Layout(brokers=frozenset({0}), replicas=replicas, in_sync=replicas)

    late = Scripted(having(1), having(1), having(4))
    found = late.topic("orders", partitions=4)
    assert found is not None
    assert len(found.replicas) == 4
    anew = Scripted(having(1))
    found = anew.topic("orders", partitions=4)
    assert found is not None
    assert len(found.replicas) == 1, "made anew by somebody else"
    asked = anew.asked
    anew.topic("invoices", partitions=4)
    assert anew.asked == asked


def test_a_deletion_that_a_broker_without_knowledge_answers_is_no_deletion() -> None:
    cluster = Refusing("UNKNOWN_TOPIC_OR_PART", answers=(layout("others"),))
    cluster.named["orders"] = True
    refusal = refusal_of(topics_of(cluster).delete, _state("orders"))
    assert refusal.diagnostics[0].summary == "Kafka refused to delete topic orders"


def test_a_broker_that_does_not_know_a_new_topic_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = without_configurations(KafkaError.UNKNOWN_TOPIC_OR_PART, monkeypatch)
    client = cluster._admin()
    client.late = 1  # type: ignore[attr-defined]
    assert cluster.topic("orders") is not None


FORBIDDEN = Forbidden.topic("127.0.0.1:9", "Describe", "orders", "User:alice", "TOPIC_AUTHORIZATION_FAILED")
SILENT = Unanswered("127.0.0.1:9", existence.QUESTION, "the controller does not answer")


def test_a_topic_is_gone_only_if_it_is_not_there_by_name_either() -> None:
    gone = Scripted(layout("others"))
    assert gone.topic("orders") is None
    assert gone.asked_by_name == [["orders"]]
    late = Scripted(layout(), layout("orders"))
    late.named["orders"] = True
    assert late.topic("orders") is not None


def test_all_topics_that_wait_are_asked_for_by_name_in_one_request() -> None:
    cluster = Scripted(layout("others"))
    names = [f"topic-{number}" for number in range(8)]
    with cluster._lock, ThreadPoolExecutor(len(names)) as pool:
        reading = [pool.submit(cluster.topic, name) for name in names]
        until(lambda: len(cluster._wanted) == len(names), "all of them to ask")
        cluster._lock.release()
        try:
            assert [each.result() for each in reading] == [None] * len(names)
        finally:
            cluster._lock.acquire()
    assert cluster.asked_by_name == [names]


def test_a_topic_that_the_client_may_not_see_is_an_error_that_names_the_permission_and_the_others_are_read() -> None:
    cluster = Scripted(layout("invoices"))
    cluster.named["orders"] = FORBIDDEN
    topics = topics_of(cluster)
    refusal = refusal_of(topics.read, _state("orders"))
    assert refusal.diagnostics[0].summary == "The provider is not allowed to Describe topic orders"
    assert "--add --allow-principal 'User:alice' --operation Describe --topic orders" in refusal.diagnostics[0].detail
    assert topics.read(_state("invoices"), b"") == _state("invoices")
    assert topics.read(_state("gone"), b"") is None


def test_a_topic_is_not_planned_where_one_of_its_name_may_be_hidden() -> None:
    cluster = Scripted(layout())
    cluster.named |= {"orders": FORBIDDEN, "invoices": True, "shipments": SILENT}
    topics = topics_of(cluster)

    def said(name: str) -> list[str]:
        state = _state(name)
        plan = topics.plan(PlanRequest(prior=None, proposed=state, config=state, private=b""))
        return [each.summary for each in plan.diagnostics]

    assert "not allowed to Describe topic orders" in said("orders")[0]
    assert "it exists already" in said("invoices")[0]
    cluster.named["payments"] = False
    assert said("payments") == []
    cluster.forget_all()
    assert said("shipments") == []  # the apply asks again, and Kafka refuses to make a topic twice


def test_a_topic_that_can_no_longer_be_seen_is_not_deleted() -> None:
    cluster = Refusing("", answers=(layout("orders"), layout()))
    cluster.named["orders"] = FORBIDDEN
    refusal = refusal_of(topics_of(cluster).delete, _state("orders"))
    assert "cannot see topic orders disappear" in refusal.diagnostics[0].detail


def test_a_deletion_goes_on_while_the_controller_changes_and_does_not_fail_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LETTING_GO_POLL_SECONDS", 0.01)
    cluster = Refusing("", "", answers=(layout("orders", "invoices"), layout("others")))
    answers: list[existence.Answer] = [SILENT, SILENT, False, False]
    monkeypatch.setattr(cluster, "_ask_by_name", lambda names: dict.fromkeys(names, answers.pop(0)))
    topics = topics_of(cluster)
    topics.delete(_state("orders"), b"")
    topics.delete(_state("invoices"), b"")
    assert answers == []


def test_deletions_that_nobody_confirms_wait_once_and_not_once_per_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LETTING_GO_POLL_SECONDS", 0.01)
    cluster = Scripted(layout("others"))
    cluster.named |= {"orders": SILENT, "invoices": SILENT}
    with pytest.raises(Unanswered):
        cluster.disappears("orders", seconds=0.5)
    asked = cluster.asked
    assert asked > 1
    with pytest.raises(Unanswered):
        cluster.disappears("invoices", seconds=3600)
    assert cluster.asked == asked + 1


def test_a_topic_that_the_controller_has_and_the_brokers_do_not_show_yet_is_waited_for_once_and_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SHOWING_SECONDS", 0.05)
    cluster = Scripted(layout("others"))
    cluster.named |= {"orders": True, "invoices": True}
    with pytest.raises(Unanswered, match="the controller has topics that they do not show yet"):
        cluster.topic("orders")
    asked = cluster.asked
    with pytest.raises(Unanswered):
        cluster.topic("invoices")
    assert cluster.asked == asked
    assert cluster.topic("gone") is None


def test_whether_topics_exist_is_asked_in_vain_once_and_all_states_are_kept() -> None:
    cluster = Scripted(layout("others"))
    names = [f"topic-{number}" for number in range(5)]
    cluster.named |= dict.fromkeys(names, SILENT)
    topics = topics_of(cluster)
    states = [_state(name) for name in names]
    assert [topics.read(each, b"") for each in states] == states
    assert len(cluster.asked_by_name) == 1


@pytest.mark.parametrize(
    "doubts", [[None], ["they differ", None], [None, None, "they differ", None]], ids=["at once", "late", "unsteady"]
)
def test_whoever_may_not_ask_the_controller_believes_what_all_brokers_agree_on_several_times_in_a_row(
    doubts: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def agree_on_absence(*_: Any) -> str | None:
        asked.append(doubts[min(len(asked), len(doubts) - 1)])
        return asked[-1]

    monkeypatch.setattr(existence, "agree_on_absence", agree_on_absence)
    cluster = Scripted(layout("others"))
    cluster.named["orders"] = None
    assert cluster.topic("orders") is None
    assert asked == [*doubts, None, None]


def test_brokers_that_do_not_agree_that_a_topic_is_gone_leave_it_in_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHOWING_SECONDS", 0.05)
    monkeypatch.setattr(existence, "agree_on_absence", lambda *_: "they differ")
    cluster = Scripted(layout("others"))
    cluster.named["orders"] = None
    assert topics_of(cluster).read(_state("orders"), b"") == _state("orders")
    with pytest.raises(Unanswered, match="they differ, and to ask the controller instead, the client lacks Alter"):
        cluster.topic("orders")


def test_an_import_from_a_cluster_that_does_not_answer_is_an_error_and_not_an_empty_topic() -> None:
    topics = topics_of(Scripted(DEAD))
    imported = dict.fromkeys(topics.schema.attributes) | topics.import_state("orders")
    with pytest.raises(Refusal) as refusal:
        topics.read(imported, b"")
    assert "cannot import topic orders" in refusal.value.diagnostics[0].detail
    session = Session()
    session.configure(Settings(unknown=("bootstrap_servers",)))
    with pytest.raises(Refusal) as refusal:
        TopicResource(session).read(imported, b"")
    assert "cannot be imported yet" in refusal.value.diagnostics[0].summary


def test_an_illegal_name_cannot_be_imported() -> None:
    with pytest.raises(Refusal):
        topics_of(Scripted(layout())).import_state("a b")


def test_brokers_that_are_just_joining_are_waited_for_a_moment() -> None:
    assert len(Scripted(layout(brokers=1), layout(brokers=2), layout(brokers=3)).live_brokers(3)) == 3
    assert len(Scripted(layout(brokers=2)).live_brokers(3)) == 2


def test_metadata_without_brokers_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that has not heard from its controller yet lists no topic: none of them is lost."""

    class Client:
        def list_topics(self, timeout: float) -> NoReturn:  # noqa: ARG002 - the real one's signature
            raise KafkaException(KafkaError(KafkaError._PARTIAL, "Failed to get metadata: Local: Partial response"))

        def poll(self, timeout: float) -> int:  # noqa: ARG002
            return 0

    cluster = KafkaCluster(Settings(bootstrap_servers="127.0.0.1:9"), threading.Event())
    monkeypatch.setattr(module, "dial_any", lambda _: None)
    cluster._connection = connected(Client())
    with pytest.raises(Unreachable, match="does not know the cluster yet"):
        cluster.layout()


def test_where_nobody_listens_each_address_is_told_with_its_reason() -> None:
    cluster = KafkaCluster(Settings(bootstrap_servers="127.0.0.1:9, nowhere"), threading.Event())
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9: connection refused; nowhere: .*host:port"):
        cluster.layout()


@pytest.fixture
def speaks_no_tls() -> Iterator[str]:
    """An address whose server answers something else than a handshake."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(64)
                    connection.sendall(b"no TLS")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("authority", "said"), [(None, "SSL_HANDSHAKE"), ("-----BEGIN nonsense", "the client cannot be set up: ")]
)
def test_what_no_time_will_mend_is_told_from_a_cluster_that_is_not_there_yet(
    speaks_no_tls: str, authority: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 3.0)  # the client says at once what is wrong, and tries on
    security = Credentials(protocol="SSL", authorities=authority)
    cluster = KafkaCluster(Settings(bootstrap_servers=speaks_no_tls, security=security), threading.Event())
    with pytest.raises(Denied, match=said):
        cluster.layout()
    # Remembered: a thousand topics do not try a thousand times.
    with pytest.raises(Denied, match=said):
        cluster.topic("orders")


def without_configurations(
    code: int, monkeypatch: pytest.MonkeyPatch, *topics: str, refused: str = "orders"
) -> Scripted:
    """A cluster with a topic whose configuration is refused with this error, and others that have no entries."""

    class Client:
        def __init__(self) -> None:
            self.brokers: list[int | None] = []
            self.silent: set[int | None] = set()
            self.late = 0

        def describe_configs(self, resources: list[Any], broker: int | None = None, **_: Any) -> dict[Any, Future[Any]]:
            self.brokers.append(broker)
            answers: dict[Any, Future[Any]] = {resource: Future() for resource in resources}
            for resource, answer in answers.items():
                if broker in self.silent:
                    answer.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
                elif resource.name == refused and len(self.brokers) > self.late > 0:
                    answer.set_result({})
                elif resource.name == refused:
                    answer.set_exception(KafkaException(KafkaError(code)))
                else:
                    answer.set_result({})
            return answers

        def poll(self, _: float) -> None:
            return

    cluster = Scripted(layout(refused, *topics))
    monkeypatch.setattr(cluster, "_read_configs", MethodType(KafkaCluster._read_configs, cluster))
    cluster._connection = connected(Client())
    return cluster


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Denied),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, Denied),
        (KafkaError.REQUEST_TIMED_OUT, Unreachable),
    ],
)
def test_a_configuration_that_is_not_told_is_never_taken_for_an_empty_one(
    code: int, becomes: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = without_configurations(code, monkeypatch)
    with pytest.raises(becomes):
        cluster.topic("orders")


def test_topics_of_others_whose_configuration_is_hidden_stand_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [f"topic-{number}" for number in range(5)]
    cluster = without_configurations(KafkaError.TOPIC_AUTHORIZATION_FAILED, monkeypatch, *ours, refused="another-team")
    assert None not in [cluster.topic(name) for name in ours]
    with pytest.raises(Denied):
        cluster.topic("another-team")


def test_a_topic_whose_configuration_no_broker_tells_stands_in_nobodys_way_though_it_is_asked_for_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = without_configurations(KafkaError.UNKNOWN, monkeypatch, "payments", refused="orders")
    with pytest.raises(Unanswered):
        cluster.topic("orders")
    assert cluster.topic("payments") is not None


class Racks:
    """Each answer to the question for the brokers' racks; the last one is given again and again."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def describe_cluster(self, **_: Any) -> Future[Any]:
        told = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer: Future[Any] = Future()
        if isinstance(told, Exception):
            answer.set_exception(told)
        else:
            answer.set_result(SimpleNamespace(nodes=told))
        return answer

    def poll(self, _: float) -> None:
        return


TIMED_OUT = KafkaException(KafkaError(KafkaError._TIMED_OUT))


def test_racks_that_no_broker_tells_are_an_outage_and_not_a_mistake_of_the_provider() -> None:
    cluster = Scripted(layout("orders"))
    cluster._connection = connected(Racks(TIMED_OUT))
    with pytest.raises(Unreachable, match="Timed out"):
        cluster.racks()


def test_racks_that_one_broker_does_not_tell_any_more_are_told_by_another() -> None:
    cluster = Scripted(layout("orders"))
    cluster._connection = connected(Racks(TIMED_OUT, [SimpleNamespace(id=1, rack="b")]))
    assert cluster.racks() == {1: "b"}


def test_a_topic_that_is_gone_once_its_configuration_is_asked_for_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = without_configurations(KafkaError.UNKNOWN_TOPIC_OR_PART, monkeypatch)
    cluster.answers.append(layout())
    assert cluster.topic("orders") is None
    monkeypatch.setattr(module, "_SHOWING_SECONDS", 0.05)
    starting = without_configurations(KafkaError.UNKNOWN_TOPIC_OR_PART, monkeypatch)
    with pytest.raises(Unanswered, match="does not know topic orders yet"):
        starting.topic("orders")


def test_configurations_that_nobody_tells_are_waited_for_once_and_not_once_per_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"topic-{number}" for number in range(20)]
    cluster = without_configurations(KafkaError.REQUEST_TIMED_OUT, monkeypatch, *names, refused="topic-0")
    cluster._advertised = {0: "127.0.0.1:9", 1: "127.0.0.1:10"}
    cluster._answering = 1
    client = cluster._admin()
    topics = topics_of(cluster)
    states = [_state(name) for name in names]
    assert [topics.read(each, b"") for each in states] == states
    assert client.brokers == [1, 0]  # type: ignore[attr-defined]
    refusal = refusal_of(topics.read, {**_state("topic-3"), "partitions": None})
    assert "answer, but do not tell the configuration of topics" in refusal.diagnostics[0].detail
    assert "no broker" not in refusal.diagnostics[0].detail


def test_one_broker_that_tells_no_configurations_is_one_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = without_configurations(KafkaError.REQUEST_TIMED_OUT, monkeypatch, "orders", refused="nobody")
    cluster._advertised = {0: "127.0.0.1:9", 1: "127.0.0.1:10"}
    cluster._answering = 1
    client = cluster._admin()
    client.silent = {1}  # type: ignore[attr-defined]
    assert cluster.topic("orders") is not None
    assert cluster._answering == 0


def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    reach = KubernetesReach(kubeconfig="/nowhere/kubeconfig", context=None, namespace="kafka", release="demo")
    session = Session()
    session.configure(Settings(kubernetes=reach))
    with pytest.raises(Refusal) as refusal:
        TopicResource(session).read(_state("orders"), b"")
    assert "/nowhere/kubeconfig" in refusal.value.diagnostics[0].detail


# ---- a topic, on a cluster that refuses ------------------------------------------------------------------------------


def _state(name: str, **values: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "partitions": 1,
        "replication_factor": 1,
        "config": None,
        "deletion_protection": False,
        **values,
    }


class Refusing(Scripted):
    """A cluster that answers every change with Kafka's codes, in this order; an empty code is consent."""

    def __init__(self, *codes: str, answers: tuple[Answer, ...] = (layout(),)) -> None:
        super().__init__(*answers)
        self.codes = list(codes)

    def _consent(self) -> None:
        code = self.codes.pop(0)
        if code:
            raise KafkaRefused(code, "because")

    def create(self, name: str, topic: NewTopic) -> None:  # noqa: ARG002 - the real one's signature
        self._consent()

    def grow(self, name: str, partitions: int) -> None:  # noqa: ARG002 - the real one's signature
        self._consent()

    def alter_config(self, name: str, entries: Mapping[str, str | None]) -> None:  # noqa: ARG002 - as above
        self._consent()

    def racks(self) -> dict[int, str | None]:
        return dict.fromkeys(self.layout().brokers)

    def delete(self, name: str) -> None:  # noqa: ARG002 - the real one's signature
        self._consent()


def topics_of(cluster: KafkaCluster) -> TopicResource:
    session = Session()
    session.configure(cluster.settings)
    session.stopped = cluster._stopped
    session._cluster = cluster
    return TopicResource(session)


def refusal_of(action: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        action(*arguments, b"")
    return refusal.value


def test_brokers_that_delete_no_topics_are_told_with_the_setting() -> None:
    refusal = refusal_of(topics_of(Refusing("TOPIC_DELETION_DISABLED")).delete, _state("orders"))
    assert "delete.topic.enable" in refusal.diagnostics[0].detail


def test_a_topic_that_is_gone_already_counts_as_deleted() -> None:
    topics_of(Refusing("UNKNOWN_TOPIC_OR_PART")).delete(_state("orders"), b"")


def test_a_deletion_that_brokers_keep_pending_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from hikube_kafka.provider.resources import topic  # noqa: PLC0415 - patched here alone

    monkeypatch.setattr(topic, "_SETTLE_SECONDS", 0.05)
    refusal = refusal_of(topics_of(Refusing("", answers=(layout("orders"),))).delete, _state("orders"))
    assert "is marked for deletion" in refusal.diagnostics[0].summary
    assert "The provider waited 0.05 s." in refusal.diagnostics[0].detail


def test_a_protected_topic_is_not_deleted_even_if_no_plan_refused() -> None:
    cluster = Refusing()
    refusal = refusal_of(topics_of(cluster).delete, _state("orders", deletion_protection=True))
    assert "is protected from deletion" in refusal.diagnostics[0].summary
    assert cluster.asked == 0


def test_a_creation_that_came_to_nothing_is_an_error() -> None:
    refusal = refusal_of(topics_of(Refusing("POLICY_VIOLATION")).create, _state("orders"))
    assert refusal.diagnostics[0].detail == "POLICY_VIOLATION: because"
    assert refusal.state is None


def test_copies_for_which_there_are_too_few_brokers_are_refused_even_if_those_are_gone_by_then() -> None:
    cluster = Refusing("INVALID_REPLICATION_FACTOR", answers=(layout(), DEAD))
    topics = topics_of(cluster)
    cluster.layout()
    cluster.create = MethodType(lambda its, *_: its.forget("orders") or its._consent(), cluster)  # type: ignore[method-assign]
    refusal = refusal_of(topics.create, _state("orders"))
    assert refusal.diagnostics[0].detail == "INVALID_REPLICATION_FACTOR: because"


def test_a_name_that_this_apply_has_deleted_is_tried_again_and_another_is_not() -> None:
    topics = topics_of(Refusing("", "TOPIC_ALREADY_EXISTS", "TOPIC_ALREADY_EXISTS", ""))
    topics.delete(_state("orders"), b"")
    assert topics.create(_state("orders"), b"") == _state("orders")
    foreign = topics_of(Refusing("TOPIC_ALREADY_EXISTS"))
    assert "exists already" in refusal_of(foreign.create, _state("orders")).diagnostics[0].summary


def test_a_name_that_stays_taken_after_its_deletion_is_refused_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from hikube_kafka.provider.resources import topic  # noqa: PLC0415 - patched here alone

    topics = topics_of(Refusing("", *["TOPIC_ALREADY_EXISTS"] * 100))
    topics.delete(_state("orders"), b"")
    monkeypatch.setattr(topic, "_SETTLE_SECONDS", 0.05)
    assert "exists already" in refusal_of(topics.create, _state("orders")).diagnostics[0].summary


def test_a_topic_that_kafka_refuses_is_not_taken_for_made_because_somebody_else_has_made_it() -> None:
    topics = topics_of(Refusing("POLICY_VIOLATION", answers=(layout("orders"),)))
    assert refusal_of(topics.create, _state("orders")).diagnostics[0].detail == "POLICY_VIOLATION: because"


def test_nothing_is_made_after_ctrl_c() -> None:
    cluster = Refusing()
    topics = topics_of(cluster)
    cluster._stopped.set()
    assert refusal_of(topics.create, _state("orders")).state is None
    assert cluster.codes == []


def test_a_change_that_kafka_refuses_is_recorded_as_far_as_it_came() -> None:
    topics = topics_of(Refusing("", "INVALID_PARTITIONS"))
    wanted = _state("orders", partitions=3, config={"retention.ms": "1000"})
    refusal = refusal_of(topics.update, _state("orders"), wanted)
    assert refusal.diagnostics[0].summary == "Kafka refused to give topic orders 3 partitions"
    assert refusal.state == _state("orders", config={"retention.ms": "1000"})


@pytest.mark.parametrize("cut", [DEAD, LOCKED, Stopped()], ids=["dead", "locked", "stopped"])
def test_a_change_that_is_cut_short_is_recorded_as_far_as_it_came(
    cut: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(*_: object) -> None:
        raise cut

    cluster = Refusing("")
    monkeypatch.setattr(cluster, "grow", grow)
    wanted = _state("orders", partitions=3, config={"retention.ms": "1000"})
    refusal = refusal_of(topics_of(cluster).update, _state("orders"), wanted)
    assert refusal.state == _state("orders", config={"retention.ms": "1000"})


def test_a_deletion_that_kafka_refuses_is_an_error() -> None:
    refusal = refusal_of(topics_of(Refusing("TOPIC_AUTHORIZATION_FAILED")).delete, _state("orders"))
    assert refusal.diagnostics[0].summary == "Kafka refused to delete topic orders"


def test_a_deletion_that_nobody_saw_come_about_is_an_error() -> None:
    refusal = refusal_of(topics_of(Refusing("", answers=(layout("orders"), LOCKED))).delete, _state("orders"))
    assert "cannot see topic orders disappear" in refusal.diagnostics[0].detail


def test_ctrl_c_while_a_name_is_waited_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Refusing("")
    topics = topics_of(cluster)
    topics.delete(_state("orders"), b"")

    def interrupted(*_: object) -> None:
        cluster._stopped.set()
        raise KafkaRefused("TOPIC_ALREADY_EXISTS", "because")

    monkeypatch.setattr(cluster, "create", interrupted)
    assert refusal_of(topics.create, _state("orders")).diagnostics[0].summary == "Stopped"


@pytest.mark.parametrize("state_of_the_world", [DEAD, LOCKED])
def test_no_change_is_tried_on_a_cluster_that_cannot_be_asked(state_of_the_world: Exception) -> None:
    cluster = Refusing(answers=(state_of_the_world,))
    topics = topics_of(cluster)
    said = "does not answer" if state_of_the_world is DEAD else "does not let the provider in"
    for refusal in (
        refusal_of(topics.create, _state("orders")),
        refusal_of(topics.update, _state("orders"), _state("orders", partitions=3)),
        refusal_of(topics.delete, _state("orders")),
    ):
        assert said in refusal.diagnostics[0].summary


def test_settings_still_unknown_during_the_apply_are_named() -> None:
    session = Session()
    session.configure(Settings(unknown=("bootstrap_servers",)))
    refusal = refusal_of(TopicResource(session).create, _state("orders"))
    assert refusal.diagnostics[0].summary == "The provider cannot create topic orders"
    assert "bootstrap_servers" in refusal.diagnostics[0].detail


@pytest.mark.parametrize(
    ("partitions", "said"),
    [
        (
            1,
            (
                "Topic orders: a replication factor of 4 needs 4 brokers, but the cluster has 3 live: 0, 1, 2 "
                "[replication-factor-above-brokers]"
            ),
        ),
        (2, "The new partitions of topic orders do not appear"),
    ],
)
def test_a_move_that_cannot_begin_is_refused_with_what_was_done_before(
    partitions: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hikube_kafka.provider.resources import topic  # noqa: PLC0415 - patched here alone

    monkeypatch.setattr(topic, "_SETTLE_SECONDS", 0.05)
    topics = topics_of(Refusing("", answers=(layout("orders"),)))
    wanted = _state("orders", partitions=partitions, replication_factor=4)
    refusal = refusal_of(topics.update, _state("orders"), wanted)
    assert refusal.diagnostics[0].summary == said
    assert refusal.state == _state("orders", partitions=partitions)


def test_a_topic_that_may_not_be_read_is_an_error_and_not_gone() -> None:
    refusal = refusal_of(topics_of(Scripted(LOCKED)).read, _state("orders"))
    assert "cannot read topic orders" in refusal.diagnostics[0].detail
    assert "authentication failed" in refusal.diagnostics[0].detail


# ---- a topic's plan, while the cluster is there ----------------------------------------------------------------------


def planned(topics: TopicResource, prior: dict[str, Any] | None, wanted: dict[str, Any]) -> list[str]:
    topics._session.addresses = Addresses()  # each plan is a run of its own
    plan = topics.plan(PlanRequest(prior=prior, proposed=wanted, config=wanted, private=b""))
    return [fault.summary for fault in plan.diagnostics]


def test_a_plan_refuses_what_the_cluster_could_not_hold() -> None:
    topics = topics_of(Scripted(layout("orders")))
    many = _state("invoices", replication_factor=4)
    too_many = [
        (
            "Topic invoices: a replication factor of 4 needs 4 brokers, but the cluster has 3 live: 0, 1, 2 "
            "[replication-factor-above-brokers]"
        )
    ]
    assert planned(topics, None, many) == too_many
    assert planned(topics, _state("invoices"), many) == too_many
    assert planned(topics, None, _state("invoices", replication_factor=3)) == []
    # What is as it was is no fault of this plan, even while a broker is away.
    assert planned(topics, many, many) == []


def test_brokers_that_the_same_plan_starts_count_as_there() -> None:
    cluster = Scripted(layout("orders"))
    topics = topics_of(cluster)
    topics._session.expect(["127.0.0.1:9", *(f"127.0.0.1:{port}" for port in range(10, 13))])
    assert planned(topics, _state("invoices"), _state("invoices", replication_factor=4)) == []
    assert cluster.asked == 0, "nobody waits for brokers that only the apply will start"
    wanted = _state("payments", replication_factor=5)
    plan = topics.plan(PlanRequest(prior=None, proposed=wanted, config=wanted, private=b""))
    (fault,) = plan.diagnostics
    assert "but the cluster will have 4 [" in fault.summary


def test_a_plan_takes_nothing_over_silently() -> None:
    topics = topics_of(Scripted(layout("orders")))
    assert planned(topics, None, _state("orders")) == [
        "Topic orders: it exists already, made by somebody else [topic-exists]"
    ]
    # A topic that some state holds is planned anew, for a replacement.
    free = _state("invoices", deletion_protection=False)
    assert planned(topics, free, free) == []
    assert planned(topics, None, free) == []


def test_a_plan_that_may_not_look_says_so_and_one_before_the_cluster_exists_is_silent() -> None:
    assert planned(topics_of(Scripted(LOCKED)), None, _state("orders")) == ["The cluster does not let the provider in"]
    assert planned(topics_of(Scripted(DEAD)), None, _state("orders")) == []


# ---- a topic, on a real cluster --------------------------------------------------------------------------------------


@pytest.fixture
def real(living_ensemble: LivingEnsemble) -> Iterator[tuple[TopicResource, str]]:
    """Topics of a living cluster, and one that was made there."""
    session = Session()
    session.configure(Settings(bootstrap_servers=living_ensemble.bootstrap))
    topics = TopicResource(session)
    name = f"orders-{uuid4().hex[:8]}"
    topics.create(_state(name, partitions=4), b"")
    yield topics, name
    session.stopped.clear()
    topics.delete(_state(name), b"")


@pytest.mark.ensemble
@pytest.mark.timeout(200)
def test_brokers_whose_zookeeper_is_frozen_are_waited_for_once_and_every_state_is_kept(
    real: tuple[TopicResource, str], living_ensemble: LivingEnsemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, name = real
    asked: list[int | None] = []
    take = KafkaCluster._take_configs

    def counted(self: KafkaCluster, resources: list[Any], broker: int | None) -> dict[str, Unanswered]:
        asked.append(broker)
        return take(self, resources, broker)

    monkeypatch.setattr(KafkaCluster, "_take_configs", counted)
    session = Session()
    session.configure(Settings(bootstrap_servers=living_ensemble.bootstrap))
    topics = TopicResource(session)
    await_topic(living_ensemble.bootstrap, name, 4)  # a broker that does not know it yet may be asked again
    cluster = session.cluster()
    assert cluster is not None
    cluster.layout()
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 1.0)
    # One that is there, asked for again and again, and two that are not: nobody can say so now.
    states = [_state(each, partitions=4) for each in (name, name, "lost-1", "lost-2", name)]
    servers = running_servers(Path(living_ensemble.declaration.directory))
    frozen = [server.process for server in servers.values() if server.name.startswith("zookeeper")]
    assert frozen
    for process in frozen:
        suspend(process)
    try:
        with collected_warnings() as warnings:
            assert [topics.read(each, b"") for each in states] == states
    finally:
        for process in frozen:
            process.resume()
        # The brokers' sessions may have run out, and the next test needs all of them.
        until(lambda: observe(living_ensemble.declaration).is_healthy, "the ensemble is well again")
    assert len(asked) == len(set(asked)) <= module._MOST_ASKED, "each broker once"
    (warning,) = warnings
    assert "answer, but do not tell the configuration of topics" in warning.detail


@pytest.mark.ensemble
@pytest.mark.timeout(200)
def test_what_was_done_before_a_refusal_is_recorded(real: tuple[TopicResource, str]) -> None:
    topics, name = real
    before = _state(name, partitions=4)
    wanted = _state(name, partitions=2, config={"retention.ms": "5000"})
    with pytest.raises(Refusal) as refusal:
        topics.update(before, wanted, b"")
    assert "INVALID_PARTITIONS" in refusal.value.diagnostics[0].detail
    assert refusal.value.state == {**before, "config": {"retention.ms": "5000"}}
    # A broker reads a topic's configuration from its own ZooKeeper server, which may be a moment behind.
    cluster = topics._session.cluster()
    assert isinstance(cluster, KafkaCluster)

    def read_anew() -> dict[str, Any] | None:
        cluster.forget(name)
        return topics.read(before, b"")

    until(lambda: read_anew() == refusal.value.state, "the change is read", 30)


@pytest.mark.ensemble
@pytest.mark.timeout(200)
def test_a_move_interrupted_by_ctrl_c_is_recorded_as_not_done_and_completed_later(
    real: tuple[TopicResource, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hikube_kafka.provider import reassignment  # noqa: PLC0415 - patched here alone

    topics, name = real
    before, wanted = _state(name, partitions=4), _state(name, partitions=4, replication_factor=3)
    submit = reassignment._submit

    def submit_then_stop(*arguments: Any) -> None:
        submit(*arguments)
        topics._session.stopped.set()

    with monkeypatch.context() as patch:
        patch.setattr(reassignment, "_submit", submit_then_stop)
        patch.setattr(reassignment, "_unsettled", lambda *_: {0: (0,)})  # a move of real data would still be going on
        with pytest.raises(Refusal) as refusal:
            topics.update(before, wanted, b"")
    assert "Stopped while replicas" in refusal.value.diagnostics[0].summary
    assert refusal.value.state == before
    topics._session.stopped.clear()
    assert topics.update(before, wanted, b"") == wanted
    assert topics.read(wanted, b"") == wanted


class Slow(Scripted):
    """Each look at the metadata lasts until the test lets it end."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(*answers)
        self.looking = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)

    def _read_layout(self) -> Layout:
        self.looking.release()
        assert self.may_end.acquire(timeout=30)
        return super()._read_layout()


class NotedLock:
    """A lock that tells when somebody begins to wait for it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.asked = threading.Semaphore(0)

    def __enter__(self) -> None:
        self.asked.release()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_deletions_that_wait_at_the_same_time_share_a_look_that_began_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"topic-{number}" for number in range(10)]
    cluster, lock = Slow(layout(*names), layout("other")), NotedLock()
    monkeypatch.setattr(cluster, "_lock", lock)
    with ThreadPoolExecutor(11) as pool:
        pool.submit(cluster.layout)
        assert cluster.looking.acquire(timeout=30)
        gone = [pool.submit(cluster.disappears, name, seconds=30) for name in names]
        for _ in range(11):
            assert lock.asked.acquire(timeout=30)
        # All of them have asked while a look is under way that began before, and shows their topics.
        cluster.may_end.release(20)
        assert all(each.result(timeout=30) for each in gone)
    assert cluster.asked == 2


def test_deletions_that_wait_at_the_same_time_are_confirmed_by_one_answer_that_was_asked_for_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"topic-{number}" for number in range(10)]
    cluster, lock = Scripted(layout("others")), NotedLock()
    cluster.layout()
    cluster._existence = dict.fromkeys(names, True)  # as it was before
    monkeypatch.setattr(cluster, "look", lambda: layout("others"))
    monkeypatch.setattr(cluster, "_lock", lock)
    with ThreadPoolExecutor(10) as pool:
        with lock.lock:
            gone = [pool.submit(cluster.disappears, name, seconds=30) for name in names]
            for _ in names:
                assert lock.asked.acquire(timeout=30)
        assert all(each.result(timeout=30) for each in gone)
    assert cluster.asked_by_name == [names]


def test_what_is_fresh_was_read_after_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, lock = Slow(layout("before"), layout("after")), NotedLock()
    monkeypatch.setattr(cluster, "_lock", lock)
    with ThreadPoolExecutor(2) as pool:
        pool.submit(cluster.layout)
        assert cluster.looking.acquire(timeout=30)
        assert lock.asked.acquire(timeout=30)
        fresh = pool.submit(cluster.layout, fresh=True)
        assert lock.asked.acquire(timeout=30)
        cluster.may_end.release(2)
        assert fresh.result(timeout=30) == layout("after")


def test_a_deletion_leaves_the_metadata_known(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Scripted(layout("orders"), layout("payments"))
    monkeypatch.setattr(cluster, "delete", lambda _name: None)
    topics = topics_of(cluster)
    topics.delete({**_state("orders", partitions=1), "deletion_protection": False}, b"")
    asked = cluster.asked
    assert cluster.layout() == layout("payments")
    assert cluster.asked == asked == 2


def test_a_deletion_is_over_only_once_the_brokers_have_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Scripted(layout("orders"), layout("orders"), layout("orders"), layout())
    monkeypatch.setattr(cluster, "delete", lambda _name: None)
    topics_of(cluster).delete({**_state("orders", partitions=1), "deletion_protection": False}, b"")
    assert cluster.asked == 4


class Asked(Scripted):
    """Notes the names of each request for configurations."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(*answers)
        self.requests: list[list[str]] = []

    def _read_configs(self, names: list[str]) -> None:
        self.requests.append(names)
        super()._read_configs(names)


def test_a_thousand_topics_are_read_in_shares_and_those_that_somebody_waits_for_come_first() -> None:
    names = [f"topic-{number:04}" for number in range(1000)]
    cluster = Asked(layout(*names))
    for name in ("topic-0999", "topic-0998"):
        cluster.topic(name)
    assert cluster.requests == [["topic-0999"], ["topic-0998"]]
    cluster._wanted.add("topic-0990")  # as a call does that waits for the lock
    cluster.topic("topic-0997")
    third = cluster.requests[2]
    assert third[:3] == ["topic-0990", "topic-0997", "topic-0000"]
    assert len(third) == 250
    for name in names:
        assert cluster.topic(name) is not None
    assert len(cluster.requests) == 6
    assert sorted(name for request in cluster.requests for name in request) == names


def test_a_topic_that_is_known_is_answered_while_others_are_read() -> None:
    cluster = Slow(layout("known", "other"))
    cluster.may_end.release()
    assert cluster.topic("known") is not None
    assert cluster.looking.acquire(timeout=30)
    reading = threading.Thread(target=lambda: cluster.layout(fresh=True))
    reading.start()
    assert cluster.looking.acquire(timeout=30)
    assert cluster.topic("known") is not None  # would wait for the lock for ever
    cluster.may_end.release()
    reading.join(timeout=30)


# ---- replicas that are being moved -----------------------------------------------------------------------------------


def moving_orders(*answers: Answer, factor: int, private: bytes = b"", **moves: Move) -> tuple[Any, list[str]]:
    """What a read makes of a topic that is being moved, and what it warns of."""
    cluster = Scripted(*answers)
    cluster.moved = {"orders": {int(each.removeprefix("p")): move for each, move in moves.items()}} if moves else {}
    with collected_warnings() as warnings:
        state = topics_of(cluster).read(_state("orders", partitions=2, replication_factor=factor), private)
    assert state is not None
    assert cluster.asked_for_moves == 1
    return state["replication_factor"], [warning.summary for warning in warnings]


def partitions(*replicas: tuple[int, ...], in_sync: tuple[tuple[int, ...], ...]) -> Layout:
    return Layout(
        brokers=frozenset({0, 1, 2}),
        replicas={"orders": dict(enumerate(replicas))},
        in_sync={"orders": dict(enumerate(in_sync))},
    )


FOREIGN = ["Replicas are being moved by somebody else"]
OWN = ["A move of replicas that an earlier apply began is not finished"]
GROWING = partitions((0, 1, 2), (1, 0, 2), in_sync=((0, 1), (1, 0, 2)))


def test_a_reassignment_of_somebody_else_is_no_difference() -> None:
    there = partitions((0, 2, 1), (1, 0), in_sync=((0, 1), (1, 0)))
    assert moving_orders(there, factor=2, p0=Move((0, 1), (0, 2))) == (2, FOREIGN)
    # Nor is another factor one, as long as it is not reached: an apply would cancel it.
    assert moving_orders(GROWING, factor=2, p0=Move((0, 1), (0, 1, 2))) == (2, FOREIGN)


def test_a_move_that_this_state_has_begun_and_not_seen_to_end_is_still_to_be_done() -> None:
    assert moving_orders(GROWING, factor=2, private=b"2 3", p0=Move((0, 1), (0, 1, 2))) == (2, OWN)
    # Not all partitions were begun with.
    half = partitions((0, 1, 2), (1, 0), in_sync=((0, 1, 2), (1, 0)))
    assert moving_orders(half, factor=2, private=b"2 3") == (2, [])
    done = partitions((0, 1, 2), (1, 0, 2), in_sync=((0, 1, 2), (1, 0, 2)))
    assert moving_orders(done, factor=2, private=b"2 3") == (3, [])


def test_a_move_that_has_ended_while_it_was_asked_for_counts_as_it_ended() -> None:
    there = partitions((0, 2, 1), (1, 0), in_sync=((0, 1), (1, 0)))
    ended = partitions((0, 2), (1, 0), in_sync=((0, 2), (1, 0)))
    assert moving_orders(there, ended, factor=2) == (2, [])


def test_where_kafka_does_not_tell_a_replica_that_may_be_on_its_way_is_no_difference() -> None:
    cluster = Scripted(GROWING)
    cluster.moved = None
    state = _state("orders", partitions=2, replication_factor=2)
    with collected_warnings() as warnings:
        assert topics_of(cluster).read(state, b"") == state
    assert [warning.summary for warning in warnings] == FOREIGN


def test_a_thousand_topics_ask_for_reassignments_once_and_those_that_look_healthy_never() -> None:
    cluster = Scripted(layout("orders"))
    topics_of(cluster).read(_state("orders"), b"")
    assert cluster.asked_for_moves == 0
    names = [f"topic-{number}" for number in range(1000)]
    cluster = Scripted(layout(*names))
    topics = topics_of(cluster)
    for name in names:
        topics.read(_state(name, replication_factor=2), b"")
    assert cluster.asked_for_moves == 1
    assert cluster.asked == 2


def answering_moves(cluster: Scripted, *answers: Moves | Exception | None) -> None:
    """What Kafka answers when it is asked for reassignments, in this order; the last one again and again."""
    left = list(answers)

    def answer() -> Moves | None:
        cluster.asked_for_moves += 1
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    cluster._read_moves = answer  # type: ignore[method-assign]


NOT_TOLD = Unanswered("127.0.0.1:9", "which replicas are being moved", "no controller")


def test_a_change_waits_until_it_is_told_what_is_being_moved_and_a_plan_does_not() -> None:
    moves = {"orders": {0: Move((0,), (1,))}}
    cluster = Scripted(layout())
    answering_moves(cluster, NOT_TOLD, NOT_TOLD, NOT_TOLD, moves)
    assert [cluster.moves(), cluster.moves()] == [None, None]
    assert cluster.asked_for_moves == 1
    assert cluster.moves(fresh=True) == moves
    assert cluster.asked_for_moves == 4


def test_replicas_are_not_moved_while_nobody_tells_whether_somebody_else_moves_them() -> None:
    cluster = Refusing("", answers=(layout("orders"),))
    answering_moves(cluster, NOT_TOLD)
    topics = topics_of(cluster)
    refusal = refusal_of(topics.update, _state("orders"), _state("orders", replication_factor=2))
    assert "do not tell which replicas are being moved" in refusal.diagnostics[0].detail
    asked = cluster.asked_for_moves
    refusal_of(topics.update, _state("orders"), _state("orders", replication_factor=2))
    assert cluster.asked_for_moves == asked + 1
    grown = _state("orders", partitions=2)
    assert topics.update(_state("orders"), grown, b"") == grown, "which Kafka itself refuses during a move"


def test_topics_that_change_at_the_same_time_share_a_question_that_came_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster, lock = Scripted(layout()), NotedLock()
    monkeypatch.setattr(cluster, "_lock", lock)
    with ThreadPoolExecutor(10) as pool:
        with lock.lock:
            asking = [pool.submit(cluster.moves, fresh=True) for _ in range(10)]
            for _ in asking:
                assert lock.asked.acquire(timeout=30)
        assert [each.result(timeout=30) for each in asking] == [{}] * 10
    assert cluster.asked_for_moves == 1
    cluster.moves(fresh=True)
    assert cluster.asked_for_moves == 2


def test_the_throttles_of_a_reassignment_are_no_difference_unless_they_are_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    throttles = {f"{side}.replication.throttled.replicas": "0:1" for side in ("leader", "follower")}
    cluster = Scripted(layout("orders"))
    monkeypatch.setattr(
        cluster, "_read_configs", lambda names: cluster._configs.update(dict.fromkeys(names, throttles))
    )
    topics = topics_of(cluster)
    assert topics.read(_state("orders"), b"") == _state("orders")
    declared = _state("orders", config={"leader.replication.throttled.replicas": "*"})
    assert topics.read(declared, b"") == _state("orders", config={"leader.replication.throttled.replicas": "0:1"})


def test_a_change_that_a_reassignment_of_somebody_else_stands_in_the_way_of_is_refused_in_the_apply_too() -> None:
    cluster = Refusing("", answers=(partitions((0, 2, 1), (1, 0), in_sync=((0, 1), (1, 0))),))
    cluster.moved = {"orders": {0: Move((0, 1), (0, 2))}}
    before = _state("orders", partitions=2, replication_factor=2)
    for wanted in ({"partitions": 3}, {"replication_factor": 3}):
        topics = topics_of(cluster)
        planned = {**before, **wanted, "config": {"retention.ms": "1000"}}
        cluster.codes = [""]
        refusal = refusal_of(topics.update, before, planned)
        assert "cannot change while its replicas are being moved" in refusal.diagnostics[0].summary
        assert refusal.state == {**before, "config": {"retention.ms": "1000"}}


def test_what_was_begun_is_remembered_until_it_is_done() -> None:
    assert TopicMemory.read(b"4") == (4, None, frozenset())
    begun = TopicMemory.read(b"4 3").begun({"replication_factor": 2})
    assert begun == {3}
    again = TopicMemory.of({"partitions": 4, "replication_factor": 1}, begun).written()
    assert again == b"4 1 3"
    assert TopicMemory.read(again).begun({"replication_factor": 2}) == {1, 3}
    assert TopicMemory.read(again).begun({"replication_factor": 1}) == frozenset()


def test_a_topic_that_cannot_be_asked_for_keeps_no_other_from_being_asked_for() -> None:
    cluster = Scripted(layout())
    cluster._see_controller = lambda: None  # type: ignore[method-assign]
    offline = Connection("127.0.0.1:9", Credentials(), {})
    cluster._connected = lambda: offline  # type: ignore[method-assign]
    cluster._creating_connections = lambda topics: [offline] * topics  # type: ignore[method-assign]

    def refused(answers: Mapping[str, Future[None]]) -> list[str]:
        # Whoever was asked for has no answer yet: nobody listens.
        return [name for name, answer in answers.items() if answer.done()]

    module._CHANGE_SECONDS, kept = 0.5, module._CHANGE_SECONDS
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_refusals", lambda answers: answers)
            topics = {name: NewTopic(partitions=1, replication_factor=1, config={}) for name in ("a", "b", "c")}
            for partitions in (2**31, 100_001, -7):
                wrong = {**topics, "b": NewTopic(partitions=partitions, replication_factor=1, config={})}
                assert refused(cluster._create(wrong)) == ["b"]
                assert refused(cluster._grow({"a": 2, "b": partitions, "c": 3})) == ["b"]
            assert refused(
                cluster._alter({"a": {"retention.ms": "1"}, "b": {"": "1"}, "c": {"retention.ms": None}})
            ) == ["b"]
    finally:
        module._CHANGE_SECONDS = kept
