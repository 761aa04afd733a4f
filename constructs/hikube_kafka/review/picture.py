"""A picture of what a plan changes: a flowchart of Mermaid, as GitHub and GitLab draw it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from hikube_kafka.page.markdown import line
from hikube_kafka.page.text import cut
from hikube_kafka.review.outcome import Part
from hikube_kafka.review.plan import Action

MOST = 30
"""Nodes: more are no picture."""
_OF_A_GROUP = 10
"""Nodes of parts that change in the same way, on the same part."""
_LONGEST = 60
"""Characters of a name."""
_WORDS = {
    Action.CREATE: "+ create",
    Action.UPDATE: "~ update",
    Action.DELETE: "- delete",
    Action.REPLACE: "! replace",
    Action.FORGET: "? forget",
    Action.FORGET_AND_CREATE: "! forget and create anew",
    Action.OTHER: "? unknown action",
}
"""The rest is unchanged."""
_SHAPES = {
    Action.CREATE: ('(["', '"])'),
    Action.UPDATE: ('[["', '"]]'),
    Action.DELETE: ('{{"', '"}}'),
    Action.REPLACE: ('[/"', '"\\]'),
    Action.FORGET: ('>"', '"]'),
    Action.FORGET_AND_CREATE: ('[/"', '"\\]'),
    Action.OTHER: ('>"', '"]'),
}
_CLASSES = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.DELETE: "delete",
    Action.REPLACE: "delete",
    Action.FORGET: "delete",
    Action.FORGET_AND_CREATE: "delete",
    Action.OTHER: "delete",
}
_STYLES = {
    "create": "stroke:#1a7f37,stroke-width:2px",
    "update": "stroke:#9a6700,stroke-width:2px",
    "delete": "stroke:#cf222e,stroke-width:3px,stroke-dasharray:5 3",
}
_PLAIN = re.compile(r"[^\w .,:…→+~!?()-]")


def mermaid(parts: Sequence[Part]) -> str:
    """Draw the parts, each below the one that it stands on.

    Of those on the same part, what does not change is drawn as one node once there are too many, and then what
    changes in the same way.
    """
    drawn = _fewer(parts)
    ids = {each.address: f"n{index}" for index, each in enumerate(drawn)}
    lines = ["flowchart TB"]
    for part in drawn:
        before, after = _SHAPES.get(part.action, ('["', '"]'))
        lines.append(f"  {ids[part.address]}{before}{_label(part)}{after}")
    lines += [
        f"  {ids[part.belongs_to]} --> {ids[part.address]}"
        for part in drawn
        if part.belongs_to in ids and part.belongs_to != part.address
    ]
    for name, style in _STYLES.items():
        of_class = [ids[each.address] for each in drawn if _CLASSES.get(each.action) == name]
        if of_class:
            lines += [f"  classDef {name} {style}", f"  class {','.join(of_class)} {name}"]
    return "\n".join(lines)


def _label(part: Part) -> str:
    """What is in the node. Whatever could mean something to Mermaid, to Markdown or to HTML is written as its code."""
    word = f"{_WORDS[part.action]}: " if part.action in _WORDS else ""
    return _PLAIN.sub(lambda found: f"#{ord(found[0])};", f"{word}{cut(line(part.what), _LONGEST) or 'something'}")


def _fewer(parts: Sequence[Part]) -> list[Part]:
    """At most ``MOST`` parts; the last of a group stands for the rest of it."""
    parts = list({each.address: each for each in parts}.values())
    if len(parts) <= MOST:
        return parts
    below = {each.belongs_to for each in parts if each.belongs_to != each.address}
    drawn = sorted((each for each in parts if each.address in below), key=_rank)[: MOST // 2]
    there = {each.address for each in drawn}
    groups: dict[tuple[str, str, Action], list[Part]] = defaultdict(list)
    for part in parts:
        if part.address not in there:
            groups[part.belongs_to if part.belongs_to in there else "", part.kind, part.action].append(part)
    in_order = sorted(groups.values(), key=lambda group: _rank(group[0]))
    room = MOST - len(drawn)
    if len(in_order) > room:
        left = [part for group in in_order[room - 1 :] for part in group]
        in_order = in_order[: room - 1]
        drawn.append(Part(address="", kind="other", what=f"{len(left):,} more", action=Action.NOTHING))
        room -= 1
    for index, group in enumerate(in_order):
        # One node is kept for each group that follows; what does not change needs no more than that.
        share = min(room - (len(in_order) - index - 1), _OF_A_GROUP if group[0].action in _WORDS else 1)
        shown = group if len(group) <= share else [*group[: share - 1], _rest(group[share - 1 :])]
        drawn += shown
        room -= len(shown)
    return drawn


def _rank(part: Part) -> int:
    return _ORDER.index(part.action)


def _rest(group: Sequence[Part]) -> Part:
    first = group[0]
    if len(group) == 1:
        return first
    kind = "parts" if first.kind == "other" else f"{first.kind.removesuffix('s')}s"
    unchanged = "" if first.action in _WORDS else " unchanged"
    return replace(first, address=f"{first.address} and more", what=f"{len(group):,} more {kind}{unchanged}")


_ORDER = (
    Action.DELETE,
    Action.REPLACE,
    Action.FORGET_AND_CREATE,
    Action.FORGET,
    Action.OTHER,
    Action.UPDATE,
    Action.CREATE,
    Action.READ,
    Action.NOTHING,
)
"""What loses something first, what does not change last."""
