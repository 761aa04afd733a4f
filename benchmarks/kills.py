"""Brokers that are killed at random moments under load: what was acknowledged stays, and nobody else loses anything.

    .venv/bin/python benchmarks/kills.py [--kills 200] [--seed N] [--minutes 60]

Three ZooKeeper servers and three brokers as processes of this machine, and a producer of idempotent acks=all messages.
Each round has one kind of kill, from decks that the seed shuffles, ends when everything is in sync again, and is
checked; all messages are read at the end. Prints Markdown for docs/benchmarks.md; exit code 1 where anything was lost,
doubled, or otherwise not as it must be. The logs of the moment are kept then.
"""

import argparse
import json
import logging
import os
import random
import re
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple, Self, TypeVar

import psutil
from confluent_kafka import ElectionType, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from rich.console import Console

from hikube_kafka import ensemble
from hikube_kafka.ensemble.java import environment
from hikube_kafka.ensemble.living import zookeeper_mode
from hikube_kafka.ensemble.processes import start
from hikube_kafka.spec import Kafka, Platform, Resources, ZooKeeper
from hikube_kafka.spec.ensemble import EnsembleDeclaration
from hikube_kafka.spec.targets.local import LocalLayout
from hikube_kafka.waiting import until
from load import Load

Answer = TypeVar("Answer")
PROGRESS = Console(stderr=True, highlight=False, soft_wrap=True)
BROKERS = 3
TOPIC = "kills"
PARTITIONS = 6
START_SECONDS = 6.0
"""A broker is killed within this time of its start; on an idle machine it is registered after 3 s."""
LOOK_SECONDS = 0.1
GRACE_SECONDS = 10
"""A broker may live this long without a registration before its log must say that its session has expired."""
HEALED_SECONDS = 120
LOG_BYTES = 4_000_000
_EXPIRED = re.compile(r"has expired|session expired", re.IGNORECASE)
_FATAL = re.compile("Fatal error")
PATIENCE = ensemble.Patience(registered=120, in_sync=180)


class Position(NamedTuple):
    """In a log that is rolled."""

    file: int
    """Its inode."""
    at: int


class Registration(NamedTuple):
    """A broker's node in ZooKeeper."""

    created: int
    """Transaction that created it; Kafka's broker epoch."""
    session: int
    """That it ends with."""
    at: float
    """When it was created: seconds since 1970."""


class State(NamedTuple):
    """A partition's node in ZooKeeper."""

    at: float
    """When it was written: seconds since 1970."""
    leader: int
    """-1: nobody."""
    in_sync: frozenset[int]


@dataclass
class Killed:
    """One process that was killed, or suspended."""

    server: str
    at: float
    """Seconds since 1970."""
    registration: Registration | None = None
    """What a broker had when it was killed."""
    told: bool = False
    """Whether its supervisor lived to tell ZooKeeper, and ZooKeeper to hear it."""
    suspended: bool = False
    back: float | None = None
    """When a suspended one was continued."""


@dataclass
class Round:
    """One kind of kill, and what came of it; seconds."""

    number: int
    kind: str
    began: float
    """On the monotonic clock."""
    innocent: Mapping[int, Registration]
    """Every broker's, when it began."""
    logs: Mapping[int, Position]
    """Where every broker's log ended then."""
    killed: list[Killed] = field(default_factory=list)
    every: float = 0
    """In which no partition acknowledged a message."""
    worst: float = 0
    """In which one of them did not."""
    leaderless: float = 0
    """In which one of them had no leader that lived."""
    healed: float = 0
    """From the last kill until everything was in sync."""
    gone: list[float] = field(default_factory=list)
    """From the death of a broker until its registration was gone."""


