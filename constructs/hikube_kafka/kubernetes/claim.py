"""A volume claim, as the API server has it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ClaimSeen:
    """One volume claim. Sizes are as the API server writes them: ``10Gi``."""

    name: str
    size: str
    """What it asks for."""
    capacity: str | None
    """What its volume has; None: it has no volume yet."""
    storage_class: str | None
    growing: tuple[str, ...] = ()
    """Types of the conditions that stand on it while its volume grows: ``FileSystemResizePending``."""
    trouble: str | None = None
    """Why its volume does not grow, in Kubernetes' own words."""


def claim_of(found: Mapping[str, Any]) -> ClaimSeen:
    """Read a PersistentVolumeClaim."""
    status = found.get("status", {})
    conditions = [each for each in status.get("conditions", ()) if each.get("status") == "True"]
    return ClaimSeen(
        name=str(found["metadata"]["name"]),
        size=size_of(found),
        capacity=status.get("capacity", {}).get("storage"),
        storage_class=found["spec"].get("storageClassName"),
        growing=tuple(str(each["type"]) for each in conditions),
        trouble="; ".join(_troubles(status, conditions)) or None,
    )


def size_of(claim: Mapping[str, Any]) -> str:
    """What a claim, or the template of one, asks for."""
    return str(claim["spec"]["resources"]["requests"]["storage"])


def _troubles(status: Mapping[str, Any], conditions: list[Mapping[str, Any]]) -> Iterator[str]:
    state = str(status.get("allocatedResourceStatuses", {}).get("storage", ""))
    if state.endswith("Infeasible"):
        yield state
    for condition in conditions:
        if str(condition["type"]).endswith("ResizeError"):
            yield str(condition.get("message") or condition["type"])
