"""A ZooKeeper release that grows and shrinks, through the real Terraform, with the project's own chart."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.terraform, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "constructs" / "hikube_kafka" / "charts" / "zookeeper"


@pytest.fixture(scope="module")
def helm() -> str:
    program = shutil.which("helm", path=f"{ROOT / '.build/bin'}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("no helm: neither in .build/bin, where `make helm` builds it, nor on PATH")
    return program


@pytest.fixture
def namespace() -> Iterator[str]:
    if not os.environ.get("KUBECONFIG") or not shutil.which("kubectl"):
        pytest.skip("KUBECONFIG is not set, or kubectl is not on PATH: this test needs a cluster")
    name = f"members-{uuid.uuid4().hex[:8]}"
    subprocess.run(["kubectl", "create", "namespace", name], check=True, capture_output=True)
    yield name
    subprocess.run(["kubectl", "delete", "namespace", name, "--wait=false"], check=True, capture_output=True)


@pytest.fixture
def declare(workspace: Any, helm: str, namespace: str) -> Callable[[int], None]:
    """Write a configuration: who is taken out, the release, who is brought in."""

    def write(servers: int) -> None:
        values = workspace.directory / "values.json"
        small = {
            "replicas": servers,
            "heap": "96m",
            "resources": {"cpu": "50m", "memory": "256Mi"},
            "pods": {"antiAffinity": "preferred"},
            "storage": {"data": {"size": "1Gi"}},
        }
        values.write_text(json.dumps(small))
        members = {
            "stateful_set": "zk",
            "servers": {
                str(number + 1): f"zk-{number}.zk-headless.{namespace}.svc:2888:3888:participant;2181"
                for number in range(servers)
            },
            "secret": "zk-membership",
        }
        install = f"{helm} upgrade --install zk {CHART} -n {namespace} --values {values} --wait --timeout 5m"
        workspace.write(
            provider={"hikube": {"kubernetes": {"namespace": namespace, "release": "kafka"}}},
            resource={
                "hikube_zookeeper_members": {
                    "before": {**members, "applied": "before"},
                    "after": {**members, "applied": "after", "depends_on": ["terraform_data.release"]},
                },
                "terraform_data": {
                    "release": {
                        "triggers_replace": [servers],
                        "depends_on": ["hikube_zookeeper_members.before"],
                        "provisioner": [{"local-exec": {"command": install}}],
                    }
                },
            },
        )

    return write


def restarts(namespace: str) -> dict[str, tuple[str, int]]:
    shown = subprocess.run(
        ["kubectl", "-n", namespace, "get", "pods", "-o", "json"], check=True, capture_output=True, text=True
    )
    return {
        pod["metadata"]["name"]: (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
        for pod in json.loads(shown.stdout)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    }


def test_a_release_grows_to_five_and_shrinks_to_three_and_no_server_that_stays_restarts(
    workspace: Any, declare: Callable[[int], None], namespace: str
) -> None:
    declare(3)
    workspace.apply()
    assert workspace.state("hikube_zookeeper_members.after")["voters"] == [1, 2, 3]
    assert workspace.plan() == "empty"
    first = restarts(namespace)

    declare(5)
    workspace.apply()
    assert workspace.state("hikube_zookeeper_members.after")["voters"] == [1, 2, 3, 4, 5]
    assert workspace.plan() == "empty"
    assert first.items() <= restarts(namespace).items()

    declare(4)
    assert "4 ZooKeeper servers are an even number" in workspace.refused("plan")
    declare(3)
    workspace.apply()
    assert workspace.plan() == "empty"
    assert workspace.state("hikube_zookeeper_members.before")["voters"] == [1, 2, 3]
    assert first.items() <= restarts(namespace).items()
