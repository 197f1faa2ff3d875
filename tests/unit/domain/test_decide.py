"""
The whole policy as a table: for each state, each situation that matters, and what is done about it.

Each line names what isn't as it should be; the rest is well (see `testing.simulation.situations`).
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tidegate.domain.health.evidence import NO_EVIDENCE
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import ExerciseSpec, Recovery
from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Exposure,
    Generation,
    RolloutId,
    TargetName,
    Version,
)
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.decisions import FULL_EXPOSURE, Ended, Observation
from tidegate.domain.rollout.machine import FINAL, State
from tidegate.domain.rollout.model import (
    Halt,
    HaltCause,
    ReasonCode,
    Rehearsal,
    Rollout,
    WaitingOn,
    WhoCanAct,
)
from tidegate.domain.rollout.seen import (
    evidence_in_force,
    must_prove_again,
    phase_in_force,
    valid_approvals,
    wanted_exposure,
)
from tidegate.testing.builders import (
    BASELINE,
    CANDIDATE,
    START,
    a_phase,
    a_placement,
    a_plan,
    a_rollout,
)
from tidegate.testing.simulation.situations import (
    a_pass,
    all_as_wanted,
    an_approval,
    an_observation,
    as_wanted,
    evidence_of,
    issued,
    log_odds,
)

EU = a_placement()
INTERNAL = Exposure(internal=True, weight_bps=0)
FIVE_PERCENT = Exposure(internal=True, weight_bps=500)
ANOTHER = Version(name="0.9.0", digest="sha256:" + "9" * 64)
BAKE = timedelta(minutes=10)
BAKE_MAX = timedelta(minutes=30)
BAKED = START + BAKE


def waiting_on(reason: ReasonCode) -> WaitingOn:
    return WaitingOn(reason=reason, detail="", until=None, who_can_act=WhoCanAct.OPERATOR)


def a_moving_rollout(state: State, **changes: Any) -> Rollout:
    """Return a rollout whose way back is proven, with generation 1 issued, in the middle of its way."""
    changes.setdefault("rehearsal", Rehearsal.PROVEN)
    return issued(a_rollout(state=state, **changes))


def waiting(phase_index: int = 0, *, passed: bool = True, **changes: Any) -> Rollout:
    rollout = a_moving_rollout(State.WAITING, phase_index=phase_index, **changes)
    if phase_index == 0 or not passed:
        return rollout
    return replace(rollout, passes=(a_pass(rollout, phase_index - 1),))


def applying(phase_index: int = 0, **changes: Any) -> Rollout:
    return a_moving_rollout(State.APPLYING, phase_index=phase_index, **changes)


def baking(phase_index: int = 0, **changes: Any) -> Rollout:
    return a_moving_rollout(State.BAKING, phase_index=phase_index, **changes)


def last_bake(*, carried: bool = True, **changes: Any) -> Rollout:
    rollout = baking(3, **changes)
    return replace(rollout, passes=(a_pass(rollout, 2),)) if carried else rollout


def held(reason: ReasonCode = ReasonCode.NO_DATA, **changes: Any) -> Rollout:
    """Return a rollout that is held since START; data may be missing for two hours from then."""
    until = START + timedelta(hours=2) if reason is ReasonCode.NO_DATA else None
    waits = replace(waiting_on(reason), until=until)
    return a_moving_rollout(State.HELD, waiting_on=waits, **changes)


def halted(
    cause: HaltCause = HaltCause.HARM, recovery: Recovery = Recovery.ROLLBACK, **changes: Any
) -> Rollout:
    halt = Halt(cause=cause, because="errors rose", by="tidegate", at=START)
    return a_moving_rollout(State.HALTED, halt=halt, plan=a_plan(recovery=recovery), **changes)


def recovering(**changes: Any) -> Rollout:
    return replace(halted(), state=State.RECOVERING, **changes)


def returning() -> Rollout:
    return replace(recovering(), is_return=True)


def completed(**changes: Any) -> Rollout:
    return a_moving_rollout(State.COMPLETED, phase_index=3, **changes)


def needing_approvals(count: int, phase_index: int = 0, **changes: Any) -> Rollout:
    plan = a_plan()
    phases = tuple(replace(p, approvals=count, approvers="team-release") for p in plan.phases)
    return waiting(phase_index, plan=replace(plan, phases=phases), **changes)


def seen(rollout: Rollout, **changes: Any):
    return all_as_wanted(rollout, **changes)


def ended_there(
    *, replaced: Version | None = None, may_lag_until: datetime = BAKED + timedelta(minutes=2)
) -> Ended:
    """Return that a rollout ended last at the one target, with generation 7."""
    return Ended(
        placement=EU,
        rollout_id=RolloutId("before"),
        generation=Generation(7),
        replaced=replaced,
        may_lag_until=may_lag_until,
    )


def late(seconds: float):
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One situation and what it leads to."""

    name: str
    sees: Observation
    action: str
    rule: str
    reason: ReasonCode | None = None
    cause: HaltCause | None = None


