"""What the API server or a node would refuse of the charts' objects is refused; what they take is not."""

from typing import Any

import pytest

from hikube_kafka.spec.connect import ConnectCluster, Plugin
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import Problem
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import ClientPods, ExternalAccess, Image, KubernetesLayout, Pods, Toleration
from hikube_kafka.spec.targets.kubernetes_objects import check
from hikube_kafka.spec.targets.kubernetes_rules import check as check_all
from hikube_kafka.spec.targets.kubernetes_rules import check_connect, check_kafka, check_zookeeper
from hikube_kafka.spec.zookeeper import ZooKeeper

CLIENT, OUTSIDE = Listener("client", port=9092), Listener("outside", port=9094)
REFERENCE = "${TfToken[TOKEN.7]}"
LONGEST = "a" * 63


def problems(
    *, kafka: dict[str, Any] | None = None, zookeeper: dict[str, Any] | None = None, **layout: Any
) -> list[Problem]:
    declared = Platform(name="events", kafka=Kafka(**(kafka or {})), zookeeper=ZooKeeper(**(zookeeper or {})))
    return list(check(declared, KubernetesLayout(**{"namespace": "shop"} | layout), "zookeeper", "kafka"))


def load_balancer(**external: Any) -> dict[str, Any]:
    host = {"host": "kafka-<ordinal>.example.com"}
    return {
        "external": ExternalAccess(type="LoadBalancer", listener="outside", **host | external),
        "kafka": {"listeners": (CLIENT, OUTSIDE)},
    }


def node_port(first: int, **layout: Any) -> dict[str, Any]:
    external = ExternalAccess(type="NodePort", listener="outside", node_port=first)
    return {"external": external, "kafka": {"listeners": (CLIENT, OUTSIDE)}} | layout


REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"labels": {"a b": "c"}}, "kubernetes-label-key", "labels", "'a b'"),
    ({"labels": {"": "c"}}, "kubernetes-label-key", "labels", "''"),
    ({"labels": {"example.com/": "c"}}, "kubernetes-label-key", "labels", "'example.com/'"),
    ({"labels": {"a/b/c": "c"}}, "kubernetes-label-key", "labels", "'a/b/c'"),
    ({"labels": {"Example.com/team": "c"}}, "kubernetes-label-key", "labels", "'Example.com/team'"),
    ({"labels": {LONGEST + "a": "c"}}, "kubernetes-label-key", "labels", LONGEST),
    ({"labels": {"team": "c d"}}, "kubernetes-label-value", "labels", "'c d' is not a valid value of team"),
    ({"labels": {"team": "-c"}}, "kubernetes-label-value", "labels", "'-c'"),
    ({"labels": {"team": "größe"}}, "kubernetes-label-value", "labels", "'größe'"),
    ({"labels": {"team": "c\n"}}, "kubernetes-label-value", "labels", r"'c\n'"),
    ({"labels": {"team": LONGEST + "a"}}, "kubernetes-label-value", "labels", LONGEST),
    ({"labels": {"app.kubernetes.io/name": "x"}}, "kubernetes-label-reserved", "labels", "app.kubernetes.io/name"),
    ({"labels": {"helm.sh/chart": "x"}}, "kubernetes-label-reserved", "labels", "helm.sh/chart"),
    ({"release_prefix": "P_"}, "kubernetes-release-name", "release_prefix", "'P_zookeeper'"),
    ({"release_prefix": "1"}, "kubernetes-release-name", "release_prefix", "begins with a letter"),
    ({"release_prefix": "a.b-"}, "kubernetes-release-name", "release_prefix", "not a DNS label"),
    ({"release_prefix": "a" * 44}, "kubernetes-release-name", "release_prefix", "53 characters, and 52 are the most"),
    ({"zookeeper_image": Image(repository="zookeeper", tag="a" * 64)}, "kubernetes-image-tag", "zookeeper_image.tag",
     "cannot be the value of a label"),
    ({"kafka_image": Image(repository="apache/kafka", tag="3.9.2-")}, "kubernetes-image-tag", "kafka_image.tag",
     "'3.9.2-'"),
    ({"kafka_image": Image(repository="apache/kafka", tag="3.9.2@sha256")}, "kubernetes-image", "kafka_image.tag",
     "is not a valid tag"),
    ({"kafka_image": Image(repository="Apache/kafka", tag="3")}, "kubernetes-image", "kafka_image.repository",
     "'Apache/kafka'"),
    ({"kafka_image": Image(repository="apache/kafka:3", tag="3")}, "kubernetes-image", "kafka_image.repository",
     "'apache/kafka:3'"),
    ({"kafka_image": Image(registry="https:", repository="kafka", tag="3")}, "kubernetes-image",
     "kafka_image.registry", "'https:'"),
    ({"pods": Pods(node_selector={"a b": "c"})}, "kubernetes-label-key", "pods.node_selector", "'a b'"),
    ({"kafka_pods": Pods(node_selector={"disk": "s s d"})}, "kubernetes-label-value", "kafka_pods.node_selector",
     "'s s d'"),
    ({"zookeeper_pods": Pods(priority_class_name="High")}, "kubernetes-name", "zookeeper_pods.priority_class_name",
     "'High' is not a valid name of a priority class"),
    ({"pods": Pods(annotations={"a b": ""})}, "kubernetes-label-key", "pods.annotations", "key of an annotation"),
    ({"pods": Pods(annotations={"checksum/configuration": "x"})}, "kubernetes-label-reserved", "pods.annotations",
     "checksum/configuration"),
    ({"pods": Pods(annotations={"note": "x" * 262_141})}, "kubernetes-annotations-size", "pods.annotations", "262145"),
    ({"pods": Pods(tolerations=(Toleration(key="x", value="y"),))}, "kubernetes-toleration", "pods.tolerations",
     "Exists of 'x' takes no value, and has 'y'"),
    ({"pods": Pods(tolerations=(Toleration(operator="Equal", value="y"),))}, "kubernetes-toleration",
     "pods.tolerations", "Equal needs a key"),
    ({"pods": Pods(tolerations=(Toleration(key="a b"),))}, "kubernetes-label-key", "pods.tolerations", "of a taint"),
    ({"image_pull_secrets": ("",)}, "kubernetes-name", "image_pull_secrets", "'' is not a valid name of a Secret"),
    ({"zookeeper_membership_secret": "a_b"}, "kubernetes-name", "zookeeper_membership_secret", "'a_b'"),
    ({"kafka_clients": (ClientPods(namespace="Apps"),)}, "kubernetes-name", "kafka_clients", "name of a namespace"),
    ({"zookeeper_clients": (ClientPods(labels={"a": "b c"}),)}, "kubernetes-label-value", "zookeeper_clients", "'b c'"),
    ({"kafka": {"storage": Storage("1Gi", storage_class="-")}}, "kubernetes-name", "kafka.storage", "'-'"),
    ({"zookeeper": {"storage": Storage("1Gi", storage_class="Fast")}}, "kubernetes-name", "zookeeper.storage",
     "'Fast' is not a valid name of a storage class"),
    ({"zookeeper": {"log_storage": Storage("1Gi", storage_class="a b")}}, "kubernetes-name", "zookeeper.log_storage",
     "'a b'"),
    ({"kafka": {"listeners": (Listener("a--b", port=9092),)}}, "kubernetes-listener-name", "listener a--b", "port of"),
    ({"kafka": {"listeners": (Listener("a-", port=9092),)}}, "kubernetes-listener-name", "listener a-", "port of"),
    ({"kafka": {"racks": ("zone a", "zone a")}}, "kubernetes-rack", "kafka.racks", "'zone a' has white"),
    ({"kafka": {"racks": ("zöne",)}}, "kubernetes-rack", "kafka.racks", "beyond ASCII"),
    ({"kafka": {"racks": ("a\\b",)}}, "kubernetes-rack", "kafka.racks", "a backslash"),
    ({"kafka": {"racks": ("$(NAMESPACE)",)}}, "kubernetes-rack", "kafka.racks", "'$' before"),
    ({"kafka": {"config": {"ssl.truststore.location": "/zertifikate/größe"}}}, "kubernetes-config-text",
     "kafka.config", "ssl.truststore.location"),
    ({"zookeeper": {"config": {"audit.impl.class": "größe"}}}, "kubernetes-config-text", "zookeeper.config", "audit"),
    ({"zookeeper": {"config": {"secureClientPort": 2181}}}, "kubernetes-zookeeper-port", "zookeeper.config",
     "secureClientPort = 2181 is the port of clients"),
    ({"forward_port": 65534}, "kubernetes-forward-port-range", "forward_port", "65534 to 65536, and 65535 is the last"),
    (node_port(29999), "kubernetes-node-port", "external.node_port", "29999 to 30001, and the nodes have 30000"),
    (node_port(32766), "kubernetes-node-port", "external.node_port", "32766 to 32768"),
    (node_port(80), "kubernetes-node-port", "external.node_port", "80 to 82"),
    (load_balancer(sources=("10.0.0.0",)), "kubernetes-source", "external.sources", "'10.0.0.0' is not a network"),
    (load_balancer(sources=("10.0.0.0/33",)), "kubernetes-source", "external.sources", "'10.0.0.0/33'"),
    (load_balancer(sources=("10.0.0.0/255.0.0.0",)), "kubernetes-source", "external.sources", "255.0.0.0"),
    (load_balancer(sources=(" 10.0.0.0/8",)), "kubernetes-source", "external.sources", "' 10.0.0.0/8'"),
    (load_balancer(host="kafka-{ordinal}.example.com"), "kubernetes-external-host-name", "external.host", "{ordinal}"),
    (load_balancer(host="https://kafka-<ordinal>.example.com"), "kubernetes-external-host-name", "external.host",
     "'https:"),
    (load_balancer(host="kafka-<ordinal>.example.com:9094"), "kubernetes-external-host-name", "external.host", ":9094"),
    (load_balancer(host=""), "kubernetes-external-host-name", "external.host", "'' is not a host"),
    (load_balancer(annotations={"a b/<ordinal>": ""}), "kubernetes-label-key", "external.annotations", "'a b/"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "rule", "where", "part"), REFUSED)
