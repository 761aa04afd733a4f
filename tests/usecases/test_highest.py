"""The highest rate of a chain: what is counted, and which part is named."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from usecases import highest
from usecases.chain import Chain, Outcome
from usecases.highest import Load, loaded, measure
from usecases.process import Process, until

OF_TWO = "of 2 processors"


class Two(Chain):
    name = "two"

    def up(self, stack: ExitStack) -> None:
        # What the first one starts works, and ends: its time counts all the same.
        work = "while :; do sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done'; done"
        for name, command in (("works", work), ("rests", "sleep 600")):
            part = Process(name, ["sh", "-c", command], folder=self.folder)
            self.watch(part, stack).start()

    def processes(self) -> Mapping[str, list[int]]:
        return {part.name: [part.pid] for part in self.parts}

    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None: ...


def test_the_time_of_a_part_is_that_of_all_it_has_started(tmp_path: Path) -> None:
    chain = Two(tmp_path)
    with ExitStack() as stack:
        chain.up(stack)
        with loaded(chain) as load:
            works = psutil.Process(chain.parts[0].pid)
            until(lambda: sum(works.cpu_times()[:4]) > 0.3, 60, "some work")
    assert load.seconds["works"] > 0.2
    assert load.seconds["rests"] < 0.05
    assert load.busy >= load.seconds["works"] - 0.1


@pytest.mark.parametrize(
    ("load", "says"),
    [
        (
            Load(seconds={"Kafka": 4.0, "postgresql": 12.0}, busy=19.0, elapsed=10.0, processors=2),
            "postgresql: 1.20 of 2 processors; all of them 95% busy",
        ),
        (  # one thread has a processor of its own, and more would not help
            Load(seconds={"Connect": 9.5}, busy=10.0, elapsed=10.0, processors=4),
            "Connect: 0.95 of 4 processors; all of them 25% busy",
        ),
        (
            Load(seconds={"Connect": 1.0}, busy=1.5, elapsed=10.0, processors=2),
            "not the processors; most of them by Connect: 0.10 of 2 processors; all of them 8% busy",
        ),
        (
            Load(seconds={"sink": 5.0}, busy=20.0, elapsed=10.0, processors=2),
            f"other programs of this machine: 1.50 {OF_TWO}; then sink: 0.50 {OF_TWO}; all of them 100% busy",
        ),
    ],
)
def test_what_limits_is_the_part_that_works_most(load: Load, says: str) -> None:
    assert load.limit() == says


@pytest.mark.parametrize(("lost", "holds"), [(0, True), (3, False)])
def test_the_rate_is_of_what_has_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int, *, holds: bool
) -> None:
    monkeypatch.setattr(highest, "_SILENT_SECONDS", 0.2)
    outcome, seen = Outcome(), iter((0, 40, 80))
    measure(Two(tmp_path), outcome, lambda: 100, lambda: next(seen, 100 - lost), destination="the topic")
    assert outcome.checks == [("all that was sent at once is in the topic", holds, f"{100 - lost} of 100")]
    assert outcome.figures["highest_per_second"] > 0
    assert "processors" in outcome.figures["limited_by"]
