"""Signed statements about artifacts, made with keys that only tests know."""

import json
from base64 import b64encode
from copy import deepcopy
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tidegate.testing.builders import CANDIDATE

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

RELEASE = ed25519.Ed25519PrivateKey.from_private_bytes(b"1" * 32)
SECOND = ec.derive_private_key(2**200 + 7, ec.SECP256R1())
THIRD = ec.derive_private_key(2**200 + 11, ec.SECP384R1())
STRANGER = ed25519.Ed25519PrivateKey.from_private_bytes(b"9" * 32)

IN_TOTO = "application/vnd.in-toto+json"
BUILDER = "https://github.com/example/build/.github/workflows/release.yml@refs/tags/v1"
SOURCE = "https://github.com/example/shop"

PROVENANCE: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [
        {"name": "shop.whl", "digest": {"sha256": CANDIDATE.digest.removeprefix("sha256:")}}
    ],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {
                "workflow": {
                    "ref": "refs/heads/main",
                    "repository": SOURCE,
                    "path": ".github/workflows/release.yml",
                }
            },
            "internalParameters": {"github": {"event_name": "push"}},
            "resolvedDependencies": [
                {"uri": f"git+{SOURCE}@refs/heads/main", "digest": {"gitCommit": "a" * 40}}
            ],
        },
        "runDetails": {
            "builder": {"id": BUILDER},
            "metadata": {
                "invocationId": "https://github.com/example/shop/actions/runs/1/attempts/1",
                "startedOn": "2030-01-07T07:50:00Z",
                "finishedOn": "2030-01-07T08:00:00Z",
            },
        },
    },
}


def public(key: PrivateKey) -> str:
    """Return the public half of *key* as PEM."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def changed(statement: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of *statement* with *value* at the dotted *path*; nothing there for `...`."""
    copy = deepcopy(statement)
    holder: Any = copy
    *above, last = path.split(".")
    for step in above:
        holder = holder[int(step)] if step.isdigit() else holder[step]
    key: Any = int(last) if last.isdigit() else last
    if value is ...:
        del holder[key]
    else:
        holder[key] = value
    return copy


def payload_of(statement: Any) -> bytes:
    """Return the bytes that are signed for *statement*; bytes stay as they are."""
    return statement if isinstance(statement, bytes) else json.dumps(statement).encode()


def encoded(payload: bytes, payload_type: str = IN_TOTO) -> bytes:
    """Return what DSSE signs, written down here a second time."""
    kind = payload_type.encode()
    sizes = [str(len(part)).encode() for part in (kind, payload)]
    return b" ".join([b"DSSEv1", sizes[0], kind, sizes[1], payload])


def signature(key: PrivateKey, message: bytes) -> bytes:
    """Return the signature of *key* over *message*."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    hashed = SHA256() if isinstance(key.curve, ec.SECP256R1) else SHA384()
    return key.sign(message, ec.ECDSA(hashed))


def envelope(
    statement: Any, *keys: PrivateKey, payload_type: str = IN_TOTO, **changes: Any
) -> dict[str, Any]:
    """Return the DSSE envelope of *statement* signed by *keys*, with *changes* to its own keys."""
    payload = payload_of(statement)
    return {
        "payloadType": payload_type,
        "payload": b64encode(payload).decode(),
        "signatures": [
            {"keyid": "", "sig": text(signature(key, encoded(payload, payload_type)))}
            for key in keys or (RELEASE,)
        ],
        **changes,
    }


def text(content: bytes) -> str:
    """Return *content* as base64."""
    return b64encode(content).decode()
