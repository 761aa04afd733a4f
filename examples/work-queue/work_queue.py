"""A work queue over topics: priorities, retries after a delay, dead letters, workers that may die at any moment.

To copy; it needs confluent-kafka alone. ``docs/usecases/work_queue.md`` says why each setting is what it is.

What it promises: a task that was acknowledged to its sender ends in exactly one of two ways. Its effect is there, once
(see ``effects.py``), or it is in the dead letters, once for whoever reads committed messages, with the reason.
"""

import json
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Protocol, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

ATTEMPT = "task-attempt"
"""Header: which attempt this is, from 1."""
PRIORITY = "task-priority"
"""Header of what is delayed: the priority that it has once it is due."""
ERROR = "task-error"
"""Header of a dead letter: why it is one."""
ORIGIN = "task-origin"
"""Header of a dead letter: topic, partition and offset of the last attempt."""
FAILED_AT = "task-failed-at"
"""Header of a dead letter: milliseconds since 1970."""

_T = TypeVar("_T")
_OURS = {ATTEMPT, PRIORITY, ERROR, ORIGIN, FAILED_AT}
_FINDING_LEADERS = {"topic.metadata.refresh.interval.ms": 5_000}
"""The new leader is found where the old one hangs or is unplugged: docs/clients.md."""
_SHOWN = 1_000
_TRANSACTION_SECONDS = 15
"""A worker that dies within its transaction holds up whoever reads committed messages for at most this long. The
transaction is opened when all work is done, and takes milliseconds."""
_SETTLE_SECONDS = 0.2
"""A transaction takes tens of milliseconds however much is in it: what is done within this time shares one."""
_CALL_SECONDS = 10.0
_CALLS = 6
_IN_HAND = 32
"""Tasks of a partition that wait in the worker: with fewer, a priority would run dry while it is fetched, and others
would take its turns."""
_AHEAD = 2
"""Tasks handed to the threads for each thread, so that they have work while a transaction is committed."""
_IDLE_SECONDS = 0.05
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_LARGEST = 10_485_760
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}


class PoisonError(Exception):
    """No further attempt can succeed: the task goes to the dead letters at once."""


class UnavailableError(Exception):
    """What a task needs does not answer: the task is run again where it is, and no attempt is counted.

    A destination that is away for an hour would otherwise turn an hour of tasks into dead letters.
    """


