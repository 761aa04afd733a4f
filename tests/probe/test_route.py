import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.kubernetes.errors import ApiServerError, KubernetesError, OtherClusterError
from hikube_kafka.kubernetes.port_forward import PodPort
from hikube_kafka.probe import route
from hikube_kafka.probe.forwards import Forwards
from hikube_kafka.probe.route import DIRECT, open_route
from hikube_kafka.spec.contract import (
    BrokerExpected,
    ConnectExpected,
    Contract,
    KafkaExpected,
    KubernetesExpected,
    ReachByAddress,
    ReachByPortForward,
    ZooKeeperExpected,
    ZooKeeperServerExpected,
)

CONTRACT = Contract(
    platform="events",
    target="kubernetes",
    reach=ReachByPortForward(namespace="platform", context="one", kafka_pods="kafka", zookeeper_pods="zookeeper"),
    coordinator=ZooKeeperExpected(servers=(ZooKeeperServerExpected(id=1, address="zk-1:2181"),)),
    kafka=KafkaExpected(version="3.9.2", brokers=tuple(BrokerExpected(id=i, address=f"b-{i}:9092") for i in range(2))),
)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What has been asked of the port-forwards and of the API server; "closed" once they were given back."""
    seen: dict[str, dict[str, Any]] = {}

    @contextlib.contextmanager
    def forwarded(reach: ReachByPortForward, **settings: Any) -> Iterator[Forwards]:
        seen["forwards"] = {"reach": reach, **settings}
        yield Forwards(
            brokers={0: "127.0.0.1:19092", 1: "127.0.0.1:19093"},
            zookeeper={1: "127.0.0.1:40000"},
            troubles={"kafka-1": "Pending"},
            workers={each: f"127.0.0.1:{41000 + at}" for at, each in enumerate(settings["workers"])},
        )
        seen["forwards"] = {"closed": True}

    @contextlib.contextmanager
    def workloads(namespace: str, **settings: Any) -> Iterator[str]:
        seen["workloads"] = {"namespace": namespace, **settings}
        try:
            yield "look"
        finally:
            seen["workloads"] = {"closed": True}

    monkeypatch.setattr(route, "forwarded", forwarded)
    monkeypatch.setattr(route, "workloads", workloads)
    return seen


def test_addresses_that_can_be_dialled_are_dialled_as_they_are(opened: dict[str, Any]) -> None:
    with open_route(CONTRACT.model_copy(update={"reach": ReachByAddress()})) as way:
        assert way == DIRECT
        assert way.dial == {}
        assert way.trouble("b-0:9092") is None
    assert opened == {}


def test_from_outside_every_address_is_dialled_at_its_port_forward(opened: dict[str, Any]) -> None:
    with open_route(CONTRACT, kubeconfig="file", pod_wait_seconds=7) as way:
        assert way.dial == {
            "zk-1:2181": "127.0.0.1:40000",
            "b-0:9092": "127.0.0.1:19092",
            "b-1:9092": "127.0.0.1:19093",
        }
        assert (way.trouble("b-1:9092"), way.trouble("b-0:9092")) == ("pod kafka-1: Pending", None)
        assert way.kubectl == f"kubectl --kubeconfig {Path.cwd() / 'file'} --context one -n platform"
        assert opened["forwards"] == {
            "reach": CONTRACT.reach,
            "brokers": [0, 1],
            "zookeeper": [1],
            "workers": [],
            "kubeconfig": "file",
            "require": "any",
            "pod_wait_seconds": 7,
        }
    assert opened == {"forwards": {"closed": True}}, "Kubernetes is not asked where nothing is promised of it"


def test_kubernetes_is_looked_at_where_something_is_promised_of_it(opened: dict[str, Any]) -> None:
    promised = CONTRACT.model_copy(update={"kubernetes": KubernetesExpected()})
    with open_route(promised, in_cluster=True) as way:
        assert (way.dial, str(way.workloads)) == ({}, "look")
        assert opened == {
            "workloads": {
                "namespace": "platform",
                "kubeconfig": None,
                "context": "one",
                "dialled": {"zookeeper-0": 2181, "kafka-0": 9092, "kafka-1": 9092},
            }
        }
    assert opened == {"workloads": {"closed": True}}


CONNECTED = CONTRACT.model_copy(
    update={"connect": (ConnectExpected(name="search", group_id="g", workers=2, pods="search", port=8084),)}
)


@pytest.mark.parametrize("in_cluster", [False, True])
def test_workers_listen_on_their_loopback_and_are_met_through_port_forwards(
    opened: dict[str, Any], *, in_cluster: bool
) -> None:
    with open_route(CONNECTED, in_cluster=in_cluster) as way:
        assert {pod: way.dial[pod] for pod in ("search-0", "search-1")} == {
            "search-0": "127.0.0.1:41000",
            "search-1": "127.0.0.1:41001",
        }
        assert way.pods["search-1"] == "search-1"
        assert opened["forwards"]["workers"] == [PodPort(pod=f"search-{each}", port=8084) for each in range(2)]
        assert opened["forwards"]["brokers"] == ([] if in_cluster else [0, 1])
        assert ("b-0:9092" in way.dial) is not in_cluster


def test_inside_the_cluster_workers_that_may_not_be_reached_do_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def forwarded(_reach: ReachByPortForward, **_settings: Any) -> Any:
        raise KubernetesError("pods/portforward is forbidden")

    monkeypatch.setattr(route, "forwarded", forwarded)
    with open_route(CONNECTED, in_cluster=True) as way:
        assert way.trouble("search-1") == "pod search-1: pods/portforward is forbidden"
        assert way.trouble("b-0:9092") is None
    with pytest.raises(KubernetesError), open_route(CONNECTED):
        pass


APPLIED_TO = CONTRACT.model_copy(update={"reach": CONTRACT.reach.model_copy(update={"cluster": "uid-of-one"})})


class Server:
    """An API server that says, or does not say, which cluster it is."""

    server = "https://here"
    context = "two"

    def __init__(self, uid: str | None) -> None:
        self.uid = uid

    async def cluster(self) -> str | None:
        return self.uid


@pytest.fixture
def is_cluster(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Have every kubeconfig lead to the cluster of that UID; None: it may not be read."""

    def be(uid: str | None) -> None:
        def ask(_kubeconfig: str | None, _context: str | None, _namespace: str, work: Any) -> None:
            asyncio.run(work(Server(uid)))

        monkeypatch.setattr(route, "ask", ask)

    return be


