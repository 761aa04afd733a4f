"""Storage of a server: how much, and of which class."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel

from hikube_kafka.spec import amounts
from hikube_kafka.spec.model import Declared
from hikube_kafka.spec.quantities import Quantity


class Storage(Declared):
    """Disk for each server: ``Storage("100Gi", storage_class="replicated")``.

    Hikube's classes: ``""`` (its default: one datacenter), ``replicated`` (several datacenters), ``local``. Source:
    Hikube's Kafka API reference.
    """

    size: Annotated[Quantity, AfterValidator(amounts.disk)]
    """Size of each server's claim; from 1Mi to 1Ei."""
    storage_class: str = ""
    """Name of the storage class; empty means the cluster's default."""

    def __init__(self, size: Quantity | str, *, storage_class: str = "") -> None:
        BaseModel.__init__(self, size=size, storage_class=storage_class)
