"""`tidegate approve`: agree to the next phase, for what was seen and nothing newer."""

from typing import Annotated

import typer

from tidegate.api import words
from tidegate.api.shapes.rollout import Rollout
from tidegate.cli.commanding import AtOption, RolloutName, Yes, change_of, tell
from tidegate.cli.session import Session


def approve(
    session: Session,
    rollout: RolloutName = None,
    comment: Annotated[str, typer.Option(help="Stays in the ledger.")] = "",
    at: AtOption = None,
    yes: Yes = False,
) -> None:
    """
    Agree to the next phase of a rollout. Not of your own change.

    Lapses when it is halted, after a day or what the plan says, and when artifact, plan, targets, policy or
    evidence verdict change.
    """
    # Off a terminal nobody can be asked, and saying it is agreeing.
    agreed = yes or not session.may_ask
    tell(
        session,
        rollout,
        "approve",
        reason=comment,
        at=at,
        question=lambda _: "Approve?",
        yes=agreed,
        tell_first=_what_is_approved,
    )


def _what_is_approved(rollout: Rollout) -> list[str]:
    lines = [
        f"Approving: {change_of(rollout)}"
        f" (you saw phase {rollout.at.phase}, revision {rollout.at.revision})"
    ]
    approvals = rollout.approvals
    if approvals is not None:
        phase = rollout.phases[approvals.phase - 1]
        exposure = words.list_words(dict.fromkeys(move.exposure for move in phase.moves))
        lines.append(f"  next   {phase.name}: {exposure}")
        number = sum(one.is_yes for one in approvals.given) + 1
        lines.append(f"  yours  is {number} of {approvals.needed} ({approvals.approvers})")
    return lines
