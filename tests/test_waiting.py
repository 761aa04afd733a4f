"""A wait ends: with the answer, with its time, with the user's wish, or with what the condition raises."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from hikube_kafka.waiting import Stopped, until, until_async

Until = Callable[..., Any]


def awaited(condition: Callable[[], Any], *arguments: Any, **more: Any) -> Any:
    """``until_async`` in the clothes of ``until``: both are held to the same."""

    async def answer() -> Any:
        return condition()

    asked: Callable[[], Awaitable[Any]] = answer
    return asyncio.run(until_async(asked, *arguments, **more))


@pytest.fixture(params=[until, awaited], ids=["in a thread", "in a coroutine"])
def wait(request: pytest.FixtureRequest) -> Until:
    chosen: Until = request.param
    return chosen


def answers(*given: Any) -> Callable[[], Any]:
    told: Iterator[Any] = iter(given)
    return lambda: next(told)


def test_the_first_answer_that_is_true_is_given(wait: Until) -> None:
    assert wait(answers("", None, 0, "here", "there"), 10, every=0) == "here"


def test_what_holds_at_once_costs_no_pause(wait: Until) -> None:
    assert wait(lambda: True, 0, lambda: True, every=1000)


def test_when_its_time_is_over_the_last_answer_is_given(wait: Until) -> None:
    asked: list[str] = []

    assert wait(lambda: asked.append("again"), 0.5, every=0.01) is None
    assert len(asked) > 2
    assert wait(answers([]), 0) == []


def test_a_wait_without_an_end_goes_on(wait: Until) -> None:
    assert wait(answers(*[""] * 50, "at last"), None, every=0)


def test_the_user_s_wish_ends_it_before_and_after_a_pause(wait: Until) -> None:
    with pytest.raises(Stopped):
        wait(lambda: False, 10, lambda: True, every=1000)
    with pytest.raises(Stopped):
        wait(answers(""), 10, answers("", "stop"), every=0)


@pytest.mark.parametrize("seconds", [0, -1])
def test_the_user_s_wish_is_told_even_where_the_time_is_over_too(wait: Until, seconds: float) -> None:
    with pytest.raises(Stopped):
        wait(lambda: False, seconds, lambda: True)


@pytest.mark.parametrize("seconds", [0, -1])
def test_without_any_time_it_is_asked_once(wait: Until, seconds: float) -> None:
    asked: list[str] = []

    assert wait(lambda: asked.append("once"), seconds) is None
    assert asked == ["once"]


def test_whatever_is_awaitable_is_awaited() -> None:
    async def later(answer: str) -> str:
        return answer

    assert asyncio.run(until_async(lambda: later("here"), 10)) == "here"


def test_what_the_condition_raises_ends_it(wait: Until) -> None:
    def broken() -> bool:
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        wait(broken, 10)


def test_ctrl_c_in_a_condition_ends_it() -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        until(interrupted, None)


@pytest.mark.parametrize("every", [0, 1000])
def test_a_coroutine_that_waits_can_be_cancelled(every: float) -> None:
    async def cancelled() -> None:
        asked = asyncio.Event()

        async def ask() -> None:
            asked.set()
            await asyncio.sleep(0)

        waits = asyncio.create_task(until_async(ask, None, every=every))
        await asked.wait()
        waits.cancel()
        await waits

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


def test_a_module_that_can_wait_loads_nothing_for_it() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys, hikube_kafka.waiting; print('tenacity' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "False\n"
