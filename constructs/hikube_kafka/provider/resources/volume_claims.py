"""``hikube_volume_claims``: the claims of a StatefulSet, which grow in place and never go."""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from hikube_kafka.kubernetes.errors import KubernetesError
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import STRING, Attribute, Map, Nested, Schema
from hikube_kafka.plugin.values import UNKNOWN, unknowns
from hikube_kafka.provider.kubernetes import unreadable
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach
from hikube_kafka.spec.quantities import Quantity

if TYPE_CHECKING:
    from hikube_kafka.kubernetes.stateful_set import TemplateClaimSeen, TemplateSeen
    from hikube_kafka.provider.claim_growth import Survey

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""Of Kubernetes' objects whose names become part of a host's."""


class VolumeClaimsResource(Resource):
    """The claims of one StatefulSet. They are made by its pods and outlive it; here they only ever grow."""

    type_name = "hikube_volume_claims"
    schema = Schema(
        description="The volume claims of a StatefulSet, applied before the release that has it. Growth patches the "
        "claims, waits for the volumes, and deletes the StatefulSet without its pods, so that the release makes it "
        "anew around them: no pod restarts. Shrinking, another storage class, and growth on a class that does not "
        "allow it are refused at plan time, and so are templates that come or go. Claims are never deleted.",
        attributes={
            "stateful_set": Attribute(
                STRING,
                required=True,
                description="Name of the StatefulSet, in the namespace of the provider. Another name is another set.",
            ),
            "templates": Attribute(
                nested=Nested(
                    "map",
                    {
                        "size": Attribute(
                            STRING,
                            required=True,
                            description="What each claim requests: `10Gi`. It can grow, never shrink.",
                        ),
                        "storage_class": Attribute(
                            STRING,
                            optional=True,
                            description="Its storage class, which cannot change. Default: the cluster's default class.",
                        ),
                    },
                ),
                required=True,
                description="The claim templates of the StatefulSet by name, exactly as the release has them. None can "
                "be added or removed once there are claims.",
            ),
            "claims": Attribute(
                Map(STRING),
                computed=True,
                description="The existing claims by name, each with the size that it requests. The plan shows here "
                "what grows.",
            ),
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session

    # ---- before the cluster ----------------------------------------------------------------------------------------

    def validate(self, config: State) -> Iterator[Diagnostic]:
        """Names that Kubernetes does not take, sizes that are none."""
        name, templates = config["stateful_set"], config["templates"]
        if isinstance(name, str) and not _NAME.fullmatch(name):
            yield Diagnostic(
                f"{name!r} cannot be the name of a StatefulSet",
                "Use small letters, digits and hyphens, with a letter or digit at both ends.",
                path=("stateful_set",),
            )
        if not isinstance(templates, Mapping):
            return
        if not templates:
            yield Diagnostic("templates is empty", "Declare at least one claim template.", path=("templates",))
        for template, values in templates.items():
            size = values["size"] if isinstance(values, Mapping) else UNKNOWN
            if isinstance(size, str) and not _is_size(size):
                yield Diagnostic(
                    f"{size!r} is not the size of a claim",
                    "Write it as Kubernetes does: a number above 0 and Mi, Gi or Ti, such as 10Gi.",
                    path=("templates", template, "size"),
                )

    def plan(self, request: PlanRequest) -> Plan:
        """What would grow; what Kubernetes would refuse is refused here, before anything has been touched."""
        prior, proposed = request.prior, request.proposed
        if proposed is None:
            return Plan(None, diagnostics=[*_they_stay(prior or {})])
        planned = {**proposed, "claims": UNKNOWN}
        if any(True for each in ("stateful_set", "templates") for _ in unknowns(planned[each])):
            return Plan(planned)
        if prior is not None and planned["stateful_set"] != prior["stateful_set"]:
            return Plan(planned, replace=[("stateful_set",)], diagnostics=[*_they_stay(prior)])
        if prior is not None:
            planned["templates"] = _in_the_spelling_of(prior["templates"], planned["templates"])
            if planned["templates"].keys() == prior["templates"].keys() and prior["claims"] is not None:
                planned["claims"] = _grown(prior, planned)
            if planned == prior:
                return Plan(planned, diagnostics=[*_larger_than_declared(planned)])
        return Plan(planned, diagnostics=self._check(prior, planned))

    def _check(self, prior: State | None, planned: State) -> list[Diagnostic]:
        """What stands in the way of a change, as far as the cluster can be asked by now."""
        reach = self._reach()
        if reach is None:
            return []
        from hikube_kafka.provider.claim_growth import survey  # noqa: PLC0415 - slow to load

        try:
            found = survey(reach, planned["stateful_set"])
        except KubernetesError as problem:
            if not problem.may_pass:
                return [_not_read(problem, planned["stateful_set"])]
            return [*_faults_by_what_is_known(prior, planned)] if prior is not None else []
        return [*_faults(found, prior, planned)]

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """The claims as they are. A cluster that does not answer has not lost them: the state is kept, with a warning.

        That there are none is normal before the release has been applied.
        """
        reach = self._reach()
        if reach is None:
            return state
        from hikube_kafka.provider.claim_growth import survey  # noqa: PLC0415 - slow to load

        try:
            found = survey(reach, state["stateful_set"])
        except KubernetesError as problem:
            fault = _not_read(problem, state["stateful_set"])
            if not problem.may_pass:
                raise Refusal(fault) from None
            warn(
                f"The claims of StatefulSet {state['stateful_set']} were not read",
                f"{fault.detail} The plan shows them as they were last known; nothing is taken for lost.",
            )
            return state
        for missing in _missing(found, state):
            warn(
                f"Claim {missing} is missing",
                f"StatefulSet {state['stateful_set']} has a pod that needs it. Kubernetes makes it anew, with an empty "
                "volume, when that pod is started again; Kafka and ZooKeeper then copy from the other servers. See to "
                "it that those are healthy before the pod goes.",
            )
        return {**state, "claims": _sizes(found, state)}

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Before a first release nothing is there, and nothing is done; claims that an earlier one left may grow."""
        return self._grow(None, planned)

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Grow; what is done by the time of a failure is recorded, and the next apply does the rest."""
        return self._grow(prior, planned)

    def _grow(self, prior: State | None, planned: State) -> State:
        from hikube_kafka.provider.claim_growth import grow, survey  # noqa: PLC0415 - slow to load

        name = planned["stateful_set"]
        reach = self._reach()
        if reach is None:
            unknown = ", ".join(self._session.settings.unknown)
            raise Refusal(
                Diagnostic(
                    f"The claims of StatefulSet {name} cannot be seen to",
                    f"The provider's settings are still unknown during the apply: {unknown}.",
                )
            )
        found = None
        try:
            found = survey(reach, name)
            _refuse(found, prior, planned)
            try:
                grow(reach, name, _declared(planned), self._session.stopped)
            finally:
                found = survey(reach, name)
        except (KubernetesError, Refusal) as problem:
            told = problem.diagnostics if isinstance(problem, Refusal) else [_not_read(problem, name)]
            # A creation has made nothing of its own; an update has changed as much as can be seen.
            state = {**prior, "claims": _sizes(found, prior)} if prior is not None and found is not None else None
            raise Refusal(*told, state=state) from None
        return planned if planned["claims"] is not UNKNOWN else {**planned, "claims": _sizes(found, planned)}

    def delete(self, prior: State, private: bytes) -> None:
        """Let go of them: the claims stay, with the messages in them. The plan has said so."""

    # ---- the cluster -----------------------------------------------------------------------------------------------

    def _reach(self) -> KubernetesReach | None:
        """Where the StatefulSet is; None while settings are unknown."""
        return self._session.kubernetes(needed_by=self.type_name)


# ---- sizes ----------------------------------------------------------------------------------------------------------


def _is_size(text: str) -> bool:
    try:
        return Quantity(text).value > 0
    except ValueError:
        return False


def _declared(state: State) -> "dict[str, TemplateSeen]":
    from hikube_kafka.kubernetes.stateful_set import TemplateSeen  # noqa: PLC0415 - slow to load

    return {
        name: TemplateSeen(size=template["size"], storage_class=template["storage_class"])
        for name, template in state["templates"].items()
    }


def _in_the_spelling_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The wanted templates, each size as it was written before where that means the same."""
    return {
        name: {**template, "size": before[name]["size"]}
        if name in before and Quantity(before[name]["size"]) == Quantity(template["size"])
        else template
        for name, template in after.items()
    }


