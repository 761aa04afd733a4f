import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from hikube_kafka.page.markdown import legible, line
from hikube_kafka.review import markdown
from hikube_kafka.review.finding import Difference
from hikube_kafka.review.outcome import Review
from tests.review.samples import BLOCKED, NASTY, NOTHING, PASSED, RESTARTS, REVIEWS, SHRUNK, UNREVIEWED, hostile, large

ZERO_WIDTH = "\u200b"
REFERENCES = re.compile(
    r"@\w|#\d|\bGH-\d|![\w\"]|%[\w\"]|~[\w\"]|&\w|\$[^\s\u200b]|\^\w|:[\w+-]+:|\w:\w|://|mailto:|\bwww\.\w|\[\[|\b[0-9a-f]{40}\b",
    re.IGNORECASE,
)
"""What a host makes a link, a mention, a picture or a formula of, outside of code."""


@dataclass
class Page:
    """A comment as a host parses it."""

    blocks: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    """Cells as they are seen, without what has no width."""
    seen: list[str] = field(default_factory=list)
    """Texts outside of code."""
    code: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    """Inside of lines."""


def parsed(text: str) -> Page:
    page = Page()
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        if token.type == "inline":
            seen = "".join(_inline(token.children or [], page))
            if page.blocks[-1] in ("td", "th"):
                page.rows[-1].append(seen.replace(ZERO_WIDTH, ""))
        elif token.type == "html_block":
            page.blocks += re.findall(r"<!--.*?-->|</?\w+.*?>", token.content)
            page.seen.append(html.unescape(re.sub(r"<!--.*?-->|<[^>]*>", "", token.content)))
        elif token.type == "fence":
            page.blocks.append(f"fence {token.info}".strip())
            page.code.append(token.content)
        elif token.nesting >= 0:
            page.blocks.append(token.tag)
            if token.tag == "tr":
                page.rows.append([])
    return page


def _inline(children: list[Token], page: Page) -> Iterator[str]:
    inside = False
    for each in children:
        if each.type == "html_inline":
            inside = {"<code>": True, "</code>": False}.get(each.content, inside)
            page.tags.append(each.content)
            yield "\n" if each.content == "<br>" else ""
        elif each.type == "code_inline":
            page.code.append(each.content)
            yield each.content
        elif each.type == "link_open":
            page.links.append(str(each.attrs["href"]))
        elif each.type not in ("text", "link_close", "strong_open", "strong_close", "softbreak"):
            page.tags.append(each.type)
        else:
            if not inside:
                page.seen.append(each.content)
            yield each.content


def skeleton(page: Page) -> list[object]:
    """What a text must not change. A text of several paragraphs may be several of them, or lines of commands."""
    tags = sorted(set(page.tags) - {"<code>", "</code>"})
    return [
        [each for each in page.blocks if each not in ("p", "fence")],
        [len(row) for row in page.rows],
        page.links,
        tags,
    ]


HARMLESS = skeleton(parsed(markdown.render(hostile("harmless"), key="k")))


def assert_nothing_escapes(text: str) -> None:
    written = markdown.render(hostile(text), key="k")
    page = parsed(written)
    if line(text):
        assert skeleton(page) == HARMLESS
    assert not [found for seen in page.seen for found in [REFERENCES.search(seen)] if found]
    assert written.count("<!--") == 1
    assert not re.search(r"^\s?(/\w|>>>|:::?\w)", written, re.MULTILINE)
    message = f"{line(text)}: {legible(text)}" if line(text) else legible(text)
    # It begins with a capital, unless it is an address.
    assert page.rows[1][2].split("\n")[0].casefold() == line(message).casefold()
    written.encode()


@pytest.mark.parametrize("text", NASTY)
def test_no_text_leaves_its_place_or_reaches_somebody(text: str) -> None:
    assert_nothing_escapes(text)


PIECES = st.sampled_from(
    [*NASTY, *"|`*_~<>&@#!%$:[](){}\\/-+=.\n\r\t 1aA\"'", "\n\n", "  ", "://", "www.", "GH-", "``", "[ ]", "[x]", "---"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
@example("\n")
@example("\n a")
@example("\x1f")
def test_no_mixture_leaves_its_place_or_reaches_somebody(text: str) -> None:
    assert_nothing_escapes(text)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30))
@example("a.")
def test_no_character_leaves_its_place(text: str) -> None:
    assert_nothing_escapes(text)


