"""Which keys of connectors hold secrets: names as published connectors have them.

Not each was looked up in its documentation, and releases differ: what counts is the form of the names.
"""

import pytest

from hikube_kafka.connect.client import _redacted
from hikube_kafka.spec.secret_keys import has_password, is_secret_key

SECRETS = {
    "Debezium": "database.password database.sslpassword database.ssl.keystore.password mongodb.password "
    "schema.history.internal.producer.sasl.jaas.config schema.history.internal.consumer.ssl.key.password",
    "Confluent JDBC and Elasticsearch": "connection.password elastic.https.ssl.keystore.password proxy.password "
    "elastic.https.ssl.key.password elastic.https.ssl.truststore.password",
    "Confluent S3": "aws.secret.access.key s3.proxy.password s3.sse.customer.key",
    "Confluent HTTP": "connection.password oauth2.client.secret http.proxy.password auth.token",
    "ClickHouse": "password ssl.truststore.password",
    "MirrorMaker 2": "source.cluster.sasl.jaas.config target.cluster.ssl.keystore.password "
    "source.cluster.ssl.keystore.key",
    "Aiven": "http.headers.authorization oauth2.client.secret gcs.credentials.json azure.storage.connection.string",
    "Snowflake": "snowflake.private.key snowflake.private.key.passphrase snowflake.oauth.client.secret "
    "snowflake.oauth.refresh.token",
    "MongoDB": "connection.ssl.truststorePassword connection.ssl.keystorePassword",
    "IBM MQ": "mq.password mq.ssl.keystore.password mq.ssl.truststore.password",
    "Splunk": "splunk.hec.token splunk.hec.ssl.trust.store.password",
    "Azure": "azblob.account.key azure.eventhubs.sas.token",
    "Camel": "camel.kamelet.aws-s3-sink.secretKey camel.kamelet.http-secured-sink.authPassword apiKey "
    "camel.kamelet.azure-storage-blob-sink.accessKey camel.kamelet.azure-eventhubs-source.blobAccessKey",
    "schema registries": "value.converter.basic.auth.user.info value.converter.schema.registry.basic.auth.user.info "
    "value.converter.bearer.auth.token",
    "Kafka": "producer.override.sasl.jaas.config sasl.jaas.config ssl.key.password consumer.ssl.keystore.key",
}
HARMLESS = {
    "Connect": "key.converter value.converter.schemas.enable topics transforms.mask.type tasks.max group.id "
    "config.providers.file.class producer.override.key.serializer ssl.keystore.location ssl.keystore.type "
    "ssl.keystore.certificate.chain sasl.oauthbearer.token.endpoint.url sasl.mechanism sasl.login.class "
    "producer.override.transactional.id",
    "Debezium": "message.key.columns database.user database.sslkey signal.data.collection mongodb.connection.string "
    "mongodb.connection.string.shard.params tombstones.on.delete snapshot.mode slot.name",
    "Confluent": "connection.user connection.username pk.fields elastic.security.protocol aws.access.key.id "
    "oauth2.token.url oauth2.client.id oauth2.token.property s3.credentials.provider.class auth.type",
    "Aiven": "oauth2.access.token.url oauth2.client.authorization.mode oauth2.response.token.property "
    "http.authorization.type gcs.credentials.path",
    "Snowflake": "snowflake.user.name snowflake.oauth.client.id snowflake.oauth.token.endpoint",
    "IBM MQ": "mq.user.name mq.ssl.cipher.suite mq.connection.mode mq.record.builder.key.header",
    "Camel": "camel.kamelet.aws-s3-sink.accessKey camel.kamelet.azure-storage-blob-sink.credentialType",
    "MongoDB": "collection document.id.strategy publish.full.document.only key.projection.list",
    "files that hold one": "database.password.file password.file private.key.path credentials.file token.file",
    "MirrorMaker 2": "source.cluster.security.protocol replication.policy.class sync.topic.acls.enabled",
}


@pytest.mark.parametrize("whose", SECRETS)
def test_a_secret_is_known_by_its_name(whose: str) -> None:
    assert [key for key in SECRETS[whose].split() if not is_secret_key(key)] == []


@pytest.mark.parametrize("whose", HARMLESS)
def test_no_harmless_key_is_taken_for_a_secret(whose: str) -> None:
    assert [key for key in HARMLESS[whose].split() if is_secret_key(key)] == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("jdbc:postgresql://me:hunter2@db:5432/shop", True),
        ("mongodb://:hunter2@db", True),
        ("jdbc:postgresql://db:5432/shop?user=me&password=hunter2", True),
        ("jdbc:sqlserver://db:1433;user=me@db;password=hunter2", True),
        ("jdbc:oracle:thin:me/hunter2@//db:1521/shop", True),
        ("https://me:1234@db/shop", True),
        ("jdbc:sqlserver://db:1433;databaseName=shop;user=me@db", False),
        ("jdbc:oracle:thin:@//db:1521/shop", False),
        ("amqp://db:5672?reply=me@shop", False),
        ("mongodb://me@db-0:27017,db-1:27017/?appName=a@b", False),
        ("me:hunter2", False),
    ],
)
def test_a_password_in_a_url_is_seen(url: str, expected: bool) -> None:  # noqa: FBT001
    assert has_password(url) is expected


def test_sentences_of_workers_hide_what_a_declaration_may_not_hold() -> None:
    config = {
        "url": "db://me:hunter4@db/shop",
        "api.key": "hunter2",
        "value.converter.basic.auth.user.info": "me:hunter3",
        "oauth2.token.url": "the-url",
    }
    told = _redacted("Could not log in as me:hunter3 with hunter2 at the-url, or db://me:hunter4@db/shop", config)
    assert told == "Could not log in as [hidden] with [hidden] at the-url, or [hidden]"
