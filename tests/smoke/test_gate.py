import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.exit_code import ExitCode
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.probe.observation import (
    KafkaSeen,
    Metadata,
    Observation,
    Partition,
    ServerStatus,
    TopicConfig,
    Unreadable,
)
from hikube_kafka.probe.route import Route
from hikube_kafka.smoke import gate
from hikube_kafka.smoke.canary import CanaryRun
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.smoke.formats import markdown
from hikube_kafka.smoke.gate import CannotCheckError, run
from hikube_kafka.smoke.report import Report
from hikube_kafka.spec.contract import Contract, ReachByPortForward
from hikube_kafka.spec.security import ClientSecurity, Mechanism, Protocol

Show = Callable[[Sequence[Observation]], None]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, flown: CanaryRun) -> Show:
    """Have the gate see these observations, one a look, the last one for ever; and a canary that is well."""

    def show(observations: Sequence[Observation]) -> None:
        left = list(observations)

        def observe(*_args: Any, **_settings: Any) -> Observation:
            return left.pop(0) if len(left) > 1 else left[0]

        monkeypatch.setattr(gate, "observe", observe)
        monkeypatch.setattr(gate, "run_canary", lambda *_args: flown)
        monkeypatch.setattr(gate, "_PAUSE", 0.001)

    return show


def finding(report: Report, check: str) -> Finding:
    return next(each for each in report.findings if each.check == check)


@pytest.fixture
def headless(healthy: Observation) -> Observation:
    """The same cluster while it has no ZooKeeper leader."""
    servers = healthy.zookeeper.servers
    status = servers[2].status
    assert isinstance(status, ServerStatus)
    status = replace(status, mode="follower")
    leaderless = (*servers[:2], replace(servers[2], status=status))
    return replace(healthy, zookeeper=replace(healthy.zookeeper, servers=leaderless))


def test_a_healthy_cluster_is_looked_at_three_times(contract: Contract, healthy: Observation, show: Show) -> None:
    show([healthy])

    report = run(contract)

    assert report.exit_code is ExitCode.ALL_WELL
    assert report.looks == 3
    assert finding(report, "zookeeper-one-leader").settled_after == 0
    assert [stage.name for stage in report.stages] == ["connect", "settle", "canary"]


def test_the_canary_s_figures_are_reported(contract: Contract, healthy: Observation, show: Show) -> None:
    show([healthy])

    latency = run(contract).latency

    assert latency is not None
    assert (latency.messages, latency.p50_ms, latency.p99_ms) == (4, 2.0, 4.0)


def test_a_cluster_that_settles_passes_and_the_finding_says_when(
    contract: Contract, healthy: Observation, headless: Observation, show: Show
) -> None:
    show([headless, headless, healthy])

    report = run(contract)

    assert report.exit_code is ExitCode.ALL_WELL
    assert report.looks == 5
    assert (finding(report, "zookeeper-one-leader").settled_after or 0) > 0
    assert finding(report, "zookeeper-same-voters").settled_after == 0


def test_one_lucky_look_is_not_enough(
    contract: Contract, healthy: Observation, headless: Observation, show: Show
) -> None:
    show([headless, healthy, healthy])

    report = run(contract, patience=0)

    assert report.looks == 3
    told = finding(report, "zookeeper-one-leader")
    assert told.status is Status.FAILED
    assert told.seen == ("leaders: none", "passed in the last 2 of 3 rounds, but 3 in a row are required")
    assert told.settled_after is None


def test_a_relapse_starts_the_count_again(
    contract: Contract, healthy: Observation, headless: Observation, show: Show
) -> None:
    show([healthy, healthy, headless, healthy])

    report = run(contract)

    assert report.exit_code is ExitCode.ALL_WELL
    assert report.looks == 6


