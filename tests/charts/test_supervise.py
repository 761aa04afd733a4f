"""What ``supervise.sh`` does when a broker has ended: its session with ZooKeeper is closed, and nobody else's."""

import contextlib
import fcntl
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.jars import provide
from hikube_kafka.ensemble.java import environment, java_command
from tests.support.ensemble import free_layout, free_port, suspend
from tests.support.kubernetes import CHARTS
from tests.support.output import next_line
from tests.support.waiting import until

SCRIPT = CHARTS / "kafka/files/supervise.sh"
LINE = "Session establishment complete on server /127.0.0.1:2181, session id = {}, negotiated timeout = {}"
"""As ClientCnxn of ZooKeeper's Java client writes it."""
LONG = 30
"""Seconds of a session that no test waits for the end of."""


class Command(NamedTuple):
    """How the script is called in a folder."""

    sessions: Path

    def __call__(self, mode: str, connect: str, *command: str) -> list[str]:
        return ["bash", str(SCRIPT), mode, str(self.sessions), connect, *command]

    def record(self, *lines: str) -> None:
        self.sessions.write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def supervise(tmp_path: Path) -> Command:
    return Command(tmp_path / "sessions")


@pytest.fixture
def refusing() -> str:
    """A server that lets nobody in."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that lets everybody in, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def done(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def hearing_signals() -> None:
    """Undo what whoever runs the tests ignores, as nohup does: a shell cannot trap what was ignored before it began."""
    for each in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The process, and what it has started, until the context ends."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hearing_signals,  # noqa: PLW1509 - no other thread holds what this needs
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in psutil.Process(process.pid).children(recursive=True):
                    each.kill()
            process.kill()


def pausing(supervisor: subprocess.Popen[str]) -> bool:
    """Whether it is between two tries, and not at its very beginning, where a signal still ends it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return any(child.name() == "sleep" for child in psutil.Process(supervisor.pid).children())
    return False


# A password that no server would take closes nothing: the three were made by java.util.Random itself.
@pytest.mark.parametrize(
    ("session", "password"),
    [
        ("1", "054cc74a37327db215e702e20c73f005"),
        ("10003a8c5f50001", "d4e8c15d5af0e700fc4d8dce67cd4544"),
        ("ffffffffffffffff", "20f62cb5648dc2d771471c8a2486a9ee"),
    ],
)
def test_the_password_of_a_session_is_that_of_the_server(session: str, password: str) -> None:
    function = re.search(r"^password\(\) \{.*?^\}", SCRIPT.read_text(), re.MULTILINE | re.DOTALL)
    assert function is not None
    assert done(["bash", "-c", f"{function[0]}\npassword {session}"]).stdout == password


