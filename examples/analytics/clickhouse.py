"""The statements with which ClickHouse reads a topic of changed rows by itself: its Kafka engine, without Connect.

Three objects: a table of the engine ``Kafka``, which reads; a materialized view, which moves what was read; and a table
that keeps the latest version of each row. What Kafka delivers twice is a version that is there already. A view without
the deleted rows is what people query.

The statements run on ClickHouse 18.16, which Debian has, and on today's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SETTINGS = {
    # A field that the table does not have, such as a new column of the source, must not stop the reading.
    "input_format_skip_unknown_fields": 1,
    # Messages with a schema beside the row: {"schema": ..., "payload": {"id": 1}} is a column `payload.id`.
    "input_format_import_nested_json": 1,
    # How long rows may wait to become visible; each flush writes a part, which is merged later. 7500 by default.
    "stream_flush_interval_ms": 500,
    # Blocks are written as they are read. Otherwise they are collected, and the offsets are committed meanwhile: a
    # server that is killed in between has lost them.
    "min_insert_block_size_rows": 1,
}
"""Settings of the user's profile: the Kafka engine has them from there."""
KAFKA = {
    # A group without offsets, such as a new one, begins with the first message. Else it begins with the next.
    "auto_offset_reset": "earliest",
    "session_timeout_ms": 10000,
    "fetch_wait_max_ms": 100,
}
"""The section ``kafka`` of the server's configuration: settings of librdkafka, with ``_`` for ``.``."""


@dataclass(frozen=True)
class Column:
    """A column of the table, and how it stands in a message."""

    name: str
    type: str
    """``Int64``, ``Nullable(String)``."""
    read_as: str | None = None
    """Type in the message, where that is another: ``String`` of a time."""
    expression: str = "{}"
    """Makes one of the other: ``parseDateTimeBestEffort({})``."""


def statements(
    table: str,
    columns: Sequence[Column],
    *,
    key: Sequence[str],
    topic: str,
    brokers: str,
    group: str,
    consumers: int = 1,
    block: int | None = None,
    with_schema: bool = False,
) -> list[str]:
    """What creates the table, its view ``<table>_now`` without deleted rows, and what fills it.

    Args:
        table: name of the table.
        columns: of the table.
        key: names of the columns that the primary key of the source consists of.
        topic: topic of changed rows, with ``__lsn`` and ``__deleted``.
        brokers: ``host:port``, separated by commas.
        group: consumer group.
        consumers: threads that read; no more than the topic has partitions.
        block: rows that are written at most at once. ClickHouse 18.16 looks at the time only between two blocks: under
            a steady load rows wait for a whole one. Today's looks while it reads: leave it out there.
        with_schema: whether messages are ``{"schema": ..., "payload": row}``.

    Raises:
        ValueError: a column of the key is not declared, or is nullable; or a name cannot be one.
    """
    for name in (table, *(column.name for column in columns)):
        if not name.isidentifier():
            raise ValueError(f"{name!r} cannot be the name of a table or column: use letters, digits and '_'")
    types = {column.name: column.type for column in columns}
    for name in key:
        if name not in types:
            raise ValueError(f"the key has {name!r}, and there is no such column: there are {', '.join(types)}")
        if types[name].startswith("Nullable"):
            raise ValueError(f"column {name!r} is part of the key: it cannot be {types[name]}")
    if not key:
        raise ValueError("without a key, no row is another version of another: name the columns of the primary key")
    prefix = "payload." if with_schema else ""
    read = [
        *columns,
        Column("_version", "UInt64", expression="{}"),
        Column("_deleted", "UInt8", "String", "{} = 'true'"),
    ]
    fields = {column.name: f"`{prefix}{_FIELDS.get(column.name, column.name)}`" for column in read}
    return [
        f"CREATE TABLE IF NOT EXISTS {table} (\n    "
        + ",\n    ".join(f"{column.name} {column.type}" for column in read)
        + f"\n) ENGINE = ReplacingMergeTree(_version) ORDER BY ({', '.join(key)})",
        f"CREATE VIEW IF NOT EXISTS {table}_now AS SELECT {', '.join(types)} FROM {table} FINAL WHERE _deleted = 0",  # noqa: S608 - names
        f"CREATE TABLE IF NOT EXISTS {table}_queue (\n    "
        + ",\n    ".join(f"{fields[column.name]} {column.read_as or column.type}" for column in read)
        + "\n) ENGINE = Kafka SETTINGS\n"
        + f"    kafka_broker_list = {_quoted(brokers)},\n    kafka_topic_list = {_quoted(topic)},\n"
        + f"    kafka_group_name = {_quoted(group)},\n    kafka_format = 'JSONEachRow',\n"
        + f"    kafka_num_consumers = {consumers}"
        + (f",\n    kafka_max_block_size = {block}" if block else ""),
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {table}_reader TO {table} AS SELECT\n    "
        + ",\n    ".join(f"{column.expression.format(fields[column.name])} AS {column.name}" for column in read)
        + f"\nFROM {table}_queue",
    ]


_FIELDS = {"_version": "__lsn", "_deleted": "__deleted"}
"""Under what name Debezium writes it."""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


ORDERS = (
    Column("id", "Int64"),
    Column("customer", "String"),
    Column("status", "String"),
    Column("amount", "Decimal(12, 2)", "String", "toDecimal64({}, 2)"),
    Column("quantity", "Int32"),
    Column("note", "Nullable(String)"),
    Column("paid", "UInt8"),
    Column("ordered_at", "DateTime", "String", "parseDateTimeBestEffort({})"),
)
"""The table ``orders`` of ``shop.sql``."""

if __name__ == "__main__":
    print(
        ";\n\n".join(
            statements(
                "orders",
                ORDERS,
                key=["id"],
                topic="shop.public.orders",
                brokers="127.0.0.1:9092",
                group="clickhouse-orders",
                with_schema=True,
            )
        )
    )
