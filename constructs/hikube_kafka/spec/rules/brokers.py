"""What concerns the brokers: their number, heap, listeners and configuration."""

import unicodedata
from collections import Counter
from collections.abc import Iterator

from hikube_kafka.spec import definitions
from hikube_kafka.spec.mistakes import of_config
from hikube_kafka.spec.platform import WANTED_REPLICAS, Platform
from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.properties import cluster_settings, overrides
from hikube_kafka.spec.quantities import whole
from hikube_kafka.spec.resources import BROKER_HEAP
from hikube_kafka.spec.rules.heap import heap_problems
from hikube_kafka.spec.rules.platform import wins
from hikube_kafka.spec.topic_limits import (
    FACTOR_ABOVE_BROKERS,
    MIN_INSYNC_TOO_HIGH,
    leaves_no_room,
    wanted_min_insync,
)

SINGLE = Rule(
    id="broker-single",
    severity="warning",
    message="a single broker holds the only copy of every message.",
    why="While it is away nobody reads or writes, and its disk is all there is.",
    remedy="Declare 3 or more outside development.",
)
RACK_NAME = Rule(
    id="rack-name",
    severity="error",
    message="{rack!r} {fault}.",
    why="Kafka drops white space around a rack and takes an empty one for a rack as well: the broker would register "
    "another one than declared.",
    remedy="{instead}.",
    message_in_general="a rack is empty, has white space around it, or control characters.",
    remedy_in_general='Name every rack, such as "zone-a", or declare none.',
)
FACTOR_LOW = Rule(
    id="replication-factor-low",
    severity="warning",
    message="{declared}.",
    why="Below three copies, a failure while a broker restarts makes partitions unavailable.",
    remedy="Declare {wanted}.",
    message_in_general="a topic has fewer than three copies, or two brokers hold two copies at most.",
    remedy_in_general="Declare 3 where the messages matter, and 3 brokers or more outside development.",
)
LISTENER_DUPLICATE = Rule(
    id="listener-duplicate",
    severity="error",
    message="{count} listeners have the {what} {value}.",
    why="Two listeners cannot share a name or a port.",
    remedy="Give each a {what} of its own.",
)
LISTENER_MECHANISM = Rule(
    id="listener-mechanism",
    severity="error",
    message="protocol {protocol} {wanted}.",
    why="A SASL listener without a mechanism lets nobody in; a mechanism without SASL protects nothing.",
    remedy="Declare a mechanism with SASL_SSL or SASL_PLAINTEXT, and none with the others.",
    message_in_general="its protocol needs a mechanism, or cannot use one.",
)
LISTENER_PLAINTEXT = Rule(
    id="listener-plaintext",
    severity="warning",
    message="protocol {protocol} does not encrypt: {readable} can be read on the way.",
    why="What travels in the clear can be read on the way.",
    remedy="Declare SSL or SASL_SSL where the network is not yours alone.",
)
CONFIG_SECRET = Rule(
    id="broker-config-secret",
    severity="error",
    message="{key} is a secret, and would stand in the stack, the state and the contract.",
    why="What is declared is read by everyone who reads the stack, the plan, the state or the contract.",
    remedy="Leave the value with the broker and name the place: ${{file:/path/to/file:key}}, with config.providers.",
)

_FACTORS = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
)
_IN_SYNC = {
    "min.insync.replicas": "default.replication.factor",
    "transaction.state.log.min.isr": "transaction.state.log.replication.factor",
}


def racks_are_named(platform: Platform) -> Iterator[Problem]:
    """A rack under which no broker would be registered."""
    for rack in dict.fromkeys(platform.kafka.racks):
        if fault := rack_fault(rack):
            bare = rack.strip()
            instead = (
                f'Write "{bare}"' if rack_fault(bare) == "" else 'Name every rack, such as "zone-a", or declare none'
            )
            yield RACK_NAME("kafka.racks", rack=rack, fault=fault, instead=instead)


def rack_fault(rack: str) -> str:
    """Why no broker would be registered in the rack; empty if one would be."""
    if not rack.strip():
        return "is not a name"
    if rack != rack.strip():
        return "has white space around it"
    return "has control characters" if any(unicodedata.category(char) == "Cc" for char in rack) else ""


