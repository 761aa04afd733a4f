"""The same declaration as two Helm releases."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hikube_kafka.platform import (
    ChartRepository,
    ConnectRelease,
    FormerPlatform,
    KafkaConnect,
    KafkaPlatform,
    KafkaRelease,
    KubernetesTarget,
    ZooKeeperRelease,
    cdk,
    helm_provider,
)
from hikube_kafka.platform.cdk import TerraformStack, TerraformVariable
from hikube_kafka.platform.release import _content_hash
from hikube_kafka.spec.connect import ConnectCluster, Connector, Plugin
from hikube_kafka.spec.kafka import Kafka
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.targets.kubernetes import ClientPods, KubernetesLayout, Pods
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper

Synthesize = Callable[[TerraformStack], dict[str, Any]]
Golden = Callable[[dict[str, Any]], None]


def releases(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = content["resource"]["helm_release"]
    return found


def values(release: dict[str, Any]) -> dict[str, Any]:
    (text,) = release["values"]
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def without_hashes(content: dict[str, Any]) -> dict[str, Any]:
    """A change of a chart is seen in the golden manifests of the charts, not here."""
    for release in releases(content).values():
        release["chart"] = release["chart"].rpartition("/")[0] + "/HASH"
    for rollout in content["resource"].get("hikube_rollout", {}).values():
        rollout["trigger"] = "HASH"
    return content


def test_a_platform_on_kubernetes(stack: TerraformStack, synthesized: Synthesize, golden: Golden) -> None:
    KafkaPlatform(
        stack,
        "events",
        target=KubernetesTarget(namespace="events", context="hikube"),
        topics=[Topic("orders", partitions=6, config={"retention.ms": 604_800_000})],
    )
    golden(without_hashes(synthesized(stack)))


CHANGES = ConnectCluster(
    "changes",
    plugins=[
        Plugin(
            "postgres",
            version="3.1.3.Final",
            classes=["io.debezium.connector.postgresql.PostgresConnector"],
            image="mirror.example.com/plugins/debezium-postgres:3.1.3",
        )
    ],
    connectors=[
        Connector(
            "shop",
            "io.debezium.connector.postgresql.PostgresConnector",
            config={"topic.prefix": "shop", "database.password": "${dir:/secrets/database:password}"},
        )
    ],
    secrets=["database"],
)


def test_a_platform_with_connect_on_kubernetes(stack: TerraformStack, synthesized: Synthesize, golden: Golden) -> None:
    KafkaPlatform(stack, "events", target=KubernetesTarget(namespace="events"), connect=[CHANGES])
    golden(without_hashes(synthesized(stack)))


def test_workers_come_between_their_topics_and_their_connectors(stack: TerraformStack, synthesized: Synthesize) -> None:
    platform = KafkaPlatform(stack, "events", target=KubernetesTarget(namespace="events"), connect=[CHANGES])
    content = synthesized(stack)
    release = releases(content)["events_connect_changes_workers"]
    rollout = content["resource"]["hikube_rollout"]["events_connect_changes"]
    (connector,) = content["resource"]["hikube_kafka_connector"].values()
    topics = {f"hikube_kafka_topic.{name}" for name in content["resource"]["hikube_kafka_topic"]}
    assert {"hikube_rollout.events_kafka", *topics} <= set(release["depends_on"])
    assert (rollout["depends_on"], rollout["stateful_set"], rollout["replicas"]) == (
        ["helm_release.events_connect_changes_workers"],
        "events-connect-changes",
        2,
    )
    assert connector["depends_on"] == ["hikube_rollout.events_connect_changes"]
    # A cluster can leave the declaration: its workers need no block of their own, only its connectors do.
    assert (release["provider"], rollout["provider"]) == ("helm.events", "hikube.events")
    assert connector["provider"] == "hikube.events-connect-changes"
    assert platform.contract.connect is not None
    assert [(each.pods, each.port, each.urls) for each in platform.contract.connect] == [
        ("events-connect-changes", 8083, ())
    ]


def test_a_former_platform_keeps_the_block_that_reaches_its_workers(synthesized: Synthesize) -> None:
    blocks = []
    for kind in (KafkaPlatform, FormerPlatform):
        stack = TerraformStack(cdk.Testing.app(), "stack")
        kind(stack, "events", target=KubernetesTarget(namespace="events"), connect=[CHANGES])
        blocks.append(synthesized(stack)["provider"])
    assert blocks[0] == blocks[1]
    assert [each["alias"] for each in blocks[0]["hikube"]] == ["events", "events-connect-changes"]


def test_workers_for_brokers_that_are_there_already(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaConnect(
        stack,
        "changes",
        target=KubernetesTarget(namespace="events", create_namespace="never"),
        platform=Platform(name="events"),
        cluster=CHANGES,
        bootstrap_servers="kafka.example.com:9092",
    )
    content = synthesized(stack)
    (release,) = releases(content).values()
    assert values(release)["config"]["bootstrap.servers"] == "kafka.example.com:9092"
    assert "hikube_kafka_topic" not in content["resource"]


def test_a_release_of_workers_alone_is_held_to_the_rules(stack: TerraformStack, synthesized: Synthesize) -> None:
    cluster = ConnectCluster("changes", plugins=[Plugin("a", version="1", maven="org.example:a:1")])
    ConnectRelease(
        stack,
        "workers",
        platform=Platform(name="events"),
        layout=KubernetesLayout(namespace="events"),
        cluster=cluster,
        provider=helm_provider(stack, "helm"),
    )
    with pytest.raises(RuntimeError) as refusal:
        synthesized(stack)
    assert "[kubernetes-plugin-source]" in str(refusal.value)


def test_the_brokers_let_in_the_platforms_own_workers(stack: TerraformStack, synthesized: Synthesize) -> None:
    shop = ClientPods(labels={"app": "shop"})
    target = KubernetesTarget(namespace="events", kafka_clients=[shop])
    KafkaPlatform(stack, "events", target=target, connect=[CHANGES])
    admitted = values(releases(synthesized(stack))["events_kafka"])["networkPolicy"]["clients"]
    assert [each["labels"] for each in admitted] == [
        {"app": "shop"},
        {"app.kubernetes.io/name": "connect", "app.kubernetes.io/instance": "events-connect-changes"},
    ]


def test_two_platforms_share_one_zookeeper(stack: TerraformStack, synthesized: Synthesize, golden: Golden) -> None:
    shared = ZooKeeperRelease(
        stack,
        "coordination",
        platform=Platform(name="shared", zookeeper=ZooKeeper(servers=5)),
        layout=KubernetesLayout(namespace="events"),
        provider=helm_provider(stack, "helm"),
    )
    for number, name in enumerate(("orders", "sensors")):
        KafkaPlatform(
            stack,
            name,
            target=KubernetesTarget(
                namespace="events", zookeeper=shared, create_namespace=False, forward_port=19092 + 100 * number
            ),
            zookeeper=ZooKeeper(chroot=f"/{name}"),
        )
    content = without_hashes(synthesized(stack))
    golden(content)
    assert releases(content).keys() == {"coordination", "orders_kafka", "sensors_kafka"}
    contract = json.loads(json.dumps(content["output"]["orders_contract"]["value"]))
    assert len(contract["coordinator"]["servers"]) == 5
    assert contract["coordinator"]["servers"][0]["address"].startswith("shared-zookeeper-0.")
    assert values(releases(content)["orders_kafka"])["config"]["zookeeper.connect"].endswith(":2181/orders")


def test_the_rules_of_every_platform_and_those_of_a_cluster_hold_together(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    target = KubernetesTarget(namespace="events", forward_port=9090)
    KafkaPlatform(stack, "events", target=target, zookeeper=ZooKeeper(servers=2))
    with pytest.raises(RuntimeError) as refusal:
        synthesized(stack)
    assert "[zookeeper-even]" in str(refusal.value)
    assert "[kubernetes-forward-listener]" in str(refusal.value)


def test_a_shared_zookeeper_needs_a_place_of_the_platforms_own(stack: TerraformStack, synthesized: Synthesize) -> None:
    shared = ZooKeeperRelease(
        stack, "coordination", platform=Platform(name="shared"), layout=KubernetesLayout(namespace="events")
    )
    KafkaPlatform(stack, "orders", target=KubernetesTarget(namespace="elsewhere", zookeeper=shared))
    with pytest.raises(RuntimeError) as refusal:
        synthesized(stack)
    assert 'Declare one: ZooKeeper(chroot="/orders")' in str(refusal.value)
    assert "Put both into one namespace" in str(refusal.value)


def test_brokers_alone_beside_a_zookeeper_that_is_there(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaRelease(
        stack,
        "brokers",
        platform=Platform(name="events"),
        layout=KubernetesLayout(namespace="events"),
        connect="zookeeper.example.com:2181/events",
        provider=helm_provider(stack, "helm", kubeconfig="cluster.yaml", context="hikube"),
    )
    content = synthesized(stack)
    release = releases(content)["brokers"]
    assert content["provider"]["helm"] == [{"kubernetes": {"config_path": "cluster.yaml", "config_context": "hikube"}}]
    assert values(release)["config"]["zookeeper.connect"] == "zookeeper.example.com:2181/events"
    assert release["name"] == "events-kafka"


@pytest.mark.parametrize("chart", ["kafka", "zookeeper"])
def test_values_beside_the_declaration_are_refused_with_the_word_for_each(chart: str) -> None:
    beside: dict[str, Any] = {f"{chart}_values": {"image": {"tag": "4.0.0"}, "replicas": 7}, "namespace": "events"}
    (problem,) = KubernetesTarget(**beside).mistakes()
    assert re.search(rf"{chart}_values is not taken.*image: {chart}_image; replicas: .*=\.\.\.\)\.", problem.remedy)


def test_chart_values_that_are_overridden_are_warned_of(stack: TerraformStack, synthesized: Synthesize) -> None:
    platform = KafkaPlatform(stack, "events", target=KubernetesTarget(namespace="events"))
    kafka, zookeeper = platform.node.find_child("kafka"), platform.node.find_child("zookeeper")
    assert isinstance(kafka, KafkaRelease)
    assert isinstance(zookeeper, ZooKeeperRelease)
    kafka.resource.add_override("lifecycle.prevent_destroy", value=True)
    synthesized(stack)
    assert overrides_of(platform) == []
    kafka.resource.add_override("values", ["replicas: 7"])
    zookeeper.resource.add_override("set", [{"name": "replicas", "value": "7"}])
    synthesized(stack)
    assert overrides_of(platform) == [
        "stack/events/zookeeper: add_override changes set",
        "stack/events/kafka: add_override changes values",
    ]


def overrides_of(platform: KafkaPlatform) -> list[str]:
    warnings = (entry.data for entry in platform.node.metadata if entry.type == "@cdktf/warn")
    return [text.partition(",")[0] for text in warnings if "[contract-override]" in text]


def test_charts_come_from_a_repository_by_version(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(
        stack,
        "events",
        target=KubernetesTarget(
            namespace="events", charts=ChartRepository(url="oci://mirror.example.com/charts", version="1.2.3")
        ),
    )
    for name, release in releases(synthesized(stack)).items():
        assert release["chart"] == name.removeprefix("events_")
        assert (release["repository"], release["version"]) == ("oci://mirror.example.com/charts", "1.2.3")


def test_a_namespace_that_the_stack_never_created_needs_no_provider_for_it(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    KafkaPlatform(stack, "events", target=KubernetesTarget(namespace="events", create_namespace="never"))
    content = synthesized(stack)
    assert content["provider"].keys() == {"helm", "hikube"}
    assert "kubernetes_namespace_v1" not in content["resource"]
    assert "removed" not in content


def test_a_namespace_that_every_cluster_has_is_not_created() -> None:
    def rules(**options: Any) -> list[str | None]:
        target = KubernetesTarget(namespace="default", **options)
        return [problem.rule for problem in target.check(Platform(name="events"))]

    assert "kubernetes-namespace-there" in rules()
    assert "kubernetes-namespace-there" not in rules(create_namespace=False)
    assert "kubernetes-namespace-there" not in rules(create_namespace="never")


def test_a_second_platform_changes_nothing_about_the_first(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "east", target=KubernetesTarget(namespace="east"))
    alone = synthesized(stack)
    KafkaPlatform(stack, "west", target=KubernetesTarget(namespace="west", forward_port=19192))
    both = synthesized(stack)
    for kind, resources in alone["resource"].items():
        assert resources.items() <= both["resource"][kind].items()


def test_a_field_that_the_layout_does_not_have_is_refused() -> None:
    (problem,) = KubernetesTarget(name_space="events").mistakes()  # type: ignore[call-arg]
    assert problem.message == "KubernetesTarget has no field name_space."
    assert problem.remedy == "Did you mean namespace?"


def test_a_patience_that_is_no_duration_is_told_with_the_rest() -> None:
    problems = list(KubernetesTarget(namespace="Events", patience="2 hours").mistakes())
    assert [problem.path for problem in problems] == [("patience",), ("namespace",)]
    assert problems[0].where.startswith("KubernetesTarget")
    assert problems[0].remedy == "Declare 2h."


def test_kafkas_own_references_are_not_taken_for_terraforms(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(
        stack,
        "events",
        target=KubernetesTarget(namespace="events", pods=Pods(annotations={"owner": "${team}"})),
        kafka=Kafka(brokers=3),
    )
    assert "$${team}" in releases(synthesized(stack))["events_kafka"]["values"][0]


def test_the_hash_of_a_chart_tells_names_and_contents_and_nothing_else(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, order in ((first, ("a", "b")), (second, ("b", "a"))):
        folder.mkdir()
        for name in order:
            (folder / name).write_text(name)
    assert _content_hash(first) == _content_hash(second)
    (second / "a").rename(second / "c")
    assert _content_hash(first) != _content_hash(second)


def test_platforms_whose_port_forwards_would_meet_are_refused(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "east", target=KubernetesTarget(namespace="east"))
    KafkaPlatform(stack, "west", target=KubernetesTarget(namespace="west", forward_port=19094))
    with pytest.raises(RuntimeError, match="listen on 19094 to 19096 of the machine that applies, and so do those of"):
        synthesized(stack)


def leads(content: dict[str, Any]) -> list[dict[str, Any]]:
    """What each of the three providers is told about the kubeconfig."""
    provider = content["provider"]
    blocks = (provider["helm"][0]["kubernetes"], provider["kubernetes"][0], provider["hikube"][0]["kubernetes"])
    names = ("config_path", "config_paths", "config_context", "kubeconfig", "context")
    return [{name: block[name] for name in names if name in block} for block in blocks]


@pytest.mark.parametrize("declared", [None, "${var.kubeconfig}"])
def test_a_kubeconfig_that_only_the_plan_knows_is_one_for_all_providers(
    stack: TerraformStack, synthesized: Synthesize, declared: str | None
) -> None:
    given = TerraformVariable(stack, "kubeconfig", type="string").string_value if declared else None
    KafkaPlatform(stack, "events", target=KubernetesTarget(namespace="events", kubeconfig=given))
    content = synthesized(stack)
    found = "${{data.hikube_kubernetes_cluster.events.{}}}".format
    looked_up = {name: found(name) for name in ("config_path", "config_paths")}
    assert leads(content) == [looked_up, looked_up, {"kubeconfig": declared} if declared else {}]
    assert content["output"]["events_contract"]["value"]["reach"]["cluster"] == found("uid")


@pytest.mark.parametrize(
    ("declared", "told"),
    [("~/one", {"config_path": "~/one"}), (f"/one{os.pathsep}/two", {"config_paths": ["/one", "/two"]})],
)
def test_a_declared_kubeconfig_is_told_to_all_providers_as_it_is(
    stack: TerraformStack, synthesized: Synthesize, declared: str, told: dict[str, Any]
) -> None:
    KafkaPlatform(stack, "events", target=KubernetesTarget(namespace="events", kubeconfig=declared, context="prod"))
    given = {**told, "config_context": "prod"}
    assert leads(synthesized(stack)) == [given, given, {"kubeconfig": declared, "context": "prod"}]
