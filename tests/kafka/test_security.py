"""Who a client is, as each library wants to be told."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hikube_kafka.kafka.errors import MissingCredentialError
from hikube_kafka.kafka.security import PLAINTEXT, Credentials

FILES: dict[str, Any] = {
    "authorities": Path("ca.pem"),
    "certificate": Path("me.pem"),
    "key": Path("me.key"),
    "key_password": "k3y",
}
TEXTS: dict[str, Any] = {"authorities": "the authorities", "certificate": "me", "key": "my key"}
LOGIN: dict[str, Any] = {"mechanism": "SCRAM-SHA-512", "username": "smoke", "password": "s3cret"}


def test_no_repr_shows_a_secret() -> None:
    credentials = Credentials(protocol="SASL_SSL", **LOGIN, **{**TEXTS, "key_password": "k3y"})

    for secret in ("s3cret", "k3y", "my key"):
        assert secret not in repr(credentials)
        assert secret not in str(credentials)
    assert "smoke" in repr(credentials)


def test_they_come_from_the_environment_where_empty_is_absent() -> None:
    credentials = Credentials.from_environment(
        "SASL_SSL",
        "PLAIN",
        {
            "HIKUBE_KAFKA_USERNAME": "smoke",
            "HIKUBE_KAFKA_PASSWORD": "s3cret",
            "HIKUBE_KAFKA_CA_FILE": "ca.pem",
            "HIKUBE_KAFKA_CERTIFICATE_FILE": "",
            "PASSWORD": "another",
        },
    )

    assert credentials == Credentials(
        protocol="SASL_SSL", mechanism="PLAIN", username="smoke", password="s3cret", authorities=Path("ca.pem")
    )


def test_every_variable_has_its_place() -> None:
    names = ("USERNAME", "PASSWORD", "CA_FILE", "CERTIFICATE_FILE", "KEY_FILE", "KEY_PASSWORD")

    assert Credentials.from_environment("SSL", None, {f"HIKUBE_KAFKA_{name}": name for name in names}) == Credentials(
        protocol="SSL",
        username="USERNAME",
        password="PASSWORD",
        authorities=Path("CA_FILE"),
        certificate=Path("CERTIFICATE_FILE"),
        key=Path("KEY_FILE"),
        key_password="KEY_PASSWORD",
    )


def test_sasl_without_a_password_names_the_variable_that_carries_it() -> None:
    with pytest.raises(MissingCredentialError) as refusal:
        Credentials.from_environment("SASL_PLAINTEXT", "PLAIN", {"HIKUBE_KAFKA_USERNAME": "smoke"})

    assert refusal.value.variables == ("HIKUBE_KAFKA_PASSWORD",)
    assert refusal.value.needed_by == "SASL_PLAINTEXT"
    assert "set HIKUBE_KAFKA_PASSWORD" in str(refusal.value)


def test_what_the_protocol_does_not_use_is_left_out() -> None:
    everything: dict[str, Any] = LOGIN | FILES
    plain = Credentials(protocol="PLAINTEXT", **everything)

    assert plain.librdkafka() == plain.java() == {"security.protocol": "PLAINTEXT"}
    assert plain.kafka_python() == {"security_protocol": "PLAINTEXT"}
    assert PLAINTEXT.librdkafka() == {"security.protocol": "PLAINTEXT"}
    assert "sasl.username" not in Credentials(protocol="SSL", **everything).librdkafka()
    assert "ssl.ca.location" not in Credentials(protocol="SASL_PLAINTEXT", **everything).librdkafka()


def test_librdkafka_takes_files_as_files_and_text_as_text() -> None:
    assert Credentials(protocol="SSL", **FILES).librdkafka() == {
        "security.protocol": "SSL",
        "ssl.ca.location": "ca.pem",
        "ssl.certificate.location": "me.pem",
        "ssl.key.location": "me.key",
        "ssl.key.password": "k3y",
    }
    assert Credentials(protocol="SASL_SSL", **LOGIN, **TEXTS).librdkafka() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "smoke",
        "sasl.password": "s3cret",
        "ssl.ca.pem": "the authorities",
        "ssl.certificate.pem": "me",
        "ssl.key.pem": "my key",
    }


def pem_of_somebody(folder: Path) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key, which only a password opens."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(b"k3y")
    written = {
        "me.pem": certificate.public_bytes(serialization.Encoding.PEM),
        "me.key": key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked),
    }
    for file, content in written.items():
        (folder / file).write_bytes(content)
    return folder / "me.pem", folder / "me.key"


@pytest.mark.parametrize("kept_in", [str, Path])
def test_kafka_python_gets_a_context_that_trusts_and_proves(kept_in: type[Any], tmp_path: Path) -> None:
    certificate, key = pem_of_somebody(tmp_path)
    own = [part if kept_in is Path else part.read_text() for part in (certificate, key)]
    pem: dict[str, Any] = {"authorities": own[0], "certificate": own[0], "key": own[1], "key_password": "k3y"}
    told = Credentials(protocol="SASL_SSL", **LOGIN, **pem).kafka_python()

    context = told.pop("ssl_context")
    assert told == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "smoke",
        "sasl_plain_password": "s3cret",
    }
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs(binary_form=True)) == 1


def test_java_gets_texts_wherever_they_are_kept(tmp_path: Path) -> None:
    files: dict[str, Any] = {name: tmp_path / name for name in TEXTS}
    for name, text in TEXTS.items():
        files[name].write_text(text)
    entries = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="smoke" password="s3cret";',
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": "the authorities",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": "me",
        "ssl.keystore.key": "my key",
    }

    assert Credentials(protocol="SASL_SSL", **LOGIN, **TEXTS).java() == entries
    assert Credentials(protocol="SASL_SSL", **LOGIN, **files).java() == entries


def test_a_password_cannot_end_its_own_quotes_in_java() -> None:
    login = Credentials(protocol="SASL_PLAINTEXT", mechanism="PLAIN", username="smoke", password='a"b\\c').java()

    assert login["sasl.jaas.config"] == (
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="smoke" password="a\\"b\\\\c";'
    )
