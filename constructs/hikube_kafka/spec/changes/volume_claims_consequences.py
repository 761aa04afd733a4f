"""What a change of claims does to storage, beyond what the provider refuses. For reviews alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.spec.changes.volume_claims import CANNOT_GROW, CLASS_CHANGES, RECREATED, template_of
from hikube_kafka.spec.problem import Problem, Rule, shortened
from hikube_kafka.spec.quantities import Quantity

GROWTH_UNCHECKED = Rule(
    id="claims-growth-unchecked",
    severity="warning",
    message="{claims} grow{s} from {before} to {after}, and this plan does not show whether {class_} allows it.",
    why="Where a storage class does not allow growth (allowVolumeExpansion), the apply ends with an error. A "
    "claim (PersistentVolumeClaim) that has grown cannot shrink again.",
    remedy="Check that GROWS is true for their class:\n\n"
    "  kubectl get storageclass -o custom-columns=NAME:.metadata.name,GROWS:.allowVolumeExpansion",
    message_in_general="claims grow, and the plan does not show whether their storage class allows it.",
)
FORGOTTEN = Rule(
    id="claims-forgotten",
    severity="notice",
    message="Terraform forgets its claims; they and the messages in them stay.",
    why="From now on no plan grows them, and no plan keeps their namespace from being deleted.",
    remedy="Nothing, if that is meant.",
)

DECIDES: tuple[tuple[str, ...], ...] = (("stateful_set",), ("templates",))
"""What a change of claims cannot be judged without."""


def consequences(
    prior: Mapping[str, Any] | None,
    planned: Mapping[str, Any] | None,
    grows: Mapping[str, bool] | None = None,
) -> Iterator[Problem]:
    """What happens to the claims that are there.

    Args:
        prior: As they are; None: they are declared for the first time.
        planned: As they are to be; None: they are no longer declared.
        grows: Of the storage classes that the same plan has, by name, whether they allow growth.
    """
    if prior is None or planned is None or planned.get("stateful_set") != prior["stateful_set"]:
        return
    grew = False
    for name, template in planned.get("templates", {}).items():
        before = prior["templates"].get(name)
        if before is None:
            continue
        grew |= Quantity(template["size"]) > Quantity(before["size"])
        yield from _class_changes(name, prior, planned)
        if Quantity(template["size"]) > Quantity(before["size"]):
            yield from _growth(name, prior, planned, grows or {})
    if grew and prior.get("claims"):
        yield RECREATED(_where(planned), path=("templates",))


def _where(values: Mapping[str, Any]) -> str:
    return f"StatefulSet {values['stateful_set']}"


def _class_changes(name: str, prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[Problem]:
    """The provider asks each claim for its class; a plan alone tells what was declared before."""
    before = prior["templates"][name].get("storage_class")
    after = planned["templates"][name].get("storage_class")
    if before == after or after is None:
        return
    for claim in _claims(name, prior):
        yield CLASS_CHANGES(
            f"claim {claim}",
            path=("templates", name, "storage_class"),
            has=f"of storage class {before}" if before else "of the default storage class at the time it was made",
            wanted=after,
            present=before or "null",
        )


def _growth(
    name: str, prior: Mapping[str, Any], planned: Mapping[str, Any], grows: Mapping[str, bool]
) -> Iterator[Problem]:
    claims = _claims(name, prior)
    before, after = prior["templates"][name]["size"], planned["templates"][name]["size"]
    class_ = prior["templates"][name].get("storage_class")
    if not claims or grows.get(class_ or "") is True:
        return
    if grows.get(class_ or "") is False:
        yield CANNOT_GROW(
            f"claims of {_where(planned)}",
            path=("templates", name, "size"),
            size=before,
            wanted=after,
            reason=f"storage class {class_} does not allow it (allowVolumeExpansion is not true)",
            instead=f"Keep size = {before}; or, if the storage behind it can grow, allow it in the class",
        )
        return
    one = len(claims) == 1
    yield GROWTH_UNCHECKED(
        _where(planned),
        path=("templates", name, "size"),
        claims=f"{len(claims)} claim{'' if one else 's'} ({shortened(claims, 3)})",
        s="s" if one else "",
        before=before,
        after=after,
        class_=f"storage class {class_}" if class_ else "their storage class",
    )


def _claims(template: str, prior: Mapping[str, Any]) -> list[str]:
    return sorted(claim for claim in prior.get("claims") or {} if template_of(claim, prior) == template)
