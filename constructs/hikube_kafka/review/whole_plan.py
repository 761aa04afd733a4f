"""The rules over a whole plan."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.review.hidden import Hidden
from hikube_kafka.review.plan import Action, Change, Plan
from hikube_kafka.review.seen import GOING, Cluster, ReleaseSeen, Seen, blocks_for_workers, of_chart, replicas, side
from hikube_kafka.spec.changes import address, connect_cluster, namespace, rolling, topic_consequences, unjudged
from hikube_kafka.spec.changes import together as rules
from hikube_kafka.spec.changes.address import Step, Thing
from hikube_kafka.spec.problem import Problem

Found = Iterator[tuple[str, Problem]]


def together(plan: Plan, seen: Seen) -> Found:
    """What the rules say of the plan as a whole, each with the address that it is about; empty: with none."""
    yield from _unfinished(plan)
    for cluster in seen.clusters.values():
        try:
            yield from _of_cluster(cluster, seen)
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as problem:
            yield "", unjudged.UNREADABLE(cluster.where, what=f"{type(problem).__name__} while it was judged")
    names = Counter(each.now.name for each in seen.releases)
    restarting = {
        each.now.name if names[each.now.name] == 1 else each.change.address: count
        for each in seen.releases
        if (count := _restarts(each))
    }
    for found in rules.several_restarts(restarting):
        yield "", found
    yield from _twice(seen)
    yield from _former_workers(seen)
    yield from _drift(plan, seen)


# --- what another plan has to tell ---


def _unfinished(plan: Plan) -> Found:
    for each in plan.deferred:
        if _may_concern(each):
            yield each, unjudged.DEFERRED(each)
    if not plan.complete and not plan.errored:
        yield "", unjudged.INCOMPLETE("the plan")
    for each in plan.invocations:
        severity = None if "hikube_" in each or not each else "notice"
        yield each, unjudged.INVOKED(each or "an action", severity=severity)  # type: ignore[arg-type]


def _may_concern(where: str) -> bool:
    return any(word in where for word in ("hikube_", "helm_release.", "kubernetes_", "kafka"))


# --- one cluster ---


def _of_cluster(cluster: Cluster, seen: Seen) -> Found:
    before, after = cluster.brokers
    were, are = cluster.topics
    if before is not None and after is not None:
        where = _address_of_brokers(cluster)
        for found in rules.brokers_needed(cluster.where, before, after, are):
            yield where, found
        for found in rules.too_many_partitions(cluster.where, were, are, (before, after)):
            yield "", found
    yield from _followers(cluster)
    going = list(_going(cluster, seen))
    for found in rules.topics_stay(cluster.where, [what for _, what in going], [each.name for each in are]):
        yield going[0][0], found
    changing: dict[str, list[str]] = {"kafka": [], "zookeeper": []}
    for each in cluster.releases:
        if _restarts(each) or (each.change.action is Action.UPDATE and _scaled(each)):
            changing[str(each.now.chart)].append(each.now.name)
    for found in rules.both_restart(cluster.where, changing["zookeeper"], changing["kafka"]):
        yield "", found


def _former_workers(seen: Seen) -> Found:
    """Blocks that were kept to take a Connect cluster away, and that nothing needs any more."""
    connectors = [change for change in seen.plan.changes if change.type == "hikube_kafka_connector"]
    if seen.plan.errored or not seen.plan.complete:
        return  # what is left may be in another plan
    if any(change.action in GOING for change in connectors):
        return  # at which block, the plan does not tell
    there = {each.now.name for each in seen.releases}
    for change in seen.plan.changes:
        if change.type == "hikube_local_connect":
            values = side(change, after=False) or side(change, after=True)
            there |= {str(values.get("name")), str(values.get("directory"))}
    for key, cluster in blocks_for_workers(seen.plan.configuration).items():
        if cluster not in there and not seen.is_used(key):
            yield "", connect_cluster.FORMER_DONE(f"Connect cluster {cluster}")


def _followers(cluster: Cluster) -> Found:
    """Topics that the plan may leave as they are, and that the brokers' configuration changes."""
    config = topic_consequences.Brokers(*cluster.config)
    for change in cluster.changes["hikube_kafka_topic"]:
        if change.action in {Action.NOTHING, Action.UPDATE}:
            prior, planned = side(change, after=False), side(change, after=True)
            for found in topic_consequences.brokers_leave_no_room(prior, planned, config):
                yield change.address, found


def _going(cluster: Cluster, seen: Seen) -> Iterator[tuple[str, str]]:
    """What carries the cluster and goes: its address, and what it is."""
    for each in cluster.releases:
        if each.goes and not each.stays:
            yield each.change.address, f"release {each.now.name}"
    names = {each.now.namespace for each in cluster.releases} | {cluster.reach.namespace} - {""}
    for change in seen.plan.changes:
        if change.action in GOING and (name := _namespace_of(change)) in names:
            yield change.address, f"namespace {name}"
    for change in cluster.changes["hikube_volume_claims"]:
        if change.action is Action.DELETE and not seen.comes_elsewhere(change):
            yield change.address, f"the claims of {side(change, after=False).get('stateful_set')}"
    for change in cluster.changes["hikube_local_ensemble"]:
        if change.action is Action.DELETE:
            yield change.address, f"ensemble {side(change, after=False).get('name')}"


def _namespace_of(change: Change) -> str:
    if change.mode != "managed" or change.type not in namespace.NAMESPACES:
        return ""
    return namespace.metadata(side(change, after=False))[0]


def _address_of_brokers(cluster: Cluster) -> str:
    """Where their number is declared."""
    declared = [*cluster.changes["hikube_kafka_brokers"], *cluster.changes["hikube_local_ensemble"]]
    declared += [each.change for each in cluster.releases if each.now.chart == "kafka"]
    return declared[0].address if declared else ""


