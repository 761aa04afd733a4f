"""The end of a StatefulSet: its pods end after it, and what they need to end well must stay until then."""

import threading

from hikube_kafka.kubernetes.client import ApiServer, ask
from hikube_kafka.kubernetes.rollout import Object
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.plugin.log import log
from hikube_kafka.provider.settings import KubernetesReach
from hikube_kafka.waiting import Stopped, until_async

_POLL_SECONDS = 1.0
_AFTER_GRACE_SECONDS = 60.0
"""For Kubernetes to begin to end pods whose StatefulSet is gone, and to have them gone once their own time is over."""


def await_last_pod(reach: KubernetesReach, stateful_set: str, stopped: threading.Event) -> None:
    """Wait until no pod of a StatefulSet that is gone is left; there is nothing to wait for while it is there.

    Args:
        reach: The cluster and namespace.
        stateful_set: Its name.
        stopped: Set when the user presses Ctrl-C.

    Raises:
        KubernetesError: The API server does not answer.
        Refusal: Pods are left after all of the time that they have to end, or Ctrl-C.
    """

    async def work(api: ApiServer) -> None:
        if await api.find(f"/apis/apps/v1/namespaces/{api.namespace}/statefulsets/{stateful_set}") is not None:
            return
        left = await _left(api, stateful_set)
        seconds = max((_grace(pod) for pod in left), default=0.0) + _AFTER_GRACE_SECONDS

        async def gone() -> bool:
            nonlocal left
            left = await _left(api, stateful_set)
            log("info", "pods end", stateful_set=stateful_set, left=len(left))
            return not left

        try:
            in_time = not left or await until_async(gone, seconds, stopped.is_set, every=_POLL_SECONDS)
        except Stopped:
            raise Refusal(
                Diagnostic(
                    f"Stopped while pods of StatefulSet {stateful_set} were ending",
                    f"{_names(left)} end by themselves. The next destroy continues from here.",
                )
            ) from None
        if not in_time:
            raise Refusal(
                Diagnostic(
                    f"Pods of StatefulSet {stateful_set} do not end",
                    f"{_names(left)} have not ended within {seconds:g} s, and what they need to end well is destroyed "
                    f"next: ZooKeeper, for brokers. See {reach.command()} describe pod {_name(left[0])}. "
                    "Destroy again once they have ended. Only if the node of one is off for good: "
                    f"{reach.command()} delete pod {_name(left[0])} --force --grace-period=0.",
                )
            )

    ask(reach.kubeconfig, reach.context, reach.namespace, work)


async def _left(api: ApiServer, stateful_set: str) -> list[Object]:
    """The pods that it has owned; those that it was made to let go of are nobody's, and stay."""
    return [
        pod
        for pod in await api.listed("pods")
        if any(
            owner["kind"] == "StatefulSet" and owner["name"] == stateful_set
            for owner in pod["metadata"].get("ownerReferences", ())
        )
    ]


def _grace(pod: Object) -> float:
    return float(pod["metadata"].get("deletionGracePeriodSeconds") or pod["spec"]["terminationGracePeriodSeconds"])


def _names(pods: list[Object]) -> str:
    return ", ".join(f"{_name(pod)} (on node {pod['spec'].get('nodeName', 'none')})" for pod in pods)


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])