class Servers:
    """The processes of the ensemble.

    Args:
        declaration: what runs.
    """

    def __init__(self, declaration: EnsembleDeclaration) -> None:
        self.declaration = declaration
        self.folder = ensemble.resolved(declaration.directory)
        self._mark = f"-Dhikube.ensemble={self.folder}/"
        self._found: dict[str, psutil.Process] = {}
        self._commands: dict[str, list[str]] = {}

    def learn(self) -> None:
        """See with which command each broker was started: that of its supervisor.

        Raises:
            LookupError: one has none.
        """
        for broker in self.declaration.brokers:
            process = self.supervisor(broker.name)
            if process is None:
                raise LookupError(f"{broker.name} does not run under a supervisor")
            self._commands[broker.name] = process.cmdline()

    def start(self, name: str) -> None:
        """Start a broker as it was started before."""
        start(self.folder / name, self._commands[name], environment())

    def java(self, name: str) -> psutil.Process | None:
        """The server itself; None: it does not run."""
        known = self._found.get(name)
        if known is None or not _lives(known):
            self._found = {
                command[1].removeprefix(self._mark): process
                for process in psutil.process_iter(["cmdline"])
                if (command := process.info["cmdline"]) and len(command) > 1 and command[1].startswith(self._mark)
            }
            known = self._found.get(name)
        return known if known is not None and _lives(known) else None

    def supervisor(self, name: str) -> psutil.Process | None:
        """The parent of a broker; None: it has none."""
        with suppress(psutil.NoSuchProcess):
            java = self.java(name)
            parent = java.parent() if java is not None else None
            if parent is not None and any("supervise.sh" in word for word in parent.cmdline()[:3]):
                return parent
        return None

    def log_end(self, name: str) -> Position:
        """Where a broker's log ends now."""
        told = (self.folder / name / "server.log").stat()
        return Position(told.st_ino, told.st_size)

    def log(self, name: str, since: Position | None = None) -> str:
        """What stands in a broker's log.

        Args:
            name: the broker's.
            since: from there on; None: the end of it.
        """
        text = ""
        for file in ("server.log.1", "server.log"):
            with suppress(FileNotFoundError), (self.folder / name / file).open("rb") as log:
                told = os.fstat(log.fileno())
                if since is not None and told.st_ino == since.file:
                    text = ""
                    log.seek(since.at)
                else:
                    log.seek(max(0, told.st_size - LOG_BYTES))
                text += log.read().decode(errors="replace")
        return text

    def believes(self, broker: int) -> tuple[int, int]:
        """Transaction and session of the registration that a broker thinks it has, by its own log; 0: unknown."""
        log = self.log(f"broker-{broker}")
        epochs = re.findall(rf"Registered broker {broker} at path .* czxid \(broker epoch\): ([0-9]+)", log)
        sessions = re.findall(r"Session establishment complete .* session id = 0x([0-9a-f]+)", log)
        return int(epochs[-1]) if epochs else 0, int(sessions[-1], 16) if sessions else 0

    def has_lost_session(self, broker: int) -> bool:
        """Whether it says so itself, since it was registered last."""
        since = self.log(f"broker-{broker}").rpartition("Registered broker")[2]
        return _EXPIRED.search(since) is not None

    def keep_logs(self, folder: Path) -> None:
        """Copy what tells of now."""
        for server in self.declaration.servers:
            (folder / server.name).mkdir(parents=True, exist_ok=True)
            for file in (self.folder / server.name).glob("*"):
                if file.is_file():
                    with suppress(OSError):
                        shutil.copy2(file, folder / server.name)


