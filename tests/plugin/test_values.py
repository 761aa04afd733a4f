"""Values on the wire, held to what Terraform writes and reads."""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgpack  # type: ignore[import-untyped] # it has no stubs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikube_kafka.plugin.schema import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    List,
    Map,
    Object,
    Primitive,
    Set,
    Tuple,
    Type,
    type_from_json,
)
from hikube_kafka.plugin.values import (
    UNKNOWN,
    DecodeError,
    Dynamic,
    EncodeError,
    Unknown,
    conform,
    decode,
    encode,
    from_json,
    same,
    spell,
    unknowns,
    unrefined,
)

NULL = b"\xc0"

names = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.one_of(
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
)
unknown_values = st.one_of(
    st.just(UNKNOWN),
    st.builds(
        Unknown,
        st.fixed_dictionaries(
            {},
            optional={
                "is_null": st.just(False),  # noqa: FBT003 - what is known: that it will not be null
                "prefix": names,
                "minimum": st.tuples(st.integers(0, 9), st.booleans()).map(list),
                "longest": st.integers(0, 9),
            },
        ),
    ),
)
flat_types = st.sampled_from([STRING, NUMBER, BOOL, DYNAMIC])
types: st.SearchStrategy[Type] = st.recursive(
    flat_types,
    lambda inner: st.one_of(
        st.builds(List, inner),
        st.builds(Set, inner),
        st.builds(Map, inner),
        st.builds(Object, st.dictionaries(names, inner, max_size=3)),
    ),
    max_leaves=6,
)


def values_of(kind: Type, depth: int = 0) -> st.SearchStrategy[Any]:
    match kind:
        case Primitive("string"):
            known: st.SearchStrategy[Any] = names
        case Primitive("number"):
            known = numbers
        case Primitive("bool"):
            known = st.booleans()
        case Primitive():
            known = types.filter(lambda own: own is not DYNAMIC and depth < 2).flatmap(
                lambda own: values_of(own, depth + 1).map(lambda value: Dynamic(own, value))
            )
            if depth >= 2:
                known = names.map(lambda text: Dynamic(STRING, text))
        case List(element) | Set(element):
            known = st.lists(values_of(element, depth + 1), max_size=3)
        case Map(element):
            known = st.dictionaries(names, values_of(element, depth + 1), max_size=3)
        case Object(attributes):
            known = st.fixed_dictionaries({name: values_of(each, depth + 1) for name, each in attributes.items()})
        case Tuple(elements):
            known = st.tuples(*(values_of(each, depth + 1) for each in elements)).map(list)
    return st.one_of(known, st.none(), unknown_values)


typed_values = types.flatmap(lambda kind: st.tuples(st.just(kind), values_of(kind)))


def meaning(value: Any, kind: Type) -> Any:  # noqa: PLR0911 - one case a type
    """What a value means to Terraform, worked out apart from the code under test."""
    match value:
        case None | bool() | str() | Unknown():
            return value
        case float():
            return Fraction(Decimal(repr(value)))
        case int() | Decimal():
            return Fraction(value)
        case Dynamic():
            return Dynamic(value.type, meaning(value.value, value.type))
    match kind:
        case Object(attributes):
            return {name: meaning(value[name], each) for name, each in attributes.items()}
        case Map(element):
            return {name: meaning(one, element) for name, one in value.items()}
        case List(element):
            return [meaning(one, element) for one in value]
        case Set(element):
            ordered = sorted((meaning(one, element) for one in value), key=sortable)
            return [
                one for index, one in enumerate(ordered) if not index or holds_unknown(one) or one != ordered[index - 1]
            ]
    raise AssertionError(f"{value!r} is no {kind}")


def sortable(meant: Any) -> str:
    if isinstance(meant, Unknown):
        return "unknown" + sortable(meant.refinements)
    if isinstance(meant, Dynamic):
        return f"{meant.type}{sortable(meant.value)}"
    if isinstance(meant, list):
        return repr([sortable(one) for one in meant])
    if isinstance(meant, dict):
        return repr(sorted((name, sortable(one)) for name, one in meant.items()))
    return repr(meant)