@pytest.mark.parametrize(
    "text", [*NASTY, "`" * 9 + "\n```\n@x\n~~~", "<!-- hikube-kafka review: other -->\n/close\n  /close"]
)
def test_no_command_of_a_remedy_leaves_its_block(text: str) -> None:
    commands = "".join(f"\n  {each}" for each in ["run", *text.split("\n"), "end"])
    written = markdown.render(replace(BLOCKED, findings=(replace(SHRUNK, remedy=f"Do:\n{commands}\n"),)), key="k")
    block = next(each for each in parsed(written).code if each.startswith("run\n"))
    shown = legible(commands).replace("\n  ", "\n").removeprefix("\n")
    assert [each.strip() for each in block.replace(ZERO_WIDTH, "").strip().split("\n")] == [
        each.strip() for each in shown.split("\n")
    ]
    assert written.count("<!--") == 1
    assert not re.search(r"^(/\w|>>>|:::?\w)", written, re.MULTILINE)


def test_a_comment_begins_with_its_marker_and_the_verdict() -> None:
    lines = markdown.render(BLOCKED, key="events/eu").splitlines()
    assert lines[:4] == [
        "<!-- hikube-kafka review: events/eu -->",
        "## ⛔ Blocked: 2 findings block, 2 warnings, 1 waived",
        "",
        "Plan of `events-staging`: 3 to update, 1 to delete, 4 unchanged.",
    ]
    assert markdown.render(BLOCKED).startswith(markdown.marker("events-staging"))


@pytest.mark.parametrize("key", ["a--b", "-->", "a\nb", "--!>", "a---b", "%2D", "größe", "\ud800"])
def test_a_marker_is_one_comment_whatever_the_key(key: str) -> None:
    marker = markdown.marker(key)
    assert re.fullmatch(r"<!-- hikube-kafka review: (?:(?!--|[<>])[ -~])+ -->", marker)
    assert parsed(f"{marker}\ntext").blocks == [marker, "p"]


def test_no_two_keys_have_one_marker() -> None:
    keys = ["a--b", "a-%2Db", "a-b", "a---b", "a-%252Db", "a b", "a%20b"]
    assert len({markdown.marker(key) for key in keys}) == len(keys)


def test_findings_are_told_before_and_after_with_their_place_and_a_waiver_to_copy() -> None:
    page = parsed(markdown.render(BLOCKED))
    assert page.rows[1] == [
        "⛔ blocks",
        "hikube_kafka_topic.events_orders",
        "Topic orders: it cannot shrink from 12 to 6 partitions.",
    ]
    assert page.rows[3][:2] == ["⚠️ warns", "the whole plan"]
    assert page.rows[4][2].endswith("config[num.io.threads]: (none) → 16")
    assert "stacks/events.py:42" in page.code
    assert f"waivers:\n  - fingerprint: {SHRUNK.fingerprint}\n" in "".join(page.code)
    assert "docs/review.md#topic-partitions-shrink" in page.links
    assert "fence mermaid" in page.blocks


@pytest.mark.parametrize("rule", ["plan-errored", "plan-refused", "policy-waiver-expired", "policy-waiver-unused"])
def test_what_no_waiver_changes_has_none_to_copy(rule: str) -> None:
    text = markdown.render(replace(BLOCKED, findings=(replace(SHRUNK, rule=rule),)))
    assert "blocks" in text
    assert "waivers:" not in text


def test_commands_of_a_remedy_can_be_copied() -> None:
    code = parsed(markdown.render(BLOCKED)).code
    assert "terraform import hikube_kafka_topic.this payments.jobs\n" in code
    assert 'import {\n  to = hikube_kafka_topic.this\n  id = "payments.jobs"\n}\n' in code


@pytest.mark.parametrize(
    ("docs", "link"),
    [
        ("", "docs/review.md#topic-partitions-shrink"),
        ("https://example.com/docs/", "https://example.com/docs/review.md#topic-partitions-shrink"),
        ("a b)[x](y", "a%20b%29%5Bx%5D%28y/review.md#topic-partitions-shrink"),
    ],
)
def test_links_lead_to_where_the_docs_are(docs: str, link: str) -> None:
    assert link in parsed(markdown.render(BLOCKED, docs=docs)).links


def test_each_verdict_is_told() -> None:
    heads = {name: markdown.render(review).splitlines()[1] for name, review in REVIEWS.items()}
    assert heads["passed"] == "## ✅ Passed: nothing blocks, 2 warnings"
    assert heads["nothing"] == "## ✅ Passed: nothing blocks, no warnings"
    assert heads["unreviewed"].startswith("## ❔ Could not review: It is not a plan.")
    assert "Plan of `plan.json`." in markdown.render(UNREVIEWED)
    assert "|" not in markdown.render(NOTHING)


def test_what_is_beyond_one_screen_is_folded() -> None:
    written = markdown.render(large(40))
    seen, _, folded = written.partition("<details>")
    assert seen.count("⛔ blocks") == 12
    assert "28 more findings: 28 block" in folded


LONG = "com.example.organisation.domain.{index}.orders.retry.deadletter.v1"


