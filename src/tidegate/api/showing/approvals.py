"""What people have to agree to, as it is shown."""

from tidegate.api.shapes import approvals as shapes
from tidegate.api.shapes.rollout import At
from tidegate.api.showing.rollout import show_change
from tidegate.usecases.awaited import Awaited, Word
from tidegate.usecases.resources import resource_of_rollout


def show_awaited(awaited: Awaited) -> shapes.Awaited:
    """Return one phase that has to be agreed to."""
    rollout = awaited.rollout
    phase = rollout.plan.phases[awaited.phase_index]
    return shapes.Awaited(
        rollout=rollout.id,
        service=rollout.service,
        change=show_change(rollout),
        phase=awaited.phase_index + 1,
        phase_name=phase.name,
        exposure=awaited.exposure,
        environments=sorted(set(resource_of_rollout(rollout).environments)),
        at=At(phase=rollout.phase_index + 1, revision=rollout.revision),
        is_due=awaited.is_due,
        since=rollout.state_since,
        why=f"the policy: {phase.demanded_by}"
        if phase.demanded_by
        else f"the plan asks for {phase.approvals} of {phase.approvers} before {phase.name}",
        needed=phase.approvals,
        counting=awaited.counting,
        approvers=phase.approvers,
        may=None if awaited.may is None else [*awaited.may],
        authors=[*awaited.authors],
        words=[_show_word(word) for word in awaited.words],
        you_may=not awaited.why_not,
        why_you_may_not=awaited.why_not or None,
        deadline=awaited.deadline,
    )


def _show_word(word: Word) -> shapes.Word:
    said = word.approval
    return shapes.Word(
        by=said.by,
        person=said.person,
        at=said.at,
        is_yes=said.is_yes,
        comment=said.comment,
        expires_at=said.expires_at,
        void_because=word.void_because or None,
    )
