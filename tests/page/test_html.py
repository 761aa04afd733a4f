"""The page, as a parser of HTML reads it."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import pytest

from hikube_kafka.page.html import rendered
from hikube_kafka.page.model import (
    Change,
    Entry,
    Fact,
    Figure,
    Mark,
    Node,
    Page,
    Picture,
    Section,
    Table,
    Tone,
)
from tests.review.samples import NASTY

VOID = {"meta", "br"}


class Structure(HTMLParser):
    """The tags with their attributes, and the texts; tags that do not close in order fail."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def parsed(html: str) -> Structure:
    structure = Structure()
    structure.feed(html)
    structure.close()
    assert structure.open == []
    return structure


def page_of(text: str) -> Page:
    """A page of everything that there is, with this text in every place."""
    mark = Mark(tone=Tone.BAD, word=text)
    figure = Figure(value=text, name=text)
    entry = Entry(
        mark=mark,
        title=text,
        changes=(Change(what=text, before=text, after=text),),
        body=f"a{text}",
        evidence=(Fact(name=text, lines=(text, text)),),
        facts=(Fact(name=text, lines=(text,) * 15, code=True, link=text),),
        remedy=f"a{text}",
        command=f"a{text}",
    )
    nodes = tuple(
        Node(id=id_, name=text, kind=text, mark=mark, below=below)
        for id_, below in (("a", ""), ("b", "a"), (text or "c", "a"))
    )
    section = Section(
        title=text,
        text=f"a{text}",
        mark=mark,
        figures=(figure,),
        contents=(
            entry,
            replace(entry, folded=True),
            Table(head=(text, text), rows=((text, mark),)),
            Picture(title=text, nodes=nodes),
        ),
    )
    return Page(
        kind=text,
        title=text,
        verdict=mark,
        headline=text,
        figures=(figure,),
        sections=(replace(section, parts=(section,)), replace(section, folded=True)),
        note=text,
    )


HARMLESS = parsed(rendered(page_of("x")))


@pytest.mark.parametrize(
    "text", [*filter(None, NASTY), "'\"><svg onload=alert(1)>", "</style></title>", "</pre></code>", "\x85\x9b"]
)
def test_no_text_changes_the_structure(text: str) -> None:
    html = rendered(page_of(text))

    html.encode()
    found = parsed(html)
    # Prose has paragraphs and code of its own; everything else is as it is for any text.
    flexible = {"p", "pre", "code"}
    pick = [each for each in found.tags if each[0] not in flexible]
    expected = [each for each in HARMLESS.tags if each[0] not in flexible]
    assert [_without_value(each) for each in pick] == [_without_value(each) for each in expected]
    assert {name for _, attributes in found.tags for name, _ in attributes} <= {
        name for _, attributes in HARMLESS.tags for name, _ in attributes
    }


def _without_value(
    tag: tuple[str, tuple[tuple[str, str | None], ...]],
) -> tuple[str, tuple[tuple[str, str | None], ...]]:
    # What was not set is shown so, and where lines turn depends on the boxes alone.
    name, attributes = tag
    return name, () if name in {"span", "td"} else attributes


@pytest.mark.parametrize("text", ["a <b> & \"c\" 'd'", "line\r\nbreak", "\u202eesrever", "half \ud800"])
def test_a_text_is_shown_as_it_is(text: str) -> None:
    shown = "".join(parsed(rendered(page_of(text))).texts)

    expected = text.replace("\r\n", "\n").replace("\u202e", "\ufffd").replace("\ud800", "\ufffd")
    assert shown.count(expected) > 40


