"""The event bus: what an outbox is refused without, the rule, the events' schemas, and the whole chain."""

import copy
import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import compatible
import fraud
import httpx
import jsonschema
import pytest
import webhook
import work_queue
from confluent_kafka import KafkaError, KafkaException
from fraud import LIMIT_CENTS, WINDOW_SECONDS, judged

from hikube_kafka.platform import App
from hikube_kafka.spec import DeclarationError
from stacks.event_bus import TUNED, EventBusPlatform, Outbox
from usecases.event_bus import EventBus
from usecases.running import run

SCHEMAS = sorted((Path(__file__).parents[2] / "examples" / "event-bus" / "schemas").glob("*.json"))
AUTHOR = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"]
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
    ("wrong", "words"),
    [
        ({"password": "hunter2"}, "written out"),
        ({"lag_alert": "10Gi"}, "not below wal_cap"),
        ({"heartbeat": "0s"}, "heartbeat is 0s"),  # Debezium: no heartbeat
        ({"heartbeat": "soon"}, "heartbeat: 'soon' is not"),
        ({"wal_cap": "10GB"}, "wal_cap: '10GB' is not .*: declare 10Gi"),
        ({"wal_cap": "-1"}, "wal_cap: '-1' is not"),  # PostgreSQL: no cap
        ({"wal_cap": "0"}, "wal_cap is 0"),
        ({"lag_alert": "0"}, "lag_alert is 0"),
    ],
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


def test_the_defaults_take_the_place_of_what_the_stack_sets(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    clusters = [
        EventBusPlatform(app, name, tuned=tuned).platform.declaration.connect[0]
        for name, tuned in (("ours", True), ("own", False))
    ]
    ours, own = ({**each.config, **each.connectors[0].config} for each in clusters)
    assert ours.keys() - own.keys() == {*TUNED, "exactly.once.source.support"}
    assert {key: ours[key] for key in own} == own


def test_the_configuration_that_a_program_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    for module in (fraud, work_queue):
        monkeypatch.setattr(module, "Producer", seen.append)
        monkeypatch.setattr(module, "Consumer", seen.append)
    given = {"session.timeout.ms": "45000", "transaction.timeout.ms": "1000"}
    fraud.Fraud("broker:9092", instance="fraud-0", config=given)
    work_queue.Worker("broker:9092", work_queue.Topics(), print, group="workers", config=given)
    assert [each for each in seen if not given.items() <= each.items()] == []
    assert len(seen) == 4


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


def changed(name: str, fields: dict[str, Any]) -> list[str]:
    before: dict[str, Any] = json.loads((SCHEMAS[0].parent / f"{name}.json").read_text("utf-8"))
    after = copy.deepcopy(before)
    for field, schema in fields.items():
        after["properties"][field] = schema
    return compatible.breaks(before, after)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda file: str(file.stem))
def test_a_schema_may_gain_a_field_that_nobody_has_to_write(schema: Path) -> None:
    assert changed(schema.stem, {}) == []
    assert changed(schema.stem, {"coupon": {"type": "string"}}) == []


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda file: str(file.stem))
def test_no_required_field_of_a_schema_is_given_up(schema: Path) -> None:
    before = json.loads(schema.read_text("utf-8"))
    for field in before["required"]:
        after = before | {"required": [each for each in before["required"] if each != field]}
        assert compatible.breaks(before, after) == ["a reader that knows the former schema may fail on a new event"]


@pytest.mark.parametrize(
    ("cents", "who"),
    [
        ({"type": "string"}, ["former", "new"]),
        ({"type": ["integer", "string"], "minimum": 1}, ["former"]),
        ({"type": "integer", "minimum": 100}, ["new"]),
        ({"type": "integer", "minimum": 0}, ["former"]),
        ({"enum": [1, 2]}, ["new"]),
    ],
)
def test_a_field_of_a_schema_gets_neither_wider_nor_narrower(cents: dict[str, Any], who: list[str]) -> None:
    told = changed("order-placed.v1", {"cents": cents})
    assert [reason.split("knows the ")[1].split()[0] for reason in told] == who


def test_a_field_that_has_to_be_written_is_a_new_version() -> None:
    before = json.loads((SCHEMAS[0].parent / "order-placed.v1.json").read_text("utf-8"))
    after = before | {
        "required": [*before["required"], "coupon"],
        "properties": {**before["properties"], "coupon": {"type": "string"}},
    }
    assert compatible.breaks(before, after) == ["a reader that knows the new schema may fail on an event that is kept"]


def test_schemas_are_compared_with_those_of_a_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schemas = tmp_path / "schemas"
    shutil.copytree(SCHEMAS[0].parent, schemas)
    for command in (["init", "-q"], ["add", "."], [*AUTHOR, "commit", "-q", "-m", "Schemas"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(compatible, "SCHEMAS", schemas)
    assert compatible.since("HEAD") == {}
    (schemas / "totals.v1.json").unlink()
    order = json.loads((schemas / "order-placed.v1.json").read_text("utf-8"))
    del order["properties"]["cents"]
    order["required"].remove("cents")
    (schemas / "order-placed.v1.json").write_text(json.dumps(order), "utf-8")
    assert compatible.since("HEAD") == {
        "order-placed.v1.json": ["a reader that knows the former schema may fail on a new event"],
        "totals.v1.json": ["it is gone, and its events are kept"],
    }


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ([200], 1),
        ([503, 429, 200], 3),
        ([301, 401, 403, 404, 204], 5),  # what is wrong for every alert is mended by somebody, and waited for
        *(([code, 200], 1) for code in (400, 413, 415, 422)),
    ],
)
def test_the_webhook_passes_over_an_alert_only_for_what_is_wrong_with_it(
    answers: list[int], calls: int, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        return httpx.Response(answers[len(keys) - 1])

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return False

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        is_taken = webhook.deliver(client, "http://service/alerts", b"{}", "key", Impatient())
    assert is_taken == httpx.codes.is_success(answers[calls - 1])
    assert keys == ["key"] * calls
    assert capsys.readouterr().out.count("alert key was") == sum(code not in {200, 204} for code in answers[:calls])


def test_a_webhook_whose_place_in_the_group_was_taken_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fenced:
        def __init__(self, _config: dict[str, Any]) -> None: ...
        def subscribe(self, _topics: list[str]) -> None: ...
        def close(self) -> None: ...
        def poll(self, _seconds: float) -> "Fenced":
            return self

        def error(self) -> KafkaError:
            return KafkaError(KafkaError._FENCED, "fenced", fatal=True)

    monkeypatch.setattr(webhook, "Consumer", Fenced)
    monkeypatch.setattr("sys.argv", ["webhook.py", "--bootstrap", "broker:9092", "--url", "http://service"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(KafkaException, match="fenced"):
        webhook.main()


@pytest.mark.ensemble
@pytest.mark.terraform
def test_every_committed_order_arrives_exactly_once_whoever_is_killed(tmp_path: Path) -> None:
    outcome = run(EventBus, tmp_path / "event-bus", short=True)
    assert outcome.failed == []
    assert outcome.figures["orders_committed"] > 300
    assert outcome.figures["highest_per_second"] > 0
    assert outcome.figures["webhook_calls"] > outcome.figures["alerts"]
