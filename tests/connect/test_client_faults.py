"""What a network, a proxy or a rebalance does to a client of Connect's workers: against a server on this machine that
answers as told. What workers themselves answer is tested against real ones, in test_client.py.
"""

import json
import socket
import threading
import time

import pytest

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.errors import AlreadyThere, NotThere, Rebalancing, Refused, Unanswered, Unreachable
from hikube_kafka.connect.seen import summary
from hikube_kafka.waiting import Stopped
from tests.support.scripted_worker import fault, worker

REBALANCE = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"


def dead_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_the_first_worker_that_answers_is_asked_and_then_asked_first() -> None:
    dead, attempts = dead_url(), list[str]()
    with worker((200, "{}")) as (url, asked):
        client = ConnectClient([dead, url], on_request=lambda _method, path: attempts.append(path))
        with client:
            assert client.connectors() == {}
            assert client.connectors() == {}
    assert len(asked) == 2
    assert len(attempts) == 3  # the dead one was asked once


def test_no_worker_that_answers_is_unreachable_and_each_is_named() -> None:
    urls = [dead_url(), dead_url()]
    with ConnectClient(urls) as client, pytest.raises(Unreachable) as caught:
        client.connector("orders")
    assert all(url in str(caught.value) for url in urls)
    assert "refused" in str(caught.value)


def test_a_worker_that_takes_the_connection_and_says_nothing_is_unreachable_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with ConnectClient([url], timeout=0.05) as client, pytest.raises(Unreachable, match="no answer in time"):
            client.connectors()


@pytest.mark.timeout(60)
def test_a_worker_that_is_suspended_is_passed_over_before_anything_is_asked_of_it() -> None:
    """An answer may take long: one that begins to wait for it has another worker wait, and Terraform with it."""
    with socket.create_server(("127.0.0.1", 0)) as silent, worker((200, "{}"), (201, "{}")) as (url, asked):
        first = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with ConnectClient([first, url], timeout=0.05, answer=600) as client:
            client._heard[url] = time.monotonic()  # as short a time may be too short for a busy machine
            assert client.connectors() == {}
        with ConnectClient([first, url], timeout=0.05, answer=600) as client:
            client._heard[url] = time.monotonic()
            client.create("orders", {})  # nothing was sent to the first: it cannot be created twice
    assert [method for method, _, _ in asked] == ["GET", "POST"]


def test_a_worker_that_has_just_answered_is_not_asked_whether_it_lives() -> None:
    with worker((200, "{}")) as (url, asked), ConnectClient([url]) as client:
        client.connectors()
        client._timeout = 0.0  # in which nobody can answer whether it lives
        for _ in range(2):
            client.connectors()
        heard = client._heard[url]
        client.root()
        assert client._heard[url] > heard
    assert len(asked) == 3


def test_what_tells_the_urls_is_asked_again_once_none_of_them_answers() -> None:
    with worker((200, "{}")) as (url, _):
        told = [[dead_url()], [url]]
        with ConnectClient(lambda: told.pop(0)) as client:
            with pytest.raises(Unreachable):
                client.connectors()
            assert client.connectors() == {}


def test_a_request_during_a_rebalance_is_asked_again_until_it_is_over() -> None:
    with worker(fault(409, REBALANCE), fault(409, REBALANCE), (200, "{}")) as (url, asked):
        with ConnectClient([url]) as client:
            client.put_config("orders", {"a": "1"})
        assert asked == [("PUT", "/connectors/orders/config", {"a": "1"})] * 3


def test_what_only_the_leader_answers_is_asked_again_too() -> None:
    expected = fault(500, "Request cannot be completed because a rebalance is expected")
    with worker(expected, (200, '{"offsets": []}')) as (url, asked):
        with ConnectClient([url]) as client:
            assert client.offsets("orders") == []
        assert len(asked) == 2


def test_an_offset_that_was_reset_a_moment_ago_is_none() -> None:
    told = '{"offsets": [{"partition": {"a": 1}, "offset": null}, {"partition": {"a": 2}, "offset": {"at": 3}}]}'
    with worker((200, told)) as (url, _), ConnectClient([url]) as client:
        assert client.offsets("orders") == [{"partition": {"a": 2}, "offset": {"at": 3}}]


def test_a_leader_that_is_away_is_waited_for_but_a_creation_is_not_asked_for_twice() -> None:
    away = fault(500, "IO Error trying to forward REST request: Connection refused")
    with worker(away, (200, "{}")) as (url, asked):
        with ConnectClient([url]) as client:
            client.put_config("orders", {})
        assert len(asked) == 2
    with worker(away, (201, "{}")) as (url, asked):
        with ConnectClient([url]) as client, pytest.raises(Unanswered):
            client.create("orders", {})
        assert len(asked) == 1


def test_a_rebalance_that_does_not_end_is_told_and_names_how_long_it_was_waited_for() -> None:
    with (
        worker(fault(409, REBALANCE)) as (url, _),
        ConnectClient([url], patience=0) as client,
        pytest.raises(Rebalancing, match="conflicting operation"),
    ):
        client.put_config("orders", {})


