"""
What every store refuses, in the same words.

Rule: what a caller can see of a refusal is made here, so that the store in memory can't be told from
the others. How a store finds out is its own business.
"""

from collections.abc import Sequence
from typing import Final

from tidegate.domain.quantities import RolloutId, ServiceName, TargetName
from tidegate.domain.rollout.alarms import AlarmId
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import ActiveRolloutError, NotFoundError, StateMovedError
from tidegate.ports.store import LastKnownGood

MOST_SUGGESTED: Final = 10
"""How many ids a prefix may bring up: enough to see that it's too short."""


def targets_of(rollout: Rollout) -> list[TargetName]:
    """Return the targets that *rollout* claims, each once."""
    return list(dict.fromkeys(placement.target for placement in rollout.plan.placements()))


def no_such_rollout(rollout_id: RolloutId) -> NotFoundError:
    """Return the error for an id that no rollout has."""
    return NotFoundError(f"there is no rollout {rollout_id!r}", hint="List the rollouts there are.")


def no_such_entry(number: int) -> NotFoundError:
    """Return the error for a number that the ledger hasn't come to."""
    return NotFoundError(
        f"the ledger has no entry {number}", hint="Entries count from 1 without gaps."
    )


def no_such_alarm(alarm_id: AlarmId) -> NotFoundError:
    """Return the error for an id that no alarm has."""
    return NotFoundError(
        f"there is no alarm {alarm_id!r}", hint="`tidegate alarm list --all` lists what there is."
    )


def already_there(rollout_id: RolloutId) -> StateMovedError:
    """Return the error for adding a rollout a second time."""
    return StateMovedError(
        f"there is a rollout {rollout_id!r} already", hint="Look at it before you go on."
    )


def moved_on(rollout: Rollout, *, stored_revision: int) -> StateMovedError:
    """Return the error for saving over a revision that isn't the stored one."""
    return StateMovedError(
        f"rollout {rollout.id!r} is at revision {stored_revision}, not {rollout.revision}",
        hint="Someone else changed it. Look again and decide again.",
    )


def target_taken(service: ServiceName, target: TargetName, *, holder: str) -> ActiveRolloutError:
    """Return the error for a second active rollout on a target."""
    return ActiveRolloutError(
        f"rollout {holder!r} of {service} is active on target {target}",
        hint="Wait until it's over, or halt and abandon it.",
    )


def already_good(chain: Sequence[LastKnownGood], good: LastKnownGood) -> bool:
    """
    Return whether adding *good* to its placement's *chain*, newest first, changes nothing.

    That is so when its rollout has put it there before (said late, it must not pass for the newest),
    and when the newest is the same version already (the one before must be another to go back to).
    """
    if chain and chain[0].version.digest == good.version.digest:
        return True
    return any(older.rollout_id == good.rollout_id for older in chain)
