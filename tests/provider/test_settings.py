"""What a provider block may say."""

from typing import Any

import pytest

from hikube_kafka.kafka.security import Credentials
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.settings import SCHEMA, Settings, faults

PEM = "-----BEGIN CERTIFICATE-----\n"
KUBERNETES = {"kubeconfig": None, "context": None, "namespace": "kafka", "release": "demo"}


def block(**values: Any) -> dict[str, Any]:
    return {**dict.fromkeys((*SCHEMA.attributes, *SCHEMA.blocks)), **values}


SASL = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "username": "alice",
    "password": "alice-secret",
}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"bootstrap_servers": "a.example:9092, [::1]:9093", "zookeeper_servers": "z1:2181,z2:2181/kafka/one"},
        {"bootstrap_servers": UNKNOWN, "security_protocol": UNKNOWN, "password": UNKNOWN},
        {**SASL, "ca_certificate": PEM, "client_certificate": PEM, "client_key": PEM},
        {"kubernetes": KUBERNETES},
    ],
)
def test_a_sound_block_is_taken(values: dict[str, Any]) -> None:
    assert list(faults(block(**values))) == []


@pytest.mark.parametrize(
    ("values", "path", "said"),
    [
        ({"bootstrap_servers": "a:9092,b"}, "bootstrap_servers", "'b' is not host:port"),
        ({"bootstrap_servers": "a:9092/kafka"}, "bootstrap_servers", "is not host:port"),
        ({"bootstrap_servers": "a:70000"}, "bootstrap_servers", "is not host:port"),
        ({"zookeeper_servers": "z"}, "zookeeper_servers", "is not host:port"),
        ({"security_protocol": "TLS"}, "security_protocol", "security_protocol cannot be 'TLS'"),
        ({**SASL, "sasl_mechanism": "GSSAPI"}, "sasl_mechanism", "sasl_mechanism cannot be 'GSSAPI'"),
        ({**SASL, "username": None}, "username", "is missing"),
        ({**SASL, "password": None}, "password", "is missing"),
        ({**SASL, "sasl_mechanism": None}, "sasl_mechanism", "is missing"),
        ({"password": "alice-secret"}, "password", "no effect"),
        ({"security_protocol": "SSL", "username": "alice"}, "username", "no effect"),
        ({"ca_certificate": PEM}, "ca_certificate", "no effect"),
        ({"security_protocol": "SSL", "client_certificate": PEM}, "client_key", "needs client_key"),
        ({"security_protocol": "SSL", "client_key": PEM}, "client_certificate", "needs client_certificate"),
        ({"security_protocol": "SSL", "ca_certificate": "/etc/ca.pem"}, "ca_certificate", "is not PEM"),
        ({"kubernetes": KUBERNETES, "bootstrap_servers": "a:1"}, "bootstrap_servers", "exclude each other"),
        ({"kubernetes": {**KUBERNETES, "forward_port": 70000}}, "kubernetes", "forward_port is not a port"),
    ],
)
def test_what_cannot_be_is_told_where_it_stands(values: dict[str, Any], path: str, said: str) -> None:
    found = list(faults(block(**values)))
    assert [(fault.path[0], fault.severity) for fault in found] == [(path, "error")]
    assert said in found[0].summary
    assert "alice-secret" not in found[0].summary + found[0].detail


def test_no_representation_of_the_settings_shows_a_secret() -> None:
    settings = Settings.of(block(**SASL, ca_certificate=PEM, client_certificate=PEM, client_key="key-secret"))
    assert settings.security.password == "alice-secret"
    assert "secret" not in repr(settings)


def test_secrets_are_marked_for_terraform() -> None:
    assert {name for name, attribute in SCHEMA.attributes.items() if attribute.sensitive} == {"password", "client_key"}


def test_unknown_settings_are_named() -> None:
    assert Settings.of(block(bootstrap_servers=UNKNOWN)).unknown == ("bootstrap_servers",)
    assert Settings.of(block(kubernetes=UNKNOWN)).unknown == ("kubernetes",)
    inside = Settings.of(block(kubernetes={**KUBERNETES, "release": UNKNOWN}))
    assert (inside.unknown, inside.kubernetes) == (("kubernetes.release",), None)


def test_security_becomes_the_credentials_of_a_client() -> None:
    assert Settings.of(block(**SASL, ca_certificate=PEM)).security == Credentials(
        protocol="SASL_SSL",
        mechanism="SCRAM-SHA-512",
        username="alice",
        password="alice-secret",
        authorities=PEM,
    )
