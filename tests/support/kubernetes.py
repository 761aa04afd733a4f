"""The commands ``kubectl`` and ``helm``, as tests run them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "constructs/hikube_kafka/charts"
HELM = ROOT / ".build/bin/helm"
"""``make setup`` brings it."""
KUBECTL_SECONDS = 900

Kubectl = Callable[..., str]
Manifest = dict[str, Any]
Template = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[Manifest]]


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl; gives its output, or fails with what it said."""
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=KUBECTL_SECONDS
    )
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


@contextmanager
def new_namespace(kind: str, *, restricted: bool = False) -> Iterator[str]:
    """A namespace with a name of its own; it goes with everything in it.

    Args:
        kind: what its name begins with.
        restricted: it lets in nothing but the restricted standard of pods.
    """
    name = f"{kind}-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    try:
        if restricted:
            kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield name
    finally:
        kubectl("delete", "namespace", name, "--timeout=400s")


class Helm:
    """The command ``helm``; it keeps no cache and no settings of the user's."""

    def __init__(self, home: Path) -> None:
        kinds = ("CACHE", "CONFIG", "DATA")
        self._environment = os.environ | {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in kinds}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever that is."""
        return subprocess.run(
            [HELM, *arguments], env=self._environment, capture_output=True, text=True, check=False, timeout=900
        )


def rendered(helm: Helm, chart: str, release: str, *arguments: str) -> list[Manifest]:
    """A chart's objects in the namespace ``shop``, as Helm renders them without a cluster."""
    where = ("--kube-version", "1.34", "--namespace", "shop")
    done = helm("template", release, str(CHARTS / chart), *where, *arguments)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]
