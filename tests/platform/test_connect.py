"""Connect clusters within a platform, beside one, and without one."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hikube_kafka.platform import (
    ConnectDelivery,
    Delivery,
    FormerPlatform,
    HikubeProvider,
    KafkaConnect,
    KafkaConnector,
    KafkaPlatform,
    KubernetesTarget,
    LocalConnect,
    LocalTarget,
    Target,
    ThroughKubernetes,
    cdk,
)
from hikube_kafka.platform.cdk import Construct, TerraformStack, TerraformVariable
from hikube_kafka.spec import ConnectCluster, Connector, Kafka, LocalLayout, Offsets, Plugin, Topic
from hikube_kafka.spec.ensemble import ServerProcess
from hikube_kafka.spec.platform import Platform

Synthesize = Callable[[TerraformStack], dict[str, Any]]
SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector"
FILES = ConnectCluster(
    "files",
    plugins=[Plugin("file", version="3.9.2", classes=[SINK], maven="org.apache.kafka:connect-file:3.9.2")],
    connectors=[
        Connector("lines-out", SINK, config={"topics": "lines", "file": "${dir:/secrets/files:name}"}),
        Connector("more-out", SINK, tasks_max=2, config={"topics": "lines", "file": "b"}, state="paused"),
    ],
)
LINES = Topic("lines", partitions=2)


def refusal(stack: TerraformStack, synthesized: Synthesize) -> str:
    with pytest.raises(RuntimeError) as caught:
        synthesized(stack)
    return str(caught.value)


def resources(content: Mapping[str, Any], type_name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = content["resource"].get(type_name, {})
    return found


def aliases(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {block["alias"]: block for block in content["provider"]["hikube"]}


def test_a_platform_with_connect(
    stack: TerraformStack, synthesized: Synthesize, golden: Callable[[dict[str, Any]], None]
) -> None:
    KafkaPlatform(stack, "events", target=LocalTarget(), topics=[LINES], connect=[FILES])
    golden(synthesized(stack))


def test_topics_come_before_workers_and_workers_before_connectors(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    platform = KafkaPlatform(stack, "events", target=LocalTarget(), topics=[LINES], connect=[FILES])
    content = synthesized(stack)
    topics = {f"hikube_kafka_topic.{name}" for name in resources(content, "hikube_kafka_topic")}
    (workers,) = resources(content, "hikube_local_connect").values()
    assert topics <= set(workers["depends_on"])
    assert set(platform.topics) == {
        "lines",
        "lines-out.dead-letters",
        "more-out.dead-letters",
        *(f"events-connect-files.{kind}" for kind in ("configs", "offsets", "status")),
    }
    connectors = resources(content, "hikube_kafka_connector")
    assert set(connectors) == {"events_connect_files_lines-out", "events_connect_files_more-out"}
    for each in connectors.values():
        assert each["depends_on"] == ["hikube_local_connect.events_connect_files"]
        assert each["provider"] == "hikube.events-connect-files"
    # A cluster without connectors can leave the declaration: its workers need no block of their own.
    assert workers["provider"] == "hikube.events"
    assert set(platform.connect["files"].connectors) == {"lines-out", "more-out"}


def test_references_of_connect_are_not_those_of_terraform(stack: TerraformStack, synthesized: Synthesize) -> None:
    folder = TerraformVariable(stack, "folder", type="string")
    HikubeProvider(stack, "hikube", connect_url="http://127.0.0.1:8083")
    KafkaConnector(
        stack,
        "out",
        name="out",
        connector_class=SINK,
        config={
            "topics": "lines",
            "file": f"{folder.string_value}/${{dir:/secrets/files:name}}",
            "database.password": "${file:/secrets/db.properties:password}",
        },
        offsets=Offsets(on_change="set", to=[{"partition": {"filename": "a"}, "offset": {"position": 5}}]),
    )
    (made,) = resources(synthesized(stack), "hikube_kafka_connector").values()
    assert made["config"]["file"] == "${var.folder}/$${dir:/secrets/files:name}"
    assert made["config"]["database.password"] == "$${file:/secrets/db.properties:password}"
    assert made["offsets"]["on_change"] == "set"
    assert json.loads(made["offsets"]["to"]) == [{"partition": {"filename": "a"}, "offset": {"position": 5}}]


def test_one_reference_to_a_secret_is_met_at_both_targets(stack: TerraformStack, synthesized: Synthesize) -> None:
    """On this machine the workers' config providers are confined to a folder beside the workers."""
    config = {"topics": "lines", "file": "${dir:/secrets/a:b}-${file:/secrets/c.properties:d}-${env:CONNECT_E}"}
    cluster = ConnectCluster("files", plugins=FILES.plugins, connectors=[Connector("out", SINK, config=config)])
    KafkaPlatform(stack, "events", target=LocalTarget(), topics=[LINES], connect=[cluster])
    theirs = {"config.providers.dir.param.allowed.paths": "/secrets"}
    other = cluster.model_copy(update={"name": "other", "config": theirs})
    layout = LocalLayout(
        broker_port=39092, zookeeper_port=32181, peer_port=32888, election_port=33888, connect_port=38083
    )
    KafkaPlatform(stack, "more", target=LocalTarget(layout), topics=[LINES], connect=[other])
    made = resources(synthesized(stack), "hikube_kafka_connector")
    assert made["events_connect_files_out"]["config"]["file"] == (
        '${join("${hikube_local_connect.events_connect_files.path}/secrets/", '
        '["$${dir:", "a:b}-$${file:", "c.properties:d}-$${env:CONNECT_E}"])}'
    )
    as_declared = "$${dir:/secrets/a:b}-$${file:/secrets/c.properties:d}-$${env:CONNECT_E}"
    assert made["more_connect_other_out"]["config"]["file"] == as_declared, "whoever allows other paths means them"


