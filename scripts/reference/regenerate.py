# ruff: noqa: INP001  # a script, run by its path
"""Writes docs/provider.md from its template and the provider's schemas, whose descriptions are the user's manual.

Usage: python scripts/reference/regenerate.py

In the template, ``<!-- attributes: NAME -->`` becomes the table of a resource, a data source or the ``provider`` block,
and ``<!-- description: NAME -->`` what its schema says about it.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from hikube_kafka.plugin.schema import Attribute, Block, List, Map, Nested, Primitive, Schema, Type
from hikube_kafka.provider.hikube import HikubePlugin

TEMPLATE = Path(__file__).with_name("provider.md")
DESTINATION = Path(__file__).parents[2] / "docs" / "provider.md"

_NOTE = "<!-- Written by scripts/reference/regenerate.py from scripts/reference/provider.md: change it there. -->\n"
_WIDTH = 120
_PLACE = re.compile(r"^<!-- (attributes|description): (\w+) -->$", re.MULTILINE)


def schemas() -> dict[str, Schema]:
    """Every schema of the provider by the name of its block."""
    provider = HikubePlugin()
    return {
        "provider": provider.schema,
        **{each.type_name: each.schema for each in provider.resources},
        **{each.type_name: each.schema for each in provider.data_sources},
    }


def generated() -> str:
    """The whole page.

    Raises:
        KeyError: the template names a block that the provider does not have.
        ValueError: the template leaves a block out.
    """
    known = schemas()
    template = TEMPLATE.read_text("utf-8")
    left_out = known.keys() - {name for kind, name in _PLACE.findall(template) if kind == "attributes"}
    if left_out:
        raise ValueError(f"{TEMPLATE.name} has no table for {', '.join(sorted(left_out))}")

    def fill(place: re.Match[str]) -> str:
        schema = known[place[2]]
        if place[1] == "attributes":
            return "\n".join(_table(schema))
        return textwrap.fill(schema.description, _WIDTH, break_long_words=False, break_on_hyphens=False)

    return _NOTE + _PLACE.sub(fill, template)


def _table(schema: Schema) -> Iterator[str]:
    yield "| attribute | type | |"
    yield "|---|---|---|"
    for name, what, about in _rows(schema.attributes, schema.blocks, ""):
        yield f"| `{name}` | {what} | {about} |"


def _rows(
    attributes: Mapping[str, Attribute], blocks: Mapping[str, Block], inside: str
) -> Iterator[tuple[str, str, str]]:
    # As Terraform's own registry lists them: what must be set, what can be, what is only read.
    for name, attribute in sorted(attributes.items(), key=lambda item: _rank(item[1])):
        yield inside + name, f"{_type(attribute)}, {_use(attribute)}", attribute.description
        if attribute.nested:
            yield from _rows(attribute.nested.attributes, {}, f"{inside}{name}.")
    for name, block in blocks.items():
        yield inside + name, "block", block.description
        yield from _rows(block.attributes, {}, f"{inside}{name}.")


def _rank(attribute: Attribute) -> int:
    return 0 if attribute.required else 1 if attribute.optional else 2


def _use(attribute: Attribute) -> str:
    use = "required" if attribute.required else "optional" if attribute.optional else "computed"
    return f"{use}, sensitive" if attribute.sensitive else use


def _type(attribute: Attribute) -> str:
    if isinstance(attribute.nested, Nested):
        return f"{attribute.nested.nesting} of objects"
    return _spelled(attribute.implied_type())


def _spelled(kind: Type) -> str:
    match kind:
        case Primitive(name):
            return name
        case List(element):
            return f"list of {_spelled(element)}s"
        case Map(element):
            return f"map of {_spelled(element)}s"
    return "object"


def main() -> None:
    """Write it."""
    DESTINATION.write_text(generated(), "utf-8")


if __name__ == "__main__":
    main()
