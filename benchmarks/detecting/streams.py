"""
The worlds: a day of a service in ticks of 10 seconds, many runs at once, from a seed.

What is common to both arms (time of day, brown-outs of something shared) hits both in the same tick;
what belongs to one arm only (a user who fails several times in a row) is drawn for each arm alone.
Rule: a stream keeps nothing but the present tick, so that memory doesn't grow with the day.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detecting import information
from detecting.information import Floats

TICK_SECONDS = 10
TICKS_PER_HOUR = 3600 // TICK_SECONDS
TICKS_PER_DAY = 24 * TICKS_PER_HOUR

PEAK_OVER_TROUGH = 5.0
"""The busiest minute of the day over the quietest."""
TRAFFIC_BURST_SD, TRAFFIC_BURST_MINUTES = 0.2, 5.0
"""Spread of the log of traffic around the time of day, and how long a burst is felt."""
DRIFT_SD = 0.5
"""Spread of the log of the failure rate by time of day, and again by brown-outs."""
BROWN_OUT_MINUTES = 20.0

BURST_MEAN = 2.0
"""Failures of one user in a row, geometric: the counts then have a variance of 3 times the mean."""

HIGHEST_RATE = 0.95


@dataclass(frozen=True, kw_only=True)
class Service:
    """What is rolled out and how; rates are those of the baseline, on average over the day."""

    requests_per_second: float
    rate: float
    """Failures (for usage: orders) per request."""
    shares: tuple[float, ...] = (0.05,)
    """The candidate's share of the requests, in equal parts of the day."""
    drift: bool = True
    """Whether traffic and rate change over the day and in brown-outs."""
    clustered: bool = False
    """Whether failures come several in a row from one user."""
    shards: int = 0
    """Into how many parts of equal size the baseline is cut, for placebo calibration."""
    usage: bool = False
    """Whether events are good ones, without a number of requests to divide by."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What the candidate does: *ratio* times the baseline's rate, at once or growing, plus *excess*."""

    ratio: float = 1.0
    excess: float = 0.0
    begins_at_tick: int = 0
    grows_for_ticks: int = 0

    def at(self, tick_index: int) -> float:
        """Return the true ratio of the rates in this tick."""
        if tick_index < self.begins_at_tick:
            return 1.0
        if not self.grows_for_ticks:
            return self.ratio
        grown = (tick_index - self.begins_at_tick) / self.grows_for_ticks
        return 1.0 + (self.ratio - 1.0) * min(1.0, grown)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """What was counted in one tick; arrays have one number per run unless said otherwise."""

    index: int
    starting: bool
    """An hour or a phase begins here, and it isn't the first."""
    share: float
    """The share of requests that was assigned to the candidate."""
    baseline_rate: Floats
    """The baseline's true rate of events per request."""
    baseline_expected: Floats
    """Requests the baseline could expect."""
    candidate_bad: Floats
    candidate_total: Floats
    baseline_bad: Floats
    baseline_total: Floats
    candidate_users: Floats
    """Distinct affected users; equal to the failures when they don't come in clusters."""
    baseline_users: Floats
    shard_bad: Floats | None
    """Failures of each part of the baseline, shape ``(runs, shards)``."""
    shard_total: Floats | None
    information: Floats
    """What the tick holds against the candidate, in nats."""


class Weather:
    """Traffic and failure rate over the day, one of each per run, both around 1."""

    def __init__(self, runs: int, random: np.random.Generator) -> None:
        self._random = random
        self._phase = random.uniform(0.0, 2.0 * math.pi, runs)
        self._lag = random.uniform(0.0, 2.0 * math.pi, runs)
        self._burst = TRAFFIC_BURST_SD * random.standard_normal(runs)
        self._brown_out = DRIFT_SD * random.standard_normal(runs)

    def next(self, tick_index: int) -> tuple[Floats, Floats]:
        """Return the factors of traffic and of the failure rate, each of shape ``(runs,)``."""
        self._burst = self._wander(self._burst, TRAFFIC_BURST_SD, TRAFFIC_BURST_MINUTES)
        self._brown_out = self._wander(self._brown_out, DRIFT_SD, BROWN_OUT_MINUTES)
        day = 2.0 * math.pi * tick_index / TICKS_PER_DAY
        swing = 0.5 * math.log(PEAK_OVER_TROUGH)
        traffic = np.exp(swing * np.sin(day + self._phase) + self._burst)
        rate = np.exp(math.sqrt(2.0) * DRIFT_SD * np.sin(day + self._lag) + self._brown_out)
        return (
            traffic / (np.i0(swing) * math.exp(0.5 * TRAFFIC_BURST_SD**2)),
            rate / (np.i0(math.sqrt(2.0) * DRIFT_SD) * math.exp(0.5 * DRIFT_SD**2)),
        )

    def _wander(self, level: Floats, spread: float, minutes: float) -> Floats:
        keep = math.exp(-TICK_SECONDS / (60.0 * minutes))
        noise = spread * math.sqrt(1.0 - keep * keep)
        return keep * level + noise * self._random.standard_normal(level.shape)


