"""What a plan of brokers says: whether those that go may go, and that those that come count."""

import threading
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, NoReturn

import pytest

from hikube_kafka.kafka.errors import Denied, Forbidden, KafkaRefused, Unanswered, Unclear, Unreachable
from hikube_kafka.plugin.diagnostics import Refusal
from hikube_kafka.plugin.resource import Plan, PlanRequest, configuration_faults
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider import stored as stored_module
from hikube_kafka.provider.moves import Moves
from hikube_kafka.provider.resources.brokers import BrokersResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster, Layout
from hikube_kafka.spec.changes.replicas import Move


@pytest.fixture
def session() -> Session:
    session = Session()
    session.configure(Settings(bootstrap_servers="127.0.0.1:9"))
    return session


@pytest.fixture(autouse=True)
def nobody_moves_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KafkaCluster, "_read_moves", lambda _: {})


@pytest.fixture
def brokers(session: Session) -> BrokersResource:
    return BrokersResource(session)


@pytest.fixture(autouse=True)
def brokers_store_what_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_module, "_stored", lambda *_: {})


def declared(number: Any, *, drain: bool | None = None) -> dict[str, Any]:
    return {"brokers": number, "drain": drain}


def planned(resource: BrokersResource, prior: dict[str, Any] | None, wanted: dict[str, Any] | None) -> Plan:
    return resource.plan(PlanRequest(prior=prior, proposed=wanted, config=wanted))


@pytest.mark.parametrize("number", [0, -1, 1.5])
def test_a_cluster_has_a_whole_number_of_brokers(brokers: BrokersResource, number: float) -> None:
    assert [fault.path for fault in configuration_faults(brokers, declared(number))] == [("brokers",)]
    assert not list(configuration_faults(brokers, declared(UNKNOWN)))


def test_more_brokers_count_for_what_is_planned_after_them(brokers: BrokersResource, session: Session) -> None:
    assert not planned(brokers, declared(3), declared(4)).diagnostics
    assert session.coming() == 4
    assert session.staying(frozenset({0, 1, 2})) == {0, 1, 2}


def test_fewer_brokers_no_longer_count_for_what_is_planned_after_them(
    brokers: BrokersResource, session: Session
) -> None:
    planned(brokers, declared(4), declared(3))
    assert session.coming() == 3
    assert session.staying(frozenset({0, 1, 2, 3})) == {0, 1, 2}


def test_the_same_number_and_an_unknown_one_promise_nothing(brokers: BrokersResource, session: Session) -> None:
    for wanted in (declared(3), declared(3, drain=True), declared(UNKNOWN), None):
        assert planned(brokers, declared(3), wanted).planned == wanted
    assert session.coming() == 0


def test_a_cluster_that_does_not_answer_is_asked_again_by_the_apply(brokers: BrokersResource) -> None:
    (warning,) = planned(brokers, declared(4), declared(3)).diagnostics
    assert (warning.severity, warning.summary) == ("warning", "The cluster does not answer")
    assert not planned(brokers, None, declared(3)).diagnostics, "in a first apply that is normal"


