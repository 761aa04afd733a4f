"""The complete ``server.properties`` of each broker, and which entries a user's own replaced.

Every number that a broker runs with is computed here, from the declaration: no template and no start script adds
another. :mod:`hikube_kafka.spec.zoo_cfg` has those of its coordinator.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hikube_kafka.spec import definitions
from hikube_kafka.spec.kafka import Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.topic import ConfigValue, Topic
from hikube_kafka.spec.topic_limits import leaves_no_room, wanted_min_insync


def text(value: ConfigValue) -> str:
    """A configuration value as Kafka reads it: ``True`` is ``true``, ``1.0`` stays ``1.0``, text loses its margins."""
    return definitions.spelled(None, value)


@dataclass(frozen=True, kw_only=True)
class Override:
    """An entry of the user's that replaced a computed one."""

    where: str
    """``kafka.config`` or ``zookeeper.config``."""
    key: str
    declared: str
    computed: str


@dataclass(frozen=True, kw_only=True)
class BrokerAddress:
    """Where one listener of one broker is met."""

    bind: str
    """``host:port`` to listen on; an empty host means every interface."""
    advertised: str
    """``host:port`` that clients are told to use."""


def cluster_settings(platform: Platform) -> dict[str, str]:
    """Broker entries that are the same on every broker: what was computed, with the user's own on top."""
    return _computed_settings(platform) | {key: text(value) for key, value in platform.kafka.config.items()}


def _computed_settings(platform: Platform) -> dict[str, str]:
    replicas = platform.default_replication_factor
    in_sync = wanted_min_insync(replicas)
    return {
        # A topic that nobody declared is a topic that nobody sized or protects.
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(replicas),
        "min.insync.replicas": str(in_sync),
        # For a tool that asks for none. Not one per broker: a further broker is no reason to restart the others.
        "num.partitions": str(replicas),
        # Kafka's own default for these is 3, which a smaller cluster can never satisfy: consumers would hang.
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(in_sync),
        # A follower that has lost its leader sleeps this long, Kafka's own 1000 ms unless told otherwise, and does not
        # take up another leader until it wakes. All that waits for that broker's acknowledgement waits as well.
        "replica.fetch.backoff.ms": "100",
        # An out-of-sync leader loses acknowledged messages: never on its own.
        "unclean.leader.election.enable": "false",
        # A broker that nobody can know to be dead, as on a node that is unplugged, keeps its partitions without a
        # leader until its session ends: 4 s, eight of ZooKeeper's ticks, in place of Kafka's 18 s.
        "zookeeper.session.timeout.ms": "4000",
    }


def server_properties(
    platform: Platform,
    *,
    broker: str,
    rack: str | None,
    listeners: tuple[Listener, ...],
    addresses: Mapping[str, BrokerAddress],
    coordinator: Mapping[str, str],
    data: str,
) -> dict[str, str]:
    """The complete ``server.properties`` of one broker, or of all with what differs left to fill in.

    Args:
        platform: the declaration.
        broker: the broker's id.
        rack: its rack; None means none.
        listeners: its doors; the brokers use the first among themselves.
        addresses: where each listener is met, by the listener's name.
        coordinator: the entries that lead to what coordinates the brokers: ``zookeeper.connect``.
        data: the folder of the log segments, absolute or relative to the process's own folder.
    """
    own = {
        "broker.id": broker,
        "log.dirs": data,
        **coordinator,
        "listeners": ",".join(f"{each.kafka_name}://{addresses[each.name].bind}" for each in listeners),
        "advertised.listeners": ",".join(
            f"{each.kafka_name}://{addresses[each.name].advertised}" for each in listeners
        ),
        "listener.security.protocol.map": ",".join(f"{each.kafka_name}:{each.protocol}" for each in listeners),
        "inter.broker.listener.name": listeners[0].kafka_name,
        **_sasl(listeners),
    }
    return dict(sorted((cluster_settings(platform) | own | ({"broker.rack": rack} if rack else {})).items()))


def _sasl(listeners: tuple[Listener, ...]) -> dict[str, str]:
    mechanisms = sorted({str(each.mechanism) for each in listeners if each.mechanism})
    if not mechanisms:
        return {}
    between_brokers = listeners[0].mechanism
    return {"sasl.enabled.mechanisms": ",".join(mechanisms)} | (
        {"sasl.mechanism.inter.broker.protocol": str(between_brokers)} if between_brokers else {}
    )


def topic_config(platform: Platform, topic: Topic) -> dict[str, str]:
    """The entries to set on the topic itself: the declared ones, and a min ISR where the brokers' would not fit.

    Kafka asks for no more in-sync replicas than a topic has; the topic says so itself, for whoever reads it, and so
    that one of its brokers may be away.
    """
    # In the text that Kafka itself would answer with: a plan shows no difference where there is none. What Kafka would
    # refuse, a rule of the declaration refuses, in the user's own words.
    known = definitions.topic_definitions()
    declared = {key: definitions.spelled(known.get(key), value) for key, value in topic.config.items()}
    cluster_wide = cluster_settings(platform)["min.insync.replicas"]
    factor = platform.replication_factor(topic)
    if "min.insync.replicas" not in declared and leaves_no_room(cluster_wide, factor):
        declared["min.insync.replicas"] = str(wanted_min_insync(factor))
    return dict(sorted(declared.items()))


def replaced(where: str, declared: Mapping[str, ConfigValue], computed: Mapping[str, str]) -> list[Override]:
    """Every declared entry that replaced a computed one by another value, in a stable order."""
    return [
        Override(where=where, key=key, declared=text(declared[key]), computed=computed[key])
        for key in sorted(declared.keys() & computed.keys())
        if text(declared[key]) != computed[key]
    ]


def overrides(platform: Platform) -> list[Override]:
    """Every entry of the user's that replaced a computed one of the brokers."""
    return replaced("kafka.config", platform.kafka.config, _computed_settings(platform))
