"""What stands between a client and its brokers is told in one line, and told apart. Real brokers: tests/probe."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from hikube_kafka.kafka.connection import Connection, client_settings, dial_any
from hikube_kafka.kafka.errors import Denied, Unreachable
from hikube_kafka.kafka.security import Credentials

NOBODY = "127.0.0.1:9"
ALERT = "Receive failed: tlsv13 alert certificate required: SSL alert number 116 (after 0ms in state APIVERSION_QUERY)"


class Silent:
    """A client that has nothing to say by itself."""

    def poll(self, timeout: float) -> int:  # noqa: ARG002 - the real one's signature
        return 0


@pytest.fixture
def connection() -> Connection:
    connection = Connection(NOBODY)
    connection.client = Silent()  # type: ignore[assignment]
    return connection


@pytest.mark.parametrize(("said", "kind"), [(ALERT, Denied), ("Connect failed: Connection refused", Unreachable)])
def test_a_broker_that_refuses_a_certificate_is_not_one_that_is_away(
    connection: Connection, said: str, kind: type[Exception]
) -> None:
    connection.complaints.append(KafkaError(KafkaError._TRANSPORT, said))

    problem = connection.explained(KafkaException(KafkaError(KafkaError._TRANSPORT, "no metadata")))

    assert (type(problem), problem.reason) == (kind, said)


def test_without_a_complaint_the_exception_is_told(connection: Connection) -> None:
    problem = connection.explained(KafkaException(KafkaError(KafkaError._TIMED_OUT, "no\n metadata")))

    assert (type(problem), problem.reason) == (Unreachable, "no metadata")


def test_credentials_that_cannot_be_used_are_no_outage() -> None:
    with pytest.raises(Denied, match="the client cannot be set up: "):
        Connection(NOBODY, Credentials(protocol="SSL", authorities="-----BEGIN nonsense"))


def test_where_nobody_listens_each_of_several_addresses_is_told_with_its_reason() -> None:
    with pytest.raises(Unreachable) as several:
        dial_any(f"{NOBODY}, nowhere")
    with pytest.raises(Unreachable) as one:
        dial_any(NOBODY)

    assert several.value.reason == "127.0.0.1:9: connection refused; nowhere: 'nowhere' is not host:port"
    assert one.value.reason == "connection refused"


def test_settings_of_the_caller_are_added_to_those_of_the_credentials() -> None:
    settings = client_settings("b:1", Credentials(protocol="SASL_PLAINTEXT", username="smoke"))

    assert (settings["bootstrap.servers"], settings["sasl.username"], settings["log_level"]) == ("b:1", "smoke", 0)
