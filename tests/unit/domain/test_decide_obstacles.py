"""What the policy does under stop orders, and that nothing which makes a rise wait keeps a move down."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.approvals.model import VoidApproval
from tidegate.domain.calendar.seen import CalendarSeen
from tidegate.domain.emergency.model import Debt, DebtId, DebtState, EmergencyId
from tidegate.domain.gates.model import GateMoment, GateSeen, GateSpec, GateState
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import (
    Halt,
    HaltCause,
    ReasonCode,
    Rehearsal,
    WaitingOn,
    WhoCanAct,
)
from tidegate.domain.stops.model import StopOrder, StopScope
from tidegate.testing.builders import START, a_rollout
from tidegate.testing.simulation.situations import (
    a_pass,
    all_as_wanted,
    an_observation,
    evidence_of,
    issued,
    log_odds,
)

BAKED = START + timedelta(minutes=10)
ORDER = StopOrder(
    number=17,
    scope=StopScope.EVERYTHING,
    name="",
    withdraw=False,
    reason="INC-431",
    by="sre-a",
    at=START,
)
PROVEN_HARM = log_odds(0.005)


def a_gate(state, *, is_deferred=False):
    spec = GateSpec(
        name="scan",
        kind="sarif",
        moment=GateMoment.BEFORE_PHASE,
        settings_json="{}",
        lasts=timedelta(hours=1),
        is_deferred=is_deferred,
    )
    return GateSeen(spec=spec, state=state, because="3 new", evidence_id=None, expires_at=None)


DEBT = Debt(
    id=DebtId("d-1"),
    emergency_id=EmergencyId("e-1"),
    rollout_id=None,
    service=a_rollout().service,
    project="default",
    gate="scan",
    owner="alice",
    due_at=START,
    state=DebtState.OPEN,
    because="put off",
    changed_at=START,
)
CLOSED = CalendarSeen(closed_because="closed until Monday", opens_at=BAKED + timedelta(days=1))
OBSTACLES = {
    "stop_orders": (ORDER,),
    "gates": tuple(a_gate(state) for state in GateState if state is not GateState.GREEN),
    "calendar": CLOSED,
    "void_approvals": (VoidApproval(by="bob", at=START, because="the artifact moved"),),
    "debts": (DEBT,),
}


def a_moving(state, phase_index=0, **changes):
    changes.setdefault("rehearsal", Rehearsal.PROVEN)
    rollout = issued(a_rollout(state=state, phase_index=phase_index, **changes))
    if phase_index == 0:
        return rollout
    return replace(rollout, passes=(a_pass(rollout, phase_index - 1),))


def waits_for(reason, until=None):
    return WaitingOn(reason=reason, detail="", until=until, who_can_act=WhoCanAct.NOBODY)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"stop_orders": (ORDER,)}, ReasonCode.STOP_ORDER),
        ({"debts": (DEBT,)}, ReasonCode.DEBT),
        ({"calendar": CLOSED}, ReasonCode.WINDOW),
        *(
            ({"gates": (a_gate(state),)}, ReasonCode.GATE)
            for state in GateState
            if state != "green"
        ),
    ],
)
def test_each_obstacle_makes_a_rise_wait_and_says_so(said, reason):
    """Without it the very same rollout goes on."""
    rollout = a_moving(State.WAITING, 1)

    stopped = decide(an_observation(rollout, now=BAKED, **said))

    assert (stopped.action, stopped.waiting_on.reason) == ("hold", reason)
    assert decide(an_observation(rollout, now=BAKED)).action == "enter_phase"


@pytest.mark.parametrize("said", [{name: value} for name, value in OBSTACLES.items()])
def test_before_the_start_nothing_is_even_rehearsed_against_an_order_a_gate_or_a_debt(said):
    """Windows and approvals are about users; a rehearsal meets none."""
    rollout = a_moving(State.WAITING, rehearsal=Rehearsal.NOT_TRIED)

    decision = decide(an_observation(rollout, now=BAKED, **said))

    about_users = set(said) & {"calendar", "void_approvals"}
    assert decision.action == ("rehearse" if about_users else "hold")


def test_an_order_in_a_rehearsal_lets_it_prove_only_what_was_tried():
    """Served to internal users it is closed again; not served yet, it waits and proves nothing."""
    rollout = a_moving(State.WAITING, rehearsal=Rehearsal.FORWARD)
    unsettled = all_as_wanted(rollout, settled=False, why_not="starts")

    served = decide(an_observation(rollout, now=START, stop_orders=(ORDER,)))
    not_served = decide(
        an_observation(rollout, now=START, stop_orders=(ORDER,), placements=unsettled)
    )

    assert (served.action, served.to) == ("rehearse", Rehearsal.BACK)
    assert (not_served.action, not_served.rule) == ("hold", "stop-order")


@pytest.mark.parametrize(
    "rollout",
    [
        a_moving(State.APPLYING, 1),
        a_moving(State.WAITING, rehearsal=Rehearsal.FORWARD, rehearsal_since=START),
    ],
)
def test_what_an_order_kept_waiting_has_its_whole_time_afterwards(rollout):
    """It isn't halted for having taken too long, neither at once nor at the next look."""
    much_later = START + timedelta(days=1)
    kept = replace(rollout, waiting_on=waits_for(ReasonCode.STOP_ORDER))
    unsettled = all_as_wanted(kept, settled=False, why_not="starts")
    under = an_observation(kept, now=much_later, stop_orders=(ORDER,), placements=unsettled)
    lifted = an_observation(kept, now=much_later, placements=unsettled)

    again = decide(lifted)
    goes_on = replace(kept, waiting_on=again.waiting_on)
    soon = much_later + rollout.plan.apply_within / 2
    late = much_later + rollout.plan.apply_within

    assert decide(under).rule == "stop-order"
    assert again.action == "reapply"
    assert decide(an_observation(goes_on, now=soon, placements=unsettled)).action == "reapply"
    assert decide(an_observation(goes_on, now=late, placements=unsettled)).action == "halt"


