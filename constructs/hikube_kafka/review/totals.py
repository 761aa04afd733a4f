"""What all parts of a platform have together, before and after the apply; and the parts, for a picture."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hikube_kafka.review.hidden import Hidden
from hikube_kafka.review.outcome import Part, Total
from hikube_kafka.review.plan import Action, Change, Path, Plan
from hikube_kafka.review.release import Release, is_release, releases
from hikube_kafka.spec.amounts import as_java_writes_it
from hikube_kafka.spec.quantities import MeasureError, Quantity

UNKNOWN = "unknown"
"""Only the apply will tell, the plan hides it, or nobody can read it."""

_KEYS = re.compile(r'\[(?:"(?:[^"\\]|\\.)*"|[0-9]+)\]')
_SERVERS = {"kafka": "brokers", "zookeeper": "ZooKeeper servers", "connect": "workers"}


class _UnknownError(Exception):
    """An amount is not known."""


@dataclass(frozen=True)
class _Server:
    """A release of ours, or an ensemble of this machine: what topics live on."""

    change: Change
    before: Release | None
    after: Release | None

    @property
    def release(self) -> Release:
        """As it will be, or was."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - one of them is there: it is a change
        return found


def totals(plan: Plan) -> tuple[Total, ...]:
    """The totals of each release, each ensemble of this machine, and the topics of each Kafka cluster.

    Sources: a release's merged values, as the chart applies them to each server; the claims that go with no release of
    the plan; the topics that Terraform manages. What is not known makes the sum unknown.
    """
    plan_ = _Read(plan)
    found: list[Total] = []
    for server in plan_.releases:
        found += _of_release(server, plan_.name(server.release))
    for change in plan_.managed("hikube_local_ensemble"):
        found += _of_servers(change, brokers="brokers", zookeeper="ZooKeeper servers")
    for change in plan_.managed("hikube_local_connect"):
        found += _of_servers(change, workers="workers")
    for change in plan_.managed("hikube_volume_claims"):
        found += _of_claims(change, plan_)
    for cluster, changes in plan_.topics().items():
        found += _of_topics(cluster, changes)
    return tuple(each for each in found if each.before or each.after)


def parts(plan: Plan) -> tuple[Part, ...]:
    """The namespaces, releases, claims, ensembles and topics of a plan, each with what it stands on."""
    plan_ = _Read(plan)
    namespaces = {_namespace(each): each.address for each in plan_.namespaces}
    found = [
        Part(address=each.address, kind="namespace", what=f"namespace {_namespace(each)}", action=each.action)
        for each in plan_.namespaces
    ]
    ensembles = [each for each in plan_.releases if each.release.chart == "zookeeper"]
    for each in plan_.releases:
        release = each.release
        holder = namespaces.get(release.namespace, "")
        if release.chart == "kafka":
            holder = next((other.change.address for other in ensembles if _connects(release, other.release)), holder)
        kind = {"kafka": "brokers", "connect": "workers"}.get(str(release.chart), "ZooKeeper")
        found.append(_part(each.change, kind, _servers(each), holder))
    addresses = {each.release.name: each.change.address for each in plan_.releases}
    found += [
        _part(change, "release", f"release {_word(change, 'name')}", namespaces.get(_word(change, "namespace"), ""))
        for change in plan_.managed("helm_release")
        if change.address not in addresses.values()
    ]
    for change in plan_.managed("hikube_volume_claims"):
        name = _word(change, "stateful_set")
        found.append(_part(change, "storage", f"claims of {name}", addresses.get(name, "")))
    for change in plan_.managed("hikube_local_ensemble"):
        found.append(_part(change, "brokers", f"ensemble {_word(change, 'name')} on this machine", ""))
        addresses[_word(change, "name")] = change.address
    for change in plan_.managed("hikube_local_connect"):
        found.append(_part(change, "workers", f"Connect cluster {_word(change, 'name')} on this machine", ""))
    for change in plan_.managed("hikube_kafka_connector"):
        found.append(_part(change, "connector", f"connector {_word(change, 'name')}", ""))
    for cluster, changes in plan_.topics().items():
        found += [_part(each, "topic", f"topic {_word(each, 'name')}", addresses.get(cluster, "")) for each in changes]
    return tuple(found)


