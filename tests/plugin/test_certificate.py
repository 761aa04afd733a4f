"""The certificate of one process, judged by an independent library."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hikube_kafka.plugin.certificate import _GENERATOR, _ORDER, _times_generator, fresh_certificate


def test_the_certificate_is_signed_by_its_own_key() -> None:
    for _ in range(20):  # an integer's leading bytes differ from key to key
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
    now = datetime.now(UTC)
    assert certificate.not_valid_before_utc < now - timedelta(hours=1)
    assert certificate.not_valid_after_utc > now + timedelta(days=300)


def test_every_certificate_has_a_key_of_its_own() -> None:
    assert len({fresh_certificate().key_pem for _ in range(5)}) == 5


@pytest.mark.parametrize("scalar", [1, 2, 3, 112233445566778899, _ORDER - 2, _ORDER - 1])
def test_multiples_of_the_generator_are_those_of_the_curve(scalar: int) -> None:
    numbers = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    assert _times_generator(scalar) == (numbers.x, numbers.y)


def test_the_generator_is_its_own_first_multiple() -> None:
    assert _times_generator(1) == _GENERATOR
