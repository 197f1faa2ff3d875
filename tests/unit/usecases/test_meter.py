"""The evidence meter: words, times and chances, from what a phase has counted."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tidegate.domain.health.evidence import Evidence, Shown, SignalEvidence
from tidegate.domain.health.meter import Meter, as_usual, word
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import SignalKind, Tolerance, ToleranceUnit
from tidegate.domain.plan.traffic import HOUR, TrafficHour
from tidegate.domain.quantities import TargetName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.stats import power, proof
from tidegate.testing.builders import START, a_phase, a_plan, a_rollout, a_signal
from tidegate.usecases.meter import measure

POINT_FIVE = Tolerance(value=0.005, unit=ToleranceUnit.RATE)
ERRORS = a_signal(tolerance=POINT_FIVE)
ORDERS = a_signal(
    "orders", kind=SignalKind.USAGE, tolerance=Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE)
)
BAKED = timedelta(minutes=5)


def a_baking_rollout(**changes: Any) -> Rollout:
    """Return a rollout that bakes 10 % of one target for an hour, three at most."""
    phase = a_phase(
        "10%",
        weight_bps=1_000,
        bake=timedelta(hours=1),
        bake_max=timedelta(hours=3),
        signals=(ERRORS, ORDERS),
    )
    return a_rollout(
        state=State.BAKING,
        plan=a_plan(weights_bps=(), phases=(phase,)),
        **changes,
    )


def counted(spec=ERRORS, **changes: object) -> SignalEvidence:  # type: ignore[no-untyped-def]
    """Return what 3,000 requests of the candidate have shown, 1 % of them bad, as the baseline's."""
    signal = SignalEvidence(
        signal=spec.name,
        kind=spec.kind,
        gate=True,
        weight=0.5,
        tolerance=spec.tolerance,
        concurrent=True,
        log_e_harm=0.0,
        log_e_safe=1.0,
        quality=Quality.GOOD,
        quality_note="",
        quality_since=START,
        candidate_total=3_000,
        candidate_bad=30,
        baseline_total=27_000,
        baseline_bad=270,
    )
    return replace(signal, **changes)  # type: ignore[arg-type]


