"""Two brokers that ask their clients who they are, by certificate and by password, on listeners of their own.

An authorizer lets everybody do everything but ``bob``, who comes by the door PLAIN: he may do what a test allows.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hikube_kafka.ensemble import apply, destroy
from hikube_kafka.spec.contract import BrokerExpected, Contract
from hikube_kafka.spec.ensemble import ServerProcess
from hikube_kafka.spec.security import ClientSecurity
from tests.support.ensemble import small_ensemble

USER, PASSWORD = "alice", "alice-s3cret"
RESTRICTED, RESTRICTED_PASSWORD = "bob", "bob-s3cret"
BROKERS = (0, 1)


class Authority:
    """Somebody who signs certificates."""

    def __init__(self, name: str, directory: Path) -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._directory = directory
        self.certificate = self._write(f"{name}.ca", self._signed(self._name, self._key, authority=True))

    def issue(
        self, name: str, *, address: str = "127.0.0.1", lasts: timedelta = timedelta(days=1), password: str = ""
    ) -> tuple[Path, Path]:
        """Issue a certificate for an address; gives its file and its key's, which the password encrypts."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key, authority=False, address=address, lasts=lasts)
        encryption = (
            serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        )
        text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        key_file = self._directory / f"{name}.key"
        key_file.write_bytes(text)
        return self._write(name, certificate), key_file

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        file = self._directory / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return file

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        authority: bool,
        address: str = "127.0.0.1",
        lasts: timedelta = timedelta(days=1),
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + lasts)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .sign(self._key, hashes.SHA256())
        )


@dataclass(frozen=True, kw_only=True)
class Door:
    """A listener of each broker, and what opens it."""

    protocol: str
    mechanism: str | None
    ports: Mapping[int, int]
    """By broker."""
    contract: Contract
    administrators: str
    """Where whoever comes may do everything and needs no key."""
    key: Mapping[str, str]
    """What opens it: the fields of the probe's credentials."""

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.ports.values())


@dataclass(frozen=True, kw_only=True)
class Secured:
    """The brokers, and who else issues certificates."""

    directory: str
    doors: Mapping[str, Door]
    authority: Authority
    """Whom brokers and clients trust."""
    stranger: Authority


@pytest.fixture(scope="module")  # a module may leave topics that the gate of another one would find unwell
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    files = tmp_path_factory.mktemp("certificates")
    authority, stranger = Authority("authority", files), Authority("stranger", files)
    certificate, key = authority.issue("broker")
    (files / "broker.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
    client, client_key = authority.issue("client")
    tls = {"certificate_file": str(client), "key_file": str(client_key), "ca_file": str(authority.certificate)}
    login = {"username": USER, "password": PASSWORD}

    living = small_ensemble(tmp_path_factory.mktemp("secured"), brokers=len(BROKERS), servers=1)
    base = living.layout.broker_port
    # The ports that were found free are five from the base, and five a hundred further.
    opened: dict[str, tuple[str, str | None, int, dict[str, str]]] = {
        "TLS": ("SSL", None, base + 2, tls),
        "SCRAM": ("SASL_SSL", "SCRAM-SHA-512", base + 100, {**login, "ca_file": tls["ca_file"]}),
        "PLAIN": ("SASL_PLAINTEXT", "PLAIN", base + 102, login),
    }
    shared = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(files / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "listener.name.tls.ssl.client.auth": "required",
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plain.plain.sasl.jaas.config": (
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}" '
            f'user_{RESTRICTED}="{RESTRICTED_PASSWORD}";'
        ),
        "authorizer.class.name": "kafka.security.authorizer.AclAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{USER};User:CN=client",
    }

    def with_doors(broker: ServerProcess) -> ServerProcess:
        more = ",".join(f"{name}://127.0.0.1:{first + broker.id}" for name, (_, _, first, _) in opened.items())
        protocols = ",".join(f"{name}:{protocol}" for name, (protocol, _, _, _) in opened.items())
        own = dict(broker.properties)
        for entry, added in (
            ("listeners", more),
            ("advertised.listeners", more),
            ("listener.security.protocol.map", protocols),
        ):
            own[entry] += f",{added}"
        return replace(broker, properties=own | shared)

    declaration = replace(living.declaration, brokers=tuple(map(with_doors, living.declaration.brokers)))
    try:
        apply(declaration)
        admin = AdminClient({"bootstrap.servers": living.bootstrap})
        user = UserScramCredentialUpsertion(
            USER, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), PASSWORD.encode()
        )
        admin.alter_user_scram_credentials([user])[USER].result(30)
        promised = living.layout.contract(living.platform)
        doors = {}
        for name, (protocol, mechanism, first, opener) in opened.items():
            brokers = tuple(BrokerExpected(id=broker, address=f"127.0.0.1:{first + broker}") for broker in BROKERS)
            contract = promised.model_copy(
                update={
                    "security": ClientSecurity.model_validate({"protocol": protocol, "mechanism": mechanism}),
                    "kafka": promised.kafka.model_copy(update={"brokers": brokers}),
                }
            )
            doors[name] = Door(
                protocol=protocol,
                mechanism=mechanism,
                ports={broker: first + broker for broker in BROKERS},
                contract=contract,
                administrators=living.bootstrap,
                key=opener,
            )
        yield Secured(directory=declaration.directory, doors=doors, authority=authority, stranger=stranger)
    finally:
        destroy(declaration.directory, keep_data=False)
