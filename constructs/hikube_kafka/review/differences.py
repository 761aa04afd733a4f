"""What changes at an address, setting by setting, as a person reads it: with units, and without a secret."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hikube_kafka.review.finding import Difference
from hikube_kafka.review.hidden import SHOWN_INSTEAD, Hidden, revealed
from hikube_kafka.review.plan import Change, Path
from hikube_kafka.review.release import Release
from hikube_kafka.spec.quantities import whole

UNKNOWN = "(known after apply)"
"""As Terraform writes it."""
CHANGED = f"{SHOWN_INSTEAD[:-1]}, changed)"
LONGEST = 200
"""Characters of a value that are shown."""
_WHOLE_LIST = 80
"""Characters up to which a list is shown whole."""

_COMPUTED = frozenset({"id", "uid", "resource_version", "generation", "generate_name", "self_link", "status"})
"""Attributes that the provider or the cluster fills in."""
_LEFT_OUT: Mapping[str, frozenset[str]] = {
    # The state of the release, whole and as text; what is in it is compared setting by setting.
    "helm_release": frozenset(
        {
            "manifest",
            "metadata",
            "resources",
            "values",
            "set",
            "set_list",
            "set_sensitive",
            "set_wo",
            "repository_password",
        }
    ),
    "hikube_zookeeper_members": frozenset({"applied"}),
}
_OF_A_RELEASE = frozenset({"name", "namespace", "chart", "repository", "version"})
"""Attributes of a release that say what comes or goes; the others say how Helm works."""
_FOLLOWS: Mapping[str, frozenset[str]] = {
    "hikube_volume_claims": frozenset({"claims"}),
    "hikube_zookeeper_members": frozenset({"voters"}),
}
"""Attributes that say again what others say, claim by claim: shown where nothing else has changed."""
_MAPS = frozenset({"config", "labels", "annotations", "nodeSelector", "node_selector", "servers", "claims"})
"""Maps whose keys are anybody's words: ``config[listeners]``."""
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_Key = tuple[str | int, ...]


def differences(
    change: Change, *, before: Release | None = None, after: Release | None = None
) -> tuple[Difference, ...]:
    """What changes, sorted by the name of the setting.

    Args:
        change: The resource.
        before: Of a ``helm_release``, as :func:`hikube_kafka.review.release.releases` reads it.
        after: Likewise.
    """
    left_out = _LEFT_OUT.get(change.type, frozenset()) | _COMPUTED
    old, new = change.before, change.after
    if change.type == "helm_release" and (old is None or new is None):
        old, new = ({key: (each or {}).get(key) for key in _OF_A_RELEASE} for each in (old, new))
    found = dict(_compared(old or {}, new or {}, change.unknown, left_out))
    follows = _FOLLOWS.get(change.type, frozenset())
    rest = {key: each for key, each in found.items() if key[0] not in follows}
    found = rest or {key: each for key, each in found.items() if UNKNOWN not in (each.before, each.after)}
    if before is not None or after is not None:
        found |= _settings(before, after)
    return tuple(found[key] for key in sorted(found, key=_order))


def _order(key: _Key) -> list[tuple[int, str]]:
    """Numbers by their value."""
    return [
        (int(part), "") if part[0] in "0123456789" else (-1, part)
        for each in key
        for part in re.split(r"([0-9]{1,9})", str(each))
        if part
    ]


def _settings(before: Release | None, after: Release | None) -> dict[_Key, Difference]:
    for each in (before, after):
        if each is not None and () in each.unknown:
            # What is left of them would show as taken away.
            texts = [
                "" if side is None else "(cannot be read)" if () in side.unknown else "(as deployed)"
                for side in (before, after)
            ]
            return {("values",): Difference(setting="values", before=texts[0], after=texts[1])}
    unknown = frozenset(after.unknown if after else ())
    return dict(_compared(before.settings if before else {}, after.settings if after else {}, unknown, frozenset()))