def _template_of(claim: str, state: State) -> str | None:
    """The declared template that a claim was made of, by its name: ``<template>-<StatefulSet>-<ordinal>``."""
    template, _, ordinal = claim.rpartition(f"-{state['stateful_set']}-")
    return template if ordinal.isdigit() and template in state["templates"] else None


def _grown(prior: State, planned: State) -> dict[str, str]:
    """The claims once those that are too small have grown."""
    sizes = {}
    for claim, size in prior["claims"].items():
        template = _template_of(claim, planned)
        wanted = planned["templates"][template]["size"] if template else size
        sizes[claim] = wanted if Quantity(size) < Quantity(wanted) else size
    return sizes


def _sizes(found: "Survey", state: State) -> dict[str, str]:
    """The claims as they are, in the user's own spelling wherever that means the same."""
    sizes = {}
    for claim in found.seen.claims:
        template = state["templates"].get(claim.template)
        if template is not None:
            same = Quantity(template["size"]) == Quantity(claim.size)
            sizes[claim.name] = template["size"] if same else claim.size
    return sizes


def _missing(found: "Survey", state: State) -> Iterator[str]:
    there = {claim.name for claim in found.seen.claims}
    for template in sorted(state["templates"].keys() & found.seen.templates.keys()):
        for ordinal in range(found.seen.replicas):
            name = f"{template}-{found.seen.name}-{ordinal}"
            if name not in there:
                yield name


