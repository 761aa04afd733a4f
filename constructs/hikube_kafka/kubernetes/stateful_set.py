"""A StatefulSet and its claims, as the API server has them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hikube_kafka.kubernetes.claim import ClaimSeen, claim_of, size_of
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
class TemplateClaimSeen(ClaimSeen):
    """One claim that was made of a StatefulSet's template."""

    template: str
    """Name of the template."""
    ordinal: int
    """Number of the pod that it belongs to, whether there is one or not."""


@dataclass(frozen=True, kw_only=True)
class StatefulSetSeen:
    """A StatefulSet by name, and the claims of that name; they outlive it."""

    name: str
    uid: str | None
    """None: there is no such StatefulSet."""
    replicas: int
    templates: Mapping[str, TemplateSeen]
    claims: tuple[TemplateClaimSeen, ...]
    """In the order of their templates and ordinals."""


async def observe_stateful_set(api: ApiServer, name: str) -> StatefulSetSeen:
    """Read a StatefulSet of the cluster's namespace, and its claims.

    Raises:
        KubernetesError: They cannot be read.
    """
    found = await api.find(f"/apis/apps/v1/namespaces/{api.namespace}/statefulsets/{name}")
    claims = await api.find(f"/api/v1/namespaces/{api.namespace}/persistentvolumeclaims") or {}
    made = re.compile(rf"(.+)-{re.escape(name)}-(0|[1-9][0-9]*)")
    seen = [
        TemplateClaimSeen(**vars(claim_of(claim)), template=match[1], ordinal=int(match[2]))
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
                size=size_of(template), storage_class=template["spec"].get("storageClassName")
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
