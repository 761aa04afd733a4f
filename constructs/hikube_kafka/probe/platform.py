"""The whole platform of a contract at one moment."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from hikube_kafka.probe.credentials import PLAINTEXT, ClientSettings
from hikube_kafka.probe.kafka import observe_kafka
from hikube_kafka.probe.observation import Observation
from hikube_kafka.probe.zookeeper import exchange_writes, observe_zookeeper
from hikube_kafka.spec.contract import Contract


def observe(
    contract: Contract,
    settings: ClientSettings = PLAINTEXT,
    *,
    timeout: float = 5.0,
    dial: Mapping[str, str] | None = None,
) -> Observation:
    """Look at everything that a contract speaks of, all at once, and have each ZooKeeper server take a write.

    Args:
        contract: What there should be: it says where to look, and nothing more is taken from it.
        settings: How to be let in by the brokers.
        timeout: Seconds that each read may take.
        dial: Where to dial an address of the contract, if elsewhere: the local end of its port-forward.
    """
    servers = [server.address for server in contract.zookeeper.servers]
    brokers = [broker.address for broker in contract.kafka.brokers]
    chroot = contract.zookeeper.chroot
    with ThreadPoolExecutor(3) as pool:
        zookeeper = pool.submit(observe_zookeeper, servers, chroot=chroot, timeout=timeout, dial=dial)
        read_backs = pool.submit(exchange_writes, servers, chroot=chroot, timeout=timeout, dial=dial)
        kafka = pool.submit(observe_kafka, brokers, settings, timeout=timeout, dial=dial)
        return Observation(zookeeper=zookeeper.result(), read_backs=read_backs.result(), kafka=kafka.result())
