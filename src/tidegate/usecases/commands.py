"""
What the commands of people have in common: reasons, and saving against a race.

`At` is the optimistic check: a person says which phase and revision was on the screen, and is told
when the rollout has moved meanwhile. Halting never needs it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import InvalidRequestError, StateMovedError
from tidegate.ports.store import Transaction
from tidegate.usecases.outside import Outside
from tidegate.usecases.queue import wake_queue
from tidegate.usecases.record import record_command

TRIES = 20
"""A person's command is tried again when `step` was quicker: each loss means that someone else won."""


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """What the person saw: 1-based phase and revision."""

    phase: int
    revision: int


def check_at(rollout: Rollout, at: At | None) -> None:
    """Raise StateMovedError when the person saw another state than the present one."""
    if at is None:
        return
    if (at.phase, at.revision) != (rollout.phase_index + 1, rollout.revision):
        raise StateMovedError(
            f"rollout {rollout.id} is at phase {rollout.phase_index + 1}, revision"
            f" {rollout.revision}; you saw phase {at.phase}, revision {at.revision}",
            hint=f"look again with `tidegate status {rollout.id}` and decide anew",
        )


def need_reason(reason: str, verb: str) -> str:
    """Return *reason* trimmed. Raises InvalidRequestError when there is none."""
    if not reason.strip():
        raise InvalidRequestError(
            f"{verb} needs a reason",
            hint='say why: --reason "what you know that the engine doesn\'t"',
        )
    return reason.strip()


def change_rollout(
    outside: Outside,
    rollout_id: RolloutId,
    change: Callable[[Transaction, Rollout], Rollout],
    *,
    actor: str,
    verb: str,
    reason: str,
    at: At | None = None,
) -> Rollout:
    """
    Save what *change* makes of the rollout, with its ledger entry; again when somebody was quicker.

    *change* may run several times and must do nothing but compute and use the transaction.

    Raises:
        StateMovedError: what *at* says isn't so, or others were quicker every time.
        IllegalTransitionError: the rollout's state doesn't allow it.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with outside.store.begin() as transaction:
                before = transaction.rollout(rollout_id)
                check_at(before, at)
                after = change(transaction, before)
                saved = record_command(
                    transaction,
                    before,
                    after,
                    actor=actor,
                    verb=verb,
                    reason=reason,
                    at=outside.clock.now(),
                )
        except StateMovedError:
            if at is not None or attempt == TRIES:
                raise
        else:
            outside.wake(rollout_id)
            if saved.is_final and not before.is_final:
                wake_queue(outside, saved)
            return saved
    raise AssertionError("the loop returns or raises")
