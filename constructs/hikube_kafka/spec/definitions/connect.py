"""The faults of the configuration of a Connect worker, and of a connector.

Of a connector, what Connect itself reads is judged: its other keys are its class's own, which a worker judges at plan.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from hikube_kafka.spec.definitions.catalog import (
    ConnectScope,
    PluginKind,
    connect_definitions,
    connect_plugins,
    topic_definitions,
)
from hikube_kafka.spec.definitions.conflicts import topic_conflicts
from hikube_kafka.spec.definitions.connect_conflicts import (
    client_conflicts,
    plugin_conflicts,
    regex_faults,
    worker_conflicts,
)
from hikube_kafka.spec.definitions.definition import Definition, Mismatch, is_reference
from hikube_kafka.spec.definitions.fault import HIDDEN, Fault
from hikube_kafka.spec.definitions.nearest import is_key, nearest, spelling, unknown_remedy
from hikube_kafka.spec.mistakes import is_reference as is_of_terraform

CONNECTOR_FIELDS = {
    "name": "the connector's name",
    "connector.class": "the connector's class",
    "tasks.max": "tasks_max=...",
    "errors.deadletterqueue.topic.name": "dead_letters=...",
}
"""Keys of a connector that the declaration has a field for."""
_CLIENTS: Mapping[str, ConnectScope] = {"producer": "producer", "consumer": "consumer", "admin": "admin"}
_CONVERTERS = ("key.converter", "value.converter", "header.converter")
# Whoever reads these defines them nowhere: config providers, reporters of metrics, REST extensions.
_WORKER_PREFIXES = ("config.providers.", "metrics.context.", "listeners.https.", "admin.listeners.https.")
_KINDS: tuple[PluginKind, ...] = ("converter", "headerconverter", "transformation", "predicate")
_NEGATE = Definition(name="negate", type="BOOLEAN", importance="medium", default="false")
_OF_WORKERS = dict.fromkeys(("key.converter", "value.converter"), "org.apache.kafka.connect.json.JsonConverter")
"""What workers have where they declare none; connect_worker.computed_settings makes it so."""
_POLICY = "connector.client.config.override.policy"
_JAVA_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)*")
_OWN = frozenset({"name", "topics"})
"""Keys of Connect that a connector's own are like: ``topic`` of the file source, ``names``, ``topics`` of MirrorMaker's
sources and of Camel's."""


def check_worker_config(config: Mapping[str, object]) -> list[Fault]:
    """Everything that is wrong with the entries that a user declares for workers.

    Args:
        config: The entries, by Kafka's key; values as declared.
    """
    faults = [fault for key, value in config.items() for fault in _of_worker(key, value, config)]
    for converter in _CONVERTERS:
        faults += _of_class(converter, config.get(converter), _kind(converter))
    policy = config.get(_POLICY)
    names = ("All", "None", "Principal")
    if isinstance(policy, str) and policy not in names and policy.lower() in {each.lower() for each in names}:
        problem = f"'{_POLICY}' is '{policy}', and must be one of {', '.join(names)}, or a class."
        faults.append(
            Fault(key=_POLICY, value=policy, rule="allowed", problem=problem, remedy=f"Write {policy.capitalize()!r}.")
        )
    faults += worker_conflicts(config)
    faults += client_conflicts(config, infix=".")
    return faults


def check_connector_config(
    config: Mapping[str, object], *, sink: bool, workers: Mapping[str, object] | None = None
) -> list[Fault]:
    """Everything that is wrong with the entries of a connector, as far as Connect itself reads them.

    Args:
        config: The entries, by key; values as declared.
        sink: Whether it is a sink.
        workers: The entries of its workers, whose clients' entries hold where it has none; None means not known.
    """
    faults = [fault for key, value in config.items() for fault in _of_connector(key, value, sink=sink)]
    faults += _of_converters(config)
    faults += _of_chain(config, "transforms", "transformation")
    faults += _of_chain(config, "predicates", "predicate")
    faults += _of_topic_creation(config) if not sink else []
    if workers is not None:
        faults += client_conflicts(config, infix=".override.", workers=workers)
    faults += regex_faults("topics.regex", config.get("topics.regex")) if sink else []
    if sink and all(is_set(config, key) for key in ("topics", "topics.regex")):
        faults.append(_conflict("topics", config["topics"], "'topics' and 'topics.regex' are both there.", "Keep one."))
    return faults


