"""
DSSE envelopes: what was signed, as what, and by which of the keys that we trust.

Rule: nothing of a payload is looked at before its signatures are known to be good. An envelope's own key
ids are hints of strangers and not used: each trusted key is tried, and counts once.

Source: DSSE v1.0.2 (secure-systems-lab/dsse), `protocol.md` for the signed bytes and `envelope.md` for
the JSON.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tidegate.documents.public_keys import PublicKey, is_signed
from tidegate.drivers.gate.strict_json import Object, objects_in, text_in
from tidegate.drivers.gate.submitted import UnreadableError

MAXIMUM_SIGNATURES: Final = 20
MAXIMUM_ENVELOPES: Final = 100
"""Each signature is tried with each key, so their number is what a stranger could make expensive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload with its type and the signatures over both; none of them is checked yet."""

    payload: bytes
    payload_type: str
    signatures: tuple[bytes, ...]

    @property
    def signed(self) -> bytes:
        """The bytes that signatures are made over: DSSE's pre-authentication encoding."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)


def signers(envelope: Envelope, keys: Mapping[str, PublicKey]) -> frozenset[str]:
    """Return the names of the *keys* that signed *envelope*."""
    return frozenset(
        name
        for name, key in keys.items()
        if any(is_signed(key, signature, envelope.signed) for signature in envelope.signatures)
    )


def read_envelope(holder: Object) -> Envelope:
    """
    Return the envelope that *holder* is.

    Raises:
        UnreadableError: it isn't one.
    """
    payload, payload_type = text_in(holder, "payload"), text_in(holder, "payloadType")
    if payload is None or payload_type is None:
        raise UnreadableError("it isn't a DSSE envelope: it has no payload with its type")
    signatures = objects_in(holder, "signatures")
    if len(signatures) > MAXIMUM_SIGNATURES:
        raise UnreadableError(f"an envelope has more than {MAXIMUM_SIGNATURES} signatures")
    return Envelope(
        payload=_decoded(payload),
        payload_type=payload_type,
        signatures=tuple(_decoded(text_in(one, "sig") or "") for one in signatures),
    )


def _decoded(text: str) -> bytes:
    """Return the bytes that *text* is the only base64 of, in the usual or the URL-safe alphabet."""
    usual = text.replace("-", "+").replace("_", "/")
    try:
        content = b64decode(usual, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise UnreadableError("an envelope isn't in base64") from exc
    if b64encode(content).decode() != usual:
        raise UnreadableError("an envelope isn't in canonical base64")
    return content
