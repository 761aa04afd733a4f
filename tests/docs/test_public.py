"""What people copy uses public names only: docs/public.md says which those are."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "hikube_kafka"
PUBLIC = ("hikube_kafka.spec", "hikube_kafka.platform", "hikube_kafka.platform.cdk")
BLOCK = re.compile(r"^```python(?: refused)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> Iterator[Path]:
    yield ROOT / "README.md"
    for folder in ("docs", "stacks", "examples"):
        yield from sorted((ROOT / folder).rglob("*.md"))
        yield from sorted((ROOT / folder).rglob("*.py"))


def code(page: Path) -> str:
    text = page.read_text("utf-8")
    return text if page.suffix == ".py" else "\n".join(BLOCK.findall(text))


def not_public(source: str) -> list[str]:
    """What it takes from this package without being meant to."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name.split(".")[0] == PACKAGE]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            names = importlib.import_module(node.module).__all__ if node.module in PUBLIC else ()
            found += [f"{node.module}.{each.name}" for each in node.names if each.name not in names]
    return found


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_that_is_imported_is_public(page: Path) -> None:
    assert not_public(code(page)) == []


@pytest.mark.parametrize(
    "source",
    [
        "from hikube_kafka.spec.topic import Topic",
        "from hikube_kafka.spec import rules",
        "from hikube_kafka.platform import cdk",
        "import hikube_kafka.spec",
    ],
)
def test_a_name_that_is_not_public_is_found(source: str) -> None:
    assert not_public(source)


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_there(module: str) -> None:
    public = importlib.import_module(module)
    assert [name for name in public.__all__ if not hasattr(public, name)] == []


def test_the_page_about_public_names_has_them_all() -> None:
    written = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "public.md").read_text("utf-8")))
    for module in PUBLIC:
        assert set(importlib.import_module(module).__all__) - written == set(), module
