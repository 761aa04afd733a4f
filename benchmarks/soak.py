"""Whether anybody loses a session or an election on a machine that is too busy: no server is harmed.

    .venv/bin/python benchmarks/soak.py [--minutes 60] [--busy 12] [--zookeeper KEY=VALUE ...] [--kafka KEY=VALUE ...]

Three ZooKeeper servers and three brokers as processes of this machine, with heaps so small that they collect garbage
all the time, beside processes that do nothing but keep the processors busy. Messages are written and topics come and
go, so that the controller and ZooKeeper have work. What would have been a false alarm leaves a trace in ZooKeeper that
nothing removes: a registration that was created a second time, a higher epoch of the controller or of ZooKeeper's
leader. Prints Markdown for docs/benchmarks.md; exit code 1 where there was one.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from kazoo.client import KazooClient
from rich.console import Console

from hikube_kafka import ensemble
from hikube_kafka.probe.observation import Unreadable
from hikube_kafka.probe.zookeeper import four_letter_word, read_status
from hikube_kafka.spec import Kafka, Platform, Resources, ZooKeeper
from hikube_kafka.spec.ensemble import EnsembleDeclaration
from hikube_kafka.spec.targets.local import LocalLayout

PROGRESS = Console(stderr=True)
PARTITIONS = 12
RATE = 500
"""Messages per second."""
MESSAGE_BYTES = 1024
LOOK_SECONDS = 5
EPOCH_BITS = 32
"""The upper half of a zxid is the epoch of ZooKeeper's leader: it rises with each election."""


@dataclass(frozen=True)
class Traces:
    """What a lost session or election would change, for good."""

    registrations: Mapping[int, int]
    """Transaction that created the registration of each broker."""
    controller_epoch: int
    leader_epoch: int

    def changes_to(self, now: "Traces") -> list[str]:
        """What was lost in between, one text each."""
        lost = [
            f"broker {broker} was registered anew"
            for broker, created in self.registrations.items()
            if now.registrations.get(broker) != created
        ]
        if now.controller_epoch != self.controller_epoch:
            lost.append(f"{now.controller_epoch - self.controller_epoch} elections of a controller")
        if now.leader_epoch != self.leader_epoch:
            lost.append(f"{now.leader_epoch - self.leader_epoch} elections of ZooKeeper's leader")
        return lost


@dataclass
class Watched:
    """What was seen on the way."""

    loads: list[float] = field(default_factory=list)
    """Load average of one minute, at each look."""
    slowest_milliseconds: int = 0
    """The slowest request to any of the ZooKeeper servers."""
    acknowledged: list[float] = field(default_factory=list)
    """When, on the monotonic clock."""
    given_up: int = 0


def declared(zookeeper: Mapping[str, str], kafka: Mapping[str, str]) -> Platform:
    """Three and three, with heaps that are too small for comfort."""
    return Platform(
        name="soak",
        zookeeper=ZooKeeper(
            servers=3, resources=Resources(cpu="250m", memory="256Mi"), heap="48Mi", config=dict(zookeeper)
        ),
        kafka=Kafka(brokers=3, resources=Resources(cpu="500m", memory="512Mi"), heap="192Mi", config=dict(kafka)),
    )


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Processes that never wait."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
        for each in running:
            each.wait()


def produce(bootstrap: str, topic: str, watched: Watched, ended: threading.Event) -> None:
    """Messages with acks=all at a steady rate."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 0})

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is None:
            watched.acknowledged.append(time.monotonic())
        else:
            watched.given_up += 1

    for number in count():
        if ended.is_set():
            break
        producer.produce(topic, bytes(MESSAGE_BYTES), partition=number % PARTITIONS, callback=delivered)
        producer.poll(1 / RATE)
    producer.flush(60)


def traces(zookeeper: KazooClient, servers: list[str]) -> Traces:
    """As they are now."""
    statuses = [read_status(server, timeout=30) for server in servers]
    brokers = zookeeper.get_children("/brokers/ids")
    registrations = {int(each): zookeeper.get(f"/brokers/ids/{each}")[1].czxid for each in brokers}
    return Traces(
        registrations=registrations,
        controller_epoch=int(zookeeper.get("/controller_epoch")[0]),
        leader_epoch=max(status.zxid >> EPOCH_BITS for status in statuses if not isinstance(status, Unreadable)),
    )


def slowest(servers: list[str]) -> int:
    """Milliseconds of the slowest request since they were started."""
    found = [0]
    for server in servers:
        try:
            lines = four_letter_word(server, "mntr", timeout=30).splitlines()
        except OSError:
            continue
        found += [int(float(line.split("\t")[1])) for line in lines if line.startswith("zk_max_latency\t")]
    return max(found)


def soak(platform: Platform, layout: LocalLayout, minutes: float, processes: int) -> int:
    """Run it, and say what came of it; the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        declaration = EnsembleDeclaration(
            name=platform.name,
            directory=folder,
            zookeeper=layout.zookeeper_processes(platform),
            brokers=layout.broker_processes(platform),
        )
        try:
            ensemble.apply(declaration, progress=PROGRESS.print)
            return _soak(platform, layout, minutes, processes)
        finally:
            ensemble.destroy(folder, keep_data=False, progress=PROGRESS.print)


