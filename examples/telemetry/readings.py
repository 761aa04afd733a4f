"""Reads what devices have sent: each value once, in the order of its device, and says what it saw.

    python readings.py --bootstrap-servers 127.0.0.1:27092 --topic telemetry --report readings.json

The bridge delivers at least once: what was in flight when it was killed comes again. A device's messages are in order,
so its last number tells which are repetitions. Keep that number where you keep the effect of a message, in the same
transaction: then each has its effect once, even when this program is killed.

Needs confluent-kafka.
"""

import argparse
import json
import signal
import time
from array import array
from collections import defaultdict
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Message

_EXAMPLES = 20


class Readings:
    """What was read so far."""

    def __init__(self) -> None:
        self.last: dict[str, int] = defaultdict(int)
        self.missing: dict[str, set[int]] = defaultdict(set)
        """Numbers that were skipped and have not come yet."""
        self.read = self.distinct = self.duplicates = self.out_of_order = self.unordered_keys = 0
        self.examples: list[dict[str, object]] = []
        """The first that were out of order."""
        self.latencies: dict[int, array[float]] = defaultdict(lambda: array("f"))
        """By the second in which Kafka took the message: seconds from the device to Kafka."""

    def take(self, message: Message) -> None:
        """Take a record in."""
        value = json.loads(message.value() or b"")
        device, number = value["device"], value["number"]
        self.read += 1
        self.unordered_keys += message.key() != device.encode()
        if number <= self.last[device] and number not in self.missing[device]:
            self.duplicates += 1  # it had its effect already
            return
        self.distinct += 1
        if number <= self.last[device]:
            self.missing[device].discard(number)
            return
        if number != self.last[device] + 1:
            self.out_of_order += 1
            if self.out_of_order <= _EXAMPLES:
                where = {
                    "partition": message.partition(),
                    "offset": message.offset(),
                    "at": message.timestamp()[1] / 1000,
                }
                self.examples.append({"device": device, "number": number, "after": self.last[device], **where})
            self.missing[device].update(range(self.last[device] + 1, number))
        self.last[device] = number
        taken_at = message.timestamp()[1] / 1000  # LogAppendTime: the broker's clock
        self.latencies[int(taken_at)].append(max(taken_at - value["sent_at"], 0))

    def report(self, *, whole: bool) -> dict[str, object]:
        """What was seen; whole: with every second."""
        seconds = sorted(self.latencies)
        everything = array("f")
        for each in self.latencies.values():
            everything.extend(each)
        return {
            "read": self.read,
            "devices": len(self.last),
            "distinct": self.distinct,
            "missing": sum(map(len, self.missing.values())),
            "duplicates": self.duplicates,
            "out_of_order": self.out_of_order,
            "examples": self.examples,
            "wrong_keys": self.unordered_keys,
            **({"p50_s": quantile(everything, 0.5), "p99_s": quantile(everything, 0.99)} if whole else {}),
            "seconds": [
                [second, len(taken), quantile(taken, 0.5), quantile(taken, 0.99)]
                for second, taken in ((each, self.latencies[each]) for each in seconds if whole)
            ],
        }


def quantile(values: "array[float]", part: float) -> float:
    """The value that this part of them does not exceed."""
    return sorted(values)[min(int(part * len(values)), len(values) - 1)] if values else 0.0


def main() -> None:
    """Read until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--topic", default="telemetry")
    parser.add_argument("--group", default="readings")
    parser.add_argument("--report", type=Path, required=True)
    wanted = parser.parse_args()

    ended = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.append(True))
    consumer = Consumer(
        {
            "bootstrap.servers": wanted.bootstrap_servers,
            "group.id": wanted.group,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
            "log_level": 0,
        }
    )
    consumer.subscribe([wanted.topic])
    readings = Readings()

    def tell(*, whole: bool) -> None:
        part = wanted.report.with_suffix(".part")
        part.write_text(json.dumps(readings.report(whole=whole)), "utf-8")
        part.replace(wanted.report)

    told = 0.0
    tell(whole=False)
    while not ended:
        for message in consumer.consume(1000, timeout=0.25):
            if (error := message.error()) is None:
                readings.take(message)
            elif error.fatal():
                raise KafkaException(error)
        if time.monotonic() - told > 1:
            tell(whole=False)
            told = time.monotonic()
    tell(whole=True)
    consumer.close()


if __name__ == "__main__":
    main()
