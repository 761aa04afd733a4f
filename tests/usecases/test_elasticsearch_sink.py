"""What the sink program makes of a message and of an answer. The chain runs it with real servers."""

import json
from typing import Any

import pytest

from examples.analytics.elasticsearch_sink import Change, UnreadableError, change, judged

KEY = b'{"id": 7}'


def value(**fields: Any) -> bytes:
    return json.dumps({"id": 7, "note": None, "__op": "u", "__lsn": 42, "__deleted": "false", **fields}).encode()


def test_a_row_is_a_document_without_what_debezium_adds() -> None:
    assert change(KEY, value()) == Change("7", 42, {"id": 7, "note": None})


def test_a_message_with_its_schema_says_the_same() -> None:
    def wrapped(text: bytes) -> bytes:
        return json.dumps({"schema": {"type": "struct"}, "payload": json.loads(text)}).encode()

    assert change(wrapped(KEY), wrapped(value())) == change(KEY, value())


def test_a_row_with_columns_called_schema_and_payload_is_a_row() -> None:
    found = change(KEY, value(schema="public", payload=1))
    assert found is not None
    assert found.document == {"id": 7, "note": None, "schema": "public", "payload": 1}


def test_a_deleted_row_is_a_deletion_at_its_version() -> None:
    assert change(KEY, value(__deleted="true")) == Change("7", 42, None)


def test_a_tombstone_asks_for_nothing() -> None:
    assert change(KEY, None) is None


def test_a_key_of_several_columns_is_one_id() -> None:
    found = change(b'{"shop": "a", "number": 7}', value())
    assert found is not None
    assert found.id == "a:7"


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        (None, value(), "the key is not JSON"),
        (KEY, b"", "the value is not JSON"),
        (KEY, b"\xff", "the value is not JSON"),
        (KEY, b"[1]", "the value is list, not an object"),
        (KEY, b"null", "the value is NoneType, not an object"),
        (b"7", value(), "the key is int, not an object"),
        (b"{}", value(), "the key has no fields"),
        (KEY, b'{"id": 7}', "__lsn is None"),
        (KEY, value(__lsn="42"), "__lsn is '42'"),
        (KEY, value(__lsn=True), "__lsn is True"),
        (KEY, value(__lsn=-1), "__lsn is -1"),
    ],
)
def test_what_is_no_changed_row_is_said_to_be_none(key: bytes | None, text: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        change(key, text)


def test_a_change_is_written_at_its_version_so_that_an_older_one_is_refused() -> None:
    lines = Change("7", 42, {"id": 7}).lines("orders").splitlines()
    assert json.loads(lines[0]) == {
        "index": {"_index": "orders", "_id": "7", "version": 42, "version_type": "external_gte"}
    }
    assert json.loads(lines[1]) == {"id": 7}
    assert len(Change("7", 42, None).lines("orders").splitlines()) == 1


def test_each_item_of_an_answer_is_judged_by_itself() -> None:
    error = {"type": "document_parsing_exception", "reason": "failed to parse", "caused_by": {"reason": "too large"}}
    answer = judged(
        [
            {"index": {"status": 201}},
            {"index": {"status": 429, "error": {"type": "es_rejected_execution_exception"}}},
            {"index": {"status": 409, "error": {"type": "version_conflict_engine_exception"}}},
            {"index": {"status": 400, "error": error}},
            {"delete": {"status": 404}},
            {"delete": {"status": 200}},
            {"index": {"status": 503}},
            {"index": {"status": 404, "error": {"type": "index_not_found_exception", "reason": "no such index"}}},
        ]
    )
    assert answer.later == [1, 6]
    assert answer.stale == 1
    assert answer.refused == {
        3: "document_parsing_exception: failed to parse: too large",
        7: "index_not_found_exception: no such index",
    }
