"""From an MQTT topic to a record: which Kafka topic, which device, or why neither is known."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

_DEVICE = "{device}"
_KAFKA_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_MOST_FILTER_BYTES = 65_535
_SHOWN_BYTES = 256
"""Of an MQTT topic, if all of it is more than the topic of dead letters takes."""
RECORD_BYTES = 256
"""What Kafka counts beside key, value and headers: the batch around one record, its lengths. More than it is."""


class RouteError(Exception):
    """A route that cannot be followed; the text says which and why."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is sent to Kafka."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    @property
    def size(self) -> int:
        """Bytes as Kafka counts them, before compression, or a few more."""
        named = sum(len(name.encode()) + len(value) + 10 for name, value in self.headers)
        return RECORD_BYTES + len(self.key or b"") + len(self.value) + named


@dataclass(frozen=True, kw_only=True)
class Route:
    """An MQTT filter, the Kafka topic of what it takes, and the level that names the device."""

    filter: str
    """As it is subscribed to: ``devices/+/telemetry``."""
    topic: str
    level: int | None
    """Index of the level that is the device; None: the whole MQTT topic is."""

    @classmethod
    def parse(cls, text: str) -> "Route":
        """Read ``devices/{device}/telemetry=telemetry``; without ``{device}`` the first wildcard is the device.

        Raises:
            RouteError: It is not a filter and a topic.
        """
        template, separator, topic = text.rpartition("=")
        if not separator or not template:
            raise RouteError(f"{text!r} is not FILTER=TOPIC, such as devices/{{device}}/telemetry=telemetry.")
        if not _KAFKA_TOPIC.fullmatch(topic) or topic in {".", ".."}:
            raise RouteError(
                f"{text!r}: {topic!r} is not the name of a Kafka topic: at most 249 of letters, digits, '.', '_', '-'."
            )
        levels = template.split("/")
        filter_ = "/".join("+" if level == _DEVICE else level for level in levels)
        if levels[0] == "$share":
            raise RouteError(f"{text!r}: leave $share/GROUP out, and give the group with --share.")
        if levels.count(_DEVICE) > 1:
            raise RouteError(f"{text!r} has {_DEVICE} more than once: one level names the device.")
        for number, level in enumerate(levels):
            if level == "#" and number < len(levels) - 1:
                raise RouteError(f"{text!r}: # stands for all further levels, so nothing can follow it.")
            if level not in {"+", "#", _DEVICE} and any(mark in level for mark in "+#{}\0"):
                raise RouteError(f"{text!r}: in {level!r} a wildcard is not a whole level: write +, # or {_DEVICE}.")
        if len(filter_.encode()) > _MOST_FILTER_BYTES:
            raise RouteError(f"{text[:40]!r}… is longer than MQTT allows: {_MOST_FILTER_BYTES} bytes.")
        named = [number for number, level in enumerate(levels) if level == _DEVICE]
        wild = [number for number, level in enumerate(levels) if level in {"+", "#"}]
        return cls(filter=filter_, topic=topic, level=next(iter(named or wild), None))

    def takes(self, topic: str) -> bool:
        """Whether the MQTT broker sends messages of this topic for the filter."""
        return _takes(self.filter, topic)

    def device(self, topic: str) -> str:
        """The device that a topic names; empty where its level is."""
        if self.level is None:
            return topic
        levels = topic.split("/")
        return levels[self.level] if self.level < len(levels) else ""


def _takes(filter_: str, topic: str) -> bool:
    wanted, levels = filter_.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:  # what the MQTT broker tells about itself
        return False
    for number, level in enumerate(wanted):
        if level == "#":
            return True
        if number >= len(levels) or level not in {"+", levels[number]}:
            return False
    return len(wanted) == len(levels)


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether there is a topic that both filters take."""
    if not one or not other:
        rest = (*one, *other)
        return not rest or rest[0] == "#"
    if "#" in {one[0], other[0]}:
        return True
    return ("+" in {one[0], other[0]} or one[0] == other[0]) and _overlap(one[1:], other[1:])


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One of several bridges that divide the devices among themselves."""

    number: int = 1
    """From 1."""
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read ``2/3``.

        Raises:
            RouteError: It is not one of that many.
        """
        if not (read := re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)):
            raise RouteError(f"{text!r} is not NUMBER/HOW-MANY, such as 1/3.")
        number, of = int(read[1]), int(read[2])
        if not 1 <= number <= of:
            raise RouteError(f"{text!r}: of {of} bridges the first is 1/{of} and the last {of}/{of}.")
        return cls(number=number, of=of)

    def has(self, device: str) -> bool:
        """Whether the device is this bridge's: by CRC-32, so that each bridge comes to the same answer."""
        return self.of == 1 or zlib.crc32(device.encode()) % self.of == self.number - 1


