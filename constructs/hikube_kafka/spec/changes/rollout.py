"""Changes of what a StatefulSet rolls out: ``hikube_rollout``; and what can stand in the way of it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from hikube_kafka.spec.problem import Problem, Rule, shortened

LOCKED = Rule(
    id="release-locked",
    severity="error",
    message="Helm has not finished its revision {number} ({status}, begun {since}).",
    why="While it is recorded as unfinished Helm refuses every other operation. Either another apply is at work at "
    "this "
    "moment, or the one that began it was killed.",
    remedy="Make sure that nobody else applies (another terminal, a pipeline). If somebody does, wait for it. If it "
    "was "
    "killed, remove the record of that revision alone, and apply again: {kubectl} delete secret {secret}. "
    "No pod, claim or message goes with it.",
)
TOO_FEW_NODES = Rule(
    id="rollout-too-few-nodes",
    severity="warning",
    message="{replicas} pods need a node each, and {nodes}.",
    why="Two of its pods may not share a node (anti_affinity = required): a pod without a node of its own stays "
    "pending, "
    "and the apply ends with an error unless an autoscaler adds nodes.",
    remedy='Declare fewer, add nodes, or allow pods to share one: pods=Pods(anti_affinity="preferred").',
)
SCALED_UP = Rule(
    id="rollout-scaled-up",
    severity="warning",
    message="it has {has} replicas, and {wanted} are declared.",
    why="It was scaled by hand. Servers that are not declared may hold the only copies of messages: they are not "
    "removed.",
    remedy="To keep them, declare {has}, and apply; then declare {wanted} again: replicas are moved first. If they "
    "hold "
    "nothing: {kubectl} scale statefulset {name} --replicas={wanted}.",
)
HEALED = Rule(
    id="rollout-changed-by-hand",
    severity="warning",
    message="{what}.",
    why="It was changed by hand.",
    remedy="This apply sets it back to what is declared.",
    message_in_general="its replicas or its update strategy are not those of its release, or there is no such "
    "StatefulSet.",
)
_NEXT = "Then apply again."
IMAGE = Rule(
    id="rollout-image",
    severity="error",
    message="the image cannot be pulled: {words}.",
    why="The container is not started without it.",
    remedy=f"Correct the image (kafka_image, zookeeper_image), or let the nodes reach its registry. {_NEXT}",
)
CONTAINER = Rule(
    id="rollout-container",
    severity="error",
    message="a container cannot be started: {words}.",
    why="Kubernetes tries again and again, with the same outcome.",
    remedy=f"Correct what it names: a Secret, a ConfigMap, a user or a command. {_NEXT}",
)
CRASH = Rule(
    id="rollout-crash",
    severity="error",
    message="it crashes again and again: {words}.",
    why="{log}",
    remedy="Correct what it says, and apply again. Everything that it wrote: {kubectl} logs {pod} "
    "--previous. "
    "Where the cause was outside, {kubectl} delete pod {pod} starts it without the back-off.",
)
MEMORY = Rule(
    id="rollout-memory",
    severity="error",
    message="it is killed for using more memory than it may: {words}.",
    why="The limit of a container is what the declaration gives it as resources.memory.",
    remedy=f"Declare more memory, or a smaller heap. {_NEXT}",
)
OTHER_ENSEMBLE = Rule(
    id="rollout-other-ensemble",
    severity="error",
    message="its claim belongs to cluster {stored}, and ZooKeeper knows cluster {known}.",
    why="ZooKeeper has lost its data (its claims were deleted, say), or zookeeper.connect leads to another ensemble or "
    "chroot. The brokers' claims still have the messages, but which topics there are is in ZooKeeper alone.",
    remedy="First look for ZooKeeper's data: restore its claims from a snapshot or backup, or correct "
    "zookeeper.connect "
    "and the chroot. Only if the data is lost for good, begin anew and lose all messages: delete the claims of the "
    "brokers ({kubectl} get pvc), and their pods.",
)
NO_MEMBERSHIP = Rule(
    id="rollout-no-membership",
    severity="error",
    message="all servers run, and none serves: {words}.",
    why="Either the claims of most ZooKeeper servers were lost, and no new, empty ensemble takes the place of the one "
    "whose data the other claims hold; or the ensemble is new, and its servers do not reach each other.",
    remedy="Restore the claims that were lost from a snapshot or a backup, and delete the pods; or let a server that "
    "still has its claim serve alone, as docs/kubernetes.md shows under Lost claims of ZooKeeper. If the ensemble is "
    "new, see that no network policy keeps its servers apart (port 2180). Only if the data is lost for good, begin "
    "anew and lose all messages: delete the claims of all servers and brokers ({kubectl} get pvc), and "
    "their pods.",
    message_in_general="all ZooKeeper servers run, and none serves: claims of most of them are empty.",
)
NO_ZOOKEEPER = Rule(
    id="rollout-no-zookeeper",
    severity="error",
    message="{words}.",
    why="A broker does not start without ZooKeeper. None of the servers that zookeeper.connect names can be reached "
    "and serves: they do not run or have no quorum, a network policy keeps brokers away, or the addresses are wrong.",
    remedy="See that these servers are ready, and that brokers may connect to them; or correct the addresses. The "
    f"brokers that wait go on by themselves once one of the servers serves. {_NEXT}",
    message_in_general="a broker waits: no ZooKeeper server serves, of those in zookeeper.connect.",
)
QUOTA = Rule(
    id="rollout-quota",
    severity="error",
    message="a quota of the namespace stands in the way: {words}.",
    why="The API server lets no pod or claim in that exceeds it.",
    remedy=f"Raise the quota ({{kubectl}} describe resourcequota), or declare less. {_NEXT}",
)
LIMITS = Rule(
    id="rollout-limits",
    severity="error",
    message="a LimitRange of the namespace stands in the way: {words}.",
    why="The API server lets no pod in that asks for more, or for less, than it allows.",
    remedy=f"Change it ({{kubectl}} describe limitrange), or declare resources that it allows. {_NEXT}",
)
POD_SECURITY = Rule(
    id="rollout-pod-security",
    severity="error",
    message="the Pod Security Standard of the namespace stands in the way: {words}.",
    why="The API server lets no such pod in.",
    remedy="Label the namespace with a standard that it meets (the charts' pods meet restricted), or undo what was "
    f"added to the pods. {_NEXT}",
)
INVALID = Rule(
    id="rollout-pod-invalid",
    severity="error",
    message="the API server takes no such pod: {words}.",
    why="Names of pods become labels and names of hosts, which have 63 characters at most.",
    remedy=f"Declare a shorter name, or a valid value where it names one. {_NEXT}",
)
REFUSED = Rule(
    id="rollout-pod-refused",
    severity="error",
    message="the API server refuses the pod: {words}.",
    why="An admission webhook or another policy of the cluster does not let it in.",
    remedy=f"Change what it objects to, here or there. {_NEXT}",
)
UNSCHEDULABLE = Rule(
    id="rollout-unschedulable",
    severity="error",
    message="no node can take it: {words}.",
    why="{because}.",
    remedy="{instead}. Then apply again.",
    remedy_in_general="Add nodes, declare less, or allow pods to share a node, tolerate a taint or run on other "
    "nodes: as "
    "the scheduler's words say. Then apply again.",
)
CLAIM = Rule(
    id="rollout-claim-pending",
    severity="error",
    message="its claim gets no volume: {words}.",
    why="The pod cannot start without its volume.",
    remedy="Declare a storage class that exists and can make such volumes ({kubectl} get storageclass). A claim that "
    "waits "
    "for one keeps its class: delete the pending claim, which is empty, once the class is right. " + _NEXT,
)
CLAIM_LOST = Rule(
    id="rollout-claim-lost",
    severity="error",
    message="{words}.",
    why="Somebody has deleted the volume behind the claim. What it held is gone from this server.",
    remedy="Make sure that the other servers are healthy. Then delete the claim and the pod: it starts with an empty "
    "volume, and copies from the others.",
)
MOUNT = Rule(
    id="rollout-mount",
    severity="error",
    message="a volume cannot be mounted: {words}.",
    why="The container is not started without it.",
    remedy="Provide the Secret or ConfigMap that it names, or have the storage looked at: a volume may still be "
    "attached "
    f"to another node. {_NEXT}",
)
NODE = Rule(
    id="rollout-node",
    severity="error",
    message="{words}.",
    why="What runs on it is not known. Kubernetes gives its pods up after some minutes, and starts them elsewhere only "
    "where their volumes can follow.",
    remedy=f"Bring the node back. {_NEXT}",
    message_in_general="the node that it runs on does not answer.",
)
TERMINATING = Rule(
    id="rollout-terminating",
    severity="error",
    message="it does not end: {words}.",
    why="Until it has ended Kubernetes starts no other pod of that name.",
    remedy="Bring the node back. Only if it is off for good, and nothing runs on it any more: {kubectl} "
    "delete pod {pod} --force --grace-period=0.",
)
NOT_READY = Rule(
    id="rollout-not-ready",
    severity="error",
    message="{pods} not ready after {seconds} s.",
    why="{details}",
    remedy="Nothing was undone, and the servers go on. A broker with much data may need longer to get back in sync: "
    "apply again, or give it more time (patience). If it gets no further, its log ({kubectl} logs POD) has the command "
    "that "
    "helps.",
    message_in_general="some pods are not ready once the patience is over.",
)

_REFUSALS = (
    ("exceeded quota", QUOTA),
    ("must specify limits", QUOTA),
    ("must specify requests", QUOTA),
    ("failed quota", QUOTA),
    ("violates PodSecurity", POD_SECURITY),
    ("usage per ", LIMITS),
    ("to request ratio", LIMITS),
    ("is invalid", INVALID),
    ("must be no more than", INVALID),
)
"""By what the API server says."""
_RULES = {
    "image": IMAGE,
    "container": CONTAINER,
    "crash": CRASH,
    "memory": MEMORY,
    "claim": CLAIM,
    "claim-slow": CLAIM,
    "claim-lost": CLAIM_LOST,
    "mount": MOUNT,
    "no-membership": NO_MEMBERSHIP,
    "no-zookeeper": NO_ZOOKEEPER,
    "mount-slow": MOUNT,
    "node": NODE,
    "terminating": TERMINATING,
}
_SCHEDULER = (
    (
        "anti-affinity",
        "Two of its pods may not share a node (anti_affinity = required), and each node that is left has one",
        'Declare fewer servers, add nodes, or allow pods to share one: pods=Pods(anti_affinity="preferred")',
    ),
    (
        "volume node affinity",
        "Its volume exists on one node or in one zone alone, and no node there can take the pod",
        "Bring that node back, or add one in that zone",
    ),
    ("Insufficient", "No node has as much left as the pod requests", "Add nodes, free some, or declare less"),
    (
        "untolerated taint",
        "The nodes have taints that the pod does not tolerate",
        "Bring the nodes back, or add tolerations",
    ),
    ("node selector", "No node has the labels that are declared", "Label nodes, or correct node_selector"),
    ("PersistentVolumeClaim", "Its claim has no volume", "See {kubectl} describe pvc"),
)


class Known(NamedTuple):
    """What is known of the cluster."""

    kubectl: str
    """How a user calls it for this cluster and namespace."""
    nodes: int | None
    """How many nodes take pods; None: the user may not list them."""
    replicas: int | None
    """How many the StatefulSet has; None: there is no such StatefulSet."""
    paused: str | None
    """Why pods of another revision stay as they are: its update strategy."""
    unfinished: tuple[str, int, str, str] | None
    """Of a revision of the release that Helm has not finished: the Secret, its number, its status, when it began."""


class Hindrance(NamedTuple):
    """Why pods do not become ready: one cause, all pods that have it."""

    kind: str
    pods: tuple[str, ...]
    words: str
    log: tuple[str, ...] = ()
    """What a container wrote last."""
    clusters: tuple[str, str] | None = None
    """Ids of the clusters that a broker's claim and ZooKeeper belong to, where they are not the same."""


