"""Orders from PostgreSQL's outbox to services: each committed one exactly once, whoever is killed on the way."""

import json
import math
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import psutil
from confluent_kafka import Consumer, Message, TopicPartition

from usecases import highest
from usecases.asking import asking
from usecases.chain import ROOT, Chain, Outcome
from usecases.deploy import Deployment
from usecases.parts.postgresql import PostgreSQL
from usecases.process import PartFailedError, Process
from usecases.work_queue import committed_records, text_of

EXAMPLE = ROOT / "examples" / "event-bus"
sys.path.insert(0, str(EXAMPLE))  # where a program of the example finds its library, too

import fraud  # noqa: E402
import shop  # noqa: E402
import slot_lag  # noqa: E402

SEED = 12
DATABASE_PORT, WEBHOOK_PORT = 25432, 25480
ROLLED_BACK = 0.1
FEW_CUSTOMERS = 40
"""Of the short form: so few that some are suspected within seconds."""
ORDERS_OF_A_CUSTOMER = 4.5
"""Within the window of the rule, in the long form: one order of about fifteen is suspected, which is as many alerts as
a webhook takes that is told of one at a time."""
REFUSED_FIRST = 0.2
"""Share of alerts that the webhook refuses once, so that they are told again."""
TOGETHER = 100
"""Orders that one transaction has where the highest rate is measured."""
DEFAULTS: Mapping[str, str] = {
    "compression.type": "none",
    "partitioner": "consistent_random",
    "partition.assignment.strategy": "range,roundrobin",
}
"""librdkafka's own, in place of those of ``fraud.py``."""
SLOT = "shop_outbox"
SUSPICIOUS = f"""
SELECT id FROM (
    SELECT id, sum(cents) OVER (
        PARTITION BY customer ORDER BY created_at
        RANGE BETWEEN interval '{fraud.WINDOW_SECONDS:g} seconds' PRECEDING AND CURRENT ROW
    ) AS total FROM orders
) AS seen WHERE total > {fraud.LIMIT_CENTS}
"""  # noqa: S608 - constants
"""The rule once more, in the words of the database: what the stream found must be what this finds."""


class Webhook:
    """A service that is told of alerts, and acts once on each key."""

    def __init__(self, chain: Chain, stack: ExitStack) -> None:
        webhook = self
        self.told: Counter[str] = Counter()
        self.acted: set[str] = set()
        self._chance = random.Random(SEED)  # noqa: S311 - no secret
        self._lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(webhook.answer(self.headers["Idempotency-Key"]))
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the library's
                error = sys.exception()
                if not isinstance(error, ConnectionError):  # who told it was killed, and tells again
                    chain.failures.append(f"the webhook's service: {type(error).__name__}: {error}")

        with asking("the webhook's service", f"to listen on 127.0.0.1:{WEBHOOK_PORT}"):
            server = Server(("127.0.0.1", WEBHOOK_PORT), Handler)
        chain.thread("the webhook's service", server.serve_forever).start()
        stack.callback(server.server_close)
        stack.callback(server.shutdown)

    def answer(self, key: str) -> int:
        """Act, or have it told again; the code of the answer."""
        with self._lock:
            self.told[key] += 1
            if self.told[key] == 1 and self._chance.random() < REFUSED_FIRST:
                return 503
            self.acted.add(key)
            return 200


