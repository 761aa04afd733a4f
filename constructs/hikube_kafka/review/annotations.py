"""A review as workflow commands of GitHub Actions, which shows them beside the code and on the page of the run."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from hikube_kafka.page.text import showable
from hikube_kafka.review.outcome import Review
from hikube_kafka.review.placed import Placed, is_inside, placed
from hikube_kafka.spec.problem import Severity

SHOWN = 10
"""Annotations of each kind that GitHub shows of one step; what is beyond is in the log alone."""


def render(review: Review) -> str:
    """One command a line: the verdict, then what blocks, then warnings, then notices.

    A finding whose declaration nobody recorded has no file: GitHub shows it on the page of the run. Where there are
    more than GitHub shows, the last one says how many are left out.
    """
    return "".join(f"{line}\n" for line in _commands(review))


def _commands(review: Review) -> Iterator[str]:
    findings = sorted(placed(review), key=lambda each: ("error", "warning", "notice").index(each.finding.severity))
    if not review.unreviewed:
        yield _command("notice", {"title": _title(review)}, review.headline)
    for severity, group in groupby(findings, key=lambda each: each.finding.severity):
        yield from _of_one_kind(severity, tuple(group))


def _of_one_kind(severity: Severity, findings: Sequence[Placed]) -> Iterator[str]:
    most = SHOWN - (severity == "notice")  # the verdict is one
    shown = findings if len(findings) <= most else findings[: most - 1]
    for each in shown:
        at = each.finding.declared
        place = {"file": at.file, "line": str(at.line)} if at and is_inside(at.file) else {}
        address = f"\n{each.finding.address}" if each.finding.address else ""
        yield _command(severity, place | {"title": each.finding.rule}, each.text + address)
    if left := len(findings) - len(shown):
        kind = {"error": "that block", "warning": "that warn", "notice": "to be known"}[severity]
        yield _command(
            severity, {"title": "and more"}, f"{left} more findings {kind}: the log and the report have them."
        )


def _title(review: Review) -> str:
    return f"Plan review of {review.title}" if review.title.strip() else "Plan review"


def _command(name: str, properties: dict[str, str], message: str) -> str:
    """A command as the runner parses it: one line, in which no text can end a property or begin a command."""
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value.strip())
    return f"::{name} {told}::{_data(message)}"


def _data(text: str) -> str:
    # The older form of a command, ##[name], counts wherever it stands in a line.
    harmless = re.sub(r"##(?=\w*\[)", "# #", showable(text))
    return harmless.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
