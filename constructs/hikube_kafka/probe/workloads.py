"""What Kubernetes has of a platform: pods, their claims and nodes, the disruption budgets that count them."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

from hikube_kafka.kubernetes.claim import ClaimSeen, claim_of
from hikube_kafka.kubernetes.client import ApiServer, summary
from hikube_kafka.kubernetes.errors import ForbiddenError, KubernetesError
from hikube_kafka.probe.observation import BudgetSeen, KubernetesSeen, PodSeen, Unreadable

_ZONE = "topology.kubernetes.io/zone"

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
def workloads(namespace: str, *, kubeconfig: str | None = None, context: str | None = None) -> Iterator[Workloads]:
    """Keep a connection to the API server for looking at a namespace again and again.

    Args:
        namespace: The platform's.
        kubeconfig: The file, or several joined as in ``KUBECONFIG``; None means what the environment says: see
            `hikube_kafka.kubernetes.kubeconfig.kubeconfig`.
        context: Its context; None means the current one.

    Raises:
        KubeconfigError: There are no credentials, or they cannot be used.
        ContextUnknownError: The kubeconfig has no such context.
    """
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - only users of Kubernetes pay for it

    connection = _Connection(ApiServer.connected(kubeconfig, context, namespace))
    with start_blocking_portal(name="workloads") as portal, portal.wrap_async_context_manager(connection) as api:

        def look(*, nodes: bool, timeout: float) -> KubernetesSeen:
            return portal.call(_look, api, nodes, timeout)

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


async def _look(api: ApiServer, nodes: bool, timeout: float) -> KubernetesSeen:  # noqa: ASYNC109, FBT001 - of portal.call
    async def read(what: str, resource: str, of: Callable[[Sequence[Any]], Read], **where: Any) -> Read | Unreadable:
        try:
            async with asyncio.timeout(timeout):
                return of(await api.listed(resource, **where))
        except TimeoutError:
            reason = f"the API server has not answered within {timeout:g} s"
        except ForbiddenError as error:
            reason = error.answer
        except KubernetesError as error:
            reason = str(error)
        return Unreadable(what, reason)

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
    )


async def _not_asked() -> Unreadable:
    return Unreadable("nodes", "not read")


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


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector of Kubernetes selects something with these labels.

    An empty selector selects everything, none selects nothing, as in policy/v1.
    """
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    meets: Mapping[str, Callable[[str, Sequence[str]], bool]] = {
        "In": lambda key, values: labels.get(key) in values,
        "NotIn": lambda key, values: labels.get(key) not in values,
        "Exists": lambda key, _values: key in labels,
        "DoesNotExist": lambda key, _values: key not in labels,
    }
    return all(
        meets[each["operator"]](each["key"], each.get("values", [])) for each in selector.get("matchExpressions", [])
    )
