"""
What can be read off a rollout and an observation of it: facts and no decisions.

Each function answers one question about what was seen (is it served as asked, is anybody still exposed,
does the evidence belong to this phase), in words where people read the answer.
"""

from collections.abc import Iterable
from datetime import datetime

from tidegate.domain.durations import rough_duration
from tidegate.domain.health.evidence import NO_EVIDENCE, Evidence
from tidegate.domain.plan.model import Effect, Phase
from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Exposure,
    Placement,
)
from tidegate.domain.rollout.alarms import Alarm, concerns, effect_by_severity
from tidegate.domain.rollout.decisions import (
    Ended,
    Observation,
    Seen,
)
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import (
    Approval,
    PhasePass,
    ReasonCode,
    Rehearsal,
    Rollout,
)


def wanted_exposure(rollout: Rollout, placement: Placement) -> Exposure:
    """Return what *rollout* allows *placement* now; the most that may ever be observed there."""
    if is_rehearsed_on(rollout):
        return Exposure(internal=True, weight_bps=0)
    index = allowed_phase_index(rollout)
    return NO_EXPOSURE if index is None else rollout.plan.exposure_of(placement, index)


def is_rehearsed_on(rollout: Rollout) -> bool:
    """Return whether internal users may meet it everywhere, because the way back is being tried."""
    return rollout.state is State.WAITING and rollout.rehearsal is Rehearsal.FORWARD


def allowed_phase_index(rollout: Rollout) -> int | None:
    """Return the index of the last phase whose exposure is allowed now, None when nobody's is."""
    match rollout.state:
        case State.APPLYING | State.BAKING | State.HELD:
            return rollout.phase_index
        case State.COMPLETED:
            return len(rollout.plan.phases) - 1
        case State.WAITING:
            if rollout.phase_index == 0 or must_prove_again(rollout):
                return None
            return rollout.phase_index - 1
        case _:
            return None


def must_prove_again(rollout: Rollout) -> bool:
    """Return whether a stop withdrew everything since the phase before was passed."""
    last = rollout.passes[-1] if rollout.passes else None
    return last is None or last.attempt != rollout.attempt


def phase_in_force(rollout: Rollout) -> Phase | None:
    """
    Return the phase whose exposure users meet now, and whose signals must be watched.

    While the next phase is waited for or applied, the one before stays in force, and so does its
    watch: its users don't stop being harmed because more are about to come.
    """
    index = phase_index_in_force(rollout)
    return None if index is None else rollout.plan.phases[index]


def phase_index_in_force(rollout: Rollout) -> int | None:
    """Return the index of the phase in force; see `phase_in_force`."""
    if rollout.state in (State.BAKING, State.HELD):
        return rollout.phase_index
    moves_on = rollout.state in (State.WAITING, State.APPLYING) and rollout.phase_index > 0
    if moves_on and not must_prove_again(rollout):
        return rollout.phase_index - 1
    return None


def allows_nobody(rollout: Rollout) -> bool:
    """Return whether nothing may be exposed while *rollout* waits: nobody watches it then."""
    rehearses = rollout.rehearsal in (Rehearsal.FORWARD, Rehearsal.BACK)
    return phase_in_force(rollout) is None and not rehearses


def valid_approvals(rollout: Rollout, phase_index: int) -> tuple[Approval, ...]:
    """
    Return the latest word of each person on this phase, in this attempt and of this plan: a yes or a no.

    Two names of one person are one; where names are only claimed, the name is all there is to count.
    """
    by_person = {
        approval.person or approval.by: approval
        for approval in rollout.approvals
        if approval.phase_index == phase_index
        and approval.attempt == rollout.attempt
        and approval.plan_hash == rollout.plan_hash
    }
    return tuple(by_person.values())


def pass_of_phase_before(rollout: Rollout) -> PhasePass | None:
    """Return the record that the phase before was passed, in whichever attempt; None if none was."""
    return next(
        (
            passed
            for passed in reversed(rollout.passes)
            if passed.phase_index == rollout.phase_index - 1
        ),
        None,
    )


def is_suspected(rollout: Rollout) -> bool:
    """Return whether the present hold has seen likely harm, whatever else it waits for by now."""
    is_held_for_it = rollout.waiting_on.reason is ReasonCode.SUSPECTED_HARM
    return rollout.state is State.HELD and (rollout.suspected or is_held_for_it)


def is_last_phase(rollout: Rollout) -> bool:
    """Return whether no phase comes after the present one."""
    return rollout.phase_index + 1 == len(rollout.plan.phases)


def count_trips(seen: Observation, phase_index: int) -> int:
    """
    Return how often members of the candidate were cut off or restarted, where *phase_index* has come.

    At placements that come later a candidate is only just being started.
    """
    within = seen.rollout.plan.exposure_within(phase_index)
    return sum(here.trips for here in seen.placements if here.placement in within)


def alarm_effect(rollout: Rollout, alarm: Alarm) -> Effect:
    """
    Return what *alarm* does to *rollout*.

    It halts only where somebody may meet the candidate by this rollout. Elsewhere in the service (a
    target it hasn't come to or never moves, or before anyone is exposed) there is nothing to withdraw;
    but exposure doesn't rise in a service that is in trouble.
    """
    policy = rollout.plan.alerts
    if not alarm.is_active or not alarm.reaches(rollout.organisation):
        return Effect.IGNORE
    if not concerns(alarm, rollout.service, policy):
        return Effect.IGNORE
    effect = effect_by_severity(alarm, policy)
    if effect is not Effect.HALT:
        return effect
    met = {
        placement.target
        for placement in rollout.plan.placements()
        if wanted_exposure(rollout, placement) != NO_EXPOSURE
    }
    return Effect.HALT if met and (alarm.target is None or alarm.target in met) else Effect.HOLD


