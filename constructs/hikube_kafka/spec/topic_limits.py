"""What Kafka and good sense allow of a topic, apart from its configuration.

No models here: the rules of a declaration ask, and so does the provider, which starts several times in every plan.
"""

import re
from collections.abc import Iterator

from hikube_kafka.spec.problem import Problem, Rule, Severity
from hikube_kafka.spec.quantities import whole

LONGEST_NAME = 249
"""Kafka makes a folder ``<topic>-<partition>`` and leaves room for the suffix. Source: ``Topic.MAX_NAME_LENGTH``."""

MOST_PARTITIONS = 100_000
"""Of one topic: Kafka's client refuses to ask for more, long before Kafka's own limit of 31 bits. Source: librdkafka's
``RD_KAFKAP_PARTITIONS_MAX``."""
MOST_BROKERS = 10_000
"""Of a cluster, and so copies of a partition: Kafka's own limit is 15 bits. Source: ``RD_KAFKAP_BROKERS_MAX``."""

INTERNAL = frozenset({"__consumer_offsets", "__transaction_state", "__cluster_metadata", "__share_group_state"})
"""Topics that the brokers make and own. Source: Kafka 3.9's ``org.apache.kafka.common.internals.Topic``."""

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")

NAME = Rule(
    id="topic-name",
    severity="error",
    message="Kafka does not allow this name.",
    why="Kafka would refuse it halfway through the apply.",
    remedy=f"Use 1 to {LONGEST_NAME} of a-z, A-Z, 0-9, '.', '_' and '-', and neither '.' nor '..' alone.",
)
FACTOR_ABOVE_BROKERS = Rule(
    id="replication-factor-above-brokers",
    severity="error",
    message="{declared}, but {brokers}.",
    why="Each copy of a partition stands on a broker of its own. Kafka refuses the topic; an internal topic is never "
    "created, and consumers hang without an error.",
    remedy="Declare at most {most}, or {instead}.",
    message_in_general="a replication factor, of a topic or in the brokers' configuration, needs more brokers than "
    "there are.",
    remedy_in_general="Declare at most as many copies as there are brokers, or more brokers.",
)
MIN_INSYNC_TOO_HIGH = Rule(
    id="min-insync-too-high",
    severity="error",
    message="{key} = {least} leaves no room in {factor}: acks=all fails as soon as one broker is away.",
    why="With min ISR = RF, the first broker that restarts stops every write.",
    remedy="Declare {wanted}, or {instead}.",
    remedy_in_general="Declare one less than there are copies, or leave it out: it is computed.",
)


def is_legal_name(name: str) -> bool:
    """Whether Kafka takes the name. Source: ``Topic.validate`` of the same class."""
    return bool(_LEGAL.fullmatch(name)) and name not in {".", ".."} and len(name) <= LONGEST_NAME


def name_problems(name: str) -> Iterator[Problem]:
    """A name that Kafka does not take."""
    if not is_legal_name(name):
        yield NAME(f"topic {name!r}", path=("name",))


def wanted_min_insync(replication_factor: int) -> int:
    """In-sync replicas that a write must reach: one less than there are, so that one broker may be away; at least 1.

    ====  =======
    RF    min ISR
    ====  =======
    1     1
    2     1
    3     2
    5     4
    ====  =======
    """
    return max(replication_factor - 1, 1)


def leaves_no_room(min_insync: str, replication_factor: int) -> bool:
    """Whether acks=all fails as soon as one broker is away; a topic of a single replica has no room to leave.

    Args:
        min_insync: ``min.insync.replicas`` as it stands in a configuration; what is not a number is judged elsewhere.
        replication_factor: copies of each partition.
    """
    least = whole(min_insync)
    return least is not None and least > wanted_min_insync(replication_factor)


def min_insync_problems(
    where: str, min_insync: str, replication_factor: int, *, instead: str, severity: Severity | None = None
) -> Iterator[Problem]:
    """A ``min.insync.replicas`` of a topic that leaves no room.

    Args:
        where: The topic, as a message names it.
        min_insync: The value in force.
        replication_factor: copies of each partition.
        instead: What else could be done, to be read after "Declare 2, or".
        severity: In place of the rule's own: a topic that is so already was not made so by this declaration.
    """
    if leaves_no_room(min_insync, replication_factor):
        yield MIN_INSYNC_TOO_HIGH(
            where,
            path=("config", "min.insync.replicas"),
            severity=severity,
            key="min.insync.replicas",
            least=min_insync,
            factor=f"a replication factor of {replication_factor}",
            wanted=wanted_min_insync(replication_factor),
            instead=instead,
        )
