"""Which changes of a release restart its servers, how many, and how long that takes.

What goes into the pods of a release is what the template of its StatefulSet reads: ``templates/brokers.yaml`` of the
chart ``kafka``, ``templates/servers.yaml`` of ``zookeeper``, ``templates/workers.yaml`` of ``connect``. A test renders
the charts with the real Helm, before and after a change of every value, and holds this module to it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hikube_kafka.spec.problem import Problem, Rule, shortened
from hikube_kafka.spec.quantities import MeasureError, Quantity, whole

RESTARTS = Rule(
    id="rolling-restart",
    severity="warning",
    message="{servers} restart{one}, in about {least} to {most}, because of {reasons}.",
    why="{meanwhile} The estimate: {each} s for each of them, as measured where there was little to copy, and at most "
    "the {grace} s that each may take to stop on top of that{more}.",
    remedy="Apply while everything is in sync and the load is low, and follow it:\n\n"
    "  kubectl -n {namespace} rollout status statefulset/{release}",
    message_in_general="servers restart one after another, because of settings that are part of their pods.",
    remedy_in_general="Apply while everything is in sync and the load is low, and follow it with kubectl rollout "
    "status.",
)
MAY_RESTART = Rule(
    id="rolling-restart-possible",
    severity="warning",
    message="{servers} may restart one after another, in about {least} to {most}: the chart changes from "
    "{before} to {after}.",
    why="What another version of the chart renders is not known here. A change of the pods restarts all of them.",
    remedy="Apply while everything is in sync and the load is low, and follow it:\n\n"
    "  kubectl -n {namespace} rollout status statefulset/{release}",
    message_in_general="servers may restart, because the chart changes.",
    remedy_in_general="Apply while everything is in sync and the load is low, and follow it with kubectl rollout "
    "status.",
)

SECONDS_OF_A_BROKER = 15
"""From one broker's stop to the next one's, where little was written meanwhile: docs/benchmarks.md, the table of a roll
of three brokers (20:51:06, 20:51:20, 20:51:35, ready at about 20:51:50) and the one beside it (16, 16 and 12 s)."""
SECONDS_OF_A_ZOOKEEPER_SERVER = 11
"""Likewise for ZooKeeper: three servers with hardly any data, on a cluster of three nodes, were restarted one after
another in 33 s; kubectl get events told of each stop 10 to 11 s after the one before."""
SECONDS_OF_A_WORKER = 40
"""Likewise for a Connect worker: it loads its plugins, joins, and counts as ready 10 s later (``minReadySeconds``). An
assumption, from workers with one small plugin on a busy machine."""


class Duration(NamedTuple):
    """How long a rolling restart takes."""

    least: int
    """Seconds, where nothing waits for anything."""
    most: int
    """Seconds, where every server takes all the time to stop that it may take; one that has to recover its log, or has
    much to copy until it is in sync again, takes longer."""


def restarts(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> int:
    """How many servers of a release a change restarts; 0 if none, if it is created or destroyed.

    Servers that come or go are not counted: they are not there before, or not after.

    Args:
        prior: The release as it is: name, namespace, chart, version and merged values.
        planned: As it is to be.
    """
    return _staying(prior, planned) if reasons(prior, planned) else 0


def may_restart(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> int:
    """How many servers another version of the chart may restart; 0 where it does not change, or they restart anyway.

    A chart from another place, ``source``, may be another one under the same version.
    """
    if prior is None or planned is None or reasons(prior, planned):
        return 0
    differs = any(prior.get(each) != planned.get(each) for each in ("version", "source"))
    return _staying(prior, planned) if differs else 0


def reasons(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The settings whose change restarts servers, by their paths: ``image.tag``; none if nothing restarts."""
    if prior is None or planned is None or prior.get("chart") != planned.get("chart"):
        return ()
    before, after = _of_pods(prior), _of_pods(planned)
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def duration(planned: Mapping[str, Any], servers: int) -> Duration:
    """How long the restart of so many servers takes.

    Kubernetes restarts a StatefulSet's pods one at a time, and goes on once the one before is ready; ours are ready
    when they are in sync, or serve in the quorum. So it is a sum over the servers:

    - least: what was measured for one that has little to copy;
    - most: that and ``terminationGraceSeconds``, within which it waits for the other replicas
      (``shutdownGateSeconds``), hands over what it leads and closes its log.

    Args:
        planned: The release as it is to be.
        servers: How many restart.
    """
    each = _seconds_of_one(planned)
    return Duration(servers * each, servers * (each + _grace(planned)))


