"""The test of whole histograms: edges and stretches, with and without a margin."""

import itertools
import math

import numpy as np
import pytest

from tidegate.stats import latency_family, mixture

BOUNDS = tuple(2.0 ** (step / 2.0) for step in range(-2, 14))
RAMP = (0.01, 0.05, 0.25, 0.5)


def shares_of(scale, bounds=BOUNDS):
    """Return the bucket shares of a lognormal latency of median 5 * *scale*, one row per scale."""
    z = (np.log(bounds) - math.log(5.0) - np.log(np.atleast_1d(scale))[:, None]) / 0.5
    below = 0.5 * (1.0 + np.vectorize(math.erf)(z / math.sqrt(2.0)))
    return np.diff(np.hstack((np.zeros((len(z), 1)), below, np.ones((len(z), 1)))), axis=1)


def play(*, runs, ticks, stretch=1.0, weights=(0.05,), requests=400, seed=3):
    """Yield both arms' buckets of each tick while latency drifts, shape ``(buckets, runs)``."""
    random = np.random.default_rng(seed)
    drift = np.zeros(runs)
    for index in range(ticks):
        drift = 0.98 * drift + 0.04 * random.standard_normal(runs)
        scale = np.exp(drift) * (1.0 + 0.3 * math.sin(2.0 * math.pi * index / ticks))
        weight = weights[min(index * len(weights) // ticks, len(weights) - 1)]
        candidate = random.poisson(weight * requests * shares_of(stretch * scale))
        baseline = random.poisson((1.0 - weight) * requests * shares_of(scale))
        yield candidate.T.astype(float), baseline.T.astype(float), index % 50 == 49


def highest_over(ticks, *, runs, null_ratio=1.0, best_only=False):
    past = 200.0 * shares_of(1.0)[0]
    state = latency_family.new(BOUNDS, past, null_ratio=null_ratio, streams=runs)
    weights = state.log_started
    highest = np.full(runs, -np.inf)
    for candidate, baseline, starting in ticks:
        state = latency_family.update(state, candidate, baseline, starting=starting)
        value = latency_family.log_e_value(state)
        if best_only:
            value = (state.log_started - weights).max(axis=0)
        highest = np.maximum(highest, value)
    return highest


def test_one_edge_is_the_two_by_two_test_worked_by_hand():
    """Odds of 1 raised to 4: .8 against .5 above the edge; one slow and one fast, shares of 1/2."""
    state = latency_family.new([1.0], [500.0, 500.0], odds_ratios=[4.0], stretches=[2.0])
    edges_only = latency_family.FamilyState.from_lists(
        state.to_lists() | {"log_started": [[math.log(0.7)], [-1e9]]}
    )

    after = latency_family.update(edges_only, [0.0, 1.0], [1.0, 0.0])

    # (0.8 / 0.65) for the candidate's slow request, (0.5 / 0.35) for the baseline's fast one.
    factor = (0.8 / 0.65) * (0.5 / 0.35)
    assert latency_family.log_e_value(after)[0] == pytest.approx(math.log(0.7 * factor + 0.3))


def test_a_stretch_bets_on_the_shifted_histogram_worked_by_hand():
    """Log odds of -1, 0, 1 at 1, 2, 4: stretched by 2 they're those of one bound further down."""
    odds = np.exp([-2.0, -1.0, 0.0, 1.0])
    up_to = odds / (1.0 + odds)
    before = np.diff([0.0, *up_to[1:], 1.0])
    bet = np.diff([0.0, *up_to[:-1], 1.0]) / before
    counts = 1e9 * before
    state = latency_family.new([1.0, 2.0, 4.0], counts, stretches=[2.0])
    state = latency_family.update(state, np.zeros(4), counts)

    after = latency_family.update(state, [0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0])

    cost = np.log(1.0 + 2.0 / 3.0 * (bet - 1.0))
    expected = math.log(bet[1]) + math.log(bet[2]) - cost[:3].sum()
    change = after.log_started[-1, 0] - state.log_started[-1, 0]
    assert change == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("null_ratio", [1.0, 1.3])
@pytest.mark.parametrize(("candidate", "baseline"), [(1, 1), (2, 2), (1, 3)])
@pytest.mark.parametrize("faster", [0.0, 0.4])
def test_the_expected_value_of_every_bet_is_at_most_one_under_the_null(
    null_ratio, candidate, baseline, faster
):
    """Over all outcomes of a tick, at the border of the null and inside it: what's claimed."""
    past = [300.0, 40.0, 500.0, 20.0, 140.0]
    outcomes = list(itertools.product(range(5), repeat=candidate + baseline))
    state = latency_family.new(
        [1.0, 2.0, 3.0, 5.0], past, null_ratio=null_ratio, streams=len(outcomes)
    )
    arms = [
        np.array([[outcome[part].count(bucket) for outcome in outcomes] for bucket in range(5)])
        for part in (slice(0, candidate), slice(candidate, None))
    ]

    after = latency_family.update(state, arms[0], arms[1])

    values = np.exp(after.log_started - state.log_started)
    for true in ([0.2, 0.2, 0.2, 0.2, 0.2], [0.05, 0.6, 0.05, 0.25, 0.05], [0.9, 0, 0, 0, 0.1]):
        slower = np.minimum(1.0, null_ratio * (1.0 - np.cumsum(true)[:-1])) * (1.0 - faster)
        ours = -np.diff([1.0, *slower, 0.0])
        chance = np.array(
            [
                math.prod(ours[bucket] for bucket in outcome[:candidate])
                * math.prod(true[bucket] for bucket in outcome[candidate:])
                for outcome in outcomes
            ]
        )
        assert (values @ chance <= 1.0 + 1e-9).all()
        if null_ratio == 1.0 and faster == 0.0:
            # The nets would not hold for a bet that is cautious everywhere.
            assert (values @ chance).max() > 0.9


@pytest.mark.parametrize("margin", [1.05, 1.5, 4.0])
def test_bets_never_fall_with_latency_whatever_the_past(margin):
    """A candidate that is faster must not gain: no bet turns where the histogram is ragged."""
    random = np.random.default_rng(5)
    shapes = random.gamma(0.3, size=(60, len(BOUNDS) + 1)) * 1000.0

    for past in shapes:
        state = latency_family.new(BOUNDS, past, null_ratio=margin, edges=[BOUNDS[7]])
        slower = []
        for bucket in range(len(BOUNDS) + 1):
            one = np.zeros(len(BOUNDS) + 1)
            one[bucket] = 1.0
            after = latency_family.update(state, one, 9.0 * past / past.sum())
            slower.append(after.log_started[:, 0])
        assert (np.diff(slower, axis=0) >= -1e-12).all()


@pytest.mark.parametrize("weights", [(0.05,), RAMP], ids=["constant", "ramp"])
def test_a_harmless_candidate_is_halted_at_most_as_often_as_promised(runs, stays_below, weights):
    """While all latency drifts by a half and weights grow, looking at each tick."""
    highest = highest_over(play(runs=runs, ticks=150, weights=weights), runs=runs)

    assert stays_below(highest >= math.log(20), 0.05)
    assert stays_below(highest >= math.log(100), 0.01)


def test_a_faster_candidate_is_halted_at_most_as_often_as_promised(runs, stays_below):
    """The null is "not slower at any edge", and not "the same"."""
    highest = highest_over(play(runs=runs, ticks=60, stretch=0.7), runs=runs)

    assert stays_below(highest >= math.log(20), 0.05)


def test_a_candidate_within_the_margin_is_halted_at_most_as_often_as_promised(runs, stays_below):
    """6 % slower exceeds edges up to 1.5 times as often; that is tolerated only with the margin."""

    def ticks():
        return play(runs=runs, ticks=80, stretch=1.06, weights=(0.25,))

    assert stays_below(highest_over(ticks(), runs=runs, null_ratio=1.5) >= math.log(20), 0.05)
    assert not stays_below(highest_over(ticks(), runs=runs) >= math.log(20), 0.05)


def test_the_check_rejects_a_test_that_picks_the_best_bet(runs, stays_below):
    """A maximum over all bets isn't a mixture, and the check sees it."""
    highest = highest_over(play(runs=runs, ticks=150), runs=runs, best_only=True)

    assert not stays_below(highest >= math.log(20), 0.05)


@pytest.mark.parametrize(
    ("slow", "limit"), [(1.2, 3.5), (1.5, 4.5)], ids=["20 % slower", "50 % slower"]
)
def test_finds_a_slower_candidate_within_the_information_limit(runs, slow, limit):
    """Spends a few times what no test could do without; one tick holds a half and two thirds of it."""
    # Of a lognormal of sigma 1/2 whose scale differs: (1 - q) log(s)^2 / (2 sigma^2) a request.
    nats = 400 * 0.05 * 0.95 * math.log(slow) ** 2 / (2.0 * 0.5**2)
    state = latency_family.new(BOUNDS, 200.0 * shares_of(1.0)[0], streams=runs)
    halted_after = np.full(runs, np.nan)

    for index, (candidate, baseline, _) in enumerate(play(runs=runs, ticks=60, stretch=slow)):
        state = latency_family.update(state, candidate, baseline)
        found = latency_family.log_e_value(state) >= math.log(20)
        halted_after[np.isnan(halted_after) & found] = index + 1

    assert np.isfinite(halted_after).mean() > 0.99
    assert np.nanmean(halted_after) * nats <= limit * math.log(20)


def test_a_margin_of_a_tick_holds_for_that_tick_alone():
    """While caches are cold the same slowness says less; afterwards the test is what it was."""
    past = 1000.0 * shares_of(1.0)[0]
    state = latency_family.new(BOUNDS, past)
    slow, fast = 50.0 * shares_of(1.3)[0], 950.0 * shares_of(1.0)[0]

    cold = latency_family.update(state, slow, fast, margin=2.0)
    warm = latency_family.update(state, slow, fast)

    assert latency_family.log_e_value(cold)[0] < 0.0 < latency_family.log_e_value(warm)[0]
    assert cold.null_ratio[0] == 1.0
    assert np.array_equal(cold.past, warm.past)


@pytest.mark.parametrize("empty", ["candidate", "baseline", "both"])
def test_a_tick_without_requests_of_an_arm_is_no_evidence(empty):
    """Silence changes no number of the evidence; without any request nothing at all changes."""
    past = 1000.0 * shares_of(1.0)[0]
    state = latency_family.new(BOUNDS, past)
    nothing = np.zeros(past.size)

    after = latency_family.update(
        state,
        nothing if empty in ("candidate", "both") else past,
        nothing if empty in ("baseline", "both") else past,
    )

    assert np.array_equal(after.log_started, state.log_started)
    assert np.array_equal(after.past, state.past) is (empty != "candidate")


def test_a_restart_begins_a_further_part_of_the_stake():
    """Without requests the value stays the whole stake: nobody can start more than there is."""
    nothing = np.zeros(len(BOUNDS) + 1)
    state = latency_family.new(BOUNDS, 1000.0 * shares_of(1.0)[0])

    for _ in range(5):
        state = latency_family.update(state, nothing, nothing, starting=True)

    assert state.restarts[0] == 5.0
    assert latency_family.log_e_value(state)[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("bounds", [(100.0,), (0.005, 0.01), (1.0, 1.001, 1e9), BOUNDS])
def test_a_million_requests_a_tick_stay_finite(bounds):
    """In any bucket of any histogram, also where all of the past lies elsewhere."""
    buckets = len(bounds) + 1

    for before, after in itertools.product(range(buckets - 1), range(buckets)):
        past, now = np.zeros(buckets), np.zeros(buckets)
        past[before], now[after] = 1000.0, 1e6
        state = latency_family.new(bounds, past)
        for candidate, baseline in ((now, past), (past, now)):
            for margin in (1.0, 1.1):
                state = latency_family.update(state, candidate, baseline, margin=margin)
        assert np.isfinite(latency_family.log_e_value(state)).all()
        assert np.isfinite(state.log_started).all()


def test_edges_are_the_bounds_nearest_to_the_quantiles_each_once():
    """Of 40, 8, 6, 1 and 0 % above the bounds: nothing is nearer to the 0.5 % of a p99.5 than 1 %."""
    edges = latency_family.edges_of([1.0, 2.0, 3.0, 4.0, 5.0], [600, 320, 20, 50, 10, 0])

    assert edges == (1.0, 2.0, 3.0, 4.0)


def test_all_in_one_bucket_makes_its_upper_bound_the_edge():
    """Any slowdown that shows in buckets at all crosses it."""
    edges = latency_family.edges_of([1.0, 2.0, 3.0], [0, 1000, 0, 0])

    assert edges[0] == 2.0


def test_a_stored_state_of_other_buckets_is_refused():
    """Evidence on one histogram means nothing on another."""
    stored = latency_family.new([1.0, 2.0], [5, 3, 1]).to_lists()
    stored["bounds"] = [1.0, 2.0, 3.0]

    with pytest.raises(
        ValueError, match=r"FamilyState\.past must have shape \(4, 1\), got \(3, 1\)"
    ):
        latency_family.FamilyState.from_lists(stored)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: latency_family.edges_of([1.0], [1, 9]), "bounds end at 1, which more than half"),
        (lambda: latency_family.edges_of([1.0], [0, 0]), "counts must hold at least one request"),
        (lambda: latency_family.edges_of([2.0, 1.0], [1, 1, 1]), "bounds must ascend"),
        (lambda: latency_family.edges_of([0.0, 1.0], [1, 1, 1]), "bounds must be above 0"),
        (lambda: latency_family.edges_of([1.0], [1]), "counts must be one more than the 1 bounds"),
        (
            lambda: latency_family.new([1.0], [9, 1], edges=[2.0]),
            "edges must be some of the bounds",
        ),
        (
            lambda: latency_family.new([1.0], [9, 1], null_ratio=0.9),
            "null_ratio must be at least 1",
        ),
        (lambda: latency_family.new([1.0], [9, 1], stretches=[0.9]), "stretches must all be above"),
        (
            lambda: latency_family.new([1.0], [9, 1], odds_ratios=[]),
            "odds_ratios must all be above",
        ),
        (
            lambda: latency_family.update(latency_family.new([1.0], [9, 1]), [1], [1, 1]),
            "candidate_buckets must have shape (2,) or (2, 1), got (1,)",
        ),
        (
            lambda: latency_family.update(latency_family.new([1.0], [9, 1]), [1, -1], [1, 1]),
            "candidate_buckets must not be negative, got -1 at [1]",
        ),
        (
            lambda: latency_family.update(latency_family.new([1.0], [9, 1]), [1, 1], [1, math.nan]),
            "baseline_buckets must be finite, got nan at [1]",
        ),
        (
            lambda: latency_family.update(
                latency_family.new([1.0], [9, 1]), [1, 1], [1, 1], margin=0.5
            ),
            "margin must be at least 1, got 0.5",
        ),
        (
            lambda: latency_family.update(
                latency_family.new([1.0], [9, 1]), [1, 1], [1, 1], starting=[0.5]
            ),
            "starting must be true or false",
        ),
        (
            lambda: latency_family.update(
                latency_family.new([1.0], [9, 1]), [1, 1], [1, 1], power=1.1
            ),
            "power must be from 0 to 1, got 1.1",
        ),
        (
            lambda: latency_family.update(
                latency_family.new([1.0], [9, 1]), [1, 1], [1, 1], most_log_factor=math.inf
            ),
            "most_log_factor must be finite, got inf",
        ),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """A histogram that means nothing gets into no evidence."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)


def test_the_stakes_of_all_bets_sum_to_what_starts_at_first():
    """The same part of it bets from the first tick on, however many edges the past has."""
    for past in ([900.0, 50.0, 30.0, 20.0], [1000.0, 0.0, 0.0, 0.0]):
        state = latency_family.new([1.0, 2.0, 4.0], past)

        assert np.exp(state.log_started).sum() == pytest.approx(mixture.START_STAKE)
