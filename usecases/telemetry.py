"""Telemetry: devices by MQTT through the bridge, and logs of applications by rsyslog to two destinations at once.

While the devices send, the bridge is killed, its connection is cut, a broker of Kafka is killed, and the MQTT broker
restarts. What arrives is counted device by device.
"""

import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Consumer, TopicPartition
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from hikube_kafka.ensemble import default_directory, status
from usecases import highest
from usecases.asking import asking
from usecases.chain import ROOT, Chain, Outcome
from usecases.deploy import Deployment
from usecases.parts.bridge import Bridge
from usecases.parts.mosquitto import SAFE, Mosquitto
from usecases.parts.postgresql import PostgreSQL
from usecases.parts.relay import Relay
from usecases.parts.rsyslog import Rsyslog
from usecases.process import PartFailedError, Process

_EXAMPLES = ROOT / "examples" / "telemetry"
_MQTT, _RELAY, _BRIDGE, _POSTGRESQL = 27883, 27884, 27641, 27432
_SETTLE_SECONDS = 300.0
_TOPIC = "telemetry"
_AT_ONCE = "at-once"
_SENDERS = 8
_SILENT_SECONDS = 60.0
"""With settings that lose messages, who has been silent for so long sends no more."""
_LOOK_SECONDS = 0.25
_MIB = 1024**2
_ARCHIVE = "archive.log"


class _Burst:
    """A device that sends as fast as it can, in a thread of its own."""

    def __init__(self, name: str, stack: ExitStack) -> None:
        self._name = name
        self._sent = self.acknowledged = 0
        self._client = client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
        client.on_publish = self._on_publish
        client.connect("127.0.0.1", _MQTT)
        client.loop_start()
        stack.callback(client.loop_stop)
        stack.callback(client.disconnect)

    def _on_publish(self, *_: object) -> None:
        self.acknowledged += 1

    def is_connected(self) -> bool:
        return self._client.is_connected()

    def send(self) -> None:
        self._sent += 1
        value = {"device": self._name, "number": self._sent, "sent_at": time.time(), "celsius": 21.5}
        self._client.publish(f"devices/{self._name}/telemetry", json.dumps(value), qos=1)


