"""A platform whose id changes, whose namespace is to stay, or that leaves the code: the next plan is one."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.platform import App, FormerPlatform, KafkaPlatform, KubernetesTarget, LocalTarget, Target, terraform
from hikube_kafka.platform.cdk import Construct, TerraformStack
from hikube_kafka.provider.install import install
from hikube_kafka.spec.targets.local import LocalLayout
from hikube_kafka.spec.topic import Topic
from tests.support.terraform import settings_file

Synthesize = Callable[[TerraformStack], dict[str, Any]]

TOPICS = (Topic("orders", partitions=1), Topic("a.b", partitions=1))
ELSEWHERE = LocalLayout(broker_port=31092, zookeeper_port=32181, peer_port=32888, election_port=33888)
CLUSTER = KubernetesTarget(namespace="ns")


def blocks(content: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = content["provider"]
    return found


def addresses(content: dict[str, Any]) -> set[str]:
    return {f"{kind}.{name}" for kind, resources in content["resource"].items() for name in resources}


def another() -> TerraformStack:
    return TerraformStack(App(), "stack")


@pytest.mark.parametrize("target", [LocalTarget(), CLUSTER], ids=["local", "kubernetes"])
def test_another_id_moves_every_resource_and_keeps_the_providers(
    target: Target, stack: TerraformStack, synthesized: Synthesize
) -> None:
    KafkaPlatform(stack, "events", target=target, topics=TOPICS)
    before = synthesized(stack)
    now = another()
    KafkaPlatform(now, "shop", name="events", moved_from="events", target=target, topics=TOPICS)
    after = synthesized(now)
    assert "moved" not in before
    assert {move["from"] for move in after["moved"]} == addresses(before)
    assert {move["to"] for move in after["moved"]} == addresses(after)
    # Where the cluster is looked up is no part of the state's memory: its name is the new one.
    looked_up = "hikube_kubernetes_cluster.{}."
    text = json.dumps(blocks(before)).replace(looked_up.format("events"), looked_up.format("shop"))
    assert blocks(after) == json.loads(text)
    charts = [
        {each["name"]: each["chart"] for each in content["resource"].get("helm_release", {}).values()}
        for content in (before, after)
    ]
    assert charts[0] == charts[1]


def test_a_platform_moves_out_of_another_construct(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(Construct(stack, "in.ner"), "events", target=LocalTarget())
    before = synthesized(stack)
    now = another()
    KafkaPlatform(now, "events", name="events", moved_from="in.ner/events", target=LocalTarget())
    (move,) = synthesized(now)["moved"]
    assert {move["from"]} == addresses(before) == {"hikube_local_ensemble.in_ner_events"}
    assert move["to"] == "hikube_local_ensemble.events"


def test_several_platforms_of_a_stack_move(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "a", name="x", moved_from="x", target=LocalTarget())
    KafkaPlatform(stack, "b", name="y", moved_from="y", target=LocalTarget(ELSEWHERE))
    assert [move["from"] for move in synthesized(stack)["moved"]] == [
        "hikube_local_ensemble.x",
        "hikube_local_ensemble.y",
    ]


def test_a_platform_that_moves_says_what_its_servers_are_called(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "shop", moved_from="events", target=LocalTarget())
    with pytest.raises(RuntimeError, match=r'(?s)name: it is not declared.*name="events".*\[platform-moved-name\]'):
        synthesized(stack)


def test_two_platforms_of_one_name_have_providers_of_their_own_in_any_order(synthesized: Synthesize) -> None:
    east = KubernetesTarget(namespace="ns", kubeconfig="east.yaml")
    west = KubernetesTarget(namespace="ns", kubeconfig="west.yaml", forward_port=19192)

    def aliases(*platforms: tuple[str, Target]) -> dict[str, str]:
        now = another()
        for id_, target in platforms:
            KafkaPlatform(now, id_, name="events", target=target)
        found = synthesized(now)
        assert all(len({each["alias"] for each in found["provider"][kind]}) == len(platforms) for kind in blocks(found))
        return {each: found["resource"]["helm_release"][f"{each}_kafka"]["provider"] for each, _ in platforms}

    assert aliases(("a", east)) == {"a": "helm.events"}
    assert aliases(("a", east), ("b", west)) == aliases(("b", west), ("a", east))


def test_a_namespace_that_the_stack_no_longer_creates_is_forgotten_and_kept(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    for id_, port in (("a", 19092), ("b", 19192)):
        target = KubernetesTarget(namespace=id_, create_namespace=False, forward_port=port)
        KafkaPlatform(stack, id_, target=target)
    content = synthesized(stack)
    assert content["removed"] == [
        {"from": f"kubernetes_namespace_v1.{each}", "lifecycle": {"destroy": False}} for each in "ab"
    ]
    assert [each["alias"] for each in blocks(content)["kubernetes"]] == ["a", "b"]
    claims = content["resource"]["hikube_volume_claims"].values()
    assert {each["created_namespace"] for each in claims} == {""}


def test_a_platform_that_moves_while_it_leaves_its_namespace_forgets_it_at_the_former_address(
    stack: TerraformStack, synthesized: Synthesize
) -> None:
    target = KubernetesTarget(namespace="ns", create_namespace=False)
    KafkaPlatform(stack, "shop", name="events", moved_from="events", target=target)
    assert {each["from"] for each in synthesized(stack)["removed"]} == {
        "kubernetes_namespace_v1.shop",
        "kubernetes_namespace_v1.events",
    }


def test_claims_name_the_namespace_that_the_stack_creates(stack: TerraformStack, synthesized: Synthesize) -> None:
    KafkaPlatform(stack, "events", target=CLUSTER)
    claims = synthesized(stack)["resource"]["hikube_volume_claims"]
    # A reference: whoever takes the namespace alone out of the configuration is told by Terraform.
    assert {each["created_namespace"] for each in claims.values()} == {"${kubernetes_namespace_v1.events.id}"}


@pytest.mark.parametrize("target", [LocalTarget(ELSEWHERE), CLUSTER], ids=["local", "kubernetes"])
def test_a_former_platform_keeps_the_providers_alone(
    target: Target, stack: TerraformStack, synthesized: Synthesize
) -> None:
    KafkaPlatform(stack, "events", target=target, topics=TOPICS)
    before = synthesized(stack)
    now = another()
    FormerPlatform(now, "events", target=target)
    after = synthesized(now)
    assert blocks(after) == blocks(before)
    assert "resource" not in after
    kept = [each["from"] for each in after.get("removed", [])]
    assert kept == [each for each in addresses(before) if each.startswith("kubernetes_namespace_v1.")]


@pytest.mark.terraform
def test_terraform_reads_the_blocks(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path / "out"))
    stack = TerraformStack(app, "stack")
    KafkaPlatform(stack, "shop", name="events", moved_from="events", target=LocalTarget(), topics=TOPICS)
    terraform.forget(stack, "terraform_data.never")
    terraform.forget(stack, "terraform_data.nowhere")
    app.synth()
    install(tmp_path / "plugins")
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "TF_CLI_CONFIG_FILE": str(settings_file(tmp_path, tmp_path / "plugins")),
        "CHECKPOINT_DISABLE": "1",
    }
    command = shutil.which("terraform") or "terraform"
    for arguments in (("init", "-input=false", "-backend=false"), ("validate",)):
        done = subprocess.run(
            [command, *arguments, "-no-color"],
            cwd=tmp_path / "out" / "stacks" / "stack",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
