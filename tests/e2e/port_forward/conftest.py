"""Three ZooKeeper servers and three brokers in a namespace that lives as long as these tests."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hikube_kafka.spec.contract import ReachByPortForward

Kubectl = Callable[..., str]


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip(
            "KUBECONFIG is not set: these tests need a Kubernetes cluster with apache/kafka and zookeeper images"
        )
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not on PATH")

    def run(*arguments: str, stdin: str | None = None) -> str:
        done = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def reach(kubectl: Kubectl) -> Iterator[ReachByPortForward]:
    namespace = f"port-forward-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", namespace)
    try:
        kubectl("-n", namespace, "apply", "-f", str(Path(__file__).with_name("three_and_three.yaml")))
        for name in ("zookeeper", "kafka"):
            kubectl("-n", namespace, "rollout", "status", f"statefulset/{name}", "--timeout=180s")
        yield ReachByPortForward(namespace=namespace, kafka_pods="kafka", zookeeper_pods="zookeeper")
    finally:
        kubectl("delete", "namespace", namespace, "--timeout=120s")


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
