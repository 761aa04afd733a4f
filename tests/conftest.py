"""A living 3+3 on this machine, for every room whose tests need one."""

import os
import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hikube_kafka.ensemble import apply, destroy
from hikube_kafka.spec.local import LocalLayout
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.process import EnsembleDeclaration

_BLOCKS = 9
_block = count(os.getpid())  # two test runs at the same time seldom begin with the same ports


class LivingEnsemble(NamedTuple):
    """A declaration, and where its brokers listen."""

    platform: Platform
    layout: LocalLayout
    declaration: EnsembleDeclaration
    bootstrap: str


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_layout() -> LocalLayout:
    """Ports that nobody listens on, below those that the system gives to clients (32768 and up on Linux)."""
    for _ in range(_BLOCKS):
        offset = 10 * (next(_block) % _BLOCKS)
        bases = {"broker_port": 31092, "zookeeper_port": 32181, "peer_port": 32288, "election_port": 32388}
        if all(_is_free(base + offset + server) for base in (*bases.values(), 31192) for server in range(5)):
            return LocalLayout(**{name: base + offset for name, base in bases.items()})
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
        zookeeper={
            "servers": servers,
            "resources": {"cpu": "250m", "memory": "256Mi"},
            "heap": "128Mi",
            "config": zookeeper_config or {},
        },
        kafka={
            "brokers": brokers,
            "resources": {"cpu": "500m", "memory": "512Mi"},
            "heap": "256Mi",
            "config": config or {},
        },
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


@pytest.fixture(scope="session")
def declare_ensemble() -> Callable[..., LivingEnsemble]:
    """The function :func:`small_ensemble`: tests cannot import from here."""
    return small_ensemble


@pytest.fixture(scope="session")
def living_ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingEnsemble]:
    """A 3+3 that runs, shared by the whole test run: leave it as you found it. Mark such a test ``ensemble``."""
    living = small_ensemble(tmp_path_factory.mktemp("living"))
    try:
        apply(living.declaration)
        yield living
    finally:
        destroy(living.declaration.directory, keep_data=False)
