"""Waiting for a rollout: what was changed by hand is set back, and what stands in the way ends the wait.

Waiting helps against nothing that is in ``_PATIENCE`` for longer than that. Against all else (a broker that recovers,
a volume that a cloud makes) it does, up to the declared patience.
"""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from hikube_kafka.kubernetes.client import ApiServer, ask
from hikube_kafka.kubernetes.errors import ApiServerError, ChangeRefusedError, ForbiddenError, KubernetesError
from hikube_kafka.kubernetes.obstacles import Kind, Obstacle, obstacles, probe_says
from hikube_kafka.kubernetes.release import Revision, manifest, newest_revision
from hikube_kafka.kubernetes.rollout import RUNNING, RolloutSeen, is_ready, observe_rollout, running
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.log import log
from hikube_kafka.provider.problems import told
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach
from hikube_kafka.spec.changes import rollout as changes
from hikube_kafka.waiting import Stopped, until_async

_POLL_SECONDS = 2.0
_PATIENCE: Mapping[Kind, float] = {
    "image": 45,
    "container": 45,
    "crash": 75,
    "memory": 75,
    "refused": 30,
    "webhook": 100,
    "unschedulable": 100,
    "claim": 60,
    "claim-slow": 600,
    "claim-lost": 30,
    "mount": 70,
    "mount-slow": 420,
    "node": 100,
    "terminating": 30,
}
"""Seconds that something may stand in the way before the wait ends: below two minutes, but for storage that is still at
work. Kubernetes takes a volume from a node that is gone after 6 minutes."""
_COMES_AND_GOES: tuple[Kind, ...] = "image", "container", "crash", "memory"
"""A container that crashes runs in between, and a pull is tried again: until the pod is ready it is the same."""
_RESTARTS = 3
"""As many crashes while somebody waits are no start that was unlucky: a broker whose last session is still known to
ZooKeeper exits once or twice."""
_SILENT_SECONDS = 90.0
"""For servers that run to find each other, before their logs are asked for what they wait."""
_LOG_LINES = 60
_SHOWN_LINES = 3
_WAITS: Mapping[str, tuple[str, int]] = {
    "no-membership": ("its claim has no membership", _SHOWN_LINES),
    "no-zookeeper": ("waits: no ZooKeeper server serves", 1),
}
"""What servers of the charts write while they wait for what does not come by itself, and in how many of their last
lines: a ZooKeeper server that nobody tells who votes, a broker that no ZooKeeper server lets in."""
_UNANSWERED_SECONDS = 120.0
"""For an API server that does not answer to come back."""
_WRONG_CLUSTER = (
    re.compile(r"Invalid cluster\.id in: .*Expected (?P<known>[\w-]+), but read (?P<stored>[\w-]+)"),
    re.compile(r"Cluster ID (?P<known>\S+) doesn't match stored clusterId (?:\w+[(\[])?(?P<stored>[\w-]+)"),
)
"""As Kafka 3.7 and later say it, and as the others do."""
_SECRET = re.compile(r"(?i)((?:password|passwd|secret|token|credential)[\w.-]*\"?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|\S+)")
_TELLING = re.compile(r"ERROR|FATAL|Exception|Error:")


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A StatefulSet, and what an apply has to know beside it."""

    seen: RolloutSeen
    newest: Revision | None
    """The newest revision of its release."""
    nodes: int | None
    """How many nodes take pods; None: the user may not list them."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is waited for."""

    stateful_set: str
    release: str
    replicas: int
    seconds: int


def survey(reach: KubernetesReach, stateful_set: str, release: str) -> Survey:
    """Look at a StatefulSet, its release and the nodes.

    Raises:
        KubernetesError: They cannot be read.
    """

    async def look(api: ApiServer) -> Survey:
        return Survey(
            seen=await observe_rollout(api, stateful_set),
            newest=await newest_revision(api, release),
            nodes=await _nodes(api),
        )

    return ask(reach.kubeconfig, reach.context, reach.namespace, look)


async def _nodes(api: ApiServer) -> int | None:
    try:
        nodes = await api.listed("nodes", namespaced=False)
    except ForbiddenError:
        return None
    return sum(not node["spec"].get("unschedulable") for node in nodes)


def roll_out(reach: KubernetesReach, wanted: Wanted, session: Session) -> None:
    """Set back what was changed by hand, and wait until every pod is ready and of the newest revision.

    Args:
        reach: The cluster and namespace.
        wanted: The StatefulSet, and how many pods.
        session: Says when the user presses Ctrl-C.

    Raises:
        KubernetesError: The API server does not answer.
        Refusal: Something stands in the way, the patience is over, or Ctrl-C.
    """

    async def work(api: ApiServer) -> None:
        watch = _Watch(api, wanted, await observe_rollout(api, wanted.stateful_set))
        await _heal(api, wanted, watch.seen, reach)
        try:
            await until_async(watch.ended, wanted.seconds, session.stopped.is_set, every=_POLL_SECONDS)
        except Stopped:
            raise Refusal(
                Diagnostic(
                    f"Stopped while StatefulSet {wanted.stateful_set} was rolling out",
                    f"{watch.summary()} The rollout goes on in the cluster; the next apply waits for it again.",
                )
            ) from None
        if watch.hindrances:
            raise Refusal(*told(changes.hindered(each, reach.command()) for each in watch.hindrances))
        if not watch.done:
            raise Refusal(
                *told([changes.not_ready(wanted.stateful_set, watch.details(), wanted.seconds, reach.command())])
            )

    ask(reach.kubeconfig, reach.context, reach.namespace, work)


