"""What a change of a Connect cluster does to what it carries. For reviews alone.

It is a release of the chart ``connect``, by its merged values, or ``hikube_local_connect``.

Source of what Connect does: https://kafka.apache.org/39/documentation.html#connect.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hikube_kafka.spec.changes import release, rolling
from hikube_kafka.spec.changes.release import Release
from hikube_kafka.spec.connect import WORKER_HEAP
from hikube_kafka.spec.problem import Problem, Rule, shortened

STOPPED = Rule(
    id="connect-cluster-stopped",
    severity="warning",
    message="its {workers} stop{again}, and with them every connector of the group.",
    why="Connectors and offsets stay in the group's topics, and workers of the same group go on where these ended. "
    "Until then sinks lag behind, for as long as the topics keep what they read; a source that captures changes has "
    "its database keep them: a replication slot of PostgreSQL holds its WAL, up to max_slot_wal_keep_size or the end "
    "of the disk.",
    remedy="To take it away for good, delete its connectors first, and what they hold elsewhere, such as a replication "
    "slot. To have the connectors rest, set their state.",
    message_in_general="its workers stop, and with them every connector of the group.",
)
FORMER_DONE = Rule(
    id="connect-former-done",
    severity="notice",
    message="no connector and no worker of it is left here; the provider's block that leads to it is not needed.",
    why="The block stays so that a plan can take away what the state has of the cluster, and that has been done.",
    remedy="Take its name out of former_connect, or the block out of the configuration.",
)
FEWER = Rule(
    id="connect-workers-fewer",
    severity="warning",
    message="{before} workers become {after}{alone}.",
    why="Those that stay take over the tasks, after scheduled.rebalance.max.delay.ms; until then these stand still. "
    "Each worker then runs more of them in the same heap.",
    remedy="Check that memory and processors of the workers that stay are enough for all tasks.",
)
GROUP_CHANGED = Rule(
    id="connect-group-changed",
    severity="error",
    message="{key} changes from {before} to {after}.",
    why="What the workers know is in the topics of their group. With other ones they know none of the connectors, and "
    "none of the offsets: sources take their snapshots again, and connectors made by hand are gone.",
    remedy="Keep {key} = {before}. For another group, make another Connect cluster, and move one connector after the "
    "other with its offsets.",
    message_in_general="group.id, or one of the internal topics, changes.",
)
PLUGINS_GO = Rule(
    id="connect-plugins-removed",
    severity="warning",
    message="workers lose {plugins}.",
    why="A connector whose class no worker has fails, and so does one whose converter or transform is missing.",
    remedy="Delete its connectors first, in an apply of their own.",
    message_in_general="a plugin is taken away.",
)
PLUGINS_CHANGE = Rule(
    id="connect-plugins-changed",
    severity="warning",
    message="workers get another {plugins}.",
    why="Connectors go on with the classes of the new one, and with the offsets and the configuration that they have.",
    remedy="Read what it says about upgrades; an older one may not understand offsets that a newer one has written.",
    message_in_general="a plugin comes from another source, or in another version.",
)
UNCHECKED = Rule(
    id="connect-plugin-unchecked",
    severity="warning",
    message="{plugin} is fetched without a checksum.",
    why="Whoever can change the file decides what the workers run, with all that they may do in Kafka and elsewhere.",
    remedy="Give its checksum: sha256 or sha512.",
)
POLICY_OFF = Rule(
    id="connect-network-policy-off",
    severity="error",
    message="the network policy is removed: every pod of the cluster may connect.",
    why="The REST interface asks nobody who they are: whoever reaches it reads the configuration of every connector, "
    "changes it, and runs what plugins can do with the rights of the workers.",
    remedy="Keep networkPolicy.enabled = true. A port-forward needs no entry.",
)
RESTARTS = Rule(
    id="local-connect-restarts",
    severity="warning",
    message="{workers}.",
    why="Their configuration, heap or plugins change. While a worker is away its tasks wait for it, up to "
    "scheduled.rebalance.max.delay.ms.",
    remedy="Nothing, if what the connectors write to takes records twice: what was delivered since the last commit of "
    "offsets is delivered again.",
    message_in_general="workers restart one after another.",
)

DECIDES: tuple[tuple[str, ...], ...] = (("name",), ("workers",), ("plugins",))
"""What a change of workers on this machine cannot be judged without."""

_GROUP = ("group.id", "config.storage.topic", "offset.storage.topic", "status.storage.topic")
_POLICY = ("networkPolicy", "enabled")
_SOURCES = ("maven", "archive", "image", "volume")


class _Cluster(NamedTuple):
    """What both kinds tell."""

    workers: int | None
    config: Mapping[str, str]
    plugins: Mapping[str, Mapping[str, Any]]
    """By name."""


def consequences(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, *, replaced: bool = False
) -> Iterator[Problem]:
    """What an apply does to a release of the chart ``connect``.

    Args:
        prior: The release as it is, as :func:`hikube_kafka.spec.changes.kafka_release.consequences` takes it; None: it
            is created.
        planned: As it is to be; None: it is destroyed.
        replaced: The plan uninstalls it and installs it anew, whatever has changed.
    """
    before = None if prior is None else Release(prior)
    after = None if planned is None else Release(planned)
    if before is not None and (again := release.again(before, after, replaced=replaced)) is not None:
        yield _stopped(before.where, before.number("replicas"), again.removesuffix(", with empty claims"))
    if after is None or after.chart != "connect":
        return
    yield from release.ways(None if replaced else before, after)
    if prior == planned and not replaced:
        return
    was = _of_release(before) if before is not None and before.chart == "connect" else None
    yield from _changes(after.where, was, _of_release(after), config=("config",), workers=("replicas",))
    yield from release.image(before, after, "Kafka")
    yield from release.memory(before, after, WORKER_HEAP)
    yield from release.spread(before, after)
    if before is not None and before.truth(*_POLICY) and after.truth(*_POLICY) is False:
        yield POLICY_OFF(after.where, path=_POLICY)
    yield from release.unreadable(before, after)
    if not replaced:
        yield from rolling.consequences(prior, planned)


def consequences_here(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, *, replaced: bool = False
) -> Iterator[Problem]:
    """What an apply does to workers on this machine.

    Args:
        prior: As they are; None: they are created.
        planned: As they are to be, without what only the apply will tell; None: they are stopped for good.
        replaced: The plan stops them and starts others.
    """
    was = None if prior is None else _of_this_machine(prior)
    if prior is not None and was is not None and (planned is None or replaced):
        yield _stopped(_named(prior), was.workers, ", and others start" if planned is not None else "")
    if planned is None:
        return
    yield from _changes(_named(planned), was, _of_this_machine(planned), config=("workers",), workers=("workers",))
    if prior is not None and not replaced and (workers := _restarting(prior, planned)):
        one = f"{workers[0]} restarts"
        yield RESTARTS(
            _named(planned), workers=one if len(workers) == 1 else f"{shortened(workers)} restart one after another"
        )


def _stopped(where: str, workers: int | None, again: str) -> Problem:
    told = "workers" if workers is None else f"{workers} worker{'' if workers == 1 else 's'}"
    return STOPPED(where, workers=told, again=again)


def _changes(
    where: str, prior: _Cluster | None, planned: _Cluster, *, config: tuple[str, ...], workers: tuple[str, ...]
) -> Iterator[Problem]:
    for name, plugin in planned.plugins.items():
        fetched = plugin.get("archive") and not plugin.get("maven")
        known = prior is not None and prior.plugins.get(name) == plugin
        if fetched and not plugin.get("checksum") and not known:
            yield UNCHECKED(where, path=("plugins",), plugin=f"plugin {name}")
    if prior is None:
        return
    for key in _GROUP:
        was, will = prior.config.get(key), planned.config.get(key)
        if was != will and was is not None and planned.config:
            yield GROUP_CHANGED(where, path=config, key=key, before=was, after=will or "nothing")
    if prior.workers is not None and planned.workers is not None and planned.workers < prior.workers:
        alone = ": while the only one restarts, no task runs" if planned.workers == 1 else ""
        yield FEWER(where, path=workers, before=prior.workers, after=planned.workers, alone=alone)
    gone = sorted(prior.plugins.keys() - planned.plugins.keys())
    if gone:
        yield PLUGINS_GO(where, path=("plugins",), plugins=_plugins(gone))
    other = sorted(
        name
        for name in prior.plugins.keys() & planned.plugins.keys()
        if any((prior.plugins[name].get(each) or "") != (planned.plugins[name].get(each) or "") for each in _SOURCES)
    )
    if other:
        yield PLUGINS_CHANGE(where, path=("plugins",), plugins=_plugins(other))


def _plugins(names: Sequence[str]) -> str:
    return f"{'plugin' if len(names) == 1 else 'plugins'} {shortened(list(names))}"


def _of_release(found: Release) -> _Cluster:
    return _Cluster(found.number("replicas"), found.config(), _by_name(found.raw("plugins")))


def _of_this_machine(values: Mapping[str, Any]) -> _Cluster:
    workers = values.get("workers")
    if not isinstance(workers, list):
        return _Cluster(None, {}, _by_name(values.get("plugins")))
    first = workers[0].get("properties") if workers and isinstance(workers[0], Mapping) else None
    config = {str(key): str(value) for key, value in first.items()} if isinstance(first, Mapping) else {}
    return _Cluster(len(workers), config, _by_name(values.get("plugins")))


def _by_name(plugins: Any) -> dict[str, Mapping[str, Any]]:
    listed = plugins if isinstance(plugins, list) else []
    return {str(each.get("name")): each for each in listed if isinstance(each, Mapping)}


def _restarting(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> list[str]:
    """The workers that are there before and after, and differ."""
    was, will = (
        {each.get("id"): each for each in values.get("workers") or () if isinstance(each, Mapping)}
        for values in (prior, planned)
    )
    other = any(_by_name(prior.get(key)) != _by_name(planned.get(key)) for key in ("plugins",)) or (
        prior.get("kafka_home") or None
    ) != (planned.get("kafka_home") or None)
    return [f"worker-{each}" for each in sorted(was.keys() & will.keys(), key=str) if other or was[each] != will[each]]


def _named(values: Mapping[str, Any]) -> str:
    return f"Connect cluster {values['name']}" if isinstance(values.get("name"), str) else "a Connect cluster"
