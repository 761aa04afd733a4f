"""What a whole plan tells that rules about one of its resources need."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hikube_kafka.review.hidden import revealed
from hikube_kafka.review.plan import Action, Change, Plan, of_all_instances
from hikube_kafka.review.release import Release, releases
from hikube_kafka.spec.changes import foreign
from hikube_kafka.spec.changes import namespace as namespaces
from hikube_kafka.spec.changes.together import Topic
from hikube_kafka.spec.quantities import whole

GOING = frozenset({Action.DELETE, Action.REPLACE})
OURS = frozenset(
    {
        "hikube_kafka_topic",
        "hikube_kafka_brokers",
        "hikube_volume_claims",
        "hikube_zookeeper_members",
        "hikube_rollout",
        "hikube_local_ensemble",
    }
)
"""The types of our resources that stand for a Kafka cluster, or a part of one."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What the configuration of a provider says of its cluster; empty: it does not tell."""

    namespace: str = ""
    release: str = ""
    zookeeper_release: str = ""
    is_elsewhere: bool = False
    """Whether its namespace comes from elsewhere, such as a variable."""


@dataclass(frozen=True, kw_only=True)
class ReleaseSeen:
    """A release of one of our charts."""

    change: Change
    before: Release | None
    after: Release | None

    @property
    def now(self) -> Release:
        """As it is before the apply, else as it is to be."""
        found = self.before or self.after
        assert found is not None  # noqa: S101 - one of the two is there
        return found

    @property
    def goes(self) -> bool:
        """Whether it is uninstalled for good, or to be installed anew."""
        return self.change.action in GOING

    @property
    def stays(self) -> bool:
        """Whether it is there after the apply; what Terraform lets go of is."""
        return self.after is not None or self.change.action is Action.FORGET


