"""``hikube_local_ensemble``: ZooKeeper servers and brokers as processes of the machine on which Terraform runs."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.kafka.errors import Denied, Unreachable
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import BOOL, STRING, Attribute, Map, Schema
from hikube_kafka.plugin.values import UNKNOWN, unknowns
from hikube_kafka.provider import local_machine
from hikube_kafka.provider.local_machine import (
    RUNNING,
    as_present,
    attributes,
    heap_faults,
    home_faults,
    name_faults,
    of_clients,
    place,
    placed,
    ports,
    processes,
    servers,
    settle,
    tell,
)
from hikube_kafka.provider.problems import known_values, told
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster
from hikube_kafka.spec.changes import local_ensemble as changes
from hikube_kafka.spec.changes.address import Thing
from hikube_kafka.spec.changes.replicas import Replicas
from hikube_kafka.spec.definitions import BROKER_CONFIG, broker_config_problems
from hikube_kafka.spec.ensemble import HIGHEST_PORT, LISTENER, MEMBER, EnsembleDeclaration

_NOT_TAKEN = frozenset({BROKER_CONFIG["type"].id, BROKER_CONFIG["range"].id})
"""Rules of broker entries that keep a broker from starting, whatever else is in its file."""
_NEEDED = {
    "zookeeper": ("clientPort", "dataDir"),
    "broker": ("listeners", "log.dirs", "zookeeper.connect"),
}


class LocalEnsembleResource(Resource):
    """An ensemble on this machine. Its processes outlive Terraform; what has died shows as drift, and is healed."""

    type_name = "hikube_local_ensemble"
    schema = Schema(
        description="ZooKeeper servers and brokers as processes of this machine. They outlive Terraform; a process "
        "that was killed, or a reboot, shows in `processes`, and the next apply heals it.",
        attributes={
            "name": Attribute(
                STRING,
                required=True,
                description="Name of the ensemble: letters, digits, `.`, `_`, `-`. Another name is another ensemble.",
            ),
            "directory": Attribute(
                STRING,
                optional=True,
                computed=True,
                description="Folder of configuration, data and logs. Default: `~/.local/share/hikube-kafka/<name>`. "
                "Another folder is another ensemble. A relative one is relative to where Terraform runs when the "
                "ensemble is created, and stays there, as the default does when the home is another.",
            ),
            "path": Attribute(
                STRING, computed=True, description="The absolute path of `directory`, as it was when it was created."
            ),
            "owner": Attribute(
                STRING,
                computed=True,
                description="Id of this creation, also written into the directory: a state with another one does not "
                "hold this ensemble, and cannot change it. Null: created before ensembles had owners.",
            ),
            "zookeeper": servers(
                "The ZooKeeper servers. Their set cannot change in place.", "`myid`, from 1.", (1, 2**63 - 1), "zoo.cfg"
            ),
            "brokers": servers(
                "The brokers. They can be added; one that holds replicas cannot be removed. A changed configuration is "
                "a rolling restart, each broker back in sync before the next.",
                "`broker.id`, from 0.",
                (0, 2**31 - 1),
                "server.properties",
            ),
            "kafka_home": Attribute(
                STRING,
                optional=True,
                description="An unpacked Kafka distribution to run from. Default: jars that Maven brings into a cache.",
            ),
            "fast_failover": Attribute(
                BOOL,
                optional=True,
                description="Run each broker under a supervisor that closes its session with ZooKeeper as soon as its "
                "process has ended, so that other brokers take over at once. With `false` they do when the session "
                "has expired. Default: `true`; needs bash and flock, and works as `false` where one of them is "
                "missing.",
            ),
            "keep_data": Attribute(
                BOOL,
                optional=True,
                computed=True,
                description="Keep data and logs when the ensemble is destroyed. Default: `true`; with `false` a "
                "destroy kills the servers at once and removes both.",
            ),
            "bootstrap_servers": Attribute(
                STRING, computed=True, description="`host:port` of every broker's first listener, separated by commas."
            ),
            "zookeeper_servers": Attribute(
                STRING, computed=True, description="`host:port` of every ZooKeeper server, with Kafka's chroot behind."
            ),
            "cluster_id": Attribute(STRING, computed=True, description="Kafka's cluster id."),
            "processes": Attribute(
                Map(STRING),
                computed=True,
                description="Each server by name with what it is: `running`, or `stopped`, `not answering`, "
                "`configuration differs`, `not in sync`, `not declared`. A plan shows here what the apply will heal.",
            ),
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session
        self._directories = local_machine.Directories("ensemble", example="data")

    # ---- before anything runs --------------------------------------------------------------------------------------

    def validate(self, config: State) -> Iterator[Diagnostic]:
        """Names, ids, heaps and the entries without which no server can be started."""
        yield from name_faults(config["name"], "an ensemble")
        yield from home_faults(config)
        for attribute, kind in (("zookeeper", "zookeeper"), ("brokers", "broker")):
            servers = config[attribute]
            if servers is None or servers is UNKNOWN:
                continue
            if not servers:
                yield Diagnostic(f"{attribute} is empty", "Declare at least one server.", path=(attribute,))
            for index, server in enumerate(servers):
                if server is not UNKNOWN:
                    yield from _server_faults(server, kind, (attribute, index))
            ids = [server["id"] for server in servers if server is not UNKNOWN and isinstance(server["id"], int)]
            for twice in sorted(each for each, times in Counter(ids).items() if times > 1):
                yield Diagnostic(
                    f"{attribute} has id {twice} twice", "Each server needs an id of its own.", path=(attribute,)
                )

    def plan(self, request: PlanRequest) -> Plan:
        """What an apply would start, restart and stop; a change that would lose data is refused here."""
        return self._session.addresses.checked(request, self._plan(request), _thing)

    def _plan(self, request: PlanRequest) -> Plan:
        prior, proposed, config = request.prior, request.proposed, request.config
        if proposed is None or config is None:
            known = changes.Known(held_elsewhere=prior is not None and self._directories.is_held_elsewhere(prior))
            return Plan(None, diagnostics=told(changes.problems(placed(prior), None, known)))
        planned = {
            **proposed,
            "directory": local_machine.directory(config, prior),
            "keep_data": True if config["keep_data"] is None else config["keep_data"],
            "cluster_id": (prior or {}).get("cluster_id") or UNKNOWN,
            "owner": (prior or {}).get("owner"),
            **dict.fromkeys(("bootstrap_servers", "zookeeper_servers", "processes"), UNKNOWN),
        }
        replace = settle(planned, prior)
        path = place(planned) if planned["path"] is None else planned["path"]
        shared_with = self._shared_with(path, planned["name"])
        if _is_known(planned):
            declaration = _declaration(planned)
            planned["bootstrap_servers"] = _bootstrap_servers(declaration)
            planned["zookeeper_servers"] = _zookeeper_servers(declaration)
            # A creation that is interrupted has started some of them: that is recorded as it is, and not as a fault.
            planned["processes"] = (
                UNKNOWN if prior is None else {server.name: RUNNING for server in declaration.servers}
            )
            if prior is None or not _brokers_run(prior, declaration):
                self._session.expect(planned["bootstrap_servers"].split(","))
        if planned["owner"] is None and planned != prior:
            planned["owner"] = UNKNOWN
        after = known_values({**planned, "path": path})
        if prior is None:
            found = self._found(planned, replaces=request.replaces)
            faults = told(
                changes.problems(None, after, found._replace(shared_with=shared_with, **_of_clients(None, planned)))
            )
            return Plan(planned, diagnostics=faults)
        known = changes.Known(held_elsewhere=self._directories.is_held_elsewhere(prior))
        if not replace and not known.held_elsewhere:
            known = changes.Known(
                replicas=self._replicas(prior, planned), ports=self._shared_ports(planned), missing=_is_missing(prior)
            )
        known = known._replace(shared_with=shared_with, **_of_clients(prior, planned))
        faults = told(changes.problems(placed(prior), after, known))
        return Plan(planned, replace=replace, diagnostics=faults)

    def _found(self, planned: State, *, replaces: bool) -> changes.Known:
        """What is there already where an ensemble is to be created."""
        path = planned["path"]
        if path is UNKNOWN:
            return changes.Known()
        ports = self._shared_ports(planned)
        held = self._directories.held(path)
        if held is not None:
            # Another address that stands for it has a refusal of its own.
            tainted = not replaces and not self._session.addresses.seen(_thing(planned))
            return changes.Known(ports=ports, tainted=tainted and held["keep_data"] is False)
        return changes.Known(ports=ports, present=self._directories.present(planned))

    def _shared_ports(self, planned: State) -> dict[str, list[int]]:
        """The ports that others of this configuration declare too, as far as they have been planned."""
        if not _is_known(planned):
            return {}
        declaration = _declaration(planned)
        what = f"ensemble {declaration.name}"
        return self._session.machine.others(declaration.directory, what, "port", sorted(ports(declaration.servers)))

    def _shared_with(self, path: Any, name: Any) -> str | None:
        """What else of this configuration, and not an ensemble, has its directory."""
        if path is UNKNOWN or name is UNKNOWN:
            return None
        return self._session.machine.shared_with(path, f"ensemble {name}")

    def _replicas(self, prior: State, planned: State) -> Replicas | None:
        """Who holds which replicas; None: no broker goes, or the cluster does not answer, and the apply asks again."""
        if not changes.going(prior, known_values(planned)):
            return None
        cluster = KafkaCluster(Settings(bootstrap_servers=prior["bootstrap_servers"]), self._session.stopped)
        try:
            return cluster.layout().replicas
        except (Unreachable, Denied):
            return None

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """What each process is now. An ensemble that was stopped is not gone: its next apply starts it."""
        self._directories.is_held_elsewhere(state)
        return self._as_it_is({**state, "path": place(state)})

    def _as_it_is(self, state: State) -> State:
        from hikube_kafka import ensemble

        declaration = _declaration(state)
        try:
            seen = ensemble.observe(declaration)
        except (ensemble.EnsembleError, OSError) as problem:
            raise Refusal(self._directories.not_read(problem, state)) from None
        return {
            **state,
            "bootstrap_servers": _bootstrap_servers(declaration),
            "zookeeper_servers": _zookeeper_servers(declaration),
            "cluster_id": seen.cluster_id,
            "processes": {server.name: server.state for server in seen.servers},
        }

    def import_state(self, identifier: str) -> State:
        """By name, or by directory. What was declared there last is what is imported; its data is kept."""
        from hikube_kafka.ensemble import read_declaration

        found, state = self._directories.imported(identifier, read_declaration)
        return {
            **state,
            "zookeeper": [attributes(server) for server in found.zookeeper],
            "brokers": [attributes(server) for server in found.brokers],
            "fast_failover": None if found.fast_failover else False,
            "keep_data": True,
        }

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Start all servers; if that fails, none runs afterwards.

        An interruption is no failure: an error would taint the ensemble, and the next apply would destroy what has been
        started, and maybe its data, in place of going on with it.
        """
        return self._apply(planned, prior=None)

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Start what does not run, restart what differs, one at a time, each back in sync before the next."""
        return self._apply(planned, prior=prior)

    def _apply(self, planned: State, prior: State | None) -> State:
        from hikube_kafka import ensemble

        unchanged = (
            ensemble.PreflightError,
            ensemble.QuorumChangeError,
            ensemble.BrokerHoldsReplicasError,
            ensemble.DirectoryBusyError,
            ensemble.JarsError,
        )
        owner = ensemble.new_owner() if planned["owner"] is UNKNOWN else planned["owner"]
        planned = {**planned, "owner": owner}
        creating = prior is None
        try:
            seen = ensemble.apply(
                _declaration(planned),
                owner=owner,
                creating=creating,
                progress=tell,
                cancelled=self._session.stopped.is_set,
            )
        except ensemble.EnsembleExistsError as problem:
            raise Refusal(*_refused(None, planned, present=as_present(planned, problem.running))) from None
        except ensemble.HeldByAnotherError:
            raise Refusal(*_refused(prior, planned, held_elsewhere=True)) from None
        except ensemble.ApplyInterruptedError as problem:
            fault = _fault(problem, planned["name"], doing="start" if creating else "change")
            if creating and not problem.running:
                raise Refusal(fault) from None
            state = self._as_it_is({**planned, "processes": {}})
            if not creating:
                raise Refusal(fault, state=state) from None
            warn(fault.summary, fault.detail)
            return state
        except (ensemble.EnsembleError, OSError) as problem:
            fault = _fault(problem, planned["name"], doing="start" if creating else "change")
            if creating or isinstance(problem, unchanged):
                raise Refusal(fault) from None
            # The directory has no mark of a change that did not come to its end.
            state = self._as_it_is({**planned, "owner": None if prior is None else prior["owner"], "processes": {}})
            raise Refusal(fault, state=state) from None
        finally:
            self._session.changed()
        # The apply has seen every server run and in sync: that is what was planned.
        processes = {server.name: RUNNING for server in seen.servers}
        return {**planned, "processes": processes, "cluster_id": seen.cluster_id}

    def delete(self, prior: State, private: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        """Stop all servers; the data stays unless `keep_data` is false."""
        from hikube_kafka import ensemble

        keep = prior["keep_data"] is not False
        try:
            ensemble.destroy(
                place(prior),
                owner=prior["owner"] or ensemble.new_owner(),
                keep_data=keep,
                progress=tell,
                cancelled=self._session.stopped.is_set,
            )
        except ensemble.HeldByAnotherError:
            raise Refusal(*_refused(prior, None, held_elsewhere=True)) from None
        except (ensemble.EnsembleError, OSError) as problem:
            raise Refusal(_fault(problem, prior["name"], doing="stop")) from None
        finally:
            self._session.changed()
        if keep and not _is_missing(prior):
            warn(
                f"The data of ensemble {prior['name']} stays in {place(prior)}",
                "An ensemble of the same name and directory takes it up again. To remove it, set keep_data = false "
                "before the destroy, or delete the folder.",
            )


# ---- the declaration ------------------------------------------------------------------------------------------------


def _thing(state: State) -> Thing | None:
    return None if state["directory"] is UNKNOWN else Thing.ensemble(place(state))


def _server_faults(server: Mapping[str, Any], kind: str, path: tuple[str | int, ...]) -> Iterator[Diagnostic]:
    number, heap, properties = server["id"], server["heap"], server["properties"]
    yield from heap_faults(heap, path)
    if isinstance(properties, Mapping):
        for key in _NEEDED[kind]:
            if key not in properties:
                yield Diagnostic(
                    f"{kind} {_number(number)}: {key} is missing",
                    "Properties must be complete: nothing is added to them.",
                    path=(*path, "properties"),
                )
        known = {key: value for key, value in properties.items() if isinstance(value, str)}
        for summary, detail in _property_faults(kind, number, known):
            yield Diagnostic(f"{kind} {_number(number)}: {summary}", detail, path=(*path, "properties"))


def _property_faults(kind: str, number: Any, properties: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong with entries on which a start hangs: each would end, or be waited for in vain."""
    ports = "Write a number from 1 to 65535."
    if kind == "zookeeper":
        if not _is_port(properties.get("clientPort", "1")):
            yield f"clientPort = {properties['clientPort']!r} is not a port", ports
        for key, address in properties.items():
            match = MEMBER.match(address) if key.startswith("server.") else None
            if match and not (_is_port(match["peer"]) and _is_port(match["election"])):
                yield f"{key} = {address!r} has a port that is none", ports
        return
    for listener in properties["listeners"].split(",") if "listeners" in properties else ():
        match = LISTENER.fullmatch(listener.strip())
        if match is None or not _is_port(match["port"]):
            form = "Write NAME://host:port, such as PLAINTEXT://127.0.0.1:29092; an IPv6 address goes in brackets."
            yield f"listeners has {listener.strip()!r}, which is no listener", form
    declared = properties.get("broker.id", properties.get("node.id"))
    if isinstance(number, int) and declared is not None and declared.strip() != str(number):
        yield f"broker.id = {declared!r} is another id", f"It is declared as id {number}: set broker.id to that."
    entries = {key: value for key, value in properties.items() if "${" not in value}  # else the broker resolves it
    for problem in broker_config_problems("", entries):
        if problem.rule in _NOT_TAKEN:
            yield f"{problem.message.removesuffix('.')} [{problem.rule}]", f"{problem.why} {problem.remedy}"


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text.strip()) is not None and 0 < int(text) <= HIGHEST_PORT


