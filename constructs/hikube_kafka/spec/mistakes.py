"""Values that a model does not take, in words: of another type, out of range, misspelt, missing, or not known yet."""

import re
import reprlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.quantities import Duration, Quantity

if TYPE_CHECKING:
    from pydantic import ValidationError

Path = tuple[str | int, ...]
Fields = Callable[[Path], tuple[str, Sequence[str]]]

VALUE_TYPE = Rule(
    id="value-type",
    severity="error",
    message="{field} = {value} is not {wanted}.",
    why="It cannot be told what was meant.",
    remedy="Declare {instead}.",
    remedy_in_general="Declare a value of the field's type.",
)
VALUE_RANGE = Rule(
    id="value-range",
    severity="error",
    message="{field} = {value} is {beyond}.",
    why="Nothing can be delivered with such a value.",
    remedy="Declare {instead}.",
    message_in_general="the value is outside the field's range.",
    remedy_in_general="Declare a value within the range.",
)
VALUE_FORM = Rule(
    id="value-form",
    severity="error",
    message="{field}: {reason}.",
    why="It cannot be told what was meant, or nothing can be delivered with it.",
    remedy="{instead}.",
    message_in_general="the value is not of the form that the field takes.",
    remedy_in_general="Write a value of that form.",
)
VALUE_UNKNOWN = Rule(
    id="value-known-at-synth",
    severity="error",
    message="{field} is a reference to a value that is known only at apply, and it must be known at synth.",
    why="Which resources there are, their names, and what the rules and the contract say follows from it.",
    remedy="Declare the value itself: to choose it outside of the code, read it from os.environ or from the context of "
    "the app.",
)
FIELD_UNKNOWN = Rule(
    id="field-unknown",
    severity="error",
    message="{model} has no field {field}.",
    why="A misspelt field that is dropped becomes a cluster that differs from what was declared.",
    remedy="{instead}",
    remedy_in_general="Write the field that was meant: the nearest is named.",
)
FIELD_MISSING = Rule(
    id="field-missing",
    severity="error",
    message="{field} is not declared.",
    why="It has no default.",
    remedy="Declare it: {model}({field}=...).",
)
FIELD_UNNAMED = Rule(
    id="field-unnamed",
    severity="error",
    message="{value} is given without the name of its field.",
    why="Which field is meant by a value without a name changes with the order of the fields.",
    remedy="{instead}",
    remedy_in_general="Write the name before the value.",
)


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One value that a model does not take."""

    rule: Rule
    path: Path = ()
    """Where in the model: ``("config", "retention.ms")``; empty for the model as a whole."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the texts of the rule name."""

    def problem(self, where: str) -> Problem:
        """The mistake as a problem of what was declared there."""
        return self.rule(where, path=self.path, **{"field": spelled(self.path), **self.facts})


def spelled(path: Path) -> str:
    """The path as it is written: ``config["retention.ms"]``, ``topics[1]``, ``storage.size``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.isidentifier():
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else part
    return text


def is_reference(value: object) -> bool:
    """Whether the value is a reference of the CDK's, or of Terraform's, in any of the ways in which one is carried.

    The CDK carries references in ordinary values: a text with a mark, a list or a mapping with such a text, or a number
    that nobody declares.
    """
    if isinstance(value, str):
        # Kafka has ${...} as well, with a colon for its config providers, or with none of Terraform's names in it.
        return "TfToken[" in value or bool(re.search(r"\$\{(var|local|data|module|each|count|[a-z0-9]+_\w+)\.", value))
    if isinstance(value, bool | int):
        return False
    if isinstance(value, float):
        return struct.pack(">d", value).startswith(_NUMBER_MARK)
    if isinstance(value, Mapping):
        return any(is_reference(key) for key in value)
    if isinstance(value, list | tuple):
        return len(value) == 1 and is_reference(value[0])
    return callable(getattr(value, "resolve", None)) and hasattr(value, "creation_stack")


def stands_for_all(value: Iterable[str]) -> bool:
    """Whether it is a list or a mapping of the CDK's with one mark in place of all entries, which nobody knows yet."""
    return any(mark in each for each in value if isinstance(each, str) for mark in _MARKS_OF_ALL)


_MARKS_OF_ALL = ("#{TfToken[", "&{TfToken[")
_NUMBER_MARK = b"\xfd\xff"
"""The first two bytes of a number that stands for a reference. Source: the CDK's ``tokens/private/encoding``."""


def shown(value: object, *, path: Path = ()) -> str:
    """The value as it was written, shortened; what may be a secret is not shown."""
    if _secret(path):
        return "(not shown)"
    if isinstance(value, type):
        return value.__name__
    # An object that does not say what it is says where it is.
    return f"{type(value).__name__}(...)" if type(value).__repr__ is object.__repr__ else _SHOWN.repr(value)


