"""Devices by MQTT into Kafka while parts fail, and log lines in two destinations."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hikube_kafka.platform import App
from hikube_kafka.spec.sizing import size
from stacks.telemetry import DEVICES, TelemetryPlatform
from usecases.chain import ROOT
from usecases.running import run
from usecases.telemetry import Telemetry

EXAMPLES = ROOT / "examples" / "telemetry"


@pytest.mark.ensemble
@pytest.mark.terraform
def test_no_message_and_no_line_is_lost_while_every_part_fails_in_its_turn(tmp_path: Path) -> None:
    outcome = run(Telemetry, tmp_path, short=True, options={"picture": str(tmp_path / "telemetry.png")})
    assert outcome.failed == []
    assert outcome.figures["lost"] == 0
    assert outcome.figures["messages"] > 2000
    assert len(outcome.checks) == 8
    assert outcome.figures["highest_per_second"] > 0


def test_the_platform_follows_from_the_devices(tmp_path: Path) -> None:
    stack = TelemetryPlatform(App(outdir=str(tmp_path)), "telemetry")
    readings, letters, logs = stack.platform.declaration.topics
    sized = size(DEVICES)
    assert (readings.partitions, stack.platform.declaration.kafka.brokers) == (sized.partitions, sized.kafka.brokers)
    assert letters.name == "telemetry.dead-letters"
    assert logs.config["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("program", ["devices", "readings", "logs_to_postgresql"])
def test_each_program_to_copy_says_how_it_is_run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{program}.py", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    assert "--" in done.stdout


def test_the_programs_to_copy_need_published_libraries_alone() -> None:
    for program in EXAMPLES.glob("*.py"):
        text = program.read_text("utf-8")
        assert not re.search(r"^(from|import) (hikube_kafka|usecases|tests|stacks)\b", text, re.MULTILINE), program


def test_a_consumer_tells_a_repetition_from_what_is_out_of_order() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _READ],
        capture_output=True,
        text=True,
        check=True,
        cwd=EXAMPLES,
    ).stdout
    report = json.loads(told)
    assert (report["read"], report["distinct"], report["duplicates"], report["out_of_order"]) == (9, 7, 2, 1)
    assert report["missing"] == 1
    assert report["wrong_keys"] == 1


_READ = """
import json
from readings import Readings

class Record:
    def __init__(self, device, number, key=None):
        self._value, self._key = json.dumps({"device": device, "number": number, "sent_at": 1.0}), key or device
    def value(self): return self._value.encode()
    def key(self): return self._key.encode()
    def timestamp(self): return 2, 2000
    def partition(self): return 0
    def offset(self): return 0

readings = Readings()
for device, number in (("a", 1), ("a", 2), ("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 4), ("b", 3)):
    readings.take(Record(device, number))
readings.take(Record("b", 5, key="a"))
print(json.dumps(readings.report(whole=True)))
"""
