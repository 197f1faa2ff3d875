"""
What slow requests prove where nothing runs beside the candidate: a burst is no more than one witness.

The baseline had 5 % above its edge; with a fifth more latency tolerated 12 % would still be no harm.
"""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.support.ticks import TICK, a_histogram, a_stratum, a_tick, an_input, fold

from tidegate.domain.health.evidence import Verdict, judge
from tidegate.domain.plan.model import SignalKind, Tolerance, ToleranceUnit
from tidegate.stats import harm, history
from tidegate.testing.builders import START, a_phase, a_plan, a_signal
from tidegate.usecases.evidence import absorb, summarise
from tidegate.usecases.evidence_records import to_lists

LATENCY = a_signal(
    "latency",
    kind=SignalKind.LATENCY,
    gate=False,
    tolerance=Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE),
)
SIGNALS = (a_signal(), LATENCY)
PLAN = replace(
    a_plan(),
    phases=(a_phase(signals=SIGNALS), a_phase("all", weight_bps=10_000, signals=SIGNALS)),
)
WHOLE_BEGAN = START + TICK * 60
A_TENTH_IN_NATS = math.log(10.0) / 10.0


@pytest.fixture(scope="module")
def known():
    """Return the state after ten minutes beside a baseline: what is slow is known."""
    beside = (an_input(a_stratum()), an_input(a_histogram(), signal="latency"))
    return fold(PLAN, [a_tick(number, *beside) for number in range(1, 60)])


def whole(slow, total):
    """Return the latencies of a target that the candidate serves whole: *slow* of *total* are."""
    return a_histogram(
        weight_bps=10_000, candidate=(0, 0, total - slow, slow, 0, 0), baseline=(0,) * 6
    )


def alone(slow, total, *, after, failed=0):
    """Return the tick that ends *after* so long in the phase in which the candidate serves everyone."""
    served = a_stratum(
        weight_bps=10_000, candidate=100, candidate_bad=failed, baseline=0, baseline_bad=0
    )
    return a_tick(
        0,
        an_input(served),
        an_input(whole(slow, total), signal="latency"),
        phase_index=1,
        began=WHOLE_BEGAN,
        at=WHOLE_BEGAN + timedelta(seconds=after),
    )


def verdict(state):
    evidence = summarise(PLAN, state, attempt=1)
    return judge(
        evidence, phase=PLAN.phases[1], budget=PLAN.budget, attempt=1, carried=("errors",)
    ).verdict


def past(state):
    """Return the log e-value of latency against the past."""
    return float(history.log_e_value(state.signals[1].tests.weak)[0])


# --- bursts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param([(17, 64), (17, 64), (17, 63)], id="51-of-191-in-three"),
        pytest.param([(27, 65)], id="27-of-65-in-one"),
        pytest.param([(200, 200)] * 10, id="all-of-2000-in-ten"),
    ],
)
def test_a_burst_is_neither_harm_nor_suspicion(known, seconds):
    """Harmless versions on a busy machine did this, and were halted after one and three seconds."""
    state = known

    for second, (slow, total) in enumerate(seconds, start=1):
        state = fold(PLAN, [alone(slow, total, after=second)], state)

        assert verdict(state) not in (Verdict.FAIL, Verdict.SUSPECT)


def test_a_burst_is_not_proven_against_siblings_either():
    """Other targets' baselines don't share the pause that makes one target slow."""
    plan = replace(PLAN, phases=(a_phase("rest", signals=SIGNALS),))
    beside = a_histogram(target="us")
    calm = an_input(whole(5, 100), beside, signal="latency")
    burst = an_input(whole(2_000, 2_000), beside, signal="latency")
    state = fold(plan, [a_tick(number, an_input(a_stratum()), calm) for number in range(1, 3)])
    before = float(harm.log_e_value(state.signals[1].tests.siblings)[0])

    after = fold(plan, [a_tick(3, an_input(a_stratum()), burst)], state)

    gained = float(harm.log_e_value(after.signals[1].tests.siblings)[0]) - before
    assert 1.0 < gained <= math.log(10.0)


def test_errors_are_not_bounded(known):
    """Failures don't queue: what fails in a second is proven in a second."""
    state = fold(PLAN, [alone(5, 100, after=1, failed=60)], known)

    assert verdict(state) is Verdict.FAIL


def test_requests_beyond_a_hundred_in_ten_seconds_are_no_further_witnesses(known):
    """Else the calm moments of a busy service would outweigh whatever a burst may gain."""
    few, many = (fold(PLAN, [alone(0, total, after=1)], known) for total in (200, 20_000))
    quiet = fold(PLAN, [alone(0, 1, after=1)], known)

    assert past(few) == pytest.approx(past(many))
    assert past(many) < past(quiet)


