"""Looks at every order: alerts, notifications and totals, each exactly once for readers of committed messages.

``python fraud.py --bootstrap … --instance fraud-0``. To copy; it needs confluent-kafka alone.

What was read, what came of it, and what is remembered of each customer are one transaction: ``orders`` in;
``notifications``, ``fraud.alerts``, ``orders.totals`` and ``fraud.windows`` out. A partition of ``fraud.windows``
belongs to the partition of ``orders`` with the same number, so both need the same number of partitions.
"""

import argparse
import json
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from types import FrameType
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

ORDERS, NOTIFICATIONS, ALERTS = "orders", "notifications", "fraud.alerts"
WINDOWS, TOTALS = "fraud.windows", "orders.totals"
WINDOW_SECONDS = 60.0
LIMIT_CENTS = 100_000
NAMESPACE = uuid.UUID("5f2b6d9e-5b0c-4f0e-8c53-0d8f5f7f7a11")
"""Of the ids of alerts: an order has one alert, whoever raises it, and however often."""

_CALL_SECONDS = 10.0
_CALLS = 6
_BATCH = 500
_TRANSACTION_MS = 15_000
_TOTALS_KEY, _CUSTOMER = "totals", "customer/"


Entry = tuple[float, int]
"""Of an order: seconds since 1970, cents."""


def judged(window: list[Entry], order: Entry) -> tuple[list[Entry], int]:
    """The rule: what a customer has ordered within a minute, this order included.

    Args:
        window: earlier orders, in their order.
        order: the one that has come.

    Returns:
        What is remembered from now on; and the sum of it, which is fraud beyond :data:`LIMIT_CENTS`.
    """
    kept = [each for each in window if each[0] >= order[0] - WINDOW_SECONDS] + [order]
    return kept, sum(cents for _, cents in kept)


@dataclass(eq=False)
class Remembered:
    """Of a partition: each customer's window, and the totals."""

    windows: dict[str, list[Entry]] = field(default_factory=dict)
    orders: int = 0
    cents: int = 0


