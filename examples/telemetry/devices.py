"""Devices that measure, and send each value by MQTT with QoS 1. Every device has a connection of its own.

    python devices.py --devices 2000 --interval 2 --seconds 60 --report devices.json

A device numbers its messages. It sends the next one whether or not the last was acknowledged, and sends again, in their
order, those that were not when its connection broke: paho does that. The report says how many messages all of them
sent, and how many were acknowledged. Exit code 1: some were not within a minute of the end.

Needs paho-mqtt.
"""

import argparse
import asyncio
import json
import random
import socket
import sys
import time
from collections import deque
from pathlib import Path

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

_LAST_SECONDS = 60
_CONNECTS_PER_SECOND = 400


class Device:
    """One device with its connection, in asyncio's loop: no thread of its own."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self.sent = self.acknowledged = 0
        self._address = host, port
        self._connected = False
        self._kept: deque[str] = deque()
        self._loop = asyncio.get_running_loop()
        self._client = client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_socket_open = lambda _client, _data, sock: self._loop.add_reader(sock, client.loop_read)
        client.on_socket_close = lambda _client, _data, sock: self._loop.remove_reader(sock)
        client.on_socket_register_write = lambda _client, _data, sock: self._loop.add_writer(sock, client.loop_write)
        client.on_socket_unregister_write = lambda _client, _data, sock: self._loop.remove_writer(sock)

    def _on_connect(self, _client: Client, _data: object, _flags: object, code: ReasonCode, _more: object) -> None:
        self._connected = not code.is_failure

    def _on_disconnect(self, *_: object) -> None:
        self._connected = False

    def _on_publish(self, *_: object) -> None:
        self.acknowledged += 1

    def connect(self) -> None:
        """Open the connection; at a later time if nobody is there."""
        try:
            self._client.connect(*self._address, keepalive=30)
        except OSError:
            return
        if (opened := self._client.socket()) is not None:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def look_after(self) -> None:
        """Send what keeps the connection alive, and open it again if it broke."""
        self._client.loop_misc()
        if self._client.socket() is None:
            self.connect()
        self._send()

    def measure(self) -> None:
        """Send the next value, or keep it until there is a connection."""
        self.sent += 1
        value = {
            "device": self.name,
            "number": self.sent,
            "sent_at": time.time(),
            "celsius": round(random.gauss(21, 2), 2),
        }
        self._kept.append(json.dumps(value))
        self._send()

    def _send(self) -> None:
        """Publish what is kept: but what goes out before the MQTT broker has answered overtakes what paho repeats."""
        while self._connected and self._kept:
            self._client.publish(f"devices/{self.name}/telemetry", self._kept.popleft(), qos=1)

    async def live(self, start: float, interval: float, end: float) -> None:
        """Measure until the end; look after the connection until it is cancelled."""
        await asyncio.sleep(start)
        self.connect()
        pause = random.uniform(0, interval)  # noqa: S311 - so that not all send at once
        while time.monotonic() < end:
            await asyncio.sleep(pause)
            self.look_after()
            self.measure()
            pause = interval
        while True:
            await asyncio.sleep(1)
            self.look_after()


async def main() -> int:
    """Run the devices."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between two messages of a device")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--report", type=Path, required=True)
    wanted = parser.parse_args()

    devices = [Device(f"device-{number:05}", wanted.host, wanted.port) for number in range(wanted.devices)]
    connecting = wanted.devices / _CONNECTS_PER_SECOND
    end = time.monotonic() + connecting + wanted.seconds
    lives = [
        asyncio.create_task(device.live(number / _CONNECTS_PER_SECOND, wanted.interval, end))
        for number, device in enumerate(devices)
    ]

    def report(*, over: bool) -> dict[str, object]:
        content: dict[str, object] = {
            "over": over,
            "total": sum(device.sent for device in devices),
            "acknowledged": sum(device.acknowledged for device in devices),
        }
        part = wanted.report.with_suffix(".part")
        part.write_text(json.dumps(content), "utf-8")
        part.replace(wanted.report)
        return content

    last = end + _LAST_SECONDS
    while (now := time.monotonic()) < end or (
        now < last and any(device.acknowledged < device.sent for device in devices)
    ):
        for life in lives:
            if life.done():
                life.result()
        report(over=False)
        await asyncio.sleep(0.5)
    told = report(over=True)
    for life in lives:
        life.cancel()
    return 0 if told["acknowledged"] == told["total"] else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
