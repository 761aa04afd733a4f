"""Which settings of a client turn a new leader into a written message: many producers beside each other, one fail-over.

    .venv/bin/python benchmarks/clients.py [--kills 3] [--stops 2] [--returns] [--few] [--kafka KEY=VALUE ...]

Three ZooKeeper servers and three brokers as processes of this machine. Every producer, of librdkafka and of Java,
differs from its client's defaults in one setting, and all of them write to the same partitions while a broker that
leads some of them is killed, or stopped with SIGSTOP: what no setting changes is the same for all of them. The
brokers take turns; each is brought back, and leads its own partitions again, before the next. Prints Markdown for
docs/benchmarks.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Self

import psutil
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from rich.console import Console

from hikube_kafka import ensemble
from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.jars import provide
from hikube_kafka.ensemble.java import environment, java_command
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.provider import moves
from hikube_kafka.spec import Kafka, Platform, Resources, ZooKeeper
from hikube_kafka.spec.ensemble import EnsembleDeclaration
from hikube_kafka.spec.targets.local import LocalLayout

PROGRESS = Console(stderr=True)
JAVA = Path(__file__).with_name("Producers.java")
BROKERS = range(3)
TOPIC = "clients"
PARTITIONS = 6
RATE = 5
"""Messages per second, producer and partition: a pause is known to 0.2 s."""
BEFORE_SECONDS = 3
"""Of an undisturbed load before each event."""
QUIET_SECONDS = 2
"""A load has recovered when nothing has been missing for so long."""
LONGEST_SECONDS = 150
"""Nothing is waited for any longer; a default of librdkafka takes 60 s."""
IDLE_SECONDS = 10
SESSION_SECONDS = 4
EQUAL_SECONDS = 0.3
"""Figures that are no further apart are told as one."""
COLUMNS = {"kill": "after kill -9", "stop": "after SIGSTOP", "return": "as leaders return"}

BASE = "defaults"
TOGETHER = "together"


@dataclass(frozen=True)
class Setup:
    """One producer."""

    client: str
    name: str
    settings: Mapping[str, str]


def _alone(
    client: str, base: Mapping[str, str], changed: Mapping[str, str], together: Mapping[str, str]
) -> list[Setup]:
    alone = [Setup(client, f"{key}={value}", {**base, key: value}) for key, value in changed.items()]
    return [Setup(client, BASE, base), *alone, Setup(client, TOGETHER, {**base, **together})]


LIBRDKAFKA = _alone(
    "librdkafka",
    # Not its default, and the only way to an order and to no duplicates.
    {"enable.idempotence": "true"},
    {
        "enable.idempotence": "false",
        "topic.metadata.refresh.fast.interval.ms": "20",
        "topic.metadata.refresh.interval.ms": "5000",
        "metadata.max.age.ms": "5000",
        "retry.backoff.ms": "20",
        "retry.backoff.max.ms": "200",
        "reconnect.backoff.ms": "20",
        "reconnect.backoff.max.ms": "200",
        "socket.timeout.ms": "8000",
        "request.timeout.ms": "8000",
        "socket.connection.setup.timeout.ms": "2000",
        "broker.address.ttl": "100",
        "max.in.flight": "1",
    },
    {"topic.metadata.refresh.interval.ms": "5000", "socket.timeout.ms": "8000"},
)
JAVA_CLIENT = _alone(
    "java",
    {},
    {
        "retry.backoff.ms": "20",
        "retry.backoff.max.ms": "200",
        "reconnect.backoff.ms": "20",
        "reconnect.backoff.max.ms": "200",
        "metadata.max.age.ms": "5000",
        "request.timeout.ms": "5000",
        "delivery.timeout.ms": "60000",
        "socket.connection.setup.timeout.ms": "2000",
        "metadata.recovery.strategy": "rebootstrap",
        "max.in.flight.requests.per.connection": "1",
    },
    {"request.timeout.ms": "8000"},
)
CONSUMERS = [
    Setup("consumer", BASE, {}),
    Setup("consumer", "topic.metadata.refresh.interval.ms=5000", {"topic.metadata.refresh.interval.ms": "5000"}),
    Setup("consumer", "socket.timeout.ms=8000", {"socket.timeout.ms": "8000"}),
    Setup(
        "consumer",
        TOGETHER,
        {key: value for key, value in LIBRDKAFKA[-1].settings.items() if key != "enable.idempotence"},
    ),
]


@dataclass
class Seen:
    """What became of the messages of one producer, or of those that a consumer got, by partition."""

    setup: Setup
    answers: list[tuple[float, float, int]] = field(default_factory=list)
    """When a message was acknowledged, or got; how long that took; its partition. In seconds since 1970."""
    acknowledged: set[str] = field(default_factory=set)
    given_up: int = 0
    idle_requests: float = float("nan")
    """For each second in which it had nothing to do."""
    numbers: dict[int, int] = field(default_factory=dict)
    """The highest number of each partition, of all that is answered."""
    counts: Counter[int] = field(default_factory=Counter)

    def answered(self, partition: int, number: int, sent: float, at: float | None) -> None:
        """A message was acknowledged, or given up."""
        self.numbers[partition] = max(number, self.numbers.get(partition, 0))
        self.counts[partition] += 1
        if at is None:
            self.given_up += 1
            return
        self.answers.append((at, at - sent, partition))
        self.acknowledged.add(f"{partition} {number}")

    def is_steady(self) -> bool:
        """Whether every partition has been answering, and nothing is missing between its answers."""
        since = time.time() - QUIET_SECONDS
        recent = {partition for at, _, partition in self.answers[-20 * RATE * PARTITIONS :] if at > since}
        missing = sum(self.numbers.values()) + len(self.numbers) - sum(self.counts.values())
        return len(recent) == PARTITIONS and missing <= 0


@dataclass(frozen=True)
class Pause:
    """Of one producer at one event, in seconds."""

    everywhere: float
    """The longest time in which no partition answered."""
    worst: float
    """The longest time in which some partition did not answer."""
    slowest: float
    """The longest time that a message took."""


def pause(seen: Seen, begin: float, end: float) -> Pause:
    """What was seen in that time."""
    answers = sorted(answer for answer in seen.answers if begin <= answer[0] <= end)
    by_partition: dict[int, list[float]] = defaultdict(list)
    for at, _, partition in answers:
        by_partition[partition].append(at)
    return Pause(
        everywhere=_longest([at for at, _, _ in answers]),
        worst=max((_longest(each) for each in by_partition.values()), default=float("nan")),
        slowest=max((took for _, took, _ in answers), default=float("nan")),
    )


def _longest(times: list[float]) -> float:
    return max((after - before for before, after in pairwise(times)), default=float("nan"))


class Librdkafka:
    """The producers of librdkafka, and the consumers."""

    def __init__(self, bootstrap: str, producers: Sequence[Setup], consumers: Sequence[Setup]) -> None:
        self._bootstrap = bootstrap
        self.seen = [Seen(setup) for setup in producers]
        self.consumed = [Seen(setup) for setup in consumers]
        self._sent: dict[str, dict[str, int]] = defaultdict(dict)
        self._began = threading.Event()
        self._ended = threading.Event()
        self._producers = [self._producer(each) for each in self.seen]
        self._threads = [threading.Thread(target=self._produce)]
        self._threads += [threading.Thread(target=self._consume, args=(each,)) for each in self.consumed]

    def _producer(self, seen: Seen) -> Producer:
        def told(statistics_of_it: str) -> None:
            brokers = json.loads(statistics_of_it)["brokers"]
            self._sent[seen.setup.name] = {name: broker["tx"] for name, broker in brokers.items()}

        return Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "linger.ms": 5,
                "log_level": 0,
                "statistics.interval.ms": 1000,
                "stats_cb": told,
                **seen.setup.settings,
            }
        )

    def __enter__(self) -> Self:
        for producer in self._producers:
            for partition in range(PARTITIONS):
                producer.produce(TOPIC, b"warm", partition=partition)
        for producer in self._producers:
            producer.flush(60)
        self._poll(BEFORE_SECONDS)
        before = self._requests()
        self._poll(IDLE_SECONDS)
        for seen, first, now in zip(self.seen, before, self._requests(), strict=True):
            seen.idle_requests = (now - first) / IDLE_SECONDS
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _requests(self) -> list[int]:
        return [sum(self._sent[each.setup.name].values()) for each in self.seen]

    def _poll(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            for producer in self._producers:
                producer.poll(0)
            if time.monotonic() >= end:
                break
            time.sleep(0.01)

    def _produce(self) -> None:
        begin, number = time.monotonic(), 0
        while not self._ended.is_set():
            for index, (seen, producer) in enumerate(zip(self.seen, self._producers, strict=True)):
                for partition in range(PARTITIONS):
                    producer.produce(
                        TOPIC,
                        f"librdkafka-{index} {partition} {number}",
                        partition=partition,
                        callback=_answered(seen, partition, number, time.time()),
                    )
            number += 1
            self._poll(begin + number / RATE - time.monotonic())
        for producer in self._producers:
            producer.flush(LONGEST_SECONDS)

    def _consume(self, seen: Seen) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "nobody",
                "enable.auto.commit": False,
                "log_level": 0,
                **seen.setup.settings,
            }
        )
        consumer.assign([TopicPartition(TOPIC, partition, -1) for partition in range(PARTITIONS)])
        while not self._ended.is_set():
            for message in consumer.consume(500, timeout=0.02):
                if message.error() is None:
                    seen.answers.append((time.time(), 0, message.partition() or 0))
        consumer.close()


def _answered(seen: Seen, partition: int, number: int, sent: float) -> Callable[[KafkaError | None, Message], None]:
    return lambda error, _message: seen.answered(partition, number, sent, None if error else time.time())


class Java:
    """The producers of Java, in a process of their own."""

    def __init__(self, bootstrap: str, producers: Sequence[Setup], folder: Path) -> None:
        self.seen = [Seen(setup) for setup in producers]
        lines = ["\t".join(f"{key}={value}" for key, value in each.settings.items()) for each in producers]
        settings = folder / "producers"
        settings.write_text("\n".join(lines) + "\n")
        logging = folder / "producers.log4j.properties"
        logging.write_text("log4j.rootLogger=OFF\n")
        self._command = [
            *(java_command() or "java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
            *(f"-Dlog4j.configuration={logging.as_uri()}", "-cp", f"{provide(None, Conduct())}/*", str(JAVA)),
            *(bootstrap, TOPIC, str(PARTITIONS), str(RATE), str(settings)),
        ]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        self._lines = iter(self._process.stdout or ())
        for _ in self.seen:
            line = next(self._lines).split()
            self.seen[int(line[1])].idle_requests = int(line[2]) / IDLE_SECONDS
        self._tell()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tell()
        self._thread.join(LONGEST_SECONDS)
        self._process.kill()
        self._process.wait()

    def _tell(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        for line in self._lines:
            index, partition, number, sent, at = map(int, line.split())
            self.seen[index].answered(partition, number, sent / 1000, at / 1000 if at >= 0 else None)


@dataclass(frozen=True)
class Event:
    """Something that happened to the brokers, and how long its traces may be looked for."""

    kind: str
    begin: float
    end: float


class Cluster:
    """The ensemble, and what is done to it."""

    def __init__(self, folder: Path, kafka: Mapping[str, str], ports: int) -> None:
        self._folder = folder
        layout = LocalLayout(
            broker_port=31392 + ports,
            zookeeper_port=31381 + ports,
            peer_port=31488 + ports,
            election_port=31588 + ports,
            connect_port=31683 + ports,
        )
        self.bootstrap = ",".join(f"127.0.0.1:{layout.broker_port + broker}" for broker in BROKERS)
        platform = Platform(
            name="clients",
            zookeeper=ZooKeeper(
                servers=3,
                resources=Resources(cpu="250m", memory="256Mi"),
                heap="64Mi",
                config={"tickTime": "500", "initLimit": "60", "syncLimit": "4", "maxSessionTimeout": "40000"},
            ),
            kafka=Kafka(
                brokers=len(BROKERS),
                resources=Resources(cpu="500m", memory="512Mi"),
                heap="320Mi",
                config={"zookeeper.session.timeout.ms": str(1000 * SESSION_SECONDS), **kafka},
            ),
        )
        self._declaration = EnsembleDeclaration(
            name=platform.name,
            directory=str(folder),
            zookeeper=layout.zookeeper_processes(platform),
            brokers=layout.broker_processes(platform),
        )
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    @contextmanager
    def running(self) -> Iterator[None]:
        """Started, with its topic; removed at the end."""
        try:
            ensemble.apply(self._declaration, progress=PROGRESS.print)
            self._admin.create_topics([NewTopic(TOPIC, PARTITIONS, len(BROKERS))])[TOPIC].result(60)
            self.wait("the topic is in sync", self.in_sync)
            yield
        finally:
            ensemble.destroy(self._folder, keep_data=False, progress=PROGRESS.print)

    @staticmethod
    def wait(what: str, done: Callable[[], bool], seconds: float = LONGEST_SECONDS) -> None:
        """Until it is so."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                sys.exit(f"not within {seconds} s: {what}")
            time.sleep(0.1)

    def _partitions(self) -> Iterable[tuple[int, list[int], list[int]]]:
        """Leader, replicas and in-sync replicas of each partition."""
        for partition in self._admin.list_topics(TOPIC, timeout=30).topics[TOPIC].partitions.values():
            yield partition.leader, partition.replicas, partition.isrs

    def in_sync(self) -> bool:
        """Whether every replica is."""
        try:
            partitions = list(self._partitions())
        except KafkaException:
            return False
        return len(partitions) == PARTITIONS and all(len(in_sync) == len(BROKERS) for *_, in_sync in partitions)

    def is_led_as_preferred(self) -> bool:
        """Whether every partition is led by the first of its replicas."""
        try:
            return all(leader == replicas[0] for leader, replicas, _ in self._partitions())
        except KafkaException:
            return False

    def elect(self) -> None:
        """Give every partition the leader that it prefers."""
        # Not confluent-kafka's: its 2.16 cannot be given arguments for it. 0: the preferred one.
        with moves.client(self.bootstrap, Credentials()) as admin:

            def elected() -> bool:
                admin.elect_leaders(0, {TOPIC: list(range(PARTITIONS))}, raise_errors=False)
                return self.is_led_as_preferred()

            self.wait("every partition has its preferred leader", elected)

    def stop(self, broker: int) -> Callable[[], None]:
        """SIGSTOP; what it returns continues it."""
        process = psutil.Process(running_servers(self._folder)[f"broker-{broker}"].pid)
        process.suspend()

        def proceed() -> None:
            process.resume()

        return proceed

    def kill(self, broker: int) -> None:
        """Kill with -9; its supervisor closes its session."""
        process = psutil.Process(running_servers(self._folder)[f"broker-{broker}"].pid)
        process.kill()
        process.wait(30)

    def heal(self) -> None:
        """Start what does not run, and wait for it."""
        ensemble.apply(self._declaration, progress=lambda _: None)
        self.wait("the topic is in sync", self.in_sync)


