"""A review as a comment on a pull request: Markdown of GitHub and GitLab.

The verdict comes first, details are folded, and it is never longer than a host takes: what is too much is left out step
by step, details before names, and no finding before all details.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from urllib.parse import quote

from hikube_kafka.page.markdown import blocks, code, fence, line, prose, row
from hikube_kafka.page.text import cut
from hikube_kafka.review.finding import Difference, Finding, Verdict
from hikube_kafka.review.outcome import Review, Total
from hikube_kafka.review.picture import mermaid
from hikube_kafka.spec.changes.plan import ERRORED, REFUSED
from hikube_kafka.spec.policy import WAIVER_EXPIRED, WAIVER_UNUSED
from hikube_kafka.spec.problem import Severity

MOST = 60_000
"""Characters of a comment. GitHub takes 65,536; the rest is for who adds a line of their own."""

_OPEN = 12
"""Findings that are seen at once; more are unfolded."""
_APART = 8
"""Findings that are folded one by one; more are in a fold together."""
_TOTALS = 60
"""Lines of the table of totals."""
_SHORTEST = 8
"""Characters of a name that still tell something."""
_ENOUGH = 40
"""Characters of a name in a list that is not complete."""
_MARKS: dict[Severity, str] = {"error": "⛔ blocks", "warning": "⚠️ warns", "notice": "ℹ️ informs"}  # noqa: RUF001 - the sign for information
_VERDICTS = {Verdict.PASSED: "✅", Verdict.BLOCKED: "⛔", Verdict.UNREVIEWED: "❔"}
_NEVER_WAIVED = {ERRORED.id, REFUSED.id, WAIVER_EXPIRED.id, WAIVER_UNUSED.id}
"""A waiver of these would change nothing."""
_LIST_ELSEWHERE = "The complete list is in the output of the job, and in the report that `--report FILE.json` writes."


class _TooLongError(Exception):
    """It does not fit in this detail."""


@dataclass(frozen=True, kw_only=True)
class _Detail:
    """How much is told."""

    picture: bool = False
    totals: bool = False
    differences: int = 0
    """Of each finding, in the table."""
    each: bool = False
    """Why and what to do, of each finding; else of each rule."""
    rules: bool = True
    """Why and what to do, of each rule."""
    grouped: bool = False
    """Addresses in lists, by rule."""
    longest: int
    """Characters of one text."""


_STEPS = (
    _Detail(picture=True, totals=True, differences=4, each=True, longest=2_000),
    _Detail(totals=True, differences=4, each=True, longest=2_000),
    _Detail(differences=4, each=True, longest=1_000),
    _Detail(differences=2, each=True, longest=400),
    _Detail(differences=2, longest=400),
    _Detail(longest=200),
    _Detail(grouped=True, longest=400),
    _Detail(grouped=True, rules=False, longest=160),
)
"""From all to little; the last fits once the lists of addresses are shortened."""


def marker(key: str) -> str:
    """The first line of a comment, by which the next review finds it again.

    Args:
        key: Tells the comments of several stacks in one pull request apart. What a comment of HTML cannot carry is
            written as in an URL.
    """
    return f"<!-- hikube-kafka review: {quote(key, safe=' /.:_@+=,()', errors='replace').replace('--', '-%2D')} -->"


def render(review: Review, *, key: str = "", docs: str = "", most: int = MOST) -> str:
    """Give a review as Markdown.

    Args:
        review: It.
        key: Of the comment that is updated in place, see :func:`marker`. Default: the review's title.
        docs: Where ``docs/`` of this project is, for links to the rules: an URL or a path. Default: ``docs``.
        most: Characters; what does not fit is left out, details first.
    """
    page = quote(f"{docs.rstrip('/') or 'docs'}/review.md", safe=":/?#@!$&+,;=%~", errors="replace")
    head = f"{marker(cut(key or review.title, 200))}\n"
    for detail in _STEPS:
        try:
            return head + _fitting(_Text(review, page, detail).lines(), most - len(head))
        except _TooLongError:
            continue
    return head + _Text(review, page, _STEPS[-1]).shortened(most - len(head))


def _fitting(lines: Iterator[str], most: int) -> str:
    """The lines as one text.

    Raises:
        _TooLongError: They are longer. It is raised as soon as they are.
    """
    taken = []
    for each in lines:
        most -= len(each) + 1
        if most < 0:
            raise _TooLongError
        taken.append(f"{each}\n")
    return "".join(taken)


@dataclass(frozen=True)
class _Group:
    """Findings of one severity and one rule."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The first of them, which stands for all."""
        return self.findings[0]


