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

import psycopg
from confluent_kafka import Consumer, TopicPartition

from usecases.chain import ROOT, Chain, Outcome
from usecases.process import Process, until

EXAMPLE = ROOT / "examples" / "work-queue"
sys.path.insert(0, str(EXAMPLE))  # where a program of the example finds its library, too

import effects  # noqa: E402
import handlers  # noqa: E402
from work_queue import ATTEMPT, ERROR, Sender, Task, Topics, seconds  # noqa: E402

SEED = 12
"""Two runs send the same tasks."""
BACKLOG = 200
"""Tasks of each priority that wait when the workers begin: while all have work, each priority is to have its share."""


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
    """Of the queue."""
    session: float
    """Seconds after which the group gives up a worker that is silent."""
    workers: int = 3
    partitions: int = 6
    brokers: int = 3
    crashing: int = 1
    """Tasks that end the process of whoever tries them."""


SHORT = Size(
    duration=12, rate=40, kill_every=4, delays=("1s", "2s"), session=6, workers=2, partitions=4, brokers=1, crashing=1
)
LONG = Size(duration=120, rate=60, kill_every=20, delays=("5s", "20s"), session=10)


@dataclass(kw_only=True)
class Sent:
    """What was sent, by what has to become of it."""

    effective: set[str] = field(default_factory=set)
    """Tasks with an effect."""
    doomed: dict[str, str] = field(default_factory=dict)
    """Keys of what ends in the dead letters, and words of the reason."""
    kinds: Counter[str] = field(default_factory=Counter)


