"""
Pauses make requests of one side slow together: what a bound does to latency beside a baseline.

Ticks are of a second with 100 requests on each side. A pause of a second comes over either side twice a
minute and slows six in ten of its requests twenty times.
"""

import math
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest

from tidegate.stats import latency_family, pauses, safe

BOUNDS = tuple(2.0 ** (step / 2.0) for step in range(2, 20))
SECOND = timedelta(seconds=1)
REQUESTS = 100.0


def shares_of(median):
    """Return the bucket shares of a lognormal latency, in milliseconds."""
    z = (np.log(BOUNDS) - math.log(median)) / 0.5
    below = 0.5 * (1.0 + np.vectorize(math.erf)(z / math.sqrt(2.0)))
    return np.diff(np.concatenate(([0.0], below, [1.0])))


CALM = shares_of(8.0)
PAUSED = 0.4 * CALM + 0.6 * shares_of(160.0)


def seconds_of(runs, *, seconds, seed, harmed=None, pauses=2.0 / 60.0):
    """Yield both sides' buckets of each second, shape ``(buckets, runs)``; *harmed* by second."""
    random = np.random.default_rng(seed)
    for second in range(seconds):
        sides = []
        for share in (CALM if harmed is None else harmed(second), CALM):
            paused = random.random(runs) < pauses
            expected = np.where(paused[:, None], PAUSED, share) * REQUESTS
            sides.append(random.poisson(expected).T.astype(float))
        yield sides


def halted_after(ticks, *, runs, bounded, threshold=200.0):
    """Return the second in which each run is halted, infinite where it never is."""
    state = latency_family.new(BOUNDS, 1_000.0 * CALM, null_ratio=1.05, streams=runs)
    halted = np.full(runs, np.inf)
    for second, (candidate, baseline) in enumerate(ticks, start=1):
        most = pauses.most_log_factor(candidate, baseline, SECOND) if bounded else None
        state = latency_family.update(state, candidate, baseline, most_log_factor=most)
        reached = latency_family.log_e_value(state) >= math.log(threshold)
        halted = np.where(reached & np.isinf(halted), second, halted)
    return halted


def proven_after(ticks, *, runs, ratio, bounded):
    """Return the second in which each run is proven at 20 to 1 not to exceed 16 ms *ratio* times."""
    slow = BOUNDS.index(16.0) + 1
    state = safe.new_ratio(runs)
    proven = np.full(runs, np.inf)
    for second, (candidate, baseline) in enumerate(ticks, start=1):
        ours, theirs = candidate[slow:].sum(axis=0), baseline[slow:].sum(axis=0)
        most = pauses.most_log_factor(baseline, candidate, SECOND) if bounded else None
        state = safe.update_ratio(
            state, ours, ours + theirs, 0.5, ratio=ratio, most_log_factor=most
        )
        proven = np.where((state.log_e >= math.log(20.0)) & np.isinf(proven), second, proven)
    return proven


def test_pauses_of_a_harmless_candidate_halt_as_seldom_as_promised(runs, stays_below):
    """Five minutes with ten pauses on either side; the unbounded test takes each for proof."""
    bounded, unbounded = (
        np.isfinite(halted_after(seconds_of(runs, seconds=300, seed=5), runs=runs, bounded=one))
        for one in (True, False)
    )

    assert stays_below(bounded, 1.0 / 200.0)
    assert not stays_below(unbounded, 0.2)


def test_pauses_of_the_baseline_let_a_slower_candidate_pass_as_seldom_as_promised(
    runs, stays_below
):
    """Its requests exceed 16 ms twice as often as tolerated: each pause beside it looked like proof."""
    tolerated = 2.0
    slow = BOUNDS.index(16.0) + 1
    worse = CALM.copy()
    worse[slow:] *= tolerated
    worse[:slow] *= (1.0 - worse[slow:].sum()) / worse[:slow].sum()

    bounded, unbounded = (
        np.isfinite(
            proven_after(
                seconds_of(runs, seconds=300, seed=6, harmed=lambda _: worse),
                runs=runs,
                ratio=tolerated,
                bounded=one,
            )
        )
        for one in (True, False)
    )

    assert stays_below(bounded, 1.0 / 20.0)
    assert not stays_below(unbounded, 0.3)


@pytest.mark.parametrize(
    ("harmed", "seconds"),
    [
        pytest.param(lambda _: shares_of(24.0), 6, id="three-times-as-slow"),
        pytest.param(lambda _: shares_of(10.4), 7, id="30-percent-slower"),
        pytest.param(lambda _: 0.9 * CALM + 0.1 * shares_of(160.0), 7, id="a-tenth-stalls"),
        pytest.param(lambda s: PAUSED if s % 3 == 0 else CALM, 20, id="stalls-every-third-second"),
    ],
)
def test_harm_that_lasts_is_halted(harmed, seconds):
    """The median of a hundred; the documents say so."""
    ticks = seconds_of(100, seconds=90, seed=7, harmed=harmed, pauses=0.0)

    halted = halted_after(ticks, runs=100, bounded=True)

    assert np.median(halted) == pytest.approx(seconds, rel=0.1)
    assert np.isfinite(halted).mean() > 0.98