class Watch:
    """What ZooKeeper has, looked at all the time, from entering to leaving.

    Args:
        hosts: its servers.
        servers: the processes.
        violated: told what must not be.
    """

    def __init__(self, hosts: str, servers: Servers, violated: Callable[[str], None]) -> None:
        # It must outlive every fault here, and is not what is tried.
        self._client = KazooClient(hosts=hosts, timeout=40)
        self._servers = servers
        self._violated = violated
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on)
        self.looks = 0
        self.registrations: dict[int, Registration] = {}
        self.history: dict[int, list[Registration]] = {broker: [] for broker in range(BROKERS)}
        self.states: list[list[State]] = [[] for _ in range(PARTITIONS)]
        self.gone: dict[Registration, float] = {}
        """When a look did not find it any more."""
        self.controller: int | None = None
        self._lived: dict[int, tuple[psutil.Process, float]] = {}
        """The process that was seen with a registration of its own, and when it was seen so last."""

    def __enter__(self) -> Self:
        self._client.start(60)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._client.stop()
        self._client.close()

    def look(self) -> None:
        """Wait for a look that begins after this call.

        Raises:
            TimeoutError: ZooKeeper does not answer.
        """
        goal = self.looks + 2
        if not until(lambda: self.looks >= goal, HEALED_SECONDS, every=LOOK_SECONDS / 2):
            raise TimeoutError(f"not within {HEALED_SECONDS} s: ZooKeeper answers")

    def _look_on(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            with suppress(KazooException, KazooTimeoutError, psutil.NoSuchProcess):
                self._look()
                self.looks += 1

    def _look(self) -> None:
        brokers = {broker: self._client.exists_async(f"/brokers/ids/{broker}") for broker in range(BROKERS)}
        states = [
            self._client.get_async(f"/brokers/topics/{TOPIC}/partitions/{number}/state") for number in range(PARTITIONS)
        ]
        controller = self._client.get_async("/controller")
        seen = {broker: stat for broker, asked in brokers.items() if (stat := asked.get(timeout=10)) is not None}
        found = {
            broker: Registration(stat.czxid, stat.ephemeralOwner % 2**64, stat.ctime / 1000)
            for broker, stat in seen.items()
        }
        now = time.time()
        for broker, before in self.registrations.items():
            if found.get(broker) != before:
                self.gone[before] = now
        for broker, registration in found.items():
            if self.registrations.get(broker) != registration:
                self.history[broker].append(registration)
        self.registrations = found
        for known, asked in zip(self.states, states, strict=True):
            value, stat = asked.get(timeout=10)
            node = json.loads(value)
            state = State(stat.mtime / 1000, node["leader"], frozenset(node["isr"]))
            if not known or known[-1] != state:
                known.append(state)
        try:
            self.controller = json.loads(controller.get(timeout=10)[0])["brokerid"]
        except NoNodeError:
            self.controller = None
        if self.looks % 10 == 0:  # to look for processes takes a while
            self._who_lives_is_registered(now)

    def _who_lives_is_registered(self, now: float) -> None:
        for broker in range(BROKERS):
            process = self._servers.java(f"broker-{broker}")
            before, seen = self._lived.get(broker, (None, now))
            if process is None or process.status() == psutil.STATUS_STOPPED:
                self._lived.pop(broker, None)
            elif broker in self.registrations and self.registrations[broker].at >= process.create_time():
                self._lived[broker] = (process, now)
            elif process == before and now - seen > GRACE_SECONDS:
                if not self._servers.has_lost_session(broker):
                    missing = f"broker {broker} lives, has not lost its session, and is not registered"
                    self._violated(f"{missing} for {now - seen:.0f} s")
                self._lived.pop(broker)

    def leaderless(self, dead: Iterable[tuple[int, float, float]], begin: float, end: float) -> float:
        """The longest time that a partition had no leader which lived, in seconds.

        Args:
            dead: brokers with the begin and the end of a time in which they did not live; seconds since 1970, as all.
            begin: of the time that is asked for.
            end: of that time.
        """
        dead = list(dead)
        longest = 0.0
        for states in self.states:
            moments = {begin, end, *(state.at for state in states), *(at for each in dead for at in each[1:])}
            lasting = 0.0
            current = iter([*states, State(float("inf"), -1, frozenset())])
            leader, following = -1, next(current)
            for here, then in pairwise(sorted(at for at in moments if begin <= at <= end)):
                while following.at <= here:
                    leader, following = following.leader, next(current)
                lives = leader >= 0 and not any(broker == leader and since <= here < to for broker, since, to in dead)
                lasting = 0.0 if lives else lasting + then - here
                longest = max(longest, lasting)
        return longest


class Run:
    """All rounds.

    Args:
        servers: the processes.
        zookeeper: hosts of ZooKeeper.
        bootstrap: addresses of the brokers.
        seed: of the random numbers.
        kept: where logs are kept when something is not as it must be.
    """

    def __init__(self, servers: Servers, zookeeper: str, bootstrap: str, seed: int, kept: Path) -> None:
        self.random = random.Random(seed)  # noqa: S311 - to be drawn again
        self.servers = servers
        self.kept = kept
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self.watch = Watch(zookeeper, servers, self.violated)
        self.load = Load(bootstrap, TOPIC, PARTITIONS, settings={"reconnect.backoff.max.ms": 200})
        self.rounds: list[Round] = []
        self.violations: list[str] = []
        self.waits = Counter[str]()
        """Kinds in which a start waited for a session to expire."""
        self.repeated = Counter[str]()
        """Kinds in which the apply met a server that was just ending, and was called once more."""
        self._supervisors: dict[str, psutil.Process] = {}
        """Of brokers that were killed."""
        self.topic: str | None = None
        """That the last kind with topics has left."""
        properties = servers.declaration.brokers[0].properties
        self.session = int(properties.get("zookeeper.session.timeout.ms", "18000")) / 1000

    # -- what kinds of kill are made of -------------------------------------------------------------------------------

    @property
    def round(self) -> Round:
        """That goes on."""
        return self.rounds[-1]

    def wait(self, least: float, most: float) -> None:
        """Let a random time pass, in seconds."""
        time.sleep(self.random.uniform(least, most))

    def any_broker(self, *, but: str = "") -> str:
        """One at random."""
        return self.random.choice([each.name for each in self.servers.declaration.brokers if each.name != but])

    def zookeeper(self, mode: str) -> str:
        """A ZooKeeper server that is the leader, or a follower."""
        modes = {each.name: zookeeper_mode(each.properties) for each in self.servers.declaration.zookeeper}
        return self.random.choice([name for name, found in modes.items() if found == mode] or sorted(modes))

    def controller(self, *, but: str = "") -> str:
        """The controller, once there is one, other than the one named."""

        def found() -> str:
            self.watch.look()
            name = "" if self.watch.controller is None else f"broker-{self.watch.controller}"
            return "" if name == but else name

        return self._until(found, "there is a new controller")

    def kill(self, *names: str, supervised: bool = True) -> None:
        """SIGKILL to each, at once.

        Args:
            names: servers.
            supervised: whether a supervisor, if there is one, stays.
        """
        told = supervised and all(name.startswith("broker-") for name in names)
        processes = [(name, self.servers.java(name), self.servers.supervisor(name)) for name in names]
        for name, java, supervisor in processes:
            if java is None:
                self.violated(f"{name} had ended by itself before it was killed")
                continue
            if supervisor is not None:
                self._supervisors[name] = supervisor
                if not supervised:
                    supervisor.kill()
            java.kill()
            self._note(name, told=told and supervisor is not None)

    def kill_supervisor(self, name: str) -> None:
        """SIGKILL to the supervisor alone; the broker must not notice."""
        supervisor = self.servers.supervisor(name)
        if supervisor is not None:
            supervisor.kill()

    def suspend(self, name: str) -> None:
        """SIGSTOP to a broker."""
        java = self.servers.java(name)
        if java is not None:
            java.suspend()
            self._note(name, told=False, suspended=True)

    def resume(self, name: str) -> None:
        """SIGCONT to a broker."""
        java = self.servers.java(name)
        if java is not None:
            java.resume()
            self.round.killed[-1].back = time.time()

    def _note(self, name: str, *, told: bool, suspended: bool = False) -> None:
        kind, _, number = name.partition("-")
        registration = self.watch.registrations.get(int(number)) if kind == "broker" else None
        self.round.killed.append(Killed(name, time.time(), registration, told, suspended))

    def start(self, name: str, *, until_says: str = "") -> None:
        """Start a broker, and return once it runs, or once its log says something."""
        log = self.servers.folder / name / "server.log"
        before = log.stat().st_size

        def said() -> bool:
            with log.open("rb") as file:
                file.seek(before if before <= log.stat().st_size else 0)
                return until_says.encode() in file.read() or self.servers.java(name) is None

        # As in a pod, and as an apply waits for the registration: one that begins earlier may take the lock away, and
        # the session then runs out.
        if name in self._supervisors:
            self._until(lambda: not _lives(self._supervisors[name]), f"the supervisor of {name} has ended")
        self.servers.start(name)
        if until_says:
            self._until(said, f"{name} says {until_says!r}", every=0.01)

    def registered(self, name: str) -> None:
        """Wait until a broker has a new registration, or has ended."""
        broker, last = int(name.rpartition("-")[2]), self.round.killed[-1].at

        def found() -> bool:
            registration = self.watch.registrations.get(broker)
            return (registration is not None and registration.at > last) or self.servers.java(name) is None

        self._until(found, f"{name} is registered")

    def in_sync_somewhere(self, name: str) -> None:
        """Wait until a broker is in sync in a partition again, or has ended."""
        broker, last = int(name.rpartition("-")[2]), self.round.killed[-1].at

        def found() -> bool:
            back = any(states[-1].at > last and broker in states[-1].in_sync for states in self.watch.states)
            return (back and broker in self.watch.registrations) or self.servers.java(name) is None

        self._until(found, f"{name} is in sync in a partition", every=0.02)

    def unregistered(self, name: str) -> None:
        """Wait until a suspended broker has lost its session."""
        broker = int(name.rpartition("-")[2])
        self._until(lambda: broker not in self.watch.registrations, f"the session of {name} expires")

    def _until(self, found: Callable[[], Answer], what: str, *, every: float = 0.05) -> Answer:
        answer = until(found, HEALED_SECONDS, every=every)
        if not answer:
            raise TimeoutError(f"not within {HEALED_SECONDS} s: {what}")
        return answer

    # -- a round ------------------------------------------------------------------------------------------------------

    def violated(self, what: str) -> None:
        """Remember what must not be, with the logs of now."""
        where = f"round {self.round.number} ({self.round.kind})" if self.rounds else "before the first round"
        self.violations.append(f"{where}: {what}")
        PROGRESS.print(f"[red]VIOLATED[/red] {self.violations[-1]}", markup=True)
        self.servers.keep_logs(self.kept / f"{len(self.violations):03}")

    def one(self, kind: "Kind") -> None:
        """A round of this kind."""
        self._elect()
        self.watch.look()
        logs = {broker: self.servers.log_end(f"broker-{broker}") for broker in range(BROKERS)}
        began, registrations = time.monotonic(), dict(self.watch.registrations)
        self.rounds.append(Round(len(self.rounds) + 1, kind.name, began, registrations, logs))
        self.wait(0, 1)
        kind.kill(self)
        self.wait(0, 2)
        self._heal()
        self._measure()
        told = self.round
        gone = f", unregistered after {max(told.gone):.1f} s" if told.gone else ""
        PROGRESS.print(
            f"{told.number:3} {told.kind}: {', '.join(each.server for each in told.killed)}{gone}; "
            f"without a leader {told.leaderless:.1f} s; pause {told.every:.1f} s of all, {told.worst:.1f} s of one; "
            f"in sync after {told.healed:.1f} s; {self.load.acknowledged:,} acknowledged"
        )

    def _elect(self) -> None:
        """Give every partition its first replica as leader, so that each broker leads some."""
        every = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]

        def each_leads() -> bool:
            with suppress(KafkaException):  # a broker that has just come back may not be electable yet
                # A client of its own: one that has met a suspended broker was seen to ask nobody any more.
                admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
                admin.elect_leaders(ElectionType.PREFERRED, every).result(HEALED_SECONDS)
            self.watch.look()
            return len({states[-1].leader for states in self.watch.states}) == BROKERS

        self._until(each_leads, "each broker leads a partition")

    def _heal(self) -> None:
        """Start what was killed, as whoever applies the declaration again does, and wait until all is well."""

        def progress(line: str) -> None:
            if "session" in line:
                self.waits[self.round.kind] += 1

        for again in (True, True, False):
            try:
                ensemble.apply(self.servers.declaration, progress=progress, patience=PATIENCE)
                break
            except ensemble.EnsembleError as error:
                self.repeated[self.round.kind] += 1
                PROGRESS.print(f"the apply failed: {str(error).splitlines()[0]}")
                if not again:
                    raise
        lacking: list[str] = []

        def well() -> bool:
            self.watch.look()
            lacking[:] = self._lacking()
            return not lacking

        if not until(well, HEALED_SECONDS):
            self.violated(f"after {HEALED_SECONDS} s: {'; '.join(lacking)}")
            raise TimeoutError(f"not well again: {'; '.join(lacking)}")
        self.round.healed = time.time() - max((each.back or each.at for each in self.round.killed), default=time.time())
        self.load.wait_for_all(HEALED_SECONDS)

    def _lacking(self) -> list[str]:
        """What keeps the ensemble from being as before the kill."""
        found = []
        for broker in range(BROKERS):
            registration = self.watch.registrations.get(broker)
            created, session = self.servers.believes(broker)
            if registration is None:
                found.append(f"broker {broker} is not registered")
            elif (created, session) != (registration.created, registration.session):
                found.append(
                    f"broker {broker} believes in its registration of transaction {created} and session 0x{session:x}, "
                    f"and has that of {registration.created} and 0x{registration.session:x}"
                )
        for number, states in enumerate(self.watch.states):
            state = states[-1]
            if state.leader not in range(BROKERS) or len(state.in_sync) < BROKERS:
                found.append(f"{TOPIC}-{number} has leader {state.leader}, and in sync are {sorted(state.in_sync)}")
        return found

    def _says(self, broker: int, what: re.Pattern[str]) -> bool:
        """Whether a broker has written something in this round."""
        return what.search(self.servers.log(f"broker-{broker}", self.round.logs[broker])) is not None

    def _measure(self) -> None:
        this, now = self.round, time.time()
        hit = {each.server for each in this.killed}
        for broker, before in this.innocent.items():
            if f"broker-{broker}" not in hit and self.watch.history[broker][-1] != before:
                why = "its session had expired" if self._says(broker, _EXPIRED) else "it did not miss its session"
                self.violated(f"broker {broker} was not killed, and was registered anew: {why}")
            if self._says(broker, _FATAL):
                self.violated(f"broker {broker} ended by itself")
        dead = []
        for each in this.killed:
            if not each.server.startswith("broker-"):
                continue
            broker = int(each.server.rpartition("-")[2])
            later = [known.at for known in self.watch.history[broker] if known.at > each.at]
            dead.append((broker, each.at, each.back or min(later, default=now)))
            if each.registration in self.watch.gone and not each.suspended:
                after = self.watch.gone[each.registration] - each.at
                this.gone.append(max(0, after))
                # ZooKeeper hears of a session's client at least every third of it.
                if each.told and after > self.session * 2 / 3:
                    self.violated(f"the registration of {each.server} stood for {after:.1f} s after its death")
        begin = this.began + now - time.monotonic()
        this.leaderless = self.watch.leaderless(dead, begin, now)
        this.every, this.worst = self.load.pauses(this.began, time.monotonic())


