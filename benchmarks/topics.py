"""A thousand topics: how long a plan, a creation and a destroy take, and how many Kafka requests a refresh costs.

    .venv/bin/python benchmarks/topics.py [--topics 1000] [--runs 5]

Starts a small ensemble of its own (1 ZooKeeper server, 3 brokers) and stops it again. Prints Markdown for
docs/benchmarks.md. The measure of a plan is the same plan over ``terraform_data``, Terraform's own empty resource,
with the same attributes, run in turns: what is above it is ours. Beside the clock stands the processor's time of
Terraform and its providers together, which a busy machine changes least.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from rich.console import Console

from hikube_kafka import ensemble
from hikube_kafka.plugin.serve import COOKIE, COOKIE_NAME
from hikube_kafka.provider.install import install
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster
from hikube_kafka.spec import Kafka, LocalLayout, Platform, Resources, ZooKeeper
from hikube_kafka.spec.ensemble import EnsembleDeclaration

LAYOUT = LocalLayout(broker_port=30192, zookeeper_port=30181, peer_port=30288, election_port=30388)
PROGRESS = Console(stderr=True)


class Cost(NamedTuple):
    """What some work took, in seconds."""

    clock: float
    processor: float
    """Of the processes that it ran, and those that they ran."""


def timed(work: Callable[[], object]) -> Cost:
    """What the work takes."""
    begin, before = time.perf_counter(), _processor_seconds()
    work()
    return Cost(time.perf_counter() - begin, _processor_seconds() - before)


def _processor_seconds() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


class Configuration:
    """A folder with a Terraform configuration of its own."""

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        folder.mkdir()
        (folder / "main.tf.json").write_text(json.dumps(content))
        self._folder = folder
        self._environment = os.environ | {
            "TF_CLI_CONFIG_FILE": str(folder.parent / "terraformrc"),
            "CHECKPOINT_DISABLE": "1",
            "HOME": str(folder.parent),
        }
        self.terraform("init")

    def terraform(self, *arguments: str) -> None:
        """Run it; what it prints is shown only if it fails."""
        command = ["terraform", *arguments, "-no-color", "-input=false"]
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def topics_configuration(count: int) -> dict[str, Any]:
    """``count`` topics of one partition, each a block of its own, as the constructs write them."""
    return {
        "terraform": {"required_providers": {"hikube": {"source": "terraform.local/hikube/hikube"}}},
        "provider": {"hikube": {"bootstrap_servers": f"127.0.0.1:{LAYOUT.broker_port}"}},
        "resource": {
            "hikube_kafka_topic": {
                f"topic-{number}": {
                    "name": f"topic-{number}",
                    "partitions": 1,
                    "replication_factor": 1,
                    "config": {"retention.ms": "86400000", "min.insync.replicas": "1"},
                    "deletion_protection": False,
                }
                for number in range(count)
            }
        },
    }


def empty_configuration(count: int) -> dict[str, Any]:
    """The same attributes in Terraform's own empty resource."""
    topics = topics_configuration(count)["resource"]["hikube_kafka_topic"]
    return {"resource": {"terraform_data": {name: {"input": attributes} for name, attributes in topics.items()}}}


