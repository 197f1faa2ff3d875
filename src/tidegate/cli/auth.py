"""`tidegate auth`: who one is to the server, tokens and sessions."""

from typing import Annotated, Final

import typer

from tidegate.api.shapes.login import Session as LoginSession
from tidegate.api.shapes.login import Sessions
from tidegate.api.shapes.tokens import Token, TokenIssued, Tokens, Whoami
from tidegate.cli.asking import path_part
from tidegate.cli.login import login, logout
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.tokens import (
    issued_lines,
    session_table,
    token_line,
    token_table,
    whoami_lines,
)

app = typer.Typer(
    help="Who one is to the server: login, logout, whoami, token, session.", no_args_is_help=True
)
token_app = typer.Typer(help="Tokens: issue, list, revoke.", no_args_is_help=True)
session_app = typer.Typer(help="Sessions: list, end.", no_args_is_help=True)

DEFAULT_DAYS: Final = 30
MOST_DAYS: Final = 90


def whoami(session: Session) -> None:
    """Show who this command line is to the server, by what, and until when."""
    with session.connect() as client:
        found = client.get("/v1/whoami", Whoami)
    session.printer.show(
        found, text=lambda: whoami_lines(found, times=session.times), names=[found.name]
    )


def issue(
    session: Session,
    purpose: Annotated[str, typer.Option("--for", help="What it is for.")],
    allow: Annotated[
        list[str],
        typer.Option(
            metavar="PERMISSION",
            help="What it allows at most: read, start, halt, ..; may be repeated.",
        ),
    ],
    program: Annotated[
        str, typer.Option(metavar="NAME", help="Issue it to this program and not to yourself.")
    ] = "",
    person: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Issue it to this person; only the server's own token can."
        ),
    ] = "",
    owner: Annotated[
        str, typer.Option(metavar="NAME", help="Whose program it is. Default: yours.")
    ] = "",
    organisation: Annotated[
        str | None, typer.Option(help="Where its holder belongs. Default: where you do.")
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=MOST_DAYS, help="How long it is valid.")
    ] = DEFAULT_DAYS,
) -> None:
    """Issue a token and print it, this once. It allows no more than you are allowed yourself."""
    body = {
        "purpose": purpose,
        "allows": allow,
        "holder": program or person,
        "kind": "program" if program else "person",
        "owner": owner,
        "organisation": organisation,
        "valid_days": days,
    }
    with session.connect() as client:
        made = client.post("/v1/tokens", TokenIssued, body)
    session.printer.show(
        made, text=lambda: issued_lines(made, times=session.times), names=[made.secret]
    )


def list_(
    session: Session,
    all: Annotated[bool, typer.Option("--all", help="Also those of others.")] = False,
) -> None:
    """List your tokens and those of your programs, newest first."""
    with session.connect() as client:
        found = client.get("/v1/tokens", Tokens, all=all)
    session.printer.show(
        found,
        text=lambda: token_table(found, times=session.times),
        names=[token.id for token in found.tokens],
        rows=found.tokens,
    )


def revoke(
    session: Session,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, from the list.")],
    reason: Annotated[str, typer.Option(help="Why; stays in the ledger.")] = "",
) -> None:
    """Take a token back: the next request with it is refused."""
    path = f"/v1/tokens/{path_part(token_id, 'token')}/revoke"
    with session.connect() as client:
        revoked = client.post(path, Token, {"reason": reason})
    session.printer.show(revoked, text=lambda: [token_line(revoked)], names=[revoked.id])


def list_sessions(
    session: Session,
    all: Annotated[bool, typer.Option("--all", help="Also those of others.")] = False,
) -> None:
    """List your sessions that hold, newest first."""
    with session.connect() as client:
        found = client.get("/v1/sessions", Sessions, all=all)
    session.printer.show(
        found,
        text=lambda: session_table(found, times=session.times),
        names=[one.id for one in found.sessions],
        rows=found.sessions,
    )


def end(
    session: Session,
    session_id: Annotated[
        str, typer.Argument(metavar="ID", help="The session's id, from the list.")
    ],
    reason: Annotated[str, typer.Option(help="Why; stays in the ledger.")] = "",
) -> None:
    """End somebody's session: the next request with it is refused."""
    path = f"/v1/sessions/{path_part(session_id, 'session')}/end"
    with session.connect() as client:
        ended = client.post(path, LoginSession, {"reason": reason})
    session.printer.show(
        ended, text=lambda: [f"session {ended.id} of {ended.name} is ended"], names=[ended.id]
    )


app.command("login")(with_session(login))
app.command("logout")(with_session(logout))
app.command("whoami")(with_session(whoami))
token_app.command("issue")(with_session(issue))
token_app.command("list")(with_session(list_))
token_app.command("revoke")(with_session(revoke))
app.add_typer(token_app, name="token")
session_app.command("list")(with_session(list_sessions))
session_app.command("end")(with_session(end))
app.add_typer(session_app, name="session")
