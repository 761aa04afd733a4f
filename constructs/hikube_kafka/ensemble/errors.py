"""What can go wrong with servers on this machine; every error carries its facts as attributes."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from hikube_kafka.spec.problem import shortened


class EnsembleError(Exception):
    """Any refusal or failure of a local ensemble."""


class PreflightError(EnsembleError):
    """The ensemble, or the Connect cluster, cannot start as declared; nothing was started.

    Attributes:
        problems: one sentence each, with what to do.
    """

    def __init__(self, name: str, problems: Sequence[str], *, what: str = "ensemble") -> None:
        self.name = name
        self.problems = tuple(problems)
        listed = "\n".join(f"- {problem}" for problem in self.problems)
        super().__init__(f"The {what} {name!r} cannot start as declared; nothing was started:\n{listed}")


class JarsError(EnsembleError):
    """The jars could not be fetched or are not those of a Kafka that runs with ZooKeeper."""


class PluginError(EnsembleError):
    """A plugin of Connect workers could not be had as it is declared.

    Attributes:
        plugin: its name.
    """

    def __init__(self, plugin: str, problem: str) -> None:
        self.plugin = plugin
        super().__init__(f"Plugin {plugin}: {problem}")


class DirectoryBusyError(EnsembleError):
    """Another process is changing the same servers.

    Attributes:
        holder: its process id.
        seconds: how long it was waited for.
    """

    def __init__(self, directory: Path, holder: str, seconds: float) -> None:
        self.directory = directory
        self.holder = holder
        self.seconds = seconds
        super().__init__(
            f"Another process (pid {holder or 'unknown'}) is changing the servers in {directory}, and was not done "
            f"within {seconds:g} s: wait until it is done, or end it, and apply again."
        )


class EnsembleExistsError(EnsembleError):
    """An ensemble was to be created where there is one already; nothing was changed.

    Attributes:
        running: names of its servers that run.
    """

    def __init__(self, directory: Path, running: Sequence[str]) -> None:
        self.directory = directory
        self.running = tuple(running)
        super().__init__(
            f"There is already an ensemble in {directory} ({', '.join(self.running) or 'none of its servers'} running)."
        )


class HeldByAnotherError(EnsembleError):
    """Somebody else has created an ensemble in this directory since; nothing was changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(f"The ensemble in {directory} is held by another Terraform state.")


class StartFailedError(EnsembleError):
    """A server ended, or did not come up in time, after its start.

    Attributes:
        server: its name, ``broker-0``.
        log: path of its log.
        lines: the lines of the log that matter.
        stopped: names of the servers that were stopped again because of this.
    """

    def __init__(self, server: str, reason: str, log: Path, lines: Sequence[str], stopped: Sequence[str] = ()) -> None:
        self.server = server
        self.reason = reason
        self.log = log
        self.lines = tuple(lines)
        self.stopped = tuple(stopped)
        shown = "\n".join(f"    {line}" for line in self.lines) or "    (the log is empty)"
        consequence = f" Stopped again: {', '.join(self.stopped)}." if self.stopped else ""
        super().__init__(f"{server} {reason}.{consequence} The end of {log}:\n{shown}")


class NotInSyncError(EnsembleError):
    """A server runs, but did not come (back) into the quorum or the in-sync replicas in time; it is left running.

    Attributes:
        server: its name.
        missing: what it waits for: ``topic-0`` for a partition, or a sentence.
        remedy: what to do where the servers run and yet nothing changes; empty: there is nothing of the kind.
    """

    def __init__(self, server: str, doing: str, seconds: float, missing: Sequence[str], remedy: str = "") -> None:
        self.server = server
        self.doing = doing
        self.seconds = seconds
        self.missing = tuple(missing)
        self.remedy = remedy
        super().__init__(
            f"{self.waited} It is left running, and no server after it was changed. Check its log, and apply again "
            "once it has caught up." + (f"\n\n{remedy}" if remedy else "")
        )

    @property
    def waited(self) -> str:
        """What was waited for in vain: one sentence."""
        missing = shortened(self.missing, most=10)
        return f"{self.doing} {self.server}: not in sync after {self.seconds:.0f} s: {missing}."


