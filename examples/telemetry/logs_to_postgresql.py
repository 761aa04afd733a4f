"""Log lines from a topic into a table of PostgreSQL, each once.

    python logs_to_postgresql.py --bootstrap-servers 127.0.0.1:27092 --topic app.logs --database postgresql://…

The rows of a batch are committed before the offsets of its records. After a kill in between the records come again, and
the table, whose key is where a record stands in Kafka, refuses the rows that it has. A line that the shipper sent twice
is two records; its own id tells: ``select distinct on (id)``.

Needs confluent-kafka and psycopg.
"""

import argparse
import json
import signal
from typing import Any

import psycopg
from confluent_kafka import Consumer, KafkaException, Message

TABLE = """
create table if not exists log_lines (
    topic text, part integer, place bigint, id text, host text, line text,
    primary key (topic, part, place)
)"""
INSERT = "insert into log_lines values (%s, %s, %s, %s, %s, %s) on conflict do nothing"


def row(message: Message) -> tuple[Any, ...]:
    """The row of a record; a line that is no JSON has no id."""
    text = (message.value() or b"").decode("utf-8", errors="replace")
    try:
        told = json.loads(text)
        id_, host = told["id"], told["host"]
    except (ValueError, TypeError, KeyError):
        id_, host = None, None
    return message.topic(), message.partition(), message.offset(), id_, host, text.replace("\0", "\ufffd")


def main() -> None:
    """Carry lines until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--topic", default="app.logs")
    parser.add_argument("--group", default="logs-postgresql")
    parser.add_argument("--database", required=True)
    wanted = parser.parse_args()

    ended = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.append(True))
    consumer = Consumer(
        {
            "bootstrap.servers": wanted.bootstrap_servers,
            "group.id": wanted.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "partition.assignment.strategy": "cooperative-sticky",
            "log_level": 0,
        }
    )
    with psycopg.connect(wanted.database) as database:
        database.execute(TABLE)
        database.commit()
        consumer.subscribe([wanted.topic])
        while not ended:
            messages = consumer.consume(1000, timeout=0.5)
            if broken := [error for error in (each.error() for each in messages) if error and error.fatal()]:
                raise KafkaException(broken[0])
            if rows := [row(each) for each in messages if each.error() is None]:
                with database.cursor() as cursor:
                    cursor.executemany(INSERT, rows)
                database.commit()
                try:
                    consumer.commit(asynchronous=False)
                except KafkaException as error:  # a rebalance, or a broker that is away: they come again
                    print(f"offsets not committed: {error}", flush=True)
    consumer.close()


if __name__ == "__main__":
    main()
