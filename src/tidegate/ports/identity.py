"""
Who vouches for people: an identity provider that a browser is sent to, and that says who came back.

The login itself (its state, its nonce, the proof that the same one finishes it who began) is the use
case's; a driver only speaks the provider's protocol. Drivers keep nothing that a login needs.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempt:
    """
    One login, from its beginning to its end.

    `redirect_uri` is where the provider sends the browser back. `state` comes back with it. `nonce`
    must stand in what the provider says of the person. `challenge` is the base64url SHA-256 of a
    secret of whoever began (PKCE, RFC 7636). `fresh_since` asks the person to prove again who they are.
    """

    redirect_uri: str
    state: str
    nonce: str
    challenge: str
    fresh_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """
    A person as their provider vouches for them.

    `person` never changes and is never given to anybody else. `name` is what others see.
    `authenticated_at` is when they last proved who they are, None when the provider doesn't say.
    """

    issuer: str
    person: str
    name: str
    groups: tuple[str, ...]
    authenticated_at: datetime | None


class IdentityProvider(Protocol):
    """Sends people to their provider, and hears from it who they are."""

    async def address(self, attempt: LoginAttempt) -> str:
        """
        Return where a browser has to go to log in.

        Raises:
            IdentityProviderError: the provider can't be reached or makes no sense.
        """
        ...

    async def vouch(self, attempt: LoginAttempt, *, code: str, verifier: str) -> Vouched:
        """
        Return who came back with *code*. A code is good once.

        Args:
            attempt: The login that was begun.
            code: What the provider gave the browser.
            verifier: The secret that `attempt.challenge` was made of.

        Raises:
            InvalidIdentityError: the provider doesn't vouch for anybody by this, or what it says isn't
                believed.
            IdentityProviderError: the provider can't be reached or makes no sense.
        """
        ...


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE *verifier* (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