class HungError(Exception):
    """A task has run for longer than any may: the process must end, and is to be started again."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be done."""

    id: str
    """Chosen by the sender, and the same when it sends the task again: effects are keyed by it."""
    kind: str
    """Which handler it is for."""
    payload: Mapping[str, Any]
    attempt: int = 1
    """Which attempt this is."""
    enqueued: float = 0.0
    """When the broker or the sender has stamped the message of this attempt, in seconds since 1970."""
    priority: str = ""

    def encode(self) -> bytes:
        """As the topic has it."""
        return json.dumps({"id": self.id, "kind": self.kind, "payload": self.payload}).encode()


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Names of the topics, and what they mean."""

    prefix: str = "tasks"
    weights: Mapping[str, int] = field(default_factory=lambda: {"high": 6, "normal": 3, "low": 1})
    """Share of each priority while all of them have work. One with 100, 10 and 1 is strict for all that a person can
    see, and still starves nobody."""
    delays: Sequence[str] = ("10s", "1m")
    """A topic each. The n-th failed attempt waits the n-th of them; after the last one a task is a dead letter."""

    def __post_init__(self) -> None:
        """Refuse what would starve a priority, or name no time."""
        for priority, weight in self.weights.items():
            if weight < 1:
                raise ValueError(f"priority {priority} has weight {weight}: it would never be served. Give it 1.")
        for delay in self.delays:
            seconds(delay)

    def of(self, priority: str) -> str:
        """Topic of the tasks of a priority."""
        return f"{self.prefix}.{priority}"

    def after(self, delay: str) -> str:
        """Topic of the tasks that wait so long."""
        return f"{self.prefix}.retry.{delay}"

    @property
    def dead_letters(self) -> str:
        """Topic of what could not be done."""
        return f"{self.prefix}.dead-letters"

    @property
    def waits(self) -> dict[str, float]:
        """Seconds of each topic that workers read."""
        return {self.of(each): 0.0 for each in self.weights} | {self.after(each): seconds(each) for each in self.delays}


def seconds(delay: str) -> float:
    """Of ``500ms``, ``10s``, ``5m``, ``1h``.

    Raises:
        ValueError: it is none.
    """
    number = delay.rstrip("mhs")
    unit = delay.removeprefix(number)
    try:
        return float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        raise ValueError(f"delay {delay!r}: write 500ms, 10s, 5m or 1h.") from None


class Sender:
    """Hands tasks to the queue.

    Args:
        bootstrap: addresses of brokers.
        topics: of the queue.
        config: further configuration of the client: security.
    """

    def __init__(self, bootstrap: str, topics: Topics, config: Mapping[str, Any] | None = None) -> None:
        self._topics = topics
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                **_FINDING_LEADERS,
                **(config or {}),
            }
        )
        self.acknowledged: set[str] = set()
        """Ids that the brokers have: what was not acknowledged has to be sent again, under the same id."""
        self.refused: dict[str, str] = {}

    def send(self, task: Task, priority: str, *, delay: str | None = None) -> None:
        """Send it; :meth:`flush` says which have arrived.

        Args:
            task: what is to be done.
            priority: one of the queue's.
            delay: one of the queue's: it is not begun before.
        """
        self.send_bytes(task.id, task.encode(), priority, delay=delay)

    def send_bytes(self, key: str, value: bytes, priority: str, *, delay: str | None = None) -> None:
        """Send what somebody else has encoded."""
        if priority not in self._topics.weights:
            raise ValueError(f"priority {priority!r}: the queue has {', '.join(self._topics.weights)}.")
        topic = self._topics.after(delay) if delay else self._topics.of(priority)

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.acknowledged.add(key)
            else:
                self.refused[key] = str(error)

        while True:
            try:
                self._producer.produce(
                    topic, value, key.encode(), headers={ATTEMPT: "1", PRIORITY: priority}, on_delivery=delivered
                )
                break
            except BufferError:  # full: the brokers are slower than this sender
                self._producer.poll(0.1)
        self._producer.poll(0)

    def flush(self, seconds: float = 60.0) -> None:
        """Wait until all are acknowledged or refused."""
        self._producer.flush(seconds)


class Deaths(Protocol):
    """Remembers which tasks were under way when workers died; ``effects.py`` does so in PostgreSQL."""

    def of(self, message: str) -> int:
        """How often the task of this message was begun and not ended."""

    def begin(self, message: str) -> None:
        """Count that it is begun."""

    def end(self, message: str) -> None:
        """Forget it: whatever came of it, its worker lives."""


@dataclass(eq=False)
class _Run:
    """A task that was begun."""

    message: Message
    began: float
    is_suspect: bool = False
    """Whether somebody who died may have begun it."""
    is_alone: bool = False
    """Whether nothing else runs beside it, so that a death is its own doing."""
    wants_to_be_alone: bool = False
    is_nobodys: bool = False
    """Whether its partition went to another worker."""
    settled: bool = False
    """Whether the outcome is known."""
    target: str | None = None
    """Topic that it goes on to; None means that it is done."""
    headers: list[tuple[str, str | bytes | None]] = field(default_factory=list)
    """Those that it goes on with."""

    @property
    def place(self) -> str:
        """Of the message: another attempt is another one."""
        return f"{self.message.topic()}/{self.message.partition()}/{self.offset}"

    @property
    def offset(self) -> int:
        """Of the message."""
        return int(self.message.offset() or 0)


@dataclass(eq=False)
class _Lane:
    """A partition that this worker has."""

    topic: str
    partition: int
    wait: float
    suspects: int
    """Messages, from the committed offset on, which somebody who died may have begun already."""
    waiting: deque[Message] = field(default_factory=deque)
    runs: deque[_Run] = field(default_factory=deque)
    """In the order of offsets: an offset is committed when everything before it is settled."""
    is_paused: bool = False

    @property
    def due(self) -> float:
        """When its head may begin, in seconds since 1970.

        All of a partition wait equally long and are stamped by the broker in their order, so no one is due before the
        head is.
        """
        if not self.wait:
            return 0.0  # whatever the clock of its sender said
        _, stamp = self.waiting[0].timestamp()
        return stamp / 1_000 + self.wait

    def prefix(self) -> list[_Run]:
        """The outcomes that can be committed."""
        found = []
        for run in self.runs:
            if not run.settled:
                break
            found.append(run)
        return found


class Turns:
    """Whose turn it is, by weights: in any stretch in which all have work, each gets its share, evenly spread."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = weights
        self._credit = dict.fromkeys(weights, 0)

    def next(self, having_work: set[str]) -> str:
        """The priority that is served next."""
        for each in having_work:
            self._credit[each] += self._weights[each]
        chosen = max(having_work, key=lambda each: (self._credit[each], self._weights[each]))
        self._credit[chosen] -= sum(self._weights[each] for each in having_work)
        return chosen


