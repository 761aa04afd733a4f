"""A fresh self-signed certificate for the TLS of one process.

Terraform insists on TLS and pins the very certificate that the handshake line carries. Who may connect is decided by
the socket's directory, which only this user can enter; the certificate proves nothing to anybody else and lives as long
as the process.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LOCALHOST = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for ``localhost`` and its private key.

    Attributes:
        certificate_der: What the handshake line carries, base64-encoded.
        certificate_pem: What the TLS server presents.
        key_pem: What it signs with.
    """

    certificate_der: bytes
    certificate_pem: bytes
    key_pem: bytes


def fresh_certificate() -> Certificate:
    """A new key pair on P-256, and a certificate signed with it that is valid from yesterday for a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    signs = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .issuer_name(_LOCALHOST)
        .subject_name(_LOCALHOST)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        # An authority: Terraform pins it as the root of its own chain.
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(signs, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    return Certificate(
        certificate_der=certificate.public_bytes(Encoding.DER),
        certificate_pem=certificate.public_bytes(Encoding.PEM),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