def test_the_contract_promises_the_connect_clusters(stack: TerraformStack) -> None:
    group = {"consumer.override.group.id": "mine", "topics": "lines", "file": "c"}
    group["consumer.override.auto.offset.reset"] = "latest"
    source = Connector("in", "org.apache.kafka.connect.file.FileStreamSourceConnector", config={"file": "a"})
    plugin = Plugin(
        "file", version="3.9.2", classes=[SINK, source.connector_class], maven="org.apache.kafka:connect-file:3.9.2"
    )
    connectors = (*FILES.connectors, source, Connector("c", SINK, config=group))
    cluster = FILES.model_copy(update={"connectors": connectors, "plugins": (plugin,)})
    contract = KafkaPlatform(
        stack, "events", target=LocalTarget(LocalLayout(connect_port=31083)), topics=[LINES], connect=[cluster]
    ).contract
    assert contract.connect is not None
    (expected,) = contract.connect
    assert (expected.group_id, expected.workers) == ("events-connect-files", 2)
    assert expected.urls == ("http://127.0.0.1:31083", "http://127.0.0.1:31084")
    loaded = [(each.class_name, each.version) for each in expected.plugins]
    assert loaded == [(SINK, "3.9.2"), (source.connector_class, "3.9.2")]
    lines, more, of_source, grouped = expected.connectors
    assert (lines.dead_letters, lines.most_lag, lines.tasks_max) == ("lines-out.dead-letters", 10_000, 1)
    assert (more.state, more.tasks_max) == ("paused", 2)
    assert (of_source.dead_letters, of_source.most_lag, of_source.group) == (None, None, None)
    assert (lines.begins, grouped.begins, grouped.group) == (None, "latest", "mine")
    promised = {topic.name: topic for topic in contract.topics}
    assert promised["events-connect-files.configs"].config["cleanup.policy"] == "compact"
    assert promised["events-connect-files.configs"].partitions == 1


def test_a_contract_without_connect_has_no_word_of_it(stack: TerraformStack) -> None:
    contract = KafkaPlatform(stack, "events", target=LocalTarget(), topics=[LINES]).contract
    assert contract.connect is None
    assert "connect" not in contract.model_dump(mode="json", exclude_none=True)


