"""The report for people and machines: terminal, Markdown, HTML, JSON, JUnit."""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hikube_kafka.page.markdown import code, fence, prose, row
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.smoke.page import html
from hikube_kafka.smoke.report import Report, joint_exit_code, joint_verdict

JSON_VERSION = 1
"""Raised when a reader of the older version could misread the newer one."""

_LINES = 12
"""Lines of one finding that a person is shown; JSON and JUnit have them all."""

_MARKS = {Status.PASSED: "✔", Status.FAILED: "✘", Status.UNREADABLE: "?", Status.UNTESTED: "-"}
_STYLES = {Status.PASSED: "green", Status.FAILED: "bold red", Status.UNREADABLE: "bold yellow", Status.UNTESTED: "dim"}


def write(reports: Sequence[Report], path: Path) -> None:
    """Write the reports in the format that the file's name ends in: ``.md``, ``.html``, ``.json`` or ``.xml`` (JUnit).

    Raises:
        ValueError: The name ends in none of them.
        OSError: The file cannot be written.
    """
    path.write_text(_FORMATS[format_of(path)](*reports), encoding="utf-8")


def format_of(path: Path) -> str:
    """Give the ending that chooses a file's format.

    Raises:
        ValueError: There is no format for it.
    """
    ending = path.suffix.lower()
    if ending not in _FORMATS:
        raise ValueError(
            f"{path}: a report ends in {', '.join(sorted(_FORMATS))} (JUnit), not in {ending or 'nothing'}"
        )
    return ending


def terminal(report: Report) -> RenderableType:
    """Lay the report out for a terminal: one line per check, what to do below it where something is wrong."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=report.title, title_justify="left")
    table.add_column("")
    table.add_column("check", no_wrap=True)
    table.add_column("seen", overflow="fold")
    for finding in report.findings:
        seen = Text("\n".join(_shown(finding)))
        if finding.status is Status.FAILED:
            seen = Text(f"Expected: {finding.expected}\n", style="bold") + seen
        if finding.remedy:
            seen += Text(f"\n→ {finding.remedy}", style="cyan")
        if finding.settled_after:
            seen += Text(f" (after {finding.settled_after:.1f} s)", style="yellow")
        table.add_row(
            Text(_MARKS[finding.status], _STYLES[finding.status]),
            Text(finding.check, _STYLES[finding.status] if finding.is_fault else ""),
            seen,
        )
    lines = [Text(line) for line in figures(report)]
    verdict = Text(report.verdict, style="bold red" if report.exit_code else "bold green")
    return Group(table, *lines, verdict)


def commands(report: Report) -> str:
    """The commands of all findings, one a line: a table would break them, and nobody could copy them."""
    return "\n".join(finding.command for finding in report.findings if finding.command)


def markdown(*reports: Report) -> str:
    """Give the reports as Markdown, for a pull request or a job's summary."""
    return "\n".join(map(_markdown, reports))


def _markdown(report: Report) -> str:
    lines = [
        f"## Smoke tests: {prose(report.title)}",
        "",
        f"**{prose(report.verdict)}**",
        "",
        row("", "check", "seen"),
        "|---|---|---|",
    ]
    for finding in report.findings:
        seen = "<br>".join(map(prose, _shown(finding)))
        if finding.status is Status.FAILED:
            seen = f"expected: {prose(finding.expected)}<br>{seen}"
        if finding.remedy:
            seen += f"<br>→ {prose(finding.remedy)}"
        if finding.settled_after:
            seen += f" (after {finding.settled_after:.1f} s)"
        lines.append(row(_MARKS[finding.status], f"{code(finding.check)} {prose(finding.title)}", seen))
    block = ["", fence(found, "sh")] if (found := commands(report)) else []
    return "\n".join([*lines, *block, "", *(f"{prose(line)}  " for line in figures(report))]) + "\n"


def as_json(*reports: Report) -> str:
    """Give the report as JSON; its ``version`` is `JSON_VERSION`. Several are together under ``reports``."""
    contents = [_content(report) for report in reports]
    together = {
        "exit_code": int(joint_exit_code(reports)),
        "verdict": joint_verdict(reports),
        "reports": contents,
    }
    content = {"version": JSON_VERSION} | (contents[0] if len(contents) == 1 else together)
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _content(report: Report) -> dict[str, Any]:
    return {
        "platform": report.platform,
        "target": report.target,
        "place": report.place,
        "started": report.started.isoformat(),
        "exit_code": int(report.exit_code),
        "verdict": report.verdict,
        "seconds": round(report.seconds, 3),
        "stages": {stage.name: round(stage.seconds, 3) for stage in report.stages},
        "looks": report.looks,
        "latency": dataclasses.asdict(report.latency) if report.latency else None,
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
    }


