"""
Tokens, and who one is known as.

The one shape of the API that holds a secret is `TokenIssued`: it is told once and kept nowhere.
"""

from typing import Annotated, Literal

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape
from tidegate.domain.access.permissions import OPEN_TO_ALL, Permission

GRANTABLE = tuple(one for one in Permission if one not in OPEN_TO_ALL)

Name = Annotated[str, Field(max_length=64, description="Up to 64 letters, digits and ._@+-")]


class Token(Shape):
    """One token, without its secret."""

    id: str
    last_four: str = Field(description="The last characters of its secret, for people to tell.")
    purpose: str
    holder: str
    kind: Literal["person", "program"]
    person: str = Field(description="Who is counted when people are: of a program its owner.")
    organisation: str
    allows: list[str] = Field(description="What its holder may do with it, if they may at all.")
    issued_by: str
    issued_at: Instant
    expires_at: Instant
    revoked_at: Instant | None
    revoked_by: str | None


class Tokens(Shape):
    """Tokens, newest first."""

    tokens: list[Token]
    as_of: Instant = Field(description="The server's time when this was made.")


class TokenIssued(Shape):
    """A new token with its secret, which isn't told again."""

    token: Token
    secret: str


class IssueToken(Asked):
    """What a token is for, whose it is, what it allows at most."""

    purpose: Annotated[str, Field(min_length=1, max_length=200)]
    allows: Annotated[list[Permission], Field(min_length=1, max_length=len(GRANTABLE))]
    holder: Name = Field(default="", description="Empty: the caller. A program's name.")
    kind: Literal["person", "program"] = "person"
    owner: Name = Field(default="", description="The person a program is of; empty: the caller.")
    organisation: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Null: the caller's."
    )
    valid_days: Annotated[int, Field(ge=1, le=90)] = 30


class RevokeToken(Asked):
    """Why a token is taken back."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class Whoami(Shape):
    """Who the caller is to the server."""

    name: str
    kind: Literal["person", "program"]
    person: str | None = Field(description="Who is counted when people are; null: nobody.")
    organisation: str
    groups: list[str]
    is_verified: bool = Field(description="False: the name is claimed and proves nothing.")
    is_root: bool = Field(description="Whether it is the holder of the server's own token.")
    by: Literal["server_token", "api_token", "session"] = Field(
        description="By what they are known."
    )
    token: str = Field(
        description="The id of the token or session; empty for the server's own token."
    )
    allows: list[str] | None = Field(
        description="What this token is limited to; null for no limit of its own."
    )
    valid_until: Instant | None = Field(description="Null: it doesn't end by itself.")
    authenticated_at: Instant | None
    as_of: Instant
