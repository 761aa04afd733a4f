"""Values on the wire: MessagePack as Terraform writes it, JSON as a state file holds it.

In Python a value is ``None``, ``str``, ``bool``, a number, a ``list`` (also a set), a ``dict`` (an object or a map), or
:data:`UNKNOWN` for what only the apply will tell. A decoded number is an ``int``, or a ``Decimal`` where it has a
fraction, so that no digit is lost; a number to encode may be a ``float`` too and then means its shortest spelling.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from typing import Any

import msgpack  # type: ignore[import-untyped] # it has no stubs

from hikube_kafka.plugin.diagnostics import Path
from hikube_kafka.plugin.schema import (
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

_EXTENSION_UNKNOWN = 0
_EXTENSION_REFINED = 12
_REFINEMENTS = {1: "is_null", 2: "prefix", 3: "minimum", 4: "maximum", 5: "shortest", 6: "longest"}
_REFINEMENT_KEYS = {name: key for key, name in _REFINEMENTS.items()}
_DECIMAL = re.compile(r"[+-]?[0-9]{1,10000}(\.[0-9]{1,10000})?([eE][+-]?[0-9]{1,6})?", re.ASCII)
_LONGEST_INTEGER = 1000  # digits; a greater number stays a Decimal, whose exponent costs no memory
_INT64 = range(-(2**63), 2**63)


class ValueMismatchError(ValueError):
    """A value that is none of the type it should be of. The text tells types and places, never values.

    Attributes:
        problem: What is wrong.
        path: Where: attribute names, indices, map keys.
    """

    def __init__(self, problem: str, path: Path = ()) -> None:
        super().__init__(f"{spell(path)}: {problem}" if path else problem)
        self.problem = problem
        self.path = path


class DecodeError(ValueMismatchError):
    """Bytes, or a parsed JSON document, that hold no value of the type."""


class EncodeError(ValueMismatchError):
    """A Python value that is none of the type."""


def spell(path: Path) -> str:
    """A path as a user writes it: ``brokers[1].port``."""
    spelled = ""
    for step in path:
        if isinstance(step, int):
            spelled += f"[{step}]"
        elif step.isidentifier():
            spelled += f".{step}" if spelled else step
        else:
            spelled += f"[{json.dumps(step)}]"
    return spelled


class Unknown:
    """A value that only the apply will tell.

    Attributes:
        refinements: What is known of it all the same: ``is_null`` (False: it will not be null), ``prefix`` of a
            string, ``minimum`` and ``maximum`` of a number as ``[bound, inclusive]``, ``shortest`` and ``longest``
            collection. Resources never see these: the servicer hands them :data:`UNKNOWN` itself, so that
            ``value is UNKNOWN`` is the test to write.
    """

    __slots__ = ("refinements",)

    def __init__(self, refinements: Mapping[str, Any] | None = None) -> None:
        self.refinements = dict(refinements or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and self.refinements == other.refinements

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.refinements)))

    def __repr__(self) -> str:
        return f"Unknown({self.refinements})" if self.refinements else "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false: ask `value is UNKNOWN` first")


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A value that brought its own type, where the schema says ``DYNAMIC``.

    Attributes:
        type: The type it has.
        value: The value, as values of that type are.
    """

    type: Type
    value: Any


def decode(data: bytes, kind: Type) -> Any:
    """The value that Terraform sent.

    A set becomes a list in an order of its own, the same for the same elements, so that ``==`` compares sets.

    Args:
        data: MessagePack.
        kind: The type of the value, as the schema has it.

    Raises:
        DecodeError: ``data`` is no MessagePack, or holds something of another type. Nothing else is ever raised.
    """
    try:
        raw = msgpack.unpackb(data, ext_hook=_extension)
        return _from_wire(raw, kind, ())
    except DecodeError:
        raise
    except RecursionError:
        raise DecodeError("nested too deeply") from None
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as problem:
        raise DecodeError(f"no MessagePack that Terraform writes ({type(problem).__name__})") from None


def encode(value: Any, kind: Type) -> bytes:
    """The value as Terraform reads it; two values are the same to Terraform exactly if they encode to the same bytes.

    Args:
        value: A value; an object with all of its attributes.
        kind: The type of the value, as the schema has it.

    Raises:
        EncodeError: The value is not of that type.
    """
    try:
        return _pack(_to_wire(value, kind, ()))
    except EncodeError:
        raise
    except UnicodeEncodeError:
        raise EncodeError("text that cannot be written as UTF-8") from None