@dataclass(frozen=True, kw_only=True)
class Message:
    """What came by MQTT."""

    topic: bytes
    payload: bytes
    qos: int
    retain: bool


class Routes:
    """The routes of a bridge, and the topic of what cannot be routed.

    Args:
        routes: as they were given.
        dead_letters: Kafka topic of messages without a device, or without a route, or too large.
        shard: which devices are carried.

    Raises:
        RouteError: None is given, or a message could be taken by two of them.
    """

    def __init__(self, routes: Sequence[Route], dead_letters: str, shard: Shard) -> None:
        if not routes:
            raise RouteError("there is no route: name what to carry with --route FILTER=TOPIC.")
        if not _KAFKA_TOPIC.fullmatch(dead_letters) or dead_letters in {".", ".."}:
            raise RouteError(f"{dead_letters!r} is not the name of a Kafka topic.")
        for number, route in enumerate(routes):
            for other in routes[:number]:
                if _overlap(other.filter.split("/"), route.filter.split("/")):
                    raise RouteError(
                        f"the routes {other.filter} and {route.filter} can both take the same message, and how often "
                        "the MQTT broker then sends it is its own choice: make them apart."
                    )
        self.routes = tuple(routes)
        self.dead_letters = dead_letters
        self.shard = shard
        self.limits: dict[str, int] = {}
        """The largest record that each Kafka topic takes, once that is known."""

    @property
    def topics(self) -> tuple[str, ...]:
        """The Kafka topics, each once."""
        return tuple(dict.fromkeys((*(route.topic for route in self.routes), self.dead_letters)))

    def record(self, message: Message) -> tuple[Record | None, str | None]:
        """What is sent to Kafka, and why it is a dead letter if it is one; no record: another bridge carries it."""
        headers = (
            ("mqtt.topic", message.topic),
            ("mqtt.qos", b"%d" % message.qos),
            ("mqtt.retain", b"true" if message.retain else b"false"),
        )
        letter = Record(topic=self.dead_letters, key=None, value=message.payload, headers=headers)
        try:
            topic = message.topic.decode("utf-8")
        except UnicodeDecodeError:
            return self._dead(letter, "the MQTT topic is not UTF-8", "")
        route = next((route for route in self.routes if route.takes(topic)), None)
        if route is None:
            return self._dead(letter, "no route takes the MQTT topic", topic)
        if not (device := route.device(topic)):
            return self._dead(letter, f"the MQTT topic names no device for {route.filter}", topic)
        if not self.shard.has(device):
            return None, None
        record = replace(letter, topic=route.topic, key=device.encode())
        if record.size > self.limits.get(route.topic, record.size):
            return self._dead(
                replace(record, topic=self.dead_letters),
                f"{len(message.payload)} bytes are more than max.message.bytes of {route.topic} lets through",
                device,
            )
        return record, None

    def _dead(self, letter: Record, reason: str, owner: str) -> tuple[Record | None, str | None]:
        """The letter, cut where even its own topic does not take all of it; of several bridges one sends it."""
        if not self.shard.has(owner):
            return None, None
        told = replace(letter, headers=(*letter.headers, ("bridge.error", reason.encode())))
        over = told.size + 32 - self.limits.get(self.dead_letters, told.size + 32)
        if over > 0:
            told = replace(
                told,
                value=told.value[: max(len(told.value) - over, 0)],
                headers=(*told.headers, ("bridge.bytes", b"%d" % len(letter.value))),
            )
        if told.size > self.limits.get(self.dead_letters, told.size):  # MQTT topics, and devices, may have 65,535 bytes
            (name, topic), *others = told.headers
            told = replace(told, key=None, headers=((name, topic[:_SHOWN_BYTES]), *others))
        return told, reason
