"""Changes of the claims of a StatefulSet: ``hikube_volume_claims``."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from hikube_kafka.spec.problem import Problem, Rule, shortened
from hikube_kafka.spec.quantities import Quantity, whole

SHRINKS = Rule(
    id="claim-shrinks",
    severity="error",
    message="it cannot shrink from {size} to {wanted}.",
    why="Kubernetes lets a claim grow, never shrink, and it holds messages.",
    remedy="Set size = {size}.",
)
GROWN_ELSEWHERE = Rule(
    id="claim-grown-elsewhere",
    severity="warning",
    message="it was grown outside Terraform.",
    why="It has {size}, and {wanted} is declared. It stays as it is.",
    remedy="To have all claims of that size, set size = {size}.",
)
CANNOT_GROW = Rule(
    id="claim-cannot-grow",
    severity="error",
    message="it cannot grow from {size} to {wanted}: {reason}.",
    why="Only a claim with a volume, of a storage class that allows it, can grow.",
    remedy="{instead}.",
    remedy_in_general="Keep the size; or allow growth in the storage class (allowVolumeExpansion), or find out what a "
    "claim without a volume waits for.",
)
CLASS_CHANGES = Rule(
    id="claim-storage-class-changes",
    severity="error",
    message="it is {has}, not {wanted}.",
    why="The class of a claim cannot be changed.",
    remedy="Set storage_class = {present}. For storage of another class, move the messages: add brokers of a platform "
    "of its own, or give up one pod and its claim at a time once all partitions are in sync.",
)
CLASS_DIFFERS = Rule(
    id="claim-storage-class-differs",
    severity="warning",
    message="it is {has}, not {wanted}.",
    why="The class of a claim cannot be changed. It was made outside of this declaration, and stays as it is.",
    remedy="To have the declaration match the claim, set storage_class = {present}.",
)
TEMPLATE_ADDED = Rule(
    id="claim-template-added",
    severity="error",
    message="claim template {template} cannot be added.",
    why="It has {present}. Its pods would find an empty volume in place of what they have written.",
    remedy="Remove {template} from the declaration: only a platform that has it from its first apply can use it.",
)
TEMPLATE_REMOVED = Rule(
    id="claim-template-removed",
    severity="error",
    message="claim template {template} cannot be removed.",
    why="Its pods have written there what they would then look for in another volume.",
    remedy="Declare {template} as before.",
)
RECREATED = Rule(
    id="stateful-set-recreated",
    severity="warning",
    message="it will be deleted without its pods.",
    why="The sizes in it cannot be changed. Its pods go on running.",
    remedy="Apply the release after this, in the same apply: it creates the StatefulSet again around them.",
)
KEPT = Rule(
    id="claims-kept",
    severity="warning",
    message="its claims stay.",
    why="They hold messages, and nothing here deletes them: {claims}. A StatefulSet of the same name takes them up "
    "again.",
    remedy="To delete them, and all messages: {kubectl} delete pvc CLAIM.",
)
NAMESPACE_GOES = Rule(
    id="claims-namespace-goes",
    severity="error",
    message="this stack has created it, and nothing keeps the plan from deleting it.",
    why="A namespace takes all claims in it along, and every message: {claims}. prevent_destroy does not hold for a "
    "resource that is no longer declared, and a removed block does not hold for terraform destroy.",
    remedy="First have Terraform forget the namespace, and apply that: KubernetesTarget(create_namespace=False), or in "
    'HCL created_namespace = "" and a removed block with destroy = false for the namespace. Once the messages are not '
    "needed any more: {kubectl} delete namespace {name}.",
)


if TYPE_CHECKING:  # to make a protocol takes longer than all else here, at each start of the provider
    from typing import Protocol

    class Template(Protocol):
        """What a StatefulSet makes claims of."""

        @property
        def size(self) -> str:
            """As Kubernetes writes it: ``10Gi``."""

        @property
        def storage_class(self) -> str | None:
            """None: the cluster's default at the moment a claim is made."""

    class Claim(Template, Protocol):
        """One claim."""

        @property
        def name(self) -> str:
            """``<template>-<StatefulSet>-<ordinal>``."""

        @property
        def template(self) -> str:
            """The template that it was made of."""

        @property
        def capacity(self) -> str | None:
            """What its volume has; None: it has no volume yet."""


