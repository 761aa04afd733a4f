"""What a plan of a connector says without workers, and how what they tell becomes a state."""

import json
from typing import Any

import pytest

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.seen import ConnectorSeen, TaskSeen
from hikube_kafka.plugin.diagnostics import Refusal, collected_warnings
from hikube_kafka.plugin.resource import Plan, PlanRequest
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider import workers
from hikube_kafka.provider.resources import connector
from hikube_kafka.provider.resources.connector import ConnectorResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from tests.support.scripted_worker import fault, worker

CLASS = "com.example.Sink"
REFERENCE = "${dir:/secrets/search:password}"


def resource(*urls: str, unknown: tuple[str, ...] = ()) -> ConnectorResource:
    session = Session()
    session.configure(Settings(connect_urls=urls, connect_unknown=unknown))
    return ConnectorResource(session)


NOT_YET = {"unknown": ("connect_url",)}


def config(**values: Any) -> dict[str, Any]:
    schema = ConnectorResource.schema
    return {
        **dict.fromkeys((*schema.attributes, *schema.blocks)),
        "name": "search",
        "class": CLASS,
        "config": {"topics": "orders", "password": REFERENCE},
        **values,
    }


def state(**values: Any) -> dict[str, Any]:
    made = {"id": "search", "tasks_max": 1, "state": "running", "type": "sink", "tasks": 1}
    return config(**{**made, **values})


def plan(prior: dict[str, Any] | None, declared: dict[str, Any] | None, *urls: str, **settings: Any) -> Plan:
    proposed = declared
    if prior is not None and declared is not None:
        computed = ("id", "tasks_max", "state", "type", "tasks")
        proposed = {**declared, **{each: prior[each] for each in computed if declared[each] is None}}
    return resource(*urls, **settings).plan(PlanRequest(prior, proposed, declared))


def seen(**values: Any) -> ConnectorSeen:
    whole: dict[str, Any] = {
        "name": "search",
        "config": {
            "name": "search",
            "connector.class": CLASS,
            "tasks.max": "1",
            "topics": "orders",
            "password": REFERENCE,
        },
        "kind": "sink",
        "state": "RUNNING",
        "worker": "a:1",
        "trace": None,
        "tasks": (TaskSeen(id=0, state="RUNNING", worker="a:1"),),
        **values,
    }
    return ConnectorSeen(**whole)


def live(**entries: str) -> ConnectorSeen:
    return seen(config={**seen().config, **entries})


def test_a_creation_plans_its_defaults_and_leaves_open_what_the_apply_tells() -> None:
    planned = plan(None, config(), **NOT_YET).planned
    assert planned == {**state(), "type": UNKNOWN, "tasks": UNKNOWN}


def test_nothing_changes_where_nothing_is_declared_anew() -> None:
    assert plan(state(), config(), **NOT_YET).planned == state()


@pytest.mark.parametrize(
    "values",
    [
        {"config": {"topics": " orders", "password": REFERENCE}},
        {"tasks_max": 1, "state": "running"},
    ],
)
def test_another_spelling_is_no_change(values: dict[str, Any]) -> None:
    assert plan(state(), config(**values), **NOT_YET).planned == state()


def test_what_was_not_declared_runs_with_one_task() -> None:
    planned = plan(state(state="paused", tasks_max=3), config(), **NOT_YET).planned
    assert planned is not None
    assert (planned["state"], planned["tasks_max"], planned["tasks"]) == ("running", 1, UNKNOWN)


@pytest.mark.parametrize(
    "values",
    [{"name": UNKNOWN}, {"class": UNKNOWN}, {"config": UNKNOWN}, {"config": {"a": UNKNOWN}}, {"tasks_max": UNKNOWN}],
)
def test_what_only_the_apply_tells_is_not_judged(values: dict[str, Any]) -> None:
    for prior in (None, state()):
        answer = plan(prior, config(**values), "http://127.0.0.1:1")
        assert [each.severity for each in answer.diagnostics if each.severity == "error"] == []
        assert json.loads(answer.private)["validated"] == ""


def test_workers_that_do_not_answer_yet_refuse_no_plan() -> None:
    answer = plan(None, config(), "http://127.0.0.1:1")
    assert list(answer.diagnostics) == []
    assert json.loads(answer.private)["validated"] == ""


