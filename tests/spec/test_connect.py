"""What a declaration of Kafka Connect becomes: topics, workers' properties, connectors' configurations."""

from typing import Any

import pytest

from hikube_kafka.spec.connect import ConnectCluster, Connector, ConnectorState, Offsets, Plugin
from hikube_kafka.spec.connect_worker import (
    all_topics,
    connector_config,
    dead_letter_topic,
    group_id,
    internal_topics,
    is_sink,
    overrides,
    worker_properties,
)
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.topic import DEAD_LETTER_HEADERS, Topic

SINK = Connector("search", "com.example.SearchSink", config={"topics": "orders"})
SOURCE = Connector("rows", "com.example.RowSource", config={"table": "orders"})


def platform(
    *connectors: Connector, topics: tuple[Topic, ...] = (), kafka: Kafka | None = None, **cluster: Any
) -> Platform:
    connect = ConnectCluster("changes", connectors=connectors, **cluster)
    return Platform(name="shop", topics=topics, connect=[connect], kafka=kafka or Kafka())


def properties(declared: Platform) -> dict[str, str]:
    return worker_properties(
        declared,
        declared.connect[0],
        bootstrap_servers="127.0.0.1:9092",
        listeners="http://127.0.0.1:8083",
        advertised=("127.0.0.1", 8083),
        plugin_path="plugins",
        secrets="/secrets",
    )


def by_name(declared: Platform) -> dict[str, Topic]:
    return {topic.name: topic for topic in all_topics(declared)}


def test_a_cluster_needs_three_compacted_topics_and_one_for_the_dead_letters_of_each_sink() -> None:
    topics = by_name(platform(SINK, SOURCE))
    assert {name: topic.partitions for name, topic in topics.items()} == {
        "shop-connect-changes.configs": 1,
        "shop-connect-changes.offsets": 25,
        "shop-connect-changes.status": 5,
        "search.dead-letters": 1,
    }
    internal = [topic for name, topic in topics.items() if name.startswith("shop-connect")]
    assert [dict(topic.config) for topic in internal] == [{"cleanup.policy": "compact"}] * 3
    assert topics["search.dead-letters"] == Topic.dead_letters(of="search")
    assert {topic.deletion_protection for topic in topics.values()} == {True}


def test_the_topics_of_a_cluster_follow_its_deletion_protection() -> None:
    topics = all_topics(platform(SINK, deletion_protection=False))
    assert [topic.deletion_protection for topic in topics] == [False] * 4


def test_a_declared_topic_stands_in_place_of_one_that_would_be_made() -> None:
    status = Topic("shop-connect-changes.status", partitions=9, config={"cleanup.policy": "compact"})
    aside = Topic("search.dead-letters", partitions=3)
    declared = platform(SINK, topics=(status, aside))
    assert by_name(declared)[status.name] is status
    assert by_name(declared)[aside.name] is aside
    assert len(all_topics(declared)) == 4


def test_a_platform_without_connect_has_the_topics_that_it_declares() -> None:
    orders = Topic("orders", partitions=1)
    assert all_topics(Platform(name="shop", topics=[orders])) == (orders,)


@pytest.mark.parametrize(
    ("kafka", "orders", "largest"),
    [
        (Kafka(), {}, 1_048_588),
        (Kafka(config={"message.max.bytes": 3_000_000}), {}, 3_000_000),
        (Kafka(config={"message.max.bytes": 3_000_000}), {"max.message.bytes": "4000000"}, 4_000_000),
    ],
)
def test_dead_letters_have_room_for_the_largest_message_and_its_headers(
    kafka: Kafka, orders: dict[str, Any], largest: int
) -> None:
    declared = platform(SINK, topics=(Topic("orders", partitions=1, config=orders),), kafka=kafka)
    room = by_name(declared)["search.dead-letters"].config["max.message.bytes"]
    assert room == largest + DEAD_LETTER_HEADERS
    assert connector_config(declared, SINK)["producer.override.max.request.size"] == str(room)


def test_a_declared_topic_of_dead_letters_tells_the_producer_how_large_they_may_be() -> None:
    aside = Topic("search.dead-letters", partitions=1, config={"max.message.bytes": 5_000_000})
    declared = platform(SINK, topics=(aside,))
    assert connector_config(declared, SINK)["producer.override.max.request.size"] == "5000000"
    plain = platform(SINK, topics=(Topic("search.dead-letters", partitions=1),))
    assert connector_config(plain, SINK)["producer.override.max.request.size"] == "1048588"


