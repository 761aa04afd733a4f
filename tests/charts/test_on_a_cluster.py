"""The charts by Helm alone, with their own values but for the memory and the processor of a small cluster."""

import contextlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import AdminClient
from kazoo.client import KazooClient
from kazoo.exceptions import NewConfigNoQuorumError

from hikube_kafka.probe.forwards import forwarded
from hikube_kafka.spec.contract import ReachByPortForward
from tests.support.kubernetes import CHARTS, Helm, Kubectl, rolled_out
from tests.support.load import Load, new_topic
from tests.support.waiting import until

_LOG = logging.getLogger(__name__)
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

Release = Callable[..., None]

GOLDEN = Path(__file__).parent / "golden"
FORWARD_PORT = 29592
SMALL = {"resources.cpu": "200m"}
SMALL_BROKER = {
    "resources.cpu": "600m",
    "resources.memory": "768Mi",
    "heap": "384m",
    "forwardPort": FORWARD_PORT,
}
ZONED = SMALL_BROKER | {"rack.fromZone": True, r"config.broker\.rack": "<rack>"}


@pytest.fixture(scope="module")
def installed(release: Release, helm: Helm, namespace: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        # Brokers first: without ZooKeeper one waits for it until its grace is over.
        stack.callback(helm, "uninstall", "kafka", "--namespace", namespace, "--wait", "--cascade", "foreground")
        # Both at once: brokers wait for ZooKeeper.
        release("zookeeper", "zookeeper", SMALL, wait=False)
        release("kafka", "kafka", SMALL_BROKER)
        release("zookeeper", "zookeeper", SMALL)
        yield


@pytest.fixture(scope="module")
def bootstrap(request: pytest.FixtureRequest, namespace: str) -> Iterator[str]:
    request.getfixturevalue("installed")
    reach = ReachByPortForward(
        namespace=namespace, kafka_pods="kafka", zookeeper_pods="zookeeper", forward_port=FORWARD_PORT
    )
    with forwarded(reach, brokers=[0, 1, 2], zookeeper=[]) as forwards:
        yield ",".join(forwards.brokers.values())


@pytest.fixture
def pods(kubectl: Kubectl, namespace: str) -> Callable[[str], dict[str, dict[str, Any]]]:
    """The pods of a release, by their names."""

    def read(release: str) -> dict[str, dict[str, Any]]:
        selector = f"app.kubernetes.io/instance={release}"
        listed = json.loads(kubectl("-n", namespace, "get", "pods", "-l", selector, "-o", "json"))
        return {pod["metadata"]["name"]: pod for pod in listed["items"]}

    return read


class Look(NamedTuple):
    """Brokers that are missing in the in-sync replicas of any partition, and when."""

    at: datetime
    missing: set[int]


@contextlib.contextmanager
def watched(bootstrap: str) -> Iterator[list[Look]]:
    """Look at every partition, again and again."""
    looks: list[Look] = []
    ended = threading.Event()
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def look() -> None:
        while not ended.is_set():
            with contextlib.suppress(Exception):  # a broker that is just being restarted
                topics = admin.list_topics(timeout=5).topics
                partitions = [each for topic in topics.values() for each in topic.partitions.values()]
                missing = {broker for each in partitions for broker in set(each.replicas) - set(each.isrs)}
                looks.append(Look(datetime.now(UTC), missing))
            ended.wait(0.1)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        ended.set()
        thread.join()


def in_full(looks: list[Look]) -> list[tuple[datetime, datetime]]:
    """When every partition had all of its replicas in sync: from the first such look to the last one in a row."""
    rows = [(missing, list(row)) for missing, row in groupby(looks, key=lambda look: bool(look.missing))]
    return [(row[0].at, row[-1].at) for missing, row in rows if not missing]


@pytest.mark.usefixtures("installed")
def test_every_pod_is_ready_under_the_restricted_standard_on_a_node_of_its_own(
    pods: Callable[[str], dict[str, dict[str, Any]]],
) -> None:
    for name in ("zookeeper", "kafka"):
        found = pods(name)
        assert sorted(found) == [f"{name}-{ordinal}" for ordinal in range(3)]
        assert len({pod["spec"]["nodeName"] for pod in found.values()}) == 3
        for pod in found.values():
            (container,) = pod["status"]["containerStatuses"]
            assert (container["ready"], container["restartCount"]) == (True, 0)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["zookeeper", "kafka"])
def test_one_pod_may_be_evicted_and_no_second(name: str, kubectl: Kubectl, namespace: str) -> None:
    def one_allowed() -> bool:
        status = json.loads(kubectl("-n", namespace, "get", f"pdb/{name}", "-o", "json"))["status"]
        return (status.get("disruptionsAllowed"), status.get("desiredHealthy")) == (1, 2)

    until(one_allowed, "one of three pods may be evicted", 120, every=1)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_api_server_accepts_what_was_reviewed(file: Path, kubectl: Kubectl, namespace: str) -> None:
    said = kubectl("-n", namespace, "apply", "--dry-run=server", "-f", str(file))
    assert "statefulset.apps/" in said


