"""``hikube_rollout``: that the pods of a StatefulSet are as declared, waited for after its release."""

from typing import TYPE_CHECKING

from hikube_kafka.kubernetes.errors import KubernetesError
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, Attribute, Map, Schema
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.kubernetes import unreadable
from hikube_kafka.provider.problems import known_values, told
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach
from hikube_kafka.spec.changes import rollout as changes
from hikube_kafka.spec.topic_limits import MOST_BROKERS

if TYPE_CHECKING:
    from hikube_kafka.provider.rollout import Survey

_RUNNING, _NOT_DECLARED = "running", "not declared"
_LONGEST_SECONDS = 2**31 - 1
PATIENCE_SECONDS = 3600
"""A rolling update restarts the servers one by one, and one with a large disk may take minutes."""


class RolloutResource(Resource):
    """The pods of one StatefulSet: another resource, usually a release, makes them; this one waits, and tells."""

    type_name = "hikube_rollout"
    schema = Schema(
        description="Waits after a release until every pod of its StatefulSet is ready and of the newest revision, and "
        "ends within two minutes with an error that says what stands in the way: an image, a quota, a claim, a node, a "
        "crash. Give the release `wait = false`: Helm's own wait says nothing, and locks the release for as long as it "
        "takes. What was changed by hand (replicas, a paused update, a StatefulSet that was deleted) shows in "
        "`servers`, "
        "and the next apply heals it.",
        attributes={
            "stateful_set": Attribute(
                STRING,
                required=True,
                description="Name of the StatefulSet, in the namespace of the provider.",
            ),
            "replicas": Attribute(
                NUMBER,
                required=True,
                minimum=1,
                maximum=MOST_BROKERS,
                description="How many pods it is to have, as its release says.",
            ),
            "trigger": Attribute(
                STRING,
                required=True,
                description="Any text that changes with what the release is given, such as a hash of its values and "
                "chart: the apply then waits.",
            ),
            "patience": Attribute(
                NUMBER,
                optional=True,
                minimum=1,
                maximum=_LONGEST_SECONDS,
                description=f"Seconds that the pods may take while nothing stands in the way. Default: "
                f"{PATIENCE_SECONDS}.",
            ),
            "one_per_node": Attribute(
                BOOL,
                optional=True,
                description="Whether no two of its pods may share a node: a plan then warns where there are too few "
                "nodes. Default: `false`.",
            ),
            "release": Attribute(
                STRING,
                optional=True,
                description="Name of its Helm release. Default: that of the StatefulSet.",
            ),
            "servers": Attribute(
                Map(STRING),
                computed=True,
                description="Each pod by name with what it is: `running`, or `away`, `terminating`, `not ready: …`, "
                "`of "
                "another revision`, `without its StatefulSet`, `not declared`. A plan shows here what the apply will "
                "heal or wait for.",
            ),
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session

    # ---- before the cluster ----------------------------------------------------------------------------------------

    def plan(self, request: PlanRequest) -> Plan:
        """What would be healed or waited for; a release that Helm has left unfinished is refused here."""
        prior, proposed = request.prior, request.proposed
        if proposed is None:
            return Plan(None)
        planned = {**proposed, "servers": UNKNOWN}
        if UNKNOWN in (planned["stateful_set"], planned["replicas"], planned["release"]):
            return Plan(planned)
        replace = [("stateful_set",)] if prior and prior["stateful_set"] != planned["stateful_set"] else []
        planned["servers"] = {f"{planned['stateful_set']}-{each}": _RUNNING for each in range(planned["replicas"])}
        if prior is not None and not replace and prior["replicas"] == planned["replicas"]:
            # Those that somebody has added stay: they may hold messages.
            kept = {pod: what for pod, what in (prior["servers"] or {}).items() if what == _NOT_DECLARED}
            planned["servers"] |= {pod: what for pod, what in kept.items() if pod not in planned["servers"]}
        reach = self._session.settings.kubernetes
        if planned != prior and reach is not None and planned["stateful_set"] == reach.release:
            # Those that are just starting, as after an apply that was cut short, are waited for before any topic.
            self._session.await_brokers(planned["replicas"])
        return Plan(planned, replace=replace, diagnostics=self._check(None if replace else prior, planned))

    def _check(self, prior: State | None, planned: State) -> list[Diagnostic]:
        """What stands in the way, as far as the cluster can be asked by now; where it cannot, the apply will tell."""
        reach = self._reach()
        if reach is None:
            return []
        from hikube_kafka.provider.rollout import survey

        try:
            name = planned["stateful_set"]
            found = self._session.read(f"pods of {name}", lambda: survey(reach, name, _release(planned)))
        except KubernetesError as problem:
            return [] if problem.may_pass else [_not_read(problem, planned)]
        return told(changes.problems(prior, known_values(planned), _known(found, reach)))

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """What each pod is now. A cluster that does not answer has not lost them: the state is kept, with a warning."""
        reach = self._reach()
        if reach is None:
            return state
        from hikube_kafka.provider.rollout import survey

        try:
            name = state["stateful_set"]
            found = self._session.read(f"pods of {name}", lambda: survey(reach, name, _release(state)))
        except KubernetesError as problem:
            fault = _not_read(problem, state)
            if not problem.may_pass:
                raise Refusal(fault) from None
            warn(
                f"The pods of StatefulSet {state['stateful_set']} were not read",
                f"{fault.detail} The plan shows them as they were last known; nothing is taken for lost.",
            )
            return state
        return {**state, "servers": found.seen.servers(int(state["replicas"]))}

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Wait; what fails is not recorded, so that the next apply waits again."""
        return self._roll_out(planned)

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Set back what was changed by hand, and wait; if that fails the next plan shows it again."""
        return self._roll_out(planned)

    def _roll_out(self, planned: State) -> State:
        from hikube_kafka.provider.rollout import Wanted, roll_out, survey

        name = planned["stateful_set"]
        reach = self._session.require(self._reach(), f"StatefulSet {name} cannot be waited for")
        wanted = Wanted(
            stateful_set=name,
            release=_release(planned),
            replicas=planned["replicas"],
            seconds=PATIENCE_SECONDS if planned["patience"] is None else planned["patience"],
        )
        try:
            roll_out(reach, wanted, self._session)
            if planned["servers"] is UNKNOWN:
                planned = {**planned, "servers": survey(reach, name, wanted.release).seen.servers(wanted.replicas)}
        except KubernetesError as problem:
            raise Refusal(_not_read(problem, planned)) from None
        finally:
            self._session.changed()
        return planned

    def delete(self, prior: State, private: bytes) -> None:
        """Let go of them; no pod is touched."""

    def _reach(self) -> KubernetesReach | None:
        """Where the StatefulSet is; None while settings are unknown."""
        return self._session.kubernetes(needed_by=self.type_name)


def _release(state: State) -> str:
    return str(state["release"] or state["stateful_set"])


def _known(found: "Survey", reach: KubernetesReach) -> changes.Known:
    newest = found.newest
    return changes.Known(
        kubectl=reach.command(),
        nodes=found.nodes,
        replicas=found.seen.replicas if found.seen.stateful_set is not None else None,
        paused=found.seen.paused,
        unfinished=(newest.secret, newest.number, newest.status, newest.since) if newest and newest.pending else None,
    )


def _not_read(problem: KubernetesError, state: State) -> Diagnostic:
    return unreadable(problem, f"StatefulSet {state['stateful_set']}")
