"""Bundles made with a certificate pass when everything about them is sound, and only then."""

import subprocess
import sys
from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from gate_questions import a_change
from keyless_gates import (
    EXPECTED,
    INSTANCE,
    RELEASE_WORKFLOW,
    SETTINGS,
    ask_provenance,
    ask_signature,
    sent,
)
from signed_statements import (
    PROVENANCE,
    RELEASE,
    changed,
    encoded,
    envelope,
    payload_of,
    public,
    text,
)
from sigstore_authority import (
    CLAIMS,
    GITHUB,
    SIGNED_AT,
    SIGNER,
    WORKFLOW,
    Instance,
    checkpoint,
    hashed_body,
    key,
    log_entry,
    sign,
    statement_body,
    tree_hash,
)

from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.quantities import Version
from tidegate.testing.builders import CANDIDATE, START

GREEN, RED, UNKNOWN = GateVerdict.GREEN, GateVerdict.RED, GateVerdict.UNKNOWN

DIGEST = CANDIDATE.digest.removeprefix("sha256:")
OTHER = "f" * 64
STRANGER = key(99)
ELSEWHERE = Instance(number=1)

GOOD = INSTANCE.bundle(PROVENANCE)
BYTES = INSTANCE.bundle(None, artifact_digest=DIGEST)
STAMPED = INSTANCE.stamped(PROVENANCE)

CERTIFICATE = INSTANCE.certificate()
PAYLOAD = payload_of(PROVENANCE)
MADE = b64decode(GOOD["dsseEnvelope"]["signatures"][0]["sig"])

ENTRY = "verificationMaterial.tlogEntries.0"
PROOF = f"{ENTRY}.inclusionProof"
STAMPS = "verificationMaterial.timestampVerificationData.rfc3161Timestamps"
NOTE = GOOD["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"]
URL = x509.UniformResourceIdentifier
OLD = "application/vnd.dev.sigstore.bundle+json;version="


def older(version: str) -> dict[str, Any]:
    """Return the good bundle in an older form, with a chain in place of a certificate."""
    material = {**GOOD["verificationMaterial"]}
    material["x509CertificateChain"] = {"certificates": [material.pop("certificate")]}
    return {**GOOD, "mediaType": f"{OLD}{version}", "verificationMaterial": material}


