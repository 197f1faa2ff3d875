"""
What an ID token must say to be believed, once its signature has been verified elsewhere.

Rules of OpenID Connect Core 1.0, section 3.1.3.7, and RFC 7519, section 4.1, taken strictly: a claim of
the wrong type is as bad as a wrong one, and more than was asked for (a second audience) is refused.
Signatures, keys and headers are not looked at here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final

LEEWAY: Final = timedelta(seconds=30)
"""How far the provider's clock may be off."""

OLDEST: Final = timedelta(minutes=10)
"""How old a token may be when it arrives: it was made for this login."""

LONGEST_TEXT: Final = 255
MOST_GROUPS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """
    What a token must say.

    `audience` is whom it is for, `client` who asked for it; mostly the same. `nonce` binds it to one
    login. `fresh_since` is when the person had to prove again who they are, None when that isn't asked.
    """

    issuer: str
    audience: str
    client: str
    nonce: str
    fresh_since: datetime | None = None


def why_not_believed(claims: Mapping[str, object], expected: Expected, now: datetime) -> str | None:
    """Return why *claims* aren't believed at *now*, in words that repeat none of them; None when they are."""
    return (
        _wrong_parties(claims, expected)
        or _wrong_times(claims, now)
        or _not_fresh(claims, expected, now)
    )


def text_claim(claims: Mapping[str, object], name: str) -> str | None:
    """Return a claim that is text and not empty or too long, None when it isn't."""
    value = claims.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT else None


def groups_claim(claims: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    """Return a claim that lists names, sorted; empty when it's missing, None when it's something else."""
    value = claims.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MOST_GROUPS:
        return None
    if not all(isinstance(one, str) and 0 < len(one) <= LONGEST_TEXT for one in value):
        return None
    return tuple(sorted(set(value)))


def authenticated_at(claims: Mapping[str, object]) -> datetime | None:
    """Return when the person proved who they are, None when the provider doesn't say."""
    at = _number(claims, "auth_time")
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _wrong_parties(claims: Mapping[str, object], expected: Expected) -> str | None:
    if claims.get("iss") != expected.issuer:
        return "it is of another issuer"
    if text_claim(claims, "sub") is None:
        return "it names no subject"
    if claims.get("aud") not in (expected.audience, [expected.audience]):
        return "it is for another audience, or not for this one alone"
    if "azp" in claims and claims["azp"] != expected.client:
        return "another client asked for it"
    if claims.get("nonce") != expected.nonce:
        return "it belongs to another login"
    return None


def _wrong_times(claims: Mapping[str, object], now: datetime) -> str | None:
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    expires, issued = _number(claims, "exp"), _number(claims, "iat")
    if expires is None or issued is None:
        return "it doesn't say when it was made and when it ends"
    if moment >= expires + leeway:
        return "it is expired"
    if issued > moment + leeway:
        return "it was made in the future"
    if issued < moment - OLDEST.total_seconds() or expires <= issued:
        return "it wasn't made for this login"
    if "nbf" in claims:
        begins = _number(claims, "nbf")
        if begins is None or begins > moment + leeway:
            return "it isn't valid yet"
    return None


def _not_fresh(claims: Mapping[str, object], expected: Expected, now: datetime) -> str | None:
    at, leeway = _number(claims, "auth_time"), LEEWAY.total_seconds()
    if "auth_time" in claims and (at is None or at > now.timestamp() + leeway):
        return "it says nothing that makes sense of when the person proved who they are"
    if expected.fresh_since is not None and (
        at is None or at < expected.fresh_since.timestamp() - leeway
    ):
        return "the provider doesn't say that the person proved again who they are"
    return None


def _number(claims: Mapping[str, object], name: str) -> float | None:
    """Return a claim that is a number of seconds since 1970 in a year that has four digits."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) and 0 <= value < 253_402_300_800 else None