def problems(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, known: Known | None = None
) -> Iterator[Problem]:
    """What stands in the way of the apply, or may; and what was changed by hand.

    Args:
        prior: As it is; None: it is declared for the first time.
        planned: As it is to be; None: it is no longer declared.
        known: What is known of the cluster.
    """
    if planned is None or known is None:
        return
    where = f"StatefulSet {planned['stateful_set']}"
    if known.unfinished is not None:
        secret, number, status, since = known.unfinished
        yield LOCKED(
            f"release {planned.get('release') or planned['stateful_set']}",
            kubectl=known.kubectl,
            secret=secret,
            number=number,
            status=status,
            since=since,
        )
    wanted = planned.get("replicas")
    if wanted is None:
        return
    changed = prior is None or any(prior.get(each) != planned.get(each) for each in ("replicas", "one_per_node"))
    if changed and planned.get("one_per_node") and known.nodes is not None and known.nodes < wanted:
        nodes = "only one takes pods" if known.nodes == 1 else f"only {known.nodes} take pods"
        yield TOO_FEW_NODES(where, path=("replicas",), replicas=wanted, nodes=nodes)
    if prior is not None and prior.get("replicas") == wanted:
        yield from _by_hand(where, prior, planned, known)


def _by_hand(where: str, prior: Mapping[str, Any], planned: Mapping[str, Any], known: Known) -> Iterator[Problem]:
    wanted = planned["replicas"]
    if known.replicas is None:
        yield HEALED(where, what="it does not exist any more; the apply recreates it as its release has it")
        return
    if known.replicas > wanted:
        name = planned["stateful_set"]
        yield SCALED_UP(where, has=known.replicas, wanted=wanted, kubectl=known.kubectl, name=name)
    if known.replicas < wanted:
        yield HEALED(where, what=f"it has {known.replicas} replicas, and {wanted} are declared")
    old = any(what == "of another revision" for what in (prior.get("servers") or {}).values())
    if known.paused and (old or prior.get("trigger") != planned.get("trigger")):
        yield HEALED(where, what=f"its update strategy ({known.paused}) leaves pods of another revision as they are")


