"""From a workload to brokers, partitions, memory and disk: every step with its formula and its source.

The figures are a start for a cluster that nobody has measured yet. Measure yours, and declare what you saw.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, Field

from hikube_kafka.spec.kafka import MOST_BROKERS, Kafka
from hikube_kafka.spec.model import Declared, Number, Whole
from hikube_kafka.spec.quantities import Duration, Quantity, Throughput
from hikube_kafka.spec.resources import BROKER_HEAP, ZOOKEEPER_HEAP, Resources
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.zookeeper import ZooKeeper

_MIB = 1024**2
_GIB = 1024**3


class Workload(Declared):
    """What the platform will carry: ``Workload(write="25MB/s", retention="7d")``."""

    write: Throughput
    """What all producers together send, on average over the retention, after compression."""
    retention: Duration
    """How long messages are kept."""
    fan_out: Number = Field(default=1, ge=0)
    """How many times each message is read: the number of consumer groups that read everything."""
    peak: Number = Field(default=2, ge=1)
    """The busiest minute over the average."""
    replication_factor: Whole = Field(default=3, ge=1)
    message_size: Quantity = Quantity("1Ki")
    """Average bytes of a message, after compression."""
    disk_use: Number = Field(default=0.7, gt=0, le=1)
    """Part of each disk that may fill: the rest absorbs a peak, a lost broker and a late deletion."""
    storage_class: str = ""
    """Storage class of the brokers and the ZooKeeper servers."""

    def __init__(
        self,
        *,
        write: Throughput | str,
        retention: Duration | str,
        fan_out: float = 1,
        peak: float = 2,
        replication_factor: int = 3,
        message_size: Quantity | str = "1Ki",
        disk_use: float = 0.7,
        storage_class: str = "",
    ) -> None:
        BaseModel.__init__(
            self,
            write=write,
            retention=retention,
            fan_out=fan_out,
            peak=peak,
            replication_factor=replication_factor,
            message_size=message_size,
            disk_use=disk_use,
            storage_class=storage_class,
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the reasoning."""

    what: str
    value: str
    formula: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """What a workload needs, and why."""

    kafka: Kafka
    zookeeper: ZooKeeper
    partitions: int
    """Partitions of a topic that carries the whole workload."""
    steps: tuple[Step, ...]

    BROKER_RATE: ClassVar = Throughput("60MB/s")
    """What one broker should write to its disk or send to its readers: half of a 1 Gbit/s line, which leaves the other
    half to catching up after a failure."""
    PARTITION_RATE: ClassVar = Throughput("10MB/s")
    """What one partition carries with ease: Kafka's own sizing advice divides the target rate by it."""
    LARGEST_DISK: ClassVar = Quantity("4Ti")
    """More on one broker takes too long to copy when it is lost."""
    RECORD_OVERHEAD: ClassVar = 20
    """Bytes around a record in a batch: lengths, deltas, attributes. Source: Kafka's message format v2."""
    INDEX_SHARE: ClassVar = 0.1
    """Offset and time indexes beside a segment, over its size."""
    PAGE_CACHE_SECONDS: ClassVar = 30
    """Seconds of writes that should be readable from memory. Source: Kafka's operations guide, hardware and OS."""