def test_what_the_cluster_would_refuse_is_refused_once(
    declared: dict[str, Any], rule: str, where: str, part: str
) -> None:
    (problem,) = problems(**declared)
    assert (problem.rule, problem.where, problem.severity) == (rule, where, "error")
    assert part in problem.message


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"labels": {"team": "", "example.com/Cost_Center.9": "A-1", LONGEST: LONGEST, "hikube.kafka/platform": "x"}},
        {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}},
        {"release_prefix": ""},
        {"release_prefix": "a" * 43},
        {"kafka_image": Image(registry="mirror.example.com:5000", repository="a__b/c.d-e--f", tag="A_1.2-x")},
        {"kafka_image": Image(registry="[2001:db8::1]:5000", repository="kafka", tag="3")},
        {"kafka_image": Image(repository="Mirror.example.com:5000/apache/kafka", tag="3")},
        {"pods": Pods(tolerations=(Toleration(), Toleration(key="a.b/c"), Toleration(key="k", operator="Equal")))},
        {"pods": Pods(annotations={"Example.com/Note": "größe\n", "a": ""}, priority_class_name="high.prio-1")},
        {"image_pull_secrets": ("a.b-1",), "zookeeper_membership_secret": "members"},
        {"kafka_clients": (ClientPods(namespace="*"), ClientPods(namespace="1apps", labels={"a": ""}))},
        {"kafka": {"storage": Storage("1Gi", storage_class="fast.local-1")}},
        {"kafka": {"listeners": (Listener("a-b-1", port=9092), Listener("abcdefghijklmno", port=9093))}},
        {"kafka": {"racks": ("-a", "a,b", 'a"b', "a'b", "$a", "a=b:c#d!", "<ordinal>", "a&b", "*")}},
        {"kafka": {"config": {"sasl.kerberos.principal.to.local.rules": "RULE:[1:$1](a\\b)\n,DEFAULT", "a.b": "${x}"}}},
        {"forward_port": 65533},
        node_port(30000),
        node_port(32765),
        node_port(20000, node_port_range=(20000, 20002)),
        {"external": ExternalAccess(node_port=80, host="", sources=("x",), annotations={"a b": ""})},
        load_balancer(sources=("0.0.0.0/0", "::/0", "203.0.113.7/32", "2001:db8::/64")),
        load_balancer(host="10.0.0.<ordinal>"),
        load_balancer(host="[2001:db8::<ordinal>]"),
        load_balancer(host="<node>.nip.io"),
        load_balancer(annotations={"external-dns.alpha.kubernetes.io/hostname": "kafka-<ordinal>.example.com"}),
    ],
)  # fmt: skip
def test_what_the_cluster_takes_is_taken(declared: dict[str, Any]) -> None:
    assert problems(**declared) == []