def _of_worker(key: str, value: object, config: Mapping[str, object]) -> Iterator[Fault]:
    prefix, _, rest = key.partition(".")
    workers = connect_definitions("worker")
    if key in workers:
        yield from _of_value(key, value, workers[key])
    elif prefix in _CLIENTS and rest:
        yield from _of_client(key, value, f"{prefix}.", connect_definitions(_CLIENTS[prefix]))
    elif converter := next((each for each in _CONVERTERS if key.startswith(f"{each}.")), None):
        yield from _of_plugin_key(
            key, value, f"{converter}.", _kind(converter), config.get(converter, _OF_WORKERS.get(converter))
        )
    elif not key.startswith(_WORKER_PREFIXES):
        real = [*workers, *(f"{each}." for each in _CLIENTS), "config.providers"]
        yield _unknown(key, "a worker", nearest(key, real).keys, misspelt=nearest(key, real).misspelt)


def _of_connector(key: str, value: object, *, sink: bool) -> Iterator[Fault]:
    if field := CONNECTOR_FIELDS.get(key):
        yield Fault(
            key=key,
            value=HIDDEN,
            rule="declaration-field",
            problem=f"'{key}' is decided by {field}, and cannot be a configuration entry as well.",
            remedy=f"Leave it out, and declare {field} instead.",
        )
        return
    known = connect_definitions("sink" if sink else "source")
    if key in known:
        yield from _of_value(key, value, known[key])
        return
    client = re.match(r"(producer|consumer|admin)\.override\.(?=.)", key)
    if client:
        yield from _of_client(key, value, client[0], connect_definitions(_CLIENTS[client[1]]))
        return
    other = connect_definitions("source" if sink else "sink")
    if key in other and key not in _OWN:
        kind = ("source", "sink")[sink]
        yield _conflict(
            key, value, f"'{key}' is read of a {('sink', 'source')[sink]}, and this is a {kind}.", "Drop it."
        )
    elif not key.startswith((*(f"{each}." for each in _CONVERTERS), "transforms.", "predicates.", "topic.creation.")):
        found = nearest(key, [name for name in known if name not in _OWN])
        # A key that is not near enough to be sure is the connector's own, as is one with a prefix: src.key.converter.
        prefixed = any(key.endswith(f".{name}") for name in known)
        if (found.misspelt and not prefixed) or not is_key(key) or _is_spelled_alike(key, known):
            yield _unknown(key, "a connector", found.keys, misspelt=found.misspelt)


def _is_spelled_alike(key: str, names: Iterable[str]) -> bool:
    return any(spelling(key) == spelling(name) and key != name for name in names)


def _of_value(key: str, value: object, definition: Definition) -> Iterator[Fault]:
    shown = HIDDEN if definition.sensitive else value
    if definition.deprecated or definition.internal:
        word = "deprecated" if definition.deprecated else "meant for tests of Kafka itself"
        yield Fault(
            key=key,
            value=shown,
            rule="deprecated" if definition.deprecated else "internal",
            severity="warning",
            problem=f"'{key}' is {word}.",
            remedy="Leave it out, unless you know why it is needed.",
        )
    if is_reference(value) or _is_unknown(value):
        return
    try:
        _parse(definition, value)
    except Mismatch as mismatch:
        instead = "Write such a value, or leave the entry out"
        default = f": Kafka's default is '{definition.default}'." if definition.default is not None else "."
        yield Fault(
            key=key,
            value=shown,
            rule=mismatch.rule,
            problem=f"'{key}' is {shown if definition.sensitive else repr(value)}, and must be {mismatch.demand}.",
            remedy=_better(definition, value) or f"{instead}{default}",
        )


