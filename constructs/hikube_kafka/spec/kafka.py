"""The brokers of a platform."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BaseModel, Field

from hikube_kafka.spec.model import Declared, Form, Frozen, Several, Texts, Whole
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.spec.resources import BROKER_HEAP, Heap, Resources
from hikube_kafka.spec.security import Mechanism, Protocol
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.topic import ConfigValue

MOST_BROKERS = 1001
"""Ids go from 0 to Kafka's ``reserved.broker.max.id``, 1000: a broker of a higher one does not start."""


class Listener(Declared):
    """A door of each broker: ``Listener("client", port=9092)``."""

    name: Annotated[
        str,
        Form(
            pattern=r"^[a-z][a-z0-9-]{0,14}$",
            what="a valid name of a listener",
            instead="use up to 15 lower-case letters, digits and '-', with a letter first",
        ),
    ]
    """Lower-case name; Kafka sees it in upper case."""
    port: Whole = Field(ge=1024, le=65535)
    """Port inside the broker's own network; the local target gives each broker a port of its own instead."""
    protocol: Protocol = Protocol.PLAINTEXT
    mechanism: Mechanism | None = None
    """The SASL mechanism; needed with SASL_PLAINTEXT and SASL_SSL."""

    def __init__(
        self,
        name: str,
        *,
        port: int,
        protocol: Protocol | str = Protocol.PLAINTEXT,
        mechanism: Mechanism | str | None = None,
    ) -> None:
        BaseModel.__init__(self, name=name, port=port, protocol=protocol, mechanism=mechanism)

    def label(self, where: str) -> str:
        """By its name, unless that is what is mistaken."""
        return f"listener {self.name}" if isinstance(self.__dict__.get("name"), str) else where

    @property
    def kafka_name(self) -> str:
        """The name as it stands in ``listeners``: ``CLIENT``."""
        return self.name.upper()


class Kafka(Declared):
    """The brokers: ``Kafka(brokers=3, storage=Storage("100Gi"))``."""

    separable: ClassVar = frozenset({"config"})
    is_located: ClassVar = True

    brokers: Whole = Field(default=3, ge=1, le=MOST_BROKERS)
    """Number of brokers, with ids from 0."""
    storage: Storage = Storage("10Gi")
    """Disk of each broker. Default: Hikube's."""
    resources: Resources = Resources.preset("large")
    """Processor and memory of each broker. Hikube's own default, ``small``, leaves a broker 512 MiB: too little."""
    heap: Heap | None = None
    """``-Xms`` and ``-Xmx``: ``2Gi``, or as Java writes it, ``1500m``. None means computed, see
    :data:`~hikube_kafka.spec.resources.BROKER_HEAP`."""
    listeners: tuple[Listener, ...] = Field(default=(Listener("client", port=9092),), min_length=1)
    """The first one is what the contract, the topics and the brokers among themselves use."""
    racks: Several = ()
    """Rack of each broker in turn, repeated as needed: ``("zone-a", "zone-b", "zone-c")``. Empty means none."""
    config: Frozen[str, ConfigValue] = Field(default_factory=dict)
    """Broker entries by Kafka's own keys. They win over what is computed, and the plan's notices say so."""
    fast_failover: bool = True
    """Whether a broker's parent process closes its session with ZooKeeper once it has seen the broker end, killed or
    crashed: its partitions have new leaders, and a controller is elected, at once. A broker that nobody sees end keeps
    its session until it runs out, ``zookeeper.session.timeout.ms``: a container that is killed whole (until it comes
    back on its node), a lost node, a process that is suspended. False: that is so after every such end, and the broker
    has no parent."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            brokers: int = ...,
            storage: Storage = ...,
            resources: Resources = ...,
            heap: Quantity | str | None = ...,
            listeners: Sequence[Listener] = ...,
            racks: Texts = ...,
            config: Mapping[str, ConfigValue] = ...,
            fast_failover: bool = ...,
        ) -> None: ...

    @property
    def effective_heap(self) -> Quantity:
        """The declared heap, or the one computed from the memory."""
        return self.heap or BROKER_HEAP.computed(self.resources.memory)

    def rack(self, broker: int) -> str | None:
        """Rack of the broker with that id, or None."""
        return self.racks[broker % len(self.racks)] if self.racks else None
