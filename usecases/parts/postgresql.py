"""PostgreSQL 15: the machine's own programs, or those of Debian's package."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from usecases import unprivileged
from usecases.asking import asking
from usecases.chain import Chain
from usecases.debian import unpacked
from usecases.process import Process

_INSTALLED = Path("/usr/lib/postgresql/15/bin")
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "log_min_messages": "warning",
}
_TUNED: Mapping[str, str] = {
    # A slot whose reader is away must not fill the disk: beyond this, the slot is lost in place of the database.
    "max_slot_wal_keep_size": "512MB",
    # The slot of a reader that was killed is free for the next one after that time. 60 s by default.
    "wal_sender_timeout": "10s",
    # The tables are small, and the machine has others to serve. 128 MB by default.
    "shared_buffers": "64MB",
}
"""What a chain sets besides; ``settings=default`` leaves it out."""


class PostgreSQL:
    """A server on 127.0.0.1 with a data folder of its own.

    Args:
        chain: the chain that it is a part of.
        stack: ends it.
        port: port on 127.0.0.1.
        name: of the process, its folder and its log.
        databases: databases to create.
        user: role of the clients: it owns the databases and may replicate. No password is asked on 127.0.0.1.
        settings: entries of ``postgresql.conf`` besides those for change capture.
    """

    def __init__(
        self,
        chain: Chain,
        stack: ExitStack,
        *,
        port: int,
        name: str = "postgresql",
        databases: tuple[str, ...] = ("shop",),
        user: str = "shop",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self._user = user
        self._databases = databases
        self.folder = unprivileged.folder(name, chain.folder, stack)
        self._data = self.folder / "data"
        self._programs = unprivileged.reachable(_root(), self.folder)
        self._settings = {**_SETTINGS, **(_TUNED if chain.tuned else {}), "port": str(port), **(settings or {})}
        self.process = Process(
            name,
            [self._program("postgres"), "-D", self._data],
            folder=self.folder,
            user=unprivileged.user(),
            environment={"LC_ALL": "C"},
        )
        chain.watch(self.process, stack)

    def start(self) -> None:
        """Create the data folder where there is none, start, and create role and databases where they are missing.

        Raises:
            PartFailedError: it did not come up; the text has the end of its log.
        """
        if not self._data.exists():
            self._initialize()
        self.process.start(self._answers)
        with self.connection("postgres", "role and databases", user="postgres", autocommit=True) as connection:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [self._user]).fetchone():
                connection.execute(f'create role "{self._user}" login replication')
            there = {row[0] for row in connection.execute("select datname from pg_database")}
            for database in self._databases:
                if database not in there:
                    connection.execute(f'create database "{database}" owner "{self._user}"')

    def kill(self) -> None:
        """End it at once, as a power cut does: :meth:`start` recovers from the log."""
        self.process.kill()

    def url(self, database: str, *, user: str | None = None) -> str:
        """For psycopg: ``postgresql://shop@127.0.0.1:26432/shop``."""
        return f"postgresql://{user or self._user}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def connection(
        self, database: str, request: str, *, user: str | None = None, autocommit: bool = False
    ) -> Iterator["psycopg.Connection[Any]"]:
        """A connection; what it raises names this server and what was asked.

        Args:
            database: its name.
            request: what it is for: ``"an order"``.
            user: role; by default that of the clients.
            autocommit: each statement is a transaction; otherwise the whole block is one.

        Raises:
            PartAwayError: it does not answer, or has ended the connection.
            PartFailedError: it refuses a statement.
        """
        url = self.url(database, user=user)
        with asking(self.process.name, request), psycopg.connect(url, autocommit=autocommit) as connection:
            yield connection

    def rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """What a statement gives, in a connection of its own; nothing where it gives no rows.

        Raises:
            PartAwayError: it does not answer.
            PartFailedError: it refuses the statement.
        """
        with self.connection(database, query, autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres", user="postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:  # not yet; or it is recovering
            return False
        return True

    def _program(self, name: str) -> Path:
        return self._programs / "bin" / name

    def _initialize(self) -> None:
        how = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        Process(
            "initdb",
            [self._program("initdb"), "-D", self._data, *how],
            folder=self.folder,
            user=unprivileged.user(),
            environment={"LC_ALL": "C"},
        ).start().wait()
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in self._settings.items())


def _root() -> Path:
    """The folder that has ``bin`` with the programs."""
    if (_INSTALLED / "postgres").exists():
        return _INSTALLED.parent
    return unpacked("postgresql-15", "postgresql-client-15", "libpq5", "libllvm14") / "usr/lib/postgresql/15"
