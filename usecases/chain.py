"""What every use case has in common: it is brought up, runs, checks itself, and leaves nothing running."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usecases.process import Process

ROOT = Path(__file__).parents[1]
"""The project's folder."""
WORK = ROOT / ".build" / "usecases"
"""Folder of all that the chains write."""
_MOST = 1e7
"""More than any machine carries, whatever is counted."""


class UnknownUseCaseError(ValueError):
    """There is no use case of that name, or it has no such option, or not that value; the text says which there are."""


@dataclass(kw_only=True)
class Outcome:
    """What a run has shown."""

    figures: dict[str, Any] = field(default_factory=dict)
    """Measured values by name, with the unit at the end: ``latency_p99_ms``."""
    checks: list[tuple[str, bool, str]] = field(default_factory=list)
    """What must hold: in words, whether it does, and the numbers that show it."""

    def check(self, what: str, *, holds: bool, seen: str) -> None:
        """Record that something holds, or does not."""
        self.checks.append((what, holds, seen))

    @property
    def failed(self) -> list[str]:
        """What does not hold."""
        return [f"{what}: {seen}" for what, holds, seen in self.checks if not holds]


class Chain(ABC):
    """A use case with its real parts.

    Args:
        folder: where its parts keep configuration, data and logs. It is empty when the chain comes up, and deleted
            after a run that passed.
        short: the form that tests run.
        options: of the chain's own, by name.
    """

    name: str
    """As ``make usecase NAME=`` has it, and as its stack is called in ``main.py``."""
    takes: Mapping[str, str] = {}
    """The options that it takes, with what each is for: ``{"duration": "seconds; 600"}``."""

    def __init__(self, folder: Path, *, short: bool = False, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.short = short
        """Whether it is to be the form that tests run: a small platform, tens of seconds."""
        self.options = options or {}
        self.parts: list[Process] = []
        """What was started: whatever of it ends by itself is a failed check."""
        self.live: dict[str, Any] = {}
        """What a person who watches sees at this moment, by name: the chain changes it as it likes."""
        self.tell: Callable[[str], None] = print
        """Takes a line on what happens: ``"broker 1 is killed"``."""

    def watch(self, part: Process, stack: ExitStack) -> Process:
        """Have a part stopped with the chain, and its own end reported; it may run already, or be started later."""
        self.parts.append(part)
        stack.callback(part.stop)
        return part

    def number(self, key: str, usual: float) -> float:
        """An option that is a number; asked for in :meth:`up`, before anything is started.

        Args:
            key: its name.
            usual: what it is when it is not given.

        Raises:
            UnknownUseCaseError: it is none, or not above 0.
        """
        text = self.options.get(key)
        try:
            value = usual if text is None else float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < _MOST:
            raise UnknownUseCaseError(f"--option {key}={text}: write a number above 0 and below {_MOST:,.0f}")
        return value

    def choice(self, key: str, usual: str, *others: str) -> str:
        """An option that is one of some words; asked for in :meth:`up`, before anything is started.

        Args:
            key: its name.
            usual: the word that holds when it is not given.
            others: the other words.

        Raises:
            UnknownUseCaseError: it is none of them.
        """
        word = self.options.get(key, usual)
        if word not in {usual, *others}:
            raise UnknownUseCaseError(f"--option {key}={word}: write {' or '.join((usual, *others))}")
        return word

    @abstractmethod
    def up(self, stack: ExitStack) -> None:
        """Start the parts and deploy the platform; the stack ends what is put on it, the last first."""

    @abstractmethod
    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
        """Send what the use case is about through the chain, count at the destination, measure.

        Args:
            outcome: takes the figures and the checks.
            short: as the tests run it: tens of seconds. Otherwise minutes, as a person watches it.
            options: of the chain's own: ``duration=600``.
        """