def test_a_provider_that_does_not_know_the_workers_says_so() -> None:
    with pytest.raises(Refusal, match="does not know where the Connect workers are"):
        plan(None, config())


def test_another_name_replaces_with_a_warning() -> None:
    answer = plan(state(), config(name="other"), **NOT_YET)
    assert answer.replace == [("name",)]
    assert [(each.severity, each.path) for each in answer.diagnostics] == [("warning", ("name",))]


def test_a_destroy_is_planned() -> None:
    assert plan(state(), None, **NOT_YET).planned is None


@pytest.mark.parametrize(
    ("attribute", "value"), [("class", "com.example.Other"), ("tasks_max", 4), ("state", "paused")]
)
def test_every_attribute_changes_in_place(attribute: str, value: Any) -> None:
    answer = plan(state(), config(**{attribute: value}), **NOT_YET)
    assert not answer.replace
    assert answer.planned is not None
    assert answer.planned[attribute] == value
    assert (answer.planned["type"] is UNKNOWN) == (attribute == "class")


def offsets(to: str | None = None, on_change: str | None = None, on_destroy: str | None = None) -> dict[str, Any]:
    return {"on_change": on_change, "to": to, "on_destroy": on_destroy}


def test_offsets_in_other_words_are_no_change() -> None:
    to = [{"partition": {"a": 1}, "offset": {"b": 2}}]
    before = offsets(json.dumps(to), "set")
    after = offsets(json.dumps({"offsets": to}, indent=2), "set")
    assert plan(state(offsets=before), config(offsets=after), **NOT_YET).planned == state(offsets=before)
    other = offsets(json.dumps([{**to[0], "offset": {"b": 3}}]), "set")
    planned = plan(state(offsets=before), config(offsets=other), **NOT_YET).planned
    assert planned is not None
    assert planned["offsets"] == other


@pytest.mark.parametrize(
    ("prior", "planned", "intent"),
    [
        (None, offsets(on_change="reset"), "reset"),
        (None, offsets(on_change="keep"), None),
        (None, None, None),
        (offsets(on_change="reset"), offsets(on_change="reset"), None),
        (offsets(on_change="reset"), offsets(on_change="reset", on_destroy="reset"), None),
        (offsets(on_change="keep"), offsets(on_change="reset"), "reset"),
        (offsets(on_change="reset"), offsets(on_change="set", to="[1]"), "set"),
        (offsets(on_change="set", to="[1]"), offsets(on_change="set", to="[2]"), "set"),
        (offsets(on_change="set", to="[1]"), offsets(on_change="set", to="[1]"), None),
        (offsets(on_change="reset"), None, None),
    ],
)
def test_offsets_are_changed_once_for_each_declaration(prior: Any, planned: Any, intent: str | None) -> None:
    assert connector._intent(state(offsets=planned), state(offsets=prior)) == intent
    assert connector._intent(state(offsets=offsets(on_change="reset"))) == "reset"  # on creation always


# ---- what the workers tell --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found",
    [
        seen(),
        live(**{"errors.log.enable": "true"}),  # what is not declared
        live(password="********"),  # masked by whatever stands before the workers
        live(password="[hidden]"),
        live(topics="orders "),
    ],
)
def test_what_connect_adds_or_masks_is_no_difference(found: ConnectorSeen) -> None:
    assert connector._state(state(), found) == state()


def test_truth_values_are_compared_as_connect_reads_them() -> None:
    declared = state(config={"errors.log.enable": "True"})
    assert connector._state(declared, live(**{"errors.log.enable": "true"})) == declared


def test_what_somebody_changed_shows_and_a_secret_does_not() -> None:
    found = connector._state(state(), live(topics="payments", password="hunter2", **{"tasks.max": "3"}))
    assert found == state(config={"topics": "payments", "password": "[hidden]"}, tasks_max=3)


def test_an_entry_that_somebody_removed_shows() -> None:
    entries = {key: value for key, value in seen().config.items() if key != "topics"}
    assert connector._state(state(), seen(config=entries))["config"] == {"password": REFERENCE}


FAILED = TaskSeen(id=1, state="FAILED", worker="b:1", trace="E: no\n\tat x\nCaused by: F: root\n\tat y")


