"""A healthy platform in Kubernetes passes every check of it; each test then spoils one thing, and sees exactly that."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from hikube_kafka.probe.observation import BudgetSeen, Observation, PodSeen, Unreadable
from hikube_kafka.smoke.checks import KUBERNETES, OBSERVED, ids, observed
from hikube_kafka.smoke.finding import Finding, Status
from hikube_kafka.spec.contract import Contract, KubernetesExpected, ServersExpected

FAILED, UNREADABLE = Status.FAILED, Status.UNREADABLE
GONE = Unreadable("it", "not allowed")


def judge(contract: Contract, seen: Observation) -> dict[str, Finding]:
    return {check.id: check(contract, seen) for check in KUBERNETES}


def faults(findings: dict[str, Finding]) -> dict[str, Status]:
    return {id_: finding.status for id_, finding in findings.items() if finding.is_fault}


def kubernetes(seen: Observation, **changes: Any) -> Observation:
    return replace(seen, kubernetes=replace(seen.kubernetes, **changes))


def without(seen: Observation, part: str, *names: str) -> Observation:
    kept = {name: each for name, each in getattr(seen.kubernetes, part).items() if name not in names}
    return kubernetes(seen, **{part: kept})


def one(seen: Observation, part: str, name: str, **changes: Any) -> Observation:
    """Change one pod or one claim."""
    all_of_them = getattr(seen.kubernetes, part)
    return kubernetes(seen, **{part: {**all_of_them, name: replace(all_of_them[name], **changes)}})


def counted(seen: Observation, *budgets: BudgetSeen, pods: str = "orders-kafka-") -> Observation:
    """Have these budgets count the pods whose name begins so."""
    assert not isinstance(seen.kubernetes.budgets, Unreadable)
    changed = {name: budgets if name.startswith(pods) else each for name, each in seen.kubernetes.budgets.items()}
    return kubernetes(seen, budgets=changed)


OWN = BudgetSeen(name="orders-kafka", max_unavailable="1", min_available=None)
EXTRA = PodSeen(state="Running", ready=True, images={}, node="node-0", stateful_set="orders-kafka")


class Spoilt(NamedTuple):
    """One thing spoilt, the findings that it brings, and what one of them must say."""

    how: str
    spoil: Callable[[Observation], Observation]
    brings: dict[str, Status]
    says: str


SPOILT = [
    Spoilt(
        "a pod that is not there",
        lambda seen: without(seen, "pods", "orders-kafka-1"),
        {
            "kubernetes-pods": FAILED,
            "kubernetes-images": UNREADABLE,
            "kubernetes-own-nodes": UNREADABLE,
            "kubernetes-zones": UNREADABLE,
        },
        "pod orders-kafka-1 is missing",
    ),
    Spoilt(
        "a pod that is not ready",
        lambda seen: one(seen, "pods", "orders-zookeeper-2", ready=False, state="Running (zookeeper waiting: Crash)"),
        {"kubernetes-pods": FAILED},
        "pod orders-zookeeper-2 is not ready: Running (zookeeper waiting: Crash)",
    ),
    Spoilt(
        "a pod too many",
        lambda seen: kubernetes(seen, pods={**seen.kubernetes.pods, "orders-kafka-3": EXTRA}),  # type: ignore[dict-item]
        {"kubernetes-pods": FAILED},
        "pod orders-kafka-3 is not declared",
    ),
    Spoilt(
        "another image",
        lambda seen: one(seen, "pods", "orders-kafka-0", images={"kafka": "apache/kafka:3.9.1"}),
        {"kubernetes-images": FAILED},
        "kafka of pod orders-kafka-0 runs apache/kafka:3.9.1, not apache/kafka:3.9.2",
    ),
    Spoilt(
        "another container",
        lambda seen: one(seen, "pods", "orders-kafka-0", images={"broker": "apache/kafka:3.9.2"}),
        {"kubernetes-images": FAILED},
        "pod orders-kafka-0 has no container kafka",
    ),
    Spoilt(
        "a claim of another size",
        lambda seen: one(seen, "claims", "data-orders-kafka-2", size="20Gi", capacity="20Gi"),
        {"kubernetes-claim-sizes": FAILED},
        "claim data-orders-kafka-2 asks for 20Gi, not 10Gi",
    ),
    Spoilt(
        "a volume that has not grown with its claim",
        lambda seen: one(seen, "claims", "data-orders-kafka-2", capacity="5Gi"),
        {"kubernetes-claim-sizes": FAILED},
        "the volume of claim data-orders-kafka-2 has 5Gi, less than 10Gi",
    ),
    Spoilt(
        "a claim without a volume",
        lambda seen: one(seen, "claims", "data-orders-zookeeper-0", capacity=None),
        {"kubernetes-claim-sizes": FAILED},
        "claim data-orders-zookeeper-0 has no volume yet",
    ),
    Spoilt(
        "a claim that is not there",
        lambda seen: without(seen, "claims", "data-orders-zookeeper-0"),
        {"kubernetes-claim-sizes": UNREADABLE, "kubernetes-storage-classes": UNREADABLE},
        "claim data-orders-zookeeper-0: it is missing",
    ),
    Spoilt(
        "another storage class",
        lambda seen: one(seen, "claims", "data-orders-kafka-1", storage_class="local"),
        {"kubernetes-storage-classes": FAILED},
        "claim data-orders-kafka-1 is of class local, not replicated",
    ),
    Spoilt(
        "no disruption budget",
        counted,
        {"kubernetes-disruption-budgets": FAILED},
        "no budget counts pod orders-kafka-0",
    ),
    Spoilt(
        "a second budget",
        lambda seen: counted(seen, OWN, replace(OWN, name="mine"), pods="orders-kafka-1"),
        {"kubernetes-disruption-budgets": FAILED},
        "pod orders-kafka-1 is counted by budgets orders-kafka, mine",
    ),
    Spoilt(
        "a budget for each pod",
        lambda seen: counted(seen, replace(OWN, name="mine"), pods="orders-kafka-1"),
        {"kubernetes-disruption-budgets": FAILED},
        "budget mine counts orders-kafka-1",
    ),
    Spoilt(
        "a budget that lets two go",
        lambda seen: counted(seen, replace(OWN, max_unavailable="2")),
        {"kubernetes-disruption-budgets": FAILED},
        "budget orders-kafka allows maxUnavailable 2, not maxUnavailable 1",
    ),
    Spoilt(
        "a budget that says something else",
        lambda seen: counted(seen, replace(OWN, max_unavailable=None, min_available="1")),
        {"kubernetes-disruption-budgets": FAILED},
        "budget orders-kafka allows minAvailable 1, not maxUnavailable 1",
    ),
    Spoilt(
        "two servers on one node",
        lambda seen: kubernetes(
            one(seen, "pods", "orders-kafka-1", node="node-0"), zones={"node-0": "a", "node-1": "b", "node-2": "c"}
        ),
        {"kubernetes-own-nodes": FAILED, "kubernetes-zones": FAILED},
        "orders-kafka-0, orders-kafka-1 share node node-0",
    ),
    Spoilt(
        "two zones in place of three",
        lambda seen: kubernetes(seen, zones={"node-0": "a", "node-1": "b", "node-2": "b"}),
        {"kubernetes-zones": FAILED},
        "brokers: 1 in a, 2 in b, which is not spread over 3 zones",
    ),
    Spoilt(
        "a node that bears no zone",
        lambda seen: kubernetes(seen, zones={"node-0": "a", "node-1": "b", "node-2": None}),
        {"kubernetes-zones": UNREADABLE},
        "zone of node node-2: it has no label topology.kubernetes.io/zone",
    ),
    Spoilt(
        "a pod that waits for a node",
        lambda seen: one(seen, "pods", "orders-kafka-1", node=None, ready=False, state="Pending (no node fits)"),
        {"kubernetes-pods": FAILED, "kubernetes-own-nodes": UNREADABLE, "kubernetes-zones": UNREADABLE},
        "node of pod orders-kafka-1: Pending (no node fits)",
    ),
]


def test_a_healthy_platform_in_kubernetes_passes_every_check(in_kubernetes: Contract, healthy: Observation) -> None:
    findings = {check.id: check(in_kubernetes, healthy) for check in observed(in_kubernetes)}

    assert {id_ for id_, each in findings.items() if each.status is not Status.PASSED} == {"kafka-version"}
    assert {check.id for check in KUBERNETES} < findings.keys()
    assert all(finding.expected and finding.seen[0] for finding in findings.values())


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda spoilt: spoilt.how)
def test_a_check_sees_what_is_spoilt_in_kubernetes_and_no_other_does(
    in_kubernetes: Contract, healthy: Observation, spoilt: Spoilt
) -> None:
    findings = judge(in_kubernetes, spoilt.spoil(healthy))

    assert faults(findings) == spoilt.brings
    told = [line for id_ in spoilt.brings for line in findings[id_].seen]
    assert any(spoilt.says in line for line in told), told
    assert all(findings[id_].remedy for id_ in spoilt.brings)


@pytest.mark.parametrize(
    ("check", "spoil", "command"),
    [
        (
            "kubernetes-pods",
            lambda seen: one(seen, "pods", "orders-kafka-1", ready=False),
            "describe pod/orders-kafka-1",
        ),
        (
            "kubernetes-pods",
            lambda seen: without(seen, "pods", "orders-kafka-1", "orders-kafka-2"),
            "describe statefulset/orders-kafka",
        ),
        (
            "kubernetes-images",
            lambda seen: one(seen, "pods", "orders-kafka-1", images={"kafka": "another"}),
            "rollout status statefulset/orders-kafka",
        ),
        (
            "kubernetes-claim-sizes",
            lambda seen: one(seen, "claims", "data-orders-kafka-2", capacity=None),
            "describe pvc/data-orders-kafka-2",
        ),
    ],
)
def test_a_command_leads_to_the_cluster_that_was_checked(
    in_kubernetes: Contract,
    healthy: Observation,
    check: str,
    spoil: Callable[[Observation], Observation],
    command: str,
) -> None:
    """Whatever the current context of the kubeconfig is by then; the texts name no command that does not."""
    seen = replace(spoil(healthy), kubectl="kubectl --context prod -n shop")
    finding = judge(in_kubernetes, seen)[check]
    assert finding.command == f"kubectl --context prod -n shop {command}"
    assert "kubectl" not in finding.remedy


def test_every_check_of_kubernetes_is_spoilt_by_some_test() -> None:
    spoilt = {id_ for case in SPOILT for id_, status in case.brings.items() if status is FAILED}
    assert spoilt == {check.id for check in KUBERNETES}


def test_a_kubernetes_that_nobody_looked_at_passes_no_check(in_kubernetes: Contract) -> None:
    assert set(faults(judge(in_kubernetes, Observation())).values()) == {UNREADABLE}
    assert faults(judge(in_kubernetes, Observation())).keys() == {check.id for check in KUBERNETES}


@pytest.mark.parametrize(
    ("part", "checks"),
    [
        ("pods", {"kubernetes-pods", "kubernetes-images", "kubernetes-own-nodes", "kubernetes-zones"}),
        ("claims", {"kubernetes-claim-sizes", "kubernetes-storage-classes"}),
        ("budgets", {"kubernetes-disruption-budgets"}),
        ("zones", {"kubernetes-zones"}),
    ],
)
def test_what_may_not_be_read_is_no_pass_and_says_which_verb_is_missing(
    in_kubernetes: Contract, healthy: Observation, part: str, checks: set[str]
) -> None:
    findings = judge(in_kubernetes, kubernetes(healthy, **{part: GONE}))

    assert faults(findings) == dict.fromkeys(checks, UNREADABLE)
    assert all("verb list on" in findings[id_].remedy for id_ in checks)


def test_what_a_contract_does_not_promise_of_kubernetes_is_untested(
    in_kubernetes: Contract, healthy: Observation
) -> None:
    silent = in_kubernetes.model_copy(update={"kubernetes": KubernetesExpected()})

    findings = judge(silent, healthy)

    assert faults(findings) == {}
    assert {id_ for id_, each in findings.items() if each.status is Status.PASSED} == {"kubernetes-pods"}


def test_the_default_storage_class_has_any_name(in_kubernetes: Contract, healthy: Observation) -> None:
    assert in_kubernetes.kubernetes is not None
    (claim,) = in_kubernetes.kubernetes.kafka.claims
    default = ServersExpected(claims=(claim.model_copy(update={"storage_class": None}),))
    silent = in_kubernetes.model_copy(update={"kubernetes": KubernetesExpected(kafka=default)})

    assert judge(silent, healthy)["kubernetes-storage-classes"].status is Status.UNTESTED


def test_four_servers_over_three_zones_are_two_in_one_of_them(in_kubernetes: Contract, healthy: Observation) -> None:
    fourth = in_kubernetes.kafka.brokers[0].model_copy(update={"id": 3, "address": "b-3:9092"})
    brokers = (*in_kubernetes.kafka.brokers, fourth)
    four = in_kubernetes.model_copy(update={"kafka": in_kubernetes.kafka.model_copy(update={"brokers": brokers})})
    pods = {**healthy.kubernetes.pods, "orders-kafka-3": replace(EXTRA, node="node-3")}  # type: ignore[dict-item]

    for zones, status in {"abcb": Status.PASSED, "abca": Status.PASSED, "abbb": FAILED, "abab": FAILED}.items():
        nodes = {f"node-{number}": zone for number, zone in enumerate(zones)}
        seen = judge(four, kubernetes(healthy, pods=pods, zones={**nodes, "node-9": "d"}))["kubernetes-zones"]
        told = [line for line in seen.seen if line.startswith("brokers: ")]
        assert (FAILED if told else Status.PASSED) is status, zones


def test_a_platform_elsewhere_has_no_check_of_kubernetes(contract: Contract) -> None:
    assert observed(contract) == OBSERVED
    assert not any(id_.startswith("kubernetes-") for id_ in ids(contract))
