"""Reading the group of a Connect cluster's workers, as its coordinator in Kafka has it.

What a worker's REST interface tells is what the workers have written down: after a worker was killed, its tasks are
told as running until others have got them. Who is in the group, and whether tasks wait, only the group itself tells.
"""

import struct
import warnings
from dataclasses import dataclass

from confluent_kafka import KafkaException

from hikube_kafka.kafka.connection import Connection, dial_any
from hikube_kafka.kafka.errors import Denied, Unreachable, explain
from hikube_kafka.kafka.security import PLAINTEXT, Credentials
from hikube_kafka.probe.observation import Unreadable


@dataclass(frozen=True, kw_only=True)
class WorkerMember:
    """A worker, as the group has it."""

    url: str
    """Where it says that its REST interface is met."""
    delay_ms: int | None
    """How long tasks of a worker that is away still wait for it; None: no assignment is known."""


@dataclass(frozen=True, kw_only=True)
class WorkerGroup:
    """The workers that have joined."""

    state: str
    """In Kafka's words: ``Stable``, ``PreparingRebalance``, ``CompletingRebalance``, ``Empty``, ``Dead``."""
    members: tuple[WorkerMember, ...]

    @property
    def is_balanced(self) -> bool:
        """Whether no rebalance is under way and none is due."""
        return self.state == "Stable" and all(member.delay_ms == 0 for member in self.members)


def read_worker_group(
    bootstrap: str, group: str, credentials: Credentials = PLAINTEXT, *, timeout: float
) -> WorkerGroup | Unreadable:
    """Ask Kafka for the group of this ``group.id``.

    Args:
        bootstrap: ``host:port`` of brokers, separated by commas.
        group: The workers' ``group.id``.
        credentials: How to be let in.
        timeout: Seconds to wait for a connection, and for the answer.
    """
    what = f"group {group}"
    try:
        dial_any(bootstrap, timeout)
        connection = Connection(bootstrap, credentials)
        with warnings.catch_warnings():
            # What is to be called in its place gives only what members of consumer groups say.
            warnings.simplefilter("ignore", DeprecationWarning)
            (found,) = connection.client.list_groups(group, timeout=timeout)
        if found.error is not None:
            return Unreadable(what, found.error.str())
        return WorkerGroup(
            state=str(found.state),
            members=tuple(_member(each.metadata or b"", each.assignment or b"") for each in found.members),
        )
    except (Unreachable, Denied) as problem:
        return Unreadable(what, problem.reason)
    except KafkaException as error:
        return Unreadable(what, explain(error))
    except (ValueError, struct.error):
        return Unreadable(what, "its members are no Connect workers")


def _member(metadata: bytes, assignment: bytes) -> WorkerMember:
    """Read what Kafka keeps for the members without understanding it.

    Source: ConnectProtocol and IncrementalCooperativeConnectProtocol of Kafka 3.9, versions 0 to 2.
    """
    _, at = _number(metadata, 0, "h")
    url, _ = _text(metadata, at)
    return WorkerMember(url=url, delay_ms=_delay(assignment) if assignment else None)


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
