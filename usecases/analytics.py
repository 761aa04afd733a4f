"""Analytics: rows of PostgreSQL in ClickHouse, in Elasticsearch and in a second database, whatever is killed."""

import json
import math
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

import psycopg
from confluent_kafka import Consumer, KafkaError, KafkaException

from examples.analytics import clickhouse as tables
from usecases import grafana
from usecases.asking import asking
from usecases.chain import ROOT, Chain, Outcome
from usecases.deploy import Deployment, kill_listener
from usecases.highest import loaded, report
from usecases.parts.clickhouse import ClickHouse
from usecases.parts.elasticsearch import Elasticsearch
from usecases.parts.postgresql import PostgreSQL
from usecases.process import PartAwayError, PartFailedError, Process

_EXAMPLES = ROOT / "examples" / "analytics"
_BROKER_PORT, _WORKER_PORT, _DATABASE_PORT, _CLICKHOUSE_PORT, _ELASTICSEARCH_PORT = 26092, 26083, 26432, 26123, 26620
_TOPIC, _DEAD_LETTERS = "shop.public.orders", "elasticsearch-orders.dead-letters"
_COLUMNS = "id, customer, status, amount, quantity, note, paid, ordered_at"
_REFUSED_ID = -1
"""A row whose quantity does not fit into the index: Elasticsearch alone refuses it."""
_BLOCK_ROWS = 200
_SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class _Size:
    """What a run amounts to."""

    paced_rows: int
    paced_per_s: int
    burst_rows: int
    changes_between: int
    """Transactions that are committed while a part is away."""
    changes_per_s: int


_SHORT = _Size(paced_rows=600, paced_per_s=200, burst_rows=3_000, changes_between=15, changes_per_s=20)
_FULL = _Size(paced_rows=15_000, paced_per_s=500, burst_rows=100_000, changes_between=200, changes_per_s=80)


