"""Reading Kafka through librdkafka: each broker by itself, for what one of them believes may be stale or wrong."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka.admin import (  # public names that it does not re-export explicitly
    ClusterMetadata,
    ConfigResource,
    ConfigSource,
    ResourceType,
)

from hikube_kafka.kafka.address import join
from hikube_kafka.kafka.connection import Connection, dial_any
from hikube_kafka.kafka.errors import Denied, Unreachable, explain, is_forbidden
from hikube_kafka.kafka.security import PLAINTEXT, Credentials
from hikube_kafka.probe.observation import BrokerSeen, KafkaSeen, Metadata, Partition, TopicConfig, Unreadable
from hikube_kafka.waiting import until

_FROM_BOOTSTRAP = -1
"""librdkafka's id of the address it was given, for as long as it does not know which broker that is."""


def observe_kafka(
    bootstrap: Sequence[str],
    credentials: Credentials = PLAINTEXT,
    *,
    timeout: float = 5.0,
    dial: Mapping[str, str] | None = None,
    topic_configs: bool = True,
) -> KafkaSeen:
    """Ask every broker by itself, all at once: those at the addresses, and those that they name besides.

    Args:
        bootstrap: ``host:port`` of brokers.
        credentials: How to be let in.
        timeout: Seconds that each read may take.
        dial: Where to dial an address, if elsewhere. Only the first contact can be translated: Kafka's clients go on
            to the addresses that the brokers advertise.
        topic_configs: Whether the configuration of all topics is read as well.
    """
    dial = dial or {}

    def look(address: str) -> BrokerSeen:
        return _broker(address, dial.get(address, address), credentials, timeout)

    asked = list(dict.fromkeys(bootstrap))
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        brokers = list(pool.map(look, asked))
        named = _advertised(brokers)
        brokers += pool.map(look, (address for address in named if address not in asked))
    topics = sorted({topic for broker in brokers for topic in _topics(broker)}) if topic_configs else []
    answering = [
        dial.get(broker.address, broker.address) for broker in brokers if isinstance(broker.metadata, Metadata)
    ]
    return KafkaSeen(brokers=tuple(brokers), topic_configs=_topic_configs(answering, topics, credentials, timeout))


def read_metadata(address: str, credentials: Credentials = PLAINTEXT, *, timeout: float) -> Metadata | Unreadable:
    """Ask the broker at an address for what it knows of the cluster.

    Args:
        address: Its ``host:port``.
        credentials: How to be let in.
        timeout: Seconds to wait for a connection, and for the answer.
    """
    try:
        _, answer = _ask(address, credentials, timeout)
    except (Unreachable, Denied) as problem:
        return Unreadable(f"metadata of the broker at {address}", problem.reason, lasting=_lasts(problem))
    return _metadata(answer)


def _ask(address: str, credentials: Credentials, timeout: float) -> tuple[Connection, ClusterMetadata]:
    """Connect anew, so that it is the broker at this address that answers, and no other that librdkafka knows by now.

    Raises:
        Unreachable: It does not answer.
        Denied: The client is not let in.
    """
    # The system's own word, at once: librdkafka would try again and again until its time is over.
    dial_any(address, timeout)
    connection = Connection(address, credentials)
    return connection, connection.metadata(timeout)


def _broker(address: str, dialled: str, credentials: Credentials, timeout: float) -> BrokerSeen:
    try:
        connection, answer = _ask(dialled, credentials, timeout)
    except (Unreachable, Denied) as problem:
        return _unreadable_broker(address, problem)
    id_ = next((id_ for id_, advertised in _addresses(answer).items() if advertised == address), None)
    if id_ is None:
        nobody = f"no broker advertises {address}; advertised are {', '.join(_addresses(answer).values()) or 'none'}"
        return BrokerSeen(
            address=address,
            id=None,
            metadata=_metadata(answer),
            settings=Unreadable(f"settings of the broker at {address}", nobody),
        )
    # The order matters: this request goes to the broker itself and opens librdkafka's connection with it.
    in_force, secrets = _settings(connection, id_, timeout)
    return BrokerSeen(
        address=address,
        id=id_,
        metadata=_own_metadata(connection, answer, id_, address, timeout),
        settings=in_force,
        secrets=secrets,
    )


