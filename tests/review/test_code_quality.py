import json
import re
from dataclasses import replace
from typing import Any

import pytest

from hikube_kafka.review import code_quality
from hikube_kafka.review.finding import Location
from hikube_kafka.review.outcome import Review
from tests.review import samples


def entries(review: Review, **options: Any) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads(code_quality.render(review, **options))
    return content


def test_an_entry_has_what_gitlab_asks_for() -> None:
    first = entries(samples.BLOCKED)[0]

    assert first == {
        "description": "Topic orders: it cannot shrink from 12 to 6 partitions. partitions: 12 → 6 Kafka cannot remove "
        "partitions. Set partitions = 12. For fewer, make another topic and move the messages there.",
        "check_name": "topic-partitions-shrink",
        "fingerprint": samples.SHRUNK.fingerprint,
        "severity": "blocker",
        "location": {"path": "stacks/events.py", "lines": {"begin": 42}},
    }


def test_severities_are_gitlabs_and_waived_findings_are_left_out() -> None:
    told = [(each["check_name"], each["severity"]) for each in entries(samples.BLOCKED)]

    assert told == [
        ("topic-partitions-shrink", "blocker"),
        ("topic-exists", "blocker"),
        ("plan-drift", "major"),
        ("rolling-restart", "major"),
        ("claims-growth-unchecked", "info"),
    ]


@pytest.mark.parametrize("file", ["", " ", "/srv/main.py", "../main.py", "a/../../b.py", "C:/main.py", "a\\b.py"])
def test_what_has_no_place_in_the_project_stands_at_the_fallback(file: str) -> None:
    strange = replace(samples.SHRUNK, declared=Location(file=file, line=7))
    review = replace(samples.BLOCKED, findings=(samples.WHOLE, strange))

    assert [each["location"] for each in entries(review)] == [{"path": "main.py", "lines": {"begin": 1}}] * 2
    elsewhere = entries(review, fallback=Location(file="stacks/orders.py", line=3))
    assert [each["location"] for each in elsewhere] == [{"path": "stacks/orders.py", "lines": {"begin": 3}}] * 2


def test_each_has_a_fingerprint_of_its_own_and_always_the_same() -> None:
    """GitLab shows the first alone of those that share one."""
    twice = replace(samples.BLOCKED, findings=(samples.SHRUNK, samples.SHRUNK, replace(samples.SHRUNK, fingerprint="")))
    prints = [each["fingerprint"] for each in entries(twice)]

    assert prints[0] == samples.SHRUNK.fingerprint
    assert len(set(prints)) == 3
    assert all(re.fullmatch(r"[0-9a-f]{16}", each) for each in prints)
    assert [each["fingerprint"] for each in entries(twice)] == prints


def test_a_plan_that_could_not_be_reviewed_blocks() -> None:
    """An empty report would say that all is well."""
    (entry,) = entries(samples.UNREVIEWED)

    assert (entry["check_name"], entry["severity"]) == ("plan-unreviewed", "blocker")
    assert "It is not a plan." in entry["description"]
    assert entries(samples.NOTHING) == []


@pytest.mark.parametrize("text", samples.NASTY)
def test_any_text_is_carried(text: str) -> None:
    told = code_quality.render(samples.hostile(text))

    told.encode()
    assert [each["check_name"] for each in json.loads(told)] == ["topic-partitions-shrink"] * 2
    assert all(each["location"]["path"].strip() for each in json.loads(told))
