"""The statements for ClickHouse. The chain runs them on a real server."""

import pytest

from examples.analytics.clickhouse import ORDERS, Column, statements

ID = Column("id", "Int64")


def made(*columns: Column, key: tuple[str, ...] = ("id",), table: str = "orders", with_schema: bool = False) -> str:
    found = statements(
        table, columns or (ID,), key=key, topic="t", brokers="b:9092", group="g", with_schema=with_schema
    )
    return "\n".join(found)


def test_the_latest_version_of_a_row_is_the_one_that_stays() -> None:
    assert "ENGINE = ReplacingMergeTree(_version) ORDER BY (id)" in made()
    assert "`__lsn` AS _version" in made()


def test_a_deleted_row_is_not_seen() -> None:
    assert "SELECT id FROM orders FINAL WHERE _deleted = 0" in made()
    assert "`__deleted` = 'true' AS _deleted" in made()


def test_a_message_with_its_schema_is_read_below_payload() -> None:
    assert "`payload.id` AS id" in made(with_schema=True)
    assert "`payload.__lsn` AS _version" in made(with_schema=True)


def test_a_column_may_be_read_as_another_type() -> None:
    written = made(ID, Column("at", "DateTime", "String", "parseDateTimeBestEffort({})"))
    assert "`at` String" in written
    assert "at DateTime" in written
    assert "parseDateTimeBestEffort(`at`) AS at" in written


def test_names_from_elsewhere_are_quoted() -> None:
    (_, _, queue, _) = statements("t", [ID], key=["id"], topic="it's", brokers="b:1", group="a\\b")
    assert "kafka_topic_list = 'it\\'s'" in queue
    assert "kafka_group_name = 'a\\\\b'" in queue


def test_rows_written_at_once_are_bounded_where_that_is_asked_for() -> None:
    def queue(block: int | None) -> str:
        return statements("t", [ID], key=["id"], topic="t", brokers="b:1", group="g", block=block)[2]

    assert queue(200).endswith("kafka_max_block_size = 200")
    assert "kafka_max_block_size" not in queue(None)


@pytest.mark.parametrize(
    ("columns", "key", "table", "why"),
    [
        ((ID,), ("number",), "orders", "the key has 'number', and there is no such column: there are id"),
        ((ID,), (), "orders", "without a key"),
        ((Column("id", "Nullable(Int64)"),), ("id",), "orders", "cannot be Nullable"),
        ((ID,), ("id",), "orders; drop table x", "cannot be the name of a table or column"),
        ((ID, Column("a b", "String")), ("id",), "orders", "'a b' cannot be the name"),
    ],
)
def test_what_cannot_be_a_table_is_refused(
    columns: tuple[Column, ...], key: tuple[str, ...], table: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        made(*columns, key=key, table=table)


def test_every_column_of_the_source_is_in_the_table_of_the_example() -> None:
    assert [column.name for column in ORDERS] == [
        *("id", "customer", "status", "amount", "quantity", "note", "paid", "ordered_at")
    ]
