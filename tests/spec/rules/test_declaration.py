"""A healthy platform raises nothing; each test spoils one thing and sees that one problem."""

from collections.abc import Callable
from typing import Any

import pytest

from hikube_kafka.spec import rules
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import DeclarationError, Problem
from hikube_kafka.spec.resources import Resources
from hikube_kafka.spec.rules import Judge, check
from hikube_kafka.spec.security import Mechanism, Protocol
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper

SAFE = Listener("client", port=9092, protocol=Protocol.SASL_SSL, mechanism=Mechanism.SCRAM_SHA_512)
ORDERS = Topic("orders", partitions=6)


def platform(*topics: Topic, name: str = "shop", zookeeper: dict[str, Any] | None = None, **kafka: Any) -> Platform:
    return Platform(
        name=name,
        zookeeper=ZooKeeper(**(zookeeper or {})),
        kafka=Kafka(**{"listeners": (SAFE,)} | kafka),
        topics=topics or (ORDERS,),
    )


def only(declared: Platform) -> Problem:
    problems = graver(declared) or check(declared)
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def graver(declared: Platform) -> list[Problem]:
    """Errors and warnings: a broken entry of the user's own is also noticed as one that replaces a computed one."""
    return [problem for problem in check(declared) if problem.severity != "notice"]


def test_a_healthy_platform_has_no_problem() -> None:
    assert check(platform()) == []


