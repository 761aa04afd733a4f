"""From a plan to findings: once each, at their address and line, without secrets, with a fingerprint that stays."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from hikube_kafka.review import judge, kinds
from hikube_kafka.review.diagnostics import Diagnostic
from hikube_kafka.review.finding import Finding, Location, Verdict
from hikube_kafka.review.outcome import Review
from hikube_kafka.review.plan import Change, Plan, of_all_instances, read_plan
from hikube_kafka.spec.policy import Policy
from hikube_kafka.spec.problem import Problem, Rule
from tests.review.test_plan import document, resource

TODAY = date(2026, 11, 26)
RULE = Rule(id="made-up", severity="error", message="it is {what}.", why="Because of {what}.", remedy="Undo {what}.")
ADDRESS = "hikube_kafka_topic.orders"


def plan(*resources: dict[str, Any], **more: Any) -> Plan:
    return read_plan(json.dumps(document(*resources, **more)).encode())


def update(before: dict[str, Any], after: dict[str, Any], **change: Any) -> dict[str, Any]:
    sides = {"before": {"name": "orders", **before}, "after": {"name": "orders", **after}}
    return resource(["update"], change={**sides, **change})


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Problem]:
    """What the rules are to say of every change; nothing else is said."""
    problems: list[Problem] = []

    def say(change: Change, _seen: object) -> Iterator[Problem]:
        return iter(problems if change.actions != ("no-op",) else ())

    monkeypatch.setattr(kinds, "found", say)
    monkeypatch.setattr(kinds, "together", lambda *_: iter(()))
    return problems


def review(plan: Plan, *diagnostics: Diagnostic, **more: Any) -> Review:
    return judge.review(plan, title="shop", today=TODAY, diagnostics=diagnostics, **more)


def only(outcome: Review) -> Finding:
    (finding,) = outcome.findings
    return finding


def test_a_finding_has_the_words_of_its_rule_and_the_line_of_its_declaration(found: list[Problem]) -> None:
    found.append(RULE("topic orders", what="cut", path=("partitions",)))
    keyed = resource(["create"]) | {"address": f'{ADDRESS}["a.b\\"]"]'}
    finding = only(review(plan(keyed), declared={ADDRESS: Location(file="stacks/shop.py", line=7)}))
    assert (finding.rule, finding.where, finding.message, finding.why, finding.remedy) == (
        "made-up", "topic orders", "it is cut.", "Because of cut.", "Undo cut.",
    )  # fmt: skip
    assert str(finding.declared) == "stacks/shop.py:7"
    assert finding.page == "docs/review.md#made-up"


@pytest.mark.parametrize(
    ("address", "declared"),
    [
        ("a.b", "a.b"),
        ("a.b[0]", "a.b"),
        ('a.b["x"]', "a.b"),
        ('module.m["x]y"].a.b[3]', "module.m.a.b"),
        ('module.m[1].a.b["x.y[0]"]', "module.m.a.b"),
    ],
)
def test_instances_are_declared_where_their_resource_is(address: str, declared: str) -> None:
    assert of_all_instances(address) == declared


def test_the_fingerprint_stays_with_the_change_and_with_nothing_else(found: list[Problem]) -> None:
    found.append(RULE("topic orders", what="cut"))
    fingerprint = only(review(plan(update({"a": 1}, {"a": 2})))).fingerprint
    assert len(fingerprint) == 16
    again = document(update({"a": 1}, {"a": 2}), terraform_version="1.14.0", timestamp="2026-01-01T00:00:00Z")
    assert only(review(read_plan(json.dumps(again, indent=3).encode()))).fingerprint == fingerprint
    others = [
        update({"a": 1}, {"a": 3}),
        update({"a": 0}, {"a": 2}),
        update({"a": 1}, {"a": 2}, after_unknown={"b": True}),
        update({"a": 1}, {"a": 2}) | {"address": "hikube_kafka_topic.other"},
    ]
    assert fingerprint not in {only(review(plan(each))).fingerprint for each in others}


def test_a_secret_that_changes_changes_the_fingerprint_and_is_shown_nowhere(found: list[Problem]) -> None:
    found.append(RULE("topic orders", what="s3cret-old and s3cret-new and 7"))
    marks = {"before_sensitive": {"a": True, "b": True}, "after_sensitive": {"a": True, "b": True}}
    first = only(review(plan(update({"a": "s3cret-old", "b": 7}, {"a": "s3cret-new", "b": 7}, **marks))))
    second = only(review(plan(update({"a": "s3cret-old", "b": 7}, {"a": "s3cret-newer", "b": 7}, **marks))))
    assert first.fingerprint != second.fingerprint
    assert first.message == "it is (sensitive) and (sensitive) and (sensitive)."
    assert "s3cret" not in repr(first)


def test_a_sensitive_variable_is_shown_nowhere(found: list[Problem]) -> None:
    found.append(RULE("topic orders", what="hunter22"))
    sensitive = {
        "variables": {"given": {"value": "hunter22"}},
        "configuration": {"root_module": {"variables": {"given": {"sensitive": True}}}},
    }
    assert only(review(plan(resource(["create"]), **sensitive))).message == "it is (sensitive)."


def refusal(summary: str, *, address: str = "", severity: Any = "error") -> Diagnostic:
    return Diagnostic(severity=severity, address=address, summary=summary, detail="Why it is so, and what to do.")


@pytest.mark.usefixtures("found")
def test_a_plan_that_was_not_finished_blocks_without_its_reason() -> None:
    outcome = review(plan(errored=True))
    assert only(outcome).rule == "plan-errored"
    assert outcome.verdict is Verdict.BLOCKED
    warned = review(plan(errored=True), refusal("Something", severity="warning", address="null_resource.a"))
    assert only(warned).rule == "plan-errored"


CONFIGURED = {
    "resources": [
        {"address": ADDRESS, "mode": "managed", "type": "hikube_kafka_topic", "name": "orders"},
        {"mode": "managed", "type": "hikube_kafka_topic", "name": "each", "for_each_expression": {}},
        {"mode": "managed", "type": "hikube_kafka_topic", "name": "some", "count_expression": {}},
        {"mode": "data", "type": "hikube_kafka_quorum", "name": "this"},
    ]
}


@pytest.mark.usefixtures("found")
def test_a_plan_that_does_not_say_whether_it_errored_has_all_that_is_configured() -> None:
    old: dict[str, Any] = {"configuration": {"root_module": CONFIGURED}}
    assert review(plan(resource(["no-op"]), **old)).findings == ()
    assert only(review(plan(**old))).rule == "plan-unfinished"
    # As Terraform 1.5 writes a plan in which everything was refused.
    refused = document(prior_state={"values": {"root_module": {"resources": [{}]}}}, planned_values={}, **old)
    del refused["resource_changes"]
    assert only(review(read_plan(json.dumps(refused).encode()))).rule == "plan-unfinished"
    # Of some of its resources alone (-target), or whole: the messages tell.
    assert review(plan(**old), refusal("Targeted", severity="warning")).findings == ()
    assert review(plan(errored=False, **old)).findings == ()


@pytest.mark.usefixtures("found")
def test_a_refusal_stands_for_an_unfinished_plan_under_the_id_of_its_rule() -> None:
    told = refusal("Topic orders: it is protected [topic-protected]", address=ADDRESS)
    finding = only(review(plan(errored=True), told))
    assert (finding.rule, finding.address, finding.where) == ("topic-protected", ADDRESS, "topic orders")
    assert (finding.message, finding.why) == ("it is protected.", "Why it is so, and what to do.")
    assert finding.severity == "error"


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    "policy",
    [
        "waivers: [{rule: topic-protected, address: '*', owner: a, reason: b, until: 2026-12-31}]",
        "severities: [{rule: topic-protected, severity: warning}]",
    ],
)
def test_a_plan_that_was_refused_does_not_pass_by_a_policy(policy: str) -> None:
    told = refusal("Topic orders: it is protected [topic-protected]", address=ADDRESS)
    outcome = review(plan(errored=True), told, policy=Policy.parse(policy, "policy.yaml"))
    assert [each.rule for each in outcome.findings if each.severity == "error"] == ["plan-errored"]
    assert outcome.verdict is Verdict.BLOCKED


@pytest.mark.usefixtures("found")
def test_what_others_refuse_is_told_in_their_words() -> None:
    finding = only(review(plan(errored=True), refusal("Provider configuration not {present}")))
    assert (finding.rule, finding.where) == ("plan-refused", "the plan")
    assert finding.message == "Provider configuration not {present}."
    assert only(review(plan(), refusal("Something"))).severity == "error"


def test_what_review_and_provider_both_find_is_found_once(found: list[Problem]) -> None:
    found.append(RULE("topic orders", what="cut"))
    told = refusal("Topic orders: it is cut [made-up]", address=ADDRESS)
    assert len(review(plan(resource(["update"])), told).findings) == 1
    assert len(review(plan(resource(["update"])), refusal("Topic orders: it is cut [made-up]")).findings) == 1
    elsewhere = refusal("Topic audit: it is cut [made-up]", address="hikube_kafka_topic.audit")
    assert len(review(plan(resource(["update"])), elsewhere).findings) == 2


@pytest.mark.usefixtures("found")
def test_warnings_are_told_where_they_are_about_kafka() -> None:
    drained = refusal("Broker 3: it will be drained first [broker-drained]", severity="warning")
    ours = refusal("Nobody answers", severity="warning", address='module.m.hikube_kafka_topic.a["x.y"]')
    others = refusal("Deprecated", severity="warning", address="kubernetes_namespace.a")
    findings = review(plan(), drained, ours, others).findings
    assert [(each.rule, each.severity) for each in findings] == [
        ("broker-drained", "warning"),
        ("plan-warning", "warning"),
    ]


def test_what_blocks_comes_first_and_the_order_stays(found: list[Problem]) -> None:
    warning = Rule(id="made-up-too", severity="warning", message="it is.", why="So.", remedy="Do.")
    found += [warning("topic orders"), RULE("topic orders", what="cut")]
    several = [resource(["update"]) | {"address": f"hikube_kafka_topic.{each}"} for each in "cab"]
    findings = review(plan(*several)).findings
    assert [(each.severity, each.address[-1]) for each in findings] == [
        *(("error", each) for each in "abc"),
        *(("warning", each) for each in "abc"),
    ]
    assert findings == review(plan(*reversed(several))).findings


@pytest.mark.usefixtures("found")
def test_nothing_found_is_passed_and_a_mistake_is_not() -> None:
    assert review(plan(resource(["no-op"]))).verdict is Verdict.PASSED
    assert Review(title="shop", findings=(), unreviewed="it is not JSON").verdict is Verdict.UNREVIEWED
