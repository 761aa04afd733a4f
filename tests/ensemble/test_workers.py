"""Real Connect workers on this machine, beside one ensemble of one server of each kind, which all tests here share."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.seen import ConnectorSeen
from hikube_kafka.ensemble import EnsembleExistsError, workers
from hikube_kafka.ensemble import apply as apply_ensemble
from hikube_kafka.ensemble import destroy as destroy_ensemble
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.spec.connect import ConnectCluster
from hikube_kafka.spec.ensemble import ConnectDeclaration, PluginSource
from tests.support.ensemble import LivingEnsemble, small_ensemble
from tests.support.waiting import until

pytestmark = [pytest.mark.ensemble, pytest.mark.timeout(300)]

FILE = PluginSource(name="file", maven="org.apache.kafka:connect-file:3.9.2")
SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector"
CLUSTER = ConnectCluster(
    "changes",
    workers=2,
    heap="192Mi",
    config={
        # As short as a restart takes here; tasks of a worker that was killed wait for it.
        "scheduled.rebalance.max.delay.ms": 2000,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1000,
        "offset.storage.partitions": 1,
        "status.storage.partitions": 1,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    },
)


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingEnsemble]:
    """The ensemble. A worker makes its internal topics itself, since nobody has declared them."""
    config = {"min.insync.replicas": 1, "group.min.session.timeout.ms": 1000}
    living = small_ensemble(tmp_path_factory.mktemp("beside"), brokers=1, servers=1, connect=(CLUSTER,), config=config)
    try:
        apply_ensemble(living.declaration)
        yield living
    finally:
        destroy_ensemble(living.declaration.directory, keep_data=False)


@pytest.fixture
def declare(beside: LivingEnsemble, tmp_path: Path) -> Iterator[Callable[..., ConnectDeclaration]]:
    """Declares workers of a group of its own; they are stopped when the test ends."""
    group = f"group-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    directory = tmp_path / "workers"
    processes = beside.layout.connect_processes(beside.platform, beside.platform.connect[0])

    def declared(count: int = 2, plugins: tuple[PluginSource, ...] = (FILE,), **entries: str) -> ConnectDeclaration:
        own = {f"{kind}.storage.topic": f"{group}.{kind}" for kind in ("config", "offset", "status")}
        given = {name.replace("_", "."): value for name, value in entries.items()}
        return ConnectDeclaration(
            name="test",
            directory=str(directory),
            workers=tuple(
                replace(each, properties={**each.properties, "group.id": group, **own, **given})
                for each in processes[:count]
            ),
            plugins=plugins,
        )

    try:
        yield declared
    finally:
        workers.destroy(directory)


def client(declaration: ConnectDeclaration, worker: int = 0) -> ConnectClient:
    return ConnectClient([declaration.workers[worker].properties["listeners"]])


def pids(directory: str) -> dict[str, int]:
    return {name: each.pid for name, each in running_servers(Path(directory)).items()}


def balanced(connector: ConnectorSeen, declaration: ConnectDeclaration) -> bool:
    """Whether both workers run tasks, each as many as the other."""
    at = [task.worker for task in connector.tasks if task.state == "RUNNING"]
    ids = [each.properties["listeners"].removeprefix("http://") for each in declaration.workers]
    return [at.count(each) for each in ids] == [2] * len(ids)


def test_workers_form_one_group_heal_roll_and_shrink_while_their_tasks_go_on(
    declare: Callable[..., ConnectDeclaration], tmp_path: Path
) -> None:
    declared = declare()
    directory = declared.directory
    assert workers.apply(declared, owner="me", creating=True).is_healthy
    begun = pids(directory)
    with client(declared) as connect:
        # Four tasks, two a worker.
        assert {each.class_name for each in connect.plugins()} >= {SINK}
        connect.put_config(
            "lines",
            {
                "connector.class": SINK,
                "tasks.max": "4",
                "topics": "lines",
                "file": str(tmp_path / "lines.txt"),
                "consumer.override.auto.offset.reset": "earliest",
            },
        )
        until(lambda: balanced(connect.connector("lines"), declared), "tasks on both workers")

        told: list[str] = []
        assert workers.apply(declared, owner="me", progress=told.append).is_healthy
        assert (told, pids(directory)) == ([], begun), "nothing to do"

        killed = psutil.Process(begun["worker-0"])
        killed.kill()
        killed.wait(10)
        states = {each.name: each.state for each in workers.observe(declared).servers}
        assert states == {"worker-0": "stopped", "worker-1": "running"}
        assert workers.apply(declared, owner="me").is_healthy
        assert pids(directory)["worker-1"] == begun["worker-1"]
        tasks = connect.connector("lines").tasks
        assert [task.state for task in tasks] == ["RUNNING"] * 4, "no task waits once the apply has ended"

        told.clear()
        changed = declare(offset_flush_interval_ms="5000")
        assert [each.state for each in workers.observe(changed).servers] == ["configuration differs"] * 2
        assert workers.apply(changed, owner="me", progress=told.append).is_healthy
        order = [each for each in told if each.startswith(("restarting", "starting"))]
        assert [each.split()[0] + each.split()[1] for each in order] == [
            *("restartingworker-0", "startingworker-0", "restartingworker-1", "startingworker-1")
        ]
        assert [task.state for task in connect.connector("lines").tasks] == ["RUNNING"] * 4

        with pytest.raises(EnsembleExistsError):
            workers.apply(changed, owner="another", creating=True)
        fewer = declare(1, offset_flush_interval_ms="5000")
        assert [each.state for each in workers.observe(fewer).servers] == ["running", "not declared"]
        assert workers.apply(fewer, owner="me").is_healthy
        assert set(pids(directory)) == {"worker-0"}
        assert [task.state for task in connect.connector("lines").tasks] == ["RUNNING"] * 4
    assert workers.stop(directory, owner="me") == ["worker-0"]
    assert pids(directory) == {}
    workers.destroy(directory, owner="me")
    assert not Path(directory).exists()
