"""Changes of a release of the chart ``kafka``, by its merged values. For reviews alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.spec.changes import broker_access, broker_settings, release, rolling
from hikube_kafka.spec.changes.release import Release
from hikube_kafka.spec.definitions import PLATFORM_KEYS, broker_config_problems
from hikube_kafka.spec.problem import Problem, Rule, shortened
from hikube_kafka.spec.resources import BROKER_HEAP
from hikube_kafka.spec.rules.brokers import SINGLE
from hikube_kafka.spec.targets.kubernetes_rules import SHUTDOWN_GATE, STARTUP

TAKEN = Rule(
    id="brokers-taken",
    severity="error",
    message="it is scaled in from {before} to {after}: {brokers} removed.",
    why="Unless their replicas are moved first, partitions lose them, and those that have no other replica are lost to "
    "clients{claims}.",
    remedy="Have the apply move their replicas first: Kafka(brokers={after}, drain=True), in HCL hikube_kafka_brokers "
    "with drain = true. With that in place, or once they hold nothing, waive this finding.",
)
HEAP_ABOVE_HALF = Rule(
    id="heap-above-half",
    severity="warning",
    message="a heap of {heap} is more than half of the memory, {memory}.",
    why="Kafka reads and writes through the page cache, which gets what the heap leaves: consumers that lag behind "
    "read from the disk instead.",
    remedy="Set heap to {half} at most, or give more memory.",
)
GATE_OFF = Rule(
    id="shutdown-gate-off",
    severity="warning",
    message="shutdownGateSeconds changes from {before} to 0.",
    why="A broker no longer waits, before it stops, for the other replicas of its partitions to be in sync: whatever "
    "takes two brokers one after the other, such as a drain of nodes, can leave partitions without a leader.",
    remedy="Keep shutdownGateSeconds = {before}.",
)
STARTUP_LOWERED = Rule(
    id="startup-seconds-lowered",
    severity="warning",
    message="startupSeconds changes from {before} s to {after} s.",
    why="A broker that takes longer to recover its log and get back in sync is killed and begins again, without end.",
    remedy="Keep it well above what the largest disk takes to recover.",
)
_LEAST_STARTUP = 60


def consequences(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, *, replaced: bool = False
) -> Iterator[Problem]:
    """What an apply does to brokers, messages and clients. Nothing where nothing changes.

    Args:
        prior: The release as it is: ``name``, ``namespace``, ``chart``, ``version``, the merged ``values`` and the
            options of Helm that are on; None: it is created.
        planned: As it is to be; None: it is destroyed.
        replaced: The plan uninstalls it and installs it anew, whatever has changed.

    The path of each problem is that of a value: ``("config", "min.insync.replicas")``.
    """
    before = None if prior is None else Release(prior)
    after = None if planned is None else Release(planned)
    if before is not None:
        yield from release.gone(before, after, replaced=replaced)
    if after is None or after.chart != "kafka":
        return
    # Helm upgrades whatever has changed of the release.
    yield from release.ways(None if replaced else before, after)
    if prior == planned and not replaced:
        return
    yield from _number(before, after)
    yield from release.claims(before, after)
    yield from release.image(before, after, "Kafka")
    yield from release.memory(before, after, BROKER_HEAP)
    yield from _heap(before, after)
    yield from release.spread(before, after)
    yield from release.network(before, after, unprotected=broker_access.unprotected(after))
    yield from _times(before, after)
    yield from broker_settings.consequences(before, after)
    yield from broker_access.consequences(before, after)
    yield from _entries(before, after)
    yield from release.unreadable(before, after)
    if not replaced:
        yield from rolling.consequences(prior, planned)


def _number(prior: Release | None, planned: Release) -> Iterator[Problem]:
    after = planned.number("replicas")
    before = prior.number("replicas") if prior else None
    if after == 1 and before != 1:
        yield SINGLE(planned.where, path=("replicas",))
    if prior is None or before is None or after is None or after >= before:
        return
    going = [str(each) for each in range(max(after, 0), before)]
    deleted = planned.text("claimRetention", "whenScaled") == "Delete"
    yield TAKEN(
        planned.where,
        path=("replicas",),
        before=before,
        after=after,
        brokers=f"broker{'s' if len(going) > 1 else ''} {shortened(going)} {'are' if len(going) > 1 else 'is'}",
        claims=". Their claims are deleted (claimRetention.whenScaled = Delete), and with them the messages"
        if deleted
        else "; their claims stay",
    )


def _entries(prior: Release | None, planned: Release) -> Iterator[Problem]:
    """Entries that Kafka does not have, or whose values it does not take; what the chart fills in is left to it."""
    free = {key: text for key, text in planned.config().items() if key not in PLATFORM_KEYS and "<" not in text}
    for problem in broker_config_problems(planned.where, free):
        key = str(problem.path[-1])
        if prior is None or prior.entry(key) != planned.entry(key):
            yield problem


def _heap(prior: Release | None, planned: Release) -> Iterator[Problem]:
    heap, memory = planned.heap(), planned.quantity("resources", "memory")
    if prior is not None and (prior.heap(), prior.quantity("resources", "memory")) == (heap, memory):
        return
    if heap is None or memory is None:
        return
    # A heap that does not fit at all is told by itself.
    if memory.value < heap.value * 2 and heap.value <= BROKER_HEAP.largest(memory).value:
        half = f"{memory.bytes // 2 // 1024**2}m"
        yield HEAP_ABOVE_HALF(planned.where, path=("heap",), heap=heap, memory=memory, half=half)


def _times(prior: Release | None, planned: Release) -> Iterator[Problem]:
    gate, grace, startup = (
        planned.number(each) for each in ("shutdownGateSeconds", "terminationGraceSeconds", "startupSeconds")
    )
    before = prior.number("shutdownGateSeconds") if prior else None
    changes = prior is None or (before, prior.number("terminationGraceSeconds")) != (gate, grace)
    if changes and gate is not None and grace is not None and gate >= grace:
        yield SHUTDOWN_GATE(
            planned.where,
            path=("shutdownGateSeconds",),
            gate=f"a broker may wait {gate} s before it stops (shutdownGateSeconds)",
            grace=f"{grace} s",
        )
    if before and gate == 0:
        yield GATE_OFF(planned.where, path=("shutdownGateSeconds",), before=before)
    was = prior.number("startupSeconds") if prior else None
    if startup is not None and startup < _LEAST_STARTUP and was != startup:
        yield STARTUP(planned.where, path=("startupSeconds",), startup=f"startupSeconds = {startup}")
    elif startup is not None and was is not None and startup < was:
        yield STARTUP_LOWERED(planned.where, path=("startupSeconds",), before=was, after=startup)
