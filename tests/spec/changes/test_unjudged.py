"""What the rules about plans that cannot be judged say; which plans those are, tests/review/test_kinds.py tells."""

import pytest

from hikube_kafka.spec.changes import plan, unjudged

SEVERITIES = {
    "plan-unknown": "error",
    "plan-kind-unknown": "error",
    "plan-action-unknown": "error",
    "plan-unreadable": "error",
    "plan-deferred": "error",
    "plan-incomplete": "warning",
    "plan-invokes-action": "error",
    "plan-deposed": "error",
    "release-values-unreadable": "error",
    "release-forgotten": "notice",
}
OF_RESOURCES = (
    "claims-forgotten",
    "deleted-outside",
    "foreign-release-goes",
    "foreign-topic-goes",
    "kafka-manifest-goes",
    "kafka-manifest-not-reviewed",
    "namespace-forgotten",
    "release-not-reviewed",
)
"""Rules that tests/review/test_kinds.py breaks."""

OF_TERRAFORM = {"plan-errored": "error", "plan-refused": "error", "plan-warning": "warning"}


@pytest.mark.parametrize("rule", OF_TERRAFORM)
def test_what_terraform_says_keeps_its_severity(rule: str) -> None:
    found = {each.id: each.severity for each in vars(plan).values() if hasattr(each, "severity")}
    assert found[rule] == OF_TERRAFORM[rule]


@pytest.mark.parametrize("rule", SEVERITIES)
def test_nothing_that_cannot_be_judged_passes(rule: str) -> None:
    found = {each.id: each.severity for each in vars(unjudged).values() if hasattr(each, "severity")}
    assert found[rule] == SEVERITIES[rule]
