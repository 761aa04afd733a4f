"""What an author of a provider writes: a provider, its resources, its data sources.

Values are plain Python: ``None``, ``str``, ``bool``, ``int``, ``Decimal``, ``list``, ``dict`` (objects and
maps) and :data:`~hikube_kafka.plugin.values.UNKNOWN`. An object always has all its attributes, those
that are not set as ``None``; a null element of a list or a map is not declared, and left out. One instance of each
class serves the whole process, from several threads at once.

Terraform checks its rules for a plan, and calls a breach a bug of the provider:

* What the configuration sets is planned exactly so, or left exactly as it was (the two spell one thing).
* What the configuration leaves out is planned as null, unless the attribute is computed.
* What is planned is what exists afterwards; only an unknown may become anything.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hikube_kafka.plugin.diagnostics import Diagnostic, Path
from hikube_kafka.plugin.schema import Attribute, Schema
from hikube_kafka.plugin.values import UNKNOWN

_LONGEST_SHOWN = 30
"""Digits."""

State = dict[str, Any]
"""All attributes and blocks of a resource, data source or provider block, by name."""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What Terraform wants planned.

    Attributes:
        prior: What exists; ``None`` to create.
        proposed: The configuration, with computed attributes carried over from ``prior`` where the configuration is
            silent (null on creation); ``None`` to destroy.
        config: The configuration alone, computed attributes null; ``None`` to destroy. May hold unknowns.
        private: What the provider kept with the resource: its own bytes, invisible to the user.
        replaces: With no ``prior``: whether this is the second question about a resource that exists and is to be
            replaced, and not about one that is created. A tainted resource is asked about once, as if it was created.
    """

    prior: State | None
    proposed: State | None
    config: State | None
    private: bytes = b""
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What the provider would do.

    Attributes:
        planned: The resource after the apply, with ``UNKNOWN`` for what only the apply can tell; ``None`` to destroy.
        replace: Paths whose change cannot be made in place: Terraform then plans a replacement and asks again, with
            ``prior`` of ``None``.
        diagnostics: Errors refuse the plan; warnings are shown with it.
        private: The provider's own bytes, handed to the apply and kept with the resource.
    """

    planned: State | None
    replace: Sequence[Path] = ()
    diagnostics: Sequence[Diagnostic] = ()
    private: bytes = b""


class Resource(ABC):
    """Something Terraform creates, reads, updates and deletes.

    Any method may raise :class:`~hikube_kafka.plugin.diagnostics.Refusal`; every other exception reaches the
    user as a mistake of the provider, with its type and place but without its text, which might hold a secret.
    """

    type_name: str
    schema: Schema

    def validate(self, config: State) -> Iterable[Diagnostic]:  # noqa: ARG002 - for overriding
        """Errors and warnings about a configuration, with nothing but itself to go by; it may hold unknowns."""
        return ()

    @abstractmethod
    def plan(self, request: PlanRequest) -> Plan:
        """What an apply would do.

        Called for a destroy as well (``request.proposed`` is ``None``): the place to refuse it. A replacement asks for
        no separate destroy: check whatever forbids one wherever ``replace`` is answered.
        """

    @abstractmethod
    def create(self, planned: State, private: bytes) -> State:
        """Make it; answers all of its attributes, none unknown."""

    @abstractmethod
    def update(self, prior: State, planned: State, private: bytes) -> State:
        """Change it in place; answers all of its attributes, none unknown."""

    @abstractmethod
    def delete(self, prior: State, private: bytes) -> None:
        """Delete it; it being gone already is success."""

    @abstractmethod
    def read(self, state: State, private: bytes) -> State | None:
        """How it is now; ``None`` if it is gone. After an import, ``state`` is what ``import_state`` answered."""

    def import_state(self, identifier: str) -> State:
        """Enough of a state for ``read`` to find it; attributes left out are null.

        Args:
            identifier: What the user wrote after the address in ``terraform import``.
        """
        raise NotImplementedError


class DataSource(ABC):
    """Something Terraform only reads."""

    type_name: str
    schema: Schema

    def validate(self, config: State) -> Iterable[Diagnostic]:  # noqa: ARG002 - for overriding
        """Errors and warnings about a configuration, with nothing but itself to go by; it may hold unknowns."""
        return ()

    @abstractmethod
    def read(self, config: State) -> State:
        """All attributes, those of the configuration unchanged; the configuration holds no unknowns here."""


class Provider(ABC):
    """A provider: its settings, its resources, its data sources."""

    schema: Schema
    resources: Sequence[Resource]
    data_sources: Sequence[DataSource]

    def validate(self, config: State) -> Iterable[Diagnostic]:  # noqa: ARG002 - for overriding
        """Errors and warnings about the settings, with nothing but themselves to go by; they may hold unknowns."""
        return ()

    @abstractmethod
    def configure(self, config: State) -> Iterable[Diagnostic]:
        """Take the settings, before any resource is planned, read or applied. During a plan they may hold unknowns."""

    def stop(self) -> None:  # noqa: B027 - most providers have nothing to interrupt
        """The user pressed Ctrl-C: end waits early, finish what must not be left half done. Called from a thread."""


def configuration_faults(of: Resource | DataSource | Provider, config: State) -> Iterator[Diagnostic]:
    """What is wrong with a configuration in itself: by the schema's own demands, then by what the author checks."""
    yield from schema_faults(of.schema, config)
    yield from of.validate(config)


def schema_faults(schema: Schema, config: State) -> Iterator[Diagnostic]:
    """What a schema itself demands and a configuration does not keep."""
    yield from _faults(schema.attributes, config, ())
    for name, block in schema.blocks.items():
        if isinstance(config[name], dict):
            yield from _faults(block.attributes, config[name], (name,))


def _faults(attributes: Mapping[str, Attribute], config: State, path: Path) -> Iterator[Diagnostic]:
    """Required attributes that are null, which Terraform itself lets pass, and numbers out of range."""
    for name, attribute in attributes.items():
        value = config.get(name)
        if value is UNKNOWN:
            continue
        if value is None:
            if attribute.required:
                yield Diagnostic(f"{name} is required", "It is null: set it to a value.", path=(*path, name))
        elif attribute.nested is not None:
            for step, element in value.items() if isinstance(value, dict) else enumerate(value):
                if isinstance(element, dict):
                    yield from _faults(attribute.nested.attributes, element, (*path, name, step))
        elif attribute.minimum is not None and not _is_within(value, attribute):
            bound = f"at least {attribute.minimum}"
            if attribute.maximum is not None and value > attribute.maximum:
                bound = f"at most {attribute.maximum}"
            yield Diagnostic(f"{name} must be a whole number of {bound}", f"It is {_shown(value)}.", path=(*path, name))


def _is_within(value: object, attribute: Attribute) -> bool:
    least, greatest = attribute.minimum, attribute.maximum
    return isinstance(value, int) and (least is None or value >= least) and (greatest is None or value <= greatest)


def _shown(number: float | Decimal) -> str:
    """A number as a person reads it: hundreds of digits tell no more than their count."""
    text = str(number)
    return text if len(text) <= _LONGEST_SHOWN else f"{Decimal(number):.3e}"
