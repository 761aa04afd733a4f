"""A server as a process: what the local ensemble runs.

Plain dataclasses: the provider builds them from Terraform's values at every start, and validates by other means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hikube_kafka.spec.frozen import FrozenDict

Kind = Literal["zookeeper", "broker"]


@dataclass(frozen=True, kw_only=True)
class ServerProcess:
    """One ZooKeeper server or one broker, complete.

    Paths in ``properties`` are relative to the process's own folder, so that the same declaration is the same plan on
    every machine.
    """

    kind: Kind
    id: int
    """``myid`` of a ZooKeeper server, from 1; ``broker.id`` of a broker, from 0."""
    properties: Mapping[str, str]
    """The complete ``zoo.cfg`` or ``server.properties``."""
    heap: str
    """``-Xms`` and ``-Xmx``, as Java writes it: ``512m``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "properties", FrozenDict(self.properties))

    @property
    def name(self) -> str:
        """``zookeeper-1``, ``broker-0``: its folder, its log and its name in messages."""
        return f"{self.kind}-{self.id}"

    @property
    def ports(self) -> tuple[int, ...]:
        """Every port that it listens on, in ascending order."""
        if self.kind == "zookeeper":
            # server.N=host:peer:election[;[client-address:]client]: only its own line names ports it listens on.
            peers = self.properties.get(f"server.{self.id}", "").partition(";")[0].split(":")[1:3]
            return tuple(sorted({int(self.properties["clientPort"]), *(int(port) for port in peers)}))
        listeners = self.properties["listeners"].split(",")
        return tuple(sorted({int(listener.rpartition(":")[2]) for listener in listeners}))


@dataclass(frozen=True, kw_only=True)
class EnsembleDeclaration:
    """ZooKeeper servers and brokers that form one cluster on this machine."""

    name: str
    directory: str
    """Folder that holds one folder per server: configuration, data and log. ``~`` is the user's home."""
    zookeeper: tuple[ServerProcess, ...]
    brokers: tuple[ServerProcess, ...]
    kafka_home: str | None = None
    """An unpacked Kafka distribution to run from; None means the jars that Maven puts into the cache."""

    @property
    def servers(self) -> tuple[ServerProcess, ...]:
        """All of them, in the order in which they start: ZooKeeper first."""
        return (*self.zookeeper, *self.brokers)
