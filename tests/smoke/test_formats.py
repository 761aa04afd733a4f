import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from hikube_kafka.exit_code import ExitCode
from hikube_kafka.smoke import formats
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.smoke.report import Latency, Report, Stage, joint_exit_code, unchecked


def finding(check: str, status: Status, *seen: str, settled_after: float | None = None) -> Finding:
    return Finding(
        check=check,
        title=f"The title of {check}",
        status=status,
        expected="three",
        seen=seen,
        remedy="Start it." if status in {Status.FAILED, Status.UNREADABLE} else "",
        settled_after=settled_after,
    )


PASSED = finding("one-controller", Status.PASSED, "broker 1", settled_after=4.26)
WRONG = finding("broker-racks", Status.FAILED, "broker 0 is in rack a|b", "broker 1 is in *none*")
UNREAD = finding("brokers-answer", Status.UNREADABLE, "broker 2: connection refused\x00")
UNTESTED = finding("kafka-version", Status.UNTESTED, "nobody tells")


@pytest.fixture
def report() -> Report:
    return Report(
        platform="orders",
        target="local",
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        findings=(PASSED, WRONG, UNREAD, UNTESTED),
        stages=(Stage(name="settle", seconds=1.25), Stage(name="canary", seconds=2.5)),
        looks=3,
        reached=True,
        latency=Latency(messages=597, p50_ms=2.04, p99_ms=17.66),
    )


def shown(report: Report) -> str:
    file = StringIO()
    Console(width=200, file=file).print(formats.terminal(report))
    return file.getvalue()


def test_the_terminal_shows_each_check_and_what_to_do_where_one_failed(report: Report) -> None:
    text = shown(report)

    for part in (
        "✔   one-controller",
        "(after 4.3 s)",
        "✘   broker-racks",
        "broker 1 is in *none*",
        "→ Start it.",
        "Expected: three",
        "?   brokers-answer",
        "-   kafka-version",
        "p50 2.0 ms, p99 17.7 ms",
        "3.8 s: settle 1.2 s, canary 2.5 s; 3 rounds",
        "2 of 4 checks failed",
    ):
        assert part in text


def test_a_person_is_not_shown_hundreds_of_lines(report: Report) -> None:
    long = replace(report, findings=(replace(WRONG, seen=tuple(f"topic-{number}" for number in range(300))),))

    assert "… and 288 more" in shown(long)
    assert "topic-299" not in shown(long)
    assert "… and 288 more" in formats.markdown(long)
    assert "topic-299" in formats.as_json(long)
    assert "topic-299" in formats.junit(long)


def test_markdown_is_a_table_whose_cells_stay_whole(report: Report) -> None:
    text = formats.markdown(report)

    assert "**2 of 4 checks failed**" in text
    assert "broker 0 is in rack a&#124;b<br>broker 1 is in &#42;none&#42;<br>→ Start it." in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 4


def test_markdown_mentions_nobody_and_stays_in_its_table(report: Report) -> None:
    hostile = replace(report, place="@everyone", findings=(replace(WRONG, seen=("@team #12\n| a | b |", "<b>")),))
    text = formats.markdown(hostile)

    assert not re.search(r"[@#](?=\w)", re.sub("&#[0-9]+;", " ", text))
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 2 + 1
    assert "<b>" not in text


def test_a_command_stays_in_one_line_in_every_format(report: Report) -> None:
    command = f"echo '{'x' * 300}' | kubectl exec"
    commanding = replace(report, findings=(replace(WRONG, command=command), UNREAD))

    assert formats.commands(commanding) == command
    assert f"\n```sh\n{command}\n```\n" in formats.markdown(commanding)
    assert f"→ Start it.\n{command}" in "".join(ET.fromstring(formats.junit(commanding)).itertext())  # noqa: S314 - our own text
    assert json.loads(formats.as_json(commanding))["findings"][0]["command"] == command
    assert "```" not in formats.markdown(report)


def test_json_has_a_version_and_everything(report: Report) -> None:
    content = json.loads(formats.as_json(report))

    assert content["version"] == 1
    assert content["exit_code"] == 1
    assert content["verdict"] == "2 of 4 checks failed"
    assert content["started"] == "2026-01-02T03:04:05+00:00"
    assert content["stages"] == {"settle": 1.25, "canary": 2.5}
    assert content["latency"] == {"messages": 597, "p50_ms": 2.04, "p99_ms": 17.66}
    assert content["findings"][1] == {
        "check": "broker-racks",
        "title": "The title of broker-racks",
        "status": "failed",
        "expected": "three",
        "seen": ["broker 0 is in rack a|b", "broker 1 is in *none*"],
        "remedy": "Start it.",
        "command": "",
        "settled_after": None,
        "unchanged_for": None,
        "notes": [],
        "lasting": False,
    }


def test_json_says_that_no_message_was_timed(report: Report) -> None:
    assert json.loads(formats.as_json(replace(report, latency=None)))["latency"] is None


