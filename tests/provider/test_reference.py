"""The reference in docs/ speaks of everything that the schemas have."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hikube_kafka.plugin.schema import Attribute, Block, Schema
from hikube_kafka.provider.hikube import HikubePlugin

REFERENCE = Path(__file__).parents[2] / "docs" / "provider.md"
PROVIDER = HikubePlugin()
SCHEMAS: dict[str, Schema] = {
    "provider": PROVIDER.schema,
    **{each.type_name: each.schema for each in (*PROVIDER.resources, *PROVIDER.data_sources)},
}


def names(attributes: Mapping[str, Attribute], blocks: Mapping[str, Block]) -> Iterator[tuple[str, Attribute | Block]]:
    for name, attribute in attributes.items():
        yield name, attribute
        if attribute.nested is not None:
            yield from names(attribute.nested.attributes, {})
    for name, block in blocks.items():
        yield name, block
        yield from names(block.attributes, block.blocks)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_attribute_is_in_the_reference_and_describes_itself(schema: str) -> None:
    written = REFERENCE.read_text()
    assert schema == "provider" or f"`{schema}`" in written
    for name, attribute in names(SCHEMAS[schema].attributes, SCHEMAS[schema].blocks):
        assert f"`{name}`" in written or f" {name} " in written, name
        assert attribute.description.endswith((".", ")")), name