def consequences(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> Iterator[Problem]:
    """That servers restart, or may.

    Args:
        prior: The release as it is; None: it is created.
        planned: As it is to be; None: it is destroyed.
    """
    if prior is None or planned is None:
        return
    certain = restarts(prior, planned)
    servers = certain or may_restart(prior, planned)
    if not servers:
        return
    takes = duration(planned, servers)
    facts: dict[str, Any] = {
        "servers": named(planned, servers),
        "one": "s" if servers == 1 else " one after another",
        "least": _in_words(takes.least),
        "most": _in_words(takes.most),
        "namespace": planned.get("namespace") or "default",
        "release": planned.get("name") or "",
    }
    where = f"release {planned.get('name') or ''}".strip()
    if not certain:
        is_version = prior.get("version") != planned.get("version")
        before, after = (
            f"version {each.get('version')}" if is_version else each.get("source") for each in (prior, planned)
        )
        yield MAY_RESTART(where, path=("version",), severity=None, before=before, after=after, **facts)
        return
    chart = str(planned.get("chart"))
    alone = whole(str(_at(planned, "replicas"))) == 1
    meanwhile = {
        "kafka": "The next broker stops once the one before is back in sync. Meanwhile other brokers lead its "
        "partitions; a topic with a single replica is unavailable while its broker is.",
        "connect": "The next worker stops once the one before has joined its group. Meanwhile the tasks of a worker "
        "wait for it, up to scheduled.rebalance.max.delay.ms; what they delivered since the last commit of offsets is "
        "delivered again.",
    }.get(
        chart,
        "The next server stops once the one before serves in the quorum. A restart of the leader is an election, "
        "during which brokers can change nothing: no topic, no leader, no in-sync replicas.",
    )
    of_one = "no task runs" if chart == "connect" else "no client is served"
    yield RESTARTS(
        where,
        path=(),
        severity=None,
        **facts,
        reasons=shortened(reasons(prior, planned)),
        meanwhile=f"It is the only one: {of_one} until it is back." if alone else meanwhile,
        each=_seconds_of_one(planned),
        grace=_grace(planned),
        more="; one with much to copy, or a log to recover, takes longer" if chart == "kafka" else "",
    )


def named(release: Mapping[str, Any], servers: int) -> str:
    """``3 brokers``, ``1 ZooKeeper server``."""
    what = {"kafka": "broker", "connect": "worker"}.get(str(release.get("chart")), "ZooKeeper server")
    return f"{servers} {what}{'' if servers == 1 else 's'}"


def _staying(prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> int:
    """How many servers there are before and after; the chart's own three where nobody can tell."""
    counts = [whole(str(_at(each, "replicas"))) for each in (prior, planned) if each is not None]
    return max(min((_THREE if count is None else count for count in counts), default=0), 0)


_THREE = 3


def _seconds_of_one(planned: Mapping[str, Any]) -> int:
    measured = {"kafka": SECONDS_OF_A_BROKER, "connect": SECONDS_OF_A_WORKER}
    return measured.get(str(planned.get("chart")), SECONDS_OF_A_ZOOKEEPER_SERVER)


def _grace(planned: Mapping[str, Any]) -> int:
    grace = whole(str(_at(planned, "terminationGraceSeconds")))
    return max(grace, 0) if grace is not None else {"kafka": 300, "connect": 120}.get(str(planned.get("chart")), 60)


def _in_words(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} min"  # noqa: PLR2004 - two minutes


def _of_pods(release: Mapping[str, Any]) -> dict[str, Any]:
    """What the template of the release's pods reads of its values, as it renders it."""
    readers = {**_SHARED, **{"kafka": _KAFKA, "connect": _CONNECT}.get(str(release.get("chart")), _ZOOKEEPER)}
    found = {path: reader(_at(release, *path.split("."))) for path, reader in readers.items()}
    config = _at(release, "config")
    for key, value in (config if isinstance(config, Mapping) else {"": config}).items():
        found[f"config.{key}"] = _text(value)
    # A single server needs no node of its own.
    if (whole(str(_at(release, "replicas"))) or 0) <= 1:
        found["pods.antiAffinity"] = "none"
    return found


def _at(release: Mapping[str, Any], *path: str) -> Any:
    value: Any = release.get("values")
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    """As a template writes a scalar: nothing is empty, and truth is in small letters."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any) -> Any:
    """As ``int64`` reads it: ``300`` and ``300.0`` are one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    number = whole(_text(value))
    return _text(value) if number is None else number


def _halved(value: Any) -> Any:
    number = _number(value)
    return number // 2 if isinstance(number, int) else number


def _quantity(value: Any) -> Any:
    """Kubernetes keeps a quantity in its canonical form: ``1024Mi`` and ``1Gi`` are one, ``1073741824`` is not."""
    try:
        quantity = Quantity(_text(value))
    except MeasureError:
        return _text(value)
    return quantity.value, quantity.text.endswith("i")


def _map(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _text(each) for key, each in value.items()} or None
    return _text(value) or None


def _joined(value: Any) -> str:
    return " ".join(map(_text, value)) if _is_list(value) else _text(value)


def _list(value: Any) -> Any:
    return tuple(map(_text, value)) if _is_list(value) else _text(value) or ()


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _tolerations(value: Any) -> Any:
    if not _is_list(value):
        return _text(value) or ()
    return tuple(
        (_text(each.get("operator")) or "Exists", *(_text(each.get(key)) for key in ("key", "value", "effect")))
        if isinstance(each, Mapping)
        else _text(each)
        for each in value
    )


def _ports(value: Any) -> Any:
    if not _is_list(value):
        return _text(value) or ()
    return tuple(
        (_text(each.get("name")), _number(each.get("port"))) if isinstance(each, Mapping) else _text(each)
        for each in value
    )


def _plugins(value: Any) -> Any:
    """Of an archive also its checksum, of an image also the folder in it; a volume is mounted as it is."""
    if not _is_list(value):
        return _text(value) or ()
    return tuple(
        next(
            (
                (_text(each.get("name")), *(_text(each.get(key)) for key in keys))
                for keys in (("archive", "checksum"), ("image", "imagePath"), ("volume",))
                if each.get(keys[0])
            ),
            (_text(each.get("name")),),
        )
        if isinstance(each, Mapping)
        else _text(each)
        for each in value
    )


def _affinity(value: Any) -> str:
    return "required" if value == "required" else "preferred"


_SHARED: Mapping[str, Callable[[Any], Any]] = {
    "image.registry": _text,
    "image.repository": _text,
    "image.tag": _text,
    "image.digest": _text,
    "image.pullPolicy": _text,
    "imagePullSecrets": _list,
    "heap": _text,
    "jvmOptions": _joined,
    "resources.cpu": _quantity,
    "resources.memory": _quantity,
    "pods.antiAffinity": _affinity,
    "pods.nodeSelector": _map,
    "pods.tolerations": _tolerations,
    "pods.priorityClassName": _text,
    "pods.annotations": _map,
    "labels": _map,
    "terminationGraceSeconds": _number,
}
"""What of the values both templates read, and how each is rendered. The configuration is read entry by entry; the
storage, the claims' retention, the network policy and the services are not in the pods."""
_KAFKA: Mapping[str, Callable[[Any], Any]] = {
    "listeners": _ports,
    "forwardPort": _number,
    "external.nodePort": _number,
    "rack.names": _joined,
    "rack.fromZone": bool,
    "fastFailover": bool,
    "startupSeconds": _halved,
    "shutdownGateSeconds": _number,
}
_CONNECT: Mapping[str, Callable[[Any], Any]] = {
    "plugins": _plugins,
    "secrets": _list,
    "startupSeconds": _halved,
}
_ZOOKEEPER: Mapping[str, Callable[[Any], Any]] = {
    "storage.log": bool,
    "membershipSecret": _text,
}
