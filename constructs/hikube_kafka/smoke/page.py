"""The reports of the gate as a page of HTML that stands alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from hikube_kafka import __version__
from hikube_kafka.exit_code import ExitCode
from hikube_kafka.page.html import rendered
from hikube_kafka.page.model import Entry, Fact, Figure, Mark, Page, Section, Table, Tone
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.smoke.report import Report, joint_exit_code

_VERDICTS = {
    ExitCode.ALL_WELL: Mark(tone=Tone.GOOD, word="All well"),
    ExitCode.SOMETHING_WRONG: Mark(tone=Tone.BAD, word="Failed"),
    ExitCode.NOTHING_CHECKED: Mark(tone=Tone.UNKNOWN, word="Could not check"),
}
_MARKS: Mapping[Status, Mark] = {
    Status.PASSED: Mark(tone=Tone.GOOD, word="passed"),
    Status.FAILED: Mark(tone=Tone.BAD, word="failed"),
    Status.UNREADABLE: Mark(tone=Tone.UNKNOWN, word="unreadable"),
    Status.UNTESTED: Mark(tone=Tone.QUIET, word="untested"),
}


def html(*reports: Report) -> str:
    """Give the reports as a page: the faults with what to do, the other checks, the figures; platform by platform."""
    alone = len(reports) == 1
    outcomes = Counter(_VERDICTS[report.exit_code].word.lower() for report in reports)
    return rendered(
        Page(
            kind="Smoke tests",
            title=reports[0].title if alone else f"{len(reports)} platforms",
            verdict=_VERDICTS[joint_exit_code(reports)],
            headline=_told(reports[0]) if alone else ", ".join(f"{count} {word}" for word, count in outcomes.items()),
            figures=tuple(_figures(reports[0])) if alone else (),
            sections=tuple(_sections(reports[0])) if alone else tuple(map(_platform, reports)),
            note=f"hikube-kafka {__version__}, started {min(each.started for each in reports):%Y-%m-%d %H:%M:%S %Z}",
        )
    )


def _told(report: Report) -> str:
    """The verdict without the words that its mark has."""
    told = report.verdict.removeprefix("could not check: ").removeprefix("all well: ")
    return f"{told[:1].upper()}{told[1:].removesuffix('.')}."


def _platform(report: Report) -> Section:
    return Section(
        title=report.title,
        mark=_VERDICTS[report.exit_code],
        text=_told(report),
        figures=tuple(_figures(report)),
        parts=tuple(_sections(report)),
    )


def _figures(report: Report) -> Iterator[Figure]:
    count = Counter(finding.status for finding in report.findings)
    for status, mark in _MARKS.items():
        if count[status]:
            yield Figure(
                value=str(count[status]),
                name=mark.word,
                tone=Tone.BAD if status in {Status.FAILED, Status.UNREADABLE} else Tone.QUIET,
            )
    if report.latency:
        yield Figure(value=f"{report.latency.p50_ms:.1f} ms", name="latency, p50")
        yield Figure(value=f"{report.latency.p99_ms:.1f} ms", name=f"p99 of {report.latency.messages} messages")
    if report.stages:
        yield Figure(value=f"{report.seconds:.1f} s", name="in all")


def _sections(report: Report) -> Iterator[Section]:
    faults = report.faults
    if faults:
        yield Section(title="What is wrong", contents=tuple(map(_fault, faults)))
    rest = [finding for finding in report.findings if not finding.is_fault]
    if rest:
        yield Section(title="Passed and untested", contents=(_checks(rest),))
    if report.stages:
        rows = tuple((stage.name, f"{stage.seconds:.1f} s") for stage in report.stages)
        yield Section(
            title="Where the time went",
            text=f"It took {report.looks} round{'' if report.looks == 1 else 's'} of reading.",
            contents=(Table(head=("Stage", "Time"), rows=rows),),
        )


def _fault(finding: Finding) -> Entry:
    evidence = [Fact(name="Expected", lines=(finding.expected,)), Fact(name="Seen", lines=finding.seen)]
    if finding.unchanged_for is not None:
        evidence.append(Fact(name="No change in", lines=(f"{finding.unchanged_for:.0f} s",)))
    if finding.notes:
        evidence.append(Fact(name="Note", lines=finding.notes))
    return Entry(
        mark=_MARKS[finding.status],
        title=finding.title,
        evidence=tuple(evidence),
        remedy=finding.remedy,
        command=finding.command,
        facts=(Fact(name="Check", lines=(finding.check,), code=True),),
    )


def _checks(findings: Sequence[Finding]) -> Table:
    return Table(
        head=("", "Check", "Seen"),
        rows=tuple((_MARKS[each.status], f"{each.title}\n{each.check}", _seen(each)) for each in findings),
    )


def _seen(finding: Finding) -> str:
    settled = f" (after {finding.settled_after:.1f} s)" if finding.settled_after else ""
    return "\n".join([*finding.seen, *(f"note: {note}" for note in finding.notes)]) + settled
