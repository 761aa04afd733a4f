"""What Kubernetes has of a platform: pods, their claims and nodes, the disruption budgets that count them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from socket import gethostname
from types import TracebackType
from typing import Any, Protocol, TypeVar

from hikube_kafka.kubernetes.claim import ClaimSeen, claim_of
from hikube_kafka.kubernetes.client import ApiServer, summary
from hikube_kafka.kubernetes.errors import ForbiddenError, KubernetesError
from hikube_kafka.kubernetes.kubeconfig import own_namespace
from hikube_kafka.probe import network_policies
from hikube_kafka.probe.network_policies import Client
from hikube_kafka.probe.observation import BudgetSeen, KubernetesSeen, PodSeen, Unreadable
from hikube_kafka.probe.selector import selects

_ZONE = "topology.kubernetes.io/zone"

Answer = TypeVar("Answer")
Read = TypeVar("Read")


class Workloads(Protocol):
    """Looks at a namespace; may be called from any thread."""

    def __call__(self, *, nodes: bool, timeout: float) -> KubernetesSeen:
        """Look.

        Args:
            nodes: Whether to look at the cluster's nodes too, which a user of one namespace is seldom allowed to.
            timeout: Seconds that each read may take.
        """


@contextlib.contextmanager
def workloads(
    namespace: str,
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    dialled: Mapping[str, int] | None = None,
) -> Iterator[Workloads]:
    """Keep a connection to the API server for looking at a namespace again and again.

    Args:
        namespace: The platform's.
        kubeconfig: The file, or several joined as in ``KUBECONFIG``; None means what the environment says: see
            `hikube_kafka.kubernetes.kubeconfig.kubeconfig`.
        context: Its context; None means the current one.
        dialled: Where this runs in a pod of the cluster, which a network policy may keep out: the port that it dials
            of each pod, by the pod's name.

    Raises:
        KubeconfigError: There are no credentials, or they cannot be used.
        ContextUnknownError: The kubeconfig has no such context.
    """
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - only users of Kubernetes pay for it

    connection = _Connection(ApiServer.connected(kubeconfig, context, namespace))
    with start_blocking_portal(name="workloads") as portal, portal.wrap_async_context_manager(connection) as api:

        def look(*, nodes: bool, timeout: float) -> KubernetesSeen:
            return portal.call(_look, api, nodes, timeout, dialled)

        yield look


class _Connection:
    """A connection that ends without its caller's exception: a KeyboardInterrupt would break the closing loop."""

    def __init__(self, connected: contextlib.AbstractAsyncContextManager[ApiServer]) -> None:
        self._connected = connected

    async def __aenter__(self) -> ApiServer:
        return await self._connected.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._connected.__aexit__(None, None, None)


async def _look(
    api: ApiServer,
    nodes: bool,  # noqa: FBT001 - of portal.call
    timeout: float,  # noqa: ASYNC109
    dialled: Mapping[str, int] | None = None,
) -> KubernetesSeen:
    async def asked(what: str, answer: Awaitable[Answer], of: Callable[[Answer], Read]) -> Read | Unreadable:
        try:
            async with asyncio.timeout(timeout):
                return of(await answer)
        except TimeoutError:
            return Unreadable(what, f"the API server has not answered within {timeout:g} s")
        except KubernetesError as error:
            reason = error.answer if isinstance(error, ForbiddenError) else str(error)
            return Unreadable(what, reason, lasting=not error.may_pass)

    async def read(what: str, resource: str, of: Callable[[Sequence[Any]], Read], **where: Any) -> Read | Unreadable:
        return await asked(what, api.listed(resource, **where), of)

    async def kept_out(pods: Sequence[Mapping[str, Any]], ports: Mapping[str, int]) -> dict[str, str]:
        own = own_namespace(api.namespace)
        policies, client = await asyncio.gather(
            read("network policies", "networkpolicies", list, api="apis/networking.k8s.io/v1"),
            asked("this pod", api.find(f"/api/v1/namespaces/{own}/pods/{gethostname()}"), partial(_client, own)),
        )
        if isinstance(policies, Unreadable):
            return dict.fromkeys(ports, network_policies.unread(policies.reason))
        known = _client(own, None) if isinstance(client, Unreadable) else client
        return network_policies.kept_out(known, api.namespace, pods, policies, ports)

    pods, claims, budgets, zones = await asyncio.gather(
        read("pods", "pods", list),
        read("claims", "persistentvolumeclaims", _claims),
        read("disruption budgets", "poddisruptionbudgets", list, api="apis/policy/v1"),
        read("nodes", "nodes", _zones, namespaced=False) if nodes else _not_asked(),
    )
    if isinstance(pods, Unreadable):
        return KubernetesSeen(pods=pods, claims=claims, budgets=pods, zones=zones)
    return KubernetesSeen(
        pods={pod["metadata"]["name"]: _pod(pod) for pod in pods},
        claims=claims,
        budgets=budgets if isinstance(budgets, Unreadable) else _counted(pods, budgets),
        zones=zones,
        kept_out=await kept_out(pods, dialled) if dialled else {},
    )


async def _not_asked() -> Unreadable:
    return Unreadable("nodes", "not read")


def _client(namespace: str, pod: Mapping[str, Any] | None) -> Client:
    """This pod; where the API server has no pod of this host's name, its labels are not known."""
    if pod is None:
        return Client(namespace=namespace, labels=None)
    return Client(
        namespace=namespace, labels=pod["metadata"].get("labels", {}), address=pod.get("status", {}).get("podIP")
    )


def _pod(pod: Mapping[str, Any]) -> PodSeen:
    conditions = pod.get("status", {}).get("conditions", [])
    owners = pod["metadata"].get("ownerReferences", [])
    return PodSeen(
        state=summary(pod),
        ready=any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions),
        images={container["name"]: container["image"] for container in pod["spec"]["containers"]},
        node=pod["spec"].get("nodeName"),
        stateful_set=next((owner["name"] for owner in owners if owner["kind"] == "StatefulSet"), None),
    )


def _claims(claims: Sequence[Mapping[str, Any]]) -> dict[str, ClaimSeen]:
    return {seen.name: seen for seen in map(claim_of, claims)}


def _zones(nodes: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    return {node["metadata"]["name"]: node["metadata"].get("labels", {}).get(_ZONE) for node in nodes}


def _counted(
    pods: Sequence[Mapping[str, Any]], budgets: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[BudgetSeen, ...]]:
    return {
        pod["metadata"]["name"]: tuple(
            BudgetSeen(
                name=budget["metadata"]["name"],
                max_unavailable=_text(budget["spec"].get("maxUnavailable")),
                min_available=_text(budget["spec"].get("minAvailable")),
            )
            for budget in budgets
            if selects(budget["spec"].get("selector"), pod["metadata"].get("labels", {}))
        )
        for pod in pods
    }


def _text(value: int | str | None) -> str | None:
    return None if value is None else str(value)
