"""Reading the group of a Connect cluster's workers, as its coordinator in Kafka has it.

What a worker's REST interface tells is what the workers have written down: after a worker was killed, its tasks are
told as running until others have got them. Who is in the group, and whether tasks wait, only the group itself tells.
"""

import struct
import warnings
from typing import NamedTuple

from confluent_kafka import KafkaException

from hikube_kafka.kafka.connection import Connection, dial_any
from hikube_kafka.kafka.errors import Denied, Unreachable, explain
from hikube_kafka.kafka.security import PLAINTEXT, Credentials
from hikube_kafka.probe.observation import GroupSeen, Unreadable, WorkerShare


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
            shares=tuple(
                _share(bytes(each.metadata or b""), assignment)
                for each in found[0].members
                if (assignment := bytes(each.assignment or b""))
            ),
        )
    except (ValueError, struct.error):
        raise LookupError("its members are no Connect workers") from None


# What Kafka keeps for the members without understanding it. Source: ConnectProtocol and
# IncrementalCooperativeConnectProtocol of Kafka 3.9, versions 0 (eager) to 2.


class _Assignment(NamedTuple):
    """What a member is told, or says that it has; a connector itself is the task -1."""

    assigned: frozenset[tuple[str, int]]
    revoked: frozenset[tuple[str, int]] = frozenset()
    delay_ms: int = 0


def _url(metadata: bytes) -> str:
    """Where a worker is met by the others."""
    _, at = _number(metadata, 0, "h")
    url, _ = _text(metadata, at)
    return url


def _share(metadata: bytes, assignment: bytes) -> WorkerShare:
    """What a worker has to run: what it had when it joined, and what it was told to give up and to take on."""
    told = _assignment(assignment)
    held = _held_before(metadata) - told.revoked | told.assigned
    return WorkerShare(
        connectors=sum(task < 0 for _, task in held),
        tasks=sum(task >= 0 for _, task in held),
        revoked=len(told.revoked),
        delay_ms=told.delay_ms,
    )


def _held_before(metadata: bytes) -> frozenset[tuple[str, int]]:
    version, at = _number(metadata, 0, "h")
    if version == 0:  # whoever joins has given up everything
        return frozenset()
    _, at = _text(metadata, at)
    length, at = _number(metadata, at + 8, "i")  # after the offset in the topic of configurations
    return _assignment(metadata[at : at + length]).assigned if length > 0 else frozenset()


def _assignment(data: bytes) -> _Assignment:
    version, at = _number(data, 0, "h")
    at += 2  # the error
    for _ in ("leader", "its URL"):
        _, at = _text(data, at)
    at += 8  # the offset in the topic of configurations
    assigned, at = _tasks(data, at)
    if version == 0:  # no revocations, and no delay
        return _Assignment(assigned)
    revoked, at = _tasks(data, at)
    return _Assignment(assigned, revoked, _number(data, at, "i")[0])


def _tasks(data: bytes, at: int) -> tuple[frozenset[tuple[str, int]], int]:
    found: set[tuple[str, int]] = set()
    connectors, at = _number(data, at, "i")
    for _ in range(connectors):
        name, at = _text(data, at)
        count, at = _number(data, at, "i")
        for _ in range(count):
            task, at = _number(data, at, "i")
            found.add((name, task))
    return frozenset(found), at


def _number(data: bytes, at: int, form: str) -> tuple[int, int]:
    (number,) = struct.unpack_from(f">{form}", data, at)
    return int(number), at + struct.calcsize(f">{form}")


def _text(data: bytes, at: int) -> tuple[str, int]:
    length, at = _number(data, at, "h")
    return data[at : at + length].decode(), at + max(length, 0)
