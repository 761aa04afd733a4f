"""The faults of a topic's or a broker's configuration, all of them at once."""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from hikube_kafka.spec.definitions.catalog import (
    LISTENER_KEY,
    broker_definition,
    broker_definitions,
    plugin_keys,
    plugin_prefixes,
    topic_definitions,
)
from hikube_kafka.spec.definitions.conflicts import broker_conflicts, topic_conflicts
from hikube_kafka.spec.definitions.definition import Definition, Mismatch, Parsed, providers_named
from hikube_kafka.spec.definitions.fault import HIDDEN, Fault
from hikube_kafka.spec.definitions.nearest import is_key, nearest, spelling, unknown_remedy
from hikube_kafka.spec.quantities import whole

PLATFORM_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "advertised.listeners": "listeners",
        "broker.id": "brokers",
        "broker.id.generation.enable": "brokers",
        "broker.rack": "racks",
        "control.plane.listener.name": "listeners",
        "early.start.listeners": "listeners",
        "inter.broker.listener.name": "listeners",
        "listener.security.protocol.map": "listeners",
        "listeners": "listeners",
        "log.dir": "storage",
        "log.dirs": "storage",
        "reserved.broker.max.id": "brokers",
        "security.inter.broker.protocol": "listeners",
        "zookeeper.connect": "zookeeper",
    }
)
"""Broker keys that the platform computes, each with the field of the declaration that decides it."""

_TOPIC_FIELDS = {
    "name": "name",
    "topic": "name",
    "topicname": "name",
    "partitions": "partitions",
    "partitioncount": "partitions",
    "numpartitions": "partitions",
    "replicas": "replication_factor",
    "replication": "replication_factor",
    "replicationfactor": "replication_factor",
    "defaultreplicationfactor": "replication_factor",
    "deletionprotection": "deletion_protection",
}
"""Fields of a topic's declaration that people write as entries, by the spelling of the entry."""

# The keys under which a storage plugin's prefix is set; what stands under that prefix is the plugin's own.
_PREFIX_KEYS = ("remote.log.storage.manager.impl.prefix", "remote.log.metadata.manager.impl.prefix")


def check_topic_config(config: Mapping[str, object], *, broker: Mapping[str, object] | None = None) -> list[Fault]:
    """Everything that is wrong with the configuration entries of one topic.

    Args:
        config: The entries, by Kafka's key; values as declared (``True`` and ``"true"`` are the same).
        broker: The brokers' configuration, whose values stand in for what the topic leaves out; None when it is not
            known, and then nothing is said that depends on it.
    """
    faults: list[Fault] = []
    parsed: dict[str, Parsed] = {}
    for key, value in config.items():
        definition = topic_definitions().get(key)
        if definition is None:
            faults.append(_no_topic_key(key, value))
        else:
            faults.extend(_entry_faults(key, value, definition, parsed))
    faults.extend(topic_conflicts(config, parsed, broker))
    return faults


def check_broker_config(config: Mapping[str, object]) -> list[Fault]:
    """Everything that is wrong with the configuration entries that a user declares for the brokers.

    A complete ``server.properties`` of the platform's own can be checked too: its faults of the rule ``platform-key``
    are then to be passed over.

    Args:
        config: The entries, by Kafka's key; values as declared.
    """
    faults: list[Fault] = []
    parsed: dict[str, Parsed] = {}
    for key, value in config.items():
        definition = broker_definition(key)
        if definition is None:
            if not _is_plugin_key(key, config):
                faults.append(_no_broker_key(key, value))
            continue
        faults.extend(_place_faults(key, value, definition))
        known = not _comes_from_a_provider(value, config)
        faults.extend(_entry_faults(key, value, definition, parsed, known=known))
    faults.extend(broker_conflicts(config, parsed))
    return faults


