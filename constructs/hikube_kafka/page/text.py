"""Text that comes from elsewhere, as any output can carry it."""

import re

_UNSHOWABLE = re.compile(
    # What XML cannot carry, half a character, and what turns the direction of a line around.
    r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)


def showable(text: str) -> str:
    """The text with its lines as in Unix, and a mark in place of what nobody can see or encode."""
    return _UNSHOWABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def cut(text: str, most: int) -> str:
    """The text, or as much of it as ``most`` characters hold, and an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"