def _secret(path: Path) -> bool:
    return any(
        isinstance(part, str)
        and re.search(r"password|passwd|passphrase|secret|token|credential|jaas|client_key|\bkey\b", part)
        for part in path
    )


_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60


def of_errors(
    errors: Sequence[Mapping[str, Any]], given: Mapping[str, Any], model: str, *, fields: Fields
) -> list[Mistake]:
    """What pydantic says, in our words, each once: of a value that fits no member of a union it says several things.

    Args:
        errors: as :meth:`pydantic.ValidationError.errors` has them.
        given: what the model was given.
        model: its name.
        fields: the name and the fields of the model that is at a place in this one.
    """
    by_path: dict[Path, list[Mapping[str, Any]]] = {}
    for error in errors:
        each = _of_one_for_several(given, error)
        by_path.setdefault(_within(given, each), []).append(each)
    found = [_of(path, each, model, fields) for path, each in by_path.items()]
    meant = {(*each.path[:-1], each.facts.get("meant")) for each in found if each.rule is FIELD_UNKNOWN}
    return [each for each in found if each.rule is not FIELD_MISSING or each.path not in meant]


def _of_one_for_several(given: Mapping[str, Any], error: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model in place of a list of models: pydantic takes it for a list of its fields."""
    place = error["loc"]
    alone = given.get(place[0]) if len(place) > 1 and isinstance(place[1], int) else None
    if hasattr(type(alone), "model_fields"):
        return {"type": "tuple_type", "loc": place[:1], "input": alone}
    return error


def _within(given: Mapping[str, Any], error: Mapping[str, Any]) -> Path:
    """The part of an error's place that the author wrote: pydantic adds names of types and of its own functions."""
    path: list[str | int] = []
    here: Any = given
    for part in error["loc"]:
        if (isinstance(here, Mapping) and part in here) or (
            isinstance(part, int) and isinstance(here, list | tuple) and part < len(here)
        ):
            here = here[part]
        elif error["type"] == "missing" and part == error["loc"][-1]:
            pass
        elif not path:  # a field that was left out, or is called otherwise by its author
            here = None
        else:
            continue
        path.append(part)
    return tuple(path)


def _of(path: Path, errors: Sequence[Mapping[str, Any]], model: str, fields: Fields) -> Mistake:
    error = errors[0]
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing" and path:
        return Mistake(rule=FIELD_MISSING, path=path, facts={"model": fields(path[:-1])[0]})
    if kind == "extra_forbidden" and path:
        return unknown_field(path, *fields(path[:-1]))
    if path and is_reference(value):
        return Mistake(rule=VALUE_UNKNOWN, path=path)
    facts: dict[str, Any] = {"value": shown(value, path=path)}
    if path and kind in _BOUNDS:
        key, beyond, instead = _BOUNDS[kind]
        bound = context[key]
        return Mistake(
            rule=VALUE_RANGE,
            path=path,
            facts=facts | {"beyond": beyond.format(f"{bound:g}"), "instead": instead.format(f"{bound:g}")},
        )
    wanted = _wanted(errors, path, value) if path else None
    if wanted is not None:
        return Mistake(rule=VALUE_TYPE, path=path, facts=facts | {"wanted": wanted[0], "instead": wanted[1]})
    return _other(path, error, model)


_BOUNDS = {
    "greater_than_equal": ("ge", "less than {}", "at least {}"),
    "greater_than": ("gt", "not more than {}", "more than {}"),
    "less_than_equal": ("le", "more than {}", "at most {}"),
    "less_than": ("lt", "not less than {}", "less than {}"),
}


def _wanted(errors: Sequence[Mapping[str, Any]], path: Path, value: object) -> tuple[str, str] | None:
    """What the field takes, and what to declare; None if something else is wrong than the type."""
    kinds = {error["type"] for error in errors}
    if len(errors) > 1 and "string_type" in kinds:
        instead = "one of those, or leave the entry out"
        if isinstance(value, Duration | Quantity):
            instead = f"its number: {value!r}.{'milliseconds' if isinstance(value, Duration) else 'bytes'}"
        if isinstance(value, list | tuple):
            instead = "one text, with commas" if _secret(path) else f'one text: "{",".join(map(str, value))}"'
        return "a text, a number or a truth value", instead
    context: Mapping[str, Any] = next((error["ctx"] for error in errors if "ctx" in error), {})
    if kinds in ({"bool_parsing", "literal_error"}, {"bool_type", "literal_error"}):
        return f"True, False or {context['expected']}", "one of them"
    name = str(context.get("class_name") or context.get("class"))
    expected = str(context.get("expected")).replace(" or ", ", ")
    facts = {
        "field": path[-1],
        "number": 9092 if str(path[-1]).endswith("port") else 3,
        "name": name,
        "a_name": f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}",
        "expected": f"one of {expected}" if "," in expected else expected,
        "them": "one of them" if "," in expected else "that",
    }
    for known, (wanted, instead) in _WANTED.items():
        if kinds & known:
            # A class stands where an instance of it was meant.
            called = f"{value.__name__}(...)" if isinstance(value, type) else instead.format(**facts)
            return wanted.format(**facts), _INSTANCES.get(name, called) if called == f"{name}(...)" else called
    return None


