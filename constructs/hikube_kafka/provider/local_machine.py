"""What resources on this machine have in common: a directory, servers, ports that nobody else may have."""

import os
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hikube_kafka.plugin.diagnostics import Diagnostic
from hikube_kafka.plugin.resource import State
from hikube_kafka.plugin.schema import NUMBER, STRING, Attribute, Map, Nested
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.spec.ensemble import Kind, ServerProcess

RUNNING = "running"
"""What a process is when it runs as declared and, being a broker, is in sync, or, being a worker, has joined."""

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
