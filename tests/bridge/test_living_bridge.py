"""The bridge between a real MQTT broker and real Kafka: nothing is lost, and the order of each device is kept."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from hikube_kafka.ensemble import apply, status
from tests.support.ensemble import LivingEnsemble, free_port, suspend
from usecases.parts.bridge import Bridge
from usecases.parts.mosquitto import Mosquitto
from usecases.parts.relay import Relay
from usecases.process import until

pytestmark = pytest.mark.ensemble


class Devices:
    """One connection that stands for many devices: the order of each is that in which it publishes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=uuid.uuid4().hex, protocol=MQTTv5)
        self._client.max_inflight_messages_set(200)
        self._sent: dict[str, int] = defaultdict(int)
        self._pending: list[Any] = []

    def connect(self) -> None:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()

    def is_connected(self) -> bool:
        return self._client.is_connected()

    def send(self, rounds: int, devices: int = 10) -> None:
        for _ in range(rounds):
            for number in range(devices):
                self.publish(f"devices/d{number}/telemetry", str(self._sent[f"d{number}"]))
                self._sent[f"d{number}"] += 1

    def publish(self, topic: str, payload: str | bytes, **more: Any) -> None:
        self._pending.append(self._client.publish(topic, payload, **{"qos": 1, **more}))

    def settle(self) -> None:
        """Wait until the MQTT broker has acknowledged all."""
        for each in self._pending:
            each.wait_for_publish(30)
        self._pending.clear()

    @property
    def sent(self) -> dict[str, list[int]]:
        return {device: list(range(count)) for device, count in self._sent.items()}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Field:
    """An MQTT broker, a topic and its dead letters, and what is in them."""

    def __init__(self, stack: ExitStack, folder: Path, living: LivingEnsemble) -> None:
        self._stack, self._folder, self.living = stack, folder, living
        self.name = uuid.uuid4().hex[:8]
        self.topic, self.dead_letters = f"telemetry-{self.name}", f"telemetry-{self.name}.dead"
        self.alarms = f"alarms-{self.name}"
        limited = {"min.insync.replicas": "2"}
        self.admin = AdminClient({"bootstrap.servers": living.bootstrap})
        created = self.admin.create_topics(
            [
                NewTopic(self.topic, 3, 3, config={**limited, "max.message.bytes": "20000"}),
                NewTopic(self.alarms, 3, 3, config=limited),
                NewTopic(self.dead_letters, 1, 3, config={**limited, "max.message.bytes": "30000"}),
            ]
        )
        for each in created.values():
            each.result(30)
        self.mosquitto = Mosquitto(folder, free_port())
        stack.callback(self.mosquitto.process.kill)
        self.mosquitto.start()
        self.relay = stack.enter_context(Relay(self.mosquitto.port))
        self.devices = Devices(self.mosquitto.port)
        self.devices.connect()
        stack.callback(self.devices.close)

    def bridge(self, client_id: str = "bridge", *options: str, **more: Any) -> Bridge:
        bridge = Bridge(
            self._folder,
            client_id,
            free_port(),
            mqtt=f"mqtt://127.0.0.1:{self.relay.port}",
            bootstrap=self.living.bootstrap,
            routes=more.pop(
                "routes", [f"devices/{{device}}/telemetry={self.topic}", f"alarms/+/{{device}}={self.alarms}"]
            ),
            dead_letters=more.pop("dead_letters", self.dead_letters),
            options=options,
            **more,
        )
        self._stack.callback(bridge.process.kill)
        return bridge

    def read(self, topic: str, at_least: int) -> list[Any]:
        """All records of the topic, once there are that many different ones."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.living.bootstrap,
                "group.id": uuid.uuid4().hex,
                "enable.auto.commit": False,
            }
        )
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
            found: list[Any] = []

            def enough() -> bool:
                found.extend(consumer.consume(1000, timeout=0.2))
                return len({(each.key(), each.value()) for each in found}) >= at_least

            until(enough, 60, f"{at_least} different records in {topic}")
            found.extend(consumer.consume(1000, timeout=0.5))
            return found
        finally:
            consumer.close()

    def series(self, at_least: int) -> dict[str, list[int]]:
        """The numbers of each device, in Kafka's order."""
        read: dict[str, list[int]] = defaultdict(list)
        for record in self.read(self.topic, at_least):
            read[record.key().decode()].append(int(record.value()))
        return read


