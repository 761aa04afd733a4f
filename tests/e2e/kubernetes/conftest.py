"""A platform on a real cluster, delivered as users do it."""

import contextlib
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from tests.support.delivery import ClusterDelivery, mirror_of
from tests.support.kubernetes import kubectl, new_namespace
from tests.support.pod_load import PARTITIONS, PodLoad


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterDelivery]:
    """Three and three with topics, in a namespace that lets in nothing but restricted pods."""
    folder = tmp_path_factory.mktemp("kubernetes")
    with contextlib.ExitStack() as stack:
        if mirror_of("kubernetes"):
            namespace = f"shop-{uuid4().hex[:8]}"
            stack.callback(kubectl, "delete", "namespace", namespace, "--ignore-not-found", "--timeout=300s")
        else:
            namespace = stack.enter_context(new_namespace("shop", restricted=True))
        delivered = ClusterDelivery(folder, namespace)
        # All at once and without the gate that keeps a broker from leaving others behind.
        stack.callback(delivered.kubectl, "delete", "pods", "--all", "--force", "--grace-period=0")
        delivered.apply()
        yield delivered


@pytest.fixture
def new_topic(delivery: ClusterDelivery) -> Callable[[], str]:
    """Makes a topic of three copies for a load."""

    def make() -> str:
        name = f"load-{uuid4().hex[:6]}"
        tool = "/opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --replication-factor 3"
        command = f"{tool} --topic {name} --partitions {PARTITIONS}"
        delivery.kubectl("exec", "shop-kafka-0", "--", "bash", "-c", f"KAFKA_HEAP_OPTS=-Xmx128m {command}")
        return name

    return make


@pytest.fixture
def load(delivery: ClusterDelivery, new_topic: Callable[[], str]) -> Iterator[Callable[..., PodLoad]]:
    """Begins a load on a topic of its own."""
    loads: list[PodLoad] = []

    def begin(node: str | None = None) -> PodLoad:
        loads.append(PodLoad(delivery.namespace, new_topic(), node=node))
        return loads[-1]

    yield begin
    for each in loads:
        each.end()
