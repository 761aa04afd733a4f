"""A directory of servers: its absolute path, and the lock of whoever changes it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.errors import ApplyInterruptedError, DirectoryBusyError, PreflightError
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.waiting import Stopped

_LOCK_FILE = ".lock"


def resolved(directory: str | Path) -> Path:
    """The absolute path, by which the processes are marked."""
    return Path(directory).expanduser().resolve()


@contextmanager
def changing(directory: Path, name: str, conduct: Conduct) -> Iterator[None]:
    """Hold the directory alone; made if it is not there, and taken away again if it ends up without an ensemble."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PreflightError(name, [f"{directory} cannot be made: {error.strerror}."]) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        problem = f"{directory} is not writable for this user: name another directory, or change its owner."
        raise PreflightError(name, [problem])
    lock: int | None = None
    try:
        lock = _lock(directory, conduct)
        yield
    except Stopped:
        raise ApplyInterruptedError(sorted(running_servers(directory))) from None
    finally:
        if lock is not None:
            if [each.name for each in directory.iterdir()] == [_LOCK_FILE]:
                (directory / _LOCK_FILE).unlink()
                directory.rmdir()
            os.close(lock)


def _lock(directory: Path, conduct: Conduct) -> int:
    """A descriptor that holds the lock; the system lets go of it with the process, however that ends."""
    path = directory / _LOCK_FILE
    held: list[int] = []

    def taken() -> bool:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == path.stat().st_ino:  # else its holder removed the file meanwhile
                held.append(descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        finally:
            if not held:
                os.close(descriptor)
        return bool(held)

    if not conduct.until(taken, conduct.patience.lock):
        raise DirectoryBusyError(directory, path.read_text("ascii"), conduct.patience.lock)
    os.truncate(held[0], 0)
    os.write(held[0], str(os.getpid()).encode())
    return held[0]
