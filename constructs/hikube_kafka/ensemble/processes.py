"""Processes of an ensemble: found by a mark on their command line, started detached, stopped with patience.

The mark is the only record of what runs. A PID file could be lost between the start of a process and its writing, or
name a PID that belongs to another process by now; the command line of a process can do neither.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

import hikube_kafka
from hikube_kafka.ensemble.conduct import POLL_SECONDS, Conduct
from hikube_kafka.ensemble.configuration import CONSOLE_LOG, SESSIONS_FILE, configuration_file
from hikube_kafka.spec.ensemble import ServerProcess
from hikube_kafka.waiting import never, until

_MARK = "-Dhikube.ensemble="
_DIGEST = "-Dhikube.configuration="
_SUPERVISOR = Path(hikube_kafka.__file__).parent / "charts" / "kafka" / "files" / "supervise.sh"
"""The same that brokers have in pods. Its command line has the server's mark as well."""

_SETTLING_SECONDS = 10.0
"""Longest wait for a supervisor that is about to start its server, or has just seen it end: both take moments."""
_STARTING_SECONDS = 0.01
"""Between two looks at whether a supervisor has started its server."""

_MAIN = {
    "zookeeper": "org.apache.zookeeper.server.quorum.QuorumPeerMain",
    "broker": "kafka.Kafka",
    "worker": "org.apache.kafka.connect.cli.ConnectDistributed",
}
# Source: KAFKA_JVM_PERFORMANCE_OPTS of Kafka's own start script, which starts workers too.
_KAFKA_FLAGS = (
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
)
_FLAGS = {
    "zookeeper": (
        # A server that comes back waits this long at most, in milliseconds, before it votes again: without it a
        # restart was seen to take 26-51 s.
        "-Dzookeeper.fastleader.maxNotificationInterval=5000",
        # The admin server would open port 8080; zoo.cfg may still say otherwise.
        "-Dzookeeper.admin.enableServer=false",
        "-Dzookeeper.jmx.log4j.disable=true",
        "-XX:+UseSerialGC",  # heaps of a few hundred megabytes: fewer threads, quicker start
    ),
    "broker": _KAFKA_FLAGS,
    "worker": _KAFKA_FLAGS,
}


