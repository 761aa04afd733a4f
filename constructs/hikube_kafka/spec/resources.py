"""Processor and memory of a server: explicit, or one of Hikube's presets; and the heap that follows from the memory."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator

from hikube_kafka.spec import amounts
from hikube_kafka.spec.mistakes import VALUE_TYPE, Mistake, shown
from hikube_kafka.spec.model import Declared, Model
from hikube_kafka.spec.quantities import Quantity


class Preset(StrEnum):
    """Hikube's resource presets. Source: Hikube's Kafka API reference, ``resourcesPreset``."""

    NANO = "nano"
    MICRO = "micro"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    XLARGE = "xlarge"
    XXLARGE = "2xlarge"


_PRESETS = {
    Preset.NANO: ("250m", "128Mi"),
    Preset.MICRO: ("500m", "256Mi"),
    Preset.SMALL: ("1", "512Mi"),
    Preset.MEDIUM: ("1", "1Gi"),
    Preset.LARGE: ("2", "2Gi"),
    Preset.XLARGE: ("4", "4Gi"),
    Preset.XXLARGE: ("8", "8Gi"),
}


class Resources(Declared):
    """Processor and memory of each server, requested and limited alike: no neighbour may squeeze a broker."""

    cpu: Annotated[Quantity, AfterValidator(amounts.cores)]
    """Cores."""
    memory: Annotated[Quantity, AfterValidator(amounts.memory)]
    """Bytes. The heap is a part of it; the page cache gets what is left."""

    def __init__(self, *, cpu: Quantity | str | float, memory: Quantity | str) -> None:
        BaseModel.__init__(self, cpu=cpu, memory=memory)

    @classmethod
    def preset(cls, name: Preset | str) -> Self:
        """The resources behind one of Hikube's presets; what is none of them is told as other mistakes are."""
        try:
            cpu, memory = _PRESETS[Preset(name)]
        except ValueError:
            facts = {"value": shown(name), "wanted": "a preset of Hikube's", "instead": f"one of {', '.join(Preset)}"}
            preset: Self = cls.mistaken(Mistake(rule=VALUE_TYPE, path=("preset",), facts=facts))
            return preset
        return cls(cpu=cpu, memory=memory)


Heap = Annotated[Quantity, BeforeValidator(amounts.as_java_writes_it), AfterValidator(amounts.heap)]
"""A declared heap: as Kubernetes writes it, ``2Gi``, or as ``-Xmx`` takes it with a small letter, ``1500m`` or ``2g``:
mebibytes and gibibytes. A capital letter has its meaning in Kubernetes: ``2G`` are 2·10⁹ bytes."""


class HeapRule(Model):
    """How a server's heap follows from its memory.

    ``heap = share x memory``, at most ``most``, in whole MiB, and always ``memory - off_heap`` or less: what a JVM
    needs besides its heap (metaspace, code cache, thread stacks, direct buffers) must fit below the limit too, or the
    kernel kills the server under load.
    """

    share: float
    """Part of the memory."""
    most: Quantity
    """More than this helps nobody."""
    off_heap: Quantity
    """Bytes of the memory that the heap must leave free."""
    least: Quantity
    """Below this the server does not start, or does not stay up."""

    def computed(self, memory: Quantity) -> Quantity:
        """The heap for that much memory; possibly below ``least``, which a rule of the declaration then refuses."""
        room = max(memory.bytes - self.off_heap.bytes, 0)
        heap = min(int(memory.bytes * self.share), self.most.bytes, room)
        return Quantity(f"{heap // 1024**2}Mi")

    def largest(self, memory: Quantity) -> Quantity:
        """The largest heap that still fits that much memory."""
        return Quantity(f"{max(memory.bytes - self.off_heap.bytes, 0) // 1024**2}Mi")


BROKER_HEAP = HeapRule(share=0.5, most=Quantity("6Gi"), off_heap=Quantity("256Mi"), least=Quantity("256Mi"))
"""Half of the memory, at most 6 GiB: Kafka's operations guide runs busy brokers at ``-Xmx6g`` and leaves the rest to
the page cache. 256 MiB off-heap are this project's margin; docs/benchmarks.md has what a broker was seen to take."""

ZOOKEEPER_HEAP = HeapRule(share=0.75, most=Quantity("4Gi"), off_heap=Quantity("96Mi"), least=Quantity("128Mi"))
"""Three quarters of the memory: ZooKeeper's administrator guide suggests 3 GB on a machine of 4 GB."""
