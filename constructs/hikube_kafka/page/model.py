"""What a page says. Every text is shown as it is: none of it is markup."""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a mark means. Its word says it too, so that nobody depends on colours."""

    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    NOTE = "note"
    UNKNOWN = "unknown"
    """Nobody could tell."""
    QUIET = "quiet"
    """As before, or left out."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A word with a tone: ``blocks``."""

    tone: Tone
    word: str


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number that is seen first: ``3 block``."""

    value: str
    name: str
    tone: Tone = Tone.QUIET


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that belongs to an entry: its address, what was seen."""

    name: str
    lines: tuple[str, ...]
    code: bool = False
    """Whether the lines are names of a machine."""
    link: str = ""
    """Where the lines are explained: an ``https`` address; anything else is not linked."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """A setting, before and after."""

    what: str
    before: str
    """Empty: it was not set."""
    after: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A finding."""

    mark: Mark
    title: str
    changes: tuple[Change, ...] = ()
    body: str = ""
    """Paragraphs with empty lines between; lines that begin with two spaces are code."""
    evidence: tuple[Fact, ...] = ()
    """What was expected, what was seen."""
    remedy: str = ""
    """What to do; likewise."""
    command: str = ""
    """A command that does it, to be copied."""
    facts: tuple[Fact, ...] = ()
    """What it is called, and where it comes from."""
    folded: bool = False
    """Whether only the title is seen at first."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows below a head; each row has as many cells as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str | Mark, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A thing in a picture."""

    id: str
    name: str
    kind: str
    mark: Mark
    below: str = ""
    """Id of the one that it stands on; empty: none."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Things that stand on each other, as boxes and lines, from left to right."""

    title: str
    """For those who do not see it."""
    nodes: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page, with a heading."""

    title: str
    contents: tuple[Entry | Table | Picture, ...] = ()
    text: str = ""
    mark: Mark | None = None
    """The outcome of this part, where it has one of its own."""
    figures: tuple[Figure, ...] = ()
    folded: bool = False
    parts: tuple["Section", ...] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page: the verdict first, then the figures, then the sections."""

    kind: str
    """What it is: ``Plan review``."""
    title: str
    """What it is about: ``events-staging``."""
    verdict: Mark
    headline: str
    figures: tuple[Figure, ...] = ()
    sections: tuple[Section, ...] = ()
    note: str = ""
    """At the foot: who made it."""
