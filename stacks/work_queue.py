"""A work queue: a topic a priority, a topic a delay, and one of dead letters."""

from collections.abc import Sequence

from hikube_kafka.platform import KafkaPlatform, LocalTarget
from hikube_kafka.platform.cdk import Construct, LocalBackend, TerraformStack
from hikube_kafka.spec import Duration, Kafka, LocalLayout, Quantity, Resources, Topic, ZooKeeper

PRIORITIES = ("high", "normal", "low")
LARGEST_TASK = Quantity("256Ki").bytes
"""A task says what is to be done; what it is about stays in the database or the object storage."""
_ROOM_FOR_HEADERS = Quantity("16Ki").bytes


class WorkQueuePlatform(TerraformStack):
    """The platform ``work-queue``.

    Args:
        scope: the app.
        id: name of the stack.
        brokers: three, so that one may die; one where only the programs are tried out.
        partitions: of each topic that workers read: at most so many workers have work of a priority at a time. A
            multiple of the number of workers, so that each gets equally many.
        delays: how long the first, the second, … failed attempt waits for the next one: a topic each.
        disposable: let ``cdktf destroy`` delete the topics and the tasks in them.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's name
        *,
        brokers: int = 3,
        partitions: int = 12,
        delays: Sequence[str] = ("10s", "1m"),
        disposable: bool = False,
    ) -> None:
        super().__init__(scope, id)
        LocalBackend(self, path=f"../../../{id}.tfstate")

        def read_by_workers(name: str, **more: str | int) -> Topic:
            return Topic(
                name,
                partitions=partitions,
                config={
                    # The longest that all workers may be away. A task that was done stays for as long: it costs room.
                    "retention.ms": Duration("7d").milliseconds,
                    "max.message.bytes": LARGEST_TASK,
                    "min.insync.replicas": min(brokers, 2),
                    **more,
                },
                deletion_protection=not disposable,
            )

        self.platform = KafkaPlatform(
            self,
            "work-queue",
            target=LocalTarget(
                LocalLayout(broker_port=34092, zookeeper_port=34181, peer_port=34888, election_port=34788),
                keep_data=not disposable,
            ),
            zookeeper=ZooKeeper(servers=min(brokers, 3), resources=Resources(cpu="250m", memory="256Mi")),
            kafka=Kafka(
                brokers=brokers,
                resources=Resources(cpu=1, memory="1Gi"),
                # Workers that started together are one rebalance.
                config={"group.initial.rebalance.delay.ms": 1_000},
            ),
            topics=[
                *(read_by_workers(f"tasks.{priority}") for priority in PRIORITIES),
                *(
                    # Stamped by the broker, in the order of the partition: what is behind the head is due after it.
                    # What passes a task on adds headers.
                    read_by_workers(
                        f"tasks.retry.{delay}",
                        **{
                            "message.timestamp.type": "LogAppendTime",
                            "max.message.bytes": LARGEST_TASK + _ROOM_FOR_HEADERS,
                        },
                    )
                    for delay in delays
                ),
                Topic(
                    "tasks.dead-letters",
                    partitions=3,
                    config={
                        "retention.ms": Duration("30d").milliseconds,  # a person has to look at them
                        "max.message.bytes": LARGEST_TASK + 2 * _ROOM_FOR_HEADERS,
                        "min.insync.replicas": min(brokers, 2),
                    },
                    deletion_protection=not disposable,
                ),
            ],
        )