@dataclass(frozen=True)
class RunningServer:
    """A living process of an ensemble."""

    name: str
    digest: str
    """Of the configuration that it was started with."""
    process: psutil.Process
    is_supervisor: bool = False
    """Whether it is what is about to start the server, or what has just seen it end."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self.process.pid)

    def is_alive(self) -> bool:
        """Whether this very process still runs; psutil compares its time of creation."""
        try:
            return bool(self.process.is_running()) and self.process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def is_suspended(self) -> bool:
        """Whether somebody has stopped the process with SIGSTOP: it does nothing until it is continued."""
        try:
            return bool(self.process.status() == psutil.STATUS_STOPPED)
        except psutil.NoSuchProcess:
            return False


def running_servers(directory: Path) -> dict[str, RunningServer]:
    """Every server of the ensemble in this directory that runs, by its name."""
    found: dict[str, RunningServer] = {}
    for home, server in _all_servers():
        # A supervisor stands for its server before that has begun, and for a moment after it has ended.
        if home == str(directory) and not (server.is_supervisor and server.name in found):
            found[server.name] = server
    return found


def settled_servers(
    directory: Path, seconds: float = _SETTLING_SECONDS, cancelled: Callable[[], bool] = never
) -> dict[str, RunningServer]:
    """As :func:`running_servers`, once each supervisor has started its server, or has taken notice of its end.

    Args:
        directory: the ensemble's, absolute.
        seconds: longest wait; what has not settled by then is among the answer.
        cancelled: True ends the wait.

    Raises:
        Stopped: the caller wants to stop.
    """
    found: dict[str, RunningServer] = {}

    def settled() -> bool:
        nonlocal found
        found = running_servers(directory)
        return not any(server.is_supervisor for server in found.values())

    until(settled, seconds, cancelled, every=POLL_SECONDS)
    return found


def running_directories() -> list[Path]:
    """Directories of all ensembles of which a server runs, in alphabetical order."""
    return [Path(home) for home in sorted({home for home, _ in _all_servers()})]


def _all_servers() -> Iterator[tuple[str, RunningServer]]:
    """The directory of each, and the process."""
    # Else a process with the number of one that was seen before and has ended would be taken for that one.
    psutil.process_iter.cache_clear()
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or ()  # None: another user's, on systems that hide it
        mark = _mark(command)
        if not mark or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        digest = next((word for word in command if word.startswith(_DIGEST)), _DIGEST).removeprefix(_DIGEST)
        home, _, name = mark.rpartition("/")
        yield home, RunningServer(name, digest, process, _is_supervisor(command))


def _mark(command: Sequence[str]) -> str:
    """``/home/me/data/broker-0``; empty where the command has none."""
    return next((word.removeprefix(_MARK) for word in command if word.startswith(_MARK)), "")


def _is_supervisor(command: Sequence[str]) -> bool:
    """Whether it is one, or the shell that is about to become one."""
    return str(_SUPERVISOR) in command


def described(process: psutil.Process) -> str:
    """``java (pid 17)``; of a server ``java (pid 17, broker-0 of the ensemble in /home/me/data)``."""
    mark = _mark(process.cmdline())
    home, _, name = mark.rpartition("/")
    holder = "Connect cluster" if name.startswith("worker-") else "ensemble"
    return f"{process.name()} (pid {process.pid}{f', {name} of the {holder} in {home}' if mark else ''})"


def command_line(directory: Path, server: ServerProcess, *, java: str, jars: Path, digest: str) -> list[str]:
    """The complete command of one server; to be run in its folder."""
    return [
        java,
        f"{_MARK}{directory}/{server.name}",
        f"{_DIGEST}{digest}",
        f"-Xms{server.heap}",
        f"-Xmx{server.heap}",
        *_FLAGS[server.kind],
        # The second compiler pays off in hours, not in the minutes of a local ensemble: without it a server was seen to
        # take 40 % less processor time until it is ready.
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        "-Dlog4j.configuration=file:log4j.properties",
        "-cp",
        f"{jars}/*",
        _MAIN[server.kind],
        configuration_file(server),
    ]


def supervised(command: Sequence[str], connect: str) -> list[str]:
    """The command of a broker under its supervisor, to be run in the broker's folder.

    Args:
        command: the broker's own.
        connect: its ``zookeeper.connect``.

    Returns:
        The command as it was where this machine lacks what a supervisor needs: bash, and flock of util-linux.
    """
    return _supervisor("run", connect, *command) or list(command)


def _supervisor(mode: str, connect: str, *command: str) -> list[str]:
    """Its command; empty where this machine lacks what it needs."""
    bash = shutil.which("bash")
    if bash is None or shutil.which("flock") is None:
        return []
    return [bash, str(_SUPERVISOR), mode, SESSIONS_FILE, connect, *command]


def close_session(folder: Path, connect: str) -> str:
    """Close the session with ZooKeeper of a broker that has ended together with its supervisor, if it is known.

    Args:
        folder: the broker's.
        connect: its ``zookeeper.connect``.

    Returns:
        What was closed, and where; empty: nothing.
    """
    close = _supervisor("close", connect)
    if not close or not (folder / SESSIONS_FILE).exists():
        return ""
    done = subprocess.run(close, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=folder, check=False)
    return done.stdout.removeprefix("supervisor: ").strip()


def start(folder: Path, command: list[str], environment: Mapping[str, str]) -> psutil.Process | None:
    """Start a server that outlives this process and does not hear the signals of its terminal.

    A shell starts it in the background and ends at once. The server then belongs to init: nothing has to reap it
    here, however long this process lives. The shell's own command line carries the mark too, so that a call that is
    killed here leaves nothing behind that the next one does not find.

    Returns:
        The server, and not its supervisor; ``None`` if it has ended by now. Who starts a server keeps this answer and
        does not look for the mark: in the moment in which the shell's child becomes the server, its command line reads
        as empty.
    """
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >"$0" 2>&1 & echo $!', CONSOLE_LOG, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
        check=True,
    )
    try:
        process = psutil.Process(int(done.stdout))
        return _supervised_by(process) if _is_supervisor(command) else process
    except psutil.NoSuchProcess:
        return None


def _supervised_by(supervisor: psutil.Process) -> psutil.Process:
    """The server, once the supervisor has started it, or has become it: where no file can be locked.

    Raises:
        psutil.NoSuchProcess: the server has ended, or the supervisor has.
    """
    # Its command line is empty in the moment in which it becomes something else, and without the mark after the end of
    # the server.
    while not (command := supervisor.cmdline()) or _mark(command):
        for process in (supervisor, *supervisor.children()):
            with suppress(psutil.NoSuchProcess):
                command = process.cmdline()
                if _mark(command) and not _is_supervisor(command):
                    return process
        time.sleep(_STARTING_SECONDS)
    raise psutil.NoSuchProcess(supervisor.pid)


def stop(servers: list[RunningServer], conduct: Conduct) -> None:
    """Ask the servers to end, all at once; end those that do not within the patience.

    Raises:
        Stopped: the caller wants to stop; the servers have been asked by then.
    """
    for server in servers:
        _send(server, psutil.Process.terminate)
        _send(server, psutil.Process.resume)  # a suspended process would hear of it only once it is continued
    if not conduct.until(lambda: not any(server.is_alive() for server in servers), conduct.patience.stop):
        stubborn = [server for server in servers if server.is_alive()]
        for server in stubborn:
            conduct.progress(f"{server.name} did not stop within {conduct.patience.stop:.0f} s: killed")
        kill(stubborn, conduct)


def kill(servers: list[RunningServer], conduct: Conduct) -> None:
    """End the servers at once: a next start, if there is one, has to recover their logs.

    Raises:
        Stopped: the caller wants to stop; the servers have been killed by then.
    """
    for server in servers:
        _send(server, psutil.Process.kill)
    conduct.until(lambda: not any(server.is_alive() for server in servers), conduct.patience.stop)


def _send(server: RunningServer, signal: object) -> None:
    try:
        signal(server.process)  # type: ignore[operator]
    except psutil.NoSuchProcess:
        return
