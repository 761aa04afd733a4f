import unicodedata
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from hikube_kafka.page.markdown import line
from hikube_kafka.review import terminal
from hikube_kafka.review.finding import Difference
from hikube_kafka.review.outcome import Review
from tests.review.samples import BLOCKED, NASTY, RESTARTS, REVIEWS, SHRUNK, hostile, large


def shown(review: Review, width: int = 100) -> str:
    output = StringIO()
    Console(file=output, width=width, force_terminal=False).print(terminal.render(review))
    return output.getvalue()


def test_findings_are_shown_with_settings_why_and_what_to_do_and_the_verdict_last() -> None:
    text = shown(BLOCKED)
    for part in (
        " ✘   topic-partitions-shrink",
        "Topic orders: it cannot shrink from 12 to 6 partitions.",
        "hikube_kafka_topic.events_orders  stacks/events.py:42",
        "from 12 to 6 partitions",
        "config[num.io.threads]: (none) → 16",
        "Kafka cannot remove partitions.",
        "→ Set partitions = 12.",
        f"fingerprint {SHRUNK.fingerprint}",
        "terraform import hikube_kafka_topic.this payments.jobs",
        "Waived: topic-deleted hikube_kafka_topic.events_scratch: ana@example.com, until 2027-01-31",
        "events-staging: 3 to update, 1 to delete, 4 unchanged (Terraform 1.11.4)",
        "12Gi → 15Gi",
        "none → unknown",
    ):
        assert part in text
    assert "brokers       3" not in text
    assert text.splitlines()[-1] == BLOCKED.headline


@pytest.mark.parametrize(("name", "style"), [("blocked", "31"), ("passed", "32"), ("unreviewed", "33")])
def test_the_verdict_has_its_colour(name: str, style: str) -> None:
    output = StringIO()
    Console(file=output, width=100, force_terminal=True, color_system="standard").print(terminal.render(REVIEWS[name]))
    assert output.getvalue().splitlines()[-1].startswith(f"\x1b[1;{style}m")


@pytest.mark.parametrize("text", NASTY)
def test_no_text_is_taken_for_markup_or_reaches_the_terminal(text: str) -> None:
    written = shown(hostile(text), 400)
    written.encode()
    assert not {unicodedata.category(each) for each in written.replace("\n", "")} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert max(map(len, written.splitlines())) <= 400
    assert f": {line(text)[:20]}".rstrip() in written


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    review = replace(BLOCKED, findings=(replace(SHRUNK, address="x" * 300, rule="a-rule-of-a-name" * 9),))
    assert max(map(len, shown(review, width).splitlines())) <= width


def test_what_is_too_much_is_counted() -> None:
    settings = tuple(Difference(setting=f"config[{index}]", before="1", after="2") for index in range(20))
    text = shown(replace(BLOCKED, findings=(replace(SHRUNK, differences=settings, why="long " * 9_000),)))
    assert "… and 8 more" in text
    assert len(text) < 20_000


def test_thousands_of_findings_are_all_shown_and_one_of_each_rule_is_explained() -> None:
    review = large(3_000, rules=1)
    late = replace(RESTARTS, fingerprint="of-the-late-one")
    text = shown(replace(review, findings=(*review.findings, late)), 90)
    assert all(f'hikube_kafka_topic.this["topic-{index}"]' in text for index in range(3_000))
    assert text.count("→ Set partitions = 12") == 50
    assert "of-the-late-one" in text
    assert "2,950 more" in text
    assert max(map(len, text.splitlines())) <= 90
    narrow = shown(review, 50)
    assert max(map(len, narrow.splitlines())) <= 50
    assert "".join(narrow.splitlines()[-2_000:]).count("it cannot shrink from 12 to 6 partitions.") > 500


def test_square_brackets_of_a_message_are_shown() -> None:
    assert "Topic orders: [red]x[/red]" in shown(replace(BLOCKED, findings=(replace(SHRUNK, message="[red]x[/red]"),)))
