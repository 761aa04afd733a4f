"""The one way in which tests wait: for a condition, and never for longer than a while."""

import time
from collections.abc import Callable
from typing import TypeVar

Held = TypeVar("Held")


def until(holds: Callable[[], Held], what: object, seconds: float = 60, *, every: float = 0.1) -> Held:
    """Ask until the answer is true, and give that answer.

    Args:
        holds: what is asked.
        what: what was waited for, in the words of the failure; a callable is asked for them then.
        seconds: how long it may take.
        every: seconds between two questions.

    Raises:
        AssertionError: it did not come about in time.
    """
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        if time.monotonic() > deadline:
            told = what() if callable(what) else what
            raise AssertionError(f"not within {seconds:g} s: {told}")
        time.sleep(every)
    return answer
