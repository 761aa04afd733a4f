"""Charts as Helm renders and installs them."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.support.kubernetes import CHARTS, Helm, Kubectl, Manifest, Render, Template, new_namespace, rolled_out
from tests.support.kubernetes import kubectl as run_kubectl

KUBERNETES = "1.34"


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def template(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Run ``helm template`` without a cluster: the chart's name, and values over its own.

    ZooKeeper's membership Secret is called as the chart would, unless the values name it.
    """
    file = tmp_path_factory.mktemp("values") / "values.json"

    def run(chart: str, values: Mapping[str, Any], release: str | None = None) -> subprocess.CompletedProcess[str]:
        given = {"membershipSecret": f"{release or chart}-membership"} if chart == "zookeeper" else {}
        file.write_text(json.dumps({**given, **values}))
        where = ("--kube-version", KUBERNETES, "--namespace", "shop")
        return helm("template", release or chart, str(CHARTS / chart), *where, "--values", str(file))

    return run


@pytest.fixture(scope="session")
def render(template: Template) -> Render:
    """Render a chart into its objects, in the order of their kinds and names."""

    def run(chart: str, values: Mapping[str, Any], release: str | None = None) -> list[Manifest]:
        done = template(chart, values, release)
        assert done.returncode == 0, done.stderr
        objects = [each for each in yaml.safe_load_all(done.stdout) if each]
        return sorted(objects, key=lambda each: (each["kind"], each["metadata"]["name"]))

    return run


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return run_kubectl


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace that lets in nothing but the restricted standard; it goes with everything in it."""
    with new_namespace("charts", restricted=True) as name:
        yield name


@pytest.fixture(scope="module")
def release(helm: Helm, namespace: str) -> Callable[..., None]:
    """Install a chart, or upgrade it, by Helm; wait until every pod is ready."""

    def run(name: str, chart: str, values: Mapping[str, Any], *, wait: bool = True) -> None:
        given = [argument for key, value in values.items() for argument in ("--set-json", f"{key}={json.dumps(value)}")]
        done = helm("upgrade", "--install", name, str(CHARTS / chart), "--namespace", namespace, *given)
        assert done.returncode == 0, done.stderr
        if wait:
            rolled_out(namespace, name)

    return run
