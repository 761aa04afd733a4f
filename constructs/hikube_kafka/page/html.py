"""A page as HTML: one file, without a script, that loads nothing and works wherever it is opened."""

import re
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from itertools import count, groupby

from hikube_kafka.page.model import Change, Entry, Fact, Figure, Mark, Page, Picture, Section, Table, Tone
from hikube_kafka.page.picture import drawn
from hikube_kafka.page.text import showable

_FEW = 12
"""Lines of a fact that are seen at first."""
_SIGNS = {
    Tone.GOOD: "✔",
    Tone.BAD: "✘",
    Tone.WARNING: "!",
    Tone.NOTE: "i",
    Tone.UNKNOWN: "?",
    Tone.QUIET: "–",  # noqa: RUF001 - a dash, as it is printed
}


def rendered(page: Page) -> str:
    """The page, as the text of a file in UTF-8."""
    return "".join(_Writer().page(page))


class _Writer:
    """Writes one page. Ids are numbers, never texts of the page."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def page(self, page: Page) -> Iterator[str]:
        title = f"{page.verdict.word}: {page.title}, {page.kind.lower()}"
        sections = [(f"s{next(self._numbers)}", each) for each in page.sections]
        yield (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            "base-uri 'none'; form-action 'none'\">\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
            f"<title>{_text(title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n"
            '<a class="skip" href="#main">Skip to the findings</a>\n<header>\n'
            f'<p class="kind">{_text(page.kind)}</p>\n<h1>{_text(page.title)}</h1>\n'
            f'<div class="verdict {page.verdict.tone}">{_sign(page.verdict.tone)}<p><strong>{_text(page.verdict.word)}'
            f"</strong> <span>{_text(page.headline)}</span></p></div>\n"
        )
        yield _figures(page.figures)
        yield "</header>\n"
        if len(sections) > 1:
            links = "".join(f'<li><a href="#{id_}">{_text(each.title)}</a></li>' for id_, each in sections)
            yield f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n'
        yield '<main id="main" tabindex="-1">\n'
        for id_, section in sections:
            yield from self.section(section, id_, 2)
        yield f"</main>\n<footer><p>{_text(page.note)}</p></footer>\n</body>\n</html>\n"

    def section(self, section: Section, id_: str, level: int) -> Iterator[str]:
        mark = _mark(section.mark) if section.mark else ""
        heading = f'<h{level} id="{id_}">{_text(section.title)}</h{level}>'
        yield f'<section aria-labelledby="{id_}">\n'
        if section.folded:
            yield f'<details class="fold"><summary>{heading}{mark}</summary>\n'
        else:
            yield f'<div class="heading">{heading}{mark}</div>\n'
        yield _prose(section.text)
        yield _figures(section.figures)
        for each in section.contents:
            yield self.content(each, level + 1)
        for part in section.parts:
            yield from self.section(part, f"s{next(self._numbers)}", level + 1)
        yield ("</details>\n" if section.folded else "") + "</section>\n"

    def content(self, content: Entry | Table | Picture, level: int) -> str:
        match content:
            case Entry():
                return self.entry(content, level)
            case Table():
                return _table(content)
            case Picture():
                name = f"p{next(self._numbers)}"
                label = f'role="group" aria-labelledby="{name}" tabindex="0"'
                return f'<div class="wide" {label}>{drawn(content, name)}</div>\n'

    def entry(self, entry: Entry, level: int) -> str:
        title = f"<h{level}>{_text(entry.title)}</h{level}>"
        body = "".join(
            (
                _prose(entry.body),
                _changes(entry.changes),
                _facts(entry.evidence, "evidence"),
                f'<div class="remedy"><p class="label">What to do</p>\n{_prose(entry.remedy)}</div>\n'
                if entry.remedy.strip()
                else "",
                _code(entry.command) if entry.command.strip() else "",
                _facts(entry.facts, "facts"),
            )
        )
        tone = entry.mark.tone
        if entry.folded:
            return (
                f'<article class="entry {tone}"><details><summary>{_mark(entry.mark)}{title}</summary>\n'
                f"{body}</details></article>\n"
            )
        return f'<article class="entry {tone}"><div class="top">{_mark(entry.mark)}{title}</div>\n{body}</article>\n'


def _style() -> str:
    return (files("hikube_kafka.page") / "page.css").read_text("utf-8")


def _text(text: str) -> str:
    return escape(showable(text))


def _sign(tone: Tone) -> str:
    return f'<span class="sign" aria-hidden="true">{_SIGNS[tone]}</span>'


def _mark(mark: Mark) -> str:
    return f'<span class="mark {mark.tone}">{_sign(mark.tone)}{_text(mark.word)}</span>'


def _figures(figures: Iterable[Figure]) -> str:
    shown = "".join(
        f'<div class="{each.tone}"><dt>{_text(each.name)}</dt><dd>{_text(each.value)}</dd></div>' for each in figures
    )
    return f'<dl class="figures">{shown}</dl>\n' if shown else ""


def _changes(changes: Iterable[Change]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><code>{_text(each.what)}</code></th><td class="before">{_value(each.before)}</td>'
        f'<td class="after">{_value(each.after)}</td></tr>\n'
        for each in changes
    )
    head = '<tr><th scope="col">Setting</th><th scope="col">Before</th><th scope="col">After</th></tr>'
    return f'<table class="changes"><thead>{head}</thead><tbody>\n{rows}</tbody></table>\n' if rows else ""


def _value(text: str) -> str:
    return f"<span>{_text(text)}</span>" if text else '<span class="none">not set</span>'


def _facts(facts: Iterable[Fact], name: str) -> str:
    shown = "".join(f"<dt>{_text(each.name)}</dt><dd>{_lines(each)}</dd>\n" for each in facts)
    return f'<dl class="{name}">\n{shown}</dl>\n' if shown else ""


def _lines(fact: Fact) -> str:
    tag = "code" if fact.code else "span"
    lines = [f"<{tag}>{_text(line)}</{tag}>" for line in fact.lines]
    if re.fullmatch(r"https?://[^\s\"<>]+", fact.link):
        lines = [f'<a href="{_text(fact.link)}" rel="noreferrer">{line}</a>' for line in lines]
    if (left := len(lines) - _FEW) <= 0:
        return "<br>".join(lines)
    return f"{'<br>'.join(lines[:_FEW])}<details><summary>{left} more</summary>{'<br>'.join(lines[_FEW:])}</details>"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(each)}</th>' for each in table.head)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in table.rows)
    return f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>\n'


def _cell(cell: str | Mark) -> str:
    return f"<td>{_mark(cell) if isinstance(cell, Mark) else _text(cell)}</td>"


def _prose(text: str) -> str:
    """Paragraphs, and what is indented as code."""
    blocks = []
    for is_code, lines in groupby(showable(text).split("\n"), key=_is_code):
        joined = "\n".join(lines)
        if is_code:
            blocks.append(_code(joined))
        else:
            blocks += [f"<p>{escape(each.strip())}</p>\n" for each in re.split(r"\n\s*\n", joined) if each.strip()]
    return "".join(blocks)


def _is_code(line: str) -> bool:
    return line.startswith("  ") and bool(line.strip())


def _code(text: str) -> str:
    lines = showable(text).split("\n")
    margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    code = escape("\n".join(line[margin:] for line in lines).strip("\n"))
    return f'<pre tabindex="0"><code>{code}</code></pre>\n'
