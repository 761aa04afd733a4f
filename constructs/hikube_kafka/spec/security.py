"""How a client proves who it is and whom it trusts. Names and files only: a declaration holds no secret."""

from enum import StrEnum
from typing import Self

from pydantic import model_validator

from hikube_kafka.spec.model import Declared


class Protocol(StrEnum):
    """A listener's security protocol, as Kafka's ``security.protocol`` names it."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def authenticates(self) -> bool:
        """Whether a client must log in over SASL."""
        return self in {Protocol.SASL_PLAINTEXT, Protocol.SASL_SSL}

    @property
    def encrypts(self) -> bool:
        """Whether the bytes on the wire are encrypted."""
        return self in {Protocol.SSL, Protocol.SASL_SSL}


class Mechanism(StrEnum):
    """A SASL mechanism, as Kafka's ``sasl.mechanism`` names it."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class ClientSecurity(Declared):
    """What a client needs to be let in, secrets aside: those reach it through its environment."""

    protocol: Protocol = Protocol.PLAINTEXT
    """The listener's security protocol."""
    mechanism: Mechanism | None = None
    """The SASL mechanism; required with SASL_PLAINTEXT and SASL_SSL, and refused without."""

    @model_validator(mode="after")
    def _mechanism_goes_with_sasl(self) -> Self:
        if self.protocol.authenticates and self.mechanism is None:
            raise ValueError(f"protocol {self.protocol} needs a mechanism: one of {', '.join(Mechanism)}")
        if self.mechanism is not None and not self.protocol.authenticates:
            raise ValueError(
                f"mechanism {self.mechanism} has no effect with protocol {self.protocol}: use SASL_SSL, or drop it"
            )
        return self
