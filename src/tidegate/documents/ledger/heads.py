"""
Signed heads as text, and whether a signature holds.

A head has one text, its canonical JSON: what is kept, what a witness gets, what is compared. The
signature covers that text without the signature, after a prefix that no other signed text has.

Keys are made and kept elsewhere; nothing private is in here.
"""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tidegate.documents.canonical import canonical_json
from tidegate.domain.ledger.model import Head
from tidegate.errors import InvalidDocumentError

SIGNED_PREFIX: Final = b"tidegate ledger head 1\n"
MAX_LINE_BYTES: Final = 4096
"""A head is below 600 bytes."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")
_KEY_ID: Final = re.compile(r"[0-9a-f]{16}")
_FIELDS: Final = frozenset(Head.__slots__)


def key_id_of(public: str) -> str:
    """Return the name of a public key: the first 16 hexadecimal digits of its SHA-256."""
    return sha256(public_bytes(public)).hexdigest()[:16]


def public_bytes(public: str) -> bytes:
    """Return the 32 bytes of a public key. Raises InvalidDocumentError when it's none."""
    if not _HASH.fullmatch(public):
        raise InvalidDocumentError(
            f"{public[:80]!r} is no public key of a ledger",
            hint="give the 64 hexadecimal digits that `tidegate ledger key` shows",
        )
    return bytes.fromhex(public)


def signed_bytes(head: Head) -> bytes:
    """Return what the signature of *head* covers."""
    content = head_content(head)
    del content["signature"]
    return SIGNED_PREFIX + canonical_json(content).encode("utf-8")


def head_content(head: Head) -> dict[str, Any]:
    """Return the JSON values of *head*."""
    return {
        "number": head.number,
        "entries": head.entries,
        "entry_hash": head.entry_hash,
        "at": head.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "previous_head": head.previous_head,
        "key_id": head.key_id,
        "signature": head.signature,
    }


def head_text(head: Head) -> str:
    """Return the one text of *head*, on one line and without its end."""
    return canonical_json(head_content(head))


def head_hash(head: Head) -> str:
    """Return what the next head has for `previous_head`."""
    return sha256(head_text(head).encode("utf-8")).hexdigest()


def read_head(text: bytes) -> Head:
    """
    Return the head that *text* is, to the byte.

    Raises:
        InvalidDocumentError: *text* is no head, or not written as a head is.
    """
    if len(text) > MAX_LINE_BYTES:
        raise _no_head(f"it is longer than {MAX_LINE_BYTES} bytes")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _no_head("it isn't JSON") from exc
    head = head_of(content)
    if head_text(head).encode("utf-8") != text:
        raise _no_head("it isn't written in the canonical form")
    return head


def head_of(content: object) -> Head:
    """Return the head of JSON values. Raises InvalidDocumentError when they are none."""
    if not isinstance(content, dict) or content.keys() != _FIELDS:
        raise _no_head(f"it needs exactly the fields {', '.join(sorted(_FIELDS))}")
    numbers = all(
        type(content[name]) is int and content[name] >= 1 for name in ("number", "entries")
    )
    words = all(
        isinstance(content[name], str) and pattern.fullmatch(content[name])
        for name, pattern in (
            ("entry_hash", _HASH),
            ("previous_head", _HASH),
            ("key_id", _KEY_ID),
            ("signature", _SIGNATURE),
        )
    )
    if not numbers or not words:
        raise _no_head("a number, hash or signature in it isn't one")
    try:
        at = datetime.fromisoformat(content["at"])
    except (ValueError, TypeError) as exc:
        raise _no_head("its time isn't one") from exc
    if at.tzinfo is None:
        raise _no_head("its time has no zone")
    head = Head(**{**content, "at": at})
    if head_content(head) != content:
        raise _no_head("its time isn't written as a head's is")
    return head


def signature_holds(head: Head, public: str) -> bool:
    """Return whether *head* was signed with the key whose public part is *public*."""
    if key_id_of(public) != head.key_id:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(public_bytes(public))
        key.verify(bytes.fromhex(head.signature), signed_bytes(head))
    except (InvalidSignature, ValueError):
        return False
    return True


def _no_head(why: str) -> InvalidDocumentError:
    return InvalidDocumentError(
        f"this is no head of a ledger: {why}", hint="give a file that a witness wrote"
    )
