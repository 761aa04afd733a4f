"""What a bridge counts, as Prometheus reads it."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock

_PREFIX = "hikube_kafka_bridge_"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds: from one on the same machine to the restart of a broker."""


class Histogram:
    """How long something took."""

    def __init__(self, bounds: Iterable[float] = BUCKETS) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self._lock = Lock()

    def observe(self, seconds: float) -> None:
        """Count one."""
        with self._lock:
            self._counts[bisect_left(self._bounds, seconds)] += 1
            self._sum += seconds

    def lines(self, name: str) -> list[str]:
        """In the text format of Prometheus: buckets that add up, the sum and the count."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        lines, below = [], 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), counts, strict=True):
            below += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {below}')
        return [*lines, f"{name}_sum {total:.6f}", f"{name}_count {below}"]


@dataclass(kw_only=True)
class Metrics:
    """The figures of one bridge. Counters are those of one thread each, so that none is lost."""

    received: int = 0
    delivered: int = 0
    dead_letters: int = 0
    duplicates: int = 0
    passed_over: int = 0
    dropped: int = 0
    connections: int = 0
    sessions_lost: int = 0
    latency: Histogram = field(default_factory=Histogram)
    acknowledged: Callable[[], int] = lambda: 0
    in_flight: Callable[[], int] = lambda: 0
    in_flight_bytes: Callable[[], int] = lambda: 0
    mqtt_connected: Callable[[], bool] = lambda: False
    kafka_connected: Callable[[], bool] = lambda: False

    def text(self) -> str:
        """All of them in the text format of Prometheus, version 0.0.4."""
        lines: list[str] = []

        def say(name: str, kind: str, help_: str, value: int) -> None:
            full = f"{_PREFIX}{name}"
            lines.extend((f"# HELP {full} {help_}", f"# TYPE {full} {kind}", f"{full} {value}"))

        say("received_total", "counter", "Messages that came by MQTT, repetitions among them.", self.received)
        say("delivered_total", "counter", "Records that Kafka has acknowledged.", self.delivered)
        say("acknowledged_total", "counter", "Messages acknowledged to the MQTT broker.", self.acknowledged())
        say("dead_letters_total", "counter", "Messages sent to the dead-letter topic.", self.dead_letters)
        say(
            "duplicates_total",
            "counter",
            "Messages that came again after a connection was lost and were not sent to Kafka again.",
            self.duplicates,
        )
        say("passed_over_total", "counter", "Messages left to the bridges of other shards.", self.passed_over)
        say("dropped_total", "counter", "Messages of QoS 0 dropped because too many were in flight.", self.dropped)
        say("in_flight", "gauge", "Messages on their way to Kafka.", self.in_flight())
        say("in_flight_bytes", "gauge", "Bytes on their way to Kafka.", self.in_flight_bytes())
        say(
            "reconnects_total",
            "counter",
            "Connections to the MQTT broker after the first.",
            max(self.connections - 1, 0),
        )
        say("sessions_lost_total", "counter", "Reconnects at which the MQTT broker had no session.", self.sessions_lost)
        say("mqtt_connected", "gauge", "Whether the bridge is subscribed: 1 or 0.", int(self.mqtt_connected()))
        say("kafka_connected", "gauge", "Whether Kafka answers: 1 or 0.", int(self.kafka_connected()))
        name = f"{_PREFIX}delivery_seconds"
        lines += [f"# HELP {name} From a message's arrival to Kafka's acknowledgement.", f"# TYPE {name} histogram"]
        lines += self.latency.lines(name)
        return "\n".join(lines) + "\n"
