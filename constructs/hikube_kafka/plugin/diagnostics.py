"""What a user is told: errors and warnings, pinned to the attribute they are about."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

Path = tuple[str | int, ...]
"""The way to a value: attribute names, list indices and map keys, e.g. ``("brokers", 1, "port")``."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error or warning, as Terraform shows it beside the user's code.

    Attributes:
        summary: One line: what is wrong.
        detail: What was declared, why it cannot be, what to do. Never a secret: Terraform prints it.
        severity: An error ends the operation, a warning does not.
        path: The attribute it is about; empty for the whole block.
    """

    summary: str
    detail: str = ""
    severity: Literal["error", "warning"] = "error"
    path: Path = ()


class Refusal(Exception):  # noqa: N818 - it is not a fault of the program: the provider says no
    """The provider refuses, or cannot finish, and says why.

    Attributes:
        diagnostics: What the user is told.
        state: From ``create`` and ``update``: what exists by now, all attributes included, ``UNKNOWN`` (recorded as
            null) for what was not reached. Terraform records it (tainted after ``create``, so that the next apply
            replaces it) instead of losing sight of it. ``None`` for nothing: a failed creation left nothing behind, a
            failed update changed nothing.
    """

    def __init__(self, *diagnostics: Diagnostic, state: Mapping[str, Any] | None = None) -> None:
        if not any(each.severity == "error" for each in diagnostics):
            raise ValueError("a refusal says why: give at least one diagnostic that is an error")
        super().__init__(*(each.summary for each in diagnostics))
        self.diagnostics = diagnostics
        self.state = dict(state) if state is not None else None


_warnings: ContextVar[list[Diagnostic]] = ContextVar("_warnings")


def warn(summary: str, detail: str = "", path: Path = ()) -> None:
    """Tell the user something beside the answer, from any method of a provider, whatever its outcome."""
    _warnings.get([]).append(Diagnostic(summary, detail, "warning", path))


@contextmanager
def collected_warnings() -> Iterator[list[Diagnostic]]:
    """Collect what :func:`warn` is told meanwhile in this thread. Outside of it there is nobody to tell."""
    collected: list[Diagnostic] = []
    token = _warnings.set(collected)
    try:
        yield collected
    finally:
        _warnings.reset(token)