def _number(number: Any) -> str:
    return "of unknown id" if number is UNKNOWN or number is None else str(number)


def _is_missing(prior: State) -> bool:
    """Whether nothing is left of an ensemble: neither what was written into its directory nor a server that runs."""
    from hikube_kafka import ensemble

    return not ensemble.holds_ensemble(ensemble.resolved(place(prior)))


def _of_clients(prior: State | None, planned: State) -> dict[str, Any]:
    """What a warning says of ports that are not declared yet and that outgoing connections may hold."""
    if not _is_known(planned):
        return {}
    before = frozenset() if prior is None else ports(_declaration(prior).servers)
    return of_clients(ports(_declaration(planned).servers) - before)


def _is_known(state: State) -> bool:
    return not any(
        True
        for each in ("name", "directory", "zookeeper", "brokers", "kafka_home", "fast_failover")
        for _ in unknowns(state[each])
    )


def _declaration(state: State) -> EnsembleDeclaration:
    return EnsembleDeclaration(
        name=state["name"],
        directory=place(state),
        zookeeper=processes("zookeeper", state["zookeeper"]),
        brokers=processes("broker", state["brokers"]),
        kafka_home=state["kafka_home"],
        fast_failover=state["fast_failover"] is not False,
    )


def _bootstrap_servers(declaration: EnsembleDeclaration) -> str:
    """The address that each broker advertises first: ``CLIENTS://host:port`` without its listener's name."""
    advertised = (
        broker.properties.get("advertised.listeners") or broker.properties["listeners"]
        for broker in declaration.brokers
    )
    return ",".join(listeners.split(",")[0].strip().partition("://")[2] for listeners in advertised)


def _zookeeper_servers(declaration: EnsembleDeclaration) -> str:
    return declaration.brokers[0].properties["zookeeper.connect"]


def _brokers_run(state: State, declaration: EnsembleDeclaration) -> bool:
    processes = state["processes"] or {}
    return all(processes.get(broker.name) == RUNNING for broker in declaration.brokers)


# ---- what the user is told ------------------------------------------------------------------------------------------


def _fault(problem: Exception, name: str, *, doing: str) -> Diagnostic:
    return Diagnostic(f"Ensemble {name}: could not {doing} all servers", str(problem))


def _refused(prior: State | None, planned: State | None, **known: Any) -> list[Diagnostic]:
    """Asked once more at the apply: the plan may be old."""
    after = None if planned is None else known_values(planned)
    return told(changes.problems(placed(prior), after, changes.Known(**known)))
