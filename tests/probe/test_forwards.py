"""Which ports of which pods brokers and ZooKeeper servers are met on; the forwards themselves: tests/kubernetes."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from hikube_kafka.kubernetes.errors import LocalPortInUseError, PodsUnreachableError
from hikube_kafka.kubernetes.port_forward import PodForwards, PodPort
from hikube_kafka.probe import forwards
from hikube_kafka.probe.forwards import BrokerPortInUseError, forwarded
from hikube_kafka.spec.contract import ReachByPortForward

REACH = ReachByPortForward(
    namespace="platform", context="one", kafka_pods="kafka", zookeeper_pods="zookeeper", forward_port=19392
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is asked of the port-forwards, which all stand."""
    seen: dict[str, Any] = {}

    @contextlib.contextmanager
    def forward(ports: Sequence[PodPort], **settings: Any) -> Iterator[PodForwards]:
        seen.update(settings, ports=tuple(ports))
        addresses = {each: f"127.0.0.1:{each.local_port or 40000 + number}" for number, each in enumerate(ports)}
        yield PodForwards(addresses=addresses, troubles={"kafka-2": "Pending"})
        seen["closed"] = True

    monkeypatch.setattr(forwards, "forward", forward)
    return seen


def test_a_broker_is_met_on_exactly_the_port_that_it_advertises_and_a_server_on_any(asked: dict[str, Any]) -> None:
    with forwarded(REACH, brokers=[0, 2], zookeeper=[1], kubeconfig="file", require="any", pod_wait_seconds=3) as met:
        assert met.brokers == {0: "127.0.0.1:19392", 2: "127.0.0.1:19394"}
        assert met.brokers[2] == REACH.broker_address(2)
        assert met.zookeeper == {1: "127.0.0.1:40002"}
        assert met.troubles == {"kafka-2": "Pending"}
        assert "closed" not in asked
    assert asked == {
        "ports": (
            PodPort(pod="kafka-0", port=19392, local_port=19392),
            PodPort(pod="kafka-2", port=19394, local_port=19394),
            PodPort(pod="zookeeper-0", port=2181),
        ),
        "namespace": "platform",
        "context": "one",
        "kubeconfig": "file",
        "require": "any",
        "pod_wait_seconds": 3,
        "port_wait_seconds": 30,
        "closed": True,
    }


def test_a_port_in_use_names_the_broker_that_advertises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def taken(*_: object, **__: object) -> Iterator[PodForwards]:
        raise LocalPortInUseError(19394, "kafka-2", "java (process 7)", 30)
        yield

    monkeypatch.setattr(forwards, "forward", taken)
    with pytest.raises(BrokerPortInUseError) as caught, forwarded(REACH, brokers=[0, 2], zookeeper=[1]):
        pass
    assert (caught.value.broker, caught.value.port, caught.value.holder) == (2, 19394, "java (process 7)")
    for told in ("127.0.0.1:19394", "broker 2", "java (process 7)", "waited 30 s", "another forward_port"):
        assert told in str(caught.value)


def test_every_other_refusal_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def unreachable(*_: object, **__: object) -> Iterator[PodForwards]:
        raise PodsUnreachableError("platform", {"kafka-0": "there is no such pod"}, 60, "kubectl")
        yield

    monkeypatch.setattr(forwards, "forward", unreachable)
    with pytest.raises(PodsUnreachableError), forwarded(REACH, brokers=[0], zookeeper=[]):
        pass
