"""What is seen of replicas that are being moved: the reassignments that Kafka carries out, and the bytes that arrive.

Asked with kafka-python's admin client: confluent-kafka's has neither call.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hikube_kafka.kafka.errors import Unanswered
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.plugin.log import log
from hikube_kafka.spec.changes.replicas import Move

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

REQUEST_MS = 30_000
"""For one request of this client that changes something, and for its connection."""
_LOOK_MS = 10_000
"""For one that only looks: a plan, and a wait, go on without the answer."""

QUESTION = "which replicas are being moved"
"""What is asked here, for an error."""

Moves = Mapping[str, Mapping[int, Move]]
"""The partitions that are being moved, by topic."""


@contextmanager
def client(addresses: str, credentials: Credentials, within_ms: int = _LOOK_MS) -> "Iterator[KafkaAdminClient]":
    """An admin client of kafka-python, closed at the end.

    Args:
        addresses: ``host:port`` of brokers, separated by commas.
        credentials: Who the client is.
        within_ms: Milliseconds for the connection, and for each request.

    Raises:
        KafkaError: No broker answers.
    """
    from kafka import KafkaAdminClient

    opened = KafkaAdminClient(
        bootstrap_servers=[address.strip() for address in addresses.split(",")],
        client_id="terraform-provider-hikube",
        bootstrap_timeout_ms=within_ms,
        request_timeout_ms=within_ms,
        **credentials.kafka_python(),
    )
    try:
        yield opened
    finally:
        opened.close()


def read_moves(addresses: str, credentials: Credentials) -> Moves | None:
    """All reassignments of the cluster; None: it does not tell, which takes Describe on the cluster.

    Raises:
        Unanswered: Nobody answers at this moment, as while the controller changes.
    """
    from kafka.errors import KafkaError

    try:
        with client(addresses, credentials) as admin:
            found = admin.list_partition_reassignments(timeout_ms=_LOOK_MS)
    except (KafkaError, RuntimeError) as error:  # RuntimeError: it finds no controller
        log("info", "reassignments are not told", reason=type(error).__name__)
        if isinstance(error, RuntimeError) or error.retriable:
            raise Unanswered(addresses, QUESTION, str(error) or type(error).__name__) from None
        return None
    moves: dict[str, dict[int, Move]] = defaultdict(dict)
    for (topic, partition), its in sorted(found.items()):
        adding, removing = its["adding_replicas"], its["removing_replicas"]
        moves[topic][partition] = Move(
            before=tuple(broker for broker in its["replicas"] if broker not in adding),
            target=tuple(broker for broker in its["replicas"] if broker not in removing),
        )
    return moves


def read_sizes(
    addresses: str, credentials: Credentials, topic: str, where: Mapping[int, Collection[int]]
) -> Mapping[tuple[int, int], int] | None:
    """The bytes of a topic's replicas, by broker and partition; None: they are not told.

    Args:
        addresses: ``host:port`` of brokers, separated by commas.
        credentials: Who the client is; it takes Describe on the cluster.
        topic: The topic.
        where: The partitions that each broker is asked for.
    """
    from kafka.errors import KafkaError

    sizes: dict[tuple[int, int], int] = {}
    try:
        with client(addresses, credentials) as admin:
            for broker, partitions in where.items():
                (answer,) = admin.describe_log_dirs({topic: list(partitions)}, brokers=[broker])
                if not answer["log_dirs"]:  # every broker has one: the client may not see them
                    return None
                for directory in answer["log_dirs"]:
                    if directory["error_code"]:
                        return None
                    for its in directory["topics"]:
                        sizes |= {
                            (broker, each["partition_index"]): each["partition_size"] for each in its["partitions"]
                        }
    except (KafkaError, RuntimeError):
        return None
    return sizes