class _Read:
    """The parts of a plan that count."""

    def __init__(self, plan: Plan) -> None:
        self._changes = [each for each in plan.changes if each.mode == "managed" and not each.deposed]
        self._clusters = dict(_clusters(plan.configuration))
        read = [(each, *releases(each)) for each in self._changes if is_release(each)]
        servers = [_Server(*each) for each in read if each[1] or each[2]]
        self.releases = [each for each in servers if each.release.chart is not None]
        self.namespaces = [*self.managed("kubernetes_namespace_v1"), *self.managed("kubernetes_namespace")]
        self._twice = {
            name for name, count in Counter(each.release.name for each in self.releases).items() if count > 1
        }

    def managed(self, type_: str) -> list[Change]:
        """Resources of one type, whatever happens to them."""
        return [each for each in self._changes if each.type == type_]

    def name(self, release: Release) -> str:
        """Of a release; with its namespace if another has the same name."""
        return f"{release.namespace}/{release.name}" if release.name in self._twice else release.name

    def topics(self) -> dict[str, list[Change]]:
        """The topics, by the name of the release or the ensemble that they are in."""
        there = [each.release.name for each in self.releases if each.release.chart == "kafka"]
        there += [_word(each, "name") for each in self.managed("hikube_local_ensemble")]
        found: dict[str, list[Change]] = defaultdict(list)
        for each in self.managed("hikube_kafka_topic"):
            release, provider = self._clusters.get(_KEYS.sub("", each.address), ("", ""))
            only = there[0] if len(there) == 1 else ""
            found[release or only or provider.partition(".")[2] or "Kafka"].append(each)
        return found


def _clusters(configuration: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """By the address of each resource: the release that its provider reaches, if it says so; and the provider."""
    configs = _mapping(configuration.get("provider_config"))
    names = {
        key: _constant(_mapping(_mapping(_mapping(each).get("expressions")).get("kubernetes")).get("release"))
        for key, each in configs.items()
    }
    modules = [("", _mapping(configuration.get("root_module")))]
    for prefix, module in modules:
        for resource in module.get("resources") or ():
            if isinstance(resource, Mapping):
                key = str(resource.get("provider_config_key") or "")
                yield f"{prefix}{resource.get('address')}", (names.get(key, ""), key)
        for name, call in _mapping(module.get("module_calls")).items():
            modules.append((f"{prefix}module.{name}.", _mapping(_mapping(call).get("module"))))


def _constant(expression: Any) -> str:
    value = _mapping(expression).get("constant_value")
    return value if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


# --- releases ---


def _of_release(server: _Server, name: str) -> Iterator[Total]:
    sides = server.before, server.after
    chart = str(server.release.chart)
    yield _total(name, _SERVERS[chart], sides, lambda each: f"{_replicas(each):,}")
    if chart != "connect":  # which has no claims
        kept = _kept(*sides)
        yield _total(name, "storage", sides, lambda each: _bytes(_storage(each)), kept=kept)
    yield _total(name, "memory", sides, lambda each: _bytes(_each(each, "resources", "memory")))
    yield _total(name, "CPU", sides, lambda each: _cores(_each(each, "resources", "cpu")))
    yield _total(name, "heap", sides, lambda each: _bytes(_heap(_setting(each, "heap")) * _replicas(each)))


def _total(
    of: str,
    what: str,
    sides: tuple[Release | None, Release | None],
    amount: Callable[[Release], str],
    *,
    kept: str = "",
) -> Total:
    before, after = sides
    then = _or_unknown(amount, after) if after else ""
    return Total(
        of=of,
        what=what,
        before=_or_unknown(amount, before) if before else "",
        after=" and ".join(filter(None, (then, kept))),
    )


def _or_unknown(amount: Callable[[Release], str], release: Release) -> str:
    try:
        return amount(release)
    except _UnknownError:
        return UNKNOWN


def _kept(before: Release | None, after: Release | None) -> str:
    """The claims that stay behind when their servers go."""
    if before is None:
        return ""
    try:
        policy = "whenDeleted" if after is None else "whenScaled"
        gone = _replicas(before) - (0 if after is None else _replicas(after))
        if gone <= 0 or _setting(before if after is None else after, "claimRetention", policy) != "Retain":
            return ""
        return f"{_bytes(_storage(before) // _replicas(before) * gone)} in claims that stay"
    except _UnknownError:
        return ""


def _replicas(release: Release) -> int:
    replicas = _setting(release, "replicas")
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 0:
        raise _UnknownError
    return replicas


def _each(release: Release, *path: str) -> Decimal:
    """What each server has, times the servers."""
    return _quantity(_setting(release, *path)) * _replicas(release)


def _storage(release: Release) -> Decimal:
    claims = _setting(release, "storage")
    if not isinstance(claims, Mapping) or not claims:
        raise _UnknownError
    names = [name for name, claim in claims.items() if claim is not None]
    return sum((_each(release, "storage", name, "size") for name in names), Decimal(0))


def _setting(release: Release, *path: str) -> Any:
    # A setting that is above, at or below this one may be told by the apply alone.
    if any(each[: len(path)] == path[: len(each)] for each in release.unknown):
        raise _UnknownError
    value: Any = release.settings
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, Hidden):
        raise _UnknownError
    return value


