"""Errors that many resources meet for one reason are told once, with all names."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest

from hikube_kafka.kafka.errors import Denied, Forbidden
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.resource import PlanRequest, State
from hikube_kafka.provider.refusals import Refusals
from hikube_kafka.provider.resources.topic import TopicResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster
from hikube_kafka.spec.changes import topic as changes
from tests.support.waiting import until

UNKNOWN_YET = Settings(unknown=("bootstrap_servers",))


def topic(name: str, *, protected: bool = True) -> State:
    return {
        "id": name,
        "name": name,
        "partitions": 1,
        "replication_factor": 1,
        "config": None,
        "deletion_protection": protected,
    }


@pytest.fixture
def topics() -> TopicResource:
    session = Session()
    session.configure(UNKNOWN_YET)
    session.refusals = Refusals(session.stopped, window=2)
    return TopicResource(session)


def planned(topics: TopicResource, requests: list[PlanRequest]) -> list[Diagnostic]:
    """What Terraform is told when it asks for these plans, ten at a time."""
    with ThreadPoolExecutor(10) as pool:
        plans = list(pool.map(topics.plan, requests))
    return [fault for plan in plans for fault in plan.diagnostics]


def test_five_hundred_protected_topics_are_one_error_with_all_their_names(topics: TopicResource) -> None:
    names = [f"topic-{number}" for number in range(500)]
    (error,) = planned(topics, [PlanRequest(prior=topic(name), proposed=None, config=None) for name in names])
    assert error.summary.endswith(
        "and 499 more: it is protected from deletion, and the plan would delete it [topic-protected]"
    )
    assert "deletion_protection = false" in error.detail
    assert error.detail.endswith(f"All 500: {', '.join(names)}.")
    assert len(error.detail.splitlines()) == 3


def test_protected_topics_whose_address_changes_are_one_error_that_names_moved(topics: TopicResource) -> None:
    names = [f"topic-{number}" for number in range(50)]
    requests = [
        request
        for name in names
        for request in (
            PlanRequest(prior=topic(name), proposed=None, config=None),
            PlanRequest(prior=None, proposed=topic(name), config=topic(name)),
        )
    ]
    (error,) = planned(topics, requests)
    assert "[same-thing-at-another-address]" in error.summary
    assert f"All 50: {', '.join(names)}." in error.detail


@pytest.mark.parametrize("protected", [True, False])
def test_a_topic_that_turns_out_to_be_held_at_another_address_is_told_there_alone(
    topics: TopicResource, monkeypatch: pytest.MonkeyPatch, *, protected: bool
) -> None:
    """Terraform plans the new address before the old one; the old one is protected, or seen to exist by then."""
    old, refusals = topic("orders", protected=protected), topics._session.refusals
    if protected:
        topics.read(old, b"")
    else:
        known = changes.Known(topics={"orders"})
        monkeypatch.setattr(topics, "_known", lambda *_: known)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(topics.plan, PlanRequest(prior=None, proposed=old, config=old))
        until(lambda: refusals._open, "the new address to be refused")
        going = topics.plan(PlanRequest(prior=old, proposed=None, config=None))
        assert list(coming.result().diagnostics) == []
    (error,) = going.diagnostics
    assert error.summary.endswith("[same-thing-at-another-address]")


def test_one_error_is_told_as_it_is(topics: TopicResource) -> None:
    (error,) = planned(topics, [PlanRequest(prior=topic("orders"), proposed=None, config=None)])
    assert (
        error.summary == "Topic orders: it is protected from deletion, and the plan would delete it [topic-protected]"
    )
    assert "All" not in error.detail


def test_different_reasons_are_different_errors(topics: TopicResource) -> None:
    wanted = {**topic("invoices"), "partitions": 1}
    requests = [
        PlanRequest(prior=topic("orders"), proposed=None, config=None),
        PlanRequest(prior={**topic("invoices"), "partitions": 6}, proposed=wanted, config=wanted),
    ]
    assert len(planned(topics, requests)) == 2


def forbidden(name: str) -> Forbidden:
    return Forbidden.topic("broker:9092", "Describe", name, "User:alice", "TOPIC_AUTHORIZATION_FAILED")


@pytest.mark.parametrize(
    ("created", "problem", "summary"),
    [
        (False, forbidden, "The provider is not allowed to Describe topic {} and 499 more"),
        (True, lambda _: Denied("broker:9092", "wrong password"), "The cluster does not let the provider in"),
    ],
    ids=["forbidden to read", "not let in to create"],
)
def test_five_hundred_topics_that_may_not_be_seen_are_one_error_with_all_their_names(
    topics: TopicResource,
    monkeypatch: pytest.MonkeyPatch,
    problem: Callable[[str], Denied],
    summary: str,
    *,
    created: bool,
) -> None:
    names = [f"topic-{number}" for number in range(500)]
    cluster = KafkaCluster(Settings(bootstrap_servers="127.0.0.1:9"), topics._session.stopped)

    def refused(name: str, **_: int) -> NoReturn:
        raise problem(name)

    monkeypatch.setattr(cluster, "topic", refused)
    monkeypatch.setattr(cluster, "exists", refused)
    monkeypatch.setattr(topics._session, "cluster", lambda: cluster)
    monkeypatch.setattr(topics, "_brokers", lambda _: None)

    def told(name: str) -> list[Diagnostic]:
        if created:
            return list(topics.plan(PlanRequest(prior=None, proposed=topic(name), config=topic(name))).diagnostics)
        try:
            assert topics.read(topic(name), b"") == topic(name)
        except Refusal as refusal:
            return list(refusal.diagnostics)
        return []

    with ThreadPoolExecutor(10) as pool:
        (error,) = [fault for faults in pool.map(told, names) for fault in faults]
    assert error.detail.endswith(f"All 500: {', '.join(names)}.")
    (first,) = [name for name in names if error.summary == summary.format(name)][:1]
    assert f"topic {first}" in error.detail


def test_calls_one_at_a_time_are_waited_for_once_and_told_in_a_line_after_the_first() -> None:
    refusals = Refusals(threading.Event(), window=0)
    told = [
        each
        for name in ("a", "b", "c")
        for each in refusals.of_plan([Diagnostic(f"Topic {name}: it is protected [topic-protected]", "Long.")])
    ]
    assert [each.summary for each in told] == [f"Topic {name}: it is protected [topic-protected]" for name in "abc"]
    assert [each.detail for each in told] == ["Long.", *["For the same reason as topic a: see its error."] * 2]


def test_ctrl_c_ends_the_wait_for_others() -> None:
    stopped = threading.Event()
    stopped.set()
    refusals = Refusals(stopped, window=3600)
    (told,) = refusals.of_plan([Diagnostic("Topic a: it is protected [topic-protected]")])
    assert told.summary == "Topic a: it is protected [topic-protected]"


def test_warnings_and_what_breaks_no_rule_are_nobody_elses() -> None:
    refusals = Refusals(threading.Event(), window=3600)
    faults = [Diagnostic("Topic a: it differs [topic-x]", severity="warning"), Diagnostic("The cluster is away")]
    assert refusals.of_plan(faults) == faults


def test_in_an_apply_each_topic_has_an_error_of_its_own_in_full_once(topics: TopicResource) -> None:
    errors: list[Diagnostic] = []
    for name in ("orders", "invoices"):
        with pytest.raises(Refusal) as refusal:
            topics.create(topic(name), b"")
        errors += refusal.value.diagnostics
    assert errors[0].detail.startswith("Settings of the provider are still unknown")
    assert errors[1].summary == "The provider cannot create topic invoices"
    assert errors[1].detail == "For the same reason as topic orders: see its error."
    # Another reason is told in full again.
    with pytest.raises(Refusal) as refusal:
        topics.delete(topic("payments"), b"")
    assert "deletion_protection = false" in refusal.value.diagnostics[0].detail
