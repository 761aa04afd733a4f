"""A model that is mistaken raises where it is read, and not where it is written: all mistakes are told together."""

import struct
from collections.abc import Callable
from typing import Any, cast

import pytest
from pydantic import BaseModel, ValidationError

from hikube_kafka.spec import (
    DeclarationError,
    Duration,
    Image,
    Kafka,
    KubernetesLayout,
    Listener,
    LocalLayout,
    Platform,
    Resources,
    Storage,
    Topic,
    Workload,
    ZooKeeper,
)
from hikube_kafka.spec.mistakes import is_reference
from hikube_kafka.spec.model import Declared, FieldError
from hikube_kafka.spec.rules import check

# As they are used without a type checker.
topic: Any = Topic
zookeeper: Any = ZooKeeper
kafka: Any = Kafka
platform: Any = Platform
kubernetes: Any = KubernetesLayout
local: Any = LocalLayout
image: Any = Image
resources: Any = Resources

A_TEXT_MARK = "${TfToken[TOKEN.3]}"
A_NUMBER_MARK = struct.unpack(">d", b"\xfd\xff\x00\x00\x00\x00\x00\x01")[0]

MISTAKES: list[tuple[Callable[[], Declared], list[str]]] = [
    (
        lambda: topic("orders", partitions=0),
        ["partitions = 0 is less than 1. Declare at least 1. [value-range]"],
    ),
    (
        lambda: topic("orders", partitions="six"),
        ["partitions = 'six' is not a whole number. Declare one, such as 3. [value-type]"],
    ),
    (
        lambda: Listener("client", port=cast("Any", "http")),
        ["port = 'http' is not a whole number. Declare one, such as 9092. [value-type]"],
    ),
    (
        lambda: topic("orders", partitions=1, config={"retention.ms": Duration("7d")}),
        [
            (
                "config[\"retention.ms\"] = Duration('7d') is not a text, a number or a truth value. Declare its "
                "number: Duration('7d').milliseconds. [value-type]"
            )
        ],
    ),
    (
        lambda: topic("orders", 6),
        ["6 is given without the name of its field. Name it: Topic(partitions=6). [field-unnamed]"],
    ),
    (
        lambda: topic("orders", partitons=6),
        ["Topic has no field partitons. Did you mean partitions? [field-unknown]"],
    ),
    (
        lambda: topic("orders"),
        ["partitions is not declared. Declare it: Topic(partitions=...). [field-missing]"],
    ),
    (
        lambda: topic("orders", partitions=1, config={"cleanup.policy": ["compact", "delete"]}),
        [
            (
                "config[\"cleanup.policy\"] = ['compact', 'delete'] is not a text, a number or a truth value. "
                'Declare one text: "compact,delete". [value-type]'
            )
        ],
    ),
    (
        lambda: zookeeper(5),
        ["5 is given without the name of its field. Name it: ZooKeeper(servers=5). [field-unnamed]"],
    ),
    (
        lambda: kafka(storage="10Gi"),
        ["storage = '10Gi' is not a Storage. Declare Storage(...). [value-type]"],
    ),
    (
        lambda: kafka(storage={}),
        ["size is not declared. Declare it: Storage(size=...). [field-missing]"],
    ),
    (
        lambda: kafka(racks="zone-a"),
        ["racks = 'zone-a' is not a list. Declare a list: racks=[...]. [value-type]"],
    ),
    (
        lambda: kafka(brokers=A_NUMBER_MARK),
        [
            (
                "brokers is a reference to a value that is known only at apply, and it must be known at synth. "
                "Declare the value itself: to choose it outside of the code, read it from os.environ or from the "
                "context of the app. [value-known-at-synth]"
            )
        ],
    ),
    (
        lambda: kubernetes(namespace="shop", pods={"anti_afinity": "required"}),
        ["Pods has no field anti_afinity. Did you mean anti_affinity? [field-unknown]"],
    ),
    (
        lambda: platform(name="shop", topics=topic("orders", partitions=1)),
        [
            (
                "topics = Topic(name='orders', partiti...{}, deletion_protection=True) is not a list. Declare a list: "
                "topics=[...]. [value-type]"
            )
        ],
    ),
    (
        lambda: local(broker_port=None),
        ["broker_port = None is not a whole number. Declare one, such as 9092. [value-type]"],
    ),
    (
        lambda: image(repository="kafka", tag="3.9", pull_policy="no"),
        ["pull_policy = 'no' is not one of 'IfNotPresent', 'Always', 'Never'. Declare one of them. [value-type]"],
    ),
    (
        lambda: resources(cpu=1, memory={"password": "hunter2"}),
        [
            (
                "memory: {'password': 'hunter2'} is not a Kubernetes quantity (a number and a suffix, such as 500m, 2, "
                "512Mi, 10Gi). Correct it. [value-form]"
            )
        ],
    ),
    (
        lambda: ZooKeeper(chroot="orders"),
        [
            (
                "chroot: 'orders' is not a place in ZooKeeper's tree. Write one such as /orders, with letters, digits, "
                "'-' and '_' after each '/'. [value-form]"
            )
        ],
    ),
    (
        lambda: Listener("CLIENT", port=9092),
        [
            (
                "name: 'CLIENT' is not a valid name of a listener. Use up to 15 lower-case letters, digits and '-', "
                "with a letter first. [value-form]"
            )
        ],
    ),
    (
        lambda: image(repository="kafka", tag="3.9", registry="https://a.b", digest="sha256:1"),
        [
            (
                "registry: 'https://a.b' is not the host of a registry. Declare the host, and a port if it needs one: "
                "mirror.example.com:5000. [value-form]"
            ),
            (
                "digest: 'sha256:1' is not a digest. Write sha256: and its 64 hexadecimal digits, with small letters. "
                "[value-form]"
            ),
        ],
    ),
    (
        lambda: Workload(write="25MB/s", retention="7d", peak=0.5),
        ["peak = 0.5 is less than 1. Declare at least 1. [value-range]"],
    ),
]


