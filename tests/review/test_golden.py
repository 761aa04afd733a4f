"""What a review says of each plan that real Terraform made, and a verdict that was written down without the rules.

``tests/review/plans/expected.txt`` has every finding of every plan. After an intended change renew it with
``HIKUBE_KAFKA_GOLDEN=write .venv/bin/pytest tests/review/test_golden.py``, and read the difference before you commit
it.
"""

import json
import os
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.review.diagnostics import read_diagnostics
from hikube_kafka.review.finding import Verdict
from hikube_kafka.review.judge import review
from hikube_kafka.review.outcome import Review
from hikube_kafka.review.plan import UnreadablePlanError, read_plan

PLANS = Path(__file__).parent / "plans"
EXPECTED = PLANS / "expected.txt"
NAMES = sorted(str(file.relative_to(PLANS))[: -len(".json")] for file in PLANS.rglob("*.json"))

SAFE = """
claims-grow zookeeper-claims-grow heap-half labels-changed memory-more platform-nothing platform-created
platform-renamed-with-moved broker-config heap-above-half listener-inside image-patch-up image-by-digest
zookeeper-image-up zookeeper-three-to-five brokers-more topic-of-platform-partitions-more topic-nothing topic-moved
topic-protected topic-created topic-partitions-more topic-factor-three topic-message-size-raised
topic-retention-raised topic-retention-endless topic-retention-same-in-hours topic-retention-bytes-endless
topic-compacted topic-drifted-and-forgiven topic-segment-changed
local-nothing local-broker-more local-config local-topic-partitions-more local-topic-created release-plain-nothing
release-plain-set-changed release-plain-second-document-memory release-plain-authorizer-left
release-plain-other-chart-changed release-plain-timeout-changed release-plain-namespace-labelled
release-plain-set-list release-plain-set-sensitive
""".split()  # noqa: SIM905 - a list of words
"""Nothing is lost, nobody is shut out: whoever knows Kafka lets these through, with or without a warning."""

UNSAFE = """
topic-deleted topic-deleted-protected topic-renamed topic-renamed-protected topic-tainted topic-unprotected
topic-address-changed-without-moved topic-partitions-fewer topic-retention-cut topic-retention-given-first
topic-retention-bytes-set topic-retention-unknown topic-no-longer-compacted topic-compacted-left-out
topic-compacted-and-deleted-from-compacted topic-min-insync-as-factor topic-min-insync-above-factor
topic-factor-above-brokers topic-destroyed topic-unprotected-destroyed topic-exists topic-partitions-unknown
platform-destroyed claims-shrink claims-other-class brokers-fewer zookeeper-three-to-one zookeeper-three-to-four
image-minor-down image-patch-down image-major-up image-unreadable-version zookeeper-image-down
claims-deleted-with-release claims-deleted-when-scaled external-plaintext release-removed release-renamed
release-tainted topic-of-platform-deleted topic-of-platform-retention-cut broker-config-retention-cut
broker-config-unclean release-plain-set-scales-in release-plain-authorizer-removed release-plain-everyone-allowed
release-plain-authentication-off release-plain-external-without-tls release-plain-external-without-authentication
release-plain-claim-shrinks release-plain-claim-class release-plain-values-unknown release-plain-set-unknown
release-plain-values-no-yaml release-plain-removed release-plain-coordinator-removed release-plain-coordinator-two
release-plain-renamed release-plain-chart-replaced release-plain-namespace-renamed release-plain-destroyed
local-broker-fewer local-zookeeper-five local-topic-deleted local-topic-replaced local-destroyed
""".split()  # noqa: SIM905 - a list of words
"""Messages go, clients are shut out or let in, or nobody can tell: whoever knows Kafka stops these."""


def reviewed(name: str) -> Review:
    diagnostics = PLANS / f"{name}.diagnostics.jsonl"
    try:
        plan = read_plan((PLANS / f"{name}.json").read_bytes())
    except UnreadablePlanError as error:
        return Review(title=name, findings=(), unreviewed=str(error))
    return review(
        plan,
        title=name,
        today=date(2026, 1, 1),
        diagnostics=read_diagnostics(diagnostics.read_bytes()) if diagnostics.exists() else (),
    )


