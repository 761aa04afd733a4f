"""Whether a topic is there: one that a list of all topics does not show may be hidden, not known yet, or gone.

A list of all topics leaves out those that the client's principal may not describe, and a broker that has just started
lists brokers before it knows of any topic. So a missing topic is asked for by name, and then the controller is asked,
whose answer comes from where the topics are kept and not from what a broker has heard of them by now.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from hikube_kafka.kafka.connection import Connection
from hikube_kafka.kafka.errors import Denied, Forbidden, Unanswered, Unreachable
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.probe.observation import Metadata, Unreadable, agreed

QUESTION = "whether topics exist"
"""What is asked here, for an error."""

Answer = bool | Denied | Unreachable | None
"""Whether the topic is there, or why that is not told; None: the client may not ask the controller."""

_NAMES_PER_REQUEST = 1000
_THERE = frozenset({"INVALID_PARTITIONS", "REASSIGNMENT_IN_PROGRESS"})
"""What the controller says of a topic that is to have one partition: it has that many or more, or is being moved."""
_GONE = frozenset({"UNKNOWN_TOPIC_OR_PART", "TOPIC_EXCEPTION"})
"""There is none; or it is queued for deletion."""


def asked_for(connection: Connection, names: Sequence[str], timeout: float) -> dict[str, Answer]:
    """Ask for topics by name: first any broker, then, of those that it does not know, the controller.

    Neither request makes or changes a topic, whatever the brokers' ``auto.create.topics.enable``.

    Args:
        connection: To the cluster.
        names: Topics that a list of all topics does not show.
        timeout: Seconds that each answer may take.
    """
    answers: dict[str, Answer] = {}
    for start in range(0, len(names), _NAMES_PER_REQUEST):
        answers |= _by_name(connection, names[start : start + _NAMES_PER_REQUEST], timeout)
    unknown = [name for name, answer in answers.items() if answer is False]
    for start in range(0, len(unknown), _NAMES_PER_REQUEST):
        answers |= _by_controller(connection, unknown[start : start + _NAMES_PER_REQUEST], timeout)
    return answers


def _by_name(connection: Connection, names: Sequence[str], timeout: float) -> dict[str, Answer]:
    from confluent_kafka import TopicCollection

    # Not list_topics: a named request of this client's may let the broker make the topic.
    answers = connection.client.describe_topics(TopicCollection(list(names)), request_timeout=timeout)

    def meaning(name: str, code: str, reason: str) -> Answer:
        if code in _GONE:  # or there can be none of this name
            return False
        if code == "TOPIC_AUTHORIZATION_FAILED":
            return Forbidden.topic(connection.addresses, "Describe", name, connection.principal, code)
        return Unanswered(connection.addresses, QUESTION, f"{code}: {reason}")

    return _told(answers, meaning)


def _by_controller(connection: Connection, names: Sequence[str], timeout: float) -> dict[str, Answer]:
    """Ask the controller, by a growth to one partition that is to be checked and not carried out.

    No topic has fewer, so none could grow, checked or not. Of all requests it is the one that the controller answers
    from ZooKeeper itself, in place of a broker from its memory.
    """
    from confluent_kafka.admin import NewPartitions

    answers = connection.client.create_partitions(
        [NewPartitions(name, 1) for name in names],
        validate_only=True,
        operation_timeout=timeout,
        request_timeout=timeout,
    )

    def meaning(_name: str, code: str, reason: str) -> Answer:
        if code in _THERE:
            return True
        if code in _GONE:
            return False
        if code == "TOPIC_AUTHORIZATION_FAILED":
            return None
        return Unanswered(connection.addresses, QUESTION, f"the controller does not answer: {code}: {reason}")

    return _told(answers, meaning)


def _told(answers: Mapping[str, "Future[Any]"], meaning: Any) -> dict[str, Answer]:
    from confluent_kafka import KafkaException

    told: dict[str, Answer] = {}
    for name, answer in answers.items():
        error = answer.exception()
        if error is None:
            told[name] = True
        elif isinstance(error, KafkaException):
            told[name] = meaning(name, error.args[0].name(), error.args[0].str())
        else:
            raise error
    return told


def agree_on_absence(addresses: Iterable[str], credentials: Credentials, name: str, timeout: float) -> str | None:
    """Ask every broker by itself whether all of them know the cluster and not this topic. For who may not do better.

    Args:
        addresses: ``host:port`` of every live broker.
        credentials: Who the client is.
        name: The topic.
        timeout: Seconds that each answer may take.

    Returns:
        Why they do not agree on its absence; None: they do.
    """
    from hikube_kafka.probe.kafka import read_metadata

    asked = list(addresses)
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        views = list(pool.map(lambda address: read_metadata(address, credentials, timeout=timeout), asked))
    return disagreement(views, name)


def disagreement(views: Iterable[Metadata | Unreadable], name: str) -> str | None:
    """Say why brokers do not agree on the absence of a topic; None: they do.

    Args:
        views: What each live broker knows of the cluster.
        name: The topic.
    """
    read: list[Metadata] = []
    for view in views:
        if isinstance(view, Unreadable):
            return str(view)
        read.append(view)
    if agreed(view.controller for view in read) is None:
        return "the brokers do not agree on a controller"
    if agreed(frozenset(view.brokers) for view in read) is None:
        return "the brokers do not agree on who they are"
    if any(name in view.topics for view in read):
        return "some brokers know it and others do not"
    if not all(any(True for _ in view.partitions) for view in read):
        return "the brokers show no topic at all, as they do while a cluster starts"
    return None
