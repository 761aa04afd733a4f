"""A plan held to an organisation's policy: its limits, the severities that it gives, what it waives."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from hikube_kafka.review.finding import Finding, Location, fingerprint
from hikube_kafka.review.hidden import revealed
from hikube_kafka.review.plan import Action, Change, Path, Plan
from hikube_kafka.review.release import Release, is_release, releases
from hikube_kafka.spec import limits
from hikube_kafka.spec.limits import Asked, Brokers
from hikube_kafka.spec.policy import WAIVER_EXPIRED, WAIVER_UNUSED, Policy, Waiver
from hikube_kafka.spec.problem import Problem, Severity

_RANK: Mapping[Severity, int] = {"notice": 0, "warning": 1, "error": 2}


def judged(findings: Sequence[Finding], policy: Policy | None, *, today: date) -> tuple[list[Finding], list[Finding]]:
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
    as_severe = [replace(each, severity=policy.severity(each.rule, each.address, each.severity)) for each in findings]
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
    where, place = f"waiver of {waiver.what}", f"{policy.name}:{waiver.line}"
    if not waiver.holds(today):
        severities: list[Severity] = ["warning", *(each.severity for each in about)]
        worst = max(severities, key=lambda each: _RANK[each])
        seen = f"What it waived is found again: {_addresses(about)}." if about else "What it waived is not found."
        problem = WAIVER_EXPIRED(
            where,
            severity=worst,
            place=place,
            until=waiver.until.isoformat(),
            owner=waiver.owner,
            reason=f"{waiver.reason.rstrip('.')}.",
            found=seen,
        )
    elif not about:
        problem = WAIVER_UNUSED(where, place=place)
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

    Args:
        plan: The plan. Texts that it hides are in the problems: whoever shows them takes them out.
        policy: None: there is none, and nothing is limited.
    """
    if policy is None:
        return
    providers = _providers(plan.configuration)
    changes = [each for each in plan.changes if each.mode == "managed" and not each.deposed]
    read = [(each, *_read(each, providers)) for each in changes]
    brokers_before = [value for _, before, _ in read for value in before.brokers]
    brokers_after = [value for _, _, after in read for value in after.brokers]
    there = {each.where for _, _, after in read for each in after.asked}
    for change, before, after in read:
        was: set[Problem] = set()
        if change.action not in _ANEW:
            was = set(policy.limits.problems([*before.asked, *before.claims], brokers_before, policy.name))
        asked = [*after.asked, *(each for each in after.claims if each.where not in there)]
        for problem in policy.limits.problems(asked, brokers_after, policy.name):
            if problem in was:
                message = f"{problem.message} This plan leaves it so."
                yield change.address, replace(problem, severity="notice", message=message)
            else:
                yield change.address, problem


_ANEW = {Action.CREATE, Action.REPLACE, Action.FORGET_AND_CREATE}


@dataclass(frozen=True, kw_only=True)
class _State:
    """What limits are about in one resource, before or after the apply."""

    asked: Sequence[Asked] = ()
    claims: Sequence[Asked] = ()
    """Of a release, which a ``hikube_volume_claims`` may have as well."""
    brokers: Sequence[Brokers] = ()


def _read(change: Change, providers: Mapping[str, frozenset[str]]) -> tuple[_State, _State]:
    if is_release(change):
        before, after = releases(change)
        return _of_release(before), _of_release(after)
    follows = providers.get(re.sub(r"\[[^\]]*\]", "", change.address), frozenset())
    return (
        _of_attributes(change, change.before, (), follows),
        _of_attributes(change, change.after, change.unknown, follows),
    )


def _providers(configuration: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """By which names the provider of each resource knows its brokers, by the address without keys and numbers."""
    configs = _mapping(configuration.get("provider_config"))
    names = {
        key: limits.followed(
            _constant(_mapping(_expression(each, "kubernetes")).get("release")),
            _constant(_expression(each, "bootstrap_servers")),
        )
        for key, each in configs.items()
    }
    found: dict[str, frozenset[str]] = {}
    modules = [("", _mapping(configuration.get("root_module")))]
    for prefix, module in modules:
        for resource in module.get("resources") or ():
            if isinstance(resource, Mapping):
                key = str(resource.get("provider_config_key"))
                found[f"{prefix}{resource.get('address')}"] = names.get(key, frozenset())
        for name, call in _mapping(module.get("module_calls")).items():
            modules.append((f"{prefix}module.{name}.", _mapping(_mapping(call).get("module"))))
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _expression(config: Any, name: str) -> Any:
    return _mapping(_mapping(config).get("expressions")).get(name)


def _constant(expression: Any) -> str | None:
    value = _mapping(expression).get("constant_value")
    return value if isinstance(value, str) else None


def _of_attributes(
    change: Change, attributes: Mapping[str, Any] | None, unknown: Collection[Path], follows: frozenset[str]
) -> _State:
    if attributes is None:
        return _State()
    known = _known(revealed(attributes), unknown)
    if change.type == "hikube_kafka_topic":
        return _State(asked=[limits.topic(known, follows)])
    if change.type == "hikube_volume_claims":
        return _State(asked=list(limits.claims(known)))
    if change.type == "hikube_local_ensemble":
        return _State(brokers=[limits.brokers_of_servers(known)])
    return _State()


def _known(attributes: Mapping[str, Any], unknown: Collection[Path]) -> dict[str, Any]:
    """The attributes, with what only the apply tells marked: a plan leaves it out."""
    known = dict(attributes)
    for first, *rest in filter(None, unknown):
        there = known.get(str(first))
        if rest and isinstance(there, Mapping):
            known[str(first)] = _known(there, [tuple(rest)])
        else:
            known[str(first)] = limits.UNKNOWN
    return known


def _of_release(release: Release | None) -> _State:
    if release is None or release.chart is None:
        return _State()
    settings = revealed(release.settings)
    if any(path[:1] in {(), ("image",)} for path in release.unknown):
        asked = limits.image(release.name, None)
    else:
        asked = limits.image(release.name, settings)
    unknown = any(path[:1] in {(), ("storage",)} for path in release.unknown)
    claims = list(limits.claims_of_release(release.name, None if unknown else settings))
    if release.chart != "kafka":
        return _State(asked=[asked], claims=claims)
    key = ("config", "min.insync.replicas")
    if any(path == key[: len(path)] for path in release.unknown):
        settings = None
    return _State(asked=[asked], claims=claims, brokers=[limits.brokers_of_release(release.name, settings)])
