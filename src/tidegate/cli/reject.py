"""`tidegate reject`: say no to the next phase. It never asks: a no can only make a rollout wait."""

from typing import Annotated

import typer

from tidegate.cli.commanding import AtOption, RolloutName, tell
from tidegate.cli.session import Session


def reject(
    session: Session,
    rollout: RolloutName = None,
    comment: Annotated[str, typer.Option(help="Why not; needed, and stays in the ledger.")] = "",
    at: AtOption = None,
) -> None:
    """
    Say no to the next phase of a rollout: it doesn't begin as long as the no stands.

    What is exposed stays so. Take it back with `tidegate approval take-back`.
    """
    tell(session, rollout, "reject", reason=comment, at=at)
