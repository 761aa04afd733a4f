"""``hikube_local_ensemble``: ZooKeeper servers and brokers as processes of the machine on which Terraform runs."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hikube_kafka.kafka.errors import Denied, Unreachable
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import BOOL, NUMBER, STRING, Attribute, Map, Nested, Schema
from hikube_kafka.plugin.values import UNKNOWN, unknowns
from hikube_kafka.provider.problems import known_values, told
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import Settings
from hikube_kafka.provider.topics import KafkaCluster
from hikube_kafka.spec.changes import local_ensemble as changes
from hikube_kafka.spec.changes.address import Thing
from hikube_kafka.spec.ensemble import EnsembleDeclaration, Kind, ServerProcess

RUNNING = "running"
"""What a process is when it runs as declared and, being a broker, is in sync."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEAP = re.compile(r"[1-9]\d*[kmgKMG]")
_NEEDED = {
    "zookeeper": ("clientPort", "dataDir"),
    "broker": ("listeners", "log.dirs", "zookeeper.connect"),
}


def _servers(what: str, ids: str, least: int, file: str) -> Attribute:
    return Attribute(
        nested=Nested(
            "list",
            {
                "id": Attribute(NUMBER, required=True, minimum=least, description=ids),
                "properties": Attribute(
                    Map(STRING),
                    required=True,
                    description=f"The complete `{file}`. Paths are relative to the server's own folder.",
                ),
                "heap": Attribute(STRING, required=True, description="Heap as Java writes it: `512m`."),
            },
        ),
        required=True,
        description=what,
    )


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
                "Another folder is another ensemble.",
            ),
            "zookeeper": _servers(
                "The ZooKeeper servers. Their set cannot change in place.", "`myid`, from 1.", 1, "zoo.cfg"
            ),
            "brokers": _servers(
                "The brokers. They can be added; one that holds replicas cannot be removed. A changed configuration is "
                "a rolling restart, each broker back in sync before the next.",
                "`broker.id`, from 0.",
                0,
                "server.properties",
            ),
            "kafka_home": Attribute(
                STRING,
                optional=True,
                description="An unpacked Kafka distribution to run from. Default: jars that Maven brings into a cache.",
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
                description="Each server by name with what it is: `running`, or `stopped`, `configuration differs`, "
                "`not in sync`, `not declared`. A plan shows here what the apply will heal.",
            ),
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session

    # ---- before anything runs --------------------------------------------------------------------------------------

    def validate(self, config: State) -> Iterator[Diagnostic]:
        """Names, ids, heaps and the entries without which no server can be started."""
        name = config["name"]
        if isinstance(name, str) and not _NAME.fullmatch(name):
            yield Diagnostic(
                f"{name!r} cannot be the name of an ensemble",
                "It names a folder: use letters, digits, dots, underscores and hyphens, with a letter or digit first.",
                path=("name",),
            )
        for attribute, kind in (("zookeeper", "zookeeper"), ("brokers", "broker")):
            servers = config[attribute]
            if servers is None or servers is UNKNOWN:
                continue
            if not servers:
                yield Diagnostic(f"{attribute} is empty", "Declare at least one server.", path=(attribute,))
            for index, server in enumerate(servers):
                if server is not UNKNOWN:
                    yield from _server_faults(server, kind, (attribute, index))
            ids = [server["id"] for server in servers if server is not UNKNOWN and server["id"] is not UNKNOWN]
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
            return Plan(None)
        planned = {
            **proposed,
            "directory": _directory(config),
            "keep_data": True if config["keep_data"] is None else config["keep_data"],
            "cluster_id": (prior or {}).get("cluster_id") or UNKNOWN,
            **dict.fromkeys(("bootstrap_servers", "zookeeper_servers", "processes"), UNKNOWN),
        }
        replace = [(each,) for each in ("name", "directory") if prior is not None and planned[each] != prior[each]]
        if _is_known(planned):
            declaration = _declaration(planned)
            planned["bootstrap_servers"] = _bootstrap_servers(declaration)
            planned["zookeeper_servers"] = _zookeeper_servers(declaration)
            planned["processes"] = {server.name: RUNNING for server in declaration.servers}
            if prior is None or not _brokers_run(prior, declaration):
                self._session.expect(planned["bootstrap_servers"].split(","))
        if prior is None:
            return Plan(planned)
        known = None if replace else self._known(prior, planned)
        problems = changes.problems(prior, known_values(planned), known)
        return Plan(planned, replace=replace, diagnostics=told(problems))

    def _known(self, prior: State, planned: State) -> changes.Known | None:
        """Who holds which replicas; None: no broker goes, or the cluster does not answer, and the apply asks again."""
        if not changes.going(prior, known_values(planned)):
            return None
        cluster = KafkaCluster(Settings(bootstrap_servers=prior["bootstrap_servers"]), self._session.stopped)
        try:
            return changes.Known(replicas=cluster.layout().replicas)
        except (Unreachable, Denied):
            return None

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """What each process is now. An ensemble that was stopped is not gone: its next apply starts it."""
        return _as_it_is(state)

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Start all servers; if that fails, what runs by then is recorded, so that the next apply takes it up."""
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
        declaration = _declaration(planned)
        try:
            seen = ensemble.apply(declaration, progress=_tell, cancelled=self._session.stopped.is_set)
        except ensemble.EnsembleError as problem:
            fault = _fault(problem, planned["name"], doing="start" if prior is None else "change")
            if prior is not None and isinstance(problem, unchanged):
                raise Refusal(fault) from None
            state = _as_it_is({**planned, "processes": {}})
            if prior is None and not any(process != "stopped" for process in state["processes"].values()):
                raise Refusal(fault) from None
            raise Refusal(fault, state=state) from None
        finally:
            self._session.changed()
        # The apply has seen every server run and in sync: that is what was planned.
        return {**planned, "cluster_id": seen.cluster_id}

    def delete(self, prior: State, private: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        """Stop all servers; the data stays unless `keep_data` is false."""
        from hikube_kafka import ensemble

        keep = prior["keep_data"] is not False
        try:
            ensemble.destroy(prior["directory"], keep_data=keep, progress=_tell, cancelled=self._session.stopped.is_set)
        except ensemble.EnsembleError as problem:
            raise Refusal(_fault(problem, prior["name"], doing="stop")) from None
        finally:
            self._session.changed()
        if keep:
            warn(
                f"The data of ensemble {prior['name']} stays in {prior['directory']}",
                "An ensemble of the same name and directory takes it up again. To remove it, set keep_data = false "
                "before the destroy, or delete the folder.",
            )


# ---- the declaration ------------------------------------------------------------------------------------------------


def _thing(state: State) -> Thing | None:
    """The ensemble is its directory."""
    if state["directory"] is UNKNOWN:
        return None
    return Thing(
        "hikube_local_ensemble",
        f"the ensemble in {Path(state['directory']).expanduser().resolve()}",
        loss="its servers would be stopped, and with keep_data = false its data deleted, once the other address has "
        "taken them over.",
    )


def _server_faults(server: Mapping[str, Any], kind: str, path: tuple[str | int, ...]) -> Iterator[Diagnostic]:
    number, heap, properties = server["id"], server["heap"], server["properties"]
    if isinstance(heap, str) and not _HEAP.fullmatch(heap):
        yield Diagnostic(f"heap {heap!r} is not a size", 'Write it as Java does: "512m", "2g".', path=(*path, "heap"))
    if isinstance(properties, Mapping):
        for key in _NEEDED[kind]:
            if key not in properties:
                yield Diagnostic(
                    f"{kind} {_number(number)}: {key} is missing",
                    "Properties must be complete: nothing is added to them.",
                    path=(*path, "properties"),
                )


def _number(number: Any) -> str:
    return "of unknown id" if number is UNKNOWN else str(number)


def _directory(config: State) -> Any:
    if config["directory"] is not None:
        return config["directory"]
    if config["name"] is UNKNOWN:
        return UNKNOWN
    from hikube_kafka.ensemble import default_directory

    return str(default_directory(config["name"]))


def _is_known(state: State) -> bool:
    return not any(
        True for each in ("name", "directory", "zookeeper", "brokers", "kafka_home") for _ in unknowns(state[each])
    )


def _declaration(state: State) -> EnsembleDeclaration:
    def processes(kind: Kind, servers: Iterable[Mapping[str, Any]]) -> tuple[ServerProcess, ...]:
        return tuple(
            ServerProcess(kind=kind, id=int(each["id"]), properties=each["properties"], heap=each["heap"])
            for each in servers
        )

    return EnsembleDeclaration(
        name=state["name"],
        directory=state["directory"],
        zookeeper=processes("zookeeper", state["zookeeper"]),
        brokers=processes("broker", state["brokers"]),
        kafka_home=state["kafka_home"],
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


def _as_it_is(state: State) -> State:
    from hikube_kafka import ensemble

    declaration = _declaration(state)
    try:
        seen = ensemble.observe(declaration)
    except (ensemble.EnsembleError, OSError) as problem:
        raise Refusal(
            Diagnostic(f"Ensemble {state['name']} cannot be read", f"{problem} Directory: {state['directory']}.")
        ) from None
    return {
        **state,
        "bootstrap_servers": _bootstrap_servers(declaration),
        "zookeeper_servers": _zookeeper_servers(declaration),
        "cluster_id": seen.cluster_id,
        "processes": {server.name: server.state for server in seen.servers},
    }


# ---- what the user is told ------------------------------------------------------------------------------------------


def _fault(problem: Exception, name: str, *, doing: str) -> Diagnostic:
    return Diagnostic(f"Ensemble {name}: could not {doing} all servers", str(problem))


def _tell(step: str) -> None:
    log("info", step)
