"""What GitHub's runner makes of the commands: it is asked the way it parses them, line by line."""

import re
from dataclasses import replace

import pytest

from hikube_kafka.page.text import showable
from hikube_kafka.review import annotations
from hikube_kafka.review.finding import Location
from tests.review import samples

COMMAND = re.compile(r"^\s*::(?P<name>[\w-]+)(?: (?P<properties>.*?))?::(?P<data>.*)$", re.DOTALL)


def parsed(text: str) -> list[tuple[str, dict[str, str], str]]:
    """As the runner does: name, properties, message."""
    commands = []
    for line in re.split(r"\r\n|\r|\n", text.removesuffix("\n")):
        found = COMMAND.match(line)
        assert found is not None, line
        properties = dict(each.split("=", 1) for each in (found["properties"] or "").split(",") if each)
        commands.append((found["name"], {key: unescaped(value) for key, value in properties.items()}, found["data"]))
    return [(name, properties, unescaped(data)) for name, properties, data in commands]


def unescaped(text: str) -> str:
    for token, replacement in {"\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C", "%": "%25"}.items():
        text = text.replace(replacement, token)
    return text


def test_each_finding_is_shown_at_its_line_below_the_verdict() -> None:
    verdict, shrunk, taken, *_ = parsed(annotations.render(samples.BLOCKED))

    assert verdict == ("notice", {"title": "Plan review of events-staging"}, samples.BLOCKED.headline)
    name, properties, message = shrunk
    assert (name, properties) == (
        "error",
        {"file": "stacks/events.py", "line": "42", "title": "topic-partitions-shrink"},
    )
    assert message.splitlines() == [
        "Topic orders: it cannot shrink from 12 to 6 partitions.",
        "partitions: 12 → 6",
        "Kafka cannot remove partitions.",
        "Set partitions = 12. For fewer, make another topic and move the messages there.",
        "hikube_kafka_topic.events_orders",
    ]
    assert "terraform import hikube_kafka_topic.this payments.jobs\n" in taken[2]


def test_severities_have_the_names_that_github_knows() -> None:
    told = [(name, properties["title"]) for name, properties, _ in parsed(annotations.render(samples.BLOCKED))]

    assert told == [
        ("notice", "Plan review of events-staging"),
        ("error", "topic-partitions-shrink"),
        ("error", "topic-exists"),
        ("warning", "plan-drift"),
        ("warning", "rolling-restart"),
        ("notice", "claims-growth-unchecked"),
    ]


def test_what_nobody_recorded_has_no_file_and_what_is_outside_neither() -> None:
    outside = replace(samples.SHRUNK, declared=Location(file="/home/ana/main.py", line=3))
    review = replace(samples.BLOCKED, findings=(samples.WHOLE, outside))

    assert [properties.keys() for _, properties, _ in parsed(annotations.render(review))] == [{"title"}] * 3


@pytest.mark.parametrize(("count", "shown"), [(10, 10), (11, 9), (300, 9)])
def test_github_shows_ten_and_the_last_one_counts_the_rest(count: int, shown: int) -> None:
    errors = [each for each in parsed(annotations.render(samples.large(count))) if each[0] == "error"]

    assert len(errors) == min(count, annotations.SHOWN)
    assert [properties["title"].startswith("topic-rule-") for _, properties, _ in errors].count(True) == shown
    assert ("and more" in errors[-1][1]["title"]) is (count > shown)
    assert (f"{count - shown} more findings that block" in errors[-1][2]) is (count > shown)


def test_the_verdict_is_one_of_the_ten_notices() -> None:
    many = tuple(replace(samples.GROWS, where=f"claims {number}") for number in range(30))
    told = parsed(annotations.render(replace(samples.PASSED, findings=many)))

    assert len(told) == 10
    assert "22 more findings to be known" in told[-1][2]


def test_a_plan_that_could_not_be_reviewed_is_an_error() -> None:
    ((name, properties, message),) = parsed(annotations.render(samples.UNREVIEWED))

    assert (name, properties["title"]) == ("error", "plan-unreviewed")
    assert "could not review: It is not a plan." in message


INJECTIONS = (
    "x\n::set-output name=a::b",
    "x\r::stop-commands::t",
    "x\r\n::add-mask::a",
    "##[set-env name=PATH]/tmp",
    "x ##[error]y ##vso[task.complete]",
    "a,file=/etc/passwd,line=1",
    "a::error::b",
    "100%0A::warning::forged %25 %2C",
    "\x1b[2K\x1b[1A\x00\x85\u2028",
)


@pytest.mark.parametrize("text", [*INJECTIONS, *samples.NASTY])
def test_no_text_of_a_plan_becomes_a_command_or_a_property(text: str) -> None:
    told = annotations.render(samples.hostile(text))

    commands = parsed(told)
    assert [name for name, *_ in commands] == ["notice", "error", "warning"]
    assert all(properties.keys() <= {"file", "line", "title"} for _, properties, _ in commands)
    assert not re.search(r"##\w*\[", told)
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", told)
    told.encode()
    tidy = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    expected = showable(re.sub(r"##(?=\w*\[)", "# #", tidy))
    assert expected in commands[1][2]
    assert expected in commands[0][1]["title"]
    assert commands[0][2].startswith("Blocked: 1 finding blocks")
