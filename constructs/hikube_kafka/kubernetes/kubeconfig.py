"""Which kubeconfig and which context lead to a cluster: one rule for the providers of a plan and for the gate."""

import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hikube_kafka.kubernetes.errors import KubeconfigError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the credentials of its service account."""


def own_namespace(otherwise: str) -> str:
    """Namespace of the pod that this runs in.

    Args:
        otherwise: what is taken where its service account does not say.
    """
    file = SERVICE_ACCOUNT / "namespace"
    return file.read_text("utf-8").strip() if file.is_file() else otherwise


_DEFAULT = "~/.kube/config"
_ONE_FILE = "KUBE_CONFIG_PATH"
_FILES = ("KUBE_CONFIG_PATHS", "KUBECONFIG")
_ELSEWHERE = ("KUBE_HOST", "KUBE_CTX_CLUSTER")
"""With these in the environment, Terraform's providers take another server than the one of the kubeconfig."""


@dataclass(frozen=True, kw_only=True)
class Kubeconfig:
    """The files, and the context in them."""

    paths: tuple[str, ...]
    """As they were named; several are merged. Empty: the service account of the pod that this runs in."""
    source: str
    """Who named them: ``declared``, a variable of the environment, or ``default``."""
    context: str | None
    """None: the current one of the files."""

    @property
    def files(self) -> list[str]:
        """The paths with ``~`` replaced.

        Raises:
            KubeconfigError: None of them is a file.
        """
        files = [str(_expanded(path)) for path in self.paths]
        if files and not any(Path(path).is_file() for path in files):
            relative = not all(Path(path).is_absolute() for path in files)
            where = f" in {Path.cwd()}; name it by its whole path" if relative else ""
            raise KubeconfigError(files, f"there is no such file{where}")
        return files or [str(_expanded(_DEFAULT))]

    @property
    def current_context(self) -> str | None:
        """The context that is used; None where it cannot be told: no file, no current context, the pod's account."""
        if self.context or not self.paths:
            return self.context
        import yaml

        for path in self.paths:
            with contextlib.suppress(OSError, yaml.YAMLError, AttributeError):
                if named := yaml.safe_load(_expanded(path).read_text("utf-8")).get("current-context"):
                    return str(named)
        return None

    def command(self, tool: Literal["kubectl", "helm"], namespace: str | None) -> str:
        """How a tool is called for the same cluster and context, whatever the current one is by then.

        Args:
            tool: Its name.
            namespace: None: what it is asked for is in no namespace.
        """
        files = os.pathsep.join(str(_expanded(path).absolute()) for path in self.paths)
        named = self.source not in {"KUBECONFIG", "default"}  # those two the tool finds itself
        context = self.current_context
        words: list[str] = [tool]
        if named and len(self.paths) > 1:
            words.insert(0, f"KUBECONFIG={shlex.quote(files)}")
        elif named:
            words += ["--kubeconfig", shlex.quote(files)]
        if context:
            words += ["--context" if tool == "kubectl" else "--kube-context", shlex.quote(context)]
        if namespace:
            words += ["-n", namespace]
        return " ".join(words)

    @property
    def where(self) -> str:
        """The files, and who named them, in words."""
        named = "" if self.source in {"declared", "default"} else f" ({self.source})"
        return (os.pathsep.join(self.paths) or "the service account of this pod") + named


def kubeconfig(declared: str | None, context: str | None, environment: Mapping[str, str] | None = None) -> Kubeconfig:
    """What is declared; else ``KUBE_CONFIG_PATH``, ``KUBE_CONFIG_PATHS``, ``KUBECONFIG``, ``~/.kube/config``, the pod.

    Terraform's own providers read the first two and nothing else, kubectl the third: the first must come first, because
    the providers follow it whatever they are told.

    Args:
        declared: The file, or several joined as in ``KUBECONFIG``.
        context: The declared context. None means ``KUBE_CTX``, then the files' current one.
        environment: In place of the process's own.
    """
    given = os.environ if environment is None else environment
    chosen = context or given.get("KUBE_CTX") or None
    if paths := split(declared or ""):
        return Kubeconfig(paths=paths, source="declared", context=chosen)
    if one := given.get(_ONE_FILE):
        return Kubeconfig(paths=(one,), source=_ONE_FILE, context=chosen)
    for name in _FILES:
        if paths := split(given.get(name, "")):
            return Kubeconfig(paths=paths, source=name, context=chosen)
    if SERVICE_ACCOUNT.is_dir() and not _expanded(_DEFAULT).is_file():
        return Kubeconfig(paths=(), source="default", context=context)
    return Kubeconfig(paths=(_DEFAULT,), source="default", context=chosen)


def split(paths: str) -> tuple[str, ...]:
    """The paths of a list such as ``KUBECONFIG`` has it."""
    return tuple(path for path in paths.split(os.pathsep) if path)


def contradictions(found: Kubeconfig, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """What in the environment leads others to another cluster than this kubeconfig."""
    given = os.environ if environment is None else environment
    for name in _ELSEWHERE:
        if given.get(name):
            yield (
                f"{name} is set: the providers hashicorp/helm and hashicorp/kubernetes go to the server that it names, "
                "whatever the kubeconfig says. Unset it."
            )
    kubectl = split(given.get("KUBECONFIG", ""))
    if found.source in {_ONE_FILE, "KUBE_CONFIG_PATHS"} and kubectl and _whole(kubectl) != _whole(found.paths):
        yield (
            f"{found.source} is {os.pathsep.join(found.paths)}, and is used; KUBECONFIG is {os.pathsep.join(kubectl)}, "
            "where kubectl goes. Unset one of the two."
        )


def _whole(paths: tuple[str, ...]) -> list[str]:
    return [os.path.realpath(_expanded(path)) for path in paths]


def _expanded(path: str) -> Path:
    """A path with ``~`` replaced; that of a user who is not known stays, and is no file then."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises a RuntimeError
