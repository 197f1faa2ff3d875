"""
Counts of both arms put through the tests: what errors, usage and slow requests have in common.

All signals of a kind, of all rollouts of a tick, go through as one batch of arrays: a thousand baking
rollouts cost little more than one. A stream's numbers don't depend on its neighbours, so any batching
gives the same result. What is counted, and against which ratio, is said by the kind's own file.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from tidegate.stats import bounds, difference, harm, placebo, safe
from tidegate.stats.arrays import Floats
from tidegate.usecases.estimators.running import Counts, Tests

UNBOUNDED: Final = sys.float_info.max
"""No tick gains as many nats."""


class Row(NamedTuple):
    """
    One stratum to take in: whose it is, what was counted, and what it is tested against.

    `place` is the signal's place among the results. `margin` is the ratio that is no harm in this
    tick, `ratio` what is to be ruled out by signals that are tested by ratio. `shards` are events and
    exposure of each of the baseline's members, for signals whose noise is measured on them, and `power`
    is what such noise leaves of the proof of safety: with it every count is weighed, which raises the
    test's factor to that power. `most_log_factor` is the most that a proof by ratio may gain by it, in nats.
    """

    place: int
    counts: Counts
    starting: bool
    margin: float
    ratio: float
    shards: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    power: float = 1.0
    most_log_factor: float = UNBOUNDED


def test_harm(rows: Sequence[Row], results: list[Tests]) -> None:
    """Put *rows* through the halting tests of *results*, which must be by counts."""
    plain = []
    for row in rows:
        tests = results[row.place]
        if isinstance(tests.harm, placebo.PlaceboState):
            results[row.place] = replace(tests, harm=_calibrated(tests.harm, row))
        else:
            plain.append(row)
    if plain:
        _test_plainly(plain, results)


def _calibrated(state: placebo.PlaceboState, row: Row) -> placebo.PlaceboState:
    """Return *state* after *row*; each signal by itself, for each has its own number of members."""
    counts, (events, exposures) = row.counts, row.shards
    return placebo.update(
        state,
        [counts.candidate_events],
        [counts.candidate_events + counts.baseline_events],
        [counts.share],
        events,
        exposures,
        starting=row.starting,
        margin=[row.margin],
    )


def _test_plainly(rows: Sequence[Row], results: list[Tests]) -> None:
    state = harm.HarmState.concatenate([_harm(results[row.place]) for row in rows])
    events, share = _events(rows), _shares(rows)
    state = harm.update(
        state,
        events[0],
        events[1],
        share,
        starting=_starting(rows),
        margin=np.array([row.margin for row in rows]),
    )
    for index, row in enumerate(rows):
        results[row.place] = replace(results[row.place], harm=state.select([index]))


def test_safety(rows: Sequence[Row], results: list[Tests]) -> None:
    """Put *rows* through the tests that let a phase pass, and through what shows how far they are."""
    exact = [row for row in rows if isinstance(results[row.place].safe, difference.DifferenceState)]
    if exact:
        _test_exactly(exact, results)
    by_ratio = [row for row in rows if isinstance(results[row.place].safe, safe.RatioState)]
    if by_ratio:
        _test_by_ratio(by_ratio, results)


def _test_exactly(rows: Sequence[Row], results: list[Tests]) -> None:
    power = _powers(rows)
    arms = (
        power * np.array([row.counts.candidate_events for row in rows], np.float64),
        power * np.array([row.counts.candidate_total for row in rows], np.float64),
        power * np.array([row.counts.baseline_events for row in rows], np.float64),
        power * np.array([row.counts.baseline_total for row in rows], np.float64),
    )
    picked = [results[row.place] for row in rows]
    safes = difference.DifferenceState.concatenate(
        [tests.safe for tests in picked if isinstance(tests.safe, difference.DifferenceState)]
    )
    safes = difference.update(safes, *arms)
    excesses = bounds.ExcessBoundState.concatenate(
        [tests.bound for tests in picked if isinstance(tests.bound, bounds.ExcessBoundState)]
    )
    excesses = bounds.update_excess(excesses, *arms)
    for index, row in enumerate(rows):
        results[row.place] = replace(
            results[row.place], safe=safes.select([index]), bound=excesses.select([index])
        )


def _test_by_ratio(rows: Sequence[Row], results: list[Tests]) -> None:
    power, share = _powers(rows), _shares(rows)
    events = tuple(power * counts for counts in _events(rows))
    picked = [results[row.place] for row in rows]
    safes = safe.RatioState.concatenate(
        [tests.safe for tests in picked if isinstance(tests.safe, safe.RatioState)]
    )
    ratios = np.array([row.ratio for row in rows])
    safes = safe.update_ratio(
        safes,
        events[0],
        events[1],
        share,
        ratio=ratios,
        most_log_factor=np.array([row.most_log_factor for row in rows]),
    )
    likelihoods = bounds.RatioBoundState.concatenate(
        [tests.bound for tests in picked if isinstance(tests.bound, bounds.RatioBoundState)]
    )
    likelihoods = bounds.update_ratio(likelihoods, events[0], events[1], share)
    for index, row in enumerate(rows):
        results[row.place] = replace(
            results[row.place], safe=safes.select([index]), bound=likelihoods.select([index])
        )


def _harm(tests: Tests) -> harm.HarmState:
    assert isinstance(tests.harm, harm.HarmState), "errors and usage are judged by counts"
    return tests.harm


def _events(rows: Sequence[Row]) -> tuple[Floats, Floats]:
    candidate = np.array([row.counts.candidate_events for row in rows], np.float64)
    baseline = np.array([row.counts.baseline_events for row in rows], np.float64)
    return candidate, candidate + baseline


def _shares(rows: Sequence[Row]) -> Floats:
    return np.array([row.counts.share for row in rows], np.float64)


def _powers(rows: Sequence[Row]) -> Floats:
    return np.array([row.power for row in rows], np.float64)


def _starting(rows: Sequence[Row]) -> np.ndarray:
    return np.array([row.starting for row in rows])
