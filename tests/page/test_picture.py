import re

from hikube_kafka.page.model import Mark, Node, Picture, Tone
from hikube_kafka.page.picture import drawn

MARK = Mark(tone=Tone.NOTE, word="changed")


def node(id_: str, below: str = "") -> Node:
    return Node(id=id_, name=f"name of {id_}", kind="topic", mark=MARK, below=below)


def places(*nodes: Node) -> dict[str, tuple[int, int]]:
    svg = drawn(Picture(title="x", nodes=nodes), "p1")
    found = re.findall(r"<title>name of (\w+): changed</title><rect x=\"(\d+)\" y=\"(\d+)\"", svg)
    return {name: (int(x), int(y)) for name, x, y in found}


def test_what_stands_on_another_is_right_of_it_and_no_two_overlap() -> None:
    found = places(node("space"), node("zk", "space"), node("kafka", "zk"), node("a", "kafka"), node("b", "kafka"))

    assert [found[each][0] for each in ("space", "zk", "kafka", "a", "b")] == sorted(x for x, _ in found.values())
    assert found["a"][0] == found["b"][0] > found["kafka"][0]
    assert found["a"][1] < found["b"][1]
    assert len(set(found.values())) == 5


def test_every_node_is_drawn_once_whatever_it_claims_to_stand_on() -> None:
    found = places(node("a", "b"), node("b", "a"), node("c", "c"), node("d", "nowhere"), node("e", "d"), node("a"))

    assert sorted(found) == ["a", "b", "c", "d", "e"]
    assert len(set(found.values())) == 5


def test_a_long_chain_ends() -> None:
    chain = [node(f"n{number}", f"n{number - 1}" if number else "") for number in range(3000)]

    assert len(places(*chain)) == 3000


def test_the_change_is_a_word_and_a_colour_and_the_picture_has_a_title() -> None:
    svg = drawn(Picture(title="What changes", nodes=(node("a"), node("b", "a"))), "p7")

    assert '<g class="node note"><title>name of a: changed</title>' in svg
    assert '<tspan class="mark">changed</tspan>' in svg
    assert 'aria-labelledby="p7"' in svg
    assert '<title id="p7">What changes</title>' in svg
    assert svg.count('<path class="line"') == 1
