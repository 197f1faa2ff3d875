"""
Latency: the histograms of both arms; a heavier tail is harm.

Harm is tested on all of the histogram at once (`stats.latency_family`); what is proven safe is that the
baseline's p95 isn't exceeded more often than the tolerance allows, because that is what people tolerate
in. Both begin once the baseline's past has shown where its quantiles lie.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from tidegate.domain.health.readings import ArmTick
from tidegate.domain.plan.model import SignalKind, SignalSpec, ToleranceUnit
from tidegate.stats import bounds, latency, latency_family, pauses, safe
from tidegate.stats.arrays import Floats
from tidegate.stats.latency_family import FamilyState
from tidegate.usecases.estimators import counted, weak
from tidegate.usecases.estimators.running import (
    HARM_MARGIN_LATENCY,
    Counts,
    Entry,
    Shown,
    Stratum,
    Tests,
    shown_totals,
)

EDGE_QUANTILE = 0.95
EDGE_MINIMUM_REQUESTS = 200
"""The baseline's p95 is taken as the edge once this many requests put ten beyond it."""

BURST = timedelta(seconds=10)
"""What makes requests slow together without being the candidate's doing (a collection of garbage, a
queue that a busy machine let grow) is over by then, as a rule."""

BURST_LOG_FACTOR = math.log(10.0)
"""Without a baseline beside it, a burst is no more than one witness: it multiplies by at most 10. Slow
requests queue behind one another, and nothing tells here whether others were slow as well. Beside a baseline
`stats.pauses` says what a tick may gain."""

BURST_WITNESSES = 100.0
"""As how many independent requests those of a burst count at most. With twice as many, a candidate that
is slow half of the time in spells of seconds would hardly ever be found: its calm seconds would cost more
than its slow ones may gain. With half as many, small slowdowns that last would take twice as long."""

LARGEST_SLOWDOWN = 64.0
"""Slowdowns are shown up to this; who is 64 times slower needs no number to see it."""


def begin(spec: SignalSpec) -> Tests:
    """Return the tests of *spec* before any tick; what harm is tested on is learned first."""
    return begin_phase(Tests(kind=SignalKind.LATENCY), spec)


def begin_phase(tests: Tests, spec: SignalSpec) -> Tests:
    """Return *tests* with the proof of safety begun anew, for what this phase tolerates."""
    ratio = 1.0 if tests.edge is None else _edge_ratio(tests, spec, tests.edge)
    return replace(tests, safe=safe.new_ratio(1), bound=bounds.new_ratio(1), edge_ratio=ratio)


def update(entries: Sequence[Entry]) -> list[Tests]:
    """Return the tests of *entries* after one tick."""
    results = [_learn(entry) for entry in entries]
    deepest = max((len(entry.strata) for entry in entries), default=0)
    for depth in range(deepest):
        rows = [
            row
            for place, entry in enumerate(entries)
            # Cold caches are slow, and no more than slow: warm-up says nothing of latency.
            if depth < len(entry.strata)
            and not entry.warm
            and (row := _row(place, entry, depth, results[place])) is not None
        ]
        for row in rows:
            results[row.place] = _test_harm(results[row.place], entries[row.place], depth)
        counted.test_safety([row for row in rows if entries[row.place].proves], results)
    weak.update(
        entries,
        results,
        [_alone(entry, tests) for entry, tests in zip(entries, results, strict=True)],
        bounds=[_bound(entry.lasted) for entry in entries],
    )
    return [_remember_baseline(tests, entry) for tests, entry in zip(results, entries, strict=True)]


def begin_again(tests: Tests, spec: SignalSpec) -> Tests:
    """Return the tests of *spec* with what is known of the baseline and nothing of the candidate."""
    return replace(
        begin(spec),
        past_total=sum(tests.past_buckets),
        past_buckets=tests.past_buckets,
        past_bounds=tests.past_bounds,
    )


