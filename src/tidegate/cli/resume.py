"""`tidegate resume`: let a halted or undecided rollout go on, or say that a stop order may end."""

from typing import Annotated

import typer

from tidegate.api.shapes.stops import StopOrderLifted
from tidegate.cli.commanding import AtOption, RolloutName, tell
from tidegate.cli.session import Session
from tidegate.cli.text.stops import lifted_lines
from tidegate.errors import InvalidRequestError


def resume(
    session: Session,
    rollout: RolloutName = None,
    reason: Annotated[str, typer.Option(help="Why; needed, and stays in the ledger.")] = "",
    at: AtOption = None,
    order: Annotated[
        int | None,
        typer.Option(
            "--order",
            min=1,
            metavar="NUMBER",
            help="Say that this stop order may end. One for more than a service needs two persons.",
        ),
    ] = None,
) -> None:
    """Let a halted or undecided rollout go on, or lift a stop order, with a reason. Skips nothing."""
    if order is None:
        tell(session, rollout, "resume", reason=reason, at=at)
        return
    if rollout is not None or at is not None:
        raise InvalidRequestError(
            "--order lifts a stop order and resumes no rollout",
            hint=f'leave the rollout and --at out: tidegate resume --order {order} --reason ".."',
        )
    with session.connect() as client:
        lifted = client.post(f"/v1/stops/{order}/lift", StopOrderLifted, {"reason": reason})
    session.printer.show(
        lifted, text=lambda: lifted_lines(lifted), names=[str(lifted.order.number)]
    )
