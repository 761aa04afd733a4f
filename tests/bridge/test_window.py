"""What is in flight: bounded, and acknowledged in the order in which it came."""

from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from hikube_kafka.bridge.window import Entry, Window


def entered(window: Window, mid: int, size: int = 1) -> Entry:
    entry = window.enter(mid, size, 0)
    assert entry is not None
    return entry


@given(st.permutations(range(1, 8)))
def test_whatever_the_order_of_kafka_s_answers_mqtt_gets_its_own(answers: list[int]) -> None:
    acknowledged: list[int] = []
    window = Window(acknowledged.append, messages=10, bytes_=100)
    entries = {mid: entered(window, mid) for mid in range(1, 8)}
    delivered: set[int] = set()
    for mid in answers:
        window.delivered(entries[mid])
        delivered.add(mid)
        first_missing = next((each for each in range(1, 8) if each not in delivered), 8)
        assert acknowledged == list(range(1, first_missing))


def test_a_message_of_qos_0_is_acknowledged_to_nobody() -> None:
    acknowledged: list[int] = []
    window = Window(acknowledged.append, messages=10, bytes_=100)
    window.delivered(entered(window, 0))
    assert acknowledged == []
    assert window.in_flight == 0


def test_there_is_room_for_so_many_messages_and_so_many_bytes() -> None:
    window = Window(print, messages=2, bytes_=10)
    first = entered(window, 1)
    entered(window, 2)
    assert window.enter(3, 1, 0) is None
    window.delivered(first)
    assert window.enter(3, 10, 0) is None
    assert window.enter(3, 9, 0) is not None


def test_a_message_larger_than_the_window_passes_alone() -> None:
    window = Window(print, messages=2, bytes_=10)
    large = entered(window, 1, 50)
    assert window.enter(2, 1, 0) is None
    window.delivered(large)
    assert window.enter(2, 1, 0) is not None


def test_who_waits_for_room_gets_it_when_kafka_answers_and_none_when_the_window_closes() -> None:
    window = Window(print, messages=1, bytes_=10)
    entry = entered(window, 1)
    got: list[Entry | None] = []
    waits = Thread(target=lambda: got.append(window.enter(2, 1)))
    waits.start()
    window.delivered(entry)
    waits.join(10)
    assert got[0] is not None
    waits = Thread(target=lambda: got.append(window.enter(3, 1)))
    waits.start()
    window.close()
    waits.join(10)
    assert got[1] is None


def test_what_comes_again_on_the_next_connection_is_known_and_acknowledged_there() -> None:
    acknowledged: list[int] = []
    window = Window(acknowledged.append, messages=10, bytes_=100)
    first, second, third = (entered(window, mid) for mid in (1, 2, 3))
    window.delivered(first)
    window.delivered(third)
    window.lost()
    window.delivered(second)
    assert acknowledged == [1], "nothing is acknowledged for a connection that is gone"
    assert not window.resume(1), "what was acknowledged may be another message now"
    assert window.resume(2)
    assert window.resume(3)
    assert acknowledged == [1, 2, 3]
    assert not window.resume(3)


def test_what_comes_again_keeps_its_place_before_what_is_new() -> None:
    acknowledged: list[int] = []
    window = Window(acknowledged.append, messages=10, bytes_=100)
    old = entered(window, 1)
    window.lost()
    window.lost()
    assert window.resume(1)
    window.delivered(entered(window, 2))
    assert acknowledged == []
    window.delivered(old)
    assert acknowledged == [1, 2]


def test_when_the_session_is_gone_identifiers_stand_for_other_messages() -> None:
    window = Window(print, messages=10, bytes_=100)
    entered(window, 1)
    window.lost()
    window.forget()
    assert not window.resume(1)
    assert window.in_flight == 1


def test_a_drain_is_over_when_kafka_has_all() -> None:
    window = Window(print, messages=10, bytes_=100)
    entry = entered(window, 1)
    assert not window.wait_until_empty(0.01)
    window.delivered(entry)
    assert window.wait_until_empty(0.01)


def test_a_drain_is_over_when_nothing_more_can_come() -> None:
    window = Window(print, messages=10, bytes_=100)
    entered(window, 1)
    waited: list[bool] = []
    waits = Thread(target=lambda: waited.append(window.wait_until_empty(3600)), daemon=True)
    waits.start()
    window.give_up()
    waits.join(10)
    assert waited == [False]