def size(workload: Workload) -> Sizing:
    """What the workload needs.

    Raises:
        ValueError: more than one cluster has.
    """
    reasoning = _Reasoning()
    write = float(workload.write.bytes_per_second)
    factor = workload.replication_factor

    peak = write * workload.peak
    reasoning.add("peak write rate", _rate(peak), "write x peak", "declared")
    messages = peak / max(workload.message_size.bytes, 1)
    reasoning.add("peak messages", f"{messages:,.0f}/s", "peak write rate / message size", "declared")
    written = peak * factor
    reasoning.add("written to disks", _rate(written), "peak write rate x RF", "each replica is written once")
    read = peak * (workload.fan_out + factor - 1)
    reasoning.add(
        "sent to readers", _rate(read), "peak write rate x (fan-out + RF - 1)", "followers read as consumers do"
    )

    stored = write * (1 + Sizing.RECORD_OVERHEAD / max(workload.message_size.bytes, 1)) * (1 + Sizing.INDEX_SHARE)
    disks = stored * float(workload.retention.seconds) * factor / workload.disk_use
    reasoning.add(
        "disk in all",
        _bytes(disks),
        f"write x (1 + {Sizing.RECORD_OVERHEAD} B / message size) x {1 + Sizing.INDEX_SHARE:g} x retention x RF "
        "/ disk use",
        "message format v2; indexes; Kafka's operations guide leaves room on each disk",
    )

    broker_rate = float(Sizing.BROKER_RATE.bytes_per_second)
    for_rate = math.ceil(max(written, read) / broker_rate) + 1
    reasoning.add(
        "brokers for the rate",
        str(for_rate),
        f"max(written, sent) / {Sizing.BROKER_RATE} + 1",
        "assumption: half of a 1 Gbit/s line each; one may be away at the peak",
    )
    for_disk = math.ceil(disks / Sizing.LARGEST_DISK.bytes)
    reasoning.add(
        "brokers for the disk",
        str(for_disk),
        f"disk in all / {Sizing.LARGEST_DISK}",
        "assumption: a lost broker must be copied in hours",
    )
    brokers = max(factor, for_rate, for_disk)
    if brokers > MOST_BROKERS:
        raise ValueError(f"the workload needs {brokers} brokers, and a cluster has at most {MOST_BROKERS}: divide it")
    reasoning.add("brokers", str(brokers), "max(RF, for the rate, for the disk)", "a replica needs a broker of its own")
    disk = Quantity(f"{max(math.ceil(disks / brokers / _GIB), 1)}Gi")
    reasoning.add("disk of a broker", str(disk), "disk in all / brokers, in whole Gi", "partitions spread evenly")

    needed = max(brokers, math.ceil(peak / float(Sizing.PARTITION_RATE.bytes_per_second)))
    partitions = math.ceil(needed / brokers) * brokers
    reasoning.add(
        "partitions",
        str(partitions),
        f"max(brokers, peak write rate / {Sizing.PARTITION_RATE}), up to a multiple of the brokers",
        "Kafka's sizing advice: target rate over the rate of one partition; evenly led",
    )

    cache = written / brokers * Sizing.PAGE_CACHE_SECONDS
    reasoning.add(
        "page cache of a broker",
        _bytes(cache),
        f"written to disks / brokers x {Sizing.PAGE_CACHE_SECONDS} s",
        "Kafka's operations guide: buffer 30 s of writes",
    )
    # Half of the memory becomes heap, up to its most; the rest must hold the page cache and what the JVM needs besides.
    rest = cache + BROKER_HEAP.off_heap.bytes
    memory = Quantity(f"{max(math.ceil((rest + min(rest, BROKER_HEAP.most.bytes)) / _GIB), 2)}Gi")
    cpu = max(2, math.ceil((written + read) / brokers / 50e6) + 1)
    resources = Resources(cpu=cpu, memory=memory)
    kafka = Kafka(brokers=brokers, storage=Storage(disk, storage_class=workload.storage_class), resources=resources)
    reasoning.add(
        "memory of a broker",
        str(memory),
        f"page cache + {BROKER_HEAP.off_heap}, and as much again up to {BROKER_HEAP.most}, in whole Gi, at least 2Gi",
        "half of the memory is heap, up to its most",
    )
    reasoning.add(
        "heap of a broker",
        str(kafka.effective_heap),
        f"memory / 2, at most {BROKER_HEAP.most}",
        "Kafka's operations guide: 6g",
    )
    reasoning.add(
        "cores of a broker",
        str(cpu),
        "1 + (written + sent) / brokers / 50MB/s, at least 2",
        "assumption of this project: measure yours",
    )

    servers = 3 if brokers <= _BROKERS_OF_THREE_SERVERS else 5
    zookeeper_resources = Resources(cpu=1, memory="1Gi" if servers == 3 else "4Gi")  # noqa: PLR2004
    reasoning.add(
        "ZooKeeper servers",
        str(servers),
        f"3, or 5 above {_BROKERS_OF_THREE_SERVERS} brokers",
        "2f+1 servers survive f losses; a large cluster should survive a failure during an upgrade",
    )
    reasoning.add(
        "heap of a ZooKeeper server",
        str(ZOOKEEPER_HEAP.computed(zookeeper_resources.memory)),
        "memory x 3/4",
        "ZooKeeper's administrator guide: 3 GB of 4 GB",
    )
    zookeeper = ZooKeeper(
        servers=servers,
        resources=zookeeper_resources,
        storage=Storage("10Gi", storage_class=workload.storage_class),
    )
    return Sizing(kafka=kafka, zookeeper=zookeeper, partitions=partitions, steps=tuple(reasoning.steps))


_BROKERS_OF_THREE_SERVERS = 12


class _Reasoning:
    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, what: str, value: str, formula: str, source: str) -> None:
        self.steps.append(Step(what=what, value=value, formula=formula, source=source))


def _rate(number: float) -> str:
    return f"{number / 1e6:,.4g} MB/s"


def _bytes(number: float) -> str:
    return f"{number / _GIB:,.4g} GiB" if number >= _GIB else f"{number / _MIB:,.4g} MiB"
