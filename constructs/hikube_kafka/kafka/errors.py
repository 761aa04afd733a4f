"""What stands between a client and Kafka, and Kafka's own refusals; every error carries its facts as attributes."""

from collections.abc import Sequence
from typing import Self

from hikube_kafka.kafka.address import one_line, reason


class Unreachable(Exception):  # noqa: N818 - a state of the world, not a fault of the program
    """No broker answers.

    Attributes:
        addresses: The brokers asked.
        reason: Why, as far as it is known.
    """

    def __init__(self, addresses: str, reason: str) -> None:
        self.addresses = addresses
        self.reason = reason
        super().__init__(f"no broker of {addresses} answers: {reason}")


class Unanswered(Unreachable):
    """Brokers answer, but not this question.

    Attributes:
        addresses: The brokers asked.
        question: What they do not tell, to be read after "do not tell": ``the configuration of topics``.
        reason: Why, as far as it is known.
    """

    def __init__(self, addresses: str, question: str, reason: str) -> None:
        super().__init__(addresses, reason)
        self.question = question
        self.args = (f"the brokers of {addresses} answer, but do not tell {question}: {reason}",)


class Denied(Exception):  # noqa: N818 - the cluster says no
    """A broker answers, and does not let the client in; or the client's own credentials cannot be used.

    Attributes:
        addresses: The brokers asked.
        reason: What it says.
        lasting: Whether it stays so until somebody does something about it. A connection that is closed while the two
            introduce themselves may be a server's that starts.
    """

    def __init__(self, addresses: str, reason: str) -> None:
        self.addresses = addresses
        self.reason = reason
        self.lasting = "disconnected" not in reason.lower()
        super().__init__(f"the brokers of {addresses} do not let this client in: {reason}")


class Forbidden(Denied):
    """The client is let in, and an authorizer does not let it do this.

    Attributes:
        addresses: The brokers asked.
        operation: What its principal may not do, as Kafka names it: ``Describe``.
        resource: On what: ``topic orders``, ``the cluster``.
        options: The same, as the options of ``kafka-acls``: ``--topic orders``, ``--cluster``.
        principal: Who the client is to the brokers, ``User:alice``; None: the subject of its certificate.
        code: Kafka's answer: ``TOPIC_AUTHORIZATION_FAILED``.
        before: A command that makes the addresses reachable for others; empty where they are so already.
    """

    before = ""

    def __init__(  # noqa: PLR0917 - the facts of one refusal
        self, addresses: str, operation: str, resource: str, options: str, principal: str | None, code: str
    ) -> None:
        super().__init__(addresses, f"{operation} on {resource} is not allowed ({code})")
        self.operation = operation
        self.resource = resource
        self.options = options
        self.principal = principal
        self.code = code

    def commands(self, *arguments: str) -> str:
        """What an administrator runs, indented: kafka-acls with each of these, and what makes the brokers reachable."""
        tool = f"kafka-acls.sh --bootstrap-server {self.addresses}"
        return "".join(f"  {line}\n" for line in (self.before, *(f"{tool} {each}" for each in arguments)) if line)

    @classmethod
    def topic(cls, addresses: str, operation: str, name: str, principal: str | None, code: str) -> Self:
        """What is not allowed on a topic."""
        return cls(addresses, operation, f"topic {name}", f"--topic {name}", principal, code)


class KafkaRefused(Exception):  # noqa: N818 - Kafka's own decision
    """Kafka refused a change.

    Attributes:
        code: Kafka's name for it: ``TOPIC_ALREADY_EXISTS``.
        reason: Kafka's sentence.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}")


class Unclear(KafkaRefused):
    """Whether Kafka has made a change is not known, though the provider looked and asked again.

    Attributes:
        code: The last answer: Kafka's or librdkafka's name for it, ``_TRANSPORT``.
        reason: Its sentence.
    """


class MissingCredentialError(Exception):
    """The declared security needs a credential that the environment does not have.

    Attributes:
        needed_by: The protocol that asks for it: ``SASL_SSL``.
        variables: The environment variables that carry it.
    """

    def __init__(self, needed_by: str, variables: tuple[str, ...]) -> None:
        self.needed_by = needed_by
        self.variables = variables
        super().__init__(
            f"the declaration has clients log in over {needed_by}, but the environment does not say who: set "
            f"{' and '.join(variables)}."
        )


def is_forbidden(error: object) -> bool:
    """Whether an authorizer of Kafka's says no: to a topic, a group, the cluster."""
    from confluent_kafka import KafkaError, KafkaException

    told = error.args[0] if isinstance(error, KafkaException) and error.args else error
    return isinstance(told, KafkaError) and told.code() in {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }


def explain(error: BaseException, complaints: Sequence[str] = ()) -> str:
    """Say in one line why Kafka did not answer.

    Args:
        error: What the client's call raised.
        complaints: What the client has said by itself: where there is any, its first tells more than the exception.
    """
    from confluent_kafka import KafkaError, KafkaException

    if complaints:
        return complaints[0]
    if isinstance(error, KafkaException) and error.args and isinstance(error.args[0], KafkaError):
        if error.args[0].code() == KafkaError._PARTIAL:  # noqa: SLF001 - its public name
            # A broker that has not heard from its controller yet lists nobody: that no topic is there is not said.
            return "the broker that answers does not know the cluster yet"
        return one_line(error.args[0].str())
    return reason(error)