def _scaled(each: ReleaseSeen) -> bool:
    chart = str(each.now.chart)
    return replicas(each, after=False, chart=chart) != replicas(each, after=True, chart=chart)


def _restarts(each: ReleaseSeen) -> int:
    if each.change.action is not Action.UPDATE:
        return 0
    return rolling.restarts(of_chart(each.before), of_chart(each.after))


# --- one thing at several addresses ---


def _thing(type_: str, values: Mapping[str, Any]) -> Thing | None:
    """The real thing that the attributes stand for, as the provider names it; None while that is not known."""
    name, stateful_set = values.get("name"), values.get("stateful_set")
    thing = None
    match type_:
        case "hikube_kafka_topic" if isinstance(name, str):
            thing = Thing.topic(name)
        case "hikube_kafka_brokers":
            thing = Thing.brokers()
        case "hikube_volume_claims" if isinstance(stateful_set, str):
            thing = Thing.claims(stateful_set)
        case "hikube_zookeeper_members" if isinstance(stateful_set, str) and "applied" in values:
            thing = Thing.voters(stateful_set, values["applied"])
        case "hikube_local_ensemble" if isinstance(place := values.get("path") or values.get("directory"), str):
            thing = Thing.ensemble(place)
        case "helm_release" if isinstance(name, str):
            what = f"release {values.get('namespace') or 'default'}/{name}"
            thing = Thing(type_, what, loss="its servers would be stopped.")
    return thing


def _steps(change: Change) -> Iterator[tuple[Thing, Step]]:
    if change.action in {Action.FORGET, Action.OTHER}:
        return
    before = _thing(change.type, side(change, after=False)) if change.before is not None else None
    after = _thing(change.type, side(change, after=True)) if change.after is not None else None
    if change.action is Action.FORGET_AND_CREATE:
        before = None
    if before is not None and before == after:
        yield before, Step.STAYS
        return
    if before is not None:
        yield before, Step.GOES
    if after is not None:
        yield after, Step.COMES


def _twice(seen: Seen) -> Found:
    """One thing at several addresses: told at the one that goes, else at those that come, else at the first."""
    steps: dict[tuple[str, Thing], list[tuple[str, Step]]] = defaultdict(list)
    for cluster in seen.clusters.values():
        for changes in list(cluster.changes.values()):
            for change in changes:
                for thing, step in _steps(change):
                    steps[cluster.key, thing].append((change.address, step))
    for each in seen.releases:
        for thing, step in _steps(each.change):
            steps[seen.provider_of(each.change), thing].append((each.change.address, step))
    for (_, thing), places in steps.items():
        if len({where for where, _ in places}) < 2:  # noqa: PLR2004 - at one address nothing is twice
            continue
        first = min(places, key=lambda place: ((Step.GOES, Step.COMES, Step.STAYS).index(place[1]), place[0]))
        others = frozenset(step for place in places if place != first for step in [place[1]])
        for found in address.problems(thing, first[1], others):
            yield first[0], found


# --- what was changed outside ---

_COMPUTED = frozenset({"id", "claims", "voters", "path", "owner", "metadata", "status", "cluster_id", "manifest"}) | {
    "bootstrap_servers",
    "zookeeper_servers",
}
"""Attributes that tell what is there, and that nobody declares."""
_HOLDING = {
    "hikube_kafka_topic": ("topic", "name"),
    "hikube_local_ensemble": ("ensemble", "name"),
    "hikube_volume_claims": ("StatefulSet", "stateful_set"),
    "hikube_rollout": ("StatefulSet", "stateful_set"),
    "hikube_zookeeper_members": ("ZooKeeper", "stateful_set"),
    "hikube_kafka_brokers": ("the number of brokers", ""),
    "helm_release": ("release", "name"),
}
_LOST = frozenset({"hikube_kafka_topic", "hikube_local_ensemble", "helm_release"})


def _drift(plan: Plan, seen: Seen) -> Found:
    changes = {change.address: change for change in plan.changes if change.mode == "managed" and not change.deposed}
    ours = {each.change.address for each in seen.releases}
    for each in plan.drift:
        change = changes.get(each.address)
        if change is None or each.type not in _HOLDING or (each.type == "helm_release" and each.address not in ours):
            continue
        kind, key = _HOLDING[each.type]
        where = f"{kind} {side(each, after=False).get(key) or ''}".strip()
        if each.after is None:
            if each.type in _LOST and change.action is Action.CREATE:
                yield each.address, rules.deleted_outside(where, keeps_data=each.type == "helm_release")
        elif change.action in {Action.UPDATE, Action.REPLACE} and each.before is not None:
            found = list(_set_back(each, change, names_only=each.type == "helm_release"))
            for problem in rules.drift(where, found):
                yield each.address, problem


def _set_back(drift: Change, change: Change, *, names_only: bool) -> Iterator[tuple[str, Any, Any]]:
    """Settings that were changed, and that the apply makes something else than what was found."""
    was, now, then = (dict(_leaves(each)) for each in (drift.before, drift.after, change.after))
    for path in sorted(was.keys() | now.keys(), key=str):
        if was.get(path) == now.get(path) or path[0] in _COMPUTED or change.is_unknown(*path):
            continue
        if then.get(path) == now.get(path):
            continue
        setting = str(path[0]) + "".join(f"[{part}]" for part in path[1:])
        if names_only and path[0] in {"values", "set", "set_list", "set_sensitive"}:
            yield str(path[0]), "what was found", "what is declared"
            return
        yield setting, now.get(path), then.get(path)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Mapping) and not isinstance(value, Hidden):
        for key, each in value.items():
            yield from _leaves(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*path, index))
    elif value is not None:
        yield path, value
