"""What the policy does when both arms suffer, and when a related rollout has only just moved."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.health.trouble import Suspect, SuspectKind, Trouble
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode, Rehearsal, WaitingOn, WhoCanAct
from tidegate.domain.rollout.stagger import Neighbour
from tidegate.testing.builders import START, a_rollout
from tidegate.testing.simulation.situations import (
    a_pass,
    an_observation,
    evidence_of,
    issued,
    log_odds,
)

BAKED = START + timedelta(minutes=10)
PAYMENTS = Suspect(
    kind=SuspectKind.DEPENDENCY,
    name="payments",
    detail="unhealthy: latency 3, at most 1 is allowed",
    strength=9.0,
    proven=False,
)
TROUBLE = Trouble(since=BAKED, signal="errors", rate=0.02, usual_rate=0.001, suspects=(PAYMENTS,))


def a_moving(state, phase_index=0, **changes):
    rollout = issued(
        a_rollout(state=state, phase_index=phase_index, rehearsal=Rehearsal.PROVEN, **changes)
    )
    passed = (a_pass(rollout, phase_index - 1),) if phase_index else ()
    return replace(rollout, passes=passed)


HELD = a_moving(
    State.HELD,
    waiting_on=WaitingOn(
        reason=ReasonCode.NOT_THIS_CHANGE,
        detail="",
        until=None,
        who_can_act=WhoCanAct.OPERATOR,
    ),
)


def decided(rollout, *, trouble=TROUBLE, neighbours=(), **evidence):
    found = replace(evidence_of(rollout, at=BAKED, **evidence), trouble=trouble)
    seen = an_observation(rollout, now=BAKED, evidence=found)
    return decide(replace(seen, neighbours=tuple(neighbours)))


@pytest.mark.parametrize(
    ("rollout", "action"),
    [
        (a_moving(State.BAKING), "pause"),
        (HELD, "hold"),
        (a_moving(State.WAITING, 1), "hold"),
    ],
    ids=["baking", "held", "waiting for more"],
)
def test_trouble_of_both_arms_holds_whatever_was_proven(rollout, action):
    """All signals are certified and the bake is over: it still doesn't go on, and says whom to look at."""
    decision = decided(rollout)

    assert (decision.action, decision.rule) == (action, "not-this-change")
    assert decision.waiting_on.reason is ReasonCode.NOT_THIS_CHANGE
    assert "most likely payments (unhealthy" in decision.waiting_on.detail


def test_proven_harm_halts_in_trouble_too():
    """That a dependency fails doesn't make what the change does harmless."""
    decision = decided(a_moving(State.BAKING), log_e_harm=log_odds(0.005))

    assert (decision.action, decision.cause) == ("halt", HaltCause.HARM)


def test_the_end_of_trouble_ends_the_hold():
    """Nobody has to say so."""
    assert decided(HELD, trouble=None).action == "unpause"


def test_a_related_rise_a_moment_ago_is_waited_for():
    """Approved and passed, it still keeps its distance, says how long, and goes on after it."""
    rollout = a_moving(State.WAITING, 1)
    rollout = replace(rollout, plan=replace(rollout.plan, stagger=timedelta(minutes=10)))
    other = Neighbour(
        rollout_id=RolloutId("other"),
        service=rollout.service,
        needs=(),
        raised_at=BAKED - timedelta(minutes=4),
    )
    long_ago = replace(other, raised_at=BAKED - timedelta(minutes=10))
    stranger = replace(other, service=ServiceName("search"))

    decision = decided(rollout, trouble=None, neighbours=[other])

    assert (decision.action, decision.rule) == ("hold", "stagger")
    assert decision.waiting_on.until == BAKED + timedelta(minutes=6)
    for later in (long_ago, stranger):
        assert decided(rollout, trouble=None, neighbours=[later]).action == "enter_phase"
