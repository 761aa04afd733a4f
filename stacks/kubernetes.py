"""A platform on Kubernetes in three sizes: for development, for staging and for production."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from hikube_kafka.platform import KafkaPlatform, KubernetesTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import Duration, Kafka, Resources, Storage, Topic, ZooKeeper


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What differs from one environment to the next."""

    zookeeper: ZooKeeper
    kafka: Kafka
    partitions: int
    """Of each topic: at most so many consumers of a group work at a time."""


ENVIRONMENTS: Mapping[str, Environment] = {
    # One of each: no copy of anything, and a restart interrupts.
    "dev": Environment(
        zookeeper=ZooKeeper(servers=1, storage=Storage("1Gi")),
        kafka=Kafka(brokers=1, storage=Storage("2Gi"), resources=Resources.preset("medium")),
        partitions=3,
    ),
    # The shape of production, so that what fails there fails here first.
    "staging": Environment(
        zookeeper=ZooKeeper(servers=3, storage=Storage("1Gi")),
        kafka=Kafka(brokers=3, storage=Storage("4Gi"), resources=Resources.preset("medium")),
        partitions=6,
    ),
    # On Hikube the class `replicated` spreads a claim over several datacenters. From a workload in place of numbers:
    # KafkaPlatform(..., workload=Workload(write="25MB/s", retention="7d")).
    "production": Environment(
        zookeeper=ZooKeeper(
            servers=3, storage=Storage("5Gi", storage_class="replicated"), resources=Resources.preset("medium")
        ),
        kafka=Kafka(
            brokers=3, storage=Storage("100Gi", storage_class="replicated"), resources=Resources.preset("xlarge")
        ),
        partitions=12,
    ),
}


def chosen_environment(scope: Construct) -> str | None:
    """The environment asked for: the context ``environment`` of the app, or else the variable ``ENVIRONMENT``."""
    chosen = scope.node.try_get_context("environment") or os.environ.get("ENVIRONMENT")
    return str(chosen) if chosen else None


class KubernetesPlatform(TerraformStack):
    """The platform ``events`` of one environment, in a namespace of its own.

    Args:
        scope: the app.
        id: name of the stack.
        environment: ``dev``, ``staging`` or ``production``.

    Raises:
        ValueError: there is no such environment.
    """

    def __init__(self, scope: Construct, id: str, *, environment: str) -> None:  # noqa: A002 - the CDK's name
        if environment not in ENVIRONMENTS:
            raise ValueError(f"environment {environment!r}: choose one of {', '.join(ENVIRONMENTS)}.")
        super().__init__(scope, id)
        sized = ENVIRONMENTS[environment]

        # A team keeps its state where all of it can reach and lock it: S3Backend, GcsBackend, HttpBackend.
        LocalBackend(self, path=f"../../../{id}.tfstate")

        self.platform = KafkaPlatform(
            self,
            "events",
            target=KubernetesTarget(namespace=f"events-{environment}"),
            zookeeper=sized.zookeeper,
            kafka=sized.kafka,
            topics=[
                Topic("orders", partitions=sized.partitions, config={"retention.ms": Duration("7d").milliseconds}),
                Topic("payments.jobs", partitions=sized.partitions, config={"max.message.bytes": 262_144}),
                Topic("customers.changes", partitions=sized.partitions, config={"cleanup.policy": "compact"}),
            ],
        )
