"""The whole platform of a contract at one moment."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from hikube_kafka.kafka.security import PLAINTEXT, ClientSettings
from hikube_kafka.probe.kafka import observe_kafka
from hikube_kafka.probe.observation import KafkaSeen, KubernetesSeen, Observation, Unreadable, ZooKeeperSeen
from hikube_kafka.probe.workloads import Workloads
from hikube_kafka.probe.zookeeper import exchange_writes, observe_zookeeper
from hikube_kafka.spec.contract import Contract

Answer = TypeVar("Answer")


def observe(
    contract: Contract,
    settings: ClientSettings = PLAINTEXT,
    *,
    timeout: float = 5.0,
    dial: Mapping[str, str] | None = None,
    trouble: Callable[[str], str | None] = lambda _address: None,
    look: Workloads | None = None,
) -> Observation:
    """Look at everything that a contract speaks of, all at once, and have each ZooKeeper server take a write.

    Args:
        contract: What there should be: it says where to look, and nothing more is taken from it.
        settings: How to be let in by the brokers.
        timeout: Seconds that each read may take.
        dial: Where to dial an address of the contract, if elsewhere: the local end of its port-forward.
        trouble: Why the way to an address of the contract is broken, as far as the way itself can tell.
        look: How to look at Kubernetes; None: it is not looked at.
    """
    servers = [server.address for server in contract.zookeeper.servers]
    brokers = [broker.address for broker in contract.kafka.brokers]
    chroot = contract.zookeeper.chroot
    with ThreadPoolExecutor(4) as pool:
        zookeeper = pool.submit(observe_zookeeper, servers, chroot=chroot, timeout=timeout, dial=dial)
        read_backs = pool.submit(exchange_writes, servers, chroot=chroot, timeout=timeout, dial=dial)
        kafka = pool.submit(observe_kafka, brokers, settings, timeout=timeout, dial=dial)
        kubernetes = pool.submit(look, nodes=_promises_zones(contract), timeout=timeout) if look else None
        return Observation(
            zookeeper=_explained_servers(zookeeper.result(), trouble),
            read_backs=read_backs.result(),
            kafka=_explained_brokers(kafka.result(), trouble),
            kubernetes=kubernetes.result() if kubernetes else KubernetesSeen(),
        )


def _promises_zones(contract: Contract) -> bool:
    promised = contract.kubernetes
    return promised is not None and any(each.zones for each in (promised.zookeeper, promised.kafka))


def _explained_servers(seen: ZooKeeperSeen, trouble: Callable[[str], str | None]) -> ZooKeeperSeen:
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


def _explained_brokers(seen: KafkaSeen, trouble: Callable[[str], str | None]) -> KafkaSeen:
    brokers = tuple(
        replace(broker, metadata=_explained(broker.metadata, why), settings=_explained(broker.settings, why))
        for broker in seen.brokers
        for why in [trouble(broker.address)]
    )
    return replace(seen, brokers=brokers)


def _explained(answer: Answer | Unreadable, why: str | None) -> Answer | Unreadable:
    """A client at the end of a broken way knows only that its connection was closed."""
    return replace(answer, reason=f"{answer.reason} ({why})") if isinstance(answer, Unreadable) and why else answer
