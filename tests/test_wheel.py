"""The package as others get it: built, installed into an empty environment outside the tree, and used there."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.packaging

STACK = """
from hikube_kafka.platform import App, KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import LocalBackend, TerraformStack
from hikube_kafka.spec import Topic

app = App(outdir="out")
stack = TerraformStack(app, "stack")
LocalBackend(stack, path="terraform.tfstate")
KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("orders", partitions=1)])
app.synth()
"""


def run(*command: object, cwd: Path, **environment: str) -> str:
    """Run a command far from the tree; show all that it said if it fails."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=inherited | {"CHECKPOINT_DISABLE": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command} ended with {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment that holds the wheel, and what it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # Built from a copy: a build leaves nothing in the tree, and takes nothing that is only there by chance.
    for name in ("constructs", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, source, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "environment", with_pip=True)
    programs = folder / "environment" / "bin"
    # The versions that everything here is tested with, so that a newer one elsewhere cannot fail this test.
    locked = json.loads((ROOT / "Pipfile.lock").read_text("utf-8"))["default"]
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}{each['version']}\n" for name, each in locked.items() if "version" in each))
    run(programs / "pip", "install", "--quiet", "--constraint", constraints, f"{wheel}[pytest]", cwd=folder)
    return programs


@pytest.mark.terraform
def test_the_wheel_synthesizes_a_stack_and_runs_the_provider(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(STACK)
    run(installed / "python", "app.py", cwd=tmp_path)
    stack = tmp_path / "out" / "stacks" / "stack"
    configuration = tmp_path / "terraform.rc"
    configuration.touch()
    home = {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(configuration)}
    assert "installed" in run(installed / "hikube-kafka", "provider", "install", cwd=tmp_path, **home)
    run("terraform", "init", "-no-color", "-input=false", cwd=stack, **home)
    assert "The configuration is valid" in run("terraform", "validate", "-no-color", cwd=stack, **home)
    plan = run("terraform", "plan", "-no-color", "-input=false", cwd=stack, **home)
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in plan


def test_the_wheel_brings_its_data(installed: Path) -> None:
    code = (
        "import hikube_kafka; from importlib.resources import files;"
        "print(*sorted(str(file) for file in files('hikube_kafka').rglob('*') if file.is_file()), sep='\\n')"
    )
    inside = {
        line.rpartition("hikube_kafka/")[2] for line in run(installed / "python", "-c", code, cwd=installed).split()
    }
    tree = ROOT / "constructs" / "hikube_kafka"
    expected = {
        str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in inside if "__pycache__" not in name} == expected


def test_the_command_works_without_the_tree(installed: Path, tmp_path: Path) -> None:
    sizing = run(installed / "hikube-kafka", "size", "--write", "25MB/s", "--retention", "1d", "--json", cwd=tmp_path)
    assert json.loads(sizing)["kafka"]["brokers"] >= 3


def new_project(target: str, installed: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """A project that ``hikube-kafka new`` wrote into an empty folder, and the empty home that it is used with."""
    home = {"HOME": str(folder / "home"), "TF_CLI_CONFIG_FILE": "", "DISABLE_VERSION_CHECK": "1"}
    (folder / "home").mkdir()
    run(installed / "hikube-kafka", "new", "shop", "--target", target, cwd=folder, **home)
    project = folder / "shop"
    # What pip and npm would install once more.
    (project / ".venv").symlink_to(installed.parent)
    (project / "node_modules").symlink_to(ROOT / "node_modules")
    return project, home


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy knows of the CDK, so that it finds it out once."""
    return tmp_path_factory.mktemp("mypy")


def check(project: Path, home: dict[str, str], cache: Path) -> None:
    """Its own tests and its types, as its README says."""
    assert "2 passed in" in run(project / ".venv" / "bin" / "pytest", "-p", "no:cacheprovider", cwd=project, **home)
    python = project / ".venv" / "bin" / "python"
    mypy = (sys.executable, "-m", "mypy", "--python-executable", python, "--cache-dir", cache)
    assert "no issues found in 3 source files" in run(*mypy, cwd=project, **home)


@pytest.mark.terraform
def test_a_new_project_works_in_an_empty_home(installed: Path, tmp_path: Path, mypy_cache: Path) -> None:
    project, home = new_project("local", installed, tmp_path)
    check(project, home, mypy_cache)
    run(project / ".venv" / "bin" / "hikube-kafka", "provider", "install", cwd=project, **home)
    # As people type it: no option, no variable.
    assert "3 to add, 0 to change, 0 to destroy." in run("npx", "cdktf", "diff", cwd=project, CI="1", **home)
    lock = project / "cdktf.out" / "stacks" / "shop" / ".terraform.lock.hcl"
    assert "h1:" in lock.read_text()
    # The lock file alone, of all that was made, goes into Git.
    run("git", "init", "--quiet", cwd=project, **home)
    listed = run("git", "ls-files", "--others", "--exclude-standard", cwd=project, **home).split()
    assert {name for name in listed if name.startswith("cdktf.out")} == {str(lock.relative_to(project))}


def test_a_new_project_for_kubernetes_is_valid(installed: Path, tmp_path: Path, mypy_cache: Path) -> None:
    project, home = new_project("kubernetes", installed, tmp_path)
    check(project, home, mypy_cache)