def case(
    name: str,
    rollout: Rollout,
    action: str,
    rule: str,
    *,
    reason: ReasonCode | None = None,
    cause: HaltCause | None = None,
    now=BAKED,
    **observed: Any,
) -> Case:
    return Case(
        name=name,
        sees=an_observation(rollout, now=now, **observed),
        action=action,
        rule=rule,
        reason=reason,
        cause=cause,
    )


def after_another(
    name: str, action: str, *, shows: int, reason: ReasonCode | None = None, **ended: Any
) -> Case:
    """Return a turn after a rollout that ended with generation 7, whose target *shows* one."""
    return case(
        f"planned, after another: {name}",
        a_rollout(),
        action,
        "queue",
        reason=reason,
        placements=seen(a_rollout(), generation=Generation(shows)),
        ended=(ended_there(**ended),),
    )


def with_evidence(name: str, rollout: Rollout, action: str, rule: str, **more: Any) -> Case:
    outcome = {key: more.pop(key) for key in ("reason", "cause") if key in more}
    now = more.pop("now", BAKED)
    placements = more.pop("placements", None)
    at = more.pop("at", now)
    return case(
        name,
        rollout,
        action,
        rule,
        now=now,
        placements=placements,
        evidence=evidence_of(rollout, at=at, **more),
        **outcome,
    )


LATCHED = {"stopped_at_generation": Generation(40), "exposure": NO_EXPOSURE}
HALF_A_MINUTE = timedelta(seconds=30)
PROVEN_HARM = log_odds(0.005)
LIKELY_HARM = log_odds(0.05)

WAITING_CASES = [
    case(
        "the way back is tried first",
        waiting(rehearsal=Rehearsal.NOT_TRIED),
        "rehearse",
        "rehearse-way-back",
    ),
    case(
        "internal traffic is served",
        waiting(rehearsal=Rehearsal.FORWARD),
        "rehearse",
        "rehearse-way-back",
        now=START,
    ),
    case(
        "internal traffic isn't served yet",
        waiting(rehearsal=Rehearsal.FORWARD),
        "reapply",
        "observed-everywhere",
        reason=ReasonCode.REHEARSING,
        now=START,
        placements=seen(waiting(rehearsal=Rehearsal.FORWARD), settled=False, why_not="starts"),
    ),
    case(
        "internal traffic is never served",
        waiting(rehearsal=Rehearsal.FORWARD, rehearsal_since=START),
        "halt",
        "apply-within",
        cause=HaltCause.NOT_APPLIED,
        now=late(120),
        placements=seen(waiting(rehearsal=Rehearsal.FORWARD), settled=False, why_not="starts"),
    ),
    case(
        "the way back works",
        waiting(rehearsal=Rehearsal.BACK),
        "rehearse",
        "rehearse-way-back",
        now=START,
    ),
    case(
        "the way back isn't done",
        waiting(rehearsal=Rehearsal.BACK),
        "reapply",
        "observed-everywhere",
        reason=ReasonCode.REHEARSING,
        now=START,
        placements=seen(waiting(rehearsal=Rehearsal.BACK), exposure=INTERNAL, candidate=CANDIDATE),
    ),
    case(
        "a rehearsal at another generation says nothing",
        waiting(rehearsal=Rehearsal.FORWARD),
        "reapply",
        "observed-everywhere",
        now=START,
        placements=seen(waiting(rehearsal=Rehearsal.FORWARD), generation=Generation(7)),
    ),
    case("the first phase may begin", waiting(), "enter_phase", "enter-phase"),
    case("a later phase may begin", waiting(2), "enter_phase", "enter-phase"),
    case(
        "nothing says that the phase before was passed",
        waiting(2, passed=False),
        "hold",
        "evidence-before-rise",
        reason=ReasonCode.MORE_EVIDENCE,
    ),
    case(
        "a pass of another phase is not a pass of the one before",
        replace(waiting(2), passes=(a_pass(waiting(2), 0),)),
        "hold",
        "evidence-before-rise",
    ),
    case(
        "nobody agreed",
        needing_approvals(1),
        "hold",
        "approval",
        reason=ReasonCode.APPROVAL,
    ),
    case(
        "one of two agreed, twice",
        replace(
            needing_approvals(2),
            approvals=(an_approval(needing_approvals(2)), an_approval(needing_approvals(2))),
        ),
        "hold",
        "approval",
    ),
    case(
        "two agreed",
        replace(
            needing_approvals(2),
            approvals=(
                an_approval(needing_approvals(2), "bob"),
                an_approval(needing_approvals(2), "carol"),
            ),
        ),
        "enter_phase",
        "enter-phase",
    ),
    with_evidence(
        "harm shows while the next phase waits",
        waiting(2),
        "halt",
        "harm-proven",
        cause=HaltCause.HARM,
        log_e_harm=PROVEN_HARM,
    ),
    with_evidence(
        "harm shows while approval is waited for",
        needing_approvals(1, 1),
        "halt",
        "harm-proven",
        log_e_harm=PROVEN_HARM,
    ),
    case(
        "the candidate is cut off while the next phase waits",
        waiting(2),
        "halt",
        "circuit-breaker",
        cause=HaltCause.HARM,
        placements=seen(waiting(2), trips=1),
    ),
    case(
        "someone stopped it at the target",
        waiting(2),
        "halt",
        "stop-latched-at-target",
        cause=HaltCause.PERSON,
        placements=seen(waiting(2), **LATCHED),
    ),
    case(
        "something is still exposed after a resume",
        replace(waiting(2), attempt=2),
        "withdraw",
        "exposure-only-falls",
        reason=ReasonCode.WITHDRAWING,
        placements=seen(waiting(2)),
    ),
    case(
        "something is exposed before the first phase",
        waiting(),
        "withdraw",
        "exposure-only-falls",
        placements=seen(waiting(), exposure=FIVE_PERCENT, candidate=CANDIDATE),
    ),
    case(
        "a first deployment has no way back to try",
        waiting(rehearsal=Rehearsal.NOT_TRIED, baselines=((EU, CANDIDATE),)),
        "rehearse",
        "rehearse-way-back",
    ),
]

