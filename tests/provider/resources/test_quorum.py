"""Each reason why a quorum is not healthy, one at a time, over what the probe would see of two brokers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hikube_kafka.kafka.errors import Denied, Forbidden, Unanswered
from hikube_kafka.plugin.diagnostics import Refusal
from hikube_kafka.plugin.resource import configuration_faults
from hikube_kafka.probe.observation import (
    BrokerRegistration,
    BrokerSeen,
    Followers,
    KafkaRegistry,
    KafkaSeen,
    Metadata,
    Partition,
    ServerStatus,
    Unreadable,
    VotingView,
    ZooKeeperSeen,
    ZooKeeperServerSeen,
)
from hikube_kafka.provider.resources.quorum import QuorumDataSource
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster

SERVERS = ("zk-1:2181", "zk-2:2181", "zk-3:2181")
BROKERS = {0: "b-0:9092", 1: "b-1:9092"}
NO_ANSWER = Unreadable("it", "no answer")

METADATA = Metadata(
    cluster_id="this",
    controller=1,
    brokers=BROKERS,
    topics={"orders": {number: Partition(leader=0, replicas=(0, 1), in_sync=(0, 1)) for number in range(7)}},
)


def registered(*brokers: int) -> KafkaRegistry:
    registrations = {broker: BrokerRegistration(rack=None, endpoints=()) for broker in brokers}
    return KafkaRegistry(brokers=registrations, controller=1, cluster_id="this")


def server(address: str, mode: str | None) -> ZooKeeperServerSeen:
    if mode is None:
        gone = Unreadable(f"srvr of {address}", "no answer")
        return ZooKeeperServerSeen(address=address, status=gone, followers=gone, voting_view=gone, kafka=gone)
    return ZooKeeperServerSeen(
        address=address,
        status=ServerStatus(mode=mode, zxid=7, version="3.8.4"),
        followers=Followers(synced=None, pending_syncs=None),
        voting_view=VotingView(own_id=None, voters={}, version=None),
        kafka=registered(0, 1),
    )


def ensemble(*modes: str | None) -> ZooKeeperSeen:
    return ZooKeeperSeen(servers=tuple(server(*each) for each in zip(SERVERS, modes, strict=False)))


def brokers(*views: Metadata | Unreadable) -> KafkaSeen:
    return KafkaSeen(
        brokers=tuple(
            BrokerSeen(address=BROKERS[number], id=number, metadata=view, settings={})
            for number, view in enumerate(views)
        )
    )


def partitions(count: int, **different: Any) -> Metadata:
    """The first of the seven partitions are different."""
    seven = METADATA.topics["orders"]
    assert not isinstance(seven, Unreadable)
    orders = {number: replace(seven[number], **different) if number < count else seven[number] for number in seven}
    return replace(METADATA, topics={"orders": orders, "denied": NO_ANSWER})


SERVING = ensemble("follower", "leader", "follower")
ALIKE = brokers(METADATA, METADATA)

Look = Callable[..., dict[str, Any]]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Read the data source where the probe sees this."""

    def read(
        zookeeper: ZooKeeperSeen = SERVING,
        kafka: KafkaSeen = ALIKE,
        *,
        settings: Settings = Settings(bootstrap_servers="b-0:9092", zookeeper_servers="zk-1:2181"),  # noqa: B008 - frozen
        **expected: int,
    ) -> dict[str, Any]:
        monkeypatch.setattr("hikube_kafka.probe.zookeeper.observe_zookeeper", lambda *_, **__: zookeeper)
        monkeypatch.setattr("hikube_kafka.probe.kafka.observe_kafka", lambda *_, **__: kafka)
        session = Session()
        session.configure(settings)
        source = QuorumDataSource(session)
        config = dict.fromkeys(source.schema.attributes) | expected
        assert list(configuration_faults(source, config)) == []
        return source.read(config)

    return read


def test_nothing_is_said_of_what_is_well(look: Look) -> None:
    seen = look(expected_brokers=2, expected_zookeeper_servers=3)
    assert (seen["healthy"], seen["reasons"]) == (True, [])
    assert seen["zookeeper_leader"] == "zk-2:2181"
    assert (seen["brokers"], seen["controller"], seen["cluster_id"]) == ([0, 1], 1, "this")


@pytest.mark.parametrize(
    ("zookeeper", "kafka", "reason"),
    [
        (ensemble(None, "leader", "follower"), ALIKE, "srvr of zk-1:2181: no answer"),
        (ensemble("follower", "follower"), ALIKE, "0 ZooKeeper servers lead: none"),
        (ensemble("leader", "leader"), ALIKE, "2 ZooKeeper servers lead: zk-1:2181, zk-2:2181"),
        (ensemble("leader", "standalone"), ALIKE, "2 ZooKeeper servers lead: zk-1:2181, zk-2:2181"),
        (
            SERVING,
            brokers(METADATA, Unreadable("metadata of b-1:9092", "no answer")),
            "metadata of b-1:9092: no answer",
        ),
        (
            SERVING,
            brokers(METADATA, replace(METADATA, brokers={1: "b-1:9092"})),
            "the brokers do not agree on who they are: [0, 1] or [1]",
        ),
        (
            SERVING,
            brokers(replace(METADATA, brokers={0: "b-0:9092"})),
            "ZooKeeper has registered [0, 1], the brokers' metadata has [0]",
        ),
        (
            SERVING,
            brokers(METADATA, replace(METADATA, controller=0)),
            "no controller is agreed on: 0, 1",
        ),
        (SERVING, brokers(replace(METADATA, controller=None)), "no controller is agreed on: None"),
        (
            SERVING,
            brokers(METADATA, replace(METADATA, cluster_id="another")),
            "the brokers are of different clusters: another, this",
        ),
        (
            SERVING,
            brokers(METADATA, partitions(1, leader=None)),
            "1 partitions have no leader: orders-0",
        ),
        (
            SERVING,
            brokers(METADATA, partitions(7, in_sync=(0,))),
            "7 partitions are under-replicated: orders-0, orders-1, orders-2, orders-3, orders-4 and 2 more",
        ),
    ],
)
def test_whatever_is_not_as_it_should_be_is_a_reason(
    look: Look, zookeeper: ZooKeeperSeen, kafka: KafkaSeen, reason: str
) -> None:
    seen = look(zookeeper, kafka)
    assert seen["healthy"] is False
    assert reason in seen["reasons"]


