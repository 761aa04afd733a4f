"""Everything that a cluster in Kubernetes can refuse, each with an error of its own."""

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar


class KubernetesError(Exception):
    """A cluster cannot be used as declared; the message says why and what to do."""

    may_pass: ClassVar[bool] = True
    """Whether it may be over by the apply: the cluster, or what runs in it, does not answer, or is not there yet."""


class KubeconfigError(KubernetesError):
    """The kubeconfig is not there or gives no usable credentials.

    Attributes:
        paths: The files that were looked for.
        reason: What is wrong with them.
    """

    may_pass = False

    def __init__(self, paths: Sequence[str], reason: str) -> None:
        self.paths = tuple(paths)
        self.reason = reason
        super().__init__(
            f"kubeconfig {os.pathsep.join(paths)}: {reason}. Declare a kubeconfig that "
            "`kubectl --kubeconfig FILE version` works with, or name it in the environment variable KUBECONFIG."
        )


class ContextUnknownError(KubernetesError):
    """The declared context is not in the kubeconfig.

    Attributes:
        context: The declared name; None means that none was declared and the kubeconfig has no current one either.
        known: The names that the kubeconfig has.
        paths: The kubeconfig's files.
    """

    may_pass = False

    def __init__(self, context: str | None, known: Sequence[str], paths: Sequence[str]) -> None:
        self.context = context
        self.known = tuple(known)
        self.paths = tuple(paths)
        wanted = f"no context {context!r}" if context else "no current context, and none was declared"
        super().__init__(
            f"kubeconfig {os.pathsep.join(paths)} has {wanted}; its contexts are "
            f"{', '.join(map(repr, known)) or 'none'}. Declare one of its contexts."
        )


class ApiServerError(KubernetesError):
    """The API server did not answer, or answered with an error of its own.

    Attributes:
        server: Its address.
        reason: What happened.
    """

    def __init__(self, server: str, reason: str) -> None:
        self.server = server
        self.reason = reason
        super().__init__(
            f"a request to the Kubernetes API server {server} failed: {reason}. Check that it is the right cluster and "
            "that this machine can reach it (network, VPN, proxy): `kubectl version` with the same kubeconfig and "
            "context must work."
        )


class CredentialsRefusedError(KubernetesError):
    """The API server does not know who asks (401), also after the credentials were read anew.

    Attributes:
        server: Its address.
    """

    may_pass = False

    def __init__(self, server: str) -> None:
        self.server = server
        super().__init__(
            f"the Kubernetes API server {server} does not accept the kubeconfig's credentials (401). They have "
            "probably expired: log in again."
        )


class ForbiddenError(KubernetesError):
    """The API server knows who asks and says no (403).

    Attributes:
        namespace: The namespace of the objects.
        resource: What was refused: ``pods``, ``pods/portforward``, or the path of an object.
        answer: The API server's own words, which name the verb that is missing.
    """

    may_pass = False

    def __init__(self, namespace: str, resource: str, answer: str) -> None:
        self.namespace = namespace
        self.resource = resource
        self.answer = answer
        # A stream over a websocket is authorized as `get`; from Kubernetes 1.35 on as `create` too, as kubectl's is.
        needed = (
            "Port-forwards need a Role there with the verb get on pods, and get and create on pods/portforward, bound "
            "to the kubeconfig's user."
            if resource.startswith("pods")
            else "Bind a role that allows it to the kubeconfig's user."
        )
        super().__init__(f"the kubeconfig's user may not do this in namespace {namespace}: {answer}. {needed}")


class ChangeRefusedError(KubernetesError):
    """The API server refuses a change: the object's own rules, a quota, an admission webhook.

    Attributes:
        answer: The API server's own words.
    """

    def __init__(self, answer: str) -> None:
        self.answer = answer
        super().__init__(f"the API server refuses the change: {answer}")


class NamespaceMissingError(KubernetesError):
    """The namespace is not in this cluster.

    Attributes:
        namespace: Its name.
        server: The address of the cluster's API server.
    """

    def __init__(self, namespace: str, server: str) -> None:
        self.namespace = namespace
        self.server = server
        super().__init__(
            f"namespace {namespace} does not exist in the cluster at {server}. Check the namespace and the context: "
            "this may not be the cluster that was deployed to."
        )


class OtherClusterError(KubernetesError):
    """The cluster is not the one that the contract is of.

    Attributes:
        expected: The UID of the namespace ``kube-system`` that the contract has.
        found: The one that this cluster has.
        server: The address of its API server.
        context: The context that led to it.
    """

    may_pass = False

    def __init__(self, expected: str, found: str, server: str, context: str | None) -> None:
        self.expected = expected
        self.found = found
        self.server = server
        self.context = context
        super().__init__(
            f"the contract is of another cluster: the namespace kube-system of that one has the UID {expected}, and "
            f"that of {server}{f' (context {context})' if context else ''} has {found}. Name the kubeconfig and the "
            "context that it was applied with: --kubeconfig FILE --context NAME. If this cluster has taken the other "
            "one's place, apply again, and take the contract of that apply."
        )


class StreamError(KubernetesError):
    """A stream to a port of a pod could not be opened, or broke.

    Attributes:
        pod: Name of the pod.
        port: The port inside it.
        reason: What happened.
    """

    def __init__(self, pod: str, port: int, reason: str) -> None:
        self.pod = pod
        self.port = port
        self.reason = reason
        super().__init__(f"pod {pod}, port {port}: {reason}")


class LocalPortInUseError(KubernetesError):
    """A port that a forward must stand on is taken on this machine.

    Attributes:
        port: The port on 127.0.0.1.
        pod: The pod that the forward leads to.
        holder: The process that has it, as ``name (process 123)``; None where the system does not tell.
        waited_seconds: How long it was waited for.
    """

    def __init__(self, port: int, pod: str, holder: str | None, waited_seconds: float) -> None:
        self.port = port
        self.pod = pod
        self.holder = holder
        self.waited_seconds = waited_seconds
        super().__init__(
            f"port 127.0.0.1:{port} is in use by {holder or 'another process'} (waited {waited_seconds:g} s for it), "
            f"and the port-forward to pod {pod} must be on exactly this port. Stop that process (another run of "
            "Terraform or of the smoke tests, a kubectl port-forward), or declare another port."
        )


class PodsUnreachableError(KubernetesError):
    """Pods could not be reached in time.

    Attributes:
        namespace: Where they were looked for.
        pods: Why each of them is not reachable, by its name.
        waited_seconds: How long it was waited for.

    Args:
        namespace: Likewise.
        pods: Likewise.
        waited_seconds: Likewise.
        kubectl: How a user calls it for this cluster and namespace.
    """

    def __init__(self, namespace: str, pods: Mapping[str, str], waited_seconds: float, kubectl: str) -> None:
        self.namespace = namespace
        self.pods = dict(pods)
        self.waited_seconds = waited_seconds
        reasons = "; ".join(f"{pod}: {why}" for pod, why in pods.items())
        super().__init__(
            f"pods in namespace {namespace} are not reachable after {waited_seconds:g} s: {reasons}. See "
            f"`{kubectl} describe pod {next(iter(pods))}`. If a pod does not exist, its release is not "
            "installed in this namespace, or has fewer pods than declared."
        )


def words(error: BaseException) -> str:
    """What an exception says, or its kind where it says nothing."""
    return str(error) or type(error).__name__
