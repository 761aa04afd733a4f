"""The certificate of one process: what Terraform checks of it."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from hikube_kafka.plugin.certificate import fresh_certificate


def test_the_certificate_is_signed_by_its_own_key() -> None:
    fresh = fresh_certificate()
    certificate = x509.load_der_x509_certificate(fresh.certificate_der)
    certificate.verify_directly_issued_by(certificate)
    key = load_pem_private_key(fresh.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == certificate.public_key()
    assert x509.load_pem_x509_certificate(fresh.certificate_pem) == certificate


def test_the_certificate_is_for_localhost_and_valid_now() -> None:
    certificate = x509.load_der_x509_certificate(fresh_certificate().certificate_der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    # Terraform pins it as the root of its own chain.
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign) == (True, True)
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    now = datetime.now(UTC)
    assert certificate.not_valid_before_utc < now - timedelta(hours=1)
    assert certificate.not_valid_after_utc > now + timedelta(days=300)


def test_every_certificate_has_a_key_of_its_own() -> None:
    assert len({fresh_certificate().key_pem for _ in range(5)}) == 5
