"""
Agreeing to the next rise, saying no to it, and taking either back.

A yes may be given while the phase before still bakes. It is bound to what was seen and counts once, for
one phase in one attempt; a halt ends it, because what is proven again must be agreed to again.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import Permission
from tidegate.domain.approvals.duties import (
    ApprovalGround,
    who_could,
    why_artifact_moved,
    why_not_eligible,
)
from tidegate.domain.policy.model import THE_OTHERS
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Approval, Rollout
from tidegate.domain.rollout.seen import valid_approvals
from tidegate.errors import ForbiddenError, RefusedError
from tidegate.ports.store import Transaction
from tidegate.usecases.approvals import ground_of, why_not_counting
from tidegate.usecases.artifacts import look_up
from tidegate.usecases.commands import At, change_rollout, need_reason
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import person_behind, policy_in_force
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
    outside: Outside,
    rollout_id: RolloutId,
    *,
    actor: str | Caller,
    comment: str,
    at: At | None = None,
) -> Rollout:
    """
    Agree to the next phase.

    Args:
        outside: The world.
        rollout_id: The rollout.
        actor: Who agrees; a name stands for a person of that name, which nobody vouches for.
        comment: Stays in the ledger; may be empty.
        at: What was on the screen, when it has to be that.

    Raises:
        ForbiddenError: they can't approve it: their own change, not one of the group, nobody behind them.
        RefusedError: there is nothing to approve, the artifact moved, or this person approved already.
        StateMovedError: it moved since *at*.
    """
    caller = _caller(actor)
    now = outside.clock.now()

    def approved(transaction: Transaction, before: Rollout) -> Rollout:
        phase_index = _phase_in_question(before)
        phase = before.plan.phases[phase_index]
        if phase.approvals == 0:
            raise RefusedError(
                f"phase {phase.name} needs no approval", hint="it begins by itself when it may"
            )
        ground = ground_of(transaction, before, phase_index, now)
        policy = policy_in_force(transaction, before.organisation)
        person = person_behind(policy, caller)
        _refuse_ineligible(ground, caller, person)
        moved = why_artifact_moved(ground)
        if moved:
            raise RefusedError(
                f"{moved}, so nothing of it can be approved",
                hint="start what it is now as a rollout of its own, or put the artifact back",
            )
        standing = _word_of(before, phase_index, person or caller.name)
        counts = standing is not None and _counts(transaction, before, ground, standing, now)
        if standing is not None and counts:
            raise RefusedError(
                f"{standing.by} has approved {phase.name} already", hint="another person has to"
            )
        given = replace(
            _word(before, phase_index, caller, person, comment, now),
            binding=ground.binding,
            expires_at=now + (phase.approval_life or policy.approval_life),
        )
        return replace(before, approvals=(*before.approvals, given))

    return change_rollout(
        outside, rollout_id, approved, actor=caller.name, verb="approve", reason=comment, at=at
    )


def reject_rollout(
    outside: Outside, rollout_id: RolloutId, *, caller: Caller, comment: str, at: At | None = None
) -> Rollout:
    """
    Say no to the next phase: it doesn't begin as long as the no stands. Anyone who may approve can.

    Raises:
        InvalidRequestError: no comment was given.
        ForbiddenError: nobody stands behind *caller*.
        RefusedError: no phase is waited for.
        StateMovedError: it moved since *at*.
    """
    why = need_reason(comment, "rejecting")
    now = outside.clock.now()

    def rejected(transaction: Transaction, before: Rollout) -> Rollout:
        phase_index = _phase_in_question(before)
        person = person_behind(policy_in_force(transaction, before.organisation), caller)
        if person is None:
            raise _nobody_behind(caller)
        said = _word(before, phase_index, caller, person, why, now)
        return replace(before, approvals=(*before.approvals, replace(said, is_yes=False)))

    return change_rollout(
        outside, rollout_id, rejected, actor=caller.name, verb="reject", reason=why, at=at
    )


def take_back_word(
    outside: Outside, rollout_id: RolloutId, *, caller: Caller, reason: str, at: At | None = None
) -> Rollout:
    """
    Take back one's own yes or no to the next phase. The ledger keeps that it was said.

    Raises:
        InvalidRequestError: no reason was given.
        RefusedError: there is none of this person's, or no phase is waited for.
        StateMovedError: it moved since *at*.
    """
    why = need_reason(reason, "taking an approval back")

    def taken_back(transaction: Transaction, before: Rollout) -> Rollout:
        phase_index = _phase_in_question(before)
        person = person_behind(policy_in_force(transaction, before.organisation), caller)
        if _word_of(before, phase_index, person or caller.name) is None:
            raise RefusedError(
                f"{person or caller.name} has said nothing about"
                f" {before.plan.phases[phase_index].name}",
                hint="see who said what: tidegate approval list",
            )
        kept = tuple(
            one
            for one in before.approvals
            if one.phase_index != phase_index or (one.person or one.by) != (person or caller.name)
        )
        return replace(before, approvals=kept)

    return change_rollout(
        outside, rollout_id, taken_back, actor=caller.name, verb="take-back", reason=why, at=at
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveRollout(RolloutCommand):
    """Agree to the next phase of a rollout."""

    permission: ClassVar[Permission] = Permission.APPROVE

    comment: str
    at: At | None = None

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Look the artifact up again, then record the approval."""
        found = self.found(outside, caller)
        if approved_phase(found) is not None:
            await look_up(outside, found)
        return approve_rollout(outside, found.id, actor=caller, comment=self.comment, at=self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectRollout(RolloutCommand):
    """Say no to the next phase of a rollout."""

    permission: ClassVar[Permission] = Permission.APPROVE

    comment: str
    at: At | None = None

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Record the no."""
        found = self.found(outside, caller)
        return reject_rollout(outside, found.id, caller=caller, comment=self.comment, at=self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBackWord(RolloutCommand):
    """Take back one's own approval or rejection."""

    permission: ClassVar[Permission] = Permission.APPROVE

    reason: str
    at: At | None = None

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Remove the word from what counts."""
        found = self.found(outside, caller)
        return take_back_word(outside, found.id, caller=caller, reason=self.reason, at=self.at)


def check_eligible(ground: ApprovalGround, caller: Caller, person: str | None) -> str:
    """Return why *caller*, behind whom *person* stands, can't approve on *ground*; "" when they can."""
    why_not = why_not_eligible(ground, person, caller.name)
    # Where the policy doesn't know the group, whoever vouches for the name says who is in it.
    is_vouched_for = ground.members is None and ground.group != THE_OTHERS
    if not why_not and is_vouched_for and caller.is_verified:
        outsider = ground.group not in caller.groups
        return f"{caller.name} isn't in {ground.group}" if outsider else ""
    return why_not


def _refuse_ineligible(ground: ApprovalGround, caller: Caller, person: str | None) -> None:
    why_not = check_eligible(ground, caller, person)
    if why_not:
        raise ForbiddenError(
            f"{caller.name} can't approve: {why_not}",
            hint=f"who could: {who_could(ground)}"
            if not ground.strangers
            else "name who owns it under `programs` of tidegate-org.yaml, or start it under your"
            " own name",
        )


def _nobody_behind(caller: Caller) -> ForbiddenError:
    return ForbiddenError(
        f"no person stands behind {caller.name}, and only persons are heard here",
        hint="say it under your own name",
    )


def _phase_in_question(rollout: Rollout) -> int:
    phase_index = approved_phase(rollout)
    if phase_index is None:
        raise RefusedError(
            f"rollout {rollout.id} is {rollout.state.value}: no phase is waiting",
            hint=f"see what it waits for: tidegate why {rollout.id}",
        )
    return phase_index


def _word_of(rollout: Rollout, phase_index: int, person: str) -> Approval | None:
    """Return what *person* said last about the phase, None when nothing stands."""
    words = valid_approvals(rollout, phase_index)
    return next((one for one in words if (one.person or one.by) == person), None)


def _counts(
    transaction: Transaction,
    rollout: Rollout,
    ground: ApprovalGround,
    approval: Approval,
    now: datetime,
) -> bool:
    """Return whether *approval* counts, or would once what can't be known now is known."""
    if not approval.is_yes or (approval.expires_at is not None and now >= approval.expires_at):
        return False
    known = replace(ground, unknown="")
    return not why_not_counting(transaction, rollout, known, approval, now)


def _word(
    rollout: Rollout,
    phase_index: int,
    caller: Caller,
    person: str | None,
    comment: str,
    now: datetime,
) -> Approval:
    return Approval(
        by=caller.name,
        at=now,
        phase_index=phase_index,
        attempt=rollout.attempt,
        plan_hash=rollout.plan_hash,
        comment=comment,
        person=person,
        # Who they are, not what this one token or login was good for.
        approver=replace(caller, granted=None, authenticated_at=None),
    )


def _caller(actor: str | Caller) -> Caller:
    if isinstance(actor, Caller):
        return actor
    return Caller(name=actor, kind=CallerKind.PERSON, person=actor, is_root=True)
