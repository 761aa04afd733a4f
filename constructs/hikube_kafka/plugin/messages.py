"""From what an author writes to the protocol's messages: schemas, diagnostics, paths."""

import json
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from hikube_kafka.plugin import tfplugin6_pb2 as pb
from hikube_kafka.plugin.diagnostics import Diagnostic, Path
from hikube_kafka.plugin.schema import Attribute, Block, List, Map, Object, Schema, Type
from hikube_kafka.plugin.values import spell

_FRAMES_SHOWN = 3
_REPORT = "This is a bug in the provider, not in your configuration: please report it with this message."
_SEVERITY = {"error": pb.Diagnostic.ERROR, "warning": pb.Diagnostic.WARNING}


def schema_message(schema: Schema) -> pb.Schema:
    """A schema as Terraform reads it."""
    block = _block(schema.attributes, schema.description)
    block.block_types.extend(_nested_block(name, each) for name, each in schema.blocks.items())
    return pb.Schema(block=block)


def _block(attributes: Mapping[str, Attribute], description: str) -> pb.Schema.Block:
    return pb.Schema.Block(
        attributes=[_attribute(name, each) for name, each in attributes.items()],
        description=description,
        description_kind=pb.MARKDOWN,
    )


def _nested_block(name: str, block: Block) -> pb.Schema.NestedBlock:
    inside = _block(block.attributes, block.description)
    return pb.Schema.NestedBlock(type_name=name, block=inside, nesting=pb.Schema.NestedBlock.SINGLE)


def _attribute(name: str, attribute: Attribute) -> pb.Schema.Attribute:
    message = pb.Schema.Attribute(
        name=name,
        description=attribute.description,
        description_kind=pb.MARKDOWN,
        required=attribute.required,
        optional=attribute.optional,
        computed=attribute.computed,
        sensitive=attribute.sensitive,
    )
    if attribute.nested is None:
        message.type = json.dumps(attribute.implied_type().to_json(), separators=(",", ":")).encode()
    else:
        nested = attribute.nested
        inside = [_attribute(inner_name, inner) for inner_name, inner in nested.attributes.items()]
        message.nested_type.CopyFrom(pb.Schema.Object(nesting=nested.nesting.upper(), attributes=inside))
    return message


def diagnostic_message(diagnostic: Diagnostic, root: Type) -> pb.Diagnostic:
    """A diagnostic as Terraform reads it, its path resolved against the type of the whole block."""
    message = pb.Diagnostic(
        severity=_SEVERITY[diagnostic.severity], summary=diagnostic.summary, detail=diagnostic.detail
    )
    steps = path_message(diagnostic.path, root)
    if steps.steps:
        message.attribute.CopyFrom(steps)
    return message


def path_message(path: Path, root: Type) -> pb.AttributePath:
    """A path as Terraform reads it. It ends at a step that the type does not have."""
    steps = []
    kind = root
    for step in path:
        match kind:
            case Object(attributes) if isinstance(step, str) and step in attributes:
                steps.append(pb.AttributePath.Step(attribute_name=step))
                kind = attributes[step]
            case Map(element) if isinstance(step, str):
                steps.append(pb.AttributePath.Step(element_key_string=step))
                kind = element
            case List(element) if isinstance(step, int):
                steps.append(pb.AttributePath.Step(element_key_int=step))
                kind = element
            case _:
                break
    return pb.AttributePath(steps=steps)


def mistake(during: str, problems: Iterable[tuple[Path, str]]) -> list[Diagnostic]:
    """What the user is told where the provider broke Terraform's rules: where, and what to do."""
    return [
        Diagnostic(
            "The provider made a mistake",
            # The path in words too: Terraform shows it only where the configuration has a line for it.
            f"While it answered {during}{f', at {spell(path)}' if path else ''}: {problem}.\n\n{_REPORT}",
            path=path,
        )
        for path, problem in problems
    ]


def crash(during: str, exception: BaseException) -> Diagnostic:
    """What the user is told of an unexpected exception: its type and place in the code.

    Its text stays out: it may quote a password.
    """
    frames = traceback.extract_tb(exception.__traceback__)[-_FRAMES_SHOWN:]
    place = "\n".join(f"  {_module(frame.filename)}:{frame.lineno} in {frame.name}" for frame in reversed(frames))
    kind: Any = type(exception)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return Diagnostic(
        "The provider made a mistake",
        f"{name} while it answered {during}, at\n{place}\n\n{_REPORT} The text of the exception is "
        "left out, since it could hold a secret.",
    )


def _module(filename: str) -> str:
    """The end of a file's path: enough to find it, without the machine's directories."""
    return "/".join(filename.replace("\\", "/").split("/")[-2:])