def alarms_with(seen: Observation, effect: Effect) -> tuple[Alarm, ...]:
    """Return the alarms that have *effect*, the oldest first."""
    found = [alarm for alarm in seen.alarms if alarm_effect(seen.rollout, alarm) is effect]
    return tuple(sorted(found, key=lambda alarm: (alarm.raised_at, alarm.id)))


def first_unsettled(seen: Observation) -> str | None:
    """Return what is not as wanted, in words, or None when all of it is."""
    for here in seen.placements:
        wanted = wanted_exposure(seen.rollout, here.placement)
        if here.generation != seen.rollout.generation_on(here.placement.target):
            why = f": {here.why_not}" if here.why_not else ""
            return f"{here.placement} follows generation {here.generation}{why}"
        if not here.settled:
            return here.why_not or f"{here.placement} isn't settled"
        if here.exposure != wanted:
            return f"{here.placement} exposes {here.exposure}, asked was {wanted}"
        change = seen.rollout.change.version_of(here.placement.component)
        if wanted != NO_EXPOSURE and here.candidate != change:
            served = here.candidate.name if here.candidate else "nothing"
            return f"{here.placement} serves {served} as candidate"
    return None


def not_yet_shown(placements: Iterable[Seen], ended: Iterable[Ended], now: datetime) -> str | None:
    """
    Return where an answer is from before an earlier rollout ended there, in words, or None.

    A target may show for a while what was. Taken for what is served, that would be the baseline of a
    rollout that can neither go on from it nor back to it. An older generation counts only for that while:
    after it the target was put back, and what it shows is so.
    """
    left = {one.placement: one for one in ended}
    for here in placements:
        before = left.get(here.placement)
        if before is None:
            continue
        lags = here.generation < before.generation and now < before.may_lag_until
        unfinished = here.generation == before.generation and here.serving == before.replaced
        if lags or (unfinished and before.replaced is not None):
            return f"{here.placement} doesn't show yet what rollout {before.rollout_id} ended with"
    return None


def first_exposed(seen: Observation) -> str | None:
    """Return where somebody still meets the candidate, in words, or None."""
    for here in seen.placements:
        if here.exposure != NO_EXPOSURE:
            return f"{here.placement} still exposes {here.exposure}"
    return None


def became_baseline(rollout: Rollout, here: Seen) -> bool:
    """Return whether the candidate became the baseline at *here*, which only completing does."""
    version = rollout.change.version_of(here.placement.component)
    return (
        here.candidate is None
        and here.serving == version
        and version != rollout.baseline_of(here.placement)
    )


def first_finished(seen: Observation) -> str | None:
    """Return where the last phase's candidate became the baseline under this very generation."""
    if not is_last_phase(seen.rollout):
        return None
    for here in seen.placements:
        ours = here.generation == seen.rollout.generation_on(here.placement.target)
        if ours and became_baseline(seen.rollout, here):
            return f"{here.placement} was finished already"
    return None


def not_withdrawn(seen: Observation) -> str | None:
    """
    Return where the stop of this rollout isn't seen to be in force, in words, or None.

    A target that still shows an older generation shows what was before the stop, not what is; one
    where nothing of ours was ever written (a first deployment that didn't come up) has nothing to stop.
    """
    for here in seen.placements:
        if here.exposure != NO_EXPOSURE:
            return f"{here.placement} still exposes {here.exposure}"
        nothing_there = here.generation == 0 and here.serving is None
        if (
            here.generation < seen.rollout.generation_on(here.placement.target)
            and not nothing_there
        ):
            return f"{here.placement} follows generation {here.generation}"
        if became_baseline(seen.rollout, here):
            return f"{here.placement} serves the candidate to everyone"
    return latched_elsewhere(seen)


def latched_elsewhere(seen: Observation) -> str | None:
    """Return where a stop is latched at a generation of which the store doesn't know yet."""
    for here in seen.placements:
        stopped = here.stopped_at_generation
        if stopped is not None and stopped > seen.rollout.generation_on(here.placement.target):
            return f"{here.placement} latched a stop at generation {stopped}"
    return None


def evidence_in_force(seen: Observation) -> Evidence:
    """Return the evidence if it is of this attempt and of the phase in force, else none at all."""
    rollout, evidence = seen.rollout, seen.evidence
    phase = phase_in_force(rollout)
    if (
        phase is None
        or evidence.attempt != rollout.attempt
        or evidence.phase_began_at != rollout.phase_since
        or rollout.plan.phases[evidence.phase_index] != phase
    ):
        return NO_EVIDENCE
    return evidence


def certified_before(rollout: Rollout) -> tuple[str, ...]:
    """Return the gate signals that earlier phases have certified beside a baseline."""
    return rollout.passes[-1].certified if rollout.passes else ()


def watch_silence(seen: Observation) -> str | None:
    """Return for how long the watch has not looked, in words, or None while it does."""
    # Not from when the state began: that a hold ended makes old evidence no fresher.
    since = evidence_in_force(seen).last_tick_at or seen.rollout.phase_since
    silent_for = seen.now - since
    if silent_for <= seen.rollout.plan.stale_after:
        return None
    return f"the watch has not looked for {rough_duration(silent_for)}"
