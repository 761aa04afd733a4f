"""A healthy layout raises nothing; each test spoils one thing and sees that one problem."""

from typing import Any

import pytest

from hikube_kafka.spec import rules
from hikube_kafka.spec.kafka import Kafka, Listener
from hikube_kafka.spec.platform import Platform
from hikube_kafka.spec.targets.local import LocalLayout, check
from hikube_kafka.spec.topic import Topic


def platform(**kafka: Any) -> Platform:
    return Platform(name="events", kafka=Kafka(**kafka), topics=(Topic("orders", partitions=6),))


def test_what_stays_on_this_machine_may_be_read_there() -> None:
    assert [problem.rule for problem in rules.check(platform())] == ["listener-plaintext"]
    assert list(check(platform(), LocalLayout())) == []


@pytest.mark.parametrize(
    ("layout", "kafka", "rule", "part"),
    [
        (
            {},
            {"listeners": (Listener("client", port=9092, protocol="SSL"),)},
            "local-listener-protocol",
            "neither certificates nor users",
        ),
        ({"zookeeper_port": 29093}, {"brokers": 1}, None, ""),
        (
            {"zookeeper_port": 29092},
            {"brokers": 1},
            "local-port-twice",
            "port 29092 is given to zookeeper-1 and broker-0",
        ),
    ],
)
def test_a_spoilt_layout_is_refused(layout: dict[str, Any], kafka: dict[str, Any], rule: str | None, part: str) -> None:
    problems = [each for each in check(platform(**kafka), LocalLayout(**layout)) if each.severity == "error"]
    assert [each.rule for each in problems] == ([rule] if rule else [])
    assert all(part in each.message for each in problems)


def test_the_contract_is_read_at_the_addresses_themselves() -> None:
    contract = LocalLayout().contract(platform(racks=("a", "b")))
    assert (contract.target, contract.reach.by, contract.kubernetes) == ("local", "address", None)
    assert contract.bootstrap_servers == "127.0.0.1:29092,127.0.0.1:29093,127.0.0.1:29094"
    assert contract.zookeeper_connect == "127.0.0.1:22181,127.0.0.1:22182,127.0.0.1:22183"
    assert [broker.rack for broker in contract.kafka.brokers] == ["a", "b", "a"]
