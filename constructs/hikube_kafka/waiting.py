"""Waiting for a condition: until it holds, its time is over, or the user wants to stop.

tenacity is loaded by the first wait: a start that waits for nothing does not pay for it.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tenacity import RetryCallState

Answer = TypeVar("Answer")


class Stopped(Exception):  # noqa: N818 - the user's wish
    """The user pressed Ctrl-C while something was waited for."""


def never() -> bool:
    """Nobody stops this wait: Ctrl-C reaches it as a KeyboardInterrupt."""
    return False


def until(
    condition: Callable[[], Answer],
    seconds: float | None,
    stopped: Callable[[], bool] = never,
    *,
    every: float = 0.25,
) -> Answer:
    """Ask at once, and again and again, until the answer is true.

    Args:
        condition: What is asked. An exception of it ends the wait.
        seconds: The longest wait; None: it has no end but Ctrl-C.
        stopped: Whether the user wants to stop; asked after each answer that is not true, the last one too, and after
            each pause.
        every: Seconds of pause between two questions.

    Returns:
        The first answer that is true, or, once the time is over, the last one, which is not.

    Raises:
        Stopped: ``stopped`` says so.
    """
    from tenacity import Retrying

    def pause(length: float) -> None:
        _stop(stopped)
        time.sleep(length)
        _stop(stopped)

    return Retrying(sleep=pause, **_manner(seconds, stopped, every))(condition)


async def until_async(
    condition: Callable[[], Awaitable[Answer]],
    seconds: float | None,
    stopped: Callable[[], bool] = never,
    *,
    every: float = 0.25,
) -> Answer:
    """Ask as ``until`` does, in a coroutine.

    Raises:
        Stopped: ``stopped`` says so.
    """
    import asyncio

    from tenacity import AsyncRetrying

    async def pause(length: float) -> None:
        _stop(stopped)
        await asyncio.sleep(length)
        _stop(stopped)

    async def asked() -> Answer:  # tenacity awaits the answers of coroutine functions alone
        return await condition()

    return await AsyncRetrying(sleep=pause, **_manner(seconds, stopped, every))(asked)


def _stop(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise Stopped


def _manner(seconds: float | None, stopped: Callable[[], bool], every: float) -> dict[str, Any]:
    from tenacity import retry_if_not_result, stop_after_delay, stop_never, wait_fixed

    def last_answer(state: "RetryCallState") -> Any:
        _stop(stopped)
        return None if state.outcome is None else state.outcome.result()

    return {
        "stop": stop_never if seconds is None else stop_after_delay(seconds),
        "wait": wait_fixed(every),
        "retry": retry_if_not_result(bool),
        "retry_error_callback": last_answer,
    }
