"""Every value of a chart moves what is rendered; a wrong one is refused with its path."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from hikube_kafka.spec.chart_values import KafkaValues, ZooKeeperValues
from tests.support.kubernetes import Template

OUTSIDE = {"listeners": [{"name": "client", "port": 9092}, {"name": "outside", "port": 9094}]}
LOAD_BALANCER = {"type": "LoadBalancer", "listener": "outside", "host": "kafka-<ordinal>.example.com"}
NODE_PORT = {"type": "NodePort", "listener": "outside"}

# path: (value, what the rendered chart then says and did not say before, values that both renderings have)
Case = tuple[Any, str, dict[str, Any]]
SHARED: dict[str, Case] = {
    "replicas": (5, "replicas: 5", {}),
    "image.registry": ("mirror.example.com", "image: mirror.example.com/", {}),
    "image.repository": ("own/server", "image: own/server:", {}),
    "image.tag": ("9.9.9", ":9.9.9", {}),
    "image.digest": ("sha256:" + 64 * "a", "@sha256:aaaa", {}),
    "image.pullPolicy": ("Always", "imagePullPolicy: Always", {}),
    "imagePullSecrets": (["mirror"], "imagePullSecrets:\n        - name: mirror", {}),
    "heap": ("777m", "-Xms777m -Xmx777m", {}),
    "jvmOptions": (["-Down=1"], "-Down=1", {}),
    "resources.cpu": ("3", 'cpu: "3"', {}),
    "resources.memory": ("9Gi", 'memory: "9Gi"', {}),
    "claimRetention.whenDeleted": ("Delete", "whenDeleted: Delete", {}),
    "claimRetention.whenScaled": ("Delete", "whenScaled: Delete", {}),
    "pods.antiAffinity": ("preferred", "preferredDuringSchedulingIgnoredDuringExecution", {}),
    "pods.nodeSelector": ({"disk": "fast"}, "nodeSelector:\n        disk: fast", {}),
    "pods.tolerations": (
        [{"key": "kafka", "operator": "Equal", "value": "1", "effect": "NoExecute"}],
        'operator: Equal\n          key: kafka\n          value: "1"\n          effect: NoExecute',
        {},
    ),
    "pods.priorityClassName": ("high", "priorityClassName: high", {}),
    "pods.annotations": ({"own": "1"}, 'own: "1"', {}),
    "networkPolicy.clients": (
        [{"namespace": "shop", "labels": {"app": "cart"}}],
        (
            "app: cart\n          namespaceSelector:\n            matchLabels:\n"
            "              kubernetes.io/metadata.name: shop"
        ),
        {},
    ),
    "labels": ({"team": "billing"}, "team: billing", {}),
    "storage.data.size": ("77Gi", "storage: 77Gi", {}),
    "storage.data.storageClass": ("local", "storageClassName: local", {}),
    "terminationGraceSeconds": (777, "terminationGracePeriodSeconds: 777", {}),
}
ZOOKEEPER: dict[str, Case] = SHARED | {
    "config": ({"tickTime": "3000"}, "tickTime=3000", {}),
    "storage.log": ({"size": "3Gi"}, "name: log\n", {"config": {"dataLogDir": "/datalog"}}),
    "membershipSecret": ("own", "secretName: own", {}),
}
KAFKA: dict[str, Case] = SHARED | {
    "config": ({"log.retention.hours": "24"}, "log.retention.hours=24", {}),
    "listeners": (OUTSIDE["listeners"], "{name: outside, containerPort: 9094}", {}),
    "forwardPort": (29092, 'name: FORWARD_PORT, value: "29092"', {}),
    "external.type": ("LoadBalancer", "type: LoadBalancer", OUTSIDE | {"external": {"listener": "outside"}}),
    "external.listener": (
        "client",
        "- name: client\n      port: 9092\n      targetPort: client",
        OUTSIDE | {"external": LOAD_BALANCER},
    ),
    "external.nodePort": (31000, "nodePort: 31002", OUTSIDE | {"external": NODE_PORT}),
    "external.sources": (["203.0.113.0/24"], "ipBlock: {cidr: 203.0.113.0/24}", OUTSIDE | {"external": NODE_PORT}),
    "external.annotations": (
        {"dns": "kafka-<ordinal>.example.com"},
        "dns: kafka-2.example.com",
        OUTSIDE | {"external": LOAD_BALANCER},
    ),
    "rack.names": (["a", "b"], 'name: RACKS, value: "a b"', {}),
    "startupSeconds": (600, "failureThreshold: 300", {}),
    "shutdownGateSeconds": (17, 'shutdown, "17"', {}),
}
GONE: dict[str, Case] = {"networkPolicy.enabled": (False, "kind: NetworkPolicy", {})}
# The host is in the configuration that spec computes, as part of advertised.listeners; zones need a cluster.
ELSEWHERE = {"kafka": {"external.host", "rack.fromZone"}, "zookeeper": set[str]()}
CASES = {"zookeeper": ZOOKEEPER, "kafka": KAFKA}


def paths(model: type[BaseModel]) -> Iterator[str]:
    """The path of each value that is no group of values."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        alias = field.alias or name
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (f"{alias}.{inner}" for inner in paths(kind))
        else:
            yield alias


def at(path: str, value: Any, others: dict[str, Any]) -> dict[str, Any]:
    """Values with this one set at its path, beside the others."""
    first, _, rest = path.partition(".")
    return others | {first: at(rest, value, others.get(first, {})) if rest else value}