@pytest.mark.parametrize(("end", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_the_exit_code_is_that_of_the_broker(end: str, code: int, supervise: Command, refusing: str) -> None:
    assert done(supervise("run", refusing, "bash", "-c", end)).returncode == code


def test_a_broker_whose_folder_is_not_there_runs_all_the_same(supervise: Command, refusing: str) -> None:
    assert done(Command(supervise.sessions / "none")("run", refusing, "bash", "-c", "exit 3")).returncode == 3


def test_a_broker_runs_where_there_are_no_locks(supervise: Command, refusing: str, tmp_path: Path) -> None:
    (tmp_path / "flock").write_text("#!/bin/sh\necho no locks here >&2\nexit 1\n")
    (tmp_path / "flock").chmod(0o755)
    ended = done(["env", f"PATH={tmp_path}:{os.environ['PATH']}", *supervise("run", refusing, "bash", "-c", "exit 3")])
    assert (ended.returncode, "no locks here" in ended.stdout) == (3, True)


HEARING = """
import signal, sys, time
answers = ["first", "second"]
def hear(*_):
    print(answers.pop(0), flush=True)
    if not answers:
        sys.exit(5)
signal.signal(getattr(signal, f"SIG{sys.argv[1]}"), hear)
print("begun", flush=True)
while True:
    time.sleep(0.05)
"""
"""In place of a broker: it answers a signal, and ends at the second. A shell may miss one while it waits."""


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM"])
def test_a_signal_reaches_the_broker_and_its_end_is_waited_for(name: str, supervise: Command, refusing: str) -> None:
    broker = [sys.executable, "-c", HEARING, name]
    with running(supervise("run", refusing, *broker)) as supervisor:
        assert next_line(supervisor) == "begun"
        for answer in ("first", "second"):
            # bash may lose a signal that comes while it still carries out the trap of the one before.
            until(lambda: psutil.Process(supervisor.pid).status() == psutil.STATUS_SLEEPING, "it waits for the broker")
            supervisor.send_signal(signal.Signals[f"SIG{name}"])
            assert next_line(supervisor) == answer
        assert supervisor.wait(60) == 5


def test_a_signal_before_the_broker_has_begun_is_the_end(supervise: Command, refusing: str) -> None:
    with supervise.sessions.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with running(supervise("run", refusing, "echo", "begun")) as supervisor:
            until(lambda: pausing(supervisor), "it waits for whoever closes to let go")
            supervisor.terminate()
            assert (supervisor.wait(60), next_line(supervisor)) == (143, "")


def test_while_a_broker_is_suspended_its_supervisor_sleeps(supervise: Command, refusing: str) -> None:
    with running(supervise("run", refusing, "bash", "-c", "echo begun; sleep 60; exit")) as supervisor:
        assert next_line(supervisor) == "begun"
        process = psutil.Process(supervisor.pid)
        (broker,) = process.children()
        suspend(broker)
        asleep = lambda: all(process.status() == psutil.STATUS_SLEEPING for _ in range(50))  # noqa: E731
        until(asleep, "the supervisor sleeps", 10)
        broker.resume()
        supervisor.terminate()
        assert supervisor.wait(60) == 143


@contextlib.contextmanager
def closing(supervise: Command, connect: str) -> Iterator[subprocess.Popen[str]]:
    """A supervisor whose broker was killed, and left a session that lasts for an hour."""
    broker = f"echo '{LINE.format('0x1', 3_600_000)}' >{supervise.sessions}; kill -9 $$"
    with running(supervise("run", connect, "bash", "-c", broker)) as supervisor:
        until(lambda: "after" in psutil.Process(supervisor.pid).cmdline(), "the broker has ended")
        yield supervisor


def test_a_supervisor_that_is_told_to_end_closes_no_more(supervise: Command, refusing: str) -> None:
    with closing(supervise, refusing) as supervisor:
        until(lambda: pausing(supervisor), "it tries")
        supervisor.terminate()
        assert supervisor.wait(60) == 137


def test_a_supervisor_ends_with_the_folder_of_its_broker(supervise: Command, refusing: str) -> None:
    with closing(supervise, refusing) as supervisor:
        supervise.sessions.unlink()
        supervise.sessions.touch()  # of the next server of that folder
        assert supervisor.wait(60) == 137


def test_what_has_not_been_closed_is_not_said_to_be(supervise: Command, refusing: str, silent: str) -> None:
    lines = (LINE.format("0x1", 4000), LINE.format("0xffffffffffffffff", 4000))
    for connect in (refusing, silent, f"{refusing},{silent}", "no-such-host.invalid:2181"):
        supervise.record(*lines)
        assert done(supervise("close", connect)).returncode == 1


def test_a_stop_is_not_delayed_by_servers_that_are_silent(supervise: Command, silent: str) -> None:
    sessions = [LINE.format(f"{session:#x}", 3_600_000) for session in range(1, 5000)]
    (supervise.sessions.parent / "recorded").write_text("\n".join(sessions) + "\n")
    broker = f"cat {supervise.sessions.parent}/recorded >{supervise.sessions}; exit 143"
    ended = subprocess.run(supervise("run", f"{silent}," * 3, "bash", "-c", broker), check=False, timeout=30)
    assert ended.returncode == 143


# --- with a real server


@pytest.fixture(scope="module")
def zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A quorum of one server, whose sessions have sixteen digits: the first byte of each is the server's id."""
    folder = tmp_path_factory.mktemp("zookeeper")
    layout = free_layout()
    (folder / "zoo.cfg").write_text(
        f"tickTime=500\ninitLimit=20\nsyncLimit=10\nmaxSessionTimeout=60000\ndataDir={folder}/data\n"
        "standaloneEnabled=false\nadmin.enableServer=false\n"
        f"server.200=127.0.0.1:{layout.peer_port}:{layout.election_port};127.0.0.1:{layout.zookeeper_port}\n"
    )
    (folder / "data").mkdir()
    (folder / "data/myid").write_text("200\n")
    java = java_command()
    assert java is not None
    classes = f"{provide(None, Conduct())}/*"
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    command = [java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classes, main, str(folder / "zoo.cfg")]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, env=environment(), stdout=log, stderr=log) as server,
    ):
        try:
            yield f"127.0.0.1:{layout.zookeeper_port}"
        finally:
            server.kill()


