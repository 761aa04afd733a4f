"""What the user is told when a cluster in Kubernetes cannot be read."""

from hikube_kafka.kubernetes.errors import KubernetesError
from hikube_kafka.plugin.diagnostics import Diagnostic


def unreadable(problem: KubernetesError, what: str) -> Diagnostic:
    """That something cannot be read, and why.

    Args:
        problem: What stood in the way.
        what: ``The claims of StatefulSet events-kafka``.
    """
    text = str(problem)
    return Diagnostic(f"{what} cannot be read", f"{text[:1].upper()}{text[1:]}")