@pytest.mark.parametrize(("chart", "model"), [("zookeeper", ZooKeeperValues), ("kafka", KafkaValues)])
def test_no_value_is_without_its_test(chart: str, model: type[BaseModel]) -> None:
    assert set(paths(model)) == CASES[chart].keys() | GONE.keys() | ELSEWHERE[chart]


@pytest.mark.parametrize(("chart", "path"), [(chart, path) for chart, cases in CASES.items() for path in cases])
def test_a_value_moves_what_is_rendered(chart: str, path: str, template: Template) -> None:
    value, expected, others = CASES[chart][path]
    before, after = template(chart, others), template(chart, at(path, value, others))
    assert (before.returncode, after.returncode) == (0, 0), before.stderr + after.stderr
    assert expected not in before.stdout
    assert expected in after.stdout
    assert list(yaml.safe_load_all(after.stdout))


@pytest.mark.parametrize("chart", ["zookeeper", "kafka"])
def test_a_network_policy_can_be_left_out(chart: str, template: Template) -> None:
    ((path, (value, gone, _)),) = GONE.items()
    assert gone in template(chart, {}).stdout
    assert gone not in template(chart, at(path, value, {})).stdout


def test_a_single_server_needs_no_node_of_its_own(template: Template) -> None:
    for chart in ("zookeeper", "kafka"):
        assert "podAntiAffinity" in template(chart, {"replicas": 3}).stdout
        assert "podAntiAffinity" not in template(chart, {"replicas": 1}).stdout


def test_without_a_cluster_no_password_is_made(template: Template) -> None:
    """It would be another one at every rendering."""
    refused = template("zookeeper", {"membershipSecret": ""}, "events")
    assert refused.returncode != 0
    assert "membershipSecret is needed where the chart is rendered without a cluster" in refused.stderr
    made = 'kubectl -n shop create secret generic events-membership --from-literal=password="$(openssl rand -hex 16)"'
    assert made in refused.stderr


def test_without_a_cluster_the_zones_of_its_nodes_are_not_taken_for_none(template: Template) -> None:
    refused = template("kafka", {"rack": {"fromZone": True}})
    assert refused.returncode != 0
    assert "rack.fromZone: the zones of the nodes are not known" in refused.stderr


@pytest.mark.parametrize("chart", ["zookeeper", "kafka"])
def test_what_is_rendered_without_a_cluster_is_the_same_each_time(chart: str, template: Template) -> None:
    first, second = template(chart, {}), template(chart, {})
    assert (first.returncode, first.stdout) == (0, second.stdout)
    assert "kind: Secret" not in first.stdout


@pytest.mark.parametrize(("servers", "said"), [(2, "Give 1 or 3."), (4, "4 servers need 3 for a quorum")])
def test_an_even_number_of_zookeeper_servers_is_refused(servers: int, said: str, template: Template) -> None:
    done = template("zookeeper", {"replicas": servers})
    assert done.returncode != 0
    assert f"replicas: {servers} servers need" in done.stderr
    assert said in done.stderr


def test_text_survives_the_way_into_a_properties_file(template: Template) -> None:
    done = template("kafka", {"config": {"a": "one\ntwo", "b": 'C:\\x "quoted"', "c": "<ordinal> & co"}})
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "a=one\\ntwo" in lines
    assert 'b=C:\\\\x \\"quoted\\"' in lines
    assert "c=<ordinal> & co" in lines


@pytest.mark.parametrize(
    ("chart", "values", "path"),
    [
        ("kafka", {"replicas": 0}, "/replicas"),
        ("kafka", {"replicas": "3"}, "/replicas"),
        ("kafka", {"heap": "1Gi"}, "/heap"),
        ("kafka", {"config": {"num.partitions": 3}}, "/config/num.partitions"),
        ("kafka", {"external": {"type": "Ingress"}}, "/external/type"),
        ("kafka", {"listeners": [{"name": "client", "port": 80}]}, "/listeners/0/port"),
        ("kafka", {"image": {"digest": "abc"}}, "/image/digest"),
        ("kafka", {"pods": {"antiAffinty": "preferred"}}, "/pods"),
        ("kafka", {"replica": 3}, "replica"),
        ("zookeeper", {"storage": {"data": {"size": "5 GB"}}}, "/storage/data/size"),
        ("zookeeper", {"claimRetention": {"whenDeleted": "Remove"}}, "/claimRetention/whenDeleted"),
        ("zookeeper", {"networkPolicy": {"clients": [{"namespaces": "shop"}]}}, "/networkPolicy/clients/0"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(
    chart: str, values: dict[str, Any], path: str, template: Template
) -> None:
    done = template(chart, values)
    assert done.returncode != 0
    assert path in done.stderr


def test_external_access_to_a_listener_that_is_not_there_is_refused(template: Template) -> None:
    done = template("kafka", {"external": NODE_PORT})
    assert done.returncode != 0
    assert 'external.listener: "outside" is not among the listeners' in done.stderr


def test_a_gate_that_outlasts_the_grace_is_refused(template: Template) -> None:
    done = template("kafka", {"shutdownGateSeconds": 300})
    assert done.returncode != 0
    assert "shutdownGateSeconds: it must end before terminationGraceSeconds" in done.stderr


@pytest.mark.parametrize("chart", ["zookeeper", "kafka"])
def test_a_containing_chart_may_hand_down_its_globals(chart: str, template: Template) -> None:
    assert template(chart, {"global": {"own": 1}}).returncode == 0