class Kind(NamedTuple):
    """A kind of kill."""

    name: str
    kill: Callable[[Run], None]
    weight: int = 1
    """How many of it are in a deck."""


def _broker(run: Run) -> None:
    run.kill(run.any_broker())


def _start(run: Run) -> None:
    name = run.any_broker()
    run.kill(name)
    run.start(name)
    run.wait(0, START_SECONDS)
    run.kill(name)


def _recovery(run: Run) -> None:
    name = run.any_broker()
    run.kill(name)
    run.start(name, until_says="Loading logs from log dirs")
    run.wait(0, 0.5)
    run.kill(name)


def _again(run: Run) -> None:
    name = run.any_broker()
    run.kill(name)
    run.start(name)
    run.registered(name)
    run.wait(0, 1)
    run.kill(name)


def _in_a_row(run: Run) -> None:
    name = run.any_broker()
    run.kill(name)
    run.wait(0, 3)
    run.kill(run.any_broker(but=name))


def _two(run: Run) -> None:
    name = run.any_broker()
    run.kill(name, run.any_broker(but=name))


def _controller(run: Run) -> None:
    run.kill(run.controller())


def _fail_over(run: Run) -> None:
    name = run.controller()
    run.kill(name)
    run.kill(run.controller(but=name))


def _in_sync(run: Run) -> None:
    name = run.any_broker()
    run.kill(name)
    run.start(name)
    run.in_sync_somewhere(name)
    run.wait(0, 0.3)
    run.kill(run.any_broker(but=name))


