"""A part without a platform is held to the rules that it would be held to within one."""

from collections.abc import Callable
from typing import Any

import pytest

from hikube_kafka.platform import HikubeProvider, KafkaRelease, KafkaTopic, LocalEnsemble, ZooKeeperRelease
from hikube_kafka.platform.cdk import TerraformStack, TerraformVariable
from hikube_kafka.spec.ensemble import ServerProcess
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import KubernetesLayout
from hikube_kafka.spec.targets.kubernetes_rules import check_kafka
from hikube_kafka.spec.zookeeper import ZooKeeper

Synthesize = Callable[[TerraformStack], dict[str, Any]]
TOPIC: dict[str, Any] = {"name": "orders", "partitions": 1, "replication_factor": 1}
SHOP = KubernetesLayout(namespace="shop")


def refusal(stack: TerraformStack, synthesized: Synthesize) -> str:
    with pytest.raises(RuntimeError) as caught:
        synthesized(stack)
    return str(caught.value)


def test_a_zookeeper_release_is_held_to_the_rules_of_its_servers(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    zookeeper = ZooKeeper(servers=4, storage=Storage("1Gi", storage_class="-"), config={"ticktime": 2000})
    # Its brokers are of no account.
    platform = Platform(name="Shared", zookeeper=zookeeper, kafka=Kafka(racks=("",)))
    ZooKeeperRelease(stack, "shared", platform=platform, layout=SHOP)
    text = refusal(stack, synthesized)
    for rule in ("platform-name", "zookeeper-even", "kubernetes-name", "zookeeper-config-unknown-key"):
        assert text.count(f"[{rule}]") == 1, rule
    assert "rack" not in text


def test_a_kafka_release_is_held_to_the_rules_of_its_brokers(stack: TerraformStack, synthesized: Synthesize) -> None:
    kafka = Kafka(racks=("zone a",), config={"log.retention.hour": 1})
    platform = Platform(name="shop", kafka=kafka, zookeeper=ZooKeeper(servers=2))
    KafkaRelease(stack, "kafka", platform=platform, layout=SHOP, connect="zk-0:2181/shop,zk-1:2181/shop")
    text = refusal(stack, synthesized)
    for rule in ("kubernetes-rack", "broker-config-unknown-key", "kubernetes-connect"):
        assert text.count(f"[{rule}]") == 1, rule
    assert "zookeeper-even" not in text


@pytest.mark.parametrize(
    ("connect", "fault"),
    [
        ("", "'' is not a host"),
        ("zk:2181,", "'' is not a host"),
        ("http://zk:2181", "is not a"),
        ("zk:port", "'port' is not a port"),
        ("zk:70000", "'70000' is not a port"),
        ("zk:2181/a/", "names between single slashes"),
        ("zk-0:2181/a,zk-1:2181/a", "belongs to the end alone"),
        ("zk-0:2181,zk-1:2181/a/b", ""),
        ("zk", ""),
        ("10.0.0.1:2181,[2001:db8::1]:2181", ""),
        ("${TfToken[TOKEN.0]}", ""),
    ],
)
def test_where_brokers_are_told_to_find_zookeeper(connect: str, fault: str) -> None:
    found = [each for each in check_kafka(Platform(name="shop"), SHOP, connect) if each.severity == "error"]
    assert [each.rule for each in found] == (["kubernetes-connect"] if fault else [])
    assert all(fault in each.message for each in found)


def test_healthy_parts_are_synthesized(stack: TerraformStack, synthesized: Synthesize) -> None:
    name = TerraformVariable(stack, "name", type="string")
    HikubeProvider(stack, "hikube", bootstrap_servers="127.0.0.1:29092")
    number = TerraformVariable(stack, "number", type="number")
    KafkaTopic(stack, "one", name="orders", partitions=6, replication_factor=3, config={"retention.ms": "1000"})
    KafkaTopic(
        stack,
        "other",
        name=name.string_value,
        partitions=number.number_value,  # type: ignore[arg-type]
        replication_factor=number.number_value,  # type: ignore[arg-type]
        config={"retention.ms": name.string_value},
    )
    LocalEnsemble(
        stack,
        "ensemble",
        name=name.string_value,
        directory=name.string_value,
        zookeeper=[ServerProcess(kind="zookeeper", id=1, properties={"clientPort": "22181"}, heap="128m")],
        brokers=[],
    )
    content = synthesized(stack)
    assert set(content["resource"]) == {"hikube_kafka_topic", "hikube_local_ensemble"}


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"name": "a b"}, "topic-name"),
        ({"config": {"retentionMs": "1"}}, "topic-config-unknown-key"),
        ({"config": {"retention.ms": "soon"}}, "topic-config-type"),
        ({"config": {"partitions": "3"}}, "topic-config-declaration-field"),
    ],
)
def test_a_topic_is_held_to_kafkas_rules(
    given: dict[str, Any], rule: str, stack: TerraformStack, synthesized: Synthesize
) -> None:
    KafkaTopic(stack, "topic", **TOPIC | given)
    assert refusal(stack, synthesized).count(f"[{rule}]") == 1


@pytest.mark.parametrize("given", [{"partitions": 0}, {"replication_factor": "three"}, {"partitions": True}])
def test_a_topics_numbers_are_numbers(given: dict[str, Any], stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaTopic(stack, "topic", **TOPIC | given)
    assert next(iter(given)) in refusal(stack, synthesized)


def test_an_ensemble_is_held_to_the_rules_of_this_machine(stack: TerraformStack, synthesized: Synthesize) -> None:
    def broker(number: int, port: int) -> ServerProcess:
        listeners = {"listeners": f"CLIENT://127.0.0.1:{port}", "zookeeper.connect": "127.0.0.1:22181"}
        return ServerProcess(kind="broker", id=number, properties=listeners, heap="256m")

    zookeeper = ServerProcess(kind="zookeeper", id=1, properties={"clientPort": "29092", "dataDir": "d"}, heap="128m")
    brokers = [broker(0, 29092), broker(1, 70000)]
    LocalEnsemble(stack, "e", name="../e", directory="", zookeeper=[zookeeper], brokers=brokers)
    text = refusal(stack, synthesized)
    for rule in ("local-ensemble-name", "local-place", "local-port-twice", "local-port-range"):
        assert text.count(f"[{rule}]") == 1, rule
