"""Claim templates of a release that is there already: Kubernetes changes none of them, so neither may an upgrade."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from tests.support.kubernetes import CHARTS, Helm

NAMESPACE = "shop"
KINDS = {
    "v1": {"configmaps": "ConfigMap", "secrets": "Secret", "services": "Service"},
    "apps/v1": {"statefulsets": "StatefulSet"},
    "batch/v1": {"jobs": "Job"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}


def api(stateful_set: dict[str, Any]) -> dict[str, Any]:
    """What an API server with one StatefulSet answers to Helm, by path."""
    groups = [version.split("/") for version in KINDS if "/" in version]
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"
    return {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "groups": [
                {"name": name, "versions": [{"groupVersion": f"{name}/{version}", "version": version}]}
                for name, version in groups
            ],
        },
        **{
            f"/{'apis' if '/' in version else 'api'}/{version}": {
                "kind": "APIResourceList",
                "groupVersion": version,
                "resources": [
                    {"name": name, "namespaced": True, "kind": kind, "verbs": ["get", "list"]}
                    for name, kind in kinds.items()
                ],
            }
            for version, kinds in KINDS.items()
        },
        path: {"apiVersion": "apps/v1", "kind": "StatefulSetList", "items": [stateful_set]},
        f"{path}/{stateful_set['metadata']['name']}": stateful_set,
    }


@contextmanager
def serving(answers: dict[str, Any]) -> Iterator[str]:
    """Address of a server that answers these, and else that there is no such thing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps(found or missing).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("chart", ["zookeeper", "kafka"])
@pytest.mark.parametrize("there", [{}, {"storageClassName": ""}, {"storageClassName": "fast"}])
def test_servers_without_a_declared_class_keep_it_so_where_an_empty_one_is_given(
    chart: str, there: dict[str, str], helm: Helm
) -> None:
    templates = [{"metadata": {"name": "data"}, "spec": there}]
    stateful_set = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": chart,
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": chart, "meta.helm.sh/release-namespace": NAMESPACE},
        },
        "spec": {"replicas": 3, "volumeClaimTemplates": templates},
    }
    with serving(api(stateful_set)) as address:
        done = helm(
            *("template", chart, str(CHARTS / chart), "--namespace", NAMESPACE),
            *("--dry-run=server", "--disable-openapi-validation", "--kube-apiserver", address),
            *("--set-json", 'storage.data.storageClass=""'),
        )
    assert done.returncode == 0, done.stderr
    (servers,) = (each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] == "StatefulSet")
    (claim,) = servers["spec"]["volumeClaimTemplates"]
    # Another class is no matter of this: Kubernetes refuses to change it, and says what it is.
    assert claim["spec"].get("storageClassName") == (None if there == {} else "")
