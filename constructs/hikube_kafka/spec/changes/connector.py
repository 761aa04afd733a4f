"""Changes of a connector: ``hikube_kafka_connector``."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from hikube_kafka.spec.problem import Problem, Rule, shortened

STATES = ("running", "paused", "stopped")
"""What a connector can be declared to do."""
OWN_KEYS: Mapping[str, str] = {"name": "name", "connector.class": "class", "tasks.max": "tasks_max"}
"""Entries of a configuration that are attributes of the resource."""

EXISTS = Rule(
    id="connector-exists",
    severity="error",
    message="it exists already, made by somebody else.",
    why="No connector is taken over silently: its configuration may differ, and its tasks would restart with this one.",
    remedy="To manage it from here, import it, with the address of this resource in place of "
    "hikube_kafka_connector.this:\n\n"
    "  terraform import hikube_kafka_connector.this {name}\n\n"
    "or in the configuration:\n\n"
    '  import {{\n    to = hikube_kafka_connector.this\n    id = "{name}"\n  }}\n',
    remedy_in_general="Import it (terraform import), or choose another name.",
)
RENAMED = Rule(
    id="connector-renamed",
    severity="warning",
    message="{another} takes its place, and its offsets do not move along.",
    why="Connect keeps offsets by the connector's name, and a sink's consumer group is connect-<name>. Under the new "
    "name a source begins anew, with a snapshot if it takes one, and its topics get those records again. A sink begins "
    "where auto.offset.reset says: its destination gets again what it has already, or, with latest, never what was "
    "not delivered yet.",
    remedy="Keep the name {name} to go on where it is. Otherwise check that its destination takes records twice, or "
    'declare offsets {{ on_change = "set", to = ... }} for the new one.',
    message_in_general="it gets another name, and its offsets do not move along.",
    remedy_in_general="Keep the name to go on where it is, or declare offsets for the new one.",
)
REPLACED = Rule(
    id="connector-replaced",
    severity="warning",
    message="it is deleted and created again, and its offsets are {offsets}.",
    why="{declared} holds for a replacement as for any destroy and creation: of one whose creation has failed, of one "
    "that is tainted, and with -replace.",
    remedy="To have it go on where it is, take the mark away (terraform untaint with its address), or plan without "
    "-replace: it then changes in place.",
)
NAME = Rule(
    id="connector-name",
    severity="error",
    message="{name!r} cannot be its name.",
    why="Connect takes no control characters, and cuts off white space at both ends: it would have another name then.",
    remedy="Use visible characters, with no space at either end.",
)
STATE = Rule(
    id="connector-state",
    severity="error",
    message="{state!r} is not a state that it can be in.",
    why="Connect knows running, paused (its tasks stay and wait) and stopped (it has no tasks).",
    remedy='Set state to "running", "paused" or "stopped".',
)
OWN_KEY = Rule(
    id="connector-own-key",
    severity="error",
    message="config has {key} = {value!r}, and {attribute} = {declared!r}.",
    why="Both say the same thing to Connect, and differ.",
    remedy="Remove {key} from config.",
    message_in_general="config has name, connector.class or tasks.max with another value than the attribute.",
    remedy_in_general="Remove the entry from config.",
)
OFFSETS_WORD = Rule(
    id="connector-offsets-word",
    severity="error",
    message="offsets.{attribute} cannot be {value!r}.",
    why="It says what becomes of the offsets: {known}.",
    remedy="Set it to one of these.",
)
OFFSETS_TO = Rule(
    id="connector-offsets-to",
    severity="error",
    message="offsets.to {fault}.",
    why='With on_change = "set", the offsets become what it says, and only then.',
    remedy="Write it as GET /connectors/<name>/offsets shows them: jsonencode([{{ partition = {{ kafka_topic = "
    '"orders", kafka_partition = 0 }}, offset = {{ kafka_offset = 42 }} }}]).',
    message_in_general="offsets.to is missing, has no effect, or is not a list of partitions and offsets in JSON.",
)
LITERAL = Rule(
    id="connector-literal-secret",
    severity="error",
    message="config has a secret itself in {key}.",
    why="Its connector defines this key as a password. The workers keep configurations in a topic in clear and show "
    "them to whoever may ask, and Terraform keeps them in its state.",
    remedy="Refer to a config provider of the workers instead, such as ${{dir:/secrets/database:password}} for a "
    "Secret that is mounted there; in Terraform's own language it is written with $${{.",
)
CLASS = Rule(
    id="connector-class-missing",
    severity="error",
    message="no worker has loaded the class {class_name}{nearest}.",
    why="A worker runs the classes below its plugin.path alone. These connectors are loaded: {loaded}.",
    remedy="Correct the class, or declare the plugin that has it for the workers. A plugin without a service manifest "
    "is only found with plugin.discovery=hybrid_warn.",
    message_in_general="no worker has loaded its class.",
)
INVALID = Rule(
    id="connector-config-invalid",
    severity="error",
    message="Connect does not take its configuration: {told}.",
    why="So says the validation of its own class.",
    remedy="Correct {key}.",
    remedy_in_general="Correct the entry that is named.",
)
UNREACHED = Rule(
    id="connector-system-unreached",
    severity="warning",
    message="Connect cannot reach by now what it connects to: {told}.",
    why="Its class connects while it validates a configuration. The same plan may create what it connects to.",
    remedy="The apply asks again, and fails if it still cannot be reached. If it should be there, check {key}.",
    remedy_in_general="The apply asks again, and fails if it still cannot be reached.",
)
MISSPELLED = Rule(
    id="connector-key-unknown",
    severity="warning",
    message="its class does not define the key {key}; did you mean {nearest}?",
    why="A connector ignores an entry that it does not know, and does not say so.",
    remedy="Correct the key, if that is what it was meant to be.",
    message_in_general="its class does not define a key, but one that is spelled almost the same.",
)

_REFERENCE = re.compile(r"\$\{[^}:]+:[^}]*\}")
"""As org.apache.kafka.common.config.ConfigTransformer finds one in a value."""
_AWAY = re.compile(
    r"unable to connect|connection attempt failed|connection\b.{0,120}?\b(refused|reset|timed out)|unknown ?host|"
    r"communications link failure|no route to host|unreachable|could not (be )?(resolve|translate)",
    re.IGNORECASE | re.DOTALL,
)
"""How drivers say that nobody answers: PostgreSQL's and MySQL's, Java's own, Debezium's words around them."""
_ALIKE = 0.88
"""From this likeness of two keys on (difflib's ratio) the one is taken for the other, mistyped."""


class Verdict(NamedTuple):
    """What Connect's validation says of one key."""

    key: str
    password: bool
    """Whether its value is a secret."""
    errors: Sequence[str]
    """Sentences, without the value of a secret."""


class Known(NamedTuple):
    """What is known of the workers."""

    exists: bool = False
    """Whether a connector of this name is there that no state holds."""
    loaded: Collection[str] | None = None
    """The connectors' classes that the workers have; None: they could not be asked, or the class is one of them."""
    verdicts: Sequence[Verdict] = ()
    """What Connect's validation says; empty: it was not asked."""
    may_come: bool = False
    """Whether a system that the connector could not reach may be there by the apply, which asks again."""


def problems(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, known: Known | None = None
) -> Iterator[Problem]:
    """What Connect would refuse, what would be taken over or left behind, and secrets in clear.

    Args:
        prior: As the connector is; None: it is created.
        planned: As it is to be, without what only the apply will tell; None: it is deleted.
        known: What is known of the workers.
    """
    if planned is None:
        return
    yield from never(planned)
    if prior is not None and planned.get("name") != prior["name"]:
        yield from renamed(prior, planned)
    if known is None:
        return
    if prior is None and known.exists:
        yield EXISTS(_where(planned), path=("name",), name=planned["name"])
    if known.loaded is not None:
        yield from _missing_class(planned, known.loaded)
    yield from _judged(planned, known.verdicts, may_come=known.may_come)


def renamed(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[Problem]:
    """What becomes of the offsets where one of another name takes the place of a connector.

    Nothing is said of a sink that keeps its consumer group, which is not named after it: it goes on where it is.

    Args:
        prior: As the connector is.
        planned: As the other is to be.
    """
    groups = [(each.get("config") or {}).get("consumer.override.group.id") for each in (prior, planned)]
    if groups[0] is not None and groups[0] == groups[1]:
        return
    another = f"connector {planned['name']}" if "name" in planned else "one of a name that the apply will tell"
    yield RENAMED(_where(prior), path=("name",), name=prior["name"], another=another)


def is_same_but_for_name(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two connectors have the same class and entries; where an entry has the name, each may have its own."""
    names = {one.get("name"), other.get("name")}
    return len(names) == 2 and None not in names and _without_name(one) == _without_name(other)  # noqa: PLR2004


def _without_name(values: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    name = re.compile(rf"(?<!\w){re.escape(str(values['name']))}(?!\w)")
    config = {key: name.sub("", str(value)) for key, value in (values.get("config") or {}).items()}
    return values.get("class"), config


def replaced(offsets: Mapping[str, Any] | None, planned: Mapping[str, Any]) -> Iterator[Problem]:
    """What becomes of the offsets where one of the same name takes the place of a connector; nothing if they are kept.

    Args:
        offsets: The block as it was applied: it says what the destroy does.
        planned: As the new one is to be.
    """
    on_destroy = (offsets or {}).get("on_destroy")
    after = planned.get("offsets")
    on_change = after.get("on_change") if isinstance(after, Mapping) else None
    said = [f'offsets.on_destroy = "{on_destroy}"'] if on_destroy == "reset" else []
    said += [f'offsets.on_change = "{on_change}"'] if on_change in {"reset", "set"} else []
    if said:
        become = "set as offsets.to says" if on_change == "set" else "reset"
        yield REPLACED(_where(planned), path=("offsets",), offsets=become, declared=" and ".join(said))


def never(planned: Mapping[str, Any]) -> Iterator[Problem]:
    """What no connector can have, whatever the workers say."""
    where = _where(planned)
    name = planned.get("name")
    if isinstance(name, str) and (not name or name != name.strip() or not name.isprintable()):
        yield NAME(where, path=("name",), name=name)
    state = planned.get("state")
    if state is not None and state not in STATES:
        yield STATE(where, path=("state",), state=state)
    config = planned.get("config") or {}
    for key, attribute in OWN_KEYS.items():
        declared = planned.get(attribute)
        if key in config and declared is not None and str(config[key]).strip() != str(declared):
            yield OWN_KEY(
                where, path=("config", key), key=key, value=config[key], attribute=attribute, declared=declared
            )
    yield from _offsets(planned.get("offsets"), where)


def offsets_of(text: str) -> list[dict[str, Any]]:
    """The offsets that a text in JSON says.

    Args:
        text: A list of objects with a partition and an offset, or the object around it that Connect answers.

    Raises:
        ValueError: It is something else; its text says what.
    """
    try:
        told = json.loads(text)
    except ValueError:
        raise ValueError("is not JSON") from None
    listed = told.get("offsets") if isinstance(told, dict) and told.keys() == {"offsets"} else told
    if not isinstance(listed, list) or not listed:
        raise ValueError("is not a list of offsets")
    for each in listed:
        if not isinstance(each, dict) or each.keys() != {"partition", "offset"}:
            raise ValueError("has an element that is not a partition with an offset")
        if not isinstance(each["partition"], dict) or not isinstance(each["offset"], dict | None):
            raise ValueError("has a partition or an offset that is not an object")  # noqa: TRY004 - its text is at fault
    return listed


def is_reference(value: str) -> bool:
    """Whether a value refers to a config provider of the workers."""
    return _REFERENCE.search(value) is not None


def _where(values: Mapping[str, Any]) -> str:
    return f"connector {values['name']}" if isinstance(values.get("name"), str) else "a connector"


def _offsets(offsets: Any, where: str) -> Iterator[Problem]:
    if not isinstance(offsets, Mapping):
        return
    on_change = offsets.get("on_change")
    for attribute, known in (("on_change", ("keep", "reset", "set")), ("on_destroy", ("keep", "reset"))):
        value = offsets.get(attribute)
        if value is not None and value not in known:
            yield OFFSETS_WORD(
                where, path=("offsets", attribute), attribute=attribute, value=value, known=", ".join(known)
            )
    to, path = offsets.get("to"), ("offsets", "to")
    if "to" not in offsets or ("on_change" not in offsets and to is not None):
        return  # only the apply will tell
    if on_change == "set" and to is None:
        yield OFFSETS_TO(where, path=path, fault="is missing")
    elif to is not None and on_change != "set":
        yield OFFSETS_TO(where, path=path, fault=f'has no effect with on_change = "{on_change or "keep"}"')
    elif to is not None:
        try:
            offsets_of(to)
        except ValueError as fault:
            yield OFFSETS_TO(where, path=path, fault=str(fault))


def _missing_class(planned: Mapping[str, Any], loaded: Collection[str]) -> Iterator[Problem]:
    name = planned["class"]
    simple = {each.rpartition(".")[2]: each for each in loaded}
    near = get_close_matches(name, loaded, 1, 0.8) or [
        simple[each] for each in get_close_matches(name.rpartition(".")[2], simple, 1, 0.8)
    ]
    yield CLASS(
        _where(planned),
        path=("class",),
        class_name=name,
        nearest=f"; did you mean {near[0]}?" if near else "",
        loaded=shortened(sorted(loaded), 20) or "none",
    )


def _judged(planned: Mapping[str, Any], verdicts: Sequence[Verdict], *, may_come: bool) -> Iterator[Problem]:
    config: Mapping[str, Any] = planned.get("config") or {}
    told: dict[str, str] = {}
    for verdict in verdicts:
        if verdict.password and _is_literal(config.get(verdict.key)):
            # At no attribute: Terraform would show its line, with the secret in it.
            yield LITERAL(_where(planned), key=verdict.key)
        for error in verdict.errors:
            # Connect says of each of two keys that one of them is missing: the one that is declared has it.
            if error not in told or (verdict.key in config and told[error] not in config):
                told[error] = verdict.key
    for error, key in told.items():
        rule = UNREACHED if may_come and _AWAY.search(error) else INVALID
        yield rule(_where(planned), path=_path(key, config), told=" ".join(error.split()).rstrip("."), key=key)
    yield from _misspelled(planned, config, [verdict.key for verdict in verdicts])


def _misspelled(planned: Mapping[str, Any], config: Mapping[str, Any], defined: Sequence[str]) -> Iterator[Problem]:
    free = [key for key in defined if key not in config]
    for key in sorted(config.keys() - set(defined) - OWN_KEYS.keys()) if defined else ():
        near = get_close_matches(key, free, 1, _ALIKE)
        if near:
            yield MISSPELLED(_where(planned), path=("config", key), key=key, nearest=near[0])


def _is_literal(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not is_reference(value)


def _path(key: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    if key in config:
        return ("config", key)
    return (OWN_KEYS.get(key, "config"),)
