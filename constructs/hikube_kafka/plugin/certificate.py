"""A fresh self-signed certificate for the TLS of one process.

Terraform insists on TLS and pins the very certificate that the handshake line carries. Who may connect is decided by
the socket's directory, which only this user can enter; the certificate proves nothing to anybody else and lives as long
as the process. Loading a cryptography library for it would cost a third of the whole cold start, so the few operations
are here: a key pair and one signature on the curve P-256 (SEC 1; FIPS 186-5), written as X.509 (RFC 5280) and PKCS #8.
"""

import base64
import hashlib
import os
import time
from dataclasses import dataclass

# P-256: y^2 = x^3 - 3x + b over the prime field; G generates the group of that order.
_PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

_Jacobian = tuple[int, int, int]  # (X, Y, Z) for the point (X/Z^2, Y/Z^3): no division until the end

_DAY = 86400  # seconds


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
    """A new key pair, and a certificate signed with it that is valid from yesterday for a year."""
    private, point = _key_pair()
    public = b"\4" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")
    unsigned = _unsigned_certificate(public)
    der = _sequence(unsigned, _ECDSA_WITH_SHA256, _bit_string(_sign(private, unsigned)))
    key = _sequence(_integer(1), _octets(private.to_bytes(32, "big")), _tagged(1, _bit_string(public)))
    return Certificate(
        certificate_der=der,
        certificate_pem=_pem("CERTIFICATE", der),
        key_pem=_pem("PRIVATE KEY", _sequence(_integer(0), _EC_ON_P256, _octets(key))),
    )


# ---- The curve -----------------------------------------------------------------------------------------------------


def _key_pair() -> tuple[int, tuple[int, int]]:
    """A random scalar and the point it stands for."""
    # 64 bits more than the order has: what the remainder favors is far too little to find.
    scalar = int.from_bytes(os.urandom(40), "big") % (_ORDER - 1) + 1
    return scalar, _times_generator(scalar)


def _sign(private: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    once, (x, _) = _key_pair()
    r = x % _ORDER
    s = pow(once, -1, _ORDER) * (digest + r * private) % _ORDER
    return _sequence(_integer(r), _integer(s))


def _times_generator(scalar: int) -> tuple[int, int]:
    sum_: _Jacobian | None = None
    power: _Jacobian = (*_GENERATOR, 1)
    while scalar:
        if scalar & 1:
            sum_ = power if sum_ is None else _add(sum_, power)
        power = _double(power)
        scalar >>= 1
    assert sum_ is not None  # noqa: S101 - a scalar is never 0; tells the type checker
    x, y, z = sum_
    inverse = pow(z, -1, _PRIME)
    return x * inverse**2 % _PRIME, y * inverse**3 % _PRIME


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    z2 = z * z % _PRIME
    y2 = y * y % _PRIME
    s = 4 * x * y2 % _PRIME
    slope = 3 * (x - z2) * (x + z2) % _PRIME
    new_x = (slope * slope - 2 * s) % _PRIME
    return new_x, (slope * (s - new_x) - 8 * y2 * y2) % _PRIME, 2 * y * z % _PRIME


def _add(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    """The sum of two different points; a sum of growing powers of two never meets the next power or its negative."""
    x1, y1, z1 = one
    x2, y2, z2 = other
    z1_2, z2_2 = z1 * z1 % _PRIME, z2 * z2 % _PRIME
    u1 = x1 * z2_2 % _PRIME
    s1 = y1 * z2_2 * z2 % _PRIME
    h = (x2 * z1_2 - u1) % _PRIME
    r = (y2 * z1_2 * z1 - s1) % _PRIME
    h2 = h * h % _PRIME
    h3 = h * h2 % _PRIME
    v = u1 * h2 % _PRIME
    x = (r * r - h3 - 2 * v) % _PRIME
    return x, (r * (v - x) - s1 * h3) % _PRIME, h * z1 * z2 % _PRIME


# ---- DER -----------------------------------------------------------------------------------------------------------


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:  # noqa: PLR2004 - DER: shorter lengths are their own single byte
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def _sequence(*elements: bytes) -> bytes:
    return _element(0x30, b"".join(elements))


def _integer(number: int) -> bytes:
    return _element(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _octets(content: bytes) -> bytes:
    return _element(0x04, content)


def _bit_string(content: bytes) -> bytes:
    return _element(0x03, b"\0" + content)


def _tagged(number: int, content: bytes) -> bytes:
    return _element(0xA0 | number, content)


def _identifier(encoded: str) -> bytes:
    return _element(0x06, bytes.fromhex(encoded))


def _time(seconds: float) -> bytes:
    return _element(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(seconds)).encode())


_TRUE = _element(0x01, b"\xff")
_ECDSA_WITH_SHA256 = _sequence(_identifier("2a8648ce3d040302"))
_EC_ON_P256 = _sequence(_identifier("2a8648ce3d0201"), _identifier("2a8648ce3d030107"))
_LOCALHOST = _sequence(_element(0x31, _sequence(_identifier("550403"), _element(0x0C, b"localhost"))))


def _unsigned_certificate(public: bytes) -> bytes:
    now = time.time()
    extensions = _sequence(
        # basicConstraints: an authority, because Terraform pins it as the root of its own chain
        _sequence(_identifier("551d13"), _TRUE, _octets(_sequence(_TRUE))),
        # keyUsage: digitalSignature, keyCertSign
        _sequence(_identifier("551d0f"), _TRUE, _octets(_element(0x03, b"\2\x84"))),
        # extKeyUsage for a server
        _sequence(_identifier("551d25"), _octets(_sequence(_identifier("2b06010505070301")))),
        # subjectAltName: the DNS name Terraform checks
        _sequence(_identifier("551d11"), _octets(_sequence(_element(0x82, b"localhost")))),
    )
    return _sequence(
        _tagged(0, _integer(2)),  # X.509 version 3
        _integer(int.from_bytes(os.urandom(16), "big")),  # serial number
        _ECDSA_WITH_SHA256,
        _LOCALHOST,  # issuer
        _sequence(_time(now - _DAY), _time(now + 365 * _DAY)),
        _LOCALHOST,  # subject
        _sequence(_EC_ON_P256, _bit_string(public)),
        _tagged(3, extensions),
    )


def _pem(label: str, der: bytes) -> bytes:
    body = base64.encodebytes(der)
    return b"-----BEGIN " + label.encode() + b"-----\n" + body + b"-----END " + label.encode() + b"-----\n"
