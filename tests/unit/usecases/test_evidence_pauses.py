"""
What slow requests prove beside a baseline: a pause of one side is no more than one witness.

Both sides have 100 requests a second, 5 % of them above 100 ms, unless a test says otherwise.
"""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.support.ticks import BOUNDS, a_histogram, a_stratum, a_tick, an_input, fold

from tidegate.domain.health.evidence import Verdict, judge
from tidegate.domain.plan.model import SignalKind, Tolerance, ToleranceUnit
from tidegate.stats import latency_family, pauses
from tidegate.testing.builders import START, a_phase, a_plan, a_signal
from tidegate.usecases.evidence import absorb, summarise
from tidegate.usecases.evidence_records import to_lists

LATENCY = a_signal(
    "latency",
    kind=SignalKind.LATENCY,
    tolerance=Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE),
)
SIGNALS = (a_signal(), LATENCY)
PLAN = replace(a_plan(), phases=(a_phase("half", weight_bps=5_000, signals=SIGNALS),))
CALM = np.array([0.30, 0.40, 0.20, 0.05, 0.04, 0.01])
STALLED = np.array([0.0, 0.0, 0.0, 0.0, 0.2, 0.8])
KNOWN_FOR = 60


def beside(candidate, baseline, *, after):
    """Return the tick that ends *after* so many seconds, with the sides' buckets."""
    served = a_stratum(
        weight_bps=5_000, candidate=sum(candidate), baseline=sum(baseline), baseline_bad=0
    )
    slow = a_histogram(weight_bps=5_000, candidate=tuple(candidate), baseline=tuple(baseline))
    return a_tick(
        0,
        an_input(served),
        an_input(slow, signal="latency"),
        at=START + timedelta(seconds=after),
    )


def counts(shares, requests=100):
    """Return the buckets of so many requests, as near to *shares* as whole numbers are."""
    up_to = np.round(np.cumsum(shares) * requests).astype(int)
    return np.diff(np.concatenate(([0], up_to))).tolist()


@pytest.fixture(scope="module")
def known():
    """Return the state after a minute of two sides that are alike: what is slow is known."""
    return fold(
        PLAN,
        [beside(counts(CALM), counts(CALM), after=second) for second in range(1, KNOWN_FOR + 1)],
    )


def verdict(state):
    evidence = summarise(PLAN, state, attempt=1)
    return judge(evidence, phase=PLAN.phases[0], budget=PLAN.budget, attempt=1, carried=()).verdict


def harm(state):
    return float(latency_family.log_e_value(state.signals[1].tests.harm)[0])


def proof(state):
    return float(state.signals[1].tests.safe.log_e[0])


# --- pauses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "baseline"),
    [
        pytest.param((20, 25, 15, 5, 25, 10), counts(CALM), id="a-third-for-a-second"),
        pytest.param((40, 60, 30, 10, 5, 25), (8, 10, 6, 1, 1, 0), id="what-waited-comes-at-once"),
        pytest.param((0, 0, 0, 0, 0, 100), counts(CALM), id="all-for-a-second"),
    ],
)
def test_a_pause_is_neither_harm_nor_suspicion(known, candidate, baseline):
    """Harmless versions on a busy machine did this, and were halted after a second of it."""
    state = fold(PLAN, [beside(candidate, baseline, after=KNOWN_FOR + 1)], known)

    assert verdict(state) not in (Verdict.FAIL, Verdict.SUSPECT)
    assert harm(known) < harm(state) <= harm(known) + pauses.MOST_PER_PAUSE + 1e-9


def test_a_pause_of_the_baseline_is_no_proof(known):
    """A slower candidate beside a baseline that stalls isn't a faster one."""
    fresh = fold(PLAN, [beside(counts(CALM), counts(STALLED), after=KNOWN_FOR + 1)], known)

    assert proof(fresh) <= proof(known) + pauses.MOST_PER_PAUSE + 1e-9
    assert proof(fresh) > proof(known)


