"""Storage of a server: how much, and of which class."""

from pydantic import BaseModel, field_validator

from hikube_kafka.spec.model import Model
from hikube_kafka.spec.quantities import Quantity


class Storage(Model):
    """Disk for each server: ``Storage("100Gi", storage_class="replicated")``.

    Hikube's classes: ``""`` (its default: one datacenter), ``replicated`` (several datacenters), ``local``. Source:
    Hikube's Kafka API reference.
    """

    size: Quantity
    """Size of each server's claim; at least one byte."""
    storage_class: str = ""
    """Name of the storage class; empty means the cluster's default."""

    def __init__(self, size: Quantity | str, *, storage_class: str = "") -> None:
        BaseModel.__init__(self, size=size, storage_class=storage_class)

    @field_validator("size")
    @classmethod
    def _holds_something(cls, size: Quantity) -> Quantity:
        if size.bytes < 1:
            raise ValueError(f"storage of {size} holds nothing: declare a size such as 10Gi")
        return size
