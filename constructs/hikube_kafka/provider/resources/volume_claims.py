"""``hikube_volume_claims``: the claims of a StatefulSet, which grow in place and never go."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hikube_kafka.kubernetes.errors import KubernetesError
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import STRING, Attribute, Map, Nested, Schema
from hikube_kafka.plugin.values import UNKNOWN, unknowns
from hikube_kafka.provider.kubernetes import unreadable
from hikube_kafka.provider.problems import told
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach
from hikube_kafka.spec import amounts
from hikube_kafka.spec.changes import volume_claims as changes
from hikube_kafka.spec.changes.address import Thing
from hikube_kafka.spec.quantities import Quantity

if TYPE_CHECKING:
    from hikube_kafka.kubernetes.stateful_set import TemplateSeen
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
            "created_namespace": Attribute(
                STRING,
                optional=True,
                description="The namespace, if this configuration creates it: `kubernetes_namespace_v1.kafka.id`. "
                "While there are claims, a plan that destroys this resource, or no longer names the namespace here, is "
                'refused: the namespace could go with it, and all claims in it. `""` says that the configuration does '
                "not create it, or no longer; keep it with a `removed` block then.",
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
            if isinstance(size, str) and (fault := _fault(size)):
                yield Diagnostic(
                    f"{size!r} is not the size of a claim",
                    f"{fault}. Write it as Kubernetes does: a number above 0 and Mi, Gi or Ti, such as 10Gi.",
                    path=("templates", template, "size"),
                )

    def plan(self, request: PlanRequest) -> Plan:
        """What would grow; what Kubernetes would refuse is refused here, before anything has been touched."""
        return self._session.addresses.checked(request, self._plan(request), _thing)

    def _plan(self, request: PlanRequest) -> Plan:
        prior, proposed = request.prior, request.proposed
        if proposed is None:
            return Plan(None, diagnostics=self._told(self._with_namespace(prior or {}), None))
        planned = {**proposed, "claims": UNKNOWN}
        if any(True for each in ("stateful_set", "templates") for _ in unknowns(planned[each])):
            return Plan(planned)
        if prior is not None and planned["stateful_set"] != prior["stateful_set"]:
            return Plan(planned, replace=[("stateful_set",)], diagnostics=self._told(prior, planned))
        if prior is not None:
            planned["templates"] = _in_the_spelling_of(prior["templates"], planned["templates"])
            if planned["templates"].keys() == prior["templates"].keys() and prior["claims"] is not None:
                planned["claims"] = _grown(prior, planned)
            if planned == prior:
                return Plan(planned, diagnostics=self._told(prior, planned))
        return Plan(planned, diagnostics=self._check(prior, planned))

    def _told(self, prior: State | None, planned: State | None, known: changes.Known | None = None) -> list[Diagnostic]:
        reach = self._session.settings.kubernetes
        kubectl = reach.command() if reach else "kubectl"
        return told(changes.problems(prior, planned, known, kubectl=kubectl))

    def _with_namespace(self, prior: State) -> State:
        """As it is, with the namespace that was created before the state remembered it."""
        reach = self._reach() if prior.get("created_namespace") is None and prior.get("claims") else None
        if reach is None:
            return prior
        from hikube_kafka.provider.claim_growth import created_namespace

        return {**prior, "created_namespace": created_namespace(reach)}

    def _check(self, prior: State | None, planned: State) -> list[Diagnostic]:
        """What stands in the way of a change, as far as the cluster can be asked by now."""
        reach = self._reach()
        if reach is None:
            return []
        from hikube_kafka.provider.claim_growth import survey

        try:
            found = self._session.read(_what(planned), lambda: survey(reach, planned["stateful_set"]))
        except KubernetesError as problem:
            if not problem.may_pass:
                return [_not_read(problem, planned["stateful_set"])]
            return self._told(prior, planned)
        return self._told(prior, planned, _known(found))

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """The claims as they are. A cluster that does not answer has not lost them: the state is kept, with a warning.

        That there are none is normal before the release has been applied.
        """
        reach = self._reach()
        if reach is None:
            return state
        from hikube_kafka.provider.claim_growth import survey

        try:
            found = self._session.read(
                _what(state), lambda: survey(reach, state["stateful_set"], expected=bool(state["claims"]))
            )
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
        from hikube_kafka.provider.claim_growth import grow, survey

        name = planned["stateful_set"]
        reach = self._session.require(self._reach(), f"The claims of StatefulSet {name} cannot be changed")
        found = None
        try:
            found = survey(reach, name)
            _refuse(found, prior, planned)
            try:
                grow(reach, name, _declared(planned), self._session.stopped)
            finally:
                found = survey(reach, name)
        except (KubernetesError, Refusal) as problem:
            faults = problem.diagnostics if isinstance(problem, Refusal) else [_not_read(problem, name)]
            # A creation has made nothing of its own; an update has changed as much as can be seen.
            state = {**prior, "claims": _sizes(found, prior)} if prior is not None and found is not None else None
            raise Refusal(*faults, state=state) from None
        return planned if planned["claims"] is not UNKNOWN else {**planned, "claims": _sizes(found, planned)}

    def delete(self, prior: State, private: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        """Let go of them: the claims stay, with the messages in them. The plan has said so.

        Not before the last pod has ended, where the release is gone: what is destroyed next may be what the pods need
        to end well, as brokers need ZooKeeper.
        """
        reach = self._reach()
        if reach is None:
            return
        from hikube_kafka.provider.leaving import await_last_pod

        try:
            await_last_pod(reach, prior["stateful_set"], self._session.stopped)
        except KubernetesError as problem:
            raise Refusal(unreadable(problem, f"The pods of StatefulSet {prior['stateful_set']}")) from None

    # ---- the cluster -----------------------------------------------------------------------------------------------

    def _reach(self) -> KubernetesReach | None:
        """Where the StatefulSet is; None while settings are unknown."""
        return self._session.kubernetes(needed_by=self.type_name)


# ---- sizes ----------------------------------------------------------------------------------------------------------


def _thing(state: State) -> Thing | None:
    return None if state["stateful_set"] is UNKNOWN else Thing.claims(state["stateful_set"])


def _fault(size: str) -> str | None:
    try:
        amounts.disk(Quantity(size))
    except ValueError as error:
        return str(error)
    return None


def _declared(state: State) -> "dict[str, TemplateSeen]":
    from hikube_kafka.kubernetes.stateful_set import TemplateSeen

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


def _grown(prior: State, planned: State) -> dict[str, str]:
    """The claims once those that are too small have grown."""
    sizes = {}
    for claim, size in prior["claims"].items():
        template = changes.template_of(claim, planned)
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


def _known(found: "Survey") -> changes.Known:
    return changes.Known(templates=found.seen.templates, claims=found.seen.claims, grows=found.grows)


def _refuse(found: "Survey", prior: State | None, planned: State) -> None:
    """Asked once more at the apply: the plan may be old, or made while the cluster did not answer."""
    errors = [each for each in changes.problems(prior, planned, _known(found)) if each.severity == "error"]
    if errors:
        raise Refusal(*told(errors))


def _what(state: State) -> str:
    return f"claims of {state['stateful_set']}"


def _not_read(problem: KubernetesError, name: str) -> Diagnostic:
    return unreadable(problem, f"The claims of StatefulSet {name}")
