"""Either family of the CDK works, chosen whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STACK = """
import json
from hikube_kafka.platform import KafkaPlatform, KubernetesTarget, LocalTarget
from hikube_kafka.platform.cdk import TerraformStack, Testing
from hikube_kafka.spec.topic import Topic

stack = TerraformStack(Testing.app(), "stack")
KafkaPlatform(stack, "events", target=TARGET, topics=[Topic("orders", partitions=1)])
content = json.loads(Testing.synth(stack))
content.pop("//", None)
content["terraform"].pop("backend", None)
print(json.dumps(content, sort_keys=True))
"""


APP = """
import json
from hikube_kafka.platform import App
from stacks.kubernetes import KubernetesPlatform
from stacks.local import LocalPlatform

app = App(outdir="out")
LocalPlatform(app, "local")
KubernetesPlatform(app, "events", environment="staging")
app.synth()
"""


def run(family: str | None, folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "HIKUBE_KAFKA_CDK"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment | ({"HIKUBE_KAFKA_CDK": family} if family else {}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unknown_family_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    refused = run("cdk8s", tmp_path, "import hikube_kafka.platform")
    assert refused.returncode != 0
    assert "HIKUBE_KAFKA_CDK = 'cdk8s': choose one of cdktf, cdktn, or unset it." in refused.stderr


@pytest.mark.parametrize(
    ("family", "absent", "message"),
    [
        ("cdktn", "cdktn", "cdktn is not installed: pip install 'hikube-kafka[cdktn]'."),
        (
            "cdktf",
            "cdktf_cdktf_provider_helm",
            "cdktf_cdktf_provider_helm is not installed: pip install 'cdktf-cdktf-provider-helm'.",
        ),
    ],
)
def test_what_is_not_installed_is_named_with_what_installs_it(
    family: str, absent: str, message: str, tmp_path: Path
) -> None:
    code = (
        f"import sys; sys.modules['{absent}'] = None; from hikube_kafka.platform.cdk import bindings;"
        "bindings('helm', 'release')"
    )
    refused = run(family, tmp_path, code)
    assert refused.returncode == 1
    assert message in refused.stderr


def test_the_family_is_cdktf_unless_another_is_chosen(tmp_path: Path) -> None:
    code = "import sys; import hikube_kafka.platform; print('cdktf' in sys.modules, 'cdktn' in sys.modules)"
    assert run(None, tmp_path, code).stdout == "True False\n"


def test_a_chosen_family_is_the_only_one(tmp_path: Path) -> None:
    code = (
        "import sys, types, cdktf; sys.modules['cdktn'] = cdktf; del sys.modules['cdktf'];"
        "import hikube_kafka.platform; print('cdktf' in sys.modules)"
    )
    assert run("cdktn", tmp_path, code).stdout == "False\n"


@pytest.mark.parametrize("target", ["LocalTarget()", 'KubernetesTarget(namespace="events", kubeconfig="cluster.yaml")'])
def test_both_families_write_the_same_terraform(target: str, tmp_path: Path) -> None:
    code = STACK.replace("TARGET", target)
    written = {family: run(family, tmp_path, code) for family in ("cdktf", "cdktn")}
    assert all(each.returncode == 0 for each in written.values()), written
    by_cdktf, by_cdktn = (json.loads(each.stdout) for each in written.values())
    for content in (by_cdktf, by_cdktn):
        # The bindings of cdktn are made of later versions of HashiCorp's providers; docs/declaring.md says so.
        for provider in ("helm", "kubernetes"):
            content["terraform"]["required_providers"].pop(provider, None)
        # A single block is one object to the one family, and a list of one to the other; to Terraform it is the same.
        for namespace in content["resource"].get("kubernetes_namespace_v1", {}).values():
            (namespace["metadata"],) = (
                [namespace["metadata"]] if "name" in namespace["metadata"] else namespace["metadata"]
            )
    assert by_cdktf == by_cdktn


def test_both_families_give_every_resource_of_the_stacks_its_address(tmp_path: Path) -> None:
    """A platform that was deployed with one of them is the same platform with the other."""
    addresses: dict[str, set[str]] = {}
    for family in ("cdktf", "cdktn"):
        folder = tmp_path / family
        folder.mkdir()
        written = run(family, folder, f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{APP}")
        assert written.returncode == 0, written.stderr
        addresses[family] = {
            f"{stack}: {kind}.{name}"
            for stack in ("local", "events")
            for kind, resources in json.loads((folder / "out" / "stacks" / stack / "cdk.tf.json").read_text("utf-8"))[
                "resource"
            ].items()
            for name in resources
        }
    assert "events: kubernetes_namespace_v1.events" in addresses["cdktf"]
    assert "local: hikube_local_ensemble.events" in addresses["cdktf"]
    assert addresses["cdktf"] == addresses["cdktn"]


@pytest.mark.parametrize(
    "part",
    [
        "KafkaPlatform(stack, 'events', target=LocalTarget())",
        "HikubeProvider(stack, 'there')",
        "KafkaTopic(stack, 'orders', name='orders', partitions=1, replication_factor=1)",
    ],
)
def test_a_stack_of_the_family_that_is_not_chosen_is_refused_with_the_variable_to_set(
    part: str, tmp_path: Path
) -> None:
    code = (
        "from cdktn import App, TerraformStack; from hikube_kafka.platform import *;"
        f"stack = TerraformStack(App(outdir='out'), 'stack'); {part}"
    )
    refused = run(None, tmp_path, code)
    assert refused.returncode == 1
    assert "stack is a construct of cdktn, and cdktf is chosen: set HIKUBE_KAFKA_CDK=cdktn" in refused.stderr
    assert "Traceback" not in refused.stderr
