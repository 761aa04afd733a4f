"""A healthy platform raises nothing; each test spoils one thing and sees that one problem."""

from collections.abc import Callable
from typing import Any

import pytest

from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.resources import Resources
from hikube_kafka.spec.rules import declaration as rules
from hikube_kafka.spec.rules.declaration import DeclarationError, Problem, check, require_valid
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
    # rule function: (a platform, id, severity, where, part of the message)
    "name_is_a_label": (
        lambda: platform(name="Shop_1"),
        "platform-name", "error", "platform 'Shop_1'", "no DNS label",
    ),
    "zookeeper_count_is_odd": (
        lambda: platform(zookeeper={"servers": 4}),
        "zookeeper-even", "error", "zookeeper.servers", "4 servers need 3 for a quorum and survive the loss of 1",
    ),
    "zookeeper_alone": (
        lambda: platform(zookeeper={"servers": 1}),
        "zookeeper-single", "warning", "zookeeper.servers", "no quorum",
    ),
    "zookeeper_heap_fits": (
        lambda: platform(zookeeper={"heap": "512Mi"}),
        "heap-exceeds-memory", "error", "zookeeper.heap", "a heap of 512Mi does not fit into 512Mi: 96Mi must",
    ),
    "zookeeper_config_is_free": (
        lambda: platform(zookeeper={"config": {"server.1": "elsewhere:1:2"}}),
        "zookeeper-config-owned", "error", "zookeeper.config", "server.1 belongs to the platform",
    ),
    "broker_alone": (
        lambda: platform(brokers=1),
        "broker-single", "warning", "kafka.brokers", "the only copy",
    ),
    "broker_heap_fits": (
        lambda: platform(heap="2Gi"),
        "heap-exceeds-memory", "error", "kafka.heap", "a heap of 2Gi does not fit into 2Gi: 256Mi must stay free",
    ),
    "listeners_differ": (
        lambda: platform(listeners=(SAFE, SAFE.model_copy(update={"name": "other"}))),
        "listener-duplicate", "error", "kafka.listeners", "2 listeners have the port 9092",
    ),
    "listener_security_is_whole": (
        lambda: platform(listeners=(Listener("client", port=9092, protocol=Protocol.SASL_SSL),)),
        "listener-mechanism", "error", "listener client", "protocol SASL_SSL needs a mechanism",
    ),
    "listener_encrypts": (
        lambda: platform(listeners=(Listener("client", port=9092),)),
        "listener-plaintext", "warning", "listener client", "does not encrypt",
    ),
    "broker_config_is_kafkas": (
        lambda: platform(config={"log.retention.hour": 24}),
        "broker-config-unknown-key", "error", "kafka.config", "log.retention.hour",
    ),
    "broker_config_holds_no_secret": (
        lambda: platform(config={"ssl.key.password": "hunter2"}),
        "broker-config-secret", "error", "kafka.config", "ssl.key.password is a secret",
    ),
    "broker_factors_fit": (
        lambda: platform(brokers=3, config={"offsets.topic.replication.factor": 3, "transaction.state.log.min.isr": 2,
                                            "transaction.state.log.replication.factor": 4}),
        "replication-factor-above-brokers", "error", "kafka.config",
        "transaction.state.log.replication.factor = 4, but there are 3 brokers",
    ),
    "broker_min_insync_leaves_room": (
        lambda: platform(Topic("orders", partitions=6, config={"min.insync.replicas": 2}),
                         config={"min.insync.replicas": 3}),
        "min-insync-too-high", "error", "kafka.config",
        "min.insync.replicas = 3 with default.replication.factor = 3",
    ),
    "user_config_wins": (
        lambda: platform(config={"num.partitions": 12}),
        "config-override", "notice", "kafka.config", "num.partitions = 12 replaces 3, which was computed",
    ),
    "topic_name_is_legal": (
        lambda: platform(Topic("orders/eu", partitions=6)),
        "topic-name", "error", "topic 'orders/eu'", "Kafka does not allow this name",
    ),
    "topic_name_is_not_internal": (
        lambda: platform(Topic("__consumer_offsets", partitions=6)),
        "topic-internal", "error", "topic __consumer_offsets", "the brokers make and own this topic",
    ),
    "topics_are_declared_once": (
        lambda: platform(ORDERS, ORDERS, ORDERS),
        "topic-duplicate", "error", "topic orders", "declared 3 times",
    ),
    "topic_names_do_not_collide": (
        lambda: platform(Topic("a.b", partitions=1), Topic("a_b", partitions=1)),
        "topic-collision", "error", "topics a.b and a_b", "their metrics would have the same name",
    ),
    "topic_factor_fits": (
        lambda: platform(Topic("orders", partitions=6, replication_factor=4)),
        "replication-factor-above-brokers", "error", "topic orders", "replication factor 4, but there are 3 brokers",
    ),
    "topic_factor_is_safe": (
        lambda: platform(Topic("orders", partitions=6, replication_factor=2)),
        "replication-factor-low", "warning", "topic orders", "replication factor 2",
    ),
    "cluster_is_large_enough_for_three_copies": (
        lambda: platform(brokers=2),
        "replication-factor-low", "warning", "kafka.brokers", "2 brokers hold at most 2 copies",
    ),
    "topic_min_insync_leaves_room": (
        lambda: platform(Topic("orders", partitions=6, config={"min.insync.replicas": 3})),
        "min-insync-too-high", "error", "topic orders", "min.insync.replicas = 3 with replication factor 3",
    ),
    "topic_config_is_kafkas": (
        lambda: platform(Topic("orders", partitions=6, config={"retentionMs": 1000})),
        "topic-config-unknown-key", "error", "topic orders", "retentionMs",
    ),
    "retention_fits_the_disks": (
        lambda: platform(Topic("orders", partitions=6, config={"retention.bytes": 2 * 2**30}),
                         storage=Storage("10Gi")),
        "retention-exceeds-disk", "error", "topic orders", "is 36 GiB, and 3 brokers with 10Gi each hold 30 GiB",
    ),
    "partitions_per_broker_are_few_enough": (
        lambda: platform(Topic("orders", partitions=3901)),
        "partitions-per-broker", "error", "topics", "are 4001 on each of 3 brokers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", SPOILT)
