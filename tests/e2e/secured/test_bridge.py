"""The bridge where both sides ask who it is: a real MQTT broker with TLS, passwords and permissions, and real Kafka."""

import base64
import hashlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from hikube_kafka.bridge import pipeline
from hikube_kafka.kafka.security import Credentials
from tests.support.ensemble import free_port
from usecases.parts.bridge import Bridge
from usecases.parts.mosquitto import SAFE, Mosquitto
from usecases.process import until

pytestmark = [pytest.mark.journey, pytest.mark.ensemble, pytest.mark.timeout(400)]

_USER, _PASSWORD, _KEY_PASSWORD = "carrier", "carrier-s3cret", "key-s3cret"
_STRANGER = "stranger-s3cret"
_BOB, _BOB_PASSWORD = "bob", "bob-s3cret"
_TOPIC, _DEAD_LETTERS, _CLOSED = "telemetry", "telemetry.dead", "closed"
_LISTENERS = ("password", "certificate", "expired", "elsewhere")
_MQTT, _KAFKA = "HIKUBE_KAFKA_MQTT_", "HIKUBE_KAFKA_"


def _hashed(password: str) -> str:
    """As a line of ``password_file`` has it."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


@dataclass(frozen=True, kw_only=True)
class Side:
    """What a bridge is told of one side."""

    address: str
    environment: Mapping[str, str]
    options: tuple[str, ...] = ()

    def but(self, address: str | None = None, **environment: object) -> "Side":
        """The same with another address, or other variables; None takes one away."""
        changed = {**self.environment, **{name: str(value or "") for name, value in environment.items()}}
        return Side(address=address or self.address, environment=changed, options=self.options)


@dataclass
class Field:
    """Both sides, and bridges between them."""

    secured: Any
    folder: Path
    stack: ExitStack
    mqtt: dict[str, Side] = field(default_factory=dict)
    kafka: dict[str, Side] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.authority = self.secured.authority
        self.plain, *ports = (free_port() for _ in ("plain", *_LISTENERS))
        self.admin = AdminClient({"bootstrap.servers": self.secured.doors["PLAIN"].administrators})
        self._start_mosquitto(dict(zip(_LISTENERS, ports, strict=True)))
        self._create_topics()
        for name, door in self.secured.doors.items():
            self.kafka[name] = Side(
                address=door.bootstrap,
                environment={f"{_KAFKA}{variable.upper()}": value for variable, value in door.key.items()},
                options=("--protocol", door.protocol, "--mechanism", door.mechanism or "SCRAM-SHA-512"),
            )
        self.kafka["bob"] = self.kafka["PLAIN"].but(HIKUBE_KAFKA_USERNAME=_BOB, HIKUBE_KAFKA_PASSWORD=_BOB_PASSWORD)

    def _start_mosquitto(self, ports: Mapping[str, int]) -> None:
        ca = self.authority.certificate
        issued = {
            "good": self.authority.issue("mosquitto"),
            "expired": self.authority.issue("expired", lasts=timedelta(minutes=-1)),
            "elsewhere": self.authority.issue("elsewhere", address="192.0.2.7"),
        }
        passwords, rights = self.folder / "passwords", self.folder / "rights"
        passwords.write_text(f"{_USER}:{_hashed(_PASSWORD)}\n")
        rights.write_text(f"user {_USER}\ntopic read devices/#\n")
        for file in (passwords, rights):
            file.chmod(0o600)

        def tls(name: str) -> dict[str, str]:
            certificate, key = issued[name]
            return {"certfile": str(certificate), "keyfile": str(key), "cafile": str(ca), "allow_anonymous": "true"}

        login = {"allow_anonymous": "false", "password_file": str(passwords), "acl_file": str(rights)}
        listeners = {
            ports["password"]: tls("good") | login,
            ports["certificate"]: tls("good") | {"require_certificate": "true"},
            ports["expired"]: tls("expired"),
            ports["elsewhere"]: tls("elsewhere"),
        }
        mosquitto = Mosquitto(self.folder, self.plain, SAFE, listeners)
        self.stack.callback(mosquitto.process.kill)
        mosquitto.start()
        own, key = self.authority.issue("bridge", password=_KEY_PASSWORD)
        own_files = {f"{_MQTT}CERTIFICATE_FILE": own, f"{_MQTT}KEY_FILE": key, f"{_MQTT}KEY_PASSWORD": _KEY_PASSWORD}
        given = {"password": {f"{_MQTT}USERNAME": _USER, f"{_MQTT}PASSWORD": _PASSWORD}, "certificate": own_files}
        for name, port in ports.items():
            variables = {f"{_MQTT}CA_FILE": ca, **given.get(name, {})}
            self.mqtt[name] = Side(
                address=f"mqtts://127.0.0.1:{port}",
                environment={variable: str(value) for variable, value in variables.items()},
            )
        self.mqtt["plain"] = Side(address=f"mqtt://127.0.0.1:{self.plain}", environment={})

    def _create_topics(self) -> None:
        for created in self.admin.create_topics(
            [NewTopic(name, 1, 1) for name in (_TOPIC, _DEAD_LETTERS, _CLOSED)]
        ).values():
            created.result(30)
        for topic in (_TOPIC, _DEAD_LETTERS):
            self.may(AclOperation.WRITE, topic)
        self.may(AclOperation.DESCRIBE, _CLOSED)

    @staticmethod
    def _acl(operation: AclOperation, topic: str) -> tuple[Any, ...]:
        yes, literal = AclPermissionType.ALLOW, ResourcePatternType.LITERAL
        return (ResourceType.TOPIC, topic, literal, f"User:{_BOB}", "*", operation, yes)

    def may(self, operation: AclOperation, topic: str) -> None:
        """Let bob do something; writing is seeing too."""
        acl = AclBinding(*self._acl(operation, topic))
        self.admin.create_acls([acl])[acl].result(30)

    def may_no_longer(self, operation: AclOperation, topic: str) -> None:
        """Take it back."""
        acl = AclBindingFilter(*self._acl(operation, topic))
        self.admin.delete_acls([acl])[acl].result(30)

    def bridge(self, name: str, mqtt: Side, kafka: Side, *options: str, **more: Any) -> Bridge:
        bridge = Bridge(
            self.folder,
            name,
            more.get("port", 0),
            mqtt=mqtt.address,
            bootstrap=kafka.address,
            routes=[f"devices/{{device}}/telemetry={more.get('topic', _TOPIC)}"],
            dead_letters=_DEAD_LETTERS,
            options=[*kafka.options, *options],
            environment={**mqtt.environment, **kafka.environment},
        )
        self.stack.callback(bridge.process.kill)
        return bridge

    def publish(self, topic: str, *payloads: str, protocol: int = MQTTv5) -> None:
        """By whoever comes in without a password."""
        client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)  # type: ignore[arg-type]
        client.connect("127.0.0.1", self.plain)
        client.loop_start()
        for sent in [client.publish(topic, payload, qos=1) for payload in payloads]:
            sent.wait_for_publish(30)
        client.disconnect()
        client.loop_stop()

    def min_in_sync(self, topic: str, replicas: int) -> None:
        """How many replicas must have a record."""
        entry = ConfigEntry("min.insync.replicas", str(replicas), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(30)

    def values(self, topic: str, device: str, at_least: int) -> list[bytes | None]:
        """What the device has in Kafka, once there is that much."""
        settings = {"bootstrap.servers": self.secured.doors["PLAIN"].administrators, "group.id": "reader"}
        consumer = Consumer(settings)
        try:
            consumer.assign([TopicPartition(topic, 0, 0)])
            found: list[bytes | None] = []

            def enough() -> bool:
                read = consumer.consume(100, timeout=0.2)
                found.extend(each.value() for each in read if each.key() == device.encode())
                return len(found) >= at_least

            until(enough, 60, f"{at_least} records of {device} in {topic}")
            return found
        finally:
            consumer.close()


@pytest.fixture(scope="module")
def between(secured: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    with ExitStack() as stack:
        yield Field(secured=secured, folder=tmp_path_factory.mktemp("between"), stack=stack)


@pytest.mark.parametrize(("mqtt", "kafka"), [("password", "SCRAM"), ("certificate", "TLS"), ("certificate", "bob")])
def test_messages_are_carried_and_no_secret_is_shown(between: Field, mqtt: str, kafka: str) -> None:
    device = f"{mqtt}-{kafka}"
    bridge = between.bridge(device, between.mqtt[mqtt], between.kafka[kafka], port=free_port())
    bridge.start()
    between.publish(f"devices/{device}/telemetry", "1", "2")
    between.publish(f"devices/{device}/telemetry", "3", "", protocol=MQTTv311)
    assert between.values(_TOPIC, device, 4) == [b"1", b"2", b"3", b""]
    shown = [
        httpx.get(f"http://{bridge.address}/metrics").text,
        " ".join(psutil.Process(bridge.process.pid).cmdline()),
    ]
    bridge.process.stop()
    assert bridge.process.exit_code == 0
    assert "s3cret" not in " ".join([*shown, bridge.process.log.read_text()])


_WRONG: dict[str, tuple[Callable[[Field], tuple[Side, Side]], dict[str, str], tuple[str, ...]]] = {
    "mqtt-password": (
        lambda it: (it.mqtt["password"].but(HIKUBE_KAFKA_MQTT_PASSWORD=_STRANGER), it.kafka["SCRAM"]),
        {},
        ("does not let the bridge in: Not authorized", f"Correct HIKUBE_KAFKA_MQTT_USERNAME, now {_USER}"),
    ),
    "mqtt-no-user": (
        lambda it: (
            it.mqtt["password"].but(HIKUBE_KAFKA_MQTT_PASSWORD=None, HIKUBE_KAFKA_MQTT_USERNAME=None),
            it.kafka["SCRAM"],
        ),
        {},
        ("does not let the bridge in: Not authorized", "has given no user"),
    ),
    "mqtt-unknown-authority": (
        lambda it: (
            it.mqtt["password"].but(HIKUBE_KAFKA_MQTT_CA_FILE=it.secured.stranger.certificate),
            it.kafka["SCRAM"],
        ),
        {},
        (
            "is not accepted: self-signed certificate in certificate chain",
            "HIKUBE_KAFKA_MQTT_CA_FILE",
            "stranger.ca.pem",
        ),
    ),
    "mqtt-expired": (
        lambda it: (it.mqtt["expired"], it.kafka["SCRAM"]),
        {},
        ("is not accepted: certificate has expired", "Renew it"),
    ),
    "mqtt-other-address": (
        lambda it: (it.mqtt["elsewhere"], it.kafka["SCRAM"]),
        {},
        ("is not accepted: IP address mismatch", "127.0.0.1", "--mqtt"),
    ),
    "mqtt-other-name": (
        lambda it: (
            it.mqtt["password"].but(it.mqtt["password"].address.replace("127.0.0.1", "localhost")),
            it.kafka["SCRAM"],
        ),
        {},
        ("is not accepted: Hostname mismatch", "localhost", "--mqtt"),
    ),
    "mqtt-no-certificate": (
        lambda it: (
            it.mqtt["certificate"].but(
                HIKUBE_KAFKA_MQTT_CERTIFICATE_FILE=None,
                HIKUBE_KAFKA_MQTT_KEY_FILE=None,
                HIKUBE_KAFKA_MQTT_KEY_PASSWORD=None,
            ),
            it.kafka["SCRAM"],
        ),
        {},
        ("does not accept a client without a certificate", "Set HIKUBE_KAFKA_MQTT_CERTIFICATE_FILE"),
    ),
    "mqtt-stranger-s-certificate": (
        lambda it: (
            it.mqtt["certificate"].but(
                **dict(
                    zip(
                        ("HIKUBE_KAFKA_MQTT_CERTIFICATE_FILE", "HIKUBE_KAFKA_MQTT_KEY_FILE"),
                        it.secured.stranger.issue("intruder"),
                        strict=True,
                    )
                )
            ),
            it.kafka["SCRAM"],
        ),
        {},
        ("does not accept the certificate", "intruder.pem", "an authority that it trusts"),
    ),
    "mqtt-key-password": (
        lambda it: (it.mqtt["certificate"].but(HIKUBE_KAFKA_MQTT_KEY_PASSWORD=_STRANGER), it.kafka["SCRAM"]),
        {},
        ("cannot be used with the key", "HIKUBE_KAFKA_MQTT_KEY_PASSWORD"),
    ),
    "kafka-password": (
        lambda it: (it.mqtt["plain"], it.kafka["SCRAM"].but(HIKUBE_KAFKA_PASSWORD=_STRANGER)),
        {},
        ("do not let this client in", "SCRAM-SHA-512", "HIKUBE_KAFKA_PASSWORD"),
    ),
    "kafka-unknown-authority": (
        lambda it: (
            it.mqtt["plain"],
            it.kafka["SCRAM"].but(HIKUBE_KAFKA_CA_FILE=it.secured.stranger.certificate),
        ),
        {},
        ("do not let this client in", "certificate", "HIKUBE_KAFKA_CA_FILE"),
    ),
    "kafka-other-name": (
        lambda it: (
            it.mqtt["plain"],
            it.kafka["SCRAM"].but(it.kafka["SCRAM"].address.replace("127.0.0.1", "localhost")),
        ),
        {},
        ("do not let this client in", "for the names in --bootstrap-servers"),
    ),
    "kafka-no-certificate": (
        lambda it: (
            it.mqtt["plain"],
            it.kafka["TLS"].but(HIKUBE_KAFKA_CERTIFICATE_FILE=None, HIKUBE_KAFKA_KEY_FILE=None),
        ),
        {},
        ("do not let this client in", "HIKUBE_KAFKA_CERTIFICATE_FILE", "none is given"),
    ),
    "kafka-not-writable": (
        lambda it: (it.mqtt["plain"], it.kafka["bob"]),
        {"topic": _CLOSED},
        (f"does not let User:{_BOB} write to the topic {_CLOSED}", "allow Write"),
    ),
    "kafka-not-visible": (
        lambda it: (it.mqtt["plain"], it.kafka["bob"]),
        {"topic": "hidden"},
        ("does not have the topic hidden, or does not show it", "allow Describe and Write"),
    ),
}


@pytest.fixture(scope="module")
def turned_away(between: Field) -> Mapping[str, Bridge]:
    """Every bridge that is told something wrong; they end all by themselves, all at once."""
    bridges = {}
    for name, (sides, more, _) in _WRONG.items():
        mqtt, kafka = sides(between)
        bridges[name] = between.bridge(name, mqtt, kafka, topic=more.get("topic", _TOPIC))
        bridges[name].process.start()
    return bridges


@pytest.mark.parametrize("wrong", _WRONG)
def test_what_can_only_be_mended_by_somebody_is_one_error_and_nothing_begins(
    turned_away: Mapping[str, Bridge], wrong: str
) -> None:
    bridge = turned_away[wrong]
    until(lambda: not bridge.process.is_running, 60, "the bridge to end")
    log = bridge.process.log.read_text()
    assert bridge.process.exit_code == 2, log
    told = [line for line in log.splitlines() if line.startswith("hikube-kafka: ")]
    assert len(told) == 1, log
    for said in _WRONG[wrong][2]:
        assert said in told[0]
    assert "Traceback" not in log
    assert "s3cret" not in log


@pytest.mark.parametrize(
    ("listener", "asked", "hint"),
    [("plain", "mqtts", "begins with mqtt://"), ("password", "mqtt", "begins with mqtts://")],
)
def test_a_port_that_has_tls_or_has_none_is_hinted_at_while_the_bridge_goes_on_trying(
    between: Field, listener: str, asked: str, hint: str
) -> None:
    _, _, address = between.mqtt[listener].address.partition("://")
    bridge = between.bridge(
        f"other-{asked}", Side(address=f"{asked}://{address}", environment={}), between.kafka["SCRAM"]
    )
    bridge.process.start()
    until(lambda: hint in bridge.process.log.read_text(), 30, "the hint")
    assert bridge.process.is_running


def test_a_password_that_kafka_takes_no_longer_ends_the_bridge(between: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_WATCH_SECONDS", 0.1)
    monkeypatch.setattr(pipeline, "_ANSWER_SECONDS", 1.0)
    changed = between.kafka["SCRAM"].but(HIKUBE_KAFKA_PASSWORD=_STRANGER)
    credentials = Credentials.from_environment("SASL_SSL", "SCRAM-SHA-512", changed.environment)
    reasons: Queue[str] = Queue()
    living = pipeline.Pipeline(
        changed.address, credentials, limits={_TOPIC: 1000}, client_id="bridge", memory=1000, fail=reasons.put
    )
    try:
        assert "Correct HIKUBE_KAFKA_USERNAME, now alice, or HIKUBE_KAFKA_PASSWORD" in reasons.get(timeout=30)
        assert not living.connected
    finally:
        living.end()


def test_a_drain_ends_when_kafka_refuses_what_is_in_flight_and_the_next_bridge_carries_it(between: Field) -> None:
    # One of its replicas is on a broker that there is not: records wait for it, and are not refused.
    topic = NewTopic("revoked", 1, replica_assignment=[[0, 7]], config={"min.insync.replicas": "2"})
    between.admin.create_topics([topic])["revoked"].result(30)
    between.may(AclOperation.WRITE, "revoked")
    given = (between.mqtt["plain"], between.kafka["bob"], "--drain", "3600")
    bridge = between.bridge("draining", *given, topic="revoked", port=free_port())
    bridge.start()
    between.publish("devices/late/telemetry", "1", "2")
    until(lambda: bridge.metrics()["in_flight"] == 2, 30, "2 messages in flight")
    os.kill(bridge.process.pid, signal.SIGTERM)
    until(lambda: '"draining"' in bridge.process.log.read_text(), 30, "the drain")
    assert bridge.process.is_running
    between.may_no_longer(AclOperation.WRITE, "revoked")
    until(lambda: not bridge.process.is_running, 60, "the drain to end")
    assert bridge.process.exit_code == 1
    assert "Kafka refuses a record of topic revoked" in bridge.process.log_end()
    assert "Allow User:bob Write on it" in bridge.process.log_end()

    between.may(AclOperation.WRITE, "revoked")
    between.min_in_sync("revoked", 1)
    bridge.start()
    assert between.values("revoked", "late", 2) == [b"1", b"2"]