@pytest.mark.parametrize(("declare", "told"), MISTAKES)
def test_a_mistake_is_told_once_and_says_what_to_declare(declare: Callable[[], Declared], told: list[str]) -> None:
    assert [str(problem).partition("): ")[2] for problem in declare().problems()] == told


def test_a_mistake_names_what_was_declared_and_its_line() -> None:
    here = "tests/spec/test_mistakes.py"
    brokers = kafka(
        storage=Storage("10GB"),
        listeners=[Listener("client", port=80)],
    )
    declared = platform(name="shop", kafka=brokers, topics=[topic("orders", partitions=0), topic(3, partitions=1)])
    where = [problem.where for problem in declared.problems()]
    assert [each.partition(" (")[0] for each in where] == [
        "kafka.storage",
        "listener client",
        "topic orders",
        "topics[1]",
    ]
    assert all(here in each for each in where), where


def test_all_mistakes_of_a_model_are_told_together() -> None:
    mistaken = topic("orders", partitions=0, replication_factor="x", config={"a": None}, protected=True)
    assert [problem.path for problem in mistaken.problems()] == [
        ("partitions",),
        ("replication_factor",),
        ("config", "a"),
        ("protected",),
    ]


def test_reading_what_is_mistaken_raises_all_mistakes_and_the_rest_can_be_read() -> None:
    mistaken = topic("orders", partitions=0, config={"retention.ms": 1, "cleanup.policy": None})
    assert mistaken.name == "orders"
    assert mistaken.config == {"retention.ms": 1}
    with pytest.raises(DeclarationError, match=r"(?s)partitions = 0.*cleanup\.policy") as refused:
        _ = mistaken.partitions
    assert isinstance(refused.value, FieldError)
    assert refused.value.of is mistaken


def test_rules_are_asked_about_what_can_be_read() -> None:
    declared = platform(
        name="shop",
        zookeeper=zookeeper(servers=4),
        topics=[
            topic("first", partitions=0, replication_factor=9),
            topic("a/b", partitions=1, replication_factor="x"),
            topic("last", partitions=1, replication_factor=7),
        ],
    )
    found = [(problem.where, problem.rule) for problem in check(declared) if problem.severity == "error"]
    assert found == [
        ("zookeeper.servers", "zookeeper-even"),
        ("topic 'a/b'", "topic-name"),
        ("topic first", "replication-factor-above-brokers"),
        ("topic last", "replication-factor-above-brokers"),
    ]


def test_rules_say_nothing_that_follows_from_a_mistake() -> None:
    """With brokers that nobody knows, no replication factor is too large."""
    declared = platform(name="shop", kafka=kafka(brokers=0), topics=[topic("a", partitions=1, replication_factor=9)])
    assert [problem for problem in check(declared) if problem.severity == "error"] == []