@pytest.mark.parametrize(
    ("rack", "spelling"),
    [("zone b", "zone-b"), ("Zürich", "Zurich"), ("eu\\1", "eu-1"), ("$(NAMESPACE)", "NAMESPACE"), ("区", "zone-a")],
)
def test_a_rack_that_does_not_get_through_is_told_its_own_spelling(rack: str, spelling: str) -> None:
    (problem,) = problems(kafka={"racks": (rack,)})
    assert problem.remedy == f"Use letters, digits, '-', '_' and '.': {spelling}."


def test_what_is_known_at_the_apply_alone_is_left_to_the_api_server() -> None:
    pods = Pods(node_selector={"pool": REFERENCE}, annotations={"note": REFERENCE}, priority_class_name=REFERENCE)
    image = Image(registry=REFERENCE, repository=REFERENCE, tag=REFERENCE)
    assert not problems(
        labels={"team": REFERENCE},
        release_prefix=REFERENCE,
        kafka_image=image,
        pods=pods,
        image_pull_secrets=(REFERENCE,),
        zookeeper_membership_secret=REFERENCE,
        **load_balancer(sources=(REFERENCE,), host=f"<ordinal>.{REFERENCE}")
        | {"kafka": {"listeners": (CLIENT, OUTSIDE), "storage": Storage("1Gi", storage_class=REFERENCE)}},
    )


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("10.0.0.1/24", "10.0.0.0/24"),
        ("2001:db8::1/64", "2001:db8::/64"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("010.0.0.0/8", "10.0.0.0/8"),
    ],
)
def test_a_network_that_kubernetes_reads_otherwise_is_warned_of(source: str, network: str) -> None:
    (problem,) = problems(**load_balancer(sources=(source,)))
    assert (problem.rule, problem.severity) == ("kubernetes-source-spelling", "warning")
    assert problem.message == f"{source!r} is taken for {network}."


def test_a_host_that_is_none_is_not_refused_as_the_same_for_all_too() -> None:
    layout = KubernetesLayout(namespace="shop", external=load_balancer(host="{ordinal}")["external"])
    declared = Platform(name="events", kafka=Kafka(listeners=(CLIENT, OUTSIDE)))
    errors = [problem.rule for problem in check_all(declared, layout) if problem.severity == "error"]
    assert errors == ["kubernetes-external-host-name"]


def test_pods_that_both_releases_replace_are_not_asked_about() -> None:
    wrong = Pods(node_selector={"a b": ""})
    assert not problems(pods=wrong, kafka_pods=Pods(), zookeeper_pods=Pods())
    assert [problem.where for problem in problems(pods=wrong, kafka_pods=Pods())] == ["pods.node_selector"]


def test_a_release_alone_is_held_to_the_rules_that_concern_it() -> None:
    declared = Platform(
        name="events",
        zookeeper=ZooKeeper(servers=2, storage=Storage("1Gi", storage_class="-")),
        kafka=Kafka(brokers=3, config={"log.retention.hour": 1}, racks=("a b",)),
    )
    layout = KubernetesLayout(namespace="shop", release_prefix="a" * 44, kafka_shutdown_gate="10m")
    found = {problem.rule for problem in check_zookeeper(declared, layout) if problem.severity == "error"}
    assert found == {"zookeeper-even", "kubernetes-name", "kubernetes-release-name"}
    found = {problem.rule for problem in check_kafka(declared, layout) if problem.severity == "error"}
    assert found == {"broker-config-unknown-key", "kubernetes-rack", "kubernetes-shutdown-gate"}