def holds_unknown(meant: Any) -> bool:
    return any(True for _ in unknowns(meant))


@given(typed_values)
def test_what_is_encoded_decodes_to_the_same_meaning(typed: tuple[Type, Any]) -> None:
    kind, value = typed
    assert meaning(decode(encode(value, kind), kind), kind) == meaning(value, kind)


@given(typed_values)
def test_a_decoded_value_encodes_to_the_bytes_it_came_from(typed: tuple[Type, Any]) -> None:
    kind, value = typed
    data = encode(value, kind)
    assert encode(decode(data, kind), kind) == data


@given(types)
def test_a_type_survives_its_spelling_in_json(kind: Type) -> None:
    assert type_from_json(json.loads(json.dumps(kind.to_json()))) == kind


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        names,
        st.binary(max_size=12),
        st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=12)),
        st.sampled_from(["1e999999999", "NaN", "sNaN", "Infinity", "0x10", "1_000", "9" * 20_000]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(names, st.integers(0, 9)), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.one_of(st.binary(max_size=64), anything.map(msgpack.packb)), types)
def test_arbitrary_bytes_are_a_value_or_a_decode_error_and_nothing_else(data: bytes, kind: Type) -> None:
    try:
        value = decode(data, kind)
    except DecodeError:
        return
    assert encode(value, kind)


@given(typed_values, st.data())
def test_a_damaged_value_is_a_value_or_a_decode_error_and_nothing_else(
    typed: tuple[Type, Any], draw: st.DataObject
) -> None:
    kind, value = typed
    data = bytearray(encode(value, kind))
    data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        decode(bytes(data), kind)
    except DecodeError:
        return


@given(st.one_of(st.text(max_size=40), st.binary(max_size=40)), types)
def test_an_arbitrary_document_is_a_value_or_a_decode_error_and_nothing_else(document: str | bytes, kind: Type) -> None:
    try:
        from_json(document, kind)
    except DecodeError:
        return


@pytest.mark.parametrize(
    "data",
    [b"\x91" * 5_000, msgpack.packb([b'"dynamic"', None])[:-1] * 600 + NULL, b"\xc4"],
    ids=["deep", "a type of any type of any type", "cut"],
)
def test_hostile_nesting_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data, DYNAMIC)


def test_a_deep_document_is_a_decode_error() -> None:
    with pytest.raises(DecodeError, match="nested too deeply"):
        from_json("[" * 100_000, DYNAMIC)
    parsed = None
    for _ in range(5_000):
        parsed = {"type": "dynamic", "value": parsed}
    with pytest.raises(DecodeError, match="nested too deeply"):
        conform(parsed, DYNAMIC)


@pytest.mark.parametrize(
    ("wire", "number"),
    [
        (7, 7),
        (2**63, 2**63),
        (1.5, Decimal("1.5")),
        (2.0**70, 2**70),
        ("0.1", Decimal("0.1")),
        ("18446744073709551617", 2**64 + 1),
        (
            "3.14159265358979323846264338327950288419716939937510",
            Decimal("3.14159265358979323846264338327950288419716939937510"),
        ),
        ("1e3", 1000),
        ("1e5000", Decimal("1e5000")),
    ],
)
def test_no_digit_of_a_number_is_lost(wire: object, number: object) -> None:
    decoded = decode(msgpack.packb(wire), NUMBER)
    assert decoded == number
    assert type(decoded) is type(number)


@pytest.mark.parametrize("text", ["NaN", "0x10", "1_000", "", "1e9999999", "\u0661"])
def test_text_that_is_no_decimal_is_no_number(text: str) -> None:
    with pytest.raises(DecodeError):
        decode(msgpack.packb(text), NUMBER)


def test_a_float_means_its_shortest_spelling() -> None:
    # Terraform reads the 0.1 of a configuration as exactly one tenth, which no 64 bits hold.
    assert encode(0.1, NUMBER) == encode(Decimal("0.1"), NUMBER) == msgpack.packb("1e-1")


