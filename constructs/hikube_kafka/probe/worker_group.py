"""Reading the group of a Connect cluster's workers, as its coordinator in Kafka has it.

What a worker's REST interface tells is what the workers have written down: after a worker was killed, its tasks are
told as running until others have got them. Who is in the group, and whether tasks wait, only the group itself tells.
"""

import struct
import warnings

from confluent_kafka import KafkaException

from hikube_kafka.kafka.connection import Connection, dial_any
from hikube_kafka.kafka.errors import Denied, Unreachable, explain
from hikube_kafka.kafka.security import PLAINTEXT, Credentials
from hikube_kafka.probe.observation import GroupSeen, Unreadable


def read_worker_group(
    bootstrap: str, group: str, credentials: Credentials = PLAINTEXT, *, timeout: float
) -> GroupSeen | Unreadable:
    """Ask Kafka for the group of this ``group.id``, over a connection of its own.

    Args:
        bootstrap: ``host:port`` of brokers, separated by commas.
        group: The workers' ``group.id``.
        credentials: How to be let in.
        timeout: Seconds to wait for a connection, and for the answer.
    """
    what = f"group {group}"
    try:
        dial_any(bootstrap, timeout)
        return ask_for_group(Connection(bootstrap, credentials), group, timeout)
    except (Unreachable, Denied) as problem:
        return Unreadable(what, problem.reason)
    except KafkaException as error:
        return Unreadable(what, explain(error))
    except LookupError as error:
        return Unreadable(what, str(error.args[0]))


def ask_for_group(connection: Connection, group: str, timeout: float) -> GroupSeen:
    """Ask for the group of this ``group.id``.

    Args:
        connection: To the brokers.
        group: The workers' ``group.id``.
        timeout: Seconds to wait for the answer.

    Raises:
        KafkaException: The brokers do not tell.
        LookupError: Its members are no workers.
    """
    with warnings.catch_warnings():
        # What is to be called in its place gives only what members of consumer groups say.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = connection.client.list_groups(group, timeout=timeout)
    if not found:
        return GroupSeen(state="Dead", members=())
    if found[0].error is not None:
        raise KafkaException(found[0].error)
    try:
        return GroupSeen(
            state=str(found[0].state),
            # Nothing but its client's id is told of a member while the group rebalances.
            members=tuple(
                sorted(_url(each.metadata) if each.metadata else str(each.client_id) for each in found[0].members)
            ),
            delays_ms=tuple(
                _delay(assignment) for each in found[0].members if (assignment := bytes(each.assignment or b""))
            ),
        )
    except (ValueError, struct.error):
        raise LookupError("its members are no Connect workers") from None


def _url(metadata: bytes) -> str:
    """Read where a worker is met by the others, which Kafka keeps without understanding it.

    Source: ConnectProtocol and IncrementalCooperativeConnectProtocol of Kafka 3.9, versions 0 to 2.
    """
    _, at = _number(metadata, 0, "h")
    url, _ = _text(metadata, at)
    return url


def _delay(assignment: bytes) -> int:
    version, at = _number(assignment, 0, "h")
    if version == 0:  # the eager protocol knows no delay
        return 0
    at += 2  # the error
    for _ in ("leader", "its URL"):
        _, at = _text(assignment, at)
    at += 8  # the offset in the topic of configurations
    for _ in ("assigned", "revoked"):
        connectors, at = _number(assignment, at, "i")
        for _ in range(connectors):
            _, at = _text(assignment, at)
            tasks, at = _number(assignment, at, "i")
            at += 4 * tasks
    return _number(assignment, at, "i")[0]


def _number(data: bytes, at: int, form: str) -> tuple[int, int]:
    (number,) = struct.unpack_from(f">{form}", data, at)
    return int(number), at + struct.calcsize(f">{form}")


def _text(data: bytes, at: int) -> tuple[str, int]:
    length, at = _number(data, at, "h")
    return data[at : at + length].decode(), at + max(length, 0)
