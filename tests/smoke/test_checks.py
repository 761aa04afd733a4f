"""A healthy cluster passes every check; each test then spoils one thing, and sees exactly that."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from hikube_kafka.probe.observation import (
    BrokerRegistration,
    BrokerSeen,
    Followers,
    Observation,
    Partition,
    TopicConfig,
    Unreadable,
    ZooKeeperServerSeen,
)
from hikube_kafka.smoke.canary import CanaryRun
from hikube_kafka.smoke.checks import CANARY, OBSERVED, ids
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.spec.contract import Contract
from hikube_kafka.spec.security import ClientSecurity, Protocol

UNTESTABLE = {"kafka-version"}
REGISTERED = BrokerRegistration(rack=None, endpoints=())
GONE = Unreadable("it", "connection refused")


def judge(contract: Contract, seen: Observation) -> dict[str, Finding]:
    return {check.id: check(contract, seen) for check in OBSERVED}


def judge_canary(contract: Contract, run: CanaryRun | Unreadable) -> dict[str, Finding]:
    return {check.id: check(contract, run) for check in CANARY}


def faults(findings: dict[str, Finding]) -> dict[str, Status]:
    return {id_: finding.status for id_, finding in findings.items() if finding.is_fault}


def server(seen: Observation, id_: int, **changes: Any) -> Observation:
    """Change what was seen of one ZooKeeper server."""
    servers = list(seen.zookeeper.servers)
    servers[id_ - 1] = replace(servers[id_ - 1], **changes)
    return replace(seen, zookeeper=replace(seen.zookeeper, servers=tuple(servers)))


def within(seen: Observation, id_: int, part: str, **changes: Any) -> Observation:
    """Change something inside one answer of a ZooKeeper server."""
    return server(seen, id_, **{part: replace(getattr(seen.zookeeper.servers[id_ - 1], part), **changes)})


def broker(seen: Observation, id_: int, **changes: Any) -> Observation:
    """Change what was seen of one broker."""
    brokers = list(seen.kafka.brokers)
    brokers[id_] = replace(brokers[id_], **changes)
    return replace(seen, kafka=replace(seen.kafka, brokers=tuple(brokers)))


def metadata(seen: Observation, id_: int, **changes: Any) -> Observation:
    """Change the cluster as one broker describes it."""
    view = seen.kafka.brokers[id_].metadata
    assert not isinstance(view, Unreadable)
    return broker(seen, id_, metadata=replace(view, **changes))


def partition(seen: Observation, topic: str, number: int, **changes: Any) -> Observation:
    """Change one partition in the view of every broker."""
    for id_, one in enumerate(seen.kafka.brokers):
        assert not isinstance(one.metadata, Unreadable)
        content = one.metadata.topics[topic]
        assert not isinstance(content, Unreadable)
        changed = {**content, number: replace(content[number], **changes)}
        seen = metadata(seen, id_, topics={**one.metadata.topics, topic: changed})
    return seen


def topic_config(seen: Observation, topic: str, config: TopicConfig | Unreadable) -> Observation:
    return replace(seen, kafka=replace(seen.kafka, topic_configs={**seen.kafka.topic_configs, topic: config}))


def without_topic(seen: Observation, id_: int, topic: str) -> Observation:
    view = seen.kafka.brokers[id_].metadata
    assert not isinstance(view, Unreadable)
    return metadata(seen, id_, topics={name: content for name, content in view.topics.items() if name != topic})


def registered_topic(seen: Observation, topic: str) -> Observation:
    for id_, address in enumerate(seen.zookeeper.registries, 1):
        registry = replace(seen.zookeeper.registries[address], topics=frozenset({topic}))
        seen = server(seen, id_, kafka=registry)
    return seen


def topic_of_one_view(seen: Observation, id_: int, content: dict[int, Partition] | Unreadable) -> Observation:
    view = seen.kafka.brokers[id_].metadata
    assert not isinstance(view, Unreadable)
    return metadata(seen, id_, topics={**view.topics, "payments": content})


class Spoilt(NamedTuple):
    """One thing spoilt, the findings that it brings, and what one of them must say."""

    how: str
    spoil: Callable[[Observation], Observation]
    brings: dict[str, Status]
    says: str


FAILED, UNREADABLE = Status.FAILED, Status.UNREADABLE
ONE = Partition(leader=0, replicas=(0, 1, 2), in_sync=(0, 1, 2))

SPOILT = [
    Spoilt(
        "a server that has lost its quorum and serves reads only",
        lambda seen: within(seen, 1, "status", mode="read-only"),
        {"zookeeper-servers-answer": FAILED, "zookeeper-others-follow": FAILED},
        "ZooKeeper server 1 (zk-1:2181) serves reads only",
    ),
    Spoilt(
        "a server that does not answer srvr",
        lambda seen: server(seen, 2, status=GONE),
        {
            "zookeeper-servers-answer": UNREADABLE,
            "zookeeper-one-leader": UNREADABLE,
            "zookeeper-others-follow": UNREADABLE,
        },
        "ZooKeeper server 2 (zk-2:2181): connection refused",
    ),
    Spoilt(
        "a second leader",
        lambda seen: server(
            seen, 1, status=seen.zookeeper.servers[2].status, followers=Followers(synced=2, pending_syncs=0)
        ),
        {"zookeeper-one-leader": FAILED},
        "leaders: ZooKeeper server 1 (zk-1:2181), ZooKeeper server 3 (zk-3:2181)",
    ),
    Spoilt(
        "no leader",
        lambda seen: within(seen, 3, "status", mode="follower"),
        {"zookeeper-one-leader": FAILED, "zookeeper-followers-synced": UNREADABLE},
        "leaders: none",
    ),
    Spoilt(
        "a server that stands alone",
        lambda seen: within(seen, 2, "status", mode="standalone"),
        {"zookeeper-others-follow": FAILED},
        "ZooKeeper server 2 (zk-2:2181) is standalone",
    ),
    Spoilt(
        "an observer in place of a follower",
        lambda seen: within(seen, 1, "status", mode="observer"),
        {"zookeeper-others-follow": FAILED},
        "ZooKeeper server 1 (zk-1:2181) is observer",
    ),
    Spoilt(
        "a follower that is not synced",
        lambda seen: within(seen, 3, "followers", synced=1),
        {"zookeeper-followers-synced": FAILED},
        "counts 1 synced followers, not 2",
    ),
    Spoilt(
        "a sync that is pending",
        lambda seen: within(seen, 3, "followers", pending_syncs=4),
        {"zookeeper-followers-synced": FAILED},
        "counts 4 pending syncs, not 0",
    ),
    Spoilt(
        "a leader that does not report its pending syncs",
        lambda seen: within(seen, 3, "followers", pending_syncs=None),
        {"zookeeper-followers-synced": UNREADABLE},
        "pending syncs of ZooKeeper server 3 (zk-3:2181): mntr does not report it",
    ),
    Spoilt(
        "a leader that refuses mntr",
        lambda seen: server(seen, 3, followers=GONE),
        {"zookeeper-followers-synced": UNREADABLE},
        "connection refused",
    ),
    Spoilt(
        "a server that counts two voters",
        lambda seen: within(seen, 1, "voting_view", voters={1: "zk-1:2888:3888", 2: "zk-2:2888:3888"}),
        {"zookeeper-same-voters": FAILED},
        "ZooKeeper server 1 (zk-1:2181) sees voters 1, 2",
    ),
    Spoilt(
        "a server that has another address for a voter",
        lambda seen: within(
            seen,
            2,
            "voting_view",
            voters={**seen.zookeeper.servers[0].voting_view.voters, 3: "elsewhere:2888:3888"},  # type: ignore[union-attr]
        ),
        {"zookeeper-same-voters": FAILED},
        "3=elsewhere:2888:3888",
    ),
    Spoilt(
        "a server that has an older membership",
        lambda seen: within(seen, 2, "voting_view", version="100000003"),
        {"zookeeper-same-voters": FAILED},
        "membership version 100000003",
    ),
    Spoilt(
        "another server at a declared address",
        lambda seen: within(seen, 2, "voting_view", own_id=3),
        {"zookeeper-same-voters": FAILED},
        "ZooKeeper server 2 (zk-2:2181) calls itself 3",
    ),
    Spoilt(
        "a server whose list cannot be read",
        lambda seen: server(seen, 2, voting_view=GONE),
        {"zookeeper-same-voters": UNREADABLE},
        "connection refused",
    ),
    Spoilt(
        "a write that another server does not have",
        lambda seen: replace(seen, read_backs=(replace(seen.read_backs[0], read=None), *seen.read_backs[1:])),
        {"zookeeper-writes-read-everywhere": FAILED},
        "read on ZooKeeper server 1 (zk-1:2181): nothing",
    ),
    Spoilt(
        "a write that reads otherwise elsewhere",
        lambda seen: replace(seen, read_backs=(*seen.read_backs[:-1], replace(seen.read_backs[-1], read="there"))),
        {"zookeeper-writes-read-everywhere": FAILED},
        "another value",
    ),
    Spoilt(
        "a pair of servers that nobody tried",
        lambda seen: replace(seen, read_backs=seen.read_backs[1:]),
        {"zookeeper-writes-read-everywhere": UNREADABLE},
        "not tried",
    ),
    Spoilt(
        "a server that takes no write",
        lambda seen: replace(seen, read_backs=(replace(seen.read_backs[0], read=GONE), *seen.read_backs[1:])),
        {"zookeeper-writes-read-everywhere": UNREADABLE},
        "connection refused",
    ),
    Spoilt(
        "another broker at a declared address",
        lambda seen: broker(seen, 1, id=2),
        {"brokers-answer": FAILED},
        "broker 1 (b-1:9092) answers as broker 2",
    ),
    Spoilt(
        "an address that no broker advertises",
        lambda seen: broker(seen, 1, id=None),
        {"brokers-answer": FAILED},
        "no broker advertises this address",
    ),
    Spoilt(
        "a broker whose metadata cannot be read",
        lambda seen: broker(seen, 1, metadata=GONE),
        dict.fromkeys(
            [
                "brokers-answer",
                "brokers-in-metadata",
                "one-cluster-id",
                "one-controller",
                "partitions-online",
                "partitions-in-sync",
                "partitions-min-isr",
                "topics-exist",
                "topics-partitions",
                "topics-replication-factor",
            ],
            UNREADABLE,
        ),
        "broker 1 (b-1:9092): connection refused",
    ),
    Spoilt(
        "a broker that is not registered",
        lambda seen: within(
            seen,
            2,
            "kafka",
            brokers={id_: BrokerRegistration(rack=f"rack-{id_}", endpoints=()) for id_ in (0, 2)},
        ),
        {"brokers-registered": FAILED, "broker-racks": UNREADABLE},
        "broker 1 (b-1:9092) is missing in /brokers/ids of ZooKeeper server zk-2:2181",
    ),
    Spoilt(
        "a broker too many",
        lambda seen: within(
            seen,
            1,
            "kafka",
            brokers={id_: BrokerRegistration(rack=f"rack-{id_}", endpoints=()) for id_ in (0, 1, 2, 7)},
        ),
        {"brokers-registered": FAILED},
        "broker 7 is not declared",
    ),
    Spoilt(
        "a server on which Kafka's nodes cannot be read",
        lambda seen: server(seen, 1, kafka=GONE),
        dict.fromkeys(["brokers-registered", "one-cluster-id", "one-controller", "broker-racks"], UNREADABLE),
        "connection refused",
    ),
    Spoilt(
        "a broker that another one does not know",
        lambda seen: metadata(seen, 2, brokers={0: "b-0:9092", 2: "b-2:9092"}),
        {"brokers-in-metadata": FAILED},
        "broker 1 (b-1:9092) is missing in the metadata of broker 2 (b-2:9092)",
    ),
    Spoilt(
        "a broker that is advertised under another address",
        lambda seen: metadata(seen, 0, brokers={0: "b-0:9092", 1: "elsewhere:9092", 2: "b-2:9092"}),
        {"brokers-in-metadata": FAILED},
        "broker 1 is advertised as elsewhere:9092, not b-1:9092",
    ),
    Spoilt(
        "a broker of another cluster",
        lambda seen: metadata(seen, 1, cluster_id="another"),
        {"one-cluster-id": FAILED},
        "broker 1 (b-1:9092) names another",
    ),
    Spoilt(
        "a server of another cluster",
        lambda seen: within(seen, 1, "kafka", cluster_id=None),
        {"one-cluster-id": FAILED},
        "ZooKeeper server zk-1:2181 names none",
    ),
    Spoilt(
        "a broker that follows another controller",
        lambda seen: metadata(seen, 2, controller=0),
        {"one-controller": FAILED},
        "broker 2 (b-2:9092) names broker 0",
    ),
    Spoilt(
        "a broker that knows of no controller",
        lambda seen: metadata(seen, 2, controller=None),
        {"one-controller": FAILED},
        "broker 2 (b-2:9092) names none",
    ),
    Spoilt(
        "a controller that ZooKeeper does not name",
        lambda seen: within(seen, 1, "kafka", controller=None),
        {"one-controller": FAILED},
        "ZooKeeper server zk-1:2181 names none",
    ),
    Spoilt(
        "a broker in another rack",
        lambda seen: within(
            seen,
            3,
            "kafka",
            brokers={id_: BrokerRegistration(rack="rack-0", endpoints=()) for id_ in (0, 1, 2)},
        ),
        {"broker-racks": FAILED},
        "broker 1 (b-1:9092) is in rack rack-0, not rack-1",
    ),
    Spoilt(
        "a broker that was told otherwise",
        lambda seen: broker(seen, 1, settings={"auto.create.topics.enable": "true"}),
        {"broker-settings": FAILED},
        "auto.create.topics.enable = true, not false, on broker 1 (b-1:9092)",
    ),
    Spoilt(
        "a broker that does not tell a setting",
        lambda seen: broker(seen, 1, settings={}),
        {"broker-settings": UNREADABLE},
        "does not report its value",
    ),
    Spoilt(
        "a broker that does not tell its settings",
        lambda seen: broker(seen, 1, settings=GONE),
        {"broker-settings": UNREADABLE},
        "settings of broker 1 (b-1:9092): connection refused",
    ),
    Spoilt(
        "an internal partition without a leader",
        lambda seen: partition(seen, "__consumer_offsets", 0, leader=None),
        {"partitions-online": FAILED},
        "__consumer_offsets, partition 0: no leader; replicas on brokers 0, 1, 2",
    ),
    Spoilt(
        "a replica that is behind",
        lambda seen: partition(seen, "payments", 1, in_sync=(1, 2)),
        {"partitions-in-sync": FAILED},
        "payments, partition 1: not in sync: broker 0",
    ),
    Spoilt(
        "fewer replicas in sync than a write needs",
        lambda seen: partition(seen, "__consumer_offsets", 0, in_sync=(2,)),
        {"partitions-in-sync": FAILED, "partitions-min-isr": FAILED},
        "__consumer_offsets, partition 0: 1 of the 2 that must be in sync: 2",
    ),
    Spoilt(
        "a topic whose configuration cannot be read",
        lambda seen: topic_config(seen, "payments", GONE),
        {"partitions-min-isr": UNREADABLE, "topics-configuration": UNREADABLE},
        "connection refused",
    ),
    Spoilt(
        "entries of a topic that the brokers keep to themselves",
        lambda seen: topic_config(
            seen,
            "payments",
            TopicConfig(in_force={"min.insync.replicas": None}, own=frozenset({"min.insync.replicas"})),
        ),
        {"partitions-min-isr": UNREADABLE, "topics-configuration": UNREADABLE},
        "min.insync.replicas of topic payments: the brokers do not report it",
    ),
    Spoilt(
        "a topic that one broker does not show",
        lambda seen: topic_of_one_view(seen, 1, Unreadable("topic payments", "not authorized")),
        dict.fromkeys(
            (
                "partitions-online",
                "partitions-in-sync",
                "partitions-min-isr",
                "topics-exist",
                "topics-partitions",
                "topics-replication-factor",
            ),
            UNREADABLE,
        ),
        "topic payments: not authorized",
    ),
    Spoilt(
        "a topic that one broker does not know",
        lambda seen: without_topic(seen, 1, "payments"),
        {"topics-exist": FAILED, "topics-partitions": UNREADABLE, "topics-replication-factor": UNREADABLE},
        "payments is missing in the metadata of broker 1 (b-1:9092)",
    ),
    Spoilt(
        "a topic that ZooKeeper has and one broker does not show",
        lambda seen: registered_topic(without_topic(seen, 1, "payments"), "payments"),
        dict.fromkeys(
            (
                "partitions-online",
                "partitions-in-sync",
                "partitions-min-isr",
                "topics-exist",
                "topics-partitions",
                "topics-replication-factor",
            ),
            UNREADABLE,
        ),
        "topic payments in the metadata of broker 1 (b-1:9092): ZooKeeper has it: this client may not Describe it",
    ),
    Spoilt(
        "a topic with a partition too few",
        lambda seen: topic_of_one_view(seen, 1, {0: ONE}),
        {"topics-partitions": FAILED},
        "payments: 1 partitions, not 2",
    ),
    Spoilt(
        "a topic with a replica too few",
        lambda seen: partition(seen, "payments", 0, replicas=(0, 1), in_sync=(0, 1)),
        {"topics-replication-factor": FAILED},
        "payments: replication factor 2 in partition 0, not 3",
    ),
    Spoilt(
        "a topic configured otherwise",
        lambda seen: topic_config(
            seen,
            "payments",
            TopicConfig(in_force={"min.insync.replicas": "1"}, own=frozenset({"min.insync.replicas"})),
        ),
        {"topics-configuration": FAILED},
        "payments: min.insync.replicas = 1, not 2",
    ),
    Spoilt(
        "an entry that only happens to equal the brokers' default",
        lambda seen: topic_config(
            seen, "payments", TopicConfig(in_force={"min.insync.replicas": "2"}, own=frozenset())
        ),
        {"topics-configuration": FAILED},
        "min.insync.replicas is not set on the topic (in force: 2)",
    ),
]


class SpoiltFlight(NamedTuple):
    """The same for the canary."""

    how: str
    changes: dict[str, Any]
    brings: dict[str, Status]
    says: str


ALL = tuple(range(4))
SPOILT_FLIGHTS = [
    SpoiltFlight(
        "a broker that leads nothing",
        {"leaders": {0: 0, 1: 2, 2: 2}},
        {"canary-led-by-every-broker": FAILED},
        "partition 1 is led by broker 2, not broker 1 (b-1:9092)",
    ),
    SpoiltFlight(
        "a partition without a leader",
        {"leaders": {0: 0, 1: None, 2: 2}},
        {"canary-led-by-every-broker": FAILED},
        "partition 1 is led by nobody",
    ),
    SpoiltFlight(
        "leaders that cannot be read",
        {"leaders": GONE},
        {"canary-led-by-every-broker": UNREADABLE},
        "connection refused",
    ),
    SpoiltFlight(
        "a message acknowledged and lost",
        {"received": {0: ALL, 1: (0, 1, 3), 2: ALL}, "offsets": {0: 4, 1: 3, 2: 4}},
        {"canary-nothing-lost": FAILED},
        "1 of 4 acknowledged messages were not read from broker 1 (b-1:9092)",
    ),
    SpoiltFlight(
        "a message refused",
        {"acknowledged": {0: ALL, 1: ALL, 2: ALL[:3]}, "refused": {"Broker: Not enough in-sync replicas": 1}},
        {"canary-acknowledged": FAILED},
        "1 messages were not acknowledged: Broker: Not enough in-sync replicas",
    ),
    SpoiltFlight(
        "a message that nobody acknowledged or refused",
        {"acknowledged": {0: ALL, 1: ALL, 2: ALL[:3]}},
        {"canary-acknowledged": FAILED},
        "1 of 4 messages to broker 2 (b-2:9092) were not acknowledged",
    ),
    SpoiltFlight(
        "no message sent to a broker",
        {"sent": {0: 4, 2: 4}, "acknowledged": {0: ALL, 2: ALL}},
        {"canary-acknowledged": UNREADABLE, "canary-nothing-lost": UNREADABLE},
        "messages over broker 1 (b-1:9092): none was sent",
    ),
    SpoiltFlight(
        "acknowledged messages that were not read in time",
        {"received": {0: ALL, 1: (0, 1, 2), 2: ALL}, "offsets": {0: 4, 1: 3, 2: 4}, "unfinished": frozenset({1})},
        {"canary-nothing-lost": UNREADABLE},
        "messages over broker 1 (b-1:9092): 1 of 4 acknowledged messages were not read in time",
    ),
    SpoiltFlight(
        "a message read twice",
        {"received": {0: ALL, 1: ALL, 2: (0, 1, 1, 2, 3)}, "offsets": {0: 4, 1: 4, 2: 5}},
        {"canary-nothing-duplicated": FAILED},
        "1 messages were read more than once from broker 2 (b-2:9092)",
    ),
    SpoiltFlight(
        "two messages that changed places",
        {"received": {0: (0, 2, 1, 3), 1: ALL, 2: ALL}},
        {"canary-in-order": FAILED},
        "message 1 was read after message 2 from broker 0 (b-0:9092)",
    ),
    SpoiltFlight(
        "nothing read from a broker",
        {"received": {0: ALL, 1: (), 2: ALL}, "offsets": {0: 4, 1: 0, 2: 4}},
        {"canary-nothing-lost": FAILED, "canary-nothing-duplicated": UNREADABLE, "canary-in-order": UNREADABLE},
        "messages over broker 1 (b-1:9092): none was read",
    ),
    SpoiltFlight(
        "offsets that Kafka has forgotten",
        {"offsets": {0: 4, 1: -1001, 2: 4}},
        {"canary-offsets-kept": FAILED},
        "-1001 is kept for the partition of broker 1 (b-1:9092), 4 were read",
    ),
    SpoiltFlight(
        "offsets that cannot be committed",
        {"offsets": GONE},
        {"canary-offsets-kept": UNREADABLE},
        "connection refused",
    ),
    SpoiltFlight(
        "a topic that could not be removed",
        {"removed": GONE},
        {"canary-removed": UNREADABLE},
        "connection refused",
    ),
]


def test_a_healthy_cluster_passes_every_check(contract: Contract, healthy: Observation, flown: CanaryRun) -> None:
    findings = judge(contract, healthy) | judge_canary(contract, flown)

    assert {id_ for id_, finding in findings.items() if finding.status is not Status.PASSED} == UNTESTABLE
    assert all(finding.expected and finding.seen[0] for finding in findings.values())


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda spoilt: spoilt.how)
def test_a_check_sees_what_is_spoilt_and_no_other_does(
    contract: Contract, healthy: Observation, spoilt: Spoilt
) -> None:
    findings = judge(contract, spoilt.spoil(healthy))

    assert faults(findings) == spoilt.brings
    told = [line for id_ in spoilt.brings for line in findings[id_].seen]
    assert any(spoilt.says in line for line in told), told
    assert all(findings[id_].remedy for id_, status in spoilt.brings.items() if status is FAILED)


@pytest.mark.parametrize("spoilt", SPOILT_FLIGHTS, ids=lambda spoilt: spoilt.how)
def test_a_check_sees_what_befell_the_canary_and_no_other_does(
    contract: Contract, flown: CanaryRun, spoilt: SpoiltFlight
) -> None:
    findings = judge_canary(contract, replace(flown, **spoilt.changes))

    assert faults(findings) == spoilt.brings
    told = [line for id_ in spoilt.brings for line in findings[id_].seen]
    assert any(spoilt.says in line for line in told), told


@pytest.mark.parametrize(("least", "replicas"), [("2", (0,)), ("3", (0, 1)), ("4", (0, 1, 2)), ("99", (2, 1, 0))])
def test_kafka_asks_for_no_more_replicas_than_a_partition_has(
    contract: Contract, healthy: Observation, least: str, replicas: tuple[int, ...]
) -> None:
    seen = topic_config(
        healthy, "__consumer_offsets", TopicConfig(in_force={"min.insync.replicas": least}, own=frozenset())
    )
    seen = partition(seen, "__consumer_offsets", 0, replicas=replicas, in_sync=replicas)

    finding = judge(contract, seen)["partitions-min-isr"]

    assert finding.status is Status.PASSED
    assert finding.notes == (
        (
            f"__consumer_offsets, partition 0: min.insync.replicas is {least}, and counts as {len(replicas)}: so many "
            "replicas"
        ),
    )


def test_a_topic_that_nobody_declared_and_that_refuses_writes_is_a_note(
    contract: Contract, healthy: Observation
) -> None:
    seen = partition(healthy, "payments", 1, in_sync=(1,))

    declared = judge(contract, seen)["partitions-min-isr"]
    undeclared = judge(contract.model_copy(update={"topics": ()}), seen)["partitions-min-isr"]

    line = "payments, partition 1: 1 of the 2 that must be in sync: 1"
    assert (declared.status, declared.seen, declared.notes) == (FAILED, (line,), ())
    assert (undeclared.status, undeclared.notes) == (Status.PASSED, (f"{line} (a topic that nobody declared)",))


def test_a_message_that_was_refused_is_never_called_lost(contract: Contract, flown: CanaryRun) -> None:
    none = dict.fromkeys(flown.sent, ())
    run = replace(flown, acknowledged=none, received=none, offsets=GONE, refused={"Broker: Invalid record": 12})

    findings = judge_canary(contract, run)

    assert findings["canary-acknowledged"].status is FAILED
    assert "Nothing is lost" in findings["canary-acknowledged"].remedy
    assert findings["canary-nothing-lost"].status is UNREADABLE
    assert "lost data" not in findings["canary-nothing-lost"].remedy


def in_force(contract: Contract, seen: Observation, key: str, declared: str, told: str | None) -> Finding:
    """What is found of one declared setting of which every broker tells this."""
    kafka = contract.kafka.model_copy(update={"settings": {key: declared}})
    for id_ in range(3):
        seen = broker(seen, id_, settings={key: told})
    return judge(contract.model_copy(update={"kafka": kafka}), seen)["broker-settings"]


@pytest.mark.parametrize(
    ("key", "declared", "told"),
    [  # each as Kafka 3.9.2 told it
        ("auto.create.topics.enable", "FALSE", "false"),
        ("ssl.enabled.protocols", "TLSv1.2 , TLSv1.3", "TLSv1.2,TLSv1.3"),
        ("log.cleaner.min.cleanable.ratio", "5e-1", "0.5"),
        ("log.cleaner.min.cleanable.ratio", ".50", "0.5"),
        ("log.cleaner.io.max.bytes.per.second", "1e7", "1.0E7"),
        ("log.cleaner.min.cleanable.ratio", "-0", "0.0"),
        ("num.io.threads", "08", "8"),
        ("num.io.threads", " 8 ", "8"),
        ("log.segment.bytes", "+1048576", "1048576"),
        ("log.flush.offset.checkpoint.interval.ms", "-0", "0"),
        ("listener.name.forward.connections.max.reauth.ms", "100", "0100"),
        ("sasl.enabled.mechanisms", " PLAIN ", "PLAIN"),
        ("metric.reporters", "", ""),
        ("inter.broker.protocol.version", "3.9", "3.9"),
        ("some.plugin.key", "as it is ", "as it is"),
    ],
)
def test_a_setting_is_compared_as_kafka_understands_it(
    contract: Contract, healthy: Observation, key: str, declared: str, told: str
) -> None:
    finding = in_force(contract, healthy, key, declared, told)

    assert (finding.status, finding.notes) == (Status.PASSED, ())


@pytest.mark.parametrize(
    ("key", "declared", "told", "says"),
    [
        ("num.io.threads", "08", "9", "num.io.threads = 9, not 08, on broker 0"),
        ("ssl.enabled.protocols", "TLSv1.2, TLSv1.3", "TLSv1.3", "ssl.enabled.protocols = TLSv1.3, not"),
        ("log.retention.ms", "1000", None, "log.retention.ms is not set, and must be 1000, on broker 0"),
        ("ssl.keystore.location", "${env:STORE}", None, "is not set, and must be ${env:STORE}, on broker 0"),
        ("authorizer.class.name", "a.B", "", "authorizer.class.name = , not a.B, on broker 0"),
    ],
)
def test_a_setting_that_means_something_else_is_a_fault(
    contract: Contract, healthy: Observation, key: str, declared: str, *, told: str | None, says: str
) -> None:
    finding = in_force(contract, healthy, key, declared, told)

    assert finding.status is FAILED
    assert says in finding.seen[0]


@pytest.mark.parametrize(
    ("key", "declared", "told", "why"),
    [
        ("ssl.keystore.location", "${file:/etc/kafka/own:store}", "/what/it/leads/to", "and not the reference"),
        ("ssl.keystore.location", "/etc/${env:STORE}.jks", "/what/it/leads/to", "and not the reference"),
        ("num.io.threads", "${env:THREADS}", "/what/it/leads/to", "and not the reference"),
        ("ssl.keystore.location", "${file:/etc/own:no}", "${file:/etc/own:no}", "with these very words"),
        ("ssl.keystore.password", "${file:/etc/kafka/own:store}", None, "it is a secret"),
        ("ssl.keystore.password", "planted", None, "it is a secret"),
        ("listener.name.forward.ssl.key.password", "planted", None, "it is a secret"),
        ("config.providers", "file", None, "does not show what a plugin reads"),
        ("super.users", "User:admin", None, "does not show what a plugin reads"),
        ("acme.audit.url", "${env:AUDIT}", None, "does not show what a plugin reads"),
    ],
)
def test_what_a_broker_does_not_tell_is_a_note_and_shows_no_value(
    contract: Contract, healthy: Observation, key: str, declared: str, *, told: str | None, why: str
) -> None:
    finding = in_force(contract, healthy, key, declared, told)

    assert finding.status is Status.UNTESTED
    assert finding.seen == ("none of the declared settings can be told",)
    (note,) = finding.notes
    assert note.startswith(f"{key} cannot be told: ")
    assert note.endswith(why)
    assert "/what/it/leads/to" not in str(finding)
    assert "planted" not in str(finding)


def test_a_key_that_a_broker_keeps_to_itself_is_a_note(contract: Contract, healthy: Observation) -> None:
    settings = dict.fromkeys(contract.kafka.settings, None)

    for id_ in range(3):
        healthy = broker(healthy, id_, settings=settings, secrets=frozenset(settings))

    finding = judge(contract, healthy)["broker-settings"]
    assert (finding.status, finding.notes) == (
        Status.UNTESTED,
        ("auto.create.topics.enable cannot be told: the broker keeps it to itself",),
    )


def test_a_topic_s_entry_is_compared_as_kafka_understands_it(contract: Contract, healthy: Observation) -> None:
    (topic,) = contract.topics
    declared = {"cleanup.policy": "compact, delete", "min.cleanable.dirty.ratio": "5e-1", "retention.ms": "060"}
    told = {"cleanup.policy": "compact,delete", "min.cleanable.dirty.ratio": "0.5", "retention.ms": "60"}
    seen = topic_config(healthy, topic.name, TopicConfig(in_force=told, own=frozenset(told)))

    promised = contract.model_copy(update={"topics": (topic.model_copy(update={"config": declared}),)})

    assert judge(promised, seen)["topics-configuration"].status is Status.PASSED


def test_topics_that_nobody_declared_are_a_note(contract: Contract, healthy: Observation) -> None:
    canary = "hikube-kafka-canary-20260102T030405Z-0a1b2c3d"
    seen = healthy
    for id_, one in enumerate(healthy.kafka.brokers):
        assert not isinstance(one.metadata, Unreadable)
        seen = metadata(seen, id_, topics={**one.metadata.topics, "scratch": {0: ONE}, canary: {0: ONE}})

    findings = judge(contract, seen)

    assert faults(findings) == {"partitions-min-isr": UNREADABLE}, "their configuration was not read"
    assert findings["topics-exist"].notes == ("topics that nobody declared: scratch",)
    assert judge(contract, healthy)["topics-exist"].notes == ()


def test_every_check_is_spoilt_by_some_test() -> None:
    brought = [each.brings for each in SPOILT] + [each.brings for each in SPOILT_FLIGHTS]
    spoilt = {id_ for brings in brought for id_, status in brings.items() if status is Status.FAILED}

    # Whether a topic could be removed is known or unknown, never wrong.
    assert spoilt | {"canary-removed"} == ({each.id for each in OBSERVED} | {each.id for each in CANARY}) - UNTESTABLE


@pytest.mark.parametrize("check", ["zookeeper-servers-answer", "brokers-answer"])
def test_who_does_not_answer_comes_with_what_to_do(contract: Contract, check: str) -> None:
    assert "Start the " in judge(contract, Observation())[check].remedy


def test_ids_are_unique(contract: Contract) -> None:
    assert len(set(ids(contract))) == len(ids(contract))


def test_a_cluster_that_nobody_looked_at_passes_no_check(contract: Contract) -> None:
    findings = judge(contract, Observation()) | judge_canary(contract, GONE)

    assert {id_ for id_, finding in findings.items() if not finding.is_fault} == UNTESTABLE


@pytest.mark.parametrize("part", ["status", "voting_view", "kafka"])
@pytest.mark.parametrize("id_", [1, 2, 3])
def test_nothing_unread_of_a_zookeeper_server_passes(
    contract: Contract, healthy: Observation, id_: int, part: str
) -> None:
    assert faults(judge(contract, server(healthy, id_, **{part: GONE})))


@pytest.mark.parametrize("part", ["metadata", "settings"])
@pytest.mark.parametrize("id_", [0, 1, 2])
def test_nothing_unread_of_a_broker_passes(contract: Contract, healthy: Observation, id_: int, part: str) -> None:
    assert faults(judge(contract, broker(healthy, id_, **{part: GONE})))


def test_a_single_server_and_a_single_broker_are_well(contract: Contract, healthy: Observation) -> None:
    one = contract.model_copy(
        update={
            "coordinator": contract.coordinator.model_copy(update={"servers": contract.zookeeper.servers[:1]}),
            "kafka": contract.kafka.model_copy(update={"brokers": contract.kafka.brokers[:1]}),
            "topics": (),
        }
    )
    alone = within(healthy, 1, "status", mode="standalone")
    alone = within(alone, 1, "voting_view", own_id=None, voters={}, version=None)
    registry = alone.zookeeper.servers[0].kafka
    assert not isinstance(registry, Unreadable)
    alone = within(alone, 1, "kafka", brokers={0: registry.brokers[0]}, controller=0)
    alone = metadata(alone, 0, brokers={0: "b-0:9092"}, controller=0)

    findings = judge(one, alone)

    assert faults(findings) == {}
    assert {id_ for id_, finding in findings.items() if finding.status is Status.UNTESTED} == {
        "kafka-version",
        "zookeeper-followers-synced",
        "topics-exist",
        "topics-partitions",
        "topics-replication-factor",
        "topics-configuration",
    }


def test_what_the_contract_does_not_promise_is_untested_and_says_so(contract: Contract, healthy: Observation) -> None:
    silent = contract.model_copy(
        update={
            "kafka": contract.kafka.model_copy(
                update={
                    "settings": {},
                    "brokers": tuple(one.model_copy(update={"rack": None}) for one in contract.kafka.brokers),
                }
            )
        }
    )

    findings = judge(silent, healthy)

    assert findings["broker-settings"].status is Status.UNTESTED
    assert findings["broker-racks"].status is Status.UNTESTED
    assert findings["broker-racks"].seen == ("the contract declares no rack",)


def test_something_wrong_outweighs_something_unread(contract: Contract, healthy: Observation) -> None:
    finding = judge(contract, broker(broker(healthy, 0, id=7), 1, metadata=GONE))["brokers-answer"]

    assert finding.status is Status.FAILED
    assert finding.seen == ("broker 0 (b-0:9092) answers as broker 7", "broker 1 (b-1:9092): connection refused")


def test_a_controller_that_all_name_must_be_a_declared_broker(contract: Contract, healthy: Observation) -> None:
    seen = healthy
    for id_ in range(3):
        seen = metadata(within(seen, id_ + 1, "kafka", controller=7), id_, controller=7)

    findings = judge(contract, seen)

    assert faults(findings) == {"one-controller": FAILED}
    assert findings["one-controller"].seen[0] == "broker 0 (b-0:9092) names broker 7"


def test_one_trouble_in_the_view_of_every_broker_is_told_once(contract: Contract, healthy: Observation) -> None:
    finding = judge(contract, partition(healthy, "payments", 0, in_sync=(0, 1)))["partitions-in-sync"]

    assert finding.seen == ("payments, partition 0: not in sync: broker 2; leader: broker 0",)


def missing_replica(healthy: Observation) -> Observation:
    return partition(partition(healthy, "payments", 0, in_sync=(0, 1)), "payments", 1, in_sync=(1, 0))


AGAIN = (
    """echo '{"version":1,"partitions":[{"topic":"payments","partition":0,"replicas":[0,1,2]},"""
    """{"topic":"payments","partition":1,"replicas":[1,2,0]}]}' | """
)
FROM_STDIN = " --reassignment-json-file /dev/stdin --execute"


