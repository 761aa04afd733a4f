"""A Kubernetes quantity, a duration and a throughput: types of their own, compared by value, printed as written.

``Quantity("1024Mi") == Quantity("1Gi")`` holds, and each prints what its author wrote: a plan that rewrites a user's
own words shows a difference where there is none.
"""

import re
from decimal import Decimal
from functools import total_ordering
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


_WHOLE = re.compile(r"([+-]?)0*([0-9]{1,19})")
# Java's String.trim, which Kafka applies to what it reads, drops everything up to the space.
_TRIMMED = "".join(map(chr, range(0x21)))


def whole(text: str) -> int | None:
    """The whole number that a text is to Kafka and Kubernetes, which take ASCII digits alone; None if it is none."""
    found = _WHOLE.fullmatch(text.strip(_TRIMMED))
    return int(found[1] + found[2]) if found else None


class MeasureError(ValueError):
    """A text is not of the form that a quantity, a duration or a throughput has."""


@total_ordering
class Measure:
    """A number with a unit, kept as written.

    Attributes:
        text: exactly what was written, without surrounding white space.
        value: its exact value in the unit of the subclass.

    Raises:
        MeasureError: the text is not of the subclass's form; the message shows the form and examples.
    """

    __slots__ = ("text", "value")

    pattern: ClassVar[re.Pattern[str]]
    form: ClassVar[str]

    text: str
    value: Decimal

    def __init__(self, text: "str | float | Measure") -> None:
        text = _written(text)
        if not self.pattern.fullmatch(text):
            meant = " or ".join(each for each in self._meant(text) if self.pattern.fullmatch(each))
            raise MeasureError(f"{text!r} is not {self.form}" + (f": declare {meant}" if meant else ""))
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "value", self._value(text))

    @classmethod
    def _value(cls, text: str) -> Decimal:
        raise NotImplementedError

    @classmethod
    def _meant(cls, text: str) -> "Iterable[str]":
        """What was probably meant by a text that is not of the form."""
        return ("".join(text.split()),)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be set to {value!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted")

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if type(other) is type(self) else NotImplemented

    def __lt__(self, other: Self) -> bool:
        return self.value < other.value if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.value))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema  # noqa: PLC0415 - the provider measures claims and has no model

        def parse(given: object) -> Measure:
            if isinstance(given, cls):
                return given
            if isinstance(given, bool) or not isinstance(given, (str, int, float)):
                raise ValueError(f"{given!r} is not {cls.form}")  # noqa: TRY004 - pydantic collects ValueError alone
            return cls(given)

        return core_schema.no_info_plain_validator_function(
            parse,
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> "JsonSchemaValue":
        return {"type": "string", "pattern": f"^(?:{cls.pattern.pattern})$", "description": f"{cls.form}"}


def _written(value: "str | float | Measure") -> str:
    """A number as people write it: 2.0 is 2."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_DECIMAL = {
    suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
}


# A number and a unit as people write them: 10GB, 10 gib, 512 megabytes are left, 2 cores.
_UNIT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgtpe]?)(i?b?|i?bytes?|cores?|cpus?)", re.ASCII | re.IGNORECASE)
_THOUSANDS = re.compile(r",[0-9]{3}(?![0-9])")


class Quantity(Measure):
    """A Kubernetes resource quantity: ``"500m"`` cores, ``"10Gi"`` bytes.

    Source of the grammar: Kubernetes API reference, ``resource.Quantity``. Negative quantities are left out: nothing
    in a declaration can be less than nothing.
    """

    __slots__ = ()

    pattern = re.compile(r"\+?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?")
    form = "a Kubernetes quantity (a number and a suffix, such as 500m, 2, 512Mi, 10Gi)"

    @classmethod
    def _value(cls, text: str) -> Decimal:
        number = text.rstrip("KMGTPEinumk")
        suffix = text[len(number) :]
        return Decimal(number) * (_BINARY.get(suffix) or _DECIMAL[suffix])

    @classmethod
    def _meant(cls, text: str) -> "Iterable[str]":
        found = _UNIT.fullmatch(text.replace(",", ".") if not _THOUSANDS.search(text) else "")
        if found is None:
            return ()
        number, unit, rest = found[1], found[2], found[3].lower()
        close = f"{number}{unit}{found[3]}"
        if cls.pattern.fullmatch(close):
            return (close,)
        if not unit:
            return (number,)
        binary = f"{number}{unit.upper()}i"
        return (binary,) if rest.startswith("i") else (binary, f"{number}{'k' if unit in 'kK' else unit.upper()}")

    @classmethod
    def of_bytes(cls, count: int) -> Self:
        """The quantity of that many bytes, in the largest binary unit that divides it."""
        unit = ""
        for suffix, factor in _BINARY.items():
            if count == 0 or count % int(factor):
                break
            unit = suffix
        return cls(f"{count // int(_BINARY[unit]) if unit else count}{unit}")

    @property
    def bytes(self) -> int:
        """The value in bytes, rounded up to a whole one as Kubernetes does."""
        return int(self.value.to_integral_value(rounding="ROUND_CEILING"))

    @property
    def mebibytes(self) -> int:
        """The value in whole MiB, rounded down."""
        return self.bytes // 1024**2

    @property
    def java(self) -> str:
        """The value as ``-Xmx`` takes it, in whole MiB: ``1024m``."""
        return f"{self.mebibytes}m"


_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
    "w": Decimal(604800),
}


_UNIT_OF_TIME = {
    "milliseconds?|millis|msecs?": "ms",
    "weeks?": "w",
    "days?": "d",
    "hours?|hrs?": "h",
    "minutes?|mins?": "m",
    "seconds?|secs?": "s",
}


class Duration(Measure):
    """A length of time: ``"7d"``, ``"90m"``, ``"1h30m"``, ``"500ms"``."""

    __slots__ = ()

    pattern = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?w)?(?:[0-9]+(?:\.[0-9]+)?d)?(?:[0-9]+(?:\.[0-9]+)?h)?"
                         r"(?:[0-9]+(?:\.[0-9]+)?m)?(?:[0-9]+(?:\.[0-9]+)?s)?(?:[0-9]+ms)?(?<=[wdhms])")  # fmt: skip
    form = "a duration (numbers with w, d, h, m, s or ms, largest first, such as 7d, 1h30m, 500ms)"

    @classmethod
    def _value(cls, text: str) -> Decimal:
        parts = re.findall(r"([0-9.]+)(ms|[wdhms])", text)
        return sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0))

    @classmethod
    def _meant(cls, text: str) -> "Iterable[str]":
        close = "".join(text.lower().split())
        for word, unit in _UNIT_OF_TIME.items():
            close = re.sub(rf"(?<=[0-9])(?:{word})", unit, close)
        return (f"{close}d", f"{close}s") if whole(close) is not None else (close,)

    @property
    def seconds(self) -> Decimal:
        """The value in seconds, exactly."""
        return self.value

    @property
    def milliseconds(self) -> int:
        """The value in milliseconds, rounded up: the unit of Kafka's ``*.ms`` entries."""
        return int((self.value * 1000).to_integral_value(rounding="ROUND_CEILING"))


_BYTES = {unit: _DECIMAL[unit] for unit in ("", "k", "M", "G", "T")} | {
    unit: _BINARY[unit] for unit in ("Ki", "Mi", "Gi", "Ti")
}


class Throughput(Measure):
    """Bytes in a second: ``"25MB/s"`` (10⁶ bytes), ``"100MiB/s"`` (2²⁰ bytes), ``"800kB/s"``."""

    __slots__ = ()

    pattern = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?((?:[KMGT]i|[kMGT])?)B/s")
    form = "a throughput (a number and B/s, kB/s, MB/s, GB/s, KiB/s, MiB/s or GiB/s, such as 25MB/s)"

    @classmethod
    def _value(cls, text: str) -> Decimal:
        number, unit = cls.pattern.fullmatch(text).groups()  # type: ignore[union-attr] # the caller matched it
        return Decimal(number) * _BYTES[unit]

    @classmethod
    def _meant(cls, text: str) -> "Iterable[str]":
        return ("".join(text.split()).replace("KB", "kB").replace("Bps", "B/s"),)

    @property
    def bytes_per_second(self) -> Decimal:
        """The value in bytes a second, exactly."""
        return self.value
