"""Servers on ``[::1]`` start, are read from every side, and are well; a shell's options for Java do not reach them."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hikube_kafka.ensemble import apply, destroy, observe
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.plugin.resource import State
from hikube_kafka.provider.resources.quorum import QuorumDataSource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.spec.ensemble import EnsembleDeclaration, ServerProcess
from tests.support.ensemble import free_layout

pytestmark = [pytest.mark.ensemble, pytest.mark.timeout(200)]


@pytest.fixture
def declaration(tmp_path: Path) -> Iterator[EnsembleDeclaration]:
    ports = free_layout()
    connect = f"[::1]:{ports.zookeeper_port}"
    zookeeper = {"dataDir": "data", "clientPort": str(ports.zookeeper_port), "clientPortAddress": "::1"}
    brokers = [
        {"broker.id": str(broker), "listeners": f"PLAINTEXT://[::1]:{ports.broker_port + broker}", "log.dirs": "data"}
        for broker in range(2)
    ]
    yield EnsembleDeclaration(
        name="six",
        directory=str(tmp_path / "six"),
        zookeeper=(
            ServerProcess(kind="zookeeper", id=1, heap="128m", properties={**zookeeper, "4lw.commands.whitelist": "*"}),
        ),
        brokers=tuple(
            ServerProcess(kind="broker", id=broker, heap="256m", properties={**entries, "zookeeper.connect": connect})
            for broker, entries in enumerate(brokers)
        ),
    )
    destroy(tmp_path / "six", keep_data=False)


def test_servers_on_ipv6_start_as_declared_and_are_seen_to_be_well(
    declaration: EnsembleDeclaration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dsaid.by.the.shell=1 -Xmx1k")
    monkeypatch.setenv("KAFKA_OPTS", "-Dsaid.by.the.shell=1")
    assert apply(declaration).is_healthy
    for server in running_servers(Path(declaration.directory)).values():
        assert not {"JAVA_TOOL_OPTIONS", "KAFKA_OPTS"} & psutil.Process(server.pid).environ().keys()
    assert {server.state for server in observe(declaration).servers} == {"running"}

    session = Session()
    addresses = [f"[::1]:{broker.ports[0]}" for broker in declaration.brokers]
    connect = declaration.brokers[0].properties["zookeeper.connect"]
    session.configure(Settings(bootstrap_servers=",".join(addresses), zookeeper_servers=connect))
    expected: State = {"expected_brokers": 2, "expected_zookeeper_servers": 1}
    read = QuorumDataSource(session).read(expected)
    assert (read["reasons"], read["brokers"], read["zookeeper_leader"]) == ([], [0, 1], connect)
