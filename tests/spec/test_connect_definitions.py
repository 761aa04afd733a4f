"""Kafka's own definitions of Connect, and what they say about a worker's entries and a connector's."""

from typing import Any

import pytest

from hikube_kafka.spec.definitions.catalog import ConnectScope, connect_definitions, connect_plugins
from hikube_kafka.spec.definitions.connect import check_connector_config, check_worker_config
from hikube_kafka.spec.definitions.fault import Fault

CAST = "org.apache.kafka.connect.transforms.Cast$Value"
FILTER = "org.apache.kafka.connect.transforms.Filter"
ROUTER = "org.apache.kafka.connect.transforms.RegexRouter"
MATCHES = "org.apache.kafka.connect.transforms.predicates.TopicNameMatches"
JSON = "org.apache.kafka.connect.json.JsonConverter"


def told(faults: list[Fault]) -> list[tuple[str, str, str]]:
    return [(each.rule, each.severity, each.key) for each in faults]


@pytest.mark.parametrize(
    ("scope", "key"),
    [
        ("worker", "group.id"), ("producer", "acks"), ("consumer", "isolation.level"), ("admin", "retries"),
        ("sink", "errors.deadletterqueue.topic.name"), ("sink", "topics.regex"), ("source", "exactly.once.support"),
        ("source", "errors.tolerance"), ("topic_creation", "partitions"),
    ],
)  # fmt: skip
def test_the_definitions_have_the_keys_of_every_scope(scope: ConnectScope, key: str) -> None:
    assert key in connect_definitions(scope)


def test_the_definitions_know_what_kafka_brings() -> None:
    assert "schemas.enable" in connect_plugins("converter")[JSON]
    assert connect_plugins("transformation")[ROUTER]["regex"].required
    assert MATCHES in connect_plugins("predicate")
    assert connect_definitions("sink")["errors.tolerance"].allowed == ("none", "all")
    assert connect_definitions("worker")["status.storage.replication.factor"].also == (-1,)


HEALTHY_WORKERS: dict[str, dict[str, Any]] = {
    "keys of its own": {"offset.flush.interval.ms": 5000, "connect.protocol": "sessioned"},
    "clients": {"producer.compression.type": "zstd", "consumer.max.poll.records": "100", "admin.retries": 3},
    "a converter of Kafka's": {"value.converter": JSON, "value.converter.schemas.enable": True},
    "a converter of another's": {"value.converter": "io.example.Avro", "value.converter.registry.url": "x"},
    "providers": {"config.providers": "vault", "config.providers.vault.class": "io.example.Vault"},
    "references": {"producer.ssl.key.password": "${file:/secrets/a:b}", "offset.flush.interval.ms": "${env:FLUSH}"},
}


@pytest.mark.parametrize("name", HEALTHY_WORKERS)
def test_workers_take_what_is_theirs(name: str) -> None:
    assert check_worker_config(HEALTHY_WORKERS[name]) == []


@pytest.mark.parametrize(
    ("config", "fault", "remedy"),
    [
        ({"offset.flush.interval": 1}, ("unknown-key", "error", "offset.flush.interval"), "'offset.flush.interval.ms'"),
        ({"producer.compresion.type": "zstd"}, ("unknown-key", "error", "producer.compresion.type"),
         "'producer.compression.type'"),
        ({"offset.flush.interval.ms": "soon"}, ("type", "error", "offset.flush.interval.ms"), "default is '60000'"),
        ({"connect.protocol": "lazy"}, ("allowed", "error", "connect.protocol"), "sessioned"),
        ({"producer.acks": "some"}, ("allowed", "error", "producer.acks"), "default is 'all'"),
        ({"key.converter": "not a class"}, ("form", "error", "key.converter"), "leave the entry out"),
        ({"rest.extension.example": "x"}, ("unknown-key", "warning", "rest.extension.example"), "Keep it if"),
        ({"my key": "x"}, ("unknown-key", "error", "my key"), "no white space"),
        ({"value.converter": JSON, "value.converter.schema.enable": "x"},
         ("unknown-key", "error", "value.converter.schema.enable"), "'value.converter.schemas.enable'"),
        ({"exactly.once.source.support": "yes"}, ("allowed", "error", "exactly.once.source.support"), "disabled"),
    ],
)  # fmt: skip
def test_a_fault_of_workers_is_told_with_what_to_write(
    config: dict[str, Any], fault: tuple[str, str, str], remedy: str
) -> None:
    (found,) = check_worker_config(config)
    assert told([found]) == [fault]
    assert remedy in f"{found.problem} {found.remedy}"