SomeClaim = TypeVar("SomeClaim", bound="Claim")


class Known(NamedTuple):
    """What is known of the StatefulSet."""

    templates: "Mapping[str, Template]"
    """Its claim templates; none: it is not there."""
    claims: "Sequence[Claim]"
    """Those of its name; they outlive it."""
    grows: Mapping[str, bool | None]
    """Whether claims of a storage class may grow; None: the user may not read it."""


class _Declared(NamedTuple):
    size: str
    storage_class: str | None


def problems(
    prior: Mapping[str, Any] | None,
    planned: Mapping[str, Any] | None,
    known: Known | None = None,
    *,
    kubectl: str = "kubectl",
) -> Iterator[Problem]:
    """What Kubernetes would refuse, and what an apply would do beside the growth itself.

    What differs without having been changed here is a warning: somebody else did it, and the platform lives with it.

    Args:
        prior: As the claims are; None: they are declared for the first time.
        planned: As they are to be, with known templates; None: they are no longer declared.
        known: What is known of the StatefulSet; None: what the state remembers of its claims is all there is.
        kubectl: How a user calls it for this cluster and namespace.
    """
    if planned is None or (prior is not None and planned.get("stateful_set") != prior["stateful_set"]):
        goes = list(_namespace_goes(prior or {}, kubectl)) if planned is None else []
        yield from goes or _kept(prior or {}, kubectl)
        return
    if prior is not None and planned.get("created_namespace") is None:
        yield from _namespace_goes(prior, kubectl)
    declared = _declared(planned)
    if declared is None:
        return
    if known is None:
        if prior is not None:
            yield from _templates(_names(prior) if prior.get("claims") else set(), prior, planned)
            yield from _remembered(prior, planned, declared)
        return
    left = {claim.template for claim in known.claims} & {*declared, *_names(prior)}
    yield from _templates(known.templates.keys() or left, prior, planned)
    for claim in known.claims:
        yield from _of_claim(claim, prior, declared)
    for claim in too_small(known.claims, declared):
        yield from _growth(claim, declared[claim.template].size, known, kubectl)
    if differs(known.templates, declared):
        yield RECREATED(_where(planned))


def too_small(claims: Sequence[SomeClaim], declared: "Mapping[str, Template]") -> Iterator[SomeClaim]:
    """The claims that ask for less than is declared for their template."""
    for claim in claims:
        template = declared.get(claim.template)
        if template is not None and Quantity(claim.size) < Quantity(template.size):
            yield claim


def differs(living: "Mapping[str, Template]", declared: "Mapping[str, Template]") -> bool:
    """Whether a StatefulSet of the declared templates makes its claims of another size or class."""
    return any(
        Quantity(living[name].size) != Quantity(template.size) or living[name].storage_class != template.storage_class
        for name, template in declared.items()
        if name in living
    )


def template_of(claim: str, values: Mapping[str, Any]) -> str | None:
    """The declared template that a claim was made of, by its name: ``<template>-<StatefulSet>-<ordinal>``."""
    template, _, ordinal = claim.rpartition(f"-{values['stateful_set']}-")
    return template if whole(ordinal) is not None and template in values["templates"] else None


def _where(values: Mapping[str, Any]) -> str:
    return f"StatefulSet {values['stateful_set']}"


def _names(values: Mapping[str, Any] | None) -> set[str]:
    return set(values["templates"]) if values else set()


def _declared(planned: Mapping[str, Any]) -> "dict[str, Template] | None":
    """The wanted templates; None while one of them is not known."""
    templates = planned.get("templates")
    if templates is None or not all(isinstance(each, Mapping) and each.get("size") for each in templates.values()):
        return None
    return {name: _Declared(each["size"], each.get("storage_class")) for name, each in templates.items()}


