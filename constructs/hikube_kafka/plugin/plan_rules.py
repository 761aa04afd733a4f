"""Terraform's rules for a plan and for the result of an apply.

Terraform checks them too, but then the run fails with a text about the provider's code; checked here, the message names
the attribute and asks for a report. Both functions answer the paths of all breaches with what is wrong there.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

from hikube_kafka.plugin.diagnostics import Path
from hikube_kafka.plugin.schema import Attribute, Block, List, Map, Nested, Object, Schema, Set, Type
from hikube_kafka.plugin.values import UNKNOWN, same, unknowns

Breach = tuple[Path, str]


class _Views(NamedTuple):
    """One place of a resource, as it was, as it is wanted, and as it is planned."""

    prior: Any
    config: Any
    planned: Any

    def at(self, name: str) -> "_Views":
        return _Views(*(view.get(name) if isinstance(view, dict) else None for view in self))


def plan_breaches(schema: Schema, prior: Any, config: Any, planned: Any) -> Iterator[Breach]:
    """What the configuration sets is planned so, or left as it was; what it leaves out is computed or null.

    Args:
        schema: The resource's schema.
        prior: What exists; ``None`` to create.
        config: The configuration.
        planned: What the provider answered, already known to be of the schema's type.
    """
    return _object(schema.attributes, schema.blocks, _Views(prior, config, planned), ())


def _object(
    attributes: Mapping[str, Attribute], blocks: Mapping[str, Block], views: _Views, path: Path
) -> Iterator[Breach]:
    for name, attribute in attributes.items():
        yield from _attribute(attribute, views.at(name), (*path, name))
    for name, block in blocks.items():
        if views.config[name] is not UNKNOWN and not same(
            views.config[name], views.planned[name], block.implied_type()
        ):
            yield from _objects(block.nesting, block, views.at(name), (*path, name))


def _attribute(attribute: Attribute, views: _Views, path: Path) -> Iterator[Breach]:
    kind = attribute.implied_type()
    prior, config, planned = views
    if same(planned, config, kind):
        return
    if config is None:
        if not attribute.computed:
            yield path, "a value is planned, but the configuration leaves it out and it is not computed"
    elif prior is not None and same(planned, prior, kind):
        return  # the provider takes the two for two spellings of one value
    elif attribute.nested is not None and config is not UNKNOWN:
        yield from _objects(attribute.nested.nesting, attribute.nested, views, path)
    else:
        yield path, "the planned value is neither the configured one nor the prior one"


def _objects(nesting: str, inside: Block | Nested, views: _Views, path: Path) -> Iterator[Breach]:
    """The objects of a block or nested attribute, each beside the one it is to be compared with."""
    prior, config, planned = views
    if planned is None or planned is UNKNOWN:
        yield path, "it is configured and not planned"
    elif nesting == "single":
        yield from _element(inside, views, path)
    elif len(planned) != len(config):
        yield path, f"{len(planned)} elements are planned, {len(config)} are configured"
    elif nesting == "set":
        yield from _set(inside, views, path)
    elif nesting == "map":
        for key in sorted(config.keys() | planned.keys()):
            yield from _element(inside, views.at(key), (*path, key))
    else:
        befores = [*(prior or ())][: len(config)]
        for index, each in enumerate(zip_longest(befores, config, planned)):
            yield from _element(inside, _Views(*each), (*path, index))


def _element(inside: Block | Nested, views: _Views, path: Path) -> Iterator[Breach]:
    if isinstance(views.config, dict) and isinstance(views.planned, dict):
        blocks = inside.blocks if isinstance(inside, Block) else {}
        yield from _object(inside.attributes, blocks, views, path)
    elif views.config is not views.planned:
        yield path, "an object is planned where none is configured, or the other way round"


def _set(inside: Block | Nested, views: _Views, path: Path) -> Iterator[Breach]:
    """Elements of a set have no names: each planned one must fit a configured one of its own."""
    waiting = list(views.config)
    befores = [None, *(views.prior or ())]
    for planned in views.planned:
        for index, config in enumerate(waiting):
            if any(not any(_element(inside, _Views(before, config, planned), path)) for before in befores):
                del waiting[index]
                break
        else:
            yield path, "an element is planned that fits none of the configured ones"
            return


def result_breaches(kind: Type, planned: Any, result: Any) -> Iterator[Breach]:
    """After an apply nothing is unknown, and everything that was planned as known is as planned.

    Args:
        kind: The type of the resource.
        planned: What was planned, with unknowns.
        result: What the provider answered, already known to be of the type.
    """
    for path in unknowns(result):
        yield path, "it is still unknown after the apply"
    yield from _changed(kind, planned, result, ())


def _changed(kind: Type, planned: Any, result: Any, path: Path) -> Iterator[Breach]:  # noqa: C901 - one case a type
    if planned is UNKNOWN or same(planned, result, kind):
        return
    match kind, planned, result:
        case Object(attributes), dict(), dict():
            for name, inner in attributes.items():
                yield from _changed(inner, planned[name], result[name], (*path, name))
        case Map(inner), dict(), dict() if planned.keys() == result.keys():
            for key in planned:
                yield from _changed(inner, planned[key], result[key], (*path, key))
        case List(inner), list(), list() if len(planned) == len(result):
            for index, (expected, got) in enumerate(zip(planned, result, strict=True)):
                yield from _changed(inner, expected, got, (*path, index))
        case Set(inner), list(), list() if any(True for _ in unknowns(planned)) and len(result) <= len(planned):
            # Which element an unknown became cannot be told; each result must fit some planned one.
            for got in result:
                if all(any(_changed(inner, expected, got, path)) for expected in planned):
                    yield path, "an element of the result fits none of the planned ones"
        case _:
            yield path, "the result is not what was planned"