class Fraud:
    """A member of the group that looks at orders.

    Args:
        bootstrap: addresses of brokers.
        instance: name that stays the same after a restart: it fences its predecessor, and ends its transaction.
        group: consumer group.
        session_seconds: after this time without a sign of life, the partitions go to others.
        config: further configuration of the clients, which wins: security.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        instance: str,
        group: str = "fraud",
        session_seconds: float = 45.0,
        config: dict[str, Any] | None = None,
    ) -> None:
        self._shared = {"bootstrap.servers": bootstrap, **(config or {})}
        self._remembered: dict[int, Remembered] = {}
        self.aborted = 0
        self._producer = Producer(
            {
                "transactional.id": f"{group}.{instance}",
                "transaction.timeout.ms": _TRANSACTION_MS,
                "partitioner": "murmur2_random",  # as clients in Java and Connect place a key
                "linger.ms": 5,
                "compression.type": "lz4",
                **self._shared,
            }
        )
        self._consumer = Consumer(
            {
                "group.id": group,
                "group.instance.id": instance,
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(session_seconds * 1_000),
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                **self._shared,
            }
        )

    def run(self, stop: threading.Event) -> None:
        """Look at orders until that is set.

        Raises:
            KafkaException: what only a new process can mend, such as being fenced by a successor.
        """
        _again(lambda: self._producer.init_transactions(_CALL_SECONDS))
        self._consumer.subscribe([ORDERS], on_assign=self._assigned, on_revoke=self._gone, on_lost=self._gone)
        try:
            while not stop.is_set():
                messages = []
                for message in self._consumer.consume(_BATCH, timeout=0.05):
                    error = message.error()
                    if error is None:
                        messages.append(message)
                    elif error.fatal():
                        raise KafkaException(error)
                if messages:
                    self._transact(messages)
        finally:
            self._consumer.close()

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._remembered[each.partition] = self._recalled(each.partition)

    def _gone(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._remembered.pop(each.partition, None)

    def _recalled(self, partition: int) -> Remembered:
        """What transactions have left in ``fraud.windows``, once the last of them has ended."""
        plain = {**self._shared, "group.id": "recalling", "enable.auto.commit": False}
        asking = Consumer(plain)  # of the last message, committed or not: an open transaction has to end first
        _, end = asking.get_watermark_offsets(TopicPartition(WINDOWS, partition), timeout=_CALL_SECONDS)
        asking.close()
        reader = Consumer({**plain, "isolation.level": "read_committed", "enable.partition.eof": True})
        reader.assign([TopicPartition(WINDOWS, partition, 0)])
        found = Remembered()
        deadline = time.monotonic() + 2 * _TRANSACTION_MS / 1_000
        try:
            while time.monotonic() < deadline:
                message = reader.poll(0.2)
                if message is None:
                    continue
                if message.error() is not None:
                    if (message.offset() or 0) >= end:  # the end of what is committed is the end of all
                        return found
                    continue
                key, value = (message.key() or b"").decode(), json.loads(message.value() or b"null")
                if key == _TOTALS_KEY:
                    found.orders, found.cents = value
                else:
                    found.windows[key.removeprefix(_CUSTOMER)] = [(at, cents) for at, cents in value]
        finally:
            reader.close()
        raise TimeoutError(f"{WINDOWS} of partition {partition}: a transaction of somebody else does not end")

    def _transact(self, messages: list[Message]) -> None:
        """Look at them, all or none."""
        messages = [each for each in messages if each.partition() in self._remembered]
        changed: dict[int, Remembered] = {}
        offsets: dict[int, int] = {}
        first: dict[int, int] = {}
        try:
            self._producer.begin_transaction()
            for message in messages:
                partition, offset = message.partition() or 0, message.offset() or 0
                new = changed.setdefault(partition, self._copy(partition))
                self._look(message, new, partition)
                first.setdefault(partition, offset)
                offsets[partition] = offset + 1
            for partition, new in changed.items():
                self._remember(partition, new)
            ends = [TopicPartition(ORDERS, partition, offset) for partition, offset in offsets.items()]
            group = self._consumer.consumer_group_metadata()
            _again(lambda: self._producer.send_offsets_to_transaction(ends, group, _CALL_SECONDS))
            _again(lambda: self._producer.commit_transaction(_CALL_SECONDS))
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            _again(lambda: self._producer.abort_transaction(_CALL_SECONDS))
            self.aborted += 1
            for partition, offset in first.items():
                self._consumer.seek(TopicPartition(ORDERS, partition, offset))
            return
        for partition, new in changed.items():
            before = self._remembered[partition]
            before.windows.update(new.windows)
            before.orders, before.cents = new.orders, new.cents

    def _copy(self, partition: int) -> Remembered:
        """To change: what was not committed must not be remembered."""
        known = self._remembered[partition]
        return Remembered(orders=known.orders, cents=known.cents)

    def _look(self, message: Message, new: Remembered, partition: int) -> None:
        order = json.loads(message.value() or b"")
        customer, cents = str(order["customer"]), int(order["cents"])
        known = new.windows.get(customer, self._remembered[partition].windows.get(customer, []))
        at = datetime.fromisoformat(order["created_at"]).timestamp()
        new.windows[customer], total = judged(known, (at, cents))
        new.orders, new.cents = new.orders + 1, new.cents + cents
        is_fraud = total > LIMIT_CENTS
        kind = "order-held.v1" if is_fraud else "order-confirmed.v1"
        self._tell(NOTIFICATIONS, customer, kind, {"order": order["order"], "customer": customer})
        if is_fraud:
            alert = {"alert": str(uuid.uuid5(NAMESPACE, order["order"])), "order": order["order"]}
            alert |= {"customer": customer, "cents_in_window": total, "created_at": order["created_at"]}
            self._tell(ALERTS, customer, "fraud-suspected.v1", alert)

    def _remember(self, partition: int, new: Remembered) -> None:
        for customer, window in new.windows.items():
            self._producer.produce(WINDOWS, json.dumps(window), _CUSTOMER + customer, partition)
        totals = [new.orders, new.cents]
        self._producer.produce(WINDOWS, json.dumps(totals), _TOTALS_KEY, partition)
        self._tell(TOTALS, str(partition), "totals.v1", {"orders": new.orders, "cents": new.cents})

    def _tell(self, topic: str, key: str, kind: str, value: dict[str, Any]) -> None:
        while True:
            try:
                self._producer.produce(topic, json.dumps(value), key, headers={"event-type": kind})
            except BufferError:
                self._producer.poll(0.1)
            else:
                return


def _again(call: Callable[[], object]) -> None:
    """Call again what may be called again: the client says which errors those are."""
    for attempt in range(_CALLS):
        try:
            call()
        except KafkaException as error:
            if attempt == _CALLS - 1 or not error.args[0].retriable():
                raise
        else:
            return


def main() -> None:
    """Look at orders until SIGTERM."""
    parser = argparse.ArgumentParser(description="Looks at every order, exactly once.")
    parser.add_argument("--bootstrap", required=True, help="addresses of brokers")
    parser.add_argument("--instance", required=True, help="a name that stays the same after a restart")
    parser.add_argument("--session", type=float, default=45.0, help="seconds that a restart may take")
    parser.add_argument("--config", action="append", default=[], metavar="KEY=VALUE", help="of the clients; repeatable")
    chosen = parser.parse_args()
    config = dict(each.split("=", 1) for each in chosen.config)
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    Fraud(chosen.bootstrap, instance=chosen.instance, session_seconds=chosen.session, config=config).run(stop)


if __name__ == "__main__":
    main()
