"""A Connect cluster, as the provider sees it: one read of all connectors for the whole process."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from hikube_kafka.connect.client import ConnectClient
from hikube_kafka.connect.errors import NotThere, Rebalancing, Refused, Unreachable
from hikube_kafka.connect.seen import ConnectorSeen, KeyFindings
from hikube_kafka.kubernetes.errors import KubernetesError
from hikube_kafka.plugin.diagnostics import Diagnostic
from hikube_kafka.provider.settings import CONNECT_PORT, KubernetesReach, Settings
from hikube_kafka.waiting import Stopped, until

if TYPE_CHECKING:
    from hikube_kafka.kubernetes.port_forward import PodForwards

_ARRIVAL_SECONDS = 120.0
"""For a worker to answer during an apply: one that was made a moment ago loads its plugins first."""
_RETURN_SECONDS = 15.0
"""For a worker to answer where something is deleted: what runs there was made before. A restart takes about as long."""
_ORDINALS = range(3)
"""Pods that are tried: any worker answers for all."""
_POD_SECONDS = 3.0
_PORT_SECONDS = 30.0


class Workers:
    """The workers of one group, for one provider process; used from many threads at once.

    Args:
        settings: Where they are; nothing that is needed for that may be unknown.
        stopped: Set when the user presses Ctrl-C: waits then end.
        on_request: Takes method and path of each request: for counting.
    """

    def __init__(
        self,
        settings: Settings,
        stopped: threading.Event,
        *,
        on_request: Callable[[str, str], None] = lambda _method, _path: None,
    ) -> None:
        self._reach = settings.kubernetes
        self._local = settings.local_connect
        self._stopped = stopped
        self.client = ConnectClient(
            settings.connect_urls or (self._forwarded if settings.local_connect is None else self._here),
            stopped=stopped.is_set,
            on_request=on_request,
        )
        self._lock = threading.RLock()
        self._standing = ExitStack()
        self._forwards: PodForwards | None = None
        self._looks = 0
        self._seen: Mapping[str, ConnectorSeen] | None = None
        self._names: frozenset[str] | None = None
        self._failure: Unreachable | Rebalancing | Refused | None = None
        self._judged: dict[tuple[str, frozenset[tuple[str, str]]], tuple[KeyFindings, ...] | Refused] = {}
        self._classes: frozenset[str] | None = None
        self._waited = 0.0

    def all(self, *, fresh: bool = False) -> Mapping[str, ConnectorSeen]:
        """All connectors, read once per process unless they must be fresh.

        What is fresh was read after it was asked for: all that wait while one reads are answered by the next read.

        Raises:
            Unreachable: No worker answers; remembered, so that a hundred connectors wait for it once.
            Rebalancing: The workers are busy with each other; remembered likewise.
            Refused: They say no; remembered likewise.
        """
        begun = self._looks
        with self._lock:
            if self._failure is not None and not fresh:
                raise self._failure
            if self._seen is None or (fresh and self._looks == begun):
                self._looks += 1
                self._seen = self._names = None
                try:
                    self._seen = self.client.connectors()
                except Unreachable as failure:
                    self._failure = self._explained(failure)
                    raise self._failure from None
                except (Rebalancing, Refused) as failure:
                    self._failure = failure
                    raise
                self._failure = None
            return self._seen

    def find(self, name: str, *, fresh: bool = False) -> ConnectorSeen | None:
        """A connector; None: Connect says that there is none.

        Raises:
            Unreachable: As :meth:`all`, like the others.
            Rebalancing: Likewise.
            Refused: Likewise.
        """
        seen = self.all(fresh=fresh).get(name)
        if seen is not None:
            return seen
        # The list leaves out whatever has no status yet; the names alone have them too.
        with self._lock:
            if self._names is None:
                self._names = frozenset(self.client.names())
            if name not in self._names:
                return None
        try:
            return self.client.connector(name)
        except NotThere:
            return None

    def await_answer(self, *, starting: bool = True) -> None:
        """Wait a bounded time for a worker that may be starting. For an apply.

        Args:
            starting: Whether it may; if not, it gets a moment to come back and no more.

        Raises:
            Unreachable: None answered in time; the next caller looks once.
            Rebalancing: They are busy with each other.
            Refused: They say no.
            Stopped: Ctrl-C.
        """
        problems: list[Unreachable] = []

        def answered() -> bool:
            try:
                self.all(fresh=bool(problems) or self._failure is not None)
            except Unreachable as problem:
                problems.append(problem)
                return False
            return True

        patience = _ARRIVAL_SECONDS if starting else _RETURN_SECONDS
        if not until(answered, patience - self._waited, self._stopped.is_set, every=0.5):
            self._waited = max(self._waited, patience)
            last = problems[-1]
            raise Unreachable(last.urls, f"{last.reason}; waited {self._waited:g} s for it")

    def validate(self, class_name: str, config: Mapping[str, str]) -> tuple[KeyFindings, ...]:
        """What Connect says of a configuration; the same is asked once per process.

        Raises:
            Unreachable: No worker answers.
            Rebalancing: They are busy with each other.
            Refused: Connect cannot validate it.
        """
        key = (class_name, frozenset(config.items()))
        with self._lock:
            known = self._judged.get(key)
        if known is None:
            try:
                known = self.client.validate(class_name, config)
            except Refused as refusal:
                known = refusal
            with self._lock:
                self._judged[key] = known
        if isinstance(known, Refused):
            raise known
        return known

    def classes(self) -> frozenset[str]:
        """The connectors' classes that the workers have loaded.

        Raises:
            Unreachable: No worker answers.
            Rebalancing: They are busy with each other.
            Refused: They do not tell.
        """
        with self._lock:
            if self._classes is None:
                self._classes = frozenset(each.class_name for each in self.client.plugins())
            return self._classes

    def forget(self) -> None:
        """Something was changed: read everything anew when it is next asked for."""
        with self._lock:
            self._seen = self._names = None

    def forget_all(self) -> None:
        """The workers themselves have been changed: what they said is worth nothing now."""
        with self._lock:
            self._seen = self._names = self._failure = self._classes = None
            self._judged.clear()
            self._waited = 0.0

    def _here(self) -> tuple[str, ...]:
        """URLs of workers of this machine, as they were declared last.

        Raises:
            Unreachable: There is no such Connect cluster.
        """
        from hikube_kafka import ensemble
        from hikube_kafka.ensemble.configuration import read_connect
        from hikube_kafka.ensemble.living_workers import rest_address

        name = self._local or ""
        try:
            path = ensemble.resolved(name if os.sep in name else ensemble.default_directory(name))
            found = read_connect(path)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as problem:  # the last: ~ of nobody
            raise Unreachable([name], f"its folder cannot be read: {problem}") from None
        if found is None:
            raise Unreachable([name], f"{path} holds no Connect cluster")
        addresses = (rest_address(worker.properties) for worker in found.workers)
        return tuple(f"http://{address}" for address in addresses if address)

    def _forwarded(self) -> tuple[str, ...]:
        """URLs of port-forwards to the workers' pods; they stand from then on.

        Raises:
            Unreachable: No pod can be reached.
        """
        from hikube_kafka.kubernetes.port_forward import PodPort, forward

        reach = self._reach
        assert reach is not None  # noqa: S101 - the session made sure: there is a URL, or a release
        with self._lock:
            if self._forwards is None:
                port = reach.connect_port or CONNECT_PORT
                try:
                    self._forwards = self._standing.enter_context(
                        forward(
                            [PodPort(pod=pod, port=port) for pod in _pods(reach)],
                            namespace=reach.namespace,
                            kubeconfig=reach.kubeconfig,
                            context=reach.context,
                            require="any",
                            pod_wait_seconds=_POD_SECONDS,
                            port_wait_seconds=_PORT_SECONDS,
                        )
                    )
                except KubernetesError as error:
                    raise Unreachable(_pods(reach), str(error)) from None
            return tuple(f"http://{address}" for address in self._forwards.addresses.values())

    def _explained(self, failure: Unreachable) -> Unreachable:
        """What is known of the pods behind the forwards, which tells more than that a connection was closed."""
        if self._forwards is None or self._reach is None or not self._forwards.troubles:
            return failure
        troubles = "; ".join(f"{pod}: {trouble}" for pod, trouble in sorted(self._forwards.troubles.items()))
        return Unreachable(_pods(self._reach), troubles)


def _pods(reach: KubernetesReach) -> list[str]:
    return [f"{reach.connect_release}-{ordinal}" for ordinal in _ORDINALS]


def not_answered(problem: Unreachable | Rebalancing | Refused | Stopped, *, doing: str) -> Diagnostic:
    """Why Connect was not asked, or said no, for the user.

    Args:
        problem: What stood in the way.
        doing: What was to be done, to be read after "cannot": ``read the connectors``.
    """
    if isinstance(problem, Stopped):
        return Diagnostic(
            "Stopped", f"Interrupted before the provider could {doing}. The next apply continues from here."
        )
    if isinstance(problem, Rebalancing):
        return Diagnostic(
            "The Connect workers are rebalancing",
            f"The provider cannot {doing}: {problem.reason} (waited {problem.waited_seconds:g} s for it). Check that "
            "no worker keeps leaving the group and coming back, then apply again.",
        )
    if isinstance(problem, Refused):
        return Diagnostic(f"Connect refused to {doing}", problem.reason)
    return Diagnostic(
        "The Connect workers do not answer",
        f"The provider cannot {doing}: {problem}. What cannot be read is not taken for gone. Check that a worker runs, "
        "and the provider block: connect_url, local_connect, or kubernetes with connect_release.",
    )
