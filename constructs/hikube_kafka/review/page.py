"""A review as a page of HTML that stands alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hikube_kafka import __version__
from hikube_kafka.page.html import rendered
from hikube_kafka.page.model import Change, Entry, Fact, Figure, Mark, Node, Page, Picture, Section, Table, Tone
from hikube_kafka.review.finding import Finding, Verdict
from hikube_kafka.review.outcome import Part, Review, Total
from hikube_kafka.review.plan import Action
from hikube_kafka.spec.problem import Severity

NODES = 30
"""Most boxes of the picture."""
_OPEN = 200
"""Findings of one severity that are seen with all they say; the rest are folded."""

_VERDICTS = {
    Verdict.PASSED: Mark(tone=Tone.GOOD, word="Passed"),
    Verdict.BLOCKED: Mark(tone=Tone.BAD, word="Blocked"),
    Verdict.UNREVIEWED: Mark(tone=Tone.UNKNOWN, word="Could not review"),
}
_MARKS: Mapping[Severity, Mark] = {
    "error": Mark(tone=Tone.BAD, word="blocks"),
    "warning": Mark(tone=Tone.WARNING, word="warning"),
    "notice": Mark(tone=Tone.NOTE, word="notice"),
}
_WAIVED = Mark(tone=Tone.QUIET, word="waived")
_HEADINGS: Mapping[Severity, str] = {"error": "What blocks", "warning": "Warnings", "notice": "Notices"}
_ACTIONS = {
    Action.NOTHING: Mark(tone=Tone.QUIET, word="unchanged"),
    Action.READ: Mark(tone=Tone.QUIET, word="read"),
    Action.CREATE: Mark(tone=Tone.GOOD, word="created"),
    Action.UPDATE: Mark(tone=Tone.NOTE, word="changed"),
    Action.DELETE: Mark(tone=Tone.BAD, word="deleted"),
    Action.REPLACE: Mark(tone=Tone.BAD, word="replaced"),
    Action.FORGET: Mark(tone=Tone.WARNING, word="forgotten"),
    Action.FORGET_AND_CREATE: Mark(tone=Tone.BAD, word="forgotten, and another created"),
    Action.OTHER: Mark(tone=Tone.UNKNOWN, word="unknown action"),
}


def render(review: Review, *, docs: str = "") -> str:
    """The page.

    Args:
        review: Waived findings are shown at the end, folded.
        docs: URL of this project's ``docs/``, for links to the rules; anything else makes no link.
    """
    verdict = _VERDICTS[review.verdict]
    return rendered(
        Page(
            kind="Plan review",
            title=review.title or "Plan",
            verdict=verdict,
            headline=review.unreviewed or review.headline.partition(": ")[2].capitalize() + ".",
            figures=tuple(_figures(review)),
            sections=tuple(_sections(review, docs)),
            note=f"hikube-kafka {__version__}"
            + (f", plan by Terraform {review.terraform}" if review.terraform else ""),
        )
    )


def _figures(review: Review) -> Iterator[Figure]:
    if review.unreviewed:
        return
    counts = Counter(each.severity for each in review.findings)
    yield Figure(value=str(counts["error"]), name="block", tone=Tone.BAD if counts["error"] else Tone.QUIET)
    yield Figure(
        value=str(counts["warning"]),
        name="warning" if counts["warning"] == 1 else "warnings",
        tone=Tone.WARNING if counts["warning"] else Tone.QUIET,
    )
    yield Figure(value=str(counts["notice"]), name="notice" if counts["notice"] == 1 else "notices")
    if review.waived:
        yield Figure(value=str(len(review.waived)), name="waived")
    for action, count in (review.actions or {}).items():
        if count and action not in {Action.NOTHING, Action.READ}:
            yield Figure(value=str(count), name=f"{'resource' if count == 1 else 'resources'} {_ACTIONS[action].word}")


def _sections(review: Review, docs: str) -> Iterator[Section]:
    for severity, heading in _HEADINGS.items():
        found = [each for each in review.findings if each.severity == severity]
        if found:
            entries = tuple(_entry(each, docs, folded=index >= _OPEN) for index, each in enumerate(found))
            yield Section(title=heading, contents=entries)
    if not review.findings and not review.unreviewed:
        yield Section(title="Findings", text="None: no rule has anything to say about this plan.")
    if review.totals:
        yield Section(title="Before and after", contents=(_totals(review.totals),))
    if review.parts:
        picture = Picture(title=_told(review.parts), nodes=tuple(_nodes(review.parts, review.findings)))
        yield Section(title="What changes", contents=(picture,))
    if review.waived:
        yield Section(
            title="Waived",
            text="The policy waives these findings: they block nothing.",
            contents=tuple(replace(_entry(each, docs, folded=True), mark=_WAIVED) for each in review.waived),
        )


def _entry(finding: Finding, docs: str, *, folded: bool) -> Entry:
    link = f"{docs.rstrip('/')}/{finding.page.removeprefix('docs/')}" if docs else ""
    facts = [Fact(name="Rule", lines=(finding.rule,), code=True, link=link)]
    if finding.waived:
        facts.append(Fact(name="Waived by", lines=(finding.waived,)))
    if finding.address:
        facts.append(Fact(name="Address", lines=(finding.address,), code=True))
    if finding.declared:
        facts.append(Fact(name="Declared at", lines=(str(finding.declared),), code=True))
    if finding.fingerprint:
        facts.append(Fact(name="Fingerprint", lines=(finding.fingerprint,), code=True))
    return Entry(
        mark=_MARKS[finding.severity],
        title=finding.told,
        changes=tuple(Change(what=each.setting, before=each.before, after=each.after) for each in finding.differences),
        body=finding.why,
        facts=tuple(facts),
        remedy=finding.remedy,
        folded=folded,
    )


def _totals(totals: Sequence[Total]) -> Table:
    rows = tuple(
        (each.of, each.what, each.before or "none", "as before" if each.before == each.after else each.after or "none")
        for each in totals
    )
    return Table(head=("Platform", "What", "Before", "After"), rows=rows)


def _told(parts: Sequence[Part]) -> str:
    counts = Counter(_ACTIONS[each.action].word for each in parts)
    return "What the plan changes: " + ", ".join(f"{count} {word}" for word, count in counts.items())


def _nodes(parts: Sequence[Part], findings: Sequence[Finding]) -> Iterator[Node]:
    """The boxes: what others stand on, then what changes, then the rest, as many as there is room for."""
    carrying = {each.belongs_to for each in parts}
    blocked = {each.address for each in findings if each.severity == "error"}

    def rank(part: Part) -> tuple[bool, bool, bool]:
        return part.address not in carrying, part.address not in blocked, part.action is Action.NOTHING

    first = sorted(parts, key=rank)[:NODES]
    kept = {each.address for each in first}
    for part in parts:
        if part.address in kept:
            yield _node(part, blocks=part.address in blocked)
    left = [each for each in parts if each.address not in kept]
    for (below, kind), count in Counter((each.belongs_to, each.kind) for each in left).items():
        of_these = [each.action for each in left if (each.belongs_to, each.kind) == (below, kind)]
        words = Counter(_ACTIONS[each].word for each in of_these)
        changed = any(each is not Action.NOTHING for each in of_these)
        yield Node(
            id=f"more {kind} of {below}",
            name=f"{count} more",
            kind=kind,
            mark=Mark(
                tone=Tone.NOTE if changed else Tone.QUIET,
                word=", ".join(f"{number} {word}" for word, number in words.items()) if changed else "unchanged",
            ),
            below=below,
        )


def _node(part: Part, *, blocks: bool) -> Node:
    mark = _ACTIONS[part.action]
    name = part.what.removeprefix(f"{part.kind} ") or part.address
    return Node(
        id=part.address,
        name=name,
        kind=part.kind,
        mark=Mark(tone=Tone.BAD, word=f"{mark.word}, blocks") if blocks else mark,
        below=part.belongs_to,
    )