def mixed(number: int, chance: random.Random, delays: int) -> tuple[str, bytes, str | None]:
    """A task as they come: key, value, and words of the reason if nobody can do it."""
    key, account = f"task-{number:07}", f"account-{number % 97}"
    payload: dict[str, Any] = {
        "account": account,
        "cents": 1 + number % 500,
        "seconds": chance.choice((0.0, 0.01, 0.1)),
    }
    kind, reason = "charge", None
    drawn = chance.random()
    if drawn < 0.03:
        kind, payload["fails"] = "flaky", 1
    elif drawn < 0.04:
        kind, payload["fails"] = "flaky", delays
    elif drawn < 0.05:
        kind, reason = "refused", f"account {account} is closed"
    elif drawn < 0.055:
        kind, reason = "broken", "ZeroDivisionError: division by zero"
    elif drawn < 0.06:
        kind, reason = "unheard-of", "no handler for the kind"
    value = Task(id=key, kind=kind, payload=payload).encode()
    if 0.06 <= drawn < 0.07:
        value, reason = value[: len(value) // 2], "it cannot be decoded"
    return key, value, reason


class Workers:
    """Processes of the example's worker, watched as a supervisor does it: who has ended is started again.

    Args:
        folder: has their logs.
        count: how many.
        arguments: of the program, but for the name.
    """

    def __init__(self, folder: Path, count: int, arguments: list[str]) -> None:
        command = [sys.executable, str(EXAMPLE / "worker.py"), *arguments, "--instance"]
        self.processes = [
            Process(f"worker-{number}", [*command, f"worker-{number}"], folder=folder) for number in range(count)
        ]
        self.killed = self.crashed = 0
        self._away: dict[str, float] = {}
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._watching = threading.Thread(target=self._watch, daemon=True)

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
            self._away[process.name] = time.monotonic() + away

    def _watch(self) -> None:
        while not self._ending.wait(0.1):
            with self._lock:
                for process in self.processes:
                    if process.is_running:
                        continue
                    if process.name not in self._away:
                        self.crashed += 1
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
        """What all of them have counted: a number starts at 0 with every process."""
        total: Counter[str] = Counter()
        for process in self.processes:
            last: dict[str, Any] = {}
            for line in process.log.read_text("utf-8", errors="replace").splitlines():
                if not line.startswith("{"):
                    continue
                try:
                    read = json.loads(line)
                except ValueError:  # killed while it wrote
                    continue
                if last and read["done"] < last["done"]:
                    _add(total, last)
                last = read
            _add(total, last)
        return total


def _add(total: Counter[str], told: Mapping[str, Any]) -> None:
    total.update({key: value for key, value in told.items() if isinstance(value, int)})


def committed_records(bootstrap: str, topic: str) -> list[Any]:
    """Every message of a topic, as who reads committed messages sees it.

    Args:
        bootstrap: addresses of brokers.
        topic: its name.
    """
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "counting", "isolation.level": "read_committed"})
    try:
        partitions = sorted(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
        ends = {}
        for partition in partitions:
            _, ends[partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        found: list[Any] = []

        def read_to_the_end() -> bool:
            for message in consumer.consume(500, timeout=0.2):
                if message.error() is None:
                    found.append(message)
            places = consumer.position([TopicPartition(topic, partition) for partition in partitions])
            return all(max(each.offset, 0) >= ends[each.partition] for each in places)

        until(read_to_the_end, 60, f"the end of {topic}")
        return found
    finally:
        consumer.close()


class WorkQueue(Chain):
    """Sender → topics of priorities and delays → workers → PostgreSQL, with dead letters beside it."""

    name = "work-queue"
    bootstrap: str
    database: str

    def up(self, stack: ExitStack) -> None:
        """PostgreSQL, and the platform of ``stacks/work_queue.py``."""
        raise NotImplementedError

    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:
        """Send, kill, and count at the destination."""
        size = SHORT if short else LONG
        duration = float(options.get("duration", size.duration))
        topics = Topics(delays=size.delays)
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(effects.TABLES)
            connection.execute(handlers.TABLES)
        arguments = ["--bootstrap", self.bootstrap, "--database", self.database, "--delays", ",".join(size.delays)]
        workers = Workers(self.folder, size.workers, [*arguments, "--session", str(size.session)])
        sender, sent, chance = Sender(self.bootstrap, topics), Sent(), random.Random(SEED)  # noqa: S311 - no secret

        numbers = iter(range(10_000_000))
        for priority in topics.weights:
            for _ in range(BACKLOG):
                key = f"backlog-{next(numbers):07}"
                payload = {"account": "backlog", "cents": 1, "seconds": 0.02}
                sender.send(Task(id=key, kind="charge", payload=payload), priority)
                sent.effective.add(key)
        sender.flush()
        try:
            workers.start()
            until(lambda: self._ledger() >= BACKLOG * len(topics.weights), 60, "the backlog to be done")
            self._priorities(outcome, topics)

            crashing = self._crash(sender, size.crashing, sent)
            began = time.monotonic()
            next_kill, next_look = began + size.kill_every, began + 2
            number = 0
            while (now := time.monotonic()) < began + duration:
                if number < (now - began) * size.rate:
                    key, value, reason = mixed(next(numbers), chance, len(size.delays))
                    priority = chance.choices(("high", "normal", "low"), (2, 5, 3))[0]
                    delay = size.delays[0] if chance.random() < 0.02 else None
                    sender.send_bytes(key, value, priority, delay=delay)
                    sent.kinds["delayed" if delay else "poisoned" if reason else "plain"] += 1
                    if reason is None:
                        sent.effective.add(key)
                        if chance.random() < 0.01:  # a sender that does not know whether it was heard
                            sender.send_bytes(key, value, priority)
                            sent.kinds["sent twice"] += 1
                    else:
                        sent.doomed[key] = reason
                    number += 1
                    continue
                if now > next_kill:
                    # Every other one comes back before the group has noticed, every other one long after.
                    away = 0.5 if workers.killed % 2 else size.session + 2
                    workers.kill(workers.killed % size.workers, away=away)
                    next_kill += size.kill_every
                if now > next_look and not short:
                    next_look += 10
                    print(f"  {now - began:4.0f} s: sent {number}, effects {self._ledger()}, killed {workers.killed}")
                time.sleep(0.005)
            sender.flush()
            sending = time.monotonic() - began
            expected = len(sent.effective)
            rest = seconds(size.delays[-1]) * 2 + size.session * (size.crashing + 2) + 60
            until(lambda: self._ledger() >= expected, rest, f"{expected} effects")
            self._dead_letters(outcome, topics, sent, crashing, rest)
        finally:
            workers.stop()
        self._effects(outcome, sender, sent)
        told = workers.told()
        outcome.figures |= {
            "tasks": len(sender.acknowledged),
            "sent_per_s": round(number / sending, 1),
            "workers_killed": workers.killed,
            "workers_ended_by_a_task": workers.crashed,
            "run_again_effect_was_there": told["repeated"],
            "partitions_revoked": told["revoked"],
            "transactions_aborted": told["aborted"],
            "retried": told["retried"],
        }
        outcome.check("workers were killed in the middle", holds=workers.killed > 0, seen=f"{workers.killed} times")

    def _query(self, text: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(text.encode()).fetchall()

    def _ledger(self) -> int:
        ((count,),) = self._query("SELECT count(DISTINCT task_id) FROM ledger")
        return int(count)

    def _crash(self, sender: Sender, count: int, sent: Sent) -> set[str]:
        found = {f"crash-{number}" for number in range(count)}
        for key in sorted(found):
            sender.send(Task(id=key, kind="crash", payload={}), "high")
            sent.doomed[key] = "workers died while they had it"
        return found

    def _priorities(self, outcome: Outcome, topics: Topics) -> None:
        """While all priorities had work, each had its share; and each was served."""
        rows = self._query("SELECT priority FROM ledger WHERE account = 'backlog' ORDER BY entered_at")
        order = [str(priority) for (priority,) in rows]
        stretch = order[: max(index for index, each in enumerate(order) if each == "high") + 1]
        shares = {each: stretch.count(each) / len(stretch) for each in topics.weights}
        total = sum(topics.weights.values())
        wanted = {each: weight / total for each, weight in topics.weights.items()}
        outcome.check(
            "the order of priorities is respected: shares of 6, 3 and 1 within a tenth while all have work",
            holds=all(abs(shares[each] - wanted[each]) < 0.1 for each in wanted),
            seen=", ".join(f"{each} {share:.0%}" for each, share in shares.items()),
        )
        outcome.figures["priority_shares"] = {each: round(share, 3) for each, share in shares.items()}

    def _dead_letters(self, outcome: Outcome, topics: Topics, sent: Sent, crashing: set[str], rest: float) -> None:
        seen: list[Any] = []

        def all_there() -> bool:
            seen[:] = committed_records(self.bootstrap, topics.dead_letters)
            return len({each.key() for each in seen}) >= len(sent.doomed)

        until(all_there, rest, f"{len(sent.doomed)} dead letters")
        keys = Counter(each.key().decode() for each in seen)
        reasons = {each.key().decode(): dict(each.headers())[ERROR].decode() for each in seen}
        wrong = [key for key, reason in sent.doomed.items() if reason not in reasons.get(key, "")]
        outcome.check(
            "the dead letters are the poisoned tasks, each once",
            holds=set(keys) == set(sent.doomed) and max(keys.values(), default=0) <= 1,
            seen=f"{len(seen)} dead letters of {len(keys)} tasks, {len(sent.doomed)} were poisoned",
        )
        outcome.check("each has the reason in its headers", holds=not wrong, seen=f"{len(wrong)} have another one")
        tries = {
            dict(each.headers())[ATTEMPT].decode() for each in seen if "ZeroDivision" in reasons[each.key().decode()]
        }
        outcome.check(
            "what always fails had all its attempts",
            holds=tries <= {str(len(topics.delays) + 1)},
            seen=f"attempts {', '.join(sorted(tries)) or 'none'}",
        )
        outcome.figures["dead_letters"] = len(seen)
        outcome.figures["ended_its_worker"] = len(crashing)

    def _effects(self, outcome: Outcome, sender: Sender, sent: Sent) -> None:
        rows = self._query(
            "SELECT task_id, priority, attempt, extract(epoch FROM entered_at - sent_at), cents FROM ledger"
        )
        counts = Counter(str(row[0]) for row in rows)
        lost = sent.effective & sender.acknowledged - set(counts)
        doubled = [key for key, count in counts.items() if count > 1]
        foreign = set(counts) - sent.effective
        ((balance,),) = self._query("SELECT coalesce(sum(cents), 0) FROM account")
        outcome.check("no task is lost", holds=not lost, seen=f"{len(lost)} of {len(sender.acknowledged)} lost")
        outcome.check("no effect is doubled", holds=not doubled, seen=f"{len(doubled)} of {len(counts)} doubled")
        outcome.check("no poisoned task had an effect", holds=not foreign, seen=f"{len(foreign)} had one")
        outcome.check(
            "the accounts hold what the ledger says",
            holds=int(balance) == sum(int(row[4]) for row in rows),
            seen=f"{balance} cents",
        )
        outcome.figures |= {"effects": len(counts), "lost": len(lost), "doubled": len(doubled)}
        for priority in ("high", "normal", "low"):
            waits = [
                float(row[3]) * 1_000 for row in rows if row[1] == priority and row[2] == 1 and row[0][:4] == "task"
            ]
            if len(waits) > 1:
                cuts = statistics.quantiles(waits, n=100)
                outcome.figures[f"{priority}_p50_ms"] = round(cuts[49], 1)
                outcome.figures[f"{priority}_p99_ms"] = round(cuts[98], 1)
