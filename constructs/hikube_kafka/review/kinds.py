"""Which rules are asked about which kind of resource."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hikube_kafka.review.plan import Action, Change, Plan
from hikube_kafka.review.release import Release, releases
from hikube_kafka.review.seen import GOING, Seen, of_chart, side
from hikube_kafka.review.whole_plan import together
from hikube_kafka.spec.changes import (
    brokers,
    brokers_consequences,
    connect_cluster,
    connector,
    connector_consequences,
    foreign,
    kafka_release,
    local_ensemble,
    local_ensemble_consequences,
    namespace,
    rollout,
    rollout_consequences,
    topic,
    topic_consequences,
    topic_entries,
    unjudged,
    volume_claims,
    volume_claims_consequences,
    zookeeper_members,
    zookeeper_members_consequences,
    zookeeper_release,
)
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.quorum import even_problems

__all__ = ["Seen", "found", "seen", "together"]

_Values = Mapping[str, Any]
_CHANGING = frozenset(Action) - {Action.NOTHING, Action.READ}


def seen(plan: Plan) -> Seen:
    """What a plan tells, gathered once for all its changes."""
    return Seen(plan)


def found(change: Change, seen: Seen) -> Iterator[Problem]:
    """Everything that the rules say of one change. What they cannot read is a problem of its own."""
    if change.mode != "managed" or change.action not in _CHANGING or not _concerns(change):
        return
    if change.action is Action.OTHER:
        yield unjudged.ACTION_UNKNOWN(change.address, actions=", ".join(change.actions))
        return
    if change.deposed:
        yield unjudged.DEPOSED(change.address)
        return
    rules = _RULES.get(change.type)
    if rules is None:
        yield unjudged.KIND_UNKNOWN(change.address, type=change.type)
        return
    faults = list(_shape_faults(change))
    if faults:
        yield unjudged.UNREADABLE(change.address, what="; ".join(faults))
        return
    if change.action is Action.FORGET_AND_CREATE and change.type != "hikube_kafka_topic" and seen.carries(change):
        yield unjudged.FORGOTTEN_AND_MADE(change.address)
        change = replace(change, action=Action.CREATE, before=None)
    try:
        yield from rules(change, seen)
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError, IndexError) as problem:
        yield unjudged.UNREADABLE(change.address, what=f"{type(problem).__name__} while it was judged")


def _concerns(change: Change) -> bool:
    ours = change.type.startswith("hikube_") or change.provider.split("/")[-1] == "hikube"
    return ours or change.type in _RULES


# --- what is read of a change ---


def _sides(change: Change) -> tuple[_Values | None, _Values | None]:
    """Before and after; None where there is no such side."""
    prior = side(change, after=False) if change.before is not None else None
    planned = side(change, after=True) if change.after is not None else None
    return prior, planned


_Shape = Mapping[str, type | tuple[type, ...]]
_SHAPES: Mapping[str, _Shape] = {
    "hikube_kafka_topic": {
        "name": str,
        "partitions": int,
        "replication_factor": int,
        "config": (dict, type(None)),
        "deletion_protection": (bool, type(None)),
    },
    "hikube_kafka_brokers": {"brokers": int, "drain": (bool, type(None))},
    "hikube_volume_claims": {"stateful_set": str, "templates": dict, "claims": (dict, type(None))},
    "hikube_zookeeper_members": {"stateful_set": str, "servers": dict, "applied": str},
    "hikube_rollout": {"stateful_set": str, "replicas": int},
    "hikube_local_ensemble": {
        "name": str,
        "zookeeper": (list, type(None)),
        "brokers": list,
        "keep_data": (bool, type(None)),
    },
    "hikube_local_connect": {"name": str, "workers": list, "plugins": (list, type(None))},
    "hikube_kafka_connector": {
        "name": str,
        "class": str,
        "tasks_max": (int, type(None)),
        "config": (dict, type(None)),
        "state": (str, type(None)),
        "offsets": (dict, type(None)),
    },
}
"""What the rules read, and of which kind it is."""


def _shape_faults(change: Change) -> Iterator[str]:
    """What is of another kind than the provider writes; an attribute that is missing is one that is unknown."""
    shape = _SHAPES.get(change.type, {})
    for after in (False, True):
        values = change.after if after else change.before
        if values is None:
            continue
        if not isinstance(values, Mapping):
            yield "its attributes are not an object"
            continue
        read = side(change, after=after)
        entries = read.get("config") if "config" in shape else None
        if isinstance(entries, dict) and not all(isinstance(each, str | None) for each in entries.values()):
            yield f"config has what is no text {'after' if after else 'before'} the apply"
        for name, kinds in shape.items():
            wanted = kinds if isinstance(kinds, tuple) else (kinds,)
            if name not in read:
                # Before the apply everything is known; afterwards what is missing is said to be unknown.
                gone = after and name in (change.before or {})
                if (type(None) not in wanted or gone) and not (after and change.is_unknown(name)):
                    yield f"{name} is missing {'after' if after else 'before'} the apply"
            elif not isinstance(read[name], wanted) or (isinstance(read[name], bool) and bool not in wanted):
                yield f"{name} is of another kind {'after' if after else 'before'} the apply"


def _unknown(change: Change, decides: Iterable[tuple[str, ...]]) -> Iterator[Problem]:
    """What would have to be known for a judgement, and is not."""
    names: list[str] = []
    for path in decides:
        if not change.is_unknown(*path):
            continue
        whole = next((path[:size] for size in range(1, len(path)) if path[:size] in change.unknown), path)
        name = whole[0] + "".join(f"[{part}]" for part in whole[1:])
        if name not in names:
            names.append(name)
    if names and change.after is not None:
        several = len(names) > 1
        yield unjudged.UNKNOWN(
            change.address,
            attributes=", ".join(names),
            is_="are" if several else "is",
            it="them" if several else "it",
            comes="come" if several else "comes",
        )


# --- our own resources ---


def _topic(change: Change, seen: Seen) -> Iterator[Problem]:
    prior, planned = _sides(change)
    cluster = seen.cluster(change)
    config = topic_consequences.Brokers(*cluster.config)
    is_there = prior is not None and change.action is not Action.FORGET_AND_CREATE
    decides = topic_consequences.DECIDES if is_there else topic_consequences.DECIDES_AT_FIRST
    yield from _unknown(change, decides)
    if change.action in {Action.FORGET, Action.FORGET_AND_CREATE} and prior is not None:
        yield from topic_consequences.forgotten(prior, planned)
        prior = None
    if planned is None:
        if prior is not None and not seen.comes_elsewhere(change):
            yield from topic.problems(prior, None)
            yield from topic_consequences.consequences(prior, None)
        return
    replaced = change.action is Action.REPLACE and prior is not None and planned.get("name") == prior["name"]
    protected = replaced and prior is not None and prior.get("deletion_protection") is not False
    count = cluster.brokers[1]
    known = None
    if count is not None or protected:
        # The factor is held against the brokers of the plan: those that are there now are the provider's to ask for.
        known = topic.Known(brokers=None if count is None else frozenset(), coming=count or 0, replaced=protected)
    yield from topic.problems(None if replaced else prior, planned, known)
    yield from topic_entries.never(planned)
    yield from topic_entries.problems(None if replaced else prior, planned)
    yield from topic_consequences.consequences(prior, planned, config, replaced=replaced)


def _brokers(change: Change, seen: Seen) -> Iterator[Problem]:  # noqa: ARG001 - every kind is asked alike
    prior, planned = _sides(change)
    if change.action in {Action.FORGET, Action.DELETE}:
        return
    yield from _unknown(change, brokers_consequences.DECIDES)
    yield from brokers.problems(prior, planned)
    yield from brokers_consequences.consequences(prior, planned)


_LATER = "(known after apply)"


def _claims(change: Change, seen: Seen) -> Iterator[Problem]:
    prior, planned = _sides(change)
    if change.action is Action.FORGET:
        if prior is not None and prior.get("claims"):
            yield volume_claims_consequences.FORGOTTEN(f"StatefulSet {prior['stateful_set']}")
        return
    if planned is not None and change.is_unknown("created_namespace"):
        planned = {**planned, "created_namespace": _LATER}
    yield from _unknown(change, volume_claims_consequences.DECIDES)
    namespace_ = seen.cluster(change).reach.namespace
    if change.is_unknown("templates") and planned is not None:
        return
    yield from volume_claims.problems(prior, planned, kubectl=f"kubectl -n {namespace_}" if namespace_ else "kubectl")
    yield from volume_claims_consequences.consequences(prior, planned, seen.grows)


def _members(change: Change, seen: Seen) -> Iterator[Problem]:
    prior, planned = _sides(change)
    if planned is None:
        return
    yield from _unknown(change, zookeeper_members_consequences.DECIDES)
    yield from zookeeper_members.problems(prior, planned)
    if planned.get("applied") == "after" and not seen.is_declared_before(change):
        planned = {**planned, "applied": "before"}
    if planned.get("applied") == "before":
        servers = planned.get("servers")
        if servers is not None and (prior is None or len(servers) != len(prior["servers"])):
            yield from even_problems("ZooKeeper", len(servers))
        yield from zookeeper_members_consequences.consequences(prior, planned)


def _rollout(change: Change, seen: Seen) -> Iterator[Problem]:
    prior, planned = _sides(change)
    if change.action is not Action.DELETE:
        yield from _unknown(change, rollout_consequences.DECIDES)
    names = set() if prior is None else {prior.get("release") or prior["stateful_set"]}
    stays = any(each.stays and each.now.name in names for each in seen.releases)
    yield from rollout.problems(prior, planned)
    yield from rollout_consequences.consequences(prior, planned, release_stays=stays)


def _ensemble(change: Change, seen: Seen) -> Iterator[Problem]:  # noqa: ARG001 - every kind is asked alike
    prior, planned = _sides(change)
    if change.action is Action.FORGET:
        return
    yield from _unknown(change, local_ensemble_consequences.DECIDES)
    if change.is_unknown("brokers") or change.is_unknown("zookeeper"):
        return
    if planned is not None and prior is not None and change.action is Action.UPDATE:
        # Computed where it is not declared; what an update leaves open stays as it was.
        planned = {**planned, "path": planned.get("path", prior.get("path"))}
    replaced = change.action is Action.REPLACE
    known = None
    if replaced and prior is not None and planned is not None and planned.get("name") == prior["name"]:
        known = local_ensemble.Known(tainted=prior.get("keep_data") is False)
        yield from local_ensemble.problems(None, {**planned, "path": prior.get("path")}, known)
    else:
        yield from local_ensemble.problems(prior, planned)
    yield from local_ensemble_consequences.consequences(prior, planned, replaced=replaced)


def _connect(change: Change, seen: Seen) -> Iterator[Problem]:  # noqa: ARG001 - every kind is asked alike
    prior, planned = _sides(change)
    if change.action is Action.FORGET:
        return
    yield from _unknown(change, connect_cluster.DECIDES)
    if change.is_unknown("workers"):
        return
    yield from connect_cluster.consequences_here(prior, planned, replaced=change.action is Action.REPLACE)


def _connector(change: Change, seen: Seen) -> Iterator[Problem]:
    prior, planned = _sides(change)
    if change.action in {Action.FORGET, Action.FORGET_AND_CREATE} and prior is not None:
        yield from connector_consequences.forgotten(prior)
        prior = None
    if planned is None:
        another = None if prior is None else _under_another_name(prior, seen)
        if prior is not None and another is not None:
            yield from connector.renamed(prior, another)
        if prior is not None and (another is None or connector_consequences.resets(prior)):
            yield from connector_consequences.consequences(prior, None)
        return
    yield from _unknown(change, connector_consequences.DECIDES)
    if change.action is Action.REPLACE and prior is not None and planned.get("name") != prior["name"]:
        if connector_consequences.resets(prior):
            yield from connector_consequences.consequences(prior, None)
    elif change.action is Action.REPLACE and prior is not None:
        yield from connector.replaced(prior.get("offsets"), planned)
    yield from connector.problems(prior, planned)
    yield from connector_consequences.consequences(prior, planned)


def _under_another_name(prior: _Values, seen: Seen) -> _Values | None:
    """The connector that the plan creates elsewhere with the same entries: a KafkaPlatform has each by its name."""
    created = (
        side(each, after=True)
        for each in seen.plan.changes
        if each.type == "hikube_kafka_connector" and each.action is Action.CREATE
    )
    return next((each for each in created if connector.is_same_but_for_name(prior, each)), None)


# --- releases ---

_RULES_OF = {"kafka": kafka_release.consequences, "connect": connect_cluster.consequences}


def _release(change: Change, seen: Seen) -> Iterator[Problem]:
    before, after = releases(change)
    chart = next((each.chart for each in (before, after) if each is not None and each.chart is not None), None)
    if chart is None:
        yield from _foreign_release(change, before, after)
        return
    where = f"release {(before or after).name}"  # type: ignore[union-attr]  # one of the two has the chart
    if change.action is Action.FORGET:
        yield unjudged.RELEASE_FORGOTTEN(where)
        return
    for each in (before if change.action is Action.UPDATE else None, after):
        for what in each.unreadable if each is not None else ():
            yield unjudged.VALUES(where, what=what)
    if after is not None and any(each is not None and () in each.unknown for each in (before, after)):
        return  # any of its values may be another: what they would be compared with is a guess
    rules = _RULES_OF.get(chart, zookeeper_release.consequences)
    for problem in rules(of_chart(before), of_chart(after), replaced=change.action is Action.REPLACE):
        if problem.rule != kafka_release.TAKEN.id or not seen.is_told_by_brokers(change):
            yield problem


def _foreign_release(change: Change, before: Release | None, after: Release | None) -> Iterator[Problem]:
    release = before or after
    if release is None or not any(foreign.is_of_kafka(each.chart_named) for each in (before, after) if each):
        return
    if change.action in GOING:
        yield foreign.release_goes(release.name, release.chart_named, replaced=change.action is Action.REPLACE)
    elif change.action is not Action.FORGET:
        yield foreign.chart_changes(release.name, release.chart_named)


# --- Kubernetes, and other providers ---


def _namespace(change: Change, seen: Seen) -> Iterator[Problem]:
    name, _, labels = namespace.metadata(side(change, after=False))
    inside = seen.inside(name)._replace(ours=labels.get("app.kubernetes.io/part-of") == "hikube-kafka")
    if change.action in {Action.FORGET, Action.FORGET_AND_CREATE}:
        if inside:
            yield namespace.LET_GO(f"namespace {name}")
    elif change.action in GOING:
        yield from namespace.consequences(name, inside, replaced=change.action is Action.REPLACE)


def _object(change: Change, seen: Seen) -> Iterator[Problem]:
    if change.action not in GOING:
        return
    name, space, _ = namespace.metadata(side(change, after=False))
    for each in seen.releases:
        if each.now.namespace in {space, ""} and namespace.belongs(change.type, name, each.now.name):
            yield namespace.object_goes(
                change.type, name, space, each.now.name, replaced=change.action is Action.REPLACE
            )
            return
    for cluster in seen.clusters.values():
        for claims in cluster.changes["hikube_volume_claims"]:
            before = side(claims, after=False)
            if name in (before.get("claims") or {}) and cluster.reach.namespace in {"", space}:
                owner = str(before.get("stateful_set"))
                yield namespace.object_goes(change.type, name, space, owner, replaced=change.action is Action.REPLACE)
                return


_OPERATORS = ("kafka", "strimzi", "zookeeper", "redpanda")


def _manifest(change: Change, seen: Seen) -> Iterator[Problem]:  # noqa: ARG001 - every kind is asked alike
    manifest = (side(change, after=False) or side(change, after=True)).get("manifest")
    if not isinstance(manifest, Mapping):
        return
    kind, group = str(manifest.get("kind") or ""), str(manifest.get("apiVersion") or "")
    if not any(word in group.casefold() for word in _OPERATORS):
        return
    if change.action in GOING:
        again = " and created again" if change.action is Action.REPLACE else ""
        yield namespace.MANIFEST_GOES(change.address, kind=kind, again=again)
    elif change.action is not Action.FORGET:
        yield namespace.MANIFEST(change.address, kind=kind)


def _foreign_topic(change: Change, seen: Seen) -> Iterator[Problem]:  # noqa: ARG001 - every kind is asked alike
    if change.action in GOING:
        yield foreign.topic_goes(side(change, after=False), replaced=change.action is Action.REPLACE)


def _foreign_acl(change: Change, seen: Seen) -> Iterator[Problem]:  # noqa: ARG001 - every kind is asked alike
    if change.action not in {Action.DELETE, Action.FORGET}:
        yield from foreign.acl_problems(side(change, after=True))


_RULES: Mapping[str, Callable[[Change, Seen], Iterator[Problem]]] = {
    "hikube_kafka_topic": _topic,
    "hikube_kafka_brokers": _brokers,
    "hikube_volume_claims": _claims,
    "hikube_zookeeper_members": _members,
    "hikube_rollout": _rollout,
    "hikube_local_ensemble": _ensemble,
    "hikube_local_connect": _connect,
    "hikube_kafka_connector": _connector,
    "helm_release": _release,
    **dict.fromkeys(namespace.NAMESPACES, _namespace),
    **dict.fromkeys(namespace.OBJECTS, _object),
    "kubernetes_manifest": _manifest,
    **dict.fromkeys(foreign.TOPICS, _foreign_topic),
    **dict.fromkeys(foreign.ACLS, _foreign_acl),
}
