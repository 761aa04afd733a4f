"""The real Terraform, with a home of its own and providers from given mirrors alone."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hikube_kafka.provider.install import ADDRESS
from tests.support.output import next_line
from tests.support.waiting import until

RUN_SECONDS = 900
"""No run of Terraform in these tests takes longer, however busy the machine is."""
_SAID_SECONDS = 120
_INTERRUPTED_SECONDS = 120


def settings_file(folder: Path, *mirrors: Path) -> Path:
    """Write a ``terraform.rc`` that takes providers from these mirrors alone."""
    listed = "".join(f'  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n' for mirror in dict.fromkeys(mirrors))
    file = folder / "terraform.rc"
    file.write_text(f"provider_installation {{\n{listed}}}\n")
    return file


class Terraform:
    """The command, run in one directory."""

    def __init__(self, directory: Path, home: Path, *mirrors: Path) -> None:
        self.directory = directory
        home.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "XDG_"))}
        self.environment = {
            **kept,
            "HOME": str(home),
            # The jars that are there already; everything else of a home is this one's own.
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
            "TF_CLI_CONFIG_FILE": str(settings_file(home, *mirrors)),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }

    def _command(self, *arguments: str) -> list[str]:
        return ["terraform", arguments[0], *(["-no-color"] if arguments[0] != "state" else []), *arguments[1:]]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever that is; its output is in one line a sentence."""
        done = subprocess.run(
            self._command(*arguments),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        done.stdout = " ".join(done.stdout.replace("│", " ").split())
        return done

    def expect(self, *arguments: str, code: int = 0) -> str:
        """Run it; it must end with this code. Gives what it said."""
        done = self.run(*arguments)
        assert done.returncode == code, f"{arguments} ended with {done.returncode}: {done.stdout}"
        return done.stdout

    def read(self, *arguments: str) -> Any:
        """What a command prints as JSON: ``show``, ``output``."""
        done = subprocess.run(
            self._command(*arguments, "-json"),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=RUN_SECONDS,
        )
        return json.loads(done.stdout)

    def apply(self, *arguments: str) -> str:
        """Apply; it must succeed."""
        return self.expect("apply", "-auto-approve", "-input=false", *arguments)

    def apply_interrupted(self, at: str, also: Callable[[], bool] = lambda: True) -> None:
        """Apply, and press Ctrl-C as soon as it has said ``at`` and ``also`` holds.

        The key reaches Terraform and the provider alike, as from a terminal.
        """
        with subprocess.Popen(
            self._command("apply", "-auto-approve", "-input=false"),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ) as running:
            said: list[str] = []
            while not said or at not in said[-1]:
                said.append(next_line(running, _SAID_SECONDS))
                assert said[-1] or running.poll() is None, "\n".join(said)
            until(also, f"something else after {at!r}", every=0.01)
            os.killpg(running.pid, signal.SIGINT)
            running.communicate(timeout=_INTERRUPTED_SECONDS)

    def refused(self, *arguments: str) -> str:
        """Run something that must fail; gives what it said."""
        return self.expect(*arguments, code=1)

    def plan(self) -> str:
        """Plan; gives ``empty``, or what it said of the changes."""
        done = self.run("plan", "-detailed-exitcode", "-input=false")
        assert done.returncode in {0, 2}, done.stdout
        return "empty" if done.returncode == 0 else done.stdout


class Workspace(Terraform):
    """One configuration of the provider ``hikube``, one state."""

    def __init__(self, directory: Path, mirror: Path) -> None:
        super().__init__(directory, directory / "home", mirror)

    def write(self, **blocks: Any) -> None:
        """Write the configuration: ``provider``, ``resource`` and so on, as Terraform's JSON has them."""
        required = {"required_providers": {"hikube": {"source": ADDRESS}}}
        (self.directory / "main.tf.json").write_text(json.dumps({"terraform": required, **blocks}, indent=1))
        if not (self.directory / ".terraform").exists():
            self.expect("init")

    def state(self, address: str) -> dict[str, Any]:
        """The attributes of one resource in the state."""
        return next(each["values"] for each in self.resources() if each["address"] == address)

    def resources(self) -> list[dict[str, Any]]:
        """All resources in the state."""
        found: list[dict[str, Any]] = self.read("show").get("values", {}).get("root_module", {}).get("resources", [])
        return found