def test_patience_ends(contract: Contract, headless: Observation, show: Show) -> None:
    show([headless])
    told: list[str] = []

    report = run(contract, patience=0, progress=told.append)

    assert report.exit_code is ExitCode.SOMETHING_WRONG
    assert {each.check for each in report.faults} == {"zookeeper-one-leader", "zookeeper-followers-synced"}
    waits = [text for text in told if text.startswith("waiting for")]
    assert waits == ["waiting for zookeeper-one-leader, zookeeper-followers-synced (0 s left)"] * 2


def with_topics(seen: Observation, change: Callable[[Mapping[int, Partition]], Any]) -> Observation:
    """The same cluster with another ``payments``, or without, in the view of every broker."""
    brokers = []
    for broker in seen.kafka.brokers:
        assert isinstance(broker.metadata, Metadata)
        payments = broker.metadata.topics["payments"]
        assert not isinstance(payments, Unreadable)
        topics = {**broker.metadata.topics, "payments": change(payments)}
        view = replace(broker.metadata, topics={name: each for name, each in topics.items() if each is not None})
        brokers.append(replace(broker, metadata=view))
    return replace(seen, kafka=replace(seen.kafka, brokers=tuple(brokers)))


MILLISECONDS = count(1)


def denied(seen: Observation) -> Observation:
    """The same cluster, which does not let the client in; librdkafka tells after how long, another time each time."""

    def refusal() -> Unreadable:
        return Unreadable("it", f"Authentication failed (after {next(MILLISECONDS)}ms in state AUTH_REQ)", lasting=True)

    brokers = [replace(each, metadata=refusal(), settings=refusal()) for each in seen.kafka.brokers]
    return replace(seen, kafka=KafkaSeen(brokers=tuple(brokers)))


LASTING: dict[str, Callable[[Observation], Observation]] = {
    "partitions": lambda seen: with_topics(seen, lambda payments: {0: payments[0]}),
    "replication factor": lambda seen: with_topics(
        seen, lambda _: dict.fromkeys((0, 1), Partition(leader=0, replicas=(0, 1), in_sync=(0, 1)))
    ),
    "no topic": lambda seen: with_topics(seen, lambda _: None),
    "configuration": lambda seen: replace(
        seen,
        kafka=replace(
            seen.kafka,
            topic_configs={
                **seen.kafka.topic_configs,
                "payments": TopicConfig(in_force={"min.insync.replicas": "1"}, own=frozenset({"min.insync.replicas"})),
            },
        ),
    ),
    "setting": lambda seen: replace(
        seen,
        kafka=replace(
            seen.kafka,
            brokers=tuple(replace(each, settings={"auto.create.topics.enable": "true"}) for each in seen.kafka.brokers),
        ),
    ),
    "credentials": denied,
}


@pytest.mark.parametrize("kind", LASTING)
def test_nothing_is_waited_for_where_no_waiting_mends_it(
    contract: Contract, healthy: Observation, show: Show, kind: str
) -> None:
    show([LASTING[kind](healthy) for _ in range(3)])

    report = run(contract, patience=3600)

    faults = [fault for fault in report.faults if not fault.check.startswith("canary-")]
    assert faults
    assert all(fault.lasting for fault in faults)
    assert report.looks == 3


def test_a_broker_whose_pod_is_yet_to_be_replaced_is_waited_for(
    in_kubernetes: Contract, healthy: Observation, show: Show
) -> None:
    """Also by a contract of an earlier release, which promises nothing of Kubernetes."""
    earlier = in_kubernetes.model_copy(update={"kubernetes": None})
    show([*[LASTING["setting"](healthy)] * 9, healthy])

    report = run(earlier, patience=3600, in_cluster=True)

    assert report.looks == 9 + 3
    assert "broker-settings" not in [fault.check for fault in report.faults]


def test_what_may_pass_is_waited_for_beside_what_may_not(
    contract: Contract, healthy: Observation, headless: Observation, show: Show
) -> None:
    few = LASTING["partitions"]
    show([few(headless)] * 7 + [few(healthy)])

    report = run(contract, patience=3600)

    assert report.looks == 7 + 3
    assert [(fault.check, fault.lasting) for fault in report.faults] == [("topics-partitions", True)]


