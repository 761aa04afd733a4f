"""What Terraform said while it planned."""

import json
from typing import Any

import pytest

from hikube_kafka.review.diagnostics import Diagnostic, read_diagnostics
from hikube_kafka.review.plan import UnreadablePlanError


def line(severity: str = "error", **content: Any) -> str:
    diagnostic = {"severity": severity, "summary": "Something", "detail": "Why.", **content}
    return json.dumps(
        {"@level": severity, "@message": "Error: Something", "type": "diagnostic", "diagnostic": diagnostic}
    )


VERSION = json.dumps({"@level": "info", "@message": "Terraform 1.11.4", "type": "version", "terraform": "1.11.4"})


def read(*lines: str) -> tuple[Diagnostic, ...]:
    return read_diagnostics("\n".join(lines).encode())


def test_errors_and_warnings_are_read_with_their_address() -> None:
    error, warning = read(VERSION, line(address="hikube_kafka_topic.a"), line("warning", summary="Careful"), line())[:2]
    assert (error.severity, error.address, error.summary, error.detail) == (
        "error",
        "hikube_kafka_topic.a",
        "Something",
        "Why.",
    )
    assert (warning.severity, warning.address, warning.summary) == ("warning", "", "Careful")


def test_the_rule_of_the_provider_is_known_by_its_id() -> None:
    (refusal,) = read(line(summary="Topic orders: it cannot shrink from 6 to 3 partitions [topic-partitions-shrink]"))
    assert refusal.rule == "topic-partitions-shrink"
    assert refusal.where == "topic orders"
    assert refusal.message == "it cannot shrink from 6 to 3 partitions."
    (waiting,) = read(line(summary="StatefulSet events-kafka: 4 pods need a node each [rollout-too-few-nodes]"))
    assert waiting.where == "StatefulSet events-kafka"
    (other,) = read(line(summary="Provider configuration not present"))
    assert (other.rule, other.where, other.message) == ("", "", "Provider configuration not present.")


def test_what_is_said_twice_is_there_once() -> None:
    assert len(read(VERSION, line(), line())) == 1


def test_nothing_was_said() -> None:
    assert read(VERSION) == ()


def test_lines_of_others_are_left_out() -> None:
    assert len(read("Warning: a wrapper", "", VERSION, line(), "+ exit 1")) == 1


def test_a_line_that_is_nested_without_end_is_unreadable() -> None:
    with pytest.raises(UnreadablePlanError, match="Line 2"):
        read(VERSION, '{"a":' * 100_000)


def test_values_of_the_code_beside_an_error_are_not_read() -> None:
    snippet = {"code": "password = var.password", "values": [{"traversal": "var.password", "statement": "is s3cret"}]}
    assert "s3cret" not in repr(read(line(snippet=snippet)))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_powershell_writes_is_read(encoding: str) -> None:
    assert len(read_diagnostics(f"{VERSION}\r\n{line()}".encode(encoding))) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no message of Terraform"),
        ("Error: Something\n\n  on main.tf line 1", "no message of Terraform"),
        ("{}", "no message of Terraform"),
        (VERSION + "\n" + line()[:-20], "Line 2 is not JSON"),
        ('{"format_version": "1.2"}', "no message of Terraform"),
    ],
)
def test_another_file_is_told_by_what_it_is_not(text: str, said: str) -> None:
    with pytest.raises(UnreadablePlanError, match=said):
        read_diagnostics(text.encode())
