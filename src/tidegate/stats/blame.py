"""
Which of several rollouts does the harm? One contrast per rollout, between what it exposes and the rest.

Units are what can be exposed on its own: a host, a target, one arm of a service. In each tick, given all
bad events together, how they fall on the units depends on how busy and how error-prone each unit is and
on which rollouts it is exposed to. What hits all units alike (time of day, a dependency's outage)
cancels. For rollout d and ratio r the tick's factor is the likelihood ratio of two predictions of that
fall: exposed units have their rate times r, or no unit has.

No two hosts are alike, so each unit's own rate must be learned, and learning it wrongly would look like
harm. It isn't estimated but integrated out: relative to all units together, a unit's rate has the prior
Gamma(shape, shape), and after c events in the opportunity s its prediction is ``(shape + c) / (shape +
s)``. Under "d multiplies by r" the opportunity while exposed counts r times, so both predictions stay
honest and their ratio is a martingale if units scatter like the prior. A small shape allows a wide
scatter and costs little once a unit has been watched.

Not identifiable: rollouts that expose the same units at the same time. Their values rise together, and
nothing here can tell them apart; whoever schedules them should stagger them.

What must not be in here: services, targets, time. Source: conditional multinomial likelihood ratios with
a Gamma prior (Poisson-Gamma, as in empirical Bayes event models); start mixture as in `mixture`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, mixture
from tidegate.stats.arrays import Floats

RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Alternatives: what is blamed for less than half as much again can't be seen among rollouts."""

PRIOR_SHAPE = 2.0
"""Units' rates may differ by a coefficient of variation of 0.7 before it looks odd."""


@dataclass(frozen=True, slots=True, eq=False)
class BlameState:
    """Evidence against each of a set of rollouts that touch one metric; make it with `new`."""

    ratios: Floats
    """Alternatives, shape ``(grid,)``, all above 1."""
    prior_shape: float
    """How alike units are taken to be: their rates scatter by ``1 / sqrt(prior_shape)``."""
    log_started: Floats
    """Log of stake x likelihood ratio, shape ``(grid, rollouts)``, in nats."""
    restarts: Floats
    """How often a part of the stake was started anew, shape ``(rollouts,)``."""
    events: Floats
    """Bad events of each unit so far, shape ``(units,)``."""
    opportunity: Floats
    """What each unit could have had if all were alike and harmless, shape ``(units,)``, in events."""
    exposed_opportunity: Floats
    """The same with exposure counted by the ratio, shape ``(grid, rollouts, units)``."""


def new(
    units: int,
    rollouts: int,
    *,
    ratios: Sequence[float] = RATIOS,
    prior_shape: float = PRIOR_SHAPE,
) -> BlameState:
    """
    Return the state of *rollouts* on *units* that have seen nothing: log e-values 0.

    Raises:
        ValueError: there is no unit or no rollout, *ratios* aren't all above 1, or *prior_shape*
            isn't positive.
    """
    if units < 1 or rollouts < 1:
        raise ValueError(f"blame needs units and rollouts, got {units} and {rollouts}")
    grid = arrays.positive("ratios", ratios)
    if grid.ndim != 1 or not grid.size or not (grid > 1.0).all():
        raise ValueError(f"ratios must all be above 1, got {list(ratios)}")
    return BlameState(
        ratios=grid,
        prior_shape=float(arrays.positive("prior_shape", prior_shape)),
        log_started=mixture.first_stakes(grid, rollouts),
        restarts=np.zeros(rollouts),
        events=np.zeros(units),
        opportunity=np.zeros(units),
        exposed_opportunity=np.zeros((grid.size, rollouts, units)),
    )


