"""A healthy layout raises nothing; each test spoils one thing and sees that one problem."""

from typing import Any

import pytest

from hikube_kafka.spec.chart_values import kafka_values, zookeeper_values
from hikube_kafka.spec.contract import ClaimExpected, KubernetesExpected, ReachByPortForward, ServersExpected
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.spec.security import Mechanism, Protocol
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import MARKS, ExternalAccess, Image, KubernetesLayout, Pods
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper

LAYOUT = KubernetesLayout(namespace="shop")
CLIENT = Listener("client", port=9092)
OUTSIDE = Listener("outside", port=9094)


def platform(**kafka: Any) -> Platform:
    return Platform(name="events", kafka=Kafka(**kafka), topics=(Topic("orders", partitions=6),))


def test_a_healthy_layout_has_no_problem() -> None:
    assert list(LAYOUT.check(platform())) == []
    external = ExternalAccess(type="LoadBalancer", listener="outside", host="kafka-<ordinal>.example.com")
    layout = KubernetesLayout(namespace="shop", external=external)
    assert list(layout.check(platform(listeners=(CLIENT, OUTSIDE)))) == []


@pytest.mark.parametrize(
    ("layout", "kafka", "rule", "part"),
    [
        (
            {},
            {"listeners": (Listener("client", port=9092, protocol=Protocol.SASL_SSL, mechanism=Mechanism.PLAIN),)},
            "kubernetes-listener-protocol",
            "neither certificates nor users",
        ),
        ({}, {"listeners": (CLIENT, Listener("forward", port=9095))}, "kubernetes-forward-listener", "19092 to 19094"),
        ({}, {"listeners": (Listener("client", port=19094),)}, "kubernetes-forward-listener", "19092 to 19094"),
        ({"forward_port": 9090}, {}, "kubernetes-forward-listener", "9090 to 9092"),
        (
            {"external": ExternalAccess(type="NodePort", listener="client")},
            {},
            "kubernetes-external-listener",
            "'client' is not among the declared listeners after the first: there are none",
        ),
        (
            {"external": ExternalAccess(type="LoadBalancer", listener="outside", host="kafka.example.com")},
            {"listeners": (CLIENT, OUTSIDE)},
            "kubernetes-external-host",
            "kafka.example.com is the same for several brokers",
        ),
        (
            {"external": ExternalAccess(type="LoadBalancer", listener="outside")},
            {"listeners": (CLIENT, OUTSIDE)},
            "kubernetes-external-host",
            "<node> is the same",
        ),
        (
            {"external": ExternalAccess(type="LoadBalancer", listener="outside")},
            {"listeners": (CLIENT, OUTSIDE), "brokers": 1},
            "kubernetes-external-host",
            "no load balancer's",
        ),
        ({"rack_from_zone": True}, {"racks": ("a", "b")}, "kubernetes-racks-twice", "rack_from_zone"),
    ],
)
def test_a_spoilt_layout_is_refused(layout: dict[str, Any], kafka: dict[str, Any], rule: str, part: str) -> None:
    (problem,) = KubernetesLayout(namespace="shop", **layout).check(platform(**kafka))
    assert (problem.rule, problem.severity) == (rule, "error")
    assert part in problem.message


def test_a_namespace_is_a_label() -> None:
    with pytest.raises(ValueError, match="namespace"):
        KubernetesLayout(namespace="Shop")


def test_the_contract_is_read_through_port_forwards() -> None:
    contract = KubernetesLayout(namespace="shop", context="production").contract(platform(racks=("a", "b")))
    assert contract.target == "kubernetes"
    assert contract.reach == ReachByPortForward(
        namespace="shop", context="production", kafka_pods="events-kafka", zookeeper_pods="events-zookeeper"
    )
    assert [broker.address for broker in contract.kafka.brokers] == [
        f"events-kafka-{broker}.events-kafka-headless.shop.svc:9092" for broker in range(3)
    ]
    assert [server.address for server in contract.zookeeper.servers] == [
        f"events-zookeeper-{server}.events-zookeeper-headless.shop.svc:2181" for server in range(3)
    ]
    assert [broker.rack for broker in contract.kafka.brokers] == ["a", "b", "a"]
    assert contract.topics[0].replication_factor == 3


def test_the_contract_promises_what_the_charts_lay_down() -> None:
    declared = platform().model_copy(
        update={
            "coordinator": ZooKeeper(storage=Storage("5Gi"), log_storage=Storage("1Gi", storage_class="fast")),
            "kafka": Kafka(brokers=1, storage=Storage("9Gi")),
        }
    )
    mirror = Image(registry="mirror.example", repository="apache/kafka", tag="3.9.2", digest=f"sha256:{'0' * 64}")
    promised = KubernetesLayout(namespace="shop", kafka_image=mirror).contract(declared).kubernetes
    assert promised == KubernetesExpected(
        coordinator=ServersExpected(
            images={"zookeeper": "zookeeper:3.9.5"},
            claims=(
                ClaimExpected(name="data", size=Quantity("5Gi")),
                ClaimExpected(name="log", size=Quantity("1Gi"), storage_class="fast"),
            ),
            max_unavailable=1,
            own_nodes=True,
        ),
        kafka=ServersExpected(
            images={"kafka": f"mirror.example/apache/kafka:3.9.2@sha256:{'0' * 64}"},
            claims=(ClaimExpected(name="data", size=Quantity("9Gi")),),
            max_unavailable=1,
        ),
    )


