"""Reaching a cluster in Kubernetes: port-forwards that stand as long as the provider runs."""

from collections.abc import Collection
from contextlib import ExitStack

from hikube_kafka.kubernetes.errors import ContextUnknownError, KubeconfigError, KubernetesError
from hikube_kafka.kubernetes.kubeconfig import kubeconfig
from hikube_kafka.probe.forwards import Forwards, forwarded
from hikube_kafka.provider.settings import KubernetesReach
from hikube_kafka.spec.contract import ReachByPortForward

_FIRST = (0, 1, 2)
"""Brokers tried first: any of them names all others."""
_POD_SECONDS = 3.0
"""For a pod to run: an apply asks again until its own patience ends."""
_PORT_SECONDS = 30.0
"""For a port: the provider's process before this one may just be ending."""


class Forwarding:
    """Port-forwards to the brokers of one release, and to the ZooKeeper servers of another.

    Args:
        reach: Where they are.
    """

    def __init__(self, reach: KubernetesReach) -> None:
        port = {} if reach.forward_port is None else {"forward_port": reach.forward_port}
        self._reach = ReachByPortForward(
            namespace=reach.namespace,
            context=reach.context,
            kafka_pods=reach.release,
            zookeeper_pods=reach.zookeeper_release or "",
            **port,
        )
        self._kubeconfig = reach.kubeconfig
        self._standing = ExitStack()
        self._brokers: dict[int, str] = {}
        self._servers: dict[int, str] = {}

    @property
    def addresses(self) -> str:
        """``host:port`` on this machine of each broker that a forward stands for, separated by commas."""
        return ",".join(self._brokers.values())

    def by_hand(self) -> str:
        """The command that opens the forwards to the same brokers again, for a user, once these have ended."""
        kubectl = kubeconfig(self._kubeconfig, self._reach.context).command("kubectl", self._reach.namespace)
        pod, port = f"{self._reach.kafka_pods}-$broker", f"$(({self._reach.forward_port} + broker))"
        brokers = " ".join(map(str, sorted(self._brokers)))
        return f"for broker in {brokers}; do {kubectl} port-forward {pod} {port} & done"

    def open(self, brokers: frozenset[int] = frozenset(_FIRST)) -> bool:
        """Open the forwards to these brokers that do not stand yet.

        Returns:
            Whether any was opened.

        Raises:
            KubernetesError: None of their pods can be reached.
        """
        missing = sorted(brokers - self._brokers.keys())
        if missing:
            self._brokers.update(self._forwards(brokers=missing).brokers)
        return bool(missing)

    def zookeeper(self, servers: Collection[int]) -> dict[str, str]:
        """Open the forwards to these ZooKeeper servers that do not stand yet.

        Returns:
            Where each of them is to be dialled, by a name that stays the same from one run to the next.

        Raises:
            KubernetesError: None of their pods can be reached.
        """
        missing = sorted(set(servers) - self._servers.keys())
        if missing:
            self._servers.update(self._forwards(zookeeper=missing).zookeeper)
        port = self._reach.zookeeper_port
        return {f"{self._reach.zookeeper_pod(server)}:{port}": self._servers[server] for server in sorted(servers)}

    def _forwards(self, *, brokers: Collection[int] = (), zookeeper: Collection[int] = ()) -> Forwards:
        return self._standing.enter_context(
            forwarded(
                self._reach,
                brokers=sorted(brokers),
                zookeeper=sorted(zookeeper),
                kubeconfig=self._kubeconfig,
                require="any",
                pod_wait_seconds=_POD_SECONDS,
                port_wait_seconds=_PORT_SECONDS,
            )
        )


def is_final(error: KubernetesError) -> bool:
    """Whether waiting cannot help: the kubeconfig itself is at fault."""
    return isinstance(error, KubeconfigError | ContextUnknownError)