def test_a_cluster_alone_works_for_a_kafka_that_exists(stack: TerraformStack, synthesized: Synthesize) -> None:
    kafka = HikubeProvider(stack, "kafka", alias="kafka", bootstrap_servers="kafka-0:9092,kafka-1:9092")
    alone = KafkaConnect(
        stack,
        "files",
        target=LocalTarget(),
        platform=Platform(name="shop", kafka=Kafka(brokers=2)),
        cluster=FILES,
        bootstrap_servers="kafka-0:9092,kafka-1:9092",
        topics=kafka,
    )
    content = synthesized(stack)
    (workers,) = resources(content, "hikube_local_connect").values()
    assert {each["properties"]["bootstrap.servers"] for each in workers["workers"]} == {"kafka-0:9092,kafka-1:9092"}
    topics = resources(content, "hikube_kafka_topic")
    assert {topic["name"] for topic in topics.values()} == {
        "lines-out.dead-letters",
        "more-out.dead-letters",
        *(f"shop-connect-files.{kind}" for kind in ("configs", "offsets", "status")),
    }
    assert {topic["replication_factor"] for topic in topics.values()} == {2}
    assert {f"hikube_kafka_topic.{name}" for name in topics} == set(workers["depends_on"])
    assert set(alone.connectors) == {"lines-out", "more-out"}


def test_the_blocks_of_a_former_platform_stay(stack: TerraformStack, synthesized: Synthesize) -> None:
    target = LocalTarget()
    other = TerraformStack(cdk.Testing.app(), "other")
    KafkaPlatform(other, "events", target=target, topics=[LINES], connect=[FILES])
    FormerPlatform(stack, "events", target=target, connect=[FILES])
    content = synthesized(stack)
    assert set(aliases(content)) == {"events", "events-connect-files"}
    assert "resource" not in content
    assert aliases(content).keys() == aliases(synthesized(other)).keys()
    assert aliases(content)["events-connect-files"]["local_connect"] == "events-connect-files"


@pytest.mark.parametrize("target", [LocalTarget(), KubernetesTarget(namespace="ns")], ids=["local", "kubernetes"])
def test_the_block_of_a_former_cluster_stays_beside_those_of_the_others(
    target: Target, stack: TerraformStack, synthesized: Synthesize
) -> None:
    other = TerraformStack(cdk.Testing.app(), "other")
    gone, more = ConnectCluster("files"), ConnectCluster("more")
    KafkaPlatform(other, "events", target=target, topics=[LINES], connect=[gone, more])
    KafkaPlatform(stack, "events", target=target, topics=[LINES], connect=[more], former_connect=["files"])
    before, after = synthesized(other), synthesized(stack)
    assert aliases(after).keys() == aliases(before).keys() == {"events", "events-connect-files", "events-connect-more"}
    block, was = aliases(after)["events-connect-files"], aliases(before)["events-connect-files"]
    if isinstance(target, LocalTarget):
        # The ports of its workers follow from what was declared beside it.
        assert block == {"alias": was["alias"], "local_connect": "events-connect-files"}
    else:
        assert block == was


def test_a_former_cluster_is_met_in_its_own_folder(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "events", target=LocalTarget(directory="~/kafka/"), former_connect=["files"])
    assert aliases(synthesized(stack))["events-connect-files"]["local_connect"] == "~/kafka-connect-files"


@pytest.mark.parametrize(
    ("former", "rule"),
    [
        (["files"], "connect-cluster-former"),
        (["old", "old"], "connect-former-twice"),
        (["Not a name"], "is not a valid name of a Connect cluster"),
        ("files", "former_connect"),
        ([3], "former_connect"),
    ],
)
def test_what_a_former_cluster_cannot_be(
    former: Any, rule: str, stack: TerraformStack, synthesized: Synthesize
) -> None:
    KafkaPlatform(stack, "events", target=LocalTarget(), topics=[LINES], connect=[FILES], former_connect=former)
    assert rule in refusal(stack, synthesized)


