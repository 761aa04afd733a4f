"""A stack comes with its lock file: without one, the cdktf command asks a registry for a provider that none has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cdktf
import pytest

from hikube_kafka import __version__
from hikube_kafka.platform import App, KafkaPlatform, KubernetesTarget, LocalTarget
from hikube_kafka.platform.cdk import TerraformStack
from hikube_kafka.platform.lock_file import NAME, locked

# In parts: no file of this repository names a registry.
REGISTRY = "registry" + ".terraform.io"
HIKUBE = {"hikube": {"source": "terraform.local/hikube/hikube", "version": "0.2.0"}}
ENTRY = """
provider "terraform.local/hikube/hikube" {
  version     = "0.2.0"
  constraints = "0.2.0"
}
"""
BY_TERRAFORM = f"""# This file is maintained automatically by "terraform init".
# Manual edits may be lost in future updates.

provider "{REGISTRY}/hashicorp/helm" {{
  version     = "3.1.1"
  constraints = "3.1.1"
  hashes = [
    "h1:fromTheRegistry=",
  ]
}}

provider "terraform.local/hikube/hikube" {{
  version     = "0.1.0"
  constraints = "0.1.0"
  hashes = [
    "h1:ofThisBuild=",
  ]
}}
"""


def test_a_first_file_is_one_that_terraform_could_have_written() -> None:
    text = locked("", HIKUBE)
    assert text == BY_TERRAFORM.partition("\n\n")[0] + "\n" + ENTRY
    assert locked(text, HIKUBE) == text


def test_what_terraform_has_locked_stays() -> None:
    required = {
        "helm": {"source": "helm", "version": "3.1.1"},
        "hikube": {"source": "terraform.local/hikube/hikube", "version": "= 0.1.0"},
    }
    assert locked(BY_TERRAFORM, required) == BY_TERRAFORM


def test_another_version_takes_the_place_of_the_old_one_alone() -> None:
    text = locked(BY_TERRAFORM, HIKUBE)
    assert "h1:fromTheRegistry=" in text
    assert "0.1.0" not in text
    assert text.endswith(ENTRY)


@pytest.mark.parametrize(
    ("source", "full"),
    [
        ("kubernetes", f"{REGISTRY}/hashicorp/kubernetes"),
        ("grafana/grafana", f"{REGISTRY}/grafana/grafana"),
        ("terraform.example/some/thing", "terraform.example/some/thing"),
    ],
)
def test_a_source_is_written_in_full(source: str, full: str) -> None:
    assert f'provider "{full}" {{' in locked("", {"x": {"source": source, "version": "1.2.3"}})


@pytest.mark.parametrize("declared", ["3.1.1", {"version": "3.1.1"}])
def test_a_provider_without_a_source_is_that_of_its_name(declared: str | dict[str, str]) -> None:
    assert f'provider "{REGISTRY}/hashicorp/helm" {{' in locked("", {"helm": declared})
    assert locked("", {"helm": "~> 3.0"}) == ""


@pytest.mark.parametrize("version", ["~> 3.0", ">= 1", "1.0.0, != 1.0.1", ""])
def test_of_a_range_no_version_is_made_up(version: str) -> None:
    assert locked("", {"helm": {"source": "helm", "version": version}}) == ""
    assert locked("", {"helm": {"source": "helm"}}) == ""


@pytest.mark.parametrize("kind", [App, cdktf.App])
def test_every_app_writes_it_beside_the_stack(kind: type[cdktf.App], tmp_path: Path) -> None:
    app = kind(outdir=str(tmp_path))
    stack = TerraformStack(app, "shop")
    KafkaPlatform(stack, "here", target=LocalTarget())
    KafkaPlatform(stack, "there", target=KubernetesTarget(namespace="there", kubeconfig="kubeconfig"))
    TerraformStack(app, "other")
    app.synth()
    folder = tmp_path / "stacks" / "shop"
    required = json.loads((folder / "cdk.tf.json").read_text())["terraform"]["required_providers"]
    assert set(required) == {"helm", "hikube", "kubernetes"}
    written = (folder / NAME).read_text()
    assert written == locked("", required)
    assert f'version     = "{__version__}"' in written
    assert not (tmp_path / "stacks" / "other" / NAME).exists()


def test_a_stack_in_hcl_has_it_too(tmp_path: Path) -> None:
    code = (
        "from hikube_kafka.platform import App, HikubeProvider; from hikube_kafka.platform.cdk import TerraformStack;"
        "app = App(); HikubeProvider(TerraformStack(app, 'shop'), 'provider'); app.synth()"
    )
    # As cdktf synth --hcl runs it.
    environment = os.environ | {"SYNTH_HCL_OUTPUT": "true", "CDKTF_OUTDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    folder = tmp_path / "stacks" / "shop"
    assert (folder / "cdk.tf").is_file()
    assert f'version     = "{__version__}"' in (folder / NAME).read_text()
