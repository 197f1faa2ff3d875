"""
Verifies Sigstore bundles that were made with a certificate, against a trusted root, without any network.

What is verified is the library's business (certificates, logs, timestamps, signatures); what counts is
ours: which root, which times, which identities. This file loads the library, which takes most of a
second, so it is itself loaded when a bundle needs it, and nothing but `verified` may load it.

Rule: what makes the library stumble is refused: stumbling isn't verifying.

Source: sigstore 4.5, `sigstore.verify.Verifier`; the Sigstore client specification, section 4.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.x509 import Certificate
from sigstore.hashes import Hashed
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.common.v1 import HashAlgorithm
from sigstore_models.trustroot.v1 import TrustedRoot as RootMessage

from tidegate.documents.identities import Identity
from tidegate.drivers.gate.bundles import Signed
from tidegate.drivers.gate.certificates import Claims, identity_of, read_claims
from tidegate.drivers.gate.checks import Check, RefusedError
from tidegate.drivers.gate.keyless_words import STUMBLES, refusal
from tidegate.drivers.gate.roots_in_time import root_at
from tidegate.drivers.gate.strict_json import (
    Json,
    Object,
    object_in,
    objects_in,
    text_in,
)
from tidegate.drivers.gate.submitted import CLOCK_SKEW, UnreadableError, quoted

_VERSIONS: Final = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyless:
    """By which identity something is signed, what its certificate says, and when it was at the latest."""

    name: str
    claims: Claims
    signed_at: datetime


def verify_keyless(
    signed: Signed, identities: Mapping[str, Identity], root: Mapping[str, Any], now: datetime
) -> Keyless:
    """
    Return by which of *identities* the bundle *signed* is, once everything about it was found good.

    Args:
        signed: What was submitted, in a bundle with a certificate.
        identities: Who may sign, by name.
        root: The trusted root, as it is in the settings.
        now: The time of the question; what was signed later than that isn't believed.

    Raises:
        RefusedError: a check fails.
        UnreadableError: nothing can be verified against *root*.
    """
    assert signed.bundle is not None, "only a bundle has a certificate"
    bundle = _read(signed.bundle)
    certificate = bundle.signing_certificate
    moments = _moments(signed.bundle, bundle)
    _check_times(certificate, moments, now)
    wanted = _Wanted(identities)
    verifier = _verifier(root_at(root, moments), moments)
    try:
        _verify(verifier, bundle, signed, wanted)
    except STUMBLES as exc:
        raise refusal(exc) from exc
    assert wanted.claims is not None, "the library verified a certificate without its policy"
    # The earliest: it is the age of what was signed that others ask for.
    return Keyless(name=wanted.name, claims=wanted.claims, signed_at=min(moments))


class _Wanted:
    """The library's policy: the certificate is of one of the identities."""

    def __init__(self, identities: Mapping[str, Identity]) -> None:
        self._identities = identities
        self.name = ""
        self.claims: Claims | None = None

    def verify(self, cert: Certificate) -> None:
        """Keep whose certificate it is. Raises RefusedError when it is nobody's who may sign."""
        claims = read_claims(cert)
        self.name = identity_of(claims, self._identities)
        self.claims = claims


def _read(document: Object) -> Bundle:
    media_type = text_in(document, "mediaType") or ""
    if media_type not in _VERSIONS:
        raise RefusedError(
            Check.BUNDLE, f"the bundle is a {quoted(media_type)}; 0.1, 0.2 and 0.3 are verified"
        )
    try:
        if _has_other_spelling(document):
            # The library takes log_entry for logEntry, so that two could stand side by side.
            raise RefusedError(Check.BUNDLE, "a key of the bundle isn't in the spelling of JSON")
        bundle = Bundle.from_json(json.dumps(document))
        key = bundle.signing_certificate.public_key()
    except STUMBLES as exc:
        raise refusal(exc, Check.BUNDLE) from exc
    if not isinstance(key, EllipticCurvePublicKey):
        raise RefusedError(Check.CERTIFICATE, "its certificate is for a key that isn't ECDSA")
    return bundle


def _has_other_spelling(value: Json) -> bool:
    match value:
        case dict():
            return any("_" in key or _has_other_spelling(one) for key, one in value.items())
        case list():
            return any(map(_has_other_spelling, value))
        case _:
            return False


def _moments(document: Object, bundle: Bundle) -> list[datetime]:
    """Return the times at which it says to have been signed, as far as somebody may have proven them."""
    moments: list[datetime] = []
    try:
        for entry in objects_in(object_in(document, "verificationMaterial"), "tlogEntries"):
            if "inclusionPromise" in entry and (second := text_in(entry, "integratedTime")):
                moments.append(datetime.fromtimestamp(int(second), UTC))
        if stamped := bundle.verification_material.timestamp_verification_data:
            moments += [one.tst_info.gen_time for one in stamped.rfc3161_timestamps]
    except STUMBLES as exc:
        raise RefusedError(Check.TIME, "the time that it says to be from can't be read") from exc
    if not moments:
        raise RefusedError(
            Check.TIME,
            "neither a log nor an authority of the trusted root proves when it was signed",
        )
    return moments


def _check_times(certificate: Certificate, moments: list[datetime], now: datetime) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    for moment in moments:
        if moment > now + CLOCK_SKEW:
            raise RefusedError(Check.TIME, f"it was signed in the future, at {_shown(moment)}")
        if not begins <= moment <= ends:
            raise RefusedError(
                Check.TIME,
                f"it was signed at {_shown(moment)}, and its certificate is good from"
                f" {_shown(begins)} until {_shown(ends)}",
            )


def _verifier(root: dict[str, Any], moments: list[datetime]) -> Verifier:
    for key, check, what in (
        ("certificateAuthorities", Check.CERTIFICATE, "authority for certificates"),
        ("ctlogs", Check.CERTIFICATE_LOG, "log of certificates"),
        ("tlogs", Check.LOG, "log of signatures"),
    ):
        if not root[key]:
            raise RefusedError(
                check, f"the trusted root has no {what} that was valid at {_shown(min(moments))}"
            )
    try:
        return Verifier(trusted_root=TrustedRoot(RootMessage.from_json(json.dumps(root))))
    except STUMBLES as exc:
        raise UnreadableError(
            f"the trusted root of this gate can't be used: {quoted(exc, 200)}"
        ) from exc


def _verify(verifier: Verifier, bundle: Bundle, signed: Signed, wanted: _Wanted) -> None:
    if signed.envelope is None:
        digest = bytes.fromhex(signed.digest.removeprefix("sha256:"))
        if len(digest) != 32:
            raise RefusedError(
                Check.BUNDLE, "it doesn't say the SHA-256 of the bytes that were signed"
            )
        hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest)
        verifier.verify_artifact(hashed, bundle, wanted)
        return
    verified = verifier.verify_dsse(bundle, wanted)
    if verified != (signed.envelope.payload_type, signed.envelope.payload):
        raise RefusedError(Check.SIGNATURES, "what was verified isn't what was read")


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
