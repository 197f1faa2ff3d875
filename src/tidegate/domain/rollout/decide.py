"""
The whole policy: from all that is known of a rollout to what to do next, with the reason.

`decide` is pure: no clock, no I/O, no randomness. If it is not a field of the `Observation` it is not
an input. The ledger stores the observation, so any decision can be made again, by anyone, later.

Two rules hold everything else up. Exposure rises only by `EnterPhase`, and that is only returned when
the phase before has passed and everyone who must agree has. And nothing here ever advances because
time ran out: deadlines hold or halt.
"""

from datetime import datetime, timedelta
from typing import assert_never

from tidegate.domain.durations import rough_duration
from tidegate.domain.health.evidence import Verdict
from tidegate.domain.rollout.decide_ending import (
    decide_completed,
    decide_halted,
    decide_recovering,
    decide_return,
)
from tidegate.domain.rollout.decide_stops import (
    halt_for_harm,
    halt_for_trip,
    halt_from_outside,
    halt_latched_elsewhere,
)
from tidegate.domain.rollout.decisions import (
    Advance,
    Begin,
    Complete,
    Decision,
    Drop,
    EnterPhase,
    HaltNow,
    Hold,
    Observation,
    Pause,
    Reapply,
    Rehearse,
    StartBake,
    Unpause,
)
from tidegate.domain.rollout.holds import hold, pause, waiting, withdraw_again
from tidegate.domain.rollout.judged import alarmed_in_words, judged, troubled_in_words
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import (
    HaltCause,
    PhasePass,
    ReasonCode,
    Rehearsal,
    WhoCanAct,
)
from tidegate.domain.rollout.obstacles import (
    before_anyone,
    before_users,
    counting_approvals,
    stop_order_in_words,
)
from tidegate.domain.rollout.seen import (
    allows_nobody,
    certified_before,
    count_trips,
    evidence_in_force,
    first_exposed,
    first_finished,
    first_unsettled,
    is_last_phase,
    not_yet_shown,
    pass_of_phase_before,
    watch_silence,
)
from tidegate.domain.rollout.stagger import too_close


def decide(seen: Observation) -> Decision:
    """Return what to do next, with the reason in words for the ledger."""
    match seen.rollout.state:
        case State.PLANNED:
            return _decide_planned(seen)
        case State.WAITING:
            return halt_latched_elsewhere(seen) or _decide_waiting(seen)
        case State.APPLYING:
            return halt_latched_elsewhere(seen) or _decide_applying(seen)
        case State.BAKING:
            return halt_latched_elsewhere(seen) or _decide_baking(seen)
        case State.HELD:
            return halt_latched_elsewhere(seen) or _decide_held(seen)
        case State.HALTED:
            return decide_halted(seen)
        case State.RECOVERING:
            return decide_return(seen) if seen.rollout.is_return else decide_recovering(seen)
        case State.COMPLETED:
            return decide_completed(seen)
        case State.ROLLED_BACK | State.ROLLED_FORWARD | State.SUPERSEDED | State.ABANDONED:
            return hold("over", "the rollout is over", ReasonCode.NOTHING)
        case _:
            assert_never(seen.rollout.state)


# --- one function per state ------------------------------------------------------------------


def _decide_planned(seen: Observation) -> Decision:
    if seen.queued is not None:
        return hold("queue", seen.queued.because, ReasonCode.QUEUE)
    ordered = stop_order_in_words(seen)
    if ordered:
        # It would begin only to be stopped, and one that withdraws would leave it to a person.
        return hold("stop-order", ordered, ReasonCode.STOP_ORDER, who=WhoCanAct.OPERATOR)
    # What it is compared with, and goes back to, is what is served when it begins.
    for here in seen.placements:
        if here.serving is None:
            missing = here.why_not or f"nothing is served at {here.placement}"
            return hold("queue", missing, ReasonCode.QUEUE, who=WhoCanAct.OPERATOR)
    behind = not_yet_shown(seen.placements, seen.ended, seen.now)
    if behind:
        return hold("queue", behind, ReasonCode.STARTING)
    if seen.placements and all(
        here.serving == seen.rollout.change.version_of(here.placement.component)
        for here in seen.placements
    ):
        return Drop(rule="queue", because="everything that it would bring is served already")
    return Begin(rule="queue", because="nothing else moves its targets")


