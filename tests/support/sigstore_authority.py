"""
A Sigstore instance of our own for tests: it certifies, logs, and signs checkpoints as the real ones do.

Everything is made of fixed keys that only tests know. Whatever a test wants broken is a word of
`Instance.bundle`, or changed in the JSON afterwards; what isn't named is sound.
"""

import json
import struct
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.asn1 import encode_der
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from signed_statements import IN_TOTO, encoded, payload_of, text
from timestamp_authority import Timestamps

from tidegate.testing.builders import START

GITHUB = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/example/build/.github/workflows/release.yml@refs/tags/v1"
SOURCE = "https://github.com/example/shop"
STARTED = f"{SOURCE}/.github/workflows/ship.yml@refs/heads/main"

SIGNED_AT = START - timedelta(hours=1)
LASTS = timedelta(minutes=10)

SCT_LIST = "1.3.6.1.4.1.11129.2.4.2"
FULCIO = "1.3.6.1.4.1.57264.1"

CLAIMS: dict[int, str] = {
    8: GITHUB,
    11: "github-hosted",
    12: SOURCE,
    14: "refs/heads/main",
    18: STARTED,
}
"""What a certificate says by default, by the last number of its identifier."""

Key = ec.EllipticCurvePrivateKey


def key(number: int, curve: ec.EllipticCurve | None = None) -> Key:
    """Return the private key that stands for *number*."""
    return ec.derive_private_key(2**199 + number, curve or ec.SECP256R1())


def der(public: Any) -> bytes:
    """Return a public key as DER."""
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(by: Key, message: bytes) -> bytes:
    """Return the ECDSA signature of *by* over *message*, with SHA-256."""
    return by.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))