def days(service: Service, effect: Effect, runs: int, seed: int) -> Iterator[Tick]:
    """Yield a day of *runs* independent rollouts of *service*, tick by tick."""
    random = np.random.default_rng(seed)
    weather = Weather(runs, random) if service.drift else None
    ticks_per_phase = TICKS_PER_DAY // len(service.shares)
    for index in range(TICKS_PER_DAY):
        phase = min(index // ticks_per_phase, len(service.shares) - 1)
        traffic, drift = weather.next(index) if weather else (np.ones(runs), np.ones(runs))
        yield _tick(
            service,
            random,
            index=index,
            starting=index > 0 and (index % TICKS_PER_HOUR == 0 or index % ticks_per_phase == 0),
            share=service.shares[phase],
            expected=service.requests_per_second * TICK_SECONDS * traffic,
            rate=service.rate * drift,
            ratio=effect.at(index),
            excess=effect.excess,
        )


def _tick(
    service: Service,
    random: np.random.Generator,
    *,
    index: int,
    starting: bool,
    share: float,
    expected: Floats,
    rate: Floats,
    ratio: float,
    excess: float,
) -> Tick:
    rate = np.minimum(rate, HIGHEST_RATE)
    worse = np.minimum(rate * ratio + excess, HIGHEST_RATE)
    candidate_bad, candidate_users, candidate_total = _arm(
        random, share * expected, worse, clustered=service.clustered
    )
    shard_bad = shard_total = None
    if service.shards:
        each = ((1.0 - share) / service.shards * expected)[:, None]
        shard_bad, shard_users, shard_total = _arm(
            random,
            np.repeat(each, service.shards, axis=1),
            rate[:, None],
            clustered=service.clustered,
        )
        baseline_bad, baseline_total = shard_bad.sum(axis=1), shard_total.sum(axis=1)
        baseline_users = shard_users.sum(axis=1)
    else:
        baseline_bad, baseline_users, baseline_total = _arm(
            random, (1.0 - share) * expected, rate, clustered=service.clustered
        )
    if service.usage:
        nats = information.poisson(share * expected * rate, share, ratio)
    else:
        # In clusters the limit is that of the users: how often one fails says nothing about the arm.
        users = 1.0 / BURST_MEAN if service.clustered else 1.0
        nats = information.bernoulli(candidate_total, users * worse, baseline_total, users * rate)
    return Tick(
        index=index,
        starting=starting,
        share=share,
        baseline_rate=rate,
        baseline_expected=(1.0 - share) * expected,
        candidate_bad=candidate_bad,
        candidate_total=candidate_total,
        baseline_bad=baseline_bad,
        baseline_total=baseline_total,
        candidate_users=candidate_users,
        baseline_users=baseline_users,
        shard_bad=shard_bad,
        shard_total=shard_total,
        information=nats,
    )


def _arm(
    random: np.random.Generator, expected: Floats, rate: Floats, *, clustered: bool
) -> tuple[Floats, Floats, Floats]:
    """Return failures, affected users and requests of one arm, each of the shape of *expected*."""
    good = random.poisson(expected * (1.0 - rate)).astype(np.float64)
    if not clustered:
        bad = random.poisson(expected * rate).astype(np.float64)
        return bad, bad, good + bad
    users = random.poisson(expected * rate / BURST_MEAN).astype(np.float64)
    # Each user fails once and then a geometric number of times: a sum of those is Poisson-Gamma.
    again = random.poisson(random.standard_gamma(users) * (BURST_MEAN - 1.0))
    bad = users + again
    return bad, users, good + bad
