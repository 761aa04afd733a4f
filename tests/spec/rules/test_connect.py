"""A healthy platform with Connect raises nothing; each test spoils one thing and sees that one problem."""

from collections.abc import Callable
from typing import Any

import pytest

from hikube_kafka.spec import rules
from hikube_kafka.spec.connect import ConnectCluster, Connector, Offsets, Plugin
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.resources import Resources
from hikube_kafka.spec.rules import check
from hikube_kafka.spec.security import Mechanism, Protocol
from hikube_kafka.spec.topic import Topic

PLAIN = Listener("client", port=9092, protocol=Protocol.PLAINTEXT)
SAFE = Listener("client", port=9092, protocol=Protocol.SASL_SSL, mechanism=Mechanism.SCRAM_SHA_512)
SEARCH, ROWS = "com.example.SearchSink", "com.example.RowSource"
POSTGRES = "io.debezium.connector.postgresql.PostgresConnector"
JDBC = "io.debezium.connector.jdbc.JdbcSinkConnector"
JSON = "org.apache.kafka.connect.json.JsonConverter"
FILE_SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector"
CHECKSUM = f"sha256:{'a' * 64}"
ALL = Plugin("all", version="1", classes=[SEARCH, ROWS, POSTGRES, JDBC], archive="all.zip", checksum=CHECKSUM)
CAPTURE: dict[str, Any] = {
    "topic.prefix": "shop",
    "database.hostname": "db",
    "database.dbname": "shop",
    "database.password": "${dir:/secrets/db:password}",
    "heartbeat.interval.ms": 10_000,
    "plugin.name": "pgoutput",
    "publication.name": "shop",
    "publication.autocreate.mode": "filtered",
    "slot.name": "shop",
    "snapshot.mode": "initial",
    "table.include.list": "public.orders",
}
CAPTURED = (Topic("shop.public.orders", partitions=1), Topic("__debezium-heartbeat.shop", partitions=1))


def sink(name: str = "search", config: dict[str, Any] | None = None, **fields: Any) -> Connector:
    return Connector(name, SEARCH, config={"topics": "orders", **(config or {})}, **fields)


def source(config: dict[str, Any] | None = None, **fields: Any) -> Connector:
    return Connector("rows", ROWS, config=config or {}, **fields)


def creates(factor: int) -> dict[str, Any]:
    return {"topic.creation.default.partitions": 1, "topic.creation.default.replication.factor": factor}


def capture(name: str = "rows", without: str = "", **config: Any) -> Connector:
    settings = CAPTURE | {key.replace("_", "."): value for key, value in config.items()}
    return Connector(name, POSTGRES, config={key: value for key, value in settings.items() if key != without})


def cluster(*connectors: Connector, name: str = "changes", **fields: Any) -> ConnectCluster:
    return ConnectCluster(name, **{"plugins": [ALL], "connectors": connectors} | fields)


def platform(*clusters: ConnectCluster, topics: tuple[Topic, ...] = (), **kafka: Any) -> Platform:
    declared = (Topic("orders", partitions=6), *CAPTURED, *topics)
    return Platform(name="shop", kafka=Kafka(**{"listeners": (PLAIN,)} | kafka), topics=declared, connect=clusters)


def with_one(*connectors: Connector, **fields: Any) -> Platform:
    return platform(cluster(*connectors, **fields))


def found(declared: Platform) -> list[Problem]:
    return [each for each in check(declared) if each.rule != "listener-plaintext"]


def test_a_healthy_platform_has_no_problem() -> None:
    declared = with_one(sink(), source(), capture("orders"))
    assert declared.problems() == []
    assert found(declared) == []


