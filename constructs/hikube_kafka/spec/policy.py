"""An organisation's policy: how severe a finding is, what is allowed, and what is waived, by whom and until when.

It is a file in YAML, read whole: whoever misspells a limit has none. See ``docs/policy.md``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Self, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from hikube_kafka.spec.definitions.nearest import nearest
from hikube_kafka.spec.limits import Limits, matches
from hikube_kafka.spec.marked_yaml import MarkedYaml, Path, read
from hikube_kafka.spec.model import Model
from hikube_kafka.spec.problem import Rule, Severity
from hikube_kafka.spec.rule_index import rules

WAIVER_EXPIRED = Rule(
    id="policy-waiver-expired",
    severity="error",
    message="it ended on {until}.",
    why="{owner} asked for it: {reason} Nobody has decided to prolong it.",
    remedy="{found} Correct what it waived and remove it ({place}), or have {owner} decide on another date.",
    message_in_general="a waiver has ended. It is an error if something is found that it waived and that blocks; else "
    "a warning.",
    remedy_in_general="Correct what it waived and remove it, or have its owner decide on another date.",
)
WAIVER_UNUSED = Rule(
    id="policy-waiver-unused",
    severity="warning",
    message="it waives nothing: no finding of this plan matches it.",
    why="A waiver that outlives its reason waives the next finding of its kind, which nobody has looked at.",
    remedy="Remove it ({place}) if no other plan needs it, or correct what it names.",
    message_in_general="a waiver names what is not found.",
    remedy_in_general="Remove it if no other plan needs it, or correct its rule, address or fingerprint.",
)


class PolicyError(ValueError):
    """A policy that cannot be obeyed; the message has every reason, each with its line.

    Attributes:
        reasons: ``policy.yaml:12: ...``, in the order of the lines.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("\n".join(reasons))


def _known(rule: str) -> str:
    if rule in rules():
        return rule
    near = nearest(rule, rules()).keys
    told = f"did you mean {near[0]}?" if near else "docs/rules.md and docs/review.md list them"
    raise ValueError(f"there is no rule {rule}: {told}")


def _day(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        # Python takes 20261231 and 2026-W53-4 as well.
        return date.fromisoformat(value if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) else "")
    except ValueError:
        raise ValueError(f"{value!r} is not a date: write it as 2026-12-31") from None


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty: declare it")
    return " ".join(text.split())


KnownRule = Annotated[str, AfterValidator(_known)]
Said = Annotated[str, Field(min_length=1), AfterValidator(_said)]
Pattern = Annotated[str, Field(min_length=1)]


class SeverityOf(Model):
    """How severe the findings of a rule are."""

    rule: KnownRule
    """Id of the rule, as docs/rules.md and docs/review.md have it."""
    address: Pattern = "*"
    """Terraform's address of what is found, in which `*` stands for anything. Left out: everywhere."""
    severity: Severity
    """`error` blocks, `warning` warns, `notice` informs. Nothing is switched off: a waiver says who decided on it."""

    @model_validator(mode="after")
    def _is_judged(self) -> Self:
        if rules()[self.rule].unjudged and self.severity != "error":
            raise ValueError(
                f"{self.rule} says that something could not be judged, and stays an error: waive the fingerprint of "
                "the one finding"
            )
        return self