def hindered(hindrance: Hindrance, kubectl: str) -> Problem:
    """What is said of something that stands in the way of a rollout.

    Args:
        hindrance: It.
        kubectl: How a user calls it for this cluster and namespace.
    """
    facts = {"kubectl": kubectl, "pod": hindrance.pods[0], "words": _sentence(hindrance.words)}
    rule = _RULES.get(hindrance.kind, REFUSED)
    if hindrance.kind in {"refused", "webhook"}:
        rule = next((rule for words, rule in _REFUSALS if words in hindrance.words), REFUSED)
    elif hindrance.kind == "unschedulable":
        rule = UNSCHEDULABLE
        found = [each for each in _SCHEDULER if each[0].lower() in hindrance.words.lower()]
        facts["because"] = ". ".join(each[1] for each in found) or "The scheduler finds none"
        facts["instead"] = (
            ". ".join(each[2].replace("{kubectl}", kubectl) for each in found) or "Do what its words ask for"
        )
    elif hindrance.kind == "crash" and hindrance.clusters is not None:
        rule = OTHER_ENSEMBLE
        facts["stored"], facts["known"] = hindrance.clusters
    elif hindrance.kind == "crash":
        facts["log"] = (
            "It last wrote: " + " | ".join(hindrance.log) if hindrance.log else "What it wrote cannot be read."
        )
    return rule(_pods(hindrance.pods), path=(), severity=None, **facts)


def not_ready(stateful_set: str, details: Mapping[str, str], seconds: int, kubectl: str) -> Problem:
    """That the patience is over, with what each pod that is not ready says."""
    names = [*details] or ["its change"]
    words = "; ".join(f"{pod}: {said}" for pod, said in details.items()) or "Kubernetes' controller has not seen it yet"
    pods = f"{shortened(names)} {'is' if len(names) == 1 else 'are'}"
    return NOT_READY(f"StatefulSet {stateful_set}", pods=pods, seconds=seconds, details=f"{words}.", kubectl=kubectl)


def _pods(names: Iterable[str]) -> str:
    listed = sorted(names)
    return f"pod{'s' if len(listed) > 1 else ''} {shortened(listed)}"


def _sentence(words: str) -> str:
    return words.strip().rstrip(".")
