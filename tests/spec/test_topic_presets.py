"""A preset is a plain topic with plain entries; what is mistaken in it is told like any other mistake."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hikube_kafka.spec import definitions
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.rules import check
from hikube_kafka.spec.topic import DEAD_LETTER_HEADERS, Topic

HOUR, DAY = 3_600_000, 86_400_000

PRESETS: Mapping[str, Callable[..., Topic]] = {
    "events": Topic.events,
    "changelog": Topic.changelog,
    "telemetry": Topic.telemetry,
    "work_queue": Topic.work_queue,
}


@pytest.mark.parametrize("preset", [*PRESETS, "dead_letters"])
def test_a_preset_is_a_plain_topic_that_kafka_takes(preset: str) -> None:
    topic = Topic.dead_letters(of="orders") if preset == "dead_letters" else PRESETS[preset]("orders")

    assert topic.problems() == []
    assert definitions.check_topic_config(topic.config, broker={"message.max.bytes": 1_048_588}) == []
    assert [each for each in check(Platform(name="shop", topics=[topic])) if each.rule != "listener-plaintext"] == []
    plain = Topic(topic.name, partitions=topic.partitions, config=topic.config)
    assert topic == plain
    assert hash(topic) == hash(plain)
    assert topic.declared_at.startswith("tests/spec/test_topic_presets.py:")


@pytest.mark.parametrize("preset", PRESETS)
def test_an_entry_of_the_callers_wins_and_the_others_stay(preset: str) -> None:
    as_it_is = PRESETS[preset]("orders").config
    topic = PRESETS[preset](
        "orders", partitions=7, replication_factor=2, config={"segment.ms": 1}, deletion_protection=False
    )
    assert topic.config == {**as_it_is, "segment.ms": 1}
    assert (topic.partitions, topic.replication_factor, topic.deletion_protection) == (7, 2, False)


def test_events_are_deleted_after_their_retention_in_segments_of_an_eighth_of_it() -> None:
    assert Topic.events("orders", retention="4d").config == {
        "cleanup.policy": "delete",
        "retention.ms": 4 * DAY,
        "segment.ms": 12 * HOUR,
        "message.timestamp.after.max.ms": HOUR,
    }
    # Neither shorter than Kafka looks for what is to be deleted, nor longer than its default.
    assert Topic.events("orders", retention="10s").config["segment.ms"] == 300_000
    assert Topic.events("orders", retention="520w").config["segment.ms"] == 7 * DAY


def test_a_changelog_keeps_the_last_of_each_key() -> None:
    assert Topic.changelog("rows", compaction_lag="1h", tombstones="2d").config == {
        "cleanup.policy": "compact",
        "max.compaction.lag.ms": HOUR,
        "delete.retention.ms": 2 * DAY,
    }


def test_telemetry_goes_by_the_brokers_clock_and_can_be_bound() -> None:
    assert Topic.telemetry("readings").config["message.timestamp.type"] == "LogAppendTime"
    assert "retention.bytes" not in Topic.telemetry("readings").config
    assert Topic.telemetry("readings", retention_bytes="1Gi").config["retention.bytes"] == 1024**3


def test_no_number_of_tasks_has_the_oldest_deleted() -> None:
    assert Topic.work_queue("tasks").config["retention.bytes"] == -1


def test_dead_letters_have_room_for_what_they_are_of_and_go_by_the_time_they_were_put_aside() -> None:
    large = Topic.events("orders", config={"max.message.bytes": "5000000"})
    topic = Topic.dead_letters(of=large)

    assert topic.name == "orders.dead-letters"
    assert topic.config["max.message.bytes"] == 5_000_000 + DEAD_LETTER_HEADERS
    assert topic.config["message.timestamp.type"] == "LogAppendTime"
    assert topic.config["retention.bytes"] == -1
    assert Topic.dead_letters(of="orders").config["max.message.bytes"] == 1_048_588 + DEAD_LETTER_HEADERS
    assert Topic.dead_letters(of="orders", name="aside").name == "aside"
    largest = Topic.events("orders", config={"max.message.bytes": 2**31 - 1})
    assert Topic.dead_letters(of=largest).config["max.message.bytes"] == 2**31 - 1


MISTAKES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], list[str]]] = {
    "two at once": (
        Topic.events, ("orders",), {"retention": "7 days", "partitions": 0},
        ["orders: partitions = 0 is less than 1. Declare at least 1.",
         "orders: retention: '7 days' is not a duration; Declare 7d."],
    ),
    "a misspelt field": (
        Topic.events, ("orders",), {"retntion": "7d"},
        ["orders: Topic.events has no field retntion. Did you mean retention?"],
    ),
    "no name": (
        Topic.changelog, (), {}, ["topics[0]: name is not declared. Declare it: Topic.changelog(name=...)."],
    ),
    "a value without its name": (
        Topic.events, ("orders", 6), {},
        ["orders: 6 is given without the name of its field. Topic.events has no field left for it."],
    ),
    "no time at all": (
        Topic.work_queue, ("tasks",), {"retention": "0s"},
        ["tasks: retention: 0s is less than a second. Declare more."],
    ),
    "not even a byte": (
        Topic.telemetry, ("readings",), {"retention_bytes": "1m"},
        ["readings: retention_bytes: 1m is less than one byte; Correct it."],
    ),
    "an entry": (
        Topic.changelog, ("rows",), {"config": {"cleanup.policy": ["compact", "delete"]}},
        ["rows: config[\"cleanup.policy\"] = ['compact', 'delete'];Declare one text: \"compact,delete\"."],
    ),
    "of nothing": (
        Topic.dead_letters, (), {}, ["topics[0]: of is not declared. Declare it: Topic.dead_letters(of=...)."],
    ),
    "of a number": (
        Topic.dead_letters, (), {"of": 5},
        ['topics[0]: of: 5 is neither a topic nor a name. Declare one of them, such as "orders".'],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_preset_is_told_where_a_topic_is_and_raises_nothing(name: str) -> None:
    preset, given, fields, expected = MISTAKES[name]
    topic = preset(*given, **fields)
    found = [str(each) for each in topic.problems("topics[0]")]
    assert len(found) == len(expected)
    for text, (where, _, parts) in zip(found, (each.partition(": ") for each in expected), strict=True):
        assert text.startswith((f"topic {where} (tests/spec/test_topic_presets.py:", f"{where} (tests/"))
        assert all(part in text for part in parts.split(";")), text
    # It is left out, and the others are judged.
    others = check(Platform(name="shop", topics=[topic, Topic("__consumer_offsets", partitions=1)]))
    assert "topic-internal" in [each.rule for each in others]


def test_dead_letters_of_a_topic_without_a_name_have_its_mistake() -> None:
    nameless: Any = Topic(5, partitions=1)  # type: ignore[arg-type]  # the mistake
    assert [each.rule for each in Topic.dead_letters(of=nameless).problems()] == ["value-type"]
