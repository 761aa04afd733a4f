"""The start of a plan: what was proposed, with unknowns for what has yet to be computed."""

from typing import Any

import pytest

from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.resource import PlanRequest, State, expected
from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, Attribute, Block, Nested, Schema
from hikube_kafka.plugin.values import UNKNOWN

PORT = {"name": Attribute(STRING, required=True), "number": Attribute(NUMBER, optional=True, computed=True)}
SCHEMA = Schema(
    {
        "name": Attribute(STRING, required=True),
        "id": Attribute(STRING, computed=True),
        "note": Attribute(STRING, optional=True),
        "one": Attribute(nested=Nested("single", PORT), optional=True),
        "many": Attribute(nested=Nested("list", PORT), optional=True),
        "named": Attribute(nested=Nested("map", PORT), optional=True),
        "loose": Attribute(nested=Nested("set", PORT), optional=True),
    },
    {"block": Block("list", PORT, {"inner": Block("single", {"live": Attribute(BOOL, computed=True)})})},
)


def thing(**given: Any) -> State:
    return dict.fromkeys(SCHEMA.attributes) | {"block": []} | given


def test_a_creation_leaves_every_computed_value_that_is_not_set_to_the_apply() -> None:
    port = {"name": "http", "number": None}
    proposed = thing(
        name="a",
        one=port,
        many=[port, {"name": "https", "number": 443}],
        named={"x": port},
        loose=[port],
        block=[port | {"inner": {"live": None}}],
    )
    told_later = port | {"number": UNKNOWN}
    assert expected(SCHEMA, PlanRequest(None, proposed, proposed)) == thing(
        name="a",
        id=UNKNOWN,
        one=told_later,
        many=[told_later, {"name": "https", "number": 443}],
        named={"x": told_later},
        loose=[told_later],
        block=[told_later | {"inner": {"live": UNKNOWN}}],
    )


def test_what_exists_keeps_its_computed_values_null_ones_too() -> None:
    port = {"name": "http", "number": None}
    prior = thing(name="a", id=None, many=[port], named={"x": port}, loose=[port], block=[port | {"inner": None}])
    assert expected(SCHEMA, PlanRequest(prior, prior, prior)) == prior


def test_a_new_element_beside_existing_ones_is_computed() -> None:
    old, new = {"name": "http", "number": None}, {"name": "https", "number": None}
    prior = thing(id="1", many=[old], named={"x": old}, loose=[old])
    proposed = thing(id="1", many=[old, new], named={"x": old, "y": new}, loose=[new, old])
    planned = expected(SCHEMA, PlanRequest(prior, proposed, proposed))
    told_later = new | {"number": UNKNOWN}
    assert planned == thing(id="1", many=[old, told_later], named={"x": old, "y": told_later}, loose=[told_later, old])


def test_a_list_that_got_shorter_stays_short() -> None:
    port = {"name": "http", "number": 80}
    prior = thing(many=[port, port])
    assert expected(SCHEMA, PlanRequest(prior, thing(many=[port]), None)) == thing(many=[port])


def test_unknown_blocks_and_elements_stay_unknown() -> None:
    proposed = thing(id="1", many=[UNKNOWN], named=UNKNOWN, block=UNKNOWN)
    prior = thing(id="1")
    assert expected(SCHEMA, PlanRequest(prior, proposed, proposed)) == proposed


def test_a_destroy_has_no_planned_state() -> None:
    assert expected(SCHEMA, PlanRequest(thing(id="1"), None, None)) is None


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
        {"type": STRING, "nested": Nested("single", PORT), "required": True},
    ],
)
def test_an_attribute_that_terraform_would_refuse_is_refused_where_it_is_written(flags: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="attribute"):
        Attribute(**flags)


def test_a_name_is_an_attribute_or_a_block_not_both() -> None:
    schema = Schema({"port": Attribute(STRING, required=True)}, {"port": Block("list", PORT)})
    with pytest.raises(ValueError, match="as a block: port"):
        _ = schema.type
