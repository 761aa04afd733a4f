"""What stands in the way of a rollout on a real cluster ends the wait, and is said."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hikube_kafka.plugin.diagnostics import Refusal
from hikube_kafka.provider import rollout
from hikube_kafka.provider.rollout import Wanted, roll_out
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach
from tests.support import kubernetes
from tests.support.kubernetes import kubectl, new_namespace, rolled_out

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}


def servers(image: str) -> dict[str, Any]:
    labels = {"app": "servers"}
    pod = {"terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "image": image}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "servers"},
        "spec": {
            "replicas": 2,
            "serviceName": "servers",
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # Those of the tests alone: on a new node nothing can be mounted for a moment.
    monkeypatch.setattr(rollout, "_PATIENCE", {**rollout._PATIENCE, "image": 6.0, "refused": 6.0})
    with new_namespace("rollout") as name:
        yield name


def refused(namespace: str, *objects: dict[str, Any]) -> str:
    for each in objects:
        kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(each))
    reach = KubernetesReach(kubeconfig=None, context=None, namespace=namespace, release="servers")
    with pytest.raises(Refusal) as said:
        roll_out(reach, Wanted(stateful_set="servers", release="servers", replicas=2, seconds=120), Session())
    return "\n".join(f"{each.summary}\n{each.detail}" for each in said.value.diagnostics)


def test_an_image_that_cannot_be_pulled(namespace: str) -> None:
    said = refused(namespace, servers("not-there.invalid/kafka:0"))
    assert "Pods servers-0, servers-1: the image cannot be pulled: " in said
    assert "not-there.invalid/kafka:0" in said
    assert said.count("[rollout-image]") == 1


def test_a_quota_that_lets_no_pod_in(namespace: str) -> None:
    said = refused(namespace, QUOTA, servers("not-there.invalid/kafka:0"))
    assert "a quota of the namespace stands in the way" in said
    assert "exceeded quota: none" in said
    context = kubectl("config", "current-context").strip()
    assert f"kubectl --context {context} -n {namespace} describe resourcequota" in said


def test_a_test_that_waits_in_vain_says_what_the_pods_wait_for(namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "READY_SECONDS", 5)
    pods = servers("not-there.invalid/kafka:0")
    pods["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "not-there"}
    kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(pods))
    with pytest.raises(AssertionError, match="timed out") as failed:
        rolled_out(namespace, "servers")
    (said,) = failed.value.__notes__
    assert "servers-1: NOT READY, Pending, no node, 0 restarts" in said
    assert said.count("not PodScheduled: Unschedulable") == 2