class Analytics(Chain):
    """PostgreSQL, Debezium, Kafka, and three destinations."""

    name = "analytics"
    takes: Mapping[str, str] = {
        "burst": "rows at once, to measure the highest rate, or no; 100000, short 3000",
        "settings": "tuned, or default: every part's own settings; tuned",
        "picture": "file that the plot is written to",
    }

    def up(self, stack: ExitStack) -> None:
        """Elasticsearch needs longest: it boots while everything else is brought up."""
        tuned = self.tuned
        self._at_once = self.burst((_SHORT if self.short else _FULL).burst_rows)
        quick = ("-XX:TieredStopAtLevel=1", "-XX:-AlwaysPreTouch") if self.short else ()
        self.elasticsearch = Elasticsearch(self, stack, port=_ELASTICSEARCH_PORT, java=quick)
        self.elasticsearch.start(wait=False)
        self.postgresql = PostgreSQL(self, stack, port=_DATABASE_PORT, databases=("shop", "warehouse"))
        self.postgresql.start()
        for database in ("shop", "warehouse"):
            self.postgresql.rows(database, (_EXAMPLES / f"{database}.sql").read_text("utf-8"))
        speed = {} if tuned else {"stream_flush_interval_ms": 7500}
        self.clickhouse = ClickHouse(
            self, stack, http_port=_CLICKHOUSE_PORT, profile={**tables.SETTINGS, **speed}, kafka=tables.KAFKA
        )
        self.clickhouse.start()
        self.deployment = Deployment(
            self.name,
            self.folder,
            small=self.short,
            tuned=tuned,
        )
        self.tell("PostgreSQL and ClickHouse are up; deploying Kafka and Connect")
        self.deployment.up(stack)
        brokers = f"127.0.0.1:{_BROKER_PORT}"
        for statement in tables.statements(
            "orders",
            tables.ORDERS,
            key=["id"],
            topic=_TOPIC,
            brokers=brokers,
            group="clickhouse-orders",
            consumers=1 if self.short else 3,
            block=_BLOCK_ROWS if tuned else None,
            with_schema=True,
        ):
            self.clickhouse.run(statement)
        self.sink = Process(
            "elasticsearch-sink",
            [
                *(sys.executable, _EXAMPLES / "elasticsearch_sink.py", "--brokers", brokers, "--topic", _TOPIC),
                *("--index", "orders", "--mapping", _EXAMPLES / "orders_index.json"),
                *("--elasticsearch", self.elasticsearch.url),
            ],
            folder=self.folder,
        )
        self.watch(self.sink, stack).start()
        self.elasticsearch.wait()
        self.until(lambda: self.elasticsearch.ask("GET", "/orders"), 60, "the index to be created")
        self.tell("every part is up")

    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:  # noqa: ARG002 - of the chain itself
        """Latency of rows that come evenly, the time that a burst takes, and what faults do to neither."""
        size = _SHORT if short else _FULL
        self._destinations: Mapping[str, _Destination] = {
            "clickhouse": _InClickHouse(self.clickhouse),
            "elasticsearch": _InElasticsearch(self.elasticsearch),
            "warehouse": _InPostgreSQL(self.postgresql),
        }
        self._warm_up()
        self._measure_latency(outcome, size)
        if self._at_once:
            self._measure_burst(outcome, self._at_once)
        with _History(self) as history:
            self._faults(size, history)
            self._compare(outcome)
        self._dead_letters(outcome)
        self._dashboards(outcome)
        holds, seen = self.deployment.smoke()
        outcome.check("the platform keeps its contract", holds=holds, seen=seen)
        if picture := self.picture:
            history.draw(picture)

    # --- figures ---------------------------------------------------------------------------------------------------

    def _warm_up(self) -> None:
        """The first rows wait for connectors, consumer groups and the compilers of three servers."""
        self._insert(range(1, 51))
        self._insert([_REFUSED_ID])
        for name, destination in self._destinations.items():
            self.until(partial(_has, destination, 1, 50), 120, f"the first rows in {name}")

    def _measure_latency(self, outcome: Outcome, size: _Size) -> None:
        self.tell(f"{size.paced_rows} rows, {size.paced_per_s} a second")
        first = 1_000
        ids = range(first, first + size.paced_rows)
        committed: dict[int, float] = {}
        with _arriving(self, self._destinations, first) as arrivals:
            began = time.monotonic()
            with self.postgresql.connection("shop", "rows, evenly", autocommit=True) as connection:
                for number, id_ in enumerate(ids):
                    time.sleep(max(0.0, began + number / size.paced_per_s - time.monotonic()))
                    connection.execute(_INSERT, _order(id_))
                    committed[id_] = time.monotonic()
                    self.live["rows"] = number + 1
                    self.heed()
            for each in arrivals.values():
                self.until(partial(each.has, size.paced_rows), 60, f"all rows in {each.name}")
        for name, each in arrivals.items():
            waits = sorted(1000 * (each.at[id_] - committed[id_]) for id_ in ids)
            cuts = statistics.quantiles(waits, n=100)
            outcome.figures[f"{name}_latency_p50_ms"] = round(cuts[49], 1)
            outcome.figures[f"{name}_latency_p99_ms"] = round(cuts[98], 1)
            self.live[f"{name} p50, p99"] = f"{cuts[49]:.0f} ms, {cuts[98]:.0f} ms"

    def _measure_burst(self, outcome: Outcome, rows: int) -> None:
        """As :func:`~usecases.highest.measure`, with three destinations: the last one of a row counts."""
        self.tell(f"{rows} rows at once")
        first, chunk = 1_000_000, 1_000

        def arrived(destination: _Destination) -> float:
            self.until(partial(_has, destination, first, rows), 300, "rows that were written at once", every=0.1)
            return time.monotonic() - began

        with loaded(self) as load:
            began = time.monotonic()
            with self.postgresql.connection("shop", "rows at once") as connection:
                for start in range(first, first + rows, chunk):
                    with connection.cursor() as cursor, cursor.copy(f"copy orders ({_COLUMNS}) from stdin") as copy:
                        for id_ in range(start, min(start + chunk, first + rows)):
                            copy.write_row(_order(id_))
                    connection.commit()
            outcome.figures["source_rows_per_s"] = round(rows / (time.monotonic() - began))
            with ThreadPoolExecutor() as pool:
                took = dict(zip(self._destinations, pool.map(arrived, self._destinations.values()), strict=True))
        for name, seconds in took.items():
            outcome.figures[f"{name}_rows_per_s"] = round(rows / seconds)
            self.live[f"{name} rows per second"] = round(rows / seconds)
        report(outcome, rows, max(took.values()), load)

    # --- faults ----------------------------------------------------------------------------------------------------

    def _faults(self, size: _Size, history: "_History") -> None:
        """Kill each part in turn, wait until there is something that it has missed, bring it back."""

        def away(name: str, *kills: Callable[[], None]) -> None:
            history.mark(name)
            self.tell(f"killed: {name}")
            changes = 0 if name == "PostgreSQL" else size.changes_between  # nothing is written while the source is away
            for kill in kills:
                kill()
            writer.wait_for(changes)

        with _Writer(self, size.changes_per_s) as writer:
            writer.wait_for(size.changes_between)
            away("Elasticsearch", self.elasticsearch.process.kill)
            self.elasticsearch.start(wait=False)  # it boots while others are killed
            away("ClickHouse", self.clickhouse.process.kill)
            self.clickhouse.start()
            away("sink program", self.sink.kill)
            self.sink.start()
            away("PostgreSQL", self.postgresql.kill)
            self.postgresql.start()
            writer.wait_for(size.changes_between)
            if self.short:
                away("worker, broker", partial(kill_listener, _WORKER_PORT), partial(kill_listener, _BROKER_PORT))
            else:
                # A JDBC sink whose connection was cut in the middle of a batch has failed: an apply restarts it.
                self.deployment.mend()
                away("worker", partial(kill_listener, _WORKER_PORT))
                self.deployment.mend()
                away("broker", partial(kill_listener, _BROKER_PORT + 1))
            self.deployment.mend()
            self.elasticsearch.wait()
            writer.wait_for(size.changes_between)
        self.tell(f"{writer.done} transactions written; waiting for the last")

    def _compare(self, outcome: Outcome) -> None:
        source = self._source()
        outcome.figures["rows_compared"] = len(source)
        for name, destination in self._destinations.items():
            wanted = {key: row for key, row in source.items() if key != _REFUSED_ID or name != "elasticsearch"}
            difference = _Difference(wanted)
            with suppress(PartFailedError):
                self.until(partial(difference.none, destination), _SETTLE_SECONDS, "equal rows", every=0.5)
            outcome.check(f"{name} has exactly the rows of the source", holds=difference.holds, seen=str(difference))

    def _source(self) -> dict[int, tuple[Any, ...]]:
        return _InPostgreSQL(self.postgresql, "shop").rows()

    def _dead_letters(self, outcome: Outcome) -> None:
        """The row that Elasticsearch refuses, each time that it was delivered; and nothing else."""
        found: list[tuple[int, str]] = []
        consumer = Consumer(
            {
                "bootstrap.servers": f"127.0.0.1:{_BROKER_PORT}",
                "group.id": "check",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        consumer.subscribe([_DEAD_LETTERS])
        with asking("Kafka", f"the messages of {_DEAD_LETTERS}"):
            while (message := consumer.poll(20)) is not None:
                if error := message.error():
                    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's public name of it
                        break
                    raise KafkaException(error)
                headers: dict[str, Any] = dict(message.headers() or [])
                found.append((json.loads(message.value() or b"")["payload"]["id"], headers["error.reason"].decode()))
            consumer.close()
        only = {id_ for id_, _ in found} == {_REFUSED_ID} and all("quantity" in reason for _, reason in found)
        outcome.check(
            "the row that Elasticsearch refuses is among its dead letters, and no other",
            holds=only,
            seen="; ".join(f"{id_}: {reason}" for id_, reason in found[:2]) or "none",
        )

    def _dashboards(self, outcome: Outcome) -> None:
        """Every query of every panel of Grafana's dashboards, at the real data source."""
        for dashboard in sorted((_EXAMPLES / "grafana" / "dashboards").glob("*.json")):
            rows = grafana.answers(
                dashboard,
                datetime.now(UTC) + timedelta(minutes=1),
                clickhouse=self.clickhouse.rows,
                postgresql=partial(self.postgresql.rows, "warehouse"),
                elasticsearch=partial(self.elasticsearch.ask, "POST", "/orders/_search"),
            )
            for title, count in rows:
                outcome.check(f"Grafana shows: {title}", holds=count > 0, seen=f"{count} rows")

    def _insert(self, ids: Iterable[int]) -> None:
        with self.postgresql.connection("shop", "rows") as connection, connection.cursor() as cursor:
            cursor.executemany(_INSERT, [_order(id_) for id_ in ids])


_INSERT = f"insert into orders ({_COLUMNS}) values (%s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 - no one's words
_STATES = ("new", "paid", "sent", "returned")


def _order(id_: int) -> tuple[Any, ...]:
    """Texts with what formats stumble over, amounts that are no binary fractions."""
    chosen = random.Random(id_)  # noqa: S311 - the same row for the same id
    note = chosen.choice([None, "", "ünïcödé ☃", 'quoted "so", with \\ and \ttab', "two\nlines"])
    return (
        id_,
        f"customer-{chosen.randrange(500)}",
        chosen.choice(_STATES),
        f"{chosen.randrange(1, 10_000_000) / 100:.2f}",
        100_000 if id_ == _REFUSED_ID else chosen.randrange(1, 100),
        note,
        chosen.random() < 0.5,  # noqa: PLR2004 - a coin
        datetime.now().astimezone().replace(microsecond=0),
    )


class _Writer:
    """Inserts, updates and deletes, a few in each transaction, until it is left; survives the database."""

    def __init__(self, chain: Analytics, per_s: int) -> None:
        self._chain, self._pause = chain, 1 / per_s
        self._over = threading.Event()
        self._thread = chain.thread("writing orders", self._write)
        self._chosen = random.Random(7)  # noqa: S311 - a load, not a secret
        self._next = 10_000_000
        self.done = 0
        """Transactions committed."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait_for(self, transactions: int) -> None:
        """Until so many more are committed."""
        goal = self.done + transactions
        self._chain.until(lambda: self.done >= goal, 120, f"{transactions} transactions")

    def _write(self) -> None:
        while not self._over.is_set():
            with suppress(PartAwayError), self._chain.postgresql.connection("shop", "orders") as connection:
                while not self._over.is_set():
                    self._transaction(connection)
                    connection.commit()
                    self.done += 1
                    self._over.wait(self._pause)
            self._over.wait(0.1)

    def _transaction(self, connection: "psycopg.Connection[Any]") -> None:
        for _ in range(4):
            connection.execute(_INSERT, _order(self._next))
            self._next += 1
        for _ in range(3):  # the same row may change twice in a transaction
            connection.execute(
                "update orders set status = %s, amount = amount + 0.01, note = %s where id = %s",
                [self._chosen.choice(_STATES), self._chosen.choice([None, "changed"]), self._some()],
            )
        connection.execute("delete from orders where id = %s", [self._some()])

    def _some(self) -> int:
        old, new = self._chosen.randrange(1_000, 1_600), self._chosen.randrange(10_000_000, self._next)
        return self._chosen.choice((old, new))


# --- destinations ----------------------------------------------------------------------------------------------------


class _Destination:
    """Where the rows arrive."""

    def count(self, first: int) -> int:
        """Rows with this id or a higher one that can be queried."""
        raise NotImplementedError

    def after(self, low: int) -> Iterable[int]:
        """Ids above this one that can be queried."""
        raise NotImplementedError

    def rows(self) -> dict[int, tuple[Any, ...]]:
        """All rows by id, written alike for every destination."""
        raise NotImplementedError


def _has(destination: _Destination, first: int, rows: int) -> bool:
    return destination.count(first) == rows


def _alike(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row of any source: amounts as texts with two places, times in seconds."""
    id_, customer, status, amount, quantity, note, paid, at = row
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    return (id_, customer, status, f"{float(amount):.2f}", quantity, note, bool(paid), int(moment.timestamp()))


class _InPostgreSQL(_Destination):
    def __init__(self, server: PostgreSQL, database: str = "warehouse") -> None:
        self._server, self._database = server, database

    def count(self, first: int) -> int:
        ((count,),) = self._server.rows(self._database, f"select count(*) from orders where id >= {first}")  # noqa: S608
        return int(count)

    def after(self, low: int) -> Iterable[int]:
        return [row[0] for row in self._server.rows(self._database, f"select id from orders where id > {low}")]  # noqa: S608

    def rows(self) -> dict[int, tuple[Any, ...]]:
        return {row[0]: _alike(row) for row in self._server.rows(self._database, f"select {_COLUMNS} from orders")}  # noqa: S608


class _InClickHouse(_Destination):
    def __init__(self, server: ClickHouse) -> None:
        self._server = server

    def count(self, first: int) -> int:
        return int(self._server.rows(f"select count() as n from orders_now where id >= {first}")[0]["n"])  # noqa: S608

    def after(self, low: int) -> Iterable[int]:
        return [row["id"] for row in self._server.rows(f"select id from orders where id > {low}")]  # noqa: S608

    def rows(self) -> dict[int, tuple[Any, ...]]:
        # As texts and numbers: the time as seconds, so that no time zone is in the way.
        query = f"select {_COLUMNS.replace('ordered_at', 'toUInt32(ordered_at) as at')} from orders_now"  # noqa: S608
        found = [list(row.values()) for row in self._server.rows(query)]
        return {row[0]: _alike([*row[:-1], datetime.fromtimestamp(row[-1]).astimezone()]) for row in found}


class _InElasticsearch(_Destination):
    def __init__(self, server: Elasticsearch) -> None:
        self._server = server

    def count(self, first: int) -> int:
        return int(self._server.ask("GET", "/orders/_count", {"query": {"range": {"id": {"gte": first}}}})["count"])

    def after(self, low: int) -> Iterable[int]:
        query = {"range": {"id": {"gt": low}}}
        asked = {"size": 10_000, "_source": False, "fields": ["id"], "query": query, "sort": ["id"]}
        return [hit["sort"][0] for hit in self._server.ask("POST", "/orders/_search", asked)["hits"]["hits"]]

    def rows(self) -> dict[int, tuple[Any, ...]]:
        self._server.ask("POST", "/orders/_refresh")
        found: dict[int, tuple[Any, ...]] = {}
        asked: dict[str, Any] = {"size": 10_000, "sort": ["id"]}
        while hits := self._server.ask("POST", "/orders/_search", asked)["hits"]["hits"]:
            for hit in hits:
                row = hit["_source"]
                found[row["id"]] = _alike([row[name] for name in _COLUMNS.split(", ")])
            asked["search_after"] = hits[-1]["sort"]
        return found


class _Arrivals:
    """When each row of a range could first be queried at a destination."""

    def __init__(self, chain: Chain, name: str, destination: _Destination, first: int) -> None:
        self.name = name
        self.at: dict[int, float] = {}
        self._destination = destination
        self._low = first - 1
        self._over = threading.Event()
        self.thread = chain.thread(f"watching {name}", self._look)

    def has(self, rows: int) -> bool:
        return len(self.at) == rows

    def end(self) -> None:
        self._over.set()
        self.thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            with suppress(PartAwayError):
                ids = self._destination.after(self._low)
                now = time.monotonic()
                for id_ in ids:
                    self.at.setdefault(id_, now)
                while self._low + 1 in self.at:
                    self._low += 1


@contextmanager
def _arriving(chain: Chain, destinations: Mapping[str, _Destination], first: int) -> Iterator[Mapping[str, _Arrivals]]:
    looked = {name: _Arrivals(chain, name, each, first) for name, each in destinations.items()}
    for each in looked.values():
        each.thread.start()
    try:
        yield looked
    finally:
        for each in looked.values():
            each.end()


class _Difference:
    """What a destination lacks, has too much, or has otherwise."""

    def __init__(self, wanted: Mapping[int, tuple[Any, ...]]) -> None:
        self._wanted = wanted
        self._seen: Mapping[int, tuple[Any, ...]] = {}

    def none(self, destination: _Destination) -> bool:
        with suppress(PartAwayError):
            self._seen = destination.rows()
        return self.holds

    @property
    def holds(self) -> bool:
        return self._seen == self._wanted

    def __str__(self) -> str:
        missing = self._wanted.keys() - self._seen.keys()
        more = self._seen.keys() - self._wanted.keys()
        other = [key for key in self._wanted.keys() & self._seen.keys() if self._wanted[key] != self._seen[key]]
        text = f"{len(self._seen)} of {len(self._wanted)} rows, all alike"
        if missing or more or other:
            text = f"{len(missing)} missing, {len(more)} too many, {len(other)} otherwise"
            text += "".join(f"; {self._wanted[key]} is {self._seen[key]}" for key in other[:2])
            text += "".join(f"; {sorted(each)[:5]}" for each in (missing, more) if each)
        return text


class _History:
    """Rows at source and destinations over time, and when what was killed."""

    def __init__(self, chain: Analytics) -> None:
        self._chain = chain
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = chain.thread("counting rows", self._look)
        self._places: Mapping[str, _Destination] = {
            "PostgreSQL (source)": _InPostgreSQL(chain.postgresql, "shop"),
            "ClickHouse": _InClickHouse(chain.clickhouse),
            "Elasticsearch": _InElasticsearch(chain.elasticsearch),
            "PostgreSQL (warehouse)": _InPostgreSQL(chain.postgresql),
        }
        self._points: dict[str, list[tuple[float, float]]] = {name: [] for name in self._places}
        self._marks: list[tuple[float, str]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def mark(self, killed: str) -> None:
        """A part is killed now."""
        self._marks.append((time.monotonic() - self._began, killed))

    def _look(self) -> None:
        while not self._over.wait(0.25):
            for name, place in self._places.items():
                try:
                    count: float = place.count(10_000_000)
                    self._chain.live[name] = count
                except PartAwayError:
                    count = math.nan  # a gap in its line
                self._points[name].append((time.monotonic() - self._began, count))

    def draw(self, file: Path) -> None:
        """Write it as a picture."""
        from matplotlib.figure import Figure  # noqa: PLC0415 - only who asks for a picture loads it

        figure = Figure(figsize=(9, 4.5), dpi=100)
        axes = figure.subplots()
        for (name, points), style in zip(self._points.items(), ("k-", "-", "-", "-"), strict=True):
            axes.plot(*zip(*points, strict=True), style, label=name, linewidth=2.5 if style == "k-" else 1.2)
        for at, killed in self._marks:
            axes.axvline(at, color="tab:red", linewidth=0.8, linestyle=":")
            axes.text(at, axes.get_ylim()[1], f" {killed} killed", rotation=90, va="top", ha="right", fontsize=8)
        axes.set_xlabel("seconds")
        axes.set_ylabel("rows written during the run")
        axes.legend(loc="lower right")
        figure.tight_layout()
        figure.savefig(file)