def _decide_waiting(seen: Observation) -> Decision:
    rollout = seen.rollout
    stop = halt_for_harm(seen) or halt_from_outside(seen)
    if stop is not None:
        return stop
    left = first_exposed(seen) if allows_nobody(rollout) else None
    if left is not None:
        return withdraw_again(left)
    alarmed = alarmed_in_words(seen)
    # A rehearsal that has begun is brought to its end: that closes what it opened.
    begun = rollout.rehearsal in (Rehearsal.FORWARD, Rehearsal.BACK)
    if alarmed and not begun:
        return hold("alarm", alarmed, ReasonCode.ALARM, who=WhoCanAct.OPERATOR)
    obstacle = None if begun else before_anyone(seen)
    if obstacle is not None:
        return obstacle
    if rollout.phase_index == 0 and rollout.rehearsal is not Rehearsal.PROVEN:
        return _decide_rehearsal(seen)
    obstacle = before_users(seen)
    if obstacle is not None:
        return obstacle
    passed = pass_of_phase_before(rollout)
    if rollout.phase_index > 0 and passed is None:
        return hold(
            "evidence-before-rise",
            f"no record that {rollout.plan.phases[rollout.phase_index - 1].name} was passed",
            ReasonCode.MORE_EVIDENCE,
            who=WhoCanAct.OPERATOR,
        )
    troubled = troubled_in_words(seen)
    if troubled:
        return hold("not-this-change", troubled, ReasonCode.NOT_THIS_CHANGE)
    crowded = too_close(rollout, seen.neighbours, seen.now)
    if crowded is not None:
        return hold("stagger", crowded[1], ReasonCode.STAGGER, until=crowded[0])
    return EnterPhase(
        rule="enter-phase",
        because=f"phase {rollout.phase_index + 1} of {len(rollout.plan.phases)}:"
        f" {rollout.phase.name}"
        + (f", outside the calendar by {seen.calendar.excepted}" if seen.calendar.excepted else ""),
        evidence_of=passed,
        approvals=counting_approvals(seen),
    )


def _decide_rehearsal(seen: Observation) -> Decision:
    rollout = seen.rollout
    if rollout.is_install:
        return Rehearse(
            rule="rehearse-way-back",
            because="nothing is served yet, so there is nothing to go back to",
            to=Rehearsal.PROVEN,
        )
    unsettled = first_unsettled(seen)
    ordered = stop_order_in_words(seen)
    if ordered and unsettled is not None and rollout.rehearsal is Rehearsal.FORWARD:
        # Not back: a way back from where nobody has come proves nothing.
        return hold("stop-order", ordered, ReasonCode.STOP_ORDER, who=WhoCanAct.OPERATOR)
    match rollout.rehearsal:
        case Rehearsal.NOT_TRIED:
            return Rehearse(
                rule="rehearse-way-back",
                because="the way back is tried on internal traffic before anyone is exposed",
                to=Rehearsal.FORWARD,
            )
        case Rehearsal.FORWARD if unsettled is None:
            return Rehearse(
                rule="rehearse-way-back",
                because="the candidate serves internal traffic; now back",
                to=Rehearsal.BACK,
            )
        case Rehearsal.BACK if unsettled is None and first_exposed(seen) is None:
            return Rehearse(
                rule="rehearse-way-back", because="the way back works", to=Rehearsal.PROVEN
            )
        case _:
            problem = unsettled or "still open to internal users"
            since = rollout.rehearsal_since or rollout.state_since
            began = _began(seen, since, ReasonCode.REHEARSING)
            return _wait_for_targets(seen, began, problem, ReasonCode.REHEARSING)


def _decide_applying(seen: Observation) -> Decision:
    rollout = seen.rollout
    stop = halt_for_harm(seen) or halt_from_outside(seen)
    if stop is not None:
        return stop
    unsettled = first_unsettled(seen)
    ordered = stop_order_in_words(seen)
    if ordered and unsettled is not None:
        return hold("stop-order", ordered, ReasonCode.STOP_ORDER, who=WhoCanAct.OPERATOR)
    if unsettled is None:
        return StartBake(
            rule="observed-everywhere",
            because=f"{rollout.phase.name} is served as asked by every member",
            trips=count_trips(seen, rollout.phase_index),
        )
    began = _began(seen, rollout.state_since, ReasonCode.APPLYING)
    return _wait_for_targets(seen, began, unsettled, ReasonCode.APPLYING)


