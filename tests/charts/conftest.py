"""Charts as Helm renders and installs them."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "constructs/hikube_kafka/charts"
KUBERNETES = "1.34"

Helm = Callable[..., subprocess.CompletedProcess[str]]
Kubectl = Callable[..., str]
Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Run Helm; it keeps no cache and no settings of the user's."""
    program = shutil.which("helm", path=f"{ROOT / '.build/bin'}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("no helm: neither in .build/bin, where `make helm` builds it, nor on PATH")
    home = tmp_path_factory.mktemp("helm")
    own = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], env=os.environ | own, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def template(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Run ``helm template`` without a cluster: the chart's name, and values over its own."""
    file = tmp_path_factory.mktemp("values") / "values.json"

    def run(chart: str, values: Mapping[str, Any], release: str | None = None) -> subprocess.CompletedProcess[str]:
        file.write_text(json.dumps(values))
        where = ("--kube-version", KUBERNETES, "--namespace", "shop")
        return helm("template", release or chart, str(CHARTS / chart), *where, "--values", str(file))

    return run


@pytest.fixture(scope="session")
def render(template: Helm) -> Render:
    """Render a chart into its objects, in the order of their kinds and names."""

    def run(chart: str, values: Mapping[str, Any], release: str | None = None) -> list[Manifest]:
        done = template(chart, values, release)
        assert done.returncode == 0, done.stderr
        objects = [each for each in yaml.safe_load_all(done.stdout) if each]
        return sorted(objects, key=lambda each: (each["kind"], each["metadata"]["name"]))

    return run


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """Run kubectl; its output, or a failure with what it said."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is not set: these tests need a Kubernetes cluster of three nodes")
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not on PATH")

    def run(*arguments: str) -> str:
        done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace that lets in nothing but the restricted standard; it goes with everything in it."""
    name = f"charts-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    try:
        kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield name
    finally:
        kubectl("delete", "namespace", name, "--timeout=400s")


@pytest.fixture(scope="session")
def release(helm: Helm, kubectl: Kubectl, namespace: str) -> Callable[..., None]:
    """Install a chart, or upgrade it, by Helm; wait until every pod is ready."""

    def run(name: str, chart: str, values: Mapping[str, Any], *, wait: bool = True) -> None:
        given = [argument for key, value in values.items() for argument in ("--set-json", f"{key}={json.dumps(value)}")]
        done = helm("upgrade", "--install", name, str(CHARTS / chart), "--namespace", namespace, *given)
        assert done.returncode == 0, done.stderr
        if wait:
            kubectl("-n", namespace, "rollout", "status", f"statefulset/{name}", "--timeout=600s")

    return run
