"""Tokens and callers as they are shown."""

from datetime import datetime

from tidegate.api.shapes import tokens as shapes
from tidegate.domain.access.tokens import ApiToken
from tidegate.usecases.authenticate import Known
from tidegate.usecases.token_commands import Issued


def show_token(token: ApiToken) -> shapes.Token:
    """Return *token* as it is shown."""
    return shapes.Token(
        id=token.id,
        last_four=token.last_four,
        purpose=token.purpose,
        holder=token.identity.name,
        kind=token.identity.kind.value,
        person=token.identity.person,
        organisation=token.identity.organisation,
        allows=[one.value for one in token.granted],
        issued_by=token.issued_by,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        revoked_by=token.revoked_by,
    )


def show_issued(issued: Issued) -> shapes.TokenIssued:
    """Return a new token with its secret."""
    return shapes.TokenIssued(token=show_token(issued.token), secret=issued.secret)


def show_known(known: Known, *, now: datetime) -> shapes.Whoami:
    """Return who a caller is to the server."""
    caller = known.caller
    return shapes.Whoami(
        name=caller.name,
        kind=caller.kind.value,
        person=caller.person,
        organisation=caller.organisation,
        groups=[*caller.groups],
        is_verified=caller.is_verified,
        is_root=caller.is_root,
        by=known.means.value,
        token=known.id,
        allows=None if caller.granted is None else sorted(caller.granted),
        valid_until=known.until,
        authenticated_at=caller.authenticated_at,
        as_of=now,
    )
