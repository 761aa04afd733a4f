"""What resources on this machine have in common: a directory, servers, ports that nobody else may have."""

import os
import re
import shlex
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.log import log
from hikube_kafka.plugin.resource import State
from hikube_kafka.plugin.schema import NUMBER, STRING, Attribute, Map, Nested
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.spec.changes.local_ensemble import Present
from hikube_kafka.spec.ensemble import ConnectDeclaration, EnsembleDeclaration, Kind, ServerProcess

RUNNING = "running"
"""What a process is when it runs as declared and, being a broker, is in sync, or, being a worker, has joined."""

Found = TypeVar("Found", EnsembleDeclaration, ConnectDeclaration)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEAP = re.compile(r"[1-9][0-9]{0,17}[kmgKMG]")


class LocalMachine:
    """Who in a configuration has which port, directory and group, as far as it has been planned."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[tuple[str, Any], tuple[str, str]] = {}

    def others(self, directory: str, what: str, kind: str, keys: Iterable[Any]) -> dict[str, list[Any]]:
        """Take each of the keys for what is in a directory, and tell what it shares with what else.

        Args:
            directory: Of what takes them.
            what: What that is, in words: ``ensemble events``.
            kind: Of the keys: ``port``.
            keys: What is taken.
        """
        found: dict[str, list[Any]] = {}
        with self._lock:
            for key in keys:
                other_directory, other = self._taken.setdefault((kind, key), (directory, what))
                if other_directory != directory:
                    found.setdefault(other, []).append(key)
        return found

    def shared_with(self, directory: str, what: str) -> str | None:
        """Something of another kind in the same directory; of one kind, the addresses of the plan tell it.

        Args:
            directory: The directory.
            what: What is to be in it, its kind first: ``ensemble events``.
        """
        with self._lock:
            _, other = self._taken.setdefault(("directory", directory), (directory, what))
        return None if other.partition(" ")[0] == what.partition(" ")[0] else other


class Directories:
    """What the directories of this machine hold, as resources of one kind see them; used from many threads at once.

    Args:
        what: The kind: ``Connect cluster``.
        example: Name of a directory, for a text.
    """

    def __init__(self, what: str, *, example: str) -> None:
        self._what = what
        self._example = example
        self._lock = threading.Lock()
        self._held: dict[str, State] = {}

    def held(self, path: str) -> State | None:
        """What a state of this configuration has in a directory, as far as it has been seen by now."""
        with self._lock:
            return self._held.get(path)

    def is_held_elsewhere(self, prior: State) -> bool:
        """Whether another state has created something there since.

        Raises:
            Refusal: It cannot be read.
        """
        from hikube_kafka import ensemble

        try:
            ensemble.refuse_foreign(ensemble.resolved(place(prior)), prior["owner"])
        except ensemble.HeldByAnotherError:
            return True
        except (ensemble.EnsembleError, OSError) as problem:
            raise Refusal(self.not_read(problem, prior)) from None
        with self._lock:
            self._held[place(prior)] = prior
        return False

    def present(self, planned: State) -> Present | None:
        """What is there already where something is to be created.

        Raises:
            Refusal: It cannot be read.
        """
        from hikube_kafka import ensemble

        try:
            ensemble.refuse_existing(ensemble.resolved(planned["path"]))
        except ensemble.EnsembleExistsError as problem:
            return as_present(planned, problem.running)
        except (ensemble.EnsembleError, OSError) as problem:
            raise Refusal(self.not_read(problem, planned)) from None
        return None

    def imported(self, identifier: str, read: Callable[[Path], Found | None]) -> tuple[Found, State]:
        """What was declared last in a directory, and the part of a state that all kinds have.

        Args:
            identifier: Its name, or its directory.
            read: Reads it.

        Raises:
            Refusal: There is none, or it cannot be read.
        """
        from hikube_kafka import ensemble

        directory = identifier if os.sep in identifier else str(ensemble.default_directory(identifier))
        try:
            path = ensemble.resolved(directory)
            found = read(path)
            ownership = ensemble.read_ownership(path)
        except (ensemble.EnsembleError, OSError, ValueError, KeyError, TypeError, RuntimeError) as problem:
            # The last: ~ of a user whom this machine does not have.
            raise Refusal(self.not_read(problem, {"name": identifier, "directory": directory})) from None
        if found is None:
            raise Refusal(
                Diagnostic(
                    f"There is no {self._what} {identifier}",
                    f"{path} holds none. Import it by its name if it is in {ensemble.default_directory('<name>')}, "
                    f"otherwise by its directory, with a {os.sep} in it: .{os.sep}{self._example}.",
                )
            )
        return found, {
            "name": found.name,
            "directory": directory,
            "path": str(path),
            "owner": ownership.owner if ownership else None,
            "kafka_home": found.kafka_home,
        }

    def not_read(self, problem: Exception, state: State) -> Diagnostic:
        """Why it is not known what a directory holds."""
        what = f"{self._what[0].upper()}{self._what[1:]}"
        return Diagnostic(f"{what} {state['name']} cannot be read", f"{problem} Directory: {state['directory']}.")


def as_present(planned: State, running: Sequence[str]) -> Present:
    """What is there, and how it is named: by its name where it is in the default directory of that name."""
    by_name = planned["path"] == absolute(directory({"name": planned["name"], "directory": None}))
    return Present(running=running, identifier=planned["name"] if by_name else shlex.quote(planned["path"]))


def tell(step: str) -> None:
    """One line of what an apply does, into the provider's log."""
    log("info", step)


