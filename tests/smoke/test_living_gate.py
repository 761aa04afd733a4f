"""The gate before real servers: well, and with one thing broken for real."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from kazoo.client import KazooClient

from hikube_kafka.ensemble import NotInSyncError, Patience, apply, observe
from hikube_kafka.exit_code import ExitCode
from hikube_kafka.probe.kafka import observe_kafka, read_metadata
from hikube_kafka.probe.observation import ServerStatus, Unreadable
from hikube_kafka.probe.zookeeper import observe_zookeeper
from hikube_kafka.smoke.canary import PREFIX
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.smoke.gate import run
from hikube_kafka.smoke.report import Report
from hikube_kafka.spec.contract import Contract, TopicExpected
from tests.support.ensemble import LivingEnsemble
from tests.support.load import new_topic
from tests.support.waiting import until

pytestmark = pytest.mark.ensemble


@pytest.fixture(scope="module")
def promised(living_ensemble: LivingEnsemble) -> Contract:
    """The contract of the shared ensemble."""
    contract: Contract = living_ensemble.layout.contract(living_ensemble.platform)
    return contract


@pytest.fixture(scope="module")
def admin(living_ensemble: LivingEnsemble) -> AdminClient:
    return AdminClient({"bootstrap.servers": living_ensemble.bootstrap})


@pytest.fixture
def healed(living_ensemble: LivingEnsemble) -> Iterator[None]:
    """Leave the shared ensemble as it was found."""
    yield
    apply(living_ensemble.declaration)


@pytest.fixture(scope="module")
def declared(promised: Contract, admin: AdminClient) -> Iterator[Contract]:
    """The contract with a topic more, which exists."""
    topic = TopicExpected(name="smoke-declared", partitions=3, replication_factor=3, config={"retention.ms": "60000"})
    made = NewTopic(topic.name, topic.partitions, topic.replication_factor, config=dict(topic.config))
    admin.create_topics([made])[topic.name].result(timeout=30)
    yield promised.model_copy(update={"topics": (topic,)})
    admin.list_topics(timeout=30)  # the controller may be another broker by now
    admin.delete_topics([topic.name], operation_timeout=30)[topic.name].result(timeout=30)


@pytest.fixture
def settled(promised: Contract) -> None:
    """All is well, and topics that other tests have just deleted are forgotten by every broker."""
    assert run(promised, canary=False).faults == ()


def finding(report: Report, check: str) -> Finding:
    return next(each for each in report.findings if each.check == check)


def kill(living: Any, name: str) -> None:
    process = psutil.Process(next(each.pid for each in observe(living.declaration).servers if each.name == name))
    process.kill()
    process.wait(30)


def terminate(living: Any, name: str) -> None:
    process = psutil.Process(next(each.pid for each in observe(living.declaration).servers if each.name == name))
    process.terminate()
    process.wait(30)


def canaries_are(wanted: list[str], promised: Contract) -> None:
    """These canary topics are left, as every broker has it: one may hear of a deletion a moment later."""

    def left() -> list[list[str]]:
        views = [read_metadata(broker.address, timeout=10) for broker in promised.kafka.brokers]
        return [
            sorted(name for name in view.topics if name.startswith(PREFIX))
            for view in views
            if not isinstance(view, Unreadable)
        ]

    until(
        lambda: left() == [wanted] * len(promised.kafka.brokers),
        lambda: f"the canaries {wanted} are left: {left()}",
        30,
    )


def test_a_healthy_ensemble_passes_every_check(declared: Contract) -> None:
    report = run(declared)

    assert report.faults == ()
    assert report.exit_code is ExitCode.ALL_WELL
    assert {each.check for each in report.findings if each.status is Status.UNTESTED} == {
        "kafka-version",
        *(() if any(broker.rack for broker in declared.kafka.brokers) else ("broker-racks",)),
    }
    assert report.latency is not None
    assert 0 < report.latency.p50_ms <= report.latency.p99_ms


def test_the_canary_leaves_no_topic_behind(promised: Contract) -> None:
    run(promised)

    canaries_are([], promised)


def test_what_a_killed_run_left_is_removed_by_the_next(promised: Contract, admin: AdminClient) -> None:
    stale = f"{PREFIX}20260101T000000Z-0a1b2c3d"
    # A day that no calendar has is no run's: its topic is somebody else's.
    others = [f"{PREFIX}20261399T999999Z-0a1b2c3d", f"{PREFIX}29990101T000000Z-0a1b2c3d"]
    for made in admin.create_topics([NewTopic(name, 1, 3) for name in (stale, *others)]).values():
        made.result(timeout=30)

    try:
        assert run(promised).faults == ()
        canaries_are(others, promised)
    finally:
        for removed in admin.delete_topics(others, operation_timeout=30).values():
            removed.result(timeout=30)
        canaries_are([], promised)


def test_a_run_that_is_ended_removes_its_canary(promised: Contract, admin: AdminClient, tmp_path: Path) -> None:
    contract = tmp_path / "contract.json"
    contract.write_text(promised.model_dump_json(), encoding="utf-8")
    command = "import typer; from hikube_kafka.smoke.command import smoke; typer.run(smoke)"
    gate = subprocess.Popen([sys.executable, "-c", command, "--contract", str(contract)])
    until(
        lambda: any(name.startswith(PREFIX) for name in admin.list_topics(timeout=10).topics), "a canary is there", 60
    )

    gate.terminate()

    assert gate.wait(60) == 128 + signal.SIGTERM
    canaries_are([], promised)


def test_defaults_that_drop_or_refuse_messages_are_not_the_canary_s(promised: Contract, admin: AdminClient) -> None:
    def alter(operation: AlterConfigOpType) -> None:
        entries = [
            ConfigEntry(key, value, incremental_operation=operation)
            for key, value in {
                "log.cleanup.policy": "compact",
                "log.message.timestamp.before.max.ms": "1",
                "log.retention.bytes": "1",
                "log.retention.ms": "1",
            }.items()
        ]
        brokers = [
            ConfigResource(ResourceType.BROKER, str(broker.id), incremental_configs=entries)
            for broker in promised.kafka.brokers
        ]
        for broker in brokers:  # of one broker each: a request goes to the broker that it speaks of
            for altered in admin.incremental_alter_configs([broker]).values():
                altered.result(timeout=30)

    def policies() -> set[str | None]:
        seen = observe_kafka(promised.bootstrap_servers.split(","), topic_configs=False)
        return {
            None if isinstance(each.settings, Unreadable) else each.settings["log.cleanup.policy"]
            for each in seen.brokers
        }

    alter(AlterConfigOpType.SET)
    try:
        report = run(promised)
    finally:
        alter(AlterConfigOpType.DELETE)
        # Each broker hears of it by itself, and what is produced next may meet one that has not.
        until(lambda: policies() == {"delete"}, lambda: f"the defaults are back: {policies()}", 30)

    assert [each for each in report.faults if each.check.startswith("canary-")] == []


@pytest.mark.parametrize(("factor", "least"), [(1, 2), (2, 3)])
def test_kafka_takes_what_the_gate_says_it_takes(
    promised: Contract, admin: AdminClient, factor: int, least: int
) -> None:
    topic = f"smoke-capped-{factor}"
    wanted = NewTopic(topic, 1, factor, config={"min.insync.replicas": str(least)})
    admin.create_topics([wanted])[topic].result(timeout=30)
    producer = Producer({"bootstrap.servers": promised.bootstrap_servers, "acks": "all"})
    answers: list[object] = []
    producer.produce(topic, b"", on_delivery=lambda error, _message: answers.append(error))
    producer.flush(30)

    report = run(promised, canary=False)
    admin.delete_topics([topic], operation_timeout=30)[topic].result(timeout=30)

    assert [error is None for error in answers] == [True]
    assert report.faults == ()
    assert finding(report, "partitions-min-isr").notes == (
        f"{topic}, partition 0: min.insync.replicas is {least}, and counts as {factor}: so many replicas",
    )


@pytest.mark.usefixtures("settled")
def test_a_missing_topic_is_named_and_nothing_else_is_wrong(declared: Contract) -> None:
    missing = TopicExpected(name="smoke-missing", partitions=1, replication_factor=3)
    contract = declared.model_copy(update={"topics": (*declared.topics, missing)})

    report = run(contract, patience=0, canary=False)

    assert report.exit_code is ExitCode.SOMETHING_WRONG
    assert {each.check for each in report.faults} == {
        "topics-exist",
        "topics-partitions",
        "topics-replication-factor",
    }
    assert all("smoke-missing" in line for each in report.faults for line in each.seen)


@pytest.mark.usefixtures("settled")
def test_wrong_topic_configuration_is_named(declared: Contract) -> None:
    (topic,) = declared.topics
    wanted = topic.model_copy(
        update={"config": {"retention.ms": "3600000", "cleanup.policy": "delete"}, "partitions": 4}
    )

    report = run(declared.model_copy(update={"topics": (wanted,)}), patience=0, canary=False)

    assert finding(report, "topics-configuration").seen == (
        "smoke-declared: retention.ms = 60000, not 3600000",
        "smoke-declared: cleanup.policy is not set on the topic (in force: delete), not delete",
    )
    assert finding(report, "topics-partitions").seen == ("smoke-declared: 3 partitions, not 4",)
    assert {each.check for each in report.faults} == {"topics-configuration", "topics-partitions"}


@pytest.mark.usefixtures("settled")
def test_a_setting_that_is_not_in_force_is_named_on_every_broker(promised: Contract) -> None:
    settings = {**promised.kafka.settings, "num.partitions": "77"}
    contract = promised.model_copy(update={"kafka": promised.kafka.model_copy(update={"settings": settings})})

    report = run(contract, patience=0, canary=False)

    assert {each.check for each in report.faults} == {"broker-settings"}
    assert [line.partition(" on ")[2] for line in finding(report, "broker-settings").seen] == [
        f"broker {broker.id} ({broker.address})" for broker in promised.kafka.brokers
    ]


def test_settings_are_compared_as_kafka_understands_them(promised: Contract) -> None:
    settings = {
        **promised.kafka.settings,
        "auto.create.topics.enable": "False",
        "log.cleaner.min.cleanable.ratio": "5e-1",
        "num.io.threads": "+08",
        "ssl.enabled.protocols": "TLSv1.2 , TLSv1.3",
    }
    untold = {
        "acme.audit.url": "https://audit",
        "ssl.keystore.password": "${file:/etc/kafka/own.properties:password}",
        "ssl.protocol": "${file:/etc/kafka/own.properties:protocol}",
    }
    contract = promised.model_copy(
        update={"kafka": promised.kafka.model_copy(update={"settings": {**settings, **untold}})}
    )

    report = run(contract, patience=0, canary=False)

    told = finding(report, "broker-settings")
    assert told.status is Status.PASSED
    assert told.seen == (f"settings in force on each broker: {len(settings)}",)
    # The plugin's key was not given to these brokers: one that has it does not show it either.
    assert [note.partition(" cannot be told: ")[0] for note in told.notes] == sorted(untold)
    assert "TLSv1.3" not in str(told.notes)


@pytest.mark.usefixtures("healed")
def test_a_killed_broker_is_named_and_no_other(declared: Contract, living_ensemble: LivingEnsemble) -> None:
    kill(living_ensemble, "broker-1")

    report = run(declared, patience=0, canary=False)

    address = declared.kafka.brokers[1].address
    assert report.exit_code is ExitCode.SOMETHING_WRONG
    assert finding(report, "brokers-answer").seen == (f"broker 1 ({address}): connection refused",)
    assert not any(each.check.startswith("zookeeper-") for each in report.faults)
    named = " ".join(line for each in report.faults for line in each.seen if "connection refused" in line)
    assert not any(broker.address in named for broker in declared.kafka.brokers if broker.id != 1)


@pytest.mark.usefixtures("healed")
def test_a_killed_zookeeper_leader_is_named_and_its_successor_found(
    promised: Contract, living_ensemble: LivingEnsemble
) -> None:
    addresses = {server.address: server.id for server in promised.zookeeper.servers}
    leader = next(
        addresses[server.address]
        for server in observe_zookeeper(list(addresses)).servers
        if isinstance(server.status, ServerStatus) and server.status.mode == "leader"
    )
    kill(living_ensemble, f"zookeeper-{leader}")

    report = run(promised, patience=10, canary=False)

    gone = next(server.address for server in promised.zookeeper.servers if server.id == leader)
    assert report.exit_code is ExitCode.SOMETHING_WRONG
    assert finding(report, "zookeeper-servers-answer").seen == (
        f"ZooKeeper server {leader} ({gone}): connection refused",
    )
    assert finding(report, "zookeeper-followers-synced").seen[0].endswith("counts 1 synced followers, not 2")
    assert finding(report, "brokers-answer").status is Status.PASSED


def test_both_faces_pass_a_healthy_ensemble(promised: Contract, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({"local": {"contract": promised.model_dump_json()}}), encoding="utf-8")
    report = tmp_path / "report.xml"

    command = subprocess.run(
        [
            *(sys.executable, "-c", "import typer; from hikube_kafka.smoke.command import smoke; typer.run(smoke)"),
            *("--outputs", str(outputs), "--report", str(report)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    tests = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("--pyargs", "hikube_kafka.smoke", "--contract", str(outputs)),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert command.returncode == 0, command.stdout + command.stderr
    assert "all well" in command.stdout
    assert 'failures="0" errors="0"' in report.read_text(encoding="utf-8")
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "p50" in tests.stdout


@pytest.mark.usefixtures("healed")
def test_a_partition_that_never_gets_back_in_sync_is_named_with_the_command_that_ends_it(
    living_ensemble: LivingEnsemble, promised: Contract, admin: AdminClient
) -> None:
    topic, number, missing = "smoke-standstill", 0, 2
    new_topic(living_ensemble.bootstrap, topic)
    # Its node gets another version than the controller remembers, as when the answer to a write of its own is lost.
    terminate(living_ensemble, f"broker-{missing}")
    zookeeper = KazooClient(promised.zookeeper_connect)
    zookeeper.start()
    state = f"/brokers/topics/{topic}/partitions/{number}/state"
    until(lambda: missing not in json.loads(zookeeper.get(state)[0])["isr"], "the broker is out of sync", 30)
    leader = json.loads(zookeeper.get(state)[0])["leader"]
    zookeeper.set(state, zookeeper.get(state)[0])
    zookeeper.stop()
    zookeeper.close()

    def stands_still() -> NotInSyncError | None:
        """Once the broker is back in sync with everything else: 2 s may be too short for all of it."""
        with pytest.raises(NotInSyncError) as refused:
            apply(living_ensemble.declaration, patience=Patience(in_sync=2))
        return refused.value if refused.value.missing == (f"{topic}-{number}",) else None

    standstill = until(stands_still, "one partition alone is out of sync")
    assert standstill is not None
    report = run(promised, patience=0, canary=False)

    in_sync = finding(report, "partitions-in-sync")
    assert f"{topic}, partition {number}: not in sync: broker {missing}; leader: broker {leader}" in in_sync.seen
    assert f"Registered: broker {missing}" in in_sync.remedy
    _, _, command = standstill.remedy.partition("moves no data: ")
    assert command.partition(" | ")[0] == in_sync.command.partition(" | ")[0]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", command], env=environment, check=True)
    apply(living_ensemble.declaration, patience=Patience(in_sync=60))
    until(lambda: observe(living_ensemble.declaration).is_healthy, "the ensemble is healthy")
    admin.list_topics(timeout=30)
    admin.delete_topics([topic])[topic].result(30)
