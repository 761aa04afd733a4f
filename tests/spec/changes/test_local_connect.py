"""What a plan of Connect workers on this machine refuses, and what it says."""

from typing import Any

import pytest

from hikube_kafka.spec.changes import local_ensemble
from hikube_kafka.spec.changes.local_connect import Known, problems
from hikube_kafka.spec.changes.local_ensemble import Present


def workers(**values: Any) -> dict[str, Any]:
    return {"name": "changes", "path": "/demo/changes", **values}


def test_workers_that_only_this_state_has_may_be_created_changed_and_stopped() -> None:
    for prior, planned in ((None, workers()), (workers(), workers(name="others")), (workers(), None)):
        assert list(problems(prior, planned)) == []


@pytest.mark.parametrize(
    ("known", "rule", "message"),
    [
        (
            {"present": Present(running=["worker-0"], identifier="changes")},
            "local-connect-exists",
            "/demo/changes already holds workers of a Connect cluster (running: worker-0).",
        ),
        (
            {"present": Present(running=[], identifier="changes")},
            "local-connect-exists",
            "/demo/changes already holds workers of a Connect cluster (running: none of them).",
        ),
        (
            {"shared_with": "ensemble events", "present": Present(running=[], identifier="changes")},
            "local-directory-shared",
            "/demo/changes is the directory of ensemble events as well.",
        ),
        (
            {"group": ("g", "Connect cluster others")},
            "local-connect-group-twice",
            "group.id g is that of Connect cluster others as well.",
        ),
        (
            {"ports": {"ensemble events": [28084, 28083]}},
            "local-ensemble-port-twice",
            "ensemble events of this configuration listens on the same ports: 28083, 28084.",
        ),
        (
            {"clients": (32768, 60999), "of_clients": [42181]},
            "local-ensemble-ports-of-clients",
            "it listens on ports that this machine also gives to outgoing connections (32768 to 60999): 42181.",
        ),
    ],
)
def test_what_another_has_is_told(known: dict[str, Any], rule: str, message: str) -> None:
    (problem,) = problems(None, workers(), Known(**known))
    assert (problem.rule, problem.message) == (rule, message)


def test_workers_that_another_state_holds_by_now_are_left_alone() -> None:
    for planned in (workers(), None):
        (problem,) = problems(workers(), planned, Known(held_elsewhere=True, group=("g", "another")))
        assert problem.rule == "local-connect-held-elsewhere"


def test_an_ensemble_is_not_declared_where_connect_workers_are() -> None:
    known = local_ensemble.Known(shared_with="Connect cluster changes")
    ensemble = {"name": "events", "path": "/demo", "zookeeper": [], "brokers": [], "keep_data": True}
    (problem,) = local_ensemble.problems(None, ensemble, known)
    assert (problem.rule, problem.message) == (
        "local-directory-shared",
        "/demo is the directory of Connect cluster changes as well.",
    )
