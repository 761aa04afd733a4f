"""Tells a webhook of every alert, at least once: ``python webhook.py --bootstrap … --url https://…``.

A service that keeps the header ``Idempotency-Key`` acts once on each. To copy; it needs confluent-kafka and httpx.
"""

import argparse
import json
import signal
import threading
import time
from types import FrameType

import httpx
from confluent_kafka import Consumer, KafkaException
from fraud import ALERTS

_LONGEST_PAUSE = 30.0
_REFUSED = {400, 413, 415, 422}
"""Codes that are about this one alert: no further attempt would help. A wrong token or path (401, 403, 404) is about
all of them, and is waited out: otherwise every alert would be passed over until somebody sees it."""


def deliver(client: httpx.Client, url: str, alert: bytes, key: str, stop: threading.Event) -> bool:
    """Post an alert until it is taken.

    Returns:
        Whether it was taken. Not, if the service refuses it for good, or if this program is ending.
    """
    pause = 0.2
    while not stop.is_set():
        try:
            headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
            code = client.post(url, content=alert, headers=headers).status_code
        except httpx.TransportError as error:
            code, answer = 0, f"{type(error).__name__}: {error}"
        else:
            answer = str(code)
        if httpx.codes.is_success(code):
            return True
        if code in _REFUSED:
            print(f"alert {key} was refused with {code}, and is passed over", flush=True)
            return False
        print(f"alert {key} was not taken ({answer}): it is told again in {pause:g} s", flush=True)
        stop.wait(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return False


def main() -> None:
    """Deliver until SIGTERM."""
    parser = argparse.ArgumentParser(description="Tells a webhook of every alert, at least once.")
    parser.add_argument("--bootstrap", required=True, help="addresses of brokers")
    parser.add_argument("--url", required=True)
    parser.add_argument("--group", default="alert-webhook")
    parser.add_argument("--session", type=float, default=45.0, help="seconds that a restart may take")
    chosen = parser.parse_args()
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    consumer = Consumer(
        {
            "bootstrap.servers": chosen.bootstrap,
            "group.id": chosen.group,
            "group.instance.id": f"{chosen.group}-0",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(chosen.session * 1_000),
            "max.poll.interval.ms": 900_000,  # the service may be away: nothing is lost by waiting for it
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([ALERTS])
    try:
        with httpx.Client(timeout=10.0) as client:
            while not stop.is_set():
                message = consumer.poll(0.2)
                if message is None:
                    continue
                if (broken := message.error()) is not None:
                    if broken.fatal():  # another one has taken its place in the group: only a new process can go on
                        raise KafkaException(broken)
                    continue
                value = message.value() or b""
                deliver(client, chosen.url, value, str(json.loads(value)["alert"]), stop)
                if stop.is_set():
                    break
                try:
                    consumer.commit(message=message, asynchronous=False)
                except KafkaException as error:  # a rebalance: whoever has the partition now tells it once more
                    print(f"{time.time():.0f} {error}", flush=True)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
