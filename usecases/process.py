"""A program of this machine that a chain starts, watches and ends."""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

_LOOK_SECONDS = 0.05
_END_SECONDS = 20.0
_SHOWN_LINES = 20
_SAME_START_SECONDS = 1.0
"""The kernel tells when a process began in hundredths of a second, and the boot time it counts from is rounded."""


class PartFailedError(Exception):
    """A part of a chain ended, did not come up, or did not answer; the text has the end of its log."""


class PartAwayError(PartFailedError):
    """A part does not answer, or not as it should, and may later; the text names it, the request and what it said."""


def until(condition: Callable[[], object], seconds: float, waiting_for: str, every: float = _LOOK_SECONDS) -> None:
    """Wait until the condition holds.

    Args:
        condition: asked again and again; whatever is true ends the wait. A part that is away means not yet.
        seconds: the longest wait.
        waiting_for: what the error names: ``"PostgreSQL to accept connections"``.
        every: seconds between two questions.

    Raises:
        PartFailedError: it did not hold in that time.
    """
    end = time.monotonic() + seconds
    while True:
        away = ""
        try:
            if condition():
                return
        except PartAwayError as error:
            away = f": {error}"
        if time.monotonic() > end:
            raise PartFailedError(f"waited {seconds:g} s in vain for {waiting_for}{away}")
        time.sleep(every)


class Process:
    """A process with a log file, in a session of its own: whatever it starts there ends with it.

    Args:
        name: of its log, and in messages.
        command: program and arguments.
        folder: existing folder that it runs in and that has its log.
        environment: variables besides those of this process.
        user: user that it runs as; None means this one. Needs root.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self.name = name
        self.command = [str(each) for each in command]
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._record = folder / f"{name}.pid"
        self._environment = {**os.environ, **(environment or {})}
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._ended_by_us = False

    @property
    def pid(self) -> int:
        """Of the process that runs.

        Raises:
            PartFailedError: it was never started.
        """
        if self._process is None:
            raise PartFailedError(f"{self.name} was not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def has_ended_by_itself(self) -> bool:
        """Whether it was started and has ended, and nobody here has stopped or killed it."""
        return self._process is not None and not self.is_running and not self._ended_by_us

    @property
    def exit_code(self) -> int | None:
        """Of the process that has ended; None: it runs, or was never started."""
        return None if self._process is None else self._process.poll()

    def start(self, ready: Callable[[], object] | None = None, seconds: float = 60.0) -> Self:
        """Start it, and wait until it is ready.

        Raises:
            PartFailedError: the program is not there, it ended, or it was not ready in time.
        """
        with self.log.open("ab") as log:
            try:
                started = subprocess.Popen(
                    self.command,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    start_new_session=True,
                    user=self._user,
                    group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                    extra_groups=[] if self._user else None,
                )
            except OSError as error:
                raise PartFailedError(f"{self.name} could not be started: {error}") from None
        self._process, self._ended_by_us = started, False
        with suppress(psutil.NoSuchProcess):  # it has ended already
            self._record.write_text(f"{self.pid} {psutil.Process(self.pid).create_time()}", "utf-8")
        if ready is not None:
            self.wait_until(ready, seconds)
        return self

    def wait_until(self, ready: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait until it is ready: for parts that were started together.

        Raises:
            PartFailedError: it ended, or was not ready in time; it is killed then.
        """

        def up() -> bool:
            if not self.is_running:
                raise PartFailedError(f"{self.name} has ended with code {self._code}")
            return bool(ready())

        try:
            until(up, seconds, f"{self.name} to be ready")
        except PartFailedError as error:
            self.kill()
            raise PartFailedError(f"{error}; its log ends:\n{self.log_end()}") from None

    def wait(self, seconds: float = 60.0) -> None:
        """Wait for a program that ends by itself, and is expected to.

        Raises:
            PartFailedError: it did not end in that time, or with a code that is not 0.
        """
        until(lambda: not self.is_running, seconds, f"{self.name} to end")
        self._ended_by_us = True
        self._record.unlink(missing_ok=True)
        if self._code:
            raise PartFailedError(f"{self.name} has ended with code {self._code}; its log ends:\n{self.log_end()}")

    @property
    def _code(self) -> int | None:
        return self._process.returncode if self._process else None

    def stop(self, seconds: float = _END_SECONDS) -> None:
        """End it in order, or after that time by force."""
        if self._process is None:
            return
        self._ended_by_us |= self.is_running
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End it, and all that it has started, at once."""
        if self._process is None:
            return
        self._ended_by_us |= self.is_running
        descendants: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):  # those of PostgreSQL have sessions of their own, and end a little later
            descendants = psutil.Process(self.pid).children(recursive=True)
        self._signal(signal.SIGKILL)
        self._process.wait()
        for each in descendants:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(descendants, _END_SECONDS)
        self._record.unlink(missing_ok=True)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self.pid, number)

    def log_end(self) -> str:
        """The last lines of its log."""
        return log_end(self.log)


def log_end(log: Path) -> str:
    """The last lines of a log; nothing where there is none."""
    lines = log.read_text("utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_SHOWN_LINES:])


def ended_by_themselves(parts: Iterable[Process]) -> list[str]:
    """Of those that have ended and were not stopped: which, with what code, and the end of the log."""
    return [
        f"{part.name} has ended with code {part._code}; its log ends:\n{part.log_end()}"  # noqa: SLF001 - its own module
        for part in parts
        if part.has_ended_by_itself
    ]


def end_leftovers(folder: Path) -> list[str]:
    """Kill what a run that was itself killed has left behind: the processes recorded below the folder.

    Returns:
        Their names.
    """
    killed = []
    for record in sorted(folder.rglob("*.pid")):
        try:
            pid, began = record.read_text("utf-8").split()
            # A process id is given again: only one that began at that moment is ours.
            is_ours = abs(psutil.Process(int(pid)).create_time() - float(began)) < _SAME_START_SECONDS
        except (ValueError, psutil.NoSuchProcess):  # a program's own file; or it has ended
            continue
        if is_ours:
            with suppress(ProcessLookupError):
                os.killpg(int(pid), signal.SIGKILL)
            killed.append(record.stem)
        record.unlink(missing_ok=True)
    return killed
