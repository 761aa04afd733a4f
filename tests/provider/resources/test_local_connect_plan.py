"""What a plan of Connect workers says before anything runs, and what is recorded when an apply fails."""

from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.ensemble import ApplyInterruptedError, EnsembleError, PluginError, ServerObservation, StartFailedError
from hikube_kafka.ensemble.configuration import write_connect, write_declaration
from hikube_kafka.ensemble.ownership import Ownership, Standing, mark
from hikube_kafka.ensemble.workers import ConnectObservation
from hikube_kafka.plugin.diagnostics import Refusal, collected_warnings
from hikube_kafka.plugin.resource import PlanRequest, configuration_faults
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.resources.local_connect import LocalConnectResource
from hikube_kafka.provider.resources.local_ensemble import LocalEnsembleResource
from hikube_kafka.provider.session import Session
from hikube_kafka.spec.ensemble import ConnectDeclaration, EnsembleDeclaration, ServerProcess

COMPUTED = ("directory", "path", "owner", "urls", "processes")
DIGEST = f"sha256:{'ab' * 32}"


def worker(number: int, **entries: str) -> dict[str, Any]:
    topics = {f"{kind}.storage.topic": kind for kind in ("config", "offset", "status")}
    properties = {
        "bootstrap.servers": "127.0.0.1:9",
        "group.id": "changes",
        "listeners": f"http://127.0.0.1:{28083 + number}",
        "key.converter": "k",
        "value.converter": "v",
        **topics,
        **entries,
    }
    return {"id": number, "heap": "256m", "properties": properties}


def plugin(name: str = "file", **source: Any) -> dict[str, Any]:
    return {"name": name, **dict.fromkeys(("maven", "archive", "checksum")), **source}


def config(**values: Any) -> dict[str, Any]:
    return {
        "name": "changes",
        "workers": [worker(0), worker(1)],
        "plugins": None,
        "kafka_home": None,
        **dict.fromkeys(COMPUTED),
        **values,
    }


def state(**values: Any) -> dict[str, Any]:
    return config(
        **{
            "directory": "/nowhere/changes",
            "path": "/nowhere/changes",
            "owner": "me",
            "urls": "http://127.0.0.1:28083,http://127.0.0.1:28084",
            "processes": dict.fromkeys(("worker-0", "worker-1"), "running"),
            **values,
        }
    )


def request(prior: dict[str, Any] | None, declared: dict[str, Any] | None) -> PlanRequest:
    if declared is None:
        return PlanRequest(prior, None, None)
    kept = {name: (prior or {}).get(name) if declared[name] is None else declared[name] for name in COMPUTED}
    return PlanRequest(prior, {**declared, **kept}, declared)


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def workers(session: Session) -> LocalConnectResource:
    return LocalConnectResource(session)


def marked(directory: Path, owner: str, standing: Standing = "held") -> str:
    directory.mkdir(parents=True, exist_ok=True)
    mark(directory, Ownership(owner=owner, standing=standing))
    return str(directory)


# ---- what is declared ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "summary"),
    [
        ({"name": "a/b"}, "'a/b' cannot be the name of a Connect cluster"),
        ({"directory": "~nobody.here/changes"}, "directory = '~nobody.here/changes' is below the home of a user whom"),
        ({"workers": []}, "workers is empty"),
        ({"workers": [worker(0), worker(0)]}, "workers has id 0 twice"),
        ({"workers": [{**worker(0), "heap": "much"}]}, "heap 'much' is not a size"),
        ({"workers": [worker(0), worker(1, **{"group.id": "b"})]}, "workers has different groups: b, changes"),
        ({"workers": [worker(0, listeners="https://127.0.0.1:1")]}, "has no http://host:port"),
        ({"workers": [worker(0, listeners="http://:28083")]}, "has no http://host:port"),
        ({"workers": [worker(0, listeners="http://127.0.0.1:0")]}, "has no http://host:port"),
        ({"plugins": [plugin("..", maven="a:b:1")]}, "'..' cannot be the name of a plugin"),
        ({"plugins": [plugin(maven="a:b:1"), plugin(maven="a:c:1")]}, "plugins has file twice"),
        ({"plugins": [plugin()]}, "plugin file needs either maven or archive"),
        ({"plugins": [plugin(maven="a:b:1", archive="a.zip", checksum=DIGEST)]}, "needs either maven or archive"),
        ({"plugins": [plugin(maven="a:b")]}, "maven = 'a:b' is not group:artifact:version"),
        ({"plugins": [plugin(archive="a.zip")]}, "plugin file has an archive without a checksum"),
        (
            {"plugins": [plugin(archive="http://me:x@[::1/a.zip", checksum=DIGEST)]},
            "archive = 'http://[::1/a.zip' is nei",
        ),
        ({"plugins": [plugin(archive="a.zip", checksum="sha256:ab")]}, "is neither sha256: with 64 nor sha512:"),
        ({"plugins": [plugin(archive="a.zip", checksum=f"md5:{'ab' * 32}")]}, "is neither sha256: with 64 nor sha512:"),
    ],
)
def test_what_cannot_start_is_refused_before_anything_runs(
    workers: LocalConnectResource, declared: dict[str, Any], summary: str
) -> None:
    (fault,) = configuration_faults(workers, config(**declared))
    assert summary in fault.summary


