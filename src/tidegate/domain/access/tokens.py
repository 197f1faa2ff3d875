"""
What a token is: who holds it, what it may at most, until when. Whether one is given is decided here too.

A token's secret is in nobody's record: what is kept is its SHA-256. It is long and random, so that a
slow hash would add nothing. Secrets are made and looked up elsewhere.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import OPEN_TO_ALL, Permission

TOKEN_PREFIX: Final = "tg_"  # noqa: S105 - what secrets begin with, so that scanners find lost ones
SECRET_BYTES: Final = 32

DEFAULT_VALID_FOR: Final = timedelta(days=30)
LONGEST_VALID_FOR: Final = timedelta(days=90)

_ISSUED = re.compile(r"tgs?_[A-Za-z0-9_-]{43}")
_PLAIN = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_ORGANISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED_NAMES: Final = frozenset({"tidegate", "root"})
"""Names that no caller has: the engine's, and that of the server's own token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """
    Whose a name is. The first one who is vouched for under it keeps it.

    `person` is who is counted when people are: of a program its owner's.
    """

    name: str
    kind: CallerKind
    person: str
    organisation: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """
    One token, without its secret.

    `id` is the beginning of `digest`, the SHA-256 of the secret in hexadecimal: it names the token to
    people and opens nothing. `last_four` are the secret's last characters. `granted` limits it to
    some of what its holder may; it gives nothing by itself.
    """

    id: str
    digest: str
    last_four: str
    purpose: str
    identity: Identity
    granted: tuple[Permission, ...]
    issued_by: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    @property
    def is_revoked(self) -> bool:
        """Whether somebody took it back."""
        return self.revoked_at is not None

    def is_valid(self, now: datetime) -> bool:
        """Return whether it opens anything at *now*."""
        return not self.is_revoked and self.issued_at <= now < self.expires_at

    def caller(self) -> Caller:
        """Return who sends a request that comes with it."""
        return Caller(
            name=self.identity.name,
            kind=self.identity.kind,
            person=self.identity.person,
            organisation=self.identity.organisation,
            is_verified=True,
            granted=frozenset(self.granted),
        )


def was_issued(secret: str) -> bool:
    """Return whether *secret* has the form of what a server issues, and isn't a server's own token."""
    return _ISSUED.fullmatch(secret) is not None


def is_plain_name(name: str) -> bool:
    """Return whether *name* can be a caller's: fit for a log line, and not reserved."""
    return _PLAIN.fullmatch(name) is not None and name.casefold() not in RESERVED_NAMES


def is_organisation_name(name: str) -> bool:
    """Return whether *name* can be an organisation's: one part of a scope, and no pattern."""
    return _ORGANISATION.fullmatch(name) is not None


def why_not_for(issuer: Caller, identity: Identity) -> str | None:
    """
    Return why *issuer* may not issue a token to *identity*, None when they may.

    Nobody can act as somebody else: a person issues for themselves and for the programs that they
    own, a program for nobody. Only the server's own token issues for others, as the first step.
    """
    if issuer.is_root:
        return None
    if issuer.kind is CallerKind.PROGRAM:
        return f"{issuer.name} is a program, and programs issue no tokens"
    if identity.organisation != issuer.organisation:
        return f"{identity.name} is of another organisation"
    if identity.person != issuer.person:
        return f"{identity.name} isn't {issuer.name} and no program of theirs"
    if identity.kind is CallerKind.PERSON and identity.name != issuer.name:
        return f"{identity.name} isn't the name that {issuer.name} is known by"
    return None


def more_than_held(issuer: Caller, granted: Iterable[Permission]) -> frozenset[Permission]:
    """
    Return those of *granted* that a token from *issuer* can't have.

    More than the issuer's own token allows; and issuing tokens, which only the server's own token
    passes on: else a token that is revoked would live on in those that it made.
    """
    wanted = frozenset(granted)
    if issuer.is_root:
        return wanted & OPEN_TO_ALL
    held = frozenset(Permission) if issuer.granted is None else issuer.granted
    return wanted - (held - OPEN_TO_ALL - {Permission.TOKEN_ISSUE})
