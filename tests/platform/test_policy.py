"""An app that names a policy is held to its limits at synth: by the same rules as its plan in a review."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.platform import App, KafkaPlatform, KubernetesTarget, LocalTarget, ZooKeeperRelease, helm_provider
from hikube_kafka.platform.cdk import LocalBackend, TerraformStack, TerraformVariable
from hikube_kafka.platform.provider import HikubeProvider
from hikube_kafka.platform.topic import KafkaTopic
from hikube_kafka.platform.volume_claims import ClaimTemplate, VolumeClaims
from hikube_kafka.review.plan import read_plan
from hikube_kafka.review.policy import limit_problems
from hikube_kafka.spec import Image, Kafka, KubernetesLayout, LocalLayout, Platform, Storage, Topic, ZooKeeper
from hikube_kafka.spec.policy import Policy

STRICT = """
limits:
  storage_classes: [replicated]
  storage_size: {min: 2Gi, max: 1Ti}
  replication_factor: {min: 3}
  min_insync_replicas: {min: 2}
  partitions: {max: 12}
  topic_names: '[a-z]+[.][a-z.]+'
  images: {allowed: ["mirror.example.com/*"], digest: required}
"""


def app_with(policy: str, tmp_path: Path) -> tuple[App, TerraformStack]:
    file = tmp_path / "policy.yaml"
    file.write_text(policy, "utf-8")
    app = App(policy=file, outdir=str(tmp_path / "out"))
    stack = TerraformStack(app, "stack")
    LocalBackend(stack, path="stack.tfstate")
    return app, stack


def told(app: App, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The reasons for which a synth is refused."""
    with pytest.raises(SystemExit) as ended:
        app.synth()
    assert ended.value.code == 1
    heading, *lines = capsys.readouterr().err.splitlines()
    assert heading == "The declaration is not valid:"
    return [line.strip() for line in lines]


def declare(stack: TerraformStack) -> None:
    KafkaPlatform(
        stack,
        "events",
        target=KubernetesTarget(namespace="shop"),
        zookeeper=ZooKeeper(storage=Storage("1Gi", storage_class="replicated"), log_storage=Storage("2Ti")),
        kafka=Kafka(brokers=4, storage=Storage("2Gi", storage_class="local")),
        topics=[
            Topic("orders", partitions=13),
            Topic("shop.orders", partitions=12),
            Topic("shop.audit", partitions=1, replication_factor=2, config={"min.insync.replicas": 1}),
        ],
    )


def planned(folder: Path) -> bytes:
    """The plan that creates what was synthesized, as far as limits read one."""
    content = json.loads((folder / "stacks" / "stack" / "cdk.tf.json").read_text("utf-8"))
    changes = []
    for kind, resources in content["resource"].items():
        for name, attributes in resources.items():
            change: Mapping[str, Any] = {
                "actions": ["create"],
                "before": None,
                "after": {key: value for key, value in attributes.items() if not str(value).startswith("${")},
                "after_unknown": {key: True for key, value in attributes.items() if str(value).startswith("${")},
            }
            changes.append(
                {
                    "address": f"{kind}.{name}",
                    "mode": "managed",
                    "type": kind,
                    "name": name,
                    "provider_name": f"registry.example/hashicorp/{kind.partition('_')[0]}",
                    "change": change,
                }
            )
    return json.dumps({"format_version": "1.2", "planned_values": {}, "resource_changes": changes}).encode()


def test_the_same_platform_has_the_same_problems_at_synth_and_in_its_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app, stack = app_with(STRICT, tmp_path)
    declare(stack)
    at_synth = sorted(line.partition("] ")[2] for line in told(app, capsys))
    without = App(outdir=str(tmp_path / "without"))
    declare(TerraformStack(without, "stack"))
    without.synth()
    policy = Policy.parse(STRICT, str(tmp_path / "policy.yaml"))
    in_plan = sorted(str(problem) for _, problem in limit_problems(read_plan(planned(tmp_path / "without")), policy))
    assert at_synth == in_plan
    assert Counter(line.rpartition("[")[2].rstrip("]") for line in in_plan) == {
        "policy-storage-class": 2,
        "policy-storage-size": 2,
        "policy-image": 2,
        "policy-image-digest": 2,
        "policy-partitions": 1,
        "policy-topic-name": 1,
        "policy-min-isr": 1,
        "policy-replication-factor": 1,
    }


def test_a_waiver_holds_at_synth_by_what_it_is_of_and_by_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waivers = """
waivers:
  - {rule: policy-partitions, of: topic orders, owner: shop, reason: it is busy, until: 9999-12-31}
  - {rule: policy-partitions, address: hikube_kafka_topic.events_c*, owner: shop, reason: as well, until: 9999-12-31}
  - {rule: policy-partitions, of: topic returns, owner: shop, reason: it was busy, until: 2020-12-31}
"""
    app, stack = app_with("limits: {partitions: {max: 3}}" + waivers, tmp_path)
    topics = [Topic(name, partitions=6) for name in ("orders", "customers", "returns")]
    KafkaPlatform(stack, "events", target=LocalTarget(), topics=topics)
    (line,) = told(app, capsys)
    assert line.startswith("[stack/events/topics/returns] topic returns: 6 partitions; the policy allows at most 3.")