def test_a_replica_whose_broker_is_away_needs_that_broker(contract: Contract, healthy: Observation) -> None:
    seen = missing_replica(healthy)
    for id_ in range(3):
        seen = within(seen, id_ + 1, "kafka", brokers={0: REGISTERED, 1: REGISTERED})

    finding = judge(contract, seen)["partitions-in-sync"]

    assert finding.remedy == "Not registered: broker 2. Start what does not run; the log of what runs tells why."
    assert finding.command == ""


def test_a_replica_whose_broker_is_there_needs_patience_or_a_new_leader_epoch(
    contract: Contract, healthy: Observation
) -> None:
    finding = judge(contract, missing_replica(healthy))["partitions-in-sync"]

    assert finding.seen == (
        "payments, partition 0: not in sync: broker 2; leader: broker 0",
        "payments, partition 1: not in sync: broker 2; leader: broker 1",
    )
    assert finding.remedy.startswith("Registered: broker 2. The replica there is catching up")
    assert "the controller (broker 1), whose log then says" in finding.remedy
    assert "start" not in finding.remedy.replace("restart no broker", "")
    assert finding.command == f"{AGAIN}hikube-kafka local kafka -e orders reassign-partitions{FROM_STDIN}"


def test_a_command_names_no_broker_that_is_away(contract: Contract, healthy: Observation) -> None:
    seen = partition(healthy, "payments", 0, in_sync=(0,))
    seen = partition(seen, "payments", 1, leader=0, replicas=(1, 0), in_sync=(0,))
    for id_ in range(3):
        seen = within(seen, id_ + 1, "kafka", brokers={0: REGISTERED, 1: REGISTERED})

    finding = judge(contract, seen)["partitions-in-sync"]

    assert finding.remedy.startswith("Not registered: broker 2.")
    assert "Registered: broker 1." in finding.remedy
    assert '"partition":1,' in finding.command
    assert '"partition":0,' not in finding.command