def test_junit_tells_failures_from_errors_and_skipped(report: Report) -> None:
    suites = ET.fromstring(formats.junit(report))  # noqa: S314 - our own text
    suite = suites[0]

    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "4",
        "1",
        "1",
        "1",
    )
    outcomes = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert outcomes == {
        "one-controller": [],
        "broker-racks": ["failure"],
        "brokers-answer": ["error"],
        "kafka-version": ["skipped"],
    }
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "broker 0 is in rack a|b"
    assert failure.get("type") == "failed"
    assert "→ Start it." in str(failure.text)
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties["latency.p99_ms"] == "17.66"


def test_junit_survives_what_xml_cannot_carry(report: Report) -> None:
    assert "connection refused\ufffd" in formats.junit(report)


@pytest.mark.parametrize(
    ("ending", "begins"),
    [(".md", "## Smoke tests"), (".html", "<!doctype html>"), (".json", "{"), (".xml", "<?xml"), (".XML", "<?xml")],
)
def test_the_name_of_a_file_chooses_its_format(report: Report, tmp_path: Path, ending: str, begins: str) -> None:
    file = tmp_path / f"report{ending}"

    formats.write([report], file)

    assert file.read_text(encoding="utf-8").startswith(begins)


def test_an_unknown_format_is_refused_with_the_known_ones(report: Report, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.html, \.json, \.md, \.xml \(JUnit\), not in \.txt"):
        formats.write([report], tmp_path / "report.txt")


@pytest.mark.parametrize(
    ("findings", "code", "verdict"),
    [
        ((PASSED, UNTESTED), ExitCode.ALL_WELL, "all well: 1 checks passed, 1 untested"),
        ((PASSED, WRONG), ExitCode.SOMETHING_WRONG, "1 of 2 checks failed"),
        ((PASSED, UNREAD), ExitCode.SOMETHING_WRONG, "1 of 2 checks failed"),
    ],
)
def test_only_faults_fail_the_gate(report: Report, findings: tuple[Finding, ...], code: ExitCode, verdict: str) -> None:
    outcome = replace(report, findings=findings)

    assert outcome.exit_code is code
    assert outcome.verdict == verdict


def test_nothing_reached_is_no_failed_check(report: Report) -> None:
    outcome = replace(report, findings=(UNREAD,), reached=False)

    assert outcome.exit_code is ExitCode.NOTHING_CHECKED
    assert outcome.verdict == "could not check: nothing of orders answers"


def test_several_platforms_are_told_apart_in_every_format(report: Report) -> None:
    well = replace(report, platform="payments", findings=(PASSED,), place="b.contract")
    lost = unchecked("audit", "kubernetes", "no kubeconfig")
    reports = (report, well, lost)

    content = json.loads(formats.as_json(*reports))
    assert [each["platform"] for each in content["reports"]] == ["orders", "payments", "audit"]
    assert (content["version"], content["exit_code"]) == (1, 1)
    assert "payments (local, b.contract): all well" in content["verdict"]

    suites = ET.fromstring(formats.junit(*reports))  # noqa: S314 - our own text
    assert [(suite.get("name"), suite.get("tests"), suite.get("errors")) for suite in suites] == [
        ("hikube-kafka smoke orders", "4", "1"),
        ("hikube-kafka smoke payments b.contract", "1", "0"),
        ("hikube-kafka smoke audit", "1", "1"),
    ]
    assert (suites.get("tests"), suites.get("errors")) == ("6", "2")
    names = [(case.get("classname"), case.get("name")) for case in suites.iter("testcase")]
    assert len(set(names)) == len(names)

    assert [line for line in formats.markdown(*reports).splitlines() if line.startswith("##")] == [
        "## Smoke tests: orders (local)",
        "## Smoke tests: payments (local, b.contract)",
        "## Smoke tests: audit (kubernetes)",
    ]


def test_the_tests_of_two_platforms_of_one_name_are_told_apart(report: Report) -> None:
    twice = [replace(report, place=f"{stack}.contract") for stack in ("staging", "production")]
    suites = ET.fromstring(formats.junit(*twice))  # noqa: S314 - our own text
    names = [(case.get("classname"), case.get("name")) for case in suites.iter("testcase")]
    assert len(set(names)) == len(names) == 2 * len(report.findings)


def test_the_worst_of_several_platforms_decides(report: Report) -> None:
    well, lost = replace(report, findings=(PASSED,)), unchecked("audit", "local", "no kubeconfig")

    assert joint_exit_code([well, well]) is ExitCode.ALL_WELL
    assert joint_exit_code([well, lost]) is ExitCode.NOTHING_CHECKED
    assert joint_exit_code([lost, report, well]) is ExitCode.SOMETHING_WRONG


def test_notes_are_told_and_change_no_outcome(report: Report) -> None:
    noted = replace(report, findings=(replace(PASSED, notes=("one|thing", "and another")),))

    assert noted.exit_code is ExitCode.ALL_WELL
    assert "note: one|thing" in shown(noted)
    assert "broker 1<br>note: one&#124;thing<br>note: and another" in formats.markdown(noted)
    assert "one|thing\nand another" in "".join(ET.fromstring(formats.junit(noted)).itertext())  # noqa: S314 - our own text