class Registry:
    """What stands in ZooKeeper."""

    def __init__(self, client: KazooClient, root: str) -> None:
        self.client = client
        self.root = root

    def owner(self, node: str) -> int | None:
        """The session that a node stands with; ``None`` where there is none."""
        stat = self.client.exists(f"{self.root}/{node}")
        return None if stat is None else stat.ephemeralOwner


@pytest.fixture(scope="module")
def client(zookeeper: str) -> Iterator[KazooClient]:
    client = KazooClient(zookeeper)

    def begun() -> bool:
        try:
            client.start(timeout=5)
        except (KazooTimeoutError, KazooException):
            return False
        return True

    until(begun, "ZooKeeper serves")
    yield client
    client.stop()
    client.close()


ROOTS = itertools.count()


@pytest.fixture
def registry(client: KazooClient) -> Registry:
    root = f"/broker-{next(ROOTS)}"
    client.create(root)
    return Registry(client, root)


BROKER = """
import sys, time
from kazoo.client import KazooClient
sessions, servers, seconds, line, root, *nodes = sys.argv[1:]
client = KazooClient(servers, timeout=float(seconds))
client.start()
with open(sessions, "a") as file:
    file.write(line.format(hex(client.client_id[0] % 2**64), int(float(seconds) * 1000)) + "\\n")
for node in nodes:
    client.create(f"{root}/{node}", ephemeral=True)
print(client.client_id[0], flush=True)
time.sleep(600)
"""
"""In place of a broker: it has a session, says so as a broker does, and holds nodes."""


@pytest.fixture
def broker(supervise: Command, zookeeper: str, registry: Registry) -> Callable[..., list[str]]:
    def command(*nodes: str, line: str = LINE, sessions: Path = supervise.sessions) -> list[str]:
        return [sys.executable, "-c", BROKER, str(sessions), zookeeper, str(LONG), line, registry.root, *nodes]

    return command


def killed(supervisor: subprocess.Popen[str]) -> None:
    (process,) = psutil.Process(supervisor.pid).children()
    process.kill()
    assert supervisor.wait(60) == 137


@pytest.mark.ensemble
def test_what_a_killed_broker_held_is_gone_at_once(
    supervise: Command, broker: Callable[..., list[str]], zookeeper: str, registry: Registry
) -> None:
    with running(supervise("run", f" {zookeeper} /chroot", *broker("ids", "controller"))) as supervisor:
        session = int(next_line(supervisor))
        assert {registry.owner("ids"), registry.owner("controller")} == {session}
        killed(supervisor)
        assert {registry.owner("ids"), registry.owner("controller")} == {None}
        assert next_line(supervisor) == f"supervisor: closed session {session % 2**64:#x} at {zookeeper}"


@pytest.mark.ensemble
def test_servers_that_hang_or_refuse_are_no_hindrance(
    supervise: Command, broker: Callable[..., list[str]], zookeeper: str, registry: Registry, silent: str
) -> None:
    connect = f"{silent},127.0.0.1:1, no-such-host.invalid:2181,{zookeeper}"
    with running(supervise("run", connect, *broker("ids"))) as supervisor:
        next_line(supervisor)
        killed(supervisor)
        assert registry.owner("ids") is None


@pytest.mark.ensemble
def test_the_node_of_another_session_at_the_same_path_stays(
    supervise: Command, broker: Callable[..., list[str]], zookeeper: str, registry: Registry
) -> None:
    with running(supervise("run", zookeeper, *broker("ids"))) as supervisor:
        next_line(supervisor)
        registry.client.delete(f"{registry.root}/ids")
        registry.client.create(f"{registry.root}/ids", ephemeral=True)
        killed(supervisor)
        assert next_line(supervisor).startswith("supervisor: closed session")
        assert registry.owner("ids") == registry.client.client_id[0]


