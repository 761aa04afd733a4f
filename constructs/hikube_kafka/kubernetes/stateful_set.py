"""A StatefulSet and its claims, as the API server has them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hikube_kafka.kubernetes.client import ApiServer
from hikube_kafka.kubernetes.errors import ForbiddenError


@dataclass(frozen=True, kw_only=True)
class TemplateSeen:
    """What a StatefulSet makes claims of."""

    size: str
    """As the API server writes it: ``10Gi``."""
    storage_class: str | None
    """None: the cluster's default at the moment a claim is made."""


@dataclass(frozen=True, kw_only=True)
class ClaimSeen:
    """One claim of a StatefulSet."""

    name: str
    template: str
    """Name of the claim template that it was made of."""
    ordinal: int
    """Number of the pod that it belongs to, whether there is one or not."""
    size: str
    """What it asks for."""
    capacity: str | None
    """What its volume has; None: it has no volume yet."""
    storage_class: str | None
    growing: tuple[str, ...] = ()
    """Types of the conditions that stand on it while its volume grows: ``FileSystemResizePending``."""
    trouble: str | None = None
    """Why its volume does not grow, in Kubernetes' own words."""


@dataclass(frozen=True, kw_only=True)
class StatefulSetSeen:
    """A StatefulSet by name, and the claims of that name; they outlive it."""

    name: str
    uid: str | None
    """None: there is no such StatefulSet."""
    replicas: int
    templates: Mapping[str, TemplateSeen]
    claims: tuple[ClaimSeen, ...]
    """In the order of their templates and ordinals."""


async def observe_stateful_set(api: ApiServer, name: str) -> StatefulSetSeen:
    """Read a StatefulSet of the cluster's namespace, and its claims.

    Raises:
        KubernetesError: They cannot be read.
    """
    found = await api.find(f"/apis/apps/v1/namespaces/{api.namespace}/statefulsets/{name}")
    claims = await api.find(f"/api/v1/namespaces/{api.namespace}/persistentvolumeclaims") or {}
    made = re.compile(rf"(.+)-{re.escape(name)}-(0|[1-9]\d*)")
    seen = [
        _claim(match[1], int(match[2]), claim)
        for claim in claims.get("items", ())
        if (match := made.fullmatch(claim["metadata"]["name"]))
    ]
    spec = found["spec"] if found else {}
    return StatefulSetSeen(
        name=name,
        uid=str(found["metadata"]["uid"]) if found else None,
        replicas=int(spec.get("replicas", 0)),
        templates={
            str(template["metadata"]["name"]): TemplateSeen(
                size=_size(template), storage_class=template["spec"].get("storageClassName")
            )
            for template in spec.get("volumeClaimTemplates", ())
        },
        claims=tuple(sorted(seen, key=lambda claim: (claim.template, claim.ordinal))),
    )


async def lets_claims_grow(api: ApiServer, storage_class: str) -> bool | None:
    """Whether a storage class has ``allowVolumeExpansion``; None: the user may not read storage classes.

    Raises:
        KubernetesError: It cannot be read.
    """
    try:
        found = await api.find(f"/apis/storage.k8s.io/v1/storageclasses/{storage_class}")
    except ForbiddenError:
        return None
    return bool(found and found.get("allowVolumeExpansion"))


def _claim(template: str, ordinal: int, claim: Mapping[str, Any]) -> ClaimSeen:
    status = claim.get("status", {})
    conditions = [each for each in status.get("conditions", ()) if each.get("status") == "True"]
    return ClaimSeen(
        name=str(claim["metadata"]["name"]),
        template=template,
        ordinal=ordinal,
        size=_size(claim),
        capacity=status.get("capacity", {}).get("storage"),
        storage_class=claim["spec"].get("storageClassName"),
        growing=tuple(str(each["type"]) for each in conditions),
        trouble="; ".join(_troubles(status, conditions)) or None,
    )


def _troubles(status: Mapping[str, Any], conditions: list[Mapping[str, Any]]) -> Iterator[str]:
    state = str(status.get("allocatedResourceStatuses", {}).get("storage", ""))
    if state.endswith("Infeasible"):
        yield state
    for condition in conditions:
        if str(condition["type"]).endswith("ResizeError"):
            yield str(condition.get("message") or condition["type"])


def _size(claim: Mapping[str, Any]) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])