def servers(what: str, ids: str, bounds: tuple[int, int], file: str) -> Attribute:
    """Servers of one kind as an attribute."""
    return Attribute(
        nested=Nested(
            "list",
            {
                "id": Attribute(NUMBER, required=True, minimum=bounds[0], maximum=bounds[1], description=ids),
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


def processes(kind: Kind, values: Iterable[Mapping[str, Any]]) -> tuple[ServerProcess, ...]:
    """The servers of an attribute."""
    return tuple(
        ServerProcess(kind=kind, id=int(each["id"]), properties=each["properties"], heap=each["heap"])
        for each in values
    )


def attributes(server: ServerProcess) -> State:
    """A server as an element of its attribute."""
    return {"id": server.id, "heap": server.heap, "properties": dict(server.properties)}


def name_faults(name: Any, what: str) -> list[Diagnostic]:
    """What is wrong with the name of a folder."""
    if not isinstance(name, str) or _NAME.fullmatch(name):
        return []
    fault = Diagnostic(
        f"{name!r} cannot be the name of {what}",
        "It names a folder: use letters, digits, dots, underscores and hyphens, with a letter or digit first.",
        path=("name",),
    )
    return [fault]


def home_faults(config: State) -> list[Diagnostic]:
    """A folder below the home of a user whom this machine does not have."""
    return [
        Diagnostic(
            f"{attribute} = {config[attribute]!r} is below the home of a user whom this machine does not have",
            "Correct the name after ~, or write the path in full.",
            path=(attribute,),
        )
        for attribute in ("directory", "kafka_home")
        if isinstance(config[attribute], str) and os.path.expanduser(config[attribute]).startswith("~")  # noqa: PTH111
    ]


def heap_faults(heap: Any, path: tuple[str | int, ...]) -> list[Diagnostic]:
    """What is wrong with the heap of the server at a path."""
    if not isinstance(heap, str) or _HEAP.fullmatch(heap):
        return []
    return [Diagnostic(f"heap {heap!r} is not a size", 'Write it as Java does: "512m", "2g".', path=(*path, "heap"))]


def directory(config: State, prior: State | None = None) -> Any:
    """The declared directory, or the default one; unknown while the name is."""
    if config["directory"] is not None:
        return config["directory"]
    if config["name"] is UNKNOWN:
        return UNKNOWN
    from hikube_kafka.ensemble import default_directory

    default = default_directory(config["name"])
    if prior is not None and default.parts[-2:] == Path(prior["directory"]).parts[-2:]:
        # The default of another home (sudo, XDG_DATA_HOME): it stays where it was created.
        return prior["directory"]
    return str(default)


def absolute(directory: Any) -> Any:
    """The absolute path of a directory; unknown like it."""
    if directory is UNKNOWN:
        return UNKNOWN
    from hikube_kafka.ensemble import resolved

    return str(resolved(directory))


def place(state: State) -> str:
    """Where what a state has is: a relative directory stays where it was created."""
    return str(state["path"] or absolute(state["directory"]))


def placed(prior: State | None) -> State | None:
    """A prior state with its place as the path."""
    return None if prior is None else {**prior, "path": place(prior)}


def settle(planned: State, prior: State | None) -> list[tuple[str]]:
    """Give a plan the path of its directory; tells which attributes have it replaced.

    Args:
        planned: The plan, with its directory; changed in place.
        prior: As it is; None: it is created.
    """
    path = planned["path"] = absolute(planned["directory"])
    if prior is None:
        return []
    if planned["directory"] == prior["directory"] or path == place(prior):
        # The same place, maybe spelled otherwise, or relative to somewhere else by now.
        path = place(prior)
        planned |= {"directory": prior["directory"], "path": prior["path"]}
    replace = [("name",)] if planned["name"] != prior["name"] else []
    return replace + ([("directory",)] if path != place(prior) else [])


def of_clients(new: frozenset[int]) -> dict[str, Any]:
    """What a warning says of ports that are not declared yet and that outgoing connections may hold."""
    from hikube_kafka.ensemble.ports import given_to_clients, kept_from_clients

    clients = given_to_clients() if new else None
    if clients is None:
        return {}
    kept = kept_from_clients()
    return {
        "clients": clients,
        "of_clients": [port for port in sorted(new) if clients[0] <= port <= clients[1] and port not in kept],
    }


def ports(declared: Sequence[ServerProcess]) -> frozenset[int]:
    """All ports of servers."""
    return frozenset(port for server in declared for port in server.ports)