APPLYING_CASES = [
    case("served everywhere", applying(), "start_bake", "observed-everywhere", now=START),
    case(
        "not settled yet",
        applying(),
        "reapply",
        "observed-everywhere",
        reason=ReasonCode.APPLYING,
        now=late(119),
        placements=seen(applying(), settled=False, why_not="one member still starts"),
    ),
    case(
        "another generation is followed",
        applying(),
        "reapply",
        "observed-everywhere",
        now=START,
        placements=seen(applying(), generation=Generation(0)),
    ),
    case(
        "too little is exposed",
        applying(1),
        "reapply",
        "observed-everywhere",
        now=START,
        placements=seen(applying(1), exposure=FIVE_PERCENT),
    ),
    case(
        "too much is exposed",
        applying(),
        "reapply",
        "observed-everywhere",
        now=START,
        placements=seen(applying(), exposure=FULL_EXPOSURE),
    ),
    case(
        "another version is the candidate",
        applying(),
        "reapply",
        "observed-everywhere",
        now=START,
        placements=seen(applying(), candidate=ANOTHER),
    ),
    case(
        "it takes too long",
        applying(),
        "halt",
        "apply-within",
        cause=HaltCause.NOT_APPLIED,
        now=late(120),
        placements=seen(applying(), settled=False, why_not="one member still starts"),
    ),
    case(
        "someone stopped it at the target",
        applying(),
        "halt",
        "stop-latched-at-target",
        now=START,
        placements=seen(applying(), **LATCHED),
    ),
]