@pytest.mark.usefixtures("installed")
def test_the_first_process_of_a_container_is_a_server_or_the_parent_of_a_broker(
    kubectl: Kubectl, namespace: str
) -> None:
    assert "java" in kubectl("-n", namespace, "exec", "zookeeper-0", "--", "cat", "/proc/1/comm")
    assert "supervise.sh" in kubectl("-n", namespace, "exec", "kafka-0", "--", "cat", "/proc/1/cmdline")


KILL = r"""
for process in /proc/[0-9]*; do
  if [[ $(<"$process/comm") == java ]]; then kill -9 "${process#/proc/}"; fi
done
"""


@pytest.mark.usefixtures("installed")
def test_a_broker_that_is_killed_loses_its_registration_before_its_container_starts_anew(
    kubectl: Kubectl, namespace: str
) -> None:
    reach = ReachByPortForward(namespace=namespace, kafka_pods="kafka", zookeeper_pods="zookeeper")
    with forwarded(reach, brokers=[], zookeeper=[1]) as forwards, client(forwards.zookeeper[1]) as zookeeper:
        before = zookeeper.get("/brokers/ids/1")[1]
        kubectl("-n", namespace, "exec", "kafka-1", "--", "bash", "-c", KILL)

        def is_another() -> bool:
            found = zookeeper.exists("/brokers/ids/1")
            return found is not None and found.czxid != before.czxid

        until(is_another, "broker 1 is registered anew", 120)
    session = f"0x{before.ephemeralOwner & (1 << 64) - 1:x}"
    assert f"supervisor: closed session {session} at " in kubectl("-n", namespace, "logs", "kafka-1", "--previous")
    assert "was not stopped cleanly" not in kubectl("-n", namespace, "logs", "kafka-1")
    rolled_out(namespace, "kafka")
    (status,) = json.loads(kubectl("-n", namespace, "get", "pod", "kafka-1", "-o", "json"))["status"][
        "containerStatuses"
    ]
    assert (status["restartCount"], status["lastState"]["terminated"]["exitCode"]) == (1, 137)


@pytest.fixture
def taken(kubectl: Kubectl, namespace: str) -> Callable[[datetime], dict[str, datetime]]:
    """When Kubernetes has begun to stop brokers, from a moment on, by the pods' names, the first one first."""

    def read(since: datetime) -> dict[str, datetime]:
        # Not the node's own events of the pod: of those it drops some, where a pod had many.
        which = "--field-selector=reason=SuccessfulDelete,involvedObject.kind=StatefulSet,involvedObject.name=kafka"
        events = json.loads(kubectl("-n", namespace, "get", "events", which, "-o", "json"))
        found = [
            (datetime.fromisoformat(event["lastTimestamp"]), pod)
            for event in events["items"]
            for pod in re.findall(r"kafka-[0-9]+", event["message"])
        ]
        return {pod: moment for moment, pod in sorted(found) if moment >= since}

    return read


def test_a_changed_configuration_takes_one_broker_at_a_time_and_loses_nothing(
    bootstrap: str,
    release: Release,
    pods: Callable[[str], dict[str, dict[str, Any]]],
    taken: Callable[[datetime], dict[str, datetime]],
) -> None:
    new_topic(bootstrap, "rolled")
    before = {name: pod["metadata"]["uid"] for name, pod in pods("kafka").items()}
    begin = datetime.now(UTC).replace(microsecond=0)  # an event tells no fractions of a second
    with watched(bootstrap) as looks, Load(bootstrap, "rolled", 6) as load:
        release("kafka", "kafka", ZONED)
    assert all(pod["metadata"]["uid"] != before[name] for name, pod in pods("kafka").items())
    assert {frozenset(look.missing) for look in looks} == {frozenset(), *(frozenset({broker}) for broker in range(3))}
    assert load.lost_and_duplicated() == (set(), set())

    moments, spans = taken(begin), in_full(looks)
    for start, end in spans:
        _LOG.info("every partition in full from %s to %s", f"{start:%H:%M:%S.%f}"[:-5], f"{end:%H:%M:%S.%f}"[:-5])
    _LOG.info("taken: %s", ", ".join(f"{pod} at {moment:%H:%M:%S}" for pod, moment in moments.items()))
    assert list(moments) == ["kafka-2", "kafka-1", "kafka-0"]
    second = timedelta(seconds=1)
    for pod, moment in moments.items():
        assert any(start < moment + second and moment <= end for start, end in spans), f"{pod} was taken early"


