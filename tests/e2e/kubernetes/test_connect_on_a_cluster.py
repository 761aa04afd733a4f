"""Change capture and a sink on a cluster: what is written to one table arrives in the other."""

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha512
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.delivery import ClusterDelivery
from tests.support.kubernetes import kubectl, new_namespace, rolled_out
from tests.support.pod_outside import PodOutside
from tests.support.waiting import until
from usecases.maven import artifact

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

CAPTURE = "io.debezium:debezium-connector-postgres:3.1.3.Final:tar.gz:plugin"
JDBC = "io.debezium:debezium-connector-jdbc:3.1.2.Final:tar.gz:plugin"
WORKERS = "shop-connect-changes"
PASSWORD = "of-the-shop"


def checksum(file: Path) -> str:
    return f"sha512:{sha512(file.read_bytes()).hexdigest()}"


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with new_namespace("connect", restricted=True) as name:
        kubectl("-n", name, "create", "secret", "generic", "database", f"--from-literal=password={PASSWORD}")
        yield name


@pytest.fixture(scope="module")
def outside(namespace: str) -> PodOutside:
    """A database with a table of orders, and where the plugins are fetched from."""
    found = PodOutside(namespace, [artifact(CAPTURE), artifact(JDBC)])
    found.sql(f"create role shop login replication password '{PASSWORD}'", "postgres", "postgres")
    found.sql("create database shop owner shop", "postgres", "postgres")
    found.sql("create table orders (id int primary key, amount int not null)")
    found.sql("insert into orders select n, n * 10 from generate_series(1, 100) n")
    return found


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory, namespace: str, outside: PodOutside) -> ClusterDelivery:
    assert outside.sql("select count(*) from orders") == ["100"]
    files = {name: artifact(each) for name, each in (("capture", CAPTURE), ("jdbc", JDBC))}
    delivered = ClusterDelivery(
        tmp_path_factory.mktemp("connect"),
        namespace,
        stack="connect_on_a_cluster.py",
        forward_port=29792,
        files="http://outside:8000",
        config={},
        **{name: [file.name, checksum(file)] for name, file in files.items()},
    )
    delivered.apply()
    return delivered


class Writer:
    """Writes orders, one after another, for as long as it is entered."""

    def __init__(self, outside: PodOutside) -> None:
        self._outside = outside
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._ended.is_set():
            self._outside.sql("insert into orders select max(id) + 1, (max(id) + 1) * 10 from orders")
            self._ended.wait(0.2)


def missing(outside: PodOutside) -> list[str]:
    """Orders that have not arrived as they were written, and copies of no order."""
    if outside.sql("select to_regclass('copied') is null") == ["t"]:
        return ["the whole table"]
    return outside.sql(
        "select id from orders full join copied using (id, amount) where (copied is null or orders is null)"
    )


def all_arrive(outside: PodOutside) -> None:
    until(
        lambda: not missing(outside), lambda: f"every order is copied; missing: {missing(outside)[:20]}", 120, every=1
    )


def pods(delivery: ClusterDelivery) -> dict[str, dict[str, Any]]:
    selector = f"app.kubernetes.io/instance={WORKERS}"
    listed = json.loads(delivery.kubectl("get", "pods", "-l", selector, "-o", "json"))
    return {pod["metadata"]["name"]: pod for pod in listed["items"]}


def started_at(pod: dict[str, Any]) -> datetime:
    (container,) = pod["status"]["containerStatuses"]
    return datetime.fromisoformat(container["state"]["running"]["startedAt"])


def test_rows_arrive_and_the_smoke_tests_find_workers_plugins_and_tasks_as_declared(
    delivery: ClusterDelivery, outside: PodOutside
) -> None:
    all_arrive(outside)
    outside.sql("insert into orders select n, n * 10 from generate_series(101, 300) n")
    outside.sql("update orders set amount = amount + 1 where id <= 10")
    all_arrive(outside)
    assert outside.sql("select count(*) from copied") == ["300"]
    passed = {each["check"] for each in delivery.smoke(expected=0)["findings"] if each["status"] == "passed"}
    assert {"connect-one-group", "connect-plugins", "connect-tasks", "connect-sinks-lag"} <= passed


def test_a_plan_after_it_is_empty(delivery: ClusterDelivery, outside: PodOutside) -> None:
    assert delivery.plan() == "empty"
    assert not missing(outside)


def test_a_worker_that_is_deleted_loses_nothing(delivery: ClusterDelivery, outside: PodOutside) -> None:
    with Writer(outside):
        delivery.kubectl("delete", "pod", f"{WORKERS}-0", "--wait=true")
        rolled_out(delivery.namespace, WORKERS)
    all_arrive(outside)


def test_a_changed_configuration_restarts_one_worker_at_a_time_and_loses_nothing(
    delivery: ClusterDelivery, outside: PodOutside
) -> None:
    before = {name: pod["metadata"]["uid"] for name, pod in pods(delivery).items()}
    with Writer(outside):
        delivery.apply(config={"offset.flush.interval.ms": 5000})
    after = pods(delivery)
    assert all(after[name]["metadata"]["uid"] != uid for name, uid in before.items())
    # The last worker is the first to go; the next one goes when that one is back.
    gone = datetime.fromisoformat(after[f"{WORKERS}-0"]["metadata"]["creationTimestamp"])
    assert started_at(after[f"{WORKERS}-1"]) < gone
    all_arrive(outside)
    delivery.smoke(expected=0)
