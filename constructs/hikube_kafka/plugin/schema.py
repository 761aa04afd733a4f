"""Schemas: what a user may write in a block, and the types of its values.

The types are those of Terraform's type system (cty). Terraform exchanges them as JSON: ``"string"``,
``["list", "string"]``, ``["object", {"host": "string"}]``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Nesting = Literal["single", "list", "set", "map"]


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type without parts: text, a number, a truth value, or a value that brings its own type (``dynamic``)."""

    name: Literal["string", "number", "bool", "dynamic"]

    def to_json(self) -> object:
        """The type as Terraform writes it."""
        return self.name


@dataclass(frozen=True, slots=True)
class List:
    """A sequence of values of one type, in an order that matters."""

    element: "Type"

    def to_json(self) -> object:
        """The type as Terraform writes it."""
        return ["list", self.element.to_json()]


@dataclass(frozen=True, slots=True)
class Set:
    """Values of one type, each once, without an order. In Python a list, in any order."""

    element: "Type"

    def to_json(self) -> object:
        """The type as Terraform writes it."""
        return ["set", self.element.to_json()]


@dataclass(frozen=True, slots=True)
class Map:
    """Values of one type under names the user chooses."""

    element: "Type"

    def to_json(self) -> object:
        """The type as Terraform writes it."""
        return ["map", self.element.to_json()]


@dataclass(frozen=True, slots=True)
class Object:
    """Values of several types under names the schema fixes."""

    attributes: Mapping[str, "Type"]

    def to_json(self) -> object:
        """The type as Terraform writes it."""
        return ["object", {name: kind.to_json() for name, kind in self.attributes.items()}]


@dataclass(frozen=True, slots=True)
class Tuple:
    """A fixed number of values, each of its own type. Occurs inside a ``DYNAMIC`` value only."""

    elements: Sequence["Type"]

    def to_json(self) -> object:
        """The type as Terraform writes it."""
        return ["tuple", [kind.to_json() for kind in self.elements]]


Type = Primitive | List | Set | Map | Object | Tuple

STRING = Primitive("string")
NUMBER = Primitive("number")
BOOL = Primitive("bool")
DYNAMIC = Primitive("dynamic")

_PRIMITIVES = {kind.name: kind for kind in (STRING, NUMBER, BOOL, DYNAMIC)}
_DEEPEST_TYPE = 100  # far beyond any real schema; keeps a hostile type from exhausting the stack


def type_from_json(spelled: object, depth: int = 0) -> Type:
    """The type that Terraform's JSON spelling names.

    Args:
        spelled: The parsed JSON, e.g. ``["list", "string"]``.
        depth: How many types this one is inside of.

    Raises:
        ValueError: ``spelled`` is no type.
    """
    if depth > _DEEPEST_TYPE:
        raise ValueError(f"a type nested deeper than {_DEEPEST_TYPE} levels")
    match spelled:
        case str() if spelled in _PRIMITIVES:
            return _PRIMITIVES[spelled]
        case ["list", element]:
            return List(type_from_json(element, depth + 1))
        case ["set", element]:
            return Set(type_from_json(element, depth + 1))
        case ["map", element]:
            return Map(type_from_json(element, depth + 1))
        case ["tuple", [*elements]]:
            return Tuple(tuple(type_from_json(element, depth + 1) for element in elements))
        # A third item names the optional attributes; a value has all attributes, so it does not matter here.
        case ["object", dict() as attributes] | ["object", dict() as attributes, list()]:
            return Object({_name(name): type_from_json(kind, depth + 1) for name, kind in attributes.items()})
    raise ValueError("not a Terraform type")


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise ValueError("an attribute name that is not text")  # noqa: TRY004 - one error for everything that is no type
    return name


@dataclass(frozen=True, slots=True)
class Nested:
    """The attributes inside an attribute: one object, or a list, set or map of objects."""

    nesting: Nesting
    attributes: Mapping[str, "Attribute"]

    def implied_type(self) -> Type:
        """The type of the whole attribute."""
        return _nested(self.nesting, Object({name: each.implied_type() for name, each in self.attributes.items()}))


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing a user sets (required, optional) or reads (computed), or both (optional and computed).

    Attributes:
        type: The type of its value; ``None`` exactly where ``nested`` is given.
        description: Markdown, one or two sentences: the user's manual.
        required: The user must set it.
        optional: The user may set it.
        computed: The provider sets it where the user does not.
        sensitive: Terraform hides its value.
        deprecated: Terraform warns who uses it.
        nested: The attributes inside, instead of ``type``.
    """

    type: Type | None = None
    description: str = ""
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False
    deprecated: bool = False
    nested: Nested | None = None

    def __post_init__(self) -> None:
        if (self.type is None) == (self.nested is None):
            raise ValueError("an attribute has either a type or nested attributes: give exactly one of them")
        if self.required and (self.optional or self.computed):
            raise ValueError("a required attribute can be neither optional nor computed")
        if not (self.required or self.optional or self.computed):
            raise ValueError("an attribute is required, optional, computed, or optional and computed: say which")

    def implied_type(self) -> Type:
        """The type of its value."""
        if self.nested is not None:
            return self.nested.implied_type()
        assert self.type is not None  # noqa: S101 - __post_init__ saw to it; tells the type checker
        return self.type


@dataclass(frozen=True, slots=True)
class Block:
    """A block inside a block, written without an equals sign.

    Attributes:
        nesting: ``"single"``: at most one, null when absent; ``"list"`` and ``"set"``: any number.
        attributes: What is set inside.
        blocks: Blocks inside.
        description: Markdown: the user's manual.
        min_items: How many there must be (list and set).
        max_items: How many there may be (list and set); 0 for any number.
        deprecated: Terraform warns who uses it.
    """

    nesting: Literal["single", "list", "set"]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    blocks: Mapping[str, "Block"] = field(default_factory=dict)
    description: str = ""
    min_items: int = 0
    max_items: int = 0
    deprecated: bool = False

    def implied_type(self) -> Type:
        """The type of its value."""
        return _nested(self.nesting, _object(self.attributes, self.blocks))


@dataclass(frozen=True)
class Schema:
    """What a resource, data source or provider block consists of.

    Attributes:
        attributes: What is set in it, by name.
        blocks: The blocks in it, by name.
        version: Raised by one whenever a state written earlier must be rewritten (see ``Resource.upgrade``).
        description: Markdown: the user's manual.
    """

    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    blocks: Mapping[str, Block] = field(default_factory=dict)
    version: int = 0
    description: str = ""

    @cached_property
    def type(self) -> Object:
        """The type of the whole block: an object of all attributes and blocks."""
        return _object(self.attributes, self.blocks)


def _object(attributes: Mapping[str, Attribute], blocks: Mapping[str, Block]) -> Object:
    both = attributes.keys() & blocks.keys()
    if both:
        raise ValueError(f"declared as an attribute and as a block: {', '.join(sorted(both))}")
    return Object(
        {name: each.implied_type() for name, each in attributes.items()}
        | {name: each.implied_type() for name, each in blocks.items()}
    )


def _nested(nesting: Nesting, inside: Object) -> Type:
    match nesting:
        case "single":
            return inside
        case "list":
            return List(inside)
        case "set":
            return Set(inside)
        case "map":
            return Map(inside)
