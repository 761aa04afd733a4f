"""A check, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from hikube_kafka.probe.observation import Unreadable
from hikube_kafka.spec.contract import Contract

Evidence = TypeVar("Evidence")


class Status(StrEnum):
    """How a check came out. Only ``passed`` and ``untested`` let the gate pass."""

    PASSED = "passed"
    FAILED = "failed"
    """Something was seen that must not be, or the other way round."""
    UNREADABLE = "unreadable"
    """Nothing wrong was seen, but something could not be read: that is not a pass."""
    UNTESTED = "untested"
    """The contract promises nothing of the kind, or nobody outside can see it."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found."""

    check: str
    """Stable id of the check: ``zookeeper-one-leader``."""
    title: str
    """What it checks, as a sentence that is true when it passes."""
    status: Status
    expected: str
    seen: tuple[str, ...]
    """What was seen: one line each."""
    remedy: str
    """What to do; empty where there is nothing to do."""
    command: str = ""
    """A command line that does it, to be copied; empty where there is none."""
    settled_after: float | None = None
    """Seconds from the first round until the check passed for good; None: it did not, or it reads only once."""
    unchanged_for: float | None = None
    """Seconds for which a fault has been the same; None: it is none, or it changed in the last ten seconds."""
    notes: tuple[str, ...] = ()
    """What to know beside the outcome, which it does not change: what cannot be told, what nobody declared."""
    lasting: bool = False
    """Whether it is a fault that no waiting mends."""

    @property
    def is_fault(self) -> bool:
        """Whether it keeps the gate from passing."""
        return self.status in {Status.FAILED, Status.UNREADABLE}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a check's function hands back. Something wrong outweighs something unread; either is no pass."""

    expected: str
    seen: str
    """What was seen, told in one line when all is well."""
    wrong: Iterable[str] = ()
    """What is wrong, and may pass by itself: a server that starts, a replica that catches up."""
    lasting: Iterable[str] = ()
    """What is wrong, and stays so until somebody does something about it: nothing is waited for."""
    unread: Iterable[Unreadable] = ()
    notes: Iterable[str] = ()
    """What to know beside the outcome, which it does not change."""
    untested: str = ""
    """Why there is nothing to test; empty where there is."""
    remedy: str = ""
    """What to do in this very case if something is wrong; empty: what the check says."""
    command: str = ""
    """A command line that does it."""
    unread_remedy: str = ""
    """What to do in this very case if something is unread; empty: what the check says."""


@dataclass(frozen=True, kw_only=True)
class Check(Generic[Evidence]):
    """A named check. Its function loops over what the contract declares, never over what happened to be seen."""

    id: str
    title: str
    remedy: str
    """What to do where something is wrong."""
    unread_remedy: str
    """What to do where something is unread; empty where another check tells."""
    judge: Callable[[Contract, Evidence], Outcome]

    def __call__(self, contract: Contract, evidence: Evidence) -> Finding:
        """Hold the evidence to the contract."""
        outcome = self.judge(contract, evidence)
        # The views of several brokers mostly agree: each trouble is told once.
        passing, unreadable = tuple(outcome.wrong), tuple(outcome.unread)
        wrong = tuple(dict.fromkeys((*passing, *outcome.lasting)))
        unread = tuple(dict.fromkeys(str(each) for each in unreadable))
        remedy = ""
        if wrong:
            status, seen, remedy = Status.FAILED, wrong + unread, outcome.remedy or self.remedy
        elif unread:
            status, seen, remedy = Status.UNREADABLE, unread, outcome.unread_remedy or self.unread_remedy
        elif outcome.untested:
            status, seen = Status.UNTESTED, (outcome.untested,)
        else:
            status, seen = Status.PASSED, (outcome.seen,)
        return Finding(
            check=self.id,
            title=self.title,
            status=status,
            expected=outcome.expected,
            seen=seen,
            remedy=remedy,
            command=outcome.command if wrong else "",
            notes=tuple(dict.fromkeys(outcome.notes)),
            lasting=bool(wrong or unread) and not passing and all(each.lasting for each in unreadable),
        )


def check(
    id_: str, title: str, *, remedy: str, unread_remedy: str = ""
) -> Callable[[Callable[[Contract, Evidence], Outcome]], Check[Evidence]]:
    """Make a check of a function."""

    def of(judge: Callable[[Contract, Evidence], Outcome]) -> Check[Evidence]:
        return Check(id=id_, title=title, remedy=remedy, unread_remedy=unread_remedy, judge=judge)

    return of


def listed(items: Iterable[object]) -> str:
    """Write items with commas between; ``none`` for no item."""
    return ", ".join(str(item) for item in items) or "none"
