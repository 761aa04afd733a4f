"""All parts of an app are compared at synth: two that are given the same thing take each other's place in silence."""

import json
import posixpath
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol, runtime_checkable
from weakref import WeakKeyDictionary, WeakSet

from hikube_kafka.platform import refusal, terraform
from hikube_kafka.platform.cdk import (
    IConstruct,
    IValidation,
    TerraformBackend,
    TerraformDataSource,
    TerraformElement,
    TerraformLocal,
    TerraformModule,
    TerraformOutput,
    TerraformProvider,
    TerraformResource,
    TerraformStack,
    TerraformVariable,
    implements,
)
from hikube_kafka.spec.rules.apart import STATE, TERRAFORM_NAME, Taken, clashes
from hikube_kafka.spec.targets.kubernetes_rules import RELEASE_TWICE
from hikube_kafka.spec.targets.local import APP_DIRECTORY_TWICE

Occupied = Callable[["Parts", TerraformResource], Iterator[Taken]]


@runtime_checkable
class Occupant(Protocol):
    """A construct that has something of which there is only one."""

    def occupies(self, parts: "Parts") -> Iterator[Taken]:
        """What it has, asked at synth."""


class Parts:
    """Every construct of an app, and what belongs to what."""

    def __init__(self, root: IConstruct) -> None:
        self.all = root.node.find_all()
        self._wholes = [each.node.path for each in self.all if each in _WHOLES]
        self._defaults: dict[tuple[str, str], TerraformProvider] = {}
        self._clusters: dict[str, Hashable] = {}
        for each in self.all:
            if isinstance(each, TerraformProvider) and not each.alias:
                self._defaults[place(each)[0], each.terraform_resource_type] = each

    def part(self, of: IConstruct) -> str:
        """Path of the platform that a construct belongs to, or its own."""
        path = place(of)[1]
        return next((whole for whole in self._wholes if path.startswith(f"{whole}/")), path)

    def provider(self, of: TerraformResource, kind: str) -> TerraformProvider | None:
        """The block of a resource: its own, or else the default of its stack."""
        return of.provider or self._defaults.get((place(of)[0], kind))

    def cluster(self, of: TerraformResource, kind: Literal["helm", "kubernetes"]) -> Hashable:
        """The cluster of Kubernetes that a resource's provider leads to."""
        provider = self.provider(of, kind)
        if provider is None:
            return cluster({}, of)
        path = place(provider)[1]
        if provider in _LEADS_TO:
            return cluster(_LEADS_TO[provider], of)
        if path not in self._clusters:
            (block,) = provider.to_terraform()["provider"][kind]
            settings = block.get("kubernetes") or {} if kind == "helm" else block
            self._clusters[path] = cluster(settings[0] if isinstance(settings, list) else settings, of)
        return self._clusters[path]


def place(of: IConstruct) -> tuple[str, str]:
    """The path of its stack, and its own: neither ever changes, and each of the CDK's answers takes a while."""
    if of not in _PLACES:
        _PLACES[of] = TerraformStack.of(of).node.path, of.node.path
    return _PLACES[of]


def cluster(settings: Mapping[str, Any], scope: IConstruct) -> Hashable:
    """A cluster of Kubernetes, by the settings that lead to it."""
    known = {key: value for key, value in settings.items() if key != "alias" and value is not None}
    text = json.dumps(terraform.resolved(known, scope), sort_keys=True)
    kubeconfig = known.pop("config_path", None)
    if "${" in text or (kubeconfig and not str(kubeconfig).startswith(("/", "~"))):
        # A variable, or a path relative to the stack's folder: another one in each stack.
        return place(scope)[0], text
    return kubeconfig and str(Path(kubeconfig).expanduser()), json.dumps(known, sort_keys=True)


def settings(kubeconfig: str | None, context: str | None) -> dict[str, str | None]:
    """The settings that lead to a cluster; what only the environment of the plan tells is taken for the default."""
    return {"config_path": kubeconfig or "~/.kube/config", "config_context": context}


def leads_to(provider: TerraformProvider, kubeconfig: str | None, context: str | None) -> None:
    """Remember what was declared for a block whose settings are read only when Terraform plans."""
    _LEADS_TO[provider] = settings(kubeconfig, context)


