import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from hikube_kafka.spec.contract import Contract, KubernetesExpected, ReachByPortForward
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.targets.local import LocalLayout
from hikube_kafka.spec.topic import Topic

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


def test_a_contract_of_another_version_is_refused() -> None:
    newer = contract().model_dump() | {"version": 2}
    with pytest.raises(ValidationError, match="version"):
        Contract.model_validate(newer)


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
