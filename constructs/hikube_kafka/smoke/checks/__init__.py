"""Every check of the gate, in the order of the report."""

from hikube_kafka.probe.observation import Observation, Unreadable
from hikube_kafka.smoke.canary import CanaryRun
from hikube_kafka.smoke.checks import brokers, canary, partitions, topics, zookeeper
from hikube_kafka.smoke.finding import Check

OBSERVED: tuple[Check[Observation], ...] = (
    zookeeper.servers_answer,
    zookeeper.one_leader,
    zookeeper.others_follow,
    zookeeper.followers_synced,
    zookeeper.same_voters,
    zookeeper.writes_read_everywhere,
    brokers.brokers_answer,
    brokers.registered,
    brokers.in_metadata,
    brokers.one_cluster_id,
    brokers.one_controller,
    brokers.racks,
    brokers.settings_in_force,
    brokers.version,
    partitions.online,
    partitions.in_sync,
    partitions.min_isr,
    topics.exist,
    topics.partition_counts,
    topics.replication_factors,
    topics.configurations,
)
"""Checks of what can be looked at again and again."""

CANARY: tuple[Check[CanaryRun | Unreadable], ...] = (
    canary.led_by_every_broker,
    canary.nothing_lost,
    canary.nothing_duplicated,
    canary.in_order,
    canary.offsets_kept,
    canary.removed,
)
"""Checks of what the canary messages went through."""

IDS: tuple[str, ...] = (*(each.id for each in OBSERVED), *(each.id for each in CANARY))
"""The stable ids of all of them."""
