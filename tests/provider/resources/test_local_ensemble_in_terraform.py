"""An ensemble on this machine through the real Terraform: started, killed, healed, changed, destroyed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Producer

from hikube_kafka.ensemble import destroy, status, stop
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.spec.ensemble import EnsembleDeclaration, ServerProcess
from tests.support.ensemble import small_ensemble
from tests.support.load import read_all
from tests.support.terraform import Workspace

pytestmark = [pytest.mark.journey, pytest.mark.terraform, pytest.mark.ensemble, pytest.mark.timeout(580)]

ADDRESS = "hikube_local_ensemble.this"


def blocks(declaration: EnsembleDeclaration, **attributes: Any) -> dict[str, Any]:
    """The ensemble as a resource in Terraform's JSON."""

    def servers(processes: tuple[Any, ...]) -> list[dict[str, Any]]:
        return [{"id": each.id, "heap": each.heap, "properties": dict(each.properties)} for each in processes]

    return {
        "name": declaration.name,
        "directory": declaration.directory,
        "zookeeper": servers(declaration.zookeeper),
        "brokers": servers(declaration.brokers),
        **attributes,
    }


def topic(name: str, replication_factor: int = 2, **attributes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "partitions": 2,
        "replication_factor": replication_factor,
        "deletion_protection": False,
        "depends_on": [ADDRESS],
        **attributes,
    }


class Stage:
    """A workspace and the ensemble that it declares: one ZooKeeper server and two brokers."""

    def __init__(self, workspace: Workspace, directory: Path) -> None:
        self.workspace = workspace
        self.directory = directory
        self.living = small_ensemble(directory, servers=1, brokers=2)

    def write(self, *, topics: dict[str, Any] | None = None, **attributes: Any) -> None:
        self.workspace.write(
            provider={
                "hikube": {
                    "bootstrap_servers": self.living.bootstrap,
                    "zookeeper_servers": self.living.declaration.brokers[0].properties["zookeeper.connect"],
                }
            },
            resource={
                "hikube_local_ensemble": {"this": blocks(self.living.declaration, **attributes)},
                **({"hikube_kafka_topic": topics} if topics else {}),
            },
        )

    def declare(self, **platform: Any) -> None:
        """Declare the same ensemble anew, with other numbers or entries."""
        self.living = small_ensemble(
            self.directory, layout=self.living.layout, **{"servers": 1, "brokers": 2, **platform}
        )

    def processes(self) -> dict[str, int]:
        seen = status(self.directory)
        return {each.name: each.pid for each in seen.servers if each.pid} if seen else {}

    def started(self) -> set[str]:
        """Names of the processes, whether they answer yet or not."""
        return set(running_servers(self.directory.resolve()))


@pytest.fixture
def stage(workspace: Workspace, tmp_path: Path) -> Iterator[Stage]:
    directory = tmp_path / "ensemble"
    stage = Stage(workspace, directory)
    yield stage
    destroy(directory, keep_data=False)


def kill(pid: int) -> None:
    process = psutil.Process(pid)
    process.kill()
    process.wait(10)


def test_an_ensemble_is_started_killed_shown_healed_and_destroyed(stage: Stage) -> None:
    stage.write(topics={"orders": topic("orders")})
    stage.workspace.apply()
    state = stage.workspace.state(ADDRESS)
    assert state["processes"] == dict.fromkeys(("zookeeper-1", "broker-0", "broker-1"), "running")
    assert state["bootstrap_servers"] == stage.living.bootstrap
    assert len(state["cluster_id"]) == 22
    assert stage.workspace.plan() == "empty"
    before = stage.processes()

    producer = Producer({"bootstrap.servers": stage.living.bootstrap, "acks": "all", "enable.idempotence": True})
    for number in range(50):
        producer.produce("orders", str(number).encode())
    assert producer.flush(30) == 0

    # One broker, the controller even: the plan shows it and nothing else; the topic is read through the other.
    dead = producer.list_topics(timeout=10).controller_id
    kill(before[f"broker-{dead}"])
    shown = stage.workspace.plan()
    assert f'"broker-{dead}" = "stopped" -> "running"' in shown
    assert "were not read" not in shown
    assert "0 to add, 1 to change, 0 to destroy" in shown

    # All of them: the topic is not taken for lost, and one apply heals everything. A topic that is new in the same
    # plan needs more copies than there are live brokers: they are just being started.
    for name in (f"broker-{1 - dead}", "zookeeper-1"):
        kill(before[name])
    shown = stage.workspace.plan()
    assert "The topics were not read" in shown
    assert "0 to add, 1 to change, 0 to destroy" in shown
    stage.write(topics={"orders": topic("orders"), "late": topic("late")})
    assert "1 added, 1 changed, 0 destroyed" in stage.workspace.apply()
    assert stage.workspace.plan() == "empty"
    assert stage.workspace.state(ADDRESS)["cluster_id"] == state["cluster_id"]
    assert not set(stage.processes().values()) & set(before.values())

    seen = {int(value) for value in read_all(stage.living.bootstrap, "orders", 2)}
    assert seen == set(range(50))

    done = stage.workspace.run("destroy", "-auto-approve")
    assert done.returncode == 0, done.stdout
    assert f"The data of ensemble test stays in {stage.directory}" in done.stdout
    assert stage.processes() == {}
    assert list(stage.directory.glob("broker-0/data/*"))


