"""A review as JSON, for programs. ``docs/review.schema.json`` is the schema of it.

What is there keeps its name, its type and its meaning; more may come with any release, and a reader passes over what it
does not know. Whatever breaks that raises the version.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hikube_kafka.review.finding import Finding
from hikube_kafka.review.outcome import Review

VERSION: Literal[1] = 1
"""Raised when a reader of the older version could misread the newer one."""

_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


class _Open(BaseModel):
    """A part of the document. More fields may come."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class JsonDifference(_Open):
    """One setting, before and after the apply, with units; what is secret is not shown."""

    setting: str
    """``partitions``, ``config[retention.ms]``."""
    before: str
    """Empty: it was not set."""
    after: str
    """Empty: it is no longer set. ``(known after apply)`` where only the apply will tell."""


class JsonLocation(_Open):
    """Where something is declared."""

    file: str
    """Relative to the project, with forward slashes."""
    line: int
    """From 1."""


class JsonFinding(_Open):
    """One rule that applies to one address of the plan."""

    rule: str
    """Stable id of the rule."""
    severity: Literal["error", "warning", "notice"]
    """``error`` blocks, ``warning`` is to be known, ``notice`` informs."""
    address: str
    """In the plan; empty: it is about the plan as a whole."""
    where: str
    """What it is about: ``topic orders``."""
    message: str
    """What the plan does."""
    why: str
    """What that does to messages, clients or servers."""
    remedy: str
    """What to do; indented lines are commands."""
    differences: list[JsonDifference]
    declared: JsonLocation | None
    """Null: nobody recorded it."""
    fingerprint: str
    """The same change found again has the same one. A waiver names it."""
    waived: str
    """By whom, why and until when; empty: it is not waived."""
    page: str
    """Where the documentation explains the rule."""


class JsonTotal(_Open):
    """Something that all parts of one platform or release have together, before and after the apply."""

    of: str
    """The platform or release."""
    what: str
    """``brokers``, ``storage``, ``partitions``."""
    before: str
    """With its unit; empty: there is none; ``unknown``: nobody can tell."""
    after: str
    """Likewise."""


class JsonPart(_Open):
    """A thing in the picture of what changes."""

    address: str
    kind: str
    """``namespace``, ``ZooKeeper``, ``brokers``, ``topic``, ``storage``, ``release``, ``other``."""
    what: str
    action: str
    """As in ``actions``."""
    belongs_to: str
    """Address of the part that it stands on; empty: none."""


class JsonReview(_Open):
    """The outcome of `hikube-kafka review`."""

    version: Literal[1]
    """Of this format."""
    title: str
    """What was reviewed."""
    verdict: Literal["passed", "blocked", "could not review"]
    exit_code: Literal[0, 1, 2]
    """0: passed, 1: blocked, 2: could not review."""
    headline: str
    """The verdict in one line."""
    unreviewed: str
    """Why nothing could be judged; empty: it was."""
    terraform: str
    """Version that made the plan; empty: it is not known."""
    actions: dict[str, int] | None
    """How many managed resources each action concerns: ``nothing``, ``create``, ``update``, ``delete``, ``replace``,
    ``forget``, ``forget and create``, ``read``, ``other``. Null: no plan was read."""
    findings: list[JsonFinding]
    """What blocks first. Waived ones are not among them."""
    waived: list[JsonFinding]
    """Findings that the policy waives."""
    totals: list[JsonTotal]
    parts: list[JsonPart]


def render(review: Review, *, docs: str = "") -> str:
    """Give a review as JSON.

    Args:
        review: It.
        docs: Where ``docs/`` of this project is, for links to the rules: an URL or a path. Default: ``docs``.
    """
    text = json.dumps(_content(review, docs), indent=2, ensure_ascii=False) + "\n"
    return _HALF_A_CHARACTER.sub("\ufffd", text)  # which no encoding has


def _content(review: Review, docs: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "title": review.title,
        "verdict": str(review.verdict),
        "exit_code": int(review.exit_code),
        "headline": review.headline,
        "unreviewed": review.unreviewed,
        "terraform": review.terraform,
        "actions": None if review.actions is None else {str(each): count for each, count in review.actions.items()},
        "findings": _findings(review.findings, docs),
        "waived": _findings(review.waived, docs),
        "totals": [dict(vars(each)) for each in review.totals],
        "parts": [{**vars(each), "action": str(each.action)} for each in review.parts],
    }


def _findings(findings: Iterable[Finding], docs: str) -> list[Mapping[str, Any]]:
    there = docs.rstrip("/")
    return [
        {
            **vars(each),
            "differences": [dict(vars(difference)) for difference in each.differences],
            "declared": dict(vars(each.declared)) if each.declared else None,
            "page": f"{there}/review.md#{each.rule}" if there else each.page,
        }
        for each in findings
    ]


if __name__ == "__main__":
    import sys

    json.dump(JsonReview.model_json_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
