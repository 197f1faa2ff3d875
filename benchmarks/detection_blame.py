"""
Who is blamed when twelve rollouts run over the same 120 hosts at once: the worlds behind `detection.py`.

Hosts differ in how often they fail, the time of day moves all of them, every rollout takes the hosts in
an order of its own, and one of them (or none) multiplies errors on the hosts it has reached. The first
rollout that may be named is read off, minute by minute.
"""

import math
from dataclasses import dataclass

import numpy as np

from tidegate.stats import blame

HOSTS = 120
ROLLOUTS = 12
ERRORS_PER_HOST_AND_MINUTE = 0.06
HOSTS_SCATTER = 0.5
"""Standard deviation of the logarithm of the hosts' error rates."""
MINUTES = 600
SPREAD_MINUTES = 120.0
"""How long a rollout takes from its first host to its last."""
HARM = 3.0


@dataclass(frozen=True, slots=True)
class BlameResult:
    """What happened in many worlds: how often the first one named was the culprit, how soon."""

    worlds: int
    named: int
    right: int
    median_minutes: float


def run(worlds: int, *, alpha: float, harmful: bool, seed: int) -> BlameResult:
    """Return who was named in *worlds* worlds, with a culprit in each or in none."""
    named = right = 0
    minutes: list[float] = []
    for world in range(worlds):
        random = np.random.default_rng([seed, world])
        culprit = int(random.integers(ROLLOUTS)) if harmful else None
        first, after = _first_named(random, culprit, alpha)
        if first is None:
            continue
        named += 1
        right += first == culprit
        minutes.append(after)
    return BlameResult(worlds, named, right, float(np.median(minutes)) if minutes else math.nan)


def _first_named(
    random: np.random.Generator, culprit: int | None, alpha: float
) -> tuple[int | None, float]:
    rates = ERRORS_PER_HOST_AND_MINUTE * np.exp(
        random.normal(-0.5 * HOSTS_SCATTER**2, HOSTS_SCATTER, HOSTS)
    )
    begins = random.uniform(0.0, 60.0, ROLLOUTS)
    orders = np.array([random.permutation(HOSTS) for _ in range(ROLLOUTS)])
    state = blame.new(HOSTS, ROLLOUTS)
    evenly = np.full(ROLLOUTS, 1.0 / ROLLOUTS)
    for minute in range(MINUTES):
        reached = np.clip((minute - begins) / SPREAD_MINUTES, 0.0, 1.0) * HOSTS
        exposed = (orders < reached[:, None]).astype(np.float64)
        harm = 1.0 if culprit is None else 1.0 + (HARM - 1.0) * exposed[culprit]
        time_of_day = 1.0 + 0.5 * math.sin(minute / 180.0)
        bad = random.poisson(rates * time_of_day * harm)
        starting = minute % 60 == 0 and minute > 0
        state = blame.update(state, bad, exposed, np.ones(HOSTS), starting=starting)
        named = blame.blamed(state, evenly, alpha)
        if named:
            return named[0], minute - (0.0 if culprit is None else float(begins[culprit]))
    return None, math.nan
