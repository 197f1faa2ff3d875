"""
Whose a secret is: what a request that comes with it is known as.

The server's own token isn't here: it is compared by the API, and works when the store can't be read.
"""

import contextlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tidegate.domain.access.model import Caller
from tidegate.domain.access.sessions import SESSION_PREFIX, Session
from tidegate.errors import StoreError
from tidegate.ports.store import Transaction
from tidegate.usecases.outside import Outside
from tidegate.usecases.tokens import SESSIONS, find_api_token, find_session


class Means(StrEnum):
    """By what somebody is known."""

    SERVER_TOKEN = "server_token"  # noqa: S105 - the name of a means
    """The token in the server's state folder: whoever can read it may do everything, under any name."""
    API_TOKEN = "api_token"  # noqa: S105 - the name of a means
    SESSION = "session"
    """A login by the identity provider."""
    HOOK = "hook"
    """A signature over the message by the secret of a hook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """
    A caller with how they are known.

    `id` is that of the token, empty for the server's own. `until` is when it ends by itself, None for
    never.
    """

    caller: Caller
    means: Means
    id: str = ""
    until: datetime | None = None


def known_by(outside: Outside, secret: str) -> Known | None:
    """
    Return who sends a request that comes with *secret*, None when nobody may.

    Raises:
        StoreError: it can't be looked up; nobody is let in.
    """
    if secret.startswith(SESSION_PREFIX):
        return known_by_session(outside, secret)
    with outside.store.begin(read_only=True) as transaction:
        token = find_api_token(transaction, secret, now=outside.clock.now())
    if token is None:
        return None
    return Known(caller=token.caller(), means=Means.API_TOKEN, id=token.id, until=token.expires_at)


def known_by_session(outside: Outside, secret: str) -> Known | None:
    """
    Return who sends a request that comes with the *secret* of a session, None when nobody may.

    Raises:
        StoreError: it can't be looked up; nobody is let in.
    """
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        session = find_session(transaction, secret, now=now)
    if session is None:
        return None
    if session.should_note_use(now):
        _note_use(outside, session, now)
    return Known(caller=session.caller(), means=Means.SESSION, id=session.id, until=session.ends_at)


def looked_at_by_session(outside: Outside, secret: str) -> Known | None:
    """
    Return as `known_by_session`, for what goes on by itself: it doesn't count as a use.

    A page that is left open must not keep a session from ending when nobody is there.

    Raises:
        StoreError: it can't be looked up; nobody is let in.
    """
    with outside.store.begin(read_only=True) as transaction:
        session = find_session(transaction, secret, now=outside.clock.now())
    if session is None:
        return None
    return Known(caller=session.caller(), means=Means.SESSION, id=session.id, until=session.ends_at)


def caller_of_session(transaction: Transaction, session_id: str, now: datetime) -> Caller | None:
    """
    Return who the session *session_id* is of, None when it opens nothing at *now* any more.

    Only for what was opened with the session's secret before and goes on.
    """
    session = SESSIONS.get(transaction, session_id)
    return session.caller() if session is not None and session.is_valid(now) else None


def _note_use(outside: Outside, session: Session, now: datetime) -> None:
    # Not being able to note it ends the session earlier, and is no reason to refuse a halt.
    with contextlib.suppress(StoreError), outside.store.begin() as transaction:
        fresh = SESSIONS.get(transaction, session.id)
        if fresh is not None and not fresh.is_ended:
            SESSIONS.put(transaction, replace(fresh, used_at=max(now, fresh.used_at)))