def first_times(numbers: list[int]) -> list[int]:
    """As a consumer sees them that passes over what it has seen."""
    return list(dict.fromkeys(numbers))


@pytest.fixture
def field(tmp_path: Path, living_ensemble: LivingEnsemble) -> Iterator[Field]:
    with ExitStack() as stack:
        yield Field(stack, tmp_path, living_ensemble)


def test_each_message_becomes_one_record_keyed_by_device_with_where_it_came_from(field: Field) -> None:
    bridge = field.bridge()
    field.devices.publish("alarms/north/d7", "old", retain=True)
    field.devices.settle()
    bridge.start()
    field.devices.send(100)
    field.devices.publish("alarms/north/d8", "0", qos=0)
    field.devices.publish("alarms/north/d8", "2", qos=2)
    field.devices.settle()
    assert field.series(1000) == field.devices.sent
    alarms = field.read(field.alarms, 3)
    assert [(each.key(), each.value()) for each in alarms if each.key() == b"d8"] == [(b"d8", b"0"), (b"d8", b"2")]
    seen = {each.value(): dict(each.headers()) for each in alarms}
    assert seen[b"old"] == {"mqtt.topic": b"alarms/north/d7", "mqtt.qos": b"1", "mqtt.retain": b"true"}
    assert [seen[value]["mqtt.qos"] for value in (b"0", b"2")] == [b"0", b"1"]
    assert seen[b"0"]["mqtt.retain"] == b"false"
    bridge.process.stop()
    assert bridge.process.exit_code == 0
    ended = json.loads(bridge.process.log.read_text().splitlines()[-1])
    assert (ended["event"], ended["delivered"], ended["acknowledged"]) == ("ended", 1003, 1002)


def test_what_has_no_device_or_is_too_large_is_a_dead_letter_and_holds_nothing_up(field: Field) -> None:
    bridge = field.bridge()
    bridge.start()
    field.devices.publish("devices//telemetry", "nobody")
    field.devices.publish("devices/d0/telemetry", b"x" * 25_000)
    field.devices.publish("devices/d1/telemetry", b"x" * 60_000)
    field.devices.send(1)
    field.devices.settle()
    assert field.series(10) == field.devices.sent
    nobody, large, larger = field.read(field.dead_letters, 3)
    assert (nobody.key(), nobody.value()) == (None, b"nobody")
    assert b"names no device" in dict(nobody.headers())["bridge.error"]
    assert (large.key(), len(large.value())) == (b"d0", 25_000)
    assert (larger.key(), dict(larger.headers())["bridge.bytes"]) == (b"d1", b"60000")
    assert 25_000 < len(larger.value()) < 30_000
    until(lambda: bridge.metrics()["acknowledged_total"] == 13, 20, "13 acknowledgements")
    assert bridge.metrics()["dead_letters_total"] == 3


def test_a_bridge_that_is_killed_loses_nothing(field: Field) -> None:
    bridge = field.bridge()
    bridge.start()
    for _ in range(3):
        field.devices.send(50)
        bridge.process.kill()
        field.devices.send(50)
        bridge.start()
    field.devices.settle()
    read = field.series(3000)
    assert {device: first_times(numbers) for device, numbers in read.items()} == field.devices.sent


def test_connections_that_break_and_an_mqtt_broker_that_restarts_lose_nothing(field: Field) -> None:
    bridge = field.bridge()
    bridge.start()

    def is_back(times: int) -> bool:
        """By the count: for a moment the bridge is still ready by the connection that was cut."""
        return bridge.metrics()["reconnects_total"] == times and bridge.is_ready()

    for cut in range(1, 6):
        field.devices.send(50)
        field.relay.cut()
        until(partial(is_back, cut), 30, "the bridge to be back")
    field.devices.settle()
    field.mosquitto.restart()
    until(lambda: is_back(6) and field.devices.is_connected(), 60, "the bridge and the devices to be back")
    field.devices.send(50)
    field.devices.settle()
    read = field.series(3000)
    assert {device: first_times(numbers) for device, numbers in read.items()} == field.devices.sent
    assert bridge.metrics()["reconnects_total"] == 6
    assert bridge.metrics()["sessions_lost_total"] == 0