PASSING: dict[str, Callable[[Observation], Observation]] = {
    "a partition that one broker has not heard of": lambda seen: replace(
        seen,
        kafka=replace(seen.kafka, brokers=(LASTING["partitions"](seen).kafka.brokers[0], *seen.kafka.brokers[1:])),
    ),
    "a replica that is being added": lambda seen: with_topics(
        seen,
        lambda payments: {
            **payments,
            1: Partition(leader=0, replicas=(0, 1), in_sync=(0,)),
        },
    ),
    "a broker that starts": lambda seen: replace(
        seen,
        kafka=replace(
            seen.kafka,
            brokers=(
                replace(seen.kafka.brokers[0], metadata=Unreadable("it", "connection refused")),
                *seen.kafka.brokers[1:],
            ),
        ),
    ),
}


@pytest.mark.parametrize("kind", PASSING)
def test_what_may_pass_is_waited_for(contract: Contract, healthy: Observation, show: Show, kind: str) -> None:
    show([*[PASSING[kind](healthy)] * 9, healthy])

    report = run(contract, patience=3600)

    assert report.looks == 9 + 3
    assert report.exit_code is ExitCode.ALL_WELL


def test_a_fault_that_is_another_each_time_is_not_taken_for_lasting(
    contract: Contract, healthy: Observation, show: Show
) -> None:
    one = with_topics(healthy, lambda payments: {0: payments[0]})
    none = with_topics(healthy, lambda _: {})
    show([none, one, none, one, none, one, healthy])

    assert run(contract, patience=3600).exit_code is ExitCode.ALL_WELL


def test_no_canary_is_sent_where_its_topic_could_not_be_removed(
    contract: Contract, healthy: Observation, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"auto.create.topics.enable": "false", "delete.topic.enable": "false"}
    brokers = tuple(replace(each, settings=settings) for each in healthy.kafka.brokers)
    show([replace(healthy, kafka=replace(healthy.kafka, brokers=brokers))])
    monkeypatch.setattr(gate, "run_canary", lambda *_args: pytest.fail("a topic would be left"))

    report = run(contract)

    assert report.exit_code is ExitCode.ALL_WELL
    assert "delete.topic.enable = false" in finding(report, "canary-nothing-lost").seen[0]


def test_a_fault_that_does_not_change_says_for_how_long(
    contract: Contract,
    healthy: Observation,
    headless: Observation,
    show: Show,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "_STANDSTILL", 0)
    show([healthy, headless])

    report = run(contract, patience=0.2)

    told = finding(report, "zookeeper-one-leader")
    assert told.seen == ("leaders: none",)
    assert told.unchanged_for is not None
    assert re.search(r"leaders: none<br>no change in \d+ s", markdown(report))
    assert finding(report, "zookeeper-same-voters").unchanged_for is None, "what is well stands still for good"


def test_without_the_canary_its_checks_are_untested_not_passed(
    contract: Contract, healthy: Observation, show: Show
) -> None:
    show([healthy])

    report = run(contract, canary=False)

    assert report.exit_code is ExitCode.ALL_WELL
    untested = [each for each in report.findings if each.check.startswith("canary-")]
    assert {each.status for each in untested} == {Status.UNTESTED}
    assert {each.seen for each in untested} == {("the canary was skipped on request",)}
    assert len(untested) == 7


def test_a_cluster_of_which_nothing_answers_could_not_be_looked_at(contract: Contract, show: Show) -> None:
    show([Observation()])

    report = run(contract, patience=0)

    assert report.exit_code is ExitCode.NOTHING_CHECKED
    assert finding(report, "canary-nothing-lost").seen == ("canary: no broker answers",)