def happen(cluster: Cluster, seen: Sequence[Seen], kills: int, stops: int, *, returns: bool) -> Iterator[Event]:
    """All events, one after the other."""
    for turn, kind in enumerate(["kill"] * kills + ["stop"] * stops):
        broker = turn % len(BROKERS)
        _steady(cluster, seen)
        time.sleep(BEFORE_SECONDS)
        begin = time.time()
        if kind == "kill":
            cluster.kill(broker)
            _steady(cluster, seen, after=begin)
            yield Event(kind, begin - 1, time.time())
            cluster.heal()
        else:
            proceed = cluster.stop(broker)
            try:
                # No earlier than its session has run out.
                _steady(cluster, seen, after=begin + SESSION_SECONDS)
            finally:
                proceed()
            yield Event(kind, begin - 1, time.time())
            cluster.wait("the topic is in sync", cluster.in_sync)
        PROGRESS.print(f"{kind} of broker {broker}: {time.time() - begin:.0f} s until it was back in sync")
        _steady(cluster, seen)
        begin = time.time()
        if returns:
            cluster.wait("leaders return", cluster.is_led_as_preferred, 400)
            PROGRESS.print(f"leaders returned by themselves after {time.time() - begin:.0f} s")
        else:
            time.sleep(QUIET_SECONDS)
            cluster.elect()
        end = time.time()
        _steady(cluster, seen, after=end)
        yield Event("return", max(begin, end - 5), time.time())