BAKING_CASES = [
    with_evidence("proven and baked", baking(), "advance", "phase-passed"),
    with_evidence(
        "the last phase is proven and baked", last_bake(), "complete", "all-phases-passed"
    ),
    with_evidence(
        "proven, not baked long enough",
        baking(),
        "hold",
        "bake-time",
        reason=ReasonCode.BAKE_TIME,
        baked_for=BAKE - timedelta(seconds=1),
    ),
    with_evidence(
        "more time was counted than has passed",
        baking(),
        "hold",
        "bake-time",
        now=START + BAKE - timedelta(seconds=1),
    ),
    with_evidence(
        "baked, not proven",
        baking(),
        "hold",
        "more-evidence",
        reason=ReasonCode.MORE_EVIDENCE,
        log_e_safe=log_odds(0.05) - 0.01,
    ),
    with_evidence(
        "baked, too few requests",
        baking(),
        "hold",
        "more-evidence",
        candidate_total=999,
    ),
    with_evidence(
        "undecided for as long as it may",
        baking(),
        "pause",
        "inconclusive",
        reason=ReasonCode.INCONCLUSIVE,
        log_e_safe=0.0,
        baked_for=BAKE_MAX,
    ),
    with_evidence(
        "undecided, and a person gave it more time",
        baking(bake_allowance=2),
        "hold",
        "more-evidence",
        log_e_safe=0.0,
        baked_for=BAKE_MAX,
    ),
    with_evidence(
        "harm is proven",
        baking(),
        "halt",
        "harm-proven",
        cause=HaltCause.HARM,
        log_e_harm=PROVEN_HARM,
    ),
    with_evidence(
        "harm is proven and the data stopped",
        baking(),
        "halt",
        "harm-proven",
        log_e_harm=PROVEN_HARM,
        quality=Quality.MISSING,
    ),
    with_evidence(
        "harm is likely",
        baking(),
        "pause",
        "harm-suspected",
        reason=ReasonCode.SUSPECTED_HARM,
        log_e_harm=LIKELY_HARM,
    ),
    *(
        with_evidence(
            f"data is {quality.value}",
            baking(),
            "pause",
            "no-data",
            reason=ReasonCode.NO_DATA,
            quality=quality,
        )
        for quality in Quality
        if quality not in (Quality.GOOD, Quality.QUIET)
    ),
    with_evidence(
        "harm is not a number",
        baking(),
        "pause",
        "no-data",
        reason=ReasonCode.NO_DATA,
        log_e_harm=math.nan,
    ),
    with_evidence(
        "safety is not a number",
        baking(),
        "hold",
        "more-evidence",
        log_e_safe=math.nan,
    ),
    with_evidence(
        "the first data is due",
        baking(),
        "hold",
        "first-data",
        reason=ReasonCode.MORE_EVIDENCE,
        now=late(10),
        quality=Quality.MISSING,
    ),
    case(
        "there is no evidence at all yet",
        baking(),
        "hold",
        "first-data",
        now=late(10),
        evidence=NO_EVIDENCE,
    ),
    with_evidence(
        "the watch has stopped looking",
        baking(),
        "pause",
        "watch-silent",
        reason=ReasonCode.NO_DATA,
        at=BAKED - timedelta(seconds=31),
    ),
    with_evidence(
        "the watch stopped looking, and a hold ended just now",
        baking(state_since=BAKED),
        "pause",
        "watch-silent",
        at=BAKED - timedelta(hours=1),
    ),
    case(
        "the watch never looked",
        baking(state_since=BAKED),
        "pause",
        "watch-silent",
        evidence=NO_EVIDENCE,
    ),
    case(
        "evidence of another attempt",
        baking(attempt=2, state_since=BAKED),
        "pause",
        "watch-silent",
        evidence=evidence_of(baking(), at=BAKED),
    ),
    case(
        "evidence of the phase before",
        baking(1, state_since=START, phase_since=START + timedelta(seconds=1)),
        "hold",
        "first-data",
        now=late(15),
        evidence=evidence_of(baking(), at=late(15)),
    ),
    case(
        "what is served drifted",
        baking(),
        "pause",
        "drift",
        reason=ReasonCode.NO_DATA,
        placements=seen(baking(), settled=False, why_not="member 1 serves another digest"),
    ),
    case(
        "exposure is lower than asked for",
        baking(1),
        "pause",
        "drift",
        placements=seen(baking(1), exposure=FIVE_PERCENT),
    ),
    case(
        "exposure is higher than asked for",
        baking(),
        "pause",
        "drift",
        placements=seen(baking(), exposure=FULL_EXPOSURE),
    ),
    case(
        "the candidate is cut off",
        baking(),
        "halt",
        "circuit-breaker",
        cause=HaltCause.HARM,
        placements=seen(baking(), trips=1),
    ),
    with_evidence(
        "it was stopped for harm by a server that didn't live to say so",
        baking(),
        "halt",
        "harm-proven",
        cause=HaltCause.HARM,
        log_e_harm=PROVEN_HARM,
        placements=seen(baking(), **LATCHED),
    ),
    case(
        "the candidate was cut off before the bake began",
        baking(trips_before=1),
        "advance",
        "phase-passed",
        placements=seen(baking(), trips=1),
    ),
    case(
        "someone stopped it at the target",
        baking(),
        "halt",
        "stop-latched-at-target",
        placements=seen(baking(), **LATCHED),
    ),
    case(
        "completing was begun, and not recorded",
        last_bake(),
        "complete",
        "all-phases-passed",
        placements=seen(last_bake(), exposure=NO_EXPOSURE, candidate=None, serving=CANDIDATE),
    ),
    with_evidence(
        "completing was begun, and harm is proven",
        last_bake(),
        "halt",
        "harm-proven",
        log_e_harm=PROVEN_HARM,
        placements=seen(last_bake(), exposure=NO_EXPOSURE, candidate=None, serving=CANDIDATE),
    ),
    case(
        "someone else made the candidate the baseline too early",
        baking(1),
        "pause",
        "drift",
        placements=seen(baking(1), exposure=NO_EXPOSURE, candidate=None, serving=CANDIDATE),
    ),
    with_evidence(
        "everyone is exposed, and nothing was ever proven beside a baseline",
        last_bake(carried=False),
        "hold",
        "more-evidence",
    ),
    with_evidence(
        "everyone is exposed, and the data stopped",
        last_bake(),
        "pause",
        "no-data",
        quality=Quality.STALE,
    ),
]

