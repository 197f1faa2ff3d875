"""
A session: that a person logged in, how long that holds, and when they last proved who they are.

It ends when it isn't used, after a while in any case, or when somebody ends it. Only its secret's
SHA-256 is kept, as of a token.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.access.model import Caller
from tidegate.domain.access.tokens import Identity

SESSION_PREFIX: Final = "tgs_"

LONGEST_SESSION: Final = timedelta(hours=12)
LONGEST_IDLE: Final = timedelta(hours=2)
NOTE_USE_EVERY: Final = timedelta(minutes=5)
"""How exactly it is known when a session was last used; each note is a write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    One session, without its secret.

    `id` is the beginning of `digest`. `groups` are those that the provider said at the login.
    `authenticated_at` is when the person proved who they are, None when the provider didn't say.
    """

    id: str
    digest: str
    identity: Identity
    issuer: str
    groups: tuple[str, ...]
    authenticated_at: datetime | None
    began_at: datetime
    used_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None

    @property
    def is_ended(self) -> bool:
        """Whether somebody ended it."""
        return self.ended_at is not None

    @property
    def ends_at(self) -> datetime:
        """When it ends at the latest, however much it is used."""
        return self.began_at + LONGEST_SESSION

    def is_valid(self, now: datetime) -> bool:
        """Return whether it opens anything at *now*."""
        return (
            not self.is_ended
            and self.began_at <= now < self.ends_at
            and now < self.used_at + LONGEST_IDLE
        )

    def should_note_use(self, now: datetime) -> bool:
        """Return whether its use at *now* is worth writing down."""
        return now >= self.used_at + NOTE_USE_EVERY

    def caller(self) -> Caller:
        """Return who sends a request that comes with it."""
        return Caller(
            name=self.identity.name,
            kind=self.identity.kind,
            person=self.identity.person,
            organisation=self.identity.organisation,
            groups=self.groups,
            is_verified=True,
            authenticated_at=self.authenticated_at,
        )
