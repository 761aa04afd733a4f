"""Who a client of Kafka is and whom it trusts, told once to every library: librdkafka, kafka-python, Kafka's own."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from hikube_kafka.kafka.errors import MissingCredentialError

Pem = str | Path
"""Certificates or a key in PEM: the text itself, or the file that holds it."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who a client is, whom it trusts, and how that is proven. No repr shows a secret.

    What the protocol does not use is left out of every translation.
    """

    protocol: str = "PLAINTEXT"
    """Kafka's ``security.protocol``."""
    mechanism: str | None = None
    """Kafka's ``sasl.mechanism``; with SASL alone."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    authorities: Pem | None = field(default=None, repr=False)
    """Certificates of the authorities to trust; None: those that the system trusts."""
    certificate: Pem | None = field(default=None, repr=False)
    """The client's own certificate and its chain, where the listener asks for one."""
    key: Pem | None = field(default=None, repr=False)
    """Its key."""
    key_password: str | None = field(default=None, repr=False)

    @property
    def principal(self) -> str | None:
        """The client as brokers name it by default; None: by the subject of its certificate."""
        if self.username is not None:
            return f"User:{self.username}"
        return "User:ANONYMOUS" if self.certificate is None else None

    @classmethod
    def from_environment(
        cls, protocol: str, mechanism: str | None, environment: Mapping[str, str] = os.environ
    ) -> Self:
        """Take the secrets from the environment; a variable that is empty counts as absent.

        ``HIKUBE_KAFKA_USERNAME``, ``_PASSWORD``, ``_KEY_PASSWORD``, and the files ``_CA_FILE``, ``_CERTIFICATE_FILE``
        and ``_KEY_FILE``.

        Raises:
            MissingCredentialError: The protocol needs a user and a password, and one of them is not there.
        """

        def value(name: str) -> str | None:
            return environment.get(f"HIKUBE_KAFKA_{name}") or None

        def file(name: str) -> Path | None:
            path = value(name)
            return None if path is None else Path(path)

        if _logs_in(protocol):
            missing = tuple(f"HIKUBE_KAFKA_{name}" for name in ("USERNAME", "PASSWORD") if value(name) is None)
            if missing:
                raise MissingCredentialError(protocol, missing)
        return cls(
            protocol=protocol,
            mechanism=mechanism,
            username=value("USERNAME"),
            password=value("PASSWORD"),
            authorities=file("CA_FILE"),
            certificate=file("CERTIFICATE_FILE"),
            key=file("KEY_FILE"),
            key_password=value("KEY_PASSWORD"),
        )

    def librdkafka(self) -> dict[str, str]:
        """As settings of librdkafka, which confluent-kafka stands on. Do not log them."""
        entries: dict[str, str | None] = {"security.protocol": self.protocol}
        if _logs_in(self.protocol):
            entries |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        if _encrypts(self.protocol):
            for name, pem in (("ca", self.authorities), ("certificate", self.certificate), ("key", self.key)):
                form = "location" if isinstance(pem, Path) else "pem"
                entries[f"ssl.{name}.{form}"] = None if pem is None else str(pem)
            entries["ssl.key.password"] = self.key_password
        return _present(entries)

    def kafka_python(self) -> dict[str, Any]:
        """As arguments of kafka-python's clients. Do not log them.

        Raises:
            OSError: A file cannot be read, or what it holds is not PEM.
        """
        arguments: dict[str, Any] = {"security_protocol": self.protocol}
        if _logs_in(self.protocol):
            arguments |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        if _encrypts(self.protocol):
            import ssl
            import tempfile

            context = ssl.create_default_context(cadata=_text(self.authorities))
            if self.certificate is not None and self.key is not None:
                with tempfile.TemporaryDirectory() as folder:  # of mode 0700: ssl takes a certificate from files alone
                    pem = Path(folder) / "client.pem"
                    pem.write_text(f"{_text(self.certificate)}\n{_text(self.key)}\n")
                    context.load_cert_chain(pem, password=self.key_password)
            arguments["ssl_context"] = context
        return arguments

    def java(self) -> dict[str, str]:
        """As properties of Kafka's own clients and tools. Do not log them.

        Raises:
            OSError: A file cannot be read.
        """
        entries: dict[str, str | None] = {"security.protocol": self.protocol}
        if _logs_in(self.protocol):
            module = "plain.PlainLoginModule" if self.mechanism == "PLAIN" else "scram.ScramLoginModule"
            login = f"username={_quoted(self.username)} password={_quoted(self.password)}"
            entries |= {
                "sasl.mechanism": self.mechanism,
                "sasl.jaas.config": f"org.apache.kafka.common.security.{module} required {login};",
            }
        if _encrypts(self.protocol):
            if self.authorities is not None:
                entries |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": _text(self.authorities)}
            if self.certificate is not None and self.key is not None:
                entries |= {
                    "ssl.keystore.type": "PEM",
                    "ssl.keystore.certificate.chain": _text(self.certificate),
                    "ssl.keystore.key": _text(self.key),
                    "ssl.key.password": self.key_password,
                }
        return _present(entries)


PLAINTEXT = Credentials()
"""No encryption and no log-in."""


def _logs_in(protocol: str) -> bool:
    return protocol.startswith("SASL_")


def _encrypts(protocol: str) -> bool:
    return protocol.endswith("SSL")


def _text(pem: Pem | None) -> str | None:
    return pem.read_text("ascii") if isinstance(pem, Path) else pem


def _quoted(value: str | None) -> str:
    """As a value of a JAAS configuration."""
    escaped = (value or "").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _present(entries: Mapping[str, str | None]) -> dict[str, str]:
    return {key: str(value) for key, value in entries.items() if value is not None}  # of an enumeration too
