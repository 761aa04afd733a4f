"""Moving replicas, and waiting until they have moved.

Done with kafka-python's admin client, the one thing that confluent-kafka's lacks: Kafka's own call for it checks each
partition and answers for each, and asks for no more than the client's own credentials. The other way, the node
``/admin/reassign_partitions``, needs write access to ZooKeeper, takes one change at a time from the whole cluster, and
ends with ZooKeeper.
"""

import time
from collections import defaultdict
from collections.abc import Mapping

from hikube_kafka.kafka.errors import KafkaRefused, Unclear, Unreachable
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.log import log
from hikube_kafka.provider.moves import REQUEST_MS, client, read_sizes
from hikube_kafka.provider.placement import Replicas
from hikube_kafka.provider.topics import KafkaCluster, Layout
from hikube_kafka.spec.changes.replicas import Move
from hikube_kafka.spec.problem import shortened
from hikube_kafka.waiting import Stopped

_AWAY_SECONDS = 60.0
"""For a broker that holds or gets a replica to be registered again, whatever else moves: a restart takes less. The move
cannot end without it, and the next apply goes on with it."""
_SILENT_SECONDS = 30.0
"""For any broker to answer."""
_STANDSTILL_SECONDS = 300.0
"""Without progress, while all brokers are registered: a throttled move of small batches pauses for seconds."""
_UNSEEN_SECONDS = 3600.0
"""The same where the brokers do not tell how many bytes have arrived: one large partition shows nothing meanwhile."""
_UNCLEAR_SECONDS = 60.0
"""For a controller to take a move: a broker that died is followed by another one once its session has ended."""
_SIZES_SECONDS = 5.0
"""Between two looks at the bytes that have arrived; none while partitions are completed."""


def reassign(cluster: KafkaCluster, topic: str, wanted: Mapping[int, Replicas]) -> None:
    """Give each partition of a topic its replicas, and wait until all of them are there and in sync.

    How long that takes depends on the data to copy: the wait goes on as long as something moves. A move that Kafka
    carries out already, and that ends where it is wanted, is waited for and not begun anew.

    Args:
        cluster: The cluster.
        topic: The topic.
        wanted: The brokers that are to hold each partition, preferred leader first.

    Raises:
        KafkaRefused: Kafka refuses the move of a partition, or the topic is gone; ``Unclear``: nobody says.
        Unreachable: No broker has answered for long, or none has said what is being moved already.
        Denied: The client is not let in any more.
        Stopped: Ctrl-C, before the move was asked for.
        Refusal: Nothing moves any more; or Ctrl-C. Kafka continues with what was begun.
    """
    moves = (cluster.moves(fresh=True) or {}).get(topic, {})
    replicas = cluster.layout(fresh=True).replicas.get(topic)
    if replicas is None:
        raise _gone()
    present = {**replicas, **{each: move.target for each, move in moves.items()}}
    moving = {partition: replicas for partition, replicas in wanted.items() if present.get(partition) != replicas}
    if moving:
        _submit(cluster, topic, moving)
    watch = _Watch(cluster, topic, wanted)
    try:
        cluster.until(watch.settled, None)
    except Stopped:
        raise Refusal(
            Diagnostic(
                f"Stopped while replicas of topic {topic} were being moved",
                f"{watch.left} of {len(wanted)} partitions have not moved yet. Kafka continues by itself; the next "
                "apply completes what is left.",
            )
        ) from None


