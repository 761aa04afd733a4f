import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from hikube_kafka.kubernetes.errors import ApiServerError
from hikube_kafka.probe import route
from hikube_kafka.probe.forwards import Forwards
from hikube_kafka.probe.route import DIRECT, open_route
from hikube_kafka.spec.contract import (
    BrokerExpected,
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
        assert opened["forwards"] == {
            "reach": CONTRACT.reach,
            "brokers": [0, 1],
            "zookeeper": [1],
            "kubeconfig": "file",
            "require": "any",
            "pod_wait_seconds": 7,
        }
    assert opened == {"forwards": {"closed": True}}, "Kubernetes is not asked where nothing is promised of it"


def test_kubernetes_is_looked_at_where_something_is_promised_of_it(opened: dict[str, Any]) -> None:
    promised = CONTRACT.model_copy(update={"kubernetes": KubernetesExpected()})
    with open_route(promised, in_cluster=True) as way:
        assert (way.dial, str(way.workloads)) == ({}, "look")
        assert opened == {"workloads": {"namespace": "platform", "kubeconfig": None, "context": "one"}}
    assert opened == {"workloads": {"closed": True}}


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
