"""
The sequential tests of all signals in a tick. Glue: sends each signal to the estimator of its kind.

Signals of a kind, of all rollouts of a tick, go through together, as batches of arrays where that pays.
A stream's numbers don't depend on its neighbours, so any batching gives the same result. Nothing here
knows a plan's phases or gives a verdict; how a kind is judged is in `estimators`, one file each.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from tidegate.domain.plan.model import SignalKind, SignalSpec
from tidegate.stats import bounds, difference, harm, latency_family, placebo, renewal, traffic
from tidegate.usecases.estimators import errors, limits, saturation, usage, weak
from tidegate.usecases.estimators import latency as latencies
from tidegate.usecases.estimators import traffic as requests
from tidegate.usecases.estimators.running import (
    Entry,
    Shown,
    Stratum,
    Tests,
    shown_totals,
)

__all__ = [
    "Entry",
    "Stratum",
    "Tests",
    "begin",
    "begin_again",
    "begin_phase",
    "counts_shown",
    "log_e_harm",
    "log_e_safe",
    "log_e_weak",
    "renew_proof",
    "ruled_out",
    "update_all",
]

WEAK_WEIGHT: Final = 0.2
"""The part of a signal's stake that bets on the weak comparisons (100 % phases)."""


_WITH_WEAK: Final = frozenset({SignalKind.ERRORS, SignalKind.USAGE, SignalKind.LATENCY})


class _Estimator(Protocol):
    """What the module of a kind of signal has."""

    def begin(self, spec: SignalSpec) -> Tests: ...
    def begin_phase(self, tests: Tests, spec: SignalSpec) -> Tests: ...
    def update(self, entries: Sequence[Entry]) -> list[Tests]: ...


def _estimator(kind: SignalKind) -> _Estimator:
    match kind:
        case SignalKind.ERRORS:
            return errors
        case SignalKind.USAGE:
            return usage
        case SignalKind.LATENCY:
            return latencies
        case SignalKind.TRAFFIC:
            return requests
        case SignalKind.SATURATION:
            return saturation
        case SignalKind.LIMIT:
            return limits


def begin(spec: SignalSpec) -> Tests:
    """Return the tests of *spec* before any tick."""
    return _estimator(spec.kind).begin(spec)


def begin_phase(tests: Tests, spec: SignalSpec) -> Tests:
    """Return *tests* with the proof of safety begun anew: a phase is proven by its own data."""
    fresh = replace(tests, renewals=0, kept=0.0)
    return _estimator(spec.kind).begin_phase(fresh, spec)


def begin_again(tests: Tests, spec: SignalSpec) -> Tests:
    """Return the tests of *spec* anew; only what is known of the baseline's past is kept."""
    if spec.kind is SignalKind.LATENCY:
        return latencies.begin_again(tests, spec)
    return replace(
        begin(spec),
        past_bad=tests.past_bad,
        past_total=tests.past_total,
        past_requests=tests.past_requests,
    )


def counts_shown(tests: Tests, strata: tuple[Stratum, ...]) -> Shown:
    """Return what *strata* add to the counts that people see of a signal."""
    if tests.kind is SignalKind.LATENCY:
        return latencies.shown(tests, strata)
    if tests.kind is SignalKind.SATURATION:
        return saturation.shown(strata)
    return shown_totals(strata)


def update_all(batch: Sequence[Entry]) -> list[Tests]:
    """Return the tests of *batch* after one tick each, in order."""
    places: dict[SignalKind, list[int]] = {}
    for place, entry in enumerate(batch):
        places.setdefault(entry.spec.kind, []).append(place)
    results = [entry.tests for entry in batch]
    for kind, chosen in places.items():
        after = _estimator(kind).update([batch[place] for place in chosen])
        for place, tests in zip(chosen, after, strict=True):
            results[place] = tests
    return results


def log_e_harm(tests: Tests) -> float:
    """
    Return the log e-value against "no harm" of the strong and the weak comparisons together.

    Their weights are fixed beforehand, so the average is an e-value whichever of them has data.
    """
    beside = 0.0
    if isinstance(tests.harm, harm.HarmState):
        beside = float(harm.log_e_value(tests.harm)[0])
    elif isinstance(tests.harm, placebo.PlaceboState):
        beside = float(placebo.log_e_value(tests.harm)[0])
    elif isinstance(tests.harm, latency_family.FamilyState):
        beside = float(latency_family.log_e_value(tests.harm)[0])
    elif isinstance(tests.harm, traffic.TrafficState):
        beside = float(traffic.log_e_value(tests.harm)[0])
    elif tests.members:
        beside = saturation.log_e_value(tests)
    if tests.kind not in _WITH_WEAK:
        return beside
    return float(np.logaddexp(math.log1p(-WEAK_WEIGHT) + beside, log_e_weak(tests)))


def log_e_weak(tests: Tests) -> float:
    """Return what the weak comparisons alone give to `log_e_harm`, in its unit; 0 where it has none."""
    if tests.kind not in _WITH_WEAK:
        return 0.0
    return math.log(WEAK_WEIGHT) + weak.log_e_value(tests)


def log_e_safe(tests: Tests) -> float:
    """Return the log e-value against "worse than tolerated" in this phase."""
    return renewal.log_value(_log_e_running(tests), renewals=tests.renewals, kept=tests.kept)


def _log_e_running(tests: Tests) -> float:
    if isinstance(tests.safe, difference.DifferenceState):
        return float(difference.log_e_value(tests.safe)[0])
    return 0.0 if tests.safe is None else float(tests.safe.log_e[0])


def renew_proof(tests: Tests, spec: SignalSpec) -> Tests:
    """Return *tests* with the proof of safety begun anew in the same phase: the last one was spoilt."""
    kept = renewal.end(_log_e_running(tests), renewals=tests.renewals, kept=tests.kept)
    return replace(begin_phase(tests, spec), renewals=tests.renewals + 1, kept=kept)


def ruled_out(tests: Tests, spec: SignalSpec, *, alpha: float) -> float | None:
    """
    Return the harm that is excluded so far with confidence ``1 - alpha``, at any look.

    In the unit of *spec*'s tolerance; None while nothing is excluded.
    """
    if isinstance(tests.bound, bounds.ExcessBoundState):
        excess = float(bounds.highest_excess(tests.bound, alpha)[0])
        return None if excess >= 1.0 else excess
    if tests.bound is None:
        return None
    if tests.kind is SignalKind.USAGE:
        lowest = float(bounds.lowest_ratio(tests.bound, alpha)[0])
        return 1.0 - lowest if lowest > 0.0 else None
    highest = float(bounds.highest_ratio(tests.bound, alpha)[0])
    if not np.isfinite(highest):
        return None
    if tests.kind is SignalKind.LATENCY:
        return latencies.slowdown_ruled_out(tests, spec, highest)
    return highest - 1.0
