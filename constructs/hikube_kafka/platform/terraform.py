"""How names and texts are written in Terraform's language."""

import re
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

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
    return valid(*within_stack(scope).split("/"), *parts)


def within_stack(scope: IConstruct) -> str:
    """The construct's path within its stack."""
    return scope.node.path.removeprefix(TerraformStack.of(scope).node.path).strip("/")


def valid(*parts: str) -> str:
    """The parts joined by ``_``, and what Terraform does not allow in a name replaced by it."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", "_".join(parts))


def forget(scope: IConstruct, address: str) -> None:
    """Have plans take the address out of the state and keep what it stands for: a ``removed`` block.

    Nothing happens where the state does not have it. Terraform knows the block since 1.7.
    """
    _add_block(scope, "removed", {"from": address, "lifecycle": {"destroy": False}})


def forgets(scope: IConstruct, address: str) -> bool:
    """Whether the construct's stack has such a block for the address."""
    return any(each["from"] == address for each in _BLOCKS.get(TerraformStack.of(scope), {}).get("removed", ()))


def move(scope: IConstruct, before: str, after: str) -> None:
    """Have plans take what the state has at one address for what is declared at another: a ``moved`` block."""
    _add_block(scope, "moved", {"from": before, "to": after})


def _add_block(scope: IConstruct, kind: str, block: dict[str, Any]) -> None:
    stack = TerraformStack.of(scope)
    blocks = _BLOCKS.setdefault(stack, {}).setdefault(kind, [])
    blocks.append(block)
    # An override takes the place of the one before it.
    stack.add_override(kind, blocks)


_BLOCKS: WeakKeyDictionary[TerraformStack, dict[str, list[dict[str, Any]]]] = WeakKeyDictionary()
"""Blocks of a stack for which the CDK has no class, by their kind."""


def literal(value: Any) -> Any:
    """The value with Terraform's own marks escaped: Kafka too writes ``${...}``, for its config providers.

    What is a reference of the CDK's stays one.
    """
    if isinstance(value, dict):
        return {key: literal(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [literal(inner) for inner in value]
    if isinstance(value, str):
        return _OWN_MARK.sub(r"\1\1{", value)
    return value


_OWN_MARK = re.compile(r"([$%])\{(?!TfToken\[)")
"""What begins a template of Terraform's, but for a reference of the CDK's, which may stand beside it in one text."""


def resolved(value: Any, scope: IConstruct) -> Any:
    """The value as Terraform reads it: a reference of the CDK's becomes ``${var.kubeconfig}``."""
    return Tokenization.resolve(value, preparing=False, resolver=DefaultTokenResolver(StringConcat()), scope=scope)


def is_reference(value: Any) -> bool:
    """Whether it is a reference of the CDK's: only Terraform will know its value."""
    return bool(Token.is_unresolved(value))
