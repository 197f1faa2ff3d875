"""The cookies of the pages: their names, and whose session one holds."""

from typing import Final

from fastapi import Request

from tidegate.api.state import server_of
from tidegate.usecases.authenticate import Known, known_by_session

SESSION_COOKIE: Final = "__Host-tidegate-session"
LOGIN_COOKIE: Final = "__Host-tidegate-login"


def known_by_cookie(request: Request) -> Known | None:
    """
    Return who looks at a page, by the session in their browser; None for nobody.

    Raises:
        StoreError: it can't be looked up.
    """
    secret = request.cookies.get(SESSION_COOKIE)
    return None if not secret else known_by_session(server_of(request).outside, secret)
