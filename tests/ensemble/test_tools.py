"""The command line of one of Kafka's own tools, and what keeps it from being run."""

from pathlib import Path

import pytest

from hikube_kafka.ensemble import EnsembleError
from hikube_kafka.ensemble.configuration import write_declaration
from hikube_kafka.ensemble.tools import TOOLS, command
from tests.support.ensemble import small_ensemble


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIKUBE_KAFKA_JARS", "/opt/kafka/libs")
    directory = tmp_path / "ensemble"
    directory.mkdir()
    write_declaration(directory, small_ensemble(directory, brokers=2).declaration)
    return directory


def test_a_tool_is_run_from_the_same_jars_against_every_broker(directory: Path) -> None:
    line = command(directory, "topics", ["--list"])
    assert line[line.index("-cp") + 1] == "/opt/kafka/libs/*"
    assert line[-4:-2] == [TOOLS["topics"], "--bootstrap-server"]
    assert [address.rpartition(":")[0] for address in line[-2].split(",")] == ["127.0.0.1"] * 2
    assert line[-1] == "--list"


def test_a_folder_without_an_ensemble_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnsembleError, match=f"There is no ensemble in {tmp_path}"):
        command(tmp_path, "topics", [])


def test_an_unknown_tool_is_refused_with_those_that_there_are(directory: Path) -> None:
    with pytest.raises(
        EnsembleError, match="There is no tool 'reassign' here: choose one of configs, console-consumer"
    ):
        command(directory, "reassign", [])


def test_a_tool_needs_java_and_says_so(directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnsembleError, match="Java 17 or later is needed: there is no java on the PATH"):
        command(directory, "topics", [])