def told(name: str) -> list[str]:
    outcome = reviewed(name)
    return [
        f"{name}: {outcome.verdict.value}",
        *(f"  {each.severity:7} {each.rule} {each.address or '-'}" for each in outcome.findings),
    ]


def test_every_finding_of_every_plan_is_as_expected() -> None:
    text = "".join(f"{line}\n" for name in NAMES for line in told(name))
    if os.environ.get("HIKUBE_KAFKA_GOLDEN") == "write":
        EXPECTED.write_text(text, "utf-8")
    assert text.splitlines() == EXPECTED.read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", SAFE)
def test_what_harms_nobody_passes(name: str) -> None:
    assert reviewed(name).verdict is Verdict.PASSED, told(name)


@pytest.mark.parametrize("name", UNSAFE)
def test_what_loses_messages_or_shuts_clients_out_is_blocked(name: str) -> None:
    assert reviewed(name).verdict is Verdict.BLOCKED, told(name)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("-nothing")])
def test_a_plan_that_changes_nothing_raises_nothing(name: str) -> None:
    assert [each for each in reviewed(name).findings if each.severity != "notice"] == []


@pytest.mark.parametrize("case", ["local-topic-created", "local-topic-partitions-more", "local-topic-deleted",
                                  "local-topic-replaced", "local-broker-fewer", "local-topic-forgotten"])  # fmt: skip
def test_every_version_of_terraform_and_opentofu_is_judged_alike(case: str) -> None:
    names = [case, *(name for name in NAMES if name.startswith("versions/") and name.endswith(f"/{case}"))]
    assert len(names) > 3
    assert {reviewed(name).exit_code == 0 for name in names} == {reviewed(case).exit_code == 0}, list(map(told, names))


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_is_kept_without_anything_of_the_machine_that_made_it(name: str) -> None:
    content = json.loads((PLANS / f"{name}.json").read_text("utf-8"))
    assert not {"prior_state", "timestamp"} & content.keys()


