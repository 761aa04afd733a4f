"""Two parts of one app that would take each other's place are refused at synth, once, with both named."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from hikube_kafka.platform import (
    HikubeProvider,
    KafkaPlatform,
    KafkaRelease,
    KafkaTopic,
    KubernetesTarget,
    LocalTarget,
    ThroughKubernetes,
    ZooKeeperRelease,
    cdk,
    helm_provider,
)
from hikube_kafka.platform.cdk import (
    FAMILY,
    Construct,
    LocalBackend,
    TerraformOutput,
    TerraformResource,
    TerraformStack,
    TerraformVariable,
    bindings,
)
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import ExternalAccess, KubernetesLayout
from hikube_kafka.spec.targets.local import LocalLayout
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper

ELSEWHERE = LocalLayout(broker_port=31092, zookeeper_port=32181, peer_port=32888, election_port=33888)
LAYOUT = KubernetesLayout(namespace="ns")
OUTSIDE = Kafka(listeners=(Listener("client", port=9092), Listener("outside", port=9094)))


def root(stack: TerraformStack) -> Construct:
    app = stack.node.root
    assert isinstance(app, Construct)
    return app


@pytest.fixture
def other(stack: TerraformStack) -> TerraformStack:
    """Another stack of the same app."""
    other = TerraformStack(root(stack), "other")
    LocalBackend(other, path="../../../other.tfstate")
    return other


def faults(stack: TerraformStack) -> list[str]:
    """What its synth says, a line each, without the stack that the CDK puts before it."""
    try:
        cdk.Testing.synth(stack, True)  # noqa: FBT003 - runs the validations
    except RuntimeError as refused:
        listed, _, _ = str(refused).partition("errors:\n")[2].partition("\n\n")
        return [line.strip().partition("] ")[2] for line in listed.splitlines()]
    return []


def on_kubernetes(
    scope: Construct,
    id: str,  # noqa: A002 - the CDK's own name for it
    *,
    kafka: Kafka | None = None,
    chroot: str = "",
    name: str | None = None,
    topics: tuple[Topic, ...] = (),
    **target: Any,
) -> KafkaPlatform:
    options: dict[str, Any] = {"namespace": "ns", "create_namespace": False} | target
    zookeeper = ZooKeeper(chroot=chroot)
    return KafkaPlatform(
        scope, id, name=name, target=KubernetesTarget(**options), zookeeper=zookeeper, kafka=kafka, topics=topics
    )


def brokers(scope: Construct, id: str, *, connect: str, **layout: Any) -> KafkaRelease:  # noqa: A002
    placed = KubernetesLayout(**{"namespace": "ns", **layout})
    provider = helm_provider(scope, f"helm-{id}", alias=id)
    return KafkaRelease(scope, id, platform=Platform(name=id), layout=placed, connect=connect, provider=provider)


def namespace(scope: Construct, id: str) -> None:  # noqa: A002
    module = bindings("kubernetes", "namespace_v1")
    metadata = module.NamespaceV1Metadata(name="ns")
    provider = bindings("kubernetes", "provider").KubernetesProvider(scope, "k", config_path="~/.kube/config")
    module.NamespaceV1(scope, id, metadata=metadata if FAMILY == "cdktf" else [metadata], provider=provider)


def chroot_of_a_shared_zookeeper(one: TerraformStack, _: TerraformStack) -> None:
    provider = helm_provider(one, "helm")
    shared = ZooKeeperRelease(one, "coord", platform=Platform(name="shared"), layout=LAYOUT, provider=provider)
    on_kubernetes(one, "a", zookeeper=shared, chroot="/same")
    on_kubernetes(one, "b", zookeeper=shared, chroot="/same", forward_port=19192)


def chroot_of_brokers_alone(one: TerraformStack, two: TerraformStack) -> None:
    brokers(one, "a", connect="zookeeper.example.com:2181,second.example.com:2181/same")
    brokers(two, "b", connect="second.example.com:2181/same", namespace="elsewhere")


def releases_of_one_name(one: TerraformStack, _: TerraformStack) -> None:
    on_kubernetes(one, "a", name="x", topics=(Topic("orders", partitions=1),))
    on_kubernetes(one, "b", name="x", topics=(Topic("orders", partitions=1),), forward_port=19192)


def releases_of_one_prefix_in_two_stacks(one: TerraformStack, two: TerraformStack) -> None:
    on_kubernetes(one, "a", release_prefix="x-")
    on_kubernetes(two, "b", release_prefix="x-")


def a_release_of_one_kind_alone(one: TerraformStack, _: TerraformStack) -> None:
    on_kubernetes(one, "x")
    provider = helm_provider(one, "helm")
    ZooKeeperRelease(one, "alone", platform=Platform(name="x"), layout=LAYOUT, provider=provider)


def a_service_called_like_a_release(one: TerraformStack, _: TerraformStack) -> None:
    on_kubernetes(one, "x", zookeeper=None)
    layout = KubernetesLayout(namespace="ns", zookeeper="x-kafka-headless")
    provider = helm_provider(one, "helm")
    ZooKeeperRelease(one, "alone", platform=Platform(name="y"), layout=layout, provider=provider)


def a_release_of_somebody_elses_chart(one: TerraformStack, _: TerraformStack) -> None:
    on_kubernetes(one, "x")
    release = bindings("helm", "release").Release
    release(one, "mine", name="x-kafka", namespace="ns", chart="kafka", provider=helm_provider(one, "helm"))


def namespace_of_two_platforms(one: TerraformStack, two: TerraformStack) -> None:
    on_kubernetes(one, "a", create_namespace=True)
    on_kubernetes(two, "b", create_namespace=True)


def namespace_of_somebody_else(one: TerraformStack, _: TerraformStack) -> None:
    on_kubernetes(one, "a", create_namespace=True)
    namespace(one, "mine")


def ports_of_the_nodes(one: TerraformStack, two: TerraformStack) -> None:
    outside = ExternalAccess(type="NodePort", listener="outside")
    on_kubernetes(one, "a", kafka=OUTSIDE, external=outside)
    on_kubernetes(two, "b", kafka=OUTSIDE, external=outside, namespace="elsewhere")


def port_forwards_of_a_stack(one: TerraformStack, _: TerraformStack) -> None:
    on_kubernetes(one, "a")
    on_kubernetes(one, "b", forward_port=19094)


def topic_of_a_platform(one: TerraformStack, two: TerraformStack) -> None:
    KafkaPlatform(one, "events", target=LocalTarget(), topics=[Topic("orders", partitions=1)])
    there = HikubeProvider(two, "there", bootstrap_servers="localhost:29093")
    KafkaTopic(two, "mine", name="orders", partitions=3, replication_factor=1, provider=there)


def topic_behind_port_forwards(one: TerraformStack, _: TerraformStack) -> None:
    on_kubernetes(one, "events", topics=(Topic("orders", partitions=1),))
    reach = ThroughKubernetes(namespace="ns", release="events-kafka", kubeconfig="~/.kube/config", forward_port=20000)
    there = HikubeProvider(one, "there", alias="there", kubernetes=reach)
    KafkaTopic(one, "mine", name="orders", partitions=3, replication_factor=1, provider=there)


def name_of_a_topic_in_terraform(one: TerraformStack, _: TerraformStack) -> None:
    KafkaPlatform(one, "events", target=LocalTarget(), topics=[Topic("orders", partitions=1)])
    KafkaTopic(one, "events_orders", name="other", partitions=1, replication_factor=1)


def name_of_an_output(one: TerraformStack, _: TerraformStack) -> None:
    TerraformOutput(one, "events_contract", value="mine")
    KafkaPlatform(one, "events", target=LocalTarget())


def alias_of_a_provider(one: TerraformStack, _: TerraformStack) -> None:
    KafkaPlatform(one, "events", target=LocalTarget())
    HikubeProvider(one, "mine", alias="events", bootstrap_servers="kafka.example.com:9092")


def local_ports(one: TerraformStack, two: TerraformStack) -> None:
    KafkaPlatform(one, "a", target=LocalTarget(), topics=[Topic("orders", partitions=1)])
    KafkaPlatform(two, "b", target=LocalTarget(), topics=[Topic("orders", partitions=1)])


def local_directory(one: TerraformStack, two: TerraformStack) -> None:
    KafkaPlatform(one, "a", name="x", target=LocalTarget())
    KafkaPlatform(two, "b", target=LocalTarget(ELSEWHERE, directory="~/.local/share/../share/hikube-kafka/x"))


def state(_: TerraformStack, two: TerraformStack) -> None:
    KafkaPlatform(two, "b", target=LocalTarget())
    again = TerraformStack(root(two), "again")
    LocalBackend(again, path="../other/../../../other.tfstate")
    KafkaPlatform(again, "c", target=LocalTarget(ELSEWHERE))


REFUSED: dict[Callable[[TerraformStack, TerraformStack], None], str] = {
    chroot_of_a_shared_zookeeper: "stack/b/kafka: stack/a/kafka uses /same of ZooKeeper shared-zookeeper-0",
    chroot_of_brokers_alone: "other/b: stack/a uses /same of ZooKeeper second.example.com:2181",
    releases_of_one_name: "stack/b: stack/a has release x-zookeeper, release x-kafka in namespace ns",
    releases_of_one_prefix_in_two_stacks: "other/b: stack/a has release x-zookeeper, release x-kafka in namespace ns",
    a_release_of_one_kind_alone: "stack/alone: stack/x/zookeeper has release x-zookeeper",
    a_service_called_like_a_release: "stack/alone: stack/x/kafka has release x-kafka-headless",
    a_release_of_somebody_elses_chart: "stack/mine: stack/x/kafka has release x-kafka",
    namespace_of_two_platforms: "other/b: stack/a creates namespace ns",
    namespace_of_somebody_else: "stack/mine: stack/a creates namespace ns",
    ports_of_the_nodes: "other/b: stack/a has port 30092, port 30093, port 30094 of the cluster's nodes",
    port_forwards_of_a_stack: "stack/b: port-forwards to the brokers listen on 19094 to 19096 of the machine that",
    topic_of_a_platform: "other/mine: stack/events/topics/orders has topic orders as well",
    topic_behind_port_forwards: "stack/mine: stack/events/topics/orders has topic orders as well",
    name_of_a_topic_in_terraform: "stack/events_orders: stack/events/topics/orders is called hikube_kafka_topic.events",
    name_of_an_output: "stack/events/contract: stack/events_contract is called output.events_contract",
    alias_of_a_provider: "stack/mine: stack/events/provider is called provider hikube.events",
    local_ports: "other/b: ports of this machine belong to stack/a as well: 22181, 22182, 22183, 22888, 22889 and 7",
    local_directory: "other/b: stack/a is in ~/.local/share/",
    state: "again: other keeps its state in ../other/../../../other.tfstate",
}


@pytest.mark.parametrize("declare", REFUSED, ids=lambda declare: declare.__name__)
def test_what_two_parts_would_have_is_refused_once_with_both_named(
    declare: Callable[[TerraformStack, TerraformStack], None], stack: TerraformStack, other: TerraformStack
) -> None:
    declare(stack, other)
    stacks = [each for each in stack.node.root.node.children if isinstance(each, TerraformStack)]
    told = [fault for each in stacks for fault in faults(each)]
    assert [fault[: len(REFUSED[declare])] for fault in told] == [REFUSED[declare]]


def test_parts_that_only_look_alike_are_left_alone(stack: TerraformStack, other: TerraformStack) -> None:
    on_kubernetes(stack, "a", name="x", topics=(Topic("orders", partitions=1),), create_namespace=True)
    elsewhere: dict[str, Any] = {
        "context": "elsewhere",
        "topics": (Topic("orders", partitions=1),),
        "create_namespace": True,
    }
    on_kubernetes(other, "a", name="x", **elsewhere)  # another cluster, in another stack: the same names and ports
    on_kubernetes(stack, "b", namespace="two", name="x", forward_port=19192)
    variable = TerraformVariable(other, "kubeconfig", type="string")
    on_kubernetes(other, "c", name="x", kubeconfig=variable.string_value, forward_port=19192)
    brokers(stack, "d", connect="zookeeper.example.com:2181/d")
    brokers(other, "e", connect="zookeeper.example.com:2181")
    there = HikubeProvider(stack, "there", bootstrap_servers="kafka.example.com:9092")
    for key in "fg":
        KafkaTopic(stack, key, name="${each.key}", partitions=1, replication_factor=1, provider=there).add_override(
            "for_each", {"h": 1}
        )
    TerraformOutput(stack, "x_kafka", value="not the namespace of the same name")
    TerraformResource(stack, "orders", terraform_resource_type="terraform_data")
    assert faults(stack) == []
    assert faults(other) == []


def test_workspaces_of_terraform_cloud_are_compared_by_name(stack: TerraformStack) -> None:
    family = import_module(FAMILY)
    app = root(stack)
    for name in ("tagged", "tagged-too"):
        tagged = TerraformStack(app, name)
        family.CloudBackend(tagged, organization="org", workspaces=family.TaggedCloudWorkspaces(["kafka"]))
    family.CloudBackend(
        TerraformStack(app, "named"), organization="org", workspaces=family.NamedCloudWorkspace("kafka")
    )
    again = TerraformStack(app, "again")
    family.CloudBackend(again, organization="org", workspaces=family.NamedCloudWorkspace("kafka"))
    KafkaPlatform(again, "events", target=LocalTarget())
    KafkaPlatform(tagged, "clicks", target=LocalTarget(layout=ELSEWHERE))
    (said,) = faults(again)
    assert "named keeps its state in the same place of backend cloud as well" in said
    assert faults(tagged) == []


def test_a_free_layout_is_shown_that_is_free_indeed(stack: TerraformStack) -> None:
    KafkaPlatform(stack, "a", target=LocalTarget())
    KafkaPlatform(stack, "b", target=LocalTarget())
    (fault,) = faults(stack)
    shown = fault.partition("LocalTarget(LocalLayout(")[2].partition(")")[0]
    ports = {field: int(port) for field, _, port in (each.partition("=") for each in shown.split(", "))}
    again = TerraformStack(cdk.Testing.app(), "stack")
    KafkaPlatform(again, "a", target=LocalTarget())
    KafkaPlatform(again, "b", target=LocalTarget(LocalLayout(**ports)))
    assert faults(again) == []


def test_whoever_does_not_create_the_namespace_waits_for_who_does(
    stack: TerraformStack, synthesized: Callable[[TerraformStack], dict[str, Any]]
) -> None:
    on_kubernetes(stack, "a", create_namespace=True)
    on_kubernetes(stack, "b", forward_port=19192)
    release = synthesized(stack)["resource"]["helm_release"]["b_zookeeper"]
    assert "kubernetes_namespace_v1.a" in release["depends_on"]


def test_servers_that_a_platform_does_not_have_are_told(stack: TerraformStack) -> None:
    provider = helm_provider(stack, "helm")
    shared = ZooKeeperRelease(stack, "coord", platform=Platform(name="shared"), layout=LAYOUT, provider=provider)
    target = KubernetesTarget(namespace="ns", zookeeper=shared)
    zookeeper = ZooKeeper(chroot="/a", servers=7, storage=Storage("77Gi"))
    platform = KafkaPlatform(stack, "a", target=target, zookeeper=zookeeper)
    told = [entry.data for entry in platform.node.metadata if "[kubernetes-shared-unused]" in entry.data]
    assert [each.partition(":")[0] for each in told] == ["zookeeper.servers", "zookeeper.storage"]
