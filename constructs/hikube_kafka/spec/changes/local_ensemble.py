"""Changes of an ensemble on this machine: ``hikube_local_ensemble``."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from hikube_kafka.spec.changes.replicas import Replicas, held, in_words
from hikube_kafka.spec.problem import Problem, Rule

ZOOKEEPER_CHANGES = Rule(
    id="local-zookeeper-changes",
    severity="error",
    message="its ZooKeeper servers cannot change from {before} to {after}.",
    why="A static server list that changes by restarts can elect two leaders, and acknowledged writes are then lost.",
    remedy="Declare the same servers again; for another number of them, make an ensemble of another name and copy the "
    "topics.",
)
HOLDS_REPLICAS = Rule(
    id="local-broker-holds-replicas",
    severity="error",
    message="it cannot be removed: it holds replicas.",
    why="Partitions would lose a copy, or all of them: {replicas}.",
    remedy="Declare it again; or move its replicas first: lower the replication_factor of these topics, or delete them "
    "(internal ones: kafka-reassign-partitions).",
)
REPLACED = Rule(
    id="local-ensemble-replaced",
    severity="warning",
    message="it would be replaced by a new one.",
    why="Its name or directory changes: the servers in {directory} are stopped, and a new ensemble starts. The data "
    "{data}.",
    remedy="To keep the ensemble, declare its name and directory as before.",
)


class Known(NamedTuple):
    """What is known of its cluster."""

    replicas: Replicas


def problems(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, known: Known | None = None
) -> Iterator[Problem]:
    """Losses of data, and an ensemble that moves away from its data.

    Args:
        prior: As it is; None: it is created.
        planned: As it is to be; None: it is deleted, which keeps the data unless ``keep_data`` is false.
        known: What is known of its cluster.
    """
    if prior is None or planned is None:
        return
    where = f"ensemble {prior['name']}"
    if any(planned.get(each) != prior[each] for each in ("name", "directory")):
        deleted = prior["keep_data"] is False
        yield REPLACED(
            where,
            directory=prior["directory"],
            data="is deleted with the old ensemble, because keep_data is false"
            if deleted
            else "stays there, unused by the new one",
        )
        return
    zookeeper = _ids(planned, "zookeeper")
    if zookeeper is not None and zookeeper != (before := _ids(prior, "zookeeper") or set()):
        yield ZOOKEEPER_CHANGES(where, path=("zookeeper",), before=_listed(before), after=_listed(zookeeper))
    gone = going(prior, planned)
    if gone and known is not None:
        for broker, topics in held(known.replicas, gone.__contains__).items():
            yield HOLDS_REPLICAS(f"broker {broker}", path=("brokers",), replicas=in_words({broker: topics}))


def going(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> set[int]:
    """The brokers that are no longer declared; none while they are not known."""
    brokers = _ids(planned, "brokers")
    return set() if brokers is None else (_ids(prior, "brokers") or set()) - brokers


def _ids(values: Mapping[str, Any], kind: str) -> set[int] | None:
    """The ids of the servers; None while one of them is not known."""
    servers = values.get(kind)
    if servers is None or not all(server and "id" in server for server in servers):
        return None
    return {server["id"] for server in servers}


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