@pytest.mark.ensemble
def test_half_a_line_is_no_session(
    supervise: Command, broker: Callable[..., list[str]], zookeeper: str, registry: Registry
) -> None:
    half = LINE.partition(", negotiated")[0]
    with running(supervise("run", zookeeper, *broker("ids", line=half))) as supervisor:
        session = int(next_line(supervisor))
        killed(supervisor)
        assert registry.owner("ids") == session
    # Nor may a whole one beside it be taken for all that there were.
    supervise.record(LINE.format("0x1", 4000), half.format(f"{session % 2**64:#x}"))
    assert done(supervise("close", zookeeper)).returncode == 1
    assert registry.owner("ids") == session


@pytest.mark.ensemble
def test_while_another_process_of_the_volume_lives_nothing_is_closed(
    supervise: Command, broker: Callable[..., list[str]], zookeeper: str, registry: Registry
) -> None:
    with contextlib.ExitStack() as both:
        first = both.enter_context(running(supervise("run", zookeeper, *broker("first"))))
        owner = int(next_line(first))
        second = both.enter_context(running(supervise("run", zookeeper, *broker("second"))))
        assert next_line(second).startswith("supervisor: another process holds")
        next_line(second)
        killed(second)
        assert next_line(second).startswith("supervisor: another process holds")
        assert done(supervise("close", zookeeper)).returncode == 1
        assert registry.owner("first") == owner
        # Nor once the first one's supervisor is gone.
        (process,) = psutil.Process(first.pid).children()
        first.kill()
        first.wait()
        assert done(supervise("close", zookeeper)).returncode == 1
        assert registry.owner("first") == owner
        process.kill()
        until(lambda: done(supervise("close", zookeeper)).returncode == 0, "the last of them has let go")
        assert {registry.owner("first"), registry.owner("second")} == {None}


@pytest.mark.ensemble
def test_a_broker_that_is_started_at_once_lets_the_session_before_be_closed(
    supervise: Command, broker: Callable[..., list[str]], zookeeper: str, registry: Registry
) -> None:
    with running(supervise("run", zookeeper, *broker("ids"))) as first:
        next_line(first)
        suspend(psutil.Process(first.pid))  # as on a machine that is busy
        (process,) = psutil.Process(first.pid).children()
        process.kill()
        with running(supervise("run", zookeeper, *broker("ids"))) as second:
            until(lambda: pausing(second), "it waits")
            first.send_signal(signal.SIGCONT)
            assert next_line(first).startswith("supervisor: closed session")
            session = int(next_line(second))
            assert registry.owner("ids") == session


@pytest.mark.ensemble
def test_a_session_of_the_next_server_of_the_folder_stays(
    supervise: Command, broker: Callable[..., list[str]], zookeeper: str, registry: Registry
) -> None:
    with running(supervise("run", zookeeper, *broker("first"))) as supervisor:
        next_line(supervisor)
        supervise.sessions.rename(supervise.sessions.with_name("removed"))
        with subprocess.Popen(broker("second"), stdout=subprocess.PIPE, text=True) as other:
            owner = int(next_line(other))
            killed(supervisor)
            assert (registry.owner("first"), registry.owner("second")) == (None, owner)
            other.kill()


@pytest.mark.ensemble
def test_a_broker_that_comes_back_closes_what_it_left(
    supervise: Command, broker: Callable[..., list[str]], zookeeper: str, registry: Registry
) -> None:
    assert done(supervise("close", zookeeper)).returncode == 1  # what stands is not known
    # One that loses its connection now and again, and one session that was over long ago.
    with subprocess.Popen(broker("ids"), stdout=subprocess.PIPE, text=True) as process:
        session = f"{int(next_line(process)) % 2**64:#x}"
        process.kill()
    supervise.record(LINE.format("0x1", 4000), *[LINE.format(session, LONG * 1000)] * 5000)
    assert done(supervise("close", zookeeper)).returncode == 0
    assert registry.owner("ids") is None
    assert done(supervise("close", zookeeper)).returncode == 0