class Waiver(Model):
    """A finding that somebody answers for. It names a fingerprint; or a rule, and an address or what it is of."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["fingerprint"]},
                {"required": ["rule"], "anyOf": [{"required": ["address"]}, {"required": ["of"]}]},
            ]
        }
    )

    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Of one finding, as the report shows it: it holds for that one change. Put it in quotes."""
    rule: KnownRule | None = None
    """Id of the rule."""
    address: Pattern | None = None
    """Terraform's address of what is found, in which `*` stands for anything."""
    of: Pattern | None = None
    """What is found, as the report names it, in which `*` stands for anything: `topic orders`."""
    owner: Said
    """Who answers for it: a person or a team that can be asked."""
    reason: Said
    """Why it may be so."""
    until: Annotated[date, BeforeValidator(_day)]
    """The last day on which it holds, by UTC: `2026-12-31`."""

    _line: int = PrivateAttr(default=0)

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.fingerprint is not None:
            if (self.rule, self.address, self.of) != (None, None, None):
                raise ValueError("it names a fingerprint, and rule, address or of as well: keep the fingerprint alone")
            return self
        if self.rule is None:
            raise ValueError("it names neither a fingerprint nor a rule: declare one of them")
        if self.address is None and self.of is None:
            raise ValueError("it names a rule alone: declare an address, or of, as well")
        if self.rule in {WAIVER_EXPIRED.id, WAIVER_UNUSED.id}:
            raise ValueError("it is about waivers, and those are not waived: correct or remove the waiver")
        if rules()[self.rule].unjudged:
            raise ValueError(
                f"{self.rule} says that something could not be judged: waive the fingerprint of the one finding"
            )
        return self

    @property
    def line(self) -> int:
        """Where it is in its file."""
        return self._line

    @property
    def what(self) -> str:
        """What it is about, in words."""
        if self.fingerprint is not None:
            return f"fingerprint {self.fingerprint}"
        return f"{self.rule} of {' and '.join(each for each in (self.of, self.address) if each)}"

    @property
    def words(self) -> str:
        """By whom, until when and why."""
        return f"{self.owner}, until {self.until.isoformat()}: {self.reason}"

    def is_about(self, rule: str, address: str, where: str, fingerprint: str = "") -> bool:
        """Whether it names this finding, expired or not.

        Args:
            rule: Its id.
            address: Where in the plan.
            where: What it is about: ``topic orders``.
            fingerprint: Its fingerprint; empty: it has none.
        """
        if self.fingerprint is not None:
            return self.fingerprint == fingerprint
        return (
            self.rule == rule
            and (self.address is None or matches(self.address, address))
            and (self.of is None or matches(self.of, where))
        )

    def holds(self, today: date) -> bool:
        """Whether it has not ended."""
        return today <= self.until


class Policy(Model):
    """What an organisation asks of Kafka platforms, beside what keeps messages safe: severities, limits, waivers."""

    severities: tuple[SeverityOf, ...] = ()
    """Of rules, raised or lowered. Of several that match a finding the last one counts."""
    limits: Limits = Field(default_factory=Limits)
    """What is allowed. Broken limits block a plan, and the synth of an app that names the file."""
    waivers: tuple[Waiver, ...] = ()
    """Findings that somebody answers for until a day. They are listed in the report, and do not block."""

    _name: str = PrivateAttr(default="policy.yaml")

    @property
    def name(self) -> str:
        """Name of its file."""
        return self._name

    @classmethod
    def parse(cls, content: str | bytes, name: str) -> "Policy":
        """Read a policy.

        Args:
            content: Of its file.
            name: The name of the file, for messages.

        Raises:
            PolicyError: It is no YAML, says nothing, or has something that a policy does not.
        """
        try:
            text = content if isinstance(content, str) else content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise PolicyError([f"{name}: it is not a text in UTF-8 (byte {error.start + 1})."]) from None
        marked = read(text)
        faults = list(marked.faults)
        policy = None
        if not faults and not marked.content:
            faults.append((1, "it says nothing: a policy has severities, limits or waivers"))
        elif not faults:
            faults += [*_empty(marked.content, marked), *_duplicates(marked)]
            try:
                policy = cls.model_validate(marked.content)
            except ValidationError as error:
                faults += _of_errors(error, marked)
        if policy is None or faults:
            reasons = dict.fromkeys(sorted(faults))
            raise PolicyError([f"{name}:{line}: {told}{'' if told[-1] in '.?' else '.'}" for line, told in reasons])
        policy._name = name  # noqa: SLF001 - its own
        for index, waiver in enumerate(policy.waivers):
            waiver._line = marked.line(("waivers", index))  # noqa: SLF001 - only the file knows it
        return policy

    def severity(self, rule: str, address: str, default: Severity) -> Severity:
        """How severe a finding is: as the last entry that matches says, else as it was."""
        found = [each.severity for each in self.severities if each.rule == rule and matches(each.address, address)]
        return found[-1] if found else default

    def waiver(self, rule: str, address: str, where: str, *, today: date) -> Waiver | None:
        """The first waiver of a rule that names the finding and holds; those of a fingerprint are for plans."""
        return next(
            (each for each in self.waivers if each.holds(today) and each.is_about(rule, address, where)),
            None,
        )