@pytest.mark.parametrize(
    ("link", "linked"),
    [
        ("https://example.com/docs/review.md#rule", True),
        ("http://example.com/a?b=c&d=e", True),
        ("javascript:alert(1)", False),
        ('https://example.com/"onclick=x', False),
        ("https://example.com/ x", False),
        ("docs/review.md", False),
        ("", False),
    ],
)
def test_only_an_address_of_the_web_is_linked(link: str, linked: bool) -> None:  # noqa: FBT001 - a case
    entry = Entry(
        mark=Mark(tone=Tone.NOTE, word="x"), title="x", facts=(Fact(name="Rule", lines=("rule",), link=link),)
    )
    html = rendered(replace(page_of("x"), sections=(Section(title="x", contents=(entry,)),)))

    hrefs = [dict(attributes)["href"] for tag, attributes in parsed(html).tags if tag == "a"]
    assert hrefs == ["#main"] + [link] * linked


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    html = rendered(page_of("x"))
    found = parsed(html)

    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in found.tags}
    assert not {name for _, attributes in found.tags for name, _ in attributes if name.startswith("on")}
    assert "src" not in {name for _, attributes in found.tags for name, _ in attributes}
    assert not re.search(r"@import|url\(|expression\(", html)
    policy = next(
        dict(attributes) for tag, attributes in found.tags if ("http-equiv", "Content-Security-Policy") in attributes
    )
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def test_the_page_can_be_walked_by_its_headings_and_landmarks() -> None:
    tags = HARMLESS.tags
    names = [tag for tag, _ in tags]

    assert tags[0] == ("html", (("lang", "en"),))
    assert [names.count(each) for each in ("h1", "header", "nav", "main", "footer")] == [1, 1, 1, 1, 1]
    levels = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [value for _, attributes in tags for name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    labels = [value for _, attributes in tags for name, value in attributes if name == "aria-labelledby"]
    assert labels
    assert set(labels) <= set(ids)
    targets = {str(value).removeprefix("#") for _, attributes in tags for name, value in attributes if name == "href"}
    assert targets <= set(ids) | {"x"}
    assert all(("scope", "col") in attrs or ("scope", "row") in attrs for tag, attrs in tags if tag == "th")


def test_indented_lines_are_code_and_keep_their_shape() -> None:
    entry = Entry(
        mark=Mark(tone=Tone.NOTE, word="x"), title="x", remedy="Run:\n\n  import {\n    to = a\n  }\n\nor\nnot.\n\nEnd."
    )
    html = rendered(replace(page_of("x"), sections=(Section(title="x", contents=(entry,)),)))

    assert '<pre tabindex="0"><code>import {\n  to = a\n}</code></pre>' in html
    assert "<p>Run:</p>" in html
    assert "<p>or\nnot.</p>\n<p>End.</p>" in html


def test_many_lines_are_folded_and_none_is_dropped() -> None:
    html = rendered(page_of("x"))

    assert "<summary>3 more</summary>" in html
    assert html.count("<code>x</code>") > 15


# --- contrast --------------------------------------------------------------------------------------------------------

CSS = (files("hikube_kafka.page") / "page.css").read_text("utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
)
TONES = [str(tone) for tone in Tone]
PAIRS = [
    *((text, ground) for text in ("text", "soft", "link") for ground in ("ground", "surface", "sunken")),
    *((tone, f"{tone}-ground") for tone in TONES),
    *(("text", f"{tone}-ground") for tone in TONES),
    *(("soft", f"{tone}-ground") for tone in TONES),
    *((tone, "ground") for tone in TONES),
]


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_can_be_read_in_both_schemes(scheme: dict[str, str]) -> None:
    low = []
    for text, ground in PAIRS:
        light, dark = sorted((luminance(scheme[text]), luminance(scheme[ground])), reverse=True)
        low += [(text, ground)] if (light + 0.05) / (dark + 0.05) < 4.5 else []
    assert low == []


def test_every_tone_has_a_colour_and_a_sign_of_its_own() -> None:
    html = rendered(
        replace(
            page_of("x"),
            sections=(
                Section(
                    title="x", contents=(Table(head=("x",), rows=tuple((Mark(tone=each, word="y"),) for each in Tone)),)
                ),
            ),
        )
    )
    signs = re.findall(
        r'<td><span class="mark (\w+)"><span class="sign" aria-hidden="true">(.)</span>y</span></td>', html
    )
    assert [tone for tone, _ in signs] == TONES
    assert len({sign for _, sign in signs}) == len(TONES)
    assert all(f".{tone} {{ --tone: var(--{tone})" in CSS for tone in TONES)
