import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from hikube_kafka.review import as_json
from hikube_kafka.review.outcome import Review
from tests.review.samples import BLOCKED, NASTY, REVIEWS, SHRUNK, hostile, large

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "review.schema.json").read_text("utf-8"))


@pytest.mark.parametrize(
    "review",
    [*REVIEWS.values(), large(50), *map(hostile, NASTY)],
    ids=[*REVIEWS, "large", *map(str, range(len(NASTY)))],
)
def test_every_output_has_the_form_of_the_schema_and_can_be_written(review: Review) -> None:
    text = as_json.render(review)
    text.encode()
    Draft202012Validator(SCHEMA).validate(json.loads(text))


def test_the_schema_tells_of_every_field() -> None:
    def told(content: object, schema: dict[str, object]) -> None:
        if "$ref" in schema:
            schema = SCHEMA["$defs"][str(schema["$ref"]).rpartition("/")[2]]
        if isinstance(content, list):
            for each in content:
                told(each, schema["items"])  # type: ignore[arg-type]
        elif isinstance(content, dict) and isinstance(properties := schema.get("properties"), dict):
            assert content.keys() == properties.keys() == set(schema["required"])  # type: ignore[call-overload]
            for key, each in content.items():
                told(each, properties[key])

    told(json.loads(as_json.render(BLOCKED)), SCHEMA)


def test_everything_of_a_review_is_there() -> None:
    content = json.loads(as_json.render(BLOCKED))
    assert {key: content[key] for key in ("version", "verdict", "exit_code", "headline", "terraform", "actions")} == {
        "version": 1,
        "verdict": "blocked",
        "exit_code": 1,
        "headline": BLOCKED.headline,
        "terraform": "1.11.4",
        "actions": {"update": 3, "delete": 1, "nothing": 4},
    }
    assert content["findings"][0] == {
        "rule": "topic-partitions-shrink",
        "severity": "error",
        "address": "hikube_kafka_topic.events_orders",
        "where": "topic orders",
        "message": "it cannot shrink from 12 to 6 partitions.",
        "why": "Kafka cannot remove partitions.",
        "remedy": SHRUNK.remedy,
        "differences": [{"setting": "partitions", "before": "12", "after": "6"}],
        "declared": {"file": "stacks/events.py", "line": 42},
        "fingerprint": SHRUNK.fingerprint,
        "waived": "",
        "page": "docs/review.md#topic-partitions-shrink",
    }
    assert [len(content[key]) for key in ("findings", "waived", "totals", "parts")] == [5, 1, 6, 5]
    assert content["waived"][0]["waived"].startswith("ana@example.com")
    assert content["parts"][-1]["action"] == "delete"


def test_a_plan_that_could_not_be_read_has_no_actions() -> None:
    content = json.loads(as_json.render(REVIEWS["unreviewed"]))
    assert (content["actions"], content["exit_code"], content["findings"]) == (None, 2, [])
    assert content["unreviewed"].startswith("It is not a plan.")


def test_pages_are_where_the_docs_are() -> None:
    content = json.loads(as_json.render(BLOCKED, docs="https://example.com/docs/"))
    assert content["findings"][0]["page"] == "https://example.com/docs/review.md#topic-partitions-shrink"
