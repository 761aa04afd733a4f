"""How the addresses of a contract are reached from here: as they are, or through port-forwards."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from hikube_kafka.kubernetes.client import ApiServer, ask
from hikube_kafka.kubernetes.errors import KubernetesError, OtherClusterError
from hikube_kafka.kubernetes.kubeconfig import kubeconfig as kubeconfig_of
from hikube_kafka.kubernetes.port_forward import PodPort
from hikube_kafka.probe.forwards import forwarded
from hikube_kafka.probe.workloads import Workloads, workloads
from hikube_kafka.spec.contract import Contract, ReachByPortForward


@dataclass(frozen=True, kw_only=True)
class Route:
    """A way to everything that a contract speaks of; as it is, it leads to each address itself."""

    dial: Mapping[str, str] = field(default_factory=dict)
    """Where to dial an address of the contract, if elsewhere: the local end of its port-forward."""
    pods: Mapping[str, str] = field(default_factory=dict)
    """Name of the pod behind an address of the contract."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Why the last connection to a pod failed, by the pod's name; kept up to date while the route is open."""
    workloads: Workloads | None = None
    """How to read Kubernetes; None: it is not read."""
    kubectl: str = "kubectl"
    """How a user calls it for the platform's cluster and namespace."""

    def trouble(self, address: str) -> str | None:
        """Why an address cannot be reached, as far as the route itself can tell."""
        pod = self.pods.get(address, "")
        return f"pod {pod}: {self.troubles[pod]}" if pod in self.troubles else None


DIRECT = Route()
"""Every address is dialled as it is."""


@contextlib.contextmanager
def open_route(
    contract: Contract, *, kubeconfig: str | None = None, in_cluster: bool = False, pod_wait_seconds: float = 60.0
) -> Iterator[Route]:
    """Keep a route to the contract's addresses open for as long as the context lasts.

    Args:
        contract: What is to be reached; from outside the cluster, with the addresses of `Contract.from_outside`.
        kubeconfig: For a platform in Kubernetes: the file, or several joined as in ``KUBECONFIG``; None means what the
            environment says: see `hikube_kafka.kubernetes.kubeconfig.kubeconfig`.
        in_cluster: Whether this runs inside the Kubernetes cluster: no port-forward is opened then.
        pod_wait_seconds: How long to wait until at least one pod can be reached.

    Raises:
        KubernetesError: The cluster, or every pod of it, cannot be reached, or it is another one than the contract's;
            each reason is an error of its own.
    """
    reach = contract.reach
    if not isinstance(reach, ReachByPortForward):
        yield DIRECT
        return
    pods = {server.address: reach.zookeeper_pod(server.id) for server in contract.zookeeper.servers}
    if reach.cluster is not None and not (in_cluster and contract.kubernetes is None):
        ask(kubeconfig, reach.context, reach.namespace, partial(_require_cluster, reach.cluster))
    pods |= {broker.address: reach.broker_pod(broker.id) for broker in contract.kafka.brokers}
    kubectl = kubeconfig_of(kubeconfig, reach.context).command("kubectl", reach.namespace)
    with contextlib.ExitStack() as stack:
        look: Workloads | None = None
        if contract.kubernetes is not None:
            dialled = {pod: int(address.rpartition(":")[2]) for address, pod in pods.items()} if in_cluster else None
            look = stack.enter_context(
                workloads(reach.namespace, kubeconfig=kubeconfig, context=reach.context, dialled=dialled)
            )
        workers = _workers(contract)
        if in_cluster:
            dial, troubles = _loopbacks(stack, reach, workers, kubeconfig, pod_wait_seconds)
            yield Route(
                dial=dial,
                pods=pods | {each.pod: each.pod for each in workers},
                troubles=troubles,
                workloads=look,
                kubectl=kubectl,
            )
            return
        forwards = stack.enter_context(
            forwarded(
                reach,
                brokers=[broker.id for broker in contract.kafka.brokers],
                zookeeper=[server.id for server in contract.zookeeper.servers],
                workers=workers,
                kubeconfig=kubeconfig,
                # A pod that is not there is a finding, not the end.
                require="any",
                pod_wait_seconds=pod_wait_seconds,
            )
        )
        dial = {server.address: forwards.zookeeper[server.id] for server in contract.zookeeper.servers}
        dial |= {broker.address: forwards.brokers[broker.id] for broker in contract.kafka.brokers}
        dial |= {each.pod: forwards.workers[each] for each in workers}
        pods |= {each.pod: each.pod for each in workers}
        yield Route(dial=dial, pods=pods, troubles=forwards.troubles, workloads=look, kubectl=kubectl)


def _workers(contract: Contract) -> list[PodPort]:
    return [
        PodPort(pod=address, port=cluster.port)
        for cluster in contract.connect or ()
        if cluster.pods is not None
        for address in cluster.addresses
    ]


def _loopbacks(
    stack: contextlib.ExitStack,
    reach: ReachByPortForward,
    workers: list[PodPort],
    kubeconfig: str | None,
    pod_wait_seconds: float,
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Where to dial the workers from inside the cluster: they listen on the loopback of their pods alone."""
    if not workers:
        return {}, {}
    try:
        forwards = stack.enter_context(
            forwarded(
                reach,
                brokers=[],
                zookeeper=[],
                workers=workers,
                kubeconfig=kubeconfig,
                require="any",
                pod_wait_seconds=pod_wait_seconds,
            )
        )
    except KubernetesError as error:
        # A finding about the workers, and not the end: all else is met without a port-forward.
        return {}, {each.pod: str(error) for each in workers}
    return {each.pod: forwards.workers[each] for each in workers}, forwards.troubles


async def _require_cluster(expected: str, api: ApiServer) -> None:
    found = await api.cluster()
    # Whoever may not read it sees the platform all the same, or an error of its own.
    if found is not None and found != expected:
        raise OtherClusterError(expected, found, api.server, api.context)