def test_nor_are_those_of_siblings():
    """Ten times the requests on all targets say the same of a second."""

    def siblings(times):
        plan = replace(PLAN, phases=(a_phase("rest", signals=SIGNALS),))
        served = (570, 760, 475, 76, 15, 4)
        beside = a_histogram(target="us", baseline=tuple(times * count for count in served))
        given = an_input(whole(times * 16, times * 200), beside, signal="latency")
        state = fold(plan, [a_tick(number, an_input(a_stratum()), given) for number in (1, 2, 3)])
        return float(harm.log_e_value(state.signals[1].tests.siblings)[0])

    assert siblings(1) == pytest.approx(siblings(10))
    assert siblings(1) != 0.0


# --- harm that lasts -------------------------------------------------------------------------


def seconds_until(known, wanted, *, tick, rates):
    """Return when *wanted* is the verdict: ticks of *tick* s, each second a rate slow of 200 requests."""
    random = np.random.default_rng(3)
    state = known
    for after in range(tick, 400, tick):
        slow = sum(
            int(random.binomial(200, rates[second % len(rates)]))
            for second in range(after - tick, after)
        )
        state = fold(PLAN, [alone(slow, 200 * tick, after=after)], state)
        if verdict(state) is wanted:
            return after
    return math.inf


@pytest.mark.parametrize(
    ("tick", "suspected", "halted"), [(1, 28, 38), (10, 30, 40), (60, 180, 240)]
)
def test_harm_that_lasts_is_found(known, tick, suspected, halted):
    """40 % slow for good are held within half a minute and halted within 40 s; the docs say so."""
    assert seconds_until(known, Verdict.SUSPECT, tick=tick, rates=[0.4]) == suspected
    assert seconds_until(known, Verdict.FAIL, tick=tick, rates=[0.4]) == halted


@pytest.mark.parametrize("tick", [1, 10])
def test_four_times_as_many_slow_ones_are_found_in_a_minute(known, tick):
    """20 % slow where 5 % were and 12 % would be tolerated."""
    assert 40 <= seconds_until(known, Verdict.FAIL, tick=tick, rates=[0.2]) <= 70


@pytest.mark.parametrize("tick", [1, 10])
@pytest.mark.parametrize("spell", [5, 10, 30])
def test_harm_that_comes_and_goes_is_found(known, tick, spell):
    """Who is slow half of the time isn't saved by the other half; a machine that stalls once is."""
    rates = [0.6] * spell + [0.05] * spell

    assert 30 <= seconds_until(known, Verdict.FAIL, tick=tick, rates=rates) <= 180


# --- how long a tick lasted ------------------------------------------------------------------


def gained(known, *, after):
    """Return what a tick gains in which all is slow, *after* so long from a first one at 1 s."""
    first = fold(PLAN, [alone(300, 300, after=1)], known)
    return past(fold(PLAN, [alone(3_000, 3_000, after=after)], first)) - past(first)


def test_what_a_tick_may_prove_goes_by_its_length(known):
    """Two ticks of a second may prove as much as one of two."""
    two_seconds = gained(known, after=3)

    assert 0.0 < two_seconds <= 2.0 * A_TENTH_IN_NATS
    assert 1.5 * gained(known, after=2) < two_seconds
    assert gained(known, after=11) == pytest.approx(5.0 * two_seconds, rel=0.1)


@pytest.mark.parametrize("after", [61, 2_000])
def test_after_a_gap_no_more_is_proven_than_by_one_burst(known, after):
    """A tick that ends a gap, or comes from a clock that leapt ahead, holds one mixture of requests."""
    assert gained(known, after=after) == gained(known, after=11)


def test_the_first_tick_of_a_phase_lasts_since_it_began(known):
    """However long it was before it: the target was served otherwise then."""
    soon = fold(PLAN, [alone(300, 300, after=1)], known)
    late = fold(PLAN, [alone(300, 300, after=10)], known)

    assert 0.0 < past(soon) <= A_TENTH_IN_NATS
    assert 5.0 * A_TENTH_IN_NATS < past(late) <= 10.0 * A_TENTH_IN_NATS


def test_a_clock_that_goes_back_proves_nothing(known):
    """A tick before the last one, or before its phase, is none."""
    state = fold(PLAN, [alone(300, 300, after=20)], known)

    assert to_lists(fold(PLAN, [alone(300, 300, after=15)], state)) == to_lists(state)
    assert fold(PLAN, [alone(300, 300, after=-5)], known).signals[1].tests.weak is None


def test_each_rollout_of_a_batch_has_its_own_bound(known):
    """Ticks of different lengths side by side, one of them beside a baseline and one late."""
    beside = a_tick(60, an_input(a_stratum()), an_input(a_histogram(), signal="latency"))
    first = fold(PLAN, [alone(30, 300, after=10)], known)
    rows = [
        (PLAN, known, alone(300, 300, after=1)),
        (PLAN, known, beside),
        (PLAN, known, alone(300, 300, after=7)),
        (PLAN, first, alone(300, 300, after=5)),
        (PLAN, first, alone(3_000, 3_000, after=40)),
    ]

    together = absorb(rows)

    assert [to_lists(one) for one in together] == [to_lists(absorb([row])[0]) for row in rows]
