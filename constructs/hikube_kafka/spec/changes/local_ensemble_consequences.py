"""What a change of an ensemble on one machine does, beyond what the provider refuses. For reviews alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.spec.changes.brokers_consequences import taken
from hikube_kafka.spec.changes.local_ensemble import going
from hikube_kafka.spec.problem import Problem, Rule, shortened

DATA_LOST = Rule(
    id="local-data-lost",
    severity="error",
    message="it is deleted with all data in {directory}{again}.",
    why="keep_data is false: every topic and every message of it is lost.",
    remedy="Set keep_data = true and apply that first. If nobody needs the data any more, waive this finding.",
    message_in_general="it is deleted with its data.",
)
STOPPED = Rule(
    id="local-ensemble-stopped",
    severity="warning",
    message="its servers are stopped; its data stays in {directory}.",
    why="Clients lose their connections. An ensemble of the same name and directory takes the data up again.",
    remedy="Stop its clients first.",
)
DATA_NO_LONGER_KEPT = Rule(
    id="local-data-no-longer-kept",
    severity="error",
    message="its keep_data becomes false.",
    why="The next plan that deletes or replaces it deletes every message too.",
    remedy="Keep keep_data = true. If its data is to go with it, waive this finding.",
)
ADDRESSES_CHANGE = Rule(
    id="local-ensemble-addresses-change",
    severity="warning",
    message="listeners change: {changes}.",
    why="Clients that still use the old address do not reach it any more.",
    remedy="Give clients the new addresses with the same change.",
    message_in_general="listeners of brokers change.",
)
RESTARTS = Rule(
    id="local-ensemble-restarts",
    severity="warning",
    message="{servers} restart one after another.",
    why="Their configuration, heap or version changes. While a broker is away its partitions have one replica less, "
    "and those with a single replica cannot be used.",
    remedy="Apply it while every partition is in sync.",
    message_in_general="servers restart one after another.",
)

DECIDES: tuple[tuple[str, ...], ...] = (("name",), ("directory",), ("brokers",), ("zookeeper",), ("keep_data",))
"""What a change of an ensemble cannot be judged without."""


def consequences(
    prior: Mapping[str, Any] | None, planned: Mapping[str, Any] | None, *, replaced: bool = False
) -> Iterator[Problem]:
    """What becomes of its data, its servers and its clients.

    Args:
        prior: As it is, with its ``path``; None: it is created.
        planned: As it is to be; None: it is deleted.
        replaced: It is deleted and created anew.
    """
    if prior is None:
        return
    where = f"ensemble {prior['name']}"
    if planned is None or replaced:
        if prior.get("keep_data") is False:
            yield DATA_LOST(
                where,
                again=", and created again, empty" if replaced else "",
                directory=prior["path"],
            )
        elif planned is None:
            yield STOPPED(where, directory=prior["path"])
        return
    if prior.get("keep_data") is not False and planned.get("keep_data", True) is False:
        yield DATA_NO_LONGER_KEPT(where, path=("keep_data",))
    gone = sorted(going(prior, planned))
    before = len(prior["brokers"])
    if gone:
        yield taken(gone, before, len(planned["brokers"]), path=("brokers",), drain=False)
    yield from _restarts(where, prior, planned)


def _restarts(where: str, prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[Problem]:
    moved, restarted = [], []
    version = prior.get("kafka_home") != planned.get("kafka_home", prior.get("kafka_home"))
    started_otherwise = (prior.get("fast_failover") is False) != (planned.get("fast_failover") is False)
    for kind, what in (("zookeeper", "ZooKeeper server"), ("brokers", "broker")):
        before = {server["id"]: server for server in prior.get(kind) or ()}
        for server in planned.get(kind) or ():
            was = before.get(server.get("id"))
            if was is None:
                continue
            if (
                version
                or (kind == "brokers" and started_otherwise)
                or any(was.get(each) != server.get(each) for each in ("properties", "heap"))
            ):
                restarted.append(f"{what} {server['id']}")
            old, new = (_listeners(each) for each in (was, server))
            if kind == "brokers" and old != new:
                moved.append(f"broker {server['id']} from {old} to {new}")
    if moved:
        yield ADDRESSES_CHANGE(where, path=("brokers",), changes="; ".join(moved))
    if restarted:
        yield RESTARTS(where, servers=shortened(restarted))


def _listeners(server: Mapping[str, Any]) -> str:
    entries = server.get("properties") or {}
    return str(entries.get("advertised.listeners") or entries.get("listeners") or "none")