def _zookeeper_leader(run: Run) -> None:
    run.kill(run.zookeeper("leader"), run.any_broker())


def _zookeeper_follower(run: Run) -> None:
    run.kill(run.zookeeper("follower"), run.any_broker())


def _with_supervisor(run: Run) -> None:
    run.kill(run.any_broker(), supervised=False)


def _supervisor(run: Run) -> None:
    name = run.any_broker()
    before = run.watch.registrations.get(int(name.rpartition("-")[2]))
    run.kill_supervisor(name)
    run.wait(0, 3)
    run.load.wait_for_all()
    run.watch.look()
    if run.watch.registrations.get(int(name.rpartition("-")[2])) != before:
        run.violated(f"{name} lost its registration when its supervisor was killed")
    run.kill(name)


def _suspended(run: Run) -> None:
    name = run.any_broker()
    run.suspend(name)
    try:
        run.unregistered(name)
        run.wait(0, 3)
    finally:
        run.resume(name)
    run.registered(name)


def _suspended_and_killed(run: Run) -> None:
    name = run.any_broker()
    run.suspend(name)
    run.wait(0, run.session)
    run.kill(name)


def _topics(run: Run) -> None:
    # What becomes of them is not waited for: the gates of the apply look at every topic.
    before, run.topic = run.topic, f"passing-{run.round.number}"
    run.admin.create_topics([NewTopic(run.topic, PARTITIONS, BROKERS)])
    if before is not None:
        run.admin.delete_topics([before])
    run.wait(0, 0.2)
    run.kill(run.random.choice([run.controller(), run.any_broker()]))