SPOILT: dict[str, tuple[Callable[[], Platform], str, str, str, str]] = {
    # judge: (a platform, id, severity, where, part of the message)
    "platform.name_is_a_label": (
        lambda: platform(name="Shop_1"),
        "platform-name", "error", "platform 'Shop_1'", "not a DNS label",
    ),
    "zookeeper.count_is_odd": (
        lambda: platform(zookeeper={"servers": 4}),
        "zookeeper-even", "error", "zookeeper.servers", "4 servers need 3 for a quorum and survive the loss of 1",
    ),
    "zookeeper.not_alone": (
        lambda: platform(zookeeper={"servers": 1}),
        "zookeeper-single", "warning", "zookeeper.servers", "not a quorum",
    ),
    "zookeeper.heap_fits": (
        lambda: platform(zookeeper={"heap": "512Mi"}),
        "heap-exceeds-memory", "error", "zookeeper.heap", "a heap of 512Mi does not fit into 512Mi: 96Mi must",
    ),
    "zookeeper.config_is_free": (
        lambda: platform(zookeeper={"config": {"server.1": "elsewhere:1:2"}}),
        "zookeeper-config-owned", "error", "zookeeper.config", "server.1 belongs to the platform",
    ),
    "zookeeper.config_is_zookeepers": (
        lambda: platform(zookeeper={"config": {"ticktime": 2000}}),
        "zookeeper-config-unknown-key", "error", "zookeeper.config", "'ticktime' is not a setting of ZooKeeper",
    ),
    "zookeeper.config_is_safe": (
        lambda: platform(zookeeper={"config": {"forceSync": "no"}}),
        "zookeeper-config-unsafe", "warning", "zookeeper.config", "forceSync = no",
    ),
    "zookeeper.limits_are_long_enough": (
        lambda: platform(zookeeper={"config": {"initLimit": 20}}),
        "zookeeper-limit-short", "warning", "zookeeper.config", "initLimit = 20 is 10000 ms, and 30000 ms are computed",
    ),
    "zookeeper.sessions_are_granted": (
        lambda: platform(zookeeper={"config": {"tickTime": 6000}}),
        "zookeeper-session-timeout", "warning", "zookeeper.config", "of 4000 ms, and ZooKeeper grants 12000 to",
    ),
    "brokers.not_alone": (
        lambda: platform(brokers=1),
        "broker-single", "warning", "kafka.brokers", "the only copy",
    ),
    "brokers.heap_fits": (
        lambda: platform(heap="2Gi"),
        "heap-exceeds-memory", "error", "kafka.heap", "a heap of 2Gi does not fit into 2Gi: 256Mi must stay free",
    ),
    "brokers.listeners_differ": (
        lambda: platform(listeners=(SAFE, SAFE.model_copy(update={"name": "other"}))),
        "listener-duplicate", "error", "kafka.listeners", "2 listeners have the port 9092",
    ),
    "brokers.listener_security_is_whole": (
        lambda: platform(listeners=(Listener("client", port=9092, protocol=Protocol.SASL_SSL),)),
        "listener-mechanism", "error", "listener client", "protocol SASL_SSL needs a mechanism",
    ),
    "brokers.listener_encrypts": (
        lambda: platform(listeners=(Listener("client", port=9092),)),
        "listener-plaintext", "warning", "listener client", "does not encrypt",
    ),
    "brokers.config_is_kafkas": (
        lambda: platform(config={"log.retention.hour": 24}),
        "broker-config-unknown-key", "error", "kafka.config", "log.retention.hour",
    ),
    "brokers.config_holds_no_secret": (
        lambda: platform(config={"ssl.key.password": "hunter2"}),
        "broker-config-secret", "error", "kafka.config", "ssl.key.password is a secret",
    ),
    "brokers.factors_fit": (
        lambda: platform(brokers=3, config={"offsets.topic.replication.factor": 3, "transaction.state.log.min.isr": 2,
                                            "transaction.state.log.replication.factor": 4}),
        "replication-factor-above-brokers", "error", "kafka.config",
        "transaction.state.log.replication.factor = 4, but there are 3 brokers",
    ),
    "brokers.min_insync_leaves_room": (
        lambda: platform(Topic("orders", partitions=6, config={"min.insync.replicas": 2}),
                         config={"min.insync.replicas": 3}),
        "min-insync-too-high", "error", "kafka.config",
        "min.insync.replicas = 3 leaves no room in default.replication.factor = 3",
    ),
    "zookeeper.user_config_wins": (
        lambda: platform(zookeeper={"config": {"tickTime": 1000}}),
        "config-override", "notice", "zookeeper.config", "tickTime = 1000 replaces 500, which was computed",
    ),
    "brokers.racks_are_named": (
        lambda: platform(racks=("a", "")),
        "rack-name", "error", "kafka.racks", "'' is not a name",
    ),
    "brokers.user_config_wins": (
        lambda: platform(config={"num.partitions": 12}),
        "config-override", "notice", "kafka.config", "num.partitions = 12 replaces 3, which was computed",
    ),
    "topics.name_is_legal": (
        lambda: platform(Topic("orders/eu", partitions=6)),
        "topic-name", "error", "topic 'orders/eu'", "Kafka does not allow this name",
    ),
    "topics.name_is_not_internal": (
        lambda: platform(Topic("__consumer_offsets", partitions=6)),
        "topic-internal", "error", "topic __consumer_offsets", "the brokers make and own this topic",
    ),
    "topics.declared_once": (
        lambda: platform(ORDERS, ORDERS, ORDERS),
        "topic-duplicate", "error", "topic orders", "declared 3 times",
    ),
    "topics.names_do_not_collide": (
        lambda: platform(Topic("a.b", partitions=1), Topic("a_b", partitions=1)),
        "topic-collision", "error", "topics a.b and a_b", "their metrics would have the same name",
    ),
    "topics.factor_fits": (
        lambda: platform(Topic("orders", partitions=6, replication_factor=4)),
        "replication-factor-above-brokers", "error", "topic orders", "replication factor 4, but there are 3 brokers",
    ),
    "topics.factor_is_safe": (
        lambda: platform(Topic("orders", partitions=6, replication_factor=2)),
        "replication-factor-low", "warning", "topic orders", "replication factor 2",
    ),
    "brokers.enough_for_three_copies": (
        lambda: platform(brokers=2),
        "replication-factor-low", "warning", "kafka.brokers", "2 brokers hold at most 2 copies",
    ),
    "topics.min_insync_leaves_room": (
        lambda: platform(Topic("orders", partitions=6, config={"min.insync.replicas": 3})),
        "min-insync-too-high", "error", "topic orders",
        "min.insync.replicas = 3 leaves no room in a replication factor of 3",
    ),
    "topics.config_is_kafkas": (
        lambda: platform(Topic("orders", partitions=6, config={"retentionMs": 1000})),
        "topic-config-unknown-key", "error", "topic orders", "retentionMs",
    ),
    "topics.retention_fits_the_disks": (
        lambda: platform(Topic("orders", partitions=6, config={"retention.bytes": 2 * 2**30}),
                         storage=Storage("10Gi")),
        "retention-exceeds-disk", "error", "topic orders", "is 36 GiB, and 3 brokers with 10Gi each hold 30 GiB",
    ),
    "topics.partitions_per_broker_are_few_enough": (
        lambda: platform(Topic("orders", partitions=3901)),
        "partitions-per-broker", "error", "topics", "are 4001 on each of 3 brokers",
    ),
}  # fmt: skip


