"""Ensembles of servers on this machine, with small heaps, on ports that nobody else uses."""

import os
import socket
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from hikube_kafka.probe.kafka import read_metadata
from hikube_kafka.probe.observation import Unreadable
from hikube_kafka.spec import Kafka, Platform, Resources, ZooKeeper
from hikube_kafka.spec.ensemble import EnsembleDeclaration
from hikube_kafka.spec.targets.local import LocalLayout
from tests.support.waiting import until

SERVERS = 5
"""How many ports of each kind an ensemble may need."""
_BASES = {
    "broker_port": 31092,
    "zookeeper_port": 32181,
    "peer_port": 32288,
    "election_port": 32388,
    "connect_port": 31583,
}
_SECOND_LISTENERS = 31192
_BLOCKS = 18


def own_blocks() -> list[int]:
    """The blocks of this process: workers of one run share none; two runs seldom begin with the same."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = list(range(worker, _BLOCKS, workers))
    first = os.getpid() % len(own)
    return own[first:] + own[:first]


_blocks = own_blocks()
_next = count()


class LivingEnsemble(NamedTuple):
    """A declaration, and where its brokers listen."""

    platform: Platform
    layout: LocalLayout
    declaration: EnsembleDeclaration
    bootstrap: str


def suspend(process: psutil.Process) -> None:
    """Stop the process with SIGSTOP, and wait until it has: on a busy machine it first has to get its turn."""
    process.suspend()
    until(lambda: process.status() == psutil.STATUS_STOPPED, f"{process} is suspended")


def await_topic(bootstrap: str, topic: str, partitions: int = 1) -> None:
    """Wait until every broker knows the topic: the controller tells each by itself, and a busy one hears of it late."""

    def knows(address: str) -> bool:
        view = read_metadata(address, timeout=10)
        return not isinstance(view, Unreadable) and sum(name == topic for name, *_ in view.partitions) >= partitions

    until(lambda: all(map(knows, bootstrap.split(","))), f"every broker knows {topic} with {partitions} partitions")


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_port() -> int:
    """A port that nobody listens on, of those that the system gives to whoever asks for any."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def free_layout() -> LocalLayout:
    """Ports that nobody listens on, below those that the system gives to clients (32768 and up on Linux)."""
    for _ in _blocks:
        offset = SERVERS * _blocks[next(_next) % len(_blocks)]
        bases = (*_BASES.values(), _SECOND_LISTENERS)
        if all(is_free(base + offset + server) for base in bases for server in range(SERVERS)):
            return LocalLayout(**{name: base + offset for name, base in _BASES.items()})
    pytest.fail("no block of free ports: does another test run leave servers behind?")


def small_ensemble(
    directory: Path,
    *,
    name: str = "test",
    brokers: int = 3,
    servers: int = 3,
    layout: LocalLayout | None = None,
    config: dict[str, Any] | None = None,
    zookeeper_config: dict[str, Any] | None = None,
    **platform: Any,
) -> LivingEnsemble:
    """Declare an ensemble with small heaps on free ports; starts nothing."""
    declared = Platform(
        name=name,
        zookeeper=ZooKeeper(
            servers=servers,
            resources=Resources(cpu="250m", memory="256Mi"),
            heap="128Mi",
            config=zookeeper_config or {},
        ),
        kafka=Kafka(
            brokers=brokers,
            resources=Resources(cpu="500m", memory="512Mi"),
            heap="256Mi",
            config=config or {},
        ),
        **platform,
    )
    layout = layout or free_layout()
    declaration = EnsembleDeclaration(
        name=name,
        directory=str(directory),
        zookeeper=layout.zookeeper_processes(declared),
        brokers=layout.broker_processes(declared),
    )
    bootstrap = ",".join(f"127.0.0.1:{layout.broker_port + broker}" for broker in range(brokers))
    return LivingEnsemble(declared, layout, declaration, bootstrap)
