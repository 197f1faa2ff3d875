"""
Logging in, and sessions.

Beside a token that is issued, a finished login is the one answer that holds a secret, once.
"""

from typing import Annotated

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape
from tidegate.api.shapes.tokens import Whoami


class BeginLogin(Asked):
    """Where a program waits for the browser to come back, and the challenge of its secret."""

    redirect_uri: Annotated[str, Field(max_length=200)] = Field(
        description="On this person's own machine: http://127.0.0.1:PORT/callback (RFC 8252)."
    )
    challenge: Annotated[str, Field(max_length=43)] = Field(
        description="base64url of the SHA-256 of the verifier (RFC 7636)."
    )
    again: bool = Field(default=False, description="Ask to prove again who one is.")


class LoginBegun(Shape):
    """Where the browser has to go, and the state that comes back with it."""

    address: str
    state: str


class FinishLogin(Asked):
    """What the browser brought back, and the secret of whoever began."""

    state: Annotated[str, Field(max_length=4000)]
    code: Annotated[str, Field(min_length=1, max_length=4000)]
    verifier: Annotated[str, Field(max_length=128)]


class Session(Shape):
    """One session, without its secret."""

    id: str
    name: str
    person: str
    organisation: str
    groups: list[str]
    issuer: str
    authenticated_at: Instant | None = Field(
        description="When the person last proved who they are; null: the provider didn't say."
    )
    began_at: Instant
    used_at: Instant
    ends_at: Instant
    ended_at: Instant | None
    ended_by: str | None


class Sessions(Shape):
    """Sessions that hold, newest first."""

    sessions: list[Session]
    as_of: Instant


class LoginFinished(Shape):
    """A new session with its secret, which isn't told again."""

    session: Session
    secret: str


class EndSession(Asked):
    """Why a session is ended."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class LoggedOut(Shape):
    """Who was logged out, by what they were known before."""

    was: Whoami
