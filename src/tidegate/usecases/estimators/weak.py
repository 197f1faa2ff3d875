"""
The weak comparisons of a candidate that serves everyone of its target: nothing runs beside it there.

Two, with half of the weak stake each: its rate against a limit from the baseline's own past, and its
rate against the baselines of other targets in the same tick. The first mistakes a dependency's outage
for harm, the second a difference between targets, so their margins are wide. They may hold or halt;
nothing is ever certified by them. And both take each event for a witness of its own. Where events come
in bursts, which cancel beside a baseline and don't here, the caller bounds what one tick may say.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tidegate.domain.plan.model import SignalKind
from tidegate.stats import harm, history, mixture
from tidegate.stats.arrays import Floats
from tidegate.usecases.estimators.running import Entry, Tests

SIBLINGS_MARGIN = 2.0
"""Targets differ for good: another region's users, another size. Only twice its siblings' rate counts."""


class Alone(NamedTuple):
    """
    What a signal's candidate did in a tick where it served everyone, and its siblings' baselines.

    `events` are bad, or good for usage, out of `exposure` requests. `limit` is the rate that is still
    no harm by the baseline's past, None when that isn't known.
    """

    events: int
    exposure: int
    limit: float | None
    sibling_events: int
    sibling_exposure: int


class Bound(NamedTuple):
    """
    The most that one tick may say of a signal whose events come in bursts.

    `log_factor` is what it may gain at most, in nats. `witnesses` are how many requests it counts for at
    most: the factors of more are raised to the power that makes them as many. Only gains are bounded by
    the first, so without the second the losses of calm moments would hide harm that comes and goes.
    """

    log_factor: float
    witnesses: float


def update(
    entries: Sequence[Entry],
    results: list[Tests],
    alone: Sequence[Alone],
    *,
    bounds: Sequence[Bound] | None = None,
) -> None:
    """
    Put what was done *alone* through the weak tests of *results*; all in the order of *entries*.

    *bounds* are of each the most that this tick may say; None where events are independent enough.
    """
    _against_the_past(entries, results, alone, bounds)
    _against_siblings(entries, results, alone, bounds)


def log_e_value(tests: Tests) -> float:
    """Return the log e-value of both weak comparisons together: 0 where they have seen nothing."""
    if tests.weak is None and tests.siblings is None:
        return 0.0
    past = 0.0 if tests.weak is None else float(history.log_e_value(tests.weak)[0])
    siblings = 0.0 if tests.siblings is None else float(harm.log_e_value(tests.siblings)[0])
    return float(np.logaddexp(past, siblings)) - math.log(2.0)


def _against_the_past(
    entries: Sequence[Entry],
    results: list[Tests],
    alone: Sequence[Alone],
    bounds: Sequence[Bound] | None,
) -> None:
    places = [
        place
        for place, one in enumerate(alone)
        # A dependency that fails isn't this candidate's harm.
        if one.limit is not None and one.exposure > 0 and not entries[place].troubled
    ]
    if not places:
        return
    powers = _powers(alone, bounds, places)
    state = history.update(
        history.HistoryState.concatenate(
            [results[place].weak or _new_past(results[place].kind) for place in places]
        ),
        np.array([alone[place].events for place in places]) * powers,
        np.array([alone[place].exposure for place in places]) * powers,
        limit=[limit for place in places if (limit := alone[place].limit) is not None],
        starting=np.array([entries[place].starting for place in places]),
        most_log_factor=_log_factors(bounds, places),
    )
    for index, place in enumerate(places):
        results[place] = replace(results[place], weak=state.select([index]))


def _against_siblings(
    entries: Sequence[Entry],
    results: list[Tests],
    alone: Sequence[Alone],
    bounds: Sequence[Bound] | None,
) -> None:
    places = [
        place
        for place, one in enumerate(alone)
        # What is cold on a target that has just been taken whole isn't cold on its siblings.
        if one.exposure > 0 and one.sibling_exposure > 0 and not entries[place].warm
    ]
    if not places:
        return
    powers = _powers(alone, bounds, places)
    picked = [results[place].siblings or _new_siblings(results[place].kind) for place in places]
    events = np.array([alone[place].events for place in places]) * powers
    exposure = np.array([alone[place].exposure for place in places], np.float64)
    beside = np.array([alone[place].sibling_events for place in places]) * powers
    beside_exposure = np.array([alone[place].sibling_exposure for place in places], np.float64)
    state = harm.update(
        harm.HarmState.concatenate(picked),
        events,
        events + beside,
        exposure / (exposure + beside_exposure),
        starting=np.array([entries[place].starting for place in places]),
        most_log_factor=_log_factors(bounds, places),
    )
    for index, place in enumerate(places):
        results[place] = replace(results[place], siblings=state.select([index]))


def _log_factors(bounds: Sequence[Bound] | None, places: Sequence[int]) -> list[float] | None:
    return None if bounds is None else [bounds[place].log_factor for place in places]


def _powers(
    alone: Sequence[Alone], bounds: Sequence[Bound] | None, places: Sequence[int]
) -> Floats:
    """
    Return the power of each factor, in (0, 1]; the factors' logarithms are linear in the counts.

    It depends on how many requests there were and not on what became of them, so a power of what is at
    most 1 on average is at most 1 on average too (Jensen).
    """
    if bounds is None:
        return np.ones(len(places))
    return np.array([min(1.0, bounds[place].witnesses / alone[place].exposure) for place in places])


def _new_past(kind: SignalKind) -> history.HistoryState:
    """Return the test against the past: fewer good events than were usual, or more of the others."""
    return history.new(
        1, ratios=mixture.RATIOS_DOWN if kind is SignalKind.USAGE else mixture.RATIOS_UP
    )


def _new_siblings(kind: SignalKind) -> harm.HarmState:
    """Return the test against siblings' baselines: fewer good events, or more of the others."""
    if kind is SignalKind.USAGE:
        return harm.new(1, ratios=mixture.RATIOS_DOWN, null_ratio=1.0 / SIBLINGS_MARGIN)
    return harm.new(1, null_ratio=SIBLINGS_MARGIN)