SIGNER = key(1)


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One instance; another `number` has other keys, and nothing to do with this one."""

    number: int = 0
    valid_from: datetime = START - timedelta(days=365)
    authority: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "authority", self._authority())

    @property
    def authority_key(self) -> Key:
        """The key that signs certificates."""
        return key(1000 * self.number + 10)

    @property
    def certificate_log(self) -> Key:
        """The key of the log of certificates."""
        return key(1000 * self.number + 11)

    @property
    def log(self) -> Key:
        """The key of the log of signatures."""
        return key(1000 * self.number + 12)

    @property
    def timestamps(self) -> Timestamps:
        """Its authority for timestamps."""
        return Timestamps(valid_from=self.valid_from, number=self.number)

    def root(self) -> dict[str, Any]:
        """Return its trusted root."""
        certificate = text(self.authority.public_bytes(Encoding.DER))
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "certificateAuthorities": [
                {
                    "subject": {"organization": "example", "commonName": "authority"},
                    "uri": "https://authority.example",
                    "certChain": {"certificates": [{"rawBytes": certificate}]},
                    "validFor": self._valid(),
                }
            ],
            "tlogs": [self._log("https://log.example", self.log)],
            "ctlogs": [self._log("https://certificates.example", self.certificate_log)],
            "timestampAuthorities": [self.timestamps.member()],
        }

    def bundle(
        self,
        statement: Any,
        *,
        artifact_digest: str = "",
        signer: Key = SIGNER,
        certificate: x509.Certificate | None = None,
        signature: bytes | None = None,
        payload_type: str = IN_TOTO,
        signed_at: datetime = SIGNED_AT,
        body: dict[str, Any] | None = None,
        log: Key | None = None,
        **about: Any,
    ) -> dict[str, Any]:
        """
        Return a bundle of *statement*, or of the bytes with *artifact_digest* (in hex) where that is given.

        Args:
            statement: What is signed, as in `signed_statements.envelope`.
            artifact_digest: Sign bytes instead of a statement; their SHA-256.
            signer: Whose signature it is.
            certificate: Another one than `self.certificate(**about)`.
            signature: Another one than that of *signer*.
            payload_type: That of the envelope.
            signed_at: When the log says to have taken it in.
            body: What the log holds; by default what belongs to the rest.
            log: Another key than that of the log.
            about: What is said in the certificate.
        """
        certified = certificate or self.certificate(**about)
        payload = payload_of(statement)
        if artifact_digest:
            hashed = bytes.fromhex(artifact_digest)
            made = signature or signer.sign(
                hashed, ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True)
            )
            content: dict[str, Any] = {
                "messageSignature": {
                    "messageDigest": {"algorithm": "SHA2_256", "digest": text(hashed)},
                    "signature": text(made),
                }
            }
            held = body or bytes_body(artifact_digest, made, certified)
        else:
            made = signature or sign(signer, encoded(payload, payload_type))
            content = {
                "dsseEnvelope": {
                    "payloadType": payload_type,
                    "payload": text(payload),
                    "signatures": [{"sig": text(made)}],
                }
            }
            held = body or statement_body(payload, made, certified)
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": text(certified.public_bytes(Encoding.DER))},
                "tlogEntries": [log_entry(held, log or self.log, signed_at)],
            },
            **content,
        }

    def stamped(
        self,
        statement: Any,
        *,
        stamps: tuple[tuple[Timestamps, datetime], ...] = (),
        stamped: bytes | None = None,
        body: dict[str, Any] | None = None,
        **about: Any,
    ) -> dict[str, Any]:
        """
        Return a bundle of *statement* as with a log that promises no times (Rekor v2).

        Args:
            statement: What is signed.
            stamps: Which authorities say when; by default that of this instance.
            stamped: What they saw, by default the signature.
            body: What the log holds; by default what belongs to the rest.
            about: What is said in the certificate.
        """
        certificate = self.certificate(**about)
        message = encoded(payload_of(statement))
        made = sign(SIGNER, message)
        held = body or hashed_body(message, made, certificate)
        bundle = self.bundle(statement, certificate=certificate, signature=made, body=held)
        material = bundle["verificationMaterial"]
        for promised in ("integratedTime", "inclusionPromise"):
            del material["tlogEntries"][0][promised]
        material["timestampVerificationData"] = {
            "rfc3161Timestamps": [
                {"signedTimestamp": text(by.stamp(stamped or made, at))}
                for by, at in stamps or ((self.timestamps, SIGNED_AT),)
            ]
        }
        return bundle

    def certificate(
        self,
        *,
        subjects: tuple[x509.GeneralName, ...] = (x509.UniformResourceIdentifier(WORKFLOW),),
        claims: dict[int, str] | None = None,
        old_issuer: str = GITHUB,
        begins: datetime = SIGNED_AT - timedelta(minutes=1),
        lasts: timedelta = LASTS,
        use: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
        may_sign: bool = True,
        is_authority: bool = False,
        certified: Key = SIGNER,
        by: Key | None = None,
        certificate_log: Key | None = None,
        scts: int = 1,
        extra: tuple[tuple[str, bytes], ...] = (),
    ) -> x509.Certificate:
        """Return a certificate for *certified*, logged in the log of certificates *scts* times."""
        ca = by or self.authority_key
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.authority.subject)
            .public_key(certified.public_key())
            .serial_number(7)
            .not_valid_before(begins)
            .not_valid_after(begins + lasts)
            .add_extension(
                _usage(digital_signature=may_sign, key_cert_sign=is_authority), critical=True
            )
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(certified.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority_key.public_key()),
                critical=False,
            )
        )
        if is_authority:
            basic = x509.BasicConstraints(ca=True, path_length=None)
            builder = builder.add_extension(basic, critical=True)
        if subjects:
            names = x509.SubjectAlternativeName(subjects)
            builder = builder.add_extension(names, critical=True)
        said = [(f"{FULCIO}.1", old_issuer.encode())] if old_issuer else []
        said += [
            (f"{FULCIO}.{number}", encode_der(value))
            for number, value in (CLAIMS if claims is None else claims).items()
        ]
        for identifier, value in (*said, *extra):
            builder = builder.add_extension(_unknown(identifier, value), critical=False)
        if not scts:
            return builder.sign(ca, SHA256(), ecdsa_deterministic=True)
        first = builder.sign(ca, SHA256(), ecdsa_deterministic=True)
        promise = self._promise(first, certificate_log or self.certificate_log, begins)
        listed = struct.pack("!H", len(promise)) + promise
        listed = struct.pack("!H", scts * len(listed)) + scts * listed
        return builder.add_extension(_unknown(SCT_LIST, encode_der(listed)), critical=False).sign(
            ca, SHA256(), ecdsa_deterministic=True
        )

    def _promise(self, certificate: x509.Certificate, log: Key, at: datetime) -> bytes:
        """Return the timestamp by which *log* promises to hold *certificate* (RFC 6962, 3.2)."""
        tbs = certificate.tbs_certificate_bytes
        milliseconds = int(at.timestamp() * 1000)
        signed = (
            struct.pack("!BBQH", 0, 0, milliseconds, 1)
            + sha256(der(self.authority_key.public_key())).digest()
            + len(tbs).to_bytes(3, "big")
            + tbs
            + b"\0\0"
        )
        made = sign(log, signed)
        return (
            b"\0"
            + sha256(der(log.public_key())).digest()
            + struct.pack("!QHBBH", milliseconds, 0, 4, 3, len(made))
            + made
        )

    def _authority(self) -> x509.Certificate:
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "example"),
                x509.NameAttribute(NameOID.COMMON_NAME, "authority"),
            ]
        )
        public = self.authority_key.public_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(1)
            .not_valid_before(self.valid_from)
            .not_valid_after(self.valid_from + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(digital_signature=False, key_cert_sign=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(self.authority_key, SHA256(), ecdsa_deterministic=True)
        )

    def _log(self, address: str, of: Key) -> dict[str, Any]:
        public = der(of.public_key())
        return {
            "baseUrl": address,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": text(public),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": self._valid(),
            },
            "logId": {"keyId": text(sha256(public).digest())},
        }

    def _valid(self) -> dict[str, str]:
        return {"start": self.valid_from.strftime("%Y-%m-%dT%H:%M:%SZ")}


def statement_body(payload: bytes, made: bytes, certificate: x509.Certificate) -> dict[str, Any]:
    """Return what the log holds of a signed statement."""
    return {
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": {"algorithm": "sha256", "value": sha256(payload).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": sha256(payload).hexdigest()},
            "signatures": [{"signature": text(made), "verifier": _pem(certificate)}],
        },
    }


def bytes_body(digest: str, made: bytes, certificate: x509.Certificate) -> dict[str, Any]:
    """Return what the log holds of signed bytes."""
    return {
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": digest}},
            "signature": {"content": text(made), "publicKey": {"content": _pem(certificate)}},
        },
    }


def hashed_body(message: bytes, made: bytes, certificate: x509.Certificate) -> dict[str, Any]:
    """Return what a log of the second version holds of a signed statement."""
    verifier = {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "x509Certificate": {"rawBytes": text(certificate.public_bytes(Encoding.DER))},
    }
    return {
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {
            "hashedRekordV002": {
                "data": {"algorithm": "SHA2_256", "digest": text(sha256(message).digest())},
                "signature": {"content": text(made), "verifier": verifier},
            }
        },
    }


def log_entry(body: dict[str, Any], log: Key, at: datetime) -> dict[str, Any]:
    """Return the entry of *log* that holds *body*, third of five, with its proof and its promise."""
    held = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    index = 2
    leaves = [held if place == index else b"other %d" % place for place in range(5)]
    log_id = sha256(der(log.public_key())).digest()
    promised = {
        "body": text(held),
        "integratedTime": int(at.timestamp()),
        "logID": log_id.hex(),
        "logIndex": index,
    }
    promise = sign(log, json.dumps(promised, sort_keys=True, separators=(",", ":")).encode())
    return {
        "logIndex": str(index),
        "logId": {"keyId": text(log_id)},
        "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
        "integratedTime": str(int(at.timestamp())),
        "inclusionPromise": {"signedEntryTimestamp": text(promise)},
        "inclusionProof": {
            "logIndex": str(index),
            "rootHash": text(tree_hash(leaves)),
            "treeSize": str(len(leaves)),
            "hashes": [text(one) for one in path(index, leaves)],
            "checkpoint": {"envelope": checkpoint(log, len(leaves), tree_hash(leaves))},
        },
        "canonicalizedBody": text(held),
    }


def checkpoint(log: Key, size: int, root: bytes, named: Key | None = None) -> str:
    """Return the note by which *log* signs its state, under the id of *named*."""
    note = f"log.example - 1\n{size}\n{text(root)}\n"
    hint = sha256(der((named or log).public_key())).digest()[:4]
    return f"{note}\n\u2014 log.example {text(hint + sign(log, note.encode()))}\n"


def tree_hash(leaves: list[bytes]) -> bytes:
    """Return the hash of the tree over *leaves* (RFC 6962, 2.1)."""
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    left, right = _halves(leaves)
    return sha256(b"\1" + tree_hash(left) + tree_hash(right)).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """Return the proof that the leaf at *index* is in the tree (RFC 6962, 2.1.1)."""
    if len(leaves) == 1:
        return []
    left, right = _halves(leaves)
    if index < len(left):
        return [*path(index, left), tree_hash(right)]
    return [*path(index - len(left), right), tree_hash(left)]


def _halves(leaves: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    return leaves[:middle], leaves[middle:]


def _pem(certificate: x509.Certificate) -> str:
    return b64encode(certificate.public_bytes(Encoding.PEM)).decode()


def _unknown(identifier: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(identifier), value)


def _usage(*, digital_signature: bool, key_cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=not digital_signature and not key_cert_sign,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )
