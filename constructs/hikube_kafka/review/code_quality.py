"""A review as GitLab's code quality report: shown in the merge request, compared with that of the target branch."""

import json
from typing import Any

from hikube_kafka.page.text import showable
from hikube_kafka.review.finding import Location
from hikube_kafka.review.outcome import Review
from hikube_kafka.review.placed import MAIN, Placed, placed
from hikube_kafka.spec.problem import Severity

_SEVERITIES: dict[Severity, str] = {"error": "blocker", "warning": "major", "notice": "info"}


def render(review: Review, *, fallback: Location = MAIN) -> str:
    """The report, as JSON.

    Args:
        review: Its waived findings are left out.
        fallback: Where a finding is shown whose declaration nobody recorded: GitLab shows none without a file.
    """
    return json.dumps([_entry(each) for each in placed(review, fallback)], indent=2, ensure_ascii=False) + "\n"


def _entry(each: Placed) -> dict[str, Any]:
    return {
        "description": " ".join(each.text.split()),
        "check_name": showable(each.finding.rule),
        "fingerprint": each.fingerprint,
        "severity": _SEVERITIES[each.finding.severity],
        "location": {"path": showable(each.at.file), "lines": {"begin": max(each.at.line, 1)}},
    }
