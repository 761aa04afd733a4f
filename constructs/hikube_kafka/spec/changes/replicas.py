"""Which brokers hold replicas of which topics."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from hikube_kafka.spec.problem import shortened

Replicas = Mapping[str, Mapping[int, Sequence[int]]]
"""The brokers that hold each partition of each topic."""


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
