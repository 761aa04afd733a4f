"""Connect workers on this machine through the real Terraform: started, killed, healed, changed, destroyed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hikube_kafka.ensemble import apply as apply_ensemble
from hikube_kafka.ensemble import destroy as destroy_ensemble
from hikube_kafka.ensemble import workers
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.spec.connect import ConnectCluster
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

    def write(**entries: str) -> None:
        worker: dict[str, Any] = {"id": 0, "heap": process.heap, "properties": {**process.properties, **entries}}
        attributes = {"name": "changes", "directory": str(directory), "workers": [worker]}
        workspace.write(provider={"hikube": {}}, resource={"hikube_local_connect": {"this": attributes}})

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

    write(**{"offset.flush.interval.ms": "5000"})
    assert "1 to change" in workspace.apply()
    assert running().keys() == {"worker-0"}
    assert running() != healed

    workspace.expect("destroy", "-auto-approve", "-input=false")
    assert running() == {}
    assert not directory.exists()
