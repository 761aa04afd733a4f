"""A server as a process: what the local ensemble, and a Connect cluster beside it, run.

Plain dataclasses: the provider builds them from Terraform's values at every start, and validates by other means.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from hikube_kafka.spec.frozen import FrozenDict

Kind = Literal["zookeeper", "broker", "worker"]

_HOST = r"(?P<host>\[[^\]\s]*\]|[^:/\s\[\]]*)"
LISTENER = re.compile(rf"(?P<name>[^:/\s]+)://{_HOST}:(?P<port>[0-9]{{1,5}})")
"""One of a broker's ``listeners``: ``PLAINTEXT://[::1]:9092``; without a host it is on every address."""
MEMBER = re.compile(rf"{_HOST}:(?P<peer>[0-9]{{1,5}}):(?P<election>[0-9]{{1,5}})")
"""``server.N=host:peer:election[:role][;[client-address:]client]``."""
_PORT = re.compile(r"[0-9]{1,5}")
HIGHEST_PORT = 65535
_COORDINATES = re.compile(r"[A-Za-z0-9._-]+(:[A-Za-z0-9._-]+){2,4}")
_CHECKSUM = re.compile(r"sha256:[0-9A-Fa-f]{64}|sha512:[0-9A-Fa-f]{128}")


@dataclass(frozen=True, kw_only=True)
class ServerProcess:
    """One ZooKeeper server, one broker or one Connect worker, complete.

    Paths in ``properties`` are relative to the process's own folder, so that the same declaration is the same plan on
    every machine.
    """

    kind: Kind
    id: int
    """``myid`` of a ZooKeeper server, from 1; ``broker.id`` of a broker, from 0; number of a worker, from 0."""
    properties: Mapping[str, str]
    """The complete ``zoo.cfg``, ``server.properties`` or ``connect-distributed.properties``."""
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
        return tuple(sorted({port for _, port in self.bindings}))

    @property
    def bindings(self) -> tuple[tuple[str, int], ...]:
        """Host and port of everything that it listens on; an empty host is every address of the machine.

        What cannot be read as that is left out: the provider refuses it, or the server itself where only the apply
        tells its properties.
        """
        return tuple((host, port) for host, port in self.written_bindings if port <= HIGHEST_PORT)

    @property
    def written_bindings(self) -> list[tuple[str, int]]:
        """Host and port as they are written, with numbers that are no ports."""
        if self.kind != "zookeeper":
            found = (LISTENER.fullmatch(each.strip()) for each in self.properties.get("listeners", "").split(","))
            return [(each["host"].strip("[]"), int(each["port"])) for each in found if each]
        client, own = self.properties.get("clientPort", ""), MEMBER.match(self.properties.get(f"server.{self.id}", ""))
        host = self.properties.get("clientPortAddress", "").strip("[]")
        bindings = [(host, int(client))] if _PORT.fullmatch(client) else []
        if own:  # only its own line names ports it listens on
            bindings += [(own["host"].strip("[]"), int(own[port])) for port in ("peer", "election")]
        return bindings


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
    fast_failover: bool = True
    """Whether each broker runs under a supervisor, which closes its session with ZooKeeper as soon as it has ended."""

    @property
    def servers(self) -> tuple[ServerProcess, ...]:
        """All of them, in the order in which they start: ZooKeeper first."""
        return (*self.zookeeper, *self.brokers)


@dataclass(frozen=True, kw_only=True)
class PluginSource:
    """A plugin to install before a worker starts: one of the two sources, and what its file must be."""

    name: str
    """Name of its folder in ``plugin.path``."""
    maven: str | None = None
    """``group:artifact:version[:extension[:classifier]]``."""
    archive: str | None = None
    """URL, or path, of a ``.tar.gz``, ``.zip`` or ``.jar``."""
    checksum: str | None = None
    """``sha256:`` or ``sha512:`` and hexadecimal digits."""

    def faults(self) -> list[str]:
        """What is wrong with it as it is declared, each as half a sentence; empty when nothing is."""
        found = []
        if (self.maven is None) == (self.archive is None):
            found.append("needs either maven or archive")
        if self.maven is not None and not _COORDINATES.fullmatch(self.maven):
            found.append(f"maven = {self.maven!r} is not group:artifact:version[:extension[:classifier]]")
        if self.archive is not None and not _is_readable(self.archive):
            found.append(f"archive = {shown_location(self.archive)!r} is neither a URL nor a path")
        if self.archive is not None and self.checksum is None:
            found.append("has an archive without a checksum, and whatever is there would be run")
        if self.checksum is not None and not _CHECKSUM.fullmatch(self.checksum):
            found.append(
                f"checksum = {self.checksum!r} is neither sha256: with 64 nor sha512: with 128 hexadecimal digits"
            )
        return found


def shown_location(archive: str) -> str:
    """The URL without what may be a secret in it: user, password and query. A path is as it was."""
    if "://" not in archive:
        return archive
    return re.split(r"[?#]", re.sub(r"(?<=://)[^/\s]*@", "", archive), maxsplit=1)[0]


def _is_readable(archive: str) -> bool:
    try:
        urlsplit(archive)
    except ValueError:  # such as half an IPv6 address
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class ConnectDeclaration:
    """Workers that form one Connect cluster on this machine."""

    name: str
    directory: str
    """Folder that holds one folder per worker: configuration and log. ``~`` is the user's home."""
    workers: tuple[ServerProcess, ...]
    plugins: tuple[PluginSource, ...] = ()
    kafka_home: str | None = None
    """As for :class:`EnsembleDeclaration`."""
