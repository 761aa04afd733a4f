"""Quantities that nobody can mean, each with what was probably meant."""

from typing import Any

import pytest

from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.model import Model
from hikube_kafka.spec.resources import Resources
from hikube_kafka.spec.sizing import Workload
from hikube_kafka.spec.storage import Storage
from hikube_kafka.spec.targets.kubernetes import ExternalAccess, KubernetesLayout
from hikube_kafka.spec.targets.local import LocalLayout
from hikube_kafka.spec.topic import Topic
from hikube_kafka.spec.zookeeper import ZooKeeper


@pytest.mark.parametrize("cpu", [0.5, 2, 2.0, "500m", "0.5", "1m", "4k"])
def test_cores_are_written_as_people_and_kubernetes_write_them(cpu: str | float) -> None:
    assert Resources(cpu=cpu, memory="2Gi").cpu.value > 0


@pytest.mark.parametrize(
    ("cpu", "why"),
    [
        (0, "0 is no processor at all"),
        ("0m", "0m is no processor at all"),
        ("0.5m", "less than Kubernetes measures"),
        (1e-9, "less than Kubernetes measures"),
        ("2Gi", "2147483648 cores, more than a machine has"),
        (1_000_000, "more than a machine has"),
        (-1, "is not a Kubernetes quantity"),
        (True, "is not a Kubernetes quantity"),
    ],
)
def test_cores_that_nobody_can_mean_are_refused(cpu: str | float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Resources.model_validate({"cpu": cpu, "memory": "2Gi"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0", "0 is 0 bytes of {of}, less than 1Mi. Declare a size such as"),
        ("10", "10 is 10 bytes of {of}, less than 1Mi. Declare it with a unit, such as 10Gi"),
        (
            "100m",
            "100m is 0.1 bytes of {of}, less than 1Mi, because m stands for thousandths in Kubernetes. Declare 100Mi",
        ),
        ("7u", "7u is 7e-06 bytes of {of}, less than 1Mi"),
        ("1023Ki", "1023Ki is 1047552 bytes of {of}, less than 1Mi"),
        ("1e-9", "less than 1Mi"),
        ("2Ei", "2Ei is more {of} than there is"),
        ("1e30", "1e30 is more {of} than there is"),
    ],
)
def test_sizes_that_nobody_can_mean_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.format(of="disk")):
        Storage.model_validate({"size": text})
    with pytest.raises(ValueError, match=why.format(of="memory")):
        Resources.model_validate({"cpu": 1, "memory": text})


def test_thousandths_that_add_up_are_a_size() -> None:
    """Kubernetes' own documentation has it as another way to write 123Mi."""
    assert Resources(cpu=1, memory="128974848000m").memory.bytes == 123 * 2**20


@pytest.mark.parametrize(
    ("written", "mebibytes"),
    [
        ("1500m", 1500),
        ("2g", 2048),
        ("524288k", 512),
        ("1500Mi", 1500),
        ("1.5Gi", 1536),
        ("2G", 1907),
        (" 1500m ", 1500),
    ],
)
def test_a_heap_is_written_as_java_or_as_kubernetes_writes_it(written: str, mebibytes: int) -> None:
    assert Kafka(heap=written).effective_heap.java == ZooKeeper(heap=written).effective_heap.java == f"{mebibytes}m"


@pytest.mark.parametrize("heap", ["0", "100", "512k", "1e30", "\u00b2g", True])
def test_a_heap_that_nobody_can_mean_is_refused(heap: Any) -> None:
    with pytest.raises(ValueError, match="heap"):
        Kafka.model_validate({"heap": heap})


ORDERS = {"name": "orders", "partitions": 1}
SERVED = {"write": "1MB/s", "retention": "1d"}


@pytest.mark.parametrize(
    ("model", "field", "rest"),
    [
        (Kafka, "brokers", {}),
        (ZooKeeper, "servers", {}),
        (Topic, "partitions", ORDERS),
        (Topic, "replication_factor", ORDERS),
        (Listener, "port", {"name": "client"}),
        (LocalLayout, "broker_port", {}),
        (LocalLayout, "zookeeper_port", {}),
        (LocalLayout, "peer_port", {}),
        (LocalLayout, "election_port", {}),
        (KubernetesLayout, "forward_port", {"namespace": "events"}),
        (ExternalAccess, "node_port", {}),
        (Workload, "fan_out", SERVED),
        (Workload, "peak", SERVED),
        (Workload, "replication_factor", SERVED),
        (Workload, "disk_use", SERVED),
    ],
)
def test_where_a_number_is_declared_true_and_digits_of_other_scripts_are_none(
    model: type[Model], field: str, rest: dict[str, Any]
) -> None:
    for wrong in (True, "\u00b2", "\u0663\u0664\u0665\u0666", "\uff19\uff10\uff19\uff12"):
        with pytest.raises(ValueError, match=field):
            model.model_validate(rest | {field: wrong})


@pytest.mark.parametrize(("model", "wrong"), [(Kafka, {"brokers": 1002}), (ZooKeeper, {"servers": 257})])
def test_there_are_no_more_servers_than_ids(model: type[Model], wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        model.model_validate(wrong)