def test_nothing_completes_under_an_order():
    """Completing takes the warm way back away."""
    rollout = a_moving(State.BAKING, 3)

    decision = decide(an_observation(rollout, now=BAKED, stop_orders=(ORDER,)))

    assert decide(an_observation(rollout, now=BAKED)).action == "complete"
    assert (decision.action, decision.waiting_on.reason) == ("hold", ReasonCode.STOP_ORDER)


@pytest.mark.parametrize("state", [State.APPLYING, State.BAKING, State.HELD])
@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"stop_orders": (replace(ORDER, withdraw=True),)}, HaltCause.STOP_ORDER),
        ({"gates": (a_gate(GateState.RED, is_deferred=True),)}, HaltCause.GATE),
    ],
)
def test_an_order_that_withdraws_and_a_deferred_gate_that_turns_red_halt(state, said, cause):
    """Wherever the rollout is by then."""
    rollout = a_moving(state, 1)

    decision = decide(an_observation(rollout, now=BAKED, **said))

    assert (decision.action, decision.cause) == ("halt", cause)


@pytest.mark.parametrize("state", [State.WAITING, State.APPLYING, State.BAKING, State.HELD])
def test_harm_halts_behind_every_obstacle(state):
    """No order, gate, window, debt or approval keeps exposed users waiting for the halt."""
    rollout = a_moving(state, 2)
    evidence = evidence_of(rollout, at=BAKED, log_e_harm=PROVEN_HARM)

    decision = decide(an_observation(rollout, now=BAKED, evidence=evidence, **OBSTACLES))

    assert (decision.action, decision.cause) == ("halt", HaltCause.HARM)


@pytest.mark.parametrize("state", [State.HALTED, State.RECOVERING])
@pytest.mark.parametrize("is_return", [False, True])
def test_the_way_down_is_the_same_with_and_without_every_obstacle(state, is_return):
    """Withdrawing, recovering and bringing back ask none of them."""
    halt = Halt(cause=HaltCause.HARM, because="errors rose", by="tidegate", at=START)
    rollout = a_moving(state, 1, halt=halt, is_return=is_return)

    free = decide(an_observation(rollout, now=BAKED))

    assert decide(an_observation(rollout, now=BAKED, **OBSTACLES)) == free
    assert free.action in {"start_recovery", "retire", "withdraw", "bring_back", "finish_recovery"}