def test_each_entry_that_a_worker_cannot_do_without_is_asked_for(workers: LocalConnectResource) -> None:
    bare = {"id": 0, "heap": "256m", "properties": {}}
    faults = [fault.summary for fault in configuration_faults(workers, config(workers=[bare]))]
    assert "worker 0: bootstrap.servers is missing" in faults
    assert len(faults) == 8


@pytest.mark.parametrize(
    "plugins",
    [
        None,
        [],
        UNKNOWN,
        [plugin(maven="org.apache.kafka:connect-file:3.9.2")],
        [plugin(maven="io.debezium:debezium-connector-postgres:3.1.3.Final:tar.gz:plugin", checksum=DIGEST)],
        [plugin(archive="~/plugin.tar.gz", checksum=f"sha512:{'AB' * 64}")],
        [plugin(archive=UNKNOWN, checksum=UNKNOWN)],
    ],
)
def test_what_can_start_is_taken(workers: LocalConnectResource, plugins: Any) -> None:
    assert [*configuration_faults(workers, config(plugins=plugins))] == []


# ---- what is planned -------------------------------------------------------------------------------------------------


def test_a_creation_knows_where_the_workers_will_be_met(workers: LocalConnectResource, tmp_path: Path) -> None:
    plan = workers.plan(request(None, config(directory=str(tmp_path / "changes"))))
    assert not plan.diagnostics
    assert plan.planned is not None
    assert plan.planned["urls"] == "http://127.0.0.1:28083,http://127.0.0.1:28084"
    assert plan.planned["owner"] is UNKNOWN


def test_nothing_to_do_is_an_empty_plan_and_a_dead_worker_is_healed_in_place(workers: LocalConnectResource) -> None:
    declared = config(directory="/nowhere/changes")
    assert workers.plan(request(state(), declared)).planned == state()
    dead = state(processes={"worker-0": "stopped", "worker-1": "running"})
    plan = workers.plan(request(dead, declared))
    assert plan.replace == []
    assert plan.planned == state()


def test_another_plugin_or_entry_changes_them_in_place_and_another_folder_replaces_them(
    workers: LocalConnectResource,
) -> None:
    declared = config(directory="/nowhere/changes", plugins=[plugin(maven="a:b:1")])
    assert workers.plan(request(state(), declared)).replace == []
    elsewhere = config(directory="/nowhere/else")
    assert workers.plan(request(state(), elsewhere)).replace == [("directory",)]


def rules_of(plan: Any) -> list[str]:
    return [fault.summary.rpartition("[")[2].rstrip("]") for fault in plan.diagnostics]


def test_workers_that_are_there_are_not_taken_over(workers: LocalConnectResource, tmp_path: Path) -> None:
    directory = marked(tmp_path / "changes", "another")
    (told,) = workers.plan(request(None, config(directory=directory))).diagnostics
    assert "[local-connect-exists]" in told.summary
    assert f"terraform import hikube_local_connect.this {directory}\n" in told.detail
    marked(tmp_path / "changes", "another", "released")
    assert not workers.plan(request(None, config(directory=directory))).diagnostics


def test_what_another_state_holds_by_now_is_neither_changed_nor_stopped(
    workers: LocalConnectResource, tmp_path: Path
) -> None:
    directory = marked(tmp_path / "changes", "another")
    mine = state(directory=directory, path=directory)
    for declared in (config(directory=directory), None):
        assert rules_of(workers.plan(request(mine, declared))) == ["local-connect-held-elsewhere"]


def test_a_directory_of_an_ensemble_is_refused(workers: LocalConnectResource, tmp_path: Path) -> None:
    broker = ServerProcess(kind="broker", id=0, properties={}, heap="1m")
    there = EnsembleDeclaration(name="events", directory=str(tmp_path), zookeeper=(), brokers=(broker,))
    write_declaration(tmp_path, there)
    assert rules_of(workers.plan(request(None, config(directory=str(tmp_path))))) == ["local-directory-shared"]


