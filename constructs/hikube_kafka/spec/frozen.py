"""A mapping that nobody changes: what was declared stays what was declared."""

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Self, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class NoSuchKeyError(KeyError):
    """There is no such entry; the message names the nearest. Unlike a ``KeyError``'s it is not shown in quotes."""

    def __str__(self) -> str:
        return str(self.args[0])


class FrozenDict(dict[K, V]):
    """A dictionary that cannot be changed, and so has a hash; a wrong key is answered with the nearest.

    Args:
        entries: what it has.
        of: what an entry is called in an error: ``topic``.
    """

    __slots__ = ("_of",)

    _of: str

    def __init__(self, entries: Mapping[K, V] | Iterable[tuple[K, V]] = (), *, of: str = "entry") -> None:
        super().__init__(entries)
        object.__setattr__(self, "_of", of)

    def __missing__(self, key: object) -> NoReturn:
        raise NoSuchKeyError(_missing(key, [str(each) for each in self], self._of))

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("what was declared cannot be changed: declare another one")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse
    __setattr__ = __delattr__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


def _missing(key: object, names: list[str], of: str) -> str:
    from hikube_kafka.spec.definitions.nearest import nearest  # noqa: PLC0415 - of use in an error alone
    from hikube_kafka.spec.problem import shortened  # noqa: PLC0415 - likewise

    there = f"there is no {of} {key!r}"
    if not names:
        return f"{there}: none is declared"
    near = nearest(str(key), names).keys
    return f"{there}: did you mean {near[0]!r}?" if near else f"{there}: there are {shortened(names)}"
