from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hikube_kafka.spec.kafka import MOST_BROKERS
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.problem import DeclarationError
from hikube_kafka.spec.quantities import Quantity, Throughput
from hikube_kafka.spec.rules import check
from hikube_kafka.spec.sizing import Sizing, TooMuchError, Workload, size
from hikube_kafka.spec.topic import Topic

TELEMETRY = Workload(write="25MB/s", retention="7d", fan_out=2, peak=2)


def step(sizing: Sizing, what: str) -> str:
    return next(step.value for step in sizing.steps if step.what == what)


def test_a_workload_is_sized_by_the_formulas_it_prints() -> None:
    sizing = size(TELEMETRY)
    assert step(sizing, "peak write rate") == "50MB/s"
    assert step(sizing, "peak messages") == "48,829/s"
    assert step(sizing, "written to disks") == "150MB/s"  # 50 x 3
    assert step(sizing, "sent to readers") == "200MB/s"  # 50 x (2 + 2)
    assert step(sizing, "brokers for the rate") == "5"  # ceil(200 / 60) + 1
    # 25e6 x (1 + 20 / 1024) x (1 + 20 / 4096) x 604800 x 3 / 0.7 = 66.39e12 bytes = 61,827 GiB: 15.1 disks of 4Ti.
    assert step(sizing, "brokers for the disk") == "16"
    assert sizing.kafka.brokers == 16
    assert str(sizing.kafka.storage.size) == "3865Gi"
    # 18.9 GiB of indexes, 0.3 GiB of recent messages and 256Mi, and a heap of 6Gi.
    assert str(sizing.kafka.resources.memory) == "26Gi"


def test_retention_drives_the_disk_and_not_the_rate() -> None:
    week, day = size(TELEMETRY), size(Workload(write="25MB/s", retention="1d", fan_out=2, peak=2))
    assert step(week, "brokers for the rate") == step(day, "brokers for the rate")
    assert step(week, "disk in all") != step(day, "disk in all")


def test_a_trickle_still_gets_a_broker_for_each_replica() -> None:
    sizing = size(Workload(write="1kB/s", retention="1h"))
    assert sizing.kafka.brokers == 3
    assert sizing.zookeeper.servers == 3
    assert str(sizing.kafka.storage.size) == "1Gi"


def test_a_large_cluster_gets_five_zookeeper_servers() -> None:
    assert size(Workload(write="500MB/s", retention="1d")).zookeeper.servers == 5


def test_every_step_has_a_formula_and_a_source() -> None:
    for each in size(TELEMETRY).steps:
        assert each.formula, each.what
        assert each.source, each.what


def fits_a_cluster(workload: Workload) -> bool:
    try:
        return size(workload).kafka.brokers <= MOST_BROKERS
    except ValueError:
        return False


WORKLOADS = st.builds(
    Workload,
    write=st.floats(0.001, 2000).map(lambda rate: f"{rate:.3f}MB/s"),
    retention=st.integers(1, 24 * 90).map(lambda hours: f"{hours}h"),
    fan_out=st.floats(0, 20),
    peak=st.floats(1, 10),
    replication_factor=st.integers(1, 5),
    message_size=st.sampled_from(["10", "1Ki", "100Ki"]),
    disk_use=st.floats(0.1, 1),
).filter(fits_a_cluster)


def test_a_workload_that_no_cluster_carries_is_refused() -> None:
    with pytest.raises(TooMuchError, match="it needs 155,263 brokers, and a cluster has at most 1,001") as error:
        size(Workload(write="20GB/s", retention="90d"))
    assert "between 156 clusters or more" in str(error.value)
    with pytest.raises(TooMuchError, match="replicas of partitions, and a cluster has at most 200,000"):
        size(Workload(write="20MB/s", retention="60d", largest_partition="1Gi"))


@given(WORKLOADS)
def test_what_a_workload_is_sized_to_is_a_declaration_without_errors(workload: Workload) -> None:
    sizing = size(workload)
    topic = Topic("all", partitions=sizing.partitions, replication_factor=workload.replication_factor)
    declared = Platform(name="sized", kafka=sizing.kafka, zookeeper=sizing.zookeeper, topics=(topic,))
    assert [problem for problem in check(declared) if problem.severity == "error"] == []


@given(WORKLOADS)
def test_the_disks_hold_what_is_retained_with_the_room_that_was_asked_for(workload: Workload) -> None:
    sizing = size(workload)
    retained = float(workload.write.bytes_per_second * workload.retention.seconds) * workload.replication_factor
    assert sizing.kafka.brokers * sizing.kafka.storage.size.bytes * workload.disk_use >= retained