HELD_CASES = [
    with_evidence("the cause is gone", held(), "unpause", "hold-ended"),
    with_evidence(
        "data is still missing",
        held(),
        "hold",
        "no-data",
        reason=ReasonCode.NO_DATA,
        quality=Quality.MISSING,
    ),
    with_evidence(
        "data is missing for too long",
        held(),
        "halt",
        "no-data-halt-after",
        cause=HaltCause.NO_DATA,
        now=START + timedelta(hours=2),
        quality=Quality.MISSING,
    ),
    with_evidence(
        "our own watch is silent, which says nothing about the data",
        held(),
        "hold",
        "no-data",
        now=START + timedelta(hours=5),
        at=START,
        quality=Quality.MISSING,
    ),
    with_evidence(
        "the watch is still silent",
        held(state_since=BAKED),
        "hold",
        "no-data",
        at=BAKED - timedelta(hours=1),
    ),
    with_evidence(
        "harm is proven meanwhile",
        held(),
        "halt",
        "harm-proven",
        cause=HaltCause.HARM,
        log_e_harm=PROVEN_HARM,
        quality=Quality.MISSING,
    ),
    with_evidence(
        "harm is still likely",
        held(ReasonCode.SUSPECTED_HARM),
        "hold",
        "harm-suspected",
        reason=ReasonCode.SUSPECTED_HARM,
        log_e_harm=LIKELY_HARM,
    ),
    with_evidence(
        "the suspicion is gone", held(ReasonCode.SUSPECTED_HARM), "unpause", "hold-ended"
    ),
    with_evidence(
        "undecided waits for a person",
        held(ReasonCode.INCONCLUSIVE),
        "hold",
        "inconclusive",
        reason=ReasonCode.INCONCLUSIVE,
    ),
    with_evidence(
        "undecided, and harm is proven",
        held(ReasonCode.INCONCLUSIVE),
        "halt",
        "harm-proven",
        log_e_harm=PROVEN_HARM,
    ),
    case(
        "what is served is still another thing",
        held(),
        "hold",
        "no-data",
        placements=seen(held(), settled=False, why_not="member 1 serves another digest"),
    ),
    case(
        "the candidate is cut off",
        held(),
        "halt",
        "circuit-breaker",
        placements=seen(held(), trips=3),
    ),
    case(
        "someone stopped it at the target",
        held(ReasonCode.INCONCLUSIVE),
        "halt",
        "stop-latched-at-target",
        placements=seen(held(), **LATCHED),
    ),
]

