"""Bring an ensemble to what is declared, look at it, stop it.

What runs is always learned from the processes and their folders, never remembered: a call that was killed between two
steps leaves nothing that the next call does not find.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from hikube_kafka.ensemble import jars, preflight
from hikube_kafka.ensemble.conduct import Conduct, Patience, silent
from hikube_kafka.ensemble.configuration import (
    DECLARATION_FILE,
    digest,
    is_supervised,
    is_written,
    read_declaration,
    write_declaration,
    write_server,
    written_properties,
)
from hikube_kafka.ensemble.directory import resolved
from hikube_kafka.ensemble.errors import (
    BrokerHoldsReplicasError,
    CreationStoppedError,
    NotInSyncError,
    PreflightError,
    StaleRegistrationError,
    StartFailedError,
)
from hikube_kafka.ensemble.java import environment, java_command, java_problems
from hikube_kafka.ensemble.living import LivingEnsemble, Picture, is_silent, zookeeper_mode
from hikube_kafka.ensemble.logs import log_end, telling_lines
from hikube_kafka.ensemble.observation import EnsembleObservation, broker_addresses, observe
from hikube_kafka.ensemble.ownership import Holding, applying, ending, mark, release
from hikube_kafka.ensemble.processes import (
    RunningServer,
    close_session,
    command_line,
    running_servers,
    settled_servers,
    start,
    supervised,
)
from hikube_kafka.ensemble.processes import kill as kill_processes
from hikube_kafka.ensemble.processes import stop as stop_processes
from hikube_kafka.spec.ensemble import EnsembleDeclaration, ServerProcess
from hikube_kafka.spec.problem import shortened
from hikube_kafka.waiting import never

_STEADY_LOOKS = 3
"""How many looks in a row must agree: metadata may be a moment old."""
_SESSION_GRACE_SECONDS = 30


def apply(
    declaration: EnsembleDeclaration,
    *,
    owner: str | None = None,
    creating: bool = False,
    progress: Callable[[str], None] = silent,
    cancelled: Callable[[], bool] = never,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> EnsembleObservation:
    """Bring the ensemble to what is declared: create, heal, grow, reconfigure; nothing to do is a short look.

    ZooKeeper first, then the brokers. Servers that do not run are started together; servers whose configuration
    differs are restarted one at a time, each back in sync before the next, the leader and the controller last.

    Args:
        declaration: what is to run.
        owner: id of the creation that the caller's state has, or gives; None: nobody asks who holds the ensemble.
        creating: the caller's state has no ensemble here yet. If it fails, nothing runs afterwards.
        progress: told each step, one line.
        cancelled: asked several times a second; True ends the call within about a second.
        patience: the longest waits.

    Raises:
        EnsembleExistsError: it was to be created, and is there already; nothing was changed.
        HeldByAnotherError: somebody else has created one in its directory since; nothing was changed.
        PreflightError: it cannot start as declared; nothing was changed.
        QuorumChangeError: the set of ZooKeeper servers differs from the one that holds the data.
        BrokerHoldsReplicasError: a broker that holds replicas is no longer declared.
        JarsError: the jars could not be fetched.
        StartFailedError: a server ended, or did not come up. If nothing ran before, nothing runs now; else only the
            servers that failed are stopped again, since the others hold replicas.
        NotInSyncError: a server runs but did not catch up; the roll ended there.
        StaleRegistrationError: a broker of the same id is registered from elsewhere.
        CreationStoppedError: in place of the last two, where the ensemble was to be created; or a file could not be
            written.
        DirectoryBusyError: another process changes this ensemble.
        ApplyInterruptedError: ``cancelled`` said so; what runs keeps running, and is held.
        OSError: a file could not be written.
    """
    directory = resolved(declaration.directory)
    conduct = Conduct(progress=progress, cancelled=cancelled, patience=patience)
    with applying(directory, declaration.name, conduct, owner, creating=creating) as holding:
        _Application(declaration, directory, conduct, holding).run()
    return observe(declaration)


def stop(
    directory: str | Path,
    *,
    owner: str | None = None,
    progress: Callable[[str], None] = silent,
    cancelled: Callable[[], bool] = never,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> list[str]:
    """Stop every server of the ensemble, brokers first, and keep its data for whoever creates one there next.

    Args:
        directory: the ensemble's.
        owner: id of the creation that the caller's state has; None: nobody asks who holds the ensemble.
        progress: as for :func:`apply`.
        cancelled: as for :func:`apply`.
        patience: as for :func:`apply`.

    Returns:
        The names of the servers that were stopped.

    Raises:
        HeldByAnotherError, DirectoryBusyError, ApplyInterruptedError: as for :func:`apply`.
    """
    directory = resolved(directory)
    if not _is_there(directory):
        return []
    conduct = Conduct(progress=progress, cancelled=cancelled, patience=patience)
    with ending(directory, conduct, owner):
        running = running_servers(directory)
        stop_in_order(running, conduct)
        release(directory)
        return sorted(running)


def destroy(
    directory: str | Path,
    *,
    owner: str | None = None,
    keep_data: bool = True,
    progress: Callable[[str], None] = silent,
    cancelled: Callable[[], bool] = never,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> None:
    """Stop every server and, unless ``keep_data``, remove their folders.

    Servers whose data goes are killed: asked to end together, brokers would seek others to lead their partitions.

    Args:
        directory: the ensemble's.
        owner: id of the creation that the caller's state has; None: nobody asks who holds the ensemble.
        keep_data: leave the data to whoever creates an ensemble there next.
        progress: as for :func:`apply`.
        cancelled: as for :func:`apply`.
        patience: as for :func:`apply`.

    Raises:
        HeldByAnotherError, DirectoryBusyError, ApplyInterruptedError: as for :func:`apply`.
    """
    directory = resolved(directory)
    if keep_data:
        stop(directory, owner=owner, progress=progress, cancelled=cancelled, patience=patience)
        return
    if not _is_there(directory):
        return
    conduct = Conduct(progress=progress, cancelled=cancelled, patience=patience)
    with ending(directory, conduct, owner):
        running = running_servers(directory)
        if running:
            progress(f"ending {', '.join(sorted(running))}")
            kill_processes(list(running.values()), conduct)
        for kind in ("broker", "zookeeper"):
            for folder in directory.glob(f"{kind}-*"):
                shutil.rmtree(folder)
        (directory / DECLARATION_FILE).unlink(missing_ok=True)
        mark(directory, None)
        progress(f"removed the data in {directory}")


def _is_there(directory: Path) -> bool:
    """Whether there is something to end: servers may outlive their folders."""
    return directory.is_dir() or bool(running_servers(directory))


def holds_ensemble(directory: Path) -> bool:
    """Whether an ensemble was started here and is left: the mount point of a disk that is away is an empty folder."""
    return (directory / DECLARATION_FILE).exists() or bool(running_servers(directory))


def stop_in_order(servers: Mapping[str, RunningServer], conduct: Conduct) -> None:
    """Workers and then brokers first: without what they use they could not end in order."""
    for kind, label in (("worker", "workers"), ("broker", "brokers"), ("zookeeper", "ZooKeeper servers")):
        chosen = [server for name, server in sorted(servers.items()) if name.startswith(f"{kind}-")]
        if chosen:
            conduct.progress(f"stopping the {label}: {', '.join(server.name for server in chosen)}")
            stop_processes(chosen, conduct)


class _Application:
    """One call of :func:`apply`, while it holds the directory."""

    def __init__(self, declaration: EnsembleDeclaration, directory: Path, conduct: Conduct, holding: Holding) -> None:
        self.holding = holding
        self.declaration = declaration
        self.directory = directory
        self.conduct = conduct
        self.running = settled_servers(directory, conduct.patience.stop, conduct.cancelled)
        self.was_down = not self.running
        self.started: list[str] = []
        self.ready: set[str] = set()
        self.log_ends: dict[str, int] = {}
        self.java = ""
        self.jars = Path()

    def run(self) -> None:
        """All steps, in order."""
        changing = [server for server in self.declaration.servers if self._differs(server)]
        starting = [server for server in self.declaration.servers if server.name not in self.running]
        preflight.refuse_quorum_change(self.declaration, self.directory)
        problems = preflight.problems(
            self.declaration,
            self.directory,
            starting=starting,
            changing=changing,
            own_ports=preflight.held_ports(self.directory, self.running),
        )
        if problems:
            raise PreflightError(self.declaration.name, problems)
        if starting or changing:
            self._provide()
        self.holding.begin()
        removed = self._removed()
        if not removed:
            write_declaration(self.directory, self.declaration)
        try:
            self._zookeeper()
            if self.declaration.brokers or removed:
                with LivingEnsemble(self._connect(), lambda: broker_addresses(self.directory, self.running)) as living:
                    self._refuse_removal(removed, living)
                    write_declaration(self.directory, self.declaration)
                    self._brokers(living, removed)
        except BrokerHoldsReplicasError:
            self._stop_in_vain()
            raise
        except StartFailedError as failure:
            stopped = self._stop_in_vain()
            raise StartFailedError(failure.server, failure.reason, failure.log, failure.lines, stopped) from None
        except (NotInSyncError, StaleRegistrationError, OSError) as problem:  # the last: such as a full disk
            if not self.holding.creating:
                raise
            raise CreationStoppedError(_said(problem), self._stop_in_vain()) from None

    # -- what differs ----------------------------------------------------------------------------------------------

    def _differs(self, server: ServerProcess) -> bool:
        running = self.running.get(server.name)
        return running is not None and (
            running.digest != digest(self.declaration, server) or not is_written(self.directory / server.name, server)
        )

    def _removed(self) -> list[int]:
        """Ids of brokers that were declared, or run, and are declared no more."""
        before = read_declaration(self.directory)
        known = {broker.name for broker in before.brokers} if before else set()
        known |= {name for name in self.running if name.startswith("broker-")}
        gone = known - {broker.name for broker in self.declaration.brokers}
        return sorted(int(name.removeprefix("broker-")) for name in gone)

    def _connect(self) -> str:
        if self.declaration.brokers:
            return self.declaration.brokers[0].properties["zookeeper.connect"]
        return written_properties(next(self.directory.glob("broker-*")))["zookeeper.connect"]

    # -- ZooKeeper -------------------------------------------------------------------------------------------------

    def _zookeeper(self) -> None:
        if self.running and any(self._moved(server) for server in self.declaration.zookeeper):
            # Servers of the old and of the new addresses do not find each other: no order of restarts would help.
            self.conduct.progress("the addresses of ZooKeeper change: the whole ensemble stops and starts again")
            stop_in_order(self.running, self.conduct)
            self.running = {}
        dead = [server for server in self.declaration.zookeeper if not self._runs(server.name)]
        if dead:
            self._start(dead)
        self._restart_hung(self._hanging(self.declaration.zookeeper))
        self._await_quorum()
        changed = [server for server in self.declaration.zookeeper if self._differs(server)]
        while changed:
            server = min(changed, key=lambda each: zookeeper_mode(each.properties) == "leader")
            changed.remove(server)
            self.conduct.progress(f"restarting {server.name} with its new configuration")
            self._stop(server.name)
            self._start([server])
            self._await_quorum()

    def _moved(self, server: ServerProcess) -> bool:
        written = written_properties(self.directory / server.name)
        return bool(written) and _addresses(written) != _addresses(server.properties)

    def _await_quorum(self) -> None:
        servers = self.declaration.zookeeper
        missing: list[str] = []

        def serving() -> bool:
            self._fail_on_dead(servers)
            missing[:] = [server.name for server in servers if zookeeper_mode(server.properties) is None]
            return not missing

        ends = self._log_ends()
        if self.conduct.until(serving, self.conduct.patience.quorum):
            pass
        elif not (
            self._restart_hung(self._stuck(servers, missing, ends))
            and self.conduct.until(serving, self.conduct.patience.quorum)
        ):
            raise self._failure(missing[0], f"does not serve in a quorum after {self.conduct.patience.quorum:.0f} s")
        self.ready.update(server.name for server in servers)

    # -- brokers ---------------------------------------------------------------------------------------------------

    def _refuse_removal(self, removed: list[int], living: LivingEnsemble) -> None:
        for broker in removed:
            held: list[str] | None = None

            def known(broker: int = broker) -> bool:
                nonlocal held
                held = living.replicas_of(broker)
                return held is not None

            if not self.conduct.until(known, self.conduct.patience.quorum):
                raise NotInSyncError(
                    f"broker-{broker}", "Removing", self.conduct.patience.quorum, ["ZooKeeper's answer"]
                )
            if held:
                raise BrokerHoldsReplicasError(broker, held)

    def _brokers(self, living: LivingEnsemble, removed: list[int]) -> None:
        brokers = self.declaration.brokers
        dead = [broker for broker in brokers if not self._runs(broker.name)]
        for broker in dead:
            self._await_unregistered(broker, living)
        if dead:
            self._start(dead)
        self._restart_hung(self._hanging(brokers), living)
        if brokers:
            self._await_brokers(brokers, living, "Starting")
        leaving = [self.running[name] for name in (f"broker-{broker}" for broker in removed) if name in self.running]
        if leaving:
            self.conduct.progress(f"stopping {', '.join(server.name for server in leaving)}: no longer declared")
            stop_processes(leaving, self.conduct)
        changed = [broker for broker in brokers if self._differs(broker)]
        while changed:
            picture = living.picture()
            controller = picture.controller if picture else None
            broker = min(changed, key=lambda each: each.id == controller)
            changed.remove(broker)
            self._await_spare(broker, living)
            self.conduct.progress(f"restarting {broker.name} with its new configuration")
            self._stop(broker.name)
            self._await_unregistered(broker, living)
            self._start([broker])
            self._await_brokers((broker,), living, "Restarting")

    def _await_unregistered(self, broker: ServerProcess, living: LivingEnsemble) -> None:
        """A killed broker's registration lives as long as its session, and Kafka gives up when it finds one."""
        session = int(broker.properties.get("zookeeper.session.timeout.ms", "18000")) / 1000
        told = False

        def gone() -> bool:
            nonlocal told
            registered = living.registered_in_zookeeper()
            if registered is not None and broker.id in registered and not told:
                self.conduct.progress(f"{broker.name} ended without notice: waiting for its session to expire")
                told = True
                connect = broker.properties["zookeeper.connect"]
                if is_supervised(self.declaration, broker) and (
                    closed := close_session(self.directory / broker.name, connect)
                ):
                    self.conduct.progress(f"{broker.name}: {closed}")
            return registered is not None and broker.id not in registered

        if not self.conduct.until(gone, session + _SESSION_GRACE_SECONDS):
            raise StaleRegistrationError(broker.name, broker.id, session + _SESSION_GRACE_SECONDS)

    def _await_brokers(self, brokers: tuple[ServerProcess, ...], living: LivingEnsemble, doing: str) -> None:
        """Until each is registered, then until each is in sync."""
        missing: list[str] = []

        def registered(picture: Picture | None) -> bool:
            self._fail_on_dead(brokers)
            missing[:] = [each.name for each in brokers if picture is None or not picture.is_registered(each.id)]
            return not missing

        def all_registered() -> bool:
            return registered(living.picture())

        ends = self._log_ends()
        if self.conduct.until(all_registered, self.conduct.patience.registered):
            pass
        elif not (
            self._restart_hung(self._stuck(brokers, missing, ends), living)
            and self.conduct.until(all_registered, self.conduct.patience.registered)
        ):
            raise self._failure(missing[0], f"is not registered after {self.conduct.patience.registered:.0f} s")

        def behind(picture: Picture | None) -> list[str]:
            self._fail_on_dead(brokers)
            if picture is None:
                return ["the brokers' answer"]
            unregistered = [each.name for each in brokers if not picture.is_registered(each.id)]
            return unregistered + sorted({name for each in brokers for name in picture.behind(each.id)})

        self._await_steady(behind, living, ", ".join(broker.name for broker in brokers), doing)
        self.ready.update(broker.name for broker in brokers)

    def _await_spare(self, broker: ServerProcess, living: LivingEnsemble) -> None:
        """Until the broker can be missed: each of its partitions has every replica in sync."""

        def short(picture: Picture | None) -> list[str]:
            return picture.short(broker.id) if picture else ["the brokers' answer"]

        self._await_steady(short, living, broker.name, "Before a restart of")

    def _await_steady(
        self, lacking: Callable[[Picture | None], list[str]], living: LivingEnsemble, name: str, doing: str
    ) -> None:
        agreeing = 0
        missing: list[str] = []
        remedy = ""
        since: float | None = time.monotonic()  # None: told

        def steady() -> bool:
            nonlocal agreeing, remedy, since
            before, picture = list(missing), living.picture()
            missing[:] = lacking(picture)
            remedy = picture.standstill(self.directory) if picture and missing else ""
            if missing != before:
                since = time.monotonic()
            elif missing and since is not None and time.monotonic() - since >= self.conduct.patience.standstill:
                since = None
                waits = f"{doing} {name}: no change in {self.conduct.patience.standstill:g} s; not in sync: "
                self.conduct.progress(f"{waits}{shortened(missing, most=10)}. {remedy}".strip())
            agreeing = 0 if missing else agreeing + 1
            return agreeing >= _STEADY_LOOKS

        if not self.conduct.until(steady, self.conduct.patience.in_sync):
            raise NotInSyncError(name, doing, self.conduct.patience.in_sync, missing, remedy)

    # -- servers that hang -----------------------------------------------------------------------------------------

    def _hanging(self, servers: Iterable[ServerProcess]) -> list[ServerProcess]:
        """Those that ran before this call and say nothing: suspended, or silent for longer than the patience."""
        asked = [server for server in servers if server.name not in self.started and self._runs(server.name)]
        suspended = [server for server in asked if self.running[server.name].is_suspended()]
        silent = [server for server in asked if server not in suspended]

        def all_heard() -> bool:
            # Whoever has answered once does not hang.
            silent[:] = [each for each in silent if is_silent(written_properties(self.directory / each.name))]
            return not silent

        self.conduct.until(all_heard, self.conduct.patience.answer)
        return suspended + silent

    def _stuck(
        self, servers: Iterable[ServerProcess], missing: Iterable[str], ends: Mapping[str, int]
    ) -> list[ServerProcess]:
        """Those that were waited for in vain, ran before this call, and wrote not one line to their logs meanwhile."""
        return [
            server
            for server in servers
            if server.name in missing
            and server.name not in self.started
            and log_end(self.directory / server.name) == ends[server.name]
        ]

    def _log_ends(self) -> dict[str, int]:
        return {server.name: log_end(self.directory / server.name) for server in self.declaration.servers}

    def _restart_hung(self, hung: list[ServerProcess], living: LivingEnsemble | None = None) -> bool:
        """Ask them to stop, kill those that do not hear it, start them again; False: there are none."""
        if not hung:
            return False
        self._provide()
        self.conduct.progress(f"restarting {', '.join(server.name for server in hung)}: no answer")
        patience = replace(self.conduct.patience, stop=self.conduct.patience.stop_hung)
        stop_processes([self.running[server.name] for server in hung], replace(self.conduct, patience=patience))
        for server in hung:
            del self.running[server.name]
            if living is not None:
                self._await_unregistered(server, living)
        self._start(hung)
        return True

    # -- processes -------------------------------------------------------------------------------------------------

    def _provide(self) -> None:
        """What a start needs, once."""
        if self.java:
            return
        problems = java_problems() + jars.problems(self.declaration.kafka_home)
        if problems:
            raise PreflightError(self.declaration.name, problems)
        self.java = java_command() or ""
        self.jars = jars.provide(self.declaration.kafka_home, self.conduct)

    def _start(self, servers: list[ServerProcess]) -> None:
        self.conduct.progress(f"starting {', '.join(server.name for server in servers)}")
        for server in servers:
            folder = self.directory / server.name
            under_supervisor = is_supervised(self.declaration, server)
            write_server(folder, server, supervised=under_supervisor)
            self.log_ends[server.name] = log_end(folder)
            configured = digest(self.declaration, server)
            command = command_line(self.directory, server, java=self.java, jars=self.jars, digest=configured)
            if under_supervisor:
                command = supervised(command, server.properties["zookeeper.connect"])
            self.started.append(server.name)
            process = start(folder, command, environment())
            if process is not None:
                self.running[server.name] = RunningServer(server.name, configured, process)

    def _stop(self, name: str) -> None:
        stop_processes([self.running[name]], self.conduct)
        self.ready.discard(name)
        del self.running[name]

    def _runs(self, name: str) -> bool:
        running = self.running.get(name)
        return running is not None and running.is_alive()

    def _fail_on_dead(self, servers: tuple[ServerProcess, ...]) -> None:
        for server in servers:
            if not self._runs(server.name):
                self.ready.discard(server.name)
                raise self._failure(
                    server.name, "ended right after its start" if server.name in self.started else "ended"
                )

    def _failure(self, name: str, reason: str) -> StartFailedError:
        log, lines = telling_lines(self.directory / name, self.log_ends.get(name, 0))
        return StartFailedError(name, reason, log, lines)

    def _stop_in_vain(self) -> list[str]:
        """Stop what this call started in vain.

        That is everything if no state knows of these servers, or if nothing ran before; else what did not get ready.
        """
        in_vain = set(self.started) if self.was_down else set(self.started) - self.ready
        if self.holding.creating:
            in_vain = set(self.running)
        chosen = {name: server for name, server in self.running.items() if name in in_vain and self._runs(name)}
        stop_in_order(chosen, self.conduct)
        return sorted(chosen)


def _said(problem: Exception) -> str:
    """What went wrong, without what became of the servers."""
    if isinstance(problem, NotInSyncError):
        return problem.waited
    return f"{problem}." if isinstance(problem, OSError) else str(problem)


def _addresses(properties: Mapping[str, str]) -> dict[str, str]:
    """The entries of a zoo.cfg that tell where servers are met."""
    return {
        key: value
        for key, value in properties.items()
        if key.startswith("server.") or key in ("clientPort", "clientPortAddress")
    }
