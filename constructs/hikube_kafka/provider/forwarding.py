"""Reaching the brokers of a cluster in Kubernetes: port-forwards that stand as long as the provider runs."""

from contextlib import ExitStack

from hikube_kafka.probe.kubernetes import ContextUnknownError, KubeconfigError, KubernetesError
from hikube_kafka.probe.port_forward import forwarded
from hikube_kafka.provider.settings import KubernetesReach
from hikube_kafka.spec.contract import ReachByPortForward

_FIRST = (0, 1, 2)
"""Brokers tried first: any of them names all others."""
_POD_SECONDS = 3.0
"""For a pod to run: an apply asks again until its own patience ends."""
_PORT_SECONDS = 30.0
"""For a port: the provider's process before this one may just be ending."""

__all__ = ["Forwarding", "KubernetesError", "is_final"]


class Forwarding:
    """Port-forwards to the brokers of one release.

    Args:
        reach: Where it is.
    """

    def __init__(self, reach: KubernetesReach) -> None:
        self._reach = reach
        self._standing = ExitStack()
        self._brokers: dict[int, str] = {}

    @property
    def addresses(self) -> str:
        """``host:port`` on this machine of each broker that a forward stands for, separated by commas."""
        return ",".join(self._brokers.values())

    def open(self, brokers: frozenset[int] = frozenset(_FIRST)) -> bool:
        """Open the forwards to these brokers that do not stand yet.

        Returns:
            Whether any was opened.

        Raises:
            KubernetesError: None of their pods is within reach.
        """
        missing = sorted(brokers - self._brokers.keys())
        if not missing:
            return False
        forwards = self._standing.enter_context(
            forwarded(
                ReachByPortForward(
                    namespace=self._reach.namespace,
                    context=self._reach.context,
                    kafka_pods=self._reach.release,
                    zookeeper_pods="",
                ),
                brokers=missing,
                zookeeper=(),
                kubeconfig=self._reach.kubeconfig,
                require="any",
                pod_wait_seconds=_POD_SECONDS,
                port_wait_seconds=_PORT_SECONDS,
            )
        )
        self._brokers.update(forwards.brokers)
        return True


def is_final(error: KubernetesError) -> bool:
    """Whether waiting cannot help: the kubeconfig itself is at fault."""
    return isinstance(error, KubeconfigError | ContextUnknownError)
