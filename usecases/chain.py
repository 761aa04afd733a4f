"""What every use case has in common: it is brought up, runs, checks itself, and leaves nothing running."""

import math
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usecases.asking import LIBRARY_ERRORS, named
from usecases.process import PartFailedError, Process, ended_by_themselves, until

if TYPE_CHECKING:
    from usecases.deploy import Deployment

ROOT = Path(__file__).parents[1]
"""The project's folder."""
WORK = ROOT / ".build" / "usecases"
"""Folder of all that the chains write."""
_PICTURES = (".png", ".svg", ".pdf")
_MOST = 1e7
"""More than any machine carries, whatever is counted."""


class UnknownUseCaseError(ValueError):
    """There is no use case of that name, or it has no such option, or not that value; the text says which there are."""


def writable(option: str, file: Path) -> None:
    """Refuse a file that could not be written after a run of minutes.

    Args:
        option: as the user has written it: ``--figures``.
        file: what it names.

    Raises:
        UnknownUseCaseError: its folder is not there, or may not be written to; or it is a folder itself.
    """
    folder = file.parent
    if not folder.is_dir():
        raise UnknownUseCaseError(f"{option} {file}: there is no folder {folder}: create it first")
    if file.is_dir():
        raise UnknownUseCaseError(f"{option} {file}: that is a folder: name a file")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise UnknownUseCaseError(f"{option} {file}: it may not be written: name another file")


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
    deployment: "Deployment"
    """The platform: :meth:`up` makes it."""
    takes: Mapping[str, str] = {}
    """The options that it takes, with what each is for: ``{"duration": "seconds; 600"}``."""

    def __init__(self, folder: Path, *, short: bool = False, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.short = short
        """Whether it is to be the form that tests run: a small platform, tens of seconds."""
        self.options = options or {}
        self.parts: list[Process] = []
        """What was started: whatever of it ends by itself is a failed check."""
        self.failures: list[str] = []
        """What threads of the chain have ended with: see :meth:`thread`."""
        self.live: dict[str, Any] = {}
        """What a person who watches sees at this moment, by name: the chain changes it as it likes."""
        self.tell: Callable[[str], None] = print
        """Takes a line on what happens: ``"broker 1 is killed"``."""

    def watch(self, part: Process, stack: ExitStack) -> Process:
        """Have a part stopped with the chain, and its own end reported; it may run already, or be started later."""
        self.parts.append(part)
        stack.callback(part.stop)
        return part

    def thread(self, doing: str, work: Callable[[], object]) -> threading.Thread:
        """A thread, to be started, whose failure ends the run: :meth:`until` and :meth:`heed` raise it.

        Args:
            doing: what it does, for the text of the failure: ``"writing orders"``.
            work: its work.
        """

        def watched() -> None:
            try:
                work()
            except (PartFailedError, *LIBRARY_ERRORS) as error:
                self.failures.append(f"{doing}: {named(error)}")
            except Exception as error:
                self.failures.append(f"{doing}: {type(error).__name__}: {error}")
                raise  # a mistake of ours: its traceback is printed

        return threading.Thread(target=watched, name=doing, daemon=True)

    def heed_threads(self) -> None:
        """Raise what a thread has failed with.

        Raises:
            PartFailedError: one has.
        """
        if self.failures:
            raise PartFailedError("\n".join(self.failures))

    def heed(self) -> None:
        """Raise what makes it useless to go on: a thread has failed, or a part has ended by itself.

        Raises:
            PartFailedError: that is so.
        """
        if ended := ended_by_themselves(self.parts):
            raise PartFailedError("\n".join([*ended, *self.failures]))
        self.heed_threads()

    def until(self, condition: Callable[[], object], seconds: float, waiting_for: str, every: float = 0.05) -> None:
        """Wait as :func:`~usecases.process.until` does, and no longer than it is of use: see :meth:`heed`.

        Raises:
            PartFailedError: it did not hold in that time, a thread has failed, or a part has ended by itself.
        """

        def holds() -> object:
            self.heed()
            return condition()

        until(holds, seconds, waiting_for, every)

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

    @property
    def tuned(self) -> bool:
        """Whether the parts have the settings of the use case; otherwise, to compare, their own defaults.

        Raises:
            UnknownUseCaseError: the option ``settings`` is neither.
        """
        return self.choice("settings", "tuned", "default") == "tuned"

    def burst(self, usual: int) -> int:
        """How many messages are sent at once, to measure the highest rate; 0: none.

        Raises:
            UnknownUseCaseError: the option ``burst`` is neither ``no`` nor a number above 0.
        """
        return 0 if self.options.get("burst") == "no" else math.ceil(self.number("burst", usual))

    def processes(self) -> Mapping[str, list[int]]:
        """The processes of each part that runs, by its name; each stands for all that it has started."""
        return {part.name: [part.pid] for part in self.parts if part.is_running} | self.deployment.processes()

    @property
    def picture(self) -> Path | None:
        """The file that the plot of the result is written to; asked for before anything is started.

        Raises:
            UnknownUseCaseError: it could not be written, or pictures are not written in its format.
        """
        text = self.options.get("picture")
        if text is None:
            return None
        file = Path(text)
        if file.suffix not in _PICTURES:
            raise UnknownUseCaseError(f"--option picture={text}: name a file that ends in {' or '.join(_PICTURES)}")
        writable("--option picture:", file)
        return file

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
