"""What the tasks of this example do: charges to an account, and everything that goes wrong with tasks.

To copy as a pattern; a queue of yours has handlers of its own.
"""

import os
import time
from typing import Any

import psycopg
from effects import Effects
from work_queue import PoisonError, Task

TABLES = """
CREATE TABLE IF NOT EXISTS ledger (
    task_id text NOT NULL,
    account text NOT NULL,
    cents bigint NOT NULL,
    priority text NOT NULL,
    attempt integer NOT NULL,
    worker text NOT NULL,
    sent_at timestamptz NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS account (name text PRIMARY KEY, cents bigint NOT NULL);
"""
"""The ledger has no unique key on purpose: an effect that happened twice is there twice."""


class Handlers:
    """By the kind of the task.

    Args:
        effects: where effects happen.
        worker: name of this worker, for the ledger.
    """

    def __init__(self, effects: Effects, worker: str) -> None:
        self._effects = effects
        self._worker = worker
        self._by_kind = {
            "charge": self._charge,
            "flaky": self._flaky,
            "refused": self._refused,
            "broken": self._broken,
            "crash": self._crash,
        }

    def __call__(self, task: Task) -> None:
        """Do it.

        Raises:
            PoisonError: there is no such kind, or the task is one that nobody can do.
        """
        handler = self._by_kind.get(task.kind)
        if handler is None:
            raise PoisonError(f"no handler for the kind {task.kind!r}")
        handler(task)

    def _charge(self, task: Task) -> None:
        try:
            account, cents = str(task.payload["account"]), int(task.payload["cents"])
        except (KeyError, ValueError, TypeError) as error:
            raise PoisonError(f"the payload of a charge has account and cents: {error}") from error
        took = float(task.payload.get("seconds", 0.0))
        time.sleep(took / 2)

        def effect(cursor: psycopg.Cursor[Any]) -> None:
            cursor.execute(
                "INSERT INTO ledger (task_id, account, cents, priority, attempt, worker, sent_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, to_timestamp(%s))",
                (task.id, account, cents, task.priority, task.attempt, self._worker, task.enqueued),
            )
            cursor.execute(
                "INSERT INTO account AS known (name, cents) VALUES (%s, %s) "
                "ON CONFLICT (name) DO UPDATE SET cents = known.cents + excluded.cents",
                (account, cents),
            )

        self._effects.once(task.id, effect)
        time.sleep(took / 2)  # whoever is killed here has had the effect, and not committed the offset

    def _flaky(self, task: Task) -> None:
        if task.attempt <= int(task.payload.get("fails", 1)):
            raise ConnectionError("the payment service did not answer")
        self._charge(task)

    def _refused(self, task: Task) -> None:
        raise PoisonError(f"account {task.payload.get('account')} is closed")

    def _broken(self, _: Task) -> None:
        raise ZeroDivisionError("division by zero")

    def _crash(self, _: Task) -> None:
        os._exit(42)  # as a library in C would end the process
