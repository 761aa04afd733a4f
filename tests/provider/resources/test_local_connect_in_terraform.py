"""Connect workers on this machine through the real Terraform: started, killed, healed, changed, destroyed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.ensemble import apply as apply_ensemble
from hikube_kafka.ensemble import destroy as destroy_ensemble
from hikube_kafka.ensemble import workers
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.spec.connect import ConnectCluster
from tests.support.connect import FILE_SOURCE
from tests.support.ensemble import LivingEnsemble, small_ensemble
from tests.support.terraform import Workspace

pytestmark = [pytest.mark.terraform, pytest.mark.ensemble, pytest.mark.timeout(300)]

ADDRESS = "hikube_local_connect.this"
CLUSTER = ConnectCluster(
    "changes",
    workers=1,
    heap="192Mi",
    config={
        "scheduled.rebalance.max.delay.ms": 0,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1000,
        "offset.storage.partitions": 1,
        "status.storage.partitions": 1,
    },
)


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[LivingEnsemble]:
    """One server of each kind; the worker makes its internal topics itself."""
    config = {"min.insync.replicas": 1, "group.min.session.timeout.ms": 1000}
    living = small_ensemble(tmp_path / "ensemble", brokers=1, servers=1, connect=(CLUSTER,), config=config)
    try:
        apply_ensemble(living.declaration)
        yield living
    finally:
        workers.destroy(tmp_path / "workers")
        destroy_ensemble(living.declaration.directory, keep_data=False)


def test_workers_are_started_killed_shown_healed_changed_and_destroyed(
    workspace: Workspace, beside: LivingEnsemble, tmp_path: Path
) -> None:
    directory = tmp_path / "workers"
    (process,) = beside.layout.connect_processes(beside.platform, beside.platform.connect[0])

    def write(
        entries: Mapping[str, str] | None = None,
        *,
        block: Mapping[str, str] | None = None,
        workers: bool = True,
        connector: bool = False,
    ) -> None:
        worker: dict[str, Any] = {
            "id": 0,
            "heap": process.heap,
            "properties": {**process.properties, **(entries or {})},
        }
        plugins = [{"name": "file", "maven": "org.apache.kafka:connect-file:3.9.2"}]
        attributes = {"name": "changes", "directory": str(directory), "workers": [worker], "plugins": plugins}
        lines: dict[str, Any] = {"name": "lines", "class": FILE_SOURCE, "config": {"topic": "lines"}}
        lines |= {"state": "stopped", "provider": "hikube.changes"}
        resources = {"hikube_local_connect": {"this": attributes}} if workers else {}
        resources |= {"hikube_kafka_connector": {"this": {**lines, "depends_on": [ADDRESS]}}} if connector else {}
        blocks = [{}, {"alias": "changes", **block}] if block is not None else [{}]
        workspace.write(provider={"hikube": blocks}, **({"resource": resources} if resources else {}))

    def running() -> dict[str, int]:
        return {name: each.pid for name, each in running_servers(directory.resolve()).items()}

    write()
    workspace.apply()
    state = workspace.state(ADDRESS)
    assert (state["processes"], state["urls"]) == ({"worker-0": "running"}, process.properties["listeners"])

    killed = psutil.Process(running()["worker-0"])
    killed.kill()
    killed.wait(10)
    assert '"worker-0" = "stopped" -> "running"' in workspace.apply()
    healed = running()
    assert workspace.plan() == "empty"

    slower = {"offset.flush.interval.ms": "5000"}
    write(slower)
    assert "1 to change" in workspace.apply()
    assert running().keys() == {"worker-0"}
    assert running() != healed

    # A connector by a block of its own, which leaves the configuration together with the workers.
    url = process.properties["listeners"]
    write(slower, block={"connect_url": url}, connector=True)
    workspace.apply()
    with ConnectClient([url]) as client:
        assert client.connector("lines").state == "STOPPED"
    write()
    assert "Provider configuration not present" in workspace.refused("plan")
    write(block={"local_connect": str(directory)}, workers=False)
    assert "0 added, 0 changed, 2 destroyed" in workspace.apply()
    assert running() == {}
    assert not directory.exists()
    write(workers=False)
    assert workspace.plan() == "empty"
