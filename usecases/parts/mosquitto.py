"""Mosquitto, an MQTT broker, from Debian's packages."""

import socket
from collections.abc import Mapping
from pathlib import Path

from usecases.debian import unpacked
from usecases.process import Process

_LIBRARIES = ("libwebsockets17", "libev4", "libcjson1", "libdlt2", "libuv1")
_LIBRARY_FOLDERS = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib")

SAFE: Mapping[str, str] = {
    # Sessions and what waits in them are on the disk: otherwise a restart loses both.
    "persistence": "true",
    "autosave_interval": "5",
    # The default, 1,000 messages of one client that is away or slow, is less than a second of 2,000 devices; what is
    # over it is thrown away.
    "max_queued_messages": "0",
    "max_queued_bytes": "268435456",
    # 20 by default: a bridge that waits for Kafka would get 20 messages a round trip. The bridge bounds it itself, by
    # the receive maximum of MQTT 5.
    "max_inflight_messages": "0",
    # Otherwise a small packet waits for the acknowledgement of the last one.
    "set_tcp_nodelay": "true",
}
"""What a broker before Kafka needs besides its defaults."""


def _written(settings: Mapping[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in settings.items())


class Mosquitto:
    """An MQTT broker on 127.0.0.1 that asks nobody for a password on this port.

    Args:
        folder: existing folder for its configuration, data and log.
        port: that it listens on.
        settings: of ``mosquitto.conf``. Empty: its own defaults.
        listeners: further ones, by port: the settings of each, and nobody comes in there but who they let in.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        settings: Mapping[str, str] = SAFE,
        listeners: Mapping[int, Mapping[str, str]] | None = None,
    ) -> None:
        self.port = port
        root = unpacked("mosquitto", *_LIBRARIES)
        self._configuration = folder / "mosquitto.conf"
        # It gives up root by itself, for a user that this machine need not have.
        lines = {"user": "root", "persistence_location": f"{folder}/", "log_type": "warning", **settings}
        if listeners:
            lines = {"per_listener_settings": "true", **lines}
        written = _written(lines) + f"listener {port} 127.0.0.1\nallow_anonymous true\n"
        for further, own in (listeners or {}).items():
            written += f"listener {further} 127.0.0.1\n{_written(own)}"
        self._configuration.write_text(written, "utf-8")
        self.process = Process(
            "mosquitto",
            [root / "usr/sbin/mosquitto", "-c", self._configuration],
            folder=folder,
            environment={"LD_LIBRARY_PATH": ":".join(str(root / each) for each in _LIBRARY_FOLDERS)},
        )

    @property
    def url(self) -> str:
        """As the bridge takes it."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process.start(self._listens, 20)

    def restart(self) -> None:
        """End it in order, which writes what it knows to the disk, and start it again. Every connection is lost."""
        self.process.stop()
        self.start()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
