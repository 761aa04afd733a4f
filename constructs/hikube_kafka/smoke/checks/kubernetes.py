"""Checks of what Kubernetes has of the platform: declared and actual, aside from servers that answer."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from hikube_kafka.kubernetes.claim import ClaimSeen
from hikube_kafka.probe.observation import BudgetSeen, KubernetesSeen, Observation, PodSeen, Unreadable
from hikube_kafka.smoke.finding import Outcome, check, listed
from hikube_kafka.spec.contract import Contract, KubernetesExpected, ReachByPortForward, ServersExpected
from hikube_kafka.spec.quantities import Quantity

_READING = (
    "The kubeconfig's user needs a Role in the namespace with the verb list on pods, persistentvolumeclaims and "
    "poddisruptionbudgets (group policy), and, where zones are declared, a ClusterRole with the verb list on nodes."
)

Seen = TypeVar("Seen")


@dataclass(frozen=True, kw_only=True)
class _Servers:
    """The servers of one kind, and what is promised of them."""

    kind: str
    stateful_set: str
    pods: tuple[str, ...]
    promised: ServersExpected


@check(
    "kubernetes-pods",
    "Every server has its pod, every pod is ready, and there are no others",
    remedy="The events of a pod tell why it does not run, its log why it is not ready. A surplus pod belongs to a "
    "server that the declaration no longer has: apply it again.",
    unread_remedy=_READING,
)
def pods_ready(contract: Contract, seen: Observation) -> Outcome:
    """A pod is ready when its gates have passed; a StatefulSet of another size has pods that nobody declared."""
    wrong: list[str] = []
    unread: list[Unreadable] = []
    described: list[str] = []
    for servers in _kinds(contract):
        for name, pod in _pods(servers, seen.kubernetes):
            if isinstance(pod, Unreadable):
                unread.append(pod)
            elif pod is None:
                wrong.append(f"pod {name} is missing")
                described.append(f"statefulset/{servers.stateful_set}")
            elif not pod.ready:
                wrong.append(f"pod {name} is not ready: {pod.state}")
                described.append(f"pod/{name}")
        if not isinstance(seen.kubernetes.pods, Unreadable):
            wrong += [
                f"pod {name} is not declared"
                for name, pod in seen.kubernetes.pods.items()
                if pod.stateful_set == servers.stateful_set and name not in servers.pods
            ]
    told = listed(f"{len(servers.pods)} of {servers.kind}" for servers in _kinds(contract))
    return Outcome(
        expected=told,
        seen=f"{told}, ready",
        wrong=wrong,
        unread=unread,
        command=_command(seen, "describe", described),
    )


@check(
    "kubernetes-images",
    "Every pod runs the declared images",
    remedy="Wait while pods are being replaced; otherwise apply the declaration again.",
    unread_remedy=_READING,
)
def images(contract: Contract, seen: Observation) -> Outcome:
    """The images that the pods were asked to run; containers that others have added are theirs."""
    wrong: list[str] = []
    unread: list[Unreadable] = []
    rolling: list[str] = []
    for servers in _kinds(contract):
        for name, pod in _present(servers, seen.kubernetes) if servers.promised.images else ():
            if isinstance(pod, Unreadable):
                unread.append(pod)
                continue
            for container, image in servers.promised.images.items():
                if container not in pod.images:
                    wrong.append(f"pod {name} has no container {container}")
                elif pod.images[container] != image:
                    wrong.append(f"{container} of pod {name} runs {pod.images[container]}, not {image}")
                    rolling.append(f"statefulset/{servers.stateful_set}")
    promised = [image for servers in _kinds(contract) for image in servers.promised.images.values()]
    told = listed(dict.fromkeys(promised))
    return Outcome(
        expected=told,
        seen=told,
        wrong=wrong,
        unread=unread,
        untested="" if promised else "the contract declares no image",
        command=_command(seen, "rollout status", rolling[:1]),
    )


@check(
    "kubernetes-claim-sizes",
    "Every volume claim has its declared size",
    remedy="Apply the declaration again: it grows the claims. A claim that is larger was grown by hand, and cannot "
    "shrink: declare its size. A volume behind its claim waits for its storage class: the claim's events say for what.",
    unread_remedy=_READING,
)
def claim_sizes(contract: Contract, seen: Observation) -> Outcome:
    """What each claim asks for is what is declared, and its volume has at least that."""
    wrong: list[str] = []
    declared: list[str] = []
    behind: list[str] = []
    unread: list[Unreadable] = []
    for servers in _kinds(contract):
        for claim in servers.promised.claims:
            for name, found in _claims(servers, claim.name, seen.kubernetes):
                if isinstance(found, Unreadable):
                    unread.append(found)
                elif Quantity(found.size) != claim.size:
                    declared.append(f"claim {name} asks for {found.size}, not {claim.size}")
                elif found.capacity is None:
                    behind.append(f"pvc/{name}")
                    wrong.append(f"claim {name} has no volume yet")
                elif Quantity(found.capacity) < claim.size:
                    behind.append(f"pvc/{name}")
                    wrong.append(f"the volume of claim {name} has {found.capacity}, less than {claim.size}")
    told = listed(
        f"{claim.size} of {claim.name} for each of {servers.kind}"
        for servers in _kinds(contract)
        for claim in servers.promised.claims
    )
    return Outcome(
        expected=told,
        seen=told,
        wrong=wrong,
        lasting=declared,
        unread=unread,
        untested=_no_claim(contract),
        command=_command(seen, "describe", behind),
    )


@check(
    "kubernetes-storage-classes",
    "Every volume claim is of its declared storage class",
    remedy="A claim never changes its class. Move one server at a time: stop it, delete its claim, let it start "
    "again and copy its data from the others. Or declare the class that it has.",
    unread_remedy=_READING,
)
def storage_classes(contract: Contract, seen: Observation) -> Outcome:
    """The class by its name; where the cluster's default was declared, any name will do."""
    wrong: list[str] = []
    unread: list[Unreadable] = []
    told: list[str] = []
    for servers in _kinds(contract):
        for claim in servers.promised.claims:
            if claim.storage_class is None:
                continue
            told.append(f"{claim.storage_class} for {claim.name} of each of {servers.kind}")
            for name, found in _claims(servers, claim.name, seen.kubernetes):
                if isinstance(found, Unreadable):
                    unread.append(found)
                elif found.storage_class != claim.storage_class:
                    wrong.append(f"claim {name} is of class {found.storage_class or 'none'}, not {claim.storage_class}")
    return Outcome(
        expected=listed(told),
        seen=listed(told),
        lasting=wrong,
        unread=unread,
        untested="" if told else "the contract names no storage class",
    )


