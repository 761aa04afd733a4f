"""A StatefulSet with all that its rollout depends on: its pods, their claims, and what Kubernetes says of them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hikube_kafka.kubernetes.client import ApiServer
from hikube_kafka.kubernetes.errors import ForbiddenError

Object = Mapping[str, Any]
"""An object as the API server answers it."""

RUNNING = "running"
"""What a pod is when it is ready, and of the newest revision."""
AWAY = "away"
NOT_DECLARED = "not declared"
_ALONE = "without its StatefulSet"
_OLD = "of another revision"
_LEAVING = "terminating"
_NOT_READY = "not ready"


@dataclass(frozen=True, kw_only=True)
class RolloutSeen:
    """A StatefulSet of one name at one moment."""

    name: str
    stateful_set: Object | None
    """None: there is none of that name."""
    pods: Mapping[str, Object]
    """By name, in the order of their ordinals; those that an earlier StatefulSet of that name left are among them."""
    claims: Mapping[str, Object]
    """By name: those of its pods; none where the user may not read them."""
    events: tuple[Object, ...]
    """About these objects, the oldest first; none where the user may not read them."""

    @property
    def replicas(self) -> int:
        """How many pods the StatefulSet is to have."""
        return int(self.stateful_set["spec"].get("replicas", 1)) if self.stateful_set else 0

    def pod(self, ordinal: int) -> str:
        """The name of a pod."""
        return f"{self.name}-{ordinal}"

    def missing(self) -> list[str]:
        """The pods that the StatefulSet is to have and has not."""
        return [name for name in map(self.pod, range(self.replicas)) if name not in self.pods]

    def servers(self, declared: int) -> dict[str, str]:
        """What each pod is, by name, in words that stay the same for as long as it does.

        Args:
            declared: How many there are to be.
        """
        names = dict.fromkeys([*map(self.pod, range(declared)), *map(self.pod, range(self.replicas)), *self.pods])
        return {name: self._what(name, declared) for name in names}

    def _what(self, name: str, declared: int) -> str:
        ordinal = int(name.rpartition("-")[2])
        pod = self.pods.get(name)
        if ordinal >= declared:
            return NOT_DECLARED
        if pod is None or (self.stateful_set and ordinal >= self.replicas):
            return AWAY
        if self.stateful_set is None:
            return _ALONE
        if "deletionTimestamp" in pod["metadata"]:
            return _LEAVING
        if not is_ready(pod):
            reason = reason_of(pod)
            return f"{_NOT_READY}: {reason}" if reason else _NOT_READY
        newest = self.stateful_set.get("status", {}).get("updateRevision")
        return RUNNING if not newest or revision(pod) == newest else _OLD

    def rolled_out(self, declared: int) -> bool:
        """Whether every declared pod is ready and of the newest revision, as the controller knows it too."""
        if self.stateful_set is None or self.replicas < declared:
            return False
        status = self.stateful_set.get("status", {})
        seen = status.get("observedGeneration", 0) >= self.stateful_set["metadata"].get("generation", 0)
        servers = self.servers(declared)
        return bool(seen and all(servers[self.pod(ordinal)] == RUNNING for ordinal in range(declared)))

    @property
    def paused(self) -> str | None:
        """Why pods of another revision stay as they are, where somebody wants them to: its update strategy."""
        strategy = self.stateful_set["spec"].get("updateStrategy", {}) if self.stateful_set else {}
        partition = strategy.get("rollingUpdate", {}).get("partition") or 0
        if strategy.get("type") == "OnDelete":
            return "OnDelete"
        return f"partition {partition}" if partition else None


def is_ready(pod: Object) -> bool:
    """Whether its condition Ready holds."""
    return any(
        each["type"] == "Ready" and each["status"] == "True" for each in pod.get("status", {}).get("conditions", ())
    )


def revision(pod: Object) -> str:
    """Of which revision of its StatefulSet it is."""
    return str(pod["metadata"].get("labels", {}).get("controller-revision-hash", ""))


def containers(pod: Object) -> Iterator[Object]:
    """The states of its containers, those that run before the others first."""
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses", ())
    yield from status.get("containerStatuses", ())


def running(pod: Object) -> str | None:
    """The name of a container of it that runs."""
    return next((str(each["name"]) for each in containers(pod) if "running" in each.get("state", {})), None)


def unscheduled(pod: Object) -> str | None:
    """Why it has no node, in the scheduler's words; None: it has one, or the scheduler has not said anything."""
    for each in pod.get("status", {}).get("conditions", ()):
        if each["type"] == "PodScheduled" and each["status"] == "False":
            return str(each.get("message") or each.get("reason") or "")
    return None


def reason_of(pod: Object) -> str | None:
    """In one word, Kubernetes' own: ``ImagePullBackOff``; None: a container runs and is not ready yet."""
    if unscheduled(pod) is not None:
        return "Unschedulable"
    for each in containers(pod):
        waiting = each.get("state", {}).get("waiting", {}).get("reason")
        # Between two attempts the reason is now this, now that.
        if waiting:
            return {"ErrImagePull": "ImagePullBackOff"}.get(str(waiting), str(waiting))
    return None


async def observe_rollout(api: ApiServer, name: str) -> RolloutSeen:
    """Read a StatefulSet of the cluster's namespace with its pods, claims and events.

    Raises:
        KubernetesError: The StatefulSet or its pods cannot be read.
    """
    found = await api.find(f"/apis/apps/v1/namespaces/{api.namespace}/statefulsets/{name}")
    own = re.compile(rf"{re.escape(name)}-(0|[1-9][0-9]*)")
    pods = {pod["metadata"]["name"]: pod for pod in await api.listed("pods") if own.fullmatch(pod["metadata"]["name"])}
    claimed = re.compile(rf".+-{re.escape(name)}-(0|[1-9][0-9]*)")
    claims = {
        claim["metadata"]["name"]: claim
        for claim in await _if_allowed(api, "persistentvolumeclaims")
        if claimed.fullmatch(claim["metadata"]["name"])
    }
    uids = {each["metadata"]["uid"] for each in (*pods.values(), *claims.values(), *([found] if found else ()))}
    events = [each for each in await _if_allowed(api, "events") if each["involvedObject"].get("uid") in uids]
    return RolloutSeen(
        name=name,
        stateful_set=found,
        pods=dict(sorted(pods.items(), key=lambda item: int(item[0].rpartition("-")[2]))),
        claims=claims,
        events=tuple(sorted(events, key=_order)),
    )


async def _if_allowed(api: ApiServer, resource: str) -> list[Object]:
    try:
        return await api.listed(resource)
    except ForbiddenError:
        return []


def moment(event: Object) -> datetime | None:
    """When it was last seen; None: it does not say so."""
    written = _written(event)
    return datetime.fromisoformat(written) if written else None


def _written(event: Object) -> str:
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _order(event: Object) -> tuple[str, int]:
    """The API server numbers its objects in the order of their changes."""
    return _written(event)[:19], int(event["metadata"].get("resourceVersion") or 0)