def same(one: Any, other: Any, kind: Type) -> bool:
    """Whether two values are the same to Terraform: sets in any order, ``1`` and ``1.0``, any two unknowns."""
    return encode(unrefined(one), kind) == encode(unrefined(other), kind)


def from_json(document: str | bytes, kind: Type) -> Any:
    """The value that a state file holds. Attributes the type does not have are dropped, missing ones are null.

    Raises:
        DecodeError: It is no JSON, or holds something of another type.
    """
    return conform(parse_json(document), kind)


def parse_json(document: str | bytes) -> Any:
    """A JSON document, with no digit of its numbers lost.

    Raises:
        DecodeError: It is no JSON.
    """
    try:
        return json.loads(document, parse_float=Decimal)
    except RecursionError:
        raise DecodeError("nested too deeply") from None
    except ValueError as problem:
        raise DecodeError(f"no JSON ({type(problem).__name__})") from None


def conform(parsed: Any, kind: Type) -> Any:
    """A parsed JSON document as a value of a type. Attributes the type does not have are dropped, missing ones null.

    Raises:
        DecodeError: It holds something of another type.
    """
    try:
        return _from_json(parsed, kind, ())
    except RecursionError:
        raise DecodeError("nested too deeply") from None


def unrefined(value: Any) -> Any:
    """The value with :data:`UNKNOWN` itself for every unknown in it, whatever is known of that."""
    match value:
        case Unknown():
            return UNKNOWN
        case list():
            return [unrefined(element) for element in value]
        case dict():
            return {name: unrefined(element) for name, element in value.items()}
        case Dynamic():
            return Dynamic(value.type, unrefined(value.value))
    return value


