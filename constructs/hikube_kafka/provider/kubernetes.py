"""Asking a cluster in Kubernetes from the provider's own threads, and what the user is told when it does not answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hikube_kafka.kubernetes.client import (
    Cluster,
    ContextUnknownError,
    CredentialsRefusedError,
    ForbiddenError,
    KubeconfigError,
    KubernetesError,
)
from hikube_kafka.plugin.diagnostics import Diagnostic
from hikube_kafka.provider.settings import KubernetesReach

_Answer = TypeVar("_Answer")

__all__ = ["Cluster", "KubernetesError", "ask", "passes", "unreadable"]


def ask(reach: KubernetesReach, work: Callable[[Cluster], Awaitable[_Answer]]) -> _Answer:
    """Do something with a connection to the cluster, and wait for it.

    Raises:
        KubernetesError: It cannot be reached as declared.
    """

    async def connected() -> _Answer:
        async with Cluster.connected(reach.kubeconfig, reach.context, reach.namespace) as cluster:
            return await work(cluster)

    return asyncio.run(connected())


def passes(problem: KubernetesError) -> bool:
    """Whether it may be over by the apply: the cluster, or what runs in it, does not answer, or is not there yet."""
    return not isinstance(problem, KubeconfigError | ContextUnknownError | CredentialsRefusedError | ForbiddenError)


def unreadable(problem: KubernetesError, what: str) -> Diagnostic:
    """That something cannot be read, and why.

    Args:
        problem: What stood in the way.
        what: ``The claims of StatefulSet events-kafka``.
    """
    text = str(problem)
    return Diagnostic(f"{what} cannot be read", f"{text[:1].upper()}{text[1:]}")