AFTER_A_STOP_CASES = [
    case(
        "a target still exposes",
        halted(),
        "withdraw",
        "exposure-only-falls",
        reason=ReasonCode.WITHDRAWING,
        placements=seen(halted(), exposure=FIVE_PERCENT),
    ),
    case(
        "a target still shows it to internal users",
        halted(HaltCause.PERSON),
        "withdraw",
        "exposure-only-falls",
        placements=seen(halted(), exposure=INTERNAL),
    ),
    case(
        "a stop was made without the store",
        halted(HaltCause.PERSON),
        "withdraw",
        "exposure-only-falls",
        placements=seen(halted(), **LATCHED),
    ),
    case(
        "a target shows what it served before the stop",
        halted(),
        "withdraw",
        "exposure-only-falls",
        placements=seen(halted(), generation=Generation(0)),
    ),
    case(
        "nothing was ever served there: a first deployment that didn't come up",
        halted(HaltCause.NOT_APPLIED),
        "start_recovery",
        "recover-by-itself",
        placements=seen(halted(), generation=Generation(0), serving=None),
    ),
    case(
        "recovering, a target shows what it served before the stop",
        recovering(),
        "withdraw",
        "exposure-only-falls",
        placements=seen(recovering(), generation=Generation(0)),
    ),
    case(
        "the candidate became the baseline somewhere before the stop",
        halted(),
        "withdraw",
        "exposure-only-falls",
        reason=ReasonCode.WITHDRAWING,
        placements=seen(halted(), serving=CANDIDATE),
    ),
    *(
        case(f"withdrawn after {cause.value}", halted(cause), "start_recovery", "recover-by-itself")
        for cause in (HaltCause.HARM, HaltCause.NOT_APPLIED)
    ),
    *(
        case(
            f"withdrawn after {cause.value}",
            halted(cause),
            "hold",
            "person-after-halt",
            reason=ReasonCode.PERSON_AFTER_HALT,
        )
        for cause in (HaltCause.PERSON, HaltCause.NO_DATA)
    ),
    case(
        "the plan leaves recovery to a person",
        halted(recovery=Recovery.HOLD),
        "hold",
        "person-after-halt",
    ),
    case(
        "recovering, still exposed",
        recovering(),
        "withdraw",
        "exposure-only-falls",
        placements=seen(recovering(), exposure=FIVE_PERCENT),
    ),
    case(
        "recovering, the candidate still runs",
        recovering(),
        "retire",
        "retire-candidate",
        reason=ReasonCode.RECOVERING,
        placements=seen(recovering(), candidate=CANDIDATE),
    ),
    case(
        "recovering, another version is served",
        recovering(),
        "hold",
        "verify-way-back",
        reason=ReasonCode.RECOVERING,
        placements=seen(recovering(), serving=ANOTHER),
    ),
    case(
        "recovering, nothing is served",
        recovering(),
        "hold",
        "verify-way-back",
        placements=seen(recovering(), serving=None),
    ),
    case("all is as before", recovering(), "finish_recovery", "verify-way-back"),
    case(
        "a first deployment that never served leaves nothing to go back to",
        recovering(baselines=((EU, CANDIDATE),)),
        "finish_recovery",
        "verify-way-back",
        placements=seen(recovering(), serving=None),
    ),
    case(
        "a return serves the earlier version again",
        returning(),
        "bring_back",
        "bring-back",
        reason=ReasonCode.RECOVERING,
    ),
    case(
        "a return isn't settled",
        returning(),
        "bring_back",
        "bring-back",
        placements=seen(returning(), exposure=FULL_EXPOSURE, candidate=CANDIDATE, settled=False),
    ),
    case(
        "a return serves everyone",
        returning(),
        "finish_recovery",
        "verify-way-back",
        placements=seen(returning(), exposure=FULL_EXPOSURE, candidate=CANDIDATE),
    ),
    case(
        "a return is done already",
        returning(),
        "finish_recovery",
        "verify-way-back",
        placements=seen(returning(), serving=CANDIDATE),
    ),
]

AFTER_THE_END_CASES = [
    case(
        "in quarantine",
        completed(),
        "hold",
        "quarantine",
        reason=ReasonCode.QUARANTINE,
        now=START + timedelta(hours=24) - timedelta(seconds=1),
        placements=(),
    ),
    case(
        "outlived its quarantine",
        completed(),
        "settle",
        "quarantine",
        now=START + timedelta(hours=24),
        placements=(),
    ),
    case("settled", completed(settled=True), "hold", "over", placements=()),
    *(
        case(f"{state.value} stays so", a_moving_rollout(state), "hold", "over", placements=())
        for state in sorted(FINAL - {State.COMPLETED})
    ),
    case("planned, and its targets are free", a_rollout(), "begin", "queue", placements=()),
    after_another("its target lags", "hold", shows=6, reason=ReasonCode.STARTING),
    after_another("it was put back since", "begin", shows=6, may_lag_until=BAKED),
    after_another(
        "its target shows what that replaced, however late",
        "hold",
        shows=7,
        reason=ReasonCode.STARTING,
        replaced=BASELINE,
        may_lag_until=BAKED,
    ),
    after_another("its target shows what that brought", "begin", shows=7, replaced=ANOTHER),
    after_another("its target was stopped by hand since", "begin", shows=8, replaced=BASELINE),
    case(
        "planned, and its target doesn't answer",
        a_rollout(),
        "hold",
        "queue",
        reason=ReasonCode.QUEUE,
        placements=seen(a_rollout(), generation=Generation(0), serving=None, settled=False),
        ended=(ended_there(),),
    ),
]

CASES = {
    State.WAITING: WAITING_CASES,
    State.APPLYING: APPLYING_CASES,
    State.BAKING: BAKING_CASES,
    State.HELD: HELD_CASES,
    "after a stop": AFTER_A_STOP_CASES,
    "after the end": AFTER_THE_END_CASES,
}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(given, id=f"{group}: {given.name}")
        for group, cases in CASES.items()
        for given in cases
    ],
)
def test_each_situation_leads_to_what_the_policy_says(given):
    """The table above is the policy."""
    decision = decide(given.sees)

    assert (decision.action, decision.rule) == (given.action, given.rule), decision.because
    assert decision.because
    if given.reason is not None:
        assert decision.waiting_on.reason is given.reason
    if given.cause is not None:
        assert decision.cause is given.cause


