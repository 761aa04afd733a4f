from typing import Any

import pytest

from hikube_kafka.spec import rules
from hikube_kafka.spec.definitions.zookeeper import session_bounds
from hikube_kafka.spec.ensemble import ServerProcess
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.properties import cluster_settings, overrides, topic_config
from hikube_kafka.spec.security import Mechanism, Protocol
from hikube_kafka.spec.targets.local import LocalLayout
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zoo_cfg import zookeeper_settings
from hikube_kafka.spec.zookeeper import ZooKeeper

LAYOUT = LocalLayout()


def platform(*topics: Topic, zookeeper: dict[str, Any] | None = None, **kafka: Any) -> Platform:
    return Platform(name="shop", zookeeper=ZooKeeper(**(zookeeper or {})), kafka=Kafka(**kafka), topics=topics)


@pytest.mark.parametrize(
    ("brokers", "factor", "in_sync"), [(1, "1", "1"), (2, "2", "1"), (3, "3", "2"), (4, "3", "2"), (9, "3", "2")]
)
def test_replication_follows_the_number_of_brokers(brokers: int, factor: str, in_sync: str) -> None:
    settings = cluster_settings(platform(brokers=brokers))
    for key in ("default", "offsets.topic", "transaction.state.log"):
        assert settings[f"{key}.replication.factor"] == factor
    assert settings["min.insync.replicas"] == settings["transaction.state.log.min.isr"] == in_sync


def test_the_local_brokers_properties_are_complete() -> None:
    first, second = LAYOUT.broker_processes(platform(brokers=2, racks=("a", "b"), config={"compression.type": "zstd"}))
    assert dict(first.properties) == {
        "advertised.listeners": "CLIENT://127.0.0.1:29092",
        "auto.create.topics.enable": "false",
        "broker.id": "0",
        "broker.rack": "a",
        "compression.type": "zstd",
        "default.replication.factor": "2",
        "inter.broker.listener.name": "CLIENT",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT",
        "listeners": "CLIENT://127.0.0.1:29092",
        "log.dirs": "data",
        "min.insync.replicas": "1",
        "num.partitions": "2",
        "offsets.topic.replication.factor": "2",
        "replica.fetch.backoff.ms": "100",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.replication.factor": "2",
        "unclean.leader.election.enable": "false",
        "zookeeper.connect": "127.0.0.1:22181,127.0.0.1:22182,127.0.0.1:22183",
        "zookeeper.session.timeout.ms": "4000",
    }
    assert (second.properties["broker.id"], second.properties["broker.rack"]) == ("1", "b")
    assert (first.ports, second.ports) == ((29092,), (29093,))
    assert first.heap == "1024m"


def test_the_local_zookeeper_servers_know_each_other() -> None:
    servers = LAYOUT.zookeeper_processes(platform())
    for server in servers:
        assert server.properties["server.1"] == "127.0.0.1:22888:23888"
        assert server.properties["server.3"] == "127.0.0.1:22890:23890"
    assert [server.ports for server in servers] == [
        (22181, 22888, 23888),
        (22182, 22889, 23889),
        (22183, 22890, 23890),
    ]


def test_a_single_zookeeper_server_has_no_members_to_vote_with() -> None:
    (server,) = LAYOUT.zookeeper_processes(platform(zookeeper={"servers": 1}))
    assert not [key for key in server.properties if key.startswith("server.")]
    assert server.ports == (22181,)


def test_zookeeper_cleans_up_behind_itself_and_answers_no_more_words_than_are_asked() -> None:
    properties = LAYOUT.zookeeper_processes(platform())[0].properties
    assert properties["autopurge.purgeInterval"] == "1"
    assert properties["4lw.commands.whitelist"] == "conf,mntr,ruok,srvr"
    assert properties["admin.enableServer"] == "false"


def test_the_chroot_stands_once_behind_the_last_server() -> None:
    properties = LAYOUT.broker_processes(platform(zookeeper={"chroot": "/shop"}))[0].properties
    assert properties["zookeeper.connect"] == "127.0.0.1:22181,127.0.0.1:22182,127.0.0.1:22183/shop"


def test_a_users_own_entry_wins_and_is_shown_to_have_won() -> None:
    declared = platform(config={"num.partitions": 12}, zookeeper={"config": {"tickTime": 3000}})
    assert LAYOUT.broker_processes(declared)[0].properties["num.partitions"] == "12"
    assert LAYOUT.zookeeper_processes(declared)[0].properties["tickTime"] == "3000"
    assert [str(problem) for problem in rules.check(declared) if problem.severity == "notice"] == [
        (
            "zookeeper.config: tickTime = 3000 replaces 500, which was computed. Drop it to return to the computed "
            "value. [config-override]"
        ),
        (
            "kafka.config: num.partitions = 12 replaces 3, which was computed. Drop it to return to the computed "
            "value. [config-override]"
        ),
    ]


def timing(config: dict[str, Any]) -> dict[str, int]:
    """Milliseconds of ZooKeeper's times with these entries of a user's."""
    settings = zookeeper_settings(ZooKeeper(config=config))
    tick = int(settings["tickTime"])
    bounds = session_bounds(settings)
    assert bounds is not None
    return {
        "tick": tick,
        "load": tick * int(settings["initLimit"]),
        "silence": tick * int(settings["syncLimit"]),
        "shortest": bounds[0],
        "longest": bounds[1],
    }