NEIGHBOURS = dict(
    line.split()
    for line in (Path(__file__).parent / "neighbours.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
)
"""By rule: a plan that changes something of the same kind, and just does not break it."""

UNMADE = {
    rule: reason
    for reason, rules in {
        "Said by the apply alone, of pods that do not come up.": """
            rollout-claim-lost rollout-claim-pending rollout-container rollout-crash rollout-image
            rollout-limits rollout-memory rollout-mount rollout-no-membership rollout-no-zookeeper rollout-node
            rollout-not-ready rollout-other-ensemble rollout-pod-invalid rollout-pod-refused rollout-pod-security
            rollout-quota rollout-terminating rollout-unschedulable
        """,
        "The provider says it of a cluster that somebody has changed by hand, or is changing, while it plans.": """
            rollout-scaled-up rollout-changed-by-hand release-locked broker-is-given-replicas
            topic-replicas-moving topic-partitions-grown-elsewhere claim-grown-elsewhere
            claim-storage-class-differs deleted-outside zookeeper-quorum-at-risk
        """,
        "Needs claims whose storage class does not let them grow when the plan begins.": """
            claim-cannot-grow
        """,
        "Needs a namespace and its claims that are taken out of a configuration together.": """
            claims-kept
        """,
        "Needs one thing imported at two addresses of a state.": """
            same-thing-in-state-twice same-thing-deleted-at-one-address
        """,
        "Needs a provider of somebody else for Kafka, or the resource definitions of another operator.": """
            foreign-topic-goes acl-open-to-all kafka-manifest-goes kafka-manifest-not-reviewed
        """,
        (
            "No released Terraform with our provider writes it: an action, a deferral or a kind that this version"
            " does not know, or what does not follow the schema."
        ): """
            plan-action-unknown plan-deferred plan-invokes-action plan-kind-unknown plan-unreadable
        """,
        "Needs an apply with create_before_destroy that stopped halfway.": """
            plan-deposed
        """,
        "The plans have no Connect cluster: test_connect.py and tests/spec/changes have its changes.": """
            connect-cluster-stopped connect-former-done connect-group-changed connect-network-policy-off
            connect-plugin-unchecked connect-plugins-changed connect-plugins-removed connect-workers-fewer
            connector-class-changed
            connector-class-missing connector-config-invalid connector-converter-changed connector-deleted
            connector-drops-records connector-exists connector-forgotten connector-held connector-key-unknown
            connector-literal-secret connector-offsets-reset connector-offsets-set connector-offsets-to
            connector-offsets-word connector-own-key connector-renamed connector-replaced connector-restarts
            connector-state connector-tasks-changed connector-topics-changed local-connect-restarts connector-name
            connector-system-unreached local-connect-exists local-connect-group-twice local-connect-held-elsewhere
            local-directory-shared
        """,
        "Every warning that our provider gives has a rule of its own.": """
            plan-warning
        """,
        "Needs a release that begins with a listener, or a SASL mechanism, more than the plain ones have.": """
            listener-gone sasl-mechanism-gone
        """,
        "Needs brokers with a plugin for remote storage.": """
            topic-remote-storage-off topic-local-retention-cut
        """,
        "Needs another ensemble on this machine than the one that the local plans begin with.": """
            local-data-lost local-data-no-longer-kept local-ensemble-addresses-change local-ensemble-exists
            local-ensemble-held-elsewhere local-ensemble-port-twice local-ensemble-ports-of-clients
            local-ensemble-renamed local-ensemble-replaced local-ensemble-starts-empty local-ensemble-stopped
            local-ensemble-tainted
        """,
        "Needs a file that is no plan, or only a part of one: broken plans are tests of their own.": """
            plan-unreviewed plan-unfinished
        """,
        (
            "Where the provider reaches the brokers, it refuses to create what was let go of in the same plan: "
            "topic-exists."
        ): """
            topic-forgotten-and-made forgotten-and-made
        """,
        (
            "Newer than the plans: held by the tests of broker access until a plan adds such a listener to a "
            "cluster that asks clients to log in."
        ): """
            listener-without-authentication
        """,
        (
            "Where the provider reaches the brokers, it refuses such a plan itself: topic-copies-above-staying-brokers."
        ): """
            topics-need-more-brokers
        """,
    }.items()
    for rule in rules.split()
}
"""Rules without a plan, and why."""


def table() -> list[str]:
    """The rules that are about changes, from the page that is generated of all: those that a review asks itself."""
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")
    changes = page.partition("## Changes")[2].partition("## Checks")[0]
    return re.findall(r"^\| `([^`]+)` \|", changes, re.MULTILINE)


@cache
def told_of() -> dict[str, dict[str, set[str]]]:
    """By plan, and by rule: the types of resource that it is found at."""
    found: dict[str, dict[str, set[str]]] = {}
    plan = ""
    for line in EXPECTED.read_text("utf-8").splitlines():
        if line.startswith("  "):
            _, rule, address = line.split(maxsplit=2)
            found[plan].setdefault(rule, set()).add(address.split(".")[0])
        else:
            plan = line.partition(":")[0]
            found[plan] = {}
    return found


def triggered() -> dict[str, set[str]]:
    """By rule: the types of resource that some plan breaks it with."""
    types: dict[str, set[str]] = {}
    for found in told_of().values():
        for rule, of in found.items():
            types.setdefault(rule, set()).update(of)
    return types


def test_every_rule_has_a_plan_that_breaks_it_or_it_is_said_why_not() -> None:
    assert table()
    assert sorted(UNMADE) == sorted(set(table()) - triggered().keys())


def test_every_rule_that_a_plan_breaks_has_one_that_just_does_not() -> None:
    assert sorted(NEIGHBOURS) == sorted(triggered())


@pytest.mark.parametrize("rule", sorted(NEIGHBOURS))
def test_what_just_does_not_break_a_rule_is_not_told_of_it(rule: str) -> None:
    name = NEIGHBOURS[rule]
    content = json.loads((PLANS / f"{name}.json").read_text("utf-8"))
    changed = {each["type"] for each in content["resource_changes"] if _changes(each)}
    assert changed & triggered()[rule] or triggered()[rule] == {"-"}, changed
    assert rule not in told_of()[name]


def _changes(change: dict[str, Any]) -> bool:
    """Whether the plan touches it, if only by its address."""
    return change["change"]["actions"] not in (["no-op"], ["read"]) or "previous_address" in change
