"""``hikube_local_connect``: Connect workers as processes of the machine on which Terraform runs."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import STRING, Attribute, Map, Nested, Schema
from hikube_kafka.plugin.values import UNKNOWN, unknowns
from hikube_kafka.provider import local_machine
from hikube_kafka.provider.local_machine import (
    RUNNING,
    as_present,
    heap_faults,
    home_faults,
    name_faults,
    place,
    placed,
    settle,
    tell,
)
from hikube_kafka.provider.problems import known_values, told
from hikube_kafka.provider.session import Session
from hikube_kafka.spec.changes import local_connect as changes
from hikube_kafka.spec.changes.address import Thing
from hikube_kafka.spec.changes.local_ensemble import Present
from hikube_kafka.spec.ensemble import HIGHEST_PORT, LISTENER, ConnectDeclaration, PluginSource

_NEEDED = (
    *("bootstrap.servers", "group.id", "listeners", "key.converter", "value.converter"),
    *("config.storage.topic", "offset.storage.topic", "status.storage.topic"),
)
_PLUGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class LocalConnectResource(Resource):
    """Workers on this machine. They outlive Terraform; what has died shows as drift, and is healed."""

    type_name = "hikube_local_connect"
    schema = Schema(
        description="Workers of Kafka Connect as processes of this machine, with the plugins they load. They outlive "
        "Terraform; a worker that was killed, or a reboot, shows in `processes`, and the next apply heals it. What "
        "they run is kept in their internal topics.",
        attributes={
            "name": Attribute(
                STRING,
                required=True,
                description="Name of the Connect cluster: letters, digits, `.`, `_`, `-`. Another name is another one.",
            ),
            "directory": Attribute(
                STRING,
                optional=True,
                computed=True,
                description="Folder of configuration and logs. Default: `~/.local/share/hikube-kafka/<name>`. Another "
                "folder is another Connect cluster. A relative one is relative to where Terraform runs when it is "
                "created, and stays there, as the default does when the home is another.",
            ),
            "path": Attribute(
                STRING, computed=True, description="The absolute path of `directory`, as it was when it was created."
            ),
            "owner": Attribute(
                STRING,
                computed=True,
                description="Id of this creation, also written into the directory: a state with another one does not "
                "hold these workers, and cannot change them.",
            ),
            "workers": local_machine.servers(
                "The workers, of one group. A changed configuration is a rolling restart: before each next worker all "
                "have joined, no rebalance is under way or due, and each has its share of the tasks.",
                "Number of the worker, from 0.",
                (0, 2**31 - 1),
                "connect-distributed.properties",
            ),
            "plugins": Attribute(
                nested=Nested(
                    "list",
                    {
                        "name": Attribute(STRING, required=True, description="Name of its folder below `plugins`."),
                        "maven": Attribute(
                            STRING,
                            optional=True,
                            description="Coordinates `group:artifact:version[:extension[:classifier]]`. A `jar` comes "
                            "with what it depends on; a `tar.gz` or `zip` is unpacked.",
                        ),
                        "archive": Attribute(
                            STRING,
                            optional=True,
                            description="URL (`https:`, `http:`, `file:`) or path of a `.tar.gz`, `.zip` or `.jar`.",
                        ),
                        "checksum": Attribute(
                            STRING,
                            optional=True,
                            description="`sha256:` or `sha512:` and the hexadecimal digits, of the archive or of "
                            "Maven's file; compared before anything is unpacked. An archive needs it.",
                        ),
                    },
                ),
                optional=True,
                description="What each worker finds in its folder `plugins`, and nothing else: name that as "
                "`plugin.path`. Changed plugins are a rolling restart.",
            ),
            "kafka_home": Attribute(
                STRING,
                optional=True,
                description="An unpacked Kafka distribution to run from. Default: jars that Maven brings into a cache.",
            ),
            "urls": Attribute(
                STRING,
                computed=True,
                description="URL of every worker's REST interface, separated by commas: `connect_url` of the provider.",
            ),
            "processes": Attribute(
                Map(STRING),
                computed=True,
                description="Each worker by name with what it is: `running`, or `stopped`, `not answering`, "
                "`configuration differs`, `not joined`, `not declared`. A plan shows here what the apply will heal.",
            ),
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session
        self._directories = local_machine.Directories("Connect cluster", example="workers")

    # ---- before anything runs --------------------------------------------------------------------------------------

    def validate(self, config: State) -> Iterator[Diagnostic]:
        """Names, ids, heaps, plugins and the entries without which no worker can be started."""
        yield from name_faults(config["name"], "a Connect cluster")
        yield from home_faults(config)
        yield from _workers_faults(config["workers"])
        yield from _plugins_faults(config["plugins"])

    def plan(self, request: PlanRequest) -> Plan:
        """What an apply would start, restart and stop."""
        return self._session.addresses.checked(request, self._plan(request), _thing)

    def _plan(self, request: PlanRequest) -> Plan:
        prior, proposed, config = request.prior, request.proposed, request.config
        held_elsewhere = prior is not None and self._directories.is_held_elsewhere(prior)
        if proposed is None or config is None:
            known = changes.Known(held_elsewhere=held_elsewhere)
            return Plan(None, diagnostics=told(changes.problems(placed(prior), None, known)))
        planned = {
            **proposed,
            "directory": local_machine.directory(config, prior),
            "owner": (prior or {}).get("owner"),
            **dict.fromkeys(("urls", "processes"), UNKNOWN),
        }
        replace = settle(planned, prior)
        if _is_known(planned):
            planned["urls"] = _urls(planned)
            # A creation that is interrupted has started some of them: that is recorded as it is, and not as a fault.
            planned["processes"] = (
                UNKNOWN if prior is None else {f"worker-{each['id']}": RUNNING for each in planned["workers"]}
            )
        if planned["owner"] is None and planned != prior:
            planned["owner"] = UNKNOWN
        known = self._shared(planned, prior)._replace(held_elsewhere=held_elsewhere)
        if prior is None or replace:
            known = known._replace(present=self._present(planned, replaces=request.replaces))
        faults = told(changes.problems(placed(prior), known_values(planned), known))
        return Plan(planned, replace=replace, diagnostics=faults)

    def _shared(self, planned: State, prior: State | None) -> changes.Known:
        """What others of this configuration have too, and what an ensemble that is there has."""
        path = planned["path"]
        if path is UNKNOWN or planned["name"] is UNKNOWN:
            return changes.Known()
        what, machine = f"Connect cluster {planned['name']}", self._session.machine
        known = changes.Known(shared_with=machine.shared_with(path, what) or _ensemble_in(path))
        if not _is_known(planned):
            return known
        workers = _declaration(planned).workers
        bootstrap, group = (workers[0].properties.get(key, "") for key in ("bootstrap.servers", "group.id"))
        other = next(iter(machine.others(path, what, "group", [(bootstrap, group)])), None)
        new = local_machine.ports(workers)
        before = local_machine.ports(_declaration(prior).workers) if prior is not None else frozenset()
        return known._replace(
            group=(group, other) if other else None,
            ports=machine.others(path, what, "port", sorted(new)),
            **local_machine.of_clients(new - before),
        )

    def _present(self, planned: State, *, replaces: bool) -> Present | None:
        """What is there already where workers are to be created."""
        path = planned["path"]
        if path is UNKNOWN or replaces or self._directories.held(path) is not None:
            return None
        return self._directories.present(planned)

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """What each worker is now. Workers that were stopped are not gone: their next apply starts them."""
        self._directories.is_held_elsewhere(state)
        return self._as_it_is({**state, "path": place(state)})

    def _as_it_is(self, state: State) -> State:
        from hikube_kafka import ensemble
        from hikube_kafka.ensemble import workers

        try:
            seen = workers.observe(_declaration(state))
        except (ensemble.EnsembleError, OSError) as problem:
            raise Refusal(self._directories.not_read(problem, state)) from None
        return {**state, "urls": _urls(state), "processes": {server.name: server.state for server in seen.servers}}

    def import_state(self, identifier: str) -> State:
        """By name, or by directory. What was declared there last is what is imported."""
        from hikube_kafka.ensemble.configuration import read_connect

        found, state = self._directories.imported(identifier, read_connect)
        return {
            **state,
            "workers": [local_machine.attributes(worker) for worker in found.workers],
            "plugins": [
                {"name": each.name, "maven": each.maven, "archive": each.archive, "checksum": each.checksum}
                for each in found.plugins
            ],
        }

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Fetch the plugins and start all workers; if that fails, none runs afterwards."""
        return self._apply(planned, prior=None)

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Start what does not run, stop what is not declared any more, restart what differs, one at a time."""
        return self._apply(planned, prior=prior)

    def _apply(self, planned: State, prior: State | None) -> State:
        from hikube_kafka import ensemble
        from hikube_kafka.ensemble import workers

        unchanged = (
            ensemble.PreflightError,
            ensemble.DirectoryBusyError,
            ensemble.JarsError,
            ensemble.PluginError,
        )
        owner = ensemble.new_owner() if planned["owner"] is UNKNOWN else planned["owner"]
        planned = {**planned, "owner": owner, "urls": _urls(planned)}
        creating = prior is None
        doing = "start" if creating else "change"
        try:
            seen = workers.apply(
                _declaration(planned),
                owner=owner,
                creating=creating,
                progress=tell,
                cancelled=self._session.stopped.is_set,
            )
        except ensemble.EnsembleExistsError as problem:
            known = changes.Known(present=as_present(planned, problem.running))
            raise Refusal(*told(changes.problems(None, known_values(planned), known))) from None
        except ensemble.HeldByAnotherError:
            raise Refusal(*_held_elsewhere(prior, planned)) from None
        except ensemble.ApplyInterruptedError as problem:
            fault = _fault(problem, planned["name"], doing=doing)
            if creating and not problem.running:
                raise Refusal(fault) from None
            state = self._as_it_is({**planned, "processes": {}})
            if not creating:
                raise Refusal(fault, state=state) from None
            # An error would taint them, and the next apply would stop what has been started.
            warn(fault.summary, fault.detail)
            return state
        except (ensemble.EnsembleError, OSError) as problem:
            fault = _fault(problem, planned["name"], doing=doing)
            if prior is None or isinstance(problem, unchanged):
                raise Refusal(fault) from None
            # The directory has no mark of a change that did not come to its end.
            raise Refusal(fault, state=self._as_it_is({**planned, "owner": prior["owner"], "processes": {}})) from None
        # The apply has seen every worker in the group: that is what was planned.
        return {**planned, "processes": {server.name: RUNNING for server in seen.servers}}

    def delete(self, prior: State, private: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        """Stop all workers and remove their folders; what they run is kept in their internal topics."""
        from hikube_kafka import ensemble
        from hikube_kafka.ensemble import workers

        try:
            workers.destroy(
                place(prior),
                owner=prior["owner"] or ensemble.new_owner(),
                progress=tell,
                cancelled=self._session.stopped.is_set,
            )
        except ensemble.HeldByAnotherError:
            raise Refusal(*_held_elsewhere(prior, None)) from None
        except (ensemble.EnsembleError, OSError) as problem:
            raise Refusal(_fault(problem, prior["name"], doing="stop")) from None


# ---- the declaration ------------------------------------------------------------------------------------------------


def _thing(state: State) -> Thing | None:
    return None if state["directory"] is UNKNOWN else Thing.workers(place(state))


def _workers_faults(workers: Any) -> Iterator[Diagnostic]:
    if workers is None or workers is UNKNOWN:
        return
    if not workers:
        yield Diagnostic("workers is empty", "Declare at least one worker.", path=("workers",))
    for index, worker in enumerate(workers):
        if worker is not UNKNOWN:
            yield from _worker_faults(worker, ("workers", index))
    known = [worker for worker in workers if worker is not UNKNOWN]
    ids = Counter(worker["id"] for worker in known if isinstance(worker["id"], int))
    for twice in sorted(each for each, times in ids.items() if times > 1):
        yield Diagnostic(f"workers has id {twice} twice", "Each needs an id of its own.", path=("workers",))
    given = [worker["properties"] for worker in known if isinstance(worker["properties"], Mapping)]
    groups = sorted({each["group.id"] for each in given if isinstance(each.get("group.id"), str)})
    if len(groups) > 1:
        yield Diagnostic(
            f"workers has different groups: {', '.join(groups)}",
            "The workers of one resource are one group: give all the same group.id, or declare two resources.",
            path=("workers",),
        )


def _worker_faults(worker: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Diagnostic]:
    number, properties = worker["id"], worker["properties"]
    name = "worker of unknown id" if number is UNKNOWN or number is None else f"worker {number}"
    yield from heap_faults(worker["heap"], path)
    if not isinstance(properties, Mapping):
        return
    for key in _NEEDED:
        if key not in properties:
            yield Diagnostic(
                f"{name}: {key} is missing",
                "Properties must be complete: nothing is added to them.",
                path=(*path, "properties"),
            )
    listeners = properties.get("listeners")
    if isinstance(listeners, str) and not any(map(_is_met, listeners.split(","))):
        yield Diagnostic(
            f"{name}: listeners = {listeners!r} has no http://host:port",
            "It is asked there whether it has joined its group. Write http://127.0.0.1:28083: the interface takes "
            "orders from whoever reaches it.",
            path=(*path, "properties"),
        )


def _is_met(listener: str) -> bool:
    match = LISTENER.fullmatch(listener.strip())
    return (
        match is not None
        and match["name"].lower() == "http"
        and bool(match["host"])
        and 0 < int(match["port"]) <= HIGHEST_PORT
    )


def _plugins_faults(plugins: Any) -> Iterator[Diagnostic]:
    if plugins is None or plugins is UNKNOWN:
        return
    names: Counter[str] = Counter()
    for index, plugin in enumerate(plugins):
        if plugin is UNKNOWN:
            continue
        path = ("plugins", index)
        if isinstance(name := plugin["name"], str):
            names[name] += 1
            if not _PLUGIN.fullmatch(name):
                yield Diagnostic(
                    f"{name!r} cannot be the name of a plugin",
                    "It names a folder: use letters, digits, dots, underscores and hyphens, with a letter or digit "
                    "first.",
                    path=(*path, "name"),
                )
        if not any(True for _ in unknowns(plugin)):
            for fault in PluginSource(**plugin).faults():
                yield Diagnostic(
                    f"plugin {name} {fault}",
                    "Declare Maven coordinates, or the URL or path of an archive and its checksum.",
                    path=path,
                )
    for twice in sorted(name for name, times in names.items() if times > 1):
        yield Diagnostic(f"plugins has {twice} twice", "Each needs a name of its own.", path=("plugins",))


def _is_known(state: State) -> bool:
    keys = ("name", "directory", "workers", "plugins", "kafka_home")
    return not any(True for each in keys for _ in unknowns(state[each]))


def _declaration(state: State) -> ConnectDeclaration:
    return ConnectDeclaration(
        name=state["name"],
        directory=place(state),
        workers=local_machine.processes("worker", state["workers"]),
        plugins=tuple(PluginSource(**each) for each in state["plugins"] or ()),
        kafka_home=state["kafka_home"],
    )


def _urls(state: State) -> str:
    from hikube_kafka.ensemble.living_workers import rest_address

    workers = _declaration(state).workers
    return ",".join(f"http://{address}" for each in workers if (address := rest_address(each.properties)))


def _ensemble_in(path: str) -> str | None:
    """The ensemble that is in a directory."""
    from hikube_kafka import ensemble

    try:
        found = ensemble.read_declaration(ensemble.resolved(path))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return f"ensemble {found.name}" if found else None


# ---- what the user is told ------------------------------------------------------------------------------------------


def _fault(problem: Exception, name: str, *, doing: str) -> Diagnostic:
    return Diagnostic(f"Connect cluster {name}: could not {doing} all workers", str(problem))


def _held_elsewhere(prior: State | None, planned: State | None) -> list[Diagnostic]:
    """Asked once more at the apply: the plan may be old."""
    after = None if planned is None else known_values(planned)
    return told(changes.problems(placed(prior or planned), after, changes.Known(held_elsewhere=True)))
