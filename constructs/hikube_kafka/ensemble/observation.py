"""What an ensemble looks like now: for a plan, and for people."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.configuration import (
    DECLARATION_FILE,
    SERVER_LOG,
    data_folders,
    digest,
    is_written,
    meta_properties,
    read_connect,
    read_declaration,
    written_properties,
)
from hikube_kafka.ensemble.living import (
    LivingEnsemble,
    Picture,
    client_address,
    is_silent,
    plaintext_listener,
    zookeeper_mode,
)
from hikube_kafka.ensemble.processes import RunningServer, running_directories, settled_servers
from hikube_kafka.spec.ensemble import EnsembleDeclaration, Kind
from hikube_kafka.spec.problem import shortened

State = Literal[
    "running", "stopped", "not answering", "configuration differs", "not in sync", "not joined", "not declared"
]

_CONNECT_SECONDS = 3


@dataclass(frozen=True, kw_only=True)
class ServerObservation:
    """One server, as seen now."""

    name: str
    kind: Kind
    id: int
    state: State
    detail: str
    """Why it is in this state; of a healthy one its role: ``leader``, ``follower``, ``standalone``, ``controller``."""
    pid: int | None
    memory_bytes: int | None
    """Resident set size."""
    uptime_seconds: float | None
    log: Path


@dataclass(frozen=True, kw_only=True)
class EnsembleObservation:
    """An ensemble, as seen now."""

    name: str
    directory: Path
    cluster_id: str | None
    """As the brokers wrote it beside their data; None when none of them has ever run."""
    servers: tuple[ServerObservation, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether every declared server runs as declared and in sync, and no other."""
        return all(server.state == "running" for server in self.servers)


def observe(declaration: EnsembleDeclaration) -> EnsembleObservation:
    """Look at the ensemble; changes nothing and needs no Java."""
    seen = _look(declaration)
    if any(server.state == "not in sync" for server in seen.servers):
        # An answer may have been late, on a machine that is busy, or a topic may just have gone.
        seen = _look(declaration)
    return seen


def _look(declaration: EnsembleDeclaration) -> EnsembleObservation:
    directory = Path(declaration.directory).expanduser().resolve()
    # A broker that was killed a moment ago does not run, though its supervisor still has its name.
    running = settled_servers(directory)
    modes = {
        server.name: zookeeper_mode(server.properties) for server in declaration.zookeeper if server.name in running
    }
    picture = (
        _picture(declaration, directory, running, [name for name, mode in modes.items() if mode is None])
        if any(modes.values()) and any(_is_broker(name) for name in running)
        else None
    )
    servers = []
    for server in declaration.servers:
        state: State
        if server.name not in running:
            state, detail = "stopped", "no process"
        elif running[server.name].digest != digest(declaration, server):
            state, detail = "configuration differs", "started with another configuration"
        elif not is_written(directory / server.name, server):
            state, detail = "configuration differs", "its file was changed on disk"
        elif server.kind == "zookeeper":
            mode = modes[server.name]
            state, detail = ("running", mode) if mode else ("not in sync", "does not serve in a quorum")
        else:
            state, detail = _broker_state(server.id, picture)
        if state == "not in sync" and (silence := _silence(directory, running[server.name])):
            state, detail = "not answering", silence
        servers.append(seen(directory, server.name, state, detail, running.get(server.name)))
    undeclared = sorted(running.keys() - {server.name for server in declaration.servers})
    servers += [
        seen(directory, name, "not declared", "runs, but is not declared", running[name]) for name in undeclared
    ]
    return EnsembleObservation(
        name=declaration.name,
        directory=directory,
        cluster_id=_cluster_id(declaration, directory),
        servers=tuple(servers),
    )


def status(directory: str | Path) -> EnsembleObservation | None:
    """Look at the ensemble in this directory, by what was declared last; None when there is none."""
    declaration = read_declaration(Path(directory).expanduser().resolve())
    return observe(declaration) if declaration else None


def default_directory(name: str) -> Path:
    """``${XDG_DATA_HOME:-~/.local/share}/hikube-kafka/<name>``."""
    root = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(root) / "hikube-kafka" / name


