"""Kafka's definitions, loaded when they are first asked for."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pkgutil import get_data
from types import MappingProxyType
from typing import Any, Literal

from hikube_kafka.spec.definitions.definition import Definition

LISTENER_KEY = re.compile(r"(listener\.name\.[^.]*\.)(.+)")
"""A broker key for one listener: the prefix, and what follows it."""


@cache
def _file(name: str = "kafka-3.9.json") -> dict[str, Any]:
    # get_data and not importlib.resources, which takes four times as long to import (12 ms against 3).
    return json.loads(get_data(__package__, name) or b"")  # type: ignore[no-any-return]  # it is an object


@cache
def topic_definitions() -> Mapping[str, Definition]:
    """Every key of a topic, by name, as of Kafka 3.9."""
    return _definitions("topic")


@cache
def broker_definitions() -> Mapping[str, Definition]:
    """Every key of a broker, by name, as of Kafka 3.9; those of one listener are found by ``broker_definition``."""
    return _definitions("broker")


def broker_definition(key: str) -> Definition | None:
    """The definition behind a broker key, which may carry a listener's prefix and a mechanism's; None: no such key."""
    definitions = broker_definitions()
    if prefixed := LISTENER_KEY.fullmatch(key):
        key = prefixed[2]
        _, dot, under_mechanism = key.partition(".")
        definition = definitions.get(under_mechanism) if dot and key not in definitions else None
        if definition is not None and definition.per_mechanism:
            return definition
    return definitions.get(key)


@cache
def plugin_keys() -> frozenset[str]:
    """Broker keys that Kafka's own plugins read and that it defines nowhere, such as ``super.users``."""
    return frozenset(_file()["plugin_keys"])


@cache
def plugin_prefixes() -> tuple[str, ...]:
    """Prefixes under which Kafka's own plugins read any broker key."""
    return tuple(_file()["plugin_prefixes"])


ConnectScope = Literal["worker", "producer", "consumer", "admin", "sink", "source", "topic_creation"]
"""Whose keys: of a worker, of the clients that it starts (under a prefix), of connectors of each kind."""
PluginKind = Literal["converter", "headerconverter", "transformation", "predicate"]


@cache
def connect_definitions(scope: ConnectScope) -> Mapping[str, Definition]:
    """Every key that Connect itself has in a scope, by name, as of Kafka 3.9."""
    return _described(_file(_CONNECT)[scope])


@cache
def connect_plugins(kind: PluginKind) -> Mapping[str, Mapping[str, Definition]]:
    """The classes of a kind that come with Kafka, each with its keys."""
    return MappingProxyType({name: _described(described) for name, described in _file(_CONNECT)[kind].items()})


_CONNECT = "connect-3.9.json"


def _described(definitions: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Definition]:
    return MappingProxyType(
        {
            name: Definition(**{attribute: _frozen(value) for attribute, value in described.items()}, name=name)
            for name, described in definitions.items()
        }
    )


def _definitions(scope: str) -> Mapping[str, Definition]:
    versions = frozenset(_file()["metadata_versions"])
    return MappingProxyType(
        {
            name: Definition(
                **{attribute: _frozen(value) for attribute, value in described.items()},
                name=name,
                metadata_versions=versions if described.get("form") == "metadata-version" else frozenset(),
            )
            for name, described in _file()[scope].items()
        }
    )


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return MappingProxyType(value) if isinstance(value, dict) else value
