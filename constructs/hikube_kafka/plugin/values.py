"""Values on the wire: MessagePack as Terraform writes it, JSON as a state file holds it.

In Python a value is ``None``, ``str``, ``bool``, a number, a ``list``, a ``dict`` (an object or a map), or
:data:`UNKNOWN` for what only the apply will tell. A decoded number is an ``int``, or a ``Decimal`` where it has a
fraction, so that no digit is lost; a number to encode may be a ``float`` too and then means its shortest spelling.

A plan decodes and encodes thousands of values of a few types: how is worked out once a type, in a :class:`Codec`.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

import msgpack  # type: ignore[import-untyped] # it has no stubs

from hikube_kafka.plugin.diagnostics import Path
from hikube_kafka.plugin.schema import List, Map, Object, Primitive, Type

_EXTENSION_UNKNOWN = 0
_EXTENSION_REFINED = 12
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
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        return f"{spell(self.path)}: {self.problem}" if self.path else self.problem

    def put_inside(self, step: str | int) -> None:
        """Say that all of it happened inside of this attribute, element or key."""
        self.path = (step, *self.path)


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
    """The type of :data:`UNKNOWN`, a value that only the apply will tell. What Terraform knows of it is passed over."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"  # a copy is the same

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false: ask `value is UNKNOWN` first")


UNKNOWN = Unknown()
"""There is one: ``value is UNKNOWN`` is the test to write."""


class Codec:
    """Values of one type, from the wire and to it.

    Args:
        kind: The type, as the schema has it.
    """

    def __init__(self, kind: Type) -> None:
        self._read = _reader(kind, exact=True)
        self._read_document = _reader(kind, exact=False)
        self._write = _writer(kind)

    def decode(self, data: bytes) -> Any:
        """The value that Terraform sent.

        Args:
            data: MessagePack.

        Raises:
            DecodeError: ``data`` is not MessagePack, or holds something of another type. Nothing else is ever raised.
        """
        try:
            return self._read(msgpack.unpackb(data, ext_hook=_extension))
        except DecodeError:
            raise
        except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as problem:
            raise DecodeError(f"not MessagePack as Terraform writes it ({type(problem).__name__})") from None

    def encode(self, value: Any) -> bytes:
        """The value as Terraform reads it.

        Args:
            value: A value; an object with all of its attributes.

        Raises:
            EncodeError: The value is not of the type.
        """
        try:
            packed: bytes = msgpack.packb(self._write(value))
        except UnicodeEncodeError:
            raise EncodeError("text that cannot be written as UTF-8") from None
        return packed

    def from_json(self, document: str | bytes) -> Any:
        """The value that a state file holds. Attributes the type does not have are dropped, missing ones are null.

        Raises:
            DecodeError: It is not JSON, or holds something of another type.
        """
        try:
            return self._read_document(json.loads(document, parse_float=Decimal))
        except DecodeError:
            raise
        except RecursionError:
            raise DecodeError("nested too deeply") from None
        except ValueError as problem:
            raise DecodeError(f"not JSON ({type(problem).__name__})") from None


