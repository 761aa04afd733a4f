"""Problems of a plan, as Terraform shows them."""

from collections.abc import Iterable, Mapping
from typing import Any

from hikube_kafka.plugin.diagnostics import Diagnostic
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.spec.problem import Problem


def told(problems: Iterable[Problem]) -> list[Diagnostic]:
    """What the user is told: what cannot be and the rule's id in one line; then why, and what to do."""
    return [
        Diagnostic(
            problem.summary,
            f"{problem.why} {problem.remedy}".strip(),
            "error" if problem.severity == "error" else "warning",
            problem.path,
        )
        for problem in problems
    ]


def known_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are known by now: the rules leave out what only the apply will tell."""
    return {name: _known(value) for name, value in values.items() if value is not UNKNOWN}


def _known(value: Any) -> Any:
    if isinstance(value, Mapping):
        return known_values(value)
    if isinstance(value, list):
        return [None if each is UNKNOWN else _known(each) for each in value]
    return value
