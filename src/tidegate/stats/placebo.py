"""
The test that halts where events come in bursts: one user's retries, a batch that fails as a whole.

Counts that scatter more than independent requests do break every test for counts; by how much
depends on how large the bursts are, and nobody knows that beforehand. But the baseline shows it: cut
into shards, each shard can play candidate against the others, and whatever evidence of harm that
makes is false. So each alternative's likelihood ratio is raised to the largest power ``gamma`` in
[0, 1] whose mean over all such placebo trials so far is at most 1, and the next tick's factor for the
real candidate is ``LR^gamma``: as far as bursts in the candidate are like bursts in the baseline, its
expectation is at most 1 as well, and the product is a supermartingale.

What it rests on. For events in bursts of B that begin independently, ``E[LR^gamma] <= 1`` says
``E[r^(gamma B)] - 1 <= gamma E[B] (r - 1)`` for a small share: neither the share nor the rate is in
it, so shards may be larger than the candidate. A smaller share needs the smaller power, hence a
trial is played at the candidate's share where that is below the shard's, the others' events scaled
to it. The other side, ``r < 1``, is what proves safety (`exponent`). A burst must be over within a
tick; where it isn't, give several ticks as one.

Rule: trials of a tick choose the powers of later ticks, never their own. Before there are trials, it's
as if one burst of so many events had been seen: the test begins cautious.
Source: negative controls (Lipsitch, Tchetgen, Cohen 2010) for the placebo; a universal-inference
learning rate, as in Dey, Martin and Williams (2024), for the power; the rest is own derivation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, harm, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState

FEWEST_SHARDS = 8
"""With fewer, the others are too small a baseline, and one bad shard is most of what is seen."""

CALIBRATED_RATIOS = (1 / 50, 1 / 12, 1 / 4, 1 / 2, 1 / 1.3, 1.3, 2.0, 4.0, 12.0, 50.0)
"""Rate ratios for which trials are kept; one between two of them gets the smaller of their powers."""

EXPONENT_STEPS = 24
"""Powers are multiples of one part in so many."""

PRIOR_BURST = 8.0
"""Events of the burst that's taken as seen before the first trial: powers begin at an eighth."""

PRIOR_TRIALS = 100.0
"""Trials among which that burst is taken as seen. Only what they exceed 1 by counts, not how many."""

MOST_NATS = 600.0
"""A trial beyond this counts as this: no number of trials makes up for either."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaceboState(StreamState):
    """Evidence of harm, tempered by what shards show, in a batch of streams; make it with `new`."""

    shared: ClassVar[frozenset[str]] = frozenset({"ratios"})

    ratios: Floats
    """Alternatives as multiples of the null ratio, shape ``(grid,)``, all above 1 or all below."""
    null_ratio: Floats
    """The rate ratio that's still no harm, shape ``(streams,)``."""
    log_started: Floats
    """Log of stake x tempered likelihood ratio per alternative, shape ``(grid, streams)``, in nats."""
    restarts: Floats
    """How often a part of the stake was started anew, shape ``(streams,)``."""
    trials: Floats
    """Placebo trials so far and those of the prior, shape ``(streams,)``."""
    sums: Floats
    """Sums of the trials' ``LR^gamma``, shape ``(calibrated ratios * powers, streams)``: all powers of
    the first ratio, then of the second, and so on."""

    def _check_shapes(self) -> None:
        streams = self.restarts.shape
        expected = {
            "null_ratio": streams,
            "log_started": (*self.ratios.shape, *streams),
            "trials": streams,
            "sums": (len(CALIBRATED_RATIOS) * EXPONENT_STEPS, *streams),
        }
        for name, shape in expected.items():
            if len(streams) != 1 or getattr(self, name).shape != shape:
                raise ValueError(
                    f"PlaceboState.{name} must have shape {shape}, got {getattr(self, name).shape}"
                )


