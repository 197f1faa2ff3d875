"""`tidegate rollback`: bring back what was served before. Asks at a terminal, needs --yes elsewhere."""

from tidegate.api import words
from tidegate.api.shapes.rollout import Rollout
from tidegate.cli.commanding import AtOption, Reason, RolloutName, Yes, tell
from tidegate.cli.session import Session


def rollback(
    session: Session,
    rollout: RolloutName = None,
    reason: Reason = "",
    at: AtOption = None,
    yes: Yes = False,
) -> None:
    """Bring back what was served before, also after a rollout has completed. No bake."""
    tell(
        session,
        rollout,
        "rollback",
        reason=reason,
        at=at,
        question=_question,
        yes=yes,
        # With --yes nobody was shown anything, and a way back must not fail because the engine moved.
        bound=not yes,
    )


def _question(rollout: Rollout) -> str:
    changes = words.list_words(
        f"{component} {part.to} to {part.before or 'what was before'}"
        for component, part in rollout.change.items()
    )
    return f"Roll {rollout.service} back, {changes}?"
