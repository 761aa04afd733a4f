"""Finding the contract in the files in which it travels."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class ContractFound:
    """A contract among the outputs of a file."""

    platform: str
    """Name of its platform."""
    target: str
    place: str
    """Where it stands in the file: ``stack.orders_contract``; empty for a bare contract."""
    contract: Contract | None
    """None: it cannot be read."""
    fault: str = ""
    """Why it cannot be read."""


def read_contracts(path: Path, platform: str | None = None) -> list[ContractFound]:
    """Read the contracts of a file, in its order; one that stands there twice counts once.

    The file is a bare contract, the answer to ``terraform output -json`` (``{"contract": {"value": …}}``), or what
    ``cdktf deploy --outputs-file`` writes (``{"stack": {"contract": …}}``); a contract is an object or its JSON text.
    Outputs that are no contract are passed over.

    Args:
        path: The file.
        platform: The one that is wanted, by the name of its platform or by its place; None: all.

    Raises:
        ContractFileError: The file cannot be read, or holds no contract, or none of that name.
    """
    try:
        content = json.loads(path.read_bytes())  # UTF-8, or what PowerShell writes
    except OSError as error:
        raise ContractFileError(path, f"{error.strerror or error}; write it with `terraform output -json`") from error
    except (ValueError, RecursionError) as error:
        raise ContractFileError(path, f"is not JSON ({error}); write it with `terraform output -json`") from error
    found = [_read(".".join(place), candidate) for place, candidate in _contracts(content, ())]
    if not found:
        raise ContractFileError(
            path,
            "contains no contract: the stack must have been applied, and have the platform's contract as an output",
        )
    wanted: list[ContractFound] = []
    for each in found:
        again = each.contract is not None and any(each.contract == other.contract for other in wanted)
        if platform in {None, each.platform, each.place} and not again:
            wanted.append(each)
    if not wanted:
        known = ", ".join(f"{each.platform} ({each.place})" if each.place else each.platform for each in found)
        raise ContractFileError(path, f"contains no contract of a platform {platform!r}; there are: {known}")
    return wanted


def read_contract(path: Path, platform: str | None = None) -> Contract:
    """Read the one contract of a file, or the one that is named.

    Raises:
        ContractFileError: The file cannot be read, or holds no contract, several, or a faulty one.
    """
    found = read_contracts(path, platform)
    if len(found) > 1:
        places = ", ".join(each.place for each in found)
        raise ContractFileError(path, f"contains {len(found)} contracts ({places}): name one")
    (one,) = found
    if one.contract is None:
        raise ContractFileError(path, one.fault)
    return one.contract


def _read(place: str, candidate: dict[str, Any]) -> ContractFound:
    contract, fault = None, ""
    try:
        contract = Contract.model_validate(candidate)
    except ValidationError as error:
        faults = "; ".join(
            ": ".join([*filter(None, [".".join(map(str, fault["loc"]))]), fault["msg"].removeprefix("Value error, ")])
            for fault in error.errors()
        )
        fault = f"the contract{f' at {place}' if place else ''} cannot be read: {faults}"
    return ContractFound(
        platform=str(candidate["platform"]),
        target=str(candidate["target"]),
        place=place,
        contract=contract,
        fault=fault,
    )


def _contracts(content: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if isinstance(content, str) and content.lstrip().startswith("{"):
        try:
            content = json.loads(content)
        except (ValueError, RecursionError):
            return
    if not isinstance(content, dict):
        return
    if content.keys() >= _MARKS:
        yield place, content
        return
    if content.keys() >= {"sensitive", "value"}:  # an output as `terraform output -json` writes it
        yield from _contracts(content["value"], place)
        return
    for key, inner in content.items():
        yield from _contracts(inner, (*place, key))