@pytest.mark.parametrize(
    ("found", "before", "shown"),
    [
        (seen(), "running", "running"),
        (seen(state="PAUSED", tasks=()), "running", "paused"),
        (seen(state="STOPPED", tasks=()), "running", "stopped"),
        (seen(state="FAILED", tasks=()), "running", "failed"),
        (seen(tasks=(FAILED,)), "running", "failed"),
        (seen(state="PAUSED", tasks=(FAILED,)), "paused", "paused"),
        (seen(), "failed", "running"),
        (seen(state="UNASSIGNED", tasks=()), "running", "running"),  # a rebalance passes
        (seen(state="UNASSIGNED", tasks=()), "paused", "paused"),
        (seen(state="RESTARTING"), None, "running"),
    ],
)
def test_the_state_is_that_of_the_connector_and_its_worst_task(found: ConnectorSeen, before: str, shown: str) -> None:
    assert connector._state(state(state=before), found)["state"] == shown


def test_a_failure_is_told_by_its_task_and_its_cause() -> None:
    told = connector._trouble(seen(tasks=(seen().tasks[0], FAILED)))
    assert told == "Task 1 on worker b:1 has failed: E: no Caused by: F: root."
    assert connector._trouble(seen(state="FAILED", trace="E: no")) == "E: no (the connector itself, on worker a:1)."
    assert connector._trouble(seen(state="STOPPED", tasks=(FAILED,))) is None


@pytest.mark.parametrize(
    ("found", "wanted", "is_so"),
    [
        (seen(), "running", True),
        (seen(tasks=(FAILED,)), "running", False),
        (seen(state="PAUSED"), "paused", False),  # a task still runs
        (seen(state="PAUSED", tasks=()), "paused", True),
        (seen(state="STOPPED"), "stopped", False),
        (seen(state="STOPPED", tasks=()), "stopped", True),
        (seen(state="UNASSIGNED", tasks=()), "running", False),
    ],
)
def test_a_state_is_reached_by_the_connector_and_every_task(found: ConnectorSeen, wanted: str, is_so: bool) -> None:  # noqa: FBT001
    assert connector._is_as(found, wanted) is is_so


def test_one_is_imported_by_a_name() -> None:
    assert resource(**NOT_YET).import_state("search") == {"id": "search", "name": "search"}
    with pytest.raises(Refusal, match="imported by its name"):
        resource(**NOT_YET).import_state(" ")
    imported = {**dict.fromkeys(state()), "id": "search", "name": "search"}
    with pytest.raises(Refusal, match="cannot be imported yet"):
        resource(**NOT_YET).read(imported, b"")
    with pytest.raises(Refusal, match="do not answer"):
        resource("http://127.0.0.1:1").read(imported, b"")
    clear = {"connection.url": "jdbc:db://me:hunter2@db/shop", "api.key": "hunter3", "topics": "orders"}
    there = (200, RUNNING[1].replace('"topics": "orders"', json.dumps(clear)[1:-1]))
    with worker(there, fault(500, "no")) as (url, _), collected_warnings() as warnings:
        found = resource(url).read(imported, b"")
    assert found is not None
    assert found["config"] == {"topics": "orders", "password": REFERENCE}
    assert "api.key, connection.url" in warnings[0].detail


def test_workers_that_do_not_answer_keep_the_state_and_are_told_once() -> None:
    connectors = resource("http://127.0.0.1:1")
    with collected_warnings() as warnings:
        for _ in range(3):
            assert connectors.read(state(), b"") == state()
    assert [each.summary for each in warnings] == ["The connectors were not read"]


@pytest.mark.parametrize("private", [b"", b"\0", b"{}", b"[]", b"nonsense"])
def test_what_the_plan_did_not_validate_the_apply_does(private: bytes) -> None:
    assert connector._remembered(private) is None


def test_what_the_plan_validated_is_known_by_its_whole_configuration() -> None:
    digest = connector._digest(state())
    assert connector._remembered(connector._memory(digest)) == digest
    assert connector._digest(state(tasks_max=2)) != digest
    assert connector._digest(state(config={"topics": UNKNOWN})) == ""


