"""Tokens, sessions and callers as lines of text."""

from datetime import datetime

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.login import Sessions
from tidegate.api.shapes.tokens import Token, TokenIssued, Tokens, Whoami
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant

_MEANS = {
    "server_token": "the server's own token, which opens everything",
    "api_token": "an API token",
    "session": "a login by the identity provider",
}


def whoami_lines(found: Whoami, *, times: TimeFormat) -> list[Text | str]:
    """Return who somebody is to the server."""
    rows: list[list[Cell]] = [
        ["name", found.name if found.is_verified else f"{found.name} (claimed; proves nothing)"],
        ["kind", found.kind],
        ["person", found.person or "none"],
        ["organisation", found.organisation],
    ]
    if found.groups:
        rows.append(["groups", ", ".join(found.groups)])
    rows.append(["known by", _MEANS.get(found.by, found.by)])
    if found.token:
        rows.append(["session" if found.by == "session" else "token", found.token])
    if found.allows is not None:
        rows.append(["allows", words.list_words(found.allows)])
    if found.authenticated_at is not None:
        rows.append(
            ["logged in", write_instant(found.authenticated_at, now=found.as_of, form=times)]
        )
    if found.valid_until is not None:
        rows.append(["valid until", write_instant(found.valid_until, now=found.as_of, form=times)])
    return [*columns(rows)]


def token_table(found: Tokens, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per token."""
    if not found.tokens:
        return ["no tokens"]
    rows: list[list[Cell]] = [
        ["TOKEN", "LAST 4", "HOLDER", "KIND", "STATE", "EXPIRES", "ALLOWS", "FOR"]
    ]
    rows += [
        [
            token.id,
            token.last_four,
            token.holder,
            token.kind,
            _state(token, found.as_of),
            write_instant(token.expires_at, now=found.as_of, form=times),
            ",".join(token.allows),
            token.purpose,
        ]
        for token in found.tokens
    ]
    return [*columns(rows)]


def session_table(found: Sessions, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per session."""
    if not found.sessions:
        return ["no sessions"]
    rows: list[list[Cell]] = [["SESSION", "NAME", "LOGGED IN", "USED", "ENDS", "BY"]]
    rows += [
        [
            one.id,
            one.name,
            *(
                write_instant(at, now=found.as_of, form=times)
                for at in (one.began_at, one.used_at, one.ends_at)
            ),
            one.issuer,
        ]
        for one in found.sessions
    ]
    return [*columns(rows)]


def issued_lines(made: TokenIssued, *, times: TimeFormat) -> list[Text | str]:
    """Return a new token, with its secret first so that it can be cut off in a script."""
    token = made.token
    return [
        made.secret,
        f"  token {token.id} of {token.holder}, allows {words.list_words(token.allows)}",
        f"  expires {write_instant(token.expires_at, now=token.issued_at, form=times)};"
        f" it isn't shown again. Take it back: tidegate auth token revoke {token.id}",
    ]


def token_line(token: Token) -> str:
    """Return what became of a token that was taken back."""
    return f"token {token.id} of {token.holder} is revoked: the next request with it is refused"


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at <= now else "valid"