def test_the_command_fits_where_the_platform_is(
    contract: Contract, in_kubernetes: Contract, healthy: Observation
) -> None:
    seen = replace(missing_replica(healthy), kubectl="kubectl -n shop")
    pod = BrokerRegistration(
        rack=None,
        endpoints=("FORWARD://127.0.0.1:19092", "CLIENT://orders-kafka-0.orders-kafka-headless.shop.svc:9093"),
    )
    inside = within(seen, 1, "kafka", brokers=dict.fromkeys(range(3), REGISTERED) | {0: pod})
    managed = contract.model_copy(update={"target": "managed"})
    secured = managed.model_copy(update={"security": ClientSecurity(protocol=Protocol.SSL)})
    tool = "kafka-reassign-partitions.sh --bootstrap-server"
    addresses = "b-0:9092,b-1:9092,b-2:9092"
    exec_ = "kubectl -n shop exec -i orders-kafka-0 -- env KAFKA_LOG4J_OPTS= KAFKA_HEAP_OPTS=-Xmx64m /opt/kafka/bin"

    assert {
        judge(contract_, seen_)["partitions-in-sync"].command.removeprefix(AGAIN).removesuffix(FROM_STDIN)
        for contract_, seen_ in ((in_kubernetes, inside), (in_kubernetes, seen), (managed, seen), (secured, seen))
    } == {
        f"{exec_}/{tool} {where}" for where in ("orders-kafka-0.orders-kafka-headless.shop.svc:9093", "localhost:9092")
    } | {f"{tool} {addresses}", f"{tool} {addresses} --command-config client.properties"}


