"""
`tidegate report`: say that users have trouble. Stops what it may be due to, at once.

Like a halt it never asks. Unlike a halt it needs no rollout to be known: whoever has a user on the line
knows the service.
"""

from typing import Annotated, Final

import typer

from tidegate.api.shapes.alarms import AlarmAnswer
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session
from tidegate.cli.text.alarms import answer_lines

SOURCE: Final = "user"


def report(
    session: Session,
    service: Annotated[
        str | None, typer.Argument(help="Default: that of the nearest tidegate.yaml.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Where it was seen. Default: on every target.")
    ] = None,
    reason: Annotated[str, typer.Option(help="What users say; stays on record.")] = "",
    ticket: Annotated[
        bool, typer.Option("--ticket", help="Hold rollouts instead of halting them.")
    ] = False,
) -> None:
    """Say that users have trouble: halts and withdraws what it may be due to. Never asks."""
    body = {
        "kind": "report",
        "severity": "ticket" if ticket else "page",
        "service": need_rollout(service),
        "target": target,
        "summary": reason,
        "source": SOURCE,
    }
    with session.connect() as client:
        answer = client.post("/v1/alarms", AlarmAnswer, body)
    session.printer.show(answer, text=lambda: answer_lines(answer), names=[answer.alarm.id])
