"""Everything that would keep an ensemble from starting, found before its first process starts."""

import errno
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from hikube_kafka.ensemble import jars, plugins
from hikube_kafka.ensemble.configuration import (
    data_folders,
    meta_properties,
    read_connect,
    read_declaration,
    written_properties,
)
from hikube_kafka.ensemble.errors import QuorumChangeError
from hikube_kafka.ensemble.java import heap_bytes, java_problems
from hikube_kafka.ensemble.living import plaintext_listener
from hikube_kafka.ensemble.ports import given_to_clients, holder, obstacle
from hikube_kafka.spec.ensemble import ConnectDeclaration, EnsembleDeclaration, Kind, ServerProcess

OVERHEAD_BYTES: Mapping[Kind, int] = {"zookeeper": 100 * 1024**2, "broker": 250 * 1024**2, "worker": 250 * 1024**2}
"""What a process takes beside its heap: classes, threads, direct buffers. A cautious assumption of this project."""

_KINDS: Mapping[str, Kind] = {kind: kind for kind in OVERHEAD_BYTES}
_MIB = 1024**2


def problems(
    declaration: EnsembleDeclaration,
    directory: Path,
    *,
    starting: Iterable[ServerProcess],
    changing: Iterable[ServerProcess],
    own_ports: Iterable[int],
) -> list[str]:
    """Every problem, one sentence each with what to do; empty when the ensemble can start.

    Args:
        declaration: what is to run.
        directory: its directory, absolute.
        starting: servers that do not run and will be started.
        changing: servers that run and will be restarted with another configuration.
        own_ports: ports that servers of this ensemble hold now, and give up when they are restarted.
    """
    starting, changing = tuple(starting), tuple(changing)
    found = [*_another_ensemble(declaration, directory), *_gates(declaration)]
    found += _foreign_data(declaration, directory)
    if starting or changing:
        found += java_problems() + jars.problems(declaration.kafka_home)
        found += _ports(declaration.servers, (*starting, *changing), frozenset(own_ports)) + _memory(starting)
    return found


def worker_problems(
    declaration: ConnectDeclaration,
    directory: Path,
    *,
    starting: Iterable[ServerProcess],
    changing: Iterable[ServerProcess],
    own_ports: Iterable[int],
) -> list[str]:
    """Every problem of the workers of a Connect cluster, as :func:`problems` tells those of an ensemble."""
    starting, changing = tuple(starting), tuple(changing)
    found = _another_cluster(declaration, directory)
    if starting or changing:
        found += start_problems(declaration)
        found += _ports(declaration.workers, (*starting, *changing), frozenset(own_ports)) + _memory(starting)
    return found


def start_problems(declaration: ConnectDeclaration) -> list[str]:
    """What keeps a worker from being started at all: Java, jars, plugins."""
    found = java_problems() + jars.problems(declaration.kafka_home, of_workers=True)
    return found + plugins.problems(declaration.plugins)


def _another_cluster(declaration: ConnectDeclaration, directory: Path) -> list[str]:
    if read_declaration(directory) is not None:
        return [f"{directory} holds an ensemble of ZooKeeper servers and brokers: name another directory."]
    before = read_connect(directory)
    if before is None or before.name == declaration.name:
        return []
    problem = (
        f"{directory} holds the Connect cluster {before.name!r}, not {declaration.name!r}: name another directory, or "
        "destroy the other one first."
    )
    return [problem]


def refuse_quorum_change(declaration: EnsembleDeclaration, directory: Path) -> None:
    """Keep the set of ZooKeeper servers as it is once they hold data.

    Raises:
        QuorumChangeError: other servers are declared than those that hold the data.
    """
    holding = [
        int(folder.name.removeprefix("zookeeper-"))
        for folder in directory.glob("zookeeper-*")
        if any((folder / "data" / "version-2").glob("*"))
    ]
    if not holding:
        return
    before = read_declaration(directory)
    existing = sorted(server.id for server in before.zookeeper) if before else sorted(holding)
    declared = sorted(server.id for server in declaration.zookeeper)
    if existing != declared:
        raise QuorumChangeError(directory, existing, declared)


def _gates(declaration: EnsembleDeclaration) -> list[str]:
    return [
        f"{broker.name} has no listener of the protocol PLAINTEXT ({broker.properties['listeners']}), over which a "
        "restart asks whether it is in sync: add one on 127.0.0.1."
        for broker in declaration.brokers
        if plaintext_listener(broker.properties) is None
    ]


