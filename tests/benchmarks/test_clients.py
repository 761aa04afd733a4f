"""What the benchmark of clients makes of what it has seen; the seeing itself needs an ensemble and minutes."""

import time

from clients import PARTITIONS, RATE, Pause, Seen, Setup, pause

BEGIN, END = 100.0, 110.0


def seen(*answers: tuple[float, float, int]) -> Seen:
    return Seen(Setup("librdkafka", "defaults", {}), answers=list(answers))


def writing(*, until: float, passing_over: int | None = None) -> Seen:
    made = seen()
    for number in range(5 * RATE):
        for partition in range(PARTITIONS):
            if (partition, number) != (0, passing_over):
                made.answered(partition, number, until, until)
    return made


def test_partitions_that_take_turns_hide_no_pause_of_one_of_them_and_no_slow_message() -> None:
    told = seen((101.0, 0.5, 0), (102.0, 0.5, 1), (103.0, 0.5, 1), (105.0, 3.5, 0), (105.5, 0.5, 1))

    assert pause(told, BEGIN, END) == Pause(everywhere=2.0, worst=4.0, slowest=3.5)


def test_what_is_answered_before_or_after_an_event_is_not_its_own() -> None:
    told = seen((90.0, 9.0, 0), (101.0, 0.5, 0), (102.0, 0.5, 0), (120.0, 18.0, 0))

    assert pause(told, BEGIN, END) == Pause(everywhere=1.0, worst=1.0, slowest=0.5)


def test_a_message_without_an_answer_is_waited_for_though_later_ones_have_theirs() -> None:
    assert writing(until=time.time()).is_steady()
    assert not writing(until=time.time(), passing_over=7).is_steady()


def test_a_producer_that_has_stopped_answering_is_not_steady() -> None:
    assert not writing(until=time.time() - 60).is_steady()
