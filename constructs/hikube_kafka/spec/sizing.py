"""From a workload to brokers, partitions, memory and disk: every step with its formula and its source.

The figures are a start for a cluster that nobody has measured yet. Measure yours, and declare what you saw. Sizes and
rates are printed as a declaration takes them.
"""

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from hikube_kafka.spec.kafka import MOST_BROKERS, Kafka
from hikube_kafka.spec.model import Declared, Number, Whole
from hikube_kafka.spec.problem import DeclarationError
from hikube_kafka.spec.quantities import Duration, Quantity, Throughput
from hikube_kafka.spec.resources import BROKER_HEAP, ZOOKEEPER_HEAP, Resources
from hikube_kafka.spec.rules.platform import WORKLOAD
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.zookeeper import ZooKeeper

_GIB = 1024**3
_MOST_WRITE = Throughput("1TB/s")
_MOST_RETENTION = Duration("5200w")
_MOST_MESSAGE = Quantity("2147483647")
"""Kafka counts the bytes of a message in 32 bits."""
_LARGEST = Quantity("1Pi")
_LEAST_DISK_USE = 0.01
_MOST_TIMES = 10_000
_MOST_DEVICES = 1_000_000_000
_OF_DEVICES = frozenset({"devices", "messages_per_second", "bytes"})
_RETENTION_OF_DEVICES = "3d"
"""As :meth:`hikube_kafka.spec.Topic.telemetry` keeps them."""


class TooMuchError(DeclarationError):
    """No one cluster carries the workload."""


