"""What a plan allows and what the policy does with anything that can be observed."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.documents.records import from_json, to_json
from tidegate.domain.calendar.seen import CalendarSeen
from tidegate.domain.health.readings import Quality
from tidegate.domain.quantities import FULL_WEIGHT_BPS, Exposure, Generation
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.decisions import Decision, Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import (
    Halt,
    HaltCause,
    ReasonCode,
    Rehearsal,
    WaitingOn,
    WhoCanAct,
)
from tidegate.domain.rollout.seen import wanted_exposure
from tidegate.testing.builders import BASELINE, CANDIDATE, START, a_placement, a_plan, a_rollout
from tidegate.testing.simulation.said_once_more import why_not_enough
from tidegate.testing.simulation.situations import (
    a_pass,
    all_as_wanted,
    an_approval,
    evidence_of,
    issued,
)

weights = st.lists(
    st.integers(min_value=1, max_value=FULL_WEIGHT_BPS), min_size=1, max_size=6, unique=True
).map(sorted)


@given(weights, st.integers(min_value=1, max_value=3))
def test_exposure_within_a_plan_never_shrinks(shares, targets):
    """Each phase exposes at least what the one before did, at every placement."""
    places = [a_placement(target=name) for name in ("eu", "us", "ap")[:targets]]
    plan = a_plan(weights_bps=shares, placements=places)

    for index in range(1, len(plan.phases)):
        for place in places:
            assert not plan.exposure_of(place, index - 1).exceeds(plan.exposure_of(place, index))
            assert plan.exposure_of(place, index) == plan.exposure_within(index)[place]


@st.composite
def observations(draw):
    """Draw anything that may be seen of a rollout in any state, well-formed but otherwise wild."""
    plan = a_plan(placements=[a_placement(), a_placement(target="us")])
    state = draw(st.sampled_from(list(State)))
    index = draw(st.integers(min_value=0, max_value=3))
    rollout = issued(
        a_rollout(
            plan=plan,
            state=state,
            phase_index=index,
            attempt=draw(st.integers(min_value=1, max_value=3)),
            rehearsal=draw(st.sampled_from(list(Rehearsal))) if index == 0 else Rehearsal.PROVEN,
            halt=Halt(cause=draw(st.sampled_from(list(HaltCause))), because="x", by="x", at=START),
            is_return=state is State.RECOVERING and draw(st.booleans()),
            waiting_on=WaitingOn(
                reason=draw(st.sampled_from(list(ReasonCode))),
                detail="",
                until=None,
                who_can_act=WhoCanAct.NOBODY,
            ),
        ),
        draw(st.integers(min_value=0, max_value=3)),
    )
    if draw(st.booleans()) and index:
        rollout = replace(rollout, passes=(a_pass(rollout, index - 1),))
    if draw(st.booleans()):
        rollout = replace(rollout, approvals=(an_approval(rollout),))
    exposures = st.builds(
        Exposure, internal=st.booleans(), weight_bps=st.sampled_from((0, 500, 10_000))
    )
    placements = [
        replace(
            here,
            exposure=draw(st.one_of(st.just(here.exposure), exposures)),
            generation=Generation(draw(st.integers(min_value=0, max_value=3))),
            settled=draw(st.booleans()),
            serving=draw(st.sampled_from((BASELINE, CANDIDATE, None))),
            candidate=draw(st.sampled_from((CANDIDATE, BASELINE, None))),
            stopped_at_generation=draw(st.sampled_from((None, Generation(1), Generation(30)))),
            trips=draw(st.integers(min_value=0, max_value=1)),
        )
        for here in all_as_wanted(rollout)
    ]
    now = START + timedelta(seconds=draw(st.sampled_from((0, 20, 700, 10_000))))
    evidence = evidence_of(
        rollout,
        at=now - timedelta(seconds=draw(st.sampled_from((0, 10, 3_000)))),
        baked_for=timedelta(seconds=draw(st.sampled_from((0, 600, 3_000)))),
        log_e_harm=draw(st.sampled_from((-1.0, 3.5, 9.0, float("nan")))),
        quality=draw(st.sampled_from(list(Quality))),
        log_e_safe=draw(st.sampled_from((0.0, 50.0, float("nan")))),
        candidate_total=draw(st.sampled_from((0, 100_000))),
    )
    return Observation(now=now, rollout=rollout, placements=tuple(placements), evidence=evidence)


@settings(max_examples=600, deadline=None)
@given(observations())
def test_every_observation_leads_to_a_decision_that_its_state_can_take(seen):
    """`decide` is total: nothing that can be seen makes it fail, and it always says why."""
    decision = decide(seen)

    assert decision.because
    assert decide(seen) == decision


@settings(max_examples=600, deadline=None)
@given(observations())
def test_nothing_advances_without_proof(seen):
    """Said once more by other code: whatever passes has fresh, good and sufficient evidence."""
    decision = decide(seen)

    if decision.action == "advance":
        assert why_not_enough(seen) == ""
    if decision.action == "complete" and "finished already" not in decision.because:
        assert why_not_enough(seen) == ""


CLOSED = CalendarSeen(
    closed_because="closed until Monday",
    opens_at=START + timedelta(days=9),
    working_day_missing="no whole working day yet",
    working_day_by=START + timedelta(days=9),
)


@settings(max_examples=600, deadline=None)
@given(observations())
def test_a_calendar_keeps_back_a_rise_and_the_end_of_a_bake_and_nothing_else(seen):
    """Whatever else is decided, every halt, withdrawal and way back above all, is decided all the same."""
    open_decision = decide(seen)
    closed_decision = decide(replace(seen, calendar=CLOSED))

    if closed_decision != open_decision:
        assert open_decision.action in ("enter_phase", "advance", "complete", "hold")
        assert closed_decision.action == "hold"
        assert closed_decision.waiting_on.reason in (ReasonCode.WINDOW, ReasonCode.WORKING_DAY)
    assert closed_decision.action not in ("enter_phase", "advance")


@settings(max_examples=600, deadline=None)
@given(observations())
def test_a_stopped_rollout_is_never_raised(seen):
    """After a stop nothing is decided but to withdraw, to recover, to wait, or to be done."""
    if seen.rollout.state not in (State.HALTED, State.RECOVERING) or seen.rollout.is_return:
        return

    decision = decide(seen)

    assert decision.action in (
        "withdraw",
        "hold",
        "start_recovery",
        "retire",
        "finish_recovery",
    )
    if decision.action in ("start_recovery", "finish_recovery", "retire"):
        assert all(
            wanted_exposure(seen.rollout, here.placement) == here.exposure
            for here in seen.placements
        )


@settings(max_examples=200, deadline=None)
@given(observations())
def test_an_observation_and_its_decision_survive_being_stored(seen):
    """What the ledger keeps is enough to decide again, to the letter."""
    decision = decide(seen)

    again = from_json(Observation, to_json(seen))

    assert to_json(again) == to_json(seen)
    assert to_json(decide(again)) == to_json(decision)
    assert to_json(from_json(Decision, to_json(decision))) == to_json(decision)
