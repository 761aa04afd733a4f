"""What stands in the way of a rollout, found in the objects themselves: pure, it asks nobody."""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hikube_kafka.kubernetes.rollout import Object, RolloutSeen, containers, is_ready, moment, reason_of, unscheduled

Kind = Literal[
    "image",
    "container",
    "crash",
    "memory",
    "refused",
    "webhook",
    "unschedulable",
    "claim",
    "claim-slow",
    "claim-lost",
    "mount",
    "mount-slow",
    "node",
    "terminating",
]

_IMAGE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "RegistryUnavailable",
        "ImageInspectError",
        "SignatureValidationFailed",
    }
)
_CONTAINER = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})
_MOUNT = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox"})
_CLAIM = frozenset({"ProvisioningFailed", "FailedBinding"})
_SLOW = re.compile(r"(?i)deadline ?exceeded|timed out|code = Aborted|Multi-Attach")
"""In the words of a storage that is still at work: a cloud takes minutes to make a volume, or to take it from the node
that had it."""
_SCALES_UP = frozenset({"TriggeredScaleUp", "Nominated", "NominatedNode"})
"""An autoscaler brings a node for the pod: cluster-autoscaler's word, and Karpenter's."""
_NODE_COMES = timedelta(minutes=15)
"""How long a node may take to come; cluster-autoscaler too gives one up after that."""
_MOST = 800
"""Characters of an event's words: a scheduler's are long."""
_LATE = timedelta(seconds=30)
"""How long a pod may be there after its own time to end is over; a kubelet that lives has killed it by then."""


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why one pod does not become ready."""

    kind: Kind
    pod: str
    words: str
    """Kubernetes' own."""
    cause: str = ""
    """The same for pods that have the same in their way; empty: their words but for their names."""
    container: str = ""
    restarts: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same for as long as it stands in the way."""
        return self.kind, self.pod


def obstacles(seen: RolloutSeen, fresh: AbstractSet[str], now: datetime) -> list[Obstacle]:
    """What keeps pods from becoming ready, one for each of them that has one.

    Args:
        seen: The StatefulSet, its pods, their claims and the events.
        fresh: UIDs of the events that have come, or come again, since somebody began to wait: an older one may be
            about what is long over.
        now: The time.
    """
    events = [each for each in seen.events if each["metadata"]["uid"] in fresh]
    found = [*_refused(seen, events)]
    for name, pod in seen.pods.items():
        if "deletionTimestamp" in pod["metadata"]:
            found += _terminating(name, pod, now)
        elif not is_ready(pod):
            found += _of_pod(name, pod, seen, events, now)[:1]
    return found


def probe_says(seen: RolloutSeen, pod: str) -> str | None:
    """What the newest event says of a probe of a pod that failed."""
    said = [each for each in seen.events if each.get("reason") == "Unhealthy" and _about(each, pod)]
    return _words(said[-1]) if said else None


# ---- a pod that is not there ----------------------------------------------------------------------------------------


def _refused(seen: RolloutSeen, events: list[Object]) -> Iterator[Obstacle]:
    """Pods, or claims of theirs, that the API server does not let the StatefulSet make."""
    own = (seen.stateful_set or {}).get("metadata", {}).get("uid")
    ours = [each for each in events if each["involvedObject"].get("uid") == own]
    for name in seen.missing():
        last = [
            each
            for each in ours
            if each.get("reason") in {"FailedCreate", "SuccessfulCreate"} and f"Pod {name} " in str(each.get("message"))
        ]
        if last and last[-1]["reason"] == "FailedCreate":
            words = _words(last[-1])
            words = words.partition(" failed error: ")[2] or words
            # A webhook that does not answer has not refused anything: it may be starting.
            yield Obstacle(kind="webhook" if "failed calling webhook" in words else "refused", pod=name, words=words)


# ---- a pod that is there --------------------------------------------------------------------------------------------


def _of_pod(name: str, pod: Object, seen: RolloutSeen, events: list[Object], now: datetime) -> list[Obstacle]:
    """What stands in its way, what explains the others first."""
    return [
        *_of_claims(name, seen, events),
        *_unschedulable(name, pod, seen, now),
        *_of_containers(name, pod),
        *_mounts(name, pod, events),
        *_node(name, pod, events),
    ]


def _of_claims(name: str, seen: RolloutSeen, events: list[Object]) -> Iterator[Obstacle]:
    for claim, values in seen.claims.items():
        if not claim.endswith(f"-{name}"):
            continue
        phase = values.get("status", {}).get("phase")
        if phase == "Lost":
            yield Obstacle(kind="claim-lost", pod=name, words=f"claim {claim} has lost its volume")
        said = [each for each in events if each.get("reason") in _CLAIM and _about(each, claim)]
        if phase == "Pending" and said:
            words = _words(said[-1])
            yield Obstacle(
                kind="claim-slow" if _SLOW.search(words) else "claim", pod=name, words=f"claim {claim}: {words}"
            )


def _unschedulable(name: str, pod: Object, seen: RolloutSeen, now: datetime) -> Iterator[Obstacle]:
    words = unscheduled(pod)
    if not words or _node_comes(name, seen, now) or ("unbound immediate" in words and _volume_comes(name, seen)):
        return
    yield Obstacle(kind="unschedulable", pod=name, words=words)


def _node_comes(name: str, seen: RolloutSeen, now: datetime) -> bool:
    """Whether an autoscaler has said so; it says it once, maybe to an apply that was cut short."""
    said = [moment(each) for each in seen.events if each.get("reason") in _SCALES_UP and _about(each, name)]
    return bool(said) and (said[-1] is None or now < said[-1] + _NODE_COMES)


def _volume_comes(name: str, seen: RolloutSeen) -> bool:
    """Whether each claim that has no volume yet has a provisioner that has begun to make one."""
    pending = [
        claim
        for claim, values in seen.claims.items()
        if claim.endswith(f"-{name}") and values.get("status", {}).get("phase") == "Pending"
    ]
    begun = {each["involvedObject"].get("name") for each in seen.events if each.get("reason") == "Provisioning"}
    return bool(pending) and begun.issuperset(pending)


def _of_containers(name: str, pod: Object) -> Iterator[Obstacle]:
    for each in containers(pod):
        waiting = each.get("state", {}).get("waiting", {})
        reason, words = str(waiting.get("reason", "")), str(waiting.get("message", ""))
        if reason in _IMAGE:
            words = words if each["image"] in words else f"{each['image']}: {words or reason}"
            yield Obstacle(kind="image", pod=name, words=words, cause=each["image"], container=each["name"])
        elif reason in _CONTAINER:
            yield Obstacle(kind="container", pod=name, words=words or reason, container=each["name"])
        elif reason == "CrashLoopBackOff":
            yield _crash(name, each)


def _crash(name: str, container: Mapping[str, Any]) -> Obstacle:
    ended = container.get("lastState", {}).get("terminated", {})
    restarts = int(container.get("restartCount", 0))
    reason = str(ended.get("reason", "Error"))
    said = f": {ended['message'].strip()}" if ended.get("message") else ""
    return Obstacle(
        kind="memory" if reason == "OOMKilled" else "crash",
        pod=name,
        words=f"container {container['name']} ended with exit code {ended.get('exitCode')} ({reason}){said}",
        container=container["name"],
        restarts=restarts,
    )


def _mounts(name: str, pod: Object, events: list[Object]) -> Iterator[Obstacle]:
    said = [each for each in events if each.get("reason") in _MOUNT and _about(each, name)]
    if said and reason_of(pod) in {"ContainerCreating", "PodInitializing"}:
        words = _words(said[-1])
        yield Obstacle(kind="mount-slow" if _SLOW.search(words) else "mount", pod=name, words=words)


def _node(name: str, pod: Object, events: list[Object]) -> Iterator[Obstacle]:
    """A node that does not answer; Kubernetes gives its pods up only minutes later."""
    if any(each.get("reason") == "NodeNotReady" and _about(each, name) for each in events):
        yield Obstacle(kind="node", pod=name, words=f"node {pod['spec'].get('nodeName')} does not answer")


def _terminating(name: str, pod: Object, now: datetime) -> Iterator[Obstacle]:
    """A pod that outlives its time: its node does not answer, or something holds it."""
    end = datetime.fromisoformat(str(pod["metadata"]["deletionTimestamp"])).astimezone(UTC)
    if now > end + _LATE:
        node = pod["spec"].get("nodeName", "none")
        held = pod["metadata"].get("finalizers") or ()
        because = f"finalizers hold it: {', '.join(held)}" if held else f"node {node} has not ended it"
        yield Obstacle(kind="terminating", pod=name, words=f"it should have ended by {end:%H:%M:%S} UTC, but {because}")


def _about(event: Object, name: str) -> bool:
    return bool(event["involvedObject"].get("name") == name)


def _words(event: Object) -> str:
    return " ".join(str(event.get("message", "")).split())[:_MOST]
