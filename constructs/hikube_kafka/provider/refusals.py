"""Errors that many resources meet for one reason are told once, with all names.

A plan fails as a whole, so one of its calls can tell what all have met. An apply carries out each resource by itself:
there each has its own error, in full the first time, and in a line after that.
"""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from hikube_kafka.plugin.diagnostics import Diagnostic
from hikube_kafka.spec.quantities import whole

_WINDOW = 0.3
"""Seconds without another error of the same kind after which there are no more: Terraform's next calls come within
milliseconds, unless resources between them wait for something."""


def _always() -> bool:
    return True


class Refusals:
    """One for the process; used from many threads at once.

    Args:
        stopped: Set by Ctrl-C: nobody is waited for then.
        window: Seconds without another error after which those of one kind are told.
    """

    def __init__(self, stopped: threading.Event, *, window: float = _WINDOW) -> None:
        self._stopped = stopped
        self._window = window
        self._changed = threading.Condition()
        self._open: dict[str, list[tuple[str, Callable[[], bool]]]] = {}
        self._told: dict[str, str] = {}  # who was told in full, by kind
        self._alone: set[str] = set()  # kinds of which none came while one was waited for: one call at a time

    def of_plan(
        self, faults: Iterable[Diagnostic], holds: Callable[[Diagnostic], bool] = lambda _fault: True
    ) -> list[Diagnostic]:
        """What this call tells: errors that break a rule are told by the first call that meets them, for all.

        The others answer as if all was well. So an apply, which asks for plans as well, must check again what it does.

        Args:
            faults: What a resource has found.
            holds: Whether an error is still to be told once all have come.
        """
        told: list[Diagnostic] = []
        for fault in faults:
            if fault.severity == "error" and fault.summary.endswith("]") and ": " in fault.summary:
                where, _, kind = fault.summary.partition(": ")
                told += self._together(fault, where, kind, lambda fault=fault: holds(fault))  # type: ignore[misc]
            else:
                told.append(fault)
        return told

    def of_question(self, fault: Diagnostic, what: str) -> list[Diagnostic]:
        """What this call tells of a question that the cluster refuses, about many resources alike: as in ``of_plan``.

        Args:
            fault: Why it was not answered.
            what: The resource: ``topic orders``.
        """
        return self._together(fault, what, _alike(fault, what), _always)

    def _together(self, fault: Diagnostic, where: str, kind: str, holds: Callable[[], bool]) -> list[Diagnostic]:
        with self._changed:
            if kind in self._open:
                self._open[kind].append((where, holds))
                self._changed.notify_all()
                return []
            members = self._open[kind] = [(where, holds)]
            if kind not in self._alone:
                self._await_others(members)
            del self._open[kind]
            if len(members) == 1:
                self._alone.add(kind)
        names = list(dict.fromkeys(where for where, still in members if still()))
        if not names:
            return []
        with self._changed:
            first = self._told.setdefault(kind, names[0])
        return [_joined(fault, kind, names, first)]

    def _await_others(self, members: list[tuple[str, Callable[[], bool]]]) -> None:
        seen = 0
        while len(members) > seen and not self._stopped.is_set():
            seen = len(members)
            self._changed.wait_for(lambda: len(members) > seen, timeout=self._window)  # noqa: B023 - waited for at once

    def of_apply(self, faults: Iterable[Diagnostic], what: str) -> list[Diagnostic]:
        """The errors of one resource; those that another has had before are told in a line.

        Args:
            faults: What stood in the way.
            what: The resource: ``topic orders``.
        """
        return [self._shortened(fault, what) if fault.severity == "error" else fault for fault in faults]

    def _shortened(self, fault: Diagnostic, what: str) -> Diagnostic:
        with self._changed:
            first = self._told.setdefault(_alike(fault, what), what)
        return fault if first == what else replace(fault, detail=f"For the same reason as {first}: see its error.")


def _alike(fault: Diagnostic, what: str) -> str:
    """What errors about several resources have in common: their text without the name."""
    name = re.escape(what.rpartition(" ")[2])
    return re.sub(rf"(?<![\w.-]){name}(?![\w-])", "*", f"{fault.summary} {fault.detail}").casefold()


def _joined(fault: Diagnostic, kind: str, names: list[str], first: str) -> Diagnostic:
    """One error of several that differ in what they are about."""
    detail = fault.detail.rstrip()
    if first != names[0]:
        detail = f"For the same reason as {first[:1].lower()}{first[1:]}: see its error."
    by_rule = fault.summary.endswith(f": {kind}")
    if len(names) == 1:
        return replace(fault, summary=f"{names[0]}: {kind}" if by_rule else fault.summary, detail=detail)
    common = names[0].partition(" ")[0]
    alike = all(name.startswith(f"{common} ") for name in names)
    listed = ", ".join(sorted((name.removeprefix(f"{common} ") if alike else name for name in names), key=_in_order))
    detail += f"\n\nThis plan cannot be applied, whatever it shows for the others. All {len(names)}: {listed}."
    summary = f"{names[0]} and {len(names) - 1} more: {kind}"
    if not by_rule:
        summary = fault.summary + (f" and {len(names) - 1} more" if fault.summary.endswith(names[0]) else "")
    return replace(fault, summary=summary, detail=detail)


def _in_order(name: str) -> list[tuple[int, str]]:
    """So that topic-10 comes after topic-9."""
    parts = re.split(r"([0-9]+)", name)
    return [(-1, part) if (number := whole(part)) is None else (number, "") for part in parts]