def test_a_broker_is_in_the_rack_that_its_node_has_as_its_zone(
    bootstrap: str, kubectl: Kubectl, release: Release, pods: Callable[[str], dict[str, dict[str, Any]]]
) -> None:
    release("kafka", "kafka", ZONED)
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    zones = {node["metadata"]["name"]: node["metadata"]["labels"].get("topology.kubernetes.io/zone") for node in nodes}
    admin = AdminClient({"bootstrap.servers": bootstrap})
    described, found = admin.describe_cluster().result(30), pods("kafka")
    assert {node.id: node.rack for node in described.nodes} == {
        ordinal: zones[found[f"kafka-{ordinal}"]["spec"]["nodeName"]] for ordinal in range(3)
    }


def test_a_broker_that_is_told_to_stop_waits_for_another_that_is_behind(
    bootstrap: str, kubectl: Kubectl, namespace: str
) -> None:
    new_topic(bootstrap, "stopped")
    with watched(bootstrap) as looks, Load(bootstrap, "stopped", 6) as load:
        kubectl("-n", namespace, "delete", "pod", "kafka-2", "--wait=false")
        until(lambda: looks and looks[-1].missing == {2}, "broker 2 alone is behind", 120)
        kubectl("-n", namespace, "delete", "pod", "kafka-1", "--wait=true")
        rolled_out(namespace, "kafka")
    missing = [look.missing for look in looks]
    assert {1, 2} not in missing
    assert {1} in missing
    assert load.lost_and_duplicated() == (set(), set())


def test_a_single_zookeeper_server_grows_to_three_and_back_without_losing_what_it_holds(
    release: Release, helm: Helm, kubectl: Kubectl, namespace: str
) -> None:
    release("grown", "zookeeper", SMALL | {"replicas": 1})
    reach = ReachByPortForward(namespace=namespace, kafka_pods="", zookeeper_pods="grown")
    with forwarded(reach, brokers=[], zookeeper=[1]) as forwards, client(forwards.zookeeper[1]) as zookeeper:
        zookeeper.create("/kept", b"here")

    release("grown", "zookeeper", SMALL | {"replicas": 3})
    password = kubectl(
        "-n", namespace, "get", "secret/grown-membership", "-o", "go-template={{.data.password|base64decode}}"
    )
    with forwarded(reach, brokers=[], zookeeper=[1, 2, 3]) as forwards:
        with client(forwards.zookeeper[1]) as zookeeper:
            assert voters(zookeeper) == ["server.1"]
            zookeeper.add_auth("digest", f"super:{password}")
            for server in (2, 3):
                host = f"grown-{server - 1}.grown-headless.{namespace}.svc"
                joining = f"server.{server}={host}:2888:3888:participant;2181"
                until(partial(join, zookeeper, joining), f"server {server} has joined", every=1)
        for address in forwards.zookeeper.values():
            with client(address) as zookeeper:
                zookeeper.sync("/kept")
                assert zookeeper.get("/kept")[0] == b"here"
                assert voters(zookeeper) == ["server.1", "server.2", "server.3"]

    kubectl("-n", namespace, "delete", "pod", "grown-0", "grown-1", "grown-2")
    rolled_out(namespace, "grown")
    with forwarded(reach, brokers=[], zookeeper=[3]) as forwards, client(forwards.zookeeper[3]) as zookeeper:
        assert zookeeper.get("/kept")[0] == b"here"
        assert voters(zookeeper) == ["server.1", "server.2", "server.3"]

    # Two of the three still vote and would be gone.
    fewer = (
        "upgrade",
        "grown",
        str(CHARTS / "zookeeper"),
        "--namespace",
        namespace,
        "--reuse-values",
        "--set=replicas=1",
    )
    refused = helm(*fewer)
    assert "no quorum: 2, 3. First take them out" in refused.stderr
    assert "UPGRADE FAILED" in refused.stderr
    kubectl("-n", namespace, "exec", "grown-0", "--", "bash", "/release/leave.sh", "2", "3")
    upgraded = helm(*fewer)
    assert upgraded.returncode == 0, upgraded.stderr
    kubectl("-n", namespace, "wait", "--for=delete", "pod/grown-1", "pod/grown-2", "--timeout=120s")
    rolled_out(namespace, "grown")
    with forwarded(reach, brokers=[], zookeeper=[1]) as forwards, client(forwards.zookeeper[1]) as zookeeper:
        assert zookeeper.get("/kept")[0] == b"here"


@contextlib.contextmanager
def client(address: str) -> Iterator[KazooClient]:
    """A session with one ZooKeeper server."""
    zookeeper = KazooClient(hosts=address)
    zookeeper.start(timeout=60)
    try:
        yield zookeeper
    finally:
        zookeeper.stop()
        zookeeper.close()


def join(zookeeper: KazooClient, joining: str) -> bool:
    """Refused until the new server, without which there is no quorum, has caught up with the leader."""
    with contextlib.suppress(NewConfigNoQuorumError):
        zookeeper.reconfig(joining=joining, leaving="", new_members="")
        return True
    return False


def voters(zookeeper: KazooClient) -> list[str]:
    """The servers of the membership."""
    lines = zookeeper.get("/zookeeper/config")[0].decode().splitlines()
    return sorted(line.partition("=")[0] for line in lines if line.startswith("server."))