KINDS = (
    Kind("a broker", _broker, 3),
    Kind("a broker, and again while it starts", _start, 2),
    Kind("a broker, and again while it recovers its logs", _recovery),
    Kind("a broker, and again right after its registration", _again),
    Kind("two brokers in a row", _in_a_row),
    Kind("two brokers at once", _two),
    Kind("the controller", _controller, 2),
    Kind("the controller, and the new one at once", _fail_over),
    Kind("a broker, and another while the ISR grows", _in_sync),
    Kind("a broker and ZooKeeper's leader", _zookeeper_leader),
    Kind("a broker and a ZooKeeper follower", _zookeeper_follower),
    Kind("a broker with its supervisor", _with_supervisor),
    Kind("a supervisor, and later its broker", _supervisor),
    Kind("a broker suspended for longer than its session", _suspended),
    Kind("a broker suspended, and killed", _suspended_and_killed),
    Kind("a broker, while topics come and go", _topics),
)


def declared() -> Platform:
    """Three and three, with small heaps."""
    return Platform(
        name="kills",
        zookeeper=ZooKeeper(servers=3, resources=Resources(cpu="250m", memory="256Mi"), heap="128Mi"),
        kafka=Kafka(brokers=BROKERS, resources=Resources(cpu="500m", memory="512Mi"), heap="256Mi"),
    )