@pytest.mark.parametrize(
    "value", [A_TEXT_MARK, f"a-{A_TEXT_MARK}", A_NUMBER_MARK, [A_TEXT_MARK], {A_TEXT_MARK: ""}, "${var.count}"]
)
def test_a_reference_is_known_by_its_mark(value: Any) -> None:
    assert is_reference(value)


@pytest.mark.parametrize("value", ["orders", -1e300, 3, True, None, [], {}, ["a", "b"], "${file:/etc/secret:key}"])
def test_what_people_write_is_no_reference(value: Any) -> None:
    assert not is_reference(value)


def test_what_may_be_a_secret_is_not_shown() -> None:
    (problem,) = kafka(config={"ssl.key.password": ["hunter2"]}).problems()
    assert "hunter2" not in str(problem)


def test_a_preset_that_is_none_is_told_with_those_that_there_are() -> None:
    (problem,) = Kafka(resources=Resources.preset("huge")).problems()
    assert problem.where.startswith("Kafka.resources (")
    assert problem.message == "preset = 'huge' is not a preset of Hikube's."
    assert problem.remedy == "Declare one of nano, micro, small, medium, large, xlarge, 2xlarge."


@pytest.mark.parametrize("value", [A_TEXT_MARK, A_NUMBER_MARK])
def test_an_entry_that_must_be_known_at_synth_is_told_as_a_reference(value: Any) -> None:
    declared = Platform(
        name="shop",
        kafka=Kafka(config={"num.network.threads": value, "metric.reporters": A_TEXT_MARK, "num.io.threads": 0}),
        topics=[Topic("orders", partitions=1, config={"retention.ms": value})],
    )
    found = [(each.where, each.rule) for each in check(declared) if each.severity == "error"]
    assert found == [
        ("kafka.config", "value-known-at-synth"),
        ("kafka.config", "broker-config-range"),
        ("topic orders", "value-known-at-synth"),
    ]


def test_a_misspelt_key_of_an_entry_that_is_a_reference_is_told_as_misspelt() -> None:
    declared = Platform(
        name="shop",
        zookeeper=ZooKeeper(config={"tickTme": A_TEXT_MARK}),
        kafka=Kafka(config={"num.network.thread": A_TEXT_MARK}),
        topics=[Topic("orders", partitions=1, config={"retentionMs": A_TEXT_MARK})],
    )
    assert [problem.rule.partition("-config-")[2] for problem in check(declared) if problem.severity == "error"] == [
        "unknown-key"
    ] * 3


@pytest.mark.parametrize("entries", [{"&{TfToken[TOKEN.1]}": "String Map Token Value"}, ["#{TfToken[TOKEN.0]}"]])
def test_a_reference_in_place_of_all_entries_is_told_as_one(entries: Any) -> None:
    several = isinstance(entries, list)
    declared = [
        kafka(racks=entries) if several else kafka(config=entries),
        kubernetes(namespace="shop", **{"image_pull_secrets" if several else "labels": entries}),
    ]
    assert [[problem.rule for problem in each.problems()] for each in declared] == [["value-known-at-synth"]] * 2


class OfATeam(Topic):
    """A model that somebody has derived, with a constructor of its own."""

    def __init__(self, team: str, *, partitions: Any = 3) -> None:
        super().__init__(f"{team.lower()}.events", partitions=partitions)


def test_a_derived_model_tells_what_is_mistaken_in_the_fields() -> None:
    (problem,) = OfATeam("Sales", partitions=0).problems()
    assert problem.where.startswith("topic sales.events (tests/spec/test_mistakes.py:")
    assert problem.message == "partitions = 0 is less than 1."


def test_a_fault_of_a_derived_models_own_constructor_stays_an_error_of_python() -> None:
    team: Any = None
    with pytest.raises(AttributeError, match="lower"):
        OfATeam(team)


def test_an_error_of_another_model_in_such_a_constructor_stays_that_error() -> None:
    class Settings(BaseModel):
        team: str

    class OfSettings(Topic):
        def __init__(self, **settings: Any) -> None:
            super().__init__(Settings(**settings).team, partitions=3)

    with pytest.raises(ValidationError, match="Settings"):
        OfSettings(teem="sales")


def test_a_set_has_one_order_in_every_run() -> None:
    racks = {"zone-c", "zone-a", "zone-e", "zone-b", "zone-d"}
    assert kafka(racks=racks).racks == ("zone-a", "zone-b", "zone-c", "zone-d", "zone-e")