class _Ends:
    """The ends of the topic's partitions, and how far they have moved."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "ends"})
        with asking("Kafka", f"the partitions of {_TOPIC}"):
            self._partitions = list(self._consumer.list_topics(_TOPIC, timeout=20).topics[_TOPIC].partitions)
        self._before = self._sum()

    def _sum(self) -> int:
        with asking("Kafka", f"the ends of {_TOPIC}"):
            places = [TopicPartition(_TOPIC, partition) for partition in self._partitions]
            return sum(self._consumer.get_watermark_offsets(each, timeout=20)[1] for each in places)

    def grown(self) -> int:
        """Messages since it was made."""
        return self._sum() - self._before

    def close(self) -> None:
        self._consumer.close()


@dataclass(frozen=True, kw_only=True)
class _Size:
    """How much of everything."""

    devices: int
    interval: float
    duration: float
    lines: int


class Telemetry(Chain):
    """The use case."""

    name = "telemetry"
    takes: Mapping[str, str] = {
        "devices": "how many; 2000, short 200",
        "interval": "seconds between two messages of a device; 2, short 0.5",
        "duration": "seconds; 120, short 20",
        "lines": "log lines; 20000, short 2000",
        "failures": "yes, or no: nothing is killed; yes",
        "burst": "messages at once, to measure the highest rate, or no; 50000, short 2000",
        "settings": "tuned, or default: every part's own settings; tuned",
        "picture": "file that the plot is written to",
    }

    def up(self, stack: ExitStack) -> None:
        """Deploy the platform and start the parts."""
        self._size = self._wanted()
        settings = SAFE if self.tuned else {}
        self._at_once = self.burst(2_000 if self.short else 50_000)
        self._fails = self.choice("failures", "yes", "no") == "yes"
        self.tell("the platform is deployed")
        self.deployment = Deployment("telemetry", self.folder, small=self.short, tuned=self.tuned)
        self._bootstrap = str(self.deployment.up(stack)["telemetry"]["bootstrap_servers"])
        self._restarts = stack.enter_context(ThreadPoolExecutor(1))

        self.tell("the parts are started")
        self._mosquitto = Mosquitto(self._new("mosquitto"), _MQTT, settings)
        self.watch(self._mosquitto.process, stack)
        self._mosquitto.start()
        self._relay = stack.enter_context(Relay(_MQTT, _RELAY))
        self._bridge = Bridge(
            self._new("bridge"),
            "bridge",
            _BRIDGE,
            mqtt=f"mqtt://127.0.0.1:{_RELAY}",
            bootstrap=self._bootstrap,
            routes=[f"devices/{{device}}/telemetry={_TOPIC}"],
            dead_letters=f"{_TOPIC}.dead-letters",
        )
        self.watch(self._bridge.process, stack)
        self._bridge.start()
        self._readings = self._example(
            "readings.py", stack, "--bootstrap-servers", self._bootstrap, "--report", self.folder / "readings.json"
        )
        self._readings.start(lambda: self._report("readings"))
        self._logs_up(stack)

    def _logs_up(self, stack: ExitStack) -> None:
        self._logs = self._new("logs") / "application.log"
        self._logs.touch()
        self._database = PostgreSQL(self, stack, port=_POSTGRESQL, databases=("logs",), user="logs")
        self._database.start()
        self._example(
            "logs_to_postgresql.py",
            stack,
            "--bootstrap-servers",
            self._bootstrap,
            "--database",
            self._database.url("logs"),
        ).start()
        for name, environment in (
            ("rsyslog-shipper", {"LOGS": str(self._logs)}),
            ("rsyslog-archive", {"ARCHIVE": str(self.folder / _ARCHIVE)}),
        ):
            Rsyslog(
                self,
                stack,
                name=name,
                configuration=_EXAMPLES / f"{name}.conf",
                environment={"BROKERS": self._bootstrap, **environment},
            ).process.start()

    def run(self, outcome: Outcome, *, short: bool, options: Mapping[str, str]) -> None:  # noqa: ARG002 - of the chain itself
        """Let the devices send while parts fail, then count."""
        with ExitStack() as stack:
            devices = Process(
                "devices",
                [sys.executable, _EXAMPLES / "devices.py", *self._device_options()],
                folder=self._new("devices"),
            )
            stack.callback(devices.stop)
            devices.start()
            self._let_fail(devices)
            self._count(outcome)
        self._count_lines(outcome)
        if self._at_once:
            with closing(_Ends(self._bootstrap)) as ends:
                highest.measure(self, outcome, self._send_at_once, ends.grown, destination="Kafka")

    def _send_at_once(self) -> int:
        """From few devices, each as fast as the MQTT broker takes it: thousands of them would be what limits it."""
        with asking("mosquitto", "messages at once"), ExitStack() as stack:
            devices = [_Burst(f"{_AT_ONCE}-{number}", stack) for number in range(_SENDERS)]
            self.until(lambda: all(each.is_connected() for each in devices), 10, "the devices to be connected")
            for number in range(self._at_once):
                devices[number % _SENDERS].send()
            self.until(lambda: sum(each.acknowledged for each in devices) >= self._at_once, 120, "acknowledgements")
        return self._at_once

    def _device_options(self) -> list[str | Path]:
        wanted = self._size
        values = {
            "--port": _MQTT,
            "--devices": wanted.devices,
            "--interval": wanted.interval,
            "--seconds": wanted.duration,
            "--report": self.folder / "devices.json",
        }
        return [str(word) for pair in values.items() for word in pair]

    # --- while it runs ---

    def _let_fail(self, devices: Process) -> None:
        """Until the devices have ended: each failure in its turn, log lines all the time, and the figures."""
        self._failed_at: list[tuple[float, str]] = []
        self._most_memory = 0
        self._lines = 0
        mended: list[Future[None]] = []
        wanted, begun = self._size, time.monotonic()
        failures: list[tuple[float, str, Callable[[], None]]] = [
            (0.15, "the bridge is killed", self._kill_bridge),
            (0.35, "the bridge's connection is cut", self._relay.cut),
            (0.5, "a broker of Kafka is killed", lambda: mended.append(self._kill_broker())),
            (0.8, "the MQTT broker restarts", self._mosquitto.restart),
        ]
        if not self._fails:
            failures.clear()
        while devices.is_running:
            self.heed()
            passed = (time.monotonic() - begun) / wanted.duration
            if failures and passed >= failures[0][0]:
                _, what, fail = failures.pop(0)
                self.tell(what)
                self._failed_at.append((time.time(), what))
                fail()
            self._write_lines(min(int(passed * wanted.lines), wanted.lines))
            self._look()
            time.sleep(_LOOK_SECONDS)
        self._write_lines(wanted.lines)
        self._mended = mended
        report = self._report("devices")
        if not report or not report["over"]:
            raise PartFailedError(f"the devices have ended before their time:\n{devices.log_end()}")

    def _kill_bridge(self) -> None:
        self._bridge.process.kill()
        self._bridge.start()

    def _kill_broker(self) -> Future[None]:
        """Kill one, and have the platform deployed again, which starts it."""
        observation = status(default_directory("telemetry"))
        pids = {server.name: server.pid for server in observation.servers} if observation else {}
        if not (pid := pids.get("broker-1")):
            raise PartFailedError("broker-1 does not run: hikube-kafka local status says what does")
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(pid, signal.SIGKILL)
        return self._restarts.submit(self.deployment.mend)

    def _write_lines(self, until_: int) -> None:
        with self._logs.open("a", encoding="utf-8") as file:
            for number in range(self._lines, until_):
                line = {"id": f"line-{number:06}", "host": "app-1", "level": "info", "text": "an order was paid"}
                file.write(json.dumps(line) + "\n")
        self._lines = max(self._lines, until_)

    def _look(self) -> None:
        sent, read = self._report("devices"), self._report("readings")
        self._most_memory = max(self._most_memory, _memory(self._bridge.process))
        self.live.update(
            {
                "sent": f"{sent.get('total', 0):,}",
                "acknowledged to the devices": f"{sent.get('acknowledged', 0):,}",
                "in Kafka": f"{read.get('distinct', 0):,}",
                "repeated": f"{read.get('duplicates', 0):,}",
                "memory of the bridge": f"{self._most_memory / _MIB:.0f} MiB",
            }
        )

    # --- when it is over ---

    def _count(self, outcome: Outcome) -> None:
        sent = self._report("devices")
        total: int = sent["total"]
        self._wait(self._grows_up_to(total))
        self._look()
        with asking("bridge", "GET /metrics"):
            metrics = self._bridge.metrics()
        self._readings.stop()
        read = self._report("readings")
        lost = total - read["distinct"]
        outcome.check(
            "the MQTT broker acknowledged every message",
            holds=sent["acknowledged"] == total,
            seen=f"{sent['acknowledged']:,} of {total:,} messages of {self._size.devices:,} devices",
        )
        outcome.check("no message is lost", holds=lost == 0, seen=f"{lost:,} of {total:,} lost")
        for each in read["examples"]:
            self.tell(f"out of order: {each}")
        outcome.check(
            "the order of each device is kept",
            holds=read["out_of_order"] == 0 and read["wrong_keys"] == 0,
            seen=f"{read['out_of_order']} out of order, {read['wrong_keys']} with the key of another",
        )
        for each in self._mended:
            error = each.exception()
            outcome.check("the broker is started again", holds=error is None, seen=str(error or "by one more deploy"))
        seconds = read["seconds"]
        calm = [each for each in seconds if not self._failed_at or each[0] < int(self._failed_at[0][0])]
        outcome.figures.update(
            {
                "devices": self._size.devices,
                "messages": total,
                "messages_per_s": total / self._size.duration,
                "lost": lost,
                "out_of_order": read["out_of_order"],
                "repeated": read["duplicates"],
                "kept_back_by_the_bridge": int(metrics["duplicates_total"]),
                "reconnects_since_the_kill": int(metrics["reconnects_total"]),
                "dead_letters": int(metrics["dead_letters_total"]),
                "latency_p50_ms": 1000 * read["p50_s"],
                "latency_p99_ms": 1000 * read["p99_s"],
                "calm_latency_p50_ms": 1000 * _median([each[2] for each in calm]),
                "calm_latency_p99_ms": 1000 * _median([each[3] for each in calm]),
                "bridge_memory_mib": self._most_memory / _MIB,
            }
        )
        if picture := self.picture:
            _draw(picture, seconds, self._failed_at, f"{self._size.devices:,} devices, {total:,} messages")

    def _count_lines(self, outcome: Outcome) -> None:
        wanted = {f"line-{number:06}" for number in range(self._size.lines)}
        query = "select count(distinct id), count(*) from log_lines where id is not null"
        self._wait(lambda: self._database.rows("logs", query)[0][0] >= len(wanted))
        self._wait(lambda: len(set(_archived(self.folder / _ARCHIVE))) >= len(wanted))
        table = [str(row[0]) for row in self._database.rows("logs", "select id from log_lines")]
        for name, lines in (("PostgreSQL", table), ("the archive", _archived(self.folder / _ARCHIVE))):
            once = set(lines)
            outcome.check(
                f"every log line is in {name}",
                holds=once == wanted,
                seen=f"{len(once & wanted):,} of {len(wanted):,}, {len(lines) - len(once):,} of them again",
            )

    def _wait(self, condition: Callable[[], object]) -> None:
        """Wait until it holds, or long enough: the check that follows says what is missing."""
        with suppress(PartFailedError):
            self.until(condition, _SETTLE_SECONDS, "all to arrive", every=_LOOK_SECONDS)

    def _grows_up_to(self, total: int) -> Callable[[], bool]:
        """Whether all were read; also where none has come for so long that none will."""
        seen, since = -1, time.monotonic()

        def is_over() -> bool:
            nonlocal seen, since
            if (now := self._report("readings").get("distinct", 0)) > seen:
                seen, since = now, time.monotonic()
            return now >= total or time.monotonic() > since + _SILENT_SECONDS

        return is_over

    # --- what it is made of ---

    def _wanted(self) -> _Size:
        return _Size(
            devices=math.ceil(self.number("devices", 200 if self.short else 2000)),
            interval=self.number("interval", 0.5 if self.short else 2),
            duration=self.number("duration", 20 if self.short else 120),
            lines=math.ceil(self.number("lines", 2000 if self.short else 20_000)),
        )

    def _new(self, name: str) -> Path:
        made = self.folder / name
        made.mkdir()
        return made

    def _example(self, program: str, stack: ExitStack, *arguments: str | Path) -> Process:
        name = program.removesuffix(".py")
        part = Process(name, [sys.executable, _EXAMPLES / program, *arguments], folder=self._new(name))
        return self.watch(part, stack)

    def _report(self, name: str) -> dict[str, Any]:
        file = self.folder / f"{name}.json"
        found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
        return found


def _archived(file: Path) -> list[str]:
    """The ids of the lines in the archive; the last line may be half written."""
    found = []
    for line in file.read_text("utf-8").splitlines() if file.exists() else []:
        try:
            found.append(str(json.loads(line)["id"]))
        except (ValueError, KeyError):
            continue
    return found


def _memory(process: Process) -> int:
    try:
        return int(psutil.Process(process.pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0


def _draw(picture: Path, seconds: list[list[float]], failed_at: list[tuple[float, str]], title: str) -> None:
    """Messages and latencies second by second, with what failed when."""
    import matplotlib as mpl  # noqa: PLC0415 - only who wants a picture waits for it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - likewise

    first = seconds[0][0] if seconds else 0.0
    at = [each[0] - first for each in seconds]
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(9, 5.2), height_ratios=[1, 1.3])
    above.plot(at, [each[1] for each in seconds], color="#2563eb", linewidth=0.9)
    above.set(ylabel="messages/s into Kafka", title=title)
    above.set_ylim(bottom=0)
    below.plot(at, [1000 * each[3] for each in seconds], color="#ea580c", linewidth=0.9, label="p99")
    below.plot(at, [1000 * each[2] for each in seconds], color="#2563eb", linewidth=0.9, label="p50")
    below.set(ylabel="device to Kafka, ms", xlabel="seconds", yscale="log")
    below.legend(loc="upper left")
    for moment, what in failed_at:
        for axes in (above, below):
            axes.axvline(moment - first, color="#6b7280", linewidth=0.8, linestyle="--")
        place = (moment - first, 0.03)
        below.annotate(
            what,
            place,
            xycoords=("data", "axes fraction"),
            xytext=(2, 0),
            textcoords="offset points",
            fontsize=7,
            rotation=90,
            va="bottom",
        )
    for axes in (above, below):
        axes.grid(visible=True, alpha=0.25)
    figure.tight_layout()
    figure.savefig(picture, dpi=90)
    plt.close(figure)