def test_a_broker_that_holds_replicas_cannot_go_and_the_cluster_is_asked(
    brokers: BrokersResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    partitions = {"orders": {0: (0, 1), 1: (1, 3)}}
    living = Layout(brokers=frozenset({0, 1, 2, 3}), replicas=partitions, in_sync=partitions)
    monkeypatch.setattr(KafkaCluster, "layout", lambda _: living)
    for prior in (declared(4), None):
        (fault,) = planned(brokers, prior, declared(3)).diagnostics
        assert fault.severity == "error"
        assert fault.summary == "Broker 3: it cannot be removed: it holds replicas [broker-holds-replicas]"
        assert "--bootstrap-server 127.0.0.1:9 --topics-to-move-json-file topics.json" in fault.detail
        assert fault.path == ("brokers",)
    (warning,) = planned(brokers, declared(4), declared(3, drain=True)).diagnostics
    assert (warning.severity, warning.path) == ("warning", ("drain",))


def hiding(monkeypatch: pytest.MonkeyPatch, stored: dict[int, list[str]] | Exception, *live: int) -> list[list[int]]:
    """A cluster that shows one topic on brokers 0 and 1, and whose brokers store these; gives who was asked for it."""
    partitions = {"orders": {0: (0, 1)}}
    living = Layout(brokers=frozenset(live), replicas=partitions, in_sync=partitions)
    monkeypatch.setattr(KafkaCluster, "layout", lambda _, **__: living)
    asked: list[list[int]] = []

    def told(_: KafkaCluster, brokers: Collection[int]) -> dict[int, frozenset[str]]:
        asked.append(sorted(brokers))
        if isinstance(stored, Exception):
            raise stored
        return {broker: frozenset(stored.get(broker, ())) for broker in brokers}

    def by_name(_: KafkaCluster, names: list[str]) -> dict[str, bool | Denied]:
        code = "TOPIC_AUTHORIZATION_FAILED"
        hidden = [Forbidden.topic("127.0.0.1:9", "Describe", name, "User:alice", code) for name in names]
        return {name: False if name == "stray" else refusal for name, refusal in zip(names, hidden, strict=True)}

    monkeypatch.setattr(stored_module, "_stored", told)
    monkeypatch.setattr(KafkaCluster, "_ask_by_name", by_name)
    return asked


def test_a_broker_that_holds_what_cannot_be_seen_does_not_go(
    brokers: BrokersResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = hiding(monkeypatch, {3: ["orders", "secret", "stray"], 1: ["secret"]}, 0, 1, 2, 3)
    (fault,) = planned(brokers, declared(4), declared(3, drain=True)).diagnostics
    assert fault.summary == "Broker 3 stores topics that the provider is not allowed to Describe: secret"
    assert "--add --allow-principal 'User:alice' --operation Describe --topic '*'" in fault.detail
    with pytest.raises(Refusal) as refusal:
        brokers.update(declared(4), declared(3), b"")
    assert refusal.value.diagnostics[0].summary == fault.summary
    assert asked == [[3], [3]]


def test_a_thousand_topics_that_cannot_be_seen_are_asked_for_at_once(
    session: Session, brokers: BrokersResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"secret-{number:03}" for number in range(1000)]
    hiding(monkeypatch, {3: names}, 0, 1, 2, 3)
    cluster = session.cluster()
    assert cluster is not None
    asked: list[list[str]] = []
    by_name = cluster._ask_by_name

    def counted(names: list[str]) -> Any:
        asked.append(names)
        return by_name(names)

    monkeypatch.setattr(cluster, "_ask_by_name", counted)
    (fault,) = planned(brokers, declared(4), declared(3)).diagnostics
    assert "not allowed to Describe: secret-000" in fault.summary
    assert asked == [names]


def test_what_a_broker_held_that_does_not_run_is_asked_of_the_others(
    brokers: BrokersResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = hiding(monkeypatch, {1: ["secret"]}, 0, 1, 2)
    (fault,) = planned(brokers, declared(4), declared(3)).diagnostics
    assert "Broker 1 stores topics" in fault.summary
    assert asked == [[0, 1, 2]]


def test_an_empty_broker_and_what_is_left_of_a_topic_that_is_gone_stand_in_nobodys_way(
    brokers: BrokersResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    hiding(monkeypatch, {3: ["stray", "orders"]}, 0, 1, 2, 3)
    assert not planned(brokers, declared(4), declared(3)).diagnostics
    assert brokers.update(declared(4), declared(3), b"") == declared(3)


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        (
            Forbidden("127.0.0.1:9", "Describe", "the cluster", "--cluster", None, "CLUSTER_AUTHORIZATION_FAILED"),
            "The provider is not allowed to Describe the cluster",
        ),
        (Unanswered("127.0.0.1:9", "what brokers 3 store", "timed out"), "The cluster does not answer every question"),
    ],
)
def test_a_broker_that_does_not_tell_what_it_holds_does_not_go(
    said: Exception, summary: str, brokers: BrokersResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    hiding(monkeypatch, said, 0, 1, 2, 3)
    with pytest.raises(Refusal) as refusal:
        brokers.update(declared(4), declared(3), b"")
    assert refusal.value.diagnostics[0].summary == summary


def test_a_cluster_that_falls_silent_while_a_first_declaration_drains_it_is_not_one_that_is_yet_to_come(
    brokers: BrokersResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: KafkaCluster) -> NoReturn:
        raise Unreachable("127.0.0.1:9", "timed out")

    partitions = {"orders": {0: (0, 3)}}
    living = Layout(brokers=frozenset({0, 1, 2, 3}), replicas=partitions, in_sync=partitions)
    monkeypatch.setattr(KafkaCluster, "layout", lambda _, **__: living)
    monkeypatch.setattr(KafkaCluster, "racks", silent)
    with pytest.raises(Refusal) as refusal:
        brokers.create(declared(3, drain=True), b"")
    assert "cannot check the brokers" in refusal.value.diagnostics[0].detail


def test_a_first_apply_asks_nothing_of_brokers_that_are_yet_to_come(brokers: BrokersResource) -> None:
    assert brokers.create(declared(3), b"") == declared(3)


# ---- draining, while others move replicas ----------------------------------------------------------------------------


class Drained(KafkaCluster):
    """Four brokers; what a drain asks for comes about at once, and how often the cluster is looked at is counted."""

    def __init__(self, moves: Moves, **topics: dict[int, tuple[int, ...]]) -> None:
        super().__init__(Settings(bootstrap_servers="127.0.0.1:9"), threading.Event())
        self.held: dict[str, dict[int, tuple[int, ...]]] = topics
        self.running = moves
        self.looks: Counter[str] = Counter()

    def _read_layout(self) -> Layout:
        self.looks["metadata"] += 1
        held = {topic: dict(partitions) for topic, partitions in self.held.items()}
        return Layout(brokers=frozenset({0, 1, 2, 3}), replicas=held, in_sync=held)

    def _read_moves(self) -> Moves:
        self.looks["moves"] += 1
        return self.running

    def racks(self) -> dict[int, str | None]:
        self.looks["racks"] += 1
        return dict.fromkeys(range(4))

    def reassigned(self, _: KafkaCluster, topic: str, wanted: dict[int, tuple[int, ...]]) -> None:
        self.held[topic] |= wanted


@pytest.fixture
def drain(session: Session, brokers: BrokersResource, monkeypatch: pytest.MonkeyPatch) -> Callable[[Drained], None]:
    """Let broker 3 go."""

    def begin(cluster: Drained) -> None:
        session._cluster = cluster
        monkeypatch.setattr("hikube_kafka.provider.reassignment.reassign", cluster.reassigned)
        brokers.update(declared(4), declared(3, drain=True), b"")

    return begin


def test_a_drain_looks_at_the_cluster_once_a_round_and_not_once_a_topic(drain: Callable[[Drained], None]) -> None:
    topics: dict[str, dict[int, tuple[int, ...]]] = {f"topic-{number}": {0: (0, 3)} for number in range(50)}
    cluster = Drained({}, **topics)
    drain(cluster)
    assert not any(3 in held for partitions in cluster.held.values() for held in partitions.values())
    assert cluster.looks["racks"] == 1
    assert cluster.looks["moves"] == 2
    assert cluster.looks["metadata"] <= 5


@pytest.mark.parametrize("code", ["UNKNOWN_TOPIC_OR_PART", "UNKNOWN_TOPIC_OR_PARTITION"])
def test_a_topic_that_is_deleted_while_its_broker_is_drained_stands_in_nobodys_way(
    code: str, drain: Callable[[Drained], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Drained({}, orders={0: (0, 3)}, payments={0: (1, 3)})

    def deleted(_: KafkaCluster, topic: str, wanted: dict[int, tuple[int, ...]]) -> None:
        if topic == "orders":
            del cluster.held[topic]
            raise KafkaRefused(code, "because")
        cluster.held[topic] |= wanted

    monkeypatch.setattr(cluster, "reassigned", deleted)
    drain(cluster)
    assert cluster.held["payments"][0][0] == 1
    assert 3 not in cluster.held["payments"][0]


@pytest.mark.parametrize(("kind", "asked"), [(KafkaRefused, 9), (Unclear, 1)])
def test_what_keeps_many_topics_from_being_drained_is_told_once_and_waited_for_once(
    kind: type[KafkaRefused], asked: int, drain: Callable[[Drained], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    topics: dict[str, dict[int, tuple[int, ...]]] = {f"topic-{number}": {0: (0, 3)} for number in range(8)}
    cluster = Drained({}, **topics, unlike={0: (1, 3)})
    seen: list[str] = []

    def kept(_: KafkaCluster, topic: str, __: dict[int, tuple[int, ...]]) -> None:
        seen.append(topic)
        raise kind("INVALID_REPLICA_ASSIGNMENT", topic if topic == "unlike" else "because")

    monkeypatch.setattr(cluster, "reassigned", kept)
    with pytest.raises(Refusal) as refusal:
        drain(cluster)
    assert len(seen) == asked
    first, *others = refusal.value.diagnostics
    assert "topic-0" in first.summary
    assert ("topic-4 and 3 more" in first.summary, len(others)) == ((True, 1) if asked > 1 else (False, 0))


def test_a_reassignment_that_takes_replicas_away_from_a_broker_that_goes_is_waited_for(
    drain: Callable[[Drained], None],
) -> None:
    cluster = Drained({"orders": {0: Move((0, 3), (0, 2))}}, orders={0: (0, 2, 3), 1: (0, 3)})
    drain(cluster)
    assert cluster.held["orders"][0] == (0, 2), "where it ends, and nowhere else"


def test_a_reassignment_between_brokers_that_stay_is_left_alone(drain: Callable[[Drained], None]) -> None:
    cluster = Drained({"orders": {0: Move((0, 1), (0, 2))}}, orders={0: (0, 2, 1), 1: (0, 3)})
    drain(cluster)
    assert cluster.held["orders"][0] == (0, 2, 1)
    assert 3 not in cluster.held["orders"][1]


def test_a_reassignment_towards_a_broker_that_goes_is_refused_before_anything_is_drained(
    drain: Callable[[Drained], None],
) -> None:
    before = {0: (0, 3, 1), 1: (0, 3)}
    cluster = Drained({"orders": {0: Move((0, 1), (0, 3))}}, orders=before)
    with pytest.raises(Refusal) as refusal:
        drain(cluster)
    assert "gives replicas to broker 3, which would be removed" in refusal.value.diagnostics[0].summary
    assert cluster.held["orders"] == before


def test_a_plan_asks_who_moves_replicas_towards_a_broker_that_goes(session: Session, brokers: BrokersResource) -> None:
    session._cluster = Drained({"orders": {0: Move((0, 1), (0, 3))}}, orders={0: (0, 3, 1)})
    found = planned(brokers, declared(4), declared(3, drain=True)).diagnostics
    assert [each.severity for each in found] == ["error", "warning"]
