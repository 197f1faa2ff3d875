"""A rollout as it is shown. What it allows and what can be done with it is asked of the domain."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tidegate.api.shapes import rollout as shapes
from tidegate.domain.health.evidence import Evidence
from tidegate.domain.plan.model import Phase
from tidegate.domain.quantities import NO_EXPOSURE, Exposure, Placement, Version
from tidegate.domain.rollout.decisions import FULL_EXPOSURE, Observation, Seen
from tidegate.domain.rollout.machine import TRANSITIONS, Event, State
from tidegate.domain.rollout.model import ReasonCode, Rollout, WaitingOn
from tidegate.domain.rollout.seen import (
    evidence_in_force,
    phase_in_force,
    valid_approvals,
    wanted_exposure,
)
from tidegate.usecases.approve import approved_phase

NEEDS_PERSON: Final = frozenset(
    {ReasonCode.APPROVAL, ReasonCode.INCONCLUSIVE, ReasonCode.PERSON_AFTER_HALT}
)
"""Waits that end only when somebody acts. The others end by themselves, or by a deadline's halt."""

_UNDER_WAY: Final = frozenset({State.APPLYING, State.BAKING, State.HELD, State.COMPLETED})
_STOPPED: Final = frozenset({State.HALTED, State.RECOVERING, State.ROLLED_BACK, State.ABANDONED})


def show_rollout(
    rollout: Rollout,
    *,
    now: datetime,
    evidence: Evidence | None = None,
    seen: Sequence[Seen] = (),
    waiting_on: WaitingOn | None = None,
) -> shapes.Rollout:
    """
    Return *rollout* as it is shown.

    Args:
        rollout: The stored rollout.
        now: The server's time.
        evidence: The stored evidence, for how long the phase in force has baked.
        seen: What was observed at its targets; where nobody looked, nothing is said of it.
        waiting_on: What it waits for in the words of this moment, when they are newer than the record.
    """
    observed = {here.placement: here for here in seen}
    return shapes.Rollout(
        id=rollout.id,
        service=rollout.service,
        change=show_change(rollout),
        plan=rollout.plan.name,
        plan_hash=rollout.plan_hash,
        state=rollout.state.value,
        state_since=rollout.state_since,
        phase=_position(rollout),
        attempt=rollout.attempt,
        revision=rollout.revision,
        at=shapes.At(phase=rollout.phase_index + 1, revision=rollout.revision),
        exposure=[
            show_exposure(place, _set_exposure(rollout, place), observed.get(place), rollout)
            for place in rollout.plan.placements()
        ],
        waiting_on=_waiting(waiting_on or rollout.waiting_on),
        halt=_halt(rollout),
        approvals=_approvals(rollout),
        rehearsal=rollout.rehearsal.value,
        way_back_seconds=None
        if rollout.way_back_took is None
        else rollout.way_back_took.total_seconds(),
        actions=actions(rollout),
        is_final=rollout.is_final,
        is_install=rollout.is_install,
        is_return=rollout.is_return,
        emergency=rollout.emergency_id,
        settled=rollout.settled,
        created_at=rollout.created_at,
        created_by=rollout.created_by,
        finished_at=rollout.finished_at,
        phases=_phases(rollout, evidence, now),
        as_of=now,
    )


def show_change(rollout: Rollout) -> dict[str, shapes.ComponentChange]:
    """Return what *rollout* changes, by component."""
    before = {place.component: version for place, version in reversed(rollout.baselines)}
    kinds = {component.name: component.kind for component in rollout.components}
    return {
        part.component: component_change(
            kinds.get(part.component, ""),
            part.to,
            None if rollout.is_install else before.get(part.component),
        )
        for part in rollout.change.components
    }


def component_change(kind: str, to: Version, before: Version | None) -> shapes.ComponentChange:
    """Return the change of one component as it is shown."""
    return shapes.ComponentChange(
        kind=kind,
        to=to.name,
        to_digest=to.digest,
        before=None if before is None else before.name,
        before_digest=None if before is None else before.digest,
    )


def show_exposure(
    placement: Placement, allowed: Exposure, seen: Seen | None, rollout: Rollout
) -> shapes.Exposure:
    """Return the exposure of one placement: what is allowed, and what was seen if anybody looked."""
    base = shapes.Exposure(
        component=placement.component,
        target=placement.target,
        set_internal=allowed.internal,
        set_bps=allowed.weight_bps,
    )
    if seen is None:
        return base
    actual = _actual_exposure(placement, seen, rollout)
    return base.model_copy(
        update={
            "actual_internal": None if actual is None else actual.internal,
            "actual_bps": None if actual is None else actual.weight_bps,
            "settled": seen.settled,
            "why_not": seen.why_not or None,
            "serving": _version(seen.serving),
            "candidate": _version(seen.candidate),
        }
    )