def test_workers_that_allow_no_overrides_are_given_none() -> None:
    declared = platform(SINK, config={"connector.client.config.override.policy": "None"})
    assert "producer.override.max.request.size" not in connector_config(declared, SINK)


def test_the_configuration_of_a_sink_is_complete() -> None:
    assert connector_config(platform(SINK, kafka=Kafka(brokers=1)), SINK) == {
        "connector.class": "com.example.SearchSink",
        "errors.deadletterqueue.context.headers.enable": "true",
        "errors.deadletterqueue.topic.name": "search.dead-letters",
        "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.log.enable": "true",
        "errors.tolerance": "all",
        "producer.override.max.request.size": "2097164",
        "tasks.max": "1",
        "topics": "orders",
    }


def test_a_source_and_a_sink_without_dead_letters_have_no_more_than_is_declared() -> None:
    assert connector_config(platform(SOURCE), SOURCE) == {
        "connector.class": "com.example.RowSource",
        "table": "orders",
        "tasks.max": "1",
    }
    sink = Connector("search", "com.example.SearchSink", config={"topics": "orders"}, dead_letters=False, tasks_max=4)
    assert connector_config(platform(sink), sink) == {
        "connector.class": "com.example.SearchSink",
        "tasks.max": "4",
        "topics": "orders",
    }


def test_values_are_written_as_kafka_reads_them_and_references_stay() -> None:
    declared = Connector(
        "rows", "com.example.RowSource", config={"on": True, "n": 5, "database.password": "${dir:/secrets/pg:password}"}
    )
    config = connector_config(platform(declared), declared)
    assert (config["on"], config["n"]) == ("true", "5")
    assert config["database.password"] == "${dir:/secrets/pg:password}"


@pytest.mark.parametrize(
    ("connector_class", "config", "kind"),
    [
        ("com.example.SearchSink", {"topics": "orders"}, "sink"),
        ("com.example.SearchSink", {"topics.regex": "orders.*"}, "sink"),
        ("com.example.Search", {"topics": "orders"}, "sink"),
        ("com.example.Search", {}, "source"),
        ("org.apache.kafka.connect.mirror.MirrorSourceConnector", {"topics": "orders"}, "source"),
        ("org.apache.kafka.connect.mirror.MirrorCheckpointConnector", {"topics": ".*"}, "source"),
        ("org.example.CamelMqttSourceConnector", {"topics": "orders"}, "source"),
        ("org.example.OpenSourceSearchSinkConnector", {"topics": "orders"}, "sink"),
    ],
)
def test_a_sink_is_told_by_its_topics_and_its_class(connector_class: str, config: dict[str, Any], kind: str) -> None:
    assert is_sink(Connector("one", connector_class, config=config)) == (kind == "sink")


def test_dead_letters_may_go_to_a_topic_of_another_name_or_nowhere() -> None:
    def sink(**fields: Any) -> Connector:
        return Connector("search", "com.example.SearchSink", config={"topics": "orders"}, **fields)

    assert dead_letter_topic(sink()) == "search.dead-letters"
    assert dead_letter_topic(sink(dead_letters="aside")) == "aside"
    assert dead_letter_topic(sink(dead_letters=False)) is None
    assert dead_letter_topic(SOURCE) is None


def test_workers_know_their_group_their_topics_and_where_secrets_are() -> None:
    declared = platform(kafka=Kafka(brokers=2))
    found = properties(declared)
    assert found["group.id"] == group_id(declared, declared.connect[0]) == "shop-connect-changes"
    topics = {found[f"{kind}.storage.topic"] for kind in ("config", "offset", "status")}
    assert topics == {topic.name for topic in internal_topics(declared, declared.connect[0])}
    assert {found[f"{kind}.storage.replication.factor"] for kind in ("config", "offset", "status")} == {"2"}
    assert found["config.providers.dir.param.allowed.paths"] == "/secrets"
    assert found["listeners"] == "http://127.0.0.1:8083"
    assert found["task.shutdown.graceful.timeout.ms"] == "30000"
    assert list(found) == sorted(found)


