"""What is mistaken in the options of targets and the arguments of platforms and parts is told with everything else."""

import json
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka import platform as parts
from hikube_kafka.platform import App, HikubeProvider, KafkaPlatform, KafkaTopic, KubernetesTarget, LocalTarget, cdk
from hikube_kafka.platform.cdk import TerraformStack, TerraformVariable
from hikube_kafka.spec import DeclarationError, KubernetesLayout, Platform, Topic, ZooKeeper

anything: Any = parts
LAYOUT = KubernetesLayout(namespace="shop")


def told(stack: TerraformStack) -> list[str]:
    with pytest.raises(RuntimeError) as refused:
        cdk.Testing.synth(stack)
    _, *lines = str(refused.value).splitlines()
    return [line.strip() for line in lines]


def only(stack: TerraformStack) -> str:
    (line,) = told(stack)
    return line.partition("): ")[2]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"patience": "soon"}, "patience: 'soon' is not a duration"),
        ({"patience": "0s"}, "patience: 0s leaves no time at all. Declare at least 1s."),
        ({"patience": "9999w"}, "patience: 9999w is longer than Kubernetes can count. Declare a time such as 1d."),
        ({"drian": True}, "KubernetesTarget has no field drian. Did you mean drain? [field-unknown]"),
        ({"drain": "maybe"}, "drain = 'maybe' is not True or False. Declare True or False. [value-type]"),
        ({"create_namespace": "sometimes"}, "create_namespace = 'sometimes' is not True, False or 'never'."),
        ({"kubeconfig": 3}, 'kubeconfig = 3 is not a text. Declare a text: kubeconfig="...". [value-type]'),
        ({"zookeeper": "shared"}, "zookeeper = 'shared' is not a ZooKeeperRelease. Declare ZooKeeperRelease(...)."),
        ({"labels": ["a"]}, "labels = ['a'] is not a mapping of keys to values."),
        ({"kafka_values": {}}, ""),
    ],
)
def test_an_option_of_the_cluster_that_is_mistaken_is_told(
    options: dict[str, Any], expected: str, stack: TerraformStack
) -> None:
    KafkaPlatform(stack, "events", target=anything.KubernetesTarget(namespace="shop", **options))
    (line,) = told(stack)
    assert expected in line


def test_a_misspelt_option_is_not_also_missing(stack: TerraformStack) -> None:
    KafkaPlatform(stack, "events", target=anything.KubernetesTarget(namespce="shop"))
    assert only(stack) == "KubernetesTarget has no field namespce. Did you mean namespace? [field-unknown]"


def test_patience_is_a_duration_as_it_is_written(stack: TerraformStack) -> None:
    KafkaPlatform(stack, "events", target=KubernetesTarget(namespace="shop", patience="2h"))
    rollouts = json.loads(cdk.Testing.synth(stack))["resource"]["hikube_rollout"].values()
    assert {rollout["patience"] for rollout in rollouts} == {7200}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"target": "local"}, "target = 'local' is not a Target. Declare LocalTarget(), or KubernetesTarget("),
        ({"target": LocalTarget}, "target = LocalTarget is not a Target. Declare LocalTarget(...). [value-type]"),
        ({}, "target is not declared. Declare it: KafkaPlatform(target=...). [field-missing]"),
        ({"target": None}, "target = None is not a Target."),
        ({"target": LocalTarget(), "zookeper": 1}, "KafkaPlatform has no field zookeper. Did you mean zookeeper?"),
        ({"target": LocalTarget(), "topics": "orders"}, "topics = 'orders' is not a list."),
        ({"target": LocalTarget(), "topics": None}, "topics = None is not a list."),
        ({"target": LocalTarget(), "topics": Topic("orders", partitions=1)}, "is not a list."),
        ({"target": LocalTarget(), "kafka": {"broker": 3}}, "Kafka has no field broker. Did you mean brokers?"),
        ({"target": LocalTarget(), "workload": "big"}, "workload = 'big' is not a Workload. Declare Workload(...)."),
        ({"target": LocalTarget(), "name": 3}, "name = 3 is not a text."),
        (
            {"target": anything.LocalTarget(keepdata=False)},
            "LocalTarget has no field keepdata. Did you mean keep_data?",
        ),
    ],
)
def test_an_argument_of_a_platform_that_is_mistaken_is_told(
    arguments: dict[str, Any], expected: str, stack: TerraformStack
) -> None:
    anything.KafkaPlatform(stack, "events", **arguments)
    assert expected in only(stack)