_WANTED: Mapping[frozenset[str], tuple[str, str]] = {
    frozenset({"int_type", "int_parsing", "int_from_float", "int_parsing_size", "finite_number"}): (
        "a whole number",
        "one, such as {number}",
    ),
    frozenset({"float_type", "float_parsing"}): ("a number", "one, such as 0.5"),
    frozenset({"bool_type", "bool_parsing"}): ("True or False", "True or False"),
    frozenset({"string_type", "string_sub_type"}): ("a text", 'a text: {field}="..."'),
    frozenset({"model_type", "model_attributes_type", "is_instance_of", "model_class_type"}): (
        "{a_name}",
        "{name}(...)",
    ),
    frozenset({"tuple_type", "list_type", "iterable_type"}): ("a list", "a list: {field}=[...]"),
    frozenset({"mapping_type", "dict_type"}): ("a mapping of keys to values", "a mapping: {field}={{...}}"),
    frozenset({"enum", "literal_error"}): ("{expected}", "{them}"),
}
"""What a field takes, and what to declare, by what pydantic calls the error."""


_INSTANCES = {"Target": "LocalTarget(), or KubernetesTarget(namespace=...)"}
"""What to declare of a class that nobody calls itself."""


def _other(path: Path, error: Mapping[str, Any], model: str) -> Mistake:
    kind = error["type"]
    reason = str(error.get("ctx", {}).get("error") or error["msg"])
    if kind in {"string_too_short", "too_short"}:
        reason = "it is empty: declare at least one" if kind == "too_short" else "it is empty: declare it"
    elif kind not in {"value_error", "assertion_error"}:
        reason = f"{shown(error['input'], path=path)}: {reason[:1].lower()}{reason[1:]}"
    # A validator's own words may end with what to do.
    told = re.fullmatch(r"(.*): ((?:declare|write|choose|keep|use) .*)", reason.rstrip("."), re.DOTALL)
    reason, instead = told.groups() if told else (reason.rstrip("."), "correct it")
    return Mistake(
        rule=VALUE_FORM,
        path=path,
        facts={"reason": reason, "instead": f"{instead[:1].upper()}{instead[1:]}"} | ({} if path else {"field": model}),
    )


def unknown_field(path: Path, model: str, fields: Sequence[str]) -> Mistake:
    """A field that the model does not have."""
    from hikube_kafka.spec.definitions.nearest import nearest  # noqa: PLC0415 - of use in an error alone

    near = nearest(str(path[-1]), fields).keys
    if near:
        instead = f"Did you mean {' or '.join(near[:2])}?"
    else:
        instead = f"Its fields are {', '.join(fields)}." if fields else "Leave it out."
    facts = {"model": model, "field": path[-1], "instead": instead, "meant": near[0] if near else None}
    return Mistake(rule=FIELD_UNKNOWN, path=path, facts=facts)


def unnamed(values: Sequence[object], model: str, fields: Sequence[str]) -> Iterator[Mistake]:
    """Values that were given by their position.

    Args:
        values: those that no field takes by position.
        model: name of the model.
        fields: names of its fields that have no value yet, the likeliest first.
    """
    for index, value in enumerate(values):
        name = fields[index] if index < len(fields) else None
        instead = f"Name it: {model}({name}={shown(value)})." if name else f"{model} has no field left for it."
        yield Mistake(rule=FIELD_UNNAMED, facts={"value": shown(value), "instead": instead})


def of_validation_error(error: "ValidationError") -> list[Problem]:
    """What pydantic raised about data that were read, in our words."""
    found = of_errors(error.errors(include_url=False), {}, error.title, fields=lambda _: (error.title, ()))
    return [mistake.problem(error.title) for mistake in found]


def of_config(where: str, config: Mapping[str, object], problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems of a configuration; of a value that is a reference nobody can tell more than that.

    Args:
        where: what was declared: ``kafka.config``.
        config: its entries.
        problems: what is wrong with them, taken for values.
    """
    unknown = {key for key, value in config.items() if is_reference(value)}
    told: set[str] = set()
    for problem in problems:
        keys = {key for key in unknown if re.search(rf"(?<![\w.-]){re.escape(key)}(?![\w.-])", problem.message)}
        if not keys or problem.severity != "error" or problem.rule.endswith(_OF_KEYS):
            yield problem
            continue
        for key in sorted(keys - told):
            told.add(key)
            yield VALUE_UNKNOWN(where, field=key)


_OF_KEYS = ("unknown-key", "other-scope", "declaration-field", "platform-key", "kraft-key", "listener-name")
"""What is wrong with an entry whatever its value."""