def _quantity(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _UnknownError
    try:
        return Quantity(value).value
    except (MeasureError, ArithmeticError):
        raise _UnknownError from None


def _heap(value: object) -> Decimal:
    return _quantity(as_java_writes_it(value))


def _bytes(amount: Decimal) -> str:
    return str(Quantity.of_bytes(int(amount.to_integral_value(rounding="ROUND_CEILING"))))


def _cores(amount: Decimal) -> str:
    whole = amount == amount.to_integral_value()
    return f"{amount:.0f}" if whole else f"{(amount * 1000).to_integral_value(rounding='ROUND_CEILING'):.0f}m"


# --- claims, ensembles, topics ---


def _of_claims(change: Change, plan: _Read) -> Iterator[Total]:
    """Of claims whose servers are in no release of the plan: nobody knows how many there are."""
    name = _word(change, "stateful_set")
    if any(each.release.name == name for each in plan.releases):
        return
    sides = [_claims(change.before, ()), _claims(change.after, change.unknown)]
    yield Total(of=name, what="storage of each server", before=sides[0], after=sides[1])


def _claims(attributes: Mapping[str, Any] | None, unknown: Iterable[Path]) -> str:
    if attributes is None:
        return ""
    templates = attributes.get("templates")
    if any(each[:1] == ("templates",) for each in unknown) or not isinstance(templates, Mapping):
        return UNKNOWN
    try:
        return _bytes(sum((_quantity(_mapping(each).get("size")) for each in templates.values()), Decimal(0)))
    except _UnknownError:
        return UNKNOWN


def _of_servers(change: Change, **kinds: str) -> Iterator[Total]:
    """Of servers on this machine: by the attributes that hold them, what they are."""
    name = _word(change, "name")
    for attribute, what in kinds.items():
        before, after = (_servers_of(each, attribute) for each in _sides(change))
        yield Total(of=name, what=what, before=_count(before), after=_count(after))
    before, after = (_heaps(each, kinds) for each in _sides(change))
    yield Total(of=name, what="heap", before=before, after=after)


def _sides(change: Change) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Before and after, without what only the apply will tell of the latter."""
    after = change.after
    if after is not None:
        whole = {each[0] for each in change.unknown if each}
        after = {key: value for key, value in after.items() if key not in whole}
    return change.before, after


def _servers_of(attributes: Mapping[str, Any] | None, attribute: str) -> Sequence[Any] | None:
    """The servers; none: there is no ensemble. None: nobody knows."""
    if attributes is None:
        return ()
    servers = attributes.get(attribute)
    return servers if isinstance(servers, list) else None


def _count(servers: Sequence[Any] | None) -> str:
    return UNKNOWN if servers is None else f"{len(servers):,}" if servers else ""


def _heaps(attributes: Mapping[str, Any] | None, kinds: Iterable[str]) -> str:
    if attributes is None:
        return ""
    try:
        total = Decimal(0)
        for attribute in kinds:
            servers = _servers_of(attributes, attribute)
            if servers is None:
                return UNKNOWN
            total += sum((_heap(_mapping(each).get("heap")) for each in servers), Decimal(0))
        return _bytes(total)
    except _UnknownError:
        return UNKNOWN


def _of_topics(cluster: str, changes: Sequence[Change]) -> Iterator[Total]:
    before = [each.before for each in changes if each.before is not None]
    after: list[Mapping[str, Any]] = []
    for each in changes:
        # What is forgotten is still there.
        side = each.before if each.action is Action.FORGET else _sides(each)[1]
        after += [side] if side is not None else []
    yield Total(of=cluster, what="topics", before=_some(len(before)), after=_some(len(after)))
    yield Total(of=cluster, what="partitions", before=_sum(before), after=_sum(after))
    yield Total(
        of=cluster,
        what="replicas of partitions",
        before=_sum(before, "replication_factor"),
        after=_sum(after, "replication_factor"),
    )


def _some(count: int) -> str:
    return f"{count:,}" if count else ""


def _sum(topics: Sequence[Mapping[str, Any]], times: str = "") -> str:
    found = 0
    for each in topics:
        partitions, copies = each.get("partitions"), each.get(times) if times else 1
        if not isinstance(partitions, int) or not isinstance(copies, int):
            return UNKNOWN
        found += partitions * copies
    return _some(found)


# --- the picture ---


def _part(change: Change, kind: str, what: str, belongs_to: str) -> Part:
    return Part(address=change.address, kind=kind, what=what, action=change.action, belongs_to=belongs_to)


def _servers(server: _Server) -> str:
    what = _SERVERS[str(server.release.chart)]
    before, after = (
        _or_unknown(lambda release: f"{_replicas(release):,}", each) if each else ""
        for each in (server.before, server.after)
    )
    told = f"{before} → {after}" if before and after and before != after else after or before
    return f"{told} {what} of {server.release.name}" if told != UNKNOWN else f"{what} of {server.release.name}"


def _connects(kafka: Release, zookeeper: Release) -> bool:
    """Whether the brokers' connect string has servers of that release: ``events-zookeeper-0.…`` or its service."""
    connect = _mapping(kafka.settings.get("config")).get("zookeeper.connect")
    if not isinstance(connect, str):
        return False
    hosts = [each.partition(".")[0].partition(":")[0] for each in connect.split(",")]
    return any(re.fullmatch(rf"{re.escape(zookeeper.name)}(-[0-9]+|-headless)?", host) for host in hosts)


def _namespace(change: Change) -> str:
    metadata = _state(change).get("metadata")
    metadata = metadata[0] if isinstance(metadata, list) and metadata else metadata
    name = _mapping(metadata).get("name")
    return str(name) if name is not None else "of a name that only the apply will tell"


def _word(change: Change, attribute: str) -> str:
    value = _state(change).get(attribute)
    return str(value) if value is not None else "of a name that only the apply will tell"


def _state(change: Change) -> Mapping[str, Any]:
    return change.after or change.before or {}