HEALTHY_SINKS: dict[str, dict[str, Any]] = {
    "its own keys": {"topics": "a", "connection.url": "x", "database": "y", "batch.size": 5, "file": "f", "topic": "x"},
    "near to no key of Connect's": {"topics": "a", "retry.backoff.ms": 5, "max.retries": 3, "topics.dir": "d"},
    "transforms": {
        "topics": "a", "transforms": "route, cast,mine", "transforms.route.type": ROUTER,
        "transforms.route.regex": "a.*", "transforms.route.replacement": "b", "transforms.cast.type": CAST,
        "transforms.cast.spec": "a:int32", "transforms.mine.type": "com.example.Mine", "transforms.mine.any": 1,
    },
    "a predicate": {
        "topics": "a", "transforms": "drop", "transforms.drop.type": FILTER, "transforms.drop.predicate": "some",
        "transforms.drop.negate": "true", "predicates": "some", "predicates.some.type": MATCHES,
        "predicates.some.pattern": "b.*",
    },
    "a class by the last part of its name": {
        "topics": "a", "transforms": "route", "transforms.route.type": "RegexRouter", "transforms.route.regex": "a",
        "transforms.route.replacement": "b", "value.converter": "JsonConverter",
        "value.converter.schemas.enable": False,
    },
    "clients": {"topics": "a", "consumer.override.max.poll.records": 10, "producer.override.linger.ms": "5"},
    "what Terraform tells at apply": {
        "topics": "a", "errors.retry.timeout": "${var.timeout}", "transforms": "${TfToken[TOKEN.1]}",
        "errors.tolerance": "${local.tolerance}",
    },
    "aliases with dots": {
        "topics": "a", "transforms": "a,a.b", "transforms.a.type": "com.example.A", "transforms.a.b.type": ROUTER,
        "transforms.a.b.regex": "x", "transforms.a.b.replacement": "y",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY_SINKS)
def test_a_connector_keeps_what_is_its_own(name: str) -> None:
    assert check_connector_config(HEALTHY_SINKS[name], sink=True) == []


def test_a_source_may_have_topics_of_its_own() -> None:
    mirror = {"source.cluster.alias": "east", "target.cluster.alias": "west", "topics": "orders.*"}
    assert check_connector_config(mirror, sink=False) == []


@pytest.mark.parametrize("key", ["mongo.errors.tolerance", "src.key.converter", "src.header.converter"])
def test_a_key_of_connects_with_a_prefix_is_the_connectors_own(key: str) -> None:
    assert check_connector_config({key: "all"}, sink=False) == []
    assert check_connector_config({"topics": "a", key: "all"}, sink=True) == []


def test_a_source_may_create_topics() -> None:
    config = {
        "topic.creation.groups": "compacted",
        "topic.creation.default.partitions": 3,
        "topic.creation.default.replication.factor": -1,
        "topic.creation.compacted.include": "a.*",
        "topic.creation.compacted.cleanup.policy": "compact",
        "exactly.once.support": "required",
    }
    assert check_connector_config(config, sink=False) == []


FAULTY: list[tuple[dict[str, Any], tuple[str, str, str], str]] = [
    ({"error.tolerance": "all"}, ("unknown-key", "error", "error.tolerance"), "'errors.tolerance'"),
    ({"task.max": 3}, ("unknown-key", "error", "task.max"), "'tasks.max'"),
    ({"topicsRegex": "a.*"}, ("unknown-key", "error", "topicsRegex"), "'topics.regex'"),
    ({"tasks.max": 3}, ("declaration-field", "error", "tasks.max"), "tasks_max="),
    ({"connector.class": "a.B"}, ("declaration-field", "error", "connector.class"), "class instead"),
    ({"name": "a"}, ("declaration-field", "error", "name"), "name instead"),
    ({"errors.deadletterqueue.topic.name": "a"},
     ("declaration-field", "error", "errors.deadletterqueue.topic.name"), "dead_letters="),
    ({"errors.tolerance": "some"}, ("allowed", "error", "errors.tolerance"), "one of none, all"),
    ({"errors.tolerance": "ALL"}, ("allowed", "error", "errors.tolerance"), "Write 'all'."),
    ({"errors.log.enable": "yes"}, ("type", "error", "errors.log.enable"), "true or false"),
    ({"key.converter": "Json Converter"}, ("form", "error", "key.converter"), "Java class"),
    ({"value.converter.schemas.enable": False}, ("conflict", "error", "value.converter.schemas.enable"),
     "has no effect: a connector without a 'value.converter' of its own"),
    ({"value.converter": JSON, "value.converter.schema.enable": 1},
     ("unknown-key", "error", "value.converter.schema.enable"), "'value.converter.schemas.enable'"),
    ({"producer.override.compresion.type": "x"}, ("unknown-key", "error", "producer.override.compresion.type"),
     "'producer.override.compression.type'"),
    ({"transforms": "route"}, ("conflict", "error", "transforms.route.type"), "there is no"),
    ({"transforms.route.type": ROUTER}, ("conflict", "error", "transforms.route.type"), "does not have 'route'"),
    ({"transforms": "a,a", "transforms.a.type": "com.example.A"}, ("conflict", "error", "transforms"), "2 times"),
    ({"transforms": "r", "transforms.r.type": "org.apache.kafka.connect.transforms.Cast"},
     ("allowed", "error", "transforms.r.type"), "Cast$Key or org.apache.kafka.connect.transforms.Cast$Value"),
    ({"transforms": "r", "transforms.r.type": "org.apache.kafka.connect.transforms.RegexRouters"},
     ("allowed", "error", "transforms.r.type"), "RegexRouter."),
    ({"transforms": "r", "transforms.r.type": "not a class"}, ("form", "error", "transforms.r.type"), "Java class"),
    ({"transforms": "r", "transforms.r.type": ROUTER, "transforms.r.regex": "a"},
     ("conflict", "error", "transforms.r.replacement"), "RegexRouter needs"),
    ({"transforms": "r", "transforms.r.type": ROUTER, "transforms.r.regex": "a", "transforms.r.replacement": "b",
      "transforms.r.replacment": "b"},
     ("unknown-key", "error", "transforms.r.replacment"), "'transforms.r.replacement'"),
    ({"transforms": "f", "transforms.f.type": FILTER, "transforms.f.predicate": "some"},
     ("conflict", "error", "transforms.f.predicate"), "'predicates' does not have it"),
    ({"topics.regex": "a"}, ("conflict", "error", "topics"), "both there"),
    ({"exactly.once.support": "required"}, ("conflict", "error", "exactly.once.support"), "this is a sink"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "fault", "words"), FAULTY)
def test_a_fault_of_a_connector_is_told_once_with_what_to_write(
    config: dict[str, Any], fault: tuple[str, str, str], words: str
) -> None:
    (found,) = check_connector_config({"topics": "orders", **config}, sink=True)
    assert told([found]) == [fault]
    assert words in f"{found.problem} {found.remedy}"


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        ({"topic.creation.default.partitions": 1}, ["topic.creation.default.replication.factor"]),
        (
            {"topic.creation.default.partitions": 1, "topic.creation.default.replication.factor": 0},
            ["topic.creation.default.replication.factor"],
        ),
        (
            {
                "topic.creation.default.partitions": 1,
                "topic.creation.default.replication.factor": 3,
                "topic.creation.mine.partitions": 1,
            },
            ["topic.creation.mine.partitions"],
        ),
        ({"topics.regex": "a"}, ["topics.regex"]),
        ({"errors.deadletterqueue.context.headers.enable": True}, ["errors.deadletterqueue.context.headers.enable"]),
    ],
)
def test_a_fault_of_a_source_is_told(config: dict[str, Any], keys: list[str]) -> None:
    assert [each.key for each in check_connector_config(config, sink=False)] == keys


def test_no_value_of_a_password_is_shown() -> None:
    faults = check_connector_config({"topics": "a", "producer.override.ssl.key.password": True}, sink=True)
    assert [each.rule for each in faults] == ["type"]
    assert "True" not in f"{faults[0].problem} {faults[0].value}"
