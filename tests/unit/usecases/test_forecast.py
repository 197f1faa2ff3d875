"""Forecasts of a plan: what each bake can show, when it is over, and what to warn of."""

import math
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from tidegate.domain.health.evidence import alpha_for_attempt
from tidegate.domain.plan.findings import Severity
from tidegate.domain.plan.model import Plan, SignalKind, SignalSpec, Tolerance, ToleranceUnit
from tidegate.domain.plan.traffic import (
    HOURS_OF_WEEK,
    ServiceTraffic,
    TrafficProfile,
    flat_profile,
)
from tidegate.domain.quantities import TargetName
from tidegate.stats import power
from tidegate.testing.builders import START, a_phase, a_placement, a_plan, a_signal
from tidegate.usecases import expectation
from tidegate.usecases.forecast import Forecast, forecast
from tidegate.usecases.forecast_findings import forecast_findings, rounded

TIGHT = a_signal(tolerance=Tolerance(value=0.0005, unit=ToleranceUnit.RATE))
"""0.05 points."""
ORDERS = a_signal(
    "orders",
    kind=SignalKind.USAGE,
    tolerance=Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE),
)
SLOW = a_signal(
    "latency",
    kind=SignalKind.LATENCY,
    tolerance=Tolerance(value=20.0, unit=ToleranceUnit.DURATION),
)
MINUTE = timedelta(minutes=1)


def traffic(
    requests_per_second: float = 120.0,
    error_rate: float = 0.001,
    *,
    assumed: bool = False,
    **more: tuple[tuple[str, float], ...],
) -> ServiceTraffic:
    profile = flat_profile(requests_per_second, error_rate)
    return ServiceTraffic(
        targets=((TargetName("eu"), profile),), source="a test", assumed=assumed, **more
    )


def one_bake(
    weight_bps: int = 100, bake: timedelta = timedelta(hours=4), **changes: object
) -> Plan:
    phase = a_phase(
        "few",
        weight_bps=weight_bps,
        bake=bake,
        bake_max=3 * bake,
        signals=(TIGHT,),
        **changes,  # type: ignore[arg-type]
    )
    return a_plan(weights_bps=(), phases=(phase,))


def foresee(plan: Plan, known: ServiceTraffic | None) -> Forecast:
    return forecast(plan, known, now=START)


def test_an_error_free_bake_needs_the_requests_that_it_needs() -> None:
    """log(30)/0.0005 = 6,802 requests of the candidate, at 1.2 a second: 1 h 34 min."""
    found = foresee(one_bake(), traffic(error_rate=0.0)).phases[0].signals[0]

    assert found.proof_needs is not None
    assert found.proof_needs.total_seconds() == pytest.approx(
        math.log(30) / 0.0005 / 1.2, rel=0.002
    )
    assert found.enough is True


def test_what_a_bake_rules_out_and_needs_belong_together() -> None:
    """A bake exactly as long as was called for rules out exactly what is tolerated."""
    weak = foresee(one_bake(), traffic()).phases[0]
    assert weak.bake_needed is not None

    enough = foresee(one_bake(bake=weak.bake_needed), traffic()).phases[0].signals[0]

    assert weak.enough is False
    assert weak.signals[0].rules_out > 0.0005  # type: ignore[operator]
    assert enough.rules_out == pytest.approx(0.0005, rel=1e-4)


def test_a_fault_is_halted_when_the_closed_form_says_so() -> None:
    """+0.5 points at 1.2 requests/s: the same as asked of the statistics, with this signal's alpha."""
    plan = one_bake()
    alpha = alpha_for_attempt(plan.budget, 1) * 0.8
    requests = power.requests_to_halt(0.001, 0.006, 0.01, alpha, null_ratio=1.1)

    half, two = foresee(plan, traffic()).phases[0].faults

    assert half.halted_after is not None
    assert half.halted_after.total_seconds() == pytest.approx(requests / 1.2, rel=1e-6)
    assert half.failed_requests == pytest.approx(requests * 0.005, rel=1e-6)
    assert two.halted_after is not None
    assert two.halted_after < half.halted_after


def test_power_is_that_of_the_tolerated_harm() -> None:
    """0.05 points over 0.1 % is a ratio of 1.5, less what counts as no harm."""
    plan = one_bake(weight_bps=2_500)
    events = 30 * 4 * 3600 * 0.001
    nats = power.information(events, 0.25, 1.5, null_ratio=1.1)
    alpha = alpha_for_attempt(plan.budget, 1) * 0.8

    found = foresee(plan, traffic()).phases[0].signals[0].power

    assert found == pytest.approx(
        power.power(nats, ratio=1.5, alpha=alpha, candidate_share=0.25, null_ratio=1.1)
    )