SPOILT: dict[str, tuple[Callable[[], Platform], str, str, str, str]] = {
    # judge, and what of it: (a platform, id, severity, where, part of the message)
    "clusters_differ": (
        lambda: platform(cluster(source()), cluster(source())),
        "connect-cluster-twice", "error", "Connect cluster changes", "declared 2 times",
    ),
    "former_clusters_are_gone": (
        lambda: platform(cluster(source())).model_copy(update={"former_connect": ("changes",)}),
        "connect-cluster-former", "error", "Connect cluster changes", "",
    ),
    "workers_are_not_alone": (
        lambda: with_one(workers=1),
        "connect-worker-single", "warning", "Connect cluster changes", "there are 3 brokers",
    ),
    "heap_fits": (
        lambda: with_one(resources=Resources(cpu=1, memory="1Gi"), heap="900Mi"),
        "heap-exceeds-memory", "error", "Connect cluster changes.heap", "384Mi must stay free",
    ),
    "heap_fits: too small": (
        lambda: with_one(heap="100Mi"),
        "heap-too-small", "error", "Connect cluster changes.heap", "256Mi is the least",
    ),
    "worker_config_is_free": (
        lambda: with_one(config={"group.id": "mine"}),
        "connect-worker-owned", "error", "Connect cluster changes", "group.id is decided by the name of the Connect",
    ),
    "worker_config_is_free: storage": (
        lambda: with_one(config={"config.storage.min.insync.replicas": 1}),
        "connect-worker-owned", "error", "Connect cluster changes", "the topic whose name ends with .configs",
    ),
    "worker_config_is_kafkas": (
        lambda: with_one(config={"offset.flush.interval": 1}),
        "connect-config-unknown-key", "error", "Connect cluster changes", "not a setting of a worker",
    ),
    "workers_can_log_in": (
        lambda: platform(cluster(), listeners=(SAFE,)),
        "connect-listener-login", "error", "Connect cluster changes", "cannot log in to it",
    ),
    "internal_topics_are_as_workers_need_them": (
        lambda: platform(cluster(), topics=(Topic("shop-connect-changes.status", partitions=5),)),
        "connect-internal-topic", "error", "topic shop-connect-changes.status", "need it with cleanup.policy = compact",
    ),
    "internal_topics_are_as_workers_need_them: dead letters": (
        lambda: with_one(sink(dead_letters="shop-connect-changes.offsets")),
        "connect-internal-topic", "error", "topic shop-connect-changes.offsets", "it has cleanup.policy = delete",
    ),
    "internal_topics_are_as_workers_need_them: partitions": (
        lambda: platform(
            cluster(),
            topics=(Topic("shop-connect-changes.configs", partitions=3, config={"cleanup.policy": "compact"}),),
        ),
        "connect-internal-topic", "error", "topic shop-connect-changes.configs", "with partitions = 1, and it has 3",
    ),
    "plugins_differ": (
        lambda: with_one(plugins=[ALL, ALL]),
        "connect-plugin-twice", "error", "plugin all", "has 2 plugins of this name",
    ),
    "plugins_come_from_somewhere": (
        lambda: with_one(plugins=[Plugin("all", version="1")]),
        "connect-plugin-source", "error", "plugin all", "nowhere where it comes from",
    ),
    "plugins_come_from_somewhere: archive": (
        lambda: with_one(plugins=[Plugin("all", version="1", archive="file:all.zip")]),
        "connect-plugin-checksum", "error", "plugin all", "file:all.zip has no checksum",
    ),
    "plugins_come_from_somewhere: password": (
        lambda: with_one(plugins=[Plugin("all", version="1", archive="https://me:pass-word@a.example.com/a.zip")]),
        "connect-plugin-secret", "error", "plugin all", "has a user name or a password in its URL",
    ),
    "plugins_come_from_somewhere: signature": (
        lambda: with_one(plugins=[Plugin("all", version="1", archive="https://a.example.com/a?X-Amz-Signature=1&f=.zip")]),
        "connect-plugin-secret", "error", "plugin all", "has a password, token or signature in its URL",
    ),
    "plugins_come_from_somewhere: maven": (
        lambda: with_one(plugins=[Plugin("all", version="1", maven="a:b:1")]),
        "connect-plugin-checksum", "warning", "plugin all", "a:b:1 has no checksum",
    ),
    "connectors_differ": (
        lambda: with_one(source(), source()),
        "connect-connector-twice", "error", "connector rows", "has 2 connectors of this name",
    ),
    "connectors_differ: groups": (
        lambda: platform(cluster(sink()), cluster(sink(), name="more")),
        "connect-sink-group", "error", "connector search", "changes and more would share the consumer group",
    ),
    "connectors_differ: a declared group": (
        lambda: with_one(sink(), sink("more", {"consumer.override.group.id": "connect-search"})),
        "connect-sink-group", "error", "connectors search and more", "group connect-search",
    ),
    "connectors_differ: the group of the workers": (
        lambda: with_one(sink(config={"consumer.override.group.id": "shop-connect-changes"})),
        "connect-sink-worker-group", "error", "connector search", "shop-connect-changes is the group of the workers",
    ),
    "sinks_read_topics: blank": (
        lambda: with_one(Connector("search", SEARCH, config={"topics": " "})),
        "connect-sink-topics", "error", "connector search", "has neither topics nor topics.regex",
    ),
    "exactly_once_is_supported: in capitals": (
        lambda: with_one(source({"exactly.once.support": "REQUIRED"})),
        "connect-exactly-once", "error", "connector rows", "has exactly.once.source.support = disabled",
    ),
    "connectors_have_their_plugin": (
        lambda: with_one(Connector("rows", "com.example.Other")),
        "connect-connector-class", "error", "connector rows", "no plugin of Connect cluster changes declares the class",
    ),
    "connectors_have_their_plugin: of files": (
        lambda: with_one(Connector("lines", FILE_SINK, config={"topics": "orders"})),
        "connect-connector-class", "error", "connector lines", "it comes with Kafka, and is not on the path",
    ),
    "connector_config_is_connects": (
        lambda: with_one(sink(config={"error.tolerance": "all"})),
        "connect-config-unknown-key", "error", "connector search", "'error.tolerance' is not a setting of a connector",
    ),
    "connector_config_is_connects: a field": (
        lambda: with_one(sink(config={"tasks.max": 3})),
        "connect-config-declaration-field", "error", "connector search", "'tasks.max' is decided by tasks_max=...",
    ),
    "sinks_read_topics": (
        lambda: with_one(Connector("search", SEARCH)),
        "connect-sink-topics", "error", "connector search", "has neither topics nor topics.regex",
    ),
    "sinks_read_topics: undeclared": (
        lambda: with_one(sink(config={"topics": "orders, order"})),
        "connect-topics-undeclared", "warning", "connector search", "it reads order, and no such topic",
    ),
    "sinks_read_topics: a pattern": (
        lambda: with_one(Connector("search", SEARCH, config={"topics.regex": "bills.*"})),
        "connect-topics-undeclared", "warning", "connector search", "topics like bills.*",
    ),
    "dead_letters_are_whole": (
        lambda: with_one(sink(dead_letters=False)),
        "connect-dead-letters-off", "warning", "connector search", "the first record",
    ),
    "dead_letters_are_whole: a contradiction": (
        lambda: with_one(sink(config={"errors.tolerance": "none"})),
        "connect-dead-letters-conflict", "error", "connector search", "are to go to search.dead-letters",
    ),
    "dead_letters_are_whole: of a source": (
        lambda: with_one(source(dead_letters="aside")),
        "connect-dead-letters-source", "error", "connector rows", "to aside, and it is a source",
    ),
    "dead_letters_are_whole: read again": (
        lambda: with_one(sink(dead_letters="orders")),
        "connect-dead-letters-loop", "error", "connector search", "go to orders, which it reads",
    ),
    "dead_letters_are_whole: read again by a pattern": (
        lambda: with_one(Connector("search", SEARCH, config={"topics.regex": ".*"})),
        "connect-dead-letters-loop", "error", "connector search", "go to search.dead-letters, which it reads",
    ),
    "dead_letters_are_whole: dropped": (
        lambda: with_one(sink(config={"errors.tolerance": "all"}, dead_letters=False)),
        "connect-records-dropped", "warning", "connector search", "drops every record that fails",
    ),
    "dead_letters_are_whole: dropped by a source": (
        lambda: with_one(source({"errors.tolerance": "all"})),
        "connect-records-dropped", "warning", "connector rows", "drops every record that fails",
    ),
    "config_holds_no_secret": (
        lambda: with_one(source({"database.password": "hunter2"})),
        "connect-secret-literal", "error", "connector rows", "database.password is a secret, and stands here as itself",
    ),
    "config_holds_no_secret: of workers": (
        lambda: with_one(config={"producer.sasl.jaas.config": "hunter2"}),
        "connect-secret-literal", "error", "Connect cluster changes", "producer.sasl.jaas.config is a secret",
    ),
    "config_holds_no_secret: in a URL": (
        lambda: with_one(source({"connection.url": "mongodb://shop:hunter2@db/shop"})),
        "connect-secret-literal", "error", "connector rows", "connection.url has a password in its URL",
    ),
    "config_holds_no_secret: of Terraform's": (
        lambda: with_one(source({"database.password": "${var.password}"})),
        "connect-secret-literal", "warning", "connector rows", "is a value of Terraform's, and stands in its state",
    ),
    "references_are_resolved": (
        lambda: with_one(source({"database.password": "${vault:db:password}"})),
        "connect-provider-missing", "error", "connector rows", "provider vault, and workers of Connect cluster changes",
    ),
    "exactly_once_is_supported": (
        lambda: with_one(source({"exactly.once.support": "required"})),
        "connect-exactly-once", "error", "connector rows", "has exactly.once.source.support = disabled",
    ),
    "created_topics_fit": (
        lambda: with_one(source(creates(5))),
        "replication-factor-above-brokers", "error", "connector rows", "default.replication.factor = 5, but",
    ),
    "change_capture_does_no_harm": (
        lambda: with_one(capture(without="slot.name")),
        "connect-postgres-setting", "warning", "connector rows", "slot.name is not declared: two connectors",
    ),
    "change_capture_does_no_harm: a slot for two": (
        lambda: with_one(capture(), capture("more")),
        "connect-postgres-slot-twice", "error", "connectors rows and more", "shop of db:5432 through one",
    ),
    "sources_have_their_topics": (
        lambda: with_one(capture(table_include_list="public.orders, public.bills")),
        "connect-source-topics", "warning", "connector rows", "it writes to shop.public.bills, and",
    ),
    "jdbc_sinks_know_the_columns": (
        lambda: with_one(Connector("warehouse", JDBC, config={"topics": "orders"})),
        "connect-jdbc-schema", "warning", "connector warehouse", "records without a schema",
    ),
    "user_config_wins": (
        lambda: with_one(config={"offset.flush.interval.ms": 5000}),
        "config-override", "notice", "Connect cluster changes", "offset.flush.interval.ms = 5000 replaces 10000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILT)
def test_each_rule_says_what_where_and_why(what: str) -> None:
    spoilt, identifier, severity, where, message = SPOILT[what]
    declared = spoilt()
    assert declared.problems() == []
    assert [(each.rule, each.severity, each.where) for each in found(declared)] == [(identifier, severity, where)]
    (problem,) = found(declared)
    assert message in problem.message
    assert problem.remedy.endswith(".")
    assert problem.why.endswith(".")
    assert "hunter2" not in f"{problem}{problem.why}"


@pytest.mark.parametrize("what", SPOILT)
def test_without_the_judge_its_problem_goes_unseen(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = what.partition(":")[0]
    monkeypatch.setattr(rules, "JUDGES", [each for each in rules.JUDGES if each.__name__ != judge])
    assert found(SPOILT[what][0]()) == []


def test_every_judge_is_spoilt_by_a_test() -> None:
    assert {judge.__name__ for judge in rules.CONNECT} == {what.partition(":")[0] for what in SPOILT}


@pytest.mark.parametrize("without", ["heartbeat.interval.ms", "plugin.name", "publication.name", "slot.name"])
def test_change_capture_without_a_setting_is_warned_of(without: str) -> None:
    assert [each.rule for each in found(with_one(capture(without=without)))] == ["connect-postgres-setting"]


def test_change_capture_by_default_is_told_everything_at_once() -> None:
    bare = Connector("rows", POSTGRES, config={"topic.prefix": "shop"})
    assert [each.message.partition(" ")[0] for each in found(with_one(bare))] == [
        "heartbeat.interval.ms", "plugin.name", "publication.name", "publication.autocreate.mode", "slot.name",
        "snapshot.mode",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "key",
    [
        "password", "database.password", "connection.passwd", "aws.secret.access.key", "api.key", "apiKey",
        "auth_token",
        "camel.sink.accessToken", "oauth.client.secret", "keyPassphrase", "basic.auth.user.info", "sasl.jaas.config",
        "producer.override.sasl.jaas.config", "gcp.credentials", "ssl.keystore.key", "private-key",
        "value.converter.schema.registry.basic.auth.user.info", "transforms.mine.secret", "secretKey",
    ],
)  # fmt: skip
def test_keys_of_passwords_are_told_by_their_names(key: str) -> None:
    (problem,) = (each for each in check(with_one(source({key: "hunter2"}))) if each.rule == "connect-secret-literal")
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("database.password", "${dir:/secrets/db:password}"), ("database.password", "${env:CONNECT_PASSWORD}"),
        ("database.password", ""), ("token.endpoint.url", "x"), ("message.key.columns", "a"),
        ("basic.auth.credentials.source", "USER_INFO"), ("use.default.credentials", "true"),
        ("tombstones.on.delete", True), ("aws.access.key.id", "a"),
        ("connection.url", "jdbc:postgresql://db:5432/shop"), ("url", "https://${dir:/secrets/db:user}:x@db"),
        ("connection.url", "mongodb://shop@db/shop"), ("ssl.keystore.location", "a"), ("primary.key.mode", "a"),
        ("ssl.truststore.certificates", "public"), ("use.credentials", False),
        ("mongodb.connection.string", "mongodb://db-0:27017,db-1:27017/?replicaSet=shop"),
    ],
)  # fmt: skip
def test_what_is_no_secret_is_not_taken_for_one(key: str, value: Any) -> None:
    assert "connect-secret-literal" not in [each.rule for each in check(with_one(source({key: value})))]


@pytest.mark.parametrize("support", ["${var.support}", "${env:SUPPORT}"])
def test_exactly_once_that_only_the_workers_know_is_not_judged(support: str) -> None:
    declared = with_one(source({"exactly.once.support": "required"}), config={"exactly.once.source.support": support})
    assert "connect-exactly-once" not in [each.rule for each in check(declared)]


@pytest.mark.parametrize(
    "connector_class",
    [
        "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        "org.apache.kafka.connect.tools.VerifiableSourceConnector",
    ],
)
def test_what_kafka_brings_needs_no_plugin(connector_class: str) -> None:
    assert found(with_one(Connector("one", connector_class))) == []


def test_a_provider_of_ones_own_is_known() -> None:
    config = {"config.providers": "dir,vault", "config.providers.vault.class": "com.example.Vault"}
    declared = with_one(source({"database.password": "${vault:db:password}"}), config=config)
    assert [each.rule for each in found(declared)] == ["config-override"]


def test_workers_that_are_told_how_to_log_in_may_meet_any_listener() -> None:
    declared = platform(cluster(config={"security.protocol": "SASL_SSL"}), listeners=(SAFE,))
    assert found(declared) == []


def test_topics_that_another_connector_may_create_are_not_missed() -> None:
    assert found(with_one(sink(config={"topics": "later"}), source(creates(3)))) == []
    declared = platform(cluster(sink(config={"topics": "later"})), config={"auto.create.topics.enable": True})
    assert {each.rule for each in found(declared)} == {"config-override"}


def test_a_sink_may_read_topics_that_connect_makes() -> None:
    assert found(with_one(sink(), sink("aside", {"topics": "search.dead-letters"}, dead_letters=False)))[0].rule == (
        "connect-dead-letters-off"
    )


def test_a_value_that_terraform_tells_at_apply_is_left_alone() -> None:
    config = {"topics": "${var.topics}", "batch.size": "${local.size}", "errors.retry.timeout": "${TfToken[TOKEN.7]}"}
    assert found(with_one(Connector("search", SEARCH, config=config))) == []


def test_a_jdbc_sink_with_schemas_is_no_problem() -> None:
    own = {"topics": "orders", "value.converter": JSON}
    assert found(with_one(Connector("warehouse", JDBC, config=own))) == []
    of_workers = with_one(
        Connector("warehouse", JDBC, config={"topics": "orders"}), config={"value.converter.schemas.enable": True}
    )
    assert [each.rule for each in found(of_workers)] == ["config-override"]


def test_names_of_generated_topics_are_judged_too() -> None:
    assert [each.where for each in found(with_one(sink(dead_letters="a b")))] == ["topic 'a b'"]
    collides = platform(cluster(sink(dead_letters="my.orders")), topics=(Topic("my_orders", partitions=1),))
    assert [each.rule for each in found(collides)] == ["topic-collision"]


SOURCELESS = Plugin("none", version="1")
ONE_MISTAKE: dict[str, tuple[Callable[[], Platform], str]] = {
    "topics as a list": (
        lambda: with_one(Connector("search", SEARCH, config={"topics": ["orders"]})),  # type: ignore[dict-item]
        "value-type",
    ),
    "no mapping": (lambda: with_one(Connector("search", SEARCH, config=["orders"])), "value-type"),  # type: ignore[arg-type]
    "both ways to name topics": (
        lambda: with_one(Connector("search", SEARCH, config={"topics": "orders", "topics.regex": "bills.*"})),
        "connect-config-conflict",
    ),
    "two blank ways to name topics": (
        lambda: with_one(Connector("search", SEARCH, config={"topics": "", "topics.regex": " "})),
        "connect-sink-topics",
    ),
    "an alias that is not listed": (
        lambda: with_one(sink(config={"transforms.a.type": "com.example.A", "transforms.a.b": 1, "transforms.a.c": 2})),
        "connect-config-conflict",
    ),
    "a misspelt setting of created topics": (
        lambda: with_one(
            source({"topic.creation.default.partitons": 1, "topic.creation.default.replication.factor": 1})
        ),
        "connect-config-unknown-key",
    ),
    "one plugin of two clusters": (
        lambda: platform(cluster(plugins=[SOURCELESS]), cluster(name="more", plugins=[SOURCELESS])),
        "connect-plugin-source",
    ),
    "a malformed checksum": (
        lambda: with_one(sink(), plugins=[Plugin("all", version="1", classes=[SEARCH], archive="a.zip", checksum="x")]),
        "value-form",
    ),
    "a plugin's wrong name": (
        lambda: with_one(sink(), plugins=[Plugin("All", version="1", classes=[SEARCH], volume="v")]),
        "value-form",
    ),
    "a connector's wrong name": (lambda: with_one(sink("my sink")), "value-form"),
    "a cluster's wrong name": (lambda: platform(cluster(sink(), name="Bad")), "value-form"),
    "two clusters of one name": (lambda: platform(cluster(sink()), cluster(sink())), "connect-cluster-twice"),
}


@pytest.mark.parametrize("what", ONE_MISTAKE)
def test_one_mistake_is_one_problem(what: str) -> None:
    spoilt, rule = ONE_MISTAKE[what]
    declared = spoilt()
    assert [each.rule for each in (*declared.problems(), *found(declared))] == [rule]


def test_many_mistakes_are_told_all_at_once_each_once() -> None:
    mistaken = Connector("late", SEARCH, tasks_max=0, config={"topics": "orders"})
    offsets = Connector("again", ROWS, offsets=Offsets(on_change="set"))
    declared = platform(
        cluster(
            mistaken,
            offsets,
            sink(config={"tasks.max": 1, "api.key": "hunter2"}),
            plugins=[ALL, Plugin("b", version="")],
        ),
        ConnectCluster("Bad"),
        topics=(Topic("lost", partitions=0),),
    )
    assert sorted(each.rule for each in declared.problems()) == [
        "value-form",
        "value-form",
        "value-form",
        "value-range",
        "value-range",
    ]
    assert sorted(each.rule for each in found(declared)) == [
        "connect-config-declaration-field", "connect-plugin-source", "connect-secret-literal"
    ]  # fmt: skip


@pytest.mark.parametrize("archive", ["https://token@a.example.com/a.zip", "https://me:pass-word@a.example.com/a.zip"])
def test_what_is_said_of_a_plugin_shows_no_password(archive: str) -> None:
    plugin = Plugin("all", version="1", classes=ALL.classes, archive=archive)
    (problem,) = check(with_one(plugins=[plugin]), rules.CONNECT)
    assert problem.rule == "connect-plugin-secret"
    assert "token@" not in str(problem)
    assert "pass-word" not in str(problem)


@pytest.mark.parametrize("archive", ["https://a.example.com/@scope/a@1.zip", "http://a.example.com:81/keys/a.tar.gz"])
def test_a_url_without_a_password_is_none_with_one(archive: str) -> None:
    plugin = Plugin("all", version="1", classes=ALL.classes, archive=archive, checksum=CHECKSUM)
    assert list(check(with_one(plugins=[plugin]), rules.CONNECT)) == []
