"""`tidegate debt`: what emergencies put off and owe; given up only by two others, by name."""

from typing import Annotated

import typer

from tidegate.api.shapes.emergencies import Debt, Debts
from tidegate.cli.commanding import Reason
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.emergencies import debt_table, waived_lines

app = typer.Typer(help="Debts of emergencies: list, waive.", no_args_is_help=True)


def list_(
    session: Session,
    all: Annotated[
        bool, typer.Option("--all", help="Also those that are settled or given up.")
    ] = False,
) -> None:
    """List what is owed. What is overdue keeps the project's normal rollouts from rising."""
    with session.connect() as client:
        found = client.get("/v1/debts", Debts, all=all)
    session.printer.show(
        found,
        text=lambda: debt_table(found, times=session.times),
        names=[one.id for one in found.debts],
        rows=found.debts,
    )


def waive(
    session: Session,
    debt: Annotated[str, typer.Argument(metavar="DEBT", help="Its id.")],
    reason: Reason = "",
) -> None:
    """Say that a debt may be given up. It is when a second person says so; never your own."""
    with session.connect() as client:
        waived = client.post(f"/v1/debts/{debt}/waive", Debt, {"reason": reason})
    session.printer.show(waived, text=lambda: waived_lines(waived), names=[waived.id])


app.command("list")(with_session(list_))
app.command("waive")(with_session(waive))
