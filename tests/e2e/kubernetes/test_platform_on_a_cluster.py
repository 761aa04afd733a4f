"""The life of a platform on Kubernetes: deployed, proven, changed and hurt under load, and nothing is lost."""

import json
import threading
from collections.abc import Callable
from typing import Self

import pytest

from tests.support.delivery import ClusterDelivery
from tests.support.kubernetes import kubectl
from tests.support.pod_load import PodLoad
from tests.support.skips import NO_MIRROR
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]


def nothing_is_lost(load: PodLoad, what: str) -> None:
    """Every acknowledged message is there, and every message was acknowledged in the end."""
    lost, duplicated = load.lost_and_duplicated()
    load.told(what, duplicated=len(duplicated))
    assert lost == set()
    assert load.given_up == []


class InSyncWatch:
    """Looks at the in-sync replicas all the time, and at which pods of the brokers are ready."""

    def __init__(self, delivery: ClusterDelivery) -> None:
        self._delivery = delivery
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.ready: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.3):
            pods = json.loads(
                self._delivery.kubectl("get", "pods", "-l", "app.kubernetes.io/instance=shop-kafka", "-o", "json")
            )["items"]
            self.ready.append(
                sum(
                    condition["type"] == "Ready" and condition["status"] == "True"
                    for pod in pods
                    if "deletionTimestamp" not in pod["metadata"]
                    for condition in pod["status"].get("conditions", ())
                )
            )


def test_a_platform_is_deployed_passes_the_gate_from_outside_and_a_second_plan_is_empty(
    delivery: ClusterDelivery,
) -> None:
    report = delivery.smoke(expected=0)

    assert {finding["status"] for finding in report["findings"]} <= {"passed", "untested"}
    assert delivery.plan() == "empty"


def test_the_namespace_lets_in_restricted_pods_alone_and_no_plan_deletes_it(delivery: ClusterDelivery) -> None:
    if not delivery.has_namespace:
        pytest.skip(NO_MIRROR.format(provider="kubernetes"))
    labels = json.loads(delivery.kubectl("get", "namespace", delivery.namespace, "-o", "json"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    said = delivery.terraform.refused("plan", "-destroy", "-input=false")
    assert f"Namespace {delivery.namespace}: this stack has created it" in said
    assert "[claims-namespace-goes]" in said


def test_a_changed_configuration_rolls_the_brokers_one_at_a_time_and_loses_nothing(
    delivery: ClusterDelivery, load: Callable[..., PodLoad]
) -> None:
    before = delivery.pods("shop-kafka")
    with load() as messages, InSyncWatch(delivery) as watch:
        delivery.apply(config={"message.max.bytes": 2_097_152})

    after = delivery.pods("shop-kafka")
    assert after.keys() == before.keys()
    assert all(after[pod][0] != before[pod][0] for pod in before)
    assert min(watch.ready) >= 2
    nothing_is_lost(messages, "rolling update")
    delivery.smoke(expected=0)


@pytest.mark.grows
def test_storage_grows_under_running_pods(delivery: ClusterDelivery, load: Callable[..., PodLoad]) -> None:
    before = delivery.pods("shop-kafka")
    with load() as messages:
        delivery.apply(storage="2Gi")

    assert delivery.pods("shop-kafka") == before
    claims = json.loads(delivery.kubectl("get", "pvc", "-l", "app.kubernetes.io/instance=shop-kafka", "-o", "json"))
    assert {claim["status"]["capacity"]["storage"] for claim in claims["items"]} == {"2Gi"}
    nothing_is_lost(messages, "storage grown")
    delivery.smoke(expected=0)
    assert delivery.plan() == "empty"
    delivery.plan_refused(storage="1Gi")


def test_a_killed_pod_comes_back_and_nothing_is_lost(delivery: ClusterDelivery, load: Callable[..., PodLoad]) -> None:
    before = delivery.pods("shop-kafka")["shop-kafka-1"]
    with load() as messages:
        delivery.kubectl("delete", "pod", "shop-kafka-1", "--force", "--grace-period=0")
        until(lambda: delivery.pods("shop-kafka").get("shop-kafka-1", before) != before, "the pod is replaced", 180)
        delivery.await_ready("shop-kafka")

    nothing_is_lost(messages, "pod killed")
    delivery.smoke(expected=0)


@pytest.mark.by_hand
def test_an_unplugged_node_costs_nothing_and_its_broker_catches_up(
    delivery: ClusterDelivery, load: Callable[..., PodLoad], testbed: Callable[..., None]
) -> None:
    nodes = {
        pod["metadata"]["name"]: pod["spec"]["nodeName"]
        for pod in json.loads(delivery.kubectl("get", "pods", "-o", "json"))["items"]
    }
    lost = next(node for pod, node in nodes.items() if pod.startswith("shop-kafka-") and node != api_server())
    elsewhere = next(node for node in nodes.values() if node != lost)
    with load(node=elsewhere) as messages:
        testbed("cut", lost)
        until(lambda: not is_ready(lost), "the node is missed", 180)
        messages.wait_for(600)
        testbed("heal", lost)
        until(lambda: is_ready(lost), "the node is back", 180)
        delivery.await_ready("shop-zookeeper", "shop-kafka")

    nothing_is_lost(messages, "node unplugged")
    delivery.smoke(expected=0, patience=120)


def api_server() -> str | None:
    """The node that must stay: without it nobody could be asked."""
    server = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    address = "jsonpath={range .items[*]}{.metadata.name} {.status.addresses[?(@.type=='InternalIP')].address}\n{end}"
    nodes = dict(line.split() for line in kubectl("get", "nodes", "-o", address).splitlines())
    return next((node for node, own in nodes.items() if f"//{own}:" in server), None)


def is_ready(node: str) -> bool:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return kubectl("get", "node", node, "-o", path) == "True"


def test_a_fourth_broker_joins_and_nothing_is_lost(delivery: ClusterDelivery, load: Callable[..., PodLoad]) -> None:
    with load() as messages:
        delivery.apply(brokers=4)

    assert len(delivery.pods("shop-kafka")) == 4
    nothing_is_lost(messages, "three to four brokers")
    delivery.smoke(expected=0)


def test_a_broker_that_holds_replicas_goes_only_once_it_is_drained(
    delivery: ClusterDelivery, load: Callable[..., PodLoad], new_topic: Callable[[], str]
) -> None:
    new_topic()  # some of its replicas are on the fourth broker
    delivery.plan_refused(brokers=3)

    with load() as messages:
        delivery.apply(brokers=3, drain=True)

    assert len(delivery.pods("shop-kafka")) == 3
    nothing_is_lost(messages, "four to three brokers")
    delivery.smoke(expected=0)


def test_zookeeper_grows_and_shrinks_while_it_serves(delivery: ClusterDelivery, load: Callable[..., PodLoad]) -> None:
    before = delivery.pods("shop-zookeeper"), delivery.pods("shop-kafka")
    with load() as messages:
        delivery.apply(servers=5)
        delivery.smoke(expected=0)
        delivery.apply(servers=3)

    after = delivery.pods("shop-zookeeper"), delivery.pods("shop-kafka")
    assert after == before, "no server that stays is restarted, and no broker"
    nothing_is_lost(messages, "three to five to three ZooKeeper servers")
    delivery.smoke(expected=0)
    assert delivery.plan() == "empty"
