"""ClickHouse 18.16, from Debian's packages: nothing of it is installed."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from xml.sax.saxutils import escape

import httpx

from usecases.asking import asking
from usecases.chain import Chain
from usecases.debian import libraries, unpacked
from usecases.process import Process

_PATIENCE_SECONDS = 30.0


class ClickHouse:
    """A server on 127.0.0.1 with a data folder of its own.

    Args:
        chain: the chain that it is a part of.
        stack: ends it.
        http_port: port of the HTTP interface; the native one has the next, that between replicas the one after it.
        profile: settings of the user's profile: ``{"stream_flush_interval_ms": 500}``.
        kafka: settings of the Kafka engine's clients, as librdkafka has them but with ``_`` for ``.``.
    """

    def __init__(
        self,
        chain: Chain,
        stack: ExitStack,
        *,
        http_port: int,
        profile: Mapping[str, Any] | None = None,
        kafka: Mapping[str, Any] | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{http_port}"
        self._http = stack.enter_context(httpx.Client(base_url=self.url, timeout=_PATIENCE_SECONDS))
        folder = chain.folder / "clickhouse"
        folder.mkdir()
        for name in ("data", "tmp"):
            (folder / name).mkdir()
        ports = {"http_port": http_port, "tcp_port": http_port + 1, "interserver_http_port": http_port + 2}
        settings = {
            **ports,
            "listen_host": "127.0.0.1",
            "interserver_http_host": "127.0.0.1",
            "logger": {"level": "information", "console": 1},
            "path": f"{folder}/data/",
            "tmp_path": f"{folder / 'tmp'}/",
            "users_config": f"{folder}/users.xml",
            "default_profile": "default",
            "default_database": "default",
            "mark_cache_size": 67_108_864,
            "max_concurrent_queries": 50,
            "kafka": kafka or {},
        }
        users = {
            "profiles": {"default": {"max_memory_usage": 1_000_000_000, **(profile or {})}},
            "users": {
                "default": {
                    "password": "",
                    "networks": {"ip": "127.0.0.1"},
                    "profile": "default",
                    "quota": "default",
                }
            },
            "quotas": {"default": {}},
        }
        for name, content in (("config", settings), ("users", users)):
            (folder / f"{name}.xml").write_text(f"<yandex>{_xml(content)}</yandex>\n", "utf-8")
        root = unpacked("clickhouse-server", with_dependencies=True)
        self.process = Process(
            "clickhouse",
            [root / "usr/sbin/clickhouse-server", f"--config-file={folder}/config.xml"],
            folder=folder,
            environment=libraries(root),
        )
        chain.watch(self.process, stack)

    def start(self) -> None:
        """Start it, with the data that are there.

        Raises:
            PartFailedError: it did not come up; the text has the end of its log.
        """
        self.process.start(self.is_up)

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return self._http.get("/ping").is_success
        except httpx.TransportError:
            return False

    def run(self, statement: str) -> None:
        """Run a statement that gives no rows.

        Raises:
            PartAwayError: it was refused, or the server does not answer.
        """
        self._post(statement)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query gives, by the names of its columns.

        Raises:
            PartAwayError: it was refused, or the server does not answer.
        """
        found: list[dict[str, Any]] = self._post(f"{query.rstrip().rstrip(';')}\nFORMAT JSON").json()["data"]
        return found

    def _post(self, text: str) -> httpx.Response:
        # Without the setting, numbers of 64 bits are written as texts.
        with asking(self.process.name, text):
            answer = self._http.post(
                "/", params={"output_format_json_quote_64bit_integers": "0"}, content=text.encode()
            )
            answer.raise_for_status()
        return answer


def _xml(content: Mapping[str, Any]) -> str:
    return "".join(
        f"<{key}>{_xml(value) if isinstance(value, Mapping) else escape(str(value))}</{key}>"
        for key, value in content.items()
    )
