"""A wait that comes to nothing is an error that says for what, and leaves behind what it says.

The servers are processes that do nothing, and what the ensemble would answer is told beforehand: real servers cannot be
kept from answering at the right moment. Real ones: test_lifecycle.py, test_failed_start.py.
"""

import dataclasses
import errno
import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from hikube_kafka.ensemble import (
    ApplyInterruptedError,
    BrokerHoldsReplicasError,
    CreationStoppedError,
    DirectoryBusyError,
    EnsembleExistsError,
    HeldByAnotherError,
    NotInSyncError,
    Patience,
    PreflightError,
    StaleRegistrationError,
    StartFailedError,
    apply,
    destroy,
    holds_ensemble,
    lifecycle,
    stop,
)
from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.configuration import digest, read_declaration, write_declaration, write_server
from hikube_kafka.ensemble.living import Picture
from hikube_kafka.ensemble.ownership import Holding, Ownership, read_ownership
from hikube_kafka.ensemble.processes import running_servers, settled_servers, start
from hikube_kafka.ensemble.processes import stop as stop_processes
from hikube_kafka.probe.observation import Metadata, Partition
from hikube_kafka.spec.ensemble import EnsembleDeclaration, ServerProcess
from tests.support.ensemble import small_ensemble, suspend
from tests.support.waiting import until

SHORT = Patience(lock=0.3, quorum=0.3, registered=0.3, in_sync=2, stop=20, answer=0.3, stop_hung=20)
IDLE = "import signal; signal.pause()"


def picture(*registered: int, in_sync: tuple[int, ...] = (0, 1)) -> Picture:
    """One partition on two brokers."""
    view = Metadata(
        cluster_id="c",
        controller=0,
        brokers={broker: f"127.0.0.1:{broker}" for broker in registered},
        topics={"orders": {0: Partition(leader=0, replicas=(0, 1), in_sync=in_sync)}},
    )
    return Picture(
        in_zookeeper=frozenset(registered),
        topics=frozenset({"orders"}),
        controller=0,
        views=dict.fromkeys(registered, view),
    )


class Answers:
    """What ZooKeeper and the brokers answer; the last picture is shown again and again."""

    def __init__(self) -> None:
        self.mode: str | None = "standalone"
        self.registered: frozenset[int] | None = frozenset()
        self.pictures: list[Picture | None] = [picture(0, 1)]
        self.replicas: list[str] | None = []

    def __call__(self, *_: object) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def registered_in_zookeeper(self) -> frozenset[int] | None:
        return self.registered

    def replicas_of(self, _: int) -> list[str] | None:
        return self.replicas

    def picture(self) -> Picture | None:
        return self.pictures.pop(0) if len(self.pictures) > 1 else self.pictures[0]


def idle(directory: Path, server: ServerProcess, *, digest: str, **_: object) -> list[str]:
    mark = [f"-Dhikube.ensemble={directory}/{server.name}", f"-Dhikube.configuration={digest}"]
    return [sys.executable, "-c", IDLE, *mark]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    told = Answers()
    monkeypatch.setattr("hikube_kafka.ensemble.preflight.java_problems", list)
    monkeypatch.setattr("hikube_kafka.ensemble.jars.problems", lambda _: [])
    monkeypatch.setattr("hikube_kafka.ensemble.jars.provide", lambda *_: Path())
    monkeypatch.setattr(lifecycle, "command_line", idle)
    monkeypatch.setattr(lifecycle, "zookeeper_mode", lambda _: told.mode)
    monkeypatch.setattr(lifecycle, "LivingEnsemble", told)
    return told


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "ensemble"
    yield directory
    stop(directory)


@pytest.fixture
def declaration(directory: Path) -> EnsembleDeclaration:
    declared: EnsembleDeclaration = small_ensemble(directory, brokers=2, servers=1).declaration
    return declared


def running(declaration: EnsembleDeclaration) -> set[str]:
    return set(settled_servers(Path(declaration.directory)))