@given(WORKLOADS)
def test_the_page_cache_holds_its_seconds_of_writes_beside_the_heap(workload: Workload) -> None:
    kafka = size(workload).kafka
    per_broker = float(workload.write.bytes_per_second) * workload.peak * workload.replication_factor / kafka.brokers
    assert kafka.resources.memory.bytes - kafka.effective_heap.bytes >= per_broker * Sizing.PAGE_CACHE_SECONDS


@pytest.mark.parametrize("wrong", [{"peak": 0.5}, {"disk_use": 0}, {"fan_out": -1}, {"replication_factor": 0}])
def test_an_impossible_workload_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Workload.model_validate({"write": "1MB/s", "retention": "1d"} | wrong)


def test_memory_grows_with_the_disk_it_serves() -> None:
    large = size(Workload(write="300MB/s", retention="7d", replication_factor=2, message_size="375", fan_out=3))
    small = size(Workload(write="1MB/s", retention="1d"))
    assert large.kafka.storage.size > Quantity("4000Gi")
    assert large.kafka.resources.memory.bytes - large.kafka.effective_heap.bytes > Quantity("16Gi").bytes
    assert str(small.kafka.resources.memory) == "2Gi"


@given(WORKLOADS)
def test_every_index_of_a_broker_fits_beside_its_heap(workload: Workload) -> None:
    kafka = size(workload).kafka
    indexes = kafka.storage.size.bytes / 4096 * (8 + 12)
    assert kafka.resources.memory.bytes - kafka.effective_heap.bytes >= indexes


@given(
    WORKLOADS,
    st.sampled_from(["30MB/s", "60MB/s", "500MB/s"]),
    st.sampled_from(["1Ti", "4Ti", "16Ti"]),
    st.sampled_from(["10Gi", "50Gi", "1Ti"]),
    st.integers(100, 4000),
)
def test_no_part_has_more_than_was_allowed(workload: Workload, rate: str, disk: str, partition: str, most: int) -> None:
    allowed = {"broker_rate": rate, "largest_disk": disk, "largest_partition": partition, "broker_partitions": most}
    try:
        sizing = size(Workload.model_validate(workload.model_dump() | allowed))
    except TooMuchError:
        return
    factor, brokers = workload.replication_factor, sizing.kafka.brokers
    written = float(workload.write.bytes_per_second) * workload.peak * factor
    assert written / brokers <= float(Throughput(rate).bytes_per_second) * (1 + 1e-9)
    assert sizing.kafka.storage.size.bytes <= Quantity(disk).bytes
    assert sizing.partitions * factor / brokers <= most
    kept = float(workload.write.bytes_per_second * workload.retention.seconds)
    assert kept / sizing.partitions <= Quantity(partition).bytes
    assert sizing.partitions % brokers == 0


@given(WORKLOADS)
@example(Workload(write="1MB/s", retention="1h", fan_out=2.22e-16))
@example(Workload(write="999.9kB/s", retention="1h"))
def test_every_size_and_rate_is_printed_as_a_declaration_takes_it(workload: Workload) -> None:
    sizing = size(workload)
    for what in ("peak write rate", "written to disks", "sent to readers"):
        Throughput(step(sizing, what))
    for what in ("disk in all", "disk of a broker", "recent messages in memory", "indexes in memory"):
        Quantity(step(sizing, what))
    assert Quantity(step(sizing, "memory of a broker")) == sizing.kafka.resources.memory
    assert Quantity(step(sizing, "heap of a broker")) == sizing.kafka.effective_heap


@given(WORKLOADS, st.sampled_from(["", "fast", 'odd"name']))
def test_the_python_that_is_printed_declares_the_same(workload: Workload, storage_class: str) -> None:
    sizing = size(Workload.model_validate(workload.model_dump() | {"storage_class": storage_class}))
    pasted: dict[str, Any] = {}
    exec(sizing.python, pasted)  # noqa: S102 - it is ours, and exactly what is to be tried
    assert pasted["kafka"] == sizing.kafka
    assert pasted["zookeeper"] == sizing.zookeeper
    declared = Platform(name="p", kafka=pasted["kafka"], zookeeper=pasted["zookeeper"], topics=pasted["topics"])
    errors = [problem for problem in check(declared) if problem.severity == "error"]
    assert errors == []
    assert pasted["topics"][0].partitions == sizing.partitions


