import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka import __version__
from hikube_kafka.platform import App, Delivery, HikubeProvider, KafkaPlatform, KubernetesTarget, LocalTarget, Target
from hikube_kafka.platform.cdk import Construct, TerraformElement, TerraformResource, TerraformStack
from hikube_kafka.spec.contract import Contract
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import DeclarationError
from hikube_kafka.spec.sizing import Workload, size
from hikube_kafka.spec.targets.local import LocalLayout
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper

Synthesize = Callable[[TerraformStack], dict[str, Any]]
Golden = Callable[[dict[str, Any]], None]

ELSEWHERE = LocalLayout(broker_port=31092, zookeeper_port=32181, peer_port=32888, election_port=33888)


def annotations(construct: Construct, level: str) -> list[str]:
    return [entry.data for entry in construct.node.metadata if entry.type == f"@cdktf/{level}"]


def test_three_and_three_with_topics(stack: TerraformStack, synthesized: Synthesize, golden: Golden) -> None:
    KafkaPlatform(
        stack,
        "events",
        target=LocalTarget(),
        topics=[Topic("orders", partitions=6, config={"retention.ms": 604_800_000}), Topic("a.b", partitions=1)],
    )
    golden(synthesized(stack))


def test_one_and_one_for_development(stack: TerraformStack, synthesized: Synthesize, golden: Golden) -> None:
    KafkaPlatform(
        stack,
        "dev",
        name="scratch",
        target=LocalTarget(LocalLayout(broker_port=30000), directory="~/scratch", keep_data=False),
        zookeeper=ZooKeeper(servers=1),
        kafka=Kafka(brokers=1),
        topics=[Topic("orders", partitions=1, deletion_protection=False)],
    )
    golden(synthesized(stack))


def test_two_platforms_in_one_stack(stack: TerraformStack, synthesized: Synthesize, golden: Golden) -> None:
    KafkaPlatform(stack, "east", target=LocalTarget(), topics=[Topic("orders", partitions=1)])
    inner = Construct(stack, "inner")
    KafkaPlatform(
        inner,
        "west",
        target=LocalTarget(ELSEWHERE),
        topics=[Topic("orders", partitions=1)],
    )
    golden(synthesized(stack))


def test_a_second_platform_changes_nothing_about_the_first(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "east", target=LocalTarget(), topics=[Topic("orders", partitions=1)])
    alone = synthesized(stack)
    KafkaPlatform(stack, "west", target=LocalTarget(ELSEWHERE), topics=[Topic("orders", partitions=1)])
    both = synthesized(stack)
    assert both["provider"]["hikube"][0] == alone["provider"]["hikube"][0]
    for kind, resources in alone["resource"].items():
        assert resources.items() <= both["resource"][kind].items()
    assert alone["output"].items() <= both["output"].items()


def test_the_provider_has_the_version_of_the_package(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "events", target=LocalTarget())
    assert synthesized(stack)["terraform"]["required_providers"]["hikube"] == {
        "source": "terraform.local/hikube/hikube",
        "version": __version__,
    }


def test_every_problem_is_shown_at_once_with_where_why_and_remedy(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    KafkaPlatform(
        stack,
        "events",
        target=LocalTarget(),
        zookeeper=ZooKeeper(servers=2),
        topics=[Topic("orders", partitions=1, replication_factor=5), Topic("orders", partitions=1)],
    )
    with pytest.raises(RuntimeError) as refused:
        synthesized(stack)
    message = str(refused.value)
    assert "[stack/events] topic orders: replication factor 5, but there are 3 brokers." in message
    assert "Declare at most 3, or 5 brokers." in message
    assert "topic orders: it is declared 2 times. Keep one of them." in message
    assert "zookeeper.servers: 2 servers" in message


def test_the_problems_of_all_platforms_are_shown_at_once(stack: TerraformStack, synthesized: Synthesize) -> None:
    for name in ("east", "west"):
        KafkaPlatform(stack, name, target=LocalTarget(), zookeeper=ZooKeeper(servers=2))
    with pytest.raises(RuntimeError, match=r"(?s)\[stack/east\] zookeeper.*\[stack/west\] zookeeper"):
        synthesized(stack)


def test_whoever_reaches_into_a_refused_platform_is_told_its_problems(stack: TerraformStack) -> None:
    platform = KafkaPlatform(stack, "events", target=LocalTarget(), zookeeper=ZooKeeper(servers=2))
    with pytest.raises(DeclarationError, match=r"zookeeper\.servers") as refused:
        _ = platform.topics["orders"]
    assert [problem.rule for problem in refused.value.problems] == ["zookeeper-even"]
    with pytest.raises(DeclarationError):
        _ = platform.contract


def test_warnings_and_notices_reach_the_user_and_stop_nothing(stack: TerraformStack, synthesized: Synthesize) -> None:
    platform = KafkaPlatform(
        stack,
        "events",
        target=LocalTarget(),
        kafka=Kafka(brokers=1, config={"num.partitions": 7}),
    )
    assert any("single broker" in warning for warning in annotations(platform, "warn"))
    assert any("num.partitions = 7" in notice for notice in annotations(platform, "info"))
    assert "hikube_local_ensemble" in synthesized(stack)["resource"]


def test_a_topic_is_reached_by_kafkas_name_of_it(stack: TerraformStack, synthesized: Synthesize) -> None:
    platform = KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("a.b", partitions=1)])
    platform.topics["a.b"].add_override("lifecycle.prevent_destroy", value=True)
    topic = synthesized(stack)["resource"]["hikube_kafka_topic"]["events_a_b"]
    assert topic["name"] == "a.b"
    assert topic["lifecycle"] == {"prevent_destroy": True}


