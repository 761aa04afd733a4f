"""A connection to Kafka through librdkafka: silent, bounded in time, and able to say why it does not come about.

confluent-kafka is loaded when a connection is made: a plan without a cluster saves its 40 ms.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from hikube_kafka.kafka.address import dial, join, one_line, reason
from hikube_kafka.kafka.errors import Denied, Unanswered, Unreachable, explain
from hikube_kafka.kafka.security import PLAINTEXT, Credentials

if TYPE_CHECKING:
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import ClusterMetadata, ConfigEntry, ConfigResource  # public, not re-exported explicitly

_LIBRDKAFKA = logging.getLogger(f"{__name__}.librdkafka")
"""librdkafka would write to stderr of whoever uses us; what it has to say that matters comes as its complaints."""
_LIBRDKAFKA.addHandler(logging.NullHandler())
_LIBRDKAFKA.propagate = False

_DIAL_SECONDS = 3.0
"""For one address to take a connection: a cluster that is not there costs this much."""


def client_settings(
    addresses: str, credentials: Credentials = PLAINTEXT, complain: Callable[["KafkaError"], None] = lambda _error: None
) -> dict[str, Any]:
    """Give the settings of any librdkafka client that prints nothing. They may hold a password: do not log them.

    Args:
        addresses: ``host:port`` of brokers, separated by commas.
        credentials: Who the client is.
        complain: Told what librdkafka has to say by itself, such as why it cannot connect.
    """
    return {
        **credentials.librdkafka(),
        "bootstrap.servers": addresses,
        "error_cb": complain,
        "logger": _LIBRDKAFKA,
        "log_level": 0,
    }


class Connection:
    """An admin client, and what librdkafka says by itself beside its answers.

    Args:
        addresses: ``host:port`` of brokers, separated by commas.
        credentials: Who the client is.
        settings: Further settings of librdkafka.

    Raises:
        Denied: The credentials cannot be used.
    """

    def __init__(
        self, addresses: str, credentials: Credentials = PLAINTEXT, settings: Mapping[str, Any] | None = None
    ) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        self.addresses = addresses
        self.principal = credentials.principal
        self.complaints: list[KafkaError] = []
        entries = client_settings(addresses, credentials, self.complaints.append) | dict(settings or {})
        try:
            self.client: AdminClient = AdminClient(entries)
        except KafkaException as error:
            raise Denied(addresses, f"the client cannot be set up: {error.args[0].str()}") from None

    def metadata(self, timeout: float) -> "ClusterMetadata":
        """Read the metadata: brokers, topics, partitions.

        Args:
            timeout: Seconds to wait for the answer.

        Raises:
            Unreachable: Nobody answers.
            Denied: The client is not let in.
        """
        from confluent_kafka import KafkaException

        try:
            return self.client.list_topics(timeout=timeout)
        except KafkaException as error:
            raise self.explained(error) from None

    def describe_configs(
        self, resources: "Sequence[ConfigResource]", timeout: float
    ) -> "dict[str, dict[str, ConfigEntry] | Exception]":
        """Describe topics, or one broker, and give the entries, or why there are none, by the resource's name."""
        from confluent_kafka import KafkaException

        answers: dict[str, dict[str, ConfigEntry] | Exception] = {}
        for resource, future in self.client.describe_configs(list(resources), request_timeout=timeout).items():
            try:
                answers[resource.name] = future.result(timeout=timeout + 1)
            except (KafkaException, TimeoutError) as error:
                answers[resource.name] = error
        return answers

    def explained(self, error: BaseException) -> Unreachable | Denied:
        """Say what stands in the way: librdkafka tells that it is not let in beside its answers, not in them."""
        from confluent_kafka import KafkaError, KafkaException

        self.client.poll(0)  # brings what librdkafka has to say into the list
        for complaint in self.complaints:
            # Over TLS 1.3 a broker refuses a client's certificate after the handshake, as a broken connection.
            refused = complaint.code() in {KafkaError._AUTHENTICATION, KafkaError._SSL}  # noqa: SLF001 - their public names
            if refused or "SSL alert number" in complaint.str():
                return Denied(self.addresses, one_line(complaint.str()))
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError._PARTIAL:  # noqa: SLF001 - as above
            return Unanswered(self.addresses, "who is in the cluster", explain(error))
        return Unreachable(self.addresses, explain(error, [one_line(complaint.str()) for complaint in self.complaints]))


def dial_any(addresses: str, timeout: float = _DIAL_SECONDS) -> None:
    """See whether anybody listens: a refused connection is known at once, where a client would go on trying.

    Args:
        addresses: ``host:port`` of brokers, separated by commas.
        timeout: Seconds to wait for a connection.

    Raises:
        Unreachable: Nobody does; of several addresses each is told with its reason.
    """
    split = [address.strip() for address in addresses.split(",")]
    reasons: dict[str, str] = {}

    def listens(address: str) -> bool:
        try:
            dial(address, timeout).close()
        except (OSError, ValueError) as error:
            reasons[address] = reason(error)
            return False
        return True

    pool = ThreadPoolExecutor(len(split))
    try:
        if not any(pool.map(listens, split)):
            each = [f"{its}: {reasons[its]}" for its in split]
            raise Unreachable(addresses, "; ".join(each) if len(split) > 1 else reasons[addresses.strip()])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def answering_broker(metadata: "ClusterMetadata", timeout: float = _DIAL_SECONDS) -> int | None:
    """A broker that has just taken a connection; None: none of those that the metadata names does.

    The metadata goes on naming a broker that died until its session ends, and the controller, whom librdkafka would
    ask for configurations, may be the one.
    """
    if metadata.orig_broker_id in metadata.brokers:
        return int(metadata.orig_broker_id)
    for broker in metadata.brokers.values():
        try:
            dial(join(str(broker.host), broker.port), timeout).close()
        except OSError:
            continue
        return int(broker.id)
    return None