def test_a_fraction_that_64_bits_hold_is_written_as_terraform_writes_it() -> None:
    assert encode(Decimal("1.5"), NUMBER) == msgpack.packb(1.5)


def test_infinity_is_a_number_and_nan_is_none() -> None:
    assert decode(encode(float("-inf"), NUMBER), NUMBER) == Decimal("-Infinity")
    for nothing in (float("nan"), Decimal("nan")):
        with pytest.raises(EncodeError, match="NaN"):
            encode(nothing, NUMBER)


def test_an_unknown_value_is_extension_0_whatever_its_content() -> None:
    for content in (b"", b"\0", b"anything"):
        assert decode(msgpack.packb(msgpack.ExtType(0, content)), STRING) is UNKNOWN
    assert encode(UNKNOWN, STRING) == b"\xd4\x00\x00"


def test_a_refined_unknown_value_tells_what_is_known_of_it() -> None:
    known = {1: False, 2: "kafka-", 3: [1, True], 4: [9, False], 5: 2, 6: 8}
    data = msgpack.packb(msgpack.ExtType(12, msgpack.packb(known)))
    unknown = decode(data, STRING)
    assert unknown.refinements == {
        "is_null": False,
        "prefix": "kafka-",
        "minimum": [1, True],
        "maximum": [9, False],
        "shortest": 2,
        "longest": 8,
    }
    assert encode(unknown, STRING) == data
    assert unrefined({"a": [unknown]})["a"][0] is UNKNOWN


def test_a_refinement_of_a_later_terraform_is_passed_over() -> None:
    data = msgpack.packb(msgpack.ExtType(12, msgpack.packb({99: "news", 2: "x"})))
    assert decode(data, STRING).refinements == {"prefix": "x"}


def test_another_extension_is_no_value() -> None:
    with pytest.raises(DecodeError, match="extension of type 5"):
        decode(msgpack.packb(msgpack.ExtType(5, b"")), STRING)
    with pytest.raises(DecodeError, match="should be a map"):
        decode(msgpack.packb(msgpack.ExtType(12, msgpack.packb(["x"]))), STRING)


def test_an_unknown_value_is_no_condition() -> None:
    with pytest.raises(TypeError, match="value is UNKNOWN"):
        bool(UNKNOWN)


def test_a_dynamic_value_brings_its_type() -> None:
    data = msgpack.packb([b'["list","string"]', ["a"]])
    assert decode(data, DYNAMIC) == Dynamic(List(STRING), ["a"])
    assert encode(Dynamic(List(STRING), ["a"]), DYNAMIC) == data
    assert list(unknowns({"a": Dynamic(List(STRING), ["a", UNKNOWN])})) == [("a", 1)]


def test_a_plain_python_value_finds_its_dynamic_type() -> None:
    found = decode(encode({"a": [1, "x", True, None, UNKNOWN]}, DYNAMIC), DYNAMIC)
    assert found.type == Object({"a": Tuple((NUMBER, STRING, BOOL, DYNAMIC, DYNAMIC))})
    assert found.value == {"a": [1, "x", True, None, UNKNOWN]}


def test_the_order_and_repetition_of_set_elements_does_not_matter() -> None:
    assert same(["b", "a", "b"], ["a", "b"], Set(STRING))
    assert not same(["a", "b"], ["b", "a"], List(STRING))
    assert decode(msgpack.packb(["b", "a"]), Set(STRING)) == decode(msgpack.packb(["a", "b"]), Set(STRING))
    assert len(decode(encode([UNKNOWN, UNKNOWN], Set(STRING)), Set(STRING))) == 2


def test_the_same_number_is_the_same_however_it_is_spelled() -> None:
    assert same(1, Decimal("1.0"), NUMBER)
    assert same(Decimal("0.10"), 0.1, NUMBER)
    assert same(10**30, Decimal("1e30"), NUMBER)
    assert not same(2**64, 2**64 + 1, NUMBER)