def test_a_target_by_its_place_is_told_with_what_the_rules_say(stack: TerraformStack) -> None:
    anything.KafkaPlatform(stack, "events", LocalTarget(), zookeeper=ZooKeeper(servers=2))
    unnamed, even = told(stack)
    assert "LocalTarget(...) is given without the name of its field. Name it: KafkaPlatform(target=" in unnamed
    assert "zookeeper.servers: 2 servers need 2" in even


def test_a_reference_where_a_value_must_be_known_at_synth_is_told_as_one(stack: TerraformStack) -> None:
    number = TerraformVariable(stack, "number", type="number")
    KafkaPlatform(
        stack,
        number.string_value and "events",
        target=anything.KubernetesTarget(
            namespace=number.string_value, drain=number.boolean_value, patience=number.string_value, external=1
        ),
        name=number.string_value,
        kafka=anything_of(brokers=number.number_value),
        topics=[Topic(number.string_value, partitions=1)],
    )
    lines = told(stack)
    known = [
        line.partition(" is a reference")[0].rpartition(" ")[2] for line in lines if "must be known at synth" in line
    ]
    assert known == ["drain", "patience", "namespace", "brokers", "name", "name"]
    assert len(lines) == len(known) + 1


def anything_of(**fields: Any) -> Any:
    from hikube_kafka.spec import Kafka  # noqa: PLC0415 - without its types

    kafka: Any = Kafka
    return kafka(**fields)


