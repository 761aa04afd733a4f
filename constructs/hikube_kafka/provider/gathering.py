"""Calls that arrive within a moment of each other become one request.

Terraform applies ten resources at a time, each in a call of its own; Kafka takes a thousand topics in one request.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from time import sleep
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WINDOW = 0.02
"""Seconds that the first call waits for others. Terraform's next ten calls arrive within a few milliseconds."""


class Gathering(Generic[Item, Result]):
    """One kind of request, gathered.

    Args:
        together: Makes one request of several items, by key, and answers a future for each of them.
        window: Seconds to wait for others.
    """

    def __init__(
        self, together: Callable[[Mapping[str, Item]], Mapping[str, Future[Result]]], *, window: float = WINDOW
    ) -> None:
        self._together = together
        self._window = window
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Item, Future[Result]]] | None = None

    def submit(self, key: str, item: Item) -> Result:
        """Send the item with whatever else arrives now; answers, or raises, what became of this item alone."""
        answer: Future[Result] = Future()
        with self._lock:
            # One request cannot hold a key twice: the second of two opens the next request.
            leads = self._open is None or key in self._open
            batch = {} if self._open is None or leads else self._open
            batch[key] = (item, answer)
            self._open = batch
        if leads:
            self._send(batch)
        return answer.result()

    def _send(self, batch: dict[str, tuple[Item, Future[Result]]]) -> None:
        sleep(self._window)
        with self._lock:
            if self._open is batch:
                self._open = None
        try:
            results = self._together({key: item for key, (item, _) in batch.items()})
        except Exception as error:  # noqa: BLE001 - handed to every caller, who raises it
            for _, answer in batch.values():
                answer.set_exception(error)
            return
        for key, (_, answer) in batch.items():
            try:
                answer.set_result(results[key].result())
            except Exception as error:  # noqa: BLE001 - that of this item alone, an answer that is missing included
                answer.set_exception(error)