def test_the_command_leads_to_the_cluster_that_was_checked(in_kubernetes: Contract, healthy: Observation) -> None:
    seen = replace(missing_replica(healthy), kubectl="kubectl --context 'admin@shop (test)' -n shop")
    assert f"{seen.kubectl} exec -i " in judge(in_kubernetes, seen)["partitions-in-sync"].command


def test_a_command_has_an_end(contract: Contract, healthy: Observation) -> None:
    many = dict.fromkeys(range(200), Partition(leader=0, replicas=(0, 1, 2), in_sync=(0, 1)))
    seen = topic_of_one_view(healthy, 0, many)

    finding = judge(contract, seen)["partitions-in-sync"]

    assert finding.command.count('partition":') == 20


@pytest.mark.parametrize(
    ("registered", "remedy"),
    [
        ((0, 1), "Start broker 2, or read the log if it runs: what was in sync last is there."),
        ((0, 1, 2), "In sync last, and registered: broker 2. The log there tells of a disk that failed"),
    ],
)
def test_an_offline_partition_needs_what_was_in_sync_last(
    contract: Contract, healthy: Observation, registered: tuple[int, ...], remedy: str
) -> None:
    seen = partition(healthy, "payments", 1, leader=None, in_sync=(2,))
    for id_ in range(3):
        seen = within(seen, id_ + 1, "kafka", brokers=dict.fromkeys(registered, REGISTERED))

    finding = judge(contract, seen)["partitions-online"]

    assert finding.seen == ("payments, partition 1: no leader; replicas on brokers 0, 1, 2; in sync last: 2",)
    assert remedy in finding.remedy


def test_a_leader_out_of_sight_is_unread_not_wrong(contract: Contract, healthy: Observation) -> None:
    finding = judge(contract, server(healthy, 3, status=GONE))["zookeeper-one-leader"]

    assert finding.status is Status.UNREADABLE


def test_seen_things_are_found_by_address_only(healthy: Observation) -> None:
    unknown_server: ZooKeeperServerSeen = healthy.zookeeper.server("zk-9:2181")
    unknown_broker: BrokerSeen = healthy.kafka.broker("b-9:9092")

    assert isinstance(unknown_server.status, Unreadable)
    assert isinstance(unknown_broker.metadata, Unreadable)
