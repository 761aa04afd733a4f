"""A link within the repository leads to a file that is there, and to a heading that is in it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md"))
    if page.is_file()
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`((?:constructs|docs|scripts|stacks|tests|benchmarks)/[\w./-]+)`")


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them, and the anchors that are written out."""
    text = CODE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    written = set(re.findall(r'<a id="([\w-]+)">', text))
    return written | {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(page: Path, text: str) -> list[str]:
    found = []
    for link in LINK.findall(CODE.sub("", text)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found + [path for path in PATH.findall(text) if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page, page.read_text("utf-8")) == []


@pytest.mark.parametrize("text", ["[x](nowhere.md)", "[x](README.md#nowhere)", "[x](#nowhere)", "`docs/nowhere.md`"])
def test_a_link_that_leads_nowhere_is_found(text: str) -> None:
    assert broken(ROOT / "CONTRIBUTING.md", text)