def _soak(platform: Platform, layout: LocalLayout, minutes: float, processes: int) -> int:
    bootstrap = ",".join(f"127.0.0.1:{layout.broker_port + broker}" for broker in range(3))
    servers = [address.client for address in layout.zookeeper_addresses(platform).values()]
    watched, ended = Watched(), threading.Event()
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic("soak", PARTITIONS, 3)])["soak"].result(60)
    zookeeper = KazooClient(hosts=",".join(servers), timeout=40)
    zookeeper.start(60)
    before = traces(zookeeper, servers)
    load = threading.Thread(target=produce, args=(bootstrap, "soak", watched, ended))
    load.start()
    found: list[str] = []
    try:
        with busy(processes):
            begin = time.monotonic()
            for look in count():
                if time.monotonic() - begin >= 60 * minutes:
                    break
                _come_and_go(admin, f"passing-{look}")
                watched.loads.append(os.getloadavg()[0])
                now = before.changes_to(traces(zookeeper, servers))
                if now != found:
                    found = now
                    PROGRESS.print(f"{time.monotonic() - begin:.0f} s: {', '.join(now)}")
                ended.wait(LOOK_SECONDS)
        watched.slowest_milliseconds = slowest(servers)
        found = before.changes_to(traces(zookeeper, servers))
    finally:
        ended.set()
        load.join()
        zookeeper.stop()
    told(watched, found, minutes)
    return 1 if found else 0


def _come_and_go(admin: AdminClient, topic: str) -> None:
    try:
        admin.create_topics([NewTopic(topic, PARTITIONS, 3)])[topic].result(60)
        admin.delete_topics([topic])[topic].result(60)
    except Exception as error:  # noqa: BLE001 - a busy cluster may take longer; what is watched are sessions
        PROGRESS.print(f"{topic}: {error}")


def told(watched: Watched, found: list[str], minutes: float) -> None:
    """One row of a table."""
    pause = max((after - before for before, after in pairwise(sorted(watched.acknowledged))), default=float("nan"))
    row = [
        f"{minutes:g}",
        f"{statistics.median(watched.loads):.0f} ({min(watched.loads):.0f} to {max(watched.loads):.0f})",
        f"{len(watched.acknowledged):,}",
        str(watched.given_up),
        f"{pause:.1f} s",
        f"{watched.slowest_milliseconds:,} ms",
        ", ".join(found) or "none",
    ]
    print("| minutes | load | acknowledged | given up | longest pause | slowest request to ZooKeeper | lost |")
    print("|---|---|---|---|---|---|---|")
    print(f"| {' | '.join(row)} |")


def main() -> None:
    """Read the arguments, run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--busy", type=int, default=12, help="processes that keep the processors busy")
    parser.add_argument("--zookeeper", nargs="*", default=[], metavar="KEY=VALUE", help="further entries of zoo.cfg")
    parser.add_argument("--kafka", nargs="*", default=[], metavar="KEY=VALUE", help="further broker entries")
    parser.add_argument("--ports", type=int, default=0, help="added to every port, to run two at once")
    chosen = parser.parse_args()
    zookeeper, kafka = (dict(each.split("=", 1) for each in given) for given in (chosen.zookeeper, chosen.kafka))
    layout = LocalLayout(
        broker_port=26092 + chosen.ports,
        zookeeper_port=26181 + chosen.ports,
        peer_port=26288 + chosen.ports,
        election_port=26388 + chosen.ports,
        connect_port=26583 + chosen.ports,
    )
    sys.exit(soak(declared(zookeeper, kafka), layout, chosen.minutes, chosen.busy))


if __name__ == "__main__":
    main()
