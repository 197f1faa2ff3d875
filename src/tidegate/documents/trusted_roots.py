"""
The trusted root of a Sigstore instance as it is written in documents: whose certificates and logs count.

It stands in the file itself, so that it is part of the plan and an approval is bound to it. Rule: what is
checked here is that somebody could verify with it at all. Nothing is verified, and nothing is fetched.

Source: sigstore/protobuf-specs, `sigstore_trustroot.proto`, in its JSON form.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import load_der_x509_certificate
from pydantic import WithJsonSchema

from tidegate.documents.canonical import canonical_json
from tidegate.documents.notation import NotationError, checked_by, shown

ROOT_TYPE: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"

MAXIMUM_BYTES: Final = 64 * 1024
"""That of the public instance has 7 KiB; every plan with such a gate carries it."""

_FIX: Final = (
    "write the content of trusted_root.json, as `gh attestation trusted-root` prints it on one line"
)


def parse_trusted_root(written: object) -> dict[str, Any]:
    """
    Return the trusted root *written* as a mapping, as it is.

    Raises:
        NotationError: it isn't one of a version that is known, or lacks what verifying needs: an
            authority for certificates, a log of certificates, and a log of signatures.
    """
    if not isinstance(written, dict):
        raise NotationError(f"a trusted root is a mapping, got {shown(written)}", _FIX)
    try:
        size = len(canonical_json(written))
    except (TypeError, ValueError) as exc:
        raise NotationError(f"a trusted root is JSON, and this isn't: {exc}", _FIX) from exc
    if size > MAXIMUM_BYTES:
        raise NotationError(
            f"a trusted root has at most {MAXIMUM_BYTES} bytes, this one {size}", _FIX
        )
    if written.get("mediaType") != ROOT_TYPE:
        raise NotationError(
            f"its mediaType must be {ROOT_TYPE}, got {shown(written.get('mediaType'))}", _FIX
        )
    for key in ("certificateAuthorities", "timestampAuthorities"):
        for place, one in _members(written, key, may_lack=key == "timestampAuthorities"):
            chain = one.get("certChain")
            certificates = chain.get("certificates") if isinstance(chain, dict) else None
            if not isinstance(certificates, list) or not certificates:
                raise NotationError(f"{place} has no certificate", _FIX)
            for certificate in certificates:
                _load(certificate, load_der_x509_certificate, f"a certificate of {place}")
            _check_start(one, place)
    for key in ("ctlogs", "tlogs"):
        for place, one in _members(written, key):
            _load(one.get("publicKey"), load_der_public_key, f"the public key of {place}")
            _check_start(one["publicKey"], place)
    return written


def _members(
    root: dict[str, Any], key: str, *, may_lack: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield the objects in the list under *key*, each with how messages call it."""
    found = root.get(key, [])
    if not isinstance(found, list) or not (found or may_lack):
        raise NotationError(f"it has no list {key} with anything in it", _FIX)
    for number, one in enumerate(found, 1):
        place = f"{key}, number {number},"
        if not isinstance(one, dict):
            raise NotationError(f"{place} isn't a mapping", _FIX)
        yield place, one


def _load(holder: object, load: Callable[[bytes], object], what: str) -> None:
    """Load the bytes in *holder*; NotationError says that it isn't *what* it should be."""
    raw = holder.get("rawBytes") if isinstance(holder, dict) else None
    try:
        load(b64decode(raw if isinstance(raw, str) else "", validate=True))
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm) as exc:
        raise NotationError(f"{what} can't be read", _FIX) from exc


def _check_start(holder: dict[str, Any], place: str) -> None:
    """Raise NotationError unless *holder* says since when it is valid."""
    valid = holder.get("validFor")
    start = valid.get("start") if isinstance(valid, dict) else None
    try:
        datetime.fromisoformat(start if isinstance(start, str) else "")
    except ValueError as exc:
        raise NotationError(f"{place} doesn't say since when it is valid", _FIX) from exc


TrustedRoot = Annotated[
    dict[str, Any],
    checked_by(parse_trusted_root),
    WithJsonSchema(
        {"type": "object", "description": "A trusted root of Sigstore, as in trusted_root.json."}
    ),
]
"""A mapping that is known to be a trusted root."""
