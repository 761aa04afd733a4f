"""Connectors through the real Terraform, on a real worker."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.errors import NotThere
from tests.support.connect import FILE_SINK, FILE_SOURCE, LivingWorker
from tests.support.terraform import Workspace
from tests.support.waiting import until

pytestmark = [pytest.mark.terraform, pytest.mark.ensemble, pytest.mark.timeout(300)]

ADDRESS = "hikube_kafka_connector.this"
LINES = "".join(f"line {number}\n" for number in range(5))


@pytest.fixture
def connect(connect_worker: LivingWorker) -> Iterator[ConnectClient]:
    with connect_worker.client() as client:
        yield client


@pytest.fixture
def name(connect: ConnectClient, connect_worker: LivingWorker) -> Iterator[str]:
    """A name of a connector and of a topic, which is there; connectors whose name begins with it are removed."""
    name = f"lines-{uuid4().hex[:8]}"
    # Without it a source waits for ever, and does not even pause: brokers here create no topic by themselves.
    kafka = AdminClient({"bootstrap.servers": connect_worker.bootstrap})
    kafka.create_topics([NewTopic(name, 1, 1)])[name].result()
    yield name
    for left in connect.names():
        if left.startswith(name):
            with suppress(NotThere):
                connect.delete(left)
    kafka.delete_topics([name])[name].result()


@pytest.fixture
def source(tmp_path: Path, name: str) -> dict[str, Any]:
    """A source that reads a file of five lines."""
    file = tmp_path / "in.txt"
    file.write_text(LINES)
    return {"class": FILE_SOURCE, "config": {"file": str(file), "topic": name, "batch.size": "10"}}


Declare = Callable[..., None]


@pytest.fixture
def declare(workspace: Workspace, connect_worker: LivingWorker, name: str) -> Declare:
    """Write a configuration with one connector, or with none."""

    def write(attributes: dict[str, Any] | None, **more: Any) -> None:
        provider = {"hikube": {"connect_url": connect_worker.url}}
        if attributes is None:
            workspace.write(provider=provider)
        else:
            resource = {"hikube_kafka_connector": {"this": {"name": name, **attributes, **more}}}
            workspace.write(provider=provider, resource=resource)

    return write


def position(connect: ConnectClient, name: str) -> int | None:
    offsets = connect.offsets(name)
    return int(offsets[0]["offset"]["position"]) if offsets else None


def test_a_source_lives_is_paused_stopped_and_goes_on(
    workspace: Workspace, declare: Declare, connect: ConnectClient, name: str, source: dict[str, Any]
) -> None:
    declare(source)
    workspace.apply()
    state = workspace.state(ADDRESS)
    assert (state["type"], state["tasks"], state["state"], state["tasks_max"]) == ("source", 1, "running", 1)
    assert workspace.plan() == "empty"

    source["config"]["batch.size"] = "20"
    declare(source)
    assert "1 to change" in workspace.apply()
    assert connect.connector(name).config["batch.size"] == "20"

    for wanted, tasks in (("paused", 0), ("stopped", 0), ("running", 1)):
        declare(source, state=wanted)
        workspace.apply()
        assert connect.connector(name).state == wanted.upper()
        assert workspace.state(ADDRESS)["tasks"] == tasks

    # By hand: an entry, and the state.
    connect.put_config(name, {**connect.connector(name).config, "batch.size": "30", "errors.log.enable": "true"})
    connect.pause(name)
    until(lambda: connect.connector(name).state == "PAUSED", "it is paused by hand")
    shown = workspace.plan()
    assert '"paused" -> "running"' in shown
    assert '"30" -> "20"' in shown
    assert "errors.log.enable" not in shown  # what is not declared is no difference
    workspace.apply()
    live = connect.connector(name)
    assert (live.state, live.config["batch.size"]) == ("RUNNING", "20")

    declare(None)
    workspace.apply()
    with pytest.raises(NotThere):
        connect.connector(name)


def test_offsets_are_kept_reset_and_set_as_declared(
    workspace: Workspace, declare: Declare, connect: ConnectClient, name: str, source: dict[str, Any]
) -> None:
    declare(source)
    workspace.apply()
    until(lambda: position(connect, name) == len(LINES), "all lines are read")
    declare(None)
    workspace.apply()

    # What an earlier one of the name has left is kept...
    declare(source, state="stopped")
    workspace.apply()
    assert position(connect, name) == len(LINES)

    # ... or reset once, and not again by the next change.
    declare(source, state="stopped", offsets={"on_change": "reset"})
    workspace.apply()
    assert position(connect, name) is None
    assert workspace.plan() == "empty"
    declare(source, offsets={"on_change": "reset"})
    workspace.apply()
    until(lambda: position(connect, name) == len(LINES), "all lines are read again")
    source["config"]["batch.size"] = "7"
    declare(source, offsets={"on_change": "reset"})
    workspace.apply()
    assert position(connect, name) == len(LINES)

    # Or set, while it runs, and it goes on from there.
    partition = connect.offsets(name)[0]["partition"]
    to = [{"partition": partition, "offset": {"position": 7}}]
    offsets = {"on_change": "set", "to": json.dumps(to), "on_destroy": "reset"}
    declare(source, state="stopped", offsets=offsets)
    workspace.apply()
    assert position(connect, name) == 7
    declare(source, state="stopped", offsets={**offsets, "to": json.dumps({"offsets": to}, indent=1)})
    assert workspace.plan() == "empty"

    # A destroy resets them where that is declared.
    declare(None)
    workspace.apply()
    connect.create(name, {"name": name, "connector.class": FILE_SOURCE, **source["config"]}, "stopped")
    assert position(connect, name) is None


def test_offsets_of_a_running_sink_are_set_reset_by_its_destroy_and_by_its_replacement(  # noqa: PLR0917 - fixtures
    workspace: Workspace,
    declare: Declare,
    connect: ConnectClient,
    name: str,
    source: dict[str, Any],
    tmp_path: Path,
) -> None:
    connect.create(f"{name}-source", {"connector.class": FILE_SOURCE, **source["config"]})
    out = tmp_path / "out.txt"
    sink = {"class": FILE_SINK, "config": {"topics": name, "file": str(out)}, "offsets": {"on_destroy": "reset"}}
    declare(sink)
    workspace.apply()
    assert workspace.state(ADDRESS)["type"] == "sink"
    until(lambda: out.read_text() == LINES, "all lines are delivered")
    until(lambda: connect.offsets(name), "they are committed")

    # A replacement is a destroy: all is read again.
    workspace.expect("taint", ADDRESS)
    said = workspace.apply()
    assert "it is deleted and created again, and its offsets are reset [connector-replaced]" in said
    assert "1 added, 0 changed, 1 destroyed" in said
    until(lambda: out.read_text() == 2 * LINES, "all lines are delivered again")

    # Set while it runs, in the numbers of a consumer group; Connect takes them as text too.
    partition = {"kafka_topic": name, "kafka_partition": "0"}
    to = json.dumps([{"partition": partition, "offset": {"kafka_offset": "3"}}])
    offsets = {"on_change": "set", "to": to, "on_destroy": "reset"}
    declare(sink, offsets=offsets)
    assert "1 to change" in workspace.apply()
    after = 2 * LINES + "line 3\nline 4\n"
    until(lambda: out.read_text() == after, "the last two lines are delivered once more")
    assert workspace.plan() == "empty"

    # One that is stopped shows what was set; null takes away what is kept of a partition.
    to = json.dumps([{"partition": partition, "offset": {"kafka_offset": 4}}])
    declare(sink, state="stopped", offsets={**offsets, "to": to})
    workspace.apply()
    assert [each["offset"] for each in connect.offsets(name)] == [{"kafka_offset": 4}]
    declare(sink, state="stopped", offsets={**offsets, "to": to.replace('{"kafka_offset": 4}', "null")})
    workspace.apply()
    assert connect.offsets(name) == []
    assert workspace.plan() == "empty"

    declare(sink, offsets=offsets)
    workspace.apply()
    until(lambda: out.read_text() == after + "line 3\nline 4\n", "it goes on from what was set again")
    declare(None)
    workspace.apply()
    connect.create(name, {"connector.class": FILE_SINK, **sink["config"]}, "stopped")  # type: ignore[dict-item]
    assert connect.offsets(name) == []


def test_what_connect_would_not_take_is_refused_at_plan_where_it_stands(
    workspace: Workspace, declare: Declare, name: str, source: dict[str, Any], connect: ConnectClient
) -> None:
    config = source["config"]
    for wrong, said in (
        ({"config": {**config, "batch.size": "many"}}, "batch.size: Not a number of type INT"),
        ({"config": {"file": config["file"]}}, 'Missing required configuration "topic"'),
        ({"class": FILE_SOURCE.replace("Stream", "Strem")}, f"did you mean {FILE_SOURCE}?"),
        ({"class": "com.example.Nothing"}, f"These connectors are loaded: {FILE_SINK}, {FILE_SOURCE}"),
        ({"state": "resting"}, "'resting' is not a state that it can be in"),
        ({"offsets": {"on_change": "set"}}, "offsets.to is missing"),
        ({"offsets": {"on_change": "set", "to": "[]"}}, "offsets.to is not a list of offsets"),
        ({"config": {**config, "tasks.max": "4"}}, "config has tasks.max = '4', and tasks_max = 1"),
        ({"config": {**config, "transforms": "a", "transforms.a.type": "No"}}, "Class No could not be found"),
    ):
        declare(source, **wrong)
        assert said in workspace.refused("plan"), wrong
    declare(source, config={**config, "topc": "a", "batch.sizes": "1"})
    assert "did you mean" not in workspace.plan()  # every key that it could mean is there
    assert connect.connectors().get(name) is None


def test_a_secret_in_clear_is_refused_and_a_reference_is_taken(
    workspace: Workspace, declare: Declare, name: str, source: dict[str, Any], connect: ConnectClient
) -> None:
    key = "producer.override.sasl.jaas.config"
    declare(source, config={**source["config"], key: "org.example.Login password=hunter2;"})
    said = workspace.refused("plan")
    assert "connector-literal-secret" in said
    assert "hunter2" not in said
    reference = "${dir:/nowhere:jaas}"
    declare(source, state="stopped", config={**source["config"], key: f"${reference}"})
    workspace.apply()
    assert connect.connector(name).config[key] == reference
    assert workspace.plan() == "empty"
    # Somebody puts the secret itself there: the plan shows that it changed, and not to what.
    connect.put_config(name, {**connect.connector(name).config, key: "org.example.Login password=hunter2;"})
    shown = workspace.plan()
    assert key in shown
    assert "hunter2" not in shown


def test_a_task_that_fails_is_an_error_with_its_cause_and_heals(
    workspace: Workspace, declare: Declare, connect: ConnectClient, name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "not-there-yet"
    sink = {"class": FILE_SINK, "config": {"topics": name, "file": str(folder / "out.txt")}}
    declare(sink, state="stopped")
    workspace.apply()
    declare(sink)
    said = workspace.refused("apply", "-auto-approve")
    assert f"Connector {name} has failed" in said
    assert "Couldn't find or create file" in said
    assert "Caused by: java.nio.file.NoSuchFileException" in said
    assert "restarted 3 times" in said
    assert '"failed" -> "running"' in workspace.plan()
    folder.mkdir()
    workspace.apply()  # restarts what failed
    assert [task.state for task in connect.connector(name).tasks] == ["RUNNING"]
    assert workspace.plan() == "empty"


def test_one_that_somebody_made_is_refused_and_can_be_imported(
    workspace: Workspace, declare: Declare, connect: ConnectClient, name: str, source: dict[str, Any]
) -> None:
    connect.create(name, {"connector.class": FILE_SOURCE, "tasks.max": "1", **source["config"]}, "paused")
    declare(source, state="paused")
    said = workspace.refused("plan")
    assert f"Connector {name}: it exists already" in said
    assert f"terraform import hikube_kafka_connector.this {name}" in said
    workspace.expect("import", ADDRESS, name)
    assert workspace.plan() == "empty"
    # One that is deleted by hand is made again; deleting one that has gone is done.
    connect.delete(name)
    assert "1 to add" in workspace.plan()
    workspace.apply()
    assert connect.connector(name).state == "PAUSED"
    connect.delete(name)
    workspace.expect("destroy", "-auto-approve", "-refresh=false")


def test_another_name_is_another_connector_and_the_plan_says_so(
    workspace: Workspace, declare: Declare, connect: ConnectClient, name: str, source: dict[str, Any]
) -> None:
    declare(source, state="stopped")
    workspace.apply()
    declare(source, state="stopped", name=f"{name}-b")
    said = workspace.apply()
    assert f"connector {name}-b takes its place, and its offsets do not move along" in said
    assert [each for each in connect.names() if each.startswith(name)] == [f"{name}-b"]


def test_workers_that_do_not_answer_have_lost_nothing(
    workspace: Workspace, declare: Declare, name: str, source: dict[str, Any]
) -> None:
    declare(source, state="stopped")
    workspace.apply()
    resource = {"this": {"name": name, **source, "state": "stopped"}}
    workspace.write(
        provider={"hikube": {"connect_url": "http://127.0.0.1:1"}}, resource={"hikube_kafka_connector": resource}
    )
    said = workspace.expect("plan", "-detailed-exitcode")
    assert "The connectors were not read" in said
    assert "No changes" in said
