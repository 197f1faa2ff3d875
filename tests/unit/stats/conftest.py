"""
Simulated worlds for the error rates of the sequential tests.

The drift is common to both arms, as time of day and a shared dependency's brown-outs are; it's what
breaks tests that compare with a fixed number. `TIDEGATE_TEST_PROFILE=full` runs the full counts.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Tick:
    """Counts of one tick in all runs."""

    candidate_bad: Floats
    candidate_total: Floats
    baseline_bad: Floats
    baseline_total: Floats
    starting: bool

    @property
    def total_bad(self) -> Floats:
        return self.candidate_bad + self.baseline_bad

    @property
    def share(self) -> Floats:
        return self.candidate_total / (self.candidate_total + self.baseline_total)


@dataclass(frozen=True)
class World:
    """A service under drift; `candidate_rate` turns the baseline's rate into the candidate's."""

    runs: int
    ticks: int
    requests_per_tick: int
    baseline_rate: float
    weights: tuple[float, ...]
    candidate_rate: Callable[[Floats], Floats]
    seed: int

    def __iter__(self) -> Iterator[Tick]:
        random = np.random.default_rng(self.seed)
        brown_out = np.zeros(self.runs)
        phase_ticks = self.ticks // len(self.weights)
        for index in range(self.ticks):
            brown_out = 0.98 * brown_out + 0.1 * random.standard_normal(self.runs)
            day = 1.0 + 0.6 * np.sin(2.0 * np.pi * index / self.ticks)
            rate = np.minimum(0.9, self.baseline_rate * day * np.exp(brown_out))
            weight = self.weights[min(index // phase_ticks, len(self.weights) - 1)]
            total = np.full(self.runs, float(self.requests_per_tick))
            candidate = np.clip(random.binomial(total.astype(int), weight), 1, total - 1.0)
            baseline = total - candidate
            worse = np.clip(self.candidate_rate(rate), 0.0, 1.0)
            yield Tick(
                candidate_bad=random.binomial(candidate.astype(int), worse).astype(float),
                candidate_total=candidate,
                baseline_bad=random.binomial(baseline.astype(int), rate).astype(float),
                baseline_total=baseline,
                starting=index > 0 and index % phase_ticks == 0,
            )


@pytest.fixture(scope="session")
def runs() -> int:
    """Return how many runs an error rate is measured over."""
    return 10_000 if os.environ.get("TIDEGATE_TEST_PROFILE") == "full" else 1000


@pytest.fixture
def a_world(runs: int) -> Callable[..., World]:
    """Return a builder of worlds: a day in 1,000 ticks, 5 % candidate, 1 % errors, no harm."""

    def build(
        *,
        ticks: int = 1000,
        requests_per_tick: int = 1000,
        baseline_rate: float = 0.01,
        weights: tuple[float, ...] = (0.05,),
        candidate_rate: Callable[[Floats], Floats] = lambda rate: rate,
        seed: int = 1,
    ) -> World:
        return World(
            runs=runs,
            ticks=ticks,
            requests_per_tick=requests_per_tick,
            baseline_rate=baseline_rate,
            weights=weights,
            candidate_rate=candidate_rate,
            seed=seed,
        )

    return build


@pytest.fixture
def stays_below(runs: int) -> Callable[[Floats, float], bool]:
    """Return the check of an error rate: at most its promise and two standard errors."""

    def check(wrong: Floats, promised: float) -> bool:
        slack = 2.0 * (promised * (1.0 - promised) / runs) ** 0.5
        return float(np.mean(wrong)) <= promised + slack

    return check
