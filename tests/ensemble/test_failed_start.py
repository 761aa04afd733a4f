"""A start that fails says why, and leaves nothing running."""

import dataclasses
import socket
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from hikube_kafka.ensemble import (
    PreflightError,
    StartFailedError,
    apply,
    default_directory,
    destroy,
    ensembles,
    lifecycle,
    logs,
    observation,
    observe,
    status,
    stop,
)
from hikube_kafka.ensemble.living import zookeeper_mode
from hikube_kafka.ensemble.processes import running_servers, settled_servers
from hikube_kafka.spec.ensemble import EnsembleDeclaration
from tests.support.ensemble import small_ensemble

pytestmark = pytest.mark.ensemble


@pytest.fixture
def declaration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EnsembleDeclaration]:
    """One server of each kind, under the default root."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    directory = default_directory("single")
    declared: EnsembleDeclaration = small_ensemble(directory, name="single", brokers=1, servers=1).declaration
    try:
        yield declared
    finally:
        destroy(directory, keep_data=False)


def with_broker(declaration: EnsembleDeclaration, **entries: str) -> EnsembleDeclaration:
    (broker,) = declaration.brokers
    properties = {**broker.properties, **{key.replace("_", "."): value for key, value in entries.items()}}
    return dataclasses.replace(declaration, brokers=(dataclasses.replace(broker, properties=properties),))


def test_a_broker_that_refuses_its_configuration_is_shown_with_its_reason_and_nothing_is_left(
    declaration: EnsembleDeclaration,
) -> None:
    with pytest.raises(StartFailedError) as failure:
        apply(with_broker(declaration, num_io_threads="0"))

    assert failure.value.server == "broker-0"
    assert failure.value.stopped == ("zookeeper-1",)
    assert failure.value.log.is_file()
    assert "Invalid value 0 for configuration num.io.threads" in str(failure.value)
    assert settled_servers(Path(declaration.directory)) == {}

    assert apply(declaration).is_healthy, "the next apply, put right, ends well"


def test_a_server_whose_mark_cannot_be_read_in_its_first_moment_is_not_taken_for_dead(
    declaration: EnsembleDeclaration, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # While a process becomes another one, its command line reads as empty.
        patch.setattr(lifecycle, "running_servers", lambda _directory: {})
        apply(declaration)

    assert observe(declaration).is_healthy


def test_what_java_itself_refuses_is_shown(declaration: EnsembleDeclaration) -> None:
    (server,) = declaration.zookeeper

    with pytest.raises(StartFailedError, match="Too small maximum heap") as failure:
        apply(dataclasses.replace(declaration, zookeeper=(dataclasses.replace(server, heap="1k"),)))

    assert failure.value.server == "zookeeper-1"
    assert failure.value.log.name == "console.log"
    assert running_servers(Path(declaration.directory)) == {}


def test_a_broker_that_fails_in_a_roll_leaves_the_others_running(declaration: EnsembleDeclaration) -> None:
    apply(declaration)
    (zookeeper,) = (server.pid for server in observe(declaration).servers if server.kind == "zookeeper")

    with pytest.raises(StartFailedError, match=r"num\.io\.threads"):
        apply(with_broker(declaration, num_io_threads="0"))

    assert {name: server.pid for name, server in settled_servers(Path(declaration.directory)).items()} == {
        "zookeeper-1": zookeeper
    }


def test_one_late_answer_is_no_state(declaration: EnsembleDeclaration, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(declaration)
    late = iter([None])
    monkeypatch.setattr(observation, "zookeeper_mode", lambda properties: next(late, zookeeper_mode(properties)))

    assert observe(declaration).is_healthy
    assert next(late, "asked") == "asked"


def test_an_ensemble_is_listed_looked_at_and_stopped_without_terraform(declaration: EnsembleDeclaration) -> None:
    assert ensembles() == []
    assert status(declaration.directory) is None
    apply(declaration)

    (directory,) = ensembles()
    seen = status(directory)
    assert seen is not None
    assert seen.is_healthy
    follower = logs(directory, "zookeeper-1", lines=1, follow=True)
    assert isinstance(follower, Generator)
    assert next(follower)
    follower.close()

    assert stop(directory) == ["broker-0", "zookeeper-1"]
    seen = status(directory)
    assert seen is not None
    assert {server.state for server in seen.servers} == {"stopped"}
    assert stop(directory) == []


def test_a_port_taken_while_a_server_was_down_is_refused_and_what_runs_stays(declaration: EnsembleDeclaration) -> None:
    apply(declaration)
    running = running_servers(Path(declaration.directory))
    running["broker-0"].process.kill()
    running["broker-0"].process.wait(30)

    with (
        socket.create_server(("127.0.0.1", declaration.brokers[0].ports[0])),
        pytest.raises(PreflightError, match="which broker-0 listens on, is in use"),
    ):
        apply(declaration)

    assert running_servers(Path(declaration.directory)).keys() == {"zookeeper-1"}
