"""Schemas: what a user may write in a block, and the types of its values.

The types are those of Terraform's type system (cty) that the provider uses. Terraform reads them as JSON: ``"string"``,
``["list", "string"]``, ``["object", {"host": "string"}]``. There are no sets, tuples or values that bring their own
type; of blocks there is the one that may be written once; a schema has one version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Nesting = Literal["list", "map"]


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type without parts: text, a number, or a truth value."""

    name: Literal["string", "number", "bool"]

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


Type = Primitive | List | Map | Object

STRING = Primitive("string")
NUMBER = Primitive("number")
BOOL = Primitive("bool")


@dataclass(frozen=True, slots=True)
class Nested:
    """The attributes inside an attribute: a list or a map of objects."""

    nesting: Nesting
    attributes: Mapping[str, "Attribute"]

    def implied_type(self) -> Type:
        """The type of the whole attribute."""
        inside = Object({name: each.implied_type() for name, each in self.attributes.items()})
        return List(inside) if self.nesting == "list" else Map(inside)


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
        minimum: The least whole number that the user may set; ``None`` for any number. Checked before the resource
            is asked to validate.
        maximum: The greatest one; goes with ``minimum``.
        nested: The attributes inside, instead of ``type``.
    """

    type: Type | None = None
    description: str = ""
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False
    minimum: int | None = None
    maximum: int | None = None
    nested: Nested | None = None

    def __post_init__(self) -> None:
        if (self.type is None) == (self.nested is None):
            raise ValueError("an attribute has either a type or nested attributes: give exactly one of them")
        if self.required and (self.optional or self.computed):
            raise ValueError("a required attribute can be neither optional nor computed")
        if not (self.required or self.optional or self.computed):
            raise ValueError("an attribute is required, optional, computed, or optional and computed: say which")
        if self.minimum is not None and self.type != NUMBER:
            raise ValueError("an attribute that is not a number has no minimum")
        if self.maximum is not None and self.minimum is None:
            raise ValueError("an attribute with a maximum has a minimum too")

    def implied_type(self) -> Type:
        """The type of its value."""
        if self.nested is not None:
            return self.nested.implied_type()
        assert self.type is not None  # noqa: S101 - __post_init__ saw to it; tells the type checker
        return self.type


@dataclass(frozen=True, slots=True)
class Block:
    """A block inside a block, written without an equals sign, at most once; null when it is absent.

    Attributes:
        attributes: What is set inside.
        description: Markdown: the user's manual.
    """

    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    description: str = ""

    def implied_type(self) -> Object:
        """The type of its value."""
        return Object({name: each.implied_type() for name, each in self.attributes.items()})


@dataclass(frozen=True)
class Schema:
    """What a resource, data source or provider block consists of.

    Attributes:
        attributes: What is set in it, by name.
        blocks: The blocks in it, by name.
        description: Markdown: the user's manual.
    """

    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    blocks: Mapping[str, Block] = field(default_factory=dict)
    description: str = ""

    @cached_property
    def type(self) -> Object:
        """The type of the whole block: an object of all attributes and blocks."""
        both = self.attributes.keys() & self.blocks.keys()
        if both:
            raise ValueError(f"declared as an attribute and as a block: {', '.join(sorted(both))}")
        return Object(
            {name: each.implied_type() for name, each in self.attributes.items()}
            | {name: each.implied_type() for name, each in self.blocks.items()}
        )