def test_one_that_failed_can_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_RETURN_SECONDS", 0.0)
    with pytest.raises(Refusal) as caught:
        resource("http://127.0.0.1:1").delete(state(state="failed"), b"")
    # What stands in the way is that no worker answers, and not the state that a refresh has told.
    assert [each.summary for each in caught.value.diagnostics] == ["The Connect workers do not answer"]


RUNNING = (
    200,
    json.dumps(
        {
            "search": {
                "info": {"config": dict(seen().config), "type": "sink"},
                "status": {
                    "connector": {"state": "RUNNING", "worker_id": "a:1"},
                    "tasks": [{"id": 0, "state": "RUNNING", "worker_id": "a:1"}],
                },
            }
        }
    ),
)
STOPPED = (
    200,
    RUNNING[1]
    .replace('"RUNNING"', '"STOPPED"', 1)
    .replace(json.dumps([{"id": 0, "state": "RUNNING", "worker_id": "a:1"}]), "[]"),
)
DONE = (200, "{}")
NO_OFFSETS = (200, json.dumps({"offsets": []}))


def test_offsets_change_once_no_task_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last commit of a task that is still stopping would replace them; Connect takes them before."""
    monkeypatch.setattr(connector, "_STEADY_SECONDS", 0.0)
    reset = state(offsets={"on_change": "reset", "to": None, "on_destroy": None})
    with worker(DONE, DONE, RUNNING, STOPPED, DONE, NO_OFFSETS, DONE, RUNNING) as (url, asked):
        assert resource(url).update(state(), reset, b"") == reset
    listing = "GET /connectors?expand=info&expand=status"
    assert [f"{method} {path}" for method, path, _ in asked] == [
        listing,
        "PUT /connectors/search/stop",
        listing,
        listing,
        "DELETE /connectors/search/offsets",
        "GET /connectors/search/offsets",
        "PUT /connectors/search/resume",
        listing,
    ]


def test_what_was_not_created_in_full_is_destroyed_as_declared() -> None:
    planned = state(offsets={"on_change": None, "to": None, "on_destroy": "reset"})
    private = connector._memory(connector._digest(planned))
    with worker(DONE, DONE, fault(500, "No.")) as (url, _), pytest.raises(Refusal) as caught:
        resource(url).create(planned, private)
    assert caught.value.state is not None
    assert caught.value.state["offsets"] == planned["offsets"]


def test_offsets_that_a_creation_has_not_reached_are_still_to_be_set() -> None:
    planned = state(offsets=offsets(json.dumps([{"partition": {"a": 1}, "offset": {"b": 2}}]), "set", "reset"))
    private = connector._memory(connector._digest(planned))
    with worker(DONE, DONE, fault(400, "No.")) as (url, _), pytest.raises(Refusal) as caught:
        resource(url).create(planned, private)
    assert caught.value.state is not None
    assert caught.value.state["offsets"] == offsets(on_destroy="reset")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (offsets(on_destroy="reset"), offsets(on_destroy="reset"), "its offsets are reset"),
        (offsets(on_destroy="reset"), None, "its offsets are reset"),
        (None, offsets(on_change="reset"), "its offsets are reset"),
        (
            offsets(on_destroy="reset"),
            offsets('[{"partition": {"a": 1}, "offset": null}]', "set"),
            "its offsets are set as offsets.to says",
        ),
        (None, None, None),
        (offsets(on_destroy="keep"), offsets(on_change="keep", on_destroy="reset"), None),
    ],
)
def test_a_replacement_tells_what_becomes_of_the_offsets(before: Any, after: Any, told: str | None) -> None:
    connectors = resource("http://127.0.0.1:1")
    connectors.read(state(offsets=before), b"")
    # A tainted one is asked about as if it was created.
    answer = connectors.plan(PlanRequest(None, config(offsets=after), config(offsets=after)))
    found = [each.summary for each in answer.diagnostics]
    assert found == (
        [] if told is None else [f"Connector search: it is deleted and created again, and {told} [connector-replaced]"]
    )


@pytest.mark.parametrize(
    ("told", "is_so"),
    [
        ({"partition": {"kafka_topic": "a", "kafka_partition": 0}, "offset": {"kafka_offset": 42}}, True),
        ({"partition": {"kafka_topic": "a", "kafka_partition": 0}, "offset": {"kafka_offset": 4}}, False),
        ({"partition": {"kafka_topic": "a", "kafka_partition": 1}, "offset": {"kafka_offset": 42}}, False),
        ({"partition": {"kafka_topic": "a", "kafka_partition": 0}, "offset": None}, False),
    ],
)
def test_numbers_of_a_sink_may_be_declared_as_text(told: dict[str, Any], is_so: bool) -> None:  # noqa: FBT001
    wanted = {"partition": {"kafka_topic": "a", "kafka_partition": "0"}, "offset": {"kafka_offset": "42"}}
    assert connector._is_so(wanted, told) is is_so


def test_a_restart_that_meets_a_leader_on_its_way_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_STEADY_SECONDS", "_BACK_OFF_SECONDS"):
        monkeypatch.setattr(connector, name, 0.0)
    failed = (
        200,
        RUNNING[1].replace('"tasks": [{"id": 0, "state": "RUNNING"', '"tasks": [{"id": 0, "state": "FAILED"'),
    )
    away = fault(500, "IO Error trying to forward REST request: Connection refused")
    with worker(DONE, DONE, failed, failed, away, failed, DONE, RUNNING) as (url, asked):
        assert resource(url).update(state(state="paused"), state(), b"") == state()
    restart = "/connectors/search/restart?includeTasks=true&onlyFailed=true"
    assert [path for method, path, _ in asked if method == "POST"] == [restart, restart]


AWAY = fault(500, "IO Error trying to forward REST request: Connection refused")
NOTHING = ((200, "{}"), (200, "[]"))
"""A list without the connector, and the names."""


def created(*answers: tuple[int, str]) -> tuple[Refusal | None, list[str]]:
    """What became of a creation, and what the workers were asked to create."""
    private = connector._memory(connector._digest(state()))
    refusal = None
    with worker((200, "{}"), *answers) as (url, asked):
        try:
            assert resource(url).create(state(), private) == state()
        except Refusal as caught:
            refusal = caught
    return refusal, [path for method, path, _ in asked if method == "POST"]


def test_a_creation_that_meets_a_leader_that_is_gone_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "_STEADY_SECONDS", 0.0)
    assert created(AWAY, *NOTHING, AWAY, *NOTHING, (201, "{}"), RUNNING) == (None, ["/connectors"] * 3)


def test_a_creation_whose_answer_got_lost_has_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "_STEADY_SECONDS", 0.0)
    assert created(AWAY, RUNNING) == (None, ["/connectors"])
    # It came to its end after it was looked for.
    exists = fault(409, "Connector search already exists")
    assert created(AWAY, *NOTHING, exists, RUNNING) == (None, ["/connectors"] * 2)
    # The leader knows it, and the worker that is asked does not yet.
    assert created(AWAY, *NOTHING, exists, *NOTHING, exists, RUNNING) == (None, ["/connectors"] * 3)


def test_a_creation_whose_answer_got_lost_is_in_the_state_where_the_group_then_rebalances_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may still come to its end: what no state has, nobody would delete."""
    monkeypatch.setitem(ConnectClient.__init__.__kwdefaults__ or {}, "patience", 0.0)
    rebalance = fault(409, "Cannot complete request because of a conflicting operation (e.g. worker rebalance)")
    refusal, _ = created(AWAY, *NOTHING, rebalance)
    assert refusal is not None
    assert refusal.state is not None
    # By itself it has made nothing.
    refusal, _ = created(rebalance)
    assert refusal is not None
    assert refusal.state is None


def test_a_connector_that_somebody_made_meanwhile_is_not_taken_for_the_one_that_got_lost() -> None:
    other = (200, RUNNING[1].replace("orders", "payments"))
    refusal, asked = created(AWAY, *NOTHING, fault(409, "Connector search already exists"), other)
    assert refusal is not None
    assert refusal.state is None
    assert "connector-exists" in refusal.diagnostics[0].summary
    assert asked == ["/connectors"] * 2


def test_a_group_that_finds_no_leader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "_LOST_SECONDS", 0.0)
    refusal, _ = created(AWAY, *NOTHING)
    assert refusal is not None
    assert refusal.state is None
    assert "Connection refused" in refusal.diagnostics[0].detail