def test_zookeepers_times_and_a_brokers_session_fit_each_other() -> None:
    session = int(cluster_settings(platform())["zookeeper.session.timeout.ms"])
    times = timing({})
    assert times["shortest"] <= session <= times["longest"]
    # Servers part before a broker gives up its connection, after two thirds of its session, and looks for another.
    assert times["silence"] < session * 2 / 3
    # While servers are restarted one by one, one with a tick of 2000 ms may lead: it pings once a second.
    assert times["silence"] > 1000
    assert times["load"] >= 20_000


@pytest.mark.parametrize("tick", [1, 400, 499, 500, 1000, "01000", " 1000 ", 2000])
def test_zookeepers_limits_stay_the_same_times_with_another_tick(tick: int | str) -> None:
    usual, times = timing({}), timing({"tickTime": tick})
    assert usual["load"] <= times["load"] < usual["load"] + times["tick"]
    assert times["longest"] == usual["longest"]
    assert max(usual["silence"], 2 * times["tick"]) <= times["silence"] < usual["silence"] + 2 * times["tick"]


def test_two_ticks_are_the_least_and_sessions_grow_with_a_long_tick() -> None:
    assert timing({"tickTime": 60_000}) == {
        "tick": 60_000,
        "load": 120_000,
        "silence": 120_000,
        "shortest": 120_000,
        "longest": 1_200_000,
    }


def test_declared_limits_are_left_alone() -> None:
    declared = ZooKeeper(config={"tickTime": 1000, "initLimit": 90, "syncLimit": 9, "maxSessionTimeout": 5000})
    settings = zookeeper_settings(declared)
    assert {key: settings[key] for key in declared.config} == {
        "tickTime": "1000",
        "initLimit": "90",
        "syncLimit": "9",
        "maxSessionTimeout": "5000",
    }


def test_an_entry_that_says_what_was_computed_anyway_replaces_nothing() -> None:
    assert overrides(platform(config={"num.partitions": 3, "auto.create.topics.enable": False})) == []


def test_sasl_mechanisms_reach_the_brokers() -> None:
    sasl = Listener("client", port=9092, protocol=Protocol.SASL_SSL, mechanism=Mechanism.SCRAM_SHA_512)
    plain = Listener("plain", port=9093)
    properties = LAYOUT.broker_processes(platform(listeners=(sasl, plain)))[0].properties
    assert properties["sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert properties["sasl.mechanism.inter.broker.protocol"] == "SCRAM-SHA-512"
    assert properties["listeners"] == "CLIENT://127.0.0.1:29092,PLAIN://127.0.0.1:29192"
    assert properties["listener.security.protocol.map"] == "CLIENT:SASL_SSL,PLAIN:PLAINTEXT"


def test_a_topic_with_fewer_replicas_gets_a_min_isr_that_it_can_reach() -> None:
    declared = platform()
    assert topic_config(declared, Topic("a", partitions=1, replication_factor=2)) == {"min.insync.replicas": "1"}
    assert topic_config(declared, Topic("b", partitions=1)) == {}


def test_a_topics_own_min_isr_is_left_alone() -> None:
    own = Topic("a", partitions=1, replication_factor=2, config={"min.insync.replicas": 1, "retention.ms": "1"})
    assert topic_config(platform(), own) == {"min.insync.replicas": "1", "retention.ms": "1"}


def test_a_topics_values_are_written_as_kafka_answers_them() -> None:
    config: dict[str, str | bool | int | float] = {
        "preallocate": True,
        "cleanup.policy": "compact, delete",
        "retention.ms": " 86400000 ",
    }
    assert topic_config(platform(), Topic("a", partitions=1, config=config)) == {
        "cleanup.policy": "compact,delete",
        "preallocate": "true",
        "retention.ms": "86400000",
    }


def test_a_further_broker_changes_nothing_about_the_others() -> None:
    three, four = (LAYOUT.broker_processes(platform(brokers=brokers))[0].properties for brokers in (3, 4))
    assert three == four


def test_where_a_server_listens_is_read_from_its_properties_ipv6_too() -> None:
    broker = ServerProcess(
        kind="broker",
        id=0,
        heap="256m",
        properties={"listeners": "PLAINTEXT://[::1]:9092, SSL://:9093,X://b.example:9094,nothing"},
    )
    assert broker.bindings == (("::1", 9092), ("", 9093), ("b.example", 9094))
    member = {"server.1": "[::1]:2888:3888:participant;[::1]:2181", "server.2": "[::1]:2889:3889"}
    zookeeper = ServerProcess(
        kind="zookeeper", id=1, heap="128m", properties={"clientPort": "2181", "clientPortAddress": "::1", **member}
    )
    assert zookeeper.bindings == (("::1", 2181), ("::1", 2888), ("::1", 3888))
    assert ServerProcess(kind="zookeeper", id=3, heap="1m", properties={"clientPort": "2181"}).bindings == (("", 2181),)
    high = {"clientPort": "2181", "server.3": "0.0.0.0:2888:99999"}
    assert ServerProcess(kind="zookeeper", id=3, heap="1m", properties=high).ports == (2181, 2888)
