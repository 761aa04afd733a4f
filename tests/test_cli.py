"""The command, as people and programs meet it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hikube_kafka import __version__
from hikube_kafka.cli import app
from hikube_kafka.ensemble.configuration import write_connect, write_declaration
from hikube_kafka.ensemble.processes import running_servers, start
from hikube_kafka.ensemble.tools import TOOLS
from hikube_kafka.exit_code import ExitCode
from hikube_kafka.spec.ensemble import ConnectDeclaration, EnsembleDeclaration, ServerProcess
from hikube_kafka.waiting import until
from tests.support.ensemble import LivingEnsemble


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command in a home without any ensemble."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_help_loads_no_room() -> None:
    code = (
        "import sys; from hikube_kafka.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'confluent_kafka', 'kazoo', 'cdktf', 'grpc', 'psutil', 'kr8s'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    assert all(command in shown for command in ("size", "smoke", "local", "provider"))


def test_the_version_is_printed(run: Any) -> None:
    result = run("--version")
    assert (result.exit_code, result.output) == (ExitCode.ALL_WELL, f"{__version__}\n")


def test_size_prints_the_reasoning(run: Any) -> None:
    result = run("size", "--write", "25MB/s", "--retention", "1d")
    assert result.exit_code == ExitCode.ALL_WELL
    assert "peak write rate" in result.output


def test_size_takes_devices_in_place_of_a_rate(run: Any) -> None:
    by_devices = run("size", "--devices", "2000", "--messages-per-second", "0.5", "--bytes", "200", "--json")
    by_rate = run("size", "--write", "200kB/s", "--retention", "3d", "--message-size", "200", "--json")
    assert json.loads(by_devices.stdout)["kafka"] == json.loads(by_rate.stdout)["kafka"]


def test_size_says_which_options_go_together(run: Any) -> None:
    result = run("size", "--devices", "2000", "--bytes", "200")
    assert result.exit_code == ExitCode.NOTHING_CHECKED
    assert "--messages-per-second and bytes go together, and this is without --messages-per-second" in result.output


def test_size_for_programs_is_what_a_declaration_takes(run: Any) -> None:
    result = run("size", "--write", "25MB/s", "--retention", "1d", "--fan-out", "3", "--json")
    sized = json.loads(result.output)
    assert sized["kafka"]["brokers"] == 6
    assert sized["steps"][0] == {
        "what": "peak write rate",
        "value": "50MB/s",
        "formula": "write x peak",
        "source": "declared",
    }


def test_size_names_every_option_that_it_cannot_read(run: Any) -> None:
    result = run("size", "--write", "25", "--retention", "long", "--disk-use", "2")
    assert result.exit_code == ExitCode.NOTHING_CHECKED
    assert "--write: '25' is not a throughput" in result.output
    assert "--retention: 'long' is not a duration" in result.output
    assert "--disk-use = 2.0 is more than 1. Declare at most 1." in result.output


def test_size_prints_a_declaration_to_paste(run: Any) -> None:
    result = run("size", "--write", "25 MB/s", "--retention", "1d", "--largest-disk", "1Ti")
    assert result.exit_code == ExitCode.ALL_WELL
    pasted: dict[str, Any] = {}
    exec(result.output[result.output.index("from hikube_kafka") :], pasted)  # noqa: S102 - it is ours
    assert pasted["kafka"].brokers == 9


def test_size_says_what_no_one_cluster_carries(run: Any) -> None:
    result = run("size", "--write", "10GB/s", "--retention", "7d")
    assert result.exit_code == ExitCode.SOMETHING_WRONG
    assert "it needs 6,038 brokers, and a cluster has at most 1,001" in result.output
    assert "allow more: --largest-disk, --broker-rate, --broker-partitions." in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("words", [("status",), ("logs", "broker-0"), ("stop",), ("kafka", "topics", "--list")])
def test_without_an_ensemble_there_is_nothing_to_look_at(run: Any, tmp_path: Path, words: tuple[str, ...]) -> None:
    result = run("local", *words)
    assert result.exit_code == ExitCode.NOTHING_CHECKED
    assert f"there is no ensemble in {tmp_path}/.local/share/hikube-kafka" in result.output


@pytest.mark.parametrize("words", [("status",), ("kafka", "topics")])
def test_an_ensemble_that_is_not_there_is_named(run: Any, words: tuple[str, ...]) -> None:
    result = run("local", words[0], "-e", "gone", *words[1:])
    assert result.exit_code == ExitCode.NOTHING_CHECKED
    assert "/.local/share/hikube-kafka/gone" in result.output


def test_an_ensemble_in_a_directory_of_its_own_is_found_by_its_name_while_it_runs(run: Any, tmp_path: Path) -> None:
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    name = "runs-elsewhere"
    write_declaration(directory, EnsembleDeclaration(name=name, directory=str(directory), zookeeper=(), brokers=()))
    mark = f"-Dhikube.ensemble={directory}/broker-0"
    server = start(directory, [sys.executable, "-c", "import signal; signal.pause()", mark], {})
    assert server is not None
    try:
        assert until(lambda: running_servers(directory), 30)
        said = run("local", "logs", "broker-0", "-e", name).output
    finally:
        server.kill()
    assert f"broker-0 has no log in {directory}" in said


def test_workers_are_shown_and_stopped_beside_an_ensemble(run: Any, tmp_path: Path) -> None:
    root = tmp_path / ".local" / "share" / "hikube-kafka"
    events, changes = root / "events", root / "changes"
    for each in (events, changes / "worker-0"):
        each.mkdir(parents=True)
    write_declaration(events, EnsembleDeclaration(name="events", directory=str(events), zookeeper=(), brokers=()))
    worker = ServerProcess(kind="worker", id=0, heap="1m", properties={"group.id": "the-group"})
    write_connect(changes, ConnectDeclaration(name="changes", directory=str(changes), workers=(worker,)))
    mark = f"-Dhikube.ensemble={changes}/worker-0"
    process = start(changes, [sys.executable, "-c", "import signal; signal.pause()", mark], {})
    assert process is not None
    try:
        assert until(lambda: running_servers(changes), 30)
        shown = run("local", "status")
        assert shown.exit_code == ExitCode.SOMETHING_WRONG, "it was started with another configuration"
        assert "worker-0" in shown.output
        assert "group the-group" in shown.output
        (_, seen) = sorted(json.loads(run("local", "status", "--json").output), key=lambda each: "group" in each)
        assert (seen["group"], seen["is_healthy"]) == ("the-group", False)
        (changes / "worker-0" / "server.log").write_text("a line\n")
        assert run("local", "logs", "worker-0").output == "a line\n"
        stopped = run("local", "stop")
        assert stopped.output.splitlines()[-2:] == ["changes: stopped worker-0.", "events: nothing was running."]
        assert running_servers(changes) == {}
    finally:
        if process.is_running():
            process.kill()


def test_the_provider_is_installed_once_and_then_found(run: Any, tmp_path: Path) -> None:
    first, second = run("provider", "install"), run("provider", "install")
    assert (first.exit_code, second.exit_code) == (ExitCode.ALL_WELL, ExitCode.ALL_WELL)
    assert f"{__version__} installed: {tmp_path}/.terraform.d/plugins" in first.output
    assert f"{__version__} already installed: {tmp_path}/.terraform.d/plugins" in second.output


def command(*words: object) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("hikube-kafka")
    return subprocess.run(
        [program, *(str(word) for word in words)], capture_output=True, text=True, check=False, input="order 1\n"
    )


@pytest.mark.ensemble
def test_a_living_ensemble_is_shown(living_ensemble: LivingEnsemble) -> None:
    directory = living_ensemble.declaration.directory
    shown = command("local", "status", "-e", directory)
    assert shown.returncode == ExitCode.ALL_WELL, shown.stdout
    assert "broker-2" in shown.stdout
    (seen,) = json.loads(command("local", "status", "-e", directory, "--json").stdout)
    assert seen["is_healthy"] is True
    assert [server["name"] for server in seen["servers"]] == [
        *(f"zookeeper-{server}" for server in (1, 2, 3)),
        *(f"broker-{broker}" for broker in (0, 1, 2)),
    ]
    lines = command("local", "logs", "broker-1", "-e", directory, "-n", 3).stdout.splitlines()
    assert len(lines) == 3
    assert command("local", "logs", "broker-9", "-e", directory).returncode == ExitCode.NOTHING_CHECKED


@pytest.mark.ensemble
def test_kafkas_own_tools_reach_a_living_ensemble(living_ensemble: LivingEnsemble) -> None:
    def tool(*words: object) -> subprocess.CompletedProcess[str]:
        return command("local", "kafka", "-e", living_ensemble.declaration.directory, *words)

    created = tool("topics", "--create", "--topic", "of-the-command", "--partitions", 1)
    assert created.returncode == 0, created.stderr
    try:
        assert tool("console-producer", "--topic", "of-the-command").returncode == 0
        read = tool("console-consumer", "--topic", "of-the-command", "--from-beginning", "--max-messages", 1)
        assert (read.returncode, read.stdout) == (0, "order 1\n")
        assert tool("consumer-groups", "--list").returncode == 0
        assert tool("configs", "--entity-type", "topics", "--describe").returncode == 0
    finally:
        assert tool("topics", "--delete", "--topic", "of-the-command").returncode == 0
    unknown = tool("mirror-maker")
    assert unknown.returncode == ExitCode.NOTHING_CHECKED
    assert all(name in unknown.stderr for name in TOOLS)
