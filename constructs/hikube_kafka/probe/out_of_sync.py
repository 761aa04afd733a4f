"""Partitions that do not get back in sync although their brokers run, and what ends that.

With ZooKeeper a leader asks the controller for every change of its in-sync replicas, one at a time. If the controller
finds that the partition's node has another version than it remembers ("Failed to update ISR ... bad ZK version" in its
log: its own write may have been made, and the answer lost with the connection), the leader's request is never granted,
and the leader does not ask again before it is given a new leader epoch. A new controller does not give one, nor does a
restart of the replica that is missing; while that one is away, writes with ``acks=all`` wait for it. To assign the
replicas that the partition has already gives one within a second, moves no data and keeps the leader.
"""

import json
from collections.abc import Sequence

from hikube_kafka.probe.observation import Partition

MOST = 20
"""Partitions in one command: a command line has an end, and the next one takes the next."""


def assigned_again(partitions: Sequence[tuple[str, int, Partition]], tool: str) -> str:
    """The command line that assigns to partitions the replicas that they have.

    Args:
        partitions: Topic, number and what was seen of each; more than ``MOST`` are left for the next command.
        tool: The beginning of the command: kafka-reassign-partitions, and how it meets the cluster.
    """
    replicas = [
        {"topic": topic, "partition": number, "replicas": list(partition.replicas)}
        for topic, number, partition in partitions[:MOST]
    ]
    assignment = json.dumps({"version": 1, "partitions": replicas}, separators=(",", ":"))
    return f"echo '{assignment}' | {tool} --reassignment-json-file /dev/stdin --execute"