def new(
    streams: int,
    *,
    ratios: Sequence[float] = mixture.RATIOS_UP,
    null_ratio: npt.ArrayLike = 1.0,
) -> PlaceboState:
    """
    Return the state of *streams* that have seen nothing: log e-value 0.

    Args:
        streams: Number of streams, at least 0.
        ratios: `mixture.RATIOS_UP` for bad events, `mixture.RATIOS_DOWN` for good ones.
        null_ratio: Margin: the rate ratio that's still no harm, one or per stream.

    Raises:
        ValueError: *ratios* is empty, on both sides of 1 or at 1; *null_ratio* isn't positive.
    """
    plain = harm.new(streams, ratios=ratios, null_ratio=null_ratio)
    powers = _powers()
    excess = [
        ratio ** (powers * PRIOR_BURST) - 1.0 - powers * PRIOR_BURST * (ratio - 1.0)
        for ratio in CALIBRATED_RATIOS
    ]
    return PlaceboState(
        ratios=plain.ratios,
        null_ratio=plain.null_ratio,
        log_started=plain.log_started,
        restarts=plain.restarts,
        trials=np.full(streams, PRIOR_TRIALS),
        sums=np.repeat(PRIOR_TRIALS + np.concatenate(excess)[:, None], streams, axis=1),
    )


def update(
    state: PlaceboState,
    candidate_events: npt.ArrayLike,
    total_events: npt.ArrayLike,
    candidate_share: npt.ArrayLike,
    shard_events: npt.ArrayLike,
    shard_exposures: npt.ArrayLike,
    *,
    starting: npt.ArrayLike = False,
    margin: npt.ArrayLike | None = None,
) -> PlaceboState:
    """
    Return the state after one tick.

    Args:
        state: The state before the tick.
        candidate_events: Events of the candidate, shape ``(streams,)``.
        total_events: Events of both arms together, same shape.
        candidate_share: The candidate's share of the exposure, strictly between 0 and 1.
        shard_events: Events of each shard of the baseline, shape ``(shards,)`` or ``(shards,
            streams)``, at least `FEWEST_SHARDS`. Members of the baseline, or a hash of the user;
            what comes in one burst must fall into one shard.
        shard_exposures: Exposure of each shard (requests, users), same shape, in any unit. A shard
            without any is no trial.
        starting: True where a phase or an hour begins, see `harm.update`.
        margin: The null ratio of this tick, see `harm.update`; None: that of the state.

    Raises:
        ValueError: there are too few shards; a count is negative, NaN or above its total; a share
            isn't inside (0, 1); *margin* isn't positive.

    Complexity: O(calibrated ratios x powers x shards x streams) time.
    """
    streams = state.restarts.size
    shards, exposures = _shards(shard_events, shard_exposures, streams)
    ((events, totals, shares),) = harm.strata(
        candidate_events, total_events, candidate_share, streams
    )
    null_ratio = state.null_ratio
    if margin is not None:
        null_ratio = arrays.per_stream("margin", arrays.positive("margin", margin), streams)
    scaled = null_ratio * shares
    shifted = scaled / (1.0 - shares + scaled)
    begun, restarts = mixture.restart(state.log_started, state.restarts, state.ratios, starting)
    gained = np.log(state.ratios)[:, None] * events - totals * np.log1p(
        (state.ratios - 1.0)[:, None] * shifted
    )
    sums, trials = _tried(shards, exposures, shifted)
    return PlaceboState(
        ratios=state.ratios,
        null_ratio=state.null_ratio,
        log_started=begun + exponents(state, state.ratios) * gained,
        restarts=restarts,
        trials=state.trials + trials,
        sums=state.sums + sums,
    )


def log_e_value(state: PlaceboState) -> Floats:
    """Return the log e-value of each stream now, shape ``(streams,)``, in nats."""
    return mixture.log_value(state.log_started, state.restarts)