def _compared(
    before: Mapping[str, Any], after: Mapping[str, Any], unknown: Iterable[Path], left_out: frozenset[str]
) -> Iterator[tuple[_Key, Difference]]:
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for path in unknown:
        key = _whole_lists(path)
        new = {each: value for each, value in new.items() if each[: len(key)] != key} | {key: _Later()}
    for key in old.keys() | new.keys():
        if not key or key[0] in left_out or key[-1] in _COMPUTED:
            continue
        one, other = old.get(key), new.get(key)
        if isinstance(other, _Later):
            # Below it stands what was there.
            below = [value for each, value in old.items() if each[: len(key)] == key]
            one = one if one is not None else below[0] if len(below) == 1 else "…" if below else None
            yield key, Difference(setting=_name(key), before=_shown(key, one), after=UNKNOWN)
        elif revealed(one) != revealed(other) and not _is_below_later(key, new):
            shown = _pair(key, one, other)
            yield key, Difference(setting=_name(key), before=shown[0], after=shown[1])


@dataclass(frozen=True)
class _Later:
    """Only the apply will tell."""


def _is_below_later(key: _Key, new: Mapping[_Key, Any]) -> bool:
    return any(isinstance(new.get(key[:length]), _Later) for length in range(1, len(key)))


def _leaves(value: Any, key: _Key = ()) -> Iterator[tuple[_Key, Any]]:
    """Every setting below a value. A list is one setting; the block ``metadata`` of a namespace is none."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping) and key == ("metadata",):
        value = value[0]
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, (*key, name))
    elif value is not None and value != []:
        yield key, value


def _whole_lists(path: Path) -> _Key:
    """The setting that has a value in it, as :func:`_leaves` tells them apart."""
    if path[:2] == ("metadata", 0):
        path = ("metadata", *path[2:])
    return path[: next((index for index, each in enumerate(path) if isinstance(each, int)), len(path))]


def _name(key: _Key) -> str:
    text = ""
    for index, each in enumerate(key):
        if index and (key[index - 1] in _MAPS or not _WORD.fullmatch(str(each))):
            text += f"[{_line(str(each))}]"
        else:
            text += f".{each}" if index else _line(str(each))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


# --- how a value is shown ---


def _pair(key: _Key, one: Any, other: Any) -> tuple[str, str]:
    old, new = _items(key, one), _items(key, other)
    if old is not None and new is not None:
        return _lists(old, new)
    texts = _whole(key, one), _whole(key, other)
    if texts[0] == texts[1]:
        return _cut(texts[0]), CHANGED if SHOWN_INSTEAD in texts[0] else _cut(f"of another type: {texts[1]}")
    if max(map(len, texts)) <= LONGEST:
        return texts
    start = max(0, next((at for at, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), 0) - 40)
    cut = [_cut(text, start) for text in texts]
    return cut[0], cut[1]


def _shown(key: _Key, value: Any) -> str:
    return _cut(_whole(key, value))


def _whole(key: _Key, value: Any) -> str:
    if value is None:
        return ""
    items = _items(key, value)
    return ", ".join(items) if items is not None else _text(key, value)


def _cut(text: str, start: int = 0) -> str:
    if len(text) <= LONGEST:
        return text
    text = f"…{text[start:]}" if start else text
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _items(key: _Key, value: Any) -> list[str] | None:
    """The items of what is a list, or a text that Kafka reads as one."""
    if isinstance(value, list):
        return [_text((), each) for each in value]
    if isinstance(value, str) and len(key) > 1 and key[-2] == "config" and len(value) > _WHOLE_LIST:
        separator = ";" if key[-1] == "super.users" else ","
        return [_line(each.strip()) for each in value.split(separator)] if separator in value else None
    return None


def _lists(old: Sequence[str], new: Sequence[str]) -> tuple[str, str]:
    """Two lists; of long ones only what they do not share."""
    whole_ = ", ".join(old), ", ".join(new)
    if whole_[0] == whole_[1]:
        return _cut(whole_[0]), CHANGED
    if max(map(len, whole_)) <= _WHOLE_LIST:
        return whole_[0] or "[]", whole_[1] or "[]"
    shared = Counter(old) & Counter(new)
    if Counter(old) == Counter(new):
        return _cut(whole_[0]), _cut(f"in another order: {whole_[1]}")
    texts = []
    for each in (old, new):
        left, own = Counter(shared), []
        for item in each:
            if left[item]:
                left[item] -= 1
            else:
                own.append(item)
        parts = [f"{count} that stay" if own else f"{count}"] if (count := shared.total()) else []
        texts.append(_cut(" and ".join([*parts, ", ".join(own)] if own else parts)) or "[]")
    return texts[0], texts[1]


def _text(key: _Key, value: Any) -> str:
    if isinstance(value, Hidden):
        return SHOWN_INSTEAD
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        return _line(json.dumps(value, default=str, ensure_ascii=False, sort_keys=True))
    if isinstance(value, str) and not value:
        return '""'
    return with_unit(".".join(map(str, key[1:] if key[:1] == ("config",) else key)), value)


def _line(text: str) -> str:
    """In one line, and without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else " " for each in re.sub(r"\s*\n\s*", " ⏎ ", text.strip("\n")))


