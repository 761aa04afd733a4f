"""A whole platform on this machine: three ZooKeeper servers, three brokers, and topics of four kinds."""

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import Duration, Kafka, Quantity, Resources, Topic, ZooKeeper


class LocalPlatform(TerraformStack):
    """The platform ``events``.

    Args:
        scope: the app.
        id: name of the stack.
        disposable: let ``cdktf destroy`` delete the topics and the messages in them. Otherwise every topic is
            protected, and the data stay on the disk when the servers go.
    """

    def __init__(self, scope: Construct, id: str, *, disposable: bool = False) -> None:  # noqa: A002 - the CDK's name
        super().__init__(scope, id)

        # Terraform runs in cdktf.out/stacks/<id>: the state stays beside this project when cdktf.out is deleted, and no
        # path of this machine gets into it.
        LocalBackend(self, path=f"../../../{id}.tfstate")

        self.platform = KafkaPlatform(
            self,
            "events",
            target=LocalTarget(keep_data=not disposable),
            zookeeper=ZooKeeper(servers=3, resources=Resources(cpu="250m", memory="256Mi")),
            kafka=Kafka(brokers=3, resources=Resources(cpu=1, memory="1Gi")),
            topics=[
                # An event bus: who needs yesterday's orders reads them again.
                Topic(
                    "orders",
                    partitions=6,
                    config={"retention.ms": Duration("7d").milliseconds},
                    deletion_protection=not disposable,
                ),
                # A work queue: each job is done once, by one consumer of the group; twelve can work at a time.
                Topic(
                    "payments.jobs",
                    partitions=12,
                    config={"retention.ms": Duration("1d").milliseconds, "max.message.bytes": 262_144},
                    deletion_protection=not disposable,
                ),
                # Telemetry: much, soon old, and bounded in size as well as in time.
                Topic(
                    "sensors.telemetry",
                    partitions=6,
                    config={
                        "retention.ms": Duration("6h").milliseconds,
                        "retention.bytes": Quantity("256Mi").bytes,
                        "segment.bytes": Quantity("64Mi").bytes,
                        "compression.type": "lz4",
                    },
                    deletion_protection=not disposable,
                ),
                # Change capture: the last state of each customer, for ever.
                Topic(
                    "customers.changes",
                    partitions=3,
                    config={"cleanup.policy": "compact", "min.cleanable.dirty.ratio": 0.1},
                    deletion_protection=not disposable,
                ),
            ],
        )
