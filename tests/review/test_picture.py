import re

import pytest

from hikube_kafka.review.outcome import Part
from hikube_kafka.review.picture import MOST, mermaid
from hikube_kafka.review.plan import Action
from tests.review.samples import BLOCKED, NASTY, hostile, large

LABEL = r'"(?:[\w .,:…→+~!?()-]|#\d+;)+"'
LINE = re.compile(
    rf"flowchart TB|  n\d+(?:\[{LABEL}\]|\(\[{LABEL}\]\)|\[\[{LABEL}\]\]|\{{\{{{LABEL}\}}\}}|\[/{LABEL}\\\]|>{LABEL}\])"
    r"|  n\d+ --> n\d+|  classDef (?:create|update|delete) [a-z0-9#:, -]+"
    r"|  class n\d+(?:,n\d+)* (?:create|update|delete)"
)
"""The lines that are drawn, all of which Mermaid 12 has been seen to parse."""


def nodes(text: str) -> list[str]:
    return re.findall(r'^  n\d+\S*?"(.*)"', text, re.MULTILINE)


@pytest.mark.parametrize("text", NASTY)
def test_no_text_leaves_its_label(text: str) -> None:
    drawn = mermaid(hostile(text).parts)
    assert all(LINE.fullmatch(line) for line in drawn.split("\n"))
    assert len(nodes(drawn)) == 2
    assert drawn.count("-->") == 1


@pytest.mark.parametrize("count", [0, 5, 24, 25, 26, 27, 100, 3_000])
def test_a_picture_has_few_nodes_that_stand_for_all(count: int) -> None:
    parts = large(count).parts
    drawn = mermaid(parts)
    assert all(LINE.fullmatch(line) for line in drawn.split("\n"))
    shown = nodes(drawn)
    assert len(shown) <= MOST
    more = [int(found.replace(",", "")) for each in shown for found in re.findall(r"([\d,]+) more", each)]
    assert len(shown) - len(more) + sum(more) == len(parts)


def test_what_changes_is_drawn_before_what_does_not() -> None:
    shown = nodes(mermaid(large(3_000).parts))
    assert "1,500 more topics unchanged" in shown
    assert "- delete: topic scratch" in shown
    assert sum("~ update: topic" in each for each in shown) == 9
    # The one of BLOCKED is updated too.
    assert "~ update: 1,492 more topics" in shown


@pytest.mark.parametrize("holders", [40, 400])
def test_more_parts_to_stand_on_than_nodes_are_counted(holders: int) -> None:
    parts = [Part(address=f"r{each}", kind="release", what=f"r{each}", action=Action.UPDATE) for each in range(holders)]
    parts += [
        Part(address=f"t{each}", kind="topic", what=f"t{each}", action=Action.CREATE, belongs_to=f"r{each}")
        for each in range(holders)
    ]
    shown = nodes(mermaid(parts))
    assert len(shown) <= MOST
    more = [int(found.replace(",", "")) for each in shown for found in re.findall(r"([\d,]+) more", each)]
    assert len(shown) - len(more) + sum(more) == 2 * holders


def test_each_action_has_a_word_and_a_shape_of_its_own() -> None:
    drawn = mermaid([Part(address=each, kind="topic", what="t", action=each) for each in Action])
    forms = {re.sub(r"n\d+|\w", "", line) for line in drawn.split("\n") if '"' in line and ":" in line}
    assert len(forms) >= 5
    assert all(f"{word}: t" in drawn for word in ("create", "update", "delete", "replace", "forget"))


def test_a_part_that_stands_on_itself_or_on_nothing_that_is_there_has_no_arrow() -> None:
    parts = [
        Part(address="a", kind="topic", what="a", action=Action.NOTHING, belongs_to="a"),
        Part(address="b", kind="topic", what="b", action=Action.NOTHING, belongs_to="gone"),
    ]
    assert "-->" not in mermaid(parts)


def test_the_picture_of_a_plan_is_in_its_order() -> None:
    assert mermaid(BLOCKED.parts).split("\n")[1:6] == [
        '  n0["namespace events-staging"]',
        '  n1["3 ZooKeeper servers of events-zookeeper"]',
        '  n2[["~ update: 3 brokers of events-kafka"]]',
        '  n3[["~ update: topic orders"]]',
        '  n4{{"- delete: topic scratch"}}',
    ]