def exponent(state: PlaceboState, ratio: npt.ArrayLike) -> Floats:
    """
    Return the power to which a likelihood ratio may be raised in the next tick, per stream.

    For the tests of safety: what proves that the candidate isn't R times as bad bets on ``1 / R`` of
    the null's rate, so *ratio* is ``1 / R`` for `safe.update_ratio`, and for `difference.update`, whose
    bets lie anywhere below 1, `CAUTIOUS_RATIO`.

    Args:
        state: The state before the tick.
        ratio: The bet as a multiple of the null's rate, above 0, one or per stream.

    Raises:
        ValueError: *ratio* isn't positive.
    """
    bets = arrays.per_stream("ratio", arrays.positive("ratio", ratio), state.restarts.size)
    powers = _allowed(state)
    after = np.searchsorted(CALIBRATED_RATIOS, bets)
    last = len(CALIBRATED_RATIOS) - 1
    stream = np.arange(bets.size)
    # An exact hit is its own upper neighbour, and may lie next to a smaller power: cautious.
    return np.minimum(
        powers[np.clip(after - 1, 0, last), stream], powers[np.clip(after, 0, last), stream]
    )


CAUTIOUS_RATIO = 1 / 1.3
"""Of all bets below 1 the one that allows the least: near 1 it's one over the dispersion."""


def exponents(state: PlaceboState, ratios: Floats) -> Floats:
    """Return the powers for all *ratios*, shape ``(grid, streams)``, as `exponent` does for one."""
    powers = _allowed(state)
    after = np.searchsorted(CALIBRATED_RATIOS, ratios)
    last = len(CALIBRATED_RATIOS) - 1
    return np.minimum(powers[np.clip(after - 1, 0, last)], powers[np.clip(after, 0, last)])


def _allowed(state: PlaceboState) -> Floats:
    """Return the largest power whose mean is at most 1 per calibrated ratio, with all below it."""
    sums = state.sums.reshape(len(CALIBRATED_RATIOS), EXPONENT_STEPS, -1)
    fits = np.logical_and.accumulate(sums <= state.trials, axis=1)
    powers: Floats = fits.sum(axis=1) / EXPONENT_STEPS
    return powers


def _tried(events: Floats, exposures: Floats, share: Floats) -> tuple[Floats, Floats]:
    """Return the sums of one tick's trials, and how many there were."""
    whole = np.cumsum(exposures, axis=0)[-1]
    others = whole - exposures
    played = (exposures > 0.0) & (others > 0.0)
    shard_odds = np.where(played, exposures, 1.0) / np.where(played, others, 1.0)
    odds = np.minimum(share / (1.0 - share), shard_odds)
    scale = shard_odds / odds
    here = np.where(played, events, 0.0)
    rest = np.where(played, np.cumsum(events, axis=0)[-1] - events, 0.0) * scale
    share = odds / (1.0 + odds)
    sums = []
    for ratio in CALIBRATED_RATIOS:
        log_ratio = here * math.log(ratio) - (here + rest) * np.log1p(share * (ratio - 1.0))
        step = np.exp(np.clip(log_ratio, -MOST_NATS, MOST_NATS) / EXPONENT_STEPS)
        powers = np.multiply.accumulate(np.broadcast_to(step, (EXPONENT_STEPS, *step.shape)))
        # Running sums add shard by shard in any batch, which `sum` doesn't.
        sums.append(np.cumsum(np.where(played, powers, 0.0), axis=1)[:, -1])
    return np.concatenate(sums), played.sum(axis=0).astype(np.float64)


def _powers() -> Floats:
    return np.arange(1, EXPONENT_STEPS + 1) / EXPONENT_STEPS


def _shards(events: npt.ArrayLike, exposures: npt.ArrayLike, streams: int) -> tuple[Floats, Floats]:
    rows = []
    for name, values in (("shard_events", events), ("shard_exposures", exposures)):
        counts = arrays.counts(name, values)
        if counts.ndim == 1:
            counts = np.repeat(counts[:, None], streams, axis=1)
        if counts.ndim != 2 or counts.shape[1] != streams:
            raise ValueError(
                f"{name} must have shape (shards,) or (shards, {streams}), got {counts.shape}"
            )
        rows.append(counts)
    if rows[0].shape != rows[1].shape:
        raise ValueError(
            f"shard_events and shard_exposures must be of the same shards, "
            f"got {len(rows[0])} and {len(rows[1])}"
        )
    if len(rows[0]) < FEWEST_SHARDS:
        raise ValueError(f"there must be at least {FEWEST_SHARDS} shards, got {len(rows[0])}")
    return rows[0], rows[1]
