"""What an author of a provider writes, and is refused where it is written; the least numbers of a schema."""

from typing import Any

import pytest

from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.resource import DataSource, State, configuration_faults
from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, Attribute, Block, Map, Nested, Schema
from hikube_kafka.plugin.values import UNKNOWN

PORT = {"name": Attribute(STRING, required=True), "number": Attribute(NUMBER, optional=True, minimum=0)}
SCHEMA = Schema(
    {
        "copies": Attribute(NUMBER, required=True, minimum=1),
        "ratio": Attribute(NUMBER, optional=True),
        "labels": Attribute(Map(STRING), optional=True),
        "many": Attribute(nested=Nested("list", PORT), optional=True),
        "named": Attribute(nested=Nested("map", PORT), optional=True),
    }
)


class Things(DataSource):
    type_name = "toy_things"
    schema = SCHEMA

    def read(self, config: State) -> State:
        return config


def thing(**given: Any) -> dict[str, Any]:
    return dict.fromkeys(SCHEMA.attributes) | {"copies": 1} | given


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"copies": 10**30, "ratio": -1},
        {"copies": UNKNOWN, "many": UNKNOWN, "named": {"x": UNKNOWN}},
        {"many": [{"name": "http", "number": 0}, {"name": "https", "number": None}, UNKNOWN, None]},
    ],
)
def test_numbers_that_are_great_enough_or_unknown_or_left_out_are_no_fault(given: dict[str, Any]) -> None:
    assert [*configuration_faults(Things(), thing(**given))] == []


@pytest.mark.parametrize("number", [0, -1, 1.5])
def test_a_number_below_the_minimum_is_named_with_its_place(number: float) -> None:
    (fault,) = configuration_faults(Things(), thing(copies=number))
    assert (fault.summary, fault.detail, fault.path) == (
        "copies must be a whole number of at least 1",
        f"It is {number}.",
        ("copies",),
    )


def test_numbers_inside_lists_and_maps_of_objects_are_checked_too() -> None:
    port = {"name": "http", "number": -1}
    faults = [*configuration_faults(Things(), thing(many=[UNKNOWN, port], named={"x": port}))]
    assert [each.path for each in faults] == [("many", 1, "number"), ("named", "x", "number")]
    assert {each.summary for each in faults} == {"number must be a whole number of at least 0"}


def test_a_refusal_without_an_error_is_none() -> None:
    for diagnostics in ((), (Diagnostic("Beware", severity="warning"),)):
        with pytest.raises(ValueError, match="at least one"):
            Refusal(*diagnostics)


@pytest.mark.parametrize(
    "flags",
    [
        {"type": STRING},
        {"type": STRING, "required": True, "computed": True},
        {"type": STRING, "required": True, "optional": True},
        {"required": True},
        {"type": STRING, "nested": Nested("list", PORT), "required": True},
        {"type": BOOL, "required": True, "minimum": 1},
    ],
)
def test_an_attribute_that_terraform_would_refuse_is_refused_where_it_is_written(flags: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="attribute"):
        Attribute(**flags)


def test_a_name_is_an_attribute_or_a_block_not_both() -> None:
    schema = Schema({"port": Attribute(STRING, required=True)}, {"port": Block(PORT)})
    with pytest.raises(ValueError, match="as a block: port"):
        _ = schema.type
