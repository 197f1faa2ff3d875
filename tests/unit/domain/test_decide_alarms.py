"""
What the policy does about alarms, about suspicion that lingers, and while a later phase is applied.

The table of everything else is in `test_decide`.
"""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.health.readings import Quality
from tidegate.domain.quantities import TargetName
from tidegate.domain.rollout.alarms import Severity
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import (
    Halt,
    HaltCause,
    ReasonCode,
    Rehearsal,
    WaitingOn,
    WhoCanAct,
)
from tidegate.testing.builders import START, a_placement, a_plan, a_rollout, an_alarm
from tidegate.testing.simulation.situations import (
    a_pass,
    all_as_wanted,
    an_observation,
    as_wanted,
    evidence_of,
    issued,
    log_odds,
)

BAKED = START + timedelta(minutes=10)
PAGE = an_alarm()
TICKET = an_alarm(severity=Severity.TICKET)
ELSEWHERE = an_alarm(target=TargetName("mars"))
PROVEN_HARM, LIKELY_HARM = log_odds(0.005), log_odds(0.05)


def a_moving(state, phase_index=0, **changes):
    changes.setdefault("rehearsal", Rehearsal.PROVEN)
    rollout = issued(a_rollout(state=state, phase_index=phase_index, **changes))
    if phase_index == 0:
        return rollout
    return replace(rollout, passes=(a_pass(rollout, phase_index - 1),))


def held(reason, *, until=None, **changes):
    waits = WaitingOn(reason=reason, detail="", until=until, who_can_act=WhoCanAct.OPERATOR)
    return a_moving(State.HELD, waiting_on=waits, **changes)


def decided(rollout, *, now=BAKED, alarms=(), placements=None, at=None, **evidence):
    return decide(
        an_observation(
            rollout,
            now=now,
            alarms=alarms,
            placements=placements,
            evidence=evidence_of(rollout, at=at or now, **evidence),
        )
    )


# --- alarms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rollout",
    [
        a_moving(State.WAITING, 1),
        a_moving(State.WAITING, rehearsal=Rehearsal.FORWARD),
        a_moving(State.APPLYING),
        a_moving(State.APPLYING, 2),
        a_moving(State.BAKING),
        a_moving(State.BAKING, 3),
        held(ReasonCode.NO_DATA),
        held(ReasonCode.INCONCLUSIVE),
        held(ReasonCode.ALARM),
    ],
)
def test_a_page_halts_wherever_somebody_is_exposed(rollout):
    """Whoever stored the alarm may not have lived to withdraw: each step does it anew."""
    decision = decided(rollout, alarms=[PAGE])

    assert (decision.action, decision.rule, decision.cause) == ("halt", "alarm", HaltCause.ALARM)
    assert decision.because == "a page alert for shop says: orders fail"


@pytest.mark.parametrize("alarm", [TICKET, ELSEWHERE])
@pytest.mark.parametrize(
    ("rollout", "action"),
    [
        (a_moving(State.WAITING, rehearsal=Rehearsal.NOT_TRIED), "hold"),
        (a_moving(State.WAITING), "hold"),
        (a_moving(State.WAITING, 1), "hold"),
        (a_moving(State.BAKING), "pause"),
        (held(ReasonCode.NO_DATA), "hold"),
    ],
)
def test_a_ticket_or_an_alarm_elsewhere_keeps_exposure_from_rising(rollout, action, alarm):
    """Proven and baked, it still waits until the alarm is resolved."""
    decision = decided(rollout, alarms=[alarm])

    assert (decision.action, decision.rule) == (action, "alarm")
    assert decision.waiting_on.reason is ReasonCode.ALARM
    assert "says: orders fail" in decision.waiting_on.detail


def test_a_rollout_does_not_begin_in_a_service_that_is_red():
    """A page that was there before anyone was exposed has nothing to withdraw: the start waits."""
    decision = decided(a_moving(State.WAITING), alarms=[PAGE])

    assert (decision.action, decision.waiting_on.reason) == ("hold", ReasonCode.ALARM)