def junit(*reports: Report) -> str:
    """Give the reports as JUnit's XML, a suite each: what failed is a failure, what could not be read an error."""
    suites = ET.Element("testsuites", _counts(reports))
    for report in reports:
        own = f".{report.place or report.platform}" if len(reports) > 1 else ""
        _suite(suites, report, f"hikube_kafka.smoke{own}")
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _counts(reports: Iterable[Report]) -> dict[str, str]:
    reports = tuple(reports)
    by_status = [finding.status for report in reports for finding in report.findings]
    unchecked = sum(bool(report.unchecked) for report in reports)
    return {
        "tests": str(len(by_status) + unchecked),
        "failures": str(by_status.count(Status.FAILED)),
        "errors": str(by_status.count(Status.UNREADABLE) + unchecked),
        "skipped": str(by_status.count(Status.UNTESTED)),
        "time": f"{sum(report.seconds for report in reports):.3f}",
    }


def _suite(suites: ET.Element, report: Report, classname: str) -> None:
    name = _legal(f"hikube-kafka smoke {report.platform}{f' {report.place}' if report.place else ''}")
    suite = ET.SubElement(
        suites, "testsuite", {"name": name, "timestamp": report.started.isoformat(), **_counts([report])}
    )
    properties = ET.SubElement(suite, "properties")
    figures = {"platform": _legal(report.platform), "target": _legal(report.target)}
    figures |= {f"seconds.{stage.name}": f"{stage.seconds:.3f}" for stage in report.stages}
    if report.latency:
        figures |= {f"latency.{name}": str(value) for name, value in dataclasses.asdict(report.latency).items()}
    for name, value in figures.items():
        ET.SubElement(properties, "property", {"name": name, "value": value})
    elements = {Status.FAILED: "failure", Status.UNREADABLE: "error", Status.UNTESTED: "skipped"}
    for finding in report.findings:
        case = ET.SubElement(suite, "testcase", {"classname": _legal(classname), "name": finding.check})
        if finding.status in elements:
            message = ET.SubElement(case, elements[finding.status], {"message": _legal(finding.seen[0])})
            if finding.is_fault:
                message.set("type", str(finding.status))
                message.text = _legal(told(finding))
        if finding.notes:
            ET.SubElement(case, "system-out").text = _legal("\n".join(finding.notes))
    if report.unchecked:  # a suite without a test would look well
        case = ET.SubElement(suite, "testcase", {"classname": _legal(classname), "name": "could-not-check"})
        ET.SubElement(case, "error", {"message": _legal(report.unchecked)})


def told(finding: Finding) -> str:
    """Tell a whole fault in plain lines."""
    remedy = [f"→ {finding.remedy}"] if finding.remedy else []
    command = [finding.command] if finding.command else []
    seen = (*finding.seen, *_standstill(finding), *(f"note: {note}" for note in finding.notes))
    return "\n".join([f"{finding.title}: no", f"expected: {finding.expected}", *seen, *remedy, *command])


def figures(report: Report) -> Iterator[str]:
    """Tell what is told and not judged: latency, and where the time went."""
    if report.latency:
        yield (
            f"end-to-end latency of {report.latency.messages} messages: "
            f"p50 {report.latency.p50_ms:.1f} ms, p99 {report.latency.p99_ms:.1f} ms"
        )
    stages = ", ".join(f"{stage.name} {stage.seconds:.1f} s" for stage in report.stages)
    yield f"{report.seconds:.1f} s: {stages}; {report.looks} rounds"


_FORMATS = {".md": markdown, ".html": html, ".json": as_json, ".xml": junit}


def _shown(finding: Finding) -> Iterator[str]:
    yield from _first(finding.seen)
    yield from _standstill(finding)
    yield from _first([f"note: {note}" for note in finding.notes])


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_LINES]
    if (left := len(lines) - _LINES) > 0:
        yield f"… and {left} more"


def _standstill(finding: Finding) -> Iterator[str]:
    if finding.unchanged_for is not None:
        yield f"no change in {finding.unchanged_for:.0f} s"


def _legal(text: str) -> str:
    """Drop what XML 1.0 cannot carry: a broken answer of a server may hold control characters."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text)
