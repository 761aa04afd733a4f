"""A work queue: a topic a priority, a topic a delay, and one of dead letters."""

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import Kafka, LocalLayout, Quantity, Resources, Topic, ZooKeeper

PRIORITIES = ("high", "normal", "low")
LARGEST_TASK = Quantity("256Ki").bytes
"""A task says what is to be done; what it is about stays in the database or the object storage."""
ROOM_FOR_HEADERS = Quantity("16Ki").bytes
"""What is passed on must fit: headers are added to it."""


class WorkQueuePlatform(TerraformStack):
    """The platform ``work-queue``.

    Args:
        scope: the app.
        id: name of the stack.
        small: one broker and one ZooKeeper server, few partitions, short delays: to try the programs out.
    """

    def __init__(self, scope: Construct, id: str, *, small: bool = False) -> None:  # noqa: A002 - the CDK's name
        super().__init__(scope, id)
        LocalBackend(self, path=f"../../../{id}.tfstate")

        # The most workers that can have work of a priority at a time. A multiple of their number, so that each gets
        # equally many: 12 for 2, 3, 4, 6 or 12.
        partitions = 4 if small else 12
        # How long the first, the second, … failed attempt waits for the next one: a topic each.
        delays = ("1s", "2s") if small else ("10s", "1m")

        tasks = [
            Topic.work_queue(
                f"tasks.{priority}",
                partitions=partitions,
                config={"max.message.bytes": LARGEST_TASK},
                deletion_protection=False,
            )
            for priority in PRIORITIES
        ]
        delayed = [
            Topic.work_queue(
                f"tasks.retry.{delay}",
                partitions=partitions,
                config={
                    # Stamped by the broker, in the order of the partition: what is behind the head is due after it.
                    "message.timestamp.type": "LogAppendTime",
                    "max.message.bytes": LARGEST_TASK + ROOM_FOR_HEADERS,
                },
                deletion_protection=False,
            )
            for delay in delays
        ]
        self.platform = KafkaPlatform(
            self,
            "work-queue",
            target=LocalTarget(
                LocalLayout(broker_port=24092, zookeeper_port=24181, peer_port=24288, election_port=24388),
                keep_data=False,
            ),
            zookeeper=ZooKeeper(servers=1 if small else 3, resources=Resources(cpu="250m", memory="256Mi")),
            kafka=Kafka(brokers=1 if small else 3, resources=Resources(cpu=1, memory="1Gi")),
            topics=[
                *tasks,
                *delayed,
                # A person has to look at them, and to send again what can be done after all.
                Topic.dead_letters(
                    of=delayed[-1], name="tasks.dead-letters", retention="30d", deletion_protection=False
                ),
            ],
        )
