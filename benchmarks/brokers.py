"""Brokers side by side: the same pods with our properties, with Apache's, and with those that Bitnami's chart writes.

    KUBECONFIG=... .venv/bin/python benchmarks/brokers.py [--rounds 3] [--records 100000] [--helm helm]

Installs the charts into a namespace of its own on the cluster in KUBECONFIG, three ZooKeeper servers and three
brokers, and removes them and their claims again. Prints Markdown for docs/benchmarks.md. The configurations take
turns, so that a machine that others use too is as slow for one as for the other; every turn begins with brokers that
were just started and ends without a topic.
"""

import argparse
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from rich.console import Console

import hikube_kafka
from hikube_kafka.kafka.security import Credentials
from hikube_kafka.probe.forwards import forwarded
from hikube_kafka.spec import Kafka, KubernetesLayout, Platform, Resources, Storage, ZooKeeper
from hikube_kafka.spec.chart_values import kafka_values, zookeeper_values
from hikube_kafka.spec.contract import ReachByPortForward

CHARTS = Path(hikube_kafka.__file__).parent / "charts"
PROGRESS = Console(stderr=True)

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
PRODUCER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "producer"},
    "spec": {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "producer",
                "image": "apache/kafka:3.9.2",
                "command": ["sleep", "infinity"],
                "env": [
                    {"name": "KAFKA_HEAP_OPTS", "value": "-Xms256m -Xmx256m"},
                    {"name": "LOG_DIR", "value": TEMPORARY},
                ],
                "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}
PROCESSOR_SECONDS = (
    "awk '/^usage_usec/ { print $2 / 1e6 }' /sys/fs/cgroup/cpu.stat 2>/dev/null ||"
    " awk '{ print $1 / 1e9 }' /sys/fs/cgroup/cpuacct/cpuacct.usage"
)
"""What a container has used, from the second version of control groups or from the first."""
_REPORT = re.compile(r"(?P<sent>\d+) records sent.*\((?P<rate>[\d.]+) MB/sec\).* (?P<p99>\d+) ms 99th")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Properties of the brokers, and what a producer needs to be let in."""

    name: str
    broker: Mapping[str, str]
    client: Mapping[str, str] = field(default_factory=dict)


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
    needed = ("broker.id", "log.dirs", "zookeeper.connect")
    doors = ("listeners", "advertised.listeners", "listener.security.protocol.map", "inter.broker.listener.name")
    return [
        Configuration(name="as deployed", broker=ours),
        # What config/server.properties of Apache Kafka 3.9 sets.
        Configuration(
            name="Apache's server.properties",
            broker={key: ours[key] for key in (*needed, *doors)}
            | {
                "num.network.threads": "3",
                "num.io.threads": "8",
                "socket.send.buffer.bytes": "102400",
                "socket.receive.buffer.bytes": "102400",
                "socket.request.max.bytes": "104857600",
                "num.partitions": "1",
                "num.recovery.threads.per.data.dir": "1",
                "offsets.topic.replication.factor": "1",
                "transaction.state.log.replication.factor": "1",
                "transaction.state.log.min.isr": "1",
                "log.retention.hours": "168",
                "log.retention.check.interval.ms": "300000",
                "zookeeper.connection.timeout.ms": "18000",
                "group.initial.rebalance.delay.ms": "0",
            },
        ),
        _bitnami({key: ours[key] for key in needed}, ours),
    ]


def _bitnami(needed: Mapping[str, str], ours: Mapping[str, str]) -> Configuration:
    """What Bitnami's chart kafka 31.5.0 writes by default with ZooKeeper: passwords at both of its listeners.

    The forward listener is added: without it the startup probe of our pods could not ask.
    """
    password, between_brokers = secrets.token_hex(8), secrets.token_hex(8)
    forward, advertised = (ours[key].split(",")[-1] for key in ("listeners", "advertised.listeners"))
    host = "<host>"
    module = "org.apache.kafka.common.security"
    plain, scram = f"{module}.plain.PlainLoginModule required", f"{module}.scram.ScramLoginModule required"
    brokers = f'username="inter_broker_user" password="{between_brokers}"'
    return Configuration(
        name="Bitnami's properties",
        broker={
            **needed,
            "listeners": f"CLIENT://:9092,INTERNAL://:9094,{forward}",
            "advertised.listeners": f"CLIENT://{host}:9092,INTERNAL://{host}:9094,{advertised}",
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,INTERNAL:SASL_PLAINTEXT,FORWARD:PLAINTEXT",
            "inter.broker.listener.name": "INTERNAL",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.client.plain.sasl.jaas.config": f'{plain} user_user1="{password}";',
            "listener.name.client.scram-sha-256.sasl.jaas.config": f"{scram};",
            "listener.name.client.scram-sha-512.sasl.jaas.config": f"{scram};",
            "listener.name.internal.plain.sasl.jaas.config": f"{plain} {brokers} "
            f'user_inter_broker_user="{between_brokers}" user_user1="{password}";',
            "listener.name.internal.scram-sha-256.sasl.jaas.config": f"{scram} {brokers};",
            "listener.name.internal.scram-sha-512.sasl.jaas.config": f"{scram} {brokers};",
        },
        client=Credentials(protocol="SASL_PLAINTEXT", mechanism="PLAIN", username="user1", password=password).java(),
    )


class Installation:
    """The two releases in a namespace of their own."""

    def __init__(self, layout: KubernetesLayout, folder: Path, helm: str) -> None:
        self._layout = layout
        self._folder = folder
        self._helm = helm
        self._zookeeper = layout.zookeeper_release(PLATFORM)
        self._kafka = layout.kafka_release(PLATFORM)
        reach = layout.contract(PLATFORM).reach
        assert isinstance(reach, ReachByPortForward)  # noqa: S101 - a KubernetesLayout's always is
        self._reach = reach
        self._turns = count()
        self.values = kafka_values(PLATFORM, layout)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl answers in the namespace."""
        return command("kubectl", "--namespace", self._layout.namespace, *arguments, stdin=stdin)

    def begin(self) -> None:
        """The namespace, under the restricted Pod Security Standard, and a pod to produce from.

        A namespace that is there already is refused: it is somebody's, and this one is deleted at the end.
        """
        command("kubectl", "create", "namespace", self._layout.namespace)
        label = "pod-security.kubernetes.io/enforce=restricted"
        command("kubectl", "label", "namespace", self._layout.namespace, label)
        self.kubectl("apply", "--filename=-", stdin=json.dumps(PRODUCER))
        self.kubectl("wait", "pod/producer", "--for=condition=Ready", "--timeout=5m")

    def end(self) -> None:
        """Everything gone, the claims too."""
        command("kubectl", "delete", "namespace", self._layout.namespace, "--timeout=10m")

    def install(self) -> float:
        """Seconds from ``helm install`` to a topic in full ISR and an acknowledged message.

        One release after the other, as Terraform does it.
        """
        begin = time.monotonic()
        self._release(self._zookeeper, "zookeeper", zookeeper_values(PLATFORM, self._layout).to_chart())
        self._release(self._kafka, "kafka", self.values.to_chart())
        with self.topic():
            return time.monotonic() - begin

    def uninstall(self) -> None:
        """Both releases, and their claims, which they leave behind."""
        for release in (self._kafka, self._zookeeper):
            command(
                self._helm, "uninstall", release, f"--namespace={self._layout.namespace}", "--wait", "--timeout=10m"
            )
        self.kubectl("delete", "persistentvolumeclaims,secrets", "--all", "--timeout=5m")

    def configure(self, configuration: Configuration) -> None:
        """Start all brokers anew with that configuration.

        Not by a rolling update: brokers that talk PLAINTEXT and brokers that ask for passwords do not meet.
        """
        self.kubectl("delete", f"statefulset/{self._kafka}", "--cascade=foreground", "--timeout=10m")
        values = self.values.to_chart()
        unset: dict[str, str | None] = dict.fromkeys(self.values.config)  # the chart's own defaults
        self._release(self._kafka, "kafka", values | {"config": {**unset, **configuration.broker}})

    def _release(self, name: str, chart: str, values: Mapping[str, Any]) -> None:
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(values))
        where = (f"--namespace={self._layout.namespace}", f"--values={path}")
        command(self._helm, "upgrade", "--install", name, str(CHARTS / chart), *where)
        self.kubectl("rollout", "status", f"statefulset/{name}", "--timeout=15m")

    @contextmanager
    def topic(self) -> Iterator[str]:
        """Name of a new topic in full ISR, in which all brokers have acknowledged a message; deleted afterwards."""
        # A name of its own each time: while the brokers are started anew a deletion may not be through.
        name = f"bench-{next(self._turns)}"
        with self._client() as servers:
            admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
            wait("three brokers", lambda: len(admin.list_topics(timeout=10).brokers) == PLATFORM.kafka.brokers)
            admin.create_topics([NewTopic(name, PARTITIONS, PLATFORM.kafka.brokers)])[name].result(60)
            wait("topic in sync", lambda: _in_sync(admin, name))
            producer = Producer({"bootstrap.servers": servers, "log_level": 0, "acks": "all"})
            producer.produce(name, b"usable")
            if producer.flush(60):
                sys.exit("no message was acknowledged within 60 s")
        try:
            yield name
        finally:
            with self._client() as servers:
                admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
                admin.delete_topics([name])[name].result(60)
                wait("topic gone", lambda: name not in admin.list_topics(timeout=10).topics)

    @contextmanager
    def _client(self) -> Iterator[str]:
        """``bootstrap.servers`` of port-forwards to all brokers."""
        with forwarded(self._reach, brokers=range(PLATFORM.kafka.brokers), zookeeper=[]) as forwards:
            yield ",".join(forwards.brokers.values())

    def produce(self, topic: str, configuration: Configuration, records: int, *, rate: int = -1) -> Run:
        """One run of kafka-producer-perf-test.sh, acks=all.

        Args:
            topic: where to.
            configuration: how to be let in.
            records: how many.
            rate: per second; -1 means as many as it can.
        """
        properties = {**configuration.client, "bootstrap.servers": f"{self._kafka}:9092", "acks": "all"}
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
            sys.exit(f"not the end of a whole run:\n{said}")
        return Run(
            megabytes_per_second=float(report["rate"]),
            p99_milliseconds=float(report["p99"]),
            processor_seconds=self._processor_seconds() - before,
        )

    def _processor_seconds(self) -> float:
        pods = [f"{self._kafka}-{broker}" for broker in range(PLATFORM.kafka.brokers)]
        return sum(float(self.kubectl("exec", pod, "--", "sh", "-c", PROCESSOR_SECONDS)) for pod in pods)