# ---- what was changed by hand ---------------------------------------------------------------------------------------


async def _heal(api: ApiServer, wanted: Wanted, seen: RolloutSeen, reach: KubernetesReach) -> None:
    path = f"/apis/apps/v1/namespaces/{api.namespace}/statefulsets"
    try:
        if seen.stateful_set is None:
            await _recreate(api, wanted, path, reach)
            return
        change: dict[str, Any] = {}
        if seen.replicas < wanted.replicas:
            change["replicas"] = wanted.replicas
        if seen.paused:
            change["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
        if change:
            log("info", "set back", stateful_set=wanted.stateful_set, what=", ".join(change))
            await api.patch(f"{path}/{wanted.stateful_set}", {"spec": change})
        elif any(seen.pod(ordinal) not in seen.pods for ordinal in range(wanted.replicas)):
            # After a refusal the controller tries again later and later, up to a quarter of an hour: ask it now.
            mark = {"hikube.kafka/asked": datetime.now(UTC).isoformat(timespec="seconds")}
            # Whoever may not: it is only later then.
            with suppress(ChangeRefusedError):
                await api.patch(f"{path}/{wanted.stateful_set}", {"metadata": {"annotations": mark}})
    except ChangeRefusedError as problem:
        raise Refusal(Diagnostic(f"StatefulSet {wanted.stateful_set} cannot be set back", f"{problem}.")) from None


async def _recreate(api: ApiServer, wanted: Wanted, path: str, reach: KubernetesReach) -> None:
    """Make a StatefulSet that somebody has deleted, as its release has it; pods that it left are taken up."""
    newest = await newest_revision(api, wanted.release)
    found = await manifest(api, newest, "StatefulSet", wanted.stateful_set) if newest else None
    if found is None:
        raise Refusal(
            Diagnostic(
                f"There is no StatefulSet {wanted.stateful_set} in namespace {api.namespace}",
                f"Release {wanted.release} has none of that name, or its Secrets cannot be read. If it was deleted by "
                f"hand, recreate it and apply again: {reach.command('helm')} get manifest {wanted.release} | "
                f"{reach.command()} apply -f -",
            )
        )
    log("info", "recreated", stateful_set=wanted.stateful_set)
    await api.create(path, found)


# ---- waiting --------------------------------------------------------------------------------------------------------


@dataclass
class _Watch:
    """What is seen while a rollout is waited for."""

    api: ApiServer
    wanted: Wanted
    seen: RolloutSeen
    done: bool = False
    hindrances: list[changes.Hindrance] = field(default_factory=list)
    _said: dict[str, str] = field(default_factory=dict)
    _since: dict[tuple[str, str], float] = field(default_factory=dict)
    _answered: float = field(default_factory=monotonic)
    _spoke: float = field(default_factory=monotonic)
    _unready: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._old = {each["metadata"]["uid"]: _times(each) for each in self.seen.events}
        self._restarts = {
            pod["metadata"]["uid"]: sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))
            for pod in self.seen.pods.values()
        }

    async def ended(self) -> bool:
        """Look once more: whether the rollout is over, or something stands in the way for too long."""
        try:
            self.seen = await observe_rollout(self.api, self.wanted.stateful_set)
        except ApiServerError:
            if monotonic() - self._answered > _UNANSWERED_SECONDS:
                raise
            return False
        self._answered = monotonic()
        self._tell()
        self.done = self.seen.rolled_out(self.wanted.replicas)
        if self.done:
            return True
        declared = set(map(self.seen.pod, range(self.wanted.replicas)))
        found = obstacles(self.seen, self._fresh(), datetime.now(UTC))
        standing = [each for each in found if each.pod in declared]
        lasting = {each.key for each in standing}
        lasting |= {(kind, pod) for kind in _COMES_AND_GOES for pod in self.details()}
        self._since = {key: since for key, since in self._since.items() if key in lasting}
        for each in standing:
            self._since.setdefault(each.key, monotonic())
        if any(self._is_enough(each) for each in standing):
            self.hindrances = await _explained(self.api, standing)
        elif self._silent():
            # Nobody else is to come who could tell them.
            self.hindrances = await _waiting("no-membership", self.api, self.seen, declared)
        if not self.hindrances and (slow := self._slow(declared)):
            self.hindrances = await _waiting("no-zookeeper", self.api, self.seen, slow)
        return bool(self.hindrances)

    def _slow(self, declared: AbstractSet[str]) -> set[str]:
        """Those that have run for a while and are not ready; each once each while."""
        now = monotonic()
        unready = {
            name for name in declared if (pod := self.seen.pods.get(name)) and not is_ready(pod) and running(pod)
        }
        self._unready = {name: self._unready.get(name, now) for name in unready}
        slow = {name for name, since in self._unready.items() if now - since >= _SILENT_SECONDS}
        self._unready |= dict.fromkeys(slow, now)
        return slow

    def _silent(self) -> bool:
        """Whether all servers have run for a while, and none of them serves; once each while."""
        pods = [self.seen.pods.get(self.seen.pod(ordinal)) for ordinal in range(self.wanted.replicas)]
        if not all(pod and not is_ready(pod) and running(pod) for pod in pods):
            self._spoke = monotonic()
        silent = monotonic() - self._spoke >= _SILENT_SECONDS
        if silent:
            self._spoke = monotonic()
        return silent

    def _fresh(self) -> AbstractSet[str]:
        """The events that have come, or come again, since the wait began: an older one may be about what is over."""
        return {uid for each in self.seen.events if _times(each) != self._old.get(uid := each["metadata"]["uid"])}

    def _is_enough(self, obstacle: Obstacle) -> bool:
        uid = self.seen.pods[obstacle.pod]["metadata"]["uid"] if obstacle.pod in self.seen.pods else ""
        crashes = obstacle.restarts - self._restarts.get(uid, 0)
        stood = monotonic() - self._since[obstacle.key]
        return stood >= _PATIENCE[obstacle.kind] or crashes >= _RESTARTS

    def _tell(self) -> None:
        servers = self.seen.servers(self.wanted.replicas)
        for pod, what in servers.items():
            if self._said.get(pod) != what:
                log("info", "rollout", pod=pod, state=what)
        self._said = servers

    def details(self) -> dict[str, str]:
        """What each pod that is not ready says."""
        servers = self.seen.servers(self.wanted.replicas)
        return {
            pod: "; ".join(filter(None, (what, probe_says(self.seen, pod))))
            for pod, what in servers.items()
            if what != RUNNING
        }

    def summary(self) -> str:
        """How far it is."""
        servers = self.seen.servers(self.wanted.replicas)
        ready = sum(what == RUNNING for what in servers.values())
        rest = ", ".join(f"{pod} ({what})" for pod, what in servers.items() if what != RUNNING)
        return f"{ready} of {self.wanted.replicas} pods are ready and up to date" + (
            f"; not yet: {rest}." if rest else "."
        )


