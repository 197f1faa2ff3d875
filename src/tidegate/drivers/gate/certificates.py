"""
What a certificate of Sigstore says of whoever signed, and whether that is one of those who may.

Rule: a claim that is demanded and absent is refused, and so is a certificate with two names: nobody should
have to guess which of them counts. The certificate itself is verified elsewhere.

Source: Fulcio, `docs/oid-info.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.asn1 import decode_der
from cryptography.x509 import (
    Certificate,
    ExtensionNotFound,
    ObjectIdentifier,
    OtherName,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    UnrecognizedExtension,
)

from tidegate.documents.identities import Identity
from tidegate.drivers.gate.checks import Check, RefusedError
from tidegate.drivers.gate.patterns import fits
from tidegate.drivers.gate.submitted import quoted

_FULCIO: Final = "1.3.6.1.4.1.57264.1"
_OLD_ISSUER: Final = 1
_USER_NAME: Final = 7
_ISSUER: Final = 8
_RUNNER: Final = 11
_SOURCE: Final = 12
_REF: Final = 14
_WORKFLOW: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a certificate says of whoever signed; empty where it says nothing."""

    issuer: str
    subject: str
    source: str
    ref: str
    workflow: str
    runner: str


def read_claims(certificate: Certificate) -> Claims:
    """
    Return what *certificate* says.

    Raises:
        RefusedError: it names nobody, or two, or says something that can't be read.
    """
    return Claims(
        issuer=_issuer(certificate),
        subject=_subject(certificate),
        source=_text(certificate, _SOURCE),
        ref=_text(certificate, _REF),
        workflow=_text(certificate, _WORKFLOW),
        runner=_text(certificate, _RUNNER),
    )


def identity_of(claims: Claims, identities: Mapping[str, Identity]) -> str:
    """
    Return the name of the first of *identities* that *claims* are of: one certificate counts once.

    Raises:
        RefusedError: none of them is; it says what differs from the one that is nearest.
    """
    differences = {name: _difference(claims, wanted) for name, wanted in identities.items()}
    for name, difference in differences.items():
        if difference is None:
            return name
    nearest = max(found for found in differences.values() if found is not None)
    raise RefusedError(Check.IDENTITY, f"{nearest[1]}, and that isn't an identity that may sign")


def _difference(claims: Claims, wanted: Identity) -> tuple[int, str] | None:
    """Return how many of the claims agree before the first that doesn't, with it in words."""
    if claims.issuer != wanted.issuer:
        return 0, f"{quoted(claims.issuer)} vouches for {quoted(claims.subject, 200)}"
    demands = (
        ("subject", "it was signed by", claims.subject, wanted.subject),
        ("source", "it was signed for the source", claims.source, wanted.source),
        ("ref", "it was signed for the ref", claims.ref, wanted.ref),
        ("workflow", "it was signed in the workflow", claims.workflow, wanted.workflow),
        ("runner", "it was signed on a runner that is", claims.runner, wanted.runner),
    )
    for agreeing_count, (noun, signed, found, pattern) in enumerate(demands, 1):
        if pattern is not None and not fits(found, pattern, ends="/@"):
            told = f"{signed} {quoted(found, 200)}" if found else f"its certificate says no {noun}"
            return agreeing_count, told
    return None


def _issuer(certificate: Certificate) -> str:
    old, new = _raw(certificate, _OLD_ISSUER), _text(certificate, _ISSUER)
    if old is not None and new and old != new.encode():
        raise RefusedError(Check.CERTIFICATE, "its certificate names two issuers")
    return new or (old or b"").decode("utf-8", "replace")


def _subject(certificate: Certificate) -> str:
    try:
        names = list(certificate.extensions.get_extension_for_class(SubjectAlternativeName).value)
    except ExtensionNotFound:
        names = []
    if len(names) != 1:
        raise RefusedError(Check.CERTIFICATE, f"its certificate has {len(names)} names and not one")
    match names[0]:
        case RFC822Name(value=value) | UniformResourceIdentifier(value=value):
            return value
        case OtherName(type_id=kind, value=raw) if kind == _oid(_USER_NAME):
            return _decoded(raw)
        case _:
            raise RefusedError(Check.CERTIFICATE, "its certificate is for another kind of name")


def _text(certificate: Certificate, number: int) -> str:
    raw = _raw(certificate, number)
    return "" if raw is None else _decoded(raw)


def _decoded(raw: bytes) -> str:
    try:
        return decode_der(str, raw)
    except ValueError as exc:
        raise RefusedError(Check.CERTIFICATE, "what its certificate says can't be read") from exc


def _raw(certificate: Certificate, number: int) -> bytes | None:
    try:
        found = certificate.extensions.get_extension_for_oid(_oid(number)).value
    except ExtensionNotFound:
        return None
    assert isinstance(found, UnrecognizedExtension), f"{_oid(number)} is nothing that X.509 knows"
    return found.value


def _oid(number: int) -> ObjectIdentifier:
    return ObjectIdentifier(f"{_FULCIO}.{number}")