ARCHIVE = "https://plugins.example.com/a-1.tar.gz"
DIGEST = f"sha512:{128 * 'a'}"
WORKERS_REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str, str]] = [
    (
        {"plugins": [Plugin("a", version="1", maven="org.example:a:1", checksum=DIGEST)]},
        {},
        "plugin-source",
        "plugin a",
        "maven is its only source",
    ),
    (
        {"plugins": [Plugin("a", version="1", archive="file:///a.zip", checksum=DIGEST)]},
        {},
        "plugin-archive",
        "plugin a",
        "'file:///a.zip'",
    ),
    (
        {"plugins": [Plugin("a", version="1", archive="a.jar", checksum=DIGEST)]},
        {},
        "plugin-archive",
        "plugin a",
        "'a.jar'",
    ),
    *(
        ({"plugins": [Plugin("a", version="1", image=image)]}, {}, "plugin-image", "plugin a", repr(image))
        for image in ("Debezium:1", "a b", "own:", "own:1@sha256:1", "https://mirror.example.com/own:1", ":1")
    ),
    (
        {"plugins": [Plugin("a", version="1", image="own:1", image_path="plugins")]},
        {},
        "plugin-path",
        "plugin a",
        "'plugins'",
    ),
    ({"plugins": [Plugin("a", version="1", volume="My_Claim")]}, {}, "name", "plugin a", "volume claim"),
    ({"secrets": ["My_Secret"]}, {}, "name", "secrets", "'My_Secret' is not a valid name of a Secret"),
    ({"config": {"client.id": "größe"}}, {}, "config-text", "config", "client.id"),
    ({}, {"connect_startup": "59s"}, "connect-startup", "connect_startup", "59s"),
    ({}, {"connect_termination_grace": "34s"}, "connect-grace", "connect_termination_grace", "of at least 35s"),
    ({}, {"connect_image": Image(repository="Kafka", tag="1")}, "image", "connect_image.repository", "'Kafka'"),
    ({}, {"connect_pods": Pods(priority_class_name="A")}, "name", "connect_pods.priority_class_name", "'A'"),
    ({}, {"release_prefix": "a" * 38}, "release-name", "changes", "the cluster's name may have 6 characters"),
    ({}, {"release_prefix": "a" * 44}, "release-name", "changes", "declare a shorter release_prefix"),
    ({}, {"release_prefix": "0"}, "release-name", "changes", "begins with a letter"),
]


@pytest.mark.parametrize(("cluster", "layout", "rule", "where", "said"), WORKERS_REFUSED)
def test_what_the_cluster_would_refuse_of_workers_is_refused_once(
    cluster: dict[str, Any], layout: dict[str, Any], rule: str, where: str, said: str
) -> None:
    placed = KubernetesLayout(**{"namespace": "shop"} | layout)
    (problem,) = check_connect(Platform(name="events"), placed, ConnectCluster("changes", **cluster))
    assert problem.rule == f"kubernetes-{rule}"
    assert where in problem.where
    assert said in str(problem)


@pytest.mark.parametrize(
    "plugin",
    [
        Plugin("a", version="1", image="apache/kafka:3.9.2", image_path="/opt/kafka/libs/connect-file-3.9.2.jar"),
        Plugin("a", version="1", image=f"localhost:5000/own@sha256:{64 * 'a'}"),
        Plugin("a", version="1", image="mirror.example.com:5000/a/b:1.0_2"),
        Plugin("a", version="1", image=REFERENCE),
        Plugin("a", version="1", volume="installed.plugins"),
        Plugin("a", version="1", archive=ARCHIVE, checksum=DIGEST),
        # Each target takes the source that it can have.
        Plugin("a", version="1", maven="org.example:a:1", archive="file:///a.jar", image="own:1", checksum=DIGEST),
    ],
    ids=lambda plugin: plugin.image or plugin.volume or plugin.archive,
)
def test_a_plugin_that_a_pod_can_have_is_taken(plugin: Plugin) -> None:
    cluster = ConnectCluster("changes", plugins=[plugin], secrets=["database.credentials"])
    assert list(check_connect(Platform(name="events"), KubernetesLayout(namespace="shop"), cluster)) == []


def test_a_platform_asks_about_its_workers_too() -> None:
    declared = Platform(name="e" * 30, connect=(ConnectCluster("c" * 20),))
    found = check_all(declared, KubernetesLayout(namespace="shop"))
    assert [each.rule for each in found if each.severity == "error"] == ["kubernetes-release-name"]


def test_a_worker_may_take_as_long_to_stop_as_its_tasks() -> None:
    platform = Platform(name="events")

    def found(grace: str, milliseconds: int) -> list[str]:
        layout = KubernetesLayout(namespace="shop", connect_termination_grace=grace)
        cluster = ConnectCluster("changes", config={"task.shutdown.graceful.timeout.ms": milliseconds})
        return [str(each) for each in check_connect(platform, layout, cluster) if each.severity == "error"]

    assert found("10s", 5_000) == []
    (refused,) = found("2m", 180_500)
    assert (
        "Connect cluster changes is killed 2m after it is told to stop, and its tasks may take 180.5 s to stop"
        in refused
    )
    assert "connect_termination_grace of at least 186s" in refused
