"""Calls that arrive within a moment become one request."""

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from hikube_kafka.provider.gathering import Gathering


def settled(result: str | Exception) -> Future[str]:
    future: Future[str] = Future()
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future


class Requests:
    """Records each request; items that say so are refused."""

    def __init__(self) -> None:
        self.sent: list[set[str]] = []

    def __call__(self, items: Mapping[str, str]) -> Mapping[str, Future[str]]:
        self.sent.append(set(items))
        return {key: settled(KeyError(key) if item == "refuse" else item.upper()) for key, item in items.items()}


def submit_all(gathering: Gathering[str, str], items: list[tuple[str, str]]) -> list[str]:
    """Submit all at once, each from a thread of its own."""
    together = threading.Barrier(len(items))

    def one(key: str, item: str) -> str:
        together.wait()
        try:
            return gathering.submit(key, item)
        except KeyError as error:
            return f"refused {error.args[0]}"

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(lambda each: one(*each), items))


def test_calls_at_the_same_time_become_one_request_and_each_gets_its_own_answer() -> None:
    requests = Requests()
    answers = submit_all(Gathering(requests, window=0.5), [("a", "x"), ("b", "y"), ("c", "z")])
    assert answers == ["X", "Y", "Z"]
    assert requests.sent == [{"a", "b", "c"}]


def test_a_refused_item_is_the_error_of_its_caller_alone() -> None:
    answers = submit_all(Gathering(Requests(), window=0.5), [("a", "x"), ("b", "refuse"), ("c", "z")])
    assert answers == ["X", "refused b", "Z"]


def test_an_item_without_an_answer_keeps_no_caller_waiting() -> None:
    gathering: Gathering[str, str] = Gathering(
        lambda items: {key: settled(key) for key in items if key != "b"}, window=0.5
    )
    assert submit_all(gathering, [("a", "x"), ("b", "y"), ("c", "z")]) == ["a", "refused b", "c"]


def test_the_same_key_twice_goes_in_two_requests() -> None:
    requests = Requests()
    answers = submit_all(Gathering(requests, window=0.5), [("a", "x"), ("a", "y")])
    assert sorted(answers) == ["X", "Y"]
    assert requests.sent == [{"a"}, {"a"}]


def test_calls_one_after_another_are_requests_of_their_own() -> None:
    requests = Requests()
    gathering = Gathering(requests, window=0)
    assert gathering.submit("a", "x") == "X"
    assert gathering.submit("b", "y") == "Y"
    assert requests.sent == [{"a"}, {"b"}]


def test_a_request_that_fails_as_a_whole_fails_for_everybody() -> None:
    def broken(_: Mapping[str, str]) -> Mapping[str, Future[str]]:
        raise ConnectionError

    gathering: Gathering[str, str] = Gathering(broken, window=0)
    with pytest.raises(ConnectionError):
        gathering.submit("a", "x")
