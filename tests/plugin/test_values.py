"""Values on the wire, held to what Terraform writes and reads."""

import copy
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgpack  # type: ignore[import-untyped] # it has no stubs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, List, Map, Object, Primitive, Type
from hikube_kafka.plugin.values import UNKNOWN, Codec, DecodeError, EncodeError, Unknown, is_known, spell, unknowns

NULL = b"\xc0"

names = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.one_of(
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
)
flat_types = st.sampled_from([STRING, NUMBER, BOOL])
types: st.SearchStrategy[Type] = st.recursive(
    flat_types,
    lambda inner: st.one_of(
        st.builds(List, inner),
        st.builds(Map, inner),
        st.builds(Object, st.dictionaries(names, inner, max_size=3)),
    ),
    max_leaves=6,
)


def decode(data: bytes, kind: Type) -> Any:
    return Codec(kind).decode(data)


def encode(value: Any, kind: Type) -> bytes:
    return Codec(kind).encode(value)


def from_json(document: str | bytes, kind: Type) -> Any:
    return Codec(kind).from_json(document)


def values_of(kind: Type) -> st.SearchStrategy[Any]:
    match kind:
        case Primitive("string"):
            known: st.SearchStrategy[Any] = names
        case Primitive("number"):
            known = numbers
        case Primitive():
            known = st.booleans()
        case List(element):
            known = st.lists(values_of(element), max_size=3)
        case Map(element):
            known = st.dictionaries(names, values_of(element), max_size=3)
        case Object(attributes):
            known = st.fixed_dictionaries({name: values_of(each) for name, each in attributes.items()})
    return st.one_of(known, st.none(), st.just(UNKNOWN))


typed_values = types.flatmap(lambda kind: st.tuples(st.just(kind), values_of(kind)))


def meaning(value: Any, kind: Type) -> Any:
    """What a value means to Terraform, worked out apart from the code under test."""
    match value:
        case None | bool() | str() | Unknown():
            return value
        case float():
            return Fraction(Decimal(repr(value)))
        case int() | Decimal():
            return Fraction(value)
    match kind:
        case Object(attributes):
            return {name: meaning(value[name], each) for name, each in attributes.items()}
        case Map(element):
            return {name: meaning(one, element) for name, one in value.items()}
        case List(element):
            return [meaning(one, element) for one in value]
    raise AssertionError(f"{value!r} is no {kind}")


@given(typed_values)
def test_what_is_encoded_decodes_to_the_same_meaning(typed: tuple[Type, Any]) -> None:
    kind, value = typed
    assert meaning(decode(encode(value, kind), kind), kind) == meaning(value, kind)


@given(typed_values)
def test_a_decoded_value_encodes_to_the_bytes_it_came_from(typed: tuple[Type, Any]) -> None:
    kind, value = typed
    data = encode(value, kind)
    assert encode(decode(data, kind), kind) == data


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


@pytest.mark.parametrize("data", [b"\x91" * 5_000, b"\xc4"], ids=["deep", "cut"])
def test_hostile_bytes_are_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data, List(STRING))


def test_a_deep_document_is_a_decode_error() -> None:
    with pytest.raises(DecodeError, match="nested too deeply"):
        from_json("[" * 100_000, List(STRING))


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


def test_what_terraform_knows_of_an_unknown_value_is_passed_over() -> None:
    known = {1: False, 2: "kafka-", 99: "news of a later Terraform"}
    assert decode(msgpack.packb(msgpack.ExtType(12, msgpack.packb(known))), STRING) is UNKNOWN


def test_another_extension_is_no_value() -> None:
    with pytest.raises(DecodeError, match="extension of type 5"):
        decode(msgpack.packb(msgpack.ExtType(5, b"")), STRING)


def test_an_unknown_value_is_no_condition() -> None:
    with pytest.raises(TypeError, match="value is UNKNOWN"):
        bool(UNKNOWN)


def test_the_same_number_is_the_same_bytes_however_it_is_spelled() -> None:
    assert encode(1, NUMBER) == encode(Decimal("1.0"), NUMBER)
    assert encode(Decimal("0.10"), NUMBER) == encode(0.1, NUMBER)
    assert encode(10**30, NUMBER) == encode(Decimal("1e30"), NUMBER)
    assert encode(2**64, NUMBER) != encode(2**64 + 1, NUMBER)


def test_a_copy_of_an_unknown_value_is_the_same() -> None:
    assert copy.deepcopy({"a": [UNKNOWN]})["a"][0] is UNKNOWN


def test_an_unknown_is_found_wherever_it_is() -> None:
    value = {"a": [1, {"b": UNKNOWN}], "c": (UNKNOWN,), "d": None}
    assert list(unknowns(value)) == [("a", 1, "b"), ("c", 0)]
    assert not is_known(value)
    assert not is_known([UNKNOWN])
    assert is_known({"a": [1, {"b": None}]})


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        ({"a": {"b": [1, "x"]}}, Object({"a": Map(List(NUMBER))}), r"a\.b\[1\]: should be a number, is str"),
        ({"a": 1, "c": 2}, Object({"a": NUMBER, "b": NUMBER}), "misses b and has c"),
        (True, NUMBER, "should be a number, is bool"),
        (1, STRING, "should be text, is int"),
        ({1: "x"}, Map(STRING), "should be a map, is dict"),
        ("\ud800", STRING, "UTF-8"),
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
        ({b"a": "x"}, Map(STRING)),
    ],
)
def test_bytes_of_another_type_are_refused(wire: object, kind: Type) -> None:
    with pytest.raises(DecodeError):
        decode(msgpack.packb(wire), kind)


def test_null_is_a_value_of_every_type() -> None:
    for kind in (STRING, NUMBER, BOOL, List(STRING), Map(STRING), Object({})):
        assert decode(NULL, kind) is None
        assert encode(None, kind) == NULL


def test_a_state_in_json_keeps_every_digit_loses_foreign_attributes_and_gains_nulls() -> None:
    kind = Object({"n": NUMBER, "big": NUMBER, "tags": List(STRING), "new": STRING})
    document = '{"n": 0.1, "big": 18446744073709551617, "tags": ["b", "a"], "old": 1}'
    assert from_json(document, kind) == {"n": Decimal("0.1"), "big": 2**64 + 1, "tags": ["b", "a"], "new": None}


@pytest.mark.parametrize(("document", "kind"), [('"x"', NUMBER), ("[]", Object({})), ("{}", List(STRING))])
def test_a_document_of_another_type_is_refused(document: str, kind: Type) -> None:
    with pytest.raises(DecodeError):
        from_json(document, kind)


@pytest.mark.parametrize("document", ["", "{", b"\xff"])
def test_what_is_not_json_is_refused(document: str | bytes) -> None:
    with pytest.raises(DecodeError, match="not JSON"):
        from_json(document, STRING)


def test_a_path_is_spelled_as_a_user_writes_it() -> None:
    assert spell(("brokers", 1, "config", "log.dirs")) == 'brokers[1].config["log.dirs"]'