def test_an_override_of_what_the_contract_promises_is_warned_of(stack: TerraformStack, synthesized: Synthesize) -> None:
    platform = KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("orders", partitions=6)])
    orders = platform.topics["orders"]
    orders.add_override("partitions", 6)  # what was declared
    orders.add_override("deletion_protection", value=False)  # nothing that the contract speaks of
    synthesized(stack)
    assert annotations(platform, "warn") == []
    orders.add_override("partitions", 12)
    orders.add_override("config", {"retention.ms": "1"})
    ensemble = platform.node.find_child("ensemble")
    assert isinstance(ensemble, TerraformElement)
    ensemble.add_override("brokers.0.heap", "2g")
    topic = synthesized(stack)["resource"]["hikube_kafka_topic"]["events_orders"]
    assert (topic["partitions"], topic["config"]) == (12, {"retention.ms": "1"})
    synthesized(stack)
    warnings = annotations(platform, "warn")
    assert warnings == [
        (
            "stack/events/ensemble: add_override changes brokers.0.heap, and the contract promises what was declared. "
            "Declare it instead. [contract-override]"
        ),
        (
            "stack/events/topics/orders: add_override changes partitions, config, and the contract promises what was "
            "declared. Declare it instead. [contract-override]"
        ),
    ]


def test_a_topic_waits_for_the_servers_and_goes_before_them(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("orders", partitions=1)])
    topic = synthesized(stack)["resource"]["hikube_kafka_topic"]["events_orders"]
    assert topic["depends_on"] == ["hikube_local_ensemble.events"]
    assert topic["provider"] == "hikube.events"


def test_topics_are_protected_unless_the_declaration_says_otherwise(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    KafkaPlatform(
        stack,
        "events",
        target=LocalTarget(),
        topics=[Topic("kept", partitions=1), Topic("loose", partitions=1, deletion_protection=False)],
    )
    topics = synthesized(stack)["resource"]["hikube_kafka_topic"]
    assert topics["events_kept"]["deletion_protection"] is True
    assert topics["events_loose"]["deletion_protection"] is False


def test_the_output_is_the_contract(stack: TerraformStack, synthesized: Synthesize) -> None:
    platform = KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("orders", partitions=6)])
    outputs = synthesized(stack)["output"]
    assert Contract.model_validate(outputs["events_contract"]["value"]) == platform.contract
    assert outputs["events_bootstrap_servers"]["value"] == platform.contract.bootstrap_servers
    assert outputs["events_zookeeper_servers"]["value"] == platform.contract.zookeeper_connect