def flipped(content: str) -> str:
    """Return base64 in which one bit in the middle is another."""
    raw = bytearray(b64decode(content))
    raw[len(raw) // 2] ^= 1
    return text(bytes(raw))


def with_another(path: str, of: Any = GOOD) -> dict[str, Any]:
    """Return *of* with one bit turned in the base64 at *path*."""
    value: Any = of
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else value[step]
    return changed(of, path, flipped(value))


def rogue_entry() -> dict[str, Any]:
    """Return an entry of another log that says to be one of ours."""
    entry = log_entry(statement_body(PAYLOAD, MADE, CERTIFICATE), ELSEWHERE.log, SIGNED_AT)
    return {**entry, "logId": GOOD["verificationMaterial"]["tlogEntries"][0]["logId"]}


SOUND = {
    "as tools write it today": GOOD,
    "with a signature over the artifact's bytes": BYTES,
    "with a timestamp in place of the log's": STAMPED,
    "with a timestamp as well": changed(
        GOOD,
        "verificationMaterial.timestampVerificationData",
        {
            "rfc3161Timestamps": [
                {"signedTimestamp": text(INSTANCE.timestamps.stamp(MADE, SIGNED_AT))}
            ]
        },
    ),
    "in a bundle of version 0.1": older("0.1"),
    "in a bundle of version 0.2": older("0.2"),
    "in the other spelling of version 0.3": {**GOOD, "mediaType": f"{OLD}0.3"},
    "signed as soon as its certificate was good": INSTANCE.bundle(PROVENANCE, begins=SIGNED_AT),
    "without the issuer in its older place": INSTANCE.bundle(PROVENANCE, old_issuer=""),
    "with a null for a predicate": INSTANCE.bundle(
        {
            **PROVENANCE,
            "predicateType": "https://in-toto.io/attestation/release/v0.1",
            "predicate": None,
        }
    ),
    "beside one that is worth nothing": b"\n".join(
        [sent(with_another(f"{ENTRY}.canonicalizedBody")), sent(GOOD)]
    ),
}

REFUSED: dict[str, tuple[Any, str, str]] = {
    # The bundle.
    "an unknown version": (
        {**GOOD, "mediaType": "application/vnd.dev.sigstore.bundle.v0.9+json"},
        "bundle",
        "0.1, 0.2 and 0.3 are verified",
    ),
    "an unknown key": ({**GOOD, "extra": 1}, "bundle", "isn't as its version says, at `extra`"),
    "nested without end": (
        sent(GOOD).replace(b'"mediaType"', b'"x": %b, "mediaType"' % (b"[" * 700 + b"]" * 700), 1),
        "bundle",
        "nested too deeply",
    ),
    "nested a little": (
        sent(GOOD).replace(b'"mediaType"', b'"x": %b, "mediaType"' % (b"[" * 300 + b"]" * 300), 1),
        "bundle",
        "",
    ),
    "a key in another spelling": (
        changed(GOOD, f"{ENTRY}.integrated_time", "1"),
        "bundle",
        "spelling",
    ),
    "a certificate that can't be read": (
        changed(GOOD, "verificationMaterial.certificate.rawBytes", "QUJD"),
        "certificate",
        "its certificate can't be read",
    ),
    "a certificate in the place of an older version": (
        {**older("0.2"), "mediaType": GOOD["mediaType"]},
        "bundle",
        "no certificate where its version has it",
    ),
    "no log entry": (
        changed(GOOD, "verificationMaterial.tlogEntries", []),
        "bundle",
        "exactly one log entry",
    ),
    "two log entries": (
        changed(
            GOOD,
            "verificationMaterial.tlogEntries",
            GOOD["verificationMaterial"]["tlogEntries"] * 2,
        ),
        "bundle",
        "exactly one log entry",
    ),
    "no proof of inclusion": (
        changed(GOOD, PROOF, ...),
        "bundle",
        "at `verificationMaterial.tlogEntries.0.inclusionProof`",
    ),
    "no checkpoint": (
        changed(GOOD, f"{PROOF}.checkpoint", ...),
        "bundle",
        "no proof that a log holds",
    ),
    "a log entry of an unknown version": (
        changed(GOOD, f"{ENTRY}.kindVersion.version", "0.0.7"),
        "bundle",
        "version that isn't known",
    ),
    "an envelope with two signatures": (
        changed(GOOD, "dsseEnvelope.signatures", GOOD["dsseEnvelope"]["signatures"] * 2),
        "bundle",
        "exactly one signature",
    ),
    "an envelope without a signature": (
        changed(GOOD, "dsseEnvelope.signatures", []),
        "bundle",
        "exactly one signature",
    ),
    "bytes without their digest": (
        changed(BYTES, "messageSignature.messageDigest", ...),
        "bundle",
        "doesn't say the SHA-256",
    ),
    "bytes with a digest of another kind": (
        changed(BYTES, "messageSignature.messageDigest.algorithm", "SHA2_512"),
        "bundle",
        "doesn't say the SHA-256",
    ),
    # The time.
    "no time": (changed(STAMPED, STAMPS, []), "time", "proves when it was signed"),
    "a time that the log didn't promise": (
        changed(GOOD, f"{ENTRY}.inclusionPromise", ...),
        "time",
        "proves when it was signed",
    ),
    "a time that isn't a number": (
        changed(GOOD, f"{ENTRY}.integratedTime", "soon"),
        "bundle",
        "at `verificationMaterial.tlogEntries.0.integratedTime`",
    ),
    "a time beyond all years": (
        changed(GOOD, f"{ENTRY}.integratedTime", "9" * 18),
        "time",
        "can't be read",
    ),
    "signed after its certificate": (
        INSTANCE.bundle(PROVENANCE, signed_at=SIGNED_AT + timedelta(minutes=10)),
        "time",
        "its certificate is good from 2030-01-07T07:59:00Z until 2030-01-07T08:09:00Z",
    ),
    "signed before its certificate": (
        INSTANCE.bundle(PROVENANCE, signed_at=SIGNED_AT - timedelta(minutes=2)),
        "time",
        "it was signed at 2030-01-07T07:58:00Z",
    ),
    "signed in the future": (
        INSTANCE.bundle(
            PROVENANCE, signed_at=START + timedelta(hours=1), begins=START + timedelta(hours=1)
        ),
        "time",
        "in the future",
    ),
    "stamped after its certificate": (
        INSTANCE.stamped(
            PROVENANCE, stamps=((INSTANCE.timestamps, SIGNED_AT + timedelta(minutes=30)),)
        ),
        "time",
        "its certificate is good",
    ),
    "one of two timestamps is after its certificate": (
        INSTANCE.stamped(
            PROVENANCE,
            stamps=(
                (INSTANCE.timestamps, SIGNED_AT),
                (INSTANCE.timestamps, SIGNED_AT + timedelta(minutes=30)),
            ),
        ),
        "time",
        "its certificate is good",
    ),
    "stamped by a stranger": (
        INSTANCE.stamped(PROVENANCE, stamps=((ELSEWHERE.timestamps, SIGNED_AT),)),
        "time",
        "proves when it was signed",
    ),
    "a timestamp of something else": (
        INSTANCE.stamped(PROVENANCE, stamped=b"something else"),
        "time",
        "proves when it was signed",
    ),
    "a timestamp twice": (
        INSTANCE.stamped(PROVENANCE, stamps=((INSTANCE.timestamps, SIGNED_AT),) * 2),
        "time",
        "twice",
    ),
    "a timestamp that is none": (
        changed(STAMPED, f"{STAMPS}.0.signedTimestamp", "QUJD"),
        "time",
        "its timestamp can't be read",
    ),
    # The certificate.
    "certified by a stranger": (
        ELSEWHERE.bundle(PROVENANCE),
        "certificate",
        "isn't from an authority of the trusted root",
    ),
    "signed by a stranger in the authority's name": (
        INSTANCE.bundle(PROVENANCE, by=STRANGER),
        "certificate",
        "isn't from an authority of the trusted root",
    ),
    "one bit of the certificate turned": (
        with_another("verificationMaterial.certificate.rawBytes"),
        "certificate",
        "",
    ),
    "a certificate for servers": (
        INSTANCE.bundle(PROVENANCE, use=ExtendedKeyUsageOID.SERVER_AUTH),
        "certificate",
        "isn't for signing code",
    ),
    "a certificate that may not sign": (
        INSTANCE.bundle(PROVENANCE, may_sign=False),
        "certificate",
        "isn't for signing",
    ),
    "the certificate of an authority": (
        INSTANCE.bundle(PROVENANCE, is_authority=True),
        "certificate",
        "",
    ),
    "a certificate with two names": (
        INSTANCE.bundle(PROVENANCE, subjects=(URL(WORKFLOW), URL("https://evil.example/x"))),
        "certificate",
        "2 names",
    ),
    "a certificate without a name": (
        INSTANCE.bundle(PROVENANCE, subjects=()),
        "certificate",
        "",
    ),
    "a certificate for a host": (
        INSTANCE.bundle(PROVENANCE, subjects=(x509.DNSName("github.com"),)),
        "certificate",
        "another kind of name",
    ),
    "a certificate with two issuers": (
        INSTANCE.bundle(PROVENANCE, old_issuer="https://evil.example"),
        "certificate",
        "names two issuers",
    ),
    "a claim that can't be read": (
        INSTANCE.bundle(
            PROVENANCE,
            claims={one: value for one, value in CLAIMS.items() if one != 14},
            extra=(("1.3.6.1.4.1.57264.1.14", b"\x0c\x7fshort"),),
        ),
        "certificate",
        "can't be read",
    ),
    # The log of certificates.
    "a certificate that no log has": (
        INSTANCE.bundle(PROVENANCE, scts=0),
        "certificate log",
        "no log of certificates",
    ),
    "a certificate in a stranger's log": (
        INSTANCE.bundle(PROVENANCE, certificate_log=STRANGER),
        "certificate log",
        "no log of certificates",
    ),
    "a certificate that is logged twice": (
        INSTANCE.bundle(PROVENANCE, scts=2),
        "certificate log",
        "no log of certificates",
    ),
    # The identity.
    "another issuer": (
        INSTANCE.bundle(
            PROVENANCE,
            claims={**CLAIMS, 8: "https://accounts.example"},
            old_issuer="https://accounts.example",
        ),
        "identity",
        "`https://accounts.example` vouches for",
    ),
    "no issuer": (
        INSTANCE.bundle(
            PROVENANCE,
            claims={one: value for one, value in CLAIMS.items() if one != 8},
            old_issuer="",
        ),
        "identity",
        "vouches for",
    ),
    "another subject": (
        INSTANCE.bundle(PROVENANCE, subjects=(URL(WORKFLOW.replace("example", "mallory")),)),
        "identity",
        "it was signed by `https://github.com/mallory/",
    ),
    "a subject that begins alike": (
        INSTANCE.bundle(PROVENANCE, subjects=(URL(WORKFLOW + "0"),)),
        "identity",
        "it was signed by",
    ),
    "the subject as an address of mail": (
        INSTANCE.bundle(PROVENANCE, subjects=(x509.RFC822Name("release@example.com"),)),
        "identity",
        "it was signed by `release@example.com`",
    ),
    **{
        f"another {what}": (
            INSTANCE.bundle(PROVENANCE, claims={**CLAIMS, number: value}),
            "identity",
            because,
        )
        for what, number, value, because in (
            ("source", 12, "https://github.com/mallory/shop", "for the source"),
            ("ref", 14, "refs/pull/7/merge", "for the ref `refs/pull/7/merge`"),
            ("workflow", 18, "https://github.com/example/shop/evil.yml@x", "in the workflow"),
            ("runner", 11, "self-hosted", "runner that is `self-hosted`"),
        )
    },
    **{
        f"nothing said of the {what}": (
            INSTANCE.bundle(
                PROVENANCE, claims={one: value for one, value in CLAIMS.items() if one != number}
            ),
            "identity",
            f"its certificate says no {what}",
        )
        for what, number in (("source", 12), ("ref", 14), ("workflow", 18), ("runner", 11))
    },
    # The log of signatures.
    "in a stranger's log": (
        INSTANCE.bundle(PROVENANCE, log=ELSEWHERE.log),
        "log",
        "isn't signed by a log of the trusted root",
    ),
    "in a stranger's log that says to be ours": (
        changed(GOOD, ENTRY, rogue_entry()),
        "log",
        "isn't signed by a log of the trusted root",
    ),
    "a proof that lacks a step": (
        changed(GOOD, f"{PROOF}.hashes.0", ...),
        "log",
        "doesn't add up",
    ),
    "a proof with another step": (with_another(f"{PROOF}.hashes.1"), "log", "doesn't add up"),
    "a proof of another place": (
        changed(GOOD, f"{PROOF}.logIndex", "1"),
        "log",
        "doesn't add up",
    ),
    "a proof for another root": (with_another(f"{PROOF}.rootHash"), "log", "doesn't add up"),
    "a checkpoint of another state": (
        changed(
            GOOD,
            f"{PROOF}.checkpoint.envelope",
            checkpoint(INSTANCE.log, 5, tree_hash([b"another"] * 5)),
        ),
        "log",
        "another state of the log",
    ),
    "a checkpoint by a stranger": (
        changed(
            GOOD,
            f"{PROOF}.checkpoint.envelope",
            checkpoint(
                STRANGER,
                5,
                b64decode(
                    GOOD["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["rootHash"]
                ),
                named=INSTANCE.log,
            ),
        ),
        "log",
        "isn't signed by a log of the trusted root",
    ),
    "a checkpoint without its signature": (
        changed(GOOD, f"{PROOF}.checkpoint.envelope", NOTE.split("\n\n")[0] + "\n"),
        "log",
        "can't be read",
    ),
    "a promise by a stranger": (
        with_another(f"{ENTRY}.inclusionPromise.signedEntryTimestamp"),
        "log",
        "",
    ),
    "a time that the promise isn't for": (
        changed(GOOD, f"{ENTRY}.integratedTime", str(int(SIGNED_AT.timestamp()) + 1)),
        "log",
        "the time of its log entry isn't signed",
    ),
    # The signature.
    "signed with another key": (
        INSTANCE.bundle(PROVENANCE, signer=STRANGER, certificate=CERTIFICATE),
        "signatures",
        "isn't by its certificate",
    ),
    "one bit of the signature turned": (
        with_another("dsseEnvelope.signatures.0.sig"),
        "signatures",
        "isn't by its certificate",
    ),
    "another statement in the envelope": (
        changed(GOOD, "dsseEnvelope.payload", text(PAYLOAD.replace(b"main", b"evil"))),
        "signatures",
        "isn't by its certificate",
    ),
    "signed without the envelope's encoding": (
        INSTANCE.bundle(PROVENANCE, signature=sign(SIGNER, PAYLOAD)),
        "signatures",
        "isn't by its certificate",
    ),
    "other bytes": (
        changed(BYTES, "messageSignature.messageDigest.digest", text(b"f" * 32)),
        "signatures",
        "isn't by its certificate",
    ),
    "one bit of the signature over bytes turned": (
        with_another("messageSignature.signature", BYTES),
        "signatures",
        "isn't by its certificate",
    ),
    "another payload type": (
        INSTANCE.bundle(PROVENANCE, payload_type="text/plain"),
        "payload type",
        "`text/plain` was signed",
    ),
    # What the log holds.
    "the log holds another statement": (
        INSTANCE.bundle(PROVENANCE, body=statement_body(b"another", MADE, CERTIFICATE)),
        "log entry",
        "the signature of another statement",
    ),
    "the log holds another signature": (
        INSTANCE.bundle(
            PROVENANCE, body=statement_body(PAYLOAD, sign(STRANGER, PAYLOAD), CERTIFICATE)
        ),
        "log entry",
        "another signature",
    ),
    "the log holds another certificate": (
        INSTANCE.bundle(
            PROVENANCE, body=statement_body(PAYLOAD, MADE, INSTANCE.certificate(certified=STRANGER))
        ),
        "log entry",
        "another signature",
    ),
    "the log holds bytes in place of a statement": (
        changed(GOOD, ENTRY, BYTES["verificationMaterial"]["tlogEntries"][0]),
        "log entry",
        "isn't one for statements",
    ),
    "the log holds a statement in place of bytes": (
        changed(BYTES, ENTRY, GOOD["verificationMaterial"]["tlogEntries"][0]),
        "log entry",
        "isn't one for bytes",
    ),
    "the log holds other bytes": (
        changed(
            BYTES,
            ENTRY,
            INSTANCE.bundle(None, artifact_digest=OTHER)["verificationMaterial"]["tlogEntries"][0],
        ),
        "log entry",
        "another signature",
    ),
    "a log of the second version holds another statement": (
        INSTANCE.stamped(PROVENANCE, body=hashed_body(b"another", MADE, CERTIFICATE)),
        "log entry",
        "another signature",
    ),
    # The statement.
    "about another artifact": (
        INSTANCE.bundle(changed(PROVENANCE, "subject.0.digest.sha256", OTHER)),
        "subject",
        f"nothing that was signed is about sha256:{DIGEST}",
    ),
    "over another artifact's bytes": (
        INSTANCE.bundle(None, artifact_digest=OTHER),
        "subject",
        f"nothing that was signed is about sha256:{DIGEST}",
    ),
    "no statement": (INSTANCE.bundle({"_type": "x"}), "statement type", "isn't an in-toto"),
    "a statement that says something else": (
        INSTANCE.bundle({**PROVENANCE, "predicateType": "https://spdx.dev/Document"}),
        "predicate type",
        "isn't asked for",
    ),
}


@pytest.mark.parametrize("bundle", SOUND.values(), ids=SOUND)
async def test_a_sound_bundle_passes(bundle: Any) -> None:
    """The good twin of all that is refused, in every form that tools write."""
    answer = await ask_signature(bundle)

    assert answer.verdict is GREEN, answer.because
    assert ("code: signed by", "release") in answer.facts
    assert ("code: release is", WORKFLOW) in answer.facts
    assert ("code: release by", GITHUB) in answer.facts
    assert ("code: release signed at", "2030-01-07T08:00:00Z") in answer.facts


@pytest.mark.parametrize(("bundle", "check", "because"), REFUSED.values(), ids=REFUSED)
async def test_each_broken_check_is_refused_with_its_reason(
    bundle: Any, check: str, because: str
) -> None:
    """One thing is wrong with each, and that is what is told."""
    answer = await ask_signature(bundle)

    assert answer.verdict is RED, answer.because
    assert (dict(answer.facts)["failed check"], because in answer.because) == (check, True), (
        answer.because
    )


def narrowed(path: str, value: Any) -> dict[str, Any]:
    """Return the settings with another trusted root."""
    return {**SETTINGS, "trusted_root": changed(INSTANCE.root(), path, value)}


BEFORE = "2030-01-07T07:00:00Z"
AFTER = "2030-01-07T08:30:00Z"


@pytest.mark.parametrize(
    ("path", "check"),
    [
        ("certificateAuthorities.0.validFor", "certificate"),
        ("ctlogs.0.publicKey.validFor", "certificate log"),
        ("tlogs.0.publicKey.validFor", "log"),
    ],
)
async def test_a_root_counts_only_in_its_time(path: str, check: str) -> None:
    """A key that was withdrawn, or wasn't in use yet, proves nothing about that time."""
    for period in ({"start": AFTER}, {"start": "2029-01-01T00:00:00Z", "end": BEFORE}):
        answer = await ask_signature(GOOD, settings=narrowed(path, period))

        assert answer.verdict is RED
        assert dict(answer.facts)["failed check"] == check
    ended = narrowed(path, {"start": "2029-01-01T00:00:00Z", "end": AFTER})
    assert (await ask_signature(GOOD, settings=ended)).verdict is GREEN


async def test_timestamps_count_only_in_the_time_of_their_authority() -> None:
    """The authority for timestamps was withdrawn an hour before."""
    withdrawn = INSTANCE.timestamps.member(ends=SIGNED_AT - timedelta(hours=1))

    answer = await ask_signature(STAMPED, settings=narrowed("timestampAuthorities.0", withdrawn))

    assert answer.verdict is RED
    assert dict(answer.facts)["failed check"] == "time"


async def test_a_root_that_the_library_refuses_holds() -> None:
    """Not knowing by what to verify isn't an answer about the artifact."""
    answer = await ask_signature(GOOD, settings=narrowed("surprise", True))

    assert answer.verdict is UNKNOWN
    assert "the trusted root of this gate can't be used" in answer.because


async def test_a_signature_over_bytes_says_nothing_about_a_build() -> None:
    """Provenance wants a statement, and takes the good one."""
    answer = await ask_provenance(BYTES)

    assert answer.verdict is RED
    assert dict(answer.facts)["failed check"] == "predicate type"
    assert (await ask_provenance(GOOD)).verdict is GREEN


async def test_a_signature_over_bytes_counts_only_where_plain_signatures_do() -> None:
    """Who asks for a release statement gets one."""
    settings = {**SETTINGS, "predicate_types": "https://in-toto.io/attestation/release/v0.1"}

    assert (await ask_signature(BYTES, settings=settings)).verdict is RED


async def test_bytes_signed_with_a_key_are_refused_with_what_to_do() -> None:
    """A bundle of a key has no certificate, and keys sign statements."""
    bundle = {**BYTES, "verificationMaterial": {"publicKey": {"hint": "x"}}}

    answer = await ask_signature(bundle, settings={**SETTINGS, "keys": {"old": public(RELEASE)}})

    assert answer.verdict is RED
    assert "only signed statements are verified" in answer.because


async def test_a_certificate_is_nothing_to_a_gate_of_keys() -> None:
    """Identities must be named by somebody."""
    answer = await ask_signature(GOOD, settings={"keys": {"release": public(RELEASE)}})

    assert answer.verdict is RED
    assert "this gate has no `identities`" in answer.because


SECOND = {**RELEASE_WORKFLOW, "subject": "auditor@example.com"}
TWO = {
    **SETTINGS,
    "identities": {"release": RELEASE_WORKFLOW, "audit": SECOND},
    "keys": {"old": public(RELEASE)},
    "threshold": 2,
}
AUDITED = INSTANCE.bundle(PROVENANCE, subjects=(x509.RFC822Name("auditor@example.com"),))
BY_KEY = envelope(PROVENANCE, RELEASE)


@pytest.mark.parametrize(
    ("bundles", "verdict"),
    [
        ((GOOD, AUDITED), GREEN),
        ((GOOD, BY_KEY), GREEN),
        ((AUDITED, BY_KEY), GREEN),
        (
            (
                BYTES,
                INSTANCE.bundle(
                    None, artifact_digest=DIGEST, subjects=(x509.RFC822Name("auditor@example.com"),)
                ),
            ),
            GREEN,
        ),
        ((GOOD,), RED),
        ((GOOD, GOOD), RED),
        ((GOOD, INSTANCE.bundle(PROVENANCE, certified=STRANGER, signer=STRANGER)), RED),
        ((GOOD, BYTES), RED),
        (
            (
                GOOD,
                INSTANCE.bundle(
                    {**PROVENANCE, "x": 1}, subjects=(x509.RFC822Name("auditor@example.com"),)
                ),
            ),
            RED,
        ),
        ((GOOD, with_another("dsseEnvelope.signatures.0.sig", AUDITED)), RED),
    ],
)
async def test_so_many_different_signers_must_have_signed_the_same(
    bundles: tuple[Any, ...], verdict: GateVerdict
) -> None:
    """Keys and identities add up, each once, over the same bytes."""
    answer = await ask_signature(*bundles, settings=TWO)

    assert answer.verdict is verdict, answer.because


async def test_a_certificate_that_fits_two_identities_counts_once() -> None:
    """Two names for one signer don't make two of it."""
    wider = {"issuer": GITHUB, "subject": WORKFLOW}
    settings = {
        **SETTINGS,
        "identities": {"release": RELEASE_WORKFLOW, "same": wider},
        "threshold": 2,
    }

    assert (await ask_signature(GOOD, settings=settings)).verdict is RED


async def test_a_key_that_is_a_certificates_key_counts_once() -> None:
    """One signature isn't two, though a key and an identity are both it."""
    settings = {**SETTINGS, "keys": {"same": public(SIGNER)}, "threshold": 2}

    assert (await ask_signature(GOOD, settings=settings)).verdict is RED


async def test_without_times_in_provenance_the_proven_time_counts() -> None:
    """Provenance of GitHub has no times; a log has proven when it was signed."""
    timeless = INSTANCE.bundle(changed(PROVENANCE, "predicate.runDetails.metadata", {}))

    answer = await ask_provenance(timeless, settings={**EXPECTED, "max_age": "3h"})

    assert answer.verdict is GREEN, answer.because
    assert answer.lasts == timedelta(hours=2)
    assert (await ask_provenance(timeless, settings={**EXPECTED, "max_age": "50m"})).verdict is RED


async def test_each_changed_component_needs_what_is_signed_about_it() -> None:
    """One that is signed well doesn't vouch for another."""
    change = a_change(code=CANDIDATE, web=Version(name="7", digest=f"sha256:{OTHER}"))
    web = INSTANCE.bundle(None, artifact_digest=OTHER)

    assert (await ask_signature(GOOD, change=change)).verdict is RED
    assert (await ask_signature(GOOD, web, change=change)).verdict is GREEN


@pytest.mark.parametrize(
    "certified",
    [ed25519.Ed25519PrivateKey.from_private_bytes(b"5" * 32)],
)
async def test_a_certificate_for_a_key_of_another_kind_is_refused(certified: Any) -> None:
    """The library would take it for ECDSA, and stumble."""
    bundle = INSTANCE.bundle(PROVENANCE, certificate=INSTANCE.certificate(certified=certified))

    answer = await ask_signature(bundle)

    assert answer.verdict is RED
    assert "isn't ECDSA" in answer.because


async def test_a_certificate_on_another_curve_passes() -> None:
    """P-384, of which the library hashes with SHA-256 in an envelope."""
    other = key(3, ec.SECP384R1())

    answer = await ask_signature(INSTANCE.bundle(PROVENANCE, signer=other, certified=other))

    assert answer.verdict is GREEN, answer.because


def test_no_server_loads_the_library_before_a_bundle_needs_it() -> None:
    """It takes a second, and brings clients for a network that nothing here may use."""
    program = (
        "import sys, tidegate.main.serving, tidegate.drivers.gate.signature;"
        "print([name for name in sys.modules if name.split('.')[0] in ('sigstore', 'tuf', 'id')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


async def test_nothing_touches_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """With sockets and names gone, the good bundles pass and a broken one is refused."""
    touched: list[str] = []

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
            touched.append(event)
            raise OSError(f"the network was touched: {event} {arguments}")

    listening = [True]
    sys.addaudithook(refuse)
    try:
        verdicts = [(await ask_signature(one)).verdict for one in (GOOD, BYTES, STAMPED)]
        broken = (await ask_signature(ELSEWHERE.bundle(PROVENANCE))).verdict
    finally:
        listening.clear()

    assert (verdicts, broken, touched) == ([GREEN] * 3, RED, [])


async def test_a_server_without_the_library_holds_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And verifies keys all the same."""
    monkeypatch.delitem(sys.modules, "tidegate.drivers.gate.keyless", raising=False)
    monkeypatch.setitem(sys.modules, "sigstore.models", None)

    answer = await ask_signature(GOOD)
    by_key = await ask_signature(BY_KEY, settings={**SETTINGS, "keys": {"old": public(RELEASE)}})

    assert answer.verdict is UNKNOWN
    assert "tidegate[sigstore]" in answer.because
    assert by_key.verdict is GREEN


def test_the_authority_of_the_tests_makes_what_dsse_signs() -> None:
    """The good bundle's signature is over the encoding that the standard names."""
    message = encoded(PAYLOAD)

    SIGNER.public_key().verify(MADE, message, ec.ECDSA(CERTIFICATE.signature_hash_algorithm))