@check(
    "kubernetes-disruption-budgets",
    "One disruption budget counts all servers of a kind, and protects the quorum",
    remedy="Apply the declaration again. Without a budget a drained node can stop several servers at once; a pod that "
    "two budgets count cannot be evicted at all: delete the one that is not the release's.",
    unread_remedy=_READING,
)
def disruption_budgets(contract: Contract, seen: Observation) -> Outcome:
    """The budget that counts each pod is one and the same, and allows as many evictions as declared."""
    wrong: list[str] = []
    unread: list[Unreadable] = []
    told: list[str] = []
    for servers in _kinds(contract):
        allowed = servers.promised.max_unavailable
        if allowed is None:
            continue
        told.append(f"at most {allowed} of {servers.kind} unavailable")
        counting: dict[BudgetSeen, list[str]] = {}
        for name, _ in _present(servers, seen.kubernetes):
            budgets = _budgets(name, seen.kubernetes)
            if isinstance(budgets, Unreadable):
                unread.append(budgets)
                continue
            for budget in budgets:
                counting.setdefault(budget, []).append(name)
            if not budgets:
                wrong.append(f"no budget counts pod {name}")
            if len(budgets) > 1:
                wrong.append(f"pod {name} is counted by budgets {listed(budget.name for budget in budgets)}")
        wrong += [
            f"budget {budget.name} allows {_allowance(budget)}, not maxUnavailable {allowed}"
            for budget in counting
            if budget.max_unavailable != str(allowed)
        ]
        if len(counting) > 1:
            wrong += [f"budget {budget.name} counts {listed(pods)}" for budget, pods in counting.items()]
    return Outcome(
        expected=listed(told),
        seen=listed(told),
        lasting=wrong,
        unread=unread,
        untested="" if told else "the contract declares no disruption budget",
    )


@check(
    "kubernetes-own-nodes",
    "No two servers of a kind share a node",
    remedy="If the node fails, all servers on it fail together. Delete one of the pods named once a node is free for "
    "it: its anti-affinity then places it there.",
    unread_remedy=_READING,
)
def own_nodes(contract: Contract, seen: Observation) -> Outcome:
    """Where each pod has been placed."""
    wrong: list[str] = []
    unread: list[Unreadable] = []
    kinds = [servers for servers in _kinds(contract) if servers.promised.own_nodes]
    for servers in kinds:
        placed: dict[str, list[str]] = {}
        for name, pod in _present(servers, seen.kubernetes):
            if isinstance(pod, Unreadable):
                unread.append(pod)
            elif pod.node is None:
                unread.append(Unreadable(f"node of pod {name}", pod.state))
            else:
                placed.setdefault(pod.node, []).append(name)
        wrong += [f"{listed(pods)} share node {node}" for node, pods in placed.items() if len(pods) > 1]
    told = listed(f"{len(servers.pods)} of {servers.kind} on {len(servers.pods)} nodes" for servers in kinds)
    return Outcome(
        expected=told,
        seen=told,
        wrong=wrong,
        unread=unread,
        untested="" if kinds else "the contract lets servers share a node",
    )


