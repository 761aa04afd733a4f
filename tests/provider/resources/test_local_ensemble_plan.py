"""What a plan of an ensemble says before anything runs, and what is recorded when an apply fails."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.ensemble import (
    ApplyInterruptedError,
    BrokerHoldsReplicasError,
    DirectoryBusyError,
    EnsembleError,
    EnsembleObservation,
    JarsError,
    PreflightError,
    QuorumChangeError,
    ServerObservation,
    StartFailedError,
)
from hikube_kafka.ensemble.configuration import write_declaration
from hikube_kafka.ensemble.ownership import Ownership, Standing, mark, read_ownership
from hikube_kafka.plugin.diagnostics import Refusal, collected_warnings
from hikube_kafka.plugin.resource import Plan, PlanRequest, configuration_faults
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.resources import local_ensemble
from hikube_kafka.provider.resources.local_ensemble import LocalEnsembleResource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster, Layout

COMPUTED = (
    *("directory", "path", "owner", "keep_data"),
    *("bootstrap_servers", "zookeeper_servers", "cluster_id", "processes"),
)


def zookeeper(number: int) -> dict[str, Any]:
    properties = {"clientPort": str(22180 + number), "dataDir": "data"}
    return {"id": number, "heap": "128m", "properties": properties}


def broker(number: int) -> dict[str, Any]:
    properties = {
        "listeners": f"CLIENTS://127.0.0.1:{9 + number}",
        "log.dirs": "data",
        "zookeeper.connect": "127.0.0.1:22181/kafka",
    }
    return {"id": number, "heap": "256m", "properties": properties}


def with_entries(server: dict[str, Any], **entries: str) -> dict[str, Any]:
    return {**server, "properties": {**server["properties"], **entries}}


def config(**values: Any) -> dict[str, Any]:
    return {
        "name": "demo",
        "zookeeper": [zookeeper(1)],
        "brokers": [broker(0), broker(1)],
        "kafka_home": None,
        "fast_failover": None,
        **dict.fromkeys(COMPUTED),
        **values,
    }


def state(**values: Any) -> dict[str, Any]:
    return config(
        **{
            "directory": "/nowhere/demo",
            "path": "/nowhere/demo",
            "owner": "me",
            "keep_data": True,
            "bootstrap_servers": "127.0.0.1:9,127.0.0.1:10",
            "zookeeper_servers": "127.0.0.1:22181/kafka",
            "cluster_id": "id",
            "processes": dict.fromkeys(("zookeeper-1", "broker-0", "broker-1"), "running"),
            **values,
        }
    )


def request(prior: dict[str, Any] | None, wanted: dict[str, Any]) -> PlanRequest:
    """As Terraform asks: what the configuration leaves out is carried over where it is computed."""
    carried = {name: (prior or {}).get(name) if wanted[name] is None else wanted[name] for name in COMPUTED}
    return PlanRequest(prior=prior, proposed={**wanted, **carried}, config=wanted)


@pytest.fixture
def session() -> Session:
    session = Session()
    session.configure(Settings(bootstrap_servers="127.0.0.1:9"))
    return session


@pytest.fixture
def ensembles(session: Session, monkeypatch: pytest.MonkeyPatch) -> LocalEnsembleResource:
    monkeypatch.setattr("hikube_kafka.ensemble.holds_ensemble", lambda directory: directory.name != "gone")
    return LocalEnsembleResource(session)


def test_a_plan_shows_addresses_before_anything_runs(ensembles: LocalEnsembleResource) -> None:
    planned = ensembles.plan(request(None, config(directory="/nowhere/demo"))).planned
    assert planned == state(cluster_id=UNKNOWN, owner=UNKNOWN, processes=UNKNOWN)


def test_the_default_folder_is_below_the_home(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    planned = ensembles.plan(request(None, config())).planned
    assert planned is not None
    assert planned["directory"] == str(tmp_path / "hikube-kafka" / "demo")


def test_a_dead_process_is_planned_to_run_and_nothing_else_changes(ensembles: LocalEnsembleResource) -> None:
    dead = state(processes={"zookeeper-1": "running", "broker-0": "running", "broker-1": "stopped"})
    plan = ensembles.plan(request(dead, config(directory="/nowhere/demo")))
    assert plan.planned == state()
    assert not plan.replace
    assert ensembles.plan(request(state(), config(directory="/nowhere/demo"))).planned == state()


def test_brokers_that_a_plan_starts_are_expected_where_the_topics_are(
    ensembles: LocalEnsembleResource, session: Session
) -> None:
    ensembles.plan(request(state(), config(directory="/nowhere/demo")))
    assert session.coming() == 0
    ensembles.plan(request(None, config(directory="/nowhere/demo")))
    assert session.coming() == 2
    session.changed()
    assert session.coming() == 0
    other = [{**each, "properties": {**each["properties"], "listeners": "C://10.0.0.1:9"}} for each in [broker(0)]]
    ensembles.plan(request(None, config(directory="/nowhere/demo", brokers=other)))
    assert session.coming() == 0


@pytest.mark.parametrize("change", [{"name": "other", "directory": "/nowhere/other"}, {"directory": "/nowhere/other"}])
def test_another_folder_is_another_ensemble_and_the_data_is_spoken_of(
    ensembles: LocalEnsembleResource, change: dict[str, Any]
) -> None:
    plan = ensembles.plan(request(state(), config(**{"directory": "/nowhere/demo", **change})))
    assert list(plan.replace) == [(each,) for each in change]
    (told,) = plan.diagnostics
    assert told.severity == "warning"
    assert "stays there" in told.detail
    plan = ensembles.plan(request(state(keep_data=False), config(**{"directory": "/nowhere/demo", **change})))
    assert "is deleted" in plan.diagnostics[0].detail


def test_another_name_in_the_folder_of_the_data_is_refused_unless_the_data_goes(
    ensembles: LocalEnsembleResource,
) -> None:
    wanted = config(name="other", directory="/nowhere/demo")
    (told,) = ensembles.plan(request(state(), wanted)).diagnostics
    assert told.summary.endswith("[local-ensemble-renamed]")
    plan = ensembles.plan(request(state(keep_data=False), wanted))
    assert list(plan.replace) == [("name",)]
    assert [told.severity for told in plan.diagnostics] == ["warning"]


# ---- who holds an ensemble ------------------------------------------------------------------------------------------


def marked(directory: Path, owner: str, standing: Standing = "held") -> str:
    directory.mkdir(exist_ok=True)
    mark(directory, Ownership(owner=owner, standing=standing))
    return str(directory)


def faults(plan: Plan) -> list[str]:
    return [told.summary.rpartition(" ")[2] for told in plan.diagnostics]


def test_what_another_state_holds_is_not_created_here_and_released_or_half_made_it_is(
    ensembles: LocalEnsembleResource, tmp_path: Path
) -> None:
    for standing, said in (("held", ["[local-ensemble-exists]"]), ("released", []), ("being created", [])):
        directory = marked(tmp_path, "another", standing)  # type: ignore[arg-type]  # one of its words
        assert faults(ensembles.plan(request(None, config(directory=directory)))) == said


def test_the_refusal_names_the_import_and_how_to_release_it(
    ensembles: LocalEnsembleResource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "hikube-kafka").mkdir()
    directory = marked(tmp_path / "hikube-kafka" / "demo", "another")
    (told,) = ensembles.plan(request(None, config())).diagnostics
    assert "terraform import hikube_local_ensemble.this demo\n" in told.detail
    assert "hikube-kafka local stop --ensemble demo\n" in told.detail
    (told,) = ensembles.plan(request(None, config(name="other", directory=directory))).diagnostics
    assert f"terraform import hikube_local_ensemble.this {directory}\n" in told.detail
    spaced = marked(tmp_path / "my data", "another")
    told = ensembles.plan(request(None, config(directory=spaced))).diagnostics[-1]
    assert f"hikube-kafka local stop --ensemble '{spaced}'\n" in told.detail


def test_what_this_state_holds_may_be_replaced(ensembles: LocalEnsembleResource, tmp_path: Path) -> None:
    directory = marked(tmp_path, "me")
    held = state(directory=directory, path=directory)
    assert not ensembles.plan(request(held, config(directory=directory))).diagnostics
    again = replace(request(None, config(directory=directory)), replaces=True)
    assert not ensembles.plan(again).diagnostics


@pytest.mark.parametrize(("keep", "said"), [(True, []), (False, ["[local-ensemble-tainted]"])])
def test_the_data_that_goes_with_a_tainted_ensemble_is_spoken_of(
    ensembles: LocalEnsembleResource, tmp_path: Path, *, keep: bool, said: list[str]
) -> None:
    directory = marked(tmp_path, "me")
    ensembles.read(state(directory=directory, path=directory, keep_data=keep), b"")
    assert faults(ensembles.plan(request(None, config(directory=directory, keep_data=keep)))) == said


def test_an_ensemble_of_which_nothing_is_left_would_start_empty(ensembles: LocalEnsembleResource) -> None:
    left = state(directory="/nowhere/gone", path="/nowhere/gone")
    plan = ensembles.plan(request(left, config(directory="/nowhere/gone")))
    assert faults(plan) == ["[local-ensemble-starts-empty]"]


def test_what_another_state_has_taken_up_since_is_neither_changed_nor_destroyed(
    ensembles: LocalEnsembleResource, tmp_path: Path
) -> None:
    directory = marked(tmp_path, "another")
    for owner in ("me", None):
        held = state(directory=directory, path=directory, owner=owner)
        assert faults(ensembles.plan(request(held, config(directory=directory)))) == ["[local-ensemble-held-elsewhere]"]
        gone = ensembles.plan(PlanRequest(prior=held, proposed=None, config=None))
        assert faults(gone) == ["[local-ensemble-held-elsewhere]"]
        with pytest.raises(Refusal, match="now belongs to another Terraform state"):
            ensembles.delete(held, b"")
        with pytest.raises(Refusal, match="now belongs to another Terraform state"):
            ensembles.update(held, {**held, "owner": owner or UNKNOWN}, b"")
    assert read_ownership(tmp_path) == Ownership(owner="another", standing="held")


def test_a_mark_that_cannot_be_read_is_not_taken_for_none(ensembles: LocalEnsembleResource, tmp_path: Path) -> None:
    (tmp_path / "owner.json").write_text("{")
    held = state(directory=str(tmp_path), path=str(tmp_path))
    for prior in (None, held):
        with pytest.raises(Refusal, match="Ensemble demo cannot be read"):
            ensembles.plan(request(prior, config(directory=str(tmp_path))))
    with pytest.raises(Refusal, match="could not stop"):
        ensembles.delete(held, b"")


def test_a_state_from_before_there_were_owners_has_an_empty_plan_and_gets_one_with_its_first_change(
    ensembles: LocalEnsembleResource, tmp_path: Path
) -> None:
    before = state(directory=str(tmp_path), path=None, owner=None)
    unchanged = config(directory=str(tmp_path))
    assert ensembles.plan(request(before, unchanged)).planned == before
    read = {**before, "path": str(tmp_path)}
    assert ensembles.plan(request(read, unchanged)).planned == read
    changed = ensembles.plan(request(read, config(directory=str(tmp_path), keep_data=False))).planned
    assert changed is not None
    assert changed["owner"] is UNKNOWN


def test_a_relative_folder_is_the_same_place_on_every_run(
    ensembles: LocalEnsembleResource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    wanted = config(directory="data")
    planned = ensembles.plan(request(None, wanted)).planned
    assert planned is not None
    assert (planned["directory"], planned["path"]) == ("data", str(tmp_path / "data"))
    made = state(directory="data", path=planned["path"])
    monkeypatch.chdir(tmp_path / "elsewhere")
    plan = ensembles.plan(request(made, wanted))
    assert (plan.planned, list(plan.replace), plan.diagnostics) == (made, [], [])


def test_the_default_folder_of_another_home_moves_no_ensemble(
    ensembles: LocalEnsembleResource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = state(directory="/nowhere/hikube-kafka/demo", path="/nowhere/hikube-kafka/demo")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    plan = ensembles.plan(request(made, config()))
    assert (plan.planned, list(plan.replace), plan.diagnostics) == (made, [], [])
    left = state(directory="/nowhere/declared", path="/nowhere/declared")
    assert list(ensembles.plan(request(left, config())).replace) == [("directory",)]


def test_the_same_folder_spelled_otherwise_is_the_same_ensemble(
    ensembles: LocalEnsembleResource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = state(directory=str(tmp_path / "data"), path=str(tmp_path / "data"))
    plan = ensembles.plan(request(made, config(directory="data")))
    assert (plan.planned, list(plan.replace)) == (made, [])


@pytest.mark.parametrize("fast_failover", [None, False])
def test_an_ensemble_is_imported_by_its_directory_and_keeps_its_data(
    *, fast_failover: bool | None, ensembles: LocalEnsembleResource, tmp_path: Path
) -> None:
    made = state(directory=str(tmp_path), path=str(tmp_path), fast_failover=fast_failover)
    write_declaration(tmp_path, local_ensemble._declaration(made))
    mark(tmp_path, Ownership(owner="me", standing="held"))
    found = ensembles.read(dict.fromkeys(COMPUTED) | ensembles.import_state(str(tmp_path)), b"")
    assert found == {**made, "cluster_id": None, "processes": dict.fromkeys(made["processes"], "stopped")}
    plan = ensembles.plan(request(found, config(directory=str(tmp_path), fast_failover=fast_failover)))
    assert not plan.diagnostics
    assert not plan.replace


def test_what_is_not_there_is_not_imported(ensembles: LocalEnsembleResource, tmp_path: Path) -> None:
    for identifier in ("nowhere", str(tmp_path)):
        with pytest.raises(Refusal, match="There is no ensemble"):
            ensembles.import_state(identifier)


def test_two_ensembles_of_one_configuration_on_the_same_ports_are_refused(ensembles: LocalEnsembleResource) -> None:
    other = config(name="other", directory="/nowhere/other")
    assert not ensembles.plan(request(state(), config(directory="/nowhere/demo"))).diagnostics
    (told,) = ensembles.plan(request(None, other)).diagnostics
    assert told.summary.startswith(
        "Ensemble other: ensemble demo of this configuration listens on the same ports: 9, 10"
    )


def test_the_set_of_zookeeper_servers_does_not_change(ensembles: LocalEnsembleResource) -> None:
    three = config(directory="/nowhere/demo", zookeeper=[zookeeper(1), zookeeper(2), zookeeper(3)])
    (told,) = ensembles.plan(request(state(), three)).diagnostics
    assert told.severity == "error"
    assert "cannot change from 1 to 1, 2, 3" in told.summary


def test_removing_a_broker_of_a_cluster_that_does_not_answer_is_left_to_the_apply(
    ensembles: LocalEnsembleResource,
) -> None:
    assert not ensembles.plan(request(state(), config(directory="/nowhere/demo", brokers=[broker(0)]))).diagnostics


def test_a_broker_that_holds_replicas_stays_and_one_that_holds_none_may_go(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = {f"topic-{number}": {0: (0, 1)} for number in range(7)} | {"apart": {0: (0,)}}
    answer = Layout(brokers=frozenset({0, 1, 2}), replicas=topics, in_sync=topics)
    monkeypatch.setattr(KafkaCluster, "layout", lambda _: answer)
    three = state(brokers=[broker(0), broker(1), broker(2)])

    def told(*left: int) -> Any:
        wanted = config(directory="/nowhere/demo", brokers=[broker(number) for number in left])
        return ensembles.plan(request(three, wanted)).diagnostics

    assert not told(0, 1)
    (fault,) = told(0, 2)
    assert fault.summary == "Broker 1: it cannot be removed: it holds replicas [local-broker-holds-replicas]"
    assert (
        "broker 1 holds 7 (1 of topic-0, 1 of topic-1, 1 of topic-2, 1 of topic-3, 1 of topic-4 and 2 more)"
        in fault.detail
    )


def test_a_plan_that_removes_no_broker_asks_no_cluster(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KafkaCluster, "layout", lambda _: pytest.fail("the cluster was asked"))
    assert not ensembles.plan(request(state(), config(directory="/nowhere/demo"))).diagnostics


def test_ports_of_clients_are_warned_of_while_they_are_new(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hikube_kafka.ensemble.ports.given_to_clients", lambda: (10, 22181))
    monkeypatch.setattr("hikube_kafka.ensemble.ports.kept_from_clients", lambda: frozenset({10}))
    kept = config(directory="/nowhere/demo")
    assert [*ensembles.plan(request(state(), kept)).diagnostics] == []
    (warning,) = ensembles.plan(request(state(), {**kept, "brokers": [broker(0), broker(1), broker(2)]})).diagnostics
    assert warning.severity == "warning"
    assert "ports that this machine also gives to outgoing connections (10 to 22181): 11 [" in warning.summary


def test_unknown_values_leave_the_plan_open(ensembles: LocalEnsembleResource) -> None:
    wanted = config(directory="/nowhere/demo", brokers=UNKNOWN)
    planned = ensembles.plan(request(state(), wanted)).planned
    assert planned is not None
    assert planned["processes"] is UNKNOWN
    assert planned["bootstrap_servers"] is UNKNOWN
    assert list(configuration_faults(ensembles, wanted)) == []
    assert list(configuration_faults(ensembles, config(name=UNKNOWN, zookeeper=[UNKNOWN]))) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "a/b"}, "cannot be the name of an ensemble"),
        ({"kafka_home": "~nobody.here/kafka"}, "is below the home of a user whom this machine does not have"),
        ({"brokers": []}, "brokers is empty"),
        ({"zookeeper": []}, "zookeeper is empty"),
        ({"brokers": [broker(0), broker(0)]}, "id 0 twice"),
        ({"zookeeper": [zookeeper(0)]}, "id must be a whole number of at least 1"),
        ({"brokers": [{**broker(0), "id": 1.5}]}, "id must be a whole number of at least 0"),
        ({"brokers": [{**broker(0), "heap": "512 MB"}]}, "is not a size"),
        ({"brokers": [{**broker(0), "properties": {"log.dirs": "data"}}]}, "listeners is missing"),
        ({"zookeeper": [{**zookeeper(1), "properties": {"dataDir": "data"}}]}, "clientPort is missing"),
        ({"zookeeper": [with_entries(zookeeper(1), clientPort="99999")]}, "clientPort = '99999' is not a port"),
        (
            {"zookeeper": [with_entries(zookeeper(1), **{"server.1": "127.0.0.1:22888:99999"})]},
            "server.1 = '127.0.0.1:22888:99999' has a port that is none",
        ),
        ({"brokers": [with_entries(broker(0), listeners="CLIENTS://[::1]:0")]}, "which is no listener"),
        ({"brokers": [with_entries(broker(0), listeners="CLIENTS://::1:9")]}, "which is no listener"),
        ({"brokers": [with_entries(broker(1), **{"broker.id": "0"})]}, "broker.id = '0' is another id"),
        ({"brokers": [with_entries(broker(0), **{"num.partitions": "3000000000"})]}, "broker-config-range"),
        ({"brokers": [{**broker(0), "id": 2**31}]}, "id must be a whole number of at most 2147483647"),
        ({"brokers": [{**broker(0), "id": None, "heap": None}]}, "heap is required"),
    ],
)
def test_a_server_that_could_not_be_started_is_refused(
    ensembles: LocalEnsembleResource, values: dict[str, Any], said: str
) -> None:
    assert any(said in fault.summary for fault in configuration_faults(ensembles, config(**values)))


def test_a_sound_ensemble_is_taken(ensembles: LocalEnsembleResource) -> None:
    assert list(configuration_faults(ensembles, config())) == []


# ---- what becomes of a failure ---------------------------------------------------------------------------------------

HERE = Path("/nowhere/demo")
UNCHANGED = (
    PreflightError("demo", ["no Java"]),
    QuorumChangeError(HERE, [1], [1, 2, 3]),
    BrokerHoldsReplicasError(1, ["orders-0"]),
    DirectoryBusyError(HERE, "17", 10),
    JarsError("Maven ended with code 1"),
)
"""After these everything is as it was before."""


def failing(monkeypatch: pytest.MonkeyPatch, problem: Exception, **processes: str) -> None:
    """Let whatever the ensemble is asked for fail, and leave these processes."""

    def fail(*_: object, **__: object) -> None:
        raise problem

    for action in ("apply", "destroy"):
        monkeypatch.setattr(f"hikube_kafka.ensemble.{action}", fail)
    seen = [
        ServerObservation(
            name=name.replace("_", "-"),
            kind="broker",
            id=0,
            state=process,  # type: ignore[arg-type]  # one of its words
            detail="",
            pid=None,
            memory_bytes=None,
            uptime_seconds=None,
            log=HERE,
        )
        for name, process in processes.items()
    ]
    monkeypatch.setattr(
        "hikube_kafka.ensemble.observe",
        lambda _: EnsembleObservation(name="demo", directory=HERE, cluster_id="id", servers=tuple(seen)),
    )


def refusal_of(action: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        action(*arguments, b"")
    return refusal.value


def test_a_start_that_leaves_nothing_running_records_nothing(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, StartFailedError("broker-0", "ended", HERE, ["why"]), broker_0="stopped")
    refusal = refusal_of(ensembles.create, state())
    assert refusal.diagnostics[0].summary == "Ensemble demo: could not start all servers"
    assert "why" in refusal.diagnostics[0].detail
    assert refusal.state is None


def test_a_start_that_is_interrupted_records_what_runs_without_an_error_that_would_taint_it(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, ApplyInterruptedError(["broker-0"]), broker_0="running", broker_1="stopped")
    with collected_warnings() as warnings:
        made = ensembles.create(state(owner=UNKNOWN), b"")
    assert made["processes"] == {"broker-0": "running", "broker-1": "stopped"}
    assert len(made["owner"]) == 32
    assert [told.summary for told in warnings] == ["Ensemble demo: could not start all servers"]
    assert "the next apply continues" in warnings[0].detail


def test_a_start_that_is_interrupted_before_the_first_server_has_made_nothing(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, ApplyInterruptedError([]), broker_0="stopped")
    assert refusal_of(ensembles.create, state(owner=UNKNOWN)).state is None


@pytest.mark.parametrize("problem", UNCHANGED, ids=[type(each).__name__ for each in UNCHANGED])
def test_a_change_that_was_refused_leaves_the_state_as_it_was(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch, problem: EnsembleError
) -> None:
    failing(monkeypatch, problem, broker_0="running")
    refusal = refusal_of(ensembles.update, state(), state())
    assert refusal.diagnostics[0].summary == "Ensemble demo: could not change all servers"
    assert refusal.diagnostics[0].detail == str(problem)
    assert refusal.state is None


def test_a_change_that_failed_on_its_way_records_what_runs(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, StartFailedError("broker-0", "ended", HERE, ["why"]), broker_0="stopped")
    refusal = refusal_of(ensembles.update, state(), state())
    assert refusal.state is not None
    assert refusal.state["processes"] == {"broker-0": "stopped"}


@pytest.mark.parametrize(("place", "told"), [("/nowhere/demo", 1), ("/nowhere/gone", 0)])
def test_a_destroy_speaks_of_the_data_that_stays_if_there_is_any(
    ensembles: LocalEnsembleResource, place: str, told: int
) -> None:
    with collected_warnings() as warnings:
        ensembles.delete(state(directory=place, path=place), b"")
    assert len(warnings) == told


def test_a_disk_that_is_full_is_no_mistake_of_the_provider(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, OSError(28, "No space left on device", "/nowhere/demo/owner.json"), broker_0="running")
    for action, arguments in ((ensembles.create, (state(),)), (ensembles.update, (state(),) * 2)):
        refusal = refusal_of(action, *arguments)
        assert "No space left on device: '/nowhere/demo/owner.json'" in refusal.diagnostics[0].detail
        assert (refusal.state is None) is (action == ensembles.create)
    assert "No space left on device" in refusal_of(ensembles.delete, state()).diagnostics[0].detail


def test_a_destroy_that_failed_is_an_error(ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, DirectoryBusyError(HERE, "17", 10))
    refusal = refusal_of(ensembles.delete, state())
    assert refusal.diagnostics[0].summary == "Ensemble demo: could not stop all servers"
    assert "pid 17" in refusal.diagnostics[0].detail


@pytest.mark.parametrize("problem", [EnsembleError("no declaration can be read."), PermissionError("not yours.")])
def test_an_ensemble_that_cannot_be_looked_at_is_not_gone(
    ensembles: LocalEnsembleResource, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def fail(_: object) -> None:
        raise problem

    monkeypatch.setattr("hikube_kafka.ensemble.observe", fail)
    refusal = refusal_of(ensembles.read, state())
    assert refusal.diagnostics[0].summary == "Ensemble demo cannot be read"
    assert str(problem) in refusal.diagnostics[0].detail
    assert "/nowhere/demo" in refusal.diagnostics[0].detail
