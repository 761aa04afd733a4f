"""What Terraform says while it plans, and the plan itself does not: the messages of ``terraform plan -json``."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hikube_kafka.review.plan import UnreadablePlanError
from hikube_kafka.spec.problem import Severity

_OF_A_RULE = re.compile(r"^(?P<what>.+?): (?P<message>.+) \[(?P<rule>[a-z][a-z0-9-]*)\]$", re.DOTALL)
"""How the provider words what a rule says: what, what cannot be, and the rule's id."""


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """An error or a warning."""

    severity: Severity
    address: str
    """Empty: it is about no resource, or about several."""
    summary: str
    detail: str

    @property
    def rule(self) -> str:
        """Id of the rule that the provider names; empty: it names none."""
        found = _OF_A_RULE.match(self.summary)
        return found["rule"] if found else ""

    @property
    def where(self) -> str:
        """What it is about, as the provider calls it; empty: it names no rule."""
        found = _OF_A_RULE.match(self.summary)
        if not found:
            return ""
        what = found["what"]
        is_a_word = not any(each.isupper() for each in what.partition(" ")[0][1:])  # no StatefulSet, no ZooKeeper
        return f"{what[:1].lower()}{what[1:]}" if is_a_word else what

    @property
    def message(self) -> str:
        """What is wrong: a sentence."""
        found = _OF_A_RULE.match(self.summary)
        return f"{(found['message'] if found else self.summary).strip().rstrip('.')}."


def read_diagnostics(content: bytes) -> tuple[Diagnostic, ...]:
    """Read the messages of ``terraform plan -json``, one JSON object a line; other lines are left out.

    Raises:
        UnreadablePlanError: There is no such message in it, or one was cut short.
    """
    messages = list(_messages(content))
    if not any("@level" in each or "type" in each for each in messages):
        raise UnreadablePlanError("It has no message of Terraform. Write it with: terraform plan -json -out PLAN")
    return tuple(dict.fromkeys(_diagnostics(messages)))


def _messages(content: bytes) -> Iterator[Mapping[str, Any]]:
    text = content.decode(json.detect_encoding(content), "replace")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith("{"):
            continue  # what a wrapper, or a provider on its standard error, has written in between
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise UnreadablePlanError(f"Line {number} is not JSON: it was cut short.") from None
        if isinstance(message, Mapping):
            yield message


def _diagnostics(messages: Iterable[Mapping[str, Any]]) -> Iterator[Diagnostic]:
    for message in messages:
        content = message.get("diagnostic")
        # The code snippet beside it shows values of variables, secrets among them: it is never read.
        if message.get("type") == "diagnostic" and isinstance(content, Mapping):
            yield Diagnostic(
                severity="warning" if content.get("severity") == "warning" else "error",
                address=str(content.get("address") or ""),
                summary=str(content.get("summary") or message.get("@message") or "an error without words"),
                detail=str(content.get("detail") or ""),
            )
