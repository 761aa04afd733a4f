"""What the smoke tests say when servers are killed under load, and what the next apply makes of it."""

import re
from pathlib import Path
from typing import Any

import psutil
import pytest

from hikube_kafka import ensemble
from tests.support.delivery import LocalDelivery
from tests.support.load import Load
from tests.support.waiting import until

pytestmark = [pytest.mark.journey, pytest.mark.ensemble, pytest.mark.terraform, pytest.mark.timeout(600)]


def kill(delivery: LocalDelivery, name: str) -> None:
    seen = ensemble.status(delivery.directory)
    assert seen is not None
    process = psutil.Process(next(server.pid for server in seen.servers if server.name == name))
    process.kill()
    process.wait(10)


def leader(report: dict[str, Any]) -> int:
    """Id of the ZooKeeper leader, as the gate saw it."""
    (server,) = named(report, "zookeeper-one-leader", "server")
    return server


def named(report: dict[str, Any], check: str, kind: str) -> set[int]:
    """Ids of the servers or brokers that the finding of a check names."""
    finding = next(each for each in report["findings"] if each["check"] == check)
    return {int(number) for number in re.findall(rf"{kind} (\d+)", "\n".join(finding["seen"]))}


def test_killed_servers_are_named_healed_and_lose_nothing(delivery: LocalDelivery) -> None:
    delivery.apply()
    healthy = delivery.smoke(expected=0)
    with Load(delivery.bootstrap, "orders", 6) as load:
        chosen = leader(healthy)
        kill(delivery, "broker-1")
        kill(delivery, f"zookeeper-{chosen}")

        broken = delivery.smoke(expected=1, patience=2)
        assert named(broken, "zookeeper-servers-answer", "server") == {chosen}
        assert named(broken, "brokers-answer", "broker") == {1}

        load.wait_for(100)
        plan = delivery.terraform.plan()
        assert '"broker-1"' in plan
        assert f'"zookeeper-{chosen}"' in plan
        delivery.apply()
        assert delivery.terraform.plan() == "empty"
        load.wait_for(100)
    delivery.smoke(expected=0)

    assert load.lost_and_duplicated() == (set(), set())


def test_an_ensemble_that_is_down_altogether_is_seen_planned_and_healed(delivery: LocalDelivery) -> None:
    delivery.apply()
    with Load(delivery.bootstrap, "orders", 6) as load:
        pass
    for name in [f"broker-{broker}" for broker in range(3)] + [f"zookeeper-{server}" for server in (1, 2, 3)]:
        kill(delivery, name)

    report = delivery.smoke(expected=2, patience=1)
    assert all(each["status"] != "passed" for each in report["findings"])
    assert delivery.terraform.plan() != "empty"
    delivery.apply()
    assert delivery.terraform.plan() == "empty"
    delivery.smoke(expected=0)
    assert load.lost_and_duplicated() == (set(), set())


def test_a_destroyed_platform_leaves_no_process_and_no_data(delivery: LocalDelivery) -> None:
    delivery.apply()
    assert sorted(mentioning(delivery.directory)) == ["bash"] * 3 + ["java"] * 6  # each broker has a supervisor
    delivery.terraform.expect("destroy", "-auto-approve", "-input=false")
    until(lambda: not mentioning(delivery.directory), lambda: mentioning(delivery.directory))
    assert not delivery.directory.exists()


def mentioning(directory: Path) -> list[str]:
    """Names of the living processes that have the directory in their command line; a zombie has none."""
    return [
        process.info["name"]
        for process in psutil.process_iter(["name", "cmdline"])
        if any(str(directory) in word for word in process.info["cmdline"] or ())
    ]
