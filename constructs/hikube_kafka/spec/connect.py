"""Kafka Connect: workers, the plugins they load, and the connectors that they run."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from hikube_kafka.spec.ensemble import shown_location
from hikube_kafka.spec.mistakes import shown
from hikube_kafka.spec.model import Declared, Form, Frozen, Several, Texts, Whole
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.spec.resources import Heap, HeapRule, Resources
from hikube_kafka.spec.topic import ConfigValue

WORKER_HEAP = HeapRule(share=0.5, most=Quantity("4Gi"), off_heap=Quantity("384Mi"), least=Quantity("256Mi"))
"""Half of the memory: what plugins keep off the heap (database drivers, compression, direct buffers) needs the rest.
The margins are this project's own; docs/benchmarks.md has what a worker was seen to take."""


class Plugin(Declared):
    """Connectors, converters or transforms to install: a folder of ``plugin.path``.

    A plugin may name several sources: each target takes the one that it can have. On this machine that is ``maven`` or
    ``archive``, on Kubernetes ``image``, ``volume`` or ``archive``.
    """

    is_located: ClassVar = True

    name: Annotated[
        str,
        Form(
            pattern=r"^[a-z][a-z0-9-]{0,39}$",
            what="a valid name of a plugin",
            instead="use up to 40 lower-case letters, digits and '-', with a letter first",
        ),
    ]
    """Name of its folder."""
    version: str = Field(min_length=1)
    """Version that its classes report once a worker has loaded them: ``3.1.3.Final``."""
    classes: Several = ()
    """Classes of connectors that it brings, in full. The contract promises that a worker has loaded them."""
    maven: Annotated[
        str | None,
        Form(
            pattern=r"^[A-Za-z0-9._-]+(:[A-Za-z0-9._-]+){2,4}$",
            what="a valid Maven coordinate",
            instead="write group:artifact:version, and the extension and the classifier if it has them",
        ),
    ] = None
    """Coordinates ``group:artifact:version[:extension[:classifier]]``; a ``jar`` comes with what it depends on."""
    archive: Annotated[
        str | None,
        Form(
            pattern=r"^[^\s]+\.(tar\.gz|tgz|zip|jar)$",
            what="a valid location of an archive",
            instead="use a URL that ends with .tar.gz, .tgz, .zip or .jar",
            shows=shown_location,
        ),
    ] = None
    """URL of a ``.tar.gz``, ``.tgz``, ``.zip`` or ``.jar``."""
    checksum: Annotated[
        str | None,
        Form(
            pattern=r"^(sha256:[0-9a-fA-F]{64}|sha512:[0-9a-fA-F]{128})$",
            what="a valid checksum",
            instead="write sha256: and 64 hexadecimal digits, or sha512: and 128",
        ),
    ] = None
    """``sha256:`` or ``sha512:`` and the digest in hexadecimal digits, of the archive or of Maven's file; where
    both are declared, they must be the same file."""
    image: str | None = None
    """Reference of a container image that holds the plugin."""
    image_path: str = "/plugins"
    """Folder in the image whose content is the plugin."""
    volume: str | None = None
    """Name of a volume claim that holds the plugin, in the namespace of the workers."""

    def __init__(
        self,
        name: str,
        *,
        version: str,
        classes: Texts = (),
        maven: str | None = None,
        archive: str | None = None,
        checksum: str | None = None,
        image: str | None = None,
        image_path: str = "/plugins",
        volume: str | None = None,
    ) -> None:
        BaseModel.__init__(
            self,
            name=name,
            version=version,
            classes=classes,
            maven=maven,
            archive=archive,
            checksum=checksum,
            image=image,
            image_path=image_path,
            volume=volume,
        )

    def label(self, where: str) -> str:
        """By its name, unless that is what is mistaken."""
        return f"plugin {self.name}" if isinstance(self.__dict__.get("name"), str) else where


class ConnectorState(StrEnum):
    """What a connector is to do, in Connect's own words."""

    RUNNING = "running"
    PAUSED = "paused"
    """Its tasks stay and wait."""
    STOPPED = "stopped"
    """It has no tasks, and its offsets can be changed."""


class Offsets(Declared):
    """What becomes of the offsets of a connector, which Connect keeps beyond the connector itself.

    ``Offsets()`` keeps them always. ``Offsets(on_change="reset")`` has them reset once, when that is declared, and when
    the connector is created.
    """

    on_change: Literal["keep", "reset", "set"] = "keep"
    """Done once, when it is declared anew or the connector is created where offsets of its name are left."""
    to: tuple[Frozen[str, Frozen[str, Any] | None], ...] = ()
    """With ``set``: the offsets, as ``PUT /connectors/<name>/offsets`` takes them: each has a ``partition`` and an
    ``offset``."""
    on_destroy: Literal["keep", "reset"] = "keep"
    """``reset`` has a later connector of the same name begin anew."""

    @field_validator("to")
    @classmethod
    def _are_for_set(
        cls, to: tuple[Mapping[str, Mapping[str, Any] | None], ...], info: ValidationInfo
    ) -> tuple[Mapping[str, Mapping[str, Any] | None], ...]:
        on_change = info.data.get("on_change", "set" if to else "keep")
        if on_change == "set" and not to:
            raise ValueError('on_change = "set" needs offsets: declare them with to=[...]')
        if to and on_change != "set":
            raise ValueError(f'it is not used with on_change = "{on_change}": declare on_change="set", or no to')
        for index, each in enumerate(to):
            if each.keys() != {"partition", "offset"} or each["partition"] is None:
                raise ValueError(f'to[{index}] is not an offset: write {{"partition": {{...}}, "offset": {{...}}}}')
        return to