def kills(layout: LocalLayout, number: int, seed: int, minutes: float) -> int:
    """Run it, and say what came of it; the exit code."""
    platform, folder = declared(), tempfile.mkdtemp(prefix="kills-")
    declaration = EnsembleDeclaration(
        name=platform.name,
        directory=folder,
        zookeeper=layout.zookeeper_processes(platform),
        brokers=layout.broker_processes(platform),
    )
    servers = Servers(declaration)
    zookeeper = ",".join(address.client for address in layout.zookeeper_addresses(platform).values())
    bootstrap = ",".join(f"127.0.0.1:{layout.broker_port + broker}" for broker in range(BROKERS))
    run = Run(servers, zookeeper, bootstrap, seed, Path(f"{folder}-kept"))
    try:
        ensemble.apply(declaration, progress=PROGRESS.print)
        servers.learn()
        run.admin.create_topics([NewTopic(TOPIC, PARTITIONS, BROKERS)])[TOPIC].result(60)
        _all_rounds(run, number, minutes)
    except Exception as error:  # noqa: BLE001 - whatever ends it, the rounds until then are told
        run.violated(f"the run ended: {type(error).__name__}: {error}")
    finally:
        told(run, seed)
        if run.violations:
            ensemble.stop(folder, progress=PROGRESS.print)
            PROGRESS.print(f"Kept: {folder} and {run.kept}")
        else:
            ensemble.destroy(folder, keep_data=False, progress=PROGRESS.print)
    return 1 if run.violations else 0


