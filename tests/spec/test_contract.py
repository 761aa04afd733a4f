import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hikube_kafka.spec.contract import Contract, KubernetesExpected, ReachByPortForward
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.targets.local import LocalLayout
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper

VERSION_1 = Path(__file__).parent / "contracts"
SCHEMA = Path(__file__).parents[2] / "docs" / "contract.schema.json"


def contract() -> Contract:
    topics = (
        Topic("orders", partitions=6, config={"retention.ms": 1000}),
        Topic("cache", partitions=1, replication_factor=1),
    )
    return LocalLayout().contract(Platform(name="shop", kafka=Kafka(racks=("a", "b", "c")), topics=topics))


def test_the_contract_promises_every_server_and_every_topic() -> None:
    promised = contract()
    assert [(server.id, server.address) for server in promised.zookeeper.servers] == [
        (1, "127.0.0.1:22181"),
        (2, "127.0.0.1:22182"),
        (3, "127.0.0.1:22183"),
    ]
    assert [(broker.id, broker.rack) for broker in promised.kafka.brokers] == [(0, "a"), (1, "b"), (2, "c")]
    assert promised.kafka.settings["min.insync.replicas"] == "2"
    orders, cache = promised.topics
    assert (orders.partitions, orders.replication_factor, orders.config) == (6, 3, {"retention.ms": "1000"})
    assert (cache.replication_factor, cache.config) == (1, {"min.insync.replicas": "1"})
    assert promised.bootstrap_servers == "127.0.0.1:29092,127.0.0.1:29093,127.0.0.1:29094"


def test_the_contract_survives_a_terraform_output() -> None:
    assert Contract.model_validate_json(contract().model_dump_json()) == contract()


@pytest.mark.parametrize("version", [0, 3, "2", None])
def test_a_contract_of_an_unknown_version_is_refused_with_those_that_are_read(version: Any) -> None:
    with pytest.raises(ValidationError, match="this release reads versions 1 and 2"):
        Contract.model_validate(contract().model_dump() | {"version": version})


@pytest.mark.parametrize("target", ["kubernetes", "local"])
def test_a_contract_of_version_1_is_read_as_one_of_version_2(target: str) -> None:
    """The two are outputs of platforms that were deployed with version 1."""
    stored = (VERSION_1 / f"version_1_{target}.json").read_text("utf-8")
    deployed, promised = json.loads(stored), Contract.model_validate_json(stored)
    zookeeper = deployed.pop("zookeeper")
    kubernetes = {"coordinator": deployed["kubernetes"].pop("zookeeper")} if target == "kubernetes" else {}
    deployed |= {"version": 2, "coordinator": {"kind": "zookeeper"} | zookeeper}
    if kubernetes:
        deployed["kubernetes"] |= kubernetes
    assert promised.model_dump(mode="json", exclude_none=True) == deployed


def test_a_contract_of_version_1_with_a_field_that_it_did_not_have_is_refused() -> None:
    stored = json.loads((VERSION_1 / "version_1_local.json").read_text("utf-8"))
    with pytest.raises(ValidationError, match="surprise"):
        Contract.model_validate(stored | {"surprise": 1})
    with pytest.raises(ValidationError, match="coordinator"):
        Contract.model_validate({key: value for key, value in stored.items() if key != "zookeeper"})


def test_a_coordinator_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="should be 'zookeeper'"):
        Contract.model_validate(contract().model_dump() | {"coordinator": {"kind": "abacus", "servers": []}})


def test_a_platform_has_one_coordinator_however_it_is_declared() -> None:
    five = ZooKeeper(servers=5)
    assert Platform(name="shop", zookeeper=five) == Platform(name="shop", coordinator=five)
    assert Platform(name="shop", zookeeper=five).zookeeper == five
    assert Platform.model_validate(Platform(name="shop", zookeeper=five).model_dump()).coordinator == five
    (problem,) = Platform(name="shop", coordinator=five, zookeeper=five).problems()
    assert problem.remedy == "Keep one of them."


def test_a_field_that_this_version_does_not_know_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Contract.model_validate(contract().model_dump() | {"surprise": 1})


def test_a_contract_that_promises_pods_must_name_them() -> None:
    promised = contract().model_dump() | {"kubernetes": KubernetesExpected().model_dump()}
    with pytest.raises(ValidationError, match="only a reach by port-forward names them"):
        Contract.model_validate(promised)
    reach = ReachByPortForward(namespace="kafka", kafka_pods="shop-kafka", zookeeper_pods="shop-zookeeper")
    assert Contract.model_validate(promised | {"reach": reach.model_dump()}).kubernetes == KubernetesExpected()


def test_a_pod_is_named_after_its_server() -> None:
    reach = ReachByPortForward(namespace="kafka", kafka_pods="shop-kafka", zookeeper_pods="shop-zookeeper")
    assert (reach.broker_pod(0), reach.zookeeper_pod(1)) == ("shop-kafka-0", "shop-zookeeper-0")


def test_from_outside_brokers_have_the_addresses_of_their_port_forwards() -> None:
    assert contract().from_outside() == contract()
    reach = ReachByPortForward(
        namespace="kafka", kafka_pods="shop-kafka", zookeeper_pods="shop-zookeeper", forward_port=19192
    )
    outside = contract().model_copy(update={"reach": reach}).from_outside()
    assert outside.bootstrap_servers == "127.0.0.1:19192,127.0.0.1:19193,127.0.0.1:19194"
    assert outside.zookeeper == contract().zookeeper


def test_the_committed_schema_is_the_models() -> None:
    """Regenerate: python -m hikube_kafka.spec.contract > docs/contract.schema.json."""
    assert json.loads(SCHEMA.read_text()) == Contract.model_json_schema()


def test_a_field_that_a_platform_does_not_have_is_refused_by_its_name() -> None:
    with pytest.raises(ValidationError, match=r"(?s)^1 validation error for Platform\nzoo_keeper\n"):
        Platform.model_validate({"name": "shop", "zoo_keeper": {}})
