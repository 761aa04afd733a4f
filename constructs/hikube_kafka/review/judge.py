"""The review itself: the rules asked about every change of a plan, and about all of them together."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from hikube_kafka.review import kinds
from hikube_kafka.review import policy as policies
from hikube_kafka.review.diagnostics import Diagnostic
from hikube_kafka.review.differences import differences
from hikube_kafka.review.finding import Difference, Finding, Location, fingerprint, in_order
from hikube_kafka.review.hidden import SHOWN_INSTEAD, scrubbed, texts
from hikube_kafka.review.outcome import Review
from hikube_kafka.review.plan import Action, Change, Plan, of_all_instances
from hikube_kafka.review.release import is_release, releases
from hikube_kafka.review.totals import parts, totals
from hikube_kafka.spec.changes import plan as whole
from hikube_kafka.spec.policy import Policy
from hikube_kafka.spec.problem import Problem

_SHORTEST_SECRET = 4
"""Characters. What is shorter, such as ``1`` or ``on``, is only taken out where the plan marks it."""


def review(
    plan: Plan,
    *,
    title: str,
    today: date,
    diagnostics: Sequence[Diagnostic] = (),
    declared: Mapping[str, Location] | None = None,
    policy: Policy | None = None,
) -> Review:
    """Judge a plan.

    Args:
        plan: It.
        title: What is reviewed, for a person.
        today: By which waivers expire, in UTC.
        diagnostics: What Terraform said while it planned.
        declared: Where each address is declared.
        policy: The organisation's; None: the rules' own severities, no limits, no waivers.
    """
    judge = _Judge(plan, diagnostics, declared or {}, policy)
    kept, waived = policies.judged(in_order(judge.findings()), policy, today=today)
    if plan.errored and not any(each.severity == "error" for each in kept):
        # A policy that waives why Terraform refused it does not make a plan of it.
        kept.append(judge.errored())
    managed = [each for each in plan.changes if each.mode == "managed"]
    secrets = judge.secrets
    return Review(
        title=title,
        findings=tuple(in_order(kept)),
        waived=tuple(in_order(waived)),
        totals=tuple(replace(each, of=scrubbed(each.of, secrets)) for each in totals(plan)),
        parts=tuple(replace(each, what=scrubbed(each.what, secrets)) for each in parts(plan)),
        actions={action: count for action in Action if (count := sum(each.action is action for each in managed))},
        terraform=plan.terraform,
    )


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What a finding needs of the change that it is about; as it is here: of none."""

    shown: tuple[Difference, ...] = ()
    settings: tuple[Mapping[str, object], ...] = ()
    """Of a release, before and after, as far as it is there."""
    secrets: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    """Who it is, where it is not hidden: in the address, and in other plans."""
    before: str = "null"
    """Canonical JSON, as is ``after``."""
    after: str = "null"