def test_an_alarm_asks_nobody_to_approve_first():
    """While it is red nobody is asked to agree to more of it."""
    plan = a_plan()
    phases = tuple(replace(phase, approvals=1, approvers="team") for phase in plan.phases)
    rollout = a_moving(State.WAITING, 1, plan=replace(plan, phases=phases))

    assert decided(rollout, alarms=[TICKET]).waiting_on.reason is ReasonCode.ALARM
    assert decided(rollout).waiting_on.reason is ReasonCode.APPROVAL


def test_what_a_rehearsal_opened_is_closed_in_spite_of_an_alarm():
    """A ticket doesn't freeze the way back half tried."""
    rollout = a_moving(State.WAITING, rehearsal=Rehearsal.FORWARD)

    assert decided(rollout, alarms=[TICKET]).action == "rehearse"


@pytest.mark.parametrize("alarm", [PAGE, TICKET])
@pytest.mark.parametrize(
    "rollout", [held(ReasonCode.ALARM), held(ReasonCode.NO_DATA), held(ReasonCode.SUSPECTED_HARM)]
)
def test_a_resolved_alarm_ends_its_hold(rollout, alarm):
    """What is not active is no longer an alarm, and nothing else has to be done."""
    over = replace(alarm, resolved_at=BAKED, resolved_by="bob")

    assert decided(rollout, alarms=[over]).action == "unpause"


@pytest.mark.parametrize("alarms", [[], [PAGE], [TICKET]])
def test_an_alarm_never_stands_in_the_way_back(alarms):
    """Recovery serves what was served before: nothing that is red can be a reason against it."""
    recovering = a_moving(State.RECOVERING)
    returning = replace(recovering, is_return=True)

    for rollout in (recovering, returning):
        same = [decide(an_observation(rollout, now=BAKED, alarms=given)) for given in ([], alarms)]
        assert same[0] == same[1]


def test_a_rollout_that_an_alarm_halted_waits_for_a_person():
    """What the signals didn't show has to be looked at; the candidate is withdrawn meanwhile."""
    baking = a_moving(State.BAKING)
    stop = decided(baking, alarms=[PAGE])
    halted = replace(
        baking.moved(Event.ALARM_RAISED, at=BAKED),
        halt=Halt(cause=stop.cause, because=stop.because, by="tidegate", at=BAKED),
    )

    decision = decide(an_observation(halted, now=BAKED))

    assert (decision.action, decision.rule) == ("hold", "person-after-halt")


def test_harm_that_is_proven_comes_before_an_alarm():
    """With a proof the way back needs no person, and the halt says so."""
    decision = decided(a_moving(State.BAKING), alarms=[PAGE], log_e_harm=PROVEN_HARM)

    assert (decision.rule, decision.cause) == ("harm-proven", HaltCause.HARM)


# --- suspicion -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log_e_harm", "action"),
    [(LIKELY_HARM, "hold"), (0.51 * LIKELY_HARM, "hold"), (0.49 * LIKELY_HARM, "unpause")],
)
def test_a_suspicion_ends_at_half_of_the_evidence_that_began_it(log_e_harm, action):
    """At the edge it neither opens nor closes with each tick."""
    assert decided(held(ReasonCode.SUSPECTED_HARM), log_e_harm=log_e_harm).action == action


def test_half_of_a_suspicion_begins_none():
    """What was never suspected is judged by the level that it is promised."""
    assert decided(a_moving(State.BAKING), log_e_harm=0.9 * LIKELY_HARM).action == "advance"


