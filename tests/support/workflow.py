"""Jobs of GitHub and GitLab as shell: every ``run`` and ``script`` in its order, as a runner does it.

Instead of what is another project's action there is a stand-in: those that bring tools do nothing, as this machine has
them; artifacts are folders; what goes to code scanning is only counted.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

_TOOLS = ("actions/checkout", "actions/setup-python", "actions/setup-node", "hashicorp/setup-terraform")
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_NAME = re.compile(r"'[^']*'|(?<![\w.'])([a-z_]+(?:\.[\w-]+)+)(?![\w(])")


def load(file: Path) -> dict[str, Any]:
    """The YAML of a workflow; ``on`` is a word there, and no truth."""
    content: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return content


@dataclass
class Job:
    """One job, in one checkout.

    Attributes:
        folder: The checkout.
        contexts: What expressions see, by its dotted name: ``secrets.PLAN_PASSPHRASE``.
        environment: What every step sees.
        artifacts: Where artifacts are kept between jobs.
        said: All that the steps printed.
        ran: The steps that were not skipped, by name or action.
        succeeded: Whether no step has failed yet.
        sarif: Files that went to code scanning.
    """

    folder: Path
    contexts: dict[str, str]
    environment: dict[str, str]
    artifacts: Path
    said: str = ""
    ran: list[str] = field(default_factory=list)
    succeeded: bool = True
    sarif: list[Path] = field(default_factory=list)

    def github(self, steps: list[dict[str, Any]], environment: Mapping[str, str]) -> bool:
        """Run steps of GitHub; gives whether the job succeeded."""
        temporary = self.folder.parent / f"{self.folder.name}-runner"
        temporary.mkdir(exist_ok=True)
        files = {name: temporary / name.lower() for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        job = {name: self.filled(value) for name, value in environment.items()}
        for step in steps:
            condition = str(step.get("if", "success()")).removeprefix("${{").removesuffix("}}").strip()
            if not self.holds(condition if "cancelled()" in condition else f"success() && ({condition})"):
                continue
            name = step.get("name") or step["uses"].partition("@")[0]
            self.ran.append(name)
            for file in (files["GITHUB_ENV"], files["GITHUB_OUTPUT"]):
                file.touch()
            if "run" in step:
                assert "${{" not in step["run"], f"{name}: an expression in a script can bring a command along"
                own = {key: self.filled(value) for key, value in step.get("env", {}).items()}
                exported = dict(_lines(files["GITHUB_ENV"]))
                paths = {key: str(file) for key, file in files.items()} | {"RUNNER_TEMP": str(temporary)}
                # As a runner calls it where `shell: bash` is written.
                command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
                folder = self.folder / self.filled(step.get("working-directory", "."))
                code = self._run(command, {**job, **exported, **own, **paths}, folder)
                for key, value in _lines(files["GITHUB_OUTPUT"]):
                    self.contexts[f"steps.{step.get('id')}.outputs.{key}"] = value
                files["GITHUB_OUTPUT"].unlink()
                self.succeeded = self.succeeded and code == 0
            else:
                done = self._uses(step["uses"], {key: self.filled(each) for key, each in step.get("with", {}).items()})
                self.succeeded = self.succeeded and (done or bool(step.get("continue-on-error")))
        return self.succeeded

    def gitlab(self, job: Mapping[str, Any], parent: Mapping[str, Any], variables: Mapping[str, str]) -> bool:
        """Run a job of GitLab, artifacts included; gives whether it succeeded."""
        kept = self.artifacts / "all"
        if kept.exists():
            shutil.copytree(kept, self.folder, dirs_exist_ok=True)
        lines = [*parent["before_script"], *job["script"]]
        self.succeeded = self._run(["bash", "-c", "\n".join(lines)], variables, self.folder) == 0
        stack = variables["STACK"]
        reports = [path.replace("$STACK", stack) for path in job["artifacts"]["reports"].values()]
        self.ran = [path for path in reports if (self.folder / path).is_file()]
        for path in (path.replace("$STACK", stack) for path in job["artifacts"]["paths"]):
            if (self.folder / path).exists():
                shutil.copytree(self.folder / path, kept / path, dirs_exist_ok=True)
        return self.succeeded

    def filled(self, value: Any) -> str:
        """A value with its expressions replaced."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return _EXPRESSION.sub(lambda found: str(self._value(found[1])), text)

    def holds(self, condition: str) -> bool:
        """Whether an expression is true."""
        return bool(self._value(condition))

    def _value(self, expression: str) -> Any:
        words = _NAME.sub(lambda found: repr(self.contexts.get(found[1], "")) if found[1] else found[0], expression)
        words = words.replace("&&", " and ").replace("||", " or ").replace("!cancelled()", "True")
        words = words.replace("success()", str(self.succeeded))
        return eval(words.strip(), {"__builtins__": {}})  # noqa: S307 - our own workflows

    def _run(self, command: list[str], environment: Mapping[str, str], folder: Path) -> int:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        self.said += done.stdout
        return done.returncode

    def _uses(self, action: str, given: Mapping[str, str]) -> bool:
        name = action.partition("@")[0]
        if name in _TOOLS:
            return True
        path = self.folder / given.get("path", given.get("sarif_file", "."))
        if name == "github/codeql-action/upload-sarif":
            self.sarif += [path] if path.is_file() else []
            return path.is_file()
        kept = self.artifacts / given["name"]
        if name == "actions/upload-artifact":
            if path.is_dir():
                shutil.copytree(path, kept, dirs_exist_ok=True)
            return path.is_dir() or given.get("if-no-files-found") == "ignore"
        assert name == "actions/download-artifact", f"no stand-in for {name}"
        if kept.is_dir():
            shutil.copytree(kept, path, dirs_exist_ok=True)
        return kept.is_dir()