def name(judge: Judge) -> str:
    return f"{judge.__module__.rpartition('.')[2]}.{judge.__name__}"


@pytest.mark.parametrize("judge", SPOILT)
def test_each_rule_says_what_where_and_why(judge: str) -> None:
    spoilt, identifier, severity, where, message = SPOILT[judge]
    problem = only(spoilt())
    assert (problem.rule, problem.severity, problem.where) == (identifier, severity, where)
    assert message in problem.message
    assert problem.remedy.endswith(".")
    assert problem.why.endswith(".")


@pytest.mark.parametrize("judge", SPOILT)
def test_without_the_judge_its_problem_goes_unseen(judge: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "JUDGES", [each for each in rules.JUDGES if name(each) != judge])
    assert graver(SPOILT[judge][0]()) == []
    assert not [problem for problem in check(SPOILT[judge][0]()) if problem.rule == SPOILT[judge][1]]


def test_every_judge_is_spoilt_by_a_test() -> None:
    of_connect = {each for each in map(name, rules.JUDGES) if each.startswith("connect.")}  # test_connect.py has these
    assert {name(judge) for judge in rules.JUDGES} == set(SPOILT) | of_connect


@pytest.mark.parametrize("servers", [1, 3, 5, 7])
def test_odd_ensembles_are_no_error(servers: int) -> None:
    assert not [problem for problem in check(platform(zookeeper={"servers": servers})) if problem.severity == "error"]


@pytest.mark.parametrize("name", ["", "-shop", "shop-", "1shop", "a" * 41, "shop.eu"])
def test_illegal_platform_names(name: str) -> None:
    assert only(platform(name=name)).rule == "platform-name"


@pytest.mark.parametrize("name", ["", ".", "..", "a" * 250, "größe", "a b"])
def test_illegal_topic_names(name: str) -> None:
    assert only(platform(Topic(name, partitions=1))).rule == "topic-name"


def test_the_longest_legal_topic_name_is_accepted() -> None:
    assert check(platform(Topic("a" * 249, partitions=1))) == []


@pytest.mark.parametrize("rack", ["", " ", "\t", " zone-a", "zone-a\n", "zone\na", "zone\x00a"])
def test_racks_under_which_no_broker_would_be_registered(rack: str) -> None:
    assert only(platform(racks=("zone-b", rack, rack))).rule == "rack-name"


@pytest.mark.parametrize("rack", ["zone a", "zöne", "-a", "a,b", 'a"b', "$a", "a\\b", "a/b", "1"])
def test_racks_that_a_broker_takes(rack: str) -> None:
    assert check(platform(racks=(rack,))) == []


def test_two_listeners_with_one_name() -> None:
    twin = SAFE.model_copy(update={"port": 9093})
    assert "have the name client" in only(platform(listeners=(SAFE, twin))).message


def test_a_mechanism_without_sasl() -> None:
    listener = Listener("client", port=9092, protocol=Protocol.SSL, mechanism=Mechanism.PLAIN)
    assert "cannot use a mechanism" in only(platform(listeners=(listener,))).message


@pytest.mark.parametrize("preset", ["nano", "micro"])
def test_memory_too_small_for_a_broker_names_the_memory_that_works(preset: str) -> None:
    problem = only(platform(resources=Resources.preset(preset)))
    assert problem.rule == "heap-too-small"
    assert problem.remedy == "Declare 512Mi of memory or more."
    assert check(platform(resources=Resources(cpu=1, memory="512Mi"))) == []


def test_a_declared_heap_that_is_too_small_is_blamed_itself() -> None:
    problem = only(platform(heap="100Mi"))
    assert (problem.rule, problem.where) == ("heap-too-small", "kafka.heap")
    assert problem.message == "a heap of 100Mi is too small; 256Mi is the least that works."
    assert problem.remedy == "Declare 256Mi or more, or leave it out: it is computed from the memory."
    assert only(platform(zookeeper={"heap": "64m"})).where == "zookeeper.heap"


def test_memory_that_holds_no_heap_that_works_is_blamed_whatever_the_heap() -> None:
    for heap in ("100Mi", "300Mi", None):
        problem = only(platform(resources=Resources(cpu=1, memory="300Mi"), heap=heap))
        assert (problem.rule, problem.where) == ("heap-too-small", "kafka.resources")
        assert problem.remedy == "Declare 512Mi of memory or more."


