"""What holds for the repository as a whole, and guards of it that are seen to bite."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.spec.versions import KAFKA_VERSION, ZOOKEEPER_VERSION
from tests.support.skips import NO_CHECKOUT

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "constructs" / "hikube_kafka"
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

CDK = {"cdktf", "constructs", "jsii"}


def import_contracts() -> dict[str, dict[str, Any]]:
    """The contracts of import-linter by their id."""
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return {contract["id"]: contract for contract in configured}


LAYERS: list[str] = import_contracts()["layers"]["layers"]


def forbidden_to(room: str) -> set[str]:
    """What a room must not import: its siblings, whatever stands above it, the CDK; for a pure one all but spec."""
    pure = import_contracts()["pure"]
    level = next(level for level, layer in enumerate(LAYERS) if room in layer.split(" | "))
    modules = {f"hikube_kafka.{each}" for layer in LAYERS[: level + 1] for each in layer.split(" | ")} | CDK
    if f"hikube_kafka.{room}" in pure["source_modules"]:
        modules |= set(pure["forbidden_modules"])
    return modules - {f"hikube_kafka.{room}"}


def rooms() -> set[str]:
    return {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(NO_CHECKOUT)
    return [file for name in listed.stdout.split("\0") if name and (file := ROOT / name).is_file()]


def texts() -> dict[str, str]:
    return {str(file.relative_to(ROOT)): file.read_text("utf-8", errors="replace") for file in tracked_files()}


def pipfile_lock() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / "Pipfile.lock").read_text("utf-8"))
    return content


def test_the_source_root_is_no_package() -> None:
    assert not (ROOT / "constructs" / "__init__.py").exists(), "it would shadow the PyPI package of the same name"
    found = subprocess.run(
        [sys.executable, "-c", "import constructs; print(constructs.Construct, constructs.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(ROOT / "constructs") not in found.stdout


def test_no_folder_of_tests_is_a_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_locks_name_no_index() -> None:
    assert "source" not in tomllib.loads((ROOT / "Pipfile").read_text("utf-8"))
    lock = pipfile_lock()
    assert lock["_meta"]["sources"] == []
    packages = lock["default"] | lock["develop"]
    assert packages
    assert [name for name, package in packages.items() if "index" in package] == []
    node = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    assert len(node) > 1
    assert [name for name, package in node.items() if "resolved" in package] == []


def test_a_lock_that_names_an_index_is_stripped(tmp_path: Path) -> None:
    lock = pipfile_lock()
    lock["_meta"]["sources"] = [{"name": "there", "url": "https://index.invalid/simple", "verify_ssl": True}]
    lock["default"]["pydantic"]["index"] = "there"
    file = tmp_path / "Pipfile.lock"
    file.write_text(json.dumps(lock))
    subprocess.run([sys.executable, ROOT / "scripts" / "strip_lock.py", file], check=True)
    assert json.loads(file.read_text()) == pipfile_lock()


def test_no_file_names_a_registry() -> None:
    hosts = re.compile(
        r"pypi\.org|pythonhosted\.org|registry\.[a-z]+\.(io|org|com)|npmjs\.(org|com)|repo1?\.maven\.|maven\.apache\.org/maven2"
    )
    assert hosts.search("https://registry" + ".terraform.io"), "the pattern finds nothing"
    assert {name: found.group() for name, text in texts().items() if (found := hosts.search(text))} == {}


def test_no_file_names_a_path_of_this_machine() -> None:
    here = (f"{ROOT}/", f"{Path.home()}/")
    assert [name for name, text in texts().items() if any(path in text for path in here)] == []


def test_the_cluster_of_make_cluster_has_the_images_that_the_charts_run() -> None:
    loaded = f"apache/kafka:{KAFKA_VERSION} zookeeper:{ZOOKEEPER_VERSION};"
    assert loaded in (ROOT / "scripts" / "cluster").read_text("utf-8")


def test_every_room_stands_in_a_layer() -> None:
    assert rooms() | {"cli", "waiting", "exit_code"} == {room for layer in LAYERS for room in layer.split(" | ")}


def test_contributing_shows_the_layers() -> None:
    house = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert "```\n" + "\n".join(LAYERS).replace("|", "│") + "\n```" in house


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package, to be broken."""
    shutil.copytree(PACKAGE, tmp_path / "hikube_kafka", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_arrows_hold(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("room", sorted(rooms()))
def test_each_forbidden_arrow_is_caught(copy: Path, room: str) -> None:
    targets = forbidden_to(room)
    intruder = copy / "hikube_kafka" / room / "intruder.py"
    intruder.write_text("".join(f"import {target}\n" for target in sorted(targets)))

    seen = set(re.findall(rf"hikube_kafka\.{room}\.intruder -> (\S+) \(l", lint(copy).stdout))

    assert targets - seen == set()


PREREQUISITES = {"node": "v20.1.0", "npm": "10.2.3", "java": 'openjdk version "17.0.1"', "mvn": "Apache Maven 3.9.1"}
PREREQUISITES["terraform"] = "Terraform v1.11.4"


def run_prerequisites(folder: Path, printed: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for tool in ("sh", "sed", "sort", "head"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    for tool, version in printed.items():
        (folder / tool).write_text(f"#!/bin/sh\necho '{version}'\n")
        (folder / tool).chmod(0o755)
    return subprocess.run(
        [ROOT / "scripts" / "prerequisites", sys.executable],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_machine_with_every_prerequisite_is_told_nothing(tmp_path: Path) -> None:
    result = run_prerequisites(tmp_path, PREREQUISITES)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("tool", "old", "told"),
    [
        ("node", "v18.19.0", "Node       20.0 or later is needed; 18.19"),
        ("npm", "6.14.0", "npm        7.0 or later is needed; 6.14"),
        ("java", 'java version "1.8.0_412"', "Java       17.0 or later is needed; 1.8"),
        ("java", 'openjdk version "11" 2018-09-25', "Java       17.0 or later is needed; 11.0"),
        ("mvn", "Apache Maven 3.5.4", "Maven      3.6 or later is needed; 3.5"),
        ("terraform", "Terraform v1.4.7", "Terraform  1.5 or later is needed; 1.4"),
    ],
)
def test_a_prerequisite_that_is_too_old_is_named(tmp_path: Path, tool: str, old: str, told: str) -> None:
    result = run_prerequisites(tmp_path, PREREQUISITES | {tool: old})
    assert result.returncode == 1
    assert told in result.stdout
    assert result.stdout.count("or later is needed") == 1


def test_all_missing_prerequisites_are_named_at_once(tmp_path: Path) -> None:
    result = run_prerequisites(tmp_path, {})
    assert result.returncode == 1
    for name, wanted in {"Node": "20.0", "npm": "7.0", "Java": "17.0", "Maven": "3.6", "Terraform": "1.5"}.items():
        assert re.search(rf"{name} +{wanted} or later is needed; there is none", result.stdout)


@pytest.mark.parametrize(
    ("state", "pid", "started"),
    [
        ("hikube_local_ensemble", "null", True),
        ("", "17", True),  # a first deploy that was killed
        ("", "null", False),  # stopped in another checkout
    ],
)
def test_make_down_starts_nothing_of_another_checkout(tmp_path: Path, state: str, pid: str, *, started: bool) -> None:
    (tmp_path / "local.tfstate").write_text(state)
    hikube = tmp_path / "hikube"
    hikube.write_text(f"#!/bin/sh\necho '{{\"pid\": {pid}}}'\nexit 1\n")
    hikube.chmod(0o755)
    done = subprocess.run(
        ["make", "-f", ROOT / "Makefile", "LOCAL=", f"HIKUBE={hikube}", "STAGE=echo", "CDKTF=cdktf", "down"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("deploy local" in done.stdout) is started
    assert "destroy local" in done.stdout


DIGITS_OF_OTHER_SCRIPTS = re.compile(r"\\d|\.is(digit|numeric|decimal)\(")
"""Asks in a way that answers yes to a superscript, or to Arabic digits, which Kafka and Kubernetes refuse."""


def test_numbers_are_read_in_ascii_digits_alone() -> None:
    sources = {name: text for name, text in texts().items() if name.startswith("constructs/") and name.endswith(".py")}
    assert [name for name, text in sources.items() if DIGITS_OF_OTHER_SCRIPTS.search(text)] == []
    assert all(DIGITS_OF_OTHER_SCRIPTS.search(line) for line in (r'"(\d+)"', "text.isdigit()", "text.isdecimal()"))
