"""One configuration key of Kafka: which values it takes, and the text in which Kafka keeps a value."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Type = Literal["BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"]
"""Kafka's own type of a key: ``ConfigDef.Type``."""

Parsed = bool | int | float | str | tuple[str, ...]
"""A value as Kafka holds it after parsing; a list is a tuple."""

_BITS = {"SHORT": 16, "INT": 32, "LONG": 64}
# Java's String.trim drops everything up to the space; the separator of a list is Java's \s*,\s*.
_TRIMMED = "".join(map(chr, range(0x21)))
_SEPARATOR = re.compile(r"[ \t\n\x0b\f\r]*,[ \t\n\x0b\f\r]*")
# Python reads no text of thousands of digits, and no key takes as many.
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,40})")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_REPLICA = re.compile(r"([0-9]+:[0-9]+)?")
# Kafka's ConfigTransformer: ${provider:key} or ${provider:path:key}, anywhere in a value.
_REFERENCE = re.compile(r"\$\{([^}:]+):[^}]*\}")
# Java writes a double without an exponent between these two.
_PLAIN_FROM, _PLAIN_BELOW = 1e-3, 1e7


class Mismatch(ValueError):  # noqa: N818  # it names what it is, as the standard library's own StopIteration
    """A value that a key does not take.

    Attributes:
        rule: ``type``, ``range``, ``allowed`` or ``form``: which kind of demand it breaks.
        demand: What the key takes, to be read after "must be".
    """

    def __init__(self, rule: Literal["type", "range", "allowed", "form"], demand: str) -> None:
        super().__init__(f"must be {demand}")
        self.rule = rule
        self.demand = demand


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """One key, as Kafka 3.9 defines it."""

    name: str
    type: Type
    importance: Literal["high", "medium", "low"]
    default: str | None = None
    """In Kafka's own text; None means that the key is unset unless somebody sets it."""
    required: bool = False
    """Kafka does not start without it."""
    minimum: float | None = None
    """The smallest value, inclusive."""
    maximum: float | None = None
    """The largest value, inclusive."""
    also: tuple[int, ...] = ()
    """Single values outside minimum and maximum that are taken too, such as -1 for a library's own default."""
    allowed: tuple[str, ...] = ()
    """The only values, or the only elements of a list; empty means any."""
    ignore_case: bool = False
    """The allowed values, here in capitals, are taken in any case."""
    form: Literal["", "non-empty", "metadata-version", "throttled-replicas"] = ""
    """A demand on the text that is neither a range nor a choice."""
    metadata_versions: frozenset[str] = field(default=frozenset(), repr=False)
    """The versions that the form ``metadata-version`` knows."""
    broker_keys: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Broker keys that a topic falls back to, in the broker's order, each with what one unit of it is in units of
    this key: 3600000 for ``log.retention.hours``. Empty for a broker's own key."""
    update: Literal["read-only", "per-broker", "cluster-wide"] | None = None
    """Whether a running broker takes a new value; None for a key of topics."""
    internal: bool = False
    """Undocumented, for Kafka's own tests."""
    deprecated: bool = False
    """Removed in Kafka 4."""
    kraft: bool = False
    """Means something only where brokers run without ZooKeeper."""
    per_mechanism: bool = False
    """Stands under a SASL mechanism of a listener: ``listener.name.<listener>.<mechanism>.<key>``."""

    @property
    def sensitive(self) -> bool:
        """Kafka never shows the value, and neither must a message."""
        return self.type == "PASSWORD"

    def check(self, value: object) -> str | None:
        """None when Kafka takes the value, otherwise what the value must be."""
        try:
            self.parse(value)
        except Mismatch as mismatch:
            return str(mismatch)
        return None

    def parse(self, value: object) -> Parsed:
        """The value as Kafka would hold it.

        Text is taken as Kafka takes it (``ConfigDef.parseType``), apart from three forms that are mistakes in a
        declaration: hexadecimal or suffixed decimals, NaN, and digits of other scripts.

        Raises:
            Mismatch: Kafka would refuse it.
        """
        parsed = self._parse_type(value)
        match parsed:
            case bool():
                pass
            case int() | float():
                self._check_range(parsed)
            case str():
                self._check_text((parsed,))
                self._check_form(parsed)
            case tuple():
                self._check_text(parsed)
                if self.form == "non-empty" and not parsed:
                    raise Mismatch("form", "a list that is not empty")
                self._check_replicas(parsed)
        return parsed

    def _parse_type(self, value: object) -> Parsed:
        text = value.strip(_TRIMMED) if isinstance(value, str) else None
        match self.type:
            case "BOOLEAN":
                return self._parse_boolean(value, text)
            case "SHORT" | "INT" | "LONG":
                return self._parse_integer(value, text)
            case "DOUBLE":
                return self._parse_decimal(value, text)
            case "LIST":
                return self._parse_list(value, text)
            case "CLASS" if not text:
                raise Mismatch("type", "the name of a Java class")
            case _:
                return self._parse_text(value, text)

    def _parse_text(self, value: object, text: str | None) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if text is None:
            raise Mismatch("type", "text")
        return text

    def _parse_boolean(self, value: object, text: str | None) -> bool:
        if isinstance(value, bool):
            return value
        if text is not None and text.lower() in {"true", "false"}:
            return text.lower() == "true"
        raise Mismatch("type", "true or false")

    def _parse_integer(self, value: object, text: str | None) -> int:
        bits = _BITS[self.type]
        if text is not None and (found := _INTEGER.fullmatch(text)):
            number = int(found[1] + found[2])
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        else:
            raise Mismatch("type", f"a whole number{self._range}")
        if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
            raise Mismatch("range", f"a whole number of {bits} bits{self._range}")
        return number

    def _parse_decimal(self, value: object, text: str | None) -> float:
        if (text is not None and _DECIMAL.fullmatch(text)) or (
            isinstance(value, int | float) and not isinstance(value, bool)
        ):
            try:
                number = float(text if text is not None else value)  # type: ignore[arg-type]  # the branch above
            except OverflowError:  # a whole number of hundreds of digits
                number = math.inf
            if math.isfinite(number):
                return number
        raise Mismatch("type", f"a decimal number{self._range}")

    def _parse_list(self, value: object, text: str | None) -> tuple[str, ...]:
        if text is not None:
            return tuple(_SEPARATOR.split(text)) if text else ()
        if isinstance(value, list | tuple) and all(
            isinstance(element, str) and "," not in element for element in value
        ):
            return tuple(element.strip(_TRIMMED) for element in value)
        raise Mismatch("type", "a list of texts, or text with commas in between")

    @property
    def _range(self) -> str:
        if self.minimum is None and self.maximum is None:
            return ""
        if self.maximum is None:
            bounds = f" of at least {self.minimum}"
        elif self.minimum is None:
            bounds = f" of at most {self.maximum}"
        else:
            bounds = f" between {self.minimum} and {self.maximum}"
        return bounds + "".join(f", or {value}" for value in self.also)

    def _check_range(self, number: float) -> None:
        below = self.minimum is not None and number < self.minimum
        above = self.maximum is not None and number > self.maximum
        if (below or above) and number not in self.also:
            raise Mismatch("range", f"a {'decimal' if self.type == 'DOUBLE' else 'whole'} number{self._range}")

    def _check_text(self, elements: tuple[str, ...]) -> None:
        if not self.allowed:
            return
        if any((element.upper() if self.ignore_case else element) not in self.allowed for element in elements):
            choices = ", ".join(self.allowed)
            raise Mismatch("allowed", f"a list of any of {choices}" if self.type == "LIST" else f"one of {choices}")

    def _check_form(self, text: str) -> None:
        if self.form == "non-empty" and not text:
            raise Mismatch("form", "non-empty text")
        if self.form == "metadata-version":
            # MetadataVersion.fromVersionString: before 1.0 a release had three segments, since then two.
            segments = text.split(".")[: 3 if text.startswith("0.") else 2]
            if ".".join(segments) not in self.metadata_versions:
                raise Mismatch("form", "a version of Kafka, such as 3.9")

    def _check_replicas(self, elements: tuple[str, ...]) -> None:
        if self.form != "throttled-replicas" or "".join(elements) == "*":
            return
        if not all(_REPLICA.fullmatch(element) for element in elements):
            raise Mismatch("form", "* or a list of partition:broker")