def _comes_from_a_provider(value: object, config: Mapping[str, object]) -> bool:
    """Whether a broker takes the value from where a reference says; of a provider that nobody declared it is text."""
    declared = config.get("config.providers")
    providers = {each.strip() for each in declared.split(",")} if isinstance(declared, str) else set()
    return bool(providers_named(value) & providers)


def _entry_faults(
    key: str, value: object, definition: Definition, parsed: dict[str, Parsed], *, known: bool = True
) -> Iterator[Fault]:
    """The faults of one entry on its own; its parsed value goes into ``parsed`` if it has one that is known."""
    shown = HIDDEN if definition.sensitive else value
    if definition.deprecated or definition.internal:
        yield Fault(
            key=key,
            value=shown,
            rule="deprecated" if definition.deprecated else "internal",
            severity="warning",
            problem=f"'{key}' is {'deprecated' if definition.deprecated else 'meant for tests of Kafka itself'}.",
            remedy="Leave it out, unless you know why it is needed.",
        )
    if not known:
        return
    try:
        parsed[key] = definition.parse(value)
    except Mismatch as mismatch:
        yield Fault(
            key=key,
            value=shown,
            rule=mismatch.rule,
            problem=f"'{key}' is {shown if definition.sensitive else repr(value)}, and must be {mismatch.demand}.",
            remedy=_better_value(definition, value),
        )


def _better_value(definition: Definition, value: object) -> str:
    if isinstance(value, float) and value.is_integer() and definition.check(int(value)) is None:
        return f"Write {int(value)}."
    if isinstance(value, str):
        for choice in definition.allowed:
            if spelling(choice) == spelling(value):
                return f"Write '{choice}'."
    if definition.default is None:
        return "Write such a value, or leave the entry out."
    return f"Write such a value, or leave the entry out: Kafka's default is '{definition.default}'."


def _place_faults(key: str, value: object, definition: Definition) -> Iterator[Fault]:
    """The faults of a broker key that is real but does not belong where it stands."""
    shown = HIDDEN if definition.sensitive else value
    if definition.kraft:
        yield Fault(
            key=key,
            value=shown,
            rule="kraft-key",
            problem=f"'{key}' belongs to brokers without ZooKeeper (KRaft), and those of this platform use it.",
            remedy="Leave it out.",
        )
    elif field := PLATFORM_KEYS.get(key):
        yield Fault(
            key=key,
            value=shown,
            rule="platform-key",
            problem=f"'{key}' is computed by the platform for each broker and cannot be a configuration entry.",
            remedy=f"Leave it out; the field '{field}' of the declaration decides it.",
        )
    if (prefixed := LISTENER_KEY.fullmatch(key)) and (lowered := _lowered(prefixed[1], prefixed[2], definition)) != key:
        yield Fault(
            key=key,
            value=shown,
            rule="listener-name",
            problem=f"'{key}' would be ignored: Kafka looks for listeners and mechanisms in small letters.",
            remedy=f"Write '{lowered}'.",
            nearest=(lowered,),
        )


def _lowered(prefix: str, rest: str, definition: Definition) -> str:
    mechanism = rest.removesuffix(definition.name)
    return prefix.lower() + mechanism.lower() + definition.name


def _is_plugin_key(key: str, config: Mapping[str, object]) -> bool:
    prefixes = [*plugin_prefixes()]
    for name in _PREFIX_KEYS:
        definition = broker_definitions()[name]
        prefix = config.get(name, definition.default)
        prefixes += [prefix] if isinstance(prefix, str) and prefix else []
    return key in plugin_keys() or key.startswith(tuple(prefixes))


