"""
Signed tokens of an issuer (JWS, compact: RFC 7515): what one says, when it is the issuer's word.

Rules, each for an attack that has been seen: the algorithm is on our list and fits the key; the key is
one of the issuer's published keys and never one that the token brings or names; exactly one key fits;
no header that changes what is verified is understood; JSON says each thing once. All else is refused
with one error, which repeats nothing of the token. The claims aren't judged here.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tidegate.errors import IdentityProviderError, InvalidIdentityError

ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that can be allowed, each with the type and curve of its keys. All are asymmetric."""

LONGEST_TOKEN: Final = 16 * 1024
MOST_KEYS: Final = 100
LEAST_RSA_BITS: Final = 2048

_PART = re.compile(r"[A-Za-z0-9_-]+")
_REFUSED_HEADERS: Final = frozenset(
    {"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "cty", "epk", "url"}
)
"""Headers that bring or name a key, or that change what is signed. None belongs into an ID token."""

PublicKey = RSAKey | ECKey | OKPKey


class UnknownKeyError(Exception):
    """A token names a key that the issuer hasn't published, or not yet when it was asked."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The published keys of an issuer that can verify signatures."""

    keys: tuple[PublicKey, ...]


def read_keys(published: object) -> Keys:
    """
    Return the keys of a JWK set (RFC 7517) that can be used here; others are left out.

    Raises:
        IdentityProviderError: it isn't a JWK set.
    """
    listed = published.get("keys") if isinstance(published, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise IdentityProviderError(
            "the identity provider publishes no keys that can be read",
            hint="look at its jwks_uri; it must be a JWK set",
        )
    return Keys(tuple(key for one in listed if (key := _public_key(one)) is not None))


def verified_claims(token: str, keys: Keys, *, algorithms: Collection[str]) -> Mapping[str, object]:
    """
    Return what *token* claims, once its signature is that of the issuer.

    Args:
        token: A JWS in compact form.
        keys: The issuer's keys.
        algorithms: Those that are allowed, of `ALGORITHMS`.

    Raises:
        UnknownKeyError: it names no key of *keys*.
        InvalidIdentityError: it isn't believed, for any other reason.
    """
    if len(token) > LONGEST_TOKEN:
        raise not_believed("it is too long")
    parts = token.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise not_believed("it isn't a signed token")
    header = _json_object(parts[0])
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in ALGORITHMS:
        raise not_believed("its algorithm isn't allowed")
    if _REFUSED_HEADERS & header.keys():
        raise not_believed("its header isn't one of an ID token")
    if "typ" in header and str(header["typ"]).upper() != "JWT":
        raise not_believed("it is a token of another kind")
    key = _key_for(header, algorithm, keys)
    message = f"{parts[0]}.{parts[1]}".encode()
    try:
        # The primitive alone: which key and which algorithm it is was decided above, by our rules.
        is_signed = JWSRegistry.algorithms[algorithm].verify(message, _bytes(parts[2]), key)
    except (JoseError, ValueError, TypeError) as exc:
        raise not_believed("its signature can't be verified") from exc
    if is_signed is not True:
        raise not_believed("its signature isn't the issuer's")
    return _json_object(parts[1])


def not_believed(why: str) -> InvalidIdentityError:
    """Return the one error of this folder for what isn't believed."""
    return InvalidIdentityError(
        f"the identity provider's answer isn't believed: {why}", hint="log in again"
    )


def json_once(text: bytes | str) -> Any:
    """Return what JSON *text* says. Raises ValueError when it isn't JSON or says a thing twice."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)


def _key_for(header: Mapping[str, object], algorithm: str, keys: Keys) -> PublicKey:
    kind, curve = ALGORITHMS[algorithm]
    kid = header.get("kid")
    if "kid" in header and not isinstance(kid, str):
        raise not_believed("its key has no proper name")
    named = [key for key in keys.keys if kid is None or key.kid == kid]
    if not named:
        raise UnknownKeyError
    fitting = [key for key in named if _fits(key, kind, curve, algorithm)]
    if len(fitting) != 1:
        raise not_believed("no key of the issuer, or more than one, may have signed it")
    return fitting[0]


def _fits(key: PublicKey, kind: str, curve: str | None, algorithm: str) -> bool:
    if key.key_type != kind or (curve is not None and key.get("crv") != curve):
        return False
    operations = key.get("key_ops")
    return (
        key.get("alg") in (None, algorithm)
        and key.get("use") in (None, "sig")
        and (operations is None or "verify" in operations)
    )


def _public_key(published: object) -> PublicKey | None:
    """Return a key that can verify, None for one that can't be used here."""
    if not isinstance(published, dict) or published.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    try:
        imported: Sequence[Any] = KeySet.import_key_set({"keys": [published]}).keys
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    key = imported[0]
    if not isinstance(key, RSAKey | ECKey | OKPKey):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < LEAST_RSA_BITS:
        return None
    return key


def _json_object(part: str) -> dict[str, Any]:
    try:
        read = json_once(_bytes(part).decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise not_believed("it can't be read") from exc
    if not isinstance(read, dict):
        raise not_believed("it can't be read")
    return read


def _bytes(part: str) -> bytes:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as exc:
        raise not_believed("it can't be read") from exc
    # Bits beyond the last byte would make two spellings of one token.
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
        raise not_believed("it can't be read")
    return raw


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