def test_a_resource_takes_references_that_are_known_only_at_apply(stack: TerraformStack) -> None:
    number = TerraformVariable(stack, "number", type="number")
    config = TerraformVariable(stack, "config", type="map(string)")
    provider = HikubeProvider(stack, "hikube", bootstrap_servers="kafka:9092")
    anything.KafkaTopic(
        stack,
        "t",
        name=number.string_value,
        partitions=number.number_value,
        replication_factor=3,
        config=cdk.Token.as_string_map(config.string_value),
        provider=provider,
    )
    synthesized = cdk.Testing.synth(stack)
    assert '"partitions": "${var.number}"' in synthesized
    assert '"config": "${var.config}"' in synthesized


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (
            lambda stack: KafkaTopic(stack, "t", name="a", partitions=0, replication_factor=1),
            "partitions = 0 is less than 1. Declare at least 1. [value-range]",
        ),
        (
            lambda stack: anything.KafkaTopic(stack, "t", nam="a", partitions=1, replication_factor=1),
            "KafkaTopic has no field nam. Did you mean name? [field-unknown]",
        ),
        (
            lambda stack: anything.HikubeProvider(stack, "p", bootstrap_server="kafka:9092"),
            "HikubeProvider has no field bootstrap_server. Did you mean bootstrap_servers? [field-unknown]",
        ),
        (
            lambda stack: HikubeProvider(
                stack, "p", kubernetes=anything.ThroughKubernetes(namespace="shop", relase="events-kafka")
            ),
            "ThroughKubernetes has no field relase. Did you mean release? [field-unknown]",
        ),
        (
            lambda stack: anything.KafkaRelease(
                stack,
                "k",
                platform=Platform(name="shop"),
                layout=LAYOUT,
                charts=anything.ChartRepository(url="oci://a"),
            ),
            "version is not declared. Declare it: ChartRepository(version=...). [field-missing]",
        ),
        (
            lambda stack: KafkaPlatform(
                stack,
                "events",
                target=KubernetesTarget(namespace="shop", charts=anything.ChartRepository(url="oci://a", version=1)),
            ),
            'version = 1 is not a text. Declare a text: version="...". [value-type]',
        ),
        (
            lambda stack: anything.VolumeClaims(
                stack, "c", stateful_set="k", templates={"data": anything.ClaimTemplate(sise="1Gi")}
            ),
            "ClaimTemplate has no field sise. Did you mean size? [field-unknown]",
        ),
        (
            lambda stack: anything.HikubeProvider(stack, "p", password=12345),
            'password = (not shown) is not a text. Declare a text: password="...". [value-type]',
        ),
        (
            lambda stack: anything.FormerPlatform(stack, "f", target=LocalTarget(), zookeeper=ZooKeeper(servers=0)),
            "servers = 0 is less than 1. Declare at least 1. [value-range]",
        ),
        (
            lambda stack: anything.FormerPlatform(stack, "f", target="local"),
            "target = 'local' is not a Target. Declare LocalTarget(), or KubernetesTarget(namespace=...).",
        ),
        (
            lambda stack: anything.FormerPlatform(stack, "f", target=anything.KubernetesTarget(namespace=3)),
            "namespace = 3 is not a text.",
        ),
        (
            lambda stack: anything.ZooKeeperRelease(
                stack, "z", platform=Platform(name="shop"), layout=LAYOUT, patience="10ms"
            ),
            "patience: 10ms leaves no time at all.",
        ),
        (
            lambda stack: anything.Rollout(stack, "r", stateful_set="z", replicas=3, trigger="", patience="0s"),
            "patience: 0s leaves no time at all.",
        ),
        (
            lambda stack: KafkaTopic(stack, "t", name="a/b", partitions=1, replication_factor=1),
            "topic 'a/b': Kafka does not allow this name.",
        ),
        (
            lambda stack: anything.KafkaRelease(stack, "k", platform="shop", layout=LAYOUT),
            "platform = 'shop' is not a Platform. Declare Platform(...). [value-type]",
        ),
        (
            lambda stack: anything.ZooKeeperRelease(
                stack, "z", platform=Platform(name="shop", zookeeper=ZooKeeper(servers=0)), layout=LAYOUT
            ),
            "servers = 0 is less than 1. Declare at least 1. [value-range]",
        ),
        (
            lambda stack: anything.ZooKeeperRelease(
                stack, "z", platform=Platform(name="shop", zookeeper=ZooKeeper(servers=4)), layout=LAYOUT
            ),
            "zookeeper.servers: 4 servers need 3",
        ),
        (
            lambda stack: anything.LocalEnsemble(stack, "e", name="shop", zookeeper=[], brokers=[], keep_data="maybe"),
            "keep_data = 'maybe' is not True or False.",
        ),
    ],
)
def test_a_part_that_is_used_alone_keeps_the_promise(declare: Any, expected: str, stack: TerraformStack) -> None:
    declare(stack)
    (line,) = told(stack)
    assert expected in line


def test_a_platform_on_a_refused_ensemble_is_refused_for_the_same_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = App(outdir=str(tmp_path))
    stack = TerraformStack(app, "stack")
    declared = Platform(name="shared", zookeeper=ZooKeeper(servers=4))
    shared = parts.ZooKeeperRelease(stack, "zookeeper", platform=declared, layout=LAYOUT)
    with pytest.raises(DeclarationError, match="4 servers need 3"):
        _ = shared.connect
    KafkaPlatform(
        stack,
        "events",
        target=KubernetesTarget(namespace="shop", zookeeper=shared),
        zookeeper=ZooKeeper(chroot="/events"),
        topics=[Topic("orders", partitions=0)],
    )
    with pytest.raises(SystemExit):
        app.synth()
    _, *lines = capsys.readouterr().err.splitlines()
    assert [line.strip().partition(" (")[0] for line in lines] == [
        (
            "[stack/zookeeper] zookeeper.servers: 4 servers need 3 for a quorum and survive the loss of 1, as 3 would. "
            "Declare 3 or 5. [zookeeper-even]"
        ),
        "[stack/events] topic orders",
    ]