class NotBalancedError(EnsembleError):
    """Workers run, but their group did not come to rest; they are left running.

    Attributes:
        missing: what it waits for, a sentence each.
    """

    def __init__(self, doing: str, seconds: float, missing: Sequence[str], directory: Path) -> None:
        self.doing = doing
        self.seconds = seconds
        self.missing = tuple(missing)
        of = f"--ensemble {shlex.quote(str(directory))}"
        super().__init__(
            f"{self.waited} They are left running, and no worker after that was changed. Apply again: it goes on from "
            "here, and restarts a worker that does not answer. If that ends in the same way, see their logs "
            f"(hikube-kafka local logs worker-0 {of}), and have all of them start anew: hikube-kafka local stop {of}, "
            "then apply. What they run is kept in Kafka."
        )

    @property
    def waited(self) -> str:
        """What was waited for in vain: one sentence."""
        missing = shortened(self.missing, most=5)
        return f"{self.doing}: the workers' group is not balanced after {self.seconds:.0f} s: {missing}."


class StaleRegistrationError(EnsembleError):
    """A broker of this id is registered though it does not run here.

    Attributes:
        server: its name.
        broker: its id.
    """

    def __init__(self, server: str, broker: int, seconds: float) -> None:
        self.server = server
        self.broker = broker
        super().__init__(
            f"{server} cannot start: ZooKeeper still shows a registration of broker {broker} after {seconds:.0f} s, "
            "longer than a session outlives its process, so another broker of the same id is connected to these "
            "ZooKeeper servers. Stop it, or give one of them another id."
        )


class BrokerHoldsReplicasError(EnsembleError):
    """A broker that still holds replicas cannot leave the declaration.

    Attributes:
        broker: its id.
        partitions: topic-partition names of its replicas.
    """

    def __init__(self, broker: int, partitions: Sequence[str]) -> None:
        self.broker = broker
        self.partitions = tuple(partitions)
        super().__init__(
            f"broker-{broker} is no longer declared but holds replicas of {len(self.partitions)} partitions "
            f"({shortened(self.partitions, most=10)}): stopping it would leave them short of a replica. Declare it "
            "again, move its replicas to other brokers (lower the replication factor of the topics or delete them; for "
            "internal topics such as __consumer_offsets use kafka-reassign-partitions), then remove the broker."
        )


class QuorumChangeError(EnsembleError):
    """The set of ZooKeeper servers cannot change in place.

    Attributes:
        existing: ids that hold data.
        declared: ids that are declared.
    """

    def __init__(self, directory: Path, existing: Sequence[int], declared: Sequence[int]) -> None:
        self.directory = directory
        self.existing = tuple(existing)
        self.declared = tuple(declared)
        super().__init__(
            f"ZooKeeper servers {list(existing)} hold the data in {directory}, but {list(declared)} are declared. A "
            "static server list changed by restarts can elect two leaders and lose acknowledged writes. Declare the "
            "same servers again; for another number of them make an ensemble of another name and copy the topics, or, "
            "if the data may go, destroy this one with keep_data = false first."
        )


class CreationStoppedError(EnsembleError):
    """A creation failed, and has stopped what it had started: no state knows of these servers yet.

    Attributes:
        stopped: names of the servers that were stopped again.
    """

    def __init__(self, problem: str, stopped: Sequence[str]) -> None:
        self.stopped = tuple(stopped)
        super().__init__(
            f"{problem} Stopped again: {', '.join(self.stopped) or 'nothing'}. What they have written stays, and the "
            "next apply starts them on it."
        )


class ApplyInterruptedError(EnsembleError):
    """A wait was cancelled; what runs keeps running, and the next apply continues from there.

    Attributes:
        running: names of the servers that run.
    """

    def __init__(self, running: Sequence[str] = ()) -> None:
        self.running = tuple(running)
        super().__init__(
            f"Interrupted. Running: {', '.join(self.running) or 'nothing'}. Nothing is lost; the next apply continues."
        )
