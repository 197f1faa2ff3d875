"""
Which approvals are waited for: by what, from whom, what was said so far, and whether one may give one.

Only reads, and tells the same as a decision would find: an approval that doesn't count is shown with why.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from tidegate.domain.access.model import Caller
from tidegate.domain.approvals.duties import (
    ApprovalGround,
    why_artifact_moved,
    why_not_eligible,
)
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Approval, Rollout
from tidegate.domain.rollout.seen import valid_approvals
from tidegate.ports.store import Transaction
from tidegate.usecases.access import access_in
from tidegate.usecases.approvals import ground_of, is_reviewed, why_not_counting
from tidegate.usecases.approve import approved_phase, check_eligible
from tidegate.usecases.policies import person_behind, policy_in_force
from tidegate.usecases.reading import sees_rollout

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What one person said of a phase. `void_because` says why a yes doesn't count, "" when it does."""

    approval: Approval
    void_because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """
    One phase that people have to agree to.

    `is_due` is whether the rollout waits for it now; else its phase before is still under way. `may` are
    the persons who can approve, None when only the caller's own groups tell. `authors` are those who
    never can. `why_not` says why whoever asks can't, "" when they can. `deadline` is when the first of the
    approvals that count lapses, None when none counts.
    """

    rollout: Rollout
    phase_index: int
    is_due: bool
    exposure: str
    may: tuple[str, ...] | None
    authors: tuple[str, ...]
    words: tuple[Word, ...]
    why_not: str
    deadline: datetime | None

    @property
    def counting(self) -> int:
        """How many approvals count."""
        return sum(word.approval.is_yes and not word.void_because for word in self.words)

    @property
    def is_rejected(self) -> bool:
        """Whether somebody's no stands."""
        return any(not word.approval.is_yes for word in self.words)


def awaited_approvals(
    transaction: Transaction, caller: Caller, now: datetime
) -> tuple[Awaited, ...]:
    """
    Return every phase that has to be agreed to, as *caller* may see it.

    Those that are due come first, and of those the ones whose approvals lapse first.
    """
    access = access_in(transaction, caller, now)
    found = [
        awaited(transaction, rollout, phase_index, caller, now)
        for rollout, phase_index in _in_question(transaction, now)
        if sees_rollout(access, rollout)
    ]
    found.sort(key=lambda one: (not one.is_due, one.deadline or _NEVER, one.rollout.state_since))
    return tuple(found)


def awaited(
    transaction: Transaction,
    rollout: Rollout,
    phase_index: int,
    caller: Caller,
    now: datetime,
) -> Awaited:
    """Return what is said about the phase at *phase_index* of *rollout*, which needs approvals."""
    is_due = rollout.state is State.WAITING
    ground = ground_of(transaction, rollout, phase_index, now)
    if not is_due:
        # It is looked up again before it matters.
        ground = replace(ground, unknown="")
    words = tuple(
        Word(approval=one, void_because=_void_because(transaction, rollout, ground, one, now))
        for one in valid_approvals(rollout, phase_index)
    )
    person = person_behind(policy_in_force(transaction, rollout.organisation), caller)
    return Awaited(
        rollout=rollout,
        phase_index=phase_index,
        is_due=is_due,
        exposure=ground.binding.exposure,
        may=_may(ground),
        authors=tuple(sorted(ground.authors)) + ground.strangers,
        words=words,
        why_not=_why_not(ground, words, caller, person),
        deadline=min(
            (
                one.approval.expires_at
                for one in words
                if one.approval.is_yes
                and not one.void_because
                and one.approval.expires_at is not None
            ),
            default=None,
        ),
    )


def _in_question(transaction: Transaction, now: datetime) -> Iterator[tuple[Rollout, int]]:
    for rollout in transaction.unfinished():
        phase_index = approved_phase(rollout)
        if phase_index is None or rollout.is_return:
            continue
        phase = rollout.plan.phases[phase_index]
        waived = phase.unless_reviewed and is_reviewed(transaction, rollout, now)
        if phase.approvals > 0 and not waived:
            yield rollout, phase_index


def _void_because(
    transaction: Transaction,
    rollout: Rollout,
    ground: ApprovalGround,
    approval: Approval,
    now: datetime,
) -> str:
    if not approval.is_yes:
        return ""
    if approval.expires_at is not None and now >= approval.expires_at:
        return "it has expired"
    return why_not_counting(transaction, rollout, ground, approval, now)


def _may(ground: ApprovalGround) -> tuple[str, ...] | None:
    if ground.members is None:
        return None
    return tuple(one for one in sorted(ground.members) if not why_not_eligible(ground, one, one))


def _why_not(
    ground: ApprovalGround, words: tuple[Word, ...], caller: Caller, person: str | None
) -> str:
    why_not = check_eligible(ground, caller, person) or why_artifact_moved(ground)
    if why_not:
        return why_not
    said = any(
        word.approval.is_yes and not word.void_because and word.approval.person == person
        for word in words
    )
    return f"{person} has approved it already" if said else ""
