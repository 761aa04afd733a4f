"""The values of a release as Helm reads and merges them: its YAML, its ``--set``, its defaults.

Held against the ``helm`` command by ``tests/review/test_helm_values.py``. Where Helm's YAML is not everybody's: it is
that of Go's ``yaml.v2`` turned into JSON, so that ``y`` and ``on`` are true, ``0777`` is 511, ``1:30`` is a text, every
number is a double, every key is a text, and only the first document of a text counts.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_NODES = 100_000
"""Values of a document, those behind aliases counted each time: a few lines of YAML can stand for billions."""
MOST_DEPTH = 100
"""Levels of a document. No chart has ten."""
_MOST_NAMES = 30
"""Helm's ``MaxNestedNameLevel``."""
_MOST_ITEMS = 65_536
"""Helm's ``MaxIndex``."""


class UnreadableValuesError(ValueError):
    """Helm refuses these values, or they cannot be read. The message repeats nothing of them."""


_WORDS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_NO_NUMBERS = frozenset((".nan", ".NaN", ".NAN", *(f"{s}.{i}" for s in ("", "+", "-") for i in ("inf", "Inf", "INF"))))
_WHOLE = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))", re.ASCII)
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_EXACT = 2**53
"""Up to here a double has every whole number."""
_PREFIX = "tag:yaml.org,2002:"


@lru_cache(maxsize=256)
def read(text: str) -> dict[str, Any]:
    """A document of values; nobody may change it, as it is remembered.

    Raises:
        UnreadableValuesError: It is no YAML, no map, or too much.
    """
    try:
        found = _Document(yaml.parse(text, Loader=_LOADER)).read()
    except yaml.MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UnreadableValuesError(f"it is not YAML{where}") from None
    except (yaml.YAMLError, UnicodeError):
        raise UnreadableValuesError("it is not YAML: it has characters that YAML does not allow") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UnreadableValuesError(f"it is a {'list' if isinstance(found, list) else 'single value'} and not a map")
    return found


class _Document:
    """The first document of a stream of YAML events."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, Any] = {}
        self._open: set[str] = set()
        self._size: dict[int, int] = {}
        self._nodes = 0

    def read(self) -> Any:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if event.version not in (None, (1, 1)):
                    raise UnreadableValuesError("it says that it is of another version of YAML than 1.1")
                return self._node(next(self._events), 0)
        return None

    def _node(self, event: Any, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise UnreadableValuesError(f"it has more than {MOST_DEPTH} levels")
        self._count(1)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self._open:
                raise UnreadableValuesError("one of its anchors contains itself")
            if event.anchor not in self._anchors:
                raise UnreadableValuesError("one of its aliases has no anchor")
            value, size = self._anchors[event.anchor]
            self._count(size)
            return value
        before = self._nodes
        if event.anchor:
            self._open.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            _check_tag(event, "seq")
            value = self._sequence(depth)
        else:
            _check_tag(event, "map")
            value = self._mapping(depth)
        if event.anchor:
            self._open.discard(event.anchor)
            self._anchors[event.anchor] = value, self._nodes - before
        return value

    def _sequence(self, depth: int) -> list[Any]:
        found = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._node(event, depth + 1))
        return found

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            merges = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if merges:
                for each in value if isinstance(value, list) else [value]:
                    if not isinstance(each, dict):
                        raise UnreadableValuesError("it merges (<<) something that is not a map")
                # The first of a list wins; what stands before the merge does not.
                for each in reversed(value) if isinstance(value, list) else [value]:
                    found.update(each)
            else:
                found[_key(key)] = value
        return found

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise UnreadableValuesError(f"it has more than {MOST_NODES:,} values")


def _check_tag(event: Any, kind: str) -> None:
    if event.tag not in (None, "!", _PREFIX + kind):
        raise UnreadableValuesError("it has a tag that says of which type a value is")


def _scalar(event: Any) -> Any:
    tag, text = event.tag, event.value
    if tag is None:
        return resolved(text) if event.implicit[0] else text
    if tag == _PREFIX + "str" or not tag.startswith(_PREFIX):
        return text
    raise UnreadableValuesError("it has a tag that says of which type a value is")


def resolved(text: str) -> Any:
    """What a plain scalar is to Helm.

    Raises:
        UnreadableValuesError: It is no number that JSON has.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text in _NO_NUMBERS:
        raise UnreadableValuesError("one of its numbers is infinite, or none")
    if text[0] in "+-.0123456789":
        plain = text.replace("_", "")
        if found := _WHOLE.fullmatch(plain):
            digits = next((each, base) for each, base in zip(found.groups()[1:], (16, 2, 8, 10), strict=True) if each)
            value = int(*digits) * (-1 if found[1] == "-" else 1)
            if -(2**63) <= value < 2**64:
                return _number(float(value))
        if _FRACTION.fullmatch(plain) and (text[0] != "." or text[1] != "_"):
            return _double(plain)
    return text


