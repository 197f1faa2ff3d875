"""`tidegate freeze`: times in which nothing rises, announced ahead. They end by themselves."""

from datetime import datetime
from typing import Annotated, Any

import typer

from tidegate.api.shapes.freezes import ExceptionGiven, FreezeAdded, FreezeLifted, Freezes
from tidegate.cli.asking import rollout_path
from tidegate.cli.client import Client
from tidegate.cli.commanding import RolloutName
from tidegate.cli.found import need_rollout
from tidegate.cli.instants import parse_instant
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.freezes import added_lines, exception_lines, freeze_table, lifted_lines
from tidegate.documents.notation import NotationError, parse_duration
from tidegate.errors import InvalidRequestError

app = typer.Typer(help="Freezes: list, add, lift, except.", no_args_is_help=True)

Why = Annotated[str, typer.Option("--reason", help="Why; stays in the ledger.")]


def list_(
    session: Session,
    all: Annotated[bool, typer.Option("--all", help="Also those that are over or lifted.")] = False,
) -> None:
    """List the freezes ahead and in force."""
    with session.connect() as client:
        found = client.get("/v1/freezes", Freezes, all=all)
    session.printer.show(
        found,
        text=lambda: freeze_table(found, times=session.times),
        names=[str(freeze.number) for freeze in found.freezes],
        rows=found.freezes,
    )


def add(
    session: Session,
    everything: Annotated[
        bool, typer.Option("--all", help="Freeze every service, everywhere.")
    ] = False,
    service: Annotated[
        str | None, typer.Option("--service", metavar="SERVICE", help="Freeze a service.")
    ] = None,
    ring: Annotated[
        str | None, typer.Option("--ring", metavar="RING", help="Freeze a ring's targets.")
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option("--environment", metavar="ENV", help="Freeze lab, staging or production."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="When it begins, ISO 8601. Default: now."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="When it ends, ISO 8601.")
    ] = None,
    lasts: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="How long it lasts, as 8h; for --until."),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option("--timezone", metavar="ZONE", help="Of times without an offset from UTC."),
    ] = None,
    allow_exceptions: Annotated[
        bool | None,
        typer.Option(
            "--allow-exceptions/--no-exceptions",
            help="Whether a budgeted exception lets a rollout through. Default: not with --all.",
        ),
    ] = None,
    reason: Why = "",
) -> None:
    """
    Announce a time in which exposure of what is named doesn't rise.

    What is exposed stays so and goes on baking; halting and rolling back are never kept by it. What
    must stop now, until somebody says so, is a stop order: tidegate halt --all.
    """
    scope = _scope(everything=everything, service=service, ring=ring, environment=environment)
    begins = None if since is None else parse_instant(since, option="--from", zone=zone)
    with session.connect() as client:
        ends = _end(client, begins, until=until, lasts=lasts, zone=zone)
        body = {
            **scope,
            "since": None if begins is None else begins.isoformat(),
            "until": ends.isoformat(),
            "reason": reason,
            "allows_exceptions": allow_exceptions,
        }
        added = client.post("/v1/freezes", FreezeAdded, body)
    session.printer.show(
        added,
        text=lambda: added_lines(added, times=session.times),
        names=[str(added.freeze.number)],
    )


def lift(
    session: Session,
    freeze: Annotated[int, typer.Argument(min=1, help="A freeze's number.")],
    reason: Why = "",
) -> None:
    """End a freeze before its time; what waited for it goes on."""
    with session.connect() as client:
        lifted = client.post(f"/v1/freezes/{freeze}/lift", FreezeLifted, {"reason": reason})
    session.printer.show(
        lifted, text=lambda: lifted_lines(lifted), names=[str(lifted.freeze.number)]
    )


def except_(
    session: Session,
    rollout: RolloutName = None,
    reason: Why = "",
) -> None:
    """
    Let a rollout's next phase begin although a window or freeze is closed.

    Somebody else than who started it has to say so. It lasts four hours and counts against the budget.
    """
    with session.connect() as client:
        path = rollout_path(need_rollout(rollout), "except")
        given = client.post(path, ExceptionGiven, {"reason": reason})
    session.printer.show(
        given,
        text=lambda: exception_lines(given, times=session.times),
        names=[str(given.number)],
    )


def _scope(
    *, everything: bool, service: str | None, ring: str | None, environment: str | None
) -> dict[str, Any]:
    named = {"service": service, "ring": ring, "environment": environment}
    asked = [{"scope": scope, "name": name} for scope, name in named.items() if name is not None]
    if everything:
        asked.append({"scope": "everything"})
    if len(asked) != 1:
        raise InvalidRequestError(
            f"a freeze has one scope, got {len(asked)}",
            hint="say one of --all, --service, --ring and --environment",
        )
    return asked[0]


def _end(
    client: Client,
    since: datetime | None,
    *,
    until: str | None,
    lasts: str | None,
    zone: str | None,
) -> datetime:
    if (until is None) == (lasts is None):
        raise InvalidRequestError(
            "a freeze has one end", hint="say either --until 2026-12-27T06:00Z or --for 8h"
        )
    if until is not None:
        return parse_instant(until, option="--until", zone=zone)
    try:
        length = parse_duration(lasts)
    except NotationError as exc:
        raise InvalidRequestError(
            f"--for must be a length of time, got {lasts!r}", hint="as in --for 8h"
        ) from exc
    # By the server's clock: it is the one that the freeze is held against.
    return (since or client.get("/v1/freezes", Freezes, limit=1).as_of) + length


app.command("list")(with_session(list_))
app.command("add")(with_session(add))
app.command("lift")(with_session(lift))
app.command("except")(with_session(except_))
