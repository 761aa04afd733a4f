"""Terraform's rules for plans and results: an honest answer breaks none, each lie is found at its place."""

from typing import Any

import pytest

from hikube_kafka.plugin.diagnostics import Path
from hikube_kafka.plugin.plan_rules import plan_breaches, result_breaches
from hikube_kafka.plugin.resource import State
from hikube_kafka.plugin.schema import NUMBER, STRING, Attribute, Block, Map, Nested, Schema, Set
from hikube_kafka.plugin.values import UNKNOWN

PORT = {"name": Attribute(STRING, required=True), "number": Attribute(NUMBER, optional=True, computed=True)}
SCHEMA = Schema(
    {
        "name": Attribute(STRING, required=True),
        "note": Attribute(STRING, optional=True),
        "id": Attribute(STRING, computed=True),
        "labels": Attribute(Map(STRING), optional=True),
        "tags": Attribute(Set(STRING), optional=True, computed=True),
        "one": Attribute(nested=Nested("single", PORT), optional=True),
        "many": Attribute(nested=Nested("list", PORT), optional=True),
        "named": Attribute(nested=Nested("map", PORT), optional=True),
        "loose": Attribute(nested=Nested("set", PORT), optional=True),
    },
    {"list": Block("list", PORT), "set": Block("set", PORT), "single": Block("single", PORT)},
)
HTTP: State = {"name": "http", "number": None}
HTTPS: State = {"name": "https", "number": None}
HTTP_80 = HTTP | {"number": 80}
HTTPS_443 = HTTPS | {"number": 443}

CONFIG: State = {
    "name": "a",
    "note": None,
    "id": None,
    "labels": {"x": "1"},
    "tags": None,
    "one": HTTP,
    "many": [HTTP, HTTPS],
    "named": {"x": HTTP},
    "loose": [HTTP, HTTPS],
    "list": [HTTP],
    "set": [HTTP, HTTPS],
    "single": None,
}
HONEST = CONFIG | {
    "id": UNKNOWN,
    "tags": ["computed"],
    "one": HTTP_80,
    "many": [HTTP_80, HTTPS | {"number": UNKNOWN}],
    "named": {"x": HTTP_80},
    "loose": [HTTPS_443, HTTP_80],
    "list": [HTTP_80],
    "set": [HTTPS_443, HTTP_80],
}


def places(prior: State | None, config: State, planned: State) -> list[Path]:
    return [path for path, _ in plan_breaches(SCHEMA, prior, config, planned)]


def test_an_honest_plan_breaks_no_rule() -> None:
    assert places(None, CONFIG, HONEST) == []
    assert places(HONEST, CONFIG, HONEST) == []


@pytest.mark.parametrize(
    ("lie", "place"),
    [
        ({"name": "b"}, ("name",)),
        ({"name": None}, ("name",)),
        ({"name": UNKNOWN}, ("name",)),
        ({"note": "made up"}, ("note",)),
        ({"note": UNKNOWN}, ("note",)),
        ({"labels": {"x": "1", "y": "2"}}, ("labels",)),
        ({"one": None}, ("one",)),
        ({"one": HTTPS_443}, ("one", "name")),
        ({"many": [HTTP_80]}, ("many",)),
        ({"many": [HTTP_80, HTTP_80]}, ("many", 1, "name")),
        ({"many": UNKNOWN}, ("many",)),
        ({"many": None}, ("many",)),
        ({"many": [HTTP_80, None]}, ("many", 1)),
        ({"named": {"y": HTTP_80}}, ("named", "x")),
        ({"named": {"x": HTTPS_443}}, ("named", "x", "name")),
        ({"loose": [HTTP_80, HTTP_80]}, ("loose",)),
        ({"list": []}, ("list",)),
        ({"list": [HTTPS_443]}, ("list", 0, "name")),
        ({"set": [HTTP_80, HTTP]}, ("set",)),
        ({"single": HTTP_80}, ("single",)),
    ],
)
def test_a_lie_is_found_at_its_place(lie: dict[str, Any], place: Path) -> None:
    assert places(None, CONFIG, HONEST | lie)[0] == place


def test_a_set_value_may_stay_as_it_was_when_the_two_spell_one_thing() -> None:
    prior = HONEST | {"name": "A", "id": "1"}
    assert places(prior, CONFIG, HONEST | {"name": "A"}) == []
    assert places(prior, CONFIG, HONEST | {"name": "AA"}) == [("name",)]


def test_an_optional_computed_value_that_is_set_is_kept() -> None:
    config = CONFIG | {"tags": ["b", "a"]}
    assert places(None, config, HONEST | {"tags": ["a", "b"]}) == []
    assert places(None, config, HONEST | {"tags": ["a"]}) == [("tags",)]
    assert places(None, config, HONEST | {"tags": UNKNOWN}) == [("tags",)]


def test_an_unknown_configuration_is_planned_as_unknown() -> None:
    config = CONFIG | {"name": UNKNOWN, "many": UNKNOWN, "list": UNKNOWN}
    assert places(None, config, HONEST | {"name": UNKNOWN, "many": UNKNOWN, "list": UNKNOWN}) == []
    assert places(None, config, HONEST | {"name": "guessed", "many": UNKNOWN, "list": UNKNOWN}) == [("name",)]


def test_blocks_that_are_unknown_yet_may_be_planned_in_any_way() -> None:
    assert places(None, CONFIG | {"list": UNKNOWN}, HONEST | {"list": [HTTP_80]}) == []


RESULT = HONEST | {"id": "1", "many": [HTTP_80, HTTPS_443]}


def changed(planned: State, result: State) -> list[Path]:
    return [path for path, _ in result_breaches(SCHEMA.type, planned, result)]


def test_an_honest_result_fills_in_the_unknowns_and_changes_nothing() -> None:
    assert changed(HONEST, RESULT) == []


@pytest.mark.parametrize(
    ("lie", "place"),
    [
        ({"id": UNKNOWN}, ("id",)),
        ({"name": "b"}, ("name",)),
        ({"note": "made up"}, ("note",)),
        ({"labels": {"x": "2"}}, ("labels", "x")),
        ({"labels": {}}, ("labels",)),
        ({"many": [HTTP_80]}, ("many",)),
        ({"many": [HTTPS_443, HTTPS_443]}, ("many", 0, "name")),
        ({"many": [HTTP_80, HTTPS | {"number": UNKNOWN}]}, ("many", 1, "number")),
        ({"loose": [HTTP_80]}, ("loose",)),
        ({"one": None}, ("one",)),
    ],
)
def test_a_result_that_is_not_what_was_planned_is_found_at_its_place(lie: dict[str, Any], place: Path) -> None:
    assert changed(HONEST, RESULT | lie)[0] == place


def test_each_unknown_element_of_a_set_may_become_any_but_the_known_ones_stay() -> None:
    planned = HONEST | {"loose": [HTTP_80, HTTPS | {"number": UNKNOWN}]}
    assert changed(planned, RESULT | {"loose": [HTTPS_443, HTTP_80]}) == []
    assert changed(planned, RESULT | {"loose": [HTTPS_443, HTTP | {"number": 81}]}) == [("loose",)]
    assert changed(planned, RESULT | {"loose": [HTTPS_443, HTTP_80, HTTPS | {"number": 444}]}) == [("loose",)]
