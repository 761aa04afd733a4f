"""One thing at two addresses of a configuration, whichever Terraform plans first; as it asks, in one process."""

from typing import Any

import pytest

from hikube_kafka.plugin.diagnostics import Diagnostic
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.provider.addresses import Addresses
from hikube_kafka.provider.hikube import HikubePlugin
from hikube_kafka.provider.resources.topic import TopicResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.spec.changes.address import Thing

FREE: State = {
    "id": "orders",
    "name": "orders",
    "partitions": 1,
    "replication_factor": 1,
    "config": None,
    "deletion_protection": False,
}
PROTECTED = {**FREE, "deletion_protection": True}
OTHER = {**FREE, "id": "other", "name": "other"}

MOVED, TWICE = "[same-thing-at-another-address]", "[same-thing-declared-twice]"


@pytest.fixture
def topics() -> TopicResource:
    session = Session()
    session.configure(Settings(unknown=("bootstrap_servers",)))
    return TopicResource(session)


def asked(resource: Resource, prior: State | None, wanted: State | None, *, replaces: bool = False) -> list[str]:
    plan = resource.plan(PlanRequest(prior=prior, proposed=wanted, config=wanted, replaces=replaces))
    return [fault.summary.rpartition(" ")[2] for fault in plan.diagnostics]


def test_a_thing_that_changes_its_address_is_refused_by_whichever_is_planned_second(topics: TopicResource) -> None:
    assert asked(topics, FREE, None) == []
    assert asked(topics, None, FREE) == [MOVED]


def test_a_protected_one_is_told_to_move_and_not_to_give_up_its_protection(topics: TopicResource) -> None:
    assert asked(topics, None, PROTECTED) == []
    assert asked(topics, PROTECTED, None) == [MOVED]


def test_a_protected_one_that_goes_first_is_told_of_the_moved_block_as_well(topics: TopicResource) -> None:
    plan = topics.plan(PlanRequest(prior=PROTECTED, proposed=None, config=None))
    assert "moved block" in plan.diagnostics[0].detail
    assert asked(topics, None, PROTECTED) == [MOVED]


def test_a_name_that_another_topic_gives_up_in_the_same_plan_cannot_be_taken(topics: TopicResource) -> None:
    assert asked(topics, FREE, OTHER) == []
    assert asked(topics, None, OTHER, replaces=True) == []
    assert asked(topics, {**FREE, "name": "third", "id": "third"}, FREE) == [MOVED]


def test_a_name_that_a_deleted_topic_had_is_not_taken_by_a_rename_in_the_same_plan(topics: TopicResource) -> None:
    assert asked(topics, OTHER, None) == []
    assert asked(topics, FREE, OTHER) == [MOVED]


def test_a_replacement_of_itself_is_no_second_address(topics: TopicResource) -> None:
    assert asked(topics, FREE, FREE) == []
    assert asked(topics, None, FREE, replaces=True) == []


def test_a_tainted_topic_is_planned_as_if_it_was_created(topics: TopicResource) -> None:
    topics.read(FREE, b"")
    assert asked(topics, None, FREE) == []


def test_a_protected_topic_is_not_replaced_by_itself_nor_because_it_is_tainted(topics: TopicResource) -> None:
    assert asked(topics, PROTECTED, PROTECTED) == []
    assert asked(topics, None, PROTECTED, replaces=True) == ["[topic-protected]"]
    # The protection that counts is the one that has been applied.
    assert asked(topics, None, FREE, replaces=True) == ["[topic-protected]"]


def test_a_tainted_protected_topic_is_told_how_to_be_kept(topics: TopicResource) -> None:
    topics.read(PROTECTED, b"")
    plan = topics.plan(PlanRequest(prior=None, proposed=PROTECTED, config=PROTECTED))
    assert "terraform untaint" in plan.diagnostics[0].detail