def _lines(file: Path) -> list[tuple[str, str]]:
    texts = file.read_text("utf-8").splitlines() if file.exists() else []
    return [(name, value) for name, _, value in (text.partition("=") for text in texts)]


def machine(folder: Path, hikube: Path) -> dict[str, str]:
    """The environment of a runner whose ``python3``, ``npm`` and ``npx cdktf`` install nothing and synthesize quickly.

    Args:
        folder: Where its programs and its home are.
        hikube: The ``hikube-kafka`` that an installation brings; its Python runs the app.
    """
    programs = folder / "bin"
    programs.mkdir(parents=True)
    python = hikube.with_name("python")
    smoke = folder / "smoke"
    written = {
        # `python3 -m venv DIRECTORY`, with the programs that the workflows use.
        "python3": f"""
            directory=$3; mkdir -p "$directory/bin"; cd "$directory/bin"
            printf '#!/bin/sh\\necho "pip $*"\\n' >pip
            printf '#!/bin/sh\\nexec {python} "$@"\\n' >python
            cat >hikube-kafka <<'END'
            #!/bin/sh
            if [ "$1" = smoke ]; then
              for each; do
                case $each in *.xml | *.md) echo '<testsuites/>' >"$each" ;; esac
              done
              echo "hikube-kafka $*"; exit "$(cat {smoke})"
            fi
            exec {hikube} "$@"
            END
            chmod +x ./*
        """,
        "npm": 'echo "npm $*"',
        # What `cdktf synth` does: it runs the app, and keeps the lock files that are in its folder.
        "npx": '[ "$*" = "cdktf synth" ] && .venv/bin/python main.py',
    }
    for name, text in written.items():
        (programs / name).write_text(f"#!/bin/bash\nset -e\n{dedent(text)}\n")
        (programs / name).chmod(0o755)
    smoke.write_text("0")
    home = folder / "home"
    home.mkdir()
    dropped = ("TF_", "GITHUB_", "CI_", "XDG_", "GITLAB_", "http", "HTTP", "ALL_", "all_", "PYTHON", "KUBE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {
        **kept,
        "PATH": f"{programs}{os.pathsep}{kept['PATH']}",
        "HOME": str(home),
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        "CHECKPOINT_DISABLE": "1",
    }