def shown(tests: Tests, strata: tuple[Stratum, ...]) -> Shown:
    """Return what *strata* add to the counts for people: requests, and the slow ones once it is known."""
    totals, edge = shown_totals(strata), tests.edge
    if edge is None:
        return totals
    return totals._replace(
        candidate_bad=sum(slower_than(edge, s.bounds, s.candidate.buckets) for s in strata),
        baseline_bad=sum(slower_than(edge, s.bounds, s.baseline.buckets) for s in strata),
    )


def slowdown_ruled_out(tests: Tests, spec: SignalSpec, ratio: float) -> float | None:
    """
    Return the slowdown that is excluded when exceeding the edge *ratio* times as often is.

    In the unit of *spec*'s tolerance: a part of the baseline's latency, or milliseconds at the edge.
    None when no slowdown that a person would name would make it that bad.
    """
    if tests.edge is None or not tests.past_buckets:
        return None
    edges = np.array([*tests.past_bounds, np.inf])
    counts = np.array(tests.past_buckets, dtype=np.float64)
    low, high = 1.0, LARGEST_SLOWDOWN
    if latency.stretch_ratio(edges, counts, tests.edge, high) < ratio:
        return None
    for _ in range(30):
        middle = 0.5 * (low + high)
        enough = latency.stretch_ratio(edges, counts, tests.edge, middle) >= ratio
        low, high = (low, middle) if enough else (middle, high)
    in_milliseconds = spec.tolerance.unit is ToleranceUnit.DURATION
    return (high - 1.0) * (tests.edge if in_milliseconds else 1.0)


def slower_than(edge: float, edges: tuple[float, ...], buckets: tuple[int, ...]) -> int:
    """Return how many requests took longer than *edge*, one of the bucket bounds *edges*."""
    return sum(
        count for upper, count in zip((*edges, float("inf")), buckets, strict=True) if upper > edge
    )


def _row(place: int, entry: Entry, depth: int, tests: Tests) -> counted.Row | None:
    stratum = entry.strata[depth]
    candidate, baseline = stratum.candidate, stratum.baseline
    if (
        tests.edge is None
        or not stratum.is_beside
        or stratum.bounds != tests.past_bounds
        or 0 in (candidate.total, baseline.total)
        # Counts that a source has estimated are rounded one by one: a total of 1 may be in no bucket.
        or not (any(candidate.buckets) and any(baseline.buckets))
    ):
        return None
    return counted.Row(
        place=place,
        counts=Counts(
            candidate_events=slower_than(tests.edge, stratum.bounds, candidate.buckets),
            candidate_total=candidate.total,
            baseline_events=slower_than(tests.edge, stratum.bounds, baseline.buckets),
            baseline_total=baseline.total,
            share=candidate.total / (candidate.total + baseline.total),
        ),
        starting=entry.starting and depth == 0,
        margin=HARM_MARGIN_LATENCY,
        ratio=tests.edge_ratio,
        most_log_factor=float(
            pauses.most_log_factor(_column(baseline), _column(candidate), entry.lasted)[0]
        ),
    )


def _test_harm(tests: Tests, entry: Entry, depth: int) -> Tests:
    assert isinstance(tests.harm, FamilyState), "the edges were learned before they are used"
    candidate, baseline = entry.strata[depth].candidate, entry.strata[depth].baseline
    ours, theirs = _column(candidate), _column(baseline)
    state = latency_family.update(
        tests.harm,
        ours,
        theirs,
        starting=depth == 0
        and (entry.starting or pauses.stake_begins(entry.at - entry.lasted, entry.at)),
        power=pauses.power([candidate.total], [baseline.total], entry.lasted),
        most_log_factor=pauses.most_log_factor(ours, theirs, entry.lasted),
    )
    return replace(tests, harm=state)


def _column(arm: ArmTick) -> Floats:
    return np.array(arm.buckets, np.float64)[:, None]


