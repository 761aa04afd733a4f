"""What follows from what was seen; whether it is as it should be, the smoke tests and the provider judge."""

from typing import Any

import pytest

from hikube_kafka.probe.observation import (
    BrokerSeen,
    Followers,
    KafkaRegistry,
    KafkaSeen,
    Metadata,
    Observation,
    Partition,
    ServerStatus,
    Unreadable,
    VotingView,
    ZooKeeperSeen,
    ZooKeeperServerSeen,
    agreed,
)

GONE = Unreadable("it", "no answer")
ONLINE = Partition(leader=1, replicas=(2, 1), in_sync=(1, 2))
BEHIND = Partition(leader=1, replicas=(3, 1, 2), in_sync=(1,))
OFFLINE = Partition(leader=None, replicas=(1,), in_sync=())


def server(address: str, mode: str | None) -> ZooKeeperServerSeen:
    if mode is None:
        return ZooKeeperServerSeen(address=address, status=GONE, followers=GONE, voting_view=GONE, kafka=GONE)
    return ZooKeeperServerSeen(
        address=address,
        status=ServerStatus(mode=mode, zxid=7, version="3.8.4"),
        followers=Followers(synced=None, pending_syncs=None),
        voting_view=VotingView(own_id=1, voters={1: "zk"}, version="0"),
        kafka=KafkaRegistry(brokers={}, controller=1, cluster_id="this"),
    )


def view(**different: Any) -> Metadata:
    return Metadata(**{"cluster_id": "this", "controller": 1, "brokers": {1: "b-1:9092"}, "topics": {}, **different})


def brokers(*views: Metadata | Unreadable) -> KafkaSeen:
    return KafkaSeen(
        brokers=tuple(
            BrokerSeen(address=f"b-{number}:9092", id=None, metadata=each, settings=GONE)
            for number, each in enumerate(views)
        )
    )


@pytest.mark.parametrize(
    ("told", "one"), [([], None), ([None], None), ([1, None], None), ([1, 2], None), ([1, 1], 1), ([0], 0)]
)
def test_agreed_is_what_all_say_and_somebody_must_say_it(told: list[int | None], one: int | None) -> None:
    assert agreed(told) == one


@pytest.mark.parametrize(
    ("mode", "leads"),
    [("leader", True), ("standalone", True), ("follower", False), ("observer", False), ("read-only", False)],
)
def test_whoever_leads_or_stands_alone_decides_on_its_own(mode: str, *, leads: bool) -> None:
    seen = ZooKeeperSeen(servers=(server("zk-1:2181", mode),))
    assert ServerStatus(mode=mode, zxid=0, version="").leads is leads
    assert seen.leaders == (("zk-1:2181",) if leads else ())


def test_a_server_that_does_not_serve_tells_nothing() -> None:
    seen = ZooKeeperSeen(servers=(server("zk-1:2181", None), server("zk-2:2181", "leader")))
    for told in (seen.serving, seen.voting_views, seen.registries):
        assert list(told) == ["zk-2:2181"]
    assert seen.serving["zk-2:2181"].mode == "leader"


def test_a_partition_is_behind_by_the_replicas_that_are_not_in_sync() -> None:
    assert (ONLINE.is_online, ONLINE.behind) == (True, ())
    assert (BEHIND.is_online, BEHIND.behind) == (True, (2, 3))
    assert (OFFLINE.is_online, OFFLINE.behind) == (False, (1,))


def test_a_broker_in_sync_that_holds_no_replica_makes_up_for_none() -> None:
    assert Partition(leader=1, replicas=(1, 2), in_sync=(1, 3)).behind == (2,)
    assert Partition(leader=1, replicas=(1, 2), in_sync=(3, 2, 1)).behind == ()


def test_of_a_topic_that_could_not_be_read_there_are_no_partitions() -> None:
    seen = view(topics={"orders": {0: ONLINE, 1: BEHIND}, "denied": GONE, "events": {0: OFFLINE}})
    assert list(seen.partitions) == [("orders", 0, ONLINE), ("orders", 1, BEHIND), ("events", 0, OFFLINE)]


def test_brokers_that_answer_are_told_from_those_that_are_silent() -> None:
    seen = brokers(view(), GONE, view(controller=2))
    assert (seen.views, seen.silent) == ((view(), view(controller=2)), (GONE,))


@pytest.mark.parametrize(
    ("views", "controller"),
    [
        ([view(), view(), GONE], 1),
        ([view(), view(controller=2)], None),
        ([view(), view(controller=None)], None),
        ([GONE], None),
    ],
)
def test_the_controller_is_the_one_that_all_brokers_name(
    views: list[Metadata | Unreadable], controller: int | None
) -> None:
    assert brokers(*views).controller == controller


@pytest.mark.parametrize(
    ("views", "cluster_id"),
    [
        ([view(), view()], "this"),
        ([view(), view(cluster_id=None)], "this"),
        ([view(), view(cluster_id="another")], None),
        ([GONE], None),
    ],
)
def test_the_cluster_id_is_the_one_of_all_brokers_that_name_any(
    views: list[Metadata | Unreadable], cluster_id: str | None
) -> None:
    assert brokers(*views).cluster_id == cluster_id


def test_anything_that_answers_is_a_server_or_a_broker() -> None:
    dead, alive = (
        ZooKeeperSeen(servers=(server("zk:2181", None),)),
        ZooKeeperSeen(servers=(server("zk:1", "follower"),)),
    )
    assert Observation(zookeeper=dead, kafka=brokers(GONE)).anything_answers is False
    assert Observation(zookeeper=alive, kafka=brokers(GONE)).anything_answers is True
    assert Observation(zookeeper=dead, kafka=brokers(view())).anything_answers is True
