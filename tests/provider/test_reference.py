"""docs/provider.md is made of the schemas, and the errors it explains are those that the provider raises."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hikube_kafka.plugin.schema import Attribute, Block, Schema
from hikube_kafka.provider.hikube import HikubePlugin

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "constructs" / "hikube_kafka"
REFERENCE = ROOT / "docs" / "provider.md"
PLUGIN = HikubePlugin()
SCHEMAS: dict[str, Schema] = {
    "provider": PLUGIN.schema,
    **{each.type_name: each.schema for each in PLUGIN.resources},
    **{each.type_name: each.schema for each in PLUGIN.data_sources},
}
ROW = re.compile(r"^\| `([\w.]+)` \| ([^|]+) \| (.+) \|$", re.MULTILINE)
EXPLAINED = re.compile(r"^\| ((?:`[^`]+`(?: \([^)]+\))?(?:, )?)+) \| [^|]+ \|$", re.MULTILINE)


def names(
    attributes: Mapping[str, Attribute], blocks: Mapping[str, Block], inside: str = ""
) -> Iterator[tuple[str, Attribute | Block]]:
    for name, attribute in attributes.items():
        yield inside + name, attribute
        if attribute.nested is not None:
            yield from names(attribute.nested.attributes, {}, f"{inside}{name}.")
    for name, block in blocks.items():
        yield inside + name, block
        yield from names(block.attributes, {}, f"{inside}{name}.")


def section(schema: str) -> str:
    heading = "## Provider settings" if schema == "provider" else f" `{schema}`\n"
    return REFERENCE.read_text("utf-8").partition(heading)[2].partition("\n## ")[0]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_section_has_exactly_the_attributes_of_its_schema(schema: str) -> None:
    rows = {name: about for name, _, about in ROW.findall(section(schema))}
    there = {name: each.description for name, each in names(SCHEMAS[schema].attributes, SCHEMAS[schema].blocks)}
    assert rows == there


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_attribute_describes_itself_in_sentences(schema: str) -> None:
    for name, attribute in names(SCHEMAS[schema].attributes, SCHEMAS[schema].blocks):
        assert attribute.description.endswith((".", ")", "...")), name
        assert "|" not in attribute.description, name


def texts() -> Iterator[str]:
    """Every text in the package, with … for what is filled in."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_error_that_is_explained_is_one_that_the_provider_raises() -> None:
    raised = "\n".join(texts())
    explained = [
        title for row in EXPLAINED.findall(REFERENCE.read_text("utf-8")) for title in re.findall(r"`([^`]+)`", row)
    ]
    assert len(explained) > 30
    # A title can be put together from several texts: each of its parts must be in one.
    missing = [title for title in explained if not all(part.strip() in raised for part in title.split("…"))]
    assert missing == []
