"""
Approving the next rise. An approval is bound to the phase, the attempt and the plan that were seen.

It may be given while the phase before still bakes; it lapses when the rollout is halted, because what
is proven again must be agreed to again.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from tidegate.domain.access.model import Caller
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Approval, Rollout
from tidegate.domain.rollout.seen import valid_approvals
from tidegate.errors import RefusedError
from tidegate.ports.store import Transaction
from tidegate.usecases.commands import At, change_rollout
from tidegate.usecases.outside import Outside
from tidegate.usecases.rollout_command import RolloutCommand


def approved_phase(rollout: Rollout) -> int | None:
    """Return the index of the phase that an approval given now would let begin, None if none."""
    if rollout.state is State.WAITING:
        return rollout.phase_index
    if rollout.state in (State.APPLYING, State.BAKING, State.HELD):
        following = rollout.phase_index + 1
        return following if following < len(rollout.plan.phases) else None
    return None


def approve_rollout(
    outside: Outside, rollout_id: RolloutId, *, actor: str, comment: str, at: At | None = None
) -> Rollout:
    """
    Agree to the next phase.

    Raises:
        RefusedError: there is nothing to approve, or this person approved already.
        StateMovedError: it moved since *at*.
    """
    now = outside.clock.now()

    def approved(_: Transaction, before: Rollout) -> Rollout:
        phase_index = approved_phase(before)
        if phase_index is None:
            raise RefusedError(
                f"rollout {before.id} is {before.state.value}: no phase is waiting",
                hint=f"see what it waits for: tidegate why {before.id}",
            )
        phase = before.plan.phases[phase_index]
        if phase.approvals == 0:
            raise RefusedError(
                f"phase {phase.name} needs no approval", hint="it begins by itself when it may"
            )
        if any(approval.by == actor for approval in valid_approvals(before, phase_index)):
            raise RefusedError(
                f"{actor} has approved {phase.name} already", hint="another person has to"
            )
        approval = Approval(
            by=actor,
            at=now,
            phase_index=phase_index,
            attempt=before.attempt,
            plan_hash=before.plan_hash,
            comment=comment,
        )
        return replace(before, approvals=(*before.approvals, approval))

    return change_rollout(
        outside, rollout_id, approved, actor=actor, verb="approve", reason=comment, at=at
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveRollout(RolloutCommand):
    """Agree to the next phase of a rollout."""

    permission: ClassVar[Permission] = Permission.APPROVE

    comment: str
    at: At | None = None

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Record the approval."""
        found = self.found(outside, caller)
        return approve_rollout(
            outside, found.id, actor=caller.name, comment=self.comment, at=self.at
        )
