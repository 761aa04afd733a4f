"""How a complete Kafka and ZooKeeper client works from outside a cluster in Kubernetes: the port-forwards it needs.

A broker advertises 127.0.0.1 and a port of its own on its forward listener, so the forward must stand on exactly that
port here. A ZooKeeper server advertises nothing; any free port does.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hikube_kafka.kubernetes.errors import KubernetesError, LocalPortInUseError
from hikube_kafka.kubernetes.port_forward import PodPort, forward
from hikube_kafka.spec.contract import ReachByPortForward


class BrokerPortInUseError(KubernetesError):
    """The port that a broker advertises to clients that come through a port-forward is taken on this machine.

    Attributes:
        broker: Id of the broker.
        port: The port on 127.0.0.1.
        holder: The process that has it, as ``name (process 123)``; None where the system does not tell.
        waited_seconds: How long it was waited for.
    """

    def __init__(self, broker: int, taken: LocalPortInUseError) -> None:
        self.broker = broker
        self.port = taken.port
        self.holder = taken.holder
        self.waited_seconds = taken.waited_seconds
        super().__init__(
            f"port 127.0.0.1:{self.port} is in use by {self.holder or 'another process'} (waited "
            f"{self.waited_seconds:g} s for it), and broker {broker} advertises exactly this port to clients that "
            "connect through a port-forward. Stop that process (another run of Terraform or of the smoke tests, a "
            "kubectl port-forward), or declare another forward_port for the platform."
        )


@dataclass(frozen=True, kw_only=True)
class Forwards:
    """Port-forwards to brokers and ZooKeeper servers that stand."""

    brokers: Mapping[int, str]
    """``host:port`` on this machine by broker id; exactly what the broker advertises."""
    zookeeper: Mapping[int, str]
    """``host:port`` on this machine by ZooKeeper server id."""
    troubles: Mapping[str, str]
    """Why the last connection to a pod failed, by the pod's name; a connection that opens clears it."""
    workers: Mapping[PodPort, str] = field(default_factory=dict)
    """``host:port`` on this machine of each Connect worker."""


@contextlib.contextmanager
def forwarded(
    reach: ReachByPortForward,
    *,
    brokers: Iterable[int],
    zookeeper: Iterable[int],
    workers: Iterable[PodPort] = (),
    kubeconfig: str | None = None,
    require: Literal["all", "any"] = "all",
    pod_wait_seconds: float = 60.0,
    port_wait_seconds: float = 30.0,
) -> Iterator[Forwards]:
    """Keep port-forwards to brokers and ZooKeeper servers for as long as the context lasts.

    Args:
        reach: Where the pods are.
        brokers: Ids of the brokers to reach.
        zookeeper: Ids of the ZooKeeper servers to reach.
        workers: REST interfaces of the Connect workers to reach.
        kubeconfig: As for `hikube_kafka.kubernetes.port_forward.forward`, like what follows.
        require: Likewise.
        pod_wait_seconds: Likewise.
        port_wait_seconds: Likewise.

    Yields:
        The addresses on this machine.

    Raises:
        BrokerPortInUseError: Another process has the port that a broker advertises.
        KubernetesError: The cluster or a pod cannot be reached; each reason is an error of its own.
    """
    of_brokers = {broker: _of_broker(reach, broker) for broker in brokers}
    of_servers = {server: PodPort(pod=reach.zookeeper_pod(server), port=reach.zookeeper_port) for server in zookeeper}
    of_workers = list(workers)
    standing = forward(
        [*of_brokers.values(), *of_servers.values(), *of_workers],
        namespace=reach.namespace,
        kubeconfig=kubeconfig,
        context=reach.context,
        require=require,
        pod_wait_seconds=pod_wait_seconds,
        port_wait_seconds=port_wait_seconds,
    )
    with contextlib.ExitStack() as stack:
        try:
            forwards = stack.enter_context(standing)
        except LocalPortInUseError as error:
            broker = next(broker for broker, target in of_brokers.items() if target.pod == error.pod)
            raise BrokerPortInUseError(broker, error) from None
        yield Forwards(
            brokers={broker: forwards.addresses[target] for broker, target in of_brokers.items()},
            zookeeper={server: forwards.addresses[target] for server, target in of_servers.items()},
            workers={target: forwards.addresses[target] for target in of_workers},
            troubles=forwards.troubles,
        )


def _of_broker(reach: ReachByPortForward, broker: int) -> PodPort:
    port = reach.forward_port + broker
    return PodPort(pod=reach.broker_pod(broker), port=port, local_port=port)
