"""What librdkafka needs to be let in: the declaration's security, and secrets that come through the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Self


class MissingCredentialError(Exception):
    """The declared security needs a credential that is not there."""

    def __init__(self, needed_by: str, variables: tuple[str, ...]) -> None:
        self.needed_by = needed_by
        """What asks for it: ``SASL_SSL``."""
        self.variables = variables
        """Environment variables that carry it."""
        super().__init__(
            f"the declaration has clients log in over {needed_by}, but the environment does not say who: set "
            f"{' and '.join(variables)}."
        )


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who a client is, and whom it trusts. Empty and absent are the same. Passwords appear in no repr."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    """PEM file of the authorities to trust; None: those that the system trusts."""
    certificate_file: str | None = None
    """PEM file of the client's own certificate, where the listener asks for one."""
    key_file: str | None = None
    """PEM file of its key."""
    key_password: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Take them from the environment: ``HIKUBE_KAFKA_`` and the name of the field in capitals."""
        return cls(**{entry.name: environment.get(_variable(entry.name)) or None for entry in fields(cls)})


class ClientSettings:
    """Settings for a librdkafka client. They may hold a password, so no repr and no log shows their values."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._entries = dict(entries)

    def __repr__(self) -> str:
        return f"ClientSettings({', '.join(sorted(self._entries))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClientSettings) and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]  # a hash of a password is a trace of it

    def toward(self, bootstrap_servers: str) -> dict[str, str]:
        """Give the plain dictionary that a client towards these brokers is made with. Do not log it."""
        return {**self._entries, "bootstrap.servers": bootstrap_servers}


PLAINTEXT = ClientSettings({})
"""No encryption and no log-in."""


def _variable(credential: str) -> str:
    return f"HIKUBE_KAFKA_{credential.upper()}"


def client_settings(protocol: str, mechanism: str | None, credentials: Credentials) -> ClientSettings:
    """Build a client's settings from ``spec.security.ClientSecurity``'s two fields and the credentials.

    Plain strings, because the provider has them from Terraform and pays for no model.

    Raises:
        MissingCredentialError: The protocol needs a user and a password, and one of them is not there.
    """
    entries = {"security.protocol": protocol}
    if protocol.startswith("SASL_"):
        missing = tuple(_variable(name) for name in ("username", "password") if not getattr(credentials, name))
        if missing:
            raise MissingCredentialError(protocol, missing)
        entries |= {
            "sasl.mechanism": str(mechanism),
            "sasl.username": str(credentials.username),
            "sasl.password": str(credentials.password),
        }
    if protocol.endswith("SSL"):
        files = {
            "ssl.ca.location": credentials.ca_file,
            "ssl.certificate.location": credentials.certificate_file,
            "ssl.key.location": credentials.key_file,
            "ssl.key.password": credentials.key_password,
        }
        entries |= {key: value for key, value in files.items() if value}
    return ClientSettings(entries)
