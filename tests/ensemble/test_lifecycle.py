"""The life of a real 3+3: created, healed, grown, rolled; what was acknowledged stays."""

import contextlib
import dataclasses
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka.admin import AdminClient

from hikube_kafka.ensemble import (
    ApplyInterruptedError,
    BrokerHoldsReplicasError,
    EnsembleObservation,
    QuorumChangeError,
    apply,
    destroy,
    observe,
    processes,
    stop,
)
from hikube_kafka.ensemble.configuration import CONSOLE_LOG
from hikube_kafka.ensemble.processes import running_servers, settled_servers
from hikube_kafka.spec.ensemble import EnsembleDeclaration, ServerProcess
from tests.support.ensemble import small_ensemble, suspend
from tests.support.load import Load, new_topic, read_all
from tests.support.output import next_line
from tests.support.waiting import until

pytestmark = [pytest.mark.journey, pytest.mark.ensemble]

PARTITIONS = 6


class Subject:
    """The ensemble under test, and how to declare it otherwise."""

    def __init__(self, directory: Path) -> None:
        first = small_ensemble(directory)
        self._directory = directory
        self.layout = first.layout
        self.bootstrap = first.bootstrap
        self.declaration = first.declaration

    def declared(self, **otherwise: Any) -> EnsembleDeclaration:
        return small_ensemble(self._directory, layout=self.layout, **otherwise).declaration

    def pids(self) -> dict[str, int | None]:
        return {server.name: server.pid for server in observe(self.declaration).servers}


@pytest.fixture(scope="module")
def module_subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    subject = Subject(tmp_path_factory.mktemp("lifecycle") / "ensemble")
    try:
        yield subject
    finally:
        destroy(subject.declaration.directory, keep_data=False)


@pytest.fixture
def subject(module_subject: Subject) -> Subject:
    """As declared, healthy; what a test before this one left is put right."""
    apply(module_subject.declaration)
    return module_subject


