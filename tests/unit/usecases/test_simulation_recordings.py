"""Past rollouts replayed through other plans: what is recorded, which rates it gives, what comes of it."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.health.readings import ArmTick, Quality
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.plan.traffic import flat_profile
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.testing.builders import START, a_placement, a_plan, a_rollout
from tidegate.usecases.estimators.running import Stratum
from tidegate.usecases.evidence import SignalInput, TickRecord
from tidegate.usecases.simulation.recorded import recording_of, scenario_of_recording
from tidegate.usecases.simulation.recording import (
    RecordedArm,
    RecordedPeriod,
    RecordedSignal,
    Recording,
    courses_of,
)
from tidegate.usecases.simulation.results import result_of
from tidegate.usecases.simulation.runs import simulate
from tidegate.usecases.simulation.usage import TargetUsage, Usage

PLACE = a_placement()
MINUTE = timedelta(minutes=1)
USAGE = Usage(
    targets={
        PLACE.target: TargetUsage(profile=flat_profile(50.0, 0.001), mean_requests_per_second=50.0)
    },
    events_per_request={},
)


def a_tick(
    minute: float, *, phase_index: int = 0, weight_bps: int = 500, bad: int = 0
) -> TickRecord:
    """Return a tick that ends so long after the start, with 50 requests to the candidate."""
    stratum = Stratum(
        placement=str(PLACE),
        weight_bps=weight_bps,
        candidate=ArmTick(total=50, bad=bad),
        baseline=ArmTick(total=950, bad=1),
    )
    return TickRecord(
        at=START + minute * MINUTE,
        phase_index=phase_index,
        phase_began_at=START + (0 if phase_index == 0 else 12) * MINUTE,
        counting=True,
        inputs=(SignalInput(signal="errors", strata=(stratum,), quality=Quality.GOOD, note=""),),
    )


def a_period(minute: int, *, candidate_bad: int, candidate: int = 1_500) -> RecordedPeriod:
    """Return five minutes at 5 % of 100 requests a second, of which one in a thousand fails."""
    return RecordedPeriod(
        target=PLACE.target,
        begins=minute * MINUTE,
        lasts=5 * MINUTE,
        weight_bps=500,
        signals=(
            RecordedSignal(
                name="errors",
                kind=SignalKind.ERRORS,
                candidate=RecordedArm(total=candidate, bad=candidate_bad),
                baseline=RecordedArm(total=28_500, bad=28),
            ),
        ),
    )


def a_recording(*bad: int, ended: State = State.ROLLED_BACK) -> Recording:
    """Return a recording of one period per number of bad requests."""
    return Recording(
        rollout="r-7",
        service="shop",
        change="code=1.1.0",
        ended=ended.value,
        periods=tuple(
            a_period(5 * index, candidate_bad=number) for index, number in enumerate(bad)
        ),
    )


def test_ticks_are_added_up_to_periods_of_five_minutes_and_phases() -> None:
    """12 minutes of one phase are three periods, and the next phase begins its own."""
    rollout = a_rollout(RolloutId("r-7"), state=State.ROLLED_BACK)
    ticks = [a_tick(minute) for minute in range(1, 13)]
    ticks.append(a_tick(13, phase_index=1, weight_bps=2_500, bad=9))

    found = recording_of(rollout, ticks)

    assert [(period.begins, period.lasts) for period in found.periods] == [
        (0 * MINUTE, 5 * MINUTE),
        (5 * MINUTE, 5 * MINUTE),
        (10 * MINUTE, 2 * MINUTE),
        (12 * MINUTE, 1 * MINUTE),
    ]
    assert [period.weight_bps for period in found.periods] == [500, 500, 500, 2_500]
    (signal,) = found.periods[0].signals
    assert signal.candidate == RecordedArm(total=250)
    assert signal.baseline == RecordedArm(total=4_750, bad=5)
    assert found.periods[3].signals[0].candidate.bad == 9
    assert found.ended == "rolled_back"


def test_ticks_without_good_data_record_nothing() -> None:
    """What wasn't measured isn't invented."""
    tick = a_tick(1)
    gap = SignalInput(signal="errors", strata=(), quality=Quality.MISSING, note="gone")

    found = recording_of(a_rollout(RolloutId("r-7")), [replace(tick, inputs=(gap,))])

    assert found.periods == ()


def test_a_difference_counts_by_how_much_likelier_it_makes_what_was_seen() -> None:
    """3 bad where 1.5 were due are hardly believed; 60 are. By hand: exp(3 log 2 - 1.5) / (it + 20)."""
    course = courses_of(a_recording(0, 3, 60))[PLACE.target]
    none, few, many = (course.at(minute * MINUTE) for minute in (0, 5, 10))

    likelier = math.exp(3 * math.log(3 / (1_500 * few.error_rate)) - (3 - 1_500 * few.error_rate))
    believed = likelier / (likelier + 20)
    assert few.candidate_error_rate == pytest.approx(
        few.error_rate + (3 / 1_500 - few.error_rate) * believed
    )
    assert few.candidate_error_rate < 1.15 * few.error_rate
    assert many.candidate_error_rate == pytest.approx(60 / 1_500, rel=1e-6)
    assert 0 < none.candidate_error_rate < none.error_rate
    assert few.error_rate == pytest.approx(28 / 28_500, rel=0.03)
    assert few.requests_per_second == 100.0


def test_a_recording_goes_on_as_it_ended() -> None:
    """Before its first period the first counts, after the last the last."""
    course = courses_of(a_recording(1, 60))[PLACE.target]

    assert course.at(-MINUTE) == course.at(timedelta(0))
    assert course.at(600 * MINUTE) == course.at(5 * MINUTE)
    assert course.at(600 * MINUTE).candidate_error_rate == pytest.approx(0.04, rel=1e-6)


def test_a_recorded_fault_is_caught_by_another_plan() -> None:
    """Four in a hundred failed at 5 %: a plan that begins with 1 % catches it there."""
    plan = a_plan(weights_bps=(100, 2_500, 10_000))
    scenario = scenario_of_recording(a_recording(60, 60))

    result = result_of("new", plan, scenario, simulate(plan, scenario, USAGE, runs=5, seed=1))

    assert result.is_harmful
    assert result.halted == 5
    assert result.caught_in == (("1%", 5),)
    assert result.failed > 1


def test_a_recorded_success_is_not_called_harmful() -> None:
    """A change that completed is replayed as one that must not be halted, and mostly isn't."""
    plan = a_plan(weights_bps=(500, 2_500, 10_000))
    scenario = scenario_of_recording(a_recording(1, 2, 1, 2, ended=State.COMPLETED))

    result = result_of("new", plan, scenario, simulate(plan, scenario, USAGE, runs=5, seed=1))

    assert not result.is_harmful
    assert result.halted <= 1
