"""No input makes a plan pass by crashing the review: there is always an outcome."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.review.finding import Verdict
from hikube_kafka.review.judge import review
from hikube_kafka.review.plan import UnreadablePlanError, read_plan

PLANS = Path(__file__).parent / "plans"
SOME = ("topic-retention-cut", "release-plain-removed", "topic-partitions-more", "release-plain-set-changed")
STRANGE: list[Any] = [None, True, 0, -1, 10**400, 1.5, "", "\ud800", "\0", [], {}, [[]], {"": {}}, "no-op"]


def verdict(content: bytes) -> Verdict:
    """As the command has it: what cannot be read is an outcome, and everything else an error of ours."""
    try:
        plan = read_plan(content)
    except UnreadablePlanError:
        return Verdict.UNREVIEWED
    return review(plan, title="plan", today=date(2026, 1, 1)).verdict


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from places(inner)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("seed", range(15))
def test_a_plan_that_is_damaged_anywhere_has_a_verdict(name: str, seed: int) -> None:
    chosen = random.Random(seed)  # noqa: S311 - a test
    content = json.loads((PLANS / f"{name}.json").read_text("utf-8"))
    for _ in range(chosen.randint(1, 3)):
        holder, key = chosen.choice(list(places(content)))
        if chosen.random() < 0.5:
            del holder[key]
        else:
            holder[key] = chosen.choice(STRANGE)
    assert verdict(json.dumps(content).encode()) in Verdict


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"\x00\xff\xfe" * 50,
        lambda text: text[: len(text) // 2],
        lambda _: b"[" * 100_000,
        lambda _: b'{"a":' * 100_000,
        lambda text: text.replace(b'"resource_changes"', b'"resource_change"', 1).replace(b'"planned_values"', b'"p"'),
        lambda _: b"null",
        lambda _: b"[]",
        lambda text: text.replace(b'"update"', b'"updated"'),
        lambda text: text.replace(b'"update"', b"7"),
        lambda text: text.replace(b'"before"', b'"befor"'),
        lambda text: text.replace(b'"format_version": "1.', b'"format_version": "2.'),
    ],
)
def test_what_cannot_be_read_does_not_pass(spoil: Callable[[bytes], bytes]) -> None:
    text = (PLANS / "topic-retention-cut.json").read_bytes()
    assert verdict(spoil(text)) is not Verdict.PASSED


@pytest.mark.parametrize("encode", ["utf-8-sig", "utf-16", "utf-32"])
def test_the_encodings_of_windows_are_read(encode: str) -> None:
    text = (PLANS / "topic-nothing.json").read_text("utf-8")
    assert verdict(text.encode(encode)) is verdict(text.encode())


DAMAGE: list[Any] = ["delete", None, True, 7, [], {}]
KEPT = (None, True)
"""With these for deletion_protection nothing is taken away."""


@pytest.mark.parametrize("name", ["topic-deleted", "topic-unprotected"])
def test_no_damage_to_a_change_that_blocks_lets_it_pass(name: str) -> None:
    text = (PLANS / f"{name}.json").read_text("utf-8")

    def changing(content: Any) -> Any:
        return next(each for each in content["resource_changes"] if each["change"]["actions"] != ["no-op"])

    for index in range(len(list(places(changing(json.loads(text)))))):
        for damage in DAMAGE:
            content = json.loads(text)
            row = changing(content)
            holder, key = list(places(row))[index]
            if damage == "delete":
                del holder[key]
            else:
                holder[key] = damage
            harmless = key == "deletion_protection" and damage in KEPT
            assert harmless or verdict(json.dumps(content).encode()) is not Verdict.PASSED, (key, damage)


@pytest.mark.parametrize("damage", [True, 7, [], {}])
def test_entries_that_are_no_texts_are_not_taken_for_none(damage: Any) -> None:
    content = json.loads((PLANS / "topic-retention-cut.json").read_text("utf-8"))
    (row,) = (each for each in content["resource_changes"] if each["change"]["actions"] != ["no-op"])
    row["change"]["before"]["config"]["retention.ms"] = damage
    assert verdict(json.dumps(content).encode()) is not Verdict.PASSED