@pytest.fixture
def topic(subject: Subject, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"t{abs(hash(request.node.name))}"
    new_topic(subject.bootstrap, name, partitions=PARTITIONS)
    yield name
    apply(subject.declaration)  # a topic cannot be deleted from a broker that does not run
    admin = AdminClient({"bootstrap.servers": subject.bootstrap, "log_level": 0})
    admin.delete_topics([name])[name].result(30)


def states(seen: EnsembleObservation) -> dict[str, str]:
    return {server.name: server.state for server in seen.servers if server.state != "running"}


def kill(subject: Subject, *names: str) -> None:
    running = running_servers(Path(subject.declaration.directory).resolve())
    for name in names:
        running[name].process.kill()
        running[name].process.wait(30)


def test_applying_what_runs_already_restarts_nothing(subject: Subject) -> None:
    before = subject.pids()

    told: list[str] = []
    seen = apply(subject.declaration, progress=told.append)

    assert seen.is_healthy
    assert subject.pids() == before
    assert told == []


def test_killed_servers_are_named_and_healed_and_no_acknowledged_message_is_lost(
    subject: Subject,
    topic: str,
) -> None:
    leader = next(server.name for server in observe(subject.declaration).servers if server.detail == "leader")
    before = subject.pids()
    supervisor = running_servers(Path(subject.declaration.directory).resolve())["broker-1"].process.parent()
    console = Path(subject.declaration.directory) / "broker-1" / CONSOLE_LOG
    with Load(subject.bootstrap, topic, PARTITIONS) as load:
        kill(subject, "broker-1", leader)
        # It has seen its broker end: as soon as there is a quorum again, nothing of it is left.
        until(lambda: not supervisor.is_running(), "the supervisor of broker-1 has ended")
        assert "runs out" not in console.read_text(), "the session was closed"
        assert states(observe(subject.declaration)).items() >= {"broker-1": "stopped", leader: "stopped"}.items()
        assert apply(subject.declaration).is_healthy

    assert load.lost_and_duplicated() == (set(), set())
    after = subject.pids()
    assert {name for name in before if before[name] != after[name]} == {"broker-1", leader}


def test_the_session_of_a_broker_that_was_killed_with_its_supervisor_is_closed_by_the_apply(subject: Subject) -> None:
    broker = running_servers(Path(subject.declaration.directory).resolve())["broker-2"].process
    broker.parent().kill()
    broker.kill()
    broker.wait(30)

    told: list[str] = []
    assert apply(subject.declaration, progress=told.append).is_healthy

    assert any(step.startswith("broker-2: closed session 0x") for step in told), told


def test_suspended_servers_are_seen_as_such_and_healed_and_the_others_are_not_blamed_for_them(subject: Subject) -> None:
    before = subject.pids()
    running = running_servers(Path(subject.declaration.directory).resolve())
    for name in ("zookeeper-1", "broker-1"):
        suspend(running[name].process)
    seen = states(observe(subject.declaration))
    assert seen.items() >= {"zookeeper-1": "not answering", "broker-1": "not answering"}.items()

    assert apply(subject.declaration).is_healthy

    after = subject.pids()
    assert {name for name in before if before[name] != after[name]} == {"zookeeper-1", "broker-1"}


def test_a_changed_configuration_rolls_one_at_a_time_with_the_controller_last_and_loses_nothing(
    subject: Subject,
    topic: str,
) -> None:
    planned = subject.declared(config={"log.cleaner.threads": 2}, zookeeper_config={"maxClientCnxns": 100})
    assert set(states(observe(planned)).values()) == {"configuration differs"}
    roles = {server.detail: server.name for server in observe(subject.declaration).servers}
    told: list[str] = []
    with Load(subject.bootstrap, topic, PARTITIONS) as load:
        seen = apply(planned, progress=told.append)

    assert seen.is_healthy
    restarts = [line.split()[1] for line in told if line.startswith("restarting")]
    assert sorted(restarts) == sorted(server.name for server in planned.servers)
    assert restarts[2] == roles["leader"]
    assert restarts[5] == roles["controller"]
    assert load.lost_and_duplicated() == (set(), set())


def test_a_changed_heap_rolls_only_the_servers_that_it_is_declared_for(subject: Subject) -> None:
    before = subject.pids()
    first, *others = subject.declaration.brokers
    planned = dataclasses.replace(subject.declaration, brokers=(dataclasses.replace(first, heap="320m"), *others))

    assert apply(planned).is_healthy

    after = subject.pids()
    assert {name for name in before if before[name] != after[name]} == {"broker-0"}


def test_a_file_changed_by_hand_is_drift_and_is_put_right(subject: Subject) -> None:
    file = Path(subject.declaration.directory) / "broker-2" / "server.properties"
    file.write_text(file.read_text("latin-1") + "log.retention.hours=1\n", "latin-1")

    assert states(observe(subject.declaration)) == {"broker-2": "configuration differs"}
    assert apply(subject.declaration).is_healthy
    assert "log.retention.hours" not in file.read_text("latin-1")


def test_a_broker_is_stopped_also_while_its_supervisor_has_yet_to_notice(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = running_servers(Path(subject.declaration.directory).resolve())["broker-0"].process
    supervisor = broker.parent()
    suspend(supervisor)
    broker.kill()
    until(lambda: broker.status() == psutil.STATUS_ZOMBIE, "the broker has ended")
    is_supervisor = processes._is_supervisor

    def noticed(command: Sequence[str]) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor.resume()
        return is_supervisor(command)

    monkeypatch.setattr(processes, "_is_supervisor", noticed)
    assert states(observe(subject.declaration)) == {"broker-0": "stopped"}
    assert apply(subject.declaration).is_healthy


def test_after_a_reboot_everything_is_started_again_with_its_data(subject: Subject, topic: str) -> None:
    with Load(subject.bootstrap, topic, PARTITIONS) as load:
        load.wait_for(500)
    cluster = observe(subject.declaration).cluster_id
    kill(subject, *(server.name for server in subject.declaration.servers))
    assert set(states(observe(subject.declaration)).values()) == {"stopped"}

    seen = apply(subject.declaration)

    assert seen.is_healthy
    assert seen.cluster_id == cluster
    assert load.lost_and_duplicated() == (set(), set())


def test_a_broker_is_added_and_leaves_again_while_it_holds_nothing(subject: Subject) -> None:
    before = subject.pids()
    grown = subject.declared(brokers=4, config={"default.replication.factor": 3, "num.partitions": 3})

    seen = apply(_with_settings_of(subject.declaration, grown))
    assert seen.is_healthy
    assert [server.name for server in seen.servers if server.kind == "broker"][-1] == "broker-3"
    assert states(observe(subject.declaration)) == {"broker-3": "not declared"}

    assert apply(subject.declaration).is_healthy
    assert subject.pids() == before


def _with_settings_of(declaration: EnsembleDeclaration, grown: EnsembleDeclaration) -> EnsembleDeclaration:
    """The grown declaration whose first brokers are unchanged."""
    return dataclasses.replace(declaration, brokers=(*declaration.brokers, grown.brokers[-1]))


def test_a_broker_that_holds_replicas_cannot_leave_and_nothing_is_touched(subject: Subject, topic: str) -> None:
    before = subject.pids()
    smaller = dataclasses.replace(subject.declaration, brokers=subject.declaration.brokers[:2])

    with pytest.raises(BrokerHoldsReplicasError, match=r"broker-2 is no longer declared but holds replicas") as refusal:
        apply(smaller)

    assert refusal.value.broker == 2
    assert f"{topic}-0" in refusal.value.partitions
    assert subject.pids() == before
    # The refusal is not forgotten by the next call, even where the broker does not run.
    kill(subject, "broker-2")
    with pytest.raises(BrokerHoldsReplicasError):
        apply(smaller)


def test_another_set_of_zookeeper_servers_is_refused(subject: Subject) -> None:
    before = subject.pids()

    with pytest.raises(QuorumChangeError, match="lose acknowledged writes") as refusal:
        apply(subject.declared(servers=1))

    assert (refusal.value.existing, refusal.value.declared) == ((1, 2, 3), (1,))
    assert subject.pids() == before


def test_other_ports_are_taken_in_with_the_data(subject: Subject, topic: str) -> None:
    with Load(subject.bootstrap, topic, PARTITIONS) as load:
        load.wait_for(100)
    moved = small_ensemble(Path(subject.declaration.directory))

    assert apply(moved.declaration).is_healthy
    values = read_all(moved.bootstrap, topic, PARTITIONS)
    assert set(load.acknowledged) <= set(values)

    assert apply(subject.declaration).is_healthy


@pytest.mark.parametrize("step", ["starting zookeeper", "starting broker"])
def test_an_interrupted_apply_says_what_runs_and_the_next_one_goes_on(subject: Subject, step: str) -> None:
    stop(subject.declaration.directory)
    interrupted = False

    def watch(line: str) -> None:
        nonlocal interrupted
        interrupted = interrupted or line.startswith(step)

    with pytest.raises(ApplyInterruptedError) as interruption:
        apply(subject.declaration, progress=watch, cancelled=lambda: interrupted)

    ran = observe(subject.declaration)
    assert set(interruption.value.running) == {server.name for server in ran.servers if server.pid}
    assert interruption.value.running
    seen = apply(subject.declaration)
    assert seen.is_healthy
    pids = {server.name: server.pid for server in seen.servers}
    assert {server.name: server.pid for server in ran.servers if server.pid}.items() <= pids.items()


def test_an_apply_killed_in_the_middle_orphans_nothing(subject: Subject, tmp_path: Path) -> None:
    stop(subject.declaration.directory)
    script = tmp_path / "apply.py"
    script.write_text(
        textwrap.dedent("""\
            import sys
            from hikube_kafka.ensemble import apply
            from hikube_kafka.ensemble.configuration import read_declaration
            from pathlib import Path

            apply(read_declaration(Path(sys.argv[1])), progress=lambda line: print(line, flush=True))
            """)
    )
    with subprocess.Popen(
        [sys.executable, str(script), subject.declaration.directory], stdout=subprocess.PIPE, text=True
    ) as applying:
        while not next_line(applying).startswith("starting broker"):
            assert applying.poll() is None
        applying.kill()

    survivors = {name: server.pid for name, server in settled_servers(Path(subject.declaration.directory)).items()}
    assert survivors.keys() >= {"zookeeper-1", "zookeeper-2", "zookeeper-3"}

    seen = apply(subject.declaration)

    assert seen.is_healthy
    assert survivors.items() <= {server.name: server.pid for server in seen.servers}.items()


def test_a_second_apply_at_the_same_time_waits_and_then_refuses(subject: Subject) -> None:
    from hikube_kafka.ensemble import DirectoryBusyError, Patience  # noqa: PLC0415 - this test alone needs them

    refusals: list[DirectoryBusyError] = []

    def meanwhile(_: str) -> None:
        if not refusals:
            with pytest.raises(DirectoryBusyError, match=str(os.getpid())) as refusal:
                apply(subject.declaration, patience=Patience(lock=0))
            refusals.append(refusal.value)

    kill(subject, "broker-0")
    assert apply(subject.declaration, progress=meanwhile).is_healthy
    assert refusals


def test_destroying_keeps_the_data_unless_told_otherwise(subject: Subject) -> None:
    cluster = observe(subject.declaration).cluster_id
    directory = Path(subject.declaration.directory)

    destroy(directory)
    assert settled_servers(directory) == {}
    assert observe(subject.declaration).cluster_id == cluster

    assert apply(subject.declaration).cluster_id == cluster

    destroy(directory, keep_data=False)
    assert settled_servers(directory) == {}
    assert not directory.exists()


def test_every_server_of_the_declaration_has_a_process_of_its_own(subject: Subject) -> None:
    servers: tuple[ServerProcess, ...] = subject.declaration.servers
    pids = subject.pids()

    assert len({pids[server.name] for server in servers}) == len(servers)