def test_ctrl_c_ends_the_wait_for_a_rebalance() -> None:
    stop = threading.Event()

    def stopping(_method: str, _path: str) -> None:
        stop.set()

    with (
        worker(fault(409, REBALANCE)) as (url, _),
        ConnectClient([url], stopped=stop.is_set, on_request=stopping) as client,
        pytest.raises(Stopped),
    ):
        client.put_config("orders", {})


def test_a_name_that_is_taken_is_no_rebalance() -> None:
    with worker(fault(409, "Connector orders already exists")) as (url, asked):
        with ConnectClient([url]) as client, pytest.raises(AlreadyThere):
            client.create("orders", {})
        assert len(asked) == 1


def test_only_connects_own_word_makes_a_connector_gone() -> None:
    with (
        worker(fault(404, "Connector orders not found")) as (url, _),
        ConnectClient([url]) as client,
        pytest.raises(NotThere),
    ):
        client.connector("orders")


@pytest.mark.parametrize(
    "answer",
    [
        (404, "<html>no such site</html>"),
        (404, '{"detail": "not found"}'),
        (503, "<html>no healthy upstream</html>"),
        (502, ""),
        (401, "<html>log in</html>"),
        (301, ""),
        (200, "<html>welcome</html>"),
        (200, "[]"),
        fault(500, "Request timed out. The worker is currently performing multi-property validation"),
        fault(500, "IO Error trying to forward REST request: Connection refused"),
    ],
)
def test_what_something_else_than_connect_says_makes_nothing_gone(answer: tuple[int, str]) -> None:
    with worker(answer) as (url, _), ConnectClient([url], patience=0) as client, pytest.raises(Unanswered) as caught:
        client.connector("orders")
    assert url in str(caught.value)


def test_a_path_that_an_older_connect_does_not_have_is_no_connector_that_is_gone() -> None:
    with (
        worker(fault(404, "HTTP 404 Not Found")) as (url, _),
        ConnectClient([url]) as client,
        pytest.raises(Refused) as caught,
    ):
        client.stop("orders")
    assert caught.value.status == 404


def test_what_connect_could_not_do_is_told_in_its_own_words() -> None:
    with (
        worker(fault(500, "Failed to find\n any class that implements Connector")) as (url, _),
        ConnectClient([url]) as client,
        pytest.raises(Refused, match=r"\(500\): Failed to find any class that implements Connector"),
    ):
        client.put_config("orders", {})


def test_a_secret_that_connect_repeats_is_not_in_the_error() -> None:
    told = fault(400, "Invalid value hunter2 for configuration database.password: too short")
    with worker(told) as (url, _), ConnectClient([url]) as client, pytest.raises(Refused) as caught:
        client.put_config("orders", {"database.password": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "database.password: too short" in str(caught.value)


def test_a_secret_is_not_in_what_a_validation_says() -> None:
    answer = {
        "configs": [
            {
                "definition": {"name": "pin", "type": "PASSWORD"},
                "value": {"name": "pin", "value": "4711", "errors": ["Invalid value 4711 for configuration pin"]},
            }
        ]
    }
    with worker((200, json.dumps(answer))) as (url, _), ConnectClient([url]) as client:
        (findings,) = client.validate("com.example.Sink", {"pin": "4711"})
    assert findings.password
    assert findings.errors == ("Invalid value [hidden] for configuration pin",)


def test_a_creation_whose_answer_got_lost_is_not_asked_for_twice() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, worker((201, "{}")) as (url, asked):
        first = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with ConnectClient([first, url], answer=0.05) as client:
            client._heard[first] = time.monotonic()  # it was suspended a moment ago
            with pytest.raises(Unreachable):
                client.create("orders", {})
    assert asked == []


def test_a_name_with_signs_that_a_path_has_is_one_part_of_it() -> None:
    with worker((204, "")) as (url, asked), ConnectClient([url]) as client:
        client.delete("a/b ?#é")
    assert asked == [("DELETE", "/connectors/a%2Fb%20%3F%23%C3%A9", None)]


@pytest.mark.parametrize(
    ("trace", "told"),
    [
        (None, "Connect tells no reason"),
        ("", "Connect tells no reason"),
        ("java.lang.Error: no\n\tat a.b.C", "java.lang.Error: no"),
        ("E: no\n\tat x\nCaused by: F: why\n\tat y\nCaused by: G: root\n\t... 3 more", "E: no Caused by: G: root"),
    ],
)
def test_a_trace_is_told_by_its_first_line_and_its_last_cause(trace: str | None, told: str) -> None:
    assert summary(trace) == told


def test_what_connect_leaves_out_is_unassigned_and_of_no_kind() -> None:
    told = {"new": {"info": {"config": {"a": "1"}, "type": "unknown"}}}
    with worker((200, json.dumps(told))) as (url, _), ConnectClient([url]) as client:
        (seen,) = client.connectors().values()
    assert (seen.name, seen.state, seen.kind, seen.tasks) == ("new", "UNASSIGNED", None, ())
