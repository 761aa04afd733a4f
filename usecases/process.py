"""A program of this machine that a chain starts, watches and ends."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

_LOOK_SECONDS = 0.05
_END_SECONDS = 20.0
_SHOWN_LINES = 20


class PartFailedError(Exception):
    """A part of a chain ended, did not come up, or did not answer; the text has the end of its log."""


def until(condition: Callable[[], object], seconds: float, waiting_for: str) -> None:
    """Wait until the condition holds.

    Args:
        condition: asked again and again; whatever is true ends the wait.
        seconds: the longest wait.
        waiting_for: what the error names: ``"PostgreSQL to accept connections"``.

    Raises:
        PartFailedError: it did not hold in that time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise PartFailedError(f"waited {seconds:g} s in vain for {waiting_for}")
        time.sleep(_LOOK_SECONDS)


class Process:
    """A process with a log file, in a session of its own: whatever it starts ends with it.

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
        self._environment = {**os.environ, **(environment or {})}
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

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

    def start(self, ready: Callable[[], object] | None = None, seconds: float = 60.0) -> Self:
        """Start it, and wait until it is ready.

        Raises:
            PartFailedError: it ended, or was not ready in time.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
                user=self._user,
            )
        if ready is not None:

            def up() -> bool:
                if not self.is_running:
                    raise PartFailedError(f"{self.name} has ended:\n{self.log_end()}")
                return bool(ready())

            try:
                until(up, seconds, f"{self.name} to be ready")
            except PartFailedError as error:
                self.kill()
                raise PartFailedError(f"{error}; its log ends:\n{self.log_end()}") from None
        return self

    def stop(self, seconds: float = _END_SECONDS) -> None:
        """End it in order, or after that time by force."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End it, and all that it has started, at once."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self.pid, number)

    def log_end(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_SHOWN_LINES:])
