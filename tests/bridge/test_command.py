"""What the command refuses before it begins."""

import sys

import pytest
from typer.testing import CliRunner

from hikube_kafka.cli import app

_NEEDED = {
    "--mqtt": "mqtt://127.0.0.1:1",
    "--bootstrap-servers": "127.0.0.1:1",
    "--route": "devices/+/telemetry=telemetry",
    "--dead-letters": "dead",
    "--client-id": "bridge",
    "--listen": "127.0.0.1:0",
}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"--route": "devices"}, "is not FILTER=TOPIC"),
        ({"--dead-letters": "a b"}, "is not the name of a Kafka topic"),
        ({"--client-id": " "}, "--client-id is empty"),
        ({"--share": "a/b"}, "is not the name of a group"),
        ({"--share": "group", "--shard": "1/2"}, "exclude each other"),
        ({"--shard": "3/2"}, "of 2 bridges"),
        ({"--mqtt": "mqtt://user:geheim@broker"}, "process list"),
        ({"--session-expiry": "a week"}, "is not"),
        ({"--session-expiry": "0s"}, "MQTT allows"),
        ({"--in-flight-bytes": "0"}, "nothing could be carried"),
        ({"--in-flight": "0"}, "--in-flight"),
        ({"--in-flight": "70000"}, "--in-flight"),
        ({"--listen": "nowhere"}, "is not host:port"),
        ({"--listen": "127.0.0.1:99999"}, "--listen"),
        ({"--protocol": "SASL_SSL"}, "HIKUBE_KAFKA_USERNAME"),
    ],
)
def test_a_mistaken_option_is_told_and_nothing_begins(options: dict[str, str], said: str) -> None:
    words = [word for pair in {**_NEEDED, **options}.items() for word in pair]
    ended = CliRunner(env={"COLUMNS": "300", "HIKUBE_KAFKA_USERNAME": ""}).invoke(app, ["bridge", "mqtt", *words])
    assert ended.exit_code == 2
    assert said in ended.output
    assert "geheim" not in ended.output


def test_without_paho_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith("paho")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    ended = CliRunner().invoke(app, ["bridge", "mqtt", *(word for pair in _NEEDED.items() for word in pair)])
    assert ended.exit_code == 2
    assert "pip install 'hikube-kafka[mqtt]'" in ended.output
