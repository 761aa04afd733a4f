"""Moving replicas, and waiting until they have moved.

Done with kafka-python's admin client, the one thing that confluent-kafka's lacks: Kafka's own call for it checks each
partition and answers for each, replaces a move that an interrupted apply began, and asks for no more than the client's
own credentials. The other way, the node ``/admin/reassign_partitions``, needs write access to ZooKeeper, takes one
change at a time from the whole cluster, and ends with ZooKeeper.
"""

from collections.abc import Mapping

from hikube_kafka.kafka.errors import KafkaRefused
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.log import log
from hikube_kafka.provider.placement import Replicas
from hikube_kafka.provider.topics import KafkaCluster, Layout
from hikube_kafka.waiting import Stopped

_REQUEST_MS = 30_000


def reassign(cluster: KafkaCluster, topic: str, wanted: Mapping[int, Replicas]) -> None:
    """Give each partition of a topic its replicas, and wait until all of them are there and in sync.

    How long that takes depends on the data to copy: there is no deadline, Ctrl-C ends the wait.

    Args:
        cluster: The cluster.
        topic: The topic.
        wanted: The brokers that are to hold each partition, preferred leader first.

    Raises:
        KafkaRefused: Kafka refuses the move of a partition.
        Refusal: Ctrl-C; Kafka continues with what was begun.
    """
    present = cluster.layout(fresh=True).replicas[topic]
    moving = {partition: replicas for partition, replicas in wanted.items() if present.get(partition) != replicas}
    if moving:
        _submit(cluster, topic, moving)
    left = -1

    def settled() -> bool:
        nonlocal left
        before, left = left, _unsettled(cluster.layout(fresh=True), topic, wanted)
        if left not in (0, before):
            log("info", "replicas are being moved", partitions_left=left, partitions=len(wanted))
        return left == 0

    try:
        cluster.until(settled, None)
    except Stopped:
        raise Refusal(
            Diagnostic(
                f"Stopped while replicas of topic {topic} were being moved",
                f"{left} of {len(wanted)} partitions have not moved yet. Kafka continues by itself; the next apply "
                "completes what is left.",
            )
        ) from None


def _unsettled(layout: Layout, topic: str, wanted: Mapping[int, Replicas]) -> int:
    """How many partitions do not have exactly their replicas, all of them in sync."""
    replicas, in_sync = layout.replicas.get(topic, {}), layout.in_sync.get(topic, {})
    return sum(
        replicas.get(partition) != brokers or not set(brokers) <= set(in_sync.get(partition, ()))
        for partition, brokers in wanted.items()
    )


def _submit(cluster: KafkaCluster, topic: str, moving: Mapping[int, Replicas]) -> None:
    from kafka import KafkaAdminClient, TopicPartition
    from kafka.errors import KafkaError

    client = None
    try:
        client = KafkaAdminClient(
            bootstrap_servers=[address.strip() for address in cluster.addresses.split(",")],
            client_id="terraform-provider-hikube",
            **cluster.settings.security.kafka_python(),
        )
        answers = client.alter_partition_reassignments(
            {TopicPartition(topic, partition): list(replicas) for partition, replicas in moving.items()},
            timeout_ms=_REQUEST_MS,
        )
    except KafkaError as error:
        raise KafkaRefused(type(error).__name__, str(error)) from None
    finally:
        if client is not None:
            client.close()
    for partition, refusal in sorted(answers.items()):
        if refusal is not None:
            raise KafkaRefused(refusal.message, f"partition {partition.partition}: {refusal.description}")