def _times(event: Mapping[str, Any]) -> tuple[Any, ...]:
    return event.get("count"), event.get("lastTimestamp"), event.get("series")


async def _explained(api: ApiServer, standing: Iterable[Obstacle]) -> list[changes.Hindrance]:
    """One for each cause, with all pods that have it, and what a container that crashes wrote last."""
    causes: dict[tuple[str, str], list[Obstacle]] = {}
    for each in standing:
        causes.setdefault((each.kind, each.cause or each.words.replace(each.pod, "")), []).append(each)
    found = []
    for (kind, _), same in causes.items():
        lines = await _last_words(api, same[0]) if kind == "crash" else []
        found.append(
            changes.Hindrance(
                kind=kind,
                pods=tuple(each.pod for each in same),
                words=same[0].words,
                log=tuple(telling(lines)),
                clusters=wrong_cluster(lines),
            )
        )
    return found


async def _waiting(kind: str, api: ApiServer, seen: RolloutSeen, pods: AbstractSet[str]) -> list[changes.Hindrance]:
    """One for all of the pods whose last lines say that they wait."""
    says, count = _WAITS[kind]
    waits: dict[str, str] = {}
    for name in sorted(pods):
        lines = await _log(api, name, running(seen.pods[name]) or "", lines=count, previous=False)
        waits |= ((name, line) for line in lines if says in line)
    return [changes.Hindrance(kind=kind, pods=tuple(waits), words=next(iter(waits.values())))] if waits else []


async def _last_words(api: ApiServer, obstacle: Obstacle) -> list[str]:
    return await _log(api, obstacle.pod, obstacle.container, lines=_LOG_LINES, previous=True)


async def _log(api: ApiServer, pod: str, container: str, *, lines: int, previous: bool) -> list[str]:
    try:
        return await api.log(pod, container, lines=lines, previous=previous)
    except KubernetesError:
        return []


def telling(lines: Iterable[str]) -> list[str]:
    """Of what a server wrote last, the lines that tell why it ended, without values that may be secret."""
    written = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("at ")]
    chosen = [line for line in written if _TELLING.search(line)] or written
    return [_SECRET.sub(r"\1…", line)[:400] for line in dict.fromkeys(chosen[-_SHOWN_LINES:])]


def wrong_cluster(lines: Iterable[str]) -> tuple[str, str] | None:
    """The ids of the clusters that a broker's claim and its ZooKeeper belong to, where it ended because of that."""
    for line in lines:
        for pattern in _WRONG_CLUSTER:
            found = pattern.search(line)
            if found:
                return found["stored"], found["known"]
    return None