def cold_start(shim: Path) -> float:
    """Seconds from the start of the provider to its handshake line."""
    begin = time.perf_counter()
    with subprocess.Popen([shim], env=os.environ | {COOKIE_NAME: COOKIE}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe, one line above
        process.stdout.readline()
        seconds = time.perf_counter() - begin
        process.kill()
    return seconds


def requests_of_a_refresh(count: int) -> Counter[str]:
    """Kafka requests of one process that reads every topic, ten at a time as Terraform does."""
    taken: list[dict[str, Any]] = []
    settings = Settings(bootstrap_servers=f"127.0.0.1:{LAYOUT.broker_port}")
    cluster = KafkaCluster(settings, Event(), on_statistics=lambda text: taken.append(json.loads(text)))
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(cluster.topic, [f"topic-{number}" for number in range(count)]))
    if missing := [topic for topic in found if topic is None]:
        sys.exit(f"{len(missing)} topics were not read")
    before = len(taken)
    while len(taken) < before + 2:  # the second one was surely taken after the last answer
        cluster._admin().poll(0.1)  # noqa: SLF001 - statistics come while the client is polled
    sent: Counter[str] = Counter()
    for broker in taken[-1]["brokers"].values():
        sent.update({kind: times for kind, times in broker["req"].items() if times})
    return sent


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--topics", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    platform = Platform(
        name="benchmark",
        zookeeper=ZooKeeper(servers=1, resources=Resources(cpu=1, memory="512Mi")),
        kafka=Kafka(brokers=3, resources=Resources(cpu=1, memory="1Gi")),
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        declaration = EnsembleDeclaration(
            name=platform.name,
            directory=str(folder / "servers"),
            zookeeper=LAYOUT.zookeeper_processes(platform),
            brokers=LAYOUT.broker_processes(platform),
        )
        shim = install(folder / "plugins").shim
        (folder / "terraformrc").write_text(
            f'provider_installation {{ filesystem_mirror {{ path = "{folder / "plugins"}" }} }}'
        )
        try:
            ensemble.apply(declaration, progress=PROGRESS.print)
            measure(folder, shim, count=arguments.topics, runs=arguments.runs)
        finally:
            ensemble.destroy(declaration.directory, keep_data=False)


def measure(folder: Path, shim: Path, *, count: int, runs: int) -> None:
    """Everything, against a living cluster."""
    row("provider, start to handshake", [cold_start(shim) for _ in range(runs + 1)][1:])

    topics = Configuration(folder / "topics", topics_configuration(count))
    empty = Configuration(folder / "empty", empty_configuration(count))
    PROGRESS.print(f"creating {count} topics, gathered")
    gathered = timed(lambda: topics.terraform("apply", "-auto-approve"))
    terraforms_own = timed(lambda: empty.terraform("apply", "-auto-approve"))

    requests = requests_of_a_refresh(count)
    print(f"| requests of a refresh of {count} topics | {sum(requests.values())}: {dict(requests)} |")

    ours, theirs = [], []
    for run in range(runs):
        PROGRESS.print(f"plan {run + 1} of {runs}")
        ours.append(timed(lambda: topics.terraform("plan")))
        theirs.append(timed(lambda: empty.terraform("plan")))
    compare(f"plan of {count} topics", ours, f"plan of {count} terraform_data", theirs)

    PROGRESS.print(f"destroying {count} topics")
    ours = [timed(lambda: topics.terraform("destroy", "-auto-approve"))]
    theirs = [timed(lambda: empty.terraform("destroy", "-auto-approve"))]
    compare(f"destroy of {count} topics", ours, f"destroy of {count} terraform_data", theirs)
    PROGRESS.print(f"creating {count} topics, one by one")
    alone = timed(lambda: topics.terraform("apply", "-auto-approve", "-parallelism=1"))
    terraforms_own_alone = timed(lambda: empty.terraform("apply", "-auto-approve", "-parallelism=1"))
    compare(f"apply that creates {count} topics, gathered", [gathered], "the same, one by one", [alone])
    row(f"apply that creates {count} terraform_data", [terraforms_own.clock])
    row("the same, one by one", [terraforms_own_alone.clock])
    beyond = (gathered.clock - terraforms_own.clock) / (alone.clock - terraforms_own_alone.clock)
    row("ratio of what the topics take beyond that", [beyond], unit="")


def compare(what: str, costs: list[Cost], measure: str, measures: list[Cost]) -> None:
    """Two things, and the ratio of each turn."""
    for name, each in ((what, costs), (measure, measures)):
        row(name, [cost.clock for cost in each])
        row(f"{name}, processor", [cost.processor for cost in each])
    turns = list(zip(costs, measures, strict=True))
    row("ratio", [one.clock / other.clock for one, other in turns], unit="")
    row("ratio, processor", [one.processor / other.processor for one, other in turns], unit="")


def row(what: str, figures: list[float], unit: str = " s") -> None:
    """A line of the table: median, and the range where there is one."""
    spread = f" ({min(figures):.2f} to {max(figures):.2f})" if len(figures) > 1 else ""
    print(f"| {what} | {statistics.median(figures):.2f}{unit}{spread} |")


if __name__ == "__main__":
    main()