def test_while_kafka_does_not_take_records_nothing_is_acknowledged_and_memory_is_bounded(field: Field) -> None:
    observation = status(field.living.declaration.directory)
    assert observation is not None
    brokers = [psutil.Process(each.pid) for each in observation.servers if each.name.startswith("broker")]
    assert len(brokers) == 3
    bridge = field.bridge("bridge", "--in-flight", "20", "--drain", "1")
    bridge.start()
    try:
        for broker in brokers:
            suspend(broker)
        field.devices.send(10)
        field.devices.settle()
        until(lambda: bridge.metrics()["in_flight"] == 20, 20, "20 messages in flight")
        seen = bridge.metrics()
        assert (seen["received_total"], seen["acknowledged_total"], seen["delivered_total"]) == (20, 0, 0)
        until(lambda: not bridge.is_ready(), 30, "the bridge to be not ready")
        assert bridge.answer("healthz") == 200
        bridge.process.stop(30)
        assert bridge.process.exit_code == 1
        assert "sends them again" in bridge.process.log_end()
    finally:
        for broker in brokers:
            broker.resume()
        apply(field.living.declaration)  # their sessions have run out: the next test needs all three
    bridge.start()
    read = field.series(100)
    assert {device: first_times(numbers) for device, numbers in read.items()} == field.devices.sent


def test_bridges_of_three_shards_carry_each_device_once_and_in_order(field: Field) -> None:
    shards = [field.bridge(f"bridge-{number}", "--shard", f"{number}/3") for number in (1, 2, 3)]
    for each in shards:
        each.start()
    field.devices.send(50)
    shards[1].process.kill()
    field.devices.send(50)
    shards[1].start()
    field.devices.settle()
    read = field.series(1000)
    assert {device: first_times(numbers) for device, numbers in read.items()} == field.devices.sent
    for each in shards:
        until(lambda each=each: each.metrics()["in_flight"] == 0, 20, "nothing in flight")  # type: ignore[misc]
    assert all(each.metrics()["delivered_total"] > 0 for each in shards)


def test_bridges_that_share_a_subscription_lose_nothing_though_they_keep_no_order(field: Field) -> None:
    shared = [field.bridge(f"bridge-{number}", "--share", "bridges") for number in (1, 2)]
    for each in shared:
        each.start()
    field.devices.send(100)
    shared[0].process.kill()
    field.devices.send(100)
    shared[0].start()
    field.devices.settle()
    read = field.series(2000)
    assert {device: sorted(set(numbers)) for device, numbers in read.items()} == field.devices.sent
    assert shared[1].metrics()["delivered_total"] > 0


def test_two_bridges_of_one_client_id_are_told_what_breaks_their_connections(field: Field) -> None:
    first, second = field.bridge(), field.bridge()
    first.start()
    second.start()
    hint = "does another client use the client id bridge?"
    until(lambda: hint in first.process.log.read_text(), 30, "the hint")
    assert "taken over" not in first.process.log.read_text(), "Mosquitto tells it by now: the hint can go"


def test_a_topic_that_kafka_does_not_have_is_told_at_the_start(field: Field) -> None:
    bridge = field.bridge(routes=["devices/+/telemetry=nowhere"])
    bridge.process.start()
    until(lambda: not bridge.process.is_running, 30, "the bridge to end")
    assert bridge.process.exit_code == 2
    assert "Kafka does not have the topic nowhere" in bridge.process.log_end()


def test_dead_letters_without_a_key_are_sent_to_no_compacted_topic(field: Field) -> None:
    compacted = f"{field.dead_letters}.compacted"
    field.admin.create_topics([NewTopic(compacted, 1, 1, config={"cleanup.policy": "compact"})])[compacted].result(30)
    bridge = field.bridge(dead_letters=compacted)
    bridge.process.start()
    until(lambda: not bridge.process.is_running, 30, "the bridge to end")
    assert bridge.process.exit_code == 2
    assert f"{compacted} has cleanup.policy=compact" in bridge.process.log_end()
