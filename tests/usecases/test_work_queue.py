"""The work queue: what decides by itself, and the whole chain with workers that are killed."""

from collections import Counter
from pathlib import Path

import pytest
from work_queue import Task, Topics, Turns, seconds

from usecases.running import run
from usecases.work_queue import WorkQueue


def test_each_priority_has_its_share_and_none_waits_for_long() -> None:
    turns = Turns({"high": 6, "normal": 3, "low": 1})
    order = [turns.next({"high", "normal", "low"}) for _ in range(100)]
    assert Counter(order) == {"high": 60, "normal": 30, "low": 10}
    gaps = [order[at : at + 10].count("low") for at in range(0, 100, 10)]
    assert gaps == [1] * 10


def test_a_priority_without_work_saves_up_no_turns() -> None:
    turns = Turns({"high": 6, "low": 1})
    assert {turns.next({"low"}) for _ in range(50)} == {"low"}
    order = [turns.next({"high", "low"}) for _ in range(70)]
    assert Counter(order) == {"high": 60, "low": 10}


@pytest.mark.parametrize(("delay", "wait"), [("500ms", 0.5), ("10s", 10), ("1m", 60), ("2h", 7200), ("1.5s", 1.5)])
def test_a_delay_is_what_its_topic_is_called(delay: str, wait: float) -> None:
    assert seconds(delay) == wait
    assert Topics(delays=(delay,)).waits[f"tasks.retry.{delay}"] == wait


@pytest.mark.parametrize("delay", ["10", "s", "", "10d", "ten"])
def test_another_delay_is_refused(delay: str) -> None:
    with pytest.raises(ValueError, match="500ms, 10s, 5m or 1h"):
        seconds(delay)


def test_a_queue_without_weight_for_a_priority_is_refused() -> None:
    with pytest.raises(ValueError, match="low"):
        Topics(weights={"high": 5, "low": 0})


def test_a_task_is_written_as_every_language_reads_it() -> None:
    task = Task(id="1", kind="charge", payload={"account": "é"})
    assert task.encode() == b'{"id": "1", "kind": "charge", "payload": {"account": "\\u00e9"}}'


@pytest.mark.ensemble
@pytest.mark.terraform
def test_with_workers_killed_each_effect_happens_once_and_no_task_is_lost(tmp_path: Path) -> None:
    outcome = run(WorkQueue, tmp_path / "work-queue", short=True)
    assert outcome.failed == []
    assert outcome.figures["effects"] > 1_000
    assert outcome.figures["highest_per_second"] > 0
    assert outcome.figures["run_again_effect_was_there"] > 0  # else nobody was killed between effect and commit