def _began(seen: Observation, since: datetime, reason: ReasonCode) -> datetime:
    """Return from when the targets' time counts: what a stop order kept waiting has all of it again."""
    told = seen.rollout.waiting_on
    if told.reason is ReasonCode.STOP_ORDER:
        return seen.now
    if told.reason is not reason or told.until is None:
        return since
    return max(since, told.until - seen.rollout.plan.apply_within)


def _wait_for_targets(
    seen: Observation, began: datetime, problem: str, reason: ReasonCode
) -> Decision:
    deadline = began + seen.rollout.plan.apply_within
    if seen.now >= deadline:
        waited = int((seen.now - began).total_seconds())
        return HaltNow(
            rule="apply-within",
            because=f"not served after {waited} s: {problem}",
            cause=HaltCause.NOT_APPLIED,
        )
    return Reapply(
        rule="observed-everywhere",
        because=problem,
        waiting_on=waiting(reason, problem, until=deadline),
    )


def _decide_baking(seen: Observation) -> Decision:
    rollout = seen.rollout
    stop = halt_for_trip(seen)
    if stop is not None:
        return stop
    judgement = judged(seen, rollout.phase)
    because = "; ".join(judgement.reasons)
    if judgement.verdict is Verdict.FAIL:
        return HaltNow(rule="harm-proven", because=because, cause=HaltCause.HARM)
    told = halt_from_outside(seen)
    if told is not None:
        return told
    finished = first_finished(seen)
    if finished is not None:
        # Completing was decided and begun, and whoever did so didn't live to record it.
        return Complete(rule="all-phases-passed", because=finished, passed=_pass_of(seen))
    alarmed = alarmed_in_words(seen)
    if alarmed:
        return pause("alarm", alarmed, ReasonCode.ALARM, None)
    unsettled = first_unsettled(seen)
    if unsettled is not None:
        return pause("drift", unsettled, ReasonCode.NO_DATA, _no_data_deadline(seen))
    silence = watch_silence(seen)
    if silence is not None:
        return pause("watch-silent", silence, ReasonCode.NO_DATA, _no_data_deadline(seen))
    troubled = troubled_in_words(seen)
    if troubled:
        return pause("not-this-change", troubled, ReasonCode.NOT_THIS_CHANGE, None)
    match judgement.verdict:
        case Verdict.UNUSABLE:
            if seen.now - rollout.state_since < rollout.plan.stale_after:
                return hold("first-data", because, ReasonCode.MORE_EVIDENCE)
            return pause("no-data", because, ReasonCode.NO_DATA, _no_data_deadline(seen))
        case Verdict.SUSPECT:
            return pause("harm-suspected", because, ReasonCode.SUSPECTED_HARM, None)
        case Verdict.INSUFFICIENT:
            return _undecided(seen, because)
        case Verdict.PASS:
            return _passed(seen, because)
        case _:
            assert_never(judgement.verdict)


def _undecided(seen: Observation, because: str) -> Decision:
    rollout, evidence = seen.rollout, evidence_in_force(seen)
    longest = rollout.phase.bake_max * rollout.bake_allowance
    if evidence.baked_for >= longest:
        return Pause(
            rule="inconclusive",
            because=f"undecided after {rough_duration(evidence.baked_for)}: {because}",
            waiting_on=waiting(ReasonCode.INCONCLUSIVE, because, who=WhoCanAct.OPERATOR),
        )
    left = rollout.phase.bake - evidence.baked_for
    if left > timedelta(0):
        because = f"{rough_duration(left)} of bake left; {because}"
    return Hold(
        rule="more-evidence",
        because=because,
        waiting_on=waiting(
            ReasonCode.MORE_EVIDENCE, because, until=seen.now + (longest - evidence.baked_for)
        ),
    )


