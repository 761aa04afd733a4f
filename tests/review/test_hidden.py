"""What is a secret by its key or by its form, and what only speaks of one."""

import pytest

from hikube_kafka.review.hidden import Hidden, concealed, holds_secret, is_secret

SECRETS = """
    ssl.key.password sasl.jaas.config listener.name.client.plain.sasl.jaas.config ssl.keystore.key
    listener.name.client.ssl.keystore.password delegation.token.secret.key password.encoder.secret
    adminPassword DB_PASSWORD PGPASSWORD token accessToken AUTH_TOKEN clientSecret client_secret secret apiKey
    api-key privateKey AWS_SECRET_ACCESS_KEY ssh_private_key passphrase trustStorePassword repository_password
    credentials
"""
NONE = """
    imagePullSecrets membershipSecret existingSecret secretName secretKeyRef ssl.keystore.location
    ssl.keystore.type password.encoder.iterations delegation.token.expiry.time.ms
    sasl.oauthbearer.token.endpoint.url passwordFile password_wo_version repository_key_file
    unclean.leader.election.enable partitions key name labels keyspace monkey
"""
TEXTS = [
    'org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="p w";',
    "https://user:pass@host/path",
    "amqp://user:pa:ss@host",
    "-Djavax.net.ssl.keyStorePassword=abc",
    "a=1\nssl.key.password: hunter2\n",
    '{"password": "x"}',
    "DB_PASSWORD=abc",
    "password = hunter2",
    "--token abc",
    "Authorization: Bearer abcdefghijk",
    "-----BEGIN RSA PRIVATE KEY-----",
    "kind: Secret\ndata: {a: aHVudGVyMg==}",
]
PLAIN = [
    "CLIENT://<host>:9092,FORWARD://127.0.0.1:<forward-port>",
    "SASL_SSL://a:9092,X://b:9093",
    "zookeeper-0.zookeeper-headless:2181,zookeeper-1.zookeeper-headless:2181/a@b",
    "user@example.com",
    "password=${file:/etc/kafka/password:key}",
    "ssl.keystore.location=/etc/secret",
    "-XX:+ExitOnOutOfMemoryError",
    "https://example.com/x@sha256:abc",
    "a basic example",
]


@pytest.mark.parametrize("key", SECRETS.split())
def test_a_key_says_that_its_value_is_a_secret(key: str) -> None:
    assert is_secret(key)


@pytest.mark.parametrize("key", NONE.split())
def test_a_key_that_speaks_of_a_secret_is_readable(key: str) -> None:
    assert not is_secret(key)


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_in_a_text_is_found(text: str) -> None:
    assert holds_secret(text)


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_without_a_secret_is_readable(text: str) -> None:
    assert not holds_secret(text)


def test_what_is_below_a_secret_key_is_hidden_and_names_are_not() -> None:
    assert concealed({"credentials": {"name": "kafka", "user": "a", "on": True}, "imagePullSecrets": ["pull"]}) == {
        "credentials": {"name": "kafka", "user": Hidden("a"), "on": True},
        "imagePullSecrets": ["pull"],
    }
    assert concealed([{"name": "DB_PASSWORD", "value": "x"}, {"name": "HOST", "value": "x"}]) == [
        {"name": "DB_PASSWORD", "value": Hidden("x")},
        {"name": "HOST", "value": "x"},
    ]


def test_the_content_of_a_kubernetes_secret_is_hidden() -> None:
    assert concealed({"kind": "Secret", "data": {"a": "eA=="}, "type": "Opaque"}) == {
        "kind": "Secret",
        "data": {"a": Hidden("eA==")},
        "type": "Opaque",
    }