@pytest.mark.parametrize("name", ["topic-{index}", LONG, "q|`\n@team-{index}"])
@pytest.mark.parametrize("count", [0, 1, 13, 100, 400, 2_000])
def test_a_comment_fits_and_names_every_finding(count: int, name: str) -> None:
    written = markdown.render(large(count, name=name))
    assert len(written) <= 60_000
    # A longer number holds a shorter one: each is looked for where it ends.
    rest = legible(name).partition("{index}")[2][:3]
    numbers = re.findall(rf"(?<!\d)(\d+)(?={re.escape(rest)}|\s|$|\")", written.replace("\\", ""), re.MULTILINE)
    assert set(map(str, range(count))) <= set(numbers)


def test_five_thousand_long_names_fit_as_what_tells_them_apart() -> None:
    written = markdown.render(large(5_000, name=LONG))
    assert len(written) <= 60_000
    page = parsed(written)
    lists = [each.split("\n")[:-1] for each in page.code if "\n" in each and not each.startswith("waivers")]
    assert sorted(name for each in lists[:3] for name in each) == sorted(map(str, range(5_000)))
    assert 'hikube_kafka_topic.this["com.example.organisation.domain.….orders.retry.deadletter.v1"]' in page.code


def without_anything_in_common(count: int) -> Review:
    review = large(count)
    return replace(
        review,
        findings=tuple(
            replace(each, address=f"{index * 7919 % 1_000_003:06d}.{'x' * 60}.{index:06d}.{index % 7}")
            for index, each in enumerate(review.findings)
        ),
    )


def test_names_that_have_nothing_in_common_are_shortened_to_their_ends() -> None:
    written = markdown.render(without_anything_in_common(5_000))
    assert len(written) <= 60_000
    assert all(f"{index:06d}.{index % 7}"[-7:] in written for index in range(5_000))


def test_where_not_even_the_ends_of_names_fit_the_count_is_exact_and_the_list_elsewhere_is_named() -> None:
    written = markdown.render(without_anything_in_common(10_000))
    assert len(written) <= 60_000
    rows = parsed(written).rows
    assert [row[2] for row in rows[1:]] == ["3,334", "3,333", "3,333"]
    left = sum(int(each.replace(",", "")) for each in re.findall(r"… and ([\d,]+) more\.", written))
    assert left + len(re.findall(r"^….*\.\d$", written, re.MULTILINE)) == 10_000
    assert "The complete list is in the output of the job" in written


def test_findings_of_thousands_of_rules_fit() -> None:
    written = markdown.render(large(3_000, rules=3_000))
    assert len(written) <= 60_000
    assert re.search(r"and [\d,]+ more rules", written)
    assert "Blocked: 3000 findings block" in written


def test_details_go_before_names() -> None:
    pictures, totals = "```mermaid", "Servers, storage and topics"
    whole = markdown.render(BLOCKED)
    assert (pictures in whole, totals in whole) == (True, True)
    less = markdown.render(BLOCKED, most=len(whole) - 1)
    assert (pictures in less, totals in less, "Why it matters" in less) == (False, True, True)
    lesser = markdown.render(BLOCKED, most=len(less) - 1)
    assert (totals in lesser, "Why it matters" in lesser) == (False, True)
    for most in range(2_000, 6_000, 250):
        written = markdown.render(BLOCKED, most=most)
        assert len(written) <= most
        assert all(each.address in written for each in BLOCKED.findings)


@pytest.mark.parametrize("text", ["x" * 200_000, "@" * 200_000, "\n" * 200_000, "a b\n\n  c\n\n" * 20_000])
def test_a_text_without_an_end_is_cut(text: str) -> None:
    assert len(markdown.render(hostile(text))) <= 60_000


def test_many_settings_are_told_in_part() -> None:
    settings = tuple(Difference(setting=f"config[{index}]", before="1", after="2") for index in range(100))
    written = markdown.render(replace(PASSED, findings=(replace(RESTARTS, differences=settings),)))
    assert "… and 96 more" in written
    assert "… and 40 more" in written


def test_the_same_review_is_the_same_text() -> None:
    assert markdown.render(large(300)) == markdown.render(large(300))


def test_the_settings_of_what_is_deleted_as_a_whole_are_folded() -> None:
    gone = tuple(Difference(setting=each, before="1", after="") for each in ("name", "partitions"))
    rows = parsed(markdown.render(replace(BLOCKED, findings=(replace(SHRUNK, differences=gone),)))).rows
    assert rows[1][2] == "Topic orders: it cannot shrink from 12 to 6 partitions."
    assert ["partitions", "1", ""] in rows


def test_an_address_stays_as_it_is_written_and_what_the_message_tells_is_not_repeated() -> None:
    address = "hikube_kafka_topic.payments"
    assert replace(SHRUNK, where=address, address=address).told.startswith(f"{address}: ")
    assert SHRUNK.untold == ()
    assert replace(SHRUNK, message="it cannot shrink from 12 to 60 partitions.").untold == SHRUNK.differences
