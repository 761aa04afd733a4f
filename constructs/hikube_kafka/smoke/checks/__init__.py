"""Every check of the gate, in the order of the report."""

from hikube_kafka.probe.observation import Observation, Unreadable
from hikube_kafka.smoke.canary import CanaryRun
from hikube_kafka.smoke.checks import brokers, canary, connect, kubernetes, partitions, topics, zookeeper
from hikube_kafka.smoke.finding import Check
from hikube_kafka.spec.contract import Contract

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
"""Checks of what can be read repeatedly."""

KUBERNETES: tuple[Check[Observation], ...] = (
    kubernetes.pods_ready,
    kubernetes.images,
    kubernetes.claim_sizes,
    kubernetes.storage_classes,
    kubernetes.disruption_budgets,
    kubernetes.own_nodes,
    kubernetes.zones,
)
"""Checks, likewise, of a platform in Kubernetes; elsewhere there is nothing to say about them."""

CONNECT: tuple[Check[Observation], ...] = (
    connect.workers_answer,
    connect.one_group,
    connect.no_rebalance,
    connect.plugins_loaded,
    connect.connectors_exist,
    connect.tasks_run,
    connect.sinks_keep_up,
    connect.dead_letters,
)
"""Checks, likewise, of a platform with clusters of Kafka Connect; of one without there is nothing to say."""

CANARY: tuple[Check[CanaryRun | Unreadable], ...] = (
    canary.led_by_every_broker,
    canary.acknowledged,
    canary.nothing_lost,
    canary.nothing_duplicated,
    canary.in_order,
    canary.offsets_kept,
    canary.removed,
)
"""Checks of what the canary messages went through."""


def observed(contract: Contract) -> tuple[Check[Observation], ...]:
    """Give the checks that read repeatedly what this contract declares."""
    return (
        *(KUBERNETES if contract.kubernetes is not None else ()),
        *OBSERVED,
        *(CONNECT if contract.connect else ()),
    )


def ids(contract: Contract) -> tuple[str, ...]:
    """Give the stable ids of all checks of this contract, in the order of the report."""
    return (*(each.id for each in observed(contract)), *(each.id for each in CANARY))