def test_the_calendar_follows_the_longer_of_bake_and_proof() -> None:
    """A phase begins when the one before ends; a proof that takes longer than the bake moves all."""
    long, short = foresee(one_bake(), traffic()).phases[0], timedelta(hours=8)
    plan = one_bake()
    second = replace(plan.phases[0], name="more", bake=short, bake_max=short)
    whole = a_plan(weights_bps=(), phases=(plan.phases[0], second))

    found = foresee(whole, traffic(error_rate=0.0))
    slow = foresee(whole, traffic())

    assert found.phases[1].begins_at == found.phases[0].ends_at == START + timedelta(hours=4)
    assert found.ends_at == START + timedelta(hours=12)
    assert long.bake_needed is not None
    assert slow.phases[0].ends_at == START + long.bake_needed
    assert slow.ends_at == START + long.bake_needed + short


def test_a_phase_never_lasts_beyond_its_longest_bake() -> None:
    """Then a person decides, as the calendar has to say."""
    found = foresee(one_bake(bake=timedelta(minutes=10)), traffic())

    assert found.ends_at == START + timedelta(minutes=30)


def test_the_warm_up_comes_before_the_bake() -> None:
    """It proves nothing, and it takes its time."""
    cold = replace(one_bake(), warm_up=timedelta(minutes=30))

    found = foresee(cold, traffic(error_rate=0.0))

    assert found.ends_at == START + timedelta(hours=4, minutes=30)
    assert found.phases[0].signals[0].proof_needs == (
        foresee(one_bake(), traffic(error_rate=0.0)).phases[0].signals[0].proof_needs
    )


def test_a_bake_at_night_needs_longer() -> None:
    """The same plan begun before a quiet night proves later than one begun in the morning."""
    speeds = tuple(120.0 if 8 <= hour % 24 < 20 else 12.0 for hour in range(HOURS_OF_WEEK))
    profile = TrafficProfile(
        requests_per_second=speeds,
        error_rate=(0.0,) * HOURS_OF_WEEK,
        people_per_hour=tuple(1_000.0 for _ in speeds),
        hours_known=HOURS_OF_WEEK,
    )
    known = replace(traffic(), targets=((TargetName("eu"), profile),))

    morning = forecast(one_bake(), known, now=START)
    evening = forecast(one_bake(), known, now=START + timedelta(hours=10))

    early, late = (one.phases[0].signals[0].proof_needs for one in (morning, evening))
    assert early is not None
    assert late is not None
    # An hour at 1.2 a second, the rest at a tenth of it.
    assert abs(late - timedelta(hours=1) - 10 * (early - timedelta(hours=1))) < MINUTE
    assert morning.phases[0].people == pytest.approx(40.0)


def test_without_traffic_nothing_is_said() -> None:
    """No guess: no rate, no power, no findings; the calendar of the bakes alone."""
    found = foresee(one_bake(), None)

    assert found.phases[0].signals == ()
    assert found.phases[0].requests_per_second is None
    assert found.weakest is None
    assert found.ends_at == START + timedelta(hours=4)
    assert forecast_findings(found) == ()


def test_a_phase_without_a_baseline_proves_nothing() -> None:
    """At 100 % and in a first deployment there's nothing to compare with."""
    whole = foresee(a_plan(weights_bps=(10_000,)), traffic()).phases[0]
    install = forecast(one_bake(), traffic(), now=START, is_install=True).phases[0]

    assert (whole.compares, install.compares) == (False, False)
    assert whole.signals == install.signals == ()
    assert whole.requests_per_second == 120.0


def test_usage_and_latency_are_foreseen_when_their_measure_is_known() -> None:
    """Else the forecast says what nobody knows yet."""
    plan = one_bake(weight_bps=1_000)
    gates = replace(plan, phases=(replace(plan.phases[0], signals=(ORDERS, SLOW)),))

    blind = foresee(gates, traffic()).phases[0]
    known = foresee(
        gates,
        traffic(events_per_request=(("orders", 0.02),), slow_from_ms=(("latency", 400.0),)),
    ).phases[0]

    assert [one.why_unknown != "" for one in blind.signals] == [True, True]
    assert blind.enough is None
    orders, latency = known.signals
    # 12 requests/s for 4 h bring 3,456 orders; ruling out a loss of a fifth takes about 135.
    assert orders.enough is True
    assert 0.0 < orders.rules_out < 0.2  # type: ignore[operator]
    assert latency.rules_out is not None
    assert 0.0 < latency.rules_out < 400.0


def test_of_a_busy_service_s_latency_no_more_is_foreseen_than_counts() -> None:
    """Beyond a hundred in a second of the smaller side, further requests see harm no sooner."""
    slight = replace(SLOW, tolerance=Tolerance(value=0.1, unit=ToleranceUnit.RELATIVE))
    plan = one_bake(weight_bps=5_000, bake=timedelta(minutes=5))
    gates = replace(plan, phases=(replace(plan.phases[0], signals=(TIGHT, slight)),))

    chances = [
        foresee(gates, traffic(requests_per_second=rate)).phases[0].signals[1].power
        for rate in (100.0, 200.0, 2_000.0)
    ]

    assert None not in chances
    assert chances[0] < chances[1] < 0.9  # type: ignore[operator]
    assert chances[2] == pytest.approx(chances[1])