def _parse(definition: Definition, value: object) -> None:
    parsed = definition.parse(value)
    if definition.type == "CLASS" and not _JAVA_NAME.fullmatch(str(parsed)):
        raise Mismatch("form", "the name of a Java class")


def _better(definition: Definition, value: object) -> str:
    alike = (each for each in definition.allowed if isinstance(value, str) and spelling(each) == spelling(value))
    return "".join(f"Write '{each}'." for each in list(alike)[:1])


def _of_client(key: str, value: object, prefix: str, known: Mapping[str, Definition]) -> Iterator[Fault]:
    rest = key.removeprefix(prefix)
    if rest in known:
        yield from _of_value(key, value, known[rest])
        return
    found = nearest(rest, known)
    yield _unknown(
        key, f"a {prefix.partition('.')[0]}", tuple(f"{prefix}{each}" for each in found.keys), misspelt=found.misspelt
    )


def _kind(converter: str) -> PluginKind:
    return "headerconverter" if converter.startswith("header") else "converter"


def _plugin(kind: PluginKind, name: object) -> Mapping[str, Definition] | None:
    """The keys of a class of Kafka's own, which Connect also knows by the last part of its name."""
    found = connect_plugins(kind)
    if not isinstance(name, str):
        return None
    return next((keys for each, keys in found.items() if name in {each, each.rpartition(".")[2]}), None)


def _of_plugin_key(key: str, value: object, prefix: str, kind: PluginKind, name: object) -> Iterator[Fault]:
    """An entry of a converter, a transform or a predicate; those of another's class are its own."""
    known = _plugin(kind, name)
    rest = key.removeprefix(prefix)
    if known is None:
        return
    if rest in known:
        yield from _of_value(key, value, known[rest])
        return
    found = nearest(rest, known)
    short = str(name).rpartition(".")[2]
    # Converters keep silent about keys that they do not have; many are written for a converter that was exchanged.
    misspelt = found.misspelt or kind in {"transformation", "predicate"}
    yield _unknown(key, short, tuple(f"{prefix}{each}" for each in found.keys), misspelt=misspelt)


def is_set(config: Mapping[str, object], key: str) -> bool:
    """Whether an entry has a value: Connect takes blank text for none in keys that name topics."""
    return bool(str(config.get(key, "")).strip())


def _of_class(key: str, name: object, kind: PluginKind) -> Iterator[Fault]:
    """A class in one of Kafka's own packages that Kafka does not have, or one of another kind."""
    if not isinstance(name, str) or _plugin(kind, name) is not None:
        return
    ours = {each for other in _KINDS for each in connect_plugins(other)}
    if name.startswith(tuple(f"{each.rpartition('.')[0]}." for each in ours)) or name in _short(ours):
        yield _no_such_class(key, name, connect_plugins(kind))


def _of_converters(config: Mapping[str, object]) -> Iterator[Fault]:
    for converter in _CONVERTERS:
        keys = [key for key in config if key.startswith(f"{converter}.")]
        if converter in config:
            yield from _of_class(converter, config[converter], _kind(converter))
            for key in keys:
                yield from _of_plugin_key(key, config[key], f"{converter}.", _kind(converter), config[converter])
        elif keys:
            yield _conflict(
                keys[0],
                config[keys[0]],
                f"'{keys[0]}' has no effect: a connector without a '{converter}' of its own has that of the workers, "
                "with its entries.",
                f"Declare '{converter}' too, such as org.apache.kafka.connect.json.JsonConverter.",
            )