def _own_metadata(
    connection: Connection, answer: ClusterMetadata, id_: int, address: str, timeout: float
) -> Metadata | Unreadable:
    """Ask until the broker itself has answered: librdkafka picks one of its connections at random, and says which."""
    what = f"metadata of the broker at {address}"

    def is_own() -> bool:
        nonlocal answer
        if answer.orig_broker_id not in {id_, _FROM_BOOTSTRAP}:
            answer = connection.metadata(timeout)
        return answer.orig_broker_id in {id_, _FROM_BOOTSTRAP}

    try:
        in_time = until(is_own, timeout, every=0)
    except (Unreachable, Denied) as problem:
        return Unreadable(what, problem.reason, lasting=_lasts(problem))
    return _metadata(answer) if in_time else Unreadable(what, f"for {timeout:g} s, others answered in its place")


def _lasts(problem: Unreachable | Denied) -> bool:
    return isinstance(problem, Denied) and problem.lasting


def _unreadable_broker(address: str, problem: Unreachable | Denied) -> BrokerSeen:
    lasting = _lasts(problem)
    return BrokerSeen(
        address=address,
        id=None,
        metadata=Unreadable(f"metadata of the broker at {address}", problem.reason, lasting=lasting),
        settings=Unreadable(f"settings of the broker at {address}", problem.reason, lasting=lasting),
    )


def _metadata(answer: ClusterMetadata) -> Metadata:
    return Metadata(
        cluster_id=answer.cluster_id,
        controller=None if answer.controller_id < 0 else answer.controller_id,
        brokers=_addresses(answer),
        topics={
            name: Unreadable(f"topic {name}", topic.error.str(), lasting=is_forbidden(topic.error))
            if topic.error is not None
            else {
                number: Partition(
                    leader=None if partition.leader < 0 else partition.leader,
                    replicas=tuple(partition.replicas),
                    in_sync=tuple(partition.isrs),
                )
                for number, partition in sorted(topic.partitions.items())
            }
            for name, topic in sorted(answer.topics.items())
        },
    )


def _addresses(answer: ClusterMetadata) -> dict[int, str]:
    return {id_: join(str(broker.host), broker.port) for id_, broker in sorted(answer.brokers.items())}


def _advertised(brokers: Iterable[BrokerSeen]) -> list[str]:
    views = [broker.metadata.brokers for broker in brokers if isinstance(broker.metadata, Metadata)]
    return list(dict.fromkeys(address for view in views for address in view.values()))


def _topics(broker: BrokerSeen) -> Iterable[str]:
    return broker.metadata.topics if isinstance(broker.metadata, Metadata) else ()


def _settings(
    connection: Connection, id_: int, timeout: float
) -> tuple[Mapping[str, str | None] | Unreadable, frozenset[str]]:
    name = str(id_)
    entries = connection.describe_configs([ConfigResource(ResourceType.BROKER, name)], timeout)[name]
    if isinstance(entries, Exception):
        return Unreadable(f"settings of broker {id_}", explain(entries), lasting=is_forbidden(entries)), frozenset()
    secrets = frozenset(key for key, entry in entries.items() if entry.is_sensitive)
    return {key: entry.value for key, entry in entries.items()}, secrets


def _topic_configs(
    answering: Sequence[str], topics: Sequence[str], credentials: Credentials, timeout: float
) -> dict[str, TopicConfig | Unreadable]:
    if not topics:
        return {}
    connection = Connection(",".join(answering), credentials)
    answers = connection.describe_configs([ConfigResource(ResourceType.TOPIC, topic) for topic in topics], timeout)
    return {
        topic: Unreadable(
            f"configuration of topic {topic}", connection.explained(entries).reason, lasting=is_forbidden(entries)
        )
        if isinstance(entries, Exception)
        else TopicConfig(
            in_force={key: entry.value for key, entry in entries.items()},
            own=frozenset(
                key for key, entry in entries.items() if ConfigSource(entry.source) == ConfigSource.DYNAMIC_TOPIC_CONFIG
            ),
        )
        for topic, entries in answers.items()
    }
