"""What the smoke gate says when servers are killed under load, and what the next apply makes of it."""

import re
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import psutil
import pytest
import tenacity
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from hikube_kafka import ensemble

if TYPE_CHECKING:
    from conftest import Delivery

pytestmark = [pytest.mark.ensemble, pytest.mark.terraform, pytest.mark.timeout(600)]


class Load:
    """Numbers written with acks=all by an idempotent producer, until the block ends; which were acknowledged."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.acknowledged: set[int] = set()
        self._topic = topic
        self._ended = threading.Event()
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "delivery.timeout.ms": 300_000, "log_level": 0}
        )
        self._thread = threading.Thread(target=self._produce)

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_for_more(100)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for_more(self, count: int) -> None:
        goal = len(self.acknowledged) + count
        for attempt in tenacity.Retrying(stop=tenacity.stop_after_delay(120), wait=tenacity.wait_fixed(0.1)):
            with attempt:
                assert len(self.acknowledged) >= goal

    def _produce(self) -> None:
        number = 0
        while not self._ended.wait(0.005):
            self._producer.produce(self._topic, str(number).encode(), on_delivery=self._delivered)
            self._producer.poll(0)
            number += 1
        assert self._producer.flush(300) == 0

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged.add(int(message.value() or b""))


def read_all(bootstrap: str, topic: str) -> Counter[int]:
    """Every number in the topic, with how often it stands there."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.partition.eof": True})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    numbers: Counter[int] = Counter()
    unread = set(partitions)
    while unread:
        message = consumer.poll(30)
        assert message is not None, f"nothing more to read, but partitions {unread} have not ended"
        error = message.error()
        if error is None:
            numbers[int(message.value() or b"")] += 1
        elif error.code() == KafkaError._PARTITION_EOF:
            unread.discard(message.partition() or 0)
    consumer.close()
    return numbers


def kill(delivery: "Delivery", name: str) -> None:
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


def test_killed_servers_are_named_healed_and_lose_nothing(deliver: "Delivery") -> None:
    deliver.apply()
    healthy = deliver.smoke(expected=0)
    with Load(deliver.bootstrap, "orders") as load:
        chosen = leader(healthy)
        kill(deliver, "broker-1")
        kill(deliver, f"zookeeper-{chosen}")

        broken = deliver.smoke(expected=1, patience=2)
        assert named(broken, "zookeeper-servers-answer", "server") == {chosen}
        assert named(broken, "brokers-answer", "broker") == {1}

        load.wait_for_more(100)
        plan = deliver.terraform("plan", "-input=false")
        assert '"broker-1"' in plan
        assert f'"zookeeper-{chosen}"' in plan
        deliver.apply()
        assert deliver.plan_code() == 0
        load.wait_for_more(100)
    deliver.smoke(expected=0)

    found = read_all(deliver.bootstrap, "orders")
    assert load.acknowledged <= found.keys(), f"lost: {sorted(load.acknowledged - found.keys())[:20]}"
    assert [number for number, times in found.items() if times > 1] == []


def test_an_ensemble_that_is_down_altogether_is_seen_planned_and_healed(deliver: "Delivery") -> None:
    deliver.apply()
    with Load(deliver.bootstrap, "orders") as load:
        pass
    for name in [f"broker-{broker}" for broker in range(3)] + [f"zookeeper-{server}" for server in (1, 2, 3)]:
        kill(deliver, name)

    report = deliver.smoke(expected=2, patience=1)
    assert all(each["status"] != "passed" for each in report["findings"])
    assert deliver.plan_code() == 2
    deliver.apply()
    assert deliver.plan_code() == 0
    deliver.smoke(expected=0)
    assert load.acknowledged <= read_all(deliver.bootstrap, "orders").keys()


def test_a_destroyed_platform_leaves_no_process_and_no_data(deliver: "Delivery") -> None:
    deliver.apply()
    assert len(mentioning(deliver.directory)) == 6
    deliver.terraform("destroy", "-auto-approve", "-input=false")
    assert mentioning(deliver.directory) == []
    assert not deliver.directory.exists()


def mentioning(directory: Path) -> list[str]:
    """Names of the living processes that have the directory in their command line; a zombie has none."""
    return [
        process.info["name"]
        for process in psutil.process_iter(["name", "cmdline"])
        if any(str(directory) in word for word in process.info["cmdline"] or ())
    ]
