"""The first stack, as it comes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.provider.install import install

ROOT = Path(__file__).parents[2]
Golden = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which main.py, run as the cdktf command runs it, wrote the stack."""
    folder = tmp_path_factory.mktemp("project")
    subprocess.run(
        [sys.executable, "main.py"], cwd=ROOT, env={**os.environ, "CDKTF_OUTDIR": str(folder / "cdktf.out")}, check=True
    )
    return folder / "cdktf.out" / "stacks" / "local"


def content(app: Path) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((app / "cdk.tf.json").read_text("utf-8"))
    return written


def test_the_local_stack(app: Path, golden: Golden) -> None:
    golden(content(app))


def test_the_state_stays_beside_the_project(app: Path) -> None:
    path = content(app)["terraform"]["backend"]["local"]["path"]
    assert (app / path).resolve() == app.parents[2] / "local.tfstate"


def test_the_stack_names_no_path_of_this_machine(app: Path) -> None:
    written = (app / "cdk.tf.json").read_text("utf-8")
    assert [place for place in (str(ROOT), str(Path.home()), str(app.parents[2])) if place in written] == []


def test_only_the_word_disposable_lets_messages_go() -> None:
    script = (
        "from hikube_kafka.platform.cdk import Testing; from stacks.local import LocalPlatform;"
        "print(Testing.synth(LocalPlatform(Testing.app(), 'local')))"
    )
    kept = json.loads(
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )["resource"]
    assert {topic["deletion_protection"] for topic in kept["hikube_kafka_topic"].values()} == {True}
    assert kept["hikube_local_ensemble"]["events"]["keep_data"] is True


def test_the_stack_raises_neither_warning_nor_notice(app: Path) -> None:
    manifest = json.loads((app.parents[1] / "manifest.json").read_text("utf-8"))
    assert manifest["stacks"]["local"]["annotations"] == []


@pytest.mark.terraform
def test_terraform_finds_the_stack_valid(app: Path, tmp_path: Path) -> None:
    install(tmp_path / ".terraform.d" / "plugins")
    configuration = tmp_path / "terraform.rc"
    configuration.touch()
    home = {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1"}
    stack = tmp_path / "stack"
    shutil.copytree(app, stack)
    for command in (("init", "-input=false", "-backend=false"), ("validate",)):
        result = subprocess.run(
            ["terraform", *command, "-no-color"],
            cwd=stack,
            env=os.environ | home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_an_environment_is_chosen_by_a_word(environment: str, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "main.py"],
        cwd=ROOT,
        env={**os.environ, "CDKTF_OUTDIR": str(tmp_path), "ENVIRONMENT": environment},
        check=True,
    )
    written = json.loads((tmp_path / "stacks" / f"events-{environment}" / "cdk.tf.json").read_text("utf-8"))
    assert written["output"]["events_contract"]["value"]["reach"]["namespace"] == f"events-{environment}"
    assert {topic["deletion_protection"] for topic in written["resource"]["hikube_kafka_topic"].values()} == {True}
    assert str(ROOT) not in json.dumps(written)


def test_an_environment_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "main.py"],
        cwd=ROOT,
        env={**os.environ, "CDKTF_OUTDIR": str(tmp_path), "ENVIRONMENT": "test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "environment 'test': choose one of dev, staging, production." in result.stderr