def test_a_declared_entry_wins_but_for_those_that_others_rely_on() -> None:
    declared = platform(config={"offset.flush.interval.ms": 5000, "group.id": "mine", "plugin.path": "/elsewhere"})
    found = properties(declared)
    assert found["offset.flush.interval.ms"] == "5000"
    assert found["plugin.path"] == "plugins"
    assert [(each.where, each.key, each.declared, each.computed) for each in overrides(declared)] == [
        ("Connect cluster changes", "offset.flush.interval.ms", "5000", "10000")
    ]


def test_another_converter_gets_no_entry_of_the_one_it_replaces() -> None:
    found = properties(platform(config={"value.converter": "org.apache.kafka.connect.storage.StringConverter"}))
    assert "value.converter.schemas.enable" not in found
    assert found["key.converter.schemas.enable"] == "false"


def test_an_entry_of_a_connector_that_replaces_a_computed_one_is_told() -> None:
    sink = Connector("search", "com.example.SearchSink", config={"topics": "orders", "errors.log.enable": False})
    assert [(each.where, each.key, each.declared, each.computed) for each in overrides(platform(sink))] == [
        ("connector search", "errors.log.enable", "false", "true")
    ]


def test_equal_declarations_are_one() -> None:
    def declared() -> Platform:
        offsets = Offsets(on_change="set", to=({"partition": {"server": "shop"}, "offset": {"lsn": 5}},))
        return platform(Connector("rows", "com.example.RowSource", state="paused", offsets=offsets))

    assert declared() == declared()
    assert hash(declared()) == hash(declared())
    assert declared().connect[0].connectors[0].state is ConnectorState.PAUSED


MISTAKES: dict[str, tuple[Any, list[str]]] = {
    "plugin": (
        Plugin("Pg", version="", maven="a:b", archive="file.rar", checksum="md5:1"),
        [
            "name: 'Pg' is not a valid name of a plugin. Use up to 40",
            "version: it is empty. Declare it.",
            "maven: 'a:b' is not a valid Maven coordinate. Write group:artifact:version,",
            "archive: 'file.rar' is not a valid location of an archive. Use a URL that ends with",
            "checksum: 'md5:1' is not a valid checksum. Write sha256: and 64 hexadecimal digits, or sha512: and 128.",
        ],
    ),
    "an archive with secrets in its URL": (
        Plugin("pg", version="1", archive="https://me:hunter2@store.example/pg.zip?X-Amz-Signature=hunter3"),
        ["archive: 'https://store.example/pg.zip' is not a valid location of an archive. Use a URL that ends with"],
    ),
    "connector": (
        Connector("my sink", "SearchSink", tasks_max=0, state="runing", dead_letters=True),  # type: ignore[arg-type]
        [
            "name: 'my sink' is not a valid name of a connector. Use up to 200 letters",
            "connector_class: 'SearchSink' is not a Java class in full. Write its package too",
            "tasks_max = 0 is less than 1.",
            "state = 'runing' is not one of 'running', 'paused', 'stopped'.",
            "dead_letters: True names no topic. Declare its name, False, or leave it out",
        ],
    ),
    "dead letters without a name": (
        Connector("search", "com.example.SearchSink", dead_letters=""),
        ["dead_letters: '' names no topic. Declare its name, False, or leave it out"],
    ),
    "set without offsets": (Offsets(on_change="set"), ['on_change = "set" needs offsets. Declare them with to=[...].']),
    "offsets without set": (
        Offsets(to=({"partition": {}, "offset": {}},)),
        ['it is not used with on_change = "keep". Declare on_change="set", or no to.'],
    ),
    "no offset": (
        Offsets(on_change="set", to=({"partition": {}},)),
        ['to[0] is not an offset. Write {"partition": {...}, "offset": {...}}.'],
    ),
    "cluster": (
        ConnectCluster("Changes", workers=0, plugin=[]),  # type: ignore[call-arg]
        [
            "name: 'Changes' is not a valid name of a Connect cluster. Use up to 20",
            "workers = 0 is less than 1.",
            "ConnectCluster has no field plugin. Did you mean plugins?",
        ],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_all_at_once_and_raise_nothing(name: str) -> None:
    declared, expected = MISTAKES[name]
    found = [str(each) for each in declared.problems()]
    assert len(found) == len(expected), found
    for text, part in zip(found, expected, strict=True):
        assert part in text


def test_a_mistake_below_a_platform_is_told_once() -> None:
    connector = Connector("rows", "com.example.RowSource", offsets=Offsets(on_change="set"))
    (problem,) = platform(connector).problems()
    assert problem.rule == "value-form"
