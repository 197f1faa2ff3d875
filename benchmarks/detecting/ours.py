"""
Tidegate's own rules, by the product's `tidegate.stats` and fed as its engine feeds them.

Rule: nothing is computed here that the product computes; a rule only picks which counts go in, and
compares what comes out with ``log(1 / alpha)``.
"""

from datetime import timedelta

import numpy as np

from detecting.information import Floats
from detecting.latencies import LatencyTick
from detecting.peers import Booleans
from detecting.streams import TICK_SECONDS, Tick
from tidegate.stats import harm, latency_family, mixture, pauses, placebo

ENGINE_MARGIN_ERRORS = 1.1
"""The ratio that is still no harm, as `tidegate.usecases.sequential` has it for errors."""

TICK = timedelta(seconds=TICK_SECONDS)
TICKS_PER_STAKE = pauses.STAKE_EVERY // TICK


def crossed(log_e: Floats, alphas: tuple[float, ...]) -> Booleans:
    """Return where the e-value reaches 1 / alpha, shape ``(alphas, runs)``."""
    return np.array([log_e >= -np.log(alpha) for alpha in alphas])


class Counts:
    """
    The test of errors, affected users and usage: `tidegate.stats.harm`.

    Ticks in which an arm has no requests are left out, as the engine does; for usage the share is the
    one that was assigned, for the others the one that was served.
    """

    def __init__(
        self,
        runs: int,
        alphas: tuple[float, ...],
        *,
        margin: float = 1.0,
        restarts: bool = True,
        users: bool = False,
        usage: bool = False,
        name: str = "tidegate",
    ) -> None:
        self.name, self.alphas = name, alphas
        self._restarts, self._users, self._usage = restarts, users, usage
        grid = mixture.RATIOS_DOWN if usage else mixture.RATIOS_UP
        self._state = harm.new(runs, ratios=grid, null_ratio=margin)

    def look(self, tick: Tick) -> Booleans:
        """Return where harm is proven now."""
        events, total, share = counted(tick, users=self._users, usage=self._usage)
        self._state = harm.update(
            self._state, events, total, share, starting=tick.starting and self._restarts
        )
        return crossed(harm.log_e_value(self._state), self.alphas)


class Placebo:
    """The test of failures that come in clusters: `tidegate.stats.placebo`, on all failures."""

    name = "tidegate"

    def __init__(self, runs: int, alphas: tuple[float, ...]) -> None:
        self.alphas = alphas
        self._state = placebo.new(runs)

    def look(self, tick: Tick) -> Booleans:
        """Return where harm is proven now."""
        assert tick.shard_bad is not None and tick.shard_total is not None, "nothing to play with"
        self._state = placebo.update(
            self._state,
            *counted(tick, users=False, usage=False),
            tick.shard_bad.T,
            tick.shard_total.T,
            starting=tick.starting,
        )
        return crossed(placebo.log_e_value(self._state), self.alphas)


class Latency:
    """
    The test of latency: `tidegate.stats.latency_family`.

    The baseline's past, one tick of it, chooses the edges and the first bets: that before the
    candidate got anybody, or the first tick of the bake, which then is no evidence. Edges are chosen
    from all runs together, because only what has the same edges goes in one batch.
    """

    name = "tidegate"

    def __init__(
        self,
        alphas: tuple[float, ...],
        edges_s: tuple[float, ...],
        *,
        margin: float = 1.0,
        knows_before: bool = True,
    ) -> None:
        self.alphas = alphas
        self._edges, self._margin, self._knows_before = edges_s, margin, knows_before
        self._state: latency_family.FamilyState | None = None

    def look(self, tick: LatencyTick) -> Booleans:
        """Return where the candidate is proven to be slower now."""
        ours, theirs = tick.candidate_buckets.T, tick.baseline_buckets.T
        if self._state is None and not self._knows_before:
            self._state = self._begin(theirs)
        else:
            if self._state is None:
                assert tick.before is not None, "the first tick brings the past along"
                self._state = self._begin(tick.before.T)
            self._state = latency_family.update(
                self._state,
                ours,
                theirs,
                starting=tick.index > 0 and tick.index % TICKS_PER_STAKE == 0,
                power=pauses.power(ours.sum(axis=0), theirs.sum(axis=0), TICK),
                most_log_factor=pauses.most_log_factor(ours, theirs, TICK),
            )
        return crossed(latency_family.log_e_value(self._state), self.alphas)

    def _begin(self, past: Floats) -> latency_family.FamilyState:
        edges = latency_family.edges_of(self._edges, past.sum(axis=1))
        return latency_family.FamilyState.concatenate(
            [
                latency_family.new(self._edges, run, null_ratio=self._margin, edges=edges)
                for run in past.T
            ]
        )


def counted(tick: Tick, *, users: bool, usage: bool) -> tuple[Floats, Floats, Floats]:
    """Return the candidate's events, those of both arms and the candidate's share of exposure."""
    ours = tick.candidate_users if users else tick.candidate_bad
    theirs = tick.baseline_users if users else tick.baseline_bad
    if usage:
        return ours, ours + theirs, np.full(ours.shape, tick.share)
    compared = (tick.candidate_total > 0.0) & (tick.baseline_total > 0.0)
    served = np.where(compared, tick.candidate_total + tick.baseline_total, 2.0)
    share = np.where(compared, tick.candidate_total, 1.0) / served
    return np.where(compared, ours, 0.0), np.where(compared, ours + theirs, 0.0), share
