"""Bring the workers of a Connect cluster to what is declared, look at them, stop them.

As for an ensemble, what runs is learned from the processes and their folders, and the same mark says who holds them.
"""

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hikube_kafka.ensemble import jars, plugins, preflight
from hikube_kafka.ensemble.conduct import Conduct, Patience, silent
from hikube_kafka.ensemble.configuration import (
    CONNECT_FILE,
    digest,
    is_written,
    read_connect,
    write_connect,
    write_server,
    written_properties,
)
from hikube_kafka.ensemble.directory import resolved
from hikube_kafka.ensemble.errors import (
    CreationStoppedError,
    NotBalancedError,
    PreflightError,
    StartFailedError,
)
from hikube_kafka.ensemble.java import environment, java_command
from hikube_kafka.ensemble.lifecycle import stop, stop_in_order
from hikube_kafka.ensemble.living_workers import LivingWorkers, WorkersPicture
from hikube_kafka.ensemble.logs import log_end, telling_lines
from hikube_kafka.ensemble.observation import ServerObservation, State, default_directory, seen
from hikube_kafka.ensemble.ownership import Holding, applying, ending, mark
from hikube_kafka.ensemble.processes import RunningServer, command_line, running_servers, start
from hikube_kafka.ensemble.processes import stop as stop_processes
from hikube_kafka.spec.ensemble import ConnectDeclaration, ServerProcess
from hikube_kafka.spec.problem import shortened
from hikube_kafka.waiting import never

__all__ = ["ConnectObservation", "apply", "clusters", "destroy", "observe", "status", "stop"]