def test_a_limit_that_does_not_block_is_said_and_the_stack_is_written(tmp_path: Path) -> None:
    policy = """
limits: {partitions: {max: 3}, topic_names: 'x.*'}
severities:
  - {rule: policy-partitions, severity: warning}
  - {rule: policy-topic-name, severity: notice}
"""
    app, stack = app_with(policy, tmp_path)
    KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("orders", partitions=6)])
    app.synth()
    content = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))
    annotations = content["stacks"]["stack"]["annotations"]
    said = {each["level"]: each["message"] for each in annotations if "policy-" in each["message"]}
    assert "6 partitions" in said["@cdktf/warn"]
    assert "does not match" in said["@cdktf/info"]


def test_parts_alone_and_overrides_at_any_depth_are_held_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = "limits: {partitions: {max: 3}, min_insync_replicas: {min: 2}, storage_size: {min: 2Gi}}"
    app, stack = app_with(policy, tmp_path)
    provider = HikubeProvider(stack, "provider", bootstrap_servers="127.0.0.1:9092")
    config = {"min.insync.replicas": "2"}
    for name, override in {
        "orders": ("partitions", 2),
        "customers": ("partitions", 4),
        "returns": ("config", {"min.insync.replicas": "1"}),
        "audit": ("config", None),
    }.items():
        topic = KafkaTopic(stack, name, name=name, partitions=3, replication_factor=3, config=config, provider=provider)
        topic.add_override(*override)
    claims = VolumeClaims(
        stack, "claims", stateful_set="kafka", templates={"data": ClaimTemplate(size="2Gi")}, provider=provider
    )
    claims.add_override("templates.data.size", "1Gi")
    declared = Platform(name="alone", zookeeper=ZooKeeper(storage=Storage("1Gi")))
    helm_provider(stack, "helm", kubeconfig="cluster.yaml")
    ZooKeeperRelease(stack, "release", platform=declared, layout=KubernetesLayout(namespace="shop"))
    assert [line.partition(" Declare")[0] for line in told(app, capsys)] == [
        "[stack/customers] topic customers: 4 partitions; the policy allows at most 3.",
        "[stack/returns] topic returns: min.insync.replicas = 1; the policy asks for at least 2.",
        (
            "[stack/audit] topic audit: it names no min.insync.replicas, and the brokers that it follows are not here; "
            "the policy asks for at least 2."
        ),
        "[stack/claims] claims of kafka: data is 1Gi; the policy allows at least 2Gi.",
        "[stack/release] claims of alone-zookeeper: data is 1Gi; the policy allows at least 2Gi.",
    ]


def test_what_only_the_apply_tells_is_left_to_the_review(tmp_path: Path) -> None:
    policy = "limits: {topic_names: 'x.*', min_insync_replicas: {min: 2}, images: {allowed: ['x/*']}}"
    app, stack = app_with(policy, tmp_path)
    provider = HikubeProvider(stack, "provider", bootstrap_servers="127.0.0.1:9092")
    registry = TerraformVariable(stack, "registry", type="string").string_value
    image = Image(registry=registry, repository="kafka", tag="3.9.2")
    target = KubernetesTarget(namespace="shop", kafka_image=image, zookeeper_image=image)
    KafkaPlatform(stack, "events", target=target)
    config = {"min.insync.replicas": "${var.least}"}
    KafkaTopic(stack, "topic", name="${var.name}", partitions=3, replication_factor=3, config=config, provider=provider)
    app.synth()


def test_of_two_platforms_each_topic_follows_its_own_brokers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app, stack = app_with("limits: {min_insync_replicas: {min: 2}}", tmp_path)
    topics = [Topic("orders", partitions=1)]
    ports = LocalLayout(broker_port=39092, zookeeper_port=32181, peer_port=32888, election_port=33888)
    KafkaPlatform(stack, "large", target=LocalTarget(), topics=topics)
    KafkaPlatform(stack, "small", target=LocalTarget(ports), kafka=Kafka(brokers=1), topics=topics)
    KafkaPlatform(stack, "cluster", target=KubernetesTarget(namespace="shop"), topics=topics)
    (line,) = told(app, capsys)
    assert line.startswith("[stack/small/topics/orders] topic orders: it follows the brokers, whose")


def test_limits_and_mistakes_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = KubernetesLayout(namespace="shop")
    app, stack = app_with("limits: {partitions: {max: 3}}", tmp_path)
    KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("orders", partitions=6)])
    KafkaPlatform(stack, "logs", target=LocalTarget(), zookeeper=ZooKeeper(servers=4))
    KafkaTopic(stack, "alone", name="a/logs", partitions=6, replication_factor=3)
    ZooKeeperRelease(stack, "logs2", platform=Platform(name="logs2", zookeeper=ZooKeeper(servers=4)), layout=layout)
    lines = told(app, capsys)
    assert [line.rpartition("[")[2] for line in lines if "logs" in line or "topic orders" in line] == [
        "policy-partitions]",
        "zookeeper-even]",
        "topic-name]",
        "zookeeper-even]",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("limits: {partions: 3}", ":1: there is no limits.partions: did you mean partitions?"),
        (None, ": the policy cannot be read: No such file or directory."),
        (b"\xff\xfe", ": it is not a text in UTF-8 (byte 1)."),
    ],
)
def test_a_policy_that_cannot_be_obeyed_refuses_the_synth(
    content: str | bytes | None, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app, _ = app_with("", tmp_path)
    file = tmp_path / "policy.yaml"
    file.unlink()
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert told(app, capsys) == [f"{os.fspath(file)}{expected}"]
