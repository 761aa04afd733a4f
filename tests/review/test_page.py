import re
from dataclasses import replace

import pytest

from hikube_kafka.review import page
from hikube_kafka.review.outcome import Part, Review
from hikube_kafka.review.plan import Action
from tests.page.test_html import parsed
from tests.review import samples


def shown(html: str) -> str:
    return " ".join("".join(parsed(html).texts).split())


def test_the_verdict_comes_first_and_then_what_blocks() -> None:
    text = shown(page.render(samples.BLOCKED)).partition("Skip to the findings")[2]

    order = [
        "events-staging",
        "Blocked",
        "2 findings block, 2 warnings, 1 waived.",
        "Topic orders: it cannot shrink from 12 to 6 partitions.",
        "Kafka cannot remove partitions.",
        "What to do",
        "Set partitions = 12.",
        "stacks/events.py:42",
        "terraform import hikube_kafka_topic.this payments.jobs",
        "Brokers of events-kafka: 3 brokers restart",
        "3 claims grow",
        "12Gi15Gi",
    ]
    positions = [text.index(each) for each in order]
    assert positions == sorted(positions)
    assert "ana@example.com, until 2027-01-31: the load test is over" in text


@pytest.mark.parametrize(
    ("review", "word", "told"),
    [
        (samples.PASSED, "Passed", "Nothing blocks, 2 warnings."),
        (samples.NOTHING, "Passed", "no rule has anything to say about this plan"),
        (samples.UNREVIEWED, "Could not review", "It is not a plan."),
    ],
)
def test_each_verdict_has_its_word(review: Review, word: str, told: str) -> None:
    html = page.render(review)

    assert f"<title>{word}: {review.title}, plan review</title>" in html
    assert told in shown(html)


def test_a_rule_is_linked_where_the_documentation_is_known() -> None:
    linked = page.render(samples.BLOCKED, docs="https://example.com/docs/")

    assert 'href="https://example.com/docs/review.md#topic-exists"' in linked
    assert "review.md" not in page.render(samples.BLOCKED)


def test_no_finding_is_dropped_from_a_large_review() -> None:
    html = page.render(samples.large(500))

    assert html.count('<article class="entry bad">') == 500
    assert html.count('<article class="entry bad"><details>') == 300
    assert len(html) < 2_000_000


def test_the_picture_is_bounded_and_counts_what_it_leaves_out() -> None:
    html = page.render(samples.large(500))
    names = re.findall(r"<text class=\"name\"[^>]*>([^<]*)<", html)

    assert len(names) <= page.NODES + 2
    assert "namespace events-staging".removeprefix("namespace ") in names
    (more,) = [name for name in names if name.endswith("more")]
    assert more == f"{500 + len(samples.PARTS) - page.NODES} more"


def test_what_changes_and_what_blocks_is_drawn_before_the_rest() -> None:
    quiet = tuple(
        Part(address=f"a{number}", kind="topic", what=f"topic quiet-{number}", action=Action.NOTHING)
        for number in range(100)
    )
    review = replace(samples.BLOCKED, parts=quiet + samples.PARTS)
    html = page.render(review)

    assert "<title>orders: changed, blocks</title>" in html
    assert "<title>scratch: deleted</title>" in html
    assert ": unchanged</title>" in html


@pytest.mark.parametrize("action", Action)
def test_every_action_has_a_word(action: Action) -> None:
    part = replace(samples.PARTS[0], action=action)

    assert '<tspan class="mark">' in page.render(replace(samples.BLOCKED, parts=(part,), actions={action: 1}))


@pytest.mark.parametrize("text", [each for each in samples.NASTY if each])
def test_no_text_of_a_plan_leaves_its_place(text: str) -> None:
    html = page.render(samples.hostile(text), docs="https://example.com/docs")

    html.encode()
    hostile, harmless = parsed(html), parsed(page.render(samples.hostile("x"), docs="https://example.com/docs"))
    prose = {"p", "pre", "code", "div"}  # it has as many paragraphs as it has
    assert [each for each in hostile.tags if each[0] not in prose] == [
        each for each in harmless.tags if each[0] not in prose
    ]
