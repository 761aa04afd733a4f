"""What concerns the heap of any server."""

from collections.abc import Iterator

from hikube_kafka.spec.problem import Problem, Rule
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.spec.resources import HeapRule, Resources

EXCEEDS_MEMORY = Rule(
    id="heap-exceeds-memory",
    severity="error",
    message="a heap of {heap} does not fit into {memory}: {off_heap} must stay free for what a JVM needs besides its "
    "heap.",
    why="The kernel kills a server whose heap and off-heap memory exceed the limit.",
    remedy="Declare at most {largest}, or more memory.",
)
TOO_SMALL = Rule(
    id="heap-too-small",
    severity="error",
    message="{memory} of memory leaves a heap of {heap}; {least} is the least that works.",
    why="A server with less runs out of memory.",
    remedy="Declare {needed} of memory or more.",
)


def heap_problems(where: str, rule: HeapRule, heap: Quantity, resources: Resources) -> Iterator[Problem]:
    """A heap that does not fit into the memory, or that leaves a server too little.

    Args:
        where: The servers: ``kafka``.
        rule: How their heap is computed, and what it must leave free.
        heap: The one in force.
        resources: Those of each server.
    """
    if heap > rule.largest(resources.memory):
        yield EXCEEDS_MEMORY(
            f"{where}.heap",
            heap=heap,
            memory=resources.memory,
            off_heap=rule.off_heap,
            largest=rule.largest(resources.memory),
        )
    elif heap < rule.least:
        needed = max(rule.least.bytes + rule.off_heap.bytes, int(rule.least.bytes / rule.share))
        yield TOO_SMALL(
            f"{where}.resources",
            memory=resources.memory,
            heap=heap,
            least=rule.least,
            needed=Quantity.of_bytes(needed),
        )
