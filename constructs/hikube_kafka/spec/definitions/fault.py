"""What is wrong with a configuration entry."""

from dataclasses import dataclass
from typing import Literal

FaultRule = Literal[
    "unknown-key",
    "other-scope",
    "declaration-field",
    "platform-key",
    "kraft-key",
    "listener-name",
    "type",
    "range",
    "allowed",
    "form",
    "conflict",
    "deprecated",
    "internal",
]

HIDDEN = "(hidden)"
"""Stands for a value that must not be shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that is wrong with one configuration entry."""

    key: str
    """The key as it was declared."""
    value: object
    """The value as it was declared; ``(hidden)`` for a secret and for a key that is not known to hold none."""
    rule: FaultRule
    """Which rule it breaks: stable, for programs."""
    severity: Literal["error", "warning"] = "error"
    """Kafka would refuse or ignore an error; a warning is for a person to judge."""
    problem: str
    """What cannot be, and why: a sentence."""
    remedy: str
    """What to do: a sentence."""
    nearest: tuple[str, ...] = ()
    """Real keys that may have been meant, the nearest first."""