def test_changed_configuration_is_rolled_brokers_are_added_and_those_with_replicas_stay(stage: Stage) -> None:
    stage.write(topics={"orders": topic("orders")})
    stage.workspace.apply()
    before = stage.processes()

    stage.declare(brokers=3, config={"log.cleaner.threads": 2})
    stage.write(topics={"orders": topic("orders", replication_factor=3)})
    shown = stage.workspace.plan()
    assert '+ "broker-2" = "running"' in shown
    stage.workspace.apply()
    after = stage.processes()
    assert after["zookeeper-1"] == before["zookeeper-1"]
    assert all(after[broker] != before[broker] for broker in ("broker-0", "broker-1"))
    assert stage.workspace.state("hikube_kafka_topic.orders")["replication_factor"] == 3
    assert stage.workspace.plan() == "empty"

    # A broker that holds replicas cannot go, nor can the set of ZooKeeper servers change: both are refused at plan.
    stage.declare(brokers=2, config={"log.cleaner.threads": 2})
    stage.write(topics={"orders": topic("orders", replication_factor=2)})
    said = stage.workspace.refused("plan")
    assert "Broker 2: it cannot be removed: it holds replicas" in said
    assert " of orders)" in said
    stage.declare(brokers=3, servers=3, config={"log.cleaner.threads": 2})
    stage.write(topics={"orders": topic("orders", replication_factor=3)})
    assert "cannot change from 1 to 1, 2, 3" in stage.workspace.refused("plan")
    assert stage.processes() == after

    # keep_data = false: nothing stays, once it has been applied.
    stage.declare(brokers=3, config={"log.cleaner.threads": 2})
    stage.write(keep_data=False)
    stage.workspace.apply()
    assert stage.workspace.run("destroy", "-auto-approve").returncode == 0
    assert not stage.directory.exists()


@pytest.mark.parametrize("server", [None, "zookeeper-1", "broker-1"])
def test_an_interrupted_start_ends_well_at_the_next_apply(stage: Stage, server: str | None) -> None:
    stage.write(topics={"orders": topic("orders")}, keep_data=False)
    workspace = stage.workspace
    workspace.apply_interrupted(f"{ADDRESS}: Creating...", also=lambda: server is None or server in stage.started())
    known = {resource["address"] for resource in workspace.resources()}
    before = stage.processes()
    assert not before or ADDRESS in known, "processes nobody knows of"
    assert "0 destroyed" in workspace.apply()
    assert workspace.plan() == "empty"
    assert stage.processes().items() >= before.items(), "servers were restarted"
    assert set(stage.processes()) == {"zookeeper-1", "broker-0", "broker-1"}


def test_an_ensemble_belongs_to_one_state_until_it_is_imported_or_released(
    stage: Stage, new_workspace: Callable[[str], Workspace]
) -> None:
    stage.write()
    stage.workspace.apply()
    before, cluster = stage.processes(), stage.workspace.state(ADDRESS)["cluster_id"]

    # Another state, with less care for the data: refused, and it can be imported there.
    first, second = stage.workspace, new_workspace("second")
    stage.workspace = second
    stage.write(keep_data=False)
    assert "[local-ensemble-exists]" in second.refused("plan")
    second.expect("import", ADDRESS, str(stage.directory))
    shown = second.plan()
    assert "keep_data = true -> false" in shown
    assert "0 to add, 1 to change, 0 to destroy" in shown
    second.expect("state", "rm", ADDRESS)
    assert stage.processes() == before

    # Stopped, it is free, and what was kept is taken up: an interruption there does not cost the data either.
    stop(stage.directory)
    second.apply_interrupted(f"{ADDRESS}: Creating...", also=lambda: "broker-0" in stage.started())
    assert "0 destroyed" in second.apply()
    assert second.state(ADDRESS)["cluster_id"] == cluster

    # By now the first state holds it no more: it neither changes nor destroys what the second one runs.
    before = stage.processes()
    assert "[local-ensemble-held-elsewhere]" in first.refused("apply", "-auto-approve")
    assert "[local-ensemble-held-elsewhere]" in first.refused("destroy", "-auto-approve")
    assert stage.processes() == before
    assert second.plan() == "empty"