WRITTEN = (
    *("", "0", "1", "-1", "inf", "nan", "1e99", "25MB/s", "25 MB/s", "25 mb/s", "25MB", "0.001", "500m", "1Ki", "1Ei"),
    *("7d", "0s", "99999w", "9" * 400, "1e-30", "٣d", "1e5Gi", "4TiB", "1Pi", "0B/s", "1e9GB/s", "999999TB/s"),
)
TEXTS = st.one_of(st.sampled_from(WRITTEN), st.text(max_size=8))
NUMBERS = st.one_of(st.floats(), st.integers(), st.booleans(), st.none())


@given(st.data())
def test_nothing_that_is_given_ends_in_anything_but_a_size_or_an_error(data: st.DataObject) -> None:
    texts = ("write", "retention", "message_size", "broker_rate", "largest_disk", "partition_rate", "largest_partition")
    numbers = ("fan_out", "peak", "replication_factor", "disk_use", "broker_partitions")
    given_: dict[str, Any] = {"write": "25MB/s", "retention": "7d"}
    chosen = data.draw(st.lists(st.sampled_from(texts + numbers), max_size=4))
    given_ |= {name: data.draw(TEXTS if name in texts else NUMBERS) for name in chosen}
    workload = Workload(**given_)
    try:
        sizing = size(workload)
    except DeclarationError:
        return  # its own tests say that it names every mistake
    assert sizing.kafka.brokers >= workload.replication_factor


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"peak": float("inf")}, "not a finite number"),
        ({"fan_out": float("nan")}, "not a finite number"),
        ({"message_size": "0"}, "less than one byte"),
        ({"message_size": "1m"}, "m means a thousandth"),
        ({"message_size": "3Gi"}, "more than Kafka takes"),
        ({"retention": "0s"}, "less than a second"),
        ({"retention": "6000w"}, "a hundred years"),
        ({"write": "0MB/s"}, "less than one byte a second"),
        ({"largest_disk": "4TB"}, "4Ti or 4T"),
        ({"broker_partitions": 2}, "less than the replication factor, 3"),
    ],
)
def test_what_nobody_can_mean_is_refused_by_its_name(wrong: dict[str, Any], told: str) -> None:
    (problem,) = Workload(**({"write": "1MB/s", "retention": "1d"} | wrong)).problems()
    assert told in str(problem)
    assert problem.path == tuple(wrong)


def test_devices_stand_in_place_of_a_rate() -> None:
    workload = Workload(devices=2000, messages_per_second=0.5, bytes=200, fan_out=2)
    assert workload.write == Throughput("200kB/s")
    assert workload.message_size == Quantity("200")
    assert str(workload.retention) == "3d"
    by_rate = Workload(write="200kB/s", retention="3d", message_size="200", fan_out=2)
    sizing = size(workload)
    assert (sizing.kafka, sizing.partitions) == (size(by_rate).kafka, size(by_rate).partitions)
    assert [(each.what, each.value) for each in sizing.steps[:2]] == [("devices", "2,000"), ("write rate", "200kB/s")]
    assert sizing.steps[2:] == size(by_rate).steps


def test_what_is_declared_beside_devices_counts() -> None:
    workload = Workload(devices=10, messages_per_second=1, bytes="1Ki", retention="1d", peak=5)
    assert (str(workload.retention), workload.peak) == ("1d", 5)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"devices": 2}, ["go together, and this is without messages_per_second and bytes. Declare all three."]),
        ({"messages_per_second": 1, "bytes": 5}, ["go together, and this is without devices. Declare all three."]),
        (
            {"devices": 2, "messages_per_second": 1, "bytes": 5, "write": "1MB/s"},
            ["write follows from devices, messages_per_second and bytes. Declare the one or the others."],
        ),
        (
            {"devices": 0, "messages_per_second": -1, "bytes": "200 B"},
            ["devices = 0 is less than 1", "messages_per_second = -1 is not more than 0", "bytes: '200 B' is not"],
        ),
        ({"devices": 1, "messages_per_second": 1, "bytes": 0}, ["bytes: a message of 0 is less than one byte"]),
        ({"devices": True, "messages_per_second": 1, "bytes": 5}, ["devices: True is not a number"]),
        ({"devices": 10**6, "messages_per_second": 10**4, "bytes": "1Mi"}, ["is more than 1TB/s"]),
        ({}, ["write is not declared", "retention is not declared"]),
    ],
)
def test_a_mistake_in_devices_is_told_and_raises_nothing(fields: dict[str, Any], expected: list[str]) -> None:
    found = [str(each) for each in Workload(**fields).problems("workload")]
    assert len(found) == len(expected), found
    for text, part in zip(found, expected, strict=True):
        assert part in text