def _passed(seen: Observation, because: str) -> Decision:
    rollout, evidence = seen.rollout, evidence_in_force(seen)
    left = rollout.phase.bake - evidence.baked_for
    if left > timedelta(0):
        return Hold(
            rule="bake-time",
            because=f"{because}; {rough_duration(left)} of bake left",
            waiting_on=waiting(
                ReasonCode.BAKE_TIME, f"{rough_duration(left)} of bake left", until=seen.now + left
            ),
        )
    if seen.now - rollout.phase_since < rollout.phase.bake:
        # Counted time can't outrun the clock on the wall; if it did, one of them is wrong.
        until = rollout.phase_since + rollout.phase.bake
        return Hold(
            rule="bake-time",
            because="the clocks disagree; the later one counts",
            waiting_on=waiting(ReasonCode.BAKE_TIME, "the bake's time", until=until),
        )
    calendar = seen.calendar
    if calendar.working_day_missing:
        return Hold(
            rule="working-day",
            because=calendar.working_day_missing,
            waiting_on=waiting(
                ReasonCode.WORKING_DAY,
                calendar.working_day_missing,
                until=calendar.working_day_by,
            ),
        )
    ordered = stop_order_in_words(seen)
    if is_last_phase(rollout) and ordered:
        # Completing takes away the warm way back, and nothing moves on under a stop order.
        return hold("stop-order", ordered, ReasonCode.STOP_ORDER, who=WhoCanAct.OPERATOR)
    if is_last_phase(rollout):
        return Complete(rule="all-phases-passed", because=because, passed=_pass_of(seen))
    return Advance(rule="phase-passed", because=because, passed=_pass_of(seen))


def _pass_of(seen: Observation) -> PhasePass:
    rollout = seen.rollout
    proven = [
        spec.name
        for spec in rollout.phase.signals
        if spec.gate and rollout.phase.has_concurrent_baseline
    ]
    return PhasePass(
        phase_index=rollout.phase_index,
        attempt=rollout.attempt,
        at=seen.now,
        certified=tuple(sorted({*certified_before(rollout), *proven})),
    )


def _decide_held(seen: Observation) -> Decision:
    rollout = seen.rollout
    stop = halt_for_trip(seen)
    if stop is not None:
        return stop
    judgement = judged(seen, rollout.phase)
    because = "; ".join(judgement.reasons)
    if judgement.verdict is Verdict.FAIL:
        return HaltNow(rule="harm-proven", because=because, cause=HaltCause.HARM)
    told = halt_from_outside(seen)
    if told is not None:
        return told
    if rollout.waiting_on.reason is ReasonCode.INCONCLUSIVE:
        return Hold(
            rule="inconclusive",
            because=f"undecided: {because}",
            waiting_on=waiting(ReasonCode.INCONCLUSIVE, because, who=WhoCanAct.OPERATOR),
        )
    unsettled = first_unsettled(seen)
    silence = watch_silence(seen)
    trouble = unsettled or silence
    # Put on hold right after its bake began, it has had no time to have data.
    is_young = seen.now - rollout.phase_since < rollout.plan.stale_after
    if trouble is None and judgement.verdict is Verdict.UNUSABLE and not is_young:
        trouble = because
    if trouble is not None:
        return _hold_without_data(seen, trouble, watch_is_alive=silence is None)
    troubled = troubled_in_words(seen)
    if troubled:
        return hold("not-this-change", troubled, ReasonCode.NOT_THIS_CHANGE, who=WhoCanAct.OPERATOR)
    if judgement.verdict is Verdict.SUSPECT:
        return hold("harm-suspected", because, ReasonCode.SUSPECTED_HARM, who=WhoCanAct.OPERATOR)
    alarmed = alarmed_in_words(seen)
    if alarmed:
        return hold("alarm", alarmed, ReasonCode.ALARM, who=WhoCanAct.OPERATOR)
    return Unpause(rule="hold-ended", because=f"the cause is gone; {because}")


def _hold_without_data(seen: Observation, trouble: str, *, watch_is_alive: bool) -> Decision:
    deadline = _no_data_deadline(seen)
    # While our own watch is silent nothing was looked at, so nothing can be said to be missing.
    if seen.now >= deadline and watch_is_alive:
        waited = rough_duration(seen.now - deadline + seen.rollout.plan.no_data_halt_after)
        return HaltNow(
            rule="no-data-halt-after",
            because=f"no usable data for {waited}: {trouble}",
            cause=HaltCause.NO_DATA,
        )
    return hold("no-data", trouble, ReasonCode.NO_DATA, until=deadline, who=WhoCanAct.OPERATOR)


# --- words -----------------------------------------------------------------------------------


def _no_data_deadline(seen: Observation) -> datetime:
    """Return until when data may be missing: counted from when it went missing, not from the hold."""
    waiting_on = seen.rollout.waiting_on
    if waiting_on.reason is ReasonCode.NO_DATA and waiting_on.until is not None:
        return waiting_on.until
    return seen.now + seen.rollout.plan.no_data_halt_after