@check(
    "kubernetes-zones",
    "The servers of a kind are spread over the declared zones",
    remedy="If a zone with too many servers fails, so does the quorum. Delete a pod of that zone once another zone has "
    "room: its spread constraint then places it there; a volume that is bound to the zone keeps it there.",
    unread_remedy=_READING,
)
def zones(contract: Contract, seen: Observation) -> Outcome:
    """The zone of the node of each pod; spread evenly is a difference of one at most."""
    wrong: list[str] = []
    unread: list[Unreadable] = []
    told: list[str] = []
    for servers in _kinds(contract):
        if servers.promised.zones is None:
            continue
        wanted = min(servers.promised.zones, len(servers.pods))
        told.append(f"{len(servers.pods)} of {servers.kind} over {wanted} zones")
        placed: Counter[str] = Counter()
        for name, pod in _present(servers, seen.kubernetes):
            zone = pod if isinstance(pod, Unreadable) else _zone(name, pod, seen.kubernetes)
            if isinstance(zone, Unreadable):
                unread.append(zone)
            else:
                placed[zone] += 1
        most = -(-len(servers.pods) // wanted)
        if placed.total() == len(servers.pods) and (len(placed) < wanted or max(placed.values()) > most):
            counts = listed(f"{count} in {zone}" for zone, count in sorted(placed.items()))
            wrong.append(f"{servers.kind}: {counts}, which is not spread over {wanted} zones")
    return Outcome(
        expected=listed(told),
        seen=listed(told),
        wrong=wrong,
        unread=unread,
        untested="" if told else "the contract declares no spread over zones",
    )


def _command(seen: Observation, verb: str, objects: Iterable[str]) -> str:
    named = " ".join(dict.fromkeys(objects))
    return f"{seen.kubectl} {verb} {named}" if named else ""


def _kinds(contract: Contract) -> Iterator[_Servers]:
    promised, reach = contract.kubernetes or KubernetesExpected(), contract.reach
    if isinstance(reach, ReachByPortForward):
        yield _Servers(
            kind="ZooKeeper servers",
            stateful_set=reach.zookeeper_pods,
            pods=tuple(reach.zookeeper_pod(server.id) for server in contract.zookeeper.servers),
            promised=promised.coordinator,
        )
        yield _Servers(
            kind="brokers",
            stateful_set=reach.kafka_pods,
            pods=tuple(reach.broker_pod(broker.id) for broker in contract.kafka.brokers),
            promised=promised.kafka,
        )


def _pods(servers: _Servers, seen: KubernetesSeen) -> Iterator[tuple[str, PodSeen | Unreadable | None]]:
    for name in servers.pods:
        yield name, seen.pods if isinstance(seen.pods, Unreadable) else seen.pods.get(name)


def _present(servers: _Servers, seen: KubernetesSeen) -> Iterator[tuple[str, PodSeen | Unreadable]]:
    """The pods, a missing one as unread: that it is missing is another check's."""
    for name, pod in _pods(servers, seen):
        yield name, pod or Unreadable(f"pod {name}", "it is missing")


def _claims(servers: _Servers, template: str, seen: KubernetesSeen) -> Iterator[tuple[str, ClaimSeen | Unreadable]]:
    for pod in servers.pods:
        name = f"{template}-{pod}"
        yield name, _held(name, f"claim {name}", seen.claims)


def _budgets(pod: str, seen: KubernetesSeen) -> tuple[BudgetSeen, ...] | Unreadable:
    return _held(pod, f"disruption budgets of pod {pod}", seen.budgets)


def _zone(name: str, pod: PodSeen, seen: KubernetesSeen) -> str | Unreadable:
    if pod.node is None:
        return Unreadable(f"node of pod {name}", pod.state)
    zone = _held(pod.node, f"node {pod.node}", seen.zones)
    return zone or Unreadable(f"zone of node {pod.node}", "it has no label topology.kubernetes.io/zone")


def _held(key: str, what: str, seen: Mapping[str, Seen] | Unreadable) -> Seen | Unreadable:
    if isinstance(seen, Unreadable):
        return seen
    return seen[key] if key in seen else Unreadable(what, "it is missing")


def _allowance(budget: BudgetSeen) -> str:
    if budget.max_unavailable is not None:
        return f"maxUnavailable {budget.max_unavailable}"
    return f"minAvailable {budget.min_available}"


def _no_claim(contract: Contract) -> str:
    return "" if any(servers.promised.claims for servers in _kinds(contract)) else "the contract declares no claim"
