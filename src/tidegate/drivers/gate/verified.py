"""
By whom each of the things submitted is signed: with keys here, with certificates where those are verified.

Rule: a signature counts once, by a key or by an identity. Who signed the same bytes adds up, in whichever
envelopes they did; who signed other bytes doesn't, however alike they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tidegate.documents.public_keys import PublicKey, parse_public_key
from tidegate.documents.signers import SignedSettings
from tidegate.drivers.gate.bundles import Signed
from tidegate.drivers.gate.checks import Check, RefusedError
from tidegate.drivers.gate.dsse import signers
from tidegate.drivers.gate.submitted import UnreadableError, quoted

if TYPE_CHECKING:
    from tidegate.drivers.gate.keyless import Keyless

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """
    What was signed by enough of those who may, and by whom.

    `payload` is a statement's text or, where it is None, `digest` is that of the bytes that were signed.
    """

    payload: bytes | None
    digest: str
    signers: frozenset[str]
    keyless: "tuple[Keyless, ...]"


def verify(
    things: Sequence[Signed], settings: SignedSettings, now: datetime
) -> list[Verified | RefusedError]:
    """
    Return what is signed by as many as *settings* demand, and for all else why it is refused.

    Args:
        things: What was submitted.
        settings: Who may sign, and how many of them must have.
        now: The time of the question.

    Raises:
        UnreadableError: something was signed with a certificate, and those can't be verified here.
    """
    keys = {name: parse_public_key(text) for name, text in settings.keys.items()}
    refused: list[RefusedError] = []
    together: dict[tuple[bytes | None, str], Verified] = {}
    for thing in things:
        try:
            one = _signed_by(thing, keys, settings, now)
        except RefusedError as exc:
            refused.append(exc)
            continue
        what = (one.payload, one.digest)
        before = together.get(what)
        together[what] = one if before is None else _both(before, one)
    return [*(_enough(one, settings) for one in together.values()), *refused]


def _signed_by(
    thing: Signed, keys: Mapping[str, PublicKey], settings: SignedSettings, now: datetime
) -> Verified:
    """Return who signed *thing*. Raises RefusedError when it is nobody who may."""
    envelope = thing.envelope
    payload = None if envelope is None else envelope.payload
    if envelope is not None:
        if envelope.payload_type != PAYLOAD_TYPE:
            raise RefusedError(
                Check.PAYLOAD_TYPE, f"{quoted(envelope.payload_type)} was signed, not a statement"
            )
        if by := signers(envelope, keys):
            return Verified(payload=payload, digest="", signers=by, keyless=())
    if not thing.has_certificate:
        if envelope is None:
            raise RefusedError(
                Check.SIGNATURES,
                "bytes were signed with a key: with keys, only signed statements are verified",
            )
        raise _too_few(frozenset(), settings)
    if settings.trusted_root is None:
        raise RefusedError(
            Check.SIGNATURES, "it was signed with a certificate, and this gate has no `identities`"
        )
    found = _keyless(thing, settings, now)
    return Verified(
        payload=payload, digest=thing.digest, signers=frozenset({found.name}), keyless=(found,)
    )


def _keyless(thing: Signed, settings: SignedSettings, now: datetime) -> "Keyless":
    try:
        from tidegate.drivers.gate.keyless import verify_keyless
    except ModuleNotFoundError as exc:
        assert not (exc.name or "").startswith("tidegate"), f"our own {exc.name} is missing"
        raise UnreadableError(
            "certificates can't be verified on this server: it lacks tidegate[sigstore]"
        ) from exc
    return verify_keyless(thing, settings.identities, settings.trusted_root or {}, now)


def _both(one: Verified, other: Verified) -> Verified:
    return Verified(
        payload=one.payload,
        digest=one.digest,
        signers=one.signers | other.signers,
        keyless=one.keyless + other.keyless,
    )


def _enough(one: Verified, settings: SignedSettings) -> Verified | RefusedError:
    return one if len(one.signers) >= settings.threshold else _too_few(one.signers, settings)


def _too_few(by: frozenset[str], settings: SignedSettings) -> RefusedError:
    one, several = (
        ("a trusted key or identity", "trusted keys and identities")
        if settings.identities
        else ("a trusted key", "trusted keys")
    )
    wanted = one if settings.threshold == 1 else f"{settings.threshold} {several}"
    return RefusedError(
        Check.SIGNATURES, f"it isn't signed by {wanted}, but by {', '.join(sorted(by)) or 'none'}"
    )
