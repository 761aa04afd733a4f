"""What Kafka and good sense allow of a topic, apart from its configuration.

No models here: the rules of a declaration ask, and so does the provider, which starts several times in every plan.
"""

import re

LONGEST_NAME = 249
"""Kafka makes a folder ``<topic>-<partition>`` and leaves room for the suffix. Source: ``Topic.MAX_NAME_LENGTH``."""

INTERNAL = frozenset({"__consumer_offsets", "__transaction_state", "__cluster_metadata", "__share_group_state"})
"""Topics that the brokers make and own. Source: Kafka 3.9's ``org.apache.kafka.common.internals.Topic``."""

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


def is_legal_name(name: str) -> bool:
    """Whether Kafka takes the name. Source: ``Topic.validate`` of the same class."""
    return bool(_LEGAL.fullmatch(name)) and name not in {".", ".."} and len(name) <= LONGEST_NAME


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
        min_insync: ``min.insync.replicas`` as it stands in a configuration; what is no number is judged elsewhere.
        replication_factor: copies of each partition.
    """
    return min_insync.isdigit() and int(min_insync) > wanted_min_insync(replication_factor)