def _double(text: str) -> int | float | str:
    value = float(text)
    # Go says that it is out of range, and takes it for a text.
    return text if value in (float("inf"), float("-inf")) else _number(value)


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value


def _key(key: Any) -> str:
    if key is None or isinstance(key, dict | list):
        raise UnreadableValuesError("one of its keys is not a text")
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, float) or (isinstance(key, int) and abs(key) > _EXACT):
        raise UnreadableValuesError("one of its keys is a number")
    return str(key)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two documents of values: maps are merged, all else is replaced; null stays, to take away a default later.

    Source: ``mergeMaps`` of Terraform's helm provider.
    """
    found = dict(base)
    for key, value in over.items():
        there = found.get(key)
        found[key] = merged(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return found


def effective(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Values over a chart's defaults, as its templates see them: null takes a default away.

    Source: Helm's ``CoalesceValues``. A null of a key that has no default stays a null to some versions of Helm, and is
    left out by others; here it is left out.
    """
    return _without_nulls(merged(defaults, values))


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


def reused(values: Mapping[str, Any], former: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an upgrade with ``reuse_values``: over all that the release had, its former defaults included.

    A null takes nothing away, as what it would take away comes back from what the release had.

    Source: Helm's ``Upgrade.reuseValues``.
    """
    return merged(former, _without_nulls(values))


def _as_it_is(value: Any) -> Any:
    return value


def put(values: dict[str, Any], name: str, value: str, *, text: bool, wrap: Callable[[Any], Any] = _as_it_is) -> None:
    r"""What ``--set NAME=VALUE`` does to values, or ``--set-string``.

    Args:
        values: They are changed.
        name: With dots between keys, ``\.`` for a dot in a key, and ``[0]`` for an item of a list.
        value: A comma that is not escaped begins another name.
        text: Whether every value stays a text.
        wrap: Around each value that is put.

    Raises:
        UnreadableValuesError: Helm refuses it.
    """
    _Setting(f"{name}={value}", text=text, wrap=wrap).into(values)


def put_literal(values: dict[str, Any], name: str, value: str, *, wrap: Callable[[Any], Any] = _as_it_is) -> None:
    """What an entry of type ``literal`` does to values: the name is one key, whatever it has in it.

    Raises:
        UnreadableValuesError: Helm refuses it.
    """
    values[name] = wrap(read(f"{name}: {value}").get(name))


class _EndError(Exception):
    """Go's ``io.EOF``."""


class _Setting:
    """Helm's ``strvals``: a small language of its own."""

    def __init__(self, line: str, *, text: bool, wrap: Callable[[Any], Any]) -> None:
        self._line = line
        self._at = 0
        self._text = text
        self._wrap = wrap

    def into(self, values: dict[str, Any]) -> None:
        try:
            while True:
                self._name(values, 0)
        except _EndError:
            return

    def _until(self, stop: str) -> tuple[str, str]:
        """What stands before one of these characters, and which; at the end of the line it is none."""
        found: list[str] = []
        while self._at < len(self._line):
            character = self._line[self._at]
            self._at += 1
            if character in stop:
                return "".join(found), character
            if character == "\\":
                if self._at >= len(self._line):
                    break
                character = self._line[self._at]
                self._at += 1
            found.append(character)
        return "".join(found), ""

    def _name(self, values: dict[str, Any], level: int) -> None:
        key, last = self._until("=[,.")
        if not last:
            if key:
                raise UnreadableValuesError("a name has no value")
            raise _EndError
        if last == ",":
            raise UnreadableValuesError("a name has no value")
        if last == "[":
            index = self._index()
            there = values.get(key, [])
            if not isinstance(there, list):
                raise UnreadableValuesError("a name has an index, and what is there is not a list")
            items = list(there)
            try:
                items = self._item(items, index, level)
            finally:
                self._put(values, key, items)
        elif last == "=":
            self._value(lambda value: self._put(values, key, value))
        else:
            self._below(values, key, level + 1)

    def _below(self, values: dict[str, Any], key: str, level: int) -> None:
        if level > _MOST_NAMES:
            raise UnreadableValuesError(f"a name has more than {_MOST_NAMES} levels")
        inner = values.get(key, {})
        if not isinstance(inner, dict):
            raise UnreadableValuesError("a name goes below something that is not a map")
        inner = dict(inner)
        try:
            self._name(inner, level)
        except _EndError:
            if inner:
                self._put(values, key, inner)
            raise
        if not inner:
            raise UnreadableValuesError("a name has no value")
        self._put(values, key, inner)

    def _value(self, put: Callable[[Any], None]) -> None:
        if self._at >= len(self._line):
            put(self._wrap(""))
            raise _EndError
        if self._line[self._at] != "{":
            put(self._wrap(self._typed(self._until(",")[0])))
            return
        self._at += 1
        items = []
        while True:
            item, last = self._until(",}")
            if not last:
                raise UnreadableValuesError("a list does not end with }")
            items.append(self._wrap(self._typed(item)))
            if last == "}":
                break
        if self._at < len(self._line) and self._line[self._at] == ",":
            self._at += 1
        put(items)

    def _index(self) -> int:
        digits, last = self._until("]")
        if not last or not re.fullmatch(r"[+-]?[0-9]+", digits, re.ASCII) or len(digits) > len(str(_MOST_ITEMS)):
            raise UnreadableValuesError("a name has an index that is not a number")
        index = int(digits)
        if not 0 <= index <= _MOST_ITEMS:
            raise UnreadableValuesError(f"a name has an index that is not between 0 and {_MOST_ITEMS:,}")
        return index

    def _item(self, items: list[Any], index: int, level: int) -> list[Any]:
        extra, last = self._until("[.=")
        if extra or not last:
            raise UnreadableValuesError("a name has something after an index")
        there = items[index] if index < len(items) else None
        found: list[Any] = []
        if last == "=":
            with contextlib.suppress(_EndError):
                self._value(found.append)
        elif last == "[":
            if there is not None and not isinstance(there, list):
                raise UnreadableValuesError("a name has an index, and what is there is not a list")
            found.append(self._item(list(there or []), self._index(), level))
        else:
            inner = dict(there) if isinstance(there, dict) else {}
            # Helm forgets an empty value of a new item.
            if index < len(items):
                items[index] = inner
            self._name(inner, level)
            found.append(inner)
        items.extend([None] * (index + 1 - len(items)))
        items[index] = found[0]
        return items

    def _put(self, values: dict[str, Any], key: str, value: Any) -> None:
        if key:
            values[key] = value

    def _typed(self, value: str) -> Any:
        if self._text:
            return value
        lower = value.lower()
        if lower in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[lower]
        if value == "0" or (value[:1] != "0" and re.fullmatch(r"[+-]?[0-9]{1,30}", value, re.ASCII)):
            number = int(value)
            return number if -(2**63) <= number < 2**63 else value
        return value
