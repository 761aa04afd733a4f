"""Put a review under the request: into the comment that has its marker, or as a new one."""

import re
import time
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from hikube_kafka.comment.host import LONGEST_PAUSE_SECONDS, AgainError, Comment, NotWrittenError, Thread

_TRIES = 5
_MARKER = re.compile(r"<!-- \S.* -->")
_STAMP = re.compile(r"<!-- run ([0-9]+)\.([0-9]+) -->")


class NoReviewError(Exception):
    """The text has no marker, by which its comment would be found again."""


class Run(NamedTuple):
    """A run of a pipeline: the larger one is the later one."""

    number: int
    attempt: int

    def __str__(self) -> str:
        return f"<!-- run {self.number}.{self.attempt} -->"


class Outcome(Enum):
    """What became of the text."""

    CREATED = "written"
    UPDATED = "updated"
    SUPERSEDED = "left as it is: a later run wrote it"


def put(thread: Thread, text: str, run: Run | None = None, *, sleep: Callable[[float], None] = time.sleep) -> Outcome:
    """Write the text into the comment with its marker, or into a new one.

    Only a comment of the token's own user, whose first line is the marker, is taken for it: whoever quotes the marker,
    or pretends to be it, keeps his comment. If two runs at a time have written two, the later one is removed.

    What failed is begun again from the start, so that an answer that got lost makes no second comment.

    Args:
        thread: The comments.
        text: Markdown, whose first line is the marker: an HTML comment.
        run: Which run this is, so that an earlier one does not replace what a later one wrote. None: not known.
        sleep: How to wait.

    Raises:
        NoReviewError: The text has no marker.
        NotWrittenError: The host refuses it, or did not answer in several tries.
    """
    marker, _, rest = text.partition("\n")
    marker = marker.strip()
    if not _MARKER.fullmatch(marker):
        raise NoReviewError("its first line is no marker. Give it the Markdown that `hikube-kafka review` reports.")
    body = "\n".join([marker, *([str(run)] if run else []), rest])
    for tries in range(1, _TRIES + 1):
        try:
            return _put(thread, marker, body, run)
        except AgainError as problem:
            pause = float(2 ** (tries - 1)) if problem.after is None else problem.after
            if pause > LONGEST_PAUSE_SECONDS:
                raise NotWrittenError(f"{problem} It asks to wait {pause:.0f} s, which is not waited for.") from None
            if tries == _TRIES:
                raise NotWrittenError(f"{problem} It was tried {_TRIES} times.") from None
            sleep(pause)
    raise AssertionError


def _put(thread: Thread, marker: str, body: str, run: Run | None) -> Outcome:
    ours = [each for each in thread.comments() if each.mine and _line(each.body, 0) == marker]
    if not ours:
        thread.create(body)
        return Outcome.CREATED
    if run and any(written > run for each in ours if (written := _run_of(each))):
        return Outcome.SUPERSEDED
    first, *others = ours
    thread.update(first, body)
    for each in others:
        thread.delete(each)
    return Outcome.UPDATED


def _line(text: str, index: int) -> str:
    lines = text.splitlines()
    return lines[index].strip() if index < len(lines) else ""


def _run_of(comment: Comment) -> Run | None:
    stamp = _STAMP.fullmatch(_line(comment.body, 1))
    return Run(int(stamp[1]), int(stamp[2])) if stamp else None
