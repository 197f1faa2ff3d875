"""
The sequential tests of one signal, and how a tick is put through them. Glue between counts and `stats`.

All signals of a kind, of all rollouts of a tick, go through as one batch of arrays: a thousand baking
rollouts cost little more than one. A stream's numbers don't depend on its neighbours, so any batching
gives the same result. Nothing here knows a plan's phases or gives a verdict.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tidegate.domain.health.readings import ArmTick
from tidegate.domain.plan.model import SignalKind, SignalSpec, ToleranceUnit
from tidegate.stats import bounds, difference, harm, history, latency, mixture, safe

HARM_MARGIN_ERRORS = 1.1
"""Ratios up to this are no harm: below it, members of one version differ from each other too."""

USAGE_MARGIN_PART = 0.5
"""A loss of good events up to half of what is tolerated is no harm: users aren't alike."""

WEAK_WEIGHT = 0.2
"""The part of a signal's stake that bets on the comparison with its own past (100 % phases)."""

EDGE_QUANTILE = 0.95
EDGE_MINIMUM_REQUESTS = 200
"""The baseline's p95 is taken as the edge once this many requests put ten beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """
    What one placement did in one tick.

    `weight_bps` is the share that was assigned to the candidate; 10,000 means that nothing ran beside
    it and only the weak comparison is possible.
    """

    placement: str
    weight_bps: int
    candidate: ArmTick
    baseline: ArmTick
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """
    The running tests of one signal of one rollout, each a batch of one stream.

    `harm` runs since the attempt began, `safe` and `bound` since the phase began. `edge` is the
    latency that counts as slow, None until the baseline has shown what it is; `expected_rate` is how
    often the baseline exceeded it, `edge_ratio` how much more often it would if all took longer by
    the tolerance. `past_*` are the baseline's counts since the attempt began.
    """

    kind: SignalKind
    harm: harm.HarmState | latency.LatencyState | None
    weak: history.HistoryState
    safe: difference.DifferenceState | safe.RatioState | None
    bound: bounds.ExcessBoundState | bounds.RatioBoundState
    past_bad: int = 0
    past_total: int = 0
    past_buckets: tuple[int, ...] = ()
    edge: float | None = None
    edge_ratio: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """One stratum reduced to what the tests count: bad (or good, for usage) events and exposure."""

    candidate_events: int
    candidate_total: int
    baseline_events: int
    baseline_total: int
    share: float


def begin(spec: SignalSpec) -> Tests:
    """Return the tests of *spec* before any tick."""
    tolerance = spec.tolerance.value
    match spec.kind:
        case SignalKind.ERRORS:
            running: harm.HarmState | None = harm.new(1, null_ratio=HARM_MARGIN_ERRORS)
        case SignalKind.USAGE:
            running = harm.new(
                1,
                ratios=mixture.RATIOS_DOWN,
                null_ratio=1.0 - tolerance * USAGE_MARGIN_PART,
            )
        case SignalKind.LATENCY:
            running = None
    return begin_phase(
        Tests(
            kind=spec.kind,
            harm=running,
            weak=history.new(1),
            safe=None,
            bound=bounds.new_ratio(1),
        ),
        spec,
    )


def begin_phase(tests: Tests, spec: SignalSpec) -> Tests:
    """Return *tests* with the proof of safety begun anew: a phase is proven by its own data."""
    if spec.kind is SignalKind.ERRORS and spec.tolerance.unit is ToleranceUnit.RATE:
        return replace(
            tests,
            safe=difference.new(1, tolerance=spec.tolerance.value),
            bound=bounds.new_excess(1),
        )
    return replace(tests, safe=safe.new_ratio(1), bound=bounds.new_ratio(1))


def update_all(
    batch: Sequence[tuple[Tests, SignalSpec, tuple[Stratum, ...], bool]],
) -> list[Tests]:
    """
    Return the tests after one tick each, in order.

    Args:
        batch: For each signal: its tests, what is demanded of it, the tick's strata, and whether an
            hour or a phase begins with this tick.
    """
    results = [_learn_edge(tests, spec, strata) for tests, spec, strata, _ in batch]
    deepest = max((len(strata) for _, _, strata, _ in batch), default=0)
    for depth in range(deepest):
        rows = [row for row, (_, _, strata, _) in enumerate(batch) if depth < len(strata)]
        concurrent: dict[SignalKind, list[tuple[int, Counts, bool]]] = {}
        weak: list[tuple[int, Counts, bool]] = []
        for row in rows:
            _, spec, strata, starting = batch[row]
            counts = _counts(results[row], strata[depth])
            begins = starting and depth == 0
            if counts is None:
                continue
            if strata[depth].weight_bps < 10_000:
                concurrent.setdefault(spec.kind, []).append((row, counts, begins))
            elif spec.kind is SignalKind.ERRORS:
                weak.append((row, counts, begins))
        for kind, entries in concurrent.items():
            _update_concurrent(kind, entries, results, batch)
        if weak:
            _update_weak(weak, results, batch)
    return [
        _remember_baseline(tests, strata)
        for tests, (_, _, strata, _) in zip(results, batch, strict=True)
    ]


def log_e_harm(tests: Tests) -> float:
    """
    Return the log e-value against "no harm" of both comparisons together.

    Their weights are fixed beforehand, so the average is an e-value whichever of them has data.
    """
    beside = 0.0
    if isinstance(tests.harm, harm.HarmState):
        beside = float(harm.log_e_value(tests.harm)[0])
    elif isinstance(tests.harm, latency.LatencyState):
        beside = float(latency.log_e_value(tests.harm)[0])
    alone = float(history.log_e_value(tests.weak)[0])
    return float(np.logaddexp(math.log1p(-WEAK_WEIGHT) + beside, math.log(WEAK_WEIGHT) + alone))


def log_e_safe(tests: Tests) -> float:
    """Return the log e-value against "worse than tolerated" in this phase."""
    if isinstance(tests.safe, difference.DifferenceState):
        return float(difference.log_e_value(tests.safe)[0])
    return 0.0 if tests.safe is None else float(tests.safe.log_e[0])


def ruled_out(tests: Tests, *, alpha: float) -> float | None:
    """
    Return the harm that is excluded so far with confidence ``1 - alpha``, at any look.

    Errors in absolute rate, the rest relative to the baseline; None while nothing is excluded.
    """
    if isinstance(tests.bound, bounds.ExcessBoundState):
        excess = float(bounds.highest_excess(tests.bound, alpha)[0])
        return None if excess >= 1.0 else excess
    if tests.kind is SignalKind.USAGE:
        lowest = float(bounds.lowest_ratio(tests.bound, alpha)[0])
        return 1.0 - lowest if lowest > 0.0 else None
    highest = float(bounds.highest_ratio(tests.bound, alpha)[0])
    return highest - 1.0 if np.isfinite(highest) else None


# --- one tick --------------------------------------------------------------------------------


def _counts(tests: Tests, stratum: Stratum) -> Counts | None:
    """Reduce *stratum* to counts, or None where it says nothing."""
    candidate, baseline = stratum.candidate, stratum.baseline
    assigned = stratum.weight_bps / 10_000
    match tests.kind:
        case SignalKind.USAGE:
            return Counts(
                candidate_events=candidate.total,
                candidate_total=candidate.total,
                baseline_events=baseline.total,
                baseline_total=baseline.total,
                share=assigned,
            )
        case SignalKind.ERRORS:
            candidate_bad, baseline_bad = candidate.bad, baseline.bad
        case SignalKind.LATENCY:
            if tests.edge is None:
                return None
            candidate_bad = slower_than(tests.edge, stratum.bounds, candidate.buckets)
            baseline_bad = slower_than(tests.edge, stratum.bounds, baseline.buckets)
    served = candidate.total + baseline.total
    if served == 0 or (stratum.weight_bps < 10_000 and 0 in (candidate.total, baseline.total)):
        return None
    return Counts(
        candidate_events=candidate_bad,
        candidate_total=candidate.total,
        baseline_events=baseline_bad,
        baseline_total=baseline.total,
        share=candidate.total / served,
    )


def slower_than(edge: float, edges: tuple[float, ...], buckets: tuple[int, ...]) -> int:
    """Return how many requests took longer than *edge*, one of the bucket bounds *edges*."""
    return sum(
        count for upper, count in zip((*edges, float("inf")), buckets, strict=True) if upper > edge
    )


def _update_concurrent(
    kind: SignalKind,
    entries: Sequence[tuple[int, Counts, bool]],
    results: list[Tests],
    batch: Sequence[tuple[Tests, SignalSpec, tuple[Stratum, ...], bool]],
) -> None:
    rows = [row for row, _, _ in entries]
    candidate = np.array([counts.candidate_events for _, counts, _ in entries], dtype=np.float64)
    baseline = np.array([counts.baseline_events for _, counts, _ in entries], dtype=np.float64)
    candidate_total = np.array([counts.candidate_total for _, counts, _ in entries], np.float64)
    baseline_total = np.array([counts.baseline_total for _, counts, _ in entries], np.float64)
    share = np.array([counts.share for _, counts, _ in entries])
    starting = np.array([begins for _, _, begins in entries])
    arms = (candidate, candidate_total, baseline, baseline_total)
    events = candidate + baseline

    if kind is SignalKind.LATENCY:
        slow = latency.LatencyState.concatenate([_latency(results[row]) for row in rows])
        slow = latency.update(slow, *arms, starting=starting)
        harmed: list[harm.HarmState | latency.LatencyState] = [
            slow.select([place]) for place in range(len(rows))
        ]
    else:
        counted = harm.HarmState.concatenate([_harm(results[row]) for row in rows])
        counted = harm.update(counted, candidate, events, share, starting=starting)
        harmed = [counted.select([place]) for place in range(len(rows))]
    for place, row in enumerate(rows):
        results[row] = replace(results[row], harm=harmed[place])

    exact = [place for place, row in enumerate(rows) if _is_exact(results[row])]
    if exact:
        _update_exact(exact, rows, results, arms)
    by_ratio = [place for place, row in enumerate(rows) if not _is_exact(results[row])]
    if by_ratio:
        ratios = np.array(
            [_tested_ratio(results[rows[place]], batch[rows[place]][1]) for place in by_ratio]
        )
        _update_by_ratio(by_ratio, rows, results, (candidate, events, share), ratios)


def _is_exact(tests: Tests) -> bool:
    return isinstance(tests.safe, difference.DifferenceState)


def _update_exact(
    places: Sequence[int],
    rows: Sequence[int],
    results: list[Tests],
    arms: tuple[np.ndarray, ...],
) -> None:
    picked = [results[rows[place]] for place in places]
    here = [arm[list(places)] for arm in arms]
    safes = difference.DifferenceState.concatenate(
        [tests.safe for tests in picked if isinstance(tests.safe, difference.DifferenceState)]
    )
    safes = difference.update(safes, *here)
    excesses = bounds.ExcessBoundState.concatenate(
        [tests.bound for tests in picked if isinstance(tests.bound, bounds.ExcessBoundState)]
    )
    excesses = bounds.update_excess(excesses, *here)
    for index, place in enumerate(places):
        results[rows[place]] = replace(
            results[rows[place]], safe=safes.select([index]), bound=excesses.select([index])
        )


def _update_by_ratio(
    places: Sequence[int],
    rows: Sequence[int],
    results: list[Tests],
    shared: tuple[np.ndarray, ...],
    ratios: np.ndarray,
) -> None:
    picked = [results[rows[place]] for place in places]
    here = [values[list(places)] for values in shared]
    safes = safe.RatioState.concatenate(
        [tests.safe for tests in picked if isinstance(tests.safe, safe.RatioState)]
    )
    safes = safe.update_ratio(safes, *here, ratio=ratios)
    likelihoods = bounds.RatioBoundState.concatenate(
        [tests.bound for tests in picked if isinstance(tests.bound, bounds.RatioBoundState)]
    )
    likelihoods = bounds.update_ratio(likelihoods, *here)
    for index, place in enumerate(places):
        results[rows[place]] = replace(
            results[rows[place]], safe=safes.select([index]), bound=likelihoods.select([index])
        )


def _tested_ratio(tests: Tests, spec: SignalSpec) -> float:
    match spec.kind:
        case SignalKind.USAGE:
            return 1.0 - spec.tolerance.value
        case SignalKind.LATENCY:
            return tests.edge_ratio
        case SignalKind.ERRORS:
            return 1.0 + spec.tolerance.value


def _update_weak(
    entries: Sequence[tuple[int, Counts, bool]],
    results: list[Tests],
    batch: Sequence[tuple[Tests, SignalSpec, tuple[Stratum, ...], bool]],
) -> None:
    rows = [row for row, _, _ in entries]
    state = history.HistoryState.concatenate([results[row].weak for row in rows])
    state = history.update(
        state,
        [counts.candidate_events for _, counts, _ in entries],
        [counts.candidate_total for _, counts, _ in entries],
        limit=[_limit(results[row], batch[row][1]) for row in rows],
        starting=np.array([begins for _, _, begins in entries]),
    )
    for place, row in enumerate(rows):
        results[row] = replace(results[row], weak=state.select([place]))


def _limit(tests: Tests, spec: SignalSpec) -> float:
    """The rate that is still no harm: what the baseline had, cautiously, plus what is tolerated."""
    bad, total = tests.past_bad, tests.past_total
    upper = min(0.5, (bad + 1.0 + 2.0 * math.sqrt(bad + 1.0)) / (total + 2.0))
    if spec.tolerance.unit is ToleranceUnit.RATE:
        return min(0.99, upper + spec.tolerance.value)
    return min(0.99, upper * (1.0 + spec.tolerance.value))


def _harm(tests: Tests) -> harm.HarmState:
    assert isinstance(tests.harm, harm.HarmState), "errors and usage are judged by counts"
    return tests.harm


def _latency(tests: Tests) -> latency.LatencyState:
    assert isinstance(tests.harm, latency.LatencyState), "the edge was learned before it is used"
    return tests.harm


# --- the baseline's past ---------------------------------------------------------------------


def _remember_baseline(tests: Tests, strata: tuple[Stratum, ...]) -> Tests:
    beside = [stratum for stratum in strata if stratum.weight_bps < 10_000]
    if not beside:
        return tests
    buckets = tests.past_buckets
    if tests.kind is SignalKind.LATENCY and tests.edge is None:
        for stratum in beside:
            widest = buckets or (0,) * len(stratum.baseline.buckets)
            buckets = tuple(map(sum, zip(widest, stratum.baseline.buckets, strict=True)))
    return replace(
        tests,
        past_bad=tests.past_bad + sum(stratum.baseline.bad for stratum in beside),
        past_total=tests.past_total + sum(stratum.baseline.total for stratum in beside),
        past_buckets=buckets,
    )


def _learn_edge(tests: Tests, spec: SignalSpec, strata: tuple[Stratum, ...]) -> Tests:
    """Fix the edge from ticks before this one, once they are enough; never from this one."""
    if (
        tests.kind is not SignalKind.LATENCY
        or tests.edge is not None
        or sum(tests.past_buckets) < EDGE_MINIMUM_REQUESTS
        or not strata
    ):
        return tests
    edges = np.array([*strata[0].bounds, np.inf])
    counted = np.array(tests.past_buckets, dtype=np.float64)
    try:
        edge = latency.quantile_edge(edges, counted, EDGE_QUANTILE)
    except ValueError:
        # More than half of the requests lie above the last bound: the histogram can't tell.
        return tests
    slow = slower_than(edge, strata[0].bounds, tests.past_buckets)
    rate = (slow + 0.5) / (sum(tests.past_buckets) + 1.0)
    stretch = 1.0 + spec.tolerance.value
    return replace(
        tests,
        edge=edge,
        edge_ratio=max(1.0 + 1e-9, latency.stretch_ratio(edges, counted, edge, stretch)),
        harm=latency.new(1, expected_rate=rate, null_ratio=HARM_MARGIN_ERRORS),
        past_buckets=(),
    )
