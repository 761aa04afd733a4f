"""Claims that grow under running pods.

Kubernetes lets a claim grow, but not the claim templates of a StatefulSet. So the claims are patched first, and then
the StatefulSet is deleted without its pods: whoever deploys it makes it anew, with the new size, around the pods that
run.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from hikube_kafka.kubernetes.client import METADATA, ApiServer, ask
from hikube_kafka.kubernetes.errors import ChangeRefusedError, KubernetesError
from hikube_kafka.kubernetes.stateful_set import StatefulSetSeen, TemplateClaimSeen, TemplateSeen, lets_claims_grow
from hikube_kafka.kubernetes.stateful_set import observe_stateful_set as observe
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.log import log
from hikube_kafka.provider.settings import KubernetesReach
from hikube_kafka.spec.changes.volume_claims import differs, too_small
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.waiting import Stopped, until_async

_RESIZE_SECONDS = 600.0
"""For all volumes to grow: a cloud takes from seconds to minutes."""
_ORPHAN_SECONDS = 60.0
"""For the garbage collector to let go of the pods of a StatefulSet."""
_POLL_SECONDS = 0.5

_WAITS_FOR_A_POD = "FileSystemResizePending"
"""The volume has grown, its file system grows when a pod mounts it."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A StatefulSet, its claims, and what their storage classes allow."""

    seen: StatefulSetSeen
    grows: Mapping[str, bool | None]
    """Whether claims of a storage class may grow; None: the user may not read it."""


def survey(reach: KubernetesReach, stateful_set: str, *, expected: bool = False) -> Survey:
    """Look at a StatefulSet and its claims.

    Args:
        reach: The cluster and namespace.
        stateful_set: Its name.
        expected: Whether there were any the last time: in a cluster that does not even have the namespace, nothing is
            gone, for another cluster is asked.

    Raises:
        KubernetesError: They cannot be read.
    """

    async def look(api: ApiServer) -> Survey:
        seen = await observe(api, stateful_set)
        if expected and seen.uid is None and not seen.claims:
            await api.require_namespace()
        classes = {claim.storage_class for claim in seen.claims if claim.storage_class is not None}
        return Survey(seen=seen, grows={each: await lets_claims_grow(api, each) for each in sorted(classes)})

    return ask(reach.kubeconfig, reach.context, reach.namespace, look)


def created_namespace(reach: KubernetesReach) -> str | None:
    """The namespace, if a stack of this project has created it, by its label; None: it has not, or nobody says so."""

    async def look(api: ApiServer) -> str | None:
        found = await api.find(f"api/v1/namespaces/{reach.namespace}", accept=METADATA)
        labels = found["metadata"].get("labels") or {} if found else {}
        return reach.namespace if labels.get("app.kubernetes.io/part-of") == "hikube-kafka" else None

    try:
        return ask(reach.kubeconfig, reach.context, reach.namespace, look)
    except KubernetesError:
        return None


def grow(
    reach: KubernetesReach,
    stateful_set: str,
    declared: Mapping[str, TemplateSeen],
    stopped: threading.Event,
) -> None:
    """Let the claims grow, wait until their volumes have, and delete a StatefulSet of other templates without its pods.

    Whatever of it is done already is not done again. Nothing ever shrinks.

    Args:
        reach: The cluster and namespace.
        stateful_set: Its name; there may be none, and no claims either.
        declared: Size and class of each template: the templates of the StatefulSet, where there is one.
        stopped: Set when the user presses Ctrl-C.

    Raises:
        KubernetesError: The API server does not answer.
        Refusal: It refuses, a volume does not grow, or Ctrl-C; the next call goes on from there.
    """

    async def work(api: ApiServer) -> None:
        seen = await observe(api, stateful_set)
        refused: list[Diagnostic] = []
        for claim in too_small(seen.claims, declared):
            size = declared[claim.template].size
            log("info", "claim grows", claim=claim.name, before=claim.size, after=size)
            try:
                await api.patch(
                    f"/api/v1/namespaces/{api.namespace}/persistentvolumeclaims/{claim.name}",
                    {"spec": {"resources": {"requests": {"storage": size}}}},
                )
            except ChangeRefusedError as problem:
                refused.append(Diagnostic(f"Claim {claim.name} cannot grow from {claim.size} to {size}", f"{problem}."))
        if refused:  # the others grow meanwhile, and the next apply finds them grown
            raise Refusal(*refused)
        await _resized(api, stateful_set, declared, stopped, reach.command())
        if seen.uid is not None and differs(seen.templates, declared):
            await _orphan(api, stateful_set, seen.uid, stopped)

    ask(reach.kubeconfig, reach.context, reach.namespace, work)


async def _resized(
    api: ApiServer, stateful_set: str, declared: Mapping[str, TemplateSeen], stopped: threading.Event, kubectl: str
) -> None:
    """Wait until every volume has the size that its claim asks for, as far as a pod that runs can see it."""
    left: list[TemplateClaimSeen] = []

    async def grown() -> bool:
        seen = await observe(api, stateful_set)
        waited = [
            claim
            for claim in seen.claims
            if claim.template in declared
            and claim.capacity is not None  # without a volume it gets one of the new size
            and Quantity(claim.capacity) < Quantity(claim.size)
        ]
        left[:] = [
            claim
            for claim in waited
            if _WAITS_FOR_A_POD not in claim.growing or (await api.pod(f"{stateful_set}-{claim.ordinal}")).running
        ]
        return not left

    def names() -> str:
        return ", ".join(claim.name for claim in left)

    try:
        in_time = await until_async(grown, _RESIZE_SECONDS, stopped.is_set, every=_POLL_SECONDS)
    except Stopped:
        raise Refusal(
            Diagnostic(
                "Stopped while volumes were growing",
                f"{names()} have not grown yet. The next apply continues from here.",
            )
        ) from None
    if not in_time:
        troubles = "; ".join(f"{claim.name}: {claim.trouble}" for claim in left if claim.trouble)
        raise Refusal(
            Diagnostic(
                "Volumes do not grow",
                f"{names()} have not grown within {_RESIZE_SECONDS:g} s. {troubles or 'Kubernetes gives no reason'}. "
                f"See {kubectl} describe pvc. Some storage grows its file system only when the pod "
                "restarts: delete such a pod by hand, one at a time. The next apply continues from here.",
            )
        )


async def _orphan(api: ApiServer, stateful_set: str, uid: str, stopped: threading.Event) -> None:
    path = f"/apis/apps/v1/namespaces/{api.namespace}/statefulsets/{stateful_set}"
    log("info", "the StatefulSet goes, its pods stay", stateful_set=stateful_set)
    try:
        await api.delete(path, {"propagationPolicy": "Orphan", "preconditions": {"uid": uid}})
    except ChangeRefusedError as problem:
        raise Refusal(Diagnostic(f"StatefulSet {stateful_set} cannot be recreated", f"{problem}.")) from None

    async def gone() -> bool:
        return await api.find(path) is None

    left_to_do = "It is marked for deletion, and its pods stay. The next apply continues from here."
    try:
        in_time = await until_async(gone, _ORPHAN_SECONDS, stopped.is_set, every=_POLL_SECONDS)
    except Stopped:
        raise Refusal(Diagnostic(f"Stopped before StatefulSet {stateful_set} was deleted", left_to_do)) from None
    if not in_time:
        waited = f"The provider waited {_ORPHAN_SECONDS:g} s."
        raise Refusal(Diagnostic(f"StatefulSet {stateful_set} is not deleted yet", f"{waited} {left_to_do}"))
