"""A plan held to an organisation's policy: its limits, the severities that it gives, what it waives."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from hikube_kafka.review.finding import Finding, Location, fingerprint
from hikube_kafka.review.hidden import revealed
from hikube_kafka.review.plan import Action, Change, Plan
from hikube_kafka.spec import limits
from hikube_kafka.spec.limits import Asked
from hikube_kafka.spec.policy import WAIVER_EXPIRED, WAIVER_UNUSED, Policy, Waiver
from hikube_kafka.spec.problem import Problem, Severity

_RANK: Mapping[Severity, int] = {"notice": 0, "warning": 1, "error": 2}


def judged(
    findings: Sequence[Finding], policy: Policy | None, *, today: date
) -> tuple[list[Finding], list[Finding]]:
    """Findings as severe as the policy has them, with those about its waivers; and those that are waived.

    A waiver that has ended waives nothing. It is found itself: as severe as the worst of what it was about, and at
    least a warning. One that nothing is found for is found as unused.

    Args:
        findings: Of a plan, with fingerprints.
        policy: None: there is none, and nothing changes.
        today: The day by UTC.
    """
    if policy is None:
        return list(findings), []
    as_severe = [
        replace(each, severity=policy.severity(each.rule, each.address, each.severity)) for each in findings
    ]
    kept: list[Finding] = []
    waived: list[Finding] = []
    about: dict[int, list[Finding]] = {}
    for finding in as_severe:
        named = [
            (index, each)
            for index, each in enumerate(policy.waivers)
            if each.is_about(finding.rule, finding.address, finding.where, finding.fingerprint)
        ]
        for index, _ in named:
            about.setdefault(index, []).append(finding)
        holding = next((each for _, each in named if each.holds(today)), None)
        if holding is None:
            kept.append(finding)
        else:
            waived.append(replace(finding, waived=holding.words))
    for index, waiver in enumerate(policy.waivers):
        kept += _of_waiver(policy, waiver, about.get(index, []), today)
    return kept, waived


def _of_waiver(policy: Policy, waiver: Waiver, about: Sequence[Finding], today: date) -> Iterator[Finding]:
    if not waiver.holds(today):
        worst = max((each.severity for each in about), key=lambda each: _RANK[each], default="warning")
        seen = f"What it waived is found again: {_addresses(about)}." if about else "What it waived is not found."
        problem = policy.about(
            waiver,
            WAIVER_EXPIRED,
            severity="warning" if worst == "notice" else worst,
            until=waiver.until.isoformat(),
            owner=waiver.owner,
            reason=f"{waiver.reason.rstrip('.')}.",
            found=seen,
        )
    elif not about:
        problem = policy.about(waiver, WAIVER_UNUSED)
    else:
        return
    yield Finding(
        rule=problem.rule,
        severity=policy.severity(problem.rule, "", problem.severity),
        address="",
        where=problem.where,
        message=problem.message,
        why=problem.why,
        remedy=problem.remedy,
        declared=Location(file=policy.name.replace("\\", "/"), line=waiver.line),
        fingerprint=fingerprint(problem.rule, "", waiver.model_dump_json(), ""),
    )


def _addresses(findings: Sequence[Finding]) -> str:
    names = list(dict.fromkeys(each.address or each.where for each in findings))
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004


def limit_problems(plan: Plan, policy: Policy | None) -> Iterator[tuple[str, Problem]]:
    """What is to be after the apply, and is beyond a limit of the policy: its address, and the problem.

    What the plan creates, replaces or changes there has the severity of the rule; what was so before, and stays so, is
    a notice.
    """
    if policy is None:
        return
    changes = [each for each in plan.changes if each.mode == "managed" and not each.deposed]
    before, after = (
        [value for each in changes for value in _brokers(each, state)] for state in ("before", "after")
    )
    for change in changes:
        was = set()
        if change.action not in {Action.CREATE, Action.REPLACE, Action.FORGET_AND_CREATE}:
            was = set(policy.limits.problems(_asked(change, "before"), before, policy.name))
        for problem in policy.limits.problems(_asked(change, "after"), after, policy.name):
            if problem in was:
                yield change.address, replace(
                    problem, severity="notice", message=f"{problem.message} This plan leaves it so."
                )
            else:
                yield change.address, problem
