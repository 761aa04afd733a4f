"""Connect clusters and their connectors in a plan."""

import json
from typing import Any

import pytest

from hikube_kafka.review.plan import read_plan
from hikube_kafka.review.totals import parts, totals
from tests.review.test_kinds import found, of

SINK = {
    "id": "out",
    "name": "out",
    "class": "com.example.SearchSink",
    "tasks_max": 1,
    "config": {"topics": "orders", "errors.tolerance": "none"},
    "state": "running",
    "offsets": None,
    "type": "sink",
    "tasks": 1,
}
RESETS = {**SINK, "offsets": {"on_change": None, "to": None, "on_destroy": "reset"}}
HERE = {
    "name": "events-connect-changes",
    "path": "/data",
    "plugins": [{"name": "file", "maven": "org.apache.kafka:connect-file:3.9.2", "archive": None, "checksum": None}],
    "workers": [{"id": each, "heap": "512m", "properties": {"group.id": "changes"}} for each in range(2)],
}


def release(replicas: int = 2, **values: Any) -> dict[str, Any]:
    return {
        "name": "events-changes",
        "namespace": "events",
        "chart": "./assets/chart-connect/1",
        "values": [json.dumps({"replicas": replicas, **values})],
    }


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (of("hikube_kafka_connector", None, SINK), set()),
        (of("hikube_kafka_connector", SINK, SINK), set()),
        (of("hikube_kafka_connector", SINK, None), {"connector-deleted"}),
        (of("hikube_kafka_connector", SINK, SINK, "delete", "create"), set()),
        (of("hikube_kafka_connector", RESETS, RESETS, "delete", "create"), {"connector-replaced"}),
        (of("hikube_kafka_connector", SINK, {**SINK, "name": "b"}, "delete", "create"), {"connector-renamed"}),
        (
            of("hikube_kafka_connector", RESETS, {**RESETS, "name": "b"}, "delete", "create"),
            {"connector-renamed", "connector-deleted"},
        ),
        (of("hikube_kafka_connector", SINK, None, "forget"), {"connector-forgotten"}),
        (of("hikube_kafka_connector", SINK, {**SINK, "tasks_max": 2}), {"connector-tasks-changed"}),
        (of("hikube_kafka_connector", SINK, {**SINK, "state": "stopped"}), {"connector-held"}),
        (of("hikube_kafka_connector", SINK, {**SINK, "state": "resting"}), {"connector-state"}),
        (
            of("hikube_kafka_connector", SINK, {**SINK, "config": {"topics": "orders", "errors.tolerance": "all"}}),
            {"connector-drops-records", "connector-restarts"},
        ),
        (of("hikube_kafka_connector", None, {**SINK, "class": 1}), {"plan-unreadable"}),
        (of("hikube_kafka_connector", SINK, SINK, "update", after_unknown={"config": True}), {"plan-unknown"}),
        (of("hikube_local_connect", None, HERE), set()),
        (of("hikube_local_connect", HERE, None), {"connect-cluster-stopped"}),
        (of("hikube_local_connect", HERE, {**HERE, "workers": HERE["workers"][:1]}), {"connect-workers-fewer"}),
        (of("helm_release", None, release()), {"image-by-tag"}),
        (of("helm_release", release(3), release(2)), {"connect-workers-fewer"}),
        (of("helm_release", release(), None), {"connect-cluster-stopped"}),
        (of("helm_release", release(), release(heap="900m")), {"rolling-restart"}),
        (
            of("helm_release", release(), release(config={"group.id": "other"})),
            {"connect-group-changed", "rolling-restart"},
        ),
        # Somebody else's chart of the same name.
        (of("helm_release", None, {**release(), "chart": "connect", "repository": "https://1password.example"}), set()),
    ],
)
def test_what_is_found(change: dict[str, Any], rules: set[str]) -> None:
    assert {rule for rule, _ in found(change)} == rules


def both(prior: dict[str, Any], planned: dict[str, Any]) -> set[str]:
    """What is said where one is deleted, and another is created at its own address."""
    gone = of("hikube_kafka_connector", prior, None, name="gone")
    return {rule for rule, _ in found(gone, of("hikube_kafka_connector", None, planned, name="made"))}


