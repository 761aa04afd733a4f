"""The event bus: what an outbox is refused without, the rule, the events' schemas, and the whole chain."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fraud import LIMIT_CENTS, WINDOW_SECONDS, judged

from hikube_kafka.spec import DeclarationError
from stacks.event_bus import Outbox
from usecases.event_bus import EventBus
from usecases.running import run

SCHEMAS = sorted((Path(__file__).parents[2] / "examples" / "event-bus" / "schemas").glob("*.json"))
COMPLETE: dict[str, Any] = {
    "host": "database",
    "port": 5432,
    "database": "shop",
    "user": "shop",
    "password": "${dir:/secrets/shop:password}",
    "slot": "shop_outbox",
    "publication": "shop_outbox",
    "heartbeat": "10s",
    "heartbeat_table": "outbox_heartbeat",
    "wal_cap": "10Gi",
    "lag_alert": "5Gi",
}


@pytest.mark.parametrize("field", ["slot", "publication", "heartbeat", "heartbeat_table", "wal_cap", "lag_alert"])
def test_an_outbox_is_refused_without_what_protects_its_database(field: str) -> None:
    with pytest.raises(DeclarationError, match=f"{field} is not declared") as refused:
        Outbox(**{**COMPLETE, field: ""})
    (problem,) = refused.value.problems
    assert problem.rule == f"outbox-{field.replace('_', '-')}"


def test_all_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(DeclarationError) as refused:
        Outbox(host="database", port=5432, database="shop", user="shop")
    assert len(refused.value.problems) == 6


@pytest.mark.parametrize(
    ("wrong", "words"), [({"password": "hunter2"}, "written out"), ({"lag_alert": "10Gi"}, "not below wal_cap")]
)
def test_an_outbox_is_refused_where_it_would_end_badly(wrong: dict[str, str], words: str) -> None:
    with pytest.raises(DeclarationError, match=words) as refused:
        Outbox(**{**COMPLETE, **wrong})
    assert "hunter2" not in str(refused.value)


def test_the_connector_has_what_was_declared() -> None:
    config = Outbox(**COMPLETE).connector("shop-outbox", "shop").config
    assert config["heartbeat.interval.ms"] == 10_000
    assert "INTO outbox_heartbeat" in str(config["heartbeat.action.query"])
    assert config["publication.autocreate.mode"] == "disabled"
    assert config["database.password"] == "${dir:/secrets/shop:password}"
    assert config["slot.name"] == "shop_outbox"


def test_the_rule_counts_what_a_customer_ordered_within_a_minute() -> None:
    window, total = judged([], (0.0, LIMIT_CENTS))
    assert total == LIMIT_CENTS
    window, total = judged(window, (WINDOW_SECONDS, 1))
    assert total == LIMIT_CENTS + 1  # the first one is exactly a minute old
    window, total = judged(window, (WINDOW_SECONDS + 0.001, 2))
    assert (window, total) == ([(WINDOW_SECONDS, 1), (WINDOW_SECONDS + 0.001, 2)], 3)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda file: str(file.stem))
def test_a_schema_is_one_and_lets_later_events_say_more(schema: Path) -> None:
    read = json.loads(schema.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(read)
    assert read.get("additionalProperties", True) is True  # else no field could ever be added
    assert set(read["required"]) <= set(read["properties"])


@pytest.mark.ensemble
@pytest.mark.terraform
def test_every_committed_order_arrives_exactly_once_whoever_is_killed(tmp_path: Path) -> None:
    outcome = run(EventBus, tmp_path / "event-bus", short=True)
    assert outcome.failed == []
    assert outcome.figures["orders_committed"] > 300
    assert outcome.figures["webhook_calls"] > outcome.figures["alerts"]