def _templates(
    there: AbstractSet[str], prior: Mapping[str, Any] | None, planned: Mapping[str, Any]
) -> Iterator[Problem]:
    """Templates that come or go while claims are there.

    A ZooKeeper server keeps its transactions in the claim ``log`` if it has one, else in ``data``. It would look for
    them in the other one from now on; the release would roll, and the first server stay away.
    """
    wanted = planned["templates"].keys()
    for template in sorted(wanted - there) if there else ():
        yield TEMPLATE_ADDED(
            _where(planned),
            path=("templates", template),
            template=template,
            present=", ".join(sorted(there)),
        )
    for template in sorted(there & _names(prior) - wanted):
        yield TEMPLATE_REMOVED(_where(planned), path=("templates",), template=template)


def _of_claim(claim: "Claim", prior: Mapping[str, Any] | None, declared: "Mapping[str, Template]") -> Iterator[Problem]:
    template = declared.get(claim.template)
    if template is None:
        return
    before = prior["templates"].get(claim.template) if prior else None
    if Quantity(claim.size) > Quantity(template.size):
        changed = before is None or Quantity(before["size"]) != Quantity(template.size)
        yield _larger(claim.name, claim.size, claim.template, template.size, changed=changed)
    if template.storage_class not in {None, claim.storage_class}:
        changed = before is None or before["storage_class"] != template.storage_class
        has = f"of storage class {claim.storage_class}" if claim.storage_class else "without a storage class"
        yield (CLASS_CHANGES if changed else CLASS_DIFFERS)(
            f"claim {claim.name}",
            path=("templates", claim.template, "storage_class"),
            has=has,
            wanted=template.storage_class,
            present=claim.storage_class or "null",
        )


def _remembered(
    prior: Mapping[str, Any], planned: Mapping[str, Any], declared: "Mapping[str, Template]"
) -> Iterator[Problem]:
    """The claims as the state remembers them."""
    for claim, size in (prior.get("claims") or {}).items():
        template = template_of(claim, planned)
        if template is not None and Quantity(size) > Quantity(wanted := declared[template].size):
            before = prior["templates"].get(template)
            changed = before is None or Quantity(before["size"]) != Quantity(wanted)
            yield _larger(claim, size, template, wanted, changed=changed)


def _larger(claim: str, size: str, template: str, wanted: str, *, changed: bool) -> Problem:
    rule = SHRINKS if changed else GROWN_ELSEWHERE
    return rule(f"claim {claim}", path=("templates", template, "size"), size=size, wanted=wanted)


def _growth(claim: "Claim", wanted: str, known: Known, kubectl: str) -> Iterator[Problem]:
    """Why a claim cannot grow; what cannot be read of its class, the API server will say at the apply."""
    if claim.storage_class is None:
        reason = "it has no storage class"
        instead = f"Keep size = {claim.size}"
    elif known.grows.get(claim.storage_class) is False:
        reason = f"storage class {claim.storage_class} does not allow it (allowVolumeExpansion is not true)"
        instead = f"Keep size = {claim.size}; or, if the storage behind it can grow, allow it in the class"
    elif claim.capacity is None:
        reason = "it has no volume yet, and nothing is in it"
        see = f"{kubectl} describe pvc {claim.name}"
        instead = f"Find out what it waits for ({see}), or delete it, and its pod makes a new one"
    else:
        return
    yield CANNOT_GROW(
        f"claim {claim.name}",
        path=("templates", claim.template, "size"),
        size=claim.size,
        wanted=wanted,
        reason=reason,
        instead=instead,
    )


def _namespace_goes(prior: Mapping[str, Any], kubectl: str) -> Iterator[Problem]:
    """The stack has created the namespace, and no longer says so."""
    name = prior.get("created_namespace")
    if name and prior.get("claims"):
        yield NAMESPACE_GOES(
            f"namespace {name}",
            path=("created_namespace",),
            name=name,
            kubectl=kubectl,
            claims=shortened(sorted(prior["claims"])),
        )


def _kept(prior: Mapping[str, Any], kubectl: str) -> Iterator[Problem]:
    if prior.get("claims"):
        yield KEPT(_where(prior), kubectl=kubectl, claims=", ".join(sorted(prior["claims"])))