class _Judge:
    """Makes findings of problems."""

    def __init__(
        self,
        plan: Plan,
        diagnostics: Sequence[Diagnostic],
        declared: Mapping[str, Location],
        policy: Policy | None,
    ) -> None:
        self._plan = plan
        self._diagnostics = diagnostics
        self._declared = declared
        self._policy = policy
        self._changes: dict[str, Change] = {}
        for change in (*plan.changes, *plan.drift):
            self._changes.setdefault(change.address, change)
        self._read: dict[tuple[str, str], _Read] = {}
        self.secrets = frozenset(each for each in plan.secrets if len(each) >= _SHORTEST_SECRET)
        """Texts that are shown nowhere."""

    def findings(self) -> Iterator[Finding]:
        """Everything that is found; a thing that is found twice, by a rule and by a refusal, once."""
        told: set[tuple[str, str, str]] = set()
        for finding in self._all():
            key = finding.rule, finding.address, finding.message
            if key not in told:
                told.add(key)
                yield finding

    def _all(self) -> Iterator[Finding]:
        seen = kinds.seen(self._plan)
        found: list[Finding] = []
        for change in self._plan.changes:
            found += (self._finding(change.address, problem, change) for problem in kinds.found(change, seen))
        for address, problem in (
            *kinds.together(self._plan, seen),
            *policies.limit_problems(self._plan, self._policy),
        ):
            found.append(self._finding(address, problem, self._changes.get(address)))
        yield from found
        yield from self._refusals(found)

    def _finding(self, address: str, problem: Problem, change: Change | None) -> Finding:
        read = self._of(change)
        scrub = self._scrubbing(read, problem.path)
        return Finding(
            rule=problem.rule,
            severity=problem.severity,
            address=address,
            where=scrub(problem.where),
            message=scrub(problem.message),
            why=scrub(problem.why),
            remedy=scrub(problem.remedy),
            differences=tuple(
                replace(each, before=scrub(each.before), after=scrub(each.after))
                for each in _about(read.shown, problem)
            ),
            declared=self._declared.get(of_all_instances(address)),
            fingerprint=fingerprint(problem.rule, address, read.before, read.after),
        )

    def _of(self, change: Change | None) -> _Read:
        """What a finding shows of a change, read once for all that is found of it."""
        if change is None:
            return _Read()
        key = change.address, change.deposed
        if key not in self._read:
            self._read[key] = _read(change)
        return self._read[key]

    def _refusals(self, found: Sequence[Finding]) -> Iterator[Finding]:
        """What Terraform said: an error blocks, whoever said it; a warning counts if a rule of ours is behind it."""
        said = {(each.rule, each.address) for each in found} | {(each.rule, each.where) for each in found}
        for each in self._diagnostics:
            if each.rule and said & {(each.rule, each.address), (each.rule, each.where)}:
                continue
            if each.severity == "error" or each.rule or _is_ours(each.address):
                yield self._refusal(each)
        if self._plan.errored and not any(each.severity == "error" for each in self._diagnostics):
            yield self.errored()
        if self._plan.may_be_errored and not self._diagnostics:
            yield self._finding("", whole.UNFINISHED("the plan"), None)

    def errored(self) -> Finding:
        """That the plan is not a whole one."""
        return self._finding("", whole.ERRORED("the plan"), None)

    def _refusal(self, each: Diagnostic) -> Finding:
        rule = whole.REFUSED if each.severity == "error" else whole.WARNED
        change = self._changes.get(each.address)
        where = each.where or each.address or "the plan"
        problem = rule(
            where, summary=each.message.rstrip(".").replace("{", "{{").replace("}", "}}"), detail=each.detail
        )
        problem = replace(problem, message=each.message, why=each.detail)
        if each.rule:
            problem = replace(problem, rule=each.rule, remedy="")
        finding = self._finding(each.address, problem, change)
        return replace(finding, fingerprint=fingerprint(problem.rule, each.address, each.summary, each.detail))

    def _scrubbing(self, read: _Read, path: tuple[str | int, ...]) -> Callable[[str], str]:
        secrets = (self.secrets | read.secrets) - read.names
        if any(map(partial(_is_hidden, path=path), read.settings)):
            # A rule says a number in a unit of its own: 604800000 ms are 7 d.
            return lambda text: _FIGURE.sub(SHOWN_INSTEAD, scrubbed(text, secrets))
        return (lambda text: scrubbed(text, secrets)) if secrets else (lambda text: text)


_NAMES = ("name", "namespace")
_FIGURE = re.compile(r"(?<![\w.-])[\w.-]*[0-9][\w.-]*(?<![.-])( (ms|s|min|h|d|bytes|[KMG]iB)\b)?")


def _is_hidden(settings: Mapping[str, object], path: tuple[str | int, ...]) -> bool:
    """Whether the setting, something below it or beside it is hidden: a rule says of an image or a claim all of it."""
    value: object = settings
    for key in path if path[:1] == ("config",) else path[:1]:
        if not isinstance(value, Mapping):
            break
        value = value.get(key)
    return bool(path) and any(True for _ in texts(value))


def _is_ours(address: str) -> bool:
    """Whether it is that of a resource of the provider: ``module.events.hikube_kafka_topic.this["a.b"]``."""
    return of_all_instances(address).rpartition(".")[0].rpartition(".")[2].startswith("hikube_")


def _read(change: Change) -> _Read:
    before, after = releases(change) if is_release(change) else (None, None)
    sides = change.before, change.after
    settings = tuple(each.settings for each in (before, after) if each is not None)
    prior, planned = _side(change.before, change.prior), _side(change.after, change.planned)
    return _Read(
        shown=differences(change, before=before, after=after),
        settings=settings,
        # Of values that are hidden as a whole, what is too short to be a secret is in every second sentence.
        secrets=frozenset(texts(sides)).union(text for text in texts(settings) if len(text) >= _SHORTEST_SECRET),
        names=frozenset(each[key] for each in sides if each for key in _NAMES if isinstance(each.get(key), str)),
        before=_canonical(prior),
        after=_canonical([planned, sorted(map(list, change.unknown), key=repr)]),
    )


def _side(there: object, revealed: object) -> object:
    return None if there is None else revealed


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def _about(shown: Iterable[Difference], problem: Problem) -> Iterator[Difference]:
    """The settings that the problem is about; all, if it names none of those that change."""
    shown = tuple(shown)
    named = "".join(f"[{part}]" if index else str(part) for index, part in enumerate(problem.path))
    about = [each for each in shown if named and each.setting == named]
    return iter(about or shown)
