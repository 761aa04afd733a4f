"""Claims that grow under running pods, through the real Terraform, on a real cluster.

The pods only sleep: what grows is theirs, whatever runs in them. Where a release would be, Terraform runs kubectl.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.kubernetes import Kubectl, new_namespace, rolled_out
from tests.support.kubernetes import kubectl as run_kubectl
from tests.support.terraform import Workspace

pytestmark = [pytest.mark.cluster, pytest.mark.grows, pytest.mark.terraform, pytest.mark.timeout(400)]

ADDRESS = "hikube_volume_claims.this"


@pytest.fixture(scope="module")
def kubectl() -> Iterator[Kubectl]:
    """kubectl in a namespace that lives as long as these tests."""
    with new_namespace("claims") as name:
        yield lambda *arguments, stdin=None: run_kubectl("-n", name, *arguments, stdin=stdin).strip()


def namespace(kubectl: Kubectl) -> str:
    return kubectl("get", "serviceaccount", "default", "-o", "jsonpath={.metadata.namespace}")


@pytest.fixture
def name(kubectl: Kubectl) -> Iterator[str]:
    """Name of a StatefulSet; it and its claims are removed afterwards."""
    name = f"set-{uuid.uuid4().hex[:6]}"
    yield name
    kubectl("delete", "statefulset,pod", "-l", f"app={name}", "--force", "--grace-period=0", "--ignore-not-found")
    kubectl("delete", "pvc", "-l", f"app={name}", "--ignore-not-found", "--wait=false")


def stateful_set(name: str, size: str, storage_class: str | None) -> dict[str, Any]:
    claim: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class:
        claim["storageClassName"] = storage_class
    container = {
        "name": "sleeper",
        "image": "apache/kafka:3.9.2",
        "command": ["sleep", "infinity"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "serviceName": name,
            "replicas": 2,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data", "labels": {"app": name}}, "spec": claim}],
        },
    }


@pytest.fixture
def declare(workspace: Workspace, kubectl: Kubectl, name: str) -> Callable[..., None]:
    """Write a configuration: the claims, and after them what has the StatefulSet."""
    within = namespace(kubectl)

    def write(size: str, storage_class: str | None = "standard", *, release: bool = True, **claims: Any) -> None:
        path = workspace.directory / "stateful_set.json"
        path.write_text(json.dumps(stateful_set(name, size, storage_class)))
        template = {"size": size, "storage_class": storage_class}
        deployed = {
            "triggers_replace": [size, storage_class],
            "depends_on": [ADDRESS],
            "provisioner": [{"local-exec": {"command": f"kubectl -n {within} apply -f {path}"}}],
        }
        workspace.write(
            provider={"hikube": {"kubernetes": {"namespace": within, "release": name}}},
            resource={
                "hikube_volume_claims": {"this": {"stateful_set": name, "templates": {"data": template}, **claims}},
                **({"terraform_data": {"release": deployed}} if release else {}),
            },
        )

    return write


@pytest.fixture
def deployed(workspace: Workspace, declare: Callable[..., None], kubectl: Kubectl, name: str) -> Callable[..., None]:
    """Apply it, and wait until the pods run."""

    def apply(size: str, storage_class: str | None = "standard") -> None:
        declare(size, storage_class)
        workspace.apply()
        rolled_out(namespace(kubectl), name)

    return apply


def pods(kubectl: Kubectl, name: str) -> dict[str, tuple[str, int, str]]:
    """Identity, restarts and start of each pod: what a restart would change."""
    found = json.loads(kubectl("get", "pods", "-l", f"app={name}", "-o", "json"))["items"]
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            pod["status"]["containerStatuses"][0]["restartCount"],
            pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"],
        )
        for pod in found
    }


def capacities(kubectl: Kubectl, name: str) -> dict[str, str]:
    found = json.loads(kubectl("get", "pvc", "-l", f"app={name}", "-o", "json"))["items"]
    return {each["metadata"]["name"]: each["status"].get("capacity", {}).get("storage") for each in found}


def template_size(kubectl: Kubectl, name: str) -> str:
    found = json.loads(kubectl("get", "statefulset", name, "-o", "json"))
    return str(found["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"])


def test_claims_grow_while_their_pods_run_on(
    workspace: Workspace, declare: Callable[..., None], deployed: Callable[..., None], kubectl: Kubectl, name: str
) -> None:
    deployed("1Gi")
    assert workspace.plan() == "empty"
    assert workspace.state(ADDRESS)["claims"] == {}, "nothing was there before the release"
    workspace.apply("-refresh-only")
    assert workspace.state(ADDRESS)["claims"] == {f"data-{name}-0": "1Gi", f"data-{name}-1": "1Gi"}
    before = pods(kubectl, name)

    declare("2Gi")
    shown = workspace.plan()
    assert f'~ "data-{name}-1" = "1Gi" -> "2Gi"' in shown
    assert '~ size = "1Gi" -> "2Gi"' in shown
    assert f"StatefulSet {name}: it will be deleted without its pods" in shown
    workspace.apply()
    assert capacities(kubectl, name) == {f"data-{name}-0": "2Gi", f"data-{name}-1": "2Gi"}
    assert template_size(kubectl, name) == "2Gi"
    rolled_out(namespace(kubectl), name)
    assert pods(kubectl, name) == before, "a pod was restarted"
    assert workspace.plan() == "empty"
    # The same size in another spelling is the same size.
    declare("2048Mi")
    assert f"# {ADDRESS} will be" not in workspace.plan()


def test_the_class_refuses_at_plan_time_and_nothing_has_been_touched(
    workspace: Workspace, declare: Callable[..., None], deployed: Callable[..., None], kubectl: Kubectl, name: str
) -> None:
    deployed("1Gi", "fixed-size")
    declare("2Gi", "fixed-size")
    said = workspace.refused("plan")
    assert f"Claim data-{name}-0: it cannot grow from 1Gi to 2Gi" in said
    assert "storage class fixed-size does not allow it" in said
    assert template_size(kubectl, name) == "1Gi"
    declare("1Gi", "standard")
    said = workspace.refused("plan")
    assert f"Claim data-{name}-0: it is of storage class fixed-size, not standard" in said
    declare("1Gi", "fixed-size")
    assert workspace.plan() == "empty"


def test_shrinking_is_refused_and_a_claim_grown_by_hand_is_shown(
    workspace: Workspace, declare: Callable[..., None], deployed: Callable[..., None], kubectl: Kubectl, name: str
) -> None:
    deployed("2Gi")
    declare("1Gi")
    assert f"Claim data-{name}-0: it cannot shrink from 2Gi to 1Gi" in workspace.refused("plan")
    declare("2Gi")
    patch = {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}
    kubectl("patch", "pvc", f"data-{name}-1", "-p", json.dumps(patch))
    done = workspace.run("plan", "-detailed-exitcode")
    assert done.returncode == 0, done.stdout
    assert f"Claim data-{name}-1: it was grown outside Terraform" in done.stdout
    assert "set size = 3Gi" in done.stdout
    before = pods(kubectl, name)
    deployed("3Gi")
    assert capacities(kubectl, name) == {f"data-{name}-0": "3Gi", f"data-{name}-1": "3Gi"}
    assert pods(kubectl, name) == before


def test_a_growth_that_was_broken_off_is_finished_by_the_next_apply(
    workspace: Workspace, declare: Callable[..., None], deployed: Callable[..., None], kubectl: Kubectl, name: str
) -> None:
    """As it is left by a Ctrl-C between any two steps: one claim patched, the StatefulSet gone, nothing recorded."""
    deployed("1Gi")
    before = pods(kubectl, name)
    patch = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    kubectl("patch", "pvc", f"data-{name}-0", "-p", json.dumps(patch))
    kubectl("delete", "statefulset", name, "--cascade=orphan")
    declare("2Gi")
    shown = workspace.plan()
    assert f'~ "data-{name}-1" = "1Gi" -> "2Gi"' in shown
    workspace.apply()
    rolled_out(namespace(kubectl), name)
    assert capacities(kubectl, name) == {f"data-{name}-0": "2Gi", f"data-{name}-1": "2Gi"}
    assert pods(kubectl, name) == before
    assert workspace.plan() == "empty"


def test_an_interrupted_growth_is_recorded_and_goes_on(
    workspace: Workspace, declare: Callable[..., None], deployed: Callable[..., None], kubectl: Kubectl, name: str
) -> None:
    deployed("1Gi")
    before = pods(kubectl, name)
    declare("2Gi")
    workspace.apply_interrupted(f"{ADDRESS}: Modifying...")
    assert ADDRESS in {each["address"] for each in workspace.resources()}
    workspace.apply()
    rolled_out(namespace(kubectl), name)
    assert capacities(kubectl, name) == {f"data-{name}-0": "2Gi", f"data-{name}-1": "2Gi"}
    assert pods(kubectl, name) == before


def test_a_missing_claim_is_told_and_a_destroy_keeps_all_of_them(
    workspace: Workspace, deployed: Callable[..., None], kubectl: Kubectl, name: str
) -> None:
    deployed("1Gi")
    kubectl("scale", "statefulset", name, "--replicas=3")
    rolled_out(namespace(kubectl), name)
    kubectl("delete", "pvc", f"data-{name}-2", "--wait=false")
    kubectl("patch", "pvc", f"data-{name}-2", "-p", '{"metadata": {"finalizers": null}}')  # a pod uses it
    assert f"Claim data-{name}-2 is missing" in workspace.run("plan").stdout
    said = workspace.run("destroy", "-auto-approve").stdout
    assert f"StatefulSet {name}: its claims stay" in said
    assert f"data-{name}-0" in capacities(kubectl, name)
    # Declared anew, what is there is taken up, and may grow without any pod.
    kubectl("scale", "statefulset", name, "--replicas=0")
    kubectl("wait", "pod", "-l", f"app={name}", "--for=delete", "--timeout=60s")
    deployed("2Gi")
    assert capacities(kubectl, name)[f"data-{name}-0"] == "2Gi"


def test_a_cluster_that_does_not_answer_has_not_lost_the_claims(
    workspace: Workspace, deployed: Callable[..., None], kubectl: Kubectl, name: str
) -> None:
    deployed("1Gi")
    workspace.apply("-refresh-only")
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    file = workspace.directory / "unreachable.kubeconfig"
    file.write_text(json.dumps(config))
    workspace.environment["KUBECONFIG"] = str(file)
    done = workspace.run("plan", "-detailed-exitcode")
    assert done.returncode == 0, done.stdout
    assert f"The claims of StatefulSet {name} were not read" in done.stdout
    assert workspace.state(ADDRESS)["claims"] == {f"data-{name}-0": "1Gi", f"data-{name}-1": "1Gi"}
