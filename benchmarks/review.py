"""Two thousand topics: how long ``hikube-kafka review`` takes beyond the interpreter's start, and its memory.

    .venv/bin/python benchmarks/review.py [--topics 2000] [--runs 5] [--reports]

Makes plans as ``terraform show -json`` writes them, no Terraform, no server, and runs the command on each as a process.
Prints Markdown for docs/benchmarks.md. The measure is ``python -c pass``, run in turns. Beside the clock stands the
processor's time, which a busy machine changes least.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ENVIRONMENT = {name: each for name, each in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""With the compiled modules that an installed package has."""
COMMAND = (sys.executable, "-c", "from hikube_kafka.cli import main; main()", "review")
INTERPRETER = (sys.executable, "-c", "pass")
REPORTS = (".md", ".html", ".json", ".sarif", ".codequality.json")
DAY, WEEK = "86400000", "604800000"
"""Milliseconds."""


class Cost(NamedTuple):
    """What a process took."""

    clock: float
    """Seconds."""
    processor: float
    """Seconds, of user and system together."""
    memory: float
    """MiB: the most that was resident at once."""


def run(command: Sequence[str], *, verdicts: tuple[int, ...] = (0,)) -> Cost:
    """Run a command.

    Args:
        command: It.
        verdicts: The exit codes of a run that did its work.
    """
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=ENVIRONMENT)
        _, status, used = os.wait4(process.pid, 0)
        clock = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in verdicts:
            output.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{output.read().decode()}")
    return Cost(clock, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def topic(number: int, retention: str = WEEK) -> dict[str, Any]:
    """The attributes of a topic, as its state has them."""
    return {
        "config": {"retention.ms": retention, "min.insync.replicas": "2"},
        "deletion_protection": True,
        "id": f"topic-{number}",
        "name": f"topic-{number}",
        "partitions": 6,
        "replication_factor": 3,
    }


def plan(pairs: Sequence[tuple[dict[str, Any] | None, dict[str, Any]]]) -> dict[str, Any]:
    """A plan that turns the first of each pair into the second; None: there is nothing yet."""
    changes, before, after = [], [], []
    for number, (prior, planned) in enumerate(pairs):
        resource = {
            "address": f"hikube_kafka_topic.topic-{number}",
            "mode": "managed",
            "type": "hikube_kafka_topic",
            "name": f"topic-{number}",
            "provider_name": "example.com/hikube/hikube",
        }
        known = planned if prior else {key: each for key, each in planned.items() if key != "id"}
        actions = ["create"] if prior is None else ["no-op"] if prior == planned else ["update"]
        change: dict[str, Any] = {
            "actions": actions,
            "before": prior,
            "after": known,
            "after_unknown": {"config": {}} if prior else {"config": {}, "id": True},
            "before_sensitive": {"config": {}} if prior else False,
            "after_sensitive": {"config": {}},
        }
        changes.append({**resource, "change": change})
        after.append({**resource, "schema_version": 0, "values": known, "sensitive_values": {"config": {}}})
        if prior:
            before.append({**resource, "schema_version": 0, "values": prior, "sensitive_values": {"config": {}}})
    blocks = [
        {
            "address": each["address"],
            "mode": "managed",
            "type": each["type"],
            "name": each["name"],
            "provider_config_key": "hikube",
            "expressions": {key: {"constant_value": value} for key, value in planned.items() if key != "id"},
            "schema_version": 0,
        }
        for each, (_, planned) in zip(changes, pairs, strict=True)
    ]
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "planned_values": {"root_module": {"resources": after}},
        "resource_changes": changes,
        "prior_state": {
            "format_version": "1.0",
            "terraform_version": "1.11.4",
            "values": {"root_module": {"resources": before}},
        },
        "configuration": {
            "provider_config": {"hikube": {"name": "hikube", "full_name": "example.com/hikube/hikube"}},
            "root_module": {"resources": blocks},
        },
        "timestamp": "2026-01-01T00:00:00Z",
        "applyable": True,
        "complete": True,
        "errored": False,
    }


def plans(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is measured: the plans that find the most, and the one that most pull requests make."""
    topics = [topic(number) for number in range(count)]
    yield "all created", plan([(None, each) for each in topics])
    yield "all with retention cut", plan([(each, topic(number, DAY)) for number, each in enumerate(topics)])
    changed = [topic(number, DAY if number == 0 else WEEK) for number in range(count)]
    yield "one with retention cut", plan(list(zip(topics, changed, strict=True)))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--topics", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--reports", action="store_true", help="also write a report of each kind")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        options = [f"--report={folder / 'report'}{each}" for each in REPORTS] if arguments.reports else []
        print("| what | seconds beyond the interpreter | processor beyond | memory |")
        print("|---|---|---|---|")
        for name, content in plans(arguments.topics):
            path = folder / "plan.json"
            path.write_text(json.dumps(content))
            measure(f"{arguments.topics} topics, {name}", (*COMMAND, str(path), *options), arguments.runs)


def measure(name: str, command: Sequence[str], runs: int) -> None:
    """A line of the table: median, and the least of all."""
    run(command, verdicts=(0, 1))  # the first one reads from the disk, and compiles
    turns = [(run(INTERPRETER), run(command, verdicts=(0, 1))) for _ in range(runs)]
    clock = [ours.clock - start.clock for start, ours in turns]
    processor = [ours.processor - start.processor for start, ours in turns]
    memory = max(ours.memory for _, ours in turns)
    figures = (f"{statistics.median(each):.2f} s (at best {min(each):.2f})" for each in (clock, processor))
    print(f"| {name} | {' | '.join(figures)} | {memory:.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()