def user_config_wins(platform: Platform) -> Iterator[Problem]:
    """An entry that the user sets and the platform would have computed."""
    return wins(overrides(platform))


def not_alone(platform: Platform) -> Iterator[Problem]:
    """One broker, which is for development."""
    if platform.kafka.brokers == 1:
        yield SINGLE("kafka.brokers")


def enough_for_three_copies(platform: Platform) -> Iterator[Problem]:
    """Two brokers, which hold two copies."""
    if 1 < platform.kafka.brokers < WANTED_REPLICAS:
        brokers = platform.kafka.brokers
        yield FACTOR_LOW(
            "kafka.brokers",
            declared=f"{brokers} brokers hold at most {brokers} copies of a message, and accept a write that reached "
            "one of them",
            wanted="3 or more outside development",
        )


def heap_fits(platform: Platform) -> Iterator[Problem]:
    """A heap that the memory of a broker cannot hold."""
    return heap_problems("kafka", BROKER_HEAP, platform.kafka.heap, platform.kafka.resources)


def listeners_differ(platform: Platform) -> Iterator[Problem]:
    """A name or a port that several listeners have."""
    for what in ("name", "port"):
        counted = Counter(getattr(listener, what) for listener in platform.kafka.listeners)
        for value, count in sorted(counted.items()):
            if count > 1:
                yield LISTENER_DUPLICATE("kafka.listeners", count=count, what=what, value=value)


def listener_security_is_whole(platform: Platform) -> Iterator[Problem]:
    """SASL without a mechanism, or a mechanism without SASL."""
    for listener in platform.kafka.listeners:
        if listener.protocol.authenticates != (listener.mechanism is not None):
            wanted = "needs a mechanism" if listener.mechanism is None else "cannot use a mechanism"
            yield LISTENER_MECHANISM(f"listener {listener.name}", protocol=listener.protocol, wanted=wanted)


def listener_encrypts(platform: Platform) -> Iterator[Problem]:
    """A listener that does not encrypt."""
    for listener in platform.kafka.listeners:
        if not listener.protocol.encrypts:
            readable = f"messages{' and passwords' if listener.protocol.authenticates else ''}"
            yield LISTENER_PLAINTEXT(f"listener {listener.name}", protocol=listener.protocol, readable=readable)


def config_is_kafkas(platform: Platform) -> Iterator[Problem]:
    """An entry that Kafka does not have, or a value that it does not take."""
    config = platform.kafka.config
    yield from of_config("kafka.config", config, definitions.broker_config_problems("kafka.config", config))


def config_holds_no_secret(platform: Platform) -> Iterator[Problem]:
    """A secret, in place of a reference to it."""
    for key, value in platform.kafka.config.items():
        definition = definitions.broker_definition(key)
        if definition and definition.sensitive and not definitions.is_reference(value):
            yield CONFIG_SECRET("kafka.config", key=key)


def factors_fit(platform: Platform) -> Iterator[Problem]:
    """A replication factor in the brokers' configuration that is larger than their number."""
    settings, brokers = cluster_settings(platform), platform.kafka.brokers
    for key in _FACTORS:
        factor = whole(settings[key])
        if factor is not None and factor > brokers:
            yield FACTOR_ABOVE_BROKERS(
                "kafka.config",
                declared=f"{key} = {settings[key]}",
                brokers=there_are(brokers),
                most=brokers,
                instead="drop it: it is computed",
            )


def min_insync_leaves_room(platform: Platform) -> Iterator[Problem]:
    """A min ISR in the brokers' configuration that is as large as the replication factor."""
    settings = cluster_settings(platform)
    for key, factor_key in _IN_SYNC.items():
        factor = whole(settings[factor_key])
        if factor is not None and factor > 0 and leaves_no_room(settings[key], factor):
            yield MIN_INSYNC_TOO_HIGH(
                "kafka.config",
                key=key,
                least=settings[key],
                factor=f"{factor_key} = {factor}",
                wanted=wanted_min_insync(factor),
                instead="drop it: it is computed",
            )


def there_are(brokers: int) -> str:
    """How many brokers there are, as a clause."""
    return f"there {'is 1 broker' if brokers == 1 else f'are {brokers} brokers'}"