def test_each_rule_says_what_where_and_why(rule: str) -> None:
    spoilt, identifier, severity, where, message = SPOILT[rule]
    problem = only(spoilt())
    assert (problem.rule, problem.severity, problem.where) == (identifier, severity, where)
    assert message in problem.message
    assert problem.remedy.endswith(".")


@pytest.mark.parametrize("rule", SPOILT)
def test_without_the_rule_its_problem_goes_unseen(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = [each for each in rules.RULES if each.__name__ != rule]
    monkeypatch.setattr(rules, "RULES", rest)
    assert graver(SPOILT[rule][0]()) == []
    assert not [problem for problem in check(SPOILT[rule][0]()) if problem.rule == SPOILT[rule][1]]


def test_every_rule_is_spoilt_by_a_test() -> None:
    assert {rule.__name__ for rule in rules.RULES} == set(SPOILT)


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


def test_all_errors_are_raised_at_once_and_carried_as_data() -> None:
    with pytest.raises(DeclarationError) as raised:
        require_valid(platform(Topic("a/b", partitions=1), zookeeper={"servers": 2}, brokers=2))
    assert [problem.rule for problem in raised.value.problems] == ["zookeeper-even", "topic-name"]
    assert "2 problems" in str(raised.value)
    assert "zookeeper.servers" in str(raised.value)
    assert "Rename it." in str(raised.value)


def test_warnings_are_returned_and_raise_nothing() -> None:
    assert [problem.severity for problem in require_valid(platform(brokers=2))] == ["warning"]


def test_a_topics_entry_that_contradicts_the_brokers_is_refused() -> None:
    late = Topic("orders", partitions=6, config={"min.compaction.lag.ms": 100_000})
    problem = only(platform(late, config={"log.cleaner.max.compaction.lag.ms": 1000}))
    assert (problem.rule, problem.where) == ("topic-config-conflict", "topic orders")


def test_a_secret_that_stays_with_the_broker_may_be_named() -> None:
    declared = platform(config={"ssl.key.password": "${file:/secrets/broker.properties:key}"})
    assert "broker-config-secret" not in {problem.rule for problem in check(declared)}
