"""What a change of a connector comes to; a change without consequences tells none."""

from collections.abc import Mapping
from typing import Any

import pytest

from hikube_kafka.spec.changes.connector_consequences import consequences, forgotten


def connector(**values: Any) -> dict[str, Any]:
    return {
        "name": "changes",
        "class": "com.example.Source",
        "tasks_max": 1,
        "config": {"table": "orders"},
        "state": "running",
        "offsets": None,
        "type": "source",
        **values,
    }


def sink(**config: Any) -> dict[str, Any]:
    return connector(type="sink", config={"topics": "orders", **config})


def told(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    return [(each.rule, each.severity) for each in consequences(prior, planned)]


@pytest.mark.parametrize(
    ("prior", "planned"),
    [
        (None, connector()),
        (None, sink(**{"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead"})),
        (connector(), connector()),
        (connector(state="failed"), connector()),
        (connector(state="stopped"), connector()),
        (connector(state="stopped"), connector(state="stopped")),
        (connector(), connector(config={"table": " orders "})),
        (connector(offsets={"on_change": "reset"}), connector(offsets={"on_change": "reset"})),
        (connector(), {"name": "changes"}),
        (sink(**{"errors.tolerance": "all"}), sink(**{"errors.tolerance": "all"})),
    ],
)
def test_a_change_without_consequences(prior: Any, planned: Any) -> None:
    assert told(prior, planned) == []


@pytest.mark.parametrize(
    ("prior", "planned", "rule", "severity"),
    [
        (connector(), None, "connector-deleted", "warning"),
        (connector(offsets={"on_destroy": "reset"}), None, "connector-deleted", "warning"),
        (connector(), connector(offsets={"on_change": "reset"}), "connector-offsets-reset", "warning"),
        (None, connector(offsets={"on_change": "reset"}), "connector-offsets-reset", "warning"),
        (
            connector(offsets={"on_change": "set", "to": "[1]"}),
            connector(offsets={"on_change": "set", "to": "[2]"}),
            "connector-offsets-set",
            "warning",
        ),
        (connector(), connector(**{"class": "com.example.Other"}), "connector-class-changed", "warning"),
        (connector(), connector(tasks_max=4), "connector-tasks-changed", "notice"),
        (connector(), connector(config={"table": "all"}), "connector-restarts", "notice"),
        (connector(), connector(state="paused"), "connector-held", "warning"),
        (None, connector(state="stopped"), "connector-held", "warning"),
        (sink(), sink(topics="orders,payments"), "connector-topics-changed", "warning"),
        (sink(), sink(**{"value.converter": "C"}), "connector-converter-changed", "warning"),
        (sink(), sink(**{"value.converter.schemas.enable": "true"}), "connector-converter-changed", "warning"),
        (None, sink(**{"errors.tolerance": "ALL"}), "connector-drops-records", "error"),
    ],
)
def test_what_a_change_comes_to(prior: Any, planned: Any, rule: str, severity: str) -> None:
    assert told(prior, planned) == [(rule, severity)]


def test_a_dead_letter_topic_that_goes_has_records_dropped() -> None:
    kept = sink(**{"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead"})
    assert ("connector-drops-records", "error") in told(kept, sink(**{"errors.tolerance": "all"}))


def test_what_is_said_of_offsets_depends_on_what_it_is() -> None:
    (of_sink,) = consequences({**sink(), "offsets": {"on_destroy": "reset"}}, None)
    assert "delivered again" in of_sink.why
    (of_source,) = consequences(connector(offsets={"on_destroy": "reset"}), None)
    assert "snapshot" in of_source.why
    (kept,) = consequences(connector(), None)
    assert "goes on where it ended" in kept.why
    assert "kept" in kept.message


def test_a_source_that_rests_holds_what_its_database_keeps() -> None:
    (held,) = consequences(connector(), connector(state="stopped"))
    assert "replication slot" in held.why
    (lags,) = consequences(sink(), {**sink(), "state": "stopped"})
    assert "lag" in lags.why


def test_one_that_is_forgotten_goes_on() -> None:
    (problem,) = forgotten(connector())
    assert (problem.rule, problem.severity) == ("connector-forgotten", "notice")
