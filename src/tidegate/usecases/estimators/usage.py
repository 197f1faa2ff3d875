"""Usage: good events of both arms against the exposure that was assigned to them; fewer is harm."""

import math
from collections.abc import Sequence
from dataclasses import replace

from tidegate.domain.plan.model import SignalKind, SignalSpec
from tidegate.stats import bounds, harm, mixture, safe
from tidegate.usecases.estimators import counted, weak
from tidegate.usecases.estimators.running import (
    WARM_UP_MARGIN,
    Counts,
    Entry,
    Stratum,
    Tests,
)

MARGIN_PART = 0.5
"""A loss of good events up to half of what is tolerated is no harm: users aren't alike."""

LEARNING_REQUESTS = 200
"""Requests of the baseline before its good events per request are known well enough to miss any."""


def begin(spec: SignalSpec) -> Tests:
    """Return the tests of *spec* before any tick."""
    return begin_phase(
        Tests(
            kind=SignalKind.USAGE,
            harm=harm.new(1, ratios=mixture.RATIOS_DOWN, null_ratio=_margin(spec, warm=False)),
        ),
        spec,
    )


def begin_phase(tests: Tests, spec: SignalSpec) -> Tests:
    """Return *tests* with the proof of safety begun anew."""
    return replace(tests, safe=safe.new_ratio(1), bound=bounds.new_ratio(1))


def update(entries: Sequence[Entry]) -> list[Tests]:
    """Return the tests of *entries* after one tick."""
    results = [entry.tests for entry in entries]
    deepest = max((len(entry.strata) for entry in entries), default=0)
    for depth in range(deepest):
        rows = [
            _row(place, entry, depth)
            for place, entry in enumerate(entries)
            if depth < len(entry.strata) and entry.strata[depth].is_beside
        ]
        counted.test_harm(rows, results)
        counted.test_safety([row for row in rows if entries[row.place].proves], results)
    weak.update(entries, results, [_alone(entry) for entry in entries])
    return [_remember_baseline(tests, entry) for tests, entry in zip(results, entries, strict=True)]


def _row(place: int, entry: Entry, depth: int) -> counted.Row:
    stratum = entry.strata[depth]
    return counted.Row(
        place=place,
        # Nothing at all is data too: users who are assigned and don't come back are what is looked for.
        counts=Counts(
            candidate_events=stratum.candidate.total,
            candidate_total=stratum.candidate.total,
            baseline_events=stratum.baseline.total,
            baseline_total=stratum.baseline.total,
            share=stratum.assigned,
        ),
        starting=entry.starting and depth == 0,
        margin=_margin(entry.spec, warm=entry.warm),
        ratio=1.0 - entry.spec.tolerance.value,
    )


def _margin(spec: SignalSpec, *, warm: bool) -> float:
    return 1.0 / WARM_UP_MARGIN if warm else 1.0 - spec.tolerance.value * MARGIN_PART


def _alone(entry: Entry) -> weak.Alone:
    whole = [stratum for stratum in entry.strata if not stratum.is_beside]
    beside = [stratum for stratum in entry.strata if stratum.is_beside]
    events = sum(stratum.candidate.total for stratum in whole)
    exposure = sum(_requests(entry, stratum)[0] for stratum in whole)
    return weak.Alone(
        events=events,
        exposure=exposure,
        limit=_limit(entry.tests, entry.spec, warm=entry.warm) if events <= exposure else None,
        sibling_events=sum(stratum.baseline.total for stratum in beside),
        sibling_exposure=sum(_requests(entry, stratum)[1] for stratum in beside),
    )


def _limit(tests: Tests, spec: SignalSpec, *, warm: bool) -> float | None:
    """The good events per request that are still enough: the baseline's, cautiously, less the tolerance."""
    if tests.past_requests < LEARNING_REQUESTS:
        return None
    good = tests.past_total
    lower = max(0.0, good - 2.0 * math.sqrt(good + 1.0)) / tests.past_requests
    enough = lower * (1.0 - spec.tolerance.value) / (WARM_UP_MARGIN if warm else 1.0)
    # More than one good event per request is no share of requests, and isn't judged by its past.
    return enough if 0.0 < enough < 1.0 else None


def _requests(entry: Entry, stratum: Stratum) -> tuple[int, int]:
    """Return the requests of both arms there; without them usage can't be told from fewer users."""
    return entry.requests.get((stratum.placement, stratum.group), (0, 0))


def _remember_baseline(tests: Tests, entry: Entry) -> Tests:
    # Only what came with known requests is remembered, so that the two belong together.
    known = [s for s in entry.strata if s.is_beside and _requests(entry, s)[1] > 0]
    return replace(
        tests,
        past_total=tests.past_total + sum(stratum.baseline.total for stratum in known),
        past_requests=tests.past_requests + sum(_requests(entry, s)[1] for s in known),
    )
