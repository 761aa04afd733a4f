"""Tasks with priorities, retries and dead letters, done by workers that are killed: each effect once, none lost."""

import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from usecases import highest
from usecases.asking import asking
from usecases.chain import ROOT, Chain, Outcome
from usecases.deploy import Deployment
from usecases.parts.postgresql import PostgreSQL
from usecases.process import PartFailedError, Process, until

EXAMPLE = ROOT / "examples" / "work-queue"
sys.path.insert(0, str(EXAMPLE))  # where a program of the example finds its library, too

import effects  # noqa: E402
import handlers  # noqa: E402
from work_queue import ATTEMPT, ERROR, Sender, Task, Topics, seconds  # noqa: E402

SEED = 12
"""Two runs send the same tasks."""
SHARE_TOLERANCE = 0.1
FEWEST_TO_JUDGE = 100
"""Tasks in a row of one worker from which shares are told: of fewer, chance alone takes them further apart."""
DATABASE_PORT = 24432
AT_ONCE = "at-once"
"""Beginning of the ids of tasks with which the highest rate is measured."""
DEFAULTS = (
    "enable.auto.commit=true",
    "partition.assignment.strategy=range,roundrobin",
    "queued.min.messages=100000",
    "topic.metadata.refresh.interval.ms=300000",
)
"""librdkafka's own, in place of those of the workers."""
LIBRARY_SESSION = 45.0
SENDER_DEFAULTS: Mapping[str, Any] = {
    "enable.idempotence": False,
    "compression.type": "none",
    "topic.metadata.refresh.interval.ms": 300_000,
}
"""librdkafka's own, in place of those of the sender."""
TELL_SECONDS = 20.0
TROUBLES: Mapping[str, tuple[float, str]] = {
    "flaky": (0.03, ""),
    "flaky to the last": (0.01, ""),
    "refused": (0.01, "is closed"),
    "broken": (0.005, "ZeroDivisionError: division by zero"),
    "unheard-of": (0.005, "no handler for the kind"),
    "cut off": (0.01, "it cannot be decoded"),
}
"""What is mixed in, how often, and for what nobody can do the words of the reason."""
SENT_TWICE, DELAYED = 0.01, 0.02
"""Share of tasks whose sender did not know whether it was heard; and of those that it wants done later."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a run is."""

    duration: float
    """Seconds for which tasks are sent."""
    rate: float
    """Tasks a second."""
    kill_every: float
    """Seconds from one killed worker to the next."""
    delays: tuple[str, ...]
    """Of the stack."""
    session: float
    """Seconds after which the group gives up a worker that is silent."""
    workers: int
    backlog: int
    """Tasks of each priority that wait when the workers begin: while all have work, each has its share."""


SHORT = Size(duration=12, rate=40, kill_every=4, delays=("1s", "2s"), session=6, workers=2, backlog=200)
LONG = Size(duration=120, rate=40, kill_every=20, delays=("10s", "1m"), session=10, workers=3, backlog=500)


@dataclass(kw_only=True)
class Sent:
    """What was sent, by what has to become of it."""

    effective: set[str] = field(default_factory=set)
    """Tasks with an effect."""
    doomed: dict[str, str] = field(default_factory=dict)
    """Keys of what ends in the dead letters, and words of the reason."""
    kinds: Counter[str] = field(default_factory=Counter)


