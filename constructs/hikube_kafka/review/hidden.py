"""Values that no output may show."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from hikube_kafka.spec.definitions import broker_definition

SHOWN_INSTEAD = "(sensitive)"
"""As Terraform writes it."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET = re.compile(
    r"\w*(password|passwd|passphrase)s?|pwd|pass|passcode|secrets?|tokens?|credentials?|creds|jaas|keytab|authtoken"
    r"|(api|private|access|secret)keys?"
)
"""Words of a key whose value is a secret."""
_KIND_OF_KEY = re.compile(
    r"private|api|access|account|ssh|encryption|signing|shared|master|auth|session|license|hmac|aes"
)
"""Words before ``key`` that make it one that nobody may see."""
_SAYS_SOMETHING_OF_ONE = re.compile(
    r"names?|refs?|id|namespace|version|revision|class|types?|paths?|files?|location|dir|mount|endpoint|ur[il]|issuer"
    r"|audience|provider|algorithm|mechanism|format|policy|mode|iterations|length|size|count|min|max|expiry|expiration"
    r"|lifetime|ttl|ms|seconds|minutes|hours|days|interval|backoff|rotation|enabled|disabled|required|optional|managed"
)
"""Last words of a key that says something of a secret, and is none: ``ssl.keystore.location``, ``secretName``."""
_NAMES_ONE = re.compile(r"(image)?pullsecrets?|membershipsecret|existingsecret|tlssecret")
"""Keys whose value is the name of a Secret: ``imagePullSecrets``, ``membershipSecret``."""

_MAY_HOLD_ONE = re.compile(r"pass|pwd|secret|token|credential|creds|jaas|key|bearer|basic|://[^/]*@", re.IGNORECASE)
_OPENLY = re.compile(
    r"[a-z][a-z0-9+.-]*://[^/\s:@,]*:[^/\s@,]+@"  # a URL with a password
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\bkind[\"']?:\s*[\"']?Secret\b"
    r"|--[\w-]*(password|passphrase|secret|token)\s+[^\s-]"
    r"|\b(bearer|basic)\s+[a-z0-9+/=._~-]{8,}",
    re.IGNORECASE,
)
_GIVEN = re.compile(r"""([\w.-]+)["']?\s*[=:]\s*(\$\{[^}]*\}|"[^"]*"|'[^']*'|[^\s"',;&]+)""")
_REFERENCE = re.compile(r"""["']?\$[{(][^})]*[})]["']?|["']{2}""")
"""What only says where a secret is: ``${file:/etc/kafka/password:key}``."""


_PLAIN = (str, int, float, type(None))
"""What has nothing below it. Asked first: most of a plan is that, and ``isinstance`` of an abstract class is slow."""


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


@lru_cache(maxsize=10_000)
def is_secret(key: str) -> bool:
    """Whether the value of this key is a secret by its name: ``ssl.key.password``, ``sasl.jaas.config``.

    For a key of a broker Kafka's own definitions say it: type ``PASSWORD``.
    """
    if (definition := broker_definition(key)) is not None:
        return definition.sensitive
    words = [each.lower() for each in _WORD.findall(key)]
    if not words or _NAMES_ONE.fullmatch("".join(words)) or _SAYS_SOMETHING_OF_ONE.fullmatch(words[-1]):
        return False
    if any(map(_SECRET.fullmatch, words)):
        return True
    return words[-1] in ("key", "keys") and len(words) > 1 and bool(_KIND_OF_KEY.fullmatch(words[-2]))


def holds_secret(text: str) -> bool:
    """Whether a secret is written in a text: ``password="..."``, a URL with a password, a private key."""
    if not _MAY_HOLD_ONE.search(text):
        return False
    if _OPENLY.search(text):
        return True
    return any(is_secret(key) and not _REFERENCE.fullmatch(value) for key, value in _GIVEN.findall(text))


def concealed(value: Any, *, apart: frozenset[str] = frozenset()) -> Any:
    """A value with each secret in it hidden that is known by its key or by its form.

    Args:
        value: Of a resource, or below one.
        apart: Keys of it that are left as they are.
    """
    if isinstance(value, _PLAIN):
        return Hidden(value) if isinstance(value, str) and holds_secret(value) else value
    if isinstance(value, Mapping):
        content = ("data", "stringData", "binaryData") if value.get("kind") == "Secret" else ()
        value = {key: all_hidden(each) if key in content else each for key, each in value.items()}
        return {key: each if key in apart else _by_key(key, each, value) for key, each in value.items()}
    if isinstance(value, list):
        return [concealed(each) for each in value]
    return value


def _by_key(key: str, value: Any, among: Mapping[str, Any]) -> Any:
    # An entry of an environment, of a set: {"name": "DB_PASSWORD", "value": ...}.
    named = among.get("name", among.get("key")) if key == "value" else None
    if is_secret(key) or (isinstance(named, str) and is_secret(named)):
        return all_hidden(value)
    return concealed(value)


def all_hidden(value: Any) -> Any:
    """Every value below this one hidden, apart from what can be no secret: nothing, yes or no, names, references."""
    if isinstance(value, Mapping):
        return {
            key: each if key in ("name", "key") and isinstance(each, str) else all_hidden(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [all_hidden(each) for each in value]
    if value is None or value == "" or isinstance(value, bool | Hidden):
        return value
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value) else Hidden(value)


def marked(value: Any, sensitive: Any) -> Any:
    """A value of a plan, with what the plan marks as sensitive hidden.

    Args:
        value: Of ``before`` or ``after``.
        sensitive: Of ``before_sensitive`` or ``after_sensitive``: True, or marks of the same shape as the value.
    """
    if sensitive is True:
        return Hidden(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        marks = sensitive if isinstance(sensitive, Mapping) else {}
        return {key: marked(each, marks.get(key)) for key, each in value.items()}
    if isinstance(value, list):
        marks_ = sensitive if isinstance(sensitive, list) else []
        return [marked(each, marks_[index] if index < len(marks_) else None) for index, each in enumerate(value)]
    return value


def revealed(value: Any) -> Any:
    """The value with nothing hidden, for a rule."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Hidden):
        return revealed(value.reveal())
    if isinstance(value, Mapping):
        return {key: revealed(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [revealed(each) for each in value]
    return value


def texts(value: Any, *, hidden: bool = False) -> Iterator[str]:
    """Every text below what is hidden, of which something must be said without showing it."""
    if isinstance(value, _PLAIN):
        if hidden and value is not None and not isinstance(value, bool):
            yield str(value)
    elif isinstance(value, Hidden):
        yield from texts(value.reveal(), hidden=True)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each, hidden=hidden)
    elif isinstance(value, Sequence):
        for each in value:
            yield from texts(each, hidden=hidden)
    elif hidden:
        yield str(value)


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets in it."""
    for secret in sorted({each for each in secrets if each.strip()}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", SHOWN_INSTEAD, text)
    return text
