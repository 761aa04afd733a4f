"""``hikube_kafka_connector``: a connector that is applied once its tasks run, and whose offsets are declared."""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hikube_kafka.connect.errors import AlreadyThere, NotThere, Rebalancing, Refused, Unreachable
from hikube_kafka.connect.seen import ConnectorSeen, summary
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State, schema_faults
from hikube_kafka.plugin.schema import NUMBER, STRING, Attribute, Block, Map, Schema
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.problems import known_values, told
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.workers import Workers, not_answered
from hikube_kafka.spec.changes import connector as changes
from hikube_kafka.spec.changes.address import Thing
from hikube_kafka.spec.secret_keys import may_be_secret
from hikube_kafka.waiting import Stopped, until

_SETTLE_SECONDS = 300.0
"""For a connector and its tasks to get into the declared state: a rebalance waits up to
scheduled.rebalance.max.delay.ms for a worker that left."""
_STOP_SECONDS = 120.0
"""For a connector to stop, and for a sink's consumers to have left their group: task.shutdown.graceful.timeout.ms is
30 s here, and a consumer that did not leave is missed after session.timeout.ms = 45 s."""
_LOST_SECONDS = 60.0
"""For a creation to be answered while the group elects another leader: a worker that died is missed after
session.timeout.ms = 10 s, and the rest rebalance."""
_STEADY_SECONDS = 2.0
"""As long as a state must last: a task that cannot do its work starts, and fails a moment later."""
_EMPTY_SECONDS = 10.0
"""As long as a connector must run without any task before that is taken for what it wants."""
_POLL_SECONDS = 0.5
_RESTARTS = 3
_BACK_OFF_SECONDS = 2.0
"""Before the first restart of what failed; twice as long before each further one."""
_OWN_KEYS = frozenset(changes.OWN_KEYS)
_HIDDEN = "[hidden]"
_FAILED = "failed"
_MOST_TASKS = 2**31 - 1
_DEFAULTS = {"tasks_max": 1, "state": "running"}