def with_topics(*topics: str) -> ZooKeeperSeen:
    registry = replace(registered(0, 1), topics=frozenset(topics))
    return ZooKeeperSeen(servers=tuple(replace(each, kafka=registry) for each in SERVING.servers))


def test_topics_that_brokers_do_not_show_are_not_in_sync(look: Look) -> None:
    (hidden,) = look(with_topics("orders", "payments"))["reasons"]
    assert hidden.startswith("1 topics that ZooKeeper has are shown by no broker: payments; the client may not Descr")
    starting = brokers(METADATA, replace(METADATA, topics={}))
    assert look(with_topics("orders"), starting)["reasons"] == ["1 topics are not known to all brokers: orders"]


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        (None, []),
        (
            Forbidden.topic("b-0:9092", "Describe", "any", "User:alice", "TOPIC_AUTHORIZATION_FAILED"),
            ["no topic is shown, and the client may not Describe all of them: none may be in sync"],
        ),
        (
            Unanswered("b-0:9092", "whether topics exist", "timed out"),
            ["no topic is shown, and whether there are any is not told: timed out"],
        ),
    ],
)
def test_that_no_topic_is_shown_is_not_that_all_are_in_sync(
    look: Look, answer: Denied | Unanswered | None, reasons: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exists(*_: object) -> bool:
        if answer is not None:
            raise answer
        return False

    monkeypatch.setattr(KafkaCluster, "exists", exists)
    bare = replace(METADATA, topics={})
    assert look(kafka=brokers(bare, bare), settings=Settings(bootstrap_servers="b-0:9092"))["reasons"] == reasons


@pytest.mark.parametrize("expected", [1, 3])
def test_another_number_than_expected_is_a_reason(look: Look, expected: int) -> None:
    assert look(expected_brokers=expected)["reasons"] == [f"brokers [0, 1] are there, {expected} are expected"]
    two = ensemble("leader", "follower")
    assert look(two, expected_zookeeper_servers=expected)["reasons"] == [
        f"2 ZooKeeper servers serve, {expected} are expected"
    ]


def test_an_expectation_that_nobody_can_look_at_is_a_reason(look: Look) -> None:
    only_kafka = look(settings=Settings(bootstrap_servers="b-0:9092"), expected_zookeeper_servers=3)
    assert only_kafka["reasons"] == [
        (
            "expected_zookeeper_servers is set, but the provider block sets neither zookeeper_servers nor "
            "kubernetes.zookeeper_release"
        )
    ]
    assert only_kafka["healthy"] is False
    only_zookeeper = look(settings=Settings(zookeeper_servers="zk-1:2181"), expected_brokers=2)
    assert only_zookeeper["reasons"] == [
        "expected_brokers is set, but the provider block does not set bootstrap_servers"
    ]
    assert only_zookeeper["healthy"] is False
    # Nobody expects anything of what is not configured.
    assert look(settings=Settings(bootstrap_servers="b-0:9092"))["healthy"] is True
    assert look(settings=Settings(zookeeper_servers="zk-1:2181"))["healthy"] is True


def test_settings_that_only_the_apply_will_tell_are_a_reason(look: Look) -> None:
    seen = look(settings=Settings(unknown=("bootstrap_servers",)), expected_brokers=2)
    assert seen["healthy"] is False
    assert seen["reasons"] == ["not read yet: the provider's settings are unknown before the apply (bootstrap_servers)"]


def test_only_where_nothing_can_be_read_is_there_an_error(look: Look) -> None:
    with pytest.raises(Refusal) as refusal:
        look(ensemble(None), brokers(NO_ANSWER))
    assert refusal.value.diagnostics[0].summary == "Nothing can be read of the cluster"
    assert "srvr of zk-1:2181: no answer" in refusal.value.diagnostics[0].detail
    assert look(ensemble("standalone"), brokers(NO_ANSWER))["healthy"] is False
    assert look(ensemble(None), ALIKE)["healthy"] is False


def test_a_provider_without_any_address_is_told_what_to_set(look: Look) -> None:
    with pytest.raises(Refusal) as refusal:
        look(settings=Settings())
    assert refusal.value.diagnostics[0].summary == "The provider does not know where the cluster is"


@pytest.mark.parametrize("name", ["expected_brokers", "expected_zookeeper_servers"])
@pytest.mark.parametrize("number", [0, 1.5])
def test_an_expected_number_is_a_count(name: str, number: float) -> None:
    source = QuorumDataSource(Session())
    found = list(configuration_faults(source, dict.fromkeys(source.schema.attributes) | {name: number}))
    assert [(fault.summary, fault.path) for fault in found] == [
        (f"{name} must be a whole number of at least 1", (name,))
    ]
