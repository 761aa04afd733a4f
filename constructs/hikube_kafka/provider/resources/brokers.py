"""``hikube_kafka_brokers``: how many brokers there are, and that none goes while it holds replicas."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hikube_kafka.kafka.errors import Denied, KafkaRefused, Unclear, Unreachable
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import BOOL, NUMBER, Attribute, Schema
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.moves import Moves
from hikube_kafka.provider.placement import Replicas
from hikube_kafka.provider.problems import told
from hikube_kafka.provider.session import Session, not_reached, refused
from hikube_kafka.provider.topics import KafkaCluster, Layout
from hikube_kafka.spec.changes import brokers as changes
from hikube_kafka.spec.changes import replicas
from hikube_kafka.spec.changes.address import Thing
from hikube_kafka.spec.problem import shortened
from hikube_kafka.spec.topic_limits import MOST_BROKERS
from hikube_kafka.waiting import Stopped

_ROUNDS = 5
"""Looks for replicas that came to a leaving broker while it was being drained: of topics made meanwhile."""


class BrokersResource(Resource):
    """The number of brokers, applied before whatever starts and stops them."""

    type_name = "hikube_kafka_brokers"
    schema = Schema(
        description="How many brokers the cluster is to have, applied before the release that runs them. It starts and "
        "stops none: it refuses to remove a broker that still holds replicas, or drains it first, and lets a plan "
        "count on brokers that are added: more brokers and a topic with more copies pass in one plan.",
        attributes={
            "brokers": Attribute(
                NUMBER,
                required=True,
                minimum=1,
                maximum=MOST_BROKERS,
                description="Number of brokers; their ids are 0 to one less than it.",
            ),
            "drain": Attribute(
                BOOL,
                optional=True,
                description="Move the replicas of brokers that are removed to those that stay, internal topics "
                "included, spread over racks and brokers, one topic after another, and wait for each; `TF_LOG=info` "
                "shows the progress. Default: `false`, and a plan that removes a broker with replicas is refused.",
            ),
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session

    # ---- before the cluster ----------------------------------------------------------------------------------------

    def plan(self, request: PlanRequest) -> Plan:
        """Whether the brokers that go may go."""
        return self._session.addresses.checked(request, self._plan(request), _thing)

    def _plan(self, request: PlanRequest) -> Plan:
        prior, planned = request.prior, request.proposed
        if planned is None or planned["brokers"] is UNKNOWN:
            return Plan(planned)
        if prior is not None and planned["brokers"] == prior["brokers"]:
            return Plan(planned)
        self._session.expect_brokers(planned["brokers"])
        if prior is not None and planned["brokers"] > prior["brokers"]:
            return Plan(planned)
        return Plan(planned, diagnostics=[*self._scale_in(prior, planned)])

    def _scale_in(self, prior: State | None, planned: State) -> Iterator[Diagnostic]:
        doing = "see whether brokers that go hold replicas"
        try:
            cluster = self._session.cluster()
            if cluster is not None:
                cluster.layout()  # whether anybody answers
                moves = cluster.moves() or {}
                layout = cluster.layout()
                found = told(changes.problems(prior, planned, _known(cluster, layout, moves)))
                yield from found or _hidden(cluster, layout, prior, planned)
        except Unreachable as problem:
            if prior is not None:  # else it is normal: the cluster is not there yet
                fault = not_reached(problem, doing=doing)
                yield Diagnostic(fault.summary, f"{fault.detail} The apply asks again.", "warning")
        except (Denied, Stopped) as problem:
            yield not_reached(problem, doing=doing)

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """As it was applied: a broker that is away for a moment has not been taken out of the declaration."""
        return state

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Of a cluster that is yet to come nothing is asked; of one that is there, the brokers beyond must be empty."""
        try:
            cluster = self._session.cluster()
            if cluster is not None and _is_there(cluster):
                self._empty(cluster, None, planned)
        except (Unreachable, Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing="check the brokers")) from None
        finally:
            self._session.changed()  # whoever comes after this waits for the brokers
        return planned

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Before brokers go, drain them or see that they are empty."""
        if planned["brokers"] < prior["brokers"]:
            doing = "let brokers go"
            cluster = self._session.require(self._session.cluster(), f"The provider cannot {doing}")
            try:
                cluster.await_answer()
                self._empty(cluster, prior, planned)
            except (Unreachable, Denied, Stopped) as problem:
                raise Refusal(not_reached(problem, doing=doing)) from None
        self._session.changed()
        return planned

    @staticmethod
    def _empty(cluster: KafkaCluster, prior: State | None, planned: State) -> None:
        """See that no broker which goes holds a replica, draining it if that was asked for."""
        for _ in range(_ROUNDS):
            moves = cluster.moves(fresh=True) or {}
            layout = cluster.layout(fresh=True)
            found = changes.problems(None, planned, _known(cluster, layout, moves))
            errors = [each for each in found if each.severity == "error"]
            if errors:
                raise Refusal(*told(errors))
            held = replicas.held(layout.replicas, lambda broker: broker >= planned["brokers"])
            if not held:
                hidden = [*_hidden(cluster, layout, prior, planned)]
                if hidden:
                    raise Refusal(*hidden)
                return
            racks = {broker: rack for broker, rack in cluster.racks().items() if broker < planned["brokers"]}
            refusals: dict[tuple[str, str], tuple[KafkaRefused, list[str]]] = {}
            for topic in sorted({topic for topics in held.values() for topic in topics}):
                try:
                    _drain(cluster, topic, _Seen(layout, moves.get(topic, {}), racks), planned["brokers"])
                except KafkaRefused as problem:  # of this topic: the others are drained all the same
                    refusals.setdefault((problem.code, problem.reason), (problem, []))[1].append(topic)
                    if isinstance(problem, Unclear):
                        break  # it was waited for: each of the others would be, as long
            if refusals:
                raise Refusal(*(_not_moved(problem, topics) for problem, topics in refusals.values()))
        raise Refusal(
            Diagnostic(
                "Brokers that go are given new replicas as fast as they are drained",
                f"Somebody makes topics or moves replicas at this moment: {replicas.in_words(held)}. Apply again when "
                "that has ended.",
                path=("brokers",),
            )
        )

    def delete(self, prior: State, private: bytes) -> None:
        """Let go of the number; the brokers are not touched."""


# ---- replicas -------------------------------------------------------------------------------------------------------


def _not_moved(problem: KafkaRefused, topics: list[str]) -> Diagnostic:
    """Why topics stay where they are: a reason that many share is told once."""
    return refused(problem, doing=f"move the replicas of topic{'s' if len(topics) > 1 else ''} {shortened(topics)}")


def _thing(_state: State) -> Thing:
    return Thing.brokers()


class _Seen(NamedTuple):
    """What a round of draining goes by: read once, for all topics."""

    layout: Layout
    moves: Mapping[int, replicas.Move]
    """Of one topic."""
    racks: Mapping[int, str | None]
    """Of the brokers that stay."""


def _known(cluster: KafkaCluster, layout: Layout, moves: Moves) -> changes.Known:
    return changes.Known(brokers=layout.brokers, replicas=layout.replicas, reach=cluster.reach(), moves=moves)


def _hidden(cluster: KafkaCluster, layout: Layout, prior: State | None, planned: State) -> Iterator[Diagnostic]:
    """What brokers that go may hold beside the topics that are seen: no topic seen is not no topic held.

    Raises:
        Forbidden, Unreachable, Denied: It cannot be told.
    """
    from hikube_kafka.provider.stored import unseen

    number = planned["brokers"]
    going = frozenset(range(number, prior["brokers"] if prior is not None else number)) - layout.brokers
    # One that goes and does not run cannot be asked: what it held, the others may hold too.
    asked = layout.brokers if going else frozenset(broker for broker in layout.brokers if broker >= number)
    for broker, topics in unseen(cluster, layout, asked).items():
        any_of_them = next(iter(topics.values()))
        allow = f"--add --allow-principal '{any_of_them.principal or 'User:CN=NAME'}' --operation Describe --topic '*'"
        yield Diagnostic(
            f"Broker {broker} stores topics that the provider is not allowed to Describe: {shortened([*topics])}",
            "So it cannot be told what would be lost with the brokers that go. Allow it, as an administrator "
            f"(--command-config), and remove ACLs that deny it:\n\n{any_of_them.commands(allow)}",
            path=("brokers",),
        )


def _is_there(cluster: KafkaCluster) -> bool:
    """Whether anybody answers: in every first apply the brokers are yet to come."""
    try:
        cluster.layout()
    except Unreachable:
        return False
    return True


def _drain(cluster: KafkaCluster, topic: str, seen: _Seen, brokers: int) -> None:
    """Move what a topic has on brokers that go to those that stay, and wait until it is in sync there.

    A move that takes it away already, of whomever, is waited for.

    Raises:
        KafkaRefused: Kafka refuses.
        Refusal: Nothing moves any more, or Ctrl-C.
    """
    from hikube_kafka.provider import placement, reassignment

    wanted: dict[int, Replicas] = {}
    by_factor: dict[int, dict[int, Replicas]] = defaultdict(dict)
    for partition, held in seen.layout.replicas.get(topic, {}).items():
        if partition in seen.moves:
            wanted |= {partition: seen.moves[partition].target} if max(held) >= brokers else {}
        elif max(held) >= brokers:
            by_factor[len(held)][partition] = held
    for factor, partitions in by_factor.items():
        wanted |= placement.spread(partitions, factor, seen.racks, seen.layout.load(without=topic))
    log("info", "draining", topic=topic, partitions=len(wanted))
    try:
        reassignment.reassign(cluster, topic, wanted)
    except KafkaRefused as problem:
        if problem.code.startswith("UNKNOWN_TOPIC_OR_PART"):  # each client of Kafka has a spelling of its own
            log("info", "deleted meanwhile", topic=topic)  # the next round sees whether anything is left
            return
        raise