class Workers:
    """Processes of the example's worker, watched as a supervisor does it: who has ended is started again.

    Args:
        folder: has their logs.
        count: how many.
        arguments: of the program, but for the name.
        chain: hears of it when one cannot be started again.
    """

    def __init__(self, folder: Path, count: int, arguments: list[str], chain: Chain) -> None:
        command = [sys.executable, str(EXAMPLE / "worker.py"), *arguments, "--instance"]
        self.processes = [
            Process(f"worker-{number}", [*command, f"worker-{number}"], folder=folder) for number in range(count)
        ]
        self.killed = self.ended_by_task = 0
        self.kills: list[float] = []
        """When, in seconds since 1970."""
        self._away: dict[str, float] = {}
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._watching = chain.thread("starting workers again", self._watch)

    def start(self) -> None:
        """Start all, and begin to watch."""
        for process in self.processes:
            process.start()
        self._watching.start()

    def kill(self, number: int, *, away: float) -> None:
        """Kill one in the middle of what it does; it is started again after that time, in seconds."""
        with self._lock:
            process = self.processes[number]
            process.kill()
            self.killed += 1
            self.kills.append(time.time())
            self._away[process.name] = time.monotonic() + away

    def are_all_there(self) -> bool:
        """Whether all run, and none is to be started again."""
        with self._lock:
            return not self._away and all(process.is_running for process in self.processes)

    def _watch(self) -> None:
        while not self._ending.wait(0.1):
            with self._lock:
                for process in self.processes:
                    if process.is_running:
                        continue
                    if process.name not in self._away:
                        self.ended_by_task += 1
                        self._away[process.name] = time.monotonic() + 0.5
                    elif time.monotonic() > self._away[process.name]:
                        del self._away[process.name]
                        process.start()

    def stop(self) -> None:
        """End all in order."""
        self._ending.set()
        if self._watching.is_alive():
            self._watching.join()
        for process in self.processes:
            process.stop()

    def told(self) -> Counter[str]:
        """What all of them have counted, up to their last line before they were killed."""
        total: Counter[str] = Counter()
        for process in self.processes:
            last: dict[str, Any] = {}
            for line in process.log.read_text("utf-8", errors="replace").splitlines():
                try:
                    read = json.loads(line)
                except ValueError:  # a client's own line, or one that was cut off
                    continue
                if last and read["since"] != last["since"]:
                    _add(total, last)
                last = read
            _add(total, last)
        return total


def _add(total: Counter[str], told: Mapping[str, Any]) -> None:
    total.update({key: value for key, value in told.items() if isinstance(value, int)})


