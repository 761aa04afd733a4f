"""Charts as Helm renders them."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "constructs/hikube_kafka/charts"
KUBERNETES = "1.34"

Helm = Callable[..., subprocess.CompletedProcess[str]]
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