class ConnectorResource(Resource):
    """A connector: validated by Connect at plan, read in one request for all, changed in place."""

    type_name = "hikube_kafka_connector"
    schema = Schema(
        description="A connector of Kafka Connect. Its configuration is validated by its own class at plan, as soon as "
        "workers answer, and otherwise at apply; the apply ends once the connector and every task are in the declared "
        "state, and fails with the cause where a task does. What Connect adds is no difference, and a worker that does "
        "not answer has lost nothing.",
        attributes={
            "id": Attribute(STRING, computed=True, description="The name."),
            "name": Attribute(
                STRING,
                required=True,
                description="Connect's name of the connector. Another name is another connector, with offsets of its "
                "own: the old one is deleted.",
            ),
            "class": Attribute(STRING, required=True, description="Class in full; Connect's `connector.class`."),
            "tasks_max": Attribute(
                NUMBER,
                optional=True,
                computed=True,
                minimum=1,
                maximum=_MOST_TASKS,
                description="Connect's `tasks.max`: a connector may start fewer. Default: 1.",
            ),
            "config": Attribute(
                Map(STRING),
                optional=True,
                description="Entries by the connector's own keys. An entry that is not named has its default, and "
                "never shows as a difference. A password is a reference to a config provider of the workers, such as "
                "`$${dir:/secrets/database:password}`; one in clear is refused.",
            ),
            "state": Attribute(
                STRING,
                optional=True,
                computed=True,
                description="`running`, `paused` (its tasks stay and wait) or `stopped` (it has no tasks). Default: "
                "`running`. After a refresh it may be `failed`: the next apply restarts what failed.",
            ),
            "type": Attribute(STRING, computed=True, description="`source` or `sink`."),
            "tasks": Attribute(NUMBER, computed=True, description="How many of its tasks run."),
        },
        blocks={
            "offsets": Block(
                description="What becomes of its offsets, which Connect keeps beyond the connector itself.",
                attributes={
                    "on_change": Attribute(
                        STRING,
                        optional=True,
                        description="`keep` (default), `reset` or `set`. Done once, when it is declared or the "
                        "connector is created: the connector is stopped, its offsets are changed, and it goes on.",
                    ),
                    "to": Attribute(
                        STRING,
                        optional=True,
                        description="With `set`: the offsets in JSON, as `GET /connectors/<name>/offsets` shows them. "
                        "An `offset` of `null` resets its partition; one that is not named stays.",
                    ),
                    "on_destroy": Attribute(
                        STRING,
                        optional=True,
                        description="`keep` (default): a later connector of the same name goes on where this one "
                        "ended; or `reset`.",
                    ),
                },
            )
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session
        # What some state of this configuration holds, as far as seen by now: its offsets, by name.
        self._ours: dict[str, State | None] = {}

    # ---- before the workers ----------------------------------------------------------------------------------------

    def validate(self, config: State) -> Iterable[Diagnostic]:
        """What no connector can have; what its class says comes with the plan."""
        return told(changes.never(known_values(config)))

    def plan(self, request: PlanRequest) -> Plan:
        """What an apply would do; what Connect would not take is refused here, before anything has been touched."""
        plan = self._session.addresses.checked(request, self._plan(request), _thing)

        def holds(fault: Diagnostic) -> bool:
            proposed = request.proposed
            exists = fault.summary.endswith(f"[{changes.EXISTS.id}]")
            return not exists or proposed is None or proposed["name"] not in self._ours

        joined = tuple(f"[{rule.id}]" for rule in (changes.EXISTS, changes.CLASS))
        alike = [each for each in plan.diagnostics if each.summary.endswith(joined)]
        others = [each for each in plan.diagnostics if each not in alike]
        return replace(plan, diagnostics=[*others, *self._session.refusals.of_plan(alike, holds)])

    def _plan(self, request: PlanRequest) -> Plan:
        prior, proposed = request.prior, request.proposed
        if prior is not None:
            self._ours[prior["name"]] = prior["offsets"]
        if proposed is None:
            return Plan(None)
        assert request.config is not None  # noqa: S101 - there is a configuration wherever something is proposed
        planned = {**proposed, "id": proposed["name"]}
        planned |= {name: default for name, default in _DEFAULTS.items() if request.config[name] is None}
        renamed = prior is not None and planned["name"] != prior["name"]
        if prior is not None and not renamed:
            if _same_entries(prior["config"], planned["config"]):
                planned["config"] = prior["config"]
            planned["offsets"] = _same_offsets(prior["offsets"], planned["offsets"])
        changed = prior is None or renamed or any(planned[each] != prior[each] for each in _SETTABLE)
        if changed:
            keeps_type = prior is not None and not renamed and planned["class"] == prior["class"]
            planned |= {"tasks": UNKNOWN} if keeps_type else {"tasks": UNKNOWN, "type": UNKNOWN}
        faults: list[Diagnostic] = []
        known, validated = self._known(prior, planned, faults)
        problems = [*changes.problems(prior, known_values(planned), known)]
        if prior is None and self._is_replaced(planned, request):
            problems += changes.replaced(self._ours[planned["name"]], known_values(planned))
        faults += told(problems)
        private = request.private
        if changed:
            again = {changes.UNREACHED.id}
            sound = validated and not any(each.severity == "error" or each.rule in again for each in problems)
            private = _memory(_digest(planned) if sound else "")
        return Plan(planned, replace=[("name",)] if renamed else [], diagnostics=faults, private=private)

    def _is_replaced(self, planned: State, request: PlanRequest) -> bool:
        """Whether what is created takes the place of one of its name: named by ``-replace``, or tainted."""
        # Another address that stands for the connector has a refusal of its own.
        alone = request.replaces or not self._session.addresses.seen(_thing(planned))
        return alone and planned["name"] in self._ours

    def _known(
        self, prior: State | None, planned: State, faults: list[Diagnostic]
    ) -> tuple[changes.Known | None, bool]:
        """What this plan needs to know of the workers, as far as they can be asked by now; and if they have validated.

        Workers that do not answer are normal in every first apply: it asks again.
        """
        name = planned["name"]
        comes = prior is None or name != prior["name"]
        if prior is not None and not comes and all(planned[each] == prior[each] for each in _VALIDATED):
            return None, False
        workers = self._session.workers()
        known = changes.Known()
        if workers is None:
            return known, False
        doing = f"see whether connector {name} exists"
        try:
            if comes and name is not UNKNOWN and name not in self._ours:
                known = changes.Known(exists=workers.find(name) is not None)
            if not _is_known(planned):
                return known, False
            doing = f"validate connector {name}"
            return _judged(workers, planned)._replace(exists=known.exists, may_come=True), True
        except (Unreachable, Rebalancing, Stopped):
            return known, False
        except Refused as problem:
            # Mostly what a reference leads to is not there yet, and may be by the apply.
            faults.append(replace(not_answered(problem, doing=f"{doing} by now"), severity="warning"))
            return known, False

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State | None:  # noqa: ARG002 - the protocol's signature
        """The connector as it is. Workers that do not answer have not lost it: the state is kept, with a warning."""
        name = state["name"]
        self._ours[name] = state["offsets"]
        imported = state["class"] is None
        workers = self._session.workers()
        if workers is None:
            if imported:
                raise Refusal(
                    Diagnostic(
                        f"Connector {name} cannot be imported yet",
                        "The provider's settings depend on values that only an apply will tell. Apply those first "
                        "(-target), or set connect_url to a known value.",
                    )
                )
            return state
        try:
            seen = workers.find(name)
        except (Unreachable, Rebalancing, Refused, Stopped) as problem:
            if imported or isinstance(problem, Stopped):
                raise Refusal(not_answered(problem, doing=f"read connector {name}")) from None
            if self._session.first_warning("connectors"):
                fault = not_answered(problem, doing="read the connectors")
                warn(
                    "The connectors were not read",
                    f"{fault.detail} The plan shows the connectors as they were last known.",
                )
            return state
        if seen is None:
            return None
        if _trouble(seen) is not None:
            warn(
                f"Connector {name} has failed",
                f"{_trouble(seen)} The next apply restarts what failed, if it is declared to run.",
            )
        found = _state(state, seen)
        return self._imported(workers, found, seen) if imported else found

    @staticmethod
    def _imported(workers: Workers, state: State, seen: ConnectorSeen) -> State:
        """All entries, for nothing is declared yet; but for secrets in clear, which no state should hold."""
        config = {key: value for key, value in seen.config.items() if key not in _OWN_KEYS}
        try:
            secret = {each.key for each in workers.validate(state["class"], seen.config) if each.password}
        except (Unreachable, Rebalancing, Refused):
            secret = set()
        hidden = sorted(
            key
            for key, value in config.items()
            if value and (key in secret or may_be_secret(key, value)) and not changes.is_reference(value)
        )
        if hidden:
            warn(
                f"Connector {state['name']} has secrets in clear",
                f"They are left out of the state: {', '.join(hidden)}. Declare each as a reference to a config "
                "provider of the workers, such as ${dir:/secrets/database:password}.",
            )
        kept = {key: value for key, value in config.items() if key not in hidden}
        return {**state, "config": kept or None}

    def import_state(self, identifier: str) -> State:
        """By name."""
        if not identifier.strip():
            raise Refusal(Diagnostic("A connector is imported by its name", "The name is empty."))
        return {"id": identifier, "name": identifier}

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, planned: State, private: bytes) -> State:
        """Make the connector; one that is there already is never taken over silently."""
        name = planned["name"]
        doing = f"create connector {name}"
        workers = self._answering(doing, planned)
        self._check(workers, planned, private)
        intent = _intent(planned)
        begun = _left(planned, changed=False)
        try:
            self._make(workers, name, _entries(planned), "stopped" if intent else planned["state"])
            doing = f"bring connector {name} into the state {planned['state']}"
            if intent:
                self._change_offsets(workers, name, intent, planned["offsets"].get("to"))
                begun = _left(planned, changed=True)
                self._bring(workers, name, planned["state"])
            seen = self._settled(workers, name, planned["state"], _entries(planned))
        except NotThere as problem:
            raise Refusal(_gone(problem, name)) from None
        except _NotMade as problem:
            raise Refusal(problem.fault) from None
        except (Unreachable, Rebalancing, Refused, Stopped) as problem:
            raise Refusal(not_answered(problem, doing=doing), state=begun) from None
        except Refusal as refusal:
            raise Refusal(*refusal.diagnostics, state=begun) from None
        finally:
            workers.forget()
        return _applied(planned, seen)

    def update(self, prior: State, planned: State, private: bytes) -> State:
        """Change configuration, offsets and state in the order that never runs what is about to be replaced."""
        name, wanted = planned["name"], planned["state"]
        doing = f"change connector {name}"
        workers = self._answering(doing, planned)
        state = {**prior, "tasks": UNKNOWN}
        configured = any(planned[each] != prior[each] for each in _VALIDATED)
        if configured:
            self._check(workers, planned, private)
        intent = _intent(planned) if _intent(planned, prior) else None
        try:
            if intent or (wanted == "stopped" and prior["state"] != "stopped"):
                workers.client.stop(name)
            elif wanted == "paused" and prior["state"] != "paused":
                workers.client.pause(name)
            if configured:
                workers.client.put_config(name, _entries(planned))
                state |= {each: planned[each] for each in _VALIDATED}
            if intent:
                self._rest(workers, prior)
                self._change_offsets(workers, name, intent, planned["offsets"].get("to"))
            state["offsets"] = planned["offsets"]
            if intent or wanted != prior["state"]:
                self._bring(workers, name, wanted)
            doing = f"bring connector {name} into the state {wanted}"
            seen = self._settled(workers, name, wanted, _entries(planned))
        except NotThere as problem:
            raise Refusal(_gone(problem, name), state=state) from None
        except (Unreachable, Rebalancing, Refused, Stopped) as problem:
            raise Refusal(not_answered(problem, doing=doing), state=state) from None
        except Refusal as refusal:
            raise Refusal(*refusal.diagnostics, state=state) from None
        finally:
            workers.forget()
        return _applied(planned, seen)

    def delete(self, prior: State, private: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        """Delete the connector, its offsets first where that is declared; gone already is done."""
        name = prior["name"]
        doing = f"delete connector {name}"
        workers = self._answering(doing, prior, starting=False)
        self._ours[name] = prior["offsets"]
        try:
            if (prior["offsets"] or {}).get("on_destroy") == "reset":
                workers.client.stop(name)
                doing = f"reset the offsets of connector {name}"
                self._rest(workers, prior)
                self._change_offsets(workers, name, "reset", None)
            workers.client.delete(name)
            doing = f"see connector {name} disappear"
            if not until(
                lambda: workers.find(name, fresh=True) is None,
                _STOP_SECONDS,
                self._session.stopped.is_set,
                every=_POLL_SECONDS,
            ):
                raise Refusal(
                    Diagnostic(
                        f"Connector {name} was deleted, and is still there",
                        f"The provider waited {_STOP_SECONDS:g} s. Apply again.",
                    )
                )
        except NotThere:
            pass  # somebody else has deleted it
        except (Unreachable, Rebalancing, Refused, Stopped) as problem:
            raise Refusal(not_answered(problem, doing=doing)) from None
        finally:
            workers.forget()

    def _answering(self, doing: str, values: State, *, starting: bool = True) -> Workers:
        """The workers, waited for: they may have been made by this very apply."""
        workers = self._session.require(self._session.workers(), f"The provider cannot {doing}")
        faults = [*schema_faults(self.schema, values), *told(changes.never(values))] if starting else []
        if any(each.severity == "error" for each in faults):
            raise Refusal(*faults)
        try:
            workers.await_answer(starting=starting)
        except (Unreachable, Rebalancing, Refused, Stopped) as problem:
            raise Refusal(not_answered(problem, doing=doing)) from None
        return workers

    @staticmethod
    def _check(workers: Workers, planned: State, private: bytes) -> None:
        """Have Connect validate what the plan could not.

        Raises:
            Refusal: It does not take it, or does not answer.
        """
        if _remembered(private) == _digest(planned):
            return
        try:
            known = _judged(workers, planned)
        except (Unreachable, Rebalancing, Refused, Stopped) as problem:
            raise Refusal(not_answered(problem, doing=f"validate connector {planned['name']}")) from None
        faults = told(changes.problems(planned, planned, known))
        if any(each.severity == "error" for each in faults):
            raise Refusal(*faults)

    def _make(self, workers: Workers, name: str, config: Mapping[str, str], state: Any) -> None:
        """Make it; asked for again where no answer came, and whoever answers next has not got it.

        Raises:
            _NotMade: Nothing was made: somebody else has the name, or Connect says no.
            Unreachable, Rebalancing, Stopped: Whether it was made is not known.
        """
        lost: list[Unreachable] = []

        def made() -> bool:
            try:
                workers.client.create(name, config, state)
            except AlreadyThere:
                found = workers.find(name, fresh=True) if lost else None
                if lost and found is None:
                    return False  # the leader knows it, and the worker that was asked does not yet
                if _has(found, config):
                    return True  # the request whose answer got lost has come to its end
                raise _NotMade(told([changes.EXISTS(f"connector {name}", name=name)])[0]) from None
            except (Refused, Rebalancing, Stopped) as problem:
                if lost and not isinstance(problem, Refused):
                    raise  # the request whose answer got lost may still come to its end
                raise _NotMade(not_answered(problem, doing=f"create connector {name}")) from None
            except Unreachable as problem:
                # The answer got lost, and perhaps the request with it: a worker, or the leader, has just gone.
                log("info", "no answer to a creation", connector=name, reason=problem.reason)
                lost.append(problem)
                return _has(workers.find(name, fresh=True), config)
            return True

        if not until(made, _LOST_SECONDS, self._session.stopped.is_set, every=_POLL_SECONDS):
            raise _NotMade(not_answered(lost[-1], doing=f"create connector {name}"))

    @staticmethod
    def _bring(workers: Workers, name: str, state: str) -> None:
        {"running": workers.client.resume, "paused": workers.client.pause, "stopped": workers.client.stop}[state](name)

    def _rest(self, workers: Workers, prior: State) -> None:
        """Wait until a connector that is being stopped has no task any more.

        Connect takes other offsets as soon as its tasks are to stop, and the last commit of a source's task would then
        replace them. Whether a task that stays stands in the way is for Connect to say.
        """
        if prior["state"] == "stopped":
            return
        empty: list[float] = []

        def rests() -> bool:
            seen = workers.find(prior["name"], fresh=True)
            if seen is not None and seen.tasks:
                empty.clear()
                return False
            empty.append(time.monotonic())
            return empty[-1] - empty[0] >= _STEADY_SECONDS

        until(rests, _STOP_SECONDS, self._session.stopped.is_set, every=_POLL_SECONDS)

    def _change_offsets(self, workers: Workers, name: str, intent: str, to: str | None) -> None:
        """Change the offsets of a connector that is being stopped, and see that they have changed.

        Raises:
            Refusal: They cannot be changed in time, or are others afterwards.
        """
        log("info", "changing offsets", connector=name, how=intent)
        refusals: list[Refused] = []
        wanted = changes.offsets_of(to) if intent == "set" and to is not None else []

        def changed() -> bool:
            try:
                if wanted:
                    workers.client.alter_offsets(name, wanted)
                else:
                    workers.client.reset_offsets(name)
            except Refused as refusal:
                # It is still stopping, or the members of a sink's group have not left it yet.
                if not _may_pass(refusal):
                    raise
                refusals.append(refusal)
                return False
            return True

        if not until(changed, _STOP_SECONDS, self._session.stopped.is_set, every=_POLL_SECONDS):
            raise Refusal(
                Diagnostic(
                    f"The offsets of connector {name} cannot be changed",
                    f"{refusals[-1].reason} (asked again for {_STOP_SECONDS:g} s). Offsets change once the connector "
                    "is stopped and no task of it runs: see its status on the workers, then apply again.",
                )
            )
        live = workers.client.offsets(name)
        wrong = [
            each for each in wanted if each["offset"] is not None and not any(_is_so(each, found) for found in live)
        ]
        if wrong or (not wanted and live):
            remedy = "Write offsets.to as its class names partitions and offsets." if wrong else "Apply again."
            raise Refusal(
                Diagnostic(
                    f"The offsets of connector {name} are not as declared",
                    f"Connect has changed them, and tells others: {json.dumps(live)}. {remedy}",
                )
            )

    def _settled(self, workers: Workers, name: str, wanted: str, config: Mapping[str, str]) -> ConnectorSeen:
        """The connector, once it and every task are in the wanted state and stay in it.

        Raises:
            Refusal: It failed, and still does after a few restarts; or it took too long.
        """
        watch = _Watch(workers, name, wanted, config)
        seen = until(watch.look, _SETTLE_SECONDS, self._session.stopped.is_set, every=_POLL_SECONDS)
        if seen is None:
            raise Refusal(
                Diagnostic(
                    f"Connector {name} is not {wanted}",
                    f"The provider waited {_SETTLE_SECONDS:g} s for it; it shows: {watch.shown}. See the workers' "
                    "logs, then apply again.",
                )
            )
        return seen


class _NotMade(Exception):  # noqa: N818 - an answer
    """Nothing was made, so there is nothing to record."""

    def __init__(self, fault: Diagnostic) -> None:
        super().__init__(fault.summary)
        self.fault = fault


class _Watch:
    """Looks at a connector until it is as wanted for a while; restarts what failed, a few times."""

    def __init__(self, workers: Workers, name: str, wanted: str, config: Mapping[str, str]) -> None:
        self._workers = workers
        self._name = name
        self._wanted = wanted
        self._config = config
        self._since: float | None = None
        self._restarts = 0
        self._restart_at: float | None = None
        self.shown = "nothing yet"

    def look(self) -> ConnectorSeen | None:
        """The connector, if it has been as wanted for long enough."""
        now = time.monotonic()
        try:
            seen = self._workers.find(self._name, fresh=True)
        except (Unreachable, Rebalancing) as problem:
            self._since, self.shown = None, str(problem)
            return None
        if seen is None or any(seen.config.get(key) != value for key, value in self._config.items()):
            self._since, self.shown = None, "a worker that has not heard of the change yet"
            return None
        states = ", ".join(f"task {task.id} {task.state}" for task in seen.tasks) or "no tasks"
        shown = f"connector {seen.state}, {states}"
        if shown != self.shown:
            log("info", "waiting for a connector", connector=self._name, shown=shown)
            self.shown = shown
        if self._wanted == "running" and _trouble(seen) is not None:
            self._since = None
            self._restart(seen, now)
            return None
        if not _is_as(seen, self._wanted):
            self._since = None
            return None
        self._since = self._since or now
        patience = _EMPTY_SECONDS if self._wanted == "running" and not seen.tasks else _STEADY_SECONDS
        return seen if now - self._since >= patience else None

    def _restart(self, seen: ConnectorSeen, now: float) -> None:
        """Restart what failed, after a pause that grows.

        Raises:
            Refusal: It has been restarted often enough.
        """
        if self._restart_at is None:
            if self._restarts == _RESTARTS:
                raise Refusal(
                    Diagnostic(
                        f"Connector {self._name} has failed",
                        f"{_trouble(seen)} It was restarted {_RESTARTS} times. The whole trace is in the workers' "
                        f"logs, and in GET /connectors/{self._name}/status.",
                    )
                )
            self._restart_at = now + _BACK_OFF_SECONDS * 2**self._restarts
        elif now >= self._restart_at:
            log("info", "restarting what failed", connector=self._name, restarts=self._restarts + 1)
            try:
                self._workers.client.restart(self._name)
            except (Unreachable, Rebalancing) as problem:
                self.shown = str(problem)
                return  # the next look asks again
            self._restarts += 1
            self._restart_at = None


_VALIDATED = ("class", "tasks_max", "config")
"""Attributes that Connect's validation is about."""
_SETTABLE = ("name", *_VALIDATED, "state", "offsets")


def _thing(state: State) -> Thing | None:
    return None if state["name"] is UNKNOWN else Thing.connector(state["name"])


def _gone(problem: NotThere, name: str) -> Diagnostic:
    return Diagnostic(
        f"Connector {name} has gone meanwhile",
        f"{problem.reason}. Somebody else has deleted it: plan again.",
    )


def _is_known(planned: State) -> bool:
    values = [planned["name"], planned["class"], planned["tasks_max"], planned["config"]]
    return UNKNOWN not in values and UNKNOWN not in (planned["config"] or {}).values()


def _entries(planned: State) -> dict[str, str]:
    """The whole configuration, as Connect is given it."""
    own = {"name": planned["name"], "connector.class": planned["class"], "tasks.max": str(planned["tasks_max"])}
    return {**(planned["config"] or {}), **own}


def _digest(planned: State) -> str:
    if not _is_known(planned):
        return ""
    return hashlib.sha256(json.dumps(_entries(planned), sort_keys=True).encode()).hexdigest()


def _memory(validated: str) -> bytes:
    """What the apply is told by the plan, and the state keeps: which configuration Connect has validated."""
    return json.dumps({"validated": validated}).encode()


def _remembered(private: bytes) -> str | None:
    try:
        return str(json.loads(private)["validated"]) or None
    except (ValueError, KeyError, TypeError):
        return None


def _judged(workers: Workers, planned: State) -> changes.Known:
    """What Connect says of a configuration.

    Raises:
        Refused: It cannot validate it, though it has the class.
    """
    try:
        findings = workers.validate(planned["class"], _entries(planned))
    except Refused:
        loaded = workers.classes()
        if any(planned["class"] in _aliases(each) for each in loaded):
            raise
        return changes.Known(loaded=loaded)
    return changes.Known(verdicts=[changes.Verdict(each.key, each.password, each.errors) for each in findings])


def _aliases(class_name: str) -> set[str]:
    """The names by which a worker knows a class."""
    simple = class_name.rpartition(".")[2]
    return {class_name, simple, simple.removesuffix("Connector")}


def _intent(planned: State, prior: State | None = None) -> str | None:
    """How the offsets are to be changed once; None where they are kept, or where that was done."""
    offsets = planned["offsets"] or {}
    if offsets.get("on_change") not in {"reset", "set"}:
        return None
    before = (prior or {}).get("offsets") or {}
    done = all(before.get(each) == offsets.get(each) for each in ("on_change", "to"))
    return None if prior is not None and done else str(offsets["on_change"])


def _may_pass(refusal: Refused) -> bool:
    """Whether a refusal to change offsets may be over in a moment.

    Source: DistributedHerder.modifyConnectorOffsets and Worker.alterSinkConnectorOffsets of Kafka 3.9.
    """
    words = (
        "must be in the STOPPED state",
        "haven't stopped completely",
        "zombie fencing",
        "Failed to read to end of config topic",
    )
    return any(word in refusal.reason for word in words)


def _has(seen: ConnectorSeen | None, config: Mapping[str, str]) -> bool:
    """Whether it is there with these entries, whatever else Connect has added."""
    return seen is not None and all(seen.config.get(key) == value for key, value in config.items())


def _is_so(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether an offset is as declared: Connect takes the numbers of a sink as text too, and tells them as numbers."""
    return all(_as_text(wanted[each]) == _as_text(found.get(each)) for each in ("partition", "offset"))


def _as_text(values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    return {key: each if isinstance(each, Mapping | list) else str(each) for key, each in values.items()}


def _is_as(seen: ConnectorSeen, wanted: str) -> bool:
    states = {task.state for task in seen.tasks}
    if wanted == "stopped":
        return seen.state == "STOPPED" and not states
    if wanted == "paused":
        return seen.state == "PAUSED" and states <= {"PAUSED", "FAILED"}
    return seen.state == "RUNNING" and states <= {"RUNNING"}


def _trouble(seen: ConnectorSeen) -> str | None:
    """What failed, and why; None: nothing did, or it rests."""
    if seen.state in {"STOPPED", "PAUSED"}:
        return None
    if seen.state == "FAILED":
        return f"{summary(seen.trace)} (the connector itself, on worker {seen.worker})."
    if not seen.failed:
        return None
    first = seen.failed[0]
    more = f", as have {len(seen.failed) - 1} more" if len(seen.failed) > 1 else ""
    return f"Task {first.id} on worker {first.worker} has failed{more}: {summary(first.trace)}."


def _state_of(seen: ConnectorSeen, before: str | None) -> str:
    if seen.state in {"STOPPED", "PAUSED"}:
        return seen.state.lower()
    if _trouble(seen) is not None:
        return _FAILED
    # It is being assigned to a worker, or restarts: that passes.
    return "running" if seen.state == "RUNNING" or before in {None, _FAILED} else str(before)


def _state(state: State, seen: ConnectorSeen) -> State:
    """The connector as it is, in the user's own spelling wherever that means the same."""
    declared: Mapping[str, str] = state["config"] or {}
    config = {key: _shown(value, seen.config[key]) for key, value in declared.items() if key in seen.config}
    tasks_max = seen.config.get("tasks.max", "1").strip()
    return {
        **state,
        "id": state["name"],
        "class": seen.config.get("connector.class", state["class"]),
        "tasks_max": int(tasks_max) if re.fullmatch("[0-9]+", tasks_max) else state["tasks_max"],
        "config": config if config or state["config"] is not None else None,
        "state": _state_of(seen, state["state"]),
        "type": seen.kind or state["type"],
        "tasks": seen.running,
    }


def _left(planned: State, *, changed: bool) -> State:
    """What a failed creation leaves: offsets that it has not changed yet are changed once it is untainted."""
    offsets = planned["offsets"] or None
    if offsets is not None and not changed:
        offsets = {**offsets, "on_change": None, "to": None}
    return {**planned, "id": planned["name"], "tasks": UNKNOWN, "type": UNKNOWN, "offsets": offsets}


def _applied(planned: State, seen: ConnectorSeen) -> State:
    return {**planned, "id": planned["name"], "tasks": seen.running, "type": seen.kind}


def _shown(declared: str, live: str) -> str:
    """A live value as the state has it: as it was declared where that is the same to Connect, and never a secret."""
    masked = live.strip() in {_HIDDEN, "[hidden]"} or set(live.strip()) == {"*"}
    if masked or _plain(declared) == _plain(live):
        return declared
    # Where a reference was declared, what somebody has put in its place may be the secret itself.
    return _HIDDEN if changes.is_reference(declared) and not changes.is_reference(live) else live


def _plain(value: str) -> str:
    text = value.strip()
    return text.lower() if text.lower() in {"true", "false"} else text


def _same_entries(one: Any, other: Any) -> bool:
    """Whether two configurations are the same to Connect."""
    if UNKNOWN in (one, other) or UNKNOWN in (other or {}).values():
        return False
    before, after = one or {}, other or {}
    same = before.keys() == after.keys() and all(_plain(before[key]) == _plain(after[key]) for key in before)
    return same and (one is None) == (other is None)


def _same_offsets(one: Any, other: Any) -> Any:
    """The declared block, or the one before where the two say the same in JSON."""
    if not isinstance(one, dict) or not isinstance(other, dict) or UNKNOWN in other.values():
        return other
    if one == other or {**one, "to": None} != {**other, "to": None} or None in (one["to"], other["to"]):
        return other
    try:
        return one if changes.offsets_of(one["to"]) == changes.offsets_of(other["to"]) else other
    except ValueError:
        return other