# ---- what the user is told ------------------------------------------------------------------------------------------


def _faults(found: "Survey", prior: State | None, planned: State) -> Iterator[Diagnostic]:
    """What Kubernetes would refuse, and what an apply would do beside the growth itself.

    What differs without having been changed here is a warning: somebody else did it, and the platform lives with it.
    """
    from hikube_kafka.provider.claim_growth import differs, too_small  # noqa: PLC0415 - slow to load

    declared = _declared(planned)
    left = {claim.template for claim in found.seen.claims} & {*declared, *_templates(prior)}
    yield from _coming_or_going(found.seen.templates.keys() or left, prior, planned)
    for claim in found.seen.claims:
        template = declared.get(claim.template)
        before = prior["templates"].get(claim.template) if prior else None
        if template is None:
            continue
        if Quantity(claim.size) > Quantity(template.size):
            changed = before is None or Quantity(before["size"]) != Quantity(template.size)
            yield _shrinks(claim.name, claim.size, claim.template, template.size, error=changed)
        if template.storage_class not in {None, claim.storage_class}:
            changed = before is None or before["storage_class"] != template.storage_class
            yield _moves(claim, str(template.storage_class), error=changed)
    for claim in too_small(found.seen, declared):
        why = _fixed(claim, found)
        if why:
            yield _cannot_grow(claim, declared[claim.template].size, why)
    if differs(found.seen.templates, declared):
        yield Diagnostic(
            f"StatefulSet {found.seen.name} will be deleted without its pods",
            "The sizes in it cannot be changed. Its pods go on running, and the release, which must be applied after "
            "this, makes it anew around them.",
            "warning",
        )


def _coming_or_going(there: AbstractSet[str], prior: State | None, planned: State) -> Iterator[Diagnostic]:
    """Templates that come or go while claims are there.

    A ZooKeeper server keeps its transactions in the claim ``log`` if it has one, else in ``data``. It would look for
    them in the other one from now on; the release would roll, and the first server stay away.
    """
    name, wanted = planned["stateful_set"], planned["templates"].keys()
    for template in sorted(wanted - there) if there else ():
        yield Diagnostic(
            f"StatefulSet {name} cannot get a further claim template {template}",
            f"It lives with {', '.join(sorted(there))}. Its pods would look in an empty volume for what they have "
            f"written elsewhere. Take {template} out; a platform that has it from its first apply can take over.",
            path=("templates", template),
        )
    for template in sorted(there & _templates(prior) - wanted):
        yield Diagnostic(
            f"StatefulSet {name} cannot give up its claim template {template}",
            f"Its pods have written there what they would then look for elsewhere. Declare {template} as before.",
            path=("templates",),
        )