def _a_name_or_false(value: object) -> object:
    if value is None or value is False or (isinstance(value, str) and value):
        return value
    raise ValueError(f"{shown(value)} names no topic: declare its name, False, or leave it out for the default")


class Connector(Declared):
    """A connector: ``Connector("orders-to-search", "com.example.SearchSink", config={"topics": "orders"})``."""

    separable: ClassVar = frozenset({"config"})
    is_located: ClassVar = True

    name: Annotated[
        str,
        Form(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$",
            what="a valid name of a connector",
            instead="use up to 200 letters, digits, '.', '_' and '-', with a letter or a digit first",
        ),
    ]
    """Connect's name of it. A sink's consumer group is ``connect-<name>``."""
    connector_class: Annotated[
        str,
        Form(
            pattern=r"^[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)+$",
            what="a Java class in full",
            instead="write its package too, such as io.debezium.connector.postgresql.PostgresConnector",
        ),
    ]
    """Class in full; Connect's ``connector.class``."""
    tasks_max: Annotated[Whole, Field(ge=1, le=2**31 - 1)] = 1
    """Connect's ``tasks.max``: a connector may start fewer."""
    config: Frozen[str, ConfigValue] = Field(default_factory=dict)
    """Entries by the connector's own keys. A password stands here as a reference to a config provider, such as
    ``${dir:/secrets/database:password}``, and never as itself."""
    state: ConnectorState = ConnectorState.RUNNING
    offsets: Offsets = Offsets()
    dead_letters: Annotated[str | Literal[False] | None, BeforeValidator(_a_name_or_false)] = None
    """Of a sink: topic of the records that it cannot deliver. None means ``<name>.dead-letters``; False means that the
    first such record ends the task."""
    dead_letters_allowed: Annotated[Whole, Field(ge=0)] = 0
    """Records in that topic with which the smoke tests still pass."""
    most_lag: Annotated[Whole, Field(ge=0)] | None = 10_000
    """Of a sink: records by which it may lag behind when the smoke tests look; None means any number."""

    def __init__(
        self,
        name: str,
        connector_class: str,
        *,
        tasks_max: int = 1,
        config: Mapping[str, ConfigValue] | None = None,
        state: ConnectorState | str = ConnectorState.RUNNING,
        offsets: Offsets | None = None,
        dead_letters: str | Literal[False] | None = None,
        dead_letters_allowed: int = 0,
        most_lag: int | None = 10_000,
    ) -> None:
        BaseModel.__init__(
            self,
            name=name,
            connector_class=connector_class,
            tasks_max=tasks_max,
            config=config or {},
            state=state,
            offsets=offsets or Offsets(),
            dead_letters=dead_letters,
            dead_letters_allowed=dead_letters_allowed,
            most_lag=most_lag,
        )

    def label(self, where: str) -> str:
        """By its name, unless that is what is mistaken."""
        return f"connector {self.name}" if isinstance(self.__dict__.get("name"), str) else where


class ConnectCluster(Declared):
    """Workers of one group, and what they run: ``ConnectCluster("changes", plugins=[...], connectors=[...])``."""

    separable: ClassVar = frozenset({"config", "connectors", "plugins"})
    is_located: ClassVar = True

    name: Annotated[
        str,
        Form(
            pattern=r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$",
            what="a valid name of a Connect cluster",
            instead="use up to 20 lower-case letters, digits and '-', starting with a letter and not ending with '-'",
        ),
    ]
    """Part of the group's id, of the internal topics' names and of the release's name."""
    workers: Whole = Field(default=2, ge=1)
    """Number of workers. One is a single point of failure: its tasks stand still while it restarts."""
    resources: Resources = Resources.preset("large")
    """Processor and memory of each worker."""
    heap: Heap | None = None
    """``-Xms`` and ``-Xmx``. None means computed, see :data:`WORKER_HEAP`."""
    plugins: tuple[Plugin, ...] = ()
    connectors: tuple[Connector, ...] = ()
    config: Frozen[str, ConfigValue] = Field(default_factory=dict)
    """Worker entries by Kafka's own keys. They win over what is computed, and the plan's notices say so."""
    deletion_protection: bool = True
    """Of the topics that the cluster needs and nobody has declared: the internal ones and those of dead letters."""
    secrets: Several = ()
    """Names of Secrets that connectors refer to: each is mounted as ``/secrets/<name>``, a file a key. On this machine
    the folder ``secrets`` beside the workers has that place."""

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            *,
            workers: int = ...,
            resources: Resources = ...,
            heap: Quantity | str | None = ...,
            plugins: Iterable[Plugin] = ...,
            connectors: Iterable[Connector] = ...,
            config: Mapping[str, ConfigValue] = ...,
            deletion_protection: bool = ...,
            secrets: Sequence[str] = ...,
        ) -> None: ...
    else:

        def __init__(self, name: str, **fields: Any) -> None:
            BaseModel.__init__(self, name=name, **fields)

    def label(self, where: str) -> str:
        """By its name, unless that is what is mistaken."""
        return f"Connect cluster {self.name}" if isinstance(self.__dict__.get("name"), str) else where

    @property
    def effective_heap(self) -> Quantity:
        """The declared heap, or the one computed from the memory."""
        return self.heap or WORKER_HEAP.computed(self.resources.memory)