def _alone(entry: Entry, tests: Tests) -> weak.Alone:
    whole = [stratum for stratum in entry.strata if not stratum.is_beside]
    beside = [stratum for stratum in entry.strata if stratum.is_beside]
    if tests.edge is None or entry.warm:
        return weak.Alone(0, 0, None, 0, 0)
    return weak.Alone(
        events=sum(slower_than(tests.edge, s.bounds, s.candidate.buckets) for s in whole),
        exposure=sum(stratum.candidate.total for stratum in whole),
        limit=_limit(tests),
        sibling_events=sum(slower_than(tests.edge, s.bounds, s.baseline.buckets) for s in beside),
        sibling_exposure=sum(stratum.baseline.total for stratum in beside),
    )


def _bound(lasted: timedelta) -> weak.Bound:
    """
    Return the most that a tick that *lasted* so long may say where nothing ran beside it.

    In parts of a burst and never more than a whole one: the requests of a tick are all mixed, so a long
    one with a pause in it can't be told from one that was slow throughout. No single tick proves harm.
    """
    part = min(lasted / BURST, 1.0)
    return weak.Bound(log_factor=BURST_LOG_FACTOR * part, witnesses=BURST_WITNESSES * part)


def _limit(tests: Tests) -> float:
    """The share of slow requests that is still no harm: the baseline's, cautiously, with the tolerance."""
    bad, total = tests.past_bad, tests.past_total
    upper = min(0.5, (bad + 1.0 + 2.0 * math.sqrt(bad + 1.0)) / (total + 2.0))
    return min(0.99, upper * tests.edge_ratio)


# --- the baseline's past ---------------------------------------------------------------------


def _remember_baseline(tests: Tests, entry: Entry) -> Tests:
    beside = [stratum for stratum in entry.strata if stratum.is_beside]
    if tests.edge is not None:
        edge = tests.edge
        slow = sum(slower_than(edge, s.bounds, s.baseline.buckets) for s in beside)
        total = sum(stratum.baseline.total for stratum in beside)
        return replace(tests, past_bad=tests.past_bad + slow, past_total=tests.past_total + total)
    buckets, kept = tests.past_buckets, tests.past_bounds
    for stratum in beside:
        kept = kept or stratum.bounds
        if stratum.bounds == kept:
            widest = buckets or (0,) * len(stratum.baseline.buckets)
            buckets = tuple(map(sum, zip(widest, stratum.baseline.buckets, strict=True)))
    return replace(tests, past_total=sum(buckets), past_buckets=buckets, past_bounds=kept)


def _learn(entry: Entry) -> Tests:
    """Fix the edge from ticks before this one, once they are enough; never from this one."""
    tests = entry.tests
    if (
        tests.edge is not None
        or sum(tests.past_buckets) < EDGE_MINIMUM_REQUESTS
        or not entry.strata
    ):
        return tests
    edges = np.array([*tests.past_bounds, np.inf])
    counts = np.array(tests.past_buckets, dtype=np.float64)
    try:
        edge = latency.quantile_edge(edges, counts, EDGE_QUANTILE)
        family = latency_family.new(tests.past_bounds, counts, null_ratio=HARM_MARGIN_LATENCY)
    except ValueError:
        # More than half of the requests lie above the last bound: the histogram can't tell.
        return tests
    slow = slower_than(edge, tests.past_bounds, tests.past_buckets)
    return replace(
        tests,
        edge=edge,
        edge_ratio=_edge_ratio(tests, entry.spec, edge),
        harm=family,
        past_bad=slow,
    )


def _edge_ratio(tests: Tests, spec: SignalSpec, edge: float) -> float:
    """Return how much more often *edge* would be exceeded if all took longer by what *spec* tolerates."""
    edges = np.array([*tests.past_bounds, np.inf])
    counts = np.array(tests.past_buckets, dtype=np.float64)
    in_milliseconds = spec.tolerance.unit is ToleranceUnit.DURATION
    slower = spec.tolerance.value / edge if in_milliseconds else spec.tolerance.value
    return max(1.0 + 1e-9, latency.stretch_ratio(edges, counts, edge, 1.0 + slower))