def committed_records(bootstrap: str, topic: str) -> list[Message]:
    """Every message of a topic, as who reads committed messages sees it.

    Args:
        bootstrap: addresses of brokers.
        topic: its name.

    Raises:
        PartAwayError: no broker answers, or the topic is not there.
        PartFailedError: the end was not reached within a minute.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "counting",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    found: list[Message] = []
    ended: set[int] = set()

    def is_read() -> bool:
        for message in consumer.consume(500, timeout=0.2):
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's public name of it
                ended.add(message.partition() or 0)
            elif error.fatal():
                raise KafkaException(error)
        return ended >= partitions

    try:
        with asking("Kafka", f"the messages of {topic}"):
            described = consumer.list_topics(topic, timeout=20).topics[topic]
            if described.error is not None:
                raise KafkaException(described.error)
            partitions = set(described.partitions)
            consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
            until(is_read, 60, f"the end of {topic}")
        return found
    finally:
        consumer.close()


def text_of(message: Message, header: str) -> str:
    """A header of a message; the empty text where there is none."""
    values = dict(message.headers() or [])
    value = values.get(header)
    return value.decode() if isinstance(value, bytes) else ""


class WorkQueue(Chain):
    """Sender → topics of priorities and delays → workers → PostgreSQL, with dead letters beside it."""

    name = "work-queue"
    takes: Mapping[str, str] = {
        "duration": "seconds for which tasks are sent; 120, short 12",
        "rate": "tasks a second; 40",
        "burst": "tasks at once, to measure the highest rate, or no; 5000, short 300",
        "settings": "tuned, or default: every part's own settings; tuned",
        "picture": "file that the plot is written to",
    }

    def up(self, stack: ExitStack) -> None:
        """PostgreSQL, and the platform of ``stacks/work_queue.py``."""
        self.size = SHORT if self.short else LONG
        self.duration, self.rate = self.number("duration", self.size.duration), self.number("rate", self.size.rate)
        self.at_once, self.defaults = self.burst(300 if self.short else 5_000), not self.tuned
        self.session = LIBRARY_SESSION if self.defaults else self.size.session
        self.topics = Topics(delays=self.size.delays)
        self.database = PostgreSQL(self, stack, port=DATABASE_PORT, databases=("tasks",), user="worker")
        self.database.start()
        self.deployment = Deployment(self.name, self.folder, small=self.short, tuned=self.tuned)
        outputs = self.deployment.up(stack)
        self.bootstrap = str(outputs["work-queue"]["bootstrap_servers"])
        self.dsn = self.database.url("tasks")
        with self.database.connection("tasks", "the tables", autocommit=True) as connection:
            connection.execute(effects.TABLES.encode())
            connection.execute(handlers.TABLES.encode())
        self.workers = Workers(
            self.folder,
            self.size.workers,
            [
                *("--bootstrap", self.bootstrap, "--database", self.dsn),
                *("--delays", ",".join(self.size.delays), "--session", str(self.session)),
                *(word for each in (DEFAULTS if self.defaults else ()) for word in ("--config", each)),
            ],
            self,
        )
        stack.callback(self.workers.stop)

    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:  # noqa: ARG002 - known already
        """Send, kill, and count at the destination."""
        size, sent = self.size, Sent()
        sender = Sender(self.bootstrap, self.topics, SENDER_DEFAULTS if self.defaults else None)
        self._fill(sender, sent)
        self.workers.start()
        self.until(
            lambda: self._effects() >= self.size.backlog * len(self.topics.weights), 120, "the backlog to be done"
        )
        self._judge_priorities(outcome)

        began = time.monotonic()
        self._send(sender, sent, self.duration, self.rate)
        outcome.figures["sent_per_s"] = round(sum(sent.kinds.values()) / (time.monotonic() - began), 1)
        patience = 2 * seconds(size.delays[-1]) + 4 * size.session + 60
        if self.defaults:  # some are lost, and waited for in vain
            patience = seconds(size.delays[-1]) + self.session + 30
        self._wait_for_effects(sent, patience)
        if self.at_once:
            self.until(self.workers.are_all_there, 30, "the workers that were killed")
            before = self._effects()
            highest.measure(
                self,
                outcome,
                lambda: self._send_at_once(sender, sent),
                lambda: self._effects() - before,
                destination="PostgreSQL",
            )
        self._judge_dead_letters(outcome, sent, patience)
        self.workers.stop()
        self._judge_effects(outcome, sender, sent)
        told = self.workers.told()
        outcome.figures |= {
            "tasks": len(sender.acknowledged),
            "workers_killed": self.workers.killed,
            "workers_ended_by_a_task": self.workers.ended_by_task,
            "run_again_effect_was_there": told["repeated"],
            "partitions_revoked": told["revoked"],
            "transactions_aborted": told["aborted"],
            "retried": told["retried"],
        }
        outcome.check(
            "workers were killed in the middle", holds=self.workers.killed > 0, seen=f"{self.workers.killed} times"
        )
        if picture := self.picture:
            self._draw(picture)

    # What is sent.

    def _fill(self, sender: Sender, sent: Sent) -> None:
        for number in range(self.size.backlog * len(self.topics.weights)):
            key, priority = f"backlog-{number:05}", list(self.topics.weights)[number % len(self.topics.weights)]
            payload = {"account": "backlog", "cents": 1, "seconds": 0.02}
            sender.send(Task(id=key, kind="charge", payload=payload), priority)
            sent.effective.add(key)
        sender.flush()

    def _send(self, sender: Sender, sent: Sent, duration: float, rate: float) -> None:
        """Send at the rate of the run, and kill a worker every few seconds."""
        size, chance = self.size, random.Random(SEED)  # noqa: S311 - no secret
        sender.send(Task(id="crash", kind="crash", payload={}), "high")
        sent.doomed["crash"] = "workers died while they had it"
        began = told = time.monotonic()
        next_kill, number = began + size.kill_every, 0
        while (now := time.monotonic()) < began + duration:
            if number < (now - began) * rate:
                self._send_one(sender, sent, number, chance)
                number += 1
                continue
            if now > next_kill:
                # Every other one is back before the group has noticed, every other one long after.
                away = 0.5 if self.workers.killed % 2 else size.session + 2
                self.workers.kill(self.workers.killed % size.workers, away=away)
                next_kill += size.kill_every
            if now > told + TELL_SECONDS:
                told = now
                self.heed()
                self.live |= {"sent": number, "effects": self._effects(), "workers killed": self.workers.killed}
            time.sleep(0.005)
        sender.flush()

    def _send_at_once(self, sender: Sender, sent: Sent) -> int:
        """Tasks of all priorities that take no time of their own."""
        priorities = list(self.topics.weights)
        for number in range(self.at_once):
            payload = {"account": f"{AT_ONCE}-{number % 97}", "cents": 1, "seconds": 0.0}
            key = f"{AT_ONCE}-{number:06}"
            sender.send(Task(id=key, kind="charge", payload=payload), priorities[number % len(priorities)])
            sent.effective.add(key)
        sender.flush()
        return self.at_once

    def processes(self) -> Mapping[str, list[int]]:
        """Those of the workers besides."""
        workers = [each.pid for each in self.workers.processes if each.is_running]
        return {**super().processes(), "workers": workers}

    def _send_one(self, sender: Sender, sent: Sent, number: int, chance: random.Random) -> None:
        """A task as they come."""
        key, account = f"task-{number:07}", f"account-{number % 97}"
        payload: dict[str, Any] = {"account": account, "cents": 1 + number % 500}
        payload["seconds"] = chance.choice((0.0, 0.01, 0.1))
        shares = [share for share, _ in TROUBLES.values()]
        (trouble,) = chance.choices(["charge", *TROUBLES], [1 - sum(shares), *shares])
        kind = {"flaky to the last": "flaky", "cut off": "charge"}.get(trouble, trouble)
        payload["fails"] = len(self.size.delays) if trouble == "flaky to the last" else 1
        value = Task(id=key, kind=kind, payload=payload).encode()
        if trouble == "cut off":
            value = value[: len(value) // 2]
        (priority,) = chance.choices(list(self.topics.weights), (2, 5, 3))
        delay = self.size.delays[0] if chance.random() < DELAYED else None
        sender.send_bytes(key, value, priority, delay=delay)
        sent.kinds[trouble] += 1
        _, reason = TROUBLES.get(trouble, (0.0, ""))
        if reason:
            sent.doomed[key] = reason
            return
        sent.effective.add(key)
        if chance.random() < SENT_TWICE:
            sender.send_bytes(key, value, priority)

    # What has become of it.

    def _effects(self) -> int:
        ((count,),) = self.database.rows("tasks", "SELECT count(*) FROM task_done")
        return int(count)

    def _wait_for_effects(self, sent: Sent, patience: float) -> None:
        """Until all are there, or none has come for so many seconds: what is missing is for the count to tell."""
        seen, since = -1, time.monotonic()
        while (now := self._effects()) < len(sent.effective):
            if now > seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() > since + patience:
                self.tell(f"{now} of {len(sent.effective)} effects, and no other one for {patience:g} s")
                return
            self.live |= {"effects": now, "expected": len(sent.effective)}
            self.heed()
            time.sleep(0.5)

    def _judge_priorities(self, outcome: Outcome) -> None:
        """While a worker had work of several priorities, each had its share of what that worker did.

        The group shares out partitions, not priorities: a worker that joins late may have those of one priority alone.
        """
        rows = self.database.rows("tasks", "SELECT worker, priority FROM ledger ORDER BY entered_at")
        apart, told = [], []
        for worker in sorted({str(name) for name, _ in rows}):
            done = [str(priority) for name, priority in rows if name == worker]
            weights = {each: weight for each, weight in self.topics.weights.items() if each in done}
            first, last = (pick(map(way.index, weights)) for pick, way in ((max, done), (max, done[::-1])))
            stretch = done[first : len(done) - last]
            if len(weights) == 1 or len(stretch) < FEWEST_TO_JUDGE:
                continue
            shares = {each: stretch.count(each) / len(stretch) for each in weights}
            apart += [abs(shares[each] - weight / sum(weights.values())) for each, weight in weights.items()]
            told.append(f"{worker} {', '.join(f'{each} {share:.1%}' for each, share in shares.items())}")
        outcome.check(
            "while a worker has work of all priorities, high, normal and low get 6, 3 and 1 of 10",
            holds=max(apart, default=1.0) < SHARE_TOLERANCE,
            seen="; ".join(told) or "no worker had work of several priorities for long enough",
        )

    def _judge_dead_letters(self, outcome: Outcome, sent: Sent, patience: float) -> None:
        topic, seen = self.topics.dead_letters, list[Message]()

        def all_there() -> bool:
            seen[:] = committed_records(self.bootstrap, topic)
            return len({each.key() for each in seen}) >= len(sent.doomed)

        try:
            self.until(all_there, patience, f"{len(sent.doomed)} dead letters")
        except PartFailedError as error:
            self.tell(str(error))
        by_key = {(each.key() or b"").decode(): each for each in seen}
        outcome.check(
            "the dead letters are the poisoned tasks, each once",
            holds=set(by_key) == set(sent.doomed) and len(seen) == len(by_key),
            seen=f"{len(seen)} dead letters of {len(by_key)} tasks, {len(sent.doomed)} were poisoned",
        )
        wrong = [key for key, each in by_key.items() if sent.doomed.get(key, "?") not in text_of(each, ERROR)]
        outcome.check("each has its reason in a header", holds=not wrong, seen=f"{len(wrong)} have another one")
        tries = {text_of(each, ATTEMPT) for each in seen if "ZeroDivision" in text_of(each, ERROR)}
        outcome.check(
            "what always fails had every attempt",
            holds=tries <= {str(len(self.size.delays) + 1)},
            seen=f"attempts: {', '.join(sorted(tries)) or 'none of that kind was sent'}",
        )
        outcome.figures["dead_letters"] = len(seen)

    def _judge_effects(self, outcome: Outcome, sender: Sender, sent: Sent) -> None:
        rows = self.database.rows(
            "tasks",
            "SELECT task_id, priority, attempt, cents, extract(epoch FROM entered_at - sent_at)::float8 FROM ledger",
        )
        counts = Counter(str(row[0]) for row in rows)
        lost = (sent.effective & sender.acknowledged) - set(counts)
        doubled = [key for key, count in counts.items() if count > 1]
        foreign = set(counts) - sent.effective
        ((balance,),) = self.database.rows("tasks", "SELECT coalesce(sum(cents), 0)::bigint FROM account")
        outcome.check("no task is lost", holds=not lost, seen=f"{len(lost)} of {len(sender.acknowledged)}")
        outcome.check("no effect is doubled", holds=not doubled, seen=f"{len(doubled)} of {len(counts)}")
        outcome.check("no poisoned task had an effect", holds=not foreign, seen=f"{len(foreign)}")
        outcome.check(
            "the accounts hold what the ledger says",
            holds=balance == sum(int(row[3]) for row in rows),
            seen=f"{balance} cents",
        )
        outcome.figures |= {"effects": len(counts), "lost": len(lost), "doubled": len(doubled)}
        for priority in self.topics.weights:
            waits = [
                1_000 * float(row[4])
                for row in rows
                if row[1:3] == (priority, 1) and not str(row[0]).startswith(("backlog", AT_ONCE))
            ]
            if len(waits) > 1:
                cuts = statistics.quantiles(waits, n=100)
                outcome.figures |= {f"{priority}_p50_ms": round(cuts[49], 1), f"{priority}_p99_ms": round(cuts[98], 1)}

    def _draw(self, picture: Path) -> None:
        """Effects a second by priority, and when workers were killed."""
        from matplotlib.figure import Figure  # noqa: PLC0415 - only who asks for a picture waits for it

        rows = self.database.rows(
            "tasks",
            "SELECT priority, extract(epoch FROM entered_at)::float8 FROM ledger "
            "WHERE account LIKE 'account-%' ORDER BY 2",
        )
        began, over = (float(rows[0][1]), float(rows[-1][1])) if rows else (0.0, 0.0)
        figure = Figure(figsize=(9, 3.6), dpi=90, layout="constrained")
        axes = figure.subplots()
        width = max(1, int((over - began) // 120))
        edges = range(0, int(over - began) + 2 * width, width)
        times = [[float(at) - began for name, at in rows if name == priority] for priority in self.topics.weights]
        weights = [[1 / width] * len(each) for each in times]
        axes.hist(times, bins=list(edges), weights=weights, stacked=True, label=list(self.topics.weights))
        for index, at in enumerate(self.workers.kills):
            axes.axvline(at - began, color="black", lw=0.8, ls=":", label=None if index else "a worker is killed")
        axes.set(xlabel="seconds", ylabel="effects a second", title="Effects in PostgreSQL while workers are killed")
        axes.set_ylim(top=1.2 * axes.get_ylim()[1])  # the legend hides nothing
        axes.legend(loc="upper right", ncols=4, fontsize=8)
        figure.savefig(picture)
