"""
The rules others document, written from their documentation, to be measured beside ours.

They are set up as the examples in their documentation set them up; another service would be given
other numbers, so a row of theirs says what that example does on this stream, and no more. None of
them takes an alpha: the figures are put beside it for comparison.
"""

import math
from statistics import NormalDist
from typing import Protocol, TypeVar

import numpy as np

from detecting.information import Floats
from detecting.streams import TICK_SECONDS, TICKS_PER_HOUR, Tick

Booleans = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

Told = TypeVar("Told", contravariant=True)

TICKS_PER_MINUTE = 60 // TICK_SECONDS


class Rule(Protocol[Told]):
    """Something that may halt: is told each tick and answers in which runs it would halt now."""

    name: str
    alphas: tuple[float, ...]
    """The levels it's looked at with; a rule without a level answers the same for all of them."""

    def look(self, tick: Told) -> Booleans:
        """Return shape ``(alphas, runs)``: where it halts at this tick."""
        ...


class SuccessRate:
    """
    Fails a check when the candidate's success rate is too low; halts after so many failed checks.

    A minute or five without requests has no success rate: such a check passes, as with `isNaN(result)
    || ...` in the documentation. Failed checks count in all, not in a row.
    """

    def __init__(
        self,
        name: str,
        runs: int,
        alphas: tuple[float, ...],
        *,
        lowest: float,
        every_ticks: int,
        halts_at_failures: int,
    ) -> None:
        self.name, self.alphas = name, alphas
        self._lowest, self._every, self._limit = lowest, every_ticks, halts_at_failures
        self._bad, self._total, self._failed = np.zeros(runs), np.zeros(runs), np.zeros(runs)

    def look(self, tick: Tick) -> Booleans:
        """Return where enough checks have failed."""
        self._bad += tick.candidate_bad
        self._total += tick.candidate_total
        if (tick.index + 1) % self._every == 0:
            self._failed += self._total - self._bad < self._lowest * self._total
            self._bad[:] = self._total[:] = 0.0
        return at_all(self._failed >= self._limit, self.alphas)


def argo_rollouts(runs: int, alphas: tuple[float, ...]) -> SuccessRate:
    """
    Return the success-rate example of Argo Rollouts: 95 %, every 5 minutes, failureLimit 3.

    Source: argo-rollouts.readthedocs.io, Analysis & Progressive Delivery, "Background Analysis". A
    measurement fails the run when more than failureLimit of them failed, so at the fourth.
    """
    return SuccessRate(
        "argo-rollouts success rate 95 %",
        runs,
        alphas,
        lowest=0.95,
        every_ticks=5 * TICKS_PER_MINUTE,
        halts_at_failures=4,
    )


def flagger(runs: int, alphas: tuple[float, ...]) -> SuccessRate:
    """
    Return the example of Flagger: request-success-rate of at least 99, interval 1m, threshold 5.

    Source: docs.flagger.app, How it works ("Canary analysis") and Metrics Analysis.
    """
    return SuccessRate(
        "flagger success rate 99 %",
        runs,
        alphas,
        lowest=0.99,
        every_ticks=TICKS_PER_MINUTE,
        halts_at_failures=5,
    )