@pytest.mark.parametrize("in_cluster", [False, True])
def test_another_cluster_than_the_contract_s_is_refused_before_anything_is_opened(
    opened: dict[str, Any], is_cluster: Callable[[str | None], None], *, in_cluster: bool
) -> None:
    is_cluster("uid-of-two")
    contract = APPLIED_TO.model_copy(update={"kubernetes": KubernetesExpected()})
    with pytest.raises(OtherClusterError) as error, open_route(contract, in_cluster=in_cluster):
        pass
    assert opened == {}
    told = str(error.value)
    for each in ("uid-of-one", "uid-of-two", "https://here", "context two", "--context"):
        assert each in told


@pytest.mark.parametrize("uid", ["uid-of-one", None])
def test_the_contract_s_cluster_or_one_that_may_not_say_is_looked_at(
    opened: dict[str, Any], is_cluster: Callable[[str | None], None], uid: str | None
) -> None:
    is_cluster(uid)
    with open_route(APPLIED_TO):
        assert "forwards" in opened


def test_inside_a_cluster_of_which_nothing_is_promised_nobody_is_asked_who_it_is(
    opened: dict[str, Any], is_cluster: Callable[[str | None], None]
) -> None:
    is_cluster("uid-of-two")
    with open_route(APPLIED_TO, in_cluster=True):
        assert opened == {}


def test_what_was_opened_is_closed_when_the_rest_cannot_be(
    opened: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ApiServerError("https://here", "no answer")

    monkeypatch.setattr(route, "forwarded", refused)
    promised = CONTRACT.model_copy(update={"kubernetes": KubernetesExpected()})
    with pytest.raises(ApiServerError), open_route(promised):
        pass
    assert opened == {"workloads": {"closed": True}}
