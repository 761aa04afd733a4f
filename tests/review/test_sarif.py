import gzip
import json
import random
import re
import string
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest

from hikube_kafka import __version__
from hikube_kafka.review import sarif
from hikube_kafka.review.finding import Location
from hikube_kafka.review.outcome import Review
from tests.review import samples


def run_of(review: Review, **options: Any) -> dict[str, Any]:
    log = json.loads(sarif.render(review, **options))
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (run,) = log["runs"]
    return dict(run)


def test_a_result_points_at_the_python_line_and_names_the_address() -> None:
    result = run_of(samples.BLOCKED)["results"][0]

    assert (result["ruleId"], result["level"]) == ("topic-partitions-shrink", "error")
    assert result["message"]["text"].startswith("Topic orders: it cannot shrink from 12 to 6 partitions.\n")
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "stacks/events.py", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 42},
            },
            "logicalLocations": [
                {"fullyQualifiedName": "hikube_kafka_topic.events_orders", "kind": "resource"},
            ],
        }
    ]
    assert result["properties"]["differences"] == [{"setting": "partitions", "before": "12", "after": "6"}]


def test_a_result_has_the_fingerprint_that_code_scanning_compares() -> None:
    """Without it, the action that uploads takes a hash of the line: topics made in a loop would be one alert."""
    results = run_of(replace(samples.BLOCKED, findings=(samples.SHRUNK, samples.SHRUNK)))["results"]

    first, second = (each["partialFingerprints"] for each in results)
    assert first == {
        "hikubeKafka/v1": samples.SHRUNK.fingerprint,
        "primaryLocationLineHash": samples.SHRUNK.fingerprint,
    }
    assert first["primaryLocationLineHash"] != second["primaryLocationLineHash"]


def test_a_rule_is_described_in_general_and_only_where_it_applies() -> None:
    run = run_of(samples.BLOCKED, docs="https://example.com/hikube/docs/")
    rules = run["tool"]["driver"]["rules"]

    assert [each["id"] for each in rules] == [
        "topic-partitions-shrink",
        "topic-exists",
        "plan-drift",
        "rolling-restart",
        "claims-growth-unchecked",
    ]
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == [each["ruleId"] for each in run["results"]]
    shrinks = rules[0]
    assert shrinks["shortDescription"]["text"] == "It cannot shrink from LIVE to WANTED partitions."
    assert shrinks["fullDescription"]["text"].endswith("Kafka cannot remove partitions.")
    assert shrinks["defaultConfiguration"] == {"level": "error"}
    assert shrinks["helpUri"] == "https://example.com/hikube/docs/review.md#topic-partitions-shrink"
    assert f"({shrinks['helpUri']})" in shrinks["help"]["markdown"]
    assert run["tool"]["driver"]["semanticVersion"] == __version__


@pytest.mark.parametrize("docs", ["", "docs", "javascript:alert(1)", "https://a b", "ftp://example.com"])
def test_a_link_is_one_that_people_can_follow(docs: str) -> None:
    assert "helpUri" not in run_of(samples.BLOCKED, docs=docs)["tool"]["driver"]["rules"][0]


def test_code_scanning_gets_what_it_requires_of_every_rule_and_result() -> None:
    for review in (*samples.REVIEWS.values(), samples.large(40, rules=40), samples.hostile("](x) <b>")):
        run = run_of(review)
        for rule in run["tool"]["driver"]["rules"]:
            for text in (rule["shortDescription"]["text"], rule["fullDescription"]["text"], rule["help"]["text"]):
                assert 0 < len(text) <= 1024
            assert len(rule["properties"]["tags"]) <= 20
            assert len(rule["name"]) <= 255
        for result in run["results"]:
            assert result["message"]["text"]
            assert result["partialFingerprints"]["primaryLocationLineHash"]
            (location,) = result["locations"]
            assert location["physicalLocation"]["artifactLocation"]["uri"]
            assert location["physicalLocation"]["region"]["startLine"] >= 1
            assert "suppressions" not in result


def test_what_nobody_recorded_stands_at_the_fallback() -> None:
    results = run_of(samples.BLOCKED, fallback=Location(file="app/my stack.py", line=9))["results"]
    places = {each["ruleId"]: each["locations"][0] for each in results}

    assert places["claims-growth-unchecked"]["physicalLocation"] == {
        "artifactLocation": {"uri": "app/my%20stack.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 9},
    }
    assert "logicalLocations" not in places["plan-drift"]


def test_waived_findings_are_left_out() -> None:
    assert "topic-deleted" not in sarif.render(samples.BLOCKED)


@pytest.mark.parametrize(
    ("title", "category"),
    [("events-staging", "events-staging"), ("a/b c", "a-b-c"), ("../..", "..-.."), ("", "plan"), ("\n\ud800", "plan")],
)
def test_the_category_is_the_stack(title: str, category: str) -> None:
    """A second upload of the same category takes the place of the first."""
    review = replace(samples.BLOCKED, title=title)

    assert run_of(review)["automationDetails"] == {"id": f"hikube-kafka-review/{category}/"}


def test_a_plan_that_could_not_be_reviewed_is_an_alert() -> None:
    """Without a result, code scanning would close the alerts that are open."""
    run = run_of(samples.UNREVIEWED)

    assert [(each["ruleId"], each["level"]) for each in run["results"]] == [("plan-unreviewed", "error")]
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 2)
    assert "It is not a plan." in invocation["toolExecutionNotifications"][0]["message"]["text"]
    assert run_of(samples.NOTHING)["results"] == []


def test_the_most_severe_are_kept_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 20)
    warnings = tuple(replace(each, severity="warning") for each in samples.large(15).findings)
    run = run_of(replace(samples.BLOCKED, findings=(*warnings, *samples.large(15).findings)))

    assert [each["level"] for each in run["results"]] == ["error"] * 15 + ["warning"] * 5
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert told["message"]["text"].startswith("The 10 least severe findings are left out")


def test_a_file_is_no_larger_than_code_scanning_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_BYTES", 50_000)
    letters = random.Random(7)  # noqa: S311 - text that does not compress
    findings = tuple(
        replace(each, message="".join(letters.choices(string.printable, k=3000))) for each in samples.large(60).findings
    )
    told = sarif.render(replace(samples.BLOCKED, findings=findings))

    assert len(gzip.compress(told.encode())) <= 50_000
    assert 0 < len(json.loads(told)["runs"][0]["results"]) < 60
    assert "least severe findings are left out" in told


@pytest.mark.parametrize("text", samples.NASTY)
def test_any_text_is_carried_and_makes_no_link(text: str) -> None:
    told = sarif.render(samples.hostile(text))

    told.encode()
    run = json.loads(told)["runs"][0]
    assert len(run["results"]) == 2
    for result in run["results"]:
        assert "](" not in result["message"]["text"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", uri)
        assert unquote(uri).strip()