def command(*words: str, stdin: str | None = None) -> str:
    """What the command prints; ends everything where it fails."""
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def wait(what: str, condition: Callable[[], bool], *, seconds: float = 120) -> None:
    """Ask until it is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except KafkaException as error:
            PROGRESS.print(f"{what}: {error}")
        time.sleep(0.1)
    sys.exit(f"{what}: not within {seconds:g} s")


def _in_sync(admin: AdminClient, topic: str) -> bool:
    partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions.values()
    return bool(partitions) and all(each.leader >= 0 and len(each.isrs) == len(each.replicas) for each in partitions)


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
        installation = Installation(layout, Path(folder), arguments.helm)
        installation.begin()
        try:
            measure(installation, rounds=arguments.rounds, records=arguments.records, installs=arguments.installs)
        finally:
            installation.end()


def measure(installation: Installation, *, rounds: int, records: int, installs: int) -> None:
    """Everything, on a living cluster."""
    seconds, loads = [], []
    for number in range(installs):
        if number:
            installation.uninstall()
        loads.append(os.getloadavg()[0])
        seconds.append(installation.install())
        PROGRESS.print(f"usable after {seconds[-1]:.1f} s")
    print(f"from `helm install` to a usable 3+3 with a topic of {PARTITIONS} partitions: {median(seconds, 1)} s\n")

    contestants = configurations(installation.values.config)
    results = {each.name: Results() for each in contestants}
    try:
        for number in range(rounds):
            for each in contestants:
                installation.configure(each)
                loads.append(os.getloadavg()[0])
                turn(installation, each, results[each.name], records)
                PROGRESS.print(f"round {number + 1} of {rounds}, {each.name}: {results[each.name]}")
    finally:  # a run that is broken off has measured something too
        if all(result.steady for result in results.values()):
            table(results, first=contestants[0].name)
        print(f"\nload {min(loads):.0f} to {max(loads):.0f}")


def turn(installation: Installation, configuration: Configuration, result: Results, records: int) -> None:
    """Both measurements of brokers that were just started, in a topic of their own."""
    with installation.topic() as topic:
        installation.produce(topic, configuration, records // 5)  # what was just started is not warm
        result.full.append(installation.produce(topic, configuration, records))
        steady = installation.produce(topic, configuration, STEADY_RATE * STEADY_SECONDS, rate=STEADY_RATE)
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
    main()
