"""Brokers side by side: the same pods with our properties, with Apache's, and with those that Bitnami's chart writes.

    KUBECONFIG=... .venv/bin/python benchmarks/brokers.py [--rounds 3] [--records 100000] [--helm helm]

Installs the charts into a namespace of its own on the cluster in KUBECONFIG, three ZooKeeper servers and three
brokers, and removes them and their claims again. Prints Markdown for docs/benchmarks.md. The configurations take
turns, so that a machine that others use too is as slow for one as for the other; every turn begins with brokers that
were just started and ends without a topic.
"""

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from hikube_kafka.spec import Kafka, KubernetesLayout, Platform, Resources, Storage, ZooKeeper
from installation import PROGRESS, Installation, MeasurementError, container, in_sync, restricted_pod, wait
from peers import Configuration, apache, bitnami

PLATFORM = Platform(
    name="bench",
    zookeeper=ZooKeeper(servers=3, resources=Resources(cpu="300m", memory="512Mi"), storage=Storage("1Gi")),
    kafka=Kafka(brokers=3, resources=Resources(cpu="500m", memory="1Gi"), storage=Storage("5Gi")),
)
"""What a small cluster has room for."""
PARTITIONS = 12

RECORD_BYTES = 1024
STEADY_RATE = 1000
"""Messages per second of the second measurement: the latency of a producer that does not wait for its own backlog."""
STEADY_SECONDS = 10
TEMPORARY = "/tmp"  # noqa: S108 - in the producer's own pod
CLIENT_PROPERTIES = f"{TEMPORARY}/client.properties"
PRODUCER = restricted_pod(
    "producer",
    container(
        "producer",
        ["sleep", "infinity"],
        env=[{"name": "KAFKA_HEAP_OPTS", "value": "-Xms256m -Xmx256m"}, {"name": "LOG_DIR", "value": TEMPORARY}],
        resources={"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
    ),
)
PROCESSOR_SECONDS = (
    "awk '/^usage_usec/ { print $2 / 1e6 }' /sys/fs/cgroup/cpu.stat 2>/dev/null ||"
    " awk '{ print $1 / 1e9 }' /sys/fs/cgroup/cpuacct/cpuacct.usage"
)
"""What a container has used, from the second version of control groups or from the first."""
_REPORT = re.compile(r"(?P<sent>\d+) records sent.*\((?P<rate>[\d.]+) MB/sec\).* (?P<p99>\d+) ms 99th")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What kafka-producer-perf-test.sh says at its end."""

    megabytes_per_second: float
    p99_milliseconds: float
    processor_seconds: float
    """Of all brokers together: what a machine that others use too does not change."""


@dataclass(kw_only=True)
class Results:
    """Every run of one configuration."""

    full: list[Run] = field(default_factory=list)
    steady: list[Run] = field(default_factory=list)


def configurations(ours: Mapping[str, str]) -> list[Configuration]:
    """The three, ours first.

    Args:
        ours: the properties that the chart is deployed with.
    """
    contestants = Configuration(name="as deployed"), apache(ours), bitnami(ours)
    # One ensemble for all: what differs here are the brokers' properties alone.
    return [replace(each, zookeeper={}, fast_failover=True) for each in contestants]


class Contest(Installation):
    """An installation whose brokers take messages as fast as they can."""

    def __init__(self, layout: KubernetesLayout, folder: Path, helm: str) -> None:
        super().__init__(PLATFORM, layout, folder, helm)
        self._turns = count()

    def usable(self) -> float:
        """Seconds from ``helm install`` to a topic in full ISR and an acknowledged message."""
        begin = time.monotonic()
        self.install()
        with self.topic():
            return time.monotonic() - begin

    @contextmanager
    def topic(self) -> Iterator[str]:
        """Name of a new topic in full ISR, in which all brokers have acknowledged a message; deleted afterwards."""
        # A name of its own each time: while the brokers are started anew a deletion may not be through.
        name = f"bench-{next(self._turns)}"
        with self.client() as servers:
            admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
            wait("three brokers", lambda: len(admin.list_topics(timeout=10).brokers) == PLATFORM.kafka.brokers)
            admin.create_topics([NewTopic(name, PARTITIONS, PLATFORM.kafka.brokers)])[name].result(60)
            wait("topic in sync", lambda: in_sync(admin, name))
            producer = Producer({"bootstrap.servers": servers, "log_level": 0, "acks": "all"})
            producer.produce(name, b"usable")
            if producer.flush(60):
                raise MeasurementError("no message was acknowledged within 60 s")
        try:
            yield name
        finally:
            with self.client() as servers:
                admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
                admin.delete_topics([name])[name].result(60)
                wait("topic gone", lambda: name not in admin.list_topics(timeout=10).topics)

    def produce(self, topic: str, configuration: Configuration, records: int, *, rate: int = -1) -> Run:
        """One run of kafka-producer-perf-test.sh, acks=all.

        Args:
            topic: where to.
            configuration: how to be let in.
            records: how many.
            rate: per second; -1 means as many as it can.
        """
        properties = {**configuration.client, "bootstrap.servers": f"{self.kafka}:9092", "acks": "all"}
        text = "".join(f"{key}={value}\n" for key, value in properties.items())
        self.kubectl("exec", "--stdin", "producer", "--", "sh", "-c", f"cat >{CLIENT_PROPERTIES}", stdin=text)
        before = self._processor_seconds()
        said = self.kubectl(
            *("exec", "producer", "--", "/opt/kafka/bin/kafka-producer-perf-test.sh"),
            f"--topic={topic}",
            f"--num-records={records}",
            f"--record-size={RECORD_BYTES}",
            f"--throughput={rate}",
            f"--producer.config={CLIENT_PROPERTIES}",
        )
        report = _REPORT.search(said.splitlines()[-1])
        if report is None or int(report["sent"]) != records:
            raise MeasurementError(f"not the end of a whole run:\n{said}")
        return Run(
            megabytes_per_second=float(report["rate"]),
            p99_milliseconds=float(report["p99"]),
            processor_seconds=self._processor_seconds() - before,
        )

    def _processor_seconds(self) -> float:
        pods = [f"{self.kafka}-{broker}" for broker in range(PLATFORM.kafka.brokers)]
        return sum(float(self.kubectl("exec", pod, "--", "sh", "-c", PROCESSOR_SECONDS)) for pod in pods)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3, help="0 measures the installation alone")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--installs", type=int, default=3)
    parser.add_argument("--namespace", default="bench-brokers")
    parser.add_argument("--helm", default="helm")
    arguments = parser.parse_args()
    # Ports of its own, for others may have forwards open; and no policy, for the configurations' ports differ.
    layout = KubernetesLayout(namespace=arguments.namespace, forward_port=22092, network_policy=False)
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(layout, Path(folder), arguments.helm)
        contest.begin(PRODUCER)
        try:
            measure(contest, rounds=arguments.rounds, records=arguments.records, installs=arguments.installs)
        finally:
            contest.end()


def measure(contest: Contest, *, rounds: int, records: int, installs: int) -> None:
    """Everything, on a living cluster."""
    seconds, loads = [], []
    for number in range(installs):
        if number:
            contest.uninstall()
        loads.append(os.getloadavg()[0])
        seconds.append(contest.usable())
        PROGRESS.print(f"usable after {seconds[-1]:.1f} s")
    print(f"from `helm install` to a usable 3+3 with a topic of {PARTITIONS} partitions: {median(seconds, 1)} s\n")

    contestants = configurations(contest.values.config)
    results = {each.name: Results() for each in contestants}
    try:
        for number in range(rounds):
            for each in contestants:
                contest.configure(each.values())
                loads.append(os.getloadavg()[0])
                turn(contest, each, results[each.name], records)
                PROGRESS.print(f"round {number + 1} of {rounds}, {each.name}: {results[each.name]}")
    finally:  # a run that is broken off has measured something too
        if all(result.steady for result in results.values()):
            table(results, first=contestants[0].name)
        print(f"\nload {min(loads):.0f} to {max(loads):.0f}")


def turn(contest: Contest, configuration: Configuration, result: Results, records: int) -> None:
    """Both measurements of brokers that were just started, in a topic of their own."""
    with contest.topic() as topic:
        contest.produce(topic, configuration, records // 5)  # what was just started is not warm
        result.full.append(contest.produce(topic, configuration, records))
        steady = contest.produce(topic, configuration, STEADY_RATE * STEADY_SECONDS, rate=STEADY_RATE)
        result.steady.append(steady)


def table(results: Mapping[str, Results], *, first: str) -> None:
    """Medians with their ranges, and the ratio to the first."""
    print(
        f"| properties | MB/s | ratio | p99, ms | ratio | p99 at {STEADY_RATE:,}/s, ms | ratio "
        "| processor time of the brokers, s | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    columns: list[Callable[[Results], list[float]]] = [
        lambda result: [run.megabytes_per_second for run in result.full],
        lambda result: [run.p99_milliseconds for run in result.full],
        lambda result: [run.p99_milliseconds for run in result.steady],
        lambda result: [run.processor_seconds for run in result.full],
    ]
    for name, result in results.items():
        cells = [name]
        for column in columns:
            ratio = statistics.median(column(result)) / statistics.median(column(results[first]))
            cells += [median(column(result), 1), f"{ratio:.2f}"]
        print(f"| {' | '.join(cells)} |")


def median(values: list[float], digits: int) -> str:
    """Median, and the range where there is one."""
    spread = f" ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else ""
    return f"{statistics.median(values):.{digits}f}{spread}"


if __name__ == "__main__":
    try:
        main()
    except MeasurementError as error:
        sys.exit(str(error))