def show_phase(
    phase: Phase, number: int, state: shapes.PhaseState, baked_seconds: float | None
) -> shapes.Phase:
    """Return one phase as it is shown."""
    return shapes.Phase(
        number=number,
        name=phase.name,
        ring=phase.ring,
        state=state,
        moves=[
            shapes.Move(
                component=move.placement.component,
                target=move.placement.target,
                exposure=str(move.exposure),
                internal=move.exposure.internal,
                weight_bps=move.exposure.weight_bps,
            )
            for move in phase.moves
        ],
        bake_seconds=phase.bake.total_seconds(),
        bake_max_seconds=phase.bake_max.total_seconds(),
        baked_seconds=baked_seconds,
        approvals=phase.approvals,
        approvers=phase.approvers,
        unless_reviewed=phase.unless_reviewed,
        demanded_by=phase.demanded_by,
    )


def actions(rollout: Rollout) -> list[shapes.Action]:
    """Return what a person can do with *rollout* now, by what its state can take."""
    takes = TRANSITIONS[rollout.state]
    state = rollout.state
    can: list[shapes.Action] = []
    over = state in (State.HALTED, State.RECOVERING)
    if Event.HALTED_BY_PERSON in takes and not over:
        can.append("halt")
    undecided = rollout.waiting_on.reason is ReasonCode.INCONCLUSIVE
    if Event.RESUMED in takes and (state is State.HALTED or undecided):
        can.append("resume")
    approvals = _approvals(rollout)
    if approvals is not None:
        # Also when enough was said: whether all of it counts isn't known here.
        can += ["approve", "reject"]
    if state is State.COMPLETED or (
        Event.RECOVERY_STARTED in takes and state not in (State.PLANNED, State.RECOVERING)
    ):
        can.append("rollback")
    if Event.ABANDONED in takes and state is State.HALTED:
        can.append("abandon")
    return can


def _set_exposure(rollout: Rollout, placement: Placement) -> Exposure:
    """Return the share of everyone that shall meet the new version."""
    if rollout.is_return:
        return FULL_EXPOSURE
    if rollout.is_install:
        return FULL_EXPOSURE if rollout.state in _UNDER_WAY else NO_EXPOSURE
    return wanted_exposure(rollout, placement)


def _actual_exposure(placement: Placement, seen: Seen, rollout: Rollout) -> Exposure | None:
    """Return the share of everyone that was seen to meet the new version, None for unknown."""
    new = rollout.change.version_of(placement.component)
    if seen.candidate is not None or seen.serving is None or seen.serving != new:
        return seen.exposure
    # What is new is the baseline: everyone meets it, though nothing is split. While a first
    # deployment is on its way that isn't seen yet, only asked for.
    return None if rollout.is_install and not seen.settled else FULL_EXPOSURE


def _position(rollout: Rollout) -> shapes.PhasePosition:
    return shapes.PhasePosition(
        number=rollout.phase_index + 1,
        count=len(rollout.plan.phases),
        name=rollout.phase.name,
        ring=rollout.phase.ring,
    )


def _phases(rollout: Rollout, evidence: Evidence | None, now: datetime) -> list[shapes.Phase]:
    if rollout.is_return:
        return []
    in_force = phase_in_force(rollout)
    baked = None
    if evidence is not None and in_force is not None:
        known = evidence_in_force(
            Observation(now=now, rollout=rollout, placements=(), evidence=evidence)
        )
        baked = known.baked_for.total_seconds()
    return [
        show_phase(
            phase, index + 1, _phase_state(rollout, index), baked if phase is in_force else None
        )
        for index, phase in enumerate(rollout.plan.phases)
    ]


def _phase_state(rollout: Rollout, index: int) -> shapes.PhaseState:
    if index < rollout.phase_index or rollout.state is State.COMPLETED:
        return "done"
    if index > rollout.phase_index:
        return "ahead"
    return "stopped" if rollout.state in _STOPPED else "now"


def _waiting(waiting_on: WaitingOn) -> shapes.WaitingOn:
    return shapes.WaitingOn(
        reason_code=waiting_on.reason.value,
        detail=waiting_on.detail,
        until=waiting_on.until,
        who_can_act=waiting_on.who_can_act.value,
        needs_person=waiting_on.reason in NEEDS_PERSON,
    )


def _halt(rollout: Rollout) -> shapes.Halt | None:
    if rollout.halt is None:
        return None
    halt = rollout.halt
    return shapes.Halt(cause=halt.cause.value, because=halt.because, by=halt.by, at=halt.at)


def _approvals(rollout: Rollout) -> shapes.Approvals | None:
    phase_index = approved_phase(rollout)
    if phase_index is None or rollout.plan.phases[phase_index].approvals == 0:
        return None
    phase = rollout.plan.phases[phase_index]
    return shapes.Approvals(
        phase=phase_index + 1,
        name=phase.name,
        needed=phase.approvals,
        approvers=phase.approvers,
        given=[
            shapes.GivenApproval(
                by=given.by,
                at=given.at,
                comment=given.comment,
                person=given.person,
                is_yes=given.is_yes,
                expires_at=given.expires_at,
            )
            for given in valid_approvals(rollout, phase_index)
        ],
    )


def _version(version: Version | None) -> shapes.Version | None:
    return None if version is None else shapes.Version(name=version.name, digest=version.digest)
