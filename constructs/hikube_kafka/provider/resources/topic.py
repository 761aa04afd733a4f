"""``hikube_kafka_topic``: a topic that a plan cannot lose by accident."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hikube_kafka.kafka.errors import Denied, KafkaRefused, Unreachable
from hikube_kafka.plugin.diagnostics import Diagnostic, Path, Refusal, warn
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, Attribute, Map, Schema
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.session import Session, not_reached, refused
from hikube_kafka.provider.topics import KafkaCluster, LiveTopic, NewTopic
from hikube_kafka.spec.definitions import Mismatch, canonical, check_topic_config, topic_definitions
from hikube_kafka.spec.topic_limits import LONGEST_NAME, is_legal_name, leaves_no_room, wanted_min_insync
from hikube_kafka.waiting import Stopped

_SETTLE_SECONDS = 60.0
"""For brokers to let go of a deleted topic, or to know of a new one."""


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
                description="Number of partitions. It can grow in place, never shrink; growth changes the partition "
                "that a key belongs to.",
            ),
            "replication_factor": Attribute(
                NUMBER,
                required=True,
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
        self._deleted: set[str] = set()  # names that this apply has deleted

    # ---- before the cluster ----------------------------------------------------------------------------------------

    def validate(self, config: State) -> Iterator[Diagnostic]:
        """Illegal names and numbers, keys that Kafka does not have, values that it does not take."""
        yield from _name_faults(config["name"])
        for attribute in ("partitions", "replication_factor"):
            number = config[attribute]
            if number is not None and number is not UNKNOWN and (not isinstance(number, int) or number < 1):
                yield Diagnostic(
                    f"{attribute} must be a whole number of at least 1",
                    f"It is {number}.",
                    path=(attribute,),
                )
        entries = _known(config["config"])
        for fault in check_topic_config(entries):
            yield Diagnostic(
                f"Topic configuration {fault.key}: {fault.problem}", fault.remedy, fault.severity, ("config", fault.key)
            )
        yield from _min_insync_faults(entries, config["replication_factor"])

    def plan(self, request: PlanRequest) -> Plan:
        """What an apply would do; losses of data are refused here, before anything has been touched."""
        prior, proposed = request.prior, request.proposed
        if prior is not None:
            self._ours.add(prior["name"])
        if proposed is None:
            return Plan(None, diagnostics=_protection(prior or {}, "delete"))
        assert request.config is not None  # noqa: S101 - there is a configuration wherever something is proposed
        planned = {**proposed, "id": proposed["name"]}
        if request.config["deletion_protection"] is None:
            planned["deletion_protection"] = True
        if prior is None:
            return Plan(planned, diagnostics=[*self._creation_faults(planned)], private=_remember(planned))
        if planned["name"] is UNKNOWN or planned["name"] != prior["name"]:
            return Plan(planned, replace=[("name",)], diagnostics=_protection(prior, "replace", planned["name"]))
        if _same_entries(prior["config"], planned["config"]):
            planned["config"] = prior["config"]
        faults = [*_shrinking(prior, planned, request.private)]
        if planned["replication_factor"] != prior["replication_factor"]:
            faults += self._replication_faults(planned)
        return Plan(planned, diagnostics=faults, private=_remember(planned))

    def _creation_faults(self, planned: State) -> Iterator[Diagnostic]:
        name = planned["name"]
        if name is not UNKNOWN and name not in self._ours:
            try:
                cluster = self._session.cluster()
                if cluster is not None and name in cluster.layout().replicas:
                    yield _exists(name)
            except Unreachable:
                pass  # not there yet, as in every first apply
            except Denied as problem:
                yield not_reached(problem, doing="check the plan")
        yield from self._replication_faults(planned)

    def _replication_faults(self, planned: State) -> Iterator[Diagnostic]:
        factor = planned["replication_factor"]
        if factor is UNKNOWN or factor <= self._session.coming():
            return
        try:
            cluster = self._session.cluster()
            if cluster is None:
                return
            live = self._session.staying(cluster.live_brokers(factor))
        except (Unreachable, Denied, Stopped):
            return  # said elsewhere, or normal: the cluster is not there yet
        coming = self._session.coming()
        if factor > max(len(live), coming):
            brokers = f"The cluster has {len(live)} live: {', '.join(map(str, sorted(live)))}."
            if coming > len(live):
                brokers = f"The cluster will have {coming}."
            yield Diagnostic(
                f"A replication factor of {factor} needs {factor} brokers",
                f"{brokers} Each copy of a partition of {_shown(planned['name'])} stands on a broker of its own: "
                "declare fewer copies, or bring in more brokers first.",
                path=("replication_factor",),
            )

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State | None:  # noqa: ARG002 - the protocol's signature
        """The topic as it is. A cluster that does not answer has not lost it: the state is kept, with a warning."""
        name = state["name"]
        self._ours.add(name)
        imported = state["partitions"] is None
        cluster = self._session.cluster()
        if cluster is None:
            if imported:
                raise Refusal(_not_importable(name))
            return state
        try:
            live = cluster.topic(name)
        except Unreachable as problem:
            if imported:
                raise Refusal(not_reached(problem, doing=f"import topic {name}")) from None
            if self._session.first_warning():
                fault = not_reached(problem, doing="read the topics")
                warn(
                    "The topics were not read",
                    f"{fault.detail} The plan shows the topics as they were last known; nothing is taken for lost.",
                )
            return state
        except (Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing=f"read topic {name}")) from None
        return None if live is None else _state(state, live)

    def import_state(self, identifier: str) -> State:
        """By name. The protection is on from the first moment."""
        faults = list(_name_faults(identifier))
        if faults:
            raise Refusal(*(Diagnostic(fault.summary, fault.detail) for fault in faults))
        return {"id": identifier, "name": identifier, "deletion_protection": True}

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Make the topic; one that is there already is never taken over silently."""
        name = planned["name"]
        doing = f"create topic {name}"
        cluster = self._answering(doing)
        if self._session.stopped.is_set():
            raise Refusal(not_reached(Stopped(), doing=doing))
        topic = NewTopic(
            partitions=planned["partitions"],
            replication_factor=planned["replication_factor"],
            config=_canonical(planned["config"]),
        )
        try:
            self._create(cluster, name, topic)
        except Stopped as problem:
            raise Refusal(not_reached(problem, doing=doing)) from None
        except KafkaRefused as problem:
            if problem.code == "TOPIC_ALREADY_EXISTS":
                raise Refusal(_exists(name)) from None
            if problem.code not in {"REQUEST_TIMED_OUT", "_TIMED_OUT"} or not self._appears(cluster, name):
                raise Refusal(refused(problem, doing=doing)) from None
        return {**planned, "id": name}

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

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Change entries, add partitions, move replicas; what is done by the time of a failure is recorded."""
        name = planned["name"]
        state = {**prior, "deletion_protection": planned["deletion_protection"]}
        before, after = _canonical(prior["config"]), _canonical(planned["config"])
        entries: dict[str, str | None] = {key: value for key, value in after.items() if before.get(key) != value}
        entries |= dict.fromkeys(before.keys() - after.keys())
        grows = planned["partitions"] != prior["partitions"]
        moves = planned["replication_factor"] != prior["replication_factor"]
        doing = f"change topic {name}"
        try:
            if entries or grows or moves:
                cluster = self._answering(doing)
            if entries:
                doing = f"change the configuration of topic {name}"
                cluster.alter_config(name, entries)
            state["config"] = planned["config"]
            if grows:
                doing = f"give topic {name} {planned['partitions']} partitions"
                cluster.grow(name, planned["partitions"])
                state["partitions"] = planned["partitions"]
            if moves:
                doing = f"give topic {name} {planned['replication_factor']} copies"
                self._move(cluster, planned)
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

    def delete(self, prior: State, private: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        """Delete an unprotected topic, and wait until the brokers have let go of it."""
        name = prior["name"]
        # Terraform asks no plan about a resource named by -replace, so the plan could not refuse that.
        protection = _protection(prior, "delete")
        if protection:
            raise Refusal(*protection)
        doing = f"delete topic {name}"
        # What is deleted was made before: unless its brokers are being started, waiting for them would be in vain.
        cluster = self._answering(doing, starting=self._session.coming() > 0)
        self._ours.add(name)
        self._deleted.add(name)
        try:
            cluster.delete(name)
        except KafkaRefused as problem:
            if problem.code == "TOPIC_DELETION_DISABLED":
                raise Refusal(
                    Diagnostic(
                        f"The brokers do not delete topics: {name}",
                        "They run with delete.topic.enable=false. Set it to true on every broker, or remove the topic "
                        "from the state alone: terraform state rm.",
                    )
                ) from None
            if problem.code != "UNKNOWN_TOPIC_OR_PART":
                raise Refusal(refused(problem, doing=doing)) from None
        try:
            gone = self._await(cluster, name, present=False)
        except (Unreachable, Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing=f"see topic {name} disappear")) from None
        finally:
            self._forget(name)
        if not gone:
            raise Refusal(
                Diagnostic(
                    f"Topic {name} is marked for deletion, and still there",
                    "Kafka deletes a topic once every broker that holds a replica of it is back. Start those brokers, "
                    "then apply again.",
                )
            )

    def _answering(self, doing: str, *, starting: bool = True) -> KafkaCluster:
        """The cluster, waited for: it may have been made by this very apply."""
        cluster = self._session.cluster()
        if cluster is None:
            unknown = ", ".join(self._session.settings.unknown)
            raise Refusal(
                Diagnostic(
                    f"The provider cannot {doing}", f"Its settings are still unknown during the apply: {unknown}."
                )
            )
        try:
            cluster.await_answer(starting=starting)
        except (Unreachable, Denied, Stopped) as problem:
            raise Refusal(not_reached(problem, doing=doing)) from None
        return cluster

    def _forget(self, name: str) -> None:
        cluster = self._session.cluster()
        if cluster is not None:
            cluster.forget(name)

    def _appears(self, cluster: KafkaCluster, name: str) -> bool:
        """Whether a creation that got no answer in time has come about all the same.

        It is this one's doing: the name was free when it was planned, and Kafka says so when it is not.
        """
        try:
            return self._await(cluster, name, present=True)
        except (Unreachable, Denied, Stopped):
            return False

    @staticmethod
    def _await(cluster: KafkaCluster, name: str, *, present: bool) -> bool:
        return cluster.eventually(lambda layout: (name in layout.replicas) == present, seconds=_SETTLE_SECONDS)

    def _move(self, cluster: KafkaCluster, planned: State) -> None:
        from hikube_kafka.provider import placement, reassignment  # noqa: PLC0415 - rare, and slow to load

        name, factor = planned["name"], planned["replication_factor"]
        if not self._all_partitions_known(cluster, name, planned["partitions"]):
            raise Refusal(Diagnostic(f"The new partitions of topic {name} do not appear", "Apply again."))
        layout = cluster.layout(fresh=True)
        racks = cluster.racks()
        if factor > len(racks):
            raise Refusal(
                Diagnostic(
                    f"A replication factor of {factor} needs {factor} brokers",
                    f"The cluster has {len(racks)} live: {', '.join(map(str, sorted(racks)))}.",
                    path=("replication_factor",),
                )
            )
        wanted = placement.spread(layout.replicas[name], factor, racks, layout.load(without=name))
        log("info", "moving replicas", partitions=len(wanted), replication_factor=factor)
        reassignment.reassign(cluster, name, wanted)

    @staticmethod
    def _all_partitions_known(cluster: KafkaCluster, name: str, partitions: int) -> bool:
        return cluster.eventually(
            lambda layout: len(layout.replicas.get(name, {})) >= partitions, seconds=_SETTLE_SECONDS
        )


# ---- what a topic may be --------------------------------------------------------------------------------------------


def _name_faults(name: Any) -> Iterator[Diagnostic]:
    if not isinstance(name, str):
        return
    if not is_legal_name(name):
        yield Diagnostic(
            f"{_shown(name)} cannot be the name of a topic",
            f"A name has 1 to {LONGEST_NAME} letters, digits, dots, underscores and hyphens, and is not . or ..: "
            f"this one has {len(name)} characters.",
            path=("name",),
        )


def _shown(name: Any) -> str:
    return repr(name) if isinstance(name, str) else "the topic"


def _min_insync_faults(entries: Mapping[str, str], factor: Any) -> Iterator[Diagnostic]:
    key = "min.insync.replicas"
    least = entries.get(key, "").strip()
    if isinstance(factor, int) and leaves_no_room(least, factor):
        yield Diagnostic(
            f"{key} = {least} leaves no room in a replication factor of {factor}",
            "Producers with acks=all would be refused as soon as one broker is away, for a restart too. Set it to "
            f"{wanted_min_insync(factor)}, or raise replication_factor.",
            path=("config", key),
        )


def _protection(prior: Mapping[str, Any], verb: str, new_name: Any = None) -> Sequence[Diagnostic]:
    if not prior.get("deletion_protection", True):
        return ()
    name = prior.get("name")
    why = f"The plan would {verb} it, and its messages would be lost."
    if new_name is not None:
        another = "a name that only the apply will tell" if new_name is UNKNOWN else repr(new_name)
        why = (
            f"Kafka cannot rename a topic: for {another}, the plan would delete {name!r} with its messages and make an "
            "empty topic."
        )
    path: Path = ("name",) if new_name is not None else ()
    return [
        Diagnostic(
            f"Topic {name} is protected from deletion",
            f"{why} To have that, set deletion_protection = false, apply, and repeat this change. To keep the topic "
            "and let go of it in Terraform only, use terraform state rm.",
            path=path,
        )
    ]


def _shrinking(prior: State, planned: State, private: bytes) -> Iterator[Diagnostic]:
    live, wanted, name = prior["partitions"], planned["partitions"], planned["name"]
    if wanted is UNKNOWN or wanted >= live:
        return
    if private == _remember(planned):
        yield Diagnostic(
            f"Topic {name} was grown outside Terraform: set partitions = {live}",
            f"It has {live} partitions; {wanted} are declared here and were applied. Kafka cannot remove partitions. "
            f"With partitions = {live} the declaration says what is, and nothing changes.",
            path=("partitions",),
        )
        return
    yield Diagnostic(
        f"Topic {name} cannot shrink from {live} to {wanted} partitions",
        f"Kafka cannot remove partitions. Set partitions = {live}. For fewer, make another topic and move the "
        "messages there.",
        path=("partitions",),
    )


def _remember(planned: State) -> bytes:
    """What the provider keeps with the topic: the number of partitions that was applied here, as text."""
    partitions = planned["partitions"]
    return b"" if partitions is UNKNOWN else str(partitions).encode()


def _exists(name: str) -> Diagnostic:
    return Diagnostic(
        f"Topic {name} exists already, made by somebody else",
        "It is not taken over silently: its partitions, copies and configuration may differ from the declared ones. To "
        "manage it from here, import it, with the address of this resource in place of hikube_kafka_topic.this:\n\n"
        f"  terraform import hikube_kafka_topic.this {name}\n\n"
        "or in the configuration:\n\n"
        f'  import {{\n    to = hikube_kafka_topic.this\n    id = "{name}"\n  }}\n',
        path=("name",),
    )


def _not_importable(name: str) -> Diagnostic:
    return Diagnostic(
        f"Topic {name} cannot be imported yet",
        "The provider's settings depend on values that only an apply will tell. Apply those first (-target), or set "
        "bootstrap_servers to a known value.",
    )


# ---- entries --------------------------------------------------------------------------------------------------------


def _known(entries: Any) -> dict[str, str]:
    """The entries whose value is known by now."""
    if entries is None or entries is UNKNOWN:
        return {}
    return {key: value for key, value in entries.items() if value is not UNKNOWN and value is not None}


def _spelling(key: str, value: str) -> str:
    """The text in which Kafka keeps a value; of a key that this version does not know, the text itself."""
    definition = topic_definitions().get(key)
    if definition is None:
        return value
    try:
        return canonical(definition, value)
    except Mismatch:
        return value


def _canonical(entries: Mapping[str, str] | None) -> dict[str, str]:
    return {key: _spelling(key, value) for key, value in _known(entries).items()}


def _same_entries(one: Any, other: Any) -> bool:
    """Whether two configurations are the same to Kafka, however they are spelled."""
    if UNKNOWN in (one, other) or UNKNOWN in (other or {}).values():
        return False
    return bool(one) == bool(other) and _canonical(one) == _canonical(other) and (one is None) == (other is None)


def _state(state: State, live: LiveTopic) -> State:
    """The topic as it is, in the user's own spelling wherever that means the same."""
    declared: Mapping[str, str] = state["config"] or {}
    entries = {
        key: declared[key] if key in declared and _spelling(key, declared[key]) == _spelling(key, value) else value
        for key, value in live.config.items()
    }
    factors = {len(replicas) for replicas in live.replicas.values()}
    # Where partitions differ, the odd one is what the user must see.
    factor = min(factors - {state["replication_factor"]}, default=state["replication_factor"])
    return {
        **state,
        "id": state["name"],
        "partitions": len(live.replicas),
        "replication_factor": factor,
        "config": entries if entries or state["config"] is not None else None,
        "deletion_protection": state["deletion_protection"] is not False,
    }
