"""What simulated rollouts say of faults of a known size, and of plans that differ in one thing."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from simulated_service import WITH_EXERCISE, WITH_USAGE, simulated, the_service

from tidegate.domain.plan.model import Plan
from tidegate.domain.plan.traffic import flat_profile
from tidegate.testing.builders import a_placement, a_plan
from tidegate.usecases.simulation.faults import AA, FAULTS
from tidegate.usecases.simulation.results import Result, digest_of_results, result_of
from tidegate.usecases.simulation.runs import simulate
from tidegate.usecases.simulation.scenario import Fault, Kind, Scenario
from tidegate.usecases.simulation.usage import TargetUsage, Usage

BY_NAME = {scenario.name: scenario for scenario in FAULTS}
HOUR = timedelta(hours=1)


def a_scenario(*faults: Fault, changed_path: float = 0.05) -> Scenario:
    """Return a scenario of *faults*."""
    return Scenario(
        name="fault", title="A fault", kind=Kind.FAULT, faults=faults, changed_path=changed_path
    )


def a_usage(requests_per_second: float = 200.0) -> Usage:
    """Return steady traffic at the builders' target."""
    profile = flat_profile(requests_per_second, 0.001)
    target = TargetUsage(profile=profile, mean_requests_per_second=requests_per_second)
    return Usage(targets={a_placement().target: target}, events_per_request={})


def of_small_plan(plan: Plan, scenario: Scenario, *, runs: int = 12) -> Result:
    """Return what *scenario* comes to under a plan of the builders."""
    ended = simulate(plan, scenario, a_usage(), runs=runs, seed=7)
    return result_of("small", plan, scenario, ended)


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("errors-0.5pp", "first-1%"),
        ("errors-2pp", "first-1%"),
        ("latency-tail", "first-1%"),
        ("slow-leak", "first-1%"),
        ("one-path", "first-1%"),
        ("peak-load", "first-1%"),
        ("one-region", "rest"),
    ],
)
def test_a_fault_is_halted_in_the_first_phase_that_meets_it(name: str, phase: str) -> None:
    """Errors, slow answers and leaks show beside the baseline; a region's fault where the region is."""
    result = simulated(BY_NAME[name])

    assert result.is_caught
    assert result.completed == 0
    assert result.caught_in[0][0] == phase
    assert result.why.startswith("harm proven")
    assert 0 < result.users_hit < 500


@pytest.mark.parametrize("name", ["no-traffic", "missing-data"])
def test_a_candidate_that_nothing_is_known_of_is_held_within_a_minute(name: str) -> None:
    """Unknown is never green: no traffic and no data hold, and hit nobody that we know of."""
    result = simulated(BY_NAME[name])

    assert (result.halted, result.held) == (0, result.runs)
    assert result.to_stop is not None
    assert result.to_stop <= timedelta(minutes=1)
    assert "no usable data for 2 h" in result.why


def test_fewer_orders_are_caught_by_a_usage_signal_alone() -> None:
    """Nothing fails, so errors and latency see nothing; the reason says what would."""
    blind = simulated(BY_NAME["usage-30"], runs=2)
    seeing = simulated(BY_NAME["usage-30"], text=WITH_USAGE)

    assert not blind.is_caught
    assert "no signal counts what users come for" in blind.why
    assert "usage signal" in blind.hint
    assert seeing.is_caught


def test_a_brown_out_of_both_arms_halts_nothing_beside_a_baseline() -> None:
    """What everybody suffers isn't the change's: under standard it falls into the first phase."""
    result = simulated(BY_NAME["brown-out"], runs=4)

    assert not result.is_harmful
    assert result.halted == 0


def test_a_healthy_change_is_hardly_ever_halted() -> None:
    """At most one in a hundred, so that of 24 runs more than two would tell of a broken test."""
    plan = a_plan()

    result = of_small_plan(plan, AA, runs=24)

    assert result.halted <= 2
    assert result.completed >= 20
    assert result.took is not None
    assert result.took >= sum((phase.bake for phase in plan.phases), timedelta(0))


def test_the_standard_error_of_a_rate_is_never_none() -> None:
    """No halt in 50 runs doesn't prove that there is none: half a run is taken for granted."""
    result = of_small_plan(a_plan(), a_scenario(Fault(errors=0.2)), runs=1)

    clean = replace(result, runs=50, halted=0)

    assert clean.halt_rate == 0.0
    assert clean.halt_rate_standard_error == pytest.approx((0.01 * 0.99 / 50) ** 0.5)


