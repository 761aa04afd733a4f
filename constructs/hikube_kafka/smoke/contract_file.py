"""Finding the contract in the files in which it travels."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hikube_kafka.spec.contract import Contract

_MARKS = frozenset({"version", "platform", "target", "kafka"})
"""Fields that make an object a contract, of whatever version; everything else in a file of outputs is passed over."""


class ContractFileError(Exception):
    """A file has no contract that can be read."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{path}: {why}")


def read_contract(path: Path) -> Contract:
    """Read the one contract of a file.

    The file is a bare contract, the answer to ``terraform output -json`` (``{"contract": {"value": …}}``), or what
    ``cdktf deploy --outputs-file`` writes (``{"stack": {"contract": …}}``); the contract is an object or its JSON text.

    Raises:
        ContractFileError: The file cannot be read, or holds no contract, several, or a faulty one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContractFileError(path, f"{error.strerror or error}; write it with `terraform output -json`") from error
    except ValueError as error:
        raise ContractFileError(path, f"is not JSON ({error}); write it with `terraform output -json`") from error
    found = dict(_contracts(content, ()))
    if not found:
        raise ContractFileError(
            path,
            "contains no contract: the stack must have been applied, and have the platform's contract as an output",
        )
    if len(found) > 1:
        places = ", ".join(".".join(place) for place in found)
        raise ContractFileError(
            path, f"contains {len(found)} contracts ({places}): write one stack's outputs to a file"
        )
    ((place, candidate),) = found.items()
    try:
        return Contract.model_validate(candidate)
    except ValidationError as error:
        faults = "; ".join(
            ": ".join([*filter(None, [".".join(map(str, fault["loc"]))]), fault["msg"].removeprefix("Value error, ")])
            for fault in error.errors()
        )
        raise ContractFileError(
            path, f"the contract{' at ' + '.'.join(place) if place else ''} cannot be read: {faults}"
        ) from error


def _contracts(content: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(content, str) and content.lstrip().startswith("{"):
        try:
            content = json.loads(content)
        except ValueError:
            return
    if not isinstance(content, dict):
        return
    if content.keys() >= _MARKS:
        yield place, content
        return
    for key, inner in content.items():
        yield from _contracts(inner, (*place, key))