def unknowns(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all unknowns in a value."""
    match value:
        case Unknown():
            yield path
        case list() | tuple() | set() | frozenset():
            for index, element in enumerate(value):
                yield from unknowns(element, (*path, index))
        case dict():
            for name, element in value.items():
                yield from unknowns(element, (*path, name))
        case Dynamic():
            yield from unknowns(value.value, path)


# ---- MessagePack ---------------------------------------------------------------------------------------------------


def _pack(wire: Any) -> bytes:
    packed: bytes = msgpack.packb(wire)
    return packed


def _extension(code: int, data: bytes) -> Unknown:
    if code == _EXTENSION_UNKNOWN:
        return UNKNOWN
    if code != _EXTENSION_REFINED:
        raise DecodeError(f"a MessagePack extension of type {code}, which Terraform does not use")
    known = msgpack.unpackb(data, strict_map_key=False)
    if not isinstance(known, dict):
        raise DecodeError("what is known of an unknown value should be a map")
    # A later Terraform may know more: what we have no name for does not change that the value is unknown.
    return Unknown({_REFINEMENTS[key]: one for key, one in known.items() if key in _REFINEMENTS})


def _from_wire(raw: Any, kind: Type, path: Path) -> Any:  # noqa: PLR0911 - one case a type
    if raw is None or isinstance(raw, Unknown):
        return raw
    match kind:
        case Primitive("dynamic"):
            return _dynamic_from_wire(raw, path)
        case Primitive():
            return _primitive(raw, kind, path)
        case List(element) if isinstance(raw, list):
            return [_from_wire(one, element, (*path, index)) for index, one in enumerate(raw)]
        case Set(element) if isinstance(raw, list):
            found = [_from_wire(one, element, (*path, index)) for index, one in enumerate(raw)]
            return [one for _, one in _ordered(found, element, path)]
        case Map(element) if isinstance(raw, dict):
            return {_key(name, path): _from_wire(one, element, (*path, name)) for name, one in raw.items()}
        case Object(attributes) if isinstance(raw, dict):
            if raw.keys() != attributes.keys():
                raise DecodeError(f"an object should have exactly the attributes {', '.join(sorted(attributes))}", path)
            return {name: _from_wire(raw[name], each, (*path, name)) for name, each in attributes.items()}
        case Tuple(elements) if isinstance(raw, list) and len(raw) == len(elements):
            return [_from_wire(one, each, (*path, i)) for i, (one, each) in enumerate(zip(raw, elements, strict=True))]
    raise DecodeError(f"should be {describe(kind)}, is {_describe_raw(raw)}", path)


def _dynamic_from_wire(raw: Any, path: Path) -> Dynamic:
    match raw:
        case [bytes() | str() as spelled, value]:
            try:
                kind = type_from_json(json.loads(spelled))
            except ValueError:
                raise DecodeError("a value that names no Terraform type as its own", path) from None
            return Dynamic(kind, _from_wire(value, kind, path))
    raise DecodeError(f"should be a type and a value, is {_describe_raw(raw)}", path)


def _key(name: Any, path: Path) -> str:
    if not isinstance(name, str):
        raise DecodeError("a map key should be text", path)
    return name


def _primitive(raw: Any, kind: Primitive, path: Path) -> str | bool | int | float | Decimal:
    match kind.name:
        case "string" if isinstance(raw, str):
            return raw
        case "bool" if isinstance(raw, bool):
            return raw
        case "number" if isinstance(raw, int | float | str | Decimal) and not isinstance(raw, bool):
            number = _number(raw)
            if number is not None:
                return number
    raise DecodeError(f"should be {describe(kind)}, is {_describe_raw(raw)}", path)


def _number(raw: float | str | Decimal) -> int | Decimal | None:
    """A number without its loss: an ``int`` if it is whole, else a ``Decimal``; ``None`` if it is none."""
    if isinstance(raw, int):
        return raw
    if isinstance(raw, str):
        if not _DECIMAL.fullmatch(raw):
            return None
        raw = Decimal(raw)
    number = Decimal(raw)
    if number.is_nan():
        return None
    if number.is_finite() and number.adjusted() < _LONGEST_INTEGER and number == number.to_integral_value():
        return int(number)
    return number


def _ordered(elements: list[Any], kind: Type, path: Path) -> list[tuple[Any, Any]]:
    """The elements of a set, each with how it is written: each known one once, in the order of that."""
    written = [(_to_wire(one, kind, (*path, index)), one) for index, one in enumerate(elements)]
    sorted_ = sorted(((_pack(wire), wire, one) for wire, one in written), key=itemgetter(0))
    distinct: list[tuple[Any, Any]] = []
    last = None
    for packed, wire, one in sorted_:
        # Two unknowns look alike, and may yet become two different elements.
        if packed != last or any(True for _ in unknowns(one)):
            distinct.append((wire, one))
        last = packed
    return distinct


def _to_wire(value: Any, kind: Type, path: Path) -> Any:  # noqa: C901, PLR0911 - one case a type
    if value is None:
        return None
    if isinstance(value, Unknown):
        return _unknown_to_wire(value, path)
    match kind:
        case Primitive("dynamic"):
            own = value if isinstance(value, Dynamic) else Dynamic(_inferred(value, path), value)
            return [json.dumps(own.type.to_json(), separators=(",", ":")).encode(), _to_wire(own.value, own.type, path)]
        case Primitive("string") if isinstance(value, str):
            return value
        case Primitive("bool") if isinstance(value, bool):
            return value
        case Primitive("number") if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return _number_to_wire(value, path)
        case List(element) if isinstance(value, list | tuple):
            return [_to_wire(one, element, (*path, index)) for index, one in enumerate(value)]
        case Set(element) if isinstance(value, list | tuple | set | frozenset):
            return [wire for wire, _ in _ordered(list(value), element, path)]
        case Map(element) if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
            return {name: _to_wire(value[name], element, (*path, name)) for name in sorted(value)}
        case Object(attributes) if isinstance(value, Mapping):
            if value.keys() != attributes.keys():
                raise EncodeError(_wrong_attributes(value, attributes), path)
            return {name: _to_wire(value[name], attributes[name], (*path, name)) for name in sorted(attributes)}
        case Tuple(elements) if isinstance(value, list | tuple) and len(value) == len(elements):
            return [_to_wire(one, each, (*path, i)) for i, (one, each) in enumerate(zip(value, elements, strict=True))]
    raise EncodeError(f"should be {describe(kind)}, is {type(value).__name__}", path)


def _wrong_attributes(value: Mapping[str, Any], attributes: Mapping[str, Type]) -> str:
    missing = ", ".join(sorted(attributes.keys() - value.keys()))
    foreign = ", ".join(sorted(str(name) for name in value.keys() - attributes.keys()))
    found = [f"misses {missing}"] if missing else []
    found += [f"has {foreign}, which the schema does not"] if foreign else []
    return f"the object {' and '.join(found)}"


def _unknown_to_wire(value: Unknown, path: Path) -> msgpack.ExtType:
    if not value.refinements:
        return msgpack.ExtType(_EXTENSION_UNKNOWN, b"\0")
    foreign = value.refinements.keys() - _REFINEMENT_KEYS.keys()
    if foreign:
        raise EncodeError(f"an unknown value has no refinement {', '.join(sorted(foreign))}", path)
    known = {_REFINEMENT_KEYS[name]: one for name, one in value.refinements.items()}
    return msgpack.ExtType(_EXTENSION_REFINED, _pack(dict(sorted(known.items()))))


def _number_to_wire(value: float | Decimal, path: Path) -> int | float | str:
    """The one way to write a number: 64 bits if they hold it exactly, else decimal text."""
    if isinstance(value, int) and value in _INT64:
        return value
    # The shortest spelling of a float is what its author means by it: 0.1 should equal the 0.1 of a configuration.
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if number.is_nan():
        raise EncodeError("should be a number, is not a number (NaN)", path)
    if number.is_infinite():
        return math.inf if number > 0 else -math.inf
    whole = _number(number)
    if isinstance(whole, int) and whole in _INT64:
        return whole
    if Decimal(float(number)) == number:
        return float(number)
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits))
    shortest = text.rstrip("0")
    return f"{'-' if sign else ''}{shortest}e{int(exponent) + len(text) - len(shortest)}"


def _inferred(value: Any, path: Path) -> Type:
    """The type that a plain Python value has where any is allowed."""
    match value:
        case bool():
            return Primitive("bool")
        case str():
            return STRING
        case int() | float() | Decimal():
            return NUMBER
        case list() | tuple():
            return Tuple(tuple(_inferred_element(one, (*path, index)) for index, one in enumerate(value)))
        case dict():
            return Object({name: _inferred_element(one, (*path, name)) for name, one in value.items()})
    raise EncodeError(f"no Terraform type fits a {type(value).__name__}", path)


def _inferred_element(value: Any, path: Path) -> Type:
    return DYNAMIC if value is None or isinstance(value, Unknown) else _inferred(value, path)


# ---- JSON ----------------------------------------------------------------------------------------------------------


def _from_json(parsed: Any, kind: Type, path: Path) -> Any:  # noqa: C901, PLR0911 - one case a type
    if parsed is None:
        return None
    match kind:
        case Primitive("dynamic"):
            match parsed:
                case {"type": spelled, "value": value}:
                    try:
                        own = type_from_json(spelled)
                    except ValueError:
                        raise DecodeError("a value that names no Terraform type as its own", path) from None
                    return Dynamic(own, _from_json(value, own, path))
        case Primitive():
            return _primitive(parsed, kind, path)
        case List(element) if isinstance(parsed, list):
            return [_from_json(one, element, (*path, index)) for index, one in enumerate(parsed)]
        case Set(element) if isinstance(parsed, list):
            found = [_from_json(one, element, (*path, index)) for index, one in enumerate(parsed)]
            return [one for _, one in _ordered(found, element, path)]
        case Map(element) if isinstance(parsed, dict):
            return {name: _from_json(one, element, (*path, name)) for name, one in parsed.items()}
        case Object(attributes) if isinstance(parsed, dict):
            return {name: _from_json(parsed.get(name), each, (*path, name)) for name, each in attributes.items()}
        case Tuple(elements) if isinstance(parsed, list) and len(parsed) == len(elements):
            return [
                _from_json(one, each, (*path, i)) for i, (one, each) in enumerate(zip(parsed, elements, strict=True))
            ]
    raise DecodeError(f"should be {describe(kind)}, is {_describe_raw(parsed)}", path)


# ---- Words for errors ----------------------------------------------------------------------------------------------


def describe(kind: Type) -> str:  # noqa: PLR0911 - one case a type
    """A type in words."""
    match kind:
        case Primitive("string"):
            return "text"
        case Primitive("number"):
            return "a number"
        case Primitive("bool"):
            return "true or false"
        case Primitive():
            return "a value of any type"
        case List():
            return "a list"
        case Set():
            return "a set"
        case Map():
            return "a map"
        case Object():
            return "an object"
        case Tuple(elements):
            return f"a tuple of {len(elements)}"


def _describe_raw(raw: Any) -> str:
    return {str: "text", bool: "true or false", list: "a list", dict: "a map", bytes: "bytes"}.get(
        type(raw), "a number" if isinstance(raw, int | float | Decimal) else f"a {type(raw).__name__}"
    )