def evidence(*signals: SignalEvidence, **changes: object) -> Evidence:
    found = Evidence(
        attempt=1,
        phase_index=0,
        phase_began_at=START,
        ticks=30,
        last_tick_at=START + BAKED,
        baked_for=BAKED,
        log_e_harm=0.0,
        signals=signals,
        exercises=(),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def read(
    *signals: SignalEvidence,
    hours: tuple[TrafficHour, ...] = (),
    now: datetime = START + BAKED,
    rollout: Rollout | None = None,
    **changes: object,
) -> Meter:
    return measure(
        rollout or a_baking_rollout(), evidence(*signals, **changes), None, now=now, hours=hours
    )


def hours_before(
    days: int, speed: float = 100.0, bad_rate: float = 0.01
) -> tuple[TrafficHour, ...]:
    return tuple(
        TrafficHour(
            target=TargetName("eu"),
            hour=START - index * HOUR,
            watched=HOUR,
            requests=round(speed * 3_600),
            bad=round(speed * 3_600 * bad_rate),
        )
        for index in range(days * 24, 0, -1)
    )


def test_the_time_to_proof_follows_from_what_is_missing_and_the_pace() -> None:
    """What's left of log(20), and half a bet's worth, by the growth of equal arms at ten a second."""
    growth = proof.certify_growth(0.005, 0.01, 0.01, 0.1)
    missing = math.log(20) - 1.0 + math.log(2) * math.exp(-1.0)

    found = read(counted()).signals[0]

    assert found.shown is Shown.PARTLY
    assert found.proof_in is not None
    assert found.proof_in.total_seconds() == pytest.approx(missing / growth / 10.0, rel=1e-4)


def test_a_proof_that_comes_too_late_cannot_come_in_this_bake() -> None:
    """The word says so hours before the bake ends without it."""
    almost_over: dict[str, Any] = {"baked_for": timedelta(hours=3) - timedelta(seconds=1)}

    found = read(counted(), **almost_over).signals[0]

    assert found.shown is Shown.CANNOT
    assert found.proof_in is not None


def test_a_candidate_that_is_worse_by_the_tolerance_has_no_proof_in_sight() -> None:
    """At these rates it will never be excluded: no time, and the word."""
    found = read(counted(candidate_bad=75)).signals[0]

    assert found.proof_in is None
    assert found.shown is Shown.CANNOT


def test_early_chance_is_no_trend() -> None:
    """Two bad requests among the first fifty don't end the hope of a proof."""
    found = read(
        counted(candidate_total=50, candidate_bad=2, baseline_total=450, baseline_bad=4)
    ).signals[0]

    assert found.proof_in is not None


def test_what_is_proven_needs_no_time() -> None:
    """And stays PROVEN, however little of the bake is left."""
    found = read(counted(log_e_safe=3.1), baked_for=timedelta(hours=3)).signals[0]

    assert (found.shown, found.proof_in) == (Shown.PROVEN, timedelta(0))


def test_power_so_far_is_that_of_the_closed_form() -> None:
    """Twice the errors, and twice the tolerance: 2 points over 1 %, a ratio of 2 both times."""
    nats = power.information(30.0, 0.1, 2.0, null_ratio=1.1)
    chance = power.power(
        nats, ratio=2.0, alpha=0.005 * 0.5 * 0.8, candidate_share=0.1, null_ratio=1.1
    )

    found = read(counted()).signals[0]

    assert found.power_double == pytest.approx(chance)
    assert found.power_twice_tolerated == pytest.approx(chance)


def test_when_double_will_be_seen_is_the_pace_to_its_information() -> None:
    """After that time the power is 95 %."""
    found = read(counted()).signals[0]

    assert found.double_seen_in is not None
    requests = 3_000 + 10.0 * found.double_seen_in.total_seconds()
    nats = power.information(requests * 0.01, 0.1, 2.0, null_ratio=1.1)
    later = power.power(nats, ratio=2.0, alpha=0.002, candidate_share=0.1, null_ratio=1.1)
    assert later == pytest.approx(0.95, abs=1e-4)


def test_twice_nothing_is_nothing() -> None:
    """A baseline without a failure has no double; the harm in its own unit still has a power."""
    found = read(counted(candidate_bad=0, baseline_bad=0)).signals[0]

    assert (found.power_double, found.double_seen_in) == (None, None)
    assert found.power_twice_tolerated == pytest.approx(1.0, abs=0.01)


def test_usage_counts_the_share_that_was_assigned() -> None:
    """900 orders beside a tenth make 100 due: half as many is seen in time, and proof comes."""
    found = read(
        counted(),
        counted(ORDERS, candidate_total=98, candidate_bad=0, baseline_total=900, baseline_bad=0),
    ).signals[1]

    growth = proof.ratio_growth(0.8, 1.0, 1.0, 0.1)
    missing = math.log(20) - 1.0 + math.log(2) * math.exp(-1.0)
    assert found.proof_in is not None
    assert found.proof_in.total_seconds() == pytest.approx(missing / growth / (100 / 300), rel=1e-4)
    assert found.power_double is not None
    assert found.power_double > 0.7


@pytest.mark.parametrize("signal", [counted(quality=Quality.MISSING), counted(concurrent=False)])
def test_words_of_the_evidence_are_never_made_better(signal: SignalEvidence) -> None:
    """What has no data, or nothing to compare with, stays what it is."""
    found = read(signal).signals[0]

    assert found.shown in (Shown.NO_DATA, Shown.CANNOT)


def test_harm_is_harm_whatever_is_forecast() -> None:
    """The meter doesn't soften it."""
    assert read(counted(log_e_harm=9.0)).signals[0].shown is Shown.HARM


def test_a_signal_that_is_no_gate_has_nothing_to_prove() -> None:
    """It is partly seen and never called unable."""
    for proof_in in (None, timedelta(days=9)):
        found = word(Shown.PARTLY, counted(gate=False), proof_in=proof_in, left=HOUR)
        assert found is Shown.PARTLY


def test_evidence_of_another_phase_says_nothing_of_the_time_left() -> None:
    """A bake that is over can't run out."""
    rollout = a_baking_rollout(attempt=2)

    found = read(counted(candidate_bad=75), rollout=rollout)

    assert found.signals[0].shown is Shown.PARTLY


def test_forecasts_follow_the_week_once_a_day_of_it_is_known() -> None:
    """Twice as busy as usual now is twice as busy as usual later; a day that is known says when."""
    flat, weekly = read(counted()), read(counted(), hours=hours_before(7, speed=50.0))

    assert (flat.by_hour_of_week, weekly.by_hour_of_week) == (False, True)
    assert read(counted(), hours=hours_before(0)).by_hour_of_week is False
    first, second = flat.signals[0].proof_in, weekly.signals[0].proof_in
    assert first is not None
    assert second is not None
    assert abs(first - second) < timedelta(seconds=1)


def test_exposure_is_what_the_phase_has_met() -> None:
    """Requests by second, hours of the day with traffic since it began, targets of all."""
    now = START + timedelta(hours=2)
    during = tuple(
        TrafficHour(
            target=TargetName("eu"),
            hour=START + index * HOUR,
            watched=HOUR,
            requests=requests,
            bad=0,
        )
        for index, requests in ((0, 10), (1, 0), (2, 10))
    )

    found = read(counted(), hours=(*hours_before(1), *during), now=now).exposure

    assert found.candidate_requests == 3_000
    assert found.requests_per_second == pytest.approx(10.0)
    assert found.hours_of_day == (9, 11)
    assert (found.targets, found.targets_count) == (1, 1)


def test_the_warm_up_is_no_time_in_which_was_counted() -> None:
    """Its requests are left out, so its time is too."""
    rollout = a_baking_rollout()
    cold = replace(rollout, plan=replace(rollout.plan, warm_up=timedelta(minutes=2, seconds=30)))

    found = read(counted(), rollout=cold)

    assert found.exposure.requests_per_second == pytest.approx(20.0)


def test_data_is_told_by_age_split_and_baseline() -> None:
    """Fresh, as planned, as usual."""
    found = read(counted(), hours=hours_before(2), now=START + BAKED + timedelta(seconds=14)).data

    assert found.age == timedelta(seconds=14)
    assert found.candidate_share == found.planned_share == pytest.approx(0.1)
    assert found.split_as_planned is True
    assert found.baseline_usual == pytest.approx(0.01)
    assert found.baseline_clean is True


def test_a_wrong_split_and_a_brown_out_are_told() -> None:
    """Also that nobody knows what is usual."""
    sick = counted(quality=Quality.WRONG_SPLIT, baseline_bad=2_700)

    found = read(sick, hours=hours_before(2)).data
    unknown = read(counted()).data

    assert found.split_as_planned is False
    assert found.baseline_clean is False
    assert (unknown.baseline_usual, unknown.baseline_clean) == (None, None)


@pytest.mark.parametrize(
    ("bad", "total", "usual"),
    [(0, 100, True), (4, 100, True), (7, 100, False), (150, 10_000, True), (160, 10_000, False)],
)
def test_as_usual_allows_for_chance_and_for_half_as_much_again(
    bad: int, total: int, usual: bool
) -> None:
    """At a usual rate of 1 %: chance in small counts, half as much again in large ones."""
    assert as_usual(bad, total, 0.01) is usual


def test_a_rollout_that_has_seen_nothing_has_an_empty_meter() -> None:
    """Nothing is divided by nothing."""
    found = read(phase_began_at=None, last_tick_at=None, baked_for=timedelta(0))

    assert found.signals == ()
    assert found.exposure.requests_per_second is None
    assert found.data.age is None
