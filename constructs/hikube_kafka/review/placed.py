"""Findings as code hosts want them: each at a line of a file, and each with a fingerprint of its own."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from hikube_kafka.page.text import cut, showable
from hikube_kafka.review.finding import Finding, Location
from hikube_kafka.review.outcome import Review
from hikube_kafka.spec.changes.plan import UNREVIEWED

MAIN = Location(file="main.py", line=1)
"""Where a finding is shown whose declaration nobody recorded, unless the caller knows better: the app."""
_MOST = 4_000
"""Characters of one text: a remedy with its commands, and far from any limit."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A finding at its place. Its texts can be encoded, and have an end."""

    finding: Finding
    at: Location
    fingerprint: str
    """Unique among those of a review: a host shows of several with the same one the first alone."""

    @property
    def text(self) -> str:
        """All of it, in plain lines: what the plan does, what changes, why it matters, what to do."""
        each = self.finding
        lines = [each.told, *map(str, each.differences), each.why, each.remedy]
        return cut(showable("\n".join(line.strip() for line in lines if line.strip())), _MOST)


def placed(review: Review, fallback: Location = MAIN) -> Iterator[Placed]:
    """The findings of a review in their order; that it could not be reviewed is one, or nobody would see it there.

    Args:
        review: Its waived findings are left out.
        fallback: Where a finding is shown whose declaration nobody recorded, or outside the project.
    """
    findings = review.findings
    if review.unreviewed:
        findings = (_unreviewed(review), *findings)
    seen: Counter[str] = Counter()
    for each in findings:
        own = each.fingerprint or _hash(each.rule, each.address, each.message)
        seen[own] += 1
        yield Placed(
            finding=each,
            at=each.declared if each.declared and is_inside(each.declared.file) else fallback,
            fingerprint=own if seen[own] == 1 else _hash(own, str(seen[own])),
        )


def _unreviewed(review: Review) -> Finding:
    problem = UNREVIEWED("the plan", problem=review.unreviewed)
    return Finding(
        rule=problem.rule,
        severity=problem.severity,
        address="",
        where=problem.where,
        message=problem.message,
        why=problem.why,
        remedy=problem.remedy,
    )


def is_inside(file: str) -> bool:
    """Whether this is the path of a file below the root of the project, with forward slashes."""
    parts = file.split("/")
    return bool(file.strip()) and "\\" not in file and not re.match(r"[A-Za-z]:|/", file) and ".." not in parts


def _hash(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
