"""
What is submitted as signed: DSSE envelopes, bare or in a Sigstore bundle, and bundles that sign bytes.

Rule: only reading. What a bundle says of itself (its certificate, its times, its log) is a stranger's word
until somebody has verified it.

Source: sigstore/protobuf-specs, `sigstore_bundle.proto`, in its JSON form.
"""

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Final

from tidegate.drivers.gate.dsse import MAXIMUM_ENVELOPES, Envelope, read_envelope
from tidegate.drivers.gate.strict_json import Json, Object, as_object, object_in, read_json, text_in
from tidegate.drivers.gate.submitted import UnreadableError

_BUNDLE: Final = "application/vnd.dev.sigstore.bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """
    One thing that was submitted as signed; nothing of it is verified yet.

    It is an envelope or, where `envelope` is None, a signature over the bytes whose SHA-256 is `digest`
    (`sha256:` and hex; empty when it doesn't say so). `bundle` is the bundle that it came in, None for
    none.
    """

    envelope: Envelope | None
    digest: str
    bundle: Object | None

    @property
    def has_certificate(self) -> bool:
        """Whether it came with a certificate, so that no key of ours needs to have made it."""
        material = (self.bundle or {}).get("verificationMaterial")
        return isinstance(material, dict) and not material.keys().isdisjoint(
            {"certificate", "x509CertificateChain"}
        )


def read_signed(content: bytes) -> list[Signed]:
    """
    Return what is signed in *content*: one envelope or bundle as JSON, or one per line.

    Raises:
        UnreadableError: one of them can't be read, or there is none.
    """
    try:
        values = [read_json(content)]
    except UnreadableError:
        lines = [line for line in content.splitlines() if line.strip()]
        if not 1 < len(lines) <= MAXIMUM_ENVELOPES:
            raise
        values = [read_json(line) for line in lines]
    return [_read(value) for value in values]


def _read(value: Json) -> Signed:
    holder = as_object(value, "an envelope")
    if holder.keys().isdisjoint({"dsseEnvelope", "messageSignature"}):
        return Signed(envelope=read_envelope(holder), digest="", bundle=None)
    if not (text_in(holder, "mediaType") or "").startswith(_BUNDLE):
        raise UnreadableError("it isn't a DSSE envelope and no Sigstore bundle")
    if "dsseEnvelope" in holder:
        envelope = read_envelope(object_in(holder, "dsseEnvelope"))
        return Signed(envelope=envelope, digest="", bundle=holder)
    digest = _digest(object_in(object_in(holder, "messageSignature"), "messageDigest"))
    return Signed(envelope=None, digest=digest, bundle=holder)


def _digest(written: Object) -> str:
    """Return the digest that a signature over bytes says they have; empty for one of another kind."""
    if text_in(written, "algorithm") != "SHA2_256":
        return ""
    try:
        return f"sha256:{b64decode(text_in(written, 'digest') or '', validate=True).hex()}"
    except (binascii.Error, ValueError) as exc:
        raise UnreadableError("the digest of what was signed isn't in base64") from exc