def _of_chain(config: Mapping[str, object], listed: str, kind: PluginKind) -> Iterator[Fault]:
    """Transforms, or predicates: aliases in a list, and the entries of each below its alias."""
    value = config.get(listed, "")
    if is_reference(value) or _is_unknown(value) or not isinstance(value, str):
        return
    aliases = [each.strip() for each in value.split(",")] if value.strip() else []
    for alias, count in Counter(aliases).items():
        if count > 1 or not alias:
            yield _conflict(listed, value, f"'{listed}' has the alias '{alias}' {count} times.", "Give each its own.")
    entries: dict[str, list[str]] = {alias: [] for alias in aliases}
    told: set[str] = set()
    for key in config:
        if not key.startswith(f"{listed}."):
            continue
        rest = key.removeprefix(f"{listed}.")
        fitting = [alias for alias in aliases if alias and rest.startswith(f"{alias}.")]
        if fitting:
            entries[max(fitting, key=len)].append(key)
        else:
            alias = rest.partition(".")[0]
            if alias in told:
                continue
            told.add(alias)
            near = nearest(alias, aliases).keys
            remedy = f"Write '{listed}.{near[0]}...'." if near else f"Add '{alias}' to '{listed}', or drop the entry."
            problem = f"'{key}' has no effect: '{listed}' does not have '{alias}'."
            yield _conflict(key, config[key], problem, remedy)
    for alias in filter(None, entries):
        yield from _of_alias(config, listed, alias, entries[alias], kind)


def _of_alias(
    config: Mapping[str, object], listed: str, alias: str, keys: Iterable[str], kind: PluginKind
) -> Iterator[Fault]:
    prefix = f"{listed}.{alias}."
    type_key = f"{prefix}type"
    name = config.get(type_key)
    if name is None:
        problem = f"'{listed}' has '{alias}', and there is no '{type_key}'."
        yield _conflict(type_key, None, problem, f"Declare '{type_key}', the class of it.")
        return
    if is_reference(name) or _is_unknown(name):
        return
    if not isinstance(name, str) or not _JAVA_NAME.fullmatch(name):
        problem = f"'{type_key}' is {name!r}, and must be the name of a Java class."
        yield Fault(key=type_key, value=name, rule="form", problem=problem, remedy="Write it in full.")
        return
    yield from _of_predicate(config, prefix) if kind == "transformation" else ()
    known = _plugin(kind, name)
    if known is None:
        yield from _of_class(type_key, name, kind)
        return
    own = {type_key, *((f"{prefix}predicate", f"{prefix}negate") if kind == "transformation" else ())}
    for key in keys:
        if key not in own:
            yield from _of_plugin_key(key, config[key], prefix, kind, name)
    for key, definition in known.items():
        if definition.required and f"{prefix}{key}" not in config:
            problem = f"{name.rpartition('.')[2]} needs '{prefix}{key}'."
            yield _conflict(f"{prefix}{key}", None, problem, f"Declare '{prefix}{key}'.")
    yield from plugin_conflicts(name, prefix, config)


def _of_predicate(config: Mapping[str, object], prefix: str) -> Iterator[Fault]:
    predicate, there = config.get(f"{prefix}predicate"), config.get("predicates", "")
    negate = f"{prefix}negate"
    if negate in config:
        yield from _of_value(negate, config[negate], _NEGATE)
        if predicate is None:
            problem = f"'{negate}' is there, and no '{prefix}predicate' that it would negate."
            yield _conflict(negate, config[negate], problem, f"Declare '{prefix}predicate', or drop '{negate}'.")
    if not isinstance(predicate, str) or not isinstance(there, str) or is_reference(there) or _is_unknown(there):
        return
    if is_reference(predicate) or _is_unknown(predicate):
        return
    if predicate.strip() not in {each.strip() for each in there.split(",")} - {""}:
        problem = f"'{prefix}predicate' is '{predicate}', and 'predicates' does not have it."
        yield _conflict(f"{prefix}predicate", predicate, problem, f"Add '{predicate}' to 'predicates'.")


def _no_such_class(key: str, name: str, classes: Iterable[str]) -> Fault:
    short = name.rpartition(".")[2]
    both = [each for each in classes if each in {f"{name}$Key", f"{name}$Value"}]
    near = both or [each for each in classes if each.rpartition(".")[2] in nearest(short, _short(classes)).keys]
    return Fault(
        key=key,
        value=name,
        rule="allowed",
        problem=f"'{key}' is '{name}', which Kafka 3.9 does not have.",
        remedy=f"Write {' or '.join(near[:2])}." if near else "Write the name of a class that there is.",
        nearest=tuple(near),
    )


def _short(classes: Iterable[str]) -> list[str]:
    return [each.rpartition(".")[2] for each in classes]


