"""A healthy change of a connector raises nothing; each test spoils one thing."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from hikube_kafka.spec.changes.connector import Known, Verdict, offsets_of, problems
from hikube_kafka.spec.problem import Problem

SINK = "com.example.SearchSinkConnector"
OFFSET = {"partition": {"kafka_topic": "orders", "kafka_partition": 0}, "offset": {"kafka_offset": 42}}


def connector(**values: Any) -> dict[str, Any]:
    return {
        "name": "orders-to-search",
        "class": SINK,
        "tasks_max": 2,
        "config": {"topics": "orders", "password": "${dir:/secrets/search:password}"},
        "state": "running",
        "offsets": None,
        **values,
    }


def offsets(**values: Any) -> dict[str, Any]:
    return connector(offsets={"on_change": None, "to": None, "on_destroy": None, **values})


def only(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, *known: Known) -> Problem:
    (problem,) = problems(prior, planned, *known)
    return problem


@pytest.mark.parametrize(
    ("prior", "planned", "known"),
    [
        (None, connector(), None),
        (None, connector(), Known()),
        (connector(), connector(state="stopped"), Known()),
        (connector(state="failed"), connector(), Known()),
        (connector(), None, None),
        (connector(), connector(config=None), Known()),
        (None, {"class": SINK}, None),
        (None, offsets(on_change="reset", on_destroy="reset"), Known()),
        (None, offsets(on_change="set", to=json.dumps([OFFSET])), Known()),
        (None, offsets(on_change="set", to=json.dumps({"offsets": [{**OFFSET, "offset": None}]})), Known()),
        (None, connector(offsets={"on_change": "set", "on_destroy": None}), None),  # to: known after apply
        (None, connector(offsets={"to": "[]", "on_destroy": None}), None),
        (None, connector(config={"name": "orders-to-search", "tasks.max": " 2", "connector.class": SINK}), None),
        (
            None,
            connector(),
            Known(
                verdicts=[Verdict("password", password=True, errors=()), Verdict("topics", password=False, errors=())]
            ),
        ),
        (None, connector(config={"password": ""}), Known(verdicts=[Verdict("password", password=True, errors=())])),
        (
            None,
            connector(config={"url": "u", "transforms.a.type": "T"}),
            Known(verdicts=[Verdict("user", password=False, errors=())]),
        ),
    ],
)
def test_a_change_that_connect_takes_raises_nothing(prior: Any, planned: Any, known: Known | None) -> None:
    assert list(problems(prior, planned, known)) == []


def test_one_that_is_there_already_is_not_taken_over() -> None:
    problem = only(None, connector(), Known(exists=True))
    assert (problem.rule, problem.severity, problem.path) == ("connector-exists", "error", ("name",))
    assert "terraform import hikube_kafka_connector.this orders-to-search" in problem.remedy


def test_another_name_leaves_the_offsets_behind() -> None:
    problem = only(connector(), connector(name="b"))
    assert (problem.rule, problem.severity, problem.where) == (
        "connector-renamed",
        "warning",
        "connector orders-to-search",
    )
    assert problem.message.startswith("connector b takes its place")
    unknown = {key: value for key, value in connector().items() if key != "name"}
    assert "the apply will tell" in only(connector(), unknown).message


@pytest.mark.parametrize("name", ["", " orders", "orders\n", "a\tb", "a\x00"])
def test_a_name_that_connect_would_change_or_refuse(name: str) -> None:
    problem = only(None, connector(name=name))
    assert (problem.rule, problem.path) == ("connector-name", ("name",))


@pytest.mark.parametrize(
    "told",
    [
        "Error while validating connector config: The connection attempt failed.",
        "Error while validating connector config: Connection to db:5432 refused. Check that the hostname is correct",
        "Unable to connect: Communications link failure",
        "java.net.UnknownHostException: db",
    ],
)
def test_what_cannot_be_reached_by_now_may_be_there_by_the_apply(told: str) -> None:
    verdicts = [Verdict("url", password=False, errors=[told])]
    problem = only(None, connector(config={"url": "db"}), Known(verdicts=verdicts, may_come=True))
    assert (problem.rule, problem.severity) == ("connector-system-unreached", "warning")
    assert problem.path == ("config", "url")
    assert only(None, connector(), Known(verdicts=verdicts)).rule == "connector-config-invalid"


@pytest.mark.parametrize("told", ["Invalid value 7: unknown key", 'FATAL: password authentication failed for "a"'])
def test_what_is_wrong_in_itself_is_not_put_off(told: str) -> None:
    verdicts = [Verdict("url", password=False, errors=[told])]
    problem = only(None, connector(), Known(verdicts=verdicts, may_come=True))
    assert problem.severity == "error"


@pytest.mark.parametrize("state", ["RUNNING", "resting", "failed", ""])
def test_a_state_that_connect_does_not_know(state: str) -> None:
    problem = only(None, connector(state=state))
    assert (problem.rule, problem.path) == ("connector-state", ("state",))


@pytest.mark.parametrize(("key", "value"), [("tasks.max", "3"), ("name", "b"), ("connector.class", "C")])
def test_an_entry_that_contradicts_an_attribute(key: str, value: str) -> None:
    problem = only(None, connector(config={key: value}))
    assert (problem.rule, problem.path) == ("connector-own-key", ("config", key))


@pytest.mark.parametrize(("attribute", "value"), [("on_change", "forget"), ("on_destroy", "set")])
def test_a_word_for_offsets_that_means_nothing(attribute: str, value: str) -> None:
    problem = only(None, offsets(**{attribute: value}))
    assert (problem.rule, problem.path) == ("connector-offsets-word", ("offsets", attribute))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"on_change": "set"}, "is missing"),
        ({"on_change": "reset", "to": "[]"}, 'has no effect with on_change = "reset"'),
        ({"to": json.dumps([OFFSET])}, 'has no effect with on_change = "keep"'),
        ({"on_change": "set", "to": "["}, "is not JSON"),
        ({"on_change": "set", "to": ""}, "is not JSON"),
        ({"on_change": "set", "to": "[]"}, "is not a list of offsets"),
        ({"on_change": "set", "to": "{}"}, "is not a list of offsets"),
        ({"on_change": "set", "to": json.dumps([42])}, "not a partition with an offset"),
        ({"on_change": "set", "to": json.dumps([{"partition": {}}])}, "not a partition with an offset"),
        ({"on_change": "set", "to": json.dumps([{**OFFSET, "offset": 42}])}, "is not an object"),
    ],
)
def test_offsets_that_cannot_be_set(values: dict[str, str], fault: str) -> None:
    problem = only(None, offsets(**values))
    assert (problem.rule, problem.path) == ("connector-offsets-to", ("offsets", "to"))
    assert fault in problem.message


def test_both_forms_of_offsets_are_one() -> None:
    assert offsets_of(json.dumps({"offsets": [OFFSET]})) == offsets_of(json.dumps([OFFSET])) == [OFFSET]


@pytest.mark.parametrize("value", ["hunter2", "$hunter2", "${hunter2}", "${x", "{dir:a:b}"])
def test_a_secret_in_clear(value: str) -> None:
    problem = only(None, connector(config={"pin": value}), Known(verdicts=[Verdict("pin", password=True, errors=())]))
    # At no attribute: Terraform would show its line, with the secret in it.
    assert (problem.rule, problem.path) == ("connector-literal-secret", ())
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize("value", ["${dir:/s:k}", "${env:A}", "Bearer ${file:/a:b}", "${vault:a/b:c}"])
def test_a_reference_is_no_secret(value: str) -> None:
    verdicts = [Verdict("pin", password=True, errors=())]
    assert list(problems(None, connector(config={"pin": value}), Known(verdicts=verdicts))) == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("com.example.SearchSinkConector", f"; did you mean {SINK}?"),
        ("SearchSinkConnector", f"; did you mean {SINK}?"),
        ("org.other.Thing", ""),
    ],
)
def test_a_class_that_no_worker_has(name: str, nearest: str) -> None:
    problem = only(None, connector(**{"class": name}), Known(loaded=[SINK]))
    assert (problem.rule, problem.path) == ("connector-class-missing", ("class",))
    assert problem.message == f"no worker has loaded the class {name}{nearest}."
    assert SINK in problem.why


def test_a_class_where_no_plugin_is_loaded_at_all() -> None:
    assert "are loaded: none" in only(None, connector(), Known(loaded=[])).why


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("topics", ("config", "topics")),
        ("url", ("config",)),
        ("tasks.max", ("tasks_max",)),
        ("connector.class", ("class",)),
        ("name", ("name",)),
    ],
)
def test_what_connect_says_is_told_at_the_attribute(key: str, path: tuple[str, ...]) -> None:
    problem = only(None, connector(), Known(verdicts=[Verdict(key, password=False, errors=["Invalid value: so."])]))
    assert (problem.rule, problem.path) == ("connector-config-invalid", path)
    assert problem.message == "Connect does not take its configuration: Invalid value: so."


def test_what_connect_says_of_two_keys_is_told_once_at_the_one_that_is_declared() -> None:
    verdicts = [
        Verdict("topics.regex", password=False, errors=["One of both."]),
        Verdict("topics", password=False, errors=["One of both."]),
    ]
    assert only(None, connector(), Known(verdicts=verdicts)).path == ("config", "topics")


def test_a_key_that_is_almost_one_of_the_class() -> None:
    verdicts = [Verdict("connection.url", password=False, errors=())]
    problem = only(None, connector(config={"conection.url": "a"}), Known(verdicts=verdicts))
    assert (problem.rule, problem.severity, problem.path) == (
        "connector-key-unknown",
        "warning",
        ("config", "conection.url"),
    )
    assert "did you mean connection.url?" in problem.message
