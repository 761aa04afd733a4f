"""Servers that restart are told; what Helm renders into their pods is held to it in tests/charts/test_restarts.py."""

from typing import Any

import pytest

from hikube_kafka.spec.changes.rolling import Duration, consequences, duration, may_restart, restarts
from tests.support.releases import release


def test_three_brokers_restart_when_their_configuration_changes() -> None:
    (problem,) = consequences(release("kafka"), release("kafka", {"config": {"num.partitions": "6"}}))
    assert (problem.rule, problem.severity, problem.where) == ("rolling-restart", "warning", "release events-kafka")
    assert problem.message == (
        "3 brokers restart one after another, in about 45 s to 16 min, because of config.num.partitions."
    )
    assert "15 s for each of them" in problem.why
    assert "300 s that each may take to stop" in problem.why
    assert problem.remedy.endswith("kubectl -n events rollout status statefulset/events-kafka")


def test_a_single_server_serves_nobody_meanwhile() -> None:
    before = release("zookeeper", {"replicas": 1})
    (problem,) = consequences(before, release("zookeeper", {"replicas": 1, "heap": "400m"}))
    assert problem.message.startswith("1 ZooKeeper server restarts")
    assert "no client is served until it is back" in problem.why


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("kafka", {"storage": {"data": {"size": "20Gi"}}}),
        ("kafka", {"replicas": 4}),
        ("kafka", {"networkPolicy": {"enabled": False}}),
        ("zookeeper", {"replicas": 5}),
        ("zookeeper", {}),
    ],
)
def test_what_is_in_no_pod_restarts_nobody(chart: str, values: dict[str, Any]) -> None:
    assert list(consequences(release(chart), release(chart, values))) == []


def test_what_is_created_or_destroyed_does_not_restart() -> None:
    assert list(consequences(None, release("kafka"))) == list(consequences(release("kafka"), None)) == []
    assert (restarts(None, release("kafka")), may_restart(release("kafka"), None)) == (0, 0)


def test_another_version_of_the_chart_may_restart_them() -> None:
    (problem,) = consequences(release("zookeeper"), release("zookeeper", version="0.2.0"))
    assert problem.rule == "rolling-restart-possible"
    assert "3 ZooKeeper servers may restart" in problem.message
    assert "from version 0.1.1 to version 0.2.0" in problem.message
    moved = {**release("zookeeper"), "source": "./charts/later/zookeeper"}
    (problem,) = consequences({**release("zookeeper"), "source": "./charts/zookeeper"}, moved)
    assert "from ./charts/zookeeper to ./charts/later/zookeeper" in problem.message
    # That they do is told once.
    changed = release("zookeeper", {"heap": "256m"}, version="0.2.0")
    assert [each.rule for each in consequences(release("zookeeper"), changed)] == ["rolling-restart"]


def test_servers_that_come_or_go_are_not_counted() -> None:
    assert restarts(release("kafka"), release("kafka", {"replicas": 5, "heap": "768m"})) == 3
    assert restarts(release("kafka", {"replicas": 5}), release("kafka", {"heap": "768m"})) == 3


def test_the_estimate_is_a_sum_over_the_servers() -> None:
    values = release("kafka", {"terminationGraceSeconds": 100})
    assert duration(values, 4) == Duration(least=60, most=460)


@pytest.mark.parametrize("wrong", [None, [], "many", {}, {"values": []}, {"values": {"config": 3, "pods": "none"}}])
def test_values_of_a_wrong_type_raise_nothing(wrong: Any) -> None:
    broken = {**release("kafka"), "values": wrong}
    for prior, planned in ((release("kafka"), broken), (broken, release("kafka")), (broken, broken)):
        assert all(problem.rule == "rolling-restart" for problem in consequences(prior, planned))
    assert list(consequences(broken, broken)) == []
