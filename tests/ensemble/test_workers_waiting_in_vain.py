"""A wait for Connect workers that comes to nothing is an error that says for what, and leaves behind what it says.

As in test_waiting_in_vain.py, the workers are processes that do nothing, and what they would answer is told beforehand.
Real ones: test_workers.py.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import psutil
import pytest

from hikube_kafka.ensemble import ApplyInterruptedError, CreationStoppedError, Patience, StartFailedError, workers
from hikube_kafka.ensemble.errors import NotBalancedError
from hikube_kafka.ensemble.living_workers import WorkersPicture, worker_id
from hikube_kafka.ensemble.ownership import read_ownership
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.probe.observation import GroupSeen, WorkerShare
from hikube_kafka.spec.ensemble import ConnectDeclaration, ServerProcess
from tests.support.ensemble import is_free, suspend

SHORT = Patience(joined=0.5, balanced=2, answer=0.3)
"""For waits that come to nothing; three looks in a row fit into it, also where the machine is busy."""
IDLE = "import signal; signal.pause()"


class Answers:
    """What the workers and their group answer."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.astray: set[str] = set()
        self.mute: set[str] = set()
        self.due = False
        self.running: Callable[[], Iterable[str]] = tuple
        self.looks = 0

    def __call__(self, directory: Path, running: Callable[[], Iterable[str]]) -> Self:
        self.directory, self.running = directory, running
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def answers(self, name: str) -> bool:
        return name not in self.mute

    def picture(self) -> WorkersPicture:
        self.looks += 1
        running = [name for name in self.running() if name in self.ids]
        members = tuple(f"http://{self.ids[name]}/" for name in running if name not in self.astray)
        share = WorkerShare(connectors=0, tasks=0, delay_ms=int(self.due))
        return WorkersPicture(
            ids={name: self.ids[name] for name in running},
            away=frozenset(),
            answering=frozenset(running) - self.mute,
            group=GroupSeen(state="Stable", members=members, shares=(share,) * len(members)),
            connectors={},
        )


def idle(directory: Path, server: ServerProcess, *, digest: str, **_: object) -> list[str]:
    mark = [f"-Dhikube.ensemble={directory}/{server.name}", f"-Dhikube.configuration={digest}"]
    return [sys.executable, "-c", IDLE, *mark]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    told = Answers()
    monkeypatch.setattr("hikube_kafka.ensemble.preflight.start_problems", lambda _: [])
    monkeypatch.setattr("hikube_kafka.ensemble.jars.provide", lambda *_: Path())
    monkeypatch.setattr(workers, "command_line", idle)
    monkeypatch.setattr(workers, "LivingWorkers", told)
    return told


@pytest.fixture
def declared(tmp_path: Path, answers: Answers) -> Iterator[ConnectDeclaration]:
    """Two workers on ports that nobody listens on."""
    ports = [port for port in range(31700, 31800) if is_free(port)][:2]
    properties = {"bootstrap.servers": "127.0.0.1:9", "group.id": "g", "scheduled.rebalance.max.delay.ms": "0"}
    processes = tuple(
        ServerProcess(
            kind="worker", id=each, heap="1m", properties={**properties, "listeners": f"http://127.0.0.1:{port}"}
        )
        for each, port in enumerate(ports)
    )
    answers.ids = {each.name: worker_id(each.properties) for each in processes}
    try:
        yield ConnectDeclaration(name="test", directory=str(tmp_path / "workers"), workers=processes)
    finally:
        workers.destroy(tmp_path / "workers")


def changed(declaration: ConnectDeclaration) -> ConnectDeclaration:
    return replace(
        declaration,
        workers=tuple(
            replace(each, properties={**each.properties, "offset.flush.interval.ms": "5000"})
            for each in declaration.workers
        ),
    )


def pids(declaration: ConnectDeclaration) -> dict[str, int]:
    return {name: each.pid for name, each in running_servers(Path(declaration.directory)).items()}


@pytest.mark.parametrize("silence", ["mute", "astray"])
def test_one_late_answer_is_no_state(declared: ConnectDeclaration, answers: Answers, silence: str) -> None:
    workers.apply(declared, owner="me", creating=True)
    missed = getattr(answers, silence)
    missed.add("worker-0")
    assert not workers.observe(declared).is_healthy
    look = answers.picture

    def pictured() -> WorkersPicture:
        seen = look()
        missed.clear()
        return seen

    answers.picture = pictured  # type: ignore[method-assign]
    assert workers.observe(declared).is_healthy


