"""What real servers say of themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from kazoo.client import KazooClient

from hikube_kafka.ensemble import apply
from hikube_kafka.ensemble import observe as observe_processes
from hikube_kafka.probe.contract import observe
from hikube_kafka.probe.kafka import observe_kafka
from hikube_kafka.probe.observation import KafkaRegistry, Metadata, ServerStatus, Unreadable, VotingView
from hikube_kafka.probe.zookeeper import exchange_writes, observe_zookeeper
from hikube_kafka.spec.contract import Contract
from tests.support.ensemble import LivingEnsemble, suspend

pytestmark = pytest.mark.ensemble


@pytest.fixture(scope="module")
def promised(living_ensemble: LivingEnsemble) -> Contract:
    contract: Contract = living_ensemble.layout.contract(living_ensemble.platform)
    return contract


@contextmanager
def frozen(living: Any, name: str) -> Iterator[None]:
    """A process that keeps its port and answers nothing; thawed, it is back in sync before the next test."""
    pid = next(server.pid for server in observe_processes(living.declaration).servers if server.name == name)
    process = psutil.Process(pid)
    suspend(process)
    try:
        yield
    finally:
        process.resume()
        apply(living.declaration)


def addresses(contract: Contract) -> list[str]:
    return [server.address for server in contract.zookeeper.servers]


def test_each_zookeeper_server_speaks_for_itself(promised: Contract) -> None:
    seen = observe_zookeeper(addresses(promised), chroot=promised.zookeeper.chroot)

    modes = []
    for expected in promised.zookeeper.servers:
        server = seen.server(expected.address)
        assert isinstance(server.status, ServerStatus)
        assert isinstance(server.voting_view, VotingView)
        assert isinstance(server.kafka, KafkaRegistry)
        modes.append(server.status.mode)
        assert server.status.version == "3.8.4"
        assert server.status.epoch >= 1
        assert server.voting_view.own_id == expected.id
        assert sorted(server.voting_view.voters) == [1, 2, 3]
        assert sorted(server.kafka.brokers) == [0, 1, 2]
        assert server.kafka.controller in {0, 1, 2}
        assert server.kafka.cluster_id
    assert sorted(modes) == ["follower", "follower", "leader"]


def test_only_the_leader_reports_followers(promised: Contract) -> None:
    for server in observe_zookeeper(addresses(promised)).servers:
        assert isinstance(server.status, ServerStatus)
        assert not isinstance(server.followers, Unreadable)
        expected = (2, 0) if server.status.mode == "leader" else (None, None)
        assert (server.followers.synced, server.followers.pending_syncs) == expected


def test_every_write_is_read_everywhere_and_nothing_of_it_stays(promised: Contract) -> None:
    read_backs = exchange_writes(addresses(promised))

    assert len(read_backs) == 9
    assert {(each.writer, each.reader) for each in read_backs} == {
        (writer, reader) for writer in addresses(promised) for reader in addresses(promised)
    }
    assert all(each.read == each.written for each in read_backs)
    client = KazooClient(hosts=",".join(addresses(promised)))
    client.start()
    try:
        client.sync("/")
        assert [name for name in client.get_children("/") if name.startswith("hikube-kafka-probe-")] == []
    finally:
        client.stop()
        client.close()


def test_a_tree_in_which_no_broker_ever_started_is_empty_and_not_unreadable(promised: Contract) -> None:
    (server, *_) = observe_zookeeper(addresses(promised), chroot="/nobody").servers

    assert server.kafka == KafkaRegistry(brokers={}, controller=None, cluster_id=None)


def test_each_broker_speaks_for_itself(promised: Contract) -> None:
    seen = observe_kafka([broker.address for broker in promised.kafka.brokers])

    for expected in promised.kafka.brokers:
        broker = seen.broker(expected.address)
        assert broker.id == expected.id
        assert isinstance(broker.metadata, Metadata)
        assert broker.metadata.brokers == {each.id: each.address for each in promised.kafka.brokers}
        assert not isinstance(broker.settings, Unreadable)
        assert broker.settings["broker.id"] == str(expected.id)
        assert broker.settings["min.insync.replicas"] == "2"


def test_brokers_that_were_not_asked_for_are_found(promised: Contract) -> None:
    seen = observe_kafka([promised.kafka.brokers[0].address])

    assert sorted(broker.id for broker in seen.brokers if broker.id is not None) == [0, 1, 2]


def test_an_address_that_is_not_advertised_belongs_to_no_broker(promised: Contract) -> None:
    _, _, port = promised.kafka.brokers[0].address.rpartition(":")

    broker = observe_kafka([f"localhost:{port}"]).broker(f"localhost:{port}")

    assert broker.id is None
    assert isinstance(broker.metadata, Metadata)
    assert isinstance(broker.settings, Unreadable)
    assert f"no broker advertises localhost:{port}" in broker.settings.reason


def test_a_frozen_broker_is_unreadable_and_the_others_are_not(
    promised: Contract, living_ensemble: LivingEnsemble
) -> None:
    with frozen(living_ensemble, "broker-1"):
        seen = observe(promised, timeout=5).kafka

    assert isinstance(seen.broker(promised.kafka.brokers[1].address).metadata, Unreadable)
    for id_ in (0, 2):
        assert isinstance(seen.broker(promised.kafka.brokers[id_].address).metadata, Metadata)


def test_a_frozen_zookeeper_server_is_unreadable_and_the_others_are_not(
    promised: Contract, living_ensemble: LivingEnsemble
) -> None:
    servers = observe_zookeeper(addresses(promised)).servers
    follower = next(
        index
        for index, server in enumerate(servers)
        if isinstance(server.status, ServerStatus) and server.status.mode == "follower"
    )

    with frozen(living_ensemble, f"zookeeper-{follower + 1}"):
        seen = observe_zookeeper(addresses(promised), timeout=5).servers

    assert [isinstance(server.status, Unreadable) for server in seen] == [index == follower for index in range(3)]
    assert seen[follower].status == Unreadable(f"srvr of {addresses(promised)[follower]}", "timed out")