def _steady(cluster: Cluster, seen: Sequence[Seen], after: float = 0) -> None:
    cluster.wait(
        "every producer writes",
        lambda: time.time() > after + QUIET_SECONDS and all(each.is_steady() for each in seen),
    )


def stored(bootstrap: str) -> Counter[str]:
    """How often each message is in the topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "check", "enable.auto.commit": False})
    ends = [consumer.get_watermark_offsets(TopicPartition(TOPIC, each), timeout=60) for each in range(PARTITIONS)]
    consumer.assign([TopicPartition(TOPIC, partition, low) for partition, (low, _) in enumerate(ends)])
    found: Counter[str] = Counter()
    left = sum(high - low for low, high in ends)
    while left > 0:
        messages = consumer.consume(5000, timeout=30)
        if not messages:
            sys.exit(f"{left} messages cannot be read")
        found.update((message.value() or b"").decode() for message in messages)
        left -= len(messages)
    consumer.close()
    del found["warm"]
    return found


def told(seen: Sequence[Seen], events: Sequence[Event], found: Counter[str] | None = None) -> None:
    """A table of these producers, with what is stored; or of consumers, without."""
    kinds = [kind for kind in COLUMNS if any(event.kind == kind for event in events)]
    head = [seen[0].setup.client, *(COLUMNS[kind] for kind in kinds)]
    if found is not None:
        head += ["lost", "twice", "given up", "requests/s at idle"]
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for index, each in enumerate(seen):
        row = [f"`{each.setup.name}`" if "=" in each.setup.name else each.setup.name]
        for kind in kinds:
            pauses = [pause(each, event.begin, event.end) for event in events if event.kind == kind]
            figures = [[one.everywhere for one in pauses], [one.worst for one in pauses]]
            if found is not None:
                figures.append([one.slowest for one in pauses])
            row.append(" · ".join(_spread(values) for values in figures))
        if found is not None:
            prefix = f"{each.setup.client}-{index} "
            lost = sum(prefix + message not in found for message in each.acknowledged)
            twice = sum(number > 1 for value, number in found.items() if value.startswith(prefix))
            row += [str(lost), str(twice), str(each.given_up), f"{each.idle_requests:.1f}"]
        print(f"| {' | '.join(row)} |")


def _spread(values: Sequence[float]) -> str:
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.1f} ({least:.1f}-{most:.1f})" if most - least > EQUAL_SECONDS else f"{middle:.1f}"


def main() -> None:
    """Read the arguments, run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--stops", type=int, default=2)
    parser.add_argument("--returns", action="store_true", help="wait until leaders return by themselves")
    parser.add_argument("--few", action="store_true", help="nothing but defaults, and all advised settings together")
    parser.add_argument("--kafka", nargs="*", default=[], metavar="KEY=VALUE", help="further broker entries")
    parser.add_argument("--ports", type=int, default=0, help="added to every port, to run two at once")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        cluster = Cluster(Path(folder) / "ensemble", dict(each.split("=", 1) for each in chosen.kafka), chosen.ports)
        stack.enter_context(cluster.running())
        setups = [
            [each for each in every if not chosen.few or each.name in {BASE, TOGETHER}]
            for every in (JAVA_CLIENT, LIBRDKAFKA, CONSUMERS)
        ]
        there = cluster.bootstrap
        with Java(there, setups[0], Path(folder)) as java, Librdkafka(there, setups[1], setups[2]) as librdkafka:
            PROGRESS.print(f"load of the machine: {os.getloadavg()[0]:.0f}")
            seen = [*librdkafka.seen, *java.seen]
            events = list(happen(cluster, seen, chosen.kills, chosen.stops, returns=chosen.returns))
        found = stored(there)
        print(
            "Seconds, median (least-most): no partition answered · the worst partition did not · the slowest message."
        )
        told(librdkafka.seen, events, found)
        told(java.seen, events, found)
        told(librdkafka.consumed, events)


if __name__ == "__main__":
    main()