def test_a_gap_in_the_data_does_not_clear_a_suspicion():
    """Suspected, then without data, then with data again: it is still suspected."""
    suspected = held(ReasonCode.SUSPECTED_HARM)
    blind = decided(suspected, log_e_harm=LIKELY_HARM, quality=Quality.MISSING)
    kept = suspected.waiting(suspected.waiting_on).waiting(blind.waiting_on)

    decision = decided(kept, log_e_harm=0.9 * LIKELY_HARM)

    assert kept.waiting_on.reason is ReasonCode.NO_DATA
    assert (decision.action, decision.rule) == ("hold", "harm-suspected")


def test_a_suspicion_does_not_outlive_its_hold():
    """What begins to bake again begins without it, and an attempt without the one before."""
    kept = replace(held(ReasonCode.SUSPECTED_HARM), suspected=True)

    assert not kept.moved(Event.HOLD_ENDED, at=BAKED).suspected
    assert not kept.moved(Event.HARM_FOUND, at=BAKED).suspected


def test_a_missing_tick_after_a_long_hold_does_not_halt():
    """The clock of missing data begins when data goes missing, whatever it was held for before."""
    day = START + timedelta(hours=24)
    suspected = held(ReasonCode.SUSPECTED_HARM)

    first = decided(suspected, now=day, quality=Quality.MISSING)
    blind = suspected.waiting(first.waiting_on)
    before = decided(blind, now=day + timedelta(minutes=119), quality=Quality.MISSING)
    after = decided(blind, now=day + timedelta(hours=2), quality=Quality.MISSING)

    assert (first.action, first.waiting_on.reason) == ("hold", ReasonCode.NO_DATA)
    assert before.action == "hold"
    assert (after.action, after.rule) == ("halt", "no-data-halt-after")
    assert after.because.startswith("no usable data for 2 h 0 min")


# --- while a later phase is applied ----------------------------------------------------------


def test_harm_is_seen_while_a_later_phase_is_applied():
    """Its users don't stop being harmed because more are about to come."""
    rollout = a_moving(State.APPLYING, 1)

    decision = decided(rollout, log_e_harm=PROVEN_HARM)

    assert (decision.action, decision.rule) == ("halt", "harm-proven")


def test_a_cut_off_is_seen_while_a_later_phase_is_applied():
    """What the proxies have cut off since the bake before counts until the next one begins."""
    rollout = a_moving(State.APPLYING, 1)

    decision = decided(rollout, placements=all_as_wanted(rollout, trips=1))

    assert (decision.action, decision.rule) == ("halt", "circuit-breaker")


def test_starts_at_a_target_that_is_only_coming_are_no_cut_off():
    """A candidate that is just being started there may need another try; `apply_within` bounds it."""
    eu, us = a_placement(target="eu"), a_placement(target="us")
    plan = a_plan(weights_bps=(500, 2_500), placements=[eu, us])
    first = replace(plan.phases[0], moves=plan.phases[0].moves[:1])
    rollout = a_moving(
        State.APPLYING, 1, plan=replace(plan, phases=(first, plan.phases[1])), targets=("eu", "us")
    )
    seen = [as_wanted(rollout, eu), as_wanted(rollout, us, trips=3)]

    decision = decided(rollout, placements=seen)

    assert (decision.action, decision.trips) == ("start_bake", 3)


def test_nothing_of_the_phase_before_holds_up_applying():
    """Only harm stops it: data that is bad or suspicion that lingers waits for the bake to begin."""
    rollout = a_moving(State.APPLYING, 1)

    for evidence in ({"quality": Quality.MISSING}, {"log_e_harm": LIKELY_HARM}):
        assert decided(rollout, **evidence).action == "start_bake"


def test_the_first_phase_is_applied_without_evidence():
    """Nobody was exposed before it, and what an earlier attempt has shown is not of this one."""
    first = a_moving(State.APPLYING)
    again = replace(a_moving(State.APPLYING, 1), attempt=2)

    for rollout in (first, again):
        evidence = evidence_of(a_moving(State.BAKING), at=BAKED, log_e_harm=math.inf)
        assert decide(an_observation(rollout, now=BAKED, evidence=evidence)).action == "start_bake"
