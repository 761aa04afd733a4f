"""``hikube_kafka_brokers``: how many brokers there are, and that none goes while it holds replicas."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hikube_kafka.kafka.errors import Denied, KafkaRefused, Unreachable
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import BOOL, NUMBER, Attribute, Schema
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.placement import Replicas
from hikube_kafka.provider.session import Session, not_reached, refused
from hikube_kafka.provider.topics import KafkaCluster, Layout
from hikube_kafka.waiting import Stopped

_NAMED = 5
"""Topics that a message names before it counts the rest."""
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
                NUMBER, required=True, description="Number of brokers; their ids are 0 to one less than it."
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

    def validate(self, config: State) -> Iterator[Diagnostic]:
        """A cluster has a broker at least."""
        number = config["brokers"]
        if number is not None and number is not UNKNOWN and (not isinstance(number, int) or number < 1):
            yield Diagnostic("brokers must be a whole number of at least 1", f"It is {number}.", path=("brokers",))

    def plan(self, request: PlanRequest) -> Plan:
        """Whether the brokers that go may go."""
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
                yield from _faults(cluster.layout(), planned, cluster.addresses)
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
            if cluster is not None:
                self._empty(cluster, planned)
        except Unreachable:
            pass  # as in every first apply: the brokers come after this
        except (Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing="look at the brokers")) from None
        finally:
            self._session.changed()  # whoever comes after this waits for the brokers
        return planned

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Before brokers go, drain them or see that they are empty."""
        if planned["brokers"] < prior["brokers"]:
            doing = "let brokers go"
            cluster = self._session.cluster()
            if cluster is None:
                unknown = ", ".join(self._session.settings.unknown)
                raise Refusal(
                    Diagnostic(
                        f"The provider cannot {doing}", f"Its settings are still unknown during the apply: {unknown}."
                    )
                )
            try:
                cluster.await_answer()
                self._empty(cluster, planned)
            except (Unreachable, Denied, Stopped) as problem:
                raise Refusal(not_reached(problem, doing=doing)) from None
        self._session.changed()
        return planned

    @staticmethod
    def _empty(cluster: KafkaCluster, planned: State) -> None:
        """See that no broker which goes holds a replica, draining it if that was asked for."""
        for _ in range(_ROUNDS):
            layout = cluster.layout(fresh=True)
            errors = [each for each in _faults(layout, planned, cluster.addresses) if each.severity == "error"]
            if errors:
                raise Refusal(*errors)
            held = _held(layout, planned["brokers"])
            if not held:
                return
            for topic in _topics(held):
                _drain(cluster, topic, planned["brokers"])
        raise Refusal(
            Diagnostic(
                "Brokers that go are given new replicas as fast as they are drained",
                f"Somebody makes topics or moves replicas at this moment: {_summary(held)}. Apply again when that has "
                "ended.",
                path=("brokers",),
            )
        )

    def delete(self, prior: State, private: bytes) -> None:
        """Let go of the number; the brokers are not touched."""


# ---- replicas -------------------------------------------------------------------------------------------------------


def _held(layout: Layout, brokers: int) -> dict[int, dict[str, int]]:
    """Of each broker that goes and holds replicas: how many partitions of which topics."""
    held: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for topic, partitions in layout.replicas.items():
        for replicas in partitions.values():
            for broker in replicas:
                if broker >= brokers:
                    held[broker][topic] += 1
    return {broker: dict(topics) for broker, topics in sorted(held.items())}


def _topics(held: Mapping[int, Mapping[str, int]]) -> list[str]:
    return sorted({topic for topics in held.values() for topic in topics})


def _drain(cluster: KafkaCluster, topic: str, brokers: int) -> None:
    """Move what a topic has on brokers that go to those that stay, and wait until it is in sync there.

    Raises:
        Refusal: Kafka refuses, or Ctrl-C.
    """
    from hikube_kafka.provider import placement, reassignment  # noqa: PLC0415 - rare, and slow to load

    layout = cluster.layout(fresh=True)
    racks = {broker: rack for broker, rack in cluster.racks().items() if broker < brokers}
    by_factor: dict[int, dict[int, Replicas]] = defaultdict(dict)
    for partition, replicas in layout.replicas.get(topic, {}).items():
        if any(broker >= brokers for broker in replicas):
            by_factor[len(replicas)][partition] = replicas
    wanted: dict[int, Replicas] = {}
    for factor, partitions in by_factor.items():
        wanted |= placement.spread(partitions, factor, racks, layout.load(without=topic))
    log("info", "draining", topic=topic, partitions=len(wanted))
    try:
        reassignment.reassign(cluster, topic, wanted)
    except KafkaRefused as problem:
        raise Refusal(refused(problem, doing=f"move the replicas of topic {topic}")) from None


# ---- what the user is told ------------------------------------------------------------------------------------------


def _faults(layout: Layout, planned: State, addresses: str) -> Iterator[Diagnostic]:
    """What keeps brokers from going; with `drain`, what will be moved."""
    held = _held(layout, planned["brokers"])
    if not held:
        return
    staying = sorted(broker for broker in layout.brokers if broker < planned["brokers"])
    for topic in _topics(held):
        factor = max(map(len, layout.replicas[topic].values()))
        if factor > len(staying):
            yield Diagnostic(
                f"Topic {topic} has {factor} copies, and {len(staying)} live brokers would stay",
                f"Each copy of a partition stands on a broker of its own, and those that stay are "
                f"{', '.join(map(str, staying)) or 'none'}. Lower its replication_factor, apply, and repeat this.",
                path=("brokers",),
            )
    if planned["drain"] is True:
        yield Diagnostic(
            f"{_listed(held)} will be drained first",
            f"Replicas move to those that stay, one topic after another: {_summary(held)}. How long that takes depends "
            "on the data to copy.",
            "warning",
            ("drain",),
        )
    else:
        yield _holds_replicas(held, staying, addresses)


def _holds_replicas(held: Mapping[int, Mapping[str, int]], staying: Sequence[int], addresses: str) -> Diagnostic:
    moved = json.dumps({"version": 1, "topics": [{"topic": topic} for topic in _topics(held)]})
    tool = f"kafka-reassign-partitions.sh --bootstrap-server {addresses}"
    return Diagnostic(
        f"{_listed(held)} cannot go: {'they hold' if len(held) > 1 else 'it holds'} replicas",
        f"{_summary(held)}. Set drain = true, and the apply moves them first. To move them by hand:\n\n"
        f"  echo '{moved}' >topics.json\n"
        f"  {tool} --topics-to-move-json-file topics.json --broker-list {','.join(map(str, staying))} --generate\n\n"
        "put the proposed assignment into a file moves.json, and then\n\n"
        f"  {tool} --reassignment-json-file moves.json --execute\n",
        path=("brokers",),
    )


def _listed(held: Mapping[int, Any]) -> str:
    return f"Broker{'s' if len(held) > 1 else ''} {', '.join(map(str, held))}"


def _summary(held: Mapping[int, Mapping[str, int]]) -> str:
    def one(broker: int, topics: Mapping[str, int]) -> str:
        named = [f"{count} of {topic}" for topic, count in sorted(topics.items())]
        more = f" and {len(named) - _NAMED} more topics" if len(named) > _NAMED else ""
        return f"broker {broker} holds {sum(topics.values())} ({', '.join(named[:_NAMED])}{more})"

    return "; ".join(one(broker, topics) for broker, topics in held.items())