class _Text:
    """A review in one detail."""

    def __init__(self, review: Review, page: str, detail: _Detail) -> None:
        self._review = review
        self._page = page
        self._detail = detail

    def lines(self) -> Iterator[str]:
        """All of it."""
        yield from self._top()
        if self._detail.grouped:
            yield from self._groups(self._review.findings)
            for group in _grouped(self._review.findings):
                yield from self._names(group, _names(group.findings))
        else:
            yield from self._table()
        if self._detail.each and self._review.findings:
            yield from self._each()
        elif self._detail.rules and self._review.findings:
            yield from self._by_rule()
        yield from self._waived()
        if self._detail.totals and self._review.totals:
            yield from _totals(self._review.totals)
        if self._detail.picture and self._review.parts:
            yield from _folded("What changes, as a picture", [fence(mermaid(self._review.parts), "mermaid")])
        yield from self._bottom()

    def shortened(self, most: int) -> str:
        """All of it, with as much of each name as there is room for, and with as many names if that is too little."""
        groups = _grouped(self._review.findings)
        taken = list(self._top())
        left = most - sum(len(each) + 1 for each in (*taken, *self._bottom(), _LIST_ELSEWHERE)) - 2
        table = list(self._groups(self._review.findings))
        fits = _fitted(table, left // 2)
        if len(fits) < len(table):
            fits.append(row("", f"and {len(table) - len(fits)} more rules", "", ""))
        taken += fits
        left -= sum(len(each) + 1 for each in fits) + 100
        names = {id(group): _names(group.findings, in_words=False) for group in groups}
        room = left - sum(len(line) + 1 for group in groups for line in self._names(group, ((), "")))
        width = _width([len(each) for some, _ in names.values() for each in some], room)
        complete = width >= _SHORTEST
        for index, group in enumerate(groups):
            some, instead = names[id(group)]
            share = left // (len(groups) - index) if not complete else left
            short = [_end_of(each, width if complete else _ENOUGH) for each in some]
            block = list(self._names(group, (short, instead)))
            if (size := sum(len(each) + 1 for each in block)) > share:
                around = sum(len(each) + 1 for each in self._names(group, ((), instead)))
                fit = _fitted(short, share - around - 40)
                if not fit:
                    continue  # the table has how many they are
                block = list(self._names(group, (fit, instead), of=len(short)))
                size = sum(len(each) + 1 for each in block)
            left -= size
            taken += block
        taken += ["", _LIST_ELSEWHERE, *self._bottom()]
        return "".join(f"{each}\n" for each in taken)

    def _top(self) -> Iterator[str]:
        yield f"## {_VERDICTS[self._review.verdict]} {prose(cut(self._review.headline, 1_000))}"
        yield ""
        counts = f": {self._review.changes}" if self._review.actions is not None else ""
        yield f"Plan of {code(cut(self._review.title, 200)) or 'a stack'}{counts}."

    def _bottom(self) -> Iterator[str]:
        made = f" · Terraform {prose(cut(self._review.terraform, 40))}" if self._review.terraform else ""
        yield ""
        yield f"<sub>hikube-kafka review{made}</sub>"

    def _table(self) -> Iterator[str]:
        findings = self._review.findings
        if findings:
            yield ""
        yield from self._rows(findings[:_OPEN])
        if rest := findings[_OPEN:]:
            yield from _folded(f"{_counted(len(rest), 'more finding')}: {_by_severity(rest)}", self._rows(rest))

    def _rows(self, findings: Sequence[Finding]) -> Iterator[str]:
        if findings:
            yield row("", "where", "what the plan does")
            yield "|---|---|---|"
        for each in findings:
            told = [prose(cut(self._told(each), self._detail.longest))]
            seen = 0 if _is_whole(each) else self._detail.differences
            told += [self._difference(*change) for change in self._differences(each.untold[:seen])]
            if (more := len(each.untold) - seen) > 0 and seen:
                told.append(f"… and {more} more")
            yield row(_MARKS[each.severity], self._where(each), "<br>".join(told))

    def _where(self, finding: Finding) -> str:
        return code(_clipped(finding.address, self._detail.longest)) or "the whole plan"

    def _told(self, finding: Finding) -> str:
        return line(finding.told)

    def _differences(self, some: Iterable[Difference]) -> Iterator[tuple[str, str, str]]:
        longest = min(200, self._detail.longest)
        for each in some:
            yield _clipped(each.setting, longest), _clipped(each.before, longest), _clipped(each.after, longest)

    def _difference(self, setting: str, before: str, after: str) -> str:
        return f"{code(setting) or '(no name)'}: {code(before) or '(none)'} → {code(after) or '(none)'}"

    def _each(self) -> Iterator[str]:
        findings = self._review.findings
        if len(findings) <= _APART:
            for each in findings:
                yield from self._of(each)
        else:
            inner = (line for each in findings for line in self._of(each))
            yield from _folded("Why it matters, and what to do: each finding", inner)

    def _of(self, finding: Finding) -> Iterator[str]:
        sign = _MARKS[finding.severity].split()[0]
        about = prose(cut(finding.where or finding.address, 200)) or "the whole plan"
        inner = [*self._explained(finding)]
        if len(finding.differences) > self._detail.differences or _is_whole(finding):
            inner += ["", row("setting", "before", "after"), "|---|---|---|"]
            inner += [row(*map(code, each)) for each in self._differences(finding.differences[:60])]
            if (more := len(finding.differences) - 60) > 0:
                inner.append(row(f"… and {more} more", "", ""))
        inner += ["", self._source(finding)]
        if finding.fingerprint and finding.severity != "notice" and finding.rule not in _NEVER_WAIVED:
            waiver = f"waivers:\n  - fingerprint: {line(finding.fingerprint)}\n    owner: \n    reason: \n    until: "
            inner += ["", "To waive this change, and no other, add to the policy:", "", fence(waiver, "yaml")]
        yield from _folded(f"{sign} {about} ({prose(cut(finding.rule, 100))}): why, and what to do", inner)

    def _by_rule(self) -> Iterator[str]:
        inner = []
        for group in _grouped(self._review.findings):
            each = group.first
            inner += ["", f"**{_MARKS[each.severity].split()[0]} {self._link(each)}**, {_counted(len(group.findings))}"]
            if len(group.findings) > 1:
                inner[-1] += f", for {prose(cut(each.where or each.address, 200)) or 'the whole plan'}:"
            inner += self._explained(each)
        yield from _folded("Why it matters, and what to do: each rule", inner)

    def _explained(self, finding: Finding) -> Iterator[str]:
        for what, text in (("Why it matters", finding.why), ("What to do", finding.remedy)):
            told = list(blocks(cut(text, self._detail.longest)))
            if told:
                yield ""
                yield f"**{what}:** {told[0]}" if not told[0].startswith("```") else f"**{what}:**\n\n{told[0]}"
            for each in told[1:]:
                yield ""
                yield each

    def _source(self, finding: Finding) -> str:
        declared = f"Declared at {code(_clipped(str(finding.declared), 300))}. " if finding.declared else ""
        return f"{declared}Rule {self._link(finding)}."

    def _link(self, finding: Finding) -> str:
        rule = cut(finding.rule, 100)
        return f"[{prose(rule) or '?'}]({self._page}#{quote(rule, safe='', errors='replace')})"

    def _groups(self, findings: Sequence[Finding]) -> Iterator[str]:
        yield ""
        yield row("", "rule", "findings", "what the plan does")
        yield "|---|---|---|---|"
        for group in _grouped(findings):
            each = group.first
            told = prose(cut(self._told(each), self._detail.longest))
            if len(group.findings) > 1:
                told = f"For example, {told}"
            yield row(_MARKS[each.severity], self._link(each), f"{len(group.findings):,}", told)

    def _names(self, group: _Group, names: tuple[Sequence[str], str], *, of: int = 0) -> Iterator[str]:
        """The names of a group as a list.

        Args:
            group: It.
            names: They, and what they are a part of; empty: of nothing.
            of: How many there are; 0: all are here.
        """
        some, instead = names
        yield from _folded(
            f"{_MARKS[group.first.severity].split()[0]} {prose(cut(group.first.rule, 100))}: "
            f"{_counted(len(group.findings))}",
            [
                *([f"Each stands in place of … in {code(_clipped(instead, 600))}:", ""] if instead else []),
                fence("\n".join(some)),
                *(["", f"… and {of - len(some):,} more."] if of else []),
            ],
        )

    def _waived(self) -> Iterator[str]:
        waived = self._review.waived
        if not waived:
            return
        if self._detail.grouped:
            inner = [fence("\n".join(_names_in_full(waived)))]
        else:
            inner = [row("where", "what the plan does", "waived"), "|---|---|---|"]
            inner += [
                row(
                    self._where(each),
                    f"{prose(cut(self._told(each), self._detail.longest))} {self._link(each)}",
                    prose(cut(each.waived, self._detail.longest)),
                )
                for each in waived
            ]
        yield from _folded(f"{len(waived):,} waived", inner)


def _folded(summary: str, inner: Iterable[str]) -> Iterator[str]:
    """What is seen after a click. The blank lines make Markdown of what is inside."""
    yield ""
    yield f"<details><summary>{summary}</summary>"
    yield ""
    yield from inner
    yield ""
    yield "</details>"


def _is_whole(finding: Finding) -> bool:
    """Whether all of something comes or goes: its settings, one by one, tell nothing more on the first screen."""
    some = finding.differences
    return len(some) > 1 and (not any(each.before for each in some) or not any(each.after for each in some))


def _totals(totals: Sequence[Total]) -> Iterator[str]:
    changed = [each for each in totals if each.before != each.after]
    shown = [*changed, *(each for each in totals if each.before == each.after)][:_TOTALS]
    rows = [row("", "", "before", "after"), "|---|---|---|---|"]
    for each in sorted(shown, key=totals.index) if len(totals) <= _TOTALS else shown:
        before, after = (prose(cut(text, 100)) or "none" for text in (each.before, each.after))
        rows.append(
            row(
                prose(cut(each.of, 100)),
                prose(cut(each.what, 100)),
                before,
                f"**{after}**" if each in changed else after,
            )
        )
    if (more := len(totals) - len(shown)) > 0:
        rows.append(row(f"and {more} more", "", "", ""))
    yield from _folded("Servers, storage and topics, before and after", rows)


def _grouped(findings: Sequence[Finding]) -> list[_Group]:
    order = {"error": 0, "warning": 1, "notice": 2}
    by_rule = sorted(findings, key=lambda each: (order[each.severity], each.rule))
    return [_Group(tuple(group)) for _, group in groupby(by_rule, key=lambda each: (each.severity, each.rule))]


def _names_in_full(findings: Sequence[Finding]) -> list[str]:
    return [line(each.address or each.where) or "the whole plan" for each in findings]


def _names(findings: Sequence[Finding], *, in_words: bool = True) -> tuple[list[str], str]:
    """What tells the findings of a group apart, and what they have in common around it: ``this["…"]``.

    Args:
        findings: Of one rule.
        in_words: Do not cut a name within a word: topics ``orders-1`` and ``orders-2`` are no ``1`` and ``2``.
    """
    names = _names_in_full(findings)
    start = _common_start(names)
    if in_words:
        start = start[: max(start.rfind(each) + 1 for each in '."[')]
    rests = [each[len(start) :] for each in names]
    end = _common_start([each[::-1] for each in rests])
    if in_words:
        end = "".join(takewhile(lambda each: each in '"]', end))
    rests = [each[: len(each) - len(end)] for each in rests]
    if len(names) < 2 or not all(rests) or len(start) + len(end) < _SHORTEST:  # noqa: PLR2004 - one has nothing in common
        return names, ""
    return rests, f"{start}…{end[::-1]}"


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    return first[: next((index for index, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def _width(lengths: Sequence[int], room: int) -> int:
    """How many characters of each name fit, a line each."""
    low, high = 0, max(lengths, default=0)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(each, middle) + 1 for each in lengths) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _end_of(name: str, most: int) -> str:
    """The end of a name, which tells it from others."""
    return name if len(name) <= most else f"…{name[len(name) - most + 1 :]}"


def _clipped(name: str, most: int) -> str:
    """A name without its middle, if it is too long."""
    name = line(name)
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most // 2 - 1) :]}"


def _fitted(lines: Sequence[str], most: int) -> list[str]:
    taken = []
    for each in lines:
        most -= len(each) + 1
        if most < 0:
            break
        taken.append(each)
    return taken


def _counted(count: int, what: str = "finding") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _by_severity(findings: Sequence[Finding]) -> str:
    counts = Counter(each.severity for each in findings)
    return ", ".join(f"{counts[each]:,} {_VERBS[each][counts[each] == 1]}" for each in _VERBS if counts[each])


_VERBS: dict[Severity, tuple[str, str]] = {
    "error": ("block", "blocks"),
    "warning": ("warn", "warns"),
    "notice": ("inform", "informs"),
}
