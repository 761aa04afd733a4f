"""The ZooKeeper servers of a platform."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from hikube_kafka.spec.model import Declared, Form, Frozen, Whole
from hikube_kafka.spec.quantities import Quantity
from hikube_kafka.spec.resources import ZOOKEEPER_HEAP, Heap, Resources
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.topic import ConfigValue


class ZooKeeper(Declared):
    """The ensemble: ``ZooKeeper(servers=3, storage=Storage("5Gi"))``."""

    separable: ClassVar = frozenset({"config"})
    is_located: ClassVar = True

    kind: Literal["zookeeper"] = "zookeeper"
    servers: Whole = Field(default=3, ge=1, le=255)
    """Number of servers, with ids from 1 to at most 255, as ZooKeeper has them: odd. 2f+1 servers survive the loss
    of f."""
    storage: Storage = Storage("5Gi")
    """Disk of each server. Default: Hikube's."""
    log_storage: Storage | None = None
    """A disk of its own for the transaction log, which every write waits for. None means the log is on ``storage``.

    On Kubernetes it is decided before the first apply: a server that finds its log elsewhere does not start."""
    resources: Resources = Resources.preset("small")
    """Processor and memory of each server. Default: Hikube's."""
    heap: Heap | None = None
    """``-Xms`` and ``-Xmx``: ``2Gi``, or as Java writes it, ``1500m``. None means computed, see
    :data:`~hikube_kafka.spec.resources.ZOOKEEPER_HEAP`."""
    chroot: Annotated[
        str,
        Form(
            pattern=r"^(/[A-Za-z0-9_-]+)*$",
            what="a place in ZooKeeper's tree",
            instead="write one such as /orders, with letters, digits, '-' and '_' after each '/'",
        ),
    ] = ""
    """Where Kafka lives in the tree, such as ``/orders``: several platforms can then share one ensemble."""
    config: Frozen[str, ConfigValue] = Field(default_factory=dict)
    """Entries of ``zoo.cfg`` by ZooKeeper's own keys. They win over what is computed, and the plan's notices say so."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            kind: Literal["zookeeper"] = ...,
            servers: int = ...,
            storage: Storage = ...,
            log_storage: Storage | None = ...,
            resources: Resources = ...,
            heap: Quantity | str | None = ...,
            chroot: str = ...,
            config: Mapping[str, ConfigValue] = ...,
        ) -> None: ...

    @property
    def effective_heap(self) -> Quantity:
        """The declared heap, or the one computed from the memory."""
        return self.heap or ZOOKEEPER_HEAP.computed(self.resources.memory)
