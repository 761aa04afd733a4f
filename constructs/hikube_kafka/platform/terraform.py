"""How names and texts are written in Terraform's language."""

import re
from typing import Any, TypeVar

from hikube_kafka.platform.cdk import (
    DefaultTokenResolver,
    IConstruct,
    StringConcat,
    TerraformElement,
    TerraformStack,
    Token,
    Tokenization,
)

Element = TypeVar("Element", bound=TerraformElement)


def named(element: Element, name: str) -> Element:
    """Give the element its name in Terraform: the CDK's own ends in a hash, and silently drops dots."""
    element.override_logical_id(name)
    return element


def name(scope: IConstruct, *parts: str) -> str:
    """A name that people can type: the construct's path within its stack, and the parts, joined by ``_``."""
    stack = TerraformStack.of(scope).node.path
    path = scope.node.path.removeprefix(stack).strip("/").split("/")
    return re.sub(r"[^A-Za-z0-9_-]", "_", "_".join([*path, *parts]))


def literal(value: Any) -> Any:
    """The value with Terraform's own marks escaped: Kafka too writes ``${...}``, for its config providers.

    What is a reference of the CDK's stays one.
    """
    if isinstance(value, dict):
        return {key: literal(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [literal(inner) for inner in value]
    if isinstance(value, str) and not Token.is_unresolved(value):
        return value.replace("${", "$${").replace("%{", "%%{")
    return value


def resolved(value: Any, scope: IConstruct) -> Any:
    """The value as Terraform reads it: a reference of the CDK's becomes ``${var.kubeconfig}``."""
    return Tokenization.resolve(value, preparing=False, resolver=DefaultTokenResolver(StringConcat()), scope=scope)