def test_a_platform_takes_its_connectors_along_when_its_id_changes(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    KafkaPlatform(
        stack, "shop", name="events", target=LocalTarget(), topics=[LINES], connect=[FILES], moved_from="events"
    )
    moves = {each["from"]: each["to"] for each in synthesized(stack)["moved"]}
    assert moves["hikube_kafka_connector.events_connect_files_lines-out"] == (
        "hikube_kafka_connector.shop_connect_files_lines-out"
    )
    assert moves["hikube_local_connect.events_connect_files"] == "hikube_local_connect.shop_connect_files"


@pytest.mark.parametrize(
    "reach",
    [
        {"connect_url": "http://localhost:8083"},
        {"connect_url": "http://other:8083, http://127.0.0.1:8083/"},
        {"kubernetes": ThroughKubernetes(namespace="events", release="kafka", connect_release="connect")},
    ],
)
def test_two_connectors_of_one_name_in_one_cluster_are_refused(
    reach: dict[str, Any], stack: TerraformStack, synthesized: Synthesize
) -> None:
    first = reach if "kubernetes" in reach else {"connect_url": "http://127.0.0.1:8083"}
    for alias, how in (("one", first), ("two", reach)):
        block = HikubeProvider(stack, f"hikube-{alias}", alias=alias, **how)
        KafkaConnector(stack, alias, name="out", connector_class=SINK, provider=block)
    assert refusal(stack, synthesized).count("[app-connector-twice]") == 1


def test_connectors_of_one_name_in_two_clusters_are_two(stack: TerraformStack, synthesized: Synthesize) -> None:
    for port in ("8083", "8084"):
        block = HikubeProvider(stack, f"hikube{port}", alias=f"c{port}", connect_url=f"http://127.0.0.1:{port}")
        KafkaConnector(stack, f"out{port}", name="out", connector_class=SINK, provider=block)
    assert len(resources(synthesized(stack), "hikube_kafka_connector")) == 2


def test_a_cluster_alone_is_warned_of_what_concerns_connect(stack: TerraformStack) -> None:
    alone = KafkaConnect(
        stack,
        "files",
        target=LocalTarget(),
        platform=Platform(name="shop", kafka=Kafka(brokers=3)),
        cluster=FILES.model_copy(update={"workers": 1}),
        bootstrap_servers="kafka:9092",
    )
    told = [str(each.data).rpartition(" ")[2] for each in alone.node.metadata if each.type == "@cdktf/warn"]
    assert told == ["[connect-worker-single]", "[connect-plugin-checksum]"]


def test_two_clusters_of_one_group_are_refused(stack: TerraformStack, synthesized: Synthesize) -> None:
    kafka = HikubeProvider(stack, "kafka", alias="kafka", bootstrap_servers="kafka:9092")
    for port in (30083, 31083):
        KafkaConnect(
            stack,
            f"files-{port}",
            target=LocalTarget(LocalLayout(connect_port=port), directory=f"~/files-{port}"),
            platform=Platform(name="shop"),
            cluster=FILES,
            bootstrap_servers="kafka:9092",
            topics=kafka,
        )
    assert refusal(stack, synthesized).count("[app-connect-group-twice]") == 1


def test_workers_with_the_ports_of_others_are_refused(stack: TerraformStack, synthesized: Synthesize) -> None:
    HikubeProvider(stack, "hikube")
    for name in ("one", "two"):
        worker = ServerProcess(kind="worker", id=0, properties={"listeners": "http://127.0.0.1:8083"}, heap="256m")
        LocalConnect(stack, name, name=name, workers=[worker])
    text = refusal(stack, synthesized)
    assert text.count("[app-local-ports-twice]") == 1
    assert "connect_port=9083" in text


class Elsewhere(Target):
    """Somebody else's target, which knows nothing of Connect."""

    def deliver(self, scope: Construct, platform: Platform) -> Delivery:
        return LocalTarget().deliver(scope, platform)


def test_a_target_that_knows_nothing_of_connect_says_so(stack: TerraformStack) -> None:
    with pytest.raises(Exception, match="deliver_connect"):
        KafkaPlatform(stack, "events", target=Elsewhere(), topics=[LINES], connect=[FILES])


def test_a_delivery_names_what_connectors_wait_for(stack: TerraformStack) -> None:
    block = HikubeProvider(stack, "hikube", connect_url="http://127.0.0.1:8083")
    assert ConnectDelivery(provider=block, ready=[]).provider.connect_clusters == {"http://127.0.0.1:8083"}