def _all_rounds(run: Run, number: int, minutes: float) -> None:
    deck: list[Kind] = []
    end = time.monotonic() + 60 * minutes
    try:
        with run.load, run.watch:
            run.watch.look()
            for _ in range(number):
                if time.monotonic() > end:
                    PROGRESS.print(f"{minutes:g} minutes are over")
                    break
                if not deck:
                    deck = [each for each in KINDS for _ in range(each.weight)]
                    run.random.shuffle(deck)
                run.one(deck.pop())
    finally:
        load = run.load
        found = load.read_back()
        if found.lost:
            run.violated(f"{len(found.lost)} acknowledged messages are lost, such as {found.lost[:20]}")
        if found.duplicated:
            run.violated(f"{len(found.duplicated)} messages are there twice, such as {found.duplicated[:20]}")
        if load.given_up or load.unanswered:
            said = Counter(str(error) for error in load.given_up)
            run.violated(f"{len(load.given_up)} given up ({dict(said)}), {load.unanswered} without an answer")
        print(
            f"{load.acknowledged:,} messages acknowledged, {found.read:,} read: lost {len(found.lost)}, "
            f"duplicated {len(found.duplicated)}, given up {len(load.given_up)}\n"
        )


def told(run: Run, seed: int) -> None:
    """The tables."""
    processes = sum(len(each.killed) for each in run.rounds)
    print(
        f"seed {seed}: {len(run.rounds)} rounds, {processes} processes killed or suspended; seconds, median (longest)\n"
    )
    measured = ("registration gone", "without a leader", "pause of all partitions", "of the worst", "in sync again")
    print(f"| kind | times | {' | '.join(measured)} |")
    print("|---|---|---|---|---|---|---|")
    for name in [*(kind.name for kind in KINDS), ""]:
        chosen = [each for each in run.rounds if name in (each.kind, "")]
        if chosen:
            columns: list[list[float]] = [
                [seconds for each in chosen for seconds in each.gone],
                [each.leaderless for each in chosen],
                [each.every for each in chosen],
                [each.worst for each in chosen],
                [each.healed for each in chosen],
            ]
            print(f"| {name or 'all'} | {len(chosen)} | {' | '.join(map(_median_and_longest, columns))} |")
    print(f"\nStarts that waited for a session to expire: {dict(run.waits) or 'none'}")
    print(f"\nApplies that met a server which was just ending: {dict(run.repeated) or 'none'}")
    print(f"\nViolated: {'none' if not run.violations else ''}")
    for each in run.violations:
        print(f"- {each}")


def _median_and_longest(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} ({max(seconds):.1f})" if seconds else ""


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError("ended from outside")


def main() -> None:
    """Read the arguments, run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="rounds; some kill two processes")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--minutes", type=float, default=120, help="no round begins after this time")
    parser.add_argument("--ports", type=int, default=0, help="added to every port, to run two at once")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)  # that connections are lost is no news here
    PROGRESS.print(f"seed {chosen.seed}")
    layout = LocalLayout(
        broker_port=27092 + chosen.ports,
        zookeeper_port=27181 + chosen.ports,
        peer_port=27288 + chosen.ports,
        election_port=27388 + chosen.ports,
        connect_port=27583 + chosen.ports,
    )
    sys.exit(kills(layout, chosen.kills, chosen.seed, chosen.minutes))


if __name__ == "__main__":
    main()
