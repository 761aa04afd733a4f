"""A healthy change of an ensemble raises nothing; each test spoils one thing."""

from typing import Any

import pytest

from hikube_kafka.spec.changes.local_ensemble import Known, Present, problems

EMPTY = Known(replicas={"orders": {0: (0, 1)}})


def ensemble(*brokers: int, **values: Any) -> dict[str, Any]:
    return {
        "name": "demo",
        "directory": "/nowhere/demo",
        "path": "/nowhere/demo",
        "zookeeper": [{"id": 1}],
        "brokers": [{"id": broker} for broker in brokers or (0, 1, 2)],
        "keep_data": True,
        **values,
    }


def unknown(name: str) -> dict[str, Any]:
    return {each: value for each, value in ensemble().items() if each != name}


@pytest.mark.parametrize(
    "planned",
    [
        ensemble(),
        ensemble(0, 1, 2, 3),
        ensemble(0, 1),
        ensemble(kafka_home="/elsewhere"),
        ensemble(keep_data=False),
        unknown("brokers"),
        unknown("zookeeper"),
        ensemble(brokers=[None, {"id": 0}]),
        None,
    ],
)
def test_a_change_that_loses_nothing_raises_nothing(planned: Any) -> None:
    assert list(problems(ensemble(), planned, EMPTY)) == []
    assert list(problems(None, planned, EMPTY)) == []


def test_the_set_of_zookeeper_servers_does_not_change() -> None:
    (problem,) = problems(ensemble(), ensemble(zookeeper=[{"id": 1}, {"id": 2}, {"id": 3}]))
    assert (problem.rule, problem.severity) == ("local-zookeeper-changes", "error")
    assert (problem.where, problem.path) == ("ensemble demo", ("zookeeper",))
    assert problem.message == "its ZooKeeper servers cannot change from 1 to 1, 2, 3."


def test_ports_that_outgoing_connections_may_hold_are_warned_of() -> None:
    known = Known(clients=(32768, 60999), of_clients=[42181, 41092])
    (problem,) = problems(None, ensemble(), known)
    assert (problem.rule, problem.severity) == ("local-ensemble-ports-of-clients", "warning")
    assert problem.message.endswith("(32768 to 60999): 41092, 42181.")
    assert problem.remedy == "Declare ports below 32768."
    assert list(problems(None, ensemble(), Known(clients=(32768, 60999)))) == []


def test_a_broker_that_holds_replicas_stays() -> None:
    (problem,) = problems(ensemble(), ensemble(0, 2), EMPTY)
    assert (problem.rule, problem.severity) == ("local-broker-holds-replicas", "error")
    assert (problem.where, problem.path) == ("broker 1", ("brokers",))
    assert "broker 1 holds 1 (1 of orders)" in problem.why
    assert not list(problems(ensemble(), ensemble(0, 2))), "where nobody could be asked, the apply asks"


@pytest.mark.parametrize("change", [{"name": "other", "path": "/nowhere/other"}, {"path": "/nowhere/other"}])
def test_an_ensemble_that_moves_away_from_its_data_says_what_becomes_of_it(change: dict[str, str]) -> None:
    (problem,) = problems(ensemble(), ensemble(**change), EMPTY)
    assert (problem.rule, problem.severity, problem.where) == ("local-ensemble-replaced", "warning", "ensemble demo")
    assert "stays there, unused" in problem.why
    (problem,) = problems(ensemble(keep_data=False), ensemble(**change), EMPTY)
    assert "The data is deleted with the old ensemble, because keep_data is false." in problem.why
    (problem,) = problems(ensemble(), unknown(next(iter(change))), EMPTY)
    assert problem.rule == "local-ensemble-replaced", "a name that only the apply will tell is another one"


def test_an_ensemble_is_not_renamed_on_top_of_its_own_data() -> None:
    (problem,) = problems(ensemble(), ensemble(name="other"))
    assert (problem.rule, problem.path) == ("local-ensemble-renamed", ("name",))
    assert "/nowhere/demo would still hold the data of demo when other is to start there" in problem.why
    (problem,) = problems(ensemble(keep_data=False), ensemble(name="other"))
    assert problem.rule == "local-ensemble-replaced"


def test_an_ensemble_that_is_there_is_not_created() -> None:
    there = Known(present=Present(running=["broker-0"], identifier="demo"))
    (problem,) = problems(None, ensemble(), there)
    assert (problem.rule, problem.severity) == ("local-ensemble-exists", "error")
    assert problem.message == "/nowhere/demo already holds an ensemble (running: broker-0)."
    assert "terraform import hikube_local_ensemble.this demo" in problem.remedy
    assert "hikube-kafka local stop --ensemble demo" in problem.remedy


def test_an_ensemble_that_another_state_holds_by_now_is_left_alone() -> None:
    for planned in (ensemble(), None):
        (problem,) = problems(ensemble(), planned, Known(held_elsewhere=True))
        assert problem.rule == "local-ensemble-held-elsewhere"


def test_two_ensembles_do_not_share_ports_and_it_is_said_once() -> None:
    known = Known(ports={"ensemble other": [9093, 9092]})
    for prior in (None, ensemble()):
        (problem,) = problems(prior, ensemble(), known)
        assert problem.rule == "local-ensemble-port-twice"
        assert problem.message == "ensemble other of this configuration listens on the same ports: 9092, 9093."


def test_an_ensemble_that_loses_its_data_without_a_change_of_its_own_is_spoken_of() -> None:
    (problem,) = problems(None, ensemble(keep_data=False), Known(tainted=True))
    assert (problem.rule, problem.severity) == ("local-ensemble-tainted", "warning")
    (problem,) = problems(ensemble(), ensemble(), Known(missing=True))
    assert (problem.rule, problem.severity) == ("local-ensemble-starts-empty", "warning")
