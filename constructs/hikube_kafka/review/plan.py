"""A plan of Terraform or OpenTofu: ``terraform show -json``, format 1."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from hikube_kafka.review.hidden import Hidden, concealed, is_secret, marked, revealed, texts

Path = tuple[str | int, ...]
"""Of a value below an attribute: ``("values", 0)``."""


class UnreadablePlanError(ValueError):
    """It is not a plan, or one that nobody can judge. The message says what to do."""


class Action(StrEnum):
    """What an apply does at an address."""

    NOTHING = "nothing"
    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    """Delete and create, in either order."""
    FORGET = "forget"
    """The state lets go of it; nothing is touched."""
    FORGET_AND_CREATE = "forget and create"
    """The state lets go of what is there, and something else is created."""
    OTHER = "other"
    """What this version does not know."""


_ACTIONS = {
    ("no-op",): Action.NOTHING,
    ("read",): Action.READ,
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete",): Action.DELETE,
    ("create", "delete"): Action.REPLACE,
    ("delete", "create"): Action.REPLACE,
    ("forget",): Action.FORGET,
    ("create", "forget"): Action.FORGET_AND_CREATE,
    ("forget", "create"): Action.FORGET_AND_CREATE,
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource of a plan, or of what has drifted. Whatever the plan marks as sensitive is a ``Hidden``."""

    address: str
    mode: str
    """``managed`` or ``data``."""
    type: str
    """``hikube_kafka_topic``."""
    name: str
    provider: str
    """As the plan names it; the host differs between Terraform and OpenTofu: ``<host>/hashicorp/helm``."""
    action: Action
    actions: tuple[str, ...]
    """As the plan has them."""
    reason: str
    """``action_reason``: ``replace_because_tainted``; empty: none is given."""
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    """Without what only the apply will tell."""
    unknown: frozenset[Path]
    """What only the apply will tell; the path of a whole attribute or of a value below one."""
    replaces: tuple[Path, ...] = ()
    """``replace_paths``: the attributes that force a replacement."""
    previous_address: str = ""
    imported: str = ""
    """The id that it is imported by; empty: it is not."""
    deposed: str = ""
    module: str = ""

    @cached_property
    def prior(self) -> Mapping[str, Any]:
        """``before`` with nothing hidden, for a rule; empty where there is none."""
        return _open(self.before)

    @cached_property
    def planned(self) -> Mapping[str, Any]:
        """``after`` likewise."""
        return _open(self.after)

    def is_unknown(self, *path: str | int) -> bool:
        """Whether this value, all above it or something below it is only known after the apply."""
        return any(each[: len(path)] == path[: len(each)] for each in self.unknown)


