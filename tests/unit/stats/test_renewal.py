"""A proof begun anew: by hand, never worth more than its stake, wrong as seldom as promised."""

import math

import numpy as np
import pytest

from tidegate.stats import difference, renewal


def test_before_any_data_everything_together_is_worth_one() -> None:
    """However often it was begun anew, an untouched stake is a stake of 1."""
    kept = 0.0
    for renewals in range(5):
        assert renewal.log_value(0.0, renewals=renewals, kept=kept) == pytest.approx(0.0)
        kept = renewal.end(0.0, renewals=renewals, kept=kept)


def test_a_spoilt_proof_leaves_something_for_the_next() -> None:
    """The first ends at nothing; the second has 1/40 of the stake, and 1/40 is left in cash."""
    kept = renewal.end(-math.inf, renewals=0, kept=0.0)

    value = renewal.log_value(math.log(100.0), renewals=1, kept=kept)

    assert math.exp(value) == pytest.approx(0.025 * 100.0 + 0.025)


def test_what_was_won_before_stays() -> None:
    """A proof at 10 to 1 counts for 9.5 after it ended, whatever the next one does."""
    kept = renewal.end(math.log(10.0), renewals=0, kept=0.0)

    value = renewal.log_value(-math.inf, renewals=1, kept=kept)

    assert math.exp(value) == pytest.approx(9.5 + 0.025)


def test_beginning_anew_lets_a_bad_candidate_pass_no_more_often() -> None:
    """A candidate worse by all that is tolerated passes within beta and 2 errors, renewed every 20 ticks."""
    assert _false_passes(honest=True) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)


def test_a_full_stake_for_every_beginning_is_found_out() -> None:
    """The same check fails when each beginning gets the whole stake: it has teeth."""
    assert _false_passes(honest=False) > 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)


def _false_passes(*, honest: bool) -> float:
    random = np.random.default_rng(3)
    runs, tolerance = 400, 0.05
    passed = np.zeros(runs, dtype=bool)
    kept = np.zeros(runs)
    renewals = 0
    state = difference.new(runs, tolerance=tolerance)
    for tick in range(1, 401):
        bad = random.binomial(20, 0.01 + tolerance, runs)
        state = difference.update(state, bad, 20, random.binomial(20, 0.01, runs), 20)
        now = difference.log_e_value(state)
        if honest:
            values = [
                renewal.log_value(float(one), renewals=renewals, kept=float(worth))
                for one, worth in zip(now, kept, strict=True)
            ]
        else:
            values = now.tolist()
        passed |= np.array(values) >= -math.log(0.05)
        if tick % 20 == 0:
            kept = np.array(
                [
                    renewal.end(float(one), renewals=renewals, kept=float(worth))
                    for one, worth in zip(now, kept, strict=True)
                ]
            )
            renewals += 1
            state = difference.new(runs, tolerance=tolerance)
    return float(passed.mean())