def test_no_bet_gains_more_than_it_may_and_losses_stand():
    """All of the candidate's are slow, then all of the baseline's."""
    slow, fast = np.eye(len(CALM))[-1] * REQUESTS, np.eye(len(CALM))[0] * REQUESTS
    state = latency_family.new(BOUNDS, 1_000.0 * CALM)

    gained = latency_family.update(state, slow, fast, most_log_factor=pauses.MOST_PER_PAUSE)
    lost = latency_family.update(state, fast, slow, most_log_factor=pauses.MOST_PER_PAUSE)
    unbounded = latency_family.update(state, fast, slow)

    assert gained.log_started - state.log_started == pytest.approx(
        np.full(state.log_started.shape, pauses.MOST_PER_PAUSE)
    )
    assert lost.to_lists() == unbounded.to_lists()


def test_a_power_raises_every_factor_and_leaves_the_past_as_it_is():
    """What the baseline did is remembered in full: it only chooses the bets."""
    candidate, baseline = PAUSED * REQUESTS, CALM * REQUESTS
    state = latency_family.new(BOUNDS, 1_000.0 * CALM)

    whole = latency_family.update(state, candidate, baseline)
    halved = latency_family.update(state, candidate, baseline, power=0.5)

    assert halved.log_started - state.log_started == pytest.approx(
        0.5 * (whole.log_started - state.log_started)
    )
    assert halved.past.tolist() == whole.past.tolist()


@pytest.mark.parametrize(
    ("slower", "faster", "share"),
    [
        pytest.param([0, 0, 4], [9, 0, 0], 1.0, id="all"),
        pytest.param([8, 1, 1], [80, 20, 0], 0.1, id="a-tenth-beyond-the-last"),
        pytest.param([6, 4, 0], [9, 0, 1], 0.3, id="by-the-widest-bound"),
        pytest.param([9, 1, 0], [6, 4, 0], 0.0, id="none-is-slower"),
        pytest.param([3], [5], 0.0, id="one-bucket-tells-nothing"),
        pytest.param([0, 5], [0, 0], 0.0, id="nothing-to-compare-with"),
    ],
)
def test_least_slowed_is_the_widest_gap_between_the_distributions(slower, faster, share):
    """How many must have been slowed at least, whichever they were."""
    found = pauses.least_slowed(np.array(slower)[:, None], np.array(faster)[:, None])

    assert found == pytest.approx([share])


@pytest.mark.parametrize(
    ("slow", "seconds", "tosses"),
    [
        pytest.param(50, 1, 1.0, id="half-of-a-second-is-one-pause"),
        pytest.param(100, 10, 10.0, id="all-of-ten-seconds-are-ten"),
        pytest.param(5, 10, 1.0, id="one-in-twenty-is-one"),
        pytest.param(25, 10, 2.5, id="a-quarter-is-two-and-a-half"),
        pytest.param(100, 0.25, 0.25, id="a-part-of-a-second-is-a-part-of-one"),
        pytest.param(100, 3_600, 60.0, id="a-gap-is-no-more-than-a-minute"),
    ],
)
def test_as_many_pauses_are_granted_as_explain_it(slow, seconds, tosses):
    """Each slows what comes in a second at most."""
    ours, theirs = np.array([[100 - slow], [slow]]), np.array([[100], [0]])

    most = pauses.most_log_factor(ours, theirs, timedelta(seconds=seconds))

    assert most == pytest.approx([tosses * pauses.MOST_PER_PAUSE])


@pytest.mark.parametrize(
    ("candidate", "baseline", "seconds", "power"),
    [
        pytest.param(100, 5_000, 1, 1.0, id="the-smaller-side-counts"),
        pytest.param(5_000, 100, 1, 1.0, id="whichever-it-is"),
        pytest.param(400, 400, 1, 0.25, id="four-times-as-many"),
        pytest.param(400, 400, 4, 1.0, id="in-four-seconds"),
        pytest.param(0, 400, 1, 1.0, id="none"),
    ],
)
def test_more_than_a_hundred_in_a_second_are_no_further_witnesses(
    candidate, baseline, seconds, power
):
    """Else the calm seconds of a busy service would cost more than its slow ones may gain."""
    found = pauses.power([candidate], [baseline], timedelta(seconds=seconds))

    assert found == pytest.approx([power])


@pytest.mark.parametrize(
    ("before", "now", "begins"),
    [
        ("09:00:01", "09:04:59", False),
        ("09:04:59", "09:05:00", True),
        ("09:05:00", "09:05:10", False),
        ("09:04:59", "09:31:00", True),
        ("09:05:00", "09:05:00", False),
    ],
)
def test_a_part_of_the_stake_begins_every_five_minutes(before, now, begins):
    """By the clock, so that a restart of the server changes nothing."""
    moments = [
        datetime.combine(datetime(2030, 1, 7, tzinfo=UTC), time.fromisoformat(text), tzinfo=UTC)
        for text in (before, now)
    ]

    assert pauses.stake_begins(*moments) is begins


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: pauses.least_slowed([1, 0], [1, 0]),
            "must both have shape (buckets, streams), got (2,) and (2,)",
        ),
        (
            lambda: pauses.most_log_factor([[1], [-1]], [[1], [1]], SECOND),
            "slower must not be negative, got -1",
        ),
        (lambda: pauses.power([math.nan], [1], SECOND), "candidate_total must be finite, got nan"),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """A bound that means nothing would bound nothing in silence."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)