def has_begun(declaration: EnsembleDeclaration) -> bool:
    return bool(running_servers(Path(declaration.directory)))


def run_with_another_configuration(declaration: EnsembleDeclaration) -> None:
    directory = Path(declaration.directory)
    for server in declaration.servers:
        folder = directory / server.name
        folder.mkdir(parents=True)
        start(folder, idle(directory, server, digest="another"), {})


def run_as_declared(declaration: EnsembleDeclaration) -> dict[str, int]:
    """Servers of an earlier call; gives their process ids."""
    directory = Path(declaration.directory)
    for server in declaration.servers:
        write_server(directory / server.name, server)
        start(directory / server.name, idle(directory, server, digest=digest(declaration, server)), {})
    # While a process becomes another one, its command line reads as empty.
    until(lambda: running(declaration) == EVERY, "the servers are seen")
    return {name: server.pid for name, server in running_servers(directory).items()}


EVERY = {"zookeeper-1", "broker-0", "broker-1"}


def test_zookeeper_that_never_serves_is_stopped_again(declaration: EnsembleDeclaration, answers: Answers) -> None:
    answers.mode = None
    with pytest.raises(StartFailedError, match="zookeeper-1 does not serve in a quorum") as failure:
        apply(declaration, patience=SHORT)
    assert failure.value.stopped == ("zookeeper-1",)
    assert running(declaration) == set()