@pytest.mark.parametrize(
    ("spec", "requests", "share", "targets", "part"),
    [
        pytest.param(SLOW, 6_000.0, 0.5, 1, 1.0, id="a-hundred-in-a-second"),
        pytest.param(SLOW, 24_000.0, 0.5, 1, 0.25, id="four-hundred"),
        pytest.param(SLOW, 24_000.0, 0.5, 4, 1.0, id="on-four-targets"),
        pytest.param(SLOW, 24_000.0, 0.8, 1, 1.0, id="the-smaller-side-counts"),
        pytest.param(TIGHT, 24_000.0, 0.5, 1, 1.0, id="of-errors-all-count"),
    ],
)
def test_witnesses_are_those_that_the_test_counts(
    spec: SignalSpec, requests: float, share: float, targets: int, part: float
) -> None:
    """In a minute."""
    found = expectation.witnesses_of(spec, requests, share, lasting=MINUTE, targets=targets)

    assert found == pytest.approx(part)


def test_slow_and_stretch_are_inverse() -> None:
    """How often requests are slow, and by how much all take longer, say the same."""
    assert expectation.slow_ratio(0.0) == pytest.approx(1.0)
    assert expectation.stretch_of(expectation.slow_ratio(0.05)) == pytest.approx(0.05)
    assert expectation.stretch_of(25.0) is None


def test_longer_bakes_and_larger_shares_show_more() -> None:
    """Monotone: what's ruled out shrinks and power grows with the bake and, up to half, the share."""
    bakes = [
        foresee(one_bake(bake=timedelta(minutes=10 * 2**k)), traffic()).phases[0].signals[0]
        for k in range(10)
    ]
    shares = [
        foresee(one_bake(weight_bps=bps), traffic()).phases[0].signals[0]
        for bps in (100, 500, 1_000, 2_500, 5_000)
    ]

    for found in (bakes, shares):
        for less, more in pairwise(found):
            assert (more.rules_out or 1.0) < (less.rules_out or 1.0)
            assert (more.power or 0.0) >= (less.power or 0.0)


def test_a_weak_bake_is_warned_of_with_what_would_do() -> None:
    """The bake that would do, and the smallest share at which the bake that there is would."""
    found = forecast_findings(foresee(one_bake(), traffic()))

    assert [finding.rule for finding in found] == ["bake-proves-tolerance"]
    assert found[0].severity is Severity.WARNING
    assert "few at 1% for 4h can't rule out the 0.050 pp you tolerate in errors" in found[0].message
    assert "(needs about 8h30m, or 5% for 1h45m)" in found[0].message
    assert "bake 8h30m, or give it 5% of the traffic" in found[0].fix


def test_a_gate_that_can_never_be_proven_forbids_a_start_only_with_known_traffic() -> None:
    """Beyond the longest bake it's an error; where traffic is only assumed, a warning."""
    hopeless = one_bake(bake=timedelta(minutes=10))

    known = forecast_findings(foresee(hopeless, traffic()))
    assumed = forecast_findings(foresee(hopeless, traffic(assumed=True)))

    assert [(one.rule, one.severity) for one in known] == [("gate-can-be-proven", Severity.ERROR)]
    assert [one.severity for one in assumed] == [Severity.WARNING]
    assert "even within its longest bake" in known[0].message


def test_no_requests_at_all_are_more_than_any_bake_can_wait_for() -> None:
    """A service without traffic is told so, and nothing divides by it."""
    found = foresee(one_bake(), traffic(requests_per_second=0.0))

    assert found.phases[0].signals[0].proof_needs is None
    assert "needs more traffic than there is" in forecast_findings(found)[0].message
    assert found.ends_at == START + timedelta(hours=4)


def test_the_phase_that_sees_least_is_named() -> None:
    """Power counts, not the order."""
    plan = one_bake(weight_bps=2_500)
    weak = replace(plan.phases[0], name="weak", bake=timedelta(hours=1))
    whole = a_plan(weights_bps=(), phases=(plan.phases[0], weak))

    assert foresee(whole, traffic()).weakest == 1


def test_every_target_that_serves_both_arms_counts() -> None:
    """What an earlier phase exposed goes on being compared."""
    both = [a_placement(), a_placement(target="us")]
    profile = flat_profile(60.0, 0.001)
    known = ServiceTraffic(
        targets=((TargetName("eu"), profile), (TargetName("us"), profile)),
        source="a test",
        assumed=False,
    )

    found = forecast(a_plan(weights_bps=(500,), placements=both), known, now=START)

    assert found.phases[0].requests_per_second == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.2, "1s"), (99.0, "1m39s"), (101.0, "1m45s"), (3_601.0, "1h1m"), (31_412.0, "8h45m")],
)
def test_lengths_are_rounded_up(seconds: float, written: str) -> None:
    """A bake that is written as said is long enough."""
    assert rounded(timedelta(seconds=seconds)) == written