def test_every_state_is_in_the_table():
    """No state is left out of the policy's table."""
    covered = {given.sees.rollout.state for cases in CASES.values() for given in cases}

    assert covered == set(State)


def test_only_entering_a_phase_raises_exposure():
    """Of all decisions in the table, none but `enter_phase` and a rehearsal leads to more exposure."""
    raising = {given.action for cases in CASES.values() for given in cases} & {"enter_phase"}

    assert raising == {"enter_phase"}


def test_the_same_observation_gives_the_same_decision():
    """A decision can be made again: nothing but the observation goes into it."""
    for cases in CASES.values():
        for given in cases:
            assert decide(given.sees) == decide(given.sees)


def test_an_entry_names_the_pass_and_the_approvals_that_allow_it():
    """The ledger shows what a rise rests on."""
    rollout = needing_approvals(1, 1)
    agreed = an_approval(rollout)
    rollout = replace(rollout, approvals=(agreed,))

    decision = decide(an_observation(rollout, now=BAKED))

    assert decision.evidence_of == rollout.passes[0]
    assert decision.approvals == (agreed,)


def test_a_hold_says_until_when_and_who_can_end_it():
    """Whoever looks sees how long it may take and whose turn it is."""
    rollout = held()
    evidence = evidence_of(rollout, at=BAKED, quality=Quality.MISSING)

    decision = decide(an_observation(rollout, now=BAKED, evidence=evidence))

    assert decision.waiting_on.until == START + timedelta(hours=2)
    assert decision.waiting_on.who_can_act is WhoCanAct.OPERATOR


@pytest.mark.parametrize(
    "changes",
    [{"phase_index": 1}, {"attempt": 2}, {"plan_hash": "sha256:" + "f" * 64}],
    ids=["another phase", "another attempt", "another plan"],
)
def test_an_approval_is_bound_to_phase_attempt_and_plan(changes):
    """A yes to something else is no yes."""
    rollout = needing_approvals(1)
    rollout = replace(rollout, approvals=(an_approval(rollout, **changes),))

    agreed = valid_approvals(rollout, 0)

    assert agreed == ()


def test_a_pass_carries_what_was_certified_before_and_adds_its_own():
    """The 100 % phase leans on what was proven beside a baseline, by name."""
    rollout = baking(1)
    rollout = replace(rollout, passes=(a_pass(rollout, 0, certified=("earlier",)),))

    decision = decide(an_observation(rollout, now=BAKED))

    assert decision.passed.certified == ("earlier", "errors")
    assert (decision.passed.phase_index, decision.passed.attempt) == (1, 1)


def test_a_phase_without_a_baseline_certifies_nothing():
    """Where everyone is exposed, nothing new is proven."""
    rollout = last_bake()

    decision = decide(an_observation(rollout, now=BAKED))

    assert decision.passed.certified == ("errors",)
    assert decide(an_observation(baking(3), now=BAKED)).rule == "more-evidence"


def test_a_phase_for_internal_users_passes_by_time_and_exercise():
    """Without ordinary users there is nothing to compare, but what must be exercised must be."""
    phase = a_phase(
        weight_bps=0,
        exercises=(ExerciseSpec(name="checkout", minimum_count=5, source="envoy"),),
    )
    rollout = baking(plan=a_plan(weights_bps=(500, 10_000)))
    rollout = replace(rollout, plan=replace(rollout.plan, phases=(phase, *rollout.plan.phases)))
    good = evidence_of(rollout, at=BAKED)
    unused = replace(good, exercises=(replace(good.exercises[0], count=4),))

    assert decide(an_observation(rollout, now=BAKED, evidence=good)).rule == "phase-passed"
    assert decide(an_observation(rollout, now=BAKED, evidence=unused)).rule == "more-evidence"


# --- what is wanted, and what is in force ----------------------------------------------------


@pytest.mark.parametrize(
    ("rollout", "weight_bps"),
    [
        (a_rollout(), 0),
        (waiting(), 0),
        (waiting(2), 2_500),
        (waiting(2, attempt=2), 2_500),
        (replace(waiting(2), attempt=2), 0),
        (applying(2), 5_000),
        (baking(2), 5_000),
        (held(phase_index=2), 5_000),
        (halted(phase_index=2), 0),
        (recovering(phase_index=2), 0),
        (completed(), 10_000),
        (a_moving_rollout(State.ABANDONED, phase_index=2), 0),
        (a_moving_rollout(State.ROLLED_BACK, phase_index=2), 0),
    ],
)
def test_wanted_exposure_is_what_the_state_allows(rollout, weight_bps):
    """Users meet the candidate exactly as far as phases were passed and entered, and not after a stop."""
    assert wanted_exposure(rollout, EU).weight_bps == weight_bps