def _empty(content: Any, marked: MarkedYaml, path: Path = ()) -> Iterator[tuple[int, str]]:
    """What has no value: a limit whose number was forgotten would be none."""
    if content is None:
        yield marked.line(path), f"{_spelled(path)} is empty: fill it in, or leave it out"
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, each in entries:
        yield from _empty(each, marked, (*path, key))


def _of_errors(error: ValidationError, marked: MarkedYaml) -> Iterator[tuple[int, str]]:
    for each in error.errors(include_url=False):
        path = _within(marked.content, each["loc"])
        kind, value, context = each["type"], each["input"], each.get("ctx", {})
        where = _spelled(path)
        if kind == "extra_forbidden":
            fields = _fields(path[:-1])
            near = nearest(str(path[-1]), fields).keys
            told = (
                f"did you mean {near[0]}?"
                if near
                else f"there {'is' if len(fields) == 1 else 'are'} {', '.join(fields)}"
            )
            yield marked.line(path), f"there is no {where}: {told}"
            continue
        if kind == "missing":
            yield marked.line(path), f"{where} is missing"
        elif value is not None:
            yield marked.line(path), f"{where}: {_told(kind, value, context, each['msg'])}"


def _told(kind: str, value: Any, context: Mapping[str, Any], message: str) -> str:
    shown = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
    told = f"{shown}: {message[:1].lower()}{message[1:]}"
    if kind == "value_error":
        told = str(context["error"]).rstrip(".")
    elif kind in _WANTED:
        told = f"{shown} is not {_WANTED[kind]}"
    elif kind == "literal_error":
        told = f"{shown} is not {context['expected']}"
        if value == "off":
            told = "nothing is switched off: write a waiver, which says who decided on it, why and until when"
    elif kind in {"too_short", "string_too_short"}:
        told = "it is empty: fill it in, or leave it out"
    elif kind == "string_pattern_mismatch":
        told = f"{shown} is not a fingerprint: it has 16 digits of 0-9 and a-f, as the report shows them"
    elif kind == "greater_than_equal":
        told = f"{shown} is less than {context['ge']}"
    return told


_WANTED = {
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "tuple_type": "a list",
    "string_type": "a text",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_parsing_size": "a whole number",
    "date_type": "a date, such as 2026-12-31",
    "date_from_datetime_parsing": "a date, such as 2026-12-31",
}


def _within(content: Any, place: Sequence[str | int]) -> Path:
    """The part of an error's place that its author wrote, and the field that is missing there."""
    path: list[str | int] = []
    here = content
    for part in place:
        if isinstance(here, dict) and isinstance(part, str) and not part.startswith(("function-", "constrained-")):
            path.append(part)
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            path.append(part)
            here = here[part]
        else:
            break
    return tuple(path)


def _spelled(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text or "a policy"


def _fields(path: Path) -> Sequence[str]:
    """The fields of the model at a place."""
    model: Any = Policy
    for part in path:
        if isinstance(part, str):
            model = _model(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model(each)) is not None), None)


def _duplicates(marked: MarkedYaml) -> Iterator[tuple[int, str]]:
    keys = {"waivers": ("fingerprint", "rule", "address", "of"), "severities": ("rule", "address")}
    for section, names in keys.items():
        entries = marked.content.get(section) if isinstance(marked.content, dict) else None
        first: dict[tuple[str, ...], int] = {}
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if not isinstance(entry, dict):
                continue
            key = tuple(str(entry.get(name) or "") for name in names)
            if not any(key):
                continue
            line = marked.line((section, index))
            if key in first:
                yield line, f"{section}[{index}] names the same as {section}[{first[key]}]: keep one of them"
            else:
                first[key] = index


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_without_nulls(Policy.model_json_schema())}


def _without_nulls(schema: Any) -> Any:
    """What may be left out is not written as null, and nothing is called by its name in Python."""
    if isinstance(schema, list):
        return [_without_nulls(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    members = schema.get("anyOf", ())
    if {"type": "null"} in members:
        (only,) = (each for each in members if each != {"type": "null"})
        schema = only | {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    kept = {key: _without_nulls(value) for key, value in schema.items()}
    return {key: value for key, value in kept.items() if not (key == "title" and isinstance(value, str))}


if __name__ == "__main__":
    import json
    import sys

    json.dump(schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
