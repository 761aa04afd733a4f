"""What real workers answer to the client: each kind of answer that it tells apart."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.errors import AlreadyThere, NotThere, Refused
from tests.support.connect import FILE_SINK, FILE_SOURCE, LivingWorker
from tests.support.waiting import until

pytestmark = [pytest.mark.ensemble, pytest.mark.timeout(200)]


@pytest.fixture
def connect(connect_worker: LivingWorker) -> Iterator[ConnectClient]:
    with connect_worker.client() as client:
        yield client


@pytest.fixture
def name(connect: ConnectClient) -> Iterator[str]:
    """A name with signs that a path has."""
    name = f"a/b c?é-{uuid4().hex[:6]}"
    yield name
    with suppress(NotThere):
        connect.delete(name)


def test_a_worker_says_who_it_is_and_what_it_has_loaded(connect: ConnectClient) -> None:
    assert connect.root()["version"].startswith("3.9")
    kinds = {each.class_name: each.kind for each in connect.plugins()}
    assert kinds == {FILE_SOURCE: "source", FILE_SINK: "sink"}
    versions = {each.class_name: each.version for each in connect.plugins()}
    assert versions[FILE_SOURCE] == "3.9.2"
    assert "transformation" in {each.kind for each in connect.plugins(connectors_only=False)}


def test_a_validation_tells_each_key_with_its_faults(connect: ConnectClient) -> None:
    found = {each.key: each for each in connect.validate(FILE_SOURCE, {"name": "a", "tasks.max": "none"})}
    assert found["topic"].errors == ('Missing required configuration "topic" which has no default value.',)
    assert "Not a number" in found["tasks.max"].errors[0]
    assert found["file"].errors == ()
    assert not any(each.password for each in found.values())
    jaas = "producer.override.sasl.jaas.config"
    secret = {each.key: each for each in connect.validate(FILE_SOURCE, {"name": "a", jaas: "hunter2"})}
    assert secret[jaas].password
    with pytest.raises(Refused, match="Failed to find any class"):
        connect.validate("com.example.Nothing", {"name": "a"})


def test_a_connector_from_its_creation_to_its_end(connect: ConnectClient, name: str, tmp_path: Path) -> None:
    config = {"connector.class": FILE_SINK, "topics": "not-there", "file": str(tmp_path / "none" / "out")}
    with pytest.raises(NotThere):
        connect.connector(name)
    connect.create(name, config, "stopped")
    with pytest.raises(AlreadyThere):
        connect.create(name, config)
    until(lambda: connect.connector(name).state == "STOPPED", "it is stopped")
    assert connect.connector(name).kind == "sink"
    assert name in connect.names()
    connect.resume(name)
    until(lambda: connect.connector(name).failed, "its task fails")
    (task,) = connect.connector(name).failed
    assert "Caused by: java.nio.file.NoSuchFileException" in (task.trace or "")
    with pytest.raises(Refused, match="must be in the STOPPED state"):
        connect.reset_offsets(name)
    (tmp_path / "none").mkdir()
    connect.restart(name)
    until(lambda: connect.connector(name).running == 1, "its task runs")
    connect.put_config(name, {**config, "file": str(tmp_path / "out")})
    until(lambda: connect.connectors()[name].config["file"] == str(tmp_path / "out"), "it is configured anew")
    connect.pause(name)
    until(lambda: connect.connectors()[name].state == "PAUSED", "it is paused")
    connect.stop(name)
    until(lambda: not connect.connector(name).tasks, "it is stopped")
    until(lambda: "success" in connect.reset_offsets(name), "its offsets are reset")
    assert connect.offsets(name) == []
    connect.delete(name)
    until(lambda: name not in connect.names(), "it is gone")


@pytest.mark.parametrize("what", ["pause", "resume", "stop", "restart", "delete", "offsets", "reset_offsets"])
def test_what_is_not_there_is_told_by_every_request(connect: ConnectClient, what: str) -> None:
    with pytest.raises(NotThere):
        getattr(connect, what)("not-there")
    with pytest.raises(NotThere):
        connect.alter_offsets("not-there", [{"partition": {"a": 1}, "offset": {"b": 1}}])
