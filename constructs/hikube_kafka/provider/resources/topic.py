"""``hikube_kafka_topic``: a topic that a plan cannot lose by accident."""

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from hikube_kafka.kafka.errors import Denied, KafkaRefused, Unreachable
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State, schema_faults
from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, Attribute, Map, Schema
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.problems import known_values, told
from hikube_kafka.provider.session import Session, not_reached, refused
from hikube_kafka.provider.topic_memory import TopicMemory
from hikube_kafka.provider.topics import KafkaCluster, LiveTopic, NewTopic
from hikube_kafka.spec.changes import topic as changes
from hikube_kafka.spec.changes import topic_entries
from hikube_kafka.spec.changes.address import Step, Thing
from hikube_kafka.spec.changes.replicas import Move, Reach, moves_in_words
from hikube_kafka.spec.changes.topic_entries import canonical, spelling
from hikube_kafka.spec.topic_limits import MOST_BROKERS, MOST_PARTITIONS, is_legal_name, name_problems
from hikube_kafka.waiting import Stopped

_SETTLE_SECONDS = 60.0
"""For brokers to let go of a deleted topic, or to know of a new one."""
_THROTTLES = frozenset({"leader.replication.throttled.replicas", "follower.replication.throttled.replicas"})
"""Entries that kafka-reassign-partitions.sh sets while it moves replicas."""


_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def _told_once(change: Callable[_Arguments, _Answer]) -> Callable[_Arguments, _Answer]:
    """Have a reason that many topics of an apply share told in full by the first of them alone."""

    @wraps(change)
    def changed(*arguments: _Arguments.args, **more: _Arguments.kwargs) -> _Answer:
        try:
            return change(*arguments, **more)
        except Refusal as refusal:
            topics: Any = arguments[0]
            state: Any = arguments[1]
            faults = topics._session.refusals.of_apply(refusal.diagnostics, f"topic {state['name']}")  # noqa: SLF001
            raise Refusal(*faults, state=refusal.state) from None

    return changed