def _templates(state: State | None) -> set[str]:
    return set(state["templates"]) if state else set()


def _refuse(found: "Survey", prior: State | None, planned: State) -> None:
    """Asked once more at the apply: the plan may be old, or made while the cluster did not answer."""
    errors = [each for each in _faults(found, prior, planned) if each.severity == "error"]
    if errors:
        raise Refusal(*errors)


def _fixed(claim: "TemplateClaimSeen", found: "Survey") -> str | None:
    """Why a claim cannot grow; what cannot be read of its class, the API server will say at the apply."""
    if claim.storage_class is None:
        return "It has no storage class, and only claims of a class that allows it can grow. Keep its size"
    if found.grows[claim.storage_class] is False:
        return (
            f"Storage class {claim.storage_class} does not allow it (allowVolumeExpansion is not true). Keep size = "
            f"{claim.size}; or, if the storage behind it can grow, allow it in the class"
        )
    if claim.capacity is None:
        return (
            "It has no volume yet, and Kubernetes lets only a claim with a volume grow. Nothing is in it: find out "
            "what it waits for (kubectl describe pvc), or delete it, and its pod makes it anew"
        )
    return None


def _faults_by_what_is_known(prior: State, planned: State) -> Iterator[Diagnostic]:
    """The same without the cluster: what the state remembers of the claims."""
    yield from _coming_or_going(_templates(prior) if prior["claims"] else set(), prior, planned)
    for claim, size in (prior["claims"] or {}).items():
        template = _template_of(claim, planned)
        if template is None:
            continue
        wanted = planned["templates"][template]["size"]
        if Quantity(size) > Quantity(wanted) != Quantity(prior["templates"][template]["size"]):
            yield _shrinks(claim, size, template, wanted, error=True)


def _larger_than_declared(planned: State) -> Iterator[Diagnostic]:
    for claim, size in (planned["claims"] or {}).items():
        template = _template_of(claim, planned)
        if template is not None and Quantity(size) > Quantity(planned["templates"][template]["size"]):
            yield _shrinks(claim, size, template, planned["templates"][template]["size"], error=False)


def _shrinks(claim: str, size: str, template: str, wanted: str, *, error: bool) -> Diagnostic:
    path = ("templates", template, "size")
    if not error:
        return Diagnostic(
            f"Claim {claim} was grown outside Terraform",
            f"It has {size}, declared are {wanted}. It stays so; to have all claims of that size, set size = {size}.",
            "warning",
            path,
        )
    return Diagnostic(
        f"Claim {claim} cannot shrink from {size} to {wanted}",
        f"Kubernetes lets a claim grow, never shrink, and it holds messages. Set size = {size}.",
        path=path,
    )


def _moves(claim: "TemplateClaimSeen", wanted: str, *, error: bool) -> Diagnostic:
    path = ("templates", claim.template, "storage_class")
    has = f"of storage class {claim.storage_class}" if claim.storage_class else "without a storage class"
    return Diagnostic(
        f"Claim {claim.name} is {has}, not {wanted}",
        "The class of a claim cannot be changed. "
        + (
            f"Set storage_class = {claim.storage_class}. For storage of another class, move the messages: add brokers "
            "of a platform of its own, or give up one pod and its claim at a time once all partitions are in sync."
            if error
            else "It was made outside of this declaration, and stays as it is."
        ),
        "error" if error else "warning",
        path,
    )


def _cannot_grow(claim: "TemplateClaimSeen", wanted: str, why: str) -> Diagnostic:
    return Diagnostic(
        f"Claim {claim.name} cannot grow from {claim.size} to {wanted}",
        f"{why}.",
        path=("templates", claim.template, "size"),
    )


def _they_stay(prior: State) -> Iterator[Diagnostic]:
    if prior.get("claims"):
        yield Diagnostic(
            f"The claims of StatefulSet {prior['stateful_set']} stay",
            f"They hold messages, and nothing here deletes them: {', '.join(sorted(prior['claims']))}. A StatefulSet "
            "of the same name takes them up again. To be rid of them and of all messages: kubectl delete pvc.",
            "warning",
        )


def _not_read(problem: KubernetesError, name: str) -> Diagnostic:
    return unreadable(problem, f"The claims of StatefulSet {name}")