def test_a_group_that_does_not_come_to_rest_ends_the_roll_and_what_runs_is_left(
    declared: ConnectDeclaration, answers: Answers
) -> None:
    workers.apply(declared, owner="me", creating=True)
    before = pids(declared)
    assert before.keys() == {"worker-0", "worker-1"}

    def tell(step: str) -> None:
        answers.due |= step.startswith("starting worker-0")

    of_these = re.escape(f"hikube-kafka local stop --ensemble {Path(declared.directory).resolve()}, then apply")
    said = rf"Restarting worker-0: .* a rebalance is due: tasks wait.*have all of them start anew: {of_these}"
    with pytest.raises(NotBalancedError, match=said):
        workers.apply(changed(declared), owner="me", progress=tell, patience=SHORT)
    after = pids(declared)
    assert after["worker-0"] != before["worker-0"]
    assert after["worker-1"] == before["worker-1"], "no worker after it was changed"


def test_of_a_creation_whose_group_does_not_come_to_rest_nothing_is_left_running(
    declared: ConnectDeclaration, answers: Answers
) -> None:
    answers.due = True
    with pytest.raises(CreationStoppedError, match="Stopped again: worker-0, worker-1") as failure:
        workers.apply(declared, owner="me", creating=True, patience=SHORT)
    assert "left running" not in str(failure.value)
    assert pids(declared) == {}
    assert read_ownership(Path(declared.directory)) is None


def test_a_worker_that_does_not_join_is_named_and_stopped_again(declared: ConnectDeclaration, answers: Answers) -> None:
    answers.astray = {"worker-1"}
    alone = replace(declared, workers=declared.workers[:1])
    workers.apply(alone, owner="me", creating=True)
    with pytest.raises(StartFailedError, match=r"has not joined its group") as failure:
        workers.apply(declared, owner="me", patience=SHORT)
    assert (failure.value.server, failure.value.stopped) == ("worker-1", ("worker-1",))
    assert pids(declared).keys() == {"worker-0"}


def test_workers_in_no_group_get_their_new_configuration_without_a_wait_for_them(
    declared: ConnectDeclaration, answers: Answers
) -> None:
    """The new configuration may be what gets them into it."""
    workers.apply(declared, owner="me", creating=True)
    before = pids(declared)
    answers.astray = {"worker-0", "worker-1"}
    told: list[str] = []

    def tell(step: str) -> None:
        told.append(step)
        if step.startswith("starting"):
            answers.astray = set()

    workers.apply(changed(declared), owner="me", progress=tell, patience=Patience(joined=5, answer=0.3))
    assert told == [
        "restarting worker-0, worker-1 with the new configuration: not in the group",
        "starting worker-0, worker-1",
    ]
    assert not set(before.values()) & set(pids(declared).values())


def test_a_worker_that_was_suspended_is_restarted_and_the_other_one_is_left(declared: ConnectDeclaration) -> None:
    workers.apply(declared, owner="me", creating=True)
    before = pids(declared)
    suspend(psutil.Process(before["worker-0"]))
    workers.apply(declared, owner="me")
    after = pids(declared)
    assert after["worker-0"] != before["worker-0"]
    assert after["worker-1"] == before["worker-1"]


def test_an_interrupted_creation_keeps_what_runs_and_the_next_apply_goes_on_with_it(
    declared: ConnectDeclaration, answers: Answers
) -> None:
    answers.due = True
    with pytest.raises(ApplyInterruptedError) as interrupted:
        workers.apply(declared, owner="me", creating=True, cancelled=lambda: answers.looks > 2)
    assert interrupted.value.running == ("worker-0", "worker-1")
    before = pids(declared)
    found = read_ownership(Path(declared.directory))
    assert found is not None
    assert (found.owner, found.standing) == ("me", "held")
    answers.due = False
    workers.apply(declared, owner="me")
    assert pids(declared) == before


def test_the_folder_of_a_worker_that_left_tells_of_it_until_the_group_has_missed_it(
    declared: ConnectDeclaration, answers: Answers
) -> None:
    workers.apply(declared, owner="me", creating=True)
    answers.due = True
    fewer, left = replace(declared, workers=declared.workers[:1]), Path(declared.directory) / "worker-1"
    with pytest.raises(NotBalancedError):
        workers.apply(fewer, owner="me", patience=SHORT)
    assert left.is_dir()
    answers.due = False
    workers.apply(fewer, owner="me")
    assert not left.exists()
    assert pids(declared).keys() == {"worker-0"}