def test_an_ensemble_and_workers_of_one_configuration_are_told_before_either_is_there(
    session: Session, workers: LocalConnectResource, tmp_path: Path
) -> None:
    shared = str(tmp_path / "shared")
    assert not workers.plan(request(None, config(directory=shared))).diagnostics
    declared = {
        "name": "events",
        "directory": shared,
        "zookeeper": [{"id": 1, "heap": "1m", "properties": {"clientPort": "22181", "dataDir": "data"}}],
        "brokers": [
            {
                "id": 0,
                "heap": "1m",
                "properties": {
                    "listeners": "A://127.0.0.1:9",
                    "log.dirs": "data",
                    "zookeeper.connect": "127.0.0.1:22181",
                },
            }
        ],
        **dict.fromkeys(("kafka_home", "fast_failover", "keep_data", "path", "owner")),
        **dict.fromkeys(("bootstrap_servers", "zookeeper_servers", "cluster_id", "processes")),
    }
    plan = LocalEnsembleResource(session).plan(PlanRequest(None, declared, declared))
    assert rules_of(plan) == ["local-directory-shared"]


def test_two_resources_of_one_configuration_share_neither_ports_nor_a_group(
    workers: LocalConnectResource, tmp_path: Path
) -> None:
    first = config(directory=str(tmp_path / "first"))
    assert not workers.plan(request(None, first)).diagnostics
    same_ports = [worker(0, **{"group.id": "other"})]
    second = config(name="second", directory=str(tmp_path / "second"), workers=same_ports)
    assert rules_of(workers.plan(request(None, second))) == ["local-ensemble-port-twice"]
    same_group = [worker(7)]
    third = config(name="third", directory=str(tmp_path / "third"), workers=same_group)
    assert rules_of(workers.plan(request(None, third))) == ["local-connect-group-twice"]
    assert not workers.plan(request(None, first)).diagnostics, "planned again, it has what it had"


def test_workers_are_imported_as_they_were_declared_last(workers: LocalConnectResource, tmp_path: Path) -> None:
    process = ServerProcess(kind="worker", id=0, properties=worker(0)["properties"], heap="256m")
    write_connect(tmp_path, ConnectDeclaration(name="changes", directory=str(tmp_path), workers=(process,)))
    marked(tmp_path, "another")
    found = workers.import_state(str(tmp_path))
    assert (found["name"], found["owner"], found["workers"]) == ("changes", "another", [worker(0)])
    with pytest.raises(Refusal, match="There is no Connect cluster"):
        workers.import_state(str(tmp_path / "nothing"))
    with pytest.raises(Refusal, match=r"Connect cluster ~nobody\.here/changes cannot be read"):
        workers.import_state("~nobody.here/changes")


# ---- what is recorded ------------------------------------------------------------------------------------------------


def observed(directory: str) -> ConnectObservation:
    seen = ServerObservation(
        name="worker-0",
        kind="worker",
        id=0,
        state="stopped",
        detail="",
        pid=None,
        memory_bytes=None,
        uptime_seconds=None,
        log=Path(directory),
    )
    return ConnectObservation(name="changes", directory=Path(directory), group="changes", servers=(seen,))


FAILED = StartFailedError("worker-0", "ended", Path("server.log"), ["ERROR what it said"])


@pytest.mark.parametrize(
    ("problem", "recorded"),
    [
        (FAILED, {"worker-0": "stopped"}),
        (ApplyInterruptedError(["worker-1"]), {"worker-0": "stopped"}),
        (PluginError("file", "no."), None),
    ],
)
def test_a_change_that_fails_is_recorded_as_far_as_it_came(
    workers: LocalConnectResource, monkeypatch: pytest.MonkeyPatch, problem: EnsembleError, recorded: Any
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr("hikube_kafka.ensemble.workers.apply", fail)
    monkeypatch.setattr("hikube_kafka.ensemble.workers.observe", lambda each: observed(each.directory))
    with pytest.raises(Refusal) as refusal:
        workers.update(state(), state(), b"")
    assert str(problem) in refusal.value.diagnostics[0].detail
    assert (refusal.value.state or {"processes": None})["processes"] == recorded


def test_a_creation_that_fails_leaves_no_state_and_one_that_is_interrupted_keeps_what_runs(
    workers: LocalConnectResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems: list[EnsembleError] = [FAILED, ApplyInterruptedError([]), ApplyInterruptedError(["worker-0"])]

    def fail(*_: Any, **__: Any) -> None:
        raise problems.pop(0)

    monkeypatch.setattr("hikube_kafka.ensemble.workers.apply", fail)
    monkeypatch.setattr("hikube_kafka.ensemble.workers.observe", lambda each: observed(each.directory))
    planned = state(owner=UNKNOWN)
    for _ in range(2):
        with pytest.raises(Refusal) as refusal:
            workers.create(planned, b"")
        assert refusal.value.state is None
    with collected_warnings() as warnings:
        assert workers.create(planned, b"")["processes"] == {"worker-0": "stopped"}
    assert "could not start all workers" in warnings[0].summary
