"""What the gates ask living Connect workers: who answers, who has joined the group, which tasks wait.

The clients of Connect and Kafka are loaded by the first call that looks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.errors import Rebalancing, Refused, Unreachable
from hikube_kafka.ensemble.configuration import written_properties
from hikube_kafka.probe.observation import GroupSeen, Unreadable
from hikube_kafka.spec.ensemble import LISTENER

if TYPE_CHECKING:
    from hikube_kafka.connect.seen import ConnectorSeen

_ANSWER_SECONDS = 2.0
"""Longest wait for one answer on this machine."""
_EVERY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - what is asked in its place
_WAITING = frozenset({"UNASSIGNED", "RESTARTING"})


def rest_address(properties: Mapping[str, str]) -> str | None:
    """``host:port`` at which a worker's REST interface is asked; None: it has no listener of plain HTTP."""
    for listener in properties.get("listeners", "").split(","):
        match = LISTENER.fullmatch(listener.strip())
        if match and match["name"].lower() == "http":
            host = match["host"]
            return f"{_EVERY_ADDRESS.get(host.strip('[]'), host)}:{match['port']}"
    return None


def worker_id(properties: Mapping[str, str]) -> str:
    """``host:port`` by which the workers speak of this one."""
    host, _, port = (rest_address(properties) or "").rpartition(":")
    return f"{properties.get('rest.advertised.host.name') or host}:{properties.get('rest.advertised.port') or port}"


@dataclass(frozen=True, kw_only=True)
class WorkersPicture:
    """One look at the workers of this machine, their group, and their connectors."""

    ids: Mapping[str, str]
    """By the name of each worker that runs: how the others speak of it."""
    away: frozenset[str]
    """How the others speak of the workers of this directory that do not run."""
    answering: frozenset[str]
    """Names of the workers that answer."""
    group: GroupSeen | Unreadable | None
    """None: it is not asked, since Kafka asks for credentials."""
    connectors: "Mapping[str, ConnectorSeen] | None"
    """None: nobody tells."""

    def has_joined(self, name: str) -> bool:
        """Whether the worker answers and is a member of the group, as far as the group can be asked."""
        if name not in self.answering:
            return False
        if self.group is None or isinstance(self.group, Unreadable) or self.group.is_rebalancing:
            return True
        return self.ids[name] in self._members()

    def lacking(self) -> list[str]:
        """What keeps the group from being balanced, a sentence each; empty when nothing does."""
        found = [f"{name} does not answer" for name in sorted(self.ids.keys() - self.answering)]
        if isinstance(self.group, Unreadable):
            found.append(f"{self.group}")
        elif self.group is not None and self.group.is_rebalancing:
            found.append("a rebalance is under way")
        elif self.group is not None:
            members = self._members()
            found += [
                f"{name} has not joined the group" for name, its in sorted(self.ids.items()) if its not in members
            ]
            gone = [
                its for its, count in members.items() if its in self.away or (its in self.ids.values() and count > 1)
            ]
            found += [f"the group has not missed the former worker at {its} yet" for its in sorted(gone)]
            if not found and not self.group.is_balanced:
                found.append("a rebalance is due: tasks wait for a worker that left, or move to another one")
        if self.connectors is None:
            found.append("the workers do not tell their connectors")
        else:
            found += self._unassigned(self.connectors)
        return found

    def _members(self) -> Counter[str]:
        if self.group is None or isinstance(self.group, Unreadable):
            return Counter()
        return Counter(member.partition("://")[2].strip("/") for member in self.group.members)

    def _unassigned(self, connectors: "Mapping[str, ConnectorSeen]") -> list[str]:
        parts = [(f"connector {name}", each.state, each.worker) for name, each in connectors.items()]
        parts += [
            (f"task {task.id} of connector {name}", task.state, task.worker)
            for name, each in connectors.items()
            for task in each.tasks
        ]
        return [f"{what} waits for a worker" for what, state, at in parts if state in _WAITING or at in self.away]


class LivingWorkers:
    """Looks at the workers of a directory; connections are opened when first asked and kept until the end.

    Args:
        directory: of the Connect cluster.
        running: tells the names of the workers that run.
    """

    def __init__(self, directory: Path, running: Callable[[], Iterable[str]]) -> None:
        self._directory = directory
        self._running = running
        self._clients: dict[str, ConnectClient] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            client.close()

    def answers(self, name: str) -> bool:
        """Whether the worker of this name answers at the address that it was started with."""
        try:
            client = self._client(written_properties(self._directory / name))
            if client is None:
                return False
            client.root()
        except (Unreachable, Refused, Rebalancing):
            return False
        return True

    def picture(self) -> WorkersPicture:
        """Look at all workers that run."""
        running = sorted(self._running())
        written = {name: written_properties(self._directory / name) for name in running}
        answering = [name for name in running if self.answers(name)]
        connectors: Mapping[str, ConnectorSeen] | None = None
        client = self._client(written[answering[0]]) if answering else None
        if client is not None:
            try:
                connectors = client.connectors()
            except (Unreachable, Refused, Rebalancing):
                connectors = None
        ids = {name: worker_id(properties) for name, properties in written.items()}
        others = [folder for folder in self._directory.glob("worker-*") if folder.name not in written]
        return WorkersPicture(
            ids=ids,
            away=frozenset(worker_id(written_properties(each)) for each in others) - frozenset(ids.values()),
            answering=frozenset(answering),
            group=_group(written[running[0]]) if running else None,
            connectors=connectors,
        )

    def _client(self, properties: Mapping[str, str]) -> ConnectClient | None:
        address = rest_address(properties)
        if address is None:
            return None
        if address not in self._clients:
            self._clients[address] = ConnectClient(
                [f"http://{address}"], timeout=_ANSWER_SECONDS, answer=_ANSWER_SECONDS, patience=0
            )
        return self._clients[address]


def _group(properties: Mapping[str, str]) -> GroupSeen | Unreadable | None:
    bootstrap, group = (properties.get(key) for key in ("bootstrap.servers", "group.id"))
    if properties.get("security.protocol", "PLAINTEXT") != "PLAINTEXT" or not bootstrap or not group:
        return None
    from hikube_kafka.probe.worker_group import read_worker_group

    return read_worker_group(bootstrap, group, timeout=_ANSWER_SECONDS)