@dataclass(kw_only=True)
class Cluster:
    """What one configuration of the provider stands for: one Kafka cluster."""

    key: str
    reach: Reach
    changes: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    """By type."""
    releases: list[ReleaseSeen] = field(default_factory=list)

    @property
    def where(self) -> str:
        """As a message names it."""
        for each in self.releases:
            if each.now.chart == "kafka":
                return f"Kafka {each.now.name}"
        return f"Kafka {self.reach.release}" if self.reach.release else "the Kafka cluster"

    @cached_property
    def brokers(self) -> tuple[int | None, int | None]:
        """How many there are before and after; None where the plan does not tell."""
        counts: list[int | None] = []
        for after in (False, True):
            count = self._count("hikube_kafka_brokers", "brokers", after=after)
            if count is None:
                count = next((len(each) for each in self._ensembles(after=after)), None)
            if count is None:
                count = next(
                    (found for each in self.releases if (found := replicas(each, after=after)) is not None), None
                )
            counts.append(count)
        return counts[0], counts[1]

    @cached_property
    def config(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The brokers' configuration before and after; empty where the plan does not tell."""
        return self._config(after=False), self._config(after=True)

    @cached_property
    def coming(self) -> Mapping[str, Mapping[Any, set[str]]]:
        """What is created, by type and name: at which addresses."""
        found: dict[str, dict[Any, set[str]]] = defaultdict(lambda: defaultdict(set))
        for type_, changes in self.changes.items():
            key = "stateful_set" if type_ == "hikube_volume_claims" else "name"
            for change in changes:
                name = side(change, after=True).get(key)
                if change.action in {Action.CREATE, Action.FORGET_AND_CREATE} and isinstance(name, str):
                    found[type_][name].add(change.address)
        return found

    @cached_property
    def topics(self) -> tuple[list[Topic], list[Topic]]:
        """Those before and after, as far as they are known."""
        return list(self._topics(after=False)), list(self._topics(after=True))

    def _topics(self, *, after: bool) -> Iterator[Topic]:
        for change in self.changes["hikube_kafka_topic"]:
            values = side(change, after=after)
            if after and change.action is Action.FORGET:
                continue
            name, partitions, factor = (values.get(each) for each in ("name", "partitions", "replication_factor"))
            if isinstance(name, str) and isinstance(partitions, int) and isinstance(factor, int):
                yield Topic(name, partitions, factor)

    def _count(self, type_: str, attribute: str, *, after: bool) -> int | None:
        for change in self.changes[type_]:
            count = side(change, after=after).get(attribute)
            if isinstance(count, int) and not isinstance(count, bool):
                return count
        return None

    def _ensembles(self, *, after: bool) -> Iterator[list[Mapping[str, Any]]]:
        for change in self.changes["hikube_local_ensemble"]:
            servers = side(change, after=after).get("brokers")
            if isinstance(servers, list) and all(isinstance(each, Mapping) for each in servers):
                yield servers

    def _config(self, *, after: bool) -> Mapping[str, str]:
        for each in self.releases:
            release = each.after if after else each.before
            if release is not None and release.chart == "kafka":
                entries = revealed(release.settings).get("config")
                return {key: str(value) for key, value in entries.items()} if isinstance(entries, dict) else {}
        for servers in self._ensembles(after=after):
            entries = servers[0].get("properties") if servers else None
            return {key: str(value) for key, value in entries.items()} if isinstance(entries, Mapping) else {}
        return {}


def of_chart(release: Release | None) -> dict[str, Any] | None:
    """A release as the rules about it take it."""
    if release is None:
        return None
    return {
        "name": release.name,
        "namespace": release.namespace,
        "chart": release.chart,
        "version": release.version,
        "source": release.chart_named,
        "values": revealed(release.settings),
        "recreate_pods": release.recreates_pods,
        "force_update": release.forces,
        "replace": release.replaces,
    }


def replicas(seen: ReleaseSeen, *, after: bool, chart: str = "kafka") -> int | None:
    """How many servers a release of that chart has; None where nobody can tell."""
    release = seen.after if after else seen.before
    if release is None or release.chart != chart:
        return None
    return whole(str(revealed(release.settings).get("replicas", "")))


def blocks_for_workers(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The Connect cluster to which a block of our provider leads, by the block's key; of blocks that lead to one."""
    found: dict[str, str] = {}
    for key, block in (configuration.get("provider_config") or {}).items():
        expressions = block.get("expressions") or {}
        kubernetes = expressions.get("kubernetes") or {}
        kubernetes = kubernetes[0] if isinstance(kubernetes, list) and kubernetes else kubernetes
        for values, name in ((expressions, "local_connect"), (kubernetes, "connect_release")):
            value = values.get(name) if isinstance(values, Mapping) else None
            value = value.get("constant_value") if isinstance(value, Mapping) else value
            if isinstance(value, str) and key.rpartition(":")[2].partition(".")[0] == "hikube":
                found[key] = value
    return found


def side(change: Change, *, after: bool) -> Mapping[str, Any]:
    """The attributes before or after, with nothing hidden; none where there is no such side."""
    return change.planned if after else change.prior


class Seen:
    """What the whole plan tells, gathered once for all its changes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._keys = dict(_provider_keys((plan.configuration.get("root_module") or {}), ""))
        managed = [change for change in plan.changes if change.mode == "managed" and not change.deposed]
        ours = [change for change in managed if change.type in OURS]
        self._only = self._only_key(ours)
        self.clusters: dict[str, Cluster] = {}
        for change in ours:
            self.cluster(change).changes[change.type].append(change)
        self._only_of_releases = self._only_key(change for change in managed if change.type == "helm_release")
        self.releases: list[ReleaseSeen] = []
        for change in managed:
            if change.type == "helm_release":
                before, after = releases(change)
                seen = ReleaseSeen(change=change, before=before, after=after)
                if any(each is not None and each.chart is not None for each in (before, after)):
                    self.releases.append(seen)
                    # Workers carry no topic and no replica: what is asked of a cluster is not asked of them.
                    if seen.now.chart != "connect":
                        self._assign(seen)
        self.grows = {
            namespaces.metadata(values)[0]: values.get("allow_volume_expansion") is True
            for change in managed
            if change.type in {"kubernetes_storage_class", "kubernetes_storage_class_v1"}
            and (values := side(change, after=True))
        }

    def _key(self, change: Change) -> str | None:
        return self._keys.get(of_all_instances(change.address))

    def _only_key(self, changes: Iterable[Change]) -> str:
        """The one provider configuration that they have; empty, where they have none or several."""
        keys = {key for change in changes if (key := self._key(change)) is not None}
        return next(iter(keys)) if len(keys) == 1 else ""

    def is_used(self, key: str) -> bool:
        """Whether a resource of the configuration has this block of a provider."""
        return key in self._keys.values()

    def provider_of(self, release: Change) -> str:
        """The configuration of the provider of a release: two of them may reach two clusters of Kubernetes."""
        key = self._key(release)
        return self._only_of_releases if key is None else key

    def cluster(self, change: Change) -> Cluster:
        """The cluster of a resource of ours: that of its provider; the only one, where the plan does not tell."""
        key = self._key(change)
        key = self._only if key is None else key
        if key not in self.clusters:
            self.clusters[key] = Cluster(key=key, reach=_reach(self.plan.configuration, key))
        return self.clusters[key]

    def comes_elsewhere(self, change: Change) -> bool:
        """Whether what goes here is created at another address: that is told once, with how to keep it."""
        key = "stateful_set" if change.type == "hikube_volume_claims" else "name"
        name = side(change, after=False).get(key)
        return bool(self.cluster(change).coming[change.type].get(name, set()) - {change.address})

    def is_declared_before(self, change: Change) -> bool:
        """Whether the voters that are declared after a release are declared before it too."""
        name = side(change, after=True).get("stateful_set")
        return any(
            values.get("applied") == "before" and values.get("stateful_set") == name
            for each in self.cluster(change).changes[change.type]
            if (values := side(each, after=True))
        )

    def carries(self, change: Change) -> bool:
        """Whether it is a resource of ours, or a release of one of our charts."""
        return change.type in OURS or any(each.change is change for each in self.releases)

    def is_told_by_brokers(self, release: Change) -> bool:
        """Whether ``hikube_kafka_brokers`` tells of the brokers that this release takes away, and of their drain."""
        for cluster in self.clusters.values():
            after = next((replicas(each, after=True) for each in cluster.releases if each.change is release), None)
            for change in cluster.changes["hikube_kafka_brokers"]:
                was, will = (side(change, after=each).get("brokers") for each in (False, True))
                if isinstance(was, int) and isinstance(will, int) and was > will == after:
                    return True
        return False

    def _assign(self, seen: ReleaseSeen) -> None:
        """The cluster that a release carries: by what its provider says, by its claims, or because there is one."""
        name, namespace = seen.now.name, seen.now.namespace
        for cluster in self.clusters.values():
            reach = cluster.reach
            if name in {reach.release, reach.zookeeper_release} and reach.namespace in {"", namespace}:
                cluster.releases.append(seen)
                return
        for cluster in self.clusters.values():
            sets = (
                side(change, after=after).get("stateful_set")
                for type_ in ("hikube_volume_claims", "hikube_rollout", "hikube_zookeeper_members")
                for change in cluster.changes[type_]
                for after in (False, True)
            )
            if cluster.reach.namespace in {"", namespace} and name in sets:
                cluster.releases.append(seen)
                return
        if len(self.clusters) == 1:
            only = next(iter(self.clusters.values()))
            taken = any(each.now.chart == seen.now.chart for each in only.releases)
            if not taken and not only.reach.release:
                only.releases.append(seen)

    def inside(self, name: str) -> namespaces.Inside:
        """What is in a namespace before the apply, as far as the plan tells."""
        found = [each.now for each in self.releases if each.before is not None and each.now.namespace == name]
        sets, topics = [], 0
        for cluster in self.clusters.values():
            there = any(each.now.namespace == name for each in cluster.releases) or cluster.reach.namespace == name
            # Where the plan does not tell, a namespace that goes may be the one.
            there |= cluster.reach.is_elsewhere and not cluster.releases
            for change in cluster.changes["hikube_volume_claims"]:
                before = side(change, after=False)
                if before and (there or before.get("created_namespace") == name) and before.get("claims"):
                    sets.append(str(before.get("stateful_set")))
            topics += len(cluster.topics[0]) if there else 0
        others = [
            str(values.get("name"))
            for change in self.plan.managed("helm_release")
            if (values := side(change, after=False)).get("namespace") == name
            and str(values.get("name")) not in {each.name for each in found}
            and foreign.is_of_kafka(str(values.get("chart") or ""))
        ]
        return namespaces.Inside(
            releases=sorted({*(each.name for each in found), *others}), stateful_sets=sorted(set(sets)), topics=topics
        )


def _provider_keys(module: Any, prefix: str) -> Iterator[tuple[str, str]]:
    if not isinstance(module, Mapping):
        return
    for resource in module.get("resources") or ():
        if isinstance(resource, Mapping) and resource.get("provider_config_key"):
            yield f"{prefix}{resource.get('address')}", str(resource["provider_config_key"])
    calls = module.get("module_calls") or {}
    for name, call in calls.items() if isinstance(calls, Mapping) else ():
        if isinstance(call, Mapping):
            yield from _provider_keys(call.get("module"), f"{prefix}module.{name}.")


def _reach(configuration: Mapping[str, Any], key: str) -> Reach:
    """What is written out of the provider's block ``kubernetes``."""
    try:
        block = configuration["provider_config"][key]["expressions"]["kubernetes"]
        block = block[0] if isinstance(block, list) else block
        block = block.get("constant_value", block)
        found = {}
        come_from = (block.get("namespace") or {}).get("references")
        for name in ("namespace", "release", "zookeeper_release"):
            value = block.get(name)
            value = value.get("constant_value") if isinstance(value, Mapping) else value
            found[name] = value if isinstance(value, str) else ""
        return Reach(**found, is_elsewhere=bool(come_from))
    except (KeyError, TypeError, AttributeError, IndexError):
        return Reach()
