"""The two faces of the gate: the command and the pytest plugin, without a cluster."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hikube_kafka.smoke.command import smoke
from hikube_kafka.smoke.contract_file import read_contract
from hikube_kafka.smoke.finding import Status
from hikube_kafka.smoke.gate import run
from hikube_kafka.spec.contract import Contract

app = typer.Typer()
app.command()(smoke)


@pytest.fixture
def nobody_home(contract: Contract, tmp_path: Path) -> Path:
    """A contract whose addresses nobody listens on: ports below 1024 that no service has."""
    servers = tuple(
        one.model_copy(update={"address": f"127.0.0.1:{1000 + one.id}"}) for one in contract.zookeeper.servers
    )
    brokers = tuple(one.model_copy(update={"address": f"127.0.0.1:{1010 + one.id}"}) for one in contract.kafka.brokers)
    file = tmp_path / "contract.json"
    file.write_text(
        contract.model_copy(
            update={
                "coordinator": contract.coordinator.model_copy(update={"servers": servers}),
                "kafka": contract.kafka.model_copy(update={"brokers": brokers}),
            }
        ).model_dump_json(),
        encoding="utf-8",
    )
    return file


def pytest_run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_asks_for_a_file() -> None:
    result = CliRunner().invoke(app, [])

    assert result.exit_code == 2
    assert "--outputs FILE" in result.output


def test_the_command_could_not_check_without_its_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--outputs", str(tmp_path / "nowhere.json")])

    assert result.exit_code == 2
    assert "could not check" in result.output


def test_the_command_could_not_check_where_nothing_answers_and_still_reports(nobody_home: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"

    result = CliRunner().invoke(app, ["--contract", str(nobody_home), "--patience", "0", "--report", str(report)])

    assert result.exit_code == 2
    assert "nothing of orders answers" in result.output
    told = {finding["check"]: finding for finding in json.loads(report.read_text(encoding="utf-8"))["findings"]}
    assert told["brokers-answer"]["seen"][0] == "broker 0 (127.0.0.1:1010): connection refused"
    assert told["zookeeper-servers-answer"]["seen"][0] == "ZooKeeper server 1 (127.0.0.1:1001): connection refused"


@pytest.fixture
def two(nobody_home: Path, tmp_path: Path) -> Path:
    """The outputs of a stack with two platforms; nothing of either answers."""
    one = json.loads(nobody_home.read_text(encoding="utf-8"))
    file = tmp_path / "outputs.json"
    outputs = {"orders_contract": one, "payments_contract": json.dumps(one | {"platform": "payments"}), "other": "x"}
    file.write_text(json.dumps({"stack": outputs}), encoding="utf-8")
    return file


def test_the_command_checks_every_platform_of_a_file_or_the_one_named(two: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    common = ["--outputs", str(two), "--patience", "0", "--report", str(report)]

    both = CliRunner().invoke(app, common)
    together = json.loads(report.read_text(encoding="utf-8"))
    one = CliRunner().invoke(app, [*common, "--platform", "payments"])
    alone = json.loads(report.read_text(encoding="utf-8"))

    assert (both.exit_code, one.exit_code) == (2, 2)
    assert [each["platform"] for each in together["reports"]] == ["orders", "payments"]
    assert "nothing of orders answers" in both.output
    assert "nothing of payments answers" in both.output
    assert alone["platform"] == "payments"
    assert "orders" not in one.output


def test_the_command_names_the_platforms_where_it_does_not_find_the_one_named(two: Path) -> None:
    result = CliRunner().invoke(app, ["--outputs", str(two), "--platform", "order"])

    assert result.exit_code == 2
    told = " ".join(result.output.split())
    assert "there are: orders (stack.orders_contract), payments (stack.payments_contract)" in told


def test_pytest_runs_each_platform_once_and_names_it(two: Path, tmp_path: Path) -> None:
    result = pytest_run(
        "--pyargs", "hikube_kafka.smoke", "--contract", str(two), "--patience", "0", "-rf", cwd=tmp_path
    )

    assert "test_quorum[orders-brokers-answer]" in result.stdout
    assert "test_quorum[payments-brokers-answer]" in result.stdout
    assert [result.stdout.count(f"hikube-kafka smoke: {each} (local)") for each in ("orders", "payments")] == [1, 1]


def test_pytest_tells_two_platforms_of_one_name_apart(two: Path, tmp_path: Path) -> None:
    outputs = json.loads(two.read_text(encoding="utf-8"))["stack"]
    outputs["payments_contract"] = json.loads(outputs["payments_contract"]) | {"platform": "orders", "topics": []}
    two.write_text(json.dumps({"stack": outputs}), encoding="utf-8")
    result = pytest_run(
        "--pyargs",
        "hikube_kafka.smoke",
        "--contract",
        str(two),
        "--patience",
        "0",
        "-k",
        "brokers-answer",
        cwd=tmp_path,
    )

    for place in ("stack.orders_contract", "stack.payments_contract"):
        assert f"hikube-kafka smoke: orders (local, {place})" in result.stdout


def test_the_command_refuses_an_unknown_report_before_it_looks(nobody_home: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--contract", str(nobody_home), "--report", str(tmp_path / "report.pdf")])

    assert result.exit_code == 2
    assert "not in .pdf" in "".join(result.output.split("\n"))


def test_pytest_without_a_contract_collects_nothing_and_says_how(tmp_path: Path) -> None:
    result = pytest_run("--pyargs", "hikube_kafka.smoke", cwd=tmp_path)

    assert result.returncode == pytest.ExitCode.INTERRUPTED
    assert "add --contract FILE" in result.stdout


def test_pytest_fails_every_check_where_nothing_answers(nobody_home: Path, tmp_path: Path) -> None:
    result = pytest_run(
        "--pyargs", "hikube_kafka.smoke", "--contract", str(nobody_home), "--patience", "0", cwd=tmp_path
    )

    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    report = run(read_contract(nobody_home), patience=0)
    untested = sum(finding.status is Status.UNTESTED for finding in report.findings)
    assert f"{len(report.findings) - untested} failed, {untested} skipped" in result.stdout
    assert "could not check: nothing of orders answers" in result.stdout
    assert "broker 0 (127.0.0.1:1010): connection refused" in result.stdout


def test_pytest_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n", encoding="utf-8")

    result = pytest_run("-W", "error", cwd=tmp_path)

    assert result.returncode == pytest.ExitCode.OK
    assert "hikube-kafka smoke:" not in result.stdout


def test_the_plugin_weighs_nothing() -> None:
    script = (
        "import sys, pytest; before = set(sys.modules); import hikube_kafka.smoke.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.split() == ["hikube_kafka", "hikube_kafka.smoke", "hikube_kafka.smoke.pytest_plugin"]
