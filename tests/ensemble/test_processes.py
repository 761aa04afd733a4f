"""A server is known by the mark on its command line, and by nothing else."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hikube_kafka.ensemble.conduct import Conduct, Patience
from hikube_kafka.ensemble.configuration import CONSOLE_LOG, SESSIONS_FILE
from hikube_kafka.ensemble.processes import (
    RunningServer,
    described,
    running_servers,
    settled_servers,
    start,
    stop,
    supervised,
)
from hikube_kafka.waiting import Stopped
from tests.support.ensemble import suspend
from tests.support.waiting import until

PATIENT = Conduct()
OBEDIENT = "import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('ready', 'w'); signal.pause()"


def marked(directory: Path, name: str, program: str = OBEDIENT) -> list[str]:
    return [sys.executable, "-c", program, f"-Dhikube.ensemble={directory}/{name}", "-Dhikube.configuration=abc"]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for server in running_servers(tmp_path).values():
        server.process.kill()


def started(directory: Path) -> RunningServer:
    """The broker that was just started: while a process becomes another one, its command line reads as empty."""
    found = until(lambda: running_servers(directory).get("broker-0"), "the broker is seen", every=0.01)
    assert found is not None
    return found


def test_a_started_process_is_found_by_directory_and_name(directory: Path) -> None:
    start(directory, marked(directory, "broker-0"), {})

    found = started(directory)

    assert running_servers(directory).keys() == {"broker-0"}
    assert found.digest == "abc"
    assert found.is_alive()
    assert running_servers(directory.parent) == {}


def test_whoever_starts_a_server_is_told_which_process_it_is(directory: Path) -> None:
    process = start(directory, marked(directory, "broker-0"), {})

    assert process is not None
    assert process == started(directory).process


def test_what_ended_at_once_has_said_why_in_its_console_log(directory: Path) -> None:
    process = start(directory, ["/no/such/java", f"-Dhikube.ensemble={directory}/broker-0"], {})

    assert PATIENT.until(lambda: process is None or not process.is_running(), 30)
    assert "/no/such/java" in (directory / CONSOLE_LOG).read_text()


def test_it_has_left_our_session_and_hears_no_ctrl_c(directory: Path) -> None:
    start(directory, marked(directory, "broker-0"), {})
    process = started(directory).process

    process.send_signal(signal.SIGINT)

    assert process.pid != process.parent().pid
    assert process.parent().name() != "sh"
    assert started(directory).is_alive()


def test_a_server_is_described_with_its_ensemble(directory: Path) -> None:
    start(directory, marked(directory, "broker-0"), {})
    process = started(directory).process

    assert described(process).endswith(f"(pid {process.pid}, broker-0 of the ensemble in {directory})")
    assert "ensemble" not in described(psutil.Process())


def test_a_process_without_the_mark_is_nobody(directory: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OBEDIENT, str(directory), "broker-0"]) as unmarked:
        try:
            assert running_servers(directory) == {}
        finally:
            unmarked.kill()


def test_a_server_that_ended_is_not_alive(directory: Path) -> None:
    start(directory, marked(directory, "broker-0"), {})
    found = started(directory)

    stop([found], PATIENT)

    assert not found.is_alive()
    assert running_servers(directory) == {}


def test_a_server_that_ignores_the_request_to_stop_is_killed_after_the_patience(directory: Path) -> None:
    start(directory, marked(directory, "broker-0", STUBBORN), {})
    assert PATIENT.until((directory / "ready").exists, 30)
    told: list[str] = []

    stop(
        [started(directory)],
        Conduct(progress=told.append, patience=Patience(stop=0.3)),
    )

    assert running_servers(directory) == {}
    assert told == ["broker-0 did not stop within 0 s: killed"]


def test_a_suspended_server_stops_when_it_is_asked_to(directory: Path) -> None:
    start(directory, marked(directory, "broker-0"), {})
    suspended = started(directory)
    suspend(suspended.process)
    assert suspended.is_suspended()
    told: list[str] = []

    stop([suspended], Conduct(progress=told.append))

    assert not suspended.is_alive()
    assert told == []


def test_a_cancelled_wait_ends_and_leaves_the_server(directory: Path) -> None:
    start(directory, marked(directory, "broker-0", STUBBORN), {})
    assert PATIENT.until((directory / "ready").exists, 30)
    found: RunningServer = started(directory)

    with pytest.raises(Stopped):
        stop([found], Conduct(cancelled=lambda: True))

    assert found.is_alive()


NOBODY = "127.0.0.1:1"
"""Where no ZooKeeper server listens."""


def test_a_server_without_a_lock_is_what_its_supervisor_becomes(directory: Path) -> None:
    (directory / SESSIONS_FILE).mkdir()  # no file that could be locked

    process = start(directory, supervised(marked(directory, "broker-0"), NOBODY), os.environ)

    assert process is not None
    assert process == started(directory).process
    assert "supervise.sh" not in " ".join(process.cmdline())


def test_a_supervised_server_is_the_process_itself_and_goes_with_it(directory: Path) -> None:
    process = start(directory, supervised(marked(directory, "broker-0"), NOBODY), os.environ)

    assert process is not None
    assert process == started(directory).process
    supervisor = process.parent()
    assert "supervise.sh" in " ".join(supervisor.cmdline())
    process.kill()
    assert PATIENT.until(lambda: not supervisor.is_running(), 30)
    assert running_servers(directory) == {}


def test_a_supervisor_stands_for_the_server_that_it_is_about_to_start(directory: Path) -> None:
    # It waits for who holds the file.
    with (directory / SESSIONS_FILE).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command = supervised(marked(directory, "broker-0"), NOBODY)
        with subprocess.Popen(command, cwd=directory) as supervisor:
            try:
                assert started(directory).pid == supervisor.pid
                assert settled_servers(directory, 0.1)["broker-0"].is_supervisor
                fcntl.flock(held, fcntl.LOCK_UN)
                server = settled_servers(directory)["broker-0"]
                assert not server.is_supervisor
                assert server.pid != supervisor.pid
            finally:
                supervisor.kill()


def test_the_shell_that_is_about_to_become_a_supervisor_is_no_server_either(directory: Path) -> None:
    command = ["/bin/sh", "-c", "read line", CONSOLE_LOG, *supervised(marked(directory, "broker-0"), NOBODY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as shell:
        try:
            assert started(directory).pid == shell.pid
            assert started(directory).is_supervisor
        finally:
            shell.kill()


def test_a_supervised_server_that_cannot_be_started_has_said_why(directory: Path) -> None:
    broken = ["/no/such/java", f"-Dhikube.ensemble={directory}/broker-0"]

    assert start(directory, supervised(broken, NOBODY), os.environ) is None
    assert "/no/such/java" in (directory / CONSOLE_LOG).read_text()


def test_a_supervisor_that_has_a_session_to_close_is_not_waited_for(directory: Path) -> None:
    session = "complete, session id = 0x1, negotiated timeout = 20000"
    ends = ["bash", "-c", f"echo '{session}' >{SESSIONS_FILE}; kill -9 $$", f"-Dhikube.ensemble={directory}/broker-0"]

    start(directory, supervised(ends, NOBODY), os.environ)

    def closing() -> list[psutil.Process]:
        here = [each for each in psutil.process_iter(["cwd", "cmdline"]) if each.info["cwd"] == str(directory)]
        return [each for each in here if "after" in each.info["cmdline"]]

    for supervisor in until(closing, "it tries to close the session", 10):
        with contextlib.suppress(psutil.NoSuchProcess):  # a child of its own, which has ended
            supervisor.kill()


def test_a_machine_without_flock_runs_brokers_without_a_supervisor(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(directory))

    assert supervised(["java"], NOBODY) == ["java"]
