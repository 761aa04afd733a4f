"""A rollout that nothing stands in the way of raises nothing; each test puts one thing there."""

from collections.abc import Mapping
from typing import Any

import pytest

from hikube_kafka.spec.changes.rollout import Hindrance, Known, hindered, not_ready, problems
from hikube_kafka.spec.problem import Problem

WELL = Known(kubectl="kubectl -n events", nodes=3, replicas=3, paused=None, unfinished=None)


def rollout(**changed: Any) -> dict[str, Any]:
    return {"stateful_set": "events-kafka", "replicas": 3, "one_per_node": True, "release": None} | changed


def the_one(prior: Mapping[str, Any] | None, planned: Mapping[str, Any], known: Known) -> Problem:
    (problem,) = problems(prior, planned, known)
    return problem


@pytest.mark.parametrize(
    ("prior", "planned", "known"),
    [
        (None, rollout(), WELL),
        (None, rollout(), None),
        (None, rollout(), WELL._replace(replicas=None)),
        (rollout(), rollout(), WELL),
        (rollout(), rollout(), WELL._replace(nodes=2)),  # a node that is cordoned for a while
        (rollout(), rollout(replicas=2), WELL),
        (rollout(), rollout(replicas=5), WELL._replace(nodes=None)),
        (None, rollout(replicas=5, one_per_node=None), WELL),
        (rollout(), None, WELL),
        (None, {"one_per_node": True, "stateful_set": "events-kafka"}, WELL),
    ],
)
def test_what_is_well_raises_nothing(prior: Any, planned: Any, known: Known | None) -> None:
    assert list(problems(prior, planned, known)) == []


def test_a_release_that_helm_left_unfinished_is_refused_with_the_command_that_helps() -> None:
    secret = "sh.helm.release.v1.events-kafka.v7"
    known = WELL._replace(unfinished=(secret, 7, "pending-upgrade", "2026-01-01T00:00:00Z"))
    for prior in (None, rollout()):
        problem = the_one(prior, rollout(), known)
        assert (problem.rule, problem.severity) == ("release-locked", "error")
        assert f"kubectl -n events delete secret {secret}." in problem.remedy
        assert "revision 7 (pending-upgrade" in problem.message


def test_fewer_nodes_than_pods_that_need_one_each_are_said_before_the_apply() -> None:
    problem = the_one(rollout(), rollout(replicas=5), WELL)
    assert (problem.rule, problem.severity, problem.path) == ("rollout-too-few-nodes", "warning", ("replicas",))
    assert problem.message == "5 pods need a node each, and only 3 take pods."


def test_an_update_that_is_paused_matters_once_there_is_one() -> None:
    paused = WELL._replace(paused="OnDelete")
    assert list(problems(rollout(), rollout(), paused)) == []
    assert the_one(rollout(trigger="a"), rollout(trigger="b"), paused).rule == "rollout-changed-by-hand"


def test_servers_that_somebody_added_are_not_removed() -> None:
    problem = the_one(rollout(), rollout(), WELL._replace(replicas=5))
    assert (problem.rule, problem.severity) == ("rollout-scaled-up", "warning")
    assert "kubectl -n events scale statefulset events-kafka --replicas=3." in problem.remedy


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (WELL._replace(replicas=0), "has 0 replicas, and 3 are declared"),
        (WELL._replace(replicas=None), "does not exist any more"),
        (WELL._replace(paused="partition 2"), "partition 2"),
    ],
)
def test_what_was_changed_by_hand_is_said(known: Known, said: str) -> None:
    problem = the_one(rollout(servers={"events-kafka-0": "of another revision"}), rollout(), known)
    assert problem.rule == "rollout-changed-by-hand"
    assert said in problem.message


@pytest.mark.parametrize(
    ("kind", "words", "rule", "said"),
    [
        ("image", "no such image", "rollout-image", "image cannot be pulled: no such image."),
        ("container", 'secret "x" not found', "rollout-container", 'secret "x" not found'),
        ("crash", "container kafka ended with exit code 1 (Error)", "rollout-crash", "exit code 1"),
        ("memory", "container kafka ended with exit code 137 (OOMKilled)", "rollout-memory", "resources.memory"),
        (
            "claim",
            'claim data-0: storageclass "x" not found',
            "rollout-claim-pending",
            "kubectl -n events get storageclass",
        ),
        ("claim-lost", "claim data-0 has lost its volume", "rollout-claim-lost", "copies from the others"),
        ("mount", 'secret "x" not found', "rollout-mount", "cannot be mounted"),
        ("no-membership", "its claim has no membership", "rollout-no-membership", "network policy"),
        ("no-zookeeper", "broker 0 waits: no ZooKeeper server serves, of a:1", "rollout-no-zookeeper", "of a:1."),
        ("node", "node b does not answer", "rollout-node", "Bring the node back"),
        ("terminating", "node b has not ended it", "rollout-terminating", "--force"),
        ("refused", "pods is forbidden: exceeded quota: few", "rollout-quota", "describe resourcequota"),
        ("refused", "maximum memory usage per Container is 1Gi", "rollout-limits", "describe limitrange"),
        ("refused", "violates PodSecurity restricted", "rollout-pod-security", "Pod Security"),
        ("refused", "metadata.labels: must be no more than 63 bytes", "rollout-pod-invalid", "shorter name"),
        ("refused", "admission webhook x denied the request", "rollout-pod-refused", "webhook"),
        ("unschedulable", "3 Insufficient memory", "rollout-unschedulable", "as much left"),
        ("unschedulable", "didn't match pod anti-affinity rules", "rollout-unschedulable", "preferred"),
        ("unschedulable", "had untolerated taint {a: b}", "rollout-unschedulable", "tolerations"),
        ("unschedulable", "had volume node affinity conflict", "rollout-unschedulable", "Bring that node back"),
        ("unschedulable", "something new", "rollout-unschedulable", "its words"),
    ],
)
def test_each_hindrance_has_its_remedy(kind: str, words: str, rule: str, said: str) -> None:
    problem = hindered(
        Hindrance(kind=kind, pods=("events-kafka-1", "events-kafka-0"), words=words), "kubectl -n events"
    )
    assert (problem.rule, problem.severity) == (rule, "error")
    assert problem.where == "pods events-kafka-0, events-kafka-1"
    assert said in f"{problem.message} {problem.why} {problem.remedy}"


def test_a_crash_shows_what_was_written_last_and_names_another_ensemble() -> None:
    crash = Hindrance("crash", ("events-kafka-0",), "exit code 1", log=("ERROR a", "ERROR b"))
    assert hindered(crash, "kubectl -n events").why == "It last wrote: ERROR a | ERROR b"
    other = hindered(crash._replace(clusters=("old", "new")), "kubectl -n events")
    assert other.rule == "rollout-other-ensemble"
    assert other.message == "its claim belongs to cluster old, and ZooKeeper knows cluster new."


def test_the_end_of_the_patience_tells_of_each_pod() -> None:
    details = {"events-kafka-2": "not ready; Startup probe failed: 3 of 5 in sync"}
    problem = not_ready("events-kafka", details, 600, "kubectl -n events")
    assert problem.rule == "rollout-not-ready"
    assert problem.message == "events-kafka-2 is not ready after 600 s."
    assert "3 of 5 in sync" in problem.why
