"""The examples in HCL are valid and formatted, and so is what docs/ shows."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.terraform import Workspace

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(folder for folder in (ROOT / "examples").iterdir() if folder.is_dir())
BLOCK = re.compile(r"^```hcl\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [
    (page, block)
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    for block in BLOCK.findall(page.read_text("utf-8"))
]

pytestmark = pytest.mark.terraform


def formatted(text: str) -> str:
    return subprocess.run(
        ["terraform", "fmt", "-no-color", "-"], input=text, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.name))
def test_an_example_is_valid(example: Path, new_workspace: Callable[[str], Workspace]) -> None:
    workspace = new_workspace(example.name)
    for file in example.glob("*.tf"):
        shutil.copy(file, workspace.directory)
    for command in ("init", "validate"):
        done = workspace.run(command)
        assert done.returncode == 0, done.stdout
    assert "Warning" not in done.stdout


def test_what_is_not_valid_is_found(new_workspace: Callable[[str], Workspace]) -> None:
    workspace = new_workspace("wrong")
    text = (ROOT / "examples" / "topics" / "main.tf").read_text("utf-8")
    (workspace.directory / "main.tf").write_text(text.replace("partitions  ", "partition  "), "utf-8")
    assert workspace.run("init").returncode == 0
    assert "partition" in workspace.refused("validate")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.name))
def test_an_example_is_formatted(example: Path) -> None:
    for file in example.glob("*.tf"):
        text = file.read_text("utf-8")
        assert formatted(text) == text


@pytest.mark.parametrize(("page", "block"), SHOWN, ids=lambda each: each.stem if isinstance(each, Path) else "")
def test_what_a_page_shows_is_formatted(page: Path, block: str) -> None:
    assert formatted(block) == block, page


def test_every_resource_has_an_example() -> None:
    written = "\n".join(file.read_text("utf-8") for example in EXAMPLES for file in example.glob("*.tf"))
    reference = (ROOT / "docs" / "provider.md").read_text("utf-8")
    for kind, name in re.findall(r"^## (Resource|Data source) `(\w+)`$", reference, re.MULTILINE):
        assert f'{"resource" if kind == "Resource" else "data"} "{name}"' in written
