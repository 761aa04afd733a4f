"""The real Terraform with the toy provider: what a user sees."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.terraform import Terraform
from tests.support.waiting import until

pytestmark = pytest.mark.terraform

TOY = Path(__file__).with_name("toy_provider.py")
ADDRESS = "terraform.local/test/toy"
SECRET = "hunter2"


class Workspace(Terraform):
    """A directory with a configuration, a mirror that holds the toy provider, and a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.pages = folder / "pages"
        mirror = folder / "mirror"
        platform = json.loads(subprocess.run(["terraform", "version", "-json"], capture_output=True, check=True).stdout)
        plugin = mirror / ADDRESS / "1.0.0" / platform["platform"] / "terraform-provider-toy_v1.0.0"
        for each in (folder / "configuration", self.pages, plugin.parent):
            each.mkdir(parents=True)
        plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{TOY}"\n')
        plugin.chmod(0o755)
        super().__init__(folder / "configuration", folder / "home", mirror)
        self.environment["TOY_DIRECTORY"] = str(self.pages)

    def write(self, configuration: str) -> None:
        requirements = f'terraform {{\n  required_providers {{\n    toy = {{ source = "{ADDRESS}" }}\n  }}\n}}\n'
        (self.directory / "main.tf").write_text(requirements + configuration)

    def declare(self, configuration: str, code: int = 0) -> str:
        """Apply this configuration; it must end with this code."""
        self.write(configuration)
        return self.expect("apply", "-auto-approve", "-input=false", code=code)

    def assert_nothing_to_do(self) -> None:
        assert self.plan() == "empty"

    def state(self) -> dict[str, Any]:
        """The recorded instance of each page, by its name in the configuration."""
        file = self.directory / "terraform.tfstate"
        resources = json.loads(file.read_text())["resources"] if file.exists() else []
        return {each["name"]: each["instances"][0] for each in resources if each["mode"] == "managed"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.write("")
    workspace.expect("init")
    return workspace


FULL = """
resource "toy_page" "full" {
  name   = "full"
  ratio  = 0.1
  labels = { b = "2", a = "1" }
  tags   = ["y", "x"]
  secret = "hunter2"
  notes  = [{ text = "one" }, { text = "two" }]
}
"""


def test_a_page_is_created_read_and_needs_no_further_change(workspace: Workspace) -> None:
    workspace.declare(FULL)
    page = workspace.state()["full"]["attributes"]
    assert (page["id"], page["lines"], page["ratio"]) == ("page-full", 10, 0.1)
    assert page["notes"] == [{"text": "one", "number": 1}, {"text": "two", "number": 2}]
    assert page["tags"] == ["y", "x"]
    workspace.assert_nothing_to_do()


def test_a_change_is_made_in_place(workspace: Workspace) -> None:
    workspace.declare('resource "toy_page" "a" {\n  name = "a"\n}')
    shown = workspace.declare('resource "toy_page" "a" {\n  name = "a"\n  lines = 20\n}')
    assert "0 added, 1 changed, 0 destroyed" in shown
    assert workspace.state()["a"]["attributes"]["lines"] == 20
    workspace.assert_nothing_to_do()


def test_a_change_that_cannot_be_made_in_place_replaces(workspace: Workspace) -> None:
    workspace.declare('resource "toy_page" "a" {\n  name = "a"\n}')
    shown = workspace.declare('resource "toy_page" "a" {\n  name = "b"\n}')
    assert "forces replacement" in shown
    assert "1 added, 0 changed, 1 destroyed" in shown
    assert [file.name for file in workspace.pages.iterdir()] == ["b.json"]
    workspace.assert_nothing_to_do()


def test_a_value_that_another_resource_tells_at_apply_is_unknown_at_plan(workspace: Workspace) -> None:
    workspace.declare(
        'resource "terraform_data" "x" {}\n'
        'resource "toy_page" "a" {\n  name = "page"\n  labels = { x = "id-${terraform_data.x.id}" }\n}\n'
    )
    assert workspace.state()["a"]["attributes"]["labels"]["x"].startswith("id-")
    workspace.assert_nothing_to_do()


def test_unknown_settings_do_not_stop_a_plan(workspace: Workspace) -> None:
    workspace.declare(
        'resource "terraform_data" "x" {}\nprovider "toy" {\n  token = terraform_data.x.id\n}\n'
        'resource "toy_page" "a" {\n  name = "a"\n}\n'
    )
    workspace.assert_nothing_to_do()


def test_refused_settings_are_shown_with_their_line(workspace: Workspace) -> None:
    shown = workspace.declare('provider "toy" {\n  token = ""\n}\nresource "toy_page" "a" {\n  name = "a"\n}\n', code=1)
    assert "The token is empty" in shown
    assert 'token = ""' in shown


def test_a_page_that_vanished_is_planned_anew(workspace: Workspace) -> None:
    workspace.declare('resource "toy_page" "a" {\n  name = "a"\n}')
    (workspace.pages / "a.json").unlink()
    workspace.expect("plan", "-detailed-exitcode", code=2)
    assert "1 added" in workspace.declare('resource "toy_page" "a" {\n  name = "a"\n}')
    assert (workspace.pages / "a.json").exists()


def test_a_change_made_elsewhere_shows_as_drift(workspace: Workspace) -> None:
    workspace.declare('resource "toy_page" "a" {\n  name = "a"\n  lines = 1\n}')
    file = workspace.pages / "a.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lines": 99}))
    shown = workspace.expect("plan", "-detailed-exitcode", code=2)
    assert "99 -> 1" in shown


