"""The life of a platform on Kubernetes: deployed, proven, changed and hurt under load, and nothing is lost."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]


def nothing_is_lost(load: Any, what: str) -> None:
    """Every acknowledged message is there, and every message was acknowledged in the end."""
    lost, duplicated = load.lost_and_duplicated()
    load.told(what, duplicated=len(duplicated))
    assert lost == set()
    assert load.given_up == []


class InSyncWatch:
    """Looks at the in-sync replicas all the time, and at which pods of the brokers are ready."""

    def __init__(self, deployment: Any) -> None:
        self._deployment = deployment
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
                self._deployment.kubectl("get", "pods", "-l", "app.kubernetes.io/instance=shop-kafka", "-o", "json")
            )["items"]
            self.ready.append(
                sum(
                    condition["type"] == "Ready" and condition["status"] == "True"
                    for pod in pods
                    if "deletionTimestamp" not in pod["metadata"]
                    for condition in pod["status"].get("conditions", ())
                )
            )


def test_a_platform_is_deployed_passes_the_gate_from_outside_and_a_second_plan_is_empty(deployment: Any) -> None:
    report = deployment.smoke(expected=0)

    assert {finding["status"] for finding in report["findings"]} <= {"passed", "untested"}
    assert deployment.plan_code() == 0


def test_the_namespace_lets_in_restricted_pods_alone_and_no_plan_deletes_it(deployment: Any) -> None:
    if not deployment.has_namespace:
        pytest.skip("no mirror has the provider hashicorp/kubernetes: the namespace was made by kubectl")
    labels = json.loads(deployment.kubectl("get", "namespace", deployment.namespace, "-o", "json"))["metadata"][
        "labels"
    ]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    said = deployment.terraform("plan", "-destroy", "-input=false", expected=(1,))
    assert "Instance cannot be destroyed" in said
    assert "kubernetes_namespace_v1.shop" in said


def test_a_changed_configuration_rolls_the_brokers_one_at_a_time_and_loses_nothing(
    deployment: Any, load: Callable[..., Any]
) -> None:
    before = deployment.pods("shop-kafka")
    with load() as messages, InSyncWatch(deployment) as watch:
        deployment.apply(config={"message.max.bytes": 2_097_152})

    after = deployment.pods("shop-kafka")
    assert after.keys() == before.keys()
    assert all(after[pod][0] != before[pod][0] for pod in before)
    assert min(watch.ready) >= 2
    nothing_is_lost(messages, "rolling update")
    deployment.smoke(expected=0)


def test_storage_grows_under_running_pods(deployment: Any, load: Callable[..., Any]) -> None:
    before = deployment.pods("shop-kafka")
    with load() as messages:
        deployment.apply(storage="2Gi")

    assert deployment.pods("shop-kafka") == before
    claims = json.loads(deployment.kubectl("get", "pvc", "-l", "app.kubernetes.io/instance=shop-kafka", "-o", "json"))
    assert {claim["status"]["capacity"]["storage"] for claim in claims["items"]} == {"2Gi"}
    nothing_is_lost(messages, "storage grown")
    deployment.smoke(expected=0)
    assert deployment.plan_code() == 0
    assert deployment.plan_code(storage="1Gi") == 1
    deployment.declared["storage"] = "2Gi"


def test_a_killed_pod_comes_back_and_nothing_is_lost(deployment: Any, load: Callable[..., Any]) -> None:
    before = deployment.pods("shop-kafka")["shop-kafka-1"]
    with load() as messages:
        deployment.kubectl("delete", "pod", "shop-kafka-1", "--force", "--grace-period=0")
        await_condition(
            lambda: deployment.pods("shop-kafka").get("shop-kafka-1", before) != before, "the pod is not replaced"
        )
        deployment.await_ready("shop-kafka")

    nothing_is_lost(messages, "pod killed")
    deployment.smoke(expected=0)


def test_an_unplugged_node_costs_nothing_and_its_broker_catches_up(
    deployment: Any, load: Callable[..., Any], testbed: Callable[..., None]
) -> None:
    nodes = {
        pod["metadata"]["name"]: pod["spec"]["nodeName"]
        for pod in json.loads(deployment.kubectl("get", "pods", "-o", "json"))["items"]
    }
    lost = next(node for pod, node in nodes.items() if pod.startswith("shop-kafka-") and node != api_server(deployment))
    elsewhere = next(node for node in nodes.values() if node != lost)
    with load(node=elsewhere) as messages:
        testbed("cut", lost)
        await_condition(lambda: not is_ready(deployment, lost), "the node is not missed")
        messages.wait_for(600)
        testbed("heal", lost)
        await_condition(lambda: is_ready(deployment, lost), "the node is not back")
        deployment.await_ready("shop-zookeeper", "shop-kafka")

    nothing_is_lost(messages, "node unplugged")
    deployment.smoke(expected=0, patience=120)


def api_server(deployment: Any) -> str | None:
    """The node that must stay: without it nobody could be asked."""
    server = deployment.run(
        "kubectl", "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"
    ).stdout
    address = "jsonpath={range .items[*]}{.metadata.name} {.status.addresses[?(@.type=='InternalIP')].address}\n{end}"
    nodes = dict(line.split() for line in deployment.run("kubectl", "get", "nodes", "-o", address).stdout.splitlines())
    return next((node for node, own in nodes.items() if f"//{own}:" in server), None)


def is_ready(deployment: Any, node: str) -> bool:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return deployment.run("kubectl", "get", "node", node, "-o", path).stdout == "True"


def await_condition(condition: Callable[[], bool], problem: str) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline, problem
        time.sleep(1)


def test_a_fourth_broker_joins_and_nothing_is_lost(deployment: Any, load: Callable[..., Any]) -> None:
    with load() as messages:
        deployment.apply(brokers=4)

    assert len(deployment.pods("shop-kafka")) == 4
    nothing_is_lost(messages, "three to four brokers")
    deployment.smoke(expected=0)


def test_a_broker_that_holds_replicas_goes_only_once_it_is_drained(
    deployment: Any, load: Callable[..., Any], new_topic: Callable[[], str]
) -> None:
    new_topic()  # some of its replicas are on the fourth broker
    assert deployment.plan_code(brokers=3) == 1

    with load() as messages:
        deployment.apply(brokers=3, drain=True)

    assert len(deployment.pods("shop-kafka")) == 3
    nothing_is_lost(messages, "four to three brokers")
    deployment.smoke(expected=0)


def test_zookeeper_grows_and_shrinks_while_it_serves(deployment: Any, load: Callable[..., Any]) -> None:
    before = deployment.pods("shop-zookeeper"), deployment.pods("shop-kafka")
    with load() as messages:
        deployment.apply(servers=5)
        deployment.smoke(expected=0)
        deployment.apply(servers=3)

    after = deployment.pods("shop-zookeeper"), deployment.pods("shop-kafka")
    assert after == before, "no server that stays is restarted, and no broker"
    nothing_is_lost(messages, "three to five to three ZooKeeper servers")
    deployment.smoke(expected=0)
    assert deployment.plan_code() == 0
