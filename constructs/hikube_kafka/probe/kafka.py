"""Reading Kafka through librdkafka: each broker by itself, for what one of them believes may be stale or wrong."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public names that it does not re-export explicitly
    AdminClient,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)

from hikube_kafka.kafka import connection as reach
from hikube_kafka.kafka.security import PLAINTEXT, ClientSettings
from hikube_kafka.probe.observation import BrokerSeen, KafkaSeen, Metadata, Partition, TopicConfig, Unreadable

LOG = logging.getLogger(f"{__name__}.librdkafka")
"""librdkafka would write to stderr of whoever uses us; what it has to say that matters is in the observation."""
LOG.addHandler(logging.NullHandler())
LOG.propagate = False

_FROM_BOOTSTRAP = -1
"""librdkafka's id of the address it was given, for as long as it does not know which broker that is."""


def observe_kafka(
    bootstrap: Sequence[str],
    settings: ClientSettings = PLAINTEXT,
    *,
    timeout: float = 5.0,
    dial: Mapping[str, str] | None = None,
) -> KafkaSeen:
    """Ask every broker by itself, all at once: those at the addresses, and those that they name besides.

    Args:
        bootstrap: ``host:port`` of brokers.
        settings: How to be let in.
        timeout: Seconds that each read may take.
        dial: Where to dial an address, if elsewhere. Only the first contact can be translated: Kafka's clients go on
            to the addresses that the brokers advertise.
    """
    dial = dial or {}

    def look(address: str) -> BrokerSeen:
        return _broker(address, dial.get(address, address), settings, timeout)

    asked = list(dict.fromkeys(bootstrap))
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        brokers = list(pool.map(look, asked))
        named = _advertised(brokers)
        brokers += pool.map(look, (address for address in named if address not in asked))
    topics = sorted({topic for broker in brokers for topic in _topics(broker)})
    answering = [
        dial.get(broker.address, broker.address) for broker in brokers if isinstance(broker.metadata, Metadata)
    ]
    return KafkaSeen(brokers=tuple(brokers), topic_configs=_topic_configs(answering, topics, settings, timeout))


def admin_client(settings: ClientSettings, bootstrap: str) -> tuple[AdminClient, list[str]]:
    """Make a client that prints nothing, and the list to which it adds why it cannot connect."""
    complaints: list[str] = []

    def complain(error: KafkaError) -> None:
        complaints.append(" ".join(error.str().split()))

    entries: dict[str, Any] = {**settings.toward(bootstrap), "error_cb": complain, "logger": LOG, "log_level": 0}
    return AdminClient(entries), complaints


def explain(error: BaseException, complaints: Sequence[str] = ()) -> str:
    """Say why Kafka did not answer: the client's own complaint, where there is one, tells more than the exception."""
    if complaints:
        return complaints[0]
    if isinstance(error, KafkaException) and error.args and isinstance(error.args[0], KafkaError):
        if error.args[0].code() == KafkaError._PARTIAL:  # noqa: SLF001 - its public name
            # A broker that has not heard from its controller yet lists nobody: that no topic is there is not said.
            return "the broker that answers does not know the cluster yet"
        return " ".join(error.args[0].str().split())
    return reach.reason(error)


def describe_configs(
    client: AdminClient, resources: Sequence[ConfigResource], timeout: float
) -> dict[str, dict[str, ConfigEntry] | Exception]:
    """Describe topics, or one broker, and give the entries, or why there are none, by the resource's name."""
    answers: dict[str, dict[str, ConfigEntry] | Exception] = {}
    for resource, future in client.describe_configs(list(resources), request_timeout=timeout).items():
        try:
            answers[resource.name] = future.result(timeout=timeout + 1)
        except (KafkaException, TimeoutError) as error:
            answers[resource.name] = error
    return answers


def _broker(address: str, dialled: str, settings: ClientSettings, timeout: float) -> BrokerSeen:
    try:
        # The system's own word, at once: librdkafka would try again and again until its time is over.
        reach.dial(dialled, timeout).close()
    except (OSError, ValueError) as error:
        return _unreadable_broker(address, reach.reason(error))
    client, complaints = admin_client(settings, dialled)
    try:
        answer = client.list_topics(timeout=timeout)
    except KafkaException as error:
        client.poll(0)
        return _unreadable_broker(address, explain(error, complaints))
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
    in_force = _settings(client, id_, timeout)
    return BrokerSeen(
        address=address, id=id_, metadata=_own_metadata(client, answer, id_, address, timeout), settings=in_force
    )


def _own_metadata(
    client: AdminClient, answer: ClusterMetadata, id_: int, address: str, timeout: float
) -> Metadata | Unreadable:
    """Ask until the broker itself has answered: librdkafka picks one of its connections at random, and says which."""
    deadline = time.monotonic() + timeout
    while answer.orig_broker_id not in {id_, _FROM_BOOTSTRAP}:
        if time.monotonic() > deadline:
            return Unreadable(f"metadata of the broker at {address}", "other brokers answered in its place")
        try:
            answer = client.list_topics(timeout=timeout)
        except KafkaException as error:
            return Unreadable(f"metadata of the broker at {address}", explain(error))
    return _metadata(answer)


def _unreadable_broker(address: str, reason: str) -> BrokerSeen:
    return BrokerSeen(
        address=address,
        id=None,
        metadata=Unreadable(f"metadata of the broker at {address}", reason),
        settings=Unreadable(f"settings of the broker at {address}", reason),
    )


def _metadata(answer: ClusterMetadata) -> Metadata:
    return Metadata(
        cluster_id=answer.cluster_id,
        controller=None if answer.controller_id < 0 else answer.controller_id,
        brokers=_addresses(answer),
        topics={
            name: Unreadable(f"topic {name}", topic.error.str())
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
    return {id_: f"{broker.host}:{broker.port}" for id_, broker in sorted(answer.brokers.items())}


def _advertised(brokers: Iterable[BrokerSeen]) -> list[str]:
    views = [broker.metadata.brokers for broker in brokers if isinstance(broker.metadata, Metadata)]
    return list(dict.fromkeys(address for view in views for address in view.values()))


def _topics(broker: BrokerSeen) -> Iterable[str]:
    return broker.metadata.topics if isinstance(broker.metadata, Metadata) else ()


def _settings(client: AdminClient, id_: int, timeout: float) -> Mapping[str, str | None] | Unreadable:
    name = str(id_)
    entries = describe_configs(client, [ConfigResource(ResourceType.BROKER, name)], timeout)[name]
    if isinstance(entries, Exception):
        return Unreadable(f"settings of broker {id_}", explain(entries))
    return {key: entry.value for key, entry in entries.items()}


def _topic_configs(
    answering: Sequence[str], topics: Sequence[str], settings: ClientSettings, timeout: float
) -> dict[str, TopicConfig | Unreadable]:
    if not topics:
        return {}
    client, complaints = admin_client(settings, ",".join(answering))
    answers = describe_configs(client, [ConfigResource(ResourceType.TOPIC, topic) for topic in topics], timeout)
    return {
        topic: Unreadable(f"configuration of topic {topic}", explain(entries, complaints))
        if isinstance(entries, Exception)
        else TopicConfig(
            in_force={key: entry.value for key, entry in entries.items()},
            own=frozenset(
                key for key, entry in entries.items() if ConfigSource(entry.source) == ConfigSource.DYNAMIC_TOPIC_CONFIG
            ),
        )
        for topic, entries in answers.items()
    }