class Workload(Declared):
    """What the platform will carry: ``Workload(write="25MB/s", retention="7d")``, and the most that a part may have.

    Of devices that send measurements it is enough to know how many there are and what each sends:
    ``Workload(devices=2000, messages_per_second=0.5, bytes=200)``.
    """

    write: Throughput
    """What all producers together send, on average over the retention, after compression."""
    retention: Duration
    """How long messages are kept. Of devices: 3 days unless declared, as :meth:`Topic.telemetry` keeps them."""
    devices: Annotated[Whole, Field(ge=1, le=_MOST_DEVICES)] | None = None
    """Devices that send, in place of ``write``."""
    messages_per_second: Annotated[Number, Field(gt=0, le=_MOST_TIMES)] | None = None
    """Messages that each device sends in a second, on average: 0.1 is one in ten seconds."""
    bytes: Quantity | None = None
    """Average bytes of a message of a device, its key included; it is the ``message_size``. Without compression: small
    messages gain little, and what a batch gains is room."""
    fan_out: Number = Field(default=1, ge=0, le=_MOST_TIMES)
    """How many times each message is read: the number of consumer groups that read everything."""
    peak: Number = Field(default=2, ge=1, le=_MOST_TIMES)
    """The busiest minute over the average."""
    replication_factor: Whole = Field(default=3, ge=1, le=MOST_BROKERS)
    message_size: Quantity = Quantity("1Ki")
    """Average bytes of a message, after compression."""
    disk_use: Number = Field(default=0.7, ge=_LEAST_DISK_USE, le=1)
    """Part of each disk that may fill: the rest absorbs a peak, a lost broker and a late deletion."""
    storage_class: str = ""
    """Storage class of the brokers and the ZooKeeper servers."""
    broker_rate: Throughput = Throughput("60MB/s")
    """What one broker should write to its disk or send to its readers. Default: half of a 1 Gbit/s line, which leaves
    the other half to catching up after a failure: an assumption, measure yours."""
    largest_disk: Quantity = Quantity("4Ti")
    """The largest disk of one broker. Default: at 60 MB/s a lost one is copied in 20 hours: an assumption. Amazon MSK
    allows 16 TiB."""
    partition_rate: Throughput = Throughput("10MB/s")
    """What one partition carries with ease. Default: the figure of Kafka's own sizing advice."""
    largest_partition: Quantity = Quantity("50Gi")
    """The largest partition. Default: at 60 MB/s a replica is moved in a quarter of an hour: an assumption."""
    broker_partitions: Whole = Field(default=4000, ge=1)
    """The most replicas of partitions on one broker. Default: what the Apache Kafka project advises since 1.1."""

    def __init__(
        self,
        *,
        write: Throughput | str | None = None,
        retention: Duration | str | None = None,
        devices: int | None = None,
        messages_per_second: float | None = None,
        bytes: Quantity | str | int | None = None,  # noqa: A002 - of a message; nothing here makes bytes
        fan_out: float = 1,
        peak: float = 2,
        replication_factor: int = 3,
        message_size: Quantity | str | None = None,
        disk_use: float = 0.7,
        storage_class: str = "",
        broker_rate: Throughput | str = "60MB/s",
        largest_disk: Quantity | str = "4Ti",
        partition_rate: Throughput | str = "10MB/s",
        largest_partition: Quantity | str = "50Gi",
        broker_partitions: int = 4000,
    ) -> None:
        optional = {
            "write": write,
            "retention": retention,
            "devices": devices,
            "messages_per_second": messages_per_second,
            "bytes": bytes,
            "message_size": message_size,
        }
        BaseModel.__init__(
            self,
            **{name: value for name, value in optional.items() if value is not None},
            fan_out=fan_out,
            peak=peak,
            replication_factor=replication_factor,
            disk_use=disk_use,
            storage_class=storage_class,
            broker_rate=broker_rate,
            largest_disk=largest_disk,
            partition_rate=partition_rate,
            largest_partition=largest_partition,
            broker_partitions=broker_partitions,
        )

    @model_validator(mode="before")
    @classmethod
    def _of_devices(cls, given: Any) -> Any:
        """The rate of all devices together; what is mistaken in what it is made of is told of that."""
        if not isinstance(given, dict) or not _OF_DEVICES & given.keys():
            return given
        if clash := {"write", "message_size"} & given.keys():
            raise ValueError(
                f"{' and '.join(sorted(clash))} follow{'s' if len(clash) == 1 else ''} from devices, "
                "messages_per_second and bytes: declare the one or the others"
            )
        if missing := [name for name in ("devices", "messages_per_second", "bytes") if name not in given]:
            raise ValueError(
                "devices, messages_per_second and bytes go together, and this is without "
                f"{' and '.join(missing)}: declare all three"
            )
        computed = {"retention": _RETENTION_OF_DEVICES, "write": "1B/s", **given}
        try:
            size = Quantity(given["bytes"])
            rate = Decimal(given["devices"]) * Decimal(str(given["messages_per_second"])) * size.value
            computed |= {"write": Throughput(f"{max(rate, Decimal(1)):.0f}B/s")}
            computed |= {"message_size": size} if 1 <= size.value <= _MOST_MESSAGE.value else {}
        except (ValueError, TypeError, ArithmeticError):
            pass  # validated below, each for itself
        return computed

    @field_validator("message_size", "bytes")
    @classmethod
    def _is_a_message(cls, size: Quantity | None) -> Quantity | None:
        if size is None:
            return size
        if size.value < 1:
            raise ValueError(f"a message of {size} is less than one byte: m means a thousandth, Mi 1024 x 1024")
        if size > _MOST_MESSAGE:
            raise ValueError(f"a message of {size} is more than Kafka takes: at most 2Gi")
        return size

    @field_validator("write", "broker_rate", "partition_rate")
    @classmethod
    def _is_a_rate(cls, rate: Throughput) -> Throughput:
        if rate.bytes_per_second < 1:
            raise ValueError(f"{rate} is less than one byte a second")
        if rate > _MOST_WRITE:
            raise ValueError(f"{rate} is more than {_MOST_WRITE}")
        return rate

    @field_validator("retention")
    @classmethod
    def _is_a_while(cls, retention: Duration) -> Duration:
        if retention.seconds < 1:
            raise ValueError(f"{retention} is less than a second")
        if retention > _MOST_RETENTION:
            raise ValueError(f"{retention} is more than a hundred years: {_MOST_RETENTION}")
        return retention

    @field_validator("broker_partitions")
    @classmethod
    def _holds_a_replica_of_each(cls, most: int, info: ValidationInfo) -> int:
        factor = info.data.get("replication_factor", 1)
        if most < factor:
            raise ValueError(
                f"{most} is less than the replication factor, {factor}: a broker leads one partition at least"
            )
        return most

    @field_validator("largest_disk", "largest_partition")
    @classmethod
    def _holds_something(cls, size: Quantity) -> Quantity:
        if size.bytes < _GIB:
            raise ValueError(f"{size} is less than 1Gi, the size of one segment")
        if size > _LARGEST:
            raise ValueError(f"{size} is more than {_LARGEST}")
        return size


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
    replication_factor: int
    """Of that topic."""
    steps: tuple[Step, ...]

    RECORD_OVERHEAD: ClassVar = 20
    """Bytes around a record in a batch: lengths, deltas, attributes. Source: Kafka's message format v2."""
    INDEX_SHARE: ClassVar = 20 / 4096
    """Offset and time indexes beside a segment, over its size: 8 and 12 bytes for every ``index.interval.bytes``, 4096
    by default. Batches that are larger have fewer entries, so this is the most."""
    PAGE_CACHE_SECONDS: ClassVar = 30
    """Seconds of writes that should be readable from memory. Source: Kafka's operations guide, hardware and OS."""
    MOST_REPLICAS: ClassVar = 200_000
    """Replicas of partitions in one cluster with ZooKeeper. Source: the Apache Kafka project's advice since 1.1."""

    @property
    def python(self) -> str:
        """The declaration, to be pasted: ``kafka``, ``zookeeper`` and ``topics`` of a platform."""
        kafka, zookeeper = self.kafka, self.zookeeper
        return f"""\
from hikube_kafka.spec import Kafka, Resources, Storage, Topic, ZooKeeper

kafka = Kafka(
    brokers={kafka.brokers},
    storage={_storage(kafka.storage)},
    resources={_resources(kafka.resources)},
)
zookeeper = ZooKeeper(
    servers={zookeeper.servers},
    storage={_storage(zookeeper.storage)},
    resources={_resources(zookeeper.resources)},
)
topics = [Topic("events", partitions={self.partitions}, replication_factor={self.replication_factor})]
"""


