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
    message="{heap_of}; {least} is the least that works.",
    why="A server with less runs out of memory.",
    remedy="Declare {remedy}.",
    message_in_general="the heap, declared or computed from the memory, is less than what works.",
    remedy_in_general="Declare a larger heap, or more memory and leave the heap out: it is computed.",
)


def heap_problems(where: str, rule: HeapRule, declared: Quantity | None, resources: Resources) -> Iterator[Problem]:
    """A heap that does not fit into the memory, or that leaves a server too little.

    Args:
        where: The servers: ``kafka``.
        rule: How their heap is computed, and what it must leave free.
        declared: The declared heap; None means that it is computed.
        resources: Those of each server.
    """
    memory, largest = resources.memory, rule.largest(resources.memory)
    heap = rule.computed(memory) if declared is None else declared
    if largest < rule.least or (declared is None and heap < rule.least):
        # Whatever the heap, this memory is too little for it.
        needed = max(rule.least.bytes + rule.off_heap.bytes, int(rule.least.bytes / rule.share))
        yield TOO_SMALL(
            f"{where}.resources",
            heap_of=f"{memory} of memory leaves a heap of {min(heap, largest)}",
            least=rule.least,
            remedy=f"{Quantity.of_bytes(needed)} of memory or more",
        )
    elif heap > largest:
        yield EXCEEDS_MEMORY(f"{where}.heap", heap=heap, memory=memory, off_heap=rule.off_heap, largest=largest)
    elif heap < rule.least:
        yield TOO_SMALL(
            f"{where}.heap",
            heap_of=f"a heap of {heap} is too small",
            least=rule.least,
            remedy=f"{rule.least} or more, or leave it out: it is computed from the memory",
        )
