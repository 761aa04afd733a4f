"""A healthy layout raises nothing; each test spoils one thing and sees that one problem."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from hikube_kafka.spec import rules
from hikube_kafka.spec.chart_values import (
    WORDS,
    ConnectValues,
    KafkaValues,
    ZooKeeperValues,
    connect_values,
    kafka_values,
    undeclared,
    zookeeper_values,
)
from hikube_kafka.spec.connect import ConnectCluster, Plugin
from hikube_kafka.spec.contract import ClaimExpected, KubernetesExpected, ReachByPortForward, ServersExpected
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.quantities import Duration, Quantity
from hikube_kafka.spec.resources import Resources
from hikube_kafka.spec.security import Mechanism, Protocol
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import (
    MARKS,
    ClaimRetention,
    ExternalAccess,
    Image,
    KubernetesLayout,
    Pods,
    SharedZooKeeper,
)
from hikube_kafka.spec.targets.kubernetes_rules import check, zookeeper_server
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper

LAYOUT = KubernetesLayout(namespace="shop")
CLIENT = Listener("client", port=9092)
OUTSIDE = Listener("outside", port=9094)


def platform(**kafka: Any) -> Platform:
    return Platform(name="events", kafka=Kafka(**kafka), topics=(Topic("orders", partitions=6),))


def problems(declared: Platform, layout: KubernetesLayout, shared: SharedZooKeeper | None = None) -> list[Problem]:
    """Those that the declaration has nowhere else."""
    everywhere = rules.check(declared)
    return [problem for problem in check(declared, layout, shared) if problem not in everywhere]


def test_a_healthy_layout_has_no_problem() -> None:
    assert problems(platform(), LAYOUT) == []
    external = ExternalAccess(type="LoadBalancer", listener="outside", host="kafka-<ordinal>.example.com")
    layout = KubernetesLayout(namespace="shop", external=external)
    assert problems(platform(listeners=(CLIENT, OUTSIDE)), layout) == []


def test_the_problems_that_a_declaration_has_everywhere_it_has_on_a_cluster_too() -> None:
    declared = Platform(name="events", zookeeper=ZooKeeper(servers=2))
    assert [problem for problem in check(declared, LAYOUT) if problem.severity == "error"] == [
        problem for problem in rules.check(declared) if problem.severity == "error"
    ]


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
            "not the name of a load balancer",
        ),
        ({"rack_from_zone": True}, {"racks": ("a", "b")}, "kubernetes-racks-twice", "rack_from_zone"),
        ({"kafka_shutdown_gate": "5m"}, {}, "kubernetes-shutdown-gate", "5m, but a broker is killed 5m after"),
        ({"kafka_startup": "59s"}, {}, "kubernetes-startup", "59s is less than a minute"),
    ],
)
def test_a_spoilt_layout_is_refused(layout: dict[str, Any], kafka: dict[str, Any], rule: str, part: str) -> None:
    (problem,) = problems(platform(**kafka), KubernetesLayout(namespace="shop", **layout))
    assert (problem.rule, problem.severity) == (rule, "error")
    assert part in problem.message


def test_a_shared_ensemble_is_in_the_same_namespace_and_leaves_room() -> None:
    shared = SharedZooKeeper(release="zk", layout=KubernetesLayout(namespace="elsewhere"), servers=ZooKeeper(servers=5))
    namespace, chroot = problems(platform(), LAYOUT, shared)
    assert (namespace.rule, chroot.rule) == ("kubernetes-shared-zookeeper", "kubernetes-shared-chroot")
    assert "shop, but the ZooKeeper release zk is in elsewhere" in namespace.message
    assert 'ZooKeeper(chroot="/events")' in chroot.remedy
    room = platform().model_copy(update={"coordinator": ZooKeeper(chroot="/events")})
    assert problems(room, KubernetesLayout(namespace="elsewhere"), shared) == []


def test_the_contract_of_a_shared_ensemble_is_that_of_its_own_release() -> None:
    theirs = KubernetesLayout(
        namespace="shop",
        zookeeper_image=Image(repository="zookeeper", tag="3.9.4"),
        zookeeper_pods=Pods(anti_affinity="preferred"),
    )
    shared = SharedZooKeeper(release="zk", layout=theirs, servers=ZooKeeper(servers=5, storage=Storage("7Gi")))
    ours = platform().model_copy(update={"coordinator": ZooKeeper(chroot="/events")})
    promised = LAYOUT.contract(ours, shared)
    assert promised.zookeeper_connect.count(":2181") == 5
    assert promised.zookeeper_connect.endswith(":2181/events")
    assert promised.kubernetes is not None
    assert promised.kubernetes.coordinator == ServersExpected(
        images={"zookeeper": "zookeeper:3.9.4"},
        claims=(ClaimExpected(name="data", size=Quantity("7Gi")),),
        max_unavailable=1,
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("-Xmx2g",), "is the heap, which has a field of its own"),
        (("-verbose:gc -Xint",), "holds no white space"),
        (("Xint",), "begins with '-'"),
    ],
)
@pytest.mark.parametrize("servers", ["kafka", "zookeeper"])
def test_an_option_that_is_none_of_the_jvms_is_refused(servers: str, options: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        KubernetesLayout.model_validate({"namespace": "shop", f"{servers}_jvm_options": options})


def test_times_are_whole_seconds() -> None:
    layout = KubernetesLayout(namespace="shop", zookeeper_termination_grace=Duration("500ms"))
    assert [problem.message for problem in layout.problems()] == [
        "zookeeper_termination_grace: 500ms is not a whole number of seconds."
    ]


def test_a_zookeeper_server_has_time_to_stop() -> None:
    (problem,) = KubernetesLayout(namespace="shop", zookeeper_termination_grace=Duration("0s")).problems()
    assert problem.message == "zookeeper_termination_grace: 0s leaves no time at all."
    assert problem.remedy == "Declare at least 1s."


def test_a_time_that_kubernetes_cannot_count_is_refused() -> None:
    (problem,) = KubernetesLayout(namespace="shop", kafka_startup="3000000000s").problems()
    assert problem.message == "kafka_startup: 3000000000s is longer than Kubernetes can count."
    assert KubernetesLayout(namespace="shop", kafka_startup="2147483647s").problems() == []


def test_a_namespace_is_a_label() -> None:
    (problem,) = KubernetesLayout(namespace="Shop").problems()
    assert "namespace: 'Shop' is not a valid name of a namespace" in problem.message
    assert problem.remedy.startswith("Use up to 63 lower-case letters")


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
    assert config["zookeeper.session.timeout.ms"] == "4000"
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
        "data": {"size": "5Gi"},
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


# Each value of a chart, and what is declared to move it: a release takes no values beside those.
DECLARED: dict[Literal["kafka", "zookeeper"], dict[str, tuple[dict[str, Any], dict[str, Any], Any]]] = {
    "kafka": {
        "replicas": ({"brokers": 5}, {}, 5),
        "image": ({}, {"kafka_image": Image(repository="own", tag="1")}, Any),
        "imagePullSecrets": ({}, {"image_pull_secrets": ("mirror",)}, ["mirror"]),
        "heap": ({"heap": "777Mi"}, {}, "777m"),
        "jvmOptions": ({}, {"kafka_jvm_options": ("-Xint",)}, Any),
        "resources": ({"resources": Resources(cpu=7, memory="2Gi")}, {}, {"cpu": "7", "memory": "2Gi"}),
        "claimRetention": ({}, {"claims": ClaimRetention(when_scaled="Delete")}, Any),
        "config": ({"config": {"log.retention.hours": 24}}, {}, Any),
        "pods": ({}, {"kafka_pods": Pods(priority_class_name="messages")}, Any),
        "networkPolicy": ({}, {"network_policy": False}, Any),
        "labels": ({}, {"labels": {"team": "billing"}}, Any),
        "storage": ({"storage": Storage("9Gi")}, {}, {"data": {"size": "9Gi"}}),
        "listeners": ({"listeners": (Listener("own", port=9099),)}, {}, [{"name": "own", "port": 9099}]),
        "forwardPort": ({}, {"forward_port": 20000}, 20000),
        "external": ({}, {"external": ExternalAccess(sources=("203.0.113.0/24",))}, Any),
        "rack": ({}, {"rack_from_zone": True}, {"names": [], "fromZone": True}),
        "fastFailover": ({"fast_failover": False}, {}, False),
        "startupSeconds": ({}, {"kafka_startup": "2h"}, 7200),
        "shutdownGateSeconds": ({}, {"kafka_shutdown_gate": "1m"}, 60),
        "terminationGraceSeconds": ({}, {"kafka_termination_grace": "10m"}, 600),
    },
    "zookeeper": {
        "replicas": ({"servers": 5}, {}, 5),
        "image": ({}, {"zookeeper_image": Image(repository="own", tag="1")}, Any),
        "imagePullSecrets": ({}, {"image_pull_secrets": ("mirror",)}, ["mirror"]),
        "heap": ({"heap": "200Mi"}, {}, "200m"),
        "jvmOptions": ({}, {"zookeeper_jvm_options": ("-Xint",)}, Any),
        "resources": ({"resources": Resources(cpu=7, memory="512Mi")}, {}, {"cpu": "7", "memory": "512Mi"}),
        "claimRetention": ({}, {"claims": ClaimRetention(when_scaled="Delete")}, Any),
        "config": ({"config": {"tickTime": 3000}}, {}, Any),
        "pods": ({}, {"zookeeper_pods": Pods(priority_class_name="messages")}, Any),
        "networkPolicy": ({}, {"network_policy": False}, Any),
        "labels": ({}, {"labels": {"team": "billing"}}, Any),
        "storage": ({"storage": Storage("9Gi")}, {}, {"data": {"size": "9Gi"}}),
        "membershipSecret": ({}, {"zookeeper_membership_secret": "own"}, "own"),
        "terminationGraceSeconds": ({}, {"zookeeper_termination_grace": "90s"}, 90),
    },
}


@pytest.mark.parametrize(("chart", "values"), [("kafka", KafkaValues), ("zookeeper", ZooKeeperValues)])
def test_every_value_of_a_chart_has_a_word_and_a_test_of_it(
    chart: Literal["kafka", "zookeeper"], values: type[BaseModel]
) -> None:
    aliases = {field.alias for field in values.model_fields.values()}
    assert WORDS[chart].keys() == DECLARED[chart].keys() == aliases


@pytest.mark.parametrize(("chart", "key"), [(chart, key) for chart, keys in DECLARED.items() for key in keys])
def test_what_is_declared_moves_the_value_of_its_chart(chart: Literal["kafka", "zookeeper"], key: str) -> None:
    servers, layout, expected = DECLARED[chart][key]
    compute = kafka_values if chart == "kafka" else zookeeper_values
    kind = Kafka if chart == "kafka" else ZooKeeper
    before = compute(Platform(name="events"), LAYOUT).to_chart()
    declared = Platform.model_validate({"name": "events", chart: kind(**servers)})
    after = compute(declared, KubernetesLayout(namespace="shop", **layout)).to_chart()
    assert after[key] != before[key]
    assert expected in (Any, after[key])
    word = WORDS[chart][key]
    assert any(name in word for name in (*servers, *layout))


CONNECT: dict[str, tuple[dict[str, Any], dict[str, Any], Any]] = {
    "replicas": ({"workers": 3}, {}, 3),
    "image": ({}, {"connect_image": Image(repository="own", tag="1")}, Any),
    "imagePullSecrets": ({}, {"image_pull_secrets": ("mirror",)}, ["mirror"]),
    "heap": ({"heap": "777Mi"}, {}, "777m"),
    "jvmOptions": ({}, {"connect_jvm_options": ("-Xint",)}, Any),
    "resources": ({"resources": Resources(cpu=7, memory="2Gi")}, {}, {"cpu": "7", "memory": "2Gi"}),
    "config": ({"config": {"offset.flush.interval.ms": 5000}}, {}, Any),
    "plugins": (
        {"plugins": [Plugin("a", version="1", maven="org.example:a:1", image="own:1", volume="own")]},
        {},
        [{"name": "a", "image": "own:1", "imagePath": "/plugins", "volume": "", "archive": "", "checksum": ""}],
    ),
    "secrets": ({"secrets": ["database"]}, {}, ["database"]),
    "pods": ({}, {"connect_pods": Pods(priority_class_name="changes")}, Any),
    "networkPolicy": ({}, {"network_policy": False}, {"enabled": False}),
    "labels": ({}, {"labels": {"team": "billing"}}, Any),
    "startupSeconds": ({}, {"connect_startup": "20m"}, 1200),
    "terminationGraceSeconds": ({}, {"connect_termination_grace": "5m"}, 300),
}


def workers(layout: KubernetesLayout = LAYOUT, **cluster: Any) -> ConnectValues:
    declared = ConnectCluster("changes", **cluster)
    return connect_values(Platform(name="events", connect=(declared,)), layout, declared)


def test_every_value_of_the_chart_of_workers_has_a_test_of_it() -> None:
    assert CONNECT.keys() == {field.alias for field in ConnectValues.model_fields.values()}


@pytest.mark.parametrize("key", CONNECT)
def test_what_is_declared_moves_the_value_of_the_chart_of_workers(key: str) -> None:
    cluster, layout, expected = CONNECT[key]
    before = workers().to_chart()
    after = workers(KubernetesLayout(namespace="shop", **layout), **cluster).to_chart()
    assert after[key] != before[key]
    assert expected in (Any, after[key])


def test_workers_run_in_the_image_of_the_brokers_unless_they_have_their_own() -> None:
    own = KubernetesLayout(namespace="shop", kafka_image=Image(repository="mirrored/kafka", tag="3.9.2"))
    assert workers(own).image.repository == "mirrored/kafka"


@pytest.mark.parametrize(
    ("number", "listeners", "advertised"),
    [(1, "http://127.0.0.1:8083", "127.0.0.1:8083"), (2, "http://127.0.0.1:8083,http://:8084", "<host>:8084")],
)
def test_only_several_workers_are_met_over_the_network(number: int, listeners: str, advertised: str) -> None:
    config = workers(workers=number).config
    assert config["listeners"] == listeners
    assert f"{config['rest.advertised.host.name']}:{config['rest.advertised.port']}" == advertised


def test_workers_find_the_brokers_by_their_service_however_many_there_are() -> None:
    layout = KubernetesLayout(namespace="shop", release_prefix="")
    assert workers(layout).config["bootstrap.servers"] == "kafka.shop.svc:9092"


def test_a_checksum_may_have_capital_letters() -> None:
    plugin = Plugin("a", version="1", archive="https://plugins.example.com/a.zip", checksum=f"sha256:{64 * 'A'}")
    assert workers(plugins=[plugin]).plugins[0].checksum == f"sha256:{64 * 'a'}"


def test_options_of_the_jvm_come_after_those_that_are_computed() -> None:
    computed = kafka_values(platform(), LAYOUT).jvm_options
    own = kafka_values(platform(), KubernetesLayout(namespace="shop", kafka_jvm_options=("-Xint",))).jvm_options
    assert own == (*computed, "-Xint")


def test_the_values_that_once_went_around_the_declaration_are_refused_by_name() -> None:
    refusal = undeclared("kafka", {"replicas": 7, "prioritClass": 1})
    assert "replicas: Kafka(brokers=...); prioritClass: the chart has no such value" in refusal
    assert undeclared("kafka", {}).endswith("as they were. Leave it out.")


@pytest.mark.parametrize("host", ["2001:db8::7", "[2001:db8::7]"])
def test_an_address_of_ipv6_is_advertised_in_brackets(host: str) -> None:
    external = ExternalAccess(type="LoadBalancer", listener="outside", host=host)
    declared = platform(brokers=1, listeners=(CLIENT, OUTSIDE))
    config = kafka_values(declared, KubernetesLayout(namespace="shop", external=external)).config
    assert "OUTSIDE://[2001:db8::7]:9094" in config["advertised.listeners"].split(",")


def test_an_address_of_ipv6_is_the_same_server_in_every_namespace() -> None:
    servers = {zookeeper_server("[2001:db8::7]:2181", namespace, namespace) for namespace in ("shop", "teams")}
    assert len(servers) == 1
    assert zookeeper_server("[2001:db8::8]:2181", "shop", "shop") not in servers