def test_pods_that_may_share_a_node_are_not_promised_nodes_of_their_own() -> None:
    promised = KubernetesLayout(namespace="shop", pods=Pods(anti_affinity="preferred")).contract(platform()).kubernetes
    assert promised is not None
    assert not promised.kafka.own_nodes


def test_brokers_differ_only_where_a_mark_stands() -> None:
    config = kafka_values(platform(racks=("a", "b")), LAYOUT).config
    assert {key: value for key, value in config.items() if any(mark in value for mark in MARKS)} == {
        "broker.id": "<ordinal>",
        "broker.rack": "<rack>",
        "listeners": "CLIENT://:9092,FORWARD://127.0.0.1:<forward-port>",
        "advertised.listeners": "CLIENT://<host>:9092,FORWARD://127.0.0.1:<forward-port>",
    }
    assert config["inter.broker.listener.name"] == "CLIENT"
    assert config["listener.security.protocol.map"] == "CLIENT:PLAINTEXT,FORWARD:PLAINTEXT"
    assert config["zookeeper.session.timeout.ms"] == "6000"
    assert config["zookeeper.connect"] == ",".join(
        f"events-zookeeper-{server}.events-zookeeper-headless.shop.svc:2181" for server in range(3)
    )


@pytest.mark.parametrize(("servers", "named"), [(1, 1), (3, 3), (5, 3), (7, 4), (9, 5)])
def test_brokers_are_told_of_zookeeper_servers_enough_that_one_always_serves(servers: int, named: int) -> None:
    """And of no more: the brokers stay as they are while an ensemble of three grows to five."""
    declared = platform().model_copy(update={"coordinator": ZooKeeper(servers=servers, chroot="/shop")})
    assert LAYOUT.zookeeper_connect(declared) == (
        ",".join(f"events-zookeeper-{server}.events-zookeeper-headless.shop.svc:2181" for server in range(named))
        + "/shop"
    )


def test_without_racks_a_broker_has_none() -> None:
    assert "broker.rack" not in kafka_values(platform(), LAYOUT).config
    from_zone = kafka_values(platform(), KubernetesLayout(namespace="shop", rack_from_zone=True))
    assert from_zone.config["broker.rack"] == "<rack>"
    assert from_zone.rack.from_zone


@pytest.mark.parametrize(
    ("external", "advertised"),
    [
        ({"type": "NodePort"}, "<node>:<node-port>"),
        ({"type": "LoadBalancer", "host": "kafka-<ordinal>.example.com"}, "kafka-<ordinal>.example.com:9094"),
        ({"type": "None"}, "<host>:9094"),
    ],
)
def test_external_clients_are_told_an_address_of_their_own(external: dict[str, Any], advertised: str) -> None:
    layout = KubernetesLayout(namespace="shop", external=ExternalAccess(listener="outside", **external))
    config = kafka_values(platform(listeners=(CLIENT, OUTSIDE)), layout).config
    assert f",OUTSIDE://{advertised}," in config["advertised.listeners"]
    assert config["advertised.listeners"].startswith("CLIENT://<host>:9092,")


def test_an_ensemble_that_is_there_already_can_be_used() -> None:
    assert kafka_values(platform(), LAYOUT, connect="zk:2181/a").config["zookeeper.connect"] == "zk:2181/a"


def test_the_transaction_log_gets_a_claim_of_its_own_when_declared() -> None:
    declared = Platform(name="events", zookeeper=ZooKeeper(log_storage=Storage("2Gi", storage_class="local")))
    values = zookeeper_values(declared, LAYOUT).to_chart()
    assert values["storage"] == {
        "data": {"size": "5Gi", "storageClass": ""},
        "log": {"size": "2Gi", "storageClass": "local"},
    }
    assert values["config"]["dataLogDir"] == "/datalog"
    together = zookeeper_values(platform(), LAYOUT).to_chart()
    assert list(together["storage"]) == ["data"]
    assert "dataLogDir" not in together["config"]


def test_zookeeper_can_be_told_of_another_server_and_met_by_many_forwards() -> None:
    config = zookeeper_values(platform(), LAYOUT).config
    assert (config["reconfigEnabled"], config["standaloneEnabled"], config["maxClientCnxns"]) == ("true", "false", "0")
    assert not [key for key in config if key.startswith(("server.", "clientPort"))]


def test_the_heap_of_a_release_is_that_of_the_declaration() -> None:
    assert kafka_values(platform(), LAYOUT).heap == "1024m"
    assert zookeeper_values(platform(), LAYOUT).heap == "384m"


def test_two_platforms_of_one_namespace_share_no_name() -> None:
    other = Platform(name="orders")
    assert LAYOUT.kafka_release(other) == "orders-kafka"
    plain = KubernetesLayout(namespace="shop", release_prefix="")
    assert (plain.zookeeper_release(other), plain.kafka_release(other)) == ("zookeeper", "kafka")