def test_a_fault_that_nobody_meets_is_not_caught_and_an_exercise_would_help() -> None:
    """A plan without an exercise lets a dormant path through; with one it isn't let through."""
    dormant = a_scenario(Fault(after=60 * 24 * HOUR, errors=0.9), changed_path=0.0)

    without = simulated(dormant, runs=2)
    with_one = simulated(dormant, text=WITH_EXERCISE, runs=2)

    assert not without.is_caught
    assert "never used" in without.why
    assert "add an exercise" in without.hint
    assert with_one.completed == 0


def test_what_begins_after_the_plan_is_told_apart_from_what_nobody_uses() -> None:
    """A date that comes too late is no reason for an exercise."""
    late = a_scenario(Fault(after=60 * 24 * HOUR, errors=0.9))

    result = of_small_plan(a_plan(), late, runs=2)

    assert not result.is_caught
    assert "only after the plan is through" in result.why


def test_harm_within_what_is_tolerated_is_told_as_that() -> None:
    """Who tolerates 5 points isn't told to bake longer for half a point that was too little to prove."""
    result = of_small_plan(a_plan(weights_bps=(100, 10_000)), a_scenario(Fault(errors=0.0005)))

    assert not result.is_caught
    assert "within the 5 pp you tolerate" in result.why


def test_a_longer_bake_never_finds_less_and_never_takes_less() -> None:
    """On a grid of bakes: caught earlier or alike, with the calendar growing."""
    bakes = [timedelta(minutes=minutes) for minutes in (2, 10, 60, 240)]
    plans = [_with_first_bake(bake) for bake in bakes]
    fault = a_scenario(Fault(errors=0.004))

    found = [of_small_plan(plan, fault) for plan in plans]
    healthy = [of_small_plan(plan, AA, runs=3) for plan in plans]

    in_first = [dict(result.caught_in).get("5%", 0) for result in found]
    assert in_first == sorted(in_first)
    assert in_first[0] < in_first[-1] == found[-1].runs
    assert all(one.users_hit >= two.users_hit for one, two in pairwise(found))
    lengths = [result.took for result in healthy if result.took is not None]
    assert len(lengths) == len(bakes)
    assert all(one < two for one, two in pairwise(lengths))


def test_the_same_seed_gives_the_same_results_and_another_gives_others() -> None:
    """Down to the digest, whatever else is simulated beside it."""
    plan, scenario = the_service().plan, BY_NAME["errors-2pp"]

    first = simulated(scenario, plan=plan, runs=4)
    again = simulated(scenario, plan=plan, runs=4)
    other = simulated(scenario, plan=plan, runs=4, seed=2)

    assert digest_of_results([first], seed=1) == digest_of_results([again], seed=1)
    assert digest_of_results([first], seed=1) != digest_of_results([other], seed=2)


def test_a_run_does_not_depend_on_how_many_there_are() -> None:
    """The third of five runs is the third of three: runs share a batch and nothing else."""
    plan, scenario, usage = a_plan(), a_scenario(Fault(errors=0.02)), a_usage()

    three = simulate(plan, scenario, usage, runs=3, seed=5)
    five = simulate(plan, scenario, usage, runs=5, seed=5)

    assert five[:3] == three


def test_every_run_that_ends_is_told() -> None:
    """Progress adds up to the number of runs."""
    told: list[int] = []

    simulate(a_plan(), a_scenario(Fault(errors=0.2)), a_usage(), runs=6, seed=1, tell=told.append)

    assert sum(told) == 6


def test_approvals_do_not_keep_a_simulation_waiting() -> None:
    """Plans are compared, not people: whoever must agree does so at once."""
    plan = a_plan()
    asking = replace(
        plan, phases=tuple(replace(phase, approvals=2, approvers="team") for phase in plan.phases)
    )

    result = of_small_plan(asking, AA, runs=2)

    assert result.completed == 2


def _with_first_bake(bake: timedelta) -> Plan:
    plan = a_plan(weights_bps=(500, 5_000, 10_000))
    first = replace(plan.phases[0], bake=bake, bake_max=3 * max(bake, HOUR))
    others = [replace(phase, bake_max=3 * HOUR) for phase in plan.phases[1:]]
    return replace(plan, phases=(first, *others))
