"""
Traffic: requests of both arms against the assigned share; too few or too many is harm.

Too few reach a candidate that crashes or refuses connections, too many one whose clients try again. It
certifies nothing: that requests arrive says nothing of what becomes of them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tidegate.domain.plan.model import SignalKind, SignalSpec
from tidegate.stats import traffic
from tidegate.stats.traffic import TrafficState
from tidegate.usecases.estimators.running import WARM_UP_MARGIN, Entry, Tests

BURST_WEIGHT = 0.25
"""What one request counts for: a page view of one user is a handful of requests at once."""


def begin(spec: SignalSpec) -> Tests:
    """Return the tests of *spec* before any tick."""
    return Tests(kind=SignalKind.TRAFFIC, harm=traffic.new(1, margin=1.0 + spec.tolerance.value))


def begin_phase(tests: Tests, spec: SignalSpec) -> Tests:
    """Return *tests* as they are: nothing is certified."""
    return tests


def update(entries: Sequence[Entry]) -> list[Tests]:
    """Return the tests of *entries* after one tick."""
    results = [entry.tests for entry in entries]
    deepest = max((len(entry.strata) for entry in entries), default=0)
    for depth in range(deepest):
        places = [
            place
            for place, entry in enumerate(entries)
            if depth < len(entry.strata) and entry.strata[depth].is_beside
        ]
        if places:
            _update(places, entries, results, depth)
    return results


def _update(
    places: Sequence[int], entries: Sequence[Entry], results: list[Tests], depth: int
) -> None:
    strata = [entries[place].strata[depth] for place in places]
    state = TrafficState.concatenate([_harm(results[place]) for place in places])
    own_margins = state.margin
    warm = np.array([entries[place].warm for place in places])
    # Chosen before the tick, as every margin must be; the next tick has its own.
    state = replace(
        state, margin=np.where(warm, np.maximum(own_margins, WARM_UP_MARGIN), own_margins)
    )
    state = traffic.update(
        state,
        [stratum.candidate.total for stratum in strata],
        [stratum.candidate.total + stratum.baseline.total for stratum in strata],
        [stratum.assigned for stratum in strata],
        exponent=BURST_WEIGHT,
        starting=np.array([entries[place].starting and depth == 0 for place in places]),
    )
    state = replace(state, margin=own_margins)
    for index, place in enumerate(places):
        results[place] = replace(results[place], harm=state.select([index]))


def _harm(tests: Tests) -> TrafficState:
    assert isinstance(tests.harm, TrafficState), "traffic is judged by shares"
    return tests.harm
