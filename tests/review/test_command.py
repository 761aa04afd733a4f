"""``hikube-kafka review`` as a pipeline calls it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hikube_kafka.cli import app
from tests.review.test_plan import document, resource

PROTECTED = {"name": "orders", "partitions": 3, "replication_factor": 3, "config": None, "deletion_protection": True}


def run(*arguments: object, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["review", *map(str, arguments)], input=stdin)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The folder of a synthesized stack."""
    folder = tmp_path / "stacks" / "shop"
    folder.mkdir(parents=True)
    return folder


def write(file: Path, *resources: dict[str, Any], **more: Any) -> Path:
    file.write_text(json.dumps(document(*resources, **more)))
    return file


def gone() -> dict[str, Any]:
    return resource(["delete"], change={"before": PROTECTED, "after": None})


def test_exit_codes(stack: Path) -> None:
    assert run(write(stack / "passed.json")).exit_code == 0
    assert run(write(stack / "blocked.json", gone())).exit_code == 1
    assert run(stack / "missing.json").exit_code == 2
    (stack / "text.json").write_text("Terraform will perform")
    assert run(stack / "text.json").exit_code == 2


def test_standard_input_is_a_plan() -> None:
    assert run("-", stdin=json.dumps(document(gone())).encode()).exit_code == 1
    assert run("-", stdin=b"").exit_code == 2
    refused = run("-", "--diagnostics", "-", stdin=b"{}")
    assert refused.exit_code == 2
    assert "standard input is one file" in refused.output


def test_where_terraform_made_no_plan_its_refusal_is_told(stack: Path) -> None:
    (stack / "plan.json").touch()
    messages, report = stack / "messages.jsonl", stack / "review.md"
    refusal = {"severity": "error", "summary": "Topic orders: 0 partitions [topic-partitions]", "detail": "secret"}
    messages.write_text(json.dumps({"@level": "error", "type": "diagnostic", "diagnostic": refusal}))
    done = run(stack / "plan.json", "--diagnostics", messages, "--report", report)
    assert done.exit_code == 2
    told = report.read_text().splitlines()[1]
    assert "it is empty." in told
    assert told.endswith("Terraform refused: Topic orders: 0 partitions &#91;topic-partitions&#93;.")
    assert "secret" not in report.read_text() + done.output


def test_what_cannot_be_read_is_named_and_reported(stack: Path) -> None:
    report = stack / "review.md"
    plan = write(stack / "plan.json")
    for option, file in (("--diagnostics", "none"), ("--policy", "none"), ("--declarations", "none")):
        done = run(plan, option, stack / file, "--report", report)
        assert done.exit_code == 2
        assert str(stack / file) in done.output.replace("\n", "")
        assert "Could not review" in report.read_text()
        report.unlink()
    (stack / "policy.yaml").write_text("limit: {}\n")
    assert run(plan, "--policy", stack / "policy.yaml").exit_code == 2


def test_reports_are_written_by_their_ending(stack: Path) -> None:
    endings = ("md", "html", "json", "sarif", "codequality.json")
    reports = [stack / f"review.{ending}" for ending in endings]
    done = run(write(stack / "plan.json", gone()), *(part for each in reports for part in ("--report", each)))
    assert done.exit_code == 1
    assert [each.name for each in reports if "topic-" not in each.read_text()] == []
    assert len({each.read_text() for each in reports}) == len(endings)


def test_another_ending_is_refused_before_anything_is_read(stack: Path) -> None:
    done = run(stack / "missing.json", "--report", stack / "review.txt")
    assert done.exit_code == 2
    assert "a report ends in" in done.output.replace("\n", " ")


def test_a_report_that_cannot_be_written_is_no_pass(stack: Path) -> None:
    done = run(write(stack / "plan.json"), "--report", stack / "none" / "review.md")
    assert done.exit_code == 2
    assert "cannot be written" in done.output
    assert run(write(stack / "plan.json", gone()), "--report", stack / "none" / "review.md").exit_code == 1


def test_lines_beside_the_plan_are_found(stack: Path) -> None:
    lines = {"version": 1, "declared": {"hikube_kafka_topic.orders": "stacks/shop.py:12"}}
    (stack / "declarations.json").write_text(json.dumps(lines))
    annotated = run(write(stack / "plan.json", gone()), "--annotations", "github")
    assert "file=stacks/shop.py,line=12" in annotated.output
    moved = write(stack.parent / "plan.json", gone())
    assert "stacks/shop.py" not in run(moved, "--annotations", "github").output
    assert "file=stacks/shop.py" in run(moved, "--annotations", "github", "--declarations", stack).output


def test_it_is_called_as_its_stack_or_as_it_is_told(stack: Path) -> None:
    report = stack / "review.md"
    run(write(stack / "plan.json"), "--report", report)
    assert "shop" in report.read_text()
    run(stack / "plan.json", "--report", report, "--title", "events of staging")
    assert "events of staging" in report.read_text()


def test_nothing_of_a_plan_is_a_command_of_github(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    first, *between, last = run(write(stack / "plan.json", gone())).output.splitlines()
    token = first.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert last == f"::{token}::"
    assert any("Blocked" in line for line in between)
    assert token not in run(stack / "plan.json").output