def test_what_kafka_writes_like_terraform_is_escaped(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(
        stack,
        "events",
        target=LocalTarget(),
        kafka=Kafka(config={"broker.interceptor.secret": "${file:/etc/secret:key}"}),
    )
    content = synthesized(stack)
    broker = content["resource"]["hikube_local_ensemble"]["events"]["brokers"][0]
    assert broker["properties"]["broker.interceptor.secret"] == "$${file:/etc/secret:key}"
    assert (
        content["output"]["events_contract"]["value"]["kafka"]["settings"]["broker.interceptor.secret"]
        == "$${file:/etc/secret:key}"
    )


def test_the_declaration_that_a_sizing_prints_is_synthesized(stack: TerraformStack, synthesized: Synthesize) -> None:
    pasted: dict[str, Any] = {}
    exec(size(Workload(write="5MB/s", retention="1d", replication_factor=2)).python, pasted)  # noqa: S102 - ours
    declared = {part: pasted[part] for part in ("kafka", "zookeeper", "topics")}
    KafkaPlatform(stack, "events", target=KubernetesTarget(namespace="events"), **declared)
    topic = synthesized(stack)["resource"]["hikube_kafka_topic"]["events_events"]
    assert (topic["partitions"], topic["replication_factor"]) == (pasted["topics"][0].partitions, 2)


def test_a_workload_that_no_one_cluster_carries_is_one_error_of_the_platform(stack: TerraformStack) -> None:
    platform = KafkaPlatform(stack, "events", target=LocalTarget(), workload=Workload(write="10GB/s", retention="7d"))
    with pytest.raises(DeclarationError, match="it needs 6,038 brokers") as refused:
        _ = platform.contract
    assert [each.rule for each in refused.value.problems] == ["workload-too-much"]


def test_a_workload_stands_in_place_of_numbers_and_explicit_ones_win(stack: TerraformStack) -> None:
    workload = Workload(write="100MB/s", retention="1d")
    sized = KafkaPlatform(stack, "sized", target=LocalTarget(), workload=workload)
    assert sized.declaration.kafka.brokers > 3
    mixed = KafkaPlatform(stack, "mixed", target=LocalTarget(), workload=workload, kafka=Kafka(brokers=5))
    assert mixed.declaration.kafka == Kafka(brokers=5)
    assert mixed.declaration.zookeeper == sized.declaration.zookeeper


def test_the_local_target_has_no_certificates(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(
        stack,
        "events",
        target=LocalTarget(),
        kafka=Kafka(listeners=(Listener("client", port=9092, protocol="SSL"),)),
    )
    with pytest.raises(RuntimeError, match="listener client: protocol SSL, but servers on this machine have neither"):
        synthesized(stack)


def test_the_local_target_does_not_warn_of_plaintext_that_stays_on_the_machine(stack: TerraformStack) -> None:
    platform = KafkaPlatform(stack, "events", target=LocalTarget())
    assert annotations(platform, "warn") == []


def test_the_local_target_refuses_two_servers_on_one_port(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "events", target=LocalTarget(LocalLayout(zookeeper_port=29093)))
    with pytest.raises(RuntimeError, match="layout: port 29093 is given to zookeeper-1 and broker-1"):
        synthesized(stack)


class ElsewhereTarget(Target):
    """A target of somebody else's."""

    def deliver(self, scope: Construct, platform: Platform) -> Delivery:
        contract = LocalLayout().contract(platform).model_copy(update={"target": "elsewhere"})
        servers = TerraformResource(scope, "servers", terraform_resource_type="terraform_data")
        return Delivery(contract=contract, provider=HikubeProvider(scope, "provider"), servers=[servers])


def test_a_new_target_needs_nothing_of_the_others(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "events", target=ElsewhereTarget(), topics=[Topic("orders", partitions=1)])
    content = synthesized(stack)
    assert set(content["resource"]) == {"hikube_kafka_topic", "terraform_data"}
    assert content["output"]["events_contract"]["value"]["target"] == "elsewhere"


def test_a_refusal_is_read_without_the_machinery_that_carried_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = App(outdir=str(tmp_path))
    stack = TerraformStack(app, "stack")
    KafkaPlatform(stack, "events", target=LocalTarget(), zookeeper=ZooKeeper(servers=2))
    with pytest.raises(SystemExit) as ended:
        app.synth()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "The declaration is not valid:\n"
        "  [stack/events] zookeeper.servers: 2 servers need 2 for a quorum and survive the loss of 0, as 1 would. "
        "Declare 1 or 3. [zookeeper-even]\n"
    )


def test_any_other_error_of_a_synth_keeps_its_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    app = App(outdir=str(folder))
    TerraformStack(app, "stack")
    shutil.rmtree(folder)
    folder.touch()
    with pytest.raises(RuntimeError, match="ENOTDIR"):
        app.synth()


def test_a_topic_that_is_not_declared_is_answered_with_the_nearest(stack: TerraformStack) -> None:
    platform = KafkaPlatform(stack, "events", target=LocalTarget(), topics=[Topic("orders", partitions=1)])
    with pytest.raises(KeyError) as refused:
        platform.topics["order"]
    assert str(refused.value) == "there is no topic 'order': did you mean 'orders'?"