def test_a_rehearsal_wants_internal_users_only():
    """Nobody but internal users meets the candidate before the way back is proven."""
    assert wanted_exposure(waiting(rehearsal=Rehearsal.FORWARD), EU) == INTERNAL
    assert wanted_exposure(waiting(rehearsal=Rehearsal.BACK), EU) == NO_EXPOSURE


def test_a_target_of_a_later_phase_is_not_exposed_yet():
    """Each phase moves its own targets only."""
    us = a_placement(target="us")
    plan = a_plan(weights_bps=(10_000,))
    later = a_phase("us", weight_bps=10_000, placements=[us])
    rollout = baking(plan=replace(plan, phases=(*plan.phases, later)))

    assert wanted_exposure(rollout, us) == NO_EXPOSURE
    assert wanted_exposure(replace(rollout, phase_index=1), us).weight_bps == 10_000
    assert wanted_exposure(replace(rollout, phase_index=1), EU).weight_bps == 10_000


@pytest.mark.parametrize(
    ("rollout", "phase_index"),
    [
        (a_rollout(), None),
        (waiting(), None),
        (waiting(2), 1),
        (replace(waiting(2), attempt=2), None),
        (applying(2), None),
        (baking(2), 2),
        (held(phase_index=2), 2),
        (halted(phase_index=2), None),
        (recovering(), None),
        (completed(), None),
    ],
)
def test_the_phase_in_force_is_the_one_that_users_meet(rollout, phase_index):
    """While the next phase is waited for the one before is still watched; after a stop none is."""
    expected = None if phase_index is None else rollout.plan.phases[phase_index]

    assert phase_in_force(rollout) == expected


def test_a_stop_means_that_the_phase_is_proven_again():
    """A pass of an earlier attempt lets nothing stay exposed."""
    rollout = waiting(1)

    assert not must_prove_again(rollout)
    assert must_prove_again(replace(rollout, attempt=2))
    assert must_prove_again(waiting(1, passed=False))


@pytest.mark.parametrize(
    "changes",
    [{"attempt": 2}, {"phase_since": START + timedelta(seconds=1)}, {"phase_index": 1}],
    ids=["attempt", "beginning", "phase"],
)
def test_evidence_of_something_else_is_no_evidence(changes):
    """What one phase of one attempt has shown passes no other."""
    rollout = baking()
    evidence = evidence_of(rollout, at=BAKED)
    moved = replace(rollout, **changes)

    assert evidence_in_force(an_observation(moved, now=BAKED, evidence=evidence)) == NO_EVIDENCE
    assert evidence_in_force(an_observation(rollout, now=BAKED, evidence=evidence)) == evidence


def test_one_bad_placement_among_many_is_enough():
    """A phase is served when all of its targets serve it, not most of them."""
    places = [a_placement(target=name) for name in ("eu", "us", "ap")]
    rollout = applying(plan=a_plan(placements=places))
    good = seen(rollout)

    for index in range(3):
        bad = replace(good[index], settled=False, why_not="starts")
        placements = (*good[:index], bad, *good[index + 1 :])
        decision = decide(an_observation(rollout, now=START, placements=placements))
        assert decision.action == "reapply"
    assert decide(an_observation(rollout, now=START, placements=good)).action == "start_bake"


def test_a_stop_latched_at_one_target_of_many_stops_all():
    """A person at one target's proxy is heard everywhere."""
    places = [a_placement(target=name) for name in ("eu", "us")]
    rollout = baking(plan=a_plan(placements=places))
    eu, us = seen(rollout)
    placements = (eu, replace(us, **LATCHED))

    decision = decide(an_observation(rollout, now=BAKED, placements=placements))

    assert decision.rule == "stop-latched-at-target"
    assert TargetName("us") in decision.because


def test_a_stop_that_the_store_made_itself_is_not_news():
    """The latch of our own last withdrawal doesn't halt the rollout that was resumed since."""
    rollout = waiting()
    own = rollout.generation_on("eu")

    decision = decide(
        an_observation(rollout, now=BAKED, placements=seen(rollout, stopped_at_generation=own))
    )

    assert decision.action == "enter_phase"


def test_the_baseline_is_what_the_builders_say():
    """The situations above mean what they say: the baseline serves, the candidate is offered."""
    here = as_wanted(baking(), EU)

    assert (here.serving, here.candidate) == (BASELINE, CANDIDATE)
