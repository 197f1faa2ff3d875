"""`tidegate resume`: let a halted or undecided rollout go on. A halted one proves its phase again."""

from typing import Annotated

import typer

from tidegate.cli.commanding import AtOption, RolloutName, tell
from tidegate.cli.session import Session


def resume(
    session: Session,
    rollout: RolloutName = None,
    reason: Annotated[str, typer.Option(help="Why; needed, and stays in the ledger.")] = "",
    at: AtOption = None,
) -> None:
    """Let a halted or undecided rollout go on, with a reason. It skips nothing."""
    tell(session, rollout, "resume", reason=reason, at=at)