def test_zookeeper_that_serves_a_moment_too_late_is_named_too(
    declaration: EnsembleDeclaration, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = iter([None])
    monkeypatch.setattr(lifecycle, "zookeeper_mode", lambda _: next(modes, answers.mode))
    with pytest.raises(StartFailedError, match="zookeeper-1 does not serve in a quorum"):
        apply(declaration, patience=dataclasses.replace(SHORT, quorum=0))


def test_a_broker_that_never_registers_is_stopped_again_with_everything(
    declaration: EnsembleDeclaration, answers: Answers
) -> None:
    answers.pictures = [picture(0)]
    with pytest.raises(StartFailedError, match="broker-1 is not registered") as failure:
        apply(declaration, patience=SHORT)
    assert set(failure.value.stopped) == EVERY
    assert running(declaration) == set()


def test_a_server_that_ends_at_once_is_no_server(
    declaration: EnsembleDeclaration, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(directory: Path, server: ServerProcess, **how: Any) -> list[str]:
        command = idle(directory, server, **how)
        return ["/bin/true", *command] if server.name == "broker-1" else command

    answers.pictures = [None]
    monkeypatch.setattr(lifecycle, "command_line", ending)
    with pytest.raises(StartFailedError, match="broker-1 ended right after its start"):
        apply(declaration, patience=dataclasses.replace(SHORT, registered=20))
    assert running(declaration) == set()


@pytest.mark.parametrize(
    ("seen", "missing"),
    [(picture(0, 1, in_sync=(0,)), "orders-0"), (picture(0), "broker-1"), (None, "the brokers' answer")],
)
def test_a_broker_that_does_not_catch_up_is_left_running(
    declaration: EnsembleDeclaration, answers: Answers, seen: Picture | None, missing: str
) -> None:
    answers.pictures = [picture(0, 1), seen]
    with pytest.raises(NotInSyncError, match="Starting broker-0, broker-1: not in sync") as failure:
        apply(declaration, patience=SHORT)
    assert failure.value.missing == (missing,)
    assert running(declaration) == EVERY


def test_a_standstill_is_told_once_and_the_error_has_the_command_that_ends_it(
    declaration: EnsembleDeclaration, answers: Answers
) -> None:
    answers.pictures = [picture(0, 1), picture(0, 1, in_sync=(0,))]
    told: list[str] = []
    with pytest.raises(NotInSyncError) as failure:
        apply(declaration, progress=told.append, patience=dataclasses.replace(SHORT, standstill=0))
    command = (
        """echo '{"version":1,"partitions":[{"topic":"orders","partition":0,"replicas":[0,1]}]}' | """
        f"hikube-kafka local kafka -e {declaration.directory} reassign-partitions"
        " --reassignment-json-file /dev/stdin --execute"
    )
    assert failure.value.remedy.startswith("If nothing changes any more, the leaders (broker-0) wait in vain for the")
    assert failure.value.remedy.endswith(command)
    assert str(failure.value).endswith(command)
    assert [line for line in told if "no change" in line] == [
        f"Starting broker-0, broker-1: no change in 0 s; not in sync: orders-0. {failure.value.remedy}"
    ]


def test_a_replica_whose_broker_is_away_is_no_standstill_of_the_leader(tmp_path: Path) -> None:
    assert picture(0, in_sync=(0,)).standstill(tmp_path) == ""
    assert picture(0, 1).standstill(tmp_path) == ""


@pytest.mark.parametrize(
    ("seen", "missing"), [(picture(0, 1, in_sync=(0,)), "orders-0"), (None, "the brokers' answer")]
)
def test_a_broker_that_cannot_be_missed_is_not_restarted(
    declaration: EnsembleDeclaration, answers: Answers, seen: Picture | None, missing: str
) -> None:
    run_with_another_configuration(declaration)
    before = running_servers(Path(declaration.directory))
    # Registered, in sync in three looks, the controller looked up: then the restart is thought about.
    answers.pictures = [*[picture(0, 1)] * 5, seen]
    with pytest.raises(NotInSyncError, match="Before a restart of broker-1") as failure:
        apply(declaration, patience=SHORT)
    assert failure.value.missing == (missing,)
    after = running_servers(Path(declaration.directory))
    assert {name: after[name].pid for name in ("broker-0", "broker-1")} == {
        name: before[name].pid for name in ("broker-0", "broker-1")
    }


def test_a_broker_registered_from_elsewhere_is_not_started_a_second_time(
    declaration: EnsembleDeclaration, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_SESSION_GRACE_SECONDS", 0.2)
    answers.registered = frozenset({1})
    short = [
        dataclasses.replace(broker, properties={**broker.properties, "zookeeper.session.timeout.ms": "100"})
        for broker in declaration.brokers
    ]
    with pytest.raises(StaleRegistrationError, match="still shows a registration of broker 1") as failure:
        apply(dataclasses.replace(declaration, brokers=tuple(short)), patience=SHORT)
    assert (failure.value.server, failure.value.broker) == ("broker-1", 1)
    assert running(declaration) == {"zookeeper-1"}


@pytest.mark.parametrize(("replicas", "error"), [(None, NotInSyncError), (["orders-0"], BrokerHoldsReplicasError)])
def test_a_broker_whose_replicas_are_unknown_or_some_stays_declared(
    declaration: EnsembleDeclaration,
    answers: Answers,
    directory: Path,
    replicas: list[str] | None,
    error: type[Exception],
) -> None:
    directory.mkdir()
    write_declaration(directory, declaration)
    answers.replicas = replicas
    with pytest.raises(error, match="broker-1"):
        apply(dataclasses.replace(declaration, brokers=declaration.brokers[:1]), patience=SHORT)
    left = read_declaration(directory)
    assert left is not None
    assert [broker.name for broker in left.brokers] == ["broker-0", "broker-1"]


def test_a_directory_that_another_process_changes_is_left_alone(
    declaration: EnsembleDeclaration, answers: Answers, directory: Path
) -> None:
    assert answers.mode
    directory.mkdir()
    with (directory / ".lock").open("w") as lock:
        lock.write("17")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DirectoryBusyError, match=r"pid 17\) is changing .* within 0.3 s"):
            apply(declaration, patience=SHORT)
        assert running(declaration) == set()


def test_a_directory_of_somebody_else_is_refused(
    declaration: EnsembleDeclaration, answers: Answers, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answers.mode
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda *_: False)  # root may write anywhere
        with pytest.raises(PreflightError, match=f"{directory} is not writable for this user"):
            apply(declaration, patience=SHORT)
    assert list(directory.iterdir()) == []


def test_ctrl_c_in_a_wait_says_what_runs(declaration: EnsembleDeclaration, answers: Answers) -> None:
    answers.mode = None
    with pytest.raises(ApplyInterruptedError) as failure:
        apply(declaration, cancelled=lambda: has_begun(declaration))
    assert failure.value.running == ("zookeeper-1",)
    assert running(declaration) == {"zookeeper-1"}


# ---- servers that hang ----------------------------------------------------------------------------------------------


def restarted(declaration: EnsembleDeclaration, before: dict[str, int]) -> set[str]:
    after = running_servers(Path(declaration.directory))
    return {name for name, pid in before.items() if after[name].pid != pid}


@pytest.mark.usefixtures("answers")
def test_suspended_servers_are_restarted_and_no_others(declaration: EnsembleDeclaration) -> None:
    before = run_as_declared(declaration)
    for name in ("zookeeper-1", "broker-1"):
        suspend(psutil.Process(before[name]))
    told: list[str] = []
    apply(declaration, patience=SHORT, progress=told.append)
    assert restarted(declaration, before) == {"zookeeper-1", "broker-1"}
    assert "restarting broker-1: no answer" in told


@pytest.mark.usefixtures("answers")
def test_a_server_that_listens_and_says_nothing_is_restarted_once_its_time_is_over(
    declaration: EnsembleDeclaration, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run_as_declared(declaration)
    silent = {"broker-0": [True] * 100, "broker-1": [True, False]}

    def is_silent(properties: Mapping[str, str]) -> bool:
        left = silent.get(f"broker-{properties.get('broker.id')}")
        return left.pop(0) if left else False

    monkeypatch.setattr(lifecycle, "is_silent", is_silent)
    apply(declaration, patience=dataclasses.replace(SHORT, answer=2))
    assert restarted(declaration, before) == {"broker-0"}
    assert silent["broker-1"] == [], "it has answered, and was not asked again"


def test_a_server_that_neither_serves_nor_writes_to_its_log_is_restarted_once(
    declaration: EnsembleDeclaration, answers: Answers
) -> None:
    before = run_as_declared(declaration)
    answers.mode = None
    with pytest.raises(StartFailedError, match="zookeeper-1 does not serve in a quorum"):
        apply(declaration, patience=SHORT)
    answers.mode, answers.pictures = "standalone", [picture(0)]
    with pytest.raises(StartFailedError, match="broker-1 is not registered"):
        apply(declaration, patience=SHORT)
    assert before["broker-0"] == running_servers(Path(declaration.directory))["broker-0"].pid
    assert running(declaration) == EVERY - {"broker-1"}, "what was restarted in vain is stopped"


def test_ctrl_c_while_a_silent_server_is_waited_for_ends_the_wait_and_restarts_nothing(
    declaration: EnsembleDeclaration, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answers.mode
    before = run_as_declared(declaration)
    asked: list[object] = []

    def is_silent(properties: object) -> bool:
        asked.append(properties)
        return True

    monkeypatch.setattr(lifecycle, "is_silent", is_silent)
    with pytest.raises(ApplyInterruptedError):
        apply(declaration, cancelled=lambda: bool(asked))
    assert restarted(declaration, before) == set()


# ---- a creation -----------------------------------------------------------------------------------------------------


def owner_of(declaration: EnsembleDeclaration) -> Ownership | None:
    return read_ownership(Path(declaration.directory))


def test_a_creation_that_does_not_catch_up_leaves_nothing_running_that_no_state_knows_of(
    declaration: EnsembleDeclaration, answers: Answers
) -> None:
    answers.pictures = [picture(0, 1), picture(0)]
    with pytest.raises(CreationStoppedError, match="Starting broker-0, broker-1: not in sync") as failure:
        apply(declaration, owner="me", creating=True, patience=SHORT)
    assert set(failure.value.stopped) == EVERY
    assert "left running" not in str(failure.value)
    assert running(declaration) == set()
    assert owner_of(declaration) is None


def test_a_creation_on_a_full_disk_leaves_nothing_running(
    declaration: EnsembleDeclaration, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, server: ServerProcess, *, supervised: bool) -> None:
        if server.name == "broker-1":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        write_server(folder, server, supervised=supervised)

    assert answers.mode
    monkeypatch.setattr(lifecycle, "write_server", full)
    with pytest.raises(CreationStoppedError, match="No space left on device") as failure:
        apply(declaration, owner="me", creating=True, patience=SHORT)
    assert failure.value.stopped == ("broker-0", "zookeeper-1")
    assert running(declaration) == set()
    assert owner_of(declaration) is None


def test_an_interrupted_creation_is_held_by_who_began_it(declaration: EnsembleDeclaration, answers: Answers) -> None:
    answers.mode = None
    with pytest.raises(ApplyInterruptedError):
        apply(declaration, owner="me", creating=True, cancelled=lambda: has_begun(declaration))
    assert owner_of(declaration) == Ownership(owner="me", standing="held")
    answers.mode = "standalone"
    with pytest.raises(EnsembleExistsError):
        apply(declaration, owner="another", creating=True, patience=SHORT)
    with pytest.raises(HeldByAnotherError):
        apply(declaration, owner="another", patience=SHORT)
    with pytest.raises(HeldByAnotherError):
        destroy(declaration.directory, owner="another", keep_data=False)
    assert running(declaration) == {"zookeeper-1"}
    apply(declaration, owner="me", patience=SHORT)
    assert running(declaration) == EVERY


def test_an_interrupted_creation_is_held_by_the_look_that_its_caller_is_told_of(
    declaration: EnsembleDeclaration, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(holding: Holding) -> None:
        keep(holding)
        stop_processes(list(running_servers(Path(declaration.directory)).values()), Conduct(patience=SHORT))

    keep = Holding.keep
    monkeypatch.setattr(Holding, "keep", ended)
    answers.mode = None
    with pytest.raises(ApplyInterruptedError) as failure:
        apply(declaration, owner="me", creating=True, cancelled=lambda: has_begun(declaration))
    assert failure.value.running == ("zookeeper-1",), "else nobody's state has what is held"
    assert owner_of(declaration) == Ownership(owner="me", standing="held")


def test_a_creation_that_was_killed_is_gone_on_with_by_the_next(
    declaration: EnsembleDeclaration, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise RuntimeError

    assert answers.mode
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle._Application, "_brokers", killed)
        with pytest.raises(RuntimeError):
            apply(declaration, owner="me", creating=True, patience=SHORT)
    assert owner_of(declaration) == Ownership(owner="me", standing="being created")
    assert running(declaration) == {"zookeeper-1"}
    apply(declaration, owner="next", creating=True, patience=SHORT)
    assert owner_of(declaration) == Ownership(owner="next", standing="held")
    assert running(declaration) == EVERY


def test_an_empty_folder_holds_no_ensemble(declaration: EnsembleDeclaration, directory: Path) -> None:
    assert not holds_ensemble(directory)
    directory.mkdir()  # the mount point of a disk
    assert not holds_ensemble(directory)
    write_declaration(directory, declaration)
    assert holds_ensemble(directory)


@pytest.mark.usefixtures("answers")
def test_what_was_stopped_is_released_with_its_data_and_what_runs_unmarked_is_not_taken_over(
    declaration: EnsembleDeclaration, directory: Path
) -> None:
    run_as_declared(declaration)
    with pytest.raises(EnsembleExistsError) as failure:
        apply(declaration, owner="me", creating=True, patience=SHORT)
    assert set(failure.value.running) == EVERY
    stop(directory)
    apply(declaration, owner="me", creating=True, patience=SHORT)
    stop(directory)
    assert owner_of(declaration) == Ownership(owner="me", standing="released")
    apply(declaration, owner="another", creating=True, patience=SHORT)
    assert owner_of(declaration) == Ownership(owner="another", standing="held")
    with pytest.raises(HeldByAnotherError):
        stop(directory, owner="me")
    destroy(directory, owner="another", keep_data=False)
    assert not directory.exists()