def size(workload: Workload) -> Sizing:
    """What the workload needs.

    Raises:
        TooMuchError: more than one cluster carries.
        DeclarationError: the workload itself is mistaken.
    """
    reasoning = _Reasoning()
    write = float(workload.write.bytes_per_second)
    factor = workload.replication_factor

    if workload.devices is not None:
        each = f"{workload.messages_per_second:g}/s of {workload.bytes} from each"
        reasoning.add("devices", f"{workload.devices:,}", each, "declared")
        reasoning.add("write rate", _rate(write), "devices x messages per second x bytes", "declared")
    peak = write * workload.peak
    reasoning.add("peak write rate", _rate(peak), "write x peak", "declared")
    messages = peak / workload.message_size.bytes
    reasoning.add("peak messages", f"{math.ceil(messages):,}/s", "peak write rate / message size", "declared")
    written = peak * factor
    reasoning.add("written to disks", _rate(written), "peak write rate x RF", "each replica is written once")
    read = peak * (workload.fan_out + factor - 1)
    reasoning.add(
        "sent to readers", _rate(read), "peak write rate x (fan-out + RF - 1)", "followers read as consumers do"
    )

    stored = write * (1 + Sizing.RECORD_OVERHEAD / workload.message_size.bytes) * (1 + Sizing.INDEX_SHARE)
    kept = stored * float(workload.retention.seconds)
    disks = kept * factor / workload.disk_use
    reasoning.add(
        "disk in all",
        _bytes(disks),
        f"write x (1 + {Sizing.RECORD_OVERHEAD} B / message size) x (1 + 20/4096) x retention x RF / disk use",
        "message format v2; 20 B of indexes for each index.interval.bytes; room on each disk",
    )

    for_rate = math.ceil(max(written, read) / float(workload.broker_rate.bytes_per_second)) + 1
    reasoning.add(
        "brokers for the rate",
        f"{for_rate:,}",
        f"max(written, sent) / {workload.broker_rate} + 1",
        "broker_rate; one may be away at the peak",
    )
    for_disk = math.ceil(disks / workload.largest_disk.bytes)
    reasoning.add(
        "brokers for the disk",
        f"{for_disk:,}",
        f"disk in all / {workload.largest_disk}",
        "largest_disk: a lost broker must be copied in hours",
    )
    least = max(
        1,
        math.ceil(peak / float(workload.partition_rate.bytes_per_second)),
        math.ceil(kept / workload.largest_partition.bytes),
    )
    for_partitions = math.ceil(least / (workload.broker_partitions // factor))
    reasoning.add(
        "brokers for the partitions",
        f"{for_partitions:,}",
        f"partitions x RF / {workload.broker_partitions}",
        "broker_partitions: the Apache Kafka project's advice since 1.1",
    )
    brokers = max(factor, for_rate, for_disk, for_partitions)
    partitions = math.ceil(max(brokers, least) / brokers) * brokers
    _require_one_cluster(brokers, partitions * factor)
    reasoning.add(
        "brokers",
        str(brokers),
        "max(RF, for the rate, for the disk, for the partitions)",
        "a replica needs a broker of its own",
    )
    disk = Quantity(f"{max(math.ceil(disks / brokers / _GIB), 1)}Gi")
    reasoning.add("disk of a broker", str(disk), "disk in all / brokers, in whole Gi", "partitions spread evenly")
    reasoning.add(
        "partitions",
        str(partitions),
        f"max(brokers, peak write rate / {workload.partition_rate}, kept / {workload.largest_partition}), up to a "
        "multiple of the brokers",
        "partition_rate: Kafka's sizing advice; largest_partition: moved in minutes; evenly led",
    )

    memory = _memory(reasoning, written / brokers, disk)
    cpu = max(2, math.ceil((written + read) / brokers / 50e6) + 1)
    resources = Resources(cpu=cpu, memory=memory)
    kafka = Kafka(brokers=brokers, storage=Storage(disk, storage_class=workload.storage_class), resources=resources)
    reasoning.add(
        "heap of a broker",
        str(Quantity.of_bytes(kafka.effective_heap.bytes)),
        f"memory / 2, at most {BROKER_HEAP.most}",
        "Kafka's operations guide: 6g",
    )
    reasoning.add(
        "cores of a broker",
        str(cpu),
        "1 + (written + sent) / brokers / 50MB/s, at least 2",
        "assumption of this project: measure yours",
    )
    maps = 2 * (math.ceil(disk.bytes / _GIB) + math.ceil(partitions * factor / brokers))
    reasoning.add(
        "memory maps of a broker",
        f"{maps:,}",
        "2 x (disk / 1Gi of a segment + replicas)",
        "Kafka's operations guide: keep vm.max_map_count of the nodes above it (65530 by default)",
    )
    zookeeper = _zookeeper(reasoning, brokers, workload.storage_class)
    return Sizing(
        kafka=kafka,
        zookeeper=zookeeper,
        partitions=partitions,
        replication_factor=factor,
        steps=tuple(reasoning.steps),
    )


def _require_one_cluster(brokers: int, replicas: int) -> None:
    for what, needed, most, more in (
        ("brokers", brokers, MOST_BROKERS, "largest_disk, broker_rate, broker_partitions"),
        ("replicas of partitions", replicas, Sizing.MOST_REPLICAS, "largest_partition, partition_rate"),
    ):
        if needed > most:
            problem = WORKLOAD(
                "workload",
                needed=f"{needed:,}",
                what=what,
                most=f"{most:,}",
                clusters=math.ceil(needed / most),
                allowance=more,
            )
            raise TooMuchError([problem])


def _memory(reasoning: "_Reasoning", written: float, disk: Quantity) -> Quantity:
    """Memory of a broker that writes that much, and has such a disk."""
    cache = written * Sizing.PAGE_CACHE_SECONDS
    reasoning.add(
        "recent messages in memory",
        _bytes(cache),
        f"written to disks / brokers x {Sizing.PAGE_CACHE_SECONDS} s",
        "Kafka's operations guide: buffer 30 s of writes",
    )
    indexes = disk.bytes * Sizing.INDEX_SHARE
    reasoning.add(
        "indexes in memory",
        _bytes(indexes),
        "disk of a broker x 20/4096",
        "Kafka maps every index into memory: a consumer that looks far back, and a restart, then read none from disk",
    )
    # Half of the memory becomes heap, up to its most; the rest must hold the page cache and what the JVM needs besides.
    rest = cache + indexes + BROKER_HEAP.off_heap.bytes
    memory = Quantity(f"{max(math.ceil((rest + min(rest, BROKER_HEAP.most.bytes)) / _GIB), 2)}Gi")
    reasoning.add(
        "memory of a broker",
        str(memory),
        f"recent messages + indexes + {BROKER_HEAP.off_heap}, and as much again up to {BROKER_HEAP.most}, in whole Gi, "
        "at least 2Gi",
        "half of the memory is heap, up to its most; Confluent's production guide runs brokers with 32 to 64 GB",
    )
    return memory


def _zookeeper(reasoning: "_Reasoning", brokers: int, storage_class: str) -> ZooKeeper:
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
        str(Quantity.of_bytes(ZOOKEEPER_HEAP.computed(zookeeper_resources.memory).bytes)),
        "memory x 3/4",
        "ZooKeeper's administrator guide: 3 GB of 4 GB",
    )
    return ZooKeeper(
        servers=servers,
        resources=zookeeper_resources,
        storage=Storage("10Gi", storage_class=storage_class),
    )


_BROKERS_OF_THREE_SERVERS = 12


class _Reasoning:
    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, what: str, value: str, formula: str, source: str) -> None:
        self.steps.append(Step(what=what, value=value, formula=formula, source=source))


def _storage(storage: Storage) -> str:
    more = f", storage_class={_text(storage.storage_class)}" if storage.storage_class else ""
    return f"Storage({_text(storage.size)}{more})"


def _resources(resources: Resources) -> str:
    return f"Resources(cpu={_text(resources.cpu)}, memory={_text(resources.memory)})"


def _text(value: object) -> str:
    return json.dumps(str(value))


def _rate(number: float) -> str:
    return f"{_in_units(number, 1000, ('', 'k', 'M', 'G', 'T'))}B/s"


def _bytes(number: float) -> str:
    return _in_units(number, 1024, ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))


def _in_units(number: float, base: int, units: tuple[str, ...]) -> str:
    """With three digits or four, in the largest unit of which it is one at least."""
    power = 0
    while number >= base and power < len(units) - 1:
        number /= base
        power += 1
    # Never as 1e+03 or 2e-10, which no declaration takes.
    digits = f"{number:.0f}" if number >= 999.5 else f"{round(number, 3):.3g}"  # noqa: PLR2004
    return digits + units[power]