def update(
    state: BlameState,
    bad_events: npt.ArrayLike,
    exposures: npt.ArrayLike,
    requests: npt.ArrayLike,
    *,
    starting: npt.ArrayLike = False,
) -> BlameState:
    """
    Return the state after one tick. A tick without bad events changes no e-value.

    Args:
        state: The state before the tick.
        bad_events: Bad events of each unit, shape ``(units,)``.
        exposures: Which part of each unit each rollout exposed during the tick, in [0, 1], shape
            ``(rollouts, units)``.
        requests: How busy each unit was (requests, or time), shape ``(units,)``; 0 leaves it out.
        starting: True where an hour or a step of that rollout begins: a further part of the stake
            starts betting. One flag or shape ``(rollouts,)``.

    Raises:
        ValueError: a count is negative or NaN, an exposure isn't in [0, 1], a shape doesn't fit, or a
            unit has bad events without requests.

    Complexity: O(grid x rollouts x units).
    """
    units, rollouts = state.events.shape[0], state.restarts.shape[0]
    bad = arrays.per_stream("bad_events", arrays.counts("bad_events", bad_events), units)
    busy = arrays.per_stream("requests", arrays.counts("requests", requests), units)
    shares = arrays.counts("exposures", exposures)
    if shares.shape != (rollouts, units):
        raise ValueError(f"exposures must have shape ({rollouts}, {units}), got {shares.shape}")
    arrays.refuse("exposures", "not be above 1", shares, shares > 1.0)
    arrays.refuse("bad_events", "be 0 without requests", bad, (bad > 0.0) & (busy == 0.0))
    begun, restarts = mixture.restart(state.log_started, state.restarts, state.ratios, starting)
    if not busy.any():
        return replace(state, log_started=begun, restarts=restarts)
    multiplied = 1.0 + shares * (state.ratios[:, None, None] - 1.0)
    prior, learned = state.prior_shape, state.prior_shape + state.events
    null = busy * learned / (prior + state.opportunity)
    harmed = busy * learned * multiplied / (prior + state.exposed_opportunity)
    served = busy > 0.0
    by_event = np.log(harmed[..., served] / null[served]) @ bad[served]
    by_total = bad.sum() * np.log(harmed.sum(axis=-1) / null.sum())
    # In common units: what a unit this busy had if the tick's events fell on all requests alike.
    opportunity = busy * (bad.sum() / busy.sum())
    return BlameState(
        ratios=state.ratios,
        prior_shape=state.prior_shape,
        log_started=begun + by_event - by_total,
        restarts=restarts,
        events=state.events + bad,
        opportunity=state.opportunity + opportunity,
        exposed_opportunity=state.exposed_opportunity + opportunity * multiplied,
    )


def rearranged(
    state: BlameState, units: Sequence[int | None], rollouts: Sequence[int | None]
) -> BlameState:
    """
    Return the state for other *units* and *rollouts*; what is known of those that stay is kept.

    Args:
        state: The state so far.
        units: For each unit from now on its index until now, None for one that is new.
        rollouts: The same for rollouts. A new one has exposed nothing before.

    Raises:
        ValueError: nothing is left.
    """
    fresh = new(
        len(units), len(rollouts), ratios=state.ratios.tolist(), prior_shape=state.prior_shape
    )
    events, opportunity = fresh.events.copy(), fresh.opportunity.copy()
    exposed = fresh.exposed_opportunity.copy()
    log_started, restarts = fresh.log_started.copy(), fresh.restarts.copy()
    for column, old in enumerate(rollouts):
        if old is not None:
            log_started[:, column] = state.log_started[:, old]
            restarts[column] = state.restarts[old]
    for place, unit in enumerate(units):
        if unit is None:
            continue
        events[place], opportunity[place] = state.events[unit], state.opportunity[unit]
        for column, old in enumerate(rollouts):
            exposed[:, column, place] = (
                state.opportunity[unit] if old is None else state.exposed_opportunity[:, old, unit]
            )
    return replace(
        fresh,
        events=events,
        opportunity=opportunity,
        exposed_opportunity=exposed,
        log_started=log_started,
        restarts=restarts,
    )


def log_e_values(state: BlameState) -> Floats:
    """Return the log e-value against "this rollout does no harm", per rollout, in nats."""
    return mixture.log_value(state.log_started, state.restarts)


def blamed(state: BlameState, weights: npt.ArrayLike, alpha: float) -> list[int]:
    """
    Return the rollouts that may be named, the strongest first.

    Naming at ``weight x e >= 1 / alpha`` names anybody when nothing is wrong with probability at most
    alpha. Only the first may be acted on at once: what overlaps with a culprit looks guilty too, and is
    judged anew without it.

    Args:
        state: The evidence.
        weights: How likely each is beforehand (topology), shape ``(rollouts,)``, sum at most 1.
        alpha: Chance of naming anybody when nothing is wrong.

    Raises:
        ValueError: a weight isn't positive, they sum to more than 1, or *alpha* isn't inside (0, 1).
    """
    shares = arrays.per_stream("weights", arrays.positive("weights", weights), state.restarts.size)
    if float(shares.sum()) > 1.0 + 1e-9:
        raise ValueError(f"weights must not sum to more than 1, got {shares.sum():g}")
    strength = log_e_values(state) + np.log(shares)
    threshold = -math.log(arrays.probability("alpha", alpha))
    return [int(index) for index in np.argsort(-strength) if strength[index] >= threshold]
