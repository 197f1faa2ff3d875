"""The policy alone in thousands of worlds: every invariant, after every event."""

import pytest

from tidegate.domain.rollout.machine import State
from tidegate.testing.simulation.plans import PURE_PLANS, pure_plan
from tidegate.testing.simulation.pure import run_pure_world

BOUNDED, FULL = 3_000, 100_000


@pytest.mark.timeout(1_800)
def test_every_invariant_holds_and_every_rollout_ends(seeds):
    """Whatever targets, data, clocks and people do, no promise is broken and no rollout is stuck."""
    outcomes = [run_pure_world(seed) for seed in seeds(BOUNDED, FULL)]

    events = sum(outcome.events for outcome in outcomes)
    print(f"{len(outcomes)} pure worlds, {events} events")
    ends = {outcome.state for outcome in outcomes}
    assert ends == {State.COMPLETED, State.ROLLED_BACK, State.ABANDONED}


def test_the_same_seed_is_the_same_world():
    """A world that went wrong can be lived through again."""
    for seed in range(20):
        assert run_pure_world(seed) == run_pure_world(seed)


def test_different_seeds_are_different_worlds():
    """The seed is really what a world is drawn from."""
    assert len({run_pure_world(seed).log for seed in range(50)}) == 50


def test_worlds_meet_every_decision_that_a_rollout_can_meet():
    """What is never decided in any world is not simulated."""
    met = {what.split(" ")[0] for seed in range(400) for what in run_pure_world(seed).log}

    assert met >= {
        "hold",
        "rehearse",
        "enter_phase",
        "reapply",
        "start_bake",
        "pause",
        "unpause",
        "advance",
        "complete",
        "halt",
        "withdraw",
        "start_recovery",
        "retire",
        "finish_recovery",
        "settle",
    }


def test_plans_of_the_worlds_are_plausible():
    """Exposure never shrinks inside a plan, and every plan ends with everyone."""
    for number in range(PURE_PLANS):
        plan = pure_plan(number)
        for placement in plan.placements():
            weights = [
                plan.exposure_of(placement, index).weight_bps for index in range(len(plan.phases))
            ]
            assert weights == sorted(weights)
            assert weights[-1] == 10_000
