"""A healthy Connect cluster passes every check; each test then spoils one thing, and sees exactly that."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hikube_kafka.connect.seen import ConnectorSeen, PluginSeen, TaskSeen
from hikube_kafka.probe.observation import ConnectSeen, GroupSeen, Observation, Unreadable, WorkerSeen
from hikube_kafka.smoke.checks import CONNECT, ids
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.spec.contract import ConnectExpected, ConnectorExpected, Contract, PluginExpected

SINK = "com.example.SearchSink"
SOURCE = "com.example.OrdersSource"
URLS = ("http://127.0.0.1:28083", "http://127.0.0.1:28084")
GONE = Unreadable("version of worker http://127.0.0.1:28084", "connection refused")
TRACE = """org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable exception.
\tat org.apache.kafka.connect.runtime.WorkerSinkTask.deliverMessages(WorkerSinkTask.java:632)
Caused by: java.lang.IllegalStateException: first
\tat com.example.SearchSink.put(SearchSink.java:1)
Caused by: java.io.FileNotFoundException: /data/missing/out.txt
\t... 10 more
"""


@pytest.fixture
def connected(contract: Contract) -> Contract:
    """The platform, with two workers, a source, a sink and a sink that is paused."""
    sink: dict[str, Any] = {"class_name": SINK, "most_lag": 100, "dead_letters": "search.dead-letters"}
    return contract.model_copy(
        update={
            "connect": (
                ConnectExpected(
                    name="search",
                    group_id="orders-connect-search",
                    workers=2,
                    urls=URLS,
                    plugins=(PluginExpected(class_name=SINK, version="1.2.3"),),
                    connectors=(
                        ConnectorExpected(name="orders", class_name=SOURCE, tasks_max=1),
                        ConnectorExpected(name="search", tasks_max=2, dead_letters_allowed=3, **sink),
                        ConnectorExpected(name="idle", state="paused", tasks_max=1, **sink),
                    ),
                ),
            )
        }
    )


def connector(name: str, class_name: str, state: str = "RUNNING", tasks: int = 1) -> ConnectorSeen:
    return ConnectorSeen(
        name=name,
        config={"connector.class": class_name},
        kind="sink",
        state=state,
        worker="127.0.0.1:28083",
        trace=None,
        tasks=tuple(TaskSeen(id=number, state=state, worker="127.0.0.1:28083") for number in range(tasks)),
    )


@pytest.fixture
def running(healthy: Observation) -> Observation:
    there = {
        "orders": connector("orders", SOURCE),
        "search": connector("search", SINK, tasks=2),
        "idle": connector("idle", SINK, "PAUSED"),
    }
    workers = tuple(
        WorkerSeen(
            address=url,
            version="3.9.2",
            cluster_id=healthy.kafka.cluster_id,
            plugins=(PluginSeen(class_name=SINK, kind="sink", version="1.2.3"),),
            connectors=there,
        )
        for url in URLS
    )
    return replace(
        healthy,
        connect=(
            ConnectSeen(
                name="search",
                workers=workers,
                group=GroupSeen(state="Stable", members=URLS),
                lags={"search": 100, "idle": 100_000},
                dead_letters={"search.dead-letters": 3},
            ),
        ),
    )


def judge(contract: Contract, seen: Observation) -> dict[str, Finding]:
    return {check.id: check(contract, seen) for check in CONNECT}


def faults(contract: Contract, seen: Observation) -> dict[str, Status]:
    return {id_: finding.status for id_, finding in judge(contract, seen).items() if finding.is_fault}


def cluster(seen: Observation, **changes: Any) -> Observation:
    return replace(seen, connect=(replace(seen.connect[0], **changes),))


def worker(seen: Observation, number: int, **changes: Any) -> Observation:
    workers = list(seen.connect[0].workers)
    workers[number] = replace(workers[number], **changes)
    return cluster(seen, workers=tuple(workers))


def told(seen: Observation, name: str, change: Callable[[ConnectorSeen], ConnectorSeen] | None) -> Observation:
    """Change a connector as all workers tell it; without a change it is not there."""
    known = seen.connect[0].connectors[0]
    rest = {each: there for each, there in known.items() if each != name}
    there = rest if change is None else {**rest, name: change(known[name])}
    return worker(worker(seen, 0, connectors=there), 1, connectors=there)


def tasks(*states: str) -> Callable[[ConnectorSeen], ConnectorSeen]:
    def changed(known: ConnectorSeen) -> ConnectorSeen:
        trace = {"FAILED": TRACE}
        return replace(
            known,
            tasks=tuple(
                TaskSeen(id=number, state=state, worker="w:8083", trace=trace.get(state))
                for number, state in enumerate(states)
            ),
        )

    return changed


def test_a_healthy_cluster_passes_every_check(connected: Contract, running: Observation) -> None:
    assert {id_: finding.status for id_, finding in judge(connected, running).items()} == {
        check.id: Status.PASSED for check in CONNECT
    }


def test_a_pass_tells_what_was_counted(connected: Contract, running: Observation) -> None:
    found = judge(connected, running)
    assert found["connect-dead-letters"].seen == ("search.dead-letters: 3",)
    assert found["connect-sinks-lag"].seen == ("search: 100",)


def test_a_platform_without_connect_has_none_of_the_checks(contract: Contract, connected: Contract) -> None:
    own = {check.id for check in CONNECT}
    assert own.isdisjoint(ids(contract))
    assert own <= set(ids(connected))


def test_a_worker_that_does_not_answer_is_no_pass(connected: Contract, running: Observation) -> None:
    seen = cluster(running, workers=(running.connect[0].workers[0], WorkerSeen.unreadable(URLS[1], GONE)))
    assert faults(connected, seen) == {
        "connect-workers-answer": Status.UNREADABLE,
        "connect-plugins": Status.UNREADABLE,
    }


def test_nothing_read_is_no_pass(connected: Contract, running: Observation) -> None:
    assert set(faults(connected, replace(running, connect=()))) == {check.id for check in CONNECT} - {
        "connect-plugins",  # told of each worker, and the one above tells that there is none
    }


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"group": GroupSeen(state="Stable", members=URLS[:1])}, "connect-one-group", "has 1 members, not 2"),
        ({"group": GroupSeen(state="Stable", members=(*URLS, "http://x:1/"))}, "connect-one-group", "http://x:1/"),
        ({"group": GroupSeen(state="PreparingRebalance", members=URLS)}, "connect-no-rebalance", "PreparingRebalance"),
        ({"lags": {"search": 101, "idle": 0}}, "connect-sinks-lag", "search lags behind by 101 records, and 100 are"),
        ({"dead_letters": {"search.dead-letters": 4}}, "connect-dead-letters", "has 4 records, and 3 are allowed"),
    ],
)
def test_what_kafka_has_of_it(
    changes: dict[str, Any], check: str, words: str, connected: Contract, running: Observation
) -> None:
    seen = cluster(running, **changes)
    assert faults(connected, seen) == {check: Status.FAILED}
    assert words in judge(connected, seen)[check].seen[0]


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"lags": {"search": GONE}}, "connect-sinks-lag"),
        ({"lags": {}}, "connect-sinks-lag"),
        ({"dead_letters": {"search.dead-letters": GONE}}, "connect-dead-letters"),
        ({"dead_letters": {}}, "connect-dead-letters"),
    ],
)
def test_what_kafka_does_not_tell_is_no_pass(
    changes: dict[str, Any], check: str, connected: Contract, running: Observation
) -> None:
    assert faults(connected, cluster(running, **changes)) == {check: Status.UNREADABLE}


def test_a_worker_of_another_kafka_is_none_of_the_group(connected: Contract, running: Observation) -> None:
    assert faults(connected, worker(running, 1, cluster_id="another")) == {"connect-one-group": Status.FAILED}


@pytest.mark.parametrize(
    ("loaded", "words"),
    [
        ((), f"has not loaded {SINK}"),
        ((PluginSeen(class_name=SINK, kind="sink", version="1.2.2"),), "1.2.2, not 1.2.3"),
        (
            tuple(PluginSeen(class_name=SINK, kind="sink", version=each) for each in ("1.2.2", "1.2.3")),
            "1.2.2, 1.2.3, not 1.2.3",
        ),
    ],
)
def test_each_worker_has_each_plugin_in_its_version(
    loaded: tuple[PluginSeen, ...], words: str, connected: Contract, running: Observation
) -> None:
    seen = worker(running, 1, plugins=loaded)
    assert faults(connected, seen) == {"connect-plugins": Status.FAILED}
    (line,) = judge(connected, seen)["connect-plugins"].seen
    assert words in line
    assert URLS[1] in line


@pytest.mark.parametrize("version", [None, "undefined"])
def test_a_class_that_tells_no_version_is_noted(version: str | None, connected: Contract, running: Observation) -> None:
    plugins = (PluginSeen(class_name=SINK, kind="sink", version=version),)
    seen = worker(worker(running, 0, plugins=plugins), 1, plugins=plugins)
    assert faults(connected, seen) == {}
    assert judge(connected, seen)["connect-plugins"].notes == (f"{SINK} does not tell its version",)


def test_connectors_that_are_missing_or_others(connected: Contract, running: Observation) -> None:
    assert faults(connected, told(running, "orders", None)) == {"connect-connectors": Status.FAILED}
    other = told(running, "orders", lambda known: replace(known, config={"connector.class": SINK}))
    assert faults(connected, other) == {"connect-connectors": Status.FAILED}
    assert f"is a {SINK}, not a {SOURCE}" in judge(connected, other)["connect-connectors"].seen[0]
    resumed = told(running, "idle", lambda known: replace(known, state="RUNNING"))
    assert judge(connected, resumed)["connect-connectors"].seen == ("search: connector idle is RUNNING, not PAUSED",)


def test_connectors_that_nobody_declared_are_noted(connected: Contract, running: Observation) -> None:
    known = running.connect[0].connectors[0]
    seen = worker(running, 0, connectors={**known, **{f"extra-{number:02}": known["idle"] for number in range(12)}})
    assert faults(connected, seen) == {}
    (note,) = judge(connected, seen)["connect-connectors"].notes
    assert note.startswith("search: connectors that nobody declared: extra-00, ")
    assert note.endswith(" and 2 more")


def test_a_task_that_failed_shows_its_first_line_and_its_cause(connected: Contract, running: Observation) -> None:
    seen = told(running, "search", tasks("RUNNING", "FAILED"))
    assert faults(connected, seen) == {"connect-tasks": Status.FAILED}
    finding = judge(connected, seen)["connect-tasks"]
    (line,) = finding.seen
    assert line.startswith("search: task 1 on w:8083 is FAILED: org.apache.kafka.connect.errors.ConnectException: ")
    assert line.endswith("Caused by: java.io.FileNotFoundException: /data/missing/out.txt")
    assert "SearchSink.java" not in line
    assert finding.lasting


@pytest.mark.parametrize(
    ("name", "states", "words"),
    [
        ("search", (), "search: no task"),
        ("search", ("RUNNING",) * 3, "3 tasks, and 2 at most are declared"),
        ("search", ("RUNNING", "UNASSIGNED"), "is UNASSIGNED, not RUNNING"),
        ("idle", ("RUNNING",), "is RUNNING, not PAUSED"),
    ],
)
def test_tasks_are_in_the_state_of_their_connector(
    name: str, states: tuple[str, ...], words: str, connected: Contract, running: Observation
) -> None:
    seen = told(running, name, tasks(*states))
    assert faults(connected, seen) == {"connect-tasks": Status.FAILED}
    assert words in judge(connected, seen)["connect-tasks"].seen[0]


def test_a_connector_that_is_stopped_has_no_tasks(connected: Contract, running: Observation) -> None:
    assert connected.connect is not None
    (expected,) = connected.connect
    stopped = expected.connectors[2].model_copy(update={"state": "stopped"})
    contract = connected.model_copy(
        update={"connect": (expected.model_copy(update={"connectors": (*expected.connectors[:2], stopped)}),)}
    )
    seen = told(running, "idle", lambda known: replace(known, state="STOPPED", tasks=()))
    assert faults(contract, seen) == {}
    assert faults(contract, told(seen, "idle", tasks("RUNNING"))) == {"connect-tasks": Status.FAILED}


def test_one_worker_that_tells_is_enough(connected: Contract, running: Observation) -> None:
    seen = worker(running, 0, connectors=Unreadable("connectors", "rebalancing"))
    assert faults(connected, seen) == {}
    seen = worker(seen, 1, connectors=Unreadable("connectors", "rebalancing"))
    assert faults(connected, seen) == {
        "connect-connectors": Status.UNREADABLE,
        "connect-tasks": Status.UNREADABLE,
    }


def test_a_cluster_without_connectors_has_nothing_to_say_of_them(connected: Contract, running: Observation) -> None:
    assert connected.connect is not None
    bare = connected.connect[0].model_copy(update={"connectors": (), "plugins": ()})
    found = judge(connected.model_copy(update={"connect": (bare,)}), running)
    assert {id_ for id_, finding in found.items() if finding.status is Status.UNTESTED} == {
        "connect-plugins",
        "connect-connectors",
        "connect-tasks",
        "connect-sinks-lag",
        "connect-dead-letters",
    }
