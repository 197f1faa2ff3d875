"""`tidegate alarm`: what alerts and reports say is wrong, and saying that it is over."""

from typing import Annotated

import typer

from tidegate.api.shapes.alarms import AlarmAnswer, Alarms
from tidegate.cli.asking import path_part
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.alarms import alarm_table, answer_lines

app = typer.Typer(help="Alarms: list, resolve.", no_args_is_help=True)


def list_(
    session: Session,
    all: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
) -> None:
    """List the alarms that are active; each of them halts or holds what it concerns."""
    with session.connect() as client:
        found = client.get("/v1/alarms", Alarms, all=all)
    session.printer.show(
        found,
        text=lambda: alarm_table(found, times=session.times),
        names=[alarm.id for alarm in found.alarms],
        rows=found.alarms,
    )


def resolve(
    session: Session,
    alarm: Annotated[str, typer.Argument(help="An alarm's id.")],
    reason: Annotated[str, typer.Option(help="Why it is over; stays on record.")] = "",
) -> None:
    """Say that an alarm is over: what it held goes on, what it halted waits for a person."""
    with session.connect() as client:
        path = f"/v1/alarms/{path_part(alarm, 'alarm')}/resolve"
        answer = client.post(path, AlarmAnswer, {"reason": reason})
    session.printer.show(answer, text=lambda: answer_lines(answer), names=[answer.alarm.id])


app.command("list")(with_session(list_))
app.command("resolve")(with_session(resolve))
