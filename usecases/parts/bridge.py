"""The bridge from MQTT to Kafka, as it is run everywhere: ``hikube-kafka bridge mqtt``."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from usecases.process import Process

_COMMAND = Path(sys.executable).with_name("hikube-kafka")
_PREFIX = "hikube_kafka_bridge_"


class Bridge:
    """One bridge.

    Args:
        folder: existing folder for its log.
        client_id: of its session.
        port: of its metrics and health on 127.0.0.1.
        mqtt: address of the MQTT broker.
        bootstrap: addresses of Kafka's brokers.
        routes: ``FILTER=TOPIC``.
        dead_letters: topic of what cannot be routed.
        options: further options of the command.
        environment: its credentials.
    """

    def __init__(
        self,
        folder: Path,
        client_id: str,
        port: int,
        *,
        mqtt: str,
        bootstrap: str,
        routes: Sequence[str],
        dead_letters: str,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.address = f"127.0.0.1:{port}"
        command: list[str | Path] = [_COMMAND, "bridge", "mqtt", "--mqtt", mqtt, "--bootstrap-servers", bootstrap]
        command += ["--dead-letters", dead_letters, "--client-id", client_id, "--listen", self.address, *options]
        for route in routes:
            command += ["--route", route]
        self.process = Process(client_id, command, folder=folder, environment=environment)

    def start(self) -> None:
        """Start it, and wait until it is connected to both sides."""
        self.process.start(self.is_ready, 60)

    def is_ready(self) -> bool:
        """Whether it is connected to both sides."""
        return self.answer("readyz") == httpx.codes.OK

    def answer(self, path: str) -> int | None:
        """Status of the answer; None: there is none."""
        try:
            return httpx.get(f"http://{self.address}/{path}", timeout=5).status_code
        except httpx.HTTPError:
            return None

    def metrics(self) -> dict[str, float]:
        """Its figures by name, without the prefix that they share; a bucket with its label."""
        text = httpx.get(f"http://{self.address}/metrics", timeout=5).text
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name.removeprefix(_PREFIX): float(value) for name, _, value in lines}
