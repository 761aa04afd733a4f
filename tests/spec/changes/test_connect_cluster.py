"""What a change of a Connect cluster does: as a release of the chart, and on this machine."""

from collections.abc import Mapping
from typing import Any

import pytest

from hikube_kafka.spec.changes.connect_cluster import consequences, consequences_here
from tests.support.releases import release

SUM = f"sha256:{'0' * 64}"
JDBC = {"name": "jdbc", "image": "mirror.example.com/jdbc:3.1.2"}
HERE: dict[str, Any] = {
    "name": "events-connect-changes",
    "plugins": [{"name": "file", "maven": "org.apache.kafka:connect-file:3.9.2", "archive": None, "checksum": None}],
    "kafka_home": None,
    "workers": [
        {"id": each, "heap": "512m", "properties": {"group.id": "changes", "config.storage.topic": "changes.configs"}}
        for each in range(2)
    ],
}


def rules(problems: Any) -> dict[str, str]:
    return {problem.rule: problem.severity for problem in problems}


def of_chart(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, **how: Any) -> dict[str, str]:
    sides = [None if each is None else release("connect", each) for each in (before, after)]
    return rules(consequences(sides[0], sides[1], **how))


def here(**changes: Any) -> dict[str, Any]:
    return {**HERE, **changes}


def test_what_stays_as_it_is_is_not_spoken_of() -> None:
    assert of_chart({}, {}) == {}
    assert rules(consequences_here(HERE, HERE)) == {}
    assert rules(consequences_here(None, HERE)) == {}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, None, {"connect-cluster-stopped": "warning"}),
        ({"replicas": 3}, {"replicas": 2}, {"connect-workers-fewer": "warning"}),
        ({"replicas": 2}, {"replicas": 3}, {}),
        (
            {},
            {"config": {"group.id": "other"}},
            {"connect-group-changed": "error", "rolling-restart": "warning"},
        ),
        (
            {},
            {"config": {"offset.storage.topic": "other"}},
            {"connect-group-changed": "error", "rolling-restart": "warning"},
        ),
        ({}, {"config": {"offset.flush.interval.ms": "1000"}}, {"rolling-restart": "warning"}),
        ({}, {"plugins": [JDBC]}, {"rolling-restart": "warning"}),
        ({"plugins": [JDBC]}, {}, {"connect-plugins-removed": "warning", "rolling-restart": "warning"}),
        (
            {"plugins": [JDBC]},
            {"plugins": [{**JDBC, "image": "mirror.example.com/jdbc:3.2.0"}]},
            {"connect-plugins-changed": "warning", "rolling-restart": "warning"},
        ),
        (
            {},
            {"plugins": [{"name": "a", "archive": "https://plugins.example.com/a.tar.gz"}]},
            {"connect-plugin-unchecked": "warning", "rolling-restart": "warning"},
        ),
        (
            {},
            {"plugins": [{"name": "a", "archive": "https://plugins.example.com/a.tar.gz", "checksum": SUM}]},
            {"rolling-restart": "warning"},
        ),
        (
            {},
            {"image": {"tag": "3.8.1"}},
            {"image-by-tag": "warning", "server-version-lowered": "error", "rolling-restart": "warning"},
        ),
        ({}, {"heap": "4g"}, {"heap-exceeds-memory": "error", "rolling-restart": "warning"}),
        ({}, {"networkPolicy": {"enabled": False}}, {"connect-network-policy-off": "error"}),
    ],
)
def test_a_release(before: dict[str, Any], after: dict[str, Any] | None, expected: dict[str, str]) -> None:
    found = of_chart(before, after)
    assert found == expected


def test_a_release_that_is_installed_anew_stops_its_connectors() -> None:
    assert of_chart({}, {}, replaced=True)["connect-cluster-stopped"] == "warning"
    (moved,) = [
        each
        for each in consequences(release("connect"), release("connect", name="other"))
        if each.rule == "connect-cluster-stopped"
    ]
    assert "and installed anew as other" in moved.message
    assert "claims" not in moved.message


def test_the_only_worker_that_restarts_leaves_no_task_running() -> None:
    (found,) = consequences(release("connect", {"replicas": 1}), release("connect", {"replicas": 1, "heap": "900m"}))
    assert "1 worker restarts" in found.message
    assert "no task runs until it is back" in found.why


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (HERE, None, {"connect-cluster-stopped": "warning"}),
        (HERE, here(workers=HERE["workers"][:1]), {"connect-workers-fewer": "warning"}),
        (HERE, here(plugins=[]), {"connect-plugins-removed": "warning", "local-connect-restarts": "warning"}),
        (
            HERE,
            here(plugins=[{**HERE["plugins"][0], "maven": "org.apache.kafka:connect-file:3.9.1"}]),
            {"connect-plugins-changed": "warning", "local-connect-restarts": "warning"},
        ),
        (
            HERE,
            here(workers=[{**each, "properties": {**each["properties"], "group.id": "b"}} for each in HERE["workers"]]),
            {"connect-group-changed": "error", "local-connect-restarts": "warning"},
        ),
        (
            None,
            here(plugins=[{"name": "a", "maven": None, "archive": "a.zip", "checksum": None}]),
            {"connect-plugin-unchecked": "warning"},
        ),
    ],
)
def test_workers_on_this_machine(
    before: dict[str, Any] | None, after: dict[str, Any] | None, expected: dict[str, str]
) -> None:
    assert rules(consequences_here(before, after)) == expected


def test_the_workers_that_restart_are_named() -> None:
    one = [HERE["workers"][0], {**HERE["workers"][1], "heap": "600m"}]
    (found,) = consequences_here(HERE, here(workers=one))
    assert found.message == "worker-1 restarts."
    (found,) = consequences_here(HERE, here(workers=[{**each, "heap": "600m"} for each in HERE["workers"]]))
    assert found.message == "worker-0, worker-1 restart one after another."


def test_workers_that_are_replaced_stop_first() -> None:
    (found,) = consequences_here(HERE, HERE, replaced=True)
    assert "its 2 workers stop, and others start, and with them every connector" in found.message