class Kayenta:
    """
    Kayenta's Mann-Whitney judgement of 60 one-minute points of each arm, once an hour.

    Halts when the lower end of the 98 % interval of the shift lies above a quarter of its estimate
    and the means' ratio isn't below 1 (for a decrease the other way round). Source: the judge of
    Spinnaker's Kayenta, `NetflixACAJudge` with tolerance 0.25, confLevel 0.98, and its
    `MannWhitneyClassifier` and `MannWhitney` (R's asymptotic interval with continuity correction).
    """

    TOLERANCE = 0.25
    CONFIDENCE = 0.98
    POINTS = 60

    def __init__(self, runs: int, alphas: tuple[float, ...], *, decrease: bool = False) -> None:
        self.name, self.alphas = "kayenta mann-whitney, hourly", alphas
        self._sign = -1.0 if decrease else 1.0
        self._counts = np.zeros((4, runs))
        self._candidate = np.full((runs, self.POINTS), np.nan)
        self._baseline = np.full((runs, self.POINTS), np.nan)
        self._high: Booleans = np.zeros(runs, dtype=np.bool_)

    def look(self, tick: Tick) -> Booleans:
        """Return where the last finished hour was judged to be bad."""
        self._counts += (
            tick.candidate_bad,
            tick.candidate_total,
            tick.baseline_bad,
            tick.baseline_total,
        )
        if (tick.index + 1) % TICKS_PER_MINUTE == 0:
            point = tick.index // TICKS_PER_MINUTE % self.POINTS
            for series, (bad, total) in (
                (self._candidate, self._counts[:2]),
                (self._baseline, self._counts[2:]),
            ):
                series[:, point] = np.where(total > 0.0, bad / np.maximum(total, 1.0), np.nan)
            self._counts[:] = 0.0
        if (tick.index + 1) % TICKS_PER_HOUR == 0:
            self._high = self.is_high(self._sign * self._candidate, self._sign * self._baseline)
        return at_all(self._high, self.alphas)

    @classmethod
    def is_high(cls, candidate: Floats, baseline: Floats) -> Booleans:
        """
        Return in which runs the candidate's series is judged to be higher.

        Args:
            candidate: Shape ``(runs, points)``; NaN where there were no requests. A run with a
                missing point isn't judged: the judge would go on with fewer.
            baseline: Same shape.
        """
        points = candidate.shape[1]
        known = np.isfinite(candidate).all(axis=1) & np.isfinite(baseline).all(axis=1)
        ours, theirs = np.sort(np.nan_to_num(candidate)), np.sort(np.nan_to_num(baseline))
        shifts = np.sort((ours[:, :, None] - theirs[:, None, :]).reshape(len(ours), -1), axis=1)
        pairs, both = points * points, 2 * points
        ties = (tie_term(ours) + tie_term(theirs)) / (both * (both - 1.0))
        sigma = np.sqrt(np.maximum(pairs / 12.0 * (both + 1.0 - ties), 0.0))
        reach = NormalDist().inv_cdf(0.5 + 0.5 * cls.CONFIDENCE) * sigma + 0.5
        # The limit lies at the shift that as many pairs exceed as the test would just reject.
        place = np.clip(np.floor(0.5 * pairs - reach).astype(np.intp), 0, pairs - 1)
        lowest = shifts[np.arange(len(ours)), place]
        estimate = np.median(shifts, axis=1)
        higher = ours.mean(axis=1) >= theirs.mean(axis=1)
        same = (ours == theirs).all(axis=1)
        judged: Booleans = (lowest > cls.TOLERANCE * np.abs(estimate)) & higher & known & ~same
        return judged


class RepeatedZ:
    """
    The textbook test of two proportions on all data so far, looked at every tick.

    Two-sided at alpha, halting when the candidate is the worse one, and not before each arm can
    expect 5 events: what a dashboard with a significance star comes down to.
    """

    EXPECTED_EVENTS = 5.0

    def __init__(self, runs: int, alphas: tuple[float, ...], *, decrease: bool = False) -> None:
        self.name, self.alphas = "z-test, every tick", alphas
        self._sign = -1.0 if decrease else 1.0
        self._counts = np.zeros((4, runs))
        self._critical = [NormalDist().inv_cdf(1.0 - 0.5 * alpha) for alpha in alphas]

    def look(self, tick: Tick) -> Booleans:
        """Return where the difference is significant now, by itself."""
        self._counts += (
            tick.candidate_bad,
            tick.candidate_total,
            tick.baseline_bad,
            tick.baseline_total,
        )
        bad, total, baseline_bad, baseline_total = self._counts
        pooled = (bad + baseline_bad) / np.maximum(total + baseline_total, 1.0)
        enough = np.minimum(total, baseline_total) * pooled >= self.EXPECTED_EVENTS
        spread = np.sqrt(
            pooled
            * (1.0 - pooled)
            * (1.0 / np.maximum(total, 1.0) + 1.0 / np.maximum(baseline_total, 1.0))
        )
        excess = bad / np.maximum(total, 1.0) - baseline_bad / np.maximum(baseline_total, 1.0)
        score = np.where(enough, self._sign * excess / np.where(enough, spread, 1.0), -math.inf)
        return np.array([score >= critical for critical in self._critical])


def tie_term(ordered: Floats) -> Floats:
    """Return the sum of ``t^3 - t`` over the groups of t equal values of each sorted row."""
    rows, points = ordered.shape
    # With t equal values, t^3 - t is the sum over them of 6 times the pairs before: 0, 6, 18, ...
    total, equal_before = np.zeros(rows), np.zeros(rows)
    for point in range(1, points):
        equal_before = np.where(ordered[:, point] == ordered[:, point - 1], equal_before + 1.0, 0.0)
        total += 3.0 * equal_before * (equal_before + 1.0)
    return total


def at_all(halted: Booleans, alphas: tuple[float, ...]) -> Booleans:
    """Return the answer of a rule without a level for each of the levels it's put beside."""
    return np.broadcast_to(halted, (len(alphas), halted.shape[0]))
