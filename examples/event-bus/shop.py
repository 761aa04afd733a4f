"""The shop: an order and its events, in one transaction. To copy; it needs psycopg."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a customer has ordered."""

    id: str
    customer: str
    cents: int
    created_at: datetime


def place(connection: psycopg.Connection[Any], order: Order) -> None:
    """Write an order, and tell ``orders`` and ``payments`` of it; the caller commits, or does not."""
    at = order.created_at.isoformat()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders (id, customer, cents, created_at) VALUES (%s, %s, %s, %s)",
            (order.id, order.customer, order.cents, order.created_at),
        )
        seen = {"order": order.id, "customer": order.customer, "cents": order.cents, "created_at": at}
        tell(cursor, "orders", order.customer, "order-placed.v1", seen)
        asked = {"order": order.id, "customer": order.customer, "cents": order.cents, "method": "card"}
        tell(cursor, "payments", order.customer, "payment-requested.v1", asked)


def tell(cursor: psycopg.Cursor[Any], topic: str, key: str, kind: str, payload: dict[str, Any]) -> None:
    """Put an event into the outbox, for good if the transaction commits."""
    event = uuid.uuid4()
    cursor.execute(
        "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES (%s, %s, %s, %s, %s)",
        (event, topic, key, kind, json.dumps(payload)),
    )
    cursor.execute("DELETE FROM outbox WHERE id = %s", (event,))
