"""What stands in the way of a rollout is found in objects that a real cluster (1.34) gave, one thing wrong in each."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.kubernetes.obstacles import Obstacle, obstacles
from hikube_kafka.kubernetes.rollout import RolloutSeen

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("recorded_rollouts.json").read_text("utf-8"))
NOW = datetime(2026, 11, 26, 5, 30, tzinfo=UTC)
Change = Callable[[dict[str, Any]], object]


def recorded(name: str, change: Change = lambda _: None) -> RolloutSeen:
    objects = deepcopy(RECORDED[name])
    named = objects["stateful_set"]["metadata"]["name"]
    change(objects)
    return RolloutSeen(
        name=named,
        stateful_set=objects["stateful_set"],
        pods=objects["pods"],
        claims=objects["claims"],
        events=tuple(objects["events"]),
    )


def found(seen: RolloutSeen) -> list[Obstacle]:
    return obstacles(seen, {each["metadata"]["uid"] for each in seen.events}, NOW)


@pytest.mark.parametrize(
    ("name", "kind", "pods", "words"),
    [
        ("image", "image", ["image-0", "image-1"], "registry.invalid/kafka:3.9.9"),
        ("badname", "image", ["badname-0", "badname-1"], "must be lowercase"),
        ("big", "unschedulable", ["big-0", "big-1"], "3 Insufficient memory"),
        ("spread", "unschedulable", ["spread-3"], "didn't match pod anti-affinity rules"),
        ("noclass", "claim", ["noclass-0", "noclass-1"], 'storageclass.storage.k8s.io "nowhere" not found'),
        ("mount", "mount", ["mount-0", "mount-1"], 'secret "absent" not found'),
        ("config", "container", ["config-0", "config-1"], 'secret "absent" not found'),
        ("crash", "crash", ["crash-0"], "exit code 3"),
        ("memory", "memory", ["memory-0"], "exit code 137 (OOMKilled)"),
        ("long", "refused", [f"{'n' * 62}-0"], "must be no more than 63"),
        ("quota", "refused", ["quota-1"], "exceeded quota: few"),
        ("limits", "refused", ["limits-0"], "maximum memory usage per Container"),
        ("security", "refused", ["security-0"], "violates PodSecurity"),
    ],
)
def test_each_thing_in_the_way_is_found_in_kubernetes_own_words(
    name: str, kind: str, pods: list[str], words: str
) -> None:
    standing = found(recorded(name))
    assert [each.pod for each in standing] == pods
    assert {each.kind for each in standing} == {kind}
    assert all(words in each.words for each in standing)


def test_what_is_well_has_nothing_in_its_way() -> None:
    seen = recorded("well")
    assert found(seen) == []
    assert seen.rolled_out(2)
    assert seen.servers(2) == {"well-0": "running", "well-1": "running"}


@pytest.mark.parametrize("name", ["mount", "noclass", "quota", "limits"])
def test_what_events_of_long_ago_say_does_not_stand_in_the_way(name: str) -> None:
    kinds = {each.kind for each in obstacles(recorded(name), set(), NOW)}
    assert kinds <= {"unschedulable"}  # the scheduler's word is not an event but the pod's own state


def event(uid: str, reason: str, message: str, name: str) -> dict[str, Any]:
    own = {"name": name, "uid": RECORDED["quota"]["stateful_set"]["metadata"]["uid"]}
    return {"metadata": {"uid": uid}, "reason": reason, "message": message, "involvedObject": own}


def test_a_refusal_that_a_success_followed_is_over() -> None:
    made = event("made", "SuccessfulCreate", "create Pod quota-1 in StatefulSet quota successful", "quota")
    assert found(recorded("quota", lambda objects: objects["events"].append(made))) == []


def test_a_webhook_that_does_not_answer_is_not_a_refusal() -> None:
    words = 'create Pod quota-1 in StatefulSet quota failed error: Internal error: failed calling webhook "policy"'
    silent = event("silent", "FailedCreate", words, "quota")
    (standing,) = found(recorded("quota", lambda objects: objects["events"].append(silent)))
    assert (standing.kind, standing.words) == ("webhook", 'Internal error: failed calling webhook "policy"')


@pytest.mark.parametrize(("said", "kinds"), [(None, []), ("05:20:00", []), ("05:10:00", ["unschedulable"])])
def test_while_an_autoscaler_brings_a_node_the_scheduler_is_not_believed(said: str | None, kinds: list[str]) -> None:
    brings = event("brings", "TriggeredScaleUp", "pod triggered scale-up", "spread-3")
    brings["lastTimestamp"] = said and f"2026-11-26T{said}Z"
    seen = recorded("spread", lambda objects: objects["events"].append(brings))
    assert [each.kind for each in found(seen)] == kinds
    assert [each.kind for each in obstacles(seen, set(), NOW)] == kinds, "it said so before anybody waited"


def claims_say(*said: tuple[str, str]) -> Change:
    """What a provisioner, or who looks for one, says of both claims in place of what is recorded."""

    def change(objects: dict[str, Any]) -> None:
        objects["events"] = [
            event(f"{reason} of {claim}", reason, words, claim) for reason, words in said for claim in objects["claims"]
        ]

    return change


BEGINS = ("Provisioning", "External provisioner is provisioning volume for claim")
SLOW = ("ProvisioningFailed", "failed to provision volume: rpc error: code = DeadlineExceeded")


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ([BEGINS], []),  # the scheduler calls such a pod unschedulable for as long as a cloud makes its volume
        ([("ExternalProvisioning", "waiting for a volume to be created")], ["unschedulable"] * 2),
        ([BEGINS, SLOW], ["claim-slow"] * 2),
        ([BEGINS, ("ProvisioningFailed", "quota of disks exceeded")], ["claim"] * 2),
    ],
)
def test_a_volume_that_a_cloud_still_makes_is_told_from_one_that_it_does_not(
    said: list[tuple[str, str]], kinds: list[str]
) -> None:
    assert [each.kind for each in found(recorded("noclass", claims_say(*said)))] == kinds


def test_a_volume_that_another_node_still_has_is_waited_for_longer() -> None:
    def attached(objects: dict[str, Any]) -> None:
        objects["events"] = [
            event(name, "FailedAttachVolume", "Multi-Attach error for volume: Volume is already attached", name)
            for name in objects["pods"]
        ]

    assert {each.kind for each in found(recorded("mount", attached))} == {"mount-slow"}


def test_a_node_that_does_not_answer_is_named_and_one_that_came_back_is_not() -> None:
    def gone(objects: dict[str, Any]) -> None:
        objects["events"].append(event("gone", "NodeNotReady", "Node is not ready", "well-0"))

    def unready(objects: dict[str, Any]) -> None:
        gone(objects)
        for condition in objects["pods"]["well-0"]["status"]["conditions"]:
            condition["status"] = "True" if condition["type"] == "PodScheduled" else "False"

    node = RECORDED["well"]["pods"]["well-0"]["spec"]["nodeName"]
    assert [each.words for each in found(recorded("well", unready))] == [f"node {node} does not answer"]
    assert found(recorded("well", gone)) == []


def test_a_claim_that_has_lost_its_volume() -> None:
    def lost(objects: dict[str, Any]) -> None:
        for claim in objects["claims"].values():
            claim["status"] = {"phase": "Lost"}

    assert {each.kind for each in found(recorded("noclass", lost))} == {"claim-lost"}


@pytest.mark.parametrize(("until", "kinds"), [("05:20:00", ["terminating"]), ("05:29:45", []), ("05:35:00", [])])
def test_a_pod_that_outlives_its_time_is_named_and_one_that_has_time_left_is_not(until: str, kinds: list[str]) -> None:
    def ending(objects: dict[str, Any]) -> None:
        objects["pods"]["well-0"]["metadata"]["deletionTimestamp"] = f"2026-11-26T{until}Z"

    seen = recorded("well", ending)
    assert [each.kind for each in found(seen)] == kinds
    assert seen.servers(2)["well-0"] == "terminating"


@pytest.mark.parametrize(
    ("change", "servers"),
    [
        (lambda it: it["stateful_set"]["spec"].update(replicas=0), ["away", "away"]),
        (lambda it: it.update(stateful_set=None), ["without its StatefulSet"] * 2),
        (lambda it: it.update(stateful_set=None, pods={}), ["away", "away"]),
        (lambda it: it["stateful_set"]["spec"].update(replicas=3), ["running", "running", "not declared"]),
        (lambda it: it["stateful_set"]["status"].update(updateRevision="new"), ["of another revision"] * 2),
        (lambda it: it["pods"].pop("well-1"), ["running", "away"]),
    ],
)
def test_what_was_changed_by_hand_shows(change: Change, servers: list[str]) -> None:
    seen = recorded("well", change)
    assert list(seen.servers(2).values()) == servers
    assert seen.rolled_out(2) == (servers == ["running", "running", "not declared"])


def test_a_rollout_that_its_controller_has_not_seen_yet_is_not_over() -> None:
    seen = recorded("well", lambda it: it["stateful_set"]["metadata"].update(generation=9))
    assert set(seen.servers(2).values()) == {"running"}
    assert not seen.rolled_out(2)


@pytest.mark.parametrize(
    ("strategy", "paused"),
    [
        ({"type": "RollingUpdate"}, None),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, None),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, "partition 2"),
        ({"type": "OnDelete"}, "OnDelete"),
    ],
)
def test_a_paused_update_is_seen(strategy: dict[str, Any], paused: str | None) -> None:
    assert recorded("well", lambda it: it["stateful_set"]["spec"].update(updateStrategy=strategy)).paused == paused
