"""Three ZooKeeper servers and three brokers in a namespace that lives as long as these tests."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hikube_kafka.spec.contract import (
    BrokerExpected,
    ClaimExpected,
    Contract,
    KafkaExpected,
    KubernetesExpected,
    ReachByPortForward,
    ServersExpected,
    ZooKeeperExpected,
    ZooKeeperServerExpected,
)
from hikube_kafka.spec.quantities import Quantity
from tests.support.kubernetes import Kubectl, new_namespace, rolled_out
from tests.support.kubernetes import kubectl as run_kubectl


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return run_kubectl


@pytest.fixture(scope="session")
def reach() -> Iterator[ReachByPortForward]:
    with new_namespace("port-forward") as namespace:
        run_kubectl("-n", namespace, "apply", "-f", str(Path(__file__).with_name("three_and_three.yaml")))
        for name in ("zookeeper", "kafka"):
            rolled_out(namespace, name)
        yield ReachByPortForward(
            namespace=namespace, kafka_pods="kafka", zookeeper_pods="zookeeper", forward_port=19392
        )


@pytest.fixture(scope="session")
def contract(reach: ReachByPortForward) -> Contract:
    """What the manifest promises."""

    def inside(kind: str, ordinal: int, port: int) -> str:
        return f"{kind}-{ordinal}.{kind}.{reach.namespace}.svc.cluster.local:{port}"

    return Contract(
        platform="outside",
        target="kubernetes",
        reach=reach,
        coordinator=ZooKeeperExpected(
            servers=tuple(
                ZooKeeperServerExpected(id=server, address=inside("zookeeper", server - 1, 2181))
                for server in (1, 2, 3)
            )
        ),
        kafka=KafkaExpected(
            version="3.9.2",
            brokers=tuple(BrokerExpected(id=broker, address=inside("kafka", broker, 9092)) for broker in (0, 1, 2)),
            settings={"min.insync.replicas": "2", "default.replication.factor": "3"},
        ),
        kubernetes=KubernetesExpected(
            coordinator=ServersExpected(images={"zookeeper": "zookeeper:3.9.5"}, max_unavailable=1),
            kafka=ServersExpected(
                images={"kafka": "apache/kafka:3.9.2"},
                claims=(ClaimExpected(name="data", size=Quantity("1Gi")),),
                max_unavailable=1,
            ),
        ),
    )


@pytest.fixture
def kubeconfig_of(kubectl: Kubectl, reach: ReachByPortForward, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Make a kubeconfig whose user may do exactly what is listed: verbs by resource, in the namespace of the pods."""
    made: list[str] = []

    def make(token: str | None = None, **verbs: str) -> str:
        name = f"user-{uuid.uuid4().hex[:8]}"
        made.append(name)
        kubectl("-n", reach.namespace, "create", "serviceaccount", name)
        rules = [
            {"apiGroups": [""], "resources": [resource.replace("_", "/")], "verbs": allowed.split()}
            for resource, allowed in verbs.items()
        ]
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": name, "namespace": reach.namespace},
            "rules": rules,
        }
        kubectl("apply", "-f", "-", stdin=json.dumps(role))
        account = f"--serviceaccount={reach.namespace}:{name}"
        kubectl("-n", reach.namespace, "create", "rolebinding", name, f"--role={name}", account)
        token = token or kubectl("-n", reach.namespace, "create", "token", name).strip()
        config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
        config["users"] = [{"name": name, "user": {"token": token}}]
        config["contexts"][0]["context"]["user"] = name
        file = tmp_path / f"{name}.kubeconfig"
        file.write_text(json.dumps(config))
        return str(file)

    yield make
    for name in made:
        kubectl("-n", reach.namespace, "delete", f"rolebinding/{name}", f"role/{name}", f"serviceaccount/{name}")