def test_one_of_another_name_at_another_address_is_a_rename() -> None:
    entries: dict[str, Any] = {"topics": "orders", "errors.tolerance": "all"}
    prior: dict[str, Any] = {**SINK, "config": {**entries, "errors.deadletterqueue.topic.name": "out.dead-letters"}}
    other = {**prior, "name": "to-search"}
    renamed: dict[str, Any] = {
        **other,
        "config": {**entries, "errors.deadletterqueue.topic.name": "to-search.dead-letters"},
    }
    assert both(prior, renamed) == {"connector-renamed"}
    assert both({**prior, "offsets": RESETS["offsets"]}, renamed) == {"connector-renamed", "connector-deleted"}
    # It reads in a group that is not named after it.
    group = {"consumer.override.group.id": "search"}
    kept = [{**each, "config": {**each["config"], **group}} for each in (prior, renamed)]
    assert both(*kept) == set()
    # Another one.
    assert both(prior, other) == {"connector-deleted"}
    assert both(prior, {**renamed, "class": "com.example.OtherSink"}) == {"connector-deleted"}
    assert both(prior, {**renamed, "config": {**renamed["config"], "topics": "payments"}}) == {"connector-deleted"}


def test_the_topics_of_a_platform_are_not_said_to_lose_their_brokers() -> None:
    topic = {
        "id": "orders",
        "name": "orders",
        "partitions": 1,
        "replication_factor": 1,
        "config": None,
        "deletion_protection": True,
    }
    stays = of("hikube_kafka_topic", topic, topic)
    assert {rule for rule, _ in found(stays, of("helm_release", release(), None))} == {"connect-cluster-stopped"}


def test_internal_topics_are_protected_as_all_topics_are() -> None:
    topic = {
        "id": "events-connect-changes.offsets",
        "name": "events-connect-changes.offsets",
        "partitions": 25,
        "replication_factor": 3,
        "config": {"cleanup.policy": "compact"},
        "deletion_protection": True,
    }
    assert "topic-protected" in {rule for rule, _ in found(of("hikube_kafka_topic", topic, None))}


ALIAS = "hikube.events-connect-changes"


def done(expressions: dict[str, Any], *changes: dict[str, Any], used: bool = False, **plan: Any) -> bool:
    """Whether it is said that the block is not needed any more."""
    resources = [{"address": "hikube_kafka_connector.it", "provider_config_key": ALIAS if used else "hikube"}]
    blocks = {ALIAS: {"name": "hikube", "expressions": expressions}}
    configuration = {"provider_config": blocks, "root_module": {"resources": resources}}
    return ("connect-former-done", "notice") in found(*changes, configuration=configuration, **plan)


def test_a_block_that_takes_a_cluster_away_is_said_to_be_done_once_it_is() -> None:
    here: dict[str, Any] = {"local_connect": {"constant_value": "events-connect-changes"}}
    there: dict[str, Any] = {"kubernetes": [{"connect_release": {"constant_value": "events-changes"}}]}
    assert done(here)
    assert done(there)
    assert done({"kubernetes": there["kubernetes"][0]})
    # It is being done, it is there, or it is somebody's.
    assert not done(here, of("hikube_kafka_connector", SINK, None))
    assert not done(here, of("hikube_local_connect", HERE, None))
    assert not done(here, of("hikube_local_connect", HERE, HERE))
    assert not done(there, of("helm_release", release(), release()))
    assert not done(here, used=True)
    # With -target, or where the plan failed, there may be more than is seen.
    assert not done(here, complete=False)
    assert not done(here, errored=True)
    # Of brokers alone.
    assert not done({"kubernetes": [{"release": {"constant_value": "events-kafka"}}]})
    assert not done({})


def test_totals_and_parts_of_connect_clusters() -> None:
    changes = [
        of("helm_release", release(3), release(2)),
        of("hikube_local_connect", HERE, {**HERE, "workers": HERE["workers"][:1]}),
        of("hikube_kafka_connector", None, SINK),
    ]
    for each in changes:
        each["provider_name"] = "registry.example/hashicorp/helm" if each["type"] == "helm_release" else "hikube"
    plan = read_plan(json.dumps({"format_version": "1.2", "resource_changes": changes}).encode())
    told = {(each.of, each.what): (each.before, each.after) for each in totals(plan)}
    assert told["events-changes", "workers"] == ("3", "2")
    assert told["events-connect-changes", "workers"] == ("2", "1")
    assert told["events-connect-changes", "heap"] == ("1Gi", "512Mi")
    assert ("events-changes", "storage") not in told
    kinds = {each.address: (each.kind, each.what) for each in parts(plan)}
    assert kinds["helm_release.it"] == ("workers", "3 → 2 workers of events-changes")
    assert kinds["hikube_local_connect.it"] == ("workers", "Connect cluster events-connect-changes on this machine")
    assert kinds["hikube_kafka_connector.it"] == ("connector", "connector out")
