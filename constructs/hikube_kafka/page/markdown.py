"""Any text as Markdown that shows exactly it, on GitHub and on GitLab.

Both hosts read a comment twice: as Markdown, and then the text that came out of it, where they look for people, issues,
commits and emoji. An entity or a backslash ends the first reading only, so that what would start a reference is also
followed by a space without width. In code neither host looks for any.
"""

import re
import textwrap
from collections.abc import Iterator

from hikube_kafka.page.text import showable

_ZERO_WIDTH = "\u200b"
_UNSEEN = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
"""What nobody sees: it would hide a difference between two names, or the end of a reference."""
_LINE_ENDS = re.compile("[\u2028\u2029]")
_WHITE = re.compile(r"\s+")
_STARTS_A_REFERENCE = re.compile(
    # People, issues, merge requests, milestones, labels, epics, alerts, snippets, emoji, addresses.
    r"[@#!%~&^$:](?=\S|$)"
    r"|\b(?:GH|GL)-(?=[0-9])|\bwww\.(?=\S)"
    # Pages of a wiki and a table of contents, and what was added or removed.
    r"|[\[{](?=[\[+-])|\[(?=TOC\b)",
    re.IGNORECASE,
)
_COMMIT = re.compile(r"\b(?:[0-9a-f]{40,}|(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,})\b", re.IGNORECASE)
_HALF = re.compile("[0-9a-f]{6}(?=[0-9a-f])", re.IGNORECASE)
_INSIDE_A_WORD = re.compile(r"(?<=[^\W_])_(?=[^\W_])")
_ENTITIES = {ord(each): f"&#{ord(each)};" for each in "`*_[]|\\~$@" + _ZERO_WIDTH}
_ENTITIES |= {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
_NOT_IN_BACKTICKS = re.compile(r"[`|\\]|<!--")
_OPENS_A_BLOCK = re.compile(r"[^\w&<]")
_AT_A_LINE = re.compile(r"^(?=[/:>])", re.MULTILINE)


def legible(text: str) -> str:
    """The text in lines that end as on Unix, with a mark in place of each character that nobody can see."""
    return _UNSEEN.sub("\ufffd", _LINE_ENDS.sub("\n", showable(text)))


def line(text: str) -> str:
    """The legible text in one line."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # as nearly all of thousands are
    return _WHITE.sub(" ", legible(text)).strip()


def prose(text: str) -> str:
    """A line of text, for a cell, after other text, or in HTML: nothing in it is markup or a reference."""
    text = _COMMIT.sub(lambda found: _HALF.sub(rf"\g<0>{_ZERO_WIDTH}", found[0]), line(text))
    text = _STARTS_A_REFERENCE.sub(rf"\g<0>{_ZERO_WIDTH}", text)
    # Within a word it is no emphasis, and most names have some.
    text = _INSIDE_A_WORD.sub("\0", text)
    return text.translate(_ENTITIES).replace("\0", "_")


def code(text: str) -> str:
    """A name or a value, in one line of code that can be copied; empty for an empty text."""
    text = line(text)
    if not text:
        return ""
    return f"<code>{prose(text)}</code>" if _NOT_IN_BACKTICKS.search(text) else f"`{text}`"


def fence(text: str, language: str = "") -> str:
    """Lines of code, as a block."""
    text = _AT_A_LINE.sub(" ", legible(text)).replace("<!--", f"<{_ZERO_WIDTH}!--")
    marks = "`" * max(3, 1 + max((len(each) for each in re.findall("`+", text)), default=0))
    return f"{marks}{language}\n{text}\n{marks}"


def blocks(text: str) -> Iterator[str]:
    """A text of several paragraphs, in which indented lines are commands, as blocks of Markdown."""
    for commands, lines in _runs(legible(text)):
        if commands:
            yield fence(textwrap.dedent("\n".join(lines)).strip("\n"))
        else:
            yield from filter(None, (_paragraph(each) for each in "\n".join(lines).split("\n\n")))


def _paragraph(text: str) -> str:
    text = prose(text)
    # No list, heading, quotation or action of the host begins here.
    if re.match("[0-9]", text) or _OPENS_A_BLOCK.match(text):
        return f"&#{ord(text[0])};{text[1:]}"
    return text


def _runs(text: str) -> Iterator[tuple[bool, list[str]]]:
    """The lines, as long as all of them are commands, or none is."""
    run: list[str] = []
    of_commands = False
    for each in text.split("\n"):
        is_command = each.startswith("  ") if each.strip() else of_commands
        if run and is_command != of_commands:
            yield of_commands, run
            run = []
        of_commands = is_command
        run.append(each)
    if run:
        yield of_commands, run


def row(*cells: str) -> str:
    """A row of a table; the cells are Markdown."""
    return f"| {' | '.join(cells)} |"
