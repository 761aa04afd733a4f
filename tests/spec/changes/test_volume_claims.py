"""Claims that grow raise nothing but what an apply does beside; each test spoils one thing."""

from dataclasses import dataclass
from typing import Any

import pytest

from hikube_kafka.spec.changes.volume_claims import Known, problems
from hikube_kafka.spec.problem import Problem


@dataclass(frozen=True)
class Template:
    size: str = "10Gi"
    storage_class: str | None = "fast"


@dataclass(frozen=True)
class Claim:
    size: str = "10Gi"
    storage_class: str | None = "fast"
    template: str = "data"
    name: str = "data-kafka-0"
    capacity: str | None = "10Gi"


def template(size: Any = "10Gi", storage_class: Any = "fast") -> dict[str, Any]:
    return {"size": size, "storage_class": storage_class}


def claims(size: str | None = "10Gi", /, **templates: Any) -> dict[str, Any]:
    return {
        "stateful_set": "kafka",
        "templates": templates or {"data": template()},
        "claims": {"data-kafka-0": size} if size else {},
    }


def known(claim: Claim | None = Claim(), *, grows: bool | None = True, lives: bool = True) -> Known:
    return Known(
        templates={"data": Template(claim.size, claim.storage_class)} if claim and lives else {},
        claims=[claim] if claim else [],
        grows={"fast": grows},
    )


def rules(found: Any) -> list[str]:
    return [problem.rule for problem in found]


def error(prior: Any, planned: Any, seen: Known | None) -> Problem:
    (problem,) = (each for each in problems(prior, planned, seen) if each.severity == "error")
    return problem


@pytest.mark.parametrize(
    ("prior", "planned", "seen"),
    [
        (None, claims(), known(None)),
        (None, claims(), None),
        (claims(), claims(), known()),
        (claims(), claims(), None),
        # A class that does not let claims grow is of no matter to those that need not.
        (claims(), claims(), known(grows=False)),
        (claims(), claims(data=template("10240Mi")), known()),
        (claims(None), claims(), known(None)),
        (claims(data=template(storage_class=None)), claims(), known()),
        # Before the first claim is made, a template may come.
        (claims(None), claims(data=template(), log=template()), known(None)),
        (claims(None), claims(data=template(), log=template()), None),
        (claims(), claims(data={"storage_class": "fast"}), known()),
        (claims(None), None, None),
    ],
)
def test_a_change_that_loses_nothing_raises_nothing(prior: Any, planned: Any, seen: Known | None) -> None:
    assert list(problems(prior, planned, seen)) == []


def test_growth_tells_what_becomes_of_the_stateful_set() -> None:
    (problem,) = problems(claims(), claims(data=template("20Gi")), known())
    assert (problem.rule, problem.severity) == ("stateful-set-recreated", "warning")
    assert problem.where == "StatefulSet kafka"


@pytest.mark.parametrize("seen", [known(), None])
def test_a_claim_does_not_shrink(seen: Known | None) -> None:
    problem = error(claims(), claims(data=template("9Gi")), seen)
    assert (problem.rule, problem.path) == ("claim-shrinks", ("templates", "data", "size"))
    assert (problem.where, problem.message) == ("claim data-kafka-0", "it cannot shrink from 10Gi to 9Gi.")
    assert problem.remedy == "Set size = 10Gi."


@pytest.mark.parametrize("seen", [known(Claim("30Gi"), lives=False), None])
def test_a_claim_that_somebody_has_grown_is_a_warning(seen: Known | None) -> None:
    (problem,) = problems(claims("30Gi"), claims(), seen)
    assert (problem.rule, problem.severity) == ("claim-grown-elsewhere", "warning")


def test_a_command_leads_to_the_cluster_that_was_asked() -> None:
    named = "kubectl --context prod -n shop"
    told = list(problems(claims(), claims(data=template("20Gi")), known(Claim(capacity=None)), kubectl=named))
    assert f"({named} describe pvc data-kafka-0)" in "".join(problem.remedy for problem in told)


@pytest.mark.parametrize(
    ("claim", "grows", "why"),
    [
        (Claim(), False, "storage class fast does not allow it (allowVolumeExpansion is not true)"),
        (Claim(storage_class=None), True, "no storage class"),
        (Claim(capacity=None), True, "no volume yet"),
    ],
)
def test_a_claim_that_cannot_grow_says_why(claim: Claim, grows: bool, why: str) -> None:  # noqa: FBT001 - of a table
    wanted = claims(data=template("20Gi", claim.storage_class))
    problem = error(claims(data=template("10Gi", claim.storage_class)), wanted, known(claim, grows=grows))
    assert problem.rule == "claim-cannot-grow"
    assert why in problem.message


def test_what_cannot_be_read_of_a_class_is_left_to_the_apply() -> None:
    assert rules(problems(claims(), claims(data=template("20Gi")), known(grows=None))) == ["stateful-set-recreated"]


def test_a_claim_keeps_its_class() -> None:
    problem = error(claims(), claims(data=template(storage_class="slow")), known())
    assert (problem.rule, problem.path) == ("claim-storage-class-changes", ("templates", "data", "storage_class"))
    assert problem.message == "it is of storage class fast, not slow."
    assert problem.remedy.startswith("Set storage_class = fast.")


def test_a_class_that_was_another_one_before_is_a_warning() -> None:
    slow = claims(data=template(storage_class="slow"))
    found = list(problems(slow, slow, known(lives=False)))
    assert [(each.rule, each.severity) for each in found] == [("claim-storage-class-differs", "warning")]


@pytest.mark.parametrize("seen", [known(), known(lives=False), None])
def test_templates_neither_come_nor_go_while_claims_are_there(seen: Known | None) -> None:
    added = error(claims(), claims(data=template(), log=template()), seen)
    assert (added.rule, added.path) == ("claim-template-added", ("templates", "log"))
    found = problems(claims(), claims(other=template()), seen)
    assert rules(found) == ["claim-template-added", "claim-template-removed"]


@pytest.mark.parametrize("planned", [None, {**claims(), "stateful_set": "other"}])
def test_claims_that_are_let_go_of_stay(planned: Any) -> None:
    (problem,) = problems(claims(), planned)
    assert (problem.rule, problem.severity) == ("claims-kept", "warning")
    assert "data-kafka-0" in problem.why


def test_a_namespace_that_this_stack_created_does_not_take_claims_along() -> None:
    created = {**claims(), "created_namespace": "shop"}
    for planned in (None, claims()):
        refused = error(created, planned, None)
        assert refused.rule == "claims-namespace-goes"
        assert "data-kafka-0" in refused.why
        assert "kubectl delete namespace shop" in refused.remedy


def test_a_namespace_goes_once_it_is_forgotten_or_empty() -> None:
    created = {**claims(), "created_namespace": "shop"}
    forgotten = {**claims(), "created_namespace": ""}
    assert rules(problems(created, forgotten, known())) == []
    assert rules(problems(forgotten, None)) == ["claims-kept"]
    assert rules(problems({**claims(None), "created_namespace": "shop"}, None)) == []
    assert rules(problems(created, {**created, "stateful_set": "other"})) == ["claims-kept"]
