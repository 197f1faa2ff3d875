"""
Public keys as they are written in documents: PEM, or the base64 of the same in one line.

Rule: only keys whose signatures have one meaning are taken: Ed25519, and ECDSA on P-256 or P-384 with the
hash that belongs to the curve. A message never shows what was written: it could be the private half.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable
from typing import Annotated, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from pydantic import Field, WithJsonSchema

from tidegate.documents.notation import NotationError, checked_by

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey

_FIX: Final = (
    "write the PEM of an Ed25519 or ECDSA P-256 or P-384 public key, "
    "as `openssl pkey -pubout` prints it"
)


def parse_public_key(written: object) -> PublicKey:
    """
    Return the public key *written* as PEM (`BEGIN PUBLIC KEY`) or as the base64 of its DER.

    Raises:
        NotationError: it isn't a public key that can be used.
    """
    if not isinstance(written, str):
        raise NotationError("a public key is text", _FIX)
    if "PRIVATE" in written:
        raise NotationError("this is a private key, which belongs nowhere near here", _FIX)
    try:
        if "-----BEGIN" in written:
            key = load_pem_public_key(written.encode())
        else:
            key = load_der_public_key(b64decode("".join(written.split()), validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as exc:
        raise NotationError("this isn't a public key", _FIX) from exc
    if isinstance(key, Ed25519PublicKey) or (
        isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1 | SECP384R1)
    ):
        return key
    raise NotationError("a public key of this kind isn't taken", _FIX)


def is_signed(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Return whether *signature* of *message* was made with the private half of *key*."""
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        else:
            hashed = SHA256() if isinstance(key.curve, SECP256R1) else SHA384()
            key.verify(signature, message, ECDSA(hashed))
    except InvalidSignature:
        return False
    return True


def canonical_key(written: str) -> bytes:
    """Return the one form of the key *written*, so that the same key isn't taken for two."""
    return parse_public_key(written).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _checked(parse: Callable[[object], object]) -> Callable[[object], object]:
    def check(written: object) -> object:
        parse(written)
        return written

    return check


KeyText = Annotated[
    str,
    Field(max_length=2_000),
    checked_by(_checked(parse_public_key)),
    WithJsonSchema({"type": "string", "description": "A public key, as PEM or base64 of its DER."}),
]
"""Text that is known to be a public key."""
