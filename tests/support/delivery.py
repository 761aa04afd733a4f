"""A platform, delivered as users do it: synthesized, applied by Terraform, held to its contract from outside."""

import json
import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hikube_kafka.provider.install import install
from hikube_kafka.spec.targets.local import LocalLayout
from tests.support.kubernetes import Helm, kubectl, pods_ready, pods_told
from tests.support.terraform import Terraform

STACKS = Path(__file__).parent / "stacks"
_LOG = logging.getLogger(__name__)


def _run(*command: str, expected: int = 0) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == expected, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"


def mirror_of(provider: str) -> Path | None:
    """A directory of providers that has this one of HashiCorp's."""
    configuration = Path(os.environ.get("TF_CLI_CONFIG_FILE") or "~/.terraformrc").expanduser()
    text = configuration.read_text() if configuration.is_file() else ""
    named = re.findall(r'filesystem_mirror\s*\{[^}]*?path\s*=\s*"([^"]+)"', text)
    for mirror in (Path(each).expanduser() for each in (*named, "~/.terraform.d/plugins")):
        if any(mirror.glob(f"*/hashicorp/{provider}/*")):
            return mirror
    return None


class Delivery:
    """One platform, from its declaration to its end."""

    def __init__(self, folder: Path, *mirrors: Path) -> None:
        self._folder = folder
        plugins = folder / "plugins"
        install(plugins)
        self.terraform = Terraform(folder / "out" / "stacks" / "shop", folder / "home", plugins, *mirrors)
        self._outputs = folder / "outputs.json"

    def _synthesize(self, stack: str, *arguments: str) -> None:
        _run(sys.executable, str(STACKS / stack), str(self._folder / "out"), *arguments)

    def _write_outputs(self) -> None:
        self._outputs.write_text(json.dumps(self.terraform.read("output")))

    def smoke(self, *, expected: int, patience: float = 60) -> dict[str, Any]:
        """Run the gate as a user does; give its JSON report."""
        report = self._folder / "report.json"
        command = "smoke", "--outputs", str(self._outputs), "--report", str(report), "--patience", str(patience)
        _run(str(Path(sys.executable).with_name("hikube-kafka")), *command, expected=expected)
        found: dict[str, Any] = json.loads(report.read_text())
        return found


class LocalDelivery(Delivery):
    """Three and three on this machine."""

    def __init__(self, folder: Path, layout: LocalLayout) -> None:
        super().__init__(folder)
        self.directory = folder / "servers"
        self.bootstrap = ",".join(f"127.0.0.1:{layout.broker_port + broker}" for broker in range(3))
        self._synthesize("on_this_machine.py", layout.model_dump_json(), str(self.directory))
        self.terraform.expect("init", "-input=false")

    def apply(self) -> None:
        """Apply what is declared."""
        self.terraform.apply()
        self._write_outputs()


class ClusterDelivery(Delivery):
    """A platform on a cluster: three and three, unless another stack is named.

    The releases are applied by Terraform where a mirror has the provider ``hashicorp/helm``, else by the ``helm``
    command with the very values and charts of the synthesized stack; the namespace is the stack's where a mirror has
    ``hashicorp/kubernetes``. Everything else is Terraform's in any case.
    """

    def __init__(self, folder: Path, namespace: str, *, stack: str = "on_a_cluster.py", **declared: Any) -> None:
        self._stack = stack
        self._mirror = mirror_of("helm")
        of_namespace = mirror_of("kubernetes")
        super().__init__(folder, *(each for each in (self._mirror, of_namespace) if each))
        self.namespace = namespace
        self.has_namespace = of_namespace is not None
        """Whether the namespace is a resource of the stack."""
        self.declared: dict[str, Any] = declared or {
            "servers": 3,
            "brokers": 3,
            "storage": "1Gi",
            "config": {},
            "drain": False,
        }
        self._helm = Helm(folder / "helm")

    def kubectl(self, *arguments: str) -> str:
        return kubectl("-n", self.namespace, *arguments)

    def apply(self, **declared: Any) -> None:
        """Declare it so, and apply. It ends when every server is ready."""
        self.declared |= declared
        begin = time.monotonic()
        with pods_told(self.namespace):
            for release in self._declare():
                first = [f"-target={each}" for each in release["depends_on"] if not each.startswith("helm_release.")]
                self.terraform.apply(*first)
                self._upgrade(release)
            self.terraform.apply()
        _LOG.info("ready %.0f s after the synthesis began: %s", time.monotonic() - begin, declared or "all of it")
        self._write_outputs()

    def plan(self) -> str:
        """Synthesize once more and plan; gives ``empty``, or what was said of the changes."""
        self._declare()
        return self.terraform.plan()

    def plan_refused(self, **declared: Any) -> str:
        """Plan it declared so, which must be refused; what is declared stays as it was. Gives what was said."""
        kept = dict(self.declared)
        self.declared |= declared
        self._declare()
        self.declared = kept
        return self.terraform.refused("plan", "-input=false")

    def pods(self, release: str) -> dict[str, tuple[str, int]]:
        """UID and restarts of each pod, by its name."""
        items = json.loads(self.kubectl("get", "pods", "-l", f"app.kubernetes.io/instance={release}", "-o", "json"))
        return {
            pod["metadata"]["name"]: (
                pod["metadata"]["uid"],
                sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ())),
            )
            for pod in items["items"]
        }

    def await_ready(self, *releases: str) -> None:
        """Wait until the pods that are there are ready. A StatefulSet's own status may be that of a moment ago."""
        begin = time.monotonic()
        for release in releases:
            each = "-l", f"app.kubernetes.io/instance={release}"
            pods_ready(self.namespace, "pods", *each)
        _LOG.info("ready again after %.0f s", time.monotonic() - begin)

    def _declare(self) -> list[dict[str, Any]]:
        """Write the stack; give the releases that the helm command has to apply, in their order."""
        self._synthesize(
            self._stack,
            os.environ["KUBECONFIG"],
            self.namespace,
            json.dumps(self.declared),
            json.dumps(self.has_namespace),
        )
        releases: list[dict[str, Any]] = []
        if self._mirror is None:
            file = self.terraform.directory / "cdk.tf.json"
            content = json.loads(file.read_text())
            found = content["resource"].pop("helm_release")
            servers = [found.pop("shop_zookeeper"), found.pop("shop_kafka")]
            releases = [*servers, *found.values()]  # workers start after the servers and their topics
            content["provider"].pop("helm")
            content["terraform"]["required_providers"].pop("helm")
            for resources in content["resource"].values():
                for resource in resources.values():
                    waits = [each for each in resource.pop("depends_on", ()) if not each.startswith("helm_release.")]
                    if waits:
                        resource["depends_on"] = waits
            file.write_text(json.dumps(content))
        self.terraform.expect("init", "-input=false")
        return releases

    def _upgrade(self, release: dict[str, Any]) -> None:
        values = []
        for index, text in enumerate(release["values"]):
            file = self._folder / f"{release['name']}-{index}.yaml"
            file.write_text(text.replace("$${", "${").replace("%%{", "%{"))
            values += ["--values", str(file)]
        chart = str(self.terraform.directory / release["chart"])
        command = "upgrade", "--install", release["name"], chart, "--namespace", release["namespace"]
        done = self._helm(*command, *values)
        assert done.returncode == 0, done.stderr
