"""What a provider block may say."""

from typing import Any

import pytest

from hikube_kafka.kafka.security import Credentials
from hikube_kafka.plugin.values import UNKNOWN
from hikube_kafka.provider.session import Session
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
        {"connect_url": "http://127.0.0.1:8083, https://[::1]:8443/connect/,http://worker"},
        {"connect_url": UNKNOWN},
        {"local_connect": "events-connect-changes"},
        {"connect_url": "http://worker:8083", "kubernetes": KUBERNETES},
        {"kubernetes": {**KUBERNETES, "connect_release": "demo-connect", "connect_port": 8443}},
        {"kubernetes": {**KUBERNETES, "connect_release": UNKNOWN, "connect_port": UNKNOWN}},
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
        ({"connect_url": "worker:8083"}, "connect_url", "'worker:8083' is not a URL of a worker"),
        ({"connect_url": "http://worker:0"}, "connect_url", "is not a URL of a worker"),
        ({"connect_url": "http://worker:70000"}, "connect_url", "is not a URL of a worker"),
        ({"connect_url": "http://a:8083,"}, "connect_url", "'' is not a URL of a worker"),
        ({"connect_url": "ftp://worker"}, "connect_url", "is not a URL of a worker"),
        ({"connect_url": "http://worker?x=1"}, "connect_url", "is not a URL of a worker"),
        ({"connect_url": "http://me:alice-secret@worker:8083"}, "connect_url", "holds a user and a password"),
        (
            {"connect_url": "http://worker", "kubernetes": {**KUBERNETES, "connect_release": "demo-connect"}},
            "connect_url",
            "exclude each other",
        ),
        ({"kubernetes": {**KUBERNETES, "connect_port": 8083}}, "kubernetes", "connect_port would have no effect"),
        (
            {"kubernetes": {**KUBERNETES, "connect_release": "demo-connect", "connect_port": 0}},
            "kubernetes",
            "connect_port is not a port",
        ),
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


def test_what_only_connect_needs_keeps_nobody_from_asking_kafka() -> None:
    told = Settings.of(block(bootstrap_servers="a:1", connect_url=UNKNOWN))
    assert (told.unknown, told.connect_unknown, told.connect_urls) == ((), ("connect_url",), ())
    inside = Settings.of(block(kubernetes={**KUBERNETES, "connect_release": UNKNOWN, "connect_port": 1}))
    assert (inside.unknown, inside.connect_unknown) == ((), ("kubernetes.connect_release",))
    assert inside.kubernetes is not None
    assert inside.kubernetes.connect_release is None
    without = Settings.of(block(bootstrap_servers=UNKNOWN, connect_url="http://a:1"))
    assert (without.unknown, without.connect_unknown) == (("bootstrap_servers",), ())
    beside = Settings.of(block(connect_url="http://a:1", kubernetes={**KUBERNETES, "namespace": UNKNOWN}))
    assert (beside.unknown, beside.connect_unknown) == (("kubernetes.namespace",), ())


def test_workers_behind_a_port_forward_wait_for_every_setting() -> None:
    """As Kafka does there: a password that the same plan makes is no reason to refuse the plan."""
    session = Session()
    session.configure(
        Settings.of(block(**{**SASL, "password": UNKNOWN}, kubernetes={**KUBERNETES, "connect_release": "c"}))
    )
    assert session.workers() is None


def test_urls_of_workers_are_taken_one_by_one() -> None:
    assert Settings.of(block(connect_url="http://a:1/, http://b:2/connect/")).connect_urls == (
        "http://a:1",
        "http://b:2/connect",
    )


def test_security_becomes_the_credentials_of_a_client() -> None:
    assert Settings.of(block(**SASL, ca_certificate=PEM)).security == Credentials(
        protocol="SASL_SSL",
        mechanism="SCRAM-SHA-512",
        username="alice",
        password="alice-secret",
        authorities=PEM,
    )
