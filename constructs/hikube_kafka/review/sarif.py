"""A review as SARIF 2.1.0, within what GitHub's code scanning accepts.

Code scanning shows an alert at a line of a file, tells alerts apart by ``primaryLocationLineHash``, and does not read
``suppressions``: every finding has a place and that fingerprint, and what is waived is left out.
"""

import gzip
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pkgutil import walk_packages
from string import Formatter
from typing import Any
from urllib.parse import quote

from hikube_kafka import __version__, spec
from hikube_kafka.page.text import cut, showable
from hikube_kafka.review.finding import Location
from hikube_kafka.review.outcome import Review
from hikube_kafka.review.placed import MAIN, Placed, placed
from hikube_kafka.spec.problem import Rule, Severity

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 5_000
"""Code scanning refuses a file with more than 25,000 results, and keeps 5,000."""
MOST_BYTES = 10_000_000
"""Compressed; code scanning refuses a larger file."""
_MOST_CHARACTERS = 1024
"""Of a rule's description."""

_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "notice": "note"}
_PRIORITIES: dict[Severity, str] = {"error": "error", "warning": "warning", "notice": "recommendation"}


def render(review: Review, *, fallback: Location = MAIN, docs: str = "") -> str:
    """The log, as JSON, with one run.

    Where there are more findings than code scanning takes, the most severe are kept, and a notification says how many
    are left out.

    Args:
        review: Its waived findings are left out.
        fallback: Where a finding is shown whose declaration nobody recorded: code scanning shows none without a file.
        docs: URL of this project's ``docs/``, for the links of the rules; anything else makes no link.
    """
    findings = sorted(placed(review, fallback), key=lambda each: tuple(_LEVELS).index(each.finding.severity))
    kept = findings[:MOST_RESULTS]
    while True:
        text = json.dumps(_log(review, kept, len(findings) - len(kept), docs), indent=2, ensure_ascii=False) + "\n"
        if not kept or not _is_too_large(text):
            return text
        kept = kept[: len(kept) // 2]


def _is_too_large(text: str) -> bool:
    content = text.encode()
    return len(content) > MOST_BYTES and len(gzip.compress(content)) > MOST_BYTES


def _log(review: Review, findings: Sequence[Placed], left_out: int, docs: str) -> dict[str, Any]:
    ids = list(dict.fromkeys(showable(each.finding.rule) for each in findings))
    known = _known_rules() if ids else {}
    severest = {showable(each.finding.rule): each.finding.severity for each in reversed(findings)}
    notes = [f"The {left_out} least severe findings are left out: code scanning takes no more."] if left_out else []
    notes += [f"Could not review: {showable(review.unreviewed)}"] if review.unreviewed else []
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hikube-kafka review",
                        "semanticVersion": __version__,
                        "rules": [_rule(id_, known.get(id_), severest[id_], docs) for id_ in ids],
                    }
                },
                "automationDetails": {"id": f"hikube-kafka-review/{_category(review.title)}/"},
                "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the repository."}}},
                "invocations": [
                    {
                        "executionSuccessful": not review.unreviewed,
                        "exitCode": int(review.exit_code),
                        "toolExecutionNotifications": [
                            {"level": "error" if review.unreviewed else "warning", "message": {"text": note}}
                            for note in notes
                        ],
                    }
                ],
                "results": [_result(each, ids.index(showable(each.finding.rule))) for each in findings],
            }
        ],
    }


def _category(title: str) -> str:
    return re.sub(r"[^\w.-]+", "-", title, flags=re.ASCII).strip("-")[:100] or "plan"


def _rule(id_: str, rule: Rule | None, severity: Severity, docs: str) -> dict[str, Any]:
    """A rule as it is in general: alerts of different plans share it."""
    title = id_.replace("-", " ").capitalize()
    if rule is None:
        what = full = text = markdown = f"{title}."
    else:
        what = rule.message_in_general or _in_general(rule.message)
        what = f"{what[:1].upper()}{what[1:]}"
        remedy = rule.remedy_in_general or _in_general(rule.remedy)
        full = f"{what} {_in_general(rule.why)}".strip()
        text = "\n\n".join(filter(None, [full, remedy]))
        markdown = "\n\n".join(filter(None, [what, f"**Why:** {_in_general(rule.why)}", f"**What to do:** {remedy}"]))
    page = f"{docs.rstrip('/')}/review.md#{quote(id_)}" if re.match(r"https?://[^\s<>\"]+$", docs) else ""
    return {
        "id": id_,
        "name": "".join(word.capitalize() for word in id_.split("-"))[:255],
        "shortDescription": {"text": cut(title if rule is None else what, _MOST_CHARACTERS)},
        "fullDescription": {"text": cut(full, _MOST_CHARACTERS)},
        "help": {"text": text, "markdown": markdown + (f"\n\n[More about this rule]({page})" if page else "")},
        **({"helpUri": page} if page else {}),
        "defaultConfiguration": {"level": _LEVELS[rule.severity if rule else severity]},
        "properties": {
            "tags": ["kafka", "terraform"],
            "precision": "very-high",
            "problem.severity": _PRIORITIES[rule.severity if rule else severity],
        },
    }


def _result(each: Placed, index: int) -> dict[str, Any]:
    finding = each.finding
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(showable(each.at.file), safe="/"), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": max(each.at.line, 1)},
        }
    }
    if finding.address:
        location["logicalLocations"] = [{"fullyQualifiedName": showable(finding.address), "kind": "resource"}]
    return {
        "ruleId": showable(finding.rule),
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        # In a message, [text](target) is a link.
        "message": {"text": each.text.replace("](", "] (")},
        "locations": [location],
        "partialFingerprints": {"hikubeKafka/v1": each.fingerprint, "primaryLocationLineHash": each.fingerprint},
        "properties": {
            "where": showable(finding.where),
            "differences": [
                {"setting": showable(one.setting), "before": showable(one.before), "after": showable(one.after)}
                for one in finding.differences[:100]
            ],
        },
    }


def _known_rules() -> Mapping[str, Rule]:
    """Every rule there is, by its id."""
    modules = [import_module(each.name) for each in walk_packages(spec.__path__, f"{spec.__name__}.")]
    return {rule.id: rule for module in modules for rule in _rules_of(vars(module).values())}


def _rules_of(values: Iterable[Any]) -> Iterable[Rule]:
    for value in list(values):
        for each in value.values() if isinstance(value, Mapping) else (value,):
            if isinstance(each, Rule):
                yield each


def _in_general(template: str) -> str:
    """The text with the name of each fact in its place."""
    return "".join(
        text + (fact.replace("_", " ").upper() if fact else "") for text, fact, *_ in Formatter().parse(template)
    )