def test_any_two_unknowns_are_the_same_and_an_unknown_is_not_null() -> None:
    assert same(UNKNOWN, Unknown({"prefix": "a"}), STRING)
    assert not same(UNKNOWN, None, STRING)


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        ({"a": {"b": [1, "x"]}}, Object({"a": Map(List(NUMBER))}), r"a\.b\[1\]: should be a number, is str"),
        ({"a": 1, "c": 2}, Object({"a": NUMBER, "b": NUMBER}), "misses b and has c"),
        (True, NUMBER, "should be a number, is bool"),
        (1, STRING, "should be text, is int"),
        ({1: "x"}, Map(STRING), "should be a map, is dict"),
        ([1], Tuple((NUMBER, NUMBER)), "a tuple of 2, is list"),
        (object(), DYNAMIC, "no Terraform type fits a object"),
        ("\ud800", STRING, "UTF-8"),
        (Unknown({"colour": "red"}), STRING, "no refinement colour"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(value: object, kind: Type, problem: str) -> None:
    with pytest.raises(EncodeError, match=problem):
        encode(value, kind)


def test_an_encode_error_never_quotes_the_value() -> None:
    with pytest.raises(EncodeError) as refused:
        encode({"password": ["hunter2"]}, Object({"password": STRING}))
    assert "hunter2" not in str(refused.value)
    assert refused.value.path == ("password",)


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        ({"a": 1}, Object({"b": NUMBER})),
        ([1], STRING),
        ("x", BOOL),
        ({"a": "x"}, List(STRING)),
        ([b"nonsense", 1], DYNAMIC),
        ([b'"nonsense"', 1], DYNAMIC),
        ([1, 2, 3], DYNAMIC),
        ({b"a": "x"}, Map(STRING)),
    ],
)
def test_bytes_of_another_type_are_refused(wire: object, kind: Type) -> None:
    with pytest.raises(DecodeError):
        decode(msgpack.packb(wire), kind)


def test_null_is_a_value_of_every_type() -> None:
    for kind in (STRING, NUMBER, BOOL, DYNAMIC, List(STRING), Set(STRING), Map(STRING), Object({})):
        assert decode(NULL, kind) is None
        assert encode(None, kind) == NULL


def test_a_state_in_json_keeps_every_digit_loses_foreign_attributes_and_gains_nulls() -> None:
    kind = Object(
        {"n": NUMBER, "big": NUMBER, "tags": Set(STRING), "any": DYNAMIC, "new": STRING, "two": Tuple((STRING, NUMBER))}
    )
    document = """{"n": 0.1, "big": 18446744073709551617, "tags": ["b", "a"], "old": 1, "two": ["a", 1],
                   "any": {"type": ["list", "number"], "value": [1]}}"""
    assert from_json(document, kind) == {
        "n": Decimal("0.1"),
        "big": 2**64 + 1,
        "tags": ["a", "b"],
        "any": Dynamic(List(NUMBER), [1]),
        "new": None,
        "two": ["a", 1],
    }


@pytest.mark.parametrize(
    ("parsed", "kind"),
    [
        ("x", NUMBER),
        ([], Object({})),
        ([1], Tuple((NUMBER, NUMBER))),
        ({"type": "x", "value": 1}, DYNAMIC),
        (1, DYNAMIC),
    ],
)
def test_a_document_of_another_type_is_refused(parsed: object, kind: Type) -> None:
    with pytest.raises(DecodeError):
        conform(parsed, kind)


@pytest.mark.parametrize("document", ["", "{", b"\xff"])
def test_what_is_no_json_is_refused(document: str | bytes) -> None:
    with pytest.raises(DecodeError, match="no JSON"):
        from_json(document, DYNAMIC)


def test_a_path_is_spelled_as_a_user_writes_it() -> None:
    assert spell(("brokers", 1, "config", "log.dirs")) == 'brokers[1].config["log.dirs"]'