class Arrivals:
    """Counts the messages that are committed to a topic from now on."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._counted = 0
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "arrivals",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            }
        )
        with asking("Kafka", f"the end of {topic}"):
            partitions = self._consumer.list_topics(topic, timeout=20).topics[topic].partitions
            self._consumer.assign([self._end(partition) for partition in partitions])

    def _end(self, partition: int) -> TopicPartition:
        _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=20)
        return TopicPartition(self._topic, partition, end)

    def count(self) -> int:
        """How many there are by now."""
        with asking("Kafka", f"the messages of {self._topic}"):
            while messages := self._consumer.consume(1_000, timeout=0.02):
                self._counted += sum(each.error() is None for each in messages)
        return self._counted

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


class EventBus(Chain):
    """PostgreSQL → outbox → Debezium → orders → fraud → alerts → webhook."""

    name = "event-bus"
    takes: Mapping[str, str] = {
        "duration": "seconds for which orders are placed; 120, short 12",
        "rate": "transactions a second; 60",
        "kills": "yes, or no: nobody is killed, to measure what is usual; yes",
        "burst": "orders at once, to measure the highest rate, or no; 10000, short 300",
        "settings": "tuned, or default: every part's own settings; tuned",
        "picture": "file that the plot is written to",
    }

    def up(self, stack: ExitStack) -> None:
        """PostgreSQL with the shop's tables, and the platform of ``stacks/event_bus.py`` with its connector."""
        self.duration, self.rate = self.number("duration", 12 if self.short else 120), self.number("rate", 60)
        self.kills = self.choice("kills", "yes", "no") == "yes"
        per_window = math.ceil(self.rate * fraud.WINDOW_SECONDS / ORDERS_OF_A_CUSTOMER)
        self.customers = FEW_CUSTOMERS if self.short else per_window
        self.at_once = self.burst(300 if self.short else 10_000)
        tuned = self.tuned
        self.database = PostgreSQL(self, stack, port=DATABASE_PORT)
        self.database.start()
        with self.database.connection("shop", "tables.sql", autocommit=True) as connection:
            connection.execute((EXAMPLE / "tables.sql").read_bytes())
        self._again: Process | None = None
        stack.callback(self._end_worker)  # after the platform, whose connector only a worker can delete
        self.bootstrap = self._deploy(stack)
        self.webhook = Webhook(self, stack)
        session = ("--session", "6" if self.short else "10") if tuned else ()
        own = () if tuned else [word for pair in DEFAULTS.items() for word in ("--config", "=".join(pair))]
        program = [sys.executable]
        self.fraud = Process(
            "fraud-0",
            [*program, EXAMPLE / "fraud.py", "--bootstrap", self.bootstrap, "--instance", "fraud-0", *session, *own],
            folder=self.folder,
        )
        url = f"http://127.0.0.1:{WEBHOOK_PORT}/alerts"
        self.teller = Process(
            "webhook",
            [*program, EXAMPLE / "webhook.py", "--bootstrap", self.bootstrap, "--url", url, *session],
            folder=self.folder,
        )
        for part in (self.fraud, self.teller):
            self.watch(part, stack)
            part.start()

    def _deploy(self, stack: ExitStack) -> str:
        self.deployment = Deployment(self.name, self.folder, small=self.short, tuned=self.tuned)
        outputs = self.deployment.up(stack)
        return str(outputs[self.name]["bootstrap_servers"])

    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:  # noqa: ARG002 - known already
        """Place orders, kill who carries them, and count what has arrived."""
        kills = {0.25: self._kill_fraud, 0.5: self._kill_connect, 0.75: self._kill_fraud}
        placed = self._place(self.duration, self.rate, kills if self.kills else {})
        expected = {row[0] for row in self.database.rows("shop", "SELECT id FROM orders")}
        committed = len(expected)
        self._wait("notifications", committed)
        with suppress(PartFailedError):
            self.until(
                lambda: len(self.webhook.acted) >= len(self._suspicious()), 30, "the webhook to be told of every alert"
            )
            alerts = {
                str(json.loads(each.value() or b"")["alert"])
                for each in committed_records(self.bootstrap, "fraud.alerts")
            }
            self.until(lambda: self.webhook.acted >= alerts, 60, "the webhook to be told of alerts that are too many")
        if self.at_once:
            with closing(Arrivals(self.bootstrap, "notifications")) as arrivals:
                highest.measure(self, outcome, self._place_at_once, arrivals.count, destination="notifications")
            expected = {row[0] for row in self.database.rows("shop", "SELECT id FROM orders")}
        outcome.figures |= {"transactions": placed, "orders_committed": committed}
        outcome.check("some transactions were rolled back", holds=placed > committed, seen=f"{placed - committed}")
        self._judge(outcome, expected)
        self._judge_slot(outcome)
        if picture := self.picture:
            self._draw(picture)

    def _place(self, duration: float, rate: float, kills: dict[float, Any]) -> int:
        chance, number = random.Random(SEED), 0  # noqa: S311 - no secret
        began = time.monotonic()
        due = dict(kills)
        with self.database.connection("shop", "an order") as connection:
            while (now := time.monotonic() - began) < duration:
                for part in [part for part in due if now > part * duration]:
                    due.pop(part)()
                if number >= now * rate:
                    self.heed()
                    time.sleep(0.002)
                    continue
                number += 1
                order = shop.Order(
                    id=f"order-{number:06}",
                    customer=f"customer-{chance.randrange(self.customers):05}",
                    cents=chance.choice((1_500, 4_000, 9_000, 30_000)),
                    created_at=datetime.now(UTC),
                )
                shop.place(connection, order)
                if chance.random() < ROLLED_BACK:
                    connection.rollback()
                else:
                    connection.commit()
                self.live |= {"transactions": number, "alerts told": len(self.webhook.acted)}
        for part in due.values():
            part()
        return number

    def _place_at_once(self) -> int:
        """Orders that nobody suspects: the webhook, which tells one alert at a time, is not what is measured."""
        with self.database.connection("shop", "orders at once") as connection:
            for first in range(0, self.at_once, TOGETHER):
                with connection.pipeline():
                    for number in range(first, min(first + TOGETHER, self.at_once)):
                        order = shop.Order(
                            id=f"at-once-{number:06}",
                            customer=f"at-once-{number % 500:03}",
                            cents=1,
                            created_at=datetime.now(UTC),
                        )
                        shop.place(connection, order)
                connection.commit()
        return self.at_once

    def _kill_fraud(self) -> None:
        self.tell("the fraud program is killed")
        self.fraud.kill()
        self.fraud.start()

    def _kill_connect(self) -> None:
        """Kill the Connect worker, and start it again with the same command, as a supervisor would."""
        found = [each for each in psutil.process_iter(["cmdline"]) if self._is_worker(each)]
        if len(found) != 1:
            raise PartFailedError(f"{len(found)} Connect workers of event-bus run on this machine: one is expected")
        (worker,) = found
        command, folder, environment = worker.cmdline(), worker.cwd(), worker.environ()
        self.tell("the Connect worker is killed")
        worker.kill()
        worker.wait(20)
        again = Process("connect-again", command, folder=self.folder, environment={**environment, "PWD": folder})
        again.folder = Path(folder)
        self._again = again.start()

    def _end_worker(self) -> None:
        if self._again is not None:
            self._again.stop()

    @staticmethod
    def _is_worker(process: psutil.Process) -> bool:
        command = " ".join(process.info["cmdline"] or [])
        return "ConnectDistributed" in command and "event-bus" in command

    def _suspicious(self) -> set[str]:
        return {str(row[0]) for row in self.database.rows("shop", SUSPICIOUS)}

    def _wait(self, topic: str, count: int) -> None:
        with suppress(PartFailedError):
            self.until(
                lambda: len(committed_records(self.bootstrap, topic)) >= count, 60, f"{count} messages in {topic}"
            )

    def _judge(self, outcome: Outcome, expected: set[str]) -> None:
        records = {
            name: committed_records(self.bootstrap, name)
            for name in ("orders", "payments", "notifications", "fraud.alerts", "orders.totals")
        }
        for name, what in (
            ("orders", "every committed order is exactly once in orders"),
            ("payments", "a payment is asked for exactly once for each"),
            ("notifications", "a customer is notified exactly once of each"),
        ):
            counts = Counter(str(json.loads(each.value() or b"")["order"]) for each in records[name])
            doubled = sum(count - 1 for count in counts.values())
            outcome.check(
                what,
                holds=set(counts) == expected and not doubled,
                seen=f"{len(expected - set(counts))} missing, {len(set(counts) - expected)} foreign, {doubled} doubled",
            )
        wanted = self._suspicious()
        alerts = [json.loads(each.value() or b"") for each in records["fraud.alerts"]]
        found = Counter(str(each["order"]) for each in alerts)
        outcome.check(
            "the alerts are those of the rule, each once",
            holds=set(found) == wanted and len(alerts) == len(found) and bool(found),
            seen=f"{len(alerts)} alerts of {len(found)} orders; the database finds {len(wanted)}",
        )
        told, acted = sum(self.webhook.told.values()), self.webhook.acted
        outcome.check(
            "the webhook acted once on each alert",
            holds=acted == {str(each["alert"]) for each in alerts},
            seen=f"{len(acted)} keys; it was told {told} times",
        )
        last = {each.key(): json.loads(each.value() or b"") for each in records["orders.totals"]}
        ((orders, cents),) = self.database.rows("shop", "SELECT count(*), coalesce(sum(cents), 0)::bigint FROM orders")
        totals = (sum(each["orders"] for each in last.values()), sum(each["cents"] for each in last.values()))
        outcome.check("the totals are the database's", holds=totals == (orders, cents), seen=f"{totals[0]} orders")
        wrong = [each for of in records.values() for each in of if not _keeps_its_schema(each)]
        outcome.check("every event keeps the schema in its header", holds=not wrong, seen=f"{len(wrong)} do not")
        self.waits = self._latencies(records["fraud.alerts"])
        outcome.figures |= {"alerts": len(alerts), "webhook_calls": told}
        waits = [wait for _, wait in self.waits]
        if len(waits) > 1:
            cuts = statistics.quantiles(waits, n=100)
            outcome.figures |= {"alert_p50_ms": round(cuts[49], 1), "alert_p99_ms": round(cuts[98], 1)}

    def _latencies(self, alerts: list[Message]) -> list[tuple[float, float]]:
        """When an alert was written, and how long after its order: seconds since 1970, milliseconds."""
        found = []
        for each in alerts:
            ordered = datetime.fromisoformat(json.loads(each.value() or b"")["created_at"]).timestamp()
            _, written = each.timestamp()
            found.append((written / 1_000, written - ordered * 1_000))
        return sorted(found)

    def _judge_slot(self, outcome: Outcome) -> None:
        found: list[str] = []

        def is_well() -> bool:
            with self.database.connection("shop", "the state of its slot") as connection:
                found[:] = slot_lag.problems(connection, SLOT, "16MB")
            return not found

        with suppress(PartFailedError):
            self.until(is_well, 20, "the slot to be well")
        outcome.check("the slot is read, and does not lag", holds=not found, seen="; ".join(found) or "well")

    def _draw(self, picture: Path) -> None:
        """From the commit to the alert, over time."""
        from matplotlib.figure import Figure  # noqa: PLC0415 - only who asks for a picture waits for it

        figure = Figure(figsize=(9, 3.6), dpi=90, layout="constrained")
        axes = figure.subplots()
        began = self.waits[0][0] if self.waits else 0.0
        axes.scatter([at - began for at, _ in self.waits], [max(wait, 1) for _, wait in self.waits], s=4)
        axes.set(
            xlabel="seconds",
            ylabel="milliseconds",
            yscale="log",
            title="From the order in PostgreSQL to the alert, while fraud and Connect are killed",
        )
        figure.savefig(picture)


def _keeps_its_schema(message: Message) -> bool:
    kind = text_of(message, "event-type")
    file = EXAMPLE / "schemas" / f"{kind}.json"
    if not kind or not file.exists():
        return False
    schema = json.loads(file.read_text("utf-8"))
    return not list(jsonschema.Draft202012Validator(schema).iter_errors(json.loads(message.value() or b"")))