def _no_topic_key(key: str, value: object) -> Fault:
    if field := _TOPIC_FIELDS.get(spelling(key)):
        return Fault(
            key=key,
            value=value,
            rule="declaration-field",
            problem=f"'{key}' ({value!r}) is not a configuration entry of a topic.",
            remedy=f"Set the topic's own field '{field}'.",
            nearest=(field,),
        )
    found = nearest(key, topic_definitions())
    exact = found.keys and spelling(found.keys[0]) == spelling(key)
    broker_keys = _topic_keys_by_broker_key()
    real = nearest(key, broker_keys)
    # A misspelt key of a topic stays that, unless a broker's key is written out in full.
    if not exact and real.misspelt and (not found.misspelt or spelling(real.keys[0]) == spelling(key)):
        topic_key = broker_keys[real.keys[0]]
        return Fault(
            key=key,
            value=value,
            rule="other-scope",
            problem=f"'{key}' ({value!r}) is not a setting of a topic; "
            f"brokers have '{_full_broker_key(real.keys[0])}'.",
            remedy=f"Write {_converted(topic_key, real.keys[0], value)}.",
            nearest=(topic_key,),
        )
    if not exact and key in broker_definitions():
        return Fault(
            key=key,
            value=HIDDEN if broker_definitions()[key].sensitive else value,
            rule="other-scope",
            problem=f"'{key}' is a setting of the brokers; a topic has none like it.",
            remedy="Move it to the configuration of the brokers, or leave it out.",
        )
    return Fault(
        key=key,
        value=value,
        rule="unknown-key",
        problem=f"'{key}' ({value!r}) is not a setting of a topic in Kafka 3.9, which would refuse it.",
        remedy=_proposal(found.keys),
        nearest=found.keys,
    )


@cache
def _topic_keys_by_broker_key() -> Mapping[str, str]:
    """The topic key behind each broker key, also by the broker key without its prefix: ``retention.hours``."""
    found: dict[str, str] = {}
    for definition in topic_definitions().values():
        for broker_key in definition.broker_keys:
            for name in (broker_key, broker_key.removeprefix("log."), broker_key.removeprefix("log.cleaner.")):
                if name not in topic_definitions():
                    found[name] = definition.name
    return found


def _full_broker_key(name: str) -> str:
    return next(prefix + name for prefix in ("", "log.", "log.cleaner.") if prefix + name in broker_definitions())


def _converted(topic_key: str, broker_key: str, value: object) -> str:
    """The entry that says for a topic what a broker's entry says, in the topic's unit."""
    definition = topic_definitions()[topic_key]
    unit = definition.broker_keys.get(_full_broker_key(broker_key), 1)
    number = whole(str(value))
    if number is None:
        return f"'{topic_key}'"
    return f"'{topic_key}' = {number * unit if number > 0 else number}"


def _no_broker_key(key: str, value: object) -> Fault:
    # The value is not shown: nobody knows whether an unknown key holds a secret.
    prefix, name = (prefixed[1], prefixed[2]) if (prefixed := LISTENER_KEY.fullmatch(key)) else ("", key)
    found = nearest(name, broker_definitions())
    exact = found.keys and spelling(found.keys[0]) == spelling(name)
    topic_key = next((real for real in topic_definitions() if spelling(real) == spelling(name)), None)
    if topic_key and not exact:
        broker_keys = tuple(topic_definitions()[topic_key].broker_keys)
        return Fault(
            key=key,
            value=value,
            rule="other-scope",
            problem=f"'{key}' ({value!r}) is a setting of topics, which brokers would ignore.",
            remedy=f"Write '{broker_keys[0]}'." if broker_keys else "Declare it for the topics that need it.",
            nearest=broker_keys[:1],
        )
    proposals = tuple(prefix + real for real in found.keys)
    return Fault(
        key=key,
        value=HIDDEN,
        rule="unknown-key",
        severity="error" if found.misspelt or not is_key(key) else "warning",
        problem=f"'{key}' is not a setting of a broker in Kafka 3.9, which would ignore it unless a plugin reads it.",
        remedy=_proposal(proposals) if found.misspelt else unknown_remedy(key),
        nearest=proposals,
    )


def _proposal(keys: tuple[str, ...]) -> str:
    if not keys:
        return "Leave it out, or check the key in Kafka's documentation."
    first, *others = (f"'{key}'" for key in keys)
    return f"Write {first}{''.join(f' or {other}' for other in others)}."
