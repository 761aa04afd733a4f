"""A platform on this machine, delivered as users do it: synthesized, applied by Terraform, held to its contract."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka import ensemble
from hikube_kafka.provider.install import install
from hikube_kafka.spec import LocalLayout

SYNTH = """
import sys
from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import App, LocalBackend, TerraformStack
from hikube_kafka.spec import Kafka, LocalLayout, Resources, Topic, ZooKeeper

app = App(outdir=sys.argv[1])
stack = TerraformStack(app, "shop")
LocalBackend(stack, path="shop.tfstate")
KafkaPlatform(
    stack,
    "shop",
    target=LocalTarget(LocalLayout.model_validate_json(sys.argv[2]), directory=sys.argv[3], keep_data=False),
    zookeeper=ZooKeeper(servers=3, resources=Resources(cpu="250m", memory="256Mi")),
    kafka=Kafka(brokers=3, resources=Resources(cpu=1, memory="512Mi")),
    topics=[
        Topic("orders", partitions=6, deletion_protection=False),
        Topic("cache", partitions=1, replication_factor=1, deletion_protection=False),
    ],
)
app.synth()
"""


class Delivery:
    """One platform, from its declaration to its end."""

    def __init__(self, folder: Path, layout: LocalLayout) -> None:
        self.directory = folder / "servers"
        self.bootstrap = ",".join(f"127.0.0.1:{layout.broker_port + broker}" for broker in range(3))
        self._stack = folder / "out" / "stacks" / "shop"
        self._outputs = folder / "outputs.json"
        install(folder / "plugins")
        (folder / "terraformrc").write_text(
            f'provider_installation {{ filesystem_mirror {{ path = "{folder / "plugins"}" }} }}'
        )
        self._environment = os.environ | {
            "HOME": str(folder),
            "TF_CLI_CONFIG_FILE": str(folder / "terraformrc"),
            "CHECKPOINT_DISABLE": "1",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        }
        self._run(sys.executable, "-c", SYNTH, str(folder / "out"), layout.model_dump_json(), str(self.directory))
        self.terraform("init", "-input=false")

    def _run(self, *command: str, expected: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        folder = self._stack if self._stack.exists() else None
        done = subprocess.run(command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode in expected, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def terraform(self, *arguments: str, expected: tuple[int, ...] = (0,)) -> str:
        """Run it in the stack's folder; give what it printed."""
        return self._run("terraform", *arguments, "-no-color", expected=expected).stdout

    def apply(self) -> str:
        printed = self.terraform("apply", "-auto-approve", "-input=false")
        self._outputs.write_text(self.terraform("output", "-json"))
        return printed

    def plan_code(self) -> int:
        """0: nothing to change; 2: something is."""
        code = "plan", "-detailed-exitcode", "-input=false", "-no-color"
        return self._run("terraform", *code, expected=(0, 2)).returncode

    def smoke(self, *, expected: int, patience: float = 30) -> dict[str, Any]:
        """Run the gate as a user does; give its JSON report."""
        report = self._outputs.with_name("report.json")
        command = "smoke", "--outputs", str(self._outputs), "--report", str(report), "--patience", str(patience)
        self._run(str(Path(sys.executable).with_name("hikube-kafka")), *command, expected=(expected,))
        found: dict[str, Any] = json.loads(report.read_text())
        return found


@pytest.fixture
def deliver(tmp_path: Path, declare_ensemble: Callable[..., Any]) -> Iterator[Delivery]:
    delivery = Delivery(tmp_path, declare_ensemble(tmp_path).layout)
    try:
        yield delivery
    finally:
        ensemble.destroy(delivery.directory, keep_data=False)
