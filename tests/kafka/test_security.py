import pytest

from hikube_kafka.kafka.security import Credentials, MissingCredentialError, client_settings

SECRETS = Credentials(username="smoke", password="s3cret", ca_file="ca.pem", key_password="k3y")


def test_no_repr_shows_a_password() -> None:
    settings = client_settings("SASL_SSL", "PLAIN", SECRETS)

    for text in (repr(SECRETS), str(SECRETS), repr(settings), f"{settings}"):
        assert "s3cret" not in text
        assert "k3y" not in text
    assert "sasl.password" in repr(settings)


def test_they_come_from_the_environment_where_empty_is_absent() -> None:
    credentials = Credentials.from_environment(
        {
            "HIKUBE_KAFKA_USERNAME": "smoke",
            "HIKUBE_KAFKA_PASSWORD": "s3cret",
            "HIKUBE_KAFKA_CA_FILE": "ca.pem",
            "HIKUBE_KAFKA_CERTIFICATE_FILE": "",
            "PASSWORD": "another",
        }
    )

    assert credentials == Credentials(username="smoke", password="s3cret", ca_file="ca.pem")


def test_plaintext_needs_nothing() -> None:
    assert client_settings("PLAINTEXT", None, SECRETS).toward("b:1") == {
        "bootstrap.servers": "b:1",
        "security.protocol": "PLAINTEXT",
    }


def test_tls_takes_files_and_leaves_out_those_that_are_not_there() -> None:
    credentials = Credentials(ca_file="ca.pem", certificate_file="me.pem", key_file="me.key", key_password="k3y")

    assert client_settings("SSL", None, credentials).toward("b:1") == {
        "bootstrap.servers": "b:1",
        "security.protocol": "SSL",
        "ssl.ca.location": "ca.pem",
        "ssl.certificate.location": "me.pem",
        "ssl.key.location": "me.key",
        "ssl.key.password": "k3y",
    }
    assert client_settings("SSL", None, Credentials()).toward("b:1") == {
        "bootstrap.servers": "b:1",
        "security.protocol": "SSL",
    }


def test_sasl_over_tls_takes_both() -> None:
    assert client_settings("SASL_SSL", "SCRAM-SHA-512", SECRETS).toward("b:1") == {
        "bootstrap.servers": "b:1",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "smoke",
        "sasl.password": "s3cret",
        "ssl.ca.location": "ca.pem",
        "ssl.key.password": "k3y",
    }


def test_sasl_without_credentials_names_the_variables_that_carry_them() -> None:
    with pytest.raises(MissingCredentialError) as refusal:
        client_settings("SASL_PLAINTEXT", "PLAIN", Credentials(username="smoke"))

    assert refusal.value.variables == ("HIKUBE_KAFKA_PASSWORD",)
    assert refusal.value.needed_by == "SASL_PLAINTEXT"
    assert "set HIKUBE_KAFKA_PASSWORD" in str(refusal.value)
