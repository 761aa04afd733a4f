"""Whether the charts' network policies, as they are rendered, let in the pod of the smoke tests."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml

from hikube_kafka.kubernetes.errors import ForbiddenError
from hikube_kafka.probe import workloads
from hikube_kafka.probe.contract import observe
from hikube_kafka.probe.network_policies import Client, kept_out
from hikube_kafka.probe.observation import KubernetesSeen, Unreadable
from hikube_kafka.probe.route import Route
from hikube_kafka.spec.contract import (
    BrokerExpected,
    Contract,
    KafkaExpected,
    KubernetesExpected,
    ReachByPortForward,
    ZooKeeperExpected,
    ZooKeeperServerExpected,
)
from hikube_kafka.spec.targets.kubernetes import SMOKE_LABELS
from tests.support.kubernetes import ROOT, Helm, rendered

LABEL = "hikube.kafka/smoke=true"


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> list[Mapping[str, Any]]:
    """Those of both charts in the namespace ``shop``, but for those of the Job before an upgrade."""
    helm = Helm(tmp_path_factory.mktemp("helm"))
    objects = [
        *rendered(helm, "zookeeper", "zookeeper", "--set=membershipSecret=own"),
        *rendered(helm, "kafka", "kafka", "--set-json=networkPolicy.clients=[]"),
    ]
    found = [each for each in objects if each["kind"] == "NetworkPolicy"]
    return [each for each in found if "helm.sh/hook" not in each["metadata"].get("annotations", {})]


def pod(release: str, *ports: Mapping[str, Any]) -> dict[str, Any]:
    """A server of a chart."""
    labels = {"app.kubernetes.io/name": release, "app.kubernetes.io/instance": release}
    return {
        "metadata": {"name": f"{release}-0", "labels": labels},
        "spec": {"containers": [{"name": release, "image": release, "ports": list(ports)}]},
    }


PORTS = {"zookeeper-0": 2181, "kafka-0": 9092}
PODS = [
    pod("zookeeper", {"name": "client", "containerPort": 2181}),
    pod("kafka", {"name": "client", "containerPort": 9092}, {"name": "external", "containerPort": 9094}),
]


def out(policies: Sequence[Mapping[str, Any]], client: Client) -> dict[str, str]:
    return kept_out(client, "shop", PODS, policies, PORTS)


def test_a_pod_with_the_label_is_let_in_and_one_without_is_told_the_policy(policies: list[Mapping[str, Any]]) -> None:
    assert out(policies, Client(namespace="shop", labels={**SMOKE_LABELS, "app": "gate"})) == {}
    told = out(policies, Client(namespace="shop", labels={"app": "gate"}))
    assert told == {
        "zookeeper-0": f"the network policy zookeeper does not let this pod in: give the pod the label {LABEL}",
        "kafka-0": f"the network policy kafka does not let this pod in: give the pod the label {LABEL}",
    }


def test_the_job_that_the_docs_show_is_let_in(policies: list[Mapping[str, Any]]) -> None:
    """In the namespace of the policies, whatever that is called."""
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/smoke.md").read_text("utf-8"), re.DOTALL)
    labels = yaml.safe_load(example)["spec"]["template"]["metadata"]["labels"]
    assert out(policies, Client(namespace="shop", labels=labels)) == {}


def test_the_label_counts_in_the_platforms_own_namespace(policies: list[Mapping[str, Any]]) -> None:
    told = out(policies, Client(namespace="ci", labels=SMOKE_LABELS))
    assert "zookeeper does not let in pods of the namespace ci: run this in shop" in told["zookeeper-0"]


def test_a_pod_whose_labels_cannot_be_read_may_be_kept_out(policies: list[Mapping[str, Any]]) -> None:
    told = out(policies, Client(namespace="shop", labels=None))
    assert "zookeeper may not let this pod in" in told["zookeeper-0"]
    assert LABEL in told["zookeeper-0"]


def policy(*peers: Mapping[str, Any], name: str = "own", **spec: Any) -> dict[str, Any]:
    ingress = [{"from": list(peers)}] if peers else []
    return {"metadata": {"name": name}, "spec": {"podSelector": {}, "ingress": ingress, **spec}}


@pytest.mark.parametrize(
    ("found", "is_let_in"),
    [
        ([], True),
        ([policy(policyTypes=["Egress"])], True),
        ([policy(podSelector={"matchLabels": {"app": "other"}})], True),
        ([policy()], False),
        ([policy(), policy({"podSelector": {}}, name="open")], True),
        ([policy(ingress=[{}])], True),
        ([policy({"namespaceSelector": {}})], True),
        ([policy({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ci"}}})], False),
        ([policy({"namespaceSelector": {"matchLabels": {"team": "shop"}}})], True),
        ([policy({"ipBlock": {"cidr": "10.0.0.0/8"}})], True),
        ([policy({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}})], False),
        ([policy({"ipBlock": {"cidr": "2001:db8::/32"}})], False),
        ([policy(ingress=[{"ports": []}])], True),
        ([policy(ingress=[{"ports": [{"protocol": "TCP"}]}])], True),
        ([policy(ingress=[{"ports": [{"port": "client"}]}])], True),
        ([policy(ingress=[{"ports": [{"port": 1, "endPort": 65535}]}])], True),
        ([policy(ingress=[{"ports": [{"port": 2181}, {"port": 9092, "protocol": "TCP"}]}])], True),
        ([policy(ingress=[{"ports": [{"port": 9404}]}])], False),
        ([policy(ingress=[{"ports": [{"port": "external"}]}])], False),
        ([policy(ingress=[{"ports": [{"port": 1, "endPort": 2180}]}])], False),
        ([policy(ingress=[{"ports": [{"port": "client", "protocol": "UDP"}]}])], False),
    ],
)
def test_policies_are_read_as_kubernetes_reads_them(found: list[Mapping[str, Any]], *, is_let_in: bool) -> None:
    client = Client(namespace="shop", labels={"app": "gate"}, address="10.1.2.3")
    assert (out(found, client) == {}) is is_let_in


class Told:
    """A cluster whose answers are told beforehand."""

    namespace = "shop"

    def __init__(self, policies: Any, own: Any) -> None:
        self.answers = {"pods": PODS, "networkpolicies": policies}
        self.own = own

    async def listed(self, resource: str, **_where: Any) -> Any:
        answer = self.answers.get(resource, [])
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def find(self, path: str) -> Any:
        assert path.startswith("/api/v1/namespaces/shop/pods/")
        return self.own


def look(cluster: Told, dialled: Mapping[str, int] | None = PORTS) -> KubernetesSeen:
    return asyncio.run(workloads._look(cluster, False, 1, dialled))  # type: ignore[arg-type]  # noqa: FBT003


def test_policies_are_read_inside_the_cluster_alone(policies: list[Mapping[str, Any]]) -> None:
    own = {"metadata": {"labels": {"app": "gate"}}, "status": {"podIP": "10.0.0.1"}}
    assert look(Told(policies, own)).kept_out.keys() == {"zookeeper-0", "kafka-0"}
    assert look(Told(policies, own), dialled=None).kept_out == {}


def test_policies_that_cannot_be_read_may_be_the_cause() -> None:
    told = look(Told(ForbiddenError("shop", "networkpolicies", "gate may not list"), None)).kept_out["kafka-0"]
    assert told.startswith("a network policy may keep this pod out")
    assert "gate may not list" in told
    assert LABEL in told


def test_what_does_not_answer_names_the_policy_that_may_be_the_cause() -> None:
    kept = {"zookeeper-0": "the network policy zookeeper", "kafka-0": "the network policy kafka"}
    contract = Contract(
        platform="shop",
        target="kubernetes",
        reach=ReachByPortForward(namespace="shop", kafka_pods="kafka", zookeeper_pods="zookeeper"),
        coordinator=ZooKeeperExpected(servers=(ZooKeeperServerExpected(id=1, address="127.0.0.1:1"),)),
        kafka=KafkaExpected(version="3.9.2", brokers=(BrokerExpected(id=0, address="127.0.0.1:2"),)),
        kubernetes=KubernetesExpected(),
    )
    route = Route(
        pods={"127.0.0.1:1": "zookeeper-0", "127.0.0.1:2": "kafka-0"},
        workloads=lambda *, nodes, timeout: KubernetesSeen(kept_out=kept),  # noqa: ARG005 - of the protocol
    )
    observation = observe(contract, timeout=0.5, route=route)
    server = observation.zookeeper.server("127.0.0.1:1").status
    (broker,) = observation.kafka.brokers
    assert isinstance(server, Unreadable)
    assert isinstance(broker.metadata, Unreadable)
    assert server.reason.endswith("(the network policy zookeeper)")
    assert broker.metadata.reason.endswith("(the network policy kafka)")
