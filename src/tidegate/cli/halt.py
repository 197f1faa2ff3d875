"""
`tidegate halt`: stop a rollout and withdraw its candidate, at once.

Never asks, needs no reason and no look: one request is sent and nothing is fetched before it.
"""

from typing import Annotated

import typer

from tidegate.api.shapes.rollout import Rollout
from tidegate.cli.asking import command_body, get_rollout, rollout_path
from tidegate.cli.commanding import Reason, RolloutName, after_lines
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session


def halt(
    session: Session,
    rollout: RolloutName = None,
    reason: Reason = "",
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="PHASE@REV",
            help="Taken, but not compared: a stop is right wherever the rollout is by now.",
        ),
    ] = None,
) -> None:
    """Stop a rollout and withdraw its candidate from everyone, at once. Never asks."""
    with session.connect() as client:
        path = rollout_path(need_rollout(rollout), "halt")
        stopped = client.post(path, Rollout, command_body(reason=reason, at=at))
        found = get_rollout(client, stopped.id)
        session.printer.show(
            found,
            text=lambda: [*after_lines(session, found), _what_now(found)],
            names=[found.id],
        )


def _what_now(rollout: Rollout) -> str:
    if rollout.is_final:
        return f"It was over already: {rollout.state.replace('_', ' ')}."
    return (
        f'Resume: tidegate resume {rollout.id} --reason ".."   '
        f"Roll back: tidegate rollback {rollout.id}"
    )
