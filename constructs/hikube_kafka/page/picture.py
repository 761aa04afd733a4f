"""Boxes and lines: what stands on what, drawn as SVG."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from hikube_kafka.page.model import Node, Picture
from hikube_kafka.page.text import cut, showable

_WIDTH, _HEIGHT = 204, 52
_BETWEEN, _BELOW = 28, 12
_PADDING = 2
_LETTERS = 22
"""Of a name; all of it is in the box's title."""
_DEEPEST = 6


def drawn(picture: Picture, id_: str) -> str:
    """The picture as SVG, whose colours are the page's.

    Args:
        picture: A node that stands on none, on an unknown one or in a circle stands at the left.
        id_: Unique on the page.
    """
    placed = list(_places(picture.nodes))
    places = {node.id: (x, y) for node, x, y in placed}
    width = max((x for _, x, _ in placed), default=0) + _WIDTH + 2 * _PADDING
    height = max((y for _, _, y in placed), default=0) + _HEIGHT + 2 * _PADDING
    lines = "".join(_line(places[node.below], (x, y)) for node, x, y in placed if x and node.below in places)
    boxes = "".join(_box(*each) for each in placed)
    return (
        f'<svg class="picture" role="img" aria-labelledby="{id_}" width="{width}" height="{height}" '
        f'viewBox="{-_PADDING} {-_PADDING} {width} {height}"><title id="{id_}">{_text(picture.title)}</title>'
        f"{lines}{boxes}</svg>"
    )


def _places(nodes: Sequence[Node]) -> Iterator[tuple[Node, int, int]]:
    """Each node with its left upper corner: what stands on it is right of it, the first at the same height."""
    known = {node.id: node for node in nodes}
    below: dict[str, list[Node]] = {}
    for node in known.values():
        below.setdefault(node.below if _stands(node, known) else "", []).append(node)
    row = 0

    def walk(above: str, depth: int) -> Iterator[tuple[Node, int, int]]:
        nonlocal row
        for index, node in enumerate(below.get(above, ())):
            row += 1 if index else 0
            yield node, depth * (_WIDTH + _BETWEEN), row * (_HEIGHT + _BELOW)
            yield from walk(node.id, depth + 1)

    yield from walk("", 0)


def _stands(node: Node, known: Mapping[str, Node]) -> bool:
    """Whether a node stands on one that leads to the left edge."""
    seen = {node.id}
    at = node
    while at.below in known:
        if at.below in seen or len(seen) > _DEEPEST:
            return False
        seen.add(at.below)
        at = known[at.below]
    return node.below in known


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    (left, top), (right, bottom) = (start[0] + _WIDTH, start[1] + _HEIGHT // 2), (end[0], end[1] + _HEIGHT // 2)
    middle = (left + right) // 2
    turn = min(8, abs(bottom - top) // 2)
    return (
        f'<path class="line" d="M{left} {top}H{middle - turn}Q{middle} {top} {middle} {top + turn}V{bottom - turn}'
        f'Q{middle} {bottom} {middle + turn} {bottom}H{right}"/>'
    )


def _box(node: Node, x: int, y: int) -> str:
    # A nested svg cuts off what is too long, whatever the width of its letters.
    return (
        f'<g class="node {node.mark.tone}"><title>{_text(node.name)}: {_text(node.mark.word)}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
        f'<rect class="edge" x="{x}" y="{y + 10}" width="4" height="{_HEIGHT - 20}" rx="2"/>'
        f'<svg x="{x + 14}" y="{y}" width="{_WIDTH - 22}" height="{_HEIGHT}">'
        f'<text class="name" y="22">{_text(cut(node.name, _LETTERS))}</text>'
        f'<text class="word" y="40">{_text(node.kind)} · <tspan class="mark">{_text(node.mark.word)}</tspan></text>'
        "</svg></g>"
    )


def _text(text: str) -> str:
    return escape(showable(text))