@pytest.mark.parametrize("wrong", ["\u00b2", "\u0663", "\uff12", "\u2460", "9" * 5000, "9" * 30, 10**400])
@pytest.mark.parametrize("key", ["min.insync.replicas", "retention.bytes", "min.cleanable.dirty.ratio"])
def test_what_kafka_reads_as_no_number_is_one_problem_of_a_topic(key: str, wrong: str | int) -> None:
    problem = only(platform(Topic("orders", partitions=6, config={key: wrong})))
    assert problem.rule in {"topic-config-type", "topic-config-range"}


@pytest.mark.parametrize("wrong", ["\u00b2", "\u0663", "\uff12", "\u2460", "9" * 5000, "9" * 30])
@pytest.mark.parametrize(
    "key", ["min.insync.replicas", "default.replication.factor", "transaction.state.log.replication.factor"]
)
def test_what_kafka_reads_as_no_number_is_one_problem_of_the_brokers(key: str, wrong: str) -> None:
    problem = only(platform(Topic("orders", partitions=6, config={"min.insync.replicas": 2}), config={key: wrong}))
    assert problem.rule in {"broker-config-type", "broker-config-range"}


def test_zeros_in_front_hide_no_number() -> None:
    declared = platform(Topic("orders", partitions=6, config={"retention.ms": "0" * 5000 + "7"}))
    assert check(declared) == []


def test_a_sign_and_white_space_hide_no_number() -> None:
    problem = only(platform(config={"transaction.state.log.replication.factor": " +4 "}))
    assert problem.rule == "replication-factor-above-brokers"


def test_the_remedy_for_a_small_zookeeper_works() -> None:
    problem = only(platform(zookeeper={"resources": Resources.preset("nano")}))
    memory = problem.remedy.split()[1]
    assert check(platform(zookeeper={"resources": Resources(cpu=1, memory=memory)})) == []


def test_a_single_broker_needs_no_second_in_sync_replica() -> None:
    declared = platform(brokers=1)
    assert [problem.rule for problem in check(declared)] == ["broker-single"]


def test_a_topic_of_one_replica_on_three_brokers_is_warned_about_alone() -> None:
    assert only(platform(Topic("cache", partitions=1, replication_factor=1))).rule == "replication-factor-low"


def test_retention_that_just_fits_is_accepted() -> None:
    fits = Topic("orders", partitions=5, config={"retention.bytes": 2 * 2**30})
    assert check(platform(fits, storage=Storage("10Gi"))) == []


def test_several_topics_that_fit_alone_but_not_together_are_refused() -> None:
    half = [Topic(name, partitions=3, config={"retention.bytes": 2 * 2**30}) for name in ("a", "b")]
    assert only(platform(*half, storage=Storage("10Gi"))).where.startswith("2 topics")


def test_an_error_carries_all_problems_as_data_and_shows_them() -> None:
    error = DeclarationError(graver(platform(Topic("a/b", partitions=1), zookeeper={"servers": 2}, brokers=3)))
    assert [problem.rule for problem in error.problems] == ["zookeeper-even", "topic-name"]
    assert "2 problems" in str(error)
    assert "zookeeper.servers: 2 servers need 2" in str(error)
    assert "Declare 1 or 3. [zookeeper-even]" in str(error), "what to do, and the id of the rule"


def test_a_topics_entry_that_contradicts_the_brokers_is_refused() -> None:
    late = Topic("orders", partitions=6, config={"min.compaction.lag.ms": 100_000})
    problem = only(platform(late, config={"log.cleaner.max.compaction.lag.ms": 1000}))
    assert (problem.rule, problem.where) == ("topic-config-conflict", "topic orders")


def test_a_secret_that_stays_with_the_broker_may_be_named() -> None:
    declared = platform(config={"ssl.key.password": "${file:/secrets/broker.properties:key}"})
    assert "broker-config-secret" not in {problem.rule for problem in check(declared)}


@pytest.mark.parametrize(
    ("rack", "told"), [(" zone b ", 'Write "zone b".'), ("a\nb", 'such as "zone-a"'), (" ", "or declare none")]
)
def test_a_rack_that_no_broker_keeps_is_told_its_own_spelling(rack: str, told: str) -> None:
    (problem,) = [each for each in check(platform(racks=(rack,))) if each.rule == "rack-name"]
    assert told in problem.remedy