def test_pauses_that_hit_both_sides_in_turn_cancel(known):
    """Twenty of either side in two minutes: what one won for the bet, the other one lost."""
    ticks = []
    for second in range(1, 121):
        sides = [counts(CALM), counts(CALM)]
        if second % 3 == 0:
            sides[second // 3 % 2] = counts(0.5 * CALM + 0.5 * STALLED)
        ticks.append(beside(*sides, after=KNOWN_FOR + second))

    assert verdict(fold(PLAN, ticks, known)) not in (Verdict.FAIL, Verdict.SUSPECT)


# --- harm that lasts -------------------------------------------------------------------------


def seconds_until(known, wanted, *, tick, slow, known_for=KNOWN_FOR):
    """Return when *wanted* is the verdict: ticks of *tick* s, a share *slow* of the candidate's stalls."""
    random = np.random.default_rng(5)
    state = known
    for after in range(tick, 1_200, tick):
        candidate, baseline = np.zeros(len(CALM), int), np.zeros(len(CALM), int)
        for second in range(after - tick, after):
            share = slow[second % len(slow)]
            candidate += random.multinomial(100, (1.0 - share) * CALM + share * STALLED)
            baseline += random.multinomial(100, CALM)
        tick_of_both = beside(candidate.tolist(), baseline.tolist(), after=known_for + after)
        state = fold(PLAN, [tick_of_both], state)
        if verdict(state) is wanted:
            return after
    return math.inf


@pytest.mark.parametrize(
    ("slow", "halted"),
    [
        pytest.param([0.9], {1: 10, 10: 20, 60: 60}, id="nearly-all"),
        pytest.param([0.3], {1: 10, 10: 40, 60: 60}, id="a-third"),
        pytest.param([0.1], {1: 13, 10: 100, 60: 120}, id="a-tenth"),
        pytest.param([0.02], {1: 64, 10: 120, 60: 480}, id="one-in-fifty"),
        pytest.param([0.5, 0.0, 0.0], {1: 31, 10: 70, 60: 120}, id="half-every-third-second"),
    ],
)
def test_harm_that_lasts_is_halted(known, slow, halted):
    """The documents say so."""
    found = {tick: seconds_until(known, Verdict.FAIL, tick=tick, slow=slow) for tick in halted}

    assert found == halted


@pytest.mark.parametrize(("slow", "halted"), [(0.9, 20), (0.3, 50), (0.1, 140), (0.02, 160)])
def test_harm_that_begins_late_is_halted_nearly_as_soon(known, slow, halted):
    """After half an hour of calm: what bets had lost in it they couldn't win back in time."""
    calm = beside(counts(CALM, 1_000), counts(CALM, 1_000), after=0)
    state = fold(
        PLAN,
        [replace(calm, at=START + timedelta(seconds=after)) for after in range(70, 1_870, 10)],
        known,
    )

    found = seconds_until(state, Verdict.FAIL, tick=10, slow=[slow], known_for=KNOWN_FOR + 1_800)

    assert found == halted


def test_a_busy_service_finds_what_comes_and_goes(known):
    """With ten thousand requests a second the calm ones cost no more than with a hundred."""
    rare, many = counts(0.5 * CALM + 0.5 * STALLED, 10_000), counts(CALM, 10_000)
    state = known
    for second in range(1, 61):
        ours = rare if second % 3 == 0 else many
        state = fold(PLAN, [beside(ours, many, after=KNOWN_FOR + second)], state)

    assert verdict(state) is Verdict.FAIL


# --- how long a tick lasted ------------------------------------------------------------------


def gained(known, *, after, slow=0.5):
    """Return what a tick gains that ends *after* so many seconds, with half of its requests slow."""
    requests = max(1, round(100 * after))
    ours = counts((1.0 - slow) * CALM + slow * STALLED, requests)
    tick = beside(ours, counts(CALM, requests), after=KNOWN_FOR + after)
    return harm(fold(PLAN, [tick], known)) - harm(known)


def test_what_a_tick_may_prove_goes_by_its_length_and_by_how_much_was_slow(known):
    """Ten seconds of which half was slow are five pauses; a tenth of a second is a tenth of one."""
    ten_seconds = beside(
        counts(0.5 * CALM + 0.5 * STALLED, 1_000), counts(CALM, 1_000), after=KNOWN_FOR + 10
    )
    before = known.signals[1].tests.harm.log_started
    after = fold(PLAN, [ten_seconds], known).signals[1].tests.harm.log_started
    least_slowed = 0.5 * (1.0 - CALM[4:].sum())

    assert (after - before).max() == pytest.approx(
        10.0 * least_slowed * pauses.MOST_PER_PAUSE, rel=0.05
    )
    assert 0.0 < gained(known, after=0.1) <= 0.1 * pauses.MOST_PER_PAUSE + 1e-9
    assert gained(known, after=0.1) < gained(known, after=1) <= pauses.MOST_PER_PAUSE + 1e-9


def test_a_gap_that_ended_proves_no_more_than_a_minute(known):
    """After half an hour without a tick nobody knows when it was slow."""
    ticks = [
        beside(counts(0.9 * CALM + 0.1 * STALLED, 6_000), counts(CALM, 6_000), after=KNOWN_FOR + s)
        for s in (240, 1_800)
    ]

    minutes, gap = (harm(fold(PLAN, [tick], known)) - harm(known) for tick in ticks)

    assert gap == minutes


def test_a_tick_whose_rounded_counts_are_in_no_bucket_says_nothing(known):
    """A source that estimates growth may count a request of which every bucket holds a part."""
    slow = a_histogram(weight_bps=5_000, candidate=(0,) * 6, baseline=tuple(counts(CALM)))
    rounded = replace(slow, candidate=replace(slow.candidate, total=1))
    tick = a_tick(
        0,
        an_input(a_stratum(weight_bps=5_000, candidate=100, baseline=100)),
        an_input(rounded, signal="latency"),
        at=START + timedelta(seconds=KNOWN_FOR + 1),
    )

    after = fold(PLAN, [tick], known)

    assert harm(after) == harm(known)
    assert proof(after) == proof(known)


def test_each_rollout_of_a_batch_has_its_own_bound(known):
    """Ticks of different lengths and slownesses side by side."""
    rows = [
        (PLAN, known, beside(ours, counts(CALM), after=KNOWN_FOR + after))
        for ours, after in (
            (counts(CALM), 1),
            (counts(STALLED), 1),
            (counts(0.5 * CALM + 0.5 * STALLED), 10),
            (counts(STALLED, 2_000), 300),
        )
    ]

    together = absorb(rows)

    assert [to_lists(one) for one in together] == [to_lists(absorb([row])[0]) for row in rows]


def test_the_buckets_are_those_of_the_builder():
    """The shares above are of this many buckets."""
    assert len(CALM) == len(STALLED) == len(BOUNDS) + 1
