"""Real Connect workers on this machine, beside one ensemble of one server of each kind, which all tests here share."""

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.seen import ConnectorSeen
from hikube_kafka.ensemble import EnsembleExistsError, PluginError, PreflightError, StartFailedError, jars, workers
from hikube_kafka.ensemble import apply as apply_ensemble
from hikube_kafka.ensemble import destroy as destroy_ensemble
from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.probe.observation import GroupSeen
from hikube_kafka.probe.worker_group import read_worker_group
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


def running(connector: ConnectorSeen) -> list[str]:
    return [task.worker for task in connector.tasks if task.state == "RUNNING"]


def spread(declaration: ConnectDeclaration) -> list[tuple[int, int]]:
    """Connectors and tasks of each member of the group, fewest first; none while some of it is about to change."""
    first = declaration.workers[0].properties
    group = read_worker_group(first["bootstrap.servers"], first["group.id"], timeout=10)
    assert isinstance(group, GroupSeen), group
    if not group.is_balanced:
        return []
    return sorted((share.connectors, share.tasks) for share in group.shares)


def archived(folder: Path) -> PluginSource:
    """The plugin that Maven has brought, as an archive of somebody's own."""
    (built,) = jars.cache_root().glob("plugins/org.apache.kafka_connect-file_*/connect-file-*.jar")
    archive = folder / "mine.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(built, "mine/connect-file.jar")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return PluginSource(name="mine", archive=archive.as_uri(), checksum=f"sha256:{digest}")


def test_workers_form_one_group_heal_roll_and_shrink_while_their_tasks_go_on(  # noqa: PLR0915 - one run of them
    declare: Callable[..., ConnectDeclaration], beside: LivingEnsemble, tmp_path: Path
) -> None:
    declared = declare()
    directory = declared.directory
    assert workers.apply(declared, owner="me", creating=True).is_healthy
    begun = pids(directory)
    with client(declared) as connect:
        # A connector that reads four partitions with four tasks, two a worker.
        admin = AdminClient({"bootstrap.servers": beside.bootstrap})
        admin.create_topics([NewTopic("lines", 4, 1)])["lines"].result(30)
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
        # A worker that runs its tasks may ask for one more rebalance still.
        until(
            lambda: len(running(connect.connector("lines"))) == 4 and spread(declared) == [(0, 2), (1, 2)],
            "four tasks run, two on each worker",
        )

        told: list[str] = []
        assert workers.apply(declared, owner="me", progress=told.append).is_healthy
        assert (told, pids(directory)) == ([], begun), "nothing to do"

        killed = psutil.Process(begun["worker-0"])
        killed.kill()
        killed.wait(10)
        states = {each.name: each.state for each in workers.observe(declared).servers}
        assert states == {"worker-0": "stopped", "worker-1": "running"}
        assert workers.apply(declared, owner="me").is_healthy
        before = pids(directory)
        assert before["worker-1"] == begun["worker-1"]
        assert len(running(connect.connector("lines"))) == 4, "no task waits once the apply has ended"
        assert spread(declared) == [(0, 2), (1, 2)], "the worker that is back has its share"

        told.clear()
        mine = archived(tmp_path)
        wrong = replace(mine, checksum=f"sha256:{'0' * 64}")
        with pytest.raises(PluginError, match="is not the file whose checksum is declared"):
            workers.apply(declare(plugins=(wrong,)), owner="me")
        assert (told, pids(directory)) == ([], before), "nothing was changed"

        changed = declare(plugins=(mine,))
        assert [each.state for each in workers.observe(changed).servers] == ["configuration differs"] * 2
        assert workers.apply(changed, owner="me", progress=told.append).is_healthy
        order = [each for each in told if each.startswith(("restarting", "starting"))]
        assert [each.split()[0] + each.split()[1] for each in order] == [
            *("restartingworker-0", "startingworker-0", "restartingworker-1", "startingworker-1")
        ]
        assert len(running(connect.connector("lines"))) == 4
        assert spread(changed) == [(0, 2), (1, 2)], "each worker has its share again"
        assert {each.version for each in connect.plugins() if each.class_name == SINK} == {"3.9.2"}
        links = [each.name for each in Path(directory).glob("worker-*/plugins/*")]
        assert links == ["mine", "mine"]

        producer = Producer({"bootstrap.servers": beside.bootstrap})
        producer.produce("lines", "after all of it")
        assert producer.flush(30) == 0
        until(lambda: "after all of it" in (tmp_path / "lines.txt").read_text(), "the record in the file")

        with pytest.raises(EnsembleExistsError):
            workers.apply(changed, owner="another", creating=True)
        fewer = declare(1, plugins=(mine,))
        assert [each.state for each in workers.observe(fewer).servers] == ["running", "not declared"]
        assert workers.apply(fewer, owner="me").is_healthy
        assert set(pids(directory)) == {"worker-0"}
        assert len(running(connect.connector("lines"))) == 4
    assert workers.stop(directory, owner="me") == ["worker-0"]
    assert pids(directory) == {}
    workers.destroy(directory, owner="me")
    assert not Path(directory).exists()


def test_a_worker_that_cannot_start_is_shown_with_its_reason_and_nothing_is_left(
    declare: Callable[..., ConnectDeclaration],
) -> None:
    declared = declare(2, key_converter="com.example.NoConverter")
    with pytest.raises(StartFailedError) as failure:
        workers.apply(declared, owner="me", creating=True)
    assert failure.value.server in {"worker-0", "worker-1"}
    assert "ended right after its start" in str(failure.value)
    assert "com.example.NoConverter" in str(failure.value)
    assert pids(declared.directory) == {}


def test_what_stands_in_the_way_is_told_before_anything_starts(
    declare: Callable[..., ConnectDeclaration], beside: LivingEnsemble, tmp_path: Path
) -> None:
    taken = beside.declaration.brokers[0].ports[0]
    listeners = declare(1, listeners=f"http://127.0.0.1:{taken}")
    with pytest.raises(PreflightError, match=rf"Port {taken}, which worker-0 listens on, is in use by java .*broker-0"):
        workers.apply(listeners)
    with pytest.raises(PreflightError, match="holds an ensemble of ZooKeeper servers and brokers"):
        workers.apply(replace(declare(1), directory=beside.declaration.directory))
    home = tmp_path / "home"
    shutil.copytree(
        jars.provide(None, Conduct()), home / "libs", ignore=shutil.ignore_patterns("connect-runtime*"), symlinks=True
    )
    with pytest.raises(PreflightError, match=r"has no connect-runtime-\*\.jar: name an unpacked Kafka"):
        workers.apply(replace(declare(1), kafka_home=str(home)))
    assert running_servers(Path(listeners.directory)) == {}
