"""Effects in PostgreSQL, each once: the mark that a task is done is written in the transaction of its effect.

To copy; it needs psycopg, and the exception of ``work_queue.py``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import local
from typing import Any

import psycopg
from work_queue import UnavailableError

TABLES = """
CREATE TABLE IF NOT EXISTS task_done (
    task_id text PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS task_begun (
    message text PRIMARY KEY,
    times integer NOT NULL
);
"""
"""Delete from ``task_done`` what is older than the longest time after which a task can come again: the retention of
the topics plus the longest outage of a sender that sends it anew."""

Effect = Callable[[psycopg.Cursor[Any]], None]


class Effects:
    """Of one database.

    Args:
        dsn: where it is: ``postgresql://worker@database/tasks``.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._each_thread = local()
        self.repeated = 0
        """Tasks that were run though their effect was there already."""

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        try:
            connection: psycopg.Connection[Any] | None = getattr(self._each_thread, "connection", None)
            if connection is None or connection.closed:
                connection = psycopg.connect(self._dsn, connect_timeout=10, autocommit=True)
                self._each_thread.connection = connection
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except psycopg.OperationalError as error:
            # Away, restarting, without room, or it ended this transaction for another one's sake. Whether a commit that
            # was under way counted is what the mark tells next time.
            raise UnavailableError(str(error)) from error

    def once(self, task: str, effect: Effect) -> bool:
        """Let the effect happen, unless it has already.

        The mark comes first: of two workers that do the same task at the same time, the second waits for the first
        one's transaction, and then finds the mark.

        Args:
            task: its id.
            effect: what it changes, by this cursor alone.

        Returns:
            Whether it happened now.

        Raises:
            UnavailableError: the database does not answer.
        """
        with self._transaction() as cursor:
            cursor.execute("INSERT INTO task_done (task_id) VALUES (%s) ON CONFLICT DO NOTHING", (task,))
            if cursor.rowcount == 0:
                self.repeated += 1
                return False
            effect(cursor)
            return True

    # What a worker notes of tasks that others may have died with, by the places of their messages.

    def of(self, message: str) -> int:
        """How often the task was begun and not ended.

        Raises:
            UnavailableError: the database does not answer.
        """
        with self._transaction() as cursor:
            cursor.execute("SELECT times FROM task_begun WHERE message = %s", (message,))
            (times,) = cursor.fetchone() or (0,)
            return int(times)

    def begin(self, message: str) -> None:
        """Count that the task is begun.

        Raises:
            UnavailableError: the database does not answer.
        """
        with self._transaction() as cursor:
            cursor.execute(
                "INSERT INTO task_begun AS seen (message, times) VALUES (%s, 1) "
                "ON CONFLICT (message) DO UPDATE SET times = seen.times + 1",
                (message,),
            )

    def end(self, message: str) -> None:
        """Forget it.

        Raises:
            UnavailableError: the database does not answer.
        """
        with self._transaction() as cursor:
            cursor.execute("DELETE FROM task_begun WHERE message = %s", (message,))
