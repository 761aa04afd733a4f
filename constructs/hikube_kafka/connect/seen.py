"""What the workers tell: connectors with their tasks, plugins, the findings of a validation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Kind = Literal["source", "sink"]


@dataclass(frozen=True, kw_only=True)
class TaskSeen:
    """A task of a connector."""

    id: int
    state: str
    """In Connect's words: ``RUNNING``, ``FAILED``, ``PAUSED``, ``UNASSIGNED``, ``RESTARTING``, ``DESTROYED``."""
    worker: str
    """``host:port`` of the worker that runs it."""
    trace: str | None = None
    """Java's stack trace of a task that failed."""


@dataclass(frozen=True, kw_only=True)
class ConnectorSeen:
    """A connector, as the workers have it."""

    name: str
    config: Mapping[str, str]
    """As it was given; a reference to a config provider is still the reference."""
    kind: Kind | None
    """None: no worker has its class loaded."""
    state: str
    """In Connect's words: ``RUNNING``, ``PAUSED``, ``STOPPED``, ``FAILED``, ``UNASSIGNED``; UNASSIGNED too where the
    workers do not tell yet."""
    worker: str
    trace: str | None
    tasks: tuple[TaskSeen, ...]

    @property
    def failed(self) -> tuple[TaskSeen, ...]:
        """The tasks that failed."""
        return tuple(task for task in self.tasks if task.state == "FAILED")

    @property
    def running(self) -> int:
        """How many tasks run."""
        return sum(task.state == "RUNNING" for task in self.tasks)

    @classmethod
    def of(cls, name: str, info: Mapping[str, Any], status: Mapping[str, Any]) -> Self:
        """A connector from two answers of the workers.

        Args:
            name: Its name.
            info: What ``GET /connectors/<name>`` answers.
            status: What ``GET /connectors/<name>/status`` answers; empty: that is not told yet.
        """
        connector = status.get("connector") or {}
        kind = info.get("type") or status.get("type")
        return cls(
            name=name,
            config={str(key): str(value) for key, value in (info.get("config") or {}).items() if value is not None},
            kind=kind if kind in {"source", "sink"} else None,
            state=str(connector.get("state") or "UNASSIGNED"),
            worker=str(connector.get("worker_id") or ""),
            trace=connector.get("trace"),
            tasks=tuple(
                TaskSeen(
                    id=int(task["id"]),
                    state=str(task.get("state")),
                    worker=str(task.get("worker_id") or ""),
                    trace=task.get("trace"),
                )
                for task in status.get("tasks") or ()
            ),
        )


@dataclass(frozen=True, kw_only=True)
class PluginSeen:
    """A class that a worker has loaded."""

    class_name: str
    kind: str
    """``source``, ``sink``, ``converter``, ``header_converter``, ``transformation``, ``predicate``."""
    version: str | None
    """None or ``undefined`` where the class does not say."""


@dataclass(frozen=True, kw_only=True)
class KeyFindings:
    """What a validation says of one key."""

    key: str
    password: bool
    """Whether its value is a secret: it is defined with the type PASSWORD."""
    errors: tuple[str, ...]
    """Connect's sentences, with a value of the password type taken out."""


def summary(trace: str | None) -> str:
    """The two lines of a stack trace that tell most: the first, and the last ``Caused by:``."""
    lines = [line.strip() for line in (trace or "").splitlines() if line.strip()]
    if not lines:
        return "Connect tells no reason"
    causes = [line for line in lines if line.startswith("Caused by:")]
    return " ".join(dict.fromkeys([lines[0], *causes[-1:]]))
