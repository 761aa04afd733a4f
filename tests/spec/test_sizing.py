import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikube_kafka.spec.kafka import MOST_BROKERS
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.rules import check
from hikube_kafka.spec.sizing import Sizing, Workload, size
from hikube_kafka.spec.topic import Topic

TELEMETRY = Workload(write="25MB/s", retention="7d", fan_out=2, peak=2)


def step(sizing: Sizing, what: str) -> str:
    return next(step.value for step in sizing.steps if step.what == what)


def test_a_workload_is_sized_by_the_formulas_it_prints() -> None:
    sizing = size(TELEMETRY)
    assert step(sizing, "peak write rate") == "50 MB/s"
    assert step(sizing, "peak messages") == "48,828/s"
    assert step(sizing, "written to disks") == "150 MB/s"  # 50 x 3
    assert step(sizing, "sent to readers") == "200 MB/s"  # 50 x (2 + 2)
    assert step(sizing, "brokers for the rate") == "5"  # ceil(200 / 60) + 1
    # 25e6 x (1 + 20 / 1024) x 1.1 x 604800 x 3 / 0.7 = 72.67e12 bytes = 67,680 GiB: 16.5 disks of 4Ti.
    assert step(sizing, "brokers for the disk") == "17"
    assert sizing.kafka.brokers == 17


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
    with pytest.raises(ValueError, match=r"the workload needs [0-9]+ brokers, and a cluster has at most 1001"):
        size(Workload(write="20GB/s", retention="90d"))


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
