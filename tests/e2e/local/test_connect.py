"""A platform with Connect, delivered as users do it: lines go through it, and the smoke tests tell what is broken."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hikube_kafka import ensemble
from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.ensemble import workers
from hikube_kafka.ensemble.processes import running_servers
from hikube_kafka.spec.targets.local import LocalLayout
from tests.support.delivery import Delivery
from tests.support.ensemble import free_layout, is_free
from tests.support.waiting import until

pytestmark = [pytest.mark.ensemble, pytest.mark.terraform, pytest.mark.timeout(400)]

LINES = 50


class Connected(Delivery):
    """Two workers, a source that reads a file and a sink that writes one."""

    def __init__(self, folder: Path, layout: LocalLayout) -> None:
        super().__init__(folder)
        self.directory = folder / "servers"
        self.workers = folder / "servers-connect-files"
        self.source = folder / "in.txt"
        self.sink = folder / "there" / "out.txt"
        self.sink.parent.mkdir()
        self.source.write_text("".join(f"line {number}\n" for number in range(LINES)))
        files = str(self.directory), str(self.source), str(self.sink)
        self._synthesize("with_connect.py", layout.model_dump_json(), *files)
        self.terraform.expect("init", "-input=false")

    def apply(self) -> None:
        """Apply what is declared."""
        self.terraform.apply()
        self._write_outputs()

    def carried(self) -> int:
        """Lines that have gone all the way."""
        return len(self.sink.read_text().splitlines()) if self.sink.exists() else 0

    def worker(self, name: str) -> psutil.Process:
        """The process of a worker."""
        return psutil.Process(running_servers(self.workers)[name].pid)


@pytest.fixture
def delivery(tmp_path: Path) -> Iterator[Connected]:
    layout = free_layout()
    port = next(port for port in range(28583, 28783, 20) if is_free(port) and is_free(port + 1))
    delivered = Connected(tmp_path, layout.model_copy(update={"connect_port": port}))
    try:
        yield delivered
    finally:
        workers.destroy(delivered.workers)
        ensemble.destroy(delivered.directory, keep_data=False)


def findings(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the gate found of Connect, by check."""
    return {each["check"]: each for each in report["findings"] if each["check"].startswith("connect-")}


def faults(report: dict[str, Any]) -> set[str]:
    return {check for check, each in findings(report).items() if each["status"] in {"failed", "unreadable"}}


def test_lines_go_through_a_platform_and_what_breaks_is_told(delivery: Connected) -> None:
    delivery.apply()
    assert delivery.terraform.plan() == "empty"
    until(lambda: delivery.carried() == LINES, "every line at the end")
    (promised,) = json.loads((delivery._outputs).read_text())["shop_contract"]["value"]["connect"]
    assert (promised["group_id"], promised["workers"]) == ("shop-connect-files", 2)
    healthy = findings(delivery.smoke(expected=0))
    assert {each["status"] for each in healthy.values()} == {"passed"}
    assert len(healthy) == 8

    delivery.worker("worker-1").kill()
    killed = delivery.smoke(expected=1, patience=2)
    assert "connect-workers-answer" in faults(killed)
    assert '"worker-1"' in delivery.terraform.plan()
    delivery.apply()
    assert delivery.terraform.plan() == "empty"

    missing = delivery.sink.parent / "missing" / "out.txt"
    with ConnectClient(promised["urls"]) as client:
        known = client.connector("out").config
        client.put_config("out", {**known, "file": str(missing)})
    broken = delivery.smoke(expected=1, patience=30)
    assert faults(broken) == {"connect-tasks"}
    (line,) = findings(broken)["connect-tasks"]["seen"]
    assert line.startswith("out: task 0 on 127.0.0.1:")
    assert "is FAILED: org.apache.kafka.connect.errors.ConnectException: Couldn't find or create file" in line
    assert f"Caused by: java.nio.file.NoSuchFileException: {missing}" in line
    delivery.terraform.expect("destroy", "-auto-approve", "-input=false")
