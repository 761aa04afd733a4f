"""What a review finds."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from hikube_kafka.page.markdown import line
from hikube_kafka.spec.problem import Severity

_ADDRESS = re.compile(r"[a-z0-9_]+\.")
"""How the address of a resource begins."""


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where something is declared."""

    file: str
    """Path as it was recorded at synth: relative to the project, with forward slashes."""
    line: int
    """From 1."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One setting, before and after the apply, as a person reads it: with units, and nothing that is secret."""

    setting: str
    """``partitions``, ``config[retention.ms]``, ``storage.data.size``."""
    before: str
    """Empty: it was not set."""
    after: str
    """Empty: it is no longer set. ``(known after apply)`` where only the apply will tell."""

    def __str__(self) -> str:
        return f"{self.setting}: {self.before or '(none)'} → {self.after or '(none)'}"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule that applies to one address of a plan. Every text may be shown: what is secret has been taken out."""

    rule: str
    """Stable id of the rule: ``topic-protected``."""
    severity: Severity
    """``error`` blocks, ``warning`` is to be known, ``notice`` informs. As the policy has it, if there is one."""
    address: str
    """``module.events.hikube_kafka_topic.orders``; empty: it is about the plan as a whole."""
    where: str
    """What it is about: ``topic orders``."""
    message: str
    why: str
    remedy: str
    differences: tuple[Difference, ...] = ()
    """The settings that the rule is about; else all that change at the address."""
    declared: Location | None = None
    """None: nobody recorded it."""
    fingerprint: str = ""
    """Of rule, address, before and after: the same change found again has the same one."""
    waived: str = ""
    """By whom, why and until when; empty: it is not waived."""

    @property
    def told(self) -> str:
        """What the plan does to what: a sentence. An address stays as it is written."""
        where = line(self.where)
        if self.where != self.address or not _ADDRESS.match(where):
            where = f"{where[:1].upper()}{where[1:]}"
        return f"{where}: {self.message}" if where else self.message

    @property
    def untold(self) -> tuple[Difference, ...]:
        """The differences without those that the message tells."""
        return tuple(
            each
            for each in self.differences
            if not (each.before and each.after)
            or not re.search(rf"from {re.escape(each.before)} to {re.escape(each.after)}(?!\w)", self.message)
        )

    @property
    def page(self) -> str:
        """Where the documentation explains the rule."""
        return f"docs/review.md#{self.rule}"


class Verdict(StrEnum):
    """What a pipeline is to do."""

    PASSED = "passed"
    """Nothing that blocks was found."""
    BLOCKED = "blocked"
    UNREVIEWED = "could not review"
    """There was nothing that could be judged."""


def fingerprint(rule: str, address: str, before: str, after: str) -> str:
    """Of a finding: 16 hexadecimal digits.

    Args:
        rule: Its id.
        address: Where in the plan.
        before: The whole of what the rule was asked about, as canonical JSON; secrets included, as nobody can get
            them back out of it.
        after: Likewise, as it is to be.
    """
    return sha256(json.dumps([rule, address, before, after]).encode()).hexdigest()[:16]


_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "notice": 2}


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """What blocks first, then by address and rule: the same for the same plan."""
    return sorted(findings, key=lambda each: (_ORDER[each.severity], each.address, each.rule, each.message))
