"""Which real key somebody may have meant."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

_PROPOSED = 3
_SIMILAR = 0.7
"""Worth a proposal, by ``difflib``'s ratio; tried on real misspellings: ``retention.days`` is 0.83 from its key."""
_MISSPELT = 0.85
"""Near enough to be called a misspelling rather than a plugin's own key."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """Real keys near a wrong one."""

    keys: tuple[str, ...]
    """The nearest first."""
    misspelt: bool
    """Near enough to be sure that a real key was meant."""


def is_key(key: str) -> bool:
    """Whether a properties file can have the key as it is: white space, ``=`` and ``:`` would end it."""
    return bool(re.fullmatch(r"[!-~]+", key)) and not re.search(r"[=:\\]|^[#!]", key)


def unknown_remedy(key: str) -> str:
    """What to do about a key that is nobody's, or a plugin's."""
    if is_key(key):
        return "Keep it if it is a plugin's; otherwise leave it out."
    return "Leave it out: a key has no white space, '=', ':' or characters beyond ASCII."


def spelling(key: str) -> str:
    """A key without case and separators: ``retentionMs``, ``retention_ms`` and ``retention.ms`` are one."""
    return re.sub(r"[^a-z0-9]", "", key.lower())


def nearest(key: str, names: Iterable[str]) -> Nearest:
    """The real keys that a wrong one is nearest to."""
    wrong = spelling(key)
    by_spelling = {spelling(name): name for name in names}
    if wrong in by_spelling:
        return Nearest((by_spelling[wrong],), misspelt=True)
    found = difflib.get_close_matches(wrong, by_spelling, n=_PROPOSED, cutoff=_SIMILAR)
    misspelt = any(
        _one_edit_apart(wrong, real) or difflib.SequenceMatcher(None, real, wrong).ratio() >= _MISSPELT
        for real in found
    )
    return Nearest(tuple(by_spelling[real] for real in found), misspelt=misspelt)


def _one_edit_apart(one: str, other: str) -> bool:
    """One letter more, fewer or different: what a ratio misjudges in a short key."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest_one, rest_other = one[start:], other[start:]
    return rest_one[1:] == rest_other[1:] or rest_one[1:] == rest_other or rest_one == rest_other[1:]
