"""Objects of Kubernetes that a platform stands on, declared with somebody else's provider. For reviews alone."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hikube_kafka.spec.problem import Problem, Rule, shortened
from hikube_kafka.spec.quantities import whole

GOES = Rule(
    id="namespace-goes",
    severity="error",
    message="the namespace is deleted{again}, and {inside} in it.",
    why="Kubernetes deletes everything in a namespace with it: servers, and the claims (PersistentVolumeClaims) "
    "with all messages, even those that an uninstalled release has left there.",
    remedy="Keep the namespace. To have Terraform forget it, use a removed block with destroy = false, and apply "
    "that first.",
    message_in_general="a namespace is deleted or replaced, and a release, claims or topics are in it.",
)
GOES_UNSEEN = Rule(
    id="namespace-goes-unseen",
    severity="warning",
    message="the namespace is deleted{again}; this plan does not show what is in it.",
    why="Kubernetes deletes everything in a namespace with it: claims with messages too, if there are some.",
    remedy="Look into it before the apply:\n\n  kubectl -n {name} get statefulset,pvc",
    message_in_general="a namespace is deleted or replaced, and the plan does not show what is in it.",
)
LET_GO = Rule(
    id="namespace-forgotten",
    severity="notice",
    message="Terraform forgets the namespace; it stays, with everything in it.",
    why="From now on a destroy of this stack leaves it alone, and the claims in it.",
    remedy="Nothing, if that is meant.",
)
OBJECT_GOES = Rule(
    id="platform-object-goes",
    severity="error",
    message="it is deleted{again}, and it belongs to {owner}.",
    why="{loss}",
    remedy="Keep it. To have Terraform forget it, use a removed block with destroy = false.",
    message_in_general="a claim, a StatefulSet or a Secret of a release is deleted or replaced beside it.",
)
MANIFEST = Rule(
    id="kafka-manifest-not-reviewed",
    severity="notice",
    message="it is a {kind} of another operator, and is not reviewed.",
    why="This review knows the resources of the provider hikube and the releases of its charts alone.",
    remedy="Review it by hand.",
)
MANIFEST_GOES = Rule(
    id="kafka-manifest-goes",
    severity="error",
    message="it is a {kind} of another operator, and is deleted{again}.",
    why="What its operator does then is not known here: it may delete servers, topics and all their messages.",
    remedy="Keep it; or make sure that nobody needs what it stands for, and waive this finding for this change.",
)

_LOSS = {
    "kubernetes_persistent_volume_claim": "With a claim its volume goes, and every message on it, unless the reclaim "
    "policy of its volume is Retain.",
    "kubernetes_stateful_set": "All its pods are stopped at once: clients reach no server until the release is applied "
    "again.",
    "kubernetes_secret": "Servers read it when they start, and the provider changes the ensemble with it: the next "
    "restart, or the next change of the voters, fails.",
}
OBJECTS = frozenset(each for kind in _LOSS for each in (kind, f"{kind}_v1"))
"""Types of what may belong to a release."""
NAMESPACES = frozenset({"kubernetes_namespace", "kubernetes_namespace_v1"})


class Inside(NamedTuple):
    """What the plan tells of a namespace."""

    releases: Sequence[str] = ()
    """Of Kafka and ZooKeeper, as they are before the apply."""
    stateful_sets: Sequence[str] = ()
    """Those whose claims are declared."""
    topics: int = 0
    ours: bool = False
    """It bears the label of this project."""

    def __bool__(self) -> bool:
        return bool(self.releases or self.stateful_sets or self.topics or self.ours)


def consequences(name: str, inside: Inside, *, replaced: bool) -> Iterator[Problem]:
    """What goes with a namespace.

    Args:
        name: Of the namespace that is deleted.
        inside: What is in it.
        replaced: It is created anew, empty.
    """
    again = " and created again, empty" if replaced else ""
    if not inside:
        yield GOES_UNSEEN(f"namespace {name}", again=again, name=name)
        return
    parts = []
    if inside.releases:
        parts.append(f"release{'s' if len(inside.releases) > 1 else ''} {shortened(inside.releases)}")
    if inside.stateful_sets:
        parts.append(f"the claims of {shortened(inside.stateful_sets)}")
    if inside.topics:
        parts.append("one topic" if inside.topics == 1 else f"{inside.topics} topics")
    if not parts:
        parts.append("a platform of this project")
    several = len(parts) > 1 or inside.topics > 1 or inside.stateful_sets or len(inside.releases) > 1
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    yield GOES(f"namespace {name}", again=again, inside=f"{listed} {'are' if several else 'is'}")


def object_goes(kind: str, name: str, namespace: str, owner: str, *, replaced: bool) -> Problem:
    """That something of a release is deleted beside it.

    Args:
        kind: Type of the resource, one of ``OBJECTS``.
        name: Of the object.
        namespace: Where it is.
        owner: The release that it belongs to.
        replaced: It is created anew.
    """
    kind = kind.removesuffix("_v1")
    called = {"kubernetes_persistent_volume_claim": "claim", "kubernetes_stateful_set": "StatefulSet"}
    return OBJECT_GOES(
        f"{called.get(kind, 'Secret')} {namespace}/{name}",
        again=" and created again" if replaced else "",
        owner=f"release {owner}",
        loss=_LOSS[kind],
    )


def belongs(kind: str, name: str, release: str) -> bool:
    """Whether an object is one that the charts or their StatefulSet make for a release, by its name."""
    kind = kind.removesuffix("_v1")
    if kind == "kubernetes_persistent_volume_claim":
        template, _, ordinal = name.rpartition(f"-{release}-")
        return bool(template) and whole(ordinal) is not None
    return name == release or (kind == "kubernetes_secret" and name.startswith(f"{release}-"))


def metadata(values: Any) -> tuple[str, str, dict[str, Any]]:
    """Name, namespace and labels of an object: the provider's version 2 and 3 have metadata as a list of one."""
    found = values.get("metadata") if isinstance(values, dict) else None
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict):
        return "", "", {}
    labels = found.get("labels")
    return (
        str(found.get("name") or ""),
        str(found.get("namespace") or "default"),
        labels if isinstance(labels, dict) else {},
    )
