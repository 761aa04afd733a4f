"""What a plan of brokers says: whether those that go may go, and that those that come count."""

from typing import Any

import pytest

from hikube_kafka.plugin.resource import Plan, PlanRequest
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.resources.brokers import BrokersResource, _faults
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import Layout


@pytest.fixture
def session() -> Session:
    session = Session()
    session.configure(Settings(bootstrap_servers="127.0.0.1:9"))
    return session


@pytest.fixture
def brokers(session: Session) -> BrokersResource:
    return BrokersResource(session)


def declared(number: Any, *, drain: bool | None = None) -> dict[str, Any]:
    return {"brokers": number, "drain": drain}


def planned(resource: BrokersResource, prior: dict[str, Any] | None, wanted: dict[str, Any] | None) -> Plan:
    return resource.plan(PlanRequest(prior=prior, proposed=wanted, config=wanted))


def layout(**replicas: tuple[tuple[int, ...], ...]) -> Layout:
    partitions = {topic: dict(enumerate(each)) for topic, each in replicas.items()}
    return Layout(brokers=frozenset({0, 1, 2, 3}), replicas=partitions, in_sync=partitions)


@pytest.mark.parametrize("number", [0, -1, 1.5])
def test_a_cluster_has_a_whole_number_of_brokers(brokers: BrokersResource, number: float) -> None:
    assert [fault.path for fault in brokers.validate(declared(number))] == [("brokers",)]
    assert not list(brokers.validate(declared(UNKNOWN)))


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


def test_a_broker_that_holds_replicas_cannot_go_and_the_command_that_moves_them_is_told() -> None:
    (fault,) = _faults(layout(orders=((0, 1), (1, 3), (3, 2)), other=((0, 1),)), declared(3), "there:9092")
    assert (fault.severity, fault.summary) == ("error", "Broker 3 cannot go: it holds replicas")
    assert "broker 3 holds 2 (2 of orders)" in fault.detail
    assert '{"version": 1, "topics": [{"topic": "orders"}]}' in fault.detail
    assert "--bootstrap-server there:9092 --topics-to-move-json-file topics.json --broker-list 0,1,2" in fault.detail
    (fault,) = _faults(layout(orders=((2, 3),)), declared(2), "")
    assert fault.summary == "Brokers 2, 3 cannot go: they hold replicas"


def test_brokers_that_hold_nothing_may_go() -> None:
    assert not list(_faults(layout(orders=((0, 1), (1, 2))), declared(3), ""))


def test_a_drain_is_told_before_it_begins_and_needs_room_for_every_copy() -> None:
    living = layout(orders=((0, 3),), wide=((0, 1, 2, 3),))
    first, second = _faults(living, declared(3, drain=True), "")
    assert (first.severity, first.summary) == ("error", "Topic wide has 4 copies, and 3 live brokers would stay")
    assert (second.severity, second.summary) == ("warning", "Broker 3 will be drained first")
    # A broker that is declared to stay and does not live is no room.
    dead = Layout(brokers=frozenset({0, 1, 3}), replicas={"t": {0: (0, 1, 3)}}, in_sync={"t": {0: (0, 1, 3)}})
    assert [each.severity for each in _faults(dead, declared(3, drain=True), "")] == ["error", "warning"]