def ensembles() -> list[Path]:
    """Directories of the ensembles under the default root, in alphabetical order."""
    return sorted(path.parent for path in default_directory("x").parent.glob(f"*/{DECLARATION_FILE}"))


def running_directory(name: str) -> Path | None:
    """Where servers of an ensemble of this name run: in its default directory rather than in another; None: nowhere."""
    default, running = default_directory(name).resolve(), running_directories()
    if default in running:
        return default
    return next((directory for directory in running if _declared_name(directory) == name), None)


def _declared_name(directory: Path) -> str | None:
    try:
        declaration = read_declaration(directory) or read_connect(directory)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # somebody else's, or being written by another version
    return declaration.name if declaration else None


def _is_broker(name: str) -> bool:
    return name.startswith("broker-")


def broker_addresses(directory: Path, names: Iterable[str]) -> dict[int, str]:
    """Where each of these brokers listens without asking for credentials, by the file that it was started with."""
    found: dict[int, str] = {}
    for name in names:
        written = written_properties(directory / name) if _is_broker(name) else {}
        address = plaintext_listener(written) if "listeners" in written else None
        if address:
            found[int(name.removeprefix("broker-"))] = address
    return found


def _silence(directory: Path, server: RunningServer) -> str:
    """How a server that runs says nothing at all; empty where it says something, or does not listen yet."""
    if server.is_suspended():
        return f"suspended: kill -CONT {server.pid} continues it"
    return "it hangs: it listens and does not answer" if is_silent(written_properties(directory / server.name)) else ""


def _picture(
    declaration: EnsembleDeclaration, directory: Path, running: Iterable[str], silent: Iterable[str]
) -> Picture | None:
    connect = declaration.brokers[0].properties["zookeeper.connect"] if declaration.brokers else ""
    if not connect:
        return None
    # A client that happens to begin with a server that does not serve would wait for it.
    hosts, slash, chroot = connect.partition("/")
    passed = {client_address(server.properties) for server in declaration.zookeeper if server.name in silent}
    serving = [host for host in hosts.split(",") if host.strip() not in passed]
    connect = ",".join(serving or [hosts]) + slash + chroot
    with LivingEnsemble(connect, lambda: broker_addresses(directory, running)) as living:
        return living.picture() if Conduct().until(living.is_connected, _CONNECT_SECONDS) else None


def _broker_state(broker: int, picture: Picture | None) -> tuple[State, str]:
    if picture is None:
        return "not in sync", "the cluster cannot be read"
    if not picture.is_registered(broker):
        return "not in sync", "not registered"
    behind = picture.behind(broker)
    if behind:
        return "not in sync", f"behind in {len(behind)} partitions: {shortened(behind, most=3)}"
    return "running", "controller" if broker == picture.controller else ""


def _cluster_id(declaration: EnsembleDeclaration, directory: Path) -> str | None:
    for broker in declaration.brokers:
        for data in data_folders(directory / broker.name, broker):
            cluster = meta_properties(data).get("cluster.id")
            if cluster:
                return cluster
    return None


def seen(directory: Path, name: str, state: State, detail: str, running: RunningServer | None) -> ServerObservation:
    """One server in a state; what has ended meanwhile is stopped.

    Args:
        directory: of the ensemble or of the Connect cluster.
        name: its name.
        state: as it was found.
        detail: why.
        running: its process; None: there is none.
    """
    kind: Kind = "broker" if _is_broker(name) else "worker" if name.startswith("worker-") else "zookeeper"
    memory: int | None = None
    uptime: float | None = None
    if running is not None:
        try:
            memory = int(running.process.memory_info().rss)
            uptime = time.time() - float(running.process.create_time())
        except psutil.NoSuchProcess:
            state, detail, running = "stopped", "ended while it was being checked", None
    return ServerObservation(
        name=name,
        kind=kind,
        id=int(name.rpartition("-")[2]),
        state=state,
        detail=detail,
        pid=running.pid if running else None,
        memory_bytes=memory,
        uptime_seconds=uptime,
        log=directory / name / SERVER_LOG,
    )
