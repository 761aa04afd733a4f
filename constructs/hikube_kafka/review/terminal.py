"""A review for a terminal, as ``hikube-kafka smoke`` shows its own."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import chop_cells
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from hikube_kafka.page.markdown import legible, line
from hikube_kafka.page.text import cut
from hikube_kafka.review.finding import Finding, Verdict
from hikube_kafka.review.outcome import Review, Total
from hikube_kafka.spec.problem import Severity

_MARKS: dict[Severity, str] = {"error": "✘", "warning": "!", "notice": "i"}
_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "notice": "dim"}
_VERDICTS = {Verdict.PASSED: "bold green", Verdict.BLOCKED: "bold red", Verdict.UNREVIEWED: "bold yellow"}
_EXPLAINED = 50
"""Findings that are told with all that is known of them."""
_LINES = 12
"""Settings of one finding that are shown; a report in JSON has them all."""
_LONGEST = 2_000
"""Characters of one text."""


def render(review: Review) -> RenderableType:
    """Lay a review out: one finding a row, the totals, and the verdict last, where who reads a log looks."""
    parts: list[RenderableType] = []
    explained, rest = _split(review.findings)
    if explained:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(line(review.title)), title_justify="left")
        table.add_column("")
        table.add_column("rule", overflow="fold")
        table.add_column("what the plan does", overflow="fold")
        for each in explained:
            table.add_row(
                Text(_MARKS[each.severity], _STYLES[each.severity]),
                Text(line(each.rule), _STYLES[each.severity] if each.severity != "notice" else ""),
                _told(each),
            )
        parts.append(table)
    if rest:
        parts += [
            Text(f"{len(rest):,} more, which differ from those above in where they are found:"),
            _Lines(rest),
            Text(),
        ]
    if changed := [each for each in review.totals if each.before != each.after]:
        parts.append(_totals(changed))
    for each in review.waived:
        about = f"{line(each.rule)} {line(each.address or each.where)}"
        parts.append(Text(f"Waived: {about}: {cut(line(each.waived), _LONGEST)}", style="dim"))
    if review.actions is not None:
        made = f" (Terraform {line(review.terraform)})" if review.terraform else ""
        parts.append(Text(f"{line(review.title)}: {review.changes}{made}"))
    parts.append(Text(cut(legible(review.headline), _LONGEST), style=_VERDICTS[review.verdict]))
    return Group(*parts)


def _split(findings: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Those that are explained: the first ones, and one of every rule; and the others."""
    rules: set[str] = set()
    explained: list[Finding] = []
    rest: list[Finding] = []
    for index, each in enumerate(findings):
        is_new = each.rule not in rules and len(explained) < 2 * _EXPLAINED
        (explained if index < _EXPLAINED or is_new else rest).append(each)
        rules.add(each.rule)
    return explained, rest


class _Lines:
    """Findings in a line each. A table of thousands takes seconds to lay out."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self._findings = findings

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Break what is wider than the terminal, and nothing else."""
        styles = {severity: console.get_style(style) for severity, style in _STYLES.items()}
        for each in self._findings:
            about = f"{line(each.address or each.where)}: {cut(line(each.message), _LONGEST)}"
            for text in chop_cells(f"{_MARKS[each.severity]} {line(each.rule)} {about}", options.max_width):
                yield Segment(text, styles[each.severity])
                yield Segment.line()


def _told(finding: Finding) -> RenderableType:
    told = Text(_lines(finding.told), style="bold" if finding.severity == "error" else "")
    rest = Text()
    if finding.address:
        rest.append(f"\n{line(finding.address)}", style="dim")
        if finding.declared:
            rest.append(f"  {line(str(finding.declared))}", style="dim")
    for each in finding.untold[:_LINES]:
        setting, before, after = (cut(line(text), 200) for text in (each.setting, each.before, each.after))
        rest.append(f"\n  {setting}: {before or '(none)'} → {after or '(none)'}")
    if (more := len(finding.untold) - _LINES) > 0:
        rest.append(f"\n  … and {more} more")
    if why := _lines(finding.why):
        rest.append(f"\n{why}")
    if remedy := _lines(finding.remedy):
        rest.append(f"\n→ {remedy}", style="cyan")
    if finding.fingerprint and finding.severity != "notice":
        rest.append(f"\nfingerprint {line(finding.fingerprint)}", style="dim")
    return Text.assemble(told, rest)


def _lines(text: str) -> str:
    """A text of several lines, without empty ones at its ends."""
    return cut(legible(text).replace("\t", "    ").strip(), _LONGEST)


def _totals(totals: list[Total]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for each in totals:
        before, after = (line(text) or "none" for text in (each.before, each.after))
        table.add_row(Text(line(each.of)), Text(line(each.what)), Text(f"{before} → {after}"))
    return Padding(table, (0, 0, 1, 0))