def watch(scope: IConstruct, *, whole: bool = False) -> None:
    """Have the construct's stack compared with all that the app has; once for each stack.

    Args:
        scope: the construct.
        whole: whether what is below it is spoken of by its name.
    """
    if whole:
        _WHOLES.add(scope)
    stack = TerraformStack.of(scope)
    if stack not in _WATCHED:
        _WATCHED.add(stack)
        stack.node.add_validation(_Apart(stack))
        refusal.follow(stack)


def look_into(resource_type: str) -> Callable[[Occupied], Occupied]:
    """The function tells what a resource of that type occupies that somebody else's construct has made."""

    def register(occupied: Occupied) -> Occupied:
        _BY_TYPE[resource_type] = occupied
        return occupied

    return register


_LEADS_TO: WeakKeyDictionary[TerraformProvider, dict[str, str | None]] = WeakKeyDictionary()
_PLACES: WeakKeyDictionary[IConstruct, tuple[str, str]] = WeakKeyDictionary()
_WATCHED: WeakSet[TerraformStack] = WeakSet()
_WHOLES: WeakSet[IConstruct] = WeakSet()
_BY_TYPE: dict[str, Occupied] = {}


@implements(IValidation)
class _Apart:
    """How the CDK asks, at synth."""

    def __init__(self, stack: TerraformStack) -> None:
        self._stack = stack

    def validate(self) -> list[str]:
        here = self._stack.node.path
        return [
            str(problem)
            for second, problem in clashes(_taken(Parts(self._stack.node.root)))
            if second.by == here or second.by.startswith(f"{here}/")
        ]


def _taken(parts: Parts) -> Iterator[Taken]:
    for each in parts.all:
        if refusal.reasons(each) is not None:
            continue
        if isinstance(each, TerraformBackend):
            yield from _state(each)
        elif isinstance(each, TerraformElement) and (address := _address(each)):
            stack, path = place(each)
            yield Taken(
                by=path,
                part=parts.part(each),
                thing=address,
                rule=TERRAFORM_NAME,
                keys=frozenset({(stack, address)}),
                follows=_SAME_NAME if isinstance(each, TerraformProvider) else frozenset(),
            )
        if isinstance(each, Occupant):
            yield from each.occupies(parts)
        elif isinstance(each, TerraformResource) and (occupied := _BY_TYPE.get(each.terraform_resource_type)):
            yield from occupied(parts, each)


def _address(element: TerraformElement) -> str | None:
    """Where Terraform has it: what the CDK merges if two have the same."""
    if isinstance(element, TerraformProvider):
        return f"provider {element.terraform_resource_type}" + (f".{element.alias}" if element.alias else "")
    if isinstance(element, TerraformResource):
        return f"{element.terraform_resource_type}.{element.friendly_unique_id}"
    if isinstance(element, TerraformDataSource):
        return f"data.{element.terraform_resource_type}.{element.friendly_unique_id}"
    kind = next((kind for each, kind in _KINDS.items() if isinstance(element, each)), None)
    return kind and f"{kind}.{element.friendly_unique_id}"


_SAME_NAME = frozenset({RELEASE_TWICE.id, APP_DIRECTORY_TWICE.id})
"""Two platforms of one name have one alias."""

_KINDS: Mapping[type[TerraformElement], str] = {
    TerraformOutput: "output",
    TerraformVariable: "var",
    TerraformLocal: "local",
    TerraformModule: "module",
}


def _state(backend: TerraformBackend) -> Iterator[Taken]:
    stack, _ = place(backend)
    block = backend.to_terraform()["terraform"]
    ((kind, settings),) = block.get("backend", block).items()
    identity = dict(settings)
    if kind in {"cloud", "remote"} and "name" not in (identity.get("workspaces") or {}):
        return  # by a prefix or by tags: whoever applies chooses the workspace
    if kind == "local":
        # Terraform runs in the stack's own folder.
        identity["path"] = posixpath.normpath(PurePosixPath("stacks", stack, settings["path"]))
    yield Taken(
        by=stack,
        part=stack,
        thing=settings["path"] if kind == "local" else f"the same place of backend {kind}",
        rule=STATE,
        keys=frozenset({(kind, json.dumps(identity, sort_keys=True))}),
    )
