"""`tidegate access`: who has which role where; giving it, taking it away, and why something is refused."""

from typing import Annotated

import typer

from tidegate.api.shapes.access import AccessChecked, Grant, Grants, Roles
from tidegate.cli.asking import path_part
from tidegate.cli.notation import parse_length
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.access import checked_lines, grant_table, role_table
from tidegate.domain.access.permissions import Permission
from tidegate.errors import ForbiddenError

app = typer.Typer(help="Access: list, grant, revoke, roles, check.", no_args_is_help=True)


def list_(
    session: Session,
    all: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> None:
    """List the grants in force that you may see."""
    with session.connect() as client:
        found = client.get("/v1/access/grants", Grants, all=all)
    session.printer.show(
        found,
        text=lambda: grant_table(found, times=session.times),
        names=[grant.id for grant in found.grants],
        rows=found.grants,
    )


def grant(
    session: Session,
    subject: Annotated[str, typer.Argument(help="person:NAME, program:NAME or group:NAME.")],
    role: Annotated[str, typer.Argument(help="A role: `tidegate access roles` lists them.")],
    scope: Annotated[
        str,
        typer.Option(
            help="ORGANISATION/PROJECT/ENVIRONMENT/TARGET or the beginning of it; `*` for any"
            " project or target."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why; needed, and stays in the ledger.")] = "",
    lasts: Annotated[
        str | None,
        typer.Option("--for", metavar="LENGTH", help="How long, as 8h or 30d. Default: for good."),
    ] = None,
    deny: Annotated[
        bool, typer.Option("--deny", help="Deny the role there instead; wins over every grant.")
    ] = False,
) -> None:
    """Let somebody have a role on a scope. You must hold it yourself, and can't give it to yourself."""
    length = parse_length(lasts, option="--for")
    body = {
        "subject": subject,
        "role": role,
        "scope": scope,
        "effect": "deny" if deny else "allow",
        "expires_in_seconds": None if length is None else int(length.total_seconds()),
        "reason": reason,
    }
    with session.connect() as client:
        made = client.post("/v1/access/grants", Grant, body)
    _show(session, made)


def revoke(
    session: Session,
    grant: Annotated[str, typer.Argument(help="A grant's id.")],
    reason: Annotated[str, typer.Option(help="Why; needed, and stays in the ledger.")] = "",
) -> None:
    """End a grant, from the next request on."""
    with session.connect() as client:
        path = f"/v1/access/grants/{path_part(grant, 'grant')}/revoke"
        ended = client.post(path, Grant, {"reason": reason})
    _show(session, ended)


def roles(session: Session) -> None:
    """List the roles, and what each lets somebody do."""
    with session.connect() as client:
        found = client.get("/v1/access/roles", Roles)
    session.printer.show(
        found,
        text=lambda: role_table(found),
        names=[role.name for role in found.roles],
        rows=found.roles,
    )


def check(
    session: Session,
    permission: Annotated[Permission, typer.Argument(help="What you want to do.")],
    service: Annotated[
        str | None, typer.Argument(help="To which service. Default: the whole organisation.")
    ] = None,
    scope: Annotated[
        str | None, typer.Option(help="To what, instead of a service: a path as grants have.")
    ] = None,
) -> int:
    """Say whether you may do something, why, and who may. Ends with 4 when you may not."""
    with session.connect() as client:
        answer = client.get(
            "/v1/access/check",
            AccessChecked,
            permission=permission.value,
            service=service,
            scope=scope,
        )
    session.printer.show(answer, text=lambda: checked_lines(answer), names=[*answer.granted_to])
    return 0 if answer.is_allowed else ForbiddenError.exit_code


def _show(session: Session, grant: Grant) -> None:
    now = grant.revoked_at or grant.granted_at
    found = Grants(grants=[grant], as_of=now)
    session.printer.show(
        grant, text=lambda: grant_table(found, times=session.times), names=[grant.id]
    )


for _name, _command in (
    ("list", list_),
    ("grant", grant),
    ("revoke", revoke),
    ("roles", roles),
    ("check", check),
):
    app.command(_name)(with_session(_command))