def _of_topic_creation(config: Mapping[str, object]) -> Iterator[Fault]:
    prefix = "topic.creation."
    keys = [key for key in config if key.startswith(prefix) and key != f"{prefix}groups"]
    if not keys and f"{prefix}groups" not in config:
        return
    groups = config.get(f"{prefix}groups", "")
    listed = [each.strip() for each in groups.split(",") if each.strip()] if isinstance(groups, str) else []
    known = {**topic_definitions(), **connect_definitions("topic_creation")}
    for group, count in Counter(listed).items():
        if count > 1:
            problem = f"'{prefix}groups' has the group '{group}' {count} times."
            yield _conflict(f"{prefix}groups", groups, problem, "Name each group once.")
    for group in dict.fromkeys((*listed, "default")):
        yield from _of_group(config, f"{prefix}{group}.")
    for key in keys:
        rest = key.removeprefix(prefix)
        fitting = [each for each in (*listed, "default") if rest.startswith(f"{each}.")]
        group = max(fitting, key=len, default=rest.partition(".")[0])
        rest = rest.removeprefix(f"{group}.")
        if not fitting:
            problem = f"'{key}' has no effect: '{prefix}groups' does not have '{group}'."
            yield _conflict(key, config[key], problem, f"Add '{group}' to '{prefix}groups', or write 'default'.")
        elif rest in known:
            yield from _of_value(key, config[key], known[rest])
        else:
            found = nearest(rest, known)
            near = tuple(f"{prefix}{group}.{each}" for each in found.keys)
            yield _unknown(key, "a topic that a connector creates", near, misspelt=True)
    meant = {f"{prefix}{group}.{rest}" for group in (*listed, "default") for rest in known}
    for rest in ("partitions", "replication.factor"):
        needed = f"{prefix}default.{rest}"
        if needed not in config and not any(nearest(key, [needed]).misspelt for key in keys if key not in meant):
            problem = f"topics are to be created, and there is no '{prefix}default.{rest}'."
            yield _conflict(f"{prefix}default.{rest}", None, problem, f"Declare '{prefix}default.{rest}'.")


def _of_group(config: Mapping[str, object], prefix: str) -> Iterator[Fault]:
    """The settings of topics that contradict each other; regular expressions that Java does not read either."""
    entries = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    for key in ("include", "exclude") if prefix != "topic.creation.default." else ():  # which takes every topic
        if key in entries:
            yield from regex_faults(f"{prefix}{key}", entries[key], listed=True)
    parsed = {}
    for key, value in entries.items():
        with contextlib.suppress(Mismatch):
            if key in topic_definitions() and not is_reference(value) and not _is_unknown(value):
                parsed[key] = topic_definitions()[key].parse(value)
    for fault in topic_conflicts({key: entries[key] for key in parsed}, parsed, None):
        yield replace(fault, key=f"{prefix}{fault.key}")


def _unknown(key: str, whose: str, near: tuple[str, ...], *, misspelt: bool) -> Fault:
    first, *others = (f"'{each}'" for each in near) if near else ("",)
    proposal = f"Write {first}{''.join(f' or {other}' for other in others)}."
    return Fault(
        key=key,
        value=HIDDEN,
        rule="unknown-key",
        severity="error" if misspelt or not is_key(key) else "warning",
        problem=f"'{key}' is not a setting of {whose} in Kafka 3.9, which would ignore it unless a plugin reads it.",
        remedy=proposal if misspelt and near and is_key(key) else unknown_remedy(key),
        nearest=near,
    )


def _conflict(key: str, value: object, problem: str, remedy: str) -> Fault:
    return Fault(key=key, value=HIDDEN if value is not None else None, rule="conflict", problem=problem, remedy=remedy)


def _is_unknown(value: object) -> bool:
    """A reference of Terraform's, whose value only the apply tells."""
    return is_of_terraform(value)


def sensitive_keys(scope: ConnectScope) -> frozenset[str]:
    """Keys of a scope that Kafka itself keeps as passwords."""
    return frozenset(name for name, each in connect_definitions(scope).items() if each.sensitive)