def test_a_refused_destroy_is_refused_at_plan_and_names_the_line(workspace: Workspace) -> None:
    workspace.declare('resource "toy_page" "a" {\n  name = "a"\n  protected = true\n}')
    for command in (("plan", "-destroy"), ("destroy", "-auto-approve")):
        assert "The page is protected" in workspace.expect(*command, code=1)
    assert "The page is protected" in workspace.declare("", code=1)
    renamed = workspace.declare('resource "toy_page" "a" {\n  name = "b"\n  protected = true\n}', code=1)
    assert "The page is protected" in renamed
    assert (workspace.pages / "a.json").exists()


def test_a_destroy_leaves_nothing(workspace: Workspace) -> None:
    workspace.declare('resource "toy_page" "a" {\n  name = "a"\n}')
    workspace.expect("destroy", "-auto-approve")
    assert workspace.state() == {}
    assert list(workspace.pages.iterdir()) == []


def test_an_import_takes_over_what_exists(workspace: Workspace) -> None:
    workspace.declare('resource "toy_page" "a" {\n  name = "a"\n}')
    workspace.expect("state", "rm", "toy_page.a")
    workspace.expect("import", "toy_page.a", "a")
    assert workspace.state()["a"]["attributes"]["id"] == "page-a"
    workspace.assert_nothing_to_do()


def test_importing_what_does_not_exist_fails(workspace: Workspace) -> None:
    workspace.write('resource "toy_page" "a" {\n  name = "a"\n}')
    assert "non-existent" in workspace.expect("import", "toy_page.a", "nothing", code=1)


def test_the_log_tells_what_was_done_and_no_value(workspace: Workspace) -> None:
    workspace.environment["TF_LOG_PROVIDER"] = "debug"
    shown = workspace.declare(f'resource "toy_page" "a" {{\n  name = "a"\n  secret = "{SECRET}"\n}}')
    assert "[DEBUG] provider.terraform-provider-toy_v1.0.0: answered" in shown
    assert 'call="ApplyResourceChange for toy_page"' in shown
    assert SECRET not in shown


def test_a_data_source_is_read(workspace: Workspace) -> None:
    (workspace.pages / "found.json").write_text("{}")
    workspace.declare('data "toy_pages" "all" {}\noutput "names" {\n  value = data.toy_pages.all.names\n}\n')
    assert json.loads(workspace.expect("output", "-json", "names")) == ["found"]


def test_what_a_failed_creation_made_is_recorded_as_tainted(workspace: Workspace) -> None:
    shown = workspace.declare('resource "toy_page" "a" {\n  name = "a"\n  fails = "refusal"\n}', code=1)
    assert "The ink ran out" in shown
    assert workspace.state()["a"]["status"] == "tainted"
    assert "1 added, 0 changed, 1 destroyed" in workspace.declare('resource "toy_page" "a" {\n  name = "a"\n}')


def test_a_failed_change_keeps_the_page_in_the_state(workspace: Workspace) -> None:
    workspace.declare('resource "toy_page" "a" {\n  name = "a"\n}')
    failing = f'resource "toy_page" "a" {{\n  name = "a"\n  fails = "exception"\n  secret = "{SECRET}"\n}}'
    shown = workspace.declare(failing, code=1)
    assert "LookupError" in shown
    assert "bug in the provider" in shown
    assert SECRET not in shown
    assert workspace.state()["a"]["attributes"]["id"] == "page-a"


def test_an_interrupted_apply_records_what_it_made(workspace: Workspace) -> None:
    workspace.write("".join(f'resource "toy_page" "{name}" {{\n  name = "{name}"\n}}\n' for name in ("a", "b")))
    for name in ("a", "b"):
        (workspace.pages / f"{name}.hold").touch()
    # Ctrl-C in a terminal interrupts the whole process group: Terraform and the provider.
    apply = subprocess.Popen(
        ["terraform", "apply", "-auto-approve", "-input=false", "-no-color"],
        cwd=workspace.directory,
        env=workspace.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    until(lambda: all((workspace.pages / f"{name}.held").exists() for name in ("a", "b")), "both pages are held")
    os.killpg(apply.pid, signal.SIGINT)
    until((workspace.pages / "stopped").exists, "the provider is told to stop")
    for name in ("a", "b"):
        (workspace.pages / f"{name}.hold").unlink()
    shown, _ = apply.communicate(timeout=120)
    assert "Interrupt received" in shown
    state = workspace.state()
    assert {name: state[name]["attributes"]["id"] for name in state} == {"a": "page-a", "b": "page-b"}
    assert not any(instance.get("status") for instance in state.values())
    workspace.assert_nothing_to_do()


def test_many_pages_pass_many_at_once(workspace: Workspace) -> None:
    shown = workspace.declare('resource "toy_page" "many" {\n  count = 100\n  name = "page-${count.index}"\n}')
    assert "100 added" in shown
    workspace.assert_nothing_to_do()
