"""Which brokers hold replicas of which topics, which of them move, and how a user sees and stops that."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from hikube_kafka.spec.problem import shortened

Replicas = Mapping[str, Mapping[int, Sequence[int]]]
"""The brokers that hold each partition of each topic."""


class Move(NamedTuple):
    """A reassignment of one partition that Kafka is carrying out."""

    before: tuple[int, ...]
    """The brokers that held it when the reassignment began."""
    target: tuple[int, ...]
    """The brokers that are to hold it in the end, preferred leader first."""


class Reach(NamedTuple):
    """How a user meets the brokers with Kafka's own tools, once this process has ended."""

    addresses: str
    """``host:port`` of brokers, separated by commas."""
    before: str = ""
    """A command that makes them reachable; empty where they are so already."""
    logs_in: bool = False
    """Whether the tools need a file that says how a client logs in, or whom it trusts."""

    def tool(self, arguments: str) -> str:
        """A command line of kafka-reassign-partitions.sh."""
        login = " --command-config client.properties" if self.logs_in else ""
        return f"kafka-reassign-partitions.sh --bootstrap-server {self.addresses}{login} {arguments}"

    def commands(self, *lines: str) -> str:
        """Commands as a user copies them, indented, with what makes the brokers reachable first."""
        return "\n".join(f"  {line}" for line in (self.before, *lines) if line)

    def progress(self) -> str:
        """The commands that show what is being moved."""
        return self.commands(self.tool("--list"))

    def cancel(self, topic: str, moves: Mapping[int, Move]) -> str:
        """The commands that end the moves of a topic where they are: its replicas are then as before."""
        partitions = [
            {"topic": topic, "partition": partition, "replicas": list(move.target)}
            for partition, move in sorted(moves.items())
        ]
        return self.commands(
            f"echo '{json.dumps({'version': 1, 'partitions': partitions})}' >moves.json",
            self.tool("--reassignment-json-file moves.json --cancel"),
        )


def held(replicas: Replicas, by: Callable[[int], bool]) -> dict[int, dict[str, int]]:
    """Of each of these brokers that holds replicas: how many partitions of which topics."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for topic, partitions in replicas.items():
        for brokers in partitions.values():
            for broker in brokers:
                if by(broker):
                    found[broker][topic] += 1
    return {broker: dict(topics) for broker, topics in sorted(found.items())}


def in_words(held: Mapping[int, Mapping[str, int]]) -> str:
    """``broker 3 holds 2 (2 of orders)``, for each of them."""

    def one(broker: int, topics: Mapping[str, int]) -> str:
        named = [f"{count} of {topic}" for topic, count in sorted(topics.items())]
        return f"broker {broker} holds {sum(topics.values())} ({shortened(named)})"

    return "; ".join(one(broker, topics) for broker, topics in held.items())


def moves_in_words(moves: Mapping[int, Move]) -> str:
    """``partition 1 from brokers 0+1 to brokers 0+2``, for each of the first ones."""
    return shortened(
        [
            f"partition {partition} from {_brokers(move.before)} to {_brokers(move.target)}"
            for partition, move in sorted(moves.items())
        ]
    )


def _brokers(brokers: Sequence[int]) -> str:
    return f"broker{'' if len(brokers) == 1 else 's'} {'+'.join(map(str, brokers))}"
