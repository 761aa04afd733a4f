# ruff: noqa: INP001  # a script, run as a module
"""Makes the golden plans of ``tests/review/plans``: by real Terraform, with real providers, on a real cluster.

By hand, when a case is added::

    python -m scripts.golden_plans.make WORK --mirror MIRROR up
    python -m scripts.golden_plans.make WORK --mirror MIRROR plan
    python -m scripts.golden_plans.make WORK --mirror MIRROR down

``KUBECONFIG`` leads to a cluster with a storage class ``standard`` whose volumes grow and ``fixed-size`` whose volumes
do not. MIRROR is a filesystem mirror that has ``hashicorp/helm`` and ``hashicorp/kubernetes``. WORK keeps the states.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hikube_kafka.provider.install import install
from scripts.golden_plans import configurations
from scripts.golden_plans.cases import CASES, LARGE, Case, Start
from scripts.golden_plans.compact import compact, stream, written

PLANS = Path(__file__).parents[2] / "tests" / "review" / "plans"
_FOLDERS: Mapping[Start, str] = {
    "nothing": "platform",
    "platform": "platform",
    "large": "platform",
    "topics": "topics",
    "release": "release",
    "guarded": "guarded",
    "local": "local",
}
_PLAIN: Mapping[Start, Callable[[Path, str], configurations.Configuration]] = {
    "topics": configurations.plain_topics,
    "release": configurations.plain_release,
    "guarded": configurations.guarded_release,
}


class Works:
    """A folder with a configuration and its state for each start."""

    def __init__(self, folder: Path, mirrors: Sequence[Path], terraform: str) -> None:
        self.folder = folder.resolve()
        self.kubeconfig = os.environ.get("KUBECONFIG", "")
        self.terraform = terraform
        self.folder.mkdir(parents=True, exist_ok=True)
        plugins = self.folder / "plugins"
        install(plugins)
        listed = "".join(f'  filesystem_mirror {{\n    path = "{each}"\n  }}\n' for each in (plugins, *mirrors))
        self._initialized: dict[Path, str] = {}
        self._settings = self.folder / "terraform.rc"
        self._settings.write_text(f"provider_installation {{\n{listed}}}\n", "utf-8")

    @property
    def private(self) -> Mapping[str, str]:
        """What stands in place of this machine's own."""
        context = subprocess.run(
            ["kubectl", "config", "current-context"], capture_output=True, text=True, check=False
        ).stdout.strip()
        return {
            str(self.folder): "/srv/project",
            self.kubeconfig or "\0": "~/.kube/config",
            f"--context {context}": "--context staging",
        }

    def configured(self, case: Case) -> Path:
        """Write the configuration of a case; give the folder that Terraform runs in."""
        folder = self.folder / _FOLDERS[case.start]
        folder.mkdir(exist_ok=True)
        if case.start in _PLAIN:
            content, stack = _PLAIN[case.start](folder, self.kubeconfig), folder
        elif case.start == "local":
            content, stack = configurations.local(folder, **case.declared), folder / "stacks" / "events"
        else:
            content = configurations.platform(folder, self.kubeconfig, **case.declared)
            stack = folder / "stacks" / "events"
        if case.edit is not None:
            case.edit(content)
        if case.start == "nothing":
            content["terraform"]["backend"]["local"]["path"] = str(folder / "nothing.tfstate")
        file = stack / ("cdk.tf.json" if stack != folder else "main.tf.json")
        file.write_text(json.dumps(content, indent=1), "utf-8")
        backend = json.dumps(content["terraform"])
        if self._initialized.get(stack) != backend:
            (stack / ".terraform.lock.hcl").unlink(missing_ok=True)
            self.run(stack, "init", "-input=false", "-reconfigure")
            self._initialized[stack] = backend
        return stack

    def run(self, folder: Path, *arguments: str, may_fail: bool = False) -> str:
        """Run Terraform; gives what it printed."""
        done = subprocess.run(
            [self.terraform, arguments[0], "-no-color", *arguments[1:]],
            cwd=folder,
            env={**os.environ, "TF_CLI_CONFIG_FILE": str(self._settings), "TF_IN_AUTOMATION": "1"},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode and not may_fail:
            raise SystemExit(f"{arguments} in {folder}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def up(self, start: Start) -> None:
        """Apply what the cases of this start begin with."""
        stack = self.configured(Case(name="", start=start, declared=LARGE if start == "large" else {}))
        self.run(stack, "apply", "-auto-approve", "-input=false")

    def plan(self, case: Case, into: Path) -> None:
        """Plan one case and keep the plan."""
        stack = self.configured(case)
        self._in_broker(case.outside)
        try:
            file = stack / "plan.tfplan"
            file.unlink(missing_ok=True)
            said = self.run(stack, "plan", "-json", "-input=false", f"-out={file}", *case.arguments, may_fail=True)
        finally:
            self._in_broker(case.afterwards)
        diagnostics = stream(said, self.private)
        kept = into / f"{case.name}.diagnostics.jsonl"
        kept.unlink(missing_ok=True)
        if case.keeps_stream and '"type": "diagnostic"' in diagnostics:
            kept.write_text(diagnostics, "utf-8")
        if not file.exists():
            sys.stdout.write(f"{case.name}: no plan\n{diagnostics}\n")
            return
        content = json.loads(self.run(stack, "show", "-json", str(file)))
        (into / f"{case.name}.json").write_text(written(compact(content, self.private)), "utf-8")
        steps = [
            f"{each['address']} {'+'.join(each['change']['actions'])}"
            for each in content.get("resource_changes", ())
            if each["change"]["actions"] not in (["no-op"], ["read"])
        ]
        sys.stdout.write(f"{case.name}: {'errored; ' if content.get('errored') else ''}{', '.join(steps)}\n")

    def _in_broker(self, command: Sequence[str]) -> None:
        if command:
            tool, *arguments = command
            subprocess.run(
                ["kubectl", "-n", configurations.NAMESPACE, "exec", "events-kafka-0", "--", f"/opt/kafka/bin/{tool}",
                 "--bootstrap-server", "127.0.0.1:19092", *arguments],
                check=True, capture_output=True,
            )  # fmt: skip

    def down(self) -> None:
        """Stop and delete all of it."""
        if (self.folder / "local").exists():
            stack = self.configured(Case(name="", start="local"))
            self.run(stack, "state", "list", may_fail=True)
            self.run(stack, "destroy", "-auto-approve", "-target=hikube_local_ensemble.events", may_fail=True)
        for namespace in (configurations.NAMESPACE, configurations.PLAIN, configurations.GUARDED):
            subprocess.run(
                ["kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--wait=false"], check=True
            )
        shutil.rmtree(self.folder)


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("step", choices=("up", "plan", "down"))
    parser.add_argument("names", nargs="*", help="of up: starts; of plan: starts or cases, all if none is named")
    parser.add_argument("--mirror", type=Path, action="append", default=[])
    parser.add_argument("--terraform", default="terraform")
    parser.add_argument("--into", type=Path, default=PLANS)
    asked = parser.parse_args()
    works = Works(asked.work, asked.mirror, asked.terraform)
    asked.into.mkdir(parents=True, exist_ok=True)
    if asked.step == "up":
        for start in asked.names:
            works.up(start)
    elif asked.step == "down":
        works.down()
    else:
        for case in CASES:
            if not asked.names or case.name in asked.names or case.start in asked.names:
                works.plan(case, asked.into)
                sys.stdout.flush()


if __name__ == "__main__":
    main()
