"""The real Terraform in a folder of its own, with the provider of this tree."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.provider.install import ADDRESS, install


class Workspace:
    """One configuration, one state."""

    def __init__(self, directory: Path, mirror: Path) -> None:
        self.directory = directory
        home = directory / "home"
        home.mkdir(parents=True)
        settings = home / "terraform.rc"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "XDG_"))}
        self.environment = {
            **kept,
            "HOME": str(home),
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }

    def write(self, **blocks: Any) -> None:
        """Write the configuration: ``provider``, ``resource`` and so on, as Terraform's JSON has them."""
        required = {"required_providers": {"hikube": {"source": ADDRESS}}}
        (self.directory / "main.tf.json").write_text(json.dumps({"terraform": required, **blocks}, indent=1))
        if not (self.directory / ".terraform").exists():
            assert self.run("init").returncode == 0

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run."""
        return ["terraform", arguments[0], *(["-no-color"] if arguments[0] != "state" else []), *arguments[1:]]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Terraform to its end, whatever that is; its output is in one line a sentence."""
        done = subprocess.run(  # noqa: PLW1510 - the caller looks at the code
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=400,
        )
        done.stdout = " ".join(done.stdout.replace("│", " ").split())
        return done

    def apply(self, *arguments: str) -> str:
        """Apply; it must succeed."""
        done = self.run("apply", "-auto-approve", *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def apply_interrupted(self, after: float) -> None:
        """Apply, and press Ctrl-C: it reaches Terraform and the provider alike, as from a terminal."""
        running = subprocess.Popen(
            self.command("apply", "-auto-approve"),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            running.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGINT)
        running.wait(120)

    def refused(self, *arguments: str) -> str:
        """Run something that must fail; answers what it said."""
        done = self.run(*arguments)
        assert done.returncode == 1, done.stdout
        return done.stdout

    def plan(self) -> str:
        """Plan; answers ``empty``, or what it said of the changes."""
        done = self.run("plan", "-detailed-exitcode")
        assert done.returncode in {0, 2}, done.stdout
        return "empty" if done.returncode == 0 else done.stdout

    def state(self, address: str) -> dict[str, Any]:
        """The attributes of one resource in the state."""
        for resource in self.resources():
            if resource["address"] == address:
                values: dict[str, Any] = resource["values"]
                return values
        raise KeyError(address)

    def resources(self) -> list[dict[str, Any]]:
        """All resources in the state."""
        shown = subprocess.run(
            ["terraform", "show", "-json"],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        found: list[dict[str, Any]] = (
            json.loads(shown.stdout).get("values", {}).get("root_module", {}).get("resources", [])
        )
        return found


@pytest.fixture(scope="session")
def provider_mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror that holds the provider of this tree."""
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed")
    mirror = tmp_path_factory.mktemp("mirror")
    install(mirror)
    return mirror


@pytest.fixture
def workspace(tmp_path: Path, provider_mirror: Path) -> Workspace:
    """A fresh Terraform workspace."""
    return Workspace(tmp_path / "workspace", provider_mirror)


@pytest.fixture
def new_workspace(tmp_path: Path, provider_mirror: Path) -> Callable[[str], Workspace]:
    """Makes further workspaces, by name."""
    return lambda name: Workspace(tmp_path / name, provider_mirror)