class TopicResource(Resource):
    """A topic: made, read in one request for all, changed in place, and deleted only on an explicit word."""

    type_name = "hikube_kafka_topic"
    schema = Schema(
        description="A topic. Partitions can be added, never removed; a topic is deleted or replaced only after "
        "`deletion_protection = false` has been applied.",
        attributes={
            "id": Attribute(STRING, computed=True, description="The name."),
            "name": Attribute(
                STRING,
                required=True,
                description="Kafka's name of the topic: letters, digits, `.`, `_` and `-`, at most 249. Another name "
                "is another topic: the old one would be deleted with its messages.",
            ),
            "partitions": Attribute(
                NUMBER,
                required=True,
                minimum=1,
                maximum=MOST_PARTITIONS,
                description="Number of partitions. It can grow in place, never shrink; growth changes the partition "
                "that a key belongs to.",
            ),
            "replication_factor": Attribute(
                NUMBER,
                required=True,
                minimum=1,
                maximum=MOST_BROKERS,
                description="Copies of each partition, each on another broker. A change moves replicas, spread over "
                "racks and brokers, and is waited for; `TF_LOG=info` shows the progress.",
            ),
            "config": Attribute(
                Map(STRING),
                optional=True,
                description="Entries set on the topic itself, by Kafka's own keys, such as `retention.ms`. An entry "
                "that is not named follows the brokers and never shows as a difference; one that is removed here is "
                "removed from the topic.",
            ),
            "deletion_protection": Attribute(
                BOOL,
                optional=True,
                computed=True,
                description="Refuse every plan that would delete or replace the topic. Default: `true`.",
            ),
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ours: set[str] = set()  # names that some state of this configuration holds, as far as seen by now
        self._protected: set[str] = set()  # those of them that may not be deleted
        self._deleted: set[str] = set()  # names that this apply has deleted

    # ---- before the cluster ----------------------------------------------------------------------------------------

    def validate(self, config: State) -> Iterable[Diagnostic]:
        """Illegal names, and entries that no topic has: what a topic may have already is judged by the plan."""
        return self._session.refusals.of_plan(told(topic_entries.never(known_values(config))))

    def plan(self, request: PlanRequest) -> Plan:
        """What an apply would do; losses of data are refused here, before anything has been touched."""
        plan = self._session.addresses.checked(request, self._plan(request), _thing)

        def holds(fault: Diagnostic) -> bool:
            """Of a topic that by now is known at another address, the error there is told, which names moved."""
            prior, proposed = request.prior, request.proposed
            if fault.summary.endswith(f"[{changes.EXISTS.id}]"):
                return proposed is None or proposed["name"] not in self._ours
            if not fault.summary.endswith(f"[{changes.PROTECTED.id}]"):
                return True
            if prior is not None:
                return Step.COMES not in self._session.addresses.seen(_thing(prior))
            others = {Step.GOES, Step.STAYS} & self._session.addresses.seen(_thing(proposed or {"name": UNKNOWN}))
            return request.replaces or not others

        return replace(plan, diagnostics=self._session.refusals.of_plan(plan.diagnostics, holds))

    def _plan(self, request: PlanRequest) -> Plan:
        prior, proposed = request.prior, request.proposed
        if prior is not None:
            self._hold(prior)
        if proposed is None:
            return Plan(None, diagnostics=self._lost(prior, None))
        assert request.config is not None  # noqa: S101 - there is a configuration wherever something is proposed
        planned = {**proposed, "id": proposed["name"]}
        if request.config["deletion_protection"] is None:
            planned["deletion_protection"] = True
        renamed = prior is not None and planned["name"] != prior["name"]
        if prior is not None and not renamed and _same_entries(prior["config"], planned["config"]):
            planned["config"] = prior["config"]
        if renamed:
            return Plan(planned, replace=[("name",)], diagnostics=self._lost(prior, planned))
        faults: list[Diagnostic] = []
        memory = TopicMemory.read(request.private)
        begun = memory.begun(prior)
        known = self._known(request, planned, faults, begun)
        values = known_values(planned)
        faults += told(changes.problems(prior, values, known, applied=memory.partitions))
        faults += told(topic_entries.problems(prior, values))
        return Plan(planned, diagnostics=faults, private=TopicMemory.of(planned, begun).written())

    def _lost(self, prior: State | None, planned: State | None) -> list[Diagnostic]:
        """What a deletion, or another name, would cost.

        A topic that comes at another address is kept by a moved block, and not by giving up its protection.
        """
        if prior is not None and Step.COMES in self._session.addresses.seen(_thing(prior)):
            return []
        return told(changes.problems(prior, None if planned is None else known_values(planned)))

    def _hold(self, state: State) -> None:
        """Remember that some state of this configuration holds the topic."""
        self._ours.add(state["name"])
        if state["deletion_protection"] is not False:
            self._protected.add(state["name"])

    def _known(
        self, request: PlanRequest, planned: State, faults: list[Diagnostic], begun: frozenset[int]
    ) -> changes.Known:
        """What this plan needs to know of the cluster, as far as it can be asked by now."""
        prior, thing = request.prior, _thing(planned)
        name, factor = planned["name"], planned["replication_factor"]
        topics: Container[str] = ()
        if prior is None and name is not UNKNOWN and is_legal_name(name) and name not in self._ours:
            try:
                cluster = self._session.cluster()
                if cluster is not None and cluster.exists(name):
                    topics = {name}
            except Unreachable:
                pass  # not there yet, as in every first apply
            except Denied as problem:
                fault = not_reached(problem, doing=f"see whether topic {name} exists")
                faults += self._session.refusals.of_question(fault, f"topic {name}")
        moves: Mapping[int, Move] = {}
        reach = None
        if prior is not None and _moves_or_grows(prior, planned) and not self._session.coming():
            moves, reach = self._moves(name)
        foreign = _foreign(moves, prior, planned, begun)
        brokers = None
        changes_factor = factor is not UNKNOWN and (prior is None or factor != prior["replication_factor"])
        if changes_factor and (foreign or not moves):  # a move of our own has its brokers: it waits for those away
            brokers = self._brokers(factor)
        # Named by -replace, or tainted; another address that stands for the topic has a refusal of its own.
        again = request.replaces or not self._session.addresses.seen(thing)
        replaced = prior is None and thing is not None and again and name in self._protected
        return changes.Known(
            topics=topics, brokers=brokers, coming=self._session.coming(), replaced=replaced, moves=foreign, reach=reach
        )

    def _moves(self, name: str) -> tuple[Mapping[int, Move], Reach | None]:
        """What Kafka moves of a topic at this moment, and how a user sees it; nothing, where it cannot be asked."""
        try:
            cluster = self._session.cluster()
            if cluster is not None:
                cluster.layout()
                return (cluster.moves() or {}).get(name, {}), cluster.reach()
        except (Unreachable, Denied):
            pass  # said elsewhere, or normal: the cluster is not there yet
        return {}, None

    def _brokers(self, factor: int) -> frozenset[int] | None:
        """The live brokers that stay; None: they need not be asked, or cannot."""
        if factor <= self._session.awaited():
            return None
        try:
            cluster = self._session.cluster()
            if cluster is None:
                return None
            live = cluster.live_brokers(factor)
            # A broker that went away during this apply may come back while the topic is created.
            return None if cluster.away(factor) else self._session.staying(live)
        except (Unreachable, Denied, Stopped):
            return None  # said elsewhere, or normal: the cluster is not there yet

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State | None:
        """The topic as it is. A cluster that does not answer has not lost it: the state is kept, with a warning."""
        name = state["name"]
        self._hold(state)
        imported = state["partitions"] is None
        cluster = self._session.cluster()
        if cluster is None:
            if imported:
                raise Refusal(_not_importable(name))
            return state
        begun = TopicMemory.read(private).begun(state)
        try:
            live = cluster.topic(name, partitions=state["partitions"] or 0)
            moves = _moves_of(cluster, state, live)
            if live is not None:
                live = cluster.topic(name)  # read anew, if the moves were asked for just now
        except (Unreachable, Denied, Stopped) as problem:
            return self._unread(state, problem)
        if live is None:
            self._protected.discard(name)
            return None
        if moves:
            _warn_of_moves(cluster, name, moves, begun)
        return _state(state, live, moves, begun)

    def _unread(self, state: State, problem: Unreachable | Denied | Stopped) -> State:
        """The state of a topic that was not read: as it was, for it is not gone.

        Raises:
            Refusal: It is being imported; or the cluster says no, and no other topic's read tells that for all.
        """
        name, imported = state["name"], state["partitions"] is None
        if not isinstance(problem, Unreachable):
            fault = not_reached(problem, doing=f"read topic {name}")
            alone = imported or isinstance(problem, Stopped)
            faults = [fault] if alone else self._session.refusals.of_question(fault, f"topic {name}")
            if faults:
                raise Refusal(*faults)
        elif imported:
            raise Refusal(not_reached(problem, doing=f"import topic {name}"))
        elif self._session.first_warning():
            fault = not_reached(problem, doing="read the topics")
            warn(
                "The topics were not read",
                f"{fault.detail} The plan shows the topics as they were last known; nothing is taken for lost.",
            )
        return state

    def import_state(self, identifier: str) -> State:
        """By name. The protection is on from the first moment."""
        faults = told(name_problems(identifier))
        if faults:
            raise Refusal(*(Diagnostic(fault.summary, fault.detail) for fault in faults))
        return {"id": identifier, "name": identifier, "deletion_protection": True}

    # ---- changing --------------------------------------------------------------------------------------------------

    @_told_once
    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Make the topic; one that is there already is never taken over silently."""
        name = planned["name"]
        doing = f"create topic {name}"
        self._refuse_faults(planned, None)
        cluster = self._answering(doing)
        if self._session.stopped.is_set():
            raise Refusal(not_reached(Stopped(), doing=doing))
        topic = NewTopic(
            partitions=planned["partitions"],
            replication_factor=planned["replication_factor"],
            config=canonical(planned["config"]),
        )
        try:
            self._create(cluster, name, topic)
        except (Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing=doing)) from None
        except KafkaRefused as problem:
            known = changes.Known()
            if problem.code == "TOPIC_ALREADY_EXISTS":
                known = changes.Known(topics={name})
            elif problem.code == "INVALID_REPLICATION_FACTOR":
                with suppress(Unreachable, Denied):
                    known = changes.Known(brokers=cluster.layout().brokers)
            raise Refusal(*(told(changes.problems(None, planned, known)) or [refused(problem, doing=doing)])) from None
        return {**planned, "id": name}

    def _refuse_faults(self, planned: State, prior: State | None) -> None:
        """Check again what the plans of this apply have told of the first topic with such a fault alone.

        Only they know what the apply itself tells, such as a number made by another resource.

        Raises:
            Refusal: Kafka would not take it.
        """
        faults = [
            *schema_faults(self.schema, planned),
            *told(topic_entries.never(planned)),
            *told(topic_entries.problems(prior, planned)),
        ]
        errors = [each for each in faults if each.severity == "error"]
        if errors:
            raise Refusal(*errors)

    def _create(self, cluster: KafkaCluster, name: str, topic: NewTopic) -> None:
        """Make it; a name that this apply has just deleted may stay taken a moment longer than the brokers show it."""
        refusals: list[KafkaRefused] = []

        def made() -> bool:
            try:
                cluster.create(name, topic)
            except KafkaRefused as problem:
                if problem.code != "TOPIC_ALREADY_EXISTS" or name not in self._deleted:
                    raise
                refusals.append(problem)
                return False
            return True

        if not cluster.until(made, _SETTLE_SECONDS):
            raise refusals[-1]

    @_told_once
    def update(self, prior: State, planned: State, private: bytes) -> State:
        """Change entries, add partitions, move replicas; what is done by the time of a failure is recorded."""
        name = planned["name"]
        state = {**prior, "deletion_protection": planned["deletion_protection"]}
        before, after = canonical(prior["config"]), canonical(planned["config"])
        entries: dict[str, str | None] = {key: value for key, value in after.items() if before.get(key) != value}
        entries |= dict.fromkeys(before.keys() - after.keys())
        grows = planned["partitions"] != prior["partitions"]
        moves = planned["replication_factor"] != prior["replication_factor"]
        doing = f"change topic {name}"
        self._refuse_faults(planned, prior)
        try:
            if entries or grows or moves:
                cluster = self._answering(doing)
            if entries:
                doing = f"change the configuration of topic {name}"
                cluster.alter_config(name, entries)
            state["config"] = planned["config"]
            begun = TopicMemory.read(private).earlier
            running = self._running(cluster, prior, planned, begun) if grows or moves else {}
            # Kafka adds no partitions during a move: one of our own that was cut short comes to its end first.
            for step in ("moves", "grows") if running else ("grows", "moves"):
                if step == "grows" and grows:
                    doing = f"give topic {name} {planned['partitions']} partitions"
                    cluster.grow(name, planned["partitions"])
                    state["partitions"] = planned["partitions"]
                if step == "moves" and moves:
                    doing = f"give topic {name} {planned['replication_factor']} copies"
                    self._move(cluster, {**planned, "partitions": state["partitions"]}, running, begun)
                    state["replication_factor"] = planned["replication_factor"]
        except KafkaRefused as problem:
            raise Refusal(refused(problem, doing=doing), state=state) from None
        except (Unreachable, Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing=doing), state=state) from None
        except Refusal as refusal:
            raise Refusal(*refusal.diagnostics, state=state) from None
        finally:
            self._forget(name)
        return {**planned, "id": name}

    @_told_once
    def delete(self, prior: State, private: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        """Delete an unprotected topic, and wait until the brokers have let go of it."""
        name = prior["name"]
        # A tainted topic that the plan could not read, and a plan from before the protection, come as far as here.
        protection = told(changes.problems(prior, None))
        if protection:
            raise Refusal(*protection)
        doing = f"delete topic {name}"
        # What is deleted was made before: unless its brokers are being started, waiting for them would be in vain.
        cluster = self._answering(doing, starting=self._session.coming() > 0)
        self._ours.add(name)
        self._deleted.add(name)
        try:
            cluster.delete(name)
        except (Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing=doing)) from None
        except KafkaRefused as problem:
            if problem.code == "TOPIC_DELETION_DISABLED":
                raise Refusal(
                    Diagnostic(
                        f"The brokers do not delete topics: {name}",
                        "They run with delete.topic.enable=false. Set it to true on every broker, or remove the topic "
                        "from the state alone: terraform state rm.",
                    )
                ) from None
            if problem.code != "UNKNOWN_TOPIC_OR_PART" or self._exists(cluster, name):
                raise Refusal(refused(problem, doing=doing)) from None
        try:
            gone = cluster.disappears(name, seconds=_SETTLE_SECONDS)
        except (Unreachable, Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing=f"see topic {name} disappear")) from None
        if not gone:
            raise Refusal(
                Diagnostic(
                    f"Topic {name} is marked for deletion, and still there",
                    f"The provider waited {_SETTLE_SECONDS:g} s. Kafka deletes a topic once every broker that holds a "
                    "replica of it is back: start those brokers, then apply again.",
                )
            )

    @staticmethod
    def _exists(cluster: KafkaCluster, name: str) -> bool:
        """Whether a topic is there that a broker does not know, as while a cluster starts."""
        cluster.forget(name)
        try:
            return cluster.exists(name)
        except (Unreachable, Denied):
            return False  # it is asked once more, and told

    def _answering(self, doing: str, *, starting: bool = True) -> KafkaCluster:
        """The cluster, waited for: it may have been made by this very apply."""
        cluster = self._session.require(self._session.cluster(), f"The provider cannot {doing}")
        try:
            cluster.await_answer(starting=starting)
        except (Unreachable, Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing=doing)) from None
        return cluster

    def _forget(self, name: str) -> None:
        cluster = self._session.cluster()
        if cluster is not None:
            cluster.forget(name)

    @staticmethod
    def _running(cluster: KafkaCluster, prior: State, planned: State, begun: frozenset[int]) -> Mapping[int, Move]:
        """The moves of a topic that Kafka carries out and that this change goes on with.

        Raises:
            Refusal: They are somebody else's.
            Unreachable: Nobody tells, and the change would move replicas.
        """
        try:
            moves = (cluster.moves(fresh=True) or {}).get(planned["name"], {})
        except Unreachable:
            if planned["replication_factor"] != prior["replication_factor"]:
                raise
            return {}  # Kafka itself adds no partitions during a move
        foreign = _foreign(moves, prior, planned, begun)
        if foreign:
            known = changes.Known(moves=foreign, reach=cluster.reach())
            raise Refusal(*told(changes.problems(prior, planned, known)))
        return moves

    def _move(self, cluster: KafkaCluster, planned: State, running: Mapping[int, Move], begun: frozenset[int]) -> None:
        from hikube_kafka.provider import placement, reassignment

        name, factor = planned["name"], planned["replication_factor"]
        if not self._all_partitions_known(cluster, name, planned["partitions"]):
            raise Refusal(
                Diagnostic(
                    f"The new partitions of topic {name} do not appear",
                    f"Kafka has accepted them, and after {_SETTLE_SECONDS:g} s the brokers' metadata does not show all "
                    f"{planned['partitions']}. Check that every broker runs, then apply again.",
                )
            )
        layout = cluster.layout(fresh=True)
        racks = cluster.racks()
        targets = {partition: move.target for partition, move in running.items()}
        current = {**layout.replicas[name], **targets}
        if factor <= len(racks):
            wanted = placement.spread(current, factor, racks, layout.load(without=name))
            # What this state has begun may be given another broker; what may be somebody else's is waited for.
            wanted |= {} if factor in begun else {each: its for each, its in targets.items() if len(its) == factor}
        elif all(len(replicas) == factor for replicas in current.values()):
            wanted = current
        else:
            raise Refusal(*told(changes.problems(None, planned, changes.Known(brokers=frozenset(racks)))))
        log("info", "moving replicas", partitions=len(wanted), replication_factor=factor)
        reassignment.reassign(cluster, name, wanted)

    @staticmethod
    def _all_partitions_known(cluster: KafkaCluster, name: str, partitions: int) -> bool:
        return cluster.eventually(
            lambda layout: len(layout.replicas.get(name, {})) >= partitions, seconds=_SETTLE_SECONDS
        )


# ---- what the user is told ------------------------------------------------------------------------------------------


def _thing(state: State) -> Thing | None:
    return None if state["name"] is UNKNOWN else Thing.topic(state["name"])


def _warn_of_moves(cluster: KafkaCluster, name: str, moves: Mapping[int, Move], begun: Collection[int]) -> None:
    """Say what is being moved, and whether the plan goes on with it: one summary for all topics of a kind."""
    moved = f"Topic {name}: {moves_in_words(moves)}. "
    away = sorted({broker for move in moves.values() for broker in move.target} - cluster.layout().brokers)
    if away:
        several = len(away) > 1
        moved += (
            f"Broker{'s' if several else ''} {', '.join(map(str, away))} {'are' if several else 'is'} not registered: "
            f"start {'them' if several else 'it'}. "
        )
    seen = f"This shows what is being moved:\n\n{cluster.reach().progress()}\n"
    if all(len(move.target) in begun for move in moves.values()):
        warn(
            "A move of replicas that an earlier apply began is not finished",
            f"{moved}Until it is, the plan shows the replication factor as it was before; an apply goes on with the "
            f"move and waits for it. {seen}",
        )
        return
    warn(
        "Replicas are being moved by somebody else",
        f"{moved}This state has no record of beginning it, and nothing here interferes: until it has ended, the "
        f"replication factor counts as unchanged. {seen}",
    )


def _not_importable(name: str) -> Diagnostic:
    return Diagnostic(
        f"Topic {name} cannot be imported yet",
        "The provider's settings depend on values that only an apply will tell. Apply those first (-target), or set "
        "bootstrap_servers to a known value.",
    )


# ---- entries --------------------------------------------------------------------------------------------------------


def _same_entries(one: Any, other: Any) -> bool:
    """Whether two configurations are the same to Kafka, however they are spelled."""
    if UNKNOWN in (one, other) or UNKNOWN in (other or {}).values():
        return False
    if one == other:
        return True
    return bool(one) == bool(other) and canonical(one) == canonical(other) and (one is None) == (other is None)


def _moves_or_grows(prior: State, planned: State) -> bool:
    return any(planned[each] not in (prior[each], UNKNOWN) for each in ("partitions", "replication_factor"))


def _foreign(
    moves: Mapping[int, Move], prior: State | None, planned: State, begun: Collection[int]
) -> Mapping[int, Move]:
    """The moves that stand in the way of a change: all, unless it changes the replication factor and goes on with them.

    It goes on with what ends where it is to end, and with what this state has begun.
    """
    factor = planned["replication_factor"]
    if prior is None or factor == prior["replication_factor"]:
        return moves
    return {each: move for each, move in moves.items() if len(move.target) not in {factor, *begun}}


def _moves_of(cluster: KafkaCluster, state: State, live: LiveTopic | None) -> Mapping[int, Move]:
    """What Kafka moves of a topic. It is asked once, and only where the metadata looks as if it may."""
    if live is None:
        return {}
    factor = state["replication_factor"]
    odd = {each: its for each, its in live.replicas.items() if len(its) != factor}
    behind = {each: its for each, its in live.replicas.items() if not set(its) <= set(live.in_sync[each])}
    if not odd and not behind:
        return {}
    moves = cluster.moves()
    if moves is not None:
        return moves.get(state["name"], {})
    # Kafka does not tell: a replica beyond the factor that is not in sync may be on its way.
    return {each: Move(before=live.in_sync[each], target=live.replicas[each]) for each in odd.keys() & behind.keys()}


def _state(
    state: State, live: LiveTopic, moves: Mapping[int, Move] | None = None, begun: Collection[int] = ()
) -> State:
    """The topic as it is, in the user's own spelling wherever that means the same."""
    declared: Mapping[str, str] = state["config"] or {}
    entries = {
        key: declared[key] if key in declared and spelling(key, declared[key]) == spelling(key, value) else value
        for key, value in live.config.items()
        # Whoever moves replicas sets these, and removes them in the end.
        if key in declared or key not in _THROTTLES
    }
    replicas = {**live.replicas, **{each: move.target for each, move in (moves or {}).items()}}
    factors = {len(brokers) for brokers in replicas.values()}
    factor = state["replication_factor"]
    unfinished = moves or (begun and len(factors) > 1)
    if factor is None or not unfinished:
        # Where partitions differ, the odd one is what the user must see.
        factor = min(factors - {factor}, default=factor)
    return {
        **state,
        "id": state["name"],
        "partitions": len(live.replicas),
        "replication_factor": factor,
        "config": entries if entries or state["config"] is not None else None,
        "deletion_protection": state["deletion_protection"] is not False,
    }
