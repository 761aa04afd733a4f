"""Where the MQTT broker is, and who the bridge is to it."""

import gc
import socket
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from hikube_kafka.bridge.session import MqttBroker, MqttError, Session, SessionTerms

_IT = "HIKUBE_KAFKA_MQTT_"


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://broker", "broker", 1883, "no TLS"),
        ("mqtts://broker", "broker", 8883, "TLS"),
        ("mqtt://broker:11883/", "broker", 11883, "no TLS"),
        ("mqtt://[::1]:1", "::1", 1, "no TLS"),
    ],
)
def test_an_address_is_host_port_and_whether_there_is_tls(url: str, host: str, port: int, tls: str) -> None:
    broker = MqttBroker.parse(url, {})
    assert (broker.host, broker.port, "TLS" if broker.tls else "no TLS") == (host, port, tls)


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"mqtt://{'x' * 64}.example.net",
        "broker",
        "broker:1883",
        "http://broker",
        "mqtt://",
        "mqtt://b/x",
        "mqtt://b?x=1",
        "mqtt://b:x",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(MqttError):
        MqttBroker.parse(url, {})


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(MqttError) as refused:
        MqttBroker.parse("mqtt://user:geheim@broker", {})
    assert "process list" in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_secrets_come_from_the_environment_or_a_file_and_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("geheim\n")
    for given in ({f"{_IT}PASSWORD": "geheim"}, {f"{_IT}PASSWORD_FILE": str(file)}):
        broker = MqttBroker.parse("mqtt://broker", {f"{_IT}USERNAME": "bridge", **given})
        assert (broker.username, broker.password) == ("bridge", "geheim")
        assert "geheim" not in repr(broker)


@pytest.mark.parametrize(
    ("url", "variables", "said"),
    [
        ("mqtt://b", {"PASSWORD": "geheim"}, "HIKUBE_KAFKA_MQTT_USERNAME"),
        ("mqtts://b", {"CERTIFICATE_FILE": "x.pem"}, "go together"),
        ("mqtt://b", {"CA_FILE": "x.pem"}, "write mqtts://"),
        ("mqtt://b", {"USERNAME": "u", "PASSWORD_FILE": "/nowhere"}, "no such file"),
    ],
)
def test_credentials_that_do_not_fit_are_refused(url: str, variables: dict[str, str], said: str) -> None:
    with pytest.raises(MqttError, match=said):
        MqttBroker.parse(url, {f"{_IT}{name}": value for name, value in variables.items()})


def test_a_certificate_that_cannot_be_read_is_told() -> None:
    broker = MqttBroker.parse("mqtts://b", {f"{_IT}CA_FILE": "/nowhere.pem"})
    with pytest.raises(MqttError, match=r"HIKUBE_KAFKA_MQTT_CA_FILE, /nowhere\.pem: no such file"):
        broker.context()


def test_an_empty_variable_counts_as_absent() -> None:
    assert MqttBroker.parse("mqtt://b", {f"{_IT}PASSWORD": "", f"{_IT}CA_FILE": ""}).password is None


@pytest.fixture
def told() -> Callable[..., str]:
    """What a session fails with at an MQTT broker that says this, byte for byte."""

    def fails_with(said: bytes, scheme: str = "mqtt") -> str:
        reasons: Queue[str] = Queue()
        with socket.create_server(("127.0.0.1", 0)) as server:
            session = Session(
                MqttBroker.parse(f"{scheme}://127.0.0.1:{server.getsockname()[1]}", {}),
                SessionTerms(
                    client_id="bridge", filters=["devices/+"], receive_maximum=10, expiry_seconds=60, retained=True
                ),
                take=lambda *_: None,
                lost=lambda: None,
                begun=lambda _: None,
                fail=reasons.put,
            )

            def answer() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(said)
                    connection.recv(1000)

            Thread(target=answer, daemon=True).start()
            session.start()
            try:
                return reasons.get(timeout=20)
            finally:
                session.end()

    return fails_with


def test_an_answer_that_makes_no_sense_ends_the_bridge_and_not_its_thread_alone(told: Callable[[bytes], str]) -> None:
    two_answers_to_one_filter = b"\x90\x05\x00\x01\x00\x01\x01"
    assert "has ended with ValueError" in told(b"\x20\x03\x00\x00\x00" + two_answers_to_one_filter)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # paho leaves such a connection to the collector
def test_a_certificate_that_is_refused_is_told_and_nobody_is_sent_after_the_scheme(
    told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[dict[str, object]] = []
    monkeypatch.setattr("hikube_kafka.bridge.session.tell", lambda event, **facts: events.append({event: facts}))
    alert_unknown_ca = b"\x15\x03\x03\x00\x02\x02\x30"
    assert "does not accept a client without a certificate: unknown ca" in told(alert_unknown_ca, "mqtts")
    gc.collect()  # here, where its warning is ignored
    assert "mqtt_unreachable" in events[0]
    assert "hint" not in str(events)


def test_an_mqtt_broker_of_another_version_is_told(told: Callable[[bytes], str]) -> None:
    assert "It has to speak MQTT 5" in told(b"\x20\x02\x00\x01")


@pytest.mark.parametrize(("granted", "said"), [(0x87, "refuses the subscription to devices/+"), (0, "grants QoS 0")])
def test_a_subscription_that_is_not_granted_as_asked_is_told(
    told: Callable[[bytes], str], granted: int, said: str
) -> None:
    assert said in told(b"\x20\x03\x00\x00\x00" + bytes([0x90, 4, 0, 1, 0, granted]))
