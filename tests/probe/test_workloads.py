"""What the API server's answers mean; the answers themselves come from a real one in tests/e2e."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from hikube_kafka.kubernetes.claim import ClaimSeen
from hikube_kafka.kubernetes.errors import ApiServerError, ForbiddenError
from hikube_kafka.probe.contract import observe
from hikube_kafka.probe.observation import BudgetSeen, KubernetesSeen, PodSeen, Unreadable
from hikube_kafka.probe.route import Route
from hikube_kafka.probe.selector import selects
from hikube_kafka.probe.workloads import _look
from hikube_kafka.spec.contract import (
    BrokerExpected,
    Contract,
    KafkaExpected,
    ReachByAddress,
    ZooKeeperExpected,
    ZooKeeperServerExpected,
)

ANSWERS: Mapping[str, Sequence[Any]] = {
    "pods": [
        {
            "metadata": {
                "name": "kafka-0",
                "labels": {"app": "kafka"},
                "ownerReferences": [{"kind": "StatefulSet", "name": "kafka"}],
            },
            "spec": {"nodeName": "node-1", "containers": [{"name": "kafka", "image": "apache/kafka:3.9.2"}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        },
        {
            "metadata": {"name": "kafka-1"},
            "spec": {"containers": []},
            "status": {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "message": "no node fits"}],
            },
        },
    ],
    "persistentvolumeclaims": [
        {
            "metadata": {"name": "data-kafka-0"},
            "spec": {"resources": {"requests": {"storage": "2Gi"}}, "storageClassName": "standard"},
            "status": {"capacity": {"storage": "1Gi"}},
        },
        {"metadata": {"name": "data-kafka-1"}, "spec": {"resources": {"requests": {"storage": "2Gi"}}}},
    ],
    "poddisruptionbudgets": [
        {"metadata": {"name": "all"}, "spec": {"minAvailable": "50%", "selector": {}}},
        {"metadata": {"name": "kafka"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "kafka"}}}},
    ],
    "nodes": [
        {"metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "zone-1"}}},
        {"metadata": {"name": "node-2"}},
    ],
}


class Told:
    """A cluster whose answers are told beforehand; an exception is raised."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {**ANSWERS, **answers}
        self.asked: list[tuple[str, str, bool]] = []

    async def listed(self, resource: str, *, api: str = "api/v1", namespaced: bool = True) -> Any:
        self.asked.append((resource, api, namespaced))
        answer = self.answers[resource]
        if isinstance(answer, BaseException):
            raise answer
        return await answer if asyncio.iscoroutine(answer) else answer


def look(cluster: Told, *, nodes: bool = True) -> KubernetesSeen:
    return asyncio.run(_look(cluster, nodes, 0.2))  # type: ignore[arg-type]


def test_everything_that_is_promised_is_read() -> None:
    cluster = Told()

    assert look(cluster) == KubernetesSeen(
        pods={
            "kafka-0": PodSeen(
                state="Running",
                ready=True,
                images={"kafka": "apache/kafka:3.9.2"},
                node="node-1",
                stateful_set="kafka",
            ),
            "kafka-1": PodSeen(state="Pending (no node fits)", ready=False, images={}, node=None, stateful_set=None),
        },
        claims={
            "data-kafka-0": ClaimSeen(name="data-kafka-0", size="2Gi", capacity="1Gi", storage_class="standard"),
            "data-kafka-1": ClaimSeen(name="data-kafka-1", size="2Gi", capacity=None, storage_class=None),
        },
        budgets={
            "kafka-0": (
                BudgetSeen(name="all", max_unavailable=None, min_available="50%"),
                BudgetSeen(name="kafka", max_unavailable="1", min_available=None),
            ),
            "kafka-1": (BudgetSeen(name="all", max_unavailable=None, min_available="50%"),),
        },
        zones={"node-1": "zone-1", "node-2": None},
    )
    assert ("poddisruptionbudgets", "apis/policy/v1", True) in cluster.asked
    assert ("nodes", "api/v1", False) in cluster.asked


def test_nodes_are_not_asked_for_where_no_zone_is_promised() -> None:
    cluster = Told()

    assert look(cluster, nodes=False).zones == Unreadable("nodes", "not read")
    assert "nodes" not in {resource for resource, _, _ in cluster.asked}


def test_what_cannot_be_read_is_told_with_the_reason_and_the_rest_is_read() -> None:
    seen = look(
        Told(
            persistentvolumeclaims=ForbiddenError("shop", "persistentvolumeclaims", "user may not list claims"),
            poddisruptionbudgets=ApiServerError("https://api", "500 broken"),
            nodes=asyncio.sleep(60),
        )
    )

    assert isinstance(seen.pods, Mapping)
    assert seen.claims == Unreadable("claims", "user may not list claims")
    assert isinstance(seen.budgets, Unreadable)
    assert "500 broken" in seen.budgets.reason
    assert seen.zones == Unreadable("nodes", "the API server has not answered within 0.2 s")


def test_budgets_of_pods_that_cannot_be_read_cannot_be_read() -> None:
    assert isinstance(look(Told(pods=ApiServerError("https://api", "500 broken"))).budgets, Unreadable)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "kafka"}}, True),
        ({"matchLabels": {"app": "kafka", "tier": "web"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["kafka", "web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["kafka"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"app": "kafka"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
    ],
)
def test_a_selector_selects_as_kubernetes_does(selector: Any, *, selected: bool) -> None:
    assert selects(selector, {"app": "kafka"}) is selected


def test_why_the_way_is_broken_stands_behind_the_client_s_own_reason() -> None:
    contract = Contract(
        platform="shop",
        target="kubernetes",
        reach=ReachByAddress(),
        coordinator=ZooKeeperExpected(servers=(ZooKeeperServerExpected(id=1, address="127.0.0.1:1001"),)),
        kafka=KafkaExpected(version="3.9.2", brokers=(BrokerExpected(id=0, address="127.0.0.1:1010"),)),
    )

    pods = {"127.0.0.1:1010": "kafka-0", "127.0.0.1:1001": "zookeeper-0"}
    seen = observe(contract, route=Route(pods=pods, troubles=dict.fromkeys(pods.values(), "there is no such pod")))

    broker, server = seen.kafka.brokers[0], seen.zookeeper.servers[0]
    for unread, address in ((broker.metadata, "127.0.0.1:1010"), (server.status, "127.0.0.1:1001")):
        assert isinstance(unread, Unreadable)
        assert unread.reason == f"connection refused (pod {pods[address]}: there is no such pod)"