def _open(side: Mapping[str, Any] | None) -> Mapping[str, Any]:
    values = revealed(side)
    return values if isinstance(values, dict) else {}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a plan says, as far as a review reads it."""

    changes: tuple[Change, ...]
    """Managed resources and data sources; those that nothing happens to as well."""
    drift: tuple[Change, ...] = ()
    """What was changed outside: ``before`` is the state, ``after`` what was found."""
    deferred: tuple[str, ...] = ()
    """Addresses that are left for a later plan."""
    invocations: tuple[str, ...] = ()
    """Actions that the apply invokes, by address."""
    errored: bool = False
    may_be_errored: bool = False
    """Whether it does not say if it errored, as before Terraform 1.6, and lacks something that is configured."""
    complete: bool = True
    """False: another plan must follow. Older versions do not say: then it is taken for complete."""
    terraform: str = ""
    """Version that made it."""
    secrets: frozenset[str] = field(default_factory=frozenset)
    """Texts that no output may have: sensitive outputs and variables."""
    configuration: Mapping[str, Any] = field(default_factory=dict)

    def managed(self, type_: str) -> Iterator[Change]:
        """The changes of the resources of one type."""
        return (each for each in self.changes if each.mode == "managed" and each.type == type_)


def of_all_instances(address: str) -> str:
    """The address without the keys of ``count`` and ``for_each``: where it is declared, it is declared once."""
    return _KEY.sub("", address)


_KEY = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[[0-9]+\]')
"""As Terraform writes it: a number, or a text in which a quote is escaped."""


def read_plan(content: bytes) -> Plan:
    """Read the JSON of a plan: UTF-8, or what PowerShell writes.

    Raises:
        UnreadablePlanError: It is no JSON, no plan, a state, or of a format that this version does not know.
    """
    if not content.strip():
        raise UnreadablePlanError(f"it is empty. {_WRITE}")
    try:
        parsed = json.loads(content, object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        raise UnreadablePlanError(f"it is not JSON ({problem}). {_WRITE}") from None
    if not isinstance(parsed, dict) or "format_version" not in parsed:
        raise UnreadablePlanError(f"it is not a plan. {_WRITE}")
    version = str(parsed["format_version"])
    if version.partition(".")[0] != "1":
        raise UnreadablePlanError(
            f"it has format {version}; this version reads format 1. Install a newer hikube-kafka, and review again."
        )
    if "resource_changes" not in parsed and "planned_values" not in parsed:
        raise UnreadablePlanError(f"it is a state and not a plan. {_WRITE}")
    is_lost = "resource_changes" not in parsed and parsed.get("errored") is not True and _has_resources(parsed)
    if is_lost and ("errored" in parsed or _has_all(parsed)):
        raise UnreadablePlanError(f"its resource_changes are missing. {_WRITE}")
    try:
        return _plan(parsed)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as problem:
        raise UnreadablePlanError(
            f"it is not a plan as Terraform writes it ({type(problem).__name__}: {problem}). {_WRITE}"
        ) from None


def _has_resources(content: Mapping[str, Any]) -> bool:
    """Whether there is something that a plan has to say something of: Terraform leaves out what is empty."""
    there = content.get("planned_values"), (content.get("prior_state") or {}).get("values")
    return any((each or {}).get("root_module") for each in there)


def _has_all(content: Mapping[str, Any]) -> bool:
    """Whether every resource of the root module is planned; what has count or for_each may have no instance."""
    planned = {(each.get("type"), each.get("name")) for each in content.get("resource_changes") or ()}
    module = (content.get("configuration") or {}).get("root_module") or {}
    return all(
        (each.get("type"), each.get("name")) in planned or "count_expression" in each or "for_each_expression" in each
        for each in module.get("resources") or ()
        if each.get("mode") == "managed"
    )


_WRITE = "Write it with: terraform show -json PLAN"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("an object has the same key twice")
    return content


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number")


def _plan(content: Mapping[str, Any]) -> Plan:
    return Plan(
        changes=tuple(map(_change, content.get("resource_changes") or ())),
        drift=tuple(map(_change, content.get("resource_drift") or ())),
        deferred=tuple(_text(each["resource_change"]["address"]) for each in content.get("deferred_changes") or ()),
        invocations=tuple(str(each.get("address", "")) for each in content.get("action_invocations") or ()),
        errored=content.get("errored") is True,
        may_be_errored="errored" not in content and not _has_all(content),
        complete=content.get("complete") is not False,
        terraform=str(content.get("terraform_version") or ""),
        secrets=frozenset(_secrets(content)),
        configuration=content.get("configuration") or {},
    )


def _change(content: Mapping[str, Any]) -> Change:
    for key in ("address", "type", "name"):
        if not isinstance(content[key], str):
            raise TypeError(f"the {key} of a resource is not a text")
    if content.get("mode", "managed") not in ("managed", "data"):
        raise ValueError("the mode of a resource is neither managed nor data")
    if not isinstance(content.get("provider_name") or "", str):
        raise TypeError("the provider_name of a resource is not a text")
    change = content["change"]
    actions = tuple(map(str, change["actions"]))
    action = _ACTIONS.get(actions, Action.OTHER)
    before, after = (
        _side(content["type"], change, side, required=action in needed) for side, needed in _NEEDED.items()
    )
    return Change(
        address=_text(content["address"]),
        mode=_text(content.get("mode", "managed")),
        type=_text(content["type"]),
        name=_text(content["name"]),
        provider=_text(content.get("provider_name") or ""),
        action=action,
        actions=actions,
        reason=_text(content.get("action_reason") or ""),
        before=before,
        after=after,
        unknown=frozenset(_unknown(change.get("after_unknown"))),
        replaces=tuple(tuple(path) for path in change.get("replace_paths") or ()),
        previous_address=_text(content.get("previous_address") or ""),
        imported=str((change.get("importing") or {}).get("id") or ""),
        deposed=_text(content.get("deposed") or ""),
        module=_text(content.get("module_address") or ""),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is not a text")
    return value


_NO_SECRETS: Mapping[str, frozenset[str]] = {
    # Their secrets are found below the YAML in them: hikube_kafka.review.release.
    "helm_release": frozenset({"values", "metadata"}),
    # The name of one.
    "hikube_zookeeper_members": frozenset({"secret"}),
}
"""Attributes of a type that are left as they are, unless the plan marks them."""


_NEEDED = {
    "before": {Action.UPDATE, Action.DELETE, Action.REPLACE, Action.FORGET, Action.FORGET_AND_CREATE},
    "after": {Action.CREATE, Action.UPDATE, Action.REPLACE, Action.FORGET_AND_CREATE},
}
"""What a change must have: without it, nobody could say what the apply does."""


def _side(type_: str, change: Mapping[str, Any], side: str, *, required: bool) -> Mapping[str, Any] | None:
    value, sensitive = change.get(side), change.get(f"{side}_sensitive")
    if value is None:
        if required:
            raise ValueError(f"its {side} is missing")
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"its {side} is not an object")
    if sensitive is True:  # the whole resource: each attribute is
        sensitive = dict.fromkeys(value, True)
    hidden: Mapping[str, Any] = concealed(marked(value, sensitive), apart=_NO_SECRETS.get(type_, frozenset()))
    return hidden


def _unknown(marks: Any, path: Path = ()) -> Iterator[Path]:
    if marks is True:
        yield path
    elif isinstance(marks, Mapping):
        for key, each in marks.items():
            yield from _unknown(each, (*path, key))
    elif isinstance(marks, list):
        for index, each in enumerate(marks):
            yield from _unknown(each, (*path, index))


def _secrets(content: Mapping[str, Any]) -> Iterator[str]:
    declared = ((content.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    for name, variable in (content.get("variables") or {}).items():
        if (declared.get(name) or {}).get("sensitive") is True or is_secret(name):
            yield from texts(Hidden(variable.get("value")))
    for change in (content.get("output_changes") or {}).values():
        for each in ("before", "after"):
            yield from texts(marked(change.get(each), change.get(f"{each}_sensitive")))