_STEADY_LOOKS = 3
"""How many looks in a row must agree: what the workers have written down may be a moment old."""
_TOGETHER = ("group.id", "bootstrap.servers", "config.storage.topic", "offset.storage.topic", "status.storage.topic")
"""Entries in which all workers of a group must agree: those of the old and of the new one cannot run side by side."""
_DELAY = "scheduled.rebalance.max.delay.ms"
_KAFKAS_DELAY_MS = "300000"
_UNTOLD_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class ConnectObservation:
    """The workers of a Connect cluster, as seen now."""

    name: str
    directory: Path
    group: str
    """The workers' ``group.id``."""
    servers: tuple[ServerObservation, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether every declared worker runs as declared and has joined the group, and no other runs."""
        return all(server.state == "running" for server in self.servers)


def apply(
    declaration: ConnectDeclaration,
    *,
    owner: str | None = None,
    creating: bool = False,
    progress: Callable[[str], None] = silent,
    cancelled: Callable[[], bool] = never,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> ConnectObservation:
    """Bring the workers to what is declared: create, heal, grow, shrink, reconfigure; nothing to do is a short look.

    Plugins are fetched before anything is stopped. Workers that do not run are started together; workers whose
    configuration or plugins differ are restarted one at a time. Before each next one, and at the end, all workers have
    joined, no rebalance is under way or due, no task waits for a worker, and each has its share: of the connectors, and
    of the tasks, none runs two more than another.

    Args:
        declaration: what is to run.
        owner: as for :func:`hikube_kafka.ensemble.apply`.
        creating: as for :func:`hikube_kafka.ensemble.apply`.
        progress: told each step, one line.
        cancelled: asked several times a second; True ends the call within a few seconds.
        patience: the longest waits.

    Raises:
        EnsembleExistsError, HeldByAnotherError: the directory is somebody else's; nothing was changed.
        PreflightError: they cannot start as declared; nothing was changed.
        JarsError, PluginError: jars or plugins could not be fetched, or are not what they should be; nothing was
            changed.
        StartFailedError: a worker ended, or did not join the group. What did not get ready is stopped again, and of a
            creation everything.
        NotBalancedError: the workers run, but tasks still wait; the roll ended there.
        CreationStoppedError: in place of the last one, where they were to be created; or a file could not be written.
        DirectoryBusyError: another process changes these workers.
        ApplyInterruptedError: ``cancelled`` said so; what runs keeps running, and is held.
        OSError: a file could not be written.
    """
    directory = resolved(declaration.directory)
    conduct = Conduct(progress=progress, cancelled=cancelled, patience=patience)
    with applying(directory, declaration.name, conduct, owner, creating=creating) as holding:
        _Application(declaration, directory, conduct, holding).run()
    return observe(declaration)


def destroy(
    directory: str | Path,
    *,
    owner: str | None = None,
    progress: Callable[[str], None] = silent,
    cancelled: Callable[[], bool] = never,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> None:
    """Stop every worker and remove their folders: configuration and logs. What they run is kept in Kafka.

    Args:
        directory: the Connect cluster's.
        owner: as for :func:`hikube_kafka.ensemble.destroy`.
        progress: as for :func:`apply`.
        cancelled: as for :func:`apply`.
        patience: as for :func:`apply`.

    Raises:
        HeldByAnotherError, DirectoryBusyError, ApplyInterruptedError: as for :func:`apply`.
    """
    directory = resolved(directory)
    running = running_servers(directory)
    if not directory.is_dir() and not running:
        return
    conduct = Conduct(progress=progress, cancelled=cancelled, patience=patience)
    with ending(directory, conduct, owner):
        stop_in_order({name: each for name, each in running.items() if name.startswith("worker-")}, conduct)
        for folder in directory.glob("worker-*"):
            shutil.rmtree(folder)
        for folder in directory.iterdir():
            if folder.is_dir() and not any(folder.iterdir()):  # such as the one of secrets: not where there are some
                folder.rmdir()
        (directory / CONNECT_FILE).unlink(missing_ok=True)
        mark(directory, None)


def observe(declaration: ConnectDeclaration) -> ConnectObservation:
    """Look at the workers; changes nothing and needs no Java."""
    seen = _look(declaration)
    if any(server.state in ("not answering", "not joined") for server in seen.servers):
        # An answer may have been late, on a machine that is busy.
        seen = _look(declaration)
    return seen


def _look(declaration: ConnectDeclaration) -> ConnectObservation:
    directory = resolved(declaration.directory)
    running = running_servers(directory)
    with LivingWorkers(
        directory, lambda: [name for name, each in running.items() if not each.is_suspended()]
    ) as living:
        picture = living.picture()
    servers = []
    for worker in declaration.workers:
        state: State
        state, detail = "running", ""
        if worker.name not in running:
            state, detail = "stopped", "no process"
        elif running[worker.name].digest != digest(declaration, worker):
            state, detail = "configuration differs", "started with another configuration or other plugins"
        elif not is_written(directory / worker.name, worker):
            state, detail = "configuration differs", "its file was changed on disk"
        elif running[worker.name].is_suspended():
            pid = running[worker.name].pid
            state, detail = "not answering", f"suspended: kill -CONT {pid} continues it"
        elif worker.name not in picture.answering:
            state, detail = "not answering", "its REST interface does not answer"
        elif not picture.has_joined(worker.name):
            state, detail = "not joined", "it is no member of its group"
        servers.append(seen(directory, worker.name, state, detail, running.get(worker.name)))
    undeclared = sorted(running.keys() - {worker.name for worker in declaration.workers})
    servers += [
        seen(directory, name, "not declared", "runs, but is not declared", running[name]) for name in undeclared
    ]
    return ConnectObservation(
        name=declaration.name,
        directory=directory,
        group=declaration.workers[0].properties.get("group.id", ""),
        servers=tuple(servers),
    )


def status(directory: str | Path) -> ConnectObservation | None:
    """Look at the workers in this directory, by what was declared last; None when there are none."""
    declaration = read_connect(resolved(directory))
    return observe(declaration) if declaration else None


def clusters() -> list[Path]:
    """Directories of the Connect clusters under the default root, in alphabetical order."""
    return sorted(path.parent for path in default_directory("x").parent.glob(f"*/{CONNECT_FILE}"))


class _Application:
    """One call of :func:`apply`, while it holds the directory."""

    def __init__(self, declaration: ConnectDeclaration, directory: Path, conduct: Conduct, holding: Holding) -> None:
        self.holding = holding
        self.declaration = declaration
        self.directory = directory
        self.conduct = conduct
        self.running = running_servers(directory)
        self.started: set[str] = set()
        self.ready: set[str] = set()
        self.log_ends: dict[str, int] = {}
        self.java = ""
        self.jars = Path()
        self.plugins: dict[str, Path] = {}

    def run(self) -> None:
        """All steps, in order."""
        workers = self.declaration.workers
        starting = [worker for worker in workers if worker.name not in self.running]
        changing = [worker for worker in workers if self._differs(worker)]
        problems = preflight.worker_problems(
            self.declaration,
            self.directory,
            starting=starting,
            changing=changing,
            own_ports=preflight.held_ports(self.directory, self.running),
        )
        if problems:
            raise PreflightError(self.declaration.name, problems, what="Connect cluster")
        if starting or changing:
            self._provide()
        self.holding.begin()
        write_connect(self.directory, self.declaration)
        try:
            with LivingWorkers(self.directory, lambda: self.running) as living:
                self._run(living)
        except StartFailedError as failure:
            stopped = self._stop_in_vain()
            raise StartFailedError(failure.server, failure.reason, failure.log, failure.lines, stopped) from None
        except (NotBalancedError, OSError) as problem:  # the last: such as a full disk
            if not self.holding.creating:
                raise
            said = problem.waited if isinstance(problem, NotBalancedError) else str(problem)
            raise CreationStoppedError(said, self._stop_in_vain()) from None

    def _run(self, living: LivingWorkers) -> None:
        workers = self.declaration.workers
        declared = {worker.name for worker in workers}
        leaving = [server for name, server in sorted(self.running.items()) if name not in declared]
        if leaving:
            self.conduct.progress(f"stopping {', '.join(server.name for server in leaving)}: no longer declared")
            self._stop(leaving)
        if self.running and any(self._moved(worker) for worker in workers):
            self.conduct.progress("the group, its topics or its brokers change: all workers stop and start again")
            self._stop(list(self.running.values()))
        dead = [worker for worker in workers if not self._runs(worker.name)]
        if dead:
            self._start(dead)
        self._restart_hung(living)
        self._restart_astray(living)
        self._await_joined(workers, living)
        changed = [worker for worker in workers if self._differs(worker)]
        self._await_balanced(workers, living, "Before a restart" if changed else "Starting")
        for worker in changed:
            self.conduct.progress(f"restarting {worker.name} with its new configuration")
            self._stop([self.running[worker.name]])
            self._start([worker])
            self._await_joined([worker], living)
            self._await_balanced(workers, living, f"Restarting {worker.name}")
        for folder in self.directory.glob("worker-*"):  # by now the group has missed those that left
            if folder.name not in declared:
                shutil.rmtree(folder)

    def _differs(self, worker: ServerProcess) -> bool:
        running = self.running.get(worker.name)
        return running is not None and (
            running.digest != digest(self.declaration, worker) or not is_written(self.directory / worker.name, worker)
        )

    def _moved(self, worker: ServerProcess) -> bool:
        written = written_properties(self.directory / worker.name) if worker.name in self.running else {}
        return bool(written) and any(written.get(key) != worker.properties.get(key) for key in _TOGETHER)

    # -- waits -----------------------------------------------------------------------------------------------------

    def _await_joined(self, workers: Iterable[ServerProcess], living: LivingWorkers) -> None:
        """Until each answers and is in the group."""
        workers = tuple(workers)
        missing: list[str] = []

        def joined() -> bool:
            self._fail_on_dead(workers)
            picture = living.picture()
            missing[:] = [worker.name for worker in workers if not picture.has_joined(worker.name)]
            self.ready.update({worker.name for worker in workers} - set(missing))
            return not missing

        if not self.conduct.until(joined, self.conduct.patience.joined):
            raise self._failure(missing[0], f"has not joined its group after {self.conduct.patience.joined:.0f} s")

    def _await_balanced(self, workers: Iterable[ServerProcess], living: LivingWorkers, doing: str) -> None:
        """Until all have joined, no rebalance is under way or due, no task waits, and each worker has its share."""
        workers = tuple(workers)
        agreeing = 0
        missing: list[str] = []
        since: float | None = time.monotonic()  # None: told

        def balanced() -> bool:
            nonlocal agreeing, since
            self._fail_on_dead(workers)
            picture: WorkersPicture = living.picture()
            missing[:] = picture.lacking()
            if missing and since is not None and time.monotonic() - since >= _UNTOLD_SECONDS:
                since = None
                self.conduct.progress(f"waiting for the group: {shortened(missing, most=3)}")
            agreeing = 0 if missing else agreeing + 1
            return agreeing >= _STEADY_LOOKS

        delays = [int(worker.properties.get(_DELAY, _KAFKAS_DELAY_MS)) / 1000 for worker in workers]
        seconds = self.conduct.patience.balanced + max(delays)
        if not self.conduct.until(balanced, seconds):
            raise NotBalancedError(doing, seconds, missing, self.directory)

    def _restart_hung(self, living: LivingWorkers) -> None:
        """Those that ran before this call and say nothing: suspended, or silent for longer than the patience."""
        asked = [each for each in self.declaration.workers if each.name not in self.started and self._runs(each.name)]
        suspended = [worker for worker in asked if self.running[worker.name].is_suspended()]
        mute = [worker for worker in asked if worker not in suspended]

        def all_heard() -> bool:
            mute[:] = [worker for worker in mute if self._runs(worker.name) and not living.answers(worker.name)]
            return not mute

        self.conduct.until(all_heard, self.conduct.patience.answer)
        hung = suspended + mute
        if not hung:
            return
        self._provide()
        self.conduct.progress(f"restarting {', '.join(worker.name for worker in hung)}: no answer")
        patience = replace(self.conduct.patience, stop=self.conduct.patience.stop_hung)
        stop_processes([self.running[each.name] for each in hung], replace(self.conduct, patience=patience))
        for worker in hung:
            del self.running[worker.name]
        self._start(hung)

    def _restart_astray(self, living: LivingWorkers) -> None:
        """Those that are to be restarted anyway and do not get into the group: to wait for them first is in vain."""
        astray = [worker for worker in self.declaration.workers if self._differs(worker)]

        def all_joined() -> bool:
            picture = living.picture() if astray else None
            astray[:] = [
                each for each in astray if picture and self._runs(each.name) and not picture.has_joined(each.name)
            ]
            return not astray

        if self.conduct.until(all_joined, self.conduct.patience.answer):
            return
        names = ", ".join(worker.name for worker in astray)
        self.conduct.progress(f"restarting {names} with the new configuration: not in the group")
        self._stop([self.running[worker.name] for worker in astray])
        self._start(astray)

    # -- processes -------------------------------------------------------------------------------------------------

    def _provide(self) -> None:
        """What a start needs, once."""
        if self.java:
            return
        problems = preflight.start_problems(self.declaration)
        if problems:
            raise PreflightError(self.declaration.name, problems, what="Connect cluster")
        self.java = java_command() or ""
        self.jars = jars.provide(self.declaration.kafka_home, self.conduct)
        self.plugins = plugins.provide(self.declaration.plugins, self.conduct)

    def _start(self, workers: list[ServerProcess]) -> None:
        self.conduct.progress(f"starting {', '.join(worker.name for worker in workers)}")
        for worker in workers:
            folder = self.directory / worker.name
            write_server(folder, worker)
            plugins.link(folder / plugins.FOLDER, self.plugins)
            self.log_ends[worker.name] = log_end(folder)
            configured = digest(self.declaration, worker)
            command = command_line(self.directory, worker, java=self.java, jars=self.jars, digest=configured)
            self.started.add(worker.name)
            process = start(folder, command, environment())
            if process is not None:
                self.running[worker.name] = RunningServer(worker.name, configured, process)

    def _stop(self, servers: list[RunningServer]) -> None:
        stop_processes(servers, self.conduct)
        for server in servers:
            self.ready.discard(server.name)
            del self.running[server.name]

    def _runs(self, name: str) -> bool:
        running = self.running.get(name)
        return running is not None and running.is_alive()

    def _fail_on_dead(self, workers: Iterable[ServerProcess]) -> None:
        for worker in workers:
            if not self._runs(worker.name):
                self.ready.discard(worker.name)
                right_after = " right after its start" if worker.name in self.started else ""
                raise self._failure(worker.name, f"ended{right_after}")

    def _failure(self, name: str, reason: str) -> StartFailedError:
        log, lines = telling_lines(self.directory / name, self.log_ends.get(name, 0))
        return StartFailedError(name, reason, log, lines)

    def _stop_in_vain(self) -> list[str]:
        """Stop what did not get ready; everything if no state knows of these workers yet."""
        in_vain = set(self.running) if self.holding.creating else self.started - self.ready
        chosen = {name: server for name, server in self.running.items() if name in in_vain and self._runs(name)}
        stop_in_order(chosen, self.conduct)
        return sorted(chosen)
