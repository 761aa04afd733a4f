import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.smoke.page import html
from hikube_kafka.smoke.report import Latency, Report, Stage, unchecked
from tests.page.test_html import parsed
from tests.review.samples import NASTY


def finding(check: str, status: Status, *seen: str, text: str = "") -> Finding:
    return Finding(
        check=check,
        title=f"the title of {check}{text}",
        status=status,
        expected=f"three{text}",
        seen=seen,
        remedy=f"Start it.{text}" if status in {Status.FAILED, Status.UNREADABLE} else "",
        command=f"kubectl start {check}{text}" if status is Status.FAILED else "",
        notes=(f"a note{text}",),
    )


def report_of(text: str = "") -> Report:
    return Report(
        platform=f"orders{text}",
        target="local",
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        findings=(
            finding("one-controller", Status.PASSED, f"broker 1{text}", text=text),
            finding("broker-racks", Status.FAILED, f"broker 0 is in rack a{text}", "broker 1 is in none", text=text),
            finding("brokers-answer", Status.UNREADABLE, f"broker 2: connection refused{text}", text=text),
            finding("kafka-version", Status.UNTESTED, f"nobody tells{text}", text=text),
        ),
        stages=(Stage(name=f"settle{text}", seconds=1.25), Stage(name="canary", seconds=2.5)),
        looks=3,
        reached=True,
        latency=Latency(messages=597, p50_ms=2.04, p99_ms=17.66),
    )


def shown(page: str) -> str:
    return " ".join("".join(parsed(page).texts).split())


def test_the_faults_come_first_with_what_to_do() -> None:
    page = html(report_of())
    text = shown(page).partition("Skip to the findings")[2]

    order = [
        "Smoke tests",
        "orders (local)",
        "Failed",
        "2 of 4 checks failed.",
        "17.7 ms",
        "the title of broker-racks",
        "three",
        "broker 0 is in rack a",
        "Start it.",
        "kubectl start broker-racks",
        "broker 2: connection refused",
        "the title of one-controller one-controller",
        "nobody tells",
        "canary2.5 s",
        "2026-01-02 03:04:05 UTC",
    ]
    positions = [text.index(each) for each in order]
    assert positions == sorted(positions)
    assert text.count("a note") == 4
    assert page.count('<article class="entry bad">') == page.count('<article class="entry unknown">') == 1


@pytest.mark.parametrize(
    ("report", "verdict", "told"),
    [
        (replace(report_of(), findings=report_of().findings[:1]), "All well", "1 checks passed, 0 untested."),
        (unchecked("audit", "kubernetes", "no kubeconfig"), "Could not check", "No kubeconfig."),
    ],
)
def test_each_outcome_has_its_word(report: Report, verdict: str, told: str) -> None:
    page = html(report)

    assert page.partition("<title>")[2].startswith(f"{verdict}: {report.title}")
    assert told in shown(page)


def test_several_platforms_are_in_one_page_each_with_its_outcome() -> None:
    well = replace(report_of(), platform="payments", findings=report_of().findings[:1], place="b.contract")
    page = html(report_of(), well, unchecked("audit", "kubernetes", "no kubeconfig"))

    assert re.findall(r'<h2 id="s\d+">([^<]*)</h2><span class="mark (\w+)">', page) == [
        ("orders (local)", "bad"),
        ("payments (local, b.contract)", "good"),
        ("audit (kubernetes)", "unknown"),
    ]
    assert "1 failed, 1 all well, 1 could not check" in shown(page)
    assert page.count("<h1>3 platforms</h1>") == 1


def test_a_person_sees_the_first_lines_and_can_open_the_rest() -> None:
    long = replace(report_of().findings[1], seen=tuple(f"topic-{number}" for number in range(300)))
    page = html(replace(report_of(), findings=(long,)))

    assert "<summary>288 more</summary>" in page
    assert "topic-299" in page


@pytest.mark.parametrize("text", [each for each in NASTY if each])
def test_no_answer_of_a_server_leaves_its_place(text: str) -> None:
    page = html(report_of(text))

    page.encode()
    prose = {"p", "pre", "code"}
    assert [each for each in parsed(page).tags if each[0] not in prose] == [
        each for each in parsed(html(report_of("x"))).tags if each[0] not in prose
    ]