class Worker:
    """A member of the group that does the tasks.

    The consumer is polled the whole time, whatever the tasks do: they run in threads. A partition whose tasks are under
    way in sufficient number is paused. What is settled is committed in a transaction: the messages that go on to
    another topic together with the offsets.

    Args:
        bootstrap: addresses of brokers.
        topics: of the queue.
        handle: does a task. Whatever it raises means another attempt; :class:`PoisonError` means none.
        group: consumer group.
        instance: name of this worker that stays the same when it is started again (``worker-0``, the name of a pod of a
            StatefulSet). It gets its partitions back without a rebalance, and ends what its predecessor left open. None
            means a name for this process alone.
        concurrency: tasks at a time.
        in_flight: tasks of a partition that were begun and not committed. After a crash at most so many of a partition
            are run again.
        deaths: remembers the tasks that were under way when a worker died. None means that a task which kills its
            worker kills the next one, for ever.
        most_deaths: a task that was begun again so often is a dead letter. From the second time on it runs alone: what
            ran beside it is not to blame.
        hung_after: seconds after which a task counts as hung.
        grace: seconds for which tasks under way may still finish when their partition goes to another worker.
        session_seconds: after this time without a sign of life, the group gives the partitions to others.
        config: further configuration of both clients, which wins: security.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Topics,
        handle: Callable[[Task], None],
        *,
        group: str,
        instance: str | None = None,
        concurrency: int = 4,
        in_flight: int = 64,
        deaths: Deaths | None = None,
        most_deaths: int = 3,
        hung_after: float = 900.0,
        grace: float = 5.0,
        session_seconds: float = 45.0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self._topics = topics
        self._handle = handle
        self._concurrency = concurrency
        self._in_flight = in_flight
        self._deaths = deaths
        self._alone: deque[_Run] = deque()
        self._most_deaths = most_deaths
        self._hung_after = hung_after
        self._grace = grace
        self._turns = Turns(topics.weights)
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._running: set[_Run] = set()
        self._ending = Event()
        self._finished: queue.SimpleQueue[_Run] = queue.SimpleQueue()
        self._next_settling = 0.0
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="task")
        self.counted = dict.fromkeys(("done", "retried", "dead", "aborted", "abandoned", "revoked"), 0)
        """What this worker has done: see :meth:`_settle` and :meth:`_revoked`."""
        shared = {"bootstrap.servers": bootstrap, **_FINDING_LEADERS, **(config or {})}
        self._producer = Producer(
            {
                "transactional.id": f"{group}.{instance or uuid.uuid4()}",
                "transaction.timeout.ms": _TRANSACTION_SECONDS * 1_000,
                "message.max.bytes": _LARGEST,  # the topics say what is too large, not who passes it on
                **shared,
            }
        )
        self._consumer = Consumer(
            {
                "group.id": group,
                **({"group.instance.id": instance} if instance else {}),
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(session_seconds * 1_000),
                "heartbeat.interval.ms": int(min(3.0, session_seconds / 3) * 1_000),
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",  # a new group begins with the first task, not with the next one
                "isolation.level": "read_committed",
                "queued.min.messages": 100,  # pausing a partition throws away what was fetched ahead of need
                **shared,
            }
        )

    def run(self, stop: Event) -> None:
        """Work until that is set.

        Raises:
            HungError: a task hangs.
            KafkaException: an error that only a new process can mend, such as being fenced by a successor.
        """
        self._again(lambda: self._producer.init_transactions(_CALL_SECONDS))
        self._consumer.subscribe(
            list(self._topics.waits), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )
        try:
            while not stop.is_set():
                self._fetch()
                self._begin()
                self._collect()
                if time.monotonic() >= self._next_settling:
                    self._settle()
                self._regulate()
            self._ending.set()
            self._finish(list(self._lanes.values()))
        finally:
            self._ending.set()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._consumer.close()

    # What the consumer does.

    def _fetch(self) -> None:
        """Take what has come. Rebalances are told in here too, in this thread."""
        message = self._consumer.poll(0 if self._running else _IDLE_SECONDS)
        for _ in range(_IN_HAND):
            if message is None:
                return
            self._take(message)
            message = self._consumer.poll(0)
        if message is not None:
            self._take(message)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            # Everything else the client mends by itself: brokers that are gone, leaders that move.
            if error.fatal():
                raise KafkaException(error)
            return
        lane = self._lanes.get((str(message.topic()), message.partition() or 0))
        if lane is not None:  # else it was fetched before the partition was taken away
            lane.waiting.append(message)

    def _regulate(self) -> None:
        """Pause what has enough in hand or is not due yet; resume the rest."""
        now = time.time()
        pause, resume = [], []
        for lane in self._lanes.values():
            held = len(lane.waiting)
            is_early = bool(lane.waiting) and lane.due > now
            if not lane.is_paused and (held >= _IN_HAND or is_early):
                pause.append(lane)
            elif lane.is_paused and held <= _IN_HAND // 2 and not is_early:
                resume.append(lane)
        for lanes, change in ((pause, self._consumer.pause), (resume, self._consumer.resume)):
            if lanes:
                change([TopicPartition(lane.topic, lane.partition) for lane in lanes])
            for lane in lanes:
                lane.is_paused = not lane.is_paused

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._lanes[each.topic, each.partition] = _Lane(
                each.topic, each.partition, self._topics.waits[each.topic], self._in_flight
            )

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Finish what is under way there, commit it, and let go."""
        lanes = [self._lanes[key] for each in partitions if (key := (each.topic, each.partition)) in self._lanes]
        self.counted["revoked"] += len(lanes)
        self._finish(lanes)
        self._let_go(partitions)

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Another worker has them already: nothing of them may be committed."""
        self._let_go(partitions)

    def _let_go(self, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            lane = self._lanes.pop((each.topic, each.partition), None)
            # What still runs there may take effect, or find that the other worker was first. Its outcome is nobody's.
            for run in lane.runs if lane else ():
                run.is_nobodys = True
                self.counted["abandoned"] += 1

    def _finish(self, lanes: list[_Lane]) -> None:
        for lane in lanes:
            lane.waiting.clear()
        end = time.monotonic() + self._grace
        while time.monotonic() < end and any(run in self._running for lane in lanes for run in lane.runs):
            self._collect()
        self._settle()

    # What happens to the tasks.

    def _begin(self) -> None:
        """Begin what is due, by priority, as long as there is room."""
        if self._begin_alone():
            return
        now = time.time()
        while len(self._running) < _AHEAD * self._concurrency:
            heads: dict[str, _Lane] = {}
            for lane in self._lanes.values():
                if lane.waiting and lane.due <= now and len(lane.runs) < self._in_flight:
                    priority = self._priority(lane.waiting[0])
                    heads.setdefault(priority, lane)
            if not heads:
                return
            lane = heads[self._turns.next(set(heads))]
            key = (lane.topic, lane.partition)
            self._lanes[key] = self._lanes.pop(key)  # the partitions of a priority take turns
            run = _Run(lane.waiting.popleft(), time.monotonic(), is_suspect=lane.suspects > 0)
            lane.suspects -= 1
            lane.runs.append(run)
            self._submit(run)

    def _submit(self, run: _Run) -> None:
        run.began = time.monotonic()
        self._running.add(run)
        self._pool.submit(self._do, run)

    def _begin_alone(self) -> bool:
        """Whether tasks that have to run alone have the worker for themselves."""
        while self._alone and self._alone[0].is_nobodys:
            self._alone.popleft()
        if self._alone and not self._running:
            run = self._alone.popleft()
            run.is_alone, run.wants_to_be_alone = True, False
            self._submit(run)
            return True
        return bool(self._alone) or any(run.is_alone for run in self._running)

    def _priority(self, message: Message) -> str:
        weights = self._topics.weights
        found = _headers(message).get(PRIORITY) or str(message.topic()).removeprefix(f"{self._topics.prefix}.")
        return found if found in weights else min(weights, key=weights.__getitem__)

    def _do(self, run: _Run) -> None:
        """In a thread: do a task, and note what becomes of it."""
        attempt = 1
        try:
            task = self._task(run.message)
            attempt = task.attempt
            if not self._may_begin(run):
                run.wants_to_be_alone = True
            else:
                self._watched(run, task)
        except UnavailableError:
            return  # this worker ends; whoever has the partition next runs the task
        except PoisonError as error:
            self._bury(run, attempt, str(error))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is about this task alone
            if attempt > len(self._topics.delays):
                self._bury(run, attempt, f"{type(error).__name__}: {error}")
            else:
                self._pass_on(run, self._topics.after(self._topics.delays[attempt - 1]), {ATTEMPT: str(attempt + 1)})
        self._finished.put(run)

    def _may_begin(self, run: _Run) -> bool:
        """Whether it may begin here and now; not where workers died with it and others run beside it."""
        deaths = self._deaths
        if deaths is None or not run.is_suspect:
            return True
        count = self._patiently(run, lambda: deaths.of(run.place))
        if count >= self._most_deaths:
            raise PoisonError(f"{count} workers died while they had it")
        return run.is_alone or not count

    def _watched(self, run: _Run, task: Task) -> None:
        """Do it; of what somebody who died may have begun, note that it was begun until it has ended."""
        deaths = self._deaths
        if deaths is None or not run.is_suspect:
            self._patiently(run, lambda: self._handle(task))
            return
        self._patiently(run, lambda: deaths.begin(run.place))
        try:
            self._patiently(run, lambda: self._handle(task))
        finally:
            self._patiently(run, lambda: deaths.end(run.place))

    def _patiently(self, run: _Run, call: Callable[[], _T]) -> _T:
        pause = _FIRST_PAUSE
        while True:
            try:
                return call()
            except UnavailableError:
                if self._ending.wait(pause):
                    raise
                pause = min(pause * 2, _LONGEST_PAUSE)
                run.began = time.monotonic()

    def _task(self, message: Message) -> Task:
        headers = _headers(message)
        try:
            read = json.loads(message.value() or b"")
            identity, kind, payload = read["id"], read["kind"], read["payload"]
            attempt = int(headers.get(ATTEMPT, "1"))
        except (ValueError, TypeError, KeyError) as error:
            raise PoisonError(f"it cannot be decoded: {type(error).__name__}: {error}") from error
        if not (isinstance(identity, str) and isinstance(kind, str) and isinstance(payload, dict)):
            raise PoisonError("it cannot be decoded: id and kind are texts, payload is an object")
        _, stamp = message.timestamp()
        return Task(
            id=identity,
            kind=kind,
            payload=payload,
            attempt=attempt,
            enqueued=stamp / 1_000,
            priority=self._priority(message),
        )

    def _bury(self, run: _Run, attempt: int, reason: str) -> None:
        told = {
            ATTEMPT: str(attempt),
            ERROR: reason[:_SHOWN],
            ORIGIN: run.place,
            FAILED_AT: str(int(time.time() * 1_000)),
        }
        self._pass_on(run, self._topics.dead_letters, told)

    def _pass_on(self, run: _Run, target: str, told: Mapping[str, str]) -> None:
        """As it came, key and bytes and foreign headers; what the queue itself says of it is new."""
        run.target = target
        kept = [each for each in _headers_as_they_are(run.message) if each[0] not in _OURS]
        run.headers = [*kept, *{PRIORITY: self._priority(run.message), **told}.items()]

    def _collect(self) -> None:
        """Take the outcomes; wait a moment for one if every place is taken."""
        is_first = True
        while self._running:
            try:
                run = self._finished.get(timeout=_IDLE_SECONDS if is_first else 0)
            except queue.Empty:
                break
            is_first = False
            self._running.discard(run)
            if run.wants_to_be_alone:
                self._alone.append(run)
            else:
                run.settled = True
        oldest = min((run.began for run in self._running), default=None)
        if oldest is not None and time.monotonic() - oldest > self._hung_after:
            raise HungError(f"a task has run for more than {self._hung_after:g} s")

    def _settle(self) -> None:
        """Commit what can be: messages to other topics and offsets, all or nothing."""
        self._next_settling = time.monotonic() + _SETTLE_SECONDS
        ready = [(lane, found) for lane in self._lanes.values() if (found := lane.prefix())]
        if not ready:
            return
        offsets = [TopicPartition(lane.topic, lane.partition, found[-1].offset + 1) for lane, found in ready]
        try:
            self._producer.begin_transaction()
            for _, found in ready:
                for run in found:
                    if run.target is not None:
                        message = run.message
                        self._producer.produce(run.target, message.value(), message.key(), headers=run.headers)
            self._again(
                lambda: self._producer.send_offsets_to_transaction(
                    offsets, self._consumer.consumer_group_metadata(), _CALL_SECONDS
                )
            )
            self._again(lambda: self._producer.commit_transaction(_CALL_SECONDS))
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            # A rebalance is under way (ILLEGAL_GENERATION), or a broker said no. The outcomes stay; they are committed
            # in the next round, unless the partition has gone to another worker by then.
            self._again(lambda: self._producer.abort_transaction(_CALL_SECONDS))
            self.counted["aborted"] += 1
            return
        for lane, found in ready:
            for run in found:
                lane.runs.popleft()
                self.counted[self._word(run)] += 1

    def _word(self, run: _Run) -> str:
        if run.target is None:
            return "done"
        return "dead" if run.target == self._topics.dead_letters else "retried"

    def _again(self, call: Callable[[], object]) -> None:
        """Call again what may be called again: the client says which errors those are."""
        for attempt in range(_CALLS):
            try:
                call()
            except KafkaException as error:
                if attempt == _CALLS - 1 or not error.args[0].retriable():
                    raise
            else:
                return


def _headers_as_they_are(message: Message) -> list[tuple[str, str | bytes | None]]:
    return list(message.headers() or [])  # type: ignore[arg-type]  # a consumer gives a list, whatever a producer takes


def _headers(message: Message) -> dict[str, str]:
    """Its headers that are texts."""
    return {
        key: value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for key, value in _headers_as_they_are(message)
        if value is not None
    }
