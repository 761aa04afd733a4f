"""Values that no output may show."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

SHOWN_INSTEAD = "(sensitive)"
"""As Terraform writes it."""

_SECRET_KEY = re.compile(
    r"pass(word|phrase|wd)?$|pass(word|phrase)|secret|token|credential|jaas|private.?key|keystore\.key$"
    r"|certificate\.chain$|(api|access|account|ssh|encryption).?key",
    re.IGNORECASE,
)
"""Keys whose values are secrets wherever they stand."""
_NAMES_ONE = re.compile(
    r"(secret.?names?|secrets?|secret.?ref|version|enabled|class|type|path|file|location)$", re.IGNORECASE
)
"""Keys that name a secret or say something about one, and are none: ``imagePullSecrets``, ``ssl.keystore.location``."""


class Hidden:
    """A value that may be compared and judged, and is never shown."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def reveal(self) -> Any:
        """The value, for a rule. What the rule says of it goes through :func:`scrubbed`."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self._value == other._value

    def __hash__(self) -> int:
        return hash(repr(self._value))

    def __str__(self) -> str:
        return SHOWN_INSTEAD

    __repr__ = __str__


def is_secret(key: str) -> bool:
    """Whether the value of this key is a secret by its name: ``ssl.key.password``, ``sasl.jaas.config``."""
    return bool(_SECRET_KEY.search(key)) and not _NAMES_ONE.search(key)


def marked(value: Any, sensitive: Any) -> Any:
    """A value of a plan, with what the plan marks as sensitive hidden.

    Args:
        value: Of ``before`` or ``after``.
        sensitive: Of ``before_sensitive`` or ``after_sensitive``: True, or marks of the same shape as the value.
    """
    if sensitive is True:
        return Hidden(value)
    if isinstance(value, Mapping):
        marks = sensitive if isinstance(sensitive, Mapping) else {}
        return {key: _by_key(key, marked(each, marks.get(key))) for key, each in value.items()}
    if isinstance(value, list):
        marks_ = sensitive if isinstance(sensitive, list) else []
        return [marked(each, marks_[index] if index < len(marks_) else None) for index, each in enumerate(value)]
    return value


def _by_key(key: str, value: Any) -> Any:
    known = value is None or isinstance(value, bool | Hidden) or value == ""
    return value if known or isinstance(value, Mapping | list) or not is_secret(key) else Hidden(value)


def revealed(value: Any) -> Any:
    """The value with nothing hidden, for a rule."""
    if isinstance(value, Hidden):
        return revealed(value.reveal())
    if isinstance(value, Mapping):
        return {key: revealed(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [revealed(each) for each in value]
    return value


def texts(value: Any, *, hidden: bool = False) -> Iterator[str]:
    """Every text below what is hidden, of which something must be said without showing it."""
    if isinstance(value, Hidden):
        yield from texts(value.reveal(), hidden=True)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each, hidden=hidden)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            yield from texts(each, hidden=hidden)
    elif hidden and value is not None and not isinstance(value, bool):
        yield str(value)


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets in it."""
    for secret in sorted({each for each in secrets if each.strip()}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", SHOWN_INSTEAD, text)
    return text