# --- units ---

_MORE_BYTES = frozenset(
    {
        "log.cleaner.dedupe.buffer.size",
        "log.cleaner.io.buffer.size",
        "offsets.load.buffer.size",
        "transaction.state.log.load.buffer.size",
        "sasl.server.max.receive.size",
        "jute.maxbuffer",
    }
)
"""Keys of Kafka and ZooKeeper in bytes that do not say so. Source: their documentation."""
_UNITS: Mapping[str, tuple[str, int]] = {
    "ms": ("ms", 1),
    "seconds": ("s", 1000),
    "secs": ("s", 1000),
    "minutes": ("min", 60_000),
    "hours": ("h", 3_600_000),
}
"""Last words of a name: the unit, and what one of it is in milliseconds."""
_NAMED = {
    "ticktime": "ms",
    "minsessiontimeout": "ms",
    "maxsessiontimeout": "ms",
    "autopurge.purgeinterval": "hours",
    "timeout": "seconds",
}
"""Of ZooKeeper and of a release."""
_NO_LIMIT = re.compile(r"(log\.)?retention\.(ms|minutes|hours|bytes)|queued\.max\.request\.bytes")
"""Where Kafka takes -1 for no limit. Source: its documentation."""
_LIKE_RETENTION = re.compile(r"(log\.)?local\.retention\.(ms|bytes)")
"""Where Kafka takes -2 for the retention itself."""
_AS_RETENTION = -2
_JAVA_LONG = 2**63 - 1
_STEPS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1))
_SIZES = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def with_unit(name: str, value: Any) -> str:
    """A value with its unit, if its name tells one: ``604800000 ms (7 d)``, ``1073741824 bytes (1 GiB)``.

    Args:
        name: Of a setting of a broker, a topic, ZooKeeper, a chart or a release.
        value: A text, or a number.
    """
    text = _line(str(value))
    number = value if isinstance(value, int) else whole(value) if isinstance(value, str) else None
    if number is None:
        return text
    last = re.split(r"[._]", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    lower = name.lower()
    of_time = _UNITS.get(_NAMED.get(lower, last[-1]))
    of_bytes = ("bytes" in last and last[-1] != "second") or lower in _MORE_BYTES
    if of_time is None and not of_bytes:
        return f"{text} bytes/s ({_size(number)}/s)" if last[-3:] == ["bytes", "per", "second"] else text
    unit = "bytes" if of_time is None else of_time[0]
    if number < 0:
        if number == -1 and _NO_LIMIT.fullmatch(lower):
            return f"{text} (no limit)"
        return f"{text} (as retention)" if number == _AS_RETENTION and _LIKE_RETENTION.fullmatch(lower) else text
    if number == _JAVA_LONG:
        return f"{text} {unit} (no limit)"
    other = _size(number) if of_time is None else _time(number * of_time[1])
    return f"{text} {unit}" if other in (f"{number} {unit}", "0") else f"{text} {unit} ({other})"


def _time(milliseconds: int) -> str:
    parts, rest = [], milliseconds
    for unit, step in _STEPS:
        count, rest = divmod(rest, step)
        if count:
            parts.append(f"{count} {unit}")
        if len(parts) == 2 or (parts and not rest):  # noqa: PLR2004 - nobody reads more
            break
    return ("≈ " if rest else "") + " ".join(parts) if parts else "0"


def _size(count: int) -> str:
    power = 0
    while power + 1 < len(_SIZES) and count >= 1024 ** (power + 1):
        power += 1
    amount, rest = divmod(count, 1024**power)
    if not rest:
        return f"{amount} {_SIZES[power]}"
    text = f"{count / 1024**power:.2f}".rstrip("0").rstrip(".")
    if text == "1024":
        power, text = power + 1, "1"
    return f"{'' if int(float(text) * 1024**power) == count else '≈ '}{text} {_SIZES[power]}"