def test_two_that_create_it_and_one_that_has_it_already_are_told(topics: TopicResource) -> None:
    assert asked(topics, None, FREE) == []
    assert asked(topics, None, FREE) == [TWICE]
    assert asked(topics, OTHER, OTHER) == []
    assert asked(topics, None, OTHER) == [TWICE]


def test_two_addresses_of_a_state_are_warned_of_and_neither_may_delete_what_the_other_keeps(
    topics: TopicResource,
) -> None:
    assert asked(topics, FREE, FREE) == []
    plan = topics.plan(PlanRequest(prior=FREE, proposed=FREE, config=FREE))
    assert [fault.severity for fault in plan.diagnostics] == ["warning"]
    assert asked(topics, FREE, None) == ["[same-thing-deleted-at-one-address]"]


def test_that_it_exists_already_is_not_said_beside_it() -> None:
    addresses = Addresses()
    thing = Thing("hikube_local_ensemble", "the ensemble in /demo", "its servers would be stopped.")
    exists = Diagnostic("Ensemble demo: it exists [local-ensemble-exists]")
    addresses.checked(PlanRequest(FREE, None, None), Plan(None), lambda _state: thing)
    plan = addresses.checked(PlanRequest(None, FREE, FREE), Plan(FREE, diagnostics=[exists]), lambda _state: thing)
    assert [each.summary.rpartition(" ")[2] for each in plan.diagnostics] == [MOVED]


def test_a_destroy_of_everything_deletes_what_two_addresses_hold(topics: TopicResource) -> None:
    assert asked(topics, FREE, None) == []
    assert asked(topics, FREE, None) == []


def _ensemble(directory: Any) -> State:
    return {
        "name": "demo",
        "directory": str(directory),
        "path": None,
        "owner": None,
        "zookeeper": [{"id": 1, "properties": {"clientPort": "1", "dataDir": "data"}, "heap": "64m"}],
        "brokers": [
            {
                "id": 0,
                "properties": {"listeners": "A://h:1", "log.dirs": "l", "zookeeper.connect": "h:1"},
                "heap": "64m",
            }
        ],
        "kafka_home": None,
        "fast_failover": None,
        "keep_data": True,
        "bootstrap_servers": "h:1",
        "zookeeper_servers": "h:1",
        "cluster_id": "x",
        "processes": {},
    }


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("hikube_local_ensemble", _ensemble("/nowhere/demo"), _ensemble("/nowhere/else/../demo")),
        ("hikube_volume_claims", {"stateful_set": "kafka", "templates": {}, "claims": {}}, None),
        (
            "hikube_zookeeper_members",
            {"stateful_set": "zk", "servers": {}, "secret": "s", "applied": "after", "voters": []},
            None,
        ),
        ("hikube_kafka_brokers", {"brokers": 3, "drain": None}, None),
    ],
)
def test_every_resource_that_stands_for_something_real_is_held_to_it(
    kind: str, one: State, other: State | None
) -> None:
    plugin = HikubePlugin()
    plugin.session.configure(Settings(unknown=("bootstrap_servers",)))
    resource = next(each for each in plugin.resources if each.type_name == kind)
    resource.plan(PlanRequest(prior=one, proposed=None, config=None))
    wanted = other or one
    plan = resource.plan(PlanRequest(prior=None, proposed=wanted, config=wanted))
    assert plan.diagnostics[-1].summary.endswith(MOVED)
    assert f"from = {kind}.<old address>" in plan.diagnostics[-1].detail


def test_both_voters_resources_of_one_ensemble_are_two_things() -> None:
    plugin = HikubePlugin()
    plugin.session.configure(Settings(unknown=("bootstrap_servers",)))
    resource = next(each for each in plugin.resources if each.type_name == "hikube_zookeeper_members")
    for applied in ("before", "after"):
        wanted = {"stateful_set": "zk", "servers": {"1": "a"}, "secret": "s", "applied": applied, "voters": None}
        assert asked(resource, None, wanted) == []