def unknowns(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all unknowns in a value."""
    match value:
        case Unknown():
            yield path
        case list() | tuple():
            for index, element in enumerate(value):
                yield from unknowns(element, (*path, index))
        case dict():
            for name, element in value.items():
                yield from unknowns(element, (*path, name))


def is_known(value: Any) -> bool:
    """Whether nothing in a value is unknown."""
    if type(value) is dict:
        return all(map(is_known, value.values()))
    return not any(True for _ in unknowns(value))


def holds_elements(kind: Type) -> bool:
    """Whether a value of this type may have elements, which may be null."""
    match kind:
        case Object(attributes):
            return any(map(holds_elements, attributes.values()))
        case Primitive():
            return False
        case _:
            return True


def without_nulls(value: Any, kind: Type) -> Any:
    """The value without the null elements of its lists and maps; attributes of objects stay, null or not."""
    match kind, value:
        case List(element), list():
            return [without_nulls(each, element) for each in value if each is not None]
        case Map(element), dict():
            return {name: without_nulls(each, element) for name, each in value.items() if each is not None}
        case Object(attributes), dict():
            return {name: without_nulls(value[name], attributes[name]) for name in value}
        case _:
            return value


def with_nulls(value: Any, original: Any, kind: Type) -> Any:
    """The value with the null elements that the original has, wherever the two have the same elements beside them.

    Args:
        value: Without null elements.
        original: What it was made of, null elements included.
        kind: The type of both.
    """
    match kind, value, original:
        case List(element), list(), list() if len(value) == sum(each is not None for each in original):
            rest = iter(value)
            return [None if each is None else with_nulls(next(rest), each, element) for each in original]
        case Map(element), dict(), dict() if value.keys() == {
            name for name, each in original.items() if each is not None
        }:
            return {
                name: None if each is None else with_nulls(value[name], each, element)
                for name, each in original.items()
            }
        case Object(attributes), dict(), dict() if value.keys() == original.keys():
            return {name: with_nulls(value[name], original[name], attributes[name]) for name in value}
        case _:
            return value


# ---- From the wire --------------------------------------------------------------------------------------------------

_Reader = Callable[[Any], Any]


def _extension(code: int, _data: bytes) -> Unknown:
    if code not in {_EXTENSION_UNKNOWN, _EXTENSION_REFINED}:
        raise DecodeError(f"a MessagePack extension of type {code}, which Terraform does not use")
    return UNKNOWN


def _reader(kind: Type, *, exact: bool) -> _Reader:
    """How a value of a type is read.

    Args:
        kind: The type.
        exact: Whether an object must have all its attributes and no others.
    """
    match kind:
        case Primitive("string"):
            read = _plain(str, kind)
        case Primitive("bool"):
            read = _plain(bool, kind)
        case Primitive():
            read = _number_reader(kind)
        case List(element):
            read = _list_reader(kind, _reader(element, exact=exact))
        case Map(element):
            read = _map_reader(kind, _reader(element, exact=exact))
        case Object(attributes):
            readers = {name: _reader(each, exact=exact) for name, each in attributes.items()}
            read = _object_reader(kind, readers, exact=exact)
    return read


def _otherwise(raw: Any, kind: Type) -> Any:
    """What every type has beside its own values: null, and what is not known yet."""
    if raw is None or raw is UNKNOWN:
        return raw
    raise DecodeError(f"should be {describe(kind)}, is {_describe_raw(raw)}")


def _plain(python: type, kind: Type) -> _Reader:
    return lambda raw: raw if type(raw) is python else _otherwise(raw, kind)


def _number_reader(kind: Type) -> _Reader:
    def read(raw: Any) -> Any:
        if type(raw) is int:
            return raw
        number = _number(raw) if isinstance(raw, float | str | Decimal) else None
        return _otherwise(raw, kind) if number is None else number

    return read


def _list_reader(kind: Type, element: _Reader) -> _Reader:
    def read(raw: Any) -> Any:
        if type(raw) is not list:
            return _otherwise(raw, kind)
        values = []
        try:
            for each in raw:
                values.append(element(each))  # noqa: PERF401 - how far it came is where an error is
        except DecodeError as error:
            error.put_inside(len(values))
            raise
        return values

    return read


def _map_reader(kind: Type, element: _Reader) -> _Reader:
    def read(raw: Any) -> Any:
        if type(raw) is not dict:
            return _otherwise(raw, kind)
        values = {}
        for name, each in raw.items():
            if type(name) is not str:
                raise DecodeError("a map key should be text")
            try:
                values[name] = element(each)
            except DecodeError as error:
                error.put_inside(name)
                raise
        return values

    return read


def _object_reader(kind: Type, readers: Mapping[str, _Reader], *, exact: bool) -> _Reader:
    names = readers.keys()
    of_each = tuple(readers.items())

    def read(raw: Any) -> Any:
        if type(raw) is not dict:
            return _otherwise(raw, kind)
        if exact and raw.keys() != names:
            raise DecodeError(f"an object should have exactly the attributes {', '.join(sorted(names))}")
        values = {}
        try:
            for name, attribute in of_each:
                values[name] = attribute(raw.get(name))
        except DecodeError as error:
            error.put_inside(name)
            raise
        return values

    return read


def _number(raw: float | str | Decimal) -> int | Decimal | None:
    """A number without its loss: an ``int`` if it is whole, else a ``Decimal``; ``None`` if it is none."""
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


# ---- To the wire ----------------------------------------------------------------------------------------------------

_Writer = Callable[[Any], Any]
_UNKNOWN_ON_THE_WIRE = msgpack.ExtType(_EXTENSION_UNKNOWN, b"\0")


def _writer(kind: Type) -> _Writer:
    """How a value of a type is written."""
    match kind:
        case Primitive("string"):
            write: _Writer = lambda value: value if type(value) is str else _otherwise_written(value, kind)  # noqa: E731
        case Primitive("bool"):
            write = lambda value: value if type(value) is bool else _otherwise_written(value, kind)  # noqa: E731
        case Primitive():
            write = _number_writer(kind)
        case List(element):
            write = _list_writer(kind, _writer(element))
        case Map(element):
            write = _map_writer(kind, _writer(element))
        case Object(attributes):
            write = _object_writer(kind, {name: _writer(attributes[name]) for name in sorted(attributes)})
    return write


def _otherwise_written(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    if value is UNKNOWN:
        return _UNKNOWN_ON_THE_WIRE
    raise EncodeError(f"should be {describe(kind)}, is {type(value).__name__}")


def _number_writer(kind: Type) -> _Writer:
    def write(value: Any) -> Any:
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return _number_to_wire(value)
        return _otherwise_written(value, kind)

    return write


def _list_writer(kind: Type, element: _Writer) -> _Writer:
    def write(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return _otherwise_written(value, kind)
        written = []
        try:
            for each in value:
                written.append(element(each))  # noqa: PERF401 - how far it came is where an error is
        except EncodeError as error:
            error.put_inside(len(written))
            raise
        return written

    return write


def _map_writer(kind: Type, element: _Writer) -> _Writer:
    def write(value: Any) -> Any:
        if not (isinstance(value, Mapping) and all(isinstance(name, str) for name in value)):
            return _otherwise_written(value, kind)
        written = {}
        for name in sorted(value):
            try:
                written[name] = element(value[name])
            except EncodeError as error:
                error.put_inside(name)
                raise
        return written

    return write


def _object_writer(kind: Type, writers: Mapping[str, _Writer]) -> _Writer:
    names = writers.keys()
    of_each = tuple(writers.items())

    def write(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return _otherwise_written(value, kind)
        if value.keys() != names:
            raise EncodeError(_wrong_attributes(value, names))
        written = {}
        try:
            for name, attribute in of_each:
                written[name] = attribute(value[name])
        except EncodeError as error:
            error.put_inside(name)
            raise
        return written

    return write


def _wrong_attributes(value: Mapping[str, Any], names: AbstractSet[str]) -> str:
    missing = ", ".join(sorted(names - value.keys()))
    foreign = ", ".join(sorted(str(name) for name in value.keys() - names))
    found = [f"misses {missing}"] if missing else []
    found += [f"has {foreign}, which the schema does not"] if foreign else []
    return f"the object {' and '.join(found)}"


def _number_to_wire(value: float | Decimal) -> int | float | str:
    """The one way to write a number: 64 bits if they hold it exactly, else decimal text."""
    if isinstance(value, int) and value in _INT64:
        return value
    # The shortest spelling of a float is what its author means by it: 0.1 should equal the 0.1 of a configuration.
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if number.is_nan():
        raise EncodeError("should be a number, is not a number (NaN)")
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


# ---- Words for errors -----------------------------------------------------------------------------------------------


def describe(kind: Type) -> str:
    """A type in words."""
    match kind:
        case Primitive(name):
            return {"string": "text", "number": "a number", "bool": "true or false"}[name]
        case List():
            return "a list"
        case Map():
            return "a map"
        case Object():
            return "an object"


def _describe_raw(raw: Any) -> str:
    return {str: "text", bool: "true or false", list: "a list", dict: "a map", bytes: "bytes"}.get(
        type(raw), "a number" if isinstance(raw, int | float | Decimal) else f"a {type(raw).__name__}"
    )
