"""`tidegate watch`: follow a rollout until it ends or needs a person."""

from typing import Annotated

import typer

from tidegate.cli.commanding import RolloutName
from tidegate.cli.found import need_rollout
from tidegate.cli.notation import parse_timeout
from tidegate.cli.session import Session
from tidegate.cli.watching import Until, Watching
from tidegate.domain.rollout.machine import State
from tidegate.errors import InvalidRequestError


def watch(
    session: Session,
    rollout: RolloutName = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="End with 0 as soon as it was in this state."),
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(help="Stop following after so long, as 90s or 2h.")
    ] = None,
) -> int:
    """Follow a rollout. Ctrl-C leaves; the rollout goes on."""
    states = [state.value for state in State]
    if until is not None and until not in states:
        raise InvalidRequestError(f"no state {until!r}", hint=f"it can be: {', '.join(states)}")
    limit = Until(state=until, timeout=parse_timeout(timeout))
    with session.connect() as client:
        return Watching(session, client, need_rollout(rollout), limit).follow()