def _another_ensemble(declaration: EnsembleDeclaration, directory: Path) -> list[str]:
    if read_connect(directory) is not None:
        return [f"{directory} holds the workers of a Connect cluster: name another directory."]
    before = read_declaration(directory)
    if before is None or before.name == declaration.name:
        return []
    problem = (
        f"{directory} holds the ensemble {before.name!r}, not {declaration.name!r}: name another directory, or destroy "
        "the other ensemble with keep_data = false."
    )
    return [problem]


def _foreign_data(declaration: EnsembleDeclaration, directory: Path) -> list[str]:
    """Data that these servers must not be started on: another server's, or that of different clusters."""
    found = []
    clusters: dict[str, list[str]] = defaultdict(list)
    for broker in declaration.brokers:
        for data in data_folders(directory / broker.name, broker):
            known = meta_properties(data)
            owner = known.get("broker.id", str(broker.id))
            if owner != str(broker.id):
                found.append(f"{data} holds the data of broker {owner}, not of {broker.name}: put it back to its own.")
            if "cluster.id" in known:
                clusters[known["cluster.id"]].append(broker.name)
    if len(clusters) > 1:
        listed = "; ".join(f"{', '.join(names)}: cluster {cluster}" for cluster, names in sorted(clusters.items()))
        found.append(f"{directory} holds brokers of different clusters ({listed}): keep only those of one.")
    folders = [(server, data_folders(directory / server.name, server)[0]) for server in declaration.zookeeper]
    for server, data in folders:
        owner = _text(data / "myid") or str(server.id)
        if owner != str(server.id):
            found.append(
                f"{data} holds the data of ZooKeeper server {owner}, not of {server.name}: put it back to its own."
            )
    with_data = sum(any((data / "version-2").glob("*")) for _, data in folders)
    if clusters and folders and with_data <= len(folders) // 2:
        found.append(
            f"Brokers in {directory} hold the data of cluster {', '.join(clusters)}, but only {with_data} of "
            f"{len(folders)} ZooKeeper servers hold any: a quorum of empty servers would forget every topic. Put the "
            "data of ZooKeeper back, or destroy the ensemble with keep_data = false."
        )
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return ""


def _ports(
    declared: Iterable[ServerProcess], needing: tuple[ServerProcess, ...], own_ports: frozenset[int]
) -> list[str]:
    found = []
    wanted: dict[int, list[str]] = defaultdict(list)
    for server in declared:
        for port in server.ports:
            wanted[port].append(server.name)
    for port, names in sorted(wanted.items()):
        if len(names) > 1:
            found.append(f"Port {port} is declared for {' and for '.join(names)}: give each its own.")
    for server in needing:
        for host, port in server.bindings:
            problem = None if port in own_ports else obstacle(host, port)
            if problem is not None:
                found.append(_blocked(server, host, port, problem))
    return found


def _blocked(server: ServerProcess, host: str, port: int, problem: OSError) -> str:
    """Why a server could not listen where it is to."""
    if problem.errno == errno.EADDRNOTAVAIL:
        return f"{server.name} is to listen on {host}, which is not an address of this machine: declare one that is."
    if problem.errno != errno.EADDRINUSE:
        return f"{server.name} cannot listen on port {port} of {host or 'this machine'}: {problem.strerror}."
    who, is_client = holder(port)
    if not is_client:
        return (
            f"Port {port}, which {server.name} listens on, is in use{who}: end that process, or declare another port."
        )
    said = f"Port {port}, which {server.name} listens on, is held{who} for an outgoing connection, and by no server"
    clients = given_to_clients()
    if clients is None or not clients[0] <= port <= clients[1]:
        return f"{said}: wait until it has ended, or declare another port."
    return (
        f"{said}. This system gives the ports {clients[0]} to {clients[1]} to clients, so it can happen again: declare "
        f"ports below {clients[0]}, or end that connection."
    )


def _memory(starting: tuple[ServerProcess, ...]) -> list[str]:
    needed = sum(heap_bytes(server.heap) + OVERHEAD_BYTES[server.kind] for server in starting)
    available = psutil.virtual_memory().available
    if needed <= available:
        return []
    listed = ", ".join(f"{server.name} {server.heap}" for server in starting)
    problem = (
        f"Not enough memory: {len(starting)} servers need {needed // _MIB} MiB with their overhead (heaps: {listed}), "
        f"and {available // _MIB} MiB are available. Declare smaller heaps, or fewer servers."
    )
    return [problem]


def held_ports(directory: Path, names: Iterable[str]) -> frozenset[int]:
    """Ports of the servers of these names, by the configuration that they were started with."""
    ports: set[int] = set()
    for name in names:
        kind, _, number = name.rpartition("-")
        written = written_properties(directory / name)
        server_kind = _KINDS.get(kind)
        if written and server_kind:
            ports.update(ServerProcess(kind=server_kind, id=int(number), properties=written, heap="0").ports)
    return frozenset(ports)
