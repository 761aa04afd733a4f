"""Where each part of a stack is declared: a file beside the stack's Terraform, for the review of a plan.

A plan knows addresses and no lines. The synthesized stack has no place for them either that Terraform would leave alone
without a difference, so they are written beside it.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from hikube_kafka.platform import apart
from hikube_kafka.platform.cdk import (
    IConstruct,
    IStackSynthesizer,
    ISynthesisSession,
    TerraformStack,
    implements,
)
from hikube_kafka.spec.declarations import FILE, written
from hikube_kafka.spec.model import place


def remember(part: IConstruct, at: str = "", **below: str) -> None:
    """Remember where a part is declared, for the part and all that is below it.

    Args:
        part: A construct of a stack.
        at: File and line; empty: the line outside of this package that is making it.
        below: File and line of what is below it under an id that begins so: ``kafka="stacks/events.py:12"``.
    """
    _PLACES[part] = {"": at or place(), **{each: where for each, where in below.items() if where}}
    stack = TerraformStack.of(part)
    if stack not in _KEPT:
        _KEPT.add(stack)
        stack.synthesizer = _WithDeclarations(stack, stack.synthesizer)


_PLACES: WeakKeyDictionary[IConstruct, dict[str, str]] = WeakKeyDictionary()
_KEPT: WeakSet[TerraformStack] = WeakSet()


@implements(IStackSynthesizer)
class _WithDeclarations:
    """The stack's own synthesizer, and the file after it."""

    def __init__(self, stack: TerraformStack, own: IStackSynthesizer) -> None:
        self._stack = stack
        self._own = own

    def synthesize(self, session: ISynthesisSession) -> None:
        self._own.synthesize(session)
        stack = session.manifest.for_stack(self._stack)
        folder = Path(session.outdir)
        text = (folder / stack.synthesized_stack_path).read_text("utf-8")
        if not text.startswith("{"):  # HCL; what the cdktf command reads of it is in JSON beside it
            text = (folder / stack.stack_metadata_path).read_text("utf-8")
        file = folder / stack.working_directory / FILE
        file.write_text(written(dict(_lines(json.loads(text), _by_path()))), "utf-8")


def _by_path() -> Mapping[str, str]:
    parts = {apart.place(part)[1]: places for part, places in _PLACES.items()}
    return {
        f"{path}/{begins}" if begins else path: where
        for path, places in parts.items()
        for begins, where in places.items()
        # What another part has made by the way tells no more than that part.
        if begins or not any(parts[each][""] == where for each in _above(path) if each in parts)
    }


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _lines(stack: Mapping[str, Any], by_path: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Address and line of each element, the nearest that is known of those above it."""
    for kind, prefix in (("resource", ""), ("data", "data.")):
        for type_, elements in (stack.get(kind) or {}).items():
            for name, element in elements.items():
                path = ((element.get("//") or {}).get("metadata") or {}).get("path", "")
                if where := _nearest(path, by_path):
                    yield f"{prefix}{type_}.{name}", where.replace(os.sep, "/")


def _nearest(path: str, by_path: Mapping[str, str]) -> str:
    """The line of the path, of an id that begins as the next one below does, or of the next one above."""
    while path:
        if path in by_path:
            return by_path[path]
        above, _, id_ = path.rpartition("/")
        for cut in range(len(id_) - 1, 0, -1):
            if f"{above}/{id_[:cut]}" in by_path and not id_[cut].isalnum():
                return by_path[f"{above}/{id_[:cut]}"]
        path = above
    return ""
