"""The logs of the servers: the end of one, and the lines of it that explain a failure."""

import os
import re
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from hikube_kafka.ensemble.conduct import POLL_SECONDS
from hikube_kafka.ensemble.configuration import CONSOLE_LOG, SERVER_LOG

_SHOWN = 20
_CAUSE = 8
_TROUBLE = re.compile(r"^\[[^\]]*\] (ERROR|FATAL) ")


def logs(directory: str | Path, server: str, *, lines: int = 50, follow: bool = False) -> Iterator[str]:
    """The last lines of a server's log, and with ``follow`` every further one as it is written, without an end.

    Raises:
        FileNotFoundError: this server never ran in this directory.
    """
    path = Path(directory).expanduser() / server / SERVER_LOG
    file = path.open(encoding="utf-8", errors="replace")
    try:
        yield from (line.rstrip("\n") for line in deque(file, lines))
        while follow:
            line = file.readline()
            if line:
                yield line.rstrip("\n")
            elif _was_rolled(path, file.fileno()):
                file.close()
                file = path.open(encoding="utf-8", errors="replace")
            else:
                time.sleep(POLL_SECONDS)
    finally:
        file.close()


def _was_rolled(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino != os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False  # between the two steps of rolling


def log_end(folder: Path) -> int:
    """Size of the server's log now, in bytes: what is written from here on belongs to the next start."""
    try:
        return (folder / SERVER_LOG).stat().st_size
    except FileNotFoundError:
        return 0


def telling_lines(folder: Path, since: int) -> tuple[Path, list[str]]:
    """The log that explains a failed start, and about 20 lines of it.

    The last lines of a broker that failed tell how it shut down; why it did stands further up, at the first error.

    Args:
        folder: the server's folder.
        since: size of the log before the start.
    """
    path = folder / SERVER_LOG
    written = _lines(path, since)
    if not written:  # Java itself refused, before the server could log
        path = folder / CONSOLE_LOG
        written = _lines(path, 0)
    if len(written) <= _SHOWN:
        return path, written
    cause = next((at for at, line in enumerate(written) if _TROUBLE.match(line)), len(written))
    if cause >= len(written) - _SHOWN:
        return path, written[-_SHOWN:]
    return path, [*written[cause : cause + _CAUSE], "...", *written[-(_SHOWN - _CAUSE) :]]


def _lines(path: Path, since: int) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(since if since <= path.stat().st_size else 0)  # smaller now: the log was rolled
            return file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
