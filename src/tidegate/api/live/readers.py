"""
Who looks at open pages, and what each of them may be told.

What somebody may see is looked up when their first page opens and again every few seconds, and at once
when the ledger says that access changed; between that, one answer does for all hints of one need.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from fastapi import Request

from tidegate.api.live.hints import Hint
from tidegate.api.live.streams import Stream
from tidegate.api.pages.cookies import SESSION_COOKIE
from tidegate.api.pages.onlooker import KEY_HOLDER, has_page_key
from tidegate.api.state import server_of
from tidegate.domain.access.model import Caller, Resource
from tidegate.errors import NotAllowedError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access
from tidegate.usecases.authenticate import caller_of_session, looked_at_by_session

MOST_OF_SESSION: Final = 50
"""Streams of one session: a person's tabs on all their machines, and no more."""

MOST_REMEMBERED: Final = 10_000

CallerNow = Callable[[Transaction, datetime], Caller | None]


@dataclass(frozen=True, slots=True)
class Follower:
    """
    Somebody who asks for a stream.

    `key` tells them from others. `caller_now` says who they are at an instant, None once they may look
    at nothing. `most` is how many streams they may have, None for as many as there are.
    """

    key: str
    caller: Caller
    caller_now: CallerNow
    most: int | None


def follower_of(request: Request) -> Follower:
    """
    Return who asks, by what opens the pages: the page key, or a session.

    Raises:
        NotAllowedError: they have neither.
        StoreError: it can't be found out.
    """
    if has_page_key(request):
        # Everybody who opened the link is this one.
        return Follower("the page key", KEY_HOLDER, lambda *_: KEY_HOLDER, most=None)
    secret = request.cookies.get(SESSION_COOKIE)
    known = looked_at_by_session(server_of(request).outside, secret) if secret else None
    if known is None:
        raise NotAllowedError(
            "live hints need what the pages need: the link with its key, or a login",
            hint="open the link that this prints: tidegate server page; or log in at /login",
        )
    return Follower(
        f"session {known.id}",
        known.caller,
        lambda transaction, now: caller_of_session(transaction, known.id, now),
        most=MOST_OF_SESSION,
    )


@dataclass(slots=True, eq=False)
class Reader:
    """
    Somebody with open streams.

    `checked_at` is the loop's time, in seconds, of the last look at what they may see; `is_due` says
    that it counts no more.
    """

    follower: Follower
    access: Access
    checked_at: float
    is_due: bool = False
    streams: dict[Stream, None] = field(default_factory=dict)
    _answers: dict[str, bool] = field(default_factory=dict)

    def renew(self, access: Access, *, at: float) -> None:
        """Take over what they may see as of *at*."""
        self.access, self.checked_at, self.is_due = access, at, False
        self._answers.clear()

    def may_be_told(self, hint: Hint) -> bool:
        """Return whether *hint* is for them."""
        answer = self._answers.get(hint.need_text)
        if answer is None:
            answer = is_for(self.access, hint)
            if len(self._answers) < MOST_REMEMBERED:
                self._answers[hint.need_text] = answer
        return answer


def is_for(access: Access, hint: Hint) -> bool:
    """Return whether the caller of *access* may be told *hint*."""
    if hint.need is None:
        return access.may_read(Resource(organisation=access.caller.organisation))
    return hint.need.is_met_by(access)
