"""
Secrets of tokens: making one, and finding whose it is. The only place that sees both sides.

Rule: a secret is returned once, to whoever asked for it, and is written nowhere. Looking one up takes
the same steps whether it is unknown, revoked, expired or nonsense.
"""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final

from tidegate.domain.access.sessions import Session
from tidegate.domain.access.tokens import SECRET_BYTES, TOKEN_PREFIX, ApiToken, Identity
from tidegate.errors import RefusedError
from tidegate.ports.store import Transaction
from tidegate.usecases.shelves import Shelf

ID_DIGITS: Final = 20
"""Hexadecimal digits of the digest that are a token's id: 80 bits, which nobody meets by chance."""

_NO_DIGEST: Final = "0" * 64

API_TOKENS: Final = Shelf(
    kind="api_token",
    type=ApiToken,
    id_of=lambda token: token.id,
    at=lambda token: token.issued_at,
    is_open=lambda token: not token.is_revoked,
    service_of=lambda _: None,
)

SESSIONS: Final = Shelf(
    kind="session",
    type=Session,
    id_of=lambda session: session.id,
    at=lambda session: session.began_at,
    is_open=lambda session: not session.is_ended,
    service_of=lambda _: None,
)

IDENTITIES: Final = Shelf(
    kind="identity",
    type=Identity,
    # Names that differ in their capitals would look like one person, and be two.
    id_of=lambda identity: identity.name.casefold(),
    at=lambda identity: identity.since,
    is_open=lambda _: True,
    service_of=lambda _: None,
)


def new_secret(prefix: str = TOKEN_PREFIX) -> str:
    """Return a secret of 256 random bits."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> str:
    """Return the SHA-256 of *secret* in hexadecimal, which is what is kept of it."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def id_of(digest: str) -> str:
    """Return the id of the token whose secret has *digest*."""
    return digest[:ID_DIGITS]


def find_api_token(transaction: Transaction, secret: str, *, now: datetime) -> ApiToken | None:
    """Return the token that *secret* opens things with at *now*, None when there is none."""
    digest = digest_of(secret)
    token = API_TOKENS.get(transaction, id_of(digest))
    is_it = hmac.compare_digest(digest, _NO_DIGEST if token is None else token.digest)
    return token if token is not None and is_it and token.is_valid(now) else None


def find_session(transaction: Transaction, secret: str, *, now: datetime) -> Session | None:
    """Return the session that *secret* opens things with at *now*, None when there is none."""
    digest = digest_of(secret)
    session = SESSIONS.get(transaction, id_of(digest))
    is_it = hmac.compare_digest(digest, _NO_DIGEST if session is None else session.digest)
    return session if session is not None and is_it and session.is_valid(now) else None


def take_name(transaction: Transaction, wanted: Identity) -> Identity:
    """
    Return the identity that has the name of *wanted*, which is *wanted* when nobody had it.

    Raises:
        RefusedError: the name is somebody else's, or a program's and not a person's.
    """
    known = IDENTITIES.get(transaction, wanted.name.casefold())
    if known is None:
        IDENTITIES.put(transaction, wanted)
        return wanted
    if (known.name, known.kind, known.person, known.organisation) != (
        wanted.name,
        wanted.kind,
        wanted.person,
        wanted.organisation,
    ):
        raise RefusedError(
            f"the name {wanted.name!r} is taken: it is another {known.kind.value}'s",
            hint="take another name; one that is known stays with its person and organisation",
        )
    return known
