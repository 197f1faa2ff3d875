"""
An authority of our own for timestamps in tests (RFC 3161), with as much of CMS as an answer needs.

Fixed keys; an answer says any time that it is told to.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from signed_statements import text

SHA_256 = "2.16.840.1.101.3.4.2.1"
ECDSA_SHA_256 = "1.2.840.10045.4.3.2"
SIGNED_DATA = "1.2.840.113549.1.7.2"
TIMESTAMP_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"


@dataclass(frozen=True, kw_only=True)
class Timestamps:
    """An authority; another `number` has other keys."""

    valid_from: datetime
    number: int = 0

    def member(self, ends: datetime | None = None) -> dict[str, Any]:
        """Return how a trusted root names it, valid until *ends*."""
        certificates = [self._signer(), self._root()]
        until = {} if ends is None else {"end": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return {
            "subject": {"organization": "example", "commonName": "timestamps"},
            "uri": "https://timestamps.example",
            "certChain": {
                "certificates": [
                    {"rawBytes": text(one.public_bytes(Encoding.DER))} for one in certificates
                ]
            },
            "validFor": {"start": self.valid_from.strftime("%Y-%m-%dT%H:%M:%SZ"), **until},
        }

    def stamp(self, message: bytes, at: datetime) -> bytes:
        """Return the answer that *message* was there *at* a time."""
        info = _sequence(
            _integer(1),
            _identifier("1.3.6.1.4.1.57264.2"),
            _sequence(_algorithm(SHA_256), _octets(sha256(message).digest())),
            _integer(42),
            _value(0x18, at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()),
        )
        attributes = _sorted(
            _sequence(_identifier(CONTENT_TYPE), _set(_identifier(TIMESTAMP_INFO))),
            _sequence(_identifier(MESSAGE_DIGEST), _set(_octets(sha256(info).digest()))),
        )
        signer = self._signer()
        signature = self._key(1).sign(
            _value(0x31, attributes), ec.ECDSA(SHA256(), deterministic_signing=True)
        )
        signed = _sequence(
            _integer(1),
            _sequence(signer.issuer.public_bytes(), _integer(signer.serial_number)),
            _algorithm(SHA_256),
            _value(0xA0, attributes),
            _algorithm(ECDSA_SHA_256),
            _octets(signature),
        )
        data = _sequence(
            _integer(3),
            _set(_algorithm(SHA_256)),
            _sequence(_identifier(TIMESTAMP_INFO), _value(0xA0, _octets(info))),
            _value(0xA0, signer.public_bytes(Encoding.DER)),
            _set(signed),
        )
        return _sequence(
            _sequence(_integer(0)), _sequence(_identifier(SIGNED_DATA), _value(0xA0, data))
        )

    def _key(self, place: int) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(2**198 + 100 * self.number + place, ec.SECP256R1())

    def _root(self) -> x509.Certificate:
        basic = x509.BasicConstraints(ca=True, path_length=0)
        return (
            self._named("root", 2)
            .add_extension(basic, critical=True)
            .sign(self._key(2), SHA256(), ecdsa_deterministic=True)
        )

    def _signer(self) -> x509.Certificate:
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        return (
            self._named("signer", 1)
            .add_extension(use, critical=True)
            .sign(self._key(2), SHA256(), ecdsa_deterministic=True)
        )

    def _named(self, name: str, place: int) -> x509.CertificateBuilder:
        root = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"timestamps {self.number} root")]
        )
        own = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"timestamps {self.number} {name}")]
        )
        return (
            x509.CertificateBuilder()
            .subject_name(own)
            .issuer_name(root)
            .public_key(self._key(place).public_key())
            .serial_number(place)
            .not_valid_before(self.valid_from)
            .not_valid_after(self.valid_from + timedelta(days=3650))
        )


def _value(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _sequence(*members: bytes) -> bytes:
    return _value(0x30, b"".join(members))


def _sorted(*members: bytes) -> bytes:
    return b"".join(sorted(members))


def _set(*members: bytes) -> bytes:
    return _value(0x31, _sorted(*members))


def _integer(number: int) -> bytes:
    return _value(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _octets(content: bytes) -> bytes:
    return _value(0x04, content)


def _algorithm(identifier: str) -> bytes:
    return _sequence(_identifier(identifier))


def _identifier(dotted: str) -> bytes:
    first, second, *others = map(int, dotted.split("."))
    content = bytearray([40 * first + second])
    for number in others:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        content += bytes(reversed(digits))
    return _value(0x06, bytes(content))
