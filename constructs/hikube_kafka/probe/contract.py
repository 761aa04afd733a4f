"""The whole platform of a contract at one moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from hikube_kafka.kafka.security import PLAINTEXT, Credentials
from hikube_kafka.probe.connect import observe_connect
from hikube_kafka.probe.kafka import observe_kafka
from hikube_kafka.probe.observation import (
    ConnectSeen,
    KafkaSeen,
    KubernetesSeen,
    Observation,
    Unreadable,
    WorkerSeen,
    ZooKeeperSeen,
)
from hikube_kafka.probe.route import DIRECT, Route
from hikube_kafka.probe.zookeeper import exchange_writes, observe_zookeeper
from hikube_kafka.spec.contract import Contract

Answer = TypeVar("Answer")
Trouble = Callable[[str], str | None]
"""Why an address cannot be reached, as far as anybody can tell."""


def observe(
    contract: Contract,
    credentials: Credentials = PLAINTEXT,
    *,
    timeout: float = 5.0,
    route: Route = DIRECT,
) -> Observation:
    """Look at everything that a contract speaks of, all at once, and have each ZooKeeper server take a write.

    Args:
        contract: What there should be: it says where to look, and nothing more is taken from it.
        credentials: How to be let in by the brokers.
        timeout: Seconds that each read may take.
        route: How the contract's addresses are reached from here.
    """
    servers = [server.address for server in contract.zookeeper.servers]
    brokers = [broker.address for broker in contract.kafka.brokers]
    chroot, look = contract.zookeeper.chroot, route.workloads
    clusters = contract.connect or ()
    with ThreadPoolExecutor(4 + len(clusters)) as pool:
        zookeeper = pool.submit(observe_zookeeper, servers, chroot=chroot, timeout=timeout, dial=route.dial)
        read_backs = pool.submit(exchange_writes, servers, chroot=chroot, timeout=timeout, dial=route.dial)
        kafka = pool.submit(observe_kafka, brokers, credentials, timeout=timeout, dial=route.dial)
        dialled = ",".join(route.dial.get(address, address) for address in brokers)
        connect = [
            pool.submit(observe_connect, each, dialled, credentials, timeout=timeout, dial=route.dial)
            for each in clusters
        ]
        kubernetes = pool.submit(look, nodes=_promises_zones(contract), timeout=timeout) if look else None
        workloads = kubernetes.result() if kubernetes else KubernetesSeen()

        def trouble(address: str) -> str | None:
            return route.trouble(address) or workloads.kept_out.get(route.pods.get(address, ""))

        return Observation(
            zookeeper=_explained_servers(zookeeper.result(), trouble),
            read_backs=read_backs.result(),
            kafka=_explained_brokers(kafka.result(), trouble),
            kubernetes=workloads,
            connect=tuple(_explained_workers(each.result(), trouble) for each in connect),
            kubectl=route.kubectl,
        )


def _promises_zones(contract: Contract) -> bool:
    promised = contract.kubernetes
    return promised is not None and any(each.zones for each in (promised.coordinator, promised.kafka))


def _explained_servers(seen: ZooKeeperSeen, trouble: Trouble) -> ZooKeeperSeen:
    return ZooKeeperSeen(
        servers=tuple(
            replace(
                server,
                status=_explained(server.status, why),
                followers=_explained(server.followers, why),
                voting_view=_explained(server.voting_view, why),
                kafka=_explained(server.kafka, why),
            )
            for server in seen.servers
            for why in [trouble(server.address)]
        )
    )


def _explained_brokers(seen: KafkaSeen, trouble: Trouble) -> KafkaSeen:
    brokers = tuple(
        replace(broker, metadata=_explained(broker.metadata, why), settings=_explained(broker.settings, why))
        for broker in seen.brokers
        for why in [trouble(broker.address)]
    )
    return replace(seen, brokers=brokers)


def _explained_workers(seen: ConnectSeen, trouble: Trouble) -> ConnectSeen:
    workers = tuple(
        WorkerSeen.unreadable(worker.address, _explained(worker.version, why))
        if isinstance(worker.version, Unreadable)
        else worker
        for worker in seen.workers
        for why in [trouble(worker.address)]
    )
    return replace(seen, workers=workers)


def _explained(answer: Answer | Unreadable, why: str | None) -> Answer | Unreadable:
    """A client at the end of a broken route knows only that its connection was closed."""
    return replace(answer, reason=f"{answer.reason} ({why})") if isinstance(answer, Unreadable) and why else answer