def test_a_canary_that_could_not_fly_fails_the_gate(
    contract: Contract, healthy: Observation, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    show([healthy])
    monkeypatch.setattr(gate, "run_canary", lambda *_args: Unreadable("canary topic", "not authorized"))

    report = run(contract)

    assert len(report.faults) == 7
    assert {each.seen for each in report.faults} == {("canary topic: not authorized",)}
    assert all("could not be sent" in each.remedy for each in report.faults)


def test_a_contract_that_declares_nothing_is_refused(contract: Contract) -> None:
    no_broker = contract.model_copy(update={"kafka": contract.kafka.model_copy(update={"brokers": ()})})
    no_server = contract.model_copy(update={"coordinator": contract.coordinator.model_copy(update={"servers": ()})})

    for empty in (no_broker, no_server):
        with pytest.raises(CannotCheckError, match="no ZooKeeper server or no broker"):
            run(empty)


def test_a_cluster_that_no_kubeconfig_leads_to_could_not_be_looked_at(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
    reach = ReachByPortForward(namespace="kafka", kafka_pods="demo-kafka", zookeeper_pods="demo-zookeeper")

    with pytest.raises(CannotCheckError, match="/nowhere/kubeconfig"):
        run(contract.model_copy(update={"reach": reach}))


def test_inside_the_cluster_its_own_addresses_are_dialled_and_no_forward_is_opened(
    in_kubernetes: Contract, healthy: Observation, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    show([healthy])
    dialled: list[str] = []

    def observe(contract: Contract, _credentials: Credentials, *, route: Route, **_more: Any) -> Observation:
        dialled.extend(route.dial.get(broker.address, broker.address) for broker in contract.kafka.brokers)
        return healthy

    monkeypatch.setattr(gate, "observe", observe)
    # Without a promise about Kubernetes, its API is not asked either.
    contract = in_kubernetes.model_copy(update={"kubernetes": None})

    run(contract, patience=0, in_cluster=True, kubeconfig="/nowhere")

    assert dialled[:3] == ["b-0:9092", "b-1:9092", "b-2:9092"]
    with pytest.raises(CannotCheckError, match="/nowhere"):
        run(contract, patience=0, kubeconfig="/nowhere")


def test_a_named_context_comes_before_the_contract_s_own(in_kubernetes: Contract, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [], "users": []}))

    with pytest.raises(CannotCheckError, match="no context 'production'"):
        run(in_kubernetes, kubeconfig=str(file), context="production")


def test_missing_credentials_are_named_before_anything_is_tried(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HIKUBE_KAFKA_USERNAME", raising=False)
    monkeypatch.setenv("HIKUBE_KAFKA_PASSWORD", "s3cret")
    locked = contract.model_copy(
        update={"security": ClientSecurity(protocol=Protocol.SASL_SSL, mechanism=Mechanism.SCRAM_SHA_512)}
    )

    with pytest.raises(CannotCheckError, match="HIKUBE_KAFKA_USERNAME") as refusal:
        run(locked)

    assert "s3cret" not in str(refusal.value)


def test_credentials_of_the_environment_reach_the_clients(
    contract: Contract, healthy: Observation, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    show([healthy])
    handed: list[Credentials] = []

    def observe(_contract: Contract, credentials: Credentials, **_more: Any) -> Observation:
        handed.append(credentials)
        return healthy

    monkeypatch.setattr(gate, "observe", observe)
    monkeypatch.setenv("HIKUBE_KAFKA_USERNAME", "smoke")
    monkeypatch.setenv("HIKUBE_KAFKA_PASSWORD", "s3cret")
    locked = contract.model_copy(
        update={"security": ClientSecurity(protocol=Protocol.SASL_PLAINTEXT, mechanism=Mechanism.PLAIN)}
    )

    run(locked)

    assert handed[0] == Credentials(protocol="SASL_PLAINTEXT", mechanism="PLAIN", username="smoke", password="s3cret")