def test_an_interrupted_healing_is_taken_up_by_the_next_apply_without_a_replacement(stage: Stage) -> None:
    stage.write(topics={"orders": topic("orders")})
    stage.workspace.apply()
    cluster = stage.workspace.state(ADDRESS)["cluster_id"]
    for pid in stage.processes().values():
        kill(pid)
    stage.workspace.apply_interrupted(f"{ADDRESS}: Modifying...", also=lambda: "broker-0" in stage.started())
    assert "0 destroyed" in stage.workspace.apply()
    assert stage.workspace.plan() == "empty"
    assert stage.workspace.state(ADDRESS)["cluster_id"] == cluster


def test_a_server_that_cannot_start_leaves_nothing_running_and_shows_its_log(stage: Stage) -> None:
    broker = stage.living.declaration.brokers[1]
    broken = replace(broker, properties={**broker.properties, "metric.reporters": "no.such.Reporter"})
    declaration = replace(stage.living.declaration, brokers=(stage.living.declaration.brokers[0], broken))
    stage.living = stage.living._replace(declaration=declaration)
    stage.write()
    said = stage.workspace.refused("apply", "-auto-approve")
    assert "broker-1" in said
    assert "no.such.Reporter" in said
    assert stage.processes() == {}
    assert stage.workspace.resources() == []


def test_the_quorum_is_healthy_says_why_not_and_fails_only_when_nothing_answers(
    stage: Stage, new_workspace: Callable[[str], Workspace]
) -> None:
    stage.write()
    stage.workspace.apply()
    looking = new_workspace("looking")

    def look(bootstrap: str, zookeeper: str) -> Any:
        looking.write(
            provider={"hikube": {"bootstrap_servers": bootstrap, "zookeeper_servers": zookeeper}},
            data={"hikube_kafka_quorum": {"this": {"expected_brokers": 2, "expected_zookeeper_servers": 1}}},
            output={"quorum": {"value": "${data.hikube_kafka_quorum.this}"}},
        )
        looking.apply()
        return looking.state("data.hikube_kafka_quorum.this")

    zookeeper = stage.living.declaration.brokers[0].properties["zookeeper.connect"]
    seen = look(stage.living.bootstrap, zookeeper)
    assert (seen["healthy"], seen["reasons"]) == (True, [])
    assert seen["brokers"] == [0, 1]
    assert seen["controller"] in {0, 1}
    assert [server["mode"] for server in seen["zookeeper"]] == ["standalone"]

    kill(stage.processes()["broker-1"])
    seen = look(stage.living.bootstrap, zookeeper)
    assert seen["healthy"] is False
    assert any(stage.living.bootstrap.split(",")[1] in reason for reason in seen["reasons"])

    looking.write(
        provider={"hikube": {"bootstrap_servers": "127.0.0.1:9", "zookeeper_servers": "127.0.0.1:9"}},
        data={"hikube_kafka_quorum": {"this": {}}},
    )
    assert "Nothing can be read of the cluster" in looking.refused("plan")


def secured(broker: ServerProcess) -> ServerProcess:
    """The broker with a second listener, for clients that log in."""
    listener = broker.properties["listeners"]
    name, _, address = listener.partition("://")
    both = f"{listener},SECURED://127.0.0.1:{int(address.rpartition(':')[2]) + 100}"
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";'
    return replace(
        broker,
        properties={
            **broker.properties,
            "listeners": both,
            "advertised.listeners": both,
            "listener.security.protocol.map": f"{name}:PLAINTEXT,SECURED:SASL_PLAINTEXT",
            "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secured.plain.sasl.jaas.config": jaas,
        },
    )


def test_a_broker_with_passwords_lets_in_who_knows_one_and_is_told_apart_from_a_dead_one(stage: Stage) -> None:
    brokers = [secured(broker) for broker in stage.living.declaration.brokers]
    declaration = replace(stage.living.declaration, brokers=tuple(brokers))
    addresses = [broker.properties["listeners"].rpartition("://")[2] for broker in brokers]

    def write(password: str, replication_factor: int = 1) -> None:
        stage.workspace.write(
            provider={
                "hikube": {
                    "bootstrap_servers": ",".join(addresses),
                    "security_protocol": "SASL_PLAINTEXT",
                    "sasl_mechanism": "PLAIN",
                    "username": "alice",
                    "password": password,
                }
            },
            resource={
                "hikube_local_ensemble": {"this": blocks(declaration)},
                "hikube_kafka_topic": {"orders": topic("orders", replication_factor)},
            },
        )

    write("alice-secret")
    stage.workspace.apply()
    assert stage.workspace.plan() == "empty"
    write("another-secret")
    said = stage.workspace.refused("plan")
    assert "The cluster does not let the provider in" in said
    assert "another-secret" not in said
    # The move of replicas goes through another client: it must get in by the same settings.
    write("alice-secret", replication_factor=2)
    stage.workspace.environment["TF_LOG"] = "TRACE"
    said = stage.workspace.apply()
    assert "moving replicas" in said
    assert "alice-secret" not in said.replace('\\"alice-secret\\"', "")  # the broker's own property, in the plan
    del stage.workspace.environment["TF_LOG"]
    assert stage.workspace.plan() == "empty"