def canonical(definition: Definition, value: object) -> str:
    """The text in which Kafka stores and describes a value: ``True`` is ``true``, ``" delete , compact"`` is trimmed.

    Two texts mean the same to Kafka exactly when their canonical texts are equal; compare the canonical text of both
    sides, since older Java releases write some decimals with more digits.

    Raises:
        Mismatch: Kafka would refuse the value.
    """
    parsed = definition.parse(value)
    match parsed:
        case bool():
            return "true" if parsed else "false"
        case float():
            return _java_double(parsed)
        case tuple():
            return ",".join(parsed)
        case _:
            return str(parsed)


def spelled(definition: Definition | None, value: object) -> str:
    """The canonical text where there is one; of a value that Kafka would refuse, or of an unknown key, its own text."""
    try:
        if definition is not None:
            return canonical(definition, value)
    except Mismatch:
        pass
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def is_same(definition: Definition | None, one: object, other: object) -> bool:
    """Whether two values mean the same to Kafka, however each is written: ``08`` and 8, ``5e-1`` and ``0.50``."""
    first, second = spelled(definition, one), spelled(definition, other)
    if definition is None or first == second:
        return first == second
    if definition.ignore_case:
        return first.upper() == second.upper()
    return definition.type == "DOUBLE" and _is_number(first) and _is_number(second) and float(first) == float(second)


def is_reference(value: object) -> bool:
    """Whether a value names a place from which a broker's config provider takes it: ``${file:/path/to/file:key}``."""
    return isinstance(value, str) and bool(_REFERENCE.search(value))


def providers_named(value: object) -> frozenset[str]:
    """The config providers that the references in a value name: ``file``."""
    return frozenset(_REFERENCE.findall(value)) if isinstance(value, str) else frozenset()


def _is_number(text: str) -> bool:
    return bool(_DECIMAL.fullmatch(text))


def _java_double(number: float) -> str:
    """``Double.toString``: plain between 0.001 and 10 million, otherwise one digit before the point and an exponent."""
    size = abs(number)
    if size == 0 or _PLAIN_FROM <= size < _PLAIN_BELOW:
        return repr(number)
    mantissa, _, exponent = repr(size).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return f"{'-' if number < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{point - 1}"
