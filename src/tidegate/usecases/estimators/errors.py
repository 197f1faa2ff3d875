"""Errors: bad requests (or affected users) of both arms against their requests; more is harm."""

import math
from collections.abc import Sequence
from dataclasses import replace

from tidegate.domain.plan.model import Noise, SignalKind, SignalSpec, ToleranceUnit
from tidegate.stats import bounds, difference, harm, placebo, safe
from tidegate.usecases.estimators import counted, weak
from tidegate.usecases.estimators.running import (
    HARM_MARGIN_ERRORS,
    WARM_UP_MARGIN,
    Counts,
    Entry,
    Stratum,
    Tests,
)


def begin(spec: SignalSpec) -> Tests:
    """Return the tests of *spec* before any tick."""
    return begin_phase(
        Tests(
            kind=SignalKind.ERRORS,
            harm=_new_harm(spec),
        ),
        spec,
    )


def _new_harm(spec: SignalSpec) -> harm.HarmState | placebo.PlaceboState:
    if spec.noise is Noise.CLUSTERED:
        return placebo.new(1, null_ratio=HARM_MARGIN_ERRORS)
    return harm.new(1, null_ratio=HARM_MARGIN_ERRORS)


def begin_phase(tests: Tests, spec: SignalSpec) -> Tests:
    """Return *tests* with the proof of safety begun anew."""
    if spec.tolerance.unit is ToleranceUnit.RATE:
        return replace(
            tests,
            safe=difference.new(1, tolerance=spec.tolerance.value),
            bound=bounds.new_excess(1),
        )
    return replace(tests, safe=safe.new_ratio(1), bound=bounds.new_ratio(1))


def update(entries: Sequence[Entry]) -> list[Tests]:
    """Return the tests of *entries* after one tick."""
    results = [entry.tests for entry in entries]
    deepest = max((len(entry.strata) for entry in entries), default=0)
    for depth in range(deepest):
        rows = [
            row
            for place, entry in enumerate(entries)
            if depth < len(entry.strata) and (row := _row(place, entry, depth)) is not None
        ]
        counted.test_harm(rows, results)
        counted.test_safety([row for row in rows if entries[row.place].proves], results)
    weak.update(entries, results, [_alone(entry) for entry in entries])
    return [
        replace(
            tests,
            past_bad=tests.past_bad + sum(s.baseline.bad for s in entry.strata if s.is_beside),
            past_total=tests.past_total
            + sum(s.baseline.total for s in entry.strata if s.is_beside),
        )
        for tests, entry in zip(results, entries, strict=True)
    ]


def _row(place: int, entry: Entry, depth: int) -> counted.Row | None:
    stratum = entry.strata[depth]
    counts = _counts(stratum) if stratum.is_beside else None
    clustered = entry.spec.noise is Noise.CLUSTERED
    shards = stratum.baseline.members if clustered else ()
    if counts is None or (clustered and len(shards) < placebo.FEWEST_SHARDS):
        return None
    return counted.Row(
        place=place,
        counts=counts,
        starting=entry.starting and depth == 0,
        margin=WARM_UP_MARGIN if entry.warm else HARM_MARGIN_ERRORS,
        ratio=1.0 + entry.spec.tolerance.value,
        shards=(
            tuple(float(shard.bad) for shard in shards),
            tuple(float(shard.total) for shard in shards),
        ),
        power=_power(entry),
    )


def _power(entry: Entry) -> float:
    """Return what the noise that was measured before this tick leaves of the proof of safety."""
    if not isinstance(entry.tests.harm, placebo.PlaceboState):
        return 1.0
    tolerance = entry.spec.tolerance
    in_points = tolerance.unit is ToleranceUnit.RATE
    bet = placebo.CAUTIOUS_RATIO if in_points else 1.0 / (1.0 + tolerance.value)
    return float(placebo.exponent(entry.tests.harm, bet)[0])


def _counts(stratum: Stratum) -> Counts | None:
    """Reduce *stratum* to counts, or None where it says nothing."""
    candidate, baseline = stratum.candidate, stratum.baseline
    if 0 in (candidate.total, baseline.total):
        return None
    return Counts(
        candidate_events=candidate.bad,
        candidate_total=candidate.total,
        baseline_events=baseline.bad,
        baseline_total=baseline.total,
        share=candidate.total / (candidate.total + baseline.total),
    )


def _alone(entry: Entry) -> weak.Alone:
    return weak.Alone(
        events=sum(s.candidate.bad for s in entry.strata if not s.is_beside),
        exposure=sum(s.candidate.total for s in entry.strata if not s.is_beside),
        limit=_limit(entry.tests, entry.spec, warm=entry.warm),
        sibling_events=sum(s.baseline.bad for s in entry.strata if s.is_beside),
        sibling_exposure=sum(s.baseline.total for s in entry.strata if s.is_beside),
    )


def _limit(tests: Tests, spec: SignalSpec, *, warm: bool) -> float:
    """The rate that is still no harm: what the baseline had, cautiously, plus what is tolerated."""
    bad, total = tests.past_bad, tests.past_total
    upper = min(0.5, (bad + 1.0 + 2.0 * math.sqrt(bad + 1.0)) / (total + 2.0))
    if warm:
        upper *= WARM_UP_MARGIN
    if spec.tolerance.unit is ToleranceUnit.RATE:
        return min(0.99, upper + spec.tolerance.value)
    return min(0.99, upper * (1.0 + spec.tolerance.value))
