"""Where the MQTT broker is, and who the bridge is to it."""

from pathlib import Path

import pytest

from hikube_kafka.bridge.session import MqttBroker, MqttError

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
    "url", ["", "broker", "broker:1883", "http://broker", "mqtt://", "mqtt://b/x", "mqtt://b?x=1", "mqtt://b:x"]
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
