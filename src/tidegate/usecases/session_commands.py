"""Sessions of others, and one's own: listing and ending them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.sessions import Session
from tidegate.errors import NotFoundError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import refuse_unless_allowed
from tidegate.usecases.bus import Command
from tidegate.usecases.login import end_session
from tidegate.usecases.outside import Outside
from tidegate.usecases.tokens import SESSIONS

READ_AT_MOST: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession(Command[Session]):
    """End somebody's session: the next request with it is refused. Again changes nothing."""

    permission: ClassVar[Permission] = Permission.TOKEN_ISSUE

    session: str
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the organisation of whose it is."""
        with outside.store.begin(read_only=True) as transaction:
            session = find_session_called(transaction, self.session, of=caller)
        return Resource(organisation=session.identity.organisation)

    async def carry_out(self, outside: Outside, caller: Caller) -> Session:
        """Record that it opens nothing any more."""
        with outside.store.begin() as transaction:
            return end_session(
                transaction,
                find_session_called(transaction, self.session, of=caller),
                by=caller.name,
                reason=self.reason.strip() or "no reason given",
                now=outside.clock.now(),
            )


def list_sessions(
    outside: Outside, caller: Caller, *, of_all: bool, limit: int
) -> Sequence[Session]:
    """
    Return the sessions that hold now, newest first: those of *caller*, or *of_all* in the organisation.

    Raises:
        ForbiddenError: those of others are shown only to who may issue tokens.
    """
    if of_all:
        refuse_unless_allowed(
            outside, caller, Permission.TOKEN_ISSUE, Resource(organisation=caller.organisation)
        )
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        found = SESSIONS.latest(transaction, limit=READ_AT_MOST)
    shown = [
        session
        for session in found
        if session.is_valid(now)
        and (
            (of_all and caller.is_root)
            or (
                session.identity.organisation == caller.organisation
                and (of_all or session.identity.name == caller.name)
            )
        )
    ]
    return shown[:limit]


def find_session_called(transaction: Transaction, session_id: str, *, of: Caller) -> Session:
    """Return the session called *session_id*. Raises NotFoundError when *of* may know of none."""
    session = SESSIONS.get(transaction, session_id)
    if session is None or not (of.is_root or session.identity.organisation == of.organisation):
        raise NotFoundError(
            f"there is no session {session_id[:64]!r}",
            hint="`tidegate auth session list` lists them",
        )
    return session