class _Watch:
    """A move that is waited for: what is left of it, and when something was last seen to move."""

    def __init__(self, cluster: KafkaCluster, topic: str, wanted: Mapping[int, Replicas]) -> None:
        self.left = len(wanted)
        self._cluster = cluster
        self._topic = topic
        self._wanted = wanted
        self._seen: object = None
        self._sizes: Mapping[tuple[int, int], int] | None = None
        self._moved = self._sized = self._answered = time.monotonic()
        self._away: dict[int, float] = {}  # the brokers that are needed and not registered, and since when

    def settled(self) -> bool:
        """Whether all replicas are where they belong, and in sync.

        Raises:
            KafkaRefused: The topic is gone.
            Unreachable: No broker has answered for long.
            Denied: The client is not let in any more.
            Refusal: Nothing moves any more.
        """
        try:
            layout = self._cluster.look()
            if self._topic not in layout.replicas:
                self._cluster.forget(self._topic)
                if self._cluster.topic(self._topic) is None:
                    raise _gone()
        except Unreachable:
            if time.monotonic() - self._answered > _SILENT_SECONDS:
                raise
            return False
        self._answered = time.monotonic()
        waiting = _unsettled(layout, self._topic, self._wanted)
        if waiting and len(waiting) != self.left:
            log("info", "replicas are being moved", partitions_left=len(waiting), partitions=len(self._wanted))
        self.left = len(waiting)
        if waiting:
            self._require_progress(layout, waiting)
        return not waiting

    def _require_progress(self, layout: Layout, waiting: Mapping[int, Replicas]) -> None:
        now = time.monotonic()
        replicas = layout.replicas.get(self._topic, {})
        needed = {broker for each in waiting for broker in (*waiting[each], *replicas.get(each, ()))}
        self._away = {broker: self._away.get(broker, now) for broker in sorted(needed - layout.brokers)}
        if self._away and now - min(self._away.values()) > _AWAY_SECONDS:
            raise Refusal(self._misses_brokers(layout, waiting, seconds=now - min(self._away.values())))
        seen = (waiting, replicas)
        if seen != self._seen:
            self._seen, self._moved, self._sized = seen, now, now
            return
        if now - self._sized >= _SIZES_SECONDS:
            self._sized = now
            sizes = self._read_sizes(layout, waiting)
            if sizes is not None and sizes != self._sizes:
                self._moved = now
            self._sizes = sizes
        if now - self._moved > (_UNSEEN_SECONDS if self._sizes is None else _STANDSTILL_SECONDS):
            raise Refusal(self._stands_still(layout, waiting, seconds=now - self._moved))

    def _read_sizes(self, layout: Layout, waiting: Mapping[int, Replicas]) -> Mapping[tuple[int, int], int] | None:
        where: dict[int, list[int]] = defaultdict(list)
        for partition, brokers in waiting.items():
            for broker in layout.brokers.intersection(brokers):
                where[broker].append(partition)
        return read_sizes(self._cluster.addresses, self._cluster.settings.security, self._topic, where)

    def _misses_brokers(self, layout: Layout, waiting: Mapping[int, Replicas], *, seconds: float) -> Diagnostic:
        away = list(self._away)
        several = len(away) > 1
        return Diagnostic(
            f"Replicas of topic {self._topic} cannot move while {_named(away)} {'are' if several else 'is'} away",
            f"{self._left(waiting)} {_named(away).capitalize()} {'have' if several else 'has'} not been registered for "
            f"{seconds:.0f} s ({_named(sorted(layout.brokers))} {'are' if len(layout.brokers) > 1 else 'is'}). Start "
            f"{'them' if several else 'it'}: Kafka then continues by itself, and the next apply waits for what is "
            f"left. {self._cancel(layout, waiting)}",
        )

    def _stands_still(self, layout: Layout, waiting: Mapping[int, Replicas], *, seconds: float) -> Diagnostic:
        measured = "(the brokers do not tell how many bytes arrived)" if self._sizes is None else "and no bytes arrived"
        return Diagnostic(
            f"Replicas of topic {self._topic} have stopped moving",
            f"{self._left(waiting)} For {seconds:.0f} s none of them came in sync {measured}, although every broker is "
            "registered. Look for the reason in the logs of these brokers, and for a throttle that is too low "
            "(kafka-configs.sh --describe). Kafka continues by itself once it is gone, and the next apply waits for "
            f"what is left. {self._cancel(layout, waiting)}",
        )

    def _left(self, waiting: Mapping[int, Replicas]) -> str:
        partitions = [f"partition {each} waits for {_named(brokers)}" for each, brokers in sorted(waiting.items())]
        return f"{len(waiting)} of {len(self._wanted)} partitions have not moved yet: {shortened(partitions)}."

    def _cancel(self, layout: Layout, waiting: Mapping[int, Replicas]) -> str:
        replicas = layout.replicas.get(self._topic, {})
        moves = {each: Move(before=tuple(replicas.get(each, ())), target=self._wanted[each]) for each in waiting}
        return f"To cancel what is left instead:\n\n{self._cluster.reach().cancel(self._topic, moves)}\n"


def _unsettled(layout: Layout, topic: str, wanted: Mapping[int, Replicas]) -> dict[int, Replicas]:
    """The partitions that do not have exactly their replicas, all of them in sync, and which brokers they wait for."""
    replicas, in_sync = layout.replicas.get(topic, {}), layout.in_sync.get(topic, {})
    waiting = {}
    for partition, brokers in wanted.items():
        behind = tuple(broker for broker in brokers if broker not in in_sync.get(partition, ()))
        if behind or replicas.get(partition) != brokers:
            waiting[partition] = behind
    return waiting


def _gone() -> KafkaRefused:
    return KafkaRefused("UNKNOWN_TOPIC_OR_PART", "the topic has been deleted meanwhile")


def _named(brokers: "Replicas | list[int]") -> str:
    if not brokers:
        return "the controller"  # all replicas are in sync: the last step is its own
    return f"broker{'s' if len(brokers) > 1 else ''} {', '.join(map(str, brokers))}"


def _submit(cluster: KafkaCluster, topic: str, moving: Mapping[int, Replicas]) -> None:
    """Ask for the moves; again after an answer that says nothing, as while the controller changes.

    Nothing is done twice by that: a partition that is on its way to these brokers stays so.
    """
    from kafka.errors import KafkaError

    unclear: list[Exception] = []

    def answered() -> bool:
        try:
            _ask(cluster, topic, moving)
        except (KafkaError, RuntimeError) as error:  # RuntimeError: it finds no controller
            unclear.append(error)
            return False
        return True

    if not cluster.until(answered, _UNCLEAR_SECONDS):
        raise Unclear(type(unclear[-1]).__name__, str(unclear[-1]))


def _ask(cluster: KafkaCluster, topic: str, moving: Mapping[int, Replicas]) -> None:
    from kafka import TopicPartition
    from kafka.errors import KafkaError

    try:
        with client(cluster.addresses, cluster.settings.security, REQUEST_MS) as admin:
            answers = admin.alter_partition_reassignments(
                {TopicPartition(topic, partition): list(replicas) for partition, replicas in moving.items()},
                timeout_ms=REQUEST_MS,
            )
    except KafkaError as error:
        if error.retriable:
            raise
        raise KafkaRefused(type(error).__name__, str(error)) from None
    refusals = {each.partition: refusal for each, refusal in sorted(answers.items()) if refusal is not None}
    if refusals:
        told = [f"partition {partition}: {refusal.description}" for partition, refusal in refusals.items()]
        raise KafkaRefused(next(iter(refusals.values())).message, shortened(told))
